//! Why a sign-in at a provider came to nothing.

use std::fmt;

use [= import.openidconnect =]::{ErrorResponseType, RequestTokenError, StandardErrorResponse};

use super::http::HttpError;
use crate::auth::{audit, problem::Problem, visit::Visit};

pub enum Failure {
    /// What came back does not prove anything; the reason is for the audit trail.
    Refused(&'static str),
    /// The provider does not answer, or not as one.
    Unavailable,
    /// Something of our own, such as an identity that is somebody else's.
    Problem(Problem),
}

impl Failure {
    /// What the client is told: never what the provider said (ASVS 16.5.1).
    pub async fn tell(self, visit: &Visit) -> Problem {
        match self {
            Self::Refused(reason) => {
                audit::refusal(visit, "oidc_refused", reason).await;
                Problem::oidc_refused()
            }
            Self::Unavailable => {
                audit::refusal(visit, "oidc_refused", "unavailable").await;
                Problem::provider_unavailable()
            }
            Self::Problem(problem) => {
                let reason = match problem.code() {
                    code if code == Problem::oidc_refused().code() => "account_disabled",
                    code => code,
                };
                if reason != Problem::unavailable().code() {
                    audit::refusal(visit, "oidc_refused", reason).await;
                }
                problem
            }
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Problem(error.into())
    }
}

/// Of a token endpoint. What it says could hold what was sent, so that only the code is logged.
impl<E: ErrorResponseType + fmt::Display + 'static>
    From<RequestTokenError<HttpError, StandardErrorResponse<E>>> for Failure
{
    fn from(error: RequestTokenError<HttpError, StandardErrorResponse<E>>) -> Self {
        let why = match error {
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => return Self::Refused("token_answer"),
            RequestTokenError::ServerResponse(answer) => match answer.error().to_string() {
                code if code == "invalid_grant" => return Self::Refused("code"),
                code => code,
            },
            RequestTokenError::Request(error) => error.to_string(),
        };
        tracing::warn!(target: "auth", ?why, "a provider's token endpoint failed");
        Self::Unavailable
    }
}

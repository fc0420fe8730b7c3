//! Errors as RFC 9457 problem documents. What went wrong inside goes to the log, never to a client.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use [= import.tower_sessions =]::{session, session_store::Error as StoreError};

use super::store;

/// An error answer: a status, a stable `code` for programs and a sentence for people.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    retry_after: Option<i64>,
[%- if module.tokens %]
    challenge: Option<Challenge>,
[%- endif %]
}
[%- if module.tokens %]

/// What `WWW-Authenticate` says to who came with an access token, or should have (RFC 6750 3,
/// RFC 9470 3).
#[derive(Debug, Clone, Copy)]
enum Challenge {
    Missing,
    Invalid,
    Scope(&'static str),
    /// Signed in longer ago than so many seconds.
    Stale(i64),
}

impl Challenge {
    fn text(self) -> String {
        match self {
            Self::Missing => "Bearer".to_owned(),
            Self::Invalid => "Bearer error=\"invalid_token\"".to_owned(),
            Self::Scope(name) => format!("Bearer error=\"insufficient_scope\", scope=\"{name}\""),
            Self::Stale(seconds) => {
                format!("Bearer error=\"insufficient_user_authentication\", max_age=\"{seconds}\"")
            }
        }
    }
}
[%- endif %]

/// The name of a problem is its code.
macro_rules! problems {
    ($($code:ident: $status:ident, $title:literal;)*) => {
        impl Problem {
            $(pub(super) const fn $code() -> Self {
                Self {
                    status: StatusCode::$status,
                    code: stringify!($code),
                    title: $title,
                    retry_after: None,
[%- if module.tokens %]
                    challenge: None,
[%- endif %]
                }
            })*
        }
    };
}

problems! {
    malformed_request: BAD_REQUEST, "The request cannot be read.";
    invalid_fields: UNPROCESSABLE_ENTITY, "A field is missing or has the wrong type.";
    json_required: UNSUPPORTED_MEDIA_TYPE, "The body must be application/json in UTF-8.";
    body_too_large: PAYLOAD_TOO_LARGE, "The body is too large.";
    email_invalid: UNPROCESSABLE_ENTITY, "This e-mail address cannot be used here.";
[%- if module.password %]
    password_too_short: UNPROCESSABLE_ENTITY, "The password has too few characters.";
    password_too_long: UNPROCESSABLE_ENTITY, "The password has more than 256 characters or 1024 bytes.";
    password_common: UNPROCESSABLE_ENTITY, "This password is on lists that attackers use.";
    password_contextual: UNPROCESSABLE_ENTITY, "The password is made of the e-mail address or of this site's name.";
    password_guessable: UNPROCESSABLE_ENTITY, "The password follows a pattern that is easy to guess.";
    password_required: UNAUTHORIZED, "In this browser, confirming the address takes the password.";
    invalid_credentials: UNAUTHORIZED, "The e-mail address or the password is wrong.";
[%- endif %]
    email_unverified: FORBIDDEN, "[% if module.password %]Confirm the e-mail address first.[% else %]The provider does not say that the e-mail address is confirmed.[% endif %]";
    not_signed_in: UNAUTHORIZED, "Sign in to continue.";
    reauth_required: FORBIDDEN, "[% if module.password %]Enter the password again to continue.[% else %]Sign in again to continue.[% endif %]";
[%- if module.password %]
    email_unchanged: UNPROCESSABLE_ENTITY, "The account has this e-mail address already.";
[%- endif %]
    session_unknown: NOT_FOUND, "There is no such session. It may have ended.";
[%- if module.password %]
    token_invalid: BAD_REQUEST, "This link is not valid, was used, or has expired.";
[%- elif module.tokens %]
    token_invalid: BAD_REQUEST, "This token is not valid, was used, or has expired.";
[%- endif %]
[%- if module.tokens %]
    invalid_grant: BAD_REQUEST, "This refresh token is not valid, was used, or has expired.";
    invalid_scope: BAD_REQUEST, "A scope is unknown, or more than was granted.";
    insufficient_scope: FORBIDDEN, "The access token is not for this.";
    insufficient_user_authentication: FORBIDDEN, "Sign in again for a new access token to continue.";
    device_unknown: NOT_FOUND, "There is no such device. It may have been signed out.";
[%- endif %]
    foreign_request: FORBIDDEN, "The request does not come from this site.";
    too_many_requests: TOO_MANY_REQUESTS, "Too many attempts. Try again later.";
[%- if module.oidc %]
    oidc_refused: BAD_REQUEST, "The sign-in at the provider did not work.";
    account_exists: CONFLICT, "There is an account with this e-mail address. Sign in to it, then link the provider.";
    identity_taken: CONFLICT, "This sign-in belongs to another account, or the account has another one of this provider.";
    identity_unknown: NOT_FOUND, "This is not a sign-in of the account.";
    last_login_method: CONFLICT, "Without this sign-in, nothing would open the account.";
    reauth_unsupported: CONFLICT, "This provider does not ask again. Sign out and sign in.";
    provider_unknown: NOT_FOUND, "This provider is not known here.";
    provider_unavailable: BAD_GATEWAY, "The provider does not answer as it should. Try again later.";
[%- endif %]
    unavailable: SERVICE_UNAVAILABLE, "This does not work right now. Try again later.";
}

impl Problem {
    pub(super) fn throttled(seconds: i64) -> Self {
        Self {
            retry_after: Some(seconds.max(1)),
            ..Self::too_many_requests()
        }
    }
[%- if module.tokens %]

    pub(super) fn access_token_missing() -> Self {
        Self { challenge: Some(Challenge::Missing), ..Self::access_token_invalid() }
    }

    /// The same code as that of a mailed token, with another status.
    pub(super) fn access_token_invalid() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            title: "The access token is missing, not valid, was revoked, or has expired.",
            challenge: Some(Challenge::Invalid),
            ..Self::token_invalid()
        }
    }

    pub(super) fn without_scope(name: &'static str) -> Self {
        Self { challenge: Some(Challenge::Scope(name)), ..Self::insufficient_scope() }
    }

    pub(super) fn stale_token(seconds: i64) -> Self {
        let challenge = Some(Challenge::Stale(seconds));
        Self { challenge, ..Self::insufficient_user_authentication() }
    }
[%- endif %]

    pub(super) fn is_not_signed_in(&self) -> bool {
        self.code == Self::not_signed_in().code
    }
[%- if ui == 'pages' or module.oidc %]

    pub(super) fn code(&self) -> &'static str {
        self.code
    }
[%- endif %]
[%- if ui == 'pages' %]

    pub(super) fn title(&self) -> &'static str {
        self.title
    }

    pub(super) fn retry_after(&self) -> Option<i64> {
        self.retry_after
    }
[%- endif %]
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("urn:auth:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code,
        });
        let headers = [
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let mut response = (self.status, headers, body.to_string()).into_response();
        if let Some(seconds) = self.retry_after {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
[%- if module.tokens %]
        let challenge = self.challenge.and_then(|it| HeaderValue::from_str(&it.text()).ok());
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
[%- endif %]
[%- if ui == 'pages' %]
        // For `pages::present`, which tells people in words.
        response.extensions_mut().insert(self);
[%- endif %]
        response
    }
}

/// A dependency that fails grants nothing (ASVS 16.5.3).
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(target: "auth", %error, "the database failed");
        Self::unavailable()
    }
}

impl From<session::Error> for Problem {
    fn from(error: session::Error) -> Self {
        if matches!(&error, session::Error::Store(StoreError::Backend(why)) if why == store::CHANGED) {
            return Self::not_signed_in();
        }
        tracing::error!(target: "auth", %error, "the session store failed");
        Self::unavailable()
    }
}

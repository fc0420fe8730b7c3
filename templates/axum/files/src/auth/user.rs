//! The guard: a handler that takes a [`User`] answers only to a signed-in user.

use std::fmt;

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Deserialize, Serialize};
use [= import.tower_sessions =]::Session;

use super::{audit, db::now, problem::Problem, store, visit::Visit};

/// The signed-in user. As an argument of a handler it refuses everybody else with 401, and requests
/// with an unsafe method that come from another site with 403.
#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    /// Stable and opaque: what other tables should refer to.
    pub id: String,
    /// The confirmed address, in canonical form.
    pub email: String,
    /// When the [% if module.password %]password was last entered in this session[% else %]user last signed in[% endif %], in Unix seconds[% if module.oidc %]; at a provider, as it says[% endif %].
    pub auth_time: i64,
    /// The session's name in lists; opens nothing.
    pub(super) session: String,
[%- if module.oidc %]
    /// `pwd`, or `fed` for a provider.
    pub(super) amr: String,
[%- endif %]
    pub(super) epoch: i64,
    pub(super) expires_at: i64,
}

impl User {
    pub(super) async fn from_session(session: &Session) -> Result<Option<Self>, Problem> {
        Ok(session.get(store::USER).await?)
    }
}

/// A signed-in user who [% if module.password %]entered the password[% else %]signed in[% endif %] lately (`AUTH_REAUTH_SECONDS`): for what a session that
/// was left open must not be enough for. Everybody else gets 403 `reauth_required` (ASVS 7.5.1).
#[derive(Clone, Debug)]
pub struct FreshUser(pub User);

/// Without the address: a log should not collect them.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let visit = Visit::of(&parts.extensions)?;
        visit.user(&parts.method, &parts.headers).await
    }
}

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<S: Send + Sync> FromRequestParts<S> for FreshUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let visit = Visit::of(&parts.extensions)?;
        let user = visit.user(&parts.method, &parts.headers).await?;
        if now() - user.auth_time < visit.auth().settings().policy.reauth {
            return Ok(Self(user));
        }
        audit::refusal(&visit, "reauth_required", "stale").await;
        Err(Problem::reauth_required())
    }
}

/// The signed-in user if there is one, for handlers that answer to everybody.
#[derive(Clone, Debug)]
pub struct MaybeUser(pub Option<User>);

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<S: Send + Sync> FromRequestParts<S> for MaybeUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let visit = Visit::of(&parts.extensions)?;
        match visit.user(&parts.method, &parts.headers).await {
            Ok(user) => Ok(Self(Some(user))),
            Err(problem) if problem.is_not_signed_in() => Ok(Self(None)),
            Err(problem) => Err(problem),
        }
    }
}

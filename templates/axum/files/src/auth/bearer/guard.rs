//! The guard of an API: a handler that takes an [`ApiUser`] answers only to an access token.

use std::{fmt, marker::PhantomData};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{access::Claims, families::lives, scopes};
use crate::auth::{
    FreshUser, User, audit,
    db::now,
    problem::Problem,
    visit::Visit,
};

/// What a token must be allowed to do. A type for each scope, so that a handler says in its
/// arguments what it asks for:
///
/// ```ignore
/// struct Invoices;
/// impl auth::Scope for Invoices {
///     const NAME: &'static str = "invoices";
/// }
///
/// async fn list(user: auth::ApiUser<Invoices>) {}
/// ```
///
/// A scope can be granted if `AUTH_TOKEN_SCOPES` names it.
pub trait Scope {
    const NAME: &'static str;
}

/// No scope in particular: any token of the user will do.
pub struct Any;

/// The scope `read`.
pub struct Read;

/// The scope `write`.
pub struct Write;

impl Scope for Any {
    const NAME: &'static str = "";
}

impl Scope for Read {
    const NAME: &'static str = "read";
}

impl Scope for Write {
    const NAME: &'static str = "write";
}

/// The user of an access token. As an argument of a handler it refuses everybody else with 401, and
/// tokens without the scope `S` with 403 (RFC 6750 3.1). Sessions and their cookies mean nothing to
/// it, so it needs no check of where a request comes from.
pub struct ApiUser<S = Any> {
    /// Stable and opaque: the same as [`User::id`].
    pub id: String,
    /// What the user calls the program that has the token.
    pub device: String,
    /// The scopes of the token, with spaces between.
    pub scope: String,
    /// When the user last signed in to get this token or its forerunners, in Unix seconds.
    pub auth_time: i64,
    pub(super) family: String,
    needs: PhantomData<fn() -> S>,
}

/// The user of an access token who signed in lately (`AUTH_REAUTH_SECONDS`). An older sign-in gets
/// 403 `insufficient_user_authentication` (RFC 9470): sign in again for a new token.
#[derive(Debug)]
pub struct FreshApiUser<S = Any>(pub ApiUser<S>);

impl<S> ApiUser<S> {
    /// Whether the token has a scope, for a handler that can do with less.
    pub fn may(&self, scope: &str) -> bool {
        scopes::holds(&self.scope, scope)
    }
}

impl<S> fmt::Debug for ApiUser<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiUser").field("id", &self.id).finish_non_exhaustive()
    }
}

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<T: Send + Sync, S: Scope> FromRequestParts<T> for ApiUser<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &T) -> Result<Self, Problem> {
        let visit = Visit::of(&parts.extensions)?;
        visit.keep_private();
        let user = Self::of(&visit, &parts.headers).await?;
        if S::NAME.is_empty() || user.may(S::NAME) {
            return Ok(user);
        }
        audit::refusal(&visit, "token_refused", "insufficient_scope").await;
        Err(Problem::without_scope(S::NAME))
    }
}

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<T: Send + Sync, S: Scope> FromRequestParts<T> for FreshApiUser<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Problem> {
        let user = ApiUser::from_request_parts(parts, state).await?;
        let visit = Visit::of(&parts.extensions)?;
        let reauth = visit.auth().settings().policy.reauth;
        if now() - user.auth_time < reauth {
            return Ok(Self(user));
        }
        audit::refusal(&visit, "reauth_required", "stale").await;
        Err(Problem::stale_token(reauth))
    }
}

impl<S> ApiUser<S> {
    async fn of(visit: &Visit, headers: &HeaderMap) -> Result<Self, Problem> {
        let token = bearer(headers)?;
        let claims = visit.auth().access().read(token).map_err(|reason| {
            tracing::info!(target: "auth", reason, ip = %visit.ip(), "an access token was refused");
            Problem::access_token_invalid()
        })?;
        let device = device(visit, &claims).await?;
        Ok(Self {
            device: device.ok_or(Problem::access_token_invalid())?,
            id: claims.sub,
            scope: claims.scope,
            auth_time: claims.auth_time,
            family: claims.sid,
            needs: PhantomData,
        })
    }
}

/// The token of the one `Authorization` header. No other place is looked at (RFC 6750 5.3, RFC 9700
/// 4.3.2).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Problem::access_token_missing())?;
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    match (token, values.next()) {
        (Some(token), None) => Ok(token),
        _ => Err(Problem::access_token_invalid()),
    }
}

/// The device of a token whose family lives and whose account is as it was when the token was
/// signed: one read of indexed rows, so that what ends a family is felt at once (ASVS 7.4.1).
async fn device(visit: &Visit, claims: &Claims) -> Result<Option<String>, Problem> {
    let device = sqlx::query_scalar(concat!(
        "SELECT f.device FROM auth_token_families f
         WHERE f.id = $1 AND f.user_id = $3 AND f.epoch = $4 AND ",
        lives!()
    ))
    .bind(&claims.sid)
    .bind(now())
    .bind(&claims.sub)
    .bind(claims.ver)
    .fetch_optional(visit.auth().db().pool())
    .await?;
    Ok(device)
}

/// Who asks: a browser with a session, or a program with a token. An `Authorization` header is the
/// answer, right or wrong; a session that comes with it does not count.
pub enum Caller {
    Session(User),
    Token(ApiUser),
}

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<T: Send + Sync> FromRequestParts<T> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Problem> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return ApiUser::from_request_parts(parts, state).await.map(Self::Token);
        }
        User::from_request_parts(parts, state).await.map(Self::Session)
    }
}

impl Caller {
    pub fn user_id(&self) -> &str {
        match self {
            Self::Session(user) => &user.id,
            Self::Token(user) => &user.id,
        }
    }
}

/// The same, with the password entered lately in the session. A token needs no more than it has.
pub struct FreshCaller(pub Caller);

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<T: Send + Sync> FromRequestParts<T> for FreshCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Problem> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            let user = ApiUser::from_request_parts(parts, state).await?;
            return Ok(Self(Caller::Token(user)));
        }
        let FreshUser(user) = FreshUser::from_request_parts(parts, state).await?;
        Ok(Self(Caller::Session(user)))
    }
}

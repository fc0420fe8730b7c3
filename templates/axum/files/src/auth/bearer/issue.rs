//! A program's sign-in: for a password, or for the session of a browser.

use axum::{
    Extension, Json,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::families::{self, Family, Grant};
use crate::auth::{
    Auth, User,
    audit::{self, Event},
    db::now,
    input::Input,
    problem::Problem,
    sessions,
[%- if module.password %]
    sign_in::{self, Login},
[%- endif %]
    throttle,
    visit::Visit,
};

/// A device's name has so many characters at most.
const MAX_DEVICE: usize = 100;

#[derive(Deserialize)]
pub struct Ask {
    /// What proves who the user is: [% if module.password %]`password` or [% endif %]`session`.
    grant: String,
[%- if module.password %]
    email: Option<String>,
    password: Option<String>,
[%- endif %]
    /// What the user will call the program in the list of devices.
    device: Option<String>,
    scope: Option<String>,
}

/// Begins a family and answers with its first tokens.
pub async fn issue(
    Extension(visit): Extension<Visit>,
    Input(ask): Input<Ask>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    let policy = &auth.settings().policy;
    let scope = auth.settings().token_scopes.granted(ask.scope.as_deref())?;
    let device = named(&visit, ask.device)?;
    let grant = match ask.grant.as_str() {
[%- if module.password %]
        "password" => by_password(&visit, ask.email, ask.password).await?,
[%- endif %]
        "session" => by_session(&visit).await?,
        _ => return Err(Problem::invalid_fields()),
    };
    let mut tx = auth.db().write().await?;
    let family = families::begin(&mut tx, grant, &device, &scope, policy).await?;
    let refresh_token = families::next_token(&mut tx, &family, policy).await?;
    let event = Event::success("token_issued").of(Some(&family.user_id));
    audit::record(&mut tx, &visit, event).await?;
    let answer = answer(auth, &family, &scope, &refresh_token)?;
    tx.commit().await?;
    Ok(answer)
}
[% if module.password %]
/// The same as a login, with the same throttles, up to where that begins a session.
async fn by_password(
    visit: &Visit,
    email: Option<String>,
    password: Option<String>,
) -> Result<Grant, Problem> {
    let (Some(email), Some(password)) = (email, password) else {
        return Err(Problem::invalid_fields());
    };
    let account = sign_in::admit(visit, &Login { email, password }).await?;
    Ok(Grant {
        user_id: account.id,
        epoch: account.epoch,
[%- if module.oidc %]
        amr: sign_in::PASSWORD.to_owned(),
[%- endif %]
        session: None,
        authenticated_at: now(),
        expires_at: now() + visit.auth().settings().policy.refresh_absolute,
    })
}
[% endif %]
/// For a program in the user's browser. What it gets ends with the session.
async fn by_session(visit: &Visit) -> Result<Grant, Problem> {
    let policy = &visit.auth().settings().policy;
    throttle::per_source(visit, "issue", policy.refresh_source).await?;
    let user = User::from_session(visit.session()).await?;
    let user = user.ok_or(Problem::not_signed_in())?;
    Ok(Grant {
        user_id: user.id,
        epoch: user.epoch,
[%- if module.oidc %]
        amr: user.amr,
[%- endif %]
        session: Some(user.session),
        authenticated_at: user.auth_time,
        expires_at: user.expires_at.min(now() + policy.refresh_absolute),
    })
}

/// The name that the program gave itself, or what it seems to be.
fn named(visit: &Visit, device: Option<String>) -> Result<String, Problem> {
    let Some(device) = device else {
        return Ok(sessions::device(visit.agent()));
    };
    let fits = device.chars().count() <= MAX_DEVICE && !device.chars().any(char::is_control);
    if fits && !device.trim().is_empty() {
        Ok(device.trim().to_owned())
    } else {
        Err(Problem::invalid_fields())
    }
}

/// The tokens, as RFC 6749 5.1 names them.
pub(super) fn answer(
    auth: &Auth,
    family: &Family,
    scope: &str,
    refresh_token: &str,
) -> Result<Response, Problem> {
    let access_token = auth.access().sign(family, scope)?;
    let body = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": auth.access().lifetime(family),
        "refresh_token": refresh_token,
        "scope": scope,
    });
    Ok(Json(body).into_response())
}

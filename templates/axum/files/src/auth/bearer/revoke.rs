//! The end of a family, by one of its tokens (RFC 7009).

use axum::{
    Extension, Json,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::families;
use crate::auth::{
    audit::{self, Event},
    input::Input,
    problem::Problem,
    throttle,
    visit::Visit,
};

#[derive(Deserialize)]
pub struct Token {
    token: String,
}

/// Ends the family of a refresh token or an access token. Who has a token may do so. The answer is
/// the same for any text, so it tells nobody what is a token.
pub async fn revoke(
    Extension(visit): Extension<Visit>,
    Input(form): Input<Token>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    throttle::per_source(&visit, "revoke", auth.settings().policy.refresh_source).await?;
    let mut tx = auth.db().write().await?;
    let family = match auth.access().read(&form.token) {
        Ok(claims) => Some(claims.sid),
        Err(_) => families::named_by(&mut tx, &form.token).await?,
    };
    let owner = match family {
        Some(id) => families::revoke(&mut tx, &id).await?,
        None => None,
    };
    if let Some(owner) = owner {
        let event = Event::success("token_revoked").of(Some(&owner));
        audit::record(&mut tx, &visit, event).await?;
    }
    tx.commit().await?;
    Ok(Json(json!({ "status": "revoked" })).into_response())
}

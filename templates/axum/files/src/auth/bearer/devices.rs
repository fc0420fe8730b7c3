//! The programs that are signed in for a user: to look at, and to sign out.

use axum::{
    Extension, Json,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

use super::{
    families::{self, lives},
    guard::{Caller, FreshCaller},
};
use crate::auth::{
    audit::{self, Event},
    db::{Connection, now},
    problem::Problem,
    visit::Visit,
};

/// A family as its owner sees it. Times are Unix seconds.
#[derive(Serialize, sqlx::FromRow)]
pub struct Device {
    /// Its name in this list; opens nothing.
    pub id: String,
    pub device: String,
    pub created_at: i64,
    pub last_used_at: i64,
    #[sqlx(skip)]
    pub current: bool,
    /// The session that it ends with.
    #[serde(skip)]
    session: Option<String>,
}

/// Those that can still get tokens (ASVS 7.5.2).
pub async fn of(db: &mut Connection, user_id: &str) -> Result<Vec<Device>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT f.id, f.device, f.created_at, f.last_used_at, f.session
         FROM auth_token_families f
         WHERE f.user_id = $1 AND ",
        lives!(),
        " AND EXISTS (SELECT 1 FROM auth_refresh_tokens r WHERE r.family_id = f.id
                      AND r.used_at IS NULL AND r.expires_at > $2)
         ORDER BY f.last_used_at DESC, f.created_at DESC, f.id"
    ))
    .bind(user_id)
    .bind(now())
    .fetch_all(db)
    .await
}

pub async fn list(
    Extension(visit): Extension<Visit>,
    caller: Caller,
) -> Result<Response, Problem> {
    let mut db = visit.auth().db().pool().acquire().await?;
    let mut devices = of(&mut db, caller.user_id()).await?;
    for device in &mut devices {
        device.current = match &caller {
            Caller::Session(user) => device.session.as_ref() == Some(&user.session),
            Caller::Token(user) => device.id == user.family,
        };
    }
    Ok(Json(json!({ "devices": devices })).into_response())
}

/// Signs a program out. One of somebody else's looks like one that does not exist. A token can sign
/// out the program that has it, and no other.
pub async fn revoke(
    Extension(visit): Extension<Visit>,
    FreshCaller(caller): FreshCaller,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = path.map_err(|_| Problem::device_unknown())?;
    if matches!(&caller, Caller::Token(user) if user.family != id) {
        return Err(Problem::device_unknown());
    }
    let mut tx = visit.auth().db().write().await?;
    if !of(&mut tx, caller.user_id()).await?.iter().any(|device| device.id == id) {
        return Err(Problem::device_unknown());
    }
    families::revoke(&mut tx, &id).await?;
    let event = Event::success("token_revoked").of(Some(caller.user_id()));
    audit::record(&mut tx, &visit, event).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

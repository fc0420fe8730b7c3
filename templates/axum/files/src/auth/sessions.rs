//! The sessions of the signed-in user: to look at, and to end.

use axum::{
    Extension, Json,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

use super::{
    audit::{self, Event},
[%- if module.tokens %]
    bearer,
[%- endif %]
    db::{Connection, now},
    problem::Problem,
    user::{FreshUser, User},
    visit::Visit,
};

/// A session as its owner sees it. Times are Unix seconds.
#[derive(Serialize, sqlx::FromRow)]
pub struct Session {
    /// Its name in this list; opens nothing.
    pub id: String,
    #[sqlx(skip)]
    pub current: bool,
    pub created_at: i64,
    pub last_seen_at: i64,
    pub expires_at: i64,
    pub ip: String,
    /// Browser and system in words, as far as the client says.
    #[sqlx(skip)]
    pub device: String,
    pub user_agent: String,
}

pub async fn list(Extension(visit): Extension<Visit>, user: User) -> Result<Response, Problem> {
    let mut db = visit.auth().db().pool().acquire().await?;
    let idle = visit.auth().settings().policy.session_idle;
    Ok(Json(json!({ "sessions": of(&mut db, &user, idle).await? })).into_response())
}

/// Those that a request could still use (ASVS 7.5.2).
pub async fn of(
    db: &mut Connection,
    user: &User,
    idle: i64,
) -> Result<Vec<Session>, sqlx::Error> {
    let mut sessions: Vec<Session> = sqlx::query_as(
        "SELECT handle AS id, created_at, last_seen_at, expires_at, ip, user_agent
         FROM auth_sessions WHERE user_id = $1 AND expires_at > $2 AND last_seen_at > $3
         ORDER BY last_seen_at DESC, created_at DESC, handle",
    )
    .bind(&user.id)
    .bind(now())
    .bind(now() - idle)
    .fetch_all(db)
    .await?;
    for session in &mut sessions {
        session.current = session.id == user.session;
        session.device = device(&session.user_agent);
    }
    Ok(sessions)
}

/// Ends one session of the user. One of somebody else's looks like one that does not exist.
pub async fn revoke(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = path.map_err(|_| Problem::session_unknown())?;
    // A database may refuse what no handle contains, such as NUL.
    if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::session_unknown());
    }
    let mut tx = visit.auth().db().write().await?;
    // With the epoch, a request that is renewing the session right now fails as well.
    sqlx::query("UPDATE auth_users SET epoch = epoch + 1 WHERE id = $1")
        .bind(&user.id)
        .execute(&mut *tx)
        .await?;
[%- if module.tokens %]
    // Programs are none of this, but for those that were signed in from that session.
    bearer::carry_over(&mut tx, &user.id).await?;
[%- endif %]
    let ended = sqlx::query("DELETE FROM auth_sessions WHERE user_id = $1 AND handle = $2")
        .bind(&user.id)
        .bind(&id)
        .execute(&mut *tx)
        .await?;
    if ended.rows_affected() == 0 {
        return Err(Problem::session_unknown());
    }
    audit::record(&mut tx, &visit, Event::success("session_revoked").of(Some(&user.id))).await?;
    tx.commit().await?;
    if id == user.session {
        visit.session().flush().await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Ends every session but this one, and keeps a login that is under way from becoming one.
pub async fn revoke_others(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
) -> Result<Response, Problem> {
    let mut tx = visit.auth().db().write().await?;
    sqlx::query("UPDATE auth_users SET epoch = epoch + 1 WHERE id = $1")
        .bind(&user.id)
        .execute(&mut *tx)
        .await?;
    let ended = sqlx::query("DELETE FROM auth_sessions WHERE user_id = $1 AND handle <> $2")
        .bind(&user.id)
        .bind(&user.session)
        .execute(&mut *tx)
        .await?;
    audit::record(&mut tx, &visit, Event::success("sessions_revoked").of(Some(&user.id))).await?;
    tx.commit().await?;
    Ok(Json(json!({ "status": "revoked", "revoked": ended.rows_affected() })).into_response())
}

/// What most clients claim to be, by the first mark that fits: later marks stand in the texts of
/// earlier ones as well.
[% if module.tokens %]pub [% endif %]fn device(agent: &str) -> String {
    const CLIENTS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let find = |marks: &[(&str, &'static str)]| {
        marks.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&CLIENTS), find(&SYSTEMS)) {
        (Some(client), Some(system)) => format!("{client} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        // Tools begin with their name: `curl/8.5.0`.
        (None, None) => agent
            .split(['/', ' '])
            .next()
            .filter(|name| !name.is_empty())
            .unwrap_or("unknown device")
            .to_owned(),
    }
}

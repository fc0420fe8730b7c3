//! A user's own data: to take away, and to have deleted.

use axum::{
    Extension, Json,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

use super::{
    audit::{self, Event},
[%- if module.tokens %]
    bearer,
[%- endif %]
[%- if module.password %]
    db::now,
[%- endif %]
[%- if module.oidc %]
    oidc,
[%- endif %]
    problem::Problem,
    sessions, sign_in, throttle,
    user::FreshUser,
    visit::Visit,
};

[% if module.password -%]
const DELETED: &str = "Your account was deleted.";

[% endif -%]
/// An export holds so many events at most, the newest.
const MAX_EVENTS: i64 = 10_000;

/// The account itself. Times are Unix seconds.
#[derive(Serialize, sqlx::FromRow)]
struct Profile {
    id: String,
    email: String,
    verified_at: Option<i64>,
[%- if module.password %]
    /// The new address that waits for its confirmation.
    new_email: Option<String>,
    password_changed_at: i64,
[%- endif %]
    created_at: i64,
}

/// One row of the audit trail about this account.
#[derive(Serialize, sqlx::FromRow)]
struct Entry {
    at: String,
    event: String,
    outcome: String,
    reason: String,
    ip: String,
    user_agent: String,
}

/// Everything this module holds about the user, without what could open the account.
pub async fn export(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    throttle::per_source(&visit, "export", auth.settings().policy.token_source).await?;
    let mut tx = auth.db().write().await?;
    audit::record(&mut tx, &visit, Event::success("data_exported").of(Some(&user.id))).await?;
    let profile: Option<Profile> = sqlx::query_as(
[%- if module.password %]
        "SELECT u.id, u.email, u.verified_at, t.new_email, u.password_changed_at, u.created_at
         FROM auth_users u LEFT JOIN auth_tokens t ON t.user_id = u.id
             AND t.purpose = 'email_change' AND t.used_at IS NULL AND t.expires_at > $2
         WHERE u.id = $1",
[%- else %]
        "SELECT id, email, verified_at, created_at FROM auth_users WHERE id = $1",
[%- endif %]
    )
    .bind(&user.id)
[%- if module.password %]
    .bind(now())
[%- endif %]
    .fetch_optional(&mut *tx)
    .await?;
    let profile = profile.ok_or(Problem::not_signed_in())?;
    let sessions = sessions::of(&mut tx, &user, auth.settings().policy.session_idle).await?;
[%- if module.oidc %]
    let identities = oidc::identities::of(&mut tx, &user.id).await?;
[%- endif %]
    let events: Vec<Entry> = sqlx::query_as(
        "SELECT at, event, outcome, reason, ip, user_agent FROM auth_audit
         WHERE user_id = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(&user.id)
    .bind(MAX_EVENTS)
    .fetch_all(&mut *tx)
    .await?;
[%- if module.tokens %]
    let devices = bearer::devices::of(&mut tx, &user.id).await?;
[%- endif %]
    tx.commit().await?;
    let headers = [(header::CONTENT_DISPOSITION, "attachment; filename=\"account.json\"")];
[%- if module.oidc %]
    let body = json!({
        "account": profile,
        "identities": identities,
        "sessions": sessions,
[%- if module.tokens %]
        "devices": devices,
[%- endif %]
        "events": events,
    });
[%- elif module.tokens %]
    let body = json!({ "account": profile, "sessions": sessions, "devices": devices, "events": events });
[%- else %]
    let body = json!({ "account": profile, "sessions": sessions, "events": events });
[%- endif %]
    Ok((headers, Json(body)).into_response())
}

/// Deletes the account with its sessions and links. The audit trail stays, with the account's id and
/// the addresses it was used from, until the owner of the site removes it. Tables of the application
/// follow if they refer to `auth_users` with `ON DELETE CASCADE`; one that refers without keeps the
/// account from being deleted.
pub async fn delete(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
) -> Result<Response, Problem> {
    let mut tx = visit.auth().db().write().await?;
    let deleted = sqlx::query("DELETE FROM auth_users WHERE id = $1 AND epoch = $2")
        .bind(&user.id)
        .bind(user.epoch)
        .execute(&mut *tx)
        .await?;
    if deleted.rows_affected() == 0 {
        return Err(Problem::not_signed_in());
    }
    audit::record(&mut tx, &visit, Event::success("account_deleted").of(Some(&user.id))).await?;
    tx.commit().await?;
[%- if module.password %]
    sign_in::notify(&visit, &user.email, DELETED).await;
[%- endif %]
    visit.session().flush().await?;
    Ok(sign_in::forgotten())
}

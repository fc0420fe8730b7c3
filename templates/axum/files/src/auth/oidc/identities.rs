//! Whose account an identity opens. It is found by issuer and subject and by nothing else; an
//! address, which a provider can say anything about, only ever names a new account (ASVS 6.8.1).

use axum::{
    Extension, Json,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{exchange::Person, settings::Provider};
use crate::auth::{
    audit::{self, Event},
    db::{Connection, now},
    email,
    problem::Problem,
    sign_in, store, tokens,
    user::{FreshUser, User},
    visit::Visit,
};

[% if module.password -%]
const LINKED: &str = "Another way to sign in was added to your account. A new password does not take it away: \
                      disconnect it where your ways to sign in are listed.";
const UNLINKED: &str = "A way to sign in was taken from your account.";

[% endif -%]
/// An account that an identity opens.
#[derive(sqlx::FromRow)]
struct Owner {
    id: String,
    epoch: i64,
}

/// Opens the account of an identity. One that is not known yet gets an account of its own.
pub async fn sign_in(visit: &Visit, provider: &Provider, person: &Person) -> Result<(), Problem> {
    let mut owner = None;
    // Somebody may have come in the meantime with the same identity: then it is found at the second
    // look.
    for _ in 0..2 {
        owner = owner_or_new(visit, provider, person).await?;
        if owner.is_some() {
            break;
        }
    }
    let owner = owner.ok_or(Problem::unavailable())?;
    sign_in::begin_federated(visit, &owner.id, owner.epoch, person.auth_time).await
}

/// Nothing if another request was faster.
async fn owner_or_new(
    visit: &Visit,
    provider: &Provider,
    person: &Person,
) -> Result<Option<Owner>, Problem> {
    let mut tx = visit.auth().db().write().await?;
    let owner = match owner_of(&mut tx, person).await? {
        Some(owner) => owner,
        None => {
            let email = proven_address(person).ok_or(Problem::email_unverified())?;
            let Some(owner) = take_address(&mut tx, &email, person).await? else {
                return Ok(None);
            };
            if !insert(&mut tx, &owner.id, provider, person).await? {
                return Ok(None);
            }
            audit::record(&mut tx, visit, Event::success("register").of(Some(&owner.id))).await?;
            owner
        }
    };
    let event = Event::success("federated_login").of(Some(&owner.id));
    audit::record(&mut tx, visit, event).await?;
    tx.commit().await?;
    Ok(Some(owner))
}

async fn owner_of(db: &mut Connection, person: &Person) -> Result<Option<Owner>, Problem> {
    let owner: Option<(String, i64, bool)> = sqlx::query_as(
        "SELECT u.id, u.epoch, u.disabled_at IS NULL AND u.verified_at IS NOT NULL
         FROM auth_identities i JOIN auth_users u ON u.id = i.user_id
         WHERE i.issuer = $1 AND i.subject = $2",
    )
    .bind(&person.issuer)
    .bind(&person.subject)
    .fetch_optional(db)
    .await?;
    match owner {
        Some((_, _, false)) => Err(Problem::oidc_refused()),
        owner => Ok(owner.map(|(id, epoch, _)| Owner { id, epoch })),
    }
}

/// The address for a new account. The provider must say that it is theirs.
fn proven_address(person: &Person) -> Option<String> {
    let email = person.email.as_deref().filter(|_| person.email_verified)?;
    email::canonical(email).ok()
}

/// Makes the account of an address. One that is there already, and confirmed, is not handed over: its
/// owner signs in and links the provider. Nothing if another request made it just now.
async fn take_address(
    db: &mut Connection,
    email: &str,
    person: &Person,
) -> Result<Option<Owner>, Problem> {
    let account: Option<(String, bool)> = sqlx::query_as(
        "SELECT id, verified_at IS NULL AND disabled_at IS NULL FROM auth_users WHERE email = $1",
    )
    .bind(email)
    .fetch_optional(&mut *db)
    .await?;
    match account {
        Some((_, false)) if owner_of(db, person).await?.is_some() => Ok(None),
        Some((_, false)) => Err(Problem::account_exists()),
        Some((id, true)) => take_over(db, id).await,
        None => Ok(create(db, email).await?),
    }
}

/// An account that nobody confirmed may have been made by a stranger, to lie in wait for the owner of
/// the address. That owner is here now: whatever else would open the account goes (ASVS 6.3.4).
async fn take_over(db: &mut Connection, id: String) -> Result<Option<Owner>, Problem> {
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE auth_users SET password_hash = NULL, failed_logins = 0, verified_at = $2,
                               epoch = epoch + 1
         WHERE id = $1 AND verified_at IS NULL AND disabled_at IS NULL RETURNING epoch",
    )
    .bind(&id)
    .bind(now())
    .fetch_optional(&mut *db)
    .await?;
    let Some(epoch) = epoch else {
        return Ok(None);
    };
    store::end_all(db, &id).await?;
[%- if module.password %]
    tokens::void_all(db, &id).await?;
[%- endif %]
    sqlx::query("DELETE FROM auth_identities WHERE user_id = $1").bind(&id).execute(db).await?;
    Ok(Some(Owner { id, epoch }))
}

/// The unique index decides between parallel requests (ASVS 15.4.2).
async fn create(db: &mut Connection, email: &str) -> Result<Option<Owner>, sqlx::Error> {
    sqlx::query_as(
        "INSERT INTO auth_users (id, email, verified_at, password_changed_at, created_at)
         VALUES ($1, $2, $3, $3, $3) ON CONFLICT (email) DO NOTHING RETURNING id, epoch",
    )
    .bind(tokens::random::<16>())
    .bind(email)
    .bind(now())
    .fetch_optional(db)
    .await
}

/// False if the identity, or another one of this provider, is linked already.
async fn insert(
    db: &mut Connection,
    user_id: &str,
    provider: &Provider,
    person: &Person,
) -> Result<bool, sqlx::Error> {
    let email = person.email.as_deref().and_then(|email| email::canonical(email).ok());
    let inserted = sqlx::query(
        "INSERT INTO auth_identities (id, user_id, provider, issuer, subject, email, linked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(tokens::random::<16>())
    .bind(user_id)
    .bind(provider.preset.id)
    .bind(&person.issuer)
    .bind(&person.subject)
    .bind(email)
    .bind(now())
    .execute(db)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Adds an identity to the account of the user who asked. It is never moved from another account.
pub async fn link(
    visit: &Visit,
    user: &User,
    provider: &Provider,
    person: &Person,
) -> Result<(), Problem> {
    let mut tx = visit.auth().db().write().await?;
    // Nothing if the account changed meanwhile: then this session is over, too.
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE auth_users SET epoch = epoch WHERE id = $1 AND epoch = $2 RETURNING epoch",
    )
    .bind(&user.id)
    .bind(user.epoch)
    .fetch_optional(&mut *tx)
    .await?;
    epoch.ok_or(Problem::not_signed_in())?;
    if !insert(&mut tx, &user.id, provider, person).await? {
        let is_theirs = owner_of(&mut tx, person).await?.is_some_and(|owner| owner.id == user.id);
        return if is_theirs { Ok(()) } else { Err(Problem::identity_taken()) };
    }
    audit::record(&mut tx, visit, Event::success("identity_linked").of(Some(&user.id))).await?;
    tx.commit().await?;
[%- if module.password %]
    sign_in::notify(visit, &user.email, LINKED).await;
[%- endif %]
    Ok(())
}

/// Renews the session of a user who signed in anew with an identity of theirs, `since` they were sent to
/// the provider, whose clock may be behind. False if it is not theirs.
pub async fn reauth(
    visit: &Visit,
    user: &User,
    person: &Person,
    since: i64,
) -> Result<bool, Problem> {
    let mut db = visit.auth().db().pool().acquire().await?;
    let owner = owner_of(&mut db, person).await?;
    drop(db);
    // With the session's epoch: one that was ended meanwhile is not renewed.
    let is_theirs = owner.is_some_and(|owner| owner.id == user.id && owner.epoch == user.epoch);
    if is_theirs {
        sign_in::hand_over(visit, user).await?;
        sign_in::begin_federated(visit, &user.id, user.epoch, person.auth_time.max(since)).await?;
    }
    Ok(is_theirs)
}

/// An identity as its owner sees it.
#[derive(Serialize)]
pub struct Identity {
    pub provider: String,
    pub email: Option<String>,
    pub linked_at: String,
}

pub async fn list(Extension(visit): Extension<Visit>, user: User) -> Result<Response, Problem> {
    let mut db = visit.auth().db().pool().acquire().await?;
    let identities = of(&mut db, &user.id).await?;
    Ok(Json(json!({ "identities": identities })).into_response())
}

pub async fn of(db: &mut Connection, user_id: &str) -> Result<Vec<Identity>, sqlx::Error> {
    let rows: Vec<(String, Option<String>, i64)> = sqlx::query_as(
        "SELECT provider, email, linked_at FROM auth_identities WHERE user_id = $1
         ORDER BY linked_at, provider",
    )
    .bind(user_id)
    .fetch_all(db)
    .await?;
    let identity = |(provider, email, linked_at): (String, Option<String>, i64)| {
        let time = OffsetDateTime::from_unix_timestamp(linked_at).ok();
        let linked_at = time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default();
        Identity { provider, email, linked_at }
    };
    Ok(rows.into_iter().map(identity).collect())
}

[% if ui == 'pages' and module.password -%]
/// Not for every account: one that a provider made has none until somebody asks for it by mail.
pub async fn has_password(db: &mut Connection, user_id: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT password_hash IS NOT NULL FROM auth_users WHERE id = $1")
        .bind(user_id)
        .fetch_one(db)
        .await
}

[% endif -%]
/// Takes an identity from the account and ends the other sessions: one of them may have been opened
/// with it. The last way to sign in stays.
pub async fn unlink(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
    named: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(provider) = named.map_err(|_| Problem::identity_unknown())?;
    // A database may refuse what no provider's name contains, such as NUL.
    if !provider.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::identity_unknown());
    }
    let mut tx = visit.auth().db().write().await?;
    // The account stays locked from here on, so that of two that unlink, the second sees what is left.
[%- if module.password %]
    let has_password: Option<bool> = sqlx::query_scalar(
        "UPDATE auth_users SET epoch = epoch + 1 WHERE id = $1 AND epoch = $2
         RETURNING password_hash IS NOT NULL",
    )
[%- else %]
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE auth_users SET epoch = epoch + 1 WHERE id = $1 AND epoch = $2 RETURNING epoch",
    )
[%- endif %]
    .bind(&user.id)
    .bind(user.epoch)
    .fetch_optional(&mut *tx)
    .await?;
[%- if module.password %]
    let has_password = has_password.ok_or(Problem::not_signed_in())?;
[%- else %]
    epoch.ok_or(Problem::not_signed_in())?;
[%- endif %]
    let unlinked = sqlx::query("DELETE FROM auth_identities WHERE user_id = $1 AND provider = $2")
        .bind(&user.id)
        .bind(&provider)
        .execute(&mut *tx)
        .await?;
    if unlinked.rows_affected() == 0 {
        return Err(Problem::identity_unknown());
    }
    // One at a provider that is not in the settings any more opens nothing.
    let opens = |left: &Identity| visit.auth().settings().oidc.provider(&left.provider).is_some();
    let can_sign_in = [% if module.password %]has_password || [% endif %]of(&mut tx, &user.id).await?.iter().any(opens);
    if !can_sign_in {
        return Err(Problem::last_login_method());
    }
    sqlx::query("DELETE FROM auth_sessions WHERE user_id = $1 AND handle <> $2")
        .bind(&user.id)
        .bind(&user.session)
        .execute(&mut *tx)
        .await?;
    audit::record(&mut tx, &visit, Event::success("identity_unlinked").of(Some(&user.id))).await?;
    tx.commit().await?;
[%- if module.password %]
    sign_in::notify(&visit, &user.email, UNLINKED).await;
[%- endif %]
    Ok(StatusCode::NO_CONTENT.into_response())
}

//! Changing the address of an account: the new one must be proven, the old one is told.

use axum::{
    Extension, Json,
    extract::{Query, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    accounts::{self, Account, Address, Link, accepted},
    audit::{self, Event},
    db::{Connection, now},
    email,
    input::Input,
    mail::Letter,
    problem::Problem,
    sign_in, store, throttle,
    tokens::{self, Order, Purpose},
    user::{FreshUser, User},
    visit::Visit,
};

const REQUESTED: &str = "Somebody asked to give your account another e-mail address. Nothing changes \
                         until the new address is confirmed.";
const CHANGED: &str = "Your account has another e-mail address now. This one no longer signs in.";

/// Mails a link to the new address and a notice to the old one, which stays in use until the link
/// is. The answer is the same for an address that has an account (ASVS 6.3.7, 6.3.8, 7.5.1).
pub async fn request(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
    Input(form): Input<Address>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    throttle::per_source(&visit, "mail", auth.settings().policy.mail_source).await?;
    let new_email = email::canonical(&form.email)?;
    if new_email == user.email {
        return Err(Problem::email_unchanged());
    }
    let (to_new, to_old) = (auth.mail().slot()?, auth.mail().slot()?);
    let mut db = auth.db().pool().acquire().await?;
    let event = Event::success("email_change_requested").of(Some(&user.id));
    audit::record(&mut db, &visit, event.about(&visit, &new_email)).await?;
    // A counter of its own: those that strangers can fill must not keep the owner from knowing.
    let key = auth.throttle().key("email_change_notice", &user.id);
    if throttle::hit(&mut db, &key, auth.settings().policy.mail_address, 60).await?.is_allowed() {
        let (at, ip) = (audit::timestamp(), visit.ip().to_string());
        to_old.send(Letter::notice(auth.settings(), &user.email, REQUESTED, &at, &ip));
    }
    if throttle::may_mail(&mut db, &visit, &new_email).await? {
        to_new.run(write_link(visit.clone(), user, new_email));
    }
    Ok(accepted())
}

async fn write_link(visit: Visit, user: User, new_email: String) -> Result<Option<Letter>, Problem> {
    let settings = visit.auth().settings();
    let mut tx = visit.auth().db().write().await?;
    if Account::by_email(&mut tx, &new_email).await?.is_some() {
        return Ok(Some(Letter::already_registered(settings, &new_email)));
    }
    let order = Order {
        purpose: Purpose::EmailChange,
        user_id: &user.id,
        email: &user.email,
        new_email: Some(&new_email),
        browser_hash: None,
        seconds: settings.policy.email_token,
    };
    let token = tokens::issue(&mut tx, order).await?;
    tx.commit().await?;
    Ok(Some(Letter::email_change(settings, &new_email, &token)))
}

/// Says which address the link would confirm, for the user who asked.
pub async fn show(
    Extension(visit): Extension<Visit>,
    user: User,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(link) = link.map_err(|_| Problem::token_invalid())?;
    let new_email = usable(&visit, &user, &link.token).await?;
    Ok(Json(json!({ "status": "ready", "email": new_email })).into_response())
}

/// The token proves the new mailbox, the session that it is the account's user who asked: a
/// mistyped address does not give the account away. Nobody else learns whose the token is.
pub async fn usable(visit: &Visit, user: &User, token: &str) -> Result<String, Problem> {
    let owner = accounts::usable(visit, Purpose::EmailChange, token).await?;
    let new_email = owner.new_email.filter(|_| owner.user_id == user.id);
    new_email.ok_or(Problem::token_invalid())
}

#[derive(Deserialize)]
pub struct Confirm {
    token: String,
}

/// Puts the new address in place. Every other session and every link ends; this session goes on
/// under a new identifier (ASVS 7.2.4, 7.4.3).
pub async fn confirm(
    Extension(visit): Extension<Visit>,
    user: User,
    Input(form): Input<Confirm>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    let new_email = usable(&visit, &user, &form.token).await?;
    let mut tx = auth.db().write().await?;
    if !store::hand_over(&mut tx, &user).await? {
        return Err(Problem::not_signed_in());
    }
    let user_id = tokens::consume(&mut tx, Purpose::EmailChange, &form.token).await?;
    user_id.filter(|id| *id == user.id).ok_or(Problem::token_invalid())?;
    let epoch = replace(&mut tx, &user, &new_email).await?.ok_or(Problem::token_invalid())?;
    audit::record(&mut tx, &visit, Event::success("email_changed").of(Some(&user.id))).await?;
    tx.commit().await?;

    sign_in::notify(&visit, &user.email, CHANGED).await;
    sign_in::begin_until(&visit, &user.id, epoch, user.auth_time, user.expires_at).await?;
    Ok(Json(json!({ "status": "changed", "email": new_email })).into_response())
}

/// Nothing if the account changed meanwhile, or somebody else has the address by now: the unique
/// index decides.
async fn replace(db: &mut Connection, user: &User, email: &str) -> Result<Option<i64>, sqlx::Error> {
    let replaced: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar(
        "UPDATE auth_users SET email = $3, verified_at = $4, epoch = epoch + 1
         WHERE id = $1 AND epoch = $2 AND disabled_at IS NULL RETURNING epoch",
    )
    .bind(&user.id)
    .bind(user.epoch)
    .bind(email)
    .bind(now())
    .fetch_optional(&mut *db)
    .await;
    let epoch = match replaced {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => return Ok(None),
        replaced => replaced?,
    };
    if epoch.is_some() {
        store::end_all(db, &user.id).await?;
        tokens::void_all(db, &user.id).await?;
    }
    Ok(epoch)
}

//! Changing a password, and replacing a forgotten one.

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
    passwords::Password,
    problem::Problem,
    sign_in, store, throttle,
    tokens::{self, Order, Purpose},
    user::User,
    visit::Visit,
};

const CHANGED: &str = "The password of your account was changed.";
const RESET: &str = "The password of your account was replaced by way of a mailed link.";

#[derive(Deserialize)]
pub struct Change {
    current_password: String,
    new_password: String,
}

/// Replaces the password of the signed-in user, who must know the current one. Every other session
/// ends; this one goes on under a new identifier (ASVS 6.2.3, 7.2.4, 7.4.3).
pub async fn change(
    Extension(visit): Extension<Visit>,
    user: User,
    Input(form): Input<Change>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    throttle::per_source(&visit, "login", auth.settings().policy.login_source).await?;
    sign_in::prove(&visit, &user.email, &Password::new(&form.current_password)?).await?;
    let password = Password::new(&form.new_password)?;
    let hash = auth.hasher().hash_new(&password, auth.settings(), &user.email).await?;

    let mut tx = auth.db().write().await?;
    // Nothing if this session was ended meanwhile, or the account changed: then it is over, too.
    if !store::hand_over(&mut tx, &user).await? {
        return Err(Problem::not_signed_in());
    }
    let epoch = replace(&mut tx, &user.id, Some(user.epoch), &hash).await?;
    let epoch = epoch.ok_or(Problem::not_signed_in())?;
    audit::record(&mut tx, &visit, Event::success("password_changed").of(Some(&user.id))).await?;
    tx.commit().await?;

    sign_in::notify(&visit, &user.email, CHANGED).await;
    sign_in::begin_until(&visit, &user.id, epoch, now(), user.expires_at).await?;
    Ok(Json(json!({ "status": "changed" })).into_response())
}

/// Sets a password hash and ends what the old one opened: sessions, links, counters. Part of the
/// caller's transaction (ASVS 2.3.3). Returns the account's new epoch.
async fn replace(
    db: &mut Connection,
    user_id: &str,
    epoch: Option<i64>,
    hash: &str,
) -> Result<Option<i64>, sqlx::Error> {
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE auth_users
         SET password_hash = $3, password_changed_at = $4, failed_logins = 0, epoch = epoch + 1
         WHERE id = $1 AND epoch = COALESCE($2, epoch) AND disabled_at IS NULL
         RETURNING epoch",
    )
    .bind(user_id)
    .bind(epoch)
    .bind(hash)
    .bind(now())
    .fetch_optional(&mut *db)
    .await?;
    if epoch.is_some() {
        store::end_all(db, user_id).await?;
        tokens::void_all(db, user_id).await?;
    }
    Ok(epoch)
}

/// Mails a link, if there is an account. Found out off the request path, so that the answer takes
/// as long for every address (ASVS 6.3.8). Nothing changes until the link is used.
pub async fn forgot(
    Extension(visit): Extension<Visit>,
    Input(form): Input<Address>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    throttle::per_source(&visit, "mail", auth.settings().policy.mail_source).await?;
    let email = email::canonical(&form.email)?;
    let slot = auth.mail().slot()?;
    let mut db = auth.db().pool().acquire().await?;
    let event = Event::success("reset_requested").about(&visit, &email);
    audit::record(&mut db, &visit, event).await?;
    if throttle::may_mail(&mut db, &visit, &email).await? {
        slot.run(write_reset(visit.clone(), email));
    }
    Ok(accepted())
}

/// The mail goes to the stored address, not to the spelling in the request (CVE-2019-19844).
async fn write_reset(visit: Visit, email: String) -> Result<Option<Letter>, Problem> {
    let settings = visit.auth().settings();
    let mut tx = visit.auth().db().write().await?;
    let account = Account::by_email(&mut tx, &email).await?;
    let Some(account) = account.filter(|account| account.disabled_at.is_none()) else {
        return Ok(None);
    };
    let order = Order {
        purpose: Purpose::Reset,
        user_id: &account.id,
        email: &account.email,
        new_email: None,
        browser_hash: None,
        seconds: settings.policy.reset_token,
    };
    let token = tokens::issue(&mut tx, order).await?;
    tx.commit().await?;
    Ok(Some(Letter::reset(settings, &account.email, &token)))
}

/// Says whether the link still works.
pub async fn show_reset(
    Extension(visit): Extension<Visit>,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Response, Problem> {
    accounts::owner_of(&visit, Purpose::Reset, link).await?;
    Ok(Json(json!({ "status": "ready" })).into_response())
}

#[derive(Deserialize)]
pub struct Reset {
    token: String,
    password: String,
}

/// Sets a new password with a mailed token, which also proves the mailbox: the password that
/// somebody else may have set for this address is gone. Signs nobody in. A password that is refused
/// does not use the token up (ASVS 6.4.1, 6.4.3).
pub async fn reset(
    Extension(visit): Extension<Visit>,
    Input(form): Input<Reset>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    let owner = accounts::usable(&visit, Purpose::Reset, &form.token).await?;
    let password = Password::new(&form.password)?;
    let hash = auth.hasher().hash_new(&password, auth.settings(), &owner.email).await?;

    let mut tx = auth.db().write().await?;
    accounts::lock(&mut tx, &owner.user_id).await?;
    let user_id = tokens::consume(&mut tx, Purpose::Reset, &form.token).await?;
    let user_id = user_id.ok_or(Problem::token_invalid())?;
    let epoch = replace(&mut tx, &user_id, None, &hash).await?;
    epoch.ok_or(Problem::token_invalid())?;
    sqlx::query("UPDATE auth_users SET verified_at = COALESCE(verified_at, $2) WHERE id = $1")
        .bind(&user_id)
        .bind(now())
        .execute(&mut *tx)
        .await?;
    throttle::clear(&mut tx, &auth.throttle().key("account", &owner.email)).await?;
    audit::record(&mut tx, &visit, Event::success("password_reset").of(Some(&user_id))).await?;
    tx.commit().await?;

    sign_in::notify(&visit, &owner.email, RESET).await;
    Ok(Json(json!({ "status": "changed" })).into_response())
}

//! Sign-up: from an address to a confirmed account.

use axum::{
    Extension, Json,
    extract::{Query, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    audit::{self, Event},
    db::{Connection, now},
    email,
    input::Input,
    mail::Letter,
    passwords::Password,
    problem::Problem,
    sign_in, throttle,
    tokens::{self, Order, Owner, Purpose},
    visit::Visit,
};

/// One row of `auth_users`, as far as handlers need it.
#[derive(sqlx::FromRow)]
pub struct Account {
    pub id: String,
    pub email: String,
    /// Empty if there is none, as in an account that came from a provider.
    pub password_hash: String,
    pub verified_at: Option<i64>,
    pub disabled_at: Option<i64>,
    pub epoch: i64,
    pub failed_logins: i64,
}

impl Account {
    pub async fn by_email(db: &mut Connection, email: &str) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as(
            "SELECT id, email, COALESCE(password_hash, '') AS password_hash, verified_at, disabled_at,
                    epoch, failed_logins
             FROM auth_users WHERE email = $1",
        )
        .bind(email)
        .fetch_optional(db)
        .await
    }
}

/// Locks the account's row until the transaction ends. Whoever changes an account or its tokens does
/// this first, so that such changes take turns and never wait for each other.
pub async fn lock(db: &mut Connection, user_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE auth_users SET epoch = epoch WHERE id = $1")
        .bind(user_id)
        .execute(db)
        .await?;
    Ok(())
}

#[derive(Deserialize)]
pub struct Register {
    email: String,
    password: String,
}

/// The answer to a sign-up, a resend and a forgotten password: the same for every address.
pub fn accepted() -> Response {
    let body = Json(json!({ "status": "accepted", "next": "Follow the link in the mail." }));
    (StatusCode::ACCEPTED, body).into_response()
}

/// Registers an address, or tells its owner that it is registered: the client sees no difference
/// (ASVS 6.3.8). An account that exists keeps its password, confirmed or not.
pub async fn register(
    Extension(visit): Extension<Visit>,
    Input(form): Input<Register>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    let (settings, policy) = (auth.settings(), &auth.settings().policy);
    throttle::per_source(&visit, "register", policy.register_source).await?;
    let email = email::canonical(&form.email)?;
    let password = Password::new(&form.password)?;
    let slot = auth.mail().slot()?;
    let hash = auth.hasher().hash_new(&password, settings, &email).await?;
    let browser = tokens::random::<32>();

    let mut tx = auth.db().write().await?;
    let user_id = insert(&mut tx, &email, &hash).await?;
    let letter = match &user_id {
        Some(id) => {
            let order = Order {
                purpose: Purpose::Verify,
                user_id: id,
                email: &email,
                new_email: None,
                browser_hash: Some(&tokens::hash(&browser)),
                seconds: policy.verify_token,
            };
            let token = tokens::issue(&mut tx, order).await?;
            Letter::verify(settings, &email, &token)
        }
        None => Letter::already_registered(settings, &email),
    };
    let event = Event::success("register").of(user_id.as_deref());
    audit::record(&mut tx, &visit, event.about(&visit, &email)).await?;
    let may_mail = throttle::may_mail(&mut tx, &visit, &email).await?;
    tx.commit().await?;
    if may_mail {
        slot.send(letter);
    }
    let cookie = settings.cookies.browser(&browser, policy.verify_token);
    let cookie = cookie.ok_or(Problem::unavailable())?;
    Ok(([(header::SET_COOKIE, cookie)], accepted()).into_response())
}

/// The unique index decides between parallel registrations (ASVS 15.4.2).
async fn insert(
    db: &mut Connection,
    email: &str,
    hash: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO auth_users (id, email, password_hash, password_changed_at, created_at)
         VALUES ($1, $2, $3, $4, $4) ON CONFLICT (email) DO NOTHING RETURNING id",
    )
    .bind(tokens::random::<16>())
    .bind(email)
    .bind(hash)
    .bind(now())
    .fetch_optional(db)
    .await
}

#[derive(Deserialize)]
pub struct Link {
    pub token: String,
}

/// The owner of the token in a link's query. Shows, never consumes: mail scanners follow links.
pub async fn owner_of(
    visit: &Visit,
    purpose: Purpose,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Owner, Problem> {
    let Query(link) = link.map_err(|_| Problem::token_invalid())?;
    usable(visit, purpose, &link.token).await
}

/// The owner of a token that could be consumed now.
pub async fn usable(visit: &Visit, purpose: Purpose, token: &str) -> Result<Owner, Problem> {
    let auth = visit.auth();
    throttle::per_source(visit, "token", auth.settings().policy.token_source).await?;
    let mut db = auth.db().pool().acquire().await?;
    let owner = tokens::peek(&mut db, purpose, token).await?;
    drop(db);
    match owner {
        Some(owner) => Ok(owner),
        None => {
            audit::refusal(visit, "token_refused", "token_invalid").await;
            Err(Problem::token_invalid())
        }
    }
}

/// Says whether the link still works and whether confirming it will take the password.
pub async fn show_verify(
    Extension(visit): Extension<Visit>,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Response, Problem> {
    let owner = owner_of(&visit, Purpose::Verify, link).await?;
    let password_required = !is_registering_browser(&visit, &owner);
    let body = json!({ "status": "ready", "password_required": password_required });
    Ok(Json(body).into_response())
}

#[derive(Deserialize)]
pub struct Verify {
    token: String,
    password: Option<String>,
}

/// Confirms an address. The token proves the mailbox but not who chose the password: that takes the
/// browser that registered, or the password. Otherwise a stranger could register an address and
/// have its owner activate it (pre-account takeover). Only that browser is signed in.
pub async fn verify(
    Extension(visit): Extension<Visit>,
    Input(form): Input<Verify>,
) -> Result<Response, Problem> {
    let signed_in = confirm(&visit, form).await?;
    let body = json!({ "status": "verified", "signed_in": signed_in });
    Ok(Json(body).into_response())
}

/// Returns whether it signed in.
pub async fn confirm(visit: &Visit, form: Verify) -> Result<bool, Problem> {
    let auth = visit.auth();
    let owner = usable(visit, Purpose::Verify, &form.token).await?;
    let registering_browser = is_registering_browser(visit, &owner);
    if !registering_browser {
        let password = form.password.ok_or(Problem::password_required())?;
        sign_in::prove(visit, &owner.email, &Password::new(&password)?).await?;
    }
    let mut tx = auth.db().write().await?;
    lock(&mut tx, &owner.user_id).await?;
    let user_id = tokens::consume(&mut tx, Purpose::Verify, &form.token).await?;
    let user_id = user_id.ok_or(Problem::token_invalid())?;
    let (epoch, created_at): (i64, i64) = sqlx::query_as(
        "UPDATE auth_users SET verified_at = COALESCE(verified_at, $2) WHERE id = $1
         RETURNING epoch, created_at",
    )
    .bind(&user_id)
    .bind(now())
    .fetch_one(&mut *tx)
    .await?;
    tokens::void_all(&mut tx, &user_id).await?;
    audit::record(&mut tx, visit, Event::success("email_verified").of(Some(&user_id))).await?;
    tx.commit().await?;

    let signed_in = registering_browser && !visit.carries_session();
    if signed_in {
        sign_in::begin(visit, &user_id, epoch, created_at).await?;
    }
    Ok(signed_in)
}

pub fn is_registering_browser(visit: &Visit, owner: &Owner) -> bool {
    visit.browser().map(tokens::hash) == owner.browser_hash && owner.browser_hash.is_some()
}

#[derive(Deserialize)]
pub struct Address {
    pub email: String,
}

/// Sends another link, if there is an account to confirm. Found out off the request path.
pub async fn resend(
    Extension(visit): Extension<Visit>,
    Input(form): Input<Address>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    let policy = &auth.settings().policy;
    throttle::per_source(&visit, "mail", policy.mail_source).await?;
    let email = email::canonical(&form.email)?;
    let slot = auth.mail().slot()?;
    let mut db = auth.db().pool().acquire().await?;
    let event = Event::success("verification_requested").about(&visit, &email);
    audit::record(&mut db, &visit, event).await?;
    let key = auth.throttle().key("resend", &email);
    if throttle::hit(&mut db, &key, 1, policy.resend_every).await?.is_allowed() {
        slot.run(renew_verification(visit.clone(), email));
    }
    Ok(accepted())
}

async fn renew_verification(visit: Visit, email: String) -> Result<Option<Letter>, Problem> {
    let settings = visit.auth().settings();
    let mut tx = visit.auth().db().write().await?;
    let account = Account::by_email(&mut tx, &email).await?;
    let unverified = |a: &Account| a.verified_at.is_none() && a.disabled_at.is_none();
    let Some(account) = account.filter(unverified) else {
        return Ok(None);
    };
    // Still the browser that registered, not the one that asks.
    let browser: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT browser_hash FROM auth_tokens WHERE user_id = $1 AND purpose = 'verify' LIMIT 1",
    )
    .bind(&account.id)
    .fetch_optional(&mut *tx)
    .await?
    .flatten();
    let order = Order {
        purpose: Purpose::Verify,
        user_id: &account.id,
        email: &account.email,
        new_email: None,
        browser_hash: browser.as_deref(),
        seconds: settings.policy.verify_token,
    };
    let token = tokens::issue(&mut tx, order).await?;
    tx.commit().await?;
    Ok(Some(Letter::verify(settings, &account.email, &token)))
}

//! Signing in and out.

use axum::{
    Extension, Json,
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
[%- if module.password %]
use serde::Deserialize;
[%- endif %]
use serde_json::json;
[%- if profile == "consumer" %]
use time::OffsetDateTime;
use [= import.tower_sessions =]::Expiry;
[%- endif %]

use super::{
[%- if module.password %]
    accounts::Account,
[%- endif %]
    audit::{self, Event},
    db::now,
[%- if module.password %]
    email,
    input::Input,
    mail::Letter,
    passwords::Password,
[%- endif %]
    problem::Problem,
    store::{self, Grant},
[%- if module.password %]
    throttle::{self, Verdict},
[%- endif %]
    user::User,
    visit::Visit,
};

[% if module.oidc -%]
[% if module.password -%]
/// How somebody was authenticated, as `amr` (RFC 8176): by a password.
pub const PASSWORD: &str = "pwd";
/// By a provider. That has no name in the standard.
[%- else -%]
/// How somebody was authenticated, as `amr`: by a provider, which has no name in RFC 8176.
[%- endif %]
const PROVIDER: &str = "fed";

[% endif -%]
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

[% if module.password -%]
/// A login after so many failures is worth a mail to the owner.
const SUSPICIOUS_FAILURES: i64 = 5;

#[derive(Deserialize)]
pub struct Login {
    pub email: String,
    pub password: String,
}

pub async fn login(
    Extension(visit): Extension<Visit>,
    Input(form): Input<Login>,
) -> Result<Response, Problem> {
    let account = admit(&visit, &form).await?;
    begin(&visit, &account.id, account.epoch, now()).await?;
    Ok(profile(&account.id, &account.email, now()))
}

/// Whose address and password these are, if they may sign in.
pub async fn admit(visit: &Visit, form: &Login) -> Result<Account, Problem> {
    throttle::per_source(visit, "login", visit.auth().settings().policy.login_source).await?;
    let email = email::canonical(&form.email)?;
    let account = prove(visit, &email, &Password::new(&form.password)?).await?;
    if account.verified_at.is_none() {
        audit::refusal(visit, "login_refused", "email_unverified").await;
        return Err(Problem::email_unverified());
    }
    Ok(account)
}

/// Checks a password and nothing else: the one place where a guess is evaluated, with every
/// throttle around it. All failures look and cost the same.
pub async fn prove(visit: &Visit, email: &str, password: &Password) -> Result<Account, Problem> {
    let auth = visit.auth();
    let guess = Guess::admit(visit, email).await?;
    let mut db = auth.db().pool().acquire().await?;
    let account = Account::by_email(&mut db, email).await?;
    drop(db);
    let stored = account.as_ref().map(|account| account.password_hash.as_str());
    // No password fits where there is none; that takes as long as where there is no account.
    let stored = stored.filter(|hash| !hash.is_empty());
    let matches = auth.hasher().verify(password, stored).await?;
    let cap = auth.settings().policy.login_cap;
    let usable = |account: &Account| account.disabled_at.is_none() && account.failed_logins < cap;
    match account {
        Some(account) if matches && usable(&account) => {
            guess.right(&account, password).await?;
            Ok(account)
        }
        account => {
            guess.wrong(account.as_ref()).await?;
            Err(Problem::invalid_credentials())
        }
    }
}

/// A password guess that the throttles let through, and counted as wrong until proven right.
struct Guess<'a> {
    visit: &'a Visit,
    email: &'a str,
    source: throttle::Key,
    account: throttle::Key,
}

impl<'a> Guess<'a> {
    async fn admit(visit: &'a Visit, email: &'a str) -> Result<Self, Problem> {
        let auth = visit.auth();
        let policy = &auth.settings().policy;
        let guess = Self {
            visit,
            email,
            source: auth.throttle().source_key("guess", visit.ip()),
            account: auth.throttle().key("account", email),
        };
        let mut db = auth.db().pool().acquire().await?;
        let limit = policy.login_source_failures;
        let by_source = throttle::hit(&mut db, &guess.source, limit, 60).await?;
        let by_account = if by_source.is_allowed() {
            throttle::guess(&mut db, &guess.account, policy).await?
        } else {
            Verdict::Allowed
        };
        if !by_account.is_allowed() {
            throttle::refund(&mut db, &guess.source).await?;
        }
        // What follows takes a connection of its own. Requests that hold one while they wait for a
        // second would block each other.
        drop(db);
        throttle::report(visit, "login", &by_source).await;
        by_source.check()?;
        if !by_account.is_allowed() {
            audit::refusal(visit, "throttled", "account").await;
        }
        by_account.check()?;
        Ok(guess)
    }

    async fn right(self, account: &Account, password: &Password) -> Result<(), Problem> {
        let auth = self.visit.auth();
        let rehashed = if auth.hasher().is_outdated(&account.password_hash) {
            auth.hasher().hash(password).await?
        } else {
            account.password_hash.clone()
        };
        let mut tx = auth.db().write().await?;
        sqlx::query(
            "UPDATE auth_users SET failed_logins = 0, password_hash = $3
             WHERE id = $1 AND password_hash = $2",
        )
        .bind(&account.id)
        .bind(&account.password_hash)
        .bind(rehashed)
        .execute(&mut *tx)
        .await?;
        throttle::refund(&mut tx, &self.source).await?;
        throttle::clear(&mut tx, &self.account).await?;
        let event = Event::success("password_proven").of(Some(&account.id));
        audit::record(&mut tx, self.visit, event).await?;
        tx.commit().await?;
        if account.failed_logins >= SUSPICIOUS_FAILURES {
            let what = "Somebody signed in to your account after several wrong passwords.";
            notify(self.visit, &account.email, what).await;
        }
        Ok(())
    }

    async fn wrong(self, account: Option<&Account>) -> Result<(), Problem> {
        let auth = self.visit.auth();
        let mut tx = auth.db().write().await?;
        let id = account.map(|account| account.id.as_str());
        let failures: Option<i64> = sqlx::query_scalar(
            "UPDATE auth_users SET failed_logins = failed_logins + 1 WHERE id = $1
             RETURNING failed_logins",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let event = Event::failure("login", "invalid_credentials").of(id);
        audit::record(&mut tx, self.visit, event.about(self.visit, self.email)).await?;
        tx.commit().await?;
        // NIST SP 800-63B-4 3.2.2: then only a new password, set by way of the mailbox, helps.
        if failures == Some(auth.settings().policy.login_cap) {
            let what = "After too many wrong passwords, your password was disabled.";
            notify(self.visit, self.email, what).await;
        }
        Ok(())
    }
}

/// Mails a notice, at most one an hour of a kind. What it tells of has happened and stands, so a
/// notice that cannot be sent is an entry in the log, not an error of the request.
pub async fn notify(visit: &Visit, email: &str, what: &'static str) {
    if let Err(problem) = try_notify(visit, email, what).await {
        tracing::error!(target: "auth", ?problem, what, "a notice was not sent");
    }
}

async fn try_notify(visit: &Visit, email: &str, what: &'static str) -> Result<(), Problem> {
    let auth = visit.auth();
    let mut db = auth.db().pool().acquire().await?;
    let key = auth.throttle().key(what, email);
    if throttle::hit(&mut db, &key, 1, 3_600).await?.is_allowed() {
        let (at, ip) = (audit::timestamp(), visit.ip().to_string());
        let letter = Letter::notice(auth.settings(), email, what, &at, &ip);
        auth.mail().slot()?.send(letter);
    }
    Ok(())
}

[% endif -%]
[% if module.password -%]
/// Starts a session under a new identifier and ends the one the request came with (ASVS 7.2.4).
pub async fn begin(visit: &Visit, id: &str, epoch: i64, auth_time: i64) -> Result<(), Problem> {
    let lifetime = visit.auth().settings().policy.session_absolute;
[%- if module.oidc %]
    begin_as(visit, id, epoch, auth_time, now() + lifetime, PASSWORD).await
[%- else %]
    begin_until(visit, id, epoch, auth_time, now() + lifetime).await
[%- endif %]
}

[% endif -%]
[% if module.oidc -%]
/// Starts a session for somebody whom a provider vouches for, under a new identifier, and ends the one
/// that the request came with (ASVS 7.2.4). `auth_time` is when they signed in there.
pub async fn begin_federated(
    visit: &Visit,
    id: &str,
    epoch: i64,
    auth_time: i64,
) -> Result<(), Problem> {
    let expires_at = now() + visit.auth().settings().policy.session_absolute;
    begin_as(visit, id, epoch, auth_time, expires_at, PROVIDER).await
}

[% endif -%]
[% if module.password -%]
/// The same with a given end, for a session that continues another.
[%- if profile == "consumer" %]
///
/// The cookie goes when the session ends, not when the browser's last window is closed.
[%- endif %]
pub async fn begin_until(
    visit: &Visit,
    id: &str,
    epoch: i64,
    auth_time: i64,
    expires_at: i64,
) -> Result<(), Problem> {
[%- if module.oidc %]
    let begun = User::from_session(visit.session()).await?;
    let amr = begun.map_or_else(|| PASSWORD.to_owned(), |user| user.amr);
    begin_as(visit, id, epoch, auth_time, expires_at, &amr).await
}

/// The same with how the user was authenticated.
[%- endif %]
[%- else -%]
/// Starts a session, with how the user was authenticated.
[%- endif %]
[%- if module.oidc %]
pub async fn begin_as(
    visit: &Visit,
    id: &str,
    epoch: i64,
    auth_time: i64,
    expires_at: i64,
    amr: &str,
) -> Result<(), Problem> {
[%- endif %]
    let session = visit.session();
    session.cycle_id().await?;
    session.clear().await;
[%- if profile == "consumer" %]
    let end = OffsetDateTime::from_unix_timestamp(expires_at);
    session.set_expiry(end.ok().map(Expiry::AtDateTime));
[%- endif %]
    let grant = Grant {
        user_id: id.to_owned(),
        epoch,
        auth_time,
        expires_at,
[%- if module.oidc %]
        amr: amr.to_owned(),
[%- endif %]
        ip: visit.ip().to_string(),
        agent: visit.agent().to_owned(),
    };
    session.insert(store::GRANT, grant).await?;
    // Now rather than after the answer: a session that cannot be made is an error of this request.
    if let Err(error) = session.save().await {
        // Else the layer would try once more.
        session.flush().await?;
        return Err(error.into());
    }
    let mut db = visit.auth().db().pool().acquire().await?;
    let event = Event::success("session_created").of(Some(id));
    audit::record(&mut db, visit, event).await?;
    Ok(())
}

[% if module.password -%]
#[derive(Deserialize)]
pub struct Reauth {
    password: String,
}

/// Takes the password again, which opens what a [`FreshUser`](super::FreshUser) may do. A new session
/// with a new end takes the place of this one (ASVS 7.2.4, 7.5.1).
pub async fn reauth(
    Extension(visit): Extension<Visit>,
    user: User,
    Input(form): Input<Reauth>,
) -> Result<Response, Problem> {
    let policy = &visit.auth().settings().policy;
    throttle::per_source(&visit, "login", policy.login_source).await?;
    let account = prove(&visit, &user.email, &Password::new(&form.password)?).await?;
    // A session that was ended meanwhile is not renewed: the epoch is that of the session, and it is
    // compared again where the new one is written.
    if account.id != user.id || account.epoch != user.epoch {
        return Err(Problem::not_signed_in());
    }
    hand_over(&visit, &user).await?;
    begin(&visit, &user.id, user.epoch, now()).await?;
    Ok(profile(&account.id, &account.email, now()))
}

[% endif -%]
/// Ends a session that is to be renewed, unless it was ended meanwhile.
pub async fn hand_over(visit: &Visit, user: &User) -> Result<(), Problem> {
    let mut tx = visit.auth().db().write().await?;
    if !store::hand_over(&mut tx, user).await? {
        return Err(Problem::not_signed_in());
    }
    Ok(tx.commit().await?)
}

/// Ends the session on the server and makes the browser forget (ASVS 7.4.1, 14.3.1).
pub async fn logout(Extension(visit): Extension<Visit>) -> Result<Response, Problem> {
    if let Some(user) = User::from_session(visit.session()).await? {
        let mut tx = visit.auth().db().write().await?;
        if store::end(&mut tx, &user).await? {
            let event = Event::success("logout").of(Some(&user.id));
            audit::record(&mut tx, &visit, event).await?;
        }
        tx.commit().await?;
    }
    if visit.carries_session() {
        visit.session().flush().await?;
    }
    Ok(forgotten())
}

/// An answer that makes the browser forget what it holds of this site (ASVS 14.3.1).
pub fn forgotten() -> Response {
    let headers = [(CLEAR_SITE_DATA, "\"cache\", \"cookies\", \"storage\"")];
    (StatusCode::NO_CONTENT, headers).into_response()
}

pub async fn me(user: User) -> Response {
[%- if module.oidc %]
    described(&user.id, &user.email, &user.amr, user.auth_time)
[%- else %]
    profile(&user.id, &user.email, user.auth_time)
[%- endif %]
}

[% if module.password -%]
fn profile(id: &str, email: &str, auth_time: i64) -> Response {
[%- if module.oidc %]
    described(id, email, PASSWORD, auth_time)
}

fn described(id: &str, email: &str, amr: &str, auth_time: i64) -> Response {
[%- endif %]
[%- else -%]
fn described(id: &str, email: &str, amr: &str, auth_time: i64) -> Response {
[%- endif %]
    Json(json!({
        "id": id,
        "email": email,
        "email_verified": true,
        "amr": [[% if module.oidc %]amr[% else %]"pwd"[% endif %]],
        "auth_time": auth_time,
    }))
    .into_response()
}

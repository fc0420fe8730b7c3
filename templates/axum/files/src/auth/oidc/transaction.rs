//! A sign-in that is under way at a provider: what its answer must fit.
//!
//! All of it stays here. The browser holds a random value in a cookie, the provider gets `state`,
//! `nonce` and the challenge; none of them tells another (ASVS 10.1.2, RFC 9700 4.7).

use axum::http::HeaderValue;

use super::settings::Provider;
use crate::auth::{
    db::{Connection, now},
    problem::Problem,
    tokens,
    user::User,
    visit::Visit,
};

/// So many at most are open in one browser; another takes the place of the oldest.
const OPEN: i64 = 5;

/// What the answer is for. One that was asked for one thing never does another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    Login,
    Link,
    Reauth,
}

impl Intent {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Link => "link",
            Self::Reauth => "reauth",
        }
    }
}

#[derive(sqlx::FromRow)]
pub struct Transaction {
    pub browser_hash: Vec<u8>,
    pub provider: String,
    pub issuer: String,
    pub intent: String,
    pub user_id: Option<String>,
    pub session: Option<String>,
    pub nonce: String,
    pub verifier: String,
    pub next: String,
    pub created_at: i64,
    pub expires_at: i64,
}

/// What the browser and the provider get of a new transaction.
pub struct Opened {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
    pub cookie: HeaderValue,
}

/// Opens one for the browser of the request, and for its session if there is a `user`.
pub async fn open(
    visit: &Visit,
    provider: &Provider,
    intent: Intent,
    user: Option<&User>,
    next: &str,
) -> Result<Opened, Problem> {
    let settings = visit.auth().settings();
    let seconds = settings.oidc.transaction;
    let [state, nonce, verifier] = [(); 3].map(|()| tokens::random::<32>());
    let mut tx = visit.auth().db().write().await?;
    let browser = known_browser(&mut tx, visit).await?.unwrap_or_else(tokens::random::<32>);
    make_room(&mut tx, &browser).await?;
    sqlx::query(
        "INSERT INTO auth_oidc_transactions
             (state_hash, browser_hash, provider, issuer, intent, user_id, session, nonce, verifier,
              next, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(tokens::hash(&state))
    .bind(tokens::hash(&browser))
    .bind(provider.preset.id)
    .bind(&provider.issuer)
    .bind(intent.as_str())
    .bind(user.map(|user| &user.id))
    .bind(user.map(|user| &user.session))
    .bind(&nonce)
    .bind(&verifier)
    .bind(next)
    .bind(now())
    .bind(now() + seconds)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let cookie = settings.cookies.transaction(&browser, seconds).ok_or(Problem::unavailable())?;
    Ok(Opened { state, nonce, verifier, cookie })
}

/// The cookie's value if it was made here: then a sign-in in another tab goes on as well.
async fn known_browser(db: &mut Connection, visit: &Visit) -> Result<Option<String>, sqlx::Error> {
    let Some(browser) = visit.transaction() else {
        return Ok(None);
    };
    let known: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(expires_at) FROM auth_oidc_transactions
         WHERE browser_hash = $1 AND expires_at > $2",
    )
    .bind(tokens::hash(browser))
    .bind(now())
    .fetch_one(db)
    .await?;
    Ok(known.map(|_| browser.to_owned()))
}

async fn make_room(db: &mut Connection, browser: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM auth_oidc_transactions WHERE browser_hash = $1 AND state_hash NOT IN
             (SELECT state_hash FROM auth_oidc_transactions WHERE browser_hash = $1
              ORDER BY created_at DESC LIMIT $2)",
    )
    .bind(tokens::hash(browser))
    .bind(OPEN - 1)
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a transaction out, whatever comes of it then: of several answers to one, the first counts,
/// and a wrong one is not tried again (ASVS 15.4.2).
pub async fn take(db: &mut Connection, state: &str) -> Result<Option<Transaction>, sqlx::Error> {
    sqlx::query_as(
        "DELETE FROM auth_oidc_transactions WHERE state_hash = $1
         RETURNING browser_hash, provider, issuer, intent, user_id, session, nonce, verifier, next,
                   created_at, expires_at",
    )
    .bind(tokens::hash(state))
    .fetch_optional(db)
    .await
}

impl Transaction {
    /// Why an answer does not belong to it, if so: it must come in time, to the browser that began,
    /// on the path of the provider that was asked.
    pub fn mismatch(&self, visit: &Visit, provider: &Provider) -> Option<&'static str> {
        let browser = visit.transaction().map(tokens::hash);
        if browser.as_deref() != Some(&self.browser_hash) {
            return Some("browser");
        }
        if self.provider != provider.preset.id || self.issuer != provider.issuer {
            return Some("provider");
        }
        (self.expires_at <= now()).then_some("expired")
    }

    pub fn is_for(&self, intent: Intent) -> bool {
        self.intent == intent.as_str()
    }

    /// The user who began it, if that is who is signed in here now, in the same session.
    pub fn same_user(&self, user: Option<User>) -> Option<User> {
        user.filter(|user| {
            self.user_id.as_deref() == Some(&user.id) && self.session.as_deref() == Some(&user.session)
        })
    }
}

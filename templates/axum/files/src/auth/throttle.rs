//! Counters that slow guessing down. They live in the database, so they hold across instances,
//! and each decision is one statement, so parallel requests cannot slip through (ASVS 15.4.2).
//!
//! Keys are HMACs: the table holds neither addresses nor accounts.

use std::net::IpAddr;

use [= import.hkdf =]::Hkdf;
use [= import.hmac =]::{Hmac, KeyInit, Mac};
use [= import.sha2 =]::Sha256;

use super::{
    audit,
    db::{Connection, now},
    problem::Problem,
    settings::[% if module.password %]{Policy, Secret}[% else %]Secret[% endif %],
    visit::Visit,
};

[% if module.password -%]
/// A back-off level is forgotten after a day without attempts; the cap on the account is not.
const FORGET_SECONDS: i64 = 86_400;
/// Failures that stay below the limit are forgotten five minutes after the first.
const FAILURE_WINDOW_SECONDS: i64 = 300;
/// The longest wait (NIST SP 800-63B-4 3.2.2).
const MAX_BACKOFF_SECONDS: i64 = 3_600;

[% endif -%]
pub type Key = Vec<u8>;

/// What a counter found.
pub enum Verdict {
    Allowed,
    /// Try again after so many seconds. `first` is true once per trip, for the audit trail.
    Refused { seconds: i64, first: bool },
}

impl Verdict {
    pub fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Allowed => Ok(()),
            Self::Refused { seconds, .. } => Err(Problem::throttled(*seconds)),
        }
    }

    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed)
    }
}

/// Makes the keys of the counters.
pub struct Throttle(Hmac<Sha256>);

impl Throttle {
    pub fn new(secret: &Secret) -> Self {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, secret.expose())
            .expand(b"auth throttle keys v1", &mut key)
            .expect("32 bytes is a valid HKDF length");
        Self(Hmac::new_from_slice(&key).expect("HMAC takes any key"))
    }

    pub fn key(&self, what: &str, whom: &str) -> Key {
        let mut mac = self.0.clone();
        mac.update(what.as_bytes());
        mac.update(&[0]);
        mac.update(whom.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    pub fn source_key(&self, what: &str, ip: IpAddr) -> Key {
        self.key(what, &source_of(ip))
    }
}

/// One source is one IPv4 address or one IPv6 /64: a household gets a whole /64 (CVE-2026-45364).
fn source_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Counts one event and refuses from the (`limit` + 1)th within `window` seconds.
pub async fn hit(
    db: &mut Connection,
    key: &[u8],
    limit: i64,
    window: i64,
) -> Result<Verdict, sqlx::Error> {
    let (count, start): (i64, i64) = sqlx::query_as(
        "INSERT INTO auth_throttles (key, count, window_start, expires_at)
         VALUES ($1, 1, $2, $2 + $3)
         ON CONFLICT (key) DO UPDATE SET
             count = CASE WHEN auth_throttles.expires_at <= $2 THEN 1
                          ELSE auth_throttles.count + 1 END,
             window_start = CASE WHEN auth_throttles.expires_at <= $2 THEN $2
                                 ELSE auth_throttles.window_start END,
             expires_at = CASE WHEN auth_throttles.expires_at <= $2 THEN $2 + $3
                               ELSE auth_throttles.expires_at END
         RETURNING count, window_start",
    )
    .bind(key)
    .bind(now())
    .bind(window)
    .fetch_one(db)
    .await?;
    Ok(if count <= limit {
        Verdict::Allowed
    } else {
        Verdict::Refused {
            seconds: start + window - now(),
            first: count == limit + 1,
        }
    })
}

[% if module.password -%]
/// Takes back one event: it turned out not to be what is counted.
pub async fn refund(db: &mut Connection, key: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE auth_throttles SET count = count - 1 WHERE key = $1 AND count > 0")
        .bind(key)
        .execute(db)
        .await?;
    Ok(())
}

/// Counts one password guess *before* it is evaluated. From the `login_failures`th on, each allowed
/// guess closes the account for twice as long as the last (ASVS 6.3.1). While it is closed nothing
/// is evaluated or counted, so nobody learns whether a guess was right. `clear` opens it again.
pub async fn guess(
    db: &mut Connection,
    key: &[u8],
    policy: &Policy,
) -> Result<Verdict, sqlx::Error> {
    let now = now();
    let allowed: Option<i64> = sqlx::query_scalar(
        "INSERT INTO auth_throttles (key, count, window_start, blocked_until, expires_at)
         VALUES ($1, 1, $2, CASE WHEN $3 <= 1 THEN $2 + $5 ELSE 0 END, $2 + $7)
         ON CONFLICT (key) DO UPDATE SET
             count = CASE WHEN auth_throttles.count < $3 AND auth_throttles.window_start <= $2 - $4
                            OR auth_throttles.expires_at <= $2
                          THEN 1 ELSE auth_throttles.count + 1 END,
             window_start = CASE WHEN auth_throttles.window_start <= $2 - $4
                                 THEN $2 ELSE auth_throttles.window_start END,
             blocked_until = CASE
                 WHEN auth_throttles.count < $3 AND auth_throttles.window_start <= $2 - $4
                   OR auth_throttles.expires_at <= $2 THEN CASE WHEN $3 <= 1 THEN $2 + $5 ELSE 0 END
                 WHEN auth_throttles.count + 1 < $3 THEN 0
                 WHEN auth_throttles.count + 1 - $3 >= 12 THEN $2 + $6
                 WHEN $5 << CAST(auth_throttles.count + 1 - $3 AS INTEGER) > $6 THEN $2 + $6
                 ELSE $2 + ($5 << CAST(auth_throttles.count + 1 - $3 AS INTEGER)) END,
             expires_at = $2 + $7
         WHERE auth_throttles.blocked_until <= $2
         RETURNING count",
    )
    .bind(key)
    .bind(now)
    .bind(policy.login_failures)
    .bind(FAILURE_WINDOW_SECONDS)
    .bind(policy.login_backoff)
    .bind(MAX_BACKOFF_SECONDS)
    .bind(FORGET_SECONDS)
    .fetch_optional(&mut *db)
    .await?;
    if allowed.is_some() {
        return Ok(Verdict::Allowed);
    }
    let blocked_until: Option<i64> =
        sqlx::query_scalar("SELECT blocked_until FROM auth_throttles WHERE key = $1")
            .bind(key)
            .fetch_optional(db)
            .await?;
    Ok(Verdict::Refused {
        seconds: blocked_until.unwrap_or(now) - now,
        first: false,
    })
}

/// Forgets a counter: the password was proven, or replaced by way of the mailbox.
pub async fn clear(db: &mut Connection, key: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM auth_throttles WHERE key = $1")
        .bind(key)
        .execute(db)
        .await?;
    Ok(())
}

[% endif -%]
/// Limits how often one source may do something in a minute.
pub async fn per_source(visit: &Visit, what: &'static str, limit: i64) -> Result<(), Problem> {
    let auth = visit.auth();
    let key = auth.throttle().source_key(what, visit.ip());
    let mut db = auth.db().pool().acquire().await?;
    let verdict = hit(&mut db, &key, limit, 60).await?;
    drop(db);
    report(visit, what, &verdict).await;
    verdict.check()
}

[% if module.password -%]
/// Whether an address may get another mail that anybody can cause. If not, the answer is the same.
pub async fn may_mail(
    db: &mut Connection,
    visit: &Visit,
    email: &str,
) -> Result<bool, sqlx::Error> {
    let auth = visit.auth();
    let key = auth.throttle().key("mail", email);
    Ok(hit(db, &key, auth.settings().policy.mail_address, 60).await?.is_allowed())
}

[% endif -%]
/// Puts the first refusal of a window into the audit trail (ASVS 16.3.3).
pub async fn report(visit: &Visit, what: &'static str, verdict: &Verdict) {
    if let Verdict::Refused { first: true, .. } = verdict {
        audit::refusal(visit, "throttled", what).await;
    }
}

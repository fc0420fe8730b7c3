[% if module.password -%]
//! Single-use tokens that are sent by mail, and the random values behind them.
//!
//! A token is 32 bytes of the operating system's randomness. The database keeps its SHA-256 with
//! purpose, owner, address and expiry: a copy of the database opens nothing (ASVS 6.5.2, 11.5.1).
[%- else -%]
//! Random values, and their hashes: a copy of the database opens nothing (ASVS 11.5.1).
[%- endif %]

use [= import.base64 =]::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use [= import.sha2 =]::{Digest, Sha256};

[% if module.password -%]
use super::db::{Connection, now};

#[derive(Clone, Copy)]
pub enum Purpose {
    Verify,
    Reset,
    EmailChange,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::EmailChange => "email_change",
        }
    }
}

/// Whom a usable token belongs to.
#[derive(sqlx::FromRow)]
pub struct Owner {
    pub user_id: String,
    pub email: String,
    /// For [`Purpose::EmailChange`]: the address that the token was mailed to.
    pub new_email: Option<String>,
    pub browser_hash: Option<Vec<u8>>,
}

/// What a new token is for.
pub struct Order<'a> {
    pub purpose: Purpose,
    pub user_id: &'a str,
    /// The account's address: if it changes, the token is void.
    pub email: &'a str,
    pub new_email: Option<&'a str>,
    pub browser_hash: Option<&'a [u8]>,
    pub seconds: i64,
}

[% endif -%]
/// `N` bytes from the operating system, base64url.
pub fn random<const N: usize>() -> String {
    let mut bytes = [0; N];
    [= import.getrandom =]::fill(&mut bytes).expect("the operating system has randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn hash(value: &str) -> Vec<u8> {
    Sha256::digest(value.as_bytes()).to_vec()
}
[%- if module.password %]

/// Makes a token, in the place of an older one for the same purpose. Returns what goes into the mail.
pub async fn issue(db: &mut Connection, order: Order<'_>) -> Result<String, sqlx::Error> {
    let token = random::<32>();
    let now = now();
    sqlx::query(
        "INSERT INTO auth_tokens (token_hash, purpose, user_id, email, new_email, browser_hash,
                                  created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (user_id, purpose) DO UPDATE SET
             token_hash = excluded.token_hash, email = excluded.email,
             new_email = excluded.new_email, browser_hash = excluded.browser_hash,
             created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = NULL",
    )
    .bind(hash(&token))
    .bind(order.purpose.as_str())
    .bind(order.user_id)
    .bind(order.email)
    .bind(order.new_email)
    .bind(order.browser_hash)
    .bind(now)
    .bind(now + order.seconds)
    .execute(db)
    .await?;
    Ok(token)
}

/// Looks at a token without using it.
pub async fn peek(
    db: &mut Connection,
    purpose: Purpose,
    token: &str,
) -> Result<Option<Owner>, sqlx::Error> {
    sqlx::query_as(
        "SELECT t.user_id, t.email, t.new_email, t.browser_hash
         FROM auth_tokens t JOIN auth_users u ON u.id = t.user_id AND u.email = t.email
         WHERE t.token_hash = $1 AND t.purpose = $2 AND t.used_at IS NULL AND t.expires_at > $3
           AND u.disabled_at IS NULL",
    )
    .bind(hash(token))
    .bind(purpose.as_str())
    .bind(now())
    .fetch_optional(db)
    .await
}

/// Uses a token up. Of parallel calls, one gets the owner: the condition and the change are one
/// statement (ASVS 15.4.2).
pub async fn consume(
    db: &mut Connection,
    purpose: Purpose,
    token: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE auth_tokens SET used_at = $3
         WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
           AND EXISTS (SELECT 1 FROM auth_users u WHERE u.id = auth_tokens.user_id
                       AND u.email = auth_tokens.email AND u.disabled_at IS NULL)
         RETURNING user_id",
    )
    .bind(hash(token))
    .bind(purpose.as_str())
    .bind(now())
    .fetch_optional(db)
    .await
}

/// Voids every token of a user.
pub async fn void_all(db: &mut Connection, user_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM auth_tokens WHERE user_id = $1")
        .bind(user_id)
        .execute(db)
        .await?;
    Ok(())
}
[%- endif %]

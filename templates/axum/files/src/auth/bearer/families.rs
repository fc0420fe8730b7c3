//! Families of tokens, and the refresh token that is next in each.
//!
//! A refresh token is 32 random bytes; the database keeps its SHA-256 (ASVS 11.5.1). A family lives
//! while its account is as it was when it began (the epoch), the session that it was made from is
//! there, and nobody revoked it. Each use asks that anew.

use crate::auth::{
    db::{Connection, now},
    settings::Policy,
    tokens,
};

/// A sign-in of a program.
#[derive(sqlx::FromRow)]
pub struct Family {
    pub id: String,
    pub user_id: String,
    pub session: Option<String>,
    pub scope: String,
    pub amr: String,
    pub authenticated_at: i64,
    pub epoch: i64,
    pub expires_at: i64,
}

/// Whether the family `f` counts at `$2`.
macro_rules! lives {
    () => {
        "f.revoked_at IS NULL AND f.expires_at > $2
         AND EXISTS (SELECT 1 FROM auth_users u WHERE u.id = f.user_id AND u.epoch = f.epoch
                     AND u.verified_at IS NOT NULL AND u.disabled_at IS NULL)
         AND (f.session IS NULL OR EXISTS (SELECT 1 FROM auth_sessions s
                                           WHERE s.handle = f.session AND s.expires_at > $2))"
    };
}
pub(super) use lives;

/// Permission to begin a family, given when somebody proved who they are.
pub struct Grant {
    pub user_id: String,
    /// The account's epoch at that moment. If it has moved on, the family never lives.
    pub epoch: i64,
[%- if module.oidc %]
    /// How the user was authenticated.
    pub amr: String,
[%- endif %]
    /// The session that it ends with.
    pub session: Option<String>,
    pub authenticated_at: i64,
    pub expires_at: i64,
}

/// Begins a family. The oldest beyond the limit end (ASVS 7.1.2).
pub async fn begin(
    db: &mut Connection,
    grant: Grant,
    device: &str,
    scope: &str,
    policy: &Policy,
) -> Result<Family, sqlx::Error> {
    let family: Family = sqlx::query_as(
        "INSERT INTO auth_token_families
             (id, user_id, session, device, scope, amr, authenticated_at, epoch, created_at,
              last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, [% if module.oidc %]$10[% else %]'pwd'[% endif %], $6, $7, $8, $8, $9)
         RETURNING id, user_id, session, scope, amr, authenticated_at, epoch, expires_at",
    )
    .bind(tokens::random::<12>())
    .bind(grant.user_id)
    .bind(grant.session)
    .bind(device)
    .bind(scope)
    .bind(grant.authenticated_at)
    .bind(grant.epoch)
    .bind(now())
    .bind(grant.expires_at)
[%- if module.oidc %]
    .bind(grant.amr)
[%- endif %]
    .fetch_one(&mut *db)
    .await?;
    sqlx::query(
        "UPDATE auth_token_families SET revoked_at = $3
         WHERE user_id = $1 AND revoked_at IS NULL AND id <> $2 AND id NOT IN
             (SELECT id FROM auth_token_families
              WHERE user_id = $1 AND revoked_at IS NULL AND id <> $2
              ORDER BY last_used_at DESC, created_at DESC LIMIT $4)",
    )
    .bind(&family.user_id)
    .bind(&family.id)
    .bind(now())
    .bind(policy.sessions - 1)
    .execute(db)
    .await?;
    Ok(family)
}

/// Makes the next refresh token of a family. It ends without use, where the family came from a session
/// no later than that would, and never after the family.
pub async fn next_token(
    db: &mut Connection,
    family: &Family,
    policy: &Policy,
) -> Result<String, sqlx::Error> {
    let token = tokens::random::<32>();
    let now = now();
    let idle = match family.session {
        Some(_) => policy.refresh_idle.min(policy.session_idle),
        None => policy.refresh_idle,
    };
    sqlx::query(
        "INSERT INTO auth_refresh_tokens (token_hash, family_id, created_at, expires_at)
         VALUES ($1, $2, $3, $4)",
    )
    .bind(tokens::hash(&token))
    .bind(&family.id)
    .bind(now)
    .bind(family.expires_at.min(now + idle))
    .execute(db)
    .await?;
    Ok(token)
}

/// The family of a refresh token, if it lives. Notes the use, and holds the row until the
/// transaction ends, so that uses of one family take turns, and a revocation comes wholly before
/// or after.
pub async fn of_refresh_token(
    db: &mut Connection,
    token: &str,
) -> Result<Option<Family>, sqlx::Error> {
    sqlx::query_as(concat!(
        "UPDATE auth_token_families AS f SET last_used_at = $2
         WHERE f.id = (SELECT family_id FROM auth_refresh_tokens WHERE token_hash = $1) AND ",
        lives!(),
        " RETURNING id, user_id, session, scope, amr, authenticated_at, epoch, expires_at"
    ))
    .bind(tokens::hash(token))
    .bind(now())
    .fetch_optional(db)
    .await
}

/// The family that a refresh token belongs to, living or not.
pub async fn named_by(db: &mut Connection, token: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT family_id FROM auth_refresh_tokens WHERE token_hash = $1")
        .bind(tokens::hash(token))
        .fetch_optional(db)
        .await
}

/// What became of a refresh token that was shown.
pub enum Shown {
    /// It was the next one, and is used up now.
    Next,
    /// It was used before: two have it, and one of them should not.
    Again,
    Expired,
}

/// Uses a refresh token up. Of parallel calls, one gets [`Shown::Next`]: the condition and the
/// change are one statement (ASVS 15.4.2).
pub async fn use_up(db: &mut Connection, token: &str) -> Result<Shown, sqlx::Error> {
    let used = sqlx::query(
        "UPDATE auth_refresh_tokens SET used_at = $2
         WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2",
    )
    .bind(tokens::hash(token))
    .bind(now())
    .execute(&mut *db)
    .await?;
    if used.rows_affected() == 1 {
        return Ok(Shown::Next);
    }
    let used_at: Option<i64> =
        sqlx::query_scalar("SELECT used_at FROM auth_refresh_tokens WHERE token_hash = $1")
            .bind(tokens::hash(token))
            .fetch_one(db)
            .await?;
    Ok(if used_at.is_some() { Shown::Again } else { Shown::Expired })
}

/// Ends a family with all its tokens. Returns whose it was, if it had not ended before.
pub async fn revoke(db: &mut Connection, id: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE auth_token_families SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL
         RETURNING user_id",
    )
    .bind(id)
    .bind(now())
    .fetch_optional(db)
    .await
}

/// Lets families outlive a rise of the epoch by one that was not meant for them.
pub async fn carry_over(db: &mut Connection, user_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE auth_token_families SET epoch = epoch + 1
         WHERE user_id = $1 AND epoch = (SELECT epoch - 1 FROM auth_users WHERE id = $1)",
    )
    .bind(user_id)
    .execute(db)
    .await?;
    Ok(())
}

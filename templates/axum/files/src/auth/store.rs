//! Sessions in the database, behind tower-sessions' `SessionStore`.
//!
//! A row belongs to one user and never changes, apart from when it was last seen. The cookie's
//! value is not in it, only its SHA-256. There are no anonymous sessions to adopt or to fixate.

use std::fmt;

use serde::{Deserialize, Serialize};
use [= import.sha2 =]::{Digest, Sha256};
use time::OffsetDateTime;
use [= import.tower_sessions =]::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::{
    Auth, audit,
    db::{Connection, Db, now},
    settings::Policy,
    tokens,
    user::User,
};

/// Where a loaded session holds its [`User`].
pub const USER: &str = "user";
/// Where a session that is to be created holds its [`Grant`].
pub const GRANT: &str = "grant";
/// Why no session was made: the password, or a session, stopped counting while the request ran.
pub const CHANGED: &str = "the account changed meanwhile";

/// Last-seen times are written at most this often, or ten times within the idle time.
const TOUCH_SECONDS: i64 = 60;

/// Permission to create a session, given when the password was proven.
#[derive(Serialize, Deserialize)]
pub struct Grant {
    pub user_id: String,
    /// The account's epoch at that moment. If it has moved on, a password change or an operator
    /// came in between, and there will be no session (ASVS 7.4.2, 7.4.3).
    pub epoch: i64,
    pub auth_time: i64,
    pub expires_at: i64,
[%- if module.oidc %]
    pub amr: String,
[%- endif %]
    pub ip: String,
    pub agent: String,
}

#[derive(Clone)]
pub struct Store {
    db: Db,
    policy: Policy,
}

impl Store {
    pub fn new(auth: &Auth) -> Self {
        Self {
            db: auth.db().clone(),
            policy: auth.settings().policy.clone(),
        }
    }

    async fn insert(&self, record: &mut Record, grant: &Grant) -> sqlx::Result<bool> {
        let mut tx = self.db.write().await?;
        if !lock_account(&mut tx, grant).await? {
            return Ok(false);
        }
        // A taken id inserts nothing: try again with another.
        for _ in 0..2 {
            let inserted = sqlx::query(
                "INSERT INTO auth_sessions (id_hash, handle, user_id, created_at, authenticated_at,
                                            last_seen_at, expires_at, ip, user_agent[% if module.oidc %], amr[% endif %])
                 VALUES ($1, $2, $3, $4, $5, $4, $6, $7, $8[% if module.oidc %], $9[% endif %]) ON CONFLICT (id_hash) DO NOTHING",
            )
            .bind(hash(&record.id))
            .bind(tokens::random::<12>())
            .bind(&grant.user_id)
            .bind(now())
            .bind(grant.auth_time)
            .bind(grant.expires_at)
            .bind(&grant.ip)
            .bind(&grant.agent)
[%- if module.oidc %]
            .bind(&grant.amr)
[%- endif %]
            .execute(&mut *tx)
            .await?;
            if inserted.rows_affected() == 1 {
                self.evict(&mut tx, grant, &record.id).await?;
                tx.commit().await?;
                return Ok(true);
            }
            record.id = Id::default();
        }
        Ok(false)
    }

    /// Ends the oldest sessions beyond the limit (ASVS 7.1.2), never the one that has just begun.
    async fn evict(&self, db: &mut Connection, grant: &Grant, newest: &Id) -> sqlx::Result<()> {
        let evicted = sqlx::query(
            "DELETE FROM auth_sessions WHERE user_id = $1 AND id_hash <> $2 AND id_hash NOT IN
                 (SELECT id_hash FROM auth_sessions WHERE user_id = $1 AND id_hash <> $2
                  ORDER BY created_at DESC, last_seen_at DESC LIMIT $3)",
        )
        .bind(&grant.user_id)
        .bind(hash(newest))
        .bind(self.policy.sessions - 1)
        .execute(&mut *db)
        .await?;
        if evicted.rows_affected() > 0 {
            audit::session_evicted(db, grant).await?;
        }
        Ok(())
    }

    async fn find(&self, id: &Id) -> sqlx::Result<Option<(User, i64)>> {
[%- if module.oidc %]
        type Row = (String, String, String, String, i64, i64, i64, i64);
        let row: Option<Row> = sqlx::query_as(
[%- else %]
        let row: Option<(String, String, String, i64, i64, i64, i64)> = sqlx::query_as(
[%- endif %]
            "SELECT u.id, u.email, s.handle, [% if module.oidc %]s.amr, [% endif %]s.authenticated_at, u.epoch, s.expires_at,
                    s.last_seen_at
             FROM auth_sessions s JOIN auth_users u ON u.id = s.user_id
             WHERE s.id_hash = $1 AND s.expires_at > $2 AND s.last_seen_at > $3
               AND u.verified_at IS NOT NULL AND u.disabled_at IS NULL",
        )
        .bind(hash(id))
        .bind(now())
        .bind(now() - self.policy.session_idle)
        .fetch_optional(self.db.pool())
        .await?;
        Ok(
            row.map(|(id, email, session, [% if module.oidc %]amr, [% endif %]auth_time, epoch, expires_at, last_seen)| {
                let user = User { id, email, auth_time, session, [% if module.oidc %]amr, [% endif %]epoch, expires_at };
                (user, last_seen)
            }),
        )
    }

    /// Never brings back a row that was deleted meanwhile.
    async fn touch(&self, id: &Id, last_seen: i64) -> sqlx::Result<()> {
        if now() - last_seen < TOUCH_SECONDS.min(self.policy.session_idle / 10) {
            return Ok(());
        }
        sqlx::query("UPDATE auth_sessions SET last_seen_at = $2 WHERE id_hash = $1")
            .bind(hash(id))
            .bind(now())
            .execute(self.db.pool())
            .await?;
        Ok(())
    }
}

#[[= import.async_trait =]::async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let grant = record.data.get(GRANT).cloned().unwrap_or_default();
        let grant: Grant = serde_json::from_value(grant)
            .map_err(|_| Error::Encode("a session needs a grant".to_owned()))?;
        match self.insert(record, &grant).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Backend(CHANGED.to_owned())),
            Err(error) => Err(backend(error)),
        }
    }

    /// Nothing in a row can be changed by saving it.
    async fn save(&self, _record: &Record) -> Result<()> {
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some((user, last_seen)) = self.find(id).await.map_err(backend)? else {
            return Ok(None);
        };
        // Another writer may hold the database. Not noting the visit only ends an idle session sooner.
        if let Err(error) = self.touch(id, last_seen).await {
            tracing::warn!(target: "auth", %error, "a visit was not noted");
        }
        let expiry_date =
            OffsetDateTime::from_unix_timestamp(user.expires_at).map_err(|e| Error::Decode(e.to_string()))?;
        let user = serde_json::to_value(user).map_err(|e| Error::Decode(e.to_string()))?;
        Ok(Some(Record {
            id: *id,
            data: [(USER.to_owned(), user)].into(),
            expiry_date,
        }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        sqlx::query("DELETE FROM auth_sessions WHERE id_hash = $1")
            .bind(hash(id))
            .execute(self.db.pool())
            .await
            .map_err(backend)?;
        Ok(())
    }
}

/// Whether the account is still as it was when the password was proven. Its row stays locked until
/// the transaction ends, so that a change which ends sessions comes wholly before or after.
async fn lock_account(db: &mut Connection, grant: &Grant) -> sqlx::Result<bool> {
    let locked = sqlx::query(
        "UPDATE auth_users SET epoch = epoch
         WHERE id = $1 AND epoch = $2 AND verified_at IS NOT NULL AND disabled_at IS NULL",
    )
    .bind(&grant.user_id)
    .bind(grant.epoch)
    .execute(db)
    .await?;
    Ok(locked.rows_affected() == 1)
}

/// Ends the session of a user that is to go on under another identifier. False if it has ended
/// meanwhile, as by logging out: then nothing goes on.
pub async fn hand_over(db: &mut Connection, user: &User) -> sqlx::Result<bool> {
    // The account's row first, as wherever sessions end: such changes never wait for each other.
    let lock = "UPDATE auth_users SET epoch = epoch WHERE id = $1";
    sqlx::query(lock).bind(&user.id).execute(&mut *db).await?;
    end(db, user).await
}

/// Ends a session. False if it has ended already.
pub async fn end(db: &mut Connection, user: &User) -> sqlx::Result<bool> {
    let ended = sqlx::query("DELETE FROM auth_sessions WHERE user_id = $1 AND handle = $2")
        .bind(&user.id)
        .bind(&user.session)
        .execute(db)
        .await?;
    Ok(ended.rows_affected() == 1)
}

/// Ends every session of a user. Belongs in the transaction that raises the epoch, after that.
pub async fn end_all(db: &mut Connection, user_id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM auth_sessions WHERE user_id = $1")
        .bind(user_id)
        .execute(db)
        .await?;
    Ok(())
}

pub fn hash(id: &Id) -> Vec<u8> {
    Sha256::digest(id.0.to_le_bytes()).to_vec()
}

fn backend(error: sqlx::Error) -> Error {
    Error::Backend(error.to_string())
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

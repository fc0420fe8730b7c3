//! The database: its pool, its migrations and the removal of what has expired.

use std::{str::FromStr, time::Duration};

[% if db == "postgres" -%]
use sqlx::{
    Pool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
[%- else -%]
use sqlx::{
    Pool, Sqlite, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
[%- endif %]
use time::OffsetDateTime;

/// Applied in order, each once. Append; never edit one that was released.
[% if module.oidc or module.tokens -%]
const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("migrations/0001_accounts.sql")),
[%- if module.oidc %]
    (2, include_str!("migrations/0002_identities.sql")),
[%- endif %]
[%- if module.tokens %]
    (3, include_str!("migrations/0003_tokens.sql")),
[%- endif %]
];
[%- else -%]
const MIGRATIONS: &[(i64, &str)] = &[(1, include_str!("migrations/0001_accounts.sql"))];
[%- endif %]

const PURGE_EVERY: Duration = Duration::from_secs(600);

[% if db == "postgres" -%]
/// What the module keeps its tables in.
pub type Database = Postgres;
/// A connection with or without an open transaction.
pub type Connection = sqlx::PgConnection;
[%- else -%]
/// What the module keeps its tables in.
pub type Database = Sqlite;
/// A connection with or without an open transaction.
pub type Connection = sqlx::SqliteConnection;
[%- endif %]

#[derive(Clone, Debug)]
pub struct Db(Pool<Database>);

impl Db {
[%- if db == "postgres" %]
    pub async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_str(url)?;
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await?;
        let db = Self(pool);
        db.migrate().await?;
        Ok(db)
    }
[%- else %]
    pub async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await?;
        let db = Self(pool);
        db.migrate().await?;
        Ok(db)
    }
[%- endif %]

    /// For statements that stand alone.
    pub fn pool(&self) -> &Pool<Database> {
        &self.0
    }
[% if db == "postgres" %]
    /// A transaction, whatever the server's default isolation. What decides in it is one statement, or
    /// follows a lock on the account's row. Dropped without `commit`, it leaves no trace.
    pub async fn write(&self) -> Result<Transaction<'static, Database>, sqlx::Error> {
        self.0.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await
    }
[%- else %]
    /// A transaction that holds the write lock from its start, so that nothing it reads can change
    /// before it writes. Dropped without `commit`, it leaves no trace.
    pub async fn write(&self) -> Result<Transaction<'static, Database>, sqlx::Error> {
        self.0.begin_with("BEGIN IMMEDIATE").await
    }
[%- endif %]

    /// Keeps its own list of applied versions, so the application's own migrator (which refuses
    /// versions that it does not know) never meets these.
    async fn migrate(&self) -> Result<(), sqlx::Error> {
        let mut tx = self.write().await?;
[%- if db == "postgres" %]
        // Instances that start at the same time take turns. The number is only this module's.
        sqlx::query("SELECT pg_advisory_xact_lock(4707249126521183)").execute(&mut *tx).await?;
[%- endif %]
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS auth_migrations
                 (version BIGINT PRIMARY KEY NOT NULL, applied_at BIGINT NOT NULL)",
        )
        .execute(&mut *tx)
        .await?;
        let applied: Vec<i64> = sqlx::query_scalar("SELECT version FROM auth_migrations")
            .fetch_all(&mut *tx)
            .await?;
        // Not all above the highest: a part that was added later may have a lower number.
        for &(version, sql) in MIGRATIONS.iter().filter(|(version, _)| !applied.contains(version)) {
            sqlx::raw_sql(sql).execute(&mut *tx).await?;
            sqlx::query("INSERT INTO auth_migrations (version, applied_at) VALUES ($1, $2)")
                .bind(version)
                .bind(now())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }

    /// Removes what no query would accept any more. The audit trail is kept: how long is for the
    /// owner to decide.
    pub async fn purge(&self) -> Result<(), sqlx::Error> {
        for statement in [
            "DELETE FROM auth_sessions WHERE expires_at <= $1",
            "DELETE FROM auth_tokens WHERE expires_at <= $1",
            "DELETE FROM auth_throttles WHERE expires_at <= $1",
[%- if module.tokens %]
            "DELETE FROM auth_token_families WHERE expires_at <= $1",
[%- endif %]
[%- if module.oidc %]
            "DELETE FROM auth_oidc_transactions WHERE expires_at <= $1",
[%- endif %]
        ] {
            sqlx::query(statement).bind(now()).execute(&self.0).await?;
        }
        Ok(())
    }
}

pub fn spawn_purge(db: &Db) {
    let db = db.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(PURGE_EVERY).await;
            if let Err(error) = db.purge().await {
                tracing::warn!(target: "auth", %error, "expired rows were not removed");
            }
        }
    });
}

/// Unix time in seconds.
pub fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

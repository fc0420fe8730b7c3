//! The operator's hook: `<app> auth disable|enable|revoke USER`, `auth revoke --all`, `auth audit [USER]`.
//!
//! USER is an id or an address. It acts on the database, so running instances obey at once.

use super::{Auth, audit, db::Connection, email, settings::StartError, store, tokens};

const USAGE: &str = "usage: auth disable|enable|revoke USER, auth revoke --all, or auth audit [USER]";

/// Lines of the audit trail that are shown, the newest.
const MAX_LINES: i64 = 1_000;

/// Runs the command if the arguments are one. True if there was one.
pub async fn run(
    auth: &Auth,
    mut arguments: impl Iterator<Item = String>,
) -> Result<bool, StartError> {
    if arguments.next().as_deref() != Some("auth") {
        return Ok(false);
    }
    let words = [arguments.next(), arguments.next(), arguments.next()];
    let (command, whom) = match words {
        [Some(command), whom, None] if command == "audit" => {
            for line in trail(auth, whom.as_deref()).await? {
                println!("{line}");
            }
            return Ok(true);
        }
        [Some(command), Some(whom), None] => (command, whom),
        _ => return Err(StartError::Operator(USAGE.to_owned())),
    };
    let mut tx = auth.db().write().await?;
    let ids = find(&mut tx, &whom, command == "revoke").await?;
    if ids.is_empty() {
        return Err(unknown(&whom));
    }
    for id in &ids {
        apply(&mut tx, &command, id).await?;
    }
    tx.commit().await?;
    println!("auth: {command}: {} account(s)", ids.len());
    Ok(true)
}

fn unknown(whom: &str) -> StartError {
    StartError::Operator(format!("no such user: {whom}"))
}

/// The audit trail of one user, or of all, oldest first: a line for each event.
pub async fn trail(auth: &Auth, whom: Option<&str>) -> Result<Vec<String>, StartError> {
    let mut db = auth.db().pool().acquire().await?;
    let id = match whom {
        Some(whom) => {
            let found = find(&mut db, whom, false).await?.pop();
            // The trail outlives the account: then only its id is known.
            let known = found.or_else(|| (!whom.contains('@')).then(|| whom.to_owned()));
            Some(known.ok_or_else(|| unknown(whom))?)
        }
        None => None,
    };
    Ok(audit::lines(&mut db, id.as_deref(), MAX_LINES).await?)
}

async fn find(db: &mut Connection, whom: &str, may_be_all: bool) -> sqlx::Result<Vec<String>> {
    if whom == "--all" && may_be_all {
        return sqlx::query_scalar("SELECT id FROM auth_users").fetch_all(db).await;
    }
    let address = email::canonical(whom).unwrap_or_default();
    sqlx::query_scalar("SELECT id FROM auth_users WHERE id = $1 OR email = $2")
        .bind(whom)
        .bind(address)
        .fetch_all(db)
        .await
}

/// The epoch keeps a login that is under way from creating a session afterwards (ASVS 7.4.2, 7.4.5).
async fn apply(db: &mut Connection, command: &str, id: &str) -> Result<(), StartError> {
    let (event, statement) = match command {
        "disable" => (
            "account_disabled",
            "UPDATE auth_users SET disabled_at = COALESCE(disabled_at, $2), epoch = epoch + 1
             WHERE id = $1",
        ),
        "enable" => (
            "account_enabled",
            "UPDATE auth_users SET disabled_at = NULL, epoch = epoch + ($2 - $2) WHERE id = $1",
        ),
        "revoke" => (
            "sessions_revoked",
            "UPDATE auth_users SET epoch = epoch + 1 + ($2 - $2) WHERE id = $1",
        ),
        _ => return Err(StartError::Operator(USAGE.to_owned())),
    };
    sqlx::query(statement).bind(id).bind(super::db::now()).execute(&mut *db).await?;
    store::end_all(db, id).await?;
    tokens::void_all(db, id).await?;
    audit::operator(db, event, Some(id)).await?;
    Ok(())
}

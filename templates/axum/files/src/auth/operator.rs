//! The operator's hook: `<app> auth disable|enable|revoke USER`, `auth revoke --all`, `auth audit [USER]`[% if module.tokens %],
//! `auth token-key`[% endif %].
//!
//! USER is an id or an address. It acts on the database, so running instances obey at once.

use std::io::Write;

use super::{
    Auth, audit,
[%- if module.tokens %]
    bearer,
[%- endif %]
    db::{Connection, now},
    email,
    settings::StartError,
};

[% if module.tokens -%]
const USAGE: &str =
    "usage: auth disable|enable|revoke USER, auth revoke --all, auth audit [USER], or auth token-key";
[%- else -%]
const USAGE: &str = "usage: auth disable|enable|revoke USER, auth revoke --all, or auth audit [USER]";
[%- endif %]

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
    let said = match words.each_ref().map(Option::as_deref) {
        [Some("audit"), whom, None] => trail(auth, whom).await?,
        [Some(command @ ("disable" | "enable" | "revoke")), Some(whom), None] => {
            vec![act(auth, command, whom).await?]
        }
        _ => return Err(StartError::Operator(USAGE.to_owned())),
    };
    let mut out = std::io::stdout().lock();
    for line in said {
        // Whoever reads may have seen enough, such as `head`.
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    Ok(true)
}

[% if module.tokens -%]
/// Prints a fresh `AUTH_TOKEN_KEY` if the arguments ask for one. Needs no settings.
pub fn prints_token_key(arguments: impl Iterator<Item = String>) -> bool {
    let asked = arguments.eq(["auth", "token-key"]);
    if asked {
        println!("AUTH_TOKEN_KEY={}", bearer::fresh_key());
    }
    asked
}

[% endif -%]
fn unknown(whom: &str) -> StartError {
    StartError::Operator(format!("no such user: {whom}"))
}

/// The audit trail of one user, or of all, oldest first: a line for each event.
pub async fn trail(auth: &Auth, whom: Option<&str>) -> Result<Vec<String>, StartError> {
    let mut db = auth.db().pool().acquire().await?;
    let id = match whom {
        // The trail outlives the account: then only its id is known.
        Some(whom) => Some(find(&mut db, whom).await?.unwrap_or_else(|| whom.to_owned())),
        None => None,
    };
    let lines = audit::lines(&mut db, id.as_deref(), MAX_LINES).await?;
    match whom {
        Some(whom) if lines.is_empty() => Err(unknown(whom)),
        _ => Ok(lines),
    }
}

async fn act(auth: &Auth, command: &str, whom: &str) -> Result<String, StartError> {
    let mut tx = auth.db().write().await?;
    let id = match whom {
        "--all" if command == "revoke" => None,
        whom => Some(find(&mut tx, whom).await?.ok_or_else(|| unknown(whom))?),
    };
    let accounts = apply(&mut tx, command, id.as_deref()).await?;
    tx.commit().await?;
    Ok(format!("auth: {command}: {accounts} account(s)"))
}

async fn find(db: &mut Connection, whom: &str) -> sqlx::Result<Option<String>> {
    let address = email::canonical(whom).unwrap_or_default();
    sqlx::query_scalar("SELECT id FROM auth_users WHERE id = $1 OR email = $2")
        .bind(whom)
        .bind(address)
        .fetch_optional(db)
        .await
}

/// Changes one account, or all: the same few statements for any number. The epoch keeps a login that
/// is under way from creating a session afterwards (ASVS 7.4.2, 7.4.5).
async fn apply(db: &mut Connection, command: &str, id: Option<&str>) -> Result<u64, StartError> {
    let (event, statement) = match command {
        "disable" => (
            "account_disabled",
            sqlx::query(
                "UPDATE auth_users SET disabled_at = COALESCE(disabled_at, $2), epoch = epoch + 1
                 WHERE id = $1",
            )
            .bind(id)
            .bind(now()),
        ),
        "enable" => (
            "account_enabled",
            sqlx::query("UPDATE auth_users SET disabled_at = NULL WHERE id = $1").bind(id),
        ),
        "revoke" => (
            "sessions_revoked",
            sqlx::query("UPDATE auth_users SET epoch = epoch + 1 WHERE $1 IS NULL OR id = $1").bind(id),
        ),
        _ => return Err(StartError::Operator(USAGE.to_owned())),
    };
    let changed = statement.execute(&mut *db).await?.rows_affected();
    for table in [
        "DELETE FROM auth_sessions WHERE $1 IS NULL OR user_id = $1",
        "DELETE FROM auth_tokens WHERE $1 IS NULL OR user_id = $1",
    ] {
        sqlx::query(table).bind(id).execute(&mut *db).await?;
    }
    audit::operator(db, event, id).await?;
    Ok(changed)
}

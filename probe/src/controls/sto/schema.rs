//! What the database keeps from happening, whatever the application's code does.

use std::sync::Arc;

use crate::{
    db::{Db, Row, hex, quoted},
    lab::{App, Setup},
    random,
    test::{Outcome, Stop, Test},
};

/// What is one of a kind is so by the database's own rules, and what belongs to an account goes with it.
pub(super) fn the_database_decides(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (ann, client) = app.member()?;
    let (bob, _) = app.member()?;
    for person in [&ann, &bob] {
        app.client().forgot(&person.email)?;
        app.token("FORGOT", &person.email, 1)?;
    }
    app.client().login(&ann.email, &random::password())?;
    let db = app.database()?;
    let id_of = |email: &str| -> Outcome<String> { Ok(db.one("users", "email", email, "id")?.unwrap_or_default()) };
    let (ann_id, bob_id) = (id_of(&ann.email)?, id_of(&bob.email)?);
    addresses(test, db, &ann.email)?;
    keys(test, db, "sessions", &ann_id, &bob_id)?;
    keys(test, db, "tokens", &ann_id, &bob_id)?;
    let spare = app.member()?;
    let spare_id = id_of(&spare.0.email)?;
    drop(client);
    dependants(test, &app, &spare_id)?;
    Ok(())
}

/// The column's name, and an SQL literal for a fresh value of the kind that the row holds.
fn fresh(db: &Db, row: &Row, table: &str, column: &str) -> Outcome<(String, String)> {
    let name = db.column(table, column)?;
    let old = row.get(&name).cloned().flatten().unwrap_or_default();
    let literal = match (old.starts_with("\\x"), old.parse::<i64>(), db.is_postgres()) {
        (true, _, true) => format!("'\\x{}'", hex(&random::bytes((old.len() - 2) / 2))),
        (true, _, false) => format!("X'{}'", hex(&random::bytes((old.len() - 2) / 2))),
        (_, Ok(number), _) => (number + 1_000_000).to_string(),
        _ if old.contains('@') => quoted(&crate::people::email()),
        _ if old.len() == 36 && old.matches('-').count() == 4 => quoted(&uuid()),
        _ => quoted(&random::letters(old.len().max(8))),
    };
    Ok((name, literal))
}

fn uuid() -> String {
    let digits = hex(&random::bytes(16));
    format!("{}-{}-4{}-8{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..])
}

/// Inserts a copy of the row that the condition finds, with these values in the place of its own.
fn copy(db: &Db, table: &str, row: &Row, condition: &str, values: &[(String, String)]) -> anyhow::Result<()> {
    let columns: Vec<String> = row.keys().map(|column| format!("\"{column}\"")).collect();
    let other = |column: &String| values.iter().find(|(name, _)| name == column).map(|(_, literal)| literal.clone());
    let given: Vec<String> =
        row.keys().map(|column| other(column).unwrap_or_else(|| format!("\"{column}\""))).collect();
    let name = db.table(table)?;
    let (columns, given) = (columns.join(", "), given.join(", "));
    db.run(&format!("INSERT INTO {name} ({columns}) SELECT {given} FROM {name} WHERE {condition}"))
}

fn the_row(db: &Db, table: &str, column: &str, value: &str) -> Outcome<Row> {
    let row = db.find(table, column, value)?.pop();
    row.ok_or_else(|| Stop::Positive(format!("`{table}` has a row of the account"), format!("{column} = {value}")))
}

/// A second account of one address.
fn addresses(test: &mut Test<'_>, db: &Db, email: &str) -> Outcome {
    let row = the_row(db, "users", "email", email)?;
    let condition = format!("{} = {}", db.column("users", "email")?, quoted(email));
    let (id, address) = (fresh(db, &row, "users", "id")?, fresh(db, &row, "users", "email")?);
    let allowed = copy(db, "users", &row, &condition, &[id, address]);
    test.works("the database takes another account", allowed.is_ok(), format!("{allowed:?}"))?;
    let id = fresh(db, &row, "users", "id")?;
    let twice = copy(db, "users", &row, &condition, std::slice::from_ref(&id));
    test.refuses("the database takes no second account of one address", is_violation(&twice), format!("{twice:?}"));
    Ok(())
}

/// A second row of one key, in the name of somebody else.
fn keys(test: &mut Test<'_>, db: &Db, table: &str, user: &str, other: &str) -> Outcome {
    let row = the_row(db, table, "user", user)?;
    let key = db.column(table, "key")?;
    let value = row.get(&key).cloned().flatten().unwrap_or_default();
    let literal = match (value.strip_prefix("\\x"), db.is_postgres()) {
        (Some(digits), false) => format!("X'{digits}'"),
        _ => quoted(&value),
    };
    let condition = format!("{key} = {literal}");
    // What else is one of a kind is changed: the purpose of a token, the name of a session.
    let mut others = vec![(db.column(table, "user")?, quoted(other))];
    if db.has_column(table, "purpose") {
        others.push((db.column(table, "purpose")?, "'probe'".to_owned()));
    }
    if db.has_column(table, "name") {
        others.push(fresh(db, &row, table, "name")?);
    }
    let mut allowed = others.clone();
    allowed.push(fresh(db, &row, table, "key")?);
    let done = copy(db, table, &row, &condition, &allowed);
    test.works(&format!("the database takes another row of {table}"), done.is_ok(), format!("{done:?}"))?;
    let mut twice = others;
    for (name, literal) in &mut twice {
        if db.column(table, "purpose").is_ok_and(|purpose| purpose == *name) {
            "'probe2'".clone_into(literal);
        } else if db.column(table, "name").is_ok_and(|own| own == *name) {
            *literal = fresh(db, &row, table, "name")?.1;
        }
    }
    let done = copy(db, table, &row, &condition, &twice);
    test.refuses("the database takes no key twice", is_violation(&done), format!("{table}: {done:?}"));
    Ok(())
}

/// Whether the database refused it as one of two.
fn is_violation(done: &anyhow::Result<()>) -> bool {
    done.as_ref().is_err_and(|error| {
        let text = format!("{error:?}").to_lowercase();
        text.contains("unique") || text.contains("duplicate") || text.contains("primary key")
    })
}

/// An account that is deleted by SQL takes its sessions and links along.
fn dependants(test: &mut Test<'_>, app: &Arc<App>, user: &str) -> Outcome {
    let db = app.database()?;
    let email = db.one("users", "id", user, "email")?.unwrap_or_default();
    app.client().forgot(&email)?;
    app.token("FORGOT", &email, 1)?;
    for table in ["sessions", "tokens"] {
        let rows = db.find(table, "user", user)?.len();
        test.works(&format!("the account has rows of {table}"), rows > 0, format!("{rows} rows"))?;
    }
    let (users, id) = (db.table("users")?, db.column("users", "id")?);
    // SQLite asks each connection whether it minds.
    let minds = if db.is_postgres() { "" } else { "PRAGMA foreign_keys = ON; " };
    let deleted = db.run(&format!("{minds}DELETE FROM {users} WHERE {id} = {}", quoted(user)));
    // A database that refuses leaves no orphans either; the application has to delete in order then.
    let refused = deleted.is_err();
    for table in ["sessions", "tokens"] {
        let rows = db.find(table, "user", user)?.len();
        let seen = format!("{rows} rows of {table} are left; {deleted:?}");
        test.refuses("nothing is left of an account that is deleted", rows == 0 || refused, seen);
    }
    Ok(())
}

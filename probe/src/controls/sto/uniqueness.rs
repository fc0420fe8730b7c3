//! Rows that must not be there, written past the application.

use std::sync::Arc;

use crate::{
    db::{Db, Row, quoted},
    lab::{App, Setup},
    people::Person,
    provider::Subject,
    random,
    test::{Outcome, Stop, Test},
};

/// What names a row, and what else must differ so that nothing but the name can be refused.
const NAMES: [(&str, &str, &[&str]); 2] = [("users", "email", &["id"]), ("sessions", "key", &["name"])];
const OF_PASSWORDS: (&str, &str, &[&str]) = ("tokens", "key", &["user", "id"]);
const OF_PROVIDERS: (&str, &str, &[&str]) = ("identities", "subject", &["key", "user", "provider"]);

/// Two accounts with one address, two sessions or tokens with one key, or rows of an account that is gone are refused by the
/// database, whoever writes them.
pub(in crate::controls) fn the_database_forbids_it(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (person, _session) = app.member()?;
    let other = app.person()?;
    let mut names = NAMES.to_vec();
    if app.has_passwords() {
        app.client().forgot(&person.email)?;
        app.token("FORGOT", &person.email, 1)?;
        names.push(OF_PASSWORDS);
    }
    if !app.providers.is_empty() {
        app.federated(0, &Subject::new())?;
        names.push(OF_PROVIDERS);
    }
    let db = app.database()?;
    let other = db.one("users", "email", &other.email, "id")?.unwrap_or_default();
    for (table, name, differing) in names {
        twice(test, db, table, name, differing, &other)?;
    }
    if test.has("tokens") {
        refresh_tokens(test, &app, &person)?;
    }
    let mut tables = vec!["sessions"];
    tables.push(if app.has_passwords() { "tokens" } else { "identities" });
    tables.extend(test.has("tokens").then_some("families"));
    orphans(test, db, &tables, &db.one("users", "email", &person.email, "id")?.unwrap_or_default())
}

/// Two refresh tokens with one digest, and families of an account that is not there.
fn refresh_tokens(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let (_, other) = app.device()?;
    app.device_of(person)?;
    let db = app.database()?;
    let mut row = first(db, "refresh_tokens")?;
    if db.has_column("refresh_tokens", "id") {
        let column = db.column("refresh_tokens", "id")?;
        let old = row.get(&column).cloned().flatten().unwrap_or_default();
        row.insert(column, Some(another(&old)));
    }
    test.refuses(
        "the database refuses a second refresh token with the same key",
        insert(db, "refresh_tokens", &row).is_err(),
        "the row was written",
    );
    let changed = |table: &str, columns: &[&str]| {
        let mut row = first(db, table)?;
        // A name beside the key is not what is asked about.
        let own = ["id"].into_iter().filter(|column| db.has_column(table, column));
        for column in columns.iter().copied().chain(own) {
            let column = db.column(table, column)?;
            let old = row.get(&column).cloned().flatten().unwrap_or_default();
            row.insert(column, Some(another(&old)));
        }
        Ok::<Row, Stop>(row)
    };
    let taken = insert(db, "refresh_tokens", &changed("refresh_tokens", &["key"])?);
    let seen = taken.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
    test.works("the database takes a refresh token with another key", taken.is_ok(), seen)?;
    for (table, columns) in [("refresh_tokens", ["key", "family"]), ("families", ["key", "user"])] {
        let refused = insert(db, table, &changed(table, &columns)?).is_err();
        let what = format!("the database refuses a row of `{table}` whose {} is not there", columns[1]);
        test.refuses(&what, refused, "the row was written");
    }
    test.works("a device goes on", other.works()?, other.access.as_str())
}

fn twice(test: &mut Test<'_>, db: &Db, table: &str, name: &str, differing: &[&str], other: &str) -> Outcome {
    let row = first(db, table)?;
    let mut changed = row.clone();
    for what in differing.iter().filter(|column| db.has_column(table, column)) {
        let column = db.column(table, what)?;
        let old = row.get(&column).cloned().flatten().unwrap_or_default();
        let new = if *what == "user" { other.to_owned() } else { another(&old) };
        changed.insert(column, Some(new));
    }
    let refused = insert(db, table, &changed);
    let what = format!("the database refuses a second row of `{table}` with the same {name}");
    test.refuses(&what, refused.is_err(), "the row was written");
    let column = db.column(table, name)?;
    let old = row.get(&column).cloned().flatten().unwrap_or_default();
    changed.insert(column, Some(another(&old)));
    // Only where the first was refused can this one show why.
    if refused.is_err() {
        let taken = insert(db, table, &changed);
        let seen = taken.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
        test.works(&format!("the database takes a row of `{table}` with another {name}"), taken.is_ok(), seen)?;
    }
    Ok(())
}

fn first(db: &Db, table: &str) -> Outcome<Row> {
    let rows = db.rows(&format!("SELECT * FROM {}", db.table(table)?))?;
    let missing = || Stop::Positive(format!("`{table}` has a row"), "it has none".to_owned());
    rows.into_iter().next().ok_or_else(missing)
}

/// A value of the same kind that is not there yet.
fn another(old: &str) -> String {
    if let Some(digits) = old.strip_prefix("\\x") {
        return format!("\\x{}", crate::db::hex(&random::bytes(digits.len() / 2)));
    }
    if old.parse::<i64>().is_ok() {
        return (1_000_000 + u32::from(random::below(u16::MAX))).to_string();
    }
    if old.contains('@') { crate::people::email() } else { random::letters(old.len().max(16)) }
}

fn insert(db: &Db, table: &str, row: &Row) -> anyhow::Result<()> {
    let columns: Vec<&str> = row.keys().map(String::as_str).collect();
    let literal = |value: &Option<String>| match value {
        None => "NULL".to_owned(),
        Some(value) => match value.strip_prefix("\\x") {
            Some(digits) if !db.is_postgres() => format!("x'{digits}'"),
            _ => quoted(value),
        },
    };
    let values: Vec<String> = row.values().map(literal).collect();
    db.run(&format!("INSERT INTO {} ({}) VALUES ({})", db.table(table)?, columns.join(", "), values.join(", ")))
}

/// Sessions and tokens of an account that is deleted go with it, and none can be written for one that is not there.
fn orphans(test: &mut Test<'_>, db: &Db, tables: &[&str], id: &str) -> Outcome {
    let owned = |table: &str| Ok::<usize, Stop>(db.find(table, "user", id)?.len());
    for table in tables {
        test.works(&format!("the account has rows in `{table}`"), owned(table)? > 0, id)?;
    }
    let mut orphan = first(db, "sessions")?;
    for column in ["key", "name"] {
        if db.has_column("sessions", column) {
            let column = db.column("sessions", column)?;
            let old = orphan.get(&column).cloned().flatten().unwrap_or_default();
            orphan.insert(column, Some(another(&old)));
        }
    }
    orphan.insert(db.column("sessions", "user")?, Some(another(id)));
    let refused = insert(db, "sessions", &orphan).is_err();
    test.refuses("the database refuses a session of no account", refused, "the row was written");
    let gone =
        db.run(&format!("DELETE FROM {} WHERE {} = {}", db.table("users")?, db.column("users", "id")?, quoted(id)));
    // A database that keeps an account as long as it has rows leaves no orphans either: the application deletes both.
    if let Err(error) = gone {
        let seen = format!("{error:#}");
        let is_held = seen.to_ascii_lowercase().contains("foreign key");
        test.refuses("an account does not go from under its rows", is_held, seen);
        return Ok(());
    }
    for table in tables {
        let left = owned(table)?;
        let what = format!("rows of `{table}` go with their account");
        test.refuses(&what, left == 0, format!("{left} rows are left"));
    }
    Ok(())
}

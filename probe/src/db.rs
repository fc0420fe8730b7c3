//! The application's database: reading it, and dating rows back.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use postgres::{NoTls, SimpleQueryMessage};
use rusqlite::types::ValueRef;

use crate::contract::{self, Missing, TimeKind};

const BUSY: Duration = Duration::from_secs(10);

/// Column to value as text; blobs as `\x` and hex digits.
pub type Row = BTreeMap<String, Option<String>>;

/// Where the database is.
#[derive(Clone, Debug)]
pub enum Place {
    Sqlite(PathBuf),
    /// A URL.
    Postgres(String),
}

/// The database with the contract's names for it.
#[derive(Clone, Debug)]
pub struct Db {
    place: Place,
    names: contract::Db,
}

impl Db {
    pub fn new(place: Place, names: contract::Db) -> Self {
        Self { place, names }
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Postgres(_))
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// When the database cannot be reached or refuses the statement.
    pub fn rows(&self, sql: &str) -> Result<Vec<Row>> {
        let rows = match &self.place {
            Place::Sqlite(path) => sqlite_rows(path, sql),
            Place::Postgres(url) => postgres_rows(url, sql),
        };
        rows.with_context(|| format!("the database refused `{sql}`"))
    }

    /// Runs statements that give no rows.
    ///
    /// # Errors
    /// When the database cannot be reached or refuses one.
    pub fn run(&self, sql: &str) -> Result<()> {
        let done = match &self.place {
            Place::Sqlite(path) => sqlite(path).and_then(|db| Ok(db.execute_batch(sql)?)),
            Place::Postgres(url) => client(url).and_then(|mut client| Ok(client.batch_execute(sql)?)),
        };
        done.with_context(|| format!("the database refused `{sql}`"))
    }

    /// The application's name of a table, such as `users`.
    ///
    /// # Errors
    /// When the contract has none.
    pub fn table(&self, table: &str) -> Result<String> {
        self.name(table, "table")
    }

    /// The application's name of a column.
    ///
    /// # Errors
    /// When the contract has none.
    pub fn column(&self, table: &str, column: &str) -> Result<String> {
        self.name(table, column)
    }

    pub fn has_column(&self, table: &str, column: &str) -> bool {
        self.name(table, column).is_ok()
    }

    /// What else the contract says of a column.
    pub fn says(&self, table: &str, column: &str, key: &str) -> Option<&str> {
        self.names.tables.get(table)?.get(column)?.get(key)?.as_str()
    }

    fn name(&self, table: &str, key: &str) -> Result<String> {
        let entry = self.names.tables.get(table).and_then(|names| names.get(key));
        let nested = |entry: &toml::Value| Some(entry.get("column")?.as_str()?.to_owned());
        let name = entry.and_then(|entry| entry.as_str().map(ToOwned::to_owned).or_else(|| nested(entry)));
        Ok(name.ok_or_else(|| Missing(format!("has no `{key}` in `[db.{table}]`")))?)
    }

    /// The rows of a table whose column has the value; names are the contract's.
    ///
    /// # Errors
    /// When the contract lacks a name or the database cannot be read.
    pub fn find(&self, table: &str, column: &str, value: &str) -> Result<Vec<Row>> {
        let (name, column) = (self.table(table)?, self.column(table, column)?);
        self.rows(&format!("SELECT * FROM {name} WHERE {column} = {}", quoted(value)))
    }

    /// The value of one column in the one row that is found; `None` for NULL.
    ///
    /// # Errors
    /// When there is not exactly one row, besides what [`Self::find`] says.
    pub fn one(&self, table: &str, by: &str, value: &str, column: &str) -> Result<Option<String>> {
        let (place, held) = (self.home(table, column)?, self.held(table, by, value, column)?);
        let rows = self.rows(&format!("SELECT * FROM {place} WHERE {held}"))?;
        let [row] = rows.as_slice() else { bail!("{} rows of `{table}` have that `{by}`, not one", rows.len()) };
        Ok(row.get(&self.column(table, column)?).cloned().flatten())
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// As for [`Self::find`].
    pub fn count(&self, table: &str) -> Result<usize> {
        let rows = self.rows(&format!("SELECT count(*) AS n FROM {}", self.table(table)?))?;
        let count = rows.first().and_then(|row| row.get("n")?.as_ref()?.parse().ok());
        count.context("the database counts no rows")
    }

    /// Sets a column of the rows that are found to an SQL expression.
    ///
    /// # Errors
    /// As for [`Self::find`].
    pub fn set(&self, table: &str, by: &str, value: &str, column: &str, expression: &str) -> Result<()> {
        let (place, held) = (self.home(table, column)?, self.held(table, by, value, column)?);
        self.run(&format!("UPDATE {place} SET {} = {expression} WHERE {held}", self.column(table, column)?))
    }

    /// The table that a column of somebody's is in, which may be another than the one that names them.
    fn home(&self, table: &str, column: &str) -> Result<String> {
        self.elsewhere(table, column, "table").map_or_else(|| self.table(table), Ok)
    }

    /// The condition that picks the row which holds a column.
    fn held(&self, table: &str, by: &str, value: &str, column: &str) -> Result<String> {
        let named = format!("{} = {}", self.column(table, by)?, quoted(value));
        let Some(user) = self.elsewhere(table, column, "user") else { return Ok(named) };
        Ok(format!("{user} IN (SELECT {} FROM {} WHERE {named})", self.column(table, "id")?, self.table(table)?))
    }

    fn elsewhere(&self, table: &str, column: &str, part: &str) -> Option<String> {
        let place = self.names.tables.get(table)?.get(column)?.as_table()?;
        place.get("table")?;
        Some(place.get(part)?.as_str()?.to_owned())
    }

    /// Makes a moment that a row holds that many seconds older.
    ///
    /// # Errors
    /// As for [`Self::find`].
    pub fn age(&self, table: &str, by: &str, value: &str, column: &str, seconds: u64) -> Result<()> {
        self.set(table, by, value, column, &self.older(&self.column(table, column)?, seconds))
    }

    /// The same for all rows of a table: time passes.
    ///
    /// # Errors
    /// As for [`Self::find`].
    pub fn age_all(&self, table: &str, column: &str, seconds: u64) -> Result<()> {
        let (name, column) = (self.table(table)?, self.column(table, column)?);
        self.run(&format!("UPDATE {name} SET {column} = {}", self.older(&column, seconds)))
    }

    fn older(&self, column: &str, seconds: u64) -> String {
        match (self.names.time, self.is_postgres()) {
            (TimeKind::UnixSeconds, _) => format!("{column} - {seconds}"),
            (TimeKind::UnixMillis, _) => format!("{column} - {seconds}000"),
            (TimeKind::Timestamp, true) => format!("{column} - interval '{seconds} seconds'"),
            // In the form that it has: texts of two forms do not compare.
            (TimeKind::Timestamp, false) => format!(
                "strftime(CASE WHEN {column} LIKE '%T%Z' THEN '%Y-%m-%dT%H:%M:%fZ' ELSE '%Y-%m-%d %H:%M:%S' END, \
                 {column}, '-{seconds} seconds')"
            ),
        }
    }

    /// The tables that are there, as the database names them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn tables(&self) -> Result<Vec<String>> {
        let sql = if self.is_postgres() {
            "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name FROM information_schema.tables \
             WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        } else {
            "SELECT '\"' || name || '\"' AS name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        };
        Ok(self.rows(sql)?.into_iter().filter_map(|mut row| row.remove("name").flatten()).collect())
    }

    /// Every value of every table: table, column, value.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn dump(&self) -> Result<Vec<(String, String, String)>> {
        let mut all = vec![];
        for table in self.tables()? {
            for row in self.rows(&format!("SELECT * FROM {table}"))? {
                all.extend(row.into_iter().filter_map(|(column, value)| Some((table.clone(), column, value?))));
            }
        }
        Ok(all)
    }
}

/// An SQL string literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn sqlite(path: &Path) -> Result<rusqlite::Connection> {
    // Not created: a path that is wrong shall not look like an empty database.
    let db = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
}

fn sqlite_rows(path: &Path, sql: &str) -> Result<Vec<Row>> {
    let db = sqlite(path)?;
    let mut statement = db.prepare(sql)?;
    let names: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let mut found = statement.query([])?;
    let mut rows = vec![];
    while let Some(row) = found.next()? {
        let value = |at: usize| Ok::<_, rusqlite::Error>(text(row.get_ref(at)?));
        let values = names.iter().enumerate().map(|(at, name)| Ok((name.clone(), value(at)?)));
        rows.push(values.collect::<Result<Row, rusqlite::Error>>()?);
    }
    Ok(rows)
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Some(format!("\\x{}", hex(bytes))),
    }
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

fn client(url: &str) -> Result<postgres::Client> {
    let mut config: postgres::Config = url.parse()?;
    config.connect_timeout(BUSY);
    Ok(config.connect(NoTls)?)
}

fn postgres_rows(url: &str, sql: &str) -> Result<Vec<Row>> {
    let mut rows = vec![];
    for message in client(url)?.simple_query(sql)? {
        if let SimpleQueryMessage::Row(row) = message {
            let value = |at: usize| row.get(at).map(ToOwned::to_owned);
            let names = row.columns().iter().enumerate();
            rows.push(names.map(|(at, column)| (column.name().to_owned(), value(at))).collect());
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Db, Place, quoted};
    use crate::{app::Folder, contract};

    const NAMES: &str = "kind = 'sqlite'\ntime = 'unix-seconds'\n\
        [people]\ntable = 'p'\nid = 'mail'\nemail = 'mail'\nseen = { column = 'at' }\n\
        password = { table = 'k', user = 'whose', column = 'word' }\n";

    fn db(folder: &Path) -> Db {
        let path = folder.join("app.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        let made = "CREATE TABLE p (mail TEXT, at INTEGER, key BLOB); INSERT INTO p VALUES ('o''x', 100, x'00ff'), ('y', 5, NULL); \
            CREATE TABLE k (whose TEXT, word TEXT); INSERT INTO k VALUES ('o''x', 'old'), ('y', 'other')";
        connection.execute_batch(made).unwrap();
        let names: contract::Db = toml::from_str(NAMES).unwrap();
        Db::new(Place::Sqlite(path), names)
    }

    #[test]
    fn rows_are_found_and_dated_back_by_the_contracts_names() {
        let folder = Folder::new().unwrap();
        let db = db(folder.path());
        db.age("people", "email", "o'x", "seen", 60).unwrap();
        assert_eq!(db.one("people", "email", "o'x", "seen").unwrap().as_deref(), Some("40"));
        assert_eq!(db.one("people", "email", "y", "seen").unwrap().as_deref(), Some("5"));
        assert_eq!(db.count("people").unwrap(), 2);
        db.set("people", "email", "o'x", "password", "'new'").unwrap();
        assert_eq!(db.one("people", "email", "o'x", "password").unwrap().as_deref(), Some("new"));
        assert_eq!(db.one("people", "email", "y", "password").unwrap().as_deref(), Some("other"));
        let dump = db.dump().unwrap();
        assert!(dump.iter().any(|(_, column, value)| column == "key" && value == "\\x00ff"), "{dump:?}");
    }

    #[test]
    fn a_moment_that_is_text_keeps_its_form() {
        let folder = Folder::new().unwrap();
        let mut db = db(folder.path());
        db.names.time = contract::TimeKind::Timestamp;
        for (before, after) in
            [("2026-11-29T11:00:10.250Z", "2026-11-29T10:59:40.250Z"), ("2026-11-29 11:00:10", "2026-11-29 10:59:40")]
        {
            db.set("people", "email", "y", "seen", &quoted(before)).unwrap();
            db.age("people", "email", "y", "seen", 30).unwrap();
            assert_eq!(db.one("people", "email", "y", "seen").unwrap().as_deref(), Some(after));
        }
    }

    #[test]
    fn what_the_contract_does_not_name_is_told() {
        let folder = Folder::new().unwrap();
        let db = db(folder.path());
        let error = format!("{:#}", db.one("people", "email", "y", "epoch").unwrap_err());
        assert_eq!(error, "the contract has no `epoch` in `[db.people]`");
        let missing = Db::new(Place::Sqlite(folder.path().join("none.db")), toml::from_str(NAMES).unwrap());
        assert!(missing.rows("SELECT 1").is_err(), "a wrong path is no empty database");
    }
}

//! Taking away what an application leans on, and giving it back.

use std::sync::Arc;

use anyhow::Result;

use crate::{db::Db, lab::App, test::Outcome};

const AWAY: &str = "_taken_away";

/// Tables that are not there; they come back when told, at the latest with this value.
pub struct Outage<'a> {
    db: &'a Db,
    away: Vec<String>,
}

impl<'a> Outage<'a> {
    /// Takes the tables away, by the contract's names.
    ///
    /// # Errors
    /// When the contract lacks one, or the database refuses.
    pub fn of_tables(app: &'a Arc<App>, tables: &[&str]) -> Outcome<Self> {
        let db = app.database()?;
        let names = tables.iter().map(|table| db.table(table)).collect::<Result<Vec<_>>>()?;
        Self::begin(db, names)
    }

    /// Takes all tables away that the application has.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn of_everything(app: &'a Arc<App>) -> Outcome<Self> {
        let db = app.database()?;
        Self::begin(db, db.tables()?.iter().map(|name| bare(name)).collect())
    }

    fn begin(db: &'a Db, names: Vec<String>) -> Outcome<Self> {
        let mut outage = Self { db, away: vec![] };
        for name in names {
            rename(db, &name, &format!("{name}{AWAY}"))?;
            outage.away.push(name);
        }
        Ok(outage)
    }

    /// Gives them back.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn end(mut self) -> Outcome {
        self.give_back()?;
        Ok(())
    }

    fn give_back(&mut self) -> Result<()> {
        while let Some(name) = self.away.pop() {
            rename(self.db, &format!("{name}{AWAY}"), &name)?;
        }
        Ok(())
    }
}

impl Drop for Outage<'_> {
    fn drop(&mut self) {
        _ = self.give_back();
    }
}

fn rename(db: &Db, from: &str, to: &str) -> Result<()> {
    db.run(&format!("ALTER TABLE \"{from}\" RENAME TO \"{to}\""))
}

/// Without schema and quotes.
fn bare(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).trim_matches('"').to_owned()
}

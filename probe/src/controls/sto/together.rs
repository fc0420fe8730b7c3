//! Changes of several steps that fail at one of them.

use std::sync::Arc;

use crate::{
    client::Client,
    db::Db,
    http::Answer,
    lab::{App, Setup},
    people::{self, Person},
    random,
    test::{Outcome, Test},
};

/// A statement that the database refuses from now on.
struct Refusal<'a> {
    db: &'a Db,
    table: String,
}

const NAME: &str = "probe_refusal";

impl<'a> Refusal<'a> {
    /// Refuses these kinds of change of a table, by the contract's name.
    fn of(db: &'a Db, table: &str, kinds: &[&str]) -> Outcome<Self> {
        let table = db.table(table)?;
        let refusal = Self { db, table };
        let table = &refusal.table;
        if db.is_postgres() {
            db.run(&format!(
                "CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE EXCEPTION 'refused by the probe'; END $$; \
                 CREATE TRIGGER {NAME} BEFORE {} ON {table} FOR EACH ROW EXECUTE FUNCTION {NAME}()",
                kinds.join(" OR ")
            ))?;
        } else {
            for kind in kinds {
                let name = format!("{NAME}_{}", kind.to_lowercase());
                db.run(&format!(
                    "CREATE TRIGGER {name} BEFORE {kind} ON {table} BEGIN SELECT RAISE(ABORT, 'refused by the probe'); END"
                ))?;
            }
        }
        Ok(refusal)
    }

    fn end(&self) -> anyhow::Result<()> {
        if self.db.is_postgres() {
            return self.db.run(&format!("DROP TRIGGER IF EXISTS {NAME} ON {}", self.table));
        }
        let drops = ["insert", "update", "delete"].map(|kind| format!("DROP TRIGGER IF EXISTS {NAME}_{kind}"));
        self.db.run(&drops.join("; "))
    }
}

impl Drop for Refusal<'_> {
    fn drop(&mut self) {
        _ = self.end();
    }
}

/// A password, the sessions and links that end with it, and the record of it change together or not at all.
pub(super) fn all_or_nothing(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let has_trail = app.contract.db.as_ref().is_some_and(|db| db.tables.contains_key("audit"));
    let mut steps: Vec<(&str, &[&str])> = vec![("sessions", &["DELETE", "UPDATE"]), ("tokens", &["UPDATE", "DELETE"])];
    if has_trail {
        steps.push(("audit", &["INSERT"]));
    }
    for (table, kinds) in steps {
        reset(test, &app, table, kinds)?;
        // The session's own end needs neither.
        change(test, &app, table, kinds)?;
        confirm(test, &app, table, kinds)?;
    }
    Ok(())
}

/// The change under attack failed, and for the reason that was made.
fn failed(test: &mut Test<'_>, table: &str, answer: &Answer) {
    let what = format!("a change that fails at {table} is no success");
    test.refuses(&what, answer.broke() && !answer.sets_session(), answer);
}

/// The password is still this one and no other, and the session is alive.
fn unchanged(test: &mut Test<'_>, app: &Arc<App>, person: &Person, new: &str, client: &Client) -> Outcome {
    let alive = client.copy().me()?;
    test.refuses("after a change that failed the session goes on", alive.succeeded(), &alive);
    let with_new = app.client().login(&person.email, new)?;
    test.refuses("after a change that failed the new password is none", with_new.denied(), &with_new);
    let with_old = app.client().login(&person.email, &person.password)?;
    test.refuses("after a change that failed the old password is the password", with_old.succeeded(), &with_old);
    Ok(())
}

fn reset(test: &mut Test<'_>, app: &Arc<App>, table: &str, kinds: &[&str]) -> Outcome {
    let (person, client) = app.member()?;
    app.client().forgot(&person.email)?;
    let (token, new) = (app.token("FORGOT", &person.email, 1)?, random::password());
    let refusal = Refusal::of(app.database()?, table, kinds)?;
    let answer = app.client().reset(&token, &new)?;
    refusal.end()?;
    failed(test, table, &answer);
    unchanged(test, app, &person, &new, &client)?;
    let again = app.client().reset(&token, &new)?;
    test.refuses("a reset that failed does not use its link up", again.succeeded(), &again);
    let after = client.copy().me()?;
    test.refuses("a reset that works ends sessions", after.denied(), &after);
    Ok(())
}

fn change(test: &mut Test<'_>, app: &Arc<App>, table: &str, kinds: &[&str]) -> Outcome {
    // A change of password uses no link.
    let (person, client) = app.member()?;
    app.client().forgot(&person.email)?;
    let (token, new) = (app.token("FORGOT", &person.email, 1)?, random::password());
    let refusal = Refusal::of(app.database()?, table, kinds)?;
    let answer = client.copy().change_password(&person.password, &new)?;
    refusal.end()?;
    failed(test, table, &answer);
    unchanged(test, app, &person, &new, &client)?;
    let link = app.client().reset(&token, &new)?;
    test.refuses("a change that failed voids no link", link.succeeded(), &link);
    Ok(())
}

fn confirm(test: &mut Test<'_>, app: &Arc<App>, table: &str, kinds: &[&str]) -> Outcome {
    let (person, client) = app.member()?;
    let (address, other) = (people::email(), app.signed_in(&person)?);
    let asked = client.copy().call(&app.role("EMAIL_CHANGE")?.field("email", address.as_str()))?;
    test.works("EMAIL_CHANGE is taken", asked.succeeded(), &asked)?;
    let token = app.token("EMAIL_CHANGE", &address, 1)?;
    let confirm = app.role("EMAIL_CONFIRM")?.field("token", token);
    let refusal = Refusal::of(app.database()?, table, kinds)?;
    let answer = client.copy().call(&confirm)?;
    refusal.end()?;
    failed(test, table, &answer);
    let alive = other.copy().me()?;
    test.refuses("a new address that failed ends no session", alive.succeeded(), &alive);
    let with_new = app.client().login(&address, &person.password)?;
    test.refuses("a new address that failed signs nobody in", with_new.denied(), &with_new);
    let again = client.copy().call(&confirm)?;
    test.refuses("a new address that failed does not use its link up", again.succeeded(), &again);
    Ok(())
}

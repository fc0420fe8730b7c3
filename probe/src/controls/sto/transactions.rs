//! Changes that the database stops half-way.

use std::sync::Arc;

use crate::{
    client::{Call, Client},
    db::Db,
    http::Answer,
    lab::{App, Setup},
    people::Person,
    provider::{Grant, Subject},
    test::{Outcome, Test},
};

/// Tables whose rows the database refuses to change, one after the other.
const STOPPED: [&str; 3] = ["sessions", "tokens", "users"];
const CHANGES: [&str; 3] = ["RESET", "PWCHANGE", "EMAIL_CONFIRM"];

/// A change of an account happens as a whole or not at all.
pub(in crate::controls) fn all_or_nothing(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    for table in STOPPED {
        for role in app.expected(&CHANGES) {
            Story::new(&app, role)?.stopped_at(test, table)?;
        }
    }
    if app.providers.is_empty() { Ok(()) } else { first_sign_ins(test, &app) }
}

/// What a first sign-in by a provider makes.
const MADE: [&str; 3] = ["users", "identities", "sessions"];

/// Somebody who comes from a provider for the first time gets an account and the identity that opens it, or neither. The
/// session comes after.
fn first_sign_ins(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let db = app.database()?;
    let trail = db.table("audit").is_ok().then_some("audit");
    for table in MADE.into_iter().chain(trail) {
        let subject = Subject::new();
        let mut client = app.client();
        let visit = client.visit(app.provider(0)?)?;
        let code = app.provider(0)?.grant(&visit.ask, Grant::new(&subject));
        let before = made(db)?;
        stop(db, table, &["INSERT"])?;
        let stopped = client.come_back(&visit, &code);
        go_on(db, table, &["INSERT"])?;
        let (stopped, after) = (stopped?, made(db)?);
        let what = format!("a first sign-in says that it failed when `{table}` takes no row");
        test.refuses(&what, stopped.broke() && !stopped.sets_session(), &stopped);
        let [accounts, identities, sessions] = [0, 1, 2].map(|at| after[at] - before[at]);
        let whole = sessions == 0 && accounts == identities && (accounts == 0 || table == "sessions");
        let what = format!("a first sign-in that failed at `{table}` leaves nothing half done");
        test.refuses(&what, whole, format!("{MADE:?}: {before:?} before, {after:?} after"));
        let again = app.client().sign_in_at(app.provider(0)?, Grant::new(&subject))?;
        let what = format!("a first sign-in that failed at `{table}` works when it is tried again");
        test.refuses(&what, again.succeeded(), &again);
    }
    Ok(())
}

/// How many rows each of those tables has.
fn made(db: &Db) -> Outcome<Vec<usize>> {
    MADE.iter().map(|table| Ok(db.count(table)?)).collect()
}

/// Somebody signed in twice, with links outstanding, about to change something.
struct Story {
    app: Arc<App>,
    person: Person,
    owner: Client,
    other: Client,
    call: Call,
    new: Person,
}

impl Story {
    fn new(app: &Arc<App>, role: &str) -> Outcome<Self> {
        let (person, owner) = app.member()?;
        let other = app.signed_in(&person)?;
        let new = Person::new();
        app.client().forgot(&person.email)?;
        let reset = app.token("FORGOT", &person.email, 1)?;
        owner.copy().call(&app.role("EMAIL_CHANGE")?.field("email", new.email.as_str()))?;
        let change = app.token("EMAIL_CHANGE", &new.email, 1)?;
        let call = app.role(role)?;
        let call = match role {
            "RESET" => call.field("token", reset).field("password", new.password.as_str()),
            "PWCHANGE" => {
                call.field("current_password", person.password.as_str()).field("new_password", new.password.as_str())
            }
            _ => call.field("token", change),
        };
        Ok(Self { app: app.clone(), person, owner, other, call, new })
    }

    fn try_it(&self) -> Outcome<Answer> {
        let mut client = if self.call.name() == "RESET" { self.app.client() } else { self.owner.elsewhere() };
        client.call(&self.call)
    }

    fn stopped_at(&self, test: &mut Test<'_>, table: &str) -> Outcome {
        let db = self.app.database()?;
        let role = self.call.name();
        stop(db, table, &["UPDATE", "DELETE"])?;
        let stopped = self.try_it();
        go_on(db, table, &["UPDATE", "DELETE"])?;
        let stopped = stopped?;
        // A change that does not need the table goes through, and then as a whole.
        if stopped.succeeded() {
            return self.is_done(test, &format!("{role} that went through without `{table}`"), &stopped);
        }
        let what = format!("{role} says that it failed when `{table}` cannot be changed");
        test.refuses(&what, stopped.broke(), &stopped);
        self.is_undone(test, &format!("{role} that failed at `{table}`"), &stopped)?;
        let again = self.try_it()?;
        let what = format!("{role} that failed at `{table}` works when it is tried again");
        test.refuses(&what, again.succeeded(), &again);
        Ok(())
    }

    fn is_undone(&self, test: &mut Test<'_>, after: &str, stopped: &Answer) -> Outcome {
        let login = self.app.client().login(&self.person.email, &self.person.password)?;
        test.refuses(&format!("{after} leaves address and password as they were"), login.succeeded(), &login);
        let login = self.app.client().login(&self.new.email, &self.new.password)?;
        test.refuses(&format!("{after} makes no other sign-in possible"), login.denied(), &login);
        let lives = self.other.is_signed_in()? && self.owner.is_signed_in()?;
        test.refuses(&format!("{after} ends no session"), lives, stopped);
        Ok(())
    }

    fn is_done(&self, test: &mut Test<'_>, after: &str, done: &Answer) -> Outcome {
        let (email, password) = match self.call.name() {
            "EMAIL_CONFIRM" => (&self.new.email, &self.person.password),
            _ => (&self.person.email, &self.new.password),
        };
        let login = self.app.client().login(email, password)?;
        test.refuses(&format!("{after} counts"), login.succeeded(), &login);
        test.refuses(&format!("{after} ends the other sessions"), !self.other.is_signed_in()?, done);
        let again = self.try_it()?;
        test.refuses(&format!("{after} happens once"), again.denied(), &again);
        Ok(())
    }
}

/// From now on the database refuses these on the table.
fn stop(db: &Db, table: &str, events: &[&str]) -> Outcome {
    let name = db.table(table)?;
    let sql = if db.is_postgres() {
        format!(
            "CREATE OR REPLACE FUNCTION probe_stop() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'stopped by the probe'; END $$; \
             CREATE TRIGGER probe_stop BEFORE {} ON {name} FOR EACH ROW EXECUTE FUNCTION probe_stop();",
            events.join(" OR ")
        )
    } else {
        let trigger = |event: &str| -> String {
            format!(
                "CREATE TRIGGER probe_stop_{event} BEFORE {event} ON {name} \
                 BEGIN SELECT RAISE(ABORT, 'stopped by the probe'); END;"
            )
        };
        events.iter().copied().map(trigger).collect()
    };
    Ok(db.run(&sql)?)
}

fn go_on(db: &Db, table: &str, events: &[&str]) -> Outcome {
    let sql = if db.is_postgres() {
        format!("DROP TRIGGER probe_stop ON {}", db.table(table)?)
    } else {
        events.iter().map(|event| format!("DROP TRIGGER probe_stop_{event};")).collect::<Vec<_>>().concat()
    };
    Ok(db.run(&sql)?)
}

//! Requests that race each other.

use std::sync::Arc;

use super::{Attack, attack};
use crate::{
    client::{Call, Client},
    http::{Answer, Request},
    lab::{App, Setup},
    parallel::at_once,
    people::{self, Person},
    random,
    test::{Outcome, Stop, Test},
};

pub(super) const ATTACKS: &[Attack] =
    &[attack("RAC-01", one_account).alone(), attack("RAC-02", one_use).alone(), attack("RAC-05", the_end_wins).alone()];

/// Rounds of each race, and how many take part.
const ROUNDS: usize = 10;
const RACERS: usize = 12;

/// The answers, without those that came to nothing.
fn race(requests: Vec<(Client, Request)>) -> Outcome<Vec<Answer>> {
    Ok(at_once(requests).into_iter().collect::<Result<Vec<_>, _>>()?)
}

/// One address that many register at once is one account, and nobody learns who came first.
fn one_account(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let lone = app.person()?;
    test.works("one who registers alone has an account", app.signed_in(&lone).is_ok(), lone.email.as_str())?;
    for _ in 0..ROUNDS / 2 {
        let person = Person::new();
        let answers = race(registrations(&app, &person)?)?;
        for answer in &answers {
            test.refuses("no registration in a race breaks", !answer.broke(), answer);
            let alike = answer.look() == answers[0].look();
            let seen = || format!("{}\n{}", answers[0].exchange(), answer.exchange());
            test.refuses(
                "registrations in a race are answered alike",
                alike,
                if alike { String::new() } else { seen() },
            );
        }
        accounts(test, &app, &person)?;
    }
    Ok(())
}

/// The same address in its spellings, from as many sources.
fn registrations(app: &Arc<App>, person: &Person) -> Outcome<Vec<(Client, Request)>> {
    let (local, domain) = person.email.split_once('@').unwrap_or_default();
    let spellings = [
        person.email.clone(),
        person.email.to_uppercase(),
        format!("{}@{}", local.to_uppercase(), domain),
        format!("{local}@{}", domain.to_uppercase()),
        format!(" {} ", person.email),
    ];
    let one = |at: usize| {
        let client = app.client();
        let call = app.role("REGISTER")?.field("email", spellings[at % spellings.len()].as_str());
        let request = client.guarded(&call.field("password", person.password.as_str()))?;
        Ok((client, request))
    };
    (0..RACERS).map(one).collect()
}

fn accounts(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let token = app.token("REGISTER", &person.email, 1)?;
    let db = app.database()?;
    let (table, column) = (db.table("users")?, db.column("users", "email")?);
    let email = crate::db::quoted(&person.email);
    let rows = db.rows(&format!("SELECT {column} FROM {table} WHERE lower(trim({column})) = {email}"))?;
    test.refuses("an address that many register at once is one account", rows.len() == 1, format!("{rows:?}"));
    let verified = app.client().verify(&token, &person.password)?;
    test.refuses("its mailed link works", verified.succeeded(), &verified);
    let links = app.tokens("REGISTER", &person.email, 1, std::time::Duration::ZERO)?;
    for link in links.iter().filter(|link| **link != token) {
        let again = app.client().verify(link, &person.password)?;
        test.refuses("there is one link that works", again.denied(), &again);
    }
    Ok(())
}

/// Of many who use one link at once, one does.
fn one_use(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for round in 0..ROUNDS {
        // Those that hash a password wait for each other anyway.
        if round % 2 == 0 {
            resets(test, &app)?;
        }
        verifications(test, &app)?;
        confirmations(test, &app)?;
    }
    Ok(())
}

/// One of the answers is a success, and one event of the audit trail tells of it.
fn one_success<'a>(test: &mut Test<'_>, answers: &'a [Answer], what: &str) -> Vec<(usize, &'a Answer)> {
    let won: Vec<(usize, &Answer)> = answers.iter().enumerate().filter(|(_, answer)| answer.succeeded()).collect();
    let shown = won.iter().map(|(_, answer)| answer.exchange()).collect::<Vec<_>>().join("\n");
    test.refuses(&format!("{what}, used by many at once, works at least once"), !won.is_empty(), answers[0].exchange());
    test.refuses(&format!("{what}, used by many at once, works only once"), won.len() <= 1, shown);
    for answer in answers {
        test.refuses("nothing in a race breaks", !answer.broke(), answer);
    }
    won
}

fn resets(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = app.person()?;
    app.client().forgot(&person.email)?;
    let token = app.token("FORGOT", &person.email, 1)?;
    let passwords: Vec<String> = (0..RACERS).map(|_| random::password()).collect();
    let one = |password: &String| {
        let client = app.client();
        let call = app.role("RESET")?.field("token", token.as_str()).field("password", password.as_str());
        let request = client.guarded(&call)?;
        Ok((client, request))
    };
    let answers = race(passwords.iter().map(one).collect::<Outcome<_>>()?)?;
    let won = one_success(test, &answers, "a reset link");
    let Some((winner, _)) = won.first() else { return Ok(()) };
    recorded_once(test, app, &person, "password_reset")?;
    let right = app.client().login(&person.email, &passwords[*winner])?;
    test.refuses("the password is that of the one who won", right.succeeded(), &right);
    for (_, other) in passwords.iter().enumerate().filter(|(at, _)| at != winner).take(2) {
        let answer = app.client().login(&person.email, other)?;
        test.refuses("the password is of nobody else", answer.denied(), &answer);
    }
    Ok(())
}

/// The audit trail has one event of that name for the account.
fn recorded_once(test: &mut Test<'_>, app: &Arc<App>, person: &Person, what: &str) -> Outcome {
    if app.contract.db.as_ref().is_none_or(|db| !db.tables.contains_key("audit")) {
        return Ok(());
    }
    let (db, name) = (app.database()?, app.event_name(what)?);
    let id = db.one("users", "email", &person.email, "id")?.unwrap_or_default();
    let event = db.column("audit", "event")?;
    let rows = db.find("audit", "user", &id)?;
    let count = rows.iter().filter(|row| row.get(&event).cloned().flatten().as_ref() == Some(&name)).count();
    test.refuses("what happened once is recorded once", count == 1, format!("{count} events `{name}`"));
    Ok(())
}

fn verifications(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, mut registering) = (Person::new(), app.client());
    let answer = registering.register(&person)?;
    test.works("REGISTER takes a new account", answer.succeeded(), &answer)?;
    let token = app.token("REGISTER", &person.email, 1)?;
    // In the registering browser, if that makes a difference: then no throttle of passwords is in the way.
    let with_password = app.role("VERIFY")?.role().signs_in.is_none();
    let racers = if with_password { 4 } else { RACERS };
    let one = |_| {
        let client = registering.elsewhere();
        let mut call = app.role("VERIFY")?.field("token", token.as_str());
        if with_password && call.role().fields.contains_key("password") {
            call = call.field("password", person.password.as_str());
        }
        let request = client.guarded(&call)?;
        Ok((client, request))
    };
    let answers = race((0..racers).map(one).collect::<Outcome<_>>()?)?;
    if !one_success(test, &answers, "a confirmation link").is_empty() {
        recorded_once(test, app, &person, "verify")?;
    }
    let sessions = answers.iter().filter(|answer| answer.sets_session()).count();
    test.refuses("a confirmation link signs in at most once", sessions <= 1, format!("{sessions} sessions"));
    Ok(())
}

fn confirmations(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, client) = app.member()?;
    let new = people::email();
    let asked = client.copy().call(&app.role("EMAIL_CHANGE")?.field("email", new.as_str()))?;
    test.works("EMAIL_CHANGE is taken", asked.succeeded(), &asked)?;
    let token = app.token("EMAIL_CHANGE", &new, 1)?;
    let one = |_| {
        let client = client.elsewhere();
        let request = client.guarded(&app.role("EMAIL_CONFIRM")?.field("token", token.as_str()))?;
        Ok((client, request))
    };
    let answers = race((0..RACERS).map(one).collect::<Outcome<_>>()?)?;
    if !one_success(test, &answers, "the link of a new address").is_empty() {
        recorded_once(test, app, &Person { email: new, ..person }, "email_changed")?;
    }
    Ok(())
}

/// Whatever ends sessions wins against what makes or touches one at the same moment.
fn the_end_wins(test: &mut Test<'_>) -> Outcome {
    // More guesses than usual, so that none of those below is turned away by its number.
    let setup = Setup::default().set("login_failures", 10).set("login_backoff", 1);
    let app = test.boot(&setup)?;
    let person = app.person()?;
    let mut password = person.password.clone();
    for _ in 0..ROUNDS {
        password = against_change(test, &app, &person.email, &password)?;
        against_ends(test, &app, &person.email, &password)?;
    }
    Ok(())
}

fn signed_in(app: &Arc<App>, email: &str, password: &str) -> Outcome<Client> {
    app.signed_in(&Person { email: email.to_owned(), password: password.to_owned() })
}

fn guarded(client: Client, call: &Call) -> Outcome<(Client, Request)> {
    let request = client.guarded(call)?;
    Ok((client, request))
}

/// A change of password against logins with the old one, fresh proofs of it and visits; gives the new password.
fn against_change(test: &mut Test<'_>, app: &Arc<App>, email: &str, old: &str) -> Outcome<String> {
    let new = random::password();
    let (owner, other) = (signed_in(app, email, old)?, signed_in(app, email, old)?);
    aged(app, email)?;
    let change = app.role("PWCHANGE")?.field("current_password", old).field("new_password", new.as_str());
    let login = app.role("LOGIN")?.field("email", email).field("password", old);
    let (reauth, me) = (app.role("REAUTH")?.field("password", old), app.role("ME")?);
    let mut requests = vec![guarded(owner.elsewhere(), &change)?];
    for _ in 0..3 {
        requests.push(guarded(app.client(), &login)?);
        requests.push(guarded(other.elsewhere(), &me)?);
    }
    requests.push(guarded(other.elsewhere(), &reauth)?);
    let answers = race(requests)?;
    let changed = &answers[0];
    test.works("PWCHANGE works", changed.succeeded(), changed)?;
    let mut gone: Vec<String> = answers[1..].iter().filter_map(Answer::session).collect();
    gone.extend([owner.session(), other.session()].into_iter().flatten());
    for session in gone {
        let answer = app.client().with_session(Some(&session)).me()?;
        test.refuses("no session of the old password outlives its change", answer.denied(), &answer);
    }
    let kept = app.client().with_session(changed.session().as_deref()).me()?;
    test.works("who changed the password stays signed in", kept.succeeded(), &kept)?;
    Ok(new)
}

/// LOGOUT and the end of all other sessions against visits of those sessions.
fn against_ends(test: &mut Test<'_>, app: &Arc<App>, email: &str, password: &str) -> Outcome {
    let owner = signed_in(app, email, password)?;
    let others = (0..2).map(|_| signed_in(app, email, password)).collect::<Outcome<Vec<_>>>()?;
    aged(app, email)?;
    let me = app.role("ME")?;
    let mut requests = vec![guarded(others[0].elsewhere(), &app.role("LOGOUT")?)?];
    for _ in 0..6 {
        requests.push(guarded(others[0].elsewhere(), &me)?);
    }
    let answers = race(requests)?;
    test.works("LOGOUT works", answers[0].succeeded(), &answers[0])?;
    dead(test, app, &[others[0].session()], &answers[1..])?;
    let mut requests = vec![guarded(owner.elsewhere(), &app.role("REVOKE_ALL_OTHERS")?)?];
    for _ in 0..6 {
        requests.push(guarded(others[1].elsewhere(), &me)?);
    }
    let answers = race(requests)?;
    test.works("REVOKE_ALL_OTHERS works", answers[0].succeeded(), &answers[0])?;
    dead(test, app, &[others[1].session()], &answers[1..])?;
    test.works("who revoked the others stays signed in", owner.is_signed_in()?, email)
}

/// None of these sessions is alive, nor one that an answer gave.
fn dead(test: &mut Test<'_>, app: &Arc<App>, ended: &[Option<String>], answers: &[Answer]) -> Outcome {
    let given = answers.iter().map(Answer::session);
    for session in ended.iter().cloned().chain(given).flatten() {
        let answer = app.client().with_session(Some(&session)).me()?;
        test.refuses("no visit brings a session back that was ended", answer.denied(), &answer);
    }
    Ok(())
}

/// Makes the sessions' last visit a while ago, so that the next is noted.
fn aged(app: &Arc<App>, email: &str) -> Outcome {
    let db = app.database()?;
    let id = db.one("users", "email", email, "id")?.unwrap_or_default();
    if id.is_empty() {
        return Err(Stop::Positive("the account is in the database".to_owned(), email.to_owned()));
    }
    db.age("sessions", "user", &id, "last_seen", 300)?;
    Ok(())
}

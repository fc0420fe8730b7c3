//! Requests at one moment: a race has one winner, and it is the right one.

use std::sync::Arc;

use super::{Attack, attack};
use crate::{
    client::{Call, Client},
    devices::Device,
    http::{Answer, Request},
    lab::App,
    parallel::at_once,
    people::{Person, email},
    random,
    test::{Outcome, Stop, Test},
};

pub(super) const ATTACKS: &[Attack] = &[
    attack("RAC-01", one_account).alone(),
    attack("RAC-02", one_redemption).alone(),
    attack("RAC-05", revoking_wins).alone(),
];

/// Requests of a round.
const CROWD: usize = 24;

/// Who wants what, at the same moment.
type Crowd = Vec<(Client, Request)>;

/// The answers, if each request got one that is no fault of the server.
pub(super) fn raced(test: &mut Test<'_>, crowd: Crowd) -> Vec<Answer> {
    let count = crowd.len();
    let results = at_once(crowd);
    let broken = results.iter().find_map(|result| match result {
        Ok(answer) if answer.broke() => Some(answer.exchange()),
        Err(broken) => Some(broken.to_string()),
        Ok(_) => None,
    });
    let seen = broken.unwrap_or_default();
    test.refuses(&format!("none of {count} requests at once breaks the server"), seen.is_empty(), seen.as_str());
    results.into_iter().flatten().collect()
}

/// However often an address is registered at once, and in whatever case, there is one account.
fn one_account(test: &mut Test<'_>) -> Outcome {
    const ROUNDS: usize = 10;
    let app = test.app()?;
    for _ in 0..ROUNDS {
        registered_at_once(test, &app)?;
    }
    Ok(())
}

fn registered_at_once(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = Person::new();
    let spellings = [person.email.clone(), person.email.to_uppercase(), format!("{} ", person.email)];
    let crowd = (0..CROWD).map(|at| {
        let call = app.role("REGISTER")?.field("email", spellings[at % spellings.len()].as_str());
        guarded(app.client(), &call.field("password", person.password.as_str()))
    });
    let answers = raced(test, crowd.collect::<Outcome<Crowd>>()?);
    let taken: Vec<&Answer> = answers.iter().filter(|answer| answer.succeeded()).collect();
    let Some(first) = taken.first() else {
        return Err(Stop::Positive("REGISTER takes a new account".to_owned(), shown(&answers)));
    };
    let other = taken.iter().find(|answer| answer.look() != first.look());
    let seen = other.map_or_else(String::new, |other| format!("{}\n{}", first.exchange(), other.exchange()));
    test.refuses("all registrations of one address at once are answered alike", other.is_none(), seen);
    let rows = accounts(app, &person.email)?;
    test.works("there is an account", rows > 0, format!("{rows} accounts").as_str())?;
    test.refuses("registrations of one address at once make one account", rows == 1, format!("{rows} accounts"));
    let token = app.token("REGISTER", &person.email, 1)?;
    let newest = app.tokens("REGISTER", &person.email, 1, std::time::Duration::ZERO)?.pop().unwrap_or(token);
    let verified = app.client().verify(&newest, &person.password)?;
    // Which of the mails came last, and so is the one that counts, is not told by its arrival alone.
    if verified.succeeded() {
        app.signed_in(&person)?;
    }
    Ok(())
}

/// Rows of the users table that are this address in any spelling.
fn accounts(app: &App, email: &str) -> Outcome<usize> {
    let db = app.database()?;
    let (table, column) = (db.table("users")?, db.column("users", "email")?);
    let local = email.split('@').next().unwrap_or(email);
    Ok(db.rows(&format!("SELECT {column} FROM {table} WHERE lower({column}) LIKE '%{local}%'"))?.len())
}

fn guarded(client: Client, call: &Call) -> Outcome<(Client, Request)> {
    let request = client.guarded(call)?;
    Ok((client, request))
}

fn shown(answers: &[Answer]) -> String {
    answers.first().map(Answer::exchange).unwrap_or_default()
}

/// A mailed link works once, however many use it at the same moment.
fn one_redemption(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for _ in 0..12 {
        reset_at_once(test, &app)?;
    }
    for _ in 0..8 {
        verified_at_once(test, &app)?;
        confirmed_at_once(test, &app)?;
    }
    Ok(())
}

fn once(test: &mut Test<'_>, role: &str, answers: &[Answer]) -> Outcome<usize> {
    let winners: Vec<usize> = (0..answers.len()).filter(|at| answers[*at].succeeded()).collect();
    let Some(winner) = winners.first() else {
        return Err(Stop::Positive(format!("{role} takes the mailed token"), shown(answers)));
    };
    let seen = format!("{} of {} succeeded", winners.len(), answers.len());
    test.refuses(&format!("{role} takes a token once, of many at one moment"), winners.len() == 1, seen);
    let other = answers.iter().find(|answer| !answer.succeeded() && !answer.denied());
    let what = format!("{role} refuses a token that was taken at the same moment");
    test.refuses(&what, other.is_none(), other.map(Answer::exchange).unwrap_or_default());
    Ok(*winner)
}

/// The audit trail in the database, where there is one, has one event of that name for the account.
fn recorded_once(test: &mut Test<'_>, app: &Arc<App>, email: &str, what: &str) -> Outcome {
    if has_trail(app) {
        let count = recorded(app, email, what)?;
        test.refuses("what happened once is recorded once", count == 1, format!("{count} events of {what}"));
    }
    Ok(())
}

fn has_trail(app: &App) -> bool {
    app.contract.db.as_ref().is_some_and(|db| db.tables.contains_key("audit"))
}

/// How many events of that name the account has in the audit trail.
fn recorded(app: &App, email: &str, what: &str) -> Outcome<usize> {
    let (db, name) = (app.database()?, app.event_name(what)?);
    let id = db.one("users", "email", email, "id")?.unwrap_or_default();
    let event = db.column("audit", "event")?;
    let rows = db.find("audit", "user", &id)?;
    Ok(rows.iter().filter(|row| row.get(&event).cloned().flatten().as_ref() == Some(&name)).count())
}

fn reset_at_once(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = app.person()?;
    app.client().forgot(&person.email)?;
    let token = app.token("FORGOT", &person.email, 1)?;
    let passwords: Vec<String> = (0..CROWD).map(|_| random::password()).collect();
    let crowd = passwords.iter().map(|password| {
        let call = app.role("RESET")?.field("token", token.as_str()).field("password", password.as_str());
        guarded(app.client(), &call)
    });
    let answers = raced(test, crowd.collect::<Outcome<Crowd>>()?);
    if answers.len() < passwords.len() {
        return Ok(());
    }
    let winner = once(test, "RESET", &answers)?;
    recorded_once(test, app, &person.email, "password_reset")?;
    let right = app.client().login(&person.email, &passwords[winner])?;
    test.refuses("the password of the RESET that succeeded is the one that counts", right.succeeded(), &right);
    let loser = app.client().login(&person.email, &passwords[(winner + 1) % passwords.len()])?;
    test.refuses("the password of a RESET that was refused does not sign in", loser.denied(), &loser);
    Ok(())
}

fn verified_at_once(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = Person::new();
    let token = app.registered(&person)?;
    let crowd = (0..CROWD).map(|_| {
        let call = app.role("VERIFY")?.field("token", token.as_str());
        let takes_password = call.role().fields.contains_key("password");
        let call = if takes_password { call.field("password", person.password.as_str()) } else { call };
        guarded(app.client(), &call)
    });
    let answers = raced(test, crowd.collect::<Outcome<Crowd>>()?);
    once(test, "VERIFY", &answers)?;
    recorded_once(test, app, &person.email, "verify")?;
    app.signed_in(&person)?;
    Ok(())
}

fn confirmed_at_once(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (_, client) = app.member()?;
    let new = email();
    client.copy().call(&app.role("EMAIL_CHANGE")?.field("email", new.as_str()))?;
    let token = app.token("EMAIL_CHANGE", &new, 1)?;
    let call = app.role("EMAIL_CONFIRM")?.field("token", token.as_str());
    let crowd = (0..CROWD).map(|_| guarded(client.elsewhere(), &call)).collect::<Outcome<Crowd>>()?;
    let answers = raced(test, crowd);
    once(test, "EMAIL_CONFIRM", &answers)?;
    recorded_once(test, app, &new, "email_changed")?;
    let rows = accounts(app, &new)?;
    test.refuses(
        "an address that was confirmed many times at once belongs to one account",
        rows == 1,
        format!("{rows} rows"),
    );
    Ok(())
}

/// Whoever ends sessions at the moment in which others are renewed, or begun with the old password, ends those as well.
fn revoking_wins(test: &mut Test<'_>) -> Outcome {
    const ROUNDS: usize = 24;
    let app = test.app()?;
    for round in 0..ROUNDS {
        let change = if round % 3 == 2 || !app.has_passwords() { Change::Others } else { Change::Password };
        renewed_meanwhile(test, &app, change)?;
    }
    if has_trail(&app) { logging_out_wins(test, &app) } else { Ok(()) }
}

/// A session that was logged out at the moment in which it is renewed, ends. The trail tells which came first: it has a logout
/// where there was a session to end.
fn logging_out_wins(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    const ROUNDS: usize = 6;
    let mut ended = 0;
    for round in 0..ROUNDS {
        let (person, client) = app.member()?;
        let Some(renewal) = renewal(&client, &person, round)? else { return Ok(()) };
        let before = recorded(app, &person.email, "logout")?;
        let answers = raced(test, vec![renewal, guarded(client.copy(), &app.role("LOGOUT")?)?]);
        if recorded(app, &person.email, "logout")? == before {
            continue;
        }
        ended += 1;
        for session in answers.iter().filter_map(Answer::session).chain(client.session()) {
            is_over(test, app, &app.role("LOGOUT")?, &session)?;
        }
    }
    let seen = format!("{ended} of {ROUNDS} were recorded");
    test.works("LOGOUT beside what renews the session ends it", ended > 0, seen.as_str())
}

/// What has the session go on under another identifier: in turn, entering the password again and changing it.
fn renewal(client: &Client, person: &Person, round: usize) -> Outcome<Option<(Client, Request)>> {
    let app = &client.app;
    if app.has_passwords() && round % 2 == 1 {
        let call = app.role("PWCHANGE")?.field("current_password", person.password.as_str());
        let call = call.field("new_password", random::password());
        return guarded(client.copy(), &call).map(Some);
    }
    let may = app.has_passwords() || app.says_when(app.provider(0)?);
    may.then(|| client.copy().about_to_prove(person)).transpose()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Password,
    Others,
}

fn renewed_meanwhile(test: &mut Test<'_>, app: &Arc<App>, change: Change) -> Outcome {
    let (person, owner) = app.member()?;
    let (visitor, renewer) = (app.signed_in(&person)?, app.signed_in(&person)?);
    not_seen_lately(app, &person)?;
    let ending = match change {
        Change::Password => {
            let call = app.role("PWCHANGE")?.field("current_password", person.password.as_str());
            call.field("new_password", random::password())
        }
        Change::Others => app.role("REVOKE_ALL_OTHERS")?,
    };
    let mut crowd = vec![guarded(owner, &ending)?];
    crowd.extend(beside(test, &person, change, [&visitor, &renewer])?);
    let mut devices = vec![];
    for _ in 0..if test.has("tokens") { 3 } else { 0 } {
        devices.push(app.device_of(&person)?);
    }
    for device in &devices {
        let call = app.role("TOKEN_REFRESH")?.field("refresh_token", device.refresh.as_str());
        crowd.push((app.client(), call.request()));
    }
    let answers = raced(test, crowd);
    let Some(ended) = answers.first() else { return Ok(()) };
    test.works(&format!("{} succeeds beside other requests", ending.name()), ended.succeeded(), ended)?;
    let made: Vec<String> = answers.iter().skip(1).filter_map(Answer::session).collect();
    let before = [&visitor, &renewer].into_iter().filter_map(Client::session);
    for session in before.chain(made) {
        is_over(test, app, &ending, &session)?;
    }
    let made = answers.iter().filter_map(|answer| Device::of(app, answer).ok());
    for device in devices.into_iter().chain(made) {
        super::jwt::ended(test, &format!("a {} that ran beside", ending.name()), &device)?;
    }
    Ok(())
}

/// What renews sessions, makes tokens of them, or is begun with the old password.
fn beside(test: &Test<'_>, person: &Person, change: Change, [visitor, renewer]: [&Client; 2]) -> Outcome<Crowd> {
    let app = visitor.app.clone();
    let mut crowd = vec![];
    for _ in 0..3 {
        crowd.push(guarded(visitor.copy(), &app.role("ME")?)?);
    }
    // Signing in anew, where nothing else proves it, begins a session that nobody revoked.
    if app.has_passwords() || app.says_when(app.provider(0)?) {
        crowd.push(renewer.copy().about_to_prove(person)?);
    }
    if test.has("tokens") && app.grants_by_session()? {
        crowd.push(guarded(visitor.copy(), &app.session_grant()?)?);
    }
    if change == Change::Password {
        let login = app.way_in(person)?;
        crowd.push(guarded(app.client(), &login)?);
        crowd.push(guarded(app.client(), &login)?);
    }
    if change == Change::Password && test.has("tokens") && app.grants_by_password()? {
        let call = app.password_grant(&person.email, &person.password)?;
        crowd.push((app.client(), call.request()));
    }
    Ok(crowd)
}

fn is_over(test: &mut Test<'_>, app: &Arc<App>, ending: &Call, session: &str) -> Outcome {
    for instance in 0..app.instances() {
        let mut client = app.client().with_session(Some(session));
        client.instance = Some(instance);
        let me = client.me()?;
        let what = format!("no session that was there or made while {} ran lives on", ending.name());
        test.refuses(&what, me.denied(), &me);
    }
    Ok(())
}

/// So that the next request of each session is noted: that is done once in a while.
fn not_seen_lately(app: &App, person: &Person) -> Outcome {
    let db = app.database()?;
    let id = db.one("users", "email", &person.email, "id")?.unwrap_or_default();
    db.age("sessions", "user", &id, "last_seen", 180)?;
    Ok(())
}

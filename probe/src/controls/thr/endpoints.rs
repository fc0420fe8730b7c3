//! Every role that checks a secret or sends mail has limits.

use std::sync::Arc;

use super::{Attempts, attempts};
use crate::{
    client::Call,
    controls::{doors::Door, silence},
    http::Answer,
    lab::{App, Setup},
    people::{self, MAIL, Person},
    random,
    test::{Outcome, Test},
};

/// Requests a source and minute, by default.
const LIMIT: usize = 20;
/// Guesses a source and minute.
const GUESSES: usize = 10;

/// Hammering a role ends in 429, and hits nothing else.
pub(super) fn every_endpoint(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    strangers(test, &app)?;
    members(test, &app)?;
    if !app.providers.is_empty() {
        travellers(test, &app)?;
    }
    if test.has("tokens") {
        devices(test, &app)?;
    }
    if !app.has_passwords() {
        return Ok(());
    }
    right_passwords(test)?;
    mail_floods(test, &app)
}

/// Visits to providers a source and minute, by default.
const VISITS: usize = 30;

/// Each visit has the application keep something. Whoever begins too many keeps their session.
fn travellers(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    for (role, call) in app.departures()? {
        let (_, mut client) = app.member()?;
        let made = attempts(VISITS + 1, |_| client.call(&call))?;
        limited(test, role, &made, VISITS + 1)?;
        let me = client.me()?;
        test.refuses(&format!("who hammers {role} can still use the session"), me.succeeded(), &me);
    }
    Ok(())
}

/// A text that looks like a mailed token and is none.
fn token() -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(random::bytes(32))
}

/// The role with what a stranger can fill in, new each time.
fn filled(app: &App, role: &str) -> Outcome<Call> {
    let mut call = app.role(role)?;
    let names: Vec<String> = call.role().fields.keys().cloned().collect();
    for name in names {
        let value = match name.as_str() {
            "email" => people::email(),
            "token" => token(),
            _ => random::password(),
        };
        call = call.field(&name, value);
    }
    Ok(if call.role().query.contains_key("token") { call.query("token", &token()) } else { call })
}

const OPEN: [&str; 7] = ["REGISTER", "VERIFY", "VERIFY_PAGE", "RESEND", "FORGOT", "RESET", "RESET_PAGE"];

fn strangers(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = app.person()?;
    for role in app.expected(&OPEN) {
        let mut client = app.client();
        let made = attempts(LIMIT + 1, |_| client.call(&filled(app, role)?))?;
        limited(test, role, &made, LIMIT + 1)?;
        let login = client.login(&person.email, &person.password)?;
        test.refuses(&format!("who hammers {role} can still sign in"), login.succeeded(), &login);
    }
    Ok(())
}

/// The first request was not throttled, one of the next is.
fn limited(test: &mut Test<'_>, role: &str, made: &Attempts, by: usize) -> Outcome {
    test.works(&format!("{role} answers the first request"), made.tripped != Some(1), made.seen())?;
    let holds = made.tripped.is_some_and(|number| number <= by);
    test.refuses(&format!("{role} is throttled by request {by} of one source"), holds, made.seen());
    Ok(())
}

fn members(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let hammer: [(&str, usize); 4] =
        [("REAUTH", GUESSES), ("PWCHANGE", GUESSES), ("EMAIL_CHANGE", LIMIT), ("EMAIL_CONFIRM", LIMIT)];
    for (role, limit) in hammer.into_iter().filter(|(role, _)| !app.expected(&[role]).is_empty()) {
        let (_, mut client) = app.member()?;
        let made = attempts(limit + 1, |_| client.call(&filled(app, role)?))?;
        limited(test, role, &made, limit + 1)?;
        let me = client.me()?;
        test.refuses(&format!("who hammers {role} can still use the session"), me.succeeded(), &me);
    }
    Ok(())
}

/// Attempts with refresh tokens a source and minute, by default.
const REFRESHES: usize = 60;

/// What takes passwords and tokens of devices. Whoever hammers it keeps what they have.
fn devices(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (_, device) = app.device()?;
    if app.grants_by_password()? {
        let mut client = app.client();
        let made = attempts(GUESSES + 1, |_| Door::Device.guess(&mut client, &people::email()))?;
        limited(test, "TOKEN", &made, GUESSES + 1)?;
    }
    for (role, field) in [("TOKEN_REFRESH", "refresh_token"), ("TOKEN_REVOKE", "token")] {
        let mut client = app.client();
        let made = attempts(REFRESHES + 1, |_| client.send(&app.role(role)?.field(field, token()).request()))?;
        limited(test, role, &made, REFRESHES + 1)?;
    }
    test.works("a device goes on whatever strangers hammer", device.refreshed()?.works()?, device.access.as_str())
}

/// Right passwords are limited too: each costs the server as much as a wrong one.
fn right_passwords(test: &mut Test<'_>) -> Outcome {
    const LOGINS: usize = 5;
    let app = test.boot(&Setup::default().set("login_source", LOGINS))?;
    let (person, client) = app.member()?;
    let mut reauthing = client.elsewhere();
    let made = attempts(2 * LOGINS, |_| reauthing.reauth(&person.password))?;
    limited(test, "REAUTH with the right password", &made, LOGINS + 1)?;
    let mut changing = app.signed_in(&person)?.elsewhere();
    // Refused as too short, so that the password stays as it is.
    let made = attempts(2 * LOGINS, |_| changing.change_password(&person.password, "short"))?;
    limited(test, "PWCHANGE with the right password", &made, LOGINS + 1)
}

/// Mails to an address in a minute, and how many strangers ask for them.
const MAILS: usize = 5;
const STRANGERS: usize = 8;

/// An address gets few mails, from however many sources they are asked for.
fn mail_floods(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (forgotten, registered) = (app.person()?, app.person()?);
    app.client().forgot(&forgotten.email)?;
    app.token("FORGOT", &forgotten.email, 1)?;
    same_answers(test, app, "FORGOT", &forgotten.email)?;
    same_answers(test, app, "REGISTER", &registered.email)?;
    let changed = flood_by_change(test, app)?;
    let unconfirmed = flood_by_resend(test, app)?;
    silence::after_mails(app)?;
    for (role, email) in [("FORGOT", &forgotten.email), ("REGISTER", &registered.email), ("EMAIL_CHANGE", &changed)] {
        let mails = app.mail_channel()?.to(email).len();
        let seen = format!("{mails} mails to {email} after {STRANGERS} requests from as many sources");
        test.refuses(&format!("{role} sends an address no more than {MAILS} mails a minute"), mails <= MAILS, seen);
    }
    let mails = app.mail_channel()?.to(&unconfirmed.email).len();
    let seen = format!("{mails} mails: one from REGISTER, the others after {STRANGERS} times RESEND");
    test.refuses("RESEND sends an address no more than one mail in three minutes", mails <= 2, seen);
    Ok(())
}

/// Whether a mail is sent or held back, the answer is the same.
fn same_answers(test: &mut Test<'_>, app: &Arc<App>, role: &str, email: &str) -> Outcome {
    let mut looks: Vec<Answer> = vec![];
    for _ in 0..STRANGERS {
        let answer = app.client().call(&filled(app, role)?.field("email", email))?;
        looks.push(answer);
    }
    let other = looks.iter().find(|answer| answer.look() != looks[0].look());
    let seen = other.map(|other| format!("{}\n{}", looks[0].exchange(), other.exchange()));
    let what = format!("{role} answers the same when an address gets no more mail");
    test.refuses(&what, seen.is_none(), seen.unwrap_or_default());
    Ok(())
}

fn flood_by_change(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<String> {
    let (_, client) = app.member()?;
    let target = people::email();
    for _ in 0..STRANGERS {
        let answer = client.elsewhere().call(&app.role("EMAIL_CHANGE")?.field("email", target.as_str()))?;
        test.works("EMAIL_CHANGE is answered with success", answer.succeeded() || answer.throttled(), &answer)?;
    }
    app.token("EMAIL_CHANGE", &target, 1)?;
    Ok(target)
}

fn flood_by_resend(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Person> {
    let person = Person::new();
    app.registered(&person)?;
    same_answers(test, app, "RESEND", &person.email)?;
    let mails = app.mail_channel()?.wait(&person.email, 2, MAIL).len();
    test.works("RESEND sends a mail", mails >= 2, format!("{mails} mails to {}", person.email))?;
    Ok(person)
}

//! Owners are told what happens to their accounts.

use std::sync::Arc;

use regex::Regex;

use super::forgotten;
use crate::{
    controls::silence,
    lab::{App, Setup},
    mail::Mail,
    people::{self, MAIL, Person},
    random,
    test::{Outcome, Stop, Test},
};

/// What happened to an account, and what its mails are judged by.
struct Event {
    what: &'static str,
    /// The address that was the account's.
    email: String,
    /// Mails to it that came before, such as links.
    before: usize,
    /// Where the request came from.
    source: String,
    secrets: Vec<String>,
}

/// Changes of password and address, and a login after many failures, are told to the owner once, without secrets.
pub(super) fn owner_is_told(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    if !app.has_passwords() && app.contract.roles.values().all(|role| role.mail.is_none()) {
        let why = "there are no passwords, and the application sends no mail";
        return Err(Stop::NotApplicable(why.to_owned()));
    }
    let events = [password_changed(test, &app)?, password_reset(test, &app)?, address_asked(test, &app)?];
    let after = [address_changed(test, &app)?, account_deleted(test, &app)?];
    silence::after_mails(&app)?;
    let texts: Vec<String> = events
        .iter()
        .chain(&after)
        .filter_map(|event| notice(test, &app, event).transpose())
        .collect::<Outcome<_>>()?;
    let mut different = texts.clone();
    different.sort();
    different.dedup();
    test.refuses("each notice names what happened", different.len() == texts.len(), texts.join("\n---\n"));
    suspicious_login(test)
}

fn password_changed(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Event> {
    let (person, mut client) = app.member()?;
    let new = random::password();
    let answer = client.change_password(&person.password, &new)?;
    test.works("PWCHANGE takes the right password", answer.succeeded(), &answer)?;
    let source = client.source.clone().unwrap_or_default();
    Ok(Event { what: "a new password", email: person.email, before: 1, source, secrets: vec![person.password, new] })
}

fn password_reset(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Event> {
    let (person, new) = (app.person()?, random::password());
    let token = forgotten(app, &person, 0)?;
    let mut client = app.client();
    let answer = client.reset(&token, &new)?;
    test.works("RESET takes the mailed token", answer.succeeded(), &answer)?;
    let (source, secrets) = (client.source.clone().unwrap_or_default(), vec![person.password, new, token]);
    Ok(Event { what: "a reset", email: person.email, before: 2, source, secrets })
}

fn address_asked(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Event> {
    let (person, mut client) = app.member()?;
    let target = people::email();
    let answer = client.call(&app.role("EMAIL_CHANGE")?.field("email", target.as_str()))?;
    test.works("EMAIL_CHANGE is answered with success", answer.succeeded(), &answer)?;
    let token = app.token("EMAIL_CHANGE", &target, 1)?;
    let (source, secrets) = (client.source.clone().unwrap_or_default(), vec![person.password, token]);
    Ok(Event { what: "a change of address that is asked for", email: person.email, before: 1, source, secrets })
}

fn address_changed(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Event> {
    let (person, mut client) = app.member()?;
    let target = people::email();
    client.call(&app.role("EMAIL_CHANGE")?.field("email", target.as_str()))?;
    let token = app.token("EMAIL_CHANGE", &target, 1)?;
    // Whether the notice of the request came is another event's question.
    let before = app.mail_channel()?.wait(&person.email, 2, MAIL).len();
    let answer = client.call(&app.role("EMAIL_CONFIRM")?.field("token", token.as_str()))?;
    test.works("EMAIL_CONFIRM takes the mailed token", answer.succeeded(), &answer)?;
    let (source, secrets) = (client.source.clone().unwrap_or_default(), vec![person.password, token]);
    Ok(Event { what: "a new address", email: person.email, before, source, secrets })
}

fn account_deleted(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Event> {
    let (person, mut client) = app.member()?;
    let answer = client.get("DELETE_ACCOUNT")?;
    test.works("DELETE_ACCOUNT is answered with success", answer.succeeded(), &answer)?;
    let source = client.source.clone().unwrap_or_default();
    Ok(Event { what: "the end of an account", email: person.email, before: 1, source, secrets: vec![person.password] })
}

/// The notice's text without what is new in each, if there is just one.
fn notice(test: &mut Test<'_>, app: &Arc<App>, event: &Event) -> Outcome<Option<String>> {
    let mails = app.mail_channel()?.wait(&event.email, event.before + 1, MAIL);
    let came = mails.get(event.before..).unwrap_or_default();
    let seen = came.iter().map(|mail| format!("{}\n{}", mail.subject, mail.text)).collect::<Vec<_>>().join("\n---\n");
    test.refuses(
        &format!("{} is told to the owner, once", event.what),
        came.len() == 1,
        format!("{} mails\n{seen}", came.len()),
    );
    let [mail] = came else { return Ok(None) };
    let whole = format!("{}\n{}\n{}", mail.subject, mail.text, mail.html);
    let when = is_told(r"\d{1,2}:\d{2}", &whole) && is_told(r"(?i)\b(utc|gmt)\b|\dZ\b|[+]00:?00", &whole);
    test.refuses(&format!("the notice of {} tells when, in UTC", event.what), when, whole.as_str());
    let source = whole.contains(&event.source);
    test.refuses(
        &format!("the notice of {} tells from where", event.what),
        source,
        format!("{}\n{whole}", event.source),
    );
    let all = mail.all();
    let secret = event.secrets.iter().find(|secret| all.contains(secret.as_str()));
    test.refuses(&format!("the notice of {} holds no secret", event.what), secret.is_none(), all.as_str());
    let link = is_told(r"://\S*[?&#/][^\s?&#/]*=?[A-Za-z0-9_-]{22,}", &whole);
    test.refuses(&format!("the notice of {} holds no link with a token", event.what), !link, whole.as_str());
    Ok(Some(constant(mail)))
}

fn is_told(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

/// Subject and text without numbers.
fn constant(mail: &Mail) -> String {
    format!("{}\n{}", mail.subject, mail.text).chars().filter(|one| !one.is_ascii_digit()).collect()
}

/// So many failures before a right password are worth a mail.
const FAILURES: usize = 5;

/// A login after many failures is told, once an hour; a usual one is not.
fn suspicious_login(test: &mut Test<'_>) -> Outcome {
    // The failures shall not make the account wait.
    let app = test.boot(&Setup::default().set("login_failures", 10))?;
    let (suspicious, usual) = (app.person()?, app.person()?);
    for person in [&suspicious, &usual] {
        app.signed_in(person)?;
    }
    silence::after_mails(&app)?;
    let sink = app.mail_channel()?;
    for person in [&suspicious, &usual] {
        let mails = sink.to(&person.email);
        test.refuses("a usual login is not told", mails.len() == 1, shown(&mails));
    }
    fail_and_sign_in(test, &app, &suspicious)?;
    let mails = sink.wait(&suspicious.email, 2, MAIL);
    test.refuses("a login after five failures is told to the owner", mails.len() == 2, shown(&mails));
    fail_and_sign_in(test, &app, &suspicious)?;
    silence::after_mails(&app)?;
    let mails = sink.to(&suspicious.email);
    test.refuses("a second one within the hour is not told again", mails.len() <= 2, shown(&mails));
    Ok(())
}

fn fail_and_sign_in(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    for _ in 0..FAILURES {
        app.client().login(&person.email, &random::password())?;
    }
    let right = app.client().login(&person.email, &person.password)?;
    test.works("LOGIN takes the right password after failures below the limit", right.succeeded(), &right)
}

fn shown(mails: &[Mail]) -> String {
    let all: Vec<String> = mails.iter().map(|mail| format!("{}: {}", mail.subject, mail.text)).collect();
    format!("{} mails\n{}", mails.len(), all.join("\n---\n"))
}

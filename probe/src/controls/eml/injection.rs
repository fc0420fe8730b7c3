//! One request, one mail, one recipient.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    client::{Client, encoded},
    contract::Encoding,
    controls::silence,
    http::{Answer, Request},
    lab::App,
    mail::Mail,
    people::{MAIL, Person},
    random,
    test::{Outcome, Test},
};

/// Only one valid address gets a mail, whatever was sent as address.
pub(super) fn one_recipient(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    plain(test, &app)?;
    let (_, member) = app.member()?;
    let mut tried = vec![];
    for (name, make) in CASES {
        tried.extend(case(&app, &member, name, *make)?);
    }
    silence::after_mails(&app)?;
    let mails = app.mail_channel()?.all();
    for one in &tried {
        judge(test, one, &mails);
    }
    Ok(())
}

/// What is looked at is real: a right address gets one mail, in the envelope and in `To`.
fn plain(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = app.person()?;
    app.client().forgot(&person.email)?;
    app.token("FORGOT", &person.email, 1)?;
    let mails = app.mail_channel()?.wait(&person.email, 2, MAIL);
    let right = mails.iter().all(|mail| mail.to == [person.email.clone()] && head(mail).contains(&person.email));
    test.works("FORGOT mails the address that it was given", right && mails.len() == 2, format!("{mails:?}"))
}

/// The headers, unfolded.
fn head(mail: &Mail) -> String {
    let raw = String::from_utf8_lossy(&mail.raw).replace("\r\n", "\n");
    let head = raw.split_once("\n\n").map_or(raw.as_str(), |(head, _)| head);
    head.replace("\n ", " ").replace("\n\t", " ")
}

/// What stands in the place of an address.
enum Field {
    Value(Value),
    /// Two of the field, under this name, in a body of this encoding.
    Twice(Encoding, fn(&str) -> String),
}

struct Names {
    victim: String,
    evil: String,
}

type Case = (&'static str, fn(&Names) -> Field);

const CASES: &[Case] = &[
    ("a list", |names| Field::Value(json!([names.victim, names.evil]))),
    ("a list, the other way round", |names| Field::Value(json!([names.evil, names.victim]))),
    ("two with a comma", |names| Field::Value(json!(format!("{},{}", names.victim, names.evil)))),
    ("two with a semicolon", |names| Field::Value(json!(format!("{};{}", names.victim, names.evil)))),
    ("two with a space", |names| Field::Value(json!(format!("{} {}", names.victim, names.evil)))),
    ("a header", |names| Field::Value(json!(format!("{}\r\nBcc: {}", names.victim, names.evil)))),
    ("a header after a line feed", |names| Field::Value(json!(format!("{}\nCc: {}", names.victim, names.evil)))),
    ("an encoded header", |names| Field::Value(json!(format!("{}%0aCc:{}", names.victim, names.evil)))),
    ("an address as name", |names| Field::Value(json!(format!("{} <{}>", names.evil, names.victim)))),
    ("a quoted address as name", |names| Field::Value(json!(format!("\"{}\" <{}>", names.victim, names.evil)))),
    ("a quoted local part", |names| Field::Value(json!(quoted(names)))),
    ("an object", |names| Field::Value(json!({ "0": names.victim, "1": names.evil }))),
    ("a null byte", |names| Field::Value(json!(format!("{}\0{}", names.victim, names.evil)))),
    ("the field twice", |_| Field::Twice(Encoding::Json, str::to_owned)),
    ("a form with the field twice", |_| Field::Twice(Encoding::Form, str::to_owned)),
    ("a form with a list", |_| Field::Twice(Encoding::Form, |field| format!("{field}[]"))),
];

fn quoted(names: &Names) -> String {
    let domain = names.victim.split('@').nth(1).unwrap_or_default();
    format!("\"{}\"@{domain}", names.evil)
}

/// One request with what came of it.
struct Tried {
    role: &'static str,
    name: &'static str,
    names: Names,
    /// Mails that the victim had before.
    before: usize,
    answer: Answer,
}

/// The case in every role that sends mail, each with a victim of its own.
fn case(app: &Arc<App>, member: &Client, name: &'static str, make: fn(&Names) -> Field) -> Outcome<Vec<Tried>> {
    let evil = || format!("evil{}@attacker.test", random::letters(14));
    let mut tried = vec![];
    let mut send = |role: &'static str, mut client: Client, victim: &Person, before: usize| {
        let names = Names { victim: victim.email.clone(), evil: evil() };
        let request = request(&client, role, &make(&names), &names)?;
        let answer = client.send(&request)?;
        tried.push(Tried { role, name, names, before, answer });
        Outcome::Ok(())
    };
    send("REGISTER", app.client(), &Person::new(), 0)?;
    let unconfirmed = Person::new();
    app.registered(&unconfirmed)?;
    send("RESEND", app.client(), &unconfirmed, 1)?;
    send("FORGOT", app.client(), &app.person()?, 1)?;
    send("EMAIL_CHANGE", member.elsewhere(), &Person::new(), 0)?;
    Ok(tried)
}

fn request(client: &Client, role: &str, field: &Field, names: &Names) -> Outcome<Request> {
    let mut call = client.app.role(role)?;
    if call.role().fields.contains_key("password") {
        call = call.field("password", random::password());
    }
    let (encoding, rename) = match field {
        Field::Value(value) => return client.guarded(&call.field("email", value.clone())),
        Field::Twice(encoding, rename) => (*encoding, rename),
    };
    let name = call.role().fields.get("email").map_or("email", String::as_str).to_owned();
    let pair = |name: &str, value: &str| match encoding {
        Encoding::Json => format!("{}:{}", json!(name), json!(value)),
        Encoding::Form => format!("{}={}", encoded(name), encoded(value)),
    };
    let request = client.guarded(&call.field("email", names.victim.as_str()).encoding(encoding))?;
    let between = if encoding == Encoding::Json { "," } else { "&" };
    let new = rename(&name);
    let two = [pair(&new, &names.victim), pair(&new, &names.evil)].join(between);
    let body = String::from_utf8_lossy(&request.body).replace(&pair(&name, &names.victim), &two);
    Ok(request.body(body))
}

fn judge(test: &mut Test<'_>, tried: &Tried, mails: &[Mail]) {
    let Tried { role, name, names, before, answer } = tried;
    let right = answer.denied() || answer.succeeded();
    test.refuses(&format!("{role} with {name} is refused or taken, and does not break"), right, answer);
    let to_evil: Vec<&Mail> = mails.iter().filter(|mail| concerns(mail, names)).collect();
    let seen = format!("{to_evil:?}\n{}", answer.exchange());
    test.refuses(&format!("{role} with {name} mails nobody but one address"), to_evil.is_empty(), seen);
    // What is taken is taken as one address, which then gets its mail.
    let to_victim = mails.iter().filter(|mail| mail.to.iter().any(|to| to.contains(&local(&names.victim)))).count();
    let to_quoted = mails.iter().filter(|mail| mail.to == [quoted(names)]).count();
    let count = to_victim - before.min(&to_victim) + to_quoted;
    let makes_an_account = *role == "REGISTER" || *role == "EMAIL_CHANGE";
    let allowed = if answer.succeeded() && makes_an_account { count == 1 } else { count <= 1 };
    let seen = format!("{count} mails\n{}", answer.exchange());
    test.refuses(&format!("{role} with {name} sends one mail, or none if it is refused"), allowed, seen);
}

/// A mail that goes to the second address too, or names it where programs read addresses.
fn concerns(mail: &Mail, names: &Names) -> bool {
    let evil = local(&names.evil);
    let alone = mail.to == [quoted(names)];
    let reaches = mail.to.len() > 1 && mail.to.contains(&names.victim);
    !alone
        && (reaches
            || mail.to.iter().any(|to| to.contains(&evil))
            || head(mail).contains(&evil)
            || mail.text.contains(&evil))
}

fn local(address: &str) -> String {
    address.split('@').next().unwrap_or_default().to_owned()
}

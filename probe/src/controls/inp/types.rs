//! Values of a type that was not asked for.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::super::{acts::with_tokens, pwd::with_password};
use crate::{
    client::{Call, Client},
    contract::Encoding,
    lab::App,
    people::{Person, email},
    random,
    test::{Outcome, Stop, Test},
};

/// A field is a text: objects, lists, numbers and nothing are refused, wherever one is asked for.
pub(super) fn strict(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    if !app.providers.is_empty() {
        travels(test, &app)?;
    }
    if test.has("tokens") {
        tokens(test, &app)?;
    }
    if app.has_passwords() { accounts(test, &app) } else { Ok(()) }
}

/// What sends a browser to a provider is told where to go afterwards, in a text.
fn travels(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (_, client) = app.member()?;
    for (role, call) in app.departures()? {
        if !call.role().fields.contains_key("next") {
            continue;
        }
        for value in others("/").into_iter().flatten() {
            let kind = kind(Some(&value));
            let answer = client.elsewhere().call(&call.clone().field("next", value))?;
            test.refuses(&format!("{role} refuses {kind} as `next`"), answer.denied(), &answer);
        }
        let call = call.field("next", "/");
        bodies(test, &client, &call)?;
        let answer = client.elsewhere().call(&call)?;
        test.works(&format!("{role} takes a text"), answer.succeeded(), &answer)?;
    }
    Ok(())
}

/// What people send about accounts with passwords.
fn accounts(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    // Digits alone, so that a number can stand for it.
    let person = app.account(with_password(&digits()))?;
    let client = app.signed_in(&person)?;
    let rights = Rights::new(app, &person, &client)?;
    for role in ROLES {
        let call = app.role(role)?;
        let names: Vec<String> = call.role().fields.keys().cloned().collect();
        for name in &names {
            for value in others(&rights.of(role, name)?) {
                let kind = kind(value.as_ref());
                let call = rights.filled(call.clone(), name)?;
                let call = value.into_iter().fold(call, |call, value| call.field(name, value));
                let answer = client.elsewhere().call(&call)?;
                test.refuses(&format!("{role} refuses {kind} as `{name}`"), answer.denied(), &answer);
            }
        }
        bodies(test, &client, &rights.filled(call, "")?)?;
    }
    brackets(test, app)?;
    nothing_was_done(test, app, &person, &rights)
}

const ROLES: [&str; 10] =
    ["REGISTER", "LOGIN", "VERIFY", "RESEND", "FORGOT", "RESET", "PWCHANGE", "REAUTH", "EMAIL_CHANGE", "EMAIL_CONFIRM"];

/// What devices send: a right value in each field but one.
fn tokens(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, device) = app.device()?;
    for (client, call) in &with_tokens(app, &person, &device)? {
        let names: Vec<(String, String)> = call.role().fields.clone().into_iter().collect();
        for (name, sent) in names.iter().filter(|(_, sent)| call.fields().contains_key(sent)) {
            let right = call.fields()[sent].as_str().unwrap_or_default();
            // A scope or a name of the device need not be said.
            let said = others(right).into_iter().flatten().filter(|value| !value.is_null());
            for value in said.chain(REQUIRED.contains(&name.as_str()).then_some(Value::Null)) {
                let kind = kind(Some(&value));
                let answer = client.elsewhere().call(&call.clone().field(name, value))?;
                test.refuses(&format!("{} refuses {kind} as `{name}`", call.name()), answer.denied(), &answer);
            }
        }
        bodies(test, client, call)?;
    }
    test.works("the device's tokens work after all of this", device.refreshed()?.works()?, device.access.as_str())
}

/// Fields of devices without which nothing can be granted.
const REQUIRED: [&str; 4] = ["refresh_token", "token", "email", "password"];

fn digits() -> String {
    // No zero at the start, which a number would lose, and few enough that it fits.
    let rest: String = (0..17).map(|_| char::from(b'0' + u8::try_from(random::below(10)).unwrap_or(0))).collect();
    format!("{}{rest}", 1 + random::below(9))
}

/// What would be right in each field, so that a value is refused for its type alone.
struct Rights {
    person: Person,
    waiting: Person,
    /// Of a role, mailed to whom it concerns.
    verify: String,
    reset: String,
    confirm: String,
    /// An address that must get no mail.
    stranger: String,
}

impl Rights {
    fn new(app: &Arc<App>, person: &Person, client: &Client) -> Outcome<Self> {
        let waiting = Person::new();
        let verify = app.registered(&waiting)?;
        app.client().forgot(&person.email)?;
        let reset = app.token("FORGOT", &person.email, 1)?;
        let new = email();
        client.elsewhere().call(&app.role("EMAIL_CHANGE")?.field("email", new.as_str()))?;
        let confirm = app.token("EMAIL_CHANGE", &new, 1)?;
        Ok(Self { person: person.clone(), waiting, verify, reset, confirm, stranger: email() })
    }

    fn of(&self, role: &str, field: &str) -> Outcome<String> {
        let text = match (role, field) {
            ("VERIFY", "token") => &self.verify,
            ("EMAIL_CONFIRM", "token") => &self.confirm,
            (_, "token") => &self.reset,
            ("VERIFY", "password") => &self.waiting.password,
            ("RESEND", "email") => &self.waiting.email,
            ("REGISTER" | "EMAIL_CHANGE", "email") => &self.stranger,
            (_, "email") => &self.person.email,
            (_, "password" | "current_password" | "new_password") => &self.person.password,
            _ => return Err(Stop::Missing(format!("the contract has `{field}` in {role}, which is not known"))),
        };
        Ok(text.clone())
    }

    /// The call with right values in all fields but one.
    fn filled(&self, call: Call, except: &str) -> Outcome<Call> {
        let (role, mut call) = (call.name().to_owned(), call);
        let names: Vec<String> = call.role().fields.keys().filter(|name| *name != except).cloned().collect();
        for name in names {
            call = call.field(&name, self.of(&role, &name)?);
        }
        Ok(call)
    }
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a truth value",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}

/// Instead of the right value; `None` is to leave the field out.
fn others(right: &str) -> Vec<Option<Value>> {
    let mut others = vec![
        json!({ "$ne": null }),
        json!({ "$gt": "" }),
        json!([]),
        json!([right]),
        json!([[right]]),
        json!([right, "other@mail.test"]),
        json!({ "toString": right }),
        json!({ "length": 20 }),
        json!({ "": right }),
        json!(0),
        json!(1),
        json!(true),
        Value::Null,
    ];
    others.extend(right.parse::<u64>().map(Value::from));
    others.into_iter().map(Some).chain([None]).collect()
}

/// Bodies that are no object, of right values as far as they have any.
fn bodies(test: &mut Test<'_>, client: &Client, call: &Call) -> Outcome {
    if client.app.contract.encoding != Encoding::Json {
        return Ok(());
    }
    let object = Value::Object(call.fields().clone());
    let values = Value::Array(call.fields().values().cloned().collect());
    let bodies = [values, json!([object]), json!(object.to_string()), Value::Null, json!(true), json!(7), json!([])];
    for body in bodies {
        let request = client.guarded(call)?.body(body.to_string());
        let answer = client.elsewhere().send(&request)?;
        test.refuses(
            &format!("{} refuses a body that is {}", call.name(), kind(Some(&body))),
            answer.denied(),
            &answer,
        );
    }
    Ok(())
}

/// Operators as parsers of forms make them from names.
fn brackets(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let call = app.role("LOGIN")?;
    for operator in ["$ne", "$gt", "$regex", ""] {
        let name = |field: &str| call.role().fields.get(field).map_or(field, String::as_str).to_owned();
        let body = format!("{}[{operator}]=x&{}[{operator}]=x", name("email"), name("password"));
        let request = app.client().guarded(&call.clone().field("email", ""))?;
        let request = request.with("Content-Type", "application/x-www-form-urlencoded").body(body);
        let answer = app.client().send(&request)?;
        test.refuses(&format!("LOGIN refuses fields with [{operator}]"), answer.denied(), &answer);
    }
    Ok(())
}

/// All that was refused had no effect, and would have had one if it had not been refused.
fn nothing_was_done(test: &mut Test<'_>, app: &Arc<App>, person: &Person, rights: &Rights) -> Outcome {
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("the password is as it was", login.succeeded(), &login);
    let verified = app.client().verify(&rights.verify, &rights.waiting.password)?;
    test.refuses("the link to confirm an address is not used up", verified.succeeded(), &verified);
    let reset = app.client().reset(&rights.reset, &random::password())?;
    test.refuses("the link to a new password is not used up", reset.succeeded(), &reset);
    app.client().forgot(&person.email)?;
    app.token("FORGOT", &person.email, 2)?;
    let links = app.tokens("FORGOT", &person.email, 0, Duration::ZERO)?.len();
    test.refuses("FORGOT mailed nothing for what it refused", links == 2, format!("{links} links came"));
    let strangers = app.mail_channel()?.to(&rights.stranger).len();
    test.refuses("nobody else got a mail", strangers == 0, format!("{strangers} mails came"));
    Ok(())
}

//! Accounts whose mailbox is not proven.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::doors::Door;
use crate::{
    client::Client,
    lab::App,
    people::Person,
    random,
    test::{Outcome, Test},
};

/// Until the mailbox is proven, the right password gives no session.
pub(super) fn no_session(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, mut browser) = (Person::new(), app.client());
    let answer = browser.register(&person)?;
    test.works("REGISTER takes a new account", answer.succeeded(), &answer)?;
    let token = app.token("REGISTER", &person.email, 1)?;
    refused(test, &app, &person, &mut browser)?;
    refused(test, &app, &person, &mut app.client())?;
    told_to_owner_only(test, &app, &person)?;
    claimed(test, &app)?;
    let verified = app.client().verify(&token, &person.password)?;
    test.works("VERIFY takes the mailed token", verified.succeeded(), &verified)?;
    if test.has("tokens") {
        let device = app.device_of(&person)?;
        test.works("after VERIFY, tokens work", device.works()?, device.access.as_str())?;
    }
    let client = app.signed_in(&person)?;
    for role in ["PROTECTED", "SESSIONS"] {
        let answer = client.copy().get(role)?;
        test.works(&format!("after VERIFY, {role} works"), answer.succeeded(), &answer)?;
    }
    Ok(())
}

fn refused(test: &mut Test<'_>, app: &Arc<App>, person: &Person, client: &mut Client) -> Outcome {
    let login = client.login(&person.email, &person.password)?;
    test.refuses("LOGIN gives no session before the mailbox is proven", login.denied(), &login);
    let known = login.status == 403 && login.is_code("email_unverified");
    test.refuses("with the right password LOGIN says that the address is not confirmed", known, &login);
    if Door::all(test, app)?.contains(&Door::Device) {
        let token = Door::Device.enter(client, &person.email, &person.password)?;
        test.refuses("TOKEN gives no token before the mailbox is proven", token.denied(), &token);
        let known = token.status == 403 && token.is_code("email_unverified");
        test.refuses("with the right password TOKEN says that the address is not confirmed", known, &token);
    }
    for role in ["ME", "PROTECTED", "SESSIONS"] {
        let answer = client.copy().get(role)?;
        test.refuses(&format!("{role} is closed before the mailbox is proven"), answer.denied(), &answer);
    }
    let changed = client.copy().change_password(&person.password, &random::password())?;
    test.refuses("PWCHANGE is closed before the mailbox is proven", changed.denied(), &changed);
    let again = app.client().login(&person.email, &person.password)?;
    test.refuses("the right password stays the right one", again.is_code("email_unverified"), &again);
    Ok(())
}

fn told_to_owner_only(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let wrong = app.client().login(&person.email, &random::password())?;
    let other = app.client().login(&Person::new().email, &random::password())?;
    let seen = format!("unconfirmed:\n{}\nunknown:\n{}", wrong.exchange(), other.exchange());
    let same = wrong.denied() && wrong.look() == other.look();
    test.refuses("with a wrong password LOGIN does not tell an unconfirmed address from an unknown one", same, seen);
    Ok(())
}

/// A client says itself that its address is confirmed.
fn claimed(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    for value in [json!(true), json!(1), json!(1_700_000_000), json!("2026-01-01T00:00:00Z")] {
        let (person, mut client) = (Person::new(), app.client());
        let call = app.role("REGISTER")?.field("email", person.email.as_str());
        let call = call.field("password", person.password.as_str());
        let registered = client.call(&claims(app, &value).into_iter().fold(call, with))?;
        test.refuses("a claim at REGISTER does not break it", !registered.broke(), &registered);
        let call = app.role("LOGIN")?.field("email", person.email.as_str());
        let call = call.field("password", person.password.as_str());
        let login = client.call(&claims(app, &value).into_iter().fold(call, with))?;
        test.refuses("a client cannot say itself that its address is confirmed", login.denied(), &login);
        test.refuses("a claim gives no session", !client.is_signed_in()?, &login);
    }
    Ok(())
}

fn with(call: crate::client::Call, (name, value): (String, Value)) -> crate::client::Call {
    call.field(&name, value)
}

/// Names that are usual, and those that this application has for it.
fn claims(app: &App, value: &Value) -> Vec<(String, Value)> {
    let usual = ["email_verified", "emailVerified", "verified", "verified_at", "is_verified", "confirmed", "is_active"];
    let mut names: Vec<String> = usual.map(ToOwned::to_owned).to_vec();
    let column = app.db().ok().and_then(|db| db.column("users", "verified").ok());
    let shown = app.contract.roles.get("ME").and_then(|role| role.extract.get("email_verified"));
    let shown = shown.and_then(|pointer| Some(pointer.rsplit('/').next()?.to_owned()));
    names.extend(column.into_iter().chain(shown));
    names.sort();
    names.dedup();
    names.into_iter().map(|name| (name, value.clone())).collect()
}

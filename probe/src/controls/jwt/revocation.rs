//! What ends a session ends the access tokens, at their next use.

use std::sync::Arc;

use crate::{
    client::Client,
    contract::Revocation,
    devices::Device,
    lab::App,
    people::Person,
    random,
    test::{Outcome, Stop, Test},
};

/// The longest life of access tokens that are not looked up.
const LONGEST: i64 = 300;

/// Each way to end tokens, in fresh accounts, with another account's device as the bystander.
pub(super) fn reaches_access_tokens(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (_, bystander) = app.device()?;
    given_back(test, &app)?;
    by_device_list(test, &app)?;
    by_session(test, &app)?;
    by_credentials(test, &app)?;
    by_everything(test, &app)?;
    by_deletion(test, &app)?;
    spared(test, "another account's device, through all of this", &bystander)?;
    test.needs_start()?;
    for command in ["revoke", "disable"] {
        let (person, device) = app.device()?;
        alive(test, "a device", &device)?;
        let (succeeded, output) = test.lab.operator(&app, command, &person.email)?;
        test.works(&format!("the operator's command `{command}` succeeds"), succeeded, output)?;
        ended(test, &format!("the operator's `{command}`"), &device)?;
    }
    spared(test, "another account's device, through all of this", &bystander)
}

/// It works at each process, so that each has seen it and may remember it.
pub(in crate::controls) fn alive(test: &mut Test<'_>, what: &str, device: &Device) -> Outcome {
    let answers = device.everywhere()?;
    let dead = answers.iter().find(|answer| !answer.succeeded());
    let seen = dead.map_or_else(String::new, crate::http::Answer::exchange);
    test.works(&format!("the access token of {what} works at each process"), dead.is_none(), seen)
}

/// What was done to others has not ended it: its access token still works at each process.
pub(in crate::controls) fn spared(test: &mut Test<'_>, what: &str, device: &Device) -> Outcome {
    for answer in device.everywhere()? {
        test.refuses(&format!("the access token of {what} still works"), answer.succeeded(), &answer);
    }
    Ok(())
}

/// Neither of its tokens works at any process.
pub(in crate::controls) fn ended(test: &mut Test<'_>, what: &str, device: &Device) -> Outcome {
    if device.app.tokens_table()?.revocation == Revocation::Ttl {
        let token = device.token()?;
        let life = token.number("exp").zip(token.number("iat")).map(|(end, start)| end - start);
        let short = life.is_some_and(|life| life <= LONGEST);
        test.refuses("an access token that is not looked up lives five minutes at most", short, format!("{token:?}"));
    } else {
        for answer in device.everywhere()? {
            test.refuses(&format!("an access token is dead after {what}"), answer.denied(), &answer);
        }
    }
    let answer = device.refreshing()?;
    test.refuses(&format!("a refresh token is dead after {what}"), answer.denied(), &answer);
    Ok(())
}

/// The device gives its token back.
fn given_back(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, device) = app.device()?;
    let other = app.device_of(&person)?;
    alive(test, "a device", &device)?;
    let answer = app.revoke(&device.refresh)?;
    test.works("TOKEN_REVOKE takes a refresh token", answer.succeeded(), &answer)?;
    ended(test, "TOKEN_REVOKE", &device)?;
    spared(test, "the same account's other device", &other)
}

/// Somebody ends a device that they see in the list.
fn by_device_list(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, device) = app.device()?;
    let (browser, other) = (app.signed_in(&person)?, app.device_of(&person)?);
    for device in [&device, &other] {
        alive(test, "a device", device)?;
    }
    let id = super::super::acts::device_id(&device)?;
    let answer = browser.copy().call(&app.role("DEVICE_REVOKE")?.segment("id", &id))?;
    test.works("DEVICE_REVOKE takes a device of the list", answer.succeeded(), &answer)?;
    ended(test, "DEVICE_REVOKE", &device)?;
    spared(test, "the same account's other device", &other)
}

/// What hangs on a session ends with it.
fn by_session(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    if !app.grants_by_session()? {
        return Ok(());
    }
    let person = app.person()?;
    let independent = if app.grants_by_password()? { Some(app.device_of(&person)?) } else { None };
    let mut browser = app.signed_in(&person)?;
    let device = app.device_by_session(&browser)?;
    alive(test, "a device that hangs on a session", &device)?;
    let answer = browser.logout()?;
    test.works("LOGOUT is answered with success", answer.succeeded(), &answer)?;
    ended(test, "LOGOUT of its session", &device)?;
    if let Some(independent) = independent {
        spared(test, "a device that hangs on no session", &independent)?;
    }
    let (browser, other) = (app.signed_in(&person)?, app.signed_in(&person)?);
    let device = app.device_by_session(&other)?;
    alive(test, "a device that hangs on a session", &device)?;
    let call = app.role("SESSION_REVOKE")?.segment("id", &super::super::acts::own_id(&other)?);
    let answer = browser.copy().call(&call)?;
    test.works("SESSION_REVOKE takes the name of a session", answer.succeeded(), &answer)?;
    ended(test, "SESSION_REVOKE of its session", &device)
}

/// Another password, set or reset.
fn by_credentials(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    if !app.has_passwords() {
        return Ok(());
    }
    for role in ["PWCHANGE", "RESET"] {
        let (person, device) = app.device()?;
        alive(test, "a device", &device)?;
        let answer = if role == "PWCHANGE" {
            app.signed_in(&person)?.change_password(&person.password, &random::password())?
        } else {
            app.client().forgot(&person.email)?;
            app.client().reset(&app.token("FORGOT", &person.email, 1)?, &random::password())?
        };
        test.works(&format!("{role} is answered with success"), answer.succeeded(), &answer)?;
        ended(test, role, &device)?;
    }
    Ok(())
}

/// Somebody ends all that is theirs elsewhere.
fn by_everything(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, device) = app.device()?;
    alive(test, "a device", &device)?;
    let mut browser = app.signed_in(&person)?;
    let answer = browser.get("REVOKE_ALL_OTHERS")?;
    test.works("REVOKE_ALL_OTHERS is answered with success", answer.succeeded(), &answer)?;
    ended(test, "REVOKE_ALL_OTHERS", &device)
}

fn by_deletion(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, device): (Person, Device) = app.device()?;
    alive(test, "a device", &device)?;
    let browser: Client = app.signed_in(&person)?;
    let answer = browser.copy().get("DELETE_ACCOUNT")?;
    if !answer.succeeded() {
        return Err(Stop::Positive("DELETE_ACCOUNT is answered with success".to_owned(), answer.exchange()));
    }
    ended(test, "DELETE_ACCOUNT", &device)
}

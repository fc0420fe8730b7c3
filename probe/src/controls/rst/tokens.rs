//! What a mailed token can do: replace the password once, in time, the newest, and nothing else.

use std::{sync::Arc, thread, time::Duration};

use super::forgotten;
use crate::{
    client::Client,
    http::Answer,
    lab::{App, Setup, Started},
    people::{self, Person},
    random,
    test::{Outcome, Test},
};

/// A reset token changes the password at most once, and a password that is refused does not use it up.
pub(super) fn once(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let person = app.person()?;
    let token = forgotten(&app, &person, 0)?;
    let (first, second) = (random::password(), random::password());
    let answer = app.client().reset(&token, &first)?;
    test.works("RESET takes the mailed token", answer.succeeded(), &answer)?;
    let again = app.client().reset(&token, &second)?;
    test.refuses("a reset token works only once", again.denied(), &again);
    let login = app.client().login(&person.email, &second)?;
    test.refuses("a used token sets no password", login.denied(), &login);
    let login = app.client().login(&person.email, &first)?;
    test.refuses("the password of the first reset stays", login.succeeded(), &login);
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("the forgotten password no longer works", login.denied(), &login);
    refused_password(test, &app)
}

/// Requests with a token that a source may make in a minute.
const LIMIT: usize = 20;

fn refused_password(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = app.person()?;
    let token = forgotten(app, &person, 0)?;
    let (mut client, mut throttled) = (app.client(), false);
    for _ in 0..=LIMIT {
        let answer = client.reset(&token, "short")?;
        test.refuses("RESET refuses a password against the policy", answer.denied(), &answer);
        throttled |= answer.throttled();
    }
    test.refuses("refused passwords count for the source's limit", throttled, format!("{LIMIT} and one requests"));
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("a refused password changes nothing", login.succeeded(), &login);
    let answer = app.client().reset(&token, &random::password())?;
    test.refuses("a refused password does not use the token up", answer.succeeded(), &answer);
    Ok(())
}

/// A day: no setting may let a token live longer.
const CEILING: u64 = 86_400;

/// A reset token works for a short time, and no setting makes that long.
pub(super) fn in_time(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("reset_token", 1))?;
    let person = app.person()?;
    let token = forgotten(&app, &person, 0)?;
    thread::sleep(Duration::from_millis(2100));
    let new = random::password();
    let late = app.client().reset(&token, &new)?;
    test.refuses("a reset token does not work after its time", late.denied(), &late);
    let login = app.client().login(&person.email, &new)?;
    test.refuses("a token that came too late sets no password", login.denied(), &login);
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("after a token that came too late the old password works", login.succeeded(), &login);
    beyond_a_day(test)
}

fn beyond_a_day(test: &mut Test<'_>) -> Outcome {
    let what = "reset tokens of more than a day are an error of the start";
    match test.lab.start(&Setup::default().set("reset_token", CEILING + 1))? {
        Started::Ended { code, output, .. } => test.refuses(what, code != Some(0), output),
        Started::Silent { output } => test.refuses(what, false, format!("it neither ended nor answered:\n{output}")),
        // It may listen before it reads its settings: then nothing is answered, and it ends.
        Started::Up(app) => {
            let app = Arc::new(*app);
            let answered = app.client().me();
            test.refuses(what, answered.is_err(), answered.map(|answer| answer.exchange()).unwrap_or_default());
        }
    }
    Ok(())
}

/// A newer token, a new password, a new address and an operator void those that were mailed before.
pub(super) fn only_the_newest(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    newer_request(test, &app)?;
    new_password(test, &app)?;
    new_address(test, &app)?;
    disabled(test, &app)
}

fn newer_request(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, other) = (app.person()?, app.person()?);
    let others = forgotten(app, &other, 0)?;
    let old = forgotten(app, &person, 0)?;
    let new = forgotten(app, &person, 1)?;
    is_void(test, app, "a newer request", &person, &old)?;
    // An old token that worked has voided the new one.
    let answer = app.client().reset(&new, &random::password())?;
    test.refuses("the newest token works", answer.succeeded(), &answer);
    let answer = app.client().reset(&others, &random::password())?;
    test.refuses("a request for one account voids no token of another", answer.succeeded(), &answer);
    Ok(())
}

/// The token is refused, and the password it would have set does not work.
fn is_void(test: &mut Test<'_>, app: &Arc<App>, by: &str, person: &Person, token: &str) -> Outcome {
    let password = random::password();
    let answer = app.client().reset(token, &password)?;
    test.refuses(&format!("{by} voids the reset token that was mailed before"), answer.denied(), &answer);
    let login = app.client().login(&person.email, &password)?;
    test.refuses(&format!("after {by} an older token sets no password"), login.denied(), &login);
    Ok(())
}

fn new_password(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, mut client) = app.member()?;
    let token = forgotten(app, &person, 0)?;
    let changed = client.change_password(&person.password, &random::password())?;
    test.works("PWCHANGE takes the right password", changed.succeeded(), &changed)?;
    is_void(test, app, "a new password", &person, &token)
}

fn new_address(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, mut client) = app.member()?;
    let token = forgotten(app, &person, 0)?;
    let target = people::email();
    client.call(&app.role("EMAIL_CHANGE")?.field("email", target.as_str()))?;
    let confirmation = app.token("EMAIL_CHANGE", &target, 1)?;
    let confirmed = client.call(&app.role("EMAIL_CONFIRM")?.field("token", confirmation.as_str()))?;
    test.works("EMAIL_CONFIRM takes the mailed token", confirmed.succeeded(), &confirmed)?;
    let moved = Person { email: target, ..person };
    is_void(test, app, "a new address", &moved, &token)
}

/// Where an operator can disable an account.
fn disabled(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let commands = &app.contract.operator;
    if !test.lab.starts() || !commands.contains_key("disable") || !commands.contains_key("enable") {
        return Ok(());
    }
    let person = app.person()?;
    let token = forgotten(app, &person, 0)?;
    for command in ["disable", "enable"] {
        let (done, output) = test.lab.operator(app, command, &person.email)?;
        test.works(&format!("the operator can {command} an account"), done, output)?;
        is_void(test, app, &format!("the operator's {command}"), &person, &token)?;
    }
    Ok(())
}

/// RESET and VERIFY prove a mailbox. They sign nobody in but the browser that registered.
pub(super) fn nobody_is_signed_in(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (member, signed_in) = app.member()?;
    let as_member = |client: &Client| -> Outcome<(bool, Answer)> {
        let me = client.copy().me()?;
        Ok((me.value("email").as_ref() == Some(&member.email), me))
    };
    for in_other in [false, true] {
        let jar = || if in_other { signed_in.elsewhere() } else { app.client() };
        let (person, new) = (app.person()?, random::password());
        let token = forgotten(&app, &person, 0)?;
        let mut resetting = jar();
        let reset = resetting.reset(&token, &new)?;
        test.works("RESET takes the mailed token", reset.succeeded(), &reset)?;
        let person = Person::new();
        let token = app.registered(&person)?;
        let mut verifying = jar();
        let verify = verifying.verify(&token, &person.password)?;
        test.works("VERIFY takes the mailed token", verify.succeeded(), &verify)?;
        for (role, client, answer) in [("RESET", resetting, reset), ("VERIFY", verifying, verify)] {
            test.refuses(&format!("{role} makes no session"), !answer.sets_session(), &answer);
            let (is_member, me) = as_member(&client)?;
            let what = format!(
                "{role} in a browser {}",
                if in_other { "leaves its user signed in" } else { "signs nobody in" }
            );
            test.refuses(&what, if in_other { is_member } else { me.denied() }, &me);
        }
    }
    other_registers(test, &app, signed_in.elsewhere(), &member)?;
    leads_to_login(test, &app)
}

/// In the browser of somebody who is signed in, another account is registered and confirmed.
fn other_registers(test: &mut Test<'_>, app: &Arc<App>, mut client: Client, member: &Person) -> Outcome {
    let person = Person::new();
    client.register(&person)?;
    let token = app.token("REGISTER", &person.email, 1)?;
    let verify = client.verify(&token, &person.password)?;
    test.works("VERIFY takes the token in the browser that registered", verify.succeeded(), &verify)?;
    let me = client.me()?;
    let stays = me.value("email").as_ref() == Some(&member.email);
    test.refuses("confirming another account leaves the user of a browser signed in", stays, &me);
    Ok(())
}

/// Where there are pages, the form leads to the login.
fn leads_to_login(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    if app.contract.pages.is_none() {
        return Ok(());
    }
    let person = app.person()?;
    let token = forgotten(app, &person, 0)?;
    let form = app.form("RESET")?.field("token", token).field("password", random::password());
    let mut client = app.client();
    let answer = client.call(&form)?;
    let login = app.page("LOGIN")?;
    let to = answer.header("location").unwrap_or_default();
    let leads = to.strip_prefix(app.origin.as_str()).unwrap_or(to).split(['?', '#']).next() == Some(login.path());
    test.refuses("the form of RESET leads to the login", answer.succeeded() && leads, &answer);
    test.refuses("the form of RESET signs nobody in", !client.is_signed_in()?, &answer);
    Ok(())
}

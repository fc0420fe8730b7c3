//! What throttles must not do: tell who has an account, or keep its owner out.

use std::sync::Arc;

use super::{attempts, guess, is_evaluated, retry_after, wait};
use crate::{
    http::Answer,
    lab::{App, Setup},
    people::{self, Person},
    random,
    test::{Outcome, Test},
};

/// Unknown addresses are throttled like known ones, waits end, and who asks for a reset changes nothing.
pub(super) fn no_oracle_no_lockout(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let person = app.person()?;
    app.signed_in(&person)?;
    no_oracle(test, &app, &person)?;
    mailbox_opens(test, &app, &person)?;
    time_opens(test)?;
    asking_changes_nothing(test, &app)
}

const STEPS: usize = 12;

/// The same steps for an address with account and one without, in turn, so that both see the same times.
fn no_oracle(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let unknown = people::email();
    for step in 1..=STEPS {
        let known = guess(&mut app.client(), &person.email)?;
        let other = guess(&mut app.client(), &unknown)?;
        if step == 1 {
            test.works("the first wrong password is refused, not throttled", is_evaluated(&known), &known)?;
        }
        let seen = format!("step {step}, with account:\n{}\nwithout:\n{}", known.exchange(), other.exchange());
        let same = known.look() == other.look() && same_wait(&known, &other);
        test.refuses("wrong passwords look the same with and without an account, throttled or not", same, seen);
    }
    Ok(())
}

/// A second may begin between two answers.
fn same_wait(a: &Answer, b: &Answer) -> bool {
    match (retry_after(a), retry_after(b)) {
        (Some(a), Some(b)) => a.abs_diff(b) <= 3,
        (a, b) => a == b,
    }
}

/// While the account waits, its owner can set a password by mail, which ends the wait.
fn mailbox_opens(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    app.client().forgot(&person.email)?;
    let token = app.token("FORGOT", &person.email, 1)?;
    let new = random::password();
    let reset = app.client().reset(&token, &new)?;
    test.works("RESET takes the mailed token while the account waits", reset.succeeded(), &reset)?;
    let login = app.client().login(&person.email, &new)?;
    test.refuses(
        "a password set by mail works at once, though the account was made to wait",
        login.succeeded(),
        &login,
    );
    Ok(())
}

fn time_opens(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("login_backoff", 1))?;
    let person = app.person()?;
    // A wait of a second may be over before the next guess; each guess doubles it.
    let guesses = attempts(STEPS, |_| guess(&mut app.client(), &person.email))?;
    test.refuses("wrong passwords make the account wait", guesses.tripped.is_some(), guesses.seen());
    wait(retry_after(&guesses.last).unwrap_or(1));
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("a wait ends by itself", login.succeeded(), &login);
    Ok(())
}

/// Ten strangers ask for a reset.
fn asking_changes_nothing(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, client) = app.member()?;
    for _ in 0..10 {
        let answer = app.client().forgot(&person.email)?;
        test.refuses("asking for a reset does not break", !answer.broke(), &answer);
    }
    app.token("FORGOT", &person.email, 1)?;
    let me = client.copy().me()?;
    test.refuses("asking for a reset ends no session", me.succeeded() && me.value("email").is_some(), &me);
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("asking for a reset leaves the password as it is", login.succeeded(), &login);
    Ok(())
}

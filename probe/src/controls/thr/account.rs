//! What wrong passwords do to one account, wherever they come from.

use std::sync::Arc;

use super::{attempts, guess, is_evaluated, retry_after, wait};
use crate::{
    client::Client,
    controls::{doors::Door, silence},
    http::Answer,
    lab::{App, Setup},
    people::{MAIL, Person},
    random,
    test::{Outcome, Test},
};

/// Long enough that a slow machine makes the next attempt before it is over.
const BACKOFF: u64 = 5;

/// A client of a network that nobody had before, IPv4 and IPv6 in turn.
fn stranger(app: &Arc<App>, number: usize) -> Client {
    let mut client = app.client();
    if number.is_multiple_of(2) {
        client.source = Some(format!("2001:db8:{:x}::7", 0x1000 + number));
    }
    client
}

/// Consecutive failures for one account make it wait, whatever the source address, and each time longer.
pub(super) fn account_waits(test: &mut Test<'_>) -> Outcome {
    test.app()?.role("LOGIN")?;
    let app = test.boot(&Setup::default().set("login_backoff", BACKOFF))?;
    let (patient, impatient) = (app.person()?, app.person()?);
    app.signed_in(&patient)?;
    let Some(first) = trip(test, &app, &patient)? else { return Ok(()) };
    while_waiting(test, &app, &patient)?;
    let Some(other) = trip(test, &app, &impatient)? else { return Ok(()) };
    wait(first.max(other));
    opens_again(test, &app, &patient)?;
    waits_longer(test, &app, &impatient, other)
}

/// Guesses until the account is closed, at all doors in turn; gives the seconds that it asks to wait.
fn trip(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome<Option<u64>> {
    let doors = Door::all(test, app)?;
    let mut first = None;
    let guesses = attempts(30, |number| {
        let answer = doors[number % doors.len()].guess(&mut stranger(app, number), &person.email)?;
        first.get_or_insert_with(|| answer.clone());
        Ok(answer)
    })?;
    if let Some(first) = first {
        test.works("the first wrong password is looked at", is_evaluated(&first), &first)?;
    }
    let in_time = guesses.tripped.is_some_and(|number| number <= 6);
    test.refuses(
        "the sixth wrong password for an account is not looked at, though each comes from another network",
        in_time,
        guesses.seen(),
    );
    let wait = retry_after(&guesses.last).filter(|_| guesses.tripped.is_some());
    test.refuses("the refusal says how long to wait", wait.is_some_and(|seconds| seconds >= 1), &guesses.last);
    Ok(wait)
}

fn while_waiting(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    for door in Door::all(test, app)? {
        let wrong = door.guess(&mut stranger(app, 41), &person.email)?;
        test.refuses("while an account waits, no wrong password is looked at", wrong.throttled(), &wrong);
        let mut owner = stranger(app, 42);
        let right = door.enter(&mut owner, &person.email, &person.password)?;
        test.refuses("while an account waits, the right password is not looked at either", right.throttled(), &right);
        test.refuses("while an account waits, nobody is signed in", !owner.is_signed_in()?, &right);
    }
    Ok(())
}

fn opens_again(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let right = app.client().login(&person.email, &person.password)?;
    test.refuses("after the time that was asked for, the right password works", right.succeeded(), &right);
    let again = attempts(3, |number| guess(&mut stranger(app, number), &person.email))?;
    test.refuses("the right password sets the count back", again.tripped.is_none(), again.seen());
    Ok(())
}

fn waits_longer(test: &mut Test<'_>, app: &Arc<App>, person: &Person, before: u64) -> Outcome {
    let second = attempts(6, |number| guess(&mut stranger(app, 50 + number), &person.email))?;
    let now = retry_after(&second.last).filter(|_| second.tripped.is_some());
    // Each number may have lost a second since the guess that set it.
    let has_grown = |seconds: u64| seconds > before + 1 && seconds + 1 >= 2 * before && seconds <= 3600;
    let seen = format!("first {before} s, then {now:?}; {}", second.seen());
    test.refuses("the second wait is at least twice as long as the first", now.is_some_and(has_grown), seen);
    Ok(())
}

/// So many failures in a row, without any wait between them, disable the password.
const CAP: usize = 4;

/// After a number of failures in a row the password is disabled, until its owner sets another by way of the mailbox.
pub(super) fn hard_cap(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("login_cap", CAP).set("login_failures", 10))?;
    let person = app.person()?;
    success_sets_back(test, &app, &person)?;
    let wrong = fail(&app, &person, CAP)?;
    let right = app.client().login(&person.email, &person.password)?;
    test.refuses("after the cap, the right password does not work", is_evaluated(&right), &right);
    test.refuses("after the cap, the right password looks like a wrong one", right.look() == wrong.look(), &right);
    fail(&app, &person, 1)?;
    one_notice(test, &app, &person)?;
    let token = reset_token(&app, &person)?;
    let new = random::password();
    let reset = app.client().reset(&token, &new)?;
    test.works("RESET takes the mailed token of an account at its cap", reset.succeeded(), &reset)?;
    let login = app.client().login(&person.email, &new)?;
    test.refuses("a password that was set by mail works at once", login.succeeded(), &login);
    Ok(())
}

fn fail(app: &Arc<App>, person: &Person, count: usize) -> Outcome<Answer> {
    let guesses = attempts(count, |_| guess(&mut app.client(), &person.email))?;
    Ok(guesses.last)
}

fn success_sets_back(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let first = fail(app, person, CAP - 1)?;
    test.works("a wrong password below the cap is looked at", is_evaluated(&first), &first)?;
    let right = app.client().login(&person.email, &person.password)?;
    test.works("below the cap the right password works", right.succeeded(), &right)?;
    fail(app, person, CAP - 1)?;
    let again = app.client().login(&person.email, &person.password)?;
    test.refuses("a right password sets the count of failures back", again.succeeded(), &again);
    Ok(())
}

/// Besides the mail of the registration.
fn one_notice(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let sink = app.mail_channel()?;
    sink.wait(&person.email, 2, MAIL);
    silence::after_mails(app)?;
    let mails = sink.to(&person.email);
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    let seen = format!("{} mails in all, the first confirms the address: {subjects:?}", mails.len());
    test.refuses("the owner is told once that the password was disabled", mails.len() == 2, seen);
    Ok(())
}

fn reset_token(app: &Arc<App>, person: &Person) -> Outcome<String> {
    app.client().forgot(&person.email)?;
    app.token("FORGOT", &person.email, 1)
}

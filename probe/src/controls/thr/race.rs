//! Guesses at one moment.

use std::sync::Arc;

use super::is_evaluated;
use crate::{
    client::Client,
    http::{Answer, Request},
    lab::App,
    parallel::at_once,
    people::Person,
    random,
    test::{Outcome, Test},
};

const ROUNDS: usize = 4;
const GUESSES: usize = 60;
/// Five, and one that a counter may be late by.
const ALLOWED: usize = 6;

/// Guesses that come at once are not looked at more often than those that come one after another.
pub(super) fn parallel_guesses(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for _ in 0..ROUNDS {
        let person = app.person()?;
        app.signed_in(&person)?;
        round(test, &app, &person)?;
    }
    Ok(())
}

fn guesses(app: &Arc<App>, person: &Person) -> Outcome<Vec<(Client, Request)>> {
    let one = |_| {
        let client = app.client();
        let call = app.role("LOGIN")?.field("email", person.email.as_str()).field("password", random::password());
        let request = client.guarded(&call)?;
        Ok((client, request))
    };
    (0..GUESSES).map(one).collect()
}

fn round(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let results = at_once(guesses(app, person)?);
    let answers: Vec<&Answer> = results.iter().flatten().collect();
    let evaluated = answers.iter().filter(|answer| is_evaluated(answer)).count();
    let throttled = answers.iter().filter(|answer| answer.throttled()).count();
    let seen = format!("{GUESSES} guesses at once: {evaluated} looked at, {throttled} throttled");
    test.works("a guess is looked at", evaluated > 0, seen.as_str())?;
    test.refuses("guesses at once are not looked at more often than one by one", evaluated <= ALLOWED, seen.as_str());
    let other = answers.iter().find(|answer| !is_evaluated(answer) && !answer.throttled());
    let whole = other.is_none() && answers.len() == GUESSES;
    let other = other.map(|answer| answer.exchange()).unwrap_or_default();
    test.refuses("each guess at once is refused in order", whole, format!("{seen}\n{other}"));
    counted(test, app, person, evaluated)
}

/// The account's own count, where it keeps one.
fn counted(test: &mut Test<'_>, app: &Arc<App>, person: &Person, evaluated: usize) -> Outcome {
    let db = app.database()?;
    if !db.has_column("users", "failures") {
        return Ok(());
    }
    let stored = db.one("users", "email", &person.email, "failures")?;
    let holds = stored.as_deref() == Some(evaluated.to_string().as_str());
    let seen = format!("{evaluated} guesses were looked at, {stored:?} are stored");
    test.refuses("no guess that was looked at is missing from the account's count", holds, seen);
    Ok(())
}

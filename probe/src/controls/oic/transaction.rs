//! A visit to a provider counts once, and not for long.

use std::{thread, time::Duration};

use serde_json::json;

use super::{Trip, not_redeemed, turned_away};
use crate::{
    client::Client,
    lab::{App, Setup},
    parallel::at_once,
    provider::{Grant, Manner, Provider, Reply, Subject},
    test::{Outcome, Test},
};

const SECONDS: u64 = 3;
const ROUNDS: usize = 5;

/// The first callback ends a visit, whatever came of it, and time ends it too, whatever the browser still has.
pub(super) fn once_and_shortly(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    after_success(test, &app, provider)?;
    after_errors(test, &app, provider)?;
    at_the_same_moment(test, &app, provider)?;
    later(test)
}

/// Comes back again in the state that the browser was in before.
fn again(test: &mut Test<'_>, what: &str, provider: &Provider, mut trip: Trip, redeemed: usize) -> Outcome {
    let answer = trip.come_back()?;
    test.refuses(&format!("a visit counts once: {what}"), !answer.sets_session() && !answer.broke(), &answer);
    let out = !trip.client.is_signed_in()?;
    test.refuses(&format!("nobody is signed in by the second way back: {what}"), out, &answer);
    let hits = provider.redeemed(&trip.code);
    test.refuses(&format!("no second token request is made: {what}"), hits.len() <= redeemed, &hits);
    Ok(())
}

fn copied(trip: &Trip, client: Client) -> Trip {
    Trip { client, visit: trip.visit.clone(), code: trip.code.clone() }
}

fn after_success(test: &mut Test<'_>, app: &std::sync::Arc<App>, provider: &Provider) -> Outcome {
    let mut trip = Trip::new(app, provider)?;
    let before = trip.client.copy();
    let answer = trip.come_back()?;
    test.works("the first way back signs in", answer.succeeded(), &answer)?;
    again(test, "it ended signed in", provider, copied(&trip, before), 1)
}

fn after_errors(test: &mut Test<'_>, app: &std::sync::Arc<App>, provider: &Provider) -> Outcome {
    let mut trip = Trip::new(app, provider)?;
    let before = trip.client.copy();
    let answer = trip.client.send(&trip.visit.failed("access_denied").request(app)?)?;
    test.refuses("an error of the provider signs nobody in", turned_away(&answer), &answer);
    again(test, "it ended with an error", provider, copied(&trip, before), 0)?;
    let mut trip = Trip::new(app, provider)?;
    let before = trip.client.copy();
    let refusal = Reply::json(400, &json!({ "error": "invalid_grant" }));
    let lost = provider.grant(&trip.visit.ask, Grant::new(&Subject::new()).instead(Manner::Answers(refusal)));
    let answer = trip.client.come_back(&trip.visit, &lost)?;
    test.refuses("a code that the provider refuses signs nobody in", turned_away(&answer), &answer);
    again(test, "its first code was refused", provider, copied(&trip, before), 0)
}

fn at_the_same_moment(test: &mut Test<'_>, app: &std::sync::Arc<App>, provider: &Provider) -> Outcome {
    for _ in 0..ROUNDS {
        let trip = Trip::new(app, provider)?;
        let back = trip.visit.back(&trip.code).request(app)?;
        let answers = at_once((0..2).map(|_| (trip.client.copy(), back.clone())).collect());
        let sessions = answers.iter().flatten().filter(|answer| answer.sets_session()).count();
        let shown: Vec<String> = answers.iter().flatten().map(crate::http::Answer::exchange).collect();
        test.refuses("two ways back at once are one session at most", sessions <= 1, shown.join("\n===\n"));
        let hits = provider.redeemed(&trip.code);
        test.refuses("two ways back at once are one token request at most", hits.len() <= 1, &hits);
    }
    Ok(())
}

fn later(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("transaction", SECONDS))?;
    let provider = app.provider(0)?;
    let mut trip = Trip::new(&app, provider)?;
    let answer = trip.come_back()?;
    test.works("a visit that took no time ends signed in", answer.succeeded(), &answer)?;
    let mut trip = Trip::new(&app, provider)?;
    thread::sleep(Duration::from_secs(SECONDS) + Duration::from_millis(1500));
    let answer = trip.come_back()?;
    test.refuses("a visit that took too long is refused", turned_away(&answer), &answer);
    not_redeemed(test, "the visit took too long", provider, &trip.code);
    Ok(())
}

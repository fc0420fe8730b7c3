//! Proof that who redeems a code is who asked for it (RFC 7636).

use std::collections::BTreeSet;

use super::{Trip, signs_in, turned_away};
use crate::{
    federation::Visit,
    provider::{Grant, Provider, Subject, challenge},
    test::{Outcome, Test},
};

const RUNS: usize = 30;

/// Each token request proves a verifier of its own, which nobody but the application knows.
pub(super) fn proof(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "at a provider that asks for no verifier", |_| Grant::new(&Subject::new()))?;
    let mut trip = Trip::with(app.client(), provider, |_| Grant::new(&Subject::new()).proof())?;
    let answer = trip.come_back()?;
    test.refuses("a provider gets the verifier of the challenge", answer.succeeded(), &answer);
    let mut seen = BTreeSet::new();
    for _ in 0..RUNS {
        let mut trip = Trip::new(&app, provider)?;
        let jar = trip.client.jar.clone();
        let answer = trip.come_back()?;
        test.works("who comes back is signed in", answer.succeeded(), &answer)?;
        let hits = provider.redeemed(&trip.code);
        let verifier = hits.first().and_then(|hit| hit.field("code_verifier")).unwrap_or_default();
        test.refuses("a verifier is sent that is not short", (43..=128).contains(&verifier.len()), &hits);
        test.refuses("a verifier has unreserved characters alone", verifier.bytes().all(is_unreserved), &hits);
        test.refuses("a verifier is another each time", seen.insert(verifier.clone()), &hits);
        let ask = &trip.visit.ask;
        let method = ask.all("code_challenge_method") == ["S256"];
        let fits = method && ask.challenge.as_deref() == Some(&challenge(&verifier));
        test.refuses("the challenge is the verifier's by S256", fits, format!("{}\n{verifier}", ask.url));
        let told = shown(&trip.visit, &answer).contains(&verifier)
            || jar.values().any(|value| crate::provider::reveals(value, &verifier));
        test.refuses("the browser never sees the verifier", verifier.is_empty() || !told, &trip.visit.answer);
    }
    injected(test, &app, provider)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn shown(visit: &Visit, answer: &crate::http::Answer) -> String {
    format!("{}\n{}", visit.answer.exchange(), answer.exchange())
}

/// A code that was stolen from another browser's visit, with the nonce of the browser that it is put into.
fn injected(test: &mut Test<'_>, app: &std::sync::Arc<crate::lab::App>, provider: &Provider) -> Outcome {
    let stolen = app.client().visit(provider)?;
    let mut trip = Trip::new(app, provider)?;
    let mut ask = stolen.ask.clone();
    ask.nonce.clone_from(&trip.visit.ask.nonce);
    trip.code = provider.grant(&ask, Grant::new(&Subject::new()).proof());
    let answer = trip.come_back()?;
    test.refuses("a code of another visit is refused", turned_away(&answer) && answer.status != 500, &answer);
    let out = !trip.client.is_signed_in()?;
    test.refuses("nobody is signed in by a code of another visit", out, &answer);
    Ok(())
}

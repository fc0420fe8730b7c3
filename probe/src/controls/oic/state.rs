//! The state that a browser brings back.

use super::{Trip, not_redeemed, signs_in, turned_away};
use crate::{
    federation::Return,
    provider::{Grant, Subject},
    test::{Outcome, Test},
};

/// Without the exact state nothing is asked of the provider. It takes any verifier and knows the right nonce, so that nothing
/// else refuses.
pub(super) fn equal(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "with the state as it was sent", |_| Grant::new(&Subject::new()))?;
    for (what, change) in CHANGES {
        let mut trip = Trip::new(&app, provider)?;
        let back = change(&trip.visit.back(&trip.code), &trip.visit.ask.state);
        let answer = trip.client.send(&back.request(&app)?)?;
        test.refuses(&format!("a callback is refused whose state is {what}"), turned_away(&answer), &answer);
        let out = !trip.client.is_signed_in()?;
        test.refuses(&format!("nobody is signed in by a state that is {what}"), out, &answer);
        not_redeemed(test, &format!("the state is {what}"), provider, &trip.code);
    }
    another(test)
}

type Change = fn(&Return, &str) -> Return;

const CHANGES: [(&str, Change); 9] = [
    ("missing", |back, _| back.clone().without("state")),
    ("empty", |back, _| back.clone().with("state", "")),
    ("cut by one character", |back, state| back.clone().with("state", &state[..state.len() - 1])),
    ("cut to half", |back, state| back.clone().with("state", &state[..state.len() / 2])),
    ("longer by one character", |back, state| back.clone().with("state", &format!("{state}A"))),
    ("in capitals", |back, state| back.clone().with("state", &state.to_uppercase())),
    ("given twice, the right one first", |back, _| back.clone().and("state", "x")),
    ("given twice, the right one last", |back, state| back.clone().with("state", "x").and("state", state)),
    ("given as a list", |back, state| back.clone().without("state").and("state[]", state)),
];

/// The state of another visit of the same browser: that the code is none of that visit's, the provider's answer shows.
fn another(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    let mut trip = Trip::new(&app, provider)?;
    let other = trip.client.visit(provider)?;
    let back = trip.visit.back(&trip.code).with("state", &other.ask.state);
    let answer = trip.client.send(&back.request(&app)?)?;
    test.refuses("a callback is refused whose state is another visit's", turned_away(&answer), &answer);
    let out = !trip.client.is_signed_in()?;
    test.refuses("nobody is signed in by another visit's state", out, &answer);
    Ok(())
}

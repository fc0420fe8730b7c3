//! The issuer in the answer to an authorization request (RFC 9207).

use serde_json::json;

use super::{Trip, not_redeemed, signs_in, turned_away};
use crate::{
    federation::Return,
    lab::Setup,
    provider::{Grant, Provider, Subject},
    test::{Outcome, Test},
};

type Change = fn(Return, &str) -> Return;

const WRONG: [(&str, Change); 5] = [
    ("another", |back, _| back.with("iss", "https://other.test")),
    ("the right one with a slash", |back, issuer| back.with("iss", &format!("{issuer}/"))),
    ("the right one in capitals", |back, issuer| back.with("iss", &issuer.to_uppercase())),
    ("given twice, the right one first", |back, _| back.and("iss", "https://other.test")),
    ("empty", |back, _| back.with("iss", "")),
];

/// A wrong issuer is refused always, a missing one where the provider says that it tells it, both before the code is redeemed.
pub(super) fn of_the_answer(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    signs_in(test, &app, "with the right issuer in the answer", |_| Grant::new(&Subject::new()))?;
    for (what, change) in WRONG {
        wrong(test, &app, what, change)?;
    }
    wrong(test, &app, "missing, where the provider always tells it", |back, _| back.without("iss"))?;
    let silent = test.boot(&Setup { providers: Some(silent), ..Setup::default() })?;
    let mut trip = Trip::new(&silent, silent.provider(0)?)?;
    let back = trip.visit.back(&trip.code).without("iss");
    let answer = trip.client.send(&back.request(&silent)?)?;
    test.works("a sign-in works without issuer where the provider tells none", answer.succeeded(), &answer)?;
    for (what, change) in &WRONG[..3] {
        wrong(test, &silent, &format!("{what}, where the provider need not tell it"), *change)?;
    }
    Ok(())
}

fn silent(providers: &[Provider]) {
    for provider in providers {
        provider.describe("authorization_response_iss_parameter_supported", Some(json!(false)));
    }
}

fn wrong(test: &mut Test<'_>, app: &std::sync::Arc<crate::lab::App>, what: &str, change: Change) -> Outcome {
    let provider = app.provider(0)?;
    let mut trip = Trip::new(app, provider)?;
    let back = change(trip.visit.back(&trip.code), &provider.issuer());
    let answer = trip.client.send(&back.request(app)?)?;
    test.refuses(&format!("an answer is refused whose issuer is {what}"), turned_away(&answer), &answer);
    let out = !trip.client.is_signed_in()?;
    test.refuses(&format!("nobody is signed in when the issuer is {what}"), out, &answer);
    not_redeemed(test, &format!("the issuer is {what}"), provider, &trip.code);
    let mut trip = Trip::new(app, provider)?;
    let back = change(trip.visit.failed("access_denied"), &provider.issuer());
    let answer = trip.client.send(&back.request(app)?)?;
    test.refuses(&format!("an error is refused as well whose issuer is {what}"), turned_away(&answer), &answer);
    Ok(())
}

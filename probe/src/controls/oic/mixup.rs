//! Two providers, one of them hostile.

use serde_json::json;

use super::{Trip, not_redeemed, turned_away};
use crate::{
    federation::Return,
    lab::Setup,
    provider::{Endpoint, Grant, Hit, Provider, Subject},
    test::{Outcome, Seen as _, Test},
};

/// How a way back is changed, given the honest provider and the hostile one.
type Change = fn(Return, &Provider, &Provider) -> Return;

/// A visit that began for one provider ends with that one, on its callback, at its token endpoint. Neither says its issuer in
/// its answers, so that the issuer is not what refuses.
pub(super) fn bound_to_provider(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup { providers: Some(silent), ..Setup::default() })?;
    let (honest, hostile) = (app.provider(0)?, app.provider(1)?);
    for provider in [honest, hostile] {
        let mut trip = Trip::with(app.client(), provider, |_| Grant::new(&Subject::new()))?;
        let back = trip.visit.back(&trip.code).without("iss");
        let answer = trip.client.send(&back.request(&app)?)?;
        test.works("each provider signs in by itself", answer.succeeded(), &answer)?;
    }
    let cases: [(&str, bool, Change); 4] = [
        ("begun at the honest one, delivered as the hostile one's", true, |back, _, hostile| {
            back.without("iss").to(hostile)
        }),
        ("begun at the hostile one, delivered as the honest one's", false, |back, honest, _| {
            back.without("iss").to(honest)
        }),
        ("begun at the hostile one, answered by the honest one", false, |back, honest, _| {
            back.with("iss", &honest.issuer()).to(honest)
        }),
        ("begun at the hostile one, with the honest one's issuer", false, |back, honest, _| {
            back.with("iss", &honest.issuer())
        }),
    ];
    for (what, at_honest, change) in cases {
        let began = if at_honest { honest } else { hostile };
        let mut client = app.client();
        let visit = client.visit(began)?;
        // The code is the honest one's: what the hostile one is after.
        let code = honest.grant(&visit.ask, Grant::new(&Subject::new()));
        let answer = client.send(&change(visit.back(&code), honest, hostile).request(&app)?)?;
        test.refuses(&format!("a visit is refused that is {what}"), turned_away(&answer), &answer);
        let out = !client.is_signed_in()?;
        test.refuses(&format!("nobody is signed in by a visit {what}"), out, &answer);
        not_redeemed(test, what, hostile, &code);
        not_redeemed(test, what, honest, &code);
    }
    let told = with_secret(hostile, &honest.client_secret);
    test.refuses("the hostile provider never sees the other's secret", told.is_empty(), &told);
    Ok(())
}

fn silent(providers: &[Provider]) {
    for provider in providers {
        provider.describe("authorization_response_iss_parameter_supported", Some(json!(false)));
    }
}

fn with_secret(provider: &Provider, secret: &str) -> Vec<Hit> {
    let hits = provider.hits(Endpoint::Token);
    let holds = |hit: &Hit| hit.seen().contains(secret) || hit.client().is_some_and(|(_, given)| given == secret);
    hits.into_iter().filter(holds).collect()
}

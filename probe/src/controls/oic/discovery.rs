//! What a provider says of itself counts only if it is said by the issuer that was configured.

use std::sync::Arc;

use serde_json::json;

use super::{signs_in, turned_away};
use crate::{
    lab::{App, Setup, Started},
    provider::{Endpoint, Grant, Manner, Provider, Reply, Subject},
    test::{Outcome, Test},
};

const ELSEWHERE: &str = "https://elsewhere.test/authorize";

/// Metadata of another issuer, or of no shape, is not used: no browser is sent where it says, and other providers go on.
pub(super) fn issuer(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    signs_in(test, &app, "with metadata of the right issuer", |_| Grant::new(&Subject::new()))?;
    for (what, change) in CHANGES {
        // A start that is refused is an answer as well.
        if let Started::Up(app) = test.lab.start(&Setup { providers: Some(change), ..Setup::default() })? {
            not_used(test, what, &Arc::new(*app))?;
        }
    }
    Ok(())
}

fn not_used(test: &mut Test<'_>, what: &str, app: &Arc<App>) -> Outcome {
    let mut client = app.client();
    let answer = client.call(&app.role_at("OIDC_START", app.provider(0)?)?)?;
    let sent = answer.succeeded() || answer.text().contains("elsewhere.test");
    test.refuses(&format!("nobody is sent to a provider whose {what}"), turned_away(&answer) && !sent, &answer);
    let Ok(other) = app.provider(1) else { return Ok(()) };
    let mut client = app.client();
    let answer = client.sign_in_at(other, Grant::new(&Subject::new()))?;
    test.works("another provider signs in all the same", answer.succeeded(), &answer)
}

type Change = fn(&[Provider]);

const CHANGES: [(&str, Change); 7] = [
    ("metadata have another issuer", |providers| {
        describe(providers, |provider| provider.describe("issuer", Some(json!("https://elsewhere.test"))));
    }),
    ("metadata have the issuer with a slash", |providers| {
        describe(providers, |provider| provider.describe("issuer", Some(json!(format!("{}/", provider.issuer())))));
    }),
    ("metadata have the issuer in capitals", |providers| {
        describe(providers, |provider| {
            provider.describe("issuer", Some(json!(provider.issuer().replace("localhost", "LOCALHOST"))));
        });
    }),
    ("metadata have no issuer", |providers| describe(providers, |provider| provider.describe("issuer", None))),
    ("metadata have a number for issuer", |providers| {
        describe(providers, |provider| provider.describe("issuer", Some(json!(7))));
    }),
    ("metadata are a list", |providers| answer(providers, &Reply::json(200, &json!([])))),
    ("metadata are a page", |providers| answer(providers, &Reply::new(200, "text/html", "<p>Sign in</p>"))),
];

/// Changes the first provider, and leads its page where people sign in elsewhere.
fn describe(providers: &[Provider], change: impl Fn(&Provider)) {
    if let Some(provider) = providers.first() {
        provider.describe("authorization_endpoint", Some(json!(ELSEWHERE)));
        change(provider);
    }
}

fn answer(providers: &[Provider], reply: &Reply) {
    if let Some(provider) = providers.first() {
        provider.act(Endpoint::Discovery, Some(Manner::Answers(reply.clone())));
    }
}

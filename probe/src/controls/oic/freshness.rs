//! How lately and how strongly somebody signed in at the provider.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::{refuses, signs_in, turned_away};
use crate::{
    client::Client,
    http::Answer,
    lab::Setup,
    provider::{Grant, Provider, Subject, now},
    test::{Outcome, Stop, Test},
};

const WAY: &str = "urn:x:mfa";

/// What is asked for is enforced: that the ID token lacks it is no way around it.
pub(super) fn verified(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    strong(test)?;
    if !app.says_when(app.provider(0)?) {
        return Err(Stop::NotApplicable("no provider of the contract says when somebody signed in there".to_owned()));
    }
    recent(test)?;
    again(test)
}

fn claiming(name: &str, value: Option<Value>) -> Grant {
    let grant = Grant::new(&Subject::new());
    match value {
        Some(value) => grant.claim(name, value),
        None => grant.no_claim(name),
    }
}

/// The contract's variable of the provider that is attacked.
fn variable(test: &mut Test<'_>, key: &str) -> Outcome<String> {
    let app = test.app()?;
    let provider = app.provider(0)?;
    let names = test.lab.contract.providers.iter().find(|names| names.id == provider.id);
    let variable = names.and_then(|names| if key == "acr" { names.acr.clone() } else { names.max_age.clone() });
    variable.ok_or_else(|| Stop::Missing(format!("the contract has no `{key}` in `[[providers]]`")))
}

fn recent(test: &mut Test<'_>) -> Outcome {
    let variable = variable(test, "max_age")?;
    let app = test.boot(&Setup::default().variable(&variable, Some("60")))?;
    let visit = app.client().visit(app.provider(0)?)?;
    let asked = visit.ask.all("max_age") == ["60"];
    test.refuses("a sign-in that is recent is asked for", asked, &visit.answer);
    signs_in(test, &app, "when the provider saw it lately", |_| claiming("auth_time", Some(json!(now() - 10))))?;
    for (what, value) in [
        ("too long ago", Some(json!(now() - 150))),
        ("at no time", None),
        ("at a time that is text", Some(json!(now().to_string()))),
        ("at a time that is null", Some(Value::Null)),
        ("in the future", Some(json!(now() + 3600))),
    ] {
        refuses(test, &app, &format!("the provider saw it {what}"), |_| claiming("auth_time", value))?;
    }
    Ok(())
}

fn strong(test: &mut Test<'_>) -> Outcome {
    let variable = variable(test, "acr")?;
    let app = test.boot(&Setup::default().variable(&variable, Some(WAY)))?;
    let visit = app.client().visit(app.provider(0)?)?;
    test.refuses("a strong sign-in is asked for", visit.ask.acr.as_deref() == Some(WAY), &visit.answer);
    signs_in(test, &app, "when the provider saw it as strong", |_| claiming("acr", Some(json!(WAY))))?;
    for (what, value) in [
        ("as weaker", Some(json!("urn:x:pwd"))),
        ("in no way", None),
        ("in a way that is empty", Some(json!(""))),
        ("in a list of ways", Some(json!([WAY]))),
        ("in a way that begins so", Some(json!(format!("{WAY}:not")))),
    ] {
        refuses(test, &app, &format!("the provider saw it {what}"), |_| claiming("acr", value))?;
    }
    Ok(())
}

/// There and back to prove once more who it is.
fn reauth(client: &mut Client, provider: &Provider, grant: Grant) -> Outcome<Answer> {
    let visit = client.visit_by(&client.app.role_at("OIDC_REAUTH", provider)?, provider)?;
    let code = provider.grant(&visit.ask, grant);
    client.come_back(&visit, &code)
}

fn moment(client: &Client) -> Outcome<u64> {
    let me = client.copy().me()?;
    let at = me.value("auth_time").and_then(|at| at.parse().ok());
    at.ok_or_else(|| Stop::Positive("ME says in seconds when somebody signed in".to_owned(), me.exchange()))
}

/// Proving once more who it is asks the provider for it, and believes none that was before.
fn again(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    let subject = Subject::new();
    let mut client = app.federated(0, &subject)?;
    let visit = client.visit_by(&app.role_at("OIDC_REAUTH", provider)?, provider)?;
    let asks = visit.ask.all("prompt").iter().any(|prompt| prompt == "login") || visit.ask.all("max_age") == ["0"];
    test.refuses("proving it once more is asked of the provider", asks, &visit.answer);
    let before = moment(&client)?;
    thread::sleep(Duration::from_millis(2100));
    let own = || Grant::new(&subject);
    for (what, grant) in [
        ("long ago", own().claim("auth_time", now() - 3600)),
        ("at no time", own().no_claim("auth_time")),
        ("as somebody else", Grant::new(&Subject::new())),
    ] {
        let mut client = client.copy();
        let answer = reauth(&mut client, provider, grant)?;
        test.refuses(&format!("who was seen {what} has proven nothing"), turned_away(&answer), &answer);
        test.refuses(&format!("a session is no fresher for who was seen {what}"), moment(&client)? == before, &answer);
    }
    let answer = reauth(&mut client, provider, own())?;
    let renewed = client.is_signed_in()? && moment(&client)? > before;
    test.works("who was seen just now has proven it", renewed, &answer)
}

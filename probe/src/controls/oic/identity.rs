//! Whose account it is: issuer and subject say so, and nothing else does.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Trip, turned_away};
use crate::{
    http::Answer,
    lab::App,
    people::{self, Person},
    provider::{Grant, Provider, Subject},
    test::{Outcome, Test},
};

/// The account that this sign-in leads to, if any.
fn account(app: &Arc<App>, provider: &Provider, grant: Grant) -> Outcome<(Option<String>, Answer)> {
    let mut trip = Trip::with(app.client(), provider, |_| grant)?;
    let answer = trip.come_back()?;
    let id = if trip.client.is_signed_in()? { trip.client.me()?.value("id") } else { None };
    Ok((id, answer))
}

pub(super) fn issuer_and_subject(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    let first = Subject::new();
    let named = |subject: &Subject| Grant::new(subject).claim("preferred_username", first.email.as_str());
    let (own, answer) = account(&app, provider, named(&first))?;
    test.works("who is new gets an account", own.is_some(), &answer)?;
    let renamed = Subject { email: people::email(), ..first.clone() };
    let (same, answer) = account(&app, provider, named(&renamed))?;
    test.refuses("the same subject with another address is the same account", same == own, &answer);
    let id = own.clone().unwrap_or_default();
    let mut others = vec![
        ("another subject with the same address", provider, Grant::new(&Subject::of(&first.email))),
        ("another subject with the later address", provider, Grant::new(&Subject::of(&renamed.email))),
        (
            "another subject by that name",
            provider,
            Grant::new(&Subject::new())
                .claim("preferred_username", first.email.as_str())
                .claim("upn", first.email.as_str()),
        ),
        (
            "another subject by that id",
            provider,
            Grant::new(&Subject::new()).claim("preferred_username", id.as_str()).claim("oid", first.sub.as_str()),
        ),
    ];
    if let Ok(other) = app.provider(1) {
        let elsewhere = Subject { email: people::email(), ..first.clone() };
        others.push(("the same subject of another provider", other, Grant::new(&first)));
        others.push(("the same subject of another provider with another address", other, Grant::new(&elsewhere)));
    }
    for (what, provider, grant) in others {
        let (found, answer) = account(&app, provider, grant)?;
        test.refuses(&format!("{what} is not the same account"), found != own && !answer.broke(), &answer);
    }
    Ok(())
}

/// What a provider may say of an address besides that it is confirmed.
fn unconfirmed() -> [(&'static str, Option<Value>); 6] {
    [
        ("false", Some(json!(false))),
        ("missing", None),
        ("the text `true`", Some(json!("true"))),
        ("the text `false`", Some(json!("false"))),
        ("the number 1", Some(json!(1))),
        ("null", Some(Value::Null)),
    ]
}

fn saying(email: &str, confirmed: Option<Value>) -> Grant {
    let grant = Grant::new(&Subject::of(email));
    match confirmed {
        Some(value) => grant.claim("email_verified", value),
        None => grant.no_claim("email_verified"),
    }
}

/// A first sign-in never becomes part of an account that is there, whatever the provider says of the address.
pub(super) fn no_silent_linking(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    app.federated(0, &Subject::new())?;
    let (victim, mut client) = app.member()?;
    let id = client.me()?.value("id");
    let mut all = unconfirmed().to_vec();
    all.push(("true", Some(json!(true))));
    for (what, confirmed) in all {
        let (found, answer) = account(&app, provider, saying(&victim.email, confirmed))?;
        let what = format!("an address whose confirmation is {what} does not lead to its owner's account");
        test.refuses(&what, found != id && !answer.broke(), &answer);
    }
    if app.contract.roles.contains_key("IDENTITIES") {
        let own = client.get("IDENTITIES")?;
        let count = own.value("list").and_then(|list| serde_json::from_str::<Vec<Value>>(&list).ok());
        let expected = usize::from(!app.has_passwords());
        test.refuses("no identity was added to that account", count.is_some_and(|all| all.len() == expected), &own);
    }
    unproven(test, &app, provider)
}

/// An address that the provider does not call confirmed proves nothing: not for a new account, nor for one that waits.
fn unproven(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider) -> Outcome {
    for (what, confirmed) in unconfirmed() {
        let email = people::email();
        let mut trip = Trip::with(app.client(), provider, |_| saying(&email, confirmed.clone()))?;
        let answer = trip.come_back()?;
        let me = trip.client.me()?;
        let proven = me.value("email") == Some(email) && me.value("email_verified").as_deref() != Some("false");
        let holds = !answer.broke() && (turned_away(&answer) || !proven);
        test.refuses(&format!("an address is not proven whose confirmation is {what}"), holds, &answer);
        if app.has_passwords() {
            let waiting = Person::new();
            app.registered(&waiting)?;
            let (found, answer) = account(app, provider, saying(&waiting.email, confirmed))?;
            let what = format!("an account that waits is not taken over when the confirmation is {what}");
            test.refuses(&what, found.is_none() && !answer.broke(), &answer);
        }
    }
    Ok(())
}

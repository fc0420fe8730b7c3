//! The claims that say whose an ID token is, for whom, and when.

use serde_json::{Value, json};

use super::{refuses, signs_in};
use crate::{
    provider::{Ask, Grant, Subject, now},
    test::{Outcome, Test},
};

/// The grant with the claim, or without it for `None`.
fn claiming(name: &str, value: Option<Value>) -> Grant {
    let grant = Grant::new(&Subject::new());
    match value {
        Some(value) => grant.claim(name, value),
        None => grant.no_claim(name),
    }
}

/// The issuer is the configured one, byte for byte.
pub(super) fn issuer(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    signs_in(test, &app, "with the right issuer", |_| Grant::new(&Subject::new()))?;
    let issuer = app.provider(0)?.issuer();
    let cut = issuer[..issuer.len() - 1].to_owned();
    for (what, value) in [
        ("another", Some(json!("https://other.test"))),
        ("the right one with a slash", Some(json!(format!("{issuer}/")))),
        ("the right one with capitals", Some(json!(issuer.replace("localhost", "LOCALHOST")))),
        ("the right one without its last character", Some(json!(cut))),
        ("the right one and more", Some(json!(format!("{issuer}.other.test")))),
        ("the right one and a path", Some(json!(format!("{issuer}/other")))),
        ("a list with the right one", Some(json!([issuer, "https://other.test"]))),
        ("a list of the right one", Some(json!([issuer]))),
        ("empty", Some(json!(""))),
        ("null", Some(Value::Null)),
        ("missing", None),
    ] {
        refuses(test, &app, &format!("the issuer is {what}"), |_| claiming("iss", value.clone()))?;
    }
    Ok(())
}

/// The token is for this client alone.
pub(super) fn audience(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let client = app.provider(0)?.client_id.clone();
    let listed = json!([client]);
    signs_in(test, &app, "with this client for its audience", |_| Grant::new(&Subject::new()))?;
    signs_in(test, &app, "with a list of this client for its audience", |_| claiming("aud", Some(listed)))?;
    signs_in(test, &app, "with this client as `azp`", |_| claiming("azp", Some(json!(client))))?;
    for (what, value) in [
        ("another client", Some(json!("another"))),
        ("a list of another client", Some(json!(["another"]))),
        ("missing", None),
        ("an empty list", Some(json!([]))),
        ("empty", Some(json!(""))),
        ("this client and a character", Some(json!(format!("{client}X")))),
        ("this client without its last character", Some(json!(client[..client.len() - 1]))),
        ("this client in capitals", Some(json!(client.to_uppercase()))),
        ("this client and another", Some(json!([client, "another"]))),
        ("null", Some(Value::Null)),
        ("a number", Some(json!(7))),
    ] {
        refuses(test, &app, &format!("the audience is {what}"), |_| claiming("aud", value.clone()))?;
    }
    let azp = |_: &Ask| claiming("azp", Some(json!("another")));
    refuses(test, &app, "the authorised party is another", azp)?;
    let both = |_: &Ask| claiming("azp", Some(json!("another"))).claim("aud", json!([client, "another"]));
    refuses(test, &app, "the authorised party is another of two audiences", both)?;
    Ok(())
}

/// The token is neither old nor of the future, and says so in numbers.
pub(super) fn times(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    signs_in(test, &app, "with times as they are", |_| Grant::new(&Subject::new()))?;
    signs_in(test, &app, "when the token is about to expire", |_| claiming("exp", Some(json!(now() + 30))))?;
    signs_in(test, &app, "when the token was made a moment ago", |_| claiming("iat", Some(json!(now() - 30))))?;
    for (what, name, value) in [
        ("it expired", "exp", Some(json!(now() - 90))),
        ("it never expires", "exp", None),
        ("its end is null", "exp", Some(Value::Null)),
        ("its end is text", "exp", Some(json!((now() + 300).to_string()))),
        ("its end is a list", "exp", Some(json!([now() + 300]))),
        ("its end is no number of seconds", "exp", Some(json!(1e20))),
        ("its end is before 1970", "exp", Some(json!(-1))),
        ("it was never made", "iat", None),
        ("its beginning is null", "iat", Some(Value::Null)),
        ("its beginning is text", "iat", Some(json!(now().to_string()))),
        ("it was made a week ago", "iat", Some(json!(now() - 604_800))),
        ("it is made in the future", "iat", Some(json!(now() + 120))),
        ("it is not valid yet", "nbf", Some(json!(now() + 120))),
    ] {
        refuses(test, &app, what, |_| claiming(name, value.clone()))?;
    }
    Ok(())
}

//! The nonce that ties an ID token to a visit.

use serde_json::{Value, json};

use super::{Trip, asks_userinfo, refuses, signs_in, turned_away, userinfo_is_not_asked};
use crate::{
    provider::{Ask, Grant, Subject},
    random,
    test::{Outcome, Test},
};

/// A wrong nonce, given the right one; `None` is none.
type Wrong = fn(&str) -> Option<Value>;

/// An ID token without the visit's own nonce is refused. The provider takes any verifier, so that the nonce is what refuses.
pub(super) fn equal(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    signs_in(test, &app, "with the visit's nonce", |_| Grant::new(&Subject::new()))?;
    let asks = asks_userinfo(&app)?;
    let wrong: [(&str, Wrong); 7] = [
        ("another", |_| Some(json!(random::letters(43)))),
        ("missing", |_| None),
        ("null", |_| Some(Value::Null)),
        ("empty", |_| Some(json!(""))),
        ("a list with the right one", |nonce| Some(json!([nonce]))),
        ("a number", |_| Some(json!(7))),
        ("cut by one character", |nonce| Some(json!(nonce[..nonce.len() - 1]))),
    ];
    for (what, wrong) in wrong {
        let grant = |ask: &Ask| {
            let grant = Grant::new(&Subject::new());
            match wrong(ask.nonce.as_deref().unwrap_or("none")) {
                Some(nonce) => grant.claim("nonce", nonce),
                None => grant.no_claim("nonce"),
            }
        };
        let what = format!("the nonce is {what}");
        refuses(test, &app, &what, grant)?;
        if asks {
            userinfo_is_not_asked(test, &app, &what, grant)?;
        }
    }
    // Of an older visit of the same browser, which could still be open.
    let provider = app.provider(0)?;
    let mut client = app.client();
    let older = client.visit(provider)?.ask.nonce.unwrap_or_default();
    let mut trip = Trip::with(client, provider, |_| Grant::new(&Subject::new()).claim("nonce", older))?;
    let answer = trip.come_back()?;
    test.refuses("a sign-in is refused: the nonce is an older visit's", turned_away(&answer), &answer);
    Ok(())
}

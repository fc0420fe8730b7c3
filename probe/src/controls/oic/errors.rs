//! What goes wrong on the way back, and at the token endpoint.

use std::sync::Arc;

use serde_json::json;

use super::{Trip, asks_userinfo, not_redeemed, signs_in, turned_away};
use crate::{
    federation::Return,
    http::Answer,
    lab::App,
    provider::{Grant, Manner, Provider, Reply, Subject, UserInfo},
    test::{Outcome, Test},
};

/// What an error's description brings; no page may have it as it is.
const MARKUP: &str = "<img src=x onerror=alert(7)>";

pub(super) fn handled(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "with nothing wrong", |_| Grant::new(&Subject::new()))?;
    for (what, change) in RETURNS {
        let mut trip = Trip::new(&app, provider)?;
        let before = trip.client.copy();
        let back = change(trip.visit.back(&trip.code), &trip.code);
        let answer = trip.client.send(&back.request(&app)?.with("Accept", "text/html"))?;
        safely(test, what, &answer);
        test.refuses(&format!("nobody is signed in by an answer with {what}"), !trip.client.is_signed_in()?, &answer);
        not_redeemed(test, &format!("the answer has {what}"), provider, &trip.code);
        trip.client = before;
        consumed(test, what, trip)?;
    }
    for (what, change) in ANSWERS {
        at_token_endpoint(test, &app, provider, what, change(Grant::new(&Subject::new())))?;
    }
    if asks_userinfo(&app)? {
        let userinfo = UserInfo::Answer(Manner::Answers(Reply::json(401, &json!({ "error": "invalid_token" }))));
        let grant = Grant::new(&Subject::new()).by_userinfo(userinfo);
        at_token_endpoint(test, &app, provider, "a refusal by UserInfo", grant)?;
    }
    Ok(())
}

type Change = fn(Return, &str) -> Return;

const RETURNS: [(&str, Change); 8] = [
    ("an error", |back, _| back.without("code").and("error", "access_denied").and("error_description", MARKUP)),
    ("an error that nobody knows", |back, _| back.without("code").and("error", MARKUP)),
    ("an error beside the code", |back, _| back.and("error", "access_denied")),
    ("two codes, the right one first", |back, _| back.and("code", "another")),
    ("the same code twice", |back, code| back.and("code", code)),
    ("a list of codes", |back, code| back.without("code").and("code[]", code)),
    ("an empty code", |back, _| back.with("code", "")),
    ("no code", |back, _| back.without("code")),
];

type Fault = fn(Grant) -> Grant;

const ANSWERS: [(&str, Fault); 9] = [
    ("`invalid_grant`", |grant| {
        let error = json!({ "error": "invalid_grant", "error_description": MARKUP });
        grant.instead(Manner::Answers(Reply::json(400, &error)))
    }),
    ("an error with status 200", |grant| {
        grant.instead(Manner::Answers(Reply::json(200, &json!({ "error": "invalid_grant" }))))
    }),
    ("status 500", |grant| grant.instead(Manner::Answers(Reply::json(500, &json!({ "error": "server_error" }))))),
    ("no ID token", |grant| grant.no_answer("id_token")),
    ("an empty ID token", |grant| grant.answer("id_token", "")),
    ("a number for ID token", |grant| grant.answer("id_token", 7)),
    ("tokens of another kind", |grant| grant.answer("token_type", "mac")),
    ("no JSON", |grant| grant.instead(Manner::Answers(Reply::new(200, "text/html", MARKUP)))),
    ("an empty answer", |grant| grant.instead(Manner::Answers(Reply::new(200, "application/json", "")))),
];

/// Refused, with a page that tells nothing of the inside and repeats nothing.
fn safely(test: &mut Test<'_>, what: &str, answer: &Answer) {
    test.refuses(&format!("an answer with {what} is refused"), turned_away(answer), answer);
    let text = answer.text();
    let traces = ["panicked at", ".rs:", "Traceback", "stack backtrace", ".py\"", "at Object."];
    let trace = traces.iter().any(|trace| text.contains(trace));
    test.refuses(&format!("an answer with {what} shows nothing of the inside"), !trace, answer);
    test.refuses(&format!("an answer with {what} is not repeated as it is"), !text.contains("<img src=x"), answer);
}

/// The same visit with what would have been right.
fn consumed(test: &mut Test<'_>, what: &str, mut trip: Trip) -> Outcome {
    let answer = trip.come_back()?;
    let holds = !answer.sets_session() && !trip.client.is_signed_in()?;
    test.refuses(&format!("a visit is over after {what}"), holds, &answer);
    Ok(())
}

fn at_token_endpoint(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider, what: &str, grant: Grant) -> Outcome {
    let mut trip = Trip::with(app.client(), provider, |_| grant)?;
    let before = trip.client.copy();
    let request = trip.visit.back(&trip.code).request(app)?.with("Accept", "text/html");
    let answer = trip.client.send(&request)?;
    safely(test, what, &answer);
    test.refuses(&format!("nobody is signed in by {what}"), !trip.client.is_signed_in()?, &answer);
    let code = provider.grant(&trip.visit.ask, Grant::new(&Subject::new()));
    consumed(test, what, Trip { client: before, code, ..trip })
}

//! Who the provider says it is: the ID token's subject, and `UserInfo` only of the same.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Trip, asks_userinfo, refuses, signs_in, turned_away};
use crate::{
    http::Answer,
    lab::App,
    people,
    provider::{Grant, Listener, Manner, Reply, Subject, UserInfo},
    random,
    test::{Outcome, Test},
};

/// A subject is text that is not empty and not long, compared exactly; `UserInfo` counts only for the same one.
pub(super) fn required_and_equal(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let longest = random::letters(255);
    signs_in(test, &app, "with a subject", |_| Grant::new(&Subject::new()))?;
    signs_in(test, &app, "with a subject of 255 characters", |_| Grant::new(&Subject::new()).claim("sub", longest))?;
    malformed(test, &app)?;
    exactly(test, &app)?;
    if asks_userinfo(&app)? {
        other_userinfo(test, &app)?;
    }
    Ok(())
}

fn malformed(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    for (what, value) in [
        ("missing", None),
        ("empty", Some(json!(""))),
        ("null", Some(Value::Null)),
        ("a number", Some(json!(7))),
        ("a list", Some(json!([random::letters(20)]))),
        ("an object", Some(json!({ "id": random::letters(20) }))),
        ("longer than 255 characters", Some(json!(random::letters(256)))),
        ("with a character of no meaning", Some(json!(format!("{}\0", random::letters(20))))),
    ] {
        let grant = Grant::new(&Subject::new());
        let grant = match value {
            Some(value) => grant.claim("sub", value),
            None => grant.no_claim("sub"),
        };
        refuses(test, app, &format!("the subject is {what}"), |_| grant)?;
    }
    Ok(())
}

/// The account that a subject signs in to, if it does.
fn account(app: &Arc<App>, sub: &str) -> Outcome<(Option<String>, Answer)> {
    let subject = Subject { sub: sub.to_owned(), email: people::email() };
    let mut trip = Trip::with(app.client(), app.provider(0)?, |_| Grant::new(&subject))?;
    let answer = trip.come_back()?;
    let id = if answer.succeeded() { trip.client.me()?.value("id") } else { None };
    Ok((id, answer))
}

fn exactly(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let sub = format!("alice{}", random::letters(15));
    let (id, answer) = account(app, &sub)?;
    test.works("a subject has an account", id.is_some(), &answer)?;
    let (same, answer) = account(app, &sub)?;
    test.refuses("the same subject has the same account", same == id, &answer);
    for other in [format!(" {sub}"), format!("{sub} "), sub.to_uppercase(), sub.replacen('a', "A", 1)] {
        let (found, answer) = account(app, &other)?;
        let what = format!("`{other}` is not `{sub}`");
        test.refuses(&what, found != id && !answer.broke(), &answer);
    }
    Ok(())
}

/// What `UserInfo` answers besides the right thing: never the account or the address of somebody else.
fn other_userinfo(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let victim = Subject::new();
    app.federated(0, &victim)?;
    let stray = Listener::start(None, Box::new(|_| Manner::Answers(Reply::json(200, &json!({})))))?;
    let claims = json!({ "sub": victim.sub, "email": victim.email, "email_verified": true }).to_string();
    let field = |name: &str, value: Option<&str>| (name.to_owned(), value.map(Value::from));
    let address = people::email();
    let cases = [
        (
            "of somebody else",
            UserInfo::Claims(vec![field("sub", Some(&victim.sub)), field("email", Some(&victim.email))]),
        ),
        (
            "of somebody else with a new address",
            UserInfo::Claims(vec![field("sub", Some(&victim.sub)), field("email", Some(&address))]),
        ),
        ("of nobody", UserInfo::Claims(vec![field("sub", None), field("email", Some(&address))])),
        ("a page", UserInfo::Answer(Manner::Answers(Reply::new(200, "text/html", claims.clone())))),
        ("a page of text", UserInfo::Answer(Manner::Answers(Reply::new(200, "text/html", "<p>hello</p>")))),
        (
            "a token that nobody asked for",
            UserInfo::Answer(Manner::Answers(Reply::new(200, "application/jwt", "e30.e30."))),
        ),
        (
            "elsewhere",
            UserInfo::Answer(Manner::Answers(Reply::redirect(302, &format!("http://127.0.0.1:{}/", stray.port())))),
        ),
        ("a refusal", UserInfo::Answer(Manner::Answers(Reply::json(401, &json!({ "error": "invalid_token" }))))),
    ];
    for (what, userinfo) in cases {
        let grant = Grant::new(&Subject::new()).by_userinfo(userinfo);
        let mut trip = Trip::with(app.client(), app.provider(0)?, |_| grant)?;
        let answer = trip.come_back()?;
        let seen = if answer.succeeded() { trip.client.me()?.value("email") } else { None };
        let harmless = seen.as_ref().is_none_or(|email| *email != victim.email && *email != address);
        let holds = harmless && (answer.succeeded() || turned_away(&answer));
        test.refuses(&format!("UserInfo is not believed that is {what}"), holds, &answer);
    }
    let seen = format!("{} connections", stray.connections());
    test.refuses("a redirect of UserInfo is not followed", stray.connections() == 0, seen);
    Ok(())
}

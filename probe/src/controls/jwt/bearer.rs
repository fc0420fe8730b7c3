//! A token comes in one header, written in one way.

use super::Forge;
use crate::{
    client::encoded,
    http::{Answer, Broken, Request},
    test::{Outcome, Test},
};

pub(super) fn one_place(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    let token = forge.device.access.clone();
    let plain = forge.app.role("API")?.request();
    let without = forge.app.client().send(&plain)?;
    test.refuses("API is closed without a token", without.denied(), &without);
    challenge(test, "no token", &without);
    let lower = forge.app.client().send(&plain.clone().header("Authorization", format!("bearer {token}")))?;
    test.works("the scheme's name may be written small", lower.succeeded(), &lower)?;
    elsewhere(test, &forge, &plain, &token)?;
    malformed(test, &forge, &plain, &token)?;
    forge.still_works(test)
}

/// A 401 says how to ask.
fn challenge(test: &mut Test<'_>, what: &str, answer: &Answer) {
    if answer.status == 401 {
        let asks = answer.headers("www-authenticate").any(|value| value.to_ascii_lowercase().starts_with("bearer"));
        test.refuses(&format!("a 401 for {what} says `WWW-Authenticate: Bearer`"), asks, answer);
    }
}

/// The right token in a place where it is logged, stored or sent by itself.
fn elsewhere(test: &mut Test<'_>, forge: &Forge, plain: &Request, token: &str) -> Outcome {
    let mut ways: Vec<(String, Request)> = vec![];
    for name in ["access_token", "token", "bearer", "authorization", "jwt"] {
        let target = format!("{}?{name}={}", plain.target, encoded(token));
        ways.push((format!("in the query as `{name}`"), Request { target, ..plain.clone() }));
        let form = plain.clone().header("Content-Type", "application/x-www-form-urlencoded");
        ways.push((format!("in a form as `{name}`"), form.body(format!("{name}={token}"))));
        ways.push((format!("in the cookie `{name}`"), plain.clone().header("Cookie", format!("{name}={token}"))));
    }
    let session = &forge.app.contract.cookies.session;
    ways.push(("in the session's cookie".to_owned(), plain.clone().header("Cookie", format!("{session}={token}"))));
    for name in ["X-Access-Token", "X-Auth-Token", "X-Authorization", "Proxy-Authorization", "X-Forwarded-Access-Token"]
    {
        ways.push((format!("in the header {name}"), plain.clone().header(name, token)));
        ways.push((
            format!("in the header {name} with its scheme"),
            plain.clone().header(name, format!("Bearer {token}")),
        ));
    }
    for (what, request) in ways {
        let answer = forge.app.client().send(&request)?;
        test.refuses(&format!("a token is not taken {what}"), answer.denied(), &answer);
    }
    Ok(())
}

/// Headers that are no bearer token, or two of them.
fn malformed(test: &mut Test<'_>, forge: &Forge, plain: &Request, token: &str) -> Outcome {
    let one = |value: &[u8]| plain.clone().header("Authorization", value);
    let right = format!("Bearer {token}");
    let two = |first: &str, second: &str| one(first.as_bytes()).header("Authorization", second);
    let ways: Vec<(&str, Request)> = vec![
        ("the scheme alone", one(b"Bearer")),
        ("the scheme and a space", one(b"Bearer ")),
        ("the scheme and two spaces", one(b"Bearer  ")),
        ("two tokens", one(format!("{right} {token}").as_bytes())),
        ("a token and a word", one(format!("{right} x").as_bytes())),
        ("tokens after a comma", one(format!("{right}, Bearer {token}").as_bytes())),
        ("a token after a comma", one(format!("Basic eDp4, {right}").as_bytes())),
        ("another scheme", one(format!("Token {token}").as_bytes())),
        ("the scheme of a proof", one(format!("DPoP {token}").as_bytes())),
        ("no scheme", one(token.as_bytes())),
        ("the scheme twice", one(format!("Bearer {right}").as_bytes())),
        ("the scheme with a colon", one(format!("Bearer: {token}").as_bytes())),
        ("a token in quotes", one(format!("Bearer \"{token}\"").as_bytes())),
        ("a parameter", one(format!("Bearer token={token}").as_bytes())),
        ("basic credentials", one(format!("Basic {token}").as_bytes())),
        ("a right header and a wrong one", two(&right, "Bearer wrong")),
        ("a wrong header and a right one", two("Bearer wrong", &right)),
        ("the right header twice", two(&right, &right)),
        ("text that is no ASCII", one("Bearer tökén".as_bytes())),
        ("bytes that are no text", one(b"Bearer \xff\xfe\x80")),
        ("broken escapes", one(b"Bearer %zz%00%")),
        ("`null`", one(b"Bearer null")),
        ("`undefined`", one(b"Bearer undefined")),
        ("64 KiB", one(format!("Bearer {}", "a".repeat(64 << 10)).as_bytes())),
    ];
    for (what, request) in ways {
        // Too much for a header may end the connection.
        let answer = match forge.app.client().try_send(&request) {
            Err(Broken::Closed) => continue,
            answer => answer?,
        };
        let refused = answer.denied() || answer.status == 431;
        test.refuses(&format!("`Authorization` is not taken with {what}"), refused, &answer);
        challenge(test, what, &answer);
    }
    Ok(())
}

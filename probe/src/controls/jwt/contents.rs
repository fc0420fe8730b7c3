//! An access token lives shortly and tells little.

use std::collections::BTreeSet;

use crate::{
    jws::Token,
    test::{Outcome, Test},
};

/// How many are looked at.
const TOKENS: usize = 200;
/// The longest life of one.
const LONGEST: i64 = 15 * 60;
/// Bits of `jti` that must vary; the estimate of 200 tokens is off by less than one.
const BITS: f64 = 95.0;
const CLAIMS: [&str; 13] =
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "scope", "client_id", "amr", "auth_time", "ver"];
const HEADERS: [&str; 3] = ["alg", "typ", "kid"];

pub(super) fn short_and_minimal(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, mut device) = app.device()?;
    let id = device.ask("API")?.value("id").unwrap_or_default();
    let mut tokens = vec![device.token()?];
    while tokens.len() < TOKENS {
        device = device.refreshed()?;
        tokens.push(device.token()?);
    }
    test.works("the last of them works", device.works()?, device.access.as_str())?;
    let whose = tokens.iter().all(|token| token.text("sub").is_some_and(|sub| !sub.is_empty() && sub != person.email));
    test.refuses("`sub` is there and is no address", whose, format!("{:?}", tokens[0]));
    let same = tokens.iter().all(|token| id.is_empty() || token.text("sub") == Some(&id));
    test.refuses("`sub` is the account", same, format!("{:?}, of {id}", tokens[0]));
    for token in &tokens {
        one(test, &app.origin, &person.email, token);
    }
    let names: Vec<String> = tokens.iter().filter_map(|token| Some(token.text("jti")?.to_owned())).collect();
    let different: BTreeSet<&String> = names.iter().collect();
    let seen = format!("{} different `jti` in {TOKENS} tokens, such as {:?}", different.len(), names.first());
    test.refuses("each access token has a `jti` of its own", different.len() == TOKENS, seen.as_str());
    let bits = if names.len() == TOKENS { super::super::ses::varying_bits(&names) } else { 0.0 };
    test.refuses("a `jti` has 96 random bits", bits >= BITS, format!("{bits:.1} bits vary; {seen}"));
    Ok(())
}

fn one(test: &mut Test<'_>, origin: &str, email: &str, token: &Token) {
    let shown = format!("{token:?}");
    let life = token.number("exp").zip(token.number("iat")).map(|(end, start)| end - start);
    let short = life.is_some_and(|life| (1..=LONGEST).contains(&life));
    test.refuses("an access token lives fifteen minutes at most", short, shown.as_str());
    let named = ["iss", "aud"].iter().all(|claim| token.claims.contains_key(*claim));
    test.refuses("an access token names its issuer and its audience", named, shown.as_str());
    let more: Vec<&String> = token.claims.keys().filter(|claim| !CLAIMS.contains(&claim.as_str())).collect();
    test.refuses(
        "an access token has no claim but those of its purpose",
        more.is_empty(),
        format!("{more:?} in {shown}"),
    );
    let more: Vec<&String> = token.header.keys().filter(|name| !HEADERS.contains(&name.as_str())).collect();
    test.refuses("a header says no more than `alg`, `typ` and `kid`", more.is_empty(), format!("{more:?} in {shown}"));
    let text = serde_json::to_string(&token.claims).unwrap_or_default().replace(origin, "").to_lowercase();
    let local = email.split('@').next().unwrap_or(email);
    let tells = text.contains('@') || text.contains(local) || text.contains("$argon2");
    test.refuses("an access token holds nothing personal and no secret", !tells, shown);
}

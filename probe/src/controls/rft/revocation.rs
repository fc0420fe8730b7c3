//! Giving a token back ends what it belongs to, and tells nobody anything.

use std::sync::Arc;

use serde_json::json;

use super::super::jwt::{alive, ended, spared};
use crate::{
    devices::Device,
    http::{Answer, Request},
    lab::App,
    people::Person,
    random,
    test::{Outcome, Test},
};

pub(super) fn endpoint(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, device) = app.device()?;
    let other = app.device_of(&person)?;
    own(test, &app, &person)?;
    let plain = unknown(test, &app)?;
    for_others(test, &app, &device, &plain)?;
    by_get(test, &app, &device)?;
    alive(test, "a device that nobody gave back", &device)?;
    alive(test, "another one", &other)
}

/// The newest refresh token, one that was used, or an access token: each ends its family.
fn own(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    for which in ["a refresh token", "a refresh token that was used", "an access token"] {
        let first = app.device_of(person)?;
        let second = first.refreshed()?;
        alive(test, "a device", &second)?;
        let token = match which {
            "a refresh token" => &second.refresh,
            "an access token" => &second.access,
            _ => &first.refresh,
        };
        let answer = app.revoke(token)?;
        test.works(&format!("TOKEN_REVOKE takes {which}"), answer.succeeded(), &answer)?;
        ended(test, &format!("TOKEN_REVOKE of {which}"), &second)?;
        let again = app.revoke(token)?;
        test.refuses("a second TOKEN_REVOKE is answered as the first", again.look() == answer.look(), &again);
    }
    Ok(())
}

/// What is no token is answered like one.
fn unknown(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Answer> {
    let (_, device) = app.device()?;
    let right = app.revoke(&device.refresh)?;
    for text in [random::letters(43), String::new(), "a.b.c".to_owned(), "x".repeat(2000), random::secret()] {
        let answer = app.revoke(&text)?;
        let same = answer.look() == right.look() || text.is_empty() && answer.denied();
        test.refuses("TOKEN_REVOKE does not tell whether there was such a token", same, &answer);
    }
    Ok(right)
}

/// Somebody else names the family, the device or the account by all names that can be known.
fn for_others(test: &mut Test<'_>, app: &Arc<App>, victim: &Device, plain: &Answer) -> Outcome {
    let (_, attacker) = app.device()?;
    let token = victim.token()?;
    let mut names: Vec<String> =
        ["sid", "jti", "sub"].iter().filter_map(|claim| Some(token.text(claim)?.to_owned())).collect();
    names.push(super::super::acts::device_id(victim)?);
    for name in names {
        let answer = app.revoke(&name)?;
        test.refuses(
            "TOKEN_REVOKE takes no name for a token",
            answer.look() == plain.look() || answer.denied(),
            &answer,
        );
        let named = app.role("TOKEN_REVOKE")?.field("token", random::letters(43));
        let extra = ["sid", "family", "family_id", "device_id", "user_id", "sub", "id"];
        let call = extra.iter().fold(named, |call, field| call.field(field, name.as_str()));
        let answer = app.client().send(&attacker.bearing(&call))?;
        test.refuses("TOKEN_REVOKE breaks on no field", !answer.broke(), &answer);
        let call = app.role("DEVICE_REVOKE")?.segment("id", &name);
        let answer = app.client().send(&attacker.bearing(&call))?;
        test.refuses("DEVICE_REVOKE ends nobody else's device", answer.denied(), &answer);
        spared(test, "the victim", victim)?;
    }
    // A forged token that names the family ends nothing.
    let forged = crate::jws::Key::fresh(app.tokens_table()?.alg)?;
    let answer = app.revoke(&token.signed(&forged)?)?;
    test.refuses("TOKEN_REVOKE breaks on no token", !answer.broke(), &answer);
    spared(test, "the victim", victim)
}

/// A link ends nothing.
fn by_get(test: &mut Test<'_>, app: &Arc<App>, device: &Device) -> Outcome {
    let call = app.role("TOKEN_REVOKE")?;
    let field = call.role().fields.get("token").cloned().unwrap_or_else(|| "token".to_owned());
    for method in ["GET", "HEAD", "PUT"] {
        let target = format!("{}?{field}={}", call.path(), device.refresh);
        let request = Request::new(method, &target).header("Content-Type", "application/json");
        let request =
            if method == "PUT" { request.body(json!({ field.as_str(): device.refresh }).to_string()) } else { request };
        let answer = app.client().send(&request)?;
        test.refuses(&format!("TOKEN_REVOKE does not work by {method}"), answer.denied(), &answer);
    }
    Ok(())
}

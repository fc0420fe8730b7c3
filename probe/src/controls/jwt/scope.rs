//! What a token may do, and how fresh its owner's sign-in is, is what the token says, and nothing else.

use serde_json::{Value, json};

use super::{Forge, now};
use crate::{
    devices::{Device, bearing},
    http::Answer,
    jws::Token,
    test::{Outcome, Test},
};

pub(super) fn enforced(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    scoped(test, &forge)?;
    by_request(test, &forge)?;
    granted(test, &forge)?;
    fresh(test, &forge)
}

fn asked(forge: &Forge, role: &str, token: &Token) -> Outcome<Answer> {
    forge.app.client().send(&bearing(&forge.app.role(role)?, &token.signed(&forge.key)?))
}

/// The route that asks for a scope, with tokens that have another or none.
fn scoped(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    let names = forge.app.tokens_table()?.clone();
    let (scope, other) = (names.scope.as_str(), names.other_scope.as_str());
    for right in [scope.to_owned(), format!("{other} {scope}"), format!("{scope} {other}")] {
        let answer = asked(forge, "API_SCOPED", &forge.token.clone().with("scope", right.as_str()))?;
        test.works(&format!("API_SCOPED takes a token with the scope `{right}`"), answer.succeeded(), &answer)?;
    }
    let wrong = [
        json!(""),
        json!(other),
        json!(format!("{scope}s")),
        json!(format!("un{scope}")),
        json!(format!("{scope}:{other}")),
        json!(format!("{scope},{other}")),
        json!(scope.to_uppercase()),
        json!("*"),
        json!([scope]),
        json!({ scope: true }),
        json!(null),
        json!(1),
    ];
    for value in wrong {
        let answer = asked(forge, "API_SCOPED", &forge.token.clone().with("scope", value.clone()))?;
        insufficient(test, &format!("`scope` is {value}"), &answer, value.is_string());
    }
    let answer = asked(forge, "API_SCOPED", &forge.token.clone().without("scope"))?;
    insufficient(test, "there is no `scope`", &answer, false);
    Ok(())
}

/// A refusal; by its own name where the claim was of the right type.
fn insufficient(test: &mut Test<'_>, what: &str, answer: &Answer, by_name: bool) {
    let named = !by_name || answer.status == 403 && answer.is_code("insufficient_scope");
    test.refuses(&format!("API_SCOPED is closed where {what}"), answer.denied() && named, answer);
}

/// The request says of itself what it may.
fn by_request(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    let names = forge.app.tokens_table()?.clone();
    let token = forge.token.clone().with("scope", names.other_scope.as_str()).signed(&forge.key)?;
    let plain = bearing(&forge.app.role("API_SCOPED")?, &token);
    let mut requests = vec![];
    for name in ["scope", "scopes", "permissions", "role"] {
        let mut queried = plain.clone();
        queried.target = format!("{}?{name}={}", plain.target, names.scope);
        requests.push(queried);
        requests.push(plain.clone().header(&format!("X-{name}"), &names.scope));
        requests.push(plain.clone().header("Cookie", format!("{name}={}", names.scope)));
        let body = json!({ name: names.scope }).to_string();
        requests.push(plain.clone().header("Content-Type", "application/json").body(body));
    }
    for request in requests {
        let answer = forge.app.client().send(&request)?;
        insufficient(test, "the request, and not the token, names the scope", &answer, true);
    }
    Ok(())
}

/// What is granted is what was asked for, and no more than there is.
fn granted(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    let names = forge.app.tokens_table()?.clone();
    if !forge.app.role("TOKEN")?.role().fields.contains_key("scope") {
        return Ok(());
    }
    let device = narrowed(forge, &names.other_scope)?;
    let device = Device::of(&forge.app, &device)?;
    let answer = device.ask("API_SCOPED")?;
    insufficient(test, "another scope was asked for", &answer, true);
    for scope in ["admin", "*", "openid admin", &format!("{} admin", names.scope)] {
        let answer = narrowed(forge, scope)?;
        let granted = Device::of(&forge.app, &answer).ok().and_then(|device| device.token().ok());
        let scopes = granted.and_then(|token| Some(token.text("scope")?.to_owned())).unwrap_or_default();
        let known = scopes.split(' ').all(|one| one.is_empty() || one == names.scope || one == names.other_scope);
        test.refuses(
            &format!("no scope is granted that there is not, such as `{scope}`"),
            known && !answer.broke(),
            &answer,
        );
    }
    Ok(())
}

fn narrowed(forge: &Forge, scope: &str) -> Outcome<Answer> {
    if forge.app.grants_by_password()? {
        let call = forge.app.password_grant(&forge.person.email, &forge.person.password)?.field("scope", scope);
        return forge.app.client().send(&call.request());
    }
    let call = forge.app.session_grant()?.field("scope", scope);
    forge.app.signed_in(&forge.person)?.call(&call)
}

/// The route that asks for a sign-in of late, with tokens of earlier ones.
fn fresh(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    let with = |time: Value| forge.token.clone().with("auth_time", time);
    let answer = asked(forge, "API_FRESH", &with(json!(now())))?;
    test.works("API_FRESH takes a token of a sign-in of late", answer.succeeded(), &answer)?;
    let old = [json!(now() - 7200), json!(now() - 86_400), json!(0), json!(-1)];
    for time in old {
        let answer = asked(forge, "API_FRESH", &with(time.clone()))?;
        let named = answer.is_code("insufficient_user_authentication");
        let what = format!("API_FRESH is closed to a sign-in of long ago, `auth_time` {time}");
        test.refuses(&what, answer.denied() && named, &answer);
    }
    for time in [json!(null), json!(now().to_string()), json!([now()]), json!(true)] {
        let answer = asked(forge, "API_FRESH", &with(time.clone()))?;
        test.refuses(&format!("API_FRESH is closed where `auth_time` is {time}"), answer.denied(), &answer);
    }
    let answer = asked(forge, "API_FRESH", &forge.token.clone().without("auth_time"))?;
    test.refuses("API_FRESH is closed where there is no `auth_time`", answer.denied(), &answer);
    aged(test, forge)
}

/// A device does not become fresh by refreshing.
fn aged(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    if !test.lab.starts() {
        return Ok(());
    }
    let app = test.boot(&crate::lab::Setup::default().set("reauth", 2))?;
    let (_, device) = app.device()?;
    let at_once = device.ask("API_FRESH")?;
    std::thread::sleep(std::time::Duration::from_millis(3_200));
    let later = device.refreshed()?;
    test.works("a device that refreshed goes on", later.works()?, later.access.as_str())?;
    let answer = later.ask("API_FRESH")?;
    let seen = format!("at first:\n{}\nafter refreshing:\n{}", at_once.exchange(), answer.exchange());
    test.refuses("refreshing is no sign-in: API_FRESH stays closed", answer.denied(), seen);
    forge.still_works(test)
}

//! Refreshing gives what was granted, or less.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    devices::Device,
    http::Answer,
    jws::Token,
    lab::App,
    people::Person,
    test::{Outcome, Test},
};

pub(super) fn never_more(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let names = app.tokens_table()?.clone();
    let (person, other) = (app.person()?, app.person()?);
    let stranger = app.device_of(&other)?.token()?;
    kept(test, &app, &person, &names.scope)?;
    let wider = [
        ("scope", app.full_scope()?),
        ("scope", names.other_scope.clone()),
        ("scope", format!("{} admin", names.scope)),
        ("scope", "*".to_owned()),
        ("aud", "https://other.test".to_owned()),
        ("audience", "https://other.test".to_owned()),
        ("resource", "https://other.test".to_owned()),
        ("user_id", stranger.text("sub").unwrap_or_default().to_owned()),
        ("sub", stranger.text("sub").unwrap_or_default().to_owned()),
        ("client_id", "other".to_owned()),
        ("expires_in", "86400".to_owned()),
        ("amr", "mfa".to_owned()),
        ("auth_time", "4102444800".to_owned()),
    ];
    for (field, value) in wider {
        let device = narrow_device(&app, &person, &names.scope)?;
        let call =
            app.role("TOKEN_REFRESH")?.field("refresh_token", device.refresh.as_str()).field(field, value.as_str());
        let answer = app.client().send(&call.request())?;
        unchanged(test, &app, &format!("`{field}` {value}"), &device.token()?, &answer)?;
    }
    narrower(test, &app, &person)
}

/// Somebody's device with one scope alone.
fn narrow_device(app: &Arc<App>, person: &Person, scope: &str) -> Outcome<Device> {
    if app.grants_by_password()? {
        let call = app.password_grant(&person.email, &person.password)?.field("scope", scope);
        return Device::of(app, &app.client().send(&call.request())?);
    }
    let call = app.session_grant()?.field("scope", scope);
    Device::of(app, &app.signed_in(person)?.call(&call)?)
}

fn kept(test: &mut Test<'_>, app: &Arc<App>, person: &Person, scope: &str) -> Outcome {
    let device = narrow_device(app, person, scope)?;
    let granted = device.token()?;
    test.works(
        "TOKEN grants the scope that was asked for",
        granted.text("scope") == Some(scope),
        format!("{granted:?}"),
    )?;
    let kept = device.refreshed()?.token()?;
    test.works("refreshing keeps it", kept.text("scope") == Some(scope), format!("{kept:?}"))
}

/// An error, or a token that says what the one before said; and so says the next.
fn unchanged(test: &mut Test<'_>, app: &Arc<App>, what: &str, before: &Token, answer: &Answer) -> Outcome {
    if !answer.succeeded() {
        test.refuses(&format!("asking for {what} is refused cleanly"), answer.denied(), answer);
        return Ok(());
    }
    let device = Device::of(app, answer)?;
    let mut tokens = vec![device.token()?];
    if let Ok(next) = Device::of(app, &device.refreshing()?) {
        tokens.push(next.token()?);
    }
    for token in tokens {
        for claim in ["scope", "aud", "sub", "client_id", "iss", "amr", "auth_time", "sid"] {
            let same = token.claims.get(claim) == before.claims.get(claim);
            let seen = format!(
                "{:?} before, {:?} now\n{}",
                before.claims.get(claim),
                token.claims.get(claim),
                answer.exchange()
            );
            test.refuses(&format!("refreshing with {what} changes no `{claim}`"), same, seen);
        }
        let life = |token: &Token| token.number("exp").zip(token.number("iat")).map(|(end, start)| end - start);
        test.refuses(
            &format!("refreshing with {what} gives no longer life"),
            life(&token) <= life(before),
            format!("{token:?}"),
        );
    }
    Ok(())
}

/// Less may be asked for.
fn narrower(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let call = app.role("TOKEN_REFRESH")?;
    if !call.role().fields.contains_key("scope") {
        return Ok(());
    }
    let scope = app.tokens_table()?.scope.clone();
    let device = app.device_of(person)?;
    let call = call.field("refresh_token", device.refresh.as_str()).field("scope", Value::from(scope.as_str()));
    let answer = app.client().send(&call.request())?;
    test.works("less than was granted may be asked for", answer.succeeded(), &answer)?;
    let token = Device::of(app, &answer)?.token()?;
    test.refuses("a token of less says so", token.text("scope") == Some(scope.as_str()), format!("{token:?}"));
    Ok(())
}

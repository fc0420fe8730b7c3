//! Methods that change nothing, and methods that pose as others.

use std::{sync::Arc, time::Duration};

use super::super::{
    acts::{Member, Way, acts, visited},
    oic::linking::{has_identity, linked, to_link},
};
use crate::{
    client::{Call, Client, encoded},
    http::Request,
    lab::App,
    people::Person,
    provider::{Provider, Subject},
    random,
    test::{Outcome, Test},
};

const OVERRIDES: [&str; 4] = ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "X-Original-Method"];

/// GET and HEAD have no effect, and no request is taken for one of another method.
pub(super) fn safe_methods(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for way in Way::all(&app) {
        for role in acts(&app)? {
            let member = Member::new(&app)?;
            let call = member.act(role, way)?;
            let client = visited(&member.client)?;
            for (what, request) in disguised(&client, &call)? {
                let answer = client.copy().send(&request)?;
                let what = format!("{role}{} {what}", way.name());
                test.refuses(&format!("{what} does not break"), !answer.broke(), &answer);
                test.refuses(&format!("{what} gives no session"), !answer.sets_session(), &answer);
                let shift = member.shift()?;
                let seen = format!("{}\n{}", shift.clone().unwrap_or_default(), answer.exchange());
                test.refuses(&format!("{what} changes nothing"), shift.is_none(), seen);
            }
            let change = member.change()?;
            let what = format!("{role}{} by no other method changes anything", way.name());
            test.refuses(&what, change.is_none(), change.unwrap_or_default());
            let answer = member.client.copy().call(&call)?;
            test.works(&format!("{role}{} by its own method works", way.name()), answer.succeeded(), &answer)?;
            mailed_once(test, &app, role, &call)?;
        }
    }
    if let Ok(provider) = to_link(&app) {
        unlinking(test, &app, provider)?;
    }
    without_session(test, &app)
}

fn mailed_once(test: &mut Test<'_>, app: &App, role: &str, call: &Call) -> Outcome {
    if !["EMAIL_CHANGE", "REGISTER", "FORGOT"].contains(&role) {
        return Ok(());
    }
    let field = call.role().fields.get("email").map_or("email", String::as_str);
    let email = call.fields().get(field).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    app.token(role, &email, 1)?;
    let count = app.tokens(role, &email, 1, Duration::ZERO)?.len();
    let what = format!("{role} by no other method sends a mail");
    test.refuses(&what, count == 1, format!("{count} mails to {email}"));
    Ok(())
}

/// The act as it must not work: as a safe method with all it needs in the query, or as one that claims to be another.
fn disguised(client: &Client, call: &Call) -> Outcome<Vec<(String, Request)>> {
    let right = client.guarded(call)?;
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let fields: Vec<String> =
        call.fields().iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(&text(value)))).collect();
    let method = right.method.clone();
    let with = |method: &str, query: &str| {
        let query = [fields.join("&"), query.to_owned()].into_iter().filter(|part| !part.is_empty());
        let target = format!("{}?{}", right.target, query.collect::<Vec<_>>().join("&"));
        let request = Request { method: method.to_owned(), target, ..right.clone() };
        request.without("Content-Type").body(vec![])
    };
    let mut all: Vec<(String, Request)> =
        ["GET", "HEAD", "OPTIONS"].map(|safe| (format!("as {safe}"), with(safe, ""))).to_vec();
    // A POST may pose as DELETE; only a safe method can pose as POST.
    let poses = if method == "POST" { vec!["GET"] } else { vec!["GET", "POST"] };
    for pose in poses {
        for header in OVERRIDES {
            let what = format!("as {pose} with {header}: {method}");
            all.push((what, with(pose, "").header(header, method.as_bytes())));
        }
        for name in ["_method", "method", "X-HTTP-Method-Override"] {
            all.push((format!("as {pose} with {name} in the query"), with(pose, &format!("{name}={method}"))));
        }
        if pose == "POST" {
            let form = with(pose, "").header("Content-Type", "application/x-www-form-urlencoded");
            all.push((format!("as {pose} with _method in the form"), form.body(format!("_method={method}"))));
        }
    }
    Ok(all)
}

/// A way to sign in is taken away by one method alone.
fn unlinking(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider) -> Outcome {
    let (_, mut client) = app.member()?;
    let answer = linked(&mut client, provider, &Subject::new())?;
    test.works("an identity is linked", has_identity(&client, provider)?, &answer)?;
    let call = app.role_at("OIDC_UNLINK", provider)?;
    for (what, request) in disguised(&visited(&client)?, &call)? {
        let answer = client.copy().send(&request)?;
        test.refuses(&format!("OIDC_UNLINK {what} does not break"), !answer.broke(), &answer);
        test.refuses(&format!("OIDC_UNLINK {what} unlinks nothing"), has_identity(&client, provider)?, &answer);
    }
    if has_identity(&client, provider)? {
        let answer = client.call(&call)?;
        test.works("OIDC_UNLINK by its own method works", answer.succeeded(), &answer)?;
    }
    Ok(())
}

fn without_session(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    if !app.has_passwords() {
        return Ok(());
    }
    let person = app.person()?;
    let login = app.role("LOGIN")?.field("email", person.email.as_str()).field("password", person.password.as_str());
    is_inert(test, app, "LOGIN", &login)?;
    let new = Person::new();
    let register = app.role("REGISTER")?.field("email", new.email.as_str()).field("password", new.password.as_str());
    is_inert(test, app, "REGISTER", &register)?;
    let token = app.token("REGISTER", &new.email, 1)?;
    let verify = app.role("VERIFY")?.field("token", token).field("password", new.password.as_str());
    let early = |client: &mut Client| client.login(&new.email, &new.password);
    disguise(test, app, "VERIFY", &verify)?;
    let answer = early(&mut app.client())?;
    test.refuses("VERIFY by no other method confirms an address", answer.denied(), &answer);
    let answer = app.client().call(&verify)?;
    test.works("VERIFY by its own method works", answer.succeeded(), &answer)?;
    is_inert(test, app, "FORGOT", &app.role("FORGOT")?.field("email", person.email.as_str()))?;
    let token = app.token("FORGOT", &person.email, 1)?;
    let reset = app.role("RESET")?.field("token", token).field("password", random::password());
    disguise(test, app, "RESET", &reset)?;
    let answer = app.client().login(&person.email, &person.password)?;
    test.refuses("RESET by no other method sets a password", answer.succeeded(), &answer);
    let answer = app.client().call(&reset)?;
    test.works("RESET by its own method works", answer.succeeded(), &answer)
}

fn is_inert(test: &mut Test<'_>, app: &Arc<App>, role: &str, call: &Call) -> Outcome {
    disguise(test, app, role, call)?;
    let answer = app.client().call(call)?;
    test.works(&format!("{role} by its own method works"), answer.succeeded(), &answer)?;
    mailed_once(test, app, role, call)
}

fn disguise(test: &mut Test<'_>, app: &Arc<App>, role: &str, call: &Call) -> Outcome {
    let client = visited(&app.client())?;
    for (what, request) in disguised(&client, call)? {
        let answer = client.elsewhere().send(&request)?;
        let inert = !answer.sets_session() && !answer.broke();
        test.refuses(&format!("{role} {what} gives no session"), inert, &answer);
    }
    Ok(())
}

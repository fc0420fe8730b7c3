//! Parameters that come twice, or from where they do not belong.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    client::{Call, encoded},
    contract::Encoding,
    devices::Device,
    http::{Answer, Request},
    lab::App,
    people::{Person, email},
    random,
    test::{Outcome, Seen as _, Test},
};

/// Each parameter is read from one place, once, by all who read it.
pub(super) fn one_place(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    if test.has("tokens") {
        of_devices(test, &app)?;
    }
    let (a, b) = (app.person()?, app.person()?);
    app.signed_in(&a)?;
    app.signed_in(&b)?;
    if !app.has_passwords() {
        return if test.has("tokens") { Ok(()) } else { app.role("LOGIN").map(drop) };
    }
    let mut forms = vec![(app.role("LOGIN")?, app.contract.encoding)];
    if let Some(pages) = &app.contract.pages {
        forms.push((app.form("LOGIN")?, pages.encoding));
    }
    for (call, encoding) in &forms {
        doubled_address(test, &app, call, *encoding, [&a, &b])?;
        doubled_password(test, &app, call, *encoding, &a)?;
    }
    address_in_query(test, &app, &a, &b)?;
    tokens_in_query(test, &app)?;
    mail_by_query(test, &app)
}

/// A refresh token counts from the body, once.
fn of_devices(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let ((_, own), (_, other)) = (app.device()?, app.device()?);
    let (call, encoding) = (app.role("TOKEN_REFRESH")?, app.contract.encoding);
    let right = call.clone().field("refresh_token", own.refresh.as_str()).request();
    let empty = right.clone().body(body(&call, encoding, &[]));
    let unsent = empty.clone().body("").without("Content-Type");
    for (which, request) in [("with an empty body", empty), ("without a body", unsent)] {
        let answer = app.client().send(&queried(&call, request, &[("refresh_token", &own.refresh)]))?;
        test.refuses(&format!("TOKEN_REFRESH reads no token from the URL {which}"), answer.denied(), &answer);
    }
    let lost = random::secret();
    let twice = [("refresh_token", lost.as_str()), ("refresh_token", own.refresh.as_str())];
    let answer = app.client().send(&right.clone().body(body(&call, encoding, &twice)))?;
    test.refuses("of two refresh tokens none counts that is not the only one", answer.denied(), &answer);
    let answer = app.client().send(&queried(&call, right, &[("refresh_token", &other.refresh)]))?;
    let used = Device::of(app, &answer)?;
    test.works("a token in the body counts, whatever the URL says", used.works()?, &answer)?;
    test.works("a token in the URL is not used up", other.refreshed()?.works()?, other.access.as_str())
}

fn name(call: &Call, field: &str) -> String {
    call.role().fields.get(field).map_or(field, String::as_str).to_owned()
}

/// A body with these fields in this order, each as often as it is named.
fn body(call: &Call, encoding: Encoding, fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(field, value)| (name(call, field), *value));
    match encoding {
        Encoding::Json => {
            let pairs: Vec<String> =
                pairs.map(|(name, value)| format!("{}:{}", Value::from(name), Value::from(value))).collect();
            format!("{{{}}}", pairs.join(","))
        }
        Encoding::Form => {
            let pairs: Vec<String> =
                pairs.map(|(name, value)| format!("{}={}", encoded(&name), encoded(value))).collect();
            pairs.join("&")
        }
    }
}

fn with_body(app: &Arc<App>, call: &Call, encoding: Encoding, fields: &[(&str, &str)]) -> Outcome<Request> {
    let request = app.client().guarded(&call.clone().encoding(encoding).field("email", ""))?;
    Ok(request.body(body(call, encoding, fields)))
}

/// Whom the request signs in, with its answer.
fn signs_in(app: &Arc<App>, request: &Request) -> Outcome<(Option<String>, Answer)> {
    let mut client = app.client();
    let answer = client.send(request)?;
    let who = if answer.sets_session() { client.me()?.value("email") } else { None };
    Ok((who, answer))
}

fn doubled_address(
    test: &mut Test<'_>,
    app: &Arc<App>,
    call: &Call,
    encoding: Encoding,
    people: [&Person; 2],
) -> Outcome {
    let mut counted = vec![];
    let mut shown = String::new();
    for [first, last] in [people, [people[1], people[0]]] {
        for password in people.map(|person| person.password.as_str()) {
            let fields = [("email", first.email.as_str()), ("email", &last.email), ("password", password)];
            let (who, answer) = signs_in(app, &with_body(app, call, encoding, &fields)?)?;
            test.refuses("LOGIN does not break on an address that comes twice", !answer.broke(), &answer);
            if let Some(who) = who {
                counted.push(if who == first.email { "first" } else { "last" });
                shown = answer.seen();
            }
        }
    }
    counted.dedup();
    test.refuses("of two addresses none counts, or always the same", counted.len() <= 1, &shown);
    if let Some(which) = counted.first() {
        counts_for_throttle(test, app, call, encoding, which)?;
    }
    Ok(())
}

/// The address that signs in is the one that guesses are counted for.
fn counts_for_throttle(test: &mut Test<'_>, app: &Arc<App>, call: &Call, encoding: Encoding, which: &str) -> Outcome {
    let victim = app.person()?;
    for _ in 0..8 {
        let other = email();
        let both = if which == "first" { [&victim.email, &other] } else { [&other, &victim.email] };
        let wrong = random::password();
        let fields = [("email", both[0].as_str()), ("email", both[1].as_str()), ("password", wrong.as_str())];
        app.client().send(&with_body(app, call, encoding, &fields)?)?;
    }
    let answer = app.client().login(&victim.email, &victim.password)?;
    let what = "guesses with two addresses are counted for the one that they are about";
    test.refuses(what, answer.throttled(), &answer);
    Ok(())
}

fn doubled_password(test: &mut Test<'_>, app: &Arc<App>, call: &Call, encoding: Encoding, person: &Person) -> Outcome {
    let wrong = random::password();
    let mut open = 0;
    let mut shown = String::new();
    for [first, last] in [[&person.password, &wrong], [&wrong, &person.password]] {
        let fields = [("email", person.email.as_str()), ("password", first.as_str()), ("password", last.as_str())];
        let (who, answer) = signs_in(app, &with_body(app, call, encoding, &fields)?)?;
        open += usize::from(who.is_some());
        shown = answer.seen();
    }
    test.refuses("of two passwords none counts, or always the same", open <= 1, &shown);
    app.signed_in(person)?;
    Ok(())
}

/// The request with these fields in its query as well.
fn queried(call: &Call, request: Request, fields: &[(&str, &str)]) -> Request {
    let pairs: Vec<String> =
        fields.iter().map(|(field, value)| format!("{}={}", encoded(&name(call, field)), encoded(value))).collect();
    Request { target: format!("{}?{}", call.path(), pairs.join("&")), ..request }
}

fn address_in_query(test: &mut Test<'_>, app: &Arc<App>, a: &Person, b: &Person) -> Outcome {
    let call = app.role("LOGIN")?;
    let own = [("email", a.email.as_str()), ("password", a.password.as_str())];
    let other = [("email", b.email.as_str()), ("password", b.password.as_str())];
    let encoding = app.contract.encoding;
    let plain = with_body(app, &call, encoding, &own)?;
    let (who, answer) = signs_in(app, &plain)?;
    test.works("LOGIN signs in whom its body names", who.as_ref() == Some(&a.email), &answer)?;
    let (who, answer) = signs_in(app, &queried(&call, plain.clone(), &other))?;
    let what = "credentials in the URL do not count beside those in the body";
    test.refuses(what, who.is_none_or(|who| who == a.email), &answer);
    let empty = with_body(app, &call, encoding, &[])?;
    let unsent = empty.clone().body("").without("Content-Type");
    let half = with_body(app, &call, encoding, &own[..1])?;
    let read = Request { method: "GET".to_owned(), ..unsent.clone() };
    for (which, request, query) in [
        ("with an empty body", &empty, &other[..]),
        ("without a body", &unsent, &other[..]),
        ("in a GET", &read, &other[..]),
        ("for what the body lacks", &half, &[("password", a.password.as_str())][..]),
    ] {
        let answer = app.client().send(&queried(&call, request.clone(), query))?;
        test.refuses(&format!("credentials in the URL {which} sign nobody in"), !answer.sets_session(), &answer);
        test.refuses(&format!("credentials in the URL {which} break nothing"), !answer.broke(), &answer);
    }
    Ok(())
}

fn tokens_in_query(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = app.person()?;
    app.client().forgot(&person.email)?;
    let token = app.token("FORGOT", &person.email, 1)?;
    let call = app.role("RESET")?;
    let new = random::password();
    let filled = call.clone().field("password", new.as_str());
    let guarded = |call: &Call| app.client().guarded(call);
    let other = guarded(&filled.clone().field("token", random::letters(43)))?;
    for (which, request) in [("beside another in the body", other), ("instead of one in the body", guarded(&filled)?)] {
        let answer = app.client().send(&queried(&call, request, &[("token", &token)]))?;
        test.refuses(&format!("RESET reads no token from the URL {which}"), answer.denied(), &answer);
    }
    let answer = app.client().reset(&token, &new)?;
    test.refuses("a token in the URL is not used up", answer.succeeded(), &answer);
    Ok(())
}

fn mail_by_query(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, other) = (app.person()?, app.person()?);
    let call = app.role("FORGOT")?;
    let request = app.client().guarded(&call.clone().field("email", person.email.as_str()))?;
    app.client().send(&queried(&call, request, &[("email", &other.email)]))?;
    // After the mail that the URL would have caused comes one that must.
    app.client().forgot(&other.email)?;
    app.token("FORGOT", &other.email, 1)?;
    let links = app.tokens("FORGOT", &other.email, 0, Duration::ZERO)?.len();
    test.refuses("FORGOT mails nobody whom the URL names", links == 1, format!("{links} links came"));
    Ok(())
}

//! Bodies that need no preflight, and answers that other origins may read.

use std::sync::Arc;

use super::super::acts::{Member, Way, visited, with_tokens};
use crate::{
    client::{Call, Client},
    contract::Encoding,
    http::{Answer, Request},
    lab::App,
    people::Person,
    random,
    test::{Outcome, Test},
};

/// A JSON body counts only where the request says that it is one.
pub(super) fn content_types(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    if app.contract.encoding != Encoding::Json {
        return takes_no_json(test, &app);
    }
    for role in app.expected(&ROLES) {
        let case = Case::new(&app, role)?;
        for (what, request) in mistyped(&case.client.guarded(&case.call)?) {
            let answer = case.client.elsewhere().send(&request)?;
            test.refuses(&format!("{role} takes no body {what}"), answer.denied(), &answer);
        }
        if let Some(member) = &case.member {
            let change = member.change()?;
            let what = format!("{role} with another type changes nothing");
            test.refuses(&what, change.is_none(), change.unwrap_or_default());
        }
        let answer = case.client.elsewhere().call(&case.call)?;
        test.works(&format!("{role} takes JSON that is declared"), answer.succeeded(), &answer)?;
    }
    if !app.providers.is_empty() {
        travels(test, &app)?;
    }
    if test.has("tokens") {
        tokens(test, &app)?;
    }
    Ok(())
}

const ROLES: [&str; 9] =
    ["LOGIN", "REGISTER", "FORGOT", "VERIFY", "RESET", "REAUTH", "EMAIL_CHANGE", "EMAIL_CONFIRM", "PWCHANGE"];

/// What sends a browser to a provider takes no body that a page elsewhere can send.
fn travels(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    for (role, call) in app.departures()? {
        if !call.role().fields.contains_key("next") {
            continue;
        }
        let (call, client) = (call.field("next", "/"), visited(&app.member()?.1)?);
        let mut all = mistyped(&client.guarded(&call)?);
        // No field has to be there, so that any form is as good as that of a page; what keeps other sites out is another control.
        all.retain(|(what, _)| app.contract.pages.is_none() || !what.ends_with(FORM));
        for (what, request) in all {
            let answer = client.elsewhere().send(&request)?;
            test.refuses(&format!("{role} takes no body {what}"), answer.denied(), &answer);
        }
        let answer = client.elsewhere().call(&call)?;
        test.works(&format!("{role} takes JSON that is declared"), answer.succeeded(), &answer)?;
    }
    Ok(())
}

/// What gives tokens takes no body that a page elsewhere can send.
fn tokens(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, device) = app.device()?;
    for (client, call) in &with_tokens(app, &person, &device)? {
        for (what, request) in mistyped(&client.guarded(call)?) {
            let answer = client.elsewhere().send(&request)?;
            test.refuses(&format!("{} takes no body {what}", call.name()), answer.denied(), &answer);
        }
    }
    test.works("the device's tokens work after all of this", device.refreshed()?.works()?, device.access.as_str())
}

/// An application that says it takes forms: its word is not taken for it.
fn takes_no_json(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = app.person()?;
    app.signed_in(&person)?;
    let call = app.way_in(&person)?;
    let client = app.client();
    let json = call.encoding(Encoding::Json);
    for (what, request) in mistyped(&client.guarded(&json)?) {
        let answer = client.elsewhere().send(&request)?;
        test.refuses(&format!("the way in takes no JSON {what}"), answer.denied(), &answer);
    }
    Ok(())
}

const FORM: &str = "application/x-www-form-urlencoded";

fn mistyped(request: &Request) -> Vec<(String, Request)> {
    const TYPES: [&str; 7] = [
        "text/plain",
        FORM,
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "text/json",
        "application/jsonp",
        "application/json;charset=utf-16",
    ];
    let typed = |kind: &str| (format!("declared as {kind}"), request.clone().with("Content-Type", kind));
    let mut all: Vec<(String, Request)> = TYPES.map(typed).to_vec();
    all.push(("without a type".to_owned(), request.clone().without("Content-Type")));
    all.push(("with an empty type".to_owned(), request.clone().with("Content-Type", "")));
    let json = request.clone().with("Content-Type", "application/json");
    all.push(("with two types".to_owned(), json.header("Content-Type", "text/plain")));
    let plain = request.clone().with("Content-Type", "text/plain");
    all.push(("with two types, the wrong one first".to_owned(), plain.header("Content-Type", "application/json")));
    all
}

/// A request that would work, and who makes it.
struct Case {
    call: Call,
    client: Client,
    member: Option<Member>,
}

impl Case {
    fn new(app: &Arc<App>, role: &str) -> Outcome<Self> {
        let call = app.role(role)?;
        let person = Person::new();
        let anonymous = |call: Call| Ok(Self { call, client: visited(&app.client())?, member: None });
        match role {
            "LOGIN" => {
                let person = app.person()?;
                anonymous(call.field("email", person.email).field("password", person.password))
            }
            "REGISTER" => anonymous(call.field("email", person.email).field("password", person.password)),
            "VERIFY" => {
                let token = app.registered(&person)?;
                anonymous(call.field("token", token).field("password", person.password))
            }
            "FORGOT" => anonymous(call.field("email", app.person()?.email)),
            "RESET" => {
                let person = app.person()?;
                app.client().forgot(&person.email)?;
                let token = app.token("FORGOT", &person.email, 1)?;
                anonymous(call.field("token", token).field("password", random::password()))
            }
            _ => {
                let member = Member::new(app)?;
                Ok(Self { call: member.act(role, Way::Api)?, client: visited(&member.client)?, member: Some(member) })
            }
        }
    }
}

/// No other origin may read an answer, and none is asked for by a preflight.
pub(super) fn cross_origin_reads(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, member) = app.member()?;
    let request = member.app.role("ME")?.request().header("Origin", &app.origin);
    let me = member.copy().send(&request)?;
    let is_read = me.value("email").as_ref() == Some(&person.email);
    test.works("the application's own origin reads ME", is_read, &me)?;
    let (scheme, host) = app.origin.split_once("://").unwrap_or(("https", &app.origin));
    let origins = [
        "https://evil.test".to_owned(),
        "null".to_owned(),
        format!("{scheme}://sub.{host}"),
        format!("{scheme}://{host}.evil.test"),
        format!("{scheme}://evil{host}"),
        format!("http://{host}"),
    ];
    for role in app.contract.roles.keys() {
        for origin in &origins {
            let call = app.role(role)?.segment("id", "none");
            for client in [member.elsewhere(), app.client()] {
                for request in [preflight(&call, origin), call.request().header("Origin", origin)] {
                    let answer = client.copy().send(&request)?;
                    test.refuses(&format!("{role} lets {origin} read nothing"), !may_read(&answer, origin), &answer);
                }
            }
        }
    }
    let alive = member.is_signed_in()?;
    test.works("the session was alive all the time", alive, person.email.as_str())
}

fn preflight(call: &Call, origin: &str) -> Request {
    let request = Request::new("OPTIONS", call.path()).header("Origin", origin);
    let request = request.header("Access-Control-Request-Method", &call.role().method);
    request.header("Access-Control-Request-Headers", "content-type")
}

/// What is for one account is not for everybody either.
fn may_read(answer: &Answer, origin: &str) -> bool {
    answer.headers("access-control-allow-origin").any(|allowed| allowed == origin || allowed == "*")
}

//! Text that would be part of a statement, if statements were put together from text.

use std::{sync::Arc, time::Duration};

use crate::{
    client::{Call, Client, encoded},
    http::{Answer, Request},
    lab::{App, Setup},
    people::Person,
    random,
    test::{Outcome, Test},
};

/// What a statement that waits would take, with what a slow machine adds.
const SHIFT: Duration = Duration::from_secs(2);

const PAYLOADS: [&str; 9] = [
    "' OR '1'='1",
    "'; DROP TABLE users;--",
    "' UNION SELECT NULL,NULL,NULL--",
    "x' AND '1'='2",
    "'||(SELECT pg_sleep(3))||'",
    "' OR randomblob(400000000) IS NOT NULL--",
    "a%00'b",
    "\\'",
    "%",
];

/// Whatever stands in a field, a path, a cookie or a header is a value, never a part of a statement.
pub(in crate::controls) fn statements_are_fixed(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (ann, _) = app.member()?;
    let before = app.database()?.count("users")?;
    // Somebody else: guesses at their password and mails to them go on until the limits hold.
    fields(test, &app, &app.person()?)?;
    queries(test, &app)?;
    if app.has_passwords() {
        addresses(test, &app, &ann)?;
    } else {
        claimed(test, &app, &ann)?;
    }
    session_names(test, &app)?;
    cookies_and_headers(test, &app, &ann)?;
    app.signed_in(&ann)?;
    let after = app.database()?.count("users")?;
    test.refuses("no account is gone", after >= before, format!("{before} accounts before, {after} after"));
    let log = app.log()?.to_lowercase();
    let complaint = log.lines().find(|line| line.contains("syntax error") || line.contains("unrecognized token"));
    test.refuses("the database was given no broken statement", complaint.is_none(), complaint.unwrap_or_default());
    Ok(())
}

fn harmless(test: &mut Test<'_>, what: &str, answer: &Answer) {
    test.refuses(&format!("{what} breaks nothing"), !answer.broke(), answer);
    test.refuses(&format!("{what} signs nobody in"), !answer.sets_session(), answer);
    test.refuses(&format!("{what} is no command to wait"), answer.took < SHIFT, answer);
}

/// Each field of each role that takes any, without a session.
fn fields(test: &mut Test<'_>, app: &Arc<App>, ann: &Person) -> Outcome {
    for role in app.contract.roles.keys() {
        let call = app.role(role)?;
        let names: Vec<String> = call.role().fields.keys().cloned().collect();
        for name in names.iter().filter(|_| !call.is_safe()) {
            for payload in PAYLOADS {
                let call = names.iter().filter(|other| *other != name).fold(call.clone(), |call, other| {
                    let value = if other == "email" { ann.email.clone() } else { random::password() };
                    call.field(other, value)
                });
                let answer = app.client().call(&call.field(name, payload))?;
                harmless(test, &format!("a statement in `{name}` of {role}"), &answer);
            }
        }
    }
    Ok(())
}

fn queries(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    for role in app.contract.roles.keys() {
        let call = app.role(role)?;
        let names: Vec<String> = call.role().query.keys().cloned().collect();
        for name in names {
            for payload in PAYLOADS {
                let answer = app.client().call(&call.clone().query(&name, payload))?;
                harmless(test, &format!("a statement in the query of {role}"), &answer);
                test.refuses(&format!("{role} takes no statement for a token"), !answer.succeeded(), &answer);
            }
        }
    }
    Ok(())
}

fn twins(ann: &Person) -> Vec<String> {
    let Some((local, domain)) = ann.email.split_once('@') else { return vec![] };
    let head = &local[..local.len() - 1];
    vec![
        format!("{local}'||'@{domain}"),
        format!("x'or'1'='1@{domain}"),
        format!("{head}_@{domain}"),
        format!("{head}%@{domain}"),
        format!("%@{domain}"),
    ]
}

/// The same as a provider says them, and such names of people.
fn claimed(test: &mut Test<'_>, app: &Arc<App>, ann: &Person) -> Outcome {
    for twin in twins(ann) {
        let person =
            Person { email: twin.clone(), subject: format!("{}' OR '1'='1", random::letters(8)), ..Person::new() };
        let mut client = app.client();
        let answer = client.enter(&person)?;
        test.refuses("an address of a provider that is a statement breaks nothing", !answer.broke(), &answer);
        test.refuses("an address of a provider is no command to wait", answer.took < SHIFT, &answer);
        let whose = client.me()?.value("email");
        let own = whose.is_none() || whose.as_ref() == Some(&twin);
        test.refuses("an address that is a statement or a pattern is not another's", own, format!("{whose:?}"));
    }
    Ok(())
}

/// Addresses that are well-formed and would match another account if they were part of a statement or a pattern.
fn addresses(test: &mut Test<'_>, app: &Arc<App>, ann: &Person) -> Outcome {
    let last = app.person()?;
    for twin in &twins(ann) {
        let answer = app.client().login(twin, &ann.password)?;
        harmless(test, "an address that is a statement or a pattern", &answer);
        test.refuses("an address that is a statement or a pattern is not another's", answer.denied(), &answer);
        let answer = app.client().forgot(twin)?;
        harmless(test, "FORGOT for an address that is a statement or a pattern", &answer);
    }
    // The right request comes last: by then what was asked for before would have been sent.
    app.client().forgot(&last.email)?;
    app.token("FORGOT", &last.email, 1)?;
    let tokens = app.tokens("FORGOT", &ann.email, 1, Duration::from_millis(300))?;
    let seen = format!("{} mails", tokens.len());
    test.refuses("nobody gets a mail for an address that only matches as a pattern", tokens.is_empty(), seen);
    Ok(())
}

/// A session's name in a path ends that session alone.
fn session_names(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (_, client) = app.member()?;
    let (_, victim) = app.member()?;
    for payload in PAYLOADS {
        let call = app.role("SESSION_REVOKE")?.segment("id", payload);
        let answer = client.elsewhere().call(&call)?;
        test.refuses("a statement for a session's name breaks nothing", !answer.broke(), &answer);
        test.refuses("a statement is no session's name", answer.denied(), &answer);
        let alive = client.is_signed_in()? && victim.is_signed_in()?;
        test.refuses("a statement for a session's name ends no session", alive, &answer);
        if !alive {
            return Ok(());
        }
    }
    Ok(())
}

fn cookies_and_headers(test: &mut Test<'_>, app: &Arc<App>, ann: &Person) -> Outcome {
    for payload in PAYLOADS {
        let value = encoded(payload);
        for value in [payload, value.as_str()] {
            let answer = app.client().with_session(Some(value)).me()?;
            harmless(test, "a statement for a session", &answer);
            test.refuses("a statement is no session", answer.denied(), &answer);
        }
        for header in ["X-Forwarded-For", "User-Agent", "Authorization", "Referer"] {
            let client: Client = app.client();
            let call: Call = app.role("ME")?;
            let request: Request = call.request().header(header, payload);
            let answer = client.copy().send(&request)?;
            harmless(test, &format!("a statement in the header {header}"), &answer);
        }
    }
    let mut client = app.client();
    client.source = Some("' OR '1'='1".to_owned());
    let (mut client, request) = client.about_to_enter(ann)?;
    let answer = client.send(&request.header("User-Agent", "Mozilla/5.0 '); DROP TABLE users;--"))?;
    test.refuses("a sign-in with statements in its headers breaks nothing", !answer.broke(), &answer);
    Ok(())
}

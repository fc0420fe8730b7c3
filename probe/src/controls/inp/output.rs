//! What users write, where it is shown.

use std::{sync::Arc, time::Duration};

use scraper::{Html, Selector};

use crate::{
    client::{Call, encoded},
    http::{Answer, Request},
    lab::App,
    people::{Person, email},
    random,
    test::{Outcome, Test},
};

/// Each with no letter that an escape would change but its marks. What templates would make of them is [`PRODUCT`].
const PAYLOADS: [&str; 6] =
    ["\"><img src=x onerror=1>", "\"><x-odd>", "'><x-odd>", "{{1337*1337}}", "${1337*1337}", "<%= 1337*1337 %>"];
const PRODUCT: &str = "1787569";

/// Sessions of one person at a time, fewer than an application may limit them to.
const FEW: usize = 3;

/// What users write stays text: in pages, in answers and in mails.
pub(super) fn encoded_for_its_place(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for payloads in PAYLOADS.chunks(FEW) {
        user_agents(test, &app, payloads)?;
    }
    for answer in answers(&app)? {
        stays_text(test, &answer);
    }
    addresses(test, &app)?;
    pages(test, &app)
}

/// Somebody who signs in with odd user agents sees them in the list of sessions.
fn user_agents(test: &mut Test<'_>, app: &Arc<App>, payloads: &[&str]) -> Outcome {
    let (person, client) = app.member()?;
    for payload in payloads {
        let (mut client, request) = app.client().about_to_enter(&person)?;
        let answer = client.send(&request.header("User-Agent", payload))?;
        test.works("a sign-in takes any user agent", answer.succeeded(), &answer)?;
    }
    let sessions = client.copy().get("SESSIONS")?;
    let listed = app.role("SESSIONS")?.role().extract.get("list").cloned().unwrap_or_default();
    let count = sessions.json().pointer(&listed).and_then(|list| list.as_array().map(Vec::len)).unwrap_or(0);
    test.works("SESSIONS lists the sessions with those user agents", count > payloads.len(), &sessions)?;
    for role in ["SESSIONS", "EXPORT", "ME"] {
        stays_text(test, &client.copy().get(role)?);
    }
    for page in own_pages(app)? {
        stays_text(test, &client.copy().call(&page)?);
    }
    Ok(())
}

/// Nothing of a payload became a tag, and no template has counted.
fn stays_text(test: &mut Test<'_>, answer: &Answer) {
    let body = answer.text();
    test.refuses("no answer evaluates what users write", !body.contains(PRODUCT), answer);
    let is_html = answer.header("content-type").is_none_or(|kind| kind.contains("html") || kind.contains("xml"));
    test.refuses("what users write becomes no tag", !is_html || !has_tag(&body), answer);
    // Without a type browsers guess, and find tags in anything.
    let has_type = answer.body.is_empty() || answer.header("content-type").is_some();
    test.refuses("an answer says of what type it is", has_type, answer);
}

fn has_tag(text: &str) -> bool {
    let html = Html::parse_document(text);
    Selector::parse("x-odd, [onerror], img[src=x]").is_ok_and(|odd| html.select(&odd).next().is_some())
}

/// Answers for programs in which payloads come back, if anywhere.
fn answers(app: &Arc<App>) -> Outcome<Vec<Answer>> {
    let mut answers = vec![];
    for payload in PAYLOADS {
        for role in app.expected(&["LOGIN", "REGISTER", "FORGOT"]) {
            let call = app.role(role)?.field("email", payload).field("password", random::password());
            answers.push(app.client().call(&call)?);
        }
        for role in app.expected(&["VERIFY_PAGE", "RESET_PAGE"]) {
            answers.push(app.client().call(&app.role(role)?.query("token", payload))?);
        }
        if let Some(provider) = app.providers.first() {
            answers.push(app.client().call(&app.role_at("OIDC_START", provider)?.field("next", payload))?);
            for name in ["code", "state", "iss", "error", "error_description"] {
                answers.push(app.client().send(&app.strayed(&[(name, payload)])?)?);
            }
        }
        answers.push(app.client().send(&nowhere(payload))?);
    }
    Ok(answers)
}

/// A path that is not there, as a browser asks for it.
fn nowhere(payload: &str) -> Request {
    Request::new("GET", &format!("/{}?q={}", encoded(payload), encoded(payload))).header("Accept", "text/html")
}

/// Payloads that are addresses, in the mails that they cause.
fn addresses(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    for start in ["{{1337*1337}}", "${1337*1337}", "a&b'c", "\"<x-odd>\"", "<x-odd>"] {
        let person = Person { email: format!("{start}{}", email()), ..Person::new() };
        let mut client = app.client();
        let answer = if app.has_passwords() { client.register(&person)? } else { client.enter(&person)? };
        stays_text(test, &answer);
        test.refuses(&format!("nothing breaks on the address {}", person.email), !answer.broke(), &answer);
        for role in ["ME", "EXPORT"] {
            stays_text(test, &client.get(role)?);
        }
    }
    if !app.has_passwords() {
        return Ok(());
    }
    let last = Person::new();
    app.registered(&last)?;
    let odd = |to: &String| to.ends_with("@mail.test") && to.contains(['{', '&', '<', '$']);
    for mail in app.mail_channel()?.all().iter().filter(|mail| mail.to.iter().any(odd)) {
        let all = mail.all();
        test.refuses(
            "no mail evaluates an address",
            !mail.text.contains(PRODUCT) && !mail.html.contains(PRODUCT),
            &all,
        );
        test.refuses("no address becomes a tag in a mail", !has_tag(&mail.html), &all);
    }
    Ok(())
}

/// Pages that show somebody what is theirs; none where there are no pages.
fn own_pages(app: &Arc<App>) -> Outcome<Vec<Call>> {
    let Some(pages) = &app.contract.pages else { return Ok(vec![]) };
    let mut calls = vec![app.page("SESSIONS")?];
    for (name, role) in &pages.only {
        if role.method == "GET" {
            calls.push(app.page(name)?);
        }
    }
    Ok(calls)
}

/// Forms that are shown again with what was sent, and the pages of somebody with an odd address.
fn pages(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    if app.contract.pages.is_none() {
        return Ok(());
    }
    let page = app.client().call(&app.page("LOGIN")?)?;
    let is_html = page.header("content-type").is_some_and(|kind| kind.contains("html"));
    test.works("LOGIN has a page", page.status == 200 && is_html, &page)?;
    for payload in PAYLOADS {
        for answer in shown_again(app, payload)? {
            stays_text(test, &answer);
        }
    }
    odd_owner(test, app, &own_pages(app)?)
}

fn shown_again(app: &Arc<App>, payload: &str) -> Outcome<Vec<Answer>> {
    let mut answers = vec![];
    for role in app.expected(&["LOGIN", "REGISTER", "FORGOT", "RESEND"]) {
        let call = app.form(role)?.field("email", payload);
        let has_password = call.role().fields.contains_key("password");
        let call = if has_password { call.field("password", random::password()) } else { call };
        answers.push(app.client().call(&call)?);
        answers.push(app.client().call(&app.page(role)?.query("next", payload).query("done", payload))?);
    }
    for role in app.expected(&["VERIFY_PAGE", "RESET_PAGE"]) {
        answers.push(app.client().call(&app.page(role)?.query("token", payload))?);
    }
    Ok(answers)
}

/// Somebody whose address has marks of HTML, on their own pages.
fn odd_owner(test: &mut Test<'_>, app: &Arc<App>, calls: &[Call]) -> Outcome {
    let mark = format!("&lt{}", random::letters(6));
    let person = Person { email: format!("{{{{1337*1337}}}}{mark}'{}", email()), ..Person::new() };
    if !app.client().register(&person)?.succeeded() {
        return Ok(());
    }
    let sent = app.tokens("REGISTER", &person.email, 1, Duration::from_secs(5))?;
    let Some(token) = sent.last() else { return Ok(()) };
    app.client().verify(token, &person.password)?;
    let mut client = app.client();
    client.login(&person.email, &person.password)?;
    for call in calls {
        let answer = client.call(call)?;
        stays_text(test, &answer);
        test.refuses("marks in an address are escaped in pages", !answer.text().contains(&mark), &answer);
    }
    Ok(())
}

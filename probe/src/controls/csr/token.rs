//! Tokens against forged requests.

use super::{
    super::acts::{Member, Way, acts, visited},
    origin::{foreign, is_refused},
};
use crate::{
    client::{Call, Client, encoded},
    contract::CsrfSource,
    http::Request,
    lab::App,
    random,
    test::{Outcome, Stop, Test},
};

/// An unsafe request with a cookie needs a token that is secret and bound to the session.
pub(super) fn token(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    if app.contract.csrf.source == CsrfSource::Origin {
        return by_origin(test, &app);
    }
    let (_, stranger) = app.member()?;
    let token = stranger.csrf_token()?;
    test.refuses("a token has 128 bits", token.len() >= 22, token.as_str());
    for way in Way::all(&app) {
        for role in acts(&app)? {
            let member = Member::new(&app)?;
            let call = member.act(role, way)?;
            let (early, browser) = before_and_after(&member)?;
            let mut all = forged(&visited(&member.client)?, &visited(&stranger)?, &call)?;
            let late = carried(&browser, &call, Some(&early))?;
            all.push(("a token from before the login".to_owned(), browser, late));
            for (what, client, request) in all {
                let answer = client.copy().send(&request)?;
                let what = format!("{role}{} refuses {what}", way.name());
                test.refuses(&what, is_refused(&app, &answer), &answer);
            }
            let change = member.change()?;
            let what = format!("{role}{} without the right token changes nothing", way.name());
            test.refuses(&what, change.is_none(), change.unwrap_or_default());
            let answer = member.client.copy().call(&call)?;
            test.works(&format!("{role}{} with the right token works", way.name()), answer.succeeded(), &answer)?;
        }
    }
    given_for_session(test, &app, &stranger)
}

/// What a session gives tokens for. Programs without a session send no token against forged requests, and get theirs.
fn given_for_session(test: &mut Test<'_>, app: &App, stranger: &Client) -> Outcome {
    if !app.contract.roles.contains_key("TOKEN") || !app.grants_by_session()? {
        return Ok(());
    }
    let (_, member) = stranger.app.member()?;
    let call = app.session_grant()?;
    for (what, client, request) in forged(&visited(&member)?, &visited(stranger)?, &call)? {
        let answer = client.copy().send(&request)?;
        test.refuses(&format!("TOKEN for a session refuses {what}"), is_refused(app, &answer), &answer);
    }
    let answer = member.copy().call(&call)?;
    test.works("TOKEN for a session with the right token works", answer.succeeded(), &answer)
}

/// Without tokens, the origin that browsers name has to do all of it.
fn by_origin(test: &mut Test<'_>, app: &std::sync::Arc<App>) -> Outcome {
    let member = Member::new(app)?;
    let call = app.role("LOGOUT")?;
    let request = member.client.guarded(&call)?;
    for claim in foreign(app) {
        let answer = member.client.copy().send(&claim.on(&request))?;
        test.refuses(&format!("LOGOUT refuses {}", claim.what), is_refused(app, &answer), &answer);
    }
    let change = member.change()?;
    test.refuses("LOGOUT from elsewhere changes nothing", change.is_none(), change.unwrap_or_default());
    let answer = member.client.copy().call(&call)?;
    test.works("LOGOUT from the application's own pages works", answer.succeeded(), &answer)?;
    Err(Stop::Deviation(
        "there is no token: requests are told apart by Origin and Sec-Fetch-Site alone, which CSR-02 attacks"
            .to_owned(),
    ))
}

/// Where a request carries its token.
fn carried(client: &Client, call: &Call, token: Option<&str>) -> Outcome<Request> {
    let csrf = &client.app.contract.csrf;
    let request = client.guarded(call)?;
    Ok(match (&csrf.header, &csrf.field, token) {
        (Some(header), _, Some(token)) => request.with(header, token),
        (Some(header), _, None) => request.without(header),
        (None, Some(field), token) => {
            let call = call.clone().field(field, token.unwrap_or_default());
            let headers = request.headers.clone();
            let body = if token.is_some() { call.request().body } else { request_without(&call, field) };
            Request { headers, body, ..request }
        }
        (None, None, _) => request,
    })
}

/// The body without that field.
fn request_without(call: &Call, field: &str) -> Vec<u8> {
    let body = String::from_utf8_lossy(&call.request().body).into_owned();
    if let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_str(&body) {
        fields.remove(field);
        return serde_json::Value::Object(fields).to_string().into_bytes();
    }
    let kept: Vec<&str> = body.split('&').filter(|pair| !pair.starts_with(&format!("{field}="))).collect();
    kept.join("&").into_bytes()
}

/// A token that a browser had before somebody signed in there, and that browser.
fn before_and_after(member: &Member) -> Outcome<(String, Client)> {
    let mut browser = visited(&member.client.app.client())?;
    let early = browser.csrf_token()?;
    let answer = browser.login(&member.person.email, &member.person.password)?;
    if browser.is_signed_in()? {
        return Ok((early, browser));
    }
    Err(Stop::Positive("LOGIN takes the right password".to_owned(), answer.exchange()))
}

/// Requests with valid headers and a wrong token, or none.
fn forged(member: &Client, stranger: &Client, call: &Call) -> Outcome<Vec<(String, Client, Request)>> {
    let right = member.csrf_token()?;
    let foreign = stranger.csrf_token()?;
    let mut all = vec![];
    let tokens = [
        ("no token", None),
        ("an empty token", Some(String::new())),
        ("a random token", Some(random::letters(right.len()))),
        ("another user's token", Some(foreign.clone())),
        ("half of the token", Some(right.chars().take(right.len() / 2).collect())),
    ];
    for (what, token) in tokens {
        all.push((what.to_owned(), member.copy(), carried(member, call, token.as_deref())?));
    }
    let mut query = carried(member, call, None)?;
    let csrf = &member.app.contract.csrf;
    let name = csrf.field.as_ref().or(csrf.header.as_ref()).map_or("csrf", String::as_str);
    let sign = if query.target.contains('?') { '&' } else { '?' };
    query.target = format!("{}{sign}{name}={}", query.target, encoded(&right));
    all.push(("a token in the query".to_owned(), member.copy(), query));
    all.extend(doubled(member, stranger, call, &foreign)?);
    Ok(all)
}

/// The attacker chose the token's cookie, or planted an own one, and sends what fits it.
fn doubled(member: &Client, stranger: &Client, call: &Call, foreign: &str) -> Outcome<Vec<(String, Client, Request)>> {
    let session = &member.app.contract.cookies.session;
    let mut all = vec![];
    for name in member.jar.keys().filter(|name| *name != session) {
        let chosen = random::letters(43);
        for (what, cookie, token) in [
            ("a token that equals a chosen cookie", chosen.clone(), chosen.clone()),
            ("an empty token with an empty cookie", String::new(), String::new()),
            (
                "another user's token with their cookie",
                stranger.jar.get(name).cloned().unwrap_or_default(),
                foreign.to_owned(),
            ),
        ] {
            let mut client = member.copy();
            client.jar.insert(name.clone(), cookie);
            all.push((what.to_owned(), client, carried(member, call, Some(&token))?));
        }
    }
    Ok(all)
}

/// Before there is a session, the token is bound to the browser all the same.
pub(super) fn before_login(test: &mut Test<'_>, app: &std::sync::Arc<App>, what: &str, call: &Call) -> Outcome {
    let client = visited(&app.client())?;
    let foreign = visited(&app.client())?.csrf_token()?;
    for (token, how) in [(None, "no token"), (Some(""), "an empty token"), (Some(foreign.as_str()), "a foreign token")]
    {
        let request = carried(&client, call, token)?;
        let answer = client.copy().send(&request)?;
        test.refuses(&format!("{what} refuses {how}"), is_refused(app, &answer), &answer);
    }
    Ok(())
}

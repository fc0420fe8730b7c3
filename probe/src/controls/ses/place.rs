//! Where a session's identifier is looked for.

use super::super::acts::everywhere;
use crate::{
    client::Client,
    http::Request,
    random,
    test::{Outcome, Test},
};

/// An identifier counts in its one cookie and nowhere else, and two of them count as none.
pub(super) fn one_cookie(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, client) = app.member()?;
    let (_, other) = app.member()?;
    let me = client.copy().me()?;
    test.works("the cookie alone is enough", me.value("email").as_ref() == Some(&person.email), &me)?;
    let token = client.session().unwrap_or_default();
    for (where_to, request) in elsewhere(&client, &token)? {
        let answer = app.client().send(&request)?;
        test.refuses(&format!("an identifier does not count {where_to}"), answer.denied(), &answer);
    }
    let second = other.session().unwrap_or_default();
    for (how, request) in twice(&client, &token, &second)? {
        let answer = app.client().send(&request)?;
        test.refuses(&format!("two session cookies count as none: {how}"), answer.denied(), &answer);
    }
    let alive = everywhere(&client).iter().all(|client| client.is_signed_in().unwrap_or(false));
    test.works("the session was alive all the time", alive, person.email.as_str())
}

/// The request for ME with the identifier where it does not belong.
fn elsewhere(client: &Client, token: &str) -> Outcome<Vec<(String, Request)>> {
    const NAMES: [&str; 6] = ["session", "sid", "session_id", "token", "access_token", "auth_token"];
    const HEADERS: [&str; 6] =
        ["X-Session-Id", "X-Auth-Token", "X-Session", "X-Session-Token", "X-Access-Token", "Session"];
    let request = client.app.role("ME")?.request();
    let name = client.app.contract.cookies.session.as_str();
    let path = request.target.clone();
    let to = |target: String| Request { target, ..request.clone() };
    let mut all = vec![
        ("in the path".to_owned(), to(format!("{path};jsessionid={token}"))),
        ("in the path by the cookie's name".to_owned(), to(format!("{path};{name}={token}"))),
    ];
    for name in NAMES.into_iter().chain([name]) {
        all.push((format!("in the query as `{name}`"), to(format!("{path}?{name}={token}"))));
        let body = request.clone().header("Content-Type", "application/x-www-form-urlencoded");
        all.push((format!("in a form's `{name}`"), body.body(format!("{name}={token}"))));
        let body = request.clone().header("Content-Type", "application/json");
        all.push((format!("in the body's `{name}`"), body.body(format!("{{\"{name}\":\"{token}\"}}"))));
    }
    for header in HEADERS.into_iter().chain([name]) {
        all.push((format!("in the header `{header}`"), request.clone().header(header, token)));
    }
    for scheme in ["Bearer ", "Basic ", "Token ", "Session ", ""] {
        let value = format!("{scheme}{token}");
        all.push((format!("as `Authorization: {scheme}…`"), request.clone().header("Authorization", value)));
    }
    for pair in lookalikes(client, token) {
        let name = pair.split('=').next().unwrap_or_default();
        all.push((format!("in the cookie `{name}`"), request.clone().header("Cookie", format!("a=b;{pair}"))));
    }
    Ok(all)
}

/// Cookies whose name is nearly that of the session.
fn lookalikes(client: &Client, token: &str) -> Vec<String> {
    let cookies = &client.app.contract.cookies;
    let name = cookies.session.as_str();
    let plain = name.trim_start_matches("__Host-").trim_start_matches("__Secure-");
    let escaped = name.replacen('_', "%5F", 1).replacen('-', "%2D", 1);
    let near = [
        "session".to_owned(),
        "sid".to_owned(),
        plain.to_owned(),
        format!("__Secure-{plain}"),
        name.to_ascii_lowercase(),
        name.to_ascii_uppercase(),
        format!(" {name}"),
        format!("{name} "),
        format!("\t{name}"),
        format!("\u{2000}{name}"),
        escaped,
    ];
    let developed = cookies.development.get("session").cloned();
    let names = near.into_iter().chain(developed).filter(|near| near != name);
    names.map(|near| format!(" {near}={token}")).collect()
}

fn twice(client: &Client, token: &str, second: &str) -> Outcome<Vec<(String, Request)>> {
    let request = client.app.role("ME")?.request();
    let name = client.app.contract.cookies.session.as_str();
    let junk = random::letters(token.len());
    let mut all = vec![];
    for (what, other) in [("another user's", second), ("nobody's", &junk)] {
        for (first, last) in [(token, other), (other, token)] {
            let how = format!("{what}, {} first", if first == token { "the own" } else { "it" });
            let one = format!("{name}={first}; {name}={last}");
            all.push((format!("{how}, in one line"), request.clone().header("Cookie", one)));
            let lines = request.clone().header("Cookie", format!("{name}={first}"));
            all.push((format!("{how}, in two lines"), lines.header("Cookie", format!("{name}={last}"))));
        }
    }
    Ok(all)
}

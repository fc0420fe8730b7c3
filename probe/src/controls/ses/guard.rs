//! The guard of what is for signed-in users.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    client::Client,
    http::{Answer, Request},
    random,
    test::{Outcome, Test},
};

/// Without a session nothing protected is shown, however path, method, headers and cookies are spelled.
pub(super) fn guard(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, mut client) = app.member()?;
    let me = client.me()?;
    test.works("ME names the account that signed in", me.value("email").as_ref() == Some(&person.email), &me)?;
    let shown = client.get("PROTECTED")?;
    test.works("PROTECTED answers to who is signed in", shown.succeeded(), &shown)?;
    let id = me.value("id").unwrap_or_else(|| person.email.clone());
    for role in ["ME", "PROTECTED"] {
        let request = app.role(role)?.request();
        let stranger = app.client();
        let mut tricks = methods(&request);
        tricks.extend(paths(&request));
        tricks.extend(headers(&request, &id, &person.email));
        tricks.extend(cookies(&stranger, &request));
        for (what, trick) in tricks {
            let answer = stranger.copy().send(&trick)?;
            // Another path may be another page.
            let is_open = is_success(&answer) && (trick.target == request.target || is_shown(&answer, &person.email));
            let closed = !is_open && !answer.broke();
            test.refuses(&format!("{role} is closed to strangers: {what}"), closed, &answer);
        }
    }
    let copied = client.is_signed_in()?;
    test.works("the account's own session was alive all the time", copied, person.email.as_str())
}

fn is_success(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

/// Whether it says something of an account.
fn is_shown(answer: &Answer, email: &str) -> bool {
    let says = answer.role.as_ref().is_some_and(|role| !role.success.body.is_empty() || role.success.text.is_some());
    answer.text().contains(email) || answer.value("email").is_some() || says && answer.succeeded()
}

fn methods(request: &Request) -> Vec<(String, Request)> {
    let with = |method: &str| (format!("by {method}"), Request { method: method.to_owned(), ..request.clone() });
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"].map(with).to_vec()
}

fn paths(request: &Request) -> Vec<(String, Request)> {
    let path = request.target.as_str();
    let (folder, last) = path.rsplit_once('/').unwrap_or(("", path));
    let escaped = |text: &str| text.bytes().next().map_or(String::new(), |byte| format!("%{byte:02x}{}", &text[1..]));
    let spellings = [
        format!("/{path}"),
        format!("//{path}"),
        format!("{folder}//{last}"),
        format!("{path}/"),
        format!("{path}//"),
        path.to_uppercase(),
        format!("{folder}/{}", last.to_uppercase()),
        format!("{folder}/{}", escaped(last)),
        format!("{folder}%2f{last}"),
        format!("{folder}/./{last}"),
        format!("{folder}/%2e/{last}"),
        format!("{folder}/x/../{last}"),
        format!("{folder}/x/%2e%2e/{last}"),
        format!("/x/..{path}"),
        format!("/.{path}"),
        format!("/..{path}"),
        format!("{path};a=b"),
        format!("{folder};a=b/{last}"),
        format!("{path}/..;/{last}"),
        format!("{path}.json"),
        format!("{path}.css"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}%0a"),
        format!("{path}?"),
        format!("{path}?user=admin&admin=true"),
        format!("{}{path}", crate::lab::ORIGIN),
        path.replace('/', "\\"),
    ];
    let with = |target: String| (format!("path {target}"), Request { target, ..request.clone() });
    spellings.into_iter().map(with).collect()
}

fn headers(request: &Request, id: &str, email: &str) -> Vec<(String, Request)> {
    const NAMES: [&str; 9] = [
        "Remote-User",
        "X-Remote-User",
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-User-Id",
        "X-User",
        "X-Auth-User",
        "X-Authenticated-User",
        "X-WEBAUTH-USER",
    ];
    let five = |step: &str| [step; 5].join(":");
    let mut pairs: Vec<(&str, String)> =
        NAMES.into_iter().flat_map(|name| [(name, id.to_owned()), (name, email.to_owned())]).collect();
    for step in ["middleware", "src/middleware", "pages/_middleware"] {
        pairs.push(("x-middleware-subrequest", five(step)));
    }
    for name in ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Path"] {
        pairs.push((name, "/".to_owned()));
    }
    for method in ["OPTIONS", "HEAD", "POST"] {
        pairs.push(("X-HTTP-Method-Override", method.to_owned()));
    }
    for value in ["Bearer ", "Bearer a.b.c", "Bearer null", "Basic !!!", "Basic YWRtaW46YWRtaW4=", "Digest", "\u{fffd}"]
    {
        pairs.push(("Authorization", value.to_owned()));
    }
    let with = |(name, value): &(&str, String)| (format!("the header {name}"), request.clone().header(name, value));
    let mut all: Vec<(String, Request)> = pairs.iter().map(with).collect();
    for name in ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri"] {
        let elsewhere = Request { target: "/".to_owned(), ..request.clone() };
        all.push((format!("path / with the header {name}"), elsewhere.header(name, &request.target)));
    }
    all
}

fn cookies(client: &Client, request: &Request) -> Vec<(String, Request)> {
    let name = client.app.contract.cookies.session.as_str();
    let pair = |value: &[u8]| [format!("{name}=").as_bytes(), value].concat();
    let random_values = [16, 32].map(|count| URL_SAFE_NO_PAD.encode(random::bytes(count)));
    let values: Vec<(&str, Vec<u8>)> = vec![
        ("a random session of 16 bytes", pair(random_values[0].as_bytes())),
        ("a random session of 32 bytes", pair(random_values[1].as_bytes())),
        ("an empty session", pair(b"")),
        ("a session of 8 KiB", pair("a".repeat(8192).as_bytes())),
        ("a session that is no text", pair(&[0xff, 0xfe, 0x80, 0xc3, 0x28])),
        ("a session with a quote", pair(b"\"")),
        ("a session in quotes", pair(b"\"abc\"")),
        ("a session of broken escapes", pair(b"%zz%00%")),
        ("a session of JSON", pair(b"{\"id\":1}")),
        ("a session that is a token without algorithm", pair(b"eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.")),
        ("a session `null`", pair(b"null")),
        ("a session `0`", pair(b"0")),
        ("a session `true`", pair(b"true")),
        ("a cookie without value", name.as_bytes().to_vec()),
        ("a broken line of cookies", b";;;=;= =;,".to_vec()),
    ];
    let with = |(what, value): (&str, Vec<u8>)| (what.to_owned(), request.clone().header("Cookie", value));
    values.into_iter().map(with).collect()
}

//! Headers of answers, and what error answers say.

use std::{collections::BTreeMap, sync::Arc};

use regex::Regex;

use super::{Attack, attack, tour::Tour};
use crate::{
    client::Client,
    contract::Encoding,
    http::{Answer, Request},
    lab::{App, Setup},
    outage::Outage,
    people::Person,
    random,
    test::{Outcome, Stop, Test},
};

pub(super) const ATTACKS: &[Attack] = &[
    attack("HDR-01", not_stored),
    attack("HDR-02", pages_are_fenced),
    attack("HDR-03", media_types),
    attack("HDR-04", strict_transport),
    attack("HDR-05", errors_say_nothing),
];

/// The answers of the tour but those of the application's own route.
fn answers(tour: &Tour) -> Outcome<Vec<&Answer>> {
    let own = tour.app.role("PROTECTED")?.path().to_owned();
    let line = format!("GET {own} ");
    Ok(tour.steps.iter().map(|step| &step.answer).filter(|answer| !answer.exchange().starts_with(&line)).collect())
}

/// No answer about an account stays in a cache, and none is given to somebody else from there.
fn not_stored(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let tour = Tour::new(&app)?;
    for answer in tour.steps.iter().map(|step| &step.answer) {
        let control = answer.headers("cache-control").collect::<Vec<_>>().join(",").to_ascii_lowercase();
        let kept = !control.split(',').any(|word| word.trim() == "no-store");
        test.refuses("no answer about an account may be stored", !kept, answer);
    }
    let (person, mut client) = app.member()?;
    let me = client.me()?;
    test.works("ME names the account", me.value("email").as_ref() == Some(&person.email), &me)?;
    let tag = me.header("etag").unwrap_or("*").to_owned();
    let call = app
        .role("ME")?
        .request()
        .header("If-None-Match", tag)
        .header("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT");
    let (_, mut other) = app.member()?;
    let foreign = other.send(&call)?;
    test.refuses("somebody else is not sent to what was stored before", foreign.status != 304, &foreign);
    client.logout()?;
    let after = client.send(&call)?;
    test.refuses("after logout a conditional request is refused", after.denied() && after.status != 304, &after);
    Ok(())
}

/// Pages cannot be framed, run nothing foreign, and tell nobody where somebody came from.
fn pages_are_fenced(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    app.has_pages()?;
    let (person, mut client) = app.member()?;
    let mut pages = vec![];
    for name in app.expected(&["REGISTER", "LOGIN", "FORGOT", "RESEND"]) {
        pages.push((false, app.client().call(&app.page(name)?)?));
    }
    for name in app.expected(&["PWCHANGE", "EMAIL_CHANGE", "SESSIONS", "REAUTH"]) {
        pages.push((false, client.call(&app.page(name)?)?));
    }
    for name in app.contract.pages.iter().flat_map(|pages| pages.only.keys()) {
        let page = app.page(name)?;
        if !page.path().contains('{') {
            pages.push((false, client.call(&page)?));
        }
    }
    if app.has_passwords() {
        pages.extend(token_pages(&app, &person)?);
        let wrong = app.form("LOGIN")?.field("email", person.email.as_str()).field("password", random::password());
        pages.push((false, app.client().call(&wrong)?));
    }
    let html: Vec<_> = pages.into_iter().filter(|(_, page)| is(page, "text/html")).collect();
    let seen = html.iter().filter(|(_, page)| page.status == 200).count();
    let few = if app.has_passwords() { 6 } else { 3 };
    test.works("LOGIN and the others are pages", seen >= few, format!("{seen} pages of HTML came"))?;
    for (with_token, page) in html {
        fenced(test, &page);
        let policy = page.header("referrer-policy").unwrap_or_default();
        let allowed: &[&str] = if with_token {
            &["no-referrer"]
        } else {
            &["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"]
        };
        test.refuses("a page does not tell other sites its address", allowed.contains(&policy), &page);
        let opener = page.header("cross-origin-opener-policy") == Some("same-origin");
        test.refuses("other sites have no handle on a page's window", opener, &page);
    }
    Ok(())
}

/// The pages that a mailed link leads to, with tokens that work and tokens that do not.
fn token_pages(app: &Arc<App>, person: &Person) -> Outcome<Vec<(bool, Answer)>> {
    let newcomer = Person::new();
    let verify = app.registered(&newcomer)?;
    app.client().forgot(&person.email)?;
    let reset = app.token("FORGOT", &person.email, 1)?;
    let mut pages = vec![];
    for (name, token) in [("VERIFY_PAGE", verify), ("RESET_PAGE", reset)] {
        for token in [token, random::secret()] {
            pages.push((true, app.client().call(&app.page(name)?.query("token", &token))?));
        }
    }
    Ok(pages)
}

fn is(answer: &Answer, media_type: &str) -> bool {
    answer.header("content-type").is_some_and(|value| value.to_ascii_lowercase().starts_with(media_type))
}

/// Content-Security-Policy and X-Frame-Options of a page.
fn fenced(test: &mut Test<'_>, page: &Answer) {
    let policy = policy_of(page);
    let only = |name: &str, allowed: &[&str]| {
        policy.get(name).is_some_and(|sources| sources.iter().all(|source| allowed.contains(&source.as_str())))
    };
    let none: &[&str] = &["'none'"];
    test.refuses("a page loads nothing that is not named", only("default-src", &["'none'", "'self'"]), page);
    let objects = only("object-src", none) || (!policy.contains_key("object-src") && only("default-src", none));
    test.refuses("a page embeds no objects", objects, page);
    test.refuses("nobody changes what a page's addresses are relative to", only("base-uri", none), page);
    test.refuses("a page cannot be framed", only("frame-ancestors", none), page);
    test.refuses("forms go to this site alone", only("form-action", &["'self'", "'none'"]), page);
    let has_key =
        |sources: &[String]| sources.iter().any(|source| source.starts_with("'nonce-") || source.starts_with("'sha"));
    let loose = policy.values().any(|sources| {
        sources.iter().any(|source| source == "'unsafe-eval'" || (source == "'unsafe-inline'" && !has_key(sources)))
    });
    test.refuses("a page runs no code that is written into it", !loose, page);
    let frames = page.header("x-frame-options").is_some_and(|value| value.eq_ignore_ascii_case("deny"));
    test.refuses("old browsers do not frame a page either", frames, page);
}

/// The directives, with the sources of each in lower case.
fn policy_of(page: &Answer) -> BTreeMap<String, Vec<String>> {
    let text = page.header("content-security-policy").unwrap_or_default().to_ascii_lowercase();
    let directives = text.split(';').filter_map(|directive| {
        let mut words = directive.split_whitespace().map(ToOwned::to_owned);
        Some((words.next()?, words.collect()))
    });
    directives.collect()
}

/// Every body is of the type that its header says, and no browser guesses another.
fn media_types(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let tour = Tour::new(&app)?;
    let mut all: Vec<Answer> = answers(&tour)?.into_iter().cloned().collect();
    for accept in ["text/html", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"] {
        all.extend(with_markup(&app, accept)?);
    }
    let bodies = all.iter().filter(|answer| !answer.body.is_empty()).count();
    test.works("answers have bodies", bodies >= 20, format!("{bodies} of {} answers have one", all.len()))?;
    for answer in all.iter().filter(|answer| !answer.body.is_empty()) {
        let sniff = answer.header("x-content-type-options").is_some_and(|value| value.eq_ignore_ascii_case("nosniff"));
        test.refuses("a browser does not guess the type of a body", sniff, answer);
        let looks_json = answer.body.first() == Some(&b'{') && answer.json().is_object();
        let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let says_json = kind.starts_with("application/json")
            || (kind.starts_with("application/") && kind.split(';').next().unwrap_or_default().ends_with("+json"));
        test.refuses("JSON is called JSON and nothing else is", looks_json == says_json, answer);
        let charset = !kind.starts_with("text/") || kind.replace([' ', '"'], "").contains(";charset=utf-8");
        test.refuses("text names its character set", charset, answer);
    }
    Ok(())
}

/// Requests with markup in each value, from something that wants HTML.
fn with_markup(app: &Arc<App>, accept: &str) -> Outcome<Vec<Answer>> {
    let payload = "<script>alert(1)</script>";
    let mut answers = vec![];
    for (name, role) in &app.contract.roles {
        let mut call = app.role(name)?.encoding(Encoding::Json);
        for field in role.fields.keys() {
            call = call.field(field, payload);
        }
        for query in role.query.keys() {
            call = call.query(query, payload);
        }
        let call = if name == "PROTECTED" { continue } else { call.segment("id", payload) };
        let mut client = app.client();
        let request = client.guarded(&call)?.with("Accept", accept);
        answers.push(client.send(&request)?);
    }
    Ok(answers)
}

/// Behind TLS each answer tells browsers to come by TLS for a year, and a client that came without is not led on silently.
fn strict_transport(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let tour = Tour::new(&app)?;
    let mut all: Vec<Answer> = answers(&tour)?.into_iter().cloned().collect();
    if app.contract.pages.is_some() {
        for name in ["LOGIN", "REGISTER", "PWCHANGE"] {
            all.push(app.client().call(&app.page(name)?)?);
        }
    }
    for answer in &all {
        let policy = answer.header("strict-transport-security").unwrap_or_default().to_ascii_lowercase();
        let directives: Vec<&str> = policy.split(';').map(str::trim).collect();
        let age = directives.iter().find_map(|directive| directive.strip_prefix("max-age="));
        let age = age.and_then(|age| age.trim_matches('"').parse::<u64>().ok()).unwrap_or(0);
        test.refuses("browsers are told to come by TLS for a year", age >= 31_536_000, answer);
        test.refuses("that holds for names below it too", directives.contains(&"includesubdomains"), answer);
    }
    let (person, _) = app.member()?;
    if !app.has_passwords() {
        return Ok(());
    }
    let call = app.role("LOGIN")?.field("email", person.email.as_str()).field("password", person.password.as_str());
    for direct in [false, true] {
        let mut client = Client { source: app.client().source.filter(|_| !direct), ..app.client() };
        let request = client.guarded(&call)?.with("X-Forwarded-Proto", "http");
        let answer = client.send(&request)?;
        let led_on = (300..400).contains(&answer.status)
            && answer.header("location").is_some_and(|location| location.starts_with("https://"));
        test.refuses("a password that came without TLS is not led on as if nothing were", !led_on, &answer);
    }
    Ok(())
}

/// Whatever goes wrong, an answer tells nothing of the inside.
fn errors_say_nothing(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (_, client) = app.member()?;
    let words = inner_words(&app)?;
    for answer in malformed(&app, &client)?.into_iter().filter(|answer| answer.status >= 400) {
        silent(test, &app, &answer, &words)?;
        test.refuses("what is malformed breaks nothing", !answer.broke(), &answer);
    }
    let outage = Outage::of_everything(&app)?;
    let mut broken = vec![];
    let roles = ["ME", "LOGIN", "REGISTER", "FORGOT", "VERIFY", "RESET"];
    for name in roles.into_iter().filter(|name| app.has_passwords() || *name == "ME") {
        let mut twice = vec![];
        for _ in 0..2 {
            let person = Person::new();
            let call = filled(&app, name, &person.email)?;
            twice.push(client.elsewhere().call(&call)?);
        }
        let constant = twice[0].look() == twice[1].look();
        test.refuses("an unexpected error has one answer, whatever was sent", constant, &twice[1]);
        broken.extend(twice);
    }
    outage.end()?;
    for answer in &broken {
        test.refuses("without its database nothing is granted", !answer.succeeded(), answer);
        silent(test, &app, answer, &words)?;
    }
    test.refuses("the process stays up", app.death().is_none(), app.death().unwrap_or_default());
    let after = client.copy().me()?;
    test.refuses("afterwards all is as before", after.succeeded(), &after);
    Ok(())
}

/// The role with each field filled.
fn filled(app: &App, name: &str, email: &str) -> Outcome<crate::client::Call> {
    let mut call = app.role(name)?;
    for field in call.role().fields.clone().keys() {
        let value = match field.as_str() {
            "email" => email.to_owned(),
            "token" => random::secret(),
            _ => random::password(),
        };
        call = call.field(field, value);
    }
    Ok(call)
}

/// Requests that cannot be read, for each role, unknown paths and all methods.
fn malformed(app: &Arc<App>, client: &Client) -> Outcome<Vec<Answer>> {
    let bodies: [&[u8]; 8] = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{\"email\":{\"$ne\":1}}",
        b"\xff\xfe\x00",
        b"{\"email\":1e999}",
        b"email=%00&password=%",
    ];
    let mut answers = vec![];
    for name in app.contract.roles.keys() {
        let call = app.role(name)?.segment("id", "%00/../x").segment("provider", "%00/../x");
        for body in bodies {
            // What has no fields would do what it does: end the session.
            if call.role().fields.is_empty() && !call.is_safe() {
                continue;
            }
            let mut client = client.elsewhere();
            let request = client.guarded(&call)?.with("Content-Type", "application/json").body(body);
            answers.push(client.send(&request)?);
        }
    }
    let path = app.role(if app.has_passwords() { "LOGIN" } else { "ME" })?.path().to_owned();
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND"] {
        answers.push(app.client().send(&Request::new(method, &path))?);
    }
    for unknown in ["/nowhere", "/%2e%2e/%2e%2e/etc/passwd", "/%00", "/?%ff=1"] {
        answers.push(app.client().send(&Request::new("GET", &format!("{path}{unknown}")))?);
        answers.push(app.client().send(&Request::new("GET", unknown))?);
    }
    Ok(answers)
}

/// Words of the inside that are in no answer: tables, columns of more than one word, and the application's secret.
fn inner_words(app: &App) -> Outcome<Vec<String>> {
    let mut words: Vec<String> = vec![];
    for table in app.contract.db.iter().flat_map(|db| db.tables.values()) {
        let names = table.iter().filter(|(key, _)| key.as_str() != "purpose");
        let names =
            names.filter_map(|(key, name)| Some((key, name.as_str().or_else(|| name.get("column")?.as_str())?)));
        words
            .extend(names.filter(|(key, name)| *key == "table" || name.contains('_')).map(|(_, name)| name.to_owned()));
    }
    // A role may have a field of that name.
    let roles = app.contract.roles.values().flat_map(|role| role.fields.values().chain(role.extract.values()));
    let public: Vec<String> = roles.map(|name| name.trim_start_matches('/').to_owned()).collect();
    words.retain(|word| !public.contains(word) && word != "user_id" && word != "expires_at" && word != "created_at");
    let start = app.contract.start.as_ref();
    let secret = start.and_then(|start| app.variables.get(start.environment.get("secret")?));
    words.extend(secret.cloned());
    if words.is_empty() { Err(Stop::Missing("the contract has no `[db]`".to_owned())) } else { Ok(words) }
}

const INNER: &str = r#"(?i)traceback|sqlstate|sqlx|sqlite|postgres|panicked|stack ?trace|exception in|no such (table|column)|relation "|syntax error|(?m:^\s+at \S+[.(:])|(?:^|[\s"'(])/(?:home|usr|root|src|tmp|var|app|work)/|[\w/]+\.(?:rs|py|js|ts|go|rb|php|java|cs|ex|kt)[:(]\d+|\b[\w-]+/\d+\.\d+\.\d+"#;

/// The answer's body and headers tell nothing of the inside.
fn silent(test: &mut Test<'_>, app: &App, answer: &Answer, words: &[String]) -> Outcome {
    let pattern = Regex::new(INNER).map_err(|error| Stop::Broken(error.to_string()))?;
    let body = answer.text();
    let named = words.iter().find(|word| body.contains(word.as_str()));
    test.refuses("an error names no table, column or secret", named.is_none(), answer);
    test.refuses("an error shows nothing of the program's inside", !pattern.is_match(&body), answer);
    let banner = answer.header("server").is_some_and(|server| server.contains(|c: char| c.is_ascii_digit()));
    test.refuses("no header tells a version", !banner && answer.header("x-powered-by").is_none(), answer);
    test.refuses("the process stays up", app.death().is_none(), answer);
    Ok(())
}

//! Where answers lead, and what they repeat.

use std::sync::Arc;

use scraper::Html;
use url::Url;

use super::{
    Attack,
    acts::{Member, Way, went_through},
    attack,
    oic::Trip,
};
use crate::{
    client::{Call, Client},
    http::{Answer, texts},
    lab::App,
    people::{Person, email},
    provider::{Grant, Subject},
    random,
    test::{Outcome, Stop, Test},
};

pub(super) const ATTACKS: &[Attack] =
    &[attack("RED-01", way_back), attack("RED-02", after_a_post), attack("RED-03", reflection)];

/// Where a way back must not lead. `HOST` is the application's.
const FOREIGN: [&str; 31] = [
    "https://evil.test",
    "https://evil.test/HOST",
    "//evil.test",
    "///evil.test",
    "////evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "\\/evil.test",
    "/%5cevil.test",
    "/%2f/evil.test",
    "/%09/evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "/\r/evil.test",
    "\t//evil.test",
    "http:evil.test",
    "https:/evil.test",
    "https:evil.test",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "https://HOST.evil.test",
    "https://HOST@evil.test",
    "//HOST@evil.test",
    "//HOST.evil.test",
    "/..//evil.test",
    "/.//evil.test",
    "\u{ff0f}\u{ff0f}evil.test",
    " //evil.test",
    "http://HOST",
];

const EVIL: &str = "evil.test";

const WAY_BACK: &str = "/settings?x=1#y";

/// Names that applications give to a way back, for those that do not expect one.
const NAMES: [&str; 6] = ["next", "return_to", "redirect", "redirect_uri", "continue", "url"];

/// A way back leads to a path of this origin, as a browser reads it.
fn way_back(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let person = app.person()?;
    let answer = app.client().enter(&person)?;
    test.works("who has an account signs in", answer.succeeded(), &answer)?;
    let host = app.origin.split("://").nth(1).unwrap_or_default().to_owned();
    let mut ways: Vec<String> = FOREIGN.iter().map(|way| way.replace("HOST", &host)).collect();
    ways.push(format!("//evil.test/{}", "a".repeat(10_000)));
    for way in ways.iter().take(8) {
        from_api(test, &app, &person, way)?;
    }
    if !app.providers.is_empty() {
        by_provider(test, &app, &ways)?;
    }
    let Some(pages) = &app.contract.pages else { return Ok(()) };
    let missing = || Stop::Missing("the contract has no `next` in `[pages]`".to_owned());
    let name = pages.next.clone().ok_or_else(missing)?;
    kept(test, &app, &person, &name)?;
    for ways in ways.chunks(8) {
        let member = Member::new(&app)?;
        for way in ways {
            from_pages(test, &app, &member, &name, way)?;
        }
    }
    Ok(())
}

/// Who signs in at a provider is led to a path of this origin.
fn by_provider(test: &mut Test<'_>, app: &Arc<App>, ways: &[String]) -> Outcome {
    let (subject, provider) = (Subject::new(), app.provider(0)?);
    let start = app.role_at("OIDC_START", provider)?;
    let led = |way: &str| {
        let (mut client, call) = (app.client(), start.clone().field("next", way));
        let begun = client.copy().call(&call)?;
        if begun.denied() {
            return Ok(begun);
        }
        let visit = client.visit_by(&call, provider)?;
        let code = provider.grant(&visit.ask, Grant::new(&subject));
        // The way back may not choose, either.
        let back = NAMES.iter().fold(visit.back(&code), |back, name| back.and(name, way));
        client.send(&back.request(app)?)
    };
    let answer = led(WAY_BACK)?;
    let location = answer.header("location").map(ToOwned::to_owned);
    test.works("a path of this site is where a sign-in leads", location.as_deref() == Some(WAY_BACK), &answer)?;
    for way in ways {
        leads_nowhere_else(test, app, "a sign-in at a provider", &led(way)?);
    }
    Ok(())
}

/// The API may be asked for a way back, too, by a field or a parameter.
fn from_api(test: &mut Test<'_>, app: &Arc<App>, person: &Person, way: &str) -> Outcome {
    let asked = NAMES.iter().fold(app.way_in(person)?, |call, name| call.query(name, way));
    let (mut client, request) = app.client().about_to_enter_by(&asked, person)?;
    let answer = client.send(&request)?;
    leads_nowhere_else(test, app, "a sign-in", &answer);
    let logout = NAMES.iter().fold(app.role("LOGOUT")?, |call, name| call.query(name, way));
    let answer = client.call(&logout)?;
    leads_nowhere_else(test, app, "LOGOUT", &answer);
    Ok(())
}

/// A way back within the application is taken.
fn kept(test: &mut Test<'_>, app: &Arc<App>, person: &Person, name: &str) -> Outcome {
    let mut client = app.client();
    let page = client.call(&app.page("LOGIN")?.query(name, WAY_BACK))?;
    test.works("the sign-in page is shown", page.status == 200, &page)?;
    let answer = client.call(&login_form(app, person, name, WAY_BACK)?)?;
    let location = answer.header("location").map(ToOwned::to_owned);
    test.works("a path of this site is where the login leads", location.as_deref() == Some(WAY_BACK), &answer)
}

fn login_form(app: &App, person: &Person, name: &str, way: &str) -> Outcome<Call> {
    let form = app.form("LOGIN")?.field("email", person.email.as_str());
    Ok(form.field("password", person.password.as_str()).field(name, way))
}

fn from_pages(test: &mut Test<'_>, app: &Arc<App>, member: &Member, name: &str, way: &str) -> Outcome {
    let stranger = app.client();
    let page = stranger.copy().call(&app.page("LOGIN")?.query(name, way))?;
    leads_nowhere_else(test, app, "the sign-in page", &page);
    let answer = stranger.copy().call(&login_form(app, &member.person, name, way)?)?;
    leads_nowhere_else(test, app, "LOGIN", &answer);
    let wrong = Person { password: "not this one at all".to_owned(), ..member.person.clone() };
    let answer = app.client().call(&login_form(app, &wrong, name, way)?)?;
    leads_nowhere_else(test, app, "a refused LOGIN", &answer);
    let mut client = member.client.elsewhere();
    for role in ["LOGIN", "REAUTH"] {
        let page = client.call(&app.page(role)?.query(name, way))?;
        leads_nowhere_else(test, app, &format!("the page of {role} for who is signed in"), &page);
    }
    let twice = app.page("LOGIN")?.query(name, WAY_BACK).query(name, way);
    let answer = client.call(&twice)?;
    leads_nowhere_else(test, app, "a way back that is named twice", &answer);
    let list = app.page("LOGIN")?.query(&format!("{name}[]"), way);
    let answer = client.call(&list)?;
    leads_nowhere_else(test, app, "a way back in a list", &answer);
    for role in ["VERIFY", "RESET"] {
        let page = app.page(role)?.query("token", &random::letters(43)).query(name, way);
        let answer = stranger.elsewhere().call(&page)?;
        leads_nowhere_else(test, app, &format!("the page of {role}"), &answer);
    }
    let mut own = app.signed_in(&member.person)?;
    let form = app.form("REAUTH")?.field("password", member.person.password.as_str()).field(name, way);
    let answer = own.call(&form)?;
    leads_nowhere_else(test, app, "REAUTH", &answer);
    let answer = own.call(&app.form("LOGOUT")?.query(name, way).field(name, way))?;
    leads_nowhere_else(test, app, "LOGOUT", &answer);
    Ok(())
}

/// Header, links, forms and JSON lead to this origin, as a browser reads them.
fn leads_nowhere_else(test: &mut Test<'_>, app: &App, whence: &str, answer: &Answer) {
    let base = format!("{}{}", app.origin, path_of(answer));
    let location = answer.header("location").filter(|to| !is_of(app, &base, to));
    let refresh = answer.header("refresh").filter(|to| to.contains(EVIL));
    let linked = links(answer).into_iter().find(|to| !is_of(app, &base, to) && is_planted(app, &base, to));
    let led = location.or(refresh).map(ToOwned::to_owned).or(linked);
    let seen = format!("{led:?} in\n{}", answer.exchange());
    test.refuses(&format!("{whence} leads to this origin alone"), led.is_none() && !answer.broke(), seen);
}

fn path_of(answer: &Answer) -> String {
    let line = String::from_utf8_lossy(&answer.sent).into_owned();
    line.split(' ').nth(1).and_then(|target| target.split('?').next()).unwrap_or("/").to_owned()
}

fn resolved(base: &str, to: &str) -> Option<Url> {
    Url::parse(base).and_then(|base| base.join(to)).ok()
}

/// What no browser can go to leads nowhere.
fn is_of(app: &App, base: &str, to: &str) -> bool {
    resolved(base, to).is_none_or(|url| url.origin().ascii_serialization() == app.origin)
}

/// A page's own link may lead elsewhere; one that came with the request may not.
fn is_planted(app: &App, base: &str, to: &str) -> bool {
    let host = Url::parse(&app.origin).ok().and_then(|origin| Some(origin.host_str()?.to_owned()));
    resolved(base, to).is_some_and(|url| {
        let is_evil = url.host_str().is_some_and(|host| host.contains(EVIL));
        ["javascript", "data"].contains(&url.scheme()) || is_evil || url.host_str() == host.as_deref()
    })
}

/// Where a page leads, or the texts of JSON.
fn links(answer: &Answer) -> Vec<String> {
    const ATTRIBUTES: [&str; 5] = ["href", "action", "formaction", "src", "data"];
    let page = Html::parse_document(&answer.text());
    let elements = page.tree.nodes().filter_map(|node| node.value().as_element());
    let of_page = elements.flat_map(|element| {
        let refresh = element.attr("content").and_then(|content| Some(content.split_once("url=")?.1));
        let attributes = ATTRIBUTES.iter().filter_map(|name| element.attr(name));
        attributes.chain(refresh).map(ToOwned::to_owned).collect::<Vec<_>>()
    });
    of_page.chain(texts(&answer.json())).collect()
}

/// What was posted with a password is not posted on: 303 or 302, never 307 or 308.
fn after_a_post(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for way in Way::all(&app) {
        for role in app.expected(&["LOGIN", "RESET", "REAUTH", "PWCHANGE"]) {
            let (call, mut client, secret) = post(&app, role, way)?;
            let answer = client.call(&call)?;
            let what = format!("{role}{} does not make the browser post on", way.name());
            test.refuses(&what, ![307, 308].contains(&answer.status), &answer);
            let echoed =
                answer.text().contains(&secret) || answer.headers.iter().any(|(_, value)| value.contains(&secret));
            test.refuses(&format!("the answer to {role}{} repeats no password", way.name()), !echoed, &answer);
            let redirected = way == Way::Api || [302, 303].contains(&answer.status);
            test.refuses(&format!("{role}{} is answered 303", way.name()), redirected, &answer);
            let done = way == Way::Form || went_through(&app, role, &answer);
            test.works(&format!("{role} takes what is right"), done, &answer)?;
        }
    }
    if app.providers.is_empty() { Ok(()) } else { after_a_visit(test, &app) }
}

/// A browser that comes back from a provider leaves the address with the code behind.
fn after_a_visit(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let mut trip = Trip::new(app, app.provider(0)?)?;
    let begun = &trip.visit.answer;
    test.refuses("OIDC_START does not make the browser post on", ![307, 308].contains(&begun.status), begun);
    let (code, answer) = (trip.code.clone(), trip.come_back()?);
    test.works("who comes back from a provider is signed in", answer.succeeded(), &answer)?;
    test.refuses("who comes back is led on by 303", [200, 302, 303].contains(&answer.status), &answer);
    let echoed = answer.text().contains(&code) || answer.headers.iter().any(|(_, value)| value.contains(&code));
    test.refuses("the answer to who comes back repeats no code", !echoed, &answer);
    Ok(())
}

fn post(app: &Arc<App>, role: &str, way: Way) -> Outcome<(Call, Client, String)> {
    let member = Member::new(app)?;
    let secret = member.person.password.clone();
    let call = way.call(app, role)?;
    Ok(match role {
        "LOGIN" => {
            (call.field("email", member.person.email.as_str()).field("password", secret.as_str()), app.client(), secret)
        }
        "RESET" => {
            app.client().forgot(&member.person.email)?;
            let token = app.token("FORGOT", &member.person.email, 1)?;
            let new = random::password();
            (call.field("token", token).field("password", new.as_str()), app.client(), new)
        }
        _ => (member.act(role, way)?, member.client, secret),
    })
}

const MARK: &str = "evilmark7";

/// What a request says of errors and status, and whom it names, is not put into pages or headers.
fn reflection(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, member) = app.member()?;
    let me = member.copy().me()?;
    test.works("ME names the account that signed in", me.value("email").as_ref() == Some(&person.email), &me)?;
    if app.contract.pages.is_some() && app.has_passwords() {
        let page = app.client().call(&app.page("LOGIN")?)?;
        let is_page = page.header("content-type").is_some_and(|kind| kind.contains("text/html"));
        test.works("the sign-in page is a page", page.status == 200 && is_page, &page)?;
    }
    for payload in payloads() {
        for way in Way::all(&app) {
            in_fields(test, &app, way, &payload)?;
            in_links(test, &app, &member, way, &payload)?;
        }
    }
    Ok(())
}

fn payloads() -> [String; 7] {
    [
        format!("\"><svg onload=alert(1) {MARK}>"),
        format!("<script>{MARK}</script>"),
        format!("'><img src=x onerror=alert(1) {MARK}>"),
        format!("</title></style><script>{MARK}</script>"),
        format!("x\r\nX-Evil: {MARK}\r\n\r\n<script>{MARK}</script>"),
        format!("javascript:alert('{MARK}')"),
        format!("\" onmouseover=\"alert(1) {MARK}"),
    ]
}

fn in_fields(test: &mut Test<'_>, app: &Arc<App>, way: Way, payload: &str) -> Outcome {
    if let Some(provider) = app.providers.first().filter(|_| way == Way::Api) {
        let start = app.role_at("OIDC_START", provider)?;
        is_harmless(test, payload, "the way back of OIDC_START", &app.client().call(&start.field("next", payload))?);
        for name in ["code", "state", "iss", "error", "error_description", "error_uri"] {
            let request = app.strayed(&[(name, payload)])?;
            for request in [request.clone(), request.with("Accept", "text/html")] {
                let answer = app.client().send(&request)?;
                is_harmless(test, payload, &format!("{name} in the address of OIDC_CALLBACK"), &answer);
            }
        }
    }
    for role in app.expected(&["LOGIN", "REGISTER", "FORGOT", "RESEND", "VERIFY", "RESET"]) {
        let call = way.call(app, role)?;
        for name in call.role().fields.keys() {
            let filled = call.role().fields.keys().fold(call.clone(), |call, other| {
                call.field(other, if other == name { payload.to_owned() } else { email() })
            });
            let answer = app.client().call(&filled)?;
            is_harmless(test, payload, &format!("the {name} of {role}{}", way.name()), &answer);
        }
    }
    Ok(())
}

fn in_links(test: &mut Test<'_>, app: &Arc<App>, member: &Client, way: Way, payload: &str) -> Outcome {
    let mut names = vec!["error", "error_description", "error_uri", "message", "status", "msg", "notice"];
    let pages = app.contract.pages.as_ref();
    names.extend(pages.iter().flat_map(|pages| [pages.next.as_deref(), pages.said.as_deref()]).flatten());
    for role in ["LOGIN", "VERIFY", "RESET", "EMAIL_CONFIRM"] {
        let read = if role == "LOGIN" { "ME".to_owned() } else { format!("{role}_PAGE") };
        let page = match way {
            Way::Form if app.expected(&[role]).is_empty() => continue,
            Way::Form => app.page(role)?,
            Way::Api if app.contract.roles.contains_key(&read) => app.role(&read)?,
            Way::Api => continue,
        };
        let client = if role == "EMAIL_CONFIRM" { member.elsewhere() } else { app.client() };
        let mut answers = vec![("token", client.copy().call(&page.clone().query("token", payload))?)];
        for name in &names {
            answers.push((*name, client.copy().call(&page.clone().query(name, payload))?));
        }
        for (name, answer) in answers {
            is_harmless(test, payload, &format!("{name} in the address of {role}{}", way.name()), &answer);
        }
    }
    let lost = crate::client::encoded(payload);
    let page = app.role("ME")?.request();
    let lost = crate::http::Request { target: format!("{}/{lost}", page.target), ..page };
    let answer = app.client().send(&lost.with("Accept", "text/html"))?;
    is_harmless(test, payload, "a path that leads nowhere", &answer);
    Ok(())
}

/// Not as markup of a page, not as a link, and not as a header.
fn is_harmless(test: &mut Test<'_>, payload: &str, what: &str, answer: &Answer) {
    let kind = answer.header("content-type").unwrap_or_default();
    // What is declared as JSON or plain text is no page.
    let is_page = !answer.body.is_empty() && (kind.is_empty() || kind.contains("html") || kind.contains("xml"));
    let is_script = |link: &String| link.to_ascii_lowercase().starts_with("javascript:") && link.contains(MARK);
    let is_markup = is_page && (is_in_markup(&answer.text(), payload) || links(answer).iter().any(is_script));
    let harmless = !is_markup && answer.header("x-evil").is_none() && !answer.broke();
    test.refuses(&format!("{what} does not become part of the page"), harmless, answer);
}

/// Whether the mark stands where a browser would run it. In a script that is so where the payload stands as it was sent, as
/// far as it does not end the script, or where nothing else stands; encoded, it is part of a text there.
fn is_in_markup(page: &str, payload: &str) -> bool {
    let page = Html::parse_document(page);
    let raw = payload.split("</script>").next().unwrap_or_default().replace("\r\n", "\n");
    page.tree.nodes().any(|node| {
        let Some(element) = node.value().as_element() else { return false };
        let runs = |(name, value): (&str, &str)| {
            name.contains(MARK) || name.starts_with("on") && (value.contains(MARK) || value.contains("alert(1)"))
        };
        let runs_in = |text: &str| text.trim() == MARK || text.contains(&raw);
        let holds = || node.children().filter_map(|child| child.value().as_text()).any(|text| runs_in(text));
        element.attrs().any(runs) || element.name() == "script" && holds()
    })
}

#[cfg(test)]
mod tests {
    use super::{is_in_markup, payloads};
    use crate::client::encoded;

    #[test]
    fn raw_payloads_are_seen_and_escaped_ones_are_not() {
        let frames = ["<input value=\"{}\">", "<input value='{}'>", "<p>{}</p>", "<title>{}</title>"];
        for payload in payloads().iter().filter(|payload| !payload.starts_with("javascript:")) {
            let shown = |text: &str| frames.iter().any(|frame| is_in_markup(&frame.replace("{}", text), payload));
            assert!(shown(payload), "{payload}");
            let escaped =
                payload.replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;");
            assert!(!shown(&escaped), "{escaped}");
        }
    }

    #[test]
    fn in_a_script_raw_payloads_are_seen_and_encoded_ones_are_not() {
        for payload in payloads() {
            let shown = |text: &str| is_in_markup(&format!("<script>let said = \"{text}\"</script>"), &payload);
            assert!(shown(&payload), "{payload}");
            assert!(!shown(&encoded(&payload)), "{payload}");
            let json = serde_json::Value::from(payload.as_str()).to_string();
            let escaped =
                json[1..json.len() - 1].replace('<', "\\u003c").replace('>', "\\u003e").replace('\'', "\\u0027");
            assert!(!shown(&escaped), "{escaped}");
        }
    }
}

//! Characters that no keyboard sends, and bytes that are no characters.

use std::sync::Arc;

use super::super::pwd::{only_this_one, with_password};
use crate::{
    client::{Call, Client},
    contract::Encoding,
    db::hex,
    http::{Answer, Broken, Request},
    lab::App,
    people::Person,
    provider::{Grant, Subject},
    random,
    test::{Outcome, Test},
};

/// Control characters and broken encodings are refused or count in full; they end no text early and break nothing.
pub(super) fn controls_and_encodings(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    app.member()?;
    every_field(test, &app)?;
    queries_and_headers(test, &app)?;
    encodings(test, &app)?;
    if !app.providers.is_empty() {
        from_a_provider(test, &app)?;
    }
    if !app.has_passwords() {
        return Ok(());
    }
    nul_in_a_password(test, &app)?;
    nul_after_an_address(test, &app)?;
    replacement_character(test, &app)
}

/// In what a browser brings from a provider, in what it asks for, and in what the provider says.
fn from_a_provider(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let provider = app.provider(0)?;
    for odd in ODD {
        for name in ["code", "state", "iss", "error"] {
            let value = format!("{}{odd}{}", random::letters(20), random::letters(20));
            let answer = app.client().send(&app.strayed(&[(name, &value)])?)?;
            test.refuses(&format!("OIDC_CALLBACK refuses {odd:?} in `{name}`"), answer.denied(), &answer);
        }
        let next = app.role_at("OIDC_START", provider)?.field("next", format!("/a{odd}b"));
        let answer = app.client().call(&next)?;
        test.refuses(&format!("OIDC_START does not break on {odd:?}"), !answer.broke(), &answer);
        let address = format!("{}{odd}@mail.test", random::letters(12));
        let mut client = app.client();
        let answer = client.sign_in_at(provider, Grant::new(&Subject::of(&address)))?;
        let holds = answer.denied() && !answer.sets_session();
        test.refuses(&format!("no account is made for an address with {odd:?}"), holds, &answer);
    }
    Ok(())
}

fn nul_in_a_password(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let start = random::letters(18);
    let person = with_password(&format!("{start}\u{0}{}", random::letters(8)));
    let answer = app.client().register(&person)?;
    if !answer.succeeded() {
        test.refuses("REGISTER refuses NUL in a password without breaking", answer.denied(), &answer);
        return Ok(());
    }
    let token = app.token("REGISTER", &person.email, 1)?;
    let verified = app.client().verify(&token, &person.password)?;
    test.works("VERIFY takes a password with NUL as REGISTER does", verified.succeeded(), &verified)?;
    let others = [
        ("without NUL and what follows", start.clone()),
        ("with NUL at its end", format!("{start}\u{0}")),
        ("with something else after NUL", format!("{start}\u{0}{}", random::letters(8))),
        ("with another control character for NUL", person.password.replace('\u{0}', "\u{1}")),
    ];
    only_this_one(test, app, &person, &others)
}

const ODD: [&str; 8] = ["\u{0}", "\r\n", "\n", "\u{1b}[31m", "\u{202e}", "\u{7f}", "\u{85}", "\u{fffe}"];

/// A role and a field of it that is no password.
const FIELDS: [(&str, &str); 7] = [
    ("REGISTER", "email"),
    ("LOGIN", "email"),
    ("FORGOT", "email"),
    ("RESEND", "email"),
    ("VERIFY", "token"),
    ("RESET", "token"),
    ("EMAIL_CHANGE", "email"),
];

fn every_field(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, client) = app.member()?;
    for odd in ODD {
        for (role, field) in FIELDS.into_iter().filter(|(role, _)| !app.expected(&[role]).is_empty()) {
            let value = match field {
                "token" => format!("{}{odd}{}", random::letters(20), random::letters(20)),
                _ => format!("{}{odd}@mail.test", random::letters(12)),
            };
            let call = filled(app.role(role)?, &person).field(field, value);
            let answer = client.elsewhere().call(&call)?;
            let inert = answer.denied() || (answer.succeeded() && !answer.sets_session());
            test.refuses(&format!("{role} takes {odd:?} in `{field}` as text or refuses it"), inert, &answer);
        }
        let call = app.role("SESSION_REVOKE")?.segment("id", &format!("x{odd}y"));
        let answer = client.elsewhere().call(&call)?;
        test.refuses(&format!("SESSION_REVOKE refuses {odd:?}"), answer.denied(), &answer);
    }
    Ok(())
}

/// The call with all fields of its role.
fn filled(call: Call, person: &Person) -> Call {
    let names: Vec<String> = call.role().fields.keys().cloned().collect();
    names.iter().fold(call, |call, name| match name.as_str() {
        "email" => call.field(name, person.email.as_str()),
        "token" => call.field(name, random::letters(43)),
        _ => call.field(name, person.password.as_str()),
    })
}

/// Nothing reads an address as far as NUL and no further.
fn nul_after_an_address(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, new) = (app.person()?, Person::new());
    let more = |email: &str| format!("{email}\u{0}.other.test");
    let login = app.client().login(&more(&person.email), &person.password)?;
    test.refuses("LOGIN reads an address beyond NUL", login.denied(), &login);
    let forgot = app.client().forgot(&more(&person.email))?;
    test.refuses("FORGOT does not break on NUL", !forgot.broke(), &forgot);
    let cut = app.client().register(&Person { email: more(&new.email), ..new.clone() })?;
    let made = app.database()?.find("users", "email", &new.email)?;
    test.refuses("REGISTER reads an address beyond NUL", made.is_empty(), &cut);
    app.client().forgot(&person.email)?;
    app.token("FORGOT", &person.email, 1)?;
    let tokens = app.tokens("FORGOT", &person.email, 0, std::time::Duration::ZERO)?;
    test.refuses("FORGOT mails nothing for an address with NUL", tokens.len() == 1, "two links came");
    Ok(())
}

fn queries_and_headers(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = app.person()?;
    for role in app.expected(&["VERIFY_PAGE", "RESET_PAGE"]) {
        let call = app.role(role)?;
        let name = call.role().query.get("token").cloned().unwrap_or_else(|| "token".to_owned());
        for value in ["%00", "%ff%fe", "%c0%af", "%0d%0aX-Odd:1", "%ed%a0%80", "%", "%zz", "%e2%80%ae"] {
            let mut request = call.request();
            request.target = format!("{}?{name}={}{value}", call.path(), random::letters(40));
            let answer = app.client().send(&request)?;
            test.refuses(&format!("{role} refuses a token with {value}"), answer.denied(), &answer);
            let split = answer.header("x-odd").is_some();
            test.refuses(&format!("{role} lets no line break into its headers"), !split, &answer);
        }
    }
    for agent in [&b"\xff\xfe"[..], b"a\x1b[31m", b"a\x7f", b"a\tb", b"a\x00b", b"\xc0\xaf"] {
        let request = app.client().guarded(&app.way_in(&person)?)?.header("User-Agent", agent);
        let answer = app.client().try_send(&request);
        is_inert(test, &format!("a user agent of {agent:?}"), answer);
    }
    Ok(())
}

/// An answer that is no fault, or no answer because the request is no HTTP.
fn is_inert(test: &mut Test<'_>, what: &str, answer: Result<Answer, Broken>) {
    match answer {
        Ok(answer) => test.refuses(&format!("{what} breaks nothing"), !answer.broke(), &answer),
        Err(broken) => test.refuses(&format!("{what} breaks nothing"), broken == Broken::Closed, broken.to_string()),
    }
}

/// A placeholder in a body, which takes no escaping in any encoding.
const MARK: &str = "MARKmarkMARK";

/// LOGIN's request with these bytes for the placeholder in its password.
fn raw(client: &Client, person: &Person, sent: &StandIn) -> Outcome<Request> {
    let own = sent.encoding == client.app.contract.encoding;
    let call = if own { client.app.role("LOGIN")? } else { client.app.form("LOGIN")? };
    let mut request = client.guarded(&filled(call, person))?;
    if let Some(at) = request.body.windows(MARK.len()).position(|window| window == MARK.as_bytes()) {
        request.body.splice(at..at + MARK.len(), sent.bytes.iter().copied());
    }
    Ok(request)
}

fn encodings(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, client) = (app.person()?, app.client());
    let right = client.guarded(&app.way_in(&person)?)?;
    let body = String::from_utf8_lossy(&right.body).into_owned();
    let wide = |order: fn(u16) -> [u8; 2]| body.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let kind =
        if app.contract.encoding == Encoding::Json { "application/json" } else { "application/x-www-form-urlencoded" };
    let typed = |charset: &str| format!("{kind}; charset={charset}");
    let requests = [
        ("UTF-16", right.clone().with("Content-Type", typed("utf-16")).body(wide(u16::to_le_bytes))),
        ("UTF-16 that is told to be UTF-8", right.clone().body(wide(u16::to_be_bytes))),
        ("UTF-7", right.clone().with("Content-Type", typed("utf-7")).body(body.replace(['@', '/'], "+AEA-"))),
        ("a stray byte", right.clone().body([body.as_bytes(), b"\xff"].concat())),
    ];
    for (which, request) in requests {
        let answer = app.client().send(&request)?;
        test.refuses(&format!("the way in refuses a body in {which}"), answer.denied(), &answer);
    }
    Ok(())
}

/// Bytes that are no text do not stand for each other, nor for the character that readers put in their place.
fn replacement_character(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let secret = random::password();
    let marked = with_password(&format!("{secret}{MARK}"));
    let shown = Person { password: format!("{secret}\u{fffd}"), ..marked.clone() };
    let answer = app.client().register(&shown)?;
    if !answer.succeeded() {
        test.refuses("REGISTER refuses U+FFFD without breaking", answer.denied(), &answer);
        return Ok(());
    }
    let token = app.token("REGISTER", &shown.email, 1)?;
    app.client().verify(&token, &shown.password)?;
    for sent in stand_ins(app) {
        let answer = app.client().send(&raw(&app.client(), &marked, &sent)?)?;
        let holds = answer.denied() && !answer.throttled();
        test.refuses(&format!("LOGIN does not take {} for U+FFFD", sent.shown()), holds, &answer);
        // Each is followed by a login that succeeds, so that no throttle answers.
        app.signed_in(&shown)?;
    }
    Ok(())
}

/// What readers may turn into U+FFFD, as it is sent.
struct StandIn {
    encoding: Encoding,
    bytes: Vec<u8>,
}

impl StandIn {
    fn shown(&self) -> String {
        format!("{:?} in {:?}", self.bytes.escape_ascii().to_string(), self.encoding)
    }
}

/// In the application's encoding, and in that of its pages.
fn stand_ins(app: &App) -> Vec<StandIn> {
    const BROKEN: [&[u8]; 5] = [b"\xff", b"\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f"];
    const HALVES: [&str; 3] = ["\\ud800", "\\udc00x", "\\ud83d"];
    let pages = app.contract.pages.as_ref().map(|pages| pages.encoding);
    let mut found = vec![];
    for encoding in [Some(app.contract.encoding), pages].into_iter().flatten() {
        let is_form = encoding == Encoding::Form;
        let written = |bytes: &&[u8]| {
            if is_form {
                hex(bytes).as_bytes().chunks(2).flat_map(|pair| [&b"%"[..], pair].concat()).collect()
            } else {
                bytes.to_vec()
            }
        };
        found.extend(BROKEN.iter().map(|bytes| StandIn { encoding, bytes: written(bytes) }));
        if !is_form {
            found.extend(HALVES.iter().map(|half| StandIn { encoding, bytes: half.as_bytes().to_vec() }));
        }
    }
    found
}

//! Cookies.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use cookie::SameSite;

use super::{
    Attack,
    acts::{Member, Way, acts, own_id},
    attack,
    oic::Trip,
};
use crate::{
    client::Client,
    contract::CsrfSource,
    db::hex,
    devices::{Device, bearing},
    http::{Answer, Request},
    lab::{App, Setup},
    people::{Person, email},
    random,
    test::{Outcome, Test},
};

pub(super) const ATTACKS: &[Attack] = &[
    attack("CKE-01", host_locked),
    attack("CKE-02", out_of_reach),
    attack("CKE-03", same_site),
    attack("CKE-04", small),
    attack("CKE-05", one_purpose),
];

/// The life of an account, from its registration to its deletion, as one browser sees it.
struct Life {
    answers: Vec<Answer>,
    /// The identifiers and marks that the browser was given, oldest first.
    values: BTreeSet<String>,
}

impl Life {
    fn of(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Self> {
        // Without this, what follows may be the life of nobody.
        let (_, member) = app.member()?;
        test.works("a login sets the session's cookie", member.session().is_some(), String::new())?;
        let mut life = Self { answers: vec![], values: member.jar.values().cloned().collect() };
        life.refused(app)?;
        life.lived(app)?;
        if app.contract.pages.is_some() {
            life.on_pages(app)?;
        }
        Ok(life)
    }

    fn note(&mut self, client: &Client, answer: Answer) {
        self.values.extend(client.jar.values().cloned());
        self.answers.push(answer);
    }

    fn refused(&mut self, app: &Arc<App>) -> Outcome {
        let mut client = app.client().with_session(Some(&random::letters(22)));
        let answer = client.me()?;
        self.note(&client, answer);
        if app.has_passwords() {
            let answer = client.login("nobody@mail.test", "nothing")?;
            self.note(&client, answer);
        }
        Ok(())
    }

    fn lived(&mut self, app: &Arc<App>) -> Outcome {
        if app.has_passwords() {
            self.signed_up(app)?;
        }
        for role in acts(app)? {
            let member = Member::new(app)?;
            let mut client = member.client.copy();
            let answer = client.call(&member.act(role, Way::Api)?)?;
            self.note(&client, answer);
        }
        let person = app.person()?;
        let mut client = app.client();
        let answer = client.enter(&person)?;
        self.note(&client, answer);
        for role in ["ME", "SESSIONS", "EXPORT", "PROTECTED"] {
            if app.contract.roles.contains_key(role) {
                let answer = client.get(role)?;
                self.note(&client, answer);
            }
        }
        if !app.providers.is_empty() {
            self.travelled(app)?;
        }
        if app.has_passwords() { self.reset(app) } else { Ok(()) }
    }

    /// To a provider, and back on a way that nobody was sent on.
    fn travelled(&mut self, app: &Arc<App>) -> Outcome {
        let mut client = app.client();
        let visit = client.visit(app.provider(0)?)?;
        self.note(&client, visit.answer);
        let answer = client.send(&app.strayed(&[("code", "none"), ("state", "none")])?)?;
        self.note(&client, answer);
        Ok(())
    }

    fn signed_up(&mut self, app: &Arc<App>) -> Outcome {
        let person = Person::new();
        let mut client = app.client();
        let answer = client.register(&person)?;
        self.note(&client, answer);
        let token = app.token("REGISTER", &person.email, 1)?;
        let answer = client.verify(&token, &person.password)?;
        self.note(&client, answer);
        Ok(())
    }

    fn reset(&mut self, app: &Arc<App>) -> Outcome {
        let (person, mut client) = app.member()?;
        let answer = client.forgot(&person.email)?;
        self.note(&client, answer);
        let token = app.token("FORGOT", &person.email, 1)?;
        let answer = client.reset(&token, &random::password())?;
        self.note(&client, answer);
        Ok(())
    }

    fn on_pages(&mut self, app: &Arc<App>) -> Outcome {
        let person = app.person()?;
        let mut client = app.client();
        let login = app.form("LOGIN")?.field("email", person.email.as_str());
        for call in [
            app.page("LOGIN")?,
            login.clone().field("password", "nothing"),
            login.field("password", person.password.as_str()),
            app.page("SESSIONS")?,
            app.form("REAUTH")?.field("password", person.password.as_str()),
            app.form("LOGOUT")?,
        ] {
            let answer = client.call(&call)?;
            self.note(&client, answer);
        }
        Ok(())
    }

    /// Each cookie that was set, with the answer that set it.
    fn cookies(&self) -> impl Iterator<Item = (cookie::Cookie<'_>, &Answer)> {
        self.answers.iter().flat_map(|answer| answer.cookies().into_iter().map(move |cookie| (cookie, answer)))
    }

    /// Whether the session's cookie was set and taken away again, so that both were looked at.
    fn is_whole(&self, app: &App) -> bool {
        let cookies = &app.contract.cookies;
        let names = [Some(&cookies.session), cookies.development.get("session")];
        let of_session = |cookie: &cookie::Cookie<'_>| names.iter().flatten().any(|name| *name == cookie.name());
        let values: Vec<bool> = self
            .cookies()
            .filter(|(cookie, _)| of_session(cookie))
            .map(|(cookie, _)| cookie.value_trimmed().is_empty())
            .collect();
        values.contains(&true) && values.contains(&false)
    }
}

/// Cookies are locked to the host: by their name, and by what that name promises.
fn host_locked(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let life = Life::of(test, &app)?;
    test.works("the session's cookie was set and taken away", life.is_whole(&app), format!("{:?}", life.values))?;
    for (cookie, answer) in life.cookies() {
        let name = cookie.name();
        test.refuses("a cookie's name begins with `__Host-`", name.starts_with("__Host-"), answer);
        test.refuses(&format!("`{name}` is Secure"), cookie.secure() == Some(true), answer);
        test.refuses(&format!("`{name}` has Path=/"), cookie.path() == Some("/"), answer);
        test.refuses(&format!("`{name}` has no Domain"), cookie.domain().is_none(), answer);
    }
    Ok(())
}

/// Scripts read no cookie, and no cookie's value stands anywhere but in `Set-Cookie`.
fn out_of_reach(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let life = Life::of(test, &app)?;
    test.works("the session's cookie was set and taken away", life.is_whole(&app), format!("{:?}", life.values))?;
    let cookies = &app.contract.cookies;
    let named = [Some(&cookies.session), cookies.browser.as_ref()];
    // A token against forgery may be read: that is its purpose.
    let may_read = |name: &str| {
        app.contract.csrf.source == CsrfSource::Token && !named.iter().flatten().any(|named| *named == name)
    };
    for (cookie, answer) in life.cookies().filter(|(cookie, _)| !may_read(cookie.name())) {
        test.refuses(&format!("`{}` is HttpOnly", cookie.name()), cookie.http_only() == Some(true), answer);
    }
    let secrets: BTreeMap<&str, Vec<String>> = life
        .values
        .iter()
        .filter(|value| value.len() >= 16 && !(app.contract.csrf.source == CsrfSource::Token && value.contains('.')))
        .map(|value| (value.as_str(), readings(value)))
        .collect();
    test.works("a session's identifier is something to look for", !secrets.is_empty(), String::new())?;
    for answer in &life.answers {
        let headers = answer.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
        let said: String = headers.map(|(_, value)| format!("{value}\n")).chain([answer.text()]).collect();
        let told = secrets.values().flatten().find(|secret| said.contains(*secret));
        let what = "no body and no other header holds the value of a cookie";
        test.refuses(what, told.is_none(), format!("{told:?} in\n{}", answer.exchange()));
    }
    Ok(())
}

/// The value as it is, and its bytes in hex and in base64.
fn readings(value: &str) -> Vec<String> {
    let bytes = URL_SAFE_NO_PAD.decode(value).ok().filter(|bytes| bytes.len() >= 12);
    let bytes = bytes.into_iter().flat_map(|bytes| [hex(&bytes), STANDARD_NO_PAD.encode(&bytes)]);
    std::iter::once(value.to_owned()).chain(bytes).collect()
}

/// Each cookie says that it does not go with requests from other sites.
fn same_site(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let life = Life::of(test, &app)?;
    test.works("the session's cookie was set and taken away", life.is_whole(&app), format!("{:?}", life.values))?;
    for (cookie, answer) in life.cookies() {
        let is_strict = matches!(cookie.same_site(), Some(SameSite::Lax | SameSite::Strict));
        test.refuses(&format!("`{}` is SameSite=Lax or Strict", cookie.name()), is_strict, answer);
    }
    Ok(())
}

const COOKIE_LIMIT: usize = 4096;
const LINE_LIMIT: usize = 8192;

/// Cookies stay small, whatever a client sends, and do not add up.
fn small(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let domain = format!("{}.{}.{}.test", "d".repeat(61), "e".repeat(61), "f".repeat(60));
    let person = Person { email: format!("{}@{domain}", random::letters(64)), ..Person::new() };
    let person = app.account(person)?;
    let mut client = app.client();
    let agent = "Mozilla/5.0 ".repeat(300);
    let target = format!("/{}", "a".repeat(2000));
    let call = app.way_in(&person)?;
    let mut answers = vec![];
    for _ in 0..5 {
        let (entering, request) = client.about_to_enter_by(&call.clone().query("next", &target), &person)?;
        client = entering;
        answers.push(client.send(&request.with("User-Agent", &agent))?);
        test.works("the longest address signs in", client.is_signed_in()?, &answers[answers.len() - 1])?;
    }
    let after_one = client.jar.len();
    for _ in 0..10 {
        if app.has_passwords() {
            answers.push(client.register(&Person::new())?);
        }
        if !app.providers.is_empty() {
            answers.push(client.visit(app.provider(0)?)?.answer);
        }
        let page = call.clone().query("next", &format!("{target}{}", random::letters(9)));
        answers.push(client.send(&Request { method: "GET".to_owned(), ..page.request() })?);
    }
    for (cookie, answer) in answers.iter().flat_map(|answer| answer.cookies().into_iter().map(move |one| (one, answer)))
    {
        let length = cookie.name().len() + cookie.value().len();
        test.refuses("a cookie has 4096 bytes at most", length <= COOKIE_LIMIT, answer);
    }
    let line: usize = client.jar.iter().map(|(name, value)| name.len() + value.len() + 3).sum();
    let seen = format!("{line} bytes in {} cookies: {:?}", client.jar.len(), client.jar.keys());
    test.refuses("all cookies together have less than 8 KiB", line < LINE_LIMIT, seen.as_str());
    test.refuses("cookies do not add up", client.jar.len() <= after_one + 2, seen);
    if app.providers.is_empty() { Ok(()) } else { abandoned(test) }
}

/// Visits to a provider that one browser began and left, and how many may be open.
const VISITS: usize = 20;
const OPEN: usize = 10;

/// They add up neither in the browser nor on the server.
fn abandoned(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let provider = app.provider(0)?;
    let mut client = app.client();
    for _ in 0..VISITS {
        client.visit(provider)?;
    }
    let seen = format!("{VISITS} visits left {:?}", client.jar.keys());
    test.refuses("visits to a provider that were left do not add up in the browser", client.jar.len() <= OPEN, seen);
    let Ok(rows) = app.database().and_then(|db| Ok(db.count("transactions")?)) else { return Ok(()) };
    let seen = format!("{VISITS} visits left {rows} rows");
    test.refuses("visits to a provider that were left do not add up on the server", rows <= OPEN, seen);
    Ok(())
}

/// A value that the application gave out, and what it is for.
struct Value {
    kind: &'static str,
    text: String,
}

/// A place where values go, with what makes a request of one.
type Slot = (&'static str, Client, Request);

/// What is good for one purpose is good for no other.
fn one_purpose(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let member = Member::new(&app)?;
    let mailed = if app.has_passwords() { Some(Mailed::new(test, &app, &member)?) } else { None };
    let sent = app.providers.first().map(|provider| Trip::new(&app, provider)).transpose()?;
    let device = if test.has("tokens") { Some(app.device_of(&member.person)?) } else { None };
    let mut values = of_sessions(&app, &member)?;
    values.extend(mailed.iter().flat_map(Mailed::values));
    values.extend(sent.iter().flat_map(|trip| of_a_visit(&app, trip)));
    values.extend(device.iter().flat_map(of_a_device));
    for value in &values {
        let mut slots = slots(test, &app, &member, value)?;
        if let Some(mailed) = &mailed {
            slots.extend(mailed.slots(&app, &member, value)?);
        }
        for (slot, mut client, request) in slots {
            if slot == value.kind {
                continue;
            }
            let answer = client.send(&request)?;
            let what = format!("a value for `{}` is no `{slot}`", value.kind);
            test.refuses(&what, answer.denied(), format!("{}: {}", value.text, answer.exchange()));
        }
        bearer(test, &app, value)?;
    }
    // After all that, each value is still good for its own purpose.
    let me = member.client.copy().me()?;
    test.works("the session is good for ME", me.succeeded(), &me)?;
    if let Some(mut trip) = sent {
        let answer = trip.come_back()?;
        test.works("who was sent to a provider comes back", answer.succeeded(), &answer)?;
    }
    if let Some(device) = device {
        let answer = device.refreshing()?;
        test.works("the refresh token is good for TOKEN_REFRESH", answer.succeeded(), &answer)?;
    }
    mailed.map_or(Ok(()), |mailed| mailed.in_their_place(test, &app))
}

fn of_sessions(app: &App, member: &Member) -> Outcome<Vec<Value>> {
    let mut values = vec![
        Value { kind: "session", text: member.client.session().unwrap_or_default() },
        Value { kind: "session's name", text: own_id(&member.other)? },
    ];
    values.extend(member.client.copy().me()?.value("id").map(|text| Value { kind: "user", text }));
    if app.contract.csrf.source == CsrfSource::Token {
        values.push(Value { kind: "csrf", text: member.client.csrf_token()? });
    }
    Ok(values)
}

fn of_a_visit(app: &App, trip: &Trip) -> Vec<Value> {
    let cookie = app.contract.cookies.transaction.as_ref().and_then(|name| trip.client.jar.get(name)).cloned();
    let state = Value { kind: "state", text: trip.visit.ask.state.clone() };
    cookie.map(|text| Value { kind: "transaction", text }).into_iter().chain([state]).collect()
}

fn of_a_device(device: &Device) -> Vec<Value> {
    let value = |kind, text: &String| Value { kind, text: text.clone() };
    vec![value("access token", &device.access), value("refresh token", &device.refresh)]
}

/// Where values go, with this one in each of them.
fn slots(test: &Test<'_>, app: &Arc<App>, member: &Member, value: &Value) -> Outcome<Vec<Slot>> {
    let text = value.text.as_str();
    let revoking = member.client.elsewhere();
    let revoke = revoking.guarded(&app.role("SESSION_REVOKE")?.segment("id", text))?;
    let mut all = vec![
        ("session", app.client().with_session(Some(text)), app.role("ME")?.request()),
        ("session's name", revoking, revoke),
    ];
    if let Some(provider) = app.providers.first() {
        let trip = Trip::new(app, provider)?;
        all.push(("state", trip.client.copy(), trip.visit.back(&trip.code).with("state", text).request(app)?));
        let mut client = trip.client;
        if let Some(name) = &app.contract.cookies.transaction {
            client.jar.insert(name.clone(), text.to_owned());
        }
        all.push(("transaction", client, trip.visit.back(&trip.code).request(app)?));
    }
    if test.has("tokens") {
        let refresh = app.role("TOKEN_REFRESH")?.field("refresh_token", text).request();
        all.push(("refresh token", app.client(), refresh));
        all.push(("access token", app.client(), bearing(&app.role("API")?, text)));
    }
    Ok(all)
}

fn bearer(test: &mut Test<'_>, app: &Arc<App>, value: &Value) -> Outcome {
    let request = app.role("ME")?.request();
    for line in [format!("Bearer {}", value.text), format!("Basic {}", value.text)] {
        let answer = app.client().send(&request.clone().header("Authorization", line))?;
        let what = format!("a value for `{}` is no authorization", value.kind);
        test.refuses(&what, answer.denied(), &answer);
    }
    Ok(())
}

/// What was mailed to somebody who waits for confirmation, and to a member; and the mark of the browser that registered.
struct Mailed {
    waiting: Person,
    owner: Person,
    browser: Option<String>,
    verify: String,
    reset: String,
    change: String,
}

impl Mailed {
    fn new(test: &mut Test<'_>, app: &Arc<App>, member: &Member) -> Outcome<Self> {
        let (waiting, new, mut browser) = (Person::new(), email(), app.client());
        let answer = browser.register(&waiting)?;
        test.works("REGISTER takes a new account", answer.succeeded(), &answer)?;
        let answer = member.client.copy().call(&app.role("EMAIL_CHANGE")?.field("email", new.as_str()))?;
        test.works("EMAIL_CHANGE takes another address", answer.succeeded(), &answer)?;
        let answer = app.client().forgot(&member.person.email)?;
        test.works("FORGOT takes an address", answer.succeeded(), &answer)?;
        let mark = app.contract.cookies.browser.as_ref().and_then(|name| browser.jar.get(name));
        Ok(Self {
            browser: mark.cloned(),
            verify: app.token("REGISTER", &waiting.email, 1)?,
            reset: app.token("FORGOT", &member.person.email, 1)?,
            change: app.token("EMAIL_CHANGE", &new, 1)?,
            owner: member.person.clone(),
            waiting,
        })
    }

    fn values(&self) -> Vec<Value> {
        let value = |kind, text: &String| Value { kind, text: text.clone() };
        let mailed = [("verify", &self.verify), ("reset", &self.reset), ("email change", &self.change)];
        let mark = self.browser.as_ref().map(|mark| ("browser", mark));
        mailed.into_iter().chain(mark).map(|(kind, text)| value(kind, text)).collect()
    }

    fn slots(&self, app: &Arc<App>, member: &Member, value: &Value) -> Outcome<Vec<Slot>> {
        let text = value.text.as_str();
        let owner = if value.kind == "verify" { &self.waiting } else { &self.owner };
        let verification = app.role("VERIFY")?;
        let takes_password = verification.role().fields.contains_key("password");
        let proven = verification.clone().field("token", text).field("password", owner.password.as_str());
        let reset = app.role("RESET")?.field("token", text).field("password", random::password());
        let change = app.role("EMAIL_CONFIRM")?.field("token", text);
        let mut all = vec![
            ("verify", app.client(), proven),
            ("reset", app.client(), reset),
            ("email change", member.client.elsewhere(), change),
        ];
        if let Some(name) = app.contract.cookies.browser.as_ref().filter(|_| takes_password) {
            let mut client = app.client();
            client.jar.insert(name.clone(), text.to_owned());
            // Without the password: only the browser that registered needs none.
            all.push(("browser", client, verification.field("token", self.verify.as_str())));
        }
        all.into_iter().map(|(slot, client, call)| Ok((slot, client.copy(), client.guarded(&call)?))).collect()
    }

    fn in_their_place(&self, test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
        let answer = app.client().verify(&self.verify, &self.waiting.password)?;
        test.works("the link that confirms an address is good for VERIFY", answer.succeeded(), &answer)?;
        let answer = app.client().reset(&self.reset, &random::password())?;
        test.works("the reset link is good for RESET", answer.succeeded(), &answer)
    }
}

//! What browsers say about where a request comes from.

use std::{sync::Arc, time::Duration};

use super::super::acts::{Member, Way, acts, visited};
use crate::{
    client::Call,
    http::{Answer, Request},
    lab::App,
    people::Person,
    random,
    test::{Outcome, Test},
};

/// What a request says of its origin, and the headers that say it.
pub(super) struct Claim {
    pub what: String,
    headers: Vec<(&'static str, String)>,
}

impl Claim {
    fn new(headers: &[(&'static str, &str)]) -> Self {
        let said: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { what: if said.is_empty() { "no origin at all".to_owned() } else { said.join(", ") }, headers }
    }

    /// The request with this claim in the place of the right one.
    pub fn on(&self, request: &Request) -> Request {
        let bare = request.clone().without("Origin").without("Sec-Fetch-Site").without("Referer");
        self.headers.iter().fold(bare, |request, (name, value)| request.header(name, value))
    }
}

/// What browsers say of requests from elsewhere. Each says one thing alone, as browsers do that know only that header, so
/// that nothing else can be the reason of a refusal.
pub(super) fn foreign(app: &App) -> Vec<Claim> {
    let (scheme, host) = app.origin.split_once("://").unwrap_or(("https", &app.origin));
    let name = host.split(':').next().unwrap_or(host);
    let other = if scheme == "https" { "http" } else { "https" };
    let origins = [
        "https://evil.test".to_owned(),
        "null".to_owned(),
        format!("{other}://{host}"),
        format!("{scheme}://{name}:444"),
        format!("{scheme}://sub.{host}"),
        format!("{scheme}://{host}.evil.test"),
        format!("{scheme}://evil{host}"),
        format!("{scheme}://evil.test/{host}"),
        format!("{scheme}://{host}@evil.test"),
    ];
    let mut claims: Vec<Claim> = origins.iter().map(|origin| Claim::new(&[("Origin", origin)])).collect();
    claims.push(Claim::new(&[("Sec-Fetch-Site", "cross-site")]));
    claims.push(Claim::new(&[("Sec-Fetch-Site", "same-site")]));
    claims.push(Claim::new(&[("Origin", "https://evil.test"), ("Sec-Fetch-Site", "cross-site")]));
    claims.push(Claim::new(&[("Referer", "https://evil.test/page")]));
    claims
}

/// A refusal for where the request comes from.
pub(super) fn is_refused(app: &App, answer: &Answer) -> bool {
    let failure = &app.contract.csrf.failure;
    let is_coded = failure.code.as_slice().is_empty() || answer.code().is_some_and(|code| failure.code.allows(&code));
    let is_page = answer.header("content-type").is_some_and(|kind| kind.contains("text/html"));
    answer.denied() && failure.status.allows(&answer.status) && (is_coded || is_page)
}

/// With a session and a valid token, an unsafe request from elsewhere is refused and changes nothing.
pub(super) fn signed_in(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for way in Way::all(&app) {
        for role in acts(&app)? {
            let member = Member::new(&app)?;
            let call = member.act(role, way)?;
            let client = visited(&member.client)?;
            let request = client.guarded(&call)?;
            for claim in foreign(&app).iter().chain([&Claim::new(&[])]) {
                let answer = client.copy().send(&claim.on(&request))?;
                let what = format!("{role}{} refuses {}", way.name(), claim.what);
                test.refuses(&what, is_refused(&app, &answer), &answer);
            }
            let change = member.change()?;
            let what = format!("{role}{} from elsewhere changes nothing", way.name());
            test.refuses(&what, change.is_none(), change.unwrap_or_default());
            from_here(test, role, way, &member, &call)?;
        }
    }
    Ok(())
}

fn from_here(test: &mut Test<'_>, role: &str, way: Way, member: &Member, call: &Call) -> Outcome {
    let answer = member.client.copy().call(call)?;
    test.works(&format!("{role}{} from the application's own pages works", way.name()), answer.succeeded(), &answer)?;
    if role == "EMAIL_CHANGE" {
        let field = call.role().fields.get("email").map_or("email", String::as_str);
        let new = call.fields().get(field).and_then(serde_json::Value::as_str).unwrap_or_default();
        one_mail(test, &member.client.app, role, new)?;
    }
    Ok(())
}

/// The one mail of the request that was right, and none before.
fn one_mail(test: &mut Test<'_>, app: &App, role: &str, email: &str) -> Outcome {
    app.token(role, email, 1)?;
    let count = app.tokens(role, email, 1, Duration::ZERO)?.len();
    test.refuses(&format!("{role} from elsewhere sends no mail"), count == 1, format!("{count} mails to {email}"));
    Ok(())
}

/// Forms that are sent before there is a session are protected, too.
pub(super) fn before_login(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    if !app.providers.is_empty() {
        to_provider(test, &app)?;
    }
    let roles = ["LOGIN", "REGISTER", "RESEND", "FORGOT", "VERIFY", "RESET"];
    for way in Way::all(&app) {
        for role in roles.into_iter().filter(|_| app.has_passwords()) {
            let case = Case::new(&app, role, way)?;
            let what = format!("{role}{}", way.name());
            for claim in foreign(&app) {
                let mut client = visited(&app.client())?;
                let request = client.guarded(&case.call)?;
                let answer = client.send(&claim.on(&request))?;
                let refused = is_refused(&app, &answer) && !answer.sets_session();
                test.refuses(&format!("{what} refuses {}", claim.what), refused, &answer);
            }
            if app.contract.csrf.token.is_some() {
                super::token::before_login(test, &app, &what, &case.call)?;
            }
            let answer = app.client().call(&case.call)?;
            test.works(&format!("{what} from the application's own pages works"), answer.succeeded(), &answer)?;
            case.left_alone(test, &app, role)?;
        }
    }
    if test.has("tokens") {
        tokens(test, &app)?;
    }
    Ok(())
}

/// No page elsewhere begins a sign-in at a provider: it could be somebody else's.
fn to_provider(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let provider = app.provider(0)?;
    let call = app.role_at("OIDC_START", provider)?;
    for claim in foreign(app) {
        let mut client = visited(&app.client())?;
        let request = client.guarded(&call)?;
        let answer = client.send(&claim.on(&request))?;
        test.refuses(&format!("OIDC_START refuses {}", claim.what), is_refused(app, &answer), &answer);
    }
    app.client().visit(provider)?;
    Ok(())
}

/// A page elsewhere gets no tokens by the session of whoever visits it, and none by a password that it knows.
fn tokens(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, member) = app.member()?;
    let mut calls = vec![];
    if app.grants_by_session()? {
        calls.push((visited(&member)?, app.session_grant()?));
    }
    if app.grants_by_password()? {
        calls.push((app.client(), app.password_grant(&person.email, &person.password)?));
    }
    for (client, call) in &calls {
        let request = client.guarded(call)?;
        for claim in foreign(app) {
            let answer = client.elsewhere().send(&claim.on(&request))?;
            test.refuses(&format!("TOKEN refuses {}", claim.what), is_refused(app, &answer), &answer);
        }
        let answer = client.elsewhere().call(call)?;
        test.works("TOKEN from the application's own pages works", answer.succeeded(), &answer)?;
    }
    if app.grants_by_session()? {
        let bare = Claim::new(&[]).on(&visited(&member)?.guarded(&app.session_grant()?)?);
        let answer = member.elsewhere().send(&bare)?;
        test.refuses("TOKEN by session refuses no origin at all", is_refused(app, &answer), &answer);
    }
    Ok(())
}

/// A request that works once, for an address that no other request was made for.
struct Case {
    call: Call,
    /// To whom it sends mail.
    mails: Option<String>,
}

impl Case {
    fn new(app: &Arc<App>, role: &str, way: Way) -> Outcome<Self> {
        let call = way.call(app, role)?;
        let with = |call: Call, person: &Person| {
            call.field("email", person.email.as_str()).field("password", person.password.as_str())
        };
        let person = match role {
            "REGISTER" | "RESEND" | "VERIFY" => Person::new(),
            _ => app.person()?,
        };
        let (call, mails) = match role {
            "LOGIN" => (with(call, &person), None),
            "REGISTER" => (with(call, &person), Some(person.email)),
            "RESEND" => {
                app.registered(&person)?;
                (call.field("email", person.email.as_str()), None)
            }
            "FORGOT" => (call.field("email", person.email.as_str()), Some(person.email)),
            "VERIFY" => {
                let token = app.registered(&person)?;
                (call.field("token", token).field("password", person.password.as_str()), None)
            }
            _ => {
                app.client().forgot(&person.email)?;
                let token = app.token("FORGOT", &person.email, 1)?;
                (call.field("token", token).field("password", random::password()), None)
            }
        };
        Ok(Self { call, mails })
    }

    fn left_alone(&self, test: &mut Test<'_>, app: &App, role: &str) -> Outcome {
        self.mails.as_ref().map_or(Ok(()), |email| one_mail(test, app, role, email))
    }
}

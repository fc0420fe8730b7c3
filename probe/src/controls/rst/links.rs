//! Mailed links: where they lead, and what becomes of their token.

use std::{net::IpAddr, sync::Arc, thread, time::Duration};

use regex::Regex;

use super::forgotten;
use crate::{
    client::{Call, Client},
    http::{Answer, Request},
    lab::{App, Setup},
    mail::Mail,
    people::{self, Person},
    provider::Ask,
    random,
    test::{Outcome, Stop, Test},
};

/// Claims of a request about where it goes; `EVIL` is filled.
const CLAIMS: [(&str, &[(&str, &str)]); 19] = [
    ("Host", &[("Host", "EVIL")]),
    ("a port in Host", &[("Host", "BASE:EVIL")]),
    ("a user in Host", &[("Host", "BASE@EVIL")]),
    ("two Host headers", &[("Host", "BASE"), ("Host", "EVIL")]),
    ("two Host headers, the other way round", &[("Host", "EVIL"), ("Host", "BASE")]),
    ("a whole URL as target", &[]),
    ("X-Forwarded-Host", &[("X-Forwarded-Host", "EVIL")]),
    ("two values in X-Forwarded-Host", &[("X-Forwarded-Host", "BASE, EVIL")]),
    ("X-Forwarded-Server", &[("X-Forwarded-Server", "EVIL")]),
    ("X-Forwarded-Proto", &[("X-Forwarded-Proto", "http")]),
    ("X-Forwarded-Prefix", &[("X-Forwarded-Prefix", "/EVIL")]),
    ("X-Forwarded-Port", &[("X-Forwarded-Port", "8443")]),
    ("Forwarded", &[("Forwarded", "host=EVIL;proto=http")]),
    ("X-Host", &[("X-Host", "EVIL")]),
    ("X-Original-Host", &[("X-Original-Host", "EVIL")]),
    ("X-Original-URL", &[("X-Original-URL", "https://EVIL/"), ("X-Rewrite-URL", "https://EVIL/")]),
    ("Origin", &[("Origin", "https://EVIL")]),
    ("two Origin headers", &[("Origin", "https://BASE"), ("Origin", "https://EVIL")]),
    ("Referer", &[("Referer", "https://EVIL/")]),
];

/// Links in mails, and what providers are told, are built from the configured origin, whatever a request says.
pub(super) fn configured_origin(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    if !app.providers.is_empty() {
        returns_here(test, &app)?;
    }
    if app.has_passwords() { mailed_links(test) } else { Ok(()) }
}

/// Where providers send browsers back to.
fn returns_here(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let start = app.role_at("OIDC_START", app.provider(0)?)?;
    let whither = |answer: &Answer| Some(Ask::parse(&answer.value("location")?).ok()?.redirect_uri);
    let honest = app.client().call(&start)?;
    let right = whither(&honest).filter(|to| is_ours(app, to));
    test.works("an honest request has providers send browsers here", right.is_some(), &honest)?;
    let foreign = IpAddr::from([127, 66, 6, 6]);
    for peer in [None, Some(foreign)].into_iter().filter(|peer| peer.is_none() || cfg!(target_os = "linux")) {
        for (name, claim) in &CLAIMS {
            let poison = Poison { name, claim, peer };
            let Some((answer, _)) = poison.sent(test, app.client(), &start)? else { continue };
            let what = format!("{name} does not move where providers send browsers back to");
            test.refuses(&what, whither(&answer) == right, &answer);
        }
    }
    Ok(())
}

fn mailed_links(test: &mut Test<'_>) -> Outcome {
    let limits = Setup::default().set("mail_address", 20).set("mail_source", 200);
    let app = test.boot(&limits)?;
    let (_, member) = app.member()?;
    let proxied: Vec<Option<IpAddr>> = vec![None, Some(IpAddr::from([127, 66, 6, 6]))];
    for peer in proxied.into_iter().filter(|peer| peer.is_none() || cfg!(target_os = "linux")) {
        let forgetful = app.person()?;
        let mut sent = 0;
        plain_links(test, &app, &member)?;
        for (name, claim) in &CLAIMS {
            for role in ["FORGOT", "REGISTER", "EMAIL_CHANGE"] {
                let email = if role == "FORGOT" { forgetful.email.clone() } else { people::email() };
                let client = if role == "EMAIL_CHANGE" { member.elsewhere() } else { app.client() };
                let before = if role == "FORGOT" { sent } else { 0 };
                let poison = Poison { name, claim, peer };
                let came = poison.send(test, client, &filled(&app, role, &email)?, &email, before)?;
                sent += if role == "FORGOT" { came } else { 0 };
            }
        }
    }
    Ok(())
}

fn filled(app: &App, role: &str, email: &str) -> Outcome<Call> {
    let call = app.role(role)?.field("email", email);
    Ok(if call.role().fields.contains_key("password") { call.field("password", random::password()) } else { call })
}

/// What is looked at is real: an honest request mails a link to the application.
fn plain_links(test: &mut Test<'_>, app: &Arc<App>, member: &Client) -> Outcome {
    let person = Person::new();
    app.registered(&person)?;
    let target = people::email();
    member.elsewhere().call(&filled(app, "EMAIL_CHANGE", &target)?)?;
    app.token("EMAIL_CHANGE", &target, 1)?;
    for mail in app.mail_channel()?.to(&person.email).iter().chain(&app.mail_channel()?.to(&target)) {
        let links = links(mail);
        let all = !links.is_empty() && links.iter().all(|link| is_ours(app, link));
        test.works("an honest request mails links to the configured origin", all, links.join("\n"))?;
    }
    Ok(())
}

fn links(mail: &Mail) -> Vec<String> {
    let Ok(pattern) = Regex::new(r#"(?i)[a-z][a-z0-9+.-]*://[^\s"'<>]+"#) else { return vec![] };
    pattern.find_iter(&mail.text).chain(pattern.find_iter(&mail.html)).map(|link| link.as_str().to_owned()).collect()
}

fn is_ours(app: &App, link: &str) -> bool {
    link.strip_prefix(app.origin.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

struct Poison<'a> {
    name: &'a str,
    claim: &'a [(&'a str, &'a str)],
    /// Where the request comes from, if not from the trusted proxy.
    peer: Option<IpAddr>,
}

impl Poison<'_> {
    /// Gives how many mails came of it.
    fn send(&self, test: &mut Test<'_>, client: Client, call: &Call, email: &str, before: usize) -> Outcome<usize> {
        let app = client.app.clone();
        match self.sent(test, client, call)? {
            Some((_, evil)) => self.judge(test, &app, call, (email, &evil), before),
            None => Ok(0),
        }
    }

    /// The answer, and the host that was claimed, if the request was taken.
    fn sent(&self, test: &mut Test<'_>, mut client: Client, call: &Call) -> Outcome<Option<(Answer, String)>> {
        let evil = format!("evil{}.test", random::letters(10));
        let mut request = client.guarded(call)?;
        for (header, _) in self.claim {
            request = request.without(header);
        }
        let base = client.app.origin.split("://").nth(1).unwrap_or_default().to_owned();
        for (header, value) in self.claim {
            request = request.header(header, value.replace("EVIL", &evil).replace("BASE", &base));
        }
        if self.claim.is_empty() {
            request = Request { target: format!("http://{evil}{}", request.target), ..request };
        }
        client.from = self.peer.or(client.from);
        // A server may also close the connection; then nothing was done.
        let Ok(answer) = client.try_send(&request) else { return Ok(None) };
        test.refuses(&format!("{} breaks nothing", self.name), !answer.broke(), &answer);
        if !answer.succeeded() {
            test.refuses(&format!("{} is refused", self.name), answer.denied() || answer.status == 421, &answer);
            return Ok(None);
        }
        Ok(Some((answer, evil)))
    }

    fn judge(
        &self,
        test: &mut Test<'_>,
        app: &App,
        call: &Call,
        (email, evil): (&str, &str),
        before: usize,
    ) -> Outcome<usize> {
        let is_new = usize::from(call.name() == "FORGOT");
        // The address of FORGOT has had the mail of its registration.
        let count = before + is_new + 1;
        let mails = app.mail_channel()?.wait(email, count, people::MAIL);
        let Some(mail) = mails.get(count - 1) else {
            return Err(Stop::Positive(format!("{} that is taken sends its mail", call.name()), email.to_owned()));
        };
        let links = links(mail);
        let ours = !links.is_empty() && links.iter().all(|link| is_ours(app, link) && !link.contains(":8443"));
        let what = format!("{} in {} does not move the link that is mailed", self.name, call.name());
        test.refuses(&what, ours && !mail.all().contains(evil), format!("{}\n{}", links.join("\n"), mail.text));
        let path = links.iter().find_map(|link| link.strip_prefix(app.origin.as_str()));
        let straight = path.is_some_and(|path| path_of(app, call.name()).is_none_or(|known| path.starts_with(&known)));
        test.refuses(&format!("{} does not change the link's path", self.name), straight, links.join("\n"));
        Ok(1)
    }
}

/// Where the link of a role leads, as far as the contract's pattern says it literally.
fn path_of(app: &App, role: &str) -> Option<String> {
    let pattern = app.link_of(role).ok()?.token;
    let literal: String =
        pattern.chars().take_while(|one| one.is_ascii_alphanumeric() || "/-_".contains(*one)).collect();
    literal.starts_with('/').then_some(literal)
}

/// A page that is opened with a token keeps it: no referrer, no cache, nothing foreign, no line in the log.
pub(super) fn token_stays(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    test.needs_start()?;
    let person = Person::new();
    let verify = app.registered(&person)?;
    let reset = forgotten(&app, &app.person()?, 0)?;
    for (role, token) in [("VERIFY_PAGE", &verify), ("RESET_PAGE", &reset)] {
        let opened = open(&app, role, token)?;
        test.works(&format!("{role} opens with a live token"), opened.iter().all(Answer::succeeded), &opened[0])?;
        for answer in opened.iter().chain(&open(&app, role, &format!("{token}x"))?) {
            keeps(test, &app, role, answer);
        }
    }
    let used = app.client().reset(&reset, &random::password())?;
    test.works("RESET takes the mailed token", used.succeeded(), &used)?;
    let wrong = app.client().verify(&verify, &random::password())?;
    test.refuses("VERIFY does not break", !wrong.broke(), &wrong);
    // What is written last may come a little later.
    thread::sleep(Duration::from_millis(300));
    let log = app.log()?;
    test.works("the application writes a log", !log.is_empty(), "it is empty")?;
    for token in [&verify, &reset] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(token.as_str())).collect();
        test.refuses("no mailed token is in the log", lines.is_empty(), lines.join("\n"));
    }
    Ok(())
}

/// As the role answers, and as its page where there is one.
fn open(app: &Arc<App>, role: &str, token: &str) -> Outcome<Vec<Answer>> {
    let request = app.role(role)?.query("token", token).request();
    let mut answers = vec![app.client().send(&request)?];
    if app.contract.pages.is_some() {
        // Success is the role's: a page that is got is no form that was sent.
        let page = Request { role: request.role, ..app.page(role)?.query("token", token).request() };
        answers.push(app.client().send(&page)?);
    }
    Ok(answers)
}

fn keeps(test: &mut Test<'_>, app: &App, role: &str, answer: &Answer) {
    let header = |name: &str| answer.header(name).unwrap_or_default().to_ascii_lowercase();
    let no_referrer = header("referrer-policy").trim() == "no-referrer";
    test.refuses(&format!("{role} sends no referrer"), no_referrer, answer);
    test.refuses(&format!("{role} is kept in no cache"), header("cache-control").contains("no-store"), answer);
    let policy = header("content-security-policy");
    let closed = policy.split(';').map(str::trim).any(|one| matches!(one, "default-src 'none'" | "default-src 'self'"));
    test.refuses(&format!("{role} lets nothing foreign be loaded"), closed, answer);
    let foreign = foreign(app, &answer.text());
    test.refuses(&format!("{role} names nothing foreign"), foreign.is_none(), foreign.unwrap_or_default());
    let to = answer.header("location").unwrap_or_default();
    let stays = to.is_empty() || is_ours(app, to) || (to.starts_with('/') && !to.starts_with("//"));
    test.refuses(&format!("{role} leads to no other origin"), stays, answer);
}

/// The first URL of another origin that a page would load, open or send to.
fn foreign(app: &App, text: &str) -> Option<String> {
    let pattern = Regex::new(
        r#"(?i)(?:src|srcset|href|action|formaction|poster|data)\s*=\s*["']?\s*((?:[a-z][a-z0-9+.-]*:)?//[^\s"'>]*)"#,
    );
    let style = Regex::new(r#"(?i)(?:url\(|@import)\s*["']?((?:[a-z][a-z0-9+.-]*:)?//[^\s"')]*)"#);
    let found = [pattern, style].into_iter().flatten().flat_map(|pattern| {
        pattern.captures_iter(text).filter_map(|found| Some(found.get(1)?.as_str().to_owned())).collect::<Vec<_>>()
    });
    found.into_iter().find(|url| !is_ours(app, url))
}

//! What was refused is in the log with its reason, and a flood of it is not.

use std::sync::Arc;

use regex::Regex;

use crate::{
    client::Client,
    events::{Event, Reader},
    http::Answer,
    lab::{App, Setup},
    outage::Outage,
    people::Person,
    random,
    test::{Outcome, Stop, Test},
};

/// Identical refusals, and the most lines that they may make.
const FLOOD: usize = 400;
const LINES: usize = 100;

/// Each protection that refuses something says so once, with a reason that stays the same, and however often, not endlessly.
pub(super) fn each_refusal(test: &mut Test<'_>) -> Outcome {
    let limits: &[&str] = if test.app()?.has_passwords() {
        &["login_source_failures", "register_source", "mail_source", "token_source", "login_failures"]
    } else {
        &[]
    };
    let setup = limits.iter().fold(Setup::default(), |setup, limit| setup.set(limit, 3)).set("login_source", 8);
    let app = test.boot(&setup.set("reauth", 1))?;
    let person = app.person()?;
    let client = app.signed_in(&person)?;
    foreign(test, &app, &client)?;
    if app.has_passwords() {
        throttles(test, &app)?;
        links(test, &app, &client)?;
        unverified(test, &app)?;
    }
    if !app.providers.is_empty() {
        travellers(test, &app)?;
    }
    stale(test, &client)?;
    faults(test, &app, &person)?;
    flood(test, &app)
}

/// One event of that name belongs to the refusal, with reason and source.
fn recorded(test: &mut Test<'_>, client: &Client, trip: &str, answer: &Answer) -> Outcome<Option<Event>> {
    let app = &client.app;
    let name = app.trip_name(trip)?;
    test.works("a protection refuses", answer.denied(), answer)?;
    let events: Vec<Event> = app.events_of(answer)?.into_iter().filter(|event| event.name == name).collect();
    let shown = format!("{} events `{name}`\n{}", events.len(), answer.exchange());
    test.refuses("a refusal is recorded once", events.len() == 1, shown);
    let Some(event) = events.into_iter().next() else { return Ok(None) };
    let stable = event.reason.as_deref().is_some_and(|reason| {
        !reason.is_empty()
            && reason.len() <= 40
            && reason.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    });
    test.refuses("a refusal has a code as its reason", stable, event.line.as_str());
    test.refuses("a refusal names the source", event.ip == client.source, event.line.as_str());
    Ok(Some(event))
}

/// Requests of other sites.
fn foreign(test: &mut Test<'_>, app: &Arc<App>, member: &Client) -> Outcome {
    let mut reasons = vec![];
    for (header, value) in [("Origin", "https://elsewhere.test"), ("Sec-Fetch-Site", "cross-site"), ("Origin", "null")]
    {
        let mut client = member.elsewhere();
        let request = client.guarded(&app.role("REVOKE_ALL_OTHERS")?)?.with(header, value);
        let answer = client.send(&request)?;
        reasons.extend(recorded(test, &client, "foreign_origin", &answer)?.and_then(|event| event.reason));
    }
    let alike = reasons.len() < 3 || reasons[0] == reasons[2];
    test.refuses("the same refusal has the same reason", alike, format!("{reasons:?}"));
    Ok(())
}

/// Too many visits to a provider, and a way back that nobody was sent on.
fn travellers(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (mut visiting, mut strayed) = (app.client(), app.client());
    let start = app.role_at("OIDC_START", app.provider(0)?)?;
    let answer = until_throttled(&mut |_| visiting.call(&start))?;
    recorded(test, &visiting, "throttled", &answer)?;
    let answer = strayed.send(&app.strayed(&[("code", "none"), ("state", &random::letters(43))])?)?;
    recorded(test, &strayed, "oidc_refused", &answer)?;
    Ok(())
}

/// Counters that are full: of a source and of an account.
fn throttles(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (known, mut spraying, mut registering) = (app.person()?, app.client(), app.client());
    let (mut mailing, mut trying) = (app.client(), app.client());
    let mut guess = |_: usize| app.client().login(&known.email, &random::password());
    let answer = until_throttled(&mut guess)?;
    // The source of the last guess is that of a client which is gone; its own check is left to the others.
    let events = app.events_of(&answer)?;
    let name = app.log_table()?.trips.get("throttled").cloned().unwrap_or_default();
    let count = events.iter().filter(|event| event.name == name).count();
    test.refuses("an account that is closed is recorded", count == 1, answer.exchange());
    let answer = until_throttled(&mut |_| spraying.login(&crate::people::email(), &random::password()))?;
    recorded(test, &spraying, "throttled", &answer)?;
    let answer = until_throttled(&mut |_| registering.register(&Person::new()))?;
    recorded(test, &registering, "throttled", &answer)?;
    let answer = until_throttled(&mut |_| mailing.forgot(&crate::people::email()))?;
    recorded(test, &mailing, "throttled", &answer)?;
    let answer = until_throttled(&mut |_| trying.reset(&random::secret(), &random::password()))?;
    recorded(test, &trying, "throttled", &answer)?;
    Ok(())
}

/// The first answer that is a throttle's.
fn until_throttled(ask: &mut dyn FnMut(usize) -> Outcome<Answer>) -> Outcome<Answer> {
    let mut last = ask(0)?;
    for at in 1..20 {
        if last.throttled() {
            break;
        }
        last = ask(at)?;
    }
    if last.throttled() { Ok(last) } else { Err(Stop::Positive("a throttle refuses".to_owned(), last.exchange())) }
}

/// Links that do not work.
fn links(test: &mut Test<'_>, app: &Arc<App>, member: &Client) -> Outcome {
    let mut client = app.client();
    let answer = client.verify(&random::secret(), &random::password())?;
    recorded(test, &client, "token_refused", &answer)?;
    let mut client = app.client();
    let answer = client.reset(&random::secret(), &random::password())?;
    recorded(test, &client, "token_refused", &answer)?;
    let mut client = member.elsewhere();
    let answer = client.call(&app.role("EMAIL_CONFIRM")?.field("token", random::secret()))?;
    recorded(test, &client, "token_refused", &answer)?;
    Ok(())
}

/// The right password of an address that nobody confirmed.
fn unverified(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, mut client) = (Person::new(), app.client());
    app.registered(&person)?;
    let answer = client.login(&person.email, &person.password)?;
    recorded(test, &client, "unverified", &answer)?;
    Ok(())
}

/// What takes a fresh password, without.
fn stale(test: &mut Test<'_>, member: &Client) -> Outcome {
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    for role in ["DELETE_ACCOUNT", "EXPORT"] {
        let mut client = member.elsewhere();
        let answer = client.get(role)?;
        recorded(test, &client, "stale", &answer)?;
    }
    Ok(())
}

/// What fails inside.
fn faults(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let pattern = app.log_table()?.fault.clone();
    let pattern = pattern.ok_or_else(|| Stop::Missing("the contract has no `log.fault`".to_owned()))?;
    let pattern = Regex::new(&pattern).map_err(|error| Stop::Missing(format!("`log.fault`: {error}")))?;
    let faults = |said: &str| said.lines().filter(|line| pattern.is_match(line)).count();
    let before = faults(&app.said()?);
    let (mut client, request) = app.client().about_to_enter(person)?;
    let outage = Outage::of_tables(app, &["users"])?;
    let answer = client.send(&request)?;
    outage.end()?;
    let after = faults(&app.said_by_now()?);
    test.refuses("a fault inside is in the log", after > before, &answer);
    Ok(())
}

/// The same refusal over and over.
fn flood(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let mut client = Client { agent: Some(format!("flood-{}", random::letters(10))), ..app.client() };
    let call = app.role("LOGOUT")?;
    client.jar.insert(app.contract.cookies.session.clone(), random::letters(22));
    // One token for all: how many of them one source may ask for is another limit.
    let request = client.guarded(&call)?.with("Origin", "https://elsewhere.test");
    let mut last = None;
    for _ in 0..FLOOD {
        last = Some(client.send(&request)?);
    }
    if let Some(last) = last {
        test.works("each of them is refused", last.denied(), &last)?;
    }
    let said = app.said_by_now()?;
    let reader = Reader::new(app.log_table()?)?;
    let events = said.lines().filter_map(|line| reader.event(line));
    let count = events.filter(|event| event.ip == client.source && event.agent == client.agent).count();
    test.refuses("the first of a flood is recorded", count > 0, format!("{count} events"));
    test.refuses(
        "a flood does not fill the log",
        count <= LINES,
        format!("{count} events of {FLOOD} identical refusals"),
    );
    Ok(())
}

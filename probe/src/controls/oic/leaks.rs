//! What must stay between application and provider, and what a callback's answer gives away.

use std::sync::Arc;

use regex::Regex;
use serde_json::json;

use super::{Trip, signs_in};
use crate::{
    client::Client,
    http::Answer,
    lab::App,
    provider::{Grant, Manner, Provider, Reply, Subject, UserInfo, reveals},
    random,
    test::{Outcome, Stop, Test},
};

/// Texts that no browser and no log may see.
struct Sentinels {
    access: String,
    refresh: String,
    /// Within the ID token.
    claim: String,
}

impl Sentinels {
    fn new() -> Self {
        Self { access: random::letters(48), refresh: random::letters(48), claim: random::letters(48) }
    }

    fn grant(&self, subject: &Subject) -> Grant {
        let mut grant = Grant::new(subject).claim("sentinel", self.claim.as_str());
        grant.access_token.clone_from(&self.access);
        grant.answer("refresh_token", self.refresh.as_str())
    }

    fn all<'a>(&'a self, secret: &'a str) -> [(&'static str, &'a str); 4] {
        [
            ("the access token", &self.access),
            ("the refresh token", &self.refresh),
            ("the ID token", &self.claim),
            ("the client's secret", secret),
        ]
    }

    fn are_not_in(&self, test: &mut Test<'_>, secret: &str, place: &str, text: &str) {
        for (what, sentinel) in self.all(secret) {
            test.refuses(&format!("{what} is not in {place}"), !reveals(text, sentinel), text);
        }
    }
}

fn shown(answer: &Answer) -> String {
    let headers: Vec<String> = answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{} {}\n{}", answer.status, headers.join("\n"), answer.text())
}

/// Tokens of the provider and the client's secret stay on the server, when all goes well and when it does not.
pub(super) fn provider_tokens(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&crate::lab::Setup::default())?;
    let provider = app.provider(0)?;
    let secret = provider.client_secret.clone();
    signs_in(test, &app, "with tokens", |_| Grant::new(&Subject::new()))?;
    let mut all = vec![];
    let (sentinels, subject) = (Sentinels::new(), Subject::new());
    let (client, answers) = story(&app, provider, sentinels.grant(&subject))?;
    let texts: Vec<String> = answers.iter().map(shown).collect();
    sentinels.are_not_in(test, &secret, "an answer", &texts.join("\n\n"));
    let jar = client.jar.values().cloned().collect::<Vec<_>>().join("\n");
    sentinels.are_not_in(test, &secret, "a cookie", &jar);
    all.push(sentinels);
    for (what, change) in FAULTS {
        let sentinels = Sentinels::new();
        let mut trip = Trip::with(app.client(), provider, |_| change(sentinels.grant(&Subject::new()), &sentinels))?;
        let answer = trip.come_back()?;
        sentinels.are_not_in(test, &secret, &format!("the answer when {what}"), &shown(&answer));
        all.push(sentinels);
    }
    let log = match app.log() {
        Ok(log) => log,
        Err(error) => return Err(Stop::NotRun(format!("{error:#}"))),
    };
    for sentinels in &all {
        for (what, sentinel) in sentinels.all(&secret) {
            let line = log.lines().find(|line| reveals(line, sentinel));
            test.refuses(&format!("{what} is not in the log"), line.is_none(), line.unwrap_or_default());
        }
    }
    Ok(())
}

type Fault = fn(Grant, &Sentinels) -> Grant;

const FAULTS: [(&str, Fault); 5] = [
    ("the ID token is wrong", |grant, _| grant.claim("nonce", "another")),
    ("there is no ID token", |grant, _| grant.no_answer("id_token")),
    ("UserInfo has an error", |grant, _| {
        grant.by_userinfo(UserInfo::Answer(Manner::Answers(Reply::json(500, &json!({ "error": "server_error" })))))
    }),
    ("the token endpoint says it all in an error", |grant, sentinels| {
        let told = format!("{} {} {}", sentinels.access, sentinels.refresh, sentinels.claim);
        grant
            .instead(Manner::Answers(Reply::json(400, &json!({ "error": "invalid_grant", "error_description": told }))))
    }),
    ("the token endpoint says it all in no JSON", |grant, sentinels| {
        let told = format!("{} {} {}", sentinels.access, sentinels.refresh, sentinels.claim);
        grant.instead(Manner::Answers(Reply::new(200, "text/html", told)))
    }),
];

/// A sign-in and what can be looked at after it.
fn story(app: &Arc<App>, provider: &Provider, grant: Grant) -> Outcome<(Client, Vec<Answer>)> {
    let mut trip = Trip::with(app.client(), provider, |_| grant)?;
    let mut answers = vec![trip.visit.answer.clone(), trip.come_back()?];
    for role in ["ME", "SESSIONS", "IDENTITIES", "EXPORT", "PROTECTED"] {
        if app.contract.roles.contains_key(role) {
            answers.push(trip.client.get(role)?);
        }
    }
    Ok((trip.client, answers))
}

/// The answer to a callback leads away at once, to where neither code nor state are, and no other place learns of them.
pub(super) fn callback(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&crate::lab::Setup::default())?;
    let provider = app.provider(0)?;
    let mut trip = Trip::new(&app, provider)?;
    let answer = trip.come_back()?;
    test.works("who comes back is signed in", trip.client.is_signed_in()?, &answer)?;
    let location = answer.header("location").unwrap_or_default();
    test.refuses("a callback leads away by 303", answer.status == 303 && !location.is_empty(), &answer);
    leaks_nothing(test, "that signs in", &trip, &answer);
    let mut kept = vec![(trip.code.clone(), trip.visit.ask.state.clone())];
    for (what, change) in FAILURES {
        let trip = Trip::with(app.client(), provider, |_| change(Grant::new(&Subject::new())))?;
        let request = trip.visit.back(&trip.code).request(&app)?;
        for accept in ["application/json", "text/html"] {
            let answer = trip.client.copy().send(&request.clone().with("Accept", accept))?;
            leaks_nothing(test, &format!("that fails: {what}"), &trip, &answer);
        }
        kept.push((trip.code.clone(), trip.visit.ask.state.clone()));
    }
    let log = match app.log() {
        Ok(log) => log,
        Err(error) => return Err(Stop::NotRun(format!("{error:#}"))),
    };
    for (code, state) in kept {
        let line = log.lines().find(|line| line.contains(&code) || line.contains(&state));
        test.refuses("the log has neither code nor state", line.is_none(), line.unwrap_or_default());
    }
    Ok(())
}

type Failure = fn(Grant) -> Grant;

const FAILURES: [(&str, Failure); 2] = [
    ("the ID token is wrong", |grant| grant.claim("nonce", "another")),
    ("the code is refused", |grant| {
        grant.instead(Manner::Answers(Reply::json(400, &json!({ "error": "invalid_grant" }))))
    }),
];

fn leaks_nothing(test: &mut Test<'_>, what: &str, trip: &Trip, answer: &Answer) {
    let has = |name: &str, wanted: &str| {
        answer.headers(name).any(|value| value.to_ascii_lowercase().split(',').any(|part| part.trim() == wanted))
    };
    test.refuses(&format!("a callback {what} sends no referrer"), has("referrer-policy", "no-referrer"), answer);
    test.refuses(&format!("a callback {what} is not stored"), has("cache-control", "no-store"), answer);
    let (code, state) = (&trip.code, &trip.visit.ask.state);
    let told = shown(answer);
    let holds = !told.contains(code.as_str()) && !told.contains(state.as_str());
    test.refuses(&format!("the answer to a callback {what} has neither code nor state"), holds, answer);
    let away = others(&answer.text(), &trip.client.app.origin);
    test.refuses(
        &format!("the page of a callback {what} loads nothing from elsewhere"),
        away.is_empty(),
        away.join(" "),
    );
}

/// Addresses elsewhere that a page would load.
fn others(html: &str, origin: &str) -> Vec<String> {
    let Ok(pattern) = Regex::new(r#"(?i)(?:src|href|url\(|@import)\s*=?\s*["'(]?\s*((?:https?:)?//[^"'\s)>]+)"#) else {
        return vec![];
    };
    let found = pattern.captures_iter(html).filter_map(|found| Some(found.get(1)?.as_str().to_owned()));
    found.filter(|address| !address.starts_with(origin)).collect()
}

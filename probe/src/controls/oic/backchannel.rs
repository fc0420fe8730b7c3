//! Calls that the application makes to a provider: over TLS that is checked, to where they were meant, and not without bound.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{super::cfg::attempt, Trip, count, signs_in, turned_away};
use crate::{
    http::Answer,
    lab::{App, Setup, Started},
    provider::{Ask, Endpoint, Grant, Listener, Manner, Paper, Provider, Reply, Subject, UserInfo},
    test::{Outcome, Test},
};

/// What all calls of a request may take together, and the machine's own part.
const LONGEST: Duration = Duration::from_secs(11);
const FLOOD: u64 = 50 << 20;
/// Memory that a flood may take.
const MEMORY: u64 = 50 << 20;

/// What the providers do from the start on.
type Arranged = fn(&[Provider]);

fn right() -> Grant {
    Grant::new(&Subject::new())
}

pub(super) fn bounded(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    signs_in(test, &app, "over TLS with a certificate of the authority", |_| right())?;
    certificates(test, &app)?;
    redirects(test, &app)?;
    delays(test, &app)?;
    flood(test, &app)?;
    first_calls(test)?;
    plain(test)
}

fn certificates(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (provider, authority) = (app.provider(0)?, test.lab.authority()?);
    for (what, paper) in [
        ("of an authority that nobody trusts", Paper::OtherAuthority),
        ("of another name", Paper::OtherName),
        ("that expired", Paper::Expired),
    ] {
        let mut trip = Trip::new(app, provider)?;
        provider.show(authority, paper)?;
        let answer = trip.come_back();
        provider.show(authority, Paper::Right)?;
        let answer = answer?;
        let hits = provider.redeemed(&trip.code);
        test.refuses(&format!("a sign-in is refused at a certificate {what}"), turned_away(&answer), &answer);
        test.refuses(&format!("no code is told to a certificate {what}"), hits.is_empty(), &hits);
    }
    Ok(())
}

/// The answer to a trip, which comes within bounds.
fn bounded_trip(test: &mut Test<'_>, what: &str, trip: &mut Trip) -> Outcome<Option<Answer>> {
    let request = trip.visit.back(&trip.code).request(&trip.client.app)?;
    let begun = Instant::now();
    let answer = trip.client.try_send(&request);
    let took = begun.elapsed();
    let seen = answer.as_ref().map_or_else(ToString::to_string, |answer| format!("{took:?}\n{}", answer.exchange()));
    test.refuses(&format!("a browser is not kept waiting when {what}"), answer.is_ok() && took < LONGEST, seen);
    let Ok(answer) = answer else { return Ok(None) };
    test.refuses(&format!("a sign-in is refused when {what}"), turned_away(&answer), &answer);
    Ok(Some(answer))
}

fn redirects(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let provider = app.provider(0)?;
    let mut trip = Trip::new(app, provider)?;
    let tokens = provider.answer_of(&trip.visit.ask, &right())?;
    let stray = Listener::start(None, Box::new(move |_| Manner::Answers(tokens.clone())))?;
    for (what, status, to) in [
        ("the token endpoint is elsewhere", 302, format!("http://127.0.0.1:{}/token", stray.port())),
        ("the token endpoint is elsewhere for good", 307, format!("http://127.0.0.1:{}/token", stray.port())),
        ("the token endpoint is elsewhere at the provider", 307, format!("{}/other", provider.issuer())),
    ] {
        let elsewhere = Manner::Answers(Reply::redirect(status, &to));
        trip = Trip::with(app.client(), provider, |_| right().instead(elsewhere))?;
        bounded_trip(test, what, &mut trip)?;
    }
    let userinfo = Reply::redirect(307, &format!("http://127.0.0.1:{}/userinfo", stray.port()));
    let userinfo = UserInfo::Answer(Manner::Answers(userinfo));
    Trip::with(app.client(), provider, |_| right().by_userinfo(userinfo))?.come_back()?;
    let followed = provider.redeemed(&trip.code).len() > 1 || stray.connections() > 0;
    let seen = format!("{} connections elsewhere", stray.connections());
    test.refuses("no redirect of a provider is followed", !followed, seen);
    Ok(())
}

fn delays(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let provider = app.provider(0)?;
    let drips = |ask: &Ask| {
        let reply = provider.answer_of(ask, &right()).unwrap_or_else(|_| Reply::json(200, &json!({})));
        right().instead(Manner::Drips(reply))
    };
    let mut trip = Trip::with(app.client(), provider, |_| right().instead(Manner::Stalls))?;
    bounded_trip(test, "the token endpoint says nothing", &mut trip)?;
    let mut trip = Trip::with(app.client(), provider, drips)?;
    bounded_trip(test, "the token endpoint says a byte now and then", &mut trip)?;
    let userinfo = UserInfo::Answer(Manner::Stalls);
    let mut trip = Trip::with(app.client(), provider, |_| right().by_userinfo(userinfo))?;
    bounded_trip(test, "UserInfo says nothing", &mut trip)?;
    signs_in(test, app, "after a provider was slow", |_| right())?;
    Ok(())
}

/// The right answer, and then white space without end: who reads it all takes it.
fn flood(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let provider = app.provider(0)?;
    let floods = |ask: &Ask| {
        let reply = provider.answer_of(ask, &right()).unwrap_or_else(|_| Reply::json(200, &json!({})));
        right().instead(Manner::Floods(reply, FLOOD))
    };
    let before = app.memory();
    let mut trip = Trip::with(app.client(), provider, floods)?;
    bounded_trip(test, "the token endpoint answers 50 MiB", &mut trip)?;
    if let (Some(before), Some(after)) = (before, app.memory()) {
        let grown = after.saturating_sub(before);
        test.refuses("a flood is not kept in memory", grown < MEMORY, format!("{grown} bytes more"));
    }
    Ok(())
}

/// Discovery and the key set, which come before anything else.
fn first_calls(test: &mut Test<'_>) -> Outcome {
    let cases: [(&str, Arranged); 4] = [
        ("discovery is elsewhere", |all| to_itself(all, Endpoint::Discovery)),
        ("the key set is elsewhere", |all| to_itself(all, Endpoint::Keys)),
        ("discovery says nothing", |all| all.iter().for_each(|one| one.act(Endpoint::Discovery, Some(Manner::Stalls)))),
        ("the key set says nothing", |all| all.iter().for_each(|one| one.act(Endpoint::Keys, Some(Manner::Stalls)))),
    ];
    for (what, change) in cases {
        let Started::Up(app) = test.lab.start(&Setup { providers: Some(change), ..Setup::default() })? else {
            continue;
        };
        let app = Arc::new(*app);
        let provider = app.provider(0)?;
        let mut client = app.client();
        let begun = Instant::now();
        let answer = client.call(&app.role_at("OIDC_START", provider)?)?;
        if answer.succeeded() {
            let mut trip = Trip::with(client, provider, |_| right())?;
            bounded_trip(test, what, &mut trip)?;
        } else {
            let took = begun.elapsed();
            test.refuses(&format!("a browser is not kept waiting when {what}"), took < LONGEST, &answer);
            test.refuses(&format!("a visit is refused when {what}"), turned_away(&answer), &answer);
        }
        let followed = count(provider, Endpoint::UserInfo) > 0;
        test.refuses(&format!("no redirect is followed when {what}"), !followed, provider.hits(Endpoint::UserInfo));
    }
    Ok(())
}

/// Leads to another endpoint of the same provider, where a certificate is no hindrance.
fn to_itself(providers: &[Provider], endpoint: Endpoint) {
    for provider in providers {
        let to = format!("{}/userinfo", provider.issuer());
        provider.act(endpoint, Some(Manner::Answers(Reply::redirect(302, &to))));
    }
}

/// In production no provider is asked without TLS.
fn plain(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let names = app.contract.providers.iter().find_map(|names| names.issuer.clone());
    let (Some(variable), provider) = (names, app.provider(0)?) else { return Ok(()) };
    let issuer = provider.issuer().replace("https://", "http://");
    let tried = attempt(test, &Setup::default().variable(&variable, Some(&issuer)))?;
    let refused = tried.refused && tried.output.contains(&variable);
    let seen = tried.shown(&format!("{variable}={issuer}"));
    test.refuses("an issuer without TLS is refused at the start, by the variable's name", refused, seen);
    Ok(())
}

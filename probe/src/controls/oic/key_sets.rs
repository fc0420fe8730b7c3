//! The provider's key set: which key counts, new keys, old ones, and how often it is asked for.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::{Trip, count, refuses, signs_in, turned_away};
use crate::{
    lab::{App, Setup},
    provider::{Endpoint, Grant, Key, Manner, Provider, Reply, Signed, Subject},
    random,
    test::{Outcome, Test},
};

const STRANGERS: usize = 50;
/// What a provider may take of a sign-in.
const LONGEST: Duration = Duration::from_secs(11);
const COOLDOWN: Duration = Duration::from_millis(1300);

fn right() -> Grant {
    Grant::new(&Subject::new())
}

/// New keys are taken in, old ones forgotten, names and uses minded, and none of it asks for the key set without bound.
pub(super) fn rotation(test: &mut Test<'_>) -> Outcome {
    unknown_names(test)?;
    new_keys(test)?;
    old_keys(test)?;
    names(test)?;
    uses(test)?;
    outages(test)
}

/// A sign-in that must work: the protection would not be one if it did not.
fn is_taken(test: &mut Test<'_>, app: &Arc<App>, what: &str, grant: Grant) -> Outcome {
    let mut trip = Trip::with(app.client(), app.provider(0)?, |_| grant)?;
    let answer = trip.come_back()?;
    test.refuses(what, answer.succeeded(), &answer);
    Ok(())
}

/// With limits as they are shipped.
fn unknown_names(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "with a key of the set", |_| right())?;
    let before = count(provider, Endpoint::Keys);
    let stranger = Key::rsa()?;
    for _ in 0..STRANGERS {
        let by = Signed::Other(stranger.named(&random::letters(12)), Algorithm::RS256);
        refuses(test, &app, "no key has that name", |_| right().signed(by))?;
    }
    let asked = count(provider, Endpoint::Keys) - before;
    let seen = format!("the key set was asked for {asked} times by {STRANGERS} sign-ins");
    test.refuses("unknown names do not ask for the key set without bound", asked <= 2, seen);
    Ok(())
}

fn new_keys(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("jwks_cooldown", 1))?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "with the first key", |_| right())?;
    for what in ["a new key", "another new key"] {
        thread::sleep(COOLDOWN);
        let before = count(provider, Endpoint::Keys);
        provider.change_keys(vec![Key::rsa()?]);
        is_taken(test, &app, &format!("{what} is taken in without a restart"), right())?;
        let asked = count(provider, Endpoint::Keys) - before;
        let seen = format!("the key set was asked for {asked} times");
        test.refuses(&format!("{what} costs one more request"), asked == 1, seen);
    }
    Ok(())
}

fn old_keys(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("jwks_cooldown", 1).set("jwks_cache", 2))?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "with the first key", |_| right())?;
    let Some(old) = provider.keys().into_iter().next() else { return Ok(()) };
    provider.change_keys(vec![Key::rsa()?]);
    thread::sleep(Duration::from_secs(3));
    let by_old = || right().signed(Signed::Other(old.clone(), Algorithm::RS256));
    refuses(test, &app, "its key was taken out of the set", |_| by_old())?;
    is_taken(test, &app, "the new key signs in", right())?;
    refuses(test, &app, "its key was taken out of the set, and a new one is known", |_| by_old())?;
    Ok(())
}

fn one_key(providers: &[Provider]) {
    if let Some(provider) = providers.first() {
        provider.change_keys(provider.keys().into_iter().take(1).collect());
    }
}

/// A token that names no key counts where there is one key; one that names a key is held against that key.
fn names(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup { providers: Some(one_key), ..Setup::default() }.set("jwks_cooldown", 1))?;
    let provider = app.provider(0)?;
    is_taken(test, &app, "a token that names no key is held against the only one", right().no_header("kid"))?;
    let Some(first) = provider.keys().into_iter().next() else { return Ok(()) };
    let second = Key::rsa()?;
    provider.change_keys(vec![first.clone(), second.clone()]);
    thread::sleep(COOLDOWN);
    let by = |key: &Key| right().signed(Signed::Other(key.clone(), Algorithm::RS256));
    is_taken(test, &app, "of two keys the one counts that a token names", by(&second))?;
    let crossed = by(&first).header("kid", second.kid.clone());
    refuses(test, &app, "it is signed by one key and names another", |_| crossed)?;
    let mut trip = Trip::with(app.client(), provider, |_| by(&second).no_header("kid"))?;
    let answer = trip.come_back()?;
    let holds = answer.succeeded() || turned_away(&answer);
    test.refuses("a token that names none of two keys breaks nothing", holds, &answer);
    Ok(())
}

/// A key counts only for what the set says it is for.
fn uses(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup { providers: Some(one_key), ..Setup::default() }.set("jwks_cooldown", 1))?;
    let provider = app.provider(0)?;
    let Some(own) = provider.keys().into_iter().next() else { return Ok(()) };
    let (sealing, other) = (Key::rsa()?, Key::rsa()?);
    let with = |key: &Key, name: &str, value: &str| {
        let mut jwk = key.jwk();
        jwk[name] = json!(value);
        jwk
    };
    provider.publish(json!({ "keys": [with(&sealing, "use", "enc"), with(&other, "alg", "RS512"), own.jwk()] }));
    is_taken(test, &app, "a key of a set of several kinds is taken", right())?;
    for (what, key) in [("a key for encryption", &sealing), ("a key for another algorithm", &other)] {
        let by = || right().signed(Signed::Other(key.clone(), Algorithm::RS256));
        refuses(test, &app, &format!("it is signed by {what}"), |_| by())?;
    }
    Ok(())
}

/// A key set that cannot be had costs little, and what is known goes on counting.
fn outages(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("jwks_cooldown", 1))?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "with a key of the set", |_| right())?;
    let stranger = Key::rsa()?;
    let set = Reply::json(200, &json!({ "keys": [stranger.jwk()] }));
    for (what, manner) in [
        ("answers 500", Manner::Answers(Reply::json(500, &json!({})))),
        ("says nothing", Manner::Stalls),
        ("says a byte now and then", Manner::Drips(set.clone())),
        ("is a GiB", Manner::Floods(set, 1 << 30)),
        ("is elsewhere", Manner::Answers(Reply::redirect(302, &format!("{}/elsewhere", provider.issuer())))),
        ("is no JSON", Manner::Answers(Reply::new(200, "application/json", "{"))),
    ] {
        thread::sleep(COOLDOWN);
        provider.act(Endpoint::Keys, Some(manner));
        let begun = Instant::now();
        let by = Signed::Other(stranger.clone(), Algorithm::RS256);
        refuses(test, &app, &format!("its key is new, and the key set {what}"), |_| right().signed(by))?;
        let took = begun.elapsed();
        test.refuses(&format!("a key set that {what} is not waited for"), took < LONGEST, format!("{took:?}"));
        is_taken(test, &app, &format!("a known key goes on counting when the key set {what}"), right())?;
        provider.act(Endpoint::Keys, None);
    }
    Ok(())
}

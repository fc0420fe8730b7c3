//! A refresh token is exchanged at its use, and a second use ends all that came from it.

use std::sync::Arc;

use super::{
    super::jwt::{alive, spared},
    no_grant,
};
use crate::{
    devices::Device,
    http::Answer,
    lab::App,
    test::{Outcome, Test},
};

/// Each use gives another token, and the one that was used is void.
pub(super) fn at_every_use(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (_, first) = app.device()?;
    let mut devices = vec![first];
    for _ in 0..3 {
        let last = &devices[devices.len() - 1];
        let answer = last.refreshing()?;
        test.works("TOKEN_REFRESH takes the newest token", answer.succeeded(), &answer)?;
        let next = Device::of(&app, &answer)?;
        let known = |device: &Device| device.refresh == next.refresh;
        test.refuses("TOKEN_REFRESH gives a refresh token that is new", !devices.iter().any(known), &answer);
        let known = |device: &Device| device.access == next.access;
        test.refuses("TOKEN_REFRESH gives an access token that is new", !devices.iter().any(known), &answer);
        not_stored(test, &answer);
        alive(test, "a device that refreshed", &next)?;
        devices.push(next);
    }
    let again = devices[0].refreshing()?;
    no_grant(test, "a refresh token that was used is void", &again);
    Ok(())
}

/// No cache keeps a token.
fn not_stored(test: &mut Test<'_>, answer: &Answer) {
    let policy = answer.header("cache-control").unwrap_or_default();
    test.refuses("an answer with tokens is not stored", policy.contains("no-store"), answer);
}

/// Whoever presents a token that was used shows that two have it: the family ends, and no other.
pub(super) fn reuse_ends_the_family(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (_, stranger) = app.device()?;
    for which in [0, 1] {
        reused(test, &app, which)?;
    }
    reused_after_the_end(test, &app)?;
    spared(test, "another account's device", &stranger)
}

/// The first token that was used, or the second, comes again.
fn reused(test: &mut Test<'_>, app: &Arc<App>, which: usize) -> Outcome {
    let (person, first) = app.device()?;
    let other = app.device_of(&person)?;
    let second = first.refreshed()?;
    let third = second.refreshed()?;
    alive(test, "the newest of a family", &third)?;
    let used = [&first, &second][which];
    let answer = used.refreshing()?;
    no_grant(test, "a refresh token that was used before is refused", &answer);
    recorded(test, app, &answer)?;
    for device in [&third, &second, &first] {
        for answer in device.everywhere()? {
            test.refuses("after a reuse no access token of the family works", answer.denied(), &answer);
        }
        let answer = device.refreshing()?;
        no_grant(test, "after a reuse no refresh token of the family works", &answer);
    }
    spared(test, "the same account's other device, after the reuse,", &other)?;
    let refreshed = other.refreshing()?;
    test.refuses("the same account's other device refreshes after the reuse", refreshed.succeeded(), &refreshed);
    Ok(())
}

/// The log has the reuse, once.
fn recorded(test: &mut Test<'_>, app: &Arc<App>, answer: &Answer) -> Outcome {
    if !test.lab.starts() {
        return Ok(());
    }
    let name = app.event_name("token_reuse")?;
    let events = app.events_of(answer)?;
    let count = events.iter().filter(|event| event.name == name).count();
    let shown = format!(
        "{count} events `{name}` among {:?}\n{}",
        events.iter().map(|event| &event.name).collect::<Vec<_>>(),
        answer.exchange()
    );
    test.refuses("a reuse is in the log, once", count == 1, shown);
    Ok(())
}

/// A family that its device ended stays ended, and what comes of it later ends no other.
fn reused_after_the_end(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, first) = app.device()?;
    let other = app.device_of(&person)?;
    let second = first.refreshed()?;
    let answer = app.revoke(&second.refresh)?;
    test.works("TOKEN_REVOKE takes a refresh token", answer.succeeded(), &answer)?;
    for device in [&first, &second] {
        let answer = device.refreshing()?;
        no_grant(test, "no token of a family that was ended works", &answer);
    }
    spared(test, "the same account's other device", &other)
}

//! When sessions end by themselves.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::super::acts::{is_dead, went_through};
use crate::{
    client::{Call, Client},
    lab::Setup,
    people::email,
    test::{Outcome, Stop, Test},
};

const IDLE: Duration = Duration::from_secs(4);
const ABSOLUTE: Duration = Duration::from_secs(6);
/// Servers count in whole seconds.
const GRAIN: Duration = Duration::from_secs(1);
/// No machine is so slow.
const GIVEN_UP: Duration = Duration::from_mins(1);

/// A session that is not used is dead on the server; one that is used is not.
pub(super) fn idle(test: &mut Test<'_>) -> Outcome {
    let setup = Setup::default().set("session_idle", IDLE.as_secs()).set("session_absolute", 600);
    let app = test.boot(&setup)?;
    let (person, unused) = app.member()?;
    let mut used = app.signed_in(&person)?;
    let mut stranger = unused.with_session(None);
    let left = Instant::now();
    let mut begun = Instant::now();
    let mut last = begun;
    // Until the one session was used, without a pause that could have ended it, for longer than the other lay idle.
    while begun.elapsed() < IDLE + GRAIN || left.elapsed() < IDLE + GRAIN {
        thread::sleep(Duration::from_millis(600));
        let answer = used.me()?;
        if last.elapsed() + GRAIN >= IDLE {
            used = app.signed_in(&person)?;
            begun = Instant::now();
        } else {
            test.works("a session that is used lives on", answer.succeeded(), &answer)?;
        }
        last = Instant::now();
        stranger.me()?;
        if left.elapsed() > GIVEN_UP {
            return Err(Stop::NotRun("this machine is too slow for seconds to be told apart".to_owned()));
        }
    }
    is_dead(test, "a session that was not used for the idle time is dead", &unused)?;
    is_dead(test, "a request does not bring back a session that has ended", &unused)
}

/// A session ends a fixed time after the password was entered, however much it is used.
pub(super) fn absolute(test: &mut Test<'_>) -> Outcome {
    let setup = Setup::default().set("session_idle", 600).set("session_absolute", ABSOLUTE.as_secs());
    let app = test.boot(&setup)?;
    let [person, moving, renewing] = [app.person()?, app.person()?, app.person()?];
    let begun = Instant::now();
    let used = app.signed_in(&person)?;
    let mut renewed = app.signed_in(&renewing)?;
    let mut rotated = app.signed_in(&moving)?;
    let logged_in = Instant::now();
    let confirmation = if app.has_passwords() { Some(confirmation(test, &rotated)?) } else { None };
    // What has to happen within the lifetime is only asserted where this machine was fast enough.
    let is_early = |since: Instant| since.elapsed() + GRAIN < ABSOLUTE;
    while begun.elapsed() + 3 * GRAIN < ABSOLUTE {
        thread::sleep(Duration::from_millis(300));
        let answer = used.copy().me()?;
        if is_early(begun) {
            test.works("a session lives until its time is over", answer.succeeded(), &answer)?;
        }
    }
    let renewal = Instant::now();
    let answer = renewed.prove(&renewing)?;
    let is_renewed = is_early(begun);
    if is_renewed {
        let proven = if app.has_passwords() { went_through(&app, "REAUTH", &answer) } else { answer.sets_session() };
        test.works("who proves once more who it is is believed", proven, &answer)?;
    }
    // Late in the lifetime, so that a new one would show.
    if let Some(confirmation) = confirmation {
        let answer = rotated.call(&confirmation)?;
        if is_early(begun) {
            test.works("EMAIL_CONFIRM takes the mailed token", went_through(&app, "EMAIL_CONFIRM", &answer), &answer)?;
        }
    }
    while logged_in.elapsed() < ABSOLUTE + GRAIN {
        thread::sleep(Duration::from_millis(300));
        used.copy().me()?;
    }
    is_dead(test, "a session ends after the absolute time, although it is used", &used)?;
    is_dead(test, "a new identifier does not move the end", &rotated)?;
    let answer = renewed.me()?;
    if is_renewed && is_early(renewal) {
        test.works("entering the password again starts a new lifetime", answer.succeeded(), &answer)?;
    }
    Ok(())
}

/// What changes the address: it takes no password, and gives the session a new identifier.
fn confirmation(test: &mut Test<'_>, client: &Client) -> Outcome<Call> {
    let app = client.app.clone();
    let new = email();
    let answer = client.copy().call(&app.role("EMAIL_CHANGE")?.field("email", new.as_str()))?;
    test.works("EMAIL_CHANGE takes another address", answer.succeeded(), &answer)?;
    Ok(app.role("EMAIL_CONFIRM")?.field("token", app.token("EMAIL_CHANGE", &new, 1)?))
}

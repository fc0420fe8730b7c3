//! A family of refresh tokens ends, used or not.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::no_grant;
use crate::{
    devices::Device,
    lab::Setup,
    test::{Outcome, Test},
};

/// Seconds.
const ABSOLUTE: u64 = 5;
const IDLE: u64 = 3;

pub(super) fn family_ends(test: &mut Test<'_>) -> Outcome {
    absolute(test)?;
    idle(test)
}

/// However often it is used, a family ends. The idle time is as long, so that no use can be too late for that.
fn absolute(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("refresh_absolute", ABSOLUTE).set("refresh_idle", ABSOLUTE))?;
    let person = app.person()?;
    let began = Instant::now();
    let mut device = app.device_of(&person)?;
    while began.elapsed() < Duration::from_secs(ABSOLUTE - 2) {
        thread::sleep(Duration::from_millis(600));
        device = refreshed(test, "before the family's end", &device)?;
    }
    let end = Duration::from_secs(ABSOLUTE + 2);
    thread::sleep(end.saturating_sub(began.elapsed()));
    let answer = device.refreshing()?;
    no_grant(test, "a family ends at its end, however lately it was used", &answer);
    let fresh = app.device_of(&person)?;
    refreshed(test, "of a new family", &fresh)?;
    Ok(())
}

/// Unused for so long, a token is void; used in time, its successors live on.
fn idle(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("refresh_idle", IDLE))?;
    let person = app.person()?;
    let mut used = app.device_of(&person)?;
    let unused = app.device_of(&person)?;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(IDLE + 2) {
        thread::sleep(Duration::from_millis(700));
        used = refreshed(test, "that is used in time", &used)?;
    }
    let answer = unused.refreshing()?;
    no_grant(test, "a token that was not used for the idle time is void", &answer);
    refreshed(test, "that was used in time", &used)?;
    Ok(())
}

fn refreshed(test: &mut Test<'_>, which: &str, device: &Device) -> Outcome<Device> {
    let answer = device.refreshing()?;
    test.works(&format!("a refresh token {which} works"), answer.succeeded(), &answer)?;
    Device::of(&device.app, &answer)
}

//! The list of devices that hold tokens.

use std::{collections::BTreeSet, sync::Arc};

use super::super::{
    acts::{Listed, device_id, devices},
    jwt::{ended, spared},
};
use crate::{
    client::Client,
    devices::{Device, bearing},
    http,
    lab::App,
    test::{Outcome, Test},
};

/// Users see all their devices and no others, under names that open nothing.
pub(super) fn list(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, first) = app.device()?;
    let own = [first, app.device_of(&person)?];
    let browser = app.signed_in(&person)?;
    let (_, stranger) = app.device()?;
    for device in &own {
        is_complete(test, device, own.len())?;
    }
    is_complete(test, &stranger, 1)?;
    let seen = browser.copy().get("DEVICES")?;
    let count = devices(&seen)?.len();
    test.refuses("a browser sees the same devices", count == own.len(), &seen);
    let names: BTreeSet<String> = own.iter().map(device_id).collect::<Outcome<_>>()?;
    test.refuses("each device has a name of its own", names.len() == own.len(), format!("{names:?}"));
    opens_nothing(test, &browser, &own)?;
    is_own(test, &app, &own, &stranger)
}

fn is_complete(test: &mut Test<'_>, device: &Device, count: usize) -> Outcome {
    let answer = device.ask("DEVICES")?;
    let listed = devices(&answer)?;
    test.refuses("the list has the account's devices and no others", listed.len() == count, &answer);
    let current = listed.iter().filter(|device| device.current).count();
    test.refuses("exactly one device is the one that asks", current == 1, &answer);
    Ok(())
}

/// Nothing in the list is a token.
fn opens_nothing(test: &mut Test<'_>, browser: &Client, own: &[Device]) -> Outcome {
    let app = &browser.app;
    let listed = devices(&browser.copy().get("DEVICES")?)?;
    let texts: BTreeSet<String> = listed.iter().flat_map(|Listed { entry, .. }| http::texts(entry)).collect();
    for token in own.iter().flat_map(|device| [&device.access, &device.refresh]) {
        let told = texts.iter().find(|text| text.contains(token.as_str()));
        test.refuses("the list does not hold a token", told.is_none(), format!("{told:?}"));
    }
    for text in texts.iter().filter(|text| text.is_ascii() && !text.contains([';', ' '])) {
        let answers = [
            app.client().send(&bearing(&app.role("API")?, text))?,
            app.refresh(text)?,
            app.client().with_session(Some(text)).me()?,
        ];
        for answer in &answers {
            test.refuses("nothing in the list opens anything", answer.denied(), answer);
        }
    }
    Ok(())
}

/// Nobody ends a device of somebody else, whose name they know.
fn is_own(test: &mut Test<'_>, app: &Arc<App>, own: &[Device], stranger: &Device) -> Outcome {
    let call = app.role("DEVICE_REVOKE")?.segment("id", &device_id(&own[1])?);
    let (_, browser) = app.member()?;
    let answers = [app.client().send(&stranger.bearing(&call))?, browser.copy().call(&call)?];
    for answer in &answers {
        test.refuses("another user's device cannot be ended", answer.denied(), answer);
    }
    spared(test, "a device that somebody else tried to end", &own[1])?;
    let answer = app.client().send(&own[1].bearing(&call))?;
    test.works("a device can end itself", answer.succeeded(), &answer)?;
    ended(test, "its own DEVICE_REVOKE", &own[1])?;
    spared(test, "the account's other device", &own[0])
}

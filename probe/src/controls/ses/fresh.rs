//! What an old login is not enough for.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::super::{
    acts::{Member, Way, went_through},
    oic::linking::{stale, to_link},
};
use crate::{
    client::Call,
    http::Answer,
    lab::{App, Setup},
    people::Person,
    test::{Outcome, Test},
};

const WINDOW: Duration = Duration::from_secs(3);
/// Beyond it: an application may keep time in whole seconds, of which the last one counts.
const SURELY: Duration = Duration::from_millis(1_200);

/// Roles that need the password entered lately, whatever the contract says of them.
const SENSITIVE: [&str; 3] = ["EMAIL_CHANGE", "REVOKE_ALL_OTHERS", "DELETE_ACCOUNT"];

/// Sensitive actions need the password within a window, which activity does not extend and only the right password opens.
pub(super) fn reauthentication(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("reauth", WINDOW.as_secs()))?;
    let roles = roles(&app);
    let mut cases = vec![];
    for way in Way::all(&app) {
        for role in &roles {
            let member = Member::new(&app)?;
            // No form downloads a file.
            if way == Way::Api || *role != "EXPORT" {
                cases.push((*role, way, member.act(role, way)?, member));
            }
        }
    }
    let begun = Instant::now();
    while begun.elapsed() < WINDOW + SURELY {
        thread::sleep(Duration::from_millis(500));
        for (.., member) in &cases {
            let answer = member.client.copy().me()?;
            test.works("a session is used while the window closes", answer.succeeded(), &answer)?;
        }
    }
    for (role, way, call, member) in &cases {
        too_late(test, role, *way, call, member)?;
    }
    for (role, way, call, member) in cases {
        wrong(test, role, way, &call, &member)?;
        right(test, role, way, &call, &member)?;
    }
    if to_link(&app).is_ok() { stale(test) } else { Ok(()) }
}

fn roles(app: &App) -> Vec<&'static str> {
    const MARKED: [&str; 2] = ["SESSION_REVOKE", "EXPORT"];
    let is_fresh = |role: &&&str| app.contract.roles.get(**role).is_some_and(|role| role.fresh);
    let marked = MARKED.iter().filter(is_fresh).copied();
    // Deleting comes last: then there is nothing left to look at.
    let [email, others, delete] = SENSITIVE;
    let email = Some(email).filter(|_| app.has_passwords());
    email.into_iter().chain(marked).chain([others, delete]).collect()
}

/// Whether it was refused for want of a fresh password; a page leads away instead, which says nothing.
fn is_refused(answer: &Answer, way: Way) -> bool {
    way == Way::Form || answer.denied() && answer.is_code("reauth_required")
}

fn too_late(test: &mut Test<'_>, role: &str, way: Way, call: &Call, member: &Member) -> Outcome {
    let what = format!("{role}{} needs the password entered lately", way.name());
    let answer = member.client.copy().call(call)?;
    test.refuses(&what, is_refused(&answer, way), &answer);
    let shift = member.shift()?;
    test.refuses(&format!("{what}: nothing changes"), shift.is_none(), shift.unwrap_or_default());
    Ok(())
}

/// A wrong password opens nothing.
fn wrong(test: &mut Test<'_>, role: &str, way: Way, call: &Call, member: &Member) -> Outcome {
    let mut client = member.client.elsewhere();
    let answer = client.prove(&Person { email: member.person.email.clone(), ..Person::new() })?;
    test.refuses("nobody else proves who it is", answer.denied(), &answer);
    let answer = client.call(call)?;
    let what = format!("{role}{} is not opened by a wrong password", way.name());
    test.refuses(&what, is_refused(&answer, way), &answer);
    let shift = member.shift()?;
    test.refuses(&format!("{what}: nothing changes"), shift.is_none(), shift.unwrap_or_default());
    Ok(())
}

fn right(test: &mut Test<'_>, role: &str, way: Way, call: &Call, member: &Member) -> Outcome {
    let app = member.client.app.clone();
    let mut client = member.client.elsewhere();
    let answer = client.prove(&member.person)?;
    let proven = if app.has_passwords() { went_through(&app, "REAUTH", &answer) } else { answer.sets_session() };
    test.works("who it is proves it", proven, &answer)?;
    let answer = client.call(call)?;
    test.works(&format!("{role}{} works after the right password", way.name()), answer.succeeded(), &answer)?;
    if role == "EMAIL_CHANGE" {
        let field = call.role().fields.get("email").map_or("email", String::as_str);
        let new = call.fields().get(field).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        app.token("EMAIL_CHANGE", &new, 1)?;
        let count = app.tokens("EMAIL_CHANGE", &new, 1, Duration::ZERO)?.len();
        test.refuses(
            "no link was mailed before the password was entered",
            count == 1,
            format!("{count} mails to {new}"),
        );
    }
    Ok(())
}

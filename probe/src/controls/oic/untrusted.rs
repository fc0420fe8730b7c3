//! Claims are what somebody else wrote: few are kept, none is trusted.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Trip, signs_in, turned_away};
use crate::{
    http::Answer,
    lab::App,
    people,
    provider::{Grant, Spoilt, Subject},
    random,
    test::{Outcome, Test},
};

/// What is kept of a text that somebody else wrote.
const LONGEST: usize = 256;

pub(super) fn claims(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    signs_in(test, &app, "with few claims", |_| Grant::new(&Subject::new()))?;
    privileges(test, &app)?;
    addresses(test, &app)?;
    texts(test, &app)
}

/// The answer, and what ME says after it.
fn tried(app: &Arc<App>, grant: Grant) -> Outcome<(Answer, Answer)> {
    let mut trip = Trip::with(app.client(), app.provider(0)?, |_| grant)?;
    Ok((trip.come_back()?, trip.client.me()?))
}

fn privileges(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (_, mut victim) = app.member()?;
    let id = victim.me()?.value("id").unwrap_or_default();
    let mark = random::letters(30);
    let grant = Grant::new(&Subject::new())
        .claim("id", id.as_str())
        .claim("user_id", id.as_str())
        .claim("uid", id.as_str())
        .claim("role", format!("admin-{mark}"))
        .claim("roles", json!([format!("admin-{mark}")]))
        .claim("groups", json!([format!("admin-{mark}")]))
        .claim("is_admin", true)
        .claim("password_hash", format!("$argon2id${mark}"))
        .claim("mfa_enabled", false)
        .claim("disabled_at", Value::Null)
        .claim("amr", json!([format!("mfa-{mark}")]));
    let (answer, me) = tried(app, grant)?;
    test.refuses("claims that nobody asked for break nothing", !answer.broke(), &answer);
    test.refuses("a claim does not name the account", me.value("id").as_deref() != Some(&id), &me);
    test.refuses("no claim that nobody asked for is shown", !me.text().contains(&mark), &me);
    let Ok(db) = app.database() else { return Ok(()) };
    let kept = db.dump()?.into_iter().find(|(.., value)| value.contains(&mark));
    let seen = kept.as_ref().map(|(table, column, value)| format!("{table}.{column}: {value}")).unwrap_or_default();
    test.refuses("no claim that nobody asked for is kept", kept.is_none(), seen);
    Ok(())
}

/// An address that is none leads to no account with it.
fn addresses(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (victim, _) = app.member()?;
    let own = people::email();
    for (what, value) in [
        ("two addresses", json!(format!("{own},{}", victim.email))),
        ("two addresses, apart by a space", json!(format!("{own} {}", victim.email))),
        ("a list", json!([own, victim.email])),
        ("an object", json!({ "0": own })),
        ("a number", json!(7)),
        ("no address", json!("nobody")),
        ("an address with a line break", json!(format!("{own}\r\nBcc: {}", victim.email))),
        ("an address with a character of no meaning", json!(format!("{own}\0"))),
        ("an address with a name", json!(format!("Somebody <{own}>"))),
        ("an address of 400 characters", json!(format!("{}@mail.test", random::letters(390)))),
        ("markup", json!(format!("<script>{own}"))),
    ] {
        let (answer, me) = tried(app, Grant::new(&Subject::of(&own)).claim("email", value.clone()))?;
        let known = me.value("email");
        let harmless =
            known.as_ref().is_none_or(|known| *known != victim.email && Some(known.as_str()) != value.as_str());
        let holds = (turned_away(&answer) || answer.succeeded()) && harmless;
        test.refuses(&format!("what a provider calls an address is none: {what}"), holds, &me);
        test.refuses(&format!("it breaks nothing: {what}"), !matches!(answer.status, 500), &answer);
    }
    Ok(())
}

/// Long and strange texts.
fn texts(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let mark = random::letters(24);
    let name = |value: String| Grant::new(&Subject::new()).claim("name", value);
    let lone = name(format!("{mark}-lone")).spoilt(Spoilt::Text(format!("{mark}-lone"), "\\ud800".to_owned()));
    for (what, grant) in [
        ("a script", name(format!("<script>alert('{mark}')</script>"))),
        ("1 MiB", name(format!("{mark}{}", "n".repeat(1 << 20)))),
        ("60 KiB", name(format!("{mark}{}", "n".repeat(60 << 10)))),
        ("a character of no meaning", name(format!("{mark}\0"))),
        ("half a character", lone),
        ("a picture that is a script", name(mark.clone()).claim("picture", format!("javascript:alert('{mark}')"))),
        ("nested deeply", Grant::new(&Subject::new()).claim("address", nested())),
    ] {
        let (answer, me) = tried(app, grant)?;
        let holds = turned_away(&answer) || answer.succeeded();
        test.refuses(&format!("a text of a provider breaks nothing: {what}"), holds, &answer);
        let shown = me.text().contains("<script") || me.text().contains("javascript:");
        test.refuses(&format!("a text of a provider is not shown as it is: {what}"), !shown, &me);
    }
    let Ok(db) = app.database() else { return Ok(()) };
    let long = db.dump()?.into_iter().find(|(.., value)| value.contains(&mark) && value.chars().count() > LONGEST);
    let seen = long.map(|(table, column, value)| format!("{table}.{column}: {} characters", value.len()));
    test.refuses("what is kept of a text is not long", seen.is_none(), seen.unwrap_or_default());
    Ok(())
}

fn nested() -> Value {
    (0..100).fold(json!({}), |inner, _| json!([inner]))
}

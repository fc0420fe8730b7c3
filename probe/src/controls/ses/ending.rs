//! How sessions are ended: by their user, with a credential, by the operator.

use std::sync::Arc;

use super::super::{
    acts::{Member, Way, everywhere, is_dead, own_id, went_through},
    jwt::{alive, ended, spared},
};
use crate::{
    client::Client,
    db::Row,
    devices::Device,
    lab::{App, Setup},
    people::Person,
    random,
    test::{Outcome, Test},
};

/// Logout kills the session on the server.
pub(super) fn logout(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, mut client) = app.member()?;
    let thief = client.copy();
    test.works("a copied session works before logout", thief.is_signed_in()?, person.email.as_str())?;
    let answer = client.logout()?;
    test.works("LOGOUT is answered with success", answer.succeeded(), &answer)?;
    let replay = thief.copy().me()?;
    test.refuses("a copied session is dead after logout", replay.denied(), &replay);
    let name = &app.contract.cookies.session;
    let cleared = answer.cookies().into_iter().find(|cookie| cookie.name() == name);
    let is_cleared = cleared.is_some_and(|cookie| {
        // Some libraries write an empty value as two quotes.
        cookie.value_trimmed().is_empty()
            && cookie.max_age().is_some_and(cookie::time::SignedDuration::is_zero)
            && cookie.path() == Some("/")
            && cookie.secure() == Some(true)
    });
    test.refuses("the session's cookie does not stay in the browser", is_cleared, &answer);
    let data = answer.header("clear-site-data").unwrap_or_default();
    test.refuses(
        "stored data does not stay in the browser",
        data.contains("\"cookies\"") && data.contains("\"storage\""),
        &answer,
    );
    let again = thief.copy().logout()?;
    test.refuses("a second LOGOUT does not break", !again.broke(), &again);
    Ok(())
}

/// A user ends one session, or all others, and the very next request of those fails, at each process.
pub(super) fn revocation(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let person = app.person()?;
    let clients = (0..4).map(|_| app.signed_in(&person)).collect::<Outcome<Vec<_>>>()?;
    let [own, second, third, fourth] = clients.as_slice() else { return Ok(()) };
    for client in clients.iter().flat_map(everywhere) {
        test.works("each session works at each process", client.is_signed_in()?, person.email.as_str())?;
    }
    let call = app.role("SESSION_REVOKE")?.segment("id", &own_id(second)?);
    let answer = own.copy().call(&call)?;
    stays_dead(test, "a session that was ended is dead", second)?;
    test.works("SESSION_REVOKE takes the name of a session", answer.succeeded(), &answer)?;
    test.works("the other sessions live on", third.is_signed_in()? && fourth.is_signed_in()?, &answer)?;
    let answer = own.copy().get("REVOKE_ALL_OTHERS")?;
    for client in [third, fourth] {
        stays_dead(test, "all other sessions are dead when they were ended", client)?;
    }
    test.works("REVOKE_ALL_OTHERS is answered with success", answer.succeeded(), &answer)?;
    test.works("the session that ended the others lives on", own.is_signed_in()?, &answer)
}

fn stays_dead(test: &mut Test<'_>, what: &str, client: &Client) -> Outcome {
    (0..10).try_for_each(|_| is_dead(test, what, client))
}

/// What changes the way into an account ends the other sessions and the links that wait.
pub(super) fn credential_change(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (stranger, bystander) = app.member()?;
    for role in ["PWCHANGE", "EMAIL_CONFIRM"] {
        let member = Member::new(&app)?;
        let third = app.signed_in(&member.person)?;
        let link = reset_link(test, &member.person)?;
        let device = device_of(test, &member.person)?;
        let call = member.act(role, Way::Api)?;
        let works = member.other.is_signed_in()? && third.is_signed_in()?;
        test.works("all sessions work before", works, member.person.email.as_str())?;
        let answer = member.client.copy().call(&call)?;
        test.works(&format!("{role} is not refused"), went_through(&app, role, &answer), &answer)?;
        is_dead(test, &format!("another session is dead after {role}"), &member.other)?;
        is_dead(test, &format!("a third session is dead after {role}"), &third)?;
        is_dead(test, &format!("the identifier from before {role} is dead"), &member.client)?;
        device_ended(test, role, device.as_ref())?;
        let late = app.client().reset(&link, &random::password())?;
        test.refuses(&format!("a reset link from before {role} is void"), late.denied(), &late);
    }
    by_reset(test, &app)?;
    test.works("another user's session lives on", bystander.is_signed_in()?, stranger.email.as_str())
}

fn by_reset(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let member = Member::new(app)?;
    let pending = member.act("EMAIL_CONFIRM", Way::Api)?;
    let link = reset_link(test, &member.person)?;
    let device = device_of(test, &member.person)?;
    let works = member.client.is_signed_in()? && member.other.is_signed_in()?;
    test.works("all sessions work before", works, member.person.email.as_str())?;
    let new = random::password();
    let answer = app.client().reset(&link, &new)?;
    test.works("RESET takes the mailed token", answer.succeeded(), &answer)?;
    is_dead(test, "a session is dead after RESET", &member.client)?;
    is_dead(test, "another session is dead after RESET", &member.other)?;
    device_ended(test, "RESET", device.as_ref())?;
    let mut client = app.signed_in(&Person { password: new, ..member.person })?;
    let late = client.call(&pending)?;
    test.refuses("a link to change the address from before RESET is void", late.denied(), &late);
    Ok(())
}

/// A device of the account, where there are such.
fn device_of(test: &mut Test<'_>, person: &Person) -> Outcome<Option<Device>> {
    if !test.has("tokens") {
        return Ok(None);
    }
    let device = test.app()?.device_of(person)?;
    alive(test, "a device", &device)?;
    Ok(Some(device))
}

fn device_ended(test: &mut Test<'_>, what: &str, device: Option<&Device>) -> Outcome {
    device.map_or(Ok(()), |device| ended(test, what, device))
}

/// A reset link, where there are such.
fn waiting_link(test: &mut Test<'_>, person: &Person) -> Outcome<Option<String>> {
    if test.app()?.has_passwords() { reset_link(test, person).map(Some) } else { Ok(None) }
}

/// A reset link that works, as its page says where there is one.
fn reset_link(test: &mut Test<'_>, person: &Person) -> Outcome<String> {
    let app = test.app()?;
    let answer = app.client().forgot(&person.email)?;
    test.works("FORGOT takes an address", answer.succeeded(), &answer)?;
    let token = app.token("FORGOT", &person.email, 1)?;
    if app.contract.roles.contains_key("RESET_PAGE") {
        let page = app.client().call(&app.role("RESET_PAGE")?.query("token", &token))?;
        test.works("a reset link works before", page.succeeded(), &page)?;
    }
    Ok(token)
}

/// An account that was disabled or deleted has no session, no link and no way in.
pub(super) fn lost_account(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (stranger, bystander) = app.member()?;
    deleted(test, &app)?;
    test.works("another user's session lives on", bystander.is_signed_in()?, stranger.email.as_str())?;
    test.needs_start()?;
    let member = Member::new(&app)?;
    let link = waiting_link(test, &member.person)?;
    let device = device_of(test, &member.person)?;
    let (succeeded, output) = test.lab.operator(&app, "disable", &member.person.email)?;
    test.works("the operator's command to disable a user succeeds", succeeded, output)?;
    device_ended(test, "the operator disabled its account", device.as_ref())?;
    has_no_way_in(test, "disabled", &member, link.as_deref())?;
    test.works("another user's session lives on", bystander.is_signed_in()?, stranger.email.as_str())
}

fn has_no_way_in(test: &mut Test<'_>, what: &str, member: &Member, link: Option<&str>) -> Outcome {
    let app = member.client.app.clone();
    is_dead(test, &format!("a session of a {what} account is dead"), &member.client)?;
    is_dead(test, &format!("another session of a {what} account is dead"), &member.other)?;
    let mut client = app.client();
    let login = client.enter(&member.person)?;
    let same = client.me()?.value("id").is_some_and(|id| member.id.as_ref() == Some(&id));
    // Who was deleted may come by a provider as somebody new.
    let holds = if app.has_passwords() { login.denied() } else { !same };
    test.refuses(&format!("a {what} account does not sign in"), holds, &login);
    let Some(link) = link else { return Ok(()) };
    let reset = app.client().reset(link, &random::password())?;
    test.refuses(&format!("a {what} account takes no reset link"), reset.denied(), &reset);
    Ok(())
}

fn deleted(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let member = Member::new(app)?;
    let link = waiting_link(test, &member.person)?;
    let device = device_of(test, &member.person)?;
    let user = app.database().and_then(|db| Ok(db.one("users", "email", &member.person.email, "id")?));
    let before = user.as_ref().map_or(Ok(vec![]), |user| references(app, user.as_deref().unwrap_or_default()))?;
    let answer = member.client.copy().get("DELETE_ACCOUNT")?;
    test.works("DELETE_ACCOUNT is answered with success", answer.succeeded(), &answer)?;
    has_no_way_in(test, "deleted", &member, link.as_deref())?;
    device_ended(test, "its account was deleted", device.as_ref())?;
    // Only now what needs the database: without it, the rest was seen all the same.
    let user = user?.unwrap_or_default();
    let sessions = app.database()?.table("sessions")?;
    let real = before.iter().any(|(table, _)| is_named(table, &sessions));
    test.works("the account's rows are seen before", real, format!("{before:?}"))?;
    let left = references(app, &user)?;
    test.refuses("no row of a deleted account is left but the audit trail", left.is_empty(), format!("{left:?}"));
    let mut values = app.database()?.dump()?.into_iter();
    // Who came by a provider again is somebody new with the same address.
    let addressed = values.find(|(_, _, value)| *value == member.person.email).filter(|_| app.has_passwords());
    test.refuses("the address of a deleted account is gone", addressed.is_none(), format!("{addressed:?}"));
    Ok(())
}

/// The rows, but for the audit trail's, that name the user.
fn references(app: &App, user: &str) -> Outcome<Vec<(String, Row)>> {
    let db = app.database()?;
    let audit = db.table("audit").unwrap_or_default();
    let mut found = vec![];
    for table in db.tables()?.into_iter().filter(|table| !is_named(table, &audit)) {
        let rows = db.rows(&format!("SELECT * FROM {table}"))?;
        let rows = rows.into_iter().filter(|row| row.values().flatten().any(|value| value == user));
        found.extend(rows.map(|row| (table.clone(), row)));
    }
    Ok(found)
}

/// Whether the database's way to write a table means the one of that name.
fn is_named(table: &str, name: &str) -> bool {
    table.rsplit('.').next().is_some_and(|table| table.trim_matches('"') == name)
}

/// The operator ends the sessions of one user, or of all.
pub(super) fn operator(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let member = Member::new(&app)?;
    let (bystander, other) = app.member()?;
    for client in [&member.client, &member.other, &other] {
        test.works("the sessions work before", client.is_signed_in()?, bystander.email.as_str())?;
    }
    let devices =
        if test.has("tokens") { vec![app.device_of(&member.person)?, app.device_of(&bystander)?] } else { vec![] };
    let (succeeded, output) = test.lab.operator(&app, "revoke", &member.person.email)?;
    test.works("the command for one user succeeds", succeeded, output.as_str())?;
    device_ended(test, "the operator revoked its user's", devices.first())?;
    if let Some(other) = devices.get(1) {
        spared(test, "another user's device", other)?;
    }
    is_dead(test, "a session of that user is dead", &member.client)?;
    is_dead(test, "another session of that user is dead", &member.other)?;
    test.works("another user's session lives on", other.is_signed_in()?, output)?;
    let again = app.signed_in(&member.person)?;
    let (succeeded, output) = test.lab.operator(&app, "revoke_all", "")?;
    test.works("the command for all users succeeds", succeeded, output)?;
    is_dead(test, "everybody's sessions are dead", &other)?;
    is_dead(test, "everybody's sessions are dead, new ones too", &again)?;
    device_ended(test, "the operator revoked everybody's", devices.get(1))?;
    for person in [&member.person, &bystander] {
        app.signed_in(person)?;
    }
    Ok(())
}

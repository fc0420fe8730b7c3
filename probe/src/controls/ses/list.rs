//! The list of sessions, and how many there can be.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    super::acts::{Listed, is_dead, own_id, sessions},
    devices,
};
use crate::{
    client::Client,
    http,
    lab::{App, Setup},
    parallel::at_once,
    people::Person,
    test::{Outcome, Test},
};

const CAP: usize = 3;
const ROUNDS: usize = 3;
const LOGINS: usize = 20;

/// Users see all their sessions and no others, under names that open nothing, and can have only so many.
pub(super) fn list(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let person = app.person()?;
    let clients = (0..3).map(|_| app.signed_in(&person)).collect::<Outcome<Vec<_>>>()?;
    let (_, stranger) = app.member()?;
    for client in &clients {
        is_complete(test, client, clients.len())?;
    }
    is_complete(test, &stranger, 1)?;
    let names: BTreeSet<String> = clients.iter().map(own_id).collect::<Outcome<_>>()?;
    test.refuses("each session has a name of its own", names.len() == clients.len(), format!("{names:?}"));
    opens_nothing(test, &clients)?;
    is_own(test, &clients, &stranger)?;
    if test.has("tokens") {
        devices::list(test)?;
    }
    cap(test)
}

fn is_complete(test: &mut Test<'_>, client: &Client, count: usize) -> Outcome {
    let listed = sessions(client)?;
    let shown = format!("{:?}", listed.iter().map(|session| &session.entry).collect::<Vec<_>>());
    test.refuses("the list has the user's sessions and no others", listed.len() == count, shown.as_str());
    let current = listed.iter().filter(|session| session.current).count();
    test.refuses("exactly one session is the current one", current == 1, shown);
    Ok(())
}

/// Nothing in the list is an identifier of a session.
fn opens_nothing(test: &mut Test<'_>, clients: &[Client]) -> Outcome {
    let listed = sessions(&clients[0])?;
    let texts: BTreeSet<String> = listed.iter().flat_map(|Listed { entry, .. }| http::texts(entry)).collect();
    for token in clients.iter().filter_map(Client::session) {
        let told = texts.iter().find(|text| text.contains(&token));
        test.refuses("the list does not hold an identifier", told.is_none(), format!("{told:?}"));
    }
    for text in texts.iter().filter(|text| text.is_ascii() && !text.contains([';', ' '])) {
        let answer = clients[0].elsewhere().with_session(Some(text)).me()?;
        test.refuses("nothing in the list opens a session", answer.denied(), &answer);
    }
    Ok(())
}

/// Nobody ends a session of somebody else, whose name they know.
fn is_own(test: &mut Test<'_>, clients: &[Client], stranger: &Client) -> Outcome {
    let app = stranger.app.clone();
    let call = app.role("SESSION_REVOKE")?.segment("id", &own_id(&clients[1])?);
    let answer = stranger.copy().call(&call)?;
    test.refuses("another user's session cannot be ended", answer.denied(), &answer);
    let alive = clients[1].is_signed_in()?;
    test.refuses("another user's session lives on when somebody tried", alive, &answer);
    if alive {
        let answer = clients[0].copy().call(&call)?;
        test.works("its own user can end it", answer.succeeded(), &answer)?;
        is_dead(test, "a session that its user ended is dead", &clients[1])?;
    }
    Ok(())
}

/// Beyond the maximum the oldest session gives way, also when many log in at once.
fn cap(test: &mut Test<'_>) -> Outcome {
    let setup = Setup::default().set("sessions", CAP);
    let has_passwords = test.app()?.has_passwords();
    let app =
        test.boot(&if has_passwords { setup.set("login_failures", 10).set("login_backoff", 1) } else { setup })?;
    let person = app.person()?;
    let clients = (0..=CAP).map(|_| app.signed_in(&person)).collect::<Outcome<Vec<_>>>()?;
    is_dead(test, "the oldest session beyond the maximum is dead", &clients[0])?;
    for client in &clients[1..] {
        let answer = client.copy().me()?;
        test.works("as many sessions as allowed live on", answer.succeeded(), &answer)?;
    }
    let event = app.contract.log.as_ref().and_then(|log| log.events.get("session_evicted"));
    if let Some(event) = event {
        let log = app.log()?;
        test.refuses("that a session gave way is in the log", log.contains(event), event.as_str());
    }
    for _ in 0..ROUNDS {
        let person = app.person()?;
        at_one_moment(test, &app, &person)?;
    }
    Ok(())
}

fn at_one_moment(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let requests = (0..LOGINS).map(|_| app.client().about_to_enter(person));
    let answers = at_once(requests.collect::<Outcome<Vec<_>>>()?);
    let tokens: Vec<String> = answers.iter().flatten().filter_map(http::Answer::session).collect();
    test.works("logins at one moment succeed", tokens.len() > CAP, format!("{} of {LOGINS}", tokens.len()))?;
    let mut live = 0;
    for token in &tokens {
        live += usize::from(app.client().with_session(Some(token)).is_signed_in()?);
    }
    let seen = format!("{live} of {} sessions live", tokens.len());
    test.refuses("logins at one moment leave no more sessions than allowed", live <= CAP, seen);
    Ok(())
}

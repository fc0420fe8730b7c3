//! Ways back at one moment: one visit is one session, and somebody new is one account.

use std::{collections::BTreeSet, sync::Arc};

use super::{super::rac::raced, Trip};
use crate::{
    http::Answer,
    lab::App,
    people,
    provider::{Grant, Provider, Subject},
    test::{Outcome, Stop, Test},
};

/// Requests of a round.
const CROWD: usize = 15;
const ROUNDS: usize = 10;

pub(super) fn one_winner(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    app.federated(0, &Subject::new())?;
    for round in 0..ROUNDS {
        one_session(test, &app, provider)?;
        one_account(test, &app, provider, round % 2 == 0)?;
    }
    Ok(())
}

fn shown(answers: &[Answer]) -> String {
    answers.iter().map(Answer::exchange).collect::<Vec<_>>().join("\n===\n")
}

/// The same way back many times at once.
fn one_session(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider) -> Outcome {
    let trip = Trip::new(app, provider)?;
    let back = trip.visit.back(&trip.code).request(app)?;
    let answers = raced(test, (0..CROWD).map(|_| (trip.client.copy(), back.clone())).collect());
    let sessions = answers.iter().filter(|answer| answer.sets_session()).count();
    test.refuses("of one way back many times at once one signs in", sessions == 1, shown(&answers));
    let hits = provider.redeemed(&trip.code);
    test.refuses("its code is redeemed once", hits.len() == 1, &hits);
    Ok(())
}

/// Somebody whom nobody knows yet, from many browsers at once, each time with the same address or with another.
fn one_account(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider, same: bool) -> Outcome {
    let subject = Subject::new();
    let trips = (0..CROWD).map(|_| {
        let email = if same { subject.email.clone() } else { people::email() };
        let somebody = Subject { email, ..subject.clone() };
        Trip::with(app.client(), provider, |_| Grant::new(&somebody))
    });
    let trips = trips.collect::<Outcome<Vec<Trip>>>()?;
    let requests = trips.iter().map(|trip| Ok((trip.client.copy(), trip.visit.back(&trip.code).request(app)?)));
    let answers = raced(test, requests.collect::<Outcome<Vec<_>>>()?);
    let mut accounts = BTreeSet::new();
    for (trip, answer) in trips.iter().zip(&answers) {
        if let Some(session) = answer.session() {
            let me = trip.client.with_session(Some(&session)).me()?;
            let id = me.value("id");
            accounts.insert(id.ok_or_else(|| Stop::Positive("a new session is somebody's".to_owned(), me.exchange()))?);
        }
    }
    test.refuses("somebody new from many browsers at once is one account", accounts.len() == 1, shown(&answers));
    let Ok(db) = app.database() else { return Ok(()) };
    let identities = db.find("identities", "subject", &subject.sub)?;
    test.refuses("and one identity", identities.len() == 1, format!("{} identities", identities.len()));
    Ok(())
}

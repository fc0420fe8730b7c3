//! Many uses of one refresh token at the same moment have one winner.

use std::sync::Arc;

use super::{super::rac::raced, storage::stored};
use crate::{
    client::Client,
    db::Row,
    devices::Device,
    http::{Answer, Request},
    lab::App,
    people::Person,
    test::{Outcome, Stop, Test},
};

const ROUNDS: usize = 20;
/// Uses at a moment: more where processes share a database server.
const CROWD: usize = 25;
const LARGE_CROWD: usize = 50;

pub(super) fn one_successor(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let crowd = if app.instances() > 1 { LARGE_CROWD } else { CROWD };
    let person = app.person()?;
    for _ in 0..ROUNDS {
        round(test, &app, &person, crowd)?;
    }
    Ok(())
}

fn round(test: &mut Test<'_>, app: &Arc<App>, person: &Person, crowd: usize) -> Outcome {
    let device = app.device_of(person)?;
    let request = app.role("TOKEN_REFRESH")?.field("refresh_token", device.refresh.as_str()).request();
    // At each process in turn, so that no round is one process's alone.
    let user = |at: usize| (Client { instance: Some(at), ..app.client() }, request.clone());
    let requests: Vec<(Client, Request)> = (0..crowd).map(user).collect();
    let answers = raced(test, requests);
    let winners: Vec<&Answer> = answers.iter().filter(|answer| answer.succeeded()).collect();
    let Some(winner) = winners.first() else {
        let seen = answers.first().map(Answer::exchange).unwrap_or_default();
        return Err(Stop::Positive("TOKEN_REFRESH takes a token that was not used".to_owned(), seen));
    };
    let seen = format!("{} of {crowd} succeeded; one of them:\n{}", winners.len(), winner.exchange());
    test.refuses("a refresh token works once, of many uses at one moment", winners.len() == 1, seen);
    let is_clean = |answer: &Answer| answer.denied() && answer.is_code("invalid_grant");
    let other = answers.iter().find(|answer| !answer.succeeded() && !is_clean(answer));
    let seen = other.map(Answer::exchange).unwrap_or_default();
    test.refuses("each other use is refused as no grant", other.is_none(), seen);
    one_leaf(test, app, &device, &winners)
}

/// Of all that came from the family, at most one token still works, and the database has no other.
fn one_leaf(test: &mut Test<'_>, app: &Arc<App>, device: &Device, winners: &[&Answer]) -> Outcome {
    let live = live_leaves(app, device)?;
    test.refuses("the family has one live refresh token at most", live <= 1, format!("{live} rows are live"));
    let mut working = 0;
    for answer in winners {
        working += usize::from(Device::of(app, answer)?.refreshing()?.succeeded());
    }
    test.refuses("no two of the successors work", working <= 1, format!("{working} successors work"));
    Ok(())
}

/// Rows of the device's family that could be used: not used, in a family that was not ended.
fn live_leaves(app: &Arc<App>, device: &Device) -> Outcome<usize> {
    let db = app.database()?;
    let value = |row: &Row, column: &str| row.get(column).cloned().flatten();
    let (family, used) = (db.column("refresh_tokens", "family")?, db.column("refresh_tokens", "used")?);
    let (key, revoked) = (db.column("families", "key")?, db.column("families", "revoked")?);
    let Some(own) = stored(app, &device.refresh)?.and_then(|row| value(&row, &family)) else {
        return Err(Stop::Positive("a refresh token has a row".to_owned(), "no row has a digest of it".to_owned()));
    };
    let families = db.rows(&format!("SELECT * FROM {}", db.table("families")?))?;
    let lives = |row: &Row| value(row, &key).as_ref() == Some(&own) && value(row, &revoked).is_none();
    if !families.iter().any(lives) {
        return Ok(0);
    }
    let tokens = db.rows(&format!("SELECT * FROM {}", db.table("refresh_tokens")?))?;
    let live = |row: &&Row| value(row, &family).as_ref() == Some(&own) && value(row, &used).is_none();
    Ok(tokens.iter().filter(live).count())
}

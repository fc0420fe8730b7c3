//! Login throttling.

mod account;
mod endpoints;
mod fairness;
mod race;
mod source;
mod spelling;

use std::{thread, time::Duration};

use super::{Attack, attack};
use crate::{
    client::Client,
    http::Answer,
    random,
    test::{Outcome, Stop},
};

pub(super) const ATTACKS: &[Attack] = &[
    attack("THR-01", account::account_waits),
    attack("THR-02", source::spraying),
    attack("THR-03", source::forwarded_for),
    attack("THR-04", source::canonical_source),
    attack("THR-05", spelling::one_account),
    attack("THR-06", race::parallel_guesses).alone(),
    attack("THR-07", fairness::no_oracle_no_lockout),
    attack("THR-08", endpoints::every_endpoint),
    attack("THR-09", account::hard_cap),
];

/// A login with a password that is nobody's.
fn guess(client: &mut Client, email: &str) -> Outcome<Answer> {
    client.login(email, &random::password())
}

/// Whether the password was looked at, and was wrong.
fn is_evaluated(answer: &Answer) -> bool {
    answer.denied() && !answer.throttled()
}

/// The seconds that a refusal asks to wait.
fn retry_after(answer: &Answer) -> Option<u64> {
    answer.header("retry-after")?.trim().parse().ok()
}

/// Waits as long as was asked for, but never for long.
fn wait(seconds: u64) {
    // A second counts from its beginning, wherever in it the answer came.
    thread::sleep(Duration::from_secs(seconds.min(8)) + Duration::from_millis(150));
}

/// Attempts until the first 429, and the answer at which they ended.
struct Attempts {
    /// Which attempt was throttled, from 1.
    tripped: Option<usize>,
    last: Answer,
}

fn attempts(limit: usize, mut attempt: impl FnMut(usize) -> Outcome<Answer>) -> Outcome<Attempts> {
    let mut last = None;
    for number in 1..=limit {
        let answer = attempt(number)?;
        if answer.throttled() {
            return Ok(Attempts { tripped: Some(number), last: answer });
        }
        last = Some(answer);
    }
    let last = last.ok_or_else(|| Stop::Broken("no attempt was made".to_owned()))?;
    Ok(Attempts { tripped: None, last })
}

impl Attempts {
    fn seen(&self) -> String {
        let when = self.tripped.map_or("never".to_owned(), |number| format!("at attempt {number}"));
        format!("throttled {when}; the last attempt:\n{}", self.last.exchange())
    }
}

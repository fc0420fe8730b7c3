//! Secrets and settings: what starts, with what, and what holds when something that is needed fails.

mod outages;
mod routes;
mod secrets;
mod starts;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use super::{Attack, attack};
use crate::{
    client::Client,
    lab::{App, Setup, Started},
    test::{Outcome, Stop, Test},
};

pub(super) const ATTACKS: &[Attack] = &[
    attack("CFG-01", starts::nothing_is_made_up),
    attack("CFG-02", secrets::weak_secrets),
    attack("CFG-03", starts::production_is_guarded),
    attack("CFG-04", starts::numbers_have_bounds),
    attack("CFG-05", secrets::made_for_each_environment),
    attack("CFG-06", secrets::keys_are_apart),
    attack("CFG-07", outages::nothing_is_granted),
    attack("CFG-08", routes::nothing_else_answers),
];

/// Starts that are tried at a time.
const AT_ONCE: usize = 4;
/// How long an application that was told something wrong may take to end.
const END: Duration = Duration::from_secs(20);

/// How a start went.
pub(super) struct Try {
    /// It answers requests.
    pub(super) serves: bool,
    /// It ended by itself, and not as if all were well.
    pub(super) refused: bool,
    pub(super) output: String,
}

impl Try {
    pub(super) fn shown(&self, what: &str) -> String {
        let how = match (self.serves, self.refused) {
            (true, _) => "it started and answers requests",
            (false, true) => "it ended",
            (false, false) => "it neither answers requests nor ended with an error",
        };
        format!("started with {what}: {how}; it said:\n{}", self.output)
    }
}

/// Starts the application. One that binds its port before it reads its settings does not count as started until it answers.
pub(super) fn attempt(test: &Test<'_>, setup: &Setup) -> Outcome<Try> {
    let setup = Setup { instances: Some(1), ..setup.clone() };
    let app = match test.lab.start(&setup)? {
        Started::Ended { code, output, .. } => return Ok(Try { serves: false, refused: code != Some(0), output }),
        Started::Silent { output } => return Ok(Try { serves: false, refused: false, output }),
        Started::Up(app) => Arc::new(*app),
    };
    let serves = ask(&app)?;
    let end = if serves { None } else { app.wait_for_end(END) };
    let output = if serves && setup.development { app.said_once(is_development)? } else { app.said()? };
    Ok(Try { serves, refused: end.is_some_and(|end| end.code != Some(0)), output })
}

/// Whether what it said names development.
pub(super) fn is_development(said: &str) -> bool {
    said.to_lowercase().contains("development")
}

/// Whether it answers a request.
fn ask(app: &Arc<App>) -> Outcome<bool> {
    let mut client: Client = app.client();
    let request = app.role("ME")?.request();
    Ok(client.try_send(&request).is_ok())
}

/// Tries all of these starts, some at a time, and gives how they went in the same order.
pub(super) fn attempts(test: &Test<'_>, setups: &[Setup]) -> Outcome<Vec<Try>> {
    let queue = Mutex::new(setups.iter().enumerate().collect::<VecDeque<_>>());
    let done = Mutex::new(vec![]);
    let work = || loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some((at, setup)) = next else { return };
        let tried = attempt(test, setup);
        done.lock().unwrap_or_else(PoisonError::into_inner).push((at, tried));
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| _ = scope.spawn(work)));
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, tried)| tried).collect()
}

/// What all tries here start from: the shared database, so that none is made for what must not start.
pub(super) fn usual(test: &Test<'_>) -> Outcome<Setup> {
    test.needs_start()?;
    let app = test.app()?;
    let database = app.contract.db.as_ref().map(|_| Ok::<_, Stop>(app.database()?.place().clone())).transpose()?;
    Ok(Setup { database, ..Setup::default() })
}

/// The application's variable of a setting.
pub(super) fn variable(test: &Test<'_>, setting: &str) -> Outcome<String> {
    let variable = test.lab.start_table()?.environment.get(setting).cloned();
    variable.ok_or_else(|| Stop::Missing(format!("the contract has no `{setting}` in `[start.environment]`")))
}

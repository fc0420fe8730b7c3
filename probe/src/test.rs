//! One attack as it runs: what it may use, what it asserts, and why it stops.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    contract,
    http::{Answer, Broken},
    lab::{App, Lab, Setup},
};

pub type Outcome<T = ()> = Result<T, Stop>;

/// Why a test goes no further.
#[derive(Debug)]
pub enum Stop {
    /// What must work does not: the assertion and what was seen.
    Positive(String, String),
    /// The contract lacks what the control needs.
    Missing(String),
    /// There is no answer, no database, no start: with the reason.
    Broken(String),
    /// What the attack looks at cannot be had here: a channel, a program of this machine.
    NotRun(String),
    /// There is nothing to attack, such as pages in an API.
    NotApplicable(String),
    /// The protection is not there, and the contract or the pack's audit says what stands in.
    Deviation(String),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken.to_string())
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        let text = format!("{error:#}");
        if error.is::<contract::Missing>() { Self::Missing(text) } else { Self::Broken(text) }
    }
}

/// What an assertion saw.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    pub kind: Kind,
    /// The assertion, as it should hold.
    pub what: String,
    /// Request and answer, or what was found instead.
    pub seen: String,
}

#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The right thing works.
    Positive,
    /// The wrong thing does not.
    Negative,
}

/// What can be shown as evidence.
pub trait Seen {
    fn seen(&self) -> String;
}

impl Seen for Answer {
    fn seen(&self) -> String {
        self.exchange()
    }
}

impl Seen for str {
    fn seen(&self) -> String {
        self.to_owned()
    }
}

impl Seen for String {
    fn seen(&self) -> String {
        self.clone()
    }
}

impl<T: Seen + ?Sized> Seen for &T {
    fn seen(&self) -> String {
        (**self).seen()
    }
}

/// What a test has at hand.
pub struct Test<'a> {
    pub lab: &'a Lab,
    pub(crate) checks: usize,
    pub(crate) evidence: Vec<Evidence>,
}

/// Failed assertions that are kept of one control; a few show what is wrong.
const KEPT: usize = 8;
/// Characters of what one of them saw.
const SHOWN: usize = 6000;

fn shown(seen: &impl Seen) -> String {
    let seen = seen.seen();
    match seen.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} … ({} bytes in all)", &seen[..end], seen.len()),
        None => seen,
    }
}

impl<'a> Test<'a> {
    pub fn new(lab: &'a Lab) -> Self {
        Self { lab, checks: 0, evidence: vec![] }
    }

    /// The application with shipped defaults behind its proxy. It is shared: use accounts and addresses of your own, and
    /// change nothing that others see.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn app(&self) -> Outcome<Arc<App>> {
        let app = self.lab.app()?;
        match app.death() {
            Some(why) => Err(Stop::Broken(why)),
            None => Ok(app),
        }
    }

    /// An application of this test alone.
    ///
    /// # Errors
    /// When it does not come up, or the probe cannot start one.
    pub fn boot(&self, setup: &Setup) -> Outcome<Arc<App>> {
        self.needs_start()?;
        Ok(Arc::new(self.lab.boot(setup)?))
    }

    /// Whether the application has this module.
    pub fn has(&self, module: &str) -> bool {
        self.lab.modules.iter().any(|name| name == module)
    }

    /// # Errors
    /// `NotRun` when the application is not started by the probe.
    pub fn needs_start(&self) -> Outcome {
        if self.lab.starts() {
            return Ok(());
        }
        Err(Stop::NotRun("the application runs elsewhere; this attack starts it with settings of its own".to_owned()))
    }

    /// Positive: the right thing works. Where it does not, what follows would show nothing, so the test ends.
    ///
    /// # Errors
    /// When it does not hold.
    pub fn works(&mut self, what: &str, holds: bool, seen: impl Seen) -> Outcome {
        self.checks += 1;
        if holds { Ok(()) } else { Err(Stop::Positive(what.to_owned(), shown(&seen))) }
    }

    /// Negative: the wrong thing does not work. The test goes on, so that one run shows all that is wrong.
    pub fn refuses(&mut self, what: &str, holds: bool, seen: impl Seen) {
        self.checks += 1;
        if !holds && self.evidence.len() < KEPT {
            self.evidence.push(Evidence { kind: Kind::Negative, what: what.to_owned(), seen: shown(&seen) });
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::{SHOWN, Stop, shown};
    use crate::contract::Missing;

    #[test]
    fn what_the_contract_lacks_is_told_from_what_broke() {
        let missing: anyhow::Result<()> = Err(Missing("has no `[db]`".to_owned()).into());
        let stop = Stop::from(missing.context("accounts cannot be counted").unwrap_err());
        assert!(matches!(&stop, Stop::Missing(why) if why.ends_with("the contract has no `[db]`")), "{stop:?}");
        assert!(matches!(Stop::from(anyhow::anyhow!("the contract was no matter")), Stop::Broken(_)));
    }

    #[test]
    fn what_is_shown_has_an_end() {
        let long = "é".repeat(SHOWN + 1);
        assert!(shown(&long.as_str()).ends_with(&format!("… ({} bytes in all)", long.len())));
        assert_eq!(shown(&"short"), "short");
    }
}

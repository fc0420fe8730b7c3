//! A run: the smoke story first, then the attacks, several at a time, those that need the machine to themselves last.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    catalogue::{self, Control},
    contract::{Contract, CsrfSource},
    controls,
    lab::Lab,
    report::{Finding, Report, Verdict},
    test::{Evidence, Kind, Outcome, Stop, Test},
};

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Control ids; empty is all that apply.
    pub only: Vec<String>,
    pub workers: usize,
    /// Times that each attack is made; it passes if all of them do.
    pub repeat: usize,
    /// No attack begins later than this after the start of the run.
    pub limit: Duration,
    /// Without the smoke story, each attack finds out by itself that nothing works.
    pub smoke: bool,
    /// Control to the reason why the application departs from it.
    pub deviations: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { only: vec![], workers: 4, repeat: 1, limit: Duration::from_hours(1), smoke: true, deviations: vec![] }
    }
}

/// Makes the attacks and tells of each as it is done.
///
/// # Errors
/// When the application does not come up, or an id is none of the catalogue's.
pub fn run(lab: &Lab, options: &Options, target: &str, tell: &(dyn Fn(&Finding) + Sync)) -> Result<Report> {
    let chosen = chosen(lab, options)?;
    lab.app()?;
    let hindrance = if options.smoke { smoke(lab).err().map(|stop| hindrance(lab, stop)) } else { None };
    let run = Run { lab, options, hindrance, started: Instant::now(), broken: Mutex::new(0), tell };
    let (alone, together): (Vec<_>, Vec<_>) = chosen
        .into_iter()
        .enumerate()
        .partition(|(_, control)| controls::find(&control.id).is_some_and(|attack| attack.alone));
    let mut found = run.all(together, options.workers.max(1));
    found.extend(run.all(alone, 1));
    found.sort_by_key(|(at, _)| *at);
    let findings: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
    let findings = run.settled(&findings);
    Ok(Report { target: target.to_owned(), modules: lab.modules.clone(), controls: findings })
}

fn chosen(lab: &Lab, options: &Options) -> Result<Vec<&'static Control>> {
    let all = catalogue::all()?;
    for id in &options.only {
        anyhow::ensure!(
            all.iter().any(|control| control.id == *id),
            "`{id}` is no control; `authwright controls` lists them"
        );
    }
    let wanted = |control: &&Control| options.only.is_empty() || options.only.contains(&control.id);
    let applies = |control: &&Control| catalogue::applies(control, &lab.modules);
    Ok(all.iter().filter(wanted).filter(|control| !options.only.is_empty() || applies(control)).collect())
}

fn hindrance(lab: &Lab, stop: Stop) -> String {
    // An application that ended says more than the connection that it closed.
    if let Some(why) = lab.app().ok().and_then(|app| app.death()) {
        return format!("the smoke story failed: {why}");
    }
    match stop {
        Stop::Positive(what, seen) => format!("the smoke story failed: not so: {what}\n{seen}"),
        Stop::Missing(why)
        | Stop::Broken(why)
        | Stop::NotRun(why)
        | Stop::NotApplicable(why)
        | Stop::Deviation(why) => format!("the smoke story failed: {why}"),
    }
}

/// Register, confirm, sign in, be somebody, sign out: what every attack builds on.
fn smoke(lab: &Lab) -> Outcome {
    let mut test = Test::new(lab);
    let app = test.app()?;
    let stranger = app.client().me()?;
    test.works("ME without a session is refused", stranger.denied(), &stranger)?;
    let (person, mut client) = app.member()?;
    let me = client.me()?;
    test.works("ME names the account that signed in", me.value("email").as_ref() == Some(&person.email), &me)?;
    let out = client.logout()?;
    test.works("LOGOUT is answered with success", out.succeeded(), &out)?;
    if !app.has_passwords() {
        return Ok(());
    }
    let wrong = app.client().login(&person.email, &crate::random::password())?;
    test.works("LOGIN refuses a wrong password", wrong.denied(), &wrong)
}

struct Run<'a> {
    lab: &'a Lab,
    options: &'a Options,
    /// Why no attack would show anything.
    hindrance: Option<String>,
    started: Instant,
    /// Attacks in a row that got no answers.
    broken: Mutex<usize>,
    tell: &'a (dyn Fn(&Finding) + Sync),
}

/// After so many attacks in a row without answers, the application counts as gone.
const GONE: usize = 4;

impl Run<'_> {
    fn all(&self, controls: Vec<(usize, &'static Control)>, workers: usize) -> Vec<(usize, Finding)> {
        let queue = Mutex::new(VecDeque::from(controls));
        let done = Mutex::new(vec![]);
        let work = || loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((at, control)) = next else { return };
            let finding = self.one(control);
            if waits_for(&finding).is_none() {
                (self.tell)(&finding);
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, finding));
        };
        thread::scope(|scope| (0..workers).for_each(|_| _ = scope.spawn(work)));
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The findings, now that all are there; tells of those that had to wait for others.
    fn settled(&self, found: &[Finding]) -> Vec<Finding> {
        let settle = |waiting: &Finding| {
            let finding = judged(waiting, found);
            if waits_for(waiting).is_some() {
                (self.tell)(&finding);
            }
            finding
        };
        found.iter().map(settle).collect()
    }

    fn one(&self, control: &Control) -> Finding {
        let missing = control.needs.iter().find(|module| !self.lab.modules.contains(module));
        if let Some(module) = missing {
            return finding(control, Verdict::NotApplicable, &format!("there is no module `{module}`"));
        }
        if !catalogue::applies(control, &self.lab.modules) {
            return finding(control, Verdict::NotApplicable, "no module of the application needs it");
        }
        let Some(attack) = controls::find(&control.id) else {
            return finding(control, Verdict::NotRun, "this version has no attack for it");
        };
        let mut last = finding(control, Verdict::NotRun, "it was told to run no times");
        let mut excusable = false;
        for _ in 0..self.options.repeat.max(1) {
            if let Some(why) = self.why_not() {
                return finding(control, Verdict::NotRun, &why);
            }
            (last, excusable) = self.attempt(control, attack);
            if matches!(last.verdict, Verdict::Fail | Verdict::NotRun) {
                break;
            }
        }
        self.declared(last, excusable)
    }

    fn why_not(&self) -> Option<String> {
        if self.lab.is_interrupted() {
            return Some("interrupted".to_owned());
        }
        if self.started.elapsed() > self.options.limit {
            return Some(format!("the run's time was over ({} minutes)", self.options.limit.as_secs() / 60));
        }
        if *self.broken.lock().unwrap_or_else(PoisonError::into_inner) >= GONE {
            return Some("the application gave no answers to the attacks before".to_owned());
        }
        self.hindrance.clone()
    }

    /// What the attack found, and whether a failure is the protection's: not where nothing answered, or what must work did
    /// not.
    fn attempt(&self, control: &Control, attack: &controls::Attack) -> (Finding, bool) {
        let mut test = Test::new(self.lab);
        let outcome = (attack.run)(&mut test);
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        *broken = if matches!(outcome, Err(Stop::Broken(_))) { *broken + 1 } else { 0 };
        drop(broken);
        let excusable = matches!(outcome, Ok(()) | Err(Stop::Missing(_)));
        let (verdict, reason) = match outcome {
            Ok(()) if test.evidence.is_empty() && test.checks == 0 => {
                (Verdict::Fail, "the attack asserted nothing".to_owned())
            }
            Ok(()) if test.evidence.is_empty() => (Verdict::Pass, String::new()),
            Ok(()) => (Verdict::Fail, String::new()),
            Err(Stop::Positive(what, seen)) => {
                test.evidence.push(Evidence { kind: Kind::Positive, what: what.clone(), seen });
                (Verdict::Fail, format!("what must work does not: {what}"))
            }
            // What was already seen to be wrong counts more than what could not be looked at.
            Err(Stop::NotRun(why)) if test.evidence.is_empty() => (Verdict::NotRun, why),
            Err(Stop::NotApplicable(why)) if test.evidence.is_empty() => (Verdict::NotApplicable, why),
            Err(Stop::Deviation(why)) if test.evidence.is_empty() && self.is_switched_off(&control.id) => {
                (Verdict::Deviation, why)
            }
            Err(
                Stop::Missing(why)
                | Stop::Broken(why)
                | Stop::NotRun(why)
                | Stop::NotApplicable(why)
                | Stop::Deviation(why),
            ) => (Verdict::Fail, why),
        };
        let first = test.evidence.first().map(|evidence| format!("not so: {}", evidence.what));
        let reason = if reason.is_empty() { first.unwrap_or_default() } else { reason };
        (Finding { checks: test.checks, evidence: test.evidence, ..finding(control, verdict, &reason) }, excusable)
    }

    fn is_switched_off(&self, id: &str) -> bool {
        switch(id).is_some_and(|switch| (switch.is_set)(&self.lab.contract))
    }

    /// A failure that was declared is a deviation, never for a critical control; a declared one that passes is a failure, so
    /// that declarations do not outlive their reason.
    fn declared(&self, found: Finding, excusable: bool) -> Finding {
        let declared = self.options.deviations.iter().find(|(id, _)| *id == found.id);
        let Some((_, reason)) = declared else { return found };
        match found.verdict {
            Verdict::Fail if excusable && found.severity != catalogue::Severity::Critical => {
                Finding { verdict: Verdict::Deviation, reason: reason.clone(), ..found }
            }
            Verdict::Pass => {
                let reason = "it is declared as a deviation and passes; take the declaration out".to_owned();
                Finding { verdict: Verdict::Fail, reason, ..found }
            }
            _ => found,
        }
    }
}

/// A critical control that a switch of the contract may leave out, and the control that then stands in for it.
struct Switch {
    id: &'static str,
    stands_in: &'static str,
    is_set: fn(&Contract) -> bool,
}

const SWITCHES: [Switch; 1] =
    [Switch { id: "CSR-01", stands_in: "CSR-02", is_set: |contract| contract.csrf.source == CsrfSource::Origin }];

fn switch(id: &str) -> Option<&'static Switch> {
    SWITCHES.iter().find(|switch| switch.id == id)
}

/// The control on which a deviation hangs, if it was a switch that allowed it.
fn waits_for(found: &Finding) -> Option<&'static str> {
    switch(&found.id).filter(|_| found.verdict == Verdict::Deviation).map(|switch| switch.stands_in)
}

/// A deviation by switch is one only where the control that stands in passes in the same run.
fn judged(found: &Finding, others: &[Finding]) -> Finding {
    let Some(stands_in) = waits_for(found) else { return found.clone() };
    let (verdict, what) = match others.iter().find(|other| other.id == stands_in).map(|other| other.verdict) {
        Some(Verdict::Pass) => return found.clone(),
        Some(Verdict::Fail | Verdict::Deviation) => (Verdict::Fail, "does not hold"),
        Some(Verdict::NotRun | Verdict::NotApplicable) | None => (Verdict::NotRun, "was not attacked in this run"),
    };
    let reason = format!("{}; {stands_in}, which stands in, {what}", found.reason);
    Finding { verdict, reason, ..found.clone() }
}

fn finding(control: &Control, verdict: Verdict, reason: &str) -> Finding {
    Finding {
        id: control.id.clone(),
        title: control.title.clone(),
        severity: control.severity,
        verdict,
        reason: reason.to_owned(),
        checks: 0,
        evidence: vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::{finding, judged};
    use crate::{
        catalogue,
        report::{Finding, Verdict},
    };

    fn found(id: &str, verdict: Verdict) -> Finding {
        finding(catalogue::control(id).unwrap(), verdict, "the origin is the only defence")
    }

    #[track_caller]
    fn becomes(others: &[Finding], verdict: Verdict) {
        let judged = judged(&found("CSR-01", Verdict::Deviation), others);
        assert_eq!(judged.verdict, verdict, "{}", judged.reason);
        assert!(judged.reason.starts_with("the origin is the only defence"), "{}", judged.reason);
    }

    #[test]
    fn a_switch_needs_the_control_that_stands_in() {
        becomes(&[found("CSR-02", Verdict::Pass)], Verdict::Deviation);
        becomes(&[found("CSR-02", Verdict::Fail)], Verdict::Fail);
        becomes(&[found("CSR-02", Verdict::Deviation)], Verdict::Fail);
        becomes(&[found("CSR-02", Verdict::NotRun)], Verdict::NotRun);
        becomes(&[found("CSR-03", Verdict::Pass)], Verdict::NotRun);
    }

    #[test]
    fn other_findings_stay_as_they_are() {
        for (id, verdict) in [("PWD-06", Verdict::Deviation), ("CSR-01", Verdict::Fail), ("CSR-01", Verdict::Pass)] {
            assert_eq!(judged(&found(id, verdict), &[]).verdict, verdict, "{id}");
        }
    }
}

//! What attacks found: `.authwright/probe.toml`, written after a probe, without times.

use std::collections::BTreeSet;

use anyhow::Result;
use authwright_probe::{
    catalogue::{self, Control},
    report::{Finding, Verdict},
};
use serde::{Deserialize, Serialize};

use super::target::Target;
use crate::core::{
    lock::{self, Lock},
    problem::Problem,
    project::{Change, RelPath, Text, Tree, sha256},
};

const HEADER: &str = "# Written by authwright after a probe: what its attacks found. What is absent is unproven.\n\n";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The version of the tool that made the attacks.
    pub authwright: String,
    /// SHA-256 of what was attacked: see [`state`].
    pub state: String,
    /// The contract was not the generated one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub other_contract: bool,
    /// In the catalogue's order.
    #[serde(default)]
    pub control: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub id: String,
    pub result: Verdict,
    /// Assertions made.
    pub checks: usize,
    /// Its first line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Entry {
    fn new(finding: &Finding) -> Self {
        let reason = finding.reason.lines().next().unwrap_or_default().to_owned();
        Self { id: finding.id.clone(), result: finding.verdict, checks: finding.checks, reason }
    }
}

/// The lock, and the generated and the wired files as they stand. What was found of another state proves nothing: the code
/// that held a control may be gone.
pub fn state(tree: &Tree, lock: &Lock) -> String {
    let created = lock.layer.iter().flat_map(|layer| layer.created.iter().map(|file| &file.path));
    let edited = lock.layer.iter().flat_map(|layer| layer.edited.iter().map(|file| &file.path));
    let paths: BTreeSet<&RelPath> = created.chain(edited).collect();
    let hash = |path: &RelPath| tree.get(path).map_or_else(|| "gone".to_owned(), |text| sha256(text.raw().as_bytes()));
    let files: Vec<String> = paths.into_iter().map(|path| format!("{path} {}\n", hash(path))).collect();
    sha256(format!("{}{}", tree.text(lock::PATH).unwrap_or_default(), files.concat()).as_bytes())
}

impl Found {
    /// What a run found, with what earlier runs of the same state and version found of the other controls.
    ///
    /// # Errors
    /// Does not fail for the catalogue in the binary.
    pub fn new(state: &str, findings: &[Finding], old: Option<Self>) -> Result<Self> {
        let mut found = Self { authwright: version(), state: state.to_owned(), other_contract: false, control: vec![] };
        let old = old.filter(|old| old.is_of(state) && old.authwright == found.authwright).unwrap_or_default();
        let fresh = |id: &str| findings.iter().find(|finding| finding.id == id).map(Entry::new);
        let kept = |id: &str| old.control.iter().find(|entry| entry.id == id).cloned();
        let ids = catalogue::all()?.iter().map(|control| control.id.as_str());
        found.other_contract = old.other_contract;
        found.control = ids.filter_map(|id| fresh(id).or_else(|| kept(id))).collect();
        Ok(found)
    }

    /// # Errors
    /// When the file is there and is not one that this version reads.
    pub fn read(tree: &Tree) -> Result<Option<Self>> {
        let Some(text) = tree.text(lock::FOUND) else { return Ok(None) };
        let found = toml::from_str(text).map_err(|error| {
            let what = format!("{}: not readable: {}", lock::FOUND, error.message());
            Problem::problem(what, "delete it and run `authwright probe`")
        })?;
        Ok(Some(found))
    }

    /// The change that writes it beside the lock.
    ///
    /// # Errors
    /// Does not fail for what was made by this program.
    pub fn change(&self, target: &Target) -> Result<Change> {
        let path = RelPath::new(lock::FOUND)?;
        let before = target.tree.get(&path).cloned();
        let after = Text::new(format!("{HEADER}{}", toml::to_string(self)?));
        Ok(Change { path: path.below(&target.app), before, after: Some(after) })
    }

    /// Whether it tells of this state.
    #[must_use]
    pub fn is_of(&self, state: &str) -> bool {
        self.state == state
    }

    #[must_use]
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.control.iter().find(|entry| entry.id == id)
    }

    /// One line for people, bad news first: what is known of the controls that these modules need.
    ///
    /// # Errors
    /// Does not fail for the catalogue in the binary.
    pub fn summary(found: Option<&Self>, state: &str, modules: &[String]) -> Result<String> {
        let Some(found) = found else {
            return Ok("attacks: unproven; `authwright probe` makes them".to_owned());
        };
        if !found.is_of(state) {
            return Ok("attacks: unproven: the generated code changed since; `authwright probe` makes them".to_owned());
        }
        let needed = |control: &&Control| catalogue::needed(control, modules);
        let entries: Vec<_> = catalogue::all()?.iter().filter(needed).map(|control| found.entry(&control.id)).collect();
        let open = entries.iter().filter(|entry| entry.is_none()).count();
        let count = |verdict: Verdict| entries.iter().flatten().filter(|entry| entry.result == verdict).count();
        let counts = Verdict::ALL.map(|verdict| format!("{} {}", count(verdict), verdict.name()));
        let by = if found.other_contract { ", by a contract that is not the generated one" } else { "" };
        Ok(format!("attacks: {open} not probed, {}{by}", counts.join(", ")))
    }
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

#[cfg(test)]
mod tests {
    use authwright_probe::catalogue::Severity;

    use super::*;

    fn finding(id: &str, verdict: Verdict, reason: &str) -> Finding {
        Finding {
            id: id.to_owned(),
            title: String::new(),
            severity: Severity::High,
            verdict,
            reason: reason.to_owned(),
            checks: 3,
            evidence: vec![],
        }
    }

    fn ids(found: &Found) -> Vec<(&str, Verdict)> {
        found.control.iter().map(|entry| (entry.id.as_str(), entry.result)).collect()
    }

    #[test]
    fn some_controls_replace_those_entries_only() {
        let first = [finding("SES-08", Verdict::Pass, ""), finding("PWD-01", Verdict::Fail, "first\nsecond")];
        let old = Found::new("lock", &first, None).unwrap();
        assert_eq!(ids(&old), [("PWD-01", Verdict::Fail), ("SES-08", Verdict::Pass)]);
        assert_eq!(old.control[0].reason, "first");
        let now = Found::new("lock", &[finding("PWD-01", Verdict::Pass, "")], Some(old.clone())).unwrap();
        assert_eq!(ids(&now), [("PWD-01", Verdict::Pass), ("SES-08", Verdict::Pass)]);
        let other = Found::new("other", &[finding("PWD-01", Verdict::Pass, "")], Some(old.clone())).unwrap();
        assert_eq!(ids(&other), [("PWD-01", Verdict::Pass)]);
        let older = Found { authwright: "0.0.0".to_owned(), ..old };
        let now = Found::new("lock", &[finding("PWD-01", Verdict::Pass, "")], Some(older)).unwrap();
        assert_eq!(ids(&now), [("PWD-01", Verdict::Pass)]);
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let found = Found::new("lock", &[finding("CSR-01", Verdict::NotRun, "\"no\"\u{1b}[31m")], None).unwrap();
        let text = format!("{HEADER}{}", toml::to_string(&found).unwrap());
        let tree: Tree = [(RelPath::new(lock::FOUND).unwrap(), Text::new(text))].into_iter().collect();
        assert_eq!(Found::read(&tree).unwrap(), Some(found));
        let broken: Tree = [(RelPath::new(lock::FOUND).unwrap(), Text::new("control = 1"))].into_iter().collect();
        assert!(Found::read(&broken).is_err());
    }

    #[test]
    fn what_was_found_of_another_lock_proves_nothing() {
        let found = Found::new("lock", &[finding("PWD-01", Verdict::Pass, "")], None).unwrap();
        let line = |found, lock| Found::summary(found, lock, &["password".to_owned()]).unwrap();
        assert_eq!(
            line(Some(&found), "lock"),
            "attacks: 101 not probed, 0 fail, 0 not run, 0 deviation, 0 not applicable, 1 pass"
        );
        assert!(line(Some(&found), "other").contains("unproven"));
        assert!(line(None, "lock").contains("unproven"));
    }
}

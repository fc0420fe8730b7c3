//! What was built and tested: `.authwright/proof.toml`, written after a check, without times.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{
    core::{
        lock,
        problem::Problem,
        project::{RelPath, Text, Tree},
    },
    shell::check::{Report, StepResult},
};

const HEADER: &str =
    "# Written by authwright after a check: what was built and tested. What is absent is unproven.\n\n";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The version of the tool that ran the check.
    pub authwright: String,
    /// SHA-256 of the lock that was checked.
    pub lock: String,
    /// Restrictions that could not be put on the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_enforced: Vec<String>,
    #[serde(default)]
    pub step: Vec<Step>,
    #[serde(default)]
    pub derived: Vec<Derived>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub name: String,
    pub command: String,
    /// `passed`, or `not run: ` and why.
    pub result: String,
}

/// A file that the package manager wrote, with what takes it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// Relative to the workspace root.
    pub path: RelPath,
    /// How many layers the lock had then.
    pub layer: usize,
    /// SHA-256 of what was written.
    pub after: String,
    /// SHA-256 of what was there; absent if there was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What leads back, from the last line to the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<Back>,
}

/// Lines of the written file, and what stood in their place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Back {
    /// 0-based.
    pub line: usize,
    pub lines: usize,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Proof {
    /// The same lock's proof, with what takes back the package manager's files after earlier layers.
    #[must_use]
    pub fn on_top_of(mut self, old: Option<Self>) -> Self {
        self.derived.splice(0..0, old.map(|old| old.derived).unwrap_or_default());
        self
    }

    #[must_use]
    pub fn skipped(lock: &str, steps: impl Iterator<Item = (String, String)>, why: &str) -> Self {
        let result = format!("not run: {why}");
        let step = steps.map(|(name, command)| Step { name, command, result: result.clone() });
        Self {
            authwright: version(),
            lock: crate::core::project::sha256(lock.as_bytes()),
            not_enforced: vec![],
            step: step.collect(),
            derived: vec![],
        }
    }

    #[must_use]
    pub fn new(lock: &str, report: &Report) -> Self {
        let step = report.steps.iter().map(|step| Step {
            name: step.name.clone(),
            command: step.command.clone(),
            result: match &step.result {
                StepResult::Passed => "passed".to_owned(),
                StepResult::Failed { .. } => "failed".to_owned(),
                StepResult::TimedOut => "failed: out of time".to_owned(),
                StepResult::NotRun(why) => format!("not run: {why}"),
            },
        });
        Self {
            authwright: version(),
            lock: crate::core::project::sha256(lock.as_bytes()),
            not_enforced: report.not_enforced.clone(),
            step: step.collect(),
            derived: vec![],
        }
    }

    /// # Errors
    /// When the file is there and is not a proof that this version reads.
    pub fn read(tree: &Tree) -> Result<Option<Self>> {
        let Some(text) = tree.text(lock::PROOF) else { return Ok(None) };
        let proof = toml::from_str(text).map_err(|error| {
            let what = format!("{}: not readable: {}", lock::PROOF, error.message());
            Problem::problem(what, "delete it and run `authwright check`")
        })?;
        Ok(Some(proof))
    }

    /// # Errors
    /// Does not fail for a proof made by this program.
    pub fn write(&self) -> Result<Text> {
        Ok(Text::new(format!("{HEADER}{}", toml::to_string(self)?)))
    }

    /// Steps that passed and steps that did not run, for people. A proof of another lock proves nothing.
    #[must_use]
    pub fn summary(&self, lock: &str) -> Vec<String> {
        let current = self.lock == crate::core::project::sha256(lock.as_bytes());
        let state =
            |step: &Step| if current { step.result.clone() } else { "unproven: the lock changed since".to_owned() };
        self.step.iter().map(|step| format!("{}: {}", step.name, state(step))).collect()
    }
}

impl Derived {
    #[must_use]
    pub fn new(path: RelPath, layer: usize, before: Option<&Text>, after: &Text) -> Self {
        let back = before.map(|before| steps_back(after.raw(), before.raw())).unwrap_or_default();
        Self { path, layer, after: after.sha256(), before: before.map(Text::sha256), back }
    }

    /// The text before, if the file is still what was written; `Ok(None)` means that there was no file.
    ///
    /// # Errors
    /// When the file changed since.
    pub fn before(&self, now: &Text) -> Result<Option<Text>, String> {
        let changed = || format!("`{}` changed since; the package manager will bring it up to date", self.path);
        if now.sha256() != self.after {
            return Err(changed());
        }
        let Some(before) = &self.before else { return Ok(None) };
        let mut lines: Vec<&str> = now.raw().split_inclusive('\n').collect();
        for back in &self.back {
            let range = back.line..back.line + back.lines;
            if range.end > lines.len() {
                return Err(changed());
            }
            lines.splice(range, (!back.text.is_empty()).then_some(back.text.as_str()));
        }
        let text = Text::new(lines.concat());
        if text.sha256() == *before { Ok(Some(text)) } else { Err(changed()) }
    }
}

fn steps_back(after: &str, before: &str) -> Vec<Back> {
    let patch = diffy::DiffOptions::new().set_context_len(0).create_patch(after, before);
    let hunks = patch.hunks().iter().map(|hunk| {
        let text = hunk.lines().iter().filter_map(|line| match line {
            diffy::Line::Insert(text) => Some(*text),
            diffy::Line::Delete(_) | diffy::Line::Context(_) => None,
        });
        let lines = hunk.old_range().len();
        let line = hunk.old_range().start().saturating_sub(usize::from(lines > 0));
        Back { line, lines, text: text.collect() }
    });
    let mut steps: Vec<Back> = hunks.collect();
    steps.reverse();
    steps
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(before: Option<&str>, after: &str) {
        let (before, after) = (before.map(Text::new), Text::new(after));
        let derived = Derived::new(RelPath::new("Cargo.lock").unwrap(), 1, before.as_ref(), &after);
        assert_eq!(derived.before(&after), Ok(before));
        assert!(derived.before(&Text::new("other")).is_err());
    }

    #[test]
    fn a_derived_file_goes_back_to_what_it_was() {
        there_and_back(None, "a\n");
        there_and_back(Some("a\nb\nc\n"), "a\nx\nb\ny\nz\nc\nw\n");
        there_and_back(Some("a\r\nb\r\nlast"), "new\r\na\r\nchanged\r\n");
        there_and_back(Some(""), "a\nb");
        there_and_back(Some("1\n2\n3\n4\n5\n"), "1\n3\nfour\n5\n6\n");
    }
}

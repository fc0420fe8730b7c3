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

const HEADER: &str = "# Written by authwright after a check: what was built and tested. What is absent is unproven.\n\n";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The version of the tool that ran the check.
    pub authwright: String,
    /// SHA-256 of the lock that was checked.
    pub lock: String,
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
    pub after: String,
    /// Hunks from `after` back to the text before; absent if there was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<String>,
}

impl Proof {
    #[must_use]
    pub fn skipped(lock: &str, steps: impl Iterator<Item = (String, String)>, why: &str) -> Self {
        let result = format!("not run: {why}");
        let step = steps.map(|(name, command)| Step { name, command, result: result.clone() });
        Self { authwright: version(), lock: crate::core::project::sha256(lock.as_bytes()), step: step.collect(), derived: vec![] }
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
        Self { authwright: version(), lock: crate::core::project::sha256(lock.as_bytes()), step: step.collect(), derived: vec![] }
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
        let state = |step: &Step| if current { step.result.clone() } else { "unproven: the lock changed since".to_owned() };
        self.step.iter().map(|step| format!("{}: {}", step.name, state(step))).collect()
    }
}

impl Derived {
    #[must_use]
    pub fn new(path: RelPath, before: Option<&Text>, after: &Text) -> Self {
        let back = before.map(|before| diffy::create_patch(after.raw(), before.raw()).to_string());
        Self { path, after: after.sha256(), back }
    }

    /// The text before, if the file is still what was written; `Ok(None)` means that there was no file.
    ///
    /// # Errors
    /// When the file changed since.
    pub fn before(&self, now: &Text) -> Result<Option<Text>, String> {
        if now.sha256() != self.after {
            return Err(format!("`{}` changed since; the package manager will bring it up to date", self.path));
        }
        let Some(back) = &self.back else { return Ok(None) };
        let text = diffy::Patch::from_str(back).map_err(|error| error.to_string());
        let text = text.and_then(|patch| diffy::apply(now.raw(), &patch).map_err(|error| error.to_string()))?;
        Ok(Some(Text::new(text)))
    }
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

//! What a run found.

use serde::{Deserialize, Serialize};

use crate::{catalogue::Severity, test::Evidence};

#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Fail,
    NotRun,
    Deviation,
    NotApplicable,
    Pass,
}

impl Verdict {
    pub const ALL: [Self; 5] = [Self::Fail, Self::NotRun, Self::Deviation, Self::NotApplicable, Self::Pass];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::NotRun => "not run",
            Self::Deviation => "deviation",
            Self::NotApplicable => "not applicable",
            Self::Pass => "pass",
        }
    }
}

/// One control's result. `reason` stands for everything but a pass.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    #[serde(rename = "result")]
    pub verdict: Verdict,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Assertions made.
    pub checks: usize,
    pub evidence: Vec<Evidence>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub target: String,
    pub modules: Vec<String>,
    pub controls: Vec<Finding>,
}

impl Report {
    pub fn count(&self, verdict: Verdict) -> usize {
        self.controls.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

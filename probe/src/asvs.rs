//! What the results mean for OWASP ASVS 5.0: chapters V6, V7, V9, V10 and the cookie and request-forgery parts of V3.
//!
//! It speaks of the attacked routes alone, not of the application around them.

use std::sync::LazyLock;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{
    catalogue,
    report::{Finding, Verdict},
};

const TEXT: &str = include_str!("../asvs.json");

/// A requirement, and the controls that it takes.
#[derive(Clone, Debug, Deserialize)]
pub struct Requirement {
    pub id: String,
    /// `L1`, `L2` or `L3`.
    pub level: String,
    pub class: Class,
    pub text: String,
    pub controls: Vec<String>,
    /// Parts of an application (see [`catalogue::parts`]) that the requirement is about.
    pub modules: Vec<String>,
}

/// Who answers for a requirement.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Class {
    /// Code that an attack from outside can show.
    #[serde(rename = "a")]
    Attacked,
    /// Documents, settings and choices of the application's owner.
    #[serde(rename = "b")]
    Owner,
    /// Things that no module has.
    #[serde(rename = "c")]
    Outside,
}

#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    NotFulfilled,
    NotTested,
    NotApplicable,
    Fulfilled,
}

impl Standing {
    pub const ALL: [Self; 4] = [Self::NotFulfilled, Self::NotTested, Self::NotApplicable, Self::Fulfilled];

    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFulfilled => "not fulfilled",
            Self::NotTested => "not tested",
            Self::NotApplicable => "not applicable",
            Self::Fulfilled => "fulfilled",
        }
    }
}

/// How a requirement stands, and which controls keep it from being fulfilled.
#[derive(Clone, Debug, Serialize)]
pub struct Standpoint {
    pub id: &'static str,
    pub level: &'static str,
    #[serde(rename = "result")]
    pub standing: Standing,
    pub text: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

/// What a run says about the requirements that attacks can show, and what no attack can.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    pub requirements: Vec<Standpoint>,
    /// Documents, settings and choices of the application's owner.
    pub owner: Vec<&'static str>,
    /// Requirements about things that no module has, or none that is installed.
    pub outside: Vec<&'static str>,
}

impl Coverage {
    pub fn count(&self, level: &str, standing: Standing) -> usize {
        self.requirements.iter().filter(|at| at.level == level && at.standing == standing).count()
    }
}

/// # Errors
/// Does not fail for the requirements in the binary.
pub fn all() -> Result<&'static [Requirement]> {
    static ALL: LazyLock<Result<Vec<Requirement>, String>> =
        LazyLock::new(|| serde_json::from_str(TEXT).map_err(|error| error.to_string()));
    ALL.as_deref().map_err(|error| anyhow::anyhow!("{error}")).context("the requirements cannot be read")
}

/// # Errors
/// Does not fail for the catalogue and the requirements in the binary.
pub fn coverage(findings: &[Finding], modules: &[String]) -> Result<Coverage> {
    let parts: Vec<&str> = modules.iter().flat_map(|module| catalogue::parts(module)).copied().collect();
    let needed: Vec<&str> = catalogue::all()?
        .iter()
        .filter(|control| catalogue::needed(control, modules))
        .map(|control| control.id.as_str())
        .collect();
    let mut coverage = Coverage { requirements: vec![], owner: vec![], outside: vec![] };
    for requirement in all()? {
        let touched = requirement.modules.iter().any(|module| parts.contains(&module.as_str()));
        match requirement.class {
            Class::Attacked if touched => coverage.requirements.push(standpoint(requirement, &needed, findings)),
            Class::Owner => coverage.owner.push(&requirement.id),
            Class::Attacked | Class::Outside => coverage.outside.push(&requirement.id),
        }
    }
    Ok(coverage)
}

/// Fulfilled only if each control that the installed modules need passes. A deviation does not.
fn standpoint(requirement: &'static Requirement, needed: &[&str], findings: &[Finding]) -> Standpoint {
    let own: Vec<&str> = requirement.controls.iter().map(String::as_str).filter(|id| needed.contains(id)).collect();
    let verdict = |id: &str| findings.iter().find(|finding| finding.id == id).map(|finding| finding.verdict);
    let named = |wanted: &[Option<Verdict>]| {
        let fits = own.iter().map(|id| (*id, verdict(id))).filter(|(_, verdict)| wanted.contains(verdict));
        let words =
            |(id, verdict): (&str, Option<Verdict>)| format!("{id} {}", verdict.map_or("not run", Verdict::name));
        fits.map(words).collect::<Vec<_>>()
    };
    let wrong = named(&[Some(Verdict::Fail), Some(Verdict::Deviation)]);
    let open = named(&[Some(Verdict::NotRun), None]);
    let (standing, because) = if own.is_empty() {
        (Standing::NotFulfilled, vec!["no installed module has it".to_owned()])
    } else if !wrong.is_empty() {
        (Standing::NotFulfilled, wrong)
    } else if !open.is_empty() {
        (Standing::NotTested, open)
    } else if named(&[Some(Verdict::Pass)]).is_empty() {
        (Standing::NotApplicable, named(&[Some(Verdict::NotApplicable)]))
    } else {
        (Standing::Fulfilled, vec![])
    };
    Standpoint { id: &requirement.id, level: &requirement.level, standing, text: &requirement.text, because }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Severity;

    fn found(id: &str, verdict: Verdict) -> Finding {
        Finding {
            id: id.to_owned(),
            title: String::new(),
            severity: Severity::High,
            verdict,
            reason: String::new(),
            checks: 1,
            evidence: vec![],
        }
    }

    fn of(id: &str, findings: &[Finding]) -> Standpoint {
        let coverage = coverage(findings, &["password".to_owned()]).unwrap();
        coverage.requirements.into_iter().find(|at| at.id == id).unwrap()
    }

    #[test]
    fn a_requirement_needs_each_of_its_controls() {
        // V3.5.3 takes CSR-02, CSR-04 and EML-04.
        let pass = ["CSR-02", "CSR-04", "EML-04"].map(|id| found(id, Verdict::Pass));
        assert_eq!(of("V3.5.3", &pass).standing, Standing::Fulfilled);
        for (verdict, standing) in [
            (Verdict::Fail, Standing::NotFulfilled),
            (Verdict::Deviation, Standing::NotFulfilled),
            (Verdict::NotRun, Standing::NotTested),
        ] {
            let mut findings = pass.to_vec();
            findings[1].verdict = verdict;
            let at = of("V3.5.3", &findings);
            assert_eq!((at.standing, at.because), (standing, vec![format!("CSR-04 {}", verdict.name())]));
        }
        let at = of("V3.5.3", &pass[..2]);
        assert_eq!((at.standing, at.because), (Standing::NotTested, vec!["EML-04 not run".to_owned()]));
    }

    #[test]
    fn what_is_wrong_counts_more_than_what_is_open() {
        let findings = [found("CSR-02", Verdict::NotRun), found("CSR-04", Verdict::Fail)];
        let at = of("V3.5.3", &findings);
        assert_eq!((at.standing, at.because), (Standing::NotFulfilled, vec!["CSR-04 fail".to_owned()]));
    }

    #[test]
    fn controls_of_modules_that_are_not_there_are_not_asked_for() {
        // V3.3.4 takes RFT-07 as well, which is about refresh tokens.
        assert_eq!(of("V3.3.4", &[found("CKE-02", Verdict::Pass)]).standing, Standing::Fulfilled);
        // V6.3.3 asks for a second factor.
        assert_eq!(of("V6.3.3", &[]).because, ["no installed module has it"]);
        assert_eq!(of("V6.3.3", &[]).standing, Standing::NotFulfilled);
    }

    #[test]
    fn nothing_to_attack_is_not_fulfilled() {
        let at = of("V6.2.6", &[found("PWD-11", Verdict::NotApplicable)]);
        assert_eq!(at.standing, Standing::NotApplicable);
    }

    #[test]
    fn without_results_nothing_is_fulfilled_and_each_requirement_has_one_place() {
        let coverage = coverage(&[], &["password".to_owned()]).unwrap();
        assert!(coverage.requirements.iter().all(|at| at.standing != Standing::Fulfilled));
        let places = coverage.requirements.len() + coverage.owner.len() + coverage.outside.len();
        assert_eq!((places, coverage.owner.len()), (all().unwrap().len(), 14));
        // Chapter V10 is about OAuth: an application without it has nothing to show there.
        assert!(coverage.requirements.iter().all(|at| !at.id.starts_with("V10.")));
    }

    #[test]
    fn each_requirement_names_controls_of_the_catalogue() {
        let controls = catalogue::all().unwrap();
        for requirement in all().unwrap() {
            let unknown = requirement.controls.iter().find(|id| !controls.iter().any(|control| control.id == **id));
            assert_eq!(unknown, None, "{}", requirement.id);
            assert!(requirement.class != Class::Attacked || !requirement.controls.is_empty(), "{}", requirement.id);
        }
    }
}

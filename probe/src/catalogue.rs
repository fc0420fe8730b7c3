//! The catalogue of controls: one security property each, with a stable id.

use std::sync::LazyLock;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

const TEXT: &str = include_str!("../controls.json");

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Control {
    pub id: String,
    pub title: String,
    pub group: String,
    pub severity: Severity,
    pub statement: String,
    /// Requirements of OWASP ASVS 5.0.
    pub asvs: Vec<String>,
    #[serde(default)]
    pub refs: Vec<String>,
    #[serde(default)]
    pub params: String,
    /// Parts of an application that need the control; see [`parts`].
    pub applies: Vec<String>,
    /// Modules without which there is nothing to attack.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What an attack may look at besides HTTP.
    pub channel: Vec<String>,
    #[serde(default)]
    pub mutants: Vec<Mutant>,
}

/// A protection removed, by name.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Mutant {
    pub name: String,
    pub removal: String,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Critical,
    High,
    Medium,
    Low,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

impl Control {
    /// `SES` of `SES-03`.
    pub fn prefix(&self) -> &str {
        self.id.split('-').next().unwrap_or(&self.id)
    }
}

/// All controls, in the catalogue's order.
///
/// # Errors
/// Does not fail for the catalogue in the binary.
pub fn all() -> Result<&'static [Control]> {
    static ALL: LazyLock<Result<Vec<Control>, String>> =
        LazyLock::new(|| serde_json::from_str(TEXT).map_err(|error| error.to_string()));
    ALL.as_deref().map_err(|error| anyhow::anyhow!("{error}")).context("the catalogue cannot be read")
}

/// The control of this id.
///
/// # Errors
/// When there is none.
pub fn control(id: &str) -> Result<&'static Control> {
    all()?.iter().find(|control| control.id == id).with_context(|| format!("`{id}` is no control"))
}

/// What may be declared as a deviation, with its reason.
///
/// # Errors
/// When there is no such control, it is critical, or no reason is given.
pub fn may_deviate(id: &str, reason: &str) -> Result<()> {
    let severity = control(id)?.severity;
    ensure!(severity != Severity::Critical, "`{id}` is critical, and no critical control may be a deviation");
    ensure!(!reason.trim().is_empty(), "`{id}` is declared as a deviation without a reason");
    Ok(())
}

/// Modules, and the catalogue's parts that each brings. `core` comes with all of them.
const MODULES: [(&str, &[&str]); 5] = [
    ("password", &["core", "password", "email-verification", "password-reset"]),
    ("oidc", &["core", "oidc"]),
    ("tokens", &["core", "jwt"]),
    ("totp", &["core", "totp"]),
    ("passkeys", &["core", "passkeys"]),
];

/// The catalogue's parts that a module brings; none for one that it does not know.
pub fn parts(module: &str) -> &'static [&'static str] {
    MODULES.iter().find(|(name, _)| *name == module).map_or(&[], |(_, parts)| parts)
}

/// Whether all of them are modules that the catalogue knows: of another, no control would apply, and nothing be attacked.
///
/// # Errors
/// When one is not, with those that are.
pub fn known_modules(modules: &[String]) -> Result<()> {
    let unknown = modules.iter().find(|module| parts(module).is_empty());
    let known = MODULES.map(|(name, _)| name).join(", ");
    unknown.map_or(Ok(()), |module| Err(anyhow::anyhow!("`{module}` is no module; there are {known}")))
}

/// Whether an application with these modules needs the control.
pub fn applies(control: &Control, modules: &[String]) -> bool {
    let parts = modules.iter().flat_map(|module| parts(module));
    parts.into_iter().any(|part| control.applies.iter().any(|applies| applies == part))
}

/// Whether such an application has what the control is about.
pub fn needed(control: &Control, modules: &[String]) -> bool {
    applies(control, modules) && control.needs.iter().all(|module| modules.contains(module))
}

#[cfg(test)]
mod tests {
    use super::{all, applies};

    #[test]
    fn ids_are_unique_and_a_password_application_needs_about_a_hundred() {
        let all = all().unwrap();
        let mut ids: Vec<_> = all.iter().map(|control| &control.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all.len());
        let needed = all.iter().filter(|control| applies(control, &["password".to_owned()])).count();
        assert_eq!(needed, 106);
    }
}

//! What was generated: `.authwright/lock.toml`, a stack of layers, one for each `add`.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    choose::Options,
    edit::Made,
    problem::Problem,
    project::{RelPath, Text, Tree},
    render::Facts,
};

/// The lock's place in an app.
pub const PATH: &str = ".authwright/lock.toml";
/// What was built and tested; written after a check, never part of a plan.
pub const PROOF: &str = ".authwright/proof.toml";
/// What attacks on the running app found; written after a probe, never part of a plan.
pub const FOUND: &str = ".authwright/probe.toml";

const SCHEMA: u32 = 1;
const HEADER: &str = "# Written by authwright; do not edit. `authwright verify` compares the project with it.\n\n";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    pub schema: u32,
    pub layer: Vec<Layer>,
}

/// Everything one `add` did, enough to render it again and to take it back. Its answers and facts are those of the
/// project after it; its modules are those that it added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    pub pack: String,
    pub pack_version: String,
    pub modules: Vec<String>,
    pub answers: Options,
    /// Facts of the project that the templates used.
    pub facts: Facts,
    #[serde(default)]
    pub created: Vec<Created>,
    #[serde(default)]
    pub edited: Vec<Edited>,
    /// Steps that were left to the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manual: Vec<super::project::Step>,
}

/// A file that is the tool's, or an example that is the user's to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Created {
    pub path: RelPath,
    pub sha256: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub example: bool,
}

/// A file that was there and the ranges that were replaced in it: one of the user's, or one that an earlier layer
/// created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edited {
    pub path: RelPath,
    /// SHA-256 before the edit; absent if the file did not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    pub after: String,
    /// For a generated file: SHA-256 of what is rendered for it now, without the user's changes that were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
    pub splice: Vec<Made>,
}

impl Lock {
    #[must_use]
    pub fn new() -> Self {
        Self { schema: SCHEMA, layer: vec![] }
    }

    /// The lock in the tree, if there is one.
    ///
    /// # Errors
    /// When the file is there and is not a lock that this version reads.
    pub fn read(tree: &Tree) -> Result<Option<Self>> {
        // Where a checkout made every ending CRLF, the texts in it are still what was recorded.
        tree.text(PATH).map(|text| Self::parse(&Text::new(text).as_rendered())).transpose()
    }

    /// # Errors
    /// When the text is not a lock that this version reads.
    pub fn parse(text: &str) -> Result<Self> {
        let fix = "restore it from version control, or use the authwright version that wrote it";
        let unread =
            |error: toml::de::Error| Problem::problem(format!("{PATH}: not a readable lock: {}", error.message()), fix);
        // A newer lock has fields that are not known here.
        let schema =
            toml::from_str::<toml::Table>(text).map_err(unread)?.get("schema").and_then(toml::Value::as_integer);
        if let Some(schema) = schema.filter(|schema| *schema != i64::from(SCHEMA)) {
            return Err(Problem::problem(format!("{PATH}: schema {schema} is not known to this version"), fix).into());
        }
        let lock: Self = toml::from_str(text).map_err(unread)?;
        let modules = lock.modules();
        let first = lock.layer.first().filter(|layer| !layer.modules.is_empty());
        let twice = modules.iter().enumerate().any(|(at, module)| modules[..at].contains(module));
        if twice || first.is_none_or(|first| lock.layer.iter().any(|layer| layer.pack != first.pack)) {
            let what = format!("{PATH}: it records no module, one twice, or several packs; it was not written so");
            return Err(Problem::problem(what, fix).into());
        }
        Ok(lock)
    }

    /// # Errors
    /// Does not fail for a lock made by this program.
    pub fn write(&self) -> Result<String> {
        Ok(format!("{HEADER}{}", toml::to_string(self)?))
    }

    #[must_use]
    pub fn modules(&self) -> Vec<&str> {
        self.layer.iter().flat_map(|layer| layer.modules.iter().map(String::as_str)).collect()
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;

//! What a manifest names, whatever its format.

use anyhow::Result;
use serde::Deserialize;
use toml_edit::{Item, TableLike};

use super::{dotnet, gradle, json, lines, maven, python};
use crate::core::{
    anchor::line_of,
    edit::{cargo_toml, toml::Toml},
};

/// What a package is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    Runtime,
    /// To build and test with.
    Dev,
    /// Whoever uses this package brings it.
    Peer,
    /// A plugin or a parent of the build.
    Build,
    /// Only a version, for those that name the package.
    Version,
    /// The package itself.
    Own,
}

/// One dependency that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Of the package, also where the manifest gives it another.
    pub name: String,
    /// As written; `None` if the manifest gives no version or inherits it.
    pub requirement: Option<String>,
    pub scope: Scope,
    /// 1-based.
    pub line: usize,
    /// The line's text.
    pub text: String,
}

impl Named {
    /// A dependency on a line, whose text is added once all are known.
    #[must_use]
    pub fn on(line: usize, name: &str, requirement: Option<&str>, scope: Scope) -> Self {
        let requirement = requirement.map(str::trim).filter(|written| !written.is_empty()).map(str::to_owned);
        Self { name: name.to_owned(), requirement, scope, line, text: String::new() }
    }

    /// What a manifest calls its own package, at a place in `source`.
    #[must_use]
    pub fn own(source: &str, at: usize, name: &str) -> Self {
        Self::on(line_of(source, at), name, None, Scope::Own)
    }
}

/// Files above a manifest, nearest first, that it may inherit from: name and text.
pub type Above<'a> = [(String, &'a str)];

/// The runtime dependencies that a manifest names, in file order.
///
/// # Errors
/// When the text is not what the file's name says.
pub fn dependencies(name: &str, text: &str, workspace: Option<&str>) -> Result<Vec<Named>> {
    let above: Vec<(String, &str)> = workspace.map(|root| ("Cargo.toml".to_owned(), root)).into_iter().collect();
    let mut found = all(name, text, &above)?;
    found.retain(|named| named.scope == Scope::Runtime);
    Ok(found)
}

/// Everything that a manifest names.
///
/// # Errors
/// When the text is not what the file's name says.
pub fn all(name: &str, text: &str, above: &Above) -> Result<Vec<Named>> {
    let mut found = read(name, text, above)?;
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
    // What was found in a file above has its text already.
    for named in found.iter_mut().filter(|named| named.text.is_empty()) {
        lines.get(named.line.saturating_sub(1)).copied().unwrap_or_default().trim().clone_into(&mut named.text);
    }
    Ok(found)
}

fn read(name: &str, text: &str, above: &Above) -> Result<Vec<Named>> {
    match name {
        "Cargo.toml" => cargo(text, above),
        "package.json" => json::npm(text, above),
        "composer.json" => json::composer(text),
        "deno.json" | "deno.jsonc" => json::deno(text),
        "project.json" => json::project(text),
        "pyproject.toml" => python::pyproject(text),
        "Pipfile" => python::pipfile(text),
        "setup.py" => Ok(python::setup_py(text)),
        "setup.cfg" => Ok(python::setup_cfg(text)),
        "go.mod" => Ok(lines::go_mod(text)),
        "Gemfile" => Ok(lines::gemfile(text)),
        "mix.exs" => Ok(lines::mix(text)),
        "packages" => Ok(lines::list(text)),
        "pom.xml" => maven::pom(text, above),
        "build.gradle" | "build.gradle.kts" => gradle::build(text, above),
        _ => match ending(name) {
            "txt" => Ok(python::requirements(name, text)),
            "yml" | "yaml" => python::environment(text),
            "csproj" | "fsproj" | "vbproj" => dotnet::project(text, above),
            _ => Ok(vec![]),
        },
    }
}

/// What stands after the last dot of a name.
#[must_use]
pub fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// The name that a table gives to the package.
pub(super) fn own(toml: &Toml<'_>, table: &[&str]) -> Option<Named> {
    let name = toml.item(table)?.as_table_like()?.get("name")?.as_str()?;
    Some(Named::on(toml.line(table, "name"), name, None, Scope::Own))
}

fn cargo(text: &str, above: &Above) -> Result<Vec<Named>> {
    let toml = Toml::parse(text)?;
    let root = above.iter().find(|(name, _)| name == "Cargo.toml").map(|(_, text)| Toml::parse(text)).transpose()?;
    let mut found: Vec<Named> = own(&toml, &["package"]).into_iter().collect();
    for (table, scope) in [("dependencies", Scope::Runtime), ("dev-dependencies", Scope::Dev)] {
        let names = toml.item(&[table]).and_then(Item::as_table_like).into_iter().flat_map(TableLike::iter);
        found.extend(names.filter_map(|(name, _)| {
            let entry = cargo_toml::existing(&toml, root.as_ref(), table, name)?;
            let package = cargo_toml::package(&toml, root.as_ref(), table, name);
            Some(Named::on(entry.line, &package, entry.version.as_deref(), scope))
        }));
    }
    let shared = toml.item(&["workspace", "dependencies"]).and_then(Item::as_table_like);
    found.extend(shared.into_iter().flat_map(TableLike::iter).map(|(name, item)| {
        let version = item.as_str().or_else(|| item.as_table_like()?.get("version")?.as_str());
        Named::on(toml.line(&["workspace", "dependencies"], name), name, version, Scope::Version)
    }));
    found.sort_by_key(|named| named.line);
    Ok(found)
}

//! Manifests of Python projects.

use std::sync::LazyLock;

use anyhow::Result;
use regex::Regex;
use saphyr_parser::{Event, Parser};
use toml_edit::{Array, Item, TableLike};

use super::named::{Named, Scope, own};
use crate::core::{
    anchor::line_of,
    edit::{
        python::{Requirement, normal},
        toml::Toml,
    },
};

/// # Errors
/// When the text is not TOML.
pub fn pyproject(text: &str) -> Result<Vec<Named>> {
    let toml = Toml::parse(text)?;
    let mut found = vec![];
    let names = [&["project"][..], &["tool", "poetry"]].into_iter().find_map(|table| own(&toml, table));
    found.extend(names.map(|named| Named { name: normal(&named.name), ..named }));
    let table = |path: &[&str]| toml.item(path).and_then(Item::as_table_like);
    if let Some(array) = toml.item(&["project", "dependencies"]).and_then(Item::as_array) {
        listed(&toml, array, Scope::Runtime, &mut found);
    }
    let groups = [
        (&["project", "optional-dependencies"][..], Scope::Dev),
        (&["dependency-groups"], Scope::Dev),
        (&["tool", "pdm", "dev-dependencies"], Scope::Dev),
        (&["tool", "uv"], Scope::Dev),
    ];
    for (path, scope) in groups {
        let arrays = table(path).into_iter().flat_map(TableLike::iter);
        for (name, array) in arrays.filter_map(|(name, item)| Some((name, item.as_array()?))) {
            if path != ["tool", "uv"] || name == "dev-dependencies" {
                listed(&toml, array, scope, &mut found);
            }
        }
    }
    keyed(&toml, &["tool", "poetry", "dependencies"], Scope::Runtime, &mut found);
    keyed(&toml, &["tool", "poetry", "dev-dependencies"], Scope::Dev, &mut found);
    for (group, _) in table(&["tool", "poetry", "group"]).into_iter().flat_map(TableLike::iter) {
        keyed(&toml, &["tool", "poetry", "group", group, "dependencies"], Scope::Dev, &mut found);
    }
    Ok(found)
}

fn listed(toml: &Toml<'_>, array: &Array, scope: Scope, found: &mut Vec<Named>) {
    found.extend(array.iter().filter_map(|item| {
        let line = item.span().map_or(1, |span| line_of(toml.text(), toml.at(span).start));
        requirement(line, item.as_str()?, scope)
    }));
}

fn keyed(toml: &Toml<'_>, path: &[&str], scope: Scope, found: &mut Vec<Named>) {
    let names = toml.item(path).and_then(Item::as_table_like).into_iter().flat_map(TableLike::iter);
    found.extend(names.map(|(name, item)| {
        let version = item.as_str().or_else(|| item.get("version")?.as_str()).filter(|version| *version != "*");
        Named::on(toml.line(path, name), &normal(name), version, scope)
    }));
}

/// # Errors
/// When the text is not TOML.
pub fn pipfile(text: &str) -> Result<Vec<Named>> {
    let toml = Toml::parse(text)?;
    let mut found = vec![];
    keyed(&toml, &["packages"], Scope::Runtime, &mut found);
    keyed(&toml, &["dev-packages"], Scope::Dev, &mut found);
    Ok(found)
}

/// A list of requirements; one that is for tests or tools has that in its name.
#[must_use]
pub fn requirements(name: &str, text: &str) -> Vec<Named> {
    let parts = name.trim_end_matches(".txt").split(['-', '_', '.', '/']);
    let dev = parts.into_iter().any(|part| {
        matches!(
            part,
            "test" | "tests" | "testing" | "doc" | "docs" | "lint" | "ci" | "dev" | "develop" | "development"
        )
    });
    let scope = if dev { Scope::Dev } else { Scope::Runtime };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with(['#', '-']));
    lines.filter_map(|(index, line)| requirement(index + 1, line, scope)).collect()
}

fn requirement(line: usize, text: &str, scope: Scope) -> Option<Named> {
    let requirement = Requirement::parse(text)?;
    Some(Named::on(line, &requirement.name, requirement.versions.as_deref(), scope))
}

static LIST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)\binstall_requires\s*=\s*\[(.*?)\n?\s*\][,)\s]").ok());
static QUOTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"["']([A-Za-z0-9][^"'\n]*)["']"#).ok());

static VARIABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\binstall_requires\s*=\s*([A-Za-z_]\w*)\s*[,)\n]").ok());

/// The list that `install_requires` is given by its name.
fn by_name(text: &str) -> Option<regex::Match<'_>> {
    let name = VARIABLE.as_ref()?.captures(text)?.get(1)?.as_str();
    let list = Regex::new(&format!(r"(?ms)^{name}\s*=\s*\[(.*?)\n?^?\s*\]\s*$")).ok()?;
    list.captures(text)?.get(1)
}

/// The strings in `install_requires=[…]`, or in the list that is named there; what is computed is not read.
#[must_use]
pub fn setup_py(text: &str) -> Vec<Named> {
    let mut found = vec![];
    let list =
        LIST.as_ref().and_then(|list| list.captures(text)).and_then(|list| list.get(1)).or_else(|| by_name(text));
    if let (Some(list), Some(quoted)) = (list, QUOTED.as_ref()) {
        let strings = quoted.captures_iter(list.as_str()).filter_map(|string| string.get(1));
        found.extend(strings.filter_map(|string| {
            let line = line_of(text, list.start() + string.start());
            requirement(line, string.as_str(), Scope::Runtime)
        }));
    }
    found
}

/// `install_requires` of a `setup.cfg`.
#[must_use]
pub fn setup_cfg(text: &str) -> Vec<Named> {
    let (mut found, mut inside) = (vec![], false);
    for (index, line) in text.lines().enumerate() {
        if line.starts_with([' ', '\t']) {
            let wanted = inside && !line.trim_start().starts_with('#');
            found.extend(wanted.then(|| requirement(index + 1, line.trim(), Scope::Runtime)).flatten());
        } else if !line.is_empty() {
            inside = line.trim_start().starts_with("install_requires");
        }
    }
    found
}

/// The packages of a conda environment: `name=1.2` of conda, requirements of pip.
///
/// # Errors
/// When the text is not YAML.
pub fn environment(text: &str) -> Result<Vec<Named>> {
    let (mut found, lines): (_, Vec<&str>) = (vec![], text.lines().collect());
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| anyhow::anyhow!("not valid YAML: {error}"))?;
        let Event::Scalar(value, ..) = event else { continue };
        let line = span.start.line();
        let listed = lines.get(line.saturating_sub(1)).is_some_and(|line| line.trim_start().starts_with('-'));
        let value = if value.contains("==") { value.into_owned() } else { value.replacen('=', "==", 1) };
        if listed {
            found.extend(requirement(line, &value, Scope::Runtime));
        }
    }
    Ok(found)
}

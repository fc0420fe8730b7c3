//! Manifests that are JSON: of npm, Composer and Deno, and projects of Nx.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use super::{
    members,
    named::{Above, Named, Scope},
};
use crate::core::anchor::line_of;

fn parse(text: &str) -> Result<(&str, Value)> {
    let text = text.trim_start_matches('\u{feff}');
    Ok((text, serde_json::from_str(text).context("not valid JSON")?))
}

/// The tables of a manifest that name packages, each with its scope.
fn tables(text: &str, json: &Value, tables: &[(&str, Scope)]) -> Vec<Named> {
    let mut found = vec![];
    for (table, scope) in tables {
        let Some(all) = json.get(table).and_then(Value::as_object) else { continue };
        let from = key(text, table).unwrap_or(0);
        // Entries stand in this order, so that each is looked for behind the last: there may be very many.
        let (mut at, mut line) = (from, line_of(text, from));
        found.extend(all.iter().map(|(name, version)| {
            if let Some(ahead) = key(&text[at..], name) {
                line += line_of(&text[at..], ahead) - 1;
                at += ahead;
            } else if let Some(behind) = key(&text[from..], name) {
                return Named::on(line_of(text, from + behind), name, version.as_str(), *scope);
            }
            Named::on(line, name, version.as_str(), *scope)
        }));
    }
    found
}

/// What a manifest calls its package.
fn own(text: &str, json: &Value) -> Option<Named> {
    Some(Named::own(text, key(text, "name")?, json.get("name")?.as_str()?))
}

/// Where a key stands first, as one: the same string may be a value before.
fn key(text: &str, name: &str) -> Option<usize> {
    let quoted = format!("\"{name}\"");
    let is_key = |at: &usize| text[at + quoted.len()..].trim_start().starts_with(':');
    text.match_indices(&quoted).map(|(at, _)| at).find(is_key)
}

/// The versions in the catalogues of a workspace of bun, by catalogue and package.
fn catalogs(json: &Value) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for place in [json.get("workspaces"), Some(json)].into_iter().flatten() {
        let one = place.get("catalog").into_iter().map(|all| ("default", all));
        let several = place.get("catalogs").and_then(Value::as_object).into_iter().flatten();
        for (catalog, all) in one.chain(several.map(|(catalog, all)| (catalog.as_str(), all))) {
            for (name, version) in all.as_object().into_iter().flatten() {
                let version = version.as_str().unwrap_or_default().to_owned();
                found.entry((catalog.to_owned(), name.clone())).or_insert(version);
            }
        }
    }
    found
}

/// A manifest of npm, with versions from the catalogues of a workspace: a `pnpm-workspace.yaml`, `.yarnrc.yml` or manifest.
///
/// # Errors
/// When the text is not JSON.
pub fn npm(text: &str, above: &Above) -> Result<Vec<Named>> {
    let (text, json) = parse(text)?;
    let mut found = tables(
        text,
        &json,
        &[
            ("dependencies", Scope::Runtime),
            ("optionalDependencies", Scope::Runtime),
            ("devDependencies", Scope::Dev),
            ("peerDependencies", Scope::Peer),
        ],
    );
    found.extend(own(text, &json));
    let is_catalogued = |named: &Named| named.requirement.as_deref().is_some_and(|it| it.starts_with("catalog:"));
    if !found.iter().any(is_catalogued) {
        return Ok(found);
    }
    let mut catalogs = catalogs(&json);
    for (name, text) in above {
        let more = if name == "package.json" {
            parse(text).map(|(_, json)| self::catalogs(&json)).unwrap_or_default()
        } else {
            members::catalogs(text)
        };
        for (key, version) in more {
            catalogs.entry(key).or_insert(version);
        }
    }
    for named in &mut found {
        if let Some(catalog) = named.requirement.as_deref().and_then(|written| written.strip_prefix("catalog:")) {
            let catalog = if catalog.is_empty() { "default" } else { catalog };
            named.requirement = catalogs.get(&(catalog.to_owned(), named.name.clone())).cloned();
        }
    }
    Ok(found)
}

/// # Errors
/// When the text is not JSON.
pub fn composer(text: &str) -> Result<Vec<Named>> {
    let (text, json) = parse(text)?;
    let mut found = tables(text, &json, &[("require", Scope::Runtime), ("require-dev", Scope::Dev)]);
    found.extend(own(text, &json));
    Ok(found)
}

/// # Errors
/// When the text is not JSON, with comments or without.
pub fn deno(text: &str) -> Result<Vec<Named>> {
    let text = text.trim_start_matches('\u{feff}');
    let json: Value = jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default())
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("not valid JSON")?;
    let imports = json.get("imports").and_then(Value::as_object);
    Ok(imports.into_iter().flat_map(Map::iter).filter_map(|(key, to)| import(text, key, to.as_str()?)).collect())
}

/// `"hono": "npm:hono@^4"`: the package and version behind a name.
fn import(text: &str, name: &str, to: &str) -> Option<Named> {
    let line = line_of(text, key(text, name)?);
    let (package, version) = match to.split_once(':') {
        Some(("npm" | "jsr", package)) => {
            let package = package.trim_start_matches('/');
            let at = package.get(1..)?.find('@').map(|at| at + 1);
            let version = at.and_then(|at| package[at + 1..].split('/').next());
            (at.map_or(package, |at| &package[..at]), version)
        }
        _ => (name.trim_end_matches('/'), None),
    };
    Some(Named::on(line, package, version, Scope::Runtime))
}

/// The programs that build a project, as packages: `@nx/next:build` is the package `@nx/next`.
///
/// # Errors
/// When the text is not JSON.
pub fn project(text: &str) -> Result<Vec<Named>> {
    let (text, json) = parse(text)?;
    let targets = json.get("targets").or_else(|| json.get("architect")).and_then(Value::as_object);
    let programs = targets.into_iter().flat_map(Map::values).filter_map(|target| {
        let program = target.get("executor").or_else(|| target.get("builder"))?.as_str()?;
        let line = line_of(text, text.find(program)?);
        Some(Named::on(line, program.split(':').next()?, None, Scope::Build))
    });
    Ok(programs.collect())
}

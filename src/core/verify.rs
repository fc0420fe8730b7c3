//! Compares the project with what was generated: files, lock, wiring, library versions.

use anyhow::Result;
use semver::Version;
use serde::Serialize;

use super::{
    anchor,
    edit::{cargo_toml, lines, toml::Toml},
    lock::{self, Layer, Lock},
    manifest,
    pack::{Dependency, Pack},
    plan::{self, Workspace},
    project::{RelPath, Text, Tree, sha256},
    render::{self, Facts},
};

/// One difference from what was generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    pub cause: Cause,
    /// Where, as `path` or `path:line`.
    pub at: String,
    pub what: String,
    pub fix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    FileChanged,
    FileMissing,
    LockEdited,
    WiringMissing,
    LibraryMissing,
    LibraryBelowFloor,
    LibraryReplaced,
    Unverifiable,
}

const RESTORE: &str = "restore it from version control; if the change is meant, take it over and say so in review";

/// Every drift of the project from its lock, in the lock's order.
///
/// # Errors
/// When a pack is malformed.
pub fn verify(packs: &[Pack], lock: &Lock, tree: &Tree, workspace: &Workspace) -> Result<Vec<Drift>> {
    let mut drifts = vec![];
    for layer in &lock.layer {
        let pack = packs.iter().find(|pack| pack.manifest.id == layer.pack);
        match pack.filter(|pack| pack.manifest.version == layer.pack_version) {
            Some(pack) => layer_drift(pack, layer, tree, workspace, &mut drifts)?,
            None => drifts.push(Drift {
                cause: Cause::Unverifiable,
                at: lock::PATH.to_owned(),
                what: format!("pack `{}` {} is not in this version of authwright", layer.pack, layer.pack_version),
                fix: "use the authwright version that wrote the lock".to_owned(),
            }),
        }
    }
    Ok(drifts)
}

fn layer_drift(pack: &Pack, layer: &Layer, tree: &Tree, workspace: &Workspace, out: &mut Vec<Drift>) -> Result<()> {
    let facts = plan::layer_facts(pack, layer);
    files(pack, layer, tree, &facts, out);
    wiring(pack, layer, tree, out)?;
    libraries(pack, tree, workspace, &facts, out)
}

/// Files are compared with a fresh render, never with the lock's hashes alone: a lock edited to match a changed file
/// is drift as well.
fn files(pack: &Pack, layer: &Layer, tree: &Tree, facts: &Facts, out: &mut Vec<Drift>) {
    let Ok(rendered) = plan::rendered(pack, facts) else {
        out.push(lock_edited("the facts it records do not render the pack"));
        return;
    };
    for (path, text) in &rendered {
        let recorded = layer.created.iter().find(|created| created.path == *path);
        if recorded.is_none_or(|created| created.sha256 != sha256(text.as_bytes())) {
            out.push(lock_edited(&format!("what it records for `{path}` is not what pack `{}` renders", layer.pack)));
        }
        if pack.file_rule(path.as_str()).is_some_and(|rule| rule.example) {
            continue;
        }
        out.extend(file(path, text, tree.get(path)));
    }
    let unknown = layer.created.iter().filter(|created| !rendered.iter().any(|(path, _)| *path == created.path));
    out.extend(
        unknown.map(|created| lock_edited(&format!("it records `{}`, which the pack does not have", created.path))),
    );
}

fn file(path: &RelPath, rendered: &str, now: Option<&Text>) -> Option<Drift> {
    let drift =
        |cause, at: String, what: &str| Some(Drift { cause, at, what: what.to_owned(), fix: RESTORE.to_owned() });
    match now {
        None => drift(Cause::FileMissing, path.to_string(), "the generated file is missing"),
        Some(now) if now.as_rendered() != rendered => {
            let line = 1 + now.raw().lines().zip(rendered.lines()).take_while(|(a, b)| a == b).count();
            drift(Cause::FileChanged, format!("{path}:{line}"), "the file is not what was generated")
        }
        Some(_) => None,
    }
}

fn lock_edited(what: &str) -> Drift {
    Drift {
        cause: Cause::LockEdited,
        at: lock::PATH.to_owned(),
        what: format!("the lock was edited: {what}"),
        fix: "restore the lock from version control".to_owned(),
    }
}

fn wiring(pack: &Pack, layer: &Layer, tree: &Tree, out: &mut Vec<Drift>) -> Result<()> {
    let set = anchor::glob_set(&pack.manifest.reads)?;
    let own = |path: &RelPath| layer.created.iter().any(|created| created.path == *path);
    let sources: Vec<&Text> = tree
        .iter()
        .filter(|(path, _)| set.is_match(path.as_str()) && pack.language.reads(path) && !own(path))
        .map(|(_, text)| text)
        .collect();
    for holds in pack.manifest.wire.iter().flat_map(|wire| &wire.holds) {
        // Anywhere will do: the user may have moved the line to another file.
        let stands = sources.iter().map(|text| anchor::matches(&pack.language, &holds.rule, text.raw()));
        if stands.collect::<Result<Vec<_>>>()?.iter().all(Vec::is_empty) {
            out.push(missing_wire(pack, layer, &holds.line));
        }
    }
    list_lines(pack, tree, out);
    Ok(())
}

fn missing_wire(pack: &Pack, layer: &Layer, line: &str) -> Drift {
    let edited = layer.edited.iter().map(|edited| &edited.path).filter(|path| pack.language.reads(path));
    let at: Vec<&str> = edited.map(RelPath::as_str).collect();
    let steps: Vec<&str> = layer.manual.iter().map(|step| step.what.as_str()).collect();
    Drift {
        cause: Cause::WiringMissing,
        at: at.join(", "),
        what: format!("the wiring `{line}` is missing"),
        fix: if steps.is_empty() {
            format!("put `{line}` back")
        } else {
            format!("finish the steps left to you: {}", steps.join("; "))
        },
    }
}

fn list_lines(pack: &Pack, tree: &Tree, out: &mut Vec<Drift>) {
    for wanted in pack.manifest.lines.iter().filter(|wanted| wanted.required) {
        let text = tree.text(&wanted.file).unwrap_or_default();
        for line in wanted.lines.iter().filter(|line| !lines::holds(text, line)) {
            out.push(Drift {
                cause: Cause::WiringMissing,
                at: wanted.file.clone(),
                what: format!("the line `{line}` is gone"),
                fix: format!("put `{line}` back into `{}`", wanted.file),
            });
        }
    }
}

fn libraries(pack: &Pack, tree: &Tree, workspace: &Workspace, facts: &Facts, out: &mut Vec<Drift>) -> Result<()> {
    let path = &pack.manifest.detect.manifest;
    let parsed = tree.text(path).and_then(|text| Toml::parse(text).ok());
    let Some(toml) = parsed else {
        out.push(library(Cause::LibraryMissing, path.clone(), format!("`{path}` cannot be read"), "repair it"));
        return Ok(());
    };
    let root = workspace.manifest.as_ref().map(|text| Toml::parse(text.raw())).transpose()?;
    for dependency in &pack.manifest.dependency {
        if render::holds(dependency.when.as_deref(), facts)? {
            let recorded = facts.get("dep").and_then(|all| all.get(dependency.name.replace('-', "_")));
            let key = recorded.and_then(|dep| dep.get("key")?.as_str()).unwrap_or(&dependency.name);
            out.extend(one_library(dependency, key, &toml, root.as_ref(), workspace, path)?);
        }
    }
    Ok(())
}

fn one_library(
    dependency: &Dependency,
    key: &str,
    toml: &Toml<'_>,
    root: Option<&Toml<'_>>,
    workspace: &Workspace,
    path: &str,
) -> Result<Option<Drift>> {
    let name = &dependency.name;
    let table = if dependency.dev { "dev-dependencies" } else { "dependencies" };
    let Some(entry) = cargo_toml::existing(toml, root, table, key) else {
        let what = format!("`{name}` is no longer among the {table}");
        return Ok(Some(library(Cause::LibraryMissing, path.to_owned(), what, "put the line back")));
    };
    if let Some(by) = cargo_toml::replaced(toml, root, table, key, name) {
        let what = format!("`{name}` is replaced by {by}");
        let at = format!("{path}:{}", entry.line);
        return Ok(Some(library(Cause::LibraryReplaced, at, what, "use the package of that name from the registry")));
    }
    let (Some(floor), Some(written)) = (&dependency.floor, &entry.version) else { return Ok(None) };
    let below = match resolved(name, written, workspace)? {
        Some(version) if version < *floor => format!("`{name}` is resolved to {version}"),
        None if !reaches(written, floor) => format!("`{name} = \"{written}\"` keeps it"),
        _ => return Ok(None),
    };
    let what = format!("{below} below {floor}, the lowest version without a known weakness");
    let fix = format!("require `{name}` {floor} or newer and update the lock file");
    Ok(Some(library(Cause::LibraryBelowFloor, format!("{path}:{}", entry.line), what, &fix)))
}

/// The lowest version in the lock file that the requirement admits; none if it has not been resolved.
fn resolved(name: &str, written: &str, workspace: &Workspace) -> Result<Option<Version>> {
    let Some(lock) = &workspace.lock else { return Ok(None) };
    Ok(manifest::locked(lock, name)?.into_iter().filter(|version| manifest::admits(written, version)).min())
}

/// Whether a requirement admits the floor or begins above it.
fn reaches(written: &str, floor: &Version) -> bool {
    manifest::admits(written, floor) || cargo_toml::lowest(written).is_some_and(|lowest| lowest >= *floor)
}

fn library(cause: Cause, at: String, what: String, fix: &str) -> Drift {
    Drift { cause, at, what, fix: fix.to_owned() }
}

#[cfg(test)]
mod tests;

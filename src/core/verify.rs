//! Compares the project with what was generated: files, lock, wiring, library versions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use semver::Version;
use serde::Serialize;

use super::{
    anchor,
    choose::Answer,
    edit::{dependencies::Dependencies, lines},
    facts, generated,
    lock::{self, Layer, Lock},
    manifest,
    pack::{Dependency, Pack, PackOption},
    plan::Workspace,
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

/// Every drift of the project from its lock, each once: the lock layer by layer, the project as the last one left it.
///
/// # Errors
/// When a pack is malformed.
pub fn verify(packs: &[Pack], lock: &Lock, tree: &Tree, workspace: &Workspace) -> Result<Vec<Drift>> {
    let mut drifts = vec![];
    let known = |layer: &&Layer| {
        let same = |pack: &&Pack| pack.manifest.id == layer.pack && pack.manifest.version == layer.pack_version;
        packs.iter().find(same)
    };
    let Some(pack) = lock.layer.first().as_ref().and_then(known) else {
        return Ok(lock.layer.first().map(unverifiable).into_iter().collect());
    };
    if let Some(other) = lock.layer.iter().find(|layer| known(layer).is_none()) {
        return Ok(vec![unverifiable(other)]);
    }
    let mut files = BTreeMap::new();
    for (index, layer) in lock.layer.iter().enumerate() {
        let facts = facts::recorded(pack, &lock.layer[..=index]);
        let Ok(now) = generated::files(pack, &facts) else {
            drifts.push(lock_edited("the facts it records do not render the pack"));
            return Ok(drifts);
        };
        let now = now.into_iter().collect();
        if !answers_fit(pack, layer) {
            drifts.push(lock_edited("it has answers that the pack does not have"));
        }
        layer_drift(pack, layer, &files, &now, &mut drifts);
        files = now;
    }
    for (path, text) in files.iter().filter(|(path, _)| !pack.is_example(path)) {
        drifts.extend(file(path, text, tree.get(path)));
    }
    let facts = facts::recorded(pack, &lock.layer);
    wiring(pack, lock, tree, &facts, &mut drifts)?;
    libraries(pack, tree, workspace, &facts, &mut drifts)?;
    Ok(drifts)
}

/// Each option of the pack has an answer of its kind, and there are no others.
fn answers_fit(pack: &Pack, layer: &Layer) -> bool {
    let options = &pack.manifest.option;
    let fits = |option: &PackOption| {
        layer.answers.get(&option.id).is_some_and(|answer| {
            let known = |value: &String| option.choice.iter().any(|choice| choice.value == *value);
            matches!(answer, Answer::Several(_)) == option.multiple && answer.values().iter().all(known)
        })
    };
    layer.answers.len() == options.len() && options.iter().all(fits)
}

fn unverifiable(layer: &Layer) -> Drift {
    Drift {
        cause: Cause::Unverifiable,
        at: lock::PATH.to_owned(),
        what: format!("pack `{}` {} is not in this version of authwright", layer.pack, layer.pack_version),
        fix: "use the authwright version that wrote the lock".to_owned(),
    }
}

/// A lock is compared with fresh renders, never believed: one edited to match a changed file is drift as well. `old` and
/// `new` are what was rendered before the layer and with it.
fn layer_drift(
    pack: &Pack,
    layer: &Layer,
    old: &BTreeMap<RelPath, String>,
    new: &BTreeMap<RelPath, String>,
    out: &mut Vec<Drift>,
) {
    let hash = |text: &String| sha256(text.as_bytes());
    let created = |path: &RelPath| layer.created.iter().find(|created| created.path == *path);
    let changed = |path: &RelPath| layer.edited.iter().find(|edited| edited.path == *path && edited.rendered.is_some());
    for (path, text) in new {
        let stands = match old.get(path) {
            None => created(path).is_some_and(|created| created.sha256 == hash(text)),
            Some(before) if before == text => true,
            // One that the user deleted, or changed where it would change, was left alone.
            Some(_) if pack.is_example(path) && changed(path).is_none() => true,
            Some(_) => changed(path).is_some_and(|edited| edited.rendered == Some(hash(text))),
        };
        if !stands {
            out.push(lock_edited(&format!("what it records for `{path}` is not what pack `{}` renders", layer.pack)));
        }
    }
    let is_new = |path: &RelPath| new.contains_key(path) && !old.contains_key(path);
    let is_changed = |path: &RelPath| old.get(path).zip(new.get(path)).is_some_and(|(old, new)| old != new);
    let created = layer.created.iter().map(|created| &created.path).filter(|path| !is_new(path));
    let rendered = layer.edited.iter().filter(|edited| edited.rendered.is_some()).map(|edited| &edited.path);
    let unknown = created.chain(rendered.filter(|path| !is_changed(path)));
    out.extend(unknown.map(|path| lock_edited(&format!("it records `{path}`, which the pack does not render there"))));
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

fn wiring(pack: &Pack, lock: &Lock, tree: &Tree, facts: &Facts, out: &mut Vec<Drift>) -> Result<()> {
    let set = anchor::glob_set(&pack.manifest.reads)?;
    let created: Vec<&RelPath> = lock.layer.iter().flat_map(|layer| &layer.created).map(|file| &file.path).collect();
    let sources: Vec<&Text> = tree
        .iter()
        .filter(|(path, _)| set.is_match(path.as_str()) && pack.language.reads(path) && !created.contains(path))
        .map(|(_, text)| text)
        .collect();
    for wire in pack.manifest.wire.iter().filter(|wire| !wire.holds.is_empty()) {
        if !render::holds(wire.when.as_deref(), facts)? {
            continue;
        }
        for holds in &wire.holds {
            // Anywhere will do: the user may have moved the line to another file.
            let stands = sources.iter().map(|text| anchor::matches(&pack.language, &holds.rule, text.raw()));
            if stands.collect::<Result<Vec<_>>>()?.iter().all(Vec::is_empty) {
                out.push(missing_wire(pack, lock, &holds.line));
            }
        }
    }
    list_lines(pack, tree, facts, out)
}

fn missing_wire(pack: &Pack, lock: &Lock, line: &str) -> Drift {
    let edited = lock.layer.iter().flat_map(|layer| &layer.edited).filter(|edited| edited.rendered.is_none());
    let at: BTreeSet<&str> =
        edited.filter(|edited| pack.language.reads(&edited.path)).map(|edited| edited.path.as_str()).collect();
    let steps: Vec<&str> = lock.layer.iter().flat_map(|layer| &layer.manual).map(|step| step.what.as_str()).collect();
    Drift {
        cause: Cause::WiringMissing,
        at: at.into_iter().collect::<Vec<_>>().join(", "),
        what: format!("the wiring `{line}` is missing"),
        fix: if steps.is_empty() {
            format!("put `{line}` back")
        } else {
            format!("finish the steps left to you: {}", steps.join("; "))
        },
    }
}

fn list_lines(pack: &Pack, tree: &Tree, facts: &Facts, out: &mut Vec<Drift>) -> Result<()> {
    for wanted in pack.manifest.lines.iter().filter(|wanted| wanted.required) {
        let elsewhere = wanted.root && !facts::at_root(facts);
        if elsewhere || !render::holds(wanted.when.as_deref(), facts)? {
            continue;
        }
        let file = lines::file(wanted, tree);
        let text = tree.text(file).unwrap_or_default();
        for line in lines::rendered(wanted, facts)?.iter().filter(|line| !lines::holds(text, line)) {
            out.push(Drift {
                cause: Cause::WiringMissing,
                at: file.to_owned(),
                what: format!("the line `{line}` is gone"),
                fix: format!("put `{line}` back into `{file}`"),
            });
        }
    }
    Ok(())
}

fn libraries(pack: &Pack, tree: &Tree, workspace: &Workspace, facts: &Facts, out: &mut Vec<Drift>) -> Result<()> {
    let path = pack.manifest_of(tree);
    let parsed = tree.text(path).and_then(|text| Dependencies::open(path, text, workspace).ok());
    let Some(there) = parsed else {
        out.push(library(Cause::LibraryMissing, path.to_owned(), format!("`{path}` cannot be read"), "repair it"));
        return Ok(());
    };
    for dependency in &pack.manifest.dependency {
        if render::holds(dependency.when.as_deref(), facts)? {
            let recorded = facts.get("dep").and_then(|all| all.get(dependency.name.replace('-', "_")));
            let key = recorded.and_then(|dep| dep.get("key")?.as_str()).unwrap_or(&dependency.name);
            out.extend(one_library(dependency, key, &there, workspace, path)?);
        }
    }
    Ok(())
}

fn one_library(
    dependency: &Dependency,
    key: &str,
    there: &Dependencies<'_>,
    workspace: &Workspace,
    path: &str,
) -> Result<Option<Drift>> {
    let name = &dependency.name;
    let all = if dependency.dev { "dependencies of development" } else { "dependencies" };
    let Some(entry) = there.existing(dependency, key) else {
        let what = format!("`{name}` is no longer among the {all}");
        return Ok(Some(library(Cause::LibraryMissing, path.to_owned(), what, "put the line back")));
    };
    if let Some(by) = there.replaced(dependency, key) {
        let what = format!("`{name}` is replaced by {by}");
        let at = format!("{path}:{}", entry.line);
        return Ok(Some(library(Cause::LibraryReplaced, at, what, "use the package of that name from the registry")));
    }
    let (Some(floor), Some(written)) = (&dependency.floor, &entry.version) else { return Ok(None) };
    let below = match resolved(name, written, there, workspace)? {
        Some(version) if version < *floor => format!("`{name}` is resolved to {version}"),
        None if !reaches(written, floor, there) => format!("`{name} = \"{written}\"` keeps it"),
        _ => return Ok(None),
    };
    let what = format!("{below} below {floor}, the lowest version without a known weakness");
    let fix = format!("require `{name}` {floor} or newer and update the lock file");
    Ok(Some(library(Cause::LibraryBelowFloor, format!("{path}:{}", entry.line), what, &fix)))
}

/// The lowest version in the lock file that the requirement admits; none if it has not been resolved.
fn resolved(name: &str, written: &str, there: &Dependencies<'_>, workspace: &Workspace) -> Result<Option<Version>> {
    let Some(lock) = &workspace.lock else { return Ok(None) };
    Ok(manifest::locked(lock, name)?.into_iter().filter(|version| there.admits(Some(written), version)).min())
}

/// Whether a requirement admits the floor or begins above it.
fn reaches(written: &str, floor: &Version, there: &Dependencies<'_>) -> bool {
    there.admits(Some(written), floor) || there.lowest(written).is_some_and(|lowest| lowest >= *floor)
}

fn library(cause: Cause, at: String, what: String, fix: &str) -> Drift {
    Drift { cause, at, what, fix: fix.to_owned() }
}

#[cfg(test)]
mod tests;

//! Packages: a folder with manifests of one ecosystem, and what they name.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    Evidence,
    knowledge::{Ecosystem, Framework, Knowledge, Sign},
    sight::{Sight, View, shorten},
};
use crate::core::{
    manifest::{
        self,
        named::{self, Named, Scope},
    },
    project::Text,
};

pub struct Package<'s> {
    pub ecosystem: usize,
    /// Empty for the folder looked at.
    pub folder: String,
    /// Whole paths; none for a package that only its sources make.
    pub manifests: Vec<String>,
    /// Each with the manifest that names it.
    pub named: Vec<(String, Named)>,
    pub(super) view: OnceCell<View<'s>>,
}

impl Package<'_> {
    /// The first dependency that one of some names stands for, in the order of the names.
    #[must_use]
    pub fn find(&self, names: &[String], scopes: &[Scope]) -> Option<&(String, Named)> {
        let first =
            |name: &String| self.named.iter().find(|(_, named)| scopes.contains(&named.scope) && is(name, &named.name));
        names.iter().find_map(first)
    }
}

/// Whether a name, in which `*` stands for anything, stands for another.
#[must_use]
pub fn is(wanted: &str, name: &str) -> bool {
    let mut parts = wanted.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[must_use]
pub fn claim(path: &str, named: &Named) -> Evidence {
    Evidence { file: path.to_owned(), line: named.line, text: shorten(&named.text) }
}

#[must_use]
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// A folder and those above it, nearest first, down to the empty one.
pub fn upwards(folder: &str) -> impl Iterator<Item = &str> {
    let parts = folder.match_indices('/').map(|(at, _)| &folder[..at]).rev();
    let own = (!folder.is_empty()).then_some(folder);
    own.into_iter().chain(parts).chain([""])
}

/// What a folder's manifests make of it.
#[derive(Default)]
pub struct Packages<'s> {
    pub all: Vec<Package<'s>>,
    /// Ecosystem and folder of those that are no apps of the project itself.
    pub passed: Vec<(usize, String)>,
    /// Manifests that cannot be read, and why.
    pub unread: Vec<String>,
    /// Every name that a manifest of an ecosystem names, but its own.
    names: BTreeSet<(usize, String)>,
}

impl Packages<'_> {
    /// Whether any package of an ecosystem names one of these, as another.
    #[must_use]
    pub fn name(&self, ecosystem: usize, wanted: &[String]) -> bool {
        wanted.iter().any(|wanted| match wanted.split_once('*') {
            None => self.names.contains(&(ecosystem, wanted.clone())),
            Some((start, _)) => {
                let from = self.names.range((ecosystem, start.to_owned())..);
                let mut near = from.take_while(|(of, name)| *of == ecosystem && name.starts_with(start));
                near.any(|(_, name)| is(wanted, name))
            }
        })
    }
}

/// Every package below the folder looked at.
#[must_use]
pub fn packages<'s>(known: &Knowledge, sight: &Sight<'_>) -> Packages<'s> {
    let mut passed = vec![];
    let mut found: BTreeMap<(String, usize), Vec<&String>> = BTreeMap::new();
    for path in sight.paths() {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        for (index, ecosystem) in known.ecosystems.iter().enumerate() {
            match owner(ecosystem, folder, name) {
                Some(folder) if skipped(known, folder) => passed.push((index, folder.to_owned())),
                Some(folder) => found.entry((folder.to_owned(), index)).or_default().push(path),
                None => {}
            }
        }
    }
    let mut unread = vec![];
    let read = |((folder, ecosystem), manifests): ((String, usize), Vec<&String>)| {
        let mut manifests: Vec<String> = manifests.into_iter().cloned().collect();
        manifests.sort_by_key(|path| rank(&known.ecosystems[ecosystem], path));
        let named = named(&known.ecosystems[ecosystem], sight, &manifests, &mut unread);
        Package { ecosystem, folder, manifests, named, view: OnceCell::new() }
    };
    let mut all: Vec<Package<'s>> = found.into_iter().map(read).collect();
    without_settings(known, &mut all, &unread);
    unmade(known, sight, &mut all);
    passed.dedup();
    let names = all.iter().flat_map(|package| {
        let others = package.named.iter().filter(|(_, named)| named.scope != Scope::Own);
        others.map(|(_, named)| (package.ecosystem, named.name.clone()))
    });
    let names = names.collect();
    Packages { all, passed, unread, names }
}

/// Takes out what holds settings of tools alone: its files are those of the package above.
fn without_settings(known: &Knowledge, all: &mut Vec<Package<'_>>, unread: &[String]) {
    let says_nothing = |package: &Package<'_>| {
        package.named.is_empty()
            && package.manifests.iter().all(|path| {
                let name = path.rsplit('/').next().unwrap_or(path);
                let is_read = !unread.iter().any(|file| file.starts_with(&format!("{path}: ")));
                is_read && known.ecosystems[package.ecosystem].settings.iter().any(|glob| glob.matches(name))
            })
    };
    let saying = all.iter().filter(|package| !says_nothing(package));
    let saying: BTreeSet<(usize, String)> = saying.map(|package| (package.ecosystem, package.folder.clone())).collect();
    let is_below = |package: &Package<'_>| {
        let mut above = upwards(&package.folder).skip(1);
        above.any(|at| saying.contains(&(package.ecosystem, at.to_owned())))
    };
    all.retain(|package| saying.contains(&(package.ecosystem, package.folder.clone())) || !is_below(package));
}

/// Where a manifest's name stands among those of an ecosystem: what the first says counts.
fn rank(ecosystem: &Ecosystem, path: &str) -> usize {
    let name = path.rsplit('/').next().unwrap_or(path);
    ecosystem.manifests.iter().position(|glob| glob.matches(name)).unwrap_or(usize::MAX)
}

/// The folder that a file is a manifest of.
fn owner<'f>(ecosystem: &Ecosystem, folder: &'f str, name: &str) -> Option<&'f str> {
    // A folder of lists may have one for each of several kinds.
    let mut near = upwards(folder).take(2).map(|at| at.rsplit_once('/').unwrap_or(("", at)));
    if let Some((above, last)) = near.find(|(_, last)| ecosystem.inside.iter().any(|inside| inside == last)) {
        let path = format!("{last}/{name}");
        return ecosystem.manifests.iter().any(|glob| glob.matches(&path)).then_some(above);
    }
    ecosystem.manifests.iter().any(|glob| glob.matches(name)).then_some(folder)
}

/// Whether a folder is one that holds no app of the project itself.
fn skipped(known: &Knowledge, folder: &str) -> bool {
    let kept = known.folders.keep.iter().any(|end| folder == end || folder.ends_with(&format!("/{end}")));
    let parts = folder.split('/').filter(|part| !part.is_empty());
    let count = parts.clone().count() - usize::from(kept);
    let is_skipped = |part: &str| part.contains("{{") || known.folders.skip.iter().any(|glob| glob.matches(part));
    parts.take(count).any(is_skipped)
}

/// Packages that have no manifest, by their marks.
fn unmade(known: &Knowledge, sight: &Sight<'_>, packages: &mut Vec<Package<'_>>) {
    let mut found = vec![];
    for path in sight.paths() {
        for (index, ecosystem) in known.ecosystems.iter().enumerate() {
            let folder = ecosystem.marks.iter().find_map(|mark| marked(path, mark));
            found.extend(folder.filter(|folder| !skipped(known, folder)).map(|folder| (folder, index)));
        }
    }
    found.sort_unstable();
    for (folder, ecosystem) in found {
        let is_there = |package: &Package<'_>| {
            package.ecosystem == ecosystem && upwards(folder).any(|above| above == package.folder)
        };
        if !packages.iter().any(is_there) {
            let view = OnceCell::new();
            packages.push(Package { ecosystem, folder: folder.to_owned(), manifests: vec![], named: vec![], view });
        }
    }
}

/// The folder that a mark, if a path is one, makes a package.
fn marked<'p>(path: &'p str, mark: &str) -> Option<&'p str> {
    match mark.strip_prefix('/') {
        Some(top) => (path == top).then_some(""),
        None => match path.strip_suffix(mark)? {
            "" => Some(""),
            above => above.strip_suffix('/'),
        },
    }
}

fn named(
    ecosystem: &Ecosystem,
    sight: &Sight<'_>,
    manifests: &[String],
    unread: &mut Vec<String>,
) -> Vec<(String, Named)> {
    let mut all = vec![];
    for path in manifests {
        let Some(text) = sight.text(path) else {
            unread.push(format!("{path}: {}", sight.why(path).unwrap_or_default()));
            continue;
        };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let above = inherited(ecosystem, sight, folder, name, &text);
        let above: Vec<(String, &str)> = above.iter().map(|(name, text)| (name.clone(), text.raw())).collect();
        match named::all(name, text.raw(), &above) {
            Ok(found) => all.extend(found.into_iter().map(|named| (path.clone(), named))),
            Err(error) => unread.push(format!("{path}: {}", first_line(&format!("{error:#}")))),
        }
    }
    all
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Files that a manifest inherits from, nearest first; beside it, all but itself.
fn inherited(ecosystem: &Ecosystem, sight: &Sight<'_>, folder: &str, name: &str, own: &Text) -> Vec<(String, Text)> {
    let mut found = vec![];
    for at in upwards(folder) {
        for wanted in ecosystem.inherits.iter().filter(|wanted| at != folder || *wanted != name) {
            let text = sight.text(&join(at, wanted)).map(|text| (*text).clone());
            found.extend(text.map(|text| (wanted.clone(), text)));
        }
    }
    let above = sight.above.iter().flat_map(|above| &above.files);
    found.extend(above.filter(|(name, _)| ecosystem.inherits.contains(name)).cloned());
    // A crate belongs to one workspace: the nearest above that does not leave it out, or itself.
    if name == manifest::CARGO {
        let root = super::cargo_workspace(sight, folder).map(|(_, text)| text);
        let own = manifest::is_workspace(manifest::CARGO, own.raw(), "").then(|| own.clone());
        found = root.or(own).map(|text| (manifest::CARGO.to_owned(), text)).into_iter().collect();
    }
    found
}

/// What a sign is asked of.
pub struct Asked<'a> {
    pub package: &'a Package<'a>,
    pub view: &'a View<'a>,
    /// The lowest that the framework's requirement admits.
    pub version: Option<semver::Version>,
}

impl Asked<'_> {
    /// What shows that a sign holds; `None` if it does not.
    #[must_use]
    pub fn holds(&self, sign: &Sign) -> Option<Vec<Evidence>> {
        let mut found = vec![];
        if let Some(range) = &sign.version
            && !self.version.as_ref().is_some_and(|version| range.matches(version))
        {
            return None;
        }
        if !sign.depends.is_empty() {
            let scopes = [Scope::Runtime, Scope::Dev, Scope::Build, Scope::Peer];
            let (path, named) = self.package.find(&sign.depends, &scopes)?;
            found.push(claim(path, named));
        }
        if !sign.files.is_empty() {
            found.push(self.view.file(&sign.files)?);
        }
        if let Some(pattern) = &sign.pattern {
            found.push(self.view.place(&sign.r#in, pattern)?);
        }
        for part in &sign.all {
            found.extend(self.holds(part)?);
        }
        if !sign.any.is_empty() {
            found.extend(sign.any.iter().find_map(|part| self.holds(part))?);
        }
        match &sign.not {
            Some(other) if self.holds(other).is_some() => None,
            _ => Some(found),
        }
    }

    /// Whether there is a source file at all.
    #[must_use]
    pub fn has_sources(&self, ecosystem: &Ecosystem) -> bool {
        let ending = |file: &&str| file.rsplit_once('.').map(|(_, ending)| ending.to_owned());
        self.view.files().iter().any(|file| ending(file).is_some_and(|ending| ecosystem.sources.contains(&ending)))
    }
}

/// The names whose version is a framework's.
#[must_use]
pub fn versions(framework: &Framework) -> &[String] {
    if framework.version.is_empty() { &framework.depends } else { &framework.version }
}

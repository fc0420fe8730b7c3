//! Which apps a folder holds, with the evidence for every claim; `ambiguous`, `unsupported` and `none` are answers.

mod app;
pub mod knowledge;
mod manager;
mod package;
mod prose;
pub mod sight;

use std::fmt;

use serde::Serialize;

use app::{Hit, Scene};
use knowledge::{Kind, Knowledge};
use package::{join, upwards};
use sight::Sight;

use super::{manifest, pack::Pack, project::Text};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Single,
    Ambiguous,
    Unsupported,
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub file: String,
    /// 1-based.
    pub line: usize,
    pub text: String,
}

impl Evidence {
    /// A file that speaks by being there, whatever its first line says.
    #[must_use]
    pub fn there(file: String) -> Self {
        let text = file.rsplit('/').next().unwrap_or(&file).to_owned();
        Self { file, line: 1, text }
    }

    #[must_use]
    pub fn is_presence(&self) -> bool {
        self.line == 1 && self.file.rsplit('/').next() == Some(&self.text)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, text } = self;
        if self.is_presence() { write!(out, "{file}  is there") } else { write!(out, "{file}:{line}  {text}") }
    }
}

/// One app and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Project {
    /// Relative to the folder looked at; `.` for the folder itself.
    pub path: String,
    /// The pack that serves it.
    pub stack: Option<String>,
    pub language: String,
    pub framework: String,
    pub framework_version: Option<String>,
    pub variant: Option<String>,
    pub package_manager: Option<String>,
    /// The workspace root that it is a member of, relative to the folder looked at.
    pub workspace: Option<String>,
    pub supported: bool,
    /// Why not, and what to do; only when it is not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub entry: Option<Evidence>,
    pub database: Option<String>,
    pub existing_auth: Option<String>,
    pub evidence: Vec<Evidence>,
    /// What speaks against each other, and what to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detection {
    pub verdict: Verdict,
    pub projects: Vec<Project>,
    /// Manifests that could not be read, and why.
    pub unread: Vec<String>,
    /// Folders with manifests that hold examples, tests, templates or others' code.
    #[serde(skip)]
    pub passed_over: Vec<String>,
}

/// Looks at the manifests of a folder, and at the sources that these make matter.
#[must_use]
pub fn detect(known: &Knowledge, packs: &[Pack], sight: &Sight<'_>) -> Detection {
    let packages = package::packages(known, sight);
    let roots = manager::Roots::new(known, sight);
    let scene = Scene { known, packs, sight, packages: &packages, roots: &roots };
    let hits: Vec<Hit<'_>> = scene.all().flat_map(|package| scene.hits(package)).collect();
    let mut projects: Vec<Project> = told(&scene, &hits).into_iter().map(|hit| scene.project(hit)).collect();
    projects.sort_by(|a, b| a.path.cmp(&b.path).then(a.framework.cmp(&b.framework)));
    projects.dedup_by(|a, b| a.path == b.path && a.framework == b.framework);
    let mut passed_over: Vec<String> = packages.passed.iter().map(|(_, folder)| folder.clone()).collect();
    passed_over.sort_unstable();
    passed_over.dedup();
    Detection { verdict: verdict(&projects), projects, unread: packages.unread.clone(), passed_over }
}

fn verdict(projects: &[Project]) -> Verdict {
    match projects {
        [] => Verdict::None,
        [one] if one.supported => Verdict::Single,
        [_] => Verdict::Unsupported,
        _ => Verdict::Ambiguous,
    }
}

/// The hits that are apps of their own: not what another framework in the same folder is built on, and no front end of a
/// server that it belongs to.
fn told<'h, 'a>(scene: &Scene<'a>, hits: &'h [Hit<'a>]) -> Vec<&'h Hit<'a>> {
    let kind = |hit: &Hit<'_>| hit.framework.kind;
    let same = |a: &Hit<'_>, b: &Hit<'_>| a.package.folder == b.package.folder;
    let is_covered = |hit: &&Hit<'_>| {
        hits.iter().any(|other| {
            let over = same(hit, other)
                && !std::ptr::eq(hit.framework, other.framework)
                && other.framework.over.contains(&hit.framework.label);
            let server = kind(hit) != Kind::Server && kind(other) == Kind::Server;
            over || (server && (same(hit, other) || holds(other, &hit.package.folder)))
        })
    };
    let is_told = |hit: &&Hit<'_>| {
        kind(hit) != Kind::Hidden
            && !is_covered(hit)
            && (kind(hit) == Kind::Server || !scene.is_of_library(hit.package))
    };
    let left: Vec<&Hit<'_>> = hits.iter().filter(is_told).collect();
    let any = left.iter().any(|hit| kind(hit) != Kind::Site);
    left.into_iter().filter(|hit| !any || kind(hit) != Kind::Site).collect()
}

/// Whether a folder is one of those below an app whose front ends are its own.
fn holds(hit: &Hit<'_>, folder: &str) -> bool {
    let Some(inside) = below(folder, &hit.package.folder) else { return false };
    let holds = |part: &str| hit.framework.holds.iter().any(|glob| glob.matches(part));
    upwards(inside).any(|part| !part.is_empty() && holds(part))
}

/// A path relative to a folder that it is in.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

/// The nearest folder above, with the manifest of a Cargo workspace that does not leave this one out.
fn cargo_workspace(sight: &Sight<'_>, folder: &str) -> Option<(String, Text)> {
    for at in upwards(folder).filter(|at| *at != folder) {
        let text = sight.text(&join(at, manifest::CARGO));
        let member = below(folder, at).unwrap_or(folder);
        if let Some(text) = text.filter(|text| manifest::is_workspace(manifest::CARGO, text.raw(), member)) {
            return Some((at.to_owned(), (*text).clone()));
        }
    }
    let texts = sight.above.iter().flat_map(|above| above.files.iter().map(move |(name, text)| (above, name, text)));
    let mut cargo = texts.filter(|(_, name, _)| name.as_str() == manifest::CARGO);
    let found = cargo.find(|(above, name, text)| manifest::is_workspace(name, text.raw(), &join(&above.below, folder)));
    found.map(|(above, _, text)| (above.path.clone(), text.clone()))
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

//! Which apps a folder holds, with the evidence for every claim; `ambiguous`, `unsupported` and `none` are answers.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{
    anchor::{self, Found},
    edit::dependencies::serves,
    manifest::{self, Named},
    pack::{self, Pack},
    plan::Workspace,
    project::{RelPath, Text, Tree},
};

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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detection {
    pub verdict: Verdict,
    pub projects: Vec<Project>,
    /// Manifests that could not be read, and why.
    pub unread: Vec<String>,
}

/// `_detect/frameworks.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    skip: Vec<String>,
    framework: Vec<Framework>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Framework {
    label: String,
    language: String,
    manifest: String,
    dependency: String,
    #[serde(default)]
    over: Vec<String>,
    #[serde(skip)]
    pack: Option<usize>,
}

/// A manifest that names a framework.
struct Candidate {
    folder: String,
    framework: Framework,
    named: Vec<Named>,
    found: Named,
    workspace: Option<(String, Workspace)>,
}

/// Looks at the manifests and sources of a folder. `above` is the workspace that the folder itself is a member of.
///
/// # Errors
/// When the packs in the binary are malformed.
pub fn detect(packs: &[Pack], tree: &Tree, above: Option<&Workspace>) -> Result<Detection> {
    let known = known(packs)?;
    let mut unread = vec![];
    let mut candidates = vec![];
    for (path, text) in tree.iter() {
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        if !manifest::NAMES.contains(&name) || folder.split('/').any(|part| known.skip.iter().any(|skip| skip == part))
        {
            continue;
        }
        let workspace = workspace_of(tree, folder, name, above);
        let root = workspace.as_ref().and_then(|(_, workspace)| workspace.manifest.as_ref()).map(Text::raw);
        match manifest::dependencies(name, text.raw(), root) {
            Ok(named) => candidates.extend(in_manifest(&known, folder, name, &named, workspace.as_ref())),
            Err(error) => unread.push(format!("{path}: {error:#}")),
        }
    }
    let mut projects = vec![];
    for candidate in &candidates {
        projects.extend(project(packs, tree, candidate)?);
    }
    projects.sort_by(|a, b| a.path.cmp(&b.path).then(a.framework.cmp(&b.framework)));
    projects.dedup_by(|a, b| a.path == b.path && a.framework == b.framework);
    Ok(Detection { verdict: verdict(&projects), projects, unread })
}

fn verdict(projects: &[Project]) -> Verdict {
    match projects {
        [] => Verdict::None,
        [one] if one.supported => Verdict::Single,
        [_] => Verdict::Unsupported,
        _ => Verdict::Ambiguous,
    }
}

fn known(packs: &[Pack]) -> Result<Known> {
    let mut known: Known = toml::from_str(pack::embedded("_detect/frameworks.toml")?).context("in _detect")?;
    for (index, pack) in packs.iter().enumerate() {
        known.framework.extend(pack.manifest.detect.manifest.iter().map(|manifest| Framework {
            label: pack.manifest.id.clone(),
            language: pack.manifest.language.clone(),
            manifest: manifest.clone(),
            dependency: pack.manifest.detect.dependency.clone(),
            over: vec![],
            pack: Some(index),
        }));
    }
    Ok(known)
}

fn in_manifest(
    known: &Known,
    folder: &str,
    name: &str,
    named: &[Named],
    workspace: Option<&(String, Workspace)>,
) -> Vec<Candidate> {
    let hit = |framework: &Framework| {
        let found = named.iter().find(|named| named.name == framework.dependency)?.clone();
        (framework.manifest == name).then_some((framework.clone(), found))
    };
    let hits: Vec<(Framework, Named)> = known.framework.iter().filter_map(hit).collect();
    let covered = |label: &String| hits.iter().any(|(framework, _)| framework.over.contains(label));
    hits.iter()
        .filter(|(framework, _)| !covered(&framework.label))
        .map(|(framework, found)| Candidate {
            folder: folder.to_owned(),
            framework: framework.clone(),
            named: named.to_vec(),
            found: found.clone(),
            workspace: workspace.cloned(),
        })
        .collect()
}

/// The nearest folder above that declares a workspace and does not leave this one out.
#[must_use]
pub fn workspace_of(tree: &Tree, folder: &str, name: &str, above: Option<&Workspace>) -> Option<(String, Workspace)> {
    let mut at = folder;
    while !at.is_empty() {
        at = at.rsplit_once('/').map_or("", |(parent, _)| parent);
        let path = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
        if let Some(text) = tree.text(&path)
            && manifest::is_workspace(name, text, folder.strip_prefix(at).unwrap_or(folder).trim_start_matches('/'))
        {
            let manifest = Some(Text::new(text));
            return Some((if at.is_empty() { ".".into() } else { at.to_owned() }, Workspace { manifest, lock: None }));
        }
    }
    above.map(|workspace| ("..".to_owned(), workspace.clone()))
}

fn project(packs: &[Pack], tree: &Tree, candidate: &Candidate) -> Result<Option<Project>> {
    let framework = &candidate.framework;
    let file = below(&candidate.folder, &framework.manifest);
    let found = &candidate.found;
    let mut project = Project {
        path: if candidate.folder.is_empty() { ".".to_owned() } else { candidate.folder.clone() },
        stack: None,
        language: framework.language.clone(),
        framework: framework.label.clone(),
        framework_version: found.requirement.clone(),
        variant: None,
        package_manager: None,
        workspace: candidate.workspace.as_ref().map(|(root, _)| root.clone()),
        supported: false,
        reason: Some(format!(
            "authwright has no templates for {} yet; `authwright list` shows what it serves",
            framework.label
        )),
        entry: None,
        database: None,
        existing_auth: None,
        evidence: vec![Evidence { file, line: found.line, text: found.text.clone() }],
    };
    let Some(pack) = framework.pack.and_then(|index| packs.get(index)) else { return Ok(Some(project)) };
    let app = app_tree(tree, &candidate.folder);
    let detect = &pack.manifest.detect;
    if !is_app(&detect.app, &app)? {
        let Some(other) = &detect.unserved else { return Ok(None) };
        project.reason = Some(other.reason.clone());
        return Ok(is_app(&other.app, &app)?.then_some(project));
    }
    serve(pack, &app, candidate, &mut project)?;
    Ok(Some(project))
}

/// What a pack knows about the app.
fn serve(pack: &Pack, app: &Tree, candidate: &Candidate, project: &mut Project) -> Result<()> {
    let detect = &pack.manifest.detect;
    project.stack = Some(pack.manifest.id.clone());
    project.package_manager = Some(detect.package_manager.clone());
    project.database = first(&candidate.named, &detect.databases);
    project.existing_auth = first(&candidate.named, &detect.auths);
    let requirement = candidate.found.requirement.as_deref();
    project.supported = serves(&candidate.framework.manifest, &detect.versions, requirement) == Some(true);
    project.reason = (!project.supported).then(|| match &candidate.found.requirement {
        Some(version) => {
            format!("{} {version} is not served; the templates are for {}", pack.manifest.name, detect.versions)
        }
        None => format!("the version of {} is not written in the manifest", pack.manifest.name),
    });
    let entry = pack.manifest.anchor.iter().find(|anchor| anchor.id == detect.entry);
    if let Some(entry) = entry
        && let Found::One(place) = anchor::locate(&pack.language, entry, &entry.globs, app)?
    {
        let text = app.get(&place.path).map_or("", Text::raw);
        let line = place.at.map_or(1, |at| anchor::line_of(text, at.range.start));
        let shown = text.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
        let evidence = Evidence { file: below(&candidate.folder, place.path.as_str()), line, text: shown };
        project.entry = Some(evidence.clone());
        project.evidence.push(evidence);
    }
    Ok(())
}

fn first(named: &[Named], wanted: &[String]) -> Option<String> {
    named.iter().find(|named| wanted.contains(&named.name)).map(|named| named.name.clone())
}

fn below(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}

fn is_app(globs: &[String], app: &Tree) -> Result<bool> {
    let set = anchor::glob_set(globs)?;
    Ok(app.iter().any(|(path, _)| set.is_match(path.as_str())))
}

/// The part of the tree below a folder, with paths relative to it.
#[must_use]
pub fn app_tree(tree: &Tree, folder: &str) -> Tree {
    let inside = |path: &RelPath| {
        let rest =
            if folder.is_empty() { path.as_str() } else { path.as_str().strip_prefix(folder)?.strip_prefix('/')? };
        RelPath::new(rest).ok()
    };
    tree.iter().filter_map(|(path, text)| Some((inside(path)?, text.clone()))).collect()
}

#[cfg(test)]
mod tests;

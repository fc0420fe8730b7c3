//! A pack: everything known about one stack, read from one folder of `templates/`.

pub mod declared;

use anyhow::{Context as _, Result};
use include_dir::{Dir, include_dir};

pub use declared::{
    Anchor, CheckStep, Choice, Dependency, Fact, FileRule, InFiles, Language, Lines, Manager, Managers, Manifest,
    Mirror, Module, Needs, PackOption, Place, Refusal, RefuseWhen, Suits, Wire,
};

use super::{
    manifest,
    project::{RelPath, Tree},
    render::{self, Facts},
};

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");

pub struct Pack {
    pub manifest: Manifest,
    /// The package managers that a project may have, the usual one first; empty where there is only one.
    pub managers: Vec<Manager>,
    pub language: Language,
    /// Rendered into the project: destination path and template, in path order.
    pub files: Vec<(String, &'static str)>,
    /// The starter project that `new` begins with.
    pub starter: Vec<(String, &'static str)>,
}

impl Pack {
    /// # Errors
    /// When a pack in the binary is malformed; the pack tests catch it before a release.
    pub fn all() -> Result<Vec<Self>> {
        TEMPLATES
            .dirs()
            .filter(|dir| dir.get_file(dir.path().join("pack.toml")).is_some())
            .map(|dir| Self::load(dir).with_context(|| format!("in templates/{}", dir.path().display())))
            .collect()
    }

    fn load(dir: &'static Dir<'static>) -> Result<Self> {
        let mut manifest: Manifest = toml::from_str(embedded(&dir.path().join("pack.toml").to_string_lossy())?)?;
        let managers = manifest.check.managers.as_deref().map_or(Ok(vec![]), managers)?;
        manifest.check.derived.extend(managers.iter().flat_map(|manager| manager.lock.clone()));
        manifest.check.step.splice(0..0, managers.iter().map(fetch));
        let language: Language = toml::from_str(embedded(&format!("_languages/{}.toml", manifest.language))?)?;
        let folder = |name| folder(dir, name, &language.caches);
        let mut files = folder("files")?;
        for share in &manifest.share {
            files.extend(shared_folder(share, &language.caches)?);
        }
        Ok(Self { files: mirrored(files, &manifest.mirror), starter: folder("starter")?, manifest, managers, language })
    }

    /// The manifest of a project: the first that names the framework, else the first.
    #[must_use]
    pub fn manifest_of(&self, tree: &Tree) -> &str {
        let detect = &self.manifest.detect;
        let names = |name: &&String| {
            let named = tree.text(name).and_then(|text| manifest::dependencies(name, text, None).ok());
            named.is_some_and(|all| all.iter().any(|named| named.name == detect.dependency))
        };
        detect.manifest.iter().find(names).or(detect.manifest.first()).map_or("", String::as_str)
    }

    /// The command that brings one locked dependency up to date.
    #[must_use]
    pub fn update_command(&self, name: &str, manager: Option<&str>) -> String {
        let known = manager.and_then(|name| self.managers.iter().find(|manager| manager.name == name));
        known.map_or(&self.manifest.detect.update, |manager| &manager.update).replace("{}", name)
    }

    /// Whether a file is the user's to change.
    #[must_use]
    pub fn is_example(&self, path: &RelPath) -> bool {
        self.file_rule(path.as_str()).is_some_and(|rule| rule.example)
    }

    /// The first rule that names the file or a folder that it is in; of a file that was moved, at its first place.
    #[must_use]
    pub fn file_rule(&self, path: &str) -> Option<&FileRule> {
        let first = self.moved(path).map(|(_, first)| first);
        self.manifest.file.iter().find(|rule| rule.names(first.as_deref().unwrap_or(path)))
    }

    /// Whether a file is rendered at this of its places.
    ///
    /// # Errors
    /// When a condition is malformed.
    pub fn stands_at(&self, path: &str, facts: &Facts) -> Result<bool> {
        if let Some((mirror, _)) = self.moved(path) {
            return render::holds(mirror.when.as_deref(), facts);
        }
        for mirror in self.moves().filter(|mirror| path.starts_with(&mirror.from)) {
            if render::holds(mirror.when.as_deref(), facts)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn moves(&self) -> impl Iterator<Item = &Mirror> {
        self.manifest.mirror.iter().filter(|mirror| mirror.when.is_some())
    }

    /// The first place of a file that may be moved here.
    fn moved(&self, path: &str) -> Option<(&Mirror, String)> {
        self.moves().find_map(|mirror| {
            let first = format!("{}{}", mirror.from, path.strip_prefix(&mirror.to)?);
            self.files.iter().any(|(path, _)| *path == first).then_some((mirror, first))
        })
    }
}

/// The package managers of `templates/_managers/`, the usual one first.
///
/// # Errors
/// When there is no such file, or it is malformed.
pub fn managers(name: &str) -> Result<Vec<Manager>> {
    let all: Managers = toml::from_str(embedded(&format!("_managers/{name}.toml"))?)?;
    Ok(all.manager)
}

const FETCH_SECONDS: u64 = 600;

/// The step that fetches with one of the package managers.
fn fetch(manager: &Manager) -> CheckStep {
    CheckStep {
        name: "fetch".to_owned(),
        when: Some(format!("project.package_manager == '{}'", manager.name)),
        run: manager.install.clone(),
        env: manager.env.clone(),
        network: true,
        timeout_seconds: FETCH_SECONDS,
        ..CheckStep::default()
    }
}

/// The text of a file under `templates/`.
///
/// # Errors
/// When there is no such file in the binary.
pub fn embedded(path: &str) -> Result<&'static str> {
    TEMPLATES.get_file(path).and_then(|file| file.contents_utf8()).with_context(|| format!("no templates/{path}"))
}

/// Files of a folder under `templates/`, by name: name without its ending, and text.
pub fn folder_of(name: &str) -> Vec<(&'static str, &'static str)> {
    let files = TEMPLATES.get_dir(name).into_iter().flat_map(Dir::files);
    let mut files: Vec<_> =
        files.filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?))).collect();
    files.sort_unstable();
    files
}

/// Texts that templates of any pack may include: name and text.
pub fn shared() -> impl Iterator<Item = (&'static str, &'static str)> {
    let files = TEMPLATES.get_dir("_shared").into_iter().flat_map(Dir::files);
    files.filter_map(|file| Some((file.path().file_name()?.to_str()?, file.contents_utf8()?)))
}

fn folder(dir: &'static Dir<'static>, name: &str, caches: &[String]) -> Result<Vec<(String, &'static str)>> {
    let mut out = vec![];
    if let Some(root) = dir.get_dir(dir.path().join(name)) {
        collect(root, root, caches, &mut out)?;
    }
    out.sort();
    Ok(out)
}

fn shared_folder(share: &Mirror, caches: &[String]) -> Result<Vec<(String, &'static str)>> {
    let dir = TEMPLATES.get_dir(format!("_shared/{}", share.from.trim_end_matches('/')));
    let dir = dir.with_context(|| format!("no templates/_shared/{}", share.from))?;
    let mut out = vec![];
    collect(dir, dir, caches, &mut out)?;
    Ok(out.into_iter().map(|(path, text)| (format!("{}{path}", share.to), text)).collect())
}

/// The files with those that are at a second place as well, in path order.
fn mirrored(mut files: Vec<(String, &'static str)>, mirrors: &[Mirror]) -> Vec<(String, &'static str)> {
    for Mirror { from, to, .. } in mirrors {
        let rest = |(path, text): &(String, &'static str)| Some((format!("{to}{}", path.strip_prefix(from)?), *text));
        let there: Vec<_> = files.iter().filter_map(rest).collect();
        files.extend(there);
    }
    files.sort();
    files
}

fn collect(
    dir: &'static Dir<'static>,
    root: &Dir<'static>,
    caches: &[String],
    out: &mut Vec<(String, &'static str)>,
) -> Result<()> {
    for file in dir.files() {
        let path = file.path().strip_prefix(root.path())?.to_string_lossy().into_owned();
        let text = file.contents_utf8().with_context(|| format!("`{path}` is not UTF-8"))?;
        out.push((path.trim_end_matches(".tera").to_owned(), text));
    }
    let is_cache =
        |sub: &Dir<'static>| sub.path().file_name().is_some_and(|name| caches.iter().any(|one| name == &**one));
    dir.dirs().filter(|sub| !is_cache(sub)).try_for_each(|sub| collect(sub, root, caches, out))
}

#[cfg(test)]
mod tests;

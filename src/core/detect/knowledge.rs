//! The format of `templates/_detect/`: what is known of an ecosystem, its frameworks and their signs.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use anyhow::{Context as _, Result};
use regex::Regex;
use semver::VersionReq;
use serde::Deserialize;

use super::prose::Marks;
use crate::core::{
    glob::Glob,
    manifest::named::Scope,
    pack::{self, Pack},
};

/// Everything that is known.
pub struct Knowledge {
    pub folders: Folders,
    pub ecosystems: Vec<Ecosystem>,
}

/// `folders.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folders {
    /// Names of folders that hold no app of the project itself.
    pub skip: Vec<Glob>,
    /// Ends of paths that do, whatever their names.
    pub keep: Vec<String>,
    /// Names of folders whose files tell nothing of the app that they are in.
    pub aside: BTreeSet<String>,
    /// Names of files that do not.
    pub aside_files: Pattern,
    /// Paths of files in which a project's own login would be.
    pub telling: Pattern,
}

/// One file for each family of manifests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ecosystem {
    /// Names of manifests, each a glob.
    pub manifests: Vec<Glob>,
    /// Folders whose manifests are those of the folder that they are in.
    #[serde(default)]
    pub inside: Vec<String>,
    /// Manifests that may hold settings of tools alone: without a name or a dependency they make no package below another.
    #[serde(default)]
    pub settings: Vec<Glob>,
    /// Files that make a folder a package where no manifest does, there or above; with a slash before it, only at the top.
    /// Of a path, the folder is the one above all of it.
    #[serde(default)]
    pub marks: Vec<String>,
    /// Files in folders above that manifests inherit from.
    #[serde(default)]
    pub inherits: Vec<String>,
    /// Files, each a glob, at whose folder a workspace has its root.
    #[serde(default)]
    pub workspaces: Vec<Glob>,
    /// Lock files above count for members of a workspace only.
    #[serde(default)]
    pub apart: bool,
    /// Where files of several managers are in one folder, the first is as right as the others.
    #[serde(default)]
    pub either: bool,
    /// Endings of source files.
    pub sources: BTreeSet<String>,
    /// What comments begin with, those that end with their line and others; what long texts stand between, and those that
    /// end in their line: see `prose::Marks`.
    #[serde(default)]
    comments: Vec<String>,
    #[serde(default)]
    blocks: Vec<[String; 2]>,
    #[serde(default)]
    quotes: Vec<String>,
    #[serde(default)]
    strings: Vec<String>,
    /// More names of folders as in `folders.toml`.
    #[serde(default)]
    pub aside: BTreeSet<String>,
    /// As `app` and `not` of a framework: for those that have none, and for all.
    #[serde(default)]
    pub app: Vec<Sign>,
    #[serde(default)]
    pub not: Vec<Sign>,
    /// What shows that a package is started by itself, though others of the project name it; nothing is asked where none are.
    #[serde(default)]
    pub started: Vec<Sign>,
    pub language: Vec<Language>,
    /// A file in `_managers/`, whose lock files are files of the managers of the same names.
    #[serde(default)]
    managers: Option<String>,
    #[serde(default)]
    pub manager: Vec<Manager>,
    #[serde(default)]
    pub databases: Vec<String>,
    #[serde(default)]
    pub auths: Vec<String>,
    #[serde(default)]
    pub made: Vec<Made>,
    #[serde(default)]
    pub framework: Vec<Framework>,
}

impl Ecosystem {
    #[must_use]
    pub fn marks(&self) -> Marks<'_> {
        Marks { comments: &self.comments, blocks: &self.blocks, quotes: &self.quotes, strings: &self.strings }
    }
}

/// The first whose signs hold is the language of an app.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    pub name: String,
    #[serde(default)]
    pub when: Option<Sign>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manager {
    pub name: String,
    /// Its lock files, beside those that a file in `_managers/` knows.
    #[serde(default)]
    pub locks: Vec<String>,
    /// Other files that are its own. What they say counts less: a tool may be there for something else.
    #[serde(default)]
    pub files: Vec<String>,
    /// What a manifest says of it, in one of these files.
    #[serde(default)]
    pub says: Vec<Says>,
    /// It is the one where nothing else is told.
    #[serde(default)]
    pub default: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    pub file: String,
    pub pattern: Pattern,
}

/// A sign of authentication that the project wrote itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    pub what: String,
    pub r#in: Vec<Glob>,
    pub pattern: Pattern,
}

/// What part of a web project a framework makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    #[default]
    Server,
    /// What runs in the browser alone: beside a server in the same folder it belongs to that.
    Client,
    /// Pages about something else: told where nothing else is found.
    Site,
    /// Never told; it is there for what it covers.
    Hidden,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    pub label: String,
    #[serde(default)]
    pub kind: Kind,
    /// Dependencies of which one makes it this; `*` stands for anything.
    #[serde(default)]
    pub depends: Vec<String>,
    /// What the dependency may be named for.
    #[serde(default = "runtime")]
    pub scopes: Vec<Scope>,
    /// Labels of what it is built on: a folder that has both is this one.
    #[serde(default)]
    pub over: Vec<String>,
    /// Folders below it, each a glob, whose front ends are its own.
    #[serde(default)]
    pub holds: Vec<Glob>,
    /// Where none of these holds, it is a library or a tool; without sources the manifest is believed.
    #[serde(default)]
    pub app: Vec<Sign>,
    /// The signs are asked for also where there are no sources.
    #[serde(default)]
    pub strict: bool,
    /// It is none where one of these holds.
    #[serde(default)]
    pub not: Vec<Sign>,
    /// Signs that will do without the dependency, if another manifest names it.
    #[serde(default)]
    pub alone: Vec<Sign>,
    /// Signs that will do without any manifest.
    #[serde(default)]
    pub bare: Vec<Sign>,
    /// Dependencies whose version is the framework's, the best first; left out: those of `depends`.
    #[serde(default)]
    pub version: Vec<String>,
    #[serde(default)]
    pub variant: Vec<Variant>,
    /// Where the app is made, the best place first.
    #[serde(default)]
    pub entry: Vec<Look>,
}

fn runtime() -> Vec<Scope> {
    vec![Scope::Runtime]
}

/// The first whose signs hold is the variant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub name: String,
    pub when: Sign,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    pub r#in: Vec<Glob>,
    pub pattern: Pattern,
}

/// What can be seen of an app. All that is given holds.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// A file matches one of these.
    #[serde(default)]
    pub files: Vec<Glob>,
    /// The text of a file that matches one of these contains `pattern`.
    #[serde(default)]
    pub r#in: Vec<Glob>,
    #[serde(default)]
    pub pattern: Option<Pattern>,
    /// The manifest names one of these, for whatever purpose.
    #[serde(default)]
    pub depends: Vec<String>,
    /// The framework's version, at the lowest, is one of these.
    #[serde(default)]
    pub version: Option<VersionReq>,
    #[serde(default)]
    pub all: Vec<Sign>,
    #[serde(default)]
    pub any: Vec<Sign>,
    #[serde(default)]
    pub not: Option<Box<Sign>>,
}

/// A regular expression, compiled when it is first used.
#[derive(Default, Deserialize)]
#[serde(from = "String")]
pub struct Pattern {
    written: String,
    compiled: OnceCell<Option<Regex>>,
}

impl From<String> for Pattern {
    fn from(written: String) -> Self {
        Self { written, compiled: OnceCell::new() }
    }
}

impl Pattern {
    /// Where it matches first.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<usize> {
        self.find_where(text, |_| true).map(|place| place.start)
    }

    /// Where it matches first among the places that are asked for.
    #[must_use]
    pub fn find_where(&self, text: &str, is_wanted: impl Fn(Range<usize>) -> bool) -> Option<Range<usize>> {
        let compiled = self.compiled.get_or_init(|| Regex::new(&format!("(?m){}", self.written)).ok());
        compiled.as_ref()?.find_iter(text).map(|found| found.range()).find(|place| is_wanted(place.clone()))
    }

    #[cfg(test)]
    pub fn check(&self) -> Result<()> {
        Regex::new(&self.written).map(drop).map_err(Into::into)
    }
}

impl Knowledge {
    /// # Errors
    /// When what is in the binary is malformed.
    pub fn load(packs: &[Pack]) -> Result<Self> {
        let context = |name: &str| format!("in templates/_detect/{name}.toml");
        let (mut folders, mut ecosystems) = (None, vec![]);
        for (name, text) in pack::folder_of("_detect") {
            if name == "folders" {
                folders = Some(toml::from_str(text).with_context(|| context(name))?);
            } else {
                let mut ecosystem: Ecosystem = toml::from_str(text).with_context(|| context(name))?;
                add_locks(&mut ecosystem)?;
                ecosystems.push(ecosystem);
            }
        }
        let folders = folders.context("there is no templates/_detect/folders.toml")?;
        for pack in packs {
            add(&mut ecosystems, pack);
        }
        Ok(Self { folders, ecosystems })
    }
}

impl Knowledge {
    /// Names of files that matter also in folders above, and whether their text does.
    #[must_use]
    pub fn outside(&self) -> BTreeMap<&str, bool> {
        let mut names = BTreeMap::new();
        for ecosystem in &self.ecosystems {
            let managers = &ecosystem.manager;
            names.extend(
                managers.iter().flat_map(|one| one.locks.iter().chain(&one.files)).map(|name| (name.as_str(), false)),
            );
            let said = managers.iter().flat_map(|one| &one.says).map(|says| says.file.as_str());
            let roots = ecosystem.workspaces.iter().map(Glob::written).filter(|name| !name.contains('*'));
            let texts = ecosystem.inherits.iter().map(String::as_str).chain(said).chain(roots);
            names.extend(texts.map(|name| (name, true)));
        }
        names
    }
}

fn add_locks(ecosystem: &mut Ecosystem) -> Result<()> {
    let Some(name) = &ecosystem.managers else { return Ok(()) };
    let known = pack::managers(name)?;
    for manager in &mut ecosystem.manager {
        let locks = known.iter().find(|one| one.name == manager.name).map(|one| one.lock.clone());
        manager.locks.splice(0..0, locks.unwrap_or_default());
    }
    Ok(())
}

/// A pack's framework, where no file knows it.
fn add(ecosystems: &mut [Ecosystem], pack: &Pack) {
    let detect = &pack.manifest.detect;
    let is_its = |ecosystem: &&mut Ecosystem| {
        ecosystem.manifests.iter().any(|glob| detect.manifest.iter().any(|name| glob.matches(name)))
    };
    let Some(ecosystem) = ecosystems.iter_mut().find(is_its) else { return };
    if ecosystem.framework.iter().all(|framework| framework.label != pack.manifest.id) {
        let depends = vec![detect.dependency.clone()];
        ecosystem.framework.push(Framework {
            label: pack.manifest.id.clone(),
            depends,
            scopes: runtime(),
            ..Framework::default()
        });
    }
}

#[cfg(test)]
impl Knowledge {
    /// Whether every glob and pattern is one.
    pub fn check(&self) -> Result<()> {
        self.folders.skip.iter().try_for_each(Glob::check)?;
        [&self.folders.aside_files, &self.folders.telling].into_iter().try_for_each(Pattern::check)?;
        for ecosystem in &self.ecosystems {
            let marks = [&ecosystem.comments, &ecosystem.quotes, &ecosystem.strings].into_iter().flatten();
            let is_empty = marks.chain(ecosystem.blocks.iter().flatten()).any(String::is_empty);
            anyhow::ensure!(!is_empty, "an empty mark beside {}", ecosystem.manifests[0].written());
            ecosystem
                .manifests
                .iter()
                .chain(&ecosystem.workspaces)
                .chain(&ecosystem.settings)
                .try_for_each(Glob::check)?;
            ecosystem.app.iter().chain(&ecosystem.not).chain(&ecosystem.started).try_for_each(Sign::check)?;
            ecosystem.language.iter().filter_map(|language| language.when.as_ref()).try_for_each(Sign::check)?;
            ecosystem.manager.iter().flat_map(|one| &one.says).try_for_each(|says| says.pattern.check())?;
            for made in &ecosystem.made {
                made.r#in.iter().try_for_each(Glob::check)?;
                made.pattern.check()?;
            }
            for framework in &ecosystem.framework {
                framework.holds.iter().try_for_each(Glob::check)?;
                let variants = framework.variant.iter().map(|variant| &variant.when);
                let signs = [&framework.app, &framework.not, &framework.alone, &framework.bare];
                signs.into_iter().flatten().chain(variants).try_for_each(Sign::check)?;
                for look in &framework.entry {
                    look.r#in.iter().try_for_each(Glob::check)?;
                    look.pattern.check()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl Sign {
    fn check(&self) -> Result<()> {
        self.files.iter().chain(&self.r#in).try_for_each(Glob::check)?;
        self.pattern.iter().try_for_each(Pattern::check)?;
        self.all.iter().chain(&self.any).chain(self.not.as_deref()).try_for_each(Self::check)
    }
}

//! What a pack declares in its `pack.toml`, and a language in its file.

use std::collections::BTreeMap;

use ast_grep_config::SerializableRule;
use semver::VersionReq;
use serde::Deserialize;

use crate::core::{glob::Glob, project::RelPath};

/// `pack.toml`. It declares; it never runs code.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub id: String,
    pub name: String,
    pub language: String,
    pub version: String,
    /// Globs of the project's files that planning may look at.
    pub reads: Vec<String>,
    pub detect: Detect,
    pub toolchain: Toolchain,
    #[serde(default)]
    pub module: Vec<Module>,
    #[serde(default)]
    pub option: Vec<PackOption>,
    #[serde(default)]
    pub refuse: Vec<Refusal>,
    #[serde(default)]
    pub anchor: Vec<Anchor>,
    /// Names for templates, each an expression rendered in order.
    #[serde(default)]
    pub var: Vec<Var>,
    /// What files of the project tell, for templates; decided by the first `add`.
    #[serde(default)]
    pub fact: Vec<Fact>,
    /// Files of a folder below `_shared/` that the pack has in a folder of its own.
    #[serde(default)]
    pub share: Vec<Mirror>,
    /// Folders whose files the pack has at a second place.
    #[serde(default)]
    pub mirror: Vec<Mirror>,
    #[serde(default)]
    pub file: Vec<FileRule>,
    #[serde(default)]
    pub dependency: Vec<Dependency>,
    #[serde(default)]
    pub wire: Vec<Wire>,
    #[serde(default)]
    pub lines: Vec<Lines>,
    pub check: Check,
    pub next: Next,
}

/// When a project is this stack.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// The package manifests that a project may have, the one that is preferred first.
    #[serde(deserialize_with = "one_or_more")]
    pub manifest: Vec<String>,
    pub dependency: String,
    pub versions: VersionReq,
    /// Globs below the app's folder; an app that is served has at least one of them.
    pub app: Vec<Glob>,
    /// The command that brings one locked dependency up to date; `{}` stands for its name.
    #[serde(default)]
    pub update: String,
    /// Why an app without any of these files is not served.
    #[serde(default)]
    pub unserved: Option<String>,
}

/// What the generated code needs of the language's tools.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolchain {
    /// Lowest language version that the libraries build with.
    pub minimum: semver::Version,
    /// The command that prints the version at hand, where one that is too old is told before anything is written.
    #[serde(default)]
    pub version: Vec<String>,
}

/// A capability that the user picks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    pub id: String,
    pub summary: String,
    #[serde(default)]
    pub default: bool,
    #[serde(default)]
    pub beside: Option<Beside>,
}

/// Modules of which a module needs at least one beside it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    pub one_of: Vec<String>,
    pub reason: String,
}

/// One question: flag, prompt, default and lock entry all come from here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackOption {
    pub id: String,
    pub question: String,
    /// With `multiple`, what is taken where nothing is picked; empty for nothing.
    #[serde(default)]
    pub default: String,
    pub choice: Vec<Choice>,
    /// Any number of choices may be the answer.
    #[serde(default)]
    pub multiple: bool,
    /// Why the answer cannot be another one later.
    #[serde(default)]
    pub fixed: Option<String>,
    /// An expression on modules: without it the question is not asked.
    #[serde(default)]
    pub when: Option<String>,
}

impl PackOption {
    #[must_use]
    pub fn has(&self, value: &str) -> bool {
        self.choice.iter().any(|choice| choice.value == value)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub value: String,
    pub summary: String,
    /// What a project has that this choice suits; any of them is enough.
    #[serde(default)]
    pub suits: Vec<Suits>,
}

/// A dependency of the project, with a feature if one is named.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suits {
    pub depends: String,
    #[serde(default)]
    pub feature: Option<String>,
}

/// A project that must not be touched, and why.
#[derive(Clone, Debug, Deserialize)]
pub struct Refusal {
    #[serde(flatten)]
    pub found: RefuseWhen,
    #[serde(default)]
    pub when: Option<String>,
    pub what: String,
    pub fix: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefuseWhen {
    /// A file matches one of these globs.
    Exists(Vec<String>),
    /// The manifest names one of these dependencies.
    Depends(Vec<String>),
    /// The package manager's lock file resolves this package to one of these versions.
    Locked { name: String, versions: Vec<VersionReq> },
    /// A file that matches a glob contains a match of the regular expression.
    Text {
        #[serde(rename = "in")]
        globs: Vec<String>,
        pattern: String,
    },
    /// No file that matches a glob contains a match of the regular expression.
    Lacks {
        #[serde(rename = "in")]
        globs: Vec<String>,
        pattern: String,
    },
}

/// A place in the user's code.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    pub id: String,
    /// Globs; each may use what earlier anchors found. With no rule, the first that names a file is the place.
    #[serde(rename = "in")]
    pub globs: Vec<String>,
    /// Globs of files that are not looked at.
    #[serde(default)]
    pub unless: Vec<String>,
    /// Must match exactly one place.
    pub rule: Option<SerializableRule>,
    /// The place in words.
    pub describe: String,
    /// Regular expressions for shapes that are not edited, such as a call inside a macro: they tell the user where,
    /// and their named groups fill the steps left to the user.
    #[serde(default)]
    pub hint: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Var {
    pub name: String,
    pub value: String,
}

/// `project.<name>` in templates: whether all that it asks for is so.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    pub name: String,
    /// A file matches.
    #[serde(default)]
    pub exists: Vec<String>,
    /// And none matches these.
    #[serde(default)]
    pub unless: Vec<String>,
    #[serde(default)]
    pub text: Option<InFiles>,
    /// An expression on facts before this one.
    #[serde(default)]
    pub when: Option<String>,
}

/// A file that matches a glob contains a match of the regular expression.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InFiles {
    #[serde(rename = "in")]
    pub globs: Vec<String>,
    #[serde(default)]
    pub unless: Vec<String>,
    pub pattern: String,
}

/// Files of a folder that are in another folder as well; of the pack's own, for projects of another layout.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// Ends with a slash.
    pub from: String,
    /// As `from`, or empty for the app's own folder.
    pub to: String,
    /// Where it holds the files are there and not at their first place; without it rules decide for each place.
    #[serde(default)]
    pub when: Option<String>,
}

/// Conditions or ownership for files of the pack; files without a rule are always rendered and owned.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRule {
    /// A file, or with `/**` at its end every file below a folder.
    pub path: String,
    #[serde(default)]
    pub when: Option<String>,
    /// The user may change or delete it: `verify` leaves it alone.
    #[serde(default)]
    pub example: bool,
    /// It belongs at the repository's root: rendered only for an app that is there, else left to the user.
    #[serde(default)]
    pub root: bool,
    /// What the user still has to do in it.
    #[serde(default)]
    pub then: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    pub name: String,
    /// What is written when the project does not have it.
    pub version: String,
    #[serde(default)]
    pub features: Vec<String>,
    #[serde(default = "yes")]
    pub default_features: bool,
    #[serde(default)]
    pub dev: bool,
    /// Versions of an existing entry that the generated code works with. With another version there, the dependency
    /// is added beside it under a name of its own.
    #[serde(default)]
    pub accept: Option<VersionReq>,
    /// Its types meet those of the user's code, or it cannot be linked twice: another version there is refused.
    #[serde(default)]
    pub shared: bool,
    /// Features that come with the default ones.
    #[serde(default)]
    pub defaults: Vec<String>,
    /// Features that bring others: `full = ["rt", "sync"]`.
    #[serde(default)]
    pub covers: BTreeMap<String, Vec<String>>,
    /// Lowest version without a known weakness; `verify` compares the resolved version with it.
    #[serde(default)]
    pub floor: Option<semver::Version>,
    #[serde(default)]
    pub when: Option<String>,
}

fn yes() -> bool {
    true
}

/// One edit of the user's code.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    pub at: String,
    pub place: Place,
    /// For `replace`: which capture of the anchor gives way.
    #[serde(default)]
    pub capture: Option<String>,
    pub text: String,
    #[serde(default)]
    pub when: Option<String>,
    /// How `verify` sees that the wiring stands; absent for an edit that needs no watching.
    #[serde(default)]
    pub holds: Vec<Holds>,
    /// What to tell the user to do when there is no safe place: a line of words, then lines of code.
    #[serde(default)]
    pub manual: Option<String>,
}

/// A rule that matches somewhere in the files read as long as the wiring stands.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holds {
    /// The wiring as people would write it.
    pub line: String,
    pub rule: SerializableRule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On lines of its own after the file's leading imports.
    Import,
    /// On lines of its own before the statement.
    Before,
    /// On lines of its own after the statement.
    After,
    /// In place of a capture.
    Replace,
    /// A paragraph of its own at the end of the file.
    End,
}

/// Lines that a plain list file must hold, such as an ignore file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    /// The first of these that is there, else the first.
    #[serde(deserialize_with = "one_or_more")]
    pub file: Vec<String>,
    /// Each a template.
    pub lines: Vec<String>,
    /// A comment line put before lines that are added.
    #[serde(default)]
    pub comment: Option<String>,
    /// `verify` reports a line that is gone.
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub when: Option<String>,
    /// The file belongs at the repository's root: edited only for an app that is there, else left to the user.
    #[serde(default)]
    pub root: bool,
    /// What the user still has to do with lines that were added.
    #[serde(default)]
    pub then: Option<String>,
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        One(String),
        More(Vec<String>),
    }
    Ok(match Names::deserialize(input)? {
        Names::One(name) => vec![name],
        Names::More(names) => names,
    })
}

/// `_managers/*.toml`: the package managers of an ecosystem, of which each project has one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Managers {
    pub manager: Vec<Manager>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manager {
    pub name: String,
    /// The lock files that it writes.
    pub lock: Vec<String>,
    /// The files at the root of a workspace that list its members.
    pub roots: Vec<String>,
    /// What fetches the dependencies.
    pub install: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// As `update` of `[detect]`.
    pub update: String,
}

/// How a copy of the project is built and tested.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// A file in `_managers/`: the first step fetches with the project's package manager.
    #[serde(default)]
    pub managers: Option<String>,
    /// Files that the package manager writes, at the workspace root.
    #[serde(default)]
    pub derived: Vec<String>,
    /// What a first run takes, for the line printed before it starts.
    pub estimate: String,
    pub step: Vec<CheckStep>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckStep {
    pub name: String,
    #[serde(default)]
    pub when: Option<String>,
    /// Program and arguments; never the project's words.
    pub run: Vec<String>,
    /// It looks at generated code alone, so that it says nothing of the project without it.
    #[serde(default)]
    pub generated: bool,
    #[serde(default)]
    pub network: bool,
    /// More environment, such as what overrides settings of the project.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables of the caller's that it sees where they are set. One may name a service, so that it keeps the network
    /// then.
    #[serde(default)]
    pub pass: Vec<String>,
    #[serde(default)]
    pub needs: Option<Needs>,
    pub timeout_seconds: u64,
}

impl CheckStep {
    /// What an argument begins with that is looked for in the app's folder and those above.
    pub const NEAREST: &str = "{nearest}/";

    /// As it is shown.
    #[must_use]
    pub fn command(&self) -> String {
        self.run.join(" ").replace(Self::NEAREST, "")
    }
}

/// What a step cannot do without; it is not run where that is missing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// On the `PATH`, or in one of `folders`.
    pub program: String,
    /// Globs of absolute folders.
    #[serde(default)]
    pub folders: Vec<String>,
    /// A variable that stands in for the program.
    #[serde(default)]
    pub or: Option<String>,
    /// It refuses to run as root.
    #[serde(default)]
    pub unprivileged: bool,
}

/// What the user does after `new` or `add`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Next {
    pub run: String,
    pub settings: Vec<String>,
    #[serde(deserialize_with = "one_or_more")]
    pub read: Vec<String>,
}

/// Grammar and import rule of one language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    pub grammar: String,
    /// Of source files, without the dot.
    #[serde(deserialize_with = "one_or_more")]
    pub extension: Vec<String>,
    /// What a line comment starts with.
    pub comment: String,
    /// Kinds of top-level nodes that import.
    pub imports: Vec<String>,
    /// A regular expression for statements that import and are of another kind.
    #[serde(default)]
    pub imports_by_text: Option<String>,
    /// Kinds of nodes that may stand before and between imports.
    pub leading: Vec<String>,
    /// Kinds of nodes whose children are statements.
    pub blocks: Vec<String>,
    /// What a line begins with that belongs to the statement below it.
    pub above: Vec<String>,
    /// What begins with one of these at the top is about the whole file.
    pub header: Vec<String>,
    /// A statement that an edit made shorter goes on one line when it has at most so many characters.
    pub one_line: usize,
    /// Kinds of nodes that hold the items of a module written in place.
    pub bodies: Vec<String>,
    /// Folders that its tools leave beside sources: no part of a pack.
    #[serde(default)]
    pub caches: Vec<String>,
}

impl Language {
    /// Whether a file is source of this language.
    #[must_use]
    pub fn reads(&self, path: &RelPath) -> bool {
        path.as_str().rsplit_once('.').is_some_and(|(_, extension)| self.extension.iter().any(|own| own == extension))
    }
}

impl FileRule {
    pub(super) fn names(&self, path: &str) -> bool {
        match self.path.strip_suffix("**") {
            Some(folder) => folder.ends_with('/') && path.starts_with(folder),
            None => self.path == path,
        }
    }
}

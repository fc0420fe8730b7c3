//! Fixtures and packs as values, for the core's tests.
#![expect(clippy::disallowed_methods, reason = "fixtures are read from disk")]

use std::{collections::BTreeMap, fs, path::Path};

use super::{
    choose::{Answers, Given},
    detect::app_tree,
    edit::{Made, Outcome, Splice, splice, unsplice},
    lock::Lock,
    pack::{Language, Pack},
    plan::{self, Input, Workspace},
    project::{Plan, RelPath, Text, Tree},
};

/// Fixtures that the tool wires, and those where it leaves steps.
pub const FIXTURES: [&str; 13] = [
    "plain",
    "app-fn",
    "state-layers",
    "axum07",
    "workspace",
    "sqlx09",
    "sqlx08",
    "crlf",
    "mixed",
    "strict-lints",
    "served-in-lib",
    "axum-server",
    "two-servers",
];

pub fn path(path: &str) -> RelPath {
    RelPath::new(path).unwrap()
}

pub fn tree(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(name, text)| (path(name), Text::new(*text))).collect()
}

pub fn axum() -> Pack {
    Pack::all().unwrap().into_iter().find(|pack| pack.manifest.id == "axum").unwrap()
}

pub fn rust() -> Language {
    axum().language
}

/// An app as the shell reads it.
pub struct App {
    pub pack: Pack,
    pub tree: Tree,
    pub workspace: Workspace,
}

/// The app in a fixture of the axum pack.
pub fn fixture(name: &str) -> App {
    let whole = folder(name);
    let member = if name == "workspace" { "crates/api" } else { "" };
    let text = |path: &str| whole.text(path).map(Text::new);
    let manifest = if member.is_empty() { None } else { text("Cargo.toml") };
    let workspace = Workspace { manifest, lock: text("Cargo.lock") };
    App { pack: axum(), tree: app_tree(&whole, member), workspace }
}

/// Every file of a fixture.
pub fn folder(name: &str) -> Tree {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/axum").join(name);
    let mut tree = Tree::default();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let at = entry.unwrap().path();
            let name = at.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if at.is_dir() {
                folders.extend((name != "target").then_some(at));
            } else {
                tree.insert(path(&name), Text::new(fs::read_to_string(at).unwrap()));
            }
        }
    }
    tree
}

impl App {
    /// An app of these files, without a workspace.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self { pack: axum(), tree: tree(files), workspace: Workspace::default() }
    }

    pub fn plan(&self) -> anyhow::Result<Plan> {
        let answers = Answers::new(&self.pack, &Given::default()).unwrap();
        let (tree, workspace) = (&self.tree, &self.workspace);
        plan::add(&Input { pack: &self.pack, answers: &answers, tree, workspace, at: &BTreeMap::new() })
    }

    /// The tree with everything added, and its lock.
    pub fn added(&self) -> (Tree, Lock) {
        let after = self.tree.with(&self.plan().unwrap().changes);
        let lock = Lock::read(&after).unwrap().unwrap();
        (after, lock)
    }
}

/// The text after an outcome's splices, which can be taken back.
#[track_caller]
pub fn edited(before: &str, outcomes: Vec<Outcome>) -> (String, Vec<Made>) {
    let splices: Vec<Splice> = outcomes.into_iter().flat_map(splices).collect();
    let (after, made) = splice(before, splices);
    assert_eq!(unsplice(&after, &made).as_deref(), Some(before));
    (after, made)
}

#[track_caller]
fn splices(outcome: Outcome) -> Vec<Splice> {
    match outcome {
        Outcome::Edit(splices) => splices,
        Outcome::Already => vec![],
        Outcome::Manual(step) => panic!("left to the user: {step:?}"),
    }
}

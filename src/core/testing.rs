//! Fixtures and packs as values, for the core's tests.
#![expect(clippy::disallowed_methods, reason = "fixtures are read from disk")]

use std::{collections::BTreeMap, fs, path::Path};

use super::{
    choose::{self, Answers, Given},
    edit::{Made, Outcome, Splice, splice, unsplice},
    facts,
    lock::Lock,
    pack::{Dependency, Language, Pack, embedded},
    plan::{self, Input, Workspace},
    project::{Plan, RelPath, Step, Text, Tree},
    undo::undo,
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

/// The part of the tree below a folder, with paths relative to it.
pub fn app_tree(tree: &Tree, folder: &str) -> Tree {
    let inside = |path: &RelPath| {
        let rest =
            if folder.is_empty() { path.as_str() } else { path.as_str().strip_prefix(folder)?.strip_prefix('/')? };
        RelPath::new(rest).ok()
    };
    tree.iter().filter_map(|(path, text)| Some((inside(path)?, text.clone()))).collect()
}

pub fn axum() -> Pack {
    Pack::all().unwrap().into_iter().find(|pack| pack.manifest.id == "axum").unwrap()
}

/// The libraries that the axum pack needs with its default answers.
pub fn libraries() -> Vec<Dependency> {
    let pack = axum();
    let answers = Answers::new(&pack, &Given::default()).unwrap();
    plan::wanted(&pack, &facts::of_answers(&pack, &answers)).unwrap()
}

/// The pack in `testing/small.toml`. Its files mention what must not be taken for the user's.
pub fn small() -> Pack {
    let files = [
        (".github/workflows/auth.yml", "run: authwright verify [= project.folder =]\n"),
        ("src/auth/mod.rs", SMALL_MODULE),
        ("src/auth/pages.rs", "pub fn page() -> &'static str {\n    \"[= profile =]\"\n}\n"),
        ("src/auth/schema.sql", "create table accounts (id integer);\n"),
        ("src/auth/settings.rs", SMALL_SETTINGS),
        ("src/auth/tokens.rs", "pub fn token() {}\n"),
        ("src/auth_example.rs", "pub fn example() {\n    // [= ui =]\n}\n"),
    ];
    Pack {
        manifest: toml::from_str(include_str!("testing/small.toml")).unwrap(),
        language: rust(),
        files: files.map(|(path, text)| (path.to_owned(), text)).to_vec(),
        managers: vec![],
        starter: vec![],
    }
}

const SMALL_MODULE: &str = "//! Auth.

[% if ui == 'pages' %]mod pages;
[% endif %]mod settings;
[% if module.tokens %]mod tokens;
[% endif %]
pub fn attach(app: App) -> App {
    app
}
[% if ui == 'pages' %]
pub fn pages(app: App) -> App {
    app
}
[% endif %]
fn test_server() {
    serve(app);
}
";

const SMALL_SETTINGS: &str = "//! Settings.

pub const IDLE: u32 = [% if profile == 'strict' %]15[% elif profile == 'consumer' %]10080[% else %]60[% endif %];

/// A comment between.

pub const LENGTH: usize = [% if profile == 'strict' %]15[% else %]12[% endif %];
";

/// A small app for the small pack.
pub fn small_app() -> App {
    let manifest = "[package]\nname = \"x\"\n\n[dependencies]\nweb = \"1\"\n";
    let main = "use web::serve;\n\nfn main() {\n    let app = app();\n    serve(app);\n}\n";
    let tree = tree(&[("Cargo.toml", manifest), ("src/main.rs", main), (".gitignore", "/target\n")]);
    App { pack: small(), tree, folder: String::new(), workspace: Workspace::default() }
}

pub fn rust() -> Language {
    axum().language
}

pub fn python() -> Language {
    toml::from_str(embedded("_languages/python.toml").unwrap()).unwrap()
}

/// A pack of another language, with a manifest of another format.
pub fn snake() -> Pack {
    Pack {
        manifest: toml::from_str(include_str!("testing/snake.toml")).unwrap(),
        language: python(),
        files: vec![("app/auth/__init__.py".to_owned(), "def attach(app: object) -> None: ...\n")],
        managers: vec![],
        starter: vec![],
    }
}

/// An app for that pack.
pub fn snake_app(manifest: (&str, &str)) -> App {
    let main = "\"\"\"App.\"\"\"\n\nfrom web import Web\n\napp = Web()\n";
    let tree = tree(&[manifest, ("app/main.py", main)]);
    App { pack: snake(), tree, folder: String::new(), workspace: Workspace::default() }
}

/// An app as the shell reads it.
pub struct App {
    pub pack: Pack,
    pub tree: Tree,
    /// Its place below the repository's root.
    pub folder: String,
    pub workspace: Workspace,
}

/// The app in a fixture of the axum pack.
pub fn fixture(name: &str) -> App {
    let whole = folder(name);
    let member = if name == "workspace" { "crates/api" } else { "" };
    let text = |path: &str| whole.text(path).map(Text::new);
    let manifest = if member.is_empty() { None } else { text("Cargo.toml") };
    let workspace = Workspace { manifest, lock: text("Cargo.lock") };
    let folder = if member.is_empty() { String::new() } else { format!("{member}/") };
    App { pack: axum(), tree: app_tree(&whole, member), folder, workspace }
}

/// Every file of a fixture of the axum pack.
pub fn folder(name: &str) -> Tree {
    folder_of("axum", name)
}

/// Every file of a fixture.
pub fn folder_of(stack: &str, name: &str) -> Tree {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(stack).join(name);
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
        Self { pack: axum(), tree: tree(files), folder: String::new(), workspace: Workspace::default() }
    }

    pub fn plan(&self) -> anyhow::Result<Plan> {
        self.plan_with(&[])
    }

    /// The plan with these flags, on top of what the project's lock records.
    pub fn plan_with(&self, flags: &[(&str, &str)]) -> anyhow::Result<Plan> {
        let (tree, workspace) = (&self.tree, &self.workspace);
        let words = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let mut given = Given {
            recorded: Lock::read(tree)?.as_ref().map(Answers::of).unwrap_or_default(),
            suited: choose::suited(&self.pack, tree, workspace)?,
            ..Given::default()
        };
        for (flag, value) in flags {
            match *flag {
                "with" => given.modules = Some(words(value)),
                id => _ = given.options.insert(id.to_owned(), words(value)),
            }
        }
        let answers = Answers::new(&self.pack, &given)?;
        let (folder, at) = (self.folder.as_str(), BTreeMap::new());
        plan::add(&Input { pack: &self.pack, answers: &answers, tree, folder, workspace, manager: None, at: &at })
    }

    /// The tree with everything added, and its lock.
    pub fn added(&self) -> (Tree, Lock) {
        let after = self.tree.with(&self.plan().unwrap().changes);
        let lock = Lock::read(&after).unwrap().unwrap();
        (after, lock)
    }

    /// The app after `add` with these flags.
    #[track_caller]
    pub fn after(self, flags: &[(&str, &str)]) -> Self {
        let plan = self.plan_with(flags).unwrap_or_else(|error| panic!("{flags:?}: {error:#}"));
        Self { tree: self.tree.with(&plan.changes), ..self }
    }

    /// The app after its last layer was taken back, and the steps that are left.
    pub fn undone(self) -> (Self, Vec<Step>) {
        let lock = Lock::read(&self.tree).unwrap().unwrap();
        let plan = undo(&self.tree, &lock, Some(&self.pack.language)).unwrap();
        (Self { tree: self.tree.with(&plan.changes), ..self }, plan.manual)
    }

    /// The app with a text in a file replaced.
    #[track_caller]
    pub fn edited(mut self, at: &str, from: &str, to: &str) -> Self {
        let text = self.tree.text(at).unwrap_or_else(|| panic!("no {at}")).to_owned();
        assert!(text.contains(from), "{at} has no {from:?}:\n{text}");
        self.tree.insert(path(at), Text::new(text.replacen(from, to, 1)));
        self
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

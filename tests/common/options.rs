//! Every combination of the options that a pack offers, asked of the tool, so that a new value joins by itself.

use std::{cmp::Reverse, collections::BTreeSet};

use serde_json::Value;

use super::{Project, empty, fixture, run};

/// A stack's files in a project.
pub struct Stack {
    pub id: &'static str,
    /// Where the generated code is.
    pub folder: &'static str,
    pub manifest: &'static str,
    /// What files of code end in.
    pub code: &'static [&'static str],
}

pub const AXUM: Stack = Stack { id: "axum", folder: "src/auth", manifest: "Cargo.toml", code: &["rs", "sql"] };
pub const FASTAPI: Stack = Stack { id: "fastapi", folder: "app/auth", manifest: "pyproject.toml", code: &["py"] };

pub const EXPRESS: Stack = Stack { id: "express", folder: "src/auth", manifest: "package.json", code: &["ts"] };

pub const DJANGO: Stack = Stack { id: "django", folder: "accounts", manifest: "pyproject.toml", code: &["py"] };

pub const NEXTJS: Stack = Stack { id: "nextjs", folder: "src/auth", manifest: "package.json", code: &["ts", "tsx"] };

/// A project to add to, for one major version of the framework.
pub struct Base {
    pub name: &'static str,
    pub stack: &'static Stack,
    /// None is the starter of `new`.
    fixture: Option<&'static str>,
}

pub const BASES: [Base; 6] = [
    Base { name: "axum 0.8", stack: &AXUM, fixture: None },
    Base { name: "axum 0.7", stack: &AXUM, fixture: Some("axum07") },
    Base { name: "fastapi", stack: &FASTAPI, fixture: None },
    Base { name: "express", stack: &EXPRESS, fixture: None },
    Base { name: "django", stack: &DJANGO, fixture: None },
    Base { name: "nextjs", stack: &NEXTJS, fixture: None },
];

impl Base {
    /// The project with authentication, not built yet.
    pub fn with(&self, flags: &[String]) -> Project {
        let mut args = vec!["--yes", "--no-check"];
        args.extend(flags.iter().map(String::as_str));
        let project = self.fixture.map_or_else(|| empty("app"), fixture);
        let command: &[&str] = if self.fixture.is_some() { &["add"] } else { &["new", ".", "--stack", self.stack.id] };
        run(&project.dir, &[command, &args].concat()).exits(0);
        project
    }
}

impl Stack {
    fn listed(&self) -> Value {
        let list = run(&empty("list").dir, &["list", "--json"]).exits(0).json();
        listed(&list, "stacks").into_iter().find(|stack| stack["id"] == self.id).unwrap()
    }

    /// Whether an option has this value when nobody says otherwise.
    pub fn is_default(&self) -> impl Fn(&str, &str) -> bool {
        let options = listed(&self.listed(), "options");
        move |id, value| options.iter().any(|option| option["id"] == id && option["default"] == value)
    }

    /// Flags and their values. Options that take several values at once are left out: they change no code, or what each
    /// of them changes is data.
    pub fn combinations(&self) -> Vec<Vec<String>> {
        let stack = self.listed();
        let options = listed(&stack, "options");
        let single = options.iter().filter(|option| option["multiple"] != true).map(|option| {
            let values = option["values"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned());
            (option["id"].as_str().unwrap().to_owned(), values.collect())
        });
        let axes = std::iter::once(("with".to_owned(), sets(&listed(&stack, "modules")))).chain(single);
        axes.fold(vec![vec![]], |all, (id, values)| {
            let flags = all.iter().flat_map(|flags| extended(flags, &id, &values));
            flags.collect()
        })
    }
}

fn listed(stack: &Value, key: &str) -> Vec<Value> {
    stack[key].as_array().unwrap().clone()
}

/// Modules that go together: each set of them that has what its members need beside them.
fn sets(modules: &[Value]) -> Vec<String> {
    let id = |module: &Value| module["id"].as_str().unwrap().to_owned();
    let subsets = (1..1_usize << modules.len()).map(|bits| {
        let chosen = modules.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0);
        chosen.map(|(_, module)| module).collect::<Vec<_>>()
    });
    let goes = |set: &Vec<&Value>| {
        set.iter().all(|module| match module["beside_one_of"].as_array() {
            None => true,
            Some(needed) => set.iter().any(|other| needed.contains(&other["id"])),
        })
    };
    subsets.filter(goes).map(|set| set.into_iter().map(id).collect::<Vec<_>>().join(",")).collect()
}

fn extended(flags: &[String], id: &str, values: &[String]) -> Vec<Vec<String>> {
    values.iter().map(|value| [flags, &[format!("--{id}"), value.clone()]].concat()).collect()
}

/// Some of the rows, in which each value of each column still meets each value of every other column: what goes wrong goes wrong
/// in one value or in two that meet.
pub fn pairwise(mut rows: Vec<(&Base, Vec<String>)>) -> Vec<(&Base, Vec<String>)> {
    let mut open: BTreeSet<Pair> = rows.iter().flat_map(pairs).collect();
    let mut chosen = vec![];
    while !open.is_empty() {
        let gain = |at: &usize| (pairs(&rows[*at]).intersection(&open).count(), Reverse(*at));
        let best = (0..rows.len()).max_by_key(gain).unwrap();
        let row = rows.remove(best);
        for pair in pairs(&row) {
            open.remove(&pair);
        }
        chosen.push(row);
    }
    chosen
}

type Pair = [(usize, String); 2];

fn pairs((base, flags): &(&Base, Vec<String>)) -> BTreeSet<Pair> {
    let values = flags.iter().skip(1).step_by(2).map(String::as_str);
    let columns: Vec<_> = std::iter::once(base.name).chain(values).map(str::to_owned).enumerate().collect();
    let all = columns.iter().flat_map(|one| columns.iter().map(move |other| [one.clone(), other.clone()]));
    all.filter(|[one, other]| one.0 < other.0).collect()
}

//! Whole plans over a project of which one file is broken: git applies them, a second `add` does nothing, `undo` gives back
//! every byte.

use std::sync::{Mutex, PoisonError};

use super::{Random, Target};
use crate::core::{
    lock::Lock,
    pack::Pack,
    patch::{self, tests::apply},
    plan::Workspace,
    project::{Plan, Text},
    testing::{App, FIXTURES, app_tree, fixture, folder_of, path, small_app, snake_app},
    undo::undo,
};

pub fn all() -> Vec<Target> {
    let small = ["Cargo.toml", "src/main.rs", ".gitignore"].into_iter().map(small);
    let axum = ["Cargo.toml", "src/main.rs"].into_iter().map(axum);
    let snake = ["pyproject.toml", "requirements.txt"].into_iter().map(snake);
    let express = ["package.json", "src/main.ts"].into_iter().map(express);
    small.chain(axum).chain(snake).chain(express).collect()
}

/// `app` with texts in the place of `file`.
fn target(name: &str, app: App, file: &'static str, seeds: Vec<String>) -> Target {
    let before = app.tree.clone();
    let app = Mutex::new(app);
    Target::new(format!("plan {name} {file}"), seeds, move |text, random| {
        let mut app = app.lock().unwrap_or_else(PoisonError::into_inner);
        app.tree = before.clone();
        app.tree.insert(path(file), Text::new(text));
        holds(&mut app, random);
    })
}

fn texts(file: &str) -> Vec<String> {
    FIXTURES.iter().filter_map(|name| fixture(name).tree.text(file).map(str::to_owned)).collect()
}

fn small(file: &'static str) -> Target {
    let app = small_app();
    // Of the pack's framework, so that there is something to wire.
    let ours = |text: String| text.replace("axum::serve(listener, app)", "serve(app)").replace("axum = ", "web = ");
    let seeds = texts(file).into_iter().map(ours).chain(app.tree.text(file).map(str::to_owned)).collect();
    target("small", app, file, seeds)
}

fn axum(file: &'static str) -> Target {
    target("axum", fixture("plain"), file, texts(file))
}

fn snake(file: &'static str) -> Target {
    let seeds = match file {
        "requirements.txt" => vec!["web>=1\n", "web==1.0 \\\n  --hash=x\r\n# a\nother[b]>=2\n", "-r x\nweb\n"],
        _ => vec![
            "[project]\nname = \"x\"\ndependencies = [\"web>=1\"]\n",
            "[project]\nname = 'x'\ndependencies = [\n    'web>=1', # a\n    \"b[c]>=2\",\n]\n\n[dependency-groups]\n\
             dev = [\"pytest\"]\n",
            "\u{feff}[project]\r\ndependencies = [\r\n  \"web\",\r\n]\r\n[tool.x]\r\ny = 1\r\n",
        ],
    };
    let app = snake_app((file, seeds[0]));
    target("snake", app, file, seeds.into_iter().map(str::to_owned).collect())
}

fn express(file: &'static str) -> Target {
    let pack = Pack::all().unwrap().into_iter().find(|pack| pack.manifest.id == "express").unwrap();
    let tree = app_tree(&folder_of("express", "plain"), "");
    let seeds = ["plain", "factory", "nodenext", "middleware", "several"];
    let seeds = seeds.iter().filter_map(|name| folder_of("express", name).text(file).map(str::to_owned)).collect();
    target("express", App { pack, tree, folder: String::new(), workspace: Workspace::default() }, file, seeds)
}

/// A plan, or a refusal; and what was promised of the plan.
fn holds(app: &mut App, random: &mut Random) {
    let Ok(plan) = app.plan() else { return };
    let before = app.tree.clone();
    if random.one_in(10) && before.iter().all(|(_, text)| !text.raw().contains('\0')) {
        let text = patch::patch(&plan.changes, "");
        assert!(apply(&before, &text) == before.with(&plan.changes), "git makes something else of it:\n{text}");
    }
    app.tree = before.with(&plan.changes);
    let Some(lock) = Lock::read(&app.tree).unwrap() else { return };
    let again = app.plan().unwrap_or_else(|error| panic!("a second add: {error:#}"));
    assert!(again == Plan::default(), "a second add does something: {again:?}");
    let back = undo(&app.tree, &lock, Some(&app.pack.language)).unwrap();
    assert!(back.manual.is_empty(), "{:?}", back.manual);
    let back = app.tree.with(&back.changes);
    assert!(back == before, "{:?}", before.difference(&back));
}

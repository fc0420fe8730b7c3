//! Steps that are left to the user, followed to the letter, give an app that builds and is wired.

use std::fs;

use serde_json::Value;

use crate::{
    cargo,
    common::{Project, fixture, read},
    run, turn,
};

/// Puts the step's lines before the statement that it names.
fn follow(project: &Project, step: &Value, statement: impl Fn(&[&str], usize) -> usize) {
    let (path, line) = step["at"].as_str().unwrap().split_once(':').unwrap();
    let source = read(&project.dir, path);
    let mut lines: Vec<&str> = source.lines().collect();
    let at = statement(&lines, line.parse::<usize>().unwrap() - 1);
    let text = step["text"].as_str().unwrap().to_owned();
    lines.splice(at..at, text.lines());
    fs::write(project.dir.join(path), lines.join("\n") + "\n").unwrap();
}

#[test]
fn served_by_another_crate() {
    let _turn = turn();
    let project = fixture("axum-server");
    let done = run(&project.dir, &["add", "--yes", "--json"]).exits(0).json();
    let step = &done["manual"][0];
    assert!(step["what"].as_str().unwrap().ends_with("serve `app` in place of `app.into_make_service()`"), "{step}");
    assert_eq!(run(&project.dir, &["verify"]).exits(1).err.matches("drift: ").count(), 2);
    follow(&project, step, |_, named| named);
    crate::common::replace(&project.dir, "src/main.rs", "app.into_make_service()", "app");
    run(&project.dir, &["verify"]).exits(0);
    cargo(&project.dir, &["test", "--offline"]);
}

#[test]
fn served_in_a_macro() {
    let _turn = turn();
    let project = fixture("two-servers");
    let done = run(&project.dir, &["add", "--yes", "--json"]).exits(0).json();
    let steps = done["manual"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "{steps:?}");
    assert!(steps[0]["what"].as_str().unwrap().starts_with("one of 2 places: before the statement that holds this"));
    follow(&project, &steps[0], |lines, named| (0..named).rfind(|at| lines[*at].contains("try_join!")).unwrap());
    run(&project.dir, &["verify"]).exits(0);
    cargo(&project.dir, &["test", "--offline"]);
}

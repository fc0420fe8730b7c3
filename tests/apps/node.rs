//! A stack on Node for real: made, checked, linted, and attacked.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    all_passed,
    common::{self, Project, finished, must, of_stack, tree},
    holds, severity, tool, turn,
};

/// What `tools/install` puts beside the tests: a Node that current frameworks run on, and linters.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/node_modules")
}

fn path() -> String {
    format!("{}:{}", tools().join("node/bin").display(), std::env::var("PATH").unwrap())
}

fn run(dir: &Path, args: &[&str]) -> common::Run {
    finished(&tool(dir, args).env("PATH", path()).output().unwrap())
}

/// A program of the tools' own.
fn node(dir: &Path, program: &str, words: &[&str]) {
    let mut command = Command::new("node");
    must(command.current_dir(dir).env("PATH", path()).arg(tools().join(program)).args(words));
}

/// `tsc`, `eslint` and `prettier` find nothing in what was generated, at their strictest.
fn pleases(dir: &Path, ours: &[&str]) {
    must(Command::new("npm").current_dir(dir).env("PATH", path()).args(["ci", "--ignore-scripts", "--silent"]));
    node(dir, "typescript/bin/tsc", &["--noEmit"]);
    let rules = tools().join("../eslint.config.mjs");
    node(dir, "eslint/bin/eslint.js", &[&["--config", rules.to_str().unwrap()], ours].concat());
    node(dir, "prettier/bin/prettier.cjs", &[&["--check"], ours].concat());
}

fn made(stack: &str, options: &[&str]) -> Project {
    let project = common::empty("made");
    run(&project.dir, &[&["new", "shop", "--stack", stack, "--name", "shop", "--yes"], options].concat()).exits(0);
    project
}

fn is_checked_and_pleases(stack: &str, options: &[&str]) {
    let project = made(stack, options);
    let app = project.dir.join("shop");
    let lock = std::fs::read_to_string(app.join("package-lock.json")).unwrap();
    assert!(lock.contains("\"node_modules/better-auth\""));
    pleases(&app, &["src/**/*.ts"]);
    assert!(run(&app, &["verify"]).exits(0).err.contains("test: passed"));
}

fn is_checked_and_given_back(stack: &str, name: &str) {
    let project = of_stack(stack, name);
    let before = tree(&project.dir);
    all_passed(&run(&project.dir, &["add", "--yes", "--json"]).exits(0).json());
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

/// By the critical controls; `SEVERITY=critical,high,medium` attacks by all, which takes six minutes.
fn is_attacked(stack: &str) {
    let project = common::empty("probed");
    run(&project.dir, &["new", "app", "--stack", stack, "--yes", "--no-check"]).exits(0);
    let severity = severity();
    let done = run(&project.dir, &["probe", "app", "--json", "--severity", &severity]);
    holds(&done, &severity);
    done.exits(0);
}

#[test]
fn new_is_checked_and_pleases_the_linters() {
    let _turn = turn();
    is_checked_and_pleases("express", &["--profile", "strict"]);
}

#[test]
fn a_project_is_added_to_checked_and_given_back() {
    let _turn = turn();
    is_checked_and_given_back("express", "plain");
    is_checked_and_given_back("express", "factory");
}

#[test]
fn attacks_on_an_api_on_node_fail() {
    let _turn = turn();
    is_attacked("express");
}

#[test]
fn a_next_app_is_checked_and_pleases_the_linters() {
    let _turn = turn();
    is_checked_and_pleases("nextjs", &["--profile", "strict"]);
}

#[test]
fn a_next_project_is_added_to_checked_and_given_back() {
    let _turn = turn();
    is_checked_and_given_back("nextjs", "root");
}

#[test]
fn attacks_on_a_next_app_fail() {
    let _turn = turn();
    is_attacked("nextjs");
}

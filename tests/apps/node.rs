//! A stack on Node for real: made, checked, linted, and attacked.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    all_passed,
    common::{self, Project, finished, must, of_stack, tree},
    holds,
    mutants::of_one_app,
    pages::lives,
    severity, tool, turn_aside,
};

/// What is looked at of a project.
const OURS: &str = "src/**/*.{ts,tsx}";
/// Two of a kind, so that one could pass its answer off as another's.
const WITH_PROVIDERS: [&str; 4] = ["--with", "password,oidc,tokens", "--providers", "generic,keycloak"];
const EVERY_PROVIDER: &str = "google,microsoft,github,gitlab,apple,okta,auth0,keycloak,workos,generic";

/// What `tools/install` puts beside the tests: a Node that current frameworks run on, pnpm, and linters.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/node_modules")
}

/// With that Node, and other package managers, before any other.
pub fn path() -> String {
    let [node, others] = ["node/bin", ".bin"].map(|folder| tools().join(folder).display().to_string());
    format!("{node}:{others}:{}", std::env::var("PATH").unwrap())
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
fn pleases(dir: &Path) {
    node(dir, "typescript/bin/tsc", &["--noEmit"]);
    let rules = tools().join("../eslint.config.mjs");
    node(dir, "eslint/bin/eslint.js", &["--config", rules.to_str().unwrap(), OURS]);
    is_formatted(dir);
}

fn is_formatted(dir: &Path) {
    node(dir, "prettier/bin/prettier.cjs", &["--check", OURS]);
}

fn made(stack: &str, options: &[&str]) -> Project {
    let project = common::empty("made");
    run(&project.dir, &[&["new", "shop", "--stack", stack, "--name", "shop", "--yes"], options].concat()).exits(0);
    project
}

fn checked(stack: &str, options: &[&str]) -> Project {
    let project = made(stack, options);
    let app = project.dir.join("shop");
    let lock = std::fs::read_to_string(app.join("package-lock.json")).unwrap();
    assert!(lock.contains("\"node_modules/better-auth\""));
    assert!(run(&app, &["verify"]).exits(0).err.contains("test: passed"));
    project
}

fn with_providers<'a>(new: &[&'a str]) -> Vec<&'a str> {
    [new, &WITH_PROVIDERS].concat()
}

fn is_checked_and_given_back(stack: &str, name: &str) {
    let project = of_stack(stack, name);
    let before = tree(&project.dir);
    all_passed(&run(&project.dir, &["add", "--yes", "--json"]).exits(0).json());
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

/// By the critical controls; `SEVERITY=critical,high,medium` attacks by all, which takes six minutes.
fn is_attacked(app: &Path) {
    let severity = severity();
    let done = run(app, &["probe", "--json", "--severity", &severity]);
    holds(&done, &severity);
    done.exits(0);
}

#[test]
fn new_is_checked_and_pleases_the_linters() {
    let _turn = turn_aside();
    let project =
        checked("express", &["--profile", "strict", "--with", "password,oidc,tokens", "--providers", EVERY_PROVIDER]);
    let app = project.dir.join("shop");
    must(Command::new("npm").current_dir(&app).env("PATH", path()).args(["ci", "--ignore-scripts", "--silent"]));
    pleases(&app);
    let alone = made("express", &["--no-check"]);
    is_formatted(&alone.dir.join("shop"));
}

#[test]
fn a_project_is_added_to_checked_and_given_back() {
    let _turn = turn_aside();
    is_checked_and_given_back("express", "plain");
    is_checked_and_given_back("express", "generator");
}

/// By pnpm; the app's libraries are its own, TypeScript's compiler and the lock file the workspace's.
#[test]
fn a_member_of_a_workspace_is_added_to_checked_and_given_back() {
    let _turn = turn_aside();
    is_checked_and_given_back("express", "monorepo");
}

#[test]
fn attacks_on_an_api_on_node_fail() {
    let _turn = turn_aside();
    let project = common::empty("probed");
    run(&project.dir, &with_providers(&["new", "app", "--stack", "express", "--yes", "--no-check"])).exits(0);
    is_attacked(&project.dir.join("app"));
}

/// What a guard lets one user see is kept out of what Next stores for everybody. Served is the probe's build.
fn is_not_stored(app: &Path) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let mut command = Command::new("node");
    command.args(["--import", "./src/auth/resolve.mjs", "stored.ts", &port]);
    must(command.current_dir(app).env("PATH", path()));
}

/// One app for all of it: to install and to build it takes most of the time.
#[test]
fn a_next_app_is_checked_attacked_and_pleases_the_linters() {
    let _turn = turn_aside();
    let project = checked("nextjs", &WITH_PROVIDERS);
    let app = project.dir.join("shop");
    common::copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/nextjs"), &app);
    is_attacked(&app);
    is_not_stored(&app);
    // The libraries are those of the probe's build.
    pleases(&app);
    must(Command::new("npm").current_dir(&app).env("PATH", path()).args(["run", "lint"]));
}

/// What was built, as people see it.
#[test]
fn a_next_app_with_pages_is_lived_in_and_pleases_the_linters() {
    let _turn = turn_aside();
    let project = made("nextjs", &["--ui", "pages", "--with", "password,tokens", "--no-check"]);
    let app = project.dir.join("shop");
    must(Command::new("npm").current_dir(&app).env("PATH", path()).args(["install", "--ignore-scripts", "--silent"]));
    let next = app.join("node_modules/next/dist/bin/next");
    must(Command::new("node").current_dir(&app).env("PATH", path()).arg(&next).arg("build"));
    lives(Command::new("node").env("PATH", path()).arg(&next).args(["start", "-H", "127.0.0.1"]), &app);
    pleases(&app);
}

#[test]
fn a_next_project_is_added_to_checked_and_given_back() {
    let _turn = turn_aside();
    is_checked_and_given_back("nextjs", "plain");
}

/// `MUTANTS` as for axum.
#[test]
fn mutants_on_node_are_noticed() {
    let _turn = turn_aside();
    let new = with_providers(&["new", "app", "--stack", "express", "--yes", "--no-check"]);
    of_one_app("express", &new, path().as_ref());
}

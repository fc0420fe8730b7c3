//! Combinations of modules and options, on each major version of the framework, are apps that build alone, pass their tests
//! and please their linter.
//!
//! Of axum each pair of values is compiled. A share of the pairs, which changes with every commit, is built and tested, as it is
//! of the other stacks. `MATRIX=pairs` builds and tests all pairs, which takes an hour more, `MATRIX=all` every combination,
//! which takes hours.

use std::{env, path::Path, process::Command};

use crate::{
    builds,
    common::{
        empty, finished,
        options::{BASES, Base, pairwise},
    },
    node, of_commit, tool, turn, turn_aside,
};

/// What a cargo command says, or its last lines if it fails. Clippy is the compiler of what is built and tested: looking at it
/// apart takes as long again.
fn cargo(dir: &Path, what: &[&str]) -> Result<String, String> {
    let mut command = Command::new("cargo");
    command.current_dir(dir).args(what).env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    command.env("CARGO_TARGET_DIR", builds().join("authwright"));
    let output = command.env("CARGO_INCREMENTAL", "0").env("RUST_BACKTRACE", "0").output().unwrap();
    let said = [output.stderr, output.stdout].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    if output.status.success() {
        return Ok(said);
    }
    Err(last_of(&said))
}

fn last_of(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// How many tests an app has at least: most of them are on passwords.
fn floor(flags: &[String]) -> usize {
    let has = |module: &str| flags[1].split(',').any(|chosen| chosen == module);
    match (has("password"), has("tokens")) {
        (true, _) => 100,
        (false, true) => 120,
        (false, false) => 80,
    }
}

/// Rendered right before it is built: cargo takes apps of one name for the same, and builds again what is newer.
fn built(base: &Base, flags: &[String]) -> Result<(), String> {
    let project = base.with(flags);
    let said = cargo(&project.dir, &["build"])? + &cargo(&project.dir, &["test"])?;
    if said.matches("test auth::tests::").count() < floor(flags) {
        return Err(format!("the module's tests did not run\n{said}"));
    }
    pleased(&said)
}

/// A third of the time of what is built and tested.
fn compiled(base: &Base, flags: &[String]) -> Result<(), String> {
    pleased(&cargo(&base.with(flags).dir, &["check", "--all-targets"])?)
}

fn pleased(said: &str) -> Result<(), String> {
    if said.contains("warning: ") { Err(format!("the linter is not pleased\n{said}")) } else { Ok(()) }
}

/// One commit tests one pair of values of so many.
const SHARES: usize = 5;

type Row = (&'static Base, Vec<String>);

/// What `MATRIX` asks to be tested of a stack, and the pairs of values that it does not: every combination; each pair; or the
/// commit's share of the pairs.
fn rows(stack: &str) -> (Vec<Row>, Vec<Row>) {
    let bases = BASES.iter().filter(|base| base.stack.id == stack);
    let all = bases.flat_map(|base| base.stack.combinations().into_iter().map(move |flags| (base, flags))).collect();
    match env::var("MATRIX").as_deref() {
        Ok("all") => (all, vec![]),
        Ok("pairs") => (pairwise(all), vec![]),
        Ok(other) => panic!("MATRIX is `pairs` or `all`, not `{other}`"),
        Err(_) => share(pairwise(all), of_commit(SHARES)),
    }
}

fn share(rows: Vec<Row>, mine: usize) -> (Vec<Row>, Vec<Row>) {
    let (of_mine, others): (Vec<_>, Vec<_>) = rows.into_iter().enumerate().partition(|(at, _)| at % SHARES == mine);
    let bare = |rows: Vec<(usize, Row)>| rows.into_iter().map(|(_, row)| row).collect();
    (bare(of_mine), bare(others))
}

fn all_hold(rows: &[Row], holds: impl Fn(&Base, &[String]) -> Result<(), String>) {
    let mut failed = vec![];
    for (base, flags) in rows {
        println!("{} {}", base.name, flags.join(" "));
        if let Err(why) = holds(base, flags) {
            failed.push(format!("{why}\n== {} {}", base.name, flags.join(" ")));
        }
    }
    assert!(failed.is_empty(), "{}\n{} of {} combinations failed", failed.join("\n"), failed.len(), rows.len());
}

#[test]
fn combinations_build_and_pass_their_tests() {
    let _turn = turn();
    let (tested, others) = rows("axum");
    all_hold(&tested, built);
    all_hold(&others, compiled);
}

/// What the pack itself has an addition prove: libraries, build and tests.
fn checked(base: &Base, flags: &[String]) -> Result<(), String> {
    let project = empty("app");
    let mut command = tool(&project.dir, &["new", ".", "--stack", base.stack.id, "--yes", "--json"]);
    let done = finished(&command.args(flags).env("PATH", node::path()).output().unwrap());
    let steps = || done.json()["check"].as_array().cloned().unwrap_or_default();
    let passed = done.code == 0 && steps().len() >= 3 && steps().iter().all(|step| step["result"] == "passed");
    if passed { Ok(()) } else { Err(last_of(&done.err)) }
}

#[test]
fn combinations_of_fastapi_pass_their_checks() {
    let _turn = turn_aside();
    all_hold(&rows("fastapi").0, checked);
}

#[test]
fn combinations_of_django_pass_their_checks() {
    let _turn = turn_aside();
    all_hold(&rows("django").0, checked);
}

#[test]
fn combinations_of_express_pass_their_checks() {
    let _turn = turn_aside();
    all_hold(&rows("express").0, checked);
}

#[test]
fn combinations_of_nextjs_pass_their_checks() {
    let _turn = turn_aside();
    all_hold(&rows("nextjs").0, checked);
}

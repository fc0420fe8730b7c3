//! Combinations of modules and options, on each major version of the framework, are apps that build alone, pass their tests
//! and please their linter.
//!
//! Each pair of values is tried; `MATRIX=all` tries every combination, which takes hours.

use std::{env, path::Path, process::Command};

use crate::{
    builds,
    common::options::{AXUM, BASES, Base, pairwise},
    turn,
};

/// What a cargo command says, or its last lines if it fails. Clippy is the compiler of what is built and tested: looking at it
/// apart takes as long again.
fn cargo(dir: &Path, what: &str) -> Result<String, String> {
    let mut command = Command::new("cargo");
    command.current_dir(dir).arg(what).env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    command.env("CARGO_TARGET_DIR", builds().join("authwright"));
    let output = command.env("CARGO_INCREMENTAL", "0").env("RUST_BACKTRACE", "0").output().unwrap();
    let said = [output.stderr, output.stdout].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    if output.status.success() {
        return Ok(said);
    }
    let lines: Vec<&str> = said.lines().collect();
    Err(lines[lines.len().saturating_sub(60)..].join("\n"))
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
    let said = cargo(&project.dir, "build")? + &cargo(&project.dir, "test")?;
    if said.matches("test auth::tests::").count() < floor(flags) {
        return Err(format!("the module's tests did not run\n{said}"));
    }
    if said.contains("warning: ") { Err(format!("the linter is not pleased\n{said}")) } else { Ok(()) }
}

#[test]
fn combinations_build_and_pass_their_tests() {
    let _turn = turn();
    let bases = BASES.iter().filter(|base| base.stack.id == AXUM.id);
    let all = bases.flat_map(|base| AXUM.combinations().into_iter().map(move |flags| (base, flags))).collect();
    let rows = if env::var("MATRIX").is_ok_and(|wanted| wanted == "all") { all } else { pairwise(all) };
    let mut failed = vec![];
    for (base, flags) in &rows {
        println!("{} {}", base.name, flags.join(" "));
        if let Err(why) = built(base, flags) {
            failed.push(format!("== {} {}\n{why}", base.name, flags.join(" ")));
        }
    }
    assert!(failed.is_empty(), "{} of {} combinations failed\n{}", failed.len(), rows.len(), failed.join("\n"));
}

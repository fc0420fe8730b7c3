//! Every combination of options, on each major version of the framework, is an app that builds alone, passes its tests
//! and pleases its linter.

use std::{path::Path, process::Command};

use crate::{
    builds,
    common::options::{BASES, Base, combinations},
    turn,
};

/// What a cargo command says, or its last lines if it fails.
fn cargo(dir: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new("cargo");
    command.current_dir(dir).args(args).env("CARGO_TARGET_DIR", builds().join("authwright"));
    let output = command.env("CARGO_INCREMENTAL", "0").env("RUST_BACKTRACE", "0").output().unwrap();
    let said = [output.stderr, output.stdout].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    if output.status.success() {
        return Ok(said);
    }
    let lines: Vec<&str> = said.lines().collect();
    Err(lines[lines.len().saturating_sub(60)..].join("\n"))
}

/// Rendered right before it is built: cargo takes apps of one name for the same, and builds again what is newer.
fn built(base: &Base, flags: &[String]) -> Result<(), String> {
    let project = base.with(flags);
    let said = cargo(&project.dir, &["test"])?;
    if said.matches("test auth::tests::").count() < 100 {
        return Err(format!("the module's tests did not run\n{said}"));
    }
    cargo(&project.dir, &["clippy", "--all-targets", "--", "-D", "warnings"]).map(drop)
}

#[test]
fn every_combination_builds_and_passes_its_tests() {
    let _turn = turn();
    let combinations = combinations();
    let mut failed = vec![];
    for base in &BASES {
        for flags in &combinations {
            if let Err(why) = built(base, flags) {
                failed.push(format!("== {} {}\n{why}", base.name, flags.join(" ")));
            }
        }
    }
    let all = BASES.len() * combinations.len();
    assert!(failed.is_empty(), "{} of {all} combinations failed\n{}", failed.len(), failed.join("\n"));
}

//! Every fixture that is wired by the tool ends in a built, tested app that its owner's tools accept.

use std::collections::BTreeMap;

use crate::{
    all_passed, cargo,
    common::{self, Project, fixture, tree},
    run, turn,
};

fn served(name: &str, looks: &[&str]) {
    let _turn = turn();
    let project = fixture(name);
    let before = tree(&project.dir);
    let done = run(&project.dir, &["add", "--yes", "--json"]).exits(0).json();
    assert_eq!((&done["result"], &done["manual"]), (&"applied".into(), &serde_json::json!([])));
    all_passed(&done);
    if looks.contains(&LINTS) {
        cargo(&project.dir, &["clippy", "--all-targets", "--offline", "--workspace", "--", "-D", "warnings"]);
    }
    let verified = run(&project.dir, &["verify"]).exits(0).err;
    assert!(verified.contains("test: passed"), "{verified}");
    given_back(&project, &before, looks);
}

/// What is generated is that of another fixture: that it compiles where it was put says all.
fn wired(name: &str, looks: &[&str]) {
    let _turn = turn();
    let project = fixture(name);
    let before = tree(&project.dir);
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!((&done["result"], &done["manual"]), (&"applied".into(), &serde_json::json!([])));
    cargo(&project.dir, &["check", "--all-targets"]);
    run(&project.dir, &["verify"]).exits(0);
    // Without a check, the tool has not written it; cargo has.
    let lock = before.get("Cargo.lock").map(|lock| std::fs::write(project.dir.join("Cargo.lock"), lock));
    lock.transpose().unwrap();
    given_back(&project, &before, looks);
}

fn given_back(project: &Project, before: &BTreeMap<String, Vec<u8>>, looks: &[&str]) {
    if looks.contains(&FORMAT) {
        cargo(&project.dir, &["fmt", "--all", "--check"]);
    }
    if !before.contains_key("Cargo.lock") {
        // Not tracked, so not copied back by the tool; cargo may have written it above.
        _ = std::fs::remove_file(project.dir.join("Cargo.lock"));
    }
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), *before);
}

const FORMAT: &str = "format";
const LINTS: &str = "lints";

macro_rules! fixtures {
    ($($test:ident: $how:ident, $name:literal, $looks:expr;)*) => {
        $(#[test] fn $test() { $how($name, $looks); })*
    };
}

// `crlf` and `mixed` are not formatted before either. What is generated differs with the versions of axum and sqlx and
// with the crate's root: those are served, and linted.
fixtures! {
    plain: served, "plain", &[FORMAT];
    app_fn: wired, "app-fn", &[FORMAT];
    state_layers: wired, "state-layers", &[FORMAT];
    axum07: served, "axum07", &[FORMAT, LINTS];
    workspace: served, "workspace", &[FORMAT];
    sqlx09: served, "sqlx09", &[FORMAT];
    sqlx08: served, "sqlx08", &[FORMAT, LINTS];
    crlf: wired, "crlf", &[];
    mixed: wired, "mixed", &[];
    strict_lints: served, "strict-lints", &[FORMAT, LINTS];
    served_in_lib: served, "served-in-lib", &[FORMAT];
    no_lock: served, "no-lock", &[FORMAT];
}

#[test]
fn new_is_built_and_tested() {
    let _turn = turn();
    let project = common::empty("new");
    run(&project.dir, &["new", "shop", "--stack", "axum", "--name", "shop", "--yes"]).exits(0);
    let app = project.dir.join("shop");
    assert!(app.join("Cargo.lock").exists());
    cargo(&app, &["fmt", "--check"]);
    cargo(&app, &["clippy", "--all-targets", "--offline", "--locked", "--", "-D", "warnings"]);
    run(&app, &["verify"]).exits(0);
    run(&app, &["check"]).exits(0);
}

//! Every fixture that is wired by the tool ends in a built, tested app that its owner's tools accept.

use crate::{
    cargo,
    common::{self, fixture, tree},
    run, turn,
};

fn served(name: &str, formatted: bool) {
    let _turn = turn();
    let project = fixture(name);
    let before = tree(&project.dir);
    let done = run(&project.dir, &["add", "--yes", "--json"]).exits(0).json();
    assert_eq!((&done["result"], &done["manual"]), (&"applied".into(), &serde_json::json!([])));
    let steps = done["check"].as_array().unwrap();
    assert!(steps.len() >= 3 && steps.iter().all(|step| step["result"] == "passed"), "{steps:?}");
    if formatted {
        cargo(&project.dir, &["fmt", "--all", "--check"]);
    }
    cargo(&project.dir, &["clippy", "--all-targets", "--offline", "--workspace", "--", "-D", "warnings"]);
    let verified = run(&project.dir, &["verify"]).exits(0).err;
    assert!(verified.contains("test: passed"), "{verified}");
    if !before.contains_key("Cargo.lock") {
        // Not tracked, so not copied back by the tool: cargo wrote it for the lints above.
        std::fs::remove_file(project.dir.join("Cargo.lock")).unwrap();
    }
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

macro_rules! served {
    ($($test:ident: $name:literal, $formatted:literal;)*) => {
        $(#[test] fn $test() { served($name, $formatted); })*
    };
}

// `crlf` and `mixed` are not formatted before either.
served! {
    plain: "plain", true;
    app_fn: "app-fn", true;
    state_layers: "state-layers", true;
    axum07: "axum07", true;
    workspace: "workspace", true;
    sqlx09: "sqlx09", true;
    sqlx08: "sqlx08", true;
    crlf: "crlf", false;
    mixed: "mixed", false;
    strict_lints: "strict-lints", true;
    served_in_lib: "served-in-lib", true;
    no_lock: "no-lock", true;
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

//! Who answers, and what a missing answer costs.

use std::time::{Duration, Instant};

use crate::common::{empty, fixture, planned, run, tree};

#[test]
fn a_missing_answer_names_its_flag_at_once() {
    let project = fixture("plain");
    let before = tree(&project.dir);
    for (args, flag) in [
        (&["add"][..], "--yes"),
        (&["add", "--no-input"], "--yes"),
        (&["add", "--json"], "--yes"),
        (&["new", "app"], "--stack"),
        (&["new", "app", "--stack", "axum"], "--yes"),
        (&["new", "--stack", "axum"], "DIR"),
    ] {
        let start = Instant::now();
        let run = run(&project.dir, args).exits(2);
        assert!(start.elapsed() < Duration::from_secs(1), "{args:?}");
        assert!(format!("{}{}", run.err, run.out).contains(flag), "{args:?}: {} {}", run.err, run.out);
    }
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn undo_without_an_answer_changes_nothing() {
    let project = fixture("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    let before = tree(&project.dir);
    assert!(run(&project.dir, &["undo"]).exits(2).err.contains("--yes"));
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn a_wrong_answer_names_what_is_there() {
    let project = fixture("plain");
    for (args, told) in [
        (&["add", "--db", "oracle", "--yes"][..], "sqlite"),
        (&["add", "--with", "biometrics", "--yes"], "password"),
        (&["add", "--with", "tokens", "--yes"], "`tokens` needs `password` or `oidc` beside it"),
        (&["add", "--with", "tokens", "--yes"], "programs sign in for somebody who has an account"),
        (&["add", "--frobnicate"], "--frobnicate"),
        (&["add", "--at", "serve", "--yes"], "serve=src/main.rs:12"),
        (&["add", "--at", "serve=src/main.rs:1", "--yes"], "axum::serve"),
        (&["add", "--at", "server=src/main.rs:12", "--yes"], "serve, root"),
        (&["new", "x", "--stack", "cobol", "--yes"], "axum"),
        (&["new", "x", "--stack", "axum", "--name", "../x", "--yes"], "package name"),
    ] {
        let run = run(&project.dir, args).exits(2);
        assert!(run.err.contains(told), "{args:?}: {}", run.err);
    }
}

#[test]
fn the_printed_command_line_gives_the_same_answers() {
    let (first, second) = (fixture("workspace"), fixture("workspace"));
    let said = run(&first.dir, &["add", "--yes", "--no-check"]).exits(0).err;
    let again = said.lines().find_map(|line| line.split_once("the same again: authwright ")).unwrap().1;
    run(&second.dir, &again.split(' ').collect::<Vec<_>>()).exits(0);
    assert_eq!(tree(&first.dir), tree(&second.dir));
}

#[test]
fn new_is_the_same_in_another_folder() {
    let (here, there) = (empty("here"), empty("there"));
    let args = |dir| ["new", dir, "--stack", "axum", "--yes", "--no-check"];
    run(&here.dir, &args("one")).exits(0);
    run(&there.dir, &args("another one")).exits(0);
    let (one, two) = (planned(&here.dir.join("one")), planned(&there.dir.join("another one")));
    assert!(one.contains_key("src/auth/mod.rs"));
    assert_eq!(one, two);
}

#[test]
fn new_leaves_what_is_there_alone() {
    let project = fixture("plain");
    let before = tree(&project.dir);
    let parent = project.dir.parent().unwrap();
    let said = run(parent, &["new", "plain", "--stack", "axum", "--yes", "--no-check"]).exits(1).err;
    assert!(said.contains("not empty"), "{said}");
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn secrets_are_fresh_and_never_written() {
    let project = empty("app");
    let secret = || run(&project.dir, &["secret"]).exits(0).out;
    let (one, two) = (secret(), secret());
    assert_ne!(one, two);
    assert_eq!(one.len(), "AUTH_SECRET=\n".len() + 44);
    run(&project.dir, &["new", "x", "--stack", "axum", "--yes", "--no-check"]).exits(0);
    let example = crate::common::read(&project.dir, "x/.env.example");
    assert!(example.contains("\nAUTH_SECRET=\n") && !project.dir.join("x/.env").exists(), "{example}");
}

#[test]
fn new_goes_beside_the_workspace_and_the_repository_that_it_is_called_from() {
    let project = fixture("workspace");
    std::fs::create_dir(project.dir.join(".git")).unwrap();
    let before = tree(&project.dir);
    let args = ["new", "../beside", "--stack", "axum", "--also", "codeowners", "--yes", "--no-check"];
    run(&project.dir, &args).exits(0);
    let beside = project.dir.parent().unwrap().join("beside");
    // A file of the repository's root, which the new folder is not below of.
    assert!(crate::common::read(&beside, ".github/CODEOWNERS").contains("/src/auth/"));
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn new_stays_out_of_a_workspace_that_does_not_list_it() {
    let project = fixture("workspace");
    let before = tree(&project.dir);
    let args = ["new", "crates/extra", "--stack", "axum", "--yes", "--no-check"];
    assert!(run(&project.dir, &args).exits(1).err.contains("inside the workspace"));
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn a_script_reads_what_is_wrong_with_a_flag() {
    let project = fixture("plain");
    for (args, what) in [
        (["add", "--providers", "nobody", "--json"], "invalid value 'nobody' for '--providers"),
        (["add", "--no-such-flag", "--yes", "--json"], "unexpected argument '--no-such-flag'"),
    ] {
        let done = run(&project.dir, &args).exits(2);
        let object = done.json();
        assert!(object["error"]["what"].as_str().unwrap().starts_with(what), "{object}");
        assert_eq!((&object["error"]["exit"], done.err.as_str()), (&2.into(), ""));
    }
}

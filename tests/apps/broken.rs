//! A check that does not pass leaves the project as it was.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use crate::{
    common::{fixture, must, tree},
    run, tool, turn,
};

#[test]
fn a_build_that_the_addition_breaks() {
    let _turn = turn();
    let project = fixture("breaks");
    let before = tree(&project.dir);
    let said = run(&project.dir, &["add", "--yes"]).exits(3).err;
    assert!(said.contains("error[E") && said.contains("nothing was applied"), "{said}");
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn a_project_that_is_broken_already() {
    let _turn = turn();
    let project = fixture("broken");
    let before = tree(&project.dir);
    let said = run(&project.dir, &["add", "--yes"]).exits(1).err;
    assert!(said.contains("broken already"), "{said}");
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn an_interrupted_check() {
    let _turn = turn();
    let project = fixture("plain");
    let before = tree(&project.dir);
    let mut child = tool(&project.dir, &["add", "--yes"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let built = |line: &String| line.contains("cargo build");
    assert!(lines.by_ref().map(Result::unwrap).any(|line| built(&line)));
    must(Command::new("kill").args(["-INT", &child.id().to_string()]));
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert_eq!(tree(&project.dir), before);
}

//! Mutants: the app with one protection taken out is noticed by the attack of that protection's own control.

mod weave;

use crate::{
    common::{
        Project, empty,
        mutants::{Answers, Mutant, Mutants, of},
    },
    run, turn,
};
use std::{collections::BTreeMap, path::PathBuf, process::Command};

const STACK: &str = "axum";

/// The app with these answers, and the others as they are by default.
fn rendered(answers: &Answers) -> (Project, PathBuf) {
    let project = empty("mutants");
    let mut args = vec!["new", "app", "--stack", STACK, "--yes", "--no-check"];
    let flags: Vec<String> = answers.keys().map(|option| format!("--{option}")).collect();
    for (flag, value) in flags.iter().zip(answers.values()) {
        args.extend([flag.as_str(), value.as_str()]);
    }
    run(&project.dir, &args).exits(0);
    let dir = project.dir.join("app");
    (project, dir)
}

/// The mutants that are built with the same answers.
fn groups<'a>(mutants: impl Iterator<Item = &'a Mutant>) -> BTreeMap<&'a Answers, Vec<&'a Mutant>> {
    mutants.fold(BTreeMap::new(), |mut groups, mutant| {
        groups.entry(&mutant.answers).or_insert_with(Vec::new).push(mutant);
        groups
    })
}

#[test]
fn mutants_compile() {
    let _turn = turn();
    let mutants = of(STACK);
    for (answers, group) in groups(mutants.all.iter()) {
        let (_project, dir) = rendered(answers);
        let (together, alone): (Vec<&Mutant>, Vec<&Mutant>) = group.iter().partition(|mutant| mutant.expression);
        eprintln!("{answers:?}: {} woven, {} alone", together.len(), alone.len());
        weave::weave(&mutants.weave, &together, &dir);
        check(&dir);
    }
}

fn check(dir: &std::path::Path) {
    let status = Command::new("cargo")
        .arg("check")
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", crate::builds().join("authwright"))
        .status()
        .unwrap();
    if !status.success() {
        let kept = std::env::temp_dir().join("kept-mutants");
        _ = std::fs::remove_dir_all(&kept);
        Command::new("cp").arg("-r").arg(dir).arg(&kept).status().unwrap();
        panic!("kept {}", kept.display());
    }
}

//! Mutants: an app with one protection taken out is noticed by the attack of that protection's own control.
//!
//! `MUTANTS=all` tries all of them, `MUTANTS=SES-08.m1,PWD` some, and either writes their rows of the table; without it, a share
//! is tried that changes with every commit. `tools/mutants` is the command for people.

mod table;
pub mod trial;
mod weave;

use std::{collections::BTreeMap, env, ffi::OsStr, path::PathBuf, process::Command};

use crate::{
    builds,
    common::{
        Project, empty, finished,
        mutants::{Answers, Mutant, Mutants, of},
        options::AXUM,
    },
    of_commit, run, tool, turn,
};
use trial::Seen;

const STACK: &str = "axum";

/// One commit tries one mutant of so many.
const SHARES: usize = 24;

/// The app with these answers, and the others as they are by default.
fn rendered(answers: &Answers) -> (Project, PathBuf) {
    let project = empty("mutants");
    let flags = answers.iter().flat_map(|(option, value)| [format!("--{option}"), value.clone()]);
    let flags: Vec<String> = flags.collect();
    let mut args = vec!["new", "app", "--stack", STACK, "--yes", "--no-check"];
    args.extend(flags.iter().map(String::as_str));
    run(&project.dir, &args).exits(0);
    let dir = project.dir.join("app");
    (project, dir)
}

/// The mutants that live in the same app, by the answers that are not its defaults.
fn groups<'a>(mutants: &[&'a Mutant]) -> BTreeMap<Answers, Vec<&'a Mutant>> {
    let is_default = AXUM.is_default();
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mutant in mutants {
        let mut answers = mutant.answers.clone();
        answers.retain(|option, value| !is_default(option, value));
        groups.entry(answers).or_default().push(*mutant);
    }
    groups
}

/// Those of a group that share a build, and those that have one each.
fn parted<'a>(group: &[&'a Mutant]) -> (Vec<&'a Mutant>, Vec<&'a Mutant>) {
    group.iter().partition(|mutant| mutant.expression)
}

/// Whether `name` is the mutant's id, its control, or its group.
fn is_named(mutant: &Mutant, name: &str) -> bool {
    let rest = mutant.id.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '@', '-']))
}

fn named<'a>(mutants: &'a Mutants, names: &str) -> Vec<&'a Mutant> {
    let mut chosen = vec![];
    for name in names.split(',') {
        let before = chosen.len();
        chosen.extend(mutants.all.iter().filter(|mutant| is_named(mutant, name)));
        assert!(chosen.len() > before, "there is no mutant `{name}`");
    }
    chosen
}

/// The commit's share.
fn share(mutants: &Mutants) -> Vec<&Mutant> {
    mutants.all.iter().skip(of_commit(SHARES)).step_by(SHARES).collect()
}

/// Those that `MUTANTS` asks for.
fn chosen<'a>(mutants: &'a Mutants, wanted: Option<&str>) -> Vec<&'a Mutant> {
    match wanted {
        None => share(mutants),
        Some("all") => mutants.all.iter().collect(),
        Some(names) => named(mutants, names),
    }
}

fn wanted() -> Option<String> {
    env::var("MUTANTS").ok()
}

fn all_noticed(chosen: &[&Mutant], found: &BTreeMap<&str, Seen>) {
    let unnoticed = chosen.iter().filter(|mutant| !matches!(found[mutant.id.as_str()], Seen::Noticed(_)));
    let unnoticed: Vec<String> =
        unnoticed.map(|mutant| format!("{}: {}", mutant.id, found[mutant.id.as_str()])).collect();
    assert!(unnoticed.is_empty(), "{} of {}\n{}", unnoticed.len(), chosen.len(), unnoticed.join("\n"));
}

/// Mutants of a stack that are tried one after the other in the app that `new` makes; `path` is where its programs are.
pub fn of_one_app(stack: &str, new: &[&str], path: &OsStr) {
    let mutants = of(stack);
    let chosen = chosen(&mutants, wanted().as_deref());
    let project = empty("mutants");
    finished(&tool(&project.dir, new).env("PATH", path).output().unwrap()).exits(0);
    all_noticed(&chosen, &trial::edited(&project.dir.join("app"), path, &chosen));
}

#[test]
fn mutants_are_noticed() {
    let _turn = turn();
    let mutants = of(STACK);
    let wanted = wanted();
    let chosen = chosen(&mutants, wanted.as_deref());
    let mut found = BTreeMap::new();
    for (answers, group) in groups(&chosen) {
        found.extend(trial::tried(mutants.weave.as_ref().unwrap(), &answers, &group));
    }
    if wanted.is_some() {
        table::write(&mutants, &found);
    }
    all_noticed(&chosen, &found);
}

/// Those that can be woven. The others take a build each, and fail in it when they are tried.
#[test]
fn mutants_compile() {
    let _turn = turn();
    let mutants = of(STACK);
    for (answers, group) in groups(&mutants.all.iter().collect::<Vec<_>>()) {
        let (together, _) = parted(&group);
        let (_project, dir) = rendered(&answers);
        weave::weave(mutants.weave.as_ref().unwrap(), &together, &dir);
        check(&dir);
    }
}

fn check(dir: &std::path::Path) {
    let mut cargo = Command::new("cargo");
    let target = builds().join("authwright");
    crate::common::must(cargo.current_dir(dir).args(["check", "--quiet"]).env("CARGO_TARGET_DIR", target));
}

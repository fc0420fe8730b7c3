//! `CONTRACT.md` says all that a contract may hold and that attacks ask for, and its example is one that runs.
#![expect(clippy::unwrap_used, reason = "a test reads the project's files; a failure is a panic")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use authwright_probe::contract::Contract;
use regex::Regex;

const GUIDE: &str = include_str!("../CONTRACT.md");
const SOURCE: &str = include_str!("../src/contract.rs");
const CAREFUL: &str = include_str!("../../tests/canary/careful/contract.toml");

/// What the guide has in code type, taken apart at dots, so that `mail.to` tells of `mail` and `to`.
fn told() -> BTreeSet<&'static str> {
    let code = Regex::new("`([^`\n]+)`").unwrap();
    let separators = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
    code.captures_iter(GUIDE).flat_map(|found| found.get(1).unwrap().as_str().split(separators)).collect()
}

#[track_caller]
fn all_told(what: &str, names: impl IntoIterator<Item = String>) {
    let told = told();
    let names: BTreeSet<String> = names.into_iter().collect();
    assert!(!names.is_empty(), "no {what} found");
    let missing: Vec<&String> = names.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "CONTRACT.md does not mention {what} {missing:?}");
}

fn captures(pattern: &str, text: &str) -> Vec<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

fn sources(dir: &Path, all: &mut String) {
    for entry in fs::read_dir(dir).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else {
            *all += &fs::read_to_string(path).unwrap();
        }
    }
}

fn attacks() -> String {
    let mut all = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/controls"), &mut all);
    all
}

#[test]
fn every_key_of_a_contract_is_explained() {
    let keys = captures(r"(?m)^    pub (\w+): ", SOURCE).into_iter();
    // A table of tables: its keys are told one by one.
    all_told("the key", keys.filter(|key| key != "tables"));
}

#[test]
fn every_choice_is_explained() {
    all_told("the choice", ["json", "form", "origin", "token", "sqlite", "postgres"].map(String::from));
    all_told("the time", ["unix-seconds", "unix-millis", "timestamp", "text"].map(String::from));
}

#[test]
fn what_attacks_ask_a_contract_for_is_explained() {
    let attacks = attacks();
    all_told("the role", captures(r#"role\("([A-Z_]+)"\)"#, &attacks));
    all_told("the code", captures(r#"is_code\("(\w+)"\)"#, &attacks));
    let set = captures(r#"\.set\("(\w+)", [^,")]+\)"#, &attacks);
    all_told("the setting", set);
}

#[test]
fn what_the_careful_canary_names_is_explained() {
    let contract = Contract::parse(CAREFUL).unwrap();
    let start = contract.start.unwrap();
    all_told("the role", contract.roles.into_keys());
    all_told("the setting", start.environment.into_keys());
    all_told("the command", contract.operator.into_keys());
    let db = contract.db.unwrap();
    all_told("the column", db.tables.into_values().flat_map(|table| table.into_iter().map(|(key, _)| key)));
    let log = contract.log.unwrap();
    all_told("the event", log.events.into_keys().chain(log.trips.into_keys()));
}

#[test]
fn the_example_is_a_contract_and_the_careful_canarys() {
    let example = GUIDE.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let contract = Contract::parse(example).unwrap();
    assert!(contract.roles.contains_key("REGISTER") && contract.start.is_some());
    let foreign: Vec<&str> = example.lines().filter(|line| !CAREFUL.lines().any(|other| other == *line)).collect();
    assert!(foreign.is_empty(), "not in tests/canary/careful/contract.toml: {foreign:?}");
}

//! Two applications of another stack than any pack's: with the careful one the probe finds nothing wrong, with the weak one
//! every planted fault, by its own control.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{builds, common, tool, turn_aside};

/// Second factors and other providers, and pages: there is nothing of that to attack.
const NOTHING_THERE: [&str; 8] = ["no module", "no pages", "no page", "no HTML", "no redirect", "API", "html", "pages"];

/// The application's copy in the build folder, where what it needs to start stays from run to run.
fn copied(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/canary").join(name);
    let target = builds().join("canary").join(name);
    fs::create_dir_all(&target).unwrap();
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, target.join(path.file_name().unwrap())).unwrap();
        }
    }
    target
}

fn probed(name: &str, more: &[&str], code: i32) -> Value {
    let _turn = turn_aside();
    let dir = copied(name);
    let contract = dir.join("contract.toml");
    let mut command = tool(&dir, &["probe", ".", "--contract", contract.to_str().unwrap(), "--json"]);
    let done = common::finished(&command.args(more).output().unwrap());
    let report = done.json();
    let bad: Vec<&Value> = controls(&report).iter().filter(|one| ["fail", "not-run"].contains(&of(one))).collect();
    assert_eq!(done.code, code, "{}\n{}", serde_json::to_string_pretty(&bad).unwrap(), done.err);
    report
}

fn of(control: &Value) -> &str {
    control["result"].as_str().unwrap()
}

fn controls(report: &Value) -> &[Value] {
    report["controls"].as_array().unwrap()
}

#[test]
fn the_careful_one_raises_no_alarm() {
    let report = probed("careful", &[], 0);
    for control in controls(&report) {
        let (result, reason) = (of(control), control["reason"].as_str().unwrap_or_default());
        let holds =
            result == "pass" || result == "not-applicable" && NOTHING_THERE.iter().any(|text| reason.contains(text));
        assert!(holds, "{control:#}");
    }
    assert!(report["summary"]["pass"].as_u64() >= Some(95), "{}", report["summary"]);
}

#[test]
fn every_fault_of_the_weak_one_is_found_by_its_control() {
    let faults =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/canary/weak/faults.toml")).unwrap();
    let faults: toml::Table = faults.parse().unwrap();
    let faults: Vec<&str> =
        faults["fault"].as_array().unwrap().iter().map(|fault| fault["control"].as_str().unwrap()).collect();
    assert!(faults.len() >= 25, "{}", faults.len());
    let report = probed("weak", &["--only", &faults.join(",")], 1);
    let missed: Vec<String> = faults
        .into_iter()
        .filter_map(|id| {
            let control = controls(&report).iter().find(|control| control["id"] == id).unwrap();
            let negative = control["evidence"].as_array().unwrap().iter().any(|one| one["kind"] == "negative");
            (control["result"] != "fail" || !negative).then(|| format!("{control:#}"))
        })
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

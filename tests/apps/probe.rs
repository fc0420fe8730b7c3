//! The generated app under attack: every control that applies is attacked, and none of them fails.

mod renamed;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::Value;

use crate::{builds, common::empty, run, tool, turn};

/// Controls that may depart, each declared in the app's `AUDIT.md` or by the contract's one switch.
pub const DEVIATIONS: [&str; 2] = ["CSR-01", "PWD-06"];
/// What compares times or counts on many requests at one moment shows itself in repetition.
const RACES: &str = "REG-03,REG-04,THR-06,RAC-01,RAC-02,RAC-05,EML-07,SES-12,RFT-02,RFT-03,JWT-10";

const EVERY: &[&str] = &["--with", "password,oidc,tokens", "--providers", "generic,keycloak"];
const TOKENS: &[&str] = &["--with", "password,tokens"];
const PROVIDERS: &[&str] = &["--with", "oidc,tokens", "--providers", "generic,keycloak"];
/// Controls that have nothing to be about where there are neither passwords, mails, pages nor second factors.
const ABOUT_OTHERS: [&str; 11] =
    ["REG-02", "THR-01", "THR-02", "THR-05", "SES-10", "OIC-21", "EML-01", "RST-08", "MFA-01", "MFA-10", "HDR-02"];

/// What the probe says of a new app with these options; `more` are the probe's.
fn probed(options: &[&str], more: &[&str]) -> Value {
    probed_after(options, more, |_| {})
}

fn probed_after(options: &[&str], more: &[&str], change: impl FnOnce(&Path)) -> Value {
    let _turn = turn();
    let project = empty("probed");
    run(&project.dir, &[&["new", "app", "--stack", "axum", "--yes", "--no-check"], options].concat()).exits(0);
    change(&project.dir.join("app"));
    let mut command = tool(&project.dir, &[&["probe", "app", "--json"], more].concat());
    let done = crate::common::finished(&command.env("CARGO_TARGET_DIR", builds().join("authwright")).output().unwrap());
    let found = done.json();
    let bad: Vec<&Value> = controls(&found)
        .iter()
        .filter(|control| ["fail", "not-run"].contains(&control["result"].as_str().unwrap()))
        .collect();
    assert!(bad.is_empty(), "{}\n{}", serde_json::to_string_pretty(&bad).unwrap(), done.err);
    done.exits(0);
    found
}

fn controls(found: &Value) -> &[Value] {
    found["controls"].as_array().unwrap()
}

/// Results by group, printed for whoever reads the log.
fn counted(name: &str, found: &Value) -> BTreeMap<String, usize> {
    let mut groups: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let mut results = BTreeMap::new();
    for control in controls(found) {
        let (id, result) = (control["id"].as_str().unwrap(), control["result"].as_str().unwrap());
        let group = id.split('-').next().unwrap().to_owned();
        *groups.entry(group).or_default().entry(result.to_owned()).or_default() += 1;
        *results.entry(result.to_owned()).or_default() += 1;
    }
    println!("{name}: {results:?}");
    for (group, counts) in groups {
        println!("  {group}: {counts:?}");
    }
    results
}

fn all_hold(name: &str, options: &[&str]) -> Value {
    let found = probed(options, &[]);
    let results = counted(name, &found);
    let departing: Vec<&str> = controls(&found)
        .iter()
        .filter(|control| control["result"] == "deviation")
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert!(departing.iter().all(|id| DEVIATIONS.contains(id)), "{departing:?}");
    assert!(results["pass"] >= 97, "{results:?}");
    assert!(controls(&found).iter().all(|control| control["result"] != "pass" || control["checks"].as_u64() > Some(1)));
    found
}

fn results(found: &Value) -> BTreeMap<&str, &str> {
    controls(found).iter().map(|one| (one["id"].as_str().unwrap(), one["result"].as_str().unwrap())).collect()
}

/// Two instances on `PostgreSQL`, and one on `SQLite` in which everything has another name.
#[test]
fn an_api_holds_by_whatever_names() {
    let postgres = [TOKENS, &["--db", "postgres"]].concat();
    let found = all_hold("api with tokens, PostgreSQL, two instances", &postgres);
    let other = probed_after(TOKENS, &["--severity", "critical"], renamed::rename);
    let (found, other) = (results(&found), results(&other));
    assert!(other.len() >= 30 && other.iter().all(|(id, result)| found[id] == *result), "{found:?}\n{other:?}");
}

#[test]
fn pages_hold_and_leave_nothing_without_attack() {
    let found = all_hold("pages with every module, SQLite", &[EVERY, &["--ui", "pages"]].concat());
    let left: Vec<&Value> = controls(&found).iter().filter(|control| control["result"] == "not-applicable").collect();
    // Second factors; nothing that pages or providers have.
    assert!(left.iter().all(|control| control["reason"].as_str().unwrap().contains("no module")), "{left:?}");
}

#[test]
fn people_of_providers_alone_are_as_safe() {
    let found = all_hold("api with providers and tokens, SQLite", PROVIDERS);
    let results = results(&found);
    let of = |result| results.iter().filter(move |one| *one.1 == result).map(|one| *one.0);
    assert!(of("pass").count() >= 108, "{results:?}");
    assert_eq!(of("not-applicable").collect::<BTreeSet<_>>(), BTreeSet::from(ABOUT_OTHERS));
}

#[test]
fn races_and_times_hold_in_a_row() {
    probed(&[TOKENS, &["--db", "postgres"]].concat(), &["--only", RACES, "--repeat", "3"]);
}

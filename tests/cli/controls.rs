//! What each control rests on, without a project and in one, for each combination of options.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::{
    attacks,
    common::{
        Project, fixture,
        options::{BASES, DJANGO, Stack},
        read, replace, run,
    },
};

const EVERY: [&str; 4] = ["controls", "--json", "--severity", "critical,high,medium,low"];

fn added() -> Project {
    let project = fixture("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    project
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// The lowest version that the pack takes of each library.
fn floors(stack: &Stack) -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(stack.id).join("pack.toml");
    let pack: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let mut floors = BTreeMap::<String, Vec<String>>::new();
    for library in pack["dependency"].as_array().unwrap() {
        let text = |key: &str| library.get(key).and_then(toml::Value::as_str);
        let accepted = text("accept").map(|range| range.split(',').next().unwrap().trim_start_matches(">=").to_owned());
        let floor = text("floor").map(str::to_owned).or(accepted);
        let name = text("name").unwrap().to_owned();
        floors.entry(name).or_default().push(floor.unwrap_or_else(|| text("version").unwrap().to_owned()));
    }
    floors
}

/// Whether `name` stands in the text as a word of its own.
fn is_named(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part))
}

/// What is wrong with the place of a control.
fn misplaced(folder: &Path, place: &Value) -> Vec<String> {
    let file = place["file"].as_str().unwrap();
    let Ok(text) = fs::read_to_string(folder.join(file)) else { return vec![format!("there is no {file}")] };
    let names = strings(&place["names"]).into_iter().filter(|name| !is_named(&text, name));
    names.map(|name| format!("{file} has no {name}")).collect()
}

/// Whether a line of a manifest names the library: `name = …`, or `"name>=1",` in a list, `"name": …`.
fn is_entry(line: &str, name: &str) -> bool {
    let listed = line.strip_prefix('"').and_then(|rest| rest.strip_prefix(name));
    line.starts_with(&format!("{name} = ")) || listed.is_some_and(|rest| rest.starts_with(['>', '[', '"']))
}

/// Libraries that the control rests on, and that the pack does not bring at that version.
fn unfounded(control: &Value, floors: &BTreeMap<String, Vec<String>>, manifest: &str) -> Vec<String> {
    let libraries = strings(&control["rests_on"]).into_iter().filter_map(|ground| ground.split_once(' '));
    let libraries = libraries.filter(|(name, _)| *name != "not");
    let is_there = |name: &str, version: &str| {
        floors.get(name).is_some_and(|all| all.iter().all(|floor| floor == version))
            && manifest.lines().any(|line| is_entry(line.trim(), name))
    };
    libraries.filter(|(name, version)| !is_there(name, version)).map(|(name, _)| format!("{name} is none")).collect()
}

fn has_passwords(flags: &[String]) -> bool {
    flags[1].split(',').any(|module| module == "password")
}

/// The deviations are few, have their reasons, and only they rest on nothing.
#[track_caller]
fn deviates(controls: &[Value], flags: &[String], stack: &Stack) {
    let ids = |wanted: &dyn Fn(&Value) -> bool| -> Vec<&str> {
        controls.iter().filter(|control| wanted(control)).map(|control| control["id"].as_str().unwrap()).collect()
    };
    let declared = ids(&|control| control["deviation"].is_object());
    let with_passwords = has_passwords(flags);
    let expected = match (with_passwords, flags.iter().any(|flag| flag == "consumer")) {
        (true, true) => vec!["PWD-02", "PWD-06"],
        (true, false) => vec!["PWD-06"],
        (false, _) => vec!["RST-08"],
    };
    assert_eq!(declared, expected, "{flags:?}");
    assert!(ids(&|control| control["deviation"].is_object() && control["severity"] == "critical").is_empty());
    let nothing = ids(&|control| control["rests_on"].as_array().is_some_and(|on| on.iter().any(|on| on == "nothing")));
    let expected: &[&str] = match with_passwords {
        // Its framework brings tokens against forged requests.
        true if stack.id == DJANGO.id => &["PWD-06"],
        true => &["PWD-06", "CSR-01"],
        false => &["CSR-01", "RST-08"],
    };
    assert_eq!(nothing, expected, "{flags:?}");
}

/// Each file of the module's code is listed, with its size; a list of passwords is none.
#[track_caller]
fn is_reviewed(folder: &Path, review: &Value, stack: &Stack) {
    let listed: Vec<&str> = review.as_array().unwrap().iter().map(|file| file["file"].as_str().unwrap()).collect();
    for file in review.as_array().unwrap() {
        let name = file["file"].as_str().unwrap();
        let lines = read(folder, name).lines().count();
        let sizes = match file["size"].as_str().unwrap() {
            "small" => 0..=100,
            "medium" => 101..=250,
            _ => 251..=600,
        };
        assert!(sizes.contains(&lines), "{name}: {lines} lines are not {}", file["size"]);
    }
    for (path, _) in crate::common::tree(folder) {
        let is_list = path == "commonPasswords.ts";
        let is_code = !is_list && path.rsplit_once('.').is_some_and(|(_, kind)| stack.code.contains(&kind));
        assert!(!is_code || path.starts_with("tests/") || listed.contains(&path.as_str()), "{path} is not listed");
    }
}

#[test]
fn each_control_rests_on_something_that_is_there() {
    for base in &BASES {
        let floors = floors(base.stack);
        for flags in base.stack.combinations() {
            let project = base.with(&flags);
            let folder = project.dir.join(base.stack.folder);
            let object = run(&project.dir, &EVERY).exits(0).json();
            let controls = object["controls"].as_array().unwrap();
            let manifest = read(&project.dir, base.stack.manifest);
            for control in controls {
                let id = &control["id"];
                assert_eq!(control["needed"], control["rests_on"].is_array(), "{id} {flags:?}");
                if control["needed"] == true {
                    let wrong: Vec<String> = control["where"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .flat_map(|place| misplaced(&folder, place))
                        .collect();
                    assert!(wrong.is_empty(), "{id} {} {flags:?}: {wrong:?}", base.name);
                    assert_eq!(unfounded(control, &floors, &manifest), [""; 0], "{id} {} {flags:?}", base.name);
                }
            }
            let needed = controls.iter().filter(|control| control["needed"] == true).count();
            assert!(needed >= if has_passwords(&flags) { 100 } else { 70 }, "{needed} {flags:?}");
            deviates(controls, &flags, base.stack);
            is_reviewed(&folder, &object["project"]["review"], base.stack);
            attacks::are_named(base.stack, &folder, controls, &flags);
            assert_eq!(object["project"]["drifted"], false);
        }
    }
}

#[test]
fn without_a_lock_it_is_the_catalogue() {
    let project = fixture("plain");
    let run_here = run(&project.dir, &["controls"]).exits(0);
    assert!(run_here.err.contains("nothing was generated"), "{}", run_here.err);
    assert!(run_here.out.contains("SES-08 critical Logout kills the session"), "{}", run_here.out);
    assert!(run_here.out.contains("WAN-01") && !run_here.out.contains("rests on"), "{}", run_here.out);
    let object = run(&project.dir, &["controls", "--json"]).exits(0).json();
    assert_eq!((&object["schema"], &object["project"]), (&Value::from(1), &Value::Null));
    assert!(object["controls"].as_array().unwrap().len() > 150);
    assert!(object["controls"][0]["result"].is_null());
}

#[test]
fn one_control_is_shown_in_full() {
    let project = fixture("plain");
    let out = run(&project.dir, &["controls", "--only", "ses-08"]).exits(0).out;
    for part in ["SES-08", "OWASP ASVS 5.0: V7.4.1", "attacked by: http", "mutants", "sources: "] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(!out.contains("SES-09"), "{out}");
}

#[test]
fn controls_are_chosen_by_group_and_severity() {
    let project = fixture("plain");
    let ids = |args: &[&str]| {
        let object = run(&project.dir, &[&["controls", "--json"], args].concat()).exits(0).json();
        let controls = object["controls"].as_array().unwrap().clone();
        controls.iter().map(|control| control["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--group", "RED"]), ["RED-01", "RED-02", "RED-03"]);
    assert_eq!(ids(&["--group", "RED", "--severity", "low"]), ["RED-02"]);
    for (args, named) in
        [(["--only", "SES-99"], "SES-99"), (["--group", "XYZ"], "XYZ"), (["--severity", "severe"], "severe")]
    {
        let refused = run(&project.dir, &[&["controls"], &args[..]].concat()).exits(2);
        assert!(refused.err.contains(named) && refused.err.contains("help: "), "{}", refused.err);
    }
}

#[test]
fn in_a_project_nothing_is_claimed_that_was_not_probed() {
    let project = added();
    let shown = run(&project.dir, &["controls"]).exits(0);
    assert!(shown.err.contains("unproven"), "{}", shown.err);
    let blocks = shown.out.matches("  not probed\n").count();
    assert_eq!(blocks, shown.out.matches("  rests on ").count());
    assert!(shown.out.contains("rests on argon2 0.6.0, glue: src/auth/passwords.rs (Cost, STANDARD, hash)"));
    assert!(shown.out.contains("deviation: no service for breached passwords"), "{}", shown.out);
    assert!(!shown.out.contains("WAN-01"), "a control of a module that is not there");
    let asked = run(&project.dir, &["controls", "--only", "WAN-01"]).exits(0).out;
    assert!(asked.contains("no installed module needs it"), "{asked}");
}

#[test]
fn a_page_that_was_edited_is_not_believed() {
    let project = added();
    replace(&project.dir, "src/auth/AUDIT.md", "| SES-02 | `sha2` 0.11, glue |", "| SES-02 | glue |");
    let shown = run(&project.dir, &["controls", "--only", "SES-02"]).exits(0);
    assert!(shown.err.contains("src/auth/AUDIT.md") && shown.err.contains("not what was generated"), "{}", shown.err);
    assert!(shown.out.contains("rests on sha2 0.11, glue"), "{}", shown.out);
    let object = run(&project.dir, &["controls", "--json"]).exits(0).json();
    assert_eq!(object["project"]["drifted"], true);
}

//! The corpus of `tests/fixtures/detect/`: small projects, one a file, each with what is right for it.
#![expect(clippy::disallowed_methods, reason = "the corpus is read from disk")]

use std::{env, fs, path::PathBuf};

use serde_json::{Map, Value, json};

use super::{knowledge::Knowledge, sight::Sight, *};
use crate::core::{
    pack::Pack,
    project::{RelPath, Text, Tree},
};

const EXPECTED: &str = "expected.json";

/// A case: its files, and the text that is expected. A line `-- path --` begins each.
struct Case {
    name: String,
    path: PathBuf,
    about: String,
    tree: Tree,
    expected: String,
}

fn cases() -> Vec<Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/detect");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    paths.sort();
    paths.into_iter().map(case).collect()
}

fn case(path: PathBuf) -> Case {
    let text = fs::read_to_string(&path).unwrap();
    let (about, rest) = text.split_once("\n-- ").unwrap();
    let (mut tree, mut expected) = (Tree::default(), String::new());
    for part in rest.split("\n-- ") {
        let (name, text) = part.split_once(" --\n").unwrap_or((part.trim_end_matches(" --"), ""));
        if name == EXPECTED {
            text.trim().clone_into(&mut expected);
        } else {
            tree.insert(RelPath::new(name).unwrap(), Text::new(format!("{text}\n")));
        }
    }
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    Case { name, about: about.trim_end().to_owned(), path, tree, expected }
}

/// What is compared: everything but reasons and the lines that a claim rests on; what is not known is left out. No pack is
/// looked at: what they serve may grow.
fn told(detection: &Detection) -> String {
    let project = |project: &Project| {
        let Value::Object(mut all) = serde_json::to_value(project).unwrap() else { unreachable!() };
        if let Some(entry) = &project.entry {
            all.insert("entry".to_owned(), json!(format!("{}:{}", entry.file, entry.line)));
        }
        let told = |key: &String| !["evidence", "reason", "stack", "supported"].contains(&key.as_str());
        let left = all.into_iter().filter(|(key, value)| told(key) && !value.is_null());
        Value::Object(left.collect::<Map<_, _>>()).to_string()
    };
    let verdict = json!({ "verdict": detection.verdict }).to_string();
    let unread = detection.unread.iter().map(|unread| json!({ "unread": unread }).to_string());
    let lines: Vec<String> =
        std::iter::once(verdict).chain(detection.projects.iter().map(project)).chain(unread).collect();
    lines.join("\n")
}

#[test]
fn every_case_is_told_as_expected() {
    let known = Knowledge::load(&[]).unwrap();
    let mut wrong = vec![];
    for case in cases() {
        let found = detect(&known, &[], &Sight::of(&case.tree));
        let told = told(&found);
        if env::var_os("UPDATE_FIXTURES").is_some() {
            let text = fs::read_to_string(&case.path).unwrap();
            let kept = text.split("\n-- expected.json --").next().unwrap();
            fs::write(&case.path, format!("{}\n-- {EXPECTED} --\n{told}\n", kept.trim_end())).unwrap();
        } else if told != case.expected {
            wrong.push(format!("{}: {}\nexpected\n{}\ntold\n{told}", case.name, case.about, case.expected));
        }
        for project in &found.projects {
            assert_eq!(project.supported, project.reason.is_none(), "{}", case.name);
            assert!(!project.evidence.is_empty(), "{}: a claim without evidence", case.name);
            for evidence in &project.evidence {
                let text = case.tree.text(&evidence.file).unwrap_or_default();
                let line = text.lines().nth(evidence.line - 1).unwrap_or_default();
                let there = line.contains(&evidence.text) || evidence.file.ends_with(&evidence.text);
                assert!(there, "{}: {evidence:?} is not there", case.name);
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn packs_change_what_is_served_and_not_what_is_found() {
    let packs = Pack::all().unwrap();
    let known = Knowledge::load(&packs).unwrap();
    for case in cases() {
        let of = |packs: &[Pack]| {
            let found = detect(&known, packs, &Sight::of(&case.tree)).projects.into_iter();
            found
                .map(|app| (app.path, app.framework, app.framework_version, app.variant, app.package_manager))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&packs), of(&[]), "{}", case.name);
    }
}

#[test]
fn what_is_known_is_well_formed() {
    let packs = Pack::all().unwrap();
    let known = Knowledge::load(&packs).unwrap();
    known.check().unwrap();
    for pack in packs {
        let mut all = known.ecosystems.iter().flat_map(|ecosystem| &ecosystem.framework);
        assert!(all.any(|framework| framework.label == pack.manifest.id), "{}", pack.manifest.id);
    }
}

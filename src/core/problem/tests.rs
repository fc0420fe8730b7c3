#![expect(clippy::disallowed_methods, reason = "the sources are read")]

use std::{fs, path::Path};

use super::*;
use crate::core::{anchor, testing::rust};

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if !path.ends_with("tests.rs") && path.extension().is_some_and(|end| end == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// What and fix of every problem in the sources, as written there.
fn constructed() -> Vec<(String, String, String)> {
    let (mut files, mut found) = (vec![], vec![]);
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    for (path, source) in files {
        for kind in ["problem", "usage", "check_failed", "unsupported", "interrupted"] {
            let call = format!("Problem::{kind}(");
            let rule =
                serde_json::from_value(serde_json::json!({ "pattern": format!("Problem::{kind}($WHAT, $FIX)") }));
            let matches = anchor::matches(&rust(), &rule.unwrap(), &source).unwrap();
            assert_eq!(matches.len(), source.matches(&call).count(), "{path}: {call}");
            let text = |found: &anchor::Match, name: &str| found.captures[name].text.clone();
            found.extend(matches.iter().map(|found| (path.clone(), text(found, "WHAT"), text(found, "FIX"))));
        }
    }
    found
}

/// The text of a literal, or of the literal that is formatted.
fn literal(code: &str) -> Option<&str> {
    let from = code.find('"')?;
    let inner = code.strip_prefix("format!(").unwrap_or(code);
    inner.trim_start().starts_with('"').then(|| &code[from + 1..code.rfind('"').unwrap_or(from + 1)])
}

#[test]
fn every_problem_says_what_to_do() {
    let all = constructed();
    assert!(all.len() > 40, "{}", all.len());
    for (path, what, fix) in all {
        for code in [&what, &fix] {
            assert!(!["", "\"\"", "String::new()"].contains(&code.trim()), "{path}: {what}");
            let Some(text) = literal(code) else { continue };
            assert!(!text.trim().is_empty() && !text.ends_with('.'), "{path}: {text}");
            assert!(!text.starts_with(|first: char| first.is_uppercase()), "{path}: {text}");
        }
    }
}

#[test]
fn each_kind_has_its_exit_code() {
    let new: [fn(&'static str, &'static str) -> Problem; 5] =
        [Problem::problem, Problem::usage, Problem::check_failed, Problem::unsupported, Problem::interrupted];
    assert_eq!(new.map(|new| new("what", "fix").exit_code()), [1, 2, 3, 4, 130]);
    assert_eq!(Problem::usage("what", "fix").to_string(), "what");
}

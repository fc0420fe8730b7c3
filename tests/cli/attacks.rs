//! Which controls an app's own tests attack, as their names, titles or docstrings begin.

use std::{collections::BTreeSet, path::Path};

use regex::Regex;
use serde_json::Value;

use crate::common::{options::Stack, tree};

/// Where a test's head stands, for each ending of a file.
const HEADS: [(&str, &str); 3] = [
    ("rs", r"test\]\n(?:\s*#\[.*\]\n)*\s*(?:async )?fn (\w+)"),
    ("py", r#"def test_(\w+)\([^)]*\)[^:]*:\n(?:\s*"""([^"]*)""")?"#),
    ("ts", r#"\btest\("([^"]+)""#),
];

/// `ses_09_12_sessions`, `hdr_01_to_04_every`, `SES-11, RST-03: by a box`, `CKE-01 CKE-02 the cookie`.
fn ids(head: &str) -> Vec<String> {
    let head = head.to_lowercase();
    let is_number = |word: &&str| word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_digit());
    let mut words = head.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    let (mut found, mut group, mut last, mut is_range) = (vec![], "", 0, false);
    while let Some(word) = words.next() {
        if is_number(&word) {
            let number = word.parse::<u8>().unwrap();
            let first = if is_range { last + 1 } else { number };
            found.extend((first..=number).map(|number| format!("{}-{number:02}", group.to_uppercase())));
            (last, is_range) = (number, false);
            continue;
        }
        match (word, words.peek().is_some_and(is_number)) {
            ("and", _) => {}
            ("to", true) => is_range = true,
            (_, true) => group = word,
            _ => break,
        }
    }
    found
}

/// The controls that each test names; a test of what merely works names none.
fn named(stack: &Stack, folder: &Path) -> Vec<Vec<String>> {
    let (ending, pattern) = HEADS.iter().find(|(ending, _)| stack.code.contains(ending)).unwrap();
    let heads = Regex::new(pattern).unwrap();
    let files = tree(&folder.join("tests")).into_iter().filter(|(name, _)| name.ends_with(ending));
    let tests = files.flat_map(|(_, bytes)| {
        let text = String::from_utf8(bytes).unwrap();
        let named = heads
            .captures_iter(&text)
            .map(|found| found.iter().skip(1).flatten().flat_map(|head| ids(head.as_str())).collect());
        named.collect::<Vec<Vec<String>>>()
    });
    tests.filter(|ids| !ids.is_empty()).collect()
}

/// The app's tests attack enough controls of the catalogue, and none that its `AUDIT.md` calls `not here`.
#[track_caller]
pub fn are_named(stack: &Stack, folder: &Path, controls: &[Value], flags: &[String]) {
    let possible = controls.iter().filter(|control| control["rests_on"][0] != "not here");
    let possible: BTreeSet<&str> = possible.map(|control| control["id"].as_str().unwrap()).collect();
    let tests = named(stack, folder);
    let ids: BTreeSet<&str> = tests.iter().flatten().map(String::as_str).collect();
    let astray: Vec<_> = ids.difference(&possible).collect();
    assert!(astray.is_empty(), "{} {flags:?} has no {astray:?}", stack.id);
    assert!(ids.len() >= 30 && tests.len() >= 40, "{} {flags:?}: {} in {}", stack.id, ids.len(), tests.len());
}

#[test]
fn a_head_names_its_controls_first() {
    for (head, expected) in [
        ("ses_09_12_sessions_are_listed", vec!["SES-09", "SES-12"]),
        ("hdr_01_to_03_and_rst_07_every_page", vec!["HDR-01", "HDR-02", "HDR-03", "RST-07"]),
        ("pwd_08_ses_04_a_change", vec!["PWD-08", "SES-04"]),
        ("SES-11, RST-03: by a box that is ticked", vec!["SES-11", "RST-03"]),
        ("CKE-01 CKE-02 the cookie is the browser's alone", vec!["CKE-01", "CKE-02"]),
        ("an_account_is_exported_and_deleted", vec![]),
        ("a session ends after 15 minutes", vec![]),
    ] {
        assert_eq!(ids(head), expected, "{head}");
    }
}

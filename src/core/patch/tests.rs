#![expect(clippy::disallowed_methods, reason = "git reads the patches")]

use std::{fs, path::Path, process::Command};

use super::*;
use crate::core::{
    project::Tree,
    testing::{FIXTURES, fixture, path},
};

fn write(root: &Path, tree: &Tree) {
    for (name, text) in tree.iter() {
        let file = root.join(name.as_str());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text.raw()).unwrap();
    }
}

fn read(root: &Path, folder: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap() {
        let at = entry.unwrap().path();
        if at.is_dir() {
            read(root, &at, tree);
        } else {
            let name = at.strip_prefix(root).unwrap().to_str().unwrap();
            tree.insert(path(name), Text::new(fs::read_to_string(&at).unwrap()));
        }
    }
}

/// What git makes of a patch.
pub(in crate::core) fn apply(before: &Tree, patch: &str) -> Tree {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    fs::create_dir(&root).unwrap();
    write(&root, before);
    let file = folder.path().join("patch");
    fs::write(&file, patch).unwrap();
    let output = Command::new("git").arg("apply").arg(&file).current_dir(&root).output().unwrap();
    assert!(output.status.success(), "{}\n{patch}", String::from_utf8_lossy(&output.stderr));
    let mut after = Tree::default();
    read(&root, &root, &mut after);
    after
}

#[test]
fn git_applies_what_the_plan_says() {
    for (before, after) in [
        (None, Some("")),
        (None, Some("a")),
        (None, Some("a\n")),
        (Some(""), None),
        (Some("a\nb"), None),
        (Some(""), Some("a\n")),
        (Some("a\n"), Some("")),
        (Some("a\nb\nc\n"), Some("a\nB\nc\n")),
        (Some("a"), Some("a\n")),
        (Some("a\n"), Some("a")),
        (Some("a"), Some("b")),
        (Some("a\r\nb\r\n"), Some("a\r\nx\r\nb\r\n")),
        (Some("a\r\nb\n\nc\r"), Some("a\nb\n\nc\r\n")),
        (Some("\u{feff}a\n"), Some("\u{feff}b\n")),
        (Some(" \n\n\t\n"), Some(" \n\n\t\n-- \n+++ b\n")),
    ] {
        for name in ["plain.rs", "a b/c d.rs", " x ", "ü/\u{1f6d2}.rs", "it's \"so\".rs", "tab\there", "-p", "a/b b/a"]
        {
            let tree =
                |text: Option<&str>| text.map(|text| (path(name), Text::new(text))).into_iter().collect::<Tree>();
            let (before, after) = (tree(before), tree(after));
            let patch = patch(&before.difference(&after), "");
            assert_eq!(apply(&before, &patch), after, "{name:?}\n{patch}");
        }
    }
}

#[test]
fn git_applies_the_plan_of_every_fixture() {
    for name in FIXTURES {
        let app = fixture(name);
        let changes = app.plan().unwrap().changes;
        assert_eq!(apply(&app.tree, &patch(&changes, "")), app.tree.with(&changes), "{name}");
    }
}

#[test]
fn paths_are_shown_from_where_the_user_is() {
    let change = Change { path: path("src/x.rs"), before: Some(Text::new("a\n")), after: Some(Text::new("a\nb\n")) };
    let text = patch(std::slice::from_ref(&change), "crates/api");
    assert!(text.starts_with("diff --git a/crates/api/src/x.rs b/crates/api/src/x.rs\n--- a/crates/api"), "{text}");
    assert_eq!(counts(&change), (1, 0));
    // As git writes it: other programs read a name with a space up to the tab.
    assert!(patch(&[change], "a b").contains("\n+++ b/a b/src/x.rs\t\n"));
}

//! What the commands print, and that it holds no secret.

use serde_json::Value;

use crate::common::{empty, fixture, read, run, tree};

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn list() {
    let project = empty("x");
    let text = run(&project.dir, &["list"]).exits(0).out;
    assert!(text.starts_with("axum (axum >=0.7, <0.9), pack ") && text.contains("  --with password "), "{text}");
    let list = run(&project.dir, &["list", "--json"]).exits(0).json();
    assert_eq!(keys(&list), ["schema", "stacks"]);
    let stack = &list["stacks"][0];
    assert_eq!(keys(stack), ["id", "name", "version", "versions", "modules", "options"]);
    assert_eq!(
        (keys(&stack["modules"][0]), &stack["modules"][0]["default"]),
        (vec!["id", "summary", "default", "beside_one_of"], &true.into())
    );
    assert_eq!(keys(&stack["options"][0]), ["id", "question", "default", "values", "multiple", "fixed", "when"]);
}

#[test]
fn detection() {
    let project = fixture("workspace");
    let found = run(&project.dir, &["detect", "--json"]).exits(0).json();
    assert_eq!(keys(&found), ["schema", "verdict", "projects", "unread"]);
    let expected = "path stack language framework framework_version variant package_manager workspace supported entry \
                    database existing_auth evidence";
    let app = &found["projects"][0];
    assert_eq!(keys(app), expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!((&app["path"], &app["workspace"], &app["variant"]), (&"crates/api".into(), &".".into(), &Value::Null));
    assert_eq!(keys(&app["evidence"][0]), ["file", "line", "text"]);
    let text = run(&project.dir, &["detect"]).exits(0).out;
    assert!(
        text.starts_with("one app\n\ncrates/api  axum 0.8\n  workspace: .\n") && text.contains("\n  because:\n"),
        "{text}"
    );
}

#[test]
fn plans_and_results() {
    let project = fixture("plain");
    let plan = run(&project.dir, &["add", "--dry-run", "--json"]).exits(0).json();
    let expected = "schema result stack path modules options changes manual check next again";
    assert_eq!(keys(&plan), expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(keys(&plan["changes"][0]), ["path", "kind", "added", "removed"]);
    assert_eq!((&plan["check"], plan.get("patch")), (&Value::Null, None));
    run(&project.dir, &["add", "--yes", "--no-check", "--quiet"]).exits(0);
    let undo = run(&project.dir, &["undo", "--dry-run", "--json", "--patch", "-"]).exits(0).json();
    assert_eq!(keys(&undo), ["schema", "result", "changes", "manual", "patch"]);
    assert_eq!(
        keys(&run(&project.dir, &["verify", "--json"]).exits(0).json()),
        ["schema", "verdict", "drift", "proof"]
    );
}

#[test]
fn errors() {
    let project = empty("x");
    let run = run(&project.dir, &["verify", "--json"]).exits(1);
    assert_eq!(keys(&run.json()), ["schema", "error"]);
    assert_eq!(keys(&run.json()["error"]), ["what", "causes", "fix", "exit"]);
    assert_eq!(run.err, "");
}

#[test]
fn quiet_says_only_what_went_wrong() {
    let project = fixture("plain");
    let run = run(&project.dir, &["add", "--yes", "--no-check", "--quiet"]).exits(0);
    assert_eq!((run.out.as_str(), run.err.lines().count()), ("", 1), "{}", run.err);
}

#[test]
fn a_broken_manifest_is_named() {
    let project = fixture("plain");
    crate::common::replace(&project.dir, "Cargo.toml", "[package]", "[package");
    let before = tree(&project.dir);
    let said = run(&project.dir, &["add", "--yes"]).exits(4).err;
    assert!(said.contains("could not be read: Cargo.toml: not valid TOML"), "{said}");
    assert_eq!(tree(&project.dir), before);
}

/// Runs of characters that could be 32 random bytes in base64; a digest in hex is none.
fn looks_secret(text: &str) -> Option<&str> {
    let word = |c: char| c.is_ascii_alphanumeric() || "+/_-".contains(c);
    text.split(|c| !word(c)).find(|run| {
        let has = |test: fn(char) -> bool| run.chars().any(test);
        run.len() >= 43 && !run.contains("//") && has(|c| c.is_ascii_uppercase()) && has(|c| c.is_ascii_digit())
    })
}

#[test]
fn nothing_that_is_written_looks_like_a_secret() {
    assert!(looks_secret(&run(&empty("x").dir, &["secret"]).exits(0).out).is_some());
    let project = empty("x");
    run(&project.dir, &["new", "app", "--stack", "axum", "--yes", "--no-check"]).exits(0);
    // The generated tests have keys of their own, which no app starts with.
    let written = tree(&project.dir).into_iter().filter(|(path, _)| !path.contains("src/auth/tests/"));
    for (path, bytes) in written {
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(looks_secret(&text), None, "{path}");
    }
    assert!(read(&project.dir, "app/.gitignore").contains("/.env\n"));
}

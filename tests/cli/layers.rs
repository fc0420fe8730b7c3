//! A second `add`: every answer of the pack, given later.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{Project, empty, fixture, planned, read, replace, run, tree};

/// Each option's flag with each of its values, and whether that is the default. Options that are asked with a module only are
/// left out.
fn answers() -> Vec<(String, String, bool)> {
    let list = run(&empty("x").dir, &["list", "--json"]).exits(0).json();
    let options = list["stacks"][0]["options"].as_array().unwrap().iter().filter(|option| option["when"].is_null());
    let values = options.flat_map(|option| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let values = option["values"].as_array().unwrap().iter();
        let flag = format!("--{}", text(&option["id"]));
        values.map(move |value| (flag.clone(), text(value), value == &option["default"])).collect::<Vec<_>>()
    });
    values.collect()
}

#[test]
fn every_answer_extends_is_there_or_is_refused() {
    let all = answers();
    assert!(all.iter().any(|(flag, value, default)| flag == "--ui" && value == "api" && *default), "{all:?}");
    for (flag, value, default) in all {
        let project = fixture("plain");
        run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
        let first = planned(&project.dir);
        let second = run(&project.dir, &["add", &flag, &value, "--yes", "--no-check", "--json"]);
        let result = second.json()["result"].clone();
        match second.code {
            0 if default => assert_eq!((&result, &planned(&project.dir)), (&"already".into(), &first)),
            0 => {
                assert_eq!(result, "applied", "{flag} {value}");
                run(&project.dir, &["verify"]).exits(0);
                run(&project.dir, &["undo", "--yes"]).exits(0);
                assert_eq!(planned(&project.dir), first, "{flag} {value}");
            }
            code => assert_eq!((code, &planned(&project.dir)), (4, &first), "{flag} {value}: {}", second.out),
        }
    }
}

/// The user's own words in a file of theirs and in a generated one.
const EDITS: [(&str, &str, &str); 2] = [
    ("src/main.rs", "axum::serve(", "// Mine.\n    axum::serve("),
    ("src/auth/README.md", "## What a reviewer reads", "Mine.\n\n## What a reviewer reads"),
];

/// A project with these flags and the user's words.
fn edited(flags: &[&str]) -> Project {
    let project = fixture("plain");
    run(&project.dir, &[&["add", "--yes", "--no-check"], flags].concat()).exits(0);
    for (path, from, to) in EDITS {
        replace(&project.dir, path, from, to);
    }
    project
}

/// The files of a project, without the lock. In a list of settings, what is added later stands below what was there.
fn code(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let files = planned(&project.dir).into_iter().filter(|(path, _)| !path.contains(".authwright/"));
    let mut files: BTreeMap<String, Vec<u8>> = files.collect();
    let list = files.get_mut(".env.example").unwrap();
    let mut lines: Vec<&[u8]> = list.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    *list = lines.join(&b'\n');
    files
}

#[test]
fn an_answer_given_later_is_as_if_given_at_once_and_the_users_words_stay() {
    let mut seen = 0;
    for (flag, value, _) in answers().into_iter().filter(|(.., default)| !default) {
        let project = edited(&[]);
        let before = planned(&project.dir);
        if run(&project.dir, &["add", &flag, &value, "--yes", "--no-check"]).code == 4 {
            continue;
        }
        seen += 1;
        assert!(code(&project) == code(&edited(&[&flag, &value])), "{flag} {value}: another app than at once");
        run(&project.dir, &["undo", "--yes"]).exits(0);
        assert!(planned(&project.dir) == before, "{flag} {value}: undo gave something else back");
    }
    assert!(seen >= 5, "{seen}");
}

/// Each module that can stand alone, with each other one that is added to it later.
fn pairs() -> Vec<[String; 2]> {
    let list = run(&empty("x").dir, &["list", "--json"]).exits(0).json();
    let modules = list["stacks"][0]["modules"].as_array().unwrap().clone();
    let id = |module: &Value| module["id"].as_str().unwrap().to_owned();
    let all: Vec<String> = modules.iter().map(id).collect();
    let alone = modules.iter().filter(|module| module["beside_one_of"].is_null()).map(id);
    let with_others = |first: String| all.iter().map(move |other| [first.clone(), other.clone()]);
    alone.flat_map(with_others).filter(|[first, other]| first != other).collect()
}

#[test]
fn a_module_added_later_is_as_if_added_at_once_and_the_users_words_stay() {
    assert!(pairs().len() >= 4);
    for [first, module] in pairs() {
        let project = edited(&["--with", &first]);
        let before = planned(&project.dir);
        run(&project.dir, &["add", "--with", &module, "--yes", "--no-check"]).exits(0);
        let both = format!("{first},{module}");
        assert!(code(&project) == code(&edited(&["--with", &both])), "{both}: another app than at once");
        let main = read(&project.dir, "src/main.rs");
        assert!(main.contains("// Mine.") && read(&project.dir, "src/auth/README.md").contains("Mine.\n"), "{main}");
        run(&project.dir, &["undo", "--yes"]).exits(0);
        assert!(planned(&project.dir) == before, "{both}: undo gave something else back");
    }
}

#[test]
fn a_provider_that_is_added_later_joins_the_others() {
    let project = edited(&["--with", "password,oidc", "--providers", "google"]);
    let before = planned(&project.dir);
    run(&project.dir, &["add", "--providers", "github", "--yes", "--no-check"]).exits(0);
    assert!(code(&project) == code(&edited(&["--with", "password,oidc", "--providers", "google,github"])));
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert!(planned(&project.dir) == before, "undo gave something else back");
}

/// Counts of lines change with the templates.
fn masked(text: &str) -> String {
    let counts = regex::Regex::new(r" [+-]\d+").unwrap();
    counts.replace_all(text, " N").into_owned()
}

#[test]
fn the_readme_shows_what_a_later_answer_changes() {
    let readme = read(env!("CARGO_MANIFEST_DIR").as_ref(), "README.md");
    let shown = readme.split("```console\n$ authwright add --profile strict --dry-run\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    let project = empty("shop");
    run(&project.dir, &["new", ".", "--stack", "axum", "--yes", "--no-check"]).exits(0);
    let said = run(&project.dir, &["add", "--profile", "strict", "--dry-run"]).exits(0).err;
    assert!(masked(&said).contains(&masked(shown)), "{shown}\n{said}");
}

#[test]
fn an_edited_module_is_still_there_already() {
    let project = fixture("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    replace(&project.dir, "src/auth/csrf.rs", "\n", "\n// mine\n");
    let before = tree(&project.dir);
    let said = run(&project.dir, &["add", "--ui", "api", "--with", "password", "--yes"]).exits(0).err;
    assert!(said.contains("nothing to do: password (") && said.contains("ui api"), "{said}");
    assert_eq!(tree(&project.dir), before);
}

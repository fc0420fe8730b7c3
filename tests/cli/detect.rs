//! Verdicts, and what `add` makes of them.

use std::fs;

use crate::common::{empty, fixture, run, tree};

#[test]
fn one_app_with_evidence() {
    let project = fixture("plain");
    let found = run(&project.dir, &["detect", "--json"]).exits(0).json();
    assert_eq!(found["schema"], 1);
    assert_eq!(found["verdict"], "single");
    let app = &found["projects"][0];
    assert_eq!((&app["stack"], &app["supported"], &app["path"]), (&"axum".into(), &true.into(), &".".into()));
    let line = usize::try_from(app["entry"]["line"].as_u64().unwrap()).unwrap();
    let source = crate::common::read(&project.dir, "src/main.rs");
    assert!(source.lines().nth(line - 1).unwrap().contains("axum::serve"));
    assert!(app["evidence"][0]["text"].as_str().unwrap().starts_with("axum"));
}

#[test]
fn several_apps_are_listed_and_one_can_be_named() {
    let project = fixture("two-apps");
    assert_eq!(run(&project.dir, &["detect", "--json"]).exits(0).json()["verdict"], "ambiguous");
    let said = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4).err;
    assert!(said.contains("crates/admin") && said.contains("crates/public") && said.contains("--path"), "{said}");
    run(&project.dir, &["add", "--path", "crates/public", "--yes", "--no-check"]).exits(0);
    assert!(project.dir.join("crates/public/src/auth/mod.rs").exists());
    assert!(!project.dir.join("crates/admin/src/auth").exists());
    run(&project.dir, &["verify", "--path", "crates/public"]).exits(0);
}

#[test]
fn what_cannot_be_served_is_refused_with_the_reason() {
    for (name, told) in [("auth-taken", "src/auth.rs"), ("users-table", "CREATE TABLE users")] {
        let project = fixture(name);
        let before = tree(&project.dir);
        let run = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4);
        assert!(run.err.contains(told) && run.err.contains("help: "), "{name}: {}", run.err);
        assert_eq!(tree(&project.dir), before);
    }
}

#[test]
fn other_frameworks_and_nothing_at_all() {
    let project = empty("shop");
    assert_eq!(run(&project.dir, &["detect", "--json"]).exits(0).json()["verdict"], "none");
    run(&project.dir, &["add", "--yes"]).exits(4);
    fs::write(project.dir.join("package.json"), r#"{ "dependencies": { "express": "^5.0.0" } }"#).unwrap();
    let found = run(&project.dir, &["detect", "--json"]).exits(0).json();
    assert_eq!((&found["verdict"], &found["projects"][0]["framework"]), (&"unsupported".into(), &"express".into()));
    assert!(run(&project.dir, &["add", "--yes"]).exits(4).err.contains("express"));
    fs::write(project.dir.join("package.json"), "{ not json").unwrap();
    let broken = run(&project.dir, &["detect", "--json"]).exits(0).json();
    assert!(broken["unread"][0].as_str().unwrap().contains("package.json"), "{broken}");
}

#[test]
fn a_version_that_is_not_served_is_said() {
    let project = fixture("plain");
    crate::common::replace(&project.dir, "Cargo.toml", "axum = \"0.8\"", "axum = \"0.6\"");
    let said = run(&project.dir, &["add", "--yes"]).exits(4).err;
    assert!(said.contains("0.6") && said.contains(">=0.7"), "{said}");
}

/// Each situation in which detection has no plain answer, and what the user is told to do.
#[test]
fn whatever_is_found_the_user_is_told_what_to_do() {
    const EXPRESS: (&str, &str) = ("package.json", r#"{ "dependencies": { "express": "^5.1.0" } }"#);
    const SERVER: (&str, &str) = ("server.js", "const app = require(\"express\")();\napp.listen(3000);\n");
    let situations: [(&[(&str, &str)], &str); 10] = [
        (&[("README.md", "")], "name the app's folder, or start one with `authwright new DIR`"),
        (&[("package.json", "{")], "mend the manifests that could not be read"),
        (&[("examples/package.json", EXPRESS.1)], "name such a folder itself to look there"),
        (
            &[
                ("a/package.json", EXPRESS.1),
                ("a/server.js", SERVER.1),
                ("b/package.json", EXPRESS.1),
                ("b/server.js", SERVER.1),
            ],
            "choose one with `--path a`",
        ),
        (
            &[EXPRESS, SERVER, ("yarn.lock", ""), ("package-lock.json", "{}")],
            "delete those of the package managers that are not used",
        ),
        (&[("package.json", r#"{ "dependencies": { "express": "^3.0.0" } }"#), SERVER], "the templates are for"),
        (
            &[
                ("package.json", r#"{ "dependencies": { "koa": "^3.0.0" } }"#),
                ("server.js", "const Koa = require(\"koa\");\nnew Koa().listen(1);\n"),
            ],
            "`authwright list` shows what it serves",
        ),
        (
            &[
                ("package.json", r#"{ "dependencies": { "vue": "^3.5.0" } }"#),
                ("index.html", "<div id=app></div>"),
                ("src/main.js", "createApp()\n"),
            ],
            "add authentication to the server that it talks to",
        ),
        (
            &[
                ("Cargo.toml", "[package]\nname = \"x\"\n[dependencies]\naxum = \"0.6\"\n"),
                ("src/main.rs", "fn main() { axum::Server::bind(); }\n"),
            ],
            "the templates are for >=0.7, <0.9",
        ),
        (
            &[
                ("Cargo.toml", "[package]\nname = \"x\"\n[dependencies]\naxum = \"0.8\"\n"),
                ("src/lib.rs", "pub fn x() {}\n"),
            ],
            "name the app's folder, or start one with `authwright new DIR`",
        ),
    ];
    for (files, told) in situations {
        let project = empty("situation");
        for (name, text) in files {
            let file = project.dir.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let before = tree(&project.dir);
        let said = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4).err;
        assert!(said.contains(told), "{files:?}: {said}");
        assert_eq!(tree(&project.dir), before);
    }
}

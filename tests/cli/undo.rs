//! What `undo` takes back, and what it leaves.

use std::fs;

use crate::common::{BY_HAND, SERVED, fixture, read, replace, run, sha256, tree};

#[test]
fn undo_restores_every_byte() {
    for name in SERVED.into_iter().chain(BY_HAND) {
        let project = fixture(name);
        let before = tree(&project.dir);
        run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
        assert_ne!(tree(&project.dir), before);
        run(&project.dir, &["undo", "--yes"]).exits(0);
        assert_eq!(tree(&project.dir), before, "{name}");
    }
}

#[test]
fn new_then_undo_is_the_starter() {
    let project = crate::common::empty("x");
    run(&project.dir, &["new", "app", "--stack", "axum", "--yes", "--no-check"]).exits(0);
    let app = project.dir.join("app");
    run(&app, &["undo", "--yes"]).exits(0);
    let left = tree(&app);
    assert!(left.contains_key("src/main.rs") && !left.keys().any(|name| name.contains("auth")), "{:?}", left.keys());
    assert!(!read(&app, "src/main.rs").contains("auth"));
}

#[test]
fn edits_in_between_stay() {
    for name in SERVED {
        let project = fixture(name);
        let app = if name == "workspace" { project.dir.join("crates/api") } else { project.dir.clone() };
        run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
        replace(&app, "Cargo.toml", "argon2 = ", "anyhow-mine = \"1\"\nargon2 = ");
        let main = read(&app, "src/main.rs");
        fs::write(app.join("src/main.rs"), format!("{main}\n// mine, below\n")).unwrap();
        replace(&app, "src/auth/csrf.rs", "\n", "\n// mine\n");
        let said = run(&project.dir, &["undo", "--yes"]).exits(0).err;
        assert!(said.contains("src/auth/csrf.rs"), "{name}: {said}");
        assert!(read(&app, "Cargo.toml").contains("anyhow-mine"), "{name}");
        assert!(!read(&app, "Cargo.toml").contains("argon2"), "{name}");
        let main = read(&app, "src/main.rs");
        assert!(
            main.contains("// mine, below") && !main.contains("auth::") && !main.contains("mod auth"),
            "{name}: {main}"
        );
        assert!(read(&app, "src/auth/csrf.rs").contains("// mine"), "{name}");
        assert!(!app.join("src/auth/mod.rs").exists() && !app.join(".authwright").exists(), "{name}");
    }
}

#[test]
fn what_cannot_be_taken_back_is_a_step() {
    let project = fixture("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    replace(&project.dir, "src/main.rs", "let app = auth.attach(app);", "let app = auth.attach(app.clone());");
    let done = run(&project.dir, &["undo", "--yes", "--json"]).exits(0).json();
    let step = &done["manual"][0];
    assert_eq!(step["at"], "src/main.rs");
    assert!(step["text"].as_str().unwrap().contains("auth.attach(app)"), "{done}");
    assert!(read(&project.dir, "src/main.rs").contains("auth.attach(app.clone())"));
}

#[test]
fn undo_says_what_stays() {
    let project = fixture("plain");
    let said = run(&project.dir, &["undo", "--yes"]).exits(1).err;
    assert!(said.contains(".authwright/lock.toml"), "{said}");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    let said = run(&project.dir, &["undo", "--yes"]).exits(0).err;
    assert!(said.contains("tables"), "{said}");
}

#[test]
fn a_lock_cannot_have_other_files_deleted() {
    let project = fixture("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    let readme = "mine\n";
    fs::write(project.dir.join("NOTES.md"), readme).unwrap();
    let hash = sha256(readme.as_bytes());
    let created = format!("[[layer.created]]\npath = \"NOTES.md\"\nsha256 = \"{hash}\"\n\n[[layer.edited]]");
    replace(&project.dir, ".authwright/lock.toml", "[[layer.edited]]", &created);
    assert!(run(&project.dir, &["undo", "--yes"]).exits(1).err.contains("NOTES.md"));
    assert!(project.dir.join("NOTES.md").exists());
}

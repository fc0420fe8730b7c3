//! Each kind of drift is found and named, in text and in JSON.

use std::fs;

use crate::common::{Project, fixture, read, replace, run};

fn added() -> Project {
    let project = fixture("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    project
}

#[track_caller]
fn drifts(project: &Project, cause: &str, at: &str) {
    let text = run(&project.dir, &["verify"]).exits(1).err;
    assert!(text.contains("drift: ") && text.contains(at) && text.contains("help: "), "{text}");
    let json = run(&project.dir, &["verify", "--json"]).exits(1).json();
    assert_eq!(json["verdict"], "drift");
    let found = json["drift"].as_array().unwrap();
    let named = |drift: &&serde_json::Value| drift["cause"] == cause && drift["at"].as_str().unwrap().starts_with(at);
    assert!(found.iter().any(|drift| named(&drift)), "no {cause} at {at} in {json:#}");
}

#[test]
fn clean() {
    let project = added();
    let said = run(&project.dir, &["verify"]).exits(0).err;
    assert!(said.contains("unchanged") && said.contains("not run: --no-check"), "{said}");
    assert_eq!(run(&project.dir, &["verify", "--json"]).exits(0).json()["verdict"], "clean");
}

#[test]
fn a_changed_byte() {
    let project = added();
    replace(&project.dir, "src/auth/csrf.rs", "same-origin", "same-site");
    drifts(&project, "file-changed", "src/auth/csrf.rs");
}

#[test]
fn a_changed_byte_with_the_lock_edited_to_match() {
    let project = added();
    let hash = |text: &str| {
        use sha2::Digest as _;
        sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    };
    let before = hash(&read(&project.dir, "src/auth/csrf.rs"));
    replace(&project.dir, "src/auth/csrf.rs", "same-origin", "same-site");
    let after = hash(&read(&project.dir, "src/auth/csrf.rs"));
    replace(&project.dir, ".authwright/lock.toml", &before, &after);
    drifts(&project, "file-changed", "src/auth/csrf.rs");
    drifts(&project, "lock-edited", ".authwright/lock.toml");
}

#[test]
fn a_wiring_line_removed() {
    for line in ["let app = auth.attach(app);", "let auth = auth::start(&listener).await;", "mod auth;"] {
        let project = added();
        replace(&project.dir, "src/main.rs", line, &format!("// {line}"));
        drifts(&project, "wiring-missing", "src/main.rs");
    }
    let project = added();
    replace(&project.dir, ".gitignore", "/.env\n", "");
    drifts(&project, "wiring-missing", ".gitignore");
}

#[test]
fn a_library_below_its_floor() {
    let project = added();
    let manifest = read(&project.dir, "Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("argon2 = ")).unwrap();
    replace(&project.dir, "Cargo.toml", line, "argon2 = \"=0.5.0\"");
    drifts(&project, "library-below-floor", "Cargo.toml");
    let project = added();
    replace(&project.dir, "Cargo.toml", line, "");
    drifts(&project, "library-missing", "Cargo.toml");
}

#[test]
fn a_library_from_elsewhere() {
    let manifest = read(&added().dir, "Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("argon2 = ")).unwrap();
    for other in [
        "argon2 = { package = \"scrypt\", version = \"0.6\" }",
        "argon2 = { version = \"0.6\", path = \"argon2\" }",
        "argon2 = \"0.6\"\n[patch.crates-io]\nargon2 = { path = \"argon2\" }\n[dev-dependencies]",
    ] {
        let project = added();
        let (table, rest) = other.split_once('\n').unwrap_or((other, ""));
        replace(&project.dir, "Cargo.toml", line, table);
        replace(
            &project.dir,
            "Cargo.toml",
            "[dev-dependencies]",
            if rest.is_empty() { "[dev-dependencies]" } else { rest },
        );
        drifts(&project, "library-replaced", "Cargo.toml");
    }
}

#[test]
fn a_lock_that_resolves_below_the_floor() {
    let project = added();
    let manifest = read(&project.dir, "Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("lettre = ")).unwrap();
    let lock = read(&project.dir, "Cargo.lock");
    let package = |version: &str| format!("{lock}\n[[package]]\nname = \"lettre\"\nversion = \"{version}\"\n");
    replace(&project.dir, "Cargo.toml", line, "lettre = \"0.11\"");
    fs::write(project.dir.join("Cargo.lock"), package("0.11.30")).unwrap();
    run(&project.dir, &["verify"]).exits(0);
    fs::write(project.dir.join("Cargo.lock"), package("0.11.9")).unwrap();
    drifts(&project, "library-below-floor", "Cargo.toml");
}

#[test]
fn a_deleted_file() {
    let project = added();
    fs::remove_file(project.dir.join("src/auth/csrf.rs")).unwrap();
    drifts(&project, "file-missing", "src/auth/csrf.rs");
}

#[test]
fn a_pack_that_is_not_there() {
    let project = added();
    let lock = read(&project.dir, ".authwright/lock.toml");
    let version = lock.lines().find(|line| line.starts_with("pack_version")).unwrap();
    replace(&project.dir, ".authwright/lock.toml", version, "pack_version = \"99.0.0\"");
    drifts(&project, "unverifiable", ".authwright/lock.toml");
}

#[test]
fn the_example_is_the_users() {
    let project = added();
    fs::remove_file(project.dir.join("src/auth_example.rs")).unwrap();
    replace(&project.dir, "src/main.rs", "mod auth_example;\n", "");
    replace(&project.dir, "src/main.rs", "    let app = app.merge(auth_example::routes());\n", "");
    run(&project.dir, &["verify"]).exits(0);
}

#[test]
fn a_lock_that_records_nothing() {
    let project = added();
    fs::write(project.dir.join(".authwright/lock.toml"), "schema = 1\nlayer = []\n").unwrap();
    assert!(run(&project.dir, &["verify"]).exits(1).err.contains("records no module"));
}

#[test]
fn a_module_that_is_compiled_only_sometimes() {
    for attribute in ["#[cfg(any())]", "#[path = \"other/mod.rs\"]"] {
        let project = added();
        replace(&project.dir, "src/main.rs", "mod auth;", &format!("{attribute}\nmod auth;"));
        drifts(&project, "wiring-missing", "src/main.rs");
    }
}

#[test]
fn a_journal_is_reported_and_left_alone() {
    let project = added();
    let journal = project.dir.join(".authwright-journal");
    fs::create_dir(&journal).unwrap();
    fs::write(journal.join("ready"), "{}").unwrap();
    for args in [&["verify"][..], &["detect"], &["add", "--dry-run"]] {
        assert!(run(&project.dir, args).exits(1).err.contains(".authwright-journal"), "{args:?}");
    }
    assert!(journal.join("ready").exists());
}

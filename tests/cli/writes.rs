//! What `add` writes: the patch, all of it, and nothing else.

use std::{fs, os::unix::fs::symlink, process::Command};

use crate::common::{BY_HAND, SERVED, empty, fixture, must, planned, read, replace, run, tree};

#[test]
fn a_dry_run_writes_nothing_and_its_patch_is_what_add_writes() {
    for name in SERVED.into_iter().chain(BY_HAND) {
        let (dry, wet) = (fixture(name), fixture(name));
        let before = tree(&dry.dir);
        let patch = run(&dry.dir, &["add", "--dry-run", "--patch", "-"]).exits(0).out;
        assert_eq!(tree(&dry.dir), before, "{name}");
        let file = dry.dir.parent().unwrap().join("x.patch");
        fs::write(&file, &patch).unwrap();
        let git = |args: &[&str]| must(Command::new("git").current_dir(&dry.dir).args(args).arg(&file));
        git(&["apply", "--check"]);
        git(&["apply"]);
        run(&wet.dir, &["add", "--yes", "--no-check"]).exits(0);
        assert_eq!(planned(&dry.dir), planned(&wet.dir), "{name}");
    }
}

#[test]
fn a_second_add_changes_nothing() {
    for name in SERVED {
        let project = fixture(name);
        run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
        let before = tree(&project.dir);
        let again = run(&project.dir, &["add", "--yes", "--json"]).exits(0).json();
        assert_eq!((&again["result"], &again["changes"]), (&"already".into(), &serde_json::json!([])), "{name}");
        assert_eq!(tree(&project.dir), before, "{name}");
    }
}

#[test]
fn other_bytes_stay() {
    let (project, before) = (fixture("mixed"), fixture("mixed"));
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    for path in ["src/main.rs", "Cargo.toml", ".gitignore"] {
        let (old, new) = (read(&before.dir, path), read(&project.dir, path));
        let now: Vec<&str> = new.split_inclusive('\n').collect();
        let lost: Vec<&str> = old.split_inclusive('\n').filter(|line| !now.contains(line)).collect();
        let features = lost.iter().all(|line| line.contains("features") || line.contains("\"sync\""));
        assert!(lost.len() <= 3 && (path == "Cargo.toml" && features || lost.is_empty()), "{path}: {lost:?}");
    }
}

#[test]
fn what_only_the_owner_knows_is_left_to_them_and_does_nothing_until_then() {
    let project = fixture("plain");
    let done = run(&project.dir, &["add", "--also", "agents,codeowners,ci", "--yes", "--no-check", "--json"]);
    let done = done.exits(0).json();
    let steps: Vec<&str> = done["manual"].as_array().unwrap().iter().filter_map(|step| step["at"].as_str()).collect();
    assert_eq!(steps, [".github/workflows/authwright.yml", ".github/CODEOWNERS"]);
    let owners = read(&project.dir, ".github/CODEOWNERS");
    assert!(owners.contains("src/auth/") && owners.lines().all(|line| line.starts_with('#')), "{owners}");
    assert!(read(&project.dir, ".github/workflows/authwright.yml").contains("AUTHWRIGHT_GIT: \"\""));

    // The owner fills it in, and a later `add` leaves that alone.
    replace(&project.dir, ".github/CODEOWNERS", "# /src/auth/ @OWNER", "/src/auth/ @acme/security");
    let owners = read(&project.dir, ".github/CODEOWNERS");
    run(&project.dir, &["verify"]).exits(0);
    run(&project.dir, &["add", "--profile", "strict", "--yes", "--no-check"]).exits(0);
    assert_eq!(read(&project.dir, ".github/CODEOWNERS"), owners);
}

#[test]
fn a_member_can_be_named_from_inside() {
    let project = fixture("workspace");
    let member = project.dir.join("crates/api");
    let patch = run(&member, &["add", "--dry-run", "--patch", "-"]).exits(0).out;
    assert!(patch.contains("+++ b/src/auth/mod.rs"), "{patch}");
    run(&member, &["add", "--yes", "--no-check"]).exits(0);
    run(&member, &["verify"]).exits(0);
    run(&project.dir, &["verify"]).exits(0);
}

#[test]
fn folders_may_have_any_name() {
    let project = fixture("plain");
    let dir = project.dir.parent().unwrap().join("mein Läden \u{1f6d2} 'x'");
    fs::rename(&project.dir, &dir).unwrap();
    run(&dir, &["add", "--yes", "--no-check"]).exits(0);
    run(&dir, &["verify"]).exits(0);
    run(&dir, &["undo", "--yes"]).exits(0);
}

#[test]
fn links_are_not_followed_out_of_the_project() {
    let outside = empty("outside");
    fs::write(outside.dir.join("main.rs"), "").unwrap();
    for (link, target) in [("src/auth", ""), (".gitignore", "main.rs"), (".authwright", "")] {
        let project = fixture("plain");
        _ = fs::remove_file(project.dir.join(link));
        symlink(outside.dir.join(target), project.dir.join(link)).unwrap();
        let run = run(&project.dir, &["add", "--yes", "--no-check"]);
        assert!((1..=4).contains(&run.code) && run.err.contains("help: "), "{link}: {} {}", run.code, run.err);
        assert_eq!(tree(&outside.dir).len(), 1, "{link}");
        assert!(!project.dir.join("src/auth_example.rs").exists(), "{link}");
    }
}

#[test]
fn a_terminal_is_not_controlled_by_names() {
    let project = fixture("plain");
    replace(&project.dir, "Cargo.toml", "axum = \"0.8\"", "axum = \"0.8\" # \u{1b}[2J\u{7}");
    for args in [&["detect"][..], &["add", "--dry-run"]] {
        let run = run(&project.dir, args);
        assert!(!format!("{}{}", run.out, run.err).contains(['\u{1b}', '\u{7}']), "{args:?}");
    }
}

#[test]
fn json_is_one_object_on_stdout() {
    let project = fixture("plain");
    let plan = run(&project.dir, &["add", "--dry-run", "--json", "--patch", "-"]).exits(0).json();
    assert_eq!((&plan["schema"], &plan["result"]), (&1.into(), &"dry-run".into()));
    assert!(plan["patch"].as_str().unwrap().starts_with("diff --git"));
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["result"], "applied");
    assert!(done["check"][0]["result"].as_str().unwrap().starts_with("not run"));
    let error = run(&project.dir, &["verify", "--json", "nowhere"]).exits(1).json();
    assert_eq!((&error["error"]["exit"], &error["schema"]), (&1.into(), &1.into()));
}

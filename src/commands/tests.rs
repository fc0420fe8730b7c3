//! Whole commands on real folders, with a pack that has more answers than one.
#![expect(clippy::disallowed_methods, reason = "tests make and look at real folders")]

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

use tempfile::TempDir;

use crate::{
    core::{
        problem::Problem,
        testing::{small, small_app},
    },
    shell::Interrupt,
};

/// A small app with a lock file of its package manager.
fn app() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "Cargo.lock", "# made by hand\n");
    for (path, text) in small_app().tree.iter() {
        write(folder.path(), path.as_str(), text.raw());
    }
    folder
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn replace(dir: &Path, name: &str, from: &str, to: &str) {
    let text = read(dir, name);
    assert!(text.contains(from), "{name} has no {from:?}");
    write(dir, name, &text.replacen(from, to, 1));
}

/// Every file with its text, the proof left out: it tells of the last check.
fn tree(dir: &Path) -> BTreeMap<String, String> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name != ".authwright/proof.toml" {
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

/// The exit code of a command in a folder.
fn code(dir: &Path, command: &str, flags: &[&str]) -> u8 {
    let words = ["authwright", command, dir.to_str().unwrap(), "--quiet"].into_iter().chain(flags.iter().copied());
    let run = crate::run(vec![small()], Interrupt::default(), words.map(OsString::from).collect(), false);
    run.unwrap_or_else(|error| error.downcast_ref::<Problem>().map_or(1, Problem::exit_code))
}

#[track_caller]
fn done(dir: &Path, command: &str, flags: &[&str]) {
    assert_eq!(code(dir, command, flags), 0, "{command} {flags:?}");
}

fn fetches(dir: &Path) -> usize {
    read(dir, "Cargo.lock").matches("# fetched\n").count()
}

#[test]
fn layers_are_checked_applied_and_taken_back_one_at_a_time() {
    let folder = app();
    let dir = folder.path();
    let mut states = vec![tree(dir)];
    for flags in [&["--yes"][..], &["--ui", "pages", "--yes"], &["--profile", "strict", "--also", "agents,ci", "--yes"]]
    {
        done(dir, "add", flags);
        done(dir, "verify", &[]);
        states.push(tree(dir));
        assert_eq!(fetches(dir), states.len() - 1, "{flags:?}");
    }
    for state in states.iter().rev().skip(1) {
        done(dir, "undo", &["--yes"]);
        assert_eq!(tree(dir), *state);
    }
    assert!(!dir.join(".authwright").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn the_project_may_be_on_another_file_system_than_temporary_files() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let dir = folder.path();
    for (path, text) in tree(app().path()) {
        write(dir, &path, &text);
    }
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    assert_ne!(device(dir), device(&std::env::temp_dir()), "this test needs temporary files outside of memory");
    let before = tree(dir);
    done(dir, "add", &["--yes"]);
    done(dir, "verify", &[]);
    done(dir, "check", &[]);
    done(dir, "undo", &["--yes"]);
    assert_eq!(tree(dir), before);
}

#[test]
fn every_layer_is_taken_back_at_once() {
    let folder = app();
    let dir = folder.path();
    let before = tree(dir);
    done(dir, "add", &["--yes"]);
    done(dir, "add", &["--with", "tokens", "--yes"]);
    done(dir, "add", &["--ui", "pages", "--no-check", "--yes"]);
    assert_eq!(fetches(dir), 2, "what was not checked fetched nothing");
    done(dir, "undo", &["--all", "--yes"]);
    assert_eq!(tree(dir), before);
    assert!(!dir.join(".authwright").exists());
}

#[test]
fn what_is_there_already_is_nothing_to_do() {
    let folder = app();
    let dir = folder.path();
    done(dir, "add", &["--ui", "pages", "--also", "ci", "--also", "agents", "--no-check", "--yes"]);
    let before = tree(dir);
    let same: [&[&str]; 5] = [
        &["--yes"],
        &[],
        &["--ui", "pages", "--yes"],
        &["--with", "password", "--db", "sqlite", "--yes"],
        &["--also", "agents", "--yes"],
    ];
    for flags in same {
        done(dir, "add", flags);
        assert_eq!(tree(dir), before, "{flags:?}");
    }
}

#[test]
fn a_refusal_writes_nothing() {
    let folder = app();
    let dir = folder.path();
    done(dir, "add", &["--ui", "pages", "--no-check", "--yes"]);
    replace(dir, "src/auth/settings.rs", "= 60;", "= 61;");
    let before = tree(dir);
    for flags in [["--profile", "strict", "--yes"], ["--ui", "api", "--yes"], ["--db", "postgres", "--yes"]] {
        assert_eq!(code(dir, "add", &flags), 4, "{flags:?}");
        assert_eq!(tree(dir), before, "{flags:?}");
    }
}

#[test]
fn a_lock_file_that_changed_since_stays_and_the_layer_below_still_goes() {
    let folder = app();
    let dir = folder.path();
    done(dir, "add", &["--yes"]);
    done(dir, "add", &["--ui", "pages", "--yes"]);
    let mine = read(dir, "Cargo.lock") + "# mine\n";
    write(dir, "Cargo.lock", &mine);
    done(dir, "undo", &["--yes"]);
    assert_eq!(read(dir, "Cargo.lock"), mine);
    done(dir, "verify", &[]);
    done(dir, "undo", &["--yes"]);
    assert_eq!((read(dir, "Cargo.lock"), dir.join("src/auth").exists()), (mine, false));
}

#[test]
fn what_suits_the_project_is_the_default() {
    let folder = app();
    let dir = folder.path();
    replace(dir, "Cargo.toml", "web = \"1\"\n", "web = \"1\"\npostgres = \"1\"\n");
    done(dir, "add", &["--no-check", "--yes"]);
    assert!(read(dir, ".authwright/lock.toml").contains("db = \"postgres\""));
    let other = app();
    replace(other.path(), "Cargo.toml", "web = \"1\"\n", "web = \"1\"\npostgres = \"1\"\n");
    done(other.path(), "add", &["--db", "sqlite", "--no-check", "--yes"]);
    assert!(read(other.path(), ".authwright/lock.toml").contains("db = \"sqlite\""), "a flag wins");
}

#[test]
fn a_step_that_could_not_run_is_recorded_as_not_run() {
    let folder = app();
    let dir = folder.path();
    done(dir, "add", &["--db", "postgres", "--yes"]);
    let proof = || read(dir, ".authwright/proof.toml");
    assert!(
        proof().contains("name = \"server\"\ncommand = \"false\"\nresult = \"not run: `no-such-server`"),
        "{}",
        proof()
    );
    done(dir, "check", &[]);
    assert_eq!((proof().matches("\"passed\"").count(), proof().matches("\"not run: ").count()), (2, 1));
    let other = app();
    done(other.path(), "add", &["--yes"]);
    assert!(!read(other.path(), ".authwright/proof.toml").contains("server"), "its condition does not hold");
}

#[test]
fn what_is_still_there_stays_ignored() {
    let folder = app();
    let dir = folder.path();
    done(dir, "add", &["--no-check", "--yes"]);
    write(dir, ".env", "AUTH_SECRET=s\n");
    done(dir, "undo", &["--yes"]);
    assert_eq!(read(dir, ".gitignore"), "/target\n/.env\n");
}

#[test]
fn an_app_below_its_repository_leaves_the_root_alone() {
    let repository = tempfile::tempdir().unwrap();
    fs::create_dir(repository.path().join(".git")).unwrap();
    let dir = repository.path().join("services/api");
    for (path, text) in small_app().tree.iter() {
        write(&dir, path.as_str(), text.raw());
    }
    done(&dir, "add", &["--also", "ci,codeowners", "--no-check", "--yes"]);
    let lock = read(&dir, ".authwright/lock.toml");
    assert!(
        lock.contains("/services/api/src/auth/ @security") && lock.contains("folder = \"services/api/\""),
        "{lock}"
    );
    assert!(!dir.join(".github").exists() && !repository.path().join(".github").exists());
    done(&dir, "verify", &[]);
}

#[test]
fn a_file_that_cannot_be_read_matters_only_if_it_would_be_written() {
    let folder = app();
    let dir = folder.path();
    fs::write(dir.join("AGENTS.md"), b"caf\xe9").unwrap();
    assert_eq!(code(dir, "add", &["--also", "agents", "--no-check", "--yes"]), 1);
    done(dir, "add", &["--no-check", "--yes"]);
    done(dir, "verify", &[]);
}

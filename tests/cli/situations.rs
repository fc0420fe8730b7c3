//! Disks that are full, folders that may not be written, names and clocks that are odd, several runs at once:
//! either all is done, or it is said why not and nothing is.

use std::{
    fs::{self, FileTimes, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use crate::common::{Project, Run, State, copy, empty, finished, fixture, in_memory, must, planned, run, state, tool};

const TOOL: &str = env!("CARGO_BIN_EXE_authwright");
const ADD: &[&str] = &["add", "--yes", "--no-check"];
const UNDO: &[&str] = &["undo", "--yes"];

/// A project before and after `add`.
fn old_and_new(name: &str) -> (State, State) {
    let project = fixture(name);
    let old = state(&project.dir);
    run(&project.dir, ADD).exits(0);
    (old, state(&project.dir))
}

/// The tool on a file system of its own with these limits; what it leaves is copied to `to`.
fn on_a_small_disk(options: &str, from: &Path, args: &[&str], to: &Path) -> Run {
    const SCRIPT: &str = r#"
        options=$1 from=$2 to=$3 at=$4; shift 4
        mount -t tmpfs -o "$options" none "$at" && cp -a "$from/." "$at" && cd "$at" || exit 99
        "$@"; code=$?
        cp -a . "$to" && exit $code"#;
    let at = empty("mounted");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh", options]);
    command.args([from, to, &at.dir]).arg(TOOL).args(args).stdin(Stdio::null());
    finished(&command.output().unwrap())
}

#[test]
fn a_full_disk_is_told_and_nothing_is_changed() {
    let (old, new) = old_and_new("plain");
    let fresh = fixture("plain");
    let added = fixture("plain");
    run(&added.dir, ADD).exits(0);
    let mut ends = [0, 0];
    for (project, args, before, after) in [(&fresh, ADD, &old, &new), (&added, UNDO, &new, &old)] {
        let sizes = (1..=12).map(|step| format!("mode=0700,size={}k", step * 112));
        let counts = (1..=6).map(|step| format!("mode=0700,nr_inodes={}", step * 40));
        for options in sizes.chain(counts) {
            let left = empty("left");
            let done = on_a_small_disk(&options, &project.dir, args, &left.dir);
            if done.err.contains("cp: ") || done.code == 99 {
                continue;
            }
            let now = state(&left.dir);
            if done.code == 0 {
                assert_eq!(now, *after, "{options} {args:?}");
            } else {
                assert!(done.code == 1 && done.err.contains("No space left on device"), "{options}: {}", done.err);
                assert_eq!(now, *before, "{options} {args:?}");
            }
            ends[usize::from(done.code == 0)] += 1;
        }
    }
    println!("{} disks were full, {} were not", ends[0], ends[1]);
    assert!(ends[0] > 8 && ends[1] > 3, "{ends:?}");
}

/// The tool without root's right to write anywhere.
fn with_no_rights(dir: &Path, args: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    command.args(["--user", TOOL]).args(args).current_dir(dir).stdin(Stdio::null());
    finished(&command.output().unwrap())
}

/// A mode for as long as it lives.
struct Denied<'a>(&'a Path, Permissions);

impl<'a> Denied<'a> {
    fn new(path: &'a Path, mode: u32) -> Self {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        Self(path, before)
    }
}

impl Drop for Denied<'_> {
    fn drop(&mut self) {
        fs::set_permissions(self.0, self.1.clone()).unwrap();
    }
}

#[test]
fn what_may_not_be_written_or_read_is_told_and_nothing_is_changed() {
    let added = |name| {
        let project = fixture(name);
        run(&project.dir, ADD).exits(0);
        project
    };
    let cases: [(Project, &[&str], &str, u32); 8] = [
        (fixture("plain"), ADD, ".", 0o555),
        (fixture("plain"), ADD, "src", 0o555),
        (fixture("plain"), ADD, "src", 0o000),
        (fixture("plain"), ADD, "Cargo.toml", 0o000),
        (fixture("workspace"), ADD, "crates/api/src", 0o555),
        (added("plain"), UNDO, ".", 0o555),
        (added("plain"), UNDO, "src/auth", 0o555),
        (added("plain"), UNDO, "src/auth/mod.rs", 0o000),
    ];
    for (project, args, path, mode) in cases {
        let before = state(&project.dir);
        let place = project.dir.join(path);
        let denied = Denied::new(&place, mode);
        let done = with_no_rights(&project.dir, args);
        drop(denied);
        assert!((1..=4).contains(&done.code), "{args:?} {path} {mode:o}: {} {}", done.code, done.err);
        assert!(done.err.contains("ermission denied"), "{args:?} {path} {mode:o}: {}", done.err);
        assert_eq!(state(&project.dir), before, "{args:?} {path} {mode:o}");
    }
}

#[test]
fn a_source_that_may_not_be_read_is_named_and_left_to_the_user() {
    let project = fixture("plain");
    let before = state(&project.dir);
    let main = project.dir.join("src/main.rs");
    let denied = Denied::new(&main, 0o000);
    let said = with_no_rights(&project.dir, ADD).exits(0).err;
    drop(denied);
    assert!(said.contains("could not be read: src/main.rs") && said.contains("left to you"), "{said}");
    assert_eq!(state(&project.dir)["src/main.rs"], before["src/main.rs"]);
    run(&project.dir, UNDO).exits(0);
    assert_eq!(state(&project.dir), before);
}

#[test]
fn what_may_not_be_written_is_taken_back_later() {
    let project = fixture("plain");
    let old = state(&project.dir);
    // A journal as a kill leaves it, and then no right to write.
    let journal = project.dir.join(".authwright-journal");
    fs::create_dir(&journal).unwrap();
    fs::write(journal.join("0"), "copy").unwrap();
    let denied = Denied::new(&journal, 0o400);
    let said = with_no_rights(&project.dir, ADD).exits(1).err;
    drop(denied);
    assert!(said.contains("ermission denied") && journal.join("0").exists(), "{said}");
    run(&project.dir, &["add", "--yes", "--stack", "none"]).exits(4);
    assert_eq!(state(&project.dir), old);
}

#[test]
fn modes_stay() {
    let project = fixture("plain");
    for (path, mode) in [("Cargo.toml", 0o440), ("src/main.rs", 0o755), ("src", 0o711), (".gitignore", 0o666)] {
        fs::set_permissions(project.dir.join(path), Permissions::from_mode(mode)).unwrap();
    }
    let before = state(&project.dir);
    run(&project.dir, ADD).exits(0);
    let after = state(&project.dir);
    assert!(before.iter().all(|(path, (mode, _))| after[path].0 == *mode));
    run(&project.dir, UNDO).exits(0);
    assert_eq!(state(&project.dir), before);
}

#[test]
fn runs_at_once_never_mix() {
    const ROUNDS: usize = 6;
    let project = in_memory("plain");
    copy(&fixture("plain").dir, &project.dir);
    let old = state(&project.dir);
    run(&project.dir, ADD).exits(0);
    let new = state(&project.dir);
    let (mut is_new, mut refused) = (true, 0);
    for round in 0..ROUNDS {
        let orders = if round % 3 == 2 { [ADD, UNDO, ADD, UNDO] } else { [if is_new { UNDO } else { ADD }; 4] };
        let start = |args: &&[&str]| tool(&project.dir, args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let children: Vec<_> = orders.iter().map(|args| start(args).unwrap()).collect();
        let done: Vec<Run> = children.into_iter().map(|child| finished(&child.wait_with_output().unwrap())).collect();
        let now = state(&project.dir);
        let told = || done.iter().map(|run| format!("{} {}", run.code, run.err)).collect::<Vec<_>>().join("\n");
        assert!(now == old || now == new, "{}", told());
        assert!(done.iter().any(|run| run.code == 0), "{}", told());
        assert!(done.iter().all(|run| [0, 1, 4].contains(&run.code)), "{}", told());
        if round % 3 != 2 {
            assert_eq!(now == new, !is_new, "{}", told());
        }
        refused += done.iter().filter(|run| run.code != 0).count();
        is_new = now == new;
    }
    println!("{refused} of {} runs were refused", ROUNDS * 4);
}

#[test]
fn long_and_odd_names() {
    let names =
        ["with spaces  and 'quotes' \"x\"", "Ünïcödé 日本語 \u{1f6d2}", "-rf", "$(touch x) `y` ;&|<>*?[a]{b,c}"];
    for name in names.into_iter().map(str::to_owned).chain(["n".repeat(250), "ü".repeat(125)]) {
        let project = empty(&name);
        let deep = project.dir.join(&name).join(&name).join(&name);
        fs::create_dir_all(&deep).unwrap();
        copy(&fixture("plain").dir, &deep);
        let before = state(&project.dir);
        run(&deep, ADD).exits(0);
        run(&deep, &["verify"]).exits(0);
        run(&deep, UNDO).exits(0);
        assert_eq!(state(&project.dir), before, "{name}");
    }
}

#[test]
fn a_name_that_differs_by_case_only_is_another_file() {
    let others = ["src/AUTH_EXAMPLE.rs", ".Authwright/LOCK.toml", ".GITIGNORE", "CARGO.toml", "src/MAIN.rs"];
    let project = fixture("plain");
    for other in others {
        let path = project.dir.join(other);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "// mine\n").unwrap();
    }
    let before = state(&project.dir);
    run(&project.dir, ADD).exits(0);
    let after = state(&project.dir);
    for other in others {
        assert_eq!(after[other], before[other], "{other}");
    }
    run(&project.dir, UNDO).exits(0);
    assert_eq!(state(&project.dir), before);
}

#[test]
fn neither_language_nor_clock_nor_the_age_of_files_matters() {
    let plain = fixture("plain");
    run(&plain.dir, ADD).exits(0);
    let expected = planned(&plain.dir);
    let times = [Duration::ZERO, Duration::from_secs(1 << 32), Duration::from_secs(1 << 33)];
    for (zone, language, age) in [
        ("Pacific/Kiritimati", "tr_TR.UTF-8", times[0]),
        ("America/St_Johns", "C", times[1]),
        ("nowhere", "xx_XX.latin1", times[2]),
    ] {
        let project = fixture("plain");
        let before = state(&project.dir);
        let time = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + age);
        for file in ["Cargo.toml", "Cargo.lock", "src/main.rs", "src"] {
            fs::File::open(project.dir.join(file)).unwrap().set_times(time).unwrap();
        }
        let odd = |args: &[&str]| {
            let mut command = tool(&project.dir, args);
            command.env("TZ", zone).env("LC_ALL", language).env("LANG", language);
            must(&mut command);
        };
        odd(ADD);
        assert_eq!(planned(&project.dir), expected, "{zone} {language}");
        odd(UNDO);
        assert_eq!(state(&project.dir), before, "{zone} {language}");
    }
}

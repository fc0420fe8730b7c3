//! Generated apps for real: the check builds and tests them, then their own tools look at them.
//!
//! What cargo builds takes turns in one build folder; what waits for programs on Node and Python takes turns of its own.
#![expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests make and look at real folders; a failure is a panic; long ones tell how far they are; \
              some helpers are for the other test program"
)]

#[path = "../common/mod.rs"]
mod common;

mod broken;
mod canary;
mod instances;
mod matrix;
mod mutants;
mod node;
mod pages;
mod postgres;
mod probe;
mod python;
mod readme;
mod served;
mod side_by_side;
mod steps;

use std::{
    io::{Write as _, stderr},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use serde_json::Value;

static BUILDS: Mutex<()> = Mutex::new(());
static PROGRAMS: Mutex<()> = Mutex::new(());

/// A test's turn; says how long it was.
struct Turn {
    _lock: MutexGuard<'static, ()>,
    began: Instant,
}

impl Turn {
    fn of(lock: &'static Mutex<()>) -> Self {
        let lock = lock.lock().unwrap_or_else(PoisonError::into_inner);
        Self { _lock: lock, began: Instant::now() }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let name = thread::current().name().unwrap_or_default().to_owned();
        // Not by `eprintln!`, which keeps what a test says to itself while it passes.
        _ = writeln!(stderr(), "{:>5} s  {name}", self.began.elapsed().as_secs());
    }
}

/// One cargo at a time: two at once take twice as long and twice the memory.
fn turn() -> Turn {
    Turn::of(&BUILDS)
}

/// For what builds nothing with cargo. Attacks wait more than they compute, so it goes beside a build.
fn turn_aside() -> Turn {
    Turn::of(&PROGRAMS)
}

/// Which of so many shares this commit has. What has no commit, such as an archive, has the first one.
fn of_commit(shares: usize) -> usize {
    let tree = Command::new("git").args(["rev-parse", "HEAD^{tree}"]).output().unwrap().stdout;
    let digits = String::from_utf8(tree).unwrap();
    digits.get(..4).map_or(0, |digits| usize::from_str_radix(digits, 16).unwrap()) % shares
}

/// The folder that the tool's checks build in, shared by all apps.
fn builds() -> PathBuf {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apps");
    std::env::var_os("CARGO_TARGET_DIR").map_or(own, |dir| PathBuf::from(dir).join("apps"))
}

fn tool(dir: &Path, args: &[&str]) -> Command {
    let mut command = common::tool(dir, args);
    command.env("CARGO_TARGET_DIR", builds());
    command
}

fn run(dir: &Path, args: &[&str]) -> common::Run {
    common::finished(&tool(dir, args).output().unwrap())
}

/// What `--json` says of an addition whose steps all passed.
fn all_passed(done: &Value) {
    let steps = done["check"].as_array().unwrap();
    assert!(steps.len() >= 3 && steps.iter().all(|step| step["result"] == "passed"), "{steps:?}");
}

/// By which controls a stack is attacked whose probe takes minutes: the critical ones, unless `SEVERITY` names others.
fn severity() -> String {
    std::env::var("SEVERITY").unwrap_or_else(|_| "critical".to_owned())
}

/// What the probe says of an app by those controls: none fails, and what departs is declared.
fn holds(done: &common::Run, severity: &str) {
    let found = done.json();
    let of = |result: &str| -> Vec<&Value> {
        found["controls"].as_array().unwrap().iter().filter(|control| control["result"] == result).collect()
    };
    let bad = [of("fail"), of("not-run")].concat();
    assert!(bad.is_empty(), "{}\n{}", serde_json::to_string_pretty(&bad).unwrap(), done.err);
    let departing: Vec<&str> = of("deviation").iter().map(|control| control["id"].as_str().unwrap()).collect();
    assert!(departing.iter().all(|id| probe::DEVIATIONS.contains(id)), "{departing:?}");
    assert!(of("pass").len() >= if severity == "critical" { 26 } else { 90 }, "{}", of("pass").len());
}

/// The user's own cargo, in the same build folder as the check.
fn cargo(dir: &Path, args: &[&str]) {
    let mut command = Command::new("cargo");
    common::must(command.current_dir(dir).args(args).env("CARGO_TARGET_DIR", builds().join("authwright")));
}

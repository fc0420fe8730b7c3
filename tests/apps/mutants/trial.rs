//! One mutant under attack.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsStr,
    fmt, fs,
    path::Path,
    process::{Command, Output},
    sync::Mutex,
    thread,
};

use authwright_probe::catalogue;
use serde_json::Value;

use super::{parted, rendered, weave};
use crate::{
    builds,
    common::mutants::{Answers, Mutant, Weave},
};

/// What its own control made of a mutant.
pub enum Seen {
    /// What turned out not to be so: negative assertions only.
    Noticed(BTreeSet<String>),
    Missed(String),
    /// The app did not work any more, or nobody looked: that shows nothing.
    Broken(String),
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noticed(by) => write!(f, "noticed: {}", by.iter().cloned().collect::<Vec<_>>().join("; ")),
            Self::Missed(result) => write!(f, "not noticed: {result}"),
            Self::Broken(why) => write!(f, "broken: {why}"),
        }
    }
}

/// Mutants of one app. Those in expressions share a build, in which a variable switches one on; with none on, their controls
/// must pass. The others are built one by one.
pub fn tried<'a>(rules: &Weave, answers: &Answers, group: &[&'a Mutant]) -> BTreeMap<&'a str, Seen> {
    let (together, alone) = parted(group);
    let (_project, woven) = rendered(answers);
    weave::weave(rules, &together, &woven);
    let path = &env::var_os("PATH").unwrap_or_default();
    let hindrances = hindrances(&woven, path, group);
    let switched = |mutant: &'a Mutant| seen(&hindrances, mutant, &|| switched_on(rules, &woven, mutant));
    let (quiet, any): (Vec<_>, Vec<_>) = together.into_iter().partition(|mutant| needs_quiet(mutant.control()));
    let mut found = at_a_time(any, &switched);
    found.extend(quiet.into_iter().map(switched));
    let (_project, plain) = rendered(answers);
    found.extend(alone.into_iter().map(|mutant| seen(&hindrances, mutant, &|| built(&plain, path, mutant))));
    found
}

/// Mutants of one app, one after the other, with the programs of `path`.
pub fn edited<'a>(dir: &Path, path: &OsStr, group: &[&'a Mutant]) -> BTreeMap<&'a str, Seen> {
    let hindrances = hindrances(dir, path, group);
    group.iter().map(|mutant| seen(&hindrances, mutant, &|| built(dir, path, mutant))).collect()
}

/// What comes of an attack, unless its control does not pass the app without mutants.
fn seen<'a>(hindrances: &BTreeMap<&str, String>, mutant: &'a Mutant, attacked: &dyn Fn() -> Seen) -> (&'a str, Seen) {
    let hindered = hindrances.get(mutant.control()).map(|why| Seen::Broken(why.clone()));
    let seen = hindered.unwrap_or_else(attacked);
    println!("{}: {seen}", mutant.id);
    (mutant.id.as_str(), seen)
}

/// Whether the control compares times or counts on many requests at one moment: then nothing else runs beside it.
fn needs_quiet(control: &str) -> bool {
    let all = catalogue::all().unwrap();
    let channel = all.iter().find(|one| one.id == control).map(|one| &one.channel);
    channel.is_some_and(|channel| channel.iter().any(|one| one == "time" || one == "race"))
}

/// An attack waits more than it works.
const AT_A_TIME: usize = 3;

fn at_a_time<'a>(
    mutants: Vec<&'a Mutant>,
    attacked: &(dyn Fn(&'a Mutant) -> (&'a str, Seen) + Sync),
) -> BTreeMap<&'a str, Seen> {
    let queue = Mutex::new(mutants.into_iter());
    let found = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(mutant) = { queue.lock().unwrap().next() } {
            let (id, seen) = attacked(mutant);
            found.lock().unwrap().insert(id, seen);
        }
    };
    thread::scope(|scope| (0..AT_A_TIME).for_each(|_| _ = scope.spawn(work)));
    found.into_inner().unwrap()
}

/// Why a control's word would mean nothing: it does not pass the app without mutants.
fn hindrances<'a>(dir: &Path, path: &OsStr, group: &[&'a Mutant]) -> BTreeMap<&'a str, String> {
    let controls: BTreeSet<&str> = group.iter().map(|mutant| mutant.control()).collect();
    let controls: Vec<&str> = controls.into_iter().collect();
    let output = probe(Command::new("timeout").env("PATH", path), dir, &controls.join(","));
    let hindrance = |control: &&'a str| Some((*control, hindrance(&output, control)?));
    controls.iter().filter_map(hindrance).collect()
}

fn hindrance(output: &Output, control: &str) -> Option<String> {
    let why = match said(output, control) {
        Ok(found) if found["result"] == "pass" => return None,
        Ok(found) => format!("{}: {}", found["result"], found["reason"]),
        Err(why) => why,
    };
    Some(format!("the app without mutants does not pass: {why}"))
}

fn switched_on(rules: &Weave, dir: &Path, mutant: &Mutant) -> Seen {
    let mut command = Command::new("timeout");
    command.env(&rules.variable, &mutant.id);
    judged(&probe(&mut command, dir, mutant.control()), mutant.control())
}

fn built(dir: &Path, path: &OsStr, mutant: &Mutant) -> Seen {
    let probe = || probe(Command::new("timeout").env("PATH", path), dir, mutant.control());
    judged(&with(mutant, dir, probe), mutant.control())
}

/// Does something while the mutant is in the app.
fn with<T>(mutant: &Mutant, dir: &Path, work: impl FnOnce() -> T) -> T {
    let files = mutant.edit.iter().map(|edit| dir.join(&edit.file));
    let before: BTreeMap<_, _> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    mutant.apply(dir);
    let done = work();
    for (path, bytes) in before {
        fs::write(path, bytes).unwrap();
    }
    done
}

fn probe(command: &mut Command, dir: &Path, controls: &str) -> Output {
    command.args([
        "--kill-after=20",
        "1200",
        env!("CARGO_BIN_EXE_authwright"),
        "probe",
        "--json",
        "--no-record",
        "--only",
        controls,
    ]);
    command.current_dir(dir).env("CARGO_TARGET_DIR", builds().join("authwright")).output().unwrap()
}

/// What the probe says of one control, or why it says nothing.
fn said(output: &Output, control: &str) -> Result<Value, String> {
    let out: Result<Value, _> = serde_json::from_slice(&output.stdout);
    let controls = out.ok().and_then(|out| out["controls"].as_array().cloned());
    let found = controls.and_then(|all| all.into_iter().find(|one| one["id"] == control));
    found.ok_or_else(|| {
        let words = [&*output.stderr, &*output.stdout].concat();
        let words = String::from_utf8_lossy(&words).into_owned();
        format!(
            "{}: {}",
            output.status,
            words.lines().skip(words.lines().count().saturating_sub(20)).collect::<Vec<_>>().join("\n")
        )
    })
}

fn judged(output: &Output, control: &str) -> Seen {
    let found = match said(output, control) {
        Ok(found) => found,
        Err(why) => return Seen::Broken(why),
    };
    let evidence = found["evidence"].as_array().into_iter().flatten();
    let negative = evidence.filter(|one| one["kind"] == "negative");
    let by: BTreeSet<String> = negative.filter_map(|one| Some(one["what"].as_str()?.to_owned())).collect();
    let result = format!("{}: {}", found["result"], found["reason"]);
    match found["result"].as_str() {
        Some("fail") if !by.is_empty() => Seen::Noticed(by),
        Some("fail" | "not-run") => Seen::Broken(result),
        _ => Seen::Missed(result),
    }
}

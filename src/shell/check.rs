//! Builds and tests the project as the changes would leave it, in a scratch copy.
#![expect(clippy::disallowed_methods, reason = "this is where the caller's environment is looked at")]

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::fs::FlockOperation;

use super::{
    Interrupt,
    confine::{self, Confinement},
    disk::{Disk, Read},
    process::{self, Ended, Environment},
    scratch::{Scratch, cache_folder},
};
use crate::core::{
    pack::CheckStep,
    problem::Problem,
    project::{Change, RelPath, Text},
};

/// What to check, and how.
#[derive(Debug)]
pub struct Job<'a> {
    /// What is copied: the workspace's root.
    pub base: &'a Path,
    /// The app's folder below `base`, where the steps run; empty if it is the same.
    pub app: &'a str,
    /// Relative to the app.
    pub changes: &'a [Change],
    pub steps: &'a [CheckStep],
    /// Files of the package manager, relative to `base`.
    pub derived: &'a [String],
    /// Skip the steps that need the network.
    pub offline: bool,
}

#[derive(Clone, Debug)]
pub struct StepReport {
    pub name: String,
    pub command: String,
    pub result: StepResult,
    pub seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepResult {
    Passed,
    Failed {
        /// `None`: ended by a signal.
        code: Option<i32>,
        /// The last lines, fit for a terminal.
        output: String,
    },
    TimedOut,
    /// Why not.
    NotRun(String),
}

/// A package manager's file before and after its dependencies were fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    pub path: RelPath,
    pub before: Option<Text>,
    pub after: Option<Text>,
}

#[derive(Clone, Debug)]
pub struct Report {
    pub steps: Vec<StepReport>,
    pub derived: Vec<Derived>,
    /// Each a restriction that this system could not put on the steps, and why.
    pub not_enforced: Vec<String>,
    /// The step that fails without the changes too.
    pub baseline_broken: Option<StepReport>,
    /// What of the project is not in the copy although nothing hides it.
    pub left_out: Vec<String>,
}

impl Report {
    /// Whether no step failed. Steps that were not run do not count.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.result, StepResult::Passed | StepResult::NotRun(_)))
    }
}

/// What happens while a check runs.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Another check uses the same build cache.
    Waiting,
    /// `baseline`: without the changes, to see whether the project was broken before.
    StepStarted {
        name: &'a str,
        command: &'a str,
        timeout: Duration,
        baseline: bool,
    },
    StepEnded {
        report: &'a StepReport,
        baseline: bool,
    },
}

/// # Errors
/// A [`Problem`] when a program is missing or the user interrupted; context when the copy cannot be
/// made. A step that fails is no error but in the report.
pub fn run(job: &Job, interrupt: &Interrupt, progress: &mut dyn FnMut(Event)) -> anyhow::Result<Report> {
    let programs = programs(job)?;
    let before = read_derived(job.base, job.derived)?;
    let cache = build_cache(job.base, job.steps)?;
    let _lock = cache.as_deref().map(|cache| lock(cache, interrupt, progress)).transpose()?;
    let can = confine::probe();
    let mut check = Check { job, programs, cache, can, interrupt, progress };

    let scratch = check.copy()?;
    scratch.change(job.app, job.changes)?;
    let (steps, after) = check.steps(&scratch, job.steps, false)?;
    let left_out = scratch.left_out.clone();
    drop(scratch);

    let failed = steps.iter().position(|step| matches!(step.result, StepResult::Failed { .. }));
    let baseline_broken = match failed {
        Some(index) => check.baseline(&job.steps[..=index])?,
        None => None,
    };
    let not_enforced = not_enforced(&check.can, job, &steps);
    let derived = before.into_iter().zip(after).map(|((path, before), after)| Derived { path, before, after });
    Ok(Report { derived: derived.collect(), steps, not_enforced, baseline_broken, left_out })
}

struct Check<'a> {
    job: &'a Job<'a>,
    programs: BTreeMap<&'a str, PathBuf>,
    cache: Option<PathBuf>,
    can: Confinement,
    interrupt: &'a Interrupt,
    progress: &'a mut dyn FnMut(Event),
}

impl Check<'_> {
    fn copy(&self) -> anyhow::Result<Scratch> {
        let scratch = Scratch::copy_of(self.job.base, self.job.derived, self.interrupt)?;
        if self.interrupt.is_set() { Err(interrupted()) } else { Ok(scratch) }
    }

    /// Up to the first failure; and the derived files as fetching the dependencies left them, before
    /// code of the project or of a dependency could change them.
    fn steps(
        &mut self,
        scratch: &Scratch,
        steps: &[CheckStep],
        baseline: bool,
    ) -> anyhow::Result<(Vec<StepReport>, Vec<Option<Text>>)> {
        let mut reports: Vec<StepReport> = Vec::new();
        let last_fetch = steps.iter().rposition(|step| step.network && !self.job.offline);
        let mut derived = None;
        for (index, step) in steps.iter().enumerate() {
            let stopped =
                reports.iter().any(|step| matches!(step.result, StepResult::Failed { .. } | StepResult::TimedOut));
            let report = if stopped {
                not_run(step, "a step before it failed")
            } else if step.network && self.job.offline {
                not_run(step, "it needs the network")
            } else {
                self.step(scratch, step, baseline)?
            };
            reports.push(report);
            if last_fetch == Some(index) {
                derived = Some(read_derived(&scratch.copy(), self.job.derived)?);
            }
        }
        let derived = match derived {
            Some(derived) => derived,
            None => read_derived(&scratch.copy(), self.job.derived)?,
        };
        Ok((reports, derived.into_iter().map(|(_, text)| text).collect()))
    }

    fn step(&mut self, scratch: &Scratch, step: &CheckStep, baseline: bool) -> anyhow::Result<StepReport> {
        let command = step.run.join(" ");
        let timeout = Duration::from_secs(step.timeout_seconds);
        (self.progress)(Event::StepStarted { name: &step.name, command: &command, timeout, baseline });
        let started = Instant::now();
        let ended = process::run(self.command(scratch, step), &scratch.log(), timeout, self.interrupt)?;
        let result = match ended {
            Ended::Interrupted => return Err(interrupted()),
            Ended::Exit(status) if status.success() => StepResult::Passed,
            Ended::Exit(status) => {
                StepResult::Failed { code: status.code(), output: process::tail(&scratch.log(), &scratch.copy())? }
            }
            Ended::TimedOut => StepResult::TimedOut,
            Ended::TooMuchOutput => {
                StepResult::Failed { code: None, output: "it was stopped: it wrote too much output".to_owned() }
            }
        };
        let report = StepReport { name: step.name.clone(), command, result, seconds: started.elapsed().as_secs_f64() };
        (self.progress)(Event::StepEnded { report: &report, baseline });
        Ok(report)
    }

    fn command(&self, scratch: &Scratch, step: &CheckStep) -> std::process::Command {
        let program = step.run.first().map(String::as_str).unwrap_or_default();
        let found = self.programs.get(program).map_or(OsStr::new(program), |path| path.as_os_str());
        // Not the whole scratch folder: what is beside the copy is read and written by the tool itself.
        let mut writes = vec![scratch.copy(), scratch.tmp()];
        writes.extend(self.cache.clone());
        if step.network {
            writes.extend(package_cache());
        }
        let mut command = confine::command(&self.can, &writes, !step.network, found);
        command.args(step.run.iter().skip(1)).current_dir(scratch.copy().join(self.job.app));
        command.env_clear().envs(self.environment(scratch, step.network));
        command
    }

    fn environment(&self, scratch: &Scratch, network: bool) -> Environment {
        let mut environment = process::environment(std::env::vars_os(), network);
        let mut set = |name: &str, value: &OsStr| environment.insert(name.into(), value.into());
        for name in ["TMPDIR", "TMP", "TEMP"] {
            set(name, scratch.tmp().as_os_str());
        }
        set("CARGO_TERM_COLOR", OsStr::new("never"));
        if let Some(cache) = &self.cache {
            set("CARGO_TARGET_DIR", cache.as_os_str());
        }
        if !network {
            set("CARGO_NET_OFFLINE", OsStr::new("true"));
        }
        environment
    }

    /// The step that fails in a copy without the changes.
    fn baseline(&mut self, steps: &[CheckStep]) -> anyhow::Result<Option<StepReport>> {
        let scratch = self.copy()?;
        let (reports, _) = self.steps(&scratch, steps, true)?;
        Ok(reports.into_iter().find(|step| matches!(step.result, StepResult::Failed { .. } | StepResult::TimedOut)))
    }
}

fn not_run(step: &CheckStep, why: &str) -> StepReport {
    StepReport {
        name: step.name.clone(),
        command: step.run.join(" "),
        result: StepResult::NotRun(why.to_owned()),
        seconds: 0.0,
    }
}

fn interrupted() -> anyhow::Error {
    Problem::interrupted("the check was interrupted: nothing was applied", "run the command again").into()
}

/// Every program of the steps that will run. A missing one is found before the copy is made.
fn programs<'a>(job: &Job<'a>) -> anyhow::Result<BTreeMap<&'a str, PathBuf>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = BTreeMap::new();
    for step in job.steps.iter().filter(|step| !(step.network && job.offline)) {
        let name = step.run.first().with_context(|| format!("the check step `{}` has no command", step.name))?;
        let program = process::find(name, &path).ok_or_else(|| {
            Problem::problem(
                format!("the check needs `{name}`, which was not found"),
                format!("install `{name}` and put it on the PATH, or skip the check with `--no-check`"),
            )
        })?;
        found.insert(name.as_str(), program);
    }
    Ok(found)
}

fn read_derived(root: &Path, names: &[String]) -> anyhow::Result<Vec<(RelPath, Option<Text>)>> {
    // Not simply read: in the copy, a step may have put a symlink to anywhere in the file's place.
    let disk = Disk::open(root)?;
    let read = |name: &String| {
        let path = RelPath::new(name)?;
        let text = match disk.read(&path)? {
            Read::Text(text) => Some(text),
            Read::Missing | Read::NotText => None,
        };
        Ok((path, text))
    };
    names.iter().map(read).collect()
}

/// Where cargo builds. Never the folder in which the user's own builds end up: cargo takes two copies of
/// a workspace for the same and decides by modification times, so that a later build of the user's would
/// find the copy's result "fresh", or the check the user's.
fn build_cache(base: &Path, steps: &[CheckStep]) -> anyhow::Result<Option<PathBuf>> {
    if !steps.iter().any(|step| step.run.first().is_some_and(|program| program == "cargo")) {
        return Ok(None);
    }
    let chosen = std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
    let beside = base.join("target");
    let folder = match chosen {
        Some(folder) => base.join(folder).join("authwright"),
        None if beside.is_dir() => beside.join("authwright"),
        None => cache_folder().unwrap_or_else(|| beside.join("authwright")).join("target"),
    };
    let unusable = || format!("cannot use the build folder `{}`", folder.display());
    fs::create_dir_all(&folder).with_context(unusable)?;
    Ok(Some(folder.canonicalize().with_context(unusable)?))
}

/// One check at a time in a build folder, for the same reason; and the copy is made under the lock, so
/// that its files are newer than all that was built before.
fn lock(cache: &Path, interrupt: &Interrupt, progress: &mut dyn FnMut(Event)) -> anyhow::Result<fs::File> {
    let unlocked = || format!("cannot lock the build folder `{}`", cache.display());
    let folder = fs::File::open(cache).with_context(unlocked)?;
    let mut told = false;
    loop {
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            locked => return locked.map(|()| folder).with_context(unlocked),
        }
        if interrupt.is_set() {
            return Err(interrupted());
        }
        if !told {
            progress(Event::Waiting);
            told = true;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// What fetching writes in cargo's home: the downloads, but neither programs nor settings.
fn package_cache() -> Vec<PathBuf> {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let Some(cargo) = home("CARGO_HOME").or_else(|| home("HOME").map(|home| home.join(".cargo"))) else {
        return Vec::new();
    };
    let folders = ["registry", "git"].map(|name| cargo.join(name));
    // Landlock can only allow what is there. Cargo would create these.
    _ = fs::File::options().append(true).create(true).open(cargo.join(".package-cache"));
    let folders = folders.into_iter().filter(|folder| fs::create_dir_all(folder).is_ok());
    let files = [".package-cache", ".package-cache-mutate", ".global-cache"].map(|name| cargo.join(name));
    folders.chain(files.into_iter().filter(|file| file.is_file())).collect()
}

fn not_enforced(can: &Confinement, job: &Job, steps: &[StepReport]) -> Vec<String> {
    let ran = |report: &StepReport| !matches!(report.result, StepResult::NotRun(_));
    let mut told = Vec::new();
    if let Err(why) = &can.network
        && steps.iter().zip(job.steps).any(|(report, step)| ran(report) && !step.network)
    {
        told.push(format!("not enforced: no network for build and tests ({why})"));
    }
    if let Err(why) = &can.writes
        && steps.iter().any(ran)
    {
        told.push(format!("not enforced: no writes outside the scratch copy ({why})"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, run: &[&str]) -> CheckStep {
        let run = run.iter().map(|&word| word.to_owned()).collect();
        CheckStep { name: name.to_owned(), run, network: false, timeout_seconds: 120 }
    }

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn change(name: &str, before: Option<&str>, after: Option<&str>) -> Change {
        Change { path: RelPath::new(name).unwrap(), before: before.map(Text::new), after: after.map(Text::new) }
    }

    /// Runs `steps`, notes the events, and looks that no scratch folder was left.
    fn check(base: &Path, app: &str, changes: &[Change], steps: &[CheckStep]) -> (Report, Vec<String>) {
        let derived = ["Cargo.lock".to_owned()];
        let job = Job { base, app, changes, steps, derived: &derived, offline: false };
        let mut events = Vec::new();
        let report = run(&job, &Interrupt::default(), &mut |event| match event {
            Event::Waiting => {}
            Event::StepStarted { name, baseline, .. } => events.push(format!("{name} {baseline}")),
            Event::StepEnded { report, .. } => assert!(report.seconds > 0.0),
        });
        (report.unwrap(), events)
    }

    fn output(report: &StepReport) -> &str {
        match &report.result {
            StepResult::Failed { output, .. } => output,
            other => panic!("{other:?}"),
        }
    }

    const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    const GOOD: &str = "fn main() {}\n#[test]\nfn adds() { assert_eq!(1 + 1, 2); }\n";

    fn cargo_steps() -> Vec<CheckStep> {
        let mut fetch = step("fetch", &["cargo", "fetch"]);
        fetch.network = true;
        vec![fetch, step("build", &["cargo", "build", "--locked"]), step("test", &["cargo", "test", "--locked"])]
    }

    #[test]
    fn a_project_that_builds_passes_and_is_not_touched() {
        let base = project(&[("app/Cargo.toml", MANIFEST), ("app/src/main.rs", GOOD)]);
        let changes = [
            change("src/main.rs", Some(GOOD), Some(&format!("mod auth;\n{GOOD}"))),
            change("src/auth/mod.rs", None, Some("#[test]\nfn fine() {}\n")),
        ];
        let app = base.path().join("app");
        let (report, events) = check(&app, "", &changes, &cargo_steps());
        assert!(report.passed() && report.steps.len() == 3, "{report:#?}");
        assert_eq!(events, ["fetch false", "build false", "test false"]);
        assert_eq!(report.not_enforced, [] as [&str; 0]);
        let lock = &report.derived[0];
        assert!(lock.before.is_none() && lock.after.as_ref().unwrap().raw().contains("name = \"tiny\""), "{lock:?}");
        let mut names: Vec<_> = fs::read_dir(&app).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["Cargo.toml", "src"]);
        assert_eq!(fs::read_to_string(app.join("src/main.rs")).unwrap(), GOOD);
    }

    #[test]
    #[ignore = "needs the network"]
    fn dependencies_are_fetched_with_writes_confined() {
        let manifest = format!("{MANIFEST}[dependencies]\nitoa = \"1\"\n");
        let base = project(&[("Cargo.toml", &manifest), ("src/main.rs", GOOD)]);
        let (report, _) = check(base.path(), "", &[], &cargo_steps());
        assert!(report.passed() && report.not_enforced.is_empty(), "{report:#?}");
        assert!(report.derived[0].after.as_ref().unwrap().raw().contains("name = \"itoa\""));
    }

    #[test]
    fn a_change_that_breaks_is_told_from_a_project_that_was_broken() {
        let broken = "fn main() { missing(); }\n";
        let base = project(&[("Cargo.toml", MANIFEST), ("src/main.rs", GOOD)]);
        let (report, events) =
            check(base.path(), "", &[change("src/main.rs", Some(GOOD), Some(broken))], &cargo_steps());
        assert!(!report.passed());
        assert!(output(&report.steps[1]).contains("cannot find function `missing`"), "{report:#?}");
        assert!(output(&report.steps[1]).contains("src/main.rs:1") && !output(&report.steps[1]).contains("scratch-"));
        assert_eq!(report.steps[2].result, StepResult::NotRun("a step before it failed".to_owned()));
        assert!(report.baseline_broken.is_none());
        assert_eq!(events, ["fetch false", "build false", "fetch true", "build true"]);

        let base = project(&[("Cargo.toml", MANIFEST), ("src/main.rs", broken)]);
        let (report, _) = check(base.path(), "", &[change("README", None, Some("r"))], &cargo_steps());
        assert_eq!(report.baseline_broken.unwrap().name, "build");
    }

    #[test]
    fn the_steps_see_the_app_with_its_changes() {
        let base = project(&[("app/a", "1"), ("b", "2")]);
        let look =
            "import os; assert open('a').read() == '3' and open('../b').read() == '2' and not os.path.exists('c')";
        let steps = [step("look", &["python3", "-c", look])];
        let changes = [change("a", Some("1"), Some("3")), change("c", Some("4"), None)];
        assert!(check(base.path(), "app", &changes, &steps).0.passed());
    }

    #[test]
    fn a_step_that_takes_too_long_is_stopped() {
        let base = project(&[]);
        let mut slow = step("slow", &["sleep", "60"]);
        slow.timeout_seconds = 1;
        let (report, events) = check(base.path(), "", &[], &[step("true", &["true"]), slow, step("last", &["true"])]);
        assert_eq!(report.steps[0].result, StepResult::Passed);
        assert_eq!(report.steps[1].result, StepResult::TimedOut);
        assert!(matches!(report.steps[2].result, StepResult::NotRun(_)) && !report.passed());
        assert_eq!(events, ["true false", "slow false"]);
    }

    #[test]
    fn a_step_cannot_see_secrets_write_elsewhere_or_reach_out() {
        let outside = tempfile::tempdir().unwrap();
        let base = project(&[]);
        let attacks = [
            // Cargo sets this for the test itself, so it stands for any variable that is not needed.
            "import os; print(os.environ['CARGO_MANIFEST_DIR'])".to_owned(),
            format!("open({:?}, 'w')", outside.path().join("x")),
            format!("open({:?}, 'w')", base.path().join("x")),
            "open('../output.log', 'w')".to_owned(),
            "import socket; socket.create_connection(('192.0.2.1', 80), 5)".to_owned(),
        ];
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        for (attack, told) in attacks.iter().zip(["KeyError", "Permission", "Permission", "Permission", "unreachable"])
        {
            let (report, _) = check(base.path(), "", &[], &[step("attack", &["python3", "-c", attack])]);
            assert!(output(&report.steps[0]).contains(told), "{attack}: {report:#?}");
        }
        let fine = "import os, tempfile; tempfile.mkstemp(); open('x', 'w')";
        let steps = [step("fine", &["python3", "-c", fine])];
        let job =
            Job { base: base.path(), app: "", changes: &[], steps: &steps, derived: &[], offline: true };
        assert!(run(&job, &Interrupt::default(), &mut |_| {}).unwrap().passed());
    }

    #[test]
    fn a_planted_link_does_not_leak_a_file() {
        let base = project(&[("Cargo.lock", "old")]);
        let plant = "import os; os.unlink('Cargo.lock'); os.symlink('/etc/passwd', 'Cargo.lock')";
        let derived = ["Cargo.lock".to_owned()];
        let steps = [step("plant", &["python3", "-c", plant])];
        let job = Job {
            base: base.path(),
            app: "",
            changes: &[],
            steps: &steps,
            derived: &derived,
            offline: false,
        };
        let error = run(&job, &Interrupt::default(), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("leads out of the project"), "{error:#}");
    }

    #[test]
    fn offline_skips_what_needs_the_network() {
        let base = project(&[]);
        let mut fetch = step("fetch", &["no-such-program"]);
        fetch.network = true;
        let steps = [fetch, step("build", &["true"])];
        let mut job =
            Job { base: base.path(), app: "", changes: &[], steps: &steps, derived: &[], offline: true };
        let report = run(&job, &Interrupt::default(), &mut |_| {}).unwrap();
        assert_eq!(report.steps[0].result, StepResult::NotRun("it needs the network".to_owned()));
        assert_eq!(report.steps[1].result, StepResult::Passed);
        job.offline = false;
        let error = run(&job, &Interrupt::default(), &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "the check needs `no-such-program`, which was not found");
    }

    #[test]
    fn the_copy_is_gone_when_the_check_ends() {
        let base = project(&[]);
        // Backwards, because the place of the copy is hidden from the output.
        let code = "import os; print(os.getcwd()[::-1]); raise SystemExit(3)";
        let (report, _) = check(base.path(), "", &[], &[step("fail", &["python3", "-c", code])]);
        let copy: String = output(&report.steps[0]).chars().rev().collect();
        assert!(copy.contains("/scratch-") && !Path::new(&copy).exists(), "{copy}");
        assert!(matches!(
            report.baseline_broken,
            Some(StepReport { result: StepResult::Failed { code: Some(3), .. }, .. })
        ));
    }

    #[test]
    fn an_interrupt_leaves_nothing_behind() {
        let base = project(&[]);
        let steps = [step("slow", &["sleep", "60"])];
        let job =
            Job { base: base.path(), app: "", changes: &[], steps: &steps, derived: &[], offline: true };
        let interrupt = Interrupt::default();
        let error = run(&job, &interrupt, &mut |_| interrupt.set()).unwrap_err();
        assert_eq!(error.downcast_ref::<Problem>().unwrap().exit_code(), 130);
    }
}

//! Builds and tests the project as the changes would leave it, in a scratch copy.
#![expect(clippy::disallowed_methods, reason = "this is where the caller's environment is looked at")]

use std::{
    collections::{BTreeMap, BTreeSet},
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
    confine::{self, Confinement, Limits},
    disk::{Disk, Read},
    home, needs,
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
    /// Each a restriction that was not put on the steps, and why.
    pub not_enforced: Vec<String>,
    /// The step that fails without the changes too.
    pub baseline_broken: Option<StepReport>,
    /// What of the project is not in the copy although nothing hides it.
    pub left_out: Vec<String>,
}

impl Report {
    /// Whether no step failed. Steps that were not run do not count.
    #[cfg(test)]
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.result, StepResult::Passed | StepResult::NotRun(_)))
    }
}

/// What happens while a check runs.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Another check uses the same build cache.
    Waiting,
    /// A restriction that is not put on the steps, and why.
    Limit(&'a str),
    /// What a step needs is missing.
    NotRun {
        name: &'a str,
        why: &'a str,
    },
    /// `baseline`: without the changes, to see whether the project was broken before.
    StepStarted {
        name: &'a str,
        command: &'a str,
        baseline: bool,
    },
    StepEnded {
        report: &'a StepReport,
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
    let not_enforced = not_enforced(&can, job);
    // Before anything of the project runs, so that the user can still stop it.
    for limit in &not_enforced {
        progress(Event::Limit(limit));
    }
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
            } else if let Some(why) = self.unmet(step) {
                (self.progress)(Event::NotRun { name: &step.name, why: &why });
                not_run(step, &why)
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

    fn unmet(&self, step: &CheckStep) -> Option<String> {
        let needs = step.needs.as_ref().filter(|needs| needs.or.as_deref().is_none_or(|name| !is_set(name)))?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        needs::unmet(needs, &path, rustix::process::getuid().is_root() && self.can.network.is_err())
    }

    fn step(&mut self, scratch: &Scratch, step: &CheckStep, baseline: bool) -> anyhow::Result<StepReport> {
        let command = step.command();
        let timeout = Duration::from_secs(step.timeout_seconds);
        (self.progress)(Event::StepStarted { name: &step.name, command: &command, baseline });
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
        (self.progress)(Event::StepEnded { report: &report });
        Ok(report)
    }

    fn command(&self, scratch: &Scratch, step: &CheckStep) -> std::process::Command {
        let program = step.run.first().map(String::as_str).unwrap_or_default();
        let found = self.programs.get(program).map_or(OsStr::new(program), |path| path.as_os_str());
        // Not the whole scratch folder: what is beside the copy is read and written by the tool itself.
        let mut writes = vec![scratch.copy(), scratch.tmp()];
        writes.extend(self.cache.clone());
        if step.network {
            writes.extend(package_cache(program));
        }
        let environment = self.environment(scratch, step.network);
        // Fetching needs what registries know the user by; it runs no code of the project.
        let reads = if step.network { None } else { home::readable(&environment, found) };
        let limits = Limits {
            writes,
            reads: reads.unwrap_or_default(),
            no_network: !step.network && passed(step).is_empty(),
            apart: !step.network,
            ..Limits::default()
        };
        let mut command = confine::command(&self.can, &limits, found);
        let at = scratch.copy().join(self.job.app);
        command.args(step.run.iter().skip(1).map(|word| nearest(&scratch.copy(), &at, word))).current_dir(at);
        command.env_clear().envs(environment).envs(&step.env);
        command.envs(passed(step).into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
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
            // Git stops at settings that are there and that it may not read.
            set("GIT_CONFIG_GLOBAL", OsStr::new("/dev/null"));
        }
        environment
    }

    /// The step that fails in a copy without the changes.
    fn baseline(&mut self, steps: &[CheckStep]) -> anyhow::Result<Option<StepReport>> {
        let scratch = self.copy()?;
        let steps: Vec<CheckStep> = steps.iter().filter(|step| !step.generated).cloned().collect();
        let (reports, _) = self.steps(&scratch, &steps, true)?;
        Ok(reports.into_iter().find(|step| matches!(step.result, StepResult::Failed { .. } | StepResult::TimedOut)))
    }
}

/// The nearest folder, from the app's up to the base, that has what a word names: package managers put libraries of a
/// workspace into its root.
fn nearest(base: &Path, app: &Path, word: &str) -> PathBuf {
    let Some(path) = word.strip_prefix(CheckStep::NEAREST) else { return word.into() };
    let folders = app.ancestors().take_while(|folder| folder.starts_with(base));
    folders.map(|folder| folder.join(path)).find(|there| there.exists()).unwrap_or_else(|| path.into())
}

/// The variables that a step is given of the caller's.
fn passed(step: &CheckStep) -> Vec<&str> {
    step.pass.iter().map(String::as_str).filter(|name| is_set(name)).collect()
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn not_run(step: &CheckStep, why: &str) -> StepReport {
    StepReport {
        name: step.name.clone(),
        command: step.command(),
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

/// What fetching writes in the home of a package manager: the downloads, but neither programs nor settings.
fn package_cache(program: &str) -> Vec<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = |below: &str| folder("HOME").map(|home| home.join(below));
    let cache = |name: &str| {
        let all = folder("XDG_CACHE_HOME").or_else(|| home(".cache"));
        all.map(|all| all.join(name))
    };
    // Those of pnpm and yarn may be brought by Corepack.
    let caches = match program {
        "cargo" => {
            let cargo = folder("CARGO_HOME").or_else(|| home(".cargo"));
            return cargo.map_or_else(Vec::new, |cargo| cargo_cache(&cargo));
        }
        "npm" => {
            let chosen = folder("npm_config_cache").or_else(|| folder("NPM_CONFIG_CACHE"));
            vec![chosen.or_else(|| home(".npm"))]
        }
        "pnpm" => vec![home(".local/share/pnpm"), cache("pnpm"), cache("node/corepack"), locks_of_pnpm()],
        "yarn" => vec![home(".yarn/berry"), cache("yarn"), cache("node/corepack")],
        "bun" => vec![home(".bun/install/cache")],
        "uv" => vec![folder("UV_CACHE_DIR").or_else(|| cache("uv"))],
        _ => vec![],
    };
    // Landlock can only allow what is there.
    caches.into_iter().flatten().filter(|folder| fs::create_dir_all(folder).is_ok()).collect()
}

/// Where pnpm locks its stores, whatever `TMPDIR` says. Another user may have been there first: then it is not ours to allow.
fn locks_of_pnpm() -> Option<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    let user = rustix::process::getuid().as_raw();
    let folder = PathBuf::from(format!("/tmp/pnpm-store-operation-locks-{user}"));
    _ = fs::DirBuilder::new().mode(0o700).create(&folder);
    let there = fs::symlink_metadata(&folder).ok()?;
    (there.is_dir() && there.uid() == user).then_some(folder)
}

fn cargo_cache(cargo: &Path) -> Vec<PathBuf> {
    let folders = ["registry", "git"].map(|name| cargo.join(name));
    // Landlock can only allow what is there. Cargo would create these.
    _ = fs::File::options().append(true).create(true).open(cargo.join(".package-cache"));
    let folders = folders.into_iter().filter(|folder| fs::create_dir_all(folder).is_ok());
    let files = [".package-cache", ".package-cache-mutate", ".global-cache"].map(|name| cargo.join(name));
    folders.chain(files.into_iter().filter(|file| file.is_file())).collect()
}

fn not_enforced(can: &Confinement, job: &Job) -> Vec<String> {
    let mut told = Vec::new();
    let builds = job.steps.iter().any(|step| !step.network);
    let mut tell = |what: &str, can: &Result<(), String>, applies: bool| {
        told.extend(can.as_ref().err().filter(|_| applies).map(|why| format!("not enforced: {what} ({why})")));
    };
    tell("no network for build and tests", &can.network, builds);
    tell("no writes outside the scratch copy", &can.files, builds || !job.offline);
    let home = home::folder(&process::environment(std::env::vars_os(), false));
    let home = home.ok_or_else(|| "there is no home folder of its own".to_owned()).map(drop);
    tell("no reading of the home folder in build and tests", &can.files.clone().and(home), builds);
    let apart = can.apart.clone().and(can.network.clone());
    tell("no processes left behind and no local sockets in build and tests", &apart, builds);
    let passed: BTreeSet<&str> = job.steps.iter().filter(|step| !step.network).flat_map(passed).collect();
    told.extend(
        passed.into_iter().map(|name| format!("not enforced: network and local sockets, because {name} is set")),
    );
    told
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod escapes;
#[cfg(test)]
mod tests;

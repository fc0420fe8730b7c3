//! What a check's command may touch: on Linux, no network, no writes outside given folders, no reading of the user's home,
//! no process or local socket but its own, nothing as root.
//!
//! A process can only give up its own rights, and may do it between fork and exec only with unsafe
//! code. So the tool starts itself as `authwright __confined …`, which gives up its rights and then
//! becomes the command; or, where processes can be kept apart, starts the command as a child that ends with it.
//!
//! Not covered: memory beyond what the machine has, though a command is the first to be ended when that runs out.
#![expect(clippy::disallowed_methods, reason = "this starts the tool itself again")]

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context as _;

/// The hidden subcommand that `main` hands to [`confined`].
pub const COMMAND: &str = "__confined";

/// What can be enforced here; an error says why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    pub network: Result<(), String>,
    pub files: Result<(), String>,
    /// Processes and sockets with a path are the command's own, and end with it.
    pub apart: Result<(), String>,
}

/// What a command may touch.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Everywhere, if empty.
    pub writes: Vec<PathBuf>,
    /// What of the disk may be read beside these; everything, if empty.
    pub reads: Vec<PathBuf>,
    pub no_network: bool,
    pub apart: bool,
    /// Sockets that a process kept apart must not see.
    pub covers: Vec<PathBuf>,
}

impl Limits {
    fn arguments(&self) -> Vec<OsString> {
        let paths = |flag: &'static str, paths: &[PathBuf]| {
            paths.iter().flat_map(|path| [flag.into(), path.into()]).collect::<Vec<OsString>>()
        };
        let mut all =
            [paths("--write", &self.writes), paths("--read", &self.reads), paths("--cover", &self.covers)].concat();
        all.extend(self.no_network.then(|| "--no-network".into()));
        all.extend(self.apart.then(|| "--apart".into()));
        all
    }
}

/// Finds out by confining a process that does nothing.
#[must_use]
pub fn probe() -> Confinement {
    Confinement {
        network: try_out(&["--no-network"]),
        files: try_out(&["--write", "/dev/null"]),
        apart: try_out(&["--apart", "--write", "/dev/null"]),
    }
}

fn try_out(flags: &[&str]) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("confinement works on Linux only".to_owned());
    }
    let output = itself().args(flags).arg("--probe").stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            Err(told.lines().next().unwrap_or("the confined process failed").trim_start_matches("error: ").to_owned())
        }
        Err(error) => Err(format!("cannot start authwright again: {error}")),
    }
}

/// The command that runs `program` with as much of the confinement as can be had.
pub(super) fn command(can: &Confinement, limits: &Limits, program: &OsStr) -> Command {
    if !cfg!(target_os = "linux") {
        return Command::new(program);
    }
    let mut had = limits.clone();
    if can.files.is_err() {
        (had.writes, had.reads) = (vec![], vec![]);
    }
    had.no_network &= can.network.is_ok();
    had.apart &= can.apart.is_ok();
    let mut command = itself();
    command.args(had.arguments()).arg("--").arg(program);
    command
}

#[cfg(not(test))]
fn itself() -> Command {
    // Also right when the file was replaced by an update meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.arg(COMMAND);
    command
}

/// A unit test is not the tool, so it starts the one that cargo built beside it. (The test program
/// cannot stand in: its threads keep it from making a user namespace.)
#[cfg(test)]
fn itself() -> Command {
    let test = std::env::current_exe().unwrap();
    let tool = test.ancestors().nth(2).unwrap().join(env!("CARGO_PKG_NAME"));
    assert!(tool.exists(), "`{}` is not there: run `cargo build` first", tool.display());
    let mut command = Command::new(tool);
    command.arg(COMMAND);
    command
}

/// The hidden subcommand, given what follows its name: limits as flags and then `--probe` or `-- PROGRAM ARG…`. Call it
/// before any thread is started.
///
/// # Errors
/// When the program cannot be started, or rights cannot be given up.
pub fn confined(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<u8> {
    let mut args = args.into_iter();
    let (mut limits, mut inside) = (Limits::default(), false);
    while let Some(arg) = args.next() {
        let mut path = || args.next().map(PathBuf::from).context("this flag needs a path");
        match arg.to_str() {
            Some("--write") => limits.writes.push(path()?),
            Some("--read") => limits.reads.push(path()?),
            Some("--cover") => limits.covers.push(path()?),
            Some("--no-network") => limits.no_network = true,
            Some("--apart") => limits.apart = true,
            Some(INSIDE) => inside = true,
            Some("--probe") => return run_confined(limits, inside, None),
            Some("--") => {
                let program = args.next().context("there is no program to run")?;
                return run_confined(limits, inside, Some((program, args.collect())));
            }
            _ => anyhow::bail!("`{COMMAND}` is for authwright's own use"),
        }
    }
    anyhow::bail!("there is no program to run")
}

/// For the process that is first among those kept apart.
const INSIDE: &str = "--inside";

type Program = (OsString, Vec<OsString>);

/// Gives up rights and becomes the program, or waits for it; without one, only tries.
fn run_confined(limits: Limits, inside: bool, program: Option<Program>) -> anyhow::Result<u8> {
    if inside {
        return first_inside(&limits, program);
    }
    if program.is_some() {
        leave_terminal()?;
    }
    give_up_rights(limits, program)
}

#[cfg(target_os = "linux")]
fn give_up_rights(limits: Limits, program: Option<Program>) -> anyhow::Result<u8> {
    first_to_be_ended();
    if limits.apart {
        return apart::outside(limits, program);
    }
    if limits.no_network {
        namespaces::leave(true, false)?;
    }
    files::confine(&limits.writes, &limits.reads)?;
    die_with_parent()?;
    program.map_or(Ok(0), |(program, args)| Err(become_program(&program, &args)))
}

#[cfg(target_os = "linux")]
fn first_inside(limits: &Limits, program: Option<Program>) -> anyhow::Result<u8> {
    apart::inside(limits, program)
}

#[cfg(not(target_os = "linux"))]
fn give_up_rights(_: Limits, program: Option<Program>) -> anyhow::Result<u8> {
    let (program, args) = program.context("confinement works on Linux only")?;
    Err(become_program(&program, &args))
}

#[cfg(not(target_os = "linux"))]
fn first_inside(_: &Limits, _: Option<Program>) -> anyhow::Result<u8> {
    anyhow::bail!("confinement works on Linux only")
}

/// If the tool itself is killed, the command must not go on alone. Last, because the kernel forgets this when rights
/// change.
#[cfg(target_os = "linux")]
fn die_with_parent() -> anyhow::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .context("cannot bind the command to the tool's life")
}

/// When memory runs out, the kernel ends what eats it here before the user's other programs. More than that needs rights
/// that users do not have.
#[cfg(target_os = "linux")]
fn first_to_be_ended() {
    _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

#[cfg(unix)]
fn become_program(program: &OsStr, args: &[OsString]) -> anyhow::Error {
    use std::os::unix::process::CommandExt as _;
    let error = Command::new(program).args(args).exec();
    anyhow::Error::new(error).context(format!("cannot start `{}`", Path::new(program).display()))
}

#[cfg(not(unix))]
fn become_program(program: &OsStr, _: &[OsString]) -> anyhow::Error {
    anyhow::anyhow!("cannot start `{}`: only on Unix", Path::new(program).display())
}

#[cfg(not(target_os = "linux"))]
fn leave_terminal() -> anyhow::Result<()> {
    Ok(())
}

/// A session of its own, with the same process group: whoever has the terminal can type into it, and the user's shell
/// would run what was typed.
#[cfg(target_os = "linux")]
fn leave_terminal() -> anyhow::Result<()> {
    use rustix::process::{getpgid, getppid, setpgid, setsid};
    // The first process of a group cannot start a session, so it joins the tool's group for a moment.
    if let Some(group) = getppid().and_then(|parent| getpgid(Some(parent)).ok()) {
        _ = setpgid(None, Some(group));
    }
    setsid().context("cannot leave the terminal").map(drop)
}

#[cfg(target_os = "linux")]
mod apart;
#[cfg(target_os = "linux")]
pub(super) mod files;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

//! What a check's command may touch: on Linux, no network, no writes outside given folders, nothing as root.
//!
//! A process can only give up its own rights, and may do it between fork and exec only with unsafe
//! code. So the tool starts itself as `authwright __confined …`, which gives up its rights and then
//! becomes the command.
//!
//! Not covered: reading files, and talking to a local socket that has a path (such as Docker's or the
//! resolver's), which the kernel lets Landlock refuse only from ABI 9 on.
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
    pub writes: Result<(), String>,
}

/// Finds out by confining a process that does nothing.
#[must_use]
pub fn probe() -> Confinement {
    Confinement { network: try_out(&["--no-network"]), writes: try_out(&["--write", "/dev/null"]) }
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
pub(super) fn command(can: &Confinement, writes: &[PathBuf], no_network: bool, program: &OsStr) -> Command {
    if !cfg!(target_os = "linux") {
        return Command::new(program);
    }
    let mut command = itself();
    if can.writes.is_ok() {
        for folder in writes {
            command.arg("--write").arg(folder);
        }
    }
    if no_network && can.network.is_ok() {
        command.arg("--no-network");
    }
    command.arg("--").arg(program);
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

/// The hidden subcommand, given what follows its name: `[--write PATH]… [--no-network]` and then
/// `--probe` or `-- PROGRAM ARG…`. Call it before any thread is started.
///
/// # Errors
/// Always with a program, because success never returns; with `--probe`, what cannot be enforced.
pub fn confined(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<()> {
    let mut args = args.into_iter();
    let (mut writes, mut no_network) = (Vec::new(), false);
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--write") => writes.push(args.next().context("`--write` needs a path")?.into()),
            Some("--no-network") => no_network = true,
            Some("--probe") => return give_up_rights(&writes, no_network),
            Some("--") => {
                let program = args.next().context("there is no program to run")?;
                let rest: Vec<_> = args.collect();
                return Err(run_confined(&writes, no_network, &program, &rest));
            }
            _ => anyhow::bail!("`{COMMAND}` is for authwright's own use"),
        }
    }
    anyhow::bail!("there is no program to run")
}

/// Gives up rights and becomes `program`; returns only if that fails. Writes stay free when `writes`
/// is empty.
pub fn run_confined(writes: &[PathBuf], no_network: bool, program: &OsStr, args: &[OsString]) -> anyhow::Error {
    if let Err(error) = leave_terminal().and_then(|()| give_up_rights(writes, no_network)) {
        return error;
    }
    become_program(program, args)
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
fn give_up_rights(_: &[PathBuf], _: bool) -> anyhow::Result<()> {
    anyhow::bail!("confinement works on Linux only")
}

#[cfg(target_os = "linux")]
fn give_up_rights(writes: &[PathBuf], no_network: bool) -> anyhow::Result<()> {
    if no_network {
        leave_network()?;
    }
    if !writes.is_empty() {
        confine_writes(writes)?;
    }
    // If the tool itself is killed, the command must not go on alone. Last, because the kernel forgets
    // this when rights change.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .context("cannot bind the command to the tool's life")
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

/// What root is called inside: `nobody` on common systems, since some programs look their user up.
#[cfg(target_os = "linux")]
const NOT_ROOT: u32 = 65534;

/// The user stays the same, but root is not root inside: database servers and others refuse to run as root, and what
/// root may do beyond its own files ends here.
#[cfg(target_os = "linux")]
fn leave_network() -> anyhow::Result<()> {
    use nix::sched::CloneFlags;
    let user = rustix::process::getuid().as_raw();
    let group = rustix::process::getgid().as_raw();
    let inside = |id: u32| if user == 0 { NOT_ROOT } else { id };
    // Shared memory too: a server that is killed would leave its own behind.
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC)
        .context("this system does not allow a user and network namespace")?;
    // The kernel takes a group map from an ordinary user only after this.
    write_proc("setgroups", "deny")?;
    write_proc("uid_map", &format!("{} {user} 1", inside(user)))?;
    write_proc("gid_map", &format!("{} {group} 1", inside(group)))?;
    loopback_up().context("cannot switch on the loopback device in a network namespace")
}

#[cfg(target_os = "linux")]
fn write_proc(name: &str, text: &str) -> anyhow::Result<()> {
    let path = Path::new("/proc/self").join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// `ip link set lo up`, as one netlink message.
#[cfg(target_os = "linux")]
fn loopback_up() -> anyhow::Result<()> {
    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto, socket_with,
    };
    const LENGTH: u32 = 32;
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 5;
    const LOOPBACK: u32 = 1;
    const UP: u32 = 1;
    let mut message = Vec::new();
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACK.to_ne_bytes());
    // Sequence, port; then family, padding and type, all zero.
    message.extend([0; 12]);
    // Device, flags, which flags to change.
    message.extend([LOOPBACK, UP, UP].into_iter().flat_map(u32::to_ne_bytes));
    // Protocol 0 of netlink is routing and devices.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sendto(&socket, &message, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0))?;
    let mut reply = [0_u8; 64];
    recv(&socket, &mut reply, RecvFlags::empty())?;
    // A header of 16 bytes, then the error number, zero or negative.
    let error = i32::from_ne_bytes([reply[16], reply[17], reply[18], reply[19]]);
    if error == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(-error).into()) }
}

/// Devices that programs write to as a matter of course.
#[cfg(target_os = "linux")]
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/ptmx", "/dev/pts"];

/// For this thread and all that it starts. What the kernel cannot refuse entirely is an error.
#[cfg(target_os = "linux")]
pub(super) fn confine_writes(paths: &[PathBuf]) -> anyhow::Result<()> {
    use landlock::{
        ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
        RulesetStatus, Scope, path_beneath_rules,
    };
    for path in paths {
        anyhow::ensure!(path.exists(), "cannot allow writing to `{}`: it is not there", path.display());
    }
    // Before ABI 3 any file could still be emptied.
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_write(ABI::V3))
        .context("this kernel's Landlock cannot confine writes (Linux 6.2 or newer can)")?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(ABI::V9))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rules(path_beneath_rules(DEVICES, AccessFs::from_write(ABI::V9)))?
        .add_rules(path_beneath_rules(paths, AccessFs::from_write(ABI::V9)))?;
    let status = rules.restrict_self().context("cannot confine writes")?;
    anyhow::ensure!(status.ruleset != RulesetStatus::NotEnforced, "this kernel has no Landlock, or it is switched off");
    Ok(())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

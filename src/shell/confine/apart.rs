//! Processes of a command's own: it sees and reaches no others, and all end with it, daemons too. Two processes of the tool
//! stand between: one outside, which waits; one inside, which is the first there, and whose end is the end of all.
#![expect(clippy::disallowed_methods, reason = "this starts the tool itself again, and the command")]

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use nix::{
    mount::{MsFlags, mount},
    sys::signal::SigSet,
};
use rustix::{
    process::{Pid, WaitOptions, WaitStatus},
    thread::{CapabilitySet, CapabilitySets},
};

use super::{INSIDE, Limits, Program, die_with_parent, files, namespaces};

/// What shells say of a program that a signal ended.
const SIGNALLED: i32 = 128;

pub(super) fn outside(mut limits: Limits, program: Option<Program>) -> anyhow::Result<u8> {
    if limits.no_network {
        limits.covers = sockets();
    }
    namespaces::leave(limits.no_network, true)?;
    keep_one_capability().context("cannot hand a capability on")?;
    // What ends the command's group is for the command; this one ends when that has.
    SigSet::all().thread_block().context("cannot hold signals back")?;
    die_with_parent()?;
    let mut command = super::itself();
    command.arg(INSIDE).args(Limits { apart: false, ..limits }.arguments());
    match program {
        Some((program, args)) => command.arg("--").arg(program).args(args),
        None => command.arg("--probe"),
    };
    let status = command.status().context("cannot start a process with a namespace of its own")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

pub(super) fn inside(limits: &Limits, program: Option<Program>) -> anyhow::Result<u8> {
    // The command is to hear signals. This one ignores them, as the first of its processes.
    SigSet::all().thread_unblock().context("cannot let signals in")?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .context("cannot have mounts of its own")?;
    protect(&limits.writes);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
        .context("this system does not allow a list of processes of its own")?;
    limits.covers.iter().for_each(|socket| cover(socket));
    rustix::thread::clear_ambient_capability_set().context("cannot give capabilities up")?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .context("cannot give capabilities up")?;
    files::confine(&limits.writes, &limits.reads)?;
    die_with_parent()?;
    program.map_or(Ok(0), |(program, args)| wait_for(&program, &args))
}

/// To mount, once, after the tool was started again.
fn keep_one_capability() -> rustix::io::Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    sets.inheritable |= CapabilitySet::SYS_ADMIN;
    rustix::thread::set_capabilities(None, sets)?;
    rustix::thread::configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)
}

/// Landlock does not refuse to change the mode or the times of a file; a mount that is read-only does.
fn protect(writes: &[PathBuf]) {
    if writes.is_empty() {
        return;
    }
    for path in writes {
        _ = mount(Some(path), path, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>);
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for (place, flags) in mounts.lines().filter_map(mounted) {
        if !writes.iter().any(|path| place.starts_with(path)) {
            let flags = flags | MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
            _ = mount(None::<&str>, &place, None::<&str>, flags, None::<&str>);
        }
    }
    // By its name again, or it would still be a place below the mount that is read-only now.
    if let Ok(here) = std::env::current_dir() {
        _ = std::env::set_current_dir(here);
    }
}

/// Where a line of `mountinfo` says that something is mounted, and with which flags, which have to stay.
fn mounted(line: &str) -> Option<(PathBuf, MsFlags)> {
    let mut words = line.split(' ').skip(4);
    let place =
        words.next()?.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\");
    let flags = words.next()?.split(',').map(|word| match word {
        "nosuid" => MsFlags::MS_NOSUID,
        "nodev" => MsFlags::MS_NODEV,
        "noexec" => MsFlags::MS_NOEXEC,
        "noatime" => MsFlags::MS_NOATIME,
        "nodiratime" => MsFlags::MS_NODIRATIME,
        "relatime" => MsFlags::MS_RELATIME,
        _ => MsFlags::empty(),
    });
    Some((PathBuf::from(place), flags.collect()))
}

/// Where sockets usually are. What listens in another network namespace is on no list of this one.
const PLACES: [&str; 4] = ["/run", "/var/run", "/tmp", "/var/tmp"];
/// How deep they are looked for, and among how many entries.
const DEPTH: usize = 4;
const ENTRIES: usize = 20_000;
/// Without these, a system cannot tell who a user is.
const NAME_SERVICES: [&str; 5] =
    ["/run/nscd", "/var/run/nscd", "/run/systemd/userdb", "/var/run/systemd/userdb", "/var/lib/sss/pipes"];

/// The paths of sockets that somebody may listen on: a container engine's, a desktop's, an agent's.
fn sockets() -> Vec<PathBuf> {
    let mut found = listed(&fs::read_to_string("/proc/net/unix").unwrap_or_default());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    found.extend(mounts.lines().filter_map(mounted).map(|(place, _)| place));
    let mut left = ENTRIES;
    for place in PLACES {
        below(Path::new(place), DEPTH, &mut left, &mut found);
    }
    found.retain(|path| is_socket(path) && !NAME_SERVICES.iter().any(|place| path.starts_with(place)));
    found.sort();
    found.dedup();
    found
}

/// The paths in the kernel's list.
fn listed(list: &str) -> Vec<PathBuf> {
    list.lines().filter_map(|line| line.find(" /").map(|at| PathBuf::from(&line[at + 1..]))).collect()
}

fn below(folder: &Path, depth: usize, left: &mut usize, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if *left == 0 {
            return;
        }
        *left -= 1;
        match entry.file_type() {
            Ok(kind) if kind.is_socket() => found.push(entry.path()),
            Ok(kind) if kind.is_dir() && depth > 1 => below(&entry.path(), depth - 1, left, found),
            _ => {}
        }
    }
}

/// Whatever else has come to be at the path stays what it is.
fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

/// One that is gone, or that cannot be reached, needs no cover.
fn cover(socket: &Path) {
    _ = mount(Some("/dev/null"), socket, None::<&str>, MsFlags::MS_BIND, None::<&str>);
}

/// Starts the program and waits for it; whatever is left without a parent is this process's to wait for.
fn wait_for(program: &OsString, args: &[OsString]) -> anyhow::Result<u8> {
    let cannot = || format!("cannot start `{}`", Path::new(program).display());
    let child = Command::new(program).args(args).spawn().with_context(cannot)?;
    let child = Pid::from_child(&child);
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == child => return Ok(code(status)),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for a command"),
        }
    }
}

fn code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_mounts_are_read_as_the_kernel_writes_them() {
        let list = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                    0: 00000002 00000000 00010000 0001 01 11 /run/a b.sock\n\
                    0: 00000002 00000000 00010000 0001 01 12 @/tmp/x\n\
                    0: 00000003 00000000 00000000 0001 03 13\n";
        assert_eq!(listed(list), [PathBuf::from("/run/a b.sock")]);
        let line = "36 35 98:0 / /a\\040b rw,nosuid,relatime master:1 - ext3 /dev/root rw";
        assert_eq!(mounted(line), Some((PathBuf::from("/a b"), MsFlags::MS_NOSUID | MsFlags::MS_RELATIME)));
        assert_eq!(mounted("36"), None);
    }
}

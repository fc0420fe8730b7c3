//! One command of a check: what it inherits, how long it may take, what is kept of its output.
#![expect(clippy::disallowed_methods, reason = "this is where commands are run")]

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::Interrupt;

/// How long a command has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
const OUTPUT_LIMIT: u64 = 256 << 20;
const TAIL_LINES: usize = 60;
const TAIL_BYTES: u64 = 64 << 10;

pub(super) type Environment = BTreeMap<OsString, OsString>;

/// Passed on when set: what toolchains and native builds need.
const PASSED: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TERM",
    "XDG_CACHE_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CARGO_HOME",
    "CARGO_BUILD_JOBS",
    "CARGO_INCREMENTAL",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_AUTO_INSTALL",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CC",
    "CXX",
    "AR",
    "LD",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "PKG_CONFIG",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_LIBDIR",
    "PKG_CONFIG_SYSROOT_DIR",
    "LIBRARY_PATH",
    "LD_LIBRARY_PATH",
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "OPENSSL_DIR",
    "OPENSSL_LIB_DIR",
    "OPENSSL_INCLUDE_DIR",
    "LIBCLANG_PATH",
    "SDKROOT",
    "DEVELOPER_DIR",
    "MACOSX_DEPLOYMENT_TARGET",
];
const PASSED_PREFIXES: &[&str] = &[
    "LC_",
    "NIX_",
    "CC_",
    "CXX_",
    "AR_",
    "CFLAGS_",
    "CXXFLAGS_",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRIES_",
    "CARGO_SOURCE_",
    "CARGO_PROFILE_",
];
/// The address of a proxy or of an index may hold its password, so only the steps that need it get it.
const PASSED_WITH_NETWORK: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "CARGO_HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NPM_CONFIG_CACHE",
    "NPM_CONFIG_CAFILE",
    "NPM_CONFIG_HTTPS_PROXY",
    "NPM_CONFIG_NOPROXY",
    "NPM_CONFIG_PROXY",
    "NPM_CONFIG_REGISTRY",
    "NPM_CONFIG_STRICT_SSL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_TIMEOUT",
    "UV_CACHE_DIR",
    "UV_PYTHON",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
];
const NEVER: &[&str] = &["TOKEN", "SECRET", "KEY", "PASSWORD", "PASSWD", "CREDENTIAL"];

/// What of `vars` a command may see. `PATH` keeps only absolute folders: a relative one would let the
/// project choose the program.
pub(super) fn environment(vars: impl Iterator<Item = (OsString, OsString)>, network: bool) -> Environment {
    let mut kept = Environment::new();
    for (name, value) in vars {
        let Some(known) = name.to_str() else { continue };
        if known == "PATH" {
            let folders = std::env::split_paths(&value).filter(|folder| folder.is_absolute());
            kept.extend(std::env::join_paths(folders).ok().map(|path| (name, path)));
        } else if is_passed(known, network) {
            kept.insert(name, value);
        }
    }
    kept
}

fn is_passed(name: &str, network: bool) -> bool {
    let upper = name.to_ascii_uppercase();
    if NEVER.iter().any(|word| upper.contains(word)) {
        return false;
    }
    if PASSED_WITH_NETWORK.contains(&upper.as_str()) {
        return network;
    }
    PASSED.contains(&name) || PASSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Where `name` is on `path`.
pub(super) fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    if name.contains('/') {
        return None;
    }
    let runs =
        |file: &PathBuf| fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    std::env::split_paths(path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(runs)
}

#[derive(Debug)]
pub(super) enum Ended {
    Exit(ExitStatus),
    TimedOut,
    TooMuchOutput,
    Interrupted,
}

/// Runs `command` with its output going to the file `log`. When this returns, nothing is left of its
/// group, nor, on Linux, of what left the group and still has the command's `TMPDIR`.
pub(super) fn run(mut command: Command, log: &Path, timeout: Duration, interrupt: &Interrupt) -> anyhow::Result<Ended> {
    let unwritten = || format!("cannot write `{}`", log.display());
    let out = fs::File::create(log).with_context(unwritten)?;
    let both = out.try_clone().with_context(unwritten)?;
    command.stdin(Stdio::null()).stdout(both).stderr(out).process_group(0);
    let mut group = Group(command.spawn().with_context(|| format!("cannot start `{}`", program(&command)))?);
    let ended = group.watch(log, Instant::now() + timeout, interrupt)?;
    if matches!(ended, Some(Ended::TimedOut | Ended::TooMuchOutput)) {
        group.ask_to_end()?;
    }
    let status = group.end()?;
    end_strays(&command);
    Ok(ended.unwrap_or(Ended::Exit(status)))
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

struct Group(Child);

impl Group {
    fn id(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Whether the first process has ended. It is not reaped, so that no other can get its number
    /// before the whole group is gone.
    fn has_ended(&self) -> anyhow::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(self.id()), options) {
            Err(rustix::io::Errno::INTR) => Ok(false),
            status => Ok(status.context("cannot wait for a command")?.is_some()),
        }
    }

    /// `None`: it ended by itself.
    fn watch(&self, log: &Path, deadline: Instant, interrupt: &Interrupt) -> anyhow::Result<Option<Ended>> {
        let mut pause = Duration::from_millis(1);
        loop {
            if interrupt.is_set() {
                return Ok(Some(Ended::Interrupted));
            }
            if self.has_ended()? {
                return Ok(None);
            }
            if Instant::now() >= deadline {
                return Ok(Some(Ended::TimedOut));
            }
            if fs::metadata(log).is_ok_and(|meta| meta.len() > OUTPUT_LIMIT) {
                return Ok(Some(Ended::TooMuchOutput));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    fn ask_to_end(&self) -> anyhow::Result<()> {
        _ = rustix::process::kill_process_group(self.id(), Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && !self.has_ended()? {
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Kills what is left and waits until it is gone.
    fn end(&mut self) -> anyhow::Result<ExitStatus> {
        let group = self.id();
        _ = rustix::process::kill_process_group(group, Signal::KILL);
        _ = self.0.kill();
        let status = self.0.wait().context("cannot wait for a command")?;
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline && rustix::process::test_kill_process_group(group).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
        Ok(status)
    }
}

/// Daemons that a step started for itself. They are known by the `TMPDIR` that only this check's
/// commands have.
#[cfg(target_os = "linux")]
fn end_strays(command: &Command) {
    let Some(folder) = command.get_envs().find_map(|(name, value)| value.filter(|_| name == "TMPDIR")) else { return };
    let mark = [b"TMPDIR=", folder.as_encoded_bytes()].concat();
    // A stray may start another while it is looked for.
    for _ in 0..10 {
        let ended = fs::read_dir("/proc").into_iter().flatten().flatten().filter(|entry| end_if_marked(entry, &mark));
        if ended.count() == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(target_os = "linux")]
fn end_if_marked(entry: &fs::DirEntry, mark: &[u8]) -> bool {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    let number = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
    // The handle comes before the look, so that it is this process that is ended and no later one.
    let Some(process) = number.and_then(|number| pidfd_open(number, PidfdFlags::empty()).ok()) else { return false };
    let marked =
        fs::read(entry.path().join("environ")).is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == mark));
    marked && pidfd_send_signal(process, Signal::KILL).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn end_strays(_: &Command) {}

impl Drop for Group {
    fn drop(&mut self) {
        // After `end` this does nothing: `try_wait` remembers the status.
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            _ = self.end();
        }
    }
}

/// The end of the output in `log`, fit for a terminal; `hide` is a folder that means nothing to the user.
pub(super) fn tail(log: &Path, hide: &Path) -> anyhow::Result<String> {
    let unread = || format!("cannot read `{}`", log.display());
    let mut file = fs::File::open(log).with_context(unread)?;
    let length = file.metadata().with_context(unread)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).with_context(unread)?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes).with_context(unread)?;
    let text = printable(&String::from_utf8_lossy(&bytes));
    let text = text.replace(&format!("{}/", hide.display()), "").replace(&hide.display().to_string(), ".");
    let lines: Vec<_> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

/// Without escape sequences, other control characters and marks that reorder what is shown.
fn printable(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => skip_sequence(&mut chars),
            '\n' | '\t' => kept.push(char),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            _ if char.is_control() => {}
            _ => kept.push(char),
        }
    }
    kept
}

fn skip_sequence(chars: &mut std::str::Chars) {
    let mut ahead = chars.clone();
    if ahead.next() != Some('[') {
        return;
    }
    *chars = ahead;
    // Parameters, then one letter that ends it.
    for char in chars.by_ref() {
        if ('\u{40}'..='\u{7e}').contains(&char) || char == '\n' {
            return;
        }
    }
}

#[cfg(test)]
mod tests;

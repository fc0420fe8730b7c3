//! The application under attack: how it is started, where it is, what it says, and that it ends.

use std::{
    collections::BTreeMap,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// What an application may say before it counts as flooding.
const LOG_LIMIT: usize = 64 << 20;
/// How long the words of a process that ended may be on their way; something that it left behind may hold its output open.
const LAST_WORDS: Duration = Duration::from_millis(500);
const GRACE: Duration = Duration::from_secs(3);
/// Set for every process that is started, so that one which leaves its group is found as well.
const MARK: &str = "AUTHWRIGHT_PROBE_RUN";

/// A process of the application with all that it starts; it ends with this value.
pub struct Process {
    child: Mutex<Child>,
    group: Pid,
    log: Arc<Log>,
    mark: String,
}

/// How a process ended: with an exit code, or by a signal.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub code: Option<i32>,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            Some(code) => write!(f, "exit code {code}"),
            None => f.write_str("by a signal"),
        }
    }
}

#[derive(Default)]
struct Log {
    bytes: Mutex<Vec<u8>>,
    flooded: AtomicBool,
    /// Nothing more can come.
    whole: AtomicBool,
}

impl Process {
    /// Starts a program with this environment besides the one it inherits, and without the variables of `cleared`: what
    /// the shell of whoever runs the probe has for the application must not reach it.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(
        command: &[String],
        folder: &Path,
        variables: &BTreeMap<String, String>,
        cleared: &[String],
    ) -> Result<Self> {
        let [program, arguments @ ..] = command else { bail!("the contract's command is empty") };
        let (mut output, input) = std::io::pipe().context("cannot make a pipe")?;
        let mark = unique();
        let mut command = Command::new(program);
        for name in cleared {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(folder).envs(variables).env(MARK, &mark);
        command.stdin(Stdio::null()).stdout(input.try_clone().context("cannot make a pipe")?).stderr(input);
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{program}` in `{}`", folder.display()))?;
        // The writing ends stay with the process alone, so that the reader sees its end.
        drop(command);
        let group = Pid::from_child(&child);
        let log = Arc::new(Log::default());
        let shared = log.clone();
        thread::spawn(move || keep(&mut output, &shared, group));
        Ok(Self { child: Mutex::new(child), group, log, mark })
    }

    /// All that it has said so far, on both outputs. Its last words are on their way for a moment after its end.
    pub fn log(&self) -> String {
        let deadline = Instant::now() + LAST_WORDS;
        while self.ended().is_some() && !self.log.whole.load(Ordering::Acquire) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        String::from_utf8_lossy(&self.log.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// The last lines of the log.
    pub fn last_words(&self) -> String {
        last_words(&self.log())
    }

    /// Whether it was ended because it wrote more than 64 MiB.
    pub fn has_flooded(&self) -> bool {
        self.log.flooded.load(Ordering::Relaxed)
    }

    /// How it ended, if it did. It is not reaped, so that no other process gets its number while it counts.
    pub fn ended(&self) -> Option<End> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.group), options).ok().flatten()?;
        Some(End { code: status.exit_status() })
    }

    /// How it ended, waiting for that as long.
    pub fn wait(&self, patience: Duration) -> Option<End> {
        let deadline = Instant::now() + patience;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() >= deadline {
                return ended;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Bytes of memory that it takes, without what it started.
    pub fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.group.as_raw_nonzero())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes << 10)
    }

    /// Asks the process to end, as an operator does; gives how it ended.
    pub fn stop(&self) -> Option<End> {
        _ = kill_process_group(self.group, Signal::TERM);
        self.wait(GRACE)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = kill_process_group(self.group, Signal::KILL);
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        _ = child.kill();
        _ = child.wait();
        end_strays(&self.mark);
    }
}

/// The last lines of what a process said, none of them long.
pub fn last_words(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let shown = |line: &&str| line.chars().take(300).collect::<String>();
    lines[lines.len().saturating_sub(15)..].iter().map(shown).collect::<Vec<_>>().join("\n")
}

fn keep(output: &mut impl Read, log: &Log, group: Pid) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        let mut bytes = log.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() < LOG_LIMIT {
            bytes.extend_from_slice(&buffer[..count]);
        } else if !log.flooded.swap(true, Ordering::Relaxed) {
            _ = kill_process_group(group, Signal::KILL);
        }
    }
    log.whole.store(true, Ordering::Release);
}

/// Ends what left the group. It is known by the mark in its environment, which only this application has.
#[cfg(target_os = "linux")]
fn end_strays(mark: &str) {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    let wanted = format!("{MARK}={mark}");
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        // The handle comes before the look, so that it is this process that is ended and no later one.
        let Some(process) = number.and_then(|number| pidfd_open(number, PidfdFlags::empty()).ok()) else { continue };
        let variables = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if variables.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes()) {
            _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn end_strays(_: &str) {}

/// A word that no other run has.
pub fn unique() -> String {
    crate::random::letters(16)
}

/// Below what systems give to connections by themselves. Each run has some of them for itself: between the look for a free one
/// and the start of the application, another run could take it.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 250;
const RUNS: u16 = 48;

/// A port of this machine that nothing listens on.
///
/// # Errors
/// When no port is free.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    static OWN: LazyLock<Option<(u16, TcpListener)>> = LazyLock::new(own);
    let Some((first, _)) = &*OWN else { bail!("{RUNS} probes run on this machine already; wait for one to end") };
    for _ in 1..PORTS {
        let port = first + 1 + NEXT.fetch_add(1, Ordering::Relaxed) % (PORTS - 1);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of 127.0.0.1 from {first} on is free")
}

/// The first of this run's ports, held until the process ends: that is what says whose they are.
fn own() -> Option<(u16, TcpListener)> {
    let held = |run: u16| {
        let first = FIRST_PORT + run * PORTS;
        Some((first, TcpListener::bind((Ipv4Addr::LOCALHOST, first)).ok()?))
    };
    (0..RUNS).find_map(held)
}

/// Waits until something takes connections there, and has said `ready` where that is asked for. `Ok(false)`: the process ended
/// first.
///
/// # Errors
/// When neither happens in time, or the user stops the run.
pub fn until_open(
    process: &Process,
    address: SocketAddr,
    (ready, patience): (Option<&str>, Duration),
    stopped: &AtomicBool,
) -> Result<bool> {
    let is_ready = || ready.is_none_or(|text| process.log().contains(text));
    let deadline = Instant::now() + patience;
    loop {
        if stopped.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        if process.ended().is_some() {
            return Ok(false);
        }
        if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() && is_ready() {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            bail!("it took no connection on {address} within {} s", patience.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A folder that is deleted with this value.
pub struct Folder(PathBuf);

impl Folder {
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("authwright-probe-{}", unique()));
        std::fs::create_dir(&path).with_context(|| format!("cannot make the folder `{}`", path.display()))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests;

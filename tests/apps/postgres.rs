//! A `PostgreSQL` server of one test, and what ends with the test.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const NOBODY: u32 = 65_534;

/// Ends with the test: an app by a kill, the database server because its input ends.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        match self.0.stdin.take() {
            Some(input) => drop(input),
            None => _ = self.0.kill(),
        }
        _ = self.0.wait();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_mins(1), "{what}");
        sleep(Duration::from_millis(50));
    }
}

/// Where distributions put the server's programs.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = std::env::split_paths(&path).collect();
    all.extend(debian.map(|entry| entry.path().join("bin")));
    let there = all.into_iter().find(|folder| folder.join("initdb").exists());
    there.unwrap_or_else(|| panic!("PostgreSQL is not installed; tools/install does it"))
}

/// A database server in the folder, and the URL of its database.
pub fn postgres(folder: &Path) -> (Running, String) {
    const SCRIPT: &str = r#"umask 077; cd "$1" || exit 1
        "$2/initdb" -D data -U auth -A trust -N -E UTF8 --no-locale >log 2>&1 || exit 1
        "$2/postgres" -D data -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off >log 2>&1 &
        read -r end; kill -QUIT $!; wait $!"#;
    fs::create_dir(folder).unwrap();
    let port = free_port();
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh"]).arg(folder).arg(programs()).arg(port.to_string()).stdin(Stdio::piped());
    // PostgreSQL refuses to run as root.
    if rustix::process::getuid().is_root() {
        chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let server = Running(command.spawn().unwrap());
    let state = folder.join("data/postmaster.pid");
    until("PostgreSQL starts", || fs::read_to_string(&state).is_ok_and(|state| state.contains("ready")));
    (server, format!("postgres://auth@127.0.0.1:{port}/postgres"))
}

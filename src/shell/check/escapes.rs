//! A project whose build script and whose tests try each way out of the check.

use std::{
    fs,
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    process::{Child, Command},
};

use super::{tests::*, *};

const ATTEMPTS: &str = include_str!("escapes.py");
const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const BUILD: &str = "fn main() {\n    let tried = std::process::Command::new(\"python3\").arg(\"escapes.py\").status();\n    \
                     std::process::exit(tried.unwrap().code().unwrap_or(2));\n}\n";

/// What is outside: a secret, listeners, a process. All of it ends with this value.
struct Outside {
    home: tempfile::TempDir,
    sockets: tempfile::TempDir,
    tcp: TcpListener,
    udp: UdpSocket,
    _named: UnixListener,
    _unnamed: UnixListener,
    victim: Child,
    mark: String,
}

impl Outside {
    fn new() -> Self {
        let home = home::folder(&process::environment(std::env::vars_os(), false)).unwrap();
        let home = tempfile::Builder::new().prefix(".authwright-test-").tempdir_in(home).unwrap();
        fs::write(home.path().join("secret"), "canary").unwrap();
        let sockets = tempfile::tempdir().unwrap();
        let mark = home.path().file_name().unwrap().to_string_lossy().trim_start_matches('.').to_owned();
        let unnamed = SocketAddr::from_abstract_name(&mark).unwrap();
        let mut victim = Command::new("python3");
        victim
            .args(["-c", "import time; time.sleep(3600)", &format!("{mark}-victim")])
            .env("AWS_SECRET_ACCESS_KEY", &mark);
        Self {
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            udp: UdpSocket::bind("127.0.0.1:0").unwrap(),
            _named: UnixListener::bind(sockets.path().join("s")).unwrap(),
            _unnamed: UnixListener::bind_addr(&unnamed).unwrap(),
            victim: victim.spawn().unwrap(),
            home,
            sockets,
            mark,
        }
    }

    /// `free`: nothing is in the way, so that what cannot be undone is left out.
    fn targets(&self, project: &Path, free: bool) -> String {
        serde_json::json!({
            "free": free,
            "secret": self.home.path().join("secret"),
            "project": project,
            "canary": self.mark,
            "abstract": self.mark,
            "socket": self.sockets.path().join("s"),
            "tcp": self.tcp.local_addr().unwrap().port(),
            "udp": self.udp.local_addr().unwrap().port(),
            "victim": self.victim.id(),
            "victim_mark": format!("{}-victim", self.mark),
            "stray_mark": format!("{}-stray", self.mark),
            "tool": std::process::id(),
            "variables": ["AWS_SECRET_ACCESS_KEY"],
        })
        .to_string()
    }

    /// What the attempts started and is still there.
    fn strays(&self) -> Vec<i32> {
        let mark = format!("{}-stray", self.mark);
        let is_one = |entry: &fs::DirEntry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&mark)
        };
        let entries = fs::read_dir("/proc").unwrap().flatten().filter(is_one);
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        _ = self.victim.kill();
        _ = self.victim.wait();
    }
}

fn attempts(told: &str) -> Vec<&str> {
    told.lines().map(str::trim).filter(|line| line.contains(" blocked: ") || line.ends_with(" OUT")).collect()
}

#[test]
fn nothing_gets_out_of_a_build_or_a_test() {
    let outside = Outside::new();
    let base = project(&[("Cargo.toml", MANIFEST), ("build.rs", BUILD), ("src/lib.rs", ""), ("escapes.py", ATTEMPTS)]);
    for (name, text) in [(".git/hooks/pre-commit", "hook"), ("kept", ""), ("deleted", ""), ("moved", "")] {
        fs::create_dir_all(base.path().join(name).parent().unwrap()).unwrap();
        fs::write(base.path().join(name), text).unwrap();
    }
    fs::write(base.path().join("targets.json"), outside.targets(base.path(), false)).unwrap();
    let before = fs::metadata(base.path().join("kept")).unwrap();
    let mut lines = 0;
    for run in [&["cargo", "build", "--offline"][..], &["python3", "escapes.py"]] {
        let (report, _) = check(base.path(), "", &[], &[CheckStep { timeout_seconds: 600, ..step("attack", run) }]);
        let told = output(&report.steps[0]);
        assert_eq!(report.not_enforced, [] as [&str; 0]);
        assert!(told.contains("all was tried"), "{told}");
        let tried = attempts(told);
        println!("{}\n{}\n", run.join(" "), tried.join("\n"));
        assert!(tried.iter().all(|line| line.contains(" blocked: ")), "{}", tried.join("\n"));
        lines = tried.len();
        assert_eq!(outside.strays(), [] as [i32; 0], "left running after {run:?}");
    }
    assert_eq!(lines, 30, "every attempt is told");
    let after = fs::metadata(base.path().join("kept")).unwrap();
    assert_eq!((after.modified().unwrap(), after.permissions()), (before.modified().unwrap(), before.permissions()));
    assert_eq!(fs::read(base.path().join(".git/hooks/pre-commit")).unwrap(), b"hook");
    outside.udp.set_nonblocking(true).unwrap();
    outside.tcp.set_nonblocking(true).unwrap();
    assert!(outside.udp.recv(&mut [0; 8]).is_err() && outside.tcp.accept().is_err(), "somebody came by the network");
}

/// The same attempts where nothing is enforced: each is one that would succeed.
#[test]
fn the_attempts_work_where_nothing_is_in_their_way() {
    let outside = Outside::new();
    let base = project(&[
        ("escapes.py", ATTEMPTS),
        (".git/hooks/pre-commit", "hook"),
        ("copy/x", ""),
        ("kept", ""),
        ("deleted", ""),
        ("moved", ""),
    ]);
    fs::write(base.path().join("copy/targets.json"), outside.targets(base.path(), true)).unwrap();
    let mut command = Command::new("python3");
    command.arg("../escapes.py").current_dir(base.path().join("copy")).env("AWS_SECRET_ACCESS_KEY", "x");
    let told = command.output().unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let blocked: Vec<&str> = attempts(&told).into_iter().filter(|line| line.contains(" blocked: ")).collect();
    assert!(outside.strays().len() > 100, "{told}");
    while let Some(id) = outside.strays().first().and_then(|id| rustix::process::Pid::from_raw(*id)) {
        _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
    }
    for place in ["/tmp", "/var/tmp"] {
        _ = fs::remove_file(format!("{place}/{}-stray", outside.mark));
    }
    // Those that need a network, a name server, or root.
    let needs =
        ["TCP to elsewhere", "UDP to elsewhere", "a name to be resolved", "be somebody else", "trace a process"];
    let left: Vec<&&str> = blocked.iter().filter(|line| !needs.iter().any(|name| line.starts_with(name))).collect();
    assert!(left.is_empty(), "{left:?}\n{told}");
}

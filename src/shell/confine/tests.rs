use super::{namespaces::NOT_ROOT, *};

fn everything() -> Confinement {
    Confinement { network: Ok(()), files: Ok(()), apart: Ok(()) }
}

fn python(can: &Confinement, writes: &[PathBuf], no_network: bool, code: &str) -> (bool, String) {
    limited(can, &Limits { writes: writes.to_vec(), no_network, ..Limits::default() }, code)
}

fn limited(can: &Confinement, limits: &Limits, code: &str) -> (bool, String) {
    let mut command = command(can, limits, OsStr::new("python3"));
    let output = command.args(["-c", code]).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn this_machine_can_confine() {
    assert_eq!(probe(), everything());
}

#[test]
fn a_write_outside_is_denied_and_one_inside_is_not() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "v").unwrap();
    let writes = [inside.path().to_owned()];
    let open = |path: &Path, mode: &str| format!("open({:?}, {mode:?}).write('x')", path.to_str().unwrap());
    assert!(python(&everything(), &writes, false, &open(&inside.path().join("a"), "w")).0);
    assert!(python(&everything(), &writes, true, &open(Path::new("/dev/null"), "w")).0);
    for mode in ["w", "a", "r+"] {
        let (ok, told) = python(&everything(), &writes, false, &open(&victim, mode));
        assert!(!ok && told.contains("PermissionError"), "{mode}: {told}");
    }
    let remove = format!("import os; os.unlink({:?})", victim.to_str().unwrap());
    assert!(!python(&everything(), &writes, false, &remove).0);
    assert_eq!(std::fs::read(&victim).unwrap(), b"v");
}

#[test]
fn the_loopback_works_and_the_network_does_not() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let outside = format!("import socket; socket.create_connection(('127.0.0.1', {port}), 5)");
    let inside = "import socket; s = socket.create_server(('127.0.0.1', 0)); \
                  socket.create_connection(s.getsockname(), 5)";
    let far = "import socket; socket.create_connection(('192.0.2.1', 80), 5)";
    assert!(python(&everything(), &[], false, &outside).0, "without confinement");
    assert!(python(&everything(), &[], true, inside).0, "own loopback");
    assert!(python(&everything(), &[], true, &outside).1.contains("ConnectionRefused"), "the host's loopback");
    assert!(python(&everything(), &[], true, far).1.contains("unreachable"), "elsewhere");
}

#[test]
fn the_user_stays_the_same_but_is_never_root() {
    let user = match rustix::process::getuid().as_raw() {
        0 => NOT_ROOT,
        user => user,
    };
    let folder = tempfile::tempdir().unwrap();
    let (file, socket) = (folder.path().join("f"), folder.path().join("s"));
    let code = format!(
        "import os, socket; assert os.getuid() == os.geteuid() == {user} != 0; open({file:?}, 'w'); \
         assert os.stat({file:?}).st_uid == {user}; socket.socket(socket.AF_UNIX).bind({socket:?})"
    );
    let (ok, told) = python(&everything(), &[folder.path().to_owned()], true, &code);
    assert!(ok, "{told}");
}

#[test]
fn a_command_hears_signals() {
    let code = "import signal, subprocess; assert not signal.pthread_sigmask(signal.SIG_BLOCK, []); \
                one = subprocess.Popen(['sleep', '60']); one.terminate(); assert one.wait(5) == -15";
    for apart in [false, true] {
        let (ok, told) = limited(&everything(), &Limits { apart, ..Limits::default() }, code);
        assert!(ok, "{apart}: {told}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_is_covered_wherever_its_list_is_and_nothing_else_is() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let (socket, file) = (folder.path().join("s"), folder.path().join("f"));
    std::fs::write(&file, "kept").unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let code = format!(
        "import socket; assert open({file:?}).read() == 'kept'\n\
         try: socket.socket(socket.AF_UNIX).connect({socket:?})\n\
         except OSError as error: print(error)\n\
         else: print('connected')"
    );
    let connects = |no_network: bool| {
        let limits = Limits { apart: true, no_network, ..Limits::default() };
        let (ok, told) = limited(&everything(), &limits, &code);
        assert!(ok, "{told}");
        told.contains("connected")
    };
    assert!(connects(false), "a service may be there, where the network is on for it");
    assert!(!connects(true));
}

#[test]
fn a_command_does_not_outlive_the_tool() {
    let tool = itself().get_program().to_owned();
    for flags in ["'--no-network'", "'--no-network', '--apart'", "'--apart'"] {
        // A number that no other process sleeps for, so that it is found where processes have other numbers.
        let mark = format!("60.{}{}", std::process::id(), flags.len());
        // Python stands in for a tool that is killed.
        let code = format!(
            "import subprocess, time; end = subprocess.DEVNULL; \
             subprocess.Popen([{tool:?}, {COMMAND:?}, {flags}, '--write', '/dev/null', '--', 'sleep', '{mark}'], \
             stdout=end, stderr=end); time.sleep(3)"
        );
        let mut python = Command::new("python3").args(["-c", &code]).spawn().unwrap();
        assert!(soon(|| sleeps(&mark)), "{flags}: it was never there");
        assert!(python.wait().unwrap().success());
        assert!(soon(|| !sleeps(&mark)), "{flags}");
    }
}

fn soon(what: impl Fn() -> bool) -> bool {
    (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        what()
    })
}

fn sleeps(mark: &str) -> bool {
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| line.starts_with(b"sleep\0") && String::from_utf8_lossy(&line).contains(mark))
}

#[test]
fn a_command_kept_apart_ends_as_it_would_have() {
    let limits = Limits { no_network: true, apart: true, ..Limits::default() };
    for (code, expected) in [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137), ("1", 0)] {
        let status = command(&everything(), &limits, OsStr::new("python3")).args(["-c", code]).status().unwrap();
        assert_eq!(status.code(), Some(expected), "{code}");
    }
    let none = command(&everything(), &limits, OsStr::new("no-such-program")).output().unwrap();
    assert!(String::from_utf8_lossy(&none.stderr).contains("cannot start `no-such-program`"), "{none:?}");
}

#[test]
fn what_may_not_be_read_is_not_read() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&inside, &outside] {
        std::fs::write(folder.path().join("x"), "x").unwrap();
    }
    let open = |folder: &tempfile::TempDir| format!("open({:?}).read()", folder.path().join("x").to_str().unwrap());
    let everything_else = ["/usr", "/lib", "/lib64", "/etc", "/proc", "/dev"].map(PathBuf::from).to_vec();
    for apart in [false, true] {
        let writes = vec![inside.path().to_owned()];
        let limits = Limits { writes, reads: everything_else.clone(), no_network: true, apart, ..Limits::default() };
        let (ok, told) = limited(&everything(), &limits, &open(&inside));
        assert!(ok, "{told}");
        let (ok, told) = limited(&everything(), &limits, &open(&outside));
        assert!(!ok && told.contains("PermissionError"), "{told}");
    }
}

#[test]
fn what_cannot_be_had_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = Confinement { network: Err(String::new()), files: Err(String::new()), apart: Err(String::new()) };
    let code = format!("open({:?}, 'w')", folder.path().join("x").to_str().unwrap());
    assert!(python(&nothing, &[PathBuf::from("/dev/null")], true, &code).0);
    assert!(!python(&everything(), &[PathBuf::from("/dev/null")], true, &code).0);
}

#[test]
fn a_missing_program_and_a_wrong_use_say_so() {
    let none = command(&everything(), &Limits::default(), OsStr::new("no-such-program")).output().unwrap();
    assert!(String::from_utf8_lossy(&none.stderr).contains("cannot start `no-such-program`"));
    assert!(confined([OsString::from("--what")]).is_err());
    assert!(confined([OsString::from("--write")]).is_err());
    assert!(confined([]).is_err());
}

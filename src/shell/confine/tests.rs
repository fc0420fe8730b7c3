use super::*;

fn everything() -> Confinement {
    Confinement { network: Ok(()), writes: Ok(()) }
}

fn python(can: &Confinement, writes: &[PathBuf], no_network: bool, code: &str) -> (bool, String) {
    let mut command = command(can, writes, no_network, OsStr::new("python3"));
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
fn a_command_does_not_outlive_the_tool() {
    let tool = itself().get_program().to_owned();
    // Python stands in for a tool that is killed.
    let code = format!(
        "import subprocess, time; end = subprocess.DEVNULL; \
         print(subprocess.Popen([{tool:?}, {COMMAND:?}, '--no-network', '--write', '/dev/null', '--', \
         'sleep', '60'], stdout=end, stderr=end).pid); time.sleep(1)"
    );
    let output = Command::new("python3").args(["-c", &code]).output().unwrap();
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(!id.is_empty(), "{output:?}");
    let gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::read_to_string(format!("/proc/{id}/stat")).map_or(true, |stat| stat.contains(") Z "))
    });
    assert!(gone, "{id}");
}

#[test]
fn what_cannot_be_had_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = Confinement { network: Err(String::new()), writes: Err(String::new()) };
    let code = format!("open({:?}, 'w')", folder.path().join("x").to_str().unwrap());
    assert!(python(&nothing, &[PathBuf::from("/dev/null")], true, &code).0);
    assert!(!python(&everything(), &[PathBuf::from("/dev/null")], true, &code).0);
}

#[test]
fn a_missing_program_and_a_wrong_use_say_so() {
    let none = command(&everything(), &[], false, OsStr::new("no-such-program")).output().unwrap();
    assert!(String::from_utf8_lossy(&none.stderr).contains("cannot start `no-such-program`"));
    assert!(confined([OsString::from("--what")]).is_err());
    assert!(confined([OsString::from("--write")]).is_err());
    assert!(confined([]).is_err());
}

use super::*;

fn pairs(pairs: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect::<Vec<_>>().into_iter()
}

#[test]
fn only_what_builds_need_is_passed_on() {
    let vars = [
        ("PATH", "/bin:node_modules/.bin::/usr/bin"),
        ("HOME", "/h"),
        ("LC_ALL", "C"),
        ("CARGO_REGISTRIES_MINE_INDEX", "i"),
        ("CARGO_REGISTRIES_MINE_TOKEN", "t"),
        ("CARGO_NET_RETRY", "3"),
        ("NIX_SSL_KEY_FILE", "k"),
        ("https_proxy", "p"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("DATABASE_URL", "d"),
        ("LD_PRELOAD", "l"),
        ("RUSTC_WRAPPER", "w"),
    ];
    let names = |network| environment(pairs(&vars), network).into_keys().collect::<Vec<_>>();
    assert_eq!(names(false), ["CARGO_NET_RETRY", "CARGO_REGISTRIES_MINE_INDEX", "HOME", "LC_ALL", "PATH"]);
    assert_eq!(names(true).last().unwrap(), "https_proxy");
    assert_eq!(environment(pairs(&vars), false)[OsStr::new("PATH")], "/bin:/usr/bin");
}

#[test]
fn programs_are_found_on_the_path_only() {
    assert!(find("sh", OsStr::new("/bin:/usr/bin")).is_some());
    assert_eq!(find("sh", OsStr::new("bin")), None);
    assert_eq!(find("./sh", OsStr::new("/bin")), None);
    assert_eq!(find("no-such-program", OsStr::new("/bin:/usr/bin")), None);
}

#[test]
fn output_is_cut_and_cleaned() {
    assert_eq!(printable("\u{1b}[1;31merror\u{1b}[0m\r\n\ta\u{7}\u{202e}b\u{1b}"), "error\n\tab");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let text = (0..100).fold(String::new(), |text, line| text + &format!("{}/src/{line}\n", folder.path().display()));
    fs::write(&log, text).unwrap();
    let tail = tail(&log, folder.path()).unwrap();
    assert_eq!(tail.lines().count(), TAIL_LINES);
    assert!(tail.starts_with("src/40\n") && tail.ends_with("src/99"), "{tail}");
}

fn python(code: &str, timeout: Duration, interrupt: &Interrupt) -> (Ended, String) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new("python3");
    command.args(["-c", code]).env("TMPDIR", folder.path());
    let ended = run(command, &log, timeout, interrupt).unwrap();
    (ended, fs::read_to_string(log).unwrap())
}

fn is_gone(process: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", process.trim()));
    status.map_or(true, |status| status.contains(") Z "))
}

const SPAWN: &str = "import subprocess, time; print(subprocess.Popen(['sleep', '300']).pid, flush=True); ";

#[test]
fn nothing_is_left_of_a_command_that_ended() {
    let (ended, child) = python(SPAWN, Duration::from_mins(1), &Interrupt::default());
    assert!(matches!(ended, Ended::Exit(status) if status.success()), "{ended:?}");
    assert!(is_gone(&child), "{child}");
}

#[test]
fn a_daemon_is_ended_too() {
    let code = SPAWN.replace("'300']", "'300'], start_new_session=True");
    let (_, child) = python(&code, Duration::from_mins(1), &Interrupt::default());
    assert!(is_gone(&child), "{child}");
}

#[test]
fn a_timeout_ends_the_whole_group_even_if_it_will_not_listen() {
    let stubborn = format!("import signal; signal.signal(15, signal.SIG_IGN); {SPAWN} time.sleep(300)");
    let (ended, child) = python(&stubborn, Duration::from_secs(5), &Interrupt::default());
    assert!(matches!(ended, Ended::TimedOut), "{ended:?}");
    assert!(is_gone(&child), "{child}");
}

#[test]
fn an_interrupt_ends_it_at_once() {
    let interrupt = Interrupt::default();
    let from_elsewhere = interrupt.clone();
    let started = Instant::now();
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(3));
        from_elsewhere.set();
    });
    let (ended, child) = python(&format!("{SPAWN} time.sleep(300)"), Duration::from_mins(1), &interrupt);
    assert!(matches!(ended, Ended::Interrupted), "{ended:?}");
    assert!(is_gone(&child), "{child}");
    assert!(started.elapsed() < Duration::from_secs(30));
}

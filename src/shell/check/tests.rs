use super::*;
use crate::core::pack::Needs;

pub(super) fn step(name: &str, run: &[&str]) -> CheckStep {
    let run = run.iter().map(|&word| word.to_owned()).collect();
    CheckStep { name: name.to_owned(), run, timeout_seconds: 120, ..CheckStep::default() }
}

pub(super) fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn change(name: &str, before: Option<&str>, after: Option<&str>) -> Change {
    Change { path: RelPath::new(name).unwrap(), before: before.map(Text::new), after: after.map(Text::new) }
}

/// Runs `steps`, notes the events, and looks that no scratch folder was left.
pub(super) fn check(base: &Path, app: &str, changes: &[Change], steps: &[CheckStep]) -> (Report, Vec<String>) {
    let derived = ["Cargo.lock".to_owned()];
    let job = Job { base, app, changes, steps, derived: &derived, offline: false };
    let mut events = Vec::new();
    let report = run(&job, &Interrupt::default(), &mut |event| match event {
        Event::Waiting | Event::Limit(_) => {}
        Event::NotRun { name, why } => events.push(format!("{name} not run: {why}")),
        Event::StepStarted { name, baseline, .. } => events.push(format!("{name} {baseline}")),
        Event::StepEnded { report, .. } => assert!(report.seconds > 0.0),
    });
    (report.unwrap(), events)
}

pub(super) fn output(report: &StepReport) -> &str {
    match &report.result {
        StepResult::Failed { output, .. } => output,
        other => panic!("{other:?}"),
    }
}

const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const GOOD: &str = "fn main() {}\n#[test]\nfn adds() { assert_eq!(1 + 1, 2); }\n";

fn cargo_steps() -> Vec<CheckStep> {
    let mut fetch = step("fetch", &["cargo", "fetch"]);
    fetch.network = true;
    vec![fetch, step("build", &["cargo", "build", "--locked"]), step("test", &["cargo", "test", "--locked"])]
}

#[test]
fn a_project_that_builds_passes_and_is_not_touched() {
    let base = project(&[("app/Cargo.toml", MANIFEST), ("app/src/main.rs", GOOD)]);
    let changes = [
        change("src/main.rs", Some(GOOD), Some(&format!("mod auth;\n{GOOD}"))),
        change("src/auth/mod.rs", None, Some("#[test]\nfn fine() {}\n")),
    ];
    let app = base.path().join("app");
    let (report, events) = check(&app, "", &changes, &cargo_steps());
    assert!(report.passed() && report.steps.len() == 3, "{report:#?}");
    assert_eq!(events, ["fetch false", "build false", "test false"]);
    assert_eq!(report.not_enforced, [] as [&str; 0]);
    let lock = &report.derived[0];
    assert!(lock.before.is_none() && lock.after.as_ref().unwrap().raw().contains("name = \"tiny\""), "{lock:?}");
    let mut names: Vec<_> = fs::read_dir(&app).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["Cargo.toml", "src"]);
    assert_eq!(fs::read_to_string(app.join("src/main.rs")).unwrap(), GOOD);
}

#[test]
#[ignore = "needs the network"]
fn dependencies_are_fetched_with_writes_confined() {
    let manifest = format!("{MANIFEST}[dependencies]\nitoa = \"1\"\n");
    let base = project(&[("Cargo.toml", &manifest), ("src/main.rs", GOOD)]);
    let (report, _) = check(base.path(), "", &[], &cargo_steps());
    assert!(report.passed() && report.not_enforced.is_empty(), "{report:#?}");
    assert!(report.derived[0].after.as_ref().unwrap().raw().contains("name = \"itoa\""));
}

#[test]
fn a_change_that_breaks_is_told_from_a_project_that_was_broken() {
    let broken = "fn main() { missing(); }\n";
    let base = project(&[("Cargo.toml", MANIFEST), ("src/main.rs", GOOD)]);
    let (report, events) = check(base.path(), "", &[change("src/main.rs", Some(GOOD), Some(broken))], &cargo_steps());
    assert!(!report.passed());
    assert!(output(&report.steps[1]).contains("cannot find function `missing`"), "{report:#?}");
    assert!(output(&report.steps[1]).contains("src/main.rs:1") && !output(&report.steps[1]).contains("scratch-"));
    assert_eq!(report.steps[2].result, StepResult::NotRun("a step before it failed".to_owned()));
    assert!(report.baseline_broken.is_none());
    assert_eq!(events, ["fetch false", "build false", "fetch true", "build true"]);

    let base = project(&[("Cargo.toml", MANIFEST), ("src/main.rs", broken)]);
    let (report, _) = check(base.path(), "", &[change("README", None, Some("r"))], &cargo_steps());
    assert_eq!(report.baseline_broken.unwrap().name, "build");
}

#[test]
fn a_step_about_generated_code_blames_no_project() {
    let base = project(&[("a", "1")]);
    let steps = [
        step("build", &["python3", "-c", "open('a')"]),
        CheckStep { generated: true, ..step("test", &["python3", "-c", "assert open('made').read() == 'right'"]) },
    ];
    let (report, events) = check(base.path(), "", &[change("made", None, Some("wrong"))], &steps);
    assert!(!report.passed() && report.baseline_broken.is_none());
    assert_eq!(events, ["build false", "test false", "build true"]);
}

#[test]
fn the_steps_see_the_app_with_its_changes() {
    let base = project(&[("app/a", "1"), ("b", "2")]);
    let look = "import os; assert open('a').read() == '3' and open('../b').read() == '2' and not os.path.exists('c')";
    let steps = [step("look", &["python3", "-c", look])];
    let changes = [change("a", Some("1"), Some("3")), change("c", Some("4"), None)];
    assert!(check(base.path(), "app", &changes, &steps).0.passed());
}

#[test]
fn a_step_that_takes_too_long_is_stopped() {
    let base = project(&[]);
    let mut slow = step("slow", &["sleep", "60"]);
    slow.timeout_seconds = 1;
    let (report, events) = check(base.path(), "", &[], &[step("true", &["true"]), slow, step("last", &["true"])]);
    assert_eq!(report.steps[0].result, StepResult::Passed);
    assert_eq!(report.steps[1].result, StepResult::TimedOut);
    assert!(matches!(report.steps[2].result, StepResult::NotRun(_)) && !report.passed());
    assert_eq!(events, ["true false", "slow false"]);
}

#[test]
fn a_step_cannot_see_secrets_write_elsewhere_or_reach_out() {
    let outside = tempfile::tempdir().unwrap();
    let base = project(&[]);
    let attacks = [
        // Cargo sets this for the test itself, so it stands for any variable that is not needed.
        "import os; print(os.environ['CARGO_MANIFEST_DIR'])".to_owned(),
        format!("open({:?}, 'w')", outside.path().join("x")),
        format!("open({:?}, 'w')", base.path().join("x")),
        "open('../output.log', 'w')".to_owned(),
        "import socket; socket.create_connection(('192.0.2.1', 80), 5)".to_owned(),
    ];
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    for (attack, told) in attacks.iter().zip(["KeyError", "Read-only", "Read-only", "Read-only", "unreachable"]) {
        let (report, _) = check(base.path(), "", &[], &[step("attack", &["python3", "-c", attack])]);
        assert!(output(&report.steps[0]).contains(told), "{attack}: {report:#?}");
    }
    let fine = "import os, tempfile; tempfile.mkstemp(); open('x', 'w')";
    let steps = [step("fine", &["python3", "-c", fine])];
    let job = Job { base: base.path(), app: "", changes: &[], steps: &steps, derived: &[], offline: true };
    assert!(run(&job, &Interrupt::default(), &mut |_| {}).unwrap().passed());
}

#[test]
fn a_planted_link_does_not_leak_a_file() {
    let base = project(&[("Cargo.lock", "old")]);
    let plant = "import os; os.unlink('Cargo.lock'); os.symlink('/etc/passwd', 'Cargo.lock')";
    let derived = ["Cargo.lock".to_owned()];
    let steps = [step("plant", &["python3", "-c", plant])];
    let job = Job { base: base.path(), app: "", changes: &[], steps: &steps, derived: &derived, offline: false };
    let error = run(&job, &Interrupt::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("leads out of the project"), "{error:#}");
}

#[test]
fn offline_skips_what_needs_the_network() {
    let base = project(&[]);
    let mut fetch = step("fetch", &["no-such-program"]);
    fetch.network = true;
    let steps = [fetch, step("build", &["true"])];
    let mut job = Job { base: base.path(), app: "", changes: &[], steps: &steps, derived: &[], offline: true };
    let report = run(&job, &Interrupt::default(), &mut |_| {}).unwrap();
    assert_eq!(report.steps[0].result, StepResult::NotRun("it needs the network".to_owned()));
    assert_eq!(report.steps[1].result, StepResult::Passed);
    job.offline = false;
    let error = run(&job, &Interrupt::default(), &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "the check needs `no-such-program`, which was not found");
}

#[test]
fn the_copy_is_gone_when_the_check_ends() {
    let base = project(&[]);
    // Backwards, because the place of the copy is hidden from the output.
    let code = "import os; print(os.getcwd()[::-1]); raise SystemExit(3)";
    let (report, _) = check(base.path(), "", &[], &[step("fail", &["python3", "-c", code])]);
    let copy: String = output(&report.steps[0]).chars().rev().collect();
    assert!(copy.contains("/scratch-") && !Path::new(&copy).exists(), "{copy}");
    assert!(matches!(
        report.baseline_broken,
        Some(StepReport { result: StepResult::Failed { code: Some(3), .. }, .. })
    ));
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let base = project(&[]);
    let steps = [step("slow", &["sleep", "60"])];
    let job = Job { base: base.path(), app: "", changes: &[], steps: &steps, derived: &[], offline: true };
    let interrupt = Interrupt::default();
    let error = run(&job, &interrupt, &mut |_| interrupt.set()).unwrap_err();
    assert_eq!(error.downcast_ref::<Problem>().unwrap().exit_code(), 130);
}

#[test]
fn a_step_without_what_it_needs_is_not_run_and_says_so() {
    let base = project(&[]);
    let mut server = step("server", &["false"]);
    server.needs = Some(Needs {
        program: "no-such-server".into(),
        folders: vec![],
        or: Some("NO_SUCH_URL".into()),
        unprivileged: false,
    });
    let (report, events) = check(base.path(), "", &[], &[server.clone(), step("after", &["true"])]);
    let why = "`no-such-server` was not found, and NO_SUCH_URL is not set; install it or set NO_SUCH_URL, then run \
               `authwright check`";
    assert_eq!(report.steps[0].result, StepResult::NotRun(why.to_owned()));
    assert_eq!(report.steps[1].result, StepResult::Passed);
    assert_eq!(events, [format!("server not run: {why}"), "after false".to_owned()]);
    // Cargo sets this for the test itself: a variable that stands in for the program.
    server.needs.as_mut().unwrap().or = Some("CARGO_PKG_NAME".into());
    assert!(matches!(check(base.path(), "", &[], &[server]).0.steps[0].result, StepResult::Failed { .. }));
}

#[test]
fn a_variable_that_is_passed_is_seen_and_opens_the_network() {
    let base = project(&[]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let code = format!(
        "import os, socket; assert os.environ['CARGO_PKG_NAME'] == 'authwright'; \
         assert os.environ['CARGO_NET_OFFLINE'] == 'true'; socket.create_connection(('127.0.0.1', {port}), 5)"
    );
    let mut test = step("test", &["python3", "-c", &code]);
    test.pass = vec!["CARGO_PKG_NAME".into(), "NO_SUCH_URL".into()];
    let (report, _) = check(base.path(), "", &[], &[test.clone()]);
    assert!(report.passed(), "{report:#?}");
    assert_eq!(report.not_enforced, ["not enforced: network and local sockets, because CARGO_PKG_NAME is set"]);
    test.pass = vec!["NO_SUCH_URL".into()];
    let (report, _) = check(base.path(), "", &[], &[test]);
    assert!(output(&report.steps[0]).contains("KeyError") && report.not_enforced.is_empty(), "{report:#?}");
}

#[test]
fn root_is_not_root_in_a_step() {
    let base = project(&[]);
    let look = "import os; assert os.getuid() != 0 and os.geteuid() != 0; open('x', 'w')";
    assert!(check(base.path(), "", &[], &[step("look", &["python3", "-c", look])]).0.passed());
}

#[test]
fn a_library_is_found_in_the_workspace_root() {
    let base = project(&[
        ("node_modules/a/bin", ""),
        ("apps/web/node_modules/b/bin", ""),
        ("apps/web/node_modules/c/bin", ""),
    ]);
    fs::create_dir_all(base.path().join("node_modules/c")).unwrap();
    let app = base.path().join("apps/web");
    let found = |name: &str| nearest(base.path(), &app, &format!("{{nearest}}/node_modules/{name}/bin"));
    assert_eq!(found("a"), base.path().join("node_modules/a/bin"));
    for own in ["b", "c"] {
        assert_eq!(found(own), app.join(format!("node_modules/{own}/bin")));
    }
    assert_eq!(found("none"), Path::new("node_modules/none/bin"), "the error names what is missing");
    assert_eq!(nearest(base.path(), &app, "--outDir"), Path::new("--outDir"));
}

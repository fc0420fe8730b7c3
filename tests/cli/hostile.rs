//! `probe` against servers that do all but serve: it ends in time, says why, lets nothing pass and leaves nothing behind.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crate::common::{Run, empty, run};

/// Roles as a dumb server could fulfil them: any 200 is a success.
const ROLES: [(&str, &str); 5] =
    [("REGISTER", "POST"), ("VERIFY", "POST"), ("LOGIN", "POST"), ("LOGOUT", "POST"), ("ME", "GET")];

fn contract(how: &str, marker: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/hostile.py");
    let head = "schema = 1\nmodules = [\"password\"]\nencoding = \"json\"\n[cookies]\nsession = \"sid\"\n\
                [csrf]\nsource = \"origin\"\n";
    let role = |(role, method): (&str, &str)| {
        format!(
            "[roles.{role}]\nmethod = \"{method}\"\npath = \"/{role}\"\nsuccess = {{ status = 200 }}\n\
             fields = {{ email = \"email\", password = \"password\", token = \"token\" }}\n\
             mail = {{ to = \"email\", token = \"token=(.+)\" }}\n"
        )
    };
    head.to_owned() + &ROLES.map(role).concat() + &start(&script, how, marker)
}

fn start(script: &Path, how: &str, marker: &str) -> String {
    let weak = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/canary/weak");
    format!(
        "[start]\nseconds = 3\ncommand = [\"python3\", {:?}, \"{how}\", \"{marker}\", {:?}]\n\
         listen = {{ env = \"LISTEN\", format = \"HOST:PORT\" }}\n",
        script.display(),
        weak.display(),
    )
}

/// Probes the server that does `how`, and asserts what holds for all of them.
fn probed(how: &str, bound: Duration, contract: impl FnOnce(&str) -> String) -> Run {
    let project = empty("app");
    let marker = format!("hostile-{how}-{}", std::process::id());
    let file = project.dir.join("contract.toml");
    fs::write(&file, contract(&marker)).unwrap();
    let started = Instant::now();
    let done = run(&project.dir, &["probe", ".", "--contract", file.to_str().unwrap(), "--json"]);
    assert!(started.elapsed() < bound, "{how} took {:?}", started.elapsed());
    assert_eq!(done.code, 1, "{}\n{}", done.out, done.err);
    assert_eq!(left_behind(&marker), Vec::<String>::new());
    done
}

/// Processes that have the marker among their arguments.
fn left_behind(marker: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(marker)).collect()
}

/// It was never there: no report, but a problem that says so.
fn does_not_start(how: &str, says: &[&str]) {
    let done = probed(how, Duration::from_secs(30), |marker| contract(how, marker));
    let all = format!("{}{}", done.out, done.err);
    for text in says {
        assert!(all.contains(text), "`{text}` is not in\n{all}");
    }
}

/// It is there and of no use: every control that applies is told as not run, with the reason.
fn is_of_no_use(how: &str, bound: u64, says: &str) {
    let done = probed(how, Duration::from_secs(bound), |marker| contract(how, marker));
    let report = done.json();
    let results: Vec<&str> =
        report["controls"].as_array().unwrap().iter().map(|control| control["result"].as_str().unwrap()).collect();
    assert!(results.len() > 100 && !results.contains(&"pass"), "{report}");
    let reason = report["controls"][0]["reason"].as_str().unwrap();
    assert!(reason.contains(says), "`{says}` is not in `{reason}`");
}

#[test]
fn one_that_ends_at_once_is_quoted() {
    does_not_start("refusing", &["exit code 1", "there is no database here"]);
}

#[test]
fn one_that_never_listens_is_given_up_after_the_contracts_time() {
    does_not_start("deaf", &["no connection within 3 s", "thinking about it"]);
}

#[test]
fn one_that_says_200_to_everything_passes_nothing() {
    is_of_no_use("agreeing", 30, "ME without a session is refused");
}

#[test]
fn one_that_says_403_to_everything_passes_nothing() {
    is_of_no_use("forbidden", 30, "REGISTER takes a new account");
}

#[test]
fn one_that_never_answers_is_given_up() {
    is_of_no_use("mute", 60, "no whole answer came within 20 s");
}

#[test]
fn one_that_answers_drop_by_drop_is_given_up() {
    is_of_no_use("dripping", 60, "no whole answer came within 20 s");
}

#[test]
fn one_that_does_not_speak_http_is_told_as_such() {
    is_of_no_use("garbage", 30, "not HTTP");
}

#[test]
fn one_that_does_not_stop_answering_is_cut_off() {
    is_of_no_use("endless", 60, "larger than 8 MiB");
}

#[test]
fn one_that_floods_its_log_is_ended() {
    is_of_no_use("flooding", 60, "wrote more than 64 MiB");
}

#[test]
fn one_that_leaves_the_group_is_found_all_the_same() {
    is_of_no_use("straying", 30, "the smoke story failed");
}

#[test]
fn one_that_dies_half_way_is_quoted_and_the_rest_is_not_run() {
    let canary = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/canary/weak/contract.toml");
    let text = fs::read_to_string(canary).unwrap();
    let (roles, rest) = text.split_once("[start]\n").unwrap();
    let settings = rest.split_once("[start.environment]").unwrap().1;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/hostile.py");
    let done = probed("dying", Duration::from_mins(2), |marker| {
        format!("{roles}{}[start.environment]{settings}", start(&script, "dying", marker))
    });
    let report = done.json();
    let died = |control: &&serde_json::Value| {
        let reason = control["reason"].as_str().unwrap_or_default();
        reason.contains("exit code 3") && reason.contains("out of memory, said the machine")
    };
    let controls = report["controls"].as_array().unwrap();
    assert!(controls.iter().any(|control| died(&control)), "{report}");
    let rest =
        controls.iter().filter(|control| control["reason"].as_str().unwrap_or_default().contains("gave no answers"));
    assert!(rest.count() > 10, "{report}");
}

//! What `probe` refuses before it attacks, and what it keeps of a run. No app is built: where one must answer, a few lines of
//! Python do.

use std::{fs, path::Path};

use crate::common::{Project, empty, fixture, read, replace, run};

/// Answers 200 and an empty object to everything.
const DUMB: &str = "\
import http.server, os

class Dumb(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get('Content-Length') or 0))
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'{}')
    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_OPTIONS = answer
    def log_message(self, *words):
        pass

host, port = os.environ['ADDR'].rsplit(':', 1)
http.server.ThreadingHTTPServer((host, int(port)), Dumb).serve_forever()
";

fn added() -> Project {
    let project = fixture("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    project
}

/// A project with a lock, in which the dumb server is started in the app's place.
fn dumb() -> Project {
    let project = added();
    fs::write(project.dir.join("dumb.py"), DUMB).unwrap();
    let contract = read(&project.dir, "src/auth/contract.toml");
    let command = contract.lines().find(|line| line.starts_with("command = ")).unwrap();
    replace(&project.dir, "src/auth/contract.toml", command, "command = [\"python3\", \"dumb.py\"]");
    project
}

#[track_caller]
fn refused(dir: &Path, args: &[&str], parts: &[&str]) {
    let run = run(dir, &[&["probe"], args].concat()).exits(2);
    for part in parts {
        assert!(run.err.contains(part), "{args:?} has no {part:?}: {}", run.err);
    }
    assert!(run.err.contains("help: "), "{}", run.err);
}

#[test]
fn only_this_machine_is_attacked_unasked() {
    let dir = empty("nothing").dir;
    fs::create_dir_all(&dir).unwrap();
    for (target, host) in [
        ("http://foreign.invalid", "foreign.invalid"),
        ("http://foreign.invalid:3000/auth", "foreign.invalid"),
        ("http://192.0.2.7", "192.0.2.7"),
        ("http://3221225991", "192.0.2.7"),
        ("http://0xc0000207", "192.0.2.7"),
        ("http://0300.0.02.07", "192.0.2.7"),
        ("http://[2001:db8::1]", "[2001:db8::1]"),
        ("http://[::ffff:192.0.2.7]", "[::ffff:c000:207]"),
        ("http://[::]", "[::]"),
        ("http://0.0.0.0:3000", "0.0.0.0"),
        ("http://127.0.0.1@evil.invalid", "evil.invalid"),
        ("http://localhost:80@evil.invalid", "evil.invalid"),
        ("http://localhost.evil.invalid", "localhost.evil.invalid"),
        ("http://localhostile", "localhostile"),
        ("http://127.0.0.1.evil.invalid", "127.0.0.1.evil.invalid"),
        ("http://ⓔvil.invalid", "evil.invalid"),
    ] {
        // The contract is not looked for: who may be attacked is decided first.
        let help = format!("--allow-host {host}");
        refused(&dir, &[target, "--contract", "not-there.toml"], &["is not this machine", &help]);
    }
}

#[test]
fn this_machine_is_known_in_each_spelling() {
    let project = empty("nothing");
    for target in [
        "http://127.0.0.1:3000",
        "http://127.8.9.10:3000",
        "http://2130706433:3000",
        "http://0x7f.1:3000",
        "http://[::1]:3000",
        "http://[::ffff:127.0.0.1]:3000",
        "http://localhost:3000",
        "http://LOCALHOST.:3000",
    ] {
        let run = run(&project.dir, &["probe", target, "--contract", "not-there.toml"]).exits(1);
        assert!(run.err.contains("not-there.toml"), "{target}: {}", run.err);
        refused(&project.dir, &[target], &["needs its contract", "--contract"]);
    }
}

#[test]
fn a_host_that_was_allowed_is_the_one_that_was_named() {
    let project = empty("nothing");
    let contract = ["--contract", "not-there.toml"];
    for (url, name) in [
        ("http://192.0.2.7", "192.0.2.7"),
        ("http://foreign.invalid", "Foreign.Invalid"),
        ("http://[2001:db8::1]", "[2001:DB8::1]"),
        ("http://[2001:db8::1]", "2001:db8:0::1"),
    ] {
        let allowed = [&["probe", url, "--allow-host", name][..], &contract].concat();
        let run = run(&project.dir, &allowed).exits(1);
        assert!(run.err.contains("not-there.toml"), "{url}: {}", run.err);
    }
    let other = [&["http://192.0.2.8", "--allow-host", "192.0.2.7"][..], &contract].concat();
    refused(&project.dir, &other, &["192.0.2.8", "is not this machine"]);
}

#[test]
fn mail_is_taken_at_an_address() {
    let project = empty("nothing");
    let at = |place| ["http://127.0.0.1:3000", "--contract", "not-there.toml", "--smtp", place];
    for place in ["127.0.0.1:2525", "[::1]:2525", "localhost:2525"] {
        let run = run(&project.dir, &[&["probe"], &at(place)[..]].concat()).exits(1);
        assert!(run.err.contains("not-there.toml"), "{place}: {}", run.err);
    }
    let run = run(&project.dir, &[&["probe"], &at("mail.invalid:25")[..]].concat()).exits(2);
    assert!(run.err.contains("as in 127.0.0.1:2525"), "{}", run.err);
}

#[test]
fn other_schemes_are_no_targets() {
    let project = empty("nothing");
    for target in ["https://127.0.0.1:3000", "ftp://127.0.0.1", "file:///etc/passwd", "ws://localhost"] {
        refused(&project.dir, &[target], &["is no http:// address", "itself listens on"]);
    }
    refused(&project.dir, &["http://"], &["is no URL"]);
}

#[test]
fn what_is_chosen_must_exist() {
    let project = empty("nothing");
    for (args, named) in [
        (&["--only", "SES-99"][..], "`SES-99` is no control"),
        (&["--only", "SES-08,nonsense"], "`nonsense` is no control"),
        (&["--group", "SESS"], "`SESS` is no group"),
        (&["--severity", "severe"], "`severe` is no severity"),
        (&["--only", "SES-08", "--severity", "low"], "no control is all of what"),
        (&["--repeat", "0"], "--repeat"),
        (&["--workers", "0"], "--workers"),
        (&["--minutes", "0"], "--minutes"),
    ] {
        let run = run(&project.dir, &[&["probe"], args].concat()).exits(2);
        assert!(run.err.contains(named), "{args:?}: {}", run.err);
    }
}

#[test]
fn without_a_lock_there_is_nothing_to_start() {
    let project = fixture("plain");
    let said = run(&project.dir, &["probe"]).exits(1).err;
    assert!(said.contains("nothing was generated") && said.contains("help: "), "{said}");
    let said = run(&project.dir, &["probe", "foreign.invalid"]).exits(1).err;
    assert!(said.contains("there is no folder `foreign.invalid`"), "{said}");
}

#[test]
fn a_mistake_in_a_contract_is_named_with_its_line() {
    let project = added();
    replace(&project.dir, "src/auth/contract.toml", "encoding = \"json\"", "encodin = \"json\"");
    let said = run(&project.dir, &["probe", "--no-build"]).exits(1).err;
    assert!(said.contains("src/auth/contract.toml") && said.contains("line 5") && said.contains("encodin"), "{said}");
    assert!(said.contains("not what was generated"), "{said}");
}

#[test]
fn a_foreign_contract_says_what_applies_and_declares_no_critical_deviation() {
    let project = added();
    let contract = read(&project.dir, "src/auth/contract.toml");
    fs::write(project.dir.join("mine.toml"), &contract).unwrap();
    let said = run(&project.dir, &["probe", ".", "--contract", "mine.toml", "--no-build"]).exits(1).err;
    assert!(said.contains("there is no `modules`"), "{said}");
    for (deviation, why) in [
        ("CSR-01 = \"the origin is enough\"", "critical"),
        ("PWD-06 = \"\"", "reason"),
        ("XXX-01 = \"why\"", "no control"),
    ] {
        let text = contract.replace("encoding = \"json\"", "modules = [\"password\"]\nencoding = \"json\"");
        fs::write(project.dir.join("mine.toml"), format!("{text}\n[deviations]\n{deviation}\n")).unwrap();
        let said = run(&project.dir, &["probe", ".", "--contract", "mine.toml", "--no-build"]).exits(1).err;
        assert!(said.contains("mine.toml") && said.contains(why), "{said}");
    }
}

#[test]
fn what_was_found_is_kept_beside_the_lock_and_shown() {
    let project = dumb();
    let file = project.dir.join(".authwright/probe.toml");
    run(&project.dir, &["probe", "--no-build", "--only", "SES-08", "--no-record"]).exits(1);
    assert!(!file.exists());

    let object = run(&project.dir, &["probe", "--no-build", "--only", "SES-08", "--json"]).exits(1).json();
    assert_eq!((&object["schema"], &object["controls"][0]["id"]), (&1.into(), &"SES-08".into()));
    let result = object["controls"][0]["result"].as_str().unwrap();
    assert!(["fail", "not-run"].contains(&result), "a dumb server has no session to end: {object:#}");
    assert_eq!(object["summary"]["groups"]["SES"][result], 1);
    assert_eq!(object["summary"]["pass"], 0);
    let first = fs::read_to_string(&file).unwrap();
    assert!(first.contains("id = \"SES-08\"") && first.contains(&format!("result = \"{result}\"")), "{first}");

    run(&project.dir, &["probe", "--no-build", "--only", "SES-09"]).exits(1);
    let both = fs::read_to_string(&file).unwrap();
    assert!(both.contains("SES-08") && both.contains("SES-09"), "{both}");
    run(&project.dir, &["probe", "--no-build", "--only", "SES-09"]).exits(1);
    assert_eq!(fs::read_to_string(&file).unwrap(), both, "the same again");

    let words = result.replace('-', " ");
    assert!(run(&project.dir, &["verify"]).exits(1).err.contains("attacks: "));
    let shown = run(&project.dir, &["controls", "--only", "SES-08"]).exits(0).out;
    assert!(shown.contains(&format!("  {words}: ")), "{shown}");
}

#[test]
fn what_was_found_of_another_version_counts_as_nothing() {
    let project = dumb();
    run(&project.dir, &["probe", "--no-build", "--only", "SES-08"]).exits(1);
    fs::write(project.dir.join("src/auth/contract.toml"), read(&added().dir, "src/auth/contract.toml")).unwrap();
    run(&project.dir, &["add", "--profile", "strict", "--yes", "--no-check"]).exits(0);
    assert!(
        run(&project.dir, &["verify"]).exits(0).err.contains("attacks: unproven: the generated code changed since")
    );
    let shown = run(&project.dir, &["controls", "--only", "SES-08"]).exits(0).out;
    assert!(shown.contains("the last result is of another version"), "{shown}");
    let object = run(&project.dir, &["controls", "--json", "--only", "SES-08"]).exits(0).json();
    assert_eq!(object["controls"][0]["result"], "of-another-version");
    run(&project.dir, &["undo", "--all", "--yes"]).exits(0);
    assert!(!project.dir.join(".authwright/probe.toml").exists());
}

#[test]
fn what_was_found_proves_nothing_of_code_that_changed_since() {
    let project = dumb();
    run(&project.dir, &["probe", "--no-build", "--only", "SES-08"]).exits(1);
    let said = run(&project.dir, &["verify"]).exits(1).err;
    assert!(said.contains("1 not run") && said.contains("by a contract that is not the generated one"), "{said}");
    let code = read(&project.dir, "src/auth/sign_in.rs");
    fs::write(project.dir.join("src/auth/sign_in.rs"), code + "// changed\n").unwrap();
    assert!(
        run(&project.dir, &["verify"]).exits(1).err.contains("attacks: unproven: the generated code changed since")
    );
    let object = run(&project.dir, &["controls", "--json", "--only", "SES-08"]).exits(0).json();
    assert_eq!(object["controls"][0]["result"], "of-another-version");
}

#[test]
fn a_module_that_nobody_knows_is_no_reason_to_attack_nothing() {
    let project = empty("foreign");
    let contract = "schema = 1\nmodules = [\"pasword\"]\nencoding = \"json\"\ncookies = { session = \"s\" }\n\
                    csrf = { source = \"origin\" }\nroles = {}\n";
    fs::write(project.dir.join("mine.toml"), contract).unwrap();
    let said = run(&project.dir, &["probe", ".", "--contract", "mine.toml"]).exits(1).err;
    assert!(said.contains("mine.toml: `pasword` is no module; there are password"), "{said}");
}

#[test]
fn an_app_that_gives_no_answer_is_no_success() {
    let project = empty("foreign");
    let contract = read(env!("CARGO_MANIFEST_DIR").as_ref(), "tests/canary/weak/contract.toml");
    fs::write(project.dir.join("mine.toml"), contract).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    run(&project.dir, &["probe", &url, "--contract", "mine.toml", "--only", "SES-08"]).exits(1);
}

#[test]
fn what_is_for_a_running_app_is_not_for_a_folder() {
    let project = empty("foreign");
    refused(&project.dir, &[".", "--smtp", "127.0.0.1:2525"], &["`--smtp`", "http://"]);
    refused(&project.dir, &["127.0.0.1:3000"], &["http://127.0.0.1:3000"]);
}

#[test]
fn a_server_for_databases_is_looked_at_before_anything_is_built() {
    let project = empty("shop");
    run(&project.dir, &["new", ".", "--stack", "fastapi", "--db", "postgres", "--yes", "--no-check"]).exits(0);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dead = format!("postgres://auth:hidden@127.0.0.1:{port}/postgres");
    let done = run(&project.dir, &["probe", "--database", &dead]).exits(1).err;
    assert!(done.contains("`--database`") && done.contains("may sign in") && !done.contains("building"), "{done}");
    for wrong in ["mysql://auth:hidden@127.0.0.1/a", "auth.db"] {
        let done = run(&project.dir, &["probe", "--database", wrong]).exits(2).err;
        assert!(done.contains("`--database`") && done.contains("postgres://") && !done.contains("hidden"), "{done}");
    }
    let project = empty("shop");
    run(&project.dir, &["new", ".", "--stack", "fastapi", "--yes", "--no-check"]).exits(0);
    let done = run(&project.dir, &["probe", "--database", "postgres://auth@127.0.0.1/a"]).exits(2).err;
    assert!(done.contains("leave it out"), "{done}");
}

#[test]
fn a_run_that_was_kept_is_in_no_patch() {
    let project = dumb();
    run(&project.dir, &["probe", "--no-build", "--only", "SES-08"]).exits(1);
    let patch = run(&project.dir, &["add", "--profile", "strict", "--dry-run", "--patch", "-"]);
    assert!(!patch.exits(0).out.contains("probe.toml"));
}

#[test]
fn the_report_begins_with_bad_news_and_quiet_says_nothing_else() {
    let project = dumb();
    let said = run(&project.dir, &["probe", "--no-build", "--group", "CKE", "--no-record"]).exits(1).err;
    let bad = said.find("not run").unwrap();
    let table = said.find("group     controls").unwrap();
    assert!(
        bad < table && said.contains("CKE") && said.contains("severity  controls") && !said.contains('%'),
        "{said}"
    );
    let quiet = run(&project.dir, &["probe", "--no-build", "--only", "CKE-01", "--no-record", "--quiet"]).exits(1);
    let lines: Vec<&str> = quiet.err.lines().filter(|line| !line.contains("is not what was generated")).collect();
    assert!(quiet.out.is_empty() && lines.len() == 1 && lines[0].contains("not run: CKE-01: "), "{}", quiet.err);
}

#[test]
fn an_app_that_does_not_start_is_told_with_its_last_words() {
    let project = dumb();
    fs::write(project.dir.join("dumb.py"), "raise SystemExit('no database here')\n").unwrap();
    let said = run(&project.dir, &["probe", "--no-build"]).exits(1).err;
    assert!(said.contains("did not start") && said.contains("no database here"), "{said}");
    assert!(!project.dir.join(".authwright/probe.toml").exists());
}

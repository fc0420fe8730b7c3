//! Questions on a real terminal.

use std::{fs, path::Path};

use rexpect::{process::wait::WaitStatus, session::PtySession, session::spawn_command};

use crate::common::{fixture, state, tree};

fn terminal(dir: &Path, args: &[&str]) -> PtySession {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_authwright"));
    command.current_dir(dir).args(args).env("TERM", "xterm").env_remove("NO_COLOR");
    spawn_command(command, Some(10_000)).unwrap()
}

const QUESTIONS: [&str; 4] = [
    "Where are accounts stored?",
    "What do people or clients talk to?",
    "How long do sessions live, and how long are passwords?",
    "What else should be written?",
];

/// Takes what the pack's questions propose, up to the first one about the patch.
fn accept_proposals(terminal: &mut PtySession) {
    for question in QUESTIONS {
        terminal.exp_string(question).unwrap();
        terminal.send("\r").unwrap();
        terminal.flush().unwrap();
    }
    terminal.exp_string("Show the patch?").unwrap();
}

fn code(session: &PtySession) -> i32 {
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_patch_is_shown_on_request_and_no_means_no() {
    let project = fixture("plain");
    let before = tree(&project.dir);
    let mut terminal = terminal(&project.dir, &["add"]);
    terminal.exp_string("found").unwrap();
    accept_proposals(&mut terminal);
    terminal.send("y").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("+++ b/src/main.rs").unwrap();
    terminal.exp_string("then apply it?").unwrap();
    terminal.send("n").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("nothing was changed").unwrap();
    assert_eq!(code(&terminal), 130);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn ctrl_c_at_a_question_gives_the_cursor_back() {
    let project = fixture("plain");
    let before = tree(&project.dir);
    let mut terminal = terminal(&project.dir, &["add"]);
    accept_proposals(&mut terminal);
    terminal.send("\x03").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("\x1b[?25h").unwrap();
    assert_eq!(code(&terminal), 130);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn yes_applies_and_says_how_to_repeat_it() {
    let project = fixture("plain");
    let mut terminal = terminal(&project.dir, &["add", "--no-check"]);
    accept_proposals(&mut terminal);
    terminal.send("n").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("without a check?").unwrap();
    terminal.send("y").unwrap();
    terminal.flush().unwrap();
    terminal
        .exp_string("authwright add --with password --db sqlite --profile standard --ui api --no-check --yes")
        .unwrap();
    assert_eq!(code(&terminal), 0);
    assert!(project.dir.join("src/auth/mod.rs").exists());
}

#[test]
fn what_an_editor_changes_while_a_question_stands_stays() {
    for (path, what) in [
        ("Cargo.toml", "was changed since it was read"),
        ("src/main.rs", "was changed since it was read"),
        ("src/auth/mod.rs", "is already there"),
        (".gitignore", "was deleted since it was read"),
    ] {
        let project = fixture("plain");
        let mut terminal = terminal(&project.dir, &["add", "--no-check"]);
        accept_proposals(&mut terminal);
        if what.contains("deleted") {
            fs::remove_file(project.dir.join(path)).unwrap();
        } else {
            fs::create_dir_all(project.dir.join(path).parent().unwrap()).unwrap();
            fs::write(project.dir.join(path), "mine\n").unwrap();
        }
        let before = state(&project.dir);
        terminal.send("n").unwrap();
        terminal.flush().unwrap();
        terminal.exp_string("without a check?").unwrap();
        terminal.send("y").unwrap();
        terminal.flush().unwrap();
        terminal.exp_string(&format!("`{path}` {what}")).unwrap();
        assert_eq!(code(&terminal), 1);
        assert_eq!(state(&project.dir), before, "{path}");
    }
}

#[test]
fn an_app_is_picked_from_a_list() {
    let project = fixture("two-apps");
    let mut terminal = terminal(&project.dir, &["add", "--dry-run"]);
    terminal.exp_string("Which app?").unwrap();
    terminal.send("\x1b[B\r").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("crates/public/src/auth/mod.rs").unwrap();
    assert_eq!(code(&terminal), 0);
}

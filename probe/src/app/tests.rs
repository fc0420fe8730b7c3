use std::{collections::BTreeMap, path::Path, thread::sleep, time::Duration};

use super::{Folder, Process};

fn shell(script: &str) -> Process {
    let command = ["sh", "-c", script].map(ToOwned::to_owned);
    Process::start(&command, Path::new("/"), &BTreeMap::new(), &[]).unwrap()
}

/// Waits until the file holds a process id, and gives it.
fn id(file: &Path) -> String {
    for _ in 0..500 {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.ends_with('\n') {
            return text.trim().to_owned();
        }
        sleep(Duration::from_millis(10));
    }
    panic!("no process id came");
}

fn runs(id: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z")
}

#[test]
fn what_it_said_and_how_it_ended_is_known() {
    let process = shell("echo one; echo two >&2; exit 3");
    assert_eq!(process.wait(Duration::from_secs(5)).unwrap().code, Some(3));
    sleep(Duration::from_millis(100));
    assert_eq!(process.log(), "one\ntwo\n");
}

#[test]
fn nothing_of_it_is_left() {
    let folder = Folder::new().unwrap();
    let (child, stray) = (folder.path().join("child"), folder.path().join("stray"));
    let script = "sleep 60 & echo $! >$0; setsid sh -c 'echo $$ >$0; exec sleep 60' \"$1\" & wait";
    let words = ["sh", "-c", script, child.to_str().unwrap(), stray.to_str().unwrap()].map(ToOwned::to_owned);
    let process = Process::start(&words, Path::new("/"), &BTreeMap::new(), &[]).unwrap();
    let ids = [id(&child), id(&stray)];
    assert!(ids.iter().all(|id| runs(id)));
    drop(process);
    // What is killed is gone a moment later.
    let gone = (0..200).any(|_| {
        sleep(Duration::from_millis(10));
        !ids.iter().any(|id| runs(id))
    });
    assert!(gone, "{ids:?}");
}

#[test]
fn a_flood_of_output_ends_it() {
    let process = shell("while :; do echo 0123456789012345678901234567890123456789; done | cat; sleep 60");
    for _ in 0..600 {
        if process.has_flooded() && process.ended().is_some() {
            return;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("it goes on");
}

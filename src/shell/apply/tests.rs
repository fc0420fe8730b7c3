use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use rustix::io::Errno;

use super::{steps::Moment, *};
use crate::{
    core::project::{RelPath, Text},
    shell::journal::belongs_to,
};

mod faults;
mod power;

/// Mode, and bytes or where a link leads, of everything there is.
type Snapshot = BTreeMap<String, (u32, Option<Vec<u8>>)>;

fn snapshot(root: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let link = || fs::read_link(&path).unwrap().to_str().unwrap().into();
            let bytes = if meta.is_symlink() { Some(link()) } else { meta.is_file().then(|| fs::read(&path).unwrap()) };
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.insert(name, (meta.permissions().mode(), bytes));
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

fn path(name: &str) -> RelPath {
    RelPath::new(name).unwrap()
}

fn change(name: &str, before: Option<&str>, after: Option<&str>) -> Change {
    Change { path: path(name), before: before.map(Text::new), after: after.map(Text::new) }
}

/// Edited (one executable), created (in new folders too) and deleted (leaving folders empty).
fn changes() -> Vec<Change> {
    vec![
        change("Cargo.toml", Some("[package]\r\n"), Some("[package]\r\nx = 1\r\n")),
        change("run ü.sh", Some("#!/bin/sh\n"), Some("#!/bin/sh\necho\n")),
        change("src/auth/deep/mod.rs", None, Some("new\n")),
        change("src/auth/x.rs", None, Some("x")),
        change("src/y.rs", None, Some("")),
        change("old/a/one.txt", Some("1"), None),
        change("old/two.txt", Some("2"), None),
        change("kept/three.txt", Some("3"), None),
    ]
}

/// In memory where the system has files there: thousands of runs need not wait for a disk.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn project() -> (tempfile::TempDir, Disk) {
    let folder = folder();
    let root = folder.path();
    for change in changes() {
        if let Some(before) = change.before {
            let path = root.join(change.path.as_str());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, before.raw()).unwrap();
        }
    }
    fs::create_dir(root.join("src")).unwrap();
    fs::write(root.join("kept/other.txt"), "o").unwrap();
    symlink("../kept/other.txt", root.join("src/link")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    fs::set_permissions(root.join("run ü.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(root.join("Cargo.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(root.join("old/a"), fs::Permissions::from_mode(0o711)).unwrap();
    let disk = Disk::open(root).unwrap();
    (folder, disk)
}

fn problem(error: &anyhow::Error) -> &Problem {
    error.downcast_ref().unwrap_or_else(|| panic!("not a Problem: {error:#}"))
}

/// What the project is before and after.
fn expected() -> (Snapshot, Snapshot) {
    let (_keep, disk) = project();
    let old = snapshot(disk.root());
    apply(&disk, &changes()).unwrap();
    (old, snapshot(disk.root()))
}

fn gone() -> io::Error {
    Errno::IO.into()
}

/// Is dead from the step of that name on, as after a crash.
fn dead_from(name: &str) -> impl FnMut(&str, Moment) -> io::Result<()> {
    let mut dead = false;
    move |step, moment| {
        dead |= step == name && moment == Moment::Before;
        if dead { Err(gone()) } else { Ok(()) }
    }
}

/// Does something before the step of that name.
fn before(name: &str, mut act: impl FnMut()) -> impl FnMut(&str, Moment) -> io::Result<()> {
    move |step, moment| {
        if step == name && moment == Moment::Before {
            act();
        }
        Ok(())
    }
}

#[test]
fn makes_every_change_and_leaves_no_journal() {
    let (old, new) = expected();
    assert_eq!(new["Cargo.toml"], (0o100_640, Some(b"[package]\r\nx = 1\r\n".to_vec())));
    assert_eq!(new["run ü.sh"].0, 0o100_755);
    assert_eq!(new["src/auth/deep/mod.rs"].1, Some(b"new\n".to_vec()));
    assert!(new.contains_key("kept") && !new.contains_key("old") && !new.contains_key(JOURNAL));
    assert_eq!(new.len(), old.len() - 3 + 5 - 2, "{new:#?}");
}

#[test]
fn an_edit_made_after_a_crash_is_not_lost() {
    let (old, _) = expected();
    let (_keep, disk) = project();
    _ = apply_with(&disk, &changes(), &mut dead_from("remove old/a/one.txt"));
    fs::write(disk.root().join("src/y.rs"), "mine").unwrap();
    let before = snapshot(disk.root());
    let error = recover(&disk).unwrap_err();
    assert!(problem(&error).what.contains("`src/y.rs` was edited since"), "{error:#}");
    assert_eq!(snapshot(disk.root()), before);
    fs::remove_file(disk.root().join("src/y.rs")).unwrap();
    recover(&disk).unwrap();
    assert_eq!(snapshot(disk.root()), old);
}

#[test]
fn an_edit_of_what_the_crash_had_not_reached_stays_and_the_rest_is_rolled_back() {
    let (mut old, _) = expected();
    for name in ["run ü.sh", "old/two.txt"] {
        let (_keep, disk) = project();
        _ = apply_with(&disk, &changes(), &mut dead_from("replace run ü.sh"));
        fs::write(disk.root().join(name), "mine").unwrap();
        recover(&disk).unwrap();
        let before = old.insert(name.to_owned(), (old[name].0, Some(b"mine".to_vec()))).unwrap();
        assert_eq!(snapshot(disk.root()), old, "{name}");
        old.insert(name.to_owned(), before);
    }
}

#[test]
fn an_edit_made_meanwhile_stops_the_run_and_stays() {
    let (mut old, _) = expected();
    // The change of `Cargo.toml` comes first, so the run has something to take back.
    for name in ["old/a/one.txt", "run ü.sh"] {
        let (_keep, disk) = project();
        let edit = || fs::write(disk.root().join(name), "mine").unwrap();
        let error = apply_with(&disk, &changes(), &mut before("replace Cargo.toml", edit)).unwrap_err();
        assert_eq!(problem(&error).what, format!("`{name}` was changed since it was read"));
        let now = snapshot(disk.root());
        let before = old.insert(name.to_owned(), (old[name].0, Some(b"mine".to_vec()))).unwrap();
        assert_eq!(now, old);
        old.insert(name.to_owned(), before);
    }
}

#[test]
fn what_changed_since_it_was_read_is_refused() {
    for (name, text, what) in [
        ("Cargo.toml", Some("other"), "`Cargo.toml` was changed since it was read"),
        ("Cargo.toml", None, "`Cargo.toml` was deleted since it was read"),
        ("src/y.rs", Some("mine"), "`src/y.rs` is already there"),
        ("src/auth", Some("mine"), "`src/auth/deep` is not a folder"),
    ] {
        let (_keep, disk) = project();
        match text {
            Some(text) => fs::write(disk.root().join(name), text).unwrap(),
            None => fs::remove_file(disk.root().join(name)).unwrap(),
        }
        let before = snapshot(disk.root());
        let error = apply(&disk, &changes()).unwrap_err();
        let told = &problem(&error).what;
        assert!(told == what || name == "src/auth" && told.contains("is not a folder"), "{told}");
        assert_eq!(snapshot(disk.root()), before);
    }
}

#[test]
fn a_symlink_is_never_replaced() {
    let (keep, disk) = project();
    let outside = tempfile::tempdir().unwrap();
    fs::rename(disk.root().join("Cargo.toml"), disk.root().join("real")).unwrap();
    symlink("real", disk.root().join("Cargo.toml")).unwrap();
    let error = apply(&disk, &changes()).unwrap_err();
    assert_eq!(problem(&error).what, "`Cargo.toml` is a symlink, which is never replaced");
    symlink(outside.path(), keep.path().join("away")).unwrap();
    let error = apply(&disk, &[change("away/x", None, Some("x"))]).unwrap_err();
    assert!(problem(&error).what.contains("`away` is a symlink"), "{error:#}");
    let error = apply(&disk, &[change("dangling", None, Some("x"))]).unwrap_err();
    assert!(problem(&error).what.contains("never replaced"), "{error:#}");
    assert_eq!(snapshot(outside.path()).len(), 0);
}

#[test]
fn a_second_writer_is_refused() {
    let (_keep, disk) = project();
    let other = Disk::open(disk.root()).unwrap();
    let mut asked = None;
    apply_with(&disk, &changes(), &mut |_, _| {
        asked.get_or_insert_with(|| (apply(&other, &changes()).unwrap_err(), recover(&other)));
        Ok(())
    })
    .unwrap();
    let error = asked.unwrap().0;
    assert!(problem(&error).what.starts_with("another authwright is writing here"), "{error:#}");
    lock(&other).unwrap();
}

#[test]
fn a_planted_journal_cannot_write_where_programs_run() {
    for (record, what) in [
        (
            r#"{"files":[{"path":".git/hooks/pre-commit","temp":".git/hooks/.authwright-tmp-1","before":{"copy":0,"sha256":"x","mode":511},"after":null}],"created":[],"removed":[]}"#,
            "is not a place",
        ),
        (
            r#"{"files":[{"path":"a","temp":"Cargo.toml","before":null,"after":null}],"created":[],"removed":[]}"#,
            "would not write",
        ),
        (
            r#"{"files":[{"path":"../a","temp":"../b","before":null,"after":null}],"created":[],"removed":[]}"#,
            "no readable record",
        ),
        ("{", "no readable record"),
    ] {
        let (_keep, disk) = project();
        fs::create_dir(disk.root().join(JOURNAL)).unwrap();
        fs::write(disk.root().join(READY), record).unwrap();
        let before = snapshot(disk.root());
        let error = recover(&disk).unwrap_err();
        assert!(problem(&error).what.contains(what), "{error:#}");
        assert_eq!(snapshot(disk.root()), before);
    }
}

#[test]
fn a_journal_that_is_no_text_is_refused_and_not_waited_for() {
    let pipe = |path: &Path| rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap();
    // Sparse, and more than a machine has of memory.
    let large = |path: &Path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
    let folder = |path: &Path| fs::create_dir(path).unwrap();
    let makes: [&dyn Fn(&Path); 3] = [&pipe, &large, &folder];
    for make in makes {
        let (_keep, disk) = project();
        fs::create_dir(disk.root().join(JOURNAL)).unwrap();
        make(&disk.root().join(READY));
        assert!(problem(&recover(&disk).unwrap_err()).what.contains("no readable record"));
    }
}

#[test]
fn a_journal_belongs_to_one_user_and_is_no_link() {
    let (me, other) = (rustix::process::geteuid(), rustix::fs::Uid::from_raw(1 << 20));
    let (keep, disk) = project();
    assert!(belongs_to(&disk, me), "where there is none, it is nobody else's");
    fs::create_dir(disk.root().join(JOURNAL)).unwrap();
    fs::write(disk.root().join(READY), "{}").unwrap();
    assert!(belongs_to(&disk, me) && !belongs_to(&disk, other));
    fs::rename(disk.root().join(READY), keep.path().join("elsewhere")).unwrap();
    symlink(keep.path().join("elsewhere"), disk.root().join(READY)).unwrap();
    assert!(!belongs_to(&disk, me));
}

#[test]
fn a_journal_that_holds_what_no_run_writes_is_left_to_the_user() {
    let (_keep, disk) = project();
    fs::create_dir_all(disk.root().join(JOURNAL).join("photos")).unwrap();
    let error = recover(&disk).unwrap_err();
    assert!(problem(&error).what.contains("holds what no run writes"), "{error:#}");
    assert!(disk.root().join(JOURNAL).join("photos").is_dir());
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_an_error_and_no_change() {
    let (_keep, disk) = project();
    let old = snapshot(disk.root());
    // Root ignores modes, so the thread is denied writing by Landlock.
    let result = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                super::super::confine::files::only(&[], &[]).unwrap();
                apply(&disk, &changes())
            })
            .join()
            .unwrap()
    });
    let error = format!("{:#}", result.unwrap_err());
    assert!(error.starts_with("cannot create folder `.authwright-journal`"), "{error}");
    assert_eq!(snapshot(disk.root()), old);
}

#[test]
fn the_lock_ends_with_the_run_also_where_a_child_has_a_copy_of_it() {
    let (_keep, disk) = project();
    let held = lock(&disk).unwrap();
    let copy = held.0.try_clone().unwrap();
    assert!(lock(&disk).is_err());
    drop(held);
    lock(&disk).unwrap();
    drop(copy);
}

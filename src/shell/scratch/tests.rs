use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::core::project::{RelPath, Text};

fn project(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn the_copy_is_what_a_fresh_clone_would_hold() {
    let base = project(&[
        (".gitignore", "/ignored\n.env\nCargo.lock\n"),
        (".cargo/config.toml", "c"),
        (".env", "SECRET"),
        (".git/config", "g"),
        ("Cargo.lock", "lock"),
        ("ignored/x", "i"),
        ("node_modules/a/x", "n"),
        ("out/CACHEDIR.TAG", "t"),
        ("run.sh", "r"),
        ("src/target/mod.rs", "s"),
    ]);
    fs::set_permissions(base.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let scratch = Scratch::copy_of(base.path(), &["Cargo.lock".to_owned()], &Interrupt::default()).unwrap();
    let copy = scratch.copy();
    for name in [".gitignore", ".cargo/config.toml", "Cargo.lock", "run.sh", "src/target/mod.rs"] {
        assert!(copy.join(name).is_file(), "{name}");
    }
    for name in [".env", ".git", "ignored", "node_modules", "out"] {
        assert!(!copy.join(name).exists(), "{name}");
    }
    assert_eq!(fs::metadata(copy.join("run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(scratch.left_out, [] as [&str; 0]);
}

#[test]
fn links_inside_are_kept_and_links_outside_are_not() {
    let base = project(&[("a/b/x", "x")]);
    let name = base.path().file_name().unwrap().to_str().unwrap();
    for (target, at) in [("b/x", "a/in"), ("../a/b", "a/up"), ("none", "a/dangling")] {
        symlink(target, base.path().join(at)).unwrap();
    }
    symlink("/etc", base.path().join("etc")).unwrap();
    symlink("../../etc", base.path().join("a/out")).unwrap();
    symlink(base.path().join("a"), base.path().join("absolute")).unwrap();
    symlink(format!("../{name}/a"), base.path().join("around")).unwrap();
    let scratch = Scratch::copy_of(base.path(), &[], &Interrupt::default()).unwrap();
    for at in ["a/in", "a/up", "a/dangling"] {
        assert!(scratch.copy().join(at).is_symlink(), "{at}");
    }
    for at in ["etc", "a/out", "absolute", "around"] {
        assert!(!scratch.copy().join(at).is_symlink(), "{at}");
    }
    assert_eq!(scratch.left_out.len(), 4, "{:?}", scratch.left_out);
}

#[test]
fn changes_are_made_in_the_copy_only() {
    let base = project(&[("app/edit", "1"), ("app/delete", "1")]);
    let scratch = Scratch::copy_of(base.path(), &[], &Interrupt::default()).unwrap();
    let change = |name: &str, after: Option<&str>| Change {
        path: RelPath::new(name).unwrap(),
        before: None,
        after: after.map(Text::new),
    };
    let changes = [change("edit", Some("2")), change("delete", None), change("new/x", Some("3"))];
    scratch.change("app", &changes).unwrap();
    let app = scratch.copy().join("app");
    assert_eq!(fs::read(app.join("edit")).unwrap(), b"2");
    assert_eq!(fs::read(app.join("new/x")).unwrap(), b"3");
    assert!(!app.join("delete").exists());
    assert_eq!(fs::read(base.path().join("app/edit")).unwrap(), b"1");
    assert!(base.path().join("app/delete").exists() && !base.path().join("app/new").exists());
}

#[test]
fn the_scratch_folder_is_removed_even_if_write_protected() {
    let base = project(&[("a/x", "x")]);
    let scratch = Scratch::copy_of(base.path(), &[], &Interrupt::default()).unwrap();
    let root = scratch.root().to_owned();
    fs::set_permissions(scratch.copy().join("a"), fs::Permissions::from_mode(0o500)).unwrap();
    drop(scratch);
    assert!(!root.exists());
}

#[test]
fn no_other_user_can_put_a_file_above_the_copy() {
    let base = project(&[]);
    let scratch = Scratch::copy_of(base.path(), &[], &Interrupt::default()).unwrap();
    // Where the home itself is in a shared folder, there is no better place.
    let at_home = cache_folder().is_some_and(|cache| is_shared(&cache));
    assert!(at_home || !is_shared(scratch.root()), "{}", scratch.root().display());
    assert!(is_shared(Path::new("/tmp/")));
}

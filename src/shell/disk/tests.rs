use std::{fs, os::unix::fs::symlink};

use globset::{Glob, GlobSetBuilder};

use super::*;

fn globs(patterns: &[&str]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).unwrap());
    }
    set.build().unwrap()
}

fn path(name: &str) -> RelPath {
    RelPath::new(name).unwrap()
}

fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Disk) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    fs::create_dir(&root).unwrap();
    for (name, text) in files {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), text).unwrap();
    }
    let disk = Disk::open(&root).unwrap();
    (folder, disk)
}

fn problem(error: &anyhow::Error) -> &Problem {
    error.downcast_ref().unwrap_or_else(|| panic!("not a Problem: {error:#}"))
}

#[test]
fn a_missing_folder_is_a_problem() {
    let error = Disk::open(Path::new("/no/such/folder")).unwrap_err();
    assert_eq!(problem(&error).what, "there is no folder `/no/such/folder`");
}

#[test]
fn reads_text_and_names_what_is_not() {
    let (_keep, disk) = project(&[("a ü/b.rs", "\u{feff}x\r\n"), ("nul", "a\0b"), ("dir/x", "")]);
    fs::write(disk.root().join("latin1"), b"caf\xe9").unwrap();
    fs::write(disk.root().join("large"), "a".repeat((4 << 20) + 1)).unwrap();
    symlink("nowhere", disk.root().join("dangling")).unwrap();
    assert_eq!(disk.read(&path("a ü/b.rs")).unwrap(), Read::Text(Text::new("\u{feff}x\r\n")));
    for name in ["nul", "latin1", "large", "dangling", "dir"] {
        assert_eq!(disk.read(&path(name)).unwrap(), Read::NotText, "{name}");
        assert!(disk.exists(&path(name)).unwrap(), "{name}");
    }
    for name in ["none", "none/x", "nul/x"] {
        assert_eq!(disk.read(&path(name)).unwrap(), Read::Missing, "{name}");
        assert!(!disk.exists(&path(name)).unwrap(), "{name}");
    }
}

#[test]
fn a_symlink_that_leaves_is_refused_by_name() {
    let (keep, disk) = project(&[("in/x.rs", "in")]);
    fs::write(keep.path().join("secret"), "s").unwrap();
    symlink("../secret", disk.root().join("file")).unwrap();
    symlink(keep.path(), disk.root().join("folder")).unwrap();
    symlink("in", disk.root().join("inside")).unwrap();
    let error = disk.read(&path("file")).unwrap_err();
    assert_eq!(problem(&error).what, "`file` leads out of the project\n  `file` is a symlink");
    let error = disk.read(&path("folder/secret")).unwrap_err();
    assert_eq!(problem(&error).what, "`folder/secret` leads out of the project\n  `folder` is a symlink");
    assert_eq!(disk.read(&path("inside/x.rs")).unwrap(), Read::Text(Text::new("in")));
}

#[test]
fn the_tree_holds_source_and_what_is_asked_for() {
    let (_keep, disk) = project(&[
        (".gitignore", "generated\n.env\n"),
        ("src/main.rs", "m"),
        ("src/vendor/mod.rs", "v"),
        ("src/generated/x.rs", "g"),
        ("vendor/lib.rs", "v"),
        ("node_modules/a/b.rs", "n"),
        (".hidden/x.rs", "h"),
        (".env", "SECRET=1"),
        ("notes.txt", "t"),
    ]);
    symlink("src", disk.root().join("link")).unwrap();
    let (tree, unread) = disk.tree(&globs(&["**/*.rs"]), &[path(".env"), path("none")]).unwrap();
    let names: Vec<_> = tree.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [".env", "src/main.rs", "src/vendor/mod.rs"]);
    assert_eq!(unread, []);
}

#[test]
fn the_tree_says_what_it_could_not_read() {
    let (keep, disk) = project(&[("ok.rs", ""), ("nul.rs", "\0")]);
    fs::write(disk.root().join("large.rs"), "a".repeat((1 << 20) + 1)).unwrap();
    fs::write(keep.path().join("outside.rs"), "x").unwrap();
    symlink("../outside.rs", disk.root().join("leaves.rs")).unwrap();
    let (tree, unread) = disk.tree(&globs(&["*.rs"]), &[]).unwrap();
    assert_eq!(tree.iter().count(), 1);
    let names: Vec<_> = unread.iter().map(|unread| unread.path.as_str()).collect();
    assert_eq!(names, ["large.rs", "leaves.rs", "nul.rs"]);
    assert!(unread[1].why.contains("leads out of the project"), "{}", unread[1].why);
}

#[test]
fn a_gitignore_above_speaks_only_inside_a_repository() {
    let (keep, disk) = project(&[("a.rs", "")]);
    fs::write(keep.path().join(".gitignore"), "*.rs\n").unwrap();
    assert_eq!(disk.tree(&globs(&["*.rs"]), &[]).unwrap().0.iter().count(), 1);
    fs::create_dir(keep.path().join(".git")).unwrap();
    assert_eq!(disk.tree(&globs(&["*.rs"]), &[]).unwrap().0.iter().count(), 0);
}

#[test]
fn a_list_of_what_is_ignored_is_neither_waited_for_nor_read_without_end() {
    let pipe = |path: &Path| rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap();
    // Sparse, and more than a machine has of memory.
    let large = |path: &Path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
    let endless = |path: &Path| symlink("/dev/zero", path).unwrap();
    let makes: [&dyn Fn(&Path); 3] = [&pipe, &large, &endless];
    for make in makes {
        for name in [".gitignore", ".git/info/exclude"] {
            let (_keep, disk) = project(&[("a.rs", ""), (".git/info/x", "")]);
            make(&disk.root().join(name));
            assert!(problem(&disk.paths(&[]).unwrap_err()).what.contains(name));
            assert!(problem(&disk.tree(&globs(&["*.rs"]), &[]).unwrap_err()).what.contains(name));
        }
        let (_keep, disk) = project(&[("a.rs", ""), ("below/b.rs", "")]);
        make(&disk.root().join("below/.gitignore"));
        assert_eq!(disk.paths(&[]).unwrap().0, ["a.rs"]);
    }
}

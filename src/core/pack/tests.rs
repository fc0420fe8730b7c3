use include_dir::{Dir, DirEntry, File};

use super::{FileRule, Mirror, Pack, folder, mirrored, shared_folder};

fn names(rule: &str, path: &str) -> bool {
    let rule: FileRule = toml::from_str(&format!("path = {rule:?}")).unwrap();
    rule.names(path)
}

#[test]
fn a_rule_names_a_file_or_what_is_below_a_folder() {
    assert!(names("src/auth/mod.rs", "src/auth/mod.rs"));
    assert!(names("src/pages/**", "src/pages/mod.rs") && names("src/pages/**", "src/pages/deep/style.css"));
    for (rule, path) in [
        ("src/auth/mod.rs", "src/auth/mod.rs.tera"),
        ("src/pages/**", "src/pages"),
        ("src/pages/**", "src/pages.rs"),
        ("src/pages**", "src/pages/mod.rs"),
        ("src/*/mod.rs", "src/auth/mod.rs"),
    ] {
        assert!(!names(rule, path), "{rule} {path}");
    }
}

#[test]
fn the_first_rule_that_names_a_file_counts() {
    let pack = crate::core::testing::axum();
    let style = pack.file_rule("src/auth/pages/style.css").unwrap();
    let words = pack.file_rule("src/auth/pages/words.rs").unwrap();
    assert_eq!((style.example, words.example), (true, false));
    assert_eq!(style.when, words.when);
    assert!(pack.file_rule("src/auth/mod.rs").is_none());
}

#[test]
fn files_of_a_folder_are_in_another_one_as_well() {
    let files = ["README.md", "src/app/route.ts", "src/auth/index.ts"].map(|path| (path.to_owned(), "text")).to_vec();
    let paths = |from: &str, to: &str| {
        let mirror = Mirror { from: from.to_owned(), to: to.to_owned(), when: None };
        mirrored(files.clone(), &[mirror]).into_iter().map(|(path, _)| path).collect::<Vec<_>>()
    };
    assert_eq!(
        paths("src/", ""),
        ["README.md", "app/route.ts", "auth/index.ts", "src/app/route.ts", "src/auth/index.ts"]
    );
    assert_eq!(paths("src/auth/", "lib/auth/")[1], "lib/auth/index.ts");
}

/// A pack's folder in which a tool was run: what it left is no UTF-8.
static RUN_IN: Dir<'static> = Dir::new(
    "snake",
    &[DirEntry::Dir(Dir::new(
        "snake/files",
        &[
            DirEntry::File(File::new("snake/files/app.py", b"app = 1\n")),
            DirEntry::Dir(Dir::new(
                "snake/files/__pycache__",
                &[DirEntry::File(File::new("snake/files/__pycache__/app.pyc", b"\xff\xfe"))],
            )),
        ],
    ))],
);

#[test]
fn what_tools_left_beside_sources_is_no_part_of_a_pack() {
    let caches = crate::core::testing::python().caches;
    assert_eq!(folder(&RUN_IN, "files", &caches).unwrap(), [("app.py".to_owned(), "app = 1\n")]);
    assert!(folder(&RUN_IN, "files", &[]).is_err());
}

#[test]
fn each_file_of_a_pack_stands_once() {
    for pack in Pack::all().unwrap() {
        let paths: Vec<&String> = pack.files.iter().map(|(path, _)| path).collect();
        assert!(paths.is_sorted_by(|one, next| one < next), "{}: {paths:?}", pack.manifest.id);
        for share in &pack.manifest.share {
            let shared = shared_folder(share, &[]).unwrap();
            assert!(!shared.is_empty() && shared.iter().all(|file| pack.files.contains(file)), "{}", pack.manifest.id);
        }
    }
    let nowhere = Mirror { from: "nowhere/".to_owned(), to: String::new(), when: None };
    assert!(shared_folder(&nowhere, &[]).is_err());
}

/// The rules of files that are moved are those of their first place.
#[test]
fn moved_files_stand_at_one_place() {
    let pack = Pack::all().unwrap().into_iter().find(|pack| pack.manifest.id == "express").unwrap();
    let at = |src: bool| {
        let project = serde_json::json!({ "project": { "src": src } });
        let facts = project.as_object().unwrap().clone();
        ["src/auth/index.ts", "auth/index.ts"].map(|path| pack.stands_at(path, &facts).unwrap())
    };
    assert_eq!((at(true), at(false)), ([true, false], [false, true]));
    assert!(pack.file_rule("authExample.ts").unwrap().example);
    assert_eq!(
        pack.file_rule("auth/package.json").unwrap().when,
        pack.file_rule("src/auth/package.json").unwrap().when
    );
}

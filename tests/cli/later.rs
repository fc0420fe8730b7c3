//! Another answer later: `add` extends what is there, the user's edits stay, and `undo` takes back just that layer.

use std::collections::BTreeMap;

use crate::common::{
    Project,
    options::{Base, DEFAULTS, later},
    planned, read, replace, run, tree,
};

/// The user's own words in a file of theirs and in a generated one.
const EDITS: [(&str, &str, &str); 2] = [
    ("src/main.rs", "axum::serve(", "// Mine.\n    axum::serve("),
    ("src/auth/README.md", "## What a reviewer reads", "Mine.\n\n## What a reviewer reads"),
];

fn edited(base: &Base) -> Project {
    let project = base.with(&[]);
    for (path, from, to) in EDITS {
        replace(&project.dir, path, from, to);
    }
    project
}

fn without_records(project: &Project) -> BTreeMap<String, Vec<u8>> {
    planned(&project.dir).into_iter().filter(|(path, _)| !path.contains(".authwright/")).collect()
}

#[test]
fn another_answer_is_a_layer_that_comes_off_by_itself() {
    let changes = later();
    assert!(changes.len() >= 2, "{changes:?}");
    for flags in changes {
        let project = edited(&DEFAULTS);
        let before = planned(&project.dir);
        let mut args = vec!["add", "--yes", "--no-check"];
        args.extend(flags.iter().map(String::as_str));
        run(&project.dir, &args).exits(0);
        assert_eq!(read(&project.dir, ".authwright/lock.toml").matches("[[layer]]").count(), 2);

        // What stands there is what one `add` with this answer would have made, with the user's words in it.
        let at_once = DEFAULTS.with(&flags);
        for (path, from, to) in EDITS {
            replace(&at_once.dir, path, from, to);
        }
        assert_eq!(without_records(&project), without_records(&at_once), "{flags:?}");

        let again = tree(&project.dir);
        assert!(run(&project.dir, &args).exits(0).err.contains("nothing to do"));
        assert_eq!(tree(&project.dir), again);
        run(&project.dir, &["undo", "--yes"]).exits(0);
        assert!(planned(&project.dir) == before, "{flags:?}: undo gave something else back");
    }
}

//! What the tool does to files that are there, as people review it: `snapshots/<stack>/<case>.patch`.
//!
//! Created files are left out: they stand in `templates/`. `UPDATE_SNAPSHOTS=1` writes the snapshots anew.

use std::{fs, path::Path};

use crate::common::{fixture, run};

/// The files of a patch that edit, without the lock.
fn edits(patch: &str) -> String {
    let files = patch.split_inclusive('\n').fold(Vec::<String>::new(), |mut files, line| {
        if line.starts_with("diff --git ") {
            files.push(String::new());
        }
        files.last_mut().unwrap().push_str(line);
        files
    });
    files.into_iter().filter(|file| !file.contains("\nnew file mode ")).collect()
}

#[test]
fn edits_are_as_reviewed() {
    for name in ["plain", "app-fn", "axum07", "workspace", "sqlx08", "crlf", "mixed", "strict-lints"] {
        let project = fixture(name);
        let now = edits(&run(&project.dir, &["add", "--dry-run", "--patch", "-", "--quiet"]).exits(0).out);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("snapshots/axum/{name}.patch"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &now).unwrap();
        }
        let reviewed = fs::read_to_string(&path).unwrap_or_default();
        assert!(now == reviewed, "{name}: review this, then run with UPDATE_SNAPSHOTS=1\n{now}");
    }
}

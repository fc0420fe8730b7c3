//! What a step of a check needs beyond its own program, such as a server to test against.
#![expect(clippy::disallowed_methods, reason = "folders of the system are looked into")]

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::process;
use crate::core::pack::Needs;

/// Why a step cannot be run, and what would help; `None` if it can. `root`: it would run as root.
pub(super) fn unmet(needs: &Needs, path: &OsStr, root: bool) -> Option<String> {
    let program = &needs.program;
    let folders = needs.folders.iter().flat_map(|pattern| matching(pattern));
    let there = folders.chain(std::env::split_paths(path)).any(|folder| {
        // One at a time, because a folder's name may hold what separates them.
        process::find(program, folder.as_os_str()).is_some()
    });
    let (unset, set) = match &needs.or {
        Some(name) => (format!(", and {name} is not set"), format!(" or set {name}")),
        None => (String::new(), String::new()),
    };
    let after = "then run `authwright check`";
    if !there {
        return Some(format!("`{program}` was not found{unset}; install it{set}, {after}"));
    }
    let refused = format!("`{program}` does not run as root{unset}; run the check as another user{set}, {after}");
    (needs.unprivileged && root).then_some(refused)
}

/// The folders that an absolute pattern names; `*` stands for any part of one name.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = if part.contains('*') {
            found.iter().flat_map(|folder| children(folder, part)).collect()
        } else {
            found.into_iter().map(|folder| folder.join(part)).collect()
        };
    }
    found.retain(|folder| folder.is_dir());
    found
}

fn children(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(glob) = globset::Glob::new(pattern).map(|glob| glob.compile_matcher()) else { return vec![] };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.filter(|entry| glob.is_match(entry.file_name())).map(|entry| entry.path()).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn needs(folders: &[String]) -> Needs {
        let folders = folders.to_vec();
        Needs { program: "server-x".to_owned(), folders, or: Some("X_URL".to_owned()), unprivileged: true }
    }

    fn server(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("server-x"), "").unwrap();
        fs::set_permissions(folder.join("server-x"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_program_may_be_on_the_path_or_in_a_folder_that_a_pattern_names() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().to_str().unwrap().to_owned();
        let pattern = [format!("{root}/lib/*/bin")];
        let why = unmet(&needs(&pattern), OsStr::new(""), false).unwrap();
        assert_eq!(
            why,
            "`server-x` was not found, and X_URL is not set; install it or set X_URL, then run `authwright check`"
        );
        server(&temp.path().join("lib/15/bin"));
        assert_eq!(unmet(&needs(&pattern), OsStr::new(""), false), None);
        assert!(unmet(&needs(&[format!("{root}/*/bin")]), OsStr::new(""), false).is_some());
        let path = std::env::join_paths([temp.path().join("none"), temp.path().join("lib/15/bin")]).unwrap();
        assert_eq!(unmet(&needs(&[]), &path, false), None);
    }

    #[test]
    fn a_program_that_refuses_root_is_not_run_as_root() {
        let temp = tempfile::tempdir().unwrap();
        server(temp.path());
        let why = unmet(&needs(&[]), temp.path().as_os_str(), true).unwrap();
        assert!(why.starts_with("`server-x` does not run as root, and X_URL is not set"), "{why}");
        let any = Needs { unprivileged: false, ..needs(&[]) };
        assert_eq!(unmet(&any, temp.path().as_os_str(), true), None);
    }
}

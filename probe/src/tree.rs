//! The application's files: looked at, and copied to start elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use regex::Regex;

/// What tools build, fetch or keep; none of it is the project.
const BUILT: [&str; 10] =
    [".git", "target", "node_modules", ".venv", "venv", "__pycache__", "_build", "deps", "vendor", ".gradle"];
/// No source file is larger.
const SIZE: u64 = 2 << 20;

/// The project's files by their paths below `folder`, without what is built.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (vec![], vec![folder.to_owned()]);
    while let Some(at) = open.pop() {
        let entries = fs::read_dir(&at).with_context(|| format!("cannot read the folder `{}`", at.display()))?;
        for entry in entries {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, entry.path());
            let is_built = entry.file_name().to_str().is_some_and(|name| BUILT.contains(&name));
            if kind.is_dir() && !is_built {
                open.push(path);
            } else if kind.is_file() && entry.metadata()?.len() <= SIZE {
                found.push(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The texts among the project's files.
///
/// # Errors
/// As for [`files`].
pub fn texts(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let text = |path: PathBuf| Some((path.clone(), fs::read_to_string(folder.join(path)).ok()?));
    Ok(files(folder)?.into_iter().filter_map(text).collect())
}

/// Copies the project, but for these files.
///
/// # Errors
/// When a file cannot be copied.
pub fn copy(from: &Path, to: &Path, without: &[&str]) -> Result<()> {
    for path in files(from)?.into_iter().filter(|path| !without.iter().any(|name| path == Path::new(name))) {
        let target = to.join(&path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(from.join(&path), &target).with_context(|| format!("cannot copy `{}`", path.display()))?;
    }
    Ok(())
}

/// What the text gives to a variable, in the ways of shells, `.env`, YAML and code: `NAME=value`, `NAME: "value"`.
pub fn assigned(text: &str, variable: &str) -> Vec<String> {
    let pattern = format!(r#"{}["']?[ \t]*[=:][ \t]*["']?([A-Za-z0-9+/_=-]{{8,}})"#, regex::escape(variable));
    let Ok(pattern) = Regex::new(&pattern) else { return vec![] };
    pattern.captures_iter(text).filter_map(|found| Some(found.get(1)?.as_str().to_owned())).collect()
}

//! Files and folders named on the command line, before there is a project.
#![expect(clippy::disallowed_methods, reason = "paths that the user names are outside any project")]

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The path of a folder that may not be there yet, as the system takes it: `..` and links of what is there are followed.
///
/// # Errors
/// When it is no path, or what is there of it cannot be read.
pub fn resolved(dir: &Path) -> Result<PathBuf> {
    let context = || format!("`{}` is not a path", dir.display());
    let path = std::path::absolute(dir).with_context(context)?;
    let there = path.ancestors().find(|dir| dir.exists()).unwrap_or(&path);
    let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
    let there = there.canonicalize().with_context(context)?;
    Ok(if rest.as_os_str().is_empty() { there } else { there.join(rest) })
}

/// A folder for a new project; taken away again unless it is kept.
#[derive(Debug)]
pub struct Fresh {
    path: PathBuf,
    /// Folders that were created, outermost first.
    created: Vec<PathBuf>,
}

impl Fresh {
    /// Creates the folder and its missing parents; for a dry run, a folder elsewhere.
    ///
    /// # Errors
    /// When a folder cannot be created.
    pub fn create(dir: &Path, dry_run: bool) -> Result<Self> {
        if dry_run {
            let path = tempfile::Builder::new().prefix("authwright-").tempdir()?.keep();
            return Ok(Self { created: vec![path.clone()], path });
        }
        let path = resolved(dir)?;
        let mut created: Vec<PathBuf> = path.ancestors().filter(|dir| !dir.exists()).map(Path::to_owned).collect();
        created.reverse();
        let fresh = Self { path, created };
        fs::create_dir_all(&fresh.path).with_context(|| format!("cannot create `{}`", dir.display()))?;
        Ok(fresh)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn keep(mut self) {
        self.created.clear();
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        for dir in self.created.iter().rev() {
            // A folder that is not empty holds something that is not ours.
            _ = fs::remove_dir(dir);
        }
    }
}

/// Whether a new project may be put there: nothing is there, or an empty folder.
///
/// # Errors
/// When the folder cannot be read.
pub fn vacant(dir: &Path) -> Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(fs::symlink_metadata(dir).is_err()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", dir.display())),
    }
}

/// Writes a file that the user named.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// The words of the command line.
#[must_use]
pub fn arguments() -> Vec<std::ffi::OsString> {
    std::env::args_os().collect()
}

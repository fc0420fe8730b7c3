//! A private copy of the project in which commands may do what they like.
#![expect(clippy::disallowed_methods, reason = "this is where the copy is made and removed")]

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use ignore::{DirEntry, WalkBuilder};
use tempfile::TempDir;

use super::{Interrupt, disk::inside_repository, journal::JOURNAL};
use crate::core::project::Change;

const PREFIX: &str = "scratch-";

/// Holds `copy/` and `tmp/`, and is removed when dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: Option<TempDir>,
    root: PathBuf,
    /// What could not or must not be copied.
    pub left_out: Vec<String>,
    /// Tells other runs that this folder is in use.
    _lock: fs::File,
}

impl Scratch {
    /// Copies `base` without what its `.gitignore` hides, but with the files named in `also`.
    pub fn copy_of(base: &Path, also: &[String], interrupt: &Interrupt) -> anyhow::Result<Self> {
        let parent = parent_folder();
        fs::create_dir_all(&parent).with_context(|| format!("cannot create `{}`", parent.display()))?;
        remove_abandoned(&parent);
        let place = || format!("cannot create a scratch folder in `{}`", parent.display());
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent).with_context(place)?;
        let root = folder.path().canonicalize().with_context(place)?;
        let lock = fs::File::open(&root).with_context(place)?;
        _ = rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        let mut scratch = Self { folder: Some(folder), root, left_out: Vec::new(), _lock: lock };
        for folder in [scratch.copy(), scratch.tmp()] {
            fs::create_dir(folder).with_context(place)?;
        }
        scratch.fill(base, also, interrupt)?;
        Ok(scratch)
    }

    #[cfg(test)]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn copy(&self) -> PathBuf {
        self.root.join("copy")
    }

    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("output.log")
    }

    /// Makes `changes` below `app` in the copy.
    pub fn change(&self, app: &str, changes: &[Change]) -> anyhow::Result<()> {
        let app = self.copy().join(app);
        for change in changes {
            let path = app.join(change.path.as_str());
            let unwritten = || format!("cannot write `{}` in the scratch copy", change.path);
            match &change.after {
                Some(text) => {
                    fs::create_dir_all(path.parent().unwrap_or(&app)).with_context(unwritten)?;
                    fs::write(&path, text.raw()).with_context(unwritten)?;
                }
                None => remove_if_there(&path).with_context(unwritten)?,
            }
        }
        Ok(())
    }

    fn fill(&mut self, base: &Path, also: &[String], interrupt: &Interrupt) -> anyhow::Result<()> {
        let base = base.canonicalize().with_context(|| format!("cannot open `{}`", base.display()))?;
        for entry in walk(&base, self.root.clone()) {
            if interrupt.is_set() {
                return Ok(());
            }
            match entry {
                Ok(entry) => self.add(&entry, &base)?,
                Err(error) => self.left_out.push(error.to_string()),
            }
        }
        for name in also {
            let (from, to) = (base.join(name), self.copy().join(name));
            if from.is_file() && !to.exists() {
                fs::create_dir_all(to.parent().unwrap_or(&to))
                    .and_then(|()| fs::copy(&from, &to).map(drop))
                    .with_context(|| format!("cannot copy `{name}`"))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, entry: &DirEntry, base: &Path) -> anyhow::Result<()> {
        let (from, Some(kind)) = (entry.path(), entry.file_type()) else {
            return Ok(());
        };
        let name = from.strip_prefix(base).unwrap_or(from);
        let to = self.copy().join(name);
        let copied = if kind.is_dir() {
            fs::create_dir_all(&to)
        } else if kind.is_symlink() {
            self.add_link(from, name, base, &to)
        } else if kind.is_file() {
            match fs::copy(from, &to) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.left_out.push(format!("{}: {error}", name.display()));
                    Ok(())
                }
                copied => copied.map(drop),
            }
        } else {
            Ok(())
        };
        copied.with_context(|| format!("cannot copy `{}`", name.display()))
    }

    /// A link is copied only if it means the same thing in the copy.
    fn add_link(&mut self, from: &Path, name: &Path, base: &Path, to: &Path) -> io::Result<()> {
        let target = fs::read_link(from)?;
        let real = from.canonicalize();
        if stays_inside(name, &target) && real.as_ref().map_or(true, |real| real.starts_with(base)) {
            return link(&target, to);
        }
        self.left_out.push(format!("{}: a symlink that leaves the project", name.display()));
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Some(folder) = self.folder.take() else {
            return;
        };
        let path = folder.keep();
        remove_tree(&path);
    }
}

/// Package managers look for their settings in the folders above, so none of those may be one in which
/// another user of the machine can put a file, as `/tmp` is.
fn parent_folder() -> PathBuf {
    let temp = std::env::temp_dir();
    if !is_shared(&temp) {
        return temp;
    }
    cache_folder().unwrap_or(temp)
}

/// `authwright` in the user's cache folder; `None` without a home.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("authwright"))
}

#[cfg(unix)]
fn is_shared(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let shared = |path: &Path| fs::metadata(path).map_or(true, |meta| meta.mode() & 0o002 != 0);
    folder.canonicalize().map_or(true, |folder| folder.ancestors().any(shared))
}

#[cfg(not(unix))]
fn is_shared(_: &Path) -> bool {
    false
}

#[cfg(unix)]
fn link(target: &Path, to: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, to)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

fn walk(base: &Path, scratch: PathBuf) -> ignore::Walk {
    let mut builder = WalkBuilder::new(base);
    builder
        .follow_links(false)
        .hidden(false)
        .require_git(false)
        .git_global(false)
        .ignore(false)
        .parents(inside_repository(base))
        // The cache folder may be inside the project; the copy must not be copied.
        .filter_entry(move |entry| entry.depth() == 0 || !is_rebuilt(entry) && entry.path() != scratch);
    builder.build()
}

/// What tools make again, whether or not it is ignored, and what belongs to the original only.
fn is_rebuilt(entry: &DirEntry) -> bool {
    let path = entry.path();
    let name = entry.file_name();
    name == ".git"
        || name == JOURNAL
        || entry.file_type().is_some_and(|kind| kind.is_dir())
            && (name == "node_modules" || path.join("CACHEDIR.TAG").is_file() || path.join("pyvenv.cfg").is_file())
}

fn stays_inside(name: &Path, target: &Path) -> bool {
    let mut depth = name.components().count() - 1;
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Scratch folders of runs that were killed. Nobody holds their lock, and they are not brand new.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let old = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|time| time.elapsed().ok());
        let Ok(folder) = fs::File::open(entry.path()) else {
            continue;
        };
        let unused = rustix::fs::flock(&folder, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok();
        if unused && old.is_some_and(|age| age > Duration::from_hours(1)) {
            remove_tree(&entry.path());
        }
    }
}

fn remove_tree(path: &Path) {
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    // Some package managers write-protect their folders.
    unprotect(path);
    _ = fs::remove_dir_all(path);
}

#[cfg(unix)]
fn unprotect(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let is_dir = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    if !is_dir || fs::set_permissions(path, fs::Permissions::from_mode(0o700)).is_err() {
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        unprotect(&entry.path());
    }
}

#[cfg(not(unix))]
fn unprotect(_: &Path) {}

#[cfg(test)]
#[cfg(unix)]
mod tests;

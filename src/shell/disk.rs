//! The project's files, reached only through the opened project folder.
#![expect(clippy::disallowed_methods, reason = "this is where the project is read")]

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::mpsc,
};

use anyhow::Context as _;
use cap_std::{ambient_authority, fs::Dir};
use globset::GlobSet;
use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::core::{
    problem::Problem,
    project::{RelPath, Text, Tree},
};

/// The most that is read of a file asked for by name.
const FILE_LIMIT: u64 = 4 << 20;
/// The most that is read of a file found by pattern.
const FOUND_LIMIT: u64 = 1 << 20;
const DEPTH_LIMIT: usize = 32;
/// Threads that list folders.
const WALKERS: usize = 4;

/// Never source code, wherever they are.
const NOT_SOURCE: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "node_modules",
    "__pycache__",
    ".tox",
    ".next",
    ".nuxt",
    ".svelte-kit",
    ".gradle",
    super::journal::JOURNAL,
];
/// Output or dependencies at the top of a package, but a fair name for a module below `src`.
const NOT_SOURCE_OUTSIDE_SRC: &[&str] = &["target", "vendor", "dist", "build", "out", "coverage"];

/// An opened project folder. No path given to it can reach outside.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    dir: Dir,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    Missing,
    Text(Text),
    /// A folder, a dangling symlink, bytes that are not UTF-8 or hold NUL, or more than 4 MiB.
    NotText,
}

/// A file that detection could not look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    pub path: String,
    pub why: String,
}

impl Disk {
    /// # Errors
    /// A [`Problem`] when `root` is not a folder that can be opened.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let dir = Dir::open_ambient_dir(root, ambient_authority()).map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::NotFound => format!("there is no folder `{}`", root.display()),
                io::ErrorKind::NotADirectory => format!("`{}` is not a folder", root.display()),
                _ => format!("cannot open the folder `{}`: {error}", root.display()),
            };
            Problem::problem(what, "name the folder of an existing project")
        })?;
        Ok(Self { root: root.to_owned(), dir })
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// # Errors
    /// A [`Problem`] when the path leads out of the project; context when the file cannot be read.
    pub fn read(&self, path: &RelPath) -> anyhow::Result<Read> {
        self.read_at_most(path, FILE_LIMIT).map(|found| found.unwrap_or(Read::NotText))
    }

    /// Whether anything is at `path`: a folder and a dangling symlink count.
    ///
    /// # Errors
    /// A [`Problem`] when the path leads out of the project.
    pub fn exists(&self, path: &RelPath) -> anyhow::Result<bool> {
        match self.dir.symlink_metadata(path.as_str()) {
            Ok(_) => Ok(true),
            Err(error) if nothing_there(&error) => Ok(false),
            Err(error) => Err(self.explain(error, path, "look at")),
        }
    }

    /// Every text file that matches one of `globs`, except what `.gitignore` or convention hides, and
    /// every path in `always` that exists, hidden or not. A symlink to a folder is not followed.
    ///
    /// # Errors
    /// When the project folder itself cannot be listed.
    pub fn tree(&self, globs: &GlobSet, always: &[RelPath]) -> anyhow::Result<(Tree, Vec<Unread>)> {
        self.can_be_walked()?;
        let mut found = Found::default();
        for entry in self.walk() {
            match entry {
                Ok(entry) => self.add(&entry, globs, &mut found),
                Err(error) if found.is_empty() && error.depth() == Some(0) => {
                    return Err(error).with_context(|| format!("cannot list `{}`", self.root.display()));
                }
                Err(error) => found.unread.push(self.unlisted(&error)),
            }
        }
        for path in always {
            match self.read_at_most(path, FILE_LIMIT) {
                Ok(Some(Read::Missing)) => {}
                read => found.add(path, read),
            }
        }
        found.unread.sort_by(|a, b| a.path.cmp(&b.path));
        found.unread.dedup_by(|a, b| a.path == b.path);
        Ok((found.tree, found.unread))
    }

    /// The path of every file that is neither hidden by `.gitignore` nor by convention, and what could not be listed.
    /// No file is opened, and no symlink followed. Of hidden folders, only those in `shown` are looked into.
    ///
    /// # Errors
    /// When the project folder itself cannot be listed.
    pub fn paths(&self, shown: &'static [&'static str]) -> anyhow::Result<(Vec<String>, Vec<Unread>)> {
        self.can_be_walked()?;
        // Listing as another kind of error would, before threads are started for it.
        self.dir.entries().with_context(|| format!("cannot list `{}`", self.root.display()))?;
        let (send, receive) = mpsc::channel::<Vec<Result<String, Unread>>>();
        self.builder(shown).threads(WALKERS).build_parallel().run(|| {
            let mut batch = Batch { send: send.clone(), found: vec![] };
            Box::new(move |entry| {
                batch.found.extend(self.listed(entry));
                batch.send_full();
                WalkState::Continue
            })
        });
        drop(send);
        let (mut paths, mut unread) = (vec![], vec![]);
        for found in receive.into_iter().flatten() {
            match found {
                Ok(path) => paths.push(path),
                Err(why) => unread.push(why),
            }
        }
        paths.sort_unstable();
        unread.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((paths, unread))
    }

    /// A file, or what could not be listed; nothing for a folder.
    fn listed(&self, entry: Result<DirEntry, ignore::Error>) -> Option<Result<String, Unread>> {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return Some(Err(self.unlisted(&error))),
        };
        if entry.file_type().is_none_or(|kind| kind.is_dir()) {
            return None;
        }
        Some(Ok(entry.path().strip_prefix(&self.root).ok()?.to_str()?.to_owned()))
    }

    /// The text of a file found by pattern, or why there is none.
    ///
    /// # Errors
    /// In words for people.
    pub fn found(&self, path: &RelPath) -> Result<Text, String> {
        match self.read_at_most(path, FOUND_LIMIT) {
            Ok(Some(Read::Text(text))) => Ok(text),
            Ok(Some(Read::Missing)) => Err("it is gone".to_owned()),
            Ok(Some(Read::NotText)) => Err("not a text file".to_owned()),
            Ok(None) => Err("too large".to_owned()),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The error for `path`: a [`Problem`] where it leads out of the project, else `error` in context.
    pub(super) fn explain(&self, error: io::Error, path: &RelPath, verb: &str) -> anyhow::Error {
        // cap-std's refusal to leave the folder has no error number, unlike the system's own.
        if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
            let link = self.first_symlink(path).unwrap_or_else(|| path.to_string());
            return Problem::problem(
                format!("`{path}` leads out of the project\n  `{link}` is a symlink"),
                format!("replace `{link}` by a file or folder of the project"),
            )
            .into();
        }
        anyhow::Error::new(error).context(format!("cannot {verb} `{path}`"))
    }

    fn first_symlink(&self, path: &RelPath) -> Option<String> {
        let path = path.as_str();
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        ends.map(|end| &path[..end])
            .find(|part| self.dir.symlink_metadata(part).is_ok_and(|meta| meta.is_symlink()))
            .map(str::to_owned)
    }

    /// `None`: text or not, it is larger than `limit`.
    fn read_at_most(&self, path: &RelPath, limit: u64) -> anyhow::Result<Option<Read>> {
        match self.dir.metadata(path.as_str()) {
            // Only a regular file is opened: opening a pipe would wait for its other end.
            Ok(meta) if !meta.is_file() => return Ok(Some(Read::NotText)),
            Ok(_) => {}
            Err(error) if nothing_there(&error) => {
                let dangling = self.exists(path)?;
                return Ok(Some(if dangling { Read::NotText } else { Read::Missing }));
            }
            Err(error) => return Err(self.explain(error, path, "read")),
        }
        let mut bytes = Vec::new();
        let file = self.dir.open(path.as_str()).map_err(|error| self.explain(error, path, "read"))?;
        file.take(limit + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read `{path}`"))?;
        if bytes.len() as u64 > limit {
            return Ok(None);
        }
        Ok(Some(match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Read::Text(Text::new(text)),
            _ => Read::NotText,
        }))
    }

    /// What git ignores is read by the library that walks.
    fn can_be_walked(&self) -> Result<(), Problem> {
        let odd = [".gitignore", ".git/info/exclude"].into_iter().find(|name| is_endless(&self.root.join(name)));
        odd.map_or(Ok(()), |name| {
            Err(Problem::problem(
                format!("`{name}` is too large, or no file"),
                format!("make `{name}` a list of what git ignores, then run the command again"),
            ))
        })
    }

    fn walk(&self) -> ignore::Walk {
        self.builder(&[]).hidden(true).sort_by_file_name(Ord::cmp).build()
    }

    fn builder(&self, shown: &'static [&'static str]) -> WalkBuilder {
        let mut builder = WalkBuilder::new(&self.root);
        builder
            .hidden(false)
            .max_depth(Some(DEPTH_LIMIT))
            .follow_links(false)
            .require_git(false)
            // The answer must not depend on one user's settings or on what a search tool skips.
            .git_global(false)
            .ignore(false)
            .parents(inside_repository(&self.root));
        let root = self.root.clone();
        builder.filter_entry(move |entry| !is_not_source(entry, &root) && !is_hidden(entry, shown));
        builder
    }

    fn add(&self, entry: &DirEntry, globs: &GlobSet, found: &mut Found) {
        let Some(name) = entry.path().strip_prefix(&self.root).ok().and_then(Path::to_str) else {
            return;
        };
        if entry.file_type().is_none_or(|kind| kind.is_dir()) || !globs.is_match(name) {
            return;
        }
        match RelPath::new(name) {
            // A match that is a folder behind a symlink is no file to read.
            Ok(path) if entry.path_is_symlink() && self.dir.metadata(name).is_ok_and(|meta| meta.is_dir()) => {
                drop(path);
            }
            Ok(path) => found.add(&path, self.read_at_most(&path, FOUND_LIMIT)),
            Err(problem) => found.unread.push(Unread { path: name.to_owned(), why: problem.what }),
        }
    }

    fn unlisted(&self, error: &ignore::Error) -> Unread {
        let mut inner = error;
        let mut path = String::from(".");
        loop {
            match inner {
                ignore::Error::WithPath { path: at, err } => {
                    path = at.strip_prefix(&self.root).unwrap_or(at).to_string_lossy().into_owned();
                    inner = err;
                }
                ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => inner = err,
                _ => {
                    return Unread { path, why: inner.to_string() };
                }
            }
        }
    }
}

/// What one thread has found and not yet handed over.
struct Batch {
    send: mpsc::Sender<Vec<Result<String, Unread>>>,
    found: Vec<Result<String, Unread>>,
}

impl Batch {
    fn send_full(&mut self) {
        if self.found.len() >= 1000 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        // The receiver outlives the walk.
        _ = self.send.send(std::mem::take(&mut self.found));
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.flush();
    }
}

fn is_hidden(entry: &DirEntry, shown: &[&str]) -> bool {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    let name = entry.file_name().to_str().unwrap_or_default();
    entry.depth() > 0 && is_folder && name.starts_with('.') && !shown.contains(&name)
}

#[derive(Default)]
struct Found {
    tree: Tree,
    unread: Vec<Unread>,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.tree.iter().next().is_none() && self.unread.is_empty()
    }

    fn add(&mut self, path: &RelPath, read: anyhow::Result<Option<Read>>) {
        let why = match read {
            Ok(Some(Read::Text(text))) => return self.tree.insert(path.clone(), text),
            // It went away between listing and reading.
            Ok(Some(Read::Missing)) => return,
            Ok(Some(Read::NotText)) => "not a text file".to_owned(),
            Ok(None) => "too large".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        self.unread.push(Unread { path: path.to_string(), why });
    }
}

/// Whether a folder above is a repository, so that its `.gitignore` speaks about this one. Without
/// one, a stray `.gitignore` above the project must not hide its files.
pub(super) fn inside_repository(root: &Path) -> bool {
    let Ok(root) = std::fs::canonicalize(root) else {
        return false;
    };
    root.ancestors().skip(1).any(|dir| dir.join(".git").exists()) && !root.join(".git").exists()
}

/// Reading it would not end, or take all memory.
fn is_endless(list: &Path) -> bool {
    std::fs::metadata(list).is_ok_and(|meta| !meta.is_dir() && (!meta.is_file() || meta.len() > FOUND_LIMIT))
}

fn is_not_source(entry: &DirEntry, root: &Path) -> bool {
    let Some(name) = entry.file_name().to_str() else {
        return true;
    };
    if entry.depth() == 0 || entry.file_type().is_some_and(|kind| kind.is_file()) {
        return false;
    }
    let below_src = || {
        let inside = entry.path().strip_prefix(root).unwrap_or(entry.path());
        inside.components().any(|part| part.as_os_str() == "src")
    };
    NOT_SOURCE.contains(&name)
        || (NOT_SOURCE_OUTSIDE_SRC.contains(&name) && !below_src())
        || is_endless(&entry.path().join(".gitignore"))
}

pub(super) fn nothing_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;

//! The journal of a transaction: which files it touches, what they were, and whether it may touch them.

use std::collections::BTreeSet;

use anyhow::Context as _;
use cap_std::fs::{MetadataExt as _, PermissionsExt as _};
use rustix::fs::Uid;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, Read, nothing_there};
use crate::core::{
    problem::Problem,
    project::{Change, RelPath, Text},
};

pub const JOURNAL: &str = ".authwright-journal";
pub(super) const READY: &str = ".authwright-journal/ready";

/// The journal's table of contents.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) files: Vec<FileRecord>,
    /// Folders made for new files, outermost first.
    pub(super) created: Vec<RelPath>,
    /// Folders that deletions leave empty, innermost first.
    pub(super) removed: Vec<FolderRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) path: RelPath,
    /// Where the new or restored text is written before it takes the file's place.
    pub(super) temp: RelPath,
    pub(super) before: Option<Original>,
    /// SHA-256 of the new text.
    pub(super) after: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Original {
    copy: usize,
    pub(super) sha256: String,
    pub(super) mode: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FolderRecord {
    pub(super) path: RelPath,
    pub(super) mode: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Now {
    Before,
    After,
}

impl Record {
    /// What `changes` would do to `disk`, or why it must not be done.
    pub(super) fn of(disk: &Disk, changes: &[Change]) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, change) in changes.iter().filter(|change| change.before != change.after).enumerate() {
            refuse_private(&change.path)?;
            anyhow::ensure!(seen.insert(&change.path), "`{}` would be changed twice", change.path);
            files.push(FileRecord::of(disk, change, index)?);
        }
        let created = missing_folders(disk, &files)?;
        let removed = emptied_folders(disk, &files)?;
        Ok(Self { files, created, removed })
    }

    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let record: Self = serde_json::from_str(text).map_err(|_| foreign_journal("holds no readable record"))?;
        for file in &record.files {
            refuse_private(&file.path)?;
            refuse_private(&file.temp)?;
            let name = file.temp.as_str().rsplit('/').next().unwrap_or_default();
            if file.temp.parent() != file.path.parent() || !name.starts_with(TEMP_PREFIX) {
                return Err(foreign_journal("names a file that authwright would not write"));
            }
        }
        for folder in record.created.iter().chain(record.removed.iter().map(|folder| &folder.path)) {
            refuse_private(folder)?;
        }
        Ok(record)
    }

    /// Every folder whose list of names changes.
    pub(super) fn folders(&self) -> BTreeSet<String> {
        let files = self.files.iter().map(|file| &file.path);
        let folders = self.created.iter().chain(self.removed.iter().map(|folder| &folder.path));
        files.chain(folders).map(|path| path.parent().map_or(".".to_owned(), String::from)).collect()
    }
}

const TEMP_PREFIX: &str = ".authwright-tmp-";

impl FileRecord {
    pub(super) fn of(disk: &Disk, change: &Change, index: usize) -> anyhow::Result<Self> {
        let path = &change.path;
        expect_before(disk, path, change.before.as_ref())?;
        let before = match &change.before {
            None => None,
            Some(text) => {
                let meta = disk.dir().metadata(path.as_str()).map_err(|error| disk.explain(error, path, "look at"))?;
                Some(Original { copy: index, sha256: text.sha256(), mode: meta.permissions().mode() & 0o777 })
            }
        };
        Ok(Self {
            path: path.clone(),
            temp: unused_name(disk, path, index)?,
            before,
            after: change.after.as_ref().map(Text::sha256),
        })
    }

    /// Which of the two the file is, or a [`Problem`] if someone made it a third.
    pub(super) fn now(&self, disk: &Disk) -> anyhow::Result<Now> {
        let read = if is_symlink(disk, self.path.as_str()) { Read::NotText } else { disk.read(&self.path)? };
        let hash = match read {
            Read::Missing => Some(None),
            Read::Text(text) => Some(Some(text.sha256())),
            Read::NotText => None,
        };
        if hash.as_ref() == Some(&self.before.as_ref().map(|original| original.sha256.clone())) {
            return Ok(Now::Before);
        }
        if hash.as_ref() == Some(&self.after) {
            return Ok(Now::After);
        }
        // It was edited before its turn came: what is there is the user's, and stays.
        if self.after.is_none() || disk.exists(&self.temp)? {
            return Ok(Now::Before);
        }
        Err(Problem::problem(
            format!("an interrupted run cannot be rolled back: `{}` was edited since", self.path),
            format!(
                "copy your version elsewhere and delete it here, or delete `{JOURNAL}` to keep every file as it is now"
            ),
        )
        .into())
    }
}

impl Original {
    pub(super) fn place(&self) -> String {
        format!("{JOURNAL}/{}", self.copy)
    }
}

fn expect_before(disk: &Disk, path: &RelPath, before: Option<&Text>) -> anyhow::Result<()> {
    if is_symlink(disk, path.as_str()) {
        return Err(Problem::problem(
            format!("`{path}` is a symlink, which is never replaced"),
            format!("replace `{path}` by a regular file"),
        )
        .into());
    }
    let what = match (disk.read(path)?, before) {
        (Read::Missing, None) => return Ok(()),
        (Read::Text(now), Some(before)) if now == *before => return Ok(()),
        (Read::Missing, Some(_)) => format!("`{path}` was deleted since it was read"),
        (_, Some(_)) => return Err(changed(path).into()),
        (_, None) => format!("`{path}` is already there"),
    };
    Err(Problem::problem(what, SEE_AGAIN).into())
}

const SEE_AGAIN: &str = "run the command again, so that it sees the project as it is now";

pub(super) fn changed(path: &RelPath) -> Problem {
    Problem::problem(format!("`{path}` was changed since it was read"), SEE_AGAIN)
}

/// A folder in which authwright never writes: what is there could run as a program.
fn refuse_private(path: &RelPath) -> anyhow::Result<()> {
    let private = path.as_str().split('/').any(|part| part.eq_ignore_ascii_case(".git"))
        || path.as_str().split('/').next().is_some_and(|part| part.eq_ignore_ascii_case(JOURNAL));
    if private {
        return Err(Problem::problem(
            format!("`{path}` is not a place that authwright writes to"),
            format!("delete `{JOURNAL}` if it is there: this version of authwright did not write it"),
        )
        .into());
    }
    Ok(())
}

pub(super) fn foreign_journal(why: &str) -> anyhow::Error {
    Problem::problem(
        format!("`{JOURNAL}` {why}"),
        format!("look at what it holds, then delete `{JOURNAL}` and run this again"),
    )
    .into()
}

/// Refuses a journal that another user has put there: in a folder above the one that was named, they may.
///
/// # Errors
/// When it is another user's, or cannot be looked at.
pub fn refuse_others(disk: &Disk) -> anyhow::Result<()> {
    if belongs_to(disk, rustix::process::geteuid()) {
        return Ok(());
    }
    Err(Problem::problem(
        format!("`{JOURNAL}` in {} is another user's, or leads elsewhere", disk.root().display()),
        "run the command as that user, or delete the folder if nobody was interrupted there",
    )
    .into())
}

pub(super) fn belongs_to(disk: &Disk, user: Uid) -> bool {
    [JOURNAL, READY].iter().all(|path| match disk.dir().symlink_metadata(path) {
        Ok(meta) => meta.uid() == user.as_raw() && !meta.is_symlink(),
        Err(error) => nothing_there(&error),
    })
}

pub(super) fn is_symlink(disk: &Disk, path: &str) -> bool {
    disk.dir().symlink_metadata(path).is_ok_and(|meta| meta.is_symlink())
}

fn unused_name(disk: &Disk, path: &RelPath, index: usize) -> anyhow::Result<RelPath> {
    let dir = path.parent().map_or(String::new(), |dir| format!("{dir}/"));
    let process = std::process::id();
    for attempt in 0..1000 {
        let name = RelPath::new(&format!("{dir}{TEMP_PREFIX}{process}-{index}-{attempt}"))?;
        if !disk.exists(&name)? {
            return Ok(name);
        }
    }
    anyhow::bail!("`{dir}` is full of files named `{TEMP_PREFIX}…`")
}

fn missing_folders(disk: &Disk, files: &[FileRecord]) -> anyhow::Result<Vec<RelPath>> {
    let mut missing = BTreeSet::new();
    for file in files.iter().filter(|file| file.before.is_none()) {
        let mut next = file.path.parent();
        while let Some(folder) = next {
            match disk.dir().metadata(folder.as_str()) {
                Ok(meta) if meta.is_dir() => break,
                Err(error) if nothing_there(&error) && !is_symlink(disk, folder.as_str()) => {}
                Err(error) if !nothing_there(&error) => {
                    return Err(disk.explain(error, &folder, "look at"));
                }
                _ => return Err(not_a_folder(&folder, &file.path)),
            }
            next = folder.parent();
            missing.insert(folder);
        }
    }
    // In path order a folder comes before what is in it.
    Ok(missing.into_iter().collect())
}

fn not_a_folder(folder: &RelPath, path: &RelPath) -> anyhow::Error {
    Problem::problem(
        format!("`{path}` cannot be created: `{folder}` is not a folder"),
        format!("move `{folder}` away and run this again"),
    )
    .into()
}

fn emptied_folders(disk: &Disk, files: &[FileRecord]) -> anyhow::Result<Vec<FolderRecord>> {
    let (deleted, kept): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.after.is_none());
    let mut gone: BTreeSet<RelPath> = deleted.iter().map(|file| file.path.clone()).collect();
    let mut candidates = BTreeSet::new();
    for file in &deleted {
        let mut next = file.path.parent();
        while let Some(folder) = next {
            next = folder.parent();
            candidates.insert(folder);
        }
    }
    let mut emptied = Vec::new();
    // Backwards in path order, what is in a folder comes before it.
    for folder in candidates.into_iter().rev() {
        let inside = format!("{folder}/");
        if kept.iter().any(|file| file.path.as_str().starts_with(&inside)) {
            continue;
        }
        let meta = disk.dir().symlink_metadata(folder.as_str()).map_err(|e| disk.explain(e, &folder, "look at"))?;
        if meta.is_dir() && holds_only(disk, &folder, &gone)? {
            gone.insert(folder.clone());
            emptied.push(FolderRecord { path: folder, mode: meta.permissions().mode() & 0o7777 });
        }
    }
    Ok(emptied)
}

fn holds_only(disk: &Disk, folder: &RelPath, names: &BTreeSet<RelPath>) -> anyhow::Result<bool> {
    for entry in disk.dir().read_dir(folder.as_str()).map_err(|error| disk.explain(error, folder, "list"))? {
        let name = entry.with_context(|| format!("cannot list `{folder}`"))?.file_name();
        let listed = name.to_str().and_then(|name| RelPath::new(&format!("{folder}/{name}")).ok());
        if !listed.is_some_and(|path| names.contains(&path)) {
            return Ok(false);
        }
    }
    Ok(true)
}

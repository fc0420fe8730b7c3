//! All changes in one transaction: after a crash or a power loss the project is the old one or the new one.
//!
//! `.authwright-journal/` holds the originals. Its `ready` file is written once they are on disk and
//! before the first target is touched; renaming `ready` to `done` is the moment the new project counts.
//! A journal with `ready` is rolled back, any other journal is only cleared away.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
};

use anyhow::Context as _;
use cap_std::fs::{MetadataExt as _, OpenOptions, OpenOptionsExt as _, PermissionsExt as _};
use rustix::{
    fd::OwnedFd,
    fs::{FlockOperation, Gid, Mode, OFlags, Uid},
};
use serde::{Deserialize, Serialize};

use super::disk::{Disk, Read, nothing_there};
use crate::core::{
    problem::Problem,
    project::{Change, RelPath, Text, sha256},
};

pub const JOURNAL: &str = ".authwright-journal";
const NEW: &str = ".authwright-journal/ready.new";
const READY: &str = ".authwright-journal/ready";
const DONE: &str = ".authwright-journal/done";

/// Makes all `changes` or none.
///
/// # Errors
/// When a file is not what the change expects, another run is writing, or the disk refuses; the
/// project is then what it was.
pub fn apply(disk: &Disk, changes: &[Change]) -> anyhow::Result<()> {
    apply_with(disk, changes, &mut |_| Ok(()))
}

/// Brings the project of an interrupted run back, and says so. `None`: there was none.
///
/// # Errors
/// When another run is writing, or a file was edited after the interruption.
pub fn recover(disk: &Disk) -> anyhow::Result<Option<String>> {
    recover_with(disk, &mut |_| Ok(()))
}

/// Called before each step with its name; the tests return errors from it.
type BeforeStep<'a> = &'a mut dyn FnMut(&str) -> anyhow::Result<()>;

fn apply_with(disk: &Disk, changes: &[Change], before_step: BeforeStep) -> anyhow::Result<()> {
    let _lock = lock(disk)?;
    let mut steps = Steps { disk, before_step };
    settle(&mut steps)?;
    let record = Record::of(disk, changes)?;
    if record.files.is_empty() {
        return Ok(());
    }
    let Err(error) = transact(&mut steps, &record, changes) else {
        // The new project counts. What cannot be cleared away now, the next run clears away.
        if steps.sync_folder(JOURNAL).and_then(|()| clear(&mut steps)).is_err() {
            _ = settle(&mut steps);
        }
        return Ok(());
    };
    match settle(&mut steps) {
        Ok(_) => Err(error),
        Err(second) => Err(error.context(format!("the project could not be restored yet ({second:#}): run again"))),
    }
}

fn recover_with(disk: &Disk, before_step: BeforeStep) -> anyhow::Result<Option<String>> {
    let mut steps = Steps { disk, before_step };
    if !steps.is_there(JOURNAL) {
        return Ok(None);
    }
    let _lock = lock(disk)?;
    Ok(match settle(&mut steps)? {
        Settled::Nothing => None,
        Settled::RolledBack => Some("an interrupted run was rolled back: the project is what it was before".to_owned()),
        Settled::Cleared { done: true } => Some("an interrupted run was complete: its journal was removed".to_owned()),
        Settled::Cleared { done: false } => {
            Some("an interrupted run had changed nothing: its journal was removed".to_owned())
        }
    })
}

/// The lock is on the project folder itself, so nothing has to be created or left behind.
fn lock(disk: &Disk) -> anyhow::Result<OwnedFd> {
    let folder = open_folder(disk, ".").context("cannot open the project folder")?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(folder),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Problem::problem(
            format!("another authwright is writing here\n  {}", disk.root().display()),
            "wait until it has ended, then run this again",
        )
        .into()),
        Err(error) => Err(error).context("cannot lock the project folder"),
    }
}

fn open_folder(disk: &Disk, path: &str) -> io::Result<OwnedFd> {
    // cap-std opens folders with O_PATH, which can be neither locked nor synced.
    let folder = if path == "." { disk.dir().try_clone()? } else { disk.dir().open_dir(path)? };
    Ok(rustix::fs::openat(&folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn transact(steps: &mut Steps, record: &Record, changes: &[Change]) -> anyhow::Result<()> {
    write_journal(steps, record, changes)?;
    for folder in &record.created {
        steps.create_folder(folder.as_str())?;
    }
    let planned = |file: &FileRecord| changes.iter().find(|change| change.path == file.path);
    for file in &record.files {
        if let Some(text) = planned(file).and_then(|change| change.after.as_ref()) {
            steps.write_like(file, text.raw())?;
        }
    }
    for file in &record.files {
        steps.put(file)?;
    }
    for folder in &record.removed {
        steps.remove_folder_if_empty(folder.path.as_str())?;
    }
    steps.sync_all(record)?;
    steps.rename(READY, DONE)
}

fn write_journal(steps: &mut Steps, record: &Record, changes: &[Change]) -> anyhow::Result<()> {
    steps.create_folder(JOURNAL)?;
    for file in &record.files {
        let before = changes.iter().find(|change| change.path == file.path).and_then(|change| change.before.as_ref());
        if let (Some(original), Some(before)) = (&file.before, before) {
            steps.write_new(&original.place(), before.raw().as_bytes(), 0o600)?;
        }
    }
    let text = serde_json::to_vec_pretty(record).context("cannot write the journal")?;
    steps.write_new(NEW, &text, 0o600)?;
    steps.sync_folder(JOURNAL)?;
    steps.sync_folder(".")?;
    steps.rename(NEW, READY)?;
    steps.sync_folder(JOURNAL)
}

enum Settled {
    Nothing,
    RolledBack,
    Cleared { done: bool },
}

/// Leaves no journal behind, whatever a run before this one left.
fn settle(steps: &mut Steps) -> anyhow::Result<Settled> {
    match steps.disk.dir().symlink_metadata(JOURNAL) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(foreign_journal("is not a folder")),
        Err(error) if nothing_there(&error) => return Ok(Settled::Nothing),
        Err(error) => return Err(error).with_context(|| format!("cannot look at `{JOURNAL}`")),
    }
    if !steps.is_there(READY) {
        let done = steps.is_there(DONE);
        clear(steps)?;
        return Ok(Settled::Cleared { done });
    }
    let record = Record::read(steps.disk)?;
    roll_back(steps, &record)?;
    steps.remove(READY)?;
    steps.sync_folder(JOURNAL)?;
    clear(steps)?;
    Ok(Settled::RolledBack)
}

fn roll_back(steps: &mut Steps, record: &Record) -> anyhow::Result<()> {
    // Every file is looked at before the first is restored, so that a refusal leaves all as it is.
    let now: Vec<Now> = record.files.iter().map(|file| file.now(steps.disk)).collect::<Result<_, _>>()?;
    for folder in record.removed.iter().rev() {
        if !steps.is_there(folder.path.as_str()) {
            steps.create_folder(folder.path.as_str())?;
        }
        steps.set_mode(folder.path.as_str(), folder.mode)?;
    }
    for (file, now) in record.files.iter().zip(now) {
        steps.remove_if_there(file.temp.as_str())?;
        if now == Now::After {
            steps.restore(file)?;
        }
    }
    for folder in record.created.iter().rev() {
        steps.remove_folder_if_empty(folder.as_str())?;
    }
    steps.sync_all(record)
}

fn clear(steps: &mut Steps) -> anyhow::Result<()> {
    // The marker goes first: without it the rest means nothing.
    steps.remove_if_there(DONE)?;
    let unlisted = || format!("cannot list `{JOURNAL}`");
    let names: Result<Vec<_>, _> = steps.disk.dir().read_dir(JOURNAL).with_context(unlisted)?.collect();
    for entry in names.with_context(unlisted)? {
        steps.remove(&format!("{JOURNAL}/{}", entry.file_name().to_string_lossy()))?;
    }
    steps.act("remove folder", JOURNAL, |disk| disk.dir().remove_dir(JOURNAL))?;
    steps.sync_folder(".")
}

/// The journal's table of contents.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    files: Vec<FileRecord>,
    /// Folders made for new files, outermost first.
    created: Vec<RelPath>,
    /// Folders that deletions leave empty, innermost first.
    removed: Vec<FolderRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FileRecord {
    path: RelPath,
    /// Where the new or restored text is written before it takes the file's place.
    temp: RelPath,
    before: Option<Original>,
    /// SHA-256 of the new text.
    after: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Original {
    copy: usize,
    sha256: String,
    mode: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct FolderRecord {
    path: RelPath,
    mode: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Now {
    Before,
    After,
}

impl Record {
    /// What `changes` would do to `disk`, or why it must not be done.
    fn of(disk: &Disk, changes: &[Change]) -> anyhow::Result<Self> {
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

    fn read(disk: &Disk) -> anyhow::Result<Self> {
        let text = disk.dir().read(READY).with_context(|| format!("cannot read `{READY}`"))?;
        let record: Self = serde_json::from_slice(&text).map_err(|_| foreign_journal("holds no readable record"))?;
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
    fn folders(&self) -> BTreeSet<String> {
        let files = self.files.iter().map(|file| &file.path);
        let folders = self.created.iter().chain(self.removed.iter().map(|folder| &folder.path));
        files.chain(folders).map(|path| path.parent().map_or(".".to_owned(), String::from)).collect()
    }
}

const TEMP_PREFIX: &str = ".authwright-tmp-";

impl FileRecord {
    fn of(disk: &Disk, change: &Change, index: usize) -> anyhow::Result<Self> {
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
    fn now(&self, disk: &Disk) -> anyhow::Result<Now> {
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
    fn place(&self) -> String {
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

fn changed(path: &RelPath) -> Problem {
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

fn foreign_journal(why: &str) -> anyhow::Error {
    Problem::problem(
        format!("`{JOURNAL}` {why}"),
        format!("look at what it holds, then delete `{JOURNAL}` and run this again"),
    )
    .into()
}

fn is_symlink(disk: &Disk, path: &str) -> bool {
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

/// The only functions here that change the disk, one step each.
struct Steps<'a> {
    disk: &'a Disk,
    before_step: BeforeStep<'a>,
}

impl Steps<'_> {
    fn is_there(&self, path: &str) -> bool {
        self.disk.dir().symlink_metadata(path).is_ok()
    }

    fn act<T>(&mut self, verb: &str, path: &str, act: impl FnOnce(&Disk) -> io::Result<T>) -> anyhow::Result<T> {
        (self.before_step)(&format!("{verb} {path}"))?;
        act(self.disk).map_err(|error| match RelPath::new(path) {
            Ok(path) => self.disk.explain(error, &path, verb),
            Err(_) => anyhow::Error::new(error).context(format!("cannot {verb} the project folder")),
        })
    }

    fn create_folder(&mut self, path: &str) -> anyhow::Result<()> {
        self.act("create folder", path, |disk| disk.dir().create_dir(path))
    }

    fn set_mode(&mut self, path: &str, mode: u32) -> anyhow::Result<()> {
        self.act("set the mode of", path, |disk| {
            Ok(rustix::fs::fchmod(open_folder(disk, path)?, Mode::from_raw_mode(mode & 0o7777))?)
        })
    }

    fn remove_folder_if_empty(&mut self, path: &str) -> anyhow::Result<()> {
        self.act("remove folder", path, |disk| match disk.dir().remove_dir(path) {
            Err(error) if nothing_there(&error) || error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            other => other,
        })
    }

    fn remove(&mut self, path: &str) -> anyhow::Result<()> {
        self.act("remove", path, |disk| disk.dir().remove_file(path))
    }

    fn remove_if_there(&mut self, path: &str) -> anyhow::Result<()> {
        if self.is_there(path) { self.remove(path) } else { Ok(()) }
    }

    fn rename(&mut self, from: &str, to: &str) -> anyhow::Result<()> {
        self.act("replace", to, |disk| disk.dir().rename(from, disk.dir(), to))
    }

    fn sync_folder(&mut self, path: &str) -> anyhow::Result<()> {
        self.act("sync", path, |disk| match open_folder(disk, path) {
            Err(error) if nothing_there(&error) => Ok(()),
            folder => Ok(rustix::fs::fsync(folder?)?),
        })
    }

    fn sync_all(&mut self, record: &Record) -> anyhow::Result<()> {
        record.folders().iter().try_for_each(|folder| self.sync_folder(folder))
    }

    /// Two steps, so that a stop between them leaves an unfinished file, as a crash would.
    fn write_new(&mut self, path: &str, bytes: &[u8], mode: u32) -> anyhow::Result<cap_std::fs::File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let mut file = self.act("create", path, |disk| disk.dir().open_with(path, &options))?;
        self.act("write", path, |_| {
            file.write_all(bytes)?;
            file.sync_all()
        })?;
        Ok(file)
    }

    /// Writes `text` beside the file, with the file's mode and owner.
    fn write_like(&mut self, file: &FileRecord, text: &str) -> anyhow::Result<()> {
        let Some(original) = &file.before else {
            return self.write_new(file.temp.as_str(), text.as_bytes(), 0o644).map(drop);
        };
        let written = self.write_new(file.temp.as_str(), text.as_bytes(), 0o600)?;
        self.act("set the mode of", file.temp.as_str(), |disk| {
            if let Ok(meta) = disk.dir().metadata(file.path.as_str()) {
                // Matters only when root edits another user's project, and is no reason to stop.
                let owner = (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()));
                _ = rustix::fs::fchown(&written, Some(owner.0), Some(owner.1));
            }
            rustix::fs::fchmod(&written, Mode::from_raw_mode(original.mode & 0o777))?;
            written.sync_all()
        })
    }

    /// Puts what is beside the file in its place, or takes the file away.
    fn put(&mut self, file: &FileRecord) -> anyhow::Result<()> {
        let unchanged = match &file.before {
            Some(original) => {
                matches!(self.disk.read(&file.path)?, Read::Text(text) if text.sha256() == original.sha256)
            }
            None => !self.disk.exists(&file.path)?,
        };
        if !unchanged || is_symlink(self.disk, file.path.as_str()) {
            return Err(changed(&file.path).into());
        }
        match (&file.before, &file.after) {
            (None, Some(_)) => self.rename_new(file.temp.as_str(), file.path.as_str()),
            (Some(_), Some(_)) => self.rename(file.temp.as_str(), file.path.as_str()),
            (_, None) => self.remove(file.path.as_str()),
        }
    }

    /// Renames unless something has come to be at `to`.
    fn rename_new(&mut self, from: &str, to: &str) -> anyhow::Result<()> {
        self.act("create", to, |disk| {
            #[cfg(any(target_os = "linux", target_os = "macos"))]
            {
                use rustix::{fs::RenameFlags, io::Errno};
                let (folder, from_name, to_name) = beside(disk, from, to)?;
                match rustix::fs::renameat_with(&folder, from_name, &folder, to_name, RenameFlags::NOREPLACE) {
                    // Some file systems cannot do it in one call.
                    Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                    done => return Ok(done?),
                }
            }
            disk.dir().rename(from, disk.dir(), to)
        })
    }

    fn restore(&mut self, file: &FileRecord) -> anyhow::Result<()> {
        let Some(original) = &file.before else {
            return self.remove(file.path.as_str());
        };
        let place = original.place();
        let bytes = self.disk.dir().read(&place).with_context(|| format!("cannot read `{place}`"))?;
        if sha256(&bytes) != original.sha256 {
            return Err(foreign_journal(&format!("holds a damaged copy of `{}`", file.path)));
        }
        let text = String::from_utf8(bytes).with_context(|| format!("cannot read `{place}`"))?;
        self.write_like(file, &text)?;
        self.rename(file.temp.as_str(), file.path.as_str())
    }
}

/// The folder that `from` and `to` are both in, and their names there.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn beside<'a>(disk: &Disk, from: &'a str, to: &'a str) -> io::Result<(OwnedFd, &'a str, &'a str)> {
    let (folder, to_name) = to.rsplit_once('/').unwrap_or((".", to));
    let from_name = from.rsplit_once('/').map_or(from, |(_, name)| name);
    Ok((open_folder(disk, folder)?, from_name, to_name))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make and look at real folders")]
mod tests;

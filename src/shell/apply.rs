//! All changes in one transaction: after a crash or a power loss the project is the old one or the new one.
//!
//! `.authwright-journal/` holds the originals. Its `ready` file is written once they are on disk and
//! before the first target is touched; renaming `ready` to `done` is the moment the new project counts.
//! A journal with `ready` is rolled back, any other journal is only cleared away.

use std::io::{self, Write as _};

use anyhow::Context as _;
use cap_std::fs::{MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::{
    fd::OwnedFd,
    fs::{FlockOperation, Gid, Mode, OFlags, Uid},
};

use super::{
    disk::{Disk, Read, nothing_there},
    journal::{FileRecord, JOURNAL, Now, READY, Record, changed, foreign_journal, is_symlink},
};
use crate::core::{
    problem::Problem,
    project::{Change, RelPath, sha256},
};

const NEW: &str = ".authwright-journal/ready.new";
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
struct Locked(OwnedFd);

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing is not enough: a child process that is just being started may hold a copy.
        _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

fn lock(disk: &Disk) -> anyhow::Result<Locked> {
    let folder = open_folder(disk, ".").context("cannot open the project folder")?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Locked(folder)),
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

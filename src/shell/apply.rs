//! All changes in one transaction: after a crash or a power loss the project is the old one or the new one.
//!
//! `.authwright-journal/` holds the originals. Its `ready` file is written once they are on disk and
//! before the first target is touched; renaming `ready` to `done` is the moment the new project counts.
//! A journal with `ready` is rolled back, any other journal is only cleared away.

use anyhow::Context as _;
use rustix::{fd::OwnedFd, fs::FlockOperation};

use self::steps::{Steps, Told, open_folder};
use super::{
    disk::Disk,
    journal::{FileRecord, JOURNAL, Now, READY, Record, foreign_journal},
};
use crate::core::{problem::Problem, project::Change};

mod steps;

const NEW: &str = ".authwright-journal/ready.new";
const DONE: &str = ".authwright-journal/done";

/// Makes all `changes` or none.
///
/// # Errors
/// When a file is not what the change expects, another run is writing, or the disk refuses; the
/// project is then what it was.
pub fn apply(disk: &Disk, changes: &[Change]) -> anyhow::Result<()> {
    apply_with(disk, changes, &mut |_, _| Ok(()))
}

/// Brings the project of an interrupted run back, and says so. `None`: there was none.
///
/// # Errors
/// When another run is writing, or a file was edited after the interruption.
pub fn recover(disk: &Disk) -> anyhow::Result<Option<String>> {
    recover_with(disk, &mut |_, _| Ok(()))
}

fn apply_with(disk: &Disk, changes: &[Change], told: Told) -> anyhow::Result<()> {
    let _lock = lock(disk)?;
    let mut steps = Steps { disk, told };
    settle(&mut steps)?;
    let record = Record::of(disk, changes)?;
    if record.files.is_empty() {
        return Ok(());
    }
    let Err(error) = transact(&mut steps, &record, changes) else {
        // The new project counts. What cannot be cleared away now, the next run clears away.
        _ = settle(&mut steps).or_else(|_| settle(&mut steps));
        return Ok(());
    };
    match settle(&mut steps) {
        // The last step was taken, whatever was told of it.
        Ok(Settled::Cleared { done: true }) => Ok(()),
        Ok(_) => Err(error),
        Err(second) => Err(error.context(format!("the project could not be restored yet ({second:#}): run again"))),
    }
}

fn recover_with(disk: &Disk, told: Told) -> anyhow::Result<Option<String>> {
    let mut steps = Steps { disk, told };
    if !steps.is_there(JOURNAL)? {
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
    if !steps.is_there(JOURNAL)? {
        return Ok(Settled::Nothing);
    }
    if !steps.disk.dir().symlink_metadata(JOURNAL).is_ok_and(|meta| meta.is_dir()) {
        return Err(foreign_journal("is not a folder"));
    }
    if !steps.is_there(READY)? {
        let done = steps.is_there(DONE)?;
        // Else a loss of power could bring `ready` back without the originals.
        steps.sync_folder(JOURNAL)?;
        clear(steps)?;
        return Ok(Settled::Cleared { done });
    }
    let record = steps.read(READY)?.ok_or_else(|| foreign_journal("holds no readable record"))?;
    let record = Record::parse(record.raw())?;
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
        if !steps.is_there(folder.path.as_str())? {
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
    let names: Vec<_> = steps.act("list", JOURNAL, |disk| disk.dir().read_dir(JOURNAL)?.collect())?;
    for entry in names {
        let name = entry.file_name();
        let name = name.to_str().filter(|_| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
        steps.remove(&format!("{JOURNAL}/{}", name.ok_or_else(|| foreign_journal("holds what no run writes"))?))?;
    }
    steps.act("remove folder", JOURNAL, |disk| disk.dir().remove_dir(JOURNAL))?;
    steps.sync_folder(".")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make and look at real folders")]
mod tests;

//! The only functions of a transaction that change the disk, one step each.

use std::io::{self, Write as _};

use cap_std::fs::{MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::{
    fd::OwnedFd,
    fs::{Gid, Mode, OFlags, Uid},
};

use crate::{
    core::project::{RelPath, Text},
    shell::{
        disk::{Disk, Read, nothing_there},
        journal::{FileRecord, Record, changed, foreign_journal, is_symlink},
    },
};

/// When a step is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// Told of each step by its name, before it is taken and once it was. The tests stop runs with it, or make a step fail
/// that was or was not taken.
pub(super) type Told<'a> = &'a mut dyn FnMut(&str, Moment) -> io::Result<()>;

pub(super) struct Steps<'a> {
    pub(super) disk: &'a Disk,
    pub(super) told: Told<'a>,
}

impl Steps<'_> {
    /// What cannot be looked at is not taken for absent: a journal that is there must not be cleared away.
    pub(super) fn is_there(&mut self, path: &str) -> anyhow::Result<bool> {
        self.act("look at", path, |disk| match disk.dir().symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if nothing_there(&error) => Ok(false),
            Err(error) => Err(error),
        })
    }

    /// What is there and is no small text, such as a planted pipe, is none.
    pub(super) fn read(&mut self, path: &str) -> anyhow::Result<Option<Text>> {
        self.act("read", path, |_| Ok(()))?;
        Ok(match self.disk.read(&RelPath::new(path)?)? {
            Read::Text(text) => Some(text),
            Read::Missing | Read::NotText => None,
        })
    }

    pub(super) fn act<T>(
        &mut self,
        verb: &str,
        path: &str,
        act: impl FnOnce(&Disk) -> io::Result<T>,
    ) -> anyhow::Result<T> {
        let step = format!("{verb} {path}");
        (self.told)(&step, Moment::Before)
            .and_then(|()| act(self.disk))
            .and_then(|made| (self.told)(&step, Moment::After).map(|()| made))
            .map_err(|error| match RelPath::new(path) {
                Ok(path) => self.disk.explain(error, &path, verb),
                Err(_) => anyhow::Error::new(error).context(format!("cannot {verb} the project folder")),
            })
    }

    pub(super) fn create_folder(&mut self, path: &str) -> anyhow::Result<()> {
        self.act("create folder", path, |disk| disk.dir().create_dir(path))
    }

    pub(super) fn set_mode(&mut self, path: &str, mode: u32) -> anyhow::Result<()> {
        self.act("set the mode of", path, |disk| {
            Ok(rustix::fs::fchmod(open_folder(disk, path)?, Mode::from_raw_mode(mode & 0o7777))?)
        })
    }

    pub(super) fn remove_folder_if_empty(&mut self, path: &str) -> anyhow::Result<()> {
        self.act("remove folder", path, |disk| match disk.dir().remove_dir(path) {
            Err(error) if nothing_there(&error) || error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            other => other,
        })
    }

    pub(super) fn remove(&mut self, path: &str) -> anyhow::Result<()> {
        self.act("remove", path, |disk| disk.dir().remove_file(path))
    }

    pub(super) fn remove_if_there(&mut self, path: &str) -> anyhow::Result<()> {
        if self.is_there(path)? { self.remove(path) } else { Ok(()) }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> anyhow::Result<()> {
        self.act("replace", to, |disk| disk.dir().rename(from, disk.dir(), to))
    }

    pub(super) fn sync_folder(&mut self, path: &str) -> anyhow::Result<()> {
        self.act("sync", path, |disk| match open_folder(disk, path) {
            Err(error) if nothing_there(&error) => Ok(()),
            folder => Ok(rustix::fs::fsync(folder?)?),
        })
    }

    pub(super) fn sync_all(&mut self, record: &Record) -> anyhow::Result<()> {
        record.folders().iter().try_for_each(|folder| self.sync_folder(folder))
    }

    pub(super) fn write_new(&mut self, path: &str, bytes: &[u8], mode: u32) -> anyhow::Result<cap_std::fs::File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let mut file = self.act("create", path, |disk| disk.dir().open_with(path, &options))?;
        self.act("write", path, |_| file.write_all(bytes))?;
        self.act("sync", path, |_| file.sync_all())?;
        Ok(file)
    }

    /// Writes `text` beside the file, with the file's mode and owner.
    pub(super) fn write_like(&mut self, file: &FileRecord, text: &str) -> anyhow::Result<()> {
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
            Ok(rustix::fs::fchmod(&written, Mode::from_raw_mode(original.mode & 0o777))?)
        })?;
        self.act("sync", file.temp.as_str(), |_| written.sync_all())
    }

    /// Puts what is beside the file in its place, or takes the file away.
    pub(super) fn put(&mut self, file: &FileRecord) -> anyhow::Result<()> {
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

    pub(super) fn restore(&mut self, file: &FileRecord) -> anyhow::Result<()> {
        let Some(original) = &file.before else {
            return self.remove(file.path.as_str());
        };
        let place = original.place();
        let copy = self.read(&place)?.filter(|copy| copy.sha256() == original.sha256);
        let copy = copy.ok_or_else(|| foreign_journal(&format!("holds a damaged copy of `{}`", file.path)))?;
        self.write_like(file, copy.raw())?;
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

pub(super) fn open_folder(disk: &Disk, path: &str) -> io::Result<OwnedFd> {
    // cap-std opens folders with O_PATH, which can be neither locked nor synced.
    let folder = if path == "." { disk.dir().try_clone()? } else { disk.dir().open_dir(path)? };
    Ok(rustix::fs::openat(&folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

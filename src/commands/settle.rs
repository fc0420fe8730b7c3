//! Bringing interrupted runs to their end, before anything is read of what they may have left half-way.

use std::{collections::BTreeSet, path::Path};

use anyhow::Result;

use super::{
    Context,
    target::{above, listed_above, roots},
};
use crate::{
    core::{problem::Problem, project::RelPath},
    shell::{
        apply,
        disk::Disk,
        fresh,
        journal::{self, JOURNAL},
    },
};

/// Brings interrupted runs in folders, and in workspaces above that list them, to their end. Whether there was one.
///
/// # Errors
/// When a run cannot be brought to its end now, or the command is not one that writes.
pub fn settle<'d>(context: &Context, dirs: impl IntoIterator<Item = &'d Path>) -> Result<bool> {
    let journal = RelPath::new(JOURNAL)?;
    let (mut found, mut without) = (false, BTreeSet::new());
    for dir in dirs {
        let dir = fresh::resolved(dir)?;
        for folder in dir.ancestors() {
            if without.contains(folder) {
                continue;
            }
            let disk = Disk::open(folder).ok().filter(|disk| disk.exists(&journal).unwrap_or(folder == dir));
            match disk {
                None => _ = without.insert(folder.to_owned()),
                Some(disk) if counts(context, folder, &dir) => {
                    if folder != dir {
                        journal::refuse_others(&disk)?;
                    }
                    found |= settled(context, &disk)?;
                }
                Some(_) => {}
            }
        }
    }
    Ok(found)
}

/// The same where there is a journal.
fn settled(context: &Context, disk: &Disk) -> Result<bool> {
    if !context.writes {
        let what = format!(
            "`{}` is there: a run was interrupted, or it came with the repository\n  {}",
            JOURNAL,
            disk.root().display()
        );
        let fix = "run `authwright check` to bring the run to its end; delete the folder if it is in version control";
        return Err(Problem::problem(what, fix).into());
    }
    let message = apply::recover(disk)?;
    if let Some(message) = &message {
        context.ui.warn(message);
    }
    Ok(message.is_some())
}

/// Whether what a run in `folder` writes may be in `dir`. In any other folder above, anybody could have put a journal.
fn counts(context: &Context, folder: &Path, dir: &Path) -> bool {
    let of_cargo = || above(dir).ok().flatten().is_some_and(|(root, _)| root == folder);
    let listing = || context.packs.iter().flat_map(roots);
    let is_listed = || listed_above(dir, listing()).is_some_and(|root| root == folder);
    folder == dir || of_cargo() || is_listed()
}

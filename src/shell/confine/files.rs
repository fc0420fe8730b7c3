//! Which files a command may write and read.
#![expect(clippy::disallowed_methods, reason = "only what is there can be allowed")]

use std::path::PathBuf;

use anyhow::Context as _;
use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetStatus, Scope, path_beneath_rules,
};

/// Devices that programs write to as a matter of course.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/ptmx", "/dev/pts"];

/// For this thread and all that it starts: writes below `writes` alone, and reading below `reads` and those; each without
/// limit if it is empty. What the kernel cannot refuse entirely is an error.
pub(in crate::shell) fn confine(writes: &[PathBuf], reads: &[PathBuf]) -> anyhow::Result<()> {
    if writes.is_empty() {
        return Ok(());
    }
    for path in writes {
        anyhow::ensure!(path.exists(), "cannot allow writing to `{}`: it is not there", path.display());
    }
    only(writes, reads)
}

/// The same, also of nothing.
pub(in crate::shell) fn only(writes: &[PathBuf], reads: &[PathBuf]) -> anyhow::Result<()> {
    let mut handled = AccessFs::from_write(ABI::V9);
    if !reads.is_empty() {
        handled |= AccessFs::ReadFile;
    }
    // Before ABI 3 any file could still be emptied.
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_write(ABI::V3))
        .context("this kernel's Landlock cannot confine writes (Linux 6.2 or newer can)")?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(handled)?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rules(path_beneath_rules(DEVICES, handled))?
        .add_rules(path_beneath_rules(writes, handled))?
        .add_rules(path_beneath_rules(reads, AccessFs::ReadFile))?;
    let status = rules.restrict_self().context("cannot confine writes")?;
    anyhow::ensure!(status.ruleset != RulesetStatus::NotEnforced, "this kernel has no Landlock, or it is switched off");
    Ok(())
}

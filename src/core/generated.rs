//! The files that a pack renders, and what becomes of them when the answers change.

use anyhow::Result;

use super::{
    anchor, facts,
    pack::{FileRule, Language, Pack},
    project::{RelPath, Text},
    render::{self, Facts},
};
#[cfg(feature = "probe")]
use super::{lock::Lock, problem::Problem};

/// The files that answers and facts render, example files included, in path order.
///
/// # Errors
/// When a template is malformed or names an unknown fact.
pub fn files(pack: &Pack, facts: &Facts) -> Result<Vec<(RelPath, String)>> {
    let at_root = facts::at_root(facts);
    of(pack, facts, |rule| at_root || !rule.is_some_and(|rule| rule.root))
}

/// The files as a lock's pack renders them for it: those in the project could have been edited.
///
/// # Errors
/// When the lock's pack is not in this version, or does not render.
#[cfg(feature = "probe")]
pub fn of_lock(packs: &[Pack], lock: &Lock) -> Result<Vec<(RelPath, String)>> {
    let Some(layer) = lock.layer.last() else { return Ok(vec![]) };
    let same = |pack: &&Pack| pack.manifest.id == layer.pack && pack.manifest.version == layer.pack_version;
    let pack = packs.iter().find(same).ok_or_else(|| {
        let what = format!("pack `{}` {} is not in this version of authwright", layer.pack, layer.pack_version);
        Problem::problem(what, "use the authwright version that wrote the lock")
    })?;
    files(pack, &facts::recorded(pack, &lock.layer))
}

/// The files for the repository's root that are left to the user, because the app is in a folder below it.
///
/// # Errors
/// When a template is malformed or names an unknown fact.
pub fn left(pack: &Pack, facts: &Facts) -> Result<Vec<(RelPath, String)>> {
    let at_root = facts::at_root(facts);
    of(pack, facts, |rule| !at_root && rule.is_some_and(|rule| rule.root))
}

fn of(pack: &Pack, facts: &Facts, wanted: impl Fn(Option<&FileRule>) -> bool) -> Result<Vec<(RelPath, String)>> {
    let mut out = vec![];
    for (path, template) in &pack.files {
        let rule = pack.file_rule(path);
        if wanted(rule)
            && pack.stands_at(path, facts)?
            && render::holds(rule.and_then(|rule| rule.when.as_deref()), facts)?
        {
            out.push((RelPath::new(path)?, render::render(path, template, facts)?));
        }
    }
    Ok(out)
}

/// What a file becomes whose render changes from `old` to `new`: the new one where the user left it alone, else both
/// changes; `None` if they meet.
#[must_use]
pub fn changed(language: &Language, path: &RelPath, old: &str, new: &str, now: &Text) -> Option<Text> {
    let rendered = now.as_rendered();
    if rendered == old {
        return Some(now.endings_for(new));
    }
    let merged = diffy::merge(old, &rendered, new).ok()?;
    let errors = |text: &str| anchor::parse_errors(language, text).unwrap_or(usize::MAX);
    let sound = !language.reads(path) || errors(&merged) <= errors(&rendered).max(errors(new));
    sound.then(|| now.endings_for(&merged))
}

#[cfg(test)]
mod tests;

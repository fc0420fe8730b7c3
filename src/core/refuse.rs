//! Projects that must not be touched: an account store or a login of their own, libraries that cannot meet.

use anyhow::{Context as _, Result};

use super::{
    anchor::{glob_set, line_of},
    manifest,
    pack::{Refusal, RefuseWhen},
    plan::Input,
    problem::Problem,
    render::{self, Facts},
};

/// With `later`, files and dependencies may be where an earlier `add` has put some.
///
/// # Errors
/// With the first refusal of the pack that applies (exit 4).
pub fn check(input: &Input<'_>, facts: &Facts, later: bool) -> Result<()> {
    let applying = |refusal: &&Refusal| !later || !matches!(refusal.found, RefuseWhen::Exists(_));
    for refusal in input.pack.manifest.refuse.iter().filter(applying) {
        if render::holds(refusal.when.as_deref(), facts)?
            && let Some(place) = applies(input, refusal, later)?
        {
            return Err(Problem::unsupported(format!("{}\n  {place}", refusal.what), refusal.fix.clone()).into());
        }
    }
    Ok(())
}

/// Where a refusal finds what it looks for.
fn applies(input: &Input<'_>, refusal: &Refusal, later: bool) -> Result<Option<String>> {
    match &refusal.found {
        RefuseWhen::Exists(globs) => {
            let set = glob_set(globs)?;
            Ok(input
                .tree
                .iter()
                .map(|(path, _)| path)
                .find(|path| set.is_match(path.as_str()))
                .map(ToString::to_string))
        }
        RefuseWhen::Depends(names) => depends(input, names, later),
        RefuseWhen::Locked { name, versions } => {
            let Some(lock) = &input.workspace.lock else { return Ok(None) };
            let found = manifest::locked(lock, name)?
                .into_iter()
                .find(|version| versions.iter().any(|range| range.matches(version)));
            Ok(found.map(|version| format!("{name} {version} in the lock file")))
        }
        RefuseWhen::Text { globs, pattern } => text(input, globs, pattern),
        RefuseWhen::Lacks { globs, pattern } => {
            Ok(text(input, globs, pattern)?.is_none().then(|| format!("nothing of that in {}", globs.join(", "))))
        }
    }
}

fn depends(input: &Input<'_>, names: &[String], later: bool) -> Result<Option<String>> {
    // An earlier `add` brought those of the pack.
    let brought = |name: &String| later && input.pack.manifest.dependency.iter().any(|own| own.name == *name);
    let file = input.pack.manifest_of(input.tree);
    let text = input.tree.text(file).with_context(|| format!("`{file}` is missing"))?;
    let found = manifest::dependencies(file, text, None).with_context(|| format!("cannot read `{file}`"))?;
    Ok(found
        .iter()
        .find(|named| names.contains(&named.name) && !brought(&named.name))
        .map(|named| format!("{file}:{}  {}", named.line, named.text)))
}

fn text(input: &Input<'_>, globs: &[String], pattern: &str) -> Result<Option<String>> {
    let (set, pattern) = (glob_set(globs)?, regex::Regex::new(pattern)?);
    for (path, text) in input.tree.iter().filter(|(path, _)| set.is_match(path.as_str())) {
        if let Some(found) = pattern.find(text.raw()) {
            let line = line_of(text.raw(), found.start());
            let shown = text.raw().lines().nth(line - 1).unwrap_or_default().trim();
            return Ok(Some(format!("{path}:{line}  {shown}")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;

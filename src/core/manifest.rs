//! Package manifests and lock files: what a project depends on.

use anyhow::{Context as _, Result};
use semver::Version;
use toml_edit::{Item, TableLike};

pub mod dotnet;
pub mod gradle;
pub mod json;
pub mod lines;
pub mod maven;
pub mod members;
pub mod named;
pub mod python;

pub use named::dependencies;

use super::{
    edit::{cargo_toml, dependencies::Dependencies, toml::Toml},
    npm,
    pack::Dependency,
    pep440,
    plan::Workspace,
    project::{Text, Tree},
};

/// The manifest whose workspaces hold every crate below that they do not leave out.
pub const CARGO: &str = "Cargo.toml";

/// Whether a manifest declares a workspace that `member` (a folder relative to it) may belong to.
#[must_use]
pub fn is_workspace(name: &str, text: &str, member: &str) -> bool {
    let Ok(toml) = (if name == CARGO { Toml::parse(text) } else { return false }) else { return false };
    let Some(workspace) = toml.item(&["workspace"]).and_then(Item::as_table_like) else { return false };
    let excluded = workspace.get("exclude").and_then(Item::as_array).into_iter().flatten();
    !excluded.filter_map(|path| path.as_str()).any(|path| {
        let path = path.trim_end_matches('/');
        member == path || member.starts_with(&format!("{path}/"))
    })
}

/// The first path dependency that leaves the folder which `app` (relative to it) is in.
///
/// # Errors
/// When the manifest cannot be read.
pub fn path_outside(name: &str, text: &str, app: &str) -> Result<Option<String>> {
    if name != CARGO {
        return Ok(None);
    }
    let toml = Toml::parse(text)?;
    let depth = app.split('/').filter(|part| !part.is_empty()).count();
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let below = |key| toml.item(&[key]).and_then(Item::as_table_like).into_iter().flat_map(TableLike::iter);
    let targets = below("target").flat_map(|(_, target)| kinds.map(|kind| target.as_table_like()?.get(kind)));
    let tables = kinds.map(|kind| toml.item(&[kind])).into_iter().chain(targets);
    let tables =
        tables.chain([toml.item(&["workspace", "dependencies"])]).chain(below("patch").map(|(_, item)| Some(item)));
    let entries = tables.flatten().filter_map(Item::as_table_like).flat_map(TableLike::iter);
    let paths = entries.filter_map(|(_, item)| item.as_table_like()?.get("path")?.as_str());
    Ok(paths.filter(|path| leaves(path, depth)).map(str::to_owned).next())
}

fn leaves(path: &str, depth: usize) -> bool {
    let mut left = depth;
    path.starts_with('/')
        || path.split('/').any(|part| match part {
            "" | "." => false,
            ".." if left == 0 => true,
            ".." => {
                left -= 1;
                false
            }
            _ => {
                left += 1;
                false
            }
        })
}

/// The lowest version that a requirement admits, in a manifest that nothing is added to.
#[must_use]
pub fn lowest(requirement: &str) -> Option<Version> {
    cargo_toml::lowest(requirement).or_else(|| {
        let digits = requirement.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        let mut parts = digits[..end].split('.').map(|part| part.parse().unwrap_or(0));
        let first = parts.next().filter(|_| end > 0)?;
        Some(Version::new(first, parts.next().unwrap_or(0), parts.next().unwrap_or(0)))
    })
}

/// The key of a dependency in the manifest, and the compatible line of versions (`0.8`, `1`) that the project has
/// or will have of it.
///
/// # Errors
/// When a manifest cannot be read, or has a version that cannot be beside another (exit 4).
pub fn dependency(manifest: &str, wanted: &Dependency, tree: &Tree, workspace: &Workspace) -> Result<(String, String)> {
    let text = tree.text(manifest).with_context(|| format!("`{manifest}` is missing"))?;
    let there = Dependencies::open(manifest, text, workspace)?;
    let key = there.key(wanted)?;
    let written = there.written(wanted, &key);
    // A range such as `>=0.7, <0.9` does not say which of its versions is in use; the lock file does.
    let locked = workspace.lock.as_ref().map_or(Ok(vec![]), |lock| locked(lock, &wanted.name))?;
    let resolved = locked.into_iter().filter(|version| there.admits(Some(&written), version)).max();
    let version = resolved.or_else(|| there.lowest(&written)).or_else(|| there.lowest(&wanted.version));
    let version = version.context("a pack's version is not a version")?;
    Ok((key, cargo_toml::line_of_versions(&version)))
}

/// Versions of a package that a lock file resolves to.
///
/// # Errors
/// When the lock file is neither TOML nor JSON.
pub fn locked(lock: &Text, name: &str) -> Result<Vec<Version>> {
    if let Some(found) = npm::locks::versions(lock.raw(), name)? {
        return Ok(found);
    }
    if lock.raw().trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return npm_locked(lock.raw(), name);
    }
    let toml = Toml::parse(lock.raw()).context("cannot read the package manager's lock file")?;
    let packages = toml.item(&["package"]).and_then(Item::as_array_of_tables).into_iter().flatten();
    Ok(packages
        .filter(|package| package.get("name").and_then(Item::as_str) == Some(name))
        .filter_map(|package| {
            let written = package.get("version")?.as_str()?;
            Version::parse(written).ok().or_else(|| pep440::version(written))
        })
        .collect())
}

/// The same of npm's lock file, in which packages are named by where they are installed.
fn npm_locked(lock: &str, name: &str) -> Result<Vec<Version>> {
    let json: serde_json::Value = serde_json::from_str(lock.trim_start_matches('\u{feff}'))
        .context("cannot read the package manager's lock file")?;
    let packages = json.get("packages").and_then(serde_json::Value::as_object).into_iter().flatten();
    let is_it = |place: &str| place.strip_suffix(name).is_some_and(|above| above.ends_with("node_modules/"));
    let version = |package: &serde_json::Value| Version::parse(package.get("version")?.as_str()?).ok();
    Ok(packages.filter(|(place, _)| is_it(place)).filter_map(|(_, package)| version(package)).collect())
}

#[cfg(test)]
mod tests;

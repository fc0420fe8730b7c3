//! Dependencies of a `Cargo.toml`.

use anyhow::Result;
use semver::{Comparator, Op, Version, VersionReq};
use toml_edit::{Item, TableLike, Value};

use super::{Existing, Outcome, Splice, toml::Toml};
use crate::core::{pack::Dependency, problem::Problem, project::Step};

/// The table that a dependency is in.
#[must_use]
pub fn table_of(dependency: &Dependency) -> &'static str {
    if dependency.dev { "dev-dependencies" } else { "dependencies" }
}

/// The entry for `name` in `table`, with what it inherits from the workspace's manifest.
#[must_use]
pub fn existing(toml: &Toml<'_>, workspace: Option<&Toml<'_>>, table: &str, name: &str) -> Option<Existing> {
    let item = toml.item(&[table, name])?;
    let mut entry = read(item);
    entry.line = toml.line(&[table], name);
    if item.as_table_like().and_then(|table| table.get("workspace")?.as_bool()) == Some(true) {
        let inherited = workspace.and_then(|root| root.item(&["workspace", "dependencies", name])).map(read);
        if let Some(inherited) = inherited {
            entry.version = inherited.version;
            entry.features.extend(inherited.features);
            // A member can turn them on, not off.
            entry.default_features = inherited.default_features || default_features(item) == Some(true);
        }
    }
    Some(entry)
}

fn read(item: &Item) -> Existing {
    let table: Option<&dyn TableLike> = item.as_table_like();
    let value = |key: &str| table.and_then(|table| table.get(key));
    let features = value("features").and_then(Item::as_array).into_iter().flatten();
    Existing {
        version: item.as_str().or_else(|| value("version")?.as_str()).map(str::to_owned),
        features: features.filter_map(|feature| feature.as_str().map(str::to_owned)).collect(),
        default_features: default_features(item).unwrap_or(true),
        optional: value("optional").and_then(Item::as_bool).unwrap_or(false),
        line: 1,
    }
}

fn default_features(item: &Item) -> Option<bool> {
    let table = item.as_table_like()?;
    table.get("default-features").or(table.get("default_features"))?.as_bool()
}

/// The package that an entry names, which may have another name than its key.
#[must_use]
pub fn package(toml: &Toml<'_>, workspace: Option<&Toml<'_>>, table: &str, key: &str) -> String {
    let inherited = workspace.and_then(|root| root.item(&["workspace", "dependencies", key]));
    let own = toml.item(&[table, key]);
    let inherits = own.is_some_and(|item| item.get("workspace").is_some());
    let mut items = own.into_iter().chain(inherited.filter(|_| inherits));
    let name = items.find_map(|item| item.as_table_like()?.get("package")?.as_str());
    name.unwrap_or(key).to_owned()
}

/// How a manifest takes a package from elsewhere than the registry, or another in its place.
#[must_use]
pub fn replaced(toml: &Toml<'_>, workspace: Option<&Toml<'_>>, table: &str, key: &str, name: &str) -> Option<String> {
    let inherited = workspace.and_then(|root| root.item(&["workspace", "dependencies", key]));
    for item in toml.item(&[table, key]).into_iter().chain(inherited) {
        let Some(entry) = item.as_table_like() else {
            if key != name {
                return Some(format!("the package `{key}`"));
            }
            continue;
        };
        let inherits = entry.contains_key("workspace");
        let package = entry.get("package").and_then(Item::as_str).or((!inherits).then_some(key));
        let other = package.filter(|package| *package != name);
        if let Some(package) = other {
            return Some(format!("package = \"{package}\""));
        }
        if let Some(source) =
            ["path", "git", "registry", "registry-index"].into_iter().find(|source| entry.contains_key(source))
        {
            return Some(format!("its own `{source}`"));
        }
    }
    let patches =
        [Some(toml), workspace].into_iter().flatten().filter_map(|toml| toml.item(&["patch"])?.as_table_like());
    let names = |source: &Item| {
        source.as_table_like().is_some_and(|all| {
            all.iter().any(|(entry, item)| entry == name || item.get("package").and_then(Item::as_str) == Some(name))
        })
    };
    patches.flat_map(TableLike::iter).any(|(_, source)| names(source)).then(|| "a `[patch]`".to_owned())
}

/// The lowest version that a requirement admits.
#[must_use]
pub fn lowest(requirement: &str) -> Option<Version> {
    let parsed = VersionReq::parse(requirement).ok()?;
    let floor = |c: &Comparator| match c.op {
        Op::Less | Op::LessEq => None,
        _ => Some(Version::new(c.major, c.minor.unwrap_or(0), c.patch.unwrap_or(0))),
    };
    parsed.comparators.iter().filter_map(floor).max()
}

/// `0.8` for 0.8.9, `1` for 1.4.2: the part that stays while versions are compatible.
#[must_use]
pub fn line_of_versions(version: &Version) -> String {
    if version.major > 0 { version.major.to_string() } else { format!("0.{}", version.minor) }
}

/// Features of `dependency` that the entry does not bring.
fn lacking(dependency: &Dependency, entry: &Existing) -> Vec<String> {
    let brings = |feature: &String| {
        entry.features.contains(feature)
            || (entry.default_features && dependency.defaults.contains(feature))
            || entry.features.iter().any(|have| dependency.covers.get(have).is_some_and(|all| all.contains(feature)))
    };
    dependency.features.iter().filter(|feature| !brings(feature)).cloned().collect()
}

/// What is written for a dependency that is not there.
fn fresh(dependency: &Dependency, key: &str, shared: Option<&Existing>) -> String {
    let mut parts = vec![];
    if key != dependency.name {
        parts.push(format!("package = \"{}\"", dependency.name));
    }
    let shared = shared.filter(|_| parts.is_empty());
    parts.push(
        shared.map_or_else(|| format!("version = \"{}\"", dependency.version), |_| "workspace = true".to_owned()),
    );
    match shared {
        Some(shared) if dependency.default_features && !shared.default_features => {
            parts.push("default-features = true".to_owned());
        }
        None if !dependency.default_features => parts.push("default-features = false".to_owned()),
        _ => {}
    }
    if !dependency.features.is_empty() {
        parts.push(format!("features = {}", list(&dependency.features)));
    }
    match (parts.len(), shared) {
        (1, None) => format!("\"{}\"", dependency.version),
        _ => format!("{{ {} }}", parts.join(", ")),
    }
}

fn list(features: &[String]) -> String {
    let quoted: Vec<String> = features.iter().map(|feature| format!("\"{feature}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

/// The key that a dependency has or will have in the manifest: its name, or one of its own beside a version that the
/// generated code does not work with.
///
/// # Errors
/// When that version cannot be beside another (exit 4).
pub fn key(toml: &Toml<'_>, workspace: Option<&Toml<'_>>, dependency: &Dependency, path: &str) -> Result<String> {
    let Some(entry) = existing(toml, workspace, table_of(dependency), &dependency.name) else {
        return renamed(toml, workspace, dependency, path);
    };
    if accepted(dependency, &entry) {
        return Ok(dependency.name.clone());
    }
    if !dependency.shared {
        return Ok(format!("auth-{}", dependency.name));
    }
    let (name, written) = (&dependency.name, entry.version.unwrap_or_default());
    let accept = dependency.accept.clone().unwrap_or_default();
    Err(Problem::unsupported(
        format!("{path}:{}: `{name} = \"{written}\"` is not a version that the generated code works with", entry.line),
        format!("use `{name}` {accept}, then run the command again"),
    )
    .into())
}

/// The keys under which a table has a package.
#[must_use]
pub fn keys(toml: &Toml<'_>, workspace: Option<&Toml<'_>>, table: &str, name: &str) -> Vec<String> {
    let all = toml.item(&[table]).and_then(Item::as_table_like).into_iter().flat_map(TableLike::iter);
    let named = all.map(|(key, _)| key).filter(|key| package(toml, workspace, table, key) == name);
    named.map(str::to_owned).collect()
}

/// The key of a dependency that has none under its name. Cargo takes no package twice under two names.
fn renamed(toml: &Toml<'_>, workspace: Option<&Toml<'_>>, dependency: &Dependency, path: &str) -> Result<String> {
    let (table, name) = (table_of(dependency), &dependency.name);
    for key in keys(toml, workspace, table, name) {
        if key == format!("auth-{name}") {
            return Ok(key);
        }
        let Some(entry) = existing(toml, workspace, table, &key) else { continue };
        if dependency.shared || (entry.version.is_some() && accepted(dependency, &entry)) {
            return Err(Problem::unsupported(
                format!(
                    "{path}:{}: `{key}` is `{name}`, which the generated code needs under its own name",
                    entry.line
                ),
                format!("rename that dependency to `{name}`, then run the command again"),
            )
            .into());
        }
    }
    Ok(name.clone())
}

/// The version requirement of a dependency as it is or will be, here or in the workspace.
#[must_use]
pub fn written(toml: &Toml<'_>, workspace: Option<&Toml<'_>>, dependency: &Dependency, key: &str) -> String {
    let own = existing(toml, workspace, table_of(dependency), key).and_then(|entry| entry.version);
    let shared = || inherited(workspace, dependency).filter(|_| key == dependency.name)?.version;
    own.or_else(shared).unwrap_or_else(|| dependency.version.clone())
}

/// Splices that give the manifest every dependency it lacks, and steps for entries that cannot be changed safely.
///
/// # Errors
/// When an entry is there in a version that the generated code does not work with (exit 4).
pub fn add(toml: &Toml<'_>, workspace: Option<&Toml<'_>>, wanted: &[Dependency], path: &str) -> Result<Vec<Outcome>> {
    let mut outcomes = vec![];
    // What joins a table at the end of the file comes before a table that begins there.
    let mut tables = ["dependencies", "dev-dependencies"];
    tables.sort_by_key(|table| toml.item(&[table]).is_none());
    for table in tables {
        let mut new = vec![];
        for dependency in wanted.iter().filter(|dependency| table_of(dependency) == table) {
            let key = key(toml, workspace, dependency, path)?;
            match existing(toml, workspace, table, &key) {
                Some(entry) => outcomes.push(extend(toml, table, dependency, &key, &entry, path)),
                None => new.push((key.clone(), fresh(dependency, &key, inherited(workspace, dependency).as_ref()))),
            }
        }
        if !new.is_empty() {
            let lines = toml.insert(&[table], &new).map(Outcome::Edit);
            outcomes.push(lines.unwrap_or_else(|| Outcome::Manual(by_hand(path, table, &new))));
        }
    }
    Ok(outcomes)
}

/// The step for entries that there is no safe place for.
fn by_hand(path: &str, table: &str, new: &[(String, String)]) -> Step {
    let lines: Vec<String> = new.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    Step { at: path.to_owned(), what: format!("add to the {table}"), text: lines.join("\n") }
}

/// The steps that stand for all of `wanted`, where an edit would not leave a manifest that can be read.
#[must_use]
pub fn all_by_hand(wanted: &[Dependency], path: &str) -> Vec<Step> {
    let tables = ["dependencies", "dev-dependencies"];
    let of = |table: &str| {
        let of_table = wanted.iter().filter(|dependency| table_of(dependency) == table);
        of_table.map(|dependency| (dependency.name.clone(), fresh(dependency, &dependency.name, None))).collect()
    };
    let lines = tables.map(|table| (table, of(table)));
    lines
        .iter()
        .filter(|(_, new): &&(_, Vec<_>)| !new.is_empty())
        .map(|(table, new)| by_hand(path, table, new))
        .collect()
}

/// The entry that the workspace offers to inherit.
fn inherited(workspace: Option<&Toml<'_>>, dependency: &Dependency) -> Option<Existing> {
    let item = workspace?.item(&["workspace", "dependencies", &dependency.name])?;
    let other = item.as_table_like().and_then(|table| table.get("package")?.as_str());
    let same = other.is_none_or(|package| package == dependency.name);
    Some(read(item)).filter(|entry| same && accepted(dependency, entry))
}

fn accepted(dependency: &Dependency, entry: &Existing) -> bool {
    let (Some(accept), Some(written)) = (&dependency.accept, &entry.version) else { return true };
    lowest(written).is_none_or(|version| accepts(accept, &version, written))
}

/// A requirement such as `0.8` begins below a floor such as 0.8.1 and still resolves above it.
fn accepts(accept: &VersionReq, lowest: &Version, written: &str) -> bool {
    let newest = Version::new(lowest.major, if lowest.major > 0 { u64::MAX } else { lowest.minor }, u64::MAX);
    let exact = written.trim_start().starts_with('=');
    accept.matches(lowest) || (!exact && accept.matches(&newest))
}

fn extend(toml: &Toml<'_>, table: &str, dependency: &Dependency, key: &str, entry: &Existing, path: &str) -> Outcome {
    let missing = lacking(dependency, entry);
    if missing.is_empty() && !entry.optional {
        return Outcome::Already;
    }
    let edit = if entry.optional { None } else { add_features(toml, table, key, &missing) };
    edit.map_or_else(
        || {
            Outcome::Manual(Step {
                at: format!("{path}:{}", entry.line),
                what: format!("make `{key}` a dependency that is not optional, with these features"),
                text: format!("{key} = {}", fresh(dependency, key, None)),
            })
        },
        |splice| Outcome::Edit(vec![splice]),
    )
}

fn add_features(toml: &Toml<'_>, table: &str, name: &str, missing: &[String]) -> Option<Splice> {
    let item = toml.item(&[table, name])?;
    if let Some(version) = item.as_str() {
        return toml.replace(&[table], name, &format!("{{ version = \"{version}\", features = {} }}", list(missing)));
    }
    let inner = item.as_table_like()?;
    if let Some(features) = inner.get("features") {
        let pair = toml.pair(&[table, name], "features")?;
        let array = toml.slice(&pair.value);
        let last =
            features.as_array()?.iter().last().and_then(Value::span).map(|span| toml.at(span).end - pair.value.start);
        return toml.replace(&[table, name], "features", &extended(array, last, missing));
    }
    if item.is_inline_table() {
        let whole = toml.slice(&toml.pair(&[table], name)?.value).to_owned();
        let body = whole.strip_suffix('}')?.trim_end().trim_end_matches(',').to_owned();
        return toml.replace(&[table], name, &format!("{body}, features = {} }}", list(missing)));
    }
    if item.as_table()?.is_dotted() {
        let mut splice = toml.insert(&[table], &[(format!("{name}.features"), list(missing))])?.pop()?;
        splice.entry =
            Some(super::Entry { table: format!("{table}.{name}"), key: Some("features".into()), value: list(missing) });
        return Some(splice);
    }
    toml.insert(&[table, name], &[("features".to_owned(), list(missing))])?.pop()
}

/// An array's text with more strings behind the last one, which ends at `last`.
fn extended(array: &str, last: Option<usize>, more: &[String]) -> String {
    let quoted = more.iter().map(|feature| format!("\"{feature}\"")).collect::<Vec<_>>().join(", ");
    let (at, separator) = last.map_or((1, ""), |last| (last, ", "));
    format!("{}{separator}{quoted}{}", &array[..at], &array[at..])
}

#[cfg(test)]
mod tests;

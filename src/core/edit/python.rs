//! Dependencies of Python projects: `[project]` and `[dependency-groups]` of a `pyproject.toml`, and the lines of a
//! `requirements.txt`.

use std::ops::Range;

use anyhow::Result;
use semver::{Version, VersionReq};
use toml_edit::{Array, Item, TableLike, Value};

use super::{Existing, Outcome, Splice, insert_lines, line_start, next_line, toml::Toml};
use crate::core::{anchor::line_of, pack::Dependency, pep440, problem::Problem, project::Step};

/// The manifest that is a list of requirements.
pub const LINES: &str = "requirements.txt";

const RUNTIME: [&str; 2] = ["project", "dependencies"];
const DEV: [&str; 2] = ["dependency-groups", "dev"];

/// A PEP 508 requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Normalized.
    pub name: String,
    pub extras: Vec<String>,
    /// Such as `>=1.2,<2`.
    pub versions: Option<String>,
    /// It is taken from an address.
    pub address: bool,
}

impl Requirement {
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split([';', '\\']).next()?;
        let text = text.split(" #").next()?.trim();
        let end = text.find(|c: char| !c.is_alphanumeric() && !"-_.".contains(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let (extras, rest) = match rest.trim_start().strip_prefix('[') {
            Some(inside) => inside.split_once(']')?,
            None => ("", rest),
        };
        let rest = rest.trim();
        let address = rest.starts_with('@');
        let versions = rest.trim_start_matches('(').trim_end_matches(')').trim();
        let extras = extras.split(',').map(str::trim).filter(|extra| !extra.is_empty()).map(str::to_owned);
        name.starts_with(char::is_alphanumeric).then(|| Self {
            name: normal(name),
            extras: extras.collect(),
            versions: (!address && !versions.is_empty()).then(|| versions.to_owned()),
            address,
        })
    }
}

/// A package's name as registries compare it.
#[must_use]
pub fn normal(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_lowercase()
}

/// A file that names requirements.
pub enum File<'t> {
    Project(Box<Toml<'t>>),
    Lines(&'t str),
}

/// A requirement and where its text stands, without quotes.
#[derive(Clone, Debug)]
struct Listed {
    requirement: Requirement,
    range: Range<usize>,
    dev: bool,
}

impl<'t> File<'t> {
    /// # Errors
    /// When a `.toml` file is not TOML.
    pub fn parse(path: &str, text: &'t str) -> Result<Self> {
        Ok(if path == LINES { Self::Lines(text) } else { Self::Project(Box::new(Toml::parse(text)?)) })
    }

    fn text(&self) -> &'t str {
        match self {
            Self::Project(toml) => toml.text(),
            Self::Lines(text) => text,
        }
    }

    fn listed(&self) -> Vec<Listed> {
        match self {
            Self::Project(toml) => {
                let groups = |table: &'static [&'static str]| {
                    let table = toml.item(table).and_then(Item::as_table_like);
                    table.into_iter().flat_map(TableLike::iter).filter_map(|(_, item)| item.as_array())
                };
                let runtime = toml.item(&RUNTIME).and_then(Item::as_array).map(|array| (array, false));
                let dev = groups(&["dependency-groups"]).chain(groups(&["project", "optional-dependencies"]));
                let all = runtime.into_iter().chain(dev.map(|array| (array, true)));
                all.flat_map(|(array, dev)| in_array(toml, array, dev)).collect()
            }
            Self::Lines(text) => in_lines(text),
        }
    }

    fn find(&self, dependency: &Dependency) -> Option<Listed> {
        let name = normal(&dependency.name);
        self.listed().into_iter().find(|listed| listed.requirement.name == name && (dependency.dev || !listed.dev))
    }

    /// The name that the project gives itself.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let Self::Project(toml) = self else { return None };
        toml.item(&["project", "name"])?.as_str()
    }

    /// The entry of a package that the app itself needs.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Existing> {
        let name = normal(name);
        let found = self.listed().into_iter().find(|listed| listed.requirement.name == name && !listed.dev)?;
        Some(self.entry(found))
    }

    /// The entry of a dependency; one for tests may be among those of the app.
    #[must_use]
    pub fn existing(&self, dependency: &Dependency) -> Option<Existing> {
        self.find(dependency).map(|found| self.entry(found))
    }

    fn entry(&self, found: Listed) -> Existing {
        Existing {
            version: found.requirement.versions,
            features: found.requirement.extras,
            default_features: true,
            optional: false,
            line: line_of(self.text(), found.range.start),
        }
    }

    /// How the file takes a package from elsewhere than the registry.
    #[must_use]
    pub fn replaced(&self, dependency: &Dependency) -> Option<String> {
        if self.find(dependency)?.requirement.address {
            return Some("an address of its own".to_owned());
        }
        let Self::Project(toml) = self else { return None };
        let sources = toml.item(&["tool", "uv", "sources"]).and_then(Item::as_table_like)?;
        let name = normal(&dependency.name);
        sources.iter().any(|(source, _)| normal(source) == name).then(|| "an entry of `[tool.uv.sources]`".to_owned())
    }

    /// # Errors
    /// When the project has a version that the generated code does not work with: there cannot be two (exit 4).
    pub fn refuse_other(&self, dependency: &Dependency, path: &str) -> Result<(), Problem> {
        let Some(entry) = self.existing(dependency) else { return Ok(()) };
        let (Some(accept), Some(written)) = (&dependency.accept, &entry.version) else { return Ok(()) };
        if meets(accept, written) {
            return Ok(());
        }
        let name = &dependency.name;
        Err(Problem::unsupported(
            format!("{path}:{}: `{name}{written}` is not a version that the generated code works with", entry.line),
            format!("use `{name}` {accept}, then run the command again"),
        ))
    }

    /// Splices that give the file every dependency it lacks, and steps for what cannot be changed safely.
    ///
    /// # Errors
    /// When an entry is there in a version that the generated code does not work with (exit 4).
    pub fn add(&self, wanted: &[Dependency], path: &str) -> Result<Vec<Outcome>> {
        let (mut outcomes, mut new) = (vec![], vec![]);
        for dependency in wanted {
            self.refuse_other(dependency, path)?;
            match self.find(dependency) {
                Some(listed) => outcomes.push(self.extend(dependency, &listed)),
                None => new.push(dependency.clone()),
            }
        }
        for dev in [false, true] {
            let lines = fresh(&new, dev);
            if !lines.is_empty() {
                let edit = self.insert(&lines, dev).map(Outcome::Edit);
                outcomes.push(edit.unwrap_or_else(|| Outcome::Manual(by_hand(path, dev, &lines))));
            }
        }
        Ok(outcomes)
    }

    /// An entry with the extras that it lacks.
    fn extend(&self, dependency: &Dependency, listed: &Listed) -> Outcome {
        let have = &listed.requirement.extras;
        if dependency.features.iter().all(|feature| have.contains(feature)) {
            return Outcome::Already;
        }
        let text = &self.text()[listed.range.clone()];
        let name = text.find(|c: char| !c.is_alphanumeric() && !"-_.".contains(c)).unwrap_or(text.len());
        let after = text.find(']').map_or(name, |end| end + 1);
        let mut extras: Vec<&String> = have.iter().chain(&dependency.features).collect();
        extras.sort();
        extras.dedup();
        let extras = extras.into_iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let new = format!("{}[{extras}]{}", &text[..name], &text[after..]);
        Outcome::Edit(vec![Splice { range: listed.range.clone(), text: new, entry: None }])
    }

    fn insert(&self, lines: &[String], dev: bool) -> Option<Vec<Splice>> {
        match self {
            Self::Project(toml) => in_project(toml, lines, if dev { DEV } else { RUNTIME }),
            // There is one list, and it is what production installs. With hashes, a line without one is refused.
            Self::Lines(text) => (!dev && !text.contains("--hash=")).then(|| as_lines(text, lines)),
        }
    }
}

fn in_array(toml: &Toml<'_>, array: &Array, dev: bool) -> Vec<Listed> {
    let listed = |value: &Value| {
        let whole = toml.at(value.span()?);
        let requirement = Requirement::parse(value.as_str()?)?;
        Some(Listed { requirement, range: whole.start + 1..whole.end - 1, dev })
    };
    array.iter().filter_map(listed).collect()
}

fn in_lines(text: &str) -> Vec<Listed> {
    let mut at = 0;
    let mut found = vec![];
    for line in text.split_inclusive('\n') {
        let start = at + line.len() - line.trim_start_matches([' ', '\t', '\u{feff}']).len();
        at += line.len();
        let requirement = &text[start..at];
        if !requirement.starts_with(['#', '-']) && !is_address(requirement) {
            let range = start..start + requirement.trim_end().len();
            found.extend(Requirement::parse(requirement).map(|requirement| Listed { requirement, range, dev: false }));
        }
    }
    found
}

/// Whether a line is an address alone, which names no package.
fn is_address(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|word| word.contains("://"))
}

/// Whether some version is within both.
#[must_use]
pub fn meets(accept: &VersionReq, written: &str) -> bool {
    let floors = accept.comparators.iter().filter(|part| !matches!(part.op, semver::Op::Less | semver::Op::LessEq));
    let floor = |part: &semver::Comparator| Version::new(part.major, part.minor.unwrap_or(0), part.patch.unwrap_or(0));
    let lowest = pep440::lowest(written);
    lowest.is_some_and(|version| accept.matches(&version))
        || floors.map(floor).max().is_some_and(|floor| pep440::admits(written, &floor) != Some(false))
}

/// What is written for those that are not there, in order.
fn fresh(wanted: &[Dependency], dev: bool) -> Vec<String> {
    let extras =
        |features: &[String]| if features.is_empty() { String::new() } else { format!("[{}]", features.join(",")) };
    let wanted = wanted.iter().filter(|dependency| dependency.dev == dev);
    let mut lines: Vec<String> =
        wanted.map(|one| format!("{}{}{}", one.name, extras(&one.features), one.version)).collect();
    lines.sort();
    lines
}

/// The steps that stand for all of `wanted`.
#[must_use]
pub fn all_by_hand(wanted: &[Dependency], path: &str) -> Vec<Step> {
    let all = [false, true].map(|dev| (dev, fresh(wanted, dev)));
    all.iter().filter(|(_, lines)| !lines.is_empty()).map(|(dev, lines)| by_hand(path, *dev, lines)).collect()
}

fn by_hand(path: &str, dev: bool, lines: &[String]) -> Step {
    let what = if dev { "add to what is installed for development and tests" } else { "add to the dependencies" };
    Step { at: path.to_owned(), what: what.to_owned(), text: lines.join("\n") }
}

fn in_project(toml: &Toml<'_>, lines: &[String], [table, key]: [&str; 2]) -> Option<Vec<Splice>> {
    let is_dynamic = |value: &Value| value.as_str() == Some(key);
    let dynamic = toml.item(&["project", "dynamic"]).and_then(Item::as_array);
    if toml.item(&["project"]).is_none() || dynamic.is_some_and(|listed| listed.iter().any(is_dynamic)) {
        return None;
    }
    match toml.item(&[table, key]) {
        // In `[project]` the order is that of a person: name, version, and so on.
        None => toml.append(&[table], &[(key.to_owned(), several(lines))]),
        Some(item) => {
            let array = item.as_array()?;
            let span = toml.at(array.span()?);
            let is_list = !array.is_empty() && toml.slice(&span).contains('\n');
            if is_list { in_list(toml, array, lines) } else { one_line(toml, array, lines, [table, key]) }
        }
    }
}

/// An array, one item a line.
fn several(items: &[String]) -> String {
    let lines: Vec<String> = items.iter().map(|item| format!("    \"{item}\",")).collect();
    format!("[\n{}\n]", lines.join("\n"))
}

/// An array on one line would grow past any line's end.
fn one_line(toml: &Toml<'_>, array: &Array, lines: &[String], [table, key]: [&str; 2]) -> Option<Vec<Splice>> {
    let mut all: Vec<String> = array.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    if all.iter().any(|item| item.contains(['"', '\\'])) {
        return None;
    }
    let sorted = all.is_sorted();
    all.extend(lines.iter().cloned());
    if sorted {
        all.sort();
    }
    let ending = super::ending(toml.text(), toml.at(array.span()?).start);
    Some(vec![toml.replace(&[table], key, &several(&all).replace('\n', ending))?])
}

fn in_list(toml: &Toml<'_>, array: &Array, lines: &[String]) -> Option<Vec<Splice>> {
    let text = toml.text();
    let spans: Vec<Range<usize>> =
        array.iter().map(|value| value.span().map(|span| toml.at(span))).collect::<Option<_>>()?;
    let last = spans.last()?.end;
    let start = line_start(text, spans.first()?.start);
    let before = &text[start..spans.first()?.start];
    let indent = if before.trim().is_empty() { before } else { "    " };
    let quote = text[spans.first()?.clone()].chars().next()?;
    let item = |line: &str| format!("{indent}{quote}{line}{quote}");
    let end = toml.at(array.span()?).end;
    let close = text[last..end].find(',').map(|at| last + at);
    let commented = text[last..next_line(text, last)].contains('#');
    let Some(comma) = close.filter(|comma| !text[last..*comma].contains('#')) else {
        // Without a comma behind the last item there is none behind the new last one.
        let items: Vec<String> = lines.iter().map(|line| item(line)).collect();
        let more = format!(",\n{}", items.join(",\n")).replace('\n', super::ending(text, last));
        return (!commented).then(|| vec![Splice { range: last..last, text: more, entry: None }]);
    };
    let names: Vec<String> = spans.iter().map(|span| name_of(&text[span.clone()])).collect();
    let sorted = names.is_sorted();
    let place = |line: &str| {
        let at = names.iter().position(|name| sorted && *name > name_of(line));
        let own_line = |at: usize| {
            let start = line_start(text, spans[at].start);
            text[start..spans[at].start].trim().is_empty().then_some(start)
        };
        at.and_then(own_line).unwrap_or_else(|| next_line(text, comma))
    };
    Some(lines.iter().map(|line| insert_lines(text, place(line), &format!("{},", item(line)))).collect())
}

fn name_of(text: &str) -> String {
    Requirement::parse(text.trim_matches(['"', '\''])).map(|requirement| requirement.name).unwrap_or_default()
}

fn as_lines(text: &str, lines: &[String]) -> Vec<Splice> {
    let listed = in_lines(text);
    let sorted = listed.iter().map(|listed| &listed.requirement.name).is_sorted();
    let end = listed.last().map_or(text.len(), |last| next_line(text, last.range.end));
    let place = |line: &str| {
        let after = listed.iter().find(|have| sorted && have.requirement.name > name_of(line));
        after.map_or(end, |have| super::with_lines_above(text, line_start(text, have.range.start), &["#"]))
    };
    lines.iter().map(|line| insert_lines(text, place(line), line)).collect()
}

#[cfg(test)]
mod tests;

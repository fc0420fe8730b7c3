//! Dependencies of a `package.json`.

use std::ops::Range;

use anyhow::{Context as _, Result};
use ast_grep_core::tree_sitter::LanguageExt as _;
use ast_grep_language::SupportLang;
use semver::Version;
use serde_json::Value;

use super::{Existing, Outcome, Splice, ending, line_start};
use crate::core::{anchor::line_of, npm, pack::Dependency, problem::Problem, project::Step};

pub const NAME: &str = "package.json";

const RUNTIME: &str = "dependencies";
const DEV: &str = "devDependencies";

/// A member of an object: where its name and its value stand.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    whole: Range<usize>,
    value: Range<usize>,
}

pub struct File<'t> {
    text: &'t str,
    json: Value,
}

impl<'t> File<'t> {
    /// # Errors
    /// When the text is not a JSON object.
    pub fn parse(text: &'t str) -> Result<Self> {
        let json: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).context("not valid JSON")?;
        json.as_object().context("not a JSON object")?;
        Ok(Self { text, json })
    }

    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.json.get("name")?.as_str()
    }

    /// The lowest version of Node that the project says it runs on, and the line that says so.
    #[must_use]
    pub fn minimum(&self) -> Option<(Version, usize)> {
        let written = self.json.get("engines")?.get("node")?.as_str()?;
        let at = self.member(&["engines", "node"])?.whole.start;
        Some((npm::lowest(written)?, line_of(self.text, at)))
    }

    /// The entry of a package that the app itself needs.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Existing> {
        self.entry(RUNTIME, name)
    }

    /// The entry of a dependency; one for tests may be among those of the app.
    #[must_use]
    pub fn existing(&self, dependency: &Dependency) -> Option<Existing> {
        let for_tests = || self.entry(DEV, &dependency.name).filter(|_| dependency.dev);
        self.entry(RUNTIME, &dependency.name).or_else(for_tests)
    }

    fn entry(&self, table: &str, name: &str) -> Option<Existing> {
        let version = self.json.get(table)?.get(name)?.as_str().map(str::to_owned);
        let line = self.member(&[table, name]).map_or(1, |member| line_of(self.text, member.whole.start));
        Some(Existing { version, features: vec![], default_features: true, optional: false, line })
    }

    /// How the file takes a package from elsewhere than the registry, or another in its place.
    #[must_use]
    pub fn replaced(&self, dependency: &Dependency) -> Option<String> {
        let name = &dependency.name;
        if let Some(version) = self.existing(dependency).and_then(|entry| entry.version)
            && version.contains(':')
            && !version.starts_with("catalog:")
        {
            return Some(format!("`{version}`"));
        }
        let pinned = |path: [&str; 2]| {
            let table = path
                .iter()
                .try_fold(&self.json, |value, key| if key.is_empty() { Some(value) } else { value.get(key) });
            table.and_then(|table| table.get(name)).is_some()
        };
        [["overrides", ""], ["resolutions", ""], ["pnpm", "overrides"]]
            .into_iter()
            .find(|path| pinned(*path))
            .map(|path| format!("an entry of `{}`", path.join(" ").trim()))
    }

    /// # Errors
    /// When the project has a version that the generated code does not work with: there cannot be two (exit 4).
    pub fn refuse_other(&self, dependency: &Dependency, path: &str) -> Result<(), Problem> {
        let Some(entry) = self.existing(dependency) else { return Ok(()) };
        let (Some(accept), Some(written)) = (&dependency.accept, &entry.version) else { return Ok(()) };
        if npm::meets(accept, written) {
            return Ok(());
        }
        let name = &dependency.name;
        Err(Problem::unsupported(
            format!("{path}:{}: `{name}` {written} is not a version that the generated code works with", entry.line),
            format!("use `{name}` {accept}, then run the command again"),
        ))
    }

    /// Splices that give the file every dependency it lacks, and steps for what cannot be changed safely.
    ///
    /// # Errors
    /// When an entry is there in a version that the generated code does not work with (exit 4).
    pub fn add(&self, wanted: &[Dependency], path: &str) -> Result<Vec<Outcome>> {
        let mut new = vec![];
        for dependency in wanted {
            self.refuse_other(dependency, path)?;
            if self.existing(dependency).is_none() {
                new.push(dependency.clone());
            }
        }
        if new.is_empty() {
            return Ok(vec![Outcome::Already]);
        }
        let mut outcomes = vec![];
        let mut missing = vec![];
        for table in [RUNTIME, DEV] {
            let entries = fresh(&new, table);
            if entries.is_empty() {
                continue;
            }
            match self.member(&[table]) {
                None => missing.push((table, entries)),
                Some(member) => outcomes.push(
                    self.among(&member.value, &entries)
                        .map_or_else(|| Outcome::Manual(by_hand(path, table, &entries)), Outcome::Edit),
                ),
            }
        }
        if !missing.is_empty() {
            let edit = self.tables(&missing).map(|splice| vec![Outcome::Edit(vec![splice])]);
            let by_hand = || missing.iter().map(|(table, all)| Outcome::Manual(by_hand(path, table, all))).collect();
            outcomes.extend(edit.unwrap_or_else(by_hand));
        }
        Ok(outcomes)
    }

    /// Entries among those of a table, in order where they are.
    fn among(&self, table: &Range<usize>, entries: &[(String, String)]) -> Option<Vec<Splice>> {
        let members = members(self.text, table.start)?;
        let Some((first, last)) = members.first().zip(members.last()) else {
            let (outer, unit) = self.indents(table.start);
            return Some(vec![self.splice(table.clone(), &object(entries, &outer, &unit))]);
        };
        let indent = own_line(self.text, first.whole.start);
        let is_sorted = members.is_sorted_by(|a, b| a.name <= b.name);
        let splice = |(name, version): &(String, String)| {
            let before = members.iter().find(|member| is_sorted && member.name > *name);
            let entry = format!("\"{name}\": \"{version}\"");
            match (before, indent) {
                (Some(next), Some(indent)) => {
                    self.splice(next.whole.start..next.whole.start, &format!("{entry},\n{indent}"))
                }
                (Some(next), None) => self.splice(next.whole.start..next.whole.start, &format!("{entry}, ")),
                (None, Some(indent)) => self.splice(last.whole.end..last.whole.end, &format!(",\n{indent}{entry}")),
                (None, None) => self.splice(last.whole.end..last.whole.end, &format!(", {entry}")),
            }
        };
        Some(entries.iter().map(splice).collect())
    }

    /// Tables that are not there, after all others.
    fn tables(&self, tables: &[(&str, Vec<(String, String)>)]) -> Option<Splice> {
        let members = members(self.text, self.text.find('{')?)?;
        let last = members.last()?;
        let unit = own_line(self.text, last.whole.start)?.to_owned();
        let table = |(name, entries): &(&str, Vec<(String, String)>)| {
            format!(",\n{unit}\"{name}\": {}", object(entries, &unit, &unit))
        };
        let text: String = tables.iter().map(table).collect();
        Some(self.splice(last.whole.end..last.whole.end, &text))
    }

    /// The indentation of the line that a place is in, and by how much what is within is indented.
    fn indents(&self, at: usize) -> (String, String) {
        let line = &self.text[line_start(self.text, at)..];
        let outer = line[..line.len() - line.trim_start().len()].to_owned();
        let unit = if outer.is_empty() { "  ".to_owned() } else { outer.clone() };
        (outer, unit)
    }

    fn splice(&self, range: Range<usize>, text: &str) -> Splice {
        let text = text.replace('\n', ending(self.text, range.start));
        Splice { range, text, entry: None }
    }

    fn member(&self, path: &[&str]) -> Option<Member> {
        let mut at = self.text.find('{')?;
        let mut found = None;
        for name in path {
            // Of a name that is there twice, the last counts, for npm too.
            let member = members(self.text, at)?.into_iter().rfind(|member| member.name == *name)?;
            at = member.value.start;
            found = Some(member);
        }
        found
    }
}

/// The indentation of what begins its line.
fn own_line(text: &str, at: usize) -> Option<&str> {
    let before = &text[line_start(text, at)..at];
    before.trim().is_empty().then_some(before)
}

/// The members of the object that begins at `start`.
fn members(text: &str, start: usize) -> Option<Vec<Member>> {
    let parsed = SupportLang::Json.ast_grep(text);
    let object = parsed.root().dfs().find(|node| node.kind() == "object" && node.range().start == start)?;
    let member = |pair: ast_grep_core::Node<'_, _>| {
        let (name, value) = (pair.field("key")?, pair.field("value")?);
        let name: String = serde_json::from_str(&name.text()).ok()?;
        Some(Member { name, whole: pair.range(), value: value.range() })
    };
    object.children().filter(|child| child.kind() == "pair").map(member).collect()
}

/// What is written for those that are not there, in npm's order.
fn fresh(wanted: &[Dependency], table: &str) -> Vec<(String, String)> {
    let of = |dependency: &&Dependency| (if dependency.dev { DEV } else { RUNTIME }) == table;
    let entry = |dependency: &Dependency| (dependency.name.clone(), dependency.version.clone());
    let mut entries: Vec<(String, String)> = wanted.iter().filter(of).map(entry).collect();
    entries.sort();
    entries
}

fn object(entries: &[(String, String)], outer: &str, unit: &str) -> String {
    let lines: Vec<String> =
        entries.iter().map(|(name, version)| format!("{outer}{unit}\"{name}\": \"{version}\"")).collect();
    format!("{{\n{}\n{outer}}}", lines.join(",\n"))
}

/// The steps that stand for all of `wanted`.
#[must_use]
pub fn all_by_hand(wanted: &[Dependency], path: &str) -> Vec<Step> {
    let all = [RUNTIME, DEV].map(|table| (table, fresh(wanted, table)));
    all.iter()
        .filter(|(_, entries)| !entries.is_empty())
        .map(|(table, entries)| by_hand(path, table, entries))
        .collect()
}

fn by_hand(path: &str, table: &str, entries: &[(String, String)]) -> Step {
    let lines: Vec<String> = entries.iter().map(|(name, version)| format!("\"{name}\": \"{version}\"")).collect();
    Step { at: path.to_owned(), what: format!("add to the {table}"), text: lines.join(",\n") }
}

#[cfg(test)]
mod tests;

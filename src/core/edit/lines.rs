//! List files, one entry a line: ignore files, environment examples.

use anyhow::Result;

use super::{Outcome, Splice, insert_lines};
use crate::core::{
    pack::Lines,
    project::Tree,
    render::{self, Facts},
};

/// The file that the lines go to: the first candidate that is there, else the first.
#[must_use]
pub fn file<'w>(wanted: &'w Lines, tree: &Tree) -> &'w str {
    let there = wanted.file.iter().find(|name| tree.text(name).is_some());
    there.or(wanted.file.first()).map_or("", String::as_str)
}

/// The lines as they are written.
///
/// # Errors
/// When a line is no template or names an unknown fact.
pub fn rendered(wanted: &Lines, facts: &Facts) -> Result<Vec<String>> {
    wanted.lines.iter().map(|line| render::render("a line", line, facts)).collect()
}

/// Adds the lines that are not there, at the end.
#[must_use]
pub fn add(text: &str, wanted: &Lines, lines: &[String]) -> Outcome {
    let missing: Vec<String> = lines.iter().filter(|line| !holds(text, line)).cloned().collect();
    if missing.is_empty() {
        return Outcome::Already;
    }
    let apart = !text.is_empty() && !text.ends_with("\n\n") && !text.ends_with("\n\r\n");
    let block = format!("{}{}", if apart { "\n" } else { "" }, block(wanted, &missing));
    let splice: Splice = insert_lines(text, text.len(), &block);
    Outcome::Edit(vec![splice])
}

/// The lines under their comment.
#[must_use]
pub fn block(wanted: &Lines, lines: &[String]) -> String {
    wanted.comment.iter().chain(lines).map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// Whether the text has this line, spaces at its ends aside. `KEY=` is there with any value, `/name` also as `name`.
#[must_use]
pub fn holds(text: &str, line: &str) -> bool {
    let line = line.trim();
    text.lines().map(str::trim).any(|have| {
        let valued = line.ends_with('=') && have.trim_start_matches(['#', ' ']).starts_with(line);
        valued || have == line || Some(have) == line.strip_prefix('/')
    })
}

#[cfg(test)]
mod tests;

//! List files, one entry a line: ignore files, environment examples.

use super::{Outcome, Splice, insert_lines};
use crate::core::pack::Lines;

/// Adds the lines that are not there, at the end.
#[must_use]
pub fn add(text: &str, wanted: &Lines) -> Outcome {
    let missing: Vec<&str> = wanted.lines.iter().map(String::as_str).filter(|line| !holds(text, line)).collect();
    if missing.is_empty() {
        return Outcome::Already;
    }
    let mut block = String::new();
    if !text.is_empty() && !text.ends_with("\n\n") && !text.ends_with("\n\r\n") {
        block.push('\n');
    }
    if let Some(comment) = &wanted.comment {
        block.push_str(comment);
        block.push('\n');
    }
    block.push_str(&missing.join("\n"));
    let splice: Splice = insert_lines(text, text.len(), &block);
    Outcome::Edit(vec![splice])
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

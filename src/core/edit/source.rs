//! Source code: lines inserted or captures replaced at a place that a rule found.

use anyhow::{Context as _, Result};

use super::{Splice, insert_lines, line_start, next_line};
use crate::core::{
    anchor::{self, Match},
    pack::{Language, Place, Wire},
};

/// The splice that puts `lines` after the file's leading imports, as a paragraph of its own.
///
/// # Errors
/// When the grammar is unknown.
pub fn import(language: &Language, source: &str, lines: &str) -> Result<Splice> {
    let (after, _) = anchor::after_imports(language, source)?;
    if after == 0 {
        let start = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        return Ok(insert_lines(source, start, &format!("{lines}\n")));
    }
    Ok(insert_lines(source, next_line(source, after), &format!("\n{lines}")))
}

/// The splices for all wires, with their texts, at one match.
///
/// # Errors
/// When the pack names a capture that the rule does not make.
pub fn wires(language: &Language, source: &str, at: &Match, wires: &[(&Wire, String)]) -> Result<Vec<Splice>> {
    let (mut splices, mut replaced) = (vec![], vec![]);
    for (wire, text) in wires {
        if wire.place != Place::Replace {
            splices.push(before(language, source, at.statement.start, text));
            continue;
        }
        let name = wire.capture.as_deref().context("a `replace` wire names no capture")?;
        let capture = at.captures.get(name).with_context(|| format!("the anchor captures no `{name}`"))?;
        replaced.push(Splice { range: capture.range.clone(), text: text.clone(), entry: None });
    }
    splices.extend(one_line(language, source, at, &replaced).map_or(replaced, |statement| vec![statement]));
    Ok(splices)
}

/// Replacements made a statement shorter: if it was on several lines only for its length, it goes on one, where a
/// formatter would put it.
fn one_line(language: &Language, source: &str, at: &Match, replaced: &[Splice]) -> Option<Splice> {
    let old = &source[at.statement.clone()];
    if replaced.is_empty() || !old.contains('\n') || old.contains(&language.comment) || old.contains("/*") {
        return None;
    }
    let shift = |splice: &Splice| Splice {
        range: splice.range.start - at.statement.start..splice.range.end - at.statement.start,
        ..splice.clone()
    };
    let (new, _) = super::splice(old, replaced.iter().map(shift).collect());
    let mut joined = String::new();
    for line in new.lines().map(str::trim) {
        let tight = joined.is_empty() || joined.ends_with(['(', '[']) || line.starts_with(['.', '?', ')', ']']);
        if line.starts_with([')', ']']) {
            joined.truncate(joined.trim_end_matches(',').len());
        }
        joined.push_str(if tight { "" } else { " " });
        joined.push_str(line);
    }
    let fits = joined.chars().count() <= language.one_line;
    fits.then(|| Splice { range: at.statement.clone(), text: joined, entry: None })
}

fn before(language: &Language, source: &str, statement: usize, text: &str) -> Splice {
    let start = line_start(source, statement);
    let indent = &source[start..statement];
    if !indent.trim().is_empty() {
        let inline = text.lines().collect::<Vec<_>>().join(" ");
        return Splice { range: statement..statement, text: format!("{inline} "), entry: None };
    }
    let lines: Vec<String> = text.lines().map(|line| format!("{indent}{line}")).collect();
    insert_lines(source, above_comments(language, source, start), &lines.join("\n"))
}

/// A comment right above a statement belongs to it.
fn above_comments(language: &Language, source: &str, mut start: usize) -> usize {
    while start > 0 {
        let previous = line_start(source, start - 1);
        if !source[previous..start].trim_start().starts_with(&language.comment) {
            break;
        }
        start = previous;
    }
    start
}

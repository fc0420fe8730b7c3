//! Source code: lines inserted or captures replaced at a place that a rule found.

use anyhow::{Context as _, Result};

use super::{Splice, ending, insert_lines, line_start, next_line, with_lines_above};
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
    let next = next_line(source, after);
    let rest = source[after..next].trim();
    if rest.is_empty() || rest.starts_with(&language.comment) {
        return Ok(insert_lines(source, next, &format!("\n{lines}")));
    }
    // Code follows on the line itself.
    let text = format!("\n\n{lines}\n").replace('\n', ending(source, after));
    Ok(Splice { range: after..after, text, entry: None })
}

/// The splice that puts `lines` at the end of the file, as a paragraph of its own.
#[must_use]
pub fn end(source: &str, lines: &str) -> Splice {
    let text = source.trim_end();
    let gap = if text.is_empty() { "" } else { "\n" };
    insert_lines(source, source.len(), &format!("{gap}{lines}"))
}

/// The splices for all wires, with their texts, at one match.
///
/// # Errors
/// When the pack names a capture that the rule does not make.
pub fn wires(language: &Language, source: &str, at: &Match, wires: &[(&Wire, String)]) -> Result<Vec<Splice>> {
    let (mut splices, mut replaced) = (vec![], vec![]);
    for (wire, text) in wires {
        match wire.place {
            Place::Replace => {}
            Place::After => {
                splices.push(after(source, at, text));
                continue;
            }
            Place::End => {
                splices.push(end(source, text));
                continue;
            }
            Place::Before | Place::Import => {
                splices.push(before(language, source, at.lead, text));
                continue;
            }
        }
        let name = wire.capture.as_deref().context("a `replace` wire names no capture")?;
        let capture = at.captures.get(name).with_context(|| format!("the anchor captures no `{name}`"))?;
        replaced.push(Splice { range: capture.range.clone(), text: text.clone(), entry: None });
    }
    if !replaced.is_empty() {
        splices.push(whole_statement(language, source, at, &replaced));
    }
    Ok(splices)
}

/// Replacements as one of the whole statement, which is found again where the file changed elsewhere.
fn whole_statement(language: &Language, source: &str, at: &Match, replaced: &[Splice]) -> Splice {
    let old = &source[at.statement.clone()];
    let shift = |splice: &Splice| Splice {
        range: splice.range.start - at.statement.start..splice.range.end - at.statement.start,
        ..splice.clone()
    };
    let (new, _) = super::splice(old, replaced.iter().map(shift).collect());
    let text = one_line(language, &new).unwrap_or(new);
    Splice { range: at.statement.clone(), text, entry: None }
}

/// Replacements make a statement shorter: if it was on several lines only for its length, it goes on one, where a
/// formatter would put it.
fn one_line(language: &Language, new: &str) -> Option<String> {
    if !new.contains('\n') || new.contains(&language.comment) || new.contains("/*") || !closes_strings(new) {
        return None;
    }
    let mut joined = String::new();
    for line in new.lines().map(str::trim) {
        let tight = joined.is_empty() || joined.ends_with(['(', '[']) || line.starts_with(['.', '?', ')', ']']);
        if line.starts_with([')', ']']) {
            joined.truncate(joined.trim_end_matches(',').len());
        }
        joined.push_str(if tight { "" } else { " " });
        joined.push_str(line);
    }
    (joined.chars().count() <= language.one_line).then_some(joined)
}

/// Whether no string goes on in the next line, as far as it can be told from the quotes.
fn closes_strings(text: &str) -> bool {
    let quotes = |line: &str| line.replace("\\\"", "").matches('"').count();
    !text.contains("\"#") && text.lines().all(|line| quotes(line) % 2 == 0)
}

fn after(source: &str, at: &Match, text: &str) -> Splice {
    let start = line_start(source, at.statement.start);
    let line = &source[start..at.statement.start];
    let indent = &line[..line.len() - line.trim_start().len()];
    let lines: Vec<String> = text.lines().map(|line| format!("{indent}{line}")).collect();
    insert_lines(source, next_line(source, at.statement.end), &lines.join("\n"))
}

fn before(language: &Language, source: &str, statement: usize, text: &str) -> Splice {
    let start = line_start(source, statement);
    let indent = &source[start..statement];
    if !indent.trim().is_empty() {
        let inline = text.lines().collect::<Vec<_>>().join(" ");
        return Splice { range: statement..statement, text: format!("{inline} "), entry: None };
    }
    let lines: Vec<String> = text.lines().map(|line| format!("{indent}{line}")).collect();
    insert_lines(source, with_lines_above(source, start, &language.above), &lines.join("\n"))
}

#[cfg(test)]
mod tests;

//! Edits of files that the user owns: ranges replaced, every other byte kept.

pub mod cargo_toml;
pub mod dependencies;
pub mod hunks;
pub mod lines;
pub mod package_json;
pub mod python;
pub mod source;
pub mod toml;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::project::Step;

/// A range of a text and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    pub range: Range<usize>,
    pub text: String,
    pub entry: Option<Entry>,
}

/// A splice that is an entry of a structured file, so that it can be taken back wherever it then stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Dotted path of the table.
    pub table: String,
    /// `None` for the table's own header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The value's text after the edit.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub value: String,
}

/// A splice that was made: what stood there, what stands there now, and where in the edited text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    pub at: usize,
    pub removed: String,
    pub inserted: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entry: Option<Entry>,
}

/// What an editor answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Edit(Vec<Splice>),
    /// The file already says so; editing twice changes nothing.
    Already,
    /// There is no safe way; the user gets this step instead.
    Manual(Step),
}

/// A dependency that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    /// The version requirement as written, here or in the workspace.
    pub version: Option<String>,
    pub features: Vec<String>,
    pub default_features: bool,
    pub optional: bool,
    pub line: usize,
}

/// Makes all splices at once. Those at one place keep their order.
#[must_use]
pub fn splice(text: &str, mut splices: Vec<Splice>) -> (String, Vec<Made>) {
    splices.sort_by_key(|splice| splice.range.start);
    let (mut out, mut made, mut from) = (String::with_capacity(text.len()), vec![], 0);
    for splice in splices {
        out.push_str(&text[from..splice.range.start]);
        from = splice.range.end;
        made.push(Made {
            at: out.len(),
            removed: text[splice.range].to_owned(),
            inserted: splice.text.clone(),
            entry: splice.entry,
        });
        out.push_str(&splice.text);
    }
    out.push_str(&text[from..]);
    (out, made)
}

/// Takes splices back from the very text they produced; `None` if it is another text.
#[must_use]
pub fn unsplice(text: &str, made: &[Made]) -> Option<String> {
    let mut out = text.to_owned();
    for one in made.iter().rev() {
        let range = one.at..one.at + one.inserted.len();
        if out.get(range.clone())? != one.inserted {
            return None;
        }
        out.replace_range(range, &one.removed);
    }
    Some(out)
}

/// The line ending in use around `offset`.
#[must_use]
pub fn ending(text: &str, offset: usize) -> &'static str {
    let end = |line: &str| if line.ends_with('\r') { "\r\n" } else { "\n" };
    let (before, after) = text.split_at(offset);
    match (before.rfind('\n'), after.find('\n')) {
        (Some(at), _) if at + 1 == before.len() => end(&before[..at]),
        (_, Some(at)) => end(if at == 0 { before } else { &after[..at] }),
        (Some(at), None) => end(&before[..at]),
        (None, None) => "\n",
    }
}

/// Whole lines as a splice: on their own lines starting at `offset`, which is a line's start or the text's end.
#[must_use]
pub fn insert_lines(text: &str, offset: usize, lines: &str) -> Splice {
    let ending = ending(text, offset);
    let body = lines.replace('\n', ending);
    let open = offset == text.len() && offset > 0 && !text.ends_with('\n');
    let text = if open { format!("{ending}{body}") } else { format!("{body}{ending}") };
    Splice { range: offset..offset, text, entry: None }
}

/// The start of the lines right above `line` that belong to what it begins: those that begin with one of `marks`.
#[must_use]
pub fn with_lines_above<S: AsRef<str>>(text: &str, line: usize, marks: &[S]) -> usize {
    let mut start = line;
    while start > 0 {
        let previous = line_start(text, start - 1);
        let above = text[previous..start].trim_start();
        if !marks.iter().any(|mark| above.starts_with(mark.as_ref())) {
            break;
        }
        start = previous;
    }
    start
}

/// The start of the line that `offset` is in.
#[must_use]
pub fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

/// The start of the line after the one that `offset` is in, or the text's end.
#[must_use]
pub fn next_line(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |at| offset + at + 1)
}

/// The text with every line ending CRLF.
#[must_use]
pub fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

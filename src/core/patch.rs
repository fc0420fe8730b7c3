//! A plan as a git patch: the text that people review.

use std::fmt::Write as _;

use super::project::{Change, Text};

/// The changes in git's format, each path below `prefix` (empty for the project's own folder).
#[must_use]
pub fn patch(changes: &[Change], prefix: &str) -> String {
    changes.iter().fold(String::new(), |mut out, change| {
        one(&mut out, change, prefix);
        out
    })
}

fn one(out: &mut String, change: &Change, prefix: &str) {
    let path = change.path.below(prefix).to_string();
    let (old, new) = (quoted("a/", &path), quoted("b/", &path));
    _ = writeln!(out, "diff --git {old} {new}");
    match (&change.before, &change.after) {
        (None, _) => _ = writeln!(out, "new file mode 100644"),
        (_, None) => _ = writeln!(out, "deleted file mode 100644"),
        _ => {}
    }
    let raw = |text: &Option<Text>| text.as_ref().map(|text| text.raw().to_owned()).unwrap_or_default();
    let (before, after) = (raw(&change.before), raw(&change.after));
    if before == after {
        return;
    }
    let name = |text: &Option<Text>, name: String| match (text, path.contains(' ')) {
        (None, _) => "/dev/null".to_owned(),
        (_, true) => format!("{name}\t"),
        _ => name,
    };
    _ = writeln!(out, "--- {}\n+++ {}", name(&change.before, old), name(&change.after, new));
    let hunks = diffy::create_patch(&before, &after);
    let formatter = diffy::PatchFormatter::new().suppress_blank_empty(false);
    let text = formatter.fmt_patch(&hunks).to_string();
    out.push_str(text.find("@@").map_or("", |at| &text[at..]));
}

/// Git reads a name in quotes when it holds a quote, a backslash or a control character.
fn quoted(side: &str, path: &str) -> String {
    if !path.chars().any(|c| c == '"' || c == '\\' || c.is_control()) {
        return format!("{side}{path}");
    }
    let mut out = format!("\"{side}");
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => _ = write!(out, "\\{}", byte as char),
            0x20..0x7f => out.push(byte as char),
            _ => _ = write!(out, "\\{byte:03o}"),
        }
    }
    out.push('"');
    out
}

/// Added and removed lines of one change.
#[must_use]
pub fn counts(change: &Change) -> (usize, usize) {
    let raw = |text: &Option<Text>| text.as_ref().map(|text| text.raw().to_owned()).unwrap_or_default();
    let (before, after) = (raw(&change.before), raw(&change.after));
    let patch = diffy::create_patch(&before, &after);
    let lines = patch.hunks().iter().flat_map(diffy::Hunk::lines);
    lines.fold((0, 0), |(added, removed), line| match line {
        diffy::Line::Insert(_) => (added + 1, removed),
        diffy::Line::Delete(_) => (added, removed + 1),
        diffy::Line::Context(_) => (added, removed),
    })
}

#[cfg(test)]
pub(super) mod tests;

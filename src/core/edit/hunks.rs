//! The lines in which two texts differ, as splices that can be taken back by themselves.

use std::{collections::VecDeque, ops::Range};

use super::Splice;

/// Lines of the old text and the lines that take their place.
#[derive(Clone, Debug)]
struct Hunk {
    old: Range<usize>,
    new: Range<usize>,
}

/// Splices that make `after` of `before`. Each inserts a text that stands once in `after`, so that it is found again
/// where the file changed elsewhere; unchanged lines around are part of it if it needs them.
#[must_use]
pub fn between(before: &str, after: &str) -> Vec<Splice> {
    let (old, new) = (lines(before), lines(after));
    let mut next: VecDeque<Hunk> = differing(before, after).into();
    let mut done: Vec<Hunk> = vec![];
    while let Some(mut hunk) = next.pop_front() {
        while !stands_once(after, &new[hunk.new.clone()].concat()) {
            let grown = grow_up(&mut hunk, &mut done) | grow_down(&mut hunk, &mut next, new.len());
            if !grown {
                break;
            }
        }
        done.push(hunk);
    }
    let starts = offsets(&old);
    let splice = |hunk: Hunk| Splice {
        range: starts[hunk.old.start]..starts[hunk.old.end],
        text: new[hunk.new].concat(),
        entry: None,
    };
    done.into_iter().map(splice).collect()
}

/// Takes in the unchanged line above, or the hunk that ends there; whether there was one.
fn grow_up(hunk: &mut Hunk, done: &mut Vec<Hunk>) -> bool {
    let floor = done.last().map_or(0, |last| last.new.end);
    if hunk.new.start > floor {
        (hunk.old.start, hunk.new.start) = (hunk.old.start - 1, hunk.new.start - 1);
        return true;
    }
    let last = done.pop();
    if let Some(last) = &last {
        (hunk.old.start, hunk.new.start) = (last.old.start, last.new.start);
    }
    last.is_some()
}

/// The same below.
fn grow_down(hunk: &mut Hunk, next: &mut VecDeque<Hunk>, end: usize) -> bool {
    let ceiling = next.front().map_or(end, |next| next.new.start);
    if hunk.new.end < ceiling {
        (hunk.old.end, hunk.new.end) = (hunk.old.end + 1, hunk.new.end + 1);
        return true;
    }
    let next = next.pop_front();
    if let Some(next) = &next {
        (hunk.old.end, hunk.new.end) = (next.old.end, next.new.end);
    }
    next.is_some()
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Where each line begins, and where the last one ends.
fn offsets(lines: &[&str]) -> Vec<usize> {
    let mut at = 0;
    let mut starts = vec![0];
    starts.extend(lines.iter().map(|line| {
        at += line.len();
        at
    }));
    starts
}

fn differing(before: &str, after: &str) -> Vec<Hunk> {
    let patch = diffy::DiffOptions::new().set_context_len(0).create_patch(before, after);
    // Numbered from 1; an empty range is named by the line above it.
    let range = |range: diffy::HunkRange| {
        let start = range.start().saturating_sub(usize::from(!range.is_empty()));
        start..start + range.len()
    };
    patch.hunks().iter().map(|hunk| Hunk { old: range(hunk.old_range()), new: range(hunk.new_range()) }).collect()
}

fn stands_once(text: &str, part: &str) -> bool {
    !part.trim().is_empty() && text.matches(part).count() == 1
}

#[cfg(test)]
mod tests;

//! The plan that takes the top layer back: exactly where nothing changed since, entry by entry where something did.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use anyhow::Result;

use super::{
    anchor, edit,
    edit::{Made, with_crlf},
    lock::{self, Created, Edited, Layer, Lock},
    pack::Language,
    project::{Plan, RelPath, Step, Text, Tree, sha256},
};

/// Takes back the top layer of the lock. `language` tells whether source still parses.
///
/// # Errors
/// When the lock cannot be written.
pub fn undo(tree: &Tree, lock: &Lock, language: Option<&Language>) -> Result<Plan> {
    let mut lock = lock.clone();
    let mut after = tree.clone();
    let mut manual = vec![];
    if let Some(layer) = lock.layer.pop() {
        take_back(&layer, &mut after, &mut manual, language)?;
    }
    let path = RelPath::new(lock::PATH)?;
    if lock.layer.is_empty() {
        after.remove(&path);
        for written in [lock::PROOF, lock::FOUND] {
            after.remove(&RelPath::new(written)?);
        }
    } else {
        let text = lock.write()?;
        let text = tree.get(&path).map_or_else(|| Text::new(&text), |now| now.endings_for(&text));
        after.insert(path, text);
    }
    Ok(Plan { changes: tree.difference(&after), manual })
}

/// Puts the lines of ignore files back that hide what is still there: a secret must not show up as a new file.
///
/// # Errors
/// When it cannot be told whether something is there.
pub fn keep_ignored(before: &Tree, after: &mut Tree, there: &dyn Fn(&RelPath) -> Result<bool>) -> Result<Vec<Step>> {
    let mut steps = vec![];
    for (path, old) in before.iter().filter(|(path, _)| path.as_str() == ".gitignore") {
        for line in old.raw().lines().map(str::trim).filter(|line| line.starts_with('/')) {
            let now = after.get(path).map_or("", Text::raw);
            let Ok(hidden) = RelPath::new(line.trim_matches('/')) else { continue };
            if edit::lines::holds(now, line) || !there(&hidden)? {
                continue;
            }
            let (now, _) = edit::splice(now, vec![edit::insert_lines(now, now.len(), line)]);
            after.insert(path.clone(), Text::new(now));
            let what = format!("`{hidden}` is still there, so this line stays; take it out when that is gone");
            steps.push(Step { at: path.to_string(), what, text: line.to_owned() });
        }
    }
    Ok(steps)
}

fn take_back(layer: &Layer, after: &mut Tree, manual: &mut Vec<Step>, language: Option<&Language>) -> Result<()> {
    for created in &layer.created {
        delete(created, after, manual);
    }
    for edited in layer.edited.iter().rev() {
        // Gone, or put back by the user already.
        let Some(now) = after.get(&edited.path).cloned() else { continue };
        if edited.before.as_ref() == Some(&now.sha256()) {
            continue;
        }
        if now.sha256() == edited.after
            && let Some(back) = edit::unsplice(now.raw(), &edited.splice)
        {
            restore(edited, &back, after);
            continue;
        }
        let back = one_by_one(edited, now.raw(), manual, language)?;
        restore(edited, &back, after);
    }
    Ok(())
}

fn delete(created: &Created, after: &mut Tree, manual: &mut Vec<Step>) {
    let Some(now) = after.get(&created.path) else { return };
    if sha256(now.as_rendered().as_bytes()) == created.sha256 {
        after.remove(&created.path);
        return;
    }
    manual.push(Step {
        at: created.path.to_string(),
        what: "it was changed since it was generated, so it was kept; delete it when you no longer need it".to_owned(),
        text: String::new(),
    });
}

/// A file that did not exist before the edit goes again when nothing is left in it.
fn restore(edited: &Edited, text: &str, after: &mut Tree) {
    if edited.before.is_none() && text.trim().is_empty() {
        after.remove(&edited.path);
    } else {
        after.insert(edited.path.clone(), Text::new(text));
    }
}

fn one_by_one(edited: &Edited, now: &str, manual: &mut Vec<Step>, language: Option<&Language>) -> Result<String> {
    let source = language.filter(|language| language.reads(&edited.path));
    let errors = |text: &str| source.map_or(Ok(0), |language| anchor::parse_errors(language, text));
    let mut text = now.to_owned();
    for made in edited.splice.iter().rev() {
        let back = match &made.entry {
            Some(entry) => edit::toml::take_back(&text, made, entry).unwrap_or(None),
            None => take_back_text(&text, made, &edited.splice),
        };
        let back = back.map(|back| (back, vec![])).or_else(|| take_back_lines(&text, made));
        match back {
            Some((back, gone)) if errors(&back)? <= errors(&text)? => {
                text = back;
                manual.extend((!gone.is_empty()).then(|| look_for(edited, &gone)));
            }
            _ => manual.push(by_hand(edited, made)),
        }
    }
    Ok(text)
}

/// Replaces the inserted text by what stood there, if it stands exactly once, or where another edit says.
fn take_back_text(text: &str, made: &Made, all: &[Made]) -> Option<String> {
    let found = once(text, made).or_else(|| beside(text, made, all));
    let (inserted, _) = found.filter(|(range, _)| is_whole(text, range))?;
    // What was on one line does not show it, but what else was inserted may.
    let crlf = all.iter().any(|other| once(text, other).is_some_and(|(_, crlf)| crlf));
    let removed = if crlf { with_crlf(&made.removed) } else { made.removed.clone() };
    Some(format!("{}{removed}{}", &text[..inserted.start], &text[inserted.end..]))
}

/// Takes out inserted lines one by one, where the user put something between them or took some out; those that are
/// not there any more are named. None if one stands more than once, or all are gone.
fn take_back_lines<'m>(text: &str, made: &'m Made) -> Option<(String, Vec<&'m str>)> {
    let mut times: HashMap<&str, usize> = HashMap::new();
    text.lines().for_each(|line| *times.entry(line).or_default() += 1);
    let wanted: Vec<&str> = made.inserted.lines().filter(|line| !line.trim().is_empty()).collect();
    let (there, gone): (Vec<&str>, Vec<&str>) = wanted.into_iter().partition(|line| times.contains_key(line));
    if made.entry.is_some() || !made.removed.is_empty() || there.is_empty() || there.iter().any(|line| times[line] > 1)
    {
        return None;
    }
    let there: HashSet<&str> = there.into_iter().collect();
    let is_ours = |line: &str| there.contains(line.trim_end_matches(['\r', '\n']));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // The empty line that set them apart goes with the first of them.
    let apart = made.inserted.starts_with(['\r', '\n']);
    let first = lines.iter().position(|line| is_ours(line)).filter(|_| apart);
    let gap = first.and_then(|first| first.checked_sub(1)).filter(|at| lines[*at].trim().is_empty());
    let kept = lines.iter().enumerate().filter(|(at, line)| Some(*at) != gap && !is_ours(line));
    Some((kept.map(|(_, line)| *line).collect(), gone))
}

fn look_for(edited: &Edited, gone: &[&str]) -> Step {
    Step {
        at: edited.path.to_string(),
        what: "these lines were changed or taken out since they were added; see that nothing is left of them"
            .to_owned(),
        text: gone.join("\n"),
    }
}

/// Where the inserted text stands if it does so once, in whichever line endings; and whether those became CRLF.
fn once(text: &str, made: &Made) -> Option<(Range<usize>, bool)> {
    let lf = made.inserted.replace("\r\n", "\n");
    let forms = [made.inserted.clone(), with_crlf(&lf), lf];
    let form = forms.iter().find(|form| text.matches(form.as_str()).count() == 1)?;
    let start = text.find(form.as_str())?;
    Some((start..start + form.len(), !made.inserted.contains("\r\n") && form.contains("\r\n")))
}

/// Where a text that stands more than once was put: as far from an edit that stands once as it was.
fn beside(text: &str, made: &Made, all: &[Made]) -> Option<(Range<usize>, bool)> {
    all.iter().filter(|other| *other != made).find_map(|other| {
        let (there, crlf) = once(text, other)?;
        let start = if other.at < made.at {
            // A lock that somebody else wrote may have edits that overlap.
            there.end + (made.at - other.at).checked_sub(other.inserted.len())?
        } else {
            there.start.checked_sub(other.at - made.at)?
        };
        let range = start..start + made.inserted.len();
        (text.get(range.clone())? == made.inserted).then_some((range, crlf))
    })
}

/// Not a part of a longer word.
fn is_whole(text: &str, range: &Range<usize>) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let begun = text[range.clone()].starts_with(word) && text[..range.start].ends_with(word);
    let goes_on = text[range.clone()].ends_with(word) && text[range.end..].starts_with(word);
    !begun && !goes_on
}

fn by_hand(edited: &Edited, made: &Made) -> Step {
    let (at, removed) = (edited.path.to_string(), made.removed.trim());
    let what = match removed.lines().count() {
        0 => "these lines changed since they were added; take out what is left of them".to_owned(),
        1 => format!("this changed since it was written; put `{removed}` in its place"),
        _ => {
            let what = "what was written here changed since; put these lines back in its place".to_owned();
            return Step { at, what, text: made.removed.trim_matches(['\r', '\n']).to_owned() };
        }
    };
    Step { at, what, text: made.inserted.trim_matches(['\r', '\n']).to_owned() }
}

#[cfg(test)]
mod tests;

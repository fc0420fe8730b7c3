//! Many mutants in one build: each edit becomes a choice between the new expression and the old one.
//!
//! Expressions nest or lie apart, so any number of them fits into one file.

use std::{collections::BTreeSet, fs, ops::Range, path::Path};

use ast_grep_core::{Doc, Node, tree_sitter::LanguageExt as _};
use ast_grep_language::SupportLang;

use crate::common::{
    mutants::{Edit, Mutant, Weave},
    read,
};

/// Writes the mutants into an app, all of them off.
pub fn weave(rules: &Weave, mutants: &[&Mutant], dir: &Path) {
    let edits = mutants.iter().flat_map(|mutant| &mutant.edit);
    let files: BTreeSet<&str> = edits.map(|edit| edit.file.as_str()).collect();
    for file in files {
        let text = woven(rules, &read(dir, file), file, mutants);
        fs::write(dir.join(file), text).unwrap();
    }
    let text = read(dir, &rules.file) + &rules.append;
    fs::write(dir.join(&rules.file), text).unwrap();
}

fn woven(rules: &Weave, source: &str, file: &str, mutants: &[&Mutant]) -> String {
    let parts = parts(rules, source);
    let mut choices: Vec<Choice> =
        mutants.iter().flat_map(|mutant| choices(rules, source, &parts, file, mutant)).collect();
    choices.sort_by_key(|choice| (choice.at.range.start, usize::MAX - choice.at.range.end));
    written(rules, source, 0..source.len(), &choices)
}

/// Something that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    range: Range<usize>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Expression,
    /// With the semicolon: nobody takes its value.
    Statement,
    Block,
}

/// What a mutant changes in one part.
struct Choice {
    id: String,
    at: Part,
    new: String,
}

/// The parts of a file that a mutant changes. Of edits within each other's parts, the outermost part holds all.
fn choices(rules: &Weave, source: &str, parts: &[Part], file: &str, mutant: &Mutant) -> Vec<Choice> {
    let edits: Vec<&Edit> = mutant.edit.iter().filter(|edit| edit.file == file).collect();
    let splices: Vec<Splice> = edits.iter().map(|edit| splice(source, &edit.applied(source, &mutant.id))).collect();
    let mut at: Vec<Part> = edits.iter().map(|edit| part(rules, source, parts, &mutant.id, edit)).collect();
    at.sort_by_key(|part| usize::MAX - part.range.len());
    let mut outermost: Vec<Part> = vec![];
    for part in at {
        if !outermost.iter().any(|outer| holds(&outer.range, &part.range)) {
            outermost.push(part);
        }
    }
    let choice = |at: Part| Choice { id: mutant.id.clone(), new: spliced(source, &at.range, &splices), at };
    outermost.into_iter().map(choice).collect()
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The innermost part around the edit that is one after the edit, too: then the choice means what the edit means.
fn part(rules: &Weave, source: &str, before: &[Part], id: &str, edit: &Edit) -> Part {
    let mutated = edit.applied(source, id);
    let after = parts(rules, &mutated);
    let (changed, _) = splice(source, &mutated);
    let stays = |part: &&Part| {
        let moved = part.range.start..(part.range.end + mutated.len()) - source.len();
        let is_statement = part.kind == Kind::Statement;
        after.iter().any(|new| new.range == moved && is_statement == (new.kind == Kind::Statement))
    };
    let fits = before.iter().filter(|part| holds(&part.range, &changed)).filter(stays);
    let inner = fits.clone().min_by_key(|part| part.range.len());
    let inner = inner.unwrap_or_else(|| panic!("{id}: no expression in {}: {}", edit.file, edit.find));
    // A statement for its last expression: the two need not be of one type then.
    let ends = [inner.range.end, inner.range.end + 1];
    let mut whole = fits.filter(|part| part.kind == Kind::Statement && part.range.start == inner.range.start);
    whole.find(|part| ends.contains(&part.range.end)).unwrap_or(inner).clone()
}

/// What stands where in place of the text that was there.
type Splice = (Range<usize>, String);

/// The one splice that makes `after` of `before`.
fn splice(before: &str, after: &str) -> Splice {
    let same = |(a, b): &(u8, u8)| a == b;
    let start = before.bytes().zip(after.bytes()).take_while(same).count();
    let rest = before.len().min(after.len()) - start;
    let end = before.bytes().rev().zip(after.bytes().rev()).take(rest).take_while(same).count();
    (start..before.len() - end, after[start..after.len() - end].to_owned())
}

/// The text of a range with the splices made that lie in it.
fn spliced(source: &str, range: &Range<usize>, splices: &[Splice]) -> String {
    let mut inside: Vec<&Splice> = splices.iter().filter(|(at, _)| holds(range, at)).collect();
    inside.sort_by_key(|(at, _)| at.start);
    let (mut text, mut from) = (String::new(), range.start);
    for (at, new) in inside {
        text += &source[from..at.start];
        text += new;
        from = at.end;
    }
    text + &source[from..range.end]
}

fn parts(rules: &Weave, source: &str) -> Vec<Part> {
    let grammar: SupportLang = rules.grammar.parse().unwrap();
    let parsed = grammar.ast_grep(source);
    let mut found = vec![];
    collect(rules, &parsed.root(), &mut found);
    found
}

fn collect<D: Doc>(rules: &Weave, node: &Node<'_, D>, found: &mut Vec<Part>) {
    let kind = node.kind();
    let is = |kinds: &[String]| kinds.iter().any(|name| *name == kind);
    let kinds =
        [(&rules.expressions, Kind::Expression), (&rules.statements, Kind::Statement), (&rules.blocks, Kind::Block)];
    let parts = kinds.into_iter().filter(|(names, _)| is(names));
    found.extend(parts.map(|(_, kind)| Part { range: node.range(), kind }));
    if !is(&rules.opaque) {
        node.children().for_each(|child| collect(rules, &child, found));
    }
}

/// The text of a range with the choices in it, which come outermost first.
fn written(rules: &Weave, source: &str, range: Range<usize>, choices: &[Choice]) -> String {
    let (mut text, mut at, mut left) = (String::new(), range.start, choices);
    while let [first, ..] = left {
        let here = &first.at;
        let (inside, beyond) = left.split_at(left.partition_point(|choice| choice.at.range.start < here.range.end));
        let (same, inner) = inside.split_at(inside.partition_point(|choice| choice.at.range == here.range));
        let mut old = written(rules, source, here.range.clone(), inner);
        for choice in same {
            old = form(rules, choice, &old);
        }
        text += &source[at..here.range.start];
        text += &old;
        (at, left) = (here.range.end, beyond);
    }
    text + &source[at..range.end]
}

fn form(rules: &Weave, choice: &Choice, old: &str) -> String {
    let form = match choice.at.kind {
        Kind::Expression => &rules.expression,
        Kind::Statement => &rules.statement,
        Kind::Block => &rules.block,
    };
    let (head, rest) = form.split_once("{new}").unwrap();
    let (middle, tail) = rest.split_once("{old}").unwrap();
    [&head.replace("{id}", &choice.id), &*choice.new, middle, old, tail].concat()
}

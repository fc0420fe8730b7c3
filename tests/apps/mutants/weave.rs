//! Many mutants in one build: each edit becomes a choice between the new expression and the old one.
//!
//! Expressions nest or lie apart, so any number of them fits into one file.

use std::{collections::BTreeMap, fs, ops::Range, path::Path};

use ast_grep_core::{Doc, Node, tree_sitter::LanguageExt as _};
use ast_grep_language::SupportLang;

use crate::common::{
    mutants::{Edit, Mutant, Weave},
    read,
};

/// Writes the mutants into an app, all of them off.
pub fn weave(rules: &Weave, mutants: &[&Mutant], dir: &Path) {
    let mut files: BTreeMap<&str, Vec<(&str, &Edit)>> = BTreeMap::new();
    for mutant in mutants {
        for edit in &mutant.edit {
            files.entry(&edit.file).or_default().push((&mutant.id, edit));
        }
    }
    for (file, edits) in files {
        let text = woven(rules, &read(dir, file), &edits);
        fs::write(dir.join(file), text).unwrap();
    }
    let text = read(dir, &rules.file) + &rules.append;
    fs::write(dir.join(&rules.file), text).unwrap();
}

fn woven(rules: &Weave, source: &str, edits: &[(&str, &Edit)]) -> String {
    let nodes = nodes(rules, source);
    let mut choices: Vec<Choice> = edits.iter().map(|(id, edit)| choice(rules, source, &nodes, id, edit)).collect();
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

/// One edit, as the whole part that it changes.
struct Choice {
    id: String,
    at: Part,
    new: String,
}

/// The innermost part around the edit that is one after the edit, too: then the choice means what the edit means.
fn choice(rules: &Weave, source: &str, parts: &[Part], id: &str, edit: &Edit) -> Choice {
    let mutated = edit.applied(source, id);
    let after = nodes(rules, &mutated);
    let changed = changed(source, &mutated);
    let moved = |part: &Part| {
        let end = (part.range.end + mutated.len()) - source.len();
        part.range.start..end
    };
    let around = |part: &&Part| part.range.start <= changed.start && changed.end <= part.range.end;
    let stays = |part: &&Part| {
        let is_statement = part.kind == Kind::Statement;
        after.iter().any(|new| new.range == moved(part) && is_statement == (new.kind == Kind::Statement))
    };
    let fits = parts.iter().filter(around).filter(stays);
    let inner = fits.clone().min_by_key(|part| part.range.len());
    let inner = inner.unwrap_or_else(|| panic!("{id}: no expression in {}: {}", edit.file, edit.find));
    // A statement for its last expression: the two need not be of one type then.
    let ends = [inner.range.end, inner.range.end + 1];
    let mut whole = fits.filter(|part| part.kind == Kind::Statement && part.range.start == inner.range.start);
    let at = whole.find(|part| ends.contains(&part.range.end)).unwrap_or(inner).clone();
    Choice { id: id.to_owned(), new: mutated[moved(&at)].to_owned(), at }
}

/// The part of `before` outside which the two texts agree.
fn changed(before: &str, after: &str) -> Range<usize> {
    let same = |(a, b): &(u8, u8)| a == b;
    let start = before.bytes().zip(after.bytes()).take_while(same).count();
    let rest = before.len().min(after.len()) - start;
    let end = before.bytes().rev().zip(after.bytes().rev()).take(rest).take_while(same).count();
    start..before.len() - end
}

fn nodes(rules: &Weave, source: &str) -> Vec<Part> {
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

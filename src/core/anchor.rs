//! Places in source code, found by ast-grep rules.

use std::{collections::BTreeMap, ops::Range};

use anyhow::{Result, anyhow};
use ast_grep_config::{DeserializeEnv, RuleCore, SerializableRule, SerializableRuleCore};
use ast_grep_core::{Doc, Node, tree_sitter::LanguageExt as _};
use ast_grep_language::SupportLang;
use globset::{GlobSet, GlobSetBuilder};

use super::{
    pack::{Anchor, Language},
    project::{RelPath, Tree},
};

/// One match of a rule, as byte ranges into the text searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub range: Range<usize>,
    /// The innermost statement around it.
    pub statement: Range<usize>,
    /// Where that statement's attributes begin.
    pub lead: usize,
    pub captures: BTreeMap<String, Capture>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    pub range: Range<usize>,
    pub text: String,
    /// The grammar's name for it, such as `identifier`.
    pub kind: String,
}

/// A match and the file it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: RelPath,
    /// `None` when the anchor is a file, not a place in one.
    pub at: Option<Match>,
}

/// What an anchor turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    One(Place),
    None,
    Several(Vec<Place>),
}

fn compile(language: &Language, rule: &SerializableRule) -> Result<(SupportLang, RuleCore)> {
    let grammar: SupportLang =
        language.grammar.parse().map_err(|_| anyhow!("unknown grammar `{}`", language.grammar))?;
    let core = SerializableRuleCore { rule: rule.clone(), constraints: None, utils: None, transform: None };
    Ok((grammar, core.get_matcher(DeserializeEnv::new(grammar))?))
}

/// Every match of `rule` in `source`, outermost first.
///
/// # Errors
/// When the rule does not compile.
pub fn matches(language: &Language, rule: &SerializableRule, source: &str) -> Result<Vec<Match>> {
    let (grammar, rule) = compile(language, rule)?;
    let parsed = grammar.ast_grep(source);
    let root = parsed.root();
    let found = root.find_all(&rule).map(|found| {
        let captures = rule.defined_vars().into_iter().filter_map(|name| {
            let node = found.get_env().get_match(name)?;
            let capture =
                Capture { range: node.range(), text: node.text().into_owned(), kind: node.kind().into_owned() };
            Some((name.to_owned(), capture))
        });
        let (statement, lead) = statement(language, &found);
        Match { range: found.range(), statement, lead, captures: captures.collect() }
    });
    Ok(found.collect())
}

/// The innermost statement around a node, and where its attributes begin.
fn statement<D: Doc>(language: &Language, node: &Node<'_, D>) -> (Range<usize>, usize) {
    let mut at = node.clone();
    for parent in node.ancestors() {
        if language.blocks.iter().any(|kind| *kind == parent.kind()) {
            break;
        }
        at = parent;
    }
    let statement = at.range();
    while let Some(above) = at.prev().filter(|above| is_attribute(language, above)) {
        at = above;
    }
    (statement, at.range().start)
}

fn is_attribute<D: Doc>(language: &Language, node: &Node<'_, D>) -> bool {
    let text = node.text();
    let leading = language.leading.iter().any(|kind| *kind == node.kind());
    let above = language.above.iter().any(|mark| text.starts_with(mark) && *mark != language.comment);
    leading && above && !is_header(language, &text)
}

/// How many places of `source` the grammar cannot make sense of.
///
/// # Errors
/// When the grammar is unknown.
pub fn parse_errors(language: &Language, source: &str) -> Result<usize> {
    let grammar: SupportLang =
        language.grammar.parse().map_err(|_| anyhow!("unknown grammar `{}`", language.grammar))?;
    Ok(grammar.ast_grep(source).root().dfs().filter(|node| node.is_error() || node.is_missing()).count())
}

/// Where a new import goes: the byte offset after the file's leading imports, and whether there are any.
///
/// # Errors
/// When the grammar is unknown.
pub fn after_imports(language: &Language, source: &str) -> Result<(usize, bool)> {
    let grammar: SupportLang =
        language.grammar.parse().map_err(|_| anyhow!("unknown grammar `{}`", language.grammar))?;
    let by_text = language.imports_by_text.as_deref().map(regex::Regex::new).transpose()?;
    let root = grammar.ast_grep(source);
    let (mut end, mut imports, mut header) = (0, false, true);
    for node in root.root().children() {
        let kind = node.kind();
        // A doc comment's node has the line's ending too.
        let until = node.range().start + node.text().trim_end().len();
        let imports_by_kind = language.imports.iter().any(|name| *name == kind) && !has_body(language, &node);
        if imports_by_kind || by_text.as_ref().is_some_and(|text| text.is_match(&node.text())) {
            (end, imports, header) = (until, true, false);
        } else if !language.leading.iter().any(|name| *name == kind) {
            break;
        } else if (header && is_header(language, &node.text())) || begins_on_line_of(source, end, node.range().start) {
            end = until;
        }
    }
    Ok((end, imports))
}

/// A comment behind an import goes with it.
fn begins_on_line_of(source: &str, end: usize, start: usize) -> bool {
    end > 0 && source.get(end..start).is_some_and(|between| !between.contains('\n'))
}

/// A module written in place is code, not an import.
fn has_body<D: Doc>(language: &Language, node: &Node<'_, D>) -> bool {
    node.children().any(|child| language.bodies.iter().any(|name| *name == child.kind()))
}

/// Comments and attributes about the whole file stay above what is inserted.
fn is_header(language: &Language, text: &str) -> bool {
    language.header.iter().any(|mark| text.starts_with(mark))
}

/// A place that looks like an anchor and is not edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// 1-based.
    pub line: usize,
    /// What the expression's named groups matched.
    pub groups: serde_json::Map<String, serde_json::Value>,
}

/// Every match of the first expression that matches outside comments.
///
/// # Errors
/// When an expression is malformed.
pub fn hints(language: &Language, expressions: &[String], source: &str) -> Result<Vec<Hint>> {
    for expression in expressions {
        let expression = regex::Regex::new(expression)?;
        let names = || expression.capture_names().flatten();
        let found: Vec<Hint> = expression
            .captures_iter(source)
            .filter_map(|captures| {
                let line = line_of(source, captures.get(0)?.start());
                let group = |name: &str| Some((name.to_owned(), captures.name(name)?.as_str().into()));
                let comment = source.lines().nth(line - 1)?.trim_start().starts_with(&language.comment);
                (!comment).then(|| Hint { line, groups: names().filter_map(group).collect() })
            })
            .collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(vec![])
}

/// Looks for an anchor in the files that its globs name.
///
/// # Errors
/// When a glob or the rule does not compile.
pub fn locate(language: &Language, anchor: &Anchor, globs: &[String], tree: &Tree) -> Result<Found> {
    let Some(rule) = &anchor.rule else { return first_file(globs, tree) };
    let (set, unless) = (glob_set(globs)?, glob_set(&anchor.unless)?);
    let mut places = vec![];
    let wanted = |path: &RelPath| set.is_match(path.as_str()) && !unless.is_match(path.as_str());
    for (path, text) in tree.iter().filter(|(path, _)| wanted(path)) {
        let found = matches(language, rule, text.raw())?;
        places.extend(found.into_iter().map(|at| Place { path: path.clone(), at: Some(at) }));
    }
    Ok(match places.len() {
        0 => Found::None,
        1 => Found::One(places.remove(0)),
        _ => Found::Several(places),
    })
}

fn first_file(globs: &[String], tree: &Tree) -> Result<Found> {
    for glob in globs {
        let set = glob_set(std::slice::from_ref(glob))?;
        if let Some((path, _)) = tree.iter().find(|(path, _)| set.is_match(path.as_str())) {
            return Ok(Found::One(Place { path: path.clone(), at: None }));
        }
    }
    Ok(Found::None)
}

/// # Errors
/// When a glob is malformed.
pub fn glob_set<S: AsRef<str>>(globs: &[S]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(globset::GlobBuilder::new(glob.as_ref()).literal_separator(true).build()?);
    }
    Ok(set.build()?)
}

/// The 1-based line of a byte offset.
#[must_use]
#[expect(clippy::naive_bytecount, reason = "source files are short")]
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;

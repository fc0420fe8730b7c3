//! Manifests that are read line by line: of Go, Bundler and Mix, and plain lists.

use std::sync::LazyLock;

use regex::Regex;

use super::named::{Named, Scope};

/// A `go.mod`; what other modules need is there for its version alone.
#[must_use]
pub fn go_mod(text: &str) -> Vec<Named> {
    let (mut found, mut block) = (vec![], false);
    for (index, line) in text.lines().enumerate() {
        let (line, comment) = line.split_once("//").unwrap_or((line, ""));
        let mut words = line.split_whitespace().peekable();
        match words.peek() {
            Some(&"require") => {
                words.next();
                block = words.peek() == Some(&"(");
            }
            Some(&")") => block = false,
            Some(&"module") => {
                found.extend(words.nth(1).map(|name| Named::on(index + 1, name, None, Scope::Own)));
                continue;
            }
            _ if block => {}
            _ => continue,
        }
        let is_others = comment.trim_start().starts_with("indirect");
        let scope = if is_others { Scope::Version } else { Scope::Runtime };
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            let version = version.trim_start_matches('v').trim_end_matches("+incompatible");
            found.push(Named::on(index + 1, name, Some(version), scope));
        }
    }
    found
}

static GEM: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^\s*gem[\s(]+["']([\w.-]+)["'](?:\s*,\s*["']([^"']+)["'])?"#).ok());
static GROUP: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\s*group\b.*\bdo\b").ok());
static BLOCK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s*(if|unless|platforms?|source|path|git|install_if|case)\b|\bdo\b").ok());

/// A `Gemfile`; a line `gemspec` is named `gemspec`.
#[must_use]
pub fn gemfile(text: &str) -> Vec<Named> {
    let (mut found, mut open): (Vec<Named>, Vec<bool>) = (vec![], vec![]);
    let is = |expression: &LazyLock<Option<Regex>>, line: &str| expression.as_ref().is_some_and(|it| it.is_match(line));
    for (index, line) in text.lines().enumerate() {
        let dev = open.contains(&true) || line.contains("group: :test") || line.contains("group: :development");
        let scope = if dev { Scope::Dev } else { Scope::Runtime };
        let word = line.trim();
        if let Some(gem) = GEM.as_ref().and_then(|gem| gem.captures(line)) {
            found.push(Named::on(index + 1, &gem[1], gem.get(2).map(|version| version.as_str()), scope));
        } else if word == "gemspec" || word.starts_with("gemspec ") {
            found.push(Named::on(index + 1, "gemspec", None, Scope::Build));
        } else if word == "end" {
            open.pop();
        } else if is(&GROUP, line) {
            open.push(!line.contains("default") && !line.contains("production"));
        } else if is(&BLOCK, line) && !word.starts_with('#') {
            open.push(false);
        }
    }
    found
}

static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"\{\s*:(\w+)\s*,(?:\s*"([^"]+)")?([^}]*)"#).ok());

/// The pairs `{:name, "version"}` of a `mix.exs`.
#[must_use]
pub fn mix(text: &str) -> Vec<Named> {
    let pairs = text.lines().enumerate().flat_map(|(index, line)| {
        let code = line.split('#').next().unwrap_or_default();
        let pairs = PAIR.iter().flat_map(move |pair| pair.captures_iter(code));
        pairs.map(move |pair| {
            let rest = pair.get(3).map_or("", |rest| rest.as_str());
            let scope = if rest.contains("only:") && !rest.contains(":prod") { Scope::Dev } else { Scope::Runtime };
            Named::on(index + 1, &pair[1], pair.get(2).map(|version| version.as_str()), scope)
        })
    });
    pairs.collect()
}

/// One name a line, `name@version`.
#[must_use]
pub fn list(text: &str) -> Vec<Named> {
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let word = line.split('#').next()?.split_whitespace().next()?;
        let (name, version) = word.split_once('@').map_or((word, None), |(name, version)| (name, Some(version)));
        Some(Named::on(index + 1, name, version, Scope::Runtime))
    });
    lines.collect()
}

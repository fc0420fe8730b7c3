//! Patterns of paths.

use std::sync::OnceLock;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

/// A glob over paths with forward slashes. What cannot match is told from its fixed parts.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub struct Glob {
    written: String,
    /// Before the first special character.
    prefix: usize,
    /// After the last one.
    suffix: usize,
    /// The endings of a glob that is `**/*.` after its prefix: no more than these is asked.
    endings: Option<Vec<String>>,
    compiled: OnceLock<Option<GlobMatcher>>,
}

impl From<String> for Glob {
    fn from(written: String) -> Self {
        const SPECIAL: [char; 6] = ['*', '?', '{', '}', '[', ']'];
        let prefix = written.find(SPECIAL).unwrap_or(written.len());
        let suffix = written.rfind(SPECIAL).map_or(0, |at| at + 1);
        let endings =
            written[prefix..].strip_prefix("**/*.").filter(|rest| !rest.contains(['*', '/', '?', '['])).map(|rest| {
                let inside = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(rest);
                inside.split(',').map(str::to_owned).collect()
            });
        Self { written, prefix, suffix, endings, compiled: OnceLock::new() }
    }
}

impl Glob {
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        if self.prefix == self.written.len() {
            return path == self.written;
        }
        if !path.starts_with(&self.written[..self.prefix]) || !path.ends_with(&self.written[self.suffix..]) {
            return false;
        }
        if let Some(endings) = &self.endings {
            let name = path.rsplit('/').next().unwrap_or(path);
            return name.rsplit_once('.').is_some_and(|(_, ending)| endings.iter().any(|one| one == ending));
        }
        let compile = || Some(GlobBuilder::new(&self.written).literal_separator(true).build().ok()?.compile_matcher());
        self.compiled.get_or_init(compile).as_ref().is_some_and(|glob| glob.is_match(path))
    }

    /// The part before anything that varies: what can match begins so.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.written[..self.prefix]
    }

    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    #[cfg(test)]
    pub fn check(&self) -> anyhow::Result<()> {
        Ok(GlobBuilder::new(&self.written).build().map(drop)?)
    }
}

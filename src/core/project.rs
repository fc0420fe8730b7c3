//! The project as values: paths that cannot escape, text kept byte for byte, a tree read once.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// A path inside the project: relative, forward slashes, no `..`, no drive, no NUL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

impl RelPath {
    /// # Errors
    /// When `path` is empty, absolute, or could name a place outside the project.
    pub fn new(path: &str) -> Result<Self, Problem> {
        let plain = !path.is_empty()
            && !path.contains(['\\', ':', '\0'])
            && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if plain {
            return Ok(Self(path.to_owned()));
        }
        Err(Problem::problem(
            format!("{path:?} is not a plain path inside the project"),
            "use a relative path with `/` and without `..`, such as `src/main.rs`",
        ))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder this path is in; `None` at the top of the project.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(dir, _)| Self(dir.to_owned()))
    }

    /// This path below `dir`.
    #[must_use]
    pub fn below(&self, dir: &str) -> Self {
        if dir.is_empty() { self.clone() } else { Self(format!("{dir}/{}", self.0)) }
    }
}

impl TryFrom<String> for RelPath {
    type Error = Problem;
    fn try_from(path: String) -> Result<Self, Problem> {
        Self::new(&path)
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file's UTF-8 text exactly as stored: line endings, BOM and last newline included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    raw: String,
}

impl Text {
    #[must_use]
    pub fn new(raw: impl Into<String>) -> Self {
        Self { raw: raw.into() }
    }

    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The text as it was rendered: a checkout may have made every line ending CRLF.
    #[must_use]
    pub fn as_rendered(&self) -> Cow<'_, str> {
        let endings = self.raw.matches('\n').count();
        if endings > 0 && self.raw.matches("\r\n").count() == endings {
            self.raw.replace("\r\n", "\n").into()
        } else {
            self.raw.as_str().into()
        }
    }

    /// A rendered text with the line endings of this one, where that has one kind.
    #[must_use]
    pub fn endings_for(&self, rendered: &str) -> Self {
        match self.as_rendered() {
            Cow::Owned(_) => Self::new(rendered.replace('\n', "\r\n")),
            Cow::Borrowed(_) => Self::new(rendered),
        }
    }

    /// SHA-256 of the bytes, in lower-case hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.raw.as_bytes())
    }
}

/// SHA-256 in lower-case hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What the core may look at: the project's relevant text, read once by the shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<RelPath, Text>,
}

impl Tree {
    #[must_use]
    pub fn get(&self, path: &RelPath) -> Option<&Text> {
        self.files.get(path)
    }

    /// The text at a path given as a string; `None` also when the string is no plain path.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(&RelPath::new(path).ok()?).map(Text::raw)
    }

    pub fn insert(&mut self, path: RelPath, text: Text) {
        self.files.insert(path, text);
    }

    pub fn remove(&mut self, path: &RelPath) {
        self.files.remove(path);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, &Text)> {
        self.files.iter()
    }

    /// The changes that lead from this tree to `after`, in path order.
    #[must_use]
    pub fn difference(&self, after: &Self) -> Vec<Change> {
        let paths: std::collections::BTreeSet<_> = self.files.keys().chain(after.files.keys()).collect();
        paths
            .into_iter()
            .map(|path| Change { path: path.clone(), before: self.get(path).cloned(), after: after.get(path).cloned() })
            .filter(|change| change.before != change.after)
            .collect()
    }

    /// This tree with `changes` made.
    #[must_use]
    pub fn with(&self, changes: &[Change]) -> Self {
        let mut tree = self.clone();
        for change in changes {
            match &change.after {
                Some(text) => tree.insert(change.path.clone(), text.clone()),
                None => tree.remove(&change.path),
            }
        }
        tree
    }
}

impl FromIterator<(RelPath, Text)> for Tree {
    fn from_iter<I: IntoIterator<Item = (RelPath, Text)>>(files: I) -> Self {
        Self { files: files.into_iter().collect() }
    }
}

/// One file before and after; created, edited and deleted follow from what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: RelPath,
    pub before: Option<Text>,
    pub after: Option<Text>,
}

/// Every change before any is made, plus the steps left to the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub changes: Vec<Change>,
    pub manual: Vec<Step>,
}

/// A step that the tool will not take on the user's behalf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Where, as `path` or `path:line`.
    pub at: String,
    /// What to do there, and why the tool did not.
    pub what: String,
    /// The exact lines, if any.
    pub text: String,
}

#[cfg(test)]
mod tests;

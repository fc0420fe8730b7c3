//! What can go wrong, in words a user can act on.

use std::fmt;

/// Why a command ends without doing its job. Decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something is wrong in the project or on the machine. Exit 1.
    Problem,
    /// The command line lacks an answer or contradicts itself. Exit 2.
    Usage,
    /// The result did not build or its tests failed; nothing was applied. Exit 3.
    CheckFailed,
    /// No project here, several, or one that cannot be served. Exit 4.
    Unsupported,
    /// The user stopped the command. Exit 130.
    Interrupted,
}

/// An error for people: what happened and where, then what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub kind: Kind,
    /// One line of what happened, then lines of where (paths relative to the project).
    pub what: String,
    /// A command or an edit that the reader can perform.
    pub fix: String,
}

impl Problem {
    fn new(kind: Kind, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { kind, what: what.into(), fix: fix.into() }
    }

    #[expect(clippy::self_named_constructors, reason = "named after the kind, as its siblings are")]
    pub fn problem(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Kind::Problem, what, fix)
    }

    pub fn usage(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what, fix)
    }

    pub fn check_failed(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Kind::CheckFailed, what, fix)
    }

    pub fn unsupported(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, what, fix)
    }

    pub fn interrupted(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Kind::Interrupted, what, fix)
    }

    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Problem => 1,
            Kind::Usage => 2,
            Kind::CheckFailed => 3,
            Kind::Unsupported => 4,
            Kind::Interrupted => 130,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests;

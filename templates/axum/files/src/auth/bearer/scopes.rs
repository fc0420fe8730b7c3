//! What tokens may do: names, granted by a setting and asked for by handlers.

use crate::auth::problem::Problem;

/// The scopes that can be granted, in the order of the setting.
#[derive(Clone)]
pub struct Scopes(String);

impl Scopes {
    /// Names with spaces between, each as RFC 6749 3.3 has it.
    pub fn new(text: &str) -> Option<Self> {
        let names: Vec<&str> = text.split_whitespace().collect();
        let is_name = |name: &&str| name.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        (!names.is_empty() && names.iter().all(is_name)).then(|| Self(names.join(" ")))
    }

    /// What was asked for, or all.
    pub fn granted(&self, asked: Option<&str>) -> Result<String, Problem> {
        narrowed(&self.0, asked)
    }
}

/// `asked`, if it is among `all`. An unknown name is refused and not left out: who asks for it would
/// get less than they think.
pub fn narrowed(all: &str, asked: Option<&str>) -> Result<String, Problem> {
    let Some(asked) = asked else {
        return Ok(all.to_owned());
    };
    if !asked.split(' ').all(|name| holds(all, name)) {
        return Err(Problem::invalid_scope());
    }
    let kept: Vec<&str> = all.split(' ').filter(|name| holds(asked, name)).collect();
    Ok(kept.join(" "))
}

/// Whether a name is one of `all`.
pub fn holds(all: &str, name: &str) -> bool {
    all.split(' ').any(|one| one == name)
}

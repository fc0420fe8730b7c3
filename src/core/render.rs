//! Templates and conditions, with delimiters that no target language uses.

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};
use tera::{Delimiters, Tera};

use super::pack;

/// What templates may name: answers, modules, the project and what anchors found.
pub type Facts = Map<String, Value>;

/// With the shared texts that the template includes.
fn engine(template: &str) -> Result<Tera> {
    let mut tera = Tera::default();
    tera.set_delimiters(Delimiters {
        block_start: "[%".into(),
        block_end: "%]".into(),
        variable_start: "[=".into(),
        variable_end: "=]".into(),
        comment_start: "[~".into(),
        comment_end: "~]".into(),
    })?;
    tera.autoescape_on(Vec::<&str>::new());
    for (name, text) in pack::shared().filter(|(name, _)| template.contains(name)) {
        tera.add_raw_template(name, text)?;
    }
    Ok(tera)
}

/// # Errors
/// When the template is malformed or names an unknown fact.
pub fn render(name: &str, template: &str, facts: &Facts) -> Result<String> {
    if !template.contains("[=") && !template.contains("[%") && !template.contains("[~") {
        return Ok(template.to_owned());
    }
    let context = tera::Context::from_serialize(facts)?;
    engine(template)?.render_str(template, &context, false).with_context(|| format!("cannot render `{name}`"))
}

/// Whether a `when` expression holds; no expression always does, and what is not known is false.
///
/// # Errors
/// When the expression is malformed.
pub fn holds(when: Option<&str>, facts: &Facts) -> Result<bool> {
    let Some(when) = when else { return Ok(true) };
    let template = format!("[% if {when} %]yes[% endif %]");
    Ok(render(when, &template, facts)? == "yes")
}

#[cfg(test)]
mod tests;

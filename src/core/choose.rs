//! Answers: what the user picked, from flags, prompts or defaults.

use std::collections::BTreeMap;

use super::{
    pack::{Pack, PackOption},
    problem::Problem,
};

/// Option values by id, and the modules picked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub modules: Vec<String>,
    pub options: BTreeMap<String, String>,
}

/// Flags as typed, before defaults.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub modules: Option<Vec<String>>,
    pub options: BTreeMap<String, String>,
}

impl Answers {
    /// Fills what was not given with the pack's defaults.
    ///
    /// # Errors
    /// When a module or a value is not one that the pack has (exit 2).
    pub fn new(pack: &Pack, given: &Given) -> Result<Self, Problem> {
        let mut options = BTreeMap::new();
        for option in &pack.manifest.option {
            let value = given.options.get(&option.id).unwrap_or(&option.default);
            options.insert(option.id.clone(), known(pack, option, value)?);
        }
        if let Some(id) = given.options.keys().find(|id| !options.contains_key(*id)) {
            let what = format!("`--{id}` does not apply to {}", pack.manifest.name);
            return Err(Problem::usage(what, format!("leave `--{id}` out")));
        }
        Ok(Self { modules: modules(pack, given.modules.as_deref())?, options })
    }
}

/// Options that have more than one answer and none was given.
#[must_use]
pub fn open<'p>(pack: &'p Pack, given: &Given) -> Vec<&'p PackOption> {
    let unanswered = |option: &&PackOption| option.choice.len() > 1 && !given.options.contains_key(&option.id);
    pack.manifest.option.iter().filter(unanswered).collect()
}

fn known(pack: &Pack, option: &PackOption, value: &str) -> Result<String, Problem> {
    if option.choice.iter().any(|choice| choice.value == value) {
        return Ok(value.to_owned());
    }
    let all: Vec<&str> = option.choice.iter().map(|choice| choice.value.as_str()).collect();
    Err(Problem::usage(
        format!("`--{} {value}` is not available for {}", option.id, pack.manifest.name),
        format!("use one of: {}", all.join(", ")),
    ))
}

fn modules(pack: &Pack, given: Option<&[String]>) -> Result<Vec<String>, Problem> {
    let all = &pack.manifest.module;
    let Some(given) = given else {
        return Ok(all.iter().filter(|module| module.default).map(|module| module.id.clone()).collect());
    };
    if let Some(unknown) = given.iter().find(|id| !all.iter().any(|module| module.id == **id)) {
        let names: Vec<&str> = all.iter().map(|module| module.id.as_str()).collect();
        return Err(Problem::usage(
            format!("`--with {unknown}` is not a module of {}", pack.manifest.name),
            format!("use one or more of: {}", names.join(", ")),
        ));
    }
    if given.is_empty() {
        return Err(Problem::usage("`--with` names no module", "name one, such as `--with password`"));
    }
    // In the pack's order, so that the order typed does not change what is rendered.
    Ok(all.iter().filter(|module| given.contains(&module.id)).map(|module| module.id.clone()).collect())
}

#[cfg(test)]
mod tests;

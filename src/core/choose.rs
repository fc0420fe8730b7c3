//! Answers: what the user picked, from flags, prompts, an earlier `add`, what suits the project, or defaults.

use std::{collections::BTreeMap, fmt};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    edit::{cargo_toml, toml::Toml},
    lock::{self, Lock},
    pack::{Choice, Pack, PackOption, Suits},
    plan::Workspace,
    problem::Problem,
    project::{Text, Tree},
};

/// Option values by id, and the modules picked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub modules: Vec<String>,
    pub options: Options,
}

pub type Options = BTreeMap<String, Answer>;

/// One value, or for an option with `multiple` any number in the pack's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    One(String),
    Several(Vec<String>),
}

impl Answer {
    #[must_use]
    pub fn values(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Several(values) => values,
        }
    }
}

/// As it is typed behind a flag.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.values().join(","))
    }
}

/// What is known before defaults.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// As typed.
    pub modules: Option<Vec<String>>,
    /// As typed, or picked at a prompt.
    pub options: BTreeMap<String, Vec<String>>,
    /// What the project was generated with.
    pub recorded: Answers,
    /// Options of which exactly one choice suits the project.
    pub suited: BTreeMap<String, String>,
}

impl Answers {
    /// What the layers of a lock were generated with.
    #[must_use]
    pub fn of(lock: &Lock) -> Self {
        let modules = lock.modules().into_iter().map(str::to_owned).collect();
        Self { modules, options: lock.layer.last().map(|layer| layer.answers.clone()).unwrap_or_default() }
    }

    /// Whether all of this is in what was generated before.
    #[must_use]
    pub fn are_recorded(&self, recorded: &Self) -> bool {
        self.options == recorded.options && self.modules.iter().all(|module| recorded.modules.contains(module))
    }

    /// Fills what was not given with what is recorded, with what suits the project, or with the pack's defaults.
    ///
    /// # Errors
    /// When a module or a value is not one that the pack has (exit 2), or is fixed at another (exit 4).
    pub fn new(pack: &Pack, given: &Given) -> Result<Self, Problem> {
        let mut options = BTreeMap::new();
        for option in &pack.manifest.option {
            options.insert(option.id.clone(), answer(pack, option, given)?);
        }
        if let Some(id) = given.options.keys().find(|id| !options.contains_key(*id)) {
            let what = format!("`--{id}` does not apply to {}", pack.manifest.name);
            return Err(Problem::usage(what, format!("leave `--{id}` out")));
        }
        Ok(Self { modules: modules(pack, given)?, options })
    }
}

/// Options that have more than one answer and none is known.
#[must_use]
pub fn open<'p>(pack: &'p Pack, given: &Given) -> Vec<&'p PackOption> {
    let asks = |option: &PackOption| option.choice.len() > 1 || option.multiple;
    let known = |id: &String| given.options.contains_key(id) || given.recorded.options.contains_key(id);
    pack.manifest.option.iter().filter(|option| asks(option) && !known(&option.id)).collect()
}

/// The value of an option that is taken when none is given.
#[must_use]
pub fn default<'g>(option: &'g PackOption, given: &'g Given) -> &'g str {
    given.suited.get(&option.id).unwrap_or(&option.default)
}

fn answer(pack: &Pack, option: &PackOption, given: &Given) -> Result<Answer, Problem> {
    let recorded = given.recorded.options.get(&option.id);
    let typed = given.options.get(&option.id);
    if let Some(value) = typed.into_iter().flatten().find(|value| !option.has(value)) {
        let all: Vec<&str> = option.choice.iter().map(|choice| choice.value.as_str()).collect();
        let what = format!("`--{} {value}` is not available for {}", option.id, pack.manifest.name);
        return Err(Problem::usage(what, format!("use one of: {}", all.join(", "))));
    }
    if let Some(value) = recorded.into_iter().flat_map(Answer::values).find(|value| !option.has(value)) {
        let what = format!("{}: it records `{} {value}`, which the pack does not have", lock::PATH, option.id);
        let fix = "restore it from version control, or use the authwright version that wrote it";
        return Err(Problem::problem(what, fix));
    }
    if option.multiple {
        // A later `add` adds to what is there.
        let all: Vec<&String> =
            typed.into_iter().flatten().chain(recorded.into_iter().flat_map(Answer::values)).collect();
        let in_order = option.choice.iter().map(|choice| &choice.value).filter(|value| all.contains(value));
        return Ok(Answer::Several(in_order.cloned().collect()));
    }
    let fallback = || recorded.cloned().unwrap_or_else(|| Answer::One(default(option, given).to_owned()));
    let answer = typed.and_then(|typed| typed.last()).map_or_else(fallback, |value| Answer::One(value.clone()));
    match (&option.fixed, recorded.filter(|recorded| **recorded != answer)) {
        (Some(reason), Some(recorded)) => Err(Problem::unsupported(
            format!("`--{} {answer}` cannot follow `{recorded}`: {reason}", option.id),
            format!("leave `--{}` out, or run `authwright undo --all` first and add with the new answer", option.id),
        )),
        _ => Ok(answer),
    }
}

fn modules(pack: &Pack, given: &Given) -> Result<Vec<String>, Problem> {
    let all = &pack.manifest.module;
    let recorded = &given.recorded.modules;
    let Some(typed) = &given.modules else {
        let chosen = |id: &String, default: bool| if recorded.is_empty() { default } else { recorded.contains(id) };
        return Ok(all.iter().filter(|m| chosen(&m.id, m.default)).map(|module| module.id.clone()).collect());
    };
    if let Some(unknown) = typed.iter().find(|id| !all.iter().any(|module| module.id == **id)) {
        let names: Vec<&str> = all.iter().map(|module| module.id.as_str()).collect();
        return Err(Problem::usage(
            format!("`--with {unknown}` is not a module of {}", pack.manifest.name),
            format!("use one or more of: {}", names.join(", ")),
        ));
    }
    if typed.is_empty() {
        return Err(Problem::usage("`--with` names no module", "name one, such as `--with password`"));
    }
    // In the pack's order, so that the order typed does not change what is rendered.
    let chosen = |id: &String| typed.contains(id) || recorded.contains(id);
    Ok(all.iter().filter(|module| chosen(&module.id)).map(|module| module.id.clone()).collect())
}

/// The options of which exactly one choice suits the project, with that choice.
///
/// # Errors
/// When a manifest cannot be read.
pub fn suited(pack: &Pack, tree: &Tree, workspace: &Workspace) -> Result<BTreeMap<String, String>> {
    let toml = Toml::parse(tree.text(&pack.manifest.detect.manifest).unwrap_or_default())?;
    let root = workspace.manifest.as_ref().map(Text::raw).map(Toml::parse).transpose()?;
    let suits = |choice: &&Choice| choice.suits.iter().any(|wanted| has(&toml, root.as_ref(), wanted));
    let only = |option: &PackOption| match option.choice.iter().filter(suits).collect::<Vec<_>>().as_slice() {
        [one] => Some((option.id.clone(), one.value.clone())),
        _ => None,
    };
    Ok(pack.manifest.option.iter().filter_map(only).collect())
}

fn has(toml: &Toml<'_>, workspace: Option<&Toml<'_>>, wanted: &Suits) -> bool {
    let keys = cargo_toml::keys(toml, workspace, "dependencies", &wanted.depends);
    let entries = keys.iter().filter_map(|key| cargo_toml::existing(toml, workspace, "dependencies", key));
    let enough =
        |entry: cargo_toml::Existing| wanted.feature.as_ref().is_none_or(|feature| entry.features.contains(feature));
    entries.into_iter().any(enough)
}

#[cfg(test)]
mod tests;

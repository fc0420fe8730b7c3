//! Answers: what the user picked, from flags, prompts, an earlier `add`, what suits the project, or defaults.

use std::{collections::BTreeMap, fmt};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    edit::dependencies::Dependencies,
    facts,
    lock::{self, Lock},
    pack::{Choice, Module, Pack, PackOption},
    plan::Workspace,
    problem::Problem,
    project::Tree,
    render,
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

    /// What is taken where nothing is picked, if the pack says so.
    fn or(self, default: &str) -> Self {
        match self {
            Self::Several(values) if values.is_empty() && !default.is_empty() => {
                Self::Several(vec![default.to_owned()])
            }
            answer => answer,
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
    /// When a module or a value is not one that the pack has, or a module lacks what it needs (exit 2); when a value is fixed
    /// at another (exit 4).
    pub fn new(pack: &Pack, given: &Given) -> Result<Self> {
        let modules = modules(pack, given)?;
        let facts = facts::of_modules(pack, &modules);
        let mut options = BTreeMap::new();
        for option in &pack.manifest.option {
            let applies = render::holds(option.when.as_deref(), &facts)?;
            if given.options.contains_key(&option.id) && !applies {
                return Err(idle(option, &modules).into());
            }
            let answer = answer(pack, option, given)?;
            options.insert(option.id.clone(), if applies { answer.or(&option.default) } else { answer });
        }
        if let Some(id) = given.options.keys().find(|id| !options.contains_key(*id)) {
            let what = format!("`--{id}` does not apply to {}", pack.manifest.name);
            return Err(Problem::usage(what, format!("leave `--{id}` out")).into());
        }
        Ok(Self { modules, options })
    }
}

/// An answer to a question that is not asked.
fn idle(option: &PackOption, modules: &[String]) -> Problem {
    // It names modules only.
    let when = option.when.as_deref().unwrap_or_default().replace("module.", "");
    Problem::usage(
        format!("`--{}` means nothing with {} alone; it goes with {when}", option.id, modules.join(", ")),
        format!("leave `--{}` out, or add the module with `--with`", option.id),
    )
}

/// Options that have more than one answer and none is known.
///
/// # Errors
/// When a module is not one that the pack has, or lacks what it needs (exit 2).
pub fn open<'p>(pack: &'p Pack, given: &Given) -> Result<Vec<&'p PackOption>> {
    let now = facts::of_modules(pack, &modules(pack, given)?);
    let before = facts::of_modules(pack, &given.recorded.modules);
    let mut open = vec![];
    for option in &pack.manifest.option {
        let when = option.when.as_deref();
        let was_asked = given.recorded.options.contains_key(&option.id) && render::holds(when, &before)?;
        let known = was_asked || given.options.contains_key(&option.id);
        if !known && (option.choice.len() > 1 || option.multiple) && render::holds(when, &now)? {
            open.push(option);
        }
    }
    Ok(open)
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
    let chosen = |module: &&Module| typed.contains(&module.id) || recorded.contains(&module.id);
    refuse_alone(all, &chosen, typed)?;
    // In the pack's order, so that the order typed does not change what is rendered.
    Ok(all.iter().filter(chosen).map(|module| module.id.clone()).collect())
}

/// Refuses a module that lacks what it needs beside it.
fn refuse_alone(all: &[Module], chosen: &impl Fn(&&Module) -> bool, typed: &[String]) -> Result<(), Problem> {
    let is_there = |id: &String| all.iter().filter(chosen).any(|module| module.id == *id);
    for module in all.iter().filter(chosen) {
        let Some(beside) = module.beside.as_ref().filter(|beside| !beside.one_of.iter().any(is_there)) else {
            continue;
        };
        let first = beside.one_of.first().map_or("", String::as_str);
        return Err(Problem::usage(
            format!("`{}` needs `{}` beside it: {}", module.id, beside.one_of.join("` or `"), beside.reason),
            format!("add one of them, as in `--with {first},{}`", typed.join(",")),
        ));
    }
    Ok(())
}

/// The options of which exactly one choice suits the project, with that choice.
///
/// # Errors
/// When a manifest cannot be read.
pub fn suited(pack: &Pack, tree: &Tree, workspace: &Workspace) -> Result<BTreeMap<String, String>> {
    let path = pack.manifest_of(tree);
    let there = Dependencies::open(path, tree.text(path).unwrap_or_default(), workspace)?;
    let suits = |choice: &&Choice| choice.suits.iter().any(|wanted| there.has(wanted));
    let only = |option: &PackOption| match option.choice.iter().filter(suits).collect::<Vec<_>>().as_slice() {
        [one] => Some((option.id.clone(), one.value.clone())),
        _ => None,
    };
    Ok(pack.manifest.option.iter().filter_map(only).collect())
}

#[cfg(test)]
mod tests;

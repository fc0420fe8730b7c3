//! What templates may name: answers, modules, and what the project is.

use anyhow::{Context as _, Error, Result};
use serde_json::{Map, Value, json};

use super::{
    anchor,
    choose::{Answers, Options},
    edit::dependencies::Dependencies,
    lock::Layer,
    manifest,
    pack::{Fact, InFiles, Pack},
    plan::Input,
    project::{RelPath, Tree},
    render::{self, Facts},
};

/// The facts that recorded layers, all up to one of a lock, were rendered with.
#[must_use]
pub fn recorded(pack: &Pack, layers: &[Layer]) -> Facts {
    let modules: Vec<&String> = layers.iter().flat_map(|layer| &layer.modules).collect();
    let Some(top) = layers.last() else { return Facts::new() };
    let mut facts = top.facts.clone();
    answered(pack, &modules, &top.answers, &mut facts);
    imports(&mut facts);
    vars_of_files(pack, &mut facts);
    facts
}

/// The answers alone.
#[must_use]
pub fn of_answers(pack: &Pack, answers: &Answers) -> Facts {
    let mut facts = Facts::new();
    let modules: Vec<&String> = answers.modules.iter().collect();
    answered(pack, &modules, &answers.options, &mut facts);
    vars_of_files(pack, &mut facts);
    facts
}

/// The modules alone, which is all that the conditions of options may name.
#[must_use]
pub fn of_modules(pack: &Pack, modules: &[String]) -> Facts {
    let mut facts = Facts::new();
    answered(pack, &modules.iter().collect::<Vec<_>>(), &Options::new(), &mut facts);
    facts
}

/// Facts of the project as it is, with the answers. `recorded` are those of its lock, if it has one.
///
/// # Errors
/// When a manifest cannot be read, or the pack is malformed.
pub fn of_project(input: &Input<'_>, recorded: Option<&Facts>) -> Result<Facts> {
    let mut facts = of_answers(input.pack, input.answers);
    let path = input.pack.manifest_of(input.tree);
    let text = input.tree.text(path).with_context(|| format!("`{path}` is missing"))?;
    let mut project = Dependencies::open(path, text, input.workspace)?.project()?;
    project["root"] = input.folder.is_empty().into();
    project["folder"] = input.folder.into();
    if let Some(manager) = input.pack.managers.iter().find(|manager| Some(manager.name.as_str()) == input.manager) {
        project["package_manager"] = manager.name.as_str().into();
        let set = manager.env.iter().map(|(name, value)| format!("{name}={value}"));
        project["install"] = set.chain(manager.install.iter().cloned()).collect::<Vec<_>>().join(" ").into();
    }
    // Files stay where they are when the repository grows around the app, or the app by what was generated.
    let known = |name: &str| recorded.and_then(|facts| facts.get("project")?.get(name)).cloned();
    for name in ["root", "folder"] {
        if let Some(value) = known(name) {
            project[name] = value;
        }
    }
    facts.insert("project".into(), project);
    for fact in &input.pack.manifest.fact {
        let value = known(&fact.name).map_or_else(|| Ok(tells(fact, input.tree, &facts)?.into()), Ok::<_, Error>)?;
        facts["project"][&fact.name] = value;
    }
    vars_of_files(input.pack, &mut facts);
    Ok(facts)
}

/// Adds what is known of the libraries.
///
/// # Errors
/// When a manifest cannot be read, or has a version that cannot be beside another (exit 4).
pub fn of_dependencies(input: &Input<'_>, facts: &mut Facts) -> Result<()> {
    let path = input.pack.manifest_of(input.tree);
    let mut all = Map::new();
    for wanted in &input.pack.manifest.dependency {
        let (key, version) = manifest::dependency(path, wanted, input.tree, input.workspace)?;
        all.insert(wanted.name.replace('-', "_"), json!({ "key": key, "version": version }));
    }
    facts.insert("dep".into(), Value::Object(all));
    imports(facts);
    Ok(())
}

/// Whether a fact is so.
fn tells(fact: &Fact, tree: &Tree, facts: &Facts) -> Result<bool> {
    let has = |globs: &[String]| {
        let set = anchor::glob_set(globs)?;
        Ok::<_, Error>(tree.iter().any(|(path, _)| set.is_match(path.as_str())))
    };
    let says = |wanted: &InFiles| {
        let (set, unless) = (anchor::glob_set(&wanted.globs)?, anchor::glob_set(&wanted.unless)?);
        let pattern = regex::Regex::new(&wanted.pattern)?;
        let read = |path: &RelPath| set.is_match(path.as_str()) && !unless.is_match(path.as_str());
        Ok::<_, Error>(tree.iter().any(|(path, text)| read(path) && pattern.is_match(text.raw())))
    };
    Ok((fact.exists.is_empty() || has(&fact.exists)?)
        && !has(&fact.unless)?
        && fact.text.as_ref().map_or(Ok(true), says)?
        && render::holds(fact.when.as_deref(), facts)?)
}

/// The facts with the answers of others in the place of their own.
#[must_use]
pub fn with_answers_of(facts: &Facts, other: &Facts, pack: &Pack) -> Facts {
    let mut mixed = facts.clone();
    let options = pack.manifest.option.iter().map(|option| option.id.as_str());
    for name in options.chain(["module"]) {
        match other.get(name) {
            Some(value) => mixed.insert(name.to_owned(), value.clone()),
            None => mixed.remove(name),
        };
    }
    mixed
}

/// The facts that a lock records beside the answers.
#[must_use]
pub fn kept(facts: &Facts) -> Facts {
    let keep = |name: &str| facts.get(name).map(|value| (name.to_owned(), value.clone()));
    // Sorted, as they are read back, so that a lock that is read and written again is the same.
    let mut kept: Facts = ["project", "dep"].into_iter().filter_map(keep).collect();
    kept.values_mut().for_each(Value::sort_all_objects);
    kept.sort_keys();
    kept
}

/// Whether the app is at the root of its repository.
#[must_use]
pub fn at_root(facts: &Facts) -> bool {
    facts.get("project").and_then(|project| project.get("root")?.as_bool()).unwrap_or(false)
}

fn answered(pack: &Pack, modules: &[&String], options: &Options, facts: &mut Facts) {
    facts.insert("pack".into(), json!({ "id": pack.manifest.id, "version": pack.manifest.version }));
    let all = pack.manifest.module.iter().map(|module| (module.id.clone(), json!(modules.contains(&&module.id))));
    facts.insert("module".into(), Value::Object(all.collect()));
    for (id, answer) in options {
        facts.insert(id.clone(), json!(answer));
    }
}

/// The names that files may use as well: those that no anchor decides.
fn vars_of_files(pack: &Pack, facts: &mut Facts) {
    let mut unknown: Vec<&str> = pack.manifest.anchor.iter().map(|anchor| anchor.id.as_str()).collect();
    for var in &pack.manifest.var {
        if unknown.iter().any(|name| mentions(&var.value, name)) {
            unknown.push(&var.name);
        } else if let Ok(value) = render::render(&var.name, &var.value, facts) {
            // Where facts are missing, as in a lock that was edited, what names it does not render either.
            facts.insert(var.name.clone(), json!(value));
        }
    }
}

/// Whether a template has a word.
fn mentions(template: &str, word: &str) -> bool {
    template.contains('[') && template.split(|c: char| !c.is_alphanumeric() && c != '_').any(|other| other == word)
}

/// The name that code imports each dependency by.
fn imports(facts: &mut Facts) {
    let all = facts.get("dep").and_then(Value::as_object).into_iter().flatten();
    let import = |dep: &Value| dep.get("key").and_then(Value::as_str).map(|key| json!(key.replace('-', "_")));
    let names: Map<_, _> = all.filter_map(|(name, dep)| Some((name.clone(), import(dep)?))).collect();
    facts.insert("import".into(), Value::Object(names));
}

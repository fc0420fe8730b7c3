//! Works out every change before any is made: tree and pack in, plan out.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::{
    anchor::{self, Found, Place},
    choose::Answers,
    edit::{self, Made, Outcome, Splice, cargo_toml, toml::Toml},
    lock::{self, Created, Edited, Layer, Lock},
    manifest,
    pack::{Anchor, Pack, Wire},
    problem::Problem,
    project::{Plan, RelPath, Step, Text, Tree},
    refuse,
    render::{self, Facts},
};

/// What planning looks at.
pub struct Input<'a> {
    pub pack: &'a Pack,
    pub answers: &'a Answers,
    /// The app's folder.
    pub tree: &'a Tree,
    /// The workspace that the app is a member of.
    pub workspace: &'a Workspace,
    /// Places chosen by the user: anchor to path and 1-based line.
    pub at: &'a BTreeMap<String, (RelPath, usize)>,
}

/// Files above the app's folder that tell what it inherits.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    pub manifest: Option<Text>,
    pub lock: Option<Text>,
}

type Places = BTreeMap<String, Option<Place>>;

/// The plan that adds the chosen modules.
///
/// # Errors
/// When the project must not be touched (exit 4), or a place is ambiguous (exit 4).
pub fn add(input: &Input<'_>) -> Result<Plan> {
    refuse::check(input)?;
    let mut facts = facts(input)?;
    let places = places(input, &mut facts)?;
    for var in &input.pack.manifest.var {
        let value = render::render(&var.name, &var.value, &facts)?;
        facts.insert(var.name.clone(), json!(value));
    }
    let mut work = Work { after: input.tree.clone(), created: vec![], edited: vec![], manual: vec![] };
    work.create(input.pack, &facts)?;
    work.depend(input, &facts)?;
    work.wire(input, &facts, &places)?;
    work.lines(input.pack)?;
    work.toolchain(input)?;
    work.floors(input)?;
    work.finish(input, &facts)
}

/// The files that a layer renders, example files included.
///
/// # Errors
/// When a template is malformed or names an unknown fact.
pub fn rendered(pack: &Pack, facts: &Facts) -> Result<Vec<(RelPath, String)>> {
    let mut out = vec![];
    for (path, template) in &pack.files {
        let when = pack.file_rule(path).and_then(|rule| rule.when.as_deref());
        if render::holds(when, facts)? {
            out.push((RelPath::new(path)?, render::render(path, template, facts)?));
        }
    }
    Ok(out)
}

/// The facts that a recorded layer was rendered with.
#[must_use]
pub fn layer_facts(pack: &Pack, layer: &Layer) -> Facts {
    let mut facts = layer.facts.clone();
    answer_facts(pack, &layer.modules, &layer.answers, &mut facts);
    imports(&mut facts);
    facts
}

fn answer_facts(pack: &Pack, modules: &[String], options: &BTreeMap<String, String>, facts: &mut Facts) {
    facts.insert("pack".into(), json!({ "id": pack.manifest.id, "version": pack.manifest.version }));
    let chosen = |id: &str| modules.iter().any(|module| module == id);
    let all = pack.manifest.module.iter().map(|module| (module.id.clone(), json!(chosen(&module.id))));
    facts.insert("module".into(), Value::Object(all.collect()));
    for (id, value) in options {
        facts.insert(id.clone(), json!(value));
    }
}

/// The name that code imports each dependency by.
fn imports(facts: &mut Facts) {
    let all = facts.get("dep").and_then(Value::as_object).into_iter().flatten();
    let import = |dep: &Value| dep.get("key").and_then(Value::as_str).map(|key| json!(key.replace('-', "_")));
    let names: Map<_, _> = all.filter_map(|(name, dep)| Some((name.clone(), import(dep)?))).collect();
    facts.insert("import".into(), Value::Object(names));
}

/// Facts of the project itself: its name and the versions that it uses.
fn facts(input: &Input<'_>) -> Result<Facts> {
    let mut facts = Map::new();
    answer_facts(input.pack, &input.answers.modules, &input.answers.options, &mut facts);
    let manifest = &input.pack.manifest;
    let project = manifest::project(&manifest.detect.manifest, input.tree, input.workspace)?;
    facts.insert("project".into(), project);
    let mut all = Map::new();
    for wanted in &manifest.dependency {
        let (key, version) = manifest::dependency(&manifest.detect.manifest, wanted, input.tree, input.workspace)?;
        all.insert(wanted.name.replace('-', "_"), json!({ "key": key, "version": version }));
    }
    facts.insert("dep".into(), Value::Object(all));
    imports(&mut facts);
    Ok(facts)
}

fn places(input: &Input<'_>, facts: &mut Facts) -> Result<Places> {
    let mut places = Places::new();
    for anchor in &input.pack.manifest.anchor {
        let globs: Vec<String> =
            anchor.globs.iter().map(|glob| render::render(&anchor.id, glob, facts)).collect::<Result<_>>()?;
        let found = anchor::locate(&input.pack.language, anchor, &globs, input.tree)?;
        let place = choose(anchor, found, input)?;
        facts.insert(anchor.id.clone(), place_facts(place.as_ref(), input.tree));
        places.insert(anchor.id.clone(), place);
    }
    Ok(places)
}

fn choose(anchor: &Anchor, found: Found, input: &Input<'_>) -> Result<Option<Place>> {
    let wanted = input.at.get(&anchor.id);
    let all = match found {
        Found::None => vec![],
        Found::One(place) => vec![place],
        Found::Several(places) => places,
    };
    let line = |place: &Place| {
        let text = input.tree.get(&place.path).map_or("", Text::raw);
        place.at.as_ref().map_or(1, |at| anchor::line_of(text, at.range.start))
    };
    let id = &anchor.id;
    if let Some((path, number)) = wanted {
        let chosen = all.iter().find(|place| place.path == *path && line(place) == *number);
        return chosen.cloned().map(Some).ok_or_else(|| {
            let fix = format!("name the file and line of {}", anchor.describe);
            Problem::usage(format!("`--at {id}={path}:{number}`: there is no {} there", anchor.describe), fix).into()
        });
    }
    if all.len() < 2 {
        return Ok(all.into_iter().next());
    }
    let list: Vec<String> = all.iter().map(|place| format!("  {}:{}", place.path, line(place))).collect();
    let what = format!("found {} places that could be {}\n{}", all.len(), anchor.describe, list.join("\n"));
    let fix = format!("choose one with `--at {id}={}`", list[0].trim());
    Err(Problem::unsupported(what, fix).into())
}

fn place_facts(place: Option<&Place>, tree: &Tree) -> Value {
    let Some(place) = place else { return json!({ "found": false, "path": "", "line": 0, "text": {}, "kind": {} }) };
    let captures = place.at.iter().flat_map(|at| &at.captures);
    let (text, kind): (Map<_, _>, Map<_, _>) =
        captures.map(|(name, c)| ((name.clone(), json!(c.text)), (name.clone(), json!(c.kind)))).unzip();
    let source = tree.get(&place.path).map_or("", Text::raw);
    let line = place.at.as_ref().map_or(1, |at| anchor::line_of(source, at.range.start));
    json!({ "found": true, "path": place.path.as_str(), "line": line, "text": text, "kind": kind })
}

/// The tree as it grows, and the record of what was done to it.
struct Work {
    after: Tree,
    created: Vec<Created>,
    edited: Vec<Edited>,
    manual: Vec<Step>,
}

impl Work {
    fn create(&mut self, pack: &Pack, facts: &Facts) -> Result<()> {
        for (path, text) in rendered(pack, facts)? {
            if self.after.get(&path).is_some() {
                return Err(Problem::unsupported(
                    format!("`{path}` is already there, and the generated code needs that place"),
                    format!("move or rename `{path}`, then run the command again"),
                )
                .into());
            }
            let example = pack.file_rule(path.as_str()).is_some_and(|rule| rule.example);
            let text = Text::new(text);
            self.created.push(Created { path: path.clone(), sha256: text.sha256(), example });
            self.after.insert(path, text);
        }
        Ok(())
    }

    fn depend(&mut self, input: &Input<'_>, facts: &Facts) -> Result<()> {
        let path = RelPath::new(&input.pack.manifest.detect.manifest)?;
        let text = self.after.get(&path).with_context(|| format!("`{path}` is missing"))?.raw().to_owned();
        let wanted = input.pack.manifest.dependency.iter();
        let wanted: Vec<_> = wanted
            .filter_map(|dependency| match render::holds(dependency.when.as_deref(), facts) {
                Ok(true) => Some(Ok(dependency.clone())),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            })
            .collect::<Result<_>>()?;
        let toml = Toml::parse(&text).with_context(|| format!("cannot read `{path}`"))?;
        let root = input.workspace.manifest.as_ref().map(|text| Toml::parse(text.raw())).transpose()?;
        let mut splices = vec![];
        for outcome in cargo_toml::add(&toml, root.as_ref(), &wanted, path.as_str())? {
            self.take(outcome, &mut splices);
        }
        if !self.edit(&path, splices, &|after| Toml::parse(after).is_ok()) {
            self.manual.extend(cargo_toml::all_by_hand(&wanted, path.as_str()));
        }
        Ok(())
    }

    fn take(&mut self, outcome: Outcome, splices: &mut Vec<Splice>) {
        match outcome {
            Outcome::Edit(more) => splices.extend(more),
            Outcome::Already => {}
            Outcome::Manual(step) => self.manual.push(step),
        }
    }

    fn wire(&mut self, input: &Input<'_>, facts: &Facts, places: &Places) -> Result<()> {
        let language = &input.pack.language;
        // All edits of a file at once: ranges are those of the text that the anchors were found in.
        let mut by_file: BTreeMap<&RelPath, (Vec<Splice>, Vec<Step>)> = BTreeMap::new();
        let mut left = vec![];
        for anchor in &input.pack.manifest.anchor {
            let wires = wires_at(input.pack, anchor, facts)?;
            let Some(place) = places.get(&anchor.id).and_then(Option::as_ref) else {
                left.extend(wires.into_iter().map(|wire| (anchor, wire)));
                continue;
            };
            let text = |wire: &Wire| render::render(&wire.at, &wire.text, facts);
            let texts: Vec<(&Wire, String)> =
                wires.iter().map(|wire| Ok((*wire, text(wire)?))).collect::<Result<_>>()?;
            let source = self.after.get(&place.path).map_or("", Text::raw);
            let (splices, steps) = by_file.entry(&place.path).or_default();
            match &place.at {
                Some(at) => splices.extend(edit::source::wires(language, source, at, &texts)?),
                None => {
                    for (_, text) in &texts {
                        splices.push(edit::source::import(language, source, text)?);
                    }
                }
            }
            for wire in wires {
                steps.extend(manual_step(wire, place.path.as_str(), None, facts)?);
            }
        }
        for (path, (splices, steps)) in by_file {
            let errors = anchor::parse_errors(language, self.after.get(path).map_or("", Text::raw))?;
            let sound = |after: &str| anchor::parse_errors(language, after).is_ok_and(|now| now <= errors);
            if !self.edit(path, splices, &sound) {
                self.manual.extend(steps);
            }
        }
        // After the edits, so that the lines named are those that the user will see.
        for (anchor, wire) in left {
            self.manual.extend(by_hand(input.pack, anchor, wire, &self.after, facts)?);
        }
        Ok(())
    }

    fn lines(&mut self, pack: &Pack) -> Result<()> {
        for wanted in &pack.manifest.lines {
            let path = RelPath::new(&wanted.file)?;
            let mut splices = vec![];
            let text = self.after.get(&path).map_or("", Text::raw);
            self.take(edit::lines::add(text, wanted), &mut splices);
            self.edit(&path, splices, &|_| true);
        }
        Ok(())
    }

    /// The libraries may need a newer language than the project promises to build with.
    fn toolchain(&mut self, input: &Input<'_>) -> Result<()> {
        let needed = &input.pack.manifest.toolchain.minimum;
        let declared = manifest::minimum(&input.pack.manifest.detect.manifest, input.tree, input.workspace)?;
        let Some((declared, at)) = declared.filter(|(declared, _)| declared < needed) else { return Ok(()) };
        let what = format!("the libraries need {needed} or newer, and the project says {declared}; raise it here");
        self.manual.push(Step { at, what, text: format!("rust-version = \"{}.{}\"", needed.major, needed.minor) });
        Ok(())
    }

    /// The package manager keeps what its lock file says, also below a floor.
    fn floors(&mut self, input: &Input<'_>) -> Result<()> {
        let Some(lock) = &input.workspace.lock else { return Ok(()) };
        let path = &input.pack.manifest.detect.manifest;
        let text = input.tree.text(path).unwrap_or_default();
        let named = manifest::dependencies(path, text, input.workspace.manifest.as_ref().map(Text::raw))?;
        for dependency in &input.pack.manifest.dependency {
            let (Some(floor), Some(entry)) =
                (&dependency.floor, named.iter().find(|named| named.name == dependency.name))
            else {
                continue;
            };
            let written = entry.requirement.as_deref().unwrap_or("*");
            let old = manifest::locked(lock, &dependency.name)?
                .into_iter()
                .find(|version| manifest::admits(written, version) && version < floor);
            if let Some(old) = old {
                let what = format!(
                    "`{}` is locked at {old}, below {floor}, the lowest version without a known weakness; update it",
                    entry.name
                );
                self.manual.push(Step {
                    at: format!("{path}:{}", entry.line),
                    what,
                    text: input.pack.update_command(&entry.name),
                });
            }
        }
        Ok(())
    }

    /// Makes the edit if its result is sound; says whether it was made.
    fn edit(&mut self, path: &RelPath, splices: Vec<Splice>, sound: &dyn Fn(&str) -> bool) -> bool {
        if splices.is_empty() {
            return true;
        }
        let before = self.after.get(path).cloned();
        let (after, made): (String, Vec<Made>) = edit::splice(before.as_ref().map_or("", Text::raw), splices);
        if !sound(&after) {
            return false;
        }
        let after = Text::new(after);
        self.edited.push(Edited {
            path: path.clone(),
            before: before.as_ref().map(Text::sha256),
            after: after.sha256(),
            splice: made,
        });
        self.after.insert(path.clone(), after);
        true
    }

    fn finish(mut self, input: &Input<'_>, facts: &Facts) -> Result<Plan> {
        let mut lock = Lock::read(input.tree)?.unwrap_or_default();
        let keep = |name: &str| facts.get(name).map(|value| (name.to_owned(), value.clone()));
        // Sorted, as they are read back, so that a lock that is read and written again is the same.
        let mut facts: Facts = ["project", "dep"].into_iter().filter_map(keep).collect();
        facts.values_mut().for_each(Value::sort_all_objects);
        facts.sort_keys();
        lock.layer.push(Layer {
            pack: input.pack.manifest.id.clone(),
            pack_version: input.pack.manifest.version.clone(),
            modules: input.answers.modules.clone(),
            answers: input.answers.options.clone(),
            facts,
            created: self.created,
            edited: self.edited,
            manual: self.manual.clone(),
        });
        self.after.insert(RelPath::new(lock::PATH)?, Text::new(lock.write()?));
        Ok(Plan { changes: input.tree.difference(&self.after), manual: self.manual })
    }
}

/// The wires of an anchor whose condition holds.
fn wires_at<'p>(pack: &'p Pack, anchor: &Anchor, facts: &Facts) -> Result<Vec<&'p Wire>> {
    let mut wires = vec![];
    for wire in pack.manifest.wire.iter().filter(|wire| wire.at == anchor.id) {
        if render::holds(wire.when.as_deref(), facts)? {
            wires.push(wire);
        }
    }
    Ok(wires)
}

/// Steps for a wire whose anchor was not found: one for each place that a hint points to, or one in words.
fn by_hand(pack: &Pack, anchor: &Anchor, wire: &Wire, tree: &Tree, facts: &Facts) -> Result<Vec<Step>> {
    let set = anchor::glob_set(&pack.manifest.reads)?;
    let own = |path: &RelPath| pack.files.iter().any(|(own, _)| own == path.as_str());
    let wanted = |path: &RelPath| set.is_match(path.as_str()) && pack.language.reads(path) && !own(path);
    let files = tree.iter().filter(|(path, _)| wanted(path));
    let mut steps = vec![];
    for (path, text) in files {
        for hint in anchor::hints(&pack.language, &anchor.hint, text.raw())? {
            steps.extend(manual_step(wire, &format!("{path}:{}", hint.line), Some(&hint.groups), facts)?);
        }
    }
    match steps.len() {
        0 => steps.extend(manual_step(wire, &anchor.describe, None, facts)?),
        1 => {}
        several => steps.iter_mut().for_each(|step| step.what = format!("one of {several} places: {}", step.what)),
    }
    Ok(steps)
}

fn manual_step(wire: &Wire, at: &str, hint: Option<&Map<String, Value>>, facts: &Facts) -> Result<Option<Step>> {
    let Some(manual) = &wire.manual else { return Ok(None) };
    let mut facts = facts.clone();
    facts.insert("hint".into(), Value::Object(hint.cloned().unwrap_or_default()));
    let text = render::render(&wire.at, manual, &facts)?;
    let (what, text) = text.split_once('\n').unwrap_or((text.as_str(), ""));
    Ok(Some(Step { at: at.to_owned(), what: what.to_owned(), text: text.trim_end().to_owned() }))
}

#[cfg(test)]
mod tests;

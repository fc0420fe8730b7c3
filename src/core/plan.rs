//! Works out every change before any is made: tree and pack in, plan out.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use super::{
    anchor,
    choose::Answers,
    edit::{self, Made, Outcome, Splice, dependencies::Dependencies},
    facts, generated,
    lock::{self, Created, Edited, Layer, Lock},
    manifest,
    pack::{Anchor, Dependency, Manifest, Pack, Place, Wire},
    places::{self, Places},
    problem::Problem,
    project::{Plan, RelPath, Step, Text, Tree, sha256},
    refuse,
    render::{self, Facts},
};

/// What planning looks at.
pub struct Input<'a> {
    pub pack: &'a Pack,
    pub answers: &'a Answers,
    /// The app's folder.
    pub tree: &'a Tree,
    /// Its place below the repository's root, with a slash at its end; empty if it is the root.
    pub folder: &'a str,
    /// The workspace that the app is a member of.
    pub workspace: &'a Workspace,
    /// The package manager, where the pack knows several.
    pub manager: Option<&'a str>,
    /// Places chosen by the user: anchor to path and 1-based line.
    pub at: &'a BTreeMap<String, (RelPath, usize)>,
}

/// Files above the app's folder that tell what it inherits.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    pub manifest: Option<Text>,
    pub lock: Option<Text>,
}

/// What the layers of the project's lock rendered.
#[derive(Default)]
struct Old {
    facts: Facts,
    files: BTreeMap<RelPath, String>,
}

impl Old {
    fn of(pack: &Pack, lock: &Lock) -> Result<Self> {
        if lock.layer.is_empty() {
            return Ok(Self::default());
        }
        let facts = facts::recorded(pack, &lock.layer);
        let files = generated::files(pack, &facts).map_err(|error| {
            let what = format!("{}: what it records does not render pack `{}`", lock::PATH, pack.manifest.id);
            error.context(Problem::problem(what, "restore it from version control, then run the command again"))
        })?;
        Ok(Self { facts, files: files.into_iter().collect() })
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether a condition held, had the project been what it is now. Nothing held before the first `add`.
    fn held(&self, when: Option<&str>, now: &Facts, pack: &Pack) -> Result<bool> {
        if self.is_empty() {
            return Ok(false);
        }
        render::holds(when, &facts::with_answers_of(now, &self.facts, pack))
    }
}

/// The plan that adds what the answers ask for beyond what the project's lock records; an empty one if that is all.
///
/// # Errors
/// When the project must not be touched, a place is ambiguous, or a generated file cannot change (exit 4).
pub fn add(input: &Input<'_>) -> Result<Plan> {
    let whole = input.tree;
    let lock = Lock::read(whole)?.unwrap_or_default();
    if !lock.layer.is_empty() && input.answers.are_recorded(&Answers::of(&lock)) {
        return Ok(Plan::default());
    }
    same_pack(input.pack, &lock)?;
    let old = Old::of(input.pack, &lock)?;
    // What is generated is no code of the user's: no place to wire, no login that is there already.
    let users = whole.iter().filter(|(path, _)| !old.files.contains_key(path));
    let users: Tree = users.map(|(path, text)| (path.clone(), text.clone())).collect();
    let input = &Input { tree: &users, ..*input };
    let mut facts = facts::of_project(input, lock.layer.last().map(|layer| &layer.facts))?;
    refuse::check(input, &facts, !old.is_empty())?;
    facts::of_dependencies(input, &mut facts)?;
    let places = places::find(input, !old.is_empty(), &mut facts)?;
    let mut work = Work { after: whole.clone(), lock, old, created: vec![], edited: vec![], manual: vec![] };
    work.generate(input, &facts)?;
    work.depend(input, &facts)?;
    work.wire(input, &facts, &places)?;
    work.lines(input, &facts)?;
    work.toolchain(input)?;
    work.floors(input)?;
    work.finish(input, &facts, whole)
}

/// Only the pack that rendered the files knows what they were.
fn same_pack(pack: &Pack, lock: &Lock) -> Result<(), Problem> {
    let Manifest { id, version, .. } = &pack.manifest;
    let Some(other) = lock.layer.iter().find(|layer| layer.pack != *id || layer.pack_version != *version) else {
        return Ok(());
    };
    let what = format!(
        "the project was generated with pack `{}` {}, and this version of authwright has `{id}` {version}",
        other.pack, other.pack_version
    );
    Err(Problem::unsupported(what, "use the authwright version that wrote the lock; `upgrade` does not exist yet"))
}

/// The tree as it grows, and the record of what was done to it.
struct Work {
    after: Tree,
    lock: Lock,
    old: Old,
    created: Vec<Created>,
    edited: Vec<Edited>,
    manual: Vec<Step>,
}

impl Work {
    fn generate(&mut self, input: &Input<'_>, facts: &Facts) -> Result<()> {
        let files = generated::files(input.pack, facts)?;
        self.refuse_gone(&files)?;
        let mut refused = vec![];
        for (path, text) in files {
            match self.old.files.get(&path).cloned() {
                None => self.create(input.pack, path, text)?,
                Some(old) if old == text => {}
                Some(old) => refused.extend(self.change(input.pack, path, &old, &text)),
            }
        }
        if !refused.is_empty() {
            let what = format!("generated files have to change and cannot\n{}", refused.join("\n"));
            let fix = "put these files back as they were generated, run the command again, and make your changes anew";
            return Err(Problem::unsupported(what, fix).into());
        }
        self.leave(input, facts)
    }

    /// Files for the repository's root where the app is not, once.
    fn leave(&mut self, input: &Input<'_>, facts: &Facts) -> Result<()> {
        for (path, text) in generated::left(input.pack, facts)? {
            let when = input.pack.file_rule(path.as_str()).and_then(|rule| rule.when.as_deref());
            if !self.old.held(when, facts, input.pack)? {
                let what =
                    "the app is in a folder below the repository's root; create this file at the root".to_owned();
                self.manual.push(Step { at: path.to_string(), what, text: text.trim_end().to_owned() });
            }
        }
        Ok(())
    }

    /// Answers that take files away are not an addition.
    fn refuse_gone(&self, files: &[(RelPath, String)]) -> Result<(), Problem> {
        let gone = |path: &&RelPath| !files.iter().any(|(file, _)| file == *path);
        let gone: Vec<String> = self.old.files.keys().filter(gone).map(|path| format!("  {path}")).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let what = format!("`add` only extends, and these answers would take files away\n{}", gone.join("\n"));
        Err(Problem::unsupported(
            what,
            "run `authwright undo`, which takes back a layer, then add with the new answers",
        ))
    }

    fn create(&mut self, pack: &Pack, path: RelPath, text: String) -> Result<(), Problem> {
        if self.after.get(&path).is_some() {
            return Err(Problem::unsupported(
                format!("`{path}` is already there, and the generated code needs that place"),
                format!("move or rename `{path}`, then run the command again"),
            ));
        }
        if let Some(what) = pack.file_rule(path.as_str()).and_then(|rule| rule.then.clone()) {
            self.manual.push(Step { at: path.to_string(), what, text: String::new() });
        }
        let text = Text::new(text);
        self.created.push(Created { sha256: text.sha256(), example: pack.is_example(&path), path: path.clone() });
        self.after.insert(path, text);
        Ok(())
    }

    /// Changes a generated file, or tells why it cannot be changed. An example that cannot be is left alone.
    fn change(&mut self, pack: &Pack, path: RelPath, old: &str, new: &str) -> Option<String> {
        let example = pack.is_example(&path);
        let Some(now) = self.after.get(&path).cloned() else {
            return (!example).then(|| format!("  {path}: it is missing"));
        };
        let Some(after) = generated::changed(&pack.language, &path, old, new, &now) else {
            return (!example).then(|| format!("  {path}: what would change was changed here"));
        };
        let splices = edit::hunks::between(now.raw(), after.raw());
        let (_, splice) = edit::splice(now.raw(), splices);
        self.edited.push(Edited {
            path: path.clone(),
            before: Some(now.sha256()),
            after: after.sha256(),
            rendered: Some(sha256(new.as_bytes())),
            splice,
        });
        self.after.insert(path, after);
        None
    }

    fn depend(&mut self, input: &Input<'_>, facts: &Facts) -> Result<()> {
        let path = RelPath::new(input.pack.manifest_of(&self.after))?;
        let text = self.after.get(&path).with_context(|| format!("`{path}` is missing"))?.raw().to_owned();
        let wanted = wanted(input.pack, facts)?;
        let there = Dependencies::open(path.as_str(), &text, input.workspace)?;
        let mut splices = vec![];
        for outcome in there.add(&wanted)? {
            self.take(outcome, &mut splices);
        }
        let sound = |after: &str| Dependencies::open(path.as_str(), after, input.workspace).is_ok();
        if !self.edit(&path, splices, &sound) {
            self.manual.extend(there.all_by_hand(&wanted));
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
            let wires = self.wires_at(input.pack, anchor, facts)?;
            if wires.is_empty() {
                continue;
            }
            let place = match places.get(&anchor.id) {
                Some(Ok(Some(place))) => place,
                Some(Err(ambiguous)) => return Err(ambiguous.clone().into()),
                Some(Ok(None)) | None => {
                    left.extend(wires.into_iter().map(|wire| (anchor, wire)));
                    continue;
                }
            };
            let text = |wire: &Wire| render::render(&wire.at, &wire.text, facts);
            let texts: Vec<(&Wire, String)> =
                wires.iter().map(|wire| Ok((*wire, text(wire)?))).collect::<Result<_>>()?;
            let source = self.after.get(&place.path).map_or("", Text::raw);
            let (splices, steps) = by_file.entry(&place.path).or_default();
            match &place.at {
                Some(at) => splices.extend(edit::source::wires(language, source, at, &texts)?),
                None => {
                    for (wire, text) in &texts {
                        splices.push(match wire.place {
                            Place::End => edit::source::end(source, text),
                            _ => edit::source::import(language, source, text)?,
                        });
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

    /// The wires of an anchor that are needed now and were not before.
    fn wires_at<'p>(&self, pack: &'p Pack, anchor: &Anchor, facts: &Facts) -> Result<Vec<&'p Wire>> {
        let mut wires = vec![];
        for wire in pack.manifest.wire.iter().filter(|wire| wire.at == anchor.id) {
            let when = wire.when.as_deref();
            if render::holds(when, facts)? && !self.old.held(when, facts, pack)? {
                wires.push(wire);
            }
        }
        Ok(wires)
    }

    fn lines(&mut self, input: &Input<'_>, facts: &Facts) -> Result<()> {
        for wanted in &input.pack.manifest.lines {
            let when = wanted.when.as_deref();
            if !render::holds(when, facts)? {
                continue;
            }
            let given = self.old.held(when, facts, input.pack)?;
            if given && !wanted.required {
                // What became of them since is the user's.
                continue;
            }
            let rendered = edit::lines::rendered(wanted, facts)?;
            let path = RelPath::new(edit::lines::file(wanted, &self.after))?;
            if wanted.root && !facts::at_root(facts) {
                if !given {
                    // Which of them is there is not known: only the app's folder was read.
                    let what = match wanted.file.as_slice() {
                        [_] => "the app is in a folder below the repository's root; add these lines at the root",
                        _ => {
                            "the app is in a folder below the repository's root; add these lines there, to the first \
                             of these files that exists, or make the first"
                        }
                    };
                    let text = edit::lines::block(wanted, &rendered);
                    self.manual.push(Step { at: wanted.file.join(", "), what: what.to_owned(), text });
                }
                continue;
            }
            let mut splices = vec![];
            let text = self.after.get(&path).map_or("", Text::raw);
            self.take(edit::lines::add(text, wanted, &rendered), &mut splices);
            if let Some(what) = wanted.then.as_ref().filter(|_| !splices.is_empty()) {
                self.manual.push(Step { at: path.to_string(), what: what.clone(), text: rendered.join("\n") });
            }
            self.edit(&path, splices, &|_| true);
        }
        Ok(())
    }

    /// The libraries may need a newer language than the project promises to build with.
    fn toolchain(&mut self, input: &Input<'_>) -> Result<()> {
        let needed = &input.pack.manifest.toolchain.minimum;
        let path = input.pack.manifest_of(input.tree);
        let there = Dependencies::open(path, input.tree.text(path).unwrap_or_default(), input.workspace)?;
        let Some((declared, at)) = there.minimum().filter(|(declared, _)| declared < needed) else { return Ok(()) };
        let what = format!("the libraries need {needed} or newer, and the project says {declared}; raise it here");
        self.manual.push(Step { at, what, text: there.says_minimum(needed) });
        Ok(())
    }

    /// The package manager keeps what its lock file says, also below a floor.
    fn floors(&mut self, input: &Input<'_>) -> Result<()> {
        let Some(lock) = &input.workspace.lock else { return Ok(()) };
        let path = input.pack.manifest_of(input.tree);
        let text = input.tree.text(path).unwrap_or_default();
        let there = Dependencies::open(path, text, input.workspace)?;
        let named = manifest::dependencies(path, text, input.workspace.manifest.as_ref().map(Text::raw))?;
        for dependency in &input.pack.manifest.dependency {
            let (Some(floor), Some(entry)) =
                (&dependency.floor, named.iter().find(|named| named.name == dependency.name))
            else {
                continue;
            };
            let written = entry.requirement.as_deref();
            let old = manifest::locked(lock, &dependency.name)?
                .into_iter()
                .find(|version| there.admits(written, version) && version < floor);
            if let Some(old) = old {
                let what = format!(
                    "`{}` is locked at {old}, below {floor}, the lowest version without a known weakness; update it",
                    entry.name
                );
                self.manual.push(Step {
                    at: format!("{path}:{}", entry.line),
                    what,
                    text: input.pack.update_command(&entry.name, input.manager),
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
            rendered: None,
            splice: made,
        });
        self.after.insert(path.clone(), after);
        true
    }

    fn finish(mut self, input: &Input<'_>, facts: &Facts, whole: &Tree) -> Result<Plan> {
        let there: Vec<String> = self.lock.modules().into_iter().map(str::to_owned).collect();
        let modules = input.answers.modules.iter().filter(|module| !there.contains(module));
        self.lock.layer.push(Layer {
            pack: input.pack.manifest.id.clone(),
            pack_version: input.pack.manifest.version.clone(),
            modules: modules.cloned().collect(),
            answers: input.answers.options.clone(),
            facts: facts::kept(facts),
            created: self.created,
            edited: self.edited,
            manual: self.manual.clone(),
        });
        let path = RelPath::new(lock::PATH)?;
        let text = self.lock.write()?;
        let text = whole.get(&path).map_or_else(|| Text::new(&text), |now| now.endings_for(&text));
        self.after.insert(path, text);
        Ok(Plan { changes: whole.difference(&self.after), manual: self.manual })
    }
}

/// The libraries that are needed; entries of one name count together.
pub(super) fn wanted(pack: &Pack, facts: &Facts) -> Result<Vec<Dependency>> {
    let mut wanted: Vec<Dependency> = vec![];
    for dependency in &pack.manifest.dependency {
        if !render::holds(dependency.when.as_deref(), facts)? {
            continue;
        }
        match wanted.iter_mut().find(|have| have.name == dependency.name && have.dev == dependency.dev) {
            Some(have) => {
                let more = dependency.features.iter().filter(|feature| !have.features.contains(feature));
                let more: Vec<String> = more.cloned().collect();
                have.features.extend(more);
            }
            None => wanted.push(dependency.clone()),
        }
    }
    Ok(wanted)
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
mod layers;
#[cfg(test)]
mod tests;

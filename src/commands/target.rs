//! Finding the app that a command works on.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{Context, settle::settle};
use crate::{
    cli::Where,
    core::{
        anchor::glob_set,
        detect::{
            self, Detection, Project, Verdict,
            knowledge::Knowledge,
            sight::{Above, Sight},
        },
        lock::{self, Lock},
        manifest::{self, members::members},
        pack::Pack,
        plan::Workspace,
        problem::Problem,
        project::{Change, RelPath, Text, Tree},
    },
    shell::{
        disk::{Disk, Read, Unread},
        fresh,
    },
};

/// An app, read.
pub struct Target {
    /// The workspace root, or the app's own folder; everything that is written is below it.
    pub base: Disk,
    /// The app relative to the base; empty when they are the same.
    pub app: String,
    /// The app relative to the folder that the user named; empty when they are the same.
    pub shown: String,
    /// The app below the repository's root, with a slash at its end; empty when they are the same.
    pub folder: String,
    pub tree: Tree,
    /// Files that a plan may have to write and that could not be read.
    pub unread: Vec<Unread>,
    pub workspace: Workspace,
}

impl Target {
    /// Changes of the app as changes below the base.
    #[must_use]
    pub fn in_base(&self, changes: &[Change]) -> Vec<Change> {
        changes.iter().map(|change| Change { path: change.path.below(&self.app), ..change.clone() }).collect()
    }

    /// The app's folder, opened.
    ///
    /// # Errors
    /// When it is gone.
    pub fn disk(&self) -> Result<Disk> {
        Disk::open(&self.base.root().join(&self.app))
    }

    /// # Errors
    /// When a change is one of a file that could not be read.
    pub fn writable(&self, changes: &[Change]) -> Result<(), Problem> {
        self.readable(changes.iter().map(|change| &change.path))
    }

    fn readable<'p>(&self, paths: impl IntoIterator<Item = &'p RelPath>) -> Result<(), Problem> {
        let mut unread =
            paths.into_iter().flat_map(|path| self.unread.iter().filter(|file| file.path == path.as_str()));
        let Some(file) = unread.next() else { return Ok(()) };
        let what = format!("`{}` would have to be edited and cannot be: {}", file.path, file.why);
        Err(Problem::problem(what, "make it a UTF-8 text file, or move it away, then run the command again"))
    }
}

/// Hidden folders that hold manifests.
const SHOWN: &[&str] = &[".meteor"];

/// Lists what is below `dir`, and reads what detection asks for.
///
/// # Errors
/// When the folder cannot be read.
pub fn detect(context: &Context, dir: &Path) -> Result<Detection> {
    let disk = open(context, dir)?;
    let detection = look(context, &disk, dir)?;
    // Where an interrupted run left an app or the workspace above it half-way, what was seen is neither old nor new.
    let apps: Vec<PathBuf> = detection.projects.iter().map(|project| dir.join(&project.path)).collect();
    let again = settle(context, apps.iter().map(PathBuf::as_path))?;
    if again { look(context, &disk, dir) } else { Ok(detection) }
}

fn look(context: &Context, disk: &Disk, dir: &Path) -> Result<Detection> {
    let (paths, unlisted) = disk.paths(SHOWN)?;
    let known = Knowledge::load(&context.packs)?;
    let sight = Sight::new(paths, Box::new(|path| disk.found(path)), around(&known, &context.packs, dir)?);
    let mut detection = detect::detect(&known, &context.packs, &sight);
    detection.unread.extend(unlisted.into_iter().map(|file| format!("{}: {}", file.path, file.why)));
    Ok(detection)
}

/// The folders above, up to the root of the repository or of the workspace: workspaces that the folder may be a member
/// of, lock files.
/// Of a folder in no repository, only a workspace of its own kind above counts.
fn around(known: &Knowledge, packs: &[Pack], dir: &Path) -> Result<Vec<Above>> {
    let dir = fresh::resolved(&absolute(dir)?)?;
    let roots: BTreeSet<&String> = packs.iter().flat_map(roots).collect();
    let listed = listed_above(&dir, roots).map_or(0, |root| dir.components().count() - root.components().count());
    let depth = below_repository(&dir)?.matches('/').count().max(listed);
    let mut found = vec![];
    for (index, folder) in dir.ancestors().enumerate().skip(1) {
        let Ok(disk) = Disk::open(folder) else { break };
        let read = |name: &str, matters: bool| -> Option<(String, Text)> {
            let there = disk.exists(&RelPath::new(name).ok()?).unwrap_or(false);
            let text = if matters { text(&disk, name).ok().flatten() } else { None };
            there.then(|| (name.to_owned(), text.unwrap_or_default()))
        };
        let names = known.outside().into_iter().filter(|(name, _)| index <= depth || *name == manifest::CARGO);
        let files: Vec<(String, Text)> = names.filter_map(|(name, matters)| read(name, matters)).collect();
        if !files.is_empty() {
            let below = dir.strip_prefix(folder).unwrap_or(Path::new("")).to_string_lossy().replace('\\', "/");
            found.push(Above { path: vec![".."; index].join("/"), below, files });
        }
    }
    Ok(found)
}

/// Opens a folder and brings interrupted runs that may have touched it to their end first.
fn open(context: &Context, dir: &Path) -> Result<Disk> {
    let disk = Disk::open(dir)?;
    settle(context, [dir])?;
    Ok(disk)
}

/// The one app that the user means: the only one, the one named, or the one picked.
///
/// # Errors
/// With exit 4 when there is none, several, or one that cannot be served.
pub fn choose(context: &Context, place: &Where, stack: Option<&str>) -> Result<Project> {
    let detection = detect(context, &place.dir)?;
    for unread in &detection.unread {
        context.ui.warn(&format!("could not be read: {unread}"));
    }
    let notes: BTreeSet<&String> = detection.projects.iter().flat_map(|project| &project.notes).collect();
    for note in notes {
        context.ui.warn(note);
    }
    let fits = |project: &&Project| {
        place.path.as_deref().is_none_or(|path| normal(path) == project.path)
            && stack.is_none_or(|stack| project.stack.as_deref() == Some(stack))
    };
    let found: Vec<&Project> = detection.projects.iter().filter(fits).collect();
    match found.as_slice() {
        [] => Err(none(&detection, place, stack).into()),
        [one] => served(one),
        several if context.ui.interactive => {
            let lines: Vec<String> = several.iter().map(|project| line(project)).collect();
            served(several[context.ui.select("Which app?", &lines, 0)?])
        }
        several => Err(ambiguous(several).into()),
    }
}

fn normal(path: &str) -> String {
    let path = path.trim_end_matches('/').trim_start_matches("./");
    if path.is_empty() { ".".to_owned() } else { path.to_owned() }
}

fn served(project: &Project) -> Result<Project> {
    match &project.reason {
        None => Ok(project.clone()),
        Some(reason) => {
            let what = format!("found {}, which cannot be served\n{}", project.framework, evidence(project));
            Err(Problem::unsupported(what, reason.clone()).into())
        }
    }
}

fn none(detection: &Detection, place: &Where, stack: Option<&str>) -> Problem {
    if detection.verdict == Verdict::None {
        let what = format!("found no web app in `{}`", place.dir.display());
        return Problem::unsupported(what, nowhere(detection));
    }
    let all: Vec<String> = detection.projects.iter().map(|project| format!("  {}", line(project))).collect();
    let wanted = match (&place.path, stack) {
        (Some(path), _) => format!("`--path {path}`"),
        (None, Some(stack)) => format!("`--stack {stack}`"),
        (None, None) => "what was asked for".to_owned(),
    };
    Problem::unsupported(
        format!("no app here is {wanted}; there is\n{}", all.join("\n")),
        "name one of these with `--path`",
    )
}

/// What to do where no app was found.
#[must_use]
pub fn nowhere(detection: &Detection) -> String {
    const SHOWN: usize = 3;
    if !detection.unread.is_empty() {
        return "mend the manifests that could not be read, then run the command again".to_owned();
    }
    let all = &detection.passed_over;
    if all.is_empty() {
        return "name the app's folder, or start one with `authwright new DIR`".to_owned();
    }
    let more = if all.len() > SHOWN { ", \u{2026}" } else { "" };
    let some: Vec<String> = all.iter().take(SHOWN).map(|folder| format!("`{folder}`")).collect();
    format!(
        "examples, tests, templates and others' code were passed over: {}{more}; name such a folder itself to look there, \
         or start an app with `authwright new DIR`",
        some.join(", ")
    )
}

fn ambiguous(several: &[&Project]) -> Problem {
    let lines: Vec<String> = several.iter().map(|project| format!("  {}", line(project))).collect();
    let best = several.iter().find(|project| project.supported).or(several.first());
    let same_folder = several.windows(2).all(|pair| pair[0].path == pair[1].path);
    let flag = match best {
        Some(Project { stack: Some(stack), .. }) if same_folder => format!("--stack {stack}"),
        Some(project) => format!("--path {}", project.path),
        None => "--path".to_owned(),
    };
    Problem::unsupported(
        format!("found {} apps and cannot tell which is meant\n{}", several.len(), lines.join("\n")),
        format!("choose one with `{flag}`"),
    )
}

fn line(project: &Project) -> String {
    let version = project.framework_version.as_deref().unwrap_or_default();
    format!("{}  {} {version}", project.path, project.framework).trim_end().to_owned()
}

/// The lines that the claim rests on.
#[must_use]
pub fn evidence(project: &Project) -> String {
    project.evidence.iter().map(|found| format!("  {found}")).collect::<Vec<_>>().join("\n")
}

/// Reads an app for planning: the files that the pack looks at, and every file that it may write.
///
/// # Errors
/// When a file cannot be read.
pub fn read(context: &Context, place: &Where, path: &str, pack: Option<&Pack>) -> Result<Target> {
    let app = absolute(&place.dir.join(if path == "." { "" } else { path }))?;
    let above = if may_be_member(&app, pack)? {
        above(&app)?
    } else {
        listed_above(&app, pack.iter().copied().flat_map(roots)).map(|root| (root, Workspace::default()))
    };
    let (root, workspace) = above.unwrap_or_else(|| (app.clone(), Workspace::default()));
    let base = open(context, &root)?;
    let inside = app.strip_prefix(base.root()).or_else(|_| app.strip_prefix(&root)).unwrap_or(Path::new(""));
    let app = inside.to_string_lossy().replace('\\', "/");
    let always = writes(&context.packs)?;
    let at = root.join(inside);
    let (tree, unread) = Disk::open(&at)?.tree(&reads(pack)?, &always)?;
    let lock = package_lock(&base, pack)?;
    let shown = if path == "." { String::new() } else { path.to_owned() };
    let below = [below_repository(&at)?, app.clone(), shown.clone()].into_iter().find(|folder| !folder.is_empty());
    let folder = below.map(|folder| format!("{}/", folder.trim_end_matches('/'))).unwrap_or_default();
    let target = Target { base, app, shown, folder, tree, unread, workspace: Workspace { lock, ..workspace } };
    target.readable(&[RelPath::new(lock::PATH)?, RelPath::new(lock::PROOF)?, RelPath::new(lock::FOUND)?])?;
    Ok(target)
}

/// A folder's place below the root of the repository that it is in, with a slash at its end; empty if it is that root
/// or in none.
///
/// # Errors
/// When the path is none.
pub fn below_repository(dir: &Path) -> Result<String> {
    let dir = fresh::resolved(dir)?;
    let git = RelPath::new(".git")?;
    let is_root = |dir: &&Path| Disk::open(dir).is_ok_and(|disk| disk.exists(&git).unwrap_or(false));
    let Some(root) = dir.ancestors().find(is_root) else { return Ok(String::new()) };
    let below = dir.strip_prefix(root).unwrap_or(Path::new("")).to_string_lossy().replace('\\', "/");
    Ok(if below.is_empty() { below } else { format!("{below}/") })
}

/// The first of the package manager's lock files that is there.
fn package_lock(base: &Disk, pack: Option<&Pack>) -> Result<Option<Text>> {
    for name in pack.map_or(&[][..], |pack| &pack.manifest.check.derived) {
        if let Some(lock) = text(base, name)? {
            return Ok(Some(lock));
        }
    }
    Ok(None)
}

/// The files in which package managers of a stack find the members of a workspace.
pub(super) fn roots(pack: &Pack) -> impl Iterator<Item = &String> {
    pack.managers.iter().flat_map(|manager| &manager.roots)
}

/// The root of a workspace that lists the app among its members, in one of some files.
pub(super) fn listed_above<'f>(app: &Path, files: impl IntoIterator<Item = &'f String>) -> Option<PathBuf> {
    let files: Vec<&String> = files.into_iter().collect();
    app.ancestors().skip(1).find_map(|root| {
        let disk = Disk::open(root).ok()?;
        let member = app.strip_prefix(root).unwrap_or(Path::new("")).to_string_lossy().replace('\\', "/");
        let lists = |file: &str| {
            let found = text(&disk, file).ok().flatten();
            found.and_then(|found| members(file, found.raw())).is_some_and(|members| members.hold(&member))
        };
        files.iter().any(|file| lists(file)).then(|| root.to_owned())
    })
}

/// Only a manifest of the workspace's own kind makes a folder its member.
fn may_be_member(app: &Path, pack: Option<&Pack>) -> Result<bool> {
    let kinds = pack.map(|pack| &pack.manifest.detect.manifest);
    let other = kinds.is_some_and(|kinds| !kinds.iter().any(|name| name == manifest::CARGO));
    Ok(!other && text(&Disk::open(app)?, manifest::CARGO)?.is_some())
}

fn reads(pack: Option<&Pack>) -> Result<globset::GlobSet> {
    glob_set(pack.map_or(&[][..], |pack| &pack.manifest.reads))
}

/// Paths that are read even when they are ignored.
fn writes(packs: &[Pack]) -> Result<Vec<RelPath>> {
    let own = [lock::PATH, lock::PROOF, lock::FOUND].into_iter().map(str::to_owned);
    let of = |pack: &Pack| {
        let lines = pack.manifest.lines.iter().flat_map(|lines| lines.file.clone());
        let files = pack.files.iter().map(|(path, _)| path.clone());
        lines.chain(files).chain(pack.manifest.detect.manifest.clone()).collect::<Vec<_>>()
    };
    own.chain(packs.iter().flat_map(of)).map(|path| Ok(RelPath::new(&path)?)).collect()
}

/// The text of a file at the base, if it is there.
///
/// # Errors
/// When it is there and cannot be read.
pub fn text(disk: &Disk, path: &str) -> Result<Option<Text>> {
    match disk.read(&RelPath::new(path)?)? {
        Read::Text(text) => Ok(Some(text)),
        Read::Missing | Read::NotText => Ok(None),
    }
}

fn absolute(dir: &Path) -> Result<PathBuf> {
    // Opening says what is wrong with a folder that is not there.
    Ok(std::path::absolute(Disk::open(dir)?.root())?)
}

/// Whether a package manager would take a new folder for a member of a workspace that does not list it.
///
/// # Errors
/// When a folder above cannot be read.
pub fn workspace_above(dir: &Path) -> Result<Option<PathBuf>> {
    let dir = fresh::resolved(dir)?;
    let there = dir.ancestors().skip(1).find(|dir| Disk::open(dir).is_ok());
    let Some(parent) = there else { return Ok(None) };
    let member = dir.strip_prefix(parent).unwrap_or(Path::new(""));
    for root in parent.ancestors() {
        let Ok(disk) = Disk::open(root) else { continue };
        let Ok(Some(found)) = text(&disk, manifest::CARGO) else { continue };
        let inside = parent.strip_prefix(root).unwrap_or(Path::new("")).join(member);
        if manifest::is_workspace(manifest::CARGO, found.raw(), &inside.to_string_lossy().replace('\\', "/")) {
            return Ok(Some(root.to_owned()));
        }
    }
    Ok(None)
}

/// The workspace root that a folder is a member of: its path, and its manifest.
pub(super) fn above(dir: &Path) -> Result<Option<(PathBuf, Workspace)>> {
    let dir = absolute(dir)?;
    let own = text(&Disk::open(&dir)?, manifest::CARGO)?;
    if own.as_ref().is_some_and(|own| manifest::is_workspace(manifest::CARGO, own.raw(), "")) {
        return Ok(Some((dir, Workspace { manifest: own, lock: None })));
    }
    for root in dir.ancestors().skip(1) {
        let Ok(disk) = Disk::open(root) else { continue };
        let Ok(Some(found)) = text(&disk, manifest::CARGO) else { continue };
        let member = dir.strip_prefix(root).unwrap_or(Path::new("")).to_string_lossy().replace('\\', "/");
        if manifest::is_workspace(manifest::CARGO, found.raw(), &member) {
            return Ok(Some((root.to_owned(), Workspace { manifest: Some(found), lock: None })));
        }
    }
    Ok(None)
}

/// The lock of the app in a folder: in the folder itself, or in the only app below that has one.
///
/// # Errors
/// When there is none (exit 1) or several (exit 2).
pub fn locked(context: &Context, place: &Where) -> Result<(Target, Lock)> {
    Ok(find_locked(context, place)?.ok_or_else(|| no_lock(place))?)
}

/// The same, if there is a lock.
///
/// # Errors
/// When there are several (exit 2), or something cannot be read.
pub fn find_locked(context: &Context, place: &Where) -> Result<Option<(Target, Lock)>> {
    let disk = open(context, &place.dir)?;
    let apps = detect(context, &place.dir)?.projects.into_iter().map(|project| project.path);
    let mut all: Vec<String> = vec![];
    for path in std::iter::once(".".to_owned()).chain(apps).chain(place.path.as_deref().map(normal)) {
        let file = if path == "." { lock::PATH.to_owned() } else { format!("{path}/{}", lock::PATH) };
        if all.contains(&path) {
            continue;
        }
        match disk.read(&RelPath::new(&file)?)? {
            Read::Text(_) => all.push(path),
            Read::NotText => {
                let fix = "restore it from version control";
                return Err(Problem::problem(format!("{file}: it is not a text file"), fix).into());
            }
            Read::Missing => {}
        }
    }
    let wanted = place.path.as_deref().map(normal);
    let fits: Vec<&String> = all.iter().filter(|path| wanted.as_ref().is_none_or(|wanted| wanted == *path)).collect();
    let path = match fits.as_slice() {
        [one] => *one,
        _ if fits.iter().any(|path| *path == ".") => &".".to_owned(),
        [] => return Ok(None),
        _ => return Err(several_locks(&fits).into()),
    };
    let without = read(context, place, path, None)?;
    let Some(lock) = Lock::read(&without.tree)? else { return Ok(None) };
    let pack = lock.layer.last().and_then(|layer| context.packs.iter().find(|pack| pack.manifest.id == layer.pack));
    let mut target = read(context, place, path, pack)?;
    target.readable(lock.layer.iter().flat_map(|layer| &layer.edited).map(|edited| &edited.path))?;
    let disk = target.disk()?;
    for created in lock.layer.iter().flat_map(|layer| &layer.created) {
        if let Some(text) = text(&disk, created.path.as_str())? {
            target.tree.insert(created.path.clone(), text);
        }
    }
    Ok(Some((target, lock)))
}

fn no_lock(place: &Where) -> Problem {
    Problem::problem(
        format!("nothing was generated in `{}`: there is no {}", place.dir.display(), lock::PATH),
        "run `authwright add` first, or name the app's folder",
    )
}

fn several_locks(all: &[&String]) -> Problem {
    let lines: Vec<String> = all.iter().map(|path| format!("  {path}")).collect();
    let first = all.first().map_or("", |path| path.as_str());
    Problem::usage(
        format!("several apps here have a lock\n{}", lines.join("\n")),
        format!("choose one with `--path {first}`"),
    )
}

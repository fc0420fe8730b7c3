//! `authwright undo`

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::json;

use super::{
    Context, make,
    proof::{Derived, Proof},
    target,
};
use crate::{
    cli::Where,
    core::{
        lock::Lock,
        patch,
        problem::Problem,
        project::{Change, Plan, RelPath, Step, Text},
        undo,
    },
    shell::{
        apply,
        ui::{DIM, GOOD, paint},
    },
};

/// Take back the last `add`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub place: Where,
    /// Take back every `add`
    #[arg(long)]
    pub all: bool,
    /// Do it without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Never ask, even on a terminal
    #[arg(long)]
    pub no_input: bool,
    /// Show what would be done; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the patch to a file, or to stdout with `-`
    #[arg(long, value_name = "FILE|-")]
    pub patch: Option<String>,
}

/// # Errors
/// When there is no lock, the user says no, or a file changed since it was read.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let (target, lock) = target::locked(context, &args.place)?;
    rendered(context, &lock)?;
    let stays = if args.all { 0 } else { lock.layer.len() - 1 };
    let plan = plan(context, &target, lock, stays)?;
    let (derived, kept) = derived(context, &target, stays)?;
    if let Some(to) = &args.patch {
        make::write_patch(context, to, &plan.changes, &target.shown)?;
    }
    make::changed(context, &plan.changes, &target.shown);
    make::steps(context, &plan.manual);
    if args.dry_run {
        context.ui.say(&paint(DIM, "\nnothing was written: this was a dry run"));
        return report(context, args, &target, &plan, "dry-run");
    }
    confirm(context, args)?;
    if context.interrupt.is_set() {
        return Err(stopped());
    }
    let mut changes = target.in_base(&plan.changes);
    changes.extend(derived);
    apply::apply(&target.base, &changes)?;
    for line in kept {
        context.ui.warn(&line);
    }
    let state = if plan.manual.is_empty() { "the files are as they were" } else { "what is left to you stands above" };
    context.ui.say(&format!("\n{} {state}; tables in a database stay", paint(GOOD, "done")));
    report(context, args, &target, &plan, "undone")
}

/// Takes back layers until only so many stay.
fn plan(context: &Context, target: &target::Target, mut lock: Lock, stays: usize) -> Result<Plan> {
    let mut tree = target.tree.clone();
    let mut manual: Vec<Step> = vec![];
    while lock.layer.len() > stays {
        let id = lock.layer.last().map(|layer| layer.pack.clone());
        let pack = context.packs.iter().find(|pack| Some(&pack.manifest.id) == id.as_ref());
        let plan = undo::undo(&tree, &lock, pack.map(|pack| &pack.language))?;
        tree = tree.with(&plan.changes);
        manual.extend(plan.manual);
        lock.layer.pop();
    }
    let disk = target.disk()?;
    manual.extend(undo::keep_ignored(&target.tree, &mut tree, &|path| disk.exists(path))?);
    Ok(Plan { changes: target.tree.difference(&tree), manual })
}

/// A lock that names other files than its pack renders was edited, and must not have them deleted.
fn rendered(context: &Context, lock: &Lock) -> Result<(), Problem> {
    for layer in &lock.layer {
        let Some(pack) = context.packs.iter().find(|pack| pack.manifest.id == layer.pack) else { continue };
        let renders = |path: &RelPath| pack.files.iter().any(|(file, _)| file == path.as_str());
        if let Some(created) = layer.created.iter().find(|created| !renders(&created.path)) {
            let what = format!("the lock records `{}`, which pack `{}` does not render", created.path, layer.pack);
            return Err(Problem::problem(what, "restore the lock from version control, then run the command again"));
        }
    }
    Ok(())
}

/// The package manager's files as they were before the layers that go, where nobody changed them since; the proof
/// without these layers; and words about the files that stay as they are.
fn derived(context: &Context, target: &target::Target, stays: usize) -> Result<(Vec<Change>, Vec<String>)> {
    let (mut changes, mut kept) = (vec![], vec![]);
    let Some(mut proof) = Proof::read(&target.tree)? else { return Ok((changes, kept)) };
    let (old, gone) = proof.derived.into_iter().partition::<Vec<_>, _>(|file| file.layer <= stays);
    let known = |path: &RelPath| {
        context.packs.iter().any(|pack| pack.manifest.check.derived.iter().any(|d| d == path.as_str()))
    };
    let mut files: BTreeMap<RelPath, Vec<Derived>> = BTreeMap::new();
    for file in gone.into_iter().rev().filter(|file| known(&file.path)) {
        files.entry(file.path.clone()).or_default().push(file);
    }
    for (path, last_first) in files {
        let Some(now) = target::text(&target.base, path.as_str())? else { continue };
        match back(&now, &last_first) {
            Ok(before) => changes.push(Change { path, before: Some(now), after: before }),
            Err(why) => kept.push(why),
        }
    }
    if stays > 0 {
        proof.derived = old;
        changes.push(make::proof_change(target, &proof)?);
    }
    Ok((changes, kept))
}

/// A file before all of these were written.
fn back(now: &Text, last_first: &[Derived]) -> Result<Option<Text>, String> {
    last_first.iter().try_fold(Some(now.clone()), |now, file| now.map_or(Ok(None), |now| file.before(&now)))
}

fn confirm(context: &Context, args: &Args) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    if !context.ui.interactive {
        let fix = "pass `--yes` to take it back, or `--dry-run` to look first";
        return Err(Problem::usage("nobody is there to answer: `--yes` not given", fix).into());
    }
    if context.ui.confirm("Take it back?", true)? {
        return Ok(());
    }
    Err(stopped())
}

fn stopped() -> anyhow::Error {
    Problem::interrupted("not taken back; nothing was changed", "run the command again when you want it").into()
}

fn report(context: &Context, args: &Args, target: &target::Target, plan: &Plan, result: &str) -> Result<()> {
    if !context.ui.json {
        return Ok(());
    }
    let changes = make::changes(&plan.changes, &target.shown);
    let mut object = json!({ "result": result, "changes": changes, "manual": plan.manual });
    if args.patch.as_deref() == Some("-") {
        object["patch"] = patch::patch(&plan.changes, &target.shown).into();
    }
    context.ui.object(object)
}

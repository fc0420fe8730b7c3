//! `authwright add`

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{
    Context,
    make::{self, Made},
    target,
};
use crate::{
    cli::{Making, Where},
    core::{
        choose::{self, Answers, Given},
        detect::Project,
        lock::Lock,
        pack::Pack,
        plan::{self, Input},
        problem::Problem,
        project::RelPath,
    },
    shell::ui::{DIM, HEADING, paint, printable},
};

/// Add authentication to an existing project, or more of it to one that has it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub place: Where,
    /// The stack, if detection finds several
    #[arg(long, value_name = "ID")]
    pub stack: Option<String>,
    /// Where to wire, if there are several places
    #[arg(long, value_name = "NAME=FILE:LINE")]
    pub at: Vec<String>,
    #[command(flatten)]
    pub making: Making,
}

/// # Errors
/// When there is no project that can be served (exit 4), an answer is missing (exit 2), or a later step fails.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let project = target::choose(context, &args.place, args.stack.as_deref())?;
    let stack = project.stack.as_deref().unwrap_or_default();
    let pack = context.packs.iter().find(|pack| pack.manifest.id == stack).context("the pack is gone")?;
    let target = target::read(context, &args.place, &project.path, Some(pack))?;
    let lock = Lock::read(&target.tree)?;
    let given = Given {
        recorded: lock.as_ref().map(Answers::of).unwrap_or_default(),
        suited: choose::suited(pack, &target.tree, &target.workspace)?,
        ..args.making.given.clone()
    };
    if let Some(lock) = &lock
        && Answers::new(pack, &given)?.are_recorded(&given.recorded)
    {
        return nothing(context, lock);
    }
    detected(context, &project);
    let at = places(&args.at)?;
    known(pack, &at)?;
    let answers = make::ask(context, pack, &args.making, given)?;
    let plan = plan::add(&Input {
        pack,
        answers: &answers,
        tree: &target.tree,
        folder: &target.folder,
        workspace: &target.workspace,
        manager: package_manager(pack, &project)?,
        at: &at,
    })?;
    target.writable(&plan.changes)?;
    if !plan.manual.is_empty() {
        // A place may be left to the user because it could not be seen.
        for file in &target.unread {
            context.ui.warn(&format!("could not be read: {}: {}", file.path, file.why));
        }
    }
    let again = make::again("add", &fixed(args, &project), &answers, &args.making);
    let made = Made { pack, answers: &answers, target: &target, plan: &plan, fresh: false, again };
    make::make(context, &args.making, &made)
}

/// The package manager, where the pack knows several.
fn package_manager<'p>(pack: &'p Pack, project: &Project) -> Result<Option<&'p str>, Problem> {
    let names: Vec<&str> = pack.managers.iter().map(|manager| manager.name.as_str()).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let found = project.package_manager.as_deref();
    if let Some(name) = names.iter().find(|name| Some(**name) == found) {
        return Ok(Some(name));
    }
    let what = match found {
        Some(other) => format!("the package manager of the project is `{other}`, which is not served"),
        None => "cannot tell which package manager the project has".to_owned(),
    };
    let lines: Vec<String> = std::iter::once(what).chain(project.notes.clone()).collect();
    Err(Problem::unsupported(lines.join("\n  "), format!("keep the files of one of {}", names.join(", "))))
}

fn nothing(context: &Context, lock: &Lock) -> Result<()> {
    let options = lock.layer.last().into_iter().flat_map(|layer| make::answered(&layer.answers));
    let options: Vec<String> = options.map(|(id, answer)| format!("{id} {answer}")).collect();
    let there = format!("{} ({})", lock.modules().join(", "), options.join(", "));
    context
        .ui
        .say(&format!("nothing to do: {there} is here already; `authwright verify` tells whether it is unchanged"));
    if context.ui.json {
        return context
            .ui
            .object(json!({ "result": "already", "modules": lock.modules(), "changes": [], "manual": [] }));
    }
    Ok(())
}

fn detected(context: &Context, project: &Project) {
    let version = project.framework_version.as_deref().unwrap_or_default();
    let what = printable(&format!("{} {version} in {}", project.framework, project.path));
    context.ui.say(&format!("{} {what}", paint(HEADING, "found")));
    context.ui.say(&paint(DIM, &printable(&target::evidence(project))));
}

/// `--at NAME=FILE:LINE`, each.
fn places(at: &[String]) -> Result<BTreeMap<String, (RelPath, usize)>, Problem> {
    let one = |text: &String| {
        let (name, place) = text.split_once('=')?;
        let (file, line) = place.rsplit_once(':')?;
        Some((name.to_owned(), (RelPath::new(file).ok()?, line.parse().ok()?)))
    };
    at.iter()
        .map(|text| {
            let fix = "write it as `--at serve=src/main.rs:12`";
            one(text).ok_or_else(|| Problem::usage(format!("`--at {text}` is not NAME=FILE:LINE"), fix))
        })
        .collect()
}

/// A place is chosen for an anchor of the pack.
fn known(pack: &Pack, at: &BTreeMap<String, (RelPath, usize)>) -> Result<(), Problem> {
    let names: Vec<&str> = pack.manifest.anchor.iter().map(|anchor| anchor.id.as_str()).collect();
    match at.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => {
            let what = format!("`--at {name}=…`: {} wires at no place of that name", pack.manifest.name);
            Err(Problem::usage(what, format!("use one of: {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

fn fixed(args: &Args, project: &Project) -> Vec<String> {
    let mut words = vec![];
    let dir = args.place.dir.to_string_lossy();
    if dir != "." {
        words.push(make::word(&dir));
    }
    if project.path != "." {
        words.push(format!("--path {}", make::word(&project.path)));
    }
    words.extend(args.at.iter().map(|at| format!("--at {}", make::word(at))));
    words
}

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
        choose::Answers,
        detect::Project,
        lock::Lock,
        plan::{self, Input},
        problem::Problem,
        project::RelPath,
    },
    shell::ui::{DIM, HEADING, paint, printable},
};

/// Add authentication to an existing project
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
    if let Some(lock) = Lock::read(&target.tree)?
        && already(&lock, args, &Answers::new(pack, &args.making.options)?)?
    {
        return nothing(context, &lock);
    }
    detected(context, &project);
    let at = places(&args.at)?;
    let answers = make::ask(context, pack, &args.making)?;
    let input = Input { pack, answers: &answers, tree: &target.tree, workspace: &target.workspace, at: &at };
    let plan = plan::add(&input)?;
    let again = make::again("add", &fixed(args, &project), &answers, &args.making);
    let made = Made { pack, answers: &answers, target: &target, plan: &plan, fresh: false, again };
    make::make(context, &args.making, &made)
}

/// Whether what is asked for is there; other answers than those recorded are refused.
fn already(lock: &Lock, args: &Args, answers: &Answers) -> Result<bool, Problem> {
    for (id, value) in &args.making.options.options {
        let recorded = lock.layer.iter().find_map(|layer| layer.answers.get(id));
        if recorded.is_some_and(|recorded| recorded != value) {
            let what = format!(
                "`--{id} {value}` was asked for, but the project was generated with `{}`",
                recorded.map_or("", |r| r)
            );
            return Err(Problem::unsupported(
                what,
                "run `authwright undo` first, then `authwright add` with the new answer",
            ));
        }
    }
    Ok(answers.modules.iter().all(|module| lock.modules().contains(&module.as_str())))
}

fn nothing(context: &Context, lock: &Lock) -> Result<()> {
    let modules = lock.modules().join(", ");
    context
        .ui
        .say(&format!("nothing to do: {modules} is here already; `authwright verify` tells whether it is unchanged"));
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

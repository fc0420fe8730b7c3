//! `authwright new`

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;
use serde_json::json;

use super::{
    Context,
    make::{self, Made},
    settle,
    target::{self, Target},
};
use crate::{
    cli::Making,
    core::{
        choose::Answers,
        facts,
        pack::Pack,
        plan::{self, Input, Workspace},
        problem::Problem,
        project::{Plan, RelPath, Text, Tree},
        render,
    },
    shell::{disk::Disk, fresh},
};

/// Create a starter project with authentication, built and tested
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to create
    pub dir: Option<PathBuf>,
    /// The stack to start with
    #[arg(long, value_name = "ID")]
    pub stack: Option<String>,
    /// The package's name
    #[arg(long, default_value = "app")]
    pub name: String,
    #[command(flatten)]
    pub making: Making,
}

/// # Errors
/// When an answer is missing (exit 2), the folder is not empty (exit 1), or a later step fails.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let dir = args.dir.as_ref().ok_or_else(|| {
        Problem::usage(
            "the folder to create was not given: DIR",
            "name it, as in `authwright new app --stack ID`; `authwright list` has the IDs",
        )
    })?;
    let pack = stack(context, args)?;
    package_name(&args.name)?;
    // What an earlier `new` was interrupted in is taken back, so that the same command can be given again.
    settle::settle(context, [dir.as_path()])?;
    vacant(dir)?;
    let answers = make::ask(context, pack, &args.making, args.making.given.clone())?;
    let starter = starter(pack, &answers, &args.name)?;
    let workspace = Workspace::default();
    let below = target::below_repository(dir)?;
    let at = BTreeMap::new();
    let manager = pack.managers.first().map(|manager| manager.name.as_str());
    let input =
        Input { pack, answers: &answers, tree: &starter, folder: &below, workspace: &workspace, manager, at: &at };
    let added = plan::add(&input)?;
    let after = starter.with(&added.changes);
    let plan = Plan { changes: Tree::default().difference(&after), manual: added.manual };
    let again = make::again("new", &fixed(args, dir, pack), &answers, &args.making);
    let folder = fresh::Fresh::create(dir, args.making.dry_run)?;
    let base = Disk::open(folder.path())?;
    let (tree, unread) = (Tree::default(), vec![]);
    let target = Target { base, app: String::new(), shown: String::new(), folder: below, tree, unread, workspace };
    make::make(
        context,
        &args.making,
        &Made { pack, answers: &answers, target: &target, plan: &plan, fresh: true, again },
    )?;
    folder.keep();
    Ok(())
}

fn stack<'c>(context: &'c Context, args: &Args) -> Result<&'c Pack> {
    let ids: Vec<String> = context.packs.iter().map(|pack| pack.manifest.id.clone()).collect();
    let all = || format!("use one of: {}", ids.join(", "));
    let wanted = match &args.stack {
        Some(id) => id.clone(),
        None if context.ui.interactive => ids[context.ui.select("Which stack?", &ids, 0)?].clone(),
        None => return Err(Problem::usage("the stack was not given: `--stack`", all()).into()),
    };
    let found = context.packs.iter().find(|pack| pack.manifest.id == wanted);
    found.ok_or_else(|| Problem::usage(format!("`--stack {wanted}` is not served"), all()).into())
}

fn package_name(name: &str) -> Result<(), Problem> {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Ok(());
    }
    let what = format!("`--name {name}` is not a package name");
    Err(Problem::usage(what, "use letters, digits, `-` and `_`, beginning with a letter"))
}

fn vacant(dir: &std::path::Path) -> Result<()> {
    if let Some(root) = target::workspace_above(dir)? {
        let what = format!("`{}` is inside the workspace `{}`, which does not list it", dir.display(), root.display());
        let fix = "name a folder outside, or exclude it in the workspace's manifest first";
        return Err(Problem::problem(what, fix).into());
    }
    if fresh::vacant(dir)? {
        return Ok(());
    }
    let what = format!("`{}` is there already and is not empty", dir.display());
    Err(Problem::problem(what, "name a new folder, or use `authwright add` for a project that exists").into())
}

/// The project before authentication is added to it.
fn starter(pack: &Pack, answers: &Answers, name: &str) -> Result<Tree> {
    let mut facts = facts::of_answers(pack, answers);
    facts.insert("project".into(), json!({ "name": name, "library": name.replace('-', "_") }));
    let files = pack
        .starter
        .iter()
        .map(|(path, template)| Ok((RelPath::new(path)?, Text::new(render::render(path, template, &facts)?))));
    files.collect()
}

fn fixed(args: &Args, dir: &std::path::Path, pack: &Pack) -> Vec<String> {
    let mut words = vec![make::word(&dir.to_string_lossy()), format!("--stack {}", pack.manifest.id)];
    if args.name != "app" {
        words.push(format!("--name {}", args.name));
    }
    words
}

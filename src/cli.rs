//! The command line: fixed flags here, one flag more for each option of the packs.

use std::path::PathBuf;

use anyhow::Result;
use clap::{
    Arg, ArgAction, ArgMatches, Command as ClapCommand, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
};

use crate::{
    commands::{add, check, detect, list, new, secret, undo, verify},
    core::{choose::Given, pack::Pack, problem::Problem},
    shell::ui::Color,
};

/// Adds authentication to a web project: shows the patch, builds and tests it in a copy, applies it in one step.
#[derive(Debug, Parser)]
#[command(
    name = "authwright",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, clap::Args)]
pub struct Output {
    /// Print one JSON object on stdout; text for people goes to stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors and warnings
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a starter project with authentication, built and tested
    New(new::Args),
    /// Add authentication to an existing project, or more of it to one that has it
    Add(add::Args),
    /// Tell which app is here, with evidence
    Detect(detect::Args),
    /// Build and test the project in a copy, and record the result
    Check(check::Args),
    /// Compare the project with what was generated; exit 1 on drift
    Verify(verify::Args),
    /// Take back the last `add`
    Undo(undo::Args),
    /// Attack the app, and tell which protections hold; exit 1 if one does not
    #[cfg(feature = "probe")]
    Probe(crate::commands::probe::Args),
    /// List the controls, and what each rests on here
    #[cfg(feature = "probe")]
    Controls(crate::commands::controls::Args),
    /// List stacks, modules and options
    List(list::Args),
    /// Print a fresh AUTH_SECRET for an environment
    Secret(secret::Args),
}

/// Where the app is.
#[derive(Clone, Debug, clap::Args)]
pub struct Where {
    /// The project's folder
    #[arg(default_value = ".")]
    pub dir: PathBuf,
    /// The app, if the folder holds several
    #[arg(long, value_name = "APP")]
    pub path: Option<String>,
}

/// What to add, and how to go about it.
#[derive(Clone, Debug, clap::Args)]
pub struct Making {
    /// Modules to add
    #[arg(long, value_name = "MODULE,..", value_delimiter = ',')]
    pub with: Option<Vec<String>>,
    /// Take the defaults for what was not answered, and apply without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Never ask, even on a terminal
    #[arg(long)]
    pub no_input: bool,
    /// Show what would be done; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the patch to a file, or to stdout with `-`; its paths begin at DIR
    #[arg(long, value_name = "FILE|-")]
    pub patch: Option<String>,
    /// Apply without building and testing first; recorded as unproven
    #[arg(long)]
    pub no_check: bool,
    /// Fetch nothing: dependencies must be there already
    #[arg(long)]
    pub offline: bool,
    /// Modules and option values, read from the flags that packs declare.
    #[arg(skip)]
    pub given: Given,
}

/// The command line with the packs' options, parsed. Ends the process on `--help` and on usage errors, as clap does.
///
/// # Errors
/// With `json`, on usage errors (exit 2).
pub fn parse(packs: &[Pack], args: Vec<std::ffi::OsString>, json: bool) -> Result<Cli> {
    let mut command = Cli::command();
    for name in ["new", "add"] {
        command = command.mut_subcommand(name, |sub| options(packs).into_iter().fold(sub, ClapCommand::arg));
    }
    let matches = match command.try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) if json && error.use_stderr() => return Err(misused(&error).into()),
        Err(error) => error.exit(),
    };
    let mut cli = Cli::from_arg_matches(&matches)?;
    if let (Some(making), Some((_, sub))) = (cli.command.making(), matches.subcommand()) {
        making.given = given(packs, sub, making.with.clone());
    }
    Ok(cli)
}

/// What clap says, without its own label and advice.
fn misused(error: &clap::Error) -> Problem {
    let said = error.render().to_string();
    let what = said.split("\n\n").next().unwrap_or_default().trim();
    Problem::usage(what.strip_prefix("error: ").unwrap_or(what), "`authwright help` lists what there is")
}

impl Command {
    fn making(&mut self) -> Option<&mut Making> {
        match self {
            Self::New(args) => Some(&mut args.making),
            Self::Add(args) => Some(&mut args.making),
            _ => None,
        }
    }
}

/// One flag for each option id; packs that share an id share the flag.
fn options(packs: &[Pack]) -> Vec<Arg> {
    let mut args: Vec<Arg> = vec![];
    for option in packs.iter().flat_map(|pack| &pack.manifest.option) {
        if args.iter().any(|arg| arg.get_id() == option.id.as_str()) {
            continue;
        }
        let (mut values, mut multiple): (Vec<String>, bool) = (vec![], false);
        for same in packs.iter().flat_map(|pack| &pack.manifest.option).filter(|other| other.id == option.id) {
            let fresh = same.choice.iter().filter(|choice| !values.contains(&choice.value));
            let fresh: Vec<String> = fresh.map(|choice| choice.value.clone()).collect();
            values.extend(fresh);
            multiple |= same.multiple;
        }
        let arg = Arg::new(option.id.clone()).long(option.id.clone()).help(option.question.clone());
        let arg = arg.value_parser(clap::builder::PossibleValuesParser::new(values));
        args.push(if multiple {
            arg.value_name("VALUE,..").value_delimiter(',').action(ArgAction::Append)
        } else {
            arg.value_name("VALUE")
        });
    }
    args
}

fn given(packs: &[Pack], matches: &ArgMatches, modules: Option<Vec<String>>) -> Given {
    let ids = packs.iter().flat_map(|pack| &pack.manifest.option).map(|option| option.id.as_str());
    let typed = |id: &str| matches.get_many::<String>(id).map(|values| (id.to_owned(), values.cloned().collect()));
    Given { modules, options: ids.filter_map(typed).collect(), ..Given::default() }
}

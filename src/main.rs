//! Adds authentication to web projects: detects, plans, checks in a copy, applies in one step.

mod cli;
mod commands;
mod core;
mod shell;

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    cli::{Cli, Command},
    commands::{Context, add, check, detect, list, new, secret, undo, verify},
    core::pack::Pack,
    shell::{Interrupt, confine, fresh, ui, ui::Ui},
};

fn main() -> ExitCode {
    let mut args = fresh::arguments();
    if args.get(1).is_some_and(|arg| arg == confine::COMMAND) {
        return match confine::confined(args.split_off(2)) {
            Ok(code) => ExitCode::from(code),
            Err(error) => ExitCode::from(ui::report(&error, false)),
        };
    }
    let json = args.iter().any(|arg| arg == "--json");
    match start(args, json) {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(ui::report(&error, json)),
    }
}

fn start(args: Vec<std::ffi::OsString>, json: bool) -> Result<u8> {
    run(Pack::all()?, Interrupt::install()?, args, json)
}

fn run(packs: Vec<Pack>, interrupt: Interrupt, args: Vec<std::ffi::OsString>, json: bool) -> Result<u8> {
    let cli = cli::parse(&packs, args, json)?;
    let ui = Ui::new(cli.output.json, cli.output.quiet, cli.output.color, may_ask(&cli));
    let context = Context { ui, packs, interrupt, writes: writes(&cli) };
    match &cli.command {
        Command::New(args) => new::run(&context, args)?,
        Command::Add(args) => add::run(&context, args)?,
        Command::Detect(args) => detect::run(&context, args)?,
        Command::Check(args) => check::run(&context, args)?,
        Command::Verify(args) => return verify::run(&context, args),
        #[cfg(feature = "probe")]
        Command::Probe(args) => return commands::probe::run(&context, args),
        #[cfg(feature = "probe")]
        Command::Controls(args) => commands::controls::run(&context, args)?,
        Command::Undo(args) => undo::run(&context, args)?,
        Command::List(args) => list::run(&context, args)?,
        Command::Secret(args) => secret::run(&context, args)?,
    }
    Ok(0)
}

fn writes(cli: &Cli) -> bool {
    match &cli.command {
        Command::New(args) => !args.making.dry_run,
        Command::Add(args) => !args.making.dry_run,
        Command::Undo(args) => !args.dry_run,
        Command::Check(_) => true,
        #[cfg(feature = "probe")]
        Command::Probe(args) => !args.no_record,
        #[cfg(feature = "probe")]
        Command::Controls(_) => false,
        Command::Detect(_) | Command::Verify(_) | Command::List(_) | Command::Secret(_) => false,
    }
}

/// Whether the command line leaves anything to ask.
fn may_ask(cli: &Cli) -> bool {
    match &cli.command {
        Command::New(args) => !args.making.yes && !args.making.no_input,
        Command::Add(args) => !args.making.yes && !args.making.no_input,
        Command::Undo(args) => !args.yes && !args.no_input,
        _ => false,
    }
}

//! From a plan to a changed project: show, ask, check in a copy, apply in one step, say what is left.

use std::{fmt::Write as _, path::Path};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Context,
    proof::{Derived, Proof},
    target::Target,
};
use crate::{
    cli::Making,
    core::{
        choose::{self, Answer, Answers, Given, Options},
        facts,
        lock::{self, Lock},
        manifest,
        pack::{CheckStep, Pack, PackOption},
        patch,
        problem::Problem,
        project::{Change, Plan, RelPath, Step, Text},
        render,
    },
    shell::{
        apply,
        check::{self, Event, Job, Report, StepReport, StepResult},
        fresh, toolchain,
        ui::{BAD, DIM, GOOD, HEADING, WARN, paint, printable},
    },
};

/// A plan and what it is for.
pub struct Made<'a> {
    pub pack: &'a Pack,
    pub answers: &'a Answers,
    pub target: &'a Target,
    pub plan: &'a Plan,
    /// Files that are copied back though they were not there: a new project tracks its package manager's lock.
    pub fresh: bool,
    /// The command line that gives the same answers.
    pub again: String,
}

/// Asks for options that have more than one answer and are not known.
///
/// # Errors
/// When something cannot be asked (exit 2, naming the flag), or the user stops.
pub fn ask(context: &Context, pack: &Pack, making: &Making, mut given: Given) -> Result<Answers> {
    if making.yes || making.dry_run {
        return Answers::new(pack, &given);
    }
    let open = choose::open(pack, &given)?;
    if !context.ui.interactive {
        let flags: Vec<String> =
            open.iter().map(|option| format!("`--{}`", option.id)).chain(["`--yes`".into()]).collect();
        return Err(Problem::usage(
            format!("nobody is there to answer: {} not given", flags.join(", ")),
            "pass `--yes` to take the defaults and apply, or `--dry-run` to look first",
        )
        .into());
    }
    for option in open {
        let picked = pick(context, option, choose::default(option, &given))?;
        given.options.insert(option.id.clone(), picked);
    }
    Answers::new(pack, &given)
}

fn pick(context: &Context, option: &PackOption, default: &str) -> Result<Vec<String>> {
    let lines: Vec<String> = option.choice.iter().map(|c| format!("{}  {}", c.value, c.summary)).collect();
    let picked = if option.multiple {
        context.ui.select_any(&option.question, &lines)?
    } else {
        let default = option.choice.iter().position(|choice| choice.value == default).unwrap_or(0);
        vec![context.ui.select(&option.question, &lines, default)?]
    };
    Ok(picked.into_iter().map(|index| option.choice[index].value.clone()).collect())
}

/// Everything after planning.
///
/// # Errors
/// When the user says no (exit 130), the check fails (exit 3), or a file changed since it was read.
pub fn make(context: &Context, making: &Making, made: &Made<'_>) -> Result<()> {
    toolchain(context, making, made.pack)?;
    if let Some(to) = &making.patch {
        write_patch(context, to, &made.plan.changes, &made.target.shown)?;
    }
    show(context, made);
    if making.dry_run {
        context.ui.say(&paint(DIM, "\nnothing was written: this was a dry run"));
        return report(context, making, made, "dry-run", None);
    }
    confirm(context, making, made)?;
    let (proof, derived) = check(context, making, made)?;
    let mut changes = made.target.in_base(&made.plan.changes);
    changes.extend(derived);
    changes.push(proof_change(made.target, &proof)?);
    apply::apply(&made.target.base, &changes)?;
    summary(context, made)?;
    report(context, making, made, "applied", Some(&proof))
}

/// Tells of a language that is too old at hand. What is not checked here may run elsewhere.
fn toolchain(context: &Context, making: &Making, pack: &Pack) -> Result<()> {
    let needed = &pack.manifest.toolchain;
    let Some(found) = toolchain::version(&needed.version).filter(|found| *found < needed.minimum) else {
        return Ok(());
    };
    let program = needed.version.first().map_or("", String::as_str);
    let what = format!("`{program}` is {found} here, and {} needs {} or newer", pack.manifest.name, needed.minimum);
    if making.no_check || making.dry_run {
        context.ui.warn(&what);
        return Ok(());
    }
    let fix = format!("put a newer `{program}` first on the PATH, or skip the check with `--no-check`");
    Err(Problem::unsupported(what, fix).into())
}

/// Writes the patch to a file or to stdout; with `--json` it becomes part of the object instead.
///
/// # Errors
/// When the file cannot be written.
pub fn write_patch(context: &Context, to: &str, changes: &[Change], prefix: &str) -> Result<()> {
    match to {
        "-" if context.ui.json => Ok(()),
        "-" => context.ui.data(&patch::patch(changes, prefix)),
        path => fresh::write(Path::new(path), &patch::patch(changes, prefix)),
    }
}

fn show(context: &Context, made: &Made<'_>) {
    let ui = &context.ui;
    let options: Vec<String> = answered(&made.answers.options).map(|(id, answer)| format!("{id} {answer}")).collect();
    ui.say(&format!(
        "\n{} {} with {} ({})",
        paint(HEADING, "plan"),
        made.pack.manifest.name,
        made.answers.modules.join(", "),
        options.join(", ")
    ));
    changed(context, &made.plan.changes, &made.target.shown);
    steps(context, &made.plan.manual);
}

/// One line for each changed file.
pub fn changed(context: &Context, changes: &[Change], prefix: &str) {
    for change in changes {
        context.ui.say(&change_line(change, prefix));
    }
}

fn change_line(change: &Change, prefix: &str) -> String {
    let (added, removed) = patch::counts(change);
    let (sign, style) = match (&change.before, &change.after) {
        (None, _) => ("+", GOOD),
        (_, None) => ("-", BAD),
        _ => ("~", WARN),
    };
    let path = printable(change.path.below(prefix).as_str());
    let removed = if removed > 0 { format!(" -{removed}") } else { String::new() };
    format!("  {} {path} {}", paint(style, sign), paint(DIM, &format!("+{added}{removed}")))
}

/// Lines of a step that are shown.
const MAX_LINES: usize = 40;

/// Steps that are left to the user, with their exact lines.
pub fn steps(context: &Context, manual: &[Step]) {
    if manual.is_empty() {
        return;
    }
    context.ui.say(&format!("\n{}", paint(WARN, "left to you")));
    for step in manual {
        context.ui.say(&format!("  {}: {}", printable(&step.at), printable(&step.what)));
        for line in step.text.lines().take(MAX_LINES) {
            context.ui.say(&format!("      {}", printable(line)));
        }
        let more = step.text.lines().count().saturating_sub(MAX_LINES);
        if more > 0 {
            context.ui.say(&format!("      and {more} more lines; `--json` has them"));
        }
    }
}

fn confirm(context: &Context, making: &Making, made: &Made<'_>) -> Result<()> {
    if making.yes {
        return Ok(());
    }
    let ui = &context.ui;
    ui.say("");
    if ui.confirm("Show the patch?", false)? {
        ui.say(&colored(&patch::patch(&made.plan.changes, &made.target.shown)));
    }
    let question =
        if making.no_check { "Apply it without a check?" } else { "Build and test it in a copy, then apply it?" };
    if ui.confirm(question, true)? {
        return Ok(());
    }
    Err(Problem::interrupted("not applied; nothing was changed", "run the command again when you want it").into())
}

fn colored(patch: &str) -> String {
    let style = |line: &str| match line.as_bytes().first() {
        Some(b'+') => GOOD,
        Some(b'-') => BAD,
        Some(b'@') => DIM,
        _ => anstyle::Style::new(),
    };
    patch.lines().map(|line| paint(style(line), &printable(line))).collect::<Vec<_>>().join("\n")
}

/// Runs the pack's steps in a copy; gives the proof and the package manager's files to copy back.
fn check(context: &Context, making: &Making, made: &Made<'_>) -> Result<(Proof, Vec<Change>)> {
    let lock = lock_text(&made.plan.changes);
    let old = Proof::read(&made.target.tree)?;
    let steps = steps_of(made.pack, &Lock::parse(&lock)?)?;
    if let Some(why) = not_run(making, made)? {
        context.ui.warn(&format!("not built and not tested: {why}"));
        let all = steps.iter().map(|step| (step.name.clone(), step.command()));
        return Ok((Proof::skipped(&lock, all, &why).on_top_of(old), vec![]));
    }
    context.ui.say(&format!("\n{} in a copy ({})", paint(HEADING, "check"), made.pack.manifest.check.estimate));
    let report = run(context, made.target, &made.plan.changes, (made.pack, &steps), making.offline)?;
    // A new project was nothing before, so that nothing was broken already.
    passed(&report, !made.fresh)?;
    left_out(context, &report);
    let mut proof = Proof::new(&lock, &report);
    let layers = Lock::parse(&lock)?.layer.len();
    let mut derived = vec![];
    for file in report.derived {
        let Some(after) = file.after.filter(|_| made.fresh || file.before.is_some()) else { continue };
        if file.before.as_ref() == Some(&after) {
            continue;
        }
        proof.derived.push(Derived::new(file.path.clone(), layers, file.before.as_ref(), &after));
        derived.push(Change { path: file.path, before: file.before, after: Some(after) });
    }
    Ok((proof.on_top_of(old), derived))
}

/// What the check did not copy.
pub fn left_out(context: &Context, report: &Report) {
    for path in &report.left_out {
        context.ui.warn(&format!("not in the copy: {path}"));
    }
}

fn not_run(making: &Making, made: &Made<'_>) -> Result<Option<String>> {
    if making.no_check {
        return Ok(Some("--no-check".to_owned()));
    }
    let file = made.pack.manifest_of(&made.target.tree);
    let own = made.target.tree.text(file).unwrap_or_default();
    let root = made.target.workspace.manifest.as_ref().map(Text::raw);
    let outside = match (manifest::path_outside(file, own, &made.target.app)?, root) {
        (None, Some(root)) => manifest::path_outside(file, root, "")?,
        (found, _) => found,
    };
    Ok(outside.map(|path| format!("the path dependency `{path}` leaves the folder that is copied")))
}

/// The steps that a check of what a lock records has.
///
/// # Errors
/// When a condition is malformed.
pub fn steps_of(pack: &Pack, lock: &Lock) -> Result<Vec<CheckStep>> {
    let facts = facts::recorded(pack, &lock.layer);
    let mut steps = vec![];
    for step in &pack.manifest.check.step {
        if render::holds(step.when.as_deref(), &facts)? {
            steps.push(step.clone());
        }
    }
    Ok(steps)
}

/// Builds and tests the app with `changes` made, in a copy of its base.
///
/// # Errors
/// When the copy cannot be made, or the user stops the command.
pub fn run(
    context: &Context,
    target: &Target,
    changes: &[Change],
    (pack, steps): (&Pack, &[CheckStep]),
    offline: bool,
) -> Result<Report> {
    let job = Job {
        base: target.base.root(),
        app: &target.app,
        changes,
        steps,
        derived: &pack.manifest.check.derived,
        offline,
    };
    check::run(&job, &context.interrupt, &mut |event| progress(context, &event))
}

fn progress(context: &Context, event: &Event<'_>) {
    match event {
        Event::Limit(limit) => context.ui.warn(limit),
        Event::NotRun { name, why } => context.ui.warn(&format!("`{name}` is not run: {why}")),
        Event::Waiting => context.ui.say("  waiting: another check uses the same build cache"),
        Event::StepStarted { name, command, baseline, .. } => {
            let without = if *baseline { ", without the changes" } else { "" };
            context.ui.say(&format!("  {name:<6} {}", paint(DIM, &format!("{command}{without}"))));
        }
        Event::StepEnded { report: step, .. } => {
            let state = match &step.result {
                StepResult::Passed => paint(GOOD, "passed"),
                StepResult::NotRun(why) => paint(WARN, &format!("not run: {why}")),
                StepResult::Failed { .. } | StepResult::TimedOut => paint(BAD, "failed"),
            };
            context.ui.say(&format!("  {:<6} {state} {}", "", paint(DIM, &format!("{:.0} s", step.seconds))));
        }
    }
}

/// # Errors
/// When a step failed: exit 1 if it fails without the changes too, else exit 3.
pub fn passed(report: &Report, adding: bool) -> Result<()> {
    let failed = |step: &&StepReport| matches!(step.result, StepResult::Failed { .. } | StepResult::TimedOut);
    if let Some(broken) = report.baseline_broken.as_ref().filter(|_| adding) {
        let what =
            format!("the project is broken already: `{}` fails without any change\n{}", broken.command, output(broken));
        return Err(Problem::problem(what, "make it build and pass its tests, then run the command again").into());
    }
    let Some(step) = report.steps.iter().find(failed) else { return Ok(()) };
    let what = format!("`{}` failed in the copy; nothing was applied\n{}", step.command, output(step));
    let fix = if adding {
        "look at the output above; `--dry-run --patch FILE` writes the patch, so that you can try it by hand"
    } else {
        "look at the output above"
    };
    Err(Problem::check_failed(what, fix).into())
}

fn output(step: &StepReport) -> String {
    match &step.result {
        StepResult::Failed { output, .. } => output.lines().fold(String::new(), |mut all, line| {
            _ = writeln!(all, "  {line}");
            all
        }),
        StepResult::TimedOut => "  it ran out of time".to_owned(),
        _ => String::new(),
    }
    .trim_end()
    .to_owned()
}

fn lock_text(changes: &[Change]) -> String {
    let lock = changes.iter().find(|change| change.path.as_str() == lock::PATH);
    lock.and_then(|change| change.after.as_ref()).map(|text| text.raw().to_owned()).unwrap_or_default()
}

/// The change that writes a proof beside the lock.
///
/// # Errors
/// Does not fail for a proof made by this program.
pub fn proof_change(target: &Target, proof: &Proof) -> Result<Change> {
    let path = RelPath::new(lock::PROOF)?;
    let before = target.tree.get(&path).cloned();
    Ok(Change { path: path.below(&target.app), before, after: Some(proof.write()?) })
}

/// The command that starts the app.
fn start(made: &Made<'_>) -> Result<String> {
    let facts = facts::recorded(made.pack, &Lock::parse(&lock_text(&made.plan.changes))?.layer);
    render::render("next", &made.pack.manifest.next.run, &facts)
}

/// What production must be told, with these answers.
fn settings(made: &Made<'_>) -> Result<Vec<String>> {
    let facts = facts::of_answers(made.pack, made.answers);
    let named = made.pack.manifest.next.settings.iter().map(|setting| render::render("settings", setting, &facts));
    let named: Vec<String> = named.collect::<Result<_>>()?;
    Ok(named.into_iter().filter(|setting| !setting.is_empty()).collect())
}

fn summary(context: &Context, made: &Made<'_>) -> Result<()> {
    let ui = &context.ui;
    let next = &made.pack.manifest.next;
    let created = made.plan.changes.iter().filter(|change| change.before.is_none()).count();
    ui.say(&format!("\n{} {created} files created, {} edited", paint(GOOD, "done"), made.plan.changes.len() - created));
    ui.say(&format!("  settings for production: {}", settings(made)?.join(", ")));
    ui.say("  a secret: authwright secret");
    let is_there = |page: &&String| {
        made.target.tree.text(page).is_some() || made.plan.changes.iter().any(|change| change.path.as_str() == *page)
    };
    let pages: Vec<String> = next.read.iter().filter(is_there).map(|page| below(&made.target.shown, page)).collect();
    ui.say(&format!("  read: {}", pages.join(", ")));
    ui.say(&format!("  next: {}", start(made)?));
    if !made.plan.manual.is_empty() {
        steps(context, &made.plan.manual);
    }
    ui.say(&paint(DIM, &format!("  the same again: {}", printable(&made.again))));
    Ok(())
}

/// The options that have a value.
pub fn answered(options: &Options) -> impl Iterator<Item = (&String, &Answer)> {
    options.iter().filter(|(_, answer)| !answer.values().is_empty())
}

fn below(prefix: &str, path: &str) -> String {
    if prefix.is_empty() { path.to_owned() } else { format!("{prefix}/{path}") }
}

fn report(context: &Context, making: &Making, made: &Made<'_>, result: &str, proof: Option<&Proof>) -> Result<()> {
    if !context.ui.json {
        return Ok(());
    }
    let mut object = json!({
        "result": result,
        "stack": made.pack.manifest.id,
        "path": if made.target.shown.is_empty() { "." } else { &made.target.shown },
        "modules": made.answers.modules,
        "options": made.answers.options,
        "changes": changes(&made.plan.changes, &made.target.shown),
        "manual": made.plan.manual,
        "check": proof.map(|proof| &proof.step),
        "next": { "run": start(made)?, "settings": settings(made)? },
        "again": made.again,
    });
    if making.patch.as_deref() == Some("-") {
        object["patch"] = patch::patch(&made.plan.changes, &made.target.shown).into();
    }
    context.ui.object(object)
}

/// Changes as JSON: path, kind and line counts.
#[must_use]
pub fn changes(changes: &[Change], prefix: &str) -> Vec<Value> {
    let kind = |change: &Change| match (&change.before, &change.after) {
        (None, _) => "created",
        (_, None) => "deleted",
        _ => "edited",
    };
    changes
        .iter()
        .map(|change| {
            let (added, removed) = patch::counts(change);
            json!({ "path": change.path.below(prefix), "kind": kind(change), "added": added, "removed": removed })
        })
        .collect()
}

/// The command line that gives these answers without a question.
#[must_use]
pub fn again(command: &str, fixed: &[String], answers: &Answers, making: &Making) -> String {
    let mut words: Vec<String> = ["authwright", command].into_iter().map(str::to_owned).collect();
    words.extend(fixed.iter().cloned());
    words.push(format!("--with {}", answers.modules.join(",")));
    words.extend(answered(&answers.options).map(|(id, answer)| format!("--{id} {answer}")));
    if making.no_check {
        words.push("--no-check".to_owned());
    }
    if making.offline {
        words.push("--offline".to_owned());
    }
    words.push("--yes".to_owned());
    words.join(" ")
}

/// A word of a command line, quoted if it needs it.
#[must_use]
pub fn word(text: &str) -> String {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "/._-=:,".contains(c));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

//! `authwright controls`

use std::fmt::Write as _;

use anyhow::Result;
use authwright_probe::{
    catalogue::{self, Control},
    report::Verdict,
};
use serde_json::{Value, json};

use super::{
    Context,
    found::{self, Entry, Found},
    select::Select,
    target,
};
use crate::{
    cli::Where,
    core::{
        audit::{self, Audit, Ground, Place},
        generated,
        lock::Layer,
    },
    shell::ui::{BAD, DIM, GOOD, HEADING, Style, WARN, paint, printable},
};

/// List the controls, and what each rests on here
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub place: Where,
    #[command(flatten)]
    pub select: Select,
}

/// What was generated in a project, and what attacks found there.
struct Here {
    layer: Layer,
    modules: Vec<String>,
    /// The page's place, and the folder that its files are in, with a slash at its end.
    page: Option<(String, String)>,
    audit: Audit,
    /// The page in the project is another one.
    drifted: bool,
    found: Option<Found>,
    state: String,
}

/// # Errors
/// With exit 2 for controls that do not exist; when a lock cannot be read, or its pack is not in this version.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let chosen = args.select.controls()?;
    let here = here(context, &args.place)?;
    let needed = |control: &&&Control| !args.select.is_empty() || here.as_ref().is_none_or(|here| here.needs(control));
    let shown: Vec<&Control> = chosen.iter().filter(needed).copied().collect();
    if context.ui.json {
        return context.ui.object(object(here.as_ref(), &shown)?);
    }
    head(context, args, here.as_ref())?;
    let in_full = !args.select.only.is_empty();
    let mut text = String::new();
    for control in shown {
        listed(&mut text, control, here.as_ref());
        if in_full {
            details(&mut text, control);
        }
    }
    context.ui.print(&text)
}

fn here(context: &Context, place: &Where) -> Result<Option<Here>> {
    let Some((target, lock)) = target::find_locked(context, place)? else { return Ok(None) };
    let files = generated::of_lock(&context.packs, &lock)?;
    let (page, audit) = audit::of(&files)?.unzip();
    let rendered = files.iter().find(|(path, _)| Some(path) == page).map(|(_, text)| text.as_str());
    let now = page.and_then(|path| target.tree.get(path)).map(|text| text.as_rendered());
    let folder = |path: &str| path.strip_suffix(audit::NAME).unwrap_or_default().to_owned();
    let found = Found::read(&target.tree)?;
    Ok(lock.layer.last().cloned().map(|layer| Here {
        layer,
        modules: lock.modules().into_iter().map(str::to_owned).collect(),
        drifted: now.as_deref() != rendered,
        page: page.map(|path| (path.to_string(), folder(path.as_str()))),
        audit: audit.unwrap_or_default(),
        found,
        state: found::state(&target.tree, &lock),
    }))
}

/// What is known of a control's last attack.
enum Last<'a> {
    NotProbed,
    OfAnotherVersion,
    Found(&'a Entry),
}

impl Here {
    fn needs(&self, control: &Control) -> bool {
        catalogue::needed(control, &self.modules)
    }

    fn last(&self, id: &str) -> Last<'_> {
        match self.found.as_ref().and_then(|found| found.entry(id).map(|entry| (found, entry))) {
            None => Last::NotProbed,
            Some((found, _)) if !found.is_of(&self.state) => Last::OfAnotherVersion,
            Some((_, entry)) => Last::Found(entry),
        }
    }

    fn rests(&self, id: &str) -> Option<&audit::Rests> {
        self.audit.controls.iter().find(|rests| rests.control == id)
    }

    fn deviation(&self, id: &str) -> Option<&audit::Deviation> {
        self.audit.deviations.iter().find(|deviation| deviation.control == id)
    }

    fn summary(&self) -> Result<String> {
        Found::summary(self.found.as_ref(), &self.state, &self.modules)
    }

    fn folder(&self) -> &str {
        self.page.as_ref().map_or("", |(_, folder)| folder)
    }
}

fn head(context: &Context, args: &Args, here: Option<&Here>) -> Result<()> {
    let ui = &context.ui;
    let dir = printable(&args.place.dir.display().to_string());
    let Some(here) = here else {
        ui.say(&format!("the catalogue; nothing was generated in `{dir}`, so it is not said what a control rests on"));
        return Ok(());
    };
    ui.say(&format!("pack {} {}: what each control is meant to rest on", here.layer.pack, here.layer.pack_version));
    match &here.page {
        Some((page, _)) if here.drifted => {
            ui.warn(&format!("`{page}` is not what was generated; what follows is what the pack says"));
        }
        Some(_) => {}
        None => ui.warn("this pack says nothing about that"),
    }
    ui.say(&format!("{}\n", here.summary()?));
    Ok(())
}

fn listed(text: &mut String, control: &Control, here: Option<&Here>) {
    let severity = control.severity.name();
    let head = format!("{} {severity:<8} {}", paint(HEADING, &control.id), control.title);
    let Some(here) = here else {
        _ = writeln!(text, "{head}");
        return;
    };
    if !here.needs(control) {
        _ = writeln!(text, "{head}\n  no installed module needs it");
        return;
    }
    _ = writeln!(text, "{head}\n  {}", last(&here.last(&control.id)));
    if let Some(rests) = here.rests(&control.id) {
        _ = writeln!(text, "  {}", paint(DIM, &rests_on(&rests.on, &rests.places, here.folder())));
        if rests.on.contains(&Ground::Nothing) && here.deviation(&control.id).is_none() {
            _ = writeln!(text, "  not held: {}{} says what stands in", here.folder(), audit::NAME);
        }
    }
    if let Some(deviation) = here.deviation(&control.id) {
        _ = writeln!(text, "  deviation: {}\n  in its place: {}", deviation.reason, deviation.stands_in);
    }
}

fn last(last: &Last<'_>) -> String {
    let entry = match last {
        Last::NotProbed => return paint(WARN, "not probed"),
        Last::OfAnotherVersion => return paint(WARN, "not probed: the last result is of another version"),
        Last::Found(entry) => entry,
    };
    let result = paint(style(entry.result), entry.result.name());
    match (entry.result, entry.checks) {
        (Verdict::Pass, 1) => format!("{result}, 1 check"),
        (Verdict::Pass, checks) => format!("{result}, {checks} checks"),
        _ => format!("{result}: {}", printable(&entry.reason)),
    }
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Fail => BAD,
        _ => WARN,
    }
}

fn rests_on(on: &[Ground], places: &[Place], folder: &str) -> String {
    let on: Vec<String> = on.iter().map(ToString::to_string).collect();
    let place = |place: &Place| {
        let names = if place.names.is_empty() { String::new() } else { format!(" ({})", place.names.join(", ")) };
        format!("{folder}{}{names}", place.file)
    };
    let places: Vec<String> = places.iter().map(place).collect();
    format!("rests on {}: {}", on.join(", "), places.join("; "))
}

fn details(text: &mut String, control: &Control) {
    _ = writeln!(text, "\n  {}\n", control.statement);
    let lines = [
        ("group", control.group.clone()),
        ("parameters", control.params.clone()),
        ("OWASP ASVS 5.0", control.asvs.join(", ")),
        ("sources", control.refs.join("; ")),
        ("attacked by", control.channel.join(", ")),
        ("needed by", control.applies.join(", ")),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        _ = writeln!(text, "  {name}: {value}");
    }
    if !control.mutants.is_empty() {
        _ = writeln!(text, "  mutants, each without the protection:");
    }
    for mutant in &control.mutants {
        _ = writeln!(text, "    {}: {}", mutant.name, mutant.removal);
    }
    text.push('\n');
}

fn object(here: Option<&Here>, controls: &[&Control]) -> Result<Value> {
    let controls: Vec<Value> = controls.iter().map(|control| one(here, control)).collect();
    let project = here.map(|here| {
        Ok::<_, anyhow::Error>(json!({
            "pack": here.layer.pack,
            "pack_version": here.layer.pack_version,
            "modules": here.modules,
            "audit": here.page.as_ref().map(|(page, _)| page),
            "drifted": here.drifted,
            "probe": here.summary()?,
            "review": here.audit.files,
        }))
    });
    Ok(json!({ "project": project.transpose()?, "controls": controls }))
}

fn one(here: Option<&Here>, control: &Control) -> Value {
    let mut object = json!(control);
    let Some(here) = here else { return object };
    object["needed"] = here.needs(control).into();
    object["result"] = match here.last(&control.id) {
        Last::NotProbed => json!("not-probed"),
        Last::OfAnotherVersion => json!("of-another-version"),
        Last::Found(entry) => {
            object["checks"] = entry.checks.into();
            object["reason"] = entry.reason.clone().into();
            json!(entry.result)
        }
    };
    if let Some(rests) = here.rests(&control.id) {
        object["rests_on"] = rests.on.iter().map(ToString::to_string).collect();
        object["where"] = json!(rests.places);
    }
    object["deviation"] = json!(here.deviation(&control.id));
    object
}

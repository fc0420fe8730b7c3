//! `authwright detect`

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Result;

use super::{Context, target};
use crate::core::detect::{Detection, Project, Verdict};

/// Tell which app is here, with evidence
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The project's folder
    #[arg(default_value = ".")]
    pub dir: PathBuf,
}

/// # Errors
/// When the folder cannot be read; every verdict is a success.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let detection = target::detect(context, &args.dir)?;
    if context.ui.json {
        return context.ui.object(serde_json::to_value(&detection)?);
    }
    context.ui.data(&crate::shell::ui::printable(&text(&detection)))
}

fn text(detection: &Detection) -> String {
    let mut out = format!("{}\n", headline(detection));
    for project in &detection.projects {
        one(&mut out, project);
    }
    if !detection.unread.is_empty() {
        out.push('\n');
    }
    for unread in &detection.unread {
        _ = writeln!(out, "could not be read: {unread}");
    }
    if let Some(next) = next(detection) {
        _ = writeln!(out, "\n{next}");
    }
    out
}

fn headline(detection: &Detection) -> &'static str {
    match detection.verdict {
        Verdict::Single => "one app",
        Verdict::Ambiguous => "several apps: name one with `--path`",
        Verdict::Unsupported => "an app that cannot be served yet",
        Verdict::None => "no web app found",
    }
}

/// What a user can do where the verdict alone does not tell.
fn next(detection: &Detection) -> Option<String> {
    let served: Vec<&Project> = detection.projects.iter().filter(|project| project.supported).collect();
    match (detection.verdict, served.as_slice()) {
        (Verdict::Single | Verdict::Unsupported, _) => None,
        (Verdict::Ambiguous, []) => Some("none of them can be served; each says why".to_owned()),
        (Verdict::Ambiguous, [one, ..]) => Some(format!("next: authwright add --path {}", one.path)),
        (Verdict::None, _) => Some(target::nowhere(detection)),
    }
}

fn one(out: &mut String, project: &Project) {
    let version = project.framework_version.as_deref().unwrap_or("(no version)");
    let variant = project.variant.as_ref().map(|variant| format!(", {variant}")).unwrap_or_default();
    _ = writeln!(out, "\n{}  {} {version}{variant}", project.path, project.framework);
    let language = (!project.language.is_empty()).then(|| project.language.clone());
    let entry = project.entry.as_ref().map(|entry| format!("{}:{}", entry.file, entry.line));
    let known = [
        ("workspace", &project.workspace),
        ("language", &language),
        ("package manager", &project.package_manager),
        ("made at", &entry),
        ("database", &project.database),
        ("existing auth", &project.existing_auth),
        ("not served", &project.reason),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            _ = writeln!(out, "  {name}: {value}");
        }
    }
    for note in &project.notes {
        _ = writeln!(out, "  note: {note}");
    }
    _ = writeln!(out, "  because:");
    for found in &project.evidence {
        _ = writeln!(out, "    {found}");
    }
}

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
    let verdict = match detection.verdict {
        Verdict::Single => "one app",
        Verdict::Ambiguous => "several apps: name one with `--path`",
        Verdict::Unsupported => "an app that cannot be served yet",
        Verdict::None => "no web app found",
    };
    let mut out = format!("{verdict}\n");
    for project in &detection.projects {
        one(&mut out, project);
    }
    for unread in &detection.unread {
        _ = writeln!(out, "could not be read: {unread}");
    }
    out
}

fn one(out: &mut String, project: &Project) {
    let version = project.framework_version.as_deref().unwrap_or("(no version)");
    _ = writeln!(out, "\n{}  {} {version}", project.path, project.framework);
    let known = [
        ("workspace", &project.workspace),
        ("database", &project.database),
        ("existing auth", &project.existing_auth),
        ("not served", &project.reason),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            _ = writeln!(out, "  {name}: {value}");
        }
    }
    _ = writeln!(out, "  because:");
    for found in &project.evidence {
        _ = writeln!(out, "    {}:{}  {}", found.file, found.line, found.text);
    }
}

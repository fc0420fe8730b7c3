//! `authwright list`

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};

use super::Context;
use crate::core::pack::{Module, Pack};

/// List stacks, modules and options
#[derive(Debug, clap::Args)]
pub struct Args {}

/// # Errors
/// When stdout cannot be written.
pub fn run(context: &Context, _: &Args) -> Result<()> {
    if context.ui.json {
        let stacks: Vec<_> = context.packs.iter().map(object).collect();
        return context.ui.object(json!({ "stacks": stacks }));
    }
    context.ui.data(&context.packs.iter().map(text).collect::<Vec<_>>().join("\n"))
}

fn object(pack: &Pack) -> Value {
    let manifest = &pack.manifest;
    let module = |m: &Module| {
        let beside = m.beside.as_ref().map(|beside| &beside.one_of);
        json!({ "id": m.id, "summary": m.summary, "default": m.default, "beside_one_of": beside })
    };
    let modules: Vec<_> = manifest.module.iter().map(module).collect();
    let options: Vec<_> = manifest
        .option
        .iter()
        .map(|option| {
            let values: Vec<&str> = option.choice.iter().map(|choice| choice.value.as_str()).collect();
            json!({
                "id": option.id,
                "question": option.question,
                "default": Some(&option.default).filter(|value| !value.is_empty()),
                "values": values,
                "multiple": option.multiple,
                "fixed": option.fixed,
                "when": option.when,
            })
        })
        .collect();
    json!({
        "id": manifest.id,
        "name": manifest.name,
        "version": manifest.version,
        "versions": manifest.detect.versions.to_string(),
        "modules": modules,
        "options": options,
    })
}

fn text(pack: &Pack) -> String {
    let manifest = &pack.manifest;
    let mut out =
        format!("{} ({} {}), pack {}\n", manifest.id, manifest.name, manifest.detect.versions, manifest.version);
    for module in &manifest.module {
        _ = writeln!(
            out,
            "  --with {:<14} {}{}",
            module.id,
            module.summary,
            if module.default { " (default)" } else { "" }
        );
    }
    for option in &manifest.option {
        for choice in &option.choice {
            let default = if choice.value == option.default { " (default)" } else { "" };
            _ = writeln!(out, "  {:<21} {}{default}", format!("--{} {}", option.id, choice.value), choice.summary);
        }
    }
    out
}

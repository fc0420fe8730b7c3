//! `authwright verify`

use anyhow::Result;
use serde_json::json;

use super::{Context, proof::Proof, target};
use crate::{
    cli::Where,
    core::{
        lock::{self, Lock},
        project::Tree,
        verify::{self, Drift},
    },
    shell::ui::{BAD, DIM, GOOD, WARN, paint, printable},
};

/// Compare the project with what was generated; exit 1 on drift
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub place: Where,
}

/// Gives the exit code: 0, or 1 when there is drift.
///
/// # Errors
/// When there is no lock, or it cannot be read.
pub fn run(context: &Context, args: &Args) -> Result<u8> {
    let (target, lock) = target::locked(context, &args.place)?;
    let drifts = verify::verify(&context.packs, &lock, &target.tree, &target.workspace)?;
    let text = target.tree.text(lock::PATH).unwrap_or_default();
    let mut proof = match Proof::read(&target.tree)? {
        Some(proof) => proof.summary(text),
        None => vec!["build and tests: unproven; `authwright check` proves them".to_owned()],
    };
    proof.extend(attacks(&target.tree, &lock)?);
    if context.ui.json {
        let object =
            json!({ "verdict": if drifts.is_empty() { "clean" } else { "drift" }, "drift": drifts, "proof": proof });
        context.ui.object(object)?;
    } else {
        show(context, &drifts, &proof);
    }
    Ok(u8::from(!drifts.is_empty()))
}

fn show(context: &Context, drifts: &[Drift], proof: &[String]) {
    let ui = &context.ui;
    for drift in drifts {
        ui.say(&format!("{}: {}: {}", paint(BAD, "drift"), printable(&drift.at), printable(&drift.what)));
        ui.say(&format!("  {}: {}", paint(GOOD, "help"), printable(&drift.fix)));
    }
    if drifts.is_empty() {
        ui.say(&paint(
            GOOD,
            "what was generated is unchanged, wired in, and its libraries are at or above their floors",
        ));
    } else {
        ui.say(&paint(WARN, &format!("{} from what was generated", differences(drifts.len()))));
    }
    for line in proof {
        ui.say(&paint(DIM, &printable(line)));
    }
}

/// What the attacks of the last probe found.
#[cfg(feature = "probe")]
fn attacks(tree: &Tree, lock: &Lock) -> Result<Option<String>> {
    let found = super::found::Found::read(tree)?;
    let modules: Vec<String> = lock.modules().into_iter().map(str::to_owned).collect();
    super::found::Found::summary(found.as_ref(), &super::found::state(tree, lock), &modules).map(Some)
}

#[cfg(not(feature = "probe"))]
#[expect(clippy::unnecessary_wraps, reason = "with attacks there is something to read")]
fn attacks(_: &Tree, _: &Lock) -> Result<Option<String>> {
    Ok(None)
}

fn differences(count: usize) -> String {
    if count == 1 { "1 difference".to_owned() } else { format!("{count} differences") }
}

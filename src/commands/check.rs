//! `authwright check`

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{Context, make, proof::Proof, target};
use crate::{
    cli::Where,
    core::{lock, problem::Problem},
    shell::apply,
};

/// Build and test the project in a copy, and record the result
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub place: Where,
    /// Fetch nothing: dependencies must be there already
    #[arg(long)]
    pub offline: bool,
}

/// # Errors
/// When there is no lock, or the check fails (exit 3).
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let (target, lock) = target::locked(context, &args.place)?;
    let layer = lock.layer.last().context("the lock has no layer")?;
    let pack = context.packs.iter().find(|pack| pack.manifest.id == layer.pack).ok_or_else(|| {
        let what = format!("pack `{}` is not in this version of authwright", layer.pack);
        Problem::problem(what, "use the authwright version that wrote the lock")
    })?;
    let steps = make::steps_of(pack, &lock)?;
    let report = make::run(context, &target, &[], (pack, &steps), args.offline)?;
    make::passed(&report, false)?;
    make::left_out(context, &report);
    // The new proof keeps what takes the package manager's files back.
    let text = target.tree.text(lock::PATH).unwrap_or_default();
    let proof = Proof::new(text, &report).on_top_of(Proof::read(&target.tree)?);
    apply::apply(&target.base, &[make::proof_change(&target, &proof)?])?;
    if context.ui.json {
        return context.ui.object(json!({ "result": "passed", "check": proof.step }));
    }
    Ok(())
}

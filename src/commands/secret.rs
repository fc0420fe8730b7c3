//! `authwright secret`

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::Context;

/// Print a fresh AUTH_SECRET
#[derive(Debug, clap::Args)]
pub struct Args {}

/// 32 bytes from the operating system, as the generated settings read them.
///
/// # Errors
/// When the operating system gives no random bytes.
pub fn run(context: &Context, _: &Args) -> Result<()> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the operating system gives no random bytes")?;
    let secret = BASE64_STANDARD.encode(bytes);
    if context.ui.json {
        return context.ui.object(serde_json::json!({ "AUTH_SECRET": secret }));
    }
    context.ui.data(&format!("AUTH_SECRET={secret}\n"))
}

//! All input and output: files, child processes, signals.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::Context as _;

pub mod apply;
pub mod check;
pub mod confine;
pub mod disk;
pub mod fresh;
mod home;
pub mod journal;
mod needs;
mod process;
mod scratch;
pub mod toolchain;
pub mod ui;

/// Whether the user asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Notes Ctrl-C and a termination signal from now on, instead of ending the process.
    ///
    /// # Errors
    /// When called twice in a process.
    pub fn install() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let noted = interrupt.clone();
        ctrlc::set_handler(move || noted.set()).context("cannot handle Ctrl-C")?;
        Ok(interrupt)
    }

    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// The note itself, for a library that looks at it.
    #[cfg(feature = "probe")]
    #[must_use]
    pub fn shared(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }

    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

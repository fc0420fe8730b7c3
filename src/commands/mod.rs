//! One file a command: its arguments and its function side by side.

pub mod add;
pub mod check;
#[cfg(feature = "probe")]
pub mod controls;
pub mod detect;
#[cfg(feature = "probe")]
pub mod found;
pub mod list;
pub mod make;
pub mod new;
#[cfg(feature = "probe")]
pub mod probe;
pub mod proof;
pub mod secret;
#[cfg(feature = "probe")]
pub mod select;
pub mod settle;
pub mod target;
pub mod undo;
pub mod verify;

use crate::{
    core::pack::Pack,
    shell::{Interrupt, ui::Ui},
};

/// What every command may use.
pub struct Context {
    pub ui: Ui,
    pub packs: Vec<Pack>,
    pub interrupt: Interrupt,
    /// The command may write into the project, so it brings an interrupted run to its end first.
    pub writes: bool,
}

#[cfg(test)]
mod tests;

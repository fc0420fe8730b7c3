//! The tool as a process, without building what it generates.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests make and look at real folders; a failure is a panic"
)]

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod combinations;
mod controls;
mod detect;
mod hostile;
mod layers;
mod probe;
mod prompts;
mod shapes;
mod snapshots;
mod undo;
mod verify;
mod writes;

//! The tool as a process, without building what it generates.
#![expect(
    dead_code,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests make and look at real folders; a failure is a panic; some helpers are for the other test program"
)]

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod attacks;
mod combinations;
mod controls;
mod crash;
mod detect;
mod hostile;
mod hostile_projects;
mod layers;
mod mutants;
mod probe;
mod prompts;
mod shapes;
mod situations;
mod snapshots;
mod stacks;
mod undo;
mod verify;
mod writes;

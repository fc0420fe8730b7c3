//! The tool as a process, without building what it generates.

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod detect;
mod prompts;
mod undo;
mod verify;
mod writes;

//! Values in, values out: no I/O here (clippy enforces it).

pub mod anchor;
#[cfg(feature = "probe")]
pub mod audit;
pub mod choose;
pub mod detect;
pub mod edit;
pub mod facts;
#[cfg(test)]
mod fuzz;
pub mod generated;
pub mod glob;
pub mod lock;
pub mod manifest;
pub mod npm;
pub mod pack;
pub mod patch;
pub mod pep440;
pub mod places;
pub mod plan;
pub mod problem;
pub mod project;
pub mod refuse;
pub mod render;
pub mod undo;
pub mod verify;

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod testing;

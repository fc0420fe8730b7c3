//! The audit log: what it holds, what it must not hold, and that nobody else writes it.

mod events;
mod forged;
mod secrets;
mod trips;

use super::{Attack, attack};

pub(super) const ATTACKS: &[Attack] = &[
    attack("LOG-01", secrets::no_secrets),
    attack("LOG-02", events::each_operation),
    attack("LOG-03", forged::no_forged_lines),
    attack("LOG-04", trips::each_refusal),
];

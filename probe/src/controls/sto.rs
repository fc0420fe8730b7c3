//! Storage: what is written into statements, what the database itself forbids, and what happens half-way.

mod injection;
mod transactions;
mod uniqueness;

use super::{Attack, attack};

pub(super) const ATTACKS: &[Attack] = &[
    attack("STO-01", injection::statements_are_fixed),
    attack("STO-02", uniqueness::the_database_forbids_it),
    attack("STO-03", transactions::all_or_nothing),
];

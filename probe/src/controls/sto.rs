//! The database: what reaches it as text, what it holds together by itself, and what happens in one step.

mod injection;
mod schema;
mod together;

use super::{Attack, attack};

pub(super) const ATTACKS: &[Attack] = &[
    attack("STO-01", injection::nothing_reaches_sql),
    attack("STO-02", schema::the_database_decides),
    attack("STO-03", together::all_or_nothing),
];

//! Input handling.

mod addresses;
mod bytes;
mod output;
mod parameters;
mod sizes;
mod types;

use super::{Attack, attack};

pub(super) const ATTACKS: &[Attack] = &[
    attack("INP-01", addresses::one_form),
    attack("INP-02", bytes::controls_and_encodings),
    attack("INP-03", sizes::limits).alone(),
    attack("INP-04", types::strict),
    attack("INP-05", parameters::one_place),
    attack("INP-06", output::encoded_for_its_place),
];

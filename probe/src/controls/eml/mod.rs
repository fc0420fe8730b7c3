//! Verification and change of e-mail addresses.

mod change;
mod injection;
mod links;
mod tokens;
mod unverified;

use super::{Attack, attack};

pub(super) const ATTACKS: &[Attack] = &[
    attack("EML-01", unverified::no_session),
    attack("EML-02", tokens::random_and_hashed),
    attack("EML-03", links::verification_token),
    attack("EML-04", links::reading_changes_nothing),
    attack("EML-05", tokens::bound),
    attack("EML-06", change::protocol),
    attack("EML-07", change::crossing),
    attack("EML-08", injection::one_recipient),
];

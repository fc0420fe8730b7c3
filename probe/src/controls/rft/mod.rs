//! Refresh tokens: each works once, at one place, for one family.

mod lifetime;
mod place;
mod race;
mod revocation;
mod rotation;
mod storage;
mod widening;

use super::{Attack, attack};
use crate::{http::Answer, test::Test};

pub(super) const ATTACKS: &[Attack] = &[
    attack("RFT-01", rotation::at_every_use),
    attack("RFT-02", rotation::reuse_ends_the_family),
    attack("RFT-03", race::one_successor).alone(),
    attack("RFT-04", storage::random_and_hashed),
    attack("RFT-05", lifetime::family_ends),
    attack("RFT-06", revocation::endpoint),
    attack("RFT-07", place::one_endpoint),
    attack("RFT-08", widening::never_more),
];

/// A refusal by its name.
fn no_grant(test: &mut Test<'_>, what: &str, answer: &Answer) {
    test.refuses(what, answer.denied() && answer.is_code("invalid_grant"), answer);
}

//! Replacing a forgotten password.

mod links;
mod notices;
mod recipient;
mod tokens;

use std::sync::Arc;

use super::{Attack, attack};
use crate::{lab::App, people::Person, test::Outcome};

/// RST-06 needs a second factor, so there is no attack for it yet.
pub(super) const ATTACKS: &[Attack] = &[
    attack("RST-01", tokens::once),
    attack("RST-02", tokens::in_time),
    attack("RST-03", tokens::only_the_newest),
    attack("RST-04", links::configured_origin),
    attack("RST-05", tokens::nobody_is_signed_in),
    attack("RST-07", links::token_stays),
    attack("RST-08", notices::owner_is_told),
    attack("RST-09", recipient::stored_address),
];

/// The token of a reset that was asked for now, when so many were asked for before.
fn forgotten(app: &Arc<App>, person: &Person, before: usize) -> Outcome<String> {
    app.client().forgot(&person.email)?;
    app.token("FORGOT", &person.email, before + 1)
}

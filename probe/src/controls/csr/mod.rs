//! Requests that other sites make browsers send.

mod content;
mod origin;
mod safe;
mod token;

use super::{Attack, attack};

pub(super) const ATTACKS: &[Attack] = &[
    attack("CSR-01", token::token),
    attack("CSR-02", origin::signed_in),
    attack("CSR-03", origin::before_login),
    attack("CSR-04", safe::safe_methods),
    attack("CSR-05", content::content_types),
    attack("CSR-06", content::cross_origin_reads),
];

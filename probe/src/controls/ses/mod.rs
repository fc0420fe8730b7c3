//! Session lifecycle.

mod devices;
mod ending;
mod fresh;
mod guard;
mod identifier;
mod lifetime;
mod list;
mod place;

pub(super) use self::identifier::{biased_bits, cookies_of, decoded_all, varying_bits, written};
use super::{Attack, attack};

pub(super) const ATTACKS: &[Attack] = &[
    attack("SES-01", identifier::randomness),
    attack("SES-02", identifier::storage),
    attack("SES-03", identifier::fixation),
    attack("SES-04", identifier::rotation),
    attack("SES-05", place::one_cookie),
    attack("SES-06", lifetime::idle),
    attack("SES-07", lifetime::absolute),
    attack("SES-08", ending::logout),
    attack("SES-09", ending::revocation),
    attack("SES-10", ending::credential_change),
    attack("SES-11", ending::lost_account),
    attack("SES-12", list::list),
    attack("SES-13", fresh::reauthentication),
    attack("SES-14", guard::guard),
    attack("SES-15", ending::operator),
];

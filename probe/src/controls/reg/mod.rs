//! Registration, and what strangers learn about accounts.

mod alike;
mod binding;
mod timing;

use super::{Attack, attack};

pub(super) const ATTACKS: &[Attack] = &[
    attack("REG-01", alike::registering),
    attack("REG-02", alike::signing_in),
    attack("REG-03", timing::login_and_registration).alone(),
    attack("REG-04", timing::forgot_and_resend).alone(),
    attack("REG-05", binding::no_more_than_asked),
    attack("REG-06", binding::no_default_accounts),
];

//! The attacks, one file a group of the catalogue.

mod acts;
mod cfg;
mod cke;
mod csr;
mod doors;
mod eml;
mod hdr;
mod inp;
mod jwt;
mod log;
mod oic;
mod pwd;
mod rac;
mod red;
mod reg;
mod rft;
mod rst;
mod ses;
mod silence;
mod sto;
mod thr;
mod tour;

use crate::test::{Outcome, Test};

/// How a control is attacked.
pub struct Attack {
    pub id: &'static str,
    pub run: fn(&mut Test<'_>) -> Outcome,
    /// Nothing else may load the machine: it compares times, or counts on many requests at one moment.
    pub alone: bool,
}

const fn attack(id: &'static str, run: fn(&mut Test<'_>) -> Outcome) -> Attack {
    Attack { id, run, alone: false }
}

impl Attack {
    const fn alone(mut self) -> Self {
        self.alone = true;
        self
    }
}

const GROUPS: &[&[Attack]] = &[
    cfg::ATTACKS,
    cke::ATTACKS,
    csr::ATTACKS,
    eml::ATTACKS,
    hdr::ATTACKS,
    inp::ATTACKS,
    jwt::ATTACKS,
    log::ATTACKS,
    oic::ATTACKS,
    pwd::ATTACKS,
    rac::ATTACKS,
    red::ATTACKS,
    reg::ATTACKS,
    rft::ATTACKS,
    rst::ATTACKS,
    ses::ATTACKS,
    sto::ATTACKS,
    thr::ATTACKS,
];

pub fn find(id: &str) -> Option<&'static Attack> {
    GROUPS.iter().copied().flatten().find(|attack| attack.id == id)
}

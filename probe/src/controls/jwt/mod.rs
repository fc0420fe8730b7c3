//! Access tokens that are JWTs: forged in one place each, and signed with the application's own key.

mod algorithm;
mod bearer;
mod claims;
mod contents;
mod header;
mod header_keys;
mod key_id;
mod keys;
mod revocation;
mod scope;
mod signature;
mod size;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

pub(super) use self::revocation::{alive, ended, spared};
use super::{Attack, attack};
use crate::{
    devices::{Device, bearing},
    http::Answer,
    jws::{Key, Token},
    lab::App,
    people::Person,
    test::{Outcome, Test},
};

pub(super) const ATTACKS: &[Attack] = &[
    attack("JWT-01", signature::verified),
    attack("JWT-02", algorithm::pinned),
    attack("JWT-03", key_id::exact),
    attack("JWT-04", header_keys::ignored),
    attack("JWT-05", header::critical),
    attack("JWT-06", claims::times),
    attack("JWT-07", claims::issuer),
    attack("JWT-08", claims::audience),
    attack("JWT-09", header::one_purpose),
    attack("JWT-10", revocation::reaches_access_tokens),
    attack("JWT-11", contents::short_and_minimal),
    attack("JWT-12", keys::strong_and_rotated),
    attack("JWT-13", bearer::one_place),
    attack("JWT-14", size::cheap_to_refuse).alone(),
    attack("JWT-15", scope::enforced),
];

/// A token that works, and what it takes to forge another.
struct Forge {
    app: Arc<App>,
    person: Person,
    device: Device,
    key: Key,
    token: Token,
}

impl Forge {
    fn new(test: &mut Test<'_>) -> Outcome<Self> {
        let app = test.app()?;
        Self::of(test, &app)
    }

    fn of(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Self> {
        let (person, device) = app.device()?;
        let (key, token) = (app.token_key()?, device.token()?);
        let genuine = device.ask("API")?;
        test.works("API takes the access token that was issued", genuine.succeeded(), &genuine)?;
        let forge = Self { app: app.clone(), person, device, key, token };
        // Else all that follows would be refused for its signature alone.
        forge.taken(test, "API takes the same token signed by the probe", &forge.token)?;
        Ok(forge)
    }

    fn ask(&self, token: &str) -> Outcome<Answer> {
        self.app.client().send(&bearing(&self.app.role("API")?, token))
    }

    /// Signed by the application's key, it works.
    fn taken(&self, test: &mut Test<'_>, what: &str, token: &Token) -> Outcome {
        let answer = self.ask(&token.signed(&self.key)?)?;
        test.works(what, answer.succeeded(), &answer)
    }

    /// Signed by the application's key, it is refused all the same.
    fn refused(&self, test: &mut Test<'_>, what: &str, token: &Token) -> Outcome {
        self.text_refused(test, what, &token.signed(&self.key)?)
    }

    fn text_refused(&self, test: &mut Test<'_>, what: &str, token: &str) -> Outcome {
        let answer = self.ask(token)?;
        test.refuses(&format!("a token is refused: {what}"), answer.denied(), &answer);
        Ok(())
    }

    /// The genuine token works to the end, so that nothing was refused because it no longer did.
    fn still_works(&self, test: &mut Test<'_>) -> Outcome {
        let answer = self.device.ask("API")?;
        test.works("API takes the access token that was issued, to the end", answer.succeeded(), &answer)
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

//! Signing in by way of a provider, and what else proves a mailbox.

mod backchannel;
mod browser;
mod claims;
mod discovery;
mod errors;
mod freshness;
mod identity;
mod issuer;
mod key_sets;
mod last_method;
mod leaks;
pub(super) mod linking;
mod mixup;
mod nonce;
mod pkce;
mod races;
mod request;
mod signature;
mod state;
mod subject;
mod takeover;
mod transaction;
mod untrusted;

use std::sync::Arc;

use super::{Attack, attack};
use crate::{
    client::Client,
    http::Answer,
    lab::App,
    provider::{Ask, Endpoint, Grant, Provider, Subject, UserInfo},
    test::{Outcome, Test},
};

pub(super) const ATTACKS: &[Attack] = &[
    attack("OIC-01", request::well_formed),
    attack("OIC-02", state::equal),
    attack("OIC-03", browser::bound),
    attack("OIC-04", transaction::once_and_shortly),
    attack("OIC-05", mixup::bound_to_provider),
    attack("OIC-06", issuer::of_the_answer),
    attack("OIC-07", pkce::proof),
    attack("OIC-08", nonce::equal),
    attack("OIC-09", signature::verified),
    attack("OIC-10", signature::algorithms),
    attack("OIC-11", claims::issuer),
    attack("OIC-12", claims::audience),
    attack("OIC-13", claims::times),
    attack("OIC-14", subject::required_and_equal),
    attack("OIC-15", key_sets::rotation),
    attack("OIC-16", signature::keys_of_the_token),
    attack("OIC-17", discovery::issuer),
    attack("OIC-18", backchannel::bounded).alone(),
    attack("OIC-19", identity::issuer_and_subject),
    attack("OIC-20", identity::no_silent_linking),
    attack("OIC-21", takeover::pre_account_takeover),
    attack("OIC-22", linking::intentional),
    attack("OIC-23", last_method::stays).alone(),
    attack("OIC-24", leaks::provider_tokens),
    attack("OIC-25", errors::handled),
    attack("OIC-26", freshness::verified),
    attack("OIC-27", leaks::callback),
    attack("OIC-28", untrusted::claims),
    attack("RAC-04", races::one_winner).alone(),
];

/// Whether a browser that came back was turned away: a refusal, or word that the provider cannot be had. Never a session.
pub(super) fn turned_away(answer: &Answer) -> bool {
    !answer.sets_session() && (answer.denied() || matches!(answer.status, 502 | 503))
}

/// A browser on its way back, and with what code.
pub(super) struct Trip {
    pub client: Client,
    pub visit: crate::federation::Visit,
    pub code: String,
}

impl Trip {
    /// Somebody new, up to the way back.
    pub fn new(app: &Arc<App>, provider: &Provider) -> Outcome<Self> {
        Self::with(app.client(), provider, |_| Grant::new(&Subject::new()))
    }

    /// This browser's, with what the provider answers then.
    pub fn with(mut client: Client, provider: &Provider, grant: impl FnOnce(&Ask) -> Grant) -> Outcome<Self> {
        let visit = client.visit(provider)?;
        let code = provider.grant(&visit.ask, grant(&visit.ask));
        Ok(Self { client, visit, code })
    }

    pub fn come_back(&mut self) -> Outcome<Answer> {
        self.client.come_back(&self.visit, &self.code)
    }
}

/// A sign-in that must work, so that what follows is refused for what is wrong with it.
pub(super) fn signs_in(
    test: &mut Test<'_>,
    app: &Arc<App>,
    what: &str,
    grant: impl FnOnce(&Ask) -> Grant,
) -> Outcome<Client> {
    let mut trip = Trip::with(app.client(), app.provider(0)?, grant)?;
    let answer = trip.come_back()?;
    test.works(&format!("a sign-in works {what}"), answer.succeeded() && trip.client.is_signed_in()?, &answer)?;
    Ok(trip.client)
}

/// A sign-in in which the provider answers something wrong: refused without a session, and nobody is signed in.
pub(super) fn refuses(
    test: &mut Test<'_>,
    app: &Arc<App>,
    what: &str,
    grant: impl FnOnce(&Ask) -> Grant,
) -> Outcome<Answer> {
    let mut trip = Trip::with(app.client(), app.provider(0)?, grant)?;
    let answer = trip.come_back()?;
    test.refuses(&format!("a sign-in is refused: {what}"), turned_away(&answer), &answer);
    let signed_in = trip.client.is_signed_in()?;
    test.refuses(&format!("nobody is signed in: {what}"), !signed_in, &answer);
    Ok(answer)
}

/// Asserts that nobody tried to redeem the code.
pub(super) fn not_redeemed(test: &mut Test<'_>, what: &str, provider: &Provider, code: &str) {
    let hits = provider.redeemed(code);
    test.refuses(&format!("no token request is made: {what}"), hits.is_empty(), &hits);
}

/// Whether the application asks UserInfo for the address that an ID token lacks.
pub(super) fn asks_userinfo(app: &Arc<App>) -> Outcome<bool> {
    let grant = |_: &Ask| Grant::new(&Subject::new()).by_userinfo(UserInfo::Claims(vec![]));
    let mut trip = Trip::with(app.client(), app.provider(0)?, grant)?;
    Ok(trip.come_back()?.succeeded())
}

/// Asserts that an ID token which is wrong is not even good enough to ask UserInfo with its access token.
pub(super) fn userinfo_is_not_asked(
    test: &mut Test<'_>,
    app: &Arc<App>,
    what: &str,
    grant: impl FnOnce(&Ask) -> Grant,
) -> Outcome {
    let provider = app.provider(0)?;
    let mut access_token = String::new();
    let grant = |ask: &Ask| {
        let grant = grant(ask).by_userinfo(UserInfo::Claims(vec![]));
        access_token.clone_from(&grant.access_token);
        grant
    };
    let mut trip = Trip::with(app.client(), provider, grant)?;
    let answer = trip.come_back()?;
    test.refuses(&format!("a sign-in is refused: {what}"), turned_away(&answer), &answer);
    let hits = provider.asked_about(&access_token);
    test.refuses(&format!("UserInfo is not asked: {what}"), hits.is_empty(), &hits);
    Ok(())
}

/// How often an endpoint was asked.
pub(super) fn count(provider: &Provider, endpoint: Endpoint) -> usize {
    provider.hits(endpoint).len()
}

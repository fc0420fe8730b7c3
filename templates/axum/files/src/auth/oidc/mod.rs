//! Sign-in at other providers: authorization code flow with PKCE, `state`, `nonce` and a cookie that
//! binds it to the browser; accounts found by issuer and subject.
//!
//! [`start`] leads there, [`callback`] takes what comes back, [`exchange`] makes it somebody and
//! [`identities`] finds their account. What providers differ in is data in [`presets`].

pub mod callback;
mod client;
mod exchange;
mod failure;
mod http;
pub mod identities;
mod metadata;
[%- if 'github' in providers %]
mod oauth;
[%- endif %]
pub mod presets;
pub mod settings;
pub mod start;
[% if ui == 'pages' %]pub [% endif %]mod transaction;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use self::{
    failure::Failure,
    http::Http,
    metadata::{Cache, Metadata},
};
use super::settings::StartError;

pub use identities::unlink;
pub use settings::{Provider, Settings};

/// What is kept of providers while the application runs.
pub struct Oidc {
    http: Http,
    known: BTreeMap<&'static str, Cache>,
    keys: Duration,
    cooldown: Duration,
    development: bool,
}

impl Oidc {
    pub fn new(settings: &Settings) -> Result<Self, StartError> {
        let providers = settings.providers.iter();
        Ok(Self {
            http: Http::new(settings)?,
            known: providers.map(|provider| (provider.preset.id, Cache::default())).collect(),
            keys: settings.keys,
            cooldown: settings.cooldown,
            development: settings.development,
        })
    }

    fn http(&self) -> &Http {
        &self.http
    }

    async fn metadata(&self, provider: &Provider) -> Result<Arc<Metadata>, Failure> {
        let cache = self.known.get(provider.preset.id).ok_or(Failure::Unavailable)?;
        cache.get(&provider.issuer, &self.http, self.keys, self.development).await
    }

    /// The description with keys that were asked for anew, if it is time to.
    async fn renewed(&self, provider: &Provider) -> Result<Option<Arc<Metadata>>, Failure> {
        let cache = self.known.get(provider.preset.id).ok_or(Failure::Unavailable)?;
        cache.renew(&self.http, self.cooldown).await
    }
}

//! What providers say about themselves: their endpoints and keys, kept for a while.

use std::{sync::Arc, time::{Duration, Instant}};

use [= import.openidconnect =]::{
    AdditionalProviderMetadata, DiscoveryError, IssuerUrl, JsonWebKeySet, ProviderMetadata,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType,
        CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
        CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{
    failure::Failure,
    http::{Http, HttpError},
    settings::is_safe,
};

pub type Metadata = ProviderMetadata<
    Announced,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What the library does not read.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Announced {
    /// RFC 9207: every answer says whose it is.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Announced {}

/// One provider's description. Who comes while it is fetched waits for the same answer, also for none: asking
/// in turn, the last of many would wait for all timeouts of a dead provider.
#[derive(Default)]
pub struct Cache(Mutex<Slot>);

#[derive(Default)]
struct Slot {
    known: Option<Known>,
    /// When asking last ended without an answer.
    failed: Option<Instant>,
}

struct Known {
    metadata: Arc<Metadata>,
    fetched: Instant,
    /// When an unknown key last made us ask for the keys.
    renewed: Option<Instant>,
}

impl Cache {
    /// The description, at most `lifetime` old: a key that the provider withdrew is gone by then.
    pub async fn get(
        &self,
        issuer: &str,
        http: &Http,
        lifetime: Duration,
        development: bool,
    ) -> Result<Arc<Metadata>, Failure> {
        let came = Instant::now();
        let mut slot = self.0.lock().await;
        if let Some(known) = slot.known.as_ref().filter(|known| known.fetched.elapsed() < lifetime) {
            return Ok(known.metadata.clone());
        }
        if slot.failed.is_some_and(|failed| failed >= came) {
            return Err(Failure::Unavailable);
        }
        let found = discover(issuer, http, development).await;
        if found.is_err() {
            slot.failed = Some(Instant::now());
        }
        let metadata = Arc::new(found?);
        let renewed = slot.known.as_ref().and_then(|known| known.renewed);
        slot.known = Some(Known { metadata: metadata.clone(), fetched: Instant::now(), renewed });
        Ok(metadata)
    }

    /// Asks for the keys again, for a token whose key is not among them: it may be a new one. At most
    /// once in `cooldown`, since anybody can make up the name of a key.
    pub async fn renew(
        &self,
        http: &Http,
        cooldown: Duration,
    ) -> Result<Option<Arc<Metadata>>, Failure> {
        let mut slot = self.0.lock().await;
        let Some(known) = slot.known.as_mut() else {
            return Ok(None);
        };
        if known.renewed.is_some_and(|renewed| renewed.elapsed() < cooldown) {
            return Ok(Some(known.metadata.clone()));
        }
        known.renewed = Some(Instant::now());
        let keys = JsonWebKeySet::fetch_async(known.metadata.jwks_uri(), http).await;
        let metadata = Metadata::clone(&known.metadata).set_jwks(keys.map_err(unreachable)?);
        known.metadata = Arc::new(metadata);
        Ok(Some(known.metadata.clone()))
    }
}

/// The library compares the issuer with the one that was asked for (ASVS 10.5.3).
async fn discover(issuer: &str, http: &Http, development: bool) -> Result<Metadata, Failure> {
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|_| Failure::Unavailable)?;
    let metadata = Metadata::discover_async(issuer, http).await.map_err(unreachable)?;
    // The one endpoint that is not called from here.
    if is_safe(metadata.authorization_endpoint().url(), development) {
        Ok(metadata)
    } else {
        Err(unreachable(DiscoveryError::Request(HttpError::Insecure)))
    }
}

fn unreachable(error: DiscoveryError<HttpError>) -> Failure {
    let why = match &error {
        DiscoveryError::Request(error) => error.to_string(),
        DiscoveryError::Response(status, ..) => format!("status {status}"),
        error => error.to_string(),
    };
    tracing::warn!(target: "auth", ?why, "a provider's description cannot be used");
    Failure::Unavailable
}

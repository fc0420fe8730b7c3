//! This application as a client of a provider, in the library's terms.

use [= import.openidconnect =]::{
    AdditionalClaims, AuthType, Client, ClientId, ClientSecret, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, RedirectUrl,
    StandardErrorResponse, StandardTokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{failure::Failure, metadata::Metadata, settings::Provider};
use crate::auth::settings::Settings;

/// Claims of an ID token that the library does not read.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Claims {
    /// Any number of seconds; anything else makes the token unreadable.
    pub nbf: Option<f64>,
    pub xms_edov: Option<Value>,
}

impl AdditionalClaims for Claims {}

pub type Tokens = StandardTokenResponse<
    IdTokenFields<
        Claims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

pub type OpenId = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

pub fn open_id(
    settings: &Settings,
    provider: &Provider,
    metadata: &Metadata,
) -> Result<OpenId, Failure> {
    let id = ClientId::new(provider.client_id.clone());
    let secret = ClientSecret::new(provider.client_secret.clone());
    let client = OpenId::from_provider_metadata(metadata.clone(), id, Some(secret));
    Ok(client.set_redirect_uri(redirect_url(settings, provider)?).set_auth_type(auth_type(provider)))
}

/// Where the provider sends the browser back to: another path for each, so that one cannot pass its
/// answer off as another's (RFC 9700 4.4.2). Made of the settings, whatever `Host` a request had.
pub fn redirect_url(settings: &Settings, provider: &Provider) -> Result<RedirectUrl, Failure> {
    let url = format!("{}/auth/oidc/{}/callback", settings.base_url, provider.preset.id);
    RedirectUrl::new(url).map_err(|_| Failure::Unavailable)
}

pub fn auth_type(provider: &Provider) -> AuthType {
    if provider.preset.secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth }
}

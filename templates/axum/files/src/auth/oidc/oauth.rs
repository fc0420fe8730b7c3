//! Sign-in at a provider that has OAuth 2 and no OpenID Connect: who somebody is, its API says.

use [= import.oauth2 =]::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeVerifier, Scope, TokenResponse, TokenUrl,
    basic::{BasicClient, BasicTokenType},
};
use serde::Deserialize;

use super::{
    client::{auth_type, redirect_url},
    exchange::Person,
    failure::Failure,
    http::HttpError,
    presets::Endpoints,
    settings::Provider,
    start::{Begun, challenge},
    transaction::{Opened, Transaction},
};
use crate::auth::{Auth, db::now, settings::Settings};

pub type Client =
    BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

pub fn client(
    settings: &Settings,
    provider: &Provider,
    endpoints: &Endpoints,
) -> Result<Client, Failure> {
    let authorize = AuthUrl::new(endpoints.authorize.to_owned());
    let token = TokenUrl::new(endpoints.token.to_owned());
    let (Ok(authorize), Ok(token)) = (authorize, token) else {
        return Err(Failure::Unavailable);
    };
    Ok(BasicClient::new(ClientId::new(provider.client_id.clone()))
        .set_client_secret(ClientSecret::new(provider.client_secret.clone()))
        .set_auth_type(auth_type(provider))
        .set_auth_uri(authorize)
        .set_token_uri(token)
        .set_redirect_uri(redirect_url(settings, provider)?))
}

pub fn ask(client: &Client, provider: &Provider, opened: Opened) -> Begun {
    let Opened { state, verifier, cookie, .. } = opened;
    let mut request = client
        .authorize_url(|| CsrfToken::new(state))
        .set_pkce_challenge(challenge(verifier));
    for scope in provider.preset.scopes {
        request = request.add_scope(Scope::new((*scope).to_owned()));
    }
    if let Some(prompt) = provider.preset.prompt {
        request = request.add_extra_param("prompt", prompt);
    }
    let (location, _) = request.url();
    Begun { location: location.into(), cookie }
}

#[derive(Deserialize)]
struct Profile {
    /// Never given to anybody else, as names are.
    id: u64,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

pub async fn person(
    auth: &Auth,
    provider: &Provider,
    endpoints: &Endpoints,
    code: String,
    transaction: &Transaction,
) -> Result<Person, Failure> {
    let http = auth.oidc().http();
    let verifier = PkceCodeVerifier::new(transaction.verifier.clone());
    let tokens = client(auth.settings(), provider, endpoints)?
        .exchange_code(AuthorizationCode::new(code))
        .set_pkce_verifier(verifier)
        .request_async(http)
        .await?;
    if *tokens.token_type() != BasicTokenType::Bearer {
        return Err(Failure::Refused("token_type"));
    }
    let token = tokens.access_token();
    let profile: Profile = http.json(endpoints.user, token).await.map_err(unreachable)?;
    let addresses: Vec<Address> = http.json(endpoints.emails, token).await.map_err(unreachable)?;
    let address = addresses.into_iter().find(|address| address.primary);
    Ok(Person {
        issuer: provider.issuer.clone(),
        subject: profile.id.to_string(),
        email_verified: address.as_ref().is_some_and(|address| address.verified),
        email: address.map(|address| address.email),
        auth_time: now(),
    })
}

fn unreachable(error: HttpError) -> Failure {
    tracing::warn!(target: "auth", %error, "a provider's API failed");
    Failure::Unavailable
}

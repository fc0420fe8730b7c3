//! From a code to somebody that a provider vouches for.

use std::sync::Arc;

use [= import.openidconnect =]::{
    AccessTokenHash, AuthorizationCode, ClaimsVerificationError, ClientId, IdToken, IdTokenClaims,
    IdTokenVerifier, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeVerifier,
    SignatureVerificationError, TokenResponse, UserInfoClaims, UserInfoError,
    core::{
        CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
        CoreTokenType,
    },
};
use serde_json::Value;

use super::{
    Oidc,
    client::{self, Claims, OpenId, Tokens},
    failure::Failure,
    metadata::Metadata,
    presets::Protocol,
    settings::Provider,
    transaction::{Intent, Transaction},
};
use crate::auth::{db::now, settings::Settings};

/// How far a provider's clock may be off, in seconds.
const LEEWAY: i64 = 60;
/// An ID token is used right after it was made.
const MAX_AGE: i64 = 600;
/// OpenID Connect Core 2: at most 255 ASCII characters.
const MAX_SUBJECT: usize = 255;

/// Somebody at a provider. Issuer and subject say who; the address is only a claim (ASVS 6.8.1).
pub struct Person {
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    /// Whether the provider says that the address is theirs.
    pub email_verified: bool,
    /// When they signed in there, in Unix seconds; 0 if the provider should say and does not.
    pub auth_time: i64,
}

type Token = IdToken<Claims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Verifier<'a> = IdTokenVerifier<'a, CoreJsonWebKey>;
type Verified = IdTokenClaims<Claims, CoreGenderClaim>;

/// Exchanges the code and checks the ID token that comes for it. Its tokens are dropped at the end:
/// no browser, log or table ever holds one (ASVS 10.1.1).
pub async fn person(
    oidc: &Oidc,
    settings: &Settings,
    provider: &Provider,
    metadata: Arc<Metadata>,
    code: String,
    transaction: &Transaction,
) -> Result<Person, Failure> {
    let client = client::open_id(settings, provider, &metadata)?;
    let verifier = PkceCodeVerifier::new(transaction.verifier.clone());
    let tokens = client
        .exchange_code(AuthorizationCode::new(code))
        .map_err(|_| Failure::Unavailable)?
        .set_pkce_verifier(verifier)
        .request_async(oidc.http())
        .await?;
    if *tokens.token_type() != CoreTokenType::Bearer {
        return Err(Failure::Refused("token_type"));
    }
    let token = tokens.id_token().ok_or(Failure::Refused("id_token_missing"))?;
    let claims = match check(provider, &metadata, &tokens, token, transaction) {
        Err(Unfit::UnknownKey) => {
            let metadata = oidc.renewed(provider).await?.unwrap_or(metadata);
            check(provider, &metadata, &tokens, token, transaction)
        }
        checked => checked,
    };
    let claims = claims.map_err(Failure::from)?;
    about(oidc, provider, &client, &tokens, claims).await
}

/// Why an ID token counts for nothing.
enum Unfit {
    UnknownKey,
    Claims(ClaimsVerificationError),
    Other(&'static str),
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        let (reason, why) = match unfit {
            Unfit::UnknownKey => ("key", "no key of the provider fits".to_owned()),
            Unfit::Claims(error) => ("id_token", error.to_string()),
            Unfit::Other(reason) => (reason, "a claim of the ID token".to_owned()),
        };
        tracing::warn!(target: "auth", reason, ?why, "an ID token was refused");
        Self::Refused(reason)
    }
}

impl From<ClaimsVerificationError> for Unfit {
    fn from(error: ClaimsVerificationError) -> Self {
        match error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                Self::UnknownKey
            }
            error => Self::Claims(error),
        }
    }
}

/// The library checks signature, algorithm, key, issuer, audience, expiry and nonce; what it leaves
/// to its caller follows (OpenID Connect Core 3.1.3.7, ASVS 10.5.1 to 10.5.4).
fn check<'t>(
    provider: &Provider,
    metadata: &Metadata,
    tokens: &Tokens,
    token: &'t Token,
    transaction: &Transaction,
) -> Result<&'t Verified, Unfit> {
    let verifier = verifier(provider, metadata, transaction)?;
    let claims = token.claims(&verifier, &Nonce::new(transaction.nonce.clone()))?;
    if claims.authorized_party().is_some_and(|party| **party != provider.client_id) {
        return Err(Unfit::Other("azp"));
    }
    if claims.additional_claims().nbf.is_some_and(|nbf| nbf > (now() + LEEWAY) as f64) {
        return Err(Unfit::Other("nbf"));
    }
    let subject = claims.subject().as_str();
    let is_plain = subject.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if subject.is_empty() || subject.len() > MAX_SUBJECT || !is_plain {
        return Err(Unfit::Other("sub"));
    }
    if let Some(expected) = claims.access_token_hash() {
        let unusable = |_| Unfit::Other("at_hash");
        let algorithm = token.signing_alg().map_err(unusable)?;
        let key = token.signing_key(&verifier).map_err(unusable)?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
        if actual.ok().as_ref() != Some(expected) {
            return Err(Unfit::Other("at_hash"));
        }
    }
    Ok(claims)
}

/// Never a key or an algorithm of the token's choice: the issuer's keys, and those algorithms that
/// the provider is known for. The client's secret is no key, so HMAC is not among them.
fn verifier<'a>(
    provider: &'a Provider,
    metadata: &Metadata,
    transaction: &'a Transaction,
) -> Result<Verifier<'a>, Unfit> {
    let algorithms = match &provider.preset.protocol {
        Protocol::OpenId { algorithms, .. } => *algorithms,
[%- if 'github' in providers %]
        Protocol::OAuth(_) => &[],
[%- endif %]
    };
    let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(|_| Unfit::Other("issuer"))?;
    let client_id = ClientId::new(provider.client_id.clone());
    Ok(Verifier::new_public_client(client_id, issuer, metadata.jwks().clone())
        .set_allowed_algs(algorithms.iter().cloned())
        .set_issue_time_verifier_fn(|issued| {
            let age = now() - issued.timestamp();
            if (-LEEWAY..=MAX_AGE).contains(&age) { Ok(()) } else { Err("iat is not now".to_owned()) }
        })
        .set_auth_time_verifier_fn(|time| {
            let time = time.map(|time| time.timestamp());
            if is_recent(provider, transaction, time) { Ok(()) } else { Err("auth_time is too old, or missing".to_owned()) }
        })
        .set_auth_context_verifier_fn(|acr| {
            let is_wanted = provider.acr.as_ref().is_none_or(|wanted| acr.is_some_and(|acr| **acr == *wanted));
            if is_wanted { Ok(()) } else { Err("acr is another".to_owned()) }
        }))
}

/// Whether somebody signed in at the provider as lately as was asked for. Not to say when is not to
/// have done it (ASVS 6.8.4).
fn is_recent(provider: &Provider, transaction: &Transaction, time: Option<i64>) -> bool {
    let oldest = if transaction.is_for(Intent::Reauth) {
        Some(transaction.created_at)
    } else {
        provider.max_age.map(|seconds| now() - seconds)
    };
    let Some(oldest) = oldest else { return true };
    time.is_some_and(|time| time >= oldest - LEEWAY && time <= now() + LEEWAY)
}

/// An open browser is signed in at its provider without anybody there, so that coming from one proves
/// nobody anew (ASVS 7.5.1). Only of a provider that is known not to say when it was, it is now.
fn signed_in_at(provider: &Provider, claims: &Verified) -> i64 {
    match claims.auth_time().map(|time| time.timestamp()) {
        Some(time) if time <= now() + LEEWAY => time.clamp(0, now()),
        None if !provider.preset.reauth => now(),
        time => {
            let provider = provider.preset.id;
            tracing::warn!(target: "auth", provider, ?time, "no usable `auth_time`: the session is not fresh");
            0
        }
    }
}

/// Who it is. UserInfo is asked only where the token has no address; the library compares its
/// subject with the token's.
async fn about(
    oidc: &Oidc,
    provider: &Provider,
    client: &OpenId,
    tokens: &Tokens,
    claims: &Verified,
) -> Result<Person, Failure> {
    let person = |email: Option<String>, email_verified| Person {
        issuer: provider.issuer.clone(),
        subject: claims.subject().to_string(),
        email,
        email_verified,
        auth_time: signed_in_at(provider, claims),
    };
    if let Some(email) = claims.email() {
        let extra = claims.additional_claims().xms_edov.as_ref();
        let verified = if provider.preset.domain_verified {
            extra.is_some_and(is_yes)
        } else {
            claims.email_verified() == Some(true)
        };
        return Ok(person(Some(email.to_string()), verified));
    }
    let subject = claims.subject().clone();
    let Ok(request) = client.user_info(tokens.access_token().clone(), Some(subject)) else {
        return Ok(person(None, false));
    };
    let info = request.request_async(oidc.http()).await.map_err(|error| match error {
        UserInfoError::Request(error) => {
            tracing::warn!(target: "auth", %error, "a provider's UserInfo failed");
            Failure::Unavailable
        }
        _ => Failure::Refused("userinfo"),
    })?;
    let info: UserInfoClaims<Claims, CoreGenderClaim> = info;
    let email = info.email().map(|email| email.as_str().to_owned());
    Ok(person(email, info.email_verified() == Some(true)))
}

/// The claim is a boolean, and was a number and a text.
fn is_yes(claim: &Value) -> bool {
    *claim == true || *claim == 1 || *claim == "1" || *claim == "true"
}

//! The way to a provider.

use std::time::Duration;

use axum::{
    Extension, Json,
    extract::{FromRequest, Path, Request, rejection::PathRejection},
    http::header,
    response::{IntoResponse, Response},
};
use [= import.openidconnect =]::{
    AuthenticationContextClass, AuthenticationFlow, CsrfToken, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, Scope,
    core::{CoreAuthPrompt, CoreResponseType},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    client,
    failure::Failure,
    presets::Protocol,
    settings::Provider,
    transaction::{self, Intent, Opened},
};
use crate::auth::{
    input::{Input, READ_TIMEOUT, read},
    local_path::is_local_path,
    problem::Problem,
    throttle,
    user::{FreshUser, User},
    visit::Visit,
};

/// A month: old enough to make hardly anybody enter a password for it, in seconds.
const ANY_AGE: i64 = 2_592_000;

/// The providers that people can choose from.
pub async fn list(Extension(visit): Extension<Visit>) -> Response {
    let providers = visit.auth().settings().oidc.providers.iter();
    let providers: Vec<_> = providers
        .map(|provider| json!({ "id": provider.preset.id, "name": provider.preset.name }))
        .collect();
    Json(json!({ "providers": providers })).into_response()
}

type Named = Result<Path<String>, PathRejection>;

pub async fn start(
    Extension(visit): Extension<Visit>,
    named: Named,
    Wish(next): Wish,
) -> Result<Response, Problem> {
    Ok(begin(&visit, named, Intent::Login, None, &next).await?.into_response())
}

/// Takes a session that was signed in to lately, and a request of this site: who is linked can sign
/// in from then on (ASVS 7.5.1).
pub async fn link(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
    named: Named,
    Wish(next): Wish,
) -> Result<Response, Problem> {
    Ok(begin(&visit, named, Intent::Link, Some(&user), &next).await?.into_response())
}

/// In place of entering a password again: the provider must have somebody sign in anew.
pub async fn reauth(
    Extension(visit): Extension<Visit>,
    user: User,
    named: Named,
    Wish(next): Wish,
) -> Result<Response, Problem> {
    Ok(begin(&visit, named, Intent::Reauth, Some(&user), &next).await?.into_response())
}

/// Where the browser goes, and the cookie it takes along.
pub struct Begun {
    pub location: String,
    pub cookie: header::HeaderValue,
}

impl IntoResponse for Begun {
    fn into_response(self) -> Response {
        let body = Json(json!({ "location": self.location }));
        ([(header::SET_COOKIE, self.cookie)], body).into_response()
    }
}

pub async fn begin(
    visit: &Visit,
    named: Named,
    intent: Intent,
    user: Option<&User>,
    next: &str,
) -> Result<Begun, Problem> {
    let settings = visit.auth().settings();
    throttle::per_source(visit, "oidc", settings.policy.login_source).await?;
    let provider = named_provider(visit, &named)?;
    if intent == Intent::Reauth && !provider.preset.reauth {
        return Err(Problem::reauth_unsupported());
    }
    let next = if is_local_path(next) { next } else { settings.home_path() };
    match ask(visit, provider, intent, user, next).await {
        Ok(begun) => Ok(begun),
        Err(failure) => Err(failure.tell(visit).await),
    }
}

pub fn named_provider<'v>(visit: &'v Visit, named: &Named) -> Result<&'v Provider, Problem> {
    let Ok(Path(id)) = named else {
        return Err(Problem::provider_unknown());
    };
    visit.auth().settings().oidc.provider(id).ok_or(Problem::provider_unknown())
}

/// The description is fetched before a transaction is opened: a dead provider leaves none behind.
async fn ask(
    visit: &Visit,
    provider: &Provider,
    intent: Intent,
    user: Option<&User>,
    next: &str,
) -> Result<Begun, Failure> {
    match &provider.preset.protocol {
        Protocol::OpenId { .. } => {
            let metadata = visit.auth().oidc().metadata(provider).await?;
            let opened = transaction::open(visit, provider, intent, user, next).await?;
            let client = client::open_id(visit.auth().settings(), provider, &metadata)?;
            Ok(open_id(&client, provider, intent, opened))
        }
[%- if 'github' in providers %]
        Protocol::OAuth(endpoints) => {
            let opened = transaction::open(visit, provider, intent, user, next).await?;
            let client = super::oauth::client(visit.auth().settings(), provider, endpoints)?;
            Ok(super::oauth::ask(&client, provider, opened))
        }
[%- endif %]
    }
}

fn open_id(client: &client::OpenId, provider: &Provider, intent: Intent, opened: Opened) -> Begun {
    let Opened { state, nonce, verifier, cookie } = opened;
    let preset = provider.preset;
    let mut request = client
        .authorize_url(
            AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
            || CsrfToken::new(state),
            || Nonce::new(nonce),
        )
        .set_pkce_challenge(challenge(verifier));
    // The library adds `openid`.
    for scope in preset.scopes.iter().filter(|scope| **scope != "openid") {
        request = request.add_scope(Scope::new((*scope).to_owned()));
    }
    if intent == Intent::Reauth {
        request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
    } else {
        if let Some(prompt) = preset.prompt {
            request = request.add_extra_param("prompt", prompt);
        }
        // Asked for an age, a provider says when somebody signed in (OpenID Connect Core 3.1.2.1).
        if let Some(seconds) = provider.max_age.or(preset.reauth.then_some(ANY_AGE)) {
            request = request.set_max_age(Duration::from_secs(seconds.unsigned_abs()));
        }
    }
    if let Some(acr) = &provider.acr {
        request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
    }
    if preset.form_post {
        request = request.add_extra_param("response_mode", "form_post");
    }
    let (location, _, _) = request.url();
    Begun { location: location.into(), cookie }
}

pub fn challenge(verifier: String) -> PkceCodeChallenge {
    PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    next: String,
}

/// Where somebody wants to be after signing in. The body that says so may be left out.
pub struct Wish(pub String);

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<S: Send + Sync> FromRequest<S> for Wish {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.headers().contains_key(header::CONTENT_TYPE) {
            let Input(body) = Input::<Body>::from_request(request, state).await?;
            return Ok(Self(body.next));
        }
        let body = read(request.into_body(), READ_TIMEOUT).await?;
        if body.is_empty() { Ok(Self(String::new())) } else { Err(Problem::json_required()) }
    }
}

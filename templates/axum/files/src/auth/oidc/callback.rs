//! The way back from a provider.

use std::time::Duration;

use axum::{
    Extension,
    extract::{Path, RawQuery, rejection::PathRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use [= import.openidconnect =]::url::form_urlencoded;

use super::{
    exchange::{self, Person},
    failure::Failure,
    identities,
    presets::Protocol,
    settings::Provider,
    start::named_provider,
    transaction::{self, Intent, Transaction},
};
use crate::auth::{problem::Problem, user::User, visit::Visit};

/// All calls of one request together.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any code takes.
const MAX_CODE: usize = 4_096;

/// What a provider answers. Other parameters are not looked at (OpenID Connect Core 3.1.2.5).
#[derive(Default)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    /// A parameter comes twice: two readers could take different ones (ASVS 15.3.7).
    is_ambiguous: bool,
}

impl Answer {
    fn parse(query: &str) -> Self {
        let mut answer = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "code" => &mut answer.code,
                "state" => &mut answer.state,
                "iss" => &mut answer.iss,
                "error" => &mut answer.error,
                _ => continue,
            };
            answer.is_ambiguous |= slot.replace(value.into_owned()).is_some();
        }
        answer
    }
}

/// Signs in, links, or proves anew, as the transaction says. The answer leads away at once: the
/// address with the code is left behind (ASVS 14.2.1, RFC 9700 4.2.4).
pub async fn callback(
    Extension(visit): Extension<Visit>,
    named: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let provider = named_provider(&visit, &named)?;
    match finish(&visit, provider, &query.unwrap_or_default()).await {
        Ok(next) => Ok((StatusCode::SEE_OTHER, [(header::LOCATION, next)]).into_response()),
        Err(failure) => Err(failure.tell(&visit).await),
    }
}

/// Returns where to go then. The transaction is used up first, whatever the answer turns out to be.
async fn finish(visit: &Visit, provider: &Provider, query: &str) -> Result<String, Failure> {
    let answer = Answer::parse(query);
    let state = answer.state.as_deref().ok_or(Failure::Refused("state"))?;
    let mut db = visit.auth().db().pool().acquire().await?;
    let transaction = transaction::take(&mut db, state).await?;
    drop(db);
    let transaction = transaction.ok_or(Failure::Refused("state"))?;
    if let Some(reason) = transaction.mismatch(visit, provider) {
        return Err(Failure::Refused(reason));
    }
    if answer.is_ambiguous {
        return Err(Failure::Refused("ambiguous"));
    }
    let person = tokio::time::timeout(PATIENCE, identify(visit, provider, answer, &transaction));
    let person = person.await.unwrap_or(Err(Failure::Unavailable))?;
    act(visit, provider, &person, &transaction).await?;
    Ok(transaction.next)
}

async fn identify(
    visit: &Visit,
    provider: &Provider,
    answer: Answer,
    transaction: &Transaction,
) -> Result<Person, Failure> {
    match &provider.preset.protocol {
        Protocol::OpenId { .. } => {
            let oidc = visit.auth().oidc();
            let metadata = oidc.metadata(provider).await?;
            let says_issuer = metadata.additional_metadata().authorization_response_iss_parameter_supported;
            let code = code(answer, &provider.issuer, says_issuer)?;
            let settings = visit.auth().settings();
            exchange::person(oidc, settings, provider, metadata, code, transaction).await
        }
[%- if 'github' in providers %]
        Protocol::OAuth(endpoints) => {
            let code = code(answer, &provider.issuer, false)?;
            super::oauth::person(visit.auth(), provider, endpoints, code, transaction).await
        }
[%- endif %]
    }
}

/// The code, if the answer is this provider's (RFC 9207 2.4) and holds nothing else.
fn code(answer: Answer, issuer: &str, must_say: bool) -> Result<String, Failure> {
    let is_said = answer.iss.as_deref().map(|iss| iss == issuer);
    if !is_said.unwrap_or(!must_say) {
        return Err(Failure::Refused("iss"));
    }
    if answer.error.is_some() {
        return Err(Failure::Refused("provider_error"));
    }
    let code = answer.code.filter(|code| (1..=MAX_CODE).contains(&code.len()));
    code.ok_or(Failure::Refused("code"))
}

/// Linking and proving anew are for the session that began them and for nobody else.
async fn act(
    visit: &Visit,
    provider: &Provider,
    person: &Person,
    transaction: &Transaction,
) -> Result<(), Failure> {
    if transaction.is_for(Intent::Login) {
        return Ok(identities::sign_in(visit, provider, person).await?);
    }
    let user = User::from_session(visit.session()).await?;
    let user = transaction.same_user(user).ok_or(Failure::Refused("session"))?;
    if transaction.is_for(Intent::Link) {
        return Ok(identities::link(visit, &user, provider, person).await?);
    }
    if identities::reauth(visit, &user, person, transaction.created_at).await? {
        Ok(())
    } else {
        Err(Failure::Refused("identity"))
    }
}
[%- if 'apple' in providers %]

/// For a provider that posts its answer: browsers send no cookie along with that, so it becomes a
/// reading request, which changes nothing of what is checked then. Comes from another site, always.
pub async fn posted(
    Extension(visit): Extension<Visit>,
    named: Result<Path<String>, PathRejection>,
    body: axum::body::Body,
) -> Result<Response, Problem> {
    let provider = named_provider(&visit, &named)?;
    if !provider.preset.form_post {
        return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response());
    }
    let body = crate::auth::input::read(body, crate::auth::input::READ_TIMEOUT).await?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(&body) {
        if matches!(&*name, "code" | "state" | "iss" | "error") {
            query.append_pair(&name, &value);
        }
    }
    let to = format!("/auth/oidc/{}/callback?{}", provider.preset.id, query.finish());
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response())
}
[%- endif %]

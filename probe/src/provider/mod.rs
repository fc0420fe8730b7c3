//! OpenID providers that an application under attack is told to trust. They are right in all that an attack does not change,
//! keep a log of what they are asked, and end with the application that they are for.

pub mod ask;
mod authority;
mod grant;
mod hits;
pub mod keys;
mod reply;
mod server;
mod token;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

pub use self::{
    ask::Ask,
    authority::{Authority, HOST, Paper},
    grant::{Change, Grant, Signed, Spoilt, Subject, UserInfo},
    hits::Hit,
    keys::Key,
    reply::{Manner, Reply},
    server::Listener,
};
use crate::random;

/// What a provider can be asked for, besides the page where people sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    Discovery,
    Keys,
    Token,
    UserInfo,
}

impl Endpoint {
    const ALL: [Self; 4] = [Self::Discovery, Self::Keys, Self::Token, Self::UserInfo];

    const fn path(self) -> &'static str {
        match self {
            Self::Discovery => "/.well-known/openid-configuration",
            Self::Keys => "/keys",
            Self::Token => "/token",
            Self::UserInfo => "/userinfo",
        }
    }

    fn at(target: &str) -> Option<Self> {
        let path = target.split('?').next().unwrap_or_default();
        Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)
    }
}

/// A provider. It runs until it is dropped.
pub struct Provider {
    /// The application's name of it.
    pub id: String,
    pub client_id: String,
    pub client_secret: String,
    listener: Listener,
    state: Arc<State>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Provider").field(&self.id).finish()
    }
}

#[derive(Default)]
struct State {
    client: (String, String),
    issuer: Mutex<String>,
    keys: Mutex<Vec<Key>>,
    /// The key set where it is not what the keys say.
    key_set: Mutex<Option<Value>>,
    metadata: Mutex<Vec<Change>>,
    manners: Mutex<BTreeMap<Endpoint, Manner>>,
    /// By code.
    grants: Mutex<BTreeMap<String, (Ask, Grant)>>,
    hits: Mutex<Vec<Hit>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Provider {
    /// # Errors
    /// When it cannot listen, or no keys can be made.
    pub fn start(id: &str, authority: &Authority) -> Result<Self> {
        let client = (format!("client-{}", random::letters(12)), random::letters(40));
        let keys = Mutex::new(vec![Key::of_provider()?, Key::ec()?]);
        let state = Arc::new(State { client: client.clone(), keys, ..State::default() });
        let answering = state.clone();
        let listener =
            Listener::start(Some(authority.server(Paper::Right)?), Box::new(move |hit| answering.answer(hit)))?;
        *locked(&state.issuer) = format!("https://{HOST}:{}", listener.port());
        Ok(Self { id: id.to_owned(), client_id: client.0, client_secret: client.1, listener, state })
    }

    pub fn issuer(&self) -> String {
        locked(&self.state.issuer).clone()
    }

    /// Its page where people sign in.
    pub fn authorization_endpoint(&self) -> String {
        format!("{}/authorize", self.issuer())
    }

    /// Somebody signs in there; gives the code that the browser takes back.
    pub fn grant(&self, ask: &Ask, grant: Grant) -> String {
        let code = format!("code-{}", random::letters(30));
        locked(&self.state.grants).insert(code.clone(), (ask.clone(), grant));
        code
    }

    /// What its token endpoint answers to a code of that grant.
    ///
    /// # Errors
    /// When the ID token cannot be signed.
    pub fn answer_of(&self, ask: &Ask, grant: &Grant) -> Result<Reply> {
        self.state.tokens(ask, grant)
    }

    /// An ID token as the grant has it.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn id_token(&self, ask: &Ask, grant: &Grant) -> Result<String> {
        token::id_token(grant, &grant.id_claims(&self.issuer(), ask, now()), &locked(&self.state.keys))
    }

    pub fn hits(&self, endpoint: Endpoint) -> Vec<Hit> {
        locked(&self.state.hits).iter().filter(|hit| hit.endpoint == Some(endpoint)).cloned().collect()
    }

    /// The requests that tried to redeem the code.
    pub fn redeemed(&self, code: &str) -> Vec<Hit> {
        self.hits(Endpoint::Token).into_iter().filter(|hit| hit.field("code").as_deref() == Some(code)).collect()
    }

    /// The requests to UserInfo with this access token.
    pub fn asked_about(&self, access_token: &str) -> Vec<Hit> {
        self.hits(Endpoint::UserInfo).into_iter().filter(|hit| hit.bearer() == Some(access_token)).collect()
    }

    pub fn keys(&self) -> Vec<Key> {
        locked(&self.state.keys).clone()
    }

    /// From now on these are its keys, and it publishes them.
    pub fn change_keys(&self, keys: Vec<Key>) {
        *locked(&self.state.keys) = keys;
    }

    /// From now on it publishes this, whatever its keys are.
    pub fn publish(&self, key_set: Value) {
        *locked(&self.state.key_set) = Some(key_set);
    }

    /// From now on its metadata has this instead.
    pub fn describe(&self, name: &str, value: Option<Value>) {
        locked(&self.state.metadata).push((name.to_owned(), value));
    }

    /// From now on the endpoint does this instead of answering; `None` answers again.
    pub fn act(&self, endpoint: Endpoint, manner: Option<Manner>) {
        let mut manners = locked(&self.state.manners);
        match manner {
            Some(manner) => _ = manners.insert(endpoint, manner),
            None => _ = manners.remove(&endpoint),
        }
    }

    /// From now on it shows another certificate.
    ///
    /// # Errors
    /// Does not fail where keys can be made.
    pub fn show(&self, authority: &Authority, paper: Paper) -> Result<()> {
        self.listener.speak(authority.server(paper)?);
        Ok(())
    }
}

impl State {
    fn answer(&self, hit: &Hit) -> Manner {
        let endpoint = Endpoint::at(&hit.target);
        locked(&self.hits).push(Hit { endpoint, ..hit.clone() });
        let Some(endpoint) = endpoint else { return refusal(404, "not_found") };
        if let Some(manner) = locked(&self.manners).get(&endpoint) {
            return manner.clone();
        }
        match endpoint {
            Endpoint::Discovery => Manner::Answers(Reply::json(200, &self.metadata())),
            Endpoint::Keys => Manner::Answers(Reply::json(200, &self.published())),
            Endpoint::Token => self.token(hit),
            Endpoint::UserInfo => self.userinfo(hit),
        }
    }

    fn metadata(&self) -> Value {
        let issuer = locked(&self.issuer).clone();
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}{}", Endpoint::Token.path()),
            "userinfo_endpoint": format!("{issuer}{}", Endpoint::UserInfo.path()),
            "jwks_uri": format!("{issuer}{}", Endpoint::Keys.path()),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": ["openid", "email", "profile"],
            "claims_supported": ["sub", "iss", "email", "email_verified"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        let mut metadata = metadata.as_object().cloned().unwrap_or_default();
        grant::changed(&mut metadata, &locked(&self.metadata));
        Value::Object(metadata)
    }

    fn published(&self) -> Value {
        let keys = locked(&self.keys).iter().map(Key::jwk).collect::<Vec<_>>();
        locked(&self.key_set).clone().unwrap_or_else(|| json!({ "keys": keys }))
    }

    fn token(&self, hit: &Hit) -> Manner {
        if hit.client().as_ref() != Some(&self.client) {
            return refusal(401, "invalid_client");
        }
        let found = hit.field("code").and_then(|code| locked(&self.grants).get(&code).cloned());
        let Some((ask, grant)) = found else { return refusal(400, "invalid_grant") };
        if grant.proof && !proves(hit, &ask) {
            return refusal(400, "invalid_grant");
        }
        if let Some(instead) = grant.instead {
            return instead;
        }
        self.tokens(&ask, &grant).map_or_else(|_| refusal(500, "server_error"), Manner::Answers)
    }

    fn tokens(&self, ask: &Ask, grant: &Grant) -> Result<Reply> {
        let claims = grant.id_claims(&locked(&self.issuer), ask, now());
        let id_token = token::id_token(grant, &claims, &locked(&self.keys))?;
        let mut answer = Map::new();
        answer.insert("access_token".to_owned(), grant.access_token.clone().into());
        answer.insert("token_type".to_owned(), "Bearer".into());
        answer.insert("expires_in".to_owned(), 300.into());
        answer.insert("id_token".to_owned(), id_token.into());
        grant::changed(&mut answer, &grant.answer);
        Ok(Reply::json(200, &Value::Object(answer)))
    }

    fn userinfo(&self, hit: &Hit) -> Manner {
        let grants = locked(&self.grants);
        let known = grants.values().find(|(_, grant)| hit.bearer() == Some(&grant.access_token));
        let Some((_, grant)) = known else { return refusal(401, "invalid_token") };
        match &grant.userinfo {
            UserInfo::Answer(manner) => manner.clone(),
            UserInfo::Claims(changes) => {
                let mut claims = grant.person();
                grant::changed(&mut claims, changes);
                Manner::Answers(Reply::json(200, &Value::Object(claims)))
            }
        }
    }
}

/// Whether the verifier is that of the code's challenge.
fn proves(hit: &Hit, ask: &Ask) -> bool {
    hit.field("code_verifier").map(|verifier| challenge(&verifier)) == ask.challenge && ask.challenge.is_some()
}

/// The challenge of a verifier, by S256.
pub fn challenge(verifier: &str) -> String {
    use sha2::Digest as _;
    URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier))
}

/// Whether the secret is in the text, as it is or in what parts of it decode to.
pub fn reveals(text: &str, secret: &str) -> bool {
    let is_part = |c: char| !(c.is_ascii_alphanumeric() || "+/_-".contains(c));
    let decoded = |part: &str| {
        let part = part.replace('+', "-").replace('/', "_");
        URL_SAFE_NO_PAD.decode(part).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let within = |part: &str| decoded(part).is_ok_and(|inner| inner.contains(secret));
    text.contains(secret) || text.split(is_part).filter(|part| part.len() >= 16).any(within)
}

fn refusal(status: u16, error: &str) -> Manner {
    Manner::Answers(Reply::json(status, &json!({ "error": error })))
}

#[cfg(test)]
mod tests;

//! A provider on this machine that does what a test tells it: it lies about one thing at a time and
//! signs it properly.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use [= import.base64 =]::{Engine, engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD}};
use [= import.openidconnect =]::url::{Url, form_urlencoded};
use [= import.ring =]::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use [= import.sha2 =]::{Digest, Sha256};
use serde_json::{Value, json};

use crate::auth::{db::now, tokens};

pub const CLIENT: &str = "the client";
pub const SECRET: &str = "the client's secret";

/// A key for ES256.
pub struct Key {
    pub kid: String,
    pair: EcdsaKeyPair,
}

impl Key {
    pub fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let document = document.expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Self { kid: kid.to_owned(), pair: pair.expect("a pair") }
    }

    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        })
    }

    fn sign(&self, message: &str) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes());
        signature.expect("a signature").as_ref().to_vec()
    }
}

/// How an ID token ends.
pub enum Tail {
    Signed,
    By(Box<Key>),
    Hmac(Vec<u8>),
    Bytes(Vec<u8>),
    /// Signed, with one bit changed.
    Flipped,
    /// Signed, with a claim changed afterwards.
    Changed(&'static str, Value),
}

/// An ID token before it is signed.
pub struct Draft {
    pub header: Value,
    pub claims: Value,
    pub tail: Tail,
}

impl Draft {
    fn finish(self, key: &Key) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = encode(&self.header);
        let mut message = format!("{head}.{}", encode(&self.claims));
        let tail = match self.tail {
            Tail::Signed => key.sign(&message),
            Tail::By(other) => other.sign(&message),
            Tail::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
            Tail::Bytes(bytes) => bytes,
            Tail::Flipped => {
                let mut signature = key.sign(&message);
                signature[20] ^= 1;
                signature
            }
            Tail::Changed(name, value) => {
                let signature = key.sign(&message);
                let mut claims = self.claims;
                claims[name] = value;
                message = format!("{head}.{}", encode(&claims));
                signature
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tail))
    }
}

/// What an endpoint answers in place of what it should.
#[derive(Clone)]
pub struct Instead {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
    pub location: Option<String>,
    pub delay: Duration,
}

impl Instead {
    pub fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: body.as_bytes().to_vec(),
            location: None,
            delay: Duration::ZERO,
        }
    }

    async fn answer(self) -> Response {
        tokio::time::sleep(self.delay).await;
        let status = StatusCode::from_u16(self.status).expect("a status");
        let mut response = (status, [(header::CONTENT_TYPE, self.content_type)], self.body).into_response();
        if let Some(location) = self.location {
            let location = HeaderValue::from_str(&location).expect("an address");
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// What it knows of a sign-in between its page and its token endpoint.
#[derive(Clone)]
struct Grant {
    nonce: String,
    challenge: String,
    redirect: String,
}

type Edit<T> = Box<dyn Fn(&mut T) + Send>;

/// What it does now. Everything can be changed.
pub struct Does {
    /// The account that consents.
    pub claims: Value,
    pub edit: Edit<Draft>,
    /// What comes beside the ID token, and the token itself.
    pub answer: Edit<Value>,
    pub describe: Edit<Value>,
    pub userinfo: Value,
    pub keys: Vec<Key>,
    /// The keys that it shows, if not its own.
    pub shown: Option<Value>,
    /// By path.
    pub instead: BTreeMap<&'static str, Instead>,
    /// Takes any verifier, and a code as often as it comes.
    pub is_lax: bool,
    grants: BTreeMap<String, Grant>,
    pub log: Vec<(String, String)>,
}

#[derive(Clone)]
pub struct Provider {
    pub issuer: String,
    does: Arc<Mutex<Does>>,
}

impl Provider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let does = Does {
            claims: json!({ "sub": "s-ann", "email": super::ANN, "email_verified": true }),
            edit: Box::new(|_| ()),
            answer: Box::new(|_| ()),
            describe: Box::new(|_| ()),
            userinfo: json!({}),
            keys: vec![Key::new("one")],
            shown: None,
            instead: BTreeMap::new(),
            is_lax: false,
            grants: BTreeMap::new(),
            log: Vec::new(),
        };
        let provider = Self { issuer, does: Arc::new(Mutex::new(does)) };
        let router = Router::new()
            .route(CONFIGURATION, get(configuration))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .fallback(elsewhere)
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn does(&self) -> MutexGuard<'_, Does> {
        self.does.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The account that consents from now on.
    pub fn is(&self, sub: &str, email: &str) {
        self.does().claims = json!({ "sub": sub, "email": email, "email_verified": true });
    }

    pub fn lies(&self, edit: impl Fn(&mut Draft) + Send + 'static) {
        self.does().edit = Box::new(edit);
    }

    pub fn count(&self, path: &str) -> usize {
        self.does().log.iter().filter(|(called, _)| called == path).count()
    }

    /// Consents to what an authorization request asks for. Returns the path on which the browser comes
    /// back.
    pub fn consents(&self, location: &str) -> String {
        let asked = parameters(location);
        let code = tokens::random::<16>();
        let grant = Grant {
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            redirect: asked["redirect_uri"].clone(),
        };
        self.does().grants.insert(code.clone(), grant);
        let to = Url::parse(&asked["redirect_uri"]).expect("an address");
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .append_pair("iss", &self.issuer)
            .finish();
        format!("{}?{query}", to.path())
    }

    async fn enter(&self, request: Request) -> (String, Option<Instead>) {
        let path = request.uri().path().to_owned();
        let authorization = request.headers().get(header::AUTHORIZATION).cloned();
        let body = axum::body::to_bytes(request.into_body(), 1 << 16).await.expect("a body");
        let body = String::from_utf8(body.to_vec()).expect("a form");
        let authorization = authorization.map(|value| format!("&authorization={value:?}"));
        let said = format!("{body}{}", authorization.unwrap_or_default());
        let mut does = self.does();
        does.log.push((path.clone(), said));
        let instead = does.instead.iter().find(|(at, _)| **at == path).map(|(_, instead)| instead.clone());
        (body, instead)
    }

    fn id_token(&self, grant: &Grant) -> String {
        let does = self.does();
        let key = does.keys.last().expect("a key");
        let mut draft = Draft {
            header: json!({ "alg": "ES256", "typ": "JWT", "kid": key.kid }),
            claims: json!({
                "iss": self.issuer, "aud": CLIENT, "nonce": grant.nonce,
                "iat": now(), "exp": now() + 300, "auth_time": now(),
            }),
            tail: Tail::Signed,
        };
        for (name, value) in does.claims.as_object().expect("claims") {
            draft.claims[name] = value.clone();
        }
        (does.edit)(&mut draft);
        draft.finish(key)
    }
}

pub const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// The parameters of an address.
pub fn parameters(location: &str) -> BTreeMap<String, String> {
    let url = Url::parse(location).expect("an address");
    url.query_pairs().into_owned().collect()
}

async fn configuration(State(provider): State<Provider>, request: Request) -> Response {
    if let (_, Some(instead)) = provider.enter(request).await {
        return instead.answer().await;
    }
    let issuer = &provider.issuer;
    let mut description = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "authorization_response_iss_parameter_supported": true,
    });
    (provider.does().describe)(&mut description);
    Json(description).into_response()
}

async fn keys(State(provider): State<Provider>, request: Request) -> Response {
    if let (_, Some(instead)) = provider.enter(request).await {
        return instead.answer().await;
    }
    let does = provider.does();
    let own = || json!({ "keys": does.keys.iter().map(Key::jwk).collect::<Vec<_>>() });
    Json(does.shown.clone().unwrap_or_else(own)).into_response()
}

async fn token(State(provider): State<Provider>, request: Request) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    let (body, instead) = provider.enter(request).await;
    if let Some(instead) = instead {
        return instead.answer().await;
    }
    let form: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET)));
    let by_header = authorization.is_some_and(|value| value == format!("Basic {basic}"));
    let by_body = form.get("client_secret").is_some_and(|secret| secret == SECRET);
    if !by_header && !by_body {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let grant = redeem(&provider, &form);
    let Some(grant) = grant else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    let mut answer = json!({
        "access_token": "sentinel-access-token", "refresh_token": "sentinel-refresh-token",
        "token_type": "Bearer", "expires_in": 60, "id_token": provider.id_token(&grant),
    });
    (provider.does().answer)(&mut answer);
    Json(answer).into_response()
}

fn redeem(provider: &Provider, form: &BTreeMap<String, String>) -> Option<Grant> {
    let mut does = provider.does();
    let code = form.get("code")?;
    let grant = if does.is_lax { does.grants.get(code).cloned() } else { does.grants.remove(code) }?;
    let verifier = Sha256::digest(form.get("code_verifier")?);
    let is_proven = URL_SAFE_NO_PAD.encode(verifier) == grant.challenge;
    let is_same = form.get("redirect_uri") == Some(&grant.redirect);
    (does.is_lax || (is_proven && is_same)).then_some(grant)
}

async fn userinfo(State(provider): State<Provider>, request: Request) -> Response {
    if let (_, Some(instead)) = provider.enter(request).await {
        return instead.answer().await;
    }
    Json(provider.does().userinfo.clone()).into_response()
}

/// Where nobody should ever come.
async fn elsewhere(State(provider): State<Provider>, request: Request) -> StatusCode {
    provider.enter(request).await;
    StatusCode::NOT_FOUND
}

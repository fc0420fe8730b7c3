//! The keys of access tokens: one that signs, and those whose tokens count.

use axum::{
    Extension, Json,
    response::{IntoResponse, Response},
};
use [= import.aws_lc_rs =]::{
    encoding::{AsBigEndian, Curve25519SeedBin},
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey},
};
use [= import.base64 =]::{Engine, engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD}};
use [= import.jsonwebtoken =]::{
    Algorithm, DecodingKey, EncodingKey,
    crypto::aws_lc::DEFAULT_PROVIDER,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};

use crate::auth::visit::Visit;

/// What stands before the 32 bytes of a public key in its DER form (RFC 8410 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Keys whose private part is printed in documents: RFC 8032 7.1 (also RFC 8037 A) and RFC 8410 10.3.
const SAMPLES: [&str; 4] = [
    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
    "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU",
    "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE",
];

/// Why a key is not taken.
pub type Refusal = &'static str;

#[derive(Clone)]
pub struct Keys {
    signing: EncodingKey,
    /// That of the signing key first.
    verifying: Vec<Verifying>,
}

#[derive(Clone)]
struct Verifying {
    kid: String,
    key: DecodingKey,
    published: Jwk,
}

impl Keys {
    /// Reads the key that signs: base64 of an Ed25519 key in PKCS#8.
    pub fn new(text: &str, looks_random: fn(&[u8]) -> bool) -> Result<Self, Refusal> {
        // Another crate may have switched on another backend; then somebody has to choose.
        _ = DEFAULT_PROVIDER.install_default();
        let der = decode(text)?;
        let pair = pair(&der)?;
        let seed = pair.seed().map_err(|_| "cannot be used")?;
        let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(|_| "cannot be used")?;
        if !looks_random(seed.as_ref()) {
            return Err("does not look random");
        }
        let public = Verifying::new(pair.public_key().as_ref())?;
        Ok(Self { signing: EncodingKey::from_ed_der(&der), verifying: vec![public] })
    }

    /// Adds a key that signs no more, private or public, whose tokens still count.
    pub fn accept(&mut self, text: &str) -> Result<(), Refusal> {
        let der = decode(text)?;
        let public = match der.strip_prefix(&SPKI) {
            Some(public) => Verifying::new(public)?,
            None => Verifying::new(pair(&der)?.public_key().as_ref())?,
        };
        if self.find(&public.kid).is_none() {
            self.verifying.push(public);
        }
        Ok(())
    }

    pub fn signing(&self) -> (&str, &EncodingKey) {
        (&self.verifying[0].kid, &self.signing)
    }

    /// A `kid` is a name among these and nothing else: no path, no address (RFC 8725 3.10).
    pub fn find(&self, kid: &str) -> Option<&DecodingKey> {
        let found = self.verifying.iter().find(|one| one.kid == kid);
        found.map(|one| &one.key)
    }

    fn published(&self) -> JwkSet {
        JwkSet { keys: self.verifying.iter().map(|one| one.published.clone()).collect() }
    }
}

impl Verifying {
    /// From the 32 bytes of a public key, which must be a point of the curve.
    fn new(public: &[u8]) -> Result<Self, Refusal> {
        ParsedPublicKey::new(&ED25519, public).map_err(|_| "is not an Ed25519 key")?;
        let key = DecodingKey::from_ed_der(public);
        let jwk = Jwk::from_decoding_key(&key, Some(Algorithm::EdDSA));
        let mut published = jwk.map_err(|_| "is not an Ed25519 key")?;
        let kid = published.thumbprint(ThumbprintHash::SHA256);
        let kid = kid.map_err(|_| "is not an Ed25519 key")?;
        let value = URL_SAFE_NO_PAD.encode(public);
        if SAMPLES.contains(&value.as_str()) {
            return Err("is one that documents print");
        }
        published.common.public_key_use = Some(PublicKeyUse::Signature);
        published.common.key_id = Some(kid.clone());
        Ok(Self { kid, key, published })
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text.trim()).map_err(|_| "is not base64")
}

fn pair(der: &[u8]) -> Result<Ed25519KeyPair, Refusal> {
    Ed25519KeyPair::from_pkcs8(der).map_err(|_| "is not an Ed25519 key in PKCS#8")
}

/// A new key, as the setting takes it.
pub fn fresh_key() -> String {
    let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new());
    STANDARD.encode(document.expect("the operating system has randomness"))
}

/// The public parts of the keys, for who checks tokens elsewhere (RFC 7517).
pub async fn published(Extension(visit): Extension<Visit>) -> Response {
    Json(visit.auth().access().keys().published()).into_response()
}

//! Keys that sign ID tokens, and how a provider publishes them.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context as _, Result, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto, jwk::Jwk};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use super::HOST;
use crate::random;

/// A key with its name, as the provider that signs with it knows it.
#[derive(Clone)]
pub struct Key {
    pub kid: String,
    pair: Arc<Pair>,
}

struct Pair {
    pair: KeyPair,
    signing: EncodingKey,
    /// What it signs with unless something else is said.
    algorithm: Algorithm,
    public: Value,
}

/// RSA keys take long to make: the first keys of providers are of these, and nobody else's are.
const POOL: usize = 8;

impl Key {
    /// An RSA key that nobody had before.
    ///
    /// # Errors
    /// Does not fail where keys can be made.
    pub fn rsa() -> Result<Self> {
        Ok(Self { kid: random::letters(12), pair: Arc::new(Pair::rsa()?) })
    }

    /// An RSA key that only providers of other applications may have as well.
    pub(super) fn of_provider() -> Result<Self> {
        static PAIRS: [OnceLock<Result<Arc<Pair>, String>>; POOL] = [const { OnceLock::new() }; POOL];
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let turn = NEXT.fetch_add(1, Ordering::Relaxed) % POOL;
        let made = || Pair::rsa().map(Arc::new).map_err(|error| format!("{error:#}"));
        let pair = PAIRS[turn].get_or_init(made).as_ref().map_err(|error| anyhow!("{error}"))?;
        Ok(Self { kid: random::letters(12), pair: pair.clone() })
    }

    /// A key on the curve P-256.
    ///
    /// # Errors
    /// Does not fail where keys can be made.
    pub fn ec() -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let pair = Pair::new(key, EncodingKey::from_ec_pem, Algorithm::ES256)?;
        Ok(Self { kid: random::letters(12), pair: Arc::new(pair) })
    }

    /// The same key by another name.
    #[must_use]
    pub fn named(&self, kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: self.pair.clone() }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.pair.algorithm
    }

    /// The signature of a token's first two parts, as its third.
    ///
    /// # Errors
    /// When the key cannot sign by this algorithm.
    pub fn sign(&self, message: &str, algorithm: Algorithm) -> Result<String> {
        crypto::sign(message.as_bytes(), &self.pair.signing, algorithm).context("the probe cannot sign an ID token")
    }

    /// Its public part, as in a key set. It does not say for which algorithm it is: that is the client's to know.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.pair.public.clone();
        jwk.as_object_mut().map(|jwk| jwk.shift_remove("alg"));
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A certificate of it that it signed itself, as `x5c` has them.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn certificate(&self) -> Result<String> {
        let certificate = CertificateParams::new(vec![HOST.to_owned()])?.self_signed(&self.pair.pair)?;
        Ok(STANDARD.encode(certificate.der()))
    }

    /// All that somebody could take for a shared secret: forms of the public key, as anybody can get them.
    pub fn public_forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        use rcgen::PublicKeyData as _;
        let pem = self.pair.pair.public_key_pem().replace('\r', "");
        vec![
            ("the public key as PEM", pem.clone().into_bytes()),
            ("the public key as PEM without a last line break", pem.trim_end().as_bytes().to_vec()),
            ("the public key as DER", self.pair.pair.subject_public_key_info()),
            ("the public key as JWK", self.jwk().to_string().into_bytes()),
        ]
    }
}

impl Pair {
    fn rsa() -> Result<Self> {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).context("no RSA key")?;
        Self::new(pair, EncodingKey::from_rsa_pem, Algorithm::RS256)
    }

    fn new(
        pair: KeyPair,
        signing: fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>,
        algorithm: Algorithm,
    ) -> Result<Self> {
        let signing = signing(pair.serialize_pem().as_bytes())?;
        let public = serde_json::to_value(Jwk::from_encoding_key(&signing, algorithm)?)?;
        Ok(Self { pair, signing, algorithm, public })
    }
}

/// A signature keyed by what is no private key.
///
/// # Errors
/// Does not fail.
pub fn keyed_by(secret: &[u8], message: &str) -> Result<String> {
    crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256)
        .context("the probe cannot sign an ID token")
}

//! Signed tokens as attacks need them: read without proof, changed in one place, and signed by whatever key.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, anyhow};
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value, json};

use crate::contract::{Algorithm, KeyFormat};

/// What signs.
pub enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
    /// A secret, and the hash that goes with it.
    Secret(hmac::Algorithm, Vec<u8>),
}

impl Key {
    /// A key from PKCS#8.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn of(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self> {
        let refused = |error| anyhow!("{algorithm:?} takes no such key: {error}");
        match algorithm {
            Algorithm::Ed25519 => Ed25519KeyPair::from_pkcs8(pkcs8).map(Self::Ed25519),
            Algorithm::P256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Self::P256),
        }
        .map_err(refused)
    }

    /// A key that nobody had before.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn fresh(algorithm: Algorithm) -> Result<Self> {
        Self::of(algorithm, &pkcs8(algorithm)?)
    }

    /// An RSA key of 2048 bits.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn rsa() -> Result<Self> {
        rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map(Self::Rsa).context("no key was made")
    }

    /// Such a key in PKCS#8.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn rsa_pkcs8() -> Result<Vec<u8>> {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).context("no key was made")?;
        let der: Pkcs8V1Der<'_> = pair.as_der().context("not written")?;
        Ok(der.as_ref().to_vec())
    }

    /// The secret of HS256, HS384 or HS512.
    pub fn secret(hash: u16, secret: &[u8]) -> Self {
        let algorithm = match hash {
            384 => hmac::HMAC_SHA384,
            512 => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        Self::Secret(algorithm, secret.to_vec())
    }

    /// The signature, as JWS writes it.
    ///
    /// # Errors
    /// When the library cannot.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        Ok(match self {
            Self::Ed25519(pair) => pair.sign(text).as_ref().to_vec(),
            Self::P256(pair) => pair.sign(&random, text).context("not signed")?.as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).context("not signed")?;
                signature
            }
            Self::Secret(hash, secret) => hmac::sign(&hmac::Key::new(*hash, secret), text).as_ref().to_vec(),
        })
    }

    /// The public key as a `SubjectPublicKeyInfo`; nothing for a secret.
    ///
    /// # Errors
    /// When the library cannot write it.
    pub fn public_der(&self) -> Result<Vec<u8>> {
        match self {
            Self::Ed25519(pair) => Ok(pair.public_key().as_der().context("not written")?.as_ref().to_vec()),
            Self::P256(pair) => Ok(pair.public_key().as_der().context("not written")?.as_ref().to_vec()),
            Self::Rsa(pair) => Ok(pair.public_key().as_der().context("not written")?.as_ref().to_vec()),
            Self::Secret(..) => Ok(vec![]),
        }
    }

    /// The bytes of the public key without what is around them.
    pub fn public_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::P256(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::Secret(..) => &[],
        }
    }

    /// The public key as JWKS publish it, with this `kid`; for the curves alone.
    pub fn jwk(&self, kid: &str) -> Value {
        let bytes = self.public_bytes();
        let half = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        match self {
            Self::P256(_) => {
                // An uncompressed point: 4, x, y.
                let (x, y) = bytes.get(1..).unwrap_or_default().split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": half(x), "y": half(y), "kid": kid, "alg": "ES256", "use": "sig" })
            }
            _ => json!({ "kty": "OKP", "crv": "Ed25519", "x": half(bytes), "kid": kid, "alg": "EdDSA", "use": "sig" }),
        }
    }

    /// What the header calls it.
    pub fn alg(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(_) => "ES256",
            Self::Rsa(_) => "RS256",
            Self::Secret(hash, _) if *hash == hmac::HMAC_SHA384 => "HS384",
            Self::Secret(hash, _) if *hash == hmac::HMAC_SHA512 => "HS512",
            Self::Secret(..) => "HS256",
        }
    }
}

/// A new private key in PKCS#8.
///
/// # Errors
/// When the system gives no random numbers.
pub fn pkcs8(algorithm: Algorithm) -> Result<Vec<u8>> {
    let random = SystemRandom::new();
    let made = match algorithm {
        Algorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8v1(&random),
        Algorithm::P256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
    };
    Ok(made.context("no key was made")?.as_ref().to_vec())
}

/// A certificate of the key that it signed itself, in DER.
///
/// # Errors
/// When the key is none that signs certificates.
pub fn certificate(pkcs8: &[u8]) -> Result<Vec<u8>> {
    let pair = rcgen::KeyPair::try_from(pkcs8).context("no key for a certificate")?;
    let made = rcgen::CertificateParams::new(vec!["app.test".to_owned()])?.self_signed(&pair);
    Ok(made.context("no certificate was made")?.der().to_vec())
}

/// The key as an application is given it.
pub fn written(format: KeyFormat, pkcs8: &[u8]) -> String {
    match format {
        KeyFormat::Base64 => STANDARD.encode(pkcs8),
        KeyFormat::Pem => pem("PRIVATE KEY", pkcs8),
    }
}

/// The key that was written that way.
///
/// # Errors
/// When the text is none.
pub fn unwritten(format: KeyFormat, text: &str) -> Result<Vec<u8>> {
    let lines = text.lines().filter(|line| format == KeyFormat::Base64 || !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>().trim()).context("the key is no base64")
}

/// Text armour, with a newline at its end.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut armoured = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        _ = writeln!(armoured, "{}", String::from_utf8_lossy(line));
    }
    armoured + &format!("-----END {label}-----\n")
}

/// A token taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
}

impl Token {
    /// Reads what a token says; its signature is not looked at.
    pub fn read(text: &str) -> Option<Self> {
        let [header, claims, _] = text.split('.').collect::<Vec<_>>().try_into().ok()?;
        let object =
            |part: &str| serde_json::from_slice::<Map<String, Value>>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some(Self { header: object(header)?, claims: object(claims)? })
    }

    /// The same with another value in its header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.shift_remove(name);
        self
    }

    /// The same with another claim.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.shift_remove(name);
        self
    }

    /// What is signed: header and claims, as they are sent.
    pub fn unsigned(&self) -> String {
        let part = |part: &Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(part.clone()).to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    /// Signed by this key, whatever the header says.
    ///
    /// # Errors
    /// When the library cannot sign.
    pub fn signed(&self, key: &Key) -> Result<String> {
        signed(&self.unsigned(), key)
    }

    /// A claim that is text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a whole number.
    pub fn number(&self, claim: &str) -> Option<i64> {
        self.claims.get(claim)?.as_i64()
    }

    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid")?.as_str()
    }
}

/// A text with its signature behind it.
///
/// # Errors
/// When the library cannot sign.
pub fn signed(text: &str, key: &Key) -> Result<String> {
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes())?)))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::{Key, Token, certificate, pkcs8, unwritten, written};
    use crate::contract::{Algorithm, KeyFormat};

    fn token() -> Token {
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k" });
        let claims = json!({ "sub": "1", "exp": 2, "aud": "a" });
        Token { header: header.as_object().unwrap().clone(), claims: claims.as_object().unwrap().clone() }
    }

    #[test]
    fn a_token_is_read_as_it_was_signed_and_verifies() {
        let key = Key::fresh(Algorithm::Ed25519).unwrap();
        let text = token().signed(&key).unwrap();
        assert_eq!(Token::read(&text), Some(token()));
        let (head, signature) = text.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(&ED25519, key.public_bytes()).verify(head.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn one_field_is_changed_and_no_other() {
        let changed = token().with("exp", json!([2])).without("aud").without_header("kid");
        assert_eq!(serde_json::to_string(&changed.claims).unwrap(), r#"{"sub":"1","exp":[2]}"#);
        assert_eq!(serde_json::to_string(&changed.header).unwrap(), r#"{"alg":"EdDSA","typ":"at+jwt"}"#);
        assert_eq!(token().with_header("alg", "none").header["alg"], "none");
    }

    #[test]
    fn p256_signs_in_the_fixed_form() {
        let key = Key::fresh(Algorithm::P256).unwrap();
        let signature = key.sign(b"text").unwrap();
        assert_eq!(signature.len(), 64);
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_bytes()).verify(b"text", &signature).unwrap();
        assert_eq!(key.jwk("k")["x"].as_str().map(str::len), Some(43));
    }

    #[test]
    fn a_key_is_written_both_ways() {
        for (algorithm, format) in [(Algorithm::Ed25519, KeyFormat::Base64), (Algorithm::P256, KeyFormat::Pem)] {
            let der = pkcs8(algorithm).unwrap();
            assert_eq!(unwritten(format, &written(format, &der)).unwrap(), der);
        }
    }

    #[test]
    fn a_key_of_each_kind_has_a_certificate() {
        for algorithm in [Algorithm::Ed25519, Algorithm::P256] {
            assert!(certificate(&pkcs8(algorithm).unwrap()).unwrap().len() > 100);
        }
    }

    #[test]
    fn secrets_sign_as_their_hash_says() {
        for (hash, alg, length) in [(256, "HS256", 32), (384, "HS384", 48), (512, "HS512", 64)] {
            let key = Key::secret(hash, b"");
            assert_eq!((key.alg(), key.sign(b"text").unwrap().len()), (alg, length));
        }
    }
}

//! ID tokens as a provider's grant wants them: right, or wrong in one thing and signed again. What no library writes is put
//! together by hand.

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value, json};

use super::{
    grant::{Grant, Signed, Spoilt, changed},
    keys::{Key, keyed_by},
};

/// The token with these claims, signed by one of the keys, the first one's if the grant says nothing else.
pub fn id_token(grant: &Grant, claims: &Map<String, Value>, keys: &[Key]) -> Result<String> {
    let (key, algorithm) = signer(grant, keys)?;
    let header = header(grant, key, algorithm);
    let mut text = Value::Object(claims.clone()).to_string();
    if let Some(Spoilt::Text(from, to)) = &grant.spoilt {
        text = text.replace(from, to);
    }
    let message = format!("{}.{}", part(&header.to_string()), part(&text));
    let signature = match &grant.signed {
        Signed::Secret(secret) => keyed_by(secret, &message)?,
        _ => key.sign(&message, algorithm)?,
    };
    Ok(spoilt(grant.spoilt.as_ref(), &header, claims, &message, &signature))
}

fn signer<'a>(grant: &'a Grant, keys: &'a [Key]) -> Result<(&'a Key, Algorithm)> {
    let own = || keys.first().context("the provider has no key");
    Ok(match &grant.signed {
        Signed::Own => (own()?, own()?.algorithm()),
        Signed::By(algorithm) => {
            let key = keys.iter().find(|key| key.algorithm() == *algorithm);
            (key.context("the provider has no key of this algorithm")?, *algorithm)
        }
        Signed::Other(key, algorithm) => (key, *algorithm),
        Signed::Secret(_) => (own()?, Algorithm::HS256),
    })
}

fn header(grant: &Grant, key: &Key, algorithm: Algorithm) -> Value {
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": key.kid });
    let mut header = header.as_object().cloned().unwrap_or_default();
    changed(&mut header, &grant.header);
    Value::Object(header)
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn spoilt(how: Option<&Spoilt>, header: &Value, claims: &Map<String, Value>, message: &str, signature: &str) -> String {
    match how {
        Some(Spoilt::Bit) => format!("{message}.{}", with_another_bit(signature)),
        Some(Spoilt::Payload(change)) => {
            let mut claims = claims.clone();
            changed(&mut claims, std::slice::from_ref(change));
            format!("{}.{}.{signature}", part(&header.to_string()), part(&Value::Object(claims).to_string()))
        }
        Some(Spoilt::Signature(other)) => format!("{message}.{other}"),
        Some(Spoilt::Whole(other)) => other.clone(),
        Some(Spoilt::Text(..)) | None => format!("{message}.{signature}"),
    }
}

/// One bit in the middle is another, so that no decoder takes it for padding.
fn with_another_bit(signature: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

//! Keys that sign: strong ones, exchanged without anybody noticing, published by their public half.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::super::cfg::{attempt, attempts, usual, variable};
use crate::{
    contract::Algorithm,
    devices::{Device, bearing},
    http::Request,
    jws::{self, Key},
    lab::{App, Setup},
    random,
    test::{Outcome, Test},
};

pub(super) fn strong_and_rotated(test: &mut Test<'_>) -> Outcome {
    published(test)?;
    weak(test)?;
    rotated(test)
}

/// The public halves, all of them, and nothing else.
fn published(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (_, device) = app.device()?;
    let answer = app.client().get("JWKS")?;
    test.works("JWKS is there for everybody", answer.succeeded() || answer.status == 200, &answer)?;
    let keys = listed(&answer.json());
    let kid = device.token()?.kid().unwrap_or_default().to_owned();
    let own = keys.iter().find(|key| text(key, "kid") == kid);
    test.works("JWKS has the key that signs", own.is_some(), &answer)?;
    let right = own.is_some_and(|own| {
        let written = app.token_key().map(|key| key.jwk(&kid));
        written.is_ok_and(|written| ["kty", "crv", "x", "y"].iter().all(|part| own.get(part) == written.get(part)))
    });
    test.refuses("JWKS has its public half as RFC 7517 writes it", right, &answer);
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let telling =
        keys.iter().any(|key| private.iter().any(|part| key.get(part).is_some()) || text(key, "kty") == "oct");
    test.refuses("JWKS has no private part", !telling, &answer);
    let secret = app.token_key_bytes()?;
    let written = [STANDARD.encode(&secret), crate::db::hex(&secret)];
    test.refuses("JWKS does not hold the key", !written.iter().any(|key| answer.text().contains(key)), &answer);
    let call = app.role("JWKS")?;
    for path in [format!("{}/private", call.path()), call.path().replace("jwks", "keys-private")] {
        let other = app.client().send(&Request::new("GET", &path))?;
        test.refuses("no other path gives keys", other.status == 404, &other);
    }
    Ok(())
}

fn listed(document: &Value) -> Vec<Value> {
    document.get("keys").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text<'a>(key: &'a Value, name: &str) -> &'a str {
    key.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Keys that are weak, of another kind, or known to everybody do not start the application.
fn weak(test: &mut Test<'_>) -> Outcome {
    let usual = usual(test)?;
    let names = test.app()?.tokens_table()?.clone();
    let name = variable(test, "token_key")?;
    let right = jws::pkcs8(names.alg)?;
    let tried = attempt(test, &usual.clone().set("token_key", jws::written(names.key, &right)))?;
    test.works("a fresh key starts the application", tried.serves, tried.shown("a fresh key"))?;
    let written = |der: &[u8]| jws::written(names.key, der);
    let mut keys = vec![
        ("31 random bytes", written(&random::bytes(31))),
        ("32 random bytes", written(&random::bytes(32))),
        ("text", "secret".to_owned()),
        ("a text as long as a key", "changeme".repeat(8)),
        ("a key without its last byte", written(&right[..right.len() - 1])),
        ("a public key", written(&Key::of(names.alg, &right)?.public_der()?)),
        ("an RSA key of 2048 bits", written(&Key::rsa_pkcs8()?)),
        ("what is no base64", format!("{}!", written(&right))),
    ];
    if names.alg == Algorithm::Ed25519 {
        keys.push(("a key of zeros", written(&ed25519(&[0; 32]))));
        keys.push(("the key of RFC 8037", written(&ed25519(&RFC_8037))));
        keys.push(("the first key of RFC 8032", written(&ed25519(&RFC_8032))));
    }
    let setups: Vec<Setup> = keys.iter().map(|(_, key)| usual.clone().set("token_key", key)).collect();
    for ((what, key), tried) in keys.iter().zip(attempts(test, &setups)?) {
        test.refuses("a weak key does not start the application", tried.refused, tried.shown(what));
        test.refuses("the message names the variable", tried.output.contains(&name), tried.shown(what));
        let told = key.len() > 16 && tried.output.contains(key.as_str());
        test.refuses("the message does not tell the key", !told, tried.shown(what));
    }
    Ok(())
}

/// The private key of RFC 8037, appendix A.1, and of RFC 8032, section 7.1: in every library's tests.
const RFC_8037: [u8; 32] = *b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
const RFC_8032: [u8; 32] = *b"\x4c\xcd\x08\x9b\x28\xff\x96\xda\x9d\xb6\xc3\x46\xec\x11\x4e\x0f\x5b\x8a\x31\x9f\x35\xab\xa6\x24\xda\x8c\xf6\xed\x4f\xb8\xa6\xfb";

/// PKCS#8 around the 32 bytes of a private key of Ed25519.
fn ed25519(seed: &[u8; 32]) -> Vec<u8> {
    const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    [HEAD.as_slice(), seed].concat()
}

/// The key is exchanged: tokens of the older one live on while it verifies, and not a moment longer.
fn rotated(test: &mut Test<'_>) -> Outcome {
    let names = test.app()?.tokens_table()?.clone();
    let (old, new) = (jws::pkcs8(names.alg)?, jws::pkcs8(names.alg)?);
    let key = |der: &[u8]| jws::written(names.key, der);
    let common = Setup::default().set("secret", random::secret());
    let first = test.boot(&common.clone().set("token_key", key(&old)))?;
    let (person, device) = first.device()?;
    test.works("an access token works before the key is exchanged", device.works()?, device.access.as_str())?;
    let next = common.with_people_of(&first)?;
    let both = test.boot(&next.clone().set("token_key", key(&new)).set("old_token_keys", key(&old)))?;
    let moved = device.at(&both);
    let answer = moved.ask("API")?;
    test.refuses("an access token of the older key works while that verifies", answer.succeeded(), &answer);
    let fresh = both.device_of(&person)?;
    let exchanged = fresh.token()?.kid().is_some() && fresh.token()?.kid() != device.token()?.kid();
    test.refuses("new tokens are signed by the newer key, under another name", exchanged, fresh.access.as_str());
    let signer = Key::of(names.alg, &new)?;
    let resigned = both.client().send(&bearing(&both.role("API")?, &fresh.token()?.signed(&signer)?))?;
    test.works("the newer key is the one that the application was given", resigned.succeeded(), &resigned)?;
    let kids: Vec<String> =
        listed(&both.client().get("JWKS")?.json()).iter().map(|key| text(key, "kid").to_owned()).collect();
    let published = kids.len() == 2 && has_kid(&kids, &fresh)? && has_kid(&kids, &device)?;
    test.refuses("JWKS has both keys while both verify", published, format!("{kids:?}"));
    let refreshed = moved.refreshed()?;
    test.works("who refreshes gets a token of the newer key", refreshed.works()?, refreshed.access.as_str())?;
    let newer = test.boot(&next.set("token_key", key(&new)))?;
    retired(test, &newer, &device, &fresh)
}

fn has_kid(kids: &[String], device: &Device) -> Outcome<bool> {
    let token = device.token()?;
    Ok(kids.iter().any(|kid| token.kid() == Some(kid)))
}

/// Once the older key is taken out, nothing that it signed works, and it is not published.
fn retired(test: &mut Test<'_>, app: &Arc<App>, old: &Device, new: &Device) -> Outcome {
    let answer = old.at(app).ask("API")?;
    test.refuses("an access token of a key that was taken out is refused", answer.denied(), &answer);
    let answer = new.at(app).ask("API")?;
    test.works("an access token of the newer key still works", answer.succeeded(), &answer)?;
    let answer = app.client().get("JWKS")?;
    let kids: Vec<String> = listed(&answer.json()).iter().map(|key| text(key, "kid").to_owned()).collect();
    test.refuses("a key that was taken out is not published", !has_kid(&kids, old)?, &answer);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{RFC_8032, RFC_8037, ed25519};
    use crate::{contract::Algorithm, db::hex, jws::Key};

    #[test]
    fn sample_keys_are_those_of_the_standards() {
        for (seed, public) in [
            (RFC_8037, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
            (RFC_8032, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
        ] {
            let key = Key::of(Algorithm::Ed25519, &ed25519(&seed)).unwrap();
            assert_eq!(hex(key.public_bytes()), public);
        }
    }
}

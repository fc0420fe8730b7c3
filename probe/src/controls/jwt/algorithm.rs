//! The header does not choose how a token is verified.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::Forge;
use crate::{
    contract::Algorithm,
    jws::{Key, pem, signed},
    test::{Outcome, Test},
};

pub(super) fn pinned(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    unsigned(test, &forge)?;
    confused(test, &forge)?;
    foreign(test, &forge)?;
    forge.still_works(test)
}

/// Each `alg` that is none, without a signature and with the right one.
fn unsigned(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    let own = forge.key.alg();
    let values = ["none", "None", "nOnE", "NONE", "none ", "", "null"].map(Value::from);
    let more = [
        json!(null),
        json!(0),
        json!(true),
        json!([]),
        json!([own]),
        json!({ "alg": own }),
        json!(format!("{own} ")),
        json!(format!(" {own}")),
        json!(own.to_lowercase()),
        json!("HS256 "),
        json!(["HS256"]),
    ];
    let mut headers: Vec<(String, String)> = values
        .into_iter()
        .chain(more)
        .map(|alg| (format!("`alg` is {alg}"), forge.token.clone().with_header("alg", alg).unsigned()))
        .collect();
    headers.push(("no `alg`".to_owned(), forge.token.clone().without_header("alg").unsigned()));
    for (what, text) in headers {
        forge.text_refused(test, &format!("{what}, and nothing signed"), &format!("{text}."))?;
        forge.text_refused(test, &format!("{what}, and no third part"), &text)?;
        forge.text_refused(test, &format!("{what}, signed by the right key"), &signed(&text, &forge.key)?)?;
    }
    Ok(())
}

/// What everybody knows, taken for the secret of an HMAC.
fn confused(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    for (what, secret) in known(forge)? {
        for hash in [256, 384, 512] {
            let key = Key::secret(hash, &secret);
            let token = forge.token.clone().with_header("alg", key.alg());
            forge.text_refused(test, &format!("{} keyed by {what}", key.alg()), &token.signed(&key)?)?;
        }
        let key = Key::secret(256, &secret);
        let what = format!("an HMAC keyed by {what}, called {}", forge.key.alg());
        forge.text_refused(test, &what, &forge.token.signed(&key)?)?;
    }
    Ok(())
}

/// The public key in every form that an application may have it in.
fn known(forge: &Forge) -> Outcome<Vec<(&'static str, Vec<u8>)>> {
    let (der, raw) = (forge.key.public_der()?, forge.key.public_bytes().to_vec());
    let armoured = pem("PUBLIC KEY", &der);
    let published = forge.app.client().get("JWKS")?;
    let kid = forge.token.kid().unwrap_or_default();
    let keys = published.json();
    let all = keys.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let entry = all.iter().find(|key| key.get("kid").and_then(Value::as_str) == Some(kid));
    let forms: Vec<(&'static str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("a zero byte", vec![0]),
        ("the public key's PEM", armoured.trim_end().into()),
        ("the public key's PEM and a newline", armoured.clone().into()),
        ("the public key's PEM between newlines", format!("\n{armoured}\n").into()),
        ("the public key's PEM with the newlines of Windows", armoured.replace('\n', "\r\n").into()),
        ("the public key as the older kind of PEM", pem("RSA PUBLIC KEY", &raw).into()),
        ("the public key's DER", der.clone()),
        ("the public key's DER in base64", STANDARD.encode(&der).into()),
        ("the public key's bytes", raw.clone()),
        ("the public key's bytes in base64", STANDARD.encode(&raw).into()),
        ("the public key's bytes in base64url", URL_SAFE_NO_PAD.encode(&raw).into()),
        ("the `kid`", kid.into()),
        ("the JWK as the probe writes it", forge.key.jwk(kid).to_string().into()),
        ("the JWK as it is published", entry.map(Value::to_string).unwrap_or_default().into()),
        ("all that is published", published.body.clone()),
    ];
    Ok(forms)
}

/// Keys of other kinds and other owners under the right `kid`.
fn foreign(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    let strangers = [Key::fresh(Algorithm::P256)?, Key::fresh(Algorithm::Ed25519)?, Key::rsa()?];
    for key in &strangers {
        let token = forge.token.clone().with_header("alg", key.alg());
        forge.text_refused(test, &format!("{} by a stranger's key", key.alg()), &token.signed(key)?)?;
        forge.text_refused(
            test,
            &format!("a stranger's {} that is called by the right name", key.alg()),
            &forge.token.signed(key)?,
        )?;
        let own = token.signed(&forge.key)?;
        if key.alg() != forge.key.alg() {
            forge.text_refused(test, &format!("the right key's signature that is called {}", key.alg()), &own)?;
        }
    }
    for alg in ["PS256", "RS512", "ES384", "ES256K", "Ed448", "HS256"].into_iter().filter(|alg| *alg != forge.key.alg())
    {
        let token = forge.token.clone().with_header("alg", alg);
        forge.refused(test, &format!("the right key's signature that is called {alg}"), &token)?;
    }
    Ok(())
}

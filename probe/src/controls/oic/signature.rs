//! What an ID token is signed with: the provider's own key, by an algorithm that was agreed on.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{asks_userinfo, refuses, signs_in, userinfo_is_not_asked};
use crate::{
    lab::App,
    provider::{Ask, Grant, Key, Listener, Manner, Provider, Reply, Signed, Spoilt, Subject},
    test::{Outcome, Test},
};

fn right() -> Grant {
    Grant::new(&Subject::new())
}

/// A signature is always checked, also that of a token which came from the token endpoint itself.
pub(super) fn verified(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "with a right signature", |_| right())?;
    let asks = asks_userinfo(&app)?;
    let kid = provider.keys().first().map(|key| key.kid.clone()).unwrap_or_default();
    let forged = Key::rsa()?.named(&kid);
    let of_another = provider.id_token(&app.client().visit(provider)?.ask, &right())?;
    let of_another = of_another.rsplit('.').next().unwrap_or_default().to_owned();
    let sub = ("sub".to_owned(), Some(json!("somebody-else")));
    let zeros = Spoilt::Signature(URL_SAFE_NO_PAD.encode([0; 64]));
    let by_curve = || right().signed(Signed::By(Algorithm::ES256));
    let cases: Vec<(&str, Grant)> = vec![
        ("one bit of the signature is another", right().spoilt(Spoilt::Bit)),
        ("one bit of an ES256 signature is another", by_curve().spoilt(Spoilt::Bit)),
        ("a claim was changed after signing", right().spoilt(Spoilt::Payload(sub))),
        ("another key signed by the same name", right().signed(Signed::Other(forged, Algorithm::RS256))),
        ("the signature is empty", right().spoilt(Spoilt::Signature(String::new()))),
        ("an ES256 signature is all zeros", by_curve().spoilt(zeros)),
        ("the token is two dots", right().spoilt(Spoilt::Whole("..".to_owned()))),
        ("the signature is another token's", right().spoilt(Spoilt::Signature(of_another))),
    ];
    each(test, &app, cases, asks)
}

fn each(test: &mut Test<'_>, app: &std::sync::Arc<App>, cases: Vec<(&str, Grant)>, asks: bool) -> Outcome {
    for (what, grant) in cases {
        if asks {
            userinfo_is_not_asked(test, app, what, |_| grant.clone())?;
        }
        refuses(test, app, what, |_| grant)?;
    }
    Ok(())
}

/// Right but for `at_hash`, which need not be there: comparing it asks for a key, so that it would refuse in place of the
/// algorithm.
fn unhashed() -> Grant {
    right().no_claim("at_hash")
}

/// No algorithm counts but those of the allow-list, whatever the token says.
pub(super) fn algorithms(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "by an algorithm that was agreed on", |_| unhashed())?;
    for alg in [json!("none"), json!("None"), json!("NONE"), json!(""), Value::Null] {
        let what = format!("the algorithm is {alg}, and there is no signature");
        let unsigned = || unhashed().header("alg", alg.clone()).spoilt(Spoilt::Signature(String::new()));
        refuses(test, &app, &what, |_| unsigned())?;
        refuses(test, &app, &format!("{what} and no key's name"), |_| unsigned().no_header("kid"))?;
    }
    let missing = |_: &Ask| unhashed().no_header("alg").spoilt(Spoilt::Signature(String::new()));
    refuses(test, &app, "the algorithm is missing, and there is no signature", missing)?;
    shared_secrets(test, &app, provider)?;
    let Some(key) = provider.keys().into_iter().next() else { return Ok(()) };
    for algorithm in [Algorithm::RS384, Algorithm::RS512] {
        let what = format!("the provider's RSA key signed by {algorithm:?}, which nobody agreed on");
        refuses(test, &app, &what, |_| unhashed().signed(Signed::Other(key.clone(), algorithm)))?;
    }
    let other = |_: &Ask| unhashed().header("alg", "ES256");
    refuses(test, &app, "the token says ES256 and its key is RSA", other)?;
    Ok(())
}

/// HMAC, keyed by what both sides know: the client's secret, and each form of the public keys.
fn shared_secrets(test: &mut Test<'_>, app: &std::sync::Arc<App>, provider: &Provider) -> Outcome {
    let secret = provider.client_secret.clone().into_bytes();
    let mut secrets = vec![("the client's secret", provider.keys().first().map(|key| key.kid.clone()), secret)];
    for key in provider.keys() {
        let forms = key.public_forms();
        secrets.extend(forms.into_iter().map(|(what, secret)| (what, Some(key.kid.clone()), secret)));
    }
    for (what, kid, secret) in secrets {
        let what = format!("it is signed by HS256 with {what}");
        let by = |_: &Ask| unhashed().signed(Signed::Secret(secret.clone()));
        refuses(test, app, &what, |ask| by(ask).header("kid", kid.clone().unwrap_or_default()))?;
        refuses(test, app, &format!("{what} and names no key"), |ask| by(ask).no_header("kid"))?;
    }
    Ok(())
}

/// Keys come from the issuer's key set alone: none that a token brings or points at counts, or is even looked at.
pub(super) fn keys_of_the_token(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "with a key of the issuer", |_| right())?;
    let kid = provider.keys().first().map(|key| key.kid.clone()).unwrap_or_default();
    let own = Key::rsa()?.named(&kid);
    let set = json!({ "keys": [own.jwk()] });
    let authority = test.lab.authority()?;
    let plain = listener(&set, None)?;
    let secure = listener(&set, Some(authority.server(crate::provider::Paper::Right)?))?;
    let at = [format!("http://127.0.0.1:{}/keys", plain.port()), format!("https://localhost:{}/keys", secure.port())];
    let by = || right().signed(Signed::Other(own.clone(), Algorithm::RS256));
    let mut cases = vec![("it brings its key as `jwk`".to_owned(), by().header("jwk", own.jwk()))];
    for at in &at {
        cases.push((format!("it points at {at} by `jku`"), by().header("jku", at.as_str())));
        cases.push((format!("it points at {at} by `x5u`"), by().header("x5u", at.as_str())));
    }
    let chain = own.certificate()?;
    cases.push(("it brings a certificate of its key as `x5c`".to_owned(), by().header("x5c", json!([chain]))));
    for (what, grant) in cases {
        let unnamed = grant.clone().no_header("kid");
        refuses(test, &app, &what, |_| grant)?;
        refuses(test, &app, &format!("{what} and names no key"), |_| unnamed)?;
    }
    let connections = plain.connections() + secure.connections();
    let seen = format!("{connections} connections");
    test.refuses("nothing that a token points at is looked at", connections == 0, seen);
    Ok(())
}

fn listener(set: &Value, tls: Option<std::sync::Arc<rustls::ServerConfig>>) -> Outcome<Listener> {
    let reply = Reply::json(200, set);
    Ok(Listener::start(tls, Box::new(move |_| Manner::Answers(reply.clone())))?)
}

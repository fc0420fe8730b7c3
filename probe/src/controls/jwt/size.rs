//! Tokens that are large or strange are refused before they cost anything.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::Forge;
use crate::{
    client::Client,
    devices::bearing,
    http::{Answer, Broken, Request},
    jws::signed,
    parallel::at_once,
    random,
    test::{Outcome, Test},
};

/// How long one may take, on a machine that is not the fastest.
const SLOW: Duration = Duration::from_secs(1);
/// Requests at once, and how often.
const CROWD: usize = 100;
const WAVES: usize = 10;
/// What the application may grow by.
const GROWTH: u64 = 100 << 20;

pub(super) fn cheap_to_refuse(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    let monsters = monsters(&forge)?;
    for (what, token) in &monsters {
        let sent = forge.app.client().try_send(&bearing(&forge.app.role("API")?, token));
        cheap(test, what, sent)?;
    }
    in_crowds(test, &forge, &monsters)?;
    forge.still_works(test)
}

/// Refused, soon. A connection that is closed over the size of its head is a refusal too.
fn cheap(test: &mut Test<'_>, what: &str, sent: Result<Answer, Broken>) -> Outcome {
    let answer = match sent {
        Err(Broken::Closed) => return Ok(()),
        sent => sent?,
    };
    let refused = answer.denied() || answer.status == 431;
    test.refuses(&format!("a token is refused: {what}"), refused, &answer);
    let seen = format!("{} ms\n{}", answer.took.as_millis(), answer.exchange());
    test.refuses(&format!("it is refused soon: {what}"), answer.took < SLOW, seen);
    Ok(())
}

fn monsters(forge: &Forge) -> Outcome<Vec<(&'static str, String)>> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let head = text(serde_json::to_string(&forge.token.header).unwrap_or_default().as_bytes());
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let nested = |depth: usize| format!("{head}.{}", text(format!("{{\"a\":{}}}", deep(depth)).as_bytes()));
    let encrypted = text(br#"{"alg":"dir","enc":"A128GCM","zip":"DEF"}"#);
    let rsa = text(
        format!(r#"{{"alg":"RS256","typ":"at+jwt","kid":"{}"}}"#, forge.token.kid().unwrap_or_default()).as_bytes(),
    );
    let claims = text(serde_json::to_string(&forge.token.claims).unwrap_or_default().as_bytes());
    Ok(vec![
        ("64 KiB, signed by the right key", forge.token.clone().with("pad", "a".repeat(48 << 10)).signed(&forge.key)?),
        ("20 KiB, signed by the right key", forge.token.clone().with("pad", "a".repeat(15 << 10)).signed(&forge.key)?),
        ("1 MiB", "a".repeat(1 << 20)),
        ("64 KiB of zeros in three parts", format!("{head}.{}.AA", text(&[0; 48 << 10]))),
        ("200,000 dots", ".".repeat(200_000)),
        ("6,000 dots", ".".repeat(6_000)),
        ("claims that are 100,000 deep", signed(&nested(50_000), &forge.key)?),
        ("claims that are 2,000 deep", signed(&nested(1_000), &forge.key)?),
        ("a header that is 2,000 deep", format!("{}.{claims}.AA", text(deep(2_000).as_bytes()))),
        ("claims of 300 names, signed by the right key", many_claims(forge)?),
        (
            "five parts of JWE, compressed",
            format!("{encrypted}..{}.{}.{}", text(&[0; 12]), text(&[0; 2048]), text(&[0; 16])),
        ),
        ("a signature of 16 Kibit, called RSA", format!("{rsa}.{claims}.{}", text(&random::bytes(2048)))),
    ])
}

fn many_claims(forge: &Forge) -> Outcome<String> {
    let token = (0..700).fold(forge.token.clone(), |token, at| token.with(&format!("claim-{at}"), json!([at, at])));
    Ok(token.signed(&forge.key)?)
}

/// A thousand of them do not keep others waiting, nor fill the memory.
fn in_crowds(test: &mut Test<'_>, forge: &Forge, monsters: &[(&str, String)]) -> Outcome {
    let before = forge.app.memory();
    let call = forge.app.role("API")?;
    let genuine = forge.device.bearing(&call);
    for wave in 0..WAVES {
        let monster = |at: usize| bearing(&call, &monsters[(wave + at) % monsters.len()].1);
        let mut crowd: Vec<(Client, Request)> = (0..CROWD).map(|at| (forge.app.client(), monster(at))).collect();
        crowd.push((forge.app.client(), genuine.clone()));
        let served = at_once(crowd).pop();
        let seen = served.as_ref().map_or_else(String::new, |sent| match sent {
            Ok(answer) => answer.exchange(),
            Err(broken) => broken.to_string(),
        });
        let serves = served.is_some_and(|sent| sent.is_ok_and(|answer| answer.succeeded()));
        test.refuses("a request that is right is served among a hundred that are not", serves, seen);
    }
    if let Some((before, after)) = before.zip(forge.app.memory()) {
        let seen = format!("{} KiB before, {} KiB after", before >> 10, after >> 10);
        test.refuses("a thousand such tokens do not fill the memory", after < before + GROWTH, seen);
    }
    Ok(())
}

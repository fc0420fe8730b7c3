//! `kid` is a name among the configured keys, and nothing else.

use regex::Regex;
use serde_json::{Value, json};

use super::Forge;
use crate::{
    jws::{self, Key},
    lab::{App, Setup},
    test::{Outcome, Stop, Test},
};

/// With two keys, so that a missing name cannot mean the only one there is.
pub(super) fn exact(test: &mut Test<'_>) -> Outcome {
    let names = test.app()?.tokens_table()?.clone();
    let old = jws::pkcs8(names.alg)?;
    let app = test.boot(&Setup::default().set("old_token_keys", jws::written(names.key, &old)))?;
    let forge = Forge::of(test, &app)?;
    let before = faults(&app)?;
    let own = forge.token.kid().unwrap_or_default().to_owned();
    test.works("an access token names its key", !own.is_empty(), forge.device.access.as_str())?;
    for (what, kid) in wrong(&own) {
        forge.refused(test, &format!("`kid` is {what}"), &forge.token.clone().with_header("kid", kid))?;
    }
    forge.refused(test, "no `kid`", &forge.token.clone().without_header("kid"))?;
    for path in ["/dev/null", "../../../../../../dev/null"] {
        let empty = Key::secret(256, b"");
        let token = forge.token.clone().with_header("kid", path).with_header("alg", "HS256");
        forge.text_refused(test, "an empty file as the key", &token.signed(&empty)?)?;
    }
    other_key(test, &forge, &Key::of(names.alg, &old)?)?;
    let after = faults(&app)?;
    test.refuses("no `kid` reaches a database or a file", after == before, format!("{} new faults", after - before));
    forge.still_works(test)
}

fn wrong(own: &str) -> Vec<(&'static str, Value)> {
    let mut swapped = own.to_lowercase();
    if swapped == own {
        swapped = own.to_uppercase();
    }
    vec![
        ("one that nobody has", json!("nobody-has-this")),
        ("empty", json!("")),
        ("the beginning of the right one", json!(own.get(..own.len() / 2).unwrap_or_default())),
        ("longer than the right one", json!(format!("{own}a"))),
        ("the right one in another case", json!(swapped)),
        ("the right one and a space", json!(format!("{own} "))),
        ("a path", json!("../../../../dev/null")),
        ("a file of the process", json!("/proc/self/environ")),
        ("a piece of SQL", json!("' UNION SELECT 'k'--")),
        ("SQL that is always true", json!("' OR '1'='1")),
        ("the right one and a zero byte", json!(format!("{own}\u{0}"))),
        ("4 KiB", json!("k".repeat(4096))),
        ("10 KiB", json!("k".repeat(10 << 10))),
        ("a number", json!(0)),
        ("null", json!(null)),
        ("an array", json!([own])),
        ("an object", json!({ "kid": own })),
        ("`__proto__`", json!("__proto__")),
        ("`constructor`", json!("constructor")),
        ("an address", json!("http://127.0.0.1:9/keys")),
    ]
}

/// A key does not verify under the name of another. That the older one verifies at all, another control shows.
fn other_key(test: &mut Test<'_>, forge: &Forge, old: &Key) -> Outcome {
    let published = forge.app.client().get("JWKS")?.json();
    let keys = published.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let kids = keys.iter().filter_map(|key| key.get("kid")?.as_str());
    let others: Vec<&str> = kids.filter(|kid| Some(*kid) != forge.token.kid()).collect();
    test.works("the older key is published, too", !others.is_empty(), published.to_string())?;
    for kid in others {
        forge.refused(
            test,
            "the newer key under the name of the older",
            &forge.token.clone().with_header("kid", kid),
        )?;
    }
    forge.text_refused(test, "the older key under the name of the newer", &forge.token.signed(old)?)
}

/// Lines of the log that say that something inside failed; none where the contract does not tell them.
fn faults(app: &App) -> Outcome<usize> {
    let Some(pattern) = app.contract.log.as_ref().and_then(|log| log.fault.clone()) else { return Ok(0) };
    let pattern = Regex::new(&pattern).map_err(|error| Stop::Missing(format!("`log.fault`: {error}")))?;
    Ok(app.said()?.lines().filter(|line| pattern.is_match(line)).count())
}

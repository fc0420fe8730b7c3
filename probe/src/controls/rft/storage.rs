//! Refresh tokens are random, and the database opens nothing.

use std::{collections::BTreeSet, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sha2::{Digest as _, Sha256};

use super::{super::ses, no_grant};
use crate::{
    db::{Row, hex},
    devices::Device,
    jws::Token,
    lab::{App, Setup},
    test::{Outcome, Test},
};

const STARTS: usize = 3;
/// Tokens of each start.
const TOKENS: usize = 170;
const SHORTEST: usize = 22;
/// Bits that must vary. The estimate of 500 tokens is off by far less than one.
const BITS: f64 = 127.0;

pub(super) fn random_and_hashed(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (person, mut device) = app.device()?;
    let mut tokens = vec![device.refresh.clone()];
    for start in 0..STARTS {
        if start > 0 {
            app.restart(test.lab)?;
        }
        for _ in 0..TOKENS {
            device = device.refreshed()?;
            tokens.push(device.refresh.clone());
        }
    }
    let different = tokens.iter().collect::<BTreeSet<_>>().len();
    test.refuses(
        "no refresh token comes twice, restarts or not",
        different == tokens.len(),
        format!("{different} of {}", tokens.len()),
    );
    let short = tokens.iter().find(|token| token.len() < SHORTEST);
    test.refuses("a refresh token has 22 characters at least", short.is_none(), short.cloned().unwrap_or_default());
    let bits = ses::varying_bits(&tokens);
    test.refuses(
        "a refresh token has 128 random bits",
        bits >= BITS,
        format!("{bits:.1} bits vary in tokens such as {}", tokens[0]),
    );
    if let Some(bytes) = ses::decoded_all(&tokens) {
        let biased = ses::biased_bits(&bytes);
        test.refuses("no bit of a refresh token is fixed or favoured", biased.is_empty(), format!("bits {biased:?}"));
    }
    test.refuses("a refresh token says nothing", Token::read(&device.refresh).is_none(), device.refresh.as_str());
    hashed(test, &app, &device)?;
    test.works("the newest token works after all of this", device.refreshing()?.succeeded(), person.email.as_str())
}

/// The raw token is nowhere in the database, and what is there is no token.
fn hashed(test: &mut Test<'_>, app: &Arc<App>, device: &Device) -> Outcome {
    let db = app.database()?;
    let texts = ses::written(&device.refresh);
    let found = db.dump()?.into_iter().find(|(_, _, value)| texts.iter().any(|text| value.contains(text)));
    test.refuses("a refresh token does not stand in the database", found.is_none(), format!("{found:?}"));
    let row = stored(app, &device.refresh)?;
    test.works("its SHA-256 does", row.is_some(), "no row has a digest of the newest token")?;
    let key = db.column("refresh_tokens", "key")?;
    let newest = row.and_then(|row| row.get(&key).cloned().flatten()).unwrap_or_default();
    for value in ses::cookies_of(&newest) {
        let answer = app.refresh(&value)?;
        no_grant(test, "what the database holds is no refresh token", &answer);
    }
    let access = device.access.rsplit('.').next().unwrap_or_default();
    let kept = db.dump()?.into_iter().find(|(_, _, value)| value.contains(access));
    test.refuses("an access token does not stand in the database", kept.is_none(), format!("{kept:?}"));
    Ok(())
}

/// The row of a refresh token, by any way to write its SHA-256.
pub(super) fn stored(app: &Arc<App>, token: &str) -> Outcome<Option<Row>> {
    let db = app.database()?;
    let (table, key) = (db.table("refresh_tokens")?, db.column("refresh_tokens", "key")?);
    let whole = Sha256::digest(token);
    let inner = URL_SAFE_NO_PAD.decode(token).map(Sha256::digest);
    let digests = [Some(whole), inner.ok()].into_iter().flatten();
    let texts: Vec<String> = digests
        .flat_map(|digest| {
            [format!("\\x{}", hex(&digest)), hex(&digest), STANDARD.encode(digest), URL_SAFE_NO_PAD.encode(digest)]
        })
        .collect();
    let rows = db.rows(&format!("SELECT * FROM {table}"))?;
    Ok(rows
        .into_iter()
        .find(|row| row.get(&key).is_some_and(|value| value.as_ref().is_some_and(|value| texts.contains(value)))))
}

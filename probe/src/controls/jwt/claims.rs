//! Claims: each is there, of its type, and right, or the token is refused.

use serde_json::{Value, json};

use super::{Forge, now};
use crate::test::{Outcome, Test};

/// The same token with each of these values in one claim.
fn all_refused(test: &mut Test<'_>, forge: &Forge, claim: &str, values: &[Value]) -> Outcome {
    for value in values {
        let token = forge.token.clone().with(claim, value.clone());
        forge.refused(test, &format!("`{claim}` is {value}"), &token)?;
    }
    Ok(())
}

/// What holds no number and may be read as one, or as no claim at all.
fn no_numbers(number: i64) -> Vec<Value> {
    vec![
        json!(null),
        json!(number.to_string()),
        json!(true),
        json!([number]),
        json!({ "seconds": number }),
        json!("NaN"),
        json!("Infinity"),
        json!(""),
    ]
}

/// A token has its time, in numbers, and it is now.
pub(super) fn times(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    forge.taken(test, "a token works that expires in a minute", &forge.token.clone().with("exp", now() + 60))?;
    forge.refused(test, "no `exp`", &forge.token.clone().without("exp"))?;
    let future = now() + 600;
    all_refused(test, &forge, "exp", &no_numbers(future))?;
    let past = [json!(-1), json!(0), json!(now() - 90), json!(now() - 3000), json!(now() - 86_400)];
    all_refused(test, &forge, "exp", &past)?;
    // Numbers that no clock reaches may be taken as never, or as an overflow.
    all_refused(test, &forge, "exp", &[json!(1e300), json!(-1e300)])?;
    forge.taken(test, "a token works that was made now", &forge.token.clone().with("iat", now()).with("nbf", now()))?;
    all_refused(test, &forge, "nbf", &no_numbers(now() - 60))?;
    all_refused(test, &forge, "nbf", &[json!(now() + 120), json!(now() + 300), json!(1e300)])?;
    forge.refused(test, "no `iat`", &forge.token.clone().without("iat"))?;
    all_refused(test, &forge, "iat", &no_numbers(now() - 1))?;
    all_refused(test, &forge, "iat", &[json!(now() + 120), json!(now() + 300), json!(1e300)])?;
    forge.still_works(test)
}

/// The issuer is one text, exactly ours.
pub(super) fn issuer(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    let ours = forge.token.text("iss").unwrap_or_default().to_owned();
    let named = forge.app.tokens_table()?.issuer.replace("{base_url}", &forge.app.origin);
    test.works("an access token names its issuer as the contract says", ours == named, forge.device.access.as_str())?;
    forge.refused(test, "no `iss`", &forge.token.clone().without("iss"))?;
    all_refused(test, &forge, "iss", &[json!([ours]), json!([ours, "https://evil.test"])])?;
    all_refused(test, &forge, "iss", &spoiled(&ours))?;
    forge.still_works(test)
}

/// The audience is this API, and not something like it.
pub(super) fn audience(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    let ours = forge.app.tokens_table()?.audience.replace("{base_url}", &forge.app.origin);
    forge.taken(test, "a token works whose audience is a text", &forge.token.clone().with("aud", ours.as_str()))?;
    forge.taken(test, "a token works whose audience is a list", &forge.token.clone().with("aud", json!([ours])))?;
    forge.refused(test, "no `aud`", &forge.token.clone().without("aud"))?;
    let lists = [json!([]), json!([""]), json!(["https://other.test"]), json!([[ours]]), json!([{ "aud": ours }])];
    all_refused(test, &forge, "aud", &lists)?;
    all_refused(test, &forge, "aud", &spoiled(&ours))?;
    forge.still_works(test)
}

/// Texts that hold the right one, or are held by it, and what is no text.
fn spoiled(right: &str) -> Vec<Value> {
    let host = right.split("://").nth(1).unwrap_or(right);
    let mut all = vec![
        json!(""),
        json!(null),
        json!(0),
        json!(true),
        json!({ "0": right }),
        json!("https://evil.test"),
        json!(host),
        json!(right.get(..right.len() - 1).unwrap_or_default()),
        json!(format!("{right}.evil.test")),
        json!(format!("{right}/")),
        json!(format!("{right}a")),
        json!(format!("https://evil.test/{right}")),
        json!(format!("{right} https://evil.test")),
        json!(format!(" {right}")),
        json!(format!("{right}\u{0}")),
        json!(right.replacen("https", "http", 1)),
        json!(right.to_uppercase()),
    ];
    // A change may come to nothing where the right one is of another kind.
    all.retain(|value| value.as_str() != Some(right));
    all
}

#[cfg(test)]
mod tests {
    use super::spoiled;

    #[test]
    fn no_spoiled_text_is_the_right_one() {
        for right in ["https://app.test", "app", "API"] {
            let all = spoiled(right);
            assert!(all.len() >= 14 && all.iter().all(|value| value != right), "{all:?}");
        }
    }
}

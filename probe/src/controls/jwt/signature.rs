//! Nothing of a token counts before its signature verifies.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Forge;
use crate::{
    contract::Algorithm,
    test::{Outcome, Stop, Test},
};

/// The parts of a token, as they are sent.
struct Parts {
    header: String,
    claims: String,
    signature: String,
}

impl Parts {
    fn of(token: &str) -> Outcome<Self> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            return Err(Stop::Positive("an access token has three parts".to_owned(), token.to_owned()));
        };
        let owned = |part: &&str| (*part).to_owned();
        Ok(Self { header: owned(header), claims: owned(claims), signature: owned(signature) })
    }
}

pub(super) fn verified(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    let (_, other) = forge.app.device()?;
    let (own, other) = (Parts::of(&forge.device.access)?, Parts::of(&other.access)?);
    for (what, token) in flipped(&own).into_iter().chain(shapes(&own)).chain(made_up(&forge, &own)) {
        forge.text_refused(test, &what, &token)?;
    }
    let swapped = format!("{}.{}.{}", own.header, other.claims, own.signature);
    forge.text_refused(test, "the claims of another account under this signature", &swapped)?;
    let subject = forge.token.clone().with("sub", other_subject(&other)).unsigned();
    forge.text_refused(test, "another `sub` under this signature", &format!("{subject}.{}", own.signature))?;
    written_otherwise(test, &forge, &own)?;
    forge.still_works(test)
}

fn other_subject(other: &Parts) -> String {
    let token = crate::jws::Token::read(&format!("{}.{}.", other.header, other.claims));
    token.and_then(|token| Some(token.text("sub")?.to_owned())).unwrap_or_default()
}

/// One bit of the bytes behind a part is another.
fn flipped(parts: &Parts) -> Vec<(String, String)> {
    let mut all = vec![];
    let named = [("header", &parts.header), ("claims", &parts.claims), ("signature", &parts.signature)];
    for (at, (name, part)) in named.into_iter().enumerate() {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        let last = bytes.len().saturating_sub(1);
        for place in [0, bytes.len() / 3, bytes.len() / 2, last] {
            let mut other = bytes.clone();
            if let Some(byte) = other.get_mut(place) {
                *byte ^= 1;
            }
            let mut texts = [parts.header.clone(), parts.claims.clone(), parts.signature.clone()];
            texts[at] = URL_SAFE_NO_PAD.encode(other);
            all.push((format!("a bit of byte {place} of the {name} is another"), texts.join(".")));
        }
    }
    all
}

/// Too few parts, or too many.
fn shapes(parts: &Parts) -> Vec<(String, String)> {
    let Parts { header, claims, signature } = parts;
    [
        ("no signature", format!("{header}.{claims}")),
        ("an empty signature", format!("{header}.{claims}.")),
        ("a fourth part", format!("{header}.{claims}.{signature}.{signature}")),
        ("a fourth, empty part", format!("{header}.{claims}.{signature}.")),
        ("an empty first part", format!(".{header}.{claims}.{signature}")),
        ("no header", format!(".{claims}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("only dots", "..".to_owned()),
    ]
    .map(|(what, token)| (what.to_owned(), token))
    .to_vec()
}

/// Signatures that no key has made.
fn made_up(forge: &Forge, parts: &Parts) -> Vec<(String, String)> {
    let genuine = URL_SAFE_NO_PAD.decode(&parts.signature).unwrap_or_default();
    let mut identity = vec![0; 64];
    identity[0] = 1;
    let mut signatures = vec![
        ("a signature of zeros", vec![0; genuine.len()]),
        ("a signature of ones", vec![0xff; genuine.len()]),
        ("a signature of the neutral point", identity),
        ("a signature of one byte", vec![0]),
        ("half of the signature", genuine[..genuine.len() / 2].to_vec()),
        ("a byte behind the signature", [genuine.as_slice(), &[0]].concat()),
    ];
    if forge.app.contract.tokens.as_ref().is_some_and(|names| names.alg == Algorithm::P256) {
        signatures.push(("the signature in DER", der(&genuine)));
    }
    let token = |(what, bytes): (&str, Vec<u8>)| {
        (what.to_owned(), format!("{}.{}.{}", parts.header, parts.claims, URL_SAFE_NO_PAD.encode(bytes)))
    };
    signatures.into_iter().map(token).collect()
}

/// Two integers of 32 bytes as an ASN.1 sequence.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let mut body = bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        if body.first().is_none_or(|byte| *byte >= 0x80) {
            body.insert(0, 0);
        }
        [&[2, u8::try_from(body.len()).unwrap_or(0)], body.as_slice()].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap_or(0)], body.as_slice()].concat()
}

/// The same bytes, written as base64url does not write them, are refused or taken, but never break anything.
fn written_otherwise(test: &mut Test<'_>, forge: &Forge, parts: &Parts) -> Outcome {
    let Parts { header, claims, signature } = parts;
    let whole = format!("{header}.{claims}.{signature}");
    let ways = [
        format!("{whole}=="),
        format!("{header}=.{claims}=.{signature}"),
        format!("{header} .{claims}.{signature}"),
        format!("{header}.{claims}.\t{signature}"),
        format!("{header}.{claims}.{}", last_bits(signature)),
        whole.replace('-', "+").replace('_', "/"),
    ];
    for token in ways {
        let answer = forge.ask(&token)?;
        test.refuses("a token that is written in another way breaks nothing", !answer.broke(), &answer);
    }
    Ok(())
}

/// The last character with other bits where it has some that no byte needs.
fn last_bits(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let Some((head, last)) = text.split_at_checked(text.len().saturating_sub(1)) else { return text.to_owned() };
    let at = ALPHABET.iter().position(|letter| last.as_bytes() == [*letter]).unwrap_or(0);
    format!("{head}{}", char::from(ALPHABET[at ^ 1]))
}

#[cfg(test)]
mod tests {
    use super::{der, last_bits};

    #[test]
    fn a_signature_in_der_has_no_needless_zero_and_no_sign() {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        (r[31], s[31]) = (0x7f, 0x80);
        assert_eq!(der(&[r, s].concat()), [0x30, 7, 2, 1, 0x7f, 2, 2, 0, 0x80]);
    }

    #[test]
    fn only_the_last_character_is_another() {
        assert_eq!(last_bits("abA"), "abB");
        assert_eq!(last_bits("_"), "-");
    }
}

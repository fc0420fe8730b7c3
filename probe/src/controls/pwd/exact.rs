//! How passwords are compared.

use super::{only_this_one, with_password};
use crate::test::{Outcome, Test};

const COMPOSED: &str = "  \u{dc}n\u{ef}c\u{f6}d\u{e9} \u{fb01}le  pass  phrase  ";
const DECOMPOSED: &str = "  U\u{308}ni\u{308}co\u{308}de\u{301} \u{fb01}le  pass  phrase  ";

/// Case, spaces and characters that merely look alike count; the two spellings of one accent do not.
pub(super) fn compared_exactly(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for (chosen, other) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
        let person = app.account(with_password(chosen))?;
        app.signed_in(&person)?;
        let answer = app.client().login(&person.email, other)?;
        test.refuses("an accent signs in however it is spelt", answer.succeeded(), &answer);
        only_this_one(test, &app, &person, &others(chosen))?;
    }
    Ok(())
}

fn others(password: &str) -> [(&'static str, String); 6] {
    let swapped = |letter: char| if letter.is_lowercase() { upper(letter) } else { lower(letter) };
    [
        ("with the case of each letter swapped", password.chars().map(swapped).collect()),
        ("in lower case", password.chars().map(lower).collect()),
        ("without spaces at its ends", password.trim().to_owned()),
        ("with single spaces", format!(" {} ", password.split_whitespace().collect::<Vec<_>>().join(" "))),
        ("with two letters for a ligature", password.replace('\u{fb01}', "fi")),
        ("without an accent", password.replace('\u{f6}', "o").replace("o\u{308}", "o")),
    ]
}

fn upper(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    if upper.len() == 1 { upper.next().unwrap_or(letter) } else { letter }
}

fn lower(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

//! Which passwords are taken, at every place where one is set.

use std::sync::Arc;

use super::{Desk, Place, only_this_one, set_and_sign_in, with_password};
use crate::{
    http::Answer,
    lab::{APP_NAME, App},
    people::Person,
    random,
    test::{Outcome, Seen, Stop, Test},
};

fn is_refusal(answer: &Answer, code: &str) -> bool {
    answer.denied() && answer.is_code(code)
}

/// A password has fifteen characters at least, counted as people count them, wherever it is set.
pub(super) fn shortest(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for place in Place::ALL {
        let role = place.role();
        for password in [random::printable(15), random::emoji(15)] {
            let answer = set_and_sign_in(&app, place, &password)?;
            test.works(&format!("{role} takes fifteen characters"), answer.succeeded(), &answer)?;
        }
        let mut desk = Desk::new(&app, place)?;
        let before = desk.person.clone();
        for (kind, password) in [("letters", random::printable(14)), ("emoji", random::emoji(14))] {
            let answer = desk.submit(&password)?;
            let what = format!("{role} refuses fourteen {kind} as too short");
            test.refuses(&what, is_refusal(&answer, "password_too_short"), &answer);
            let short = app.client().login(&before.email, &password)?;
            let what = format!("a password that {role} refused does not sign in");
            test.refuses(&what, short.denied(), &short);
        }
        nothing_changed(test, &app, place, &before)?;
    }
    Ok(())
}

/// The old password is still right; an address that was refused can still be registered.
fn nothing_changed(test: &mut Test<'_>, app: &Arc<App>, place: Place, person: &Person) -> Outcome {
    let mut answer = app.client().login(&person.email, &person.password)?;
    if matches!(place, Place::Register) {
        answer = app.client().register(person)?;
        if answer.succeeded() {
            let token = app.token("REGISTER", &person.email, 1)?;
            answer = app.client().verify(&token, &person.password)?;
        }
    }
    let what = format!("{} changes nothing when it refuses a password", place.role());
    test.refuses(&what, answer.succeeded(), &answer);
    Ok(())
}

/// Long passwords are taken, every byte of them counts, and those that are too long are refused and not cut.
pub(super) fn longest(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    app.member()?;
    for length in [64, 100, 200] {
        let answer = set_and_sign_in(&app, Place::Register, &random::printable(length))?;
        test.refuses(&format!("a password of {length} characters is taken and signs in"), answer.succeeded(), &answer);
    }
    every_byte_counts(test, &app)?;
    for place in Place::ALL {
        let answer = Desk::new(&app, place)?.submit(&random::printable(257))?;
        let what = format!("{} refuses 257 characters as too long", place.role());
        test.refuses(&what, is_refusal(&answer, "password_too_long"), &answer);
    }
    Ok(())
}

fn every_byte_counts(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let password = random::letters(100);
    let others = [
        ("without all after its 72nd byte", password[..72].to_owned()),
        ("without its last character", password[..99].to_owned()),
        ("with a character more", format!("{password}x")),
        ("with another last character", format!("{}-", &password[..99])),
        ("with another end after its 72nd byte", format!("{}{}", &password[..72], random::letters(28))),
    ];
    differs_late(test, app, &password, &others)?;
    // One character on both sides of the 72nd byte, and one that differs from it in its last byte alone.
    let (start, end) = (random::letters(70), random::letters(26));
    let others = [
        ("without all after its 70th byte", start.clone()),
        ("with another character at its 72nd byte", format!("{start}\u{1f301}{end}")),
        ("with another end after its 74th byte", format!("{start}\u{1f300}{}", random::letters(26))),
    ];
    differs_late(test, app, &format!("{start}\u{1f300}{end}"), &others)
}

fn differs_late(test: &mut Test<'_>, app: &Arc<App>, password: &str, others: &[(&str, String)]) -> Outcome {
    let person = with_password(password);
    let answer = app.client().register(&person)?;
    if !answer.succeeded() {
        // Said above: it is too long for this application.
        test.refuses("a password of 100 characters is taken", false, &answer);
        return Ok(());
    }
    let token = app.token("REGISTER", &person.email, 1)?;
    let verified = app.client().verify(&token, password)?;
    test.works("VERIFY takes the mailed token", verified.succeeded(), &verified)?;
    only_this_one(test, app, &person, others)
}

fn some_of(alphabet: &[char], count: usize) -> String {
    let count_of = u16::try_from(alphabet.len()).unwrap_or(u16::MAX);
    (0..count).filter_map(|_| alphabet.get(usize::from(random::below(count_of)))).collect()
}

/// Any characters will do, and a password stays good however old it is.
pub(super) fn no_rules_of_composition(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let lower: Vec<char> = ('a'..='z').collect();
    let digits: Vec<char> = ('0'..='9').collect();
    let marks: Vec<char> = ('!'..='~').filter(|mark| !mark.is_ascii_alphanumeric()).collect();
    let ideographs: Vec<char> = ('\u{4e00}'..'\u{4f00}').collect();
    let passwords = [
        ("lower-case letters", some_of(&lower, 20)),
        ("digits", some_of(&digits, 20)),
        ("punctuation", format!("'\"<>&%\\;{}", some_of(&marks, 12))),
        ("words with spaces", format!("{} {} {}", some_of(&lower, 7), some_of(&lower, 6), some_of(&lower, 7))),
        ("ideographs", some_of(&ideographs, 20)),
        ("emoji", random::emoji(16)),
    ];
    for (kind, password) in passwords {
        let answer = set_and_sign_in(&app, Place::Register, &password)?;
        test.refuses(&format!("a password of {kind} alone is taken"), answer.succeeded(), &answer);
    }
    does_not_expire(test, &app)
}

fn does_not_expire(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    const LONG_AGO: u64 = 400 * 86_400;
    let person = app.person()?;
    let young = app.client().login(&person.email, &person.password)?;
    test.works("LOGIN takes the right password", young.succeeded(), &young)?;
    let db = app.database()?;
    db.age("users", "email", &person.email, "created", LONG_AGO)?;
    if db.has_column("users", "password_changed") {
        db.age("users", "email", &person.email, "password_changed", LONG_AGO)?;
    }
    let mut client = app.client();
    let old = client.login(&person.email, &person.password)?;
    test.refuses("a password of 400 days signs in", old.succeeded(), &old);
    let keys = |answer: &Answer| {
        let json = answer.json();
        json.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>())
    };
    let seen = format!("{}\n{}", young.seen(), old.seen());
    test.refuses("LOGIN answers the same to a password of 400 days", keys(&young) == keys(&old), seen);
    let me = client.me()?;
    test.refuses("ME takes the session of a password of 400 days", me.succeeded(), &me);
    Ok(())
}

/// Passwords that attackers try first are refused, wherever one is set.
pub(super) fn common(test: &mut Test<'_>) -> Outcome {
    const ENOUGH: usize = 3000;
    let app = test.app()?;
    for place in Place::ALL {
        let answer = set_and_sign_in(&app, place, &random::printable(15))?;
        test.works(&format!("{} takes a random password", place.role()), answer.succeeded(), &answer)?;
    }
    let list = bundled(test)?;
    let found = format!("{} entries of fifteen characters or more", list.len());
    test.refuses("the list has 3000 entries that the shortest length lets through", list.len() >= ENOUGH, found);
    let chosen: Vec<&String> = (0..10).filter_map(|at| list.get(at * list.len() / 10)).collect();
    for place in Place::ALL {
        let mut desk = Desk::new(&app, place)?;
        for password in chosen.iter().flat_map(|entry| [(*entry).clone(), title_case(entry)]) {
            let answer = desk.submit(&password)?;
            let what = format!("{} refuses a common password as such, in words", place.role());
            test.refuses(&what, is_refusal(&answer, "password_common") && is_told(&answer), &answer);
        }
    }
    Ok(())
}

/// The list in the generated tree, without what is too short anyway.
fn bundled(test: &Test<'_>) -> Outcome<Vec<String>> {
    let missing = || Stop::Missing("the contract has no `files.common_passwords`".to_owned());
    let file = test.lab.contract.files.get("common_passwords").ok_or_else(missing)?;
    test.needs_start()?;
    let path = test.lab.folder()?.join(file);
    let list = std::fs::read_to_string(&path)
        .map_err(|error| Stop::Missing(format!("the contract names `{}`: {error}", path.display())))?;
    let mut lines: Vec<String> = list.lines().filter(|line| !line.starts_with('#')).map(ToOwned::to_owned).collect();
    lines.retain(|line| line.chars().count() >= 15);
    lines.sort();
    lines.dedup();
    Ok(lines)
}

fn title_case(text: &str) -> String {
    let mut is_start = true;
    let upper = |letter: char| {
        let is_first = std::mem::replace(&mut is_start, !letter.is_alphanumeric());
        if is_first { letter.to_ascii_uppercase() } else { letter }
    };
    text.chars().map(upper).collect()
}

/// Whether the answer says something to people, not to programs alone.
fn is_told(answer: &Answer) -> bool {
    answer.text().split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count() >= 3
}

/// What is made of the address or of the application's name is refused; what merely contains it is not.
pub(super) fn contextual(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let containing = format!("{}acme{}", random::letters(10), random::letters(10));
    for place in Place::ALL {
        let role = place.role();
        let answer = set_and_sign_in(&app, place, &random::password())?;
        test.works(&format!("{role} takes a random phrase"), answer.succeeded(), &answer)?;
        let answer = set_and_sign_in(&app, place, &containing)?;
        test.works(&format!("{role} takes what merely contains part of the name"), answer.succeeded(), &answer)?;
        let local = format!("joan.alder.lovelace.{}", random::letters(6));
        let person = Person { email: format!("{local}@example.test"), ..Person::new() };
        let mut desk = Desk::of(&app, place, person.clone())?;
        for (kind, password) in derived(&app, &person.email, &local) {
            let answer = desk.submit(&password)?;
            let what = format!("{role} refuses {kind} as a password");
            test.refuses(&what, is_refusal(&answer, "password_contextual"), &answer);
        }
    }
    Ok(())
}

fn derived(app: &App, email: &str, local: &str) -> [(&'static str, String); 7] {
    let host = app.origin.split("://").nth(1).unwrap_or_default().split(':').next().unwrap_or_default();
    [
        ("the address", email.to_owned()),
        ("the address before its @", local.to_owned()),
        ("that in upper case", local.to_uppercase()),
        ("the application's name twice", APP_NAME.repeat(2)),
        ("the application's name with a year", "AcmePortal-2026!!".to_owned()),
        ("the address's domain with a year", "example.test2026!".to_owned()),
        ("the application's domain with years", format!("{host}-2026-2027!")),
    ]
}

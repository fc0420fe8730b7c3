//! How passwords lie in the database.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use md5::Md5;
use regex::Regex;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::with_password;
use crate::{
    db::{self, hex},
    lab::App,
    random,
    test::{Outcome, Stop, Test},
};

/// Some frameworks put the name of their hasher before it.
const PHC: &str = r"^(?:argon2)?\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$";

/// An argon2id hash, taken apart.
struct Hash {
    memory: u64,
    passes: u64,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

impl Hash {
    fn parse(text: &str) -> Option<Self> {
        let found = Regex::new(PHC).ok()?.captures(text)?;
        let bytes = |at: usize| STANDARD_NO_PAD.decode(&found[at]).ok();
        Some(Self { memory: found[1].parse().ok()?, passes: found[2].parse().ok()?, salt: bytes(4)?, tag: bytes(5)? })
    }

    /// A row of the floor in ASVS 5.0 appendix C, with the lengths of salt and tag.
    fn is_strong(&self) -> bool {
        let floor = match self.passes {
            0 => return false,
            1 => 47_104,
            2 => 19_456,
            _ => 12_288,
        };
        self.memory >= floor && self.salt.len() >= 16 && self.tag.len() >= 32
    }
}

fn stored(app: &App, email: &str) -> Outcome<String> {
    let hash = app.database()?.one("users", "email", email, "password")?;
    hash.ok_or_else(|| Stop::Broken("the account has no password in the database".to_owned()))
}

/// Passwords are stored as argon2id with enough work, each with a salt of its own, and nowhere in a form that is
/// faster.
pub(super) fn hashes(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let password = random::letters(40);
    let (a, b) = (app.account(with_password(&password))?, app.account(with_password(&password))?);
    let mut client = app.signed_in(&a)?;
    let other = random::letters(40);
    for (from, to) in [(&password, &other), (&other, &password)] {
        let answer = client.change_password(from, to)?;
        test.works("PWCHANGE takes the right password", answer.succeeded(), &answer)?;
    }
    app.signed_in(&a)?;
    app.signed_in(&b)?;

    let dump = app.database()?.dump()?;
    let is_real = dump.iter().any(|(_, _, value)| value == &a.email);
    test.works("the database that is read is the application's", is_real, "no row holds the account's address")?;
    let phc = Regex::new(PHC).map_err(|error| Stop::Broken(error.to_string()))?;
    let mut columns: Vec<String> = dump
        .iter()
        .filter(|(_, _, value)| phc.is_match(value))
        .map(|(table, column, _)| format!("{table}.{column}"))
        .collect();
    columns.sort();
    columns.dedup();
    test.refuses("argon2id hashes stand in one column alone", columns.len() == 1, format!("columns: {columns:?}"));
    let [first, second] = [stored(&app, &a.email)?, stored(&app, &b.email)?];
    two_of_one_password(test, &first, &second);
    in_no_other_form(test, &dump, &password);
    Ok(())
}

fn two_of_one_password(test: &mut Test<'_>, first: &str, second: &str) {
    let shown = format!("{first}\n{second}");
    let (Some(a), Some(b)) = (Hash::parse(first), Hash::parse(second)) else {
        test.refuses("a stored password is an argon2id hash", false, &shown);
        return;
    };
    test.refuses("stored hashes are at or above the floor", a.is_strong() && b.is_strong(), &shown);
    test.refuses("one password twice has two salts", a.salt != b.salt, &shown);
    test.refuses("one password twice has two hashes", a.tag != b.tag, &shown);
}

fn in_no_other_form(test: &mut Test<'_>, dump: &[(String, String, String)], password: &str) {
    let bytes = password.as_bytes();
    let digests: [(&str, Vec<u8>); 4] = [
        ("MD5", Md5::digest(bytes).to_vec()),
        ("SHA-1", Sha1::digest(bytes).to_vec()),
        ("SHA-256", Sha256::digest(bytes).to_vec()),
        ("SHA-512", Sha512::digest(bytes).to_vec()),
    ];
    let plain = [("as it is", bytes.to_vec())];
    for (name, bytes) in plain.into_iter().chain(digests) {
        let mut forms = vec![hex(&bytes), STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)];
        forms.extend(String::from_utf8(bytes).ok());
        let holds = |value: &str| {
            let lower = value.to_ascii_lowercase();
            forms.iter().any(|form| value.contains(form.as_str())) || lower.contains(&forms[0])
        };
        let found = dump.iter().find(|(_, _, value)| holds(value));
        let what = format!("no column holds the password {name}, plain, in hex or in base64");
        test.refuses(&what, found.is_none(), format!("{found:?}"));
    }
}

/// What the hash below is of.
const PASSWORD: &str = "violet harbour 58 quits the marble";
/// argon2id with 8 MiB and one pass: what somebody may have stored years ago.
const WEAK: &str = "$argon2id$v=19$m=8192,t=1,p=1$XxwKm+J9RIOhbpDSx7X4NA$IDG4T/n2xxeOq4AQNNkghwET2c05AX5PuQzjPiEjSDw";

fn before_hash(stored: &str) -> &str {
    stored.split_once('$').map_or("", |(before, _)| before)
}

/// A login that succeeds brings a hash below today's parameters up to them; one that fails does not.
pub(super) fn rehashed(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let person = app.account(with_password(PASSWORD))?;
    let db = app.database()?;
    // With what this application puts before a hash.
    let weak = format!("{}{WEAK}", before_hash(&stored(&app, &person.email)?));
    db.set("users", "email", &person.email, "password", &db::quoted(&weak))?;
    let wrong = app.client().login(&person.email, &random::password())?;
    test.refuses("a wrong password does not sign in to an account with an old hash", wrong.denied(), &wrong);
    let after = stored(&app, &person.email)?;
    test.refuses("a failed login leaves the hash as it is", after == weak, &after);

    let right = app.client().login(&person.email, PASSWORD)?;
    test.works("the right password signs in to an account with an old hash", right.succeeded(), &right)?;
    let renewed = stored(&app, &person.email)?;
    let (old, new) = (Hash::parse(&weak), Hash::parse(&renewed));
    let is_new = old.zip(new).is_some_and(|(old, new)| new.is_strong() && new.salt != old.salt);
    test.refuses("a login renews a hash below the floor", is_new, &renewed);

    app.signed_in(&person)?;
    let again = stored(&app, &person.email)?;
    test.refuses("a hash of today's parameters stays as it is", again == renewed, format!("{renewed}\n{again}"));
    Ok(())
}

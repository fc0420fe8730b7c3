//! What a session's identifier is, how it is kept, and when it changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread,
    time::SystemTime,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use sha2::{Digest as _, Sha256};

use super::super::acts::{Member, Way, went_through};
use crate::{
    client::Client,
    db::hex,
    lab::{App, Setup},
    people::Person,
    random,
    test::{Outcome, Stop, Test},
};

const STARTS: usize = 3;
/// Logins at a time; each by an account of its own, because an account takes one guess after the other.
const LANES: usize = 4;
const PER_LANE: usize = 50;
/// Bits that must vary. The estimate of 600 identifiers is off by far less than one.
const BITS: f64 = 127.0;

/// Identifiers are random: enough bits, none of them fixed, nothing in them, no repetition after a restart.
pub(super) fn randomness(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let people = (0..LANES).map(|_| app.person()).collect::<Outcome<Vec<_>>>()?;
    let me = app.signed_in(&people[0])?.me()?;
    test.works("ME names the account that signed in", me.value("email").as_ref() == Some(&people[0].email), &me)?;
    let mut tokens = vec![];
    for start in 0..STARTS {
        if start > 0 {
            app.restart(test.lab)?;
        }
        tokens.extend(collected(&app, &people)?);
    }
    let different: BTreeSet<&String> = tokens.iter().collect();
    let repeated = tokens.len() - different.len();
    test.refuses("no identifier comes twice, restarts or not", repeated == 0, format!("{repeated} came again"));
    let bits = varying_bits(&tokens);
    let seen = format!("{bits:.1} bits vary in identifiers such as {}", tokens[0]);
    test.refuses("an identifier has 128 random bits", bits >= BITS, seen);
    if let Some(bytes) = decoded_all(&tokens) {
        let biased = biased_bits(&bytes);
        test.refuses("no bit of an identifier is fixed or favoured", biased.is_empty(), format!("bits {biased:?}"));
    }
    let known: Vec<String> = people.iter().map(|person| person.email.clone()).chain(me.value("id")).collect();
    let telling = tokens.iter().find_map(|token| told_by(token, &known));
    test.refuses("an identifier tells nothing", telling.is_none(), telling.unwrap_or_default());
    Ok(())
}

fn collected(app: &Arc<App>, people: &[Person]) -> Outcome<Vec<String>> {
    let lane = |person: &Person| {
        let login = |_| {
            let answer = app.client().enter(person)?;
            let session = answer.session();
            session.ok_or_else(|| Stop::Positive("LOGIN takes the right password".to_owned(), answer.exchange()))
        };
        (0..PER_LANE).map(login).collect::<Outcome<Vec<_>>>()
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = people.iter().map(|person| scope.spawn(move || lane(person))).collect();
        let ended = |_| Stop::Broken("a login did not end".to_owned());
        let lanes = lanes.into_iter().map(|lane| lane.join().map_err(ended)?);
        Ok(lanes.collect::<Outcome<Vec<_>>>()?.concat())
    })
}

/// The entropy of each place of the text, by how often two identifiers agree there, summed up. It needs no knowledge of
/// how bytes were made into text.
pub(in crate::controls) fn varying_bits(tokens: &[String]) -> f64 {
    let places = tokens.iter().map(String::len).min().unwrap_or(0);
    (0..places).map(|place| place_bits(tokens, place)).sum()
}

fn place_bits(tokens: &[String], place: usize) -> f64 {
    let mut counts = BTreeMap::<u8, u32>::new();
    for token in tokens {
        *counts.entry(token.as_bytes()[place]).or_default() += 1;
    }
    let total: f64 = counts.values().copied().map(f64::from).sum();
    let agreeing: f64 = counts.values().map(|count| f64::from(*count) * (f64::from(*count) - 1.0)).sum();
    -(agreeing.max(1.0) / (total * (total - 1.0))).log2()
}

/// The bytes behind the text, where it is plainly hex or base64 of whole bytes.
pub(in crate::controls) fn decoded_all(tokens: &[String]) -> Option<Vec<Vec<u8>>> {
    let all = tokens.concat();
    if all.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return tokens.iter().map(|token| unhex(token)).collect();
    }
    let has = |class: &dyn Fn(u8) -> bool| all.bytes().any(class);
    let is_base64 = has(&|byte| b"-_+/".contains(&byte)) && has(&|b| b.is_ascii_uppercase()) && has(&|b| b == b'z');
    is_base64.then(|| tokens.iter().map(|token| decoded(token)).collect()).flatten()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

/// The bytes behind base64 of any kind.
fn decoded(text: &str) -> Option<Vec<u8>> {
    [URL_SAFE_NO_PAD, STANDARD_NO_PAD, URL_SAFE, STANDARD].iter().find_map(|engine| engine.decode(text).ok())
}

/// Bits whose frequency is further from a half than chance explains: five and a half deviations.
pub(in crate::controls) fn biased_bits(tokens: &[Vec<u8>]) -> Vec<usize> {
    let total = u32::try_from(tokens.len()).map_or(1.0, f64::from);
    let bits = 8 * tokens.iter().map(Vec::len).min().unwrap_or(0);
    let share = |bit: usize| {
        let set = tokens.iter().filter(|token| token[bit / 8] >> (bit % 8) & 1 == 1).count();
        u32::try_from(set).map_or(0.0, f64::from) / total
    };
    (0..bits).filter(|bit| (share(*bit) - 0.5).abs() > 5.5 * 0.5 / total.sqrt()).collect()
}

/// What of the account, or of the time, can be read out of an identifier.
fn told_by(token: &str, known: &[String]) -> Option<String> {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = (seconds / 1000).to_string();
    let parts = token.split(['.', ':', '|', '~', '%']).chain([token]);
    let texts = parts.flat_map(|part| {
        let bytes = [Some(part.as_bytes().to_vec()), decoded(part), unhex(part)];
        bytes.into_iter().flatten().map(|bytes| String::from_utf8_lossy(&bytes).to_lowercase())
    });
    let short = |secret: &str| secret.split('@').next().unwrap_or_default().to_lowercase();
    // A short number may stand anywhere by chance.
    let secrets: Vec<String> = known.iter().map(|secret| short(secret)).filter(|secret| secret.len() > 5).collect();
    let tells = |text: &String| text.contains(&now) || secrets.iter().any(|secret| text.contains(secret));
    texts.into_iter().find(tells).map(|text| format!("{token} holds {text}"))
}

/// The database opens no session: it holds digests, and a digest is no identifier.
pub(super) fn storage(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, first) = app.member()?;
    let clients = [first, app.signed_in(&person)?, app.signed_in(&person)?];
    let db = app.database()?;
    let user = db.one("users", "email", &person.email, "id")?.unwrap_or_default();
    let rows = db.find("sessions", "user", &user)?;
    test.works(
        "each of three logins is a row of the sessions' table",
        rows.len() == 3,
        format!("{} rows", rows.len()),
    )?;
    let dump = db.dump()?;
    for token in clients.iter().filter_map(Client::session) {
        let texts = written(&token);
        let found = dump.iter().find(|(_, _, value)| texts.iter().any(|text| value.contains(text)));
        let seen = found.map(|(table, column, value)| format!("{table}.{column} holds {value}, the cookie {token}"));
        test.refuses("an identifier does not stand in the database", found.is_none(), seen.unwrap_or_default());
    }
    let key = db.column("sessions", "key")?;
    for stored in rows.iter().filter_map(|row| row.get(&key)?.clone()) {
        for value in cookies_of(&stored) {
            let answer = app.client().with_session(Some(&value)).me()?;
            test.refuses("what the database holds is no identifier", answer.denied(), &answer);
        }
    }
    Ok(())
}

/// How an identifier may be written down: as it is, or its bytes in hex and base64.
pub(in crate::controls) fn written(token: &str) -> Vec<String> {
    let bytes = decoded(token).filter(|bytes| bytes.len() >= 8);
    let bytes = bytes.into_iter().flat_map(|bytes| [hex(&bytes), STANDARD_NO_PAD.encode(&bytes)]);
    let whole = [token.to_owned(), hex(token.as_bytes()), crate::client::encoded(token)];
    whole.into_iter().chain(bytes).collect()
}

/// How a stored value may be written into a cookie.
pub(in crate::controls) fn cookies_of(stored: &str) -> Vec<String> {
    let Some(bytes) = stored.strip_prefix("\\x").and_then(unhex) else { return vec![stored.to_owned()] };
    let half = bytes.get(..bytes.len().min(16)).unwrap_or_default();
    vec![hex(&bytes), URL_SAFE_NO_PAD.encode(&bytes), STANDARD.encode(&bytes), URL_SAFE_NO_PAD.encode(half)]
}

/// A login makes an identifier of its own; none that was brought along is taken over.
pub(super) fn fixation(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, client) = app.member()?;
    let issued = client.session().unwrap_or_default();
    let mut left = app.signed_in(&person)?;
    let ended = left.session().unwrap_or_default();
    left.logout()?;
    let mut stranger = app.client();
    stranger.me()?;
    let planted = [alike(&issued), URL_SAFE_NO_PAD.encode(random::bytes(32)), ended];
    for value in planted.into_iter().chain(stranger.session()) {
        login_with(test, &person, &value)?;
        adopted_before(test, &app, &value)?;
        verify_with(test, &app, &value)?;
    }
    login_over(test, &app)
}

/// A value that looks as if the server had issued it.
fn alike(token: &str) -> String {
    match decoded(token).filter(|bytes| URL_SAFE_NO_PAD.encode(bytes) == *token) {
        Some(bytes) => URL_SAFE_NO_PAD.encode(random::bytes(bytes.len())),
        None => random::letters(token.len()),
    }
}

fn login_with(test: &mut Test<'_>, person: &Person, value: &str) -> Outcome {
    let app = test.app()?;
    let planted = app.client().with_session(Some(value));
    let mut client = planted.copy();
    let answer = client.enter(person)?;
    let fresh = answer.session().is_some_and(|session| session != value);
    test.refuses("a login with a planted identifier makes a new one", fresh, &answer);
    let replay = planted.copy().me()?;
    test.refuses("a planted identifier opens nothing after a login", replay.denied(), &replay);
    if fresh {
        let me = client.me()?;
        test.works("the new identifier is signed in", me.succeeded(), &me)?;
    }
    Ok(())
}

/// Nothing is kept under an identifier that the server did not issue.
fn adopted_before(test: &mut Test<'_>, app: &Arc<App>, value: &str) -> Outcome {
    let planted = app.client().with_session(Some(value));
    let mut calls = vec![app.role("ME")?];
    if app.has_passwords() {
        calls.push(app.role("LOGIN")?.field("email", "nobody@mail.test").field("password", "nothing"));
    }
    for call in calls.iter().chain(&calls) {
        let answer = planted.copy().call(call)?;
        let confirmed = answer.session().as_deref() == Some(value);
        test.refuses("a planted identifier is not confirmed", !confirmed, &answer);
    }
    if let Ok(db) = app.db() {
        let bytes = decoded(value).unwrap_or_default();
        let mut texts = written(value);
        texts.extend([hex(&Sha256::digest(value)), hex(&Sha256::digest(bytes))]);
        let found = db.dump()?.into_iter().find(|(_, _, kept)| texts.iter().any(|text| kept.contains(text)));
        test.refuses("nothing is kept under a planted identifier", found.is_none(), format!("{value}: {found:?}"));
    }
    let second = planted.elsewhere().me()?;
    test.refuses("a planted identifier opens nothing for whoever knows it", second.denied(), &second);
    Ok(())
}

/// Confirming an address in the browser that registered signs in, too.
fn verify_with(test: &mut Test<'_>, app: &Arc<App>, value: &str) -> Outcome {
    if !app.has_passwords() || app.role("VERIFY")?.role().signs_in.is_none() {
        return Ok(());
    }
    let person = Person::new();
    let mut browser = app.client();
    let answer = browser.register(&person)?;
    test.works("REGISTER takes a new account", answer.succeeded(), &answer)?;
    let token = app.token("REGISTER", &person.email, 1)?;
    let planted = browser.with_session(Some(value));
    let answer = planted.copy().verify(&token, &person.password)?;
    test.refuses("VERIFY takes over no planted identifier", answer.session().as_deref() != Some(value), &answer);
    let replay = planted.elsewhere().me()?;
    test.refuses("a planted identifier opens nothing after VERIFY", replay.denied(), &replay);
    Ok(())
}

/// Signing in where somebody is signed in ends that session.
fn login_over(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (first, second) = (app.person()?, app.person()?);
    for next in [&second, &first] {
        let mut client = app.signed_in(&first)?;
        let before = client.copy();
        let answer = client.enter(next)?;
        let fresh = answer.session().is_some_and(|session| Some(session) != before.session());
        test.refuses("a login over a session makes a new identifier", fresh, &answer);
        let old = before.copy().me()?;
        test.refuses("a login over a session ends it", old.denied(), &old);
    }
    Ok(())
}

/// Another identifier after each change of what a session may do.
pub(super) fn rotation(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    if !app.has_passwords() {
        return by_provider(test, &app);
    }
    for role in ["REAUTH", "PWCHANGE", "EMAIL_CONFIRM"] {
        let member = Member::new(&app)?;
        let call = member.act(role, Way::Api)?;
        let mut client = member.client.copy();
        let answer = client.call(&call)?;
        test.works(&format!("{role} is not refused"), went_through(&app, role, &answer), &answer)?;
        let rotated = answer.session().is_some() && client.session() != member.client.session();
        test.refuses(&format!("{role} gives the session a new identifier"), rotated, &answer);
        let old = member.client.copy().me()?;
        test.refuses(&format!("the identifier from before {role} is dead"), old.denied(), &old);
        let new = client.me()?;
        test.works(&format!("the session goes on after {role}"), new.succeeded(), &new)?;
    }
    Ok(())
}

/// The same for who proves at a provider once more who it is.
fn by_provider(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, before) = app.member()?;
    let mut client = before.copy();
    let answer = client.prove(&person)?;
    let rotated = answer.session().is_some() && client.session() != before.session();
    test.refuses("proving once more who it is gives the session a new identifier", rotated, &answer);
    let old = before.copy().me()?;
    test.refuses("the identifier from before that is dead", old.denied(), &old);
    let new = client.me()?;
    test.works("the session goes on after that", new.succeeded(), &new)
}

#[cfg(test)]
mod tests {
    use super::{biased_bits, decoded_all, random, told_by, varying_bits};

    fn hexes(change: impl Fn(&mut Vec<u8>)) -> Vec<String> {
        let one = |_| {
            let mut bytes = random::bytes(16);
            change(&mut bytes);
            crate::db::hex(&bytes)
        };
        (0..600).map(one).collect()
    }

    #[test]
    fn sixteen_random_bytes_pass() {
        let tokens = hexes(|_| ());
        assert!(varying_bits(&tokens) > super::BITS);
        assert!(biased_bits(&decoded_all(&tokens).unwrap()).is_empty());
    }

    #[test]
    fn a_uuid_does_not() {
        let tokens = hexes(|bytes| {
            bytes[6] = bytes[6] & 0x0f | 0x40;
            bytes[8] = bytes[8] & 0x3f | 0x80;
        });
        assert!(varying_bits(&tokens) < super::BITS);
        assert_eq!(biased_bits(&decoded_all(&tokens).unwrap()).len(), 6);
    }

    #[test]
    fn an_address_is_found_in_base64() {
        use base64::Engine as _;
        let token = base64::engine::general_purpose::STANDARD.encode("7:somebody@mail.test");
        assert!(told_by(&token, &["somebody@mail.test".to_owned()]).is_some());
        assert!(told_by("q83vEjRWeJCrze8SNFZ4kA", &["somebody@mail.test".to_owned()]).is_none());
    }
}

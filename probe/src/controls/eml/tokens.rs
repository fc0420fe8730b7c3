//! Mailed tokens: what they are made of, how they are kept, and what they open.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use crate::{
    client::Client,
    db,
    http::Answer,
    lab::{App, Setup},
    people::{self, MAIL, Person},
    random,
    test::{Outcome, Stop, Test},
};

/// Accounts that are registered between two starts, requests for a reset of each, and changes of address.
const ACCOUNTS: usize = 16;
const RESETS: usize = 5;
const CHANGES: usize = 80;
const STARTS: usize = 3;
/// Of information: what is left of 128 bits, for sure, if some are spent on format.
const BITS: f64 = 112.0;

/// Mailed tokens are random, of 128 bits or more, and only their hashes are kept.
pub(super) fn random_and_hashed(test: &mut Test<'_>) -> Outcome {
    let limits = Setup::default().set("mail_address", 20).set("mail_source", 200).set("register_source", 200);
    let app = test.boot(&limits)?;
    let (owner, member) = app.member()?;
    let (mut kinds, mut addresses) = (BTreeMap::<&str, Vec<String>>::new(), vec![owner.email.clone()]);
    let mut forgetful = vec![];
    for start in 0..STARTS {
        if start > 0 {
            app.restart(test.lab)?;
        }
        let people = registered(test, &app)?;
        for (person, token) in &people {
            kinds.entry("REGISTER").or_default().push(token.clone());
            addresses.push(person.email.clone());
        }
        if start == 0 {
            forgetful = confirmed(&app, people)?;
        }
        kinds.entry("FORGOT").or_default().extend(resets(test, &app, &forgetful)?);
        kinds.entry("EMAIL_CHANGE").or_default().extend(changes(test, &app, &member)?);
    }
    for (role, tokens) in &kinds {
        are_random(test, role, tokens, &addresses);
    }
    are_hashed(test, &app, &kinds, &forgetful[0])
}

/// Several at a time: each costs the application a slow hash, and what is made of the time is then made twice.
fn registered(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Vec<(Person, String)>> {
    let done = Mutex::new(vec![]);
    thread::scope(|scope| {
        let work = || {
            for _ in 0..ACCOUNTS / 4 {
                let person = Person::new();
                let result = app.registered(&person).map(|token| (person, token));
                done.lock().unwrap_or_else(PoisonError::into_inner).push(result);
            }
        };
        (0..4).for_each(|_| _ = scope.spawn(work));
    });
    let mut people = vec![];
    for result in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        match result {
            Ok(one) => people.push(one),
            Err(Stop::Positive(what, seen)) => {
                test.refuses(
                    "accounts that are registered at once do not share a token",
                    false,
                    format!("{what}\n{seen}"),
                );
            }
            Err(other) => return Err(other),
        }
    }
    test.works("REGISTER mails tokens", !people.is_empty(), format!("none of {ACCOUNTS} accounts got one"))?;
    Ok(people)
}

fn confirmed(app: &Arc<App>, people: Vec<(Person, String)>) -> Outcome<Vec<Person>> {
    let confirm = |(person, token): (Person, String)| {
        let answer = app.client().verify(&token, &person.password)?;
        if answer.succeeded() {
            return Ok(person);
        }
        Err(Stop::Positive("VERIFY takes the mailed token".to_owned(), answer.exchange()))
    };
    people.into_iter().map(confirm).collect()
}

/// The tokens of the role that came to these addresses. Asked for in a row, each request has a token of its own.
fn collected(test: &mut Test<'_>, app: &App, role: &str, addresses: &[&str], each: usize) -> Outcome<Vec<String>> {
    let deadline = Instant::now() + MAIL;
    let mut all = vec![];
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        all.extend(app.tokens(role, address, each, left)?);
    }
    let asked = addresses.len() * each;
    let seen = format!("{} tokens came for {asked} requests", all.len());
    test.works(&format!("{role} mails tokens"), !all.is_empty(), seen.as_str())?;
    test.refuses(&format!("requests of {role} in a row do not share a token"), all.len() >= asked, seen);
    Ok(all)
}

/// The tokens of this start.
fn resets(test: &mut Test<'_>, app: &Arc<App>, people: &[Person]) -> Outcome<Vec<String>> {
    let addresses: Vec<&str> = people.iter().map(|person| person.email.as_str()).collect();
    let mut before = BTreeSet::new();
    for address in &addresses {
        before.extend(app.tokens("FORGOT", address, 0, Duration::ZERO)?);
    }
    for address in &addresses {
        for _ in 0..RESETS {
            app.client().forgot(address)?;
        }
    }
    let each = before.len() / addresses.len().max(1) + RESETS;
    let mut all = collected(test, app, "FORGOT", &addresses, each)?;
    // A token that comes again after a restart is a token of this start too.
    let mut known = before;
    all.retain(|token| !known.remove(token));
    Ok(all)
}

fn changes(test: &mut Test<'_>, app: &Arc<App>, member: &Client) -> Outcome<Vec<String>> {
    let targets: Vec<String> = (0..CHANGES).map(|_| people::email()).collect();
    for target in &targets {
        let call = app.role("EMAIL_CHANGE")?.field("email", target.as_str());
        member.elsewhere().call(&call)?;
    }
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    collected(test, app, "EMAIL_CHANGE", &targets, 1)
}

fn are_random(test: &mut Test<'_>, role: &str, tokens: &[String], addresses: &[String]) {
    let count = tokens.len();
    let different: BTreeSet<&String> = tokens.iter().collect();
    let seen = format!("{} different ones of {count}, such as {}", different.len(), tokens[0]);
    test.refuses(&format!("no two tokens of {role} are the same"), different.len() == count, seen);
    let shortest = tokens.iter().min_by_key(|token| token.len()).cloned().unwrap_or_default();
    test.refuses(&format!("tokens of {role} have 22 characters or more"), shortest.len() >= 22, shortest);
    let bits = information(tokens);
    let seen = format!("about {bits:.0} bits, by the characters at each place of {count}, such as {}", tokens[0]);
    test.refuses(&format!("tokens of {role} are random throughout"), bits >= BITS, seen);
    let balance = ones(tokens);
    let seen = format!("{:.1} % of the bits of {count} tokens are ones", balance * 100.0);
    test.refuses(&format!("the bits of tokens of {role} are even"), (0.45..0.55).contains(&balance), seen);
    let readable = tokens.iter().find(|token| tells(token, addresses));
    let seen = readable.cloned().unwrap_or_default();
    test.refuses(&format!("tokens of {role} tell nothing of the account"), readable.is_none(), seen);
}

/// The entropy that the sample shows: of the characters at each place, added up. Few samples show less than there is.
fn information(tokens: &[String]) -> f64 {
    let length = tokens.iter().map(String::len).min().unwrap_or(0);
    let count = f64::from(u32::try_from(tokens.len()).unwrap_or(u32::MAX));
    let at = |place: usize| {
        let mut seen = BTreeMap::<u8, u32>::new();
        for token in tokens {
            *seen.entry(token.as_bytes()[place]).or_default() += 1;
        }
        seen.into_values().map(|times| f64::from(times) / count).map(|share| -share * share.log2()).sum::<f64>()
    };
    (0..length).map(at).sum()
}

/// The share of ones among the bits of the tokens, decoded if they are base64.
fn ones(tokens: &[String]) -> f64 {
    let bytes: Vec<u8> = tokens.iter().filter_map(|token| URL_SAFE_NO_PAD.decode(token).ok()).flatten().collect();
    let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
    // Another alphabet: its characters were counted, its bits mean nothing.
    if bytes.is_empty() {
        0.5
    } else {
        f64::from(ones) / (8.0 * f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX)))
    }
}

fn tells(token: &str, addresses: &[String]) -> bool {
    let decoded: Vec<String> = token
        .split(['.', '~', ':'])
        .filter_map(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    let names =
        |text: &String| addresses.iter().any(|address| text.contains(address.as_str())) || text.contains("\"exp\"");
    names(&token.to_owned()) || decoded.iter().any(names)
}

fn are_hashed(test: &mut Test<'_>, app: &Arc<App>, kinds: &BTreeMap<&str, Vec<String>>, person: &Person) -> Outcome {
    let db = app.database()?;
    let dump = db.dump()?;
    let shows_addresses = dump.iter().any(|(_, _, value)| value.contains(&person.email));
    test.works("the database can be read", shows_addresses, format!("{} values", dump.len()))?;
    let values: BTreeSet<&str> = dump.iter().map(|(_, _, value)| value.as_str()).collect();
    let kept = kinds.iter().flat_map(|(role, tokens)| tokens.iter().map(move |token| (role, token)));
    let kept = kept.filter(|(_, token)| is_kept(token, &values)).map(|(role, token)| format!("{role}: {token}"));
    let kept: Vec<String> = kept.collect();
    test.refuses("no mailed token is in the database", kept.is_empty(), kept.join("\n"));
    values_open_nothing(test, app, person)
}

fn is_kept(token: &str, values: &BTreeSet<&str>) -> bool {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok().map(|bytes| format!("\\x{}", db::hex(&bytes)));
    let forms = [Some(token.to_owned()), Some(format!("\\x{}", db::hex(token.as_bytes()))), bytes];
    forms.iter().flatten().any(|form| values.contains(form.as_str()))
        || values.iter().any(|value| value.len() > token.len() && value.contains(token))
}

/// What a copy of the database holds of a live token is no token.
fn values_open_nothing(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let db = app.database()?;
    let id = db.one("users", "email", &person.email, "id")?.unwrap_or_default();
    let column = db.column("tokens", "key")?;
    let rows = db.find("tokens", "user", &id)?;
    let keys: Vec<String> = rows.iter().filter_map(|row| row.get(&column).cloned().flatten()).collect();
    test.works("the database has a row for a live token", !keys.is_empty(), format!("{} rows", rows.len()))?;
    for form in keys.iter().flat_map(|key| forms(key)) {
        let answer = app.client().reset(&form, &random::password())?;
        test.refuses("what the database holds of a token does not work as one", answer.denied(), &answer);
    }
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("the password is still the one it was", login.succeeded(), &login);
    Ok(())
}

/// The ways to write down what a column holds.
fn forms(key: &str) -> Vec<String> {
    let Some(digits) = key.strip_prefix("\\x") else { return vec![key.to_owned()] };
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = pairs.filter_map(byte).collect();
    let text = String::from_utf8(bytes.clone()).ok();
    let written = [digits.to_owned(), URL_SAFE_NO_PAD.encode(&bytes), STANDARD.encode(&bytes)];
    written.into_iter().chain(text).collect()
}

/// A token opens what it was mailed for, for the account and address it was mailed to; an empty one opens nothing.
pub(super) fn bound(test: &mut Test<'_>) -> Outcome {
    let limits = Setup::default().set("token_source", 200).set("mail_address", 20);
    let app = test.boot(&limits)?;
    verify_token_elsewhere(test, &app)?;
    reset_token_elsewhere(test, &app)?;
    change_token_elsewhere(test, &app)?;
    another_address(test, &app)?;
    an_address_that_was(test, &app)?;
    blanks(test, &app)
}

/// A token was refused where it does not belong. Only then is it tried where it does, to show that it was alive.
fn misused(test: &mut Test<'_>, what: &str, answer: &Answer, rightly: impl FnOnce() -> Outcome<Answer>) -> Outcome {
    test.refuses(what, answer.denied(), answer);
    if answer.denied() {
        let right = rightly()?;
        test.works("the same token works where it belongs", right.succeeded(), &right)?;
    }
    Ok(())
}

fn verify_token_elsewhere(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, new) = (Person::new(), random::password());
    let token = app.registered(&person)?;
    let answer = app.client().reset(&token, &new)?;
    misused(test, "RESET takes no token of REGISTER", &answer, || app.client().verify(&token, &person.password))?;
    let login = app.client().login(&person.email, &new)?;
    test.refuses("a token of REGISTER sets no password", login.denied(), &login);

    let person = Person::new();
    let token = app.registered(&person)?;
    let (_, mut member) = app.member()?;
    let answer = member.call(&app.role("EMAIL_CONFIRM")?.field("token", token.as_str()))?;
    misused(test, "EMAIL_CONFIRM takes no token of REGISTER", &answer, || app.client().verify(&token, &person.password))
}

fn forgotten(app: &Arc<App>, person: &Person) -> Outcome<String> {
    app.client().forgot(&person.email)?;
    app.token("FORGOT", &person.email, 1)
}

fn reset_token_elsewhere(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    // An account that is not confirmed: there the token would change most.
    let person = Person::new();
    app.registered(&person)?;
    app.client().forgot(&person.email)?;
    // Some applications mail no such link to an address that is not confirmed.
    if let Some(token) = app.tokens("FORGOT", &person.email, 1, Duration::from_secs(1))?.first() {
        let answer = app.client().verify(token, &person.password)?;
        test.refuses("VERIFY takes no token of FORGOT", answer.denied(), &answer);
        let login = app.client().login(&person.email, &person.password)?;
        test.refuses("a token of FORGOT confirms no address", login.denied(), &login);
    }
    let (person, mut member) = app.member()?;
    let token = forgotten(app, &person)?;
    let answer = app.client().verify(&token, &person.password)?;
    test.refuses("VERIFY takes no token of FORGOT for a confirmed account", answer.denied(), &answer);
    let answer = member.call(&app.role("EMAIL_CONFIRM")?.field("token", token.as_str()))?;
    misused(test, "EMAIL_CONFIRM takes no token of FORGOT", &answer, || app.client().reset(&token, &random::password()))
}

fn change_token_elsewhere(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, mut member) = app.member()?;
    let (target, new) = (people::email(), random::password());
    member.call(&app.role("EMAIL_CHANGE")?.field("email", target.as_str()))?;
    let token = app.token("EMAIL_CHANGE", &target, 1)?;
    let verified = app.client().verify(&token, &person.password)?;
    test.refuses("VERIFY takes no token of EMAIL_CHANGE", verified.denied(), &verified);
    let reset = app.client().reset(&token, &new)?;
    let confirm = app.role("EMAIL_CONFIRM")?.field("token", token.as_str());
    misused(test, "RESET takes no token of EMAIL_CHANGE", &reset, || member.call(&confirm))?;
    let logins = [app.client().login(&person.email, &new)?, app.client().login(&target, &new)?];
    let seen = logins.iter().map(Answer::exchange).collect::<Vec<_>>().join("\n");
    test.refuses("a token of EMAIL_CHANGE sets no password", logins.iter().all(Answer::denied), seen);
    Ok(())
}

/// With a valid token of one account, or none, a request names another one.
fn another_address(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, victim) = (app.person()?, app.person()?);
    let db = app.database()?;
    let id = db.one("users", "email", &victim.email, "id")?.unwrap_or_default();
    let token = forgotten(app, &person)?;
    forgotten(app, &victim)?;
    let email = app.role("LOGIN")?.role().fields.get("email").cloned().unwrap_or_else(|| "email".to_owned());
    let named = |token: &str, password: &str| {
        let call = app.role("RESET")?.field("token", token).field("password", password);
        let call = call.field(&email, victim.email.as_str());
        Outcome::Ok(call.field("user_id", id.as_str()).field("id", id.as_str()))
    };
    let new = random::password();
    let nobodys = URL_SAFE_NO_PAD.encode(random::bytes(32));
    let answer = app.client().call(&named(&nobodys, &new)?)?;
    test.refuses("RESET takes no address in the place of a token", answer.denied(), &answer);
    let answer = app.client().call(&named(&token, &new)?)?;
    test.refuses("RESET with a token and another's address does not break", !answer.broke(), &answer);
    let login = app.client().login(&victim.email, &new)?;
    test.refuses("a token changes no other account than its own", login.denied(), &login);
    let login = app.client().login(&victim.email, &victim.password)?;
    test.refuses("the account that was named keeps its password", login.succeeded(), &login);
    Ok(())
}

/// A token that was mailed to an address which is no longer the account's.
fn an_address_that_was(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, mut member) = app.member()?;
    let reset = forgotten(app, &person)?;
    let target = people::email();
    member.call(&app.role("EMAIL_CHANGE")?.field("email", target.as_str()))?;
    let token = app.token("EMAIL_CHANGE", &target, 1)?;
    let confirmed = member.call(&app.role("EMAIL_CONFIRM")?.field("token", token.as_str()))?;
    test.works("EMAIL_CONFIRM takes the mailed token", confirmed.succeeded(), &confirmed)?;
    let answer = app.client().reset(&reset, &random::password())?;
    test.refuses("a token that was mailed to an address before is none for the new one", answer.denied(), &answer);
    Ok(())
}

/// Tokens that are nothing, and near misses of one that is alive.
fn blanks(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    // Someone without any token, someone unconfirmed, someone with a live token.
    let (idle, mut member) = app.member()?;
    let (unconfirmed, asking) = (Person::new(), app.person()?);
    app.registered(&unconfirmed)?;
    let live = forgotten(app, &asking)?;
    let before = accounts(app)?;
    test.works("the accounts are in the database", before.len() >= 3, format!("{} accounts", before.len()))?;
    for value in nothings(&live) {
        for role in ["RESET", "VERIFY", "EMAIL_CONFIRM"] {
            let call = set(app.role(role)?, value.as_ref());
            let call = if call.role().fields.contains_key("password") {
                call.field("password", unconfirmed.password.as_str())
            } else {
                call
            };
            let client = if role == "EMAIL_CONFIRM" { &mut member } else { &mut app.client() };
            let answer = client.call(&call)?;
            let shown = value.as_ref().map_or("no token".to_owned(), ToString::to_string);
            let shown: String = shown.chars().take(60).collect();
            test.refuses(&format!("{role} takes no token that is {shown}"), answer.denied(), &answer);
        }
    }
    let changed: Vec<String> = changes_of(&before, &accounts(app)?);
    test.refuses("a token that is none changes no account", changed.is_empty(), changed.join("\n"));
    let login = app.client().login(&idle.email, &idle.password)?;
    test.refuses("an account without token keeps its password", login.succeeded(), &login);
    let reset = app.client().reset(&live, &random::password())?;
    test.refuses("the live token still works after its near misses", reset.succeeded(), &reset);
    Ok(())
}

/// `None` leaves the field out.
fn nothings(live: &str) -> Vec<Option<Value>> {
    let values = [
        json!(""),
        json!(null),
        json!([]),
        json!([""]),
        json!([null]),
        json!({}),
        json!({"$ne": null}),
        json!(0),
        json!(false),
        json!(true),
        json!("\0"),
        json!("%00"),
        json!(" "),
        json!("null"),
        json!("undefined"),
        json!("%"),
        json!("a".repeat(20_000)),
        json!(format!("{live} ")),
        json!(format!(" {live}")),
        json!(format!("{live}\0")),
        json!(format!("{live}=")),
        json!([live]),
        json!(&live[..live.len() / 2]),
    ];
    values.into_iter().map(Some).chain([None]).collect()
}

fn set(call: crate::client::Call, value: Option<&Value>) -> crate::client::Call {
    match value {
        Some(value) => call.field("token", value.clone()),
        None => call,
    }
}

/// Password, confirmation and address of every account, by its id.
fn accounts(app: &App) -> Outcome<BTreeMap<String, Vec<Option<String>>>> {
    let db = app.database()?;
    let id = db.column("users", "id")?;
    let columns = ["email", "password", "verified"];
    let mut all = BTreeMap::new();
    for row in db.rows(&format!("SELECT {id} FROM {}", db.table("users")?))? {
        let Some(owner) = row.get(&id).cloned().flatten() else { continue };
        let values = columns.iter().map(|column| db.one("users", "id", &owner, column)).collect::<Result<_, _>>()?;
        all.insert(owner, values);
    }
    Ok(all)
}

fn changes_of(
    before: &BTreeMap<String, Vec<Option<String>>>,
    after: &BTreeMap<String, Vec<Option<String>>>,
) -> Vec<String> {
    let changed = before.iter().filter(|(id, values)| after.get(*id) != Some(values));
    changed.map(|(id, values)| format!("account {id}: {values:?} became {:?}", after.get(id))).collect()
}

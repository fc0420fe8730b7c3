//! What too many wrong passwords, or visits to a provider, do to where they come from, and how that is known.

use std::{net::IpAddr, sync::Arc};

use super::{Attempts, attempts, is_evaluated};
use crate::{
    client::Client,
    controls::doors::Door,
    http::{Answer, Request},
    lab::{App, Setup},
    people::{self, Person},
    random,
    test::{Outcome, Stop, Test},
};

/// One source cannot try passwords on many accounts.
pub(super) fn spraying(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let people = (0..6).map(|_| app.person()).collect::<Outcome<Vec<_>>>()?;
    let (mut sprayer, doors) = (app.client(), Door::all(test, &app)?);
    let made = attempts(40, |number| {
        let known = people.get(number / 2).filter(|_| number % 2 == 0);
        doors[number / 2 % doors.len()]
            .guess(&mut sprayer, &known.map_or_else(people::email, |person| person.email.clone()))
    })?;
    let in_time = made.tripped.is_some_and(|number| (2..=31).contains(&number));
    test.refuses("one source cannot guess on more than thirty accounts in a minute", in_time, made.seen());
    test.refuses("a few failures do not close a source", made.tripped.is_none_or(|number| number > 10), made.seen());
    let elsewhere = app.client().login(&people[5].email, &people[5].password)?;
    test.refuses("another source is served meanwhile", elsewhere.succeeded(), &elsewhere);
    each_limit(test)
}

/// Failures and all attempts have limits of their own, which end.
fn each_limit(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("login_source_failures", 4).set("login_source", 9))?;
    let person = app.person()?;
    let (mut sprayer, doors) = (app.client(), Door::all(test, &app)?);
    let failures = attempts(12, |number| doors[number % doors.len()].guess(&mut sprayer, &people::email()))?;
    test.refuses("a source is stopped after the failures that are set", stopped_by(&failures, 5), failures.seen());
    let mut busy = app.client();
    let logins = attempts(12, |_| busy.login(&person.email, &person.password))?;
    let seen = logins.seen();
    test.refuses("a source is stopped after the logins that are set, right ones too", stopped_by(&logins, 10), seen);
    minute_passes(&app)?;
    let later = sprayer.login(&person.email, &person.password)?;
    test.refuses("a source is served again after a minute", later.succeeded(), &later);
    Ok(())
}

/// Not at once, and not later than that.
fn stopped_by(attempts: &Attempts, number: usize) -> bool {
    attempts.tripped.is_some_and(|tripped| (2..=number).contains(&tripped))
}

/// Makes all counters of the application a minute older; where they cannot be reached, waits.
fn minute_passes(app: &Arc<App>) -> Outcome {
    const MINUTE: u64 = 61;
    let named = |db: &crate::db::Db| db.table("throttles").is_ok() && db.has_column("throttles", "expires");
    match app.database() {
        Ok(db) if named(db) => Ok(db.age_all("throttles", "expires", MINUTE)?),
        _ => {
            std::thread::sleep(std::time::Duration::from_secs(MINUTE));
            Ok(())
        }
    }
}

const FAILURES: usize = 4;

/// An address of this machine that stands for another one.
fn loopback(last: [u8; 2]) -> IpAddr {
    IpAddr::from([127, 77, last[0], last[1]])
}

/// An address that no request really comes from.
fn forged() -> String {
    let bytes = random::bytes(2);
    format!("198.18.{}.{}", bytes[0], bytes[1])
}

/// A client's address is the peer's, unless the peer is a configured proxy; then the chain is read from the right.
pub(super) fn forwarded_for(test: &mut Test<'_>) -> Outcome {
    if !cfg!(target_os = "linux") {
        return Err(Stop::NotRun("only Linux has more than one loopback address".to_owned()));
    }
    without_proxy(test)?;
    behind_proxy(test)
}

const HEADERS: [&str; 7] = [
    "X-Forwarded-For",
    "X-Real-IP",
    "Forwarded",
    "CF-Connecting-IP",
    "True-Client-IP",
    "X-Client-IP",
    "Fastly-Client-IP",
];

/// The request, which claims to come from elsewhere.
fn claiming(mut request: Request, headers: &[&str], from: &str) -> Request {
    for header in headers {
        let value = if *header == "Forwarded" { format!("for={from};proto=https") } else { from.to_owned() };
        request = request.header(header, value);
    }
    request
}

/// One of the requests that are counted for a source: a wrong password, or a visit to a provider.
fn knock(client: &Client) -> Outcome<Request> {
    client.guarded(&client.app.way_in(&Person::new())?)
}

/// With so few of them for a source.
fn few(test: &Test<'_>, setup: Setup) -> Outcome<Setup> {
    let limit = if test.app()?.has_passwords() { "login_source_failures" } else { "login_source" };
    Ok(setup.set(limit, FAILURES))
}

/// Tries the account, claiming to be from elsewhere: with a wrong password, or by its provider.
fn try_account(client: Client, person: &Person, headers: &[&str], from: &str) -> Outcome {
    let guess = Person { password: random::password(), ..person.clone() };
    let (mut client, request) = client.about_to_enter(&guess)?;
    client.send(&claiming(request, headers, from))?;
    Ok(())
}

fn without_proxy(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&few(test, Setup::default().direct())?)?;
    let person = app.person()?;
    let honest = attempts(12, claims(&app, [1, 1], &[]))?;
    test.works("a source without proxy is throttled", honest.tripped.is_some(), honest.seen())?;
    let forgeries = HEADERS.iter().map(std::slice::from_ref).chain([&HEADERS[..]]);
    for (number, headers) in (2..).zip(forgeries) {
        let forging = attempts(12, claims(&app, [2, number], headers))?;
        let what = format!("without a proxy, {} does not move a source", headers.join(", "));
        test.refuses(&what, forging.tripped == honest.tripped, forging.seen());
    }
    let mut client = app.client();
    client.from = Some(loopback([3, 3]));
    let claim = forged();
    try_account(client, &person, &HEADERS, &claim)?;
    is_recorded(test, &app, &person, "127.77.3.3", &claim)
}

fn claims<'a>(app: &Arc<App>, from: [u8; 2], headers: &'a [&'a str]) -> impl FnMut(usize) -> Outcome<Answer> + 'a {
    let mut client = app.client();
    client.from = Some(loopback(from));
    move |_| {
        let request = claiming(knock(&client)?, headers, &forged());
        client.send(&request)
    }
}

fn behind_proxy(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&few(test, Setup::default().set("trusted_proxies", "127.0.0.2"))?)?;
    let person = app.person()?;
    let through = |peer: IpAddr, chain: &dyn Fn() -> String| {
        let mut client = app.client();
        (client.source, client.from) = (None, Some(peer));
        attempts(12, |_| {
            let request = claiming(knock(&client)?, &["X-Forwarded-For"], &chain());
            client.send(&request)
        })
    };
    let proxy = IpAddr::from([127, 0, 0, 2]);
    let plain = through(proxy, &|| "203.0.113.8".to_owned())?;
    test.works("a source behind the proxy is throttled", plain.tripped.is_some(), plain.seen())?;
    let mut expect = |what: &str, peer: IpAddr, chain: &dyn Fn() -> String| {
        let made: Attempts = through(peer, chain)?;
        test.refuses(what, made.tripped == plain.tripped, made.seen());
        Outcome::Ok(())
    };
    expect("what a client says left of its address does not move it", proxy, &|| format!("{}, 203.0.113.9", forged()))?;
    expect("trusted hops are passed over, from the right", proxy, &|| {
        format!("{}, 203.0.113.10, 127.0.0.2", forged())
    })?;
    expect("a peer that is no configured proxy cannot name another address", loopback([4, 4]), &forged)?;
    let (mut client, claim) = (app.client(), forged());
    (client.source, client.from) = (None, Some(proxy));
    try_account(client, &person, &["X-Forwarded-For"], &format!("{claim}, 203.0.113.77"))?;
    is_recorded(test, &app, &person, "203.0.113.77", &claim)
}

/// The audit trail holds the address that a guess really came from.
fn is_recorded(test: &mut Test<'_>, app: &Arc<App>, person: &Person, real: &str, claim: &str) -> Outcome {
    let db = app.database()?;
    let recorded = if db.has_column("audit", "ip") {
        let id = db.one("users", "email", &person.email, "id")?.unwrap_or_default();
        let column = db.column("audit", "ip")?;
        let rows = db.find("audit", "user", &id)?;
        rows.iter().filter_map(|row| row.get(&column).cloned().flatten()).collect::<Vec<_>>().join("\n")
    } else {
        app.log()?
    };
    let holds = recorded.contains(real) && !recorded.contains(claim);
    let seen = format!("{real} guessed and claimed to be {claim}; recorded:\n{recorded}");
    test.refuses("the trail names the address that a guess came from, not the one that it claims", holds, seen);
    Ok(())
}

/// Equivalent addresses, and those of one household, are one source.
pub(super) fn canonical_source(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&few(test, Setup::default())?)?;
    let person = app.person()?;
    let household: Vec<String> = (1..=0x40).map(|host| format!("2001:db8:1:1::{host:x}")).collect();
    family(test, &app, "the addresses of an IPv6 /64", household.iter().map(String::as_bytes))?;
    let mut neighbour = app.client();
    neighbour.source = Some("2001:db8:1:2::1".to_owned());
    let answer = neighbour.enter(&person)?;
    test.refuses("another /64 is another source", answer.succeeded(), &answer);
    family(test, &app, "the spellings of an IPv6 address", SPELLINGS.iter().map(|text| text.as_bytes()))?;
    family(test, &app, "an IPv4 address and its IPv6 forms", MAPPED.iter().map(|text| text.as_bytes()))?;
    family(test, &app, "values that are no address", GARBAGE.iter().copied())
}

const SPELLINGS: [&str; 6] = [
    "2001:db8:a:b::1",
    "2001:DB8:A:B::1",
    "2001:0db8:000a:000b:0000:0000:0000:0001",
    "[2001:db8:a:b::1]:4711",
    "2001:db8:a:b::1%eth0",
    "2001:db8:a:b:0:0:0:1",
];

const MAPPED: [&str; 6] = [
    "192.0.2.7",
    "::ffff:192.0.2.7",
    "::ffff:c000:207",
    "::FFFF:C000:0207",
    "192.0.2.7:8080",
    "[::ffff:192.0.2.7]:443",
];

/// These count for the peer.
const GARBAGE: [&[u8]; 7] =
    [b"garbage", b"999.1.1.1", b"unknown", b"", b"2001:db8::1::2", b"\xff\xfe\xc3", b"'; DROP TABLE users; --"];

fn family<'a>(
    test: &mut Test<'_>,
    app: &Arc<App>,
    name: &str,
    sources: impl Iterator<Item = &'a [u8]> + Clone,
) -> Outcome {
    let mut client = app.client();
    let mut sources = sources.cycle();
    let mut broken = None;
    let made = attempts(12, |_| {
        let request = knock(&client)?.header("X-Forwarded-For", sources.next().unwrap_or_default());
        let answer = client.send(&request)?;
        if !answer.succeeded() && !is_evaluated(&answer) && !answer.throttled() {
            broken.get_or_insert_with(|| answer.clone());
        }
        Ok(answer)
    })?;
    test.refuses(&format!("{name} are one source"), stopped_by(&made, FAILURES + 1), made.seen());
    let seen = broken.map(|answer| answer.exchange());
    test.refuses(&format!("{name} break nothing"), seen.is_none(), seen.unwrap_or_default());
    Ok(())
}

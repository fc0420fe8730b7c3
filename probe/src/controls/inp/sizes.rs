//! How much an application reads before it refuses.

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use crate::{
    client::{Call, Client},
    contract::Encoding,
    http::{Answer, Broken, Request, connect},
    lab::App,
    people::Person,
    test::{Outcome, Seen as _, Test},
    timing::{Times, ratio, times},
};

const MIB: usize = 1 << 20;
/// A body that trickles in is given up after so long at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bodies and fields have limits that hold before anything expensive is done.
pub(super) fn limits(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, mut other) = app.member()?;
    let trickle = trickling(&app.client(), &app.way_in(&person)?);
    bodies(test, &app, &person)?;
    bomb(test, &app, &person)?;
    fields(test, &app, &person)?;
    if app.has_passwords() {
        before_hashing(test, &app)?;
    }
    let me = other.me()?;
    test.refuses("others are served meanwhile", me.succeeded(), &me);
    let waited = trickle.join().unwrap_or(None);
    let seen = format!("{waited:?}");
    test.refuses("a body that trickles in is given up within 30 s", waited.is_some_and(|it| it < PATIENCE), seen);
    app.signed_in(&person)?;
    Ok(())
}

/// A refusal; a connection that is closed before all was read is one.
fn is_refused(answer: &Result<Answer, Broken>) -> bool {
    match answer {
        Ok(answer) => answer.denied() && !answer.throttled(),
        Err(broken) => *broken == Broken::Closed,
    }
}

fn shown(answer: &Result<Answer, Broken>) -> String {
    match answer {
        Ok(answer) => answer.seen(),
        Err(broken) => broken.to_string(),
    }
}

fn send(test: &mut Test<'_>, app: &Arc<App>, what: &str, request: &Request) {
    let answer = app.client().try_send(request);
    test.refuses(what, is_refused(&answer), shown(&answer));
}

/// The right credentials in bodies that are too large.
fn bodies(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let call = app.way_in(person)?;
    let answer = app.client().call(&call)?;
    test.works("the way in takes a body of usual size", answer.succeeded(), &answer)?;
    for (size, name) in [(100 << 10, "100 KiB"), (MIB, "1 MiB"), (20 * MIB, "20 MiB")] {
        let padded = call.clone().field("padding", "x".repeat(size));
        send(test, app, &format!("the way in refuses a body of {name}"), &app.client().guarded(&padded)?);
    }
    let new = Person::new();
    for role in app.expected(&["REGISTER", "FORGOT"]) {
        let call = app.role(role)?.field("email", new.email.as_str()).field("padding", "x".repeat(MIB));
        let call = if role == "REGISTER" { call.field("password", new.password.as_str()) } else { call };
        send(test, app, &format!("{role} refuses a body of 1 MiB"), &app.client().guarded(&call)?);
    }
    let many = (0..100_000).fold(call.clone(), |call, at| call.field(&format!("k{at}"), 1));
    send(test, app, "the way in refuses a body with 100000 keys", &app.client().guarded(&many)?);
    chunked(test, app, &call)
}

/// The same without telling the length before.
fn chunked(test: &mut Test<'_>, app: &Arc<App>, call: &Call) -> Outcome {
    let request = app.client().guarded(&call.clone().field("padding", "x".repeat(MIB)))?;
    let mut body = format!("{:x}\r\n", request.body.len()).into_bytes();
    body.extend_from_slice(&request.body);
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    let request = request.with("Transfer-Encoding", "chunked").body(body);
    send(test, app, "the way in refuses a body of 1 MiB in chunks", &request);
    Ok(())
}

/// The right credentials and 20 MiB of nothing, in a few kilobytes.
fn bomb(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let padded = app.way_in(person)?.field("padding", "x".repeat(20 * MIB));
    let request = app.client().guarded(&padded)?;
    let packed = packed(&request.body).unwrap_or_default();
    test.works("the packed body is small", (100..60_000).contains(&packed.len()), format!("{} bytes", packed.len()))?;
    let request = request.header("Content-Encoding", "gzip").body(packed);
    send(test, app, "the way in does not unpack a body without limit", &request);
    Ok(())
}

fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(vec![], Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn fields(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let call = app.way_in(person)?;
    let marks = format!("a{}@mail.test", "\u{301}".repeat(MIB / 2));
    let some = format!("a{}@mail.test", "\u{301}".repeat(15_000));
    let odd = [
        ("1 MiB of combining marks as address", call.clone().field("email", marks)),
        ("30 KiB of combining marks as address", call.clone().field("email", some)),
        ("1 MiB as password", call.clone().field("password", "x".repeat(MIB))),
        ("60000 characters as password", call.clone().field("password", "x".repeat(60_000))),
    ];
    for (which, call) in odd.into_iter().filter(|_| app.has_passwords()) {
        send(test, app, &format!("the way in refuses {which}"), &app.client().guarded(&call)?);
    }
    if app.contract.encoding == Encoding::Json {
        let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let field = if app.has_passwords() { "password" } else { "next" };
        let name = call.role().fields.get(field).cloned().unwrap_or_default();
        let mut request = app.client().guarded(&call)?;
        request.body = format!("{{{}:{nested}}}", Value::from(name)).into_bytes();
        send(test, app, "the way in refuses 10000 arrays in each other", &request);
    }
    Ok(())
}

/// A password far beyond the limit costs less than a hash, also where a new one is set.
fn before_hashing(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    const BODY: usize = 60_000;
    for role in ["LOGIN", "REGISTER"] {
        let [hashed, refused]: [Times; 2] = times(9, 2, |class| {
            let person = Person::new();
            let password = if class == 0 { person.password.clone() } else { "x".repeat(BODY) };
            let call = app.role(role)?.field("email", person.email.as_str()).field("password", json!(password));
            Ok(app.client().call(&call)?.took)
        })?;
        let what = format!("{role} refuses a password of 60000 characters before it hashes");
        let (hashed, refused) = (hashed.quick(), refused.quick());
        let seen = format!("usual: {hashed:?}, too long: {refused:?} (first quartiles)");
        test.refuses(&what, ratio(refused, hashed) < 0.5, seen);
    }
    Ok(())
}

/// Sends one byte a second, until the connection is closed or an answer comes; gives how long that took.
fn trickling(client: &Client, call: &Call) -> thread::JoinHandle<Option<Duration>> {
    let request = client.guarded(call).map(|request| client.completed(&request.body("").with("Content-Length", "500")));
    let (address, from) = (client.address(), client.from);
    thread::spawn(move || {
        let started = Instant::now();
        let mut stream = connect(address, from).ok()?;
        stream.write_all(&request.ok()?.bytes()).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        while started.elapsed() < PATIENCE + Duration::from_secs(2) {
            let closed = stream.write_all(b" ").is_err();
            let ended = match stream.read(&mut [0; 256]) {
                Ok(_) => true,
                Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
            };
            if closed || ended {
                return Some(started.elapsed());
            }
        }
        None
    })
}

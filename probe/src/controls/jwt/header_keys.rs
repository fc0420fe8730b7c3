//! A key that comes with a token is not one.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Forge;
use crate::{
    contract::Algorithm,
    jws::{self, Key},
    test::{Outcome, Stop, Test},
};

pub(super) fn ignored(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    let own = forge.token.kid().unwrap_or_default().to_owned();
    for algorithm in [Algorithm::Ed25519, Algorithm::P256] {
        let private = jws::pkcs8(algorithm)?;
        let (attacker, certificate) = (Key::of(algorithm, &private)?, STANDARD.encode(jws::certificate(&private)?));
        for kid in [own.as_str(), "attacker"] {
            let trap = Trap::start(json!({ "keys": [attacker.jwk(kid)] }).to_string())?;
            for (what, name, value) in carried((&attacker, &certificate), kid, &trap)? {
                let token = forge.token.clone().with_header("alg", attacker.alg());
                let token = token.with_header("kid", kid).with_header(name, value);
                forge.text_refused(test, &what, &token.signed(&attacker)?)?;
                let unnamed = token.without_header("kid");
                forge.text_refused(test, &format!("{what}, without `kid`"), &unnamed.signed(&attacker)?)?;
            }
            // Something may be fetched after the answer.
            thread::sleep(Duration::from_millis(100));
            let visits = trap.visits.load(Ordering::Relaxed);
            test.refuses("no token makes the application fetch anything", visits == 0, format!("{visits} connections"));
        }
    }
    forge.still_works(test)
}

/// Each way in which a header can bring a key.
fn carried(
    (attacker, certificate): (&Key, &str),
    kid: &str,
    trap: &Trap,
) -> Outcome<Vec<(String, &'static str, Value)>> {
    let (jwk, der) = (attacker.jwk(kid), STANDARD.encode(attacker.public_der()?));
    let address = |path: &str| json!(format!("http://{}/{path}", trap.address));
    let ways = [
        ("`jwk` is the stranger's key", "jwk", jwk.clone()),
        ("`jwk` is an array with it", "jwk", json!([jwk])),
        ("`jwks` has it", "jwks", json!({ "keys": [jwk] })),
        ("`jku` is the stranger's server", "jku", address("jwks.json")),
        ("`jku` is a file that the stranger may have written", "jku", json!("file:///tmp/jwks.json")),
        ("`x5u` is the stranger's server", "x5u", address("chain.pem")),
        ("`x5c` has the stranger's certificate", "x5c", json!([certificate])),
        ("`x5c` has the stranger's bare key", "x5c", json!([der])),
        ("`x5t` names another key", "x5t", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("`x5t#S256` names another key", "x5t#S256", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("`kid` is the stranger's server", "kid", address("jwks.json")),
    ];
    Ok(ways.into_iter().map(|(what, name, value)| (format!("{what} ({})", attacker.alg()), name, value)).collect())
}

/// A server that gives the stranger's keys to whoever asks, and counts.
struct Trap {
    address: SocketAddr,
    visits: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl Trap {
    fn start(body: String) -> Outcome<Self> {
        let broken = |error: std::io::Error| Stop::Broken(error.to_string());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(broken)?;
        let address = listener.local_addr().map_err(broken)?;
        let (visits, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, over) = (visits.clone(), ended.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                counted.fetch_add(1, Ordering::Relaxed);
                _ = answer(stream, &body);
            }
        });
        Ok(Self { address, visits, ended })
    }
}

fn answer(mut stream: TcpStream, body: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    _ = stream.read(&mut [0; 4096])?;
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, so that it sees the end.
        _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

//! Every attack, without the smoke story before it, against servers that give the same answer to everything: none passes.
#![expect(clippy::unwrap_used, reason = "a test makes a folder; a failure is a panic")]

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use authwright_probe::{
    app::Folder,
    contract::{Contract, Role},
    lab::{Lab, Target},
    report::{Report, Verdict},
    run::{self, Options},
};

/// The careful canary's contract: it has all roles.
const CONTRACT: &str = include_str!("../../tests/canary/careful/contract.toml");

const SERVER: &str = r#"
import os, socketserver, sys
STATUS, BODY = sys.argv[1].encode(), b"{}"
HEAD = b"HTTP/1.1 " + STATUS + b" Said\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n"
class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1 << 20)
        self.request.sendall(HEAD + BODY)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128
    daemon_threads = True
    def handle_error(self, *_): pass
host, port = os.environ["ID_LISTEN"].rsplit(":", 1)
Server((host, int(port)), Connection).serve_forever()
"#;

/// What a careless author says of tokens that it has none of.
const TOKENS: &str = r#"
[tokens]
key = "pkcs8-base64"
alg = "EdDSA"
typ = "at+jwt"
issuer = "{base_url}"
audience = "{base_url}"
scope = "read"
other_scope = "write"
[roles]
TOKEN = { method = "POST", path = "/id/token", fields = { grant = "grant", email = "mail", password = "phrase", scope = "scope" } }
TOKEN_REFRESH = { method = "POST", path = "/id/token/refresh", fields = { refresh_token = "refresh_token", scope = "scope" } }
TOKEN_REVOKE = { method = "POST", path = "/id/token/revoke", fields = { token = "token" } }
JWKS = { method = "GET", path = "/id/keys" }
API = { method = "GET", path = "/id/api" }
API_SCOPED = { method = "GET", path = "/id/api/read" }
API_FRESH = { method = "GET", path = "/id/api/fresh" }
DEVICES = { method = "GET", path = "/id/devices", extract = { list = "/list", id = "/id", current = "/current" } }
DEVICE_REVOKE = { method = "DELETE", path = "/id/devices/{id}" }
"#;

/// The careful canary's contract with tokens beside, which that application does not have.
fn with_tokens() -> Contract {
    let mut contract = Contract::parse(CONTRACT).unwrap();
    let more: toml::Table = TOKENS.parse().unwrap();
    contract.tokens = Some(more["tokens"].clone().try_into().unwrap());
    contract.roles.extend(more["roles"].clone().try_into::<BTreeMap<String, Role>>().unwrap());
    contract
}

/// The contract as a careless author would write it, so that attacks get as far as they can: any 200 is a success, and the
/// only defence against other sites is the origin.
fn lenient(script: &str, status: u16) -> Contract {
    let mut contract = with_tokens();
    for role in contract.roles.values_mut() {
        role.success = toml::from_str("status = 200").unwrap();
        role.failure = toml::from_str("status = [400, 401, 403, 404, 422, 429]").unwrap();
    }
    contract.csrf = toml::from_str("source = \"origin\"").unwrap();
    let start = contract.start.as_mut().unwrap();
    start.build.clear();
    start.command = vec!["python3".into(), script.into(), status.to_string()];
    contract
}

fn attacked(status: u16) -> Report {
    let folder = Folder::new().unwrap();
    let script = folder.path().join("server.py");
    fs::write(&script, SERVER).unwrap();
    let contract = lenient(script.to_str().unwrap(), status);
    let target = Target::Folder(folder.path().to_owned());
    let interrupted = Arc::new(AtomicBool::new(false));
    let mut lab = Lab::new(contract, vec!["password".to_owned(), "tokens".to_owned()], target, interrupted);
    lab.mail_patience = Some(Duration::from_millis(200));
    let options = Options { smoke: false, workers: 8, ..Options::default() };
    run::run(&lab, &options, "a dumb server", &|_| ()).unwrap()
}

fn nothing_passes(status: u16) {
    let started = Instant::now();
    let report = attacked(status);
    let passing: Vec<&str> = report
        .controls
        .iter()
        .filter(|finding| finding.verdict == Verdict::Pass)
        .map(|finding| finding.id.as_str())
        .collect();
    assert!(passing.is_empty(), "{status} to everything passes {passing:?}");
    assert!(report.count(Verdict::Fail) > 0);
    // Seconds where the machine is free; the bound is for one that is not.
    assert!(started.elapsed() < Duration::from_mins(10), "{:?}", started.elapsed());
}

#[test]
fn a_server_that_says_200_to_everything_passes_no_control() {
    nothing_passes(200);
}

#[test]
fn a_server_that_says_403_to_everything_passes_no_control() {
    nothing_passes(403);
}

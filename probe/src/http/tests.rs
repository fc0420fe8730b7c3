use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use super::{Answer, Broken, Request, exchange};
use crate::contract::Contract;

const CONTRACT: &str = r#"
schema = 1
encoding = "json"
errors = { code = "/error" }
csrf = { source = "origin" }
[cookies]
session = "sid"
[roles.LOGIN]
method = "POST"
path = "/in"
success = { status = 200, cookie = "session", body = { "/ok" = "true" } }
failure = { status = 200, text = "wrong" }
"#;

/// What a server that says `reply` to anything makes of a request of role LOGIN.
fn reply(reply: &'static [u8]) -> Result<Answer, Broken> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = vec![0; 4096];
        let count = stream.read(&mut seen).unwrap();
        stream.write_all(reply).unwrap();
        seen.truncate(count);
        seen
    });
    let contract = Arc::new(Contract::parse(CONTRACT).unwrap());
    let mut request = Request::new("POST", "/in").header("X-Raw", b"a\xffb").body("{}");
    request.role = Some(Arc::new(contract.roles["LOGIN"].clone()));
    let answer = exchange(address, None, &request, &contract);
    assert_eq!(server.join().unwrap(), b"POST /in HTTP/1.1\r\nX-Raw: a\xffb\r\n\r\n{}");
    answer
}

#[test]
fn a_body_with_a_length_in_chunks_or_to_the_end_is_read_whole() {
    let length = reply(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcdZZZ").unwrap();
    assert_eq!((length.status, length.text().as_str()), (200, "abcdZZZ"));
    let chunks =
        reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n").unwrap();
    assert_eq!(chunks.text(), "abcde");
    let end = reply(b"HTTP/1.0 404 No\r\nA: 1\r\nA: 2\r\n\r\nto the end").unwrap();
    assert_eq!((end.text().as_str(), end.headers("a").collect::<Vec<_>>()), ("to the end", vec!["1", "2"]));
}

#[test]
fn what_is_not_an_answer_is_told_apart() {
    assert_eq!(reply(b"").unwrap_err(), Broken::Closed);
    assert_eq!(reply(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap_err(), Broken::Closed);
    assert!(matches!(reply(b"SSH-2.0-x\r\n").unwrap_err(), Broken::Garbage(_)));
    let cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab\r\n";
    assert!(matches!(reply(cut).unwrap_err(), Broken::Garbage(_)));
}

#[test]
fn success_and_refusal_are_the_contracts() {
    let right =
        reply(b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=abc; Path=/\r\nContent-Length: 11\r\n\r\n{\"ok\":true}").unwrap();
    assert!(right.succeeded() && !right.denied() && right.session().as_deref() == Some("abc"));
    let empty = reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    assert!(!empty.succeeded() && !empty.denied());
    let form = reply(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong").unwrap();
    assert!(form.denied());
    let cleared =
        reply(b"HTTP/1.1 401 No\r\nSet-Cookie: sid=; Max-Age=0\r\nContent-Length: 17\r\n\r\n{\"error\":\"wrong\"}")
            .unwrap();
    assert!(cleared.denied() && !cleared.sets_session() && cleared.code().as_deref() == Some("wrong"));
    let lenient = reply(b"HTTP/1.1 401 No\r\nSet-Cookie: sid=x\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert!(!lenient.denied(), "a refusal that sets a session is none");
}

#[test]
fn answers_look_the_same_but_for_their_request_id() {
    let one = reply(b"HTTP/1.1 202 OK\r\nX-Request-Id: 11\r\nContent-Length: 2\r\n\r\n11").unwrap();
    let other = reply(b"HTTP/1.1 202 OK\r\nx-request-id: 22\r\nContent-Length: 2\r\n\r\n22").unwrap();
    let third =
        reply(b"HTTP/1.1 202 OK\r\nX-Request-Id: 33\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n33").unwrap();
    assert_eq!(one.look(), other.look());
    assert_ne!(one.look(), third.look());
}

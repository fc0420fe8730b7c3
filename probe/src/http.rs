//! One request over one connection, byte for byte as the attack wants it, and its answer.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::net::{
    AddressFamily, SocketType,
    sockopt::{Timeout, set_socket_timeout},
};
use serde_json::Value;

use crate::contract::{Contract, Predicate, Role};

/// How long an answer may take to come whole.
pub const PATIENCE: Duration = Duration::from_secs(20);
const ANSWER_LIMIT: usize = 8 << 20;
/// How much of a request and an answer is shown as evidence.
const SHOWN: usize = 1200;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    Refused,
    /// The connection was closed before an answer was whole.
    Closed,
    TooSlow,
    TooLarge,
    /// Not HTTP.
    Garbage(String),
    /// The user stopped the run; nothing was sent.
    Interrupted,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused => f.write_str("the connection was refused"),
            Self::Closed => f.write_str("the connection was closed without an answer"),
            Self::TooSlow => write!(f, "no whole answer came within {} s", PATIENCE.as_secs()),
            Self::TooLarge => write!(f, "the answer is larger than {} MiB", ANSWER_LIMIT >> 20),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Garbage(what) => write!(f, "the answer is not HTTP: {what}"),
        }
    }
}

impl std::error::Error for Broken {}

/// A request as it goes over the wire. Nothing is added but what [`crate::client::Client`] says it adds.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// The role whose predicates the answer is held against.
    pub role: Option<Arc<Role>>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: vec![], body: vec![], role: None }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Without the header, whatever its case.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// The header once, with this value.
    #[must_use]
    pub fn with(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).header(name, value)
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An answer, with the request that it answers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub took: Duration,
    pub(crate) sent: Vec<u8>,
    pub(crate) role: Option<Arc<Role>>,
    pub(crate) contract: Arc<Contract>,
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether it is what the contract calls the role's success. Never for an answer without role.
    pub fn succeeded(&self) -> bool {
        self.role.as_ref().is_some_and(|role| self.is(&role.success))
    }

    /// DENY of the catalogue: a refusal that makes no session. A form that answers 200 to both is held against the
    /// contract's failure.
    pub fn denied(&self) -> bool {
        const REFUSALS: [u16; 9] = [400, 401, 403, 404, 405, 409, 413, 415, 422];
        let by_contract = || self.role.as_ref().is_some_and(|role| self.is_named_failure(&role.failure));
        let refused = REFUSALS.contains(&self.status) || self.status == 429 || by_contract();
        refused && !self.sets_session() && !self.succeeded()
    }

    fn is_named_failure(&self, failure: &Predicate) -> bool {
        let names_something = failure.text.is_some() || failure.leads.is_some() || !failure.body.is_empty();
        names_something && self.is(failure)
    }

    pub fn throttled(&self) -> bool {
        self.status == 429
    }

    /// A 5xx, which is a fault whatever was sent.
    pub fn broke(&self) -> bool {
        self.status >= 500
    }

    /// The application's code of an error.
    pub fn code(&self) -> Option<String> {
        let pointer = self.contract.errors.code.as_ref()?;
        Some(self.json().pointer(pointer)?.as_str()?.to_owned())
    }

    /// Whether the refusal has the code that the contract gives for `name`. Where the contract names none, a refusal is all
    /// that can be asked.
    pub fn is_code(&self, name: &str) -> bool {
        self.contract.codes.get(name).is_none_or(|code| self.code().as_ref() == Some(code))
    }

    /// The value that the role extracts under that name, as text.
    pub fn value(&self, name: &str) -> Option<String> {
        let pointer = self.role.as_ref()?.extract.get(name)?;
        let json = self.json();
        let value = json.pointer(pointer)?;
        Some(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
    }

    /// All cookies that it sets, in order, those with an empty value too.
    pub fn cookies(&self) -> Vec<cookie::Cookie<'_>> {
        self.headers("set-cookie").filter_map(|text| cookie::Cookie::parse(text).ok()).collect()
    }

    /// The session that it sets, if any.
    pub fn session(&self) -> Option<String> {
        let names = self.contract.cookies.names("session");
        let cookies = self.cookies();
        let mut set = cookies.iter().filter(|cookie| names.contains(&cookie.name()));
        set.find(|cookie| !cookie.value_trimmed().is_empty()).map(|cookie| cookie.value().to_owned())
    }

    /// Whether it sets the cookie of that key in `[cookies]`.
    fn sets(&self, key: &str) -> bool {
        let names = self.contract.cookies.names(key);
        self.cookies().iter().any(|cookie| names.contains(&cookie.name()) && !cookie.value_trimmed().is_empty())
    }

    pub fn sets_session(&self) -> bool {
        self.session().is_some()
    }

    fn is(&self, predicate: &Predicate) -> bool {
        let matches =
            |pattern: &str, text: &str| regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
        let cookie = predicate.cookie.as_ref().is_none_or(|key| self.sets(key));
        let json = self.json();
        let body = predicate.body.iter().all(|(pointer, wanted)| {
            json.pointer(pointer)
                .is_some_and(|value| wanted == "*" || value.as_str().unwrap_or(&value.to_string()) == wanted)
        });
        let code = predicate.code.as_slice().is_empty() || self.code().is_some_and(|code| predicate.code.allows(&code));
        let text = predicate.text.as_ref().is_none_or(|pattern| matches(pattern, &self.text()));
        let location = self.header("location").unwrap_or_default();
        let leads = predicate.leads.as_ref().is_none_or(|pattern| matches(pattern, location))
            && predicate.not_leads.as_ref().is_none_or(|pattern| !matches(pattern, location));
        predicate.status.allows(&self.status) && cookie && body && code && text && leads
    }

    /// What a stranger can tell answers apart by: status, names of headers and cookies, and the body without what is new in
    /// every answer, such as the request's id and the CSRF value.
    pub fn look(&self) -> String {
        let mut names: Vec<String> = self.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort();
        let cookies: Vec<String> = self.cookies().iter().map(|cookie| cookie.name().to_owned()).collect();
        let mut body = self.text();
        for (_, value) in self.headers.iter().filter(|(name, _)| name.to_ascii_lowercase().contains("request-id")) {
            body = body.replace(value.as_str(), "*");
        }
        format!("{} {} [{}] {body}", self.status, names.join(","), cookies.join(","))
    }

    /// Request and answer, for a report.
    pub fn exchange(&self) -> String {
        let mut head = format!("HTTP/1.1 {}\n", self.status);
        for (name, value) in &self.headers {
            _ = writeln!(head, "{name}: {value}");
        }
        format!("{}\n---\n{}\n{}", shown(&self.sent), shown(head.as_bytes()), shown(&self.body))
    }
}

/// All texts in a JSON value, in its order.
pub fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => vec![],
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).replace("\r\n", "\n");
    if bytes.len() > SHOWN { format!("{text} … ({} bytes in all)", bytes.len()) } else { text }
}

/// Sends the bytes and reads one answer. `from` is the address of this machine that the connection comes from.
///
/// # Errors
/// When no whole answer came; see [`Broken`].
pub fn exchange(
    to: SocketAddr,
    from: Option<IpAddr>,
    request: &Request,
    contract: &Arc<Contract>,
) -> Result<Answer, Broken> {
    exchange_bytes(to, from, &request.bytes(), request, contract)
}

/// The same with other bytes than the request's own.
///
/// # Errors
/// As for [`exchange`].
pub fn exchange_bytes(
    to: SocketAddr,
    from: Option<IpAddr>,
    bytes: &[u8],
    request: &Request,
    contract: &Arc<Contract>,
) -> Result<Answer, Broken> {
    let started = Instant::now();
    let mut stream = connect(to, from)?;
    // A server that refuses by the head alone closes while the body is still on its way; its answer is read all the same.
    let written = stream.write_all(bytes);
    let raw = read(&mut stream, started + PATIENCE);
    let raw = match (raw, written) {
        (Ok(raw), Err(_)) if raw.is_empty() => return Err(Broken::Closed),
        (raw, _) => raw?,
    };
    let (status, headers, body) = parse(&raw, request.method == "HEAD")?;
    Ok(Answer {
        status,
        headers,
        body,
        took: started.elapsed(),
        sent: bytes.to_vec(),
        role: request.role.clone(),
        contract: contract.clone(),
    })
}

/// A connection from an address of this machine, for what is not one request and one answer.
///
/// # Errors
/// When it is refused.
pub fn connect(to: SocketAddr, from: Option<IpAddr>) -> Result<TcpStream, Broken> {
    let stream = match from {
        None => TcpStream::connect_timeout(&to, PATIENCE).map_err(|_| Broken::Refused)?,
        Some(from) => {
            let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let socket = rustix::net::socket(family, SocketType::STREAM, None).map_err(|_| Broken::Refused)?;
            rustix::net::bind(&socket, &SocketAddr::new(from, 0)).map_err(|_| Broken::Refused)?;
            let limit = set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE));
            limit.map_err(|_| Broken::Refused)?;
            rustix::net::connect(&socket, &to).map_err(|_| Broken::Refused)?;
            TcpStream::from(socket)
        }
    };
    let limits = stream.set_read_timeout(Some(PATIENCE)).and(stream.set_write_timeout(Some(PATIENCE)));
    limits.and(stream.set_nodelay(true)).map_err(|_| Broken::Refused)?;
    Ok(stream)
}

/// Until the answer is whole by its own account, or the connection ends.
pub(crate) fn read(stream: &mut TcpStream, deadline: Instant) -> Result<Vec<u8>, Broken> {
    let mut raw = vec![];
    let mut buffer = vec![0; 64 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Broken::TooSlow);
        }
        _ = stream.set_read_timeout(Some(left));
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(raw),
            Ok(count) => raw.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(Broken::TooSlow);
            }
            Err(_) => return Ok(raw),
        }
        if raw.len() > ANSWER_LIMIT {
            return Err(Broken::TooLarge);
        }
        if is_whole(&raw) {
            return Ok(raw);
        }
    }
}

/// Whether an answer with a length has come to its end; one without ends with the connection.
fn is_whole(raw: &[u8]) -> bool {
    let mut space = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut space);
    let Ok(httparse::Status::Complete(start)) = head.parse(raw) else { return false };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse::<usize>().ok());
    length.is_some_and(|length| raw.len() - start >= length)
}

type Parts = (u16, Vec<(String, String)>, Vec<u8>);

fn parse(raw: &[u8], head_only: bool) -> Result<Parts, Broken> {
    if raw.is_empty() {
        return Err(Broken::Closed);
    }
    let mut space = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut space);
    let start = match head.parse(raw) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Err(Broken::Closed),
        Err(error) => return Err(Broken::Garbage(error.to_string())),
    };
    let status = head.code.unwrap_or(0);
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let says = |name: &str, value: &str| {
        headers
            .iter()
            .any(|(other, text)| other.eq_ignore_ascii_case(name) && text.to_ascii_lowercase().contains(value))
    };
    let body = &raw[start..];
    let body = if head_only || status == 204 || status == 304 {
        vec![]
    } else if says("transfer-encoding", "chunked") {
        unchunked(body)?
    } else {
        body.to_vec()
    };
    Ok((status, headers, body))
}

fn unchunked(mut rest: &[u8]) -> Result<Vec<u8>, Broken> {
    let garbage = || Broken::Garbage("a chunk is cut".to_owned());
    let mut body = vec![];
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            return Err(garbage());
        };
        let size = usize::try_from(size).map_err(|_| garbage())?;
        if size == 0 {
            return Ok(body);
        }
        let end = start.checked_add(size).ok_or_else(garbage)?;
        body.extend_from_slice(rest.get(start..end).ok_or_else(garbage)?);
        rest = rest.get(end + 2..).ok_or_else(garbage)?;
    }
}

#[cfg(test)]
mod tests;

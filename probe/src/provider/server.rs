//! The listener of a provider: TLS, one request a connection, and nothing without bound.

use std::{
    io::{ErrorKind, Read, Result},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{hits::Hit, reply::Manner};

const IDLE: Duration = Duration::from_secs(20);
const REQUEST_LIMIT: usize = 256 << 10;
/// Connections at one time; more than any application makes.
const CONNECTIONS: usize = 200;

/// What answers.
pub(super) type Answer = dyn Fn(&Hit) -> Manner + Send + Sync;

/// Listens until it is dropped.
pub struct Listener {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    tls: Mutex<Option<Arc<ServerConfig>>>,
    ended: AtomicBool,
    open: AtomicUsize,
    /// Connections that were made, whatever came of them.
    made: AtomicUsize,
    answer: Box<Answer>,
}

impl Listener {
    /// On a free port of this machine; without `tls`, in plain HTTP.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(tls: Option<Arc<ServerConfig>>, answer: Box<Answer>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a provider of the probe cannot listen")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            tls: Mutex::new(tls),
            ended: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            answer,
        });
        let accepting = shared.clone();
        thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { address, shared })
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.shared.made.load(Ordering::Relaxed)
    }

    /// From now on it speaks TLS by this configuration.
    pub fn speak(&self, tls: Arc<ServerConfig>) {
        *self.shared.tls.lock().unwrap_or_else(PoisonError::into_inner) = Some(tls);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, so that it sees the end.
        _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        shared.made.fetch_add(1, Ordering::Relaxed);
        let Ok(stream) = stream else { continue };
        if shared.open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
            shared.open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let shared = shared.clone();
        thread::spawn(move || {
            _ = serve(stream, &shared);
            shared.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let tls = shared.tls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(tls) = tls else {
        let mut stream = stream;
        let hit = read(&mut stream)?;
        return (shared.answer)(&hit).carry_out(&mut stream, &shared.ended);
    };
    let connection = ServerConnection::new(tls).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let hit = read(&mut stream)?;
    let done = (shared.answer)(&hit).carry_out(&mut stream, &shared.ended);
    stream.conn.send_close_notify();
    _ = stream.conn.complete_io(&mut stream.sock);
    done
}

/// One request with its body.
fn read(stream: &mut impl Read) -> Result<Hit> {
    let mut raw = vec![];
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = stream.read(&mut buffer)?;
        raw.extend_from_slice(&buffer[..count]);
        if let Some(hit) = parsed(&raw)? {
            return Ok(hit);
        }
        if count == 0 || raw.len() > REQUEST_LIMIT {
            return Err(ErrorKind::InvalidData.into());
        }
    }
}

/// The request, once it is whole.
fn parsed(raw: &[u8]) -> Result<Option<Hit>> {
    let mut space = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut space);
    let httparse::Status::Complete(start) = head.parse(raw).map_err(std::io::Error::other)? else { return Ok(None) };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<_> = head.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.trim().parse::<usize>().ok()).unwrap_or(0);
    let Some(body) = raw.get(start..start.saturating_add(length)) else { return Ok(None) };
    let (method, target) = (head.method.unwrap_or_default().to_owned(), head.path.unwrap_or_default().to_owned());
    Ok(Some(Hit { endpoint: None, method, target, headers, body: text(body) }))
}

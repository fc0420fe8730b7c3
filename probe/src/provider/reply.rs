//! How a provider answers a request, and how it keeps others waiting.

use std::{
    fmt::Write as _,
    io::{Result, Write},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// No answer takes longer; whoever waits for one gave up before.
const LONGEST: Duration = Duration::from_mins(1);
const PIECE: [u8; 16 << 10] = [b' '; 16 << 10];

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub kind: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, kind: kind.to_owned(), headers: vec![], body: body.into() }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub fn redirect(status: u16, to: &str) -> Self {
        let headers = vec![("Location".to_owned(), to.to_owned())];
        Self { headers, ..Self::new(status, "text/plain", "elsewhere") }
    }

    fn head(&self, length: Option<u64>) -> String {
        let mut head =
            format!("HTTP/1.1 {} Answer\r\nContent-Type: {}\r\nConnection: close\r\n", self.status, self.kind);
        for (name, value) in &self.headers {
            _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(length) = length {
            _ = write!(head, "Content-Length: {length}\r\n");
        }
        head + "\r\n"
    }
}

/// What an endpoint does when it is asked.
#[derive(Clone, Debug)]
pub enum Manner {
    Answers(Reply),
    /// Says nothing, and keeps the connection.
    Stalls,
    /// Sends the reply a byte now and then.
    Drips(Reply),
    /// Sends the reply and then so many bytes of white space, which JSON allows; no length is told before.
    Floods(Reply, u64),
}

impl Manner {
    /// Does it, until it is done, the other side went away, or the provider ends.
    pub(super) fn carry_out(&self, stream: &mut impl Write, ended: &AtomicBool) -> Result<()> {
        match self {
            Self::Answers(reply) => {
                stream.write_all(reply.head(Some(reply.body.len() as u64)).as_bytes())?;
                stream.write_all(&reply.body)
            }
            Self::Stalls => {
                until(ended, LONGEST);
                Ok(())
            }
            Self::Drips(reply) => drip(reply, stream, ended),
            Self::Floods(reply, bytes) => flood(reply, *bytes, stream, ended),
        }
    }
}

/// Waits that long, or until the provider ends.
fn until(ended: &AtomicBool, long: Duration) {
    let deadline = Instant::now() + long;
    while !ended.load(Ordering::Relaxed) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50).min(long));
    }
}

fn drip(reply: &Reply, stream: &mut impl Write, ended: &AtomicBool) -> Result<()> {
    let deadline = Instant::now() + LONGEST;
    stream.write_all(reply.head(Some(reply.body.len() as u64)).as_bytes())?;
    for byte in &reply.body {
        if Instant::now() >= deadline || ended.load(Ordering::Relaxed) {
            break;
        }
        stream.write_all(std::slice::from_ref(byte))?;
        stream.flush()?;
        until(ended, Duration::from_millis(300));
    }
    Ok(())
}

fn flood(reply: &Reply, bytes: u64, stream: &mut impl Write, ended: &AtomicBool) -> Result<()> {
    let deadline = Instant::now() + LONGEST;
    stream.write_all(reply.head(None).as_bytes())?;
    stream.write_all(&reply.body)?;
    let mut left = bytes;
    while left > 0 && Instant::now() < deadline && !ended.load(Ordering::Relaxed) {
        let piece = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE.len());
        stream.write_all(&PIECE[..piece])?;
        left -= piece as u64;
    }
    Ok(())
}

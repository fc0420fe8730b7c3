//! A mail server that keeps what it is given.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use mail_parser::MessageParser;

const LINE_LIMIT: u64 = 64 << 10;
const MAIL_LIMIT: usize = 4 << 20;
const IDLE: Duration = Duration::from_secs(30);

/// A mail as it was handed over.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Of the envelope (`RCPT TO`), without angle brackets.
    pub to: Vec<String>,
    pub from: String,
    pub raw: Vec<u8>,
    pub subject: String,
    /// All text parts, decoded.
    pub text: String,
    pub html: String,
    pub at: Instant,
}

impl Mail {
    fn new(from: String, to: Vec<String>, raw: Vec<u8>) -> Self {
        let message = MessageParser::default().parse(&raw);
        let parts = |count: usize, part: &dyn Fn(usize) -> Option<String>| {
            (0..count).filter_map(part).collect::<Vec<_>>().join("\n")
        };
        let (mut subject, mut text, mut html) = (String::new(), String::new(), String::new());
        if let Some(message) = &message {
            message.subject().unwrap_or_default().clone_into(&mut subject);
            text = parts(message.text_body_count(), &|at| Some(message.body_text(at)?.into_owned()));
            html = parts(message.html_body_count(), &|at| Some(message.body_html(at)?.into_owned()));
        }
        Self { to, from, subject, text, html, raw, at: Instant::now() }
    }

    /// The whole mail as text: headers as sent, then the decoded parts.
    pub fn all(&self) -> String {
        format!("{}\n{}\n{}", String::from_utf8_lossy(&self.raw), self.text, self.html)
    }
}

#[derive(Default)]
struct Shared {
    mails: Mutex<Vec<Mail>>,
    came: Condvar,
    ended: AtomicBool,
    delay: AtomicU64,
    refuses: AtomicBool,
}

/// The server; it ends when this is dropped.
pub struct Sink {
    address: SocketAddr,
    inner: Arc<Shared>,
}

impl Sink {
    /// # Errors
    /// When the address cannot be bound.
    pub fn start(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| format!("cannot listen for mail on {address}"))?;
        let address = listener.local_addr()?;
        let inner = Arc::new(Shared::default());
        let shared = inner.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = shared.clone();
                if let Ok(stream) = stream {
                    thread::spawn(move || _ = serve(&stream, &shared));
                }
            }
        });
        Ok(Self { address, inner })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn mails(&self) -> MutexGuard<'_, Vec<Mail>> {
        self.inner.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that came to the address, by its envelope, oldest first.
    pub fn to(&self, email: &str) -> Vec<Mail> {
        self.mails().iter().filter(|mail| mail.to.iter().any(|to| to == email)).cloned().collect()
    }

    pub fn all(&self) -> Vec<Mail> {
        self.mails().clone()
    }

    /// Waits until `count` mails to the address are there, at most that long; gives what is there then.
    pub fn wait(&self, email: &str, count: usize, patience: Duration) -> Vec<Mail> {
        self.wait_for(patience, |mail| mail.to.iter().any(|to| to == email), count)
    }

    pub fn wait_for(&self, patience: Duration, mut matches: impl FnMut(&Mail) -> bool, count: usize) -> Vec<Mail> {
        let deadline = Instant::now() + patience;
        let mut mails = self.mails();
        loop {
            let found: Vec<Mail> = mails.iter().filter(|mail| matches(mail)).cloned().collect();
            let left = deadline.saturating_duration_since(Instant::now());
            if found.len() >= count || left.is_zero() {
                return found;
            }
            mails = self.inner.came.wait_timeout(mails, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// From now on each mail is taken only after this long.
    pub fn delay(&self, delay: Duration) {
        self.inner.delay.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// From now on no mail is taken (or is again).
    pub fn refuse(&self, refuses: bool) {
        self.inner.refuses.store(refuses, Ordering::Relaxed);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.inner.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, so that it sees the end.
        _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    let mut reader = BufReader::new(stream);
    let say = |line: &str| (&*stream).write_all(format!("{line}\r\n").as_bytes());
    say("220 sink ESMTP")?;
    let (mut from, mut to) = (String::new(), vec![]);
    while let Some(line) = line(&mut reader)? {
        let verb = line.split([' ', ':']).next().unwrap_or("").to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => say("250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING")?,
            "MAIL" if shared.refuses.load(Ordering::Relaxed) => say("451 not now")?,
            "MAIL" => {
                from = address(&line);
                to.clear();
                say("250 ok")?;
            }
            "RCPT" => {
                to.push(address(&line));
                say("250 ok")?;
            }
            "DATA" => {
                say("354 go on")?;
                let Some(raw) = data(&mut reader)? else { return Ok(()) };
                thread::sleep(Duration::from_millis(shared.delay.load(Ordering::Relaxed)));
                let mail = Mail::new(std::mem::take(&mut from), std::mem::take(&mut to), raw);
                shared.mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                shared.came.notify_all();
                say("250 kept")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
    Ok(())
}

fn line(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<String>> {
    let mut bytes = vec![];
    let count = reader.take(LINE_LIMIT).read_until(b'\n', &mut bytes)?;
    Ok((count > 0).then(|| String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}

/// What is between the angle brackets.
fn address(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
    inner.map_or(line, |(address, _)| address).to_owned()
}

fn data(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Vec<u8>>> {
    let mut raw = vec![];
    loop {
        let mut bytes = vec![];
        if reader.take(LINE_LIMIT).read_until(b'\n', &mut bytes)? == 0 || raw.len() > MAIL_LIMIT {
            return Ok(None);
        }
        if bytes == b".\r\n" || bytes == b".\n" {
            return Ok(Some(raw));
        }
        raw.extend_from_slice(bytes.strip_prefix(b".").unwrap_or(&bytes));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::{Ipv4Addr, SocketAddr, TcpStream},
        time::Duration,
    };

    use super::Sink;

    #[test]
    fn a_mail_is_kept_with_its_envelope_and_decoded() {
        let sink = Sink::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let mut stream = TcpStream::connect(sink.address()).unwrap();
        let dialogue = "EHLO me\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nRCPT TO:<c@x.test>\r\nDATA\r\n\
            To: b@x.test\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            http://x.test/?token=3Dabc=\r\ndef\r\n..\r\n.\r\nQUIT\r\n";
        stream.write_all(dialogue.as_bytes()).unwrap();
        let mails = sink.wait("c@x.test", 1, Duration::from_secs(5));
        assert_eq!(mails[0].to, ["b@x.test", "c@x.test"]);
        assert_eq!((mails[0].from.as_str(), mails[0].subject.as_str()), ("a@x.test", "café"));
        assert!(mails[0].text.contains("?token=abcdef\r\n.\r\n") || mails[0].text.contains("?token=abcdef\n.\n"));
        assert!(sink.to("a@x.test").is_empty());
    }

    #[test]
    fn it_can_be_told_to_take_none() {
        let sink = Sink::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        sink.refuse(true);
        let mut stream = TcpStream::connect(sink.address()).unwrap();
        stream.write_all(b"EHLO me\r\nMAIL FROM:<a@x.test>\r\nQUIT\r\n").unwrap();
        let lines: Vec<String> = BufReader::new(stream).lines().map(Result::unwrap).collect();
        assert!(lines.iter().any(|line| line.starts_with("451")), "{lines:?}");
    }
}

//! Passwords that are known from breaches, asked for without giving them away.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use sha1::{Digest as _, Sha1};

use super::{Desk, Place, set_and_sign_in};
use crate::{
    db::hex,
    lab::{App, Setup},
    random,
    test::{Outcome, Stop, Test},
};

const EVENT: &str = "breach_check_unavailable";
/// A service that hangs may keep a user waiting for so long.
const LONGEST: Duration = Duration::from_secs(5);
const PREFIX: usize = 5;

/// What the service does from now on.
#[derive(Clone)]
enum Mood {
    /// It lists these passwords, each with how often it was seen.
    Lists(Vec<(String, u32)>),
    Stalls,
    Fails,
}

struct Shared {
    mood: Mutex<Mood>,
    /// The heads of all requests.
    seen: Mutex<Vec<String>>,
    ended: AtomicBool,
}

/// A service that answers ranges of SHA-1 as haveibeenpwned.com does.
struct Service {
    address: SocketAddr,
    shared: Arc<Shared>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Service {
    fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (mood, seen) = (Mutex::new(Mood::Lists(vec![])), Mutex::new(vec![]));
        let shared = Arc::new(Shared { mood, seen, ended: AtomicBool::new(false) });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.ended.load(Ordering::Relaxed) {
                    return;
                }
                let serving = serving.clone();
                if let Ok(stream) = stream {
                    thread::spawn(move || _ = serve(&stream, &serving));
                }
            }
        });
        Ok(Self { address, shared })
    }

    fn be(&self, mood: Mood) {
        *held(&self.shared.mood) = mood;
    }

    fn lists(&self, password: &str, count: u32) {
        self.be(Mood::Lists(vec![(password.to_owned(), count)]));
    }

    fn seen(&self) -> Vec<String> {
        held(&self.shared.seen).clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, so that it sees the end.
        _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut head)? > 0 && !head.ends_with("\r\n\r\n") {}
    held(&shared.seen).push(head);
    let mood = held(&shared.mood).clone();
    let (status, body) = match mood {
        Mood::Lists(passwords) => {
            let line = |(password, count): &(String, u32)| format!("{}:{count}\r\n", &digest(password)[PREFIX..]);
            ("200 OK", passwords.iter().map(line).collect::<String>())
        }
        Mood::Stalls => {
            thread::sleep(Duration::from_secs(30));
            ("200 OK", String::new())
        }
        Mood::Fails => ("503 Service Unavailable", String::new()),
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    (&*stream).write_all(answer.as_bytes())
}

fn digest(password: &str) -> String {
    hex(&Sha1::digest(password.as_bytes())).to_uppercase()
}

/// New passwords are looked up among breached ones, by the start of a hash alone, and a service that is away does not
/// keep users from choosing one.
pub(super) fn known_from_breaches(test: &mut Test<'_>) -> Outcome {
    let service = Service::start().map_err(|error| Stop::NotRun(format!("cannot listen on this machine: {error}")))?;
    let app = test.boot(&Setup::default().set("breach_url", format!("http://{}", service.address)))?;
    let mut passwords = vec![];
    for place in Place::ALL {
        let role = place.role();
        let good = random::password();
        // Services pad their answers with entries that were never seen.
        service.lists(&good, 0);
        let answer = set_and_sign_in(&app, place, &good)?;
        test.works(&format!("{role} takes a password that no breach has"), answer.succeeded(), &answer)?;
        let breached = random::password();
        service.lists(&breached, 3);
        let answer = Desk::new(&app, place)?.submit(&breached)?;
        let holds = answer.denied() && answer.is_code("password_breached");
        test.refuses(&format!("{role} refuses a password from a breach"), holds, &answer);
        passwords.extend([good, breached]);
    }
    gives_nothing_away(test, &service, &passwords);
    for (mood, which) in [(Mood::Stalls, "hangs"), (Mood::Fails, "fails")] {
        without_the_service(test, &app, &service, &mood, which)?;
    }
    Ok(())
}

fn gives_nothing_away(test: &mut Test<'_>, service: &Service, passwords: &[String]) {
    let seen = service.seen();
    test.refuses("the service is asked about each password", seen.len() >= passwords.len(), seen.join("\n"));
    for head in &seen {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let prefix = path.strip_prefix("/range/").unwrap_or_default();
        let is_short = prefix.len() == PREFIX && prefix.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
        test.refuses("the service learns five digits of a hash and no more", is_short, head);
        let lower = head.to_ascii_lowercase();
        test.refuses("the answer is asked for with padding", lower.contains("\r\nadd-padding: true\r\n"), head);
        let tells = |password: &String| {
            head.contains(password) || lower.contains(&digest(password)[..PREFIX + 3].to_ascii_lowercase())
        };
        test.refuses("nothing else of the password is in the request", !passwords.iter().any(tells), head);
    }
}

fn without_the_service(test: &mut Test<'_>, app: &Arc<App>, service: &Service, mood: &Mood, which: &str) -> Outcome {
    for place in Place::ALL {
        let role = place.role();
        service.be(Mood::Lists(vec![]));
        let mut desk = Desk::new(app, place)?;
        let before = events(app)?;
        service.be(mood.clone());
        let started = Instant::now();
        let answer = desk.submit(&random::password())?;
        let waited = started.elapsed();
        test.refuses(&format!("{role} takes a password when the service {which}"), answer.succeeded(), &answer);
        let what = format!("{role} does not wait when the service {which}");
        test.refuses(&what, waited < LONGEST, format!("it took {waited:?}"));
        let what = format!("the audit trail says that the service {which}");
        test.refuses(&what, events(app)? > before, format!("no new event `{EVENT}`"));
    }
    Ok(())
}

/// How often the audit trail says that the service was away.
fn events(app: &App) -> Outcome<usize> {
    let named = app.contract.log.as_ref().and_then(|log| log.events.get(EVENT));
    let name = named.map_or(EVENT, String::as_str);
    Ok(app.database()?.find("audit", "event", name)?.len())
}

//! Two processes of a generated app on one `PostgreSQL`: what ends on one is over on the other.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread::scope,
};

use crate::{
    builds,
    common::{empty, must},
    postgres::{Running, free_port, postgres, until},
    run, turn,
};

const PASSWORD: &str = "seven Quiet herons cross";
const PEOPLE: [&str; 2] = ["ann@example.com", "bob@example.com"];

struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    /// The session cookie that it sets.
    fn session(&self) -> String {
        let (_, rest) = self.text.split_once("auth-dev-session=").unwrap();
        rest.split(';').next().unwrap().to_owned()
    }
}

/// The app's instances, and the origin that browsers see.
struct App {
    ports: [u16; 2],
    origin: String,
    mail: PathBuf,
    sources: AtomicUsize,
    _running: Vec<Running>,
}

impl App {
    fn start(dir: &Path, database: &str) -> Self {
        let ports = [free_port(), free_port()];
        let origin = format!("http://localhost:{}", ports[0]);
        let secret = "AUTH_SECRET=q8Zr1vX0cJ3mW7tB9yK2nL5pD4sF6gHaUeIoRwTzQxM=";
        let started = ports.map(|port| {
            let (_, secret) = secret.split_once('=').unwrap();
            let mut command = Command::new(builds().join("authwright/debug/app"));
            command.current_dir(dir).envs([
                ("AUTH_ENV", "development"),
                ("ADDR", &format!("127.0.0.1:{port}")),
                ("AUTH_BASE_URL", &origin),
                ("AUTH_SECRET", secret),
                ("DATABASE_URL", database),
                // What counts by source is spread over sources, as behind a proxy.
                ("AUTH_TRUSTED_PROXIES", "127.0.0.1/32"),
                ("AUTH_MAIL_ADDRESS_LIMIT", "20"),
            ]);
            let log = fs::File::create(dir.join(format!("{port}.log"))).unwrap();
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
            Running(command.spawn().unwrap())
        });
        for port in ports {
            until("the app starts", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        }
        Self { ports, origin, mail: dir.join(".auth-dev/mail"), sources: AtomicUsize::new(0), _running: started.into() }
    }

    fn send(&self, instance: usize, method: &str, path: &str, session: &str, body: &str) -> Answer {
        let source = self.sources.fetch_add(1, Ordering::Relaxed);
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[instance])).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {}\r\nCookie: auth-dev-session={session}\r\n\
             X-Forwarded-For: 198.51.{}.{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.origin,
            source / 250,
            source % 250,
            body.len()
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{text}"));
        Answer { status, text }
    }

    fn login(&self, instance: usize, email: &str, password: &str) -> Answer {
        let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
        self.send(instance, "POST", "/auth/login", "", &body)
    }

    fn is_signed_in(&self, instance: usize, session: &str) -> bool {
        self.send(instance, "GET", "/auth/me", session, "").status == 200
    }

    /// The token of the newest mail to somebody, once so many with a link have come.
    fn token(&self, email: &str, mails: usize) -> String {
        let links = || {
            let entries = fs::read_dir(&self.mail).into_iter().flatten().flatten();
            let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
            paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
            paths.sort();
            let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
            let texts = texts.map(|text| text.replace("=\r\n", "").replace("=3D", "="));
            let links = texts.filter(|text| text.contains(&format!("To: {email}\r\n")));
            links
                .filter_map(|text| Some(text.split_once("?token=")?.1.split_whitespace().next()?.to_owned()))
                .collect::<Vec<_>>()
        };
        until("a mail comes", || links().len() >= mails);
        links().pop().unwrap()
    }
}

fn built() -> (crate::common::Project, PathBuf) {
    let project = empty("two");
    run(&project.dir, &["new", "app", "--stack", "axum", "--db", "postgres", "--yes", "--no-check"]).exits(0);
    let dir = project.dir.join("app");
    let mut cargo = Command::new("cargo");
    // Twenty passwords are judged and hashed at a time, which takes a second each in code that is not optimised.
    let slow = ["argon2", "blake2", "fancy-regex", "regex-automata", "zxcvbn"];
    let fast = slow.map(|name| format!("--config=profile.dev.package.{name}.opt-level=3"));
    must(cargo.current_dir(&dir).arg("build").args(fast).env("CARGO_TARGET_DIR", builds().join("authwright")));
    (project, dir)
}

#[test]
fn two_instances_share_sessions_throttles_and_tokens() {
    let _turn = turn();
    let (_project, dir) = built();
    let (_server, database) = postgres(&dir.join("database"));
    let app = App::start(&dir, &database);

    for email in PEOPLE {
        let account = format!(r#"{{"email":"{email}","password":"{PASSWORD}"}}"#);
        assert_eq!(app.send(0, "POST", "/auth/register", "", &account).status, 202);
        let confirm = format!(r#"{{"token":"{}","password":"{PASSWORD}"}}"#, app.token(email, 1));
        assert_eq!(app.send(1, "POST", "/auth/verify", "", &confirm).status, 200);
    }
    revoked_sessions(&app);
    one_token(&app);
    one_throttle(&app);
}

/// Revoked on one, dead on the other at once.
fn revoked_sessions(app: &App) {
    for round in 0..5 {
        let (keeping, ending) =
            (app.login(0, PEOPLE[0], PASSWORD).session(), app.login(1, PEOPLE[0], PASSWORD).session());
        assert!(app.is_signed_in(0, &ending) && app.is_signed_in(1, &keeping), "round {round}");
        assert_eq!(app.send(0, "POST", "/auth/sessions/revoke-others", &keeping, "").status, 200);
        assert!((0..10).all(|_| !app.is_signed_in(1, &ending)), "round {round}");
        assert!(app.is_signed_in(1, &keeping), "round {round}");
    }
}

/// Twenty rounds of twenty parallel redemptions of one reset token: one success each.
fn one_token(app: &App) {
    for round in 0..20 {
        // In turn: no mailbox gets more than a few mails a minute.
        let email = PEOPLE[round % 2];
        let asked = app.send(round % 2, "POST", "/auth/password/forgot", "", &format!(r#"{{"email":"{email}"}}"#));
        assert_eq!(asked.status, 202, "round {round}");
        let token = app.token(email, 2 + round / 2);
        let barrier = Barrier::new(20);
        let redeem = |n: usize| {
            barrier.wait();
            let body = format!(r#"{{"token":"{token}","password":"{PASSWORD} {round} {n}"}}"#);
            app.send(n % 2, "POST", "/auth/password/reset", "", &body).status
        };
        let redeem = &redeem;
        let statuses: Vec<u16> = scope(|scope| {
            let threads: Vec<_> = (0..20).map(|n| scope.spawn(move || redeem(n))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let won: Vec<usize> = (0..20).filter(|n| statuses[*n] == 200).collect();
        assert_eq!(won.len(), 1, "round {round}: {statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 400)), "round {round}: {statuses:?}");
        assert_eq!(app.login(round % 2, email, &format!("{PASSWORD} {round} {}", won[0])).status, 200, "round {round}");
    }
}

/// Five wrong passwords in all, whichever instance is asked.
fn one_throttle(app: &App) {
    let statuses: Vec<u16> = (0..12).map(|n| app.login(n % 2, PEOPLE[0], "eleven loud badgers dig").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 7, "{statuses:?}");
}

//! Pages in a real browser without scripts: `tests/browser/story.mjs` against an app as it is generated.
//!
//! `SCREENSHOTS=FOLDER` keeps a picture of each page. `CHROMIUM` names another browser than `/usr/bin/chromium`.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::{builds, cargo, common, run, turn};

const REAUTH_SECONDS: &str = "20";

/// A running app, ended with the test.
struct App {
    process: Child,
    port: u16,
}

impl Drop for App {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

impl App {
    /// Counters wide enough for a story that is told in a minute.
    fn start(dir: &Path) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let log = fs::File::create(dir.join("log")).unwrap();
        let process = Command::new(builds().join("authwright/debug/shop"))
            .current_dir(dir)
            .env("AUTH_ENV", "development")
            .env("ADDR", format!("127.0.0.1:{port}"))
            .env("AUTH_REAUTH_SECONDS", REAUTH_SECONDS)
            .env("AUTH_TOKEN_SOURCE_LIMIT", "200")
            .env("AUTH_LOGIN_SOURCE_FAILURE_LIMIT", "100")
            .env("AUTH_MAIL_ADDRESS_LIMIT", "20")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let app = Self { process, port };
        app.wait(dir);
        app
    }

    fn wait(&self, dir: &Path) {
        for _ in 0..300 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return;
            }
            sleep(Duration::from_millis(100));
        }
        panic!("the app does not listen:\n{}", common::read(dir, "log"));
    }
}

#[test]
fn the_life_of_an_account_without_scripts() {
    let _turn = turn();
    let project = common::empty("pages");
    let new = ["new", "shop", "--stack", "axum", "--name", "shop", "--ui", "pages", "--yes", "--no-check"];
    run(&project.dir, &new).exits(0);
    let dir = project.dir.join("shop");
    cargo(&dir, &["build"]);
    let app = App::start(&dir);
    let told = common::must(
        Command::new("node")
            .arg("story.mjs")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser"))
            .env("BASE_URL", format!("http://localhost:{}", app.port))
            .env("MAIL", dir.join(".auth-dev/mail"))
            .env("REAUTH_SECONDS", REAUTH_SECONDS),
    );
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.ends_with("31 pages inspected\n"), "{told}");
}

//! Pages in a real browser without scripts: the stories of `tests/browser` against apps as they are generated, one of them with
//! a certified provider of identities.
//!
//! `SCREENSHOTS=FOLDER` keeps a picture of each page. `CHROMIUM` names another browser than `/usr/bin/chromium`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{builds, cargo, common, run, turn};

const MAIL: &str = ".auth-dev/mail";
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
    fn start(program: &mut Command, dir: &Path, port: u16, settings: &[(String, String)]) -> Self {
        let log = fs::File::create(dir.join("log")).unwrap();
        let process = program
            .current_dir(dir)
            .env("AUTH_ENV", "development")
            .env("ADDR", format!("127.0.0.1:{port}"))
            .env("PORT", port.to_string())
            .env("AUTH_REAUTH_SECONDS", REAUTH_SECONDS)
            .env("AUTH_TOKEN_SOURCE_LIMIT", "200")
            .env("AUTH_LOGIN_SOURCE_FAILURE_LIMIT", "100")
            .env("AUTH_MAIL_ADDRESS_LIMIT", "20")
            .envs(settings.iter().cloned())
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

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A new app with these options, built.
fn built(options: &[&str]) -> (common::Project, PathBuf) {
    let project = common::empty("pages");
    let new = ["new", "shop", "--stack", "axum", "--name", "shop", "--ui", "pages", "--yes", "--no-check"];
    run(&project.dir, &[&new, options].concat()).exits(0);
    let dir = project.dir.join("shop");
    cargo(&dir, &["build"]);
    (project, dir)
}

fn shop() -> Command {
    Command::new(builds().join("authwright/debug/shop"))
}

/// What the story says that a browser tells of the app; `mail` is the folder that it writes mail to.
fn told(story: &str, app: &App, mail: Option<PathBuf>, settings: &[(&str, &str)]) -> String {
    let mut node = Command::new("node");
    node.arg(story).current_dir(browser());
    node.env("BASE_URL", format!("http://localhost:{}", app.port)).envs(mail.map(|folder| ("MAIL", folder)));
    String::from_utf8(common::must(node.envs(settings.iter().copied())).stdout).unwrap()
}

fn browser() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

#[test]
fn the_life_of_an_account_without_scripts() {
    let _turn = turn();
    let (_project, dir) = built(&[]);
    lives(&mut shop(), &dir);
}

/// By role, where its page is and what its fields are called, as the app's contract says.
fn pages_of(dir: &Path) -> String {
    let file = ["src/auth", "accounts"].map(|folder| dir.join(folder).join("contract.toml"));
    let file = file.iter().find(|file| file.exists()).unwrap();
    let contract: toml::Table = toml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let (roles, pages) = (contract["roles"].as_table().unwrap(), contract["pages"].as_table().unwrap());
    let at = |role: &String| pages.get("at").and_then(|at| at.get(role));
    let all = roles.iter().chain(pages["only"].as_table().unwrap());
    let told = all.map(|(name, role)| {
        let fields = role.get("fields").cloned().unwrap_or_else(|| toml::Table::new().into());
        (name.clone(), json!({ "path": at(name).unwrap_or(&role["path"]), "fields": fields }))
    });
    Value::Object(told.collect()).to_string()
}

/// The life of an account in an app that this program serves.
pub fn lives(program: &mut Command, dir: &Path) {
    let app = App::start(program, dir, free_port(), &[]);
    let settings = [("REAUTH_SECONDS", REAUTH_SECONDS), ("PAGES", &pages_of(dir))];
    let told = told("story.mjs", &app, Some(dir.join(MAIL)), &settings);
    assert!(told.ends_with("31 pages inspected\n"), "{told}");
}

/// A provider of `tests/browser/provider.mjs`; it ends when its standard input does.
struct Provider {
    process: Child,
    issuer: String,
}

impl Drop for Provider {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

impl Provider {
    /// Hosts differ, since cookies of providers on one host would be the same.
    fn start(host: &str, name: &str, port: u16) -> Self {
        let mut process = Command::new("node")
            .args(["provider.mjs", host, &format!("http://localhost:{port}/auth/oidc/{name}/callback")])
            .current_dir(browser())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut issuer = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut issuer).unwrap();
        assert!(issuer.starts_with("http://"), "the provider does not start: {issuer:?}");
        Self { process, issuer: issuer.trim_end().to_owned() }
    }

    fn settings(&self, name: &str) -> [(String, String); 3] {
        let variable = |what: &str| format!("AUTH_OIDC_{name}_{what}");
        let secret = "a-secret-of-the-browser-tests-only".to_owned();
        [
            (variable("ISSUER"), self.issuer.clone()),
            (variable("CLIENT_ID"), "shop".to_owned()),
            (variable("CLIENT_SECRET"), secret),
        ]
    }
}

fn signs_in_with_providers(modules: &str, mail: bool, pages: usize) {
    let _turn = turn();
    let (_project, dir) = built(&["--with", modules, "--providers", "generic,keycloak"]);
    federates(&mut shop(), &dir, mail, pages);
}

/// Signing in with providers, in an app that this program serves.
pub fn federates(program: &mut Command, dir: &Path, mail: bool, pages: usize) {
    let port = free_port();
    let (first, second) =
        (Provider::start("127.0.0.1", "generic", port), Provider::start("127.0.0.2", "keycloak", port));
    let app = App::start(program, dir, port, &[first.settings("GENERIC"), second.settings("KEYCLOAK")].concat());
    let issuers = [("FIRST", &*first.issuer), ("SECOND", &*second.issuer)];
    let told = told("federation.mjs", &app, mail.then(|| dir.join(MAIL)), &issuers);
    assert!(told.ends_with(&format!("{pages} pages inspected\n")), "{told}");
}

#[test]
fn signing_in_with_providers() {
    signs_in_with_providers("password,oidc", true, 4);
}

#[test]
fn signing_in_with_providers_alone() {
    signs_in_with_providers("oidc", false, 5);
}

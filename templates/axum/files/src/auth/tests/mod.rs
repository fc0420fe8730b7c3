//! Attacks on this module, named after the controls they test. Each shows that the right thing
//! works and that the wrong thing does not.
//!
//! They run against the layered router with a database file of their own. Time passes by dating
//! rows back.[% if module.password %] The one shortcut: password hashes are cheap, because an unoptimised argon2 takes half
//! a second. `pwd_01`, `pwd_09` and `reg_03` use what the application uses.[% endif %]

[% if module.tokens -%]
mod access;
[% endif -%]
[% if module.password -%]
mod accounts;
[%- endif %]
[%- if module.tokens %]
mod bearer;
[%- endif %]
[%- if module.password %]
mod boundary;
[%- endif %]
[%- if module.password or module.tokens %]
[% endif -%]
mod database;
[%- if module.password %]
mod instances;
[%- endif %]
[%- if module.password %]
mod logins;
[%- endif %]
[%- if module.oidc %]
mod oidc;
[%- endif %]
[%- if ui == 'pages' and module.password %]
mod pages;
[%- endif %]
[%- if module.password %]
mod passwords;
[%- endif %]
[%- if module.tokens %]
mod refresh;
[%- endif %]
[%- if module.password %]
mod self_service;
[%- endif %]
mod sessions;
mod settings;
[%- if module.password %]
mod storage;
[%- endif %]
mod surface;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::LazyLock,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, Method, Request, StatusCode, header},
    response::Response,
    routing::get,
};
use serde_json::{Value, json};
use tower::ServiceExt;
use [= import.tower_sessions =]::session::Id;

use super::{
    Auth, User,
    db::Database,
[%- if module.password %]
    passwords::{Cost, Password},
    settings::{Outbox, Settings, StartError},
[%- else %]
    settings::{Settings, StartError},
[%- endif %]
    tokens,
};

const BASE: &str = "https://app.example.test";
const SESSION: &str = "__Host-auth-session";
[%- if module.password %]
const BROWSER: &str = "__Host-auth-browser";
[%- endif %]
const ANN: &str = "ann@mail.test";
const BOB: &str = "bob@mail.test";
[%- if module.password %]
const PASSWORD: &str = "seven Quiet herons cross";
const OTHER: &str = "eleven loud badgers dig";
[%- endif %]

[% if module.password -%]
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

/// A cheap hash of [`PASSWORD`].
static HASH: LazyLock<String> = LazyLock::new(|| {
    use [= import.argon2 =]::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let params = Params::new(8, 1, 1, None).expect("parameters");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(PASSWORD.as_bytes()).expect("a hash");
    hash.to_string()
});

[% endif -%]
struct App {
    auth: Auth,
    router: Router,
    folder: PathBuf,
    variables: BTreeMap<&'static str, String>,
    /// One connection for all that tests do to the database: SQLite does not always notice at once
    /// that another one has changed the schema.
    admin: tokio::sync::Mutex<sqlx::pool::PoolConnection<Database>>,
    _database: database::Place,
}

impl Drop for App {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn variables() -> BTreeMap<&'static str, String> {
    [% if module.oidc %]let mut variables = [% endif %]BTreeMap::from([
        ("AUTH_SECRET", tokens::random::<32>()),
        ("AUTH_BASE_URL", BASE.to_owned()),
        ("AUTH_APP_NAME", "acmeportal".to_owned()),
[%- if module.password %]
        ("AUTH_MAIL_FROM", "App <app@app.example.test>".to_owned()),
        ("SMTP_URL", "smtp://127.0.0.1:1".to_owned()),
[%- endif %]
        ("DATABASE_URL", database::EXAMPLE.to_owned()),
[%- if module.tokens %]
        ("AUTH_TOKEN_KEY", bearer::another_key()),
[%- endif %]
[%- if module.oidc %]
    ]);
    for preset in super::oidc::presets::PRESETS {
        let names = &preset.variables;
        variables.insert(names.issuer, "https://provider.test".to_owned());
        variables.insert(names.client_id, "the client".to_owned());
        variables.insert(names.client_secret, "the client's secret".to_owned());
    }
    variables
}
[%- else %]
    ])
}
[%- endif %]

fn read(variables: &BTreeMap<&'static str, String>) -> Result<Settings, StartError> {
    let listener = SocketAddr::from(([127, 0, 0, 1], 3000));
    Settings::read(&|name| variables.get(name).cloned(), listener)
}

fn temporary_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("auth-test-{}", tokens::random::<9>()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The application as one process runs it.
async fn instance(
    variables: &BTreeMap<&'static str, String>,
[%- if module.password %]
    folder: &std::path::Path,
    cost: Cost,
[%- endif %]
) -> (Auth, Router) {
    let mut settings = read(variables).expect("settings");
[%- if module.password %]
    settings.outbox = Outbox::Files(folder.join("mail"));
    settings.cost = cost;
[%- endif %]
[%- if module.oidc %]
    oidc::replace(variables, &mut settings);
[%- endif %]
    let auth = Auth::open(settings).await.expect("a start");
    let app = Router::new()
        .route("/own", get(|| async { "own" }).post(|| async { "own" }))
        .route("/guarded", get(guarded).post(guarded));
[%- if module.tokens %]
    let app = app.merge(bearer::routes());
[%- endif %]
    let router = auth.layer(app);
    (auth, router)
}

impl App {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(changes: &[(&'static str, &str)]) -> Self {
[%- if module.password %]
        Self::costing(CHEAP, changes).await
    }

    async fn costing(cost: Cost, changes: &[(&'static str, &str)]) -> Self {
        LazyLock::force(&storage::LISTENER);
[%- endif %]
        let folder = temporary_folder();
        let database = database::Place::new(&folder).await;
        let mut variables = variables();
        variables.insert("DATABASE_URL", database.url.clone());
        variables.extend(changes.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let (auth, router) = instance(&variables[% if module.password %], &folder, cost[% endif %]).await;
        let admin = auth.db().pool().acquire().await.expect("a connection").into();
        Self { auth, router, folder, variables, admin, _database: database }
    }

    async fn sql(&self, statement: &'static str) -> u64 {
        let mut admin = self.admin.lock().await;
        let result = sqlx::raw_sql(statement).execute(&mut **admin).await;
        result.expect(statement).rows_affected()
    }

    async fn number(&self, query: &'static str) -> i64 {
        let row = sqlx::query_scalar(query).fetch_one(self.auth.db().pool()).await;
        row.expect(query)
    }

    async fn text(&self, query: &'static str) -> String {
        let row = sqlx::query_scalar(query).fetch_one(self.auth.db().pool()).await;
        row.expect(query)
    }

    /// A confirmed account[% if module.password %] with [`PASSWORD`][% endif %].
    async fn account(&self, email: &str) -> String {
        let id = tokens::random::<16>();
        sqlx::query(
            "INSERT INTO auth_users
                 (id, email, [% if module.password %]password_hash, [% endif %]verified_at, password_changed_at, created_at)
             VALUES ($1, $2, [% if module.password %]$3, [% endif %]1, 1, 1)",
        )
        .bind(&id)
        .bind(email)
[%- if module.password %]
        .bind(&*HASH)
[%- endif %]
        .execute(self.auth.db().pool())
        .await
        .expect("an account");
        id
    }

    /// A browser that is signed in, without the cost of a login.
    async fn signed_in(&self, email: &str) -> Browser<'_> {
        let (id, now) = (Id::default(), super::db::now());
        sqlx::query(
            "INSERT INTO auth_sessions (id_hash, handle, user_id, created_at, authenticated_at,
                                        last_seen_at, expires_at, ip, user_agent)
             SELECT $1, $4, id, $2, $2, $2, $2 + $5, '', '' FROM auth_users WHERE email = $3",
        )
        .bind(super::store::hash(&id))
        .bind(now)
        .bind(email)
        .bind(tokens::random::<12>())
        .bind(self.auth.settings().policy.session_absolute)
        .execute(self.auth.db().pool())
        .await
        .expect("a session");
        let mut browser = self.browser();
        browser.cookies.insert(SESSION.to_owned(), id.to_string());
        browser
    }

    async fn signed_in_account(&self, email: &str) -> Browser<'_> {
        self.account(email).await;
        self.signed_in(email).await
    }

    [% if module.password -%]
    /// The token of a reset mail.
    async fn reset_token(&self, email: &str) -> String {
        assert_eq!(self.browser().forgot(email).await.status, 202);
        self.last_mail(email).await.token().expect("a token")
    }

    /// An account that waits for its confirmation, the browser that registered it and the token it
    /// was mailed, without the cost of a registration.
    async fn unconfirmed(&self, email: &str) -> (Browser<'_>, String) {
        let (id, value) = (self.account(email).await, tokens::random::<32>());
        let mut db = self.auth.db().pool().acquire().await.expect("a connection");
        sqlx::query("UPDATE auth_users SET verified_at = NULL WHERE id = $1")
            .bind(&id)
            .execute(&mut *db)
            .await
            .expect("a row");
        let order = tokens::Order {
            purpose: tokens::Purpose::Verify,
            user_id: &id,
            email,
            new_email: None,
            browser_hash: Some(&tokens::hash(&value)),
            seconds: 60,
        };
        let token = tokens::issue(&mut db, order).await.expect("a token");
        let mut browser = self.browser();
        browser.cookies.insert(BROWSER.to_owned(), value);
        (browser, token)
    }

    [% endif -%]
    /// Sends requests at the same time.
    async fn parallel(&self, requests: impl IntoIterator<Item = Request<Body>>) -> Vec<Answer> {
        self.spread(std::slice::from_ref(&self.router), requests).await
    }

    /// Sends a request and hangs up before the answer.
    async fn hang_up(&self, request: Request<Body>) {
        let mut running = std::pin::pin!(self.router.clone().oneshot(request));
        let is_pending = std::future::poll_fn(|context| {
            let polled = std::future::Future::poll(running.as_mut(), context);
            std::task::Poll::Ready(polled.is_pending())
        });
        assert!(is_pending.await, "it takes longer");
    }

    /// Waits until a query finds a number.
    async fn until(&self, query: &'static str, wanted: i64) {
        for _ in 0..200 {
            if self.number(query).await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{query}: {} and not {wanted}", self.number(query).await);
    }

    /// Sends requests at the same time to instances in turn.
    async fn spread(
        &self,
        instances: &[Router],
        requests: impl IntoIterator<Item = Request<Body>>,
    ) -> Vec<Answer> {
        let turns = instances.iter().cycle().zip(requests);
        let send = |(instance, request): (&Router, _)| tokio::spawn(instance.clone().oneshot(request));
        let tasks: Vec<_> = turns.map(send).collect();
        let mut answers = Vec::new();
        for task in tasks {
            let response = task.await.expect("no panic").expect("an answer");
            answers.push(Answer::from(response).await);
        }
        answers
    }

    [% if module.password -%]
    /// A browser that registered, and the token it was mailed.
    async fn registered(&self, email: &str) -> (Browser<'_>, String) {
        let mut browser = self.browser();
        assert_eq!(browser.register(email, PASSWORD).await.status, 202);
        let token = self.last_mail(email).await.token().expect("a token");
        (browser, token)
    }

    [% endif -%]
    [% if module.password or module.tokens -%]
    /// The same application, run by another process.
    async fn beside(&self, variables: &BTreeMap<&'static str, String>) -> Router {
        instance(variables[% if module.password %], &self.folder, CHEAP[% endif %]).await.1
    }

    [% endif -%]
    fn browser(&self) -> Browser<'_> {
        Browser {
            router: self.router.clone(),
            app: std::marker::PhantomData,
            cookies: BTreeMap::new(),
            headers: HeaderMap::new(),
            peer: IpAddr::from([192, 0, 2, 7]),
        }
    }
[%- if module.password %]

    /// The mails to an address, oldest first, once the queue is empty.
    async fn mails(&self, to: &str) -> Vec<Letter> {
        let (done, waiting) = tokio::sync::oneshot::channel();
        let slot = self.auth.mail().slot().expect("a slot");
        slot.run(async {
            let _ = done.send(());
            Ok(None)
        });
        waiting.await.expect("the queue");
        // A delivery into a folder is one step of a task that exists by now.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let entries = std::fs::read_dir(self.folder.join("mail")).expect("a folder");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        let texts = paths.into_iter().map(|path| {
            let text = std::fs::read_to_string(&path).expect("a mail");
            text.replace("=\r\n", "").replace("=3D", "=")
        });
        let to = format!("To: {to}\r\n");
        texts.filter(|text| text.contains(&to)).map(Letter).collect()
    }

    async fn last_mail(&self, to: &str) -> Letter {
        self.mails(to).await.pop().expect("a mail")
    }
[%- endif %]
}

async fn guarded(user: User) -> String {
    format!("guarded {}", user.id)
}

[% if module.password -%]
#[derive(Clone)]
struct Letter(String);

impl Letter {
    fn token(&self) -> Option<String> {
        let (_, rest) = self.0.split_once("?token=")?;
        Some(rest.split_whitespace().next()?.to_owned())
    }
}

[% endif -%]
/// A client with cookies, that says about itself what a browser would.
#[derive(Clone)]
struct Browser<'a> {
    router: Router,
    /// The database goes with the application.
    app: std::marker::PhantomData<&'a App>,
    cookies: BTreeMap<String, String>,
    headers: HeaderMap,
    peer: IpAddr,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    async fn from(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a body");
        Self {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).expect("UTF-8"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    fn set_cookies(&self) -> Vec<String> {
        let values = self.headers.get_all(header::SET_COOKIE).iter();
        values.map(|value| value.to_str().expect("ASCII").to_owned()).collect()
    }

    /// What an observer can compare: status, header names, body.
    fn shape(&self) -> (StatusCode, Vec<String>, String) {
        let names = self.headers.keys().map(ToString::to_string).collect();
        (self.status, names, self.text.clone())
    }
}

impl Browser<'_> {
    fn from(mut self, peer: [u8; 4]) -> Self {
        self.peer = IpAddr::from(peer);
        self
    }

    /// The same browser, led to another instance.
    fn on(mut self, instance: &Router) -> Self {
        self.router = instance.clone();
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .insert(HeaderName::from_static(name), value.parse().expect("a value"));
        self
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty())).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Answer {
        let request = self.json(path, &body);
        self.send(Ok(request)).await
    }

    fn json(&self, path: &str, body: &Value) -> Request<Body> {
        self.request(Method::POST, path)
            .header(header::ORIGIN, BASE)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .expect("a request")
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder().method(method).uri(path);
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        request.extension(ConnectInfo(SocketAddr::from((self.peer, 40_000))))
    }

    /// The browser's own headers replace those of the request.
    async fn send(&mut self, request: axum::http::Result<Request<Body>>) -> Answer {
        let mut request = request.expect("a request");
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let answer = Answer::from(response).await;
        for cookie in answer.set_cookies() {
            let (pair, _) = cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    [% if module.password -%]
    async fn login(&mut self, email: &str, password: &str) -> Answer {
        self.post("/auth/login", json!({ "email": email, "password": password })).await
    }

    async fn register(&mut self, email: &str, password: &str) -> Answer {
        self.post("/auth/register", json!({ "email": email, "password": password })).await
    }

    async fn forgot(&mut self, email: &str) -> Answer {
        self.post("/auth/password/forgot", json!({ "email": email })).await
    }

    async fn reset(&mut self, token: &str, password: &str) -> Answer {
        let body = json!({ "token": token, "password": password });
        self.post("/auth/password/reset", body).await
    }

    async fn change(&mut self, current: &str, new: &str) -> Answer {
        let body = json!({ "current_password": current, "new_password": new });
        self.post("/auth/password", body).await
    }

    [% endif -%]
    async fn delete(&mut self, path: &str) -> Answer {
        let request = self
            .request(Method::DELETE, path)
            .header(header::ORIGIN, BASE)
            .header("sec-fetch-site", "same-origin");
        self.send(request.body(Body::empty())).await
    }

    [% if module.password -%]
    async fn reauth(&mut self, password: &str) -> Answer {
        self.post("/auth/reauth", json!({ "password": password })).await
    }

    async fn change_email(&mut self, email: &str) -> Answer {
        self.post("/auth/email", json!({ "email": email })).await
    }

    async fn confirm_email(&mut self, token: &str) -> Answer {
        self.post("/auth/email/confirm", json!({ "token": token })).await
    }

    [% endif -%]
    /// The sessions of the list: the current one first.
    async fn sessions(&mut self) -> Vec<Value> {
        let answer = self.get("/auth/sessions").await;
        assert_eq!(answer.status, 200);
        let mut sessions = answer.json()["sessions"].as_array().expect("a list").clone();
        sessions.sort_by_key(|session| session["current"] == false);
        sessions
    }

    async fn is_signed_in(&mut self) -> bool {
        let status = self.get("/auth/me").await.status;
        assert!(matches!(status, StatusCode::OK | StatusCode::UNAUTHORIZED), "{status}");
        status == StatusCode::OK
    }

    fn session(&self) -> String {
        self.cookies.get(SESSION).cloned().unwrap_or_default()
    }
}

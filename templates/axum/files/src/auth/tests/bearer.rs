//! Programs that sign in, and what is the same for all of their tokens.

use [= import.base64 =]::{Engine, engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD}};
use [= import.jsonwebtoken =]::{Algorithm, EncodingKey, crypto};

use super::*;
use crate::auth::{ApiUser, FreshApiUser, Read, Scope, bearer};

struct Reports;

impl Scope for Reports {
    const NAME: &'static str = "reports";
}

/// Handlers as an application writes them.
pub fn routes() -> Router {
    Router::new()
        .route("/api/any", get(|user: ApiUser| async move { user.id }).post(|user: ApiUser| async move { user.id }))
        .route("/api/read", get(|user: ApiUser<Read>| async move { user.id }))
        .route("/api/reports", get(|user: ApiUser<Reports>| async move { user.id }))
        .route("/api/fresh", get(|user: FreshApiUser| async move { user.0.id }))
}

/// What a program got.
#[derive(Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let text = |name: &str| answer.json()[name].as_str().expect("a token").to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }

    pub fn claims(&self) -> Value {
        part(&self.access, 1)
    }

    pub fn family(&self) -> String {
        self.claims()["sid"].as_str().expect("a family").to_owned()
    }
}

/// A part of a token that is JSON.
pub fn part(token: &str, at: usize) -> Value {
    let part = token.split('.').nth(at).expect("a part");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

impl App {
    /// A program that signed in [% if module.password %]with the password[% else %]for a session of its own[% endif %].
    pub async fn program(&self, email: &str) -> Tokens {
        Tokens::of(&self.ask(json!({ "device": "phone" }), email).await)
    }

    pub async fn ask(&self, mut wish: Value, email: &str) -> Answer {
[%- if module.password %]
        wish["grant"] = json!("password");
        wish["email"] = json!(email);
        wish["password"] = json!(PASSWORD);
        self.browser().post("/auth/token", wish).await
[%- else %]
        wish["grant"] = json!("session");
        self.signed_in(email).await.post("/auth/token", wish).await
[%- endif %]
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.browser().post("/auth/token/refresh", json!({ "refresh_token": token })).await
    }

    pub async fn revoke(&self, token: &str) -> Answer {
        self.browser().post("/auth/token/revoke", json!({ "token": token })).await
    }

    pub async fn api(&self, path: &str, token: &str) -> Answer {
        self.browser().with("authorization", &format!("Bearer {token}")).get(path).await
    }

    /// Whether an access token opens anything.
    pub async fn opens(&self, token: &str) -> bool {
        let answer = self.api("/auth/token/me", token).await;
        assert!(matches!(answer.status.as_u16(), 200 | 401), "{}", answer.text);
        answer.status == 200
    }

    /// A token that our own key signed, whatever it says.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        signed(&self.variables["AUTH_TOKEN_KEY"], header, claims)
    }

    /// A token that is as ours are but for what `edit` does to header and claims.
    pub fn forged(&self, token: &str, edit: impl FnOnce(&mut Value, &mut Value)) -> String {
        let (mut header, mut claims) = (part(token, 0), part(token, 1));
        edit(&mut header, &mut claims);
        self.signed(&header, &claims)
    }
}

pub fn signed(key: &str, header: &Value, claims: &Value) -> String {
    let key = EncodingKey::from_ed_der(&STANDARD.decode(key).expect("base64"));
    let message = message(header, claims);
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).expect("a signature");
    format!("{message}.{signature}")
}

pub fn message(header: &Value, claims: &Value) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encoded(header), encoded(claims))
}

#[tokio::test]
async fn a_program_signs_in_and_calls_the_api() {
    let app = App::new().await;
    let id = app.account(ANN).await;
    let answer = app.ask(json!({ "device": "  Ann's phone ", "scope": "read" }), ANN).await;
    assert_eq!((answer.json()["token_type"].as_str(), answer.json()["expires_in"].as_i64()), (Some("Bearer"), Some(600)));
    assert_eq!(answer.json()["scope"], "read");
    assert!(answer.set_cookies().is_empty()[% if module.password %], "no session"[% endif %]);
[%- if module.password %]
    assert_eq!(app.number("SELECT count(*) FROM auth_sessions").await, 0);
[%- endif %]
    let tokens = Tokens::of(&answer);
    let me = app.api("/auth/token/me", &tokens.access).await;
    assert_eq!(me.json(), json!({ "id": id, "scope": "read", "device": "Ann's phone" }));
    assert_eq!(me.headers["cache-control"], "no-store");
    let own = app.api("/api/read", &tokens.access).await;
    assert_eq!((own.text.as_str(), &own.headers["cache-control"]), (id.as_str(), &"no-store".parse().expect("a value")));
    let next = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert!(app.opens(&next.access).await && app.opens(&tokens.access).await);
}

#[tokio::test]
async fn csr_02_and_jwt_10_a_session_signs_a_program_in_that_ends_with_it() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let ask = json!({ "grant": "session", "device": "widget" });
    let tokens = Tokens::of(&ann.post("/auth/token", ask.clone()).await);
    assert!(app.opens(&tokens.access).await);
    assert_eq!(tokens.claims()["auth_time"], ann.get("/auth/me").await.json()["auth_time"]);
    // No longer than the session.
    let beyond = app.number("SELECT count(*) FROM auth_token_families f, auth_sessions s WHERE f.expires_at > s.expires_at");
    assert_eq!(beyond.await, 0);
    assert_eq!(app.browser().post("/auth/token", ask.clone()).await.code(), "not_signed_in");
    let mut foreign = ann.clone().with("origin", "https://evil.test");
    assert_eq!(foreign.post("/auth/token", ask).await.code(), "foreign_request");
    assert_eq!(ann.post("/auth/logout", json!({})).await.status, 204);
    assert!(!app.opens(&tokens.access).await);
    assert_eq!(app.refresh(&tokens.refresh).await.code(), "invalid_grant");
}
[% if module.password %]
#[tokio::test]
async fn reg_02_a_password_is_judged_as_at_the_login() {
    let app = App::with(&[("AUTH_LOGIN_SOURCE_LIMIT", "300")]).await;
    app.account(ANN).await;
    let ask = |email: &str, password: &str| json!({ "grant": "password", "email": email, "password": password });
    for (email, password) in [(ANN, OTHER), (BOB, PASSWORD)] {
        let token = app.browser().post("/auth/token", ask(email, password)).await;
        let login = app.browser().login(email, password).await;
        assert_eq!((token.status, &token.text), (login.status, &login.text));
        assert_eq!(token.code(), "invalid_credentials");
    }
    app.unconfirmed("new@mail.test").await;
    let answer = app.browser().post("/auth/token", ask("new@mail.test", PASSWORD)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "email_unverified".to_owned()));
    // THR-01: the counter is that of the login.
    for n in 0..6 {
        app.browser().from([198, 51, 100, n]).post("/auth/token", ask(ANN, OTHER)).await;
    }
    let closed = app.browser().from([198, 51, 100, 9]).post("/auth/token", ask(ANN, PASSWORD)).await;
    assert_eq!((closed.status.as_u16(), closed.code()), (429, "too_many_requests".to_owned()));
    assert_eq!(app.browser().from([198, 51, 100, 10]).login(ANN, PASSWORD).await.status, 429);
}
[% endif %]
#[tokio::test]
async fn inp_04_what_is_asked_for_has_its_types() {
    let app = App::with(&[("AUTH_LOGIN_SOURCE_LIMIT", "300")]).await;
    app.account(ANN).await;
    for wish in [
        json!({ "device": 1 }),
        json!({ "device": "" }),
        json!({ "device": "  " }),
        json!({ "device": "a\u{0}b" }),
        json!({ "device": "a\nb" }),
        json!({ "device": "x".repeat(101) }),
        json!({ "scope": ["read"] }),
    ] {
        let answer = app.ask(wish.clone(), ANN).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid_fields".to_owned()), "{wish}");
    }
    for scope in ["", " ", "admin", "read admin", "read  write", "READ", "reads", "read\n"] {
        let answer = app.ask(json!({ "scope": scope }), ANN).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_scope".to_owned()), "{scope:?}");
    }
    for body in [json!({}), json!({ "grant": "implicit" }), json!({ "grant": "password", "email": ANN }), json!({ "grant": 1 })] {
        assert_eq!(app.browser().post("/auth/token", body.clone()).await.status, 422, "{body}");
    }
    for path in ["/auth/token/refresh", "/auth/token/revoke"] {
        for body in [json!({}), json!({ "refresh_token": [], "token": [] }), json!({ "refresh_token": null, "token": null })] {
            assert_eq!(app.browser().post(path, body.clone()).await.status, 422, "{path} {body}");
        }
    }
    let answer = app.ask(json!({ "scope": "write read read" }), ANN).await;
    assert_eq!(answer.json()["scope"], "read write", "each once, in the order of the setting");
    assert_eq!(app.ask(json!({}), ANN).await.json()["scope"], "read write");
}

#[tokio::test]
async fn ses_12_the_list_of_devices_is_complete_and_the_users_own() {
    let app = App::with(&[("AUTH_LOGIN_SOURCE_LIMIT", "300")]).await;
    app.account(ANN).await;
    app.account(BOB).await;
    let (phone, other) = (app.program(ANN).await, app.program(BOB).await);
    let mut ann = app.signed_in(ANN).await;
    let widget = Tokens::of(&ann.post("/auth/token", json!({ "grant": "session" })).await);
    let named = |answer: &Answer| {
        let devices = answer.json()["devices"].as_array().expect("a list").clone();
        let mut named: Vec<_> = devices.iter().map(|d| (d["id"].as_str().expect("an id").to_owned(), d["current"] == true)).collect();
        named.sort();
        named
    };
    let sorted = |mut all: Vec<(String, bool)>| { all.sort(); all };
    let by_session = ann.get("/auth/devices").await;
    assert_eq!(named(&by_session), sorted(vec![(phone.family(), false), (widget.family(), true)]));
    let by_token = app.api("/auth/devices", &phone.access).await;
    assert_eq!(named(&by_token), sorted(vec![(phone.family(), true), (widget.family(), false)]));
    for secret in [&phone.access, &phone.refresh, &widget.refresh, &other.family()] {
        assert!(!by_session.text.contains(secret.as_str()) && !by_token.text.contains(secret.as_str()));
    }
    assert_eq!(app.browser().get("/auth/devices").await.status, 401);
    // A wrong token is not made good by a session.
    let mut both = ann.clone().with("authorization", "Bearer x");
    assert_eq!(both.get("/auth/devices").await.status, 401);
    app.sql("UPDATE auth_refresh_tokens SET expires_at = 1").await;
    assert_eq!(named(&ann.get("/auth/devices").await), []);
}

#[tokio::test]
async fn ses_09_a_device_is_signed_out_by_its_owner_only() {
    let app = App::with(&[("AUTH_LOGIN_SOURCE_LIMIT", "300")]).await;
    app.account(ANN).await;
    app.account(BOB).await;
    let (phone, tablet) = (app.program(ANN).await, app.program(ANN).await);
    let at = |tokens: &Tokens| format!("/auth/devices/{}", tokens.family());
    let mut bob = app.signed_in(BOB).await;
    for path in [at(&phone), "/auth/devices/x%00y".to_owned(), "/auth/devices/%FF".to_owned()] {
        let answer = bob.delete(&path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "device_unknown".to_owned()), "{path}");
    }
    let by_token = |token: &str| app.browser().with("authorization", &format!("Bearer {token}"));
    assert_eq!(by_token(&tablet.access).delete(&at(&phone)).await.code(), "device_unknown");
    assert!(app.opens(&phone.access).await);
    let mut ann = app.signed_in(ANN).await;
    app.sql("UPDATE auth_sessions SET authenticated_at = 1").await;
    assert_eq!(ann.delete(&at(&phone)).await.code(), "reauth_required");
    let mut ann = app.signed_in(ANN).await;
    assert_eq!(ann.clone().with("origin", "https://evil.test").delete(&at(&phone)).await.status, 403);
    assert_eq!(ann.delete(&at(&phone)).await.status, 204);
    assert!(!app.opens(&phone.access).await && app.opens(&tablet.access).await);
    assert_eq!(app.refresh(&phone.refresh).await.code(), "invalid_grant");
    assert_eq!(ann.delete(&at(&phone)).await.code(), "device_unknown");
    assert_eq!(by_token(&tablet.access).delete(&at(&tablet)).await.status, 204);
    assert!(!app.opens(&tablet.access).await);
}

#[tokio::test]
async fn ses_12_the_oldest_device_gives_way() {
    let app = App::with(&[("AUTH_SESSIONS_LIMIT", "2"), ("AUTH_LOGIN_SOURCE_LIMIT", "300")]).await;
    app.account(ANN).await;
    app.account(BOB).await;
    let (bobs, first) = (app.program(BOB).await, app.program(ANN).await);
    app.sql("UPDATE auth_token_families SET last_used_at = last_used_at - 10").await;
    let (second, third) = (app.program(ANN).await, app.program(ANN).await);
    assert!(!app.opens(&first.access).await);
    assert!(app.opens(&second.access).await && app.opens(&third.access).await && app.opens(&bobs.access).await);
}

#[tokio::test]
async fn log_01_and_02_events_are_there_and_tokens_are_not() {
    let app = App::new().await;
    app.account(ANN).await;
    let tokens = app.program(ANN).await;
    let next = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert_eq!(app.refresh(&tokens.refresh).await.status, 400);
    let other = app.program(ANN).await;
    assert_eq!(app.revoke(&other.refresh).await.status, 200);
    for (event, outcome, wanted) in [
        ("token_issued", "success", 2),
        ("token_refreshed", "success", 1),
        ("token_reuse", "failure", 1),
        ("token_revoked", "success", 1),
    ] {
        let found: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM auth_audit a, auth_users u
             WHERE a.user_id = u.id AND a.event = $1 AND a.outcome = $2",
        )
        .bind(event)
        .bind(outcome)
        .fetch_one(app.auth.db().pool())
        .await
        .expect("a number");
        assert_eq!(found, wanted, "{event}");
    }
    let dump = database::Dump::of(&app).await;
    for token in [&tokens, &next, &other] {
        assert!(!dump.holds(&token.refresh) && !dump.holds(&token.access));
    }
}

#[tokio::test]
async fn csr_04_and_cfg_08_tokens_are_made_and_ended_by_post_only() {
    let app = App::new().await;
    app.account(ANN).await;
    let tokens = app.program(ANN).await;
    for path in ["/auth/token", "/auth/token/refresh", "/auth/token/revoke"] {
        for method in [Method::GET, Method::PUT, Method::HEAD] {
            let query = format!("{path}?refresh_token={0}&token={0}", tokens.refresh);
            let mut browser = app.browser();
            let request = browser.request(method, &query).header("origin", BASE);
            assert_eq!(browser.send(request.body(Body::empty())).await.status, 405, "{path}");
        }
    }
    assert!(app.opens(&tokens.access).await);
    // A form, or a token in the query, is no request for tokens.
    let mut browser = app.browser();
    let request = browser
        .request(Method::POST, &format!("/auth/token/refresh?refresh_token={}", tokens.refresh))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", BASE);
    let answer = browser.send(request.body(Body::from(format!("refresh_token={}", tokens.refresh)))).await;
    assert!(answer.status.is_client_error(), "{}", answer.text);
    assert_eq!(app.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn ses_11_deleted_accounts_leave_no_tokens() {
    let app = App::new().await;
    app.account(ANN).await;
    let tokens = app.program(ANN).await;
    let mut ann = app.signed_in(ANN).await;
    assert_eq!(ann.delete("/auth/account").await.status, 204);
    assert!(!app.opens(&tokens.access).await);
    for table in ["SELECT count(*) FROM auth_token_families", "SELECT count(*) FROM auth_refresh_tokens"] {
        assert_eq!(app.number(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn what_has_expired_is_removed_and_nothing_else() {
    let app = App::new().await;
    app.account(ANN).await;
    let (old, new) = (app.program(ANN).await, app.program(ANN).await);
    let next = Tokens::of(&app.refresh(&new.refresh).await);
    let ended = sqlx::query("UPDATE auth_token_families SET expires_at = 1 WHERE id = $1").bind(old.family());
    ended.execute(app.auth.db().pool()).await.expect("a row");
    app.auth.db().purge().await.expect("a purge");
    assert_eq!(app.number("SELECT count(*) FROM auth_token_families").await, 1);
    assert_eq!(app.number("SELECT count(*) FROM auth_refresh_tokens").await, 2, "a used one is known again");
    assert!(app.opens(&next.access).await);
}

/// A key with another private part.
pub fn another_key() -> String {
    bearer::fresh_key()
}

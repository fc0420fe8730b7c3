use std::sync::{Arc, Mutex};

use super::*;
use crate::auth::mail;

/// Interested in every event for as long as the tests run. tracing remembers for each place in the code whether anybody
/// wants its events; without this, a test that captures nothing could settle that for one that does.
pub static LISTENER: LazyLock<tracing::Dispatch> = LazyLock::new(|| tracing::Dispatch::new(Log::default()));

/// What tracing events said, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    /// Collects what the current thread logs, until the guard goes.
    fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        LazyLock::force(&LISTENER);
        let log = Self::default();
        let guard = tracing::subscriber::set_default(log.clone());
        (log, guard)
    }

    fn text(&self) -> String {
        self.0.lock().expect("a lock").clone()
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line<'a>(&'a mut String);
        impl tracing::field::Visit for Line<'_> {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!("{field}={value:?} "));
            }
        }
        let mut text = self.0.lock().expect("a lock");
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// Everything an account goes through. Returns every secret that was sent or received.
async fn story(app: &App) -> Vec<String> {
    let mut secrets = vec![PASSWORD.to_owned(), OTHER.to_owned()];
    let (mut ann, verify) = app.registered(ANN).await;
    secrets.extend([verify.clone(), ann.cookies[BROWSER].clone()]);
    assert_eq!(ann.post("/auth/verify", json!({ "token": verify })).await.status, 200);
    secrets.push(ann.session());
    assert_eq!(app.browser().login(ANN, "a wrong password of Ann").await.status, 401);
    assert_eq!(app.browser().login("typed-a-secret@mail.test", "x").await.status, 401);
    secrets.extend(["a wrong password of Ann", "typed-a-secret"].map(str::to_owned));
    assert_eq!(ann.change(PASSWORD, OTHER).await.status, 200);
    secrets.push(ann.session());
    let reset = app.reset_token(ANN).await;
    assert_eq!(ann.get(&format!("/auth/password/reset?token={reset}")).await.status, 200);
    assert_eq!(ann.reset(&reset, PASSWORD).await.status, 200);
    secrets.push(reset);
    assert_eq!(ann.login(ANN, PASSWORD).await.status, 200);
    secrets.push(ann.session());
    assert_eq!(ann.post("/auth/logout", json!({})).await.status, 204);
    secrets
}

#[tokio::test]
async fn log_01_and_02_secrets_are_neither_stored_nor_logged() {
    let app = App::new().await;
    let (log, guard) = Log::capture();
    let secrets = story(&app).await;
    drop(guard);
    let stored = database::Dump::of(&app).await;
    let log = log.text();
    assert!(log.contains("event=\"session_created\"") && log.contains("event=\"register\""), "{log}");
    assert!(stored.holds(ANN) && stored.holds("$argon2id$"));
    for secret in secrets {
        assert!(!log.contains(&secret) && !log.contains(&secret[..12]), "{secret} is in the log");
        assert!(!stored.holds(&secret), "{secret} is in the database");
    }

    // LOG-02: each step is in the trail, with who, when and from where.
    for (event, times) in [
        ("register", 1), ("email_verified", 1), ("login", 2), ("password_proven", 2), ("password_changed", 1),
        ("reset_requested", 1), ("password_reset", 1), ("session_created", 3), ("logout", 1),
    ] {
        let found: i64 = sqlx::query_scalar(database::COMPLETE_EVENTS)
        .bind(event)
        .fetch_one(app.auth.db().pool())
        .await
        .expect("a number");
        assert_eq!(found, times, "{event}");
    }
    let failed = "SELECT count(*) FROM auth_audit WHERE outcome = 'failure' AND event = 'login'";
    assert_eq!(app.number(failed).await, 2);
}

#[tokio::test]
async fn log_01_a_mail_that_fails_is_logged_without_its_text() {
    let mut variables = variables();
    variables.insert("SMTP_URL", "smtp://user:hunter2@127.0.0.1:1".to_owned());
    let settings = read(&variables).expect("settings");
    let (log, _guard) = Log::capture();
    let queue = mail::Mail::start(&settings).expect("a queue");
    let token = tokens::random::<32>();
    queue.slot().expect("a slot").send(mail::Letter::reset(&settings, ANN, &token));
    for _ in 0..100 {
        if log.text().contains("a mail failed") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = log.text();
    assert!(log.contains("a mail failed and will be tried again"), "{log}");
    assert!(!log.contains(&token) && !log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn log_02_the_answer_names_the_entry() {
    let app = App::new().await;
    let answer = app.browser().with("user-agent", "tester/1.0").forgot(ANN).await;
    let id = answer.headers["x-request-id"].to_str().expect("text");
    assert_eq!(app.text("SELECT request_id FROM auth_audit").await, id);
    assert_eq!(app.text("SELECT user_agent FROM auth_audit").await, "tester/1.0");
    let mut chosen = app.browser().with("x-request-id", "chosen-by-client");
    assert_ne!(chosen.forgot(BOB).await.headers["x-request-id"], "chosen-by-client");
}

#[tokio::test]
async fn log_03_a_client_cannot_forge_entries() {
    let app = App::new().await;
    let (log, _guard) = Log::capture();
    let long = format!("x\" event=\"login\" outcome=\"success\" {}", "A".repeat(5000));
    assert_eq!(app.browser().with("user-agent", &long).forgot(ANN).await.status, 202);
    let mut odd = app.browser();
    let value = axum::http::HeaderValue::from_bytes(b"\xe2\x80\xa8\xff event=login").expect("a value");
    odd.headers.insert("user-agent", value);
    assert_eq!(odd.forgot(ANN).await.status, 202);
    let forged = "ann@mail.test\n{\"event\":\"login\",\"user\":\"admin\"}";
    assert_eq!(app.browser().login(forged, PASSWORD).await.status, 422);
    let log = log.text();
    assert!(log.contains("event=\"reset_requested\""));
    assert!(!log.contains(" event=\"login\""), "quotes are escaped: {log}");
    assert!(!log.contains("admin"));
    assert_eq!(app.number("SELECT CAST(max(length(user_agent)) AS BIGINT) FROM auth_audit").await, 256);
    assert_eq!(app.number("SELECT count(*) FROM auth_audit WHERE event = 'login'").await, 0);
    assert_eq!(app.number("SELECT count(*) FROM auth_audit").await, 2);
}

#[tokio::test]
async fn log_04_refusals_are_recorded_and_sampled() {
    let app = App::with(&[("AUTH_LOGIN_FAILURE_LIMIT", "1"), ("AUTH_MAIL_SOURCE_LIMIT", "1")]).await;
    app.account(ANN).await;
    for _ in 0..40 {
        let mut foreign = app.browser().with("origin", "https://evil.test");
        assert_eq!(foreign.post("/auth/logout", json!({})).await.status, 403);
    }
    for _ in 0..3 {
        app.browser().forgot(ANN).await;
    }
    for _ in 0..2 {
        app.browser().login(ANN, OTHER).await;
    }
    app.browser().get("/auth/verify?token=unknown").await;
    let reasons: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT event, reason, count(*) FROM auth_audit
         WHERE outcome = 'failure' AND ip = '192.0.2.7' GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .fetch_all(app.auth.db().pool())
    .await
    .expect("rows");
    let reasons: Vec<_> = reasons.iter().map(|(e, r, n)| (e.as_str(), r.as_str(), *n)).collect();
    assert_eq!(reasons, [
        ("csrf_refused", "foreign_origin", 10),
        ("login", "invalid_credentials", 1),
        ("throttled", "account", 1),
        ("throttled", "mail", 1),
        ("token_refused", "token_invalid", 1),
    ]);
}

#[tokio::test]
async fn sto_01_input_never_becomes_sql() {
    let app = App::with(&[("AUTH_TOKEN_SOURCE_LIMIT", "200"), ("AUTH_MAIL_SOURCE_LIMIT", "200")]).await;
    let mut ann = app.signed_in_account(ANN).await;
    app.reset_token(ANN).await;
    let mails = app.mails(ANN).await.len();
    for payload in [
        "' OR '1'='1", "'; DROP TABLE auth_users;--", "' UNION SELECT 1,2,3--", "%", "_", "\\'", "x' OR 1=1--",
        "'||randomblob(100000000)||'", "\u{0}", "*",
    ] {
        let start = std::time::Instant::now();
        for path in ["/auth/password/reset", "/auth/verify"] {
            let body = json!({ "token": payload, "password": OTHER });
            assert_eq!(app.browser().post(path, body).await.code(), "token_invalid", "{payload}");
        }
        for email in [payload.to_owned(), format!("{payload}@mail.test")] {
            let answer = app.browser().forgot(&email).await;
            assert!(matches!(answer.status.as_u16(), 202 | 422), "{email}");
        }
        let mut browser = app.browser();
        browser.cookies.insert(SESSION.to_owned(), payload.replace(['\0', ';'], ""));
        assert!(!browser.is_signed_in().await, "{payload}");
        let mut forwarded = app.browser().with("user-agent", &payload.replace('\0', ""));
        assert_eq!(forwarded.forgot(BOB).await.status, 202);
        assert!(start.elapsed().as_secs() < 2, "{payload}");
    }
    for pattern in ["%@mail.test", "_nn@mail.test", "'or'1'='1@mail.test"] {
        assert_eq!(app.browser().forgot(pattern).await.status, 202, "an address like any other");
    }
    assert_eq!(app.mails(ANN).await.len(), mails, "no pattern matched");
    assert_eq!(app.number("SELECT count(*) FROM auth_users").await, 1);
    assert!(ann.is_signed_in().await);
}

#[tokio::test]
async fn sto_02_the_database_keeps_accounts_apart() {
    let app = App::new().await;
    app.signed_in_account(ANN).await;
    app.reset_token(ANN).await;
    for duplicate in [
        "INSERT INTO auth_users SELECT 'other', email, password_hash, verified_at, disabled_at, epoch,
             failed_logins, password_changed_at, created_at FROM auth_users",
        "INSERT INTO auth_sessions SELECT * FROM auth_sessions",
        "INSERT INTO auth_tokens SELECT * FROM auth_tokens",
        "INSERT INTO auth_tokens SELECT token_hash || token_hash, purpose, 'nobody', email, NULL, NULL, 1, 1, NULL
             FROM auth_tokens",
    ] {
        let result = sqlx::raw_sql(duplicate).execute(app.auth.db().pool()).await;
        assert!(result.is_err(), "{duplicate}");
    }
    let count = "SELECT (SELECT count(*) FROM auth_sessions) + (SELECT count(*) FROM auth_tokens)";
    assert_eq!(app.number(count).await, 2);
    app.sql("DELETE FROM auth_users").await;
    assert_eq!(app.number(count).await, 0, "what belonged to the account is gone");
}

#[tokio::test]
async fn sto_03_a_reset_happens_as_a_whole_or_not_at_all() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let token = app.reset_token(ANN).await;
    for trigger in [database::BREAK_SESSIONS, database::BREAK_AUDIT] {
        app.sql(trigger).await;
        assert_eq!(app.browser().reset(&token, OTHER).await.code(), "unavailable");
        assert_eq!(app.text("SELECT password_hash FROM auth_users").await, *HASH);
        assert_eq!(app.number("SELECT epoch FROM auth_users").await, 0);
        assert!(ann.is_signed_in().await);
        app.sql(database::MEND).await;
    }
    assert_eq!(app.browser().reset(&token, OTHER).await.status, 200, "the token was not used up");
    assert!(!ann.is_signed_in().await);
}

#[tokio::test]
async fn cfg_07_nothing_is_granted_while_the_database_fails() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    app.sql("ALTER TABLE auth_sessions RENAME TO away").await;
    for path in ["/auth/me", "/guarded"] {
        let answer = ann.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "unavailable"));
        assert!(!answer.text.contains("guarded") && !answer.text.contains("sql"), "{}", answer.text);
    }
    assert_eq!(ann.get("/own").await.status, 200, "the application itself still answers");
    app.sql("ALTER TABLE away RENAME TO auth_sessions").await;
    app.sql("ALTER TABLE auth_throttles RENAME TO away").await;
    let answer = app.browser().login(ANN, PASSWORD).await;
    assert_eq!(answer.status, 503, "no limits, no logins");
    assert!(answer.set_cookies().is_empty());
    app.sql("ALTER TABLE away RENAME TO auth_throttles").await;
    assert!(ann.is_signed_in().await, "it recovers");
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn what_has_expired_is_removed() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    app.signed_in_account(BOB).await;
    app.sql("UPDATE auth_sessions SET expires_at = 1 WHERE user_id IN
                 (SELECT id FROM auth_users WHERE email = 'bob@mail.test')").await;
    app.auth.db().purge().await.expect("a purge");
    assert_eq!(app.number("SELECT count(*) FROM auth_sessions").await, 1);
    assert!(ann.is_signed_in().await);
}

#[tokio::test]
async fn rac_01_parallel_registrations_make_one_account() {
    let app = App::new().await;
    let spellings = [ANN, "ANN@mail.test", " ann@MAIL.test", "Ann@Mail.Test "];
    let browser = app.browser();
    let requests = spellings.map(|email| {
        browser.json("/auth/register", &json!({ "email": email, "password": PASSWORD }))
    });
    let answers = app.parallel(requests).await;
    for answer in &answers {
        assert_eq!(answer.status, 202);
        assert_eq!(answer.shape(), answers[0].shape());
    }
    assert_eq!(app.number("SELECT count(*) FROM auth_users").await, 1);
    assert_eq!(app.number("SELECT count(*) FROM auth_tokens").await, 1);
    let mails = app.mails(ANN).await;
    assert_eq!(mails.iter().filter(|mail| mail.token().is_some()).count(), 1);
}

#[tokio::test]
async fn rac_02_parallel_resets_succeed_once() {
    let app = App::new().await;
    app.account(ANN).await;
    let token = app.reset_token(ANN).await;
    let browser = app.browser();
    let passwords = [OTHER, "nine grey walruses juggle", "four odd lanterns whistle"];
    let requests = passwords.map(|password| {
        browser.json("/auth/password/reset", &json!({ "token": token, "password": password }))
    });
    let answers = app.parallel(requests).await;
    let won: Vec<usize> = (0..3).filter(|n| answers[*n].status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!((0..3).all(|n| n == won[0] || answers[n].code() == "token_invalid"));
    assert_eq!(app.number("SELECT count(*) FROM auth_audit WHERE event = 'password_reset'").await, 1);
    assert_eq!(app.number("SELECT epoch FROM auth_users").await, 1);
    assert_eq!(app.browser().login(ANN, passwords[won[0]]).await.status, 200);
}

#[tokio::test]
async fn rac_02_parallel_confirmations_succeed_once() {
    let app = App::with(&[("AUTH_TOKEN_SOURCE_LIMIT", "100")]).await;
    for (email, rounds) in [(ANN, 20), (BOB, 20)] {
        let (browser, token) = app.unconfirmed(email).await;
        let confirm = || browser.json("/auth/verify", &json!({ "token": token }));
        let answers = app.parallel((0..rounds).map(|_| confirm())).await;
        let ok = answers.iter().filter(|answer| answer.status == 200).count();
        let refused = answers.iter().filter(|answer| answer.code() == "token_invalid").count();
        assert_eq!((ok, refused), (1, rounds - 1));
    }
    assert_eq!(app.number("SELECT count(*) FROM auth_sessions").await, 2);
}

#[tokio::test]
async fn thr_06_parallel_wrong_logins_stay_below_the_throttle() {
    let app = App::new().await;
    app.account(ANN).await;
    let requests = (0..30).map(|n| {
        let browser = app.browser().from([198, 51, 100, n]);
        browser.json("/auth/login", &json!({ "email": ANN, "password": OTHER }))
    });
    let answers = app.parallel(requests.collect::<Vec<_>>()).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(401), count(429)), (5, 25));
    assert_eq!(app.number("SELECT failed_logins FROM auth_users").await, 5);
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 429);
    app.sql("UPDATE auth_throttles SET blocked_until = 0").await;
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn rac_05_parallel_use_never_outlives_a_revocation() {
    let app = App::new().await;
    app.account(ANN).await;
    for _ in 0..10 {
        let ann = app.signed_in(ANN).await;
        app.sql("UPDATE auth_sessions SET last_seen_at = last_seen_at - 100").await;
        let use_it = || ann.request(Method::GET, "/auth/me").body(Body::empty()).expect("a request");
        let end_it = ann.json("/auth/logout", &json!({}));
        let answers = app.parallel([use_it(), end_it, use_it(), use_it()]).await;
        assert_eq!(answers[1].status, 204);
        assert!(answers.iter().all(|answer| answer.status.as_u16() < 500));
        assert!(!ann.clone().is_signed_in().await);
    }
    assert!(app.signed_in(ANN).await.is_signed_in().await);
}

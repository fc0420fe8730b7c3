use super::*;
use crate::auth::throttle::{self, Verdict};

#[tokio::test]
async fn reg_02_failures_look_the_same() {
    let app = App::new().await;
    app.account(ANN).await;
    app.account(BOB).await;
    app.sql("UPDATE auth_users SET disabled_at = 1 WHERE email = 'bob@mail.test'").await;
    let unknown = app.browser().login("nobody@mail.test", PASSWORD).await;
    let wrong = app.browser().login(ANN, OTHER).await;
    let disabled = app.browser().login(BOB, PASSWORD).await;
    assert_eq!(unknown.status, 401);
    assert_eq!(unknown.shape(), wrong.shape());
    assert_eq!(unknown.shape(), disabled.shape());
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn reg_03_an_unknown_address_costs_a_hash_too() {
    let app = App::costing(Cost::STANDARD, &[]).await;
    let password = Password::new(PASSWORD).expect("a password");
    let stored = app.auth.hasher().hash(&password).await.expect("a hash");
    let start = std::time::Instant::now();
    assert!(app.auth.hasher().verify(&password, Some(&stored)).await.expect("a verdict"));
    let known = start.elapsed();
    let start = std::time::Instant::now();
    assert!(!app.auth.hasher().verify(&password, None).await.expect("a verdict"));
    let unknown = start.elapsed();
    assert!(unknown * 8 > known, "{unknown:?} {known:?}");
}

#[tokio::test]
async fn thr_01_an_account_closes_for_longer_each_time() {
    let app = App::with(&[("AUTH_LOGIN_FAILURE_LIMIT", "2")]).await;
    app.account(ANN).await;
    for n in 0..2 {
        let answer = app.browser().from([198, 51, 100, n]).login(ANN, OTHER).await;
        assert_eq!(answer.status, 401);
    }
    let closed = app.browser().from([198, 51, 100, 9]).login(ANN, PASSWORD).await;
    assert_eq!(closed.status, 429, "the right password is not evaluated");
    let first: i64 = closed.headers["retry-after"].to_str().expect("text").parse().expect("a number");
    assert!((1..=30).contains(&first), "{first}");

    app.sql("UPDATE auth_throttles SET blocked_until = 0").await;
    assert_eq!(app.browser().login(ANN, OTHER).await.status, 401);
    let closed = app.browser().login(ANN, OTHER).await;
    let second: i64 = closed.headers["retry-after"].to_str().expect("text").parse().expect("a number");
    assert!((55..=60).contains(&second), "{second}");

    app.sql("UPDATE auth_throttles SET blocked_until = 0").await;
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 200);
    assert_eq!(app.browser().login(ANN, OTHER).await.status, 401, "the count starts again");
}

#[tokio::test]
async fn thr_01_the_wait_doubles_up_to_an_hour() {
    let app = App::new().await;
    let (db, policy) = (app.auth.db().pool(), &app.auth.settings().policy);
    let mut db = db.acquire().await.expect("a connection");
    let mut waits = Vec::new();
    for _ in 0..14 {
        let now = crate::auth::db::now();
        let verdict = throttle::guess(&mut db, b"key", policy).await.expect("a verdict");
        assert!(verdict.is_allowed());
        let until: i64 = sqlx::query_scalar("SELECT blocked_until FROM auth_throttles")
            .fetch_one(&mut *db)
            .await
            .expect("a row");
        waits.push(if until == 0 { 0 } else { until - now });
        sqlx::query("UPDATE auth_throttles SET blocked_until = 0")
            .execute(&mut *db)
            .await
            .expect("a row");
    }
    let near = |(wait, expected): (&i64, &i64)| (wait - expected).abs() <= 1;
    let expected = [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600];
    assert!(waits.iter().zip(&expected).all(near), "{waits:?}");
}

#[tokio::test]
async fn thr_02_one_source_cannot_spray() {
    let app = App::with(&[("AUTH_LOGIN_SOURCE_FAILURE_LIMIT", "2")]).await;
    app.account(ANN).await;
    for n in 0..2 {
        let email = format!("user{n}@mail.test");
        assert_eq!(app.browser().login(&email, PASSWORD).await.status, 401);
    }
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 429);
    let elsewhere = app.browser().from([203, 0, 113, 5]).login(ANN, PASSWORD).await;
    assert_eq!(elsewhere.status, 200);
    app.sql("UPDATE auth_throttles SET expires_at = 1").await;
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn thr_03_forwarded_addresses_count_only_from_a_proxy() {
    let app = App::with(&[("AUTH_TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    let seen = async |peer: [u8; 4], name: &'static str, value: &str| {
        let mut browser = app.browser().from(peer).with(name, value);
        browser.forgot(ANN).await;
        app.text("SELECT ip FROM auth_audit ORDER BY id DESC LIMIT 1").await
    };
    assert_eq!(seen([10, 0, 0, 2], "x-forwarded-for", "1.1.1.1, 203.0.113.9").await, "203.0.113.9");
    assert_eq!(seen([10, 0, 0, 2], "x-forwarded-for", "203.0.113.8, 10.0.0.3").await, "203.0.113.8");
    assert_eq!(seen([10, 0, 0, 2], "x-forwarded-for", "1.1.1.1, garbage").await, "10.0.0.2");
    assert_eq!(seen([192, 0, 2, 1], "x-forwarded-for", "203.0.113.9").await, "192.0.2.1");
    for name in ["x-real-ip", "forwarded", "cf-connecting-ip", "true-client-ip"] {
        assert_eq!(seen([10, 0, 0, 2], name, "203.0.113.9").await, "10.0.0.2", "{name}");
    }
}

#[tokio::test]
async fn thr_04_one_source_is_one_key() {
    let app = App::with(&[("AUTH_TRUSTED_PROXIES", "10.0.0.1"), ("AUTH_MAIL_SOURCE_LIMIT", "1")]).await;
    let ask = async |from: &str| {
        let mut browser = app.browser().from([10, 0, 0, 1]).with("x-forwarded-for", from);
        browser.forgot(ANN).await.status
    };
    assert_eq!(ask("2001:db8:1:1::1").await, 202);
    for same in ["2001:DB8:1:1::2", "2001:0db8:0001:0001:0:0:0:9", "[2001:db8:1:1::7]:99", "2001:db8:1:1::1%eth0"] {
        assert_eq!(ask(same).await, 429, "{same}");
    }
    assert_eq!(ask("2001:db8:1:2::1").await, 202);
    assert_eq!(ask("192.0.2.7").await, 202);
    for same in ["::ffff:192.0.2.7", "::ffff:c000:207", "192.0.2.7:1234"] {
        assert_eq!(ask(same).await, 429, "{same}");
    }
}

#[tokio::test]
async fn thr_05_spelling_does_not_open_another_counter() {
    let app = App::with(&[("AUTH_LOGIN_FAILURE_LIMIT", "1")]).await;
    app.account(ANN).await;
    assert_eq!(app.browser().login(ANN, OTHER).await.status, 401);
    for spelling in ["ANN@mail.test", " ann@MAIL.test ", "Ann@mail.test"] {
        assert_eq!(app.browser().login(spelling, OTHER).await.status, 429, "{spelling}");
    }
    let mut ann = app.signed_in(ANN).await;
    assert_eq!(ann.change(PASSWORD, OTHER).await.status, 429, "a change shares the counter");
    for path in ["//auth/login", "/auth//login", "/auth/login/", "/AUTH/login"] {
        let body = json!({ "email": ANN, "password": OTHER });
        assert_eq!(app.browser().post(path, body).await.status, 404, "{path}");
    }
    assert_eq!(app.browser().login(BOB, OTHER).await.status, 401, "others are not affected");
}

#[tokio::test]
async fn thr_06_parallel_guesses_cannot_exceed_the_limit() {
    let app = App::new().await;
    let guesses = (0..60).map(|_| {
        let auth = app.auth.clone();
        tokio::spawn(async move {
            let mut db = auth.db().pool().acquire().await.expect("a connection");
            let policy = &auth.settings().policy;
            throttle::guess(&mut db, b"key", policy).await.expect("a verdict").is_allowed()
        })
    });
    let mut allowed = 0;
    for guess in guesses.collect::<Vec<_>>() {
        allowed += i64::from(guess.await.expect("a verdict"));
    }
    assert_eq!(allowed, 5);
    assert_eq!(app.number("SELECT count FROM auth_throttles").await, allowed);
}

#[tokio::test]
async fn thr_07_no_oracle_and_no_lockout() {
    let app = App::with(&[("AUTH_LOGIN_FAILURE_LIMIT", "1")]).await;
    let mut ann = app.signed_in_account(ANN).await;
    for email in [ANN, "nobody@mail.test"] {
        assert_eq!(app.browser().login(email, OTHER).await.status, 401);
        assert_eq!(app.browser().login(email, OTHER).await.status, 429, "{email}");
    }
    let token = app.reset_token(ANN).await;
    assert!(ann.is_signed_in().await, "asking for a reset changes nothing");
    assert_eq!(app.browser().reset(&token, OTHER).await.status, 200);
    assert_eq!(app.browser().login(ANN, OTHER).await.status, 200, "the mailbox opens it again");
}

#[tokio::test]
async fn thr_08_everything_that_mails_or_checks_is_limited() {
    let app = App::with(&[
        ("AUTH_REGISTER_SOURCE_LIMIT", "1"),
        ("AUTH_TOKEN_SOURCE_LIMIT", "1"),
        ("AUTH_MAIL_SOURCE_LIMIT", "1"),
        ("AUTH_LOGIN_SOURCE_LIMIT", "1"),
    ])
    .await;
    let short = json!({ "email": ANN, "password": "short", "token": "x" });
    for (path, first) in [
        ("/auth/register", 422),
        ("/auth/login", 401),
        ("/auth/password/forgot", 202),
        ("/auth/verify", 400),
    ] {
        assert_eq!(app.browser().post(path, short.clone()).await.status, first, "{path}");
        assert_eq!(app.browser().post(path, short.clone()).await.status, 429, "{path}");
        let mut elsewhere = app.browser().from([203, 0, 113, 5]);
        assert_eq!(elsewhere.post(path, short.clone()).await.status, first, "{path}");
    }
    // One counter for what mails and one for what takes a token.
    assert_eq!(app.browser().post("/auth/verify/resend", short.clone()).await.status, 429);
    assert_eq!(app.browser().post("/auth/password/reset", short.clone()).await.status, 429);
    assert_eq!(app.browser().get("/auth/verify?token=x").await.status, 429);
}

#[tokio::test]
async fn thr_08_a_mailbox_cannot_be_flooded() {
    let app = App::new().await;
    app.account(ANN).await;
    for n in 0..8 {
        let answer = app.browser().from([198, 51, 100, n]).forgot(ANN).await;
        assert_eq!(answer.status, 202, "the limit does not show");
    }
    assert_eq!(app.mails(ANN).await.len(), 5);
}

#[tokio::test]
async fn thr_09_the_cap_disables_the_password_until_a_reset() {
    let app = App::with(&[("AUTH_LOGIN_CAP_LIMIT", "3")]).await;
    app.account(ANN).await;
    app.sql("UPDATE auth_users SET failed_logins = 2").await;
    assert_eq!(app.browser().login(ANN, OTHER).await.status, 401);
    assert_eq!(app.browser().login(ANN, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.mails(ANN).await.len(), 1);
    let token = app.reset_token(ANN).await;
    assert_eq!(app.browser().reset(&token, OTHER).await.status, 200);
    assert_eq!(app.browser().login(ANN, OTHER).await.status, 200);
    assert_eq!(app.number("SELECT failed_logins FROM auth_users").await, 0);
}

#[tokio::test]
async fn a_refused_guess_says_when_to_return() {
    let verdict = Verdict::Refused { seconds: -3, first: false };
    let problem = verdict.check().expect_err("a refusal");
    let response = axum::response::IntoResponse::into_response(problem);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    assert!(Verdict::Allowed.check().is_ok());
}

//! Attacks on refresh tokens, and what ends them.

use super::{
    bearer::Tokens,
    *,
};
use crate::auth::operator;

const MANY: [(&str, &str); 2] = [("AUTH_LOGIN_SOURCE_LIMIT", "300"), ("AUTH_TOKEN_REFRESH_SOURCE_LIMIT", "600")];

async fn signed_in() -> (App, Tokens) {
    let app = App::with(&MANY).await;
    app.account(ANN).await;
    let tokens = app.program(ANN).await;
    (app, tokens)
}

async fn is_dead(app: &App, tokens: &Tokens) -> bool {
    let answer = app.refresh(&tokens.refresh).await;
    if answer.status == 200 {
        return false;
    }
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_grant".to_owned()));
    !app.opens(&tokens.access).await
}

#[tokio::test]
async fn rft_01_each_use_gives_a_new_token() {
    let (app, mut tokens) = signed_in().await;
    for _ in 0..5 {
        let answer = app.refresh(&tokens.refresh).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(answer.set_cookies().is_empty());
        let next = Tokens::of(&answer);
        assert!(next.refresh != tokens.refresh && next.access != tokens.access);
        assert_eq!(next.family(), tokens.family());
        tokens = next;
    }
}

#[tokio::test]
async fn rft_02_a_second_use_ends_the_family_and_no_other() {
    for shown in [0, 1] {
        let (app, first) = signed_in().await;
        let other = app.program(ANN).await;
        let second = Tokens::of(&app.refresh(&first.refresh).await);
        let third = Tokens::of(&app.refresh(&second.refresh).await);
        let again = if shown == 0 { &first } else { &second };
        assert_eq!(app.refresh(&again.refresh).await.code(), "invalid_grant");
        for tokens in [&first, &second, &third] {
            assert!(is_dead(&app, tokens).await);
        }
        assert!(app.opens(&other.access).await);
        assert_eq!(app.refresh(&other.refresh).await.status, 200);
        let event = "SELECT count(*) FROM auth_audit WHERE event = 'token_reuse' AND user_id IS NOT NULL";
        assert_eq!(app.number(event).await, 1);
    }
}

#[tokio::test]
async fn rft_03_of_parallel_uses_one_succeeds() {
    let (app, _) = signed_in().await;
    let other = app.beside(&app.variables).await;
    let instances = [app.router.clone(), other];
    for round in 0..5 {
        let tokens = app.program(ANN).await;
        let requests = (0..50).map(|n| {
            let browser = app.browser().from([198, 51, round, n]);
            browser.json("/auth/token/refresh", &json!({ "refresh_token": tokens.refresh }))
        });
        let answers = app.spread(&instances, requests.collect::<Vec<_>>()).await;
        let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(200), count(400)), (1, 49), "round {round}");
        let won = Tokens::of(answers.iter().find(|answer| answer.status == 200).expect("one"));
        assert!(is_dead(&app, &won).await, "a token in two hands ends the family");
        let live = "SELECT count(*) FROM auth_refresh_tokens r, auth_token_families f
             WHERE f.id = r.family_id AND r.used_at IS NULL AND f.revoked_at IS NULL";
        assert_eq!(app.number(live).await, 1, "that of the first program");
        app.sql("DELETE FROM auth_throttles").await;
    }
}

#[tokio::test]
async fn rft_04_refresh_tokens_are_random_and_hashed() {
    let (app, mut tokens) = signed_in().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        tokens = Tokens::of(&app.refresh(&tokens.refresh).await);
        assert!(tokens.refresh.len() == 43 && !tokens.refresh.contains('.'));
        assert!(seen.insert(tokens.refresh.clone()));
    }
    let hash = super::super::tokens::hash(&tokens.refresh);
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM auth_refresh_tokens WHERE token_hash = $1")
        .bind(&hash)
        .fetch_one(app.auth.db().pool())
        .await
        .expect("a number");
    assert_eq!(found, 1);
    let dump = database::Dump::of(&app).await;
    assert!(seen.iter().all(|token| !dump.holds(token)));
    use [= import.base64 =]::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    for stored in [hex, URL_SAFE_NO_PAD.encode(&hash)] {
        assert_eq!(app.refresh(&stored).await.code(), "invalid_grant");
    }
    assert_eq!(app.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn rft_05_a_family_ends_however_often_it_is_used() {
    let (app, tokens) = signed_in().await;
    let next = Tokens::of(&app.refresh(&tokens.refresh).await);
    let policy = &app.auth.settings().policy;
[%- if module.password %]
    let longest = policy.refresh_absolute;
[%- else %]
    let longest = policy.session_absolute.min(policy.refresh_absolute);
[%- endif %]
    // The end is set when the sign-in is answered, which may be in the second before the family's own.
    let left = app.number("SELECT expires_at - created_at FROM auth_token_families").await;
    assert!((longest - 60..=longest).contains(&left), "no use moves it: {left}");
    let beyond = "SELECT count(*) FROM auth_token_families f, auth_refresh_tokens r WHERE r.expires_at > f.expires_at";
    assert_eq!(app.number(beyond).await, 0);
    app.sql("UPDATE auth_token_families SET expires_at = 1").await;
    assert!(is_dead(&app, &next).await);
}

#[tokio::test]
async fn rft_05_a_token_that_waits_too_long_is_dead() {
    let (app, tokens) = signed_in().await;
    let idle = "SELECT expires_at - created_at FROM auth_refresh_tokens";
[%- if module.password %]
    assert_eq!(app.number(idle).await, app.auth.settings().policy.refresh_idle);
[%- else %]
    let policy = &app.auth.settings().policy;
    assert_eq!(app.number(idle).await, policy.session_idle.min(policy.refresh_idle));
[%- endif %]
    app.sql("UPDATE auth_refresh_tokens SET expires_at = 1").await;
    assert_eq!(app.refresh(&tokens.refresh).await.code(), "invalid_grant");
    // Too late is no theft.
    assert_eq!(app.number("SELECT count(*) FROM auth_audit WHERE event = 'token_reuse'").await, 0);
    assert!(app.opens(&tokens.access).await);
[%- if module.password %]
    // From a session, it waits no longer than that.
    let mut ann = app.signed_in(ANN).await;
    let widget = Tokens::of(&ann.post("/auth/token", json!({ "grant": "session" })).await);
    let policy = &app.auth.settings().policy;
    let longest = "SELECT max(r.expires_at - r.created_at) FROM auth_refresh_tokens r, auth_token_families f
         WHERE f.id = r.family_id AND f.session IS NOT NULL";
    assert!(app.number(longest).await <= policy.session_idle.min(policy.refresh_idle));
    assert_eq!(app.refresh(&widget.refresh).await.status, 200);
[%- endif %]
}

#[tokio::test]
async fn rft_06_a_revocation_ends_the_family_at_once() {
    for by in ["refresh", "access", "used"] {
        let (app, tokens) = signed_in().await;
        let other = app.program(ANN).await;
        let next = Tokens::of(&app.refresh(&tokens.refresh).await);
        let token = match by {
            "refresh" => &next.refresh,
            "access" => &next.access,
            _ => &tokens.refresh,
        };
        for _ in 0..2 {
            let answer = app.revoke(token).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "status": "revoked" })), "{by}");
        }
        assert!(is_dead(&app, &next).await && !app.opens(&tokens.access).await, "{by}");
        assert!(app.opens(&other.access).await, "{by}");
        for garbage in ["", "x", "a.b.c", "\u{0}", &"x".repeat(10_000), &other.family()] {
            let answer = app.revoke(garbage).await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "status": "revoked" })), "{garbage}");
        }
        assert_eq!(app.refresh(&other.refresh).await.status, 200, "{by}");
    }
}

#[tokio::test]
async fn rft_07_a_refresh_token_is_for_one_thing() {
    let (app, tokens) = signed_in().await;
    assert_eq!(app.api("/auth/token/me", &tokens.refresh).await.status, 401);
    let mut browser = app.browser();
    browser.cookies.insert(SESSION.to_owned(), tokens.refresh.clone());
    assert!(!browser.is_signed_in().await);
    assert_eq!(app.refresh(&tokens.access).await.code(), "invalid_grant");
    for (name, value) in [("origin", "https://evil.test"), ("sec-fetch-site", "cross-site")] {
        let mut foreign = app.browser().with(name, value);
        let answer = foreign.post("/auth/token/refresh", json!({ "refresh_token": tokens.refresh })).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "foreign_request".to_owned()));
    }
    assert_eq!(app.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn rft_08_a_refresh_gives_no_more_than_was_granted() {
    let (app, _) = signed_in().await;
    let tokens = Tokens::of(&app.ask(json!({ "scope": "read" }), ANN).await);
    let bob = app.account(BOB).await;
    let mut body = json!({ "refresh_token": tokens.refresh, "scope": "read write" });
    let answer = app.browser().post("/auth/token/refresh", body.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_scope".to_owned()));
    body = json!({ "refresh_token": tokens.refresh, "aud": "x", "resource": "x", "user_id": bob, "sub": bob, "client_id": "x" });
    let next = Tokens::of(&app.browser().post("/auth/token/refresh", body).await);
    for claim in ["aud", "sub", "scope", "iss", "sid", "auth_time"] {
        assert_eq!(next.claims()[claim], tokens.claims()[claim], "{claim}");
    }
    let wide = app.program(ANN).await;
    let body = json!({ "refresh_token": wide.refresh, "scope": "read" });
    let narrow = Tokens::of(&app.browser().post("/auth/token/refresh", body).await);
    assert_eq!(narrow.claims()["scope"], "read");
    let again = Tokens::of(&app.refresh(&narrow.refresh).await);
    assert_eq!(again.claims()["scope"], "read write", "what was granted stands");
}

#[tokio::test]
async fn jwt_10_whatever_ends_sessions_ends_tokens_at_once() {
    for end in [[% if module.password %]"password", "reset", "email", [% endif %]"others", "disable", "revoke", "revoke --all"] {
        let (app, tokens) = signed_in().await;
        app.account(BOB).await;
        let bobs = app.program(BOB).await;
        let mut ann = app.signed_in(ANN).await;
        let widget = Tokens::of(&ann.post("/auth/token", json!({ "grant": "session" })).await);
        assert!(app.opens(&tokens.access).await && app.opens(&widget.access).await, "{end}");
        match end {
[%- if module.password %]
            "password" => assert_eq!(ann.change(PASSWORD, OTHER).await.status, 200),
            "reset" => {
                let token = app.reset_token(ANN).await;
                assert_eq!(app.browser().reset(&token, OTHER).await.status, 200);
            }
            "email" => {
                assert_eq!(ann.change_email("new@mail.test").await.status, 202);
                let token = app.last_mail("new@mail.test").await.token().expect("a token");
                assert_eq!(ann.confirm_email(&token).await.status, 200);
            }
[%- endif %]
            "others" => assert_eq!(ann.post("/auth/sessions/revoke-others", json!({})).await.status, 200),
            command => {
                let whom = if command == "revoke --all" { "--all" } else { ANN };
                let words = ["auth", command.split(' ').next().expect("a word"), whom].map(str::to_owned);
                assert!(operator::run(&app.auth, words.into_iter()).await.expect("it works"), "{end}");
            }
        }
        assert!(is_dead(&app, &tokens).await && is_dead(&app, &widget).await, "{end}");
        assert_eq!(is_dead(&app, &bobs).await, end == "revoke --all", "{end}");
        if end == "disable" {
            let words = ["auth", "enable", ANN].map(str::to_owned);
            assert!(operator::run(&app.auth, words.into_iter()).await.expect("it works"));
            assert!(is_dead(&app, &tokens).await, "enabled again");
        }
    }
}

#[tokio::test]
async fn jwt_10_the_end_of_one_session_ends_its_own_programs() {
    let (app, tokens) = signed_in().await;
    let mut here = app.signed_in(ANN).await;
    let mut there = app.signed_in(ANN).await;
    let widget = Tokens::of(&there.post("/auth/token", json!({ "grant": "session" })).await);
    let id = there.sessions().await[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(here.delete(&format!("/auth/sessions/{id}")).await.status, 204);
    assert!(is_dead(&app, &widget).await);
    // The epoch has risen: what is out is refused, and the next one is good.
    let next = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert!(app.opens(&next.access).await);
}

#[tokio::test]
async fn rac_05_a_revocation_wins_against_a_refresh() {
    let (app, _) = signed_in().await;
    let other = app.beside(&app.variables).await;
    let mut ann = app.signed_in(ANN).await;
    for round in 0..10 {
        let tokens = app.program(ANN).await;
        let body = json!({ "refresh_token": tokens.refresh });
        let refresh = app.browser().json("/auth/token/refresh", &body);
        let ending = match round % 2 {
            0 => ann.json("/auth/sessions/revoke-others", &json!({})),
            _ => app.browser().json("/auth/token/revoke", &json!({ "token": tokens.refresh })),
        };
        let answers = app.spread(&[other.clone(), app.router.clone()], [refresh, ending]).await;
        assert_eq!(answers[1].status, 200, "{}", answers[1].text);
        if answers[0].status == 200 {
            assert!(is_dead(&app, &Tokens::of(&answers[0])).await, "round {round}");
        }
        assert!(is_dead(&app, &tokens).await, "round {round}");
    }
    assert!(ann.is_signed_in().await);
}

#[tokio::test]
async fn thr_08_a_source_has_so_many_refreshes_a_minute() {
    let app = App::with(&[("AUTH_TOKEN_REFRESH_SOURCE_LIMIT", "5")]).await;
    app.account(ANN).await;
    let tokens = app.program(ANN).await;
    for n in 0..8 {
        for refused in [app.refresh("x").await.status, app.revoke("x").await.status] {
            assert_eq!(refused == 429, n >= 5, "{n}");
        }
    }
    assert_eq!(app.refresh(&tokens.refresh).await.code(), "too_many_requests");
    let body = json!({ "refresh_token": tokens.refresh });
    let elsewhere = app.browser().from([198, 51, 100, 1]).post("/auth/token/refresh", body).await;
    assert_eq!(elsewhere.status, 200);
    let throttled = "SELECT count(*) FROM auth_audit WHERE event = 'throttled'";
    assert_eq!(app.number(throttled).await, 2, "once each");
}

//! Two instances of the application share a database and nothing else.

use super::*;

/// Another instance beside the first.
async fn second(app: &App) -> Router {
    app.beside(&app.variables).await
}

#[tokio::test]
async fn ses_09_a_session_that_ends_on_one_is_dead_on_the_other_at_once() {
    let app = App::new().await;
    let other = second(&app).await;
    let mut here = app.signed_in_account(ANN).await;
    for end in ["revoke one", "revoke others", "logout", "password"] {
        let mut there = app.signed_in(ANN).await.on(&other);
        assert!(here.is_signed_in().await && there.is_signed_in().await, "{end}");
        let id = there.sessions().await[0]["id"].as_str().expect("an id").to_owned();
        let mut ending = here.clone();
        let status = match end {
            "revoke one" => ending.delete(&format!("/auth/sessions/{id}")).await.status,
            "revoke others" => ending.post("/auth/sessions/revoke-others", json!({})).await.status,
            "logout" => there.clone().on(&app.router).post("/auth/logout", json!({})).await.status,
            _ => ending.change(PASSWORD, OTHER).await.status,
        };
        assert!(status.is_success(), "{end} {status}");
        for _ in 0..10 {
            assert!(!there.is_signed_in().await, "{end}");
        }
        here = ending;
    }
    assert!(here.on(&other).is_signed_in().await);
}

#[tokio::test]
async fn thr_06_throttles_count_across_instances() {
    let app = App::new().await;
    let other = second(&app).await;
    app.account(ANN).await;
    let requests = (0..30).map(|n| {
        let browser = app.browser().from([198, 51, 100, n]);
        browser.json("/auth/login", &json!({ "email": ANN, "password": OTHER }))
    });
    let instances = [app.router.clone(), other.clone()];
    let answers = app.spread(&instances, requests.collect::<Vec<_>>()).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(401), count(429)), (5, 25));
    assert_eq!(app.browser().on(&other).login(ANN, PASSWORD).await.status, 429);
    app.sql("UPDATE auth_throttles SET blocked_until = 0").await;
    assert_eq!(app.browser().on(&other).login(ANN, PASSWORD).await.status, 200);

    // THR-02: one source, whichever instance it meets.
    let mut spraying = Vec::new();
    for n in 0..12 {
        let instance = &instances[n % 2];
        let email = format!("someone{n}@mail.test");
        let mut browser = app.browser().from([203, 0, 113, 5]).on(instance);
        spraying.push(browser.login(&email, OTHER).await.status.as_u16());
    }
    assert_eq!(spraying.iter().filter(|status| **status == 401).count(), 10, "{spraying:?}");
}

#[tokio::test]
async fn rac_02_one_token_is_used_up_once_across_instances() {
    let app = App::with(&[("AUTH_TOKEN_SOURCE_LIMIT", "200"), ("AUTH_MAIL_SOURCE_LIMIT", "200")]).await;
    let instances = [app.router.clone(), second(&app).await];
    let id = app.account(ANN).await;
    for round in 0..20 {
        let mut db = app.auth.db().pool().acquire().await.expect("a connection");
        let order = tokens::Order {
            purpose: tokens::Purpose::Reset,
            user_id: &id,
            email: ANN,
            new_email: None,
            browser_hash: None,
            seconds: 60,
        };
        let token = tokens::issue(&mut db, order).await.expect("a token");
        drop(db);
        let requests = (0..20).map(|n| {
            let browser = app.browser().from([198, 51, n, round]);
            let password = format!("{n} {round} quiet herons cross");
            browser.json("/auth/password/reset", &json!({ "token": token, "password": password }))
        });
        let answers = app.spread(&instances, requests.collect::<Vec<_>>()).await;
        let won: Vec<usize> = (0..20).filter(|n| answers[*n].status == 200).collect();
        assert_eq!(won.len(), 1, "round {round}");
        let lost = answers.iter().filter(|answer| answer.code() == "token_invalid").count();
        assert_eq!(lost, 19, "round {round}");
        let password = format!("{} {round} quiet herons cross", won[0]);
        let mut winner = app.browser().from([192, 0, 2, round]).on(&instances[usize::from(round) % 2]);
        assert_eq!(winner.login(ANN, &password).await.status, 200, "round {round}");
    }
    assert_eq!(app.number("SELECT count(*) FROM auth_audit WHERE event = 'password_reset'").await, 20);
    assert_eq!(app.number("SELECT epoch FROM auth_users").await, 20);
}

#[tokio::test]
async fn rac_05_a_revocation_on_one_wins_against_a_login_on_the_other() {
    let app = App::new().await;
    let other = second(&app).await;
    let mut ann = app.signed_in_account(ANN).await;
    for _ in 0..20 {
        let login = app.browser().json("/auth/login", &json!({ "email": ANN, "password": PASSWORD }));
        let revoke = ann.json("/auth/sessions/revoke-others", &json!({}));
        let answers = app.spread(&[other.clone(), app.router.clone()], [login, revoke]).await;
        assert_eq!(answers[1].status, 200);
        // A login that failed has left no session; one that worked has at most its own.
        let left = ann.sessions().await.len();
        assert!(left == 1 || (left == 2 && answers[0].status == 200), "{left} {}", answers[0].status);
        assert_eq!(ann.post("/auth/sessions/revoke-others", json!({})).await.status, 200);
        app.sql("DELETE FROM auth_throttles").await;
    }
    assert_eq!(ann.sessions().await.len(), 1);
}

#[tokio::test]
async fn eml_03_a_link_from_one_works_on_the_other() {
    let app = App::new().await;
    let other = second(&app).await;
    let (browser, token) = app.registered(ANN).await;
    let mut there = browser.clone().on(&other);
    assert_eq!(there.post("/auth/verify", json!({ "token": token })).await.status, 200);
    assert!(browser.on(&app.router).clone().login(ANN, PASSWORD).await.status == 200);
    let reset = app.reset_token(ANN).await;
    assert_eq!(app.browser().on(&other).reset(&reset, OTHER).await.status, 200);
    assert_eq!(app.browser().reset(&reset, OTHER).await.code(), "token_invalid");
}

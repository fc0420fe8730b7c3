use super::*;

#[tokio::test]
async fn reg_01_known_addresses_look_like_new_ones() {
    let app = App::new().await;
    app.account(ANN).await;
    let known = app.browser().register(ANN, OTHER).await;
    let fresh = app.browser().register(BOB, OTHER).await;
    let unconfirmed = app.browser().register(BOB, PASSWORD).await;
    assert_eq!(fresh.status, 202);
    assert_eq!(fresh.shape(), known.shape());
    assert_eq!(fresh.shape(), unconfirmed.shape());
    let names = |answer: &Answer| -> Vec<String> {
        let cookies = answer.set_cookies().into_iter();
        cookies.map(|c| c.split('=').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(&known), [BROWSER], "no session for anybody");
    assert_eq!(names(&known), names(&fresh));
    assert!(app.last_mail(ANN).await.token().is_none(), "a notice without a link");
    assert!(app.mails(BOB).await[0].token().is_some());
    assert_eq!(app.browser().login(ANN, OTHER).await.status, 401);
    // The second registration of an unconfirmed address changed nothing.
    assert_eq!(app.browser().login(BOB, PASSWORD).await.status, 401);
    assert_eq!(app.browser().login(BOB, OTHER).await.code(), "email_unverified");
}

#[tokio::test]
async fn reg_04_asking_for_links_reveals_nothing() {
    let app = App::new().await;
    app.account(ANN).await;
    for path in ["/auth/password/forgot", "/auth/verify/resend"] {
        let known = app.browser().post(path, json!({ "email": ANN })).await;
        let unknown = app.browser().post(path, json!({ "email": BOB })).await;
        assert_eq!(known.status, 202);
        assert_eq!(known.shape(), unknown.shape());
    }
    assert_eq!(app.mails(ANN).await.len(), 1, "a reset; nothing to confirm");
    assert!(app.mails(BOB).await.is_empty());
}

#[tokio::test]
async fn reg_05_only_named_fields_are_read() {
    let app = App::new().await;
    let body = json!({
        "email": ANN, "password": PASSWORD, "verified_at": 1, "email_verified": true, "id": "me",
        "role": "admin", "epoch": 7, "__proto__": { "admin": true },
    });
    assert_eq!(app.browser().post("/auth/register", body).await.status, 202);
    let untouched = "SELECT count(*) FROM auth_users
                     WHERE verified_at IS NULL AND epoch = 0 AND id <> 'me'";
    assert_eq!(app.number(untouched).await, 1);
}

#[tokio::test]
async fn reg_06_no_account_comes_with_the_database() {
    let app = App::new().await;
    assert_eq!(app.number("SELECT count(*) FROM auth_users").await, 0);
    assert_eq!(app.browser().login("admin@example.com", "admin").await.status, 401);
    app.account(ANN).await;
    assert_eq!(app.number("SELECT count(*) FROM auth_users").await, 1);
}

#[tokio::test]
async fn eml_01_an_unconfirmed_address_gets_no_session() {
    let app = App::new().await;
    app.account(ANN).await;
    app.sql("UPDATE auth_users SET verified_at = NULL").await;
    let mut ann = app.browser();
    let answer = ann.login(ANN, PASSWORD).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "email_unverified"));
    assert!(answer.set_cookies().is_empty());
    assert_eq!(app.browser().login(ANN, OTHER).await.code(), "invalid_credentials");
    app.sql("UPDATE auth_users SET verified_at = 1").await;
    assert_eq!(ann.login(ANN, PASSWORD).await.status, 200);
    assert!(ann.is_signed_in().await);
    app.sql("UPDATE auth_users SET verified_at = NULL").await;
    assert!(!ann.is_signed_in().await);
}

#[tokio::test]
async fn eml_02_mailed_tokens_are_random_and_stored_hashed() {
    let app = App::new().await;
    app.account(ANN).await;
    let token = app.reset_token(ANN).await;
    assert_eq!(token.len(), 43, "32 bytes");
    let stored: Vec<u8> = sqlx::query_scalar("SELECT token_hash FROM auth_tokens")
        .fetch_one(app.auth.db().pool())
        .await
        .expect("a row");
    assert_eq!(stored, tokens::hash(&token));
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM auth_tokens WHERE token_hash = $1")
        .bind(token.as_bytes())
        .fetch_one(app.auth.db().pool())
        .await
        .expect("a row");
    assert_eq!(found, 0);
    let again = app.reset_token(ANN).await;
    assert_ne!(token, again);
}

#[tokio::test]
async fn eml_03_a_confirmation_works_once_and_only_the_newest() {
    let app = App::new().await;
    let (mut ann, first) = app.registered(ANN).await;
    assert_eq!(ann.post("/auth/verify/resend", json!({ "email": ANN })).await.status, 202);
    let second = app.last_mail(ANN).await.token().expect("a token");
    assert_ne!(first, second);
    let verify = |token: &str| json!({ "token": token });
    assert_eq!(ann.post("/auth/verify", verify(&first)).await.code(), "token_invalid");
    app.sql("UPDATE auth_tokens SET expires_at = expires_at - 86400").await;
    assert_eq!(ann.post("/auth/verify", verify(&second)).await.code(), "token_invalid");
    app.sql("UPDATE auth_tokens SET expires_at = expires_at + 86400").await;
    assert_eq!(ann.post("/auth/verify", verify(&second)).await.status, 200);
    assert_eq!(ann.post("/auth/verify", verify(&second)).await.code(), "token_invalid");
    // And one resend in three minutes.
    let before = app.mails(ANN).await.len();
    app.sql("UPDATE auth_users SET verified_at = NULL").await;
    assert_eq!(ann.post("/auth/verify/resend", json!({ "email": ANN })).await.status, 202);
    assert_eq!(app.mails(ANN).await.len(), before);
}

#[tokio::test]
async fn eml_04_opening_a_link_changes_nothing() {
    let app = App::new().await;
    let (mut ann, token) = app.registered(ANN).await;
    for _ in 0..3 {
        let page = ann.get(&format!("/auth/verify?token={token}")).await;
        assert_eq!(page.json(), json!({ "status": "ready", "password_required": false }));
    }
    assert_eq!(app.number("SELECT count(*) FROM auth_users WHERE verified_at IS NULL").await, 1);
    assert_eq!(ann.post("/auth/verify", json!({ "token": token })).await.status, 200);
    assert_eq!(app.number("SELECT count(*) FROM auth_users WHERE verified_at IS NULL").await, 0);
    let reset = app.reset_token(ANN).await;
    let page = format!("/auth/password/reset?token={reset}");
    assert_eq!(app.browser().get(&page).await.status, 200);
    assert_eq!(app.browser().get(&page).await.status, 200);
    assert_eq!(app.browser().reset(&reset, OTHER).await.status, 200);
}

#[tokio::test]
async fn eml_05_a_token_is_bound_to_purpose_and_address() {
    let app = App::with(&[("AUTH_TOKEN_SOURCE_LIMIT", "100")]).await;
    app.account(ANN).await;
    let reset = app.reset_token(ANN).await;
    let body = json!({ "token": reset, "password": PASSWORD });
    assert_eq!(app.browser().post("/auth/verify", body).await.code(), "token_invalid");
    let long = "x".repeat(5000);
    for token in [json!(""), json!(null), json!([]), json!({}), json!(0), json!(false), json!(" "),
                  json!(format!("{reset} ")), json!("\0"), json!("%"), json!("_"), json!(long)] {
        let body = json!({ "token": token, "password": OTHER });
        let answer = app.browser().post("/auth/password/reset", body).await;
        assert!(answer.status.is_client_error(), "{token}");
    }
    app.sql("UPDATE auth_users SET email = 'ann@elsewhere.test'").await;
    assert_eq!(app.browser().reset(&reset, OTHER).await.code(), "token_invalid");
    app.sql("UPDATE auth_users SET email = 'ann@mail.test'").await;
    assert_eq!(app.browser().reset(&reset, OTHER).await.status, 200);
}

#[tokio::test]
async fn eml_08_one_plain_address_gets_one_mail() {
    let app = App::new().await;
    app.account(ANN).await;
    for email in [
        json!([ANN, "evil@x.test"]), json!("ann@mail.test,evil@x.test"), json!("ann@mail.test;evil@x.test"),
        json!("ann@mail.test\r\nBcc: evil@x.test"), json!("ann@mail.test%0aCc:evil@x.test"),
        json!("evil@x.test <ann@mail.test>"), json!("\"evil@x.test\"@mail.test"), json!({ "0": ANN }),
    ] {
        let answer = app.browser().post("/auth/password/forgot", json!({ "email": email })).await;
        assert_eq!(answer.status, 422, "{email}");
    }
    assert!(app.mails(ANN).await.is_empty());
    assert_eq!(app.browser().forgot(ANN).await.status, 202);
    assert_eq!(app.mails(ANN).await.len(), 1);
}

#[tokio::test]
async fn oic_21_a_strangers_password_does_not_become_the_owners() {
    let app = App::new().await;
    let (mut mallory, token) = app.registered(ANN).await;
    // The owner of the mailbox follows the link in another browser, not knowing the password.
    let mut owner = app.browser();
    let page = owner.get(&format!("/auth/verify?token={token}")).await;
    assert_eq!(page.json()["password_required"], true);
    let answer = owner.post("/auth/verify", json!({ "token": token })).await;
    assert_eq!(answer.code(), "password_required");
    let guess = json!({ "token": token, "password": OTHER });
    assert_eq!(owner.post("/auth/verify", guess).await.code(), "invalid_credentials");
    assert_eq!(app.number("SELECT count(*) FROM auth_users WHERE verified_at IS NULL").await, 1);
    // A reset proves the mailbox: the stranger's password and link are gone.
    let reset = app.reset_token(ANN).await;
    assert_eq!(owner.reset(&reset, OTHER).await.status, 200);
    assert_eq!(mallory.login(ANN, PASSWORD).await.code(), "invalid_credentials");
    let stale = mallory.post("/auth/verify", json!({ "token": token })).await;
    assert_eq!(stale.code(), "token_invalid");
    assert_eq!(owner.login(ANN, OTHER).await.status, 200);
}

#[tokio::test]
async fn rst_05_only_the_registering_browser_is_signed_in() {
    let app = App::new().await;
    let (mut ann, token) = app.registered(ANN).await;
    let mut elsewhere = app.browser();
    let body = json!({ "token": token, "password": PASSWORD });
    let answer = elsewhere.post("/auth/verify", body.clone()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["signed_in"]), (200, &json!(false)));
    assert!(!elsewhere.is_signed_in().await);

    let token = app.unconfirm(ANN, &ann).await;
    let mut bobs = app.signed_in_account(BOB).await;
    bobs.cookies.extend(ann.cookies.clone());
    let body = json!({ "token": token });
    assert_eq!(bobs.post("/auth/verify", body).await.json()["signed_in"], false);
    assert_eq!(bobs.get("/auth/me").await.json()["email"], BOB);

    let token = app.unconfirm(ANN, &ann).await;
    let answer = ann.post("/auth/verify", json!({ "token": token })).await;
    assert_eq!(answer.json()["signed_in"], true);
    assert!(ann.is_signed_in().await);

    let reset = app.reset_token(ANN).await;
    let mut fresh = app.browser();
    assert_eq!(fresh.reset(&reset, OTHER).await.status, 200);
    assert!(!fresh.is_signed_in().await);
}

impl App {
    /// Takes the confirmation back and issues a token bound to that browser.
    async fn unconfirm(&self, email: &str, browser: &Browser<'_>) -> String {
        self.sql("UPDATE auth_users SET verified_at = NULL WHERE email = 'ann@mail.test'").await;
        let binding = tokens::hash(&browser.cookies[BROWSER]);
        let id = self.text("SELECT id FROM auth_users WHERE email = 'ann@mail.test'").await;
        let mut db = self.auth.db().pool().acquire().await.expect("a connection");
        let order = tokens::Order {
            purpose: tokens::Purpose::Verify,
            user_id: &id,
            email,
            new_email: None,
            browser_hash: Some(&binding),
            seconds: 60,
        };
        tokens::issue(&mut db, order).await.expect("a token")
    }
}

#[tokio::test]
async fn rst_01_a_reset_works_once_and_a_refused_password_keeps_it() {
    let app = App::new().await;
    app.account(ANN).await;
    let token = app.reset_token(ANN).await;
    assert_eq!(app.browser().reset(&token, "short").await.code(), "password_too_short");
    assert_eq!(app.browser().reset(&token, OTHER).await.status, 200);
    assert_eq!(app.browser().reset(&token, PASSWORD).await.code(), "token_invalid");
    assert_eq!(app.browser().login(ANN, OTHER).await.status, 200);
}

#[tokio::test]
async fn rst_02_a_reset_link_expires() {
    let app = App::new().await;
    app.account(ANN).await;
    let token = app.reset_token(ANN).await;
    let left = app.number("SELECT expires_at - created_at FROM auth_tokens").await;
    assert_eq!(left, 1800);
    app.sql("UPDATE auth_tokens SET expires_at = expires_at - 1801").await;
    assert_eq!(app.browser().reset(&token, OTHER).await.code(), "token_invalid");
    app.sql("UPDATE auth_tokens SET expires_at = expires_at + 1801").await;
    assert_eq!(app.browser().reset(&token, OTHER).await.status, 200);
}

#[tokio::test]
async fn rst_03_a_newer_link_voids_the_older() {
    let app = App::new().await;
    app.account(ANN).await;
    let first = app.reset_token(ANN).await;
    let second = app.reset_token(ANN).await;
    assert_eq!(app.browser().reset(&first, OTHER).await.code(), "token_invalid");
    assert_eq!(app.browser().reset(&second, OTHER).await.status, 200);
}

#[tokio::test]
async fn rst_04_links_use_the_configured_address() {
    let app = App::new().await;
    app.account(ANN).await;
    for (name, value) in [
        ("host", "evil.test"), ("x-forwarded-host", "evil.test"), ("forwarded", "host=evil.test"),
        ("x-original-host", "evil.test"), ("x-forwarded-prefix", "/evil.test"),
    ] {
        assert_eq!(app.browser().with(name, value).forgot(ANN).await.status, 202);
    }
    let mails = app.mails(ANN).await;
    assert_eq!(mails.len(), 5);
    for Letter(text) in mails {
        assert!(text.contains("https://app.example.test/auth/password/reset?token="), "{text}");
        assert!(!text.contains("evil"), "{text}");
    }
}

#[tokio::test]
async fn rst_08_changes_are_told_to_the_owner() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    assert_eq!(ann.change(PASSWORD, OTHER).await.status, 200);
    let Letter(text) = app.last_mail(ANN).await;
    assert!(text.contains("was changed") && text.contains("192.0.2.7"), "{text}");
    assert!(!text.contains(OTHER) && !text.contains("token="));
    assert_eq!(app.mails(ANN).await.len(), 1);
}

#[tokio::test]
async fn rst_09_mail_goes_to_the_stored_address() {
    let app = App::new().await;
    app.account("mike@mail.test").await;
    for spelling in ["m\u{131}ke@mail.test", "ｍike@mail.test", "mike@mail.test\u{200b}"] {
        assert_eq!(app.browser().forgot(spelling).await.status, 422, "{spelling}");
    }
    assert_eq!(app.browser().forgot("MIKE@Mail.Test ").await.status, 202);
    assert_eq!(app.mails("mike@mail.test").await.len(), 1);
}

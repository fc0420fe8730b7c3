use super::*;
use crate::auth::operator;

const NEW: &str = "ann@elsewhere.test";

/// Makes the last proof of the password too old for what needs it afresh.
async fn age(app: &App) {
    app.sql("UPDATE auth_sessions SET authenticated_at = authenticated_at - 601").await;
}

#[tokio::test]
async fn ses_13_what_is_sensitive_needs_the_password_afresh() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let mut other = app.signed_in(ANN).await;
    let id = ann.sessions().await[1]["id"].as_str().expect("an id").to_owned();
    age(&app).await;
    let refused = [
        ann.change_email(NEW).await,
        ann.delete(&format!("/auth/sessions/{id}")).await,
        ann.post("/auth/sessions/revoke-others", json!({})).await,
        ann.get("/auth/export").await,
        ann.delete("/auth/account").await,
    ];
    for answer in &refused {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "reauth_required"));
        assert!(!answer.text.contains(ANN));
    }
    assert!(other.is_signed_in().await && app.mails(NEW).await.is_empty());
    assert_eq!(app.number("SELECT count(*) FROM auth_users").await, 1);

    assert_eq!(ann.reauth(OTHER).await.code(), "invalid_credentials");
    assert_eq!(ann.get("/auth/export").await.code(), "reauth_required");
    assert_eq!(ann.reauth(PASSWORD).await.status, 200);
    assert_eq!(ann.get("/auth/export").await.status, 200);
    assert_eq!(ann.change_email(NEW).await.status, 202);
    assert_eq!(other.get("/auth/export").await.code(), "reauth_required", "only where it was given");
}

#[tokio::test]
async fn ses_13_using_a_session_does_not_keep_it_fresh() {
    let app = App::with(&[("AUTH_REAUTH_SECONDS", "100")]).await;
    let mut ann = app.signed_in_account(ANN).await;
    app.sql("UPDATE auth_sessions SET authenticated_at = authenticated_at - 90").await;
    assert_eq!(ann.get("/auth/export").await.status, 200);
    app.sql("UPDATE auth_sessions SET authenticated_at = authenticated_at - 10").await;
    assert!(ann.is_signed_in().await);
    assert_eq!(ann.get("/auth/export").await.code(), "reauth_required");
}

#[tokio::test]
async fn ses_04_and_07_a_reauthentication_begins_a_new_session() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    app.sql("UPDATE auth_sessions SET expires_at = expires_at - 1000").await;
    let (before, end) = (ann.clone(), "SELECT expires_at FROM auth_sessions");
    let old_end = app.number(end).await;
    assert_eq!(ann.reauth(PASSWORD).await.status, 200);
    assert_ne!(ann.session(), before.session());
    assert!(ann.is_signed_in().await && !before.clone().is_signed_in().await);
    assert!(app.number(end).await >= old_end + 999, "the password was given: a new life");
}

/// The trail has a logout only where there was a session to end.
#[tokio::test]
async fn rac_05_what_was_logged_out_at_that_moment_does_not_go_on() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    for round in 0..4 {
        let mut copy = ann.clone();
        let logouts = "SELECT count(*) FROM auth_audit WHERE event = 'logout'";
        let before = app.number(logouts).await;
        let renewed = async {
            if round % 2 == 0 { ann.reauth(PASSWORD).await } else { ann.change(PASSWORD, PASSWORD).await }
        };
        let (_, out) = tokio::join!(renewed, copy.post("/auth/logout", json!({})));
        assert_eq!(out.status, 204);
        let ended = app.number(logouts).await - before;
        assert_eq!(app.number("SELECT count(*) FROM auth_sessions").await + ended, 1);
        app.sql("DELETE FROM auth_sessions").await;
        ann = app.signed_in(ANN).await;
    }
}

#[tokio::test]
async fn thr_08_reauthentication_is_as_hard_to_guess_at_as_a_login() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    for _ in 0..5 {
        assert_eq!(ann.reauth(OTHER).await.code(), "invalid_credentials");
    }
    assert_eq!(ann.reauth(PASSWORD).await.code(), "too_many_requests");
    assert_eq!(app.browser().login(ANN, PASSWORD).await.code(), "too_many_requests", "one counter");
    assert!(ann.is_signed_in().await);
}

#[tokio::test]
async fn eml_06_the_old_address_counts_until_the_new_one_is_proven() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    assert_eq!(ann.change_email(NEW).await.status, 202);
    let link = app.last_mail(NEW).await.token().expect("a link");
    let notice = app.last_mail(ANN).await;
    assert!(notice.token().is_none() && notice.0.contains("another e-mail address"), "{}", notice.0);
    assert_eq!(app.browser().login(NEW, PASSWORD).await.code(), "invalid_credentials");
    app.browser().forgot(NEW).await;
    assert_eq!(app.mails(NEW).await.len(), 1, "only the link");
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 200);

    assert_eq!(ann.get(&format!("/auth/email/confirm?token={link}")).await.json()["email"], NEW);
    assert_eq!(ann.confirm_email(&link).await.status, 200);
    assert_eq!(ann.get("/auth/me").await.json()["email"], NEW);
    assert_eq!(app.browser().login(ANN, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.browser().login(NEW, PASSWORD).await.status, 200);
    let mails = app.mails(ANN).await;
    assert!(mails.last().expect("a notice").0.contains("no longer signs in"));
    app.browser().forgot(ANN).await;
    assert_eq!(app.mails(ANN).await.len(), mails.len(), "nothing for the old address");
}

#[tokio::test]
async fn eml_06_an_address_with_an_account_is_no_different() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    app.account(BOB).await;
    let taken = ann.change_email(BOB).await;
    let free = ann.change_email(NEW).await;
    assert_eq!(taken.shape(), free.shape());
    assert!(app.last_mail(BOB).await.token().is_none());

    // Taken between request and confirmation.
    let link = app.last_mail(NEW).await.token().expect("a link");
    app.account(NEW).await;
    assert_eq!(ann.confirm_email(&link).await.code(), "token_invalid");
    assert_eq!(ann.get("/auth/me").await.json()["email"], ANN);
    app.sql("DELETE FROM auth_users WHERE email = 'ann@elsewhere.test'").await;
    assert_eq!(ann.confirm_email(&link).await.status, 200, "the failure changed nothing");
}

#[tokio::test]
async fn eml_06_a_mistyped_address_does_not_give_the_account_away() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let mut bob = app.signed_in_account(BOB).await;
    ann.change_email(NEW).await;
    let link = app.last_mail(NEW).await.token().expect("a link");
    assert_eq!(app.browser().confirm_email(&link).await.code(), "not_signed_in");
    assert_eq!(bob.confirm_email(&link).await.code(), "token_invalid");
    assert_eq!(bob.get(&format!("/auth/email/confirm?token={link}")).await.code(), "token_invalid");
    assert_eq!(ann.get("/auth/me").await.json()["email"], ANN);
    assert_eq!(ann.confirm_email(&link).await.status, 200);
}

#[tokio::test]
async fn eml_05_a_change_token_serves_one_purpose_and_expires() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    ann.change_email(NEW).await;
    let link = app.last_mail(NEW).await.token().expect("a link");
    let reset = app.reset_token(ANN).await;
    assert_eq!(ann.confirm_email(&reset).await.code(), "token_invalid");
    assert_eq!(app.browser().reset(&link, OTHER).await.code(), "token_invalid");
    let body = json!({ "token": link, "password": PASSWORD });
    assert_eq!(app.browser().post("/auth/verify", body).await.code(), "token_invalid");
    app.sql("UPDATE auth_tokens SET expires_at = created_at WHERE purpose = 'email_change'").await;
    assert_eq!(ann.confirm_email(&link).await.code(), "token_invalid");
    ann.change_email(NEW).await;
    let link = app.last_mail(NEW).await.token().expect("a link");
    assert_eq!(ann.confirm_email(&link).await.status, 200);
    assert_eq!(ann.confirm_email(&link).await.code(), "token_invalid", "once");
    assert_eq!(app.browser().reset(&reset, OTHER).await.code(), "token_invalid", "older links are void");
    ann.change_email(ANN).await;
    let link = app.last_mail(ANN).await.token().expect("a link");
    assert_eq!(ann.confirm_email(&link).await.status, 200);
    assert_eq!(app.browser().reset(&reset, OTHER).await.code(), "token_invalid", "for good");
}

#[tokio::test]
async fn eml_07_a_token_confirms_the_address_it_was_mailed_to() {
    const VICTIM: &str = "victim@elsewhere.test";
    let app = App::with(&[("AUTH_MAIL_SOURCE_LIMIT", "200"), ("AUTH_MAIL_ADDRESS_LIMIT", "20")]).await;
    let ann = app.signed_in_account(ANN).await;
    for _ in 0..10 {
        let ask = |email: &str| ann.json("/auth/email", &json!({ "email": email }));
        let answers = app.parallel([ask(NEW), ask(VICTIM)]).await;
        assert!(answers.iter().all(|answer| answer.status == 202));
    }
    let links: Vec<String> = app.mails(NEW).await.iter().filter_map(Letter::token).collect();
    assert_eq!(links.len(), 10);
    let mut confirmed = ann.clone();
    for link in &links {
        confirmed.confirm_email(link).await;
        let email = confirmed.get("/auth/me").await.json()["email"].clone();
        assert!(email == ANN || email == NEW, "{email}");
    }
    let mut bob = app.signed_in_account(BOB).await;
    bob.change_email(VICTIM).await;
    let link = app.last_mail(VICTIM).await.token().expect("a link");
    assert_eq!(bob.confirm_email(&link).await.json()["email"], VICTIM);
}

#[tokio::test]
async fn eml_08_one_plain_new_address() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    for email in ["a@b.test,evil@x.test", "a@b.test\r\nBcc: evil@x.test", "Evil <a@b.test>", "\"a@b\"@x.test", ""] {
        assert_eq!(ann.change_email(email).await.code(), "email_invalid", "{email}");
    }
    assert_eq!(ann.change_email(" ANN@mail.test ").await.code(), "email_unchanged");
    assert_eq!(app.number("SELECT count(*) FROM auth_tokens").await, 0);
    assert_eq!(ann.change_email(" ANN@elsewhere.test ").await.status, 202);
    assert_eq!(app.mails(NEW).await.len(), 1);
}

#[tokio::test]
async fn ses_10_a_new_address_ends_other_sessions() {
    let app = App::new().await;
    let mut here = app.signed_in_account(ANN).await;
    let mut there = app.signed_in(ANN).await;
    let mut bob = app.signed_in_account(BOB).await;
    here.change_email(NEW).await;
    let link = app.last_mail(NEW).await.token().expect("a link");
    let before = here.clone();
    assert!(there.is_signed_in().await);
    assert_eq!(here.confirm_email(&link).await.status, 200);
    assert!(here.is_signed_in().await);
    assert!(!before.clone().is_signed_in().await, "under a new identifier");
    assert!(!there.is_signed_in().await);
    assert!(bob.is_signed_in().await, "others are not affected");
}

#[tokio::test]
async fn ses_09_sessions_are_listed_and_end_at_once() {
    let app = App::new().await;
    let mut here = app.signed_in_account(ANN).await;
    let mut there = app.signed_in(ANN).await;
    let mut third = app.signed_in(ANN).await;
    let mut bob = app.signed_in_account(BOB).await;
    app.sql("UPDATE auth_sessions SET ip = '192.0.2.9',
             user_agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'")
        .await;
    let sessions = here.sessions().await;
    assert_eq!(sessions.len(), 3);
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    assert_eq!(sessions[0]["device"], "Firefox on Linux");
    assert_eq!(sessions[0]["ip"], "192.0.2.9");
    assert!(sessions[0]["created_at"].is_i64() && sessions[0]["last_seen_at"].is_i64());
    assert_eq!(bob.sessions().await.len(), 1);

    let theirs = there.sessions().await[0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/auth/sessions/{theirs}");
    assert_eq!(bob.delete(&path).await.code(), "session_unknown");
    assert!(there.is_signed_in().await);
    assert_eq!(here.delete(&path).await.status, 204);
    assert!(!there.is_signed_in().await);
    assert_eq!(here.delete(&path).await.code(), "session_unknown");
    assert!(third.is_signed_in().await);
    assert_eq!(here.post("/auth/sessions/revoke-others", json!({})).await.json()["revoked"], 1);
    assert!(!third.is_signed_in().await);
    assert!(here.is_signed_in().await && bob.is_signed_in().await);

    let own = here.sessions().await[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(here.delete(&format!("/auth/sessions/{own}")).await.status, 204);
    assert!(!here.is_signed_in().await);
}

#[tokio::test]
async fn ses_09_a_list_opens_nothing() {
    let app = App::with(&[("AUTH_SESSION_IDLE_SECONDS", "900")]).await;
    let mut ann = app.signed_in_account(ANN).await;
    app.signed_in(ANN).await;
    let list = ann.get("/auth/sessions").await;
    assert!(!list.text.contains(&ann.session()));
    for session in ann.sessions().await {
        for value in session.as_object().expect("fields").values().filter_map(Value::as_str) {
            let mut thief = app.browser();
            thief.cookies.insert(SESSION.to_owned(), value.replace([';', ' '], ""));
            assert!(!thief.is_signed_in().await, "{value}");
        }
    }
    for id in ["%00", "%ff", "..%2f", "'%20OR%20'1'='1", "*", "a/b"] {
        let status = ann.delete(&format!("/auth/sessions/{id}")).await.status;
        assert_eq!(status, 404, "{id}");
    }
    assert_eq!(ann.sessions().await.len(), 2);
    app.sql("UPDATE auth_sessions SET last_seen_at = last_seen_at - 901").await;
    assert_eq!(app.signed_in(ANN).await.sessions().await.len(), 1, "ended ones are not listed");
}

#[tokio::test]
async fn rac_05_a_login_under_way_does_not_survive_revoke_others() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    for _ in 0..10 {
        let login = app.browser().json("/auth/login", &json!({ "email": ANN, "password": PASSWORD }));
        let revoke = ann.json("/auth/sessions/revoke-others", &json!({}));
        let answers = app.parallel([login, revoke]).await;
        assert_eq!(answers[1].status, 200);
        // Before the revocation it ended with the others, after it the password counts again.
        let left = ann.sessions().await.len();
        assert!(left == 1 || (left == 2 && answers[0].status == 200), "{left} {}", answers[0].status);
        assert_eq!(ann.post("/auth/sessions/revoke-others", json!({})).await.status, 200);
    }
    assert_eq!(ann.sessions().await.len(), 1);
}

#[tokio::test]
async fn ses_11_a_deleted_account_leaves_nothing_behind() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let mut there = app.signed_in(ANN).await;
    let mut bob = app.signed_in_account(BOB).await;
    let reset = app.reset_token(ANN).await;
    let answer = ann.delete("/auth/account").await;
    assert_eq!(answer.status, 204);
    assert!(answer.set_cookies().iter().any(|cookie| cookie.contains("Max-Age=0")));
    assert!(!there.is_signed_in().await);
    assert_eq!(app.browser().login(ANN, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.browser().reset(&reset, OTHER).await.code(), "token_invalid");
    let rows = "SELECT (SELECT count(*) FROM auth_sessions) + (SELECT count(*) FROM auth_tokens)
                     + (SELECT count(*) FROM auth_users)";
    assert_eq!(app.number(rows).await, 2, "Bob and his session");
    assert!(bob.is_signed_in().await);
    assert!(app.last_mail(ANN).await.0.contains("was deleted"));
    let trail = "SELECT count(*) FROM auth_audit WHERE event = 'account_deleted'";
    assert_eq!(app.number(trail).await, 1);
    assert_eq!(app.browser().register(ANN, PASSWORD).await.status, 202);
    assert!(app.last_mail(ANN).await.token().is_some(), "the address is free again");
}

#[tokio::test]
async fn an_export_holds_the_users_data_and_no_secret() {
    let app = App::new().await;
    app.account(ANN).await;
    let mut ann = app.browser();
    assert_eq!(ann.login(ANN, PASSWORD).await.status, 200);
    let mut bob = app.signed_in_account(BOB).await;
    assert_eq!(bob.get("/auth/export").await.status, 200);
    let answer = ann.get("/auth/export").await;
    assert!(answer.headers["content-disposition"].to_str().expect("text").starts_with("attachment"));
    let data = answer.json();
    assert_eq!(data["account"]["email"], ANN);
    assert_eq!(data["sessions"].as_array().expect("a list").len(), 1);
    let events: Vec<&str> =
        data["events"].as_array().expect("a list").iter().filter_map(|e| e["event"].as_str()).collect();
    assert!(events.contains(&"session_created") && events.contains(&"data_exported"), "{events:?}");
    for secret in ["argon2", &ann.session(), BOB, PASSWORD] {
        assert!(!answer.text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn sto_03_a_change_of_address_happens_as_a_whole_or_not_at_all() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    ann.change_email(NEW).await;
    let link = app.last_mail(NEW).await.token().expect("a link");
    app.sql(database::BREAK_SESSIONS).await;
    assert_eq!(ann.confirm_email(&link).await.code(), "unavailable");
    assert_eq!(ann.get("/auth/me").await.json()["email"], ANN);
    app.sql(database::MEND).await;
    assert_eq!(ann.confirm_email(&link).await.status, 200, "the token was not used up");
}

#[tokio::test]
async fn csr_02_another_site_can_neither_change_nor_delete() {
    let app = App::new().await;
    let ann = app.signed_in_account(ANN).await;
    let mut foreign = ann.clone().with("origin", "https://evil.test");
    let id = ann.clone().sessions().await[0]["id"].as_str().expect("an id").to_owned();
    let refused = [
        foreign.reauth(PASSWORD).await,
        foreign.change_email(NEW).await,
        foreign.post("/auth/sessions/revoke-others", json!({})).await,
        foreign.delete(&format!("/auth/sessions/{id}")).await,
        foreign.delete("/auth/account").await,
    ];
    assert!(refused.iter().all(|answer| answer.code() == "foreign_request"));
    assert!(ann.clone().is_signed_in().await && app.mails(NEW).await.is_empty());
    assert_eq!(ann.clone().delete("/auth/account").await.status, 204);
}

#[tokio::test]
async fn log_02_the_operator_reads_the_trail() {
    let app = App::new().await;
    app.account(BOB).await;
    let id = app.account(ANN).await;
    app.browser().login(ANN, OTHER).await;
    app.browser().login(BOB, PASSWORD).await;
    let all = operator::trail(&app.auth, None).await.expect("a trail");
    assert_eq!(all.len(), 3);
    assert!(all[0].contains("login") && all[0].contains("failure") && all[0].contains("192.0.2.7"), "{}", all[0]);
    for whom in [ANN, id.as_str()] {
        let hers = operator::trail(&app.auth, Some(whom)).await.expect("a trail");
        assert_eq!(hers.len(), 1);
        assert!(hers[0].contains("invalid_credentials") && hers[0].contains(&id), "{}", hers[0]);
    }
    assert!(operator::trail(&app.auth, Some("nobody@mail.test")).await.is_err());
}

#[tokio::test]
async fn thr_01_a_guess_is_recorded_though_the_client_hangs_up() {
    let app = App::new().await;
    app.account(ANN).await;
    let guess = |password: &str| {
        app.browser().json("/auth/login", &json!({ "email": ANN, "password": password }))
    };
    app.hang_up(guess(OTHER)).await;
    app.until("SELECT failed_logins FROM auth_users", 1).await;
    app.until("SELECT count(*) FROM auth_audit WHERE outcome = 'failure'", 1).await;
    app.hang_up(guess(PASSWORD)).await;
    app.until("SELECT failed_logins FROM auth_users", 0).await;
}

#[tokio::test]
async fn eml_06_the_owner_is_told_though_the_client_hangs_up() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    ann.change_email(NEW).await;
    let link = app.last_mail(NEW).await.token().expect("a link");
    let mails = app.mails(ANN).await.len();
    app.hang_up(ann.json("/auth/email/confirm", &json!({ "token": link }))).await;
    app.until("SELECT count(*) FROM auth_audit WHERE event = 'session_created'", 1).await;
    assert_eq!(app.mails(ANN).await.len(), mails + 1);
}

#[tokio::test]
async fn eml_06_strangers_cannot_use_up_the_notice() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    for _ in 0..6 {
        app.browser().forgot(ANN).await;
    }
    let mails = app.mails(ANN).await.len();
    assert_eq!(mails, 5, "the limit of an address");
    assert_eq!(ann.change_email(NEW).await.status, 202);
    assert!(app.last_mail(ANN).await.0.contains("another e-mail address"));
}

#[tokio::test]
async fn thr_08_changes_and_exports_are_limited() {
    let app = App::with(&[("AUTH_LOGIN_SOURCE_LIMIT", "3"), ("AUTH_TOKEN_SOURCE_LIMIT", "3")]).await;
    let mut ann = app.signed_in_account(ANN).await;
    for _ in 0..3 {
        assert_eq!(ann.change(PASSWORD, "short").await.code(), "password_too_short");
        assert_eq!(ann.get("/auth/export").await.status, 200);
    }
    assert_eq!(ann.change(PASSWORD, "short").await.code(), "too_many_requests");
    assert_eq!(ann.get("/auth/export").await.code(), "too_many_requests");
    assert_eq!(ann.get("/auth/me").await.status, 200);
}

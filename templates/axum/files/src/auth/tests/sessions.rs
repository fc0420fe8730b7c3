use super::*;
use crate::auth::{operator, store};

#[tokio::test]
async fn ses_01_identifiers_are_random_and_long() {
    let mut seen = std::collections::HashSet::new();
    for _ in 0..500 {
        let id = Id::default().to_string();
        assert_eq!(id.len(), 22, "128 bits");
        assert!(seen.insert(id), "twice the same");
    }
}

#[tokio::test]
async fn ses_02_the_database_opens_no_session() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    assert!(ann.is_signed_in().await);
    let id: Id = ann.session().parse().expect("an id");
    let rows = app.number("SELECT count(*) FROM auth_sessions").await;
    assert_eq!(rows, 1);
    let stored: Vec<u8> = sqlx::query_scalar("SELECT id_hash FROM auth_sessions")
        .fetch_one(app.auth.db().pool())
        .await
        .expect("a row");
    assert_eq!(stored, store::hash(&id));
    assert_ne!(stored[..16], id.0.to_le_bytes());
    let bytes = stored[..16].try_into().expect("16 bytes");
    ann.cookies.insert(SESSION.to_owned(), Id(i128::from_le_bytes(bytes)).to_string());
    assert!(!ann.is_signed_in().await);
}

[% if module.password -%]
#[tokio::test]
async fn ses_03_a_login_gets_a_new_identifier() {
    let app = App::new().await;
    app.account(ANN).await;
    app.account(BOB).await;
    let mut browser = app.browser();
    let planted = Id::default().to_string();
    browser.cookies.insert(SESSION.to_owned(), planted.clone());
    assert_eq!(browser.login(ANN, PASSWORD).await.status, 200);
    let first = browser.session();
    assert_ne!(first, planted);
    assert!(browser.is_signed_in().await);
    // As somebody else, in the same browser.
    assert_eq!(browser.login(BOB, PASSWORD).await.status, 200);
    assert_ne!(browser.session(), first);
    assert_eq!(browser.get("/auth/me").await.json()["email"], BOB);
    for dead in [planted, first] {
        let mut browser = app.browser();
        browser.cookies.insert(SESSION.to_owned(), dead);
        assert!(!browser.is_signed_in().await);
    }
    assert_eq!(app.number("SELECT count(*) FROM auth_sessions").await, 1);
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn ses_04_a_password_change_renews_the_identifier() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    app.sql("UPDATE auth_sessions SET expires_at = expires_at - 1000").await;
    let end = app.number("SELECT expires_at FROM auth_sessions").await;
    let before = ann.clone();
    assert_eq!(ann.change(PASSWORD, OTHER).await.status, 200);
    assert_ne!(ann.session(), before.session());
    assert!(ann.is_signed_in().await);
    assert!(!before.clone().is_signed_in().await);
    assert_eq!(app.number("SELECT expires_at FROM auth_sessions").await, end, "SES-07");
}

[% endif -%]
#[tokio::test]
async fn ses_05_only_one_exact_cookie_counts() {
    let app = App::new().await;
    let ann = app.signed_in_account(ANN).await;
    let bob = app.signed_in_account(BOB).await;
    let (a, b) = (ann.session(), bob.session());
    let me = async |cookie: &str| {
        let mut browser = app.browser().with("cookie", cookie);
        browser.get("/auth/me").await
    };
    assert_eq!(me(&format!("x=1; {SESSION}={a}; y=2")).await.json()["email"], ANN);
    let look_alike = format!("{SESSION}={a}; __Host%2Dauth-session={b}; {SESSION} ={b}");
    assert_eq!(me(&look_alike).await.json()["email"], ANN, "look-alikes are ignored");
    for cookie in [
        format!("{SESSION}={a}; {SESSION}={b}"),
        format!("{SESSION}={b};{SESSION}={a}"),
        format!("__host-auth-session={a}"),
        format!("{SESSION} ={a}"),
        format!("__Host%2Dauth-session={a}"),
        format!("auth-session={a}"),
        format!("{SESSION}="),
        format!("{SESSION}={}", "x".repeat(8192)),
    ] {
        assert_eq!(me(&cookie).await.status, 401, "{cookie}");
    }
    let bearer = format!("Bearer {a}");
    for (name, value) in [("authorization", bearer.as_str()), ("x-session-id", &a)] {
        assert_eq!(app.browser().with(name, value).get("/auth/me").await.status, 401);
    }
    let query = format!("/auth/me?session={a}&{SESSION}={a}");
    assert_eq!(app.browser().get(&query).await.status, 401);
}

#[tokio::test]
async fn ses_06_idle_sessions_end() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let idle = [% if profile == "strict" %]900[% elif profile == "consumer" %]604_800[% else %]3_600[% endif %];
    let leave = async |seconds: i64| {
        sqlx::query("UPDATE auth_sessions SET last_seen_at = last_seen_at - $1")
            .bind(seconds)
            .execute(app.auth.db().pool())
            .await
            .expect("a row")
    };
    leave(idle - 10).await;
    assert!(ann.is_signed_in().await);
    leave(idle - 10).await;
    assert!(ann.is_signed_in().await, "being used keeps it alive");
    leave(idle + 1).await;
    let expired = ann.clone();
    assert!(!ann.is_signed_in().await);
    assert!(!expired.clone().is_signed_in().await, "an expired request does not revive it");
}

#[tokio::test]
async fn reading_writes_at_most_once_a_minute() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    app.sql("UPDATE auth_sessions SET last_seen_at = last_seen_at - 30").await;
    let before = app.number("SELECT last_seen_at FROM auth_sessions").await;
    assert!(ann.is_signed_in().await);
    assert_eq!(app.number("SELECT last_seen_at FROM auth_sessions").await, before);
    app.sql("UPDATE auth_sessions SET last_seen_at = last_seen_at - 40").await;
    assert!(ann.is_signed_in().await);
    assert!(app.number("SELECT last_seen_at FROM auth_sessions").await >= before);
}

[% if module.password -%]
#[tokio::test]
async fn ses_07_a_session_ends_however_busy() {
    let app = App::with(&[("AUTH_SESSION_ABSOLUTE_SECONDS", "100")]).await;
    app.account(ANN).await;
    let mut ann = app.browser();
    assert_eq!(ann.login(ANN, PASSWORD).await.status, 200);
    let end = app.number("SELECT expires_at FROM auth_sessions").await;
    assert!((end - crate::auth::db::now() - 100).abs() <= 2);
    assert!(ann.is_signed_in().await);
    assert_eq!(app.number("SELECT expires_at FROM auth_sessions").await, end);
    app.sql("UPDATE auth_sessions SET expires_at = last_seen_at").await;
    assert!(!ann.is_signed_in().await);
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn ses_07_the_profile_says_how_long() {
    let app = App::new().await;
    app.account(ANN).await;
    let mut ann = app.browser();
    assert_eq!(ann.login(ANN, PASSWORD).await.status, 200);
    let life = [% if profile == "strict" %]43_200[% elif profile == "consumer" %]2_592_000[% else %]86_400[% endif %];
    let end = app.number("SELECT expires_at FROM auth_sessions").await;
    assert!((end - crate::auth::db::now() - life).abs() <= 2);
}

[% endif -%]
/// The `Max-Age` of the session cookie that an answer sets.
fn max_age(answer: &Answer) -> Option<i64> {
    let cookies = answer.set_cookies();
    let cookie = cookies.iter().find(|cookie| cookie.starts_with(SESSION)).expect("a session cookie");
    assert!(!cookie.to_lowercase().contains("expires="), "{cookie}");
    let seconds = cookie.split("; ").find_map(|part| part.strip_prefix("Max-Age="))?;
    Some(seconds.parse().expect("a number"))
}

[% if module.password -%]
#[tokio::test]
[% if profile == "consumer" -%]
async fn ses_07_the_cookie_ends_with_the_session() {
    let app = App::with(&[("AUTH_SESSION_ABSOLUTE_SECONDS", "5000")]).await;
    app.account(ANN).await;
    let mut ann = app.browser();
    let age = max_age(&ann.login(ANN, PASSWORD).await).expect("an age");
    assert!((age - 5000).abs() <= 2, "{age}");
    app.sql("UPDATE auth_sessions SET expires_at = expires_at - 1000").await;
    let age = max_age(&ann.change(PASSWORD, OTHER).await).expect("an age");
    assert!((age - 4000).abs() <= 2, "what is left: {age}");
    // The server decides: a browser that keeps the cookie longer is signed out all the same.
    app.sql("UPDATE auth_sessions SET expires_at = last_seen_at").await;
    assert!(!ann.is_signed_in().await);
}
[%- else -%]
async fn ses_07_the_cookie_ends_with_the_browser() {
    let app = App::new().await;
    app.account(ANN).await;
    let mut ann = app.browser();
    assert_eq!(max_age(&ann.login(ANN, PASSWORD).await), None);
    assert_eq!(max_age(&ann.change(PASSWORD, OTHER).await), None);
    assert_eq!(max_age(&ann.post("/auth/logout", json!({})).await), Some(0));
}
[%- endif %]

[% endif -%]
#[tokio::test]
async fn ses_08_logout_ends_it_on_the_server() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let copy = ann.clone();
    assert!(copy.clone().is_signed_in().await);
    let answer = ann.post("/auth/logout", json!({})).await;
    assert_eq!(answer.status, 204);
    assert!(answer.headers["clear-site-data"].to_str().expect("text").contains("\"cookies\""));
    let removal = answer.set_cookies().pop().expect("a cookie");
    for part in ["__Host-auth-session=;", "Max-Age=0", "Path=/", "Secure", "HttpOnly"] {
        assert!(removal.contains(part), "{removal}");
    }
    assert!(!copy.clone().is_signed_in().await);
    assert_eq!(app.number("SELECT count(*) FROM auth_sessions").await, 0);
    assert_eq!(copy.clone().post("/auth/logout", json!({})).await.status, 204, "again");
}

[% if module.password -%]
#[tokio::test]
async fn ses_10_a_new_password_ends_other_sessions_and_links() {
    let app = App::new().await;
    let mut here = app.signed_in_account(ANN).await;
    let mut there = app.signed_in(ANN).await;
    let mut bob = app.signed_in_account(BOB).await;
    let token = app.reset_token(ANN).await;
    assert!(there.is_signed_in().await);
    assert_eq!(here.change(PASSWORD, OTHER).await.status, 200);
    assert!(here.is_signed_in().await);
    assert!(!there.is_signed_in().await);
    assert!(bob.is_signed_in().await, "others are not affected");
    assert_eq!(app.browser().reset(&token, PASSWORD).await.code(), "token_invalid");

    let token = app.reset_token(ANN).await;
    assert_eq!(app.browser().reset(&token, PASSWORD).await.status, 200);
    assert!(!here.is_signed_in().await, "a reset ends every session");
    assert!(bob.is_signed_in().await);
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn ses_11_a_disabled_account_loses_everything() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let token = app.reset_token(ANN).await;
    assert!(ann.is_signed_in().await);
    operate(&app, &["auth", "disable", ANN]).await;
    assert!(!ann.is_signed_in().await);
    assert_eq!(app.browser().login(ANN, PASSWORD).await.code(), "invalid_credentials");
    assert_eq!(app.browser().reset(&token, OTHER).await.code(), "token_invalid");
    let mails = app.mails(ANN).await.len();
    app.browser().forgot(ANN).await;
    assert_eq!(app.mails(ANN).await.len(), mails, "no link for a disabled account");
    operate(&app, &["auth", "enable", ANN]).await;
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 200);
}

[% endif -%]
#[tokio::test]
async fn ses_11_the_state_of_the_account_counts_at_each_request() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    assert!(ann.is_signed_in().await);
    app.sql("UPDATE auth_users SET disabled_at = 1").await;
    assert!(!ann.is_signed_in().await);
}

[% if module.password -%]
#[tokio::test]
async fn ses_12_the_oldest_session_gives_way() {
    let app = App::with(&[("AUTH_SESSIONS_LIMIT", "2")]).await;
    app.account(ANN).await;
    let mut oldest = app.signed_in(ANN).await;
    app.sql("UPDATE auth_sessions SET created_at = created_at - 10").await;
    let mut older = app.signed_in(ANN).await;
    app.sql("UPDATE auth_sessions SET created_at = created_at - 10").await;
    let mut newest = app.browser();
    assert_eq!(newest.login(ANN, PASSWORD).await.status, 200);
    assert!(!oldest.is_signed_in().await);
    assert!(older.is_signed_in().await);
    assert!(newest.is_signed_in().await);
    let events = "SELECT count(*) FROM auth_audit WHERE event = 'session_evicted'";
    assert_eq!(app.number(events).await, 1);
}

[% endif -%]
#[tokio::test]
async fn ses_14_the_guard_refuses_everything_else() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    assert_eq!(ann.get("/guarded").await.status, 200);
    assert_eq!(ann.post("/guarded", json!({})).await.status, 200);
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"] {
        for path in ["/guarded", "/guarded/", "//guarded", "/Guarded", "/%67uarded", "/guarded;a=b", "/guarded.json"] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let mut stranger = app.browser();
            let answer = stranger.send(stranger.request(method, path).body(Body::empty())).await;
            assert!(answer.status.is_client_error(), "{path} {}", answer.status);
            assert!(!answer.text.contains("guarded "), "{path}");
        }
    }
    for name in ["x-forwarded-user", "x-user-id", "remote-user", "x-middleware-subrequest", "x-original-url"] {
        assert_eq!(app.browser().with(name, ANN).get("/guarded").await.status, 401);
    }
    assert_eq!(app.browser().get("/own").await.status, 200, "other routes stay open");
}

#[tokio::test]
async fn ses_14_a_guard_without_attach_refuses() {
    let bare = Router::new().route("/guarded", get(guarded));
    let request = Request::get("/guarded").body(Body::empty()).expect("a request");
    let answer = bare.oneshot(request).await.expect("an answer");
    assert_eq!(answer.status(), 503);
    let app = App::new().await;
    assert_eq!(app.signed_in_account(ANN).await.get("/guarded").await.status, 200);
}

[% if module.password -%]
#[tokio::test]
async fn ses_15_the_operator_ends_sessions() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let mut bob = app.signed_in_account(BOB).await;
    operate(&app, &["auth", "revoke", ANN]).await;
    assert!(!ann.is_signed_in().await);
    assert!(bob.is_signed_in().await);
    operate(&app, &["auth", "revoke", "--all"]).await;
    assert!(!bob.is_signed_in().await);
    let unknown = ["auth", "revoke", "nobody@mail.test"].map(str::to_owned);
    assert!(operator::run(&app.auth, unknown.into_iter()).await.is_err());
    let own = ["serve"].map(str::to_owned);
    assert!(!operator::run(&app.auth, own.into_iter()).await.expect("not ours"));
}

[% endif -%]
async fn operate(app: &App, arguments: &[&str]) {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned());
    assert!(operator::run(&app.auth, arguments).await.expect("a command"));
}

[% if module.password -%]
/// What a login does once it has proven the password of a user with this epoch.
async fn create(app: &App, user_id: &str, epoch: i64) -> Result<(), [= import.tower_sessions =]::session::Error> {
    let grant = store::Grant {
        user_id: user_id.to_owned(),
        epoch,
        auth_time: 1,
        expires_at: crate::auth::db::now() + 100,
[%- if module.oidc %]
        amr: "pwd".to_owned(),
[%- endif %]
        ip: String::new(),
        agent: String::new(),
    };
    let store = std::sync::Arc::new(store::Store::new(&app.auth));
    let session = [= import.tower_sessions =]::Session::new(None, store, None);
    session.insert(store::GRANT, grant).await?;
    session.save().await
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn rac_05_a_login_under_way_does_not_survive_a_revocation() {
    let app = App::new().await;
    let id = app.account(ANN).await;
    assert!(create(&app, &id, 0).await.is_ok());
    operate(&app, &["auth", "revoke", ANN]).await;
    assert!(create(&app, &id, 0).await.is_err(), "the password was proven before the revocation");
    assert!(create(&app, &id, 1).await.is_ok());
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn rac_05_a_login_waits_for_a_revocation_under_way() {
    let app = App::new().await;
    let id = app.account(ANN).await;
    let mut revocation = app.auth.db().write().await.expect("a transaction");
    sqlx::query("UPDATE auth_users SET epoch = epoch + 1").execute(&mut *revocation).await.expect("a row");
    store::end_all(&mut revocation, &id).await.expect("no sessions yet");
    let mut login = std::pin::pin!(create(&app, &id, 0));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut login).await;
    assert!(early.is_err(), "it must not decide on what is about to change");
    revocation.commit().await.expect("a commit");
    assert!(login.await.is_err());
    assert_eq!(app.number("SELECT count(*) FROM auth_sessions").await, 0);
    assert!(create(&app, &id, 1).await.is_ok());
}

[% endif -%]
#[tokio::test]
async fn rac_05_a_touch_does_not_bring_a_session_back() {
    use [= import.tower_sessions =]::SessionStore;
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    assert!(ann.is_signed_in().await);
    let store = store::Store::new(&app.auth);
    let id: Id = ann.session().parse().expect("an id");
    let record = store.load(&id).await.expect("a store").expect("a record");
    store.delete(&id).await.expect("a store");
    store.save(&record).await.expect("a store");
    assert!(!ann.is_signed_in().await);
}

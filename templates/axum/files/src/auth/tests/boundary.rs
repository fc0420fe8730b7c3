use super::*;

/// What a cross-site request looks like, one aspect at a time.
pub const FOREIGN: [(&str, &str); 11] = [
    ("origin", "https://evil.test"),
    ("origin", "null"),
    ("origin", "http://app.example.test"),
    ("origin", "https://app.example.test:444"),
    ("origin", "https://sub.app.example.test"),
    ("origin", "https://app.example.test.evil.test"),
    ("origin", "https://evilapp.example.test"),
    ("referer", "https://evil.test/"),
    ("referer", "https://app.example.test.evil.test/"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
];

#[tokio::test]
async fn csr_02_cross_site_requests_change_nothing() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    for (name, value) in FOREIGN {
        for path in ["/auth/logout", "/auth/password", "/guarded"] {
            let answer = ann.clone().with(name, value).post(path, json!({})).await;
            assert_eq!(answer.code(), "foreign_request", "{path} {name}: {value}");
        }
        assert_eq!(ann.clone().with(name, value).get("/guarded").await.status, 200, "reading");
        assert_eq!(ann.clone().with(name, value).post("/own", json!({})).await.status, 200);
    }
    for path in ["/auth/logout", "/guarded"] {
        let silent = ann.request(Method::POST, path).body(Body::empty());
        assert_eq!(ann.clone().send(silent).await.code(), "foreign_request", "no origin at all");
        let referer = ann.request(Method::POST, path).header("referer", format!("{BASE}/x"));
        let answer = ann.clone().send(referer.body(Body::empty())).await;
        assert_eq!(answer.code(), "foreign_request", "a Referer is not enough");
    }
    for (name, value) in [("origin", BASE), ("sec-fetch-site", "same-origin")] {
        let request = ann.request(Method::POST, "/guarded").header(name, value);
        assert_eq!(ann.clone().send(request.body(Body::empty())).await.status, 200, "{name}");
    }
    assert!(ann.is_signed_in().await);
}

#[tokio::test]
async fn csr_03_so_are_requests_without_a_session() {
    let app = App::new().await;
    app.account(ANN).await;
    let body = json!({ "email": ANN, "password": PASSWORD, "token": "x" });
    for (name, value) in FOREIGN {
        for path in [
            "/auth/login", "/auth/register", "/auth/verify", "/auth/verify/resend",
            "/auth/password/forgot", "/auth/password/reset",
        ] {
            let answer = app.browser().with(name, value).post(path, body.clone()).await;
            assert_eq!(answer.code(), "foreign_request", "{path} {name}: {value}");
            assert!(answer.set_cookies().is_empty());
        }
    }
    assert!(app.mails(ANN).await.is_empty());
    let mut tool = app.browser();
    let request = tool
        .request(Method::POST, "/auth/login")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()));
    assert_eq!(tool.send(request).await.status, 200, "a client that is not a browser");
}

#[tokio::test]
async fn csr_04_safe_methods_do_nothing() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    for path in ["/auth/logout", "/auth/login", "/auth/password", "/auth/register"] {
        assert_eq!(ann.get(path).await.status, 405, "{path}");
        let mut overriding = ann.clone().with("x-http-method-override", "POST");
        assert_eq!(overriding.get(&format!("{path}?_method=POST")).await.status, 405);
    }
    assert!(ann.is_signed_in().await);
    assert_eq!(ann.post("/auth/logout", json!({})).await.status, 204);
    assert!(!ann.is_signed_in().await);
}

#[tokio::test]
async fn csr_05_json_is_declared_as_json() {
    let app = App::new().await;
    app.account(ANN).await;
    for kind in [
        "text/plain", [% if ui == 'api' %]"application/x-www-form-urlencoded", [% endif %]"multipart/form-data", "text/plain; application/json",
        "application/json;charset=utf-16", "application/json; charset=utf-7", "application/problem+json", "",
    ] {
        let mut browser = app.browser().with("content-type", kind);
        assert_eq!(browser.forgot(ANN).await.status, 415, "{kind}");
    }
    let mut twice = app.browser();
    let request = twice
        .request(Method::POST, "/auth/password/forgot")
        .header("content-type", "application/json")
        .header("content-type", "text/plain")
        .body(Body::from(json!({ "email": ANN }).to_string()));
    assert_eq!(twice.send(request).await.status, 415);
    assert!(app.mails(ANN).await.is_empty());
    let mut browser = app.browser().with("content-type", "Application/JSON; charset=UTF-8");
    assert_eq!(browser.forgot(ANN).await.status, 202);
}

#[tokio::test]
async fn csr_06_nothing_is_shared_across_origins() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await.with("origin", "https://evil.test");
    let answer = ann.get("/auth/me").await;
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    let preflight = ann
        .request(Method::OPTIONS, "/auth/login")
        .header("access-control-request-method", "POST");
    let answer = ann.send(preflight.body(Body::empty())).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn inp_01_an_address_has_one_form() {
    let app = App::new().await;
    app.account("alice@mail.test").await;
    for same in ["Alice@Mail.TEST", " alice@mail.test "] {
        assert_eq!(app.browser().login(same, PASSWORD).await.status, 200, "{same}");
    }
    for refused in [
        "alice@mail.test\u{200b}", "alice＠mail.test", "alice@mail。test", "al\u{131}ce@mail.test", "alice@mail.test.",
        "alice@bücher.test", "alice@@mail.test", "@mail.test", "alice@", "alice", "a..b@mail.test", "alice@-x.test",
        "ali ce@mail.test", "alice@mail.test\0", "alice@localhost",
    ] {
        assert_eq!(app.browser().login(refused, PASSWORD).await.code(), "email_invalid", "{refused}");
    }
    assert_eq!(app.browser().login("a.lice@mail.test", PASSWORD).await.status, 401, "dots count");
    let long = format!("{}@mail.test", "a".repeat(65));
    assert_eq!(app.browser().login(&long, PASSWORD).await.code(), "email_invalid");
}

async fn raw(app: &App, body: impl Into<Body>) -> Answer {
    let mut client = app.browser();
    let request = client
        .request(Method::POST, "/auth/password/forgot")
        .header("content-type", "application/json");
    client.send(request.body(body.into())).await
}

#[tokio::test]
async fn inp_02_broken_encodings_are_refused() {
    let app = App::new().await;
    for body in [
        &b"{\"email\":\"ann\xff@mail.test\"}"[..],
        b"{\"email\":\"\xc0\xaf@mail.test\"}",
        b"{\"email\":\"\\ud800@mail.test\"}",
        b"\xff\xfe{\0}\0",
        b"{",
        b"",
    ] {
        let answer = raw(&app, body).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{} {body:?}", answer.status);
    }
    assert_eq!(raw(&app, &b"{\"email\":\"ann@mail.test\"}"[..]).await.status, 202);
    let path = "/auth/verify?token=%ff%fe";
    assert_eq!(app.browser().get(path).await.code(), "token_invalid");
}

#[tokio::test]
async fn inp_03_bodies_and_passwords_are_bounded() {
    let app = App::new().await;
    assert_eq!(raw(&app, "x".repeat(70_000)).await.status, 413);
    let long = "p".repeat(60_000);
    assert_eq!(app.browser().login(ANN, &long).await.code(), "password_too_long");
    let nested = format!("{{\"email\":{}", "[".repeat(10_000));
    assert_eq!(raw(&app, nested).await.code(), "invalid_fields");
    assert_eq!(app.number("SELECT count(*) FROM auth_audit").await, 0, "no guess was evaluated");
    assert_eq!(app.browser().login(ANN, OTHER).await.status, 401);
    assert_eq!(app.number("SELECT count(*) FROM auth_audit").await, 1);
}

#[tokio::test]
async fn inp_03_a_body_that_stalls_is_given_up() {
    use std::io::{Read, Write};
    let impatient = async |request: axum::extract::Request| {
        let read = crate::auth::input::read(request.into_body(), Duration::from_millis(200));
        read.await.map(|bytes| bytes.len().to_string())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().route("/", axum::routing::post(impatient));
    let server = tokio::spawn(async { axum::serve(listener, app).await });
    let ask = async |body: &'static str| {
        let client = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).expect("a connection");
            let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\r\n";
            stream.write_all(format!("{head}{body}").as_bytes()).expect("a request");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        });
        client.await.expect("an answer")
    };
    assert!(ask("full").await.starts_with("HTTP/1.1 200"));
    assert!(ask("ha").await.starts_with("HTTP/1.1 400"));
    server.abort();
}

#[tokio::test]
async fn inp_04_only_strings_pass_as_strings() {
    let app = App::new().await;
    app.account(ANN).await;
    for value in [
        json!({ "$ne": null }), json!([]), json!([ANN]), json!(0), json!(true), json!(null), json!({ "length": 20 }),
    ] {
        for body in [
            json!({ "email": value, "password": PASSWORD }),
            json!({ "email": ANN, "password": value }),
        ] {
            assert_eq!(app.browser().post("/auth/login", body).await.code(), "invalid_fields");
        }
    }
    for body in [json!([ANN, PASSWORD]), json!(ANN), json!(null), json!({})] {
        assert_eq!(app.browser().post("/auth/login", body).await.code(), "invalid_fields");
    }
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn inp_05_a_field_twice_is_refused() {
    let app = App::new().await;
    let twice = format!("{{\"email\":\"{ANN}\",\"email\":\"{BOB}\"}}");
    assert_eq!(raw(&app, twice).await.code(), "invalid_fields");
    assert_eq!(app.browser().get("/auth/verify?token=a&token=b").await.code(), "token_invalid");
    let path = "/auth/login?email=ann@mail.test&password=x";
    assert_eq!(app.browser().post(path, json!({})).await.code(), "invalid_fields");
    assert_eq!(raw(&app, format!("{{\"email\":\"{ANN}\"}}")).await.status, 202);
}

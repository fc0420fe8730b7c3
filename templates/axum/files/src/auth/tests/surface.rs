use std::collections::BTreeSet;

use super::*;

/// Every route in routes.rs: method and path.
fn routes() -> BTreeSet<(Method, &'static str)> {
    let mut found = BTreeSet::new();
    for line in include_str!("../routes.rs").lines() {
        let Some(route) = line.trim().strip_prefix(".route(\"") else { continue };
        let (path, methods) = route.split_once('"').expect("a path");
        if methods.contains("get(") {
            found.insert(("GET", path));
        }
        if methods.contains("post(") {
            found.insert(("POST", path));
        }
        if methods.contains("delete(") {
            found.insert(("DELETE", path));
        }
    }
    assert_eq!(found.len(), [% if module.password %]20[% else %]7[% endif %][% if module.tokens %] + 7[% endif %][% if module.oidc %] + 7[% if 'apple' in providers %] + 1[% endif %][% endif %]);
    // axum 0.7 writes a parameter in another way.
    let path = |path: &'static str| match path {
        "/auth/sessions/:id" => "/auth/sessions/{id}",
[%- if module.tokens %]
        "/auth/devices/:id" => "/auth/devices/{id}",
[%- endif %]
[%- if module.oidc %]
        "/auth/oidc/:provider/start" => "/auth/oidc/{provider}/start",
        "/auth/oidc/:provider/callback" => "/auth/oidc/{provider}/callback",
        "/auth/oidc/:provider/link" => "/auth/oidc/{provider}/link",
        "/auth/oidc/:provider/reauth" => "/auth/oidc/{provider}/reauth",
[%- endif %]
        path => path,
    };
    found.into_iter().map(|(method, at)| (method.parse().expect("a method"), path(at))).collect()
}

[% if module.password -%]
/// One answer of every route to each of: nothing, nonsense, a cross-site request, a wrong method.
async fn answers(app: &App) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for (method, path) in routes() {
        let body = || Body::from("{\"email\":\"ann@mail.test\",\"password\":1}");
        for (kind, origin, method) in [
            ("same-origin", BASE, method.clone()),
            ("foreign", "https://evil.test", method.clone()),
            ("wrong method", BASE, Method::PATCH),
        ] {
            let mut browser = app.browser();
            let request = browser
                .request(method.clone(), path)
                .header("origin", origin)
                .header("accept", "text/html")
                .header("content-type", "application/json");
            let answer = browser.send(request.body(body())).await;
            answers.push((format!("{kind} {method} {path}"), answer));
        }
    }
    answers.push(("forgot".to_owned(), app.browser().forgot(ANN).await));
    let (mut ann, token) = app.unconfirmed(ANN).await;
    let page = format!("/auth/verify?token={token}");
    answers.push(("page".to_owned(), ann.get(&page).await));
    answers.push(("verify".to_owned(), ann.post("/auth/verify", json!({ "token": token })).await));
    answers.push(("me".to_owned(), ann.get("/auth/me").await));
    answers.push(("logout".to_owned(), ann.post("/auth/logout", json!({})).await));
    answers
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn hdr_01_to_04_every_answer_carries_the_headers() {
    let app = App::with(&[("AUTH_TOKEN_SOURCE_LIMIT", "100")]).await;
    let answers = answers(&app).await;
    assert!(answers.iter().filter(|(_, answer)| answer.status.is_success()).count() >= 5);
    for (what, answer) in answers {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ] {
            let values: Vec<_> = answer.headers.get_all(name).iter().collect();
            assert_eq!(values, [value], "{what}: {name}");
        }
        let policy = answer.headers["content-security-policy"].to_str().expect("text");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"] {
            assert!(policy.contains(part), "{what}: {policy}");
        }
        if answer.text.is_empty() {
            continue;
        }
        let expected = if answer.status.is_success() { "application/json" } else { "application/problem+json" };
        assert_eq!(answer.headers["content-type"], expected, "{what}");
        assert!(!answer.json().is_null(), "{what}");
    }
}

[% endif -%]
#[tokio::test]
async fn hdr_01_guarded_answers_are_not_cached() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    assert_eq!(ann.get("/guarded").await.headers["cache-control"], "no-store");
    let refused = app.browser().get("/guarded").await;
    assert_eq!((refused.status.as_u16(), &refused.headers["cache-control"]), (401, &"no-store".parse().expect("a value")));
    assert!(!ann.get("/own").await.headers.contains_key("cache-control"), "not ours");
}

[% if module.password -%]
#[tokio::test]
async fn hdr_05_errors_say_nothing_about_the_inside() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    app.sql("ALTER TABLE auth_users RENAME TO away").await;
    let mut texts = vec![ann.get("/auth/me").await];
    texts.push(app.browser().login(ANN, PASSWORD).await);
    texts.push(app.browser().get("/auth/verify?token=x").await);
    for answer in &texts {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "unavailable"));
    }
    app.sql("ALTER TABLE away RENAME TO auth_users").await;
    texts.extend(answers(&App::new().await).await.into_iter().map(|(_, answer)| answer));
    for answer in texts {
        assert!(!answer.headers.contains_key("server") && !answer.headers.contains_key("x-powered-by"));
        for inside in ["sqlite", "SELECT", "no such", "auth_users", ".rs", "panicked", "serde", "line 1"] {
            assert!(!answer.text.contains(inside), "{}", answer.text);
        }
    }
    assert!(ann.is_signed_in().await, "it goes on");
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn red_01_and_02_no_answer_leads_elsewhere() {
    let app = App::new().await;
    app.account(ANN).await;
    let query = "return_to=https://evil.test&next=//evil.test&redirect_uri=https://evil.test&callbackURL=/\\evil.test";
    let mut browser = app.browser().with("x-forwarded-host", "evil.test");
    let body = json!({ "email": ANN, "password": PASSWORD, "return_to": "https://evil.test" });
    let login = browser.post(&format!("/auth/login?{query}"), body).await;
    assert_eq!(login.status, 200);
    assert!(!login.headers.contains_key("location") && !login.text.contains("evil"));
    for (method, path) in routes() {
        let request = browser.request(method, &format!("{path}?{query}"));
        let answer = browser.clone().send(request.header("host", "evil.test").body(Body::empty())).await;
        assert!(!answer.status.is_redirection(), "{path}");
        assert!(!answer.headers.contains_key("location") && !answer.text.contains("evil"), "{path}");
    }
    // The name that a request claims for this host is not believed either.
    let mut foreign = browser.clone().with("host", "evil.test").with("origin", "https://evil.test");
    assert_eq!(foreign.post("/auth/logout", json!({})).await.code(), "foreign_request");
    assert!(browser.is_signed_in().await);
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn red_03_parameters_are_not_reflected() {
    let app = App::new().await;
    let text = "<script>SENT-7f3a</script>";
    for path in ["/auth/verify", "/auth/password/reset", "/auth/me"] {
        for name in ["token", "error", "message", "status"] {
            let encoded = text.replace('<', "%3C").replace('>', "%3E");
            let answer = app.browser().get(&format!("{path}?{name}={encoded}")).await;
            assert!(answer.status.is_client_error());
            assert!(!answer.text.contains("SENT-7f3a"), "{}", answer.text);
        }
    }
    let body = json!({ "email": text, "token": text, "password": text });
    for path in ["/auth/login", "/auth/verify", "/auth/password/forgot"] {
        let answer = app.browser().post(path, body.clone()).await;
        assert!(answer.status.is_client_error() && !answer.text.contains("SENT"), "{}", answer.text);
    }
    assert_eq!(app.browser().forgot(ANN).await.status, 202);
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn rst_07_the_pages_of_links_leak_nothing() {
    let app = App::new().await;
    app.account(ANN).await;
    let token = app.reset_token(ANN).await;
    let page = app.browser().get(&format!("/auth/password/reset?token={token}")).await;
    assert_eq!((page.status.as_u16(), page.json()), (200, json!({ "status": "ready" })));
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert!(!page.text.contains(&token) && !page.text.contains(ANN));
    let wrong = app.browser().get("/auth/password/reset?token=wrong").await;
    assert_eq!(wrong.code(), "token_invalid");
    assert!(!wrong.text.contains("wrong"));
}

[% endif -%]
[% if module.password -%]
/// The cookies that a registration and a login set.
async fn cookies(app: &App) -> [String; 2] {
    let (mut ann, token) = app.unconfirmed(ANN).await;
    let answer = ann.post("/auth/verify", json!({ "token": token })).await;
    let session = answer.set_cookies().pop().expect("a cookie");
    let browser = app.auth.settings().cookies.browser(&tokens::random::<32>(), 60);
    let browser = browser.expect("a cookie").to_str().expect("text").to_owned();
    [session, browser]
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn cke_01_to_03_cookies_have_every_attribute() {
    let app = App::new().await;
    for cookie in cookies(&app).await {
        let mut parts = cookie.split("; ");
        assert!(parts.next().expect("a pair").starts_with("__Host-auth-"), "{cookie}");
        let parts: Vec<&str> = parts.collect();
        for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(parts.contains(&attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn cke_02_the_value_is_only_in_the_cookie() {
    let app = App::new().await;
    let (mut ann, token) = app.unconfirmed(ANN).await;
    let answer = ann.post("/auth/verify", json!({ "token": token })).await;
    let id = ann.session();
    assert_eq!(id.len(), 22);
    assert!(!answer.text.contains(&id));
    let others = answer.headers.iter().filter(|(name, _)| *name != header::SET_COOKIE);
    assert!(others.into_iter().all(|(_, value)| !value.to_str().expect("text").contains(&id)));
    let me = ann.get("/auth/me").await;
    assert_eq!(me.status, 200);
    assert!(!me.text.contains(&id) && me.set_cookies().is_empty());
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn cke_04_cookies_are_small_and_large_ones_harmless() {
    let app = App::new().await;
    for cookie in cookies(&app).await {
        assert!(cookie.len() < 200, "{cookie}");
    }
    let many: Vec<String> = (0..200).map(|n| format!("c{n}={}", "x".repeat(30))).collect();
    let mut crowd = app.browser().with("cookie", &many.join("; "));
    assert_eq!(crowd.get("/auth/me").await.status, 401);
    assert_eq!(crowd.get("/own").await.status, 200);
}

[% endif -%]
[% if module.password -%]
#[tokio::test]
async fn cke_05_a_value_serves_one_purpose() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let (registering, verify) = app.unconfirmed(BOB).await;
    let reset = app.reset_token(ANN).await;
    for value in [&registering.cookies[BROWSER], &verify, &reset] {
        let mut browser = app.browser();
        browser.cookies.insert(SESSION.to_owned(), value.clone());
        assert!(!browser.is_signed_in().await);
    }
    for token in [&ann.session(), &registering.cookies[BROWSER], &reset] {
        let answer = app.browser().post("/auth/verify", json!({ "token": token })).await;
        assert_eq!(answer.code(), "token_invalid");
    }
    // The session cookie does not mark the registering browser.
    let mut other = app.browser();
    other.cookies.insert(BROWSER.to_owned(), ann.session());
    let answer = other.post("/auth/verify", json!({ "token": verify })).await;
    assert_eq!(answer.code(), "password_required");
    assert!(ann.is_signed_in().await);
}

[% endif -%]
#[tokio::test]
async fn cfg_08_nothing_else_answers() {
    let app = App::new().await;
    for path in [
        "/auth", "/auth/", "/auth/openapi.yaml", "/auth/contract.toml", "/auth/dev/mails", "/auth/_test",
        "/auth/users", "/auth/impersonate", "/auth/admin", "/docs", "/openapi.json", "/metrics", "/debug/pprof",
        "/.env", "/.auth-dev/auth.db",
    ] {
        for method in [Method::GET, Method::POST] {
            let mut browser = app.browser();
            let request = browser.request(method, path).header("origin", BASE);
            assert_eq!(browser.send(request.body(Body::empty())).await.status, 404, "{path}");
        }
    }
    let mut browser = app.browser();
    for method in ["TRACE", "TRACK", "CONNECT"] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = browser.request(method, "/auth/me").header("origin", BASE);
        assert_eq!(browser.send(request.body(Body::empty())).await.status, 405);
    }
    assert_eq!(browser.get("/auth/me").await.status, 401);
}

#[test]
fn cfg_08_openapi_describes_exactly_the_routes() {
    let text = include_str!("../openapi.yaml");
    let (mut described, mut path) = (BTreeSet::new(), "");
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let Some(key) = line.trim().strip_suffix(':') else { continue };
        match (indent, key) {
            (2, key) if key.starts_with('/') => path = key,
            (4, "get" | "post" | "put" | "patch" | "delete") if !path.is_empty() => {
                let method = key.to_uppercase().parse().expect("a method");
                described.insert((method, path));
            }
            _ => {}
        }
    }
    assert_eq!(described, routes());
    let codes = include_str!("../problem.rs").lines().filter_map(|line| {
        let (code, rest) = line.trim().split_once(": ")?;
        (rest.contains(", \"") && rest.ends_with("\";")).then_some(code)
    });
    let codes: Vec<&str> = codes.collect();
    assert!(codes.len() >= [% if module.password %]18[% else %]12[% endif %], "{codes:?}");
    for code in codes {
        assert!(text.contains(&format!("- {code}\n")), "{code} is not in openapi.yaml");
    }
}

#[test]
fn cfg_08_the_contract_names_routes_that_exist() {
    let text = include_str!("../contract.toml");
    let value = |line: &'static str, key: &str| {
        let rest = line.trim().strip_prefix(key)?.trim_start().strip_prefix("= \"")?;
        rest.split('"').next()
    };
    let methods = text.lines().filter_map(|line| value(line, "method"));
    let paths = text.lines().filter_map(|line| value(line, "path"));
    let named: BTreeSet<(Method, &str)> = methods
        .map(|method| method.parse().expect("a method"))
        .zip(paths)
        .filter(|(_, path)| !path.starts_with("/auth/example"))
        .collect();
[%- if module.oidc and 'apple' in providers %]
    // Not a role: it leads to the reading request.
    let mut named = named;
    named.insert((Method::POST, "/auth/oidc/{provider}/callback"));
[%- endif %]
    assert_eq!(named, routes());
[%- if module.oidc %]
    let schema = include_str!("../migrations/0002_identities.sql");
    for table in ["auth_identities", "auth_oidc_transactions"] {
        assert!(text.contains(table) && schema.contains(&format!("CREATE TABLE {table} (")), "{table}");
    }
[%- endif %]
    let schema = include_str!("../migrations/0001_accounts.sql");
    for table in ["auth_users", "auth_sessions", [% if module.password %]"auth_tokens", [% endif %]"auth_throttles", "auth_audit"] {
        assert!(text.contains(table) && schema.contains(&format!("CREATE TABLE {table} (")), "{table}");
    }
}

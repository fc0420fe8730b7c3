use super::{boundary::FOREIGN, *};

pub(super) const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
const FORM: &str = "application/x-www-form-urlencoded";
const NEW: &str = "ann@elsewhere.test";
const SENTINEL: &str = "SENT-4be1 quiet herons cross";

/// What somebody who is not signed in can open, and what takes a session.
const OPEN: [&str; 5] =
    ["/auth/register", "/auth/mailbox", "/auth/verify/resend", "/auth/login", "/auth/password/forgot"];
const SIGNED_IN: [&str; [% if module.oidc %]8[% else %]7[% endif %]] = [
    "/auth/account", "/auth/password", "/auth/email", "/auth/sessions", "/auth/data", "/auth/account/delete",
    "/auth/reauth",[% if module.oidc %] "/auth/identities",[% endif %]
];

fn encoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| [= import.form_urlencoded =]::byte_serialize(text.as_bytes()).collect::<String>();
    let pairs: Vec<String> = fields.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    pairs.join("&")
}

impl Browser<'_> {
    /// Goes to a page, as a browser does.
    pub(super) async fn open(&mut self, path: &str) -> Answer {
        let request = self.request(Method::GET, path).header(header::ACCEPT, HTML);
        self.send(request.body(Body::empty())).await
    }

    /// Sends a form of one of our pages.
    pub(super) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.submit_raw(path, encoded(fields).into_bytes()).await
    }

    async fn submit_raw(&mut self, path: &str, body: Vec<u8>) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header(header::ORIGIN, BASE)
            .header("sec-fetch-site", "same-origin")
            .header(header::ACCEPT, HTML)
            .header(header::CONTENT_TYPE, FORM);
        self.send(request.body(body.into())).await
    }

    async fn sign_in(&mut self, next: &str) -> Answer {
        self.submit("/auth/login", &[("email", ANN), ("password", PASSWORD), ("next", next)]).await
    }
}

impl Answer {
    pub(super) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().expect("text"))
    }

    pub(super) fn is_page(&self) -> bool {
        self.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/html; charset=utf-8")
    }

    /// The start tags of this name.
    fn tags(&self, name: &str) -> Vec<&str> {
        let start = format!("<{name}");
        let rest = self.text.split(&start).skip(1);
        rest.filter(|rest| rest.starts_with([' ', '>'])).filter_map(|rest| rest.split('>').next()).collect()
    }

    fn title(&self) -> &str {
        let (_, rest) = self.text.split_once("<title>").expect("a title");
        rest.split("</title>").next().expect("its end")
    }
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

/// Every page there is, with and without a problem on it.
async fn all_pages(app: &App) -> Vec<(String, Answer)> {
    let mut pages = vec![];
    for path in OPEN {
        pages.push((path.to_owned(), app.browser().open(path).await));
        let refused = app.browser().submit(path, &[("email", "nowhere"), ("password", "x")]).await;
        pages.push((format!("refused {path}"), refused));
    }
    let mut ann = app.signed_in_account(ANN).await;
    for path in SIGNED_IN {
        pages.push((path.to_owned(), ann.open(path).await));
    }
    let refused = ann.submit("/auth/password", &[("current_password", PASSWORD), ("new_password", "short")]).await;
    pages.push(("refused password".to_owned(), refused));
    let (mut bob, verify) = app.unconfirmed(BOB).await;
    pages.push(("verify".to_owned(), bob.open(&format!("/auth/verify?token={verify}")).await));
    pages.push(("verify elsewhere".to_owned(), app.browser().open(&format!("/auth/verify?token={verify}")).await));
    let reset = app.reset_token(ANN).await;
    pages.push(("reset".to_owned(), app.browser().open(&format!("/auth/password/reset?token={reset}")).await));
    ann.submit("/auth/email", &[("email", NEW)]).await;
    let change = app.last_mail(NEW).await.token().expect("a link");
    pages.push(("email confirm".to_owned(), ann.open(&format!("/auth/email/confirm?token={change}")).await));
    pages.push(("link".to_owned(), app.browser().open("/auth/verify?token=wrong").await));
    pages.push(("nowhere".to_owned(), app.browser().open("/auth/nowhere").await));
    pages.push(("method".to_owned(), app.browser().open("/auth/logout").await));
    let foreign = app.browser().with("origin", "null").submit("/auth/login", &[]).await;
    pages.push(("foreign".to_owned(), foreign));
    pages.push(("unreadable".to_owned(), app.browser().submit_raw("/auth/login", b"a=1&a=2".to_vec()).await));
    pages
}

fn roomy() -> [(&'static str, &'static str); 2] {
    [("AUTH_TOKEN_SOURCE_LIMIT", "200"), ("AUTH_LOGIN_SOURCE_LIMIT", "300")]
}

#[tokio::test]
async fn csr_02_forms_of_other_sites_change_nothing() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let other = app.signed_in(ANN).await;
    let id = ann.sessions().await[1]["id"].as_str().expect("an id").to_owned();
    let fields = [
        ("email", NEW), ("current_password", PASSWORD), ("new_password", OTHER), ("password", PASSWORD),
        ("confirmed", "yes"),
    ];
    for (name, value) in FOREIGN {
        for path in [
            "/auth/logout", "/auth/password", "/auth/email", "/auth/reauth", "/auth/account/delete",
            "/auth/sessions/revoke-others", &format!("/auth/sessions/{id}/revoke"), "/guarded",
        ] {
            let answer = ann.clone().with(name, value).submit(path, &fields).await;
            assert_eq!(answer.status, 403, "{path} {name}: {value}");
            assert!(answer.is_page() && answer.set_cookies().is_empty(), "{path}");
            assert_eq!(answer.title(), "The request was stopped – acmeportal");
        }
    }
    assert!(ann.is_signed_in().await && other.clone().is_signed_in().await);
    assert!(app.mails(NEW).await.is_empty());
    assert_eq!(ann.submit("/auth/sessions/revoke-others", &[]).await.status, 303);
    assert!(!other.clone().is_signed_in().await);
    assert_eq!(ann.submit("/auth/logout", &[]).await.location(), "/auth/login?done=signed-out");
    assert!(!ann.is_signed_in().await);
}

#[tokio::test]
async fn csr_03_so_do_forms_without_a_session() {
    let app = App::new().await;
    app.account(ANN).await;
    let fields = [("email", ANN), ("password", PASSWORD), ("token", "x")];
    for (name, value) in FOREIGN {
        for path in [
            "/auth/login", "/auth/register", "/auth/verify", "/auth/verify/resend", "/auth/password/forgot",
            "/auth/password/reset",
        ] {
            let answer = app.browser().with(name, value).submit(path, &fields).await;
            assert_eq!(answer.status, 403, "{path} {name}: {value}");
            assert!(answer.set_cookies().is_empty());
        }
    }
    let mut silent = app.browser();
    let request = silent.request(Method::POST, "/auth/login").header(header::CONTENT_TYPE, FORM);
    let answer = silent.send(request.body(Body::from(encoded(&fields)))).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (403, 0), "no browser sends a form like that");
    assert!(app.mails(ANN).await.is_empty());
    let answer = app.browser().submit("/auth/login", &fields).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (303, 1));
}

#[tokio::test]
async fn csr_04_and_eml_04_opening_a_page_changes_nothing() {
    let app = App::with(&roomy()).await;
    let (mut ann, token) = app.unconfirmed(ANN).await;
    for _ in 0..3 {
        assert_eq!(ann.open(&format!("/auth/verify?token={token}")).await.status, 200);
    }
    assert_eq!(app.number("SELECT count(*) FROM auth_users WHERE verified_at IS NOT NULL").await, 0);
    let answer = ann.submit("/auth/verify", &[("token", &token)]).await;
    assert_eq!(answer.location(), "/auth/account?done=address-confirmed");
    let mut bob = app.signed_in_account(BOB).await;
    for path in [
        "/auth/logout", "/auth/sessions/revoke-others", "/auth/account/delete?confirmed=yes",
        "/auth/password?current_password=x&new_password=y", "/auth/logout?_method=POST",
    ] {
        let status = bob.open(path).await.status.as_u16();
        assert!(matches!(status, 200 | 405), "{path}: {status}");
    }
    assert!(ann.is_signed_in().await && bob.is_signed_in().await);
}

#[tokio::test]
async fn csr_05_a_form_is_never_read_as_json() {
    let app = App::new().await;
    app.account(ANN).await;
    let mut browser = app.browser().with("content-type", FORM);
    let answer = browser.forgot(ANN).await;
    assert_eq!(answer.status, 422, "JSON in a form");
    let form = encoded(&[("email", ANN), ("password", PASSWORD)]);
    for kind in ["application/json", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded-x"] {
        let mut browser = app.browser().with("content-type", kind);
        let answer = browser.submit_raw("/auth/login", form.clone().into_bytes()).await;
        assert!(matches!(answer.status.as_u16(), 400 | 415 | 422), "{kind}");
        assert!(!answer.is_page() && answer.set_cookies().is_empty(), "{kind}");
    }
    assert!(app.mails(ANN).await.is_empty());
    let mut browser = app.browser().with("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(browser.submit_raw("/auth/login", form.into_bytes()).await.status, 303);
}

#[test]
fn cfg_08_the_contract_names_the_pages_without_a_role() {
    let paths = |text: &'static str, mark| -> Vec<&str> {
        let rests = text.split(mark).skip(1);
        rests.filter_map(|rest| rest.split('"').next()).collect()
    };
    let pages = paths(include_str!("../pages/mod.rs"), "        (\"");
    let roles = paths(include_str!("../routes.rs"), ".route(\"");
    let contract = include_str!("../contract.toml").replace("{id}", "[% if dep.axum.version == "0.7" %]:id[% else %]{id}[% endif %]");
[%- if module.oidc and dep.axum.version == "0.7" %]
    let contract = contract.replace("{provider}", ":provider");
[%- endif %]
    let alone: Vec<_> = pages.iter().filter(|page| !roles.contains(page)).collect();
    assert_eq!((pages.len(), alone.len()), [% if module.tokens and module.oidc %](24, 6)[% elif module.oidc %](23, 5)[% elif module.tokens %](19, 5)[% else %](18, 4)[% endif %]);
    assert!(alone.iter().all(|page| contract.contains(&format!("path = \"{page}\""))), "{alone:?}");
}

#[tokio::test]
async fn hdr_01_to_04_every_page_carries_the_headers() {
    use [= import.sha2 =]::Digest;
    let app = App::with(&roomy()).await;
    let pages = all_pages(&app).await;
    assert!(pages.iter().filter(|(_, page)| page.status == 200).count() >= 15);
    for (what, page) in pages {
        assert!(page.is_page(), "{what}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ] {
            let values: Vec<_> = page.headers.get_all(name).iter().collect();
            assert_eq!(values, [value], "{what}: {name}");
        }
        let (_, style) = page.text.split_once("<style>").expect("a style sheet");
        let style = style.split("</style>").next().expect("its end");
        let hash = [= import.sha2 =]::Sha256::digest(style.as_bytes());
        let hash = [= import.base64 =]::Engine::encode(&[= import.base64 =]::engine::general_purpose::STANDARD, hash);
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        assert_eq!(page.headers["content-security-policy"], policy, "{what}");
        assert!(!page.text.contains("<script") && !page.text.contains("javascript:"), "{what}");
        for tag in ["a", "form", "input", "button", "img", "link"].iter().flat_map(|name| page.tags(name)) {
            assert!(!tag.contains(" on") && !tag.contains(" style="), "{what}: {tag}");
            for target in ["href", "src", "action"].iter().filter_map(|name| attribute(tag, name)) {
                let is_local = target.starts_with('#') || (target.starts_with('/') && !target.starts_with("//"));
                assert!(is_local, "{what}: {target}");
            }
        }
    }
}

#[tokio::test]
async fn hdr_03_pages_are_for_those_who_ask_for_pages() {
    let app = App::new().await;
    for (accept, is_page) in [
        (HTML, true),
        ("text/html", true),
        ("text/html;q=0.5, application/json;q=0.4", true),
        ("TEXT/HTML ; q=0.9", true),
        ("application/json", false),
        ("*/*", false),
        ("application/json, text/html;q=0.9", false),
        ("application/json, text/plain, */*", false),
        ("text/html;q=0", false),
        ("text/html;q=x", false),
        ("", false),
    ] {
        let answer = app.browser().with("accept", accept).get("/auth/verify?token=x").await;
        assert_eq!((answer.status.as_u16(), answer.is_page()), (400, is_page), "{accept}");
        let kind = if is_page { "text/html; charset=utf-8" } else { "application/problem+json" };
        assert_eq!(answer.headers["content-type"], kind, "{accept}");
        let guarded = app.browser().with("accept", accept).get("/guarded").await;
        assert_eq!(guarded.status, if is_page { 303 } else { 401 }, "{accept}");
    }
    let mut ann = app.signed_in_account(ANN).await;
    assert_eq!(ann.open("/auth/me").await.headers["content-type"], "application/json", "has no page");
}

/// Paths that lead elsewhere in some reading (RED-01), and one that is too long.
fn elsewhere() -> Vec<String> {
    let mut targets: Vec<String> = [
        "https://evil.test", "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "/%5cevil.test",
        "/%2f/evil.test", "/%09/evil.test", "/\t/evil.test", "/\n/evil.test", "http:evil.test", "https:/evil.test",
        "https:evil.test", "javascript:alert(1)", "data:text/html,x", "https://app.example.test.evil.test",
        "https://app.example.test@evil.test", "//app.example.test@evil.test", "/..//evil.test", "/.//evil.test",
        "/a/%2e%2e//evil.test", "／／evil.test", " //evil.test", "/a b", "/a\r\nset-cookie: x=1", "", "evil.test",
        "/%2E%2E/evil.test", "/a?b=\\", "?a", "#a", "/\0",
    ]
    .map(str::to_owned)
    .into();
    targets.push(format!("/{}", "a".repeat(10_000)));
    targets
}

#[tokio::test]
async fn red_01_the_way_back_stays_on_this_site() {
    let app = App::with(&[("AUTH_LOGIN_SOURCE_LIMIT", "300"), ("AUTH_HOME_PATH", "/start")]).await;
    app.account(ANN).await;
    for target in elsewhere() {
        let query = encoded(&[("next", &target)]);
        let page = app.browser().open(&format!("/auth/login?{query}")).await;
        let names: Vec<_> = page.tags("input").into_iter().filter_map(|tag| attribute(tag, "name")).collect();
        assert_eq!(names, ["email", "password"], "{target}");
        assert!(!page.text.contains("evil"), "{target}");
        assert_eq!(app.browser().sign_in(&target).await.location(), "/start", "{target}");
        // The limit on sessions may have ended the one before.
        let mut ann = app.signed_in(ANN).await;
        assert_eq!(ann.open(&format!("/auth/login?{query}")).await.location(), "/start", "{target}");
        let fields = [("password", PASSWORD), ("next", target.as_str())];
        assert_eq!(ann.submit("/auth/reauth", &fields).await.location(), "/start", "{target}");
    }
    for target in ["/settings?x=1#y", "/", "/a/", "/guarded?next=//evil.test", "/%C3%A9/x.html", "/a?b=%2F%0A"] {
        let page = app.browser().open(&format!("/auth/login?{}", encoded(&[("next", target)]))).await;
        let carried = page.tags("input").into_iter().find(|tag| attribute(tag, "name") == Some("next"));
        assert_eq!(carried.and_then(|tag| attribute(tag, "value")), Some(target));
        assert_eq!(app.browser().sign_in(target).await.location(), target);
        let mut ann = app.signed_in(ANN).await;
        assert_eq!(ann.open(&format!("/auth/login?{}", encoded(&[("next", target)]))).await.location(), target);
    }
    let twice = app.browser().open("/auth/login?next=/a&next=/b").await;
    assert!(!twice.text.contains("name=\"next\""));
    let list = app.browser().open("/auth/login?next[]=/a").await;
    assert!(!list.text.contains("name=\"next\""));
    assert_eq!(app.browser().submit_raw("/auth/login", b"next=/a&next=/b".to_vec()).await.status, 422);
}

#[tokio::test]
async fn red_01_the_guard_leads_back_to_what_was_to_be_read() {
    let app = App::new().await;
    app.account(ANN).await;
    let mut ann = app.browser();
    let answer = ann.open("/guarded?x=1&y=//evil.test").await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.location(), "/auth/login?next=%2Fguarded%3Fx%3D1%26y%3D%2F%2Fevil.test");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let sent = ann.submit("/guarded", &[("x", "1")]).await;
    assert_eq!((sent.status.as_u16(), sent.location()), (303, "/auth/login?done=sign-in-again"));
    assert_eq!(ann.sign_in("/guarded?x=1").await.location(), "/guarded?x=1");
    assert_eq!(ann.open("/guarded?x=1").await.status, 200);
    assert_eq!(ann.submit("/guarded", &[]).await.status, 200);
    assert_eq!(ann.get("/own").await.text, "own");
}

#[test]
fn red_01_the_home_path_is_checked_at_the_start() {
    let mut given = variables();
    for target in elsewhere().into_iter().filter(|target| !target.trim().is_empty()) {
        given.insert("AUTH_HOME_PATH", target.clone());
        let trimmed = target.trim() != target && target.trim().starts_with("/a");
        match read(&given) {
            Err(StartError::Setting { name, .. }) => assert_eq!(name, "AUTH_HOME_PATH"),
            Err(error) => panic!("{target}: {error}"),
            Ok(_) => assert!(trimmed, "{target}"),
        }
    }
    given.insert("AUTH_HOME_PATH", "/dashboard?tab=1".to_owned());
    assert_eq!(read(&given).expect("settings").home_path, "/dashboard?tab=1");
    given.remove("AUTH_HOME_PATH");
    assert_eq!(read(&given).expect("settings").home_path, "/auth/account");
}

#[tokio::test]
async fn red_02_what_was_posted_is_not_posted_again() {
    let app = App::new().await;
    app.account(ANN).await;
    let mut ann = app.browser();
    let mut answers = vec![
        ann.sign_in("").await,
        ann.submit("/auth/reauth", &[("password", PASSWORD)]).await,
        ann.submit("/auth/password", &[("current_password", PASSWORD), ("new_password", OTHER)]).await,
    ];
    let token = app.reset_token(ANN).await;
    answers.push(app.browser().submit("/auth/password/reset", &[("token", &token), ("password", PASSWORD)]).await);
    answers.push(app.browser().submit("/auth/register", &[("email", BOB), ("password", PASSWORD)]).await);
    answers.push(app.browser().submit("/auth/password/forgot", &[("email", BOB)]).await);
    for answer in answers {
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (303, ""), "{}", answer.location());
        let (path, query) = answer.location().split_once('?').unwrap_or((answer.location(), ""));
        assert!(["/auth/account", "/auth/login", "/auth/mailbox"].contains(&path), "{path}");
        assert!(["", "done=password-changed"].contains(&query), "{query}");
    }
}

#[tokio::test]
async fn red_03_and_inp_06_nothing_is_rendered_as_markup() {
    let app = App::with(&roomy()).await;
    let mut ann = app.signed_in_account(ANN).await;
    for attack in [
        "\"><svg onload=alert(1)>", "<script>SENT</script>", "'><img src=x onerror=1>", "{{1234*5678}}", "${1234*5678}",
        "<%= 1234*5678 %>", "x\r\nset-cookie: a=b",
    ] {
        let query = encoded(&[("done", attack), ("next", &format!("/{attack}")), ("token", attack), ("error", attack)]);
        let mut answers = vec![];
        for path in OPEN.iter().chain(&["/auth/verify", "/auth/password/reset", "/auth/nowhere"]) {
            answers.push(app.browser().open(&format!("{path}?{query}")).await);
        }
        for path in SIGNED_IN.iter().chain(&["/auth/email/confirm"]) {
            answers.push(ann.open(&format!("{path}?{query}")).await);
        }
        for path in ["/auth/login", "/auth/register", "/auth/password/forgot", "/auth/verify/resend"] {
            let fields = [("email", attack), ("password", attack), ("token", attack), ("next", attack)];
            let answer = app.browser().submit(path, &fields).await;
            let kept = answer.tags("input").into_iter().find_map(|tag| attribute(tag, "value"));
            assert!(kept.is_some() && !kept.is_some_and(|kept| kept.contains(['<', '"'])), "the address is kept");
            answers.push(answer);
        }
        let device = attack.replace(['\r', '\n'], " ");
        let mut phone = app.browser().with("user-agent", &device);
        phone.sign_in("").await;
        answers.push(phone.open("/auth/sessions").await);
        for answer in answers {
            assert!(answer.is_page(), "{attack}");
            for raw in ["<svg", "<script", "<img", "<%=", "7006652"] {
                let body = answer.text.split_once("<body").expect("a body").1;
                assert!(!body.contains(raw), "{attack}: {body}");
            }
            assert!(answer.set_cookies().is_empty());
        }
        app.sql("DELETE FROM auth_sessions WHERE user_agent <> ''").await;
        app.sql("DELETE FROM auth_throttles").await;
    }
    let said = app.browser().open("/auth/login?done=account-deleted").await;
    assert!(said.text.contains("Your account is deleted."), "known codes are told");
}

#[tokio::test]
async fn pwd_10_passwords_are_never_put_back() {
    let app = App::with(&roomy()).await;
    let mut ann = app.signed_in_account(ANN).await;
    let reset = app.reset_token(ANN).await;
    let email = [("email", ANN), ("password", SENTINEL)];
    let mut answers = vec![
        app.browser().submit("/auth/login", &email).await,
        app.browser().submit("/auth/login", &[("email", "x"), ("password", SENTINEL)]).await,
        app.browser().submit("/auth/register", &[("email", "x"), ("password", SENTINEL)]).await,
        app.browser().submit("/auth/register", &[("email", SENTINEL), ("password", "")]).await,
        ann.submit("/auth/reauth", &[("password", SENTINEL)]).await,
        ann.submit("/auth/password", &[("current_password", SENTINEL), ("new_password", SENTINEL)]).await,
        ann.submit("/auth/password", &[("current_password", SENTINEL), ("new_password", "")]).await,
        app.browser().submit("/auth/password/reset", &[("token", "x"), ("password", SENTINEL)]).await,
    ];
    let long = format!("{SENTINEL}{}", "x".repeat(300));
    answers.push(app.browser().submit("/auth/password/reset", &[("token", &reset), ("password", &long)]).await);
    answers.push(app.browser().submit_raw("/auth/login", format!("password={SENTINEL}&password=x").into()).await);
    for (at, answer) in answers.iter().enumerate() {
        assert!(answer.is_page() && answer.status.is_client_error(), "{at}: {}", answer.status);
        // Typed into the field of the address, it is kept like an address.
        assert_eq!(answer.text.contains("SENT-4be1"), at == 3, "{at}");
        for tag in answer.tags("input").iter().filter(|tag| attribute(tag, "type") == Some("password")) {
            assert_eq!(attribute(tag, "value"), None);
        }
        assert!(answer.headers.values().all(|value| !value.to_str().expect("text").contains("SENT-4be1")));
    }
    assert!(app.mails(ANN).await.iter().all(|mail| !mail.0.contains("SENT-4be1")));
    let done = app.browser().submit("/auth/password/reset", &[("token", &reset), ("password", SENTINEL)]).await;
    assert_eq!((done.status.as_u16(), done.text.as_str()), (303, ""));
}

#[tokio::test]
async fn pwd_11_password_managers_find_their_fields() {
    let app = App::with(&roomy()).await;
    let rules_say = format!("At least {} characters", app.auth.settings().policy.password_min);
    let mut seen = std::collections::BTreeSet::new();
    for (what, page) in all_pages(&app).await {
        let inputs = page.tags("input");
        let completes: Vec<_> = inputs.iter().filter_map(|tag| attribute(tag, "autocomplete")).collect();
        for tag in inputs.iter().filter(|tag| attribute(tag, "type") == Some("password")) {
            assert!(!tag.contains("maxlength") && !tag.contains("pattern"), "{what}");
            let kind = attribute(tag, "autocomplete").expect("a kind");
            assert!(["current-password", "new-password"].contains(&kind), "{what}: {kind}");
            assert!(completes.contains(&"username"), "{what} says whose password it is");
            if kind == "new-password" {
                let described = attribute(tag, "aria-describedby").expect("the rules").split(' ').next();
                let rules = page.text.find(&format!("id=\"{}\"", described.expect("an id"))).expect("the rules");
                assert!(rules < page.text.find(tag).expect("the field"), "{what}: rules come first");
                assert!(page.text.contains(&rules_say), "{what}");
            }
            seen.insert(kind.to_owned());
        }
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn rst_07_the_pages_of_links_leak_nothing() {
    let app = App::new().await;
    app.account(ANN).await;
    let token = app.reset_token(ANN).await;
    let (mut bob, verify) = app.unconfirmed(BOB).await;
    let reset_page = app.browser().open(&format!("/auth/password/reset?token={token}")).await;
    let verify_page = bob.open(&format!("/auth/verify?token={verify}")).await;
    for (page, token) in [(&reset_page, &token), (&verify_page, &verify)] {
        assert_eq!((page.status.as_u16(), &page.headers["referrer-policy"]), (200, &"no-referrer".parse().expect("a value")));
        assert_eq!(page.tags("meta").into_iter().filter(|tag| attribute(tag, "content") == Some("strict-origin")).count(), 1);
        assert_eq!(page.text.matches(token.as_str()).count(), 1, "only in the form");
        let hidden = page.tags("input").into_iter().find(|tag| attribute(tag, "type") == Some("hidden"));
        assert_eq!(hidden.and_then(|tag| attribute(tag, "value")), Some(token.as_str()));
        assert!(page.tags("a").into_iter().all(|tag| attribute(tag, "href").is_some_and(|to| to.starts_with(['/', '#']))));
    }
    let wrong = app.browser().open("/auth/password/reset?token=SENT-wrong").await;
    assert_eq!((wrong.status.as_u16(), wrong.text.contains("SENT-wrong")), (400, false));
    assert!(wrong.text.contains("<h1>This link does not work any more</h1>"));
    // A password that is refused leaves the link as it was.
    let refused = app.browser().submit("/auth/password/reset", &[("token", &token), ("password", "short")]).await;
    assert_eq!((refused.status.as_u16(), refused.text.matches(&token).count()), (422, 1));
    let done = app.browser().submit("/auth/password/reset", &[("token", &token), ("password", OTHER)]).await;
    assert_eq!(done.location(), "/auth/login?done=password-changed");
}

#[tokio::test]
async fn inp_02_and_03_forms_are_readable_and_small() {
    let app = App::new().await;
    app.account(ANN).await;
    for body in [&b"email=ann%ff@mail.test"[..], b"email=\xc0\xaf@mail.test", b"em%ffail=x", b"email=%ed%a0%80"] {
        assert_eq!(app.browser().submit_raw("/auth/password/forgot", body.to_vec()).await.status, 422, "{body:?}");
    }
    let broken = b"email=ann@mail.test&password=seven+Quiet+herons+cross%ff".to_vec();
    assert_eq!(app.browser().submit_raw("/auth/login", broken).await.status, 422);
    assert_eq!(app.number("SELECT count(*) FROM auth_audit").await, 0, "no guess was evaluated");
    for body in ["", "email", "email=", "=", "&&&", "email=ann%00@mail.test"] {
        assert_eq!(app.browser().submit_raw("/auth/password/forgot", body.into()).await.status, 422, "{body}");
    }
    let large = app.browser().submit_raw("/auth/password/forgot", vec![b'x'; 70_000]).await;
    assert_eq!((large.status.as_u16(), large.is_page()), (413, true));
    assert!(app.mails(ANN).await.is_empty());
    assert_eq!(app.browser().submit("/auth/password/forgot", &[("email", ANN)]).await.status, 303);
    assert_eq!(app.mails(ANN).await.len(), 1);
}

#[tokio::test]
async fn inp_05_a_field_twice_is_refused() {
    let app = App::new().await;
    app.account(ANN).await;
    let body = encoded(&[("email", ANN), ("password", PASSWORD)]);
    for extra in ["email=bob@mail.test", "password=x", "email=ann@mail.test", "a=1&a=1"] {
        for body in [format!("{body}&{extra}"), format!("{extra}&{body}")] {
            let answer = app.browser().submit_raw("/auth/login", body.into()).await;
            assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (422, 0), "{extra}");
        }
    }
    let answer = app.browser().submit(&format!("/auth/login?{body}"), &[]).await;
    assert_eq!((answer.status.as_u16(), answer.text.contains("value=\"ann")), (422, false), "not from the address");
    assert_eq!(app.browser().submit_raw("/auth/login", body.into()).await.status, 303);
}

#[tokio::test]
async fn cke_01_to_03_a_form_sets_the_same_cookie() {
    let app = App::new().await;
    app.account(ANN).await;
    let mut ann = app.browser();
    let answer = ann.sign_in("").await;
    let cookies = answer.set_cookies();
    assert_eq!(cookies.len(), 1);
    assert!(cookies[0].starts_with("__Host-auth-session="), "{}", cookies[0]);
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookies[0].contains(attribute), "{}", cookies[0]);
    }
    let id = ann.session();
    for path in SIGNED_IN {
        let page = ann.open(path).await;
        assert!(page.status == 200 && !page.text.contains(&id) && page.set_cookies().is_empty(), "{path}");
    }
    let out = ann.submit("/auth/logout", &[]).await;
    assert!(out.set_cookies()[0].contains("Max-Age=0") && out.headers.contains_key("clear-site-data"));
    assert_eq!(app.browser().sign_in("").await.location(), "/auth/account");
}

#[tokio::test]
async fn ses_13_a_page_takes_the_password_again_and_leads_back() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let mut other = app.signed_in(ANN).await;
    let id = ann.sessions().await[1]["id"].as_str().expect("an id").to_owned();
    app.sql("UPDATE auth_sessions SET authenticated_at = authenticated_at - 601").await;
    let revoke = format!("/auth/sessions/{id}/revoke");
    let answers = [
        (ann.open("/auth/email").await, "%2Fauth%2Femail"),
        (ann.submit("/auth/email", &[("email", NEW)]).await, "%2Fauth%2Femail"),
        (ann.open("/auth/data").await, "%2Fauth%2Fdata"),
        (ann.open("/auth/export").await, "%2Fauth%2Fdata"),
        (ann.submit("/auth/account/delete", &[("confirmed", "yes")]).await, "%2Fauth%2Faccount%2Fdelete"),
        (ann.submit(&revoke, &[]).await, "%2Fauth%2Fsessions"),
        (ann.submit("/auth/sessions/revoke-others", &[]).await, "%2Fauth%2Fsessions"),
    ];
    for (answer, next) in &answers {
        assert_eq!((answer.status.as_u16(), answer.location()), (303, format!("/auth/reauth?next={next}").as_str()));
    }
    assert!(other.is_signed_in().await && app.mails(NEW).await.is_empty());
    let fields = [("password", OTHER), ("next", "/auth/email")];
    let refused = ann.submit("/auth/reauth", &fields).await;
    assert_eq!((refused.status.as_u16(), refused.title()), (401, "Error: [% if module.oidc %]Prove that it is you[% else %]Enter your password again[% endif %] – acmeportal"));
    assert_eq!(ann.open("/auth/email").await.status, 303);
    let fields = [("password", PASSWORD), ("next", "/auth/email")];
    assert_eq!(ann.submit("/auth/reauth", &fields).await.location(), "/auth/email");
    assert_eq!(ann.open("/auth/email").await.status, 200);
    assert_eq!(ann.submit(&revoke, &[]).await.location(), "/auth/sessions?done=device-signed-out");
    assert!(!other.is_signed_in().await);
    assert_eq!(ann.submit(&revoke, &[]).await.location(), "/auth/sessions?done=device-unknown");
    let unsure = ann.submit("/auth/account/delete", &[]).await;
    assert_eq!((unsure.status.as_u16(), unsure.title()), (422, "Error: Delete your account – acmeportal"));
    let deleted = ann.submit("/auth/account/delete", &[("confirmed", "yes")]).await;
    assert_eq!(deleted.location(), "/auth/login?done=account-deleted");
    assert_eq!(app.number("SELECT count(*) FROM auth_users").await, 0);
}

#[tokio::test]
async fn reg_02_forms_tell_no_account_from_none() {
    let app = App::with(&roomy()).await;
    app.account(ANN).await;
    for path in ["/auth/register", "/auth/password/forgot", "/auth/verify/resend"] {
        let known = app.browser().submit(path, &[("email", ANN), ("password", PASSWORD)]).await;
        let unknown = app.browser().submit(path, &[("email", BOB), ("password", PASSWORD)]).await;
        assert_eq!(known.shape(), unknown.shape(), "{path}");
        assert_eq!(known.location(), "/auth/mailbox");
    }
    let known = app.browser().submit("/auth/login", &[("email", ANN), ("password", OTHER)]).await;
    let unknown = app.browser().submit("/auth/login", &[("email", "eve@mail.test"), ("password", OTHER)]).await;
    assert_eq!((known.status.as_u16(), unknown.status.as_u16()), (401, 401));
    assert_eq!(known.text, unknown.text.replace("eve@mail.test", ANN));
}

#[tokio::test]
async fn thr_01_a_page_says_how_long_to_wait() {
    let app = App::new().await;
    app.account(ANN).await;
    for _ in 0..5 {
        app.browser().submit("/auth/login", &[("email", ANN), ("password", OTHER)]).await;
    }
    let answer = app.browser().sign_in("").await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (429, 0));
    let seconds: i64 = answer.headers["retry-after"].to_str().expect("text").parse().expect("a number");
    assert!((1..=30).contains(&seconds));
    assert!(answer.text.contains(&format!("Wait {seconds} second")), "{}", answer.text);
}

#[tokio::test]
async fn every_page_is_a_document_that_can_be_read_aloud() {
    let app = App::with(&roomy()).await;
    let mut titles = BTreeMap::<String, String>::new();
    for (what, page) in all_pages(&app).await {
        let title = page.title().to_owned();
        assert!(page.text.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{what}");
        assert_eq!((page.tags("h1").len(), page.tags("main").len()), (1, 1), "{what}");
        let heading = title.trim_start_matches("Error: ").trim_end_matches(" – acmeportal");
        assert!(page.text.contains(&format!("<h1>{heading}</h1>")), "{what}: {title}");
        let is_refused = page.text.contains("role=\"alert\"");
        assert_eq!(title.starts_with("Error: "), is_refused, "{what}");
        for tag in page.tags("input") {
            let kind = attribute(tag, "type").expect("a type");
            if kind == "hidden" || tag.contains(" hidden") {
                continue;
            }
            let id = attribute(tag, "id").expect("an id");
            assert_eq!(page.text.matches(&format!("for=\"{id}\"")).count(), 1, "{what}: a label for {id}");
            for described in attribute(tag, "aria-describedby").unwrap_or_default().split_whitespace() {
                assert_eq!(page.text.matches(&format!("id=\"{described}\"")).count(), 1, "{what}: {described}");
            }
            let is_wrong = attribute(tag, "aria-invalid") == Some("true");
            assert_eq!(is_wrong, page.text.contains(&format!("href=\"#{id}\"")), "{what}: the summary leads to {id}");
        }
        let kind = what.trim_start_matches("refused ").trim_end_matches(" elsewhere").to_owned();
        let other = titles.insert(title.clone(), kind.clone()).unwrap_or_else(|| kind.clone());
        let says_where = ["nowhere", "method"].contains(&what.as_str());
        assert!(other == kind || says_where, "{title} is the title of {other} and of {kind}");
    }
    assert!(titles.len() >= 20, "{titles:?}");
}
[%- if module.tokens %]

#[tokio::test]
async fn ses_12_programs_are_on_the_page_of_devices() {
    let app = App::new().await;
    app.account(ANN).await;
    let (phone, name) = (app.program(ANN).await, "<b>tablet</b>");
    let tablet = super::bearer::Tokens::of(&app.ask(json!({ "device": name }), ANN).await);
    let mut ann = app.signed_in(ANN).await;
    let page = ann.open("/auth/sessions").await;
    assert!(page.is_page() && page.text.contains("<strong>phone</strong>"), "{}", page.text);
    assert!(page.text.contains("&lt;b&gt;tablet") && !page.text.contains(name), "{}", page.text);
    assert!(!page.text.contains(&phone.refresh));
    let revoke = format!("/auth/devices/{}/revoke", phone.family());
    assert!(page.text.contains(&format!("action=\"{revoke}\"")), "{}", page.text);
    let foreign = ann.clone().with("origin", "https://evil.test").submit(&revoke, &[]).await;
    assert_eq!(foreign.status, 403);
    app.sql("UPDATE auth_sessions SET authenticated_at = authenticated_at - 601").await;
    let stale = ann.submit(&revoke, &[]).await;
    assert_eq!(stale.location(), "/auth/reauth?next=%2Fauth%2Fsessions");
    assert!(app.opens(&phone.access).await);
    let mut ann = app.signed_in(ANN).await;
    assert_eq!(ann.submit(&revoke, &[]).await.location(), "/auth/sessions?done=device-signed-out");
    assert!(!app.opens(&phone.access).await && app.opens(&tablet.access).await);
    assert_eq!(ann.submit(&revoke, &[]).await.location(), "/auth/sessions?done=device-unknown");
    assert_eq!(ann.submit("/auth/sessions/revoke-others", &[]).await.status, 303);
    assert!(!app.opens(&tablet.access).await);
}
[%- endif %]

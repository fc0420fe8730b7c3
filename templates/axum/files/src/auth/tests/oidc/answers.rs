//! The request that leads to a provider, and forged, foreign or repeated answers.

use super::*;

#[tokio::test]
async fn oic_01_each_request_is_its_own_and_asks_for_little() {
    let world = World::new().await;
    let mut seen = std::collections::BTreeSet::new();
    for turn in 0..10_u8 {
        let mut browser = world.app.browser().from([192, 0, 2, turn]).with("host", "evil.test");
        let asked = parameters(&browser.start("test").await);
        for name in ["state", "nonce", "code_challenge"] {
            assert_eq!(asked[name].len(), 43, "{name}");
            assert!(seen.insert(asked[name].clone()), "{name} comes twice");
        }
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["scope"], "openid email");
        assert_eq!(asked["redirect_uri"], format!("{BASE}/auth/oidc/test/callback"), "whatever the Host");
        assert!(!asked.contains_key("client_secret") && !asked.contains_key("code_verifier"));
    }
    let mut browser = world.app.browser();
    assert_eq!(world.sign_in(&mut browser).await.status, 303);
    let does = world.provider.does();
    let (_, token) = does.log.iter().find(|(path, _)| path == "/token").expect("a token request");
    assert!(token.contains("authorization=\"Basic ") && token.contains("code_verifier="), "{token}");
    assert!(!token.contains("client_secret"), "{token}");
}

#[tokio::test]
async fn oic_02_an_answer_needs_the_exact_state() {
    let world = World::new().await;
    world.provider.does().is_lax = true;
    let mut browser = world.app.browser();
    let other = parameters(&browser.start("test").await)["state"].clone();
    let path = world.returning(&mut browser).await;
    let state = parameter(&path, "state");
    let forged = [
        with_parameter(&path, "state", None),
        with_parameter(&path, "state", Some("")),
        with_parameter(&path, "state", Some(&state[..42])),
        with_parameter(&path, "state", Some(&format!("{state}A"))),
        with_parameter(&path, "state", Some(&state.to_uppercase())),
        format!("{path}&state={other}"),
        format!("{}&state={state}", with_parameter(&path, "state", Some(&other))),
        with_parameter(&path, "state", None) + &format!("&state[]={state}"),
    ];
    for path in forged {
        world.refuses_unasked(&mut browser, &path, &path).await;
    }
    let path = world.returning(&mut browser).await;
    assert_eq!(browser.get(&path).await.status, 303, "and the true one works");
}

#[tokio::test]
async fn oic_03_an_answer_works_in_the_browser_that_began_and_in_no_other() {
    let world = World::new().await;
    world.provider.does().is_lax = true;
    for victim in 0..3_u8 {
        let mut mallory = world.app.browser().from([198, 51, 100, victim]);
        let path = world.returning(&mut mallory).await;
        let mut browser = world.app.browser();
        if victim == 1 {
            browser.start("test").await;
        }
        if victim == 2 {
            browser = world.app.signed_in_account(BOB).await;
            let answer = browser.get(&path).await;
            assert_eq!(answer.code(), "oidc_refused");
            assert_eq!(browser.me().await["email"], BOB);
            assert!(browser.identities().await.is_empty());
        } else {
            world.refuses_unasked(&mut browser, &path, "another browser").await;
        }
        assert_eq!(world.provider.count("/token"), 0);
        assert_eq!(mallory.get(&path).await.code(), "oidc_refused", "it is used up");
    }
    let mut browser = world.app.browser();
    let path = world.returning(&mut browser).await;
    let value = browser.cookies[TRANSACTION].clone();
    browser.cookies.insert(TRANSACTION.to_owned(), format!("{value}; {TRANSACTION}={value}"));
    world.refuses_unasked(&mut browser, &path, "the cookie comes twice").await;
}

#[tokio::test]
async fn oic_03_the_cookie_is_like_the_others() {
    let world = World::new().await;
    let answer = world.app.browser().asks("test", "start", json!({})).await;
    let cookies = answer.set_cookies();
    let cookie = cookies.iter().find(|cookie| cookie.starts_with(TRANSACTION)).expect("a cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let planted = "A".repeat(43);
    let mut browser = world.app.browser();
    browser.cookies.insert(TRANSACTION.to_owned(), planted.clone());
    browser.start("test").await;
    assert_ne!(browser.cookies[TRANSACTION], planted, "a value that was not made here is not used");
}

#[tokio::test]
async fn oic_04_an_answer_counts_once() {
    let world = World::new().await;
    world.provider.does().is_lax = true;
    let mut browser = world.app.browser();
    let path = world.returning(&mut browser).await;
    let mut copy = browser.clone();
    assert_eq!(browser.get(&path).await.status, 303);
    world.refuses_unasked(&mut copy, &path, "again").await;

    let path = world.returning(&mut copy).await;
    let failed = with_parameter(&with_parameter(&path, "code", None), "error", Some("access_denied"));
    world.refuses_unasked(&mut copy, &failed, "the provider says no").await;
    world.refuses_unasked(&mut copy, &path, "after it said no").await;
}

#[tokio::test]
async fn oic_04_an_answer_comes_in_time_or_not_at_all() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    let path = world.returning(&mut browser).await;
    world.app.sql("UPDATE auth_oidc_transactions SET expires_at = expires_at - 601").await;
    world.refuses_unasked(&mut browser, &path, "too late").await;
    let path = world.returning(&mut browser).await;
    world.app.sql("UPDATE auth_oidc_transactions SET expires_at = expires_at - 540").await;
    assert_eq!(browser.get(&path).await.status, 303);
}

#[tokio::test]
async fn oic_04_a_browser_has_five_open_at_most() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    let mut paths = Vec::new();
    for _ in 0..6 {
        paths.push(world.returning(&mut browser).await);
        world.app.sql("UPDATE auth_oidc_transactions SET created_at = created_at - 1").await;
    }
    assert_eq!(world.app.number("SELECT COUNT(*) FROM auth_oidc_transactions").await, 5);
    world.refuses_unasked(&mut browser, &paths[0], "the oldest went").await;
    assert_eq!(browser.get(&paths[1]).await.status, 303, "a tab of before works");
}

#[tokio::test]
async fn oic_05_what_was_begun_at_one_provider_ends_there() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    let path = world.returning(&mut browser).await;
    let mixed = path.replace("/test/", "/other/");
    world.refuses_unasked(&mut browser, &with_parameter(&mixed, "iss", None), "another path").await;
    world.refuses_unasked(&mut browser, &path, "and it is used up").await;
    assert_eq!(world.other.count("/token"), 0, "a code of one never goes to the other");
    let path = world.returning(&mut browser).await;
    world.app.sql("UPDATE auth_oidc_transactions SET issuer = 'http://127.0.0.1:1'").await;
    world.refuses_unasked(&mut browser, &path, "another issuer since").await;
}

#[tokio::test]
async fn oic_06_an_answer_says_whose_it_is() {
    let world = World::new().await;
    let issuer = &world.provider.issuer;
    let wrong = [
        Some(world.other.issuer.clone()),
        Some(format!("{issuer}/")),
        Some(issuer.to_uppercase()),
        Some(String::new()),
        None,
    ];
    for iss in &wrong {
        let mut browser = world.app.browser();
        let path = with_parameter(&world.returning(&mut browser).await, "iss", iss.as_deref());
        world.refuses_unasked(&mut browser, &path, &format!("{iss:?}")).await;
    }
    let mut browser = world.app.browser();
    let path = world.returning(&mut browser).await;
    world.refuses_unasked(&mut browser, &format!("{path}&iss={issuer}"), "twice").await;

    let world = World::new().await;
    world.provider.does().describe = Box::new(|description| {
        description["authorization_response_iss_parameter_supported"] = json!(false);
    });
    let mut browser = world.app.browser();
    let path = world.returning(&mut browser).await;
    let foreign = with_parameter(&path, "iss", Some(&world.other.issuer));
    world.refuses_unasked(&mut browser, &foreign, "not needed, and wrong").await;
    let path = world.returning(&mut browser).await;
    assert_eq!(browser.get(&with_parameter(&path, "iss", None)).await.status, 303);
}

#[tokio::test]
async fn oic_07_the_code_takes_the_verifier_of_its_request() {
    let world = World::new().await;
    let (mut ann, mut mallory) = (world.app.browser(), world.app.browser());
    let stolen = parameter(&world.returning(&mut ann).await, "code");
    let path = world.returning(&mut mallory).await;
    let answer = mallory.get(&with_parameter(&path, "code", Some(&stolen))).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "oidc_refused"));
    assert!(!mallory.is_signed_in().await);
}

#[tokio::test]
async fn oic_07_a_verifier_is_seen_by_the_token_endpoint_alone() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    let started = browser.asks("test", "start", json!({})).await;
    let verifier = world.app.text("SELECT verifier FROM auth_oidc_transactions").await;
    assert_eq!(verifier.len(), 43);
    let seen = format!("{:?}{}", started.headers, started.text);
    assert!(!seen.contains(&verifier), "{seen}");
    let finished = browser.get(&world.provider.consents(&location(&started))).await;
    assert!(!format!("{:?}{}", finished.headers, finished.text).contains(&verifier));
    assert!(world.provider.does().log.iter().any(|(path, said)| path == "/token" && said.contains(&verifier)));
}

#[tokio::test]
async fn oic_24_25_27_the_answer_leads_away_and_says_nothing() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    let answer = browser.asks("test", "start", json!({ "next": "/orders?page=2" })).await;
    let path = world.provider.consents(&location(&answer));
    let answer = browser.get(&path).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["location"]), (303, &"/orders?page=2".parse().unwrap()));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    let seen = format!("{:?}{}", answer.headers, answer.text);
    for secret in [parameter(&path, "code"), parameter(&path, "state"), "sentinel".to_owned(), SECRET.to_owned()] {
        assert!(!seen.contains(&secret), "{seen}");
    }
    let path = world.returning(&mut browser).await;
    let told = with_parameter(&path, "error", Some("<script>")) + "&error_description=evil";
    let answer = browser.get(&told).await;
    assert_eq!(answer.code(), "oidc_refused");
    assert!(!answer.text.contains("script") && !answer.text.contains("evil"), "{}", answer.text);
}

#[tokio::test]
async fn oic_25_an_answer_with_an_error_or_a_broken_code_signs_nobody_in() {
    let world = World::new().await;
    let broken: [fn(&str) -> String; 6] = [
        |path| with_parameter(path, "error", Some("access_denied")),
        |path| with_parameter(path, "error", Some("")),
        |path| format!("{path}&code=another"),
        |path| with_parameter(path, "code", None),
        |path| with_parameter(path, "code", Some("")),
        |path| with_parameter(path, "code", Some(&"c".repeat(5_000))),
    ];
    for change in broken {
        let mut browser = world.app.browser();
        let path = change(&world.returning(&mut browser).await);
        world.refuses_unasked(&mut browser, &path, &path).await;
    }
}

#[tokio::test]
async fn red_01_the_way_back_stays_on_this_site() {
    let world = World::new().await;
    for next in ["https://evil.test", "//evil.test", "/\\evil.test", "/%2f/evil.test", "javascript:alert(1)", ""] {
        let mut browser = world.app.browser();
        let answer = browser.asks("test", "start", json!({ "next": next })).await;
        let answer = browser.get(&world.provider.consents(&location(&answer))).await;
        let home = world.app.auth.settings().home_path();
        assert_eq!(answer.headers["location"], home, "{next}");
    }
}

#[tokio::test]
async fn csr_03_no_other_site_begins_a_sign_in() {
    let world = World::new().await;
    for (name, value) in [("origin", "https://evil.test"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let mut browser = world.app.browser().with(name, value);
        let answer = browser.asks("test", "start", json!({})).await;
        assert_eq!(answer.code(), "foreign_request", "{name}: {value}");
    }
    let request = world.app.browser().request(Method::POST, "/auth/oidc/test/start");
    let request = request.header("content-type", "text/plain").body(Body::from("{}"));
    assert_eq!(world.app.browser().send(request).await.code(), "json_required");
    let answer = world.app.browser().get("/auth/oidc/test/start").await;
    assert_eq!(answer.status, 405, "and no link does");
}

#[tokio::test]
async fn thr_08_one_source_cannot_begin_without_end() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    let mut last = 0;
    for _ in 0..31 {
        last = browser.asks("test", "start", json!({})).await.status.as_u16();
    }
    assert_eq!(last, 429);
    let mut elsewhere = world.app.browser().from([203, 0, 113, 9]);
    assert_eq!(elsewhere.asks("test", "start", json!({})).await.status, 200);
}

#[tokio::test]
async fn rac_04_of_parallel_answers_one_signs_in() {
    let world = World::new().await;
    world.provider.does().is_lax = true;
    let mut browser = world.app.browser();
    let path = world.returning(&mut browser).await;
    let request = || browser.request(Method::GET, &path).body(Body::empty()).expect("a request");
    let answers = world.app.parallel((0..15).map(|_| request())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 303).count(), 1);
    assert_eq!(world.provider.count("/token"), 1);
    assert_eq!(world.app.number("SELECT COUNT(*) FROM auth_sessions").await, 1);
}

#[tokio::test]
async fn a_provider_that_nobody_configured_is_unknown() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    for id in ["google", "TEST", "test%00", "..%2ftest"] {
        let answer = browser.asks(id, "start", json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "provider_unknown"), "{id}");
    }
    let listed = browser.get("/auth/providers").await.json();
    assert_eq!(listed["providers"][0], json!({ "id": "test", "name": "Test" }));
}

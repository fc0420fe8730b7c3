//! Calls to providers that are wrong, dead, slow or endless.

use std::time::{Duration, Instant};

use super::*;
use provider::CONFIGURATION;

async fn unavailable(world: &World, browser: &mut Browser<'_>, what: &str) {
    let answer = browser.asks("test", "start", json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "provider_unavailable"), "{what}");
    let other = browser.asks("other", "start", json!({})).await;
    assert_eq!(other.status, 200, "{what}: the other provider works");
    assert_eq!(world.app.number("SELECT COUNT(*) FROM auth_oidc_transactions WHERE provider = 'test'").await, 0);
}

#[tokio::test]
async fn oic_17_a_description_of_another_issuer_is_none() {
    let world = World::new().await;
    let edits: [fn(&mut Value); 5] = [
        |description| description["issuer"] = json!("https://evil.test"),
        |description| description["issuer"] = json!(format!("{}/", description["issuer"].as_str().expect("it"))),
        |description| drop(description.as_object_mut().expect("an object").remove("issuer")),
        |description| *description = json!([]),
        |description| description["authorization_endpoint"] = json!("http://provider.test/authorize"),
    ];
    for (turn, edit) in (0_u8..).zip(edits) {
        world.provider.does().describe = Box::new(edit);
        let mut browser = world.app.browser().from([192, 0, 2, turn]);
        unavailable(&world, &mut browser, "another description").await;
    }
    world.provider.does().describe = Box::new(|_| ());
    assert_eq!(world.sign_in(&mut world.app.browser()).await.status, 303, "and none of them is kept");
}

#[tokio::test]
async fn oic_18_no_call_follows_a_redirect() {
    let world = World::new().await;
    let canary = Provider::start().await;
    for path in ["/token", "/keys", CONFIGURATION] {
        for status in [302, 307] {
            let world = World::new().await;
            let mut browser = world.app.browser();
            let back = if path == "/token" { world.returning(&mut browser).await } else { String::new() };
            let location = Some(format!("{}{path}", canary.issuer));
            world.provider.does().instead.insert(path, Instead { location, ..Instead::new(status, "{}") });
            let answer = match path {
                "/token" => browser.get(&back).await,
                _ => browser.asks("test", "start", json!({})).await,
            };
            assert_eq!(answer.code(), "provider_unavailable", "{path} {status}");
        }
    }
    assert!(canary.does().log.is_empty(), "{:?}", canary.does().log);
    assert_eq!(world.sign_in(&mut world.app.browser()).await.status, 303);
}

#[tokio::test]
async fn oic_18_a_slow_or_endless_provider_costs_little() {
    let world = World::with(&[("AUTH_OIDC_TIMEOUT_SECONDS", "1")]).await;
    let mut browser = world.app.browser();
    let slow = Instead { delay: Duration::from_secs(60), ..Instead::new(200, "{}") };
    let large = Instead { body: vec![b' '; 3 << 20], ..Instead::new(200, "") };
    for (what, instead) in [("slow", slow), ("large", large)] {
        let path = world.returning(&mut browser).await;
        world.provider.does().instead.insert("/token", instead);
        let begun = Instant::now();
        let answer = browser.get(&path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "provider_unavailable"), "{what}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}");
        assert!(!browser.is_signed_in().await, "{what}");
        world.provider.does().instead.clear();
    }
}

#[tokio::test]
async fn oic_18_a_dead_provider_is_unavailable() {
    let world = World::with(&[(ISSUERS, "http://127.0.0.1:1,http://127.0.0.1:1")]).await;
    let answer = world.app.browser().asks("test", "start", json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "provider_unavailable"));
}

#[tokio::test]
async fn oic_18_many_wait_for_a_dead_provider_once() {
    let world = World::new().await;
    let slow = Instead { delay: Duration::from_secs(2), ..Instead::new(500, "{}") };
    world.provider.does().instead.insert(CONFIGURATION, slow);
    let browsers = (0..5).map(|turn| world.app.browser().from([192, 0, 2, turn]));
    let starts = browsers.map(|browser| browser.json("/auth/oidc/test/start", &json!({})));
    let instances = [world.app.router.clone()];
    for answer in world.app.spread(&instances, starts.collect::<Vec<_>>()).await {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "provider_unavailable"));
    }
    assert_eq!(world.provider.count(CONFIGURATION), 1);
    world.provider.does().instead.clear();
    assert_eq!(world.sign_in(&mut world.app.browser()).await.status, 303, "whoever comes later asks again");
}

#[tokio::test]
async fn oic_25_a_token_endpoint_that_talks_nonsense_signs_nobody_in() {
    let world = World::new().await;
    let html = Instead { content_type: "text/html", ..Instead::new(200, "<html>") };
    let answers = [
        Instead::new(400, r#"{"error":"invalid_grant"}"#),
        Instead::new(200, r#"{"error":"invalid_grant"}"#),
        Instead::new(401, r#"{"error":"invalid_client"}"#),
        Instead::new(500, "{}"),
        Instead::new(200, "{}"),
        Instead::new(200, ""),
        Instead::new(200, r#"{"access_token":"a","token_type":"Bearer"}"#),
        Instead::new(200, r#"{"access_token":"a","token_type":"Bearer","id_token":"a.b"}"#),
        Instead::new(200, r#"{"access_token":"a","token_type":"Bearer","id_token":".."}"#),
        html,
    ];
    for (turn, instead) in (0_u8..).zip(answers) {
        let mut browser = world.app.browser().from([192, 0, 2, turn]);
        let path = world.returning(&mut browser).await;
        let what = format!("{} {:?}", instead.status, String::from_utf8_lossy(&instead.body));
        world.provider.does().instead.insert("/token", instead);
        let answer = browser.get(&path).await;
        assert!(matches!(answer.status.as_u16(), 400 | 502), "{what}: {}", answer.status);
        assert!(!browser.is_signed_in().await, "{what}");
        world.provider.does().instead.clear();
        assert_eq!(browser.get(&path).await.code(), "oidc_refused", "{what}: used up");
    }
    world.provider.does().answer = Box::new(|answer| answer["token_type"] = json!("mac"));
    assert_eq!(world.sign_in(&mut world.app.browser()).await.code(), "oidc_refused");
}

#[tokio::test]
async fn oic_15_a_new_key_is_found_and_an_old_one_forgotten() {
    let world = World::new().await;
    assert_eq!(world.sign_in(&mut world.app.browser()).await.status, 303);
    assert_eq!(world.provider.count("/keys"), 1);
    world.provider.does().keys = vec![Key::new("two")];
    assert_eq!(world.sign_in(&mut world.app.browser()).await.status, 303, "without a restart");
    assert_eq!(world.provider.count("/keys"), 2);
    for _ in 0..10 {
        world.provider.lies(|draft| draft.header["kid"] = json!(crate::auth::tokens::random::<9>()));
        assert_eq!(world.sign_in(&mut world.app.browser()).await.code(), "oidc_refused");
    }
    assert_eq!(world.provider.count("/keys"), 2, "anybody can make up the name of a key");
}

#[tokio::test]
async fn oic_15_a_key_is_kept_for_a_while_and_no_longer() {
    let world = World::with(&[("AUTH_OIDC_JWKS_SECONDS", "1")]).await;
    let gone = Key::new("gone");
    let shown = gone.jwk();
    world.provider.does().keys = vec![gone];
    assert_eq!(world.sign_in(&mut world.app.browser()).await.status, 303);
    world.provider.does().instead.insert("/keys", Instead::new(500, ""));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(world.app.browser().asks("test", "start", json!({})).await.code(), "provider_unavailable");
    world.provider.does().instead.clear();
    world.provider.does().shown = Some(json!({ "keys": [Key::new("new").jwk()] }));
    let answer = world.sign_in(&mut world.app.browser()).await;
    assert_eq!(answer.code(), "oidc_refused", "{shown} was withdrawn");
}

#[tokio::test]
async fn oic_15_a_key_for_something_else_is_none() {
    let world = World::new().await;
    for (name, value) in [("use", "enc"), ("alg", "ES384"), ("kty", "RSA"), ("kid", "another")] {
        let mut jwk = world.provider.does().keys[0].jwk();
        jwk[name] = json!(value);
        let world = World::new().await;
        world.provider.does().shown = Some(json!({ "keys": [jwk] }));
        let answer = world.sign_in(&mut world.app.browser()).await;
        assert_eq!(answer.code(), "oidc_refused", "{name}");
    }
    world.provider.lies(|draft| drop(draft.header.as_object_mut().expect("a header").remove("kid")));
    assert_eq!(world.sign_in(&mut world.app.browser()).await.status, 303, "the only key needs no name");
}

#[tokio::test]
async fn an_answer_that_is_posted_becomes_one_that_is_read() {
    let world = World::new().await;
    let asked = parameters(&world.app.browser().start("posts").await);
    assert_eq!(asked["response_mode"], "form_post");
    let mut browser = world.app.browser();
    let path = world.provider.consents(&browser.start("posts").await);
    assert_eq!(browser.get(&path).await.status, 303);
    let does = world.provider.does();
    let (_, token) = does.log.iter().rfind(|(path, _)| path == "/token").expect("a token request");
    assert!(token.contains("client_secret=") && !token.contains("authorization="), "{token}");
}
[%- if 'apple' in providers %]

#[tokio::test]
async fn a_posted_answer_comes_from_the_provider_and_does_nothing_by_itself() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    let path = world.provider.consents(&browser.start("posts").await);
    let (path, query) = path.split_once('?').expect("a query");
    let post = |path: &str| {
        let request = Request::builder().method(Method::POST).uri(path);
        request
            .header(header::ORIGIN, "https://appleid.apple.com")
            .header("sec-fetch-site", "cross-site")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 40_000))))
            .body(Body::from(format!("{query}&user=evil")))
    };
    let answer = world.app.browser().send(post(path)).await;
    assert_eq!(answer.status, 303);
    let to = answer.headers["location"].to_str().expect("ASCII").to_owned();
    assert!(to.starts_with(path) && !to.contains("evil"), "{to}");
    assert_eq!(world.provider.count("/token"), 0);
    assert_eq!(browser.get(&to).await.status, 303);
    assert!(browser.is_signed_in().await);
    let answer = world.app.browser().send(post("/auth/oidc/test/callback")).await;
    assert_eq!(answer.status, 405, "not of a provider that posts nothing");
}
[%- endif %]

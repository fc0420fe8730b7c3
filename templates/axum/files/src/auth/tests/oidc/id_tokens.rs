//! ID tokens that are wrong in one thing.

use super::*;
use crate::auth::db::now;

/// What is said about it, and what is done to the token.
type Case = (&'static str, fn(&mut Draft));

/// Each is a sign-in of its own; all must be refused without a session or a question to UserInfo.
async fn refused(world: &World, lies: &[Case]) {
    for (turn, (what, lie)) in (0_u8..).zip(lies) {
        world.provider.lies(*lie);
        let mut browser = world.app.browser().from([192, 0, 2, turn]);
        let answer = world.sign_in(&mut browser).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "oidc_refused"), "{what}");
        assert!(!browser.is_signed_in().await, "{what}");
        assert_eq!(world.provider.count("/userinfo"), 0, "{what}");
    }
    accepted(world, &[("and nothing of it", |_| ())]).await;
}

async fn accepted(world: &World, truths: &[Case]) {
    for (turn, (what, truth)) in (100_u8..).zip(truths) {
        world.provider.lies(*truth);
        let mut browser = world.app.browser().from([192, 0, 2, turn]);
        assert_eq!(world.sign_in(&mut browser).await.status, 303, "{what}");
    }
}

fn without(draft: &mut Draft, name: &str) {
    draft.claims.as_object_mut().expect("claims").remove(name);
}

#[tokio::test]
async fn oic_08_the_nonce_is_that_of_the_request() {
    let world = World::new().await;
    world.provider.does().is_lax = true;
    refused(&world, &[
        ("another", |draft| draft.claims["nonce"] = json!("another")),
        ("missing", |draft| without(draft, "nonce")),
        ("empty", |draft| draft.claims["nonce"] = json!("")),
        ("a list", |draft| draft.claims["nonce"] = json!([draft.claims["nonce"].clone()])),
        ("a number", |draft| draft.claims["nonce"] = json!(1)),
        ("null", |draft| draft.claims["nonce"] = json!(null)),
    ])
    .await;
}

#[tokio::test]
async fn oic_09_the_signature_is_checked() {
    let world = World::new().await;
    refused(&world, &[
        ("one bit", |draft| draft.tail = Tail::Flipped),
        ("a claim was changed", |draft| draft.tail = Tail::Changed("sub", json!("s-bob"))),
        ("another key of that name", |draft| draft.tail = Tail::By(Key::new("one").into())),
        ("none", |draft| draft.tail = Tail::Bytes(vec![])),
        ("r = s = 0", |draft| draft.tail = Tail::Bytes(vec![0; 64])),
    ])
    .await;
}

#[tokio::test]
async fn oic_10_the_algorithm_is_not_the_tokens_choice() {
    let world = World::new().await;
    fn unsigned(draft: &mut Draft, alg: Value) {
        draft.header["alg"] = alg;
        draft.tail = Tail::Bytes(vec![]);
    }
    refused(&world, &[
        ("none", |draft| unsigned(draft, json!("none"))),
        ("None", |draft| unsigned(draft, json!("None"))),
        ("NONE", |draft| unsigned(draft, json!("NONE"))),
        ("empty", |draft| unsigned(draft, json!(""))),
        ("null", |draft| unsigned(draft, Value::Null)),
        ("missing", |draft| drop(draft.header.as_object_mut().expect("a header").remove("alg"))),
        ("HS256 with the secret", |draft| {
            draft.header["alg"] = json!("HS256");
            draft.tail = Tail::Hmac(SECRET.as_bytes().to_vec());
        }),
        ("HS256 with nothing", |draft| {
            draft.header["alg"] = json!("HS256");
            draft.tail = Tail::Hmac(vec![]);
        }),
        ("RS256 for a key of ES256", |draft| draft.header["alg"] = json!("RS256")),
        ("an algorithm that is off", |draft| draft.header["alg"] = json!("ES384")),
        ("crit", |draft| draft.header["crit"] = json!(["x"])),
        ("another type", |draft| draft.header["typ"] = json!("at+jwt")),
    ])
    .await;
}

#[tokio::test]
async fn oic_10_the_key_as_a_secret_signs_nothing() {
    let world = World::new().await;
    let jwk = world.provider.does().keys[0].jwk();
    let guesses = [jwk.to_string(), jwk["x"].as_str().expect("x").to_owned()];
    for guess in guesses {
        world.provider.lies(move |draft| {
            draft.header["alg"] = json!("HS256");
            draft.tail = Tail::Hmac(guess.as_bytes().to_vec());
        });
        let mut browser = world.app.browser();
        assert_eq!(world.sign_in(&mut browser).await.code(), "oidc_refused");
    }
}

#[tokio::test]
async fn oic_11_the_issuer_is_exact() {
    let world = World::new().await;
    fn issuer(draft: &mut Draft, change: fn(&str) -> Value) {
        let issuer = draft.claims["iss"].as_str().expect("an issuer").to_owned();
        draft.claims["iss"] = change(&issuer);
    }
    refused(&world, &[
        ("another", |draft| issuer(draft, |_| json!("https://evil.test"))),
        ("a slash", |draft| issuer(draft, |iss| json!(format!("{iss}/")))),
        ("a path", |draft| issuer(draft, |iss| json!(format!("{iss}/x")))),
        ("upper case", |draft| issuer(draft, |iss| json!(iss.to_uppercase()))),
        ("the start of it", |draft| issuer(draft, |iss| json!(&iss[..iss.len() - 1]))),
        ("a list", |draft| issuer(draft, |iss| json!([iss, "https://evil.test"]))),
        ("missing", |draft| without(draft, "iss")),
        ("null", |draft| issuer(draft, |_| Value::Null)),
    ])
    .await;
}

#[tokio::test]
async fn oic_12_the_audience_is_this_client() {
    let world = World::new().await;
    refused(&world, &[
        ("another", |draft| draft.claims["aud"] = json!("another")),
        ("missing", |draft| without(draft, "aud")),
        ("nobody", |draft| draft.claims["aud"] = json!([])),
        ("longer", |draft| draft.claims["aud"] = json!(format!("{CLIENT}X"))),
        ("somebody else too", |draft| draft.claims["aud"] = json!([CLIENT, "evil"])),
        ("null", |draft| draft.claims["aud"] = Value::Null),
        ("a number", |draft| draft.claims["aud"] = json!(7)),
        ("made for another party", |draft| draft.claims["azp"] = json!("evil")),
    ])
    .await;
    accepted(&world, &[
        ("a list of one", |draft| draft.claims["aud"] = json!([CLIENT])),
        ("made for us", |draft| draft.claims["azp"] = json!(CLIENT)),
    ])
    .await;
}

#[tokio::test]
async fn oic_13_the_token_is_of_now() {
    let world = World::new().await;
    refused(&world, &[
        ("expired", |draft| draft.claims["exp"] = json!(now() - 90)),
        ("no end", |draft| without(draft, "exp")),
        ("an end in words", |draft| draft.claims["exp"] = json!("never")),
        ("an end as text", |draft| draft.claims["exp"] = json!((now() + 300).to_string())),
        ("no end in sight", |draft| draft.claims["exp"] = json!(1e20)),
        ("before time", |draft| draft.claims["exp"] = json!(-1)),
        ("no beginning", |draft| without(draft, "iat")),
        ("a week old", |draft| draft.claims["iat"] = json!(now() - 604_800)),
        ("eleven minutes old", |draft| draft.claims["iat"] = json!(now() - 661)),
        ("of later", |draft| draft.claims["iat"] = json!(now() + 120)),
        ("not yet", |draft| draft.claims["nbf"] = json!(now() + 120)),
        ("not yet, in words", |draft| draft.claims["nbf"] = json!("later")),
    ])
    .await;
    accepted(&world, &[
        ("ends soon", |draft| draft.claims["exp"] = json!(now() + 30)),
        ("is half a minute old", |draft| draft.claims["iat"] = json!(now() - 30)),
        ("a clock that is ahead", |draft| draft.claims["nbf"] = json!(now() + 30)),
    ])
    .await;
}

#[tokio::test]
async fn oic_14_the_subject_is_a_short_text() {
    let world = World::new().await;
    refused(&world, &[
        ("missing", |draft| without(draft, "sub")),
        ("empty", |draft| draft.claims["sub"] = json!("")),
        ("null", |draft| draft.claims["sub"] = Value::Null),
        ("a number", |draft| draft.claims["sub"] = json!(1)),
        ("a list", |draft| draft.claims["sub"] = json!(["s-ann"])),
        ("an object", |draft| draft.claims["sub"] = json!({})),
        ("long", |draft| draft.claims["sub"] = json!("s".repeat(256))),
        ("NUL", |draft| draft.claims["sub"] = json!("s\0ann")),
        ("not ASCII", |draft| draft.claims["sub"] = json!("s-änn")),
    ])
    .await;
}

#[tokio::test]
async fn oic_14_userinfo_counts_for_its_own_subject_only() {
    let world = World::new().await;
    world.provider.lies(|draft| without(draft, "email"));
    let lies = [
        json!({ "sub": "s-bob", "email": ANN, "email_verified": true }),
        json!({ "email": ANN, "email_verified": true }),
        json!([]),
    ];
    for lie in lies {
        world.provider.does().userinfo = lie.clone();
        let mut browser = world.app.browser();
        assert_eq!(world.sign_in(&mut browser).await.code(), "oidc_refused", "{lie}");
    }
    world.provider.does().userinfo = json!({ "sub": "s-ann", "email": ANN, "email_verified": true });
    let mut browser = world.app.browser();
    assert_eq!(world.sign_in(&mut browser).await.status, 303);
    assert_eq!(browser.me().await["email"], ANN);
}

#[tokio::test]
async fn oic_16_a_token_brings_no_key() {
    let world = World::new().await;
    let canary = Provider::start().await;
    let address = canary.issuer.clone();
    let mallory = Key::new("one").jwk();
    for name in ["jwk", "jku", "x5u", "x5c"] {
        let (address, jwk) = (address.clone(), mallory.clone());
        world.provider.lies(move |draft| {
            draft.header[name] = match name {
                "jwk" => jwk.clone(),
                "x5c" => json!(["MAo="]),
                _ => json!(format!("{address}/keys")),
            };
            draft.tail = Tail::By(Key::new("one").into());
        });
        let mut browser = world.app.browser();
        assert_eq!(world.sign_in(&mut browser).await.code(), "oidc_refused", "{name}");
    }
    assert!(canary.does().log.is_empty(), "nobody was asked");
}

#[tokio::test]
async fn an_access_token_of_another_is_noticed() {
    let world = World::new().await;
    refused(&world, &[("at_hash", |draft| draft.claims["at_hash"] = json!("bm90IHRoZSBoYXNoIQ"))]).await;
    use [= import.base64 =]::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use [= import.sha2 =]::{Digest, Sha256};
    let digest = Sha256::digest("sentinel-access-token");
    let right = URL_SAFE_NO_PAD.encode(&digest[..16]);
    world.provider.lies(move |draft| draft.claims["at_hash"] = json!(right));
    assert_eq!(world.sign_in(&mut world.app.browser()).await.status, 303);
}

#[tokio::test]
async fn oic_26_freshness_and_strength_are_proven_if_asked_for() {
    let world = World::with(&[("TEST_MAX_AGE", "60"), ("TEST_ACR", "urn:x:mfa")]).await;
    let asked = parameters(&world.app.browser().start("test").await);
    assert_eq!((asked["max_age"].as_str(), asked["acr_values"].as_str()), ("60", "urn:x:mfa"));
    world.provider.does().claims["acr"] = json!("urn:x:mfa");
    refused(&world, &[
        ("an old sign-in", |draft| draft.claims["auth_time"] = json!(now() - 180)),
        ("one of later", |draft| draft.claims["auth_time"] = json!(now() + 180)),
        ("nobody says when", |draft| without(draft, "auth_time")),
        ("in words", |draft| draft.claims["auth_time"] = json!("now")),
        ("another strength", |draft| draft.claims["acr"] = json!("urn:x:pwd")),
        ("nobody says how", |draft| without(draft, "acr")),
    ])
    .await;
}

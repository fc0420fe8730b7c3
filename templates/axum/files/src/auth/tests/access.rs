//! Attacks on access tokens. Each changes one thing and signs anew, so that no other check hides it.

use [= import.base64 =]::{Engine, engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD}};
use [= import.jsonwebtoken =]::{Algorithm, EncodingKey, crypto};

use super::{
    bearer::{Tokens, another_key, message, part, signed},
    *,
};
use crate::auth::{bearer::Keys, db::now};

async fn signed_in() -> (App, Tokens) {
    let app = App::with(&[("AUTH_LOGIN_SOURCE_LIMIT", "300"), ("AUTH_TOKEN_REFRESH_SOURCE_LIMIT", "600")]).await;
    app.account(ANN).await;
    let tokens = app.program(ANN).await;
    assert!(app.opens(&tokens.access).await);
    (app, tokens)
}

/// Each is refused with 401, which says so as RFC 6750 has it; the right one still works.
async fn refused(app: &App, tokens: &Tokens, wrong: impl IntoIterator<Item = (String, String)>) {
    for (what, token) in wrong {
        let answer = app.api("/auth/token/me", &token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "token_invalid".to_owned()), "{what}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"invalid_token\"", "{what}");
    }
    assert!(app.opens(&tokens.access).await);
}

/// A token for each value of a header or, after a dot, of a claim.
fn varied(app: &App, token: &str, name: &str, values: impl IntoIterator<Item = Value>) -> Vec<(String, String)> {
    let vary = |value: Value| {
        let token = app.forged(token, |header, claims| match name.strip_prefix('.') {
            Some(claim) => claims[claim] = value.clone(),
            None => header[name] = value.clone(),
        });
        (format!("{name} {value}"), token)
    };
    values.into_iter().map(vary).collect()
}

fn without(app: &App, token: &str, name: &str) -> (String, String) {
    let token = app.forged(token, |header, claims| {
        let map = if name.starts_with('.') { claims } else { header };
        map.as_object_mut().expect("an object").remove(name.trim_start_matches('.'));
    });
    (format!("no {name}"), token)
}

#[tokio::test]
async fn jwt_01_what_was_changed_is_refused() {
    let (app, tokens) = signed_in().await;
    app.account(BOB).await;
    let bob = app.program(BOB).await;
    let parts: Vec<&str> = tokens.access.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("three parts") };
    let theirs = bob.access.split('.').nth(1).expect("claims");
    let mut wrong = vec![
        ("claims of another", format!("{header}.{theirs}.{signature}")),
        ("no signature", format!("{header}.{claims}")),
        ("empty signature", format!("{header}.{claims}.")),
        ("two signatures", format!("{}.{signature}", tokens.access)),
        ("a dot before", format!(".{}", tokens.access)),
        ("padding", format!("{}==", tokens.access)),
        ("padding in the middle", format!("{header}=.{claims}.{signature}")),
        ("zeroes", format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([0; 64]))),
        ("standard alphabet", format!("{header}.{claims}.{}", STANDARD.encode(b"\xff\xfe\xfd"))),
        ("nothing", String::new()),
    ];
    for (at, text) in [header, claims, signature].into_iter().enumerate() {
        for position in [2, text.len() / 2, text.len() - 3] {
            let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            let other = if &text[position..=position] == "A" { "B" } else { "A" };
            changed[at].replace_range(position..=position, other);
            wrong.push(("a changed character", changed.join(".")));
        }
    }
    // The last character of 64 bytes holds four bits that must be zero.
    let last = signature.chars().last().expect("a character");
    let next = char::from_u32(u32::from(last) + 1).expect("a character");
    wrong.push(("bits that count for nothing", format!("{header}.{claims}.{}{next}", &signature[..signature.len() - 1])));
    refused(&app, &tokens, wrong.into_iter().map(|(what, token)| (what.to_owned(), token))).await;
}

#[tokio::test]
async fn jwt_02_the_header_does_not_choose_the_algorithm() {
    let (app, tokens) = signed_in().await;
    let algorithms = [
        json!("none"), json!("None"), json!("nOnE"), json!("NONE"), json!(""), json!(null), json!(0), json!(["EdDSA"]),
        json!("EdDSA "), json!(" EdDSA"), json!("eddsa"), json!("HS256"), json!("HS256 "), json!("RS256"), json!("ES256"),
        json!("Ed25519"),
    ];
    let mut wrong = varied(&app, &tokens.access, "alg", algorithms);
    wrong.push(without(&app, &tokens.access, "alg"));
    let bare = wrong.iter().map(|(what, token)| {
        let (message, _) = token.rsplit_once('.').expect("a signature");
        (format!("{what}, unsigned"), format!("{message}."))
    });
    let bare: Vec<_> = bare.collect();
    wrong.extend(bare);
    refused(&app, &tokens, wrong).await;
}

#[tokio::test]
async fn jwt_02_the_public_key_is_no_secret() {
    let (app, tokens) = signed_in().await;
    let jwks = app.browser().get("/.well-known/jwks.json").await.json();
    let x = jwks["keys"][0]["x"].as_str().expect("a key").to_owned();
    let raw = URL_SAFE_NO_PAD.decode(&x).expect("base64");
    let der = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], &raw[..]].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(&der));
    let secrets = [
        Vec::new(), x.clone().into_bytes(), raw, der, pem.clone().into_bytes(), format!("{pem}\n").into_bytes(),
        format!(" {pem}\n").into_bytes(), jwks["keys"][0].to_string().into_bytes(),
        tokens.claims()["sid"].to_string().into_bytes(),
    ];
    let mut wrong = Vec::new();
    for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        for secret in &secrets {
            let mut header = part(&tokens.access, 0);
            header["alg"] = json!(name);
            let message = message(&header, &tokens.claims());
            let signature = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), algorithm);
            wrong.push((format!("{name} {secret:?}"), format!("{message}.{}", signature.expect("a signature"))));
        }
    }
    refused(&app, &tokens, wrong).await;
}

#[tokio::test]
async fn jwt_03_a_kid_is_a_name_and_nothing_else() {
    let (app, tokens) = signed_in().await;
    let kid = part(&tokens.access, 0)["kid"].as_str().expect("a kid").to_owned();
    let kids = [
        json!("unknown"), json!(""), json!("../../../../dev/null"), json!("/proc/self/environ"), json!("' UNION SELECT 'k'--"),
        json!(format!("{kid}\u{0}")), json!(format!(" {kid}")), json!(kid.to_lowercase()), json!("x".repeat(2_000)), json!(1),
        json!([kid]), json!({ "kid": kid }), json!(null), json!("__proto__"), json!("https://evil.test/keys"),
    ];
    let mut wrong = varied(&app, &tokens.access, "kid", kids);
    wrong.push(without(&app, &tokens.access, "kid"));
    let mut header = part(&tokens.access, 0);
    header["kid"] = json!("/dev/null");
    header["alg"] = json!("HS256");
    let message = message(&header, &tokens.claims());
    let empty = crypto::sign(message.as_bytes(), &EncodingKey::from_secret(b""), Algorithm::HS256).expect("a signature");
    wrong.push(("an empty file".to_owned(), format!("{message}.{empty}")));
    refused(&app, &tokens, wrong).await;
}

#[tokio::test]
async fn jwt_04_keys_that_a_token_brings_are_not_used() {
    let (app, tokens) = signed_in().await;
    let theirs = another_key();
    let their_keys = Keys::new(&theirs, |_| true).expect("a key");
    let (their_kid, _) = their_keys.signing();
    let x = {
        let app = App::with(&[("AUTH_TOKEN_KEY", &theirs)]).await;
        app.browser().get("/.well-known/jwks.json").await.json()["keys"][0]["x"].clone()
    };
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
    let mut wrong = Vec::new();
    for (name, value) in [
        ("jwk", jwk), ("jku", json!("https://evil.test/jwks.json")), ("x5u", json!("https://evil.test/cert")),
        ("x5c", json!(["MIIB"])), ("x5t", json!("abc")), ("x5t#S256", json!("abc")),
    ] {
        let mut header = part(&tokens.access, 0);
        header[name] = value;
        let honest = header["kid"].clone();
        for kid in [honest, json!(their_kid)] {
            header["kid"] = kid.clone();
            wrong.push((format!("{name}, {kid}"), signed(&theirs, &header, &tokens.claims())));
        }
    }
    wrong.push(("their key".to_owned(), signed(&theirs, &part(&tokens.access, 0), &tokens.claims())));
    refused(&app, &tokens, wrong).await;
}

#[tokio::test]
async fn jwt_05_what_would_have_to_be_understood_is_refused() {
    let (app, tokens) = signed_in().await;
    let extended = |crit: Value, name: &str| {
        let token = app.forged(&tokens.access, |header, _| {
            header["crit"] = crit.clone();
            header[name] = json!(false);
        });
        (format!("{crit} {name}"), token)
    };
    let wrong = [
        extended(json!(["x"]), "x"), extended(json!([]), "x"), extended(json!("exp"), "exp"), extended(json!(["exp"]), "exp"),
        extended(json!(["b64"]), "b64"), extended(json!(["alg"]), "y"),
    ];
    refused(&app, &tokens, wrong).await;
    let alone = [json!([]), json!(["x"]), json!(["typ"]), json!("typ")];
    refused(&app, &tokens, varied(&app, &tokens.access, "crit", alone)).await;
    refused(&app, &tokens, varied(&app, &tokens.access, "b64", [json!(false), json!(true)])).await;
    for (name, value) in [("zip", json!("DEF")), ("enc", json!("A128GCM")), ("cty", json!("JWT")), ("url", json!("x"))] {
        refused(&app, &tokens, varied(&app, &tokens.access, name, [value])).await;
    }
}

#[tokio::test]
async fn jwt_06_an_access_token_ends() {
    let (app, tokens) = signed_in().await;
    let wrong = [
        json!(null), json!("9999999999"), json!(true), json!([9_999_999_999_i64]), json!({}), json!(1e300), json!(-1), json!("NaN"),
        json!(0), json!(now() - 90), json!(9_999_999_999.5),
    ];
    let mut wrong = varied(&app, &tokens.access, ".exp", wrong);
    wrong.push(without(&app, &tokens.access, ".exp"));
    refused(&app, &tokens, wrong).await;
    let [(_, later)] = &varied(&app, &tokens.access, ".exp", [json!(now() + 60)])[..] else { panic!("one") };
    assert!(app.opens(later).await);
}

#[tokio::test]
async fn jwt_06_an_access_token_begins() {
    let (app, tokens) = signed_in().await;
    for claim in [".nbf", ".iat"] {
        let wrong = [
            json!(null), json!(now().to_string()), json!(true), json!([now()]), json!({}), json!(1e300), json!(now() + 120), json!(1.5),
        ];
        let mut wrong = varied(&app, &tokens.access, claim, wrong);
        wrong.push(without(&app, &tokens.access, claim));
        refused(&app, &tokens, wrong).await;
    }
}

#[tokio::test]
async fn jwt_07_the_issuer_is_this_application() {
    let (app, tokens) = signed_in().await;
    let wrong = [
        json!(null), json!(""), json!("https://evil.test"), json!("https://app.example.tes"), json!(format!("{BASE}.evil.test")),
        json!(format!("{BASE}/")), json!(BASE.to_uppercase()), json!([BASE]), json!([BASE, "https://evil.test"]), json!({}),
    ];
    let mut wrong = varied(&app, &tokens.access, ".iss", wrong);
    wrong.push(without(&app, &tokens.access, ".iss"));
    refused(&app, &tokens, wrong).await;
}

#[tokio::test]
async fn jwt_08_the_audience_is_this_application() {
    let (app, tokens) = signed_in().await;
    let wrong = [
        json!(null), json!(""), json!([]), json!("https://evil.test"), json!("https://app.example.tes"), json!(format!("{BASE}/")),
        json!(["https://evil.test"]), json!([""]), json!({}), json!(1), json!([1]),
    ];
    let mut wrong = varied(&app, &tokens.access, ".aud", wrong);
    wrong.push(without(&app, &tokens.access, ".aud"));
    refused(&app, &tokens, wrong).await;
    for (what, right) in varied(&app, &tokens.access, ".aud", [json!(BASE), json!([BASE])]) {
        assert!(app.opens(&right).await, "{what}");
    }
    let other = App::with(&[("AUTH_TOKEN_AUDIENCE", "https://api.example.test")]).await;
    other.account(ANN).await;
    let theirs = other.program(ANN).await;
    assert_eq!(theirs.claims()["aud"], "https://api.example.test");
    assert!(other.opens(&theirs.access).await);
}

#[tokio::test]
async fn jwt_09_what_is_signed_for_something_else_is_no_access_token() {
    let (app, tokens) = signed_in().await;
    let types = [
        json!("JWT"), json!("jwt"), json!(""), json!(null), json!("id+jwt"), json!("refresh+jwt"), json!("logout+jwt"), json!("at"),
        json!("at+jwt "), json!(["at+jwt"]), json!("application/"), json!("text/at+jwt"), json!("application/application/at+jwt"),
    ];
    let mut wrong = varied(&app, &tokens.access, "typ", types);
    wrong.push(without(&app, &tokens.access, "typ"));
    wrong.push(("refresh token".to_owned(), tokens.refresh.clone()));
    refused(&app, &tokens, wrong).await;
    for (what, right) in varied(&app, &tokens.access, "typ", [json!("AT+JWT"), json!("application/at+jwt")]) {
        assert!(app.opens(&right).await, "{what}");
    }
    for name in ["refresh_token", "token"] {
        let body = json!({ name: tokens.access[% if module.password %], "password": OTHER[% endif %] });
        for path in ["/auth/token/refresh"[% if module.password %], "/auth/password/reset", "/auth/verify"[% endif %]] {
            let answer = app.browser().post(path, body.clone()).await;
            assert!(answer.status.is_client_error(), "{path} {name}");
        }
    }
    let mut browser = app.browser();
    browser.cookies.insert(SESSION.to_owned(), tokens.access.clone());
    assert!(!browser.is_signed_in().await);
}

#[tokio::test]
async fn jwt_10_a_token_of_another_is_refused() {
    let (app, tokens) = signed_in().await;
    let bob = app.account(BOB).await;
    let wrong = varied(&app, &tokens.access, ".sub", [json!(bob), json!(""), json!(null), json!(1)]);
    refused(&app, &tokens, wrong).await;
    let wrong = varied(&app, &tokens.access, ".sid", [json!(""), json!("x"), json!(null), json!("a\u{0}b"), json!(1)]);
    refused(&app, &tokens, wrong).await;
    let wrong = varied(&app, &tokens.access, ".ver", [json!(1), json!(-1), json!("0"), json!(null), json!(0.0)]);
    refused(&app, &tokens, wrong).await;
}

#[tokio::test]
async fn jwt_11_tokens_are_short_lived_and_say_little() {
    let (app, tokens) = signed_in().await;
    let mut seen = std::collections::BTreeSet::new();
    let mut refresh = tokens.refresh;
    for _ in 0..100 {
        let next = Tokens::of(&app.refresh(&refresh).await);
        let (header, claims) = (part(&next.access, 0), next.claims());
        let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&header), "alg kid typ");
        assert_eq!(names(&claims), "amr aud auth_time exp iat iss jti nbf scope sid sub ver");
        assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
        let number = |name: &str| claims[name].as_i64().expect("a number");
        assert_eq!((number("exp") - number("iat"), number("nbf")), (600, number("iat")));
        assert!(!claims.to_string().contains("mail.test"));
        let jti = claims["jti"].as_str().expect("a name").to_owned();
        assert!(jti.len() >= 16 && seen.insert(jti));
        refresh = next.refresh;
    }
    // No longer than the family.
    app.sql("UPDATE auth_token_families SET expires_at = created_at + 100").await;
    let last = app.refresh(&refresh).await;
    assert!(last.json()["expires_in"].as_i64().is_some_and(|seconds| seconds <= 100), "{}", last.text);
}

#[test]
fn jwt_12_weak_and_foreign_keys_are_refused() {
    let read = |text: &str| {
        let mut variables = variables();
        variables.insert("AUTH_TOKEN_KEY", text.to_owned());
        super::read(&variables).err().map(|error| error.to_string())
    };
    let pkcs8 = |seed: &[u8]| {
        let prefix = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        STANDARD.encode([&prefix, seed].concat())
    };
    assert_eq!(read(&another_key()), None);
    // RFC 8032 7.1, TEST 1; it is that of RFC 8037 A, too.
    let sample = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69,
        0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    let counting: Vec<u8> = (0..32).collect();
    for (weak, why) in [
        ("", "is not set"),
        ("secret", "is not base64"),
        ("c2VjcmV0", "is not an Ed25519 key in PKCS#8"),
        (&STANDARD.encode([7; 32]), "is not an Ed25519 key in PKCS#8"),
        (&pkcs8(&[0; 32]), "does not look random"),
        (&pkcs8(&counting), "does not look random"),
        (&pkcs8(b"correct horse battery staple 123"), "does not look random"),
        (&pkcs8(&sample), "is one that documents print"),
        (&pkcs8(&sample[1..]), "is not an Ed25519 key in PKCS#8"),
        // A P-256 key, from RFC 6979 A.2.5.
        (P256, "is not an Ed25519 key in PKCS#8"),
    ] {
        let message = read(weak).expect(why);
        assert!(message.starts_with("AUTH_TOKEN_KEY ") && message.contains(why), "{message}");
        assert!(message.contains("auth token-key") && (weak.len() < 30 || !message.contains(weak)), "{message}");
    }
}

const P256: &str = "MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCDJr6nYRbp1FmtcIVdnsdaTTlDD2zbom7EntispTFaAcw==";

#[tokio::test]
async fn jwt_12_a_key_is_replaced_without_a_gap() {
    let app = App::new().await;
    app.account(ANN).await;
    let old = app.program(ANN).await;
    let (first, second) = (app.variables["AUTH_TOKEN_KEY"].clone(), another_key());
    let with = async |key: &str, old_keys: &str| {
        let mut variables = app.variables.clone();
        variables.insert("AUTH_TOKEN_KEY", key.to_owned());
        variables.insert("AUTH_TOKEN_OLD_KEYS", old_keys.to_owned());
        app.beside(&variables).await
    };
    let opens = async |router: &Router, token: &str| {
        let mut browser = app.browser().on(router).with("authorization", &format!("Bearer {token}"));
        browser.get("/auth/token/me").await.status == 200
    };
    let kids = async |router: &Router| {
        let jwks = app.browser().on(router).get("/.well-known/jwks.json").await;
        for key in jwks.json()["keys"].as_array().expect("keys") {
            let names: Vec<&str> = key.as_object().expect("a key").keys().map(String::as_str).collect();
            assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"], "public parts only");
        }
        let all = jwks.json()["keys"].as_array().expect("keys").clone();
        all.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect::<Vec<_>>()
    };
    let public = {
        let keys = app.browser().get("/.well-known/jwks.json").await.json();
        let x = URL_SAFE_NO_PAD.decode(keys["keys"][0]["x"].as_str().expect("a key")).expect("base64");
        STANDARD.encode([&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], &x[..]].concat())
    };
    // First every instance knows the new key, then it signs, then the old one goes.
    let known = with(&first, &second).await;
    let announced = kids(&known).await;
    assert_eq!(announced.len(), 2);
    let signs = with(&second, &first).await;
    let asked = json!({ "grant": "session" });
    let new = Tokens::of(&app.signed_in(ANN).await.on(&signs).post("/auth/token", asked).await);
    assert_eq!(part(&new.access, 0)["kid"], announced[1].as_str());
    for router in [&known, &signs] {
        assert!(opens(router, &old.access).await && opens(router, &new.access).await);
    }
    assert!(opens(&with(&second, &public).await, &old.access).await, "its public part is enough");
    let gone = with(&second, "").await;
    assert!(!opens(&gone, &old.access).await && opens(&gone, &new.access).await);
    assert_eq!(kids(&gone).await, announced[1..]);
    assert_eq!(kids(&with(&second, &second).await).await.len(), 1);
    for wrong in ["x", "c2VjcmV0", P256] {
        let mut variables = app.variables.clone();
        variables.insert("AUTH_TOKEN_OLD_KEYS", format!("{second},{wrong}"));
        let message = read(&variables).err().expect("a refusal").to_string();
        assert!(message.starts_with("AUTH_TOKEN_OLD_KEYS holds one that "), "{message}");
    }
}

#[tokio::test]
async fn jwt_13_a_token_counts_in_one_place() {
    let (app, tokens) = signed_in().await;
    let token = &tokens.access;
    for path in ["/auth/token/me", "/api/any"] {
        let query = app.browser().get(&format!("{path}?access_token={token}")).await;
        let cookie = app.browser().with("cookie", &format!("access_token={token}; {SESSION}={token}")).get(path).await;
        let header = app.browser().with("x-access-token", token).get(path).await;
        for answer in [query, cookie, header] {
            assert_eq!((answer.status.as_u16(), &answer.headers["www-authenticate"]), (401, &"Bearer".parse().expect("a value")));
        }
    }
    let mut browser = app.browser();
    let form = browser.request(Method::POST, "/api/any").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(browser.send(form.body(Body::from(format!("access_token={token}")))).await.status, 401);
}

#[tokio::test]
async fn jwt_13_the_header_is_read_strictly() {
    let (app, tokens) = signed_in().await;
    let token = &tokens.access;
    for wrong in [
        "Bearer".to_owned(), "Bearer ".to_owned(), "Bearer  ".to_owned(), format!("Bearer  {token}"), format!("Bearer {token} x"),
        format!("Bearer {token},"), format!("Bearer{token}"), format!("Token {token}"), token.clone(), format!("Bearer\t{token}"),
        format!("Bearer \"{token}\""), format!("Basic {token}"), "Bearer %%%".to_owned(), format!("Bearer {}", "a".repeat(64 * 1024)),
    ] {
        let answer = app.browser().with("authorization", &wrong).get("/auth/token/me").await;
        assert_eq!(answer.status, 401, "{}", &wrong[..wrong.len().min(80)]);
        assert!(answer.headers["www-authenticate"].to_str().expect("text").starts_with("Bearer"));
    }
    let mut browser = app.browser();
    for values in [[format!("Bearer {token}"), "Bearer x".to_owned()], ["Bearer x".to_owned(), format!("Bearer {token}")]] {
        let request = browser.request(Method::GET, "/auth/token/me");
        let [first, second] = values;
        let request = request.header("authorization", first).header("authorization", second);
        assert_eq!(browser.send(request.body(Body::empty())).await.status, 401);
    }
    let foreign = axum::http::HeaderValue::from_bytes(b"Bearer \xff\xfe").expect("a value");
    let request = browser.request(Method::GET, "/auth/token/me").header("authorization", foreign);
    assert_eq!(browser.send(request.body(Body::empty())).await.status, 401);
    for right in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER {token}")] {
        assert_eq!(app.browser().with("authorization", &right).get("/auth/token/me").await.status, 200);
    }
}

#[tokio::test]
async fn jwt_14_what_is_oversized_or_exotic_is_refused() {
    let (app, tokens) = signed_in().await;
    let deep = "[".repeat(3_000);
    let padded = app.forged(&tokens.access, |_, claims| claims["x"] = json!("x".repeat(9_000)));
    let parts: Vec<&str> = tokens.access.split('.').collect();
    let wrong = [
        ("a megabyte", "a".repeat(1 << 20)),
        ("dots", ".".repeat(200_000)),
        ("a few dots", ".".repeat(5_000)),
        ("deep", format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(&deep), parts[2])),
        ("a deep header", format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(&deep), parts[1], parts[2])),
        ("a JWE", format!("{}..{}.{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A128GCM","zip":"DEF"}"#), parts[1], parts[1], parts[2])),
        ("right, but too long", padded),
    ];
    refused(&app, &tokens, wrong.map(|(what, token)| (what.to_owned(), token))).await;
    // Not more than it must be: what fits is read.
    let padded = app.forged(&tokens.access, |_, claims| claims["x"] = json!("x".repeat(5_000)));
    assert!(app.opens(&padded).await);
}

#[tokio::test]
async fn jwt_15_a_scope_is_asked_for_and_compared_as_a_whole() {
    let (app, tokens) = signed_in().await;
    assert_eq!(app.api("/api/read", &tokens.access).await.status, 200);
    let scopes = [
        json!(""), json!("write"), json!("reads"), json!("rea"), json!("READ"), json!(["read"]), json!(null), json!("read,write"),
        json!("read\twrite"), json!({ "read": true }),
    ];
    let mut wrong = varied(&app, &tokens.access, ".scope", scopes);
    wrong.push(without(&app, &tokens.access, ".scope"));
    for (what, token) in wrong {
        let answer = app.api("/api/read?scope=read", &token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "insufficient_scope".to_owned()), "{what}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"insufficient_scope\", scope=\"read\"");
        assert_eq!(app.api("/api/any", &token).await.status, 200, "{what}");
    }
    for (what, token) in varied(&app, &tokens.access, ".scope", [json!("read"), json!("write read")]) {
        assert_eq!(app.api("/api/read", &token).await.status, 200, "{what}");
    }
    assert_eq!(app.api("/api/reports", &tokens.access).await.code(), "insufficient_scope", "a scope of the application's own");
}

#[tokio::test]
async fn jwt_15_an_old_sign_in_is_not_fresh() {
    let (app, tokens) = signed_in().await;
    assert_eq!(app.api("/api/fresh", &tokens.access).await.status, 200);
    for (what, token) in varied(&app, &tokens.access, ".auth_time", [json!(now() - 601), json!(0), json!(-1)]) {
        let answer = app.api("/api/fresh", &token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "insufficient_user_authentication".to_owned()), "{what}");
        let reauth = app.auth.settings().policy.reauth;
        let challenge = format!("Bearer error=\"insufficient_user_authentication\", max_age=\"{reauth}\"");
        assert_eq!(answer.headers["www-authenticate"], challenge);
        assert!(app.opens(&token).await);
    }
    // A refresh does not make it younger.
    app.sql("UPDATE auth_token_families SET authenticated_at = authenticated_at - 601").await;
    let next = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert_eq!(app.api("/api/fresh", &next.access).await.code(), "insufficient_user_authentication");
}

//! Whose account an identity opens, and who may add or take one.

use super::*;

const SEEN: &str = "SELECT COUNT(*) FROM auth_identities";

#[tokio::test]
async fn oic_19_an_account_is_found_by_issuer_and_subject() {
    let world = World::new().await;
    let first = world.federated("s1", ANN).await.me().await["id"].clone();
    let mut browser = world.app.browser();
    for (sub, email) in [("s2", ANN), ("S1", ANN), (" s1", ANN)] {
        world.provider.is(sub, email);
        assert_eq!(world.sign_in(&mut browser).await.code(), "account_exists", "{sub}");
    }
    world.provider.is("s3", BOB);
    world.provider.does().claims["preferred_username"] = json!(first);
    world.provider.does().claims["upn"] = json!(ANN);
    assert_eq!(world.sign_in(&mut browser).await.status, 303);
    assert_ne!(browser.me().await["id"], first);
    let mut same = world.federated("s1", "elsewhere@mail.test").await;
    let me = same.me().await;
    assert_eq!((&me["id"], &me["email"], &me["amr"]), (&first, &json!(ANN), &json!(["fed"])));
}

#[tokio::test]
async fn oic_19_the_same_subject_elsewhere_is_somebody_else() {
    let world = World::new().await;
    let first = world.federated("s1", ANN).await.me().await["id"].clone();
    world.other.is("s1", BOB);
    let mut browser = world.app.browser();
    let path = world.other.consents(&browser.start("other").await);
    assert_eq!(browser.get(&path).await.status, 303);
    assert_ne!(browser.me().await["id"], first);
    assert_eq!(world.app.number(SEEN).await, 2);
}

#[tokio::test]
async fn oic_20_an_account_is_not_handed_over_for_its_address() {
    let world = World::new().await;
    world.app.account(ANN).await;
    for verified in [json!(true), json!(false), json!("false"), json!(1), Value::Null] {
        world.provider.is("s-mallory", ANN);
        world.provider.does().claims["email_verified"] = verified.clone();
        let mut browser = world.app.browser();
        let answer = world.sign_in(&mut browser).await;
        assert!(matches!(answer.status.as_u16(), 400 | 403 | 409), "{verified}");
        assert!(!browser.is_signed_in().await, "{verified}");
    }
    assert_eq!(world.app.number(SEEN).await, 0);
}

#[tokio::test]
async fn oic_20_an_address_that_nobody_vouches_for_makes_no_account() {
    let world = World::new().await;
    let unproven = [
        json!({ "sub": "s", "email": ANN }),
        json!({ "sub": "s", "email": ANN, "email_verified": false }),
        json!({ "sub": "s", "email": ANN, "email_verified": null }),
        json!({ "sub": "s", "email": "a@mail.test,victim@mail.test", "email_verified": true }),
        json!({ "sub": "s", "email": "not an address", "email_verified": true }),
        json!({ "sub": "s", "email": "", "email_verified": true }),
        json!({ "sub": "s", "email": "a\u{0}@mail.test", "email_verified": true }),
    ];
    for claims in unproven {
        world.provider.does().claims = claims.clone();
        let answer = world.sign_in(&mut world.app.browser()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "email_unverified"), "{claims}");
    }
    world.provider.does().claims = json!({ "sub": "s" });
    world.provider.does().userinfo = json!({ "sub": "s" });
    let answer = world.sign_in(&mut world.app.browser()).await;
    assert_eq!(answer.code(), "email_unverified", "no address at all");
    assert_eq!(world.app.number("SELECT COUNT(*) FROM auth_users").await, 0);
}

[% if module.password -%]
#[tokio::test]
async fn oic_21_what_a_stranger_set_up_before_is_gone() {
    let world = World::new().await;
    let (mut mallory, token) = world.app.unconfirmed(ANN).await;
    world.app.sql(
        "INSERT INTO auth_identities (id, user_id, provider, issuer, subject, linked_at)
         SELECT 'i', id, 'other', 'http://mallory.test', 's-mallory', 1 FROM auth_users",
    )
    .await;
    world.app.sql("UPDATE auth_users SET verified_at = 1").await;
    let mut session = world.app.signed_in(ANN).await;
    world.app.sql("UPDATE auth_users SET verified_at = NULL").await;

    let mut ann = world.federated("s-ann", ANN).await;
    assert_eq!(ann.me().await["email"], ANN);
    assert!(!session.is_signed_in().await);
    assert_eq!(mallory.login(ANN, PASSWORD).await.code(), "invalid_credentials");
    let verified = mallory.post("/auth/verify", json!({ "token": token })).await;
    assert_eq!(verified.code(), "token_invalid");
    assert!(!mallory.is_signed_in().await);
    let identities = ann.identities().await;
    assert_eq!(identities.len(), 1, "{identities:?}");
    assert_eq!(world.app.number("SELECT COUNT(*) FROM auth_users").await, 1);
}

#[tokio::test]
async fn an_account_without_a_password_takes_none_and_can_get_one() {
    let world = World::new().await;
    let mut ann = world.federated("s-ann", ANN).await;
    for guess in ["", PASSWORD] {
        assert_ne!(world.app.browser().login(ANN, guess).await.status, 200, "{guess}");
        assert_ne!(ann.reauth(guess).await.status, 200, "{guess}");
        assert_ne!(ann.change(guess, OTHER).await.status, 200, "{guess}");
    }
    let token = world.app.reset_token(ANN).await;
    assert_eq!(world.app.browser().reset(&token, OTHER).await.status, 200);
    assert_eq!(world.app.browser().login(ANN, OTHER).await.status, 200);
    assert!(!ann.is_signed_in().await, "the sessions of before end");
    assert_eq!(world.sign_in(&mut ann).await.status, 303, "the identity stays");
}

[% endif -%]
#[tokio::test]
async fn ses_11_a_disabled_account_stays_shut() {
    let world = World::new().await;
    let mut ann = world.federated("s-ann", ANN).await;
    world.app.sql("UPDATE auth_users SET disabled_at = 1").await;
    assert!(!ann.is_signed_in().await);
    assert_eq!(world.sign_in(&mut ann).await.code(), "oidc_refused");
    assert!(!ann.is_signed_in().await);
}

#[tokio::test]
async fn ses_03_a_sign_in_begins_a_session_of_its_own() {
    let world = World::new().await;
    let mut browser = world.app.browser();
    browser.cookies.insert(SESSION.to_owned(), Id::default().to_string());
    let planted = browser.session();
    assert_eq!(world.sign_in(&mut browser).await.status, 303);
    let first = browser.session();
    assert!(first != planted && browser.is_signed_in().await);
    let mut old = browser.clone();
    assert_eq!(world.sign_in(&mut browser).await.status, 303);
    assert_ne!(browser.session(), first);
    assert!(!old.is_signed_in().await, "the one before ended");
}

#[tokio::test]
async fn oic_22_linking_takes_a_fresh_session_of_this_site() {
    let world = World::new().await;
    assert_eq!(world.app.browser().link("test").await.code(), "not_signed_in");
    let mut bob = world.app.signed_in_account(BOB).await;
    let mut foreign = bob.clone().with("origin", "https://evil.test");
    assert_eq!(foreign.link("test").await.code(), "foreign_request");
    world.app.sql("UPDATE auth_sessions SET authenticated_at = authenticated_at - 3601").await;
    assert_eq!(bob.link("test").await.code(), "reauth_required");
    assert_eq!(bob.delete("/auth/oidc/test/link").await.code(), "reauth_required");
    assert_eq!(world.app.number("SELECT COUNT(*) FROM auth_oidc_transactions").await, 0);
}

#[tokio::test]
async fn oic_22_a_linked_identity_opens_the_account() {
    let world = World::new().await;
    let mut bob = world.app.signed_in_account(BOB).await;
    let path = world.provider.consents(&location(&bob.link("test").await));
    assert_eq!(bob.get(&path).await.status, 303);
    let identities = bob.identities().await;
    assert_eq!((&identities[0]["provider"], &identities[0]["email"]), (&json!("test"), &json!(ANN)));
    assert!(identities[0]["linked_at"].as_str().is_some_and(|time| time.ends_with('Z')));
    let mut other = world.app.browser();
    assert_eq!(world.sign_in(&mut other).await.status, 303);
    assert_eq!(other.me().await["email"], BOB, "whatever address the provider says");
    assert_eq!(other.me().await["amr"], json!(["fed"]));
[%- if module.password %]
    assert!(world.app.last_mail(BOB).await.0.contains("sign in was added"));
[%- endif %]
    let exported = bob.get("/auth/export").await.json();
    assert_eq!(exported["identities"][0]["provider"], "test");
}

#[tokio::test]
async fn oic_22_what_is_linked_is_the_account_that_began() {
    let world = World::new().await;
    let mut ann = world.app.signed_in_account("ann2@mail.test").await;
    let path = world.provider.consents(&location(&ann.link("test").await));
    let bob = world.app.signed_in_account(BOB).await;
    ann.cookies.insert(SESSION.to_owned(), bob.session());
    assert_eq!(ann.get(&path).await.code(), "oidc_refused", "another user since");
    assert_eq!(world.app.number(SEEN).await, 0);
    let mut ann = world.app.signed_in("ann2@mail.test").await;
    let path = world.provider.consents(&location(&ann.link("test").await));
    ann.cookies.remove(SESSION);
    assert_eq!(ann.get(&path).await.code(), "oidc_refused", "nobody since");
    assert_eq!(world.app.number("SELECT COUNT(*) FROM auth_sessions WHERE amr = 'fed'").await, 0);
}

#[tokio::test]
async fn oic_22_an_answer_does_what_it_was_asked_for() {
    let world = World::new().await;
    let mut bob = world.app.signed_in_account(BOB).await;
    let path = world.returning(&mut bob).await;
    world.provider.is("s-ann", ANN);
    assert_eq!(bob.get(&path).await.status, 303);
    assert_eq!(bob.me().await["email"], ANN, "a sign-in signs in and links nothing to who was here");
    let mut bob = world.app.signed_in(BOB).await;
    assert!(bob.identities().await.is_empty());
}

#[tokio::test]
async fn oic_22_an_identity_is_not_moved() {
    let world = World::new().await;
    let ann = world.federated("s-ann", ANN).await.me().await["id"].clone();
    let mut bob = world.app.signed_in_account(BOB).await;
    let path = world.provider.consents(&location(&bob.link("test").await));
    let answer = bob.get(&path).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "identity_taken"));
    assert!(bob.identities().await.is_empty());
    assert_eq!(world.federated("s-ann", ANN).await.me().await["id"], ann);
}

#[tokio::test]
async fn oic_22_nobody_unlinks_what_is_not_theirs() {
    let world = World::new().await;
    let mut ann = world.federated("s-ann", ANN).await;
    let mut bob = world.app.signed_in_account(BOB).await;
    for id in ["test", "other", "unknown", "%00"] {
        let answer = bob.delete(&format!("/auth/oidc/{id}/link")).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "identity_unknown"), "{id}");
    }
    assert_eq!(ann.identities().await.len(), 1);
}

#[tokio::test]
async fn oic_23_the_last_way_in_stays() {
    let world = World::new().await;
    let mut ann = world.federated("s-ann", ANN).await;
    let answer = ann.delete("/auth/oidc/test/link").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (409, "last_login_method"));
    // One at a provider that is not in the settings any more is no way in.
    let gone = "INSERT INTO auth_identities (id, user_id, provider, issuer, subject, linked_at)
         SELECT 'gone', id, 'gone', 'https://gone.test', 's-ann', 1 FROM auth_users";
    assert_eq!(world.app.sql(gone).await, 1);
    assert_eq!(ann.delete("/auth/oidc/test/link").await.code(), "last_login_method");
    world.app.sql("DELETE FROM auth_identities WHERE id = 'gone'").await;
    world.other.is("o-ann", ANN);
    let path = world.other.consents(&location(&ann.link("other").await));
    assert_eq!(ann.get(&path).await.status, 303);
    let delete = |id: &str| {
        let path = format!("/auth/oidc/{id}/link");
        let request = ann.request(Method::DELETE, &path).header("origin", BASE);
        request.body(Body::empty()).expect("a request")
    };
    let answers = world.app.parallel([delete("test"), delete("other")]).await;
    let gone = answers.iter().filter(|answer| answer.status == 204).count();
    assert_eq!((gone, world.app.number(SEEN).await), (1, 1));
}

#[tokio::test]
async fn ses_10_an_unlinked_identity_opens_nothing_and_its_sessions_end() {
    let world = World::new().await;
    let mut bob = world.app.signed_in_account(BOB).await;
    for provider in [&world.provider, &world.other] {
        let id = if provider.issuer == world.provider.issuer { "test" } else { "other" };
        let path = provider.consents(&location(&bob.link(id).await));
        assert_eq!(bob.get(&path).await.status, 303);
    }
    let mut elsewhere = world.app.browser();
    assert_eq!(world.sign_in(&mut elsewhere).await.status, 303);
    assert_eq!(bob.delete("/auth/oidc/test/link").await.status, 204);
    assert!(!elsewhere.is_signed_in().await && bob.is_signed_in().await);
    assert_eq!(world.sign_in(&mut elsewhere).await.status, 303);
    assert_eq!(elsewhere.me().await["email"], ANN, "an account of its own");
}

#[tokio::test]
async fn oic_26_reauth_takes_somebody_who_signed_in_just_now() {
    let world = World::new().await;
    let mut ann = world.federated("s-ann", ANN).await;
    world.app.sql("UPDATE auth_sessions SET authenticated_at = authenticated_at - 3601").await;
    assert_eq!(ann.get("/auth/export").await.code(), "reauth_required");
    let ask = |answer: Answer| {
        let asked = parameters(&location(&answer));
        assert_eq!((asked["prompt"].as_str(), asked["max_age"].as_str()), ("login", "0"));
        location(&answer)
    };
    let lies: [fn(&mut Draft); 2] = [
        |draft| draft.claims["auth_time"] = json!(crate::auth::db::now() - 120),
        |draft| drop(draft.claims.as_object_mut().expect("claims").remove("auth_time")),
    ];
    for lie in lies {
        world.provider.lies(lie);
        let path = world.provider.consents(&ask(ann.asks("test", "reauth", json!({})).await));
        assert_eq!(ann.get(&path).await.code(), "oidc_refused");
        assert_eq!(ann.get("/auth/export").await.code(), "reauth_required");
    }
    world.provider.lies(|_| ());
    let before = ann.session();
    let path = world.provider.consents(&ask(ann.asks("test", "reauth", json!({})).await));
    world.provider.lies(|draft| draft.claims["auth_time"] = json!(crate::auth::db::now() - 45));
    assert_eq!(ann.get(&path).await.status, 303);
    assert!(ann.me().await["auth_time"].as_i64() > Some(crate::auth::db::now() - 30), "its clock is behind");
    assert_ne!(ann.session(), before);
    assert_eq!(ann.get("/auth/export").await.status, 200);
}

#[tokio::test]
async fn ses_13_who_signed_in_at_the_provider_long_ago_is_not_fresh() {
    let world = World::new().await;
    let mut ann = world.federated("s-ann", ANN).await;
    let lies: [fn(&mut Draft); 3] = [
        |draft| draft.claims["auth_time"] = json!(crate::auth::db::now() - 3601),
        |draft| draft.claims["auth_time"] = json!(crate::auth::db::now() * 1_000),
        |draft| drop(draft.claims.as_object_mut().expect("claims").remove("auth_time")),
    ];
    for lie in lies {
        world.provider.lies(lie);
        let begun = ann.start("test").await;
        assert!(parameters(&begun).contains_key("max_age"), "the provider is asked when");
        let path = world.provider.consents(&begun);
        assert_eq!(ann.get(&path).await.status, 303);
        assert!(ann.is_signed_in().await);
        assert_eq!(ann.get("/auth/export").await.code(), "reauth_required");
        assert_eq!(ann.asks("other", "link", json!({})).await.code(), "reauth_required");
    }
    world.provider.lies(|_| ());
    assert_eq!(world.sign_in(&mut ann).await.status, 303);
    assert_eq!(ann.get("/auth/export").await.status, 200);
}

#[tokio::test]
async fn oic_26_reauth_is_of_the_same_user() {
    let world = World::new().await;
    let mut ann = world.federated("s-ann", ANN).await;
    assert_eq!(ann.asks("posts", "reauth", json!({})).await.code(), "reauth_unsupported");
    assert_eq!(world.app.browser().asks("test", "reauth", json!({})).await.code(), "not_signed_in");
    world.federated("s-bob", BOB).await;
    world.app.sql("UPDATE auth_sessions SET authenticated_at = authenticated_at - 3601").await;
    let path = world.provider.consents(&location(&ann.asks("test", "reauth", json!({})).await));
    assert_eq!(ann.get(&path).await.code(), "oidc_refused", "bob's identity");
    assert_eq!(ann.get("/auth/export").await.code(), "reauth_required");
    assert_eq!(ann.me().await["email"], ANN);
}

#[tokio::test]
async fn oic_28_claims_set_nothing_but_who_it_is() {
    let world = World::new().await;
    world.provider.does().claims = json!({
        "sub": "s-ann", "email": ANN, "email_verified": true, "name": "<script>".repeat(10_000),
        "role": "admin", "is_admin": true, "id": "1", "password_hash": "x", "disabled_at": 1,
        "epoch": 99, "picture": "javascript:alert(1)", "user_id": "1",
    });
    let mut ann = world.app.browser();
    assert_eq!(world.sign_in(&mut ann).await.status, 303);
    let me = ann.get("/auth/me").await.text + &ann.get("/auth/export").await.text;
    assert!(!me.contains("script") && !me.contains("admin"), "{me}");
    assert_eq!(world.app.number("SELECT epoch FROM auth_users").await, 0);
    assert_eq!(world.app.number("SELECT COUNT(password_hash) FROM auth_users").await, 0);
}

#[tokio::test]
async fn rac_04_parallel_first_sign_ins_make_one_account() {
    let world = World::new().await;
    let mut requests = Vec::new();
    for turn in 0..8_u8 {
        let mut browser = world.app.browser().from([192, 0, 2, turn]);
        let path = world.returning(&mut browser).await;
        requests.push(browser.request(Method::GET, &path).body(Body::empty()).expect("a request"));
    }
    let answers = world.app.parallel(requests).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(statuses.iter().all(|status| *status == 303), "{statuses:?}");
    assert_eq!(world.app.number("SELECT COUNT(*) FROM auth_users").await, 1);
    assert_eq!(world.app.number(SEEN).await, 1);
}

#[tokio::test]
async fn log_02_what_is_done_and_refused_is_recorded() {
    let world = World::new().await;
    let mut ann = world.federated("s-ann", ANN).await;
    world.other.is("o-ann", ANN);
    let path = world.other.consents(&location(&ann.link("other").await));
    assert_eq!(ann.get(&path).await.status, 303);
    assert_eq!(ann.delete("/auth/oidc/other/link").await.status, 204);
    assert_eq!(ann.get("/auth/oidc/test/callback?state=x&code=y").await.code(), "oidc_refused");
    let mut bob = world.federated("s-bob", BOB).await;
    world.other.is("o-bob", ANN);
    let path = world.other.consents(&world.app.browser().start("other").await);
    assert_eq!(bob.get(&path).await.code(), "oidc_refused", "begun in another browser");
    let path = world.other.consents(&bob.start("other").await);
    assert_eq!(bob.get(&path).await.code(), "account_exists");
    world.provider.is("s-ann", ANN);
    let path = world.provider.consents(&location(&bob.link("test").await));
    assert_eq!(bob.get(&path).await.code(), "identity_taken");
    let mut db = world.app.auth.db().pool().acquire().await.expect("a connection");
    let trail = crate::auth::audit::lines(&mut db, None, 100).await.expect("a trail").join("\n");
    for event in ["federated_login", "identity_linked", "identity_unlinked", "oidc_refused"] {
        assert!(trail.contains(event), "{event}: {trail}");
    }
    for reason in ["state", "browser", "account_exists", "identity_taken"] {
        assert!(trail.contains(reason), "{reason}: {trail}");
    }
    assert!(!trail.contains(ANN) && !trail.contains("s-ann"), "{trail}");
}

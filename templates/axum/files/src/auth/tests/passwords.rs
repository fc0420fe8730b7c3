use serde_json::{Value, json};

use super::*;

async fn rejected(app: &App, password: &str) -> String {
    app.browser().register("joan.alder.lovelace@mail.test", password).await.code()
}

#[tokio::test]
async fn pwd_01_argon2id_at_the_floor_with_a_salt_each() {
    let app = App::costing(Cost::STANDARD, &[]).await;
    let settings = read(&variables()).expect("settings");
    assert_eq!(settings.cost, Cost::STANDARD, "what the application runs with");
    for email in [ANN, BOB] {
        assert_eq!(app.browser().register(email, PASSWORD).await.status, 202);
    }
    let rows: Vec<String> = sqlx::query_scalar("SELECT password_hash FROM auth_users")
        .fetch_all(app.auth.db().pool())
        .await
        .expect("rows");
    let parts: Vec<Vec<&str>> = rows.iter().map(|row| row.split('$').collect()).collect();
    for part in &parts {
        assert_eq!(part[1..4], ["argon2id", "v=19", "m=19456,t=2,p=1"]);
        assert!(part[4].len() >= 22 && part[5].len() >= 43, "16-byte salt, 32-byte tag");
    }
    assert_ne!(parts[0][4], parts[1][4]);
    assert_ne!(parts[0][5], parts[1][5]);
}

#[tokio::test]
async fn pwd_02_length_counts_code_points() {
    let app = App::new().await;
    let minimum = [% if profile == "consumer" %]12[% else %]15[% endif %];
    let first = |text: &str, count: usize| text.chars().take(count).collect::<String>();
    let (letters, emoji) = ("kX9vQ2mLw7TzRpB", "🦀🎈🌵🧭🍋🛶🎻🪁🧲🦉🌶🥁🚲🪴🔭");
    let short = [first(letters, minimum - 1), first(emoji, minimum - 1)];
    for short in &short {
        assert_eq!(rejected(&app, short).await, "password_too_short");
    }
    assert_eq!(app.number("SELECT count(*) FROM auth_users").await, 0);
    for (email, text) in [(ANN, letters), ("cleo@mail.test", emoji)] {
        assert_eq!(app.browser().register(email, &first(text, minimum)).await.status, 202);
    }
    let mut bob = app.signed_in_account(BOB).await;
    assert_eq!(bob.change(PASSWORD, &short[0]).await.code(), "password_too_short");
    let token = app.reset_token(BOB).await;
    assert_eq!(app.browser().reset(&token, &short[1]).await.code(), "password_too_short");
}

#[tokio::test]
async fn pwd_03_every_character_of_a_long_password_counts() {
    let app = App::new().await;
    let long: String = (0..100).map(|n| char::from(b'!' + (n * 37 % 90) as u8)).collect();
    assert_eq!(app.browser().register(ANN, &long).await.status, 202);
    app.sql("UPDATE auth_users SET verified_at = 1").await;
    let other_end = format!("{}{}", &long[..72], "z".repeat(28));
    for wrong in [&long[..72], &long[..99], other_end.as_str()] {
        assert_eq!(app.browser().login(ANN, wrong).await.code(), "invalid_credentials");
    }
    assert_eq!(app.browser().login(ANN, &long).await.status, 200);
    let too_long = "kX9v".repeat(65);
    assert_eq!(rejected(&app, &too_long).await, "password_too_long");
    assert_eq!(rejected(&app, &"é".repeat(600)).await, "password_too_long");
}

#[tokio::test]
async fn pwd_04_no_rules_about_kinds_of_characters() {
    let app = App::new().await;
    let password = "qhzvkwmxjrbtdnplgfyc";
    assert_eq!(app.browser().register(ANN, password).await.status, 202);
    let start = std::time::Instant::now();
    for guessable in ["mnbvcxz mnbvcxz mnbvcxz", "2468-2468-2468-2468", &"quiet".repeat(40)] {
        assert_eq!(rejected(&app, guessable).await, "password_guessable", "{guessable}");
    }
    // A weak beginning does not spoil a strong end.
    let long = format!("{}{password}", "quiet".repeat(20));
    assert_eq!(app.browser().register(BOB, &long).await.status, 202);
    assert!(start.elapsed().as_secs() < 20, "estimating a long password is bounded");
}

#[tokio::test]
async fn pwd_05_common_passwords_are_refused_everywhere() {
    let app = App::new().await;
    let minimum = app.auth.settings().policy.password_min as usize;
    let list: Vec<&str> = include_str!("../common_passwords.txt")
        .lines()
        .filter(|line| !line.starts_with("#!comment:") && line.chars().count() >= minimum)
        .collect();
    assert!(list.len() >= 3_000, "ASVS 6.2.4 counts those that meet the policy");
    assert!(list.iter().any(|entry| entry.chars().count() == minimum));
    for entry in [list[0], list[99], list[2999], list[list.len() - 1]] {
        assert_eq!(rejected(&app, entry).await, "password_common");
        let upper = entry.to_uppercase();
        assert_eq!(rejected(&app, &upper).await, "password_common");
    }
    let mut ann = app.signed_in_account(ANN).await;
    assert_eq!(ann.change(PASSWORD, list[1]).await.code(), "password_common");
    let token = app.reset_token(ANN).await;
    assert_eq!(app.browser().reset(&token, list[1]).await.code(), "password_common");
    assert_eq!(app.browser().reset(&token, OTHER).await.status, 200);
}

#[tokio::test]
async fn pwd_07_passwords_made_of_context_are_refused() {
    let app = App::new().await;
    for word in [
        "joan.alder.lovelace@mail.test",
        "JOANALDERLOVELACE",
        "acmeportalacmeportal",
        "AcmePortal-2026!!",
        "app.example.test2026!",
    ] {
        assert_eq!(rejected(&app, word).await, "password_contextual", "{word}");
    }
    assert_eq!(rejected(&app, "vX4 acmeportal pL9 wqz").await, "", "contains is fine");
}

#[tokio::test]
async fn pwd_08_a_change_needs_the_current_password() {
    let app = App::new().await;
    let mut ann = app.signed_in_account(ANN).await;
    let before = app.text("SELECT password_hash FROM auth_users").await;
    for current in [Value::Null, json!([PASSWORD]), json!("")] {
        let body = json!({ "current_password": current, "new_password": OTHER });
        let answer = ann.post("/auth/password", body).await;
        assert!(answer.status.is_client_error(), "{current}");
    }
    let missing = ann.post("/auth/password", json!({ "new_password": OTHER })).await;
    assert_eq!(missing.status, 422);
    let anonymous = app.browser().change(PASSWORD, OTHER).await;
    assert_eq!(anonymous.status, 401);
    assert_eq!(app.text("SELECT password_hash FROM auth_users").await, before);
    assert_eq!(ann.change(PASSWORD, OTHER).await.status, 200);
    assert_ne!(app.text("SELECT password_hash FROM auth_users").await, before);
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 401);
}

#[tokio::test]
async fn pwd_09_an_outdated_hash_follows_at_login() {
    let app = App::costing(Cost::STANDARD, &[]).await;
    app.account(ANN).await;
    assert_eq!(app.browser().login(ANN, "wrong").await.status, 401);
    assert_eq!(app.text("SELECT password_hash FROM auth_users").await, *HASH);
    assert_eq!(app.browser().login(ANN, PASSWORD).await.status, 200);
    let stored = app.text("SELECT password_hash FROM auth_users").await;
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn pwd_10_passwords_are_never_echoed() {
    let app = App::new().await;
    let secret = "SENT-7f3a";
    for body in [
        json!({ "email": "x", "password": secret }),
        json!({ "email": ANN, "password": [secret] }),
        json!({ "email": ANN, "password": { "x": secret } }),
        json!({ "email": ANN, "password": secret.repeat(200) }),
    ] {
        for path in ["/auth/register", "/auth/login"] {
            let answer = app.browser().post(path, body.clone()).await;
            assert!(answer.status.is_client_error());
            assert!(!answer.code().is_empty());
            assert!(!answer.text.contains(secret), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn pwd_12_only_nfc_is_applied() {
    let app = App::new().await;
    let password = "  Ünïcödé ﬁle  pass  phrase  ";
    assert_eq!(app.browser().register(ANN, password).await.status, 202);
    app.sql("UPDATE auth_users SET verified_at = 1").await;
    let decomposed = "  U\u{308}ni\u{308}co\u{308}de\u{301} ﬁle  pass  phrase  ";
    assert_ne!(password, decomposed);
    assert_eq!(app.browser().login(ANN, decomposed).await.status, 200);
    let compatible = password.replace('ﬁ', "fi");
    for wrong in [password.trim(), compatible.as_str(), &password.to_lowercase()] {
        assert_eq!(app.browser().login(ANN, wrong).await.status, 401, "{wrong}");
    }
}

use std::{cell::RefCell, collections::BTreeSet, path::Path};

use super::*;
use crate::auth::settings::{development_file, Secret};

/// The name of the setting that is refused, and the whole message.
fn refusal(changes: &[(&'static str, &str)]) -> Option<(&'static str, String)> {
    let mut variables = variables();
    variables.extend(changes.iter().map(|(name, value)| (*name, (*value).to_owned())));
    match read(&variables) {
        Ok(_) => None,
        Err(StartError::Setting { name, why, fix }) => {
            let message = StartError::Setting { name, why, fix }.to_string();
            Some((name, message))
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn cfg_01_what_is_missing_is_named() {
    assert_eq!(refusal(&[]), None);
    for name in ["AUTH_SECRET", "AUTH_BASE_URL", [% if module.password %]"AUTH_MAIL_FROM", "SMTP_URL", [% endif %]"DATABASE_URL"] {
        for value in ["", "  \t"] {
            let (refused, message) = refusal(&[(name, value)]).expect("a refusal");
            assert_eq!(refused, name);
            assert!(message.contains(name) && message.contains("is not set"), "{message}");
        }
        let mut variables = variables();
        variables.remove(name);
        assert!(matches!(read(&variables), Err(StartError::Setting { name: n, .. }) if n == name));
    }
}

#[test]
fn cfg_02_weak_secrets_are_refused() {
    let ascending: String = (0..32).map(|n| format!("{n:02x}")).collect();
    let counting_down: String = (0..32).map(|n| format!("{:02x}", 200 - 3 * n)).collect();
    for weak in [
        "secret",
        "changeme",
        &"changeme".repeat(8),
        &"a".repeat(64),
        &"0".repeat(64),
        &"0123456789abcdef".repeat(4),
        &"A".repeat(44),
        &ascending,
        &counting_down,
        &tokens::random::<31>(),
        // A sentence in base64.
        "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZyBhZ2Fpbi4=",
        "$(openssl rand -base64 32)",
    ] {
        let (name, message) = refusal(&[("AUTH_SECRET", weak)]).expect(weak);
        assert_eq!(name, "AUTH_SECRET");
        assert!(!message.contains(weak) || weak.starts_with('$'), "{message}");
        assert!(message.contains("openssl rand -base64 32"), "{message}");
    }
    let (url_safe, longer) = (tokens::random::<32>(), tokens::random::<64>());
    let standard = url_safe.replace('-', "+").replace('_', "/");
    let hex: String = tokens::hash(&url_safe).iter().map(|b| format!("{b:02x}")).collect();
    for good in [url_safe, format!("{standard}="), standard, hex.to_uppercase(), hex, longer] {
        assert_eq!(refusal(&[("AUTH_SECRET", &good)]), None);
    }
}

#[test]
fn cfg_03_production_refuses_what_is_unsafe() {
    for (name, value) in [
        ("AUTH_BASE_URL", "http://app.example.test"),
        ("AUTH_BASE_URL", "http://localhost:3000"),
        ("AUTH_BASE_URL", "app.example.test"),
        ("AUTH_BASE_URL", "https://app.example.test/path"),
        ("AUTH_BASE_URL", "https://app.example.test?x"),
        ("AUTH_BASE_URL", "https://user@app.example.test"),
        ("AUTH_BASE_URL", "https://App.example.test"),
        ("AUTH_BASE_URL", "https://app.example.test:443"),
        ("AUTH_BASE_URL", "https://"),
[%- if module.password %]
        ("SMTP_URL", "smtp://mail.example.test"),
        ("SMTP_URL", "smtp://mail.example.test?tls=opportunistic"),
        ("SMTP_URL", "http://mail.example.test"),
[%- endif %]
        ("AUTH_TRUSTED_PROXIES", "0.0.0.0/0"),
        ("AUTH_TRUSTED_PROXIES", "10.0.0.1, ::/0"),
        ("AUTH_TRUSTED_PROXIES", "*"),
[%- if module.password %]
        ("AUTH_MAIL_FROM", "nobody"),
[%- endif %]
        ("AUTH_ENV", "dev"),
        ("AUTH_ENV", "Development"),
    ]
    .into_iter()
    .chain(database::REFUSED.map(|url| ("DATABASE_URL", url)))
    {
        let (refused, message) = refusal(&[(name, value)]).expect(value);
        assert_eq!(refused, name, "{value}");
        assert!(message.contains(name), "{message}");
    }
    for (name, value) in [
        ("AUTH_BASE_URL", "https://app.example.test/"),
        ("AUTH_BASE_URL", "https://app.example.test:8443"),
        ("AUTH_BASE_URL", "https://[2001:db8::1]"),
[%- if module.password %]
        ("SMTP_URL", "smtps://u:p@mail.example.test"),
        ("SMTP_URL", "smtp://u:p@mail.example.test?tls=required"),
        ("SMTP_URL", "smtp://localhost:25"),
[%- endif %]
        ("DATABASE_URL", database::EXAMPLE),
[%- if db == "postgres" %]
        ("DATABASE_URL", "postgresql://app:secret@db.example.com/app?sslmode=verify-full"),
        ("DATABASE_URL", "postgres:///app?host=/var/run/postgresql"),
[%- endif %]
        ("AUTH_TRUSTED_PROXIES", "10.0.0.1, fd00::/64"),
        ("AUTH_ENV", "production"),
    ] {
        assert_eq!(refusal(&[(name, value)]), None, "{name} {value}");
    }
[%- if module.password %]
    // The address in the message of a mail server holds its password.
    let (_, message) = refusal(&[("SMTP_URL", "smtp://u:hunter2@mail.example.test")]).expect("no TLS");
    assert!(!message.contains("hunter2"));
[%- endif %]
}

#[test]
fn cfg_03_development_stays_on_this_machine() {
    let folder = temporary_folder();
    let start = |address: &str, base_url: Option<&str>| {
        let mut variables = variables();
        variables.remove("AUTH_BASE_URL");
        variables.insert("AUTH_ENV", "development".to_owned());
        variables.extend(base_url.map(|url| ("AUTH_BASE_URL", url.to_owned())));
        let listener = address.parse().expect("an address");
        Settings::read(&|name| variables.get(name).cloned(), listener)
    };
    for address in ["127.0.0.1:3000", "[::1]:3000", "[::ffff:127.0.0.1]:3000"] {
        let settings = start(address, None).expect(address);
        assert_eq!(settings.base_url, "http://localhost:3000");
        assert!(!settings.cookies.secure);
        assert_eq!(settings.cookies.session, "auth-dev-session");
    }
    for address in ["0.0.0.0:3000", "[::]:3000", "192.168.1.5:3000", "[::ffff:10.0.0.1]:3000"] {
        let error = start(address, None).err().expect(address).to_string();
        assert!(error.starts_with("AUTH_ENV is development, but"), "{error}");
    }
    for url in ["http://app.example.test", "https://app.example.test", "http://localhost.example.test"] {
        assert!(start("127.0.0.1:3000", Some(url)).is_err(), "{url}");
    }
    assert!(start("127.0.0.1:3000", Some("http://127.0.0.1:8080")).is_ok());
    // Unset is production.
    let production = read(&variables()).expect("settings");
    assert!(production.cookies.secure);
    assert_eq!(production.cookies.session, SESSION);
    drop(std::fs::remove_dir_all(folder));
}

/// The rows of the tables in SETTINGS.md: name, default, bounds or form.
fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    include_str!("../SETTINGS.md").lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, default, bounds, ..] = cells[..] else { return None };
        Some((name.strip_prefix('`')?.strip_suffix('`')?, default, bounds))
    })
}

/// The rows of the table of numbers: name, default, low, high.
fn documented() -> Vec<(&'static str, i64, i64, i64)> {
    let numbers = rows().filter_map(|(name, default, bounds)| {
        let (low, high) = bounds.split_once(" to ")?;
        let number = |text: &str| text.replace(' ', "").parse().ok();
        Some((name, number(default)?, number(low)?, number(high)?))
    });
    numbers.collect()
}

#[test]
fn the_page_holds_every_setting_once() {
    let (variables, read) = (variables(), RefCell::new(BTreeSet::new()));
    let listener = SocketAddr::from(([127, 0, 0, 1], 3000));
    let lookup = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        variables.get(name).cloned()
    };
    assert!(Settings::read(&lookup, listener).is_ok());
    let read = read.into_inner();
    assert!(read.len() > [% if module.password %]20[% else %]10[% endif %], "{read:?}");
    let mut listed: Vec<&str> = rows().map(|(name, ..)| name).collect();
    listed.sort_unstable();
    assert_eq!(listed, read.iter().collect::<Vec<_>>());
}

#[test]
fn cfg_04_numbers_have_the_bounds_of_the_page() {
    let numbers = documented();
    let in_code = include_str!("../settings.rs").matches("number(\"AUTH_").count();
[%- if module.oidc %]
    let code = include_str!("../oidc/settings.rs");
    let in_code = in_code + code.matches("\"AUTH_OIDC_").count() - code.matches("_FILE\"").count();
[%- endif %]
    assert_eq!(numbers.len(), in_code);
    for (name, default, low, high) in numbers {
        assert!((low..=high).contains(&default), "{name}");
        for good in [low, default, high] {
            assert_eq!(refusal(&[(name, &good.to_string())]), None, "{name}={good}");
        }
        let outside = [(low - 1).to_string(), (high + 1).to_string()];
        let nonsense = ["0", "-1", "NaN", "inf", "1h", "1e3", "0x10", "99999999999999999999", "1.5"];
        for bad in outside.iter().map(String::as_str).chain(nonsense) {
            let (refused, message) = refusal(&[(name, bad)]).expect(bad);
            assert_eq!(refused, name, "{bad}");
            assert!(message.contains(&format!("from {low} to {high}")), "{message}");
        }
    }
}

#[test]
fn the_page_names_the_defaults() {
[%- if module.oidc %]
    let settings = read(&variables()).expect("settings");
    let (policy, oidc) = (settings.policy, settings.oidc);
    let seconds = [oidc.timeout.as_secs(), oidc.transaction.unsigned_abs(), oidc.keys.as_secs(), oidc.cooldown.as_secs()];
    let actual = format!("{policy:?} {seconds:?}");
[%- else %]
    let policy = read(&variables()).expect("settings").policy;
    let actual = format!("{policy:?}");
[%- endif %]
    let defaults: Vec<i64> = documented().into_iter().map(|(_, default, ..)| default).collect();
    let numbers = actual.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    assert_eq!(numbers.collect::<Vec<i64>>(), defaults, "in the order of `Policy`");
}

[% if module.password -%]
/// What `--profile [= profile =]` promises.
#[test]
fn cfg_04_the_profile_sets_defaults_and_bounds() {
    let policy = read(&variables()).expect("settings").policy;
    let sessions = (policy.session_idle, policy.session_absolute, policy.sessions);
    let defaults = (sessions, policy.password_min, policy.reauth);
[%- if profile == "strict" %]
    assert_eq!(defaults, ((15 * 60, 12 * 3600, 5), 15, 5 * 60));
    for (name, looser, stricter) in [
        ("AUTH_SESSION_IDLE_SECONDS", "901", "899"),
        ("AUTH_SESSION_ABSOLUTE_SECONDS", "43201", "43199"),
        ("AUTH_SESSIONS_LIMIT", "6", "4"),
        ("AUTH_PASSWORD_MIN_LIMIT", "14", "16"),
        ("AUTH_REAUTH_SECONDS", "301", "299"),
    ] {
        assert_eq!(refusal(&[(name, looser)]).expect("a refusal").0, name);
        assert_eq!(refusal(&[(name, stricter)]), None);
    }
[%- elif profile == "consumer" %]
    let day = 24 * 3600;
    assert_eq!(defaults, ((7 * day, 30 * day, 20), 12, 10 * 60));
    for (name, looser, stricter) in [
        ("AUTH_SESSION_ABSOLUTE_SECONDS", "2592001", "86400"),
        ("AUTH_PASSWORD_MIN_LIMIT", "11", "15"),
    ] {
        assert_eq!(refusal(&[(name, looser)]).expect("a refusal").0, name);
        assert_eq!(refusal(&[(name, stricter)]), None);
    }
[%- else %]
    assert_eq!(defaults, ((3600, 24 * 3600, 20), 15, 10 * 60));
    for (name, looser, stricter) in [
        ("AUTH_SESSION_ABSOLUTE_SECONDS", "2592001", "3600"),
        ("AUTH_PASSWORD_MIN_LIMIT", "14", "16"),
    ] {
        assert_eq!(refusal(&[(name, looser)]).expect("a refusal").0, name);
        assert_eq!(refusal(&[(name, stricter)]), None);
    }
[%- endif %]
}

[% endif -%]
#[test]
fn cfg_05_development_makes_its_own_private_secret() {
    let (folder, other) = (temporary_folder(), temporary_folder());
    let file = folder.join(".env");
    let none = |_: &str| None;
    std::fs::write(&file, "SHOP_NAME=\"my shop\"\n# a remark").expect("a file");
    let first = development_file(&file, &none).expect("values");
    let text = std::fs::read_to_string(&file).expect("a file");
    assert!(text.starts_with("SHOP_NAME=\"my shop\"\n# a remark\nAUTH_SECRET="), "{text}");
    assert_eq!(first["SHOP_NAME"], "my shop");
    let second = development_file(&file, &none).expect("values");
    assert_eq!(first["AUTH_SECRET"], second["AUTH_SECRET"], "kept");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), text, "not touched");
    assert_eq!(refusal(&[("AUTH_SECRET", &first["AUTH_SECRET"])]), None);
    let elsewhere = development_file(&other.join(".env"), &none).expect("values");
    assert_ne!(first["AUTH_SECRET"], elsewhere["AUTH_SECRET"], "one for each project");
    #[cfg(unix)]
    for file in [&file, &other.join(".env")] {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // With a secret in the environment there is nothing to write.
    let unused = other.join("unused.env");
    development_file(&unused, &|_| Some("given".to_owned())).expect("values");
    assert!(!unused.exists());
    for folder in [folder, other] {
        drop(std::fs::remove_dir_all(folder));
    }
}

#[test]
fn cfg_06_keys_are_derived_for_a_purpose() {
    use crate::auth::throttle::Throttle;
    use [= import.hmac =]::{Hmac, KeyInit, Mac};
    let settings = read(&variables()).expect("settings");
    let other = read(&variables()).expect("settings");
    let key = |secret: &Secret, what: &str| Throttle::new(secret).key(what, ANN);
    assert_eq!(key(&settings.secret, "mail"), key(&settings.secret, "mail"));
    assert_ne!(key(&settings.secret, "mail"), key(&settings.secret, "account"));
    assert_ne!(key(&settings.secret, "mail"), key(&other.secret, "mail"));
    let mut direct = Hmac::<[= import.sha2 =]::Sha256>::new_from_slice(settings.secret.expose()).expect("a key");
    direct.update(b"mail\0ann@mail.test");
    assert_ne!(key(&settings.secret, "mail"), direct.finalize().into_bytes().to_vec());
}

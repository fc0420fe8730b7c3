use super::*;
use crate::core::{edit::toml, testing::edited};

/// A dependency as a pack declares it.
fn wanted(declared: &str) -> Dependency {
    ::toml::from_str(declared).unwrap()
}

fn tokio() -> Dependency {
    wanted(
        r#"name = "tokio"
        version = "1"
        accept = ">=1.20, <2"
        shared = true
        features = ["net", "rt"]
        covers.full = ["net", "rt"]"#,
    )
}

fn sqlx() -> Dependency {
    wanted(
        r#"name = "sqlx"
        version = "0.9"
        accept = ">=0.8.1, <0.10"
        default_features = false
        features = ["derive", "sqlite"]
        defaults = ["derive", "json"]"#,
    )
}

fn add_one(before: &str, dependency: &Dependency) -> Vec<Outcome> {
    add(&Toml::parse(before).unwrap(), None, std::slice::from_ref(dependency), "Cargo.toml").unwrap()
}

#[track_caller]
fn becomes(before: &str, dependency: &Dependency, after: &str) {
    let (now, made) = edited(before, add_one(before, dependency));
    assert_eq!(now, after);
    // What it says now is enough, and each entry can be taken back where the file changed elsewhere.
    let again = add_one(&now, dependency);
    assert!(again.iter().all(|outcome| *outcome == Outcome::Already), "{again:?}");
    let changed = format!("{now}{}# mine\n", if now.ends_with('\n') { "" } else { "\n" });
    let back = made
        .iter()
        .rev()
        .try_fold(changed.clone(), |text, made| toml::take_back(&text, made, made.entry.as_ref().unwrap()).unwrap());
    let expected = changed.replace(now.trim_end(), before.trim_end());
    assert_eq!(
        back.map(|text| text.replace('\r', "")),
        Some(expected.replace('\r', "")),
        "taken back from {changed:?}"
    );
}

#[test]
fn what_is_not_there_is_added() {
    becomes("[dependencies]\n", &wanted("name = 'a'\nversion = '1'"), "[dependencies]\na = \"1\"\n");
    becomes(
        "[dependencies]\n",
        &tokio(),
        "[dependencies]\ntokio = { version = \"1\", features = [\"net\", \"rt\"] }\n",
    );
    becomes(
        "[dependencies]\r\nz = \"1\"\r\n",
        &sqlx(),
        "[dependencies]\r\n\
         sqlx = { version = \"0.9\", default-features = false, features = [\"derive\", \"sqlite\"] }\r\nz = \"1\"\r\n",
    );
    becomes(
        "[package]\n",
        &wanted("name = 'a'\nversion = '1'\ndev = true"),
        "[package]\n\n[dev-dependencies]\na = \"1\"\n",
    );
}

#[test]
fn what_joins_the_last_table_comes_before_a_table_that_begins_there() {
    let before = "[dev-dependencies]\na = \"1\"\n";
    let both = [wanted("name = 'c'\nversion = '1'"), wanted("name = 'b'\nversion = '1'\ndev = true")];
    let (now, _) = edited(before, add(&Toml::parse(before).unwrap(), None, &both, "Cargo.toml").unwrap());
    assert_eq!(now, "[dev-dependencies]\na = \"1\"\nb = \"1\"\n\n[dependencies]\nc = \"1\"\n");
}

#[test]
fn features_are_added_to_what_is_there() {
    for (before, after) in [
        (r#"tokio = "1""#, r#"tokio = { version = "1", features = ["net", "rt"] }"#),
        ("tokio = '1.40' # yes", r#"tokio = { version = "1.40", features = ["net", "rt"] } # yes"#),
        (r#"tokio = {version="1"}"#, r#"tokio = {version="1", features = ["net", "rt"] }"#),
        (r#"tokio = { version = "1", features = ["rt"] }"#, r#"tokio = { version = "1", features = ["rt", "net"] }"#),
        (r#"tokio = { version = "1", features = [] }"#, r#"tokio = { version = "1", features = ["net", "rt"] }"#),
        (r#"tokio = { version = "1", features = ['rt'] }"#, r#"tokio = { version = "1", features = ['rt', "net"] }"#),
        (
            "tokio.version = \"1\"\ntokio.features = [\"rt\"]",
            "tokio.version = \"1\"\ntokio.features = [\"rt\", \"net\"]",
        ),
        ("tokio.version = \"1\"\nz = \"1\"", "tokio.version = \"1\"\ntokio.features = [\"net\", \"rt\"]\nz = \"1\""),
    ] {
        let of = |entry: &str| format!("[dependencies]\n{entry}\n");
        becomes(&of(before), &tokio(), &of(after));
    }
}

#[test]
fn a_table_of_its_own_is_extended() {
    let head = "[dependencies]\na = \"1\"\n\n[dependencies.tokio]\n";
    for (before, after) in [
        ("version = \"1\"\n\n[x]\n", "features = [\"net\", \"rt\"]\nversion = \"1\"\n\n[x]\n"),
        ("version = \"1\"\nfeatures = [\"rt\"]\n", "version = \"1\"\nfeatures = [\"rt\", \"net\"]\n"),
        ("features = [\n\t\"rt\", # \"net\" later\n]\n", "features = [\n\t\"rt\", \"net\", # \"net\" later\n]\n"),
        ("features = [ # none\n]\n", "features = [\"net\", \"rt\" # none\n]\n"),
        ("features = [\n  \"rt\" # last\n]\n", "features = [\n  \"rt\", \"net\" # last\n]\n"),
    ] {
        becomes(&format!("{head}{before}"), &tokio(), &format!("{head}{after}"));
    }
}

#[test]
fn what_is_enough_is_left_alone() {
    for entry in [
        r#"tokio = { version = "1", features = ["full"] }"#,
        r#"tokio = { version = "1.20", features = ["net", "rt", "x"] }"#,
        r#"tokio = { version = "=1.25.1", features = ["rt", "net"] }"#,
        r#"tokio = { path = "../tokio", features = ["rt", "net"] }"#,
        "tokio.version = \"*\"\ntokio.features = [\"full\"]",
    ] {
        assert_eq!(add_one(&format!("[dependencies]\n{entry}\n"), &tokio()), [Outcome::Already], "{entry}");
    }
    for entry in [
        r#"sqlx = { version = "0.9", features = ["sqlite"] }"#,
        r#"sqlx = { version = "0.8", default-features = false, features = ["derive", "sqlite"] }"#,
    ] {
        assert_eq!(add_one(&format!("[dependencies]\n{entry}\n"), &sqlx()), [Outcome::Already], "{entry}");
    }
}

#[test]
fn default_features_that_are_off_are_missed() {
    let off = "sqlx = { version = \"0.9\", default-features = false, features = [\"sqlite\"] }";
    let now = "sqlx = { version = \"0.9\", default-features = false, features = [\"sqlite\", \"derive\"] }";
    let of = |entry: &str| format!("[dependencies]\n{entry}\n");
    becomes(&of(off), &sqlx(), &of(now));
    let underscore = |text: &str| of(text).replace("default-f", "default_f");
    becomes(&underscore(off), &sqlx(), &underscore(now));
}

#[test]
fn another_version_is_refused_or_stands_beside() {
    for written in ["0.3", "1.10, <1.15", "=1.19.9", "2"] {
        let text = format!("[dependencies]\n\ntokio = \"{written}\"\n");
        let toml = Toml::parse(&text).unwrap();
        let result = add(&toml, None, &[tokio()], "Cargo.toml");
        if written == "1.10, <1.15" {
            // It begins in the same major version; the check tells whether what it resolves to is enough.
            result.unwrap();
            continue;
        }
        let error = result.unwrap_err();
        let problem = error.downcast_ref::<Problem>().unwrap();
        assert_eq!(problem.exit_code(), 4);
        assert!(problem.what.starts_with("Cargo.toml:3: `tokio = "), "{}", problem.what);
    }
    becomes(
        "[dependencies]\nsqlx = \"0.7\"\n",
        &sqlx(),
        "[dependencies]\nauth-sqlx = { package = \"sqlx\", version = \"0.9\", default-features = false, \
         features = [\"derive\", \"sqlite\"] }\nsqlx = \"0.7\"\n",
    );
}

#[test]
fn an_optional_entry_is_left_to_the_user() {
    let outcomes = add_one("[dependencies]\ntokio = { version = \"1\", optional = true }\n", &tokio());
    let [Outcome::Manual(step)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!((step.at.as_str(), step.text.contains("\"net\"")), ("Cargo.toml:2", true));
}

#[test]
fn a_table_written_in_one_value_is_left_to_the_user() {
    for text in ["dependencies = { a = \"1\" }\n", "dependencies.a = \"1\"\n"] {
        let outcomes = add_one(text, &tokio());
        let [Outcome::Manual(step)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(step.text, "tokio = { version = \"1\", features = [\"net\", \"rt\"] }");
    }
}

#[test]
fn the_workspace_is_followed() {
    let root = |entry: &str| format!("[workspace.dependencies]\n{entry}\n");
    let member = |entry: &str| format!("[dependencies]\n{entry}");
    for (shared, before, after) in [
        ("tokio = \"1\"", "", "tokio = { workspace = true, features = [\"net\", \"rt\"] }\n"),
        ("tokio = { version = \"1\", features = [\"full\"] }", "tokio = { workspace = true }\n", ""),
        ("tokio = { version = \"1\", features = [\"full\"] }", "tokio.workspace = true\n", ""),
        ("tokio = \"1\"", "tokio.workspace = true\n", "tokio.workspace = true\ntokio.features = [\"net\", \"rt\"]\n"),
        (
            "tokio = \"1\"",
            "tokio = { workspace = true }\n",
            "tokio = { workspace = true, features = [\"net\", \"rt\"] }\n",
        ),
    ] {
        let (root, before) = (root(shared), member(before));
        let (toml, workspace) = (Toml::parse(&before).unwrap(), Toml::parse(&root).unwrap());
        let (now, _) = edited(&before, add(&toml, Some(&workspace), &[tokio()], "Cargo.toml").unwrap());
        let after = if after.is_empty() { before.clone() } else { member(after) };
        assert_eq!(now, after, "{shared}");
    }
    // A version that does not fit is not inherited.
    let (root, before) = (root("sqlx = \"0.7\""), member(""));
    let (toml, workspace) = (Toml::parse(&before).unwrap(), Toml::parse(&root).unwrap());
    let (now, _) = edited(&before, add(&toml, Some(&workspace), &[sqlx()], "Cargo.toml").unwrap());
    assert!(now.contains("version = \"0.9\""), "{now}");
    assert_eq!(written(&toml, Some(&workspace), &sqlx(), "sqlx"), "0.9");
}

#[test]
fn versions() {
    for (requirement, version) in [
        ("1", Some("1.0.0")),
        ("0.8.4", Some("0.8.4")),
        ("^1.2", Some("1.2.0")),
        ("~1.2.3", Some("1.2.3")),
        ("=1.2.3", Some("1.2.3")),
        (">=1.2, <3", Some("1.2.0")),
        ("<3", None),
        ("*", None),
        ("one", None),
    ] {
        assert_eq!(lowest(requirement).map(|version| version.to_string()).as_deref(), version, "{requirement}");
    }
    assert_eq!(line_of_versions(&Version::new(0, 8, 9)), "0.8");
    assert_eq!(line_of_versions(&Version::new(1, 4, 2)), "1");
}

#[test]
fn the_pack_adds_nothing_twice() {
    let all = crate::core::testing::libraries();
    let before = "[package]\nname = \"x\"\n";
    let (now, _) = edited(before, add(&Toml::parse(before).unwrap(), None, &all, "Cargo.toml").unwrap());
    let again = add(&Toml::parse(&now).unwrap(), None, &all, "Cargo.toml").unwrap();
    assert!(again.iter().all(|outcome| *outcome == Outcome::Already), "{again:?}");
}

/// What a member's manifest becomes.
fn member(root: &str, before: &str, dependency: &Dependency) -> String {
    let (toml, workspace) = (Toml::parse(before).unwrap(), Toml::parse(root).unwrap());
    let one = std::slice::from_ref(dependency);
    let (now, _) = edited(before, add(&toml, Some(&workspace), one, "Cargo.toml").unwrap());
    let again = add(&Toml::parse(&now).unwrap(), Some(&workspace), one, "Cargo.toml").unwrap();
    assert!(again.iter().all(|outcome| *outcome == Outcome::Already), "{again:?}");
    now
}

#[test]
fn default_features_that_the_workspace_leaves_out_are_asked_for() {
    let root = "[workspace.dependencies]\nx = { version = \"1\", default-features = false }\n";
    let x = wanted("name = 'x'\nversion = '1'\nfeatures = ['a']\ndefaults = ['a']");
    assert_eq!(
        member(root, "[dependencies]\n", &x),
        "[dependencies]\nx = { workspace = true, default-features = true, features = [\"a\"] }\n"
    );
    let on = "[dependencies]\nx = { workspace = true, default-features = true }\n";
    assert_eq!(member(root, on, &x), on, "a member can turn them on");
    let other = "[workspace.dependencies]\nx = { package = \"y\", version = \"1\" }\n";
    let own = "[dependencies]\nx = { version = \"1\", features = [\"a\"] }\n";
    assert_eq!(member(other, "[dependencies]\n", &x), own, "another package is not inherited");
    let bare = wanted("name = 'x'\nversion = '1'\ndefault_features = false");
    assert_eq!(member(root, "[dependencies]\n", &bare), "[dependencies]\nx = { workspace = true }\n");
}

#[test]
fn a_package_under_another_name_is_not_added_a_second_time() {
    let (tokio, sqlx) = (tokio(), wanted("name = 'sqlx'\nversion = '0.9'\naccept = '>=0.8.1, <0.10'"));
    let refused = |entry: &str, dependency: &Dependency| {
        let text = format!("[dependencies]\n{entry}\n");
        let toml = Toml::parse(&text).unwrap();
        let key = key(&toml, None, dependency, "Cargo.toml");
        key.map_err(|error| error.downcast::<Problem>().unwrap().what)
    };
    let rt = refused("rt = { package = \"tokio\", version = \"1\" }", &tokio).unwrap_err();
    assert!(rt.starts_with("Cargo.toml:2: `rt`"), "{rt}");
    // Shared, and so not beside another version either.
    assert!(refused("rt = { package = \"tokio\", version = \"0.2\" }", &tokio).is_err());
    assert!(refused("data = { package = \"sqlx\", version = \"0.9\" }", &sqlx).is_err());
    assert_eq!(refused("data = { package = \"sqlx\", version = \"0.7\" }", &sqlx), Ok("sqlx".to_owned()));
    assert_eq!(refused("auth-sqlx = { package = \"sqlx\", version = \"0.9\" }", &sqlx), Ok("auth-sqlx".to_owned()));
    assert_eq!(refused("tokio = \"1\"\nother = { package = \"x\" }", &tokio), Ok("tokio".to_owned()));
}

#[test]
fn a_library_beside_the_users_gets_what_it_lacks_later() {
    let mut sqlx = wanted("name = 'sqlx'\nversion = '0.9'\naccept = '>=0.9, <0.10'\nfeatures = ['a']");
    let before = "[dependencies]\nsqlx = \"0.7\"\n";
    let plan = |text: &str, dependency: &Dependency| {
        let one = std::slice::from_ref(dependency);
        edited(text, add(&Toml::parse(text).unwrap(), None, one, "Cargo.toml").unwrap()).0
    };
    let first = plan(before, &sqlx);
    assert!(first.contains("auth-sqlx = { package = \"sqlx\", version = \"0.9\", features = [\"a\"] }"), "{first}");
    assert_eq!(plan(&first, &sqlx), first);
    sqlx.features.push("b".into());
    assert_eq!(plan(&first, &sqlx), first.replace("[\"a\"]", "[\"a\", \"b\"]"));
}

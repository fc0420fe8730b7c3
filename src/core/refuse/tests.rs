use crate::core::{
    problem::Problem,
    project::Text,
    testing::{App, fixture},
};

const MANIFEST: &str = "[package]\nname = \"x\"\n[dependencies]\naxum = \"0.8\"\n";
const MAIN: &str = "fn main() {\n    axum::serve(l, app);\n}\n";

/// Why an app is refused, if it is.
fn why(app: &App) -> Option<String> {
    let error = app.plan().err()?;
    let problem = error.downcast_ref::<Problem>().unwrap_or_else(|| panic!("{error:#}"));
    assert_eq!(problem.exit_code(), 4);
    Some(problem.what.clone())
}

#[test]
fn projects_that_must_not_be_touched() {
    for (name, file, text, place) in [
        ("own module", "src/auth.rs", "", Some("src/auth.rs")),
        ("own folder", "src/auth/mod.rs", "", Some("src/auth/mod.rs")),
        ("another auth", "src/authors.rs", "", None),
        ("users", "migrations/1.sql", "-- a\nCREATE TABLE users (", Some("migrations/1.sql:2  CREATE TABLE users (")),
        ("accounts", "schema.sql", "create table if not exists \"public\".\"accounts\" (", Some("schema.sql:1")),
        ("in code", "src/db.rs", "query(\"CREATE TABLE user (id)\")", Some("src/db.rs:1")),
        ("brackets", "schema.sql", "CREATE TABLE [users] (id)", Some("schema.sql:1")),
        ("others", "schema.sql", "CREATE TABLE user_agents (a); CREATE TABLE todos (user TEXT)", None),
        ("reads only", "src/db.rs", "query(\"SELECT * FROM users\")", None),
    ] {
        let app = App::of(&[("Cargo.toml", MANIFEST), ("src/main.rs", MAIN), (file, text)]);
        match (why(&app), place) {
            (Some(what), Some(place)) => assert!(what.contains(place), "{name}: {what}"),
            (found, expected) => assert_eq!(found.as_deref(), expected, "{name}"),
        }
    }
}

#[test]
fn a_login_that_is_there() {
    let manifest = format!("{MANIFEST}axum-login = {{ version = \"0.18\" }}\n");
    let app = App::of(&[("Cargo.toml", &manifest), ("src/main.rs", MAIN)]);
    assert!(why(&app).unwrap().ends_with("Cargo.toml:5  axum-login = { version = \"0.18\" }"));
    let renamed = manifest.replace("axum-login = { ", "login = { package = \"axum-login\", ");
    let app = App::of(&[("Cargo.toml", &renamed), ("src/main.rs", MAIN)]);
    assert!(why(&app).unwrap().contains("Cargo.toml:5  login = "), "under another name");
}

#[test]
fn a_library_that_cannot_be_linked_beside_ours() {
    for (version, refused) in
        [("0.30.1", false), ("0.37.0", false), ("0.30.0", true), ("0.28.0", true), ("0.38.0", true)]
    {
        let mut app = App::of(&[("Cargo.toml", MANIFEST), ("src/main.rs", MAIN)]);
        let lock = format!("[[package]]\nname = \"libsqlite3-sys\"\nversion = \"{version}\"\n");
        app.workspace.lock = Some(Text::new(lock));
        assert_eq!(why(&app).is_some(), refused, "{version}");
    }
}

#[test]
fn what_is_missing_is_a_reason_too() {
    let mut app = App::of(&[("Cargo.toml", MANIFEST), ("src/main.rs", MAIN)]);
    let refusal = "lacks = { in = ['Cargo.toml'], pattern = 'edition' }\nwhat = 'old'\nfix = 'x'";
    app.pack.manifest.refuse.push(::toml::from_str(refusal).unwrap());
    assert_eq!(why(&app).as_deref(), Some("old\n  nothing of that in Cargo.toml"));
    let modern = MANIFEST.replace("[dependencies]", "edition = \"2024\"\n[dependencies]");
    let pack = app.pack;
    let app = App { pack, ..App::of(&[("Cargo.toml", &modern), ("src/main.rs", MAIN)]) };
    assert_eq!(why(&app), None);
}

#[test]
fn the_fixtures_that_say_so() {
    assert!(why(&fixture("auth-taken")).unwrap().contains("src/auth.rs"));
    assert!(why(&fixture("users-table")).unwrap().contains("migrations/0001_init.sql:"));
}

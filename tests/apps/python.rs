//! A Python stack for real: made, checked, linted, and attacked.

use std::{path::Path, process::Command};

use crate::{
    all_passed,
    common::{self, Project, must, of_stack, tree},
    holds,
    mutants::of_one_app,
    pages, run, severity, turn_aside,
};

/// A tool of the language, in a version that is known to be pleased.
fn tool(dir: &Path, words: &[&str]) {
    must(Command::new("uv").current_dir(dir).env("AUTH_ENV", "development").args(["run", "--quiet"]).args(words));
}

/// Leaves nothing behind in the project.
fn ruff(dir: &Path, folder: &str) {
    let ruff = ["--no-project", "--with", "ruff==0.17.6", "ruff"];
    tool(dir, &[&ruff[..], &["check", "--isolated", "--no-cache", folder]].concat());
    tool(dir, &[&ruff[..], &["format", "--isolated", "--no-cache", "--check", folder]].concat());
}

/// `ruff` and `mypy` find nothing in what was generated.
fn pleases(dir: &Path) {
    ruff(dir, "app/auth");
    tool(dir, &["--with", "mypy==2.4.1", "mypy", "--strict", "app"]);
}

/// An app with every module, and with two providers that can be mixed up.
const EVERYTHING: [&str; 8] =
    ["new", "app", "--stack", "fastapi", "--with", "password,oidc,tokens", "--providers", "generic,keycloak"];

fn made(stack: &str, options: &[&str]) -> Project {
    let project = common::empty("made");
    run(&project.dir, &[&["new", "shop", "--stack", stack, "--name", "shop", "--yes"], options].concat()).exits(0);
    project
}

#[test]
fn new_is_checked_and_pleases_the_linters() {
    let _turn = turn_aside();
    let options: [&[&str]; 2] = [
        &["--profile", "strict"],
        &["--db", "postgres", "--with", "password,oidc,tokens", "--providers", "microsoft,github,apple,keycloak"],
    ];
    for options in options {
        let project = made("fastapi", options);
        let app = project.dir.join("shop");
        assert!(app.join("uv.lock").exists());
        pleases(&app);
        assert!(run(&app, &["verify"]).exits(0).err.contains("test: passed"), "{options:?}");
    }
}

#[test]
fn a_project_is_added_to_checked_and_given_back() {
    let _turn = turn_aside();
    for name in ["plain", "factory"] {
        let project = of_stack("fastapi", name);
        let before = tree(&project.dir);
        all_passed(&run(&project.dir, &["add", "--yes", "--json"]).exits(0).json());
        run(&project.dir, &["undo", "--yes"]).exits(0);
        assert_eq!(tree(&project.dir), before);
    }
}

/// Of the critical controls; `SEVERITY=critical,high,medium,low` attacks by all, which takes six minutes.
#[test]
fn attacks_on_an_api_in_python_fail() {
    let _turn = turn_aside();
    let project = common::empty("probed");
    run(&project.dir, &[&EVERYTHING[..], &["--yes", "--no-check"]].concat()).exits(0);
    let severity = severity();
    let done = run(&project.dir, &["probe", "app", "--json", "--severity", &severity]);
    holds(&done, &severity);
    done.exits(0);
}

/// What `mypy` knows of Django by its plugin.
const DJANGO: &str = "[mypy]\nstrict = true\nplugins = mypy_django_plugin.main\n\
    [mypy.plugins.django-stubs]\ndjango_settings_module = config.settings\n";

fn pleases_as_django(project: &Project) {
    let app = project.dir.join("shop");
    ruff(&app, ".");
    let rules = project.dir.join("mypy.ini");
    std::fs::write(&rules, DJANGO).unwrap();
    let tools = ["--with", "mypy==2.4.1", "--with", "django-stubs==6.1.2", "--with", "types-waitress"];
    let mypy = ["mypy", "--config-file", rules.to_str().unwrap(), "accounts", "accounts_example.py", "config"];
    tool(&app, &[&tools[..], &mypy].concat());
}

#[test]
fn a_new_django_project_is_checked_and_pleases_the_linters() {
    let _turn = turn_aside();
    pleases_as_django(&made("django", &["--no-check"]));
    let everything =
        ["--profile", "strict", "--with", "password,oidc,tokens", "--providers", "microsoft,github,apple,keycloak"];
    let project = made("django", &[&everything[..], &["--ui", "pages", "--db", "postgres"]].concat());
    // Settings are read to know the models: nothing is asked of a server.
    std::fs::write(project.dir.join("shop/.env"), "DATABASE_URL=postgres://app@127.0.0.1/app\n").unwrap();
    pleases_as_django(&project);
    assert!(run(&project.dir.join("shop"), &["verify"]).exits(0).err.contains("test: passed"));
}

/// See `pages`.
#[test]
fn the_pages_of_a_django_project_please_linters_and_people() {
    let _turn = turn_aside();
    let project = made("django", &["--ui", "pages", "--no-check"]);
    pleases_as_django(&project);
    let app = project.dir.join("shop");
    let serve = || {
        let mut program = Command::new(app.join(".venv/bin/python"));
        program.args(["manage.py", "serve"]);
        program
    };
    pages::lives(&mut serve(), &app);
    let providers = ["--with", "password,oidc", "--providers", "generic,keycloak", "--yes", "--no-check"];
    run(&app, &[&["add"], &providers[..]].concat()).exits(0);
    // Nobody from before, and none of their mail.
    for left in ["db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm"] {
        _ = std::fs::remove_file(app.join(left));
    }
    std::fs::remove_dir_all(app.join(".auth-dev")).unwrap();
    must(Command::new("uv").current_dir(&app).args(["sync", "--quiet"]));
    pages::federates(&mut serve(), &app, true, 4);
}

#[test]
fn a_django_project_is_added_to_checked_and_given_back() {
    let _turn = turn_aside();
    for name in ["plain", "settings-package"] {
        let project = of_stack("django", name);
        let before = tree(&project.dir);
        all_passed(&run(&project.dir, &["add", "--yes", "--json"]).exits(0).json());
        ruff(&project.dir, "accounts");
        run(&project.dir, &["undo", "--yes"]).exits(0);
        assert_eq!(tree(&project.dir), before);
    }
}

/// With two providers that can be mixed up.
const DJANGO_EVERYTHING: [&str; 10] = [
    "new",
    "app",
    "--stack",
    "django",
    "--with",
    "password,oidc,tokens",
    "--providers",
    "generic,keycloak",
    "--ui",
    "pages",
];

/// Of the critical controls; `SEVERITY=critical,high,medium,low` attacks by all, which takes ten minutes.
#[test]
fn attacks_on_a_django_project_fail() {
    let _turn = turn_aside();
    let project = common::empty("probed");
    run(&project.dir, &[&DJANGO_EVERYTHING[..], &["--yes", "--no-check"]].concat()).exits(0);
    let severity = severity();
    let done = run(&project.dir, &["probe", "app", "--json", "--severity", &severity]);
    holds(&done, &severity);
    done.exits(0);
}

/// As for axum, `MUTANTS=all` tries all of them, `MUTANTS=SES,CSR-02.m1` some, and without it a share is tried that changes with
/// every commit.
#[test]
fn mutants_in_python_are_noticed() {
    noticed("fastapi", &EVERYTHING);
}

#[test]
fn mutants_in_a_django_project_are_noticed() {
    noticed("django", &DJANGO_EVERYTHING);
}

fn noticed(stack: &str, new: &[&str]) {
    let _turn = turn_aside();
    of_one_app(stack, &[new, &["--yes", "--no-check"]].concat(), &std::env::var_os("PATH").unwrap());
}

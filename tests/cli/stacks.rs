//! Stacks in other languages: what `add` makes of their fixtures, and that it can be taken back.

use crate::common::{Project, of_stack, read, replace, run, tree};

fn fastapi(name: &str) -> Project {
    of_stack("fastapi", name)
}

#[test]
fn a_python_project_is_wired_verified_and_taken_back() {
    let project = fastapi("plain");
    let before = tree(&project.dir);
    let found = run(&project.dir, &["detect", "--json"]).exits(0).json();
    let app = &found["projects"][0];
    assert_eq!((&app["stack"], &app["package_manager"]), (&"fastapi".into(), &"uv".into()));
    assert_eq!(app["entry"]["line"], 7);
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["manual"], serde_json::json!([]));
    let main = read(&project.dir, "app/main.py");
    let wired =
        "app = FastAPI(title=\"notes\", openapi_url=None)\nauth.attach(app)\napp.include_router(auth_example)\n";
    assert!(main.contains(wired), "{main}");
    let manifest = read(&project.dir, "pyproject.toml");
    assert!(manifest.contains("    \"fastapi>=0.160\", # the framework\n    \"pydantic>=2.10,<3\",\n"), "{manifest}");
    assert!(!manifest.contains("pytest>=8,<10"), "the project's own entry is enough: {manifest}");
    run(&project.dir, &["verify"]).exits(0);
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn a_factory_with_a_list_of_requirements_keeps_its_line_endings() {
    let project = fastapi("factory");
    let before = tree(&project.dir);
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    let left = done["manual"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0]["text"].as_str().unwrap().contains("pytest>=8"), "{left:?}");
    let factory = read(&project.dir, "app/factory.py");
    let wired =
        "    )\r\n    auth.attach(app)\r\n    app.include_router(auth_example)\r\n\r\n    @app.get(\"/health\")";
    assert!(factory.contains(wired), "{factory}");
    let requirements = read(&project.dir, "requirements.txt");
    assert!(requirements.contains("\r\nfastapi==0.165.0\r\npydantic>=2.10,<3\r\n"), "{requirements}");
    for text in [&factory, &requirements] {
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text}");
    }
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn python_projects_that_cannot_be_served_are_refused() {
    for (name, told) in [
        ("mounted", "--at made=app/main.py:3"),
        ("login", "fastapi-users"),
        ("users-table", "__tablename__ = \"users\""),
        ("old", ">=0.160, <1"),
    ] {
        let project = fastapi(name);
        let before = tree(&project.dir);
        let said = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4).err;
        assert!(said.contains(told) && said.contains("help: "), "{name}: {said}");
        assert_eq!(tree(&project.dir), before);
    }
    run(&fastapi("mounted").dir, &["add", "--yes", "--no-check", "--at", "made=app/main.py:3"]).exits(0);
}

#[test]
fn what_was_changed_in_a_python_project_is_found() {
    let project = fastapi("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    replace(&project.dir, "app/main.py", "auth.attach(app)\n", "");
    replace(&project.dir, "pyproject.toml", "argon2-cffi>=25.1,<26", "argon2-cffi==23.1.0");
    replace(&project.dir, "app/auth/csrf.py", "GET", "POST");
    let found = run(&project.dir, &["verify", "--json"]).exits(1).json();
    let drift = found["drift"].as_array().unwrap().iter().map(|drift| drift["cause"].as_str().unwrap());
    assert_eq!(drift.collect::<Vec<_>>(), ["file-changed", "wiring-missing", "library-below-floor"]);
}

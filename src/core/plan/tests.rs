use super::*;
use crate::core::{
    choose::Given,
    testing::{App, path, snake_app},
};

const MANIFEST: &str = "[package]\nname = \"x\"\nedition = \"2024\"\n\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\n";
const MAIN: &str = "fn main() {\n    axum::serve(l, app);\n}\n";

fn app(main: &str) -> App {
    App::of(&[("Cargo.toml", MANIFEST), ("src/main.rs", main)])
}

#[track_caller]
fn refused(app: &App) -> Problem {
    let error = app.plan().unwrap_err();
    let problem = error.downcast::<Problem>().unwrap();
    assert_eq!(problem.exit_code(), 4);
    problem
}

/// The plan with a place chosen by the user.
fn at(app: &App, file: &str, line: usize) -> Result<Plan> {
    let answers = Answers::new(&app.pack, &Given::default()).unwrap();
    let at = BTreeMap::from([("serve".to_owned(), (path(file), line))]);
    let (tree, workspace) = (&app.tree, &app.workspace);
    add(&Input { pack: &app.pack, answers: &answers, tree, folder: "", workspace, manager: None, at: &at })
}

fn source(app: &App, plan: &Plan, path: &str) -> String {
    app.tree.with(&plan.changes).text(path).unwrap().to_owned()
}

#[test]
fn a_file_that_is_in_the_way_is_not_replaced() {
    let app = App::of(&[("Cargo.toml", MANIFEST), ("src/main.rs", MAIN), ("src/auth_example.rs", "mine")]);
    assert!(refused(&app).what.starts_with("`src/auth_example.rs` is already there"));
}

#[test]
fn several_places_are_listed_and_one_can_be_chosen() {
    let app = app("fn a() {\n    axum::serve(l, a);\n}\n\nfn b() {\n    axum::serve(l, b);\n}\n");
    let problem = refused(&app);
    assert!(problem.what.contains("src/main.rs:2\n") && problem.what.ends_with("src/main.rs:6"), "{}", problem.what);
    assert_eq!(problem.fix, "choose one with `--at serve=src/main.rs:2`");
    let chosen = source(&app, &at(&app, "src/main.rs", 6).unwrap(), "src/main.rs");
    assert!(chosen.contains("let b = auth.attach(b);") && !chosen.contains("attach(a)"), "{chosen}");
    for (file, line) in [("src/main.rs", 3), ("src/lib.rs", 2)] {
        let error = at(&app, file, line).unwrap_err();
        assert_eq!(error.downcast_ref::<Problem>().unwrap().exit_code(), 2);
    }
}

#[test]
fn what_is_served_by_itself_becomes_a_name() {
    let app = app("fn main() {\n    axum::serve(bind().await, router().into_make_service()).await\n}\n");
    let plan = app.plan().unwrap();
    let expected = "fn main() {
    let listener = bind().await;
    let app = router().merge(auth_example::routes());
    let auth = auth::start(&listener).await;
    let app = auth.attach(app);
    axum::serve(listener, app).await
}
";
    assert!(source(&app, &plan, "src/main.rs").ends_with(expected), "{}", source(&app, &plan, "src/main.rs"));
    assert_eq!(plan.manual, []);
}

#[test]
fn modules_are_declared_in_the_crate_that_serves() {
    for (files, root, call) in [
        (&["src/main.rs"][..], "src/main.rs", "= auth::start("),
        (&["src/bin/server.rs"], "src/bin/server.rs", "= auth::start("),
    ] {
        let mut all = vec![("Cargo.toml", MANIFEST)];
        all.extend(files.iter().map(|file| (*file, MAIN)));
        let app = App::of(&all);
        let plan = app.plan().unwrap();
        assert!(source(&app, &plan, root).contains("\nmod auth;\n") && source(&app, &plan, files[0]).contains(call));
    }
    let app = App::of(&[("Cargo.toml", MANIFEST), ("src/lib.rs", ""), ("src/main.rs", MAIN)]);
    let plan = app.plan().unwrap();
    assert!(source(&app, &plan, "src/lib.rs").contains("pub mod auth;"));
    assert!(source(&app, &plan, "src/main.rs").contains("x::auth::start("));
    let app = App::of(&[("Cargo.toml", MANIFEST), ("src/main.rs", "mod web;\n"), ("src/web.rs", MAIN)]);
    let plan = app.plan().unwrap();
    assert!(
        source(&app, &plan, "src/main.rs").contains("\nmod auth;")
            && source(&app, &plan, "src/web.rs").contains("crate::auth::")
    );
}

#[test]
fn an_edit_that_would_not_parse_is_a_step() {
    let source = "fn main() { axum::serve(bind(\n  // the port\n  1), app); }\n";
    let app = app(source);
    let plan = app.plan().unwrap();
    assert_eq!(app.tree.with(&plan.changes).text("src/main.rs"), Some(source), "left alone as a whole");
    let told: Vec<(&str, bool)> =
        plan.manual.iter().map(|step| (step.at.as_str(), step.text.contains("auth"))).collect();
    assert_eq!(told, [("src/main.rs", true), ("src/main.rs", true)]);
}

#[test]
fn a_manifest_that_cannot_be_edited_is_a_step() {
    let manifest = MANIFEST.replace("tokio = \"1\"", "tokio = {}");
    let app = App::of(&[("Cargo.toml", &manifest), ("src/main.rs", MAIN)]);
    let plan = app.plan().unwrap();
    assert!(plan.changes.iter().all(|change| change.path.as_str() != "Cargo.toml"));
    let step = |table: &str| plan.manual.iter().find(|step| step.what == format!("add to the {table}")).unwrap();
    assert!(
        step("dependencies").text.contains("argon2 = \"0.6\"") && step("dev-dependencies").text.starts_with("tower = ")
    );
}

#[test]
fn nowhere_to_wire_is_a_step_in_words() {
    let app = app("fn main() {}\n");
    let plan = app.plan().unwrap();
    assert!(plan.manual[0].text.contains("auth::start_at(addr)"), "{:?}", plan.manual);
    assert!(source(&app, &plan, "src/main.rs").contains("mod auth;"));
}

#[test]
fn the_lock_has_what_takes_everything_back() {
    let app = app(MAIN);
    let (after, lock) = app.added();
    let layer = &lock.layer[0];
    for created in &layer.created {
        assert_eq!(after.get(&created.path).map(Text::sha256).as_deref(), Some(created.sha256.as_str()));
    }
    // The last one first: a file may have been edited twice.
    let mut back = after.clone();
    for edited in layer.edited.iter().rev() {
        let now = back.get(&edited.path).unwrap();
        assert_eq!(now.sha256(), edited.after);
        let before = edit::unsplice(now.raw(), &edited.splice).unwrap();
        back.insert(edited.path.clone(), Text::new(before));
    }
    for edited in &layer.edited {
        let before = back.get(&edited.path).unwrap().raw();
        assert_eq!(before, app.tree.get(&edited.path).map_or("", Text::raw));
    }
    assert!(
        generated::files(&app.pack, &facts::recorded(&app.pack, &lock.layer))
            .unwrap()
            .iter()
            .all(|(path, text)| { after.get(path).is_some_and(|now| now.raw() == text) })
    );
}

#[test]
fn every_template_renders_for_every_axum() {
    for version in ["0.7", "0.8"] {
        let app = App::of(&[("Cargo.toml", &MANIFEST.replace("0.8", version)), ("src/main.rs", MAIN)]);
        for (path, text) in app.added().0.iter().filter(|(path, _)| path.as_str().starts_with("src/auth")) {
            assert!(!["[=", "[%", "[~"].iter().any(|mark| text.raw().contains(mark)), "{path}");
            if app.pack.language.reads(path) {
                assert_eq!(anchor::parse_errors(&app.pack.language, text.raw()).unwrap(), 0, "{path} for {version}");
            }
        }
    }
}

#[test]
fn a_python_project_is_served_like_any_other() {
    let project = "[project]\nname = \"x\"\nrequires-python = \">=3.9\"\ndependencies = [\n    \"web\",\n]\n";
    let app = snake_app(("pyproject.toml", project));
    let before = app.tree.clone();
    let plan = app.plan().unwrap();
    let told: Vec<&str> = plan.manual.iter().map(|step| step.text.as_str()).collect();
    assert_eq!(told, ["requires-python = \">=3.11\""]);
    let app = app.after(&[]);
    let text = |name: &str| app.tree.text(name).unwrap();
    assert!(text("pyproject.toml").contains("    \"hash>=2.1,<3\",\n    \"web\",\n"), "{}", text("pyproject.toml"));
    let main = "\"\"\"App.\"\"\"\n\nfrom web import Web\n\nfrom app import auth\n\napp = Web()\nauth.attach(app)\n";
    assert_eq!(text("app/main.py"), main);
    let (back, manual) = app.edited("pyproject.toml", "\"web\",\n", "\"web\",\n    \"zebra\",\n").undone();
    assert_eq!(manual, []);
    let changed = project.replace("\"web\",\n", "\"web\",\n    \"zebra\",\n");
    assert_eq!(back.tree.text("pyproject.toml"), Some(changed.as_str()));
    assert_eq!(back.tree.text("app/main.py"), before.text("app/main.py"));
}

#[test]
fn the_manifest_is_the_one_that_names_the_framework() {
    let mut app = snake_app(("requirements.txt", "web==1.9\n"));
    app.tree.insert(path("pyproject.toml"), Text::new("[tool.ruff]\nline-length = 100\n"));
    let app = app.after(&[]);
    assert_eq!(app.tree.text("requirements.txt"), Some("hash>=2.1,<3\nweb==1.9\n"));
    assert_eq!(app.tree.text("pyproject.toml"), Some("[tool.ruff]\nline-length = 100\n"));
}

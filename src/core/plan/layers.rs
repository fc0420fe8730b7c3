//! A second `add` extends what the first one made.

use super::*;
use crate::core::{
    choose::Answer,
    testing::{App, path, small_app},
    verify::{Cause, verify},
};

#[track_caller]
fn refused(app: &App, flags: &[(&str, &str)]) -> Problem {
    let problem = app.plan_with(flags).unwrap_err().downcast::<Problem>().unwrap();
    assert_eq!(problem.exit_code(), 4, "{problem:?}");
    problem
}

fn drifts(app: &App) -> Vec<(Cause, String)> {
    let lock = Lock::read(&app.tree).unwrap().unwrap();
    let packs = [crate::core::testing::small()];
    let found = verify(&packs, &lock, &app.tree, &app.workspace).unwrap();
    found.into_iter().map(|drift| (drift.cause, drift.at)).collect()
}

fn without_lock(app: &App) -> Tree {
    let mut tree = app.tree.clone();
    tree.remove(&path(lock::PATH));
    tree
}

#[test]
fn a_layer_adds_files_wires_and_libraries_and_changes_what_is_generated() {
    let first = small_app().after(&[]);
    let both = small_app().after(&[]).after(&[("ui", "pages")]);
    let text = |name: &str| both.tree.text(name).unwrap();
    assert!(text("src/auth/pages.rs").contains("standard"));
    assert!(text("src/auth/mod.rs").contains("mod pages;\nmod settings;"));
    let main = text("src/main.rs");
    assert!(
        main.contains("    let app = auth::attach(app);\n    let app = auth::pages(app);\n    serve(app);"),
        "{main}"
    );
    assert_eq!(main.matches("mod auth;").count(), 1);
    assert!(text("Cargo.toml").contains("html = \"1\"") && !first.tree.text("Cargo.toml").unwrap().contains("html"));
    assert_eq!(drifts(&both), []);
    let lock = Lock::read(&both.tree).unwrap().unwrap();
    assert_eq!((lock.layer.len(), lock.modules()), (2, vec!["password"]));
    assert_eq!((lock.layer[1].modules.len(), lock.layer[1].answers["ui"].to_string()), (0, "pages".to_owned()));
    assert_eq!(lock.layer[1].answers["db"].to_string(), "sqlite", "answers that were not given are recorded too");
}

#[test]
fn layers_lead_where_one_add_leads() {
    let layered = small_app().after(&[]).after(&[("with", "tokens")]).after(&[("profile", "strict")]);
    let layered = layered.after(&[("ui", "pages"), ("also", "agents")]).after(&[("also", "codeowners")]);
    let flags = [("with", "password,tokens"), ("profile", "strict"), ("ui", "pages"), ("also", "codeowners,agents")];
    let at_once = small_app().after(&flags);
    assert_eq!(drifts(&layered), []);
    assert_eq!(without_lock(&at_once).difference(&without_lock(&layered)), []);
}

#[test]
fn each_layer_comes_off_by_itself() {
    let steps: [&[(&str, &str)]; 4] =
        [&[], &[("ui", "pages")], &[("profile", "consumer"), ("also", "ci,agents")], &[("with", "tokens")]];
    let mut trees = vec![small_app().tree];
    let mut app = small_app();
    for flags in steps {
        app = app.after(flags);
        assert_eq!(drifts(&app), [], "{flags:?}");
        trees.push(app.tree.clone());
    }
    for before in trees.iter().rev().skip(1) {
        let (now, manual) = app.undone();
        assert_eq!(manual, []);
        assert_eq!(before.difference(&now.tree), []);
        app = now;
    }
}

#[test]
fn what_the_user_changed_in_generated_files_stays_both_ways() {
    let app = small_app().after(&[]).edited("src/auth/settings.rs", "/// A comment between.", "/// Mine.");
    assert_eq!(drifts(&app), [(Cause::FileChanged, "src/auth/settings.rs:5".to_owned())]);
    let before = app.tree.clone();
    let app = app.after(&[("profile", "strict")]);
    let settings = app.tree.text("src/auth/settings.rs").unwrap();
    assert!(settings.contains("IDLE: u32 = 15;") && settings.contains("/// Mine."), "{settings}");
    assert_eq!(drifts(&app), [(Cause::FileChanged, "src/auth/settings.rs:5".to_owned())], "no worse than before");
    // And more after it.
    let more = app.edited("src/auth/settings.rs", "//! Settings.", "//! Settings of mine.");
    let (now, manual) = more.undone();
    assert_eq!(manual, []);
    let expected = before.text("src/auth/settings.rs").unwrap().replace("Settings.", "Settings of mine.");
    assert_eq!(now.tree.text("src/auth/settings.rs"), Some(expected.as_str()));
}

#[test]
fn what_changed_where_a_layer_changed_it_is_a_step() {
    let app = small_app().after(&[]).after(&[("profile", "strict")]);
    let (now, manual) = app.edited("src/auth/settings.rs", "IDLE: u32 = 15", "IDLE: u32 = 20").undone();
    assert_eq!(manual.len(), 1, "{manual:?}");
    assert_eq!((manual[0].at.as_str(), manual[0].text.as_str()), ("src/auth/settings.rs", "pub const IDLE: u32 = 15;"));
    assert!(manual[0].what.contains("put `pub const IDLE: u32 = 60;` in its place"), "{}", manual[0].what);
    assert!(now.tree.text("src/auth/settings.rs").unwrap().contains("LENGTH: usize = 12"), "the rest is taken back");
}

#[test]
fn changes_that_meet_are_refused_by_name_and_nothing_is_planned() {
    let app = small_app().after(&[]).edited("src/auth/settings.rs", "= 60;", "= 61;");
    let mut app = app.edited("src/auth/mod.rs", "mod settings;", "mod settings; // mine");
    app.tree.remove(&path("src/auth/schema.sql"));
    let problem = refused(&app, &[("profile", "strict"), ("ui", "pages")]);
    assert!(problem.what.contains("  src/auth/settings.rs: ") && problem.what.contains("  src/auth/mod.rs: "));
    assert!(!problem.what.contains("schema.sql"), "it would not change: {}", problem.what);
    app.tree.remove(&path("src/auth/settings.rs"));
    assert!(refused(&app, &[("profile", "strict")]).what.contains("src/auth/settings.rs: it is missing"));
}

#[test]
fn an_example_is_changed_where_that_is_safe() {
    let first = || small_app().after(&[]);
    let example = |app: &App| app.tree.text("src/auth_example.rs").map(str::to_owned);
    assert!(example(&first().after(&[("ui", "pages")])).unwrap().contains("// pages"));
    let merged = first().edited("src/auth_example.rs", "pub fn example()", "pub fn mine()").after(&[("ui", "pages")]);
    assert!(example(&merged).unwrap().contains("// api"), "lines beside each other are left alone");
    assert_eq!(drifts(&merged), []);
    let mut gone = first();
    gone.tree.remove(&path("src/auth_example.rs"));
    let gone = gone.after(&[("ui", "pages")]);
    assert_eq!((example(&gone), drifts(&gone)), (None, vec![]));
}

#[test]
fn libraries_get_the_features_that_answers_add() {
    let hash = |app: &App| {
        app.tree.text("Cargo.toml").unwrap().lines().find(|line| line.starts_with("hash")).map(str::to_owned)
    };
    let first = small_app().after(&[]);
    assert_eq!(hash(&first).as_deref(), Some("hash = { version = \"2\", features = [\"std\"] }"));
    let both = Some("hash = { version = \"2\", features = [\"std\", \"slow\"] }".to_owned());
    assert_eq!(hash(&first.after(&[("profile", "strict")])), both);
    assert_eq!(hash(&small_app().after(&[("profile", "strict")])), both);
}

#[test]
fn a_refusal_may_depend_on_an_answer() {
    let app = || small_app().edited("Cargo.toml", "web = \"1\"", "other-html = \"1\"\nweb = \"1\"");
    assert!(refused(&app(), &[("ui", "pages")]).what.contains("pages of another kind"));
    assert!(refused(&app().after(&[]), &[("ui", "pages")]).what.contains("pages of another kind"));
}

#[test]
fn answers_that_take_files_away_are_refused() {
    let app = small_app().after(&[("ui", "pages")]);
    let problem = refused(&app, &[("ui", "api")]);
    assert!(problem.what.ends_with("  src/auth/pages.rs") && problem.fix.contains("authwright undo"), "{problem:?}");
}

#[test]
fn a_fixed_answer_stays() {
    let app = small_app().after(&[]);
    assert!(refused(&app, &[("db", "postgres")]).what.contains("accounts would stay behind"));
}

#[test]
fn a_file_in_the_way_of_a_later_layer_is_not_replaced() {
    let mut app = small_app().after(&[]);
    app.tree.insert(path("src/auth/pages.rs"), Text::new("mine"));
    assert!(refused(&app, &[("ui", "pages")]).what.starts_with("`src/auth/pages.rs` is already there"));
}

#[test]
fn another_pack_version_cannot_be_extended() {
    let mut app = small_app().after(&[]);
    app.pack.manifest.version = "2.0.0".into();
    let problem = refused(&app, &[("ui", "pages")]);
    assert!(problem.what.contains("`small` 1.0.0") && problem.what.contains("`small` 2.0.0"), "{}", problem.what);
}

#[test]
fn a_lock_that_does_not_render_cannot_be_extended() {
    let mut app = small_app().after(&[]);
    let mut lock = Lock::read(&app.tree).unwrap().unwrap();
    lock.layer[0].answers.remove("also");
    lock.layer[0].answers.remove("profile");
    app.tree.insert(path(lock::PATH), Text::new(lock.write().unwrap()));
    let error = app.plan_with(&[("ui", "pages")]).unwrap_err();
    assert!(error.downcast_ref::<Problem>().unwrap().what.contains("does not render pack `small`"), "{error:#}");
}

#[test]
fn places_matter_only_to_who_wires_there() {
    let second = "\nfn other() {\n    serve(app);\n}\n";
    let mut app = small_app().after(&[]);
    let main = app.tree.text("src/main.rs").unwrap().to_owned() + second;
    app.tree.insert(path("src/main.rs"), Text::new(main));
    assert!(refused(&app, &[("ui", "pages")]).what.contains("found 2 places"));
    let strict = app.after(&[("profile", "strict")]);
    assert_eq!(drifts(&strict), []);
}

#[test]
fn a_checkout_with_other_endings_is_extended_and_taken_back() {
    let crlf = |app: App| {
        let text = |text: &Text| Text::new(text.raw().replace('\n', "\r\n"));
        let tree = app.tree.iter().map(|(path, now)| (path.clone(), text(now))).collect();
        App { tree, ..app }
    };
    let first = crlf(small_app().after(&[]));
    let before = first.tree.clone();
    let second = first.after(&[("ui", "pages"), ("profile", "strict")]);
    let changed = ["src/auth/mod.rs", "src/auth/settings.rs", "src/main.rs", "Cargo.toml", lock::PATH];
    for name in changed {
        let text = second.tree.text(name).unwrap();
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{name}");
    }
    assert_eq!(drifts(&second), []);
    let (back, manual) = second.undone();
    assert_eq!((manual, before.difference(&back.tree)), (vec![], vec![]));
}

#[test]
fn lines_go_to_the_file_that_is_there_and_to_the_root_only() {
    let mut app = small_app();
    app.tree.insert(path("CODEOWNERS"), Text::new("* @all\n"));
    let app = app.after(&[("also", "codeowners,agents,ci")]);
    let text = |name: &str| app.tree.text(name).map(str::to_owned);
    assert_eq!(text("CODEOWNERS").as_deref(), Some("* @all\n\n# reviewed by\n/src/auth/ @security\n"));
    assert_eq!((text(".github/CODEOWNERS"), text("AGENTS.md").as_deref()), (None, Some("Do not edit src/auth.\n")));
    assert_eq!(text(".github/workflows/auth.yml").as_deref(), Some("run: authwright verify \n"));
    assert_eq!(
        drifts(&app.edited("CODEOWNERS", "/src/auth/", "/src/")),
        [(Cause::WiringMissing, "CODEOWNERS".to_owned())]
    );
}

#[test]
fn below_the_root_what_belongs_there_is_a_step_once() {
    let app = App { folder: "services/api/".into(), ..small_app() };
    let plan = app.plan_with(&[("also", "codeowners,agents,ci")]).unwrap();
    let told: Vec<(&str, &str)> = plan.manual.iter().map(|step| (step.at.as_str(), step.text.as_str())).collect();
    assert_eq!(
        told,
        [
            (".github/workflows/auth.yml", "run: authwright verify services/api/"),
            (".github/CODEOWNERS, CODEOWNERS", "# reviewed by\n/services/api/src/auth/ @security"),
        ]
    );
    let app = app.after(&[("also", "codeowners,agents,ci")]);
    assert!(app.tree.text("AGENTS.md").is_some() && app.tree.text(".github/CODEOWNERS").is_none());
    assert_eq!((drifts(&app), app.plan_with(&[("ui", "pages")]).unwrap().manual), (vec![], vec![]));
}

#[test]
fn a_repository_that_grew_around_the_app_changes_nothing_at_its_root() {
    let app = App { folder: "api/".into(), ..small_app().after(&[("also", "ci")]) };
    let app = app.after(&[("ui", "pages")]);
    assert!(app.tree.text(".github/workflows/auth.yml").is_some());
    assert_eq!(drifts(&app), []);
}

#[test]
fn a_lock_edited_in_any_layer_is_drift_once() {
    let app = small_app().after(&[]).after(&[("profile", "strict")]).after(&[("ui", "pages")]);
    let lock = Lock::read(&app.tree).unwrap().unwrap();
    let with = |change: &dyn Fn(&mut Lock)| {
        let mut lock = lock.clone();
        change(&mut lock);
        let mut tree = app.tree.clone();
        tree.insert(path(lock::PATH), Text::new(lock.write().unwrap()));
        drifts(&App { tree, folder: String::new(), pack: small_app().pack, workspace: Workspace::default() })
    };
    assert_eq!(with(&|_| ()), []);
    let edited: [&dyn Fn(&mut Lock); 7] = [
        &|lock| _ = lock.layer[2].answers.insert("colour".into(), Answer::One("red".into())),
        &|lock| _ = lock.layer[1].answers.insert("also".into(), Answer::One("agents".into())),
        &|lock| lock.layer[0].created[0].sha256 = "0".into(),
        &|lock| _ = lock.layer[2].created.pop(),
        &|lock| rendered(&mut lock.layer[1]).rendered = Some("0".into()),
        &|lock| rendered(&mut lock.layer[1]).path = path("src/main.rs"),
        &|lock| rendered(&mut lock.layer[1]).rendered = None,
    ];
    for (index, change) in edited.iter().enumerate() {
        let found = with(change);
        let kinds = found.iter().all(|(cause, _)| *cause == Cause::LockEdited);
        assert!(kinds && (1..=2).contains(&found.len()), "{index}: {found:?}");
    }
    let mut missing = app;
    missing.tree.remove(&path("src/auth/schema.sql"));
    assert_eq!(drifts(&missing), [(Cause::FileMissing, "src/auth/schema.sql".to_owned())]);
}

fn rendered(layer: &mut Layer) -> &mut Edited {
    layer.edited.iter_mut().find(|edited| edited.rendered.is_some()).unwrap()
}

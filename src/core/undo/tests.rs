use super::*;
use crate::core::{
    lock::Lock,
    testing::{App, FIXTURES, fixture, path, rust, small_app, tree},
};

const MANIFEST: &str = "[package]\nname = \"x\"\nedition = \"2024\"\n\n[dependencies]\naxum = \"0.8\"\n";
const MAIN: &str = "use axum::Router;\n\nfn main() {\n    let app = Router::new();\n    axum::serve(l, app);\n}\n";

struct Undone {
    tree: Tree,
    manual: Vec<Step>,
}

impl Undone {
    fn text(&self, path: &str) -> &str {
        self.tree.text(path).unwrap_or_default()
    }

    #[track_caller]
    fn step(&self, at: &str) -> &Step {
        let found = self.manual.iter().find(|step| step.at == at);
        found.unwrap_or_else(|| panic!("no step at {at} in {:?}", self.manual))
    }
}

/// What `undo` makes of a small app that was changed by the user after `add`.
fn undone(change: impl Fn(&mut Tree)) -> (Tree, Undone) {
    let app = App::of(&[("Cargo.toml", MANIFEST), ("src/main.rs", MAIN), (".gitignore", "/target\n")]);
    let (mut after, lock) = app.added();
    change(&mut after);
    let plan = undo(&after, &lock, Some(&rust())).unwrap();
    (app.tree, Undone { tree: after.with(&plan.changes), manual: plan.manual })
}

fn edit(tree: &mut Tree, at: &str, from: &str, to: &str) {
    let text = tree.text(at).unwrap_or_else(|| panic!("no {at}")).to_owned();
    assert!(text.contains(from), "{at} has no {from:?}:\n{text}");
    tree.insert(path(at), Text::new(text.replacen(from, to, 1)));
}

#[test]
fn untouched_is_restored_in_every_fixture() {
    for name in FIXTURES {
        let app = fixture(name);
        let (after, lock) = app.added();
        let plan = undo(&after, &lock, Some(&rust())).unwrap();
        assert!(after.with(&plan.changes) == app.tree && plan.manual.is_empty(), "{name}");
    }
}

#[test]
fn what_the_user_added_around_stays() {
    let (before, now) = undone(|tree| {
        edit(tree, "Cargo.toml", "argon2 = ", "anyhow = \"1\" # mine\nargon2 = ");
        edit(tree, "src/main.rs", "mod auth_example;\n", "mod auth_example;\nmod mine;\n");
        edit(tree, "src/main.rs", "    let auth = ", "    // mine\n    let auth = ");
        edit(tree, ".gitignore", "/target\n", "/target\n/mine\n");
    });
    assert_eq!(now.manual, []);
    let with = |at: &str, from: &str, to: &str| before.text(at).unwrap().replacen(from, to, 1);
    assert_eq!(now.text("Cargo.toml"), with("Cargo.toml", "axum = ", "anyhow = \"1\" # mine\naxum = "));
    let main = with("src/main.rs", "Router;\n", "Router;\nmod mine;\n")
        .replace("    axum::serve", "    // mine\n    axum::serve");
    assert_eq!(now.text("src/main.rs"), main);
    assert_eq!(now.text(".gitignore"), "/target\n/mine\n");
    assert!(now.tree.iter().all(|(path, _)| !path.as_str().contains("auth")));
}

#[test]
fn a_table_shared_with_the_user_stays() {
    let (_, now) = undone(|tree| edit(tree, "Cargo.toml", "tower = ", "mine = \"1\"\ntower = "));
    assert!(now.text("Cargo.toml").ends_with("axum = \"0.8\"\n\n[dev-dependencies]\nmine = \"1\"\n"));
    assert_eq!(now.manual, []);
}

#[test]
fn a_changed_entry_is_a_step_and_the_rest_goes() {
    let (_, now) = undone(|tree| edit(tree, "Cargo.toml", "hkdf = \"0.13\"", "hkdf = \"=0.13.0\""));
    assert_eq!(now.step("Cargo.toml").text, "hkdf = \"0.13\"");
    assert!(now.text("Cargo.toml").ends_with("axum = \"0.8\"\nhkdf = \"=0.13.0\"\n"), "{}", now.text("Cargo.toml"));
}

#[test]
fn a_changed_wiring_line_is_a_step() {
    let (_, now) = undone(|tree| edit(tree, "src/main.rs", "auth.attach(app)", "auth.attach(app.clone())"));
    assert!(now.step("src/main.rs").text.contains("let app = auth.attach(app);"));
    assert!(
        now.text("src/main.rs").contains("auth.attach(app.clone())") && !now.text("src/main.rs").contains("mod auth")
    );
    // A line that was taken out already is one step with what is left of it.
    let (_, now) = undone(|tree| edit(tree, "src/main.rs", "    let app = auth.attach(app);\n", ""));
    assert_eq!(now.manual.len(), 1);
}

#[test]
fn an_example_that_was_taken_out_does_not_keep_the_rest() {
    let (_, now) = undone(|tree| {
        tree.remove(&path("src/auth_example.rs"));
        let main = tree.text("src/main.rs").unwrap().to_owned();
        let kept = main.split_inclusive('\n').filter(|line| !line.contains("auth_example"));
        tree.insert(path("src/main.rs"), Text::new(kept.collect::<String>()));
    });
    assert!(!now.text("src/main.rs").contains("auth"), "{}", now.text("src/main.rs"));
    assert!(now.manual.iter().all(|step| step.text.contains("auth_example") && !step.text.contains("attach")));
}

#[test]
fn a_replacement_is_put_back_where_it_was_made_only() {
    let source = MAIN.replace("serve(l, app)", "serve(l, app.into_make_service())");
    let app = App::of(&[("Cargo.toml", MANIFEST), ("src/main.rs", &source)]);
    let (mut after, lock) = app.added();
    edit(&mut after, "src/main.rs", "    axum::serve(l, app);\n", "    println!(\"wrapped\");\n");
    edit(&mut after, "src/main.rs", "fn main() {\n    let app = Router::new();\n", "fn main() {\n");
    let plan = undo(&after, &lock, Some(&rust())).unwrap();
    let now = after.with(&plan.changes);
    assert!(now.text("src/main.rs").unwrap().contains("println!(\"wrapped\")"), "{:?}", now.text("src/main.rs"));
    assert!(plan.manual.iter().any(|step| step.what.contains("app.into_make_service()")), "{:?}", plan.manual);
}

#[test]
fn lines_that_stand_twice_are_a_step() {
    let lines = "/.env\n/.auth-dev/\n";
    let (_, now) = undone(|tree| edit(tree, ".env.example", "# src", "# mine\n# src"));
    assert_eq!(now.manual, []);
    let (_, now) = undone(|tree| {
        let block = tree.text(".gitignore").unwrap().strip_prefix("/target\n").unwrap().to_owned();
        edit(tree, ".gitignore", "/target\n", &format!("/target\n{block}"));
    });
    assert_eq!((now.text(".gitignore").matches(lines).count(), now.step(".gitignore").at.as_str()), (2, ".gitignore"));
}

#[test]
fn an_edit_is_not_taken_back_if_the_source_would_not_parse() {
    let made =
        |inserted: &str, removed: &str| Made { at: 0, removed: removed.into(), inserted: inserted.into(), entry: None };
    let splice = vec![made("a(1)", "a("), made("b(1)", "b(2)")];
    let edited = Edited { path: path("src/x.rs"), before: None, after: String::new(), rendered: None, splice };
    let mut manual = vec![];
    let text = one_by_one(&edited, "fn f() { a(1); b(1); }", &mut manual, Some(&rust())).unwrap();
    assert_eq!((text.as_str(), manual.len()), ("fn f() { a(1); b(2); }", 1));
    assert!(manual[0].what.contains("put `a(` in its place"));
}

#[test]
fn generated_files_that_changed_are_kept_and_those_that_are_gone_are_no_matter() {
    let (_, now) = undone(|tree| {
        edit(tree, "src/auth/csrf.rs", "\n", "\n// mine\n");
        tree.remove(&path("src/auth/mod.rs"));
    });
    assert!(now.step("src/auth/csrf.rs").what.contains("kept"));
    let left: Vec<&str> = now.tree.iter().map(|(path, _)| path.as_str()).filter(|path| path.contains("auth")).collect();
    assert_eq!(left, ["src/auth/csrf.rs"]);
    assert_eq!(now.manual.len(), 1);
}

#[test]
fn a_file_that_was_made_stays_if_the_user_wrote_in_it() {
    let (_, now) = undone(|tree| edit(tree, ".env.example", "SMTP_URL=\n", "SMTP_URL=\nMINE=\n"));
    assert_eq!((now.text(".env.example"), now.manual.len()), ("MINE=\n", 0));
    let (_, now) = undone(|tree| edit(tree, ".env.example", "# src", "MINE=\n# src"));
    assert_eq!((now.text(".env.example"), now.manual.len()), ("MINE=\n", 0));
}

#[test]
fn edited_files_that_were_put_back_already_are_no_matter() {
    let (before, now) = undone(|tree| tree.insert(path("src/main.rs"), Text::new(MAIN)));
    assert_eq!((now.manual.as_slice(), now.tree == before), (&[] as &[Step], true));
}

#[test]
fn edited_files_that_are_gone_stay_gone() {
    let (_, now) = undone(|tree| tree.remove(&path(".gitignore")));
    assert_eq!((now.tree.text(".gitignore"), now.manual.len()), (None, 0));
}

#[test]
fn an_editor_that_changed_all_line_endings_is_followed() {
    let (before, now) = undone(|tree| {
        for at in ["Cargo.toml", "src/main.rs", ".gitignore"] {
            let crlf = tree.text(at).unwrap().replace('\n', "\r\n");
            tree.insert(path(at), Text::new(crlf));
        }
    });
    assert_eq!(now.manual, []);
    for at in ["Cargo.toml", "src/main.rs", ".gitignore"] {
        assert_eq!(now.text(at), before.text(at).unwrap().replace('\n', "\r\n"));
    }
}

#[test]
fn a_checkout_with_other_endings_is_taken_back_whole() {
    for name in FIXTURES {
        let app = fixture(name);
        let (after, _) = app.added();
        let crlf = |tree: &Tree| -> Tree {
            let text = |text: &Text| Text::new(text.raw().replace("\r\n", "\n").replace('\n', "\r\n"));
            tree.iter().map(|(path, now)| (path.clone(), text(now))).collect()
        };
        let now = crlf(&after);
        let plan = undo(&now, &Lock::read(&now).unwrap().unwrap(), Some(&rust())).unwrap();
        assert_eq!(plan.manual, [], "{name}");
        assert!(now.with(&plan.changes) == crlf(&app.tree), "{name}");
    }
}

#[test]
fn a_manifest_that_is_not_toml_any_more_is_left_with_steps() {
    let (_, now) = undone(|tree| edit(tree, "Cargo.toml", "[package]", "<<<<<<< HEAD\n[package]"));
    assert!(now.text("Cargo.toml").contains("argon2") && now.manual.len() > 10);
}

#[test]
fn layers_come_off_one_at_a_time() {
    let layer = |pack: &str, created: &[(&str, &str)]| Layer {
        pack: pack.into(),
        pack_version: "1".into(),
        modules: vec![pack.into()],
        answers: std::collections::BTreeMap::new(),
        facts: crate::core::render::Facts::new(),
        created: created
            .iter()
            .map(|(at, text)| Created { path: path(at), sha256: Text::new(*text).sha256(), example: false })
            .collect(),
        edited: vec![],
        manual: vec![],
    };
    let lock = Lock { schema: 1, layer: vec![layer("one", &[("a", "1")]), layer("two", &[("b", "2")])] };
    let before =
        tree(&[("a", "1"), ("b", "2"), (lock::PATH, &lock.write().unwrap()), (lock::PROOF, "p"), (lock::FOUND, "f")]);
    let after = before.with(&undo(&before, &lock, None).unwrap().changes);
    let rest = Lock::read(&after).unwrap().unwrap();
    assert_eq!((rest.modules(), after.text("a"), after.text("b")), (vec!["one"], Some("1"), None));
    let end = after.with(&undo(&after, &rest, None).unwrap().changes);
    assert_eq!(end, Tree::default());
}

#[test]
fn what_stands_more_than_once_is_found_beside_what_stands_once() {
    let before = "fn main() {\n    serve(app());\n    log(app);\n}\n";
    let at = before.find("    serve").unwrap();
    let call = before.find("app()").unwrap();
    let splices = vec![
        edit::Splice { range: at..at, text: "    let app = app();\n".into(), entry: None },
        edit::Splice { range: call..call + 5, text: "app".into(), entry: None },
    ];
    let (after, made) = edit::splice(before, splices);
    let path = RelPath::new("src/main.rs").unwrap();
    let edited = Edited { path, before: Some(String::new()), after: String::new(), rendered: None, splice: made };
    let mut manual = vec![];
    let back = one_by_one(&edited, &format!("// mine\n{after}"), &mut manual, None).unwrap();
    assert_eq!((back, manual), (format!("// mine\n{before}"), vec![]));
}

#[test]
fn a_secret_that_is_there_stays_ignored() {
    let (before, mut after) = (tree(&[(".gitignore", "/target\n/.env\n/.dev/\n*.log\n/old\n")]), Tree::default());
    after.insert(path(".gitignore"), Text::new("/target\n/old"));
    let there = |path: &RelPath| Ok(path.as_str() != ".dev");
    let steps = keep_ignored(&before, &mut after, &there).unwrap();
    assert_eq!(after.text(".gitignore"), Some("/target\n/old\n/.env"));
    assert_eq!(steps.iter().map(|step| step.text.as_str()).collect::<Vec<_>>(), ["/.env"]);
    after.remove(&path(".gitignore"));
    keep_ignored(&before, &mut after, &|path| Ok(path.as_str() == ".env")).unwrap();
    assert_eq!(after.text(".gitignore"), Some("/.env\n"));
}

/// A lock that came with the repository, whose edits lie across each other.
#[test]
fn edits_that_overlap_are_left_to_the_user() {
    let (mut tree, mut lock) = small_app().added();
    tree.insert(path("src/main.rs"), Text::new("once\ntwice\ntwice\n"));
    let made =
        |at: usize, inserted: &str| Made { at, removed: String::new(), inserted: inserted.to_owned(), entry: None };
    let edited = lock.layer[0].edited.iter_mut().find(|edited| edited.path.as_str() == "src/main.rs").unwrap();
    edited.splice = vec![made(0, "once\n"), made(2, "twice\n")];
    let plan = undo(&tree, &lock, Some(&rust())).unwrap();
    let steps: Vec<&str> =
        plan.manual.iter().filter(|step| step.at == "src/main.rs").map(|step| step.text.as_str()).collect();
    assert_eq!(steps, ["twice"]);
}

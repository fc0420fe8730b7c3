use super::*;
use crate::core::testing::{App, FIXTURES, fixture, path, snake, snake_app};

/// The plain fixture with everything added.
struct Added {
    packs: Vec<Pack>,
    lock: Lock,
    tree: Tree,
    workspace: Workspace,
}

impl Added {
    fn to(app: App) -> Self {
        let (tree, lock) = app.added();
        Self { lock, tree, workspace: Workspace { lock: None, ..app.workspace }, packs: vec![app.pack] }
    }

    fn plain() -> Self {
        Self::to(fixture("plain"))
    }

    fn replace(mut self, at: &str, from: &str, to: &str) -> Self {
        let text = self.tree.text(at).unwrap().to_owned();
        assert!(text.contains(from), "{at} has no {from:?}");
        self.tree.insert(path(at), Text::new(text.replacen(from, to, 1)));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn drifts(&self) -> Vec<Drift> {
        verify(&self.packs, &self.lock, &self.tree, &self.workspace).unwrap()
    }

    /// Each cause and where.
    fn told(&self) -> Vec<(Cause, String)> {
        let drifts = self.drifts();
        assert!(drifts.iter().all(|drift| !drift.fix.is_empty() && !drift.what.is_empty()));
        drifts.into_iter().map(|drift| (drift.cause, drift.at)).collect()
    }
}

#[track_caller]
fn one(added: &Added, cause: Cause, at: &str) {
    assert_eq!(added.told(), [(cause, at.to_owned())]);
}

#[test]
fn what_was_just_added_is_clean() {
    for name in FIXTURES {
        let by_hand = ["axum-server", "two-servers"].contains(&name);
        let drifts = Added::to(fixture(name)).drifts();
        assert_eq!(drifts.is_empty(), !by_hand, "{name}: {drifts:?}");
        assert!(drifts.iter().all(|drift| drift.cause == Cause::WiringMissing && drift.fix.contains("left to you")));
    }
}

#[test]
fn files() {
    let changed = Added::plain().replace("src/auth/csrf.rs", "use ", "use\t");
    let line =
        1 + changed.tree.text("src/auth/csrf.rs").unwrap().lines().position(|line| line.starts_with("use\t")).unwrap();
    one(&changed, Cause::FileChanged, &format!("src/auth/csrf.rs:{line}"));
    let longer = Added::plain().with(|added| {
        let text = added.tree.text("src/auth/csrf.rs").unwrap().to_owned();
        added.tree.insert(path("src/auth/csrf.rs"), Text::new(text + "\n"));
    });
    assert_eq!(longer.told()[0].0, Cause::FileChanged);
    one(
        &Added::plain().with(|added| added.tree.remove(&path("src/auth/csrf.rs"))),
        Cause::FileMissing,
        "src/auth/csrf.rs",
    );
}

#[test]
fn a_checkout_with_other_endings_is_clean() {
    let crlf = Added::plain().with(|added| {
        added.tree =
            added.tree.iter().map(|(path, text)| (path.clone(), Text::new(text.raw().replace('\n', "\r\n")))).collect();
    });
    assert_eq!(crlf.told(), []);
    one(&crlf.replace("src/auth/csrf.rs", "use ", "use\t"), Cause::FileChanged, "src/auth/csrf.rs:4");
}

#[test]
fn an_example_may_change() {
    let edited = Added::plain().replace("src/auth_example.rs", "\n", "\n// mine\n");
    assert_eq!(edited.told(), []);
    assert_eq!(Added::plain().with(|added| added.tree.remove(&path("src/auth_example.rs"))).told(), []);
}

#[test]
fn a_lock_edited_to_match() {
    let changed = Added::plain().replace("src/auth/csrf.rs", "use ", "use\t").with(|added| {
        let now = added.tree.text("src/auth/csrf.rs").unwrap().to_owned();
        let created =
            added.lock.layer[0].created.iter_mut().find(|created| created.path.as_str() == "src/auth/csrf.rs");
        created.unwrap().sha256 = sha256(now.as_bytes());
    });
    let causes: Vec<Cause> = changed.told().into_iter().map(|(cause, _)| cause).collect();
    assert_eq!(causes, [Cause::LockEdited, Cause::FileChanged]);
    let dropped = Added::plain().with(|added| drop(added.lock.layer[0].created.remove(0)));
    one(&dropped, Cause::LockEdited, lock::PATH);
    let invented = Added::plain().with(|added| {
        let mut more = added.lock.layer[0].created[0].clone();
        more.path = path("src/other.rs");
        added.lock.layer[0].created.push(more);
    });
    one(&invented, Cause::LockEdited, lock::PATH);
    let facts = Added::plain().with(|added| drop(added.lock.layer[0].facts.remove("dep")));
    assert!(facts.told().iter().any(|(cause, _)| *cause == Cause::LockEdited));
    let modules = Added::plain().with(|added| added.lock.layer[0].modules.clear());
    // Files are rendered for the modules, too, so that those differ as well; nothing else does.
    let causes: Vec<Cause> = modules.told().into_iter().map(|(cause, _)| cause).collect();
    assert!(causes.contains(&Cause::LockEdited), "{causes:?}");
    assert!(causes.iter().all(|cause| [Cause::LockEdited, Cause::FileChanged].contains(cause)), "{causes:?}");
}

#[test]
fn wiring() {
    for line in ["let app = auth.attach(app);", "let auth = auth::start(&listener).await;", "mod auth;"] {
        let gone = Added::plain().replace("src/main.rs", line, "");
        one(&gone, Cause::WiringMissing, "src/main.rs");
        let commented = Added::plain().replace("src/main.rs", line, &format!("/* {line} */"));
        one(&commented, Cause::WiringMissing, "src/main.rs");
    }
    one(&Added::plain().replace(".gitignore", "/.env\n", ""), Cause::WiringMissing, ".gitignore");
    let gone = Added::plain().with(|added| added.tree.remove(&path(".gitignore")));
    assert_eq!(gone.told().len(), 2);
}

#[test]
fn wiring_may_move_to_another_file() {
    let line = "let app = auth.attach(app);";
    let moved = Added::plain().replace("src/main.rs", line, "let app = serve::wrap(app);").with(|added| {
        let text = format!("pub fn wrap(app: Router) -> Router {{\n    {line}\n    app\n}}\n");
        added.tree.insert(path("src/serve.rs"), Text::new(text));
    });
    assert_eq!(moved.told(), []);
}

#[test]
fn libraries() {
    let manifest = |from: &str, to: &str| Added::plain().replace("Cargo.toml", from, to);
    one(&manifest("argon2 = \"0.6\"\n", ""), Cause::LibraryMissing, "Cargo.toml");
    assert_eq!(manifest("argon2 = \"0.6\"", "argon2 = \"0.5.3\"").told()[0].0, Cause::LibraryBelowFloor);
    assert_eq!(
        manifest("time = { version = \"0.3.47\"", "time = { version = \"=0.3.46\"").told()[0].0,
        Cause::LibraryBelowFloor
    );
    // Not resolved yet, and nothing keeps it from the floor.
    assert_eq!(manifest("time = { version = \"0.3.47\"", "time = { version = \"0.3\"").told(), []);
    one(&manifest("[package]", "[package"), Cause::LibraryMissing, "Cargo.toml");
}

#[test]
fn the_resolved_version_counts() {
    let locked = |all: &[&str]| {
        let package = |version: &&str| format!("[[package]]\nname = \"time\"\nversion = \"{version}\"\n\n");
        let text: String = all.iter().map(package).collect();
        Added::plain()
            .replace("Cargo.toml", "time = { version = \"0.3.47\"", "time = { version = \"0.3\"")
            .with(|added| added.workspace.lock = Some(Text::new(text)))
            .told()
    };
    assert_eq!(locked(&["0.3.47"]), []);
    assert_eq!(locked(&["0.1.45", "0.3.50"]), [], "another line of versions is not ours");
    assert_eq!(locked(&["0.3.46"])[0].0, Cause::LibraryBelowFloor);
    assert_eq!(locked(&["0.3.46", "0.4.0"])[0].0, Cause::LibraryBelowFloor);
    assert_eq!(locked(&[]), []);
}

#[test]
fn a_pack_of_another_version_cannot_be_compared() {
    let older = Added::plain().with(|added| added.lock.layer[0].pack_version = "0.0.1".into());
    one(&older, Cause::Unverifiable, lock::PATH);
    let gone = Added::plain().with(|added| added.packs.clear());
    one(&gone, Cause::Unverifiable, lock::PATH);
}

#[test]
fn libraries_of_a_python_project_are_looked_at() {
    let drifts = |requirements: &str, lock: &str| {
        let mut app = snake_app(("requirements.txt", "web\n")).after(&[]);
        app.tree.insert(path("requirements.txt"), Text::new(requirements));
        app.workspace.lock =
            (!lock.is_empty()).then(|| Text::new(format!("[[package]]\nname = 'hash'\nversion = '{lock}'\n")));
        let state = Lock::read(&app.tree).unwrap().unwrap();
        let found = verify(&[snake()], &state, &app.tree, &app.workspace).unwrap();
        found.into_iter().map(|drift| (drift.cause, drift.at)).collect::<Vec<_>>()
    };
    let at = |line: usize| format!("requirements.txt:{line}");
    assert_eq!(drifts("web\nhash>=2.1,<3\n", ""), []);
    assert_eq!(drifts("web\nhash==2.1.3\n", ""), [(Cause::LibraryBelowFloor, at(2))]);
    assert_eq!(drifts("web\nhash>=2.1\n", "2.1.3.post1"), [(Cause::LibraryBelowFloor, at(2))]);
    assert_eq!(drifts("web\nhash>=2.1\n", "2.2"), []);
    assert_eq!(drifts("web\nhash @ https://x/y\n", ""), [(Cause::LibraryReplaced, at(2))]);
    assert_eq!(drifts("web\n", ""), [(Cause::LibraryMissing, "requirements.txt".to_owned())]);
}

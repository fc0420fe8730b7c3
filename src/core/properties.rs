//! What holds for every project, however it is written and whatever its owner changes.

use std::sync::OnceLock;

use proptest::{
    prelude::*,
    sample::{Index, select},
    test_runner::RngSeed,
};

use super::{
    edit::{Outcome, cargo_toml, toml::Toml},
    lock::{self, Lock},
    pack::Language,
    patch::{self, tests::apply},
    problem::Problem,
    project::{Change, Plan, Text, Tree},
    testing::{App, FIXTURES, edited, fixture, libraries, path, rust, small_app},
    undo::undo,
};

/// The same cases in every run: a test that fails does so for everybody.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(20_261_124),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A line that a user puts somewhere.
#[derive(Clone, Copy, Debug)]
enum Line {
    Comment,
    Blank,
    Dependency,
}

/// Where, as a share of the files and of the file's lines.
type Drift = Vec<(Line, Index, Index)>;

fn drift() -> impl Strategy<Value = Drift> {
    let line = select(vec![Line::Comment, Line::Comment, Line::Blank, Line::Dependency]);
    prop::collection::vec((line, any::<Index>(), any::<Index>()), 1..8)
}

fn is_marker(line: &str) -> bool {
    line.contains("drift-")
}

/// Puts the lines before lines that are there, with the ending of those; those of the user's files only.
fn drifted(tree: &Tree, files: &[&str], drift: &Drift) -> Tree {
    let mut tree = tree.clone();
    for (number, (kind, file, at)) in drift.iter().enumerate() {
        let name = match kind {
            Line::Dependency => "Cargo.toml",
            _ => file.get(files),
        };
        let Some(text) = tree.text(name).map(str::to_owned) else { continue };
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let dependency = |line: &&str| line.contains(" = \"") && !line.trim_start().starts_with('#');
        let head = lines.iter().position(|line| line.starts_with("[dependencies]")).unwrap_or(0);
        let index = match kind {
            Line::Dependency => {
                let length = lines[head + 1..].iter().take_while(|line| dependency(line)).count();
                (head + 1 + at.index(length + 1)).min(lines.len() - 1)
            }
            _ => at.index(lines.len()),
        };
        let ending = if lines[index].ends_with("\r\n") { "\r\n" } else { "\n" };
        let new = match kind {
            Line::Blank => ending.to_owned(),
            Line::Comment => {
                format!("{} drift-{number}{ending}", if language().reads(&path(name)) { "//" } else { "#" })
            }
            Line::Dependency => format!("drift-{number} = \"1\"{ending}"),
        };
        // The byte order mark stays first.
        let index = if index == 0 && text.starts_with('\u{feff}') { 1 } else { index };
        let text = [&lines[..index], &[new.as_str()], &lines[index..]].concat().concat();
        tree.insert(path(name), Text::new(text));
    }
    tree
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty())
}

fn language() -> &'static Language {
    static LANGUAGE: OnceLock<Language> = OnceLock::new();
    LANGUAGE.get_or_init(rust)
}

struct Added {
    before: Tree,
    after: Tree,
    lock: Lock,
    files: Vec<String>,
}

fn added() -> &'static [Added] {
    static ADDED: OnceLock<Vec<Added>> = OnceLock::new();
    ADDED.get_or_init(|| {
        let one = |name: &&str| {
            let app = fixture(name);
            let (after, lock) = app.added();
            let files = lock.layer[0].edited.iter().map(|edited| edited.path.to_string()).collect();
            Added { before: app.tree, after, lock, files }
        };
        FIXTURES.iter().map(one).collect()
    })
}

proptest! {
    #![proptest_config(cases(128))]

    /// After `add`, the user writes between the lines: `undo` keeps that, and takes back the rest or says what is left.
    #[test]
    fn undo_keeps_what_came_after(index in 0..FIXTURES.len(), drift in drift()) {
        let added = &added()[index];
        let files: Vec<&str> = added.files.iter().map(String::as_str).collect();
        let now = drifted(&added.after, &files, &drift);
        let plan = undo(&now, &added.lock, Some(language())).unwrap();
        let end = now.with(&plan.changes);
        let told = |line: &str| plan.manual.iter().any(|step| step.what.contains(line) || step.text.contains(line));
        for edited in &added.lock.layer[0].edited {
            let name = edited.path.as_str();
            let text = |tree: &Tree| tree.text(name).unwrap_or_default().to_owned();
            let (was, drifted, left) = (text(&added.before), text(&now), text(&end));
            let mine = |text: &str| lines(text).filter(|line| is_marker(line)).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(mine(&drifted), mine(&left), "{}", name);
            let count = |text: &str, line: &str| lines(text).filter(|have| *have == line).count();
            for line in edited.splice.iter().flat_map(|made| lines(&made.inserted)) {
                let gone = count(&left, line) <= count(&was, line);
                prop_assert!(gone || told(line.trim()), "{}: {:?} is left and not told\n{}", name, line, left);
            }
            if plan.manual.iter().all(|step| step.at != name) {
                let without: Vec<&str> = lines(&left).filter(|line| !is_marker(line)).collect();
                prop_assert_eq!(without, lines(&was).collect::<Vec<_>>(), "{}", name);
            }
        }
        let ours = |tree: &Tree| tree.iter().filter(|(path, _)| path.as_str().contains("auth/")).count();
        prop_assert_eq!(ours(&end), 0);
    }
}

proptest! {
    #![proptest_config(cases(32))]

    /// Whatever a project looks like, the plan is a patch that git applies, and `undo` gives every byte back.
    #[test]
    fn undo_of_add_is_the_project(index in 0..FIXTURES.len(), drift in drift()) {
        let mut app = fixture(FIXTURES[index]);
        let files: Vec<&str> = added()[index].files.iter().map(String::as_str).collect();
        app.tree = drifted(&app.tree, &files, &drift);
        let plan = app.plan().unwrap();
        let after = app.tree.with(&plan.changes);
        prop_assert!(apply(&app.tree, &patch::patch(&plan.changes, "")) == after, "git makes something else of it");
        let lock = Lock::read(&after).unwrap().unwrap();
        for Change { path, .. } in &plan.changes {
            let name = path.as_str();
            let known = name.starts_with("src/auth") || name == lock::PATH || files.contains(&name);
            prop_assert!(known, "{} is changed", path);
        }
        let back = undo(&after, &lock, Some(language())).unwrap();
        prop_assert!(after.with(&back.changes) == app.tree && back.manual.is_empty());
        for (name, text) in app.tree.iter() {
            let kept = |line: &&str| after.get(name).unwrap().raw().contains(line.trim_end());
            prop_assert!(text.raw().lines().filter(|line| is_marker(line)).all(|line| kept(&line)), "{}", name);
        }
    }
}

/// One way to write a dependency that the pack wants too, or another one.
fn entry() -> impl Strategy<Value = (&'static str, String)> {
    let name = select(vec!["anyhow", "axum", "lettre", "serde", "sqlx", "time", "tokio", "zzz"]);
    let style = select(vec![
        "N = \"V\"",
        "N = 'V' # why \"so\"",
        "N={version=\"V\"}",
        "N = { version = \"V\", features = [] }",
        "N = { version = \"V\", features = [\"json\", \"rt\"], default-features = false }",
        "N = { features = [ \"derive\" ] , version = \"V\" }",
        "N.version = \"V\"",
        "N.version = \"V\"\nN.features = [\n  \"sync\", # \"net\"\n  'rt'\n]",
        "N = { version = \"V\", features = [\n  \"sync\",\n] }",
        "# N\nN = \"V\"",
    ]);
    (name, style).prop_map(|(name, style)| {
        let version = match name {
            "axum" => "0.8",
            "lettre" => "0.11.22",
            "sqlx" => "0.9",
            "time" => "0.3.47",
            _ => "1",
        };
        (name, style.replace('N', name).replace('V', version))
    })
}

prop_compose! {
    fn manifest()(
        entries in prop::collection::btree_map(0..20_u8, entry(), 0..6),
        head in select(vec!["", "[package]\nname = \"x\"\n\n", "# only\n"]),
        tail in select(vec!["", "\n[x]\nlto = true\n", "\n# end\n", "\n[dependencies.rand]\nversion = \"1\"\n"]),
        (crlf, bom, last) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) -> String {
        let mut seen = vec![];
        let mut text = head.to_owned();
        for (name, entry) in entries.values() {
            if seen.is_empty() {
                text += "[dependencies]\n";
            }
            if !seen.contains(name) {
                text.extend([entry.as_str(), "\n"]);
            }
            seen.push(*name);
        }
        text += tail;
        let text = if last { text } else { text.trim_end().to_owned() };
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        if bom { format!("\u{feff}{text}") } else { text }
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// However a manifest is written, it gets what it lacks, once, and can be read afterwards.
    #[test]
    fn manifests_get_what_they_lack(text in manifest()) {
        let wanted = libraries();
        let toml = Toml::parse(&text).unwrap();
        let (after, made) = edited(&text, cargo_toml::add(&toml, None, &wanted, "Cargo.toml").unwrap());
        let now = Toml::parse(&after);
        prop_assert!(now.is_ok(), "{}", after);
        let again = cargo_toml::add(&now.unwrap(), None, &wanted, "Cargo.toml").unwrap();
        prop_assert!(again.iter().all(|outcome| *outcome == Outcome::Already), "{:?}\n{}", again, after);
        // Nothing of the user's is lost but the values that were extended.
        let values: Vec<&str> = made.iter().flat_map(|made| made.removed.lines()).collect();
        for line in text.lines() {
            let replaced = values.iter().any(|value| line.contains(value.trim()) || value.contains(line.trim()));
            prop_assert!(replaced || after.lines().any(|have| have == line), "{:?} is lost:\n{}", line, after);
        }
        let lf = after.matches('\n').count() - after.matches("\r\n").count();
        prop_assert!(lf == 0 || !text.contains("\r\n"), "mixed endings:\n{:?}", after);
    }
}

/// No file, or one of the characters that a patch could stumble over.
fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[ab\t\r\n @+-]{0,24}")
}

proptest! {
    #![proptest_config(cases(48))]

    /// Any change of any text is a patch that git applies.
    #[test]
    fn patches_are_what_git_reads(
        texts in prop::collection::vec((text(), text()), 1..6),
    ) {
        let file = |(n, text): (usize, Option<String>)| Some((path(&format!("a {n}/ü.txt")), Text::new(text?)));
        let (before, after): (Vec<_>, Vec<_>) = texts.into_iter().unzip();
        let tree = |all: Vec<Option<String>>| all.into_iter().enumerate().filter_map(file).collect::<Tree>();
        let (before, after) = (tree(before), tree(after));
        let changes = before.difference(&after);
        if !changes.is_empty() {
            let text = patch::patch(&changes, "");
            prop_assert!(apply(&before, &text) == after, "{}", text);
        }
    }
}

#[test]
fn the_same_project_gets_the_same_plan() {
    for (name, added) in FIXTURES.iter().zip(added()) {
        assert!(fixture(name).added() == (added.after.clone(), added.lock.clone()), "{name}");
    }
}

#[test]
fn a_second_add_with_the_same_answers_is_no_plan() {
    for name in FIXTURES {
        assert_eq!(fixture(name).after(&[]).plan().unwrap(), Plan::default(), "{name}");
    }
}

/// Flags of the small pack that add something to its defaults.
fn extension() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let flags = vec![
        ("with", "tokens"),
        ("ui", "pages"),
        ("profile", "strict"),
        ("profile", "consumer"),
        ("also", "agents"),
        ("also", "ci,codeowners"),
    ];
    prop::sample::subsequence(flags, 1..4)
}

const SMALL_FILES: [&str; 6] =
    ["Cargo.toml", "src/main.rs", ".gitignore", "src/auth/mod.rs", "src/auth/settings.rs", "src/auth_example.rs"];

fn markers(tree: &Tree) -> Vec<String> {
    tree.iter().flat_map(|(_, text)| lines(text.raw())).filter(|line| is_marker(line)).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(cases(96))]

    /// Whatever the user writes between, a second layer keeps it or is refused, and comes off again by itself.
    #[test]
    fn a_layer_comes_off_the_layer_below(before in drift(), flags in extension(), after in drift()) {
        let first = small_app().after(&[]);
        let drifted_first = App { tree: drifted(&first.tree, &SMALL_FILES, &before), ..small_app() };
        let plan = match drifted_first.plan_with(&flags) {
            Ok(plan) => plan,
            Err(error) => {
                let problem = error.downcast_ref::<Problem>().unwrap();
                prop_assert_eq!(problem.exit_code(), 4, "{:?}", problem);
                return Ok(());
            }
        };
        let second = App { tree: drifted_first.tree.with(&plan.changes), ..small_app() };
        prop_assert_eq!(markers(&second.tree), markers(&drifted_first.tree));
        prop_assert_eq!(second.plan_with(&flags).unwrap(), Plan::default());
        let tree = second.tree.clone();
        let (back, manual) = second.undone();
        prop_assert!(manual.is_empty() && back.tree == drifted_first.tree, "{:?}", drifted_first.tree.difference(&back.tree));

        // And with more that came after it.
        let files: Vec<&str> = SMALL_FILES.into_iter().filter(|name| *name != "src/auth/mod.rs").collect();
        let later = App { tree: drifted(&tree, &files, &after), ..small_app() };
        let kept = markers(&later.tree);
        let (back, manual) = later.undone();
        prop_assert_eq!(markers(&back.tree), kept);
        for (name, text) in drifted_first.tree.iter().filter(|(name, _)| name.as_str() != lock::PATH) {
            if manual.iter().all(|step| step.at != name.as_str()) {
                let mine = |text: &str| lines(text).filter(|line| !is_marker(line)).map(str::to_owned).collect::<Vec<_>>();
                prop_assert_eq!(mine(back.tree.get(name).unwrap().raw()), mine(text.raw()), "{}", name);
            }
        }
    }
}

//! Parsers and editors, each by itself.
#![expect(clippy::disallowed_methods, reason = "seeds are read from disk")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Random, Target};
use crate::core::{
    anchor::{self, Match},
    detect::{detect, knowledge::Knowledge, sight::Sight},
    edit::{Outcome, Splice, dependencies::Dependencies, hunks, lines, source, splice, toml, unsplice},
    lock::{self, Lock},
    manifest::{self, members, named},
    npm,
    pack::{Dependency, Language, Lines, Pack, Place, Suits, Wire, embedded},
    patch::{self, tests::apply},
    pep440,
    plan::Workspace,
    project::{Change, RelPath, Text, Tree},
    testing::{axum, fixture, libraries, path},
    undo::undo,
    verify::verify,
};

/// Texts of a name for each format that is read; what is not in the fixtures is written here.
const READ: &[(&str, &[&str])] = &[
    ("Cargo.toml", &[]),
    ("package.json", &[r#"{"workspaces":["a/*"],"catalog":{"a":"1"},"dependencies":{"a":"catalog:","b":"npm:c@1"}}"#]),
    ("composer.json", &[]),
    (
        "deno.json",
        &[
            "{ // a\n \"imports\": { \"hono\": \"npm:@a/hono@^4/x\", \"b/\": \"jsr:/@a/b@1\" }, \"workspace\": [\"./a\"] }",
        ],
    ),
    ("project.json", &[r#"{"targets":{"build":{"executor":"@nx/next:build"}}}"#]),
    ("pyproject.toml", &[]),
    ("Pipfile", &["[packages]\ndjango = \"==5.2\"\nx = { version = \"*\" }\n[dev-packages]\ny = \"*\"\n"]),
    (
        "setup.py",
        &[
            "setup(\n    install_requires=[\n        'flask>=2',  # é\n        \"a[b]>=1; python_version<'3'\",\n    ],\n)\n",
        ],
    ),
    ("setup.cfg", &["[options]\ninstall_requires =\n    flask>=2\n    # no\n    a==1\n"]),
    (
        "requirements.txt",
        &["fastapi[standard]==0.165.0 \\\n  --hash=sha256:x\n-r other.txt\na @ https://b\nc>=1 # d\n"],
    ),
    ("environment.yml", &["dependencies:\n  - flask=2\n  - pip:\n    - a==1\n"]),
    (
        "go.mod",
        &["module a\n\ngo 1.22\n\nrequire (\n\tb/c v1.2.3\n\td v0.1.0 // indirect\n)\nrequire e v2.0.0+incompatible\n"],
    ),
    ("Gemfile", &[]),
    ("mix.exs", &[]),
    ("packages", &["a@1.2\nb # c\n"]),
    ("pom.xml", &[]),
    ("build.gradle", &[]),
    ("build.gradle.kts", &[]),
    (
        "app.csproj",
        &[
            "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><ItemGroup><PackageReference Include=\"A\" Version=\"$(B)\" /></ItemGroup></Project>",
        ],
    ),
    (
        "pnpm-workspace.yaml",
        &["packages:\n  - 'apps/*'\n  - \"!apps/old\"\ncatalog:\n  a: ^1\ncatalogs:\n  b:\n    c: 2\n"],
    ),
    ("lerna.json", &["{\"packages\":[\"a/*\"]}"]),
    ("go.work", &["go 1.22\nuse (\n\t./a\n\t./b\n)\nuse ./c\n"]),
    ("settings.gradle", &["include ':a:b', \"c\"\ninclude(\n  \":d\",\n)\n"]),
    ("a.sln", &["Project(\"{F}\") = \"A\", \"A\\A.csproj\", \"{E}\"\nEndProject\n"]),
];

/// What a build inherits from.
const ABOVE: &[(&str, &str)] = &[
    ("package.json", "{\"catalogs\":{\"x\":{\"a\":\"1\"}}}"),
    ("pnpm-workspace.yaml", "catalog:\n  a: 1\n"),
    ("pom.xml", "<project><properties><v>1</v></properties></project>"),
    (
        "gradle/libs.versions.toml",
        "[versions]\nv = \"1\"\n[libraries]\nweb = { module = \"a:b\", version.ref = \"v\" }\n[bundles]\nall = [\"web\"]\n[plugins]\np = { id = \"q\", version = \"2\" }\n",
    ),
    ("gradle.properties", "v=1\n"),
    (
        "Directory.Packages.props",
        "<Project><ItemGroup><PackageVersion Include=\"A\" Version=\"1\"/></ItemGroup></Project>",
    ),
];

pub fn all() -> Vec<Target> {
    let files = files();
    let mut targets: Vec<Target> = READ.iter().map(|(name, own)| named_by(name, own, &files)).collect();
    targets
        .extend(["Cargo.toml", "package.json", "pyproject.toml", "requirements.txt"].map(|name| editor(name, &files)));
    targets.extend([locks(&files), own_lock(), take_back(&files), versions(), ignore_file(&files), paths()]);
    targets.extend([rust(&files), python(&files), typescript(&files), detection(), hunks_and_patches(&files)]);
    #[cfg(feature = "probe")]
    targets.push(contract());
    targets
}

/// Every text of the fixtures with its name: those of `detect/` hold several.
fn files() -> Vec<(String, String)> {
    let mut found = vec![];
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = name_of(&path);
            if path.is_dir() {
                folders.extend((!["target", "node_modules", ".venv"].contains(&name.as_str())).then_some(path));
            } else if let Ok(text) = fs::read_to_string(&path) {
                let several = path.parent().is_some_and(|folder| folder.ends_with("detect"));
                let parts = several.then(|| text.split("\n-- ").skip(1).filter_map(|part| part.split_once(" --\n")));
                found.extend(
                    parts.into_iter().flatten().map(|(name, text)| (name_of(Path::new(name)), text.to_owned())),
                );
                found.extend((!several).then_some((name, text)));
            }
        }
    }
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn seeds(files: &[(String, String)], is_one: impl Fn(&str) -> bool) -> Vec<String> {
    let mut seeds: Vec<String> = files.iter().filter(|(name, _)| is_one(name)).map(|(_, text)| text.clone()).collect();
    seeds.sort();
    seeds.dedup();
    seeds
}

/// What a file names and which members it lists, on lines that are there.
fn named_by(name: &'static str, own: &[&str], files: &[(String, String)]) -> Target {
    let ending = named::ending(name).to_owned();
    let several = ["txt", "yml", "csproj", "sln"].contains(&ending.as_str());
    let mut seeds = seeds(files, |file| file == name || (several && named::ending(file) == ending));
    seeds.extend(own.iter().map(|&text| text.to_owned()));
    Target::new(format!("named {name}"), seeds, move |text, random| {
        let mut above: Vec<(String, &str)> = ABOVE.iter().map(|(name, text)| ((*name).to_owned(), *text)).collect();
        let inherits = random.one_in(2);
        if inherits {
            above.push((name.to_owned(), text));
        }
        let count = text.lines().count().max(1);
        for found in named::all(name, text, &above).unwrap_or_default() {
            let from_above = inherits || name.starts_with("build.gradle");
            assert!(from_above || (1..=count).contains(&found.line), "{found:?} of {count} lines");
            _ = (manifest::lowest(found.requirement.as_deref().unwrap_or_default()), found);
        }
        _ = members::members(name, text).is_some_and(|members| members.hold("apps/web"));
        _ = (
            members::catalogs(text),
            manifest::is_workspace(name, text, "a/b"),
            manifest::path_outside(name, text, "a"),
        );
    })
}

/// Libraries in the format of a manifest.
fn wanted(name: &str) -> Vec<Dependency> {
    if name == "Cargo.toml" {
        return libraries();
    }
    let list = [("argon2-cffi", "25.1", false), ("zzz", "1", false), ("express", "5", false), ("a-test", "2", true)];
    let version = |floor: &str| if name == "package.json" { format!("^{floor}.0.0") } else { format!(">={floor}") };
    let one = |(name, floor, dev): (&str, &str, bool)| -> Dependency {
        ::toml::from_str(&format!("name = '{name}'\nversion = '{}'\ndev = {dev}\n", version(floor))).unwrap()
    };
    list.map(one).to_vec()
}

/// What is not edited keeps its bytes; what is there is not added again.
fn editor(name: &'static str, files: &[(String, String)]) -> Target {
    let wanted = wanted(name);
    Target::new(format!("edit {name}"), seeds(files, |file| file == name), move |text, random| {
        let root = random.one_in(2).then(|| Text::new(text));
        let workspace = Workspace { manifest: root, lock: None };
        let Ok(there) = Dependencies::open(name, text, &workspace) else { return };
        for one in &wanted {
            if let Ok(key) = there.key(one) {
                _ = (there.existing(one, &key), there.written(one, &key), there.replaced(one, &key));
            }
            _ = there.has(&Suits { depends: one.name.clone(), feature: None });
            _ = manifest::dependency(name, one, &[(path(name), Text::new(text))].into_iter().collect(), &workspace);
        }
        _ = (there.project(), there.minimum(), there.all_by_hand(&wanted));
        let Ok(outcomes) = there.add(&wanted) else { return };
        let (splices, by_hand) = parts(outcomes);
        let after = undone(text, splices);
        let own = Workspace { manifest: workspace.manifest.clone(), lock: None };
        // A plan makes no such edit, and leaves all of it to the user.
        let Ok(now) = Dependencies::open(name, &after, &own) else { return };
        let again = now.add(&wanted).unwrap_or_else(|error| panic!("{error:#}\n{after}"));
        let (more, left) = parts(again);
        assert!(more.is_empty(), "added again: {more:?}\n{after}");
        assert_eq!(by_hand, left, "{after}");
    })
}

fn parts(outcomes: Vec<Outcome>) -> (Vec<Splice>, usize) {
    let (mut splices, mut by_hand) = (vec![], 0);
    for outcome in outcomes {
        match outcome {
            Outcome::Edit(made) => splices.extend(made),
            Outcome::Already => {}
            Outcome::Manual(_) => by_hand += 1,
        }
    }
    (splices, by_hand)
}

/// The text after splices, of which nothing but these differs.
fn undone(text: &str, splices: Vec<Splice>) -> String {
    let kept: usize = text.len() - splices.iter().map(|one| one.range.len()).sum::<usize>();
    let new: usize = splices.iter().map(|one| one.text.len()).sum();
    let (after, made) = splice(text, splices);
    assert_eq!(after.len(), kept + new, "splices overlap");
    assert_eq!(unsplice(&after, &made).as_deref(), Some(text), "{after}");
    after
}

fn locks(files: &[(String, String)]) -> Target {
    let names =
        ["Cargo.lock", "package-lock.json", "uv.lock", "poetry.lock", "pnpm-lock.yaml", "yarn.lock", "bun.lock"];
    let mut seeds = seeds(files, |file| names.contains(&file));
    for seed in &mut seeds {
        seed.truncate((0..=seed.len().min(8 << 10)).rev().find(|at| seed.is_char_boundary(*at)).unwrap_or(0));
    }
    seeds.extend(
        [
            "lockfileVersion: '9.0'\n\npackages:\n\n  '@types/express@5.0.3':\n    resolution: {}\n\n  express@5.1.0(a@1):\n",
            "# yarn lockfile v1\n\n\nexpress@^5.0.0, express@^5.1.0:\n  version \"5.1.0\"\n",
            "__metadata:\n  version: 8\n\n\"express@npm:^5.1.0\":\n  version: 5.1.0\n",
            "{\n  \"lockfileVersion\": 1,\n  \"packages\": {\n    \"express\": [\"express@5.1.0\", \"\", {}, \"x\"],\n  }\n}\n",
            "{\n  \"name\": \"a\",\n  \"lockfileVersion\": 3,\n  \"packages\": {\"node_modules/express\": {\"version\": \"5.1.0\"}}\n}\n",
            "[[package]]\nname = \"express\"\nversion = \"5.1.0\"\n",
        ]
        .map(str::to_owned),
    );
    Target::new("locks", seeds, |text, _| {
        for name in ["express", "@types/express", "axum", ".*[(", "é"] {
            _ = manifest::locked(&Text::new(text), name);
        }
    })
}

/// Our own lock, planted: it is read or refused, written as it was read, and taken back without harm.
fn own_lock() -> Target {
    let added: Vec<(Tree, String)> = ["plain", "crlf", "app-fn"]
        .map(|name| {
            let (tree, lock) = fixture(name).added();
            (tree, small(lock).write().unwrap())
        })
        .to_vec();
    let seeds = added.iter().map(|(_, lock)| lock.clone()).collect();
    let packs = vec![axum()];
    Target::new("lock", seeds, move |text, random| {
        let Ok(lock) = Lock::parse(text) else { return };
        let written = lock.write().unwrap();
        assert_eq!(Lock::parse(&written).unwrap(), lock, "{written}");
        let mut tree = random.pick(&added).0.clone();
        tree.insert(path(lock::PATH), Text::new(text));
        let language = &packs[0].language;
        if let Ok(plan) = undo(&tree, &lock, Some(language)) {
            assert!(!plan.changes.is_empty(), "the lock stays as it was");
        }
        if random.one_in(8) {
            _ = verify(&packs, &lock, &tree, &Workspace::default());
        }
    })
}

/// Most of a lock is names of files and their hashes: fewer of these leave more changes for the rest.
fn small(mut lock: Lock) -> Lock {
    for layer in &mut lock.layer {
        layer.created.truncate(3);
    }
    lock
}

/// Splices that a planted lock names, in a text that is another.
fn take_back(files: &[(String, String)]) -> Target {
    let seeds = seeds(files, |file| ["Cargo.toml", "main.rs"].contains(&file));
    let (added, language) = (fixture("plain").added().1, axum().language);
    Target::new("take back", seeds, move |text, random| {
        let mut lock = small(added.clone());
        let tables = ["dependencies", "", ".", "a.b", "dev-dependencies", "dependencies.axum"];
        for edited in &mut lock.layer[0].edited {
            let name: &&str = random.pick(&["Cargo.toml", "src/main.rs"]);
            edited.path = path(name);
            for made in &mut edited.splice {
                let number = [0, 1, random.below(text.len() + 1), usize::MAX >> 1, made.at];
                made.at = *random.pick(&number);
                let part = |random: &mut Random| {
                    let lines: Vec<&str> = text.split_inclusive('\n').collect();
                    let from = random.below(lines.len());
                    lines.iter().skip(from).take(random.below(3)).copied().collect::<String>()
                };
                if random.one_in(2) {
                    made.inserted = part(random);
                }
                if random.one_in(3) {
                    made.removed = part(random);
                }
                if let Some(entry) = made.entry.as_mut().filter(|_| random.one_in(2)) {
                    (*random.pick(&tables)).clone_into(&mut entry.table);
                    entry.key = random.one_in(2).then(|| part(random).trim().to_owned());
                    entry.value = part(random);
                }
            }
        }
        let tree: Tree =
            [(path("Cargo.toml"), Text::new(text)), (path("src/main.rs"), Text::new(text))].into_iter().collect();
        _ = undo(&tree, &lock, Some(&language));
        _ = toml::take_back(text, &lock.layer[0].edited[0].splice[0], &toml_entry(random));
    })
}

fn toml_entry(random: &mut Random) -> crate::core::edit::Entry {
    let table = (*random.pick(&["dependencies", "package", "a.b"])).to_owned();
    let key = random.one_in(2).then(|| (*random.pick(&["axum", "tokio", "name"])).to_owned());
    crate::core::edit::Entry { table, key, value: "\"1\"".to_owned() }
}

fn versions() -> Target {
    let seeds = [
        "^5.0.0 || >=4.18 <6",
        "1.2.3 - 2",
        "v1.x",
        "~1.2",
        ">=1.2,<2",
        "~=1.4.2",
        "==1.*",
        "!=1",
        "1!2.0rc1.post2.dev3+l",
        "github:a/b",
        "workspace:*",
        "a[b,c]>=1; x",
        "a @ b",
        "../x",
        "a/./b",
        "C:\\x",
        "",
        "{a,b}/**",
        "a[",
        "0.8",
        "1.0.0-rc.1",
    ];
    Target::new("versions", seeds.map(str::to_owned).to_vec(), |text, _| {
        let accept = ">=1.2, <3".parse().unwrap();
        let version = semver::Version::new(1, 2, 3);
        _ = (npm::admits(text, &version), npm::lowest(text), npm::meets(&accept, text));
        _ = (pep440::version(text), pep440::admits(text, &version), pep440::lowest(text));
        _ = (manifest::lowest(text), crate::core::edit::cargo_toml::lowest(text));
        _ = crate::core::edit::python::Requirement::parse(text);
        _ = crate::core::edit::python::meets(&accept, text);
    })
}

/// A path that is taken cannot leave.
fn paths() -> Target {
    let seeds = ["src/main.rs", "../x", "a/../b", "/etc/passwd", "a//b", "C:/x", "a\\..\\b", ".", "a/.", "~/.ssh"];
    Target::new("paths", seeds.map(str::to_owned).to_vec(), |text, _| {
        let Ok(path) = RelPath::new(text) else { return };
        let parts = Path::new(path.as_str()).components();
        assert!(parts.clone().all(|part| matches!(part, std::path::Component::Normal(_))), "{path}");
        assert!(!path.as_str().contains('\0') && parts.count() > 0);
        let glob = crate::core::glob::Glob::from(text.to_owned());
        _ = glob.matches("src/main.rs");
        _ = Text::new(text).endings_for("a\n");
    })
}

fn ignore_file(files: &[(String, String)]) -> Target {
    let mut seeds = seeds(files, |file| [".gitignore", ".env.example"].contains(&file));
    seeds.push("/target\n.env\n# x\n".to_owned());
    let wanted: Lines = axum().manifest.lines.first().unwrap().clone();
    Target::new("lines", seeds, move |text, _| {
        let new = ["/.auth-dev/".to_owned(), "AUTH_SECRET=".to_owned(), ".env".to_owned()];
        let (splices, _) = parts(vec![lines::add(text, &wanted, &new)]);
        let after = undone(text, splices);
        assert!(new.iter().all(|line| lines::holds(&after, line)), "{after}");
        assert_eq!(lines::add(&after, &wanted, &new), Outcome::Already, "{after}");
    })
}

fn language(name: &str) -> Language {
    ::toml::from_str(embedded(&format!("_languages/{name}.toml")).unwrap()).unwrap()
}

fn rust(files: &[(String, String)]) -> Target {
    code("rust", "axum", seeds(files, |file| named::ending(file) == "rs"))
}

fn python(files: &[(String, String)]) -> Target {
    code("python", "fastapi", seeds(files, |file| named::ending(file) == "py"))
}

fn typescript(files: &[(String, String)]) -> Target {
    code("typescript", "express", seeds(files, |file| ["ts", "js", "mjs", "cjs"].contains(&named::ending(file))))
}

/// Every anchor of a pack is looked for, and edits at each place that is found lose nothing.
fn code(grammar: &'static str, pack: &'static str, seeds: Vec<String>) -> Target {
    let pack = Pack::all().unwrap().into_iter().find(|one| one.manifest.id == pack).unwrap();
    let language = language(grammar);
    Target::new(format!("code {grammar}"), seeds, move |text, random| {
        let (end, any) = anchor::after_imports(&language, text).unwrap();
        assert!(text.is_char_boundary(end) && (any || end <= text.len()));
        undone(text, vec![source::import(&language, text, "use a;\nuse b;").unwrap()]);
        undone(text, vec![source::end(text, "end(a)")]);
        _ = anchor::parse_errors(&language, text).unwrap();
        let rules: Vec<_> = pack.manifest.anchor.iter().filter_map(|anchor| anchor.rule.as_ref()).collect();
        for rule in rules.iter().skip(random.below(rules.len())).take(2) {
            for found in anchor::matches(&language, rule, text).unwrap() {
                assert!(text.get(found.range.clone()).is_some() && text.get(found.statement.clone()).is_some());
                edits(&language, text, &found);
            }
        }
        _ = anchor::hints(&language, &["(?P<a>\\w+)\\.serve\\(".to_owned()], text).unwrap();
    })
}

fn edits(language: &Language, text: &str, found: &Match) {
    let wire = |place: &str, capture: Option<&String>| -> Wire {
        let capture = capture.map(|name| format!("capture = '{name}'\n")).unwrap_or_default();
        ::toml::from_str(&format!("at = 'x'\nplace = '{place}'\ntext = ''\nmanual = ''\n{capture}")).unwrap()
    };
    let name = found
        .captures
        .iter()
        .find(|(_, capture)| found.statement.start <= capture.range.start && capture.range.end <= found.statement.end);
    let mut wires = vec![(wire("before", None), "a\nb"), (wire("after", None), "c"), (wire("end", None), "d")];
    wires.extend(name.map(|(name, _)| (wire("replace", Some(name)), "e(f)")));
    let each: Vec<(&Wire, String)> = wires.iter().map(|(wire, text)| (wire, (*text).to_owned())).collect();
    assert!(wires.iter().all(|(wire, _)| wire.place != Place::Import));
    undone(text, source::wires(language, text, found, &each).unwrap());
}

thread_local! {
    static KNOWN: (Knowledge, Vec<Pack>) = {
        let packs = Pack::all().unwrap();
        (Knowledge::load(&packs).unwrap(), packs)
    };
}

/// One file of a project is broken: what is told of it rests on lines that are there.
fn detection() -> Target {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/detect");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    paths.sort();
    let seeds = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    Target::new("detect", seeds, |text, _| {
        let mut tree = Tree::default();
        for part in text.split("\n-- ").skip(1) {
            let Some((name, text)) = part.split_once(" --\n") else { continue };
            let Ok(name) = RelPath::new(name) else { continue };
            tree.insert(name, Text::new(text));
        }
        KNOWN.with(|(known, packs)| {
            for project in detect(known, packs, &Sight::of(&tree)).projects {
                assert!(!project.evidence.is_empty(), "a claim without evidence: {project:?}");
                for evidence in project.evidence.iter().chain(&project.entry) {
                    let count = tree.text(&evidence.file).unwrap_or_default().lines().count().max(1);
                    assert!((1..=count).contains(&evidence.line), "{evidence:?} of {count} lines");
                }
            }
        });
    })
}

/// Any two texts: splices make one of the other, and now and then git reads the patch.
fn hunks_and_patches(files: &[(String, String)]) -> Target {
    let seeds = seeds(files, |file| ["main.rs", "main.py", "Cargo.toml", "package.json", ".gitignore"].contains(&file));
    let others = seeds.clone();
    Target::new("hunks and patches", seeds, move |text, random| {
        let before = super::mutated(&others[..2], random).replace('\0', "");
        let after = text.replace('\0', "");
        let (made, _) = splice(&before, hunks::between(&before, &after));
        assert_eq!(made, after);
        if random.one_in(20) && before != after {
            let name = random.pick(&["a", "a b/ü.txt", "-p", "tab\there"]);
            let change = Change { path: path(name), before: Some(Text::new(before)), after: Some(Text::new(after)) };
            let tree = |text: &Option<Text>| text.iter().map(|text| (path(name), text.clone())).collect::<Tree>();
            let patch = patch::patch(std::slice::from_ref(&change), "");
            assert!(apply(&tree(&change.before), &patch) == tree(&change.after), "{patch}");
        }
    })
}

#[cfg(feature = "probe")]
fn contract() -> Target {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/canary");
    let mut seeds: Vec<String> = ["careful", "weak"]
        .iter()
        .filter_map(|name| fs::read_to_string(root.join(name).join("contract.toml")).ok())
        .collect();
    seeds.push("schema = 1\nmodules = [\"password\"]\nencoding = \"json\"\n[cookies]\nsession = \"sid\"\n[csrf]\nsource = \"origin\"\n".to_owned());
    Target::new("contract", seeds, |text, _| {
        if let Ok(contract) = authwright_probe::contract::Contract::parse(text) {
            _ = contract.variables();
        }
        let found: Tree =
            [(path(lock::FOUND), Text::new(text)), (path(lock::PROOF), Text::new(text))].into_iter().collect();
        _ = (crate::commands::found::Found::read(&found), crate::commands::proof::Proof::read(&found));
        _ = crate::core::audit::parse(text);
    })
}

use super::*;
use crate::core::testing::{FIXTURES, app_tree, axum, folder, tree};

fn seen(packs: &[Pack], sight: &Sight<'_>) -> Detection {
    detect(&Knowledge::load(packs).unwrap(), packs, sight)
}

fn of(files: &[(&str, &str)]) -> Detection {
    seen(&[axum()], &Sight::of(&tree(files)))
}

/// Verdict, and path and framework of each project.
fn told(files: &[(&str, &str)]) -> (Verdict, Vec<String>) {
    let found = of(files);
    (found.verdict, found.projects.iter().map(|project| format!("{} {}", project.path, project.framework)).collect())
}

const AXUM: &str = "[package]\nname = \"x\"\n[dependencies]\naxum = \"0.8\"\n";
const MAIN: &str = "fn main() {\n    axum::serve(l, app);\n}\n";

#[test]
fn an_app_in_another_form_than_is_served() {
    let mut pack = axum();
    pack.manifest.detect.unserved = Some("why".to_owned());
    let told = |file: &str| {
        let tree = tree(&[("Cargo.toml", AXUM), (file, MAIN)]);
        let found = seen(std::slice::from_ref(&pack), &Sight::of(&tree));
        (found.verdict, found.projects.first().and_then(|project| project.reason.clone()))
    };
    assert_eq!(told("src/main.rs"), (Verdict::Single, None));
    assert_eq!(told("src/lib.rs"), (Verdict::Unsupported, Some("why".to_owned())));
    assert_eq!(told("tests/other.rs"), (Verdict::Unsupported, Some("why".to_owned())), "the manifest alone");
}

#[test]
fn verdicts() {
    for (name, files, verdict, projects) in [
        ("one", &[("Cargo.toml", AXUM), ("src/main.rs", MAIN)][..], Verdict::Single, &[". axum"][..]),
        ("below", &[("api/Cargo.toml", AXUM), ("api/src/main.rs", MAIN)], Verdict::Single, &["api axum"]),
        ("a binary of another name", &[("Cargo.toml", AXUM), ("src/bin/x.rs", MAIN)], Verdict::Single, &[". axum"]),
        ("a library", &[("Cargo.toml", AXUM), ("src/lib.rs", "")], Verdict::None, &[]),
        ("nothing", &[("README.md", "axum")], Verdict::None, &[]),
        ("an example", &[("examples/a/Cargo.toml", AXUM), ("examples/a/src/main.rs", MAIN)], Verdict::None, &[]),
        (
            "two",
            &[("a/Cargo.toml", AXUM), ("a/src/main.rs", MAIN), ("b/Cargo.toml", AXUM), ("b/src/main.rs", MAIN)],
            Verdict::Ambiguous,
            &["a axum", "b axum"],
        ),
        (
            "two frameworks",
            &[
                ("Cargo.toml", AXUM),
                ("src/main.rs", MAIN),
                ("web/package.json", "{\"dependencies\":{\"fastify\":\"5\"}}"),
            ],
            Verdict::Ambiguous,
            &[". axum", "web fastify"],
        ),
        (
            "built on it",
            &[("Cargo.toml", "[dependencies]\naxum = \"0.8\"\nloco-rs = \"0.16\"\n"), ("src/main.rs", "")],
            Verdict::Unsupported,
            &[". loco"],
        ),
        ("go", &[("go.mod", "require github.com/gin-gonic/gin v1.10.0\n")], Verdict::Unsupported, &[". go-gin"]),
        (
            "twice python",
            &[("requirements.txt", "flask\n"), ("pyproject.toml", "[project]\ndependencies = [\"flask\"]\n")],
            Verdict::Unsupported,
            &[". flask"],
        ),
        (
            "dev only",
            &[("Cargo.toml", "[dev-dependencies]\naxum = \"0.8\"\n"), ("src/main.rs", MAIN)],
            Verdict::None,
            &[],
        ),
    ] {
        let projects = projects.iter().map(|project| (*project).to_owned()).collect();
        assert_eq!(told(files), (verdict, projects), "{name}");
    }
}

#[test]
fn versions_that_are_served() {
    for (version, served) in [
        ("\"0.8\"", true),
        ("\"0.7.9\"", true),
        ("\"=0.8.1\"", true),
        ("\"0.6\"", false),
        ("\"0.9\"", false),
        ("\"*\"", false),
        ("{ git = \"https://x\" }", false),
    ] {
        let manifest = AXUM.replace("\"0.8\"", version);
        let found = of(&[("Cargo.toml", &manifest), ("src/main.rs", MAIN)]);
        assert_eq!(found.projects[0].supported, served, "{version}");
        assert_eq!(found.projects[0].reason.is_none(), served, "{version}");
        assert_eq!(found.verdict, if served { Verdict::Single } else { Verdict::Unsupported });
    }
}

#[test]
fn claims_have_evidence() {
    let manifest = format!("{AXUM}sqlx = \"0.9\"\naxum-login = \"0.18\"\n");
    let found = of(&[("api/Cargo.toml", &manifest), ("api/src/main.rs", MAIN)]);
    let app = &found.projects[0];
    let evidence = |line, file: &str, text: &str| Evidence { file: file.to_owned(), line, text: text.to_owned() };
    let entry = evidence(2, "api/src/main.rs", "axum::serve(l, app);");
    assert_eq!(
        app.evidence,
        [
            evidence(4, "api/Cargo.toml", "axum = \"0.8\""),
            entry.clone(),
            evidence(5, "api/Cargo.toml", "sqlx = \"0.9\""),
            evidence(6, "api/Cargo.toml", "axum-login = \"0.18\""),
        ]
    );
    assert_eq!((app.entry.as_ref(), app.stack.as_deref()), (Some(&entry), Some("axum")));
    assert_eq!((app.database.as_deref(), app.existing_auth.as_deref()), (Some("sqlx"), Some("axum-login")));
}

#[test]
fn members_inherit_from_their_workspace() {
    let root = "[workspace]\nmembers = [\"api\"]\nexclude = [\"old\"]\n[workspace.dependencies]\naxum = \"0.8\"\n";
    let member = "[package]\nname = \"x\"\n[dependencies]\naxum.workspace = true\n";
    let found = of(&[("Cargo.toml", root), ("api/Cargo.toml", member), ("api/src/main.rs", MAIN)]);
    assert_eq!((found.verdict, found.projects[0].workspace.as_deref()), (Verdict::Single, Some(".")));
    assert_eq!(found.projects[0].framework_version.as_deref(), Some("0.8"));
    let found = of(&[("Cargo.toml", root), ("old/Cargo.toml", member), ("old/src/main.rs", MAIN)]);
    assert_eq!((found.projects[0].supported, found.projects[0].workspace.as_deref()), (false, None));
    // The folder looked at is itself a member.
    let files = vec![("Cargo.toml".to_owned(), Text::new(root))];
    let tree = tree(&[("Cargo.toml", member), ("src/main.rs", MAIN)]);
    let mut sight = Sight::of(&tree);
    sight.above.push(sight::Above { path: "..".to_owned(), below: "api".to_owned(), files });
    let found = seen(&[axum()], &sight);
    assert_eq!((found.verdict, found.projects[0].workspace.as_deref()), (Verdict::Single, Some("..")));
}

#[test]
fn a_manifest_that_cannot_be_read_is_named() {
    let found = of(&[("Cargo.toml", AXUM), ("src/main.rs", MAIN), ("web/package.json", "{ oops")]);
    assert_eq!(found.verdict, Verdict::Single);
    assert!(found.unread[0].starts_with("web/package.json: not valid JSON"), "{:?}", found.unread);
}

#[test]
fn every_fixture_is_what_its_readme_says() {
    for name in FIXTURES {
        let found = seen(&[axum()], &Sight::of(&folder(name)));
        assert_eq!(found.verdict, Verdict::Single, "{name}: {:?}", found.projects);
    }
    assert_eq!(seen(&[axum()], &Sight::of(&folder("two-apps"))).verdict, Verdict::Ambiguous);
}

#[test]
fn the_app_is_what_is_below_its_folder() {
    let app = app_tree(&tree(&[("api/a", ""), ("api/b/c", ""), ("apis/d", ""), ("e", "")]), "api");
    assert_eq!(app.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["a", "b/c"]);
}

#[test]
fn libraries_under_another_name_are_known() {
    let text = format!(
        "{AXUM}login = {{ package = \"axum-login\", version = \"0.18\" }}\ndata = {{ package = \"sqlx\", version = \"0.8\" }}\n"
    );
    let found = of(&[("Cargo.toml", &text), ("src/main.rs", MAIN)]).projects.remove(0);
    assert_eq!((found.existing_auth.as_deref(), found.database.as_deref()), (Some("axum-login"), Some("sqlx")));
    let web = "[package]\nname = \"x\"\n[dependencies]\nweb = { package = \"axum\", version = \"0.8\" }\n";
    assert_eq!(told(&[("Cargo.toml", web), ("src/main.rs", MAIN)]), (Verdict::Single, vec![". axum".to_owned()]));
}

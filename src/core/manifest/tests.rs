use super::*;
use crate::core::testing::{axum, tree};

fn found(name: &str, text: &str) -> Vec<(String, Option<String>, usize)> {
    let all = dependencies(name, text, None).unwrap();
    all.into_iter().map(|named| (named.name, named.requirement, named.line)).collect()
}

fn row(name: &str, requirement: Option<&str>, line: usize) -> (String, Option<String>, usize) {
    (name.to_owned(), requirement.map(str::to_owned), line)
}

#[test]
fn cargo() {
    let text = "[package]\nname = \"x\"\n[dependencies]\naxum = \"0.8\"\nserde = { version = \"1\" }\n\
                tokio.version = \"1\"\nmine = { path = \"..\" }\n[dependencies.tower]\nversion = \"0.5\"\n\
                [dev-dependencies]\nrocket = \"1\"\n";
    let expected = [
        row("axum", Some("0.8"), 4),
        row("serde", Some("1"), 5),
        row("tokio", Some("1"), 6),
        row("mine", None, 7),
        row("tower", Some("0.5"), 8),
    ];
    assert_eq!(found("Cargo.toml", text), expected);
    assert_eq!(found("Cargo.toml", &format!("\u{feff}{}", text.replace('\n', "\r\n"))), expected);
    let root = "[workspace.dependencies]\naxum = \"0.8\"\n";
    let named = dependencies("Cargo.toml", "[dependencies]\naxum.workspace = true\n", Some(root)).unwrap();
    assert_eq!((named[0].requirement.as_deref(), named[0].text.as_str()), (Some("0.8"), "axum.workspace = true"));
}

#[test]
fn npm() {
    let text = "\u{feff}{\n  \"name\": \"express\",\n  \"devDependencies\": { \"express\": \"3\" },\n  \
                \"dependencies\": {\n    \
                \"@nestjs/core\": \"^11.0.0\",\n    \"express\": \"^5.0.0\"\n  }\n}\n";
    assert_eq!(
        found("package.json", text),
        [row("@nestjs/core", Some("^11.0.0"), 5), row("express", Some("^5.0.0"), 6)]
    );
    assert_eq!(found("package.json", "{}"), []);
}

#[test]
fn python_projects() {
    let text = "[project]\nname = \"fastapi\"\ndependencies = [\n  \"uvicorn[standard]>=0.30\",\n  \"FastAPI\",\n  \
                \"flask_login >=1 ; python_version > '3'\",\n  \"flask==3.0\",\n  \"mine @ https://x/1.2\",\n]\n";
    assert_eq!(
        found("pyproject.toml", text),
        [
            row("uvicorn", Some(">=0.30"), 4),
            row("fastapi", None, 5),
            row("flask-login", Some(">=1"), 6),
            row("flask", Some("==3.0"), 7),
            row("mine", None, 8),
        ]
    );
    let text = "[tool.poetry.dependencies]\npython = \"^3.12\"\nDjango = \"^5\"\nflask = { version = \"^3\" }\n";
    assert_eq!(
        found("pyproject.toml", text),
        [row("python", Some("^3.12"), 2), row("django", Some("^5"), 3), row("flask", Some("^3"), 4)]
    );
}

#[test]
fn requirements() {
    let text = "# flask here\r\n-r other.txt\r\n\r\nflask_login==0.6\r\nFlask[async] >=3,<4  # web\r\n\
                x==1 \\\r\n  --hash=sha256:1\r\n";
    assert_eq!(
        found("requirements.txt", text),
        [row("flask-login", Some("==0.6"), 4), row("flask", Some(">=3,<4"), 5), row("x", Some("==1"), 6)]
    );
}

#[test]
fn go() {
    let text = "module example.com/x\n\ngo 1.24\n\nrequire github.com/gin-gonic/gin v1.10.0\n\nrequire (\n\t\
                github.com/go-chi/chi/v5 v5.2.0 // why\n\t// github.com/gofiber/fiber/v2 v2.0.0\n)\n\n\
                replace (\n\ta v1.0.0 => ../a\n)\n";
    assert_eq!(
        found("go.mod", text),
        [row("github.com/gin-gonic/gin", Some("1.10.0"), 5), row("github.com/go-chi/chi/v5", Some("5.2.0"), 8)]
    );
}

#[test]
fn what_is_not_what_its_name_says_is_an_error() {
    for (name, text) in
        [("Cargo.toml", "[x"), ("package.json", "{"), ("package.json", "// c\n{}"), ("pyproject.toml", "=")]
    {
        assert!(dependencies(name, text, None).is_err(), "{name}");
    }
    assert_eq!(found("README.md", "gem 'rails'"), []);
}

#[test]
fn lowest_versions() {
    for (requirement, version) in [
        ("0.8", Some("0.8.0")),
        ("^5.1.2", Some("5.1.2")),
        (">=3,<4", Some("3.0.0")),
        ("==3.0.1", Some("3.0.1")),
        ("~=2.1", Some("2.1.0")),
        ("v1.10.0", Some("1.10.0")),
        ("latest", None),
        ("workspace:*", None),
    ] {
        assert_eq!(lowest(requirement).map(|version| version.to_string()).as_deref(), version, "{requirement}");
    }
}

#[test]
fn workspaces_hold_what_they_do_not_exclude() {
    let text = "[workspace]\nexclude = [\"old\", \"tools/x/\"]\n";
    for (member, inside) in
        [("", true), ("crates/api", true), ("old", false), ("old/a", false), ("older", true), ("tools/x", false)]
    {
        assert_eq!(is_workspace("Cargo.toml", text, member), inside, "{member}");
    }
    assert!(!is_workspace("Cargo.toml", "[package]\n", ""));
    assert!(!is_workspace("Cargo.toml", "[workspace", "") && !is_workspace("package.json", text, ""));
}

#[test]
fn path_dependencies_that_leave() {
    let of = |path: &str| format!("[dependencies]\na = \"1\"\nb = {{ path = \"{path}\" }}\n");
    for (path, app, leaves) in [
        ("b", "", false),
        ("../b", "", true),
        ("../b", "api", false),
        ("../../b", "crates/api", false),
        ("../../../b", "crates/api", true),
        ("b/../../b", "", true),
        ("./b/..", "", false),
        ("/b", "crates/api", true),
    ] {
        let found = path_outside("Cargo.toml", &of(path), app).unwrap();
        assert_eq!(found.as_deref(), leaves.then_some(path), "{path} from {app:?}");
    }
    let dev = "[dev-dependencies.x]\npath = \"../x\"\n";
    assert_eq!(path_outside("Cargo.toml", dev, "").unwrap().as_deref(), Some("../x"));
}

#[test]
fn the_key_and_version_of_a_dependency() {
    let all = axum().manifest.dependency;
    let of = |name: &str, text: &str| {
        let wanted = all.iter().find(|dependency| dependency.name == name).unwrap();
        dependency("Cargo.toml", wanted, &tree(&[("Cargo.toml", text)]), &Workspace::default())
    };
    let pair = |key: &str, version: &str| (key.to_owned(), version.to_owned());
    assert_eq!(of("axum", "[dependencies]\naxum = \"0.7.9\"\n").unwrap(), pair("axum", "0.7"));
    assert_eq!(of("axum", "").unwrap(), pair("axum", "0.8"));
    assert_eq!(of("argon2", "[dependencies]\nargon2 = \"0.5\"\n").unwrap(), pair("auth-argon2", "0.6"));
    assert!(of("axum", "[dependencies]\naxum = \"0.6\"\n").is_err());
}

#[test]
fn locked_versions() {
    let lock = Text::new(
        "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.2.3\"\n\n\
         [[package]]\nname = \"a\"\nversion = \"2.0.0\"\n",
    );
    assert_eq!(locked(&lock, "a").unwrap(), [Version::new(1, 2, 3), Version::new(2, 0, 0)]);
    assert_eq!(locked(&lock, "b").unwrap(), []);
    assert!(locked(&Text::new("<<<<<<<"), "a").is_err());
    let npm = Text::new(
        "{ \"packages\": { \"\": {}, \"node_modules/@b/a\": { \"version\": \"3.0.0\" },\n\
         \"node_modules/a\": { \"version\": \"1.2.3\" }, \"node_modules/c/node_modules/a\": { \"version\": \"2.0.0\" } } }",
    );
    assert_eq!(locked(&npm, "a").unwrap(), [Version::new(1, 2, 3), Version::new(2, 0, 0)]);
    assert_eq!(locked(&npm, "@b/a").unwrap(), [Version::new(3, 0, 0)]);
    assert!(locked(&Text::new("{"), "a").is_err());
}

#[test]
fn indirect_modules_are_another_modules_choice() {
    let text =
        "require a v1.0.0 // indirect\n\nrequire (\n\tb v1.1.0\n\tc v1.2.0 //indirect; why\n\td v1.3.0 // web\n)\n";
    assert_eq!(found("go.mod", text), [row("b", Some("1.1.0"), 4), row("d", Some("1.3.0"), 6)]);
}

#[test]
fn strings_elsewhere_are_not_the_dependency() {
    let text = "{\n  \"keywords\": [\"express\"],\n  \"devDependencies\": { \"koa\": \"1\" },\n  \"dependencies\": {\n    \
                \"express\": \"^4.17.0\"\n  }\n}\n";
    assert_eq!(found("package.json", text), [row("express", Some("^4.17.0"), 5)]);
    let text =
        "\u{feff}[project]\r\nname = 'fastapi-demo'\r\ndependencies = [\r\n  'fastapi[standard]>=0.100',\r\n]\r\n";
    assert_eq!(found("pyproject.toml", text), [row("fastapi", Some(">=0.100"), 4)]);
}

#[test]
fn a_renamed_package_is_known_by_its_own_name() {
    let text = "[dependencies]\nlogin = { package = \"axum-login\", version = \"0.18\" }\nweb.workspace = true\n\
                [dependencies.data]\npackage = \"sqlx\"\nversion = \"0.9\"\n";
    let root = "[workspace.dependencies]\nweb = { package = \"axum\", version = \"0.8\" }\n";
    let all = dependencies("Cargo.toml", text, Some(root)).unwrap();
    let all: Vec<_> = all.iter().map(|named| (named.name.as_str(), named.requirement.as_deref(), named.line)).collect();
    assert_eq!(all, [("axum-login", Some("0.18"), 2), ("axum", Some("0.8"), 3), ("sqlx", Some("0.9"), 4)]);
}

#[test]
fn path_dependencies_in_every_table() {
    let entry = "a = { path = '../x' }\n";
    for table in [
        "dependencies",
        "build-dependencies",
        "target.'cfg(unix)'.dependencies",
        "target.x86_64-unknown-linux-gnu.dev-dependencies",
        "patch.crates-io",
        "patch.'https://example.org/x'",
        "workspace.dependencies",
    ] {
        let found = |app: &str| path_outside("Cargo.toml", &format!("[{table}]\n{entry}"), app).unwrap();
        assert_eq!((found("").as_deref(), found("api")), (Some("../x"), None), "{table}");
    }
}

#[test]
fn the_version_in_use_is_the_locked_one_that_the_manifest_admits() {
    let pack = axum();
    let axum = pack.manifest.dependency.iter().find(|dependency| dependency.name == "axum").unwrap();
    let version = |written: &str, root: &str, lock: &[&str]| {
        let text = |text: &str| (!text.is_empty()).then(|| Text::new(text));
        let packages = lock.iter().map(|version| format!("[[package]]\nname = 'axum'\nversion = '{version}'\n"));
        let workspace = Workspace { manifest: text(root), lock: text(&packages.collect::<String>()) };
        dependency("Cargo.toml", axum, &tree(&[("Cargo.toml", written)]), &workspace).unwrap().1
    };
    let range = "[dependencies]\naxum = '>=0.7, <0.9'\n";
    assert_eq!(version(range, "", &["0.8.4"]), "0.8");
    assert_eq!(version(range, "", &["0.7.9"]), "0.7");
    assert_eq!(version(range, "", &["0.7.9", "0.8.4"]), "0.8", "the package manager takes the newest");
    assert_eq!(version(range, "", &[]), "0.7");
    assert_eq!(version("[dependencies]\naxum = '0.7.5'\n", "", &["0.8.4"]), "0.7");
    let shared = "[workspace.dependencies]\naxum = '0.7'\n";
    assert_eq!(version("[dependencies]\naxum.workspace = true\n", shared, &[]), "0.7");
    assert_eq!(version("[dependencies]\n", shared, &[]), "0.7");
    assert_eq!(version("[dependencies]\n", "", &["0.7.9"]), "0.8", "another crate's");
}

#[test]
fn versions_of_python_packages_in_a_lock_file() {
    let lock = Text::new("version = 1\n[[package]]\nname = 'starlette'\nversion = '1.10.0.post1'\n");
    let found = locked(&lock, "starlette").unwrap();
    assert_eq!(found, ["1.10.0+post1".parse().unwrap()]);
}

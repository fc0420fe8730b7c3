use super::*;
use crate::core::testing::edited;

fn wanted(name: &str, version: &str) -> Dependency {
    ::toml::from_str(&format!("name = '{name}'\nversion = '{version}'")).unwrap()
}

fn argon() -> Dependency {
    wanted("argon2-cffi", ">=25.1,<26")
}

fn dev(dependency: Dependency) -> Dependency {
    Dependency { dev: true, ..dependency }
}

fn file<'t>(path: &str, text: &'t str) -> File<'t> {
    File::parse(path, text).unwrap()
}

#[track_caller]
fn becomes(path: &str, before: &str, all: &[Dependency], after: &str) {
    let (now, _) = edited(before, file(path, before).add(all, path).unwrap());
    assert_eq!(now, after);
    let again = file(path, &now).add(all, path).unwrap();
    assert!(again.iter().all(|outcome| *outcome == Outcome::Already), "{again:?}");
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let (now, _) = edited(&crlf(before), file(path, &crlf(before)).add(all, path).unwrap());
    assert_eq!(now, crlf(after));
}

#[track_caller]
fn left(path: &str, before: &str, all: &[Dependency]) -> Vec<String> {
    let outcomes = file(path, before).add(all, path).unwrap();
    let steps = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Manual(step) => format!("{}: {}", step.what, step.text),
        other => panic!("{other:?}"),
    });
    steps.collect()
}

#[test]
fn requirements_are_read_as_pep_508_has_them() {
    let parse = |text: &str| {
        let found = Requirement::parse(text).unwrap();
        (found.name, found.extras.join("+"), found.versions, found.address)
    };
    let row = |name: &str, extras: &str, versions: Option<&str>, address: bool| {
        (name.to_owned(), extras.to_owned(), versions.map(str::to_owned), address)
    };
    assert_eq!(parse("Flask_Login >=1, <2 ; python_version > '3'"), row("flask-login", "", Some(">=1, <2"), false));
    assert_eq!(parse("uvicorn[standard, x]==0.30.*"), row("uvicorn", "standard+x", Some("==0.30.*"), false));
    assert_eq!(parse("a.b (>=1)"), row("a-b", "", Some(">=1"), false));
    assert_eq!(parse("mine @ https://x/1.2"), row("mine", "", None, true));
    assert_eq!(parse("six  # why"), row("six", "", None, false));
    assert_eq!((Requirement::parse(""), Requirement::parse(" # x")), (None, None));
}

#[test]
fn a_list_gets_a_line_where_it_belongs() {
    let both = [wanted("uvicorn", ">=0.30"), argon()];
    becomes(
        "pyproject.toml",
        "[project]\nname = \"x\"\ndependencies = [\n    \"fastapi>=0.115\", # web\n    \"SQLAlchemy\",\n]\n",
        &both,
        "[project]\nname = \"x\"\ndependencies = [\n    \"argon2-cffi>=25.1,<26\",\n    \"fastapi>=0.115\", # web\n    \
         \"SQLAlchemy\",\n    \"uvicorn>=0.30\",\n]\n",
    );
    becomes(
        "pyproject.toml",
        "[project]\ndependencies = [\n  'sqlalchemy',\n  'fastapi',\n]\n",
        &both,
        "[project]\ndependencies = [\n  'sqlalchemy',\n  'fastapi',\n  'argon2-cffi>=25.1,<26',\n  'uvicorn>=0.30',\n]\n",
    );
    becomes(
        "pyproject.toml",
        "[project]\ndependencies = [\n  \"b\",\n  \"a\"\n]\n",
        &both,
        "[project]\ndependencies = [\n  \"b\",\n  \"a\",\n  \"argon2-cffi>=25.1,<26\",\n  \"uvicorn>=0.30\"\n]\n",
    );
}

#[test]
fn a_list_on_one_line_or_none_becomes_several_lines() {
    let several = "[project]\nname = \"x\"\ndependencies = [\n    \"argon2-cffi>=25.1,<26\",\n    \"fastapi\",\n]\n";
    becomes("pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"fastapi\"]\n", &[argon()], several);
    becomes("pyproject.toml", "[project]\nname = \"x\"\n", &[argon()], &several.replace("    \"fastapi\",\n", ""));
    becomes(
        "pyproject.toml",
        "[project]\nname = \"x\"\ndependencies = []\n",
        &[argon()],
        &several.replace("    \"fastapi\",\n", ""),
    );
}

#[test]
fn what_tests_need_goes_to_the_group_dev() {
    becomes(
        "pyproject.toml",
        "[project]\nname = \"x\"\n",
        &[dev(wanted("pytest", ">=8"))],
        "[project]\nname = \"x\"\n\n[dependency-groups]\ndev = [\n    \"pytest>=8\",\n]\n",
    );
    let there = "[project]\nname = 'x'\n[project.optional-dependencies]\ntest = ['pytest==8.1']\n";
    becomes("pyproject.toml", there, &[dev(wanted("pytest", ">=8"))], there);
    let runtime = "[project]\ndependencies = [\"pytest>=8\"]\n";
    becomes("pyproject.toml", runtime, &[dev(wanted("pytest", ">=8"))], runtime);
    let group = "[project]\nname = 'x'\n[dependency-groups]\ndev = [\n  'ruff',\n]\n";
    becomes(
        "pyproject.toml",
        group,
        &[dev(wanted("pytest", ">=8"))],
        &group.replace("  'ruff'", "  'pytest>=8',\n  'ruff'"),
    );
}

#[test]
fn an_entry_gets_the_extras_that_it_lacks() {
    let uvicorn = Dependency { features: vec!["standard".into()], ..wanted("uvicorn", ">=0.30") };
    let before = "[project]\ndependencies = [\n  \"uvicorn >=0.31; python_version > '3'\",\n]\n";
    becomes(
        "pyproject.toml",
        before,
        std::slice::from_ref(&uvicorn),
        &before.replace("uvicorn ", "uvicorn[standard] "),
    );
    becomes("requirements.txt", "uvicorn[a]==0.31\n", std::slice::from_ref(&uvicorn), "uvicorn[a,standard]==0.31\n");
    becomes("requirements.txt", "# x\n", &[uvicorn], "# x\nuvicorn[standard]>=0.30\n");
}

#[test]
fn lines_of_requirements() {
    becomes(
        "requirements.txt",
        "# web\nfastapi==0.115.0\nuvicorn\n\n-r more.txt\n",
        &[argon(), wanted("httpx2", ">=2")],
        "argon2-cffi>=25.1,<26\n# web\nfastapi==0.115.0\nhttpx2>=2\nuvicorn\n\n-r more.txt\n",
    );
    let hashed = "fastapi==0.115.0 \\\n    --hash=sha256:00\n";
    assert_eq!(left("requirements.txt", hashed, &[argon()]), ["add to the dependencies: argon2-cffi>=25.1,<26"]);
    let tests = left("requirements.txt", "fastapi\n", &[dev(wanted("pytest", ">=8"))]);
    assert_eq!(tests, ["add to what is installed for development and tests: pytest>=8"]);
}

#[test]
fn lists_that_something_else_writes_are_left_to_the_user() {
    for manifest in [
        "[tool.poetry.dependencies]\nfastapi = \"^0.115\"\n",
        "[project]\nname = \"x\"\ndynamic = [\"dependencies\"]\n",
    ] {
        assert_eq!(left("pyproject.toml", manifest, &[argon()]), ["add to the dependencies: argon2-cffi>=25.1,<26"]);
    }
}

#[test]
fn a_version_that_does_not_meet_is_refused_and_one_that_does_is_left() {
    let sqlalchemy = Dependency { accept: Some(">=2.0.30, <3".parse().unwrap()), ..wanted("SQLAlchemy", ">=2.1,<3") };
    let add = |text: &str| file("requirements.txt", text).add(std::slice::from_ref(&sqlalchemy), "requirements.txt");
    for fits in ["sqlalchemy", "sqlalchemy>=1.4", "sqlalchemy~=2.0.36", "sqlalchemy==2.0.40", "sqlalchemy<3"] {
        assert_eq!(add(fits).unwrap(), [Outcome::Already], "{fits}");
    }
    for other in ["sqlalchemy==1.4.54", "sqlalchemy<2", "sqlalchemy>=3"] {
        let problem = add(other).unwrap_err().downcast::<Problem>().unwrap();
        assert_eq!(problem.exit_code(), 4, "{other}");
        assert!(problem.what.starts_with("requirements.txt:1: `SQLAlchemy"), "{}", problem.what);
    }
}

#[test]
fn other_sources_are_told() {
    let replaced = |text: &str| file("pyproject.toml", text).replaced(&argon());
    assert_eq!(replaced("[project]\ndependencies = ['argon2-cffi>=25']\n"), None);
    assert!(replaced("[project]\ndependencies = ['argon2_cffi @ git+https://x/y']\n").unwrap().contains("address"));
    let source = "[project]\ndependencies = ['argon2-cffi']\n[tool.uv.sources]\nArgon2_cffi = { path = '../x' }\n";
    assert!(replaced(source).unwrap().contains("tool.uv.sources"));
}

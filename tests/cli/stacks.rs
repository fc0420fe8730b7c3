//! Stacks in other languages: what `add` makes of their fixtures, and that it can be taken back.

use crate::common::{Project, empty, finished, of_stack, read, replace, run, tool, tree};

fn fastapi(name: &str) -> Project {
    of_stack("fastapi", name)
}

#[test]
fn a_python_project_is_wired_verified_and_taken_back() {
    let project = fastapi("plain");
    let before = tree(&project.dir);
    let found = run(&project.dir, &["detect", "--json"]).exits(0).json();
    let app = &found["projects"][0];
    assert_eq!((&app["stack"], &app["package_manager"]), (&"fastapi".into(), &"pip".into()));
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

/// The code, without the lock and what else tells how it came to be.
fn code(project: &Project) -> Vec<(String, Vec<u8>)> {
    tree(&project.dir).into_iter().filter(|(path, _)| !path.starts_with(".authwright/")).collect()
}

#[test]
fn providers_are_added_later_to_a_python_project_and_taken_back() {
    for (project, folder, file, wired) in [
        (fastapi("plain"), "app/auth", "wiring.py", "for part in (start, callback, identities):"),
        (django("plain"), "accounts", "urls.py", "path(\"auth/identities\", route(GET=identities.show)),"),
    ] {
        run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
        let readme = format!("{folder}/README.md");
        let mine = read(&project.dir, &readme) + "Mine.\n";
        std::fs::write(project.dir.join(&readme), mine).unwrap();
        let before = code(&project);
        run(&project.dir, &["add", "--with", "oidc", "--providers", "google", "--yes", "--no-check"]).exits(0);
        assert!(read(&project.dir, &readme).ends_with("Mine.\n"));
        assert!(read(&project.dir, "pyproject.toml").contains("\"joserfc>=1.8,<2\""));
        assert!(read(&project.dir, &format!("{folder}/{file}")).contains(wired));
        run(&project.dir, &["undo", "--yes"]).exits(0);
        assert!(code(&project) == before, "undo gave something else back");
    }
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

fn django(name: &str) -> Project {
    of_stack("django", name)
}

#[test]
fn what_startproject_writes_is_wired_verified_and_taken_back() {
    let project = django("plain");
    let before = tree(&project.dir);
    let found = run(&project.dir, &["detect", "--json"]).exits(0).json();
    let app = &found["projects"][0];
    assert_eq!((&app["stack"], &app["package_manager"]), (&"django".into(), &"pip".into()));
    assert_eq!((&app["entry"]["file"], &app["entry"]["line"]), (&"manage.py".into(), &9.into()));
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["manual"], serde_json::json!([]));
    let settings = read(&project.dir, "shop/settings.py");
    assert!(settings.contains("from pathlib import Path\n\nfrom accounts.conf import configure\n\n"), "{settings}");
    assert!(settings.ends_with("models.BigAutoField'\n\nconfigure(globals())\n"), "{settings}");
    let urls = read(&project.dir, "shop/urls.py");
    assert!(urls.ends_with("]\n\nurlpatterns += [*accounts_example.urlpatterns, *accounts.urlpatterns]\n"), "{urls}");
    let manifest = read(&project.dir, "pyproject.toml");
    assert!(manifest.contains("    \"django>=5.2\", # the framework\n    \"waitress>=3.0.2,<4\",\n"), "{manifest}");
    run(&project.dir, &["verify"]).exits(0);
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn settings_in_a_package_keep_their_line_endings() {
    let project = django("settings-package");
    let before = tree(&project.dir);
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["manual"], serde_json::json!([]));
    let [base, urls] = ["web/settings/base.py", "web/urls.py"].map(|path| read(&project.dir, path));
    assert!(base.ends_with("STATIC_URL = \"static/\"\r\n\r\nconfigure(globals())\r\n"), "{base}");
    assert!(urls.contains("path(\"ping\", ping)]\r\n\r\nurlpatterns += [*accounts_example"), "{urls}");
    for text in [&base, &urls] {
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text}");
    }
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn django_projects_that_cannot_be_served_are_refused() {
    for (name, told) in [
        ("login", "django-allauth"),
        ("custom-user", "AUTH_USER_MODEL = \"people.Person\""),
        ("migrations", "notes/migrations/0001_initial.py"),
        ("old", ">=5.2, <6.2"),
    ] {
        let project = django(name);
        let before = tree(&project.dir);
        let said = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4).err;
        assert!(said.contains(told) && said.contains("help: "), "{name}: {said}");
        assert_eq!(tree(&project.dir), before);
    }
}

#[test]
fn a_django_project_on_postgresql_keeps_its_accounts_there() {
    let project = django("plain");
    let [lite, server] = ["sqlite3", "postgresql"].map(|name| format!("django.db.backends.{name}"));
    replace(&project.dir, "shop/settings.py", &lite, &server);
    let said = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4).err;
    assert!(said.contains("shop/settings.py") && said.contains("--db postgres"), "{said}");
    replace(&project.dir, "pyproject.toml", "\"django>=5.2\",", "\"psycopg>=3.2\",\n    \"django>=5.2\",");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    assert!(read(&project.dir, ".authwright/lock.toml").contains("db = \"postgres\""));
    assert!(read(&project.dir, "pyproject.toml").contains("\"psycopg[binary]>=3.2\""));
}

/// With the generated model in place, each of these would fail when it is imported or used.
#[test]
fn a_project_that_names_djangos_own_model_is_refused() {
    for line in [
        "from django.contrib.auth.models import Group, User",
        "from django.contrib.auth.models import (\n    Group,\n    User,\n)",
        "from django.contrib.auth.forms import UserCreationForm",
        "from django.contrib.auth.forms import (\n    BaseUserCreationForm,\n)",
        "from django.contrib.auth import models as auth_models\n\nuser = auth_models.User",
        "owner = ForeignKey('auth.User', CASCADE)",
    ] {
        let project = django("plain");
        std::fs::write(project.dir.join("notes/people.py"), format!("{line}\n")).unwrap();
        let said = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4).err;
        assert!(said.contains("notes/people.py") && said.contains("get_user_model()"), "{line}: {said}");
    }
    let project = django("plain");
    let fine = "from django.contrib.auth.models import AnonymousUser, Group\n\nUser = get_user_model()\n";
    std::fs::write(project.dir.join("notes/people.py"), fine).unwrap();
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
}

#[test]
fn what_was_changed_in_a_django_project_is_found() {
    let project = django("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    replace(&project.dir, "shop/settings.py", "configure(globals())\n", "");
    replace(&project.dir, "pyproject.toml", "waitress>=3.0.2,<4", "waitress==2.1.2");
    replace(&project.dir, "accounts/csrf.py", "GET", "POST");
    let found = run(&project.dir, &["verify", "--json"]).exits(1).json();
    let drift = found["drift"].as_array().unwrap().iter().map(|drift| drift["cause"].as_str().unwrap());
    assert_eq!(drift.collect::<Vec<_>>(), ["file-changed", "wiring-missing", "library-below-floor"]);
}

fn express(name: &str) -> Project {
    of_stack("express", name)
}

#[test]
fn a_node_project_is_wired_verified_and_taken_back() {
    let project = express("plain");
    let before = tree(&project.dir);
    let found = run(&project.dir, &["detect", "--json"]).exits(0).json();
    let app = &found["projects"][0];
    assert_eq!((&app["stack"], &app["package_manager"]), (&"express".into(), &"npm".into()));
    assert_eq!(app["entry"]["line"], 4);
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["manual"], serde_json::json!([]));
    let main = read(&project.dir, "src/main.ts");
    let wired = "import { notes } from \"./notes.js\";\n\nimport { attach } from \"./auth/index.js\";\n\
                 import { authExample } from \"./authExample.js\";\n\n\
                 const app = express();\nattach(app);\napp.use(authExample);\napp.use(express.json());\n";
    assert!(main.contains(wired), "{main}");
    let manifest = read(&project.dir, "package.json");
    assert!(manifest.contains("    \"express\": \"^5.1.0\",\n    \"kysely\": "), "{manifest}");
    assert!(manifest.contains("    \"typescript\": \"~6.0.3\"\n"), "the project's own entry is enough: {manifest}");
    run(&project.dir, &["verify"]).exits(0);
    // What an earlier `add` brought is no login of another's.
    run(&project.dir, &["add", "--yes", "--no-check", "--profile", "strict"]).exits(0);
    run(&project.dir, &["undo", "--all", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn a_factory_of_a_node_project_keeps_its_tabs_and_line_endings() {
    let project = express("factory");
    let before = tree(&project.dir);
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["manual"], serde_json::json!([]));
    let app = read(&project.dir, "src/app.ts");
    let wired = "  const app: Express = express();\r\n  attach(app);\r\n  app.use(authExample);\r\n\r\n  app.get(";
    assert!(app.contains(wired) && app.starts_with("#!/usr/bin/env node\r\n// The application"), "{app}");
    let manifest = read(&project.dir, "package.json");
    assert!(manifest.contains("\"^2.8.5\",\r\n\t\t\"@better-auth/kysely-adapter\": "), "{manifest}");
    assert!(manifest.contains("\t},\r\n\t\"devDependencies\": {\r\n\t\t\"@types/express\": "), "{manifest}");
    for text in [&app, &manifest] {
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text}");
    }
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn node_projects_that_cannot_be_served_are_refused() {
    for (name, told) in [
        ("several", "--at made=src/main.ts:3"),
        ("commonjs", "CommonJS"),
        ("login", "\"passport\": \"^0.7.0\""),
        ("session-login", "app.js:14  if (!person || !(await bcrypt.compare("),
        ("users-table", "sqliteTable(\"users\""),
        ("old", ">=4.21.2, <6"),
    ] {
        let project = express(name);
        let before = tree(&project.dir);
        let said = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4).err;
        assert!(said.contains(told) && said.contains("help: "), "{name}: {said}");
        assert_eq!(tree(&project.dir), before);
    }
    let supported = |name: &str| {
        let found = run(&express(name).dir, &["detect", "--json"]).json();
        found["projects"][0]["supported"].as_bool().unwrap()
    };
    assert_eq!(["plain", "javascript", "old"].map(supported), [true, true, false]);
    run(&express("several").dir, &["add", "--yes", "--no-check", "--at", "made=src/main.ts:3"]).exits(0);
}

/// Without a build: Node takes the types out of what was generated.
#[test]
fn node_projects_in_javascript_are_wired_in_their_own_form() {
    let esm = "import { attach } from \"AT/auth/index.ts\";\nimport { authExample } from \"AT/authExample.js\";\n";
    let common = "const { attach } = require(\"AT/auth/index.ts\");\n\
                  const { authExample } = require(\"AT/authExample.js\");\n";
    for (name, file, imports, made) in [
        ("javascript", "server.js", esm.replace("AT", "."), "\nexport const app = express();\nattach(app);\n"),
        ("middleware", "server/app.js", esm.replace("AT", ".."), "  const app = express();\n  attach(app);\n"),
        ("generator", "app.js", common.replace("AT", "."), "\nvar app = express();\nattach(app);\n"),
    ] {
        let project = express(name);
        let before = tree(&project.dir);
        let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
        assert_eq!(done["manual"], serde_json::json!([]), "{name}");
        let wired = read(&project.dir, file);
        assert!(wired.contains(&format!("\n\n{imports}\n")) && wired.contains(made), "{wired}");
        let example = read(&project.dir, "authExample.js");
        assert_eq!(example.contains("module.exports"), name == "generator", "{example}");
        assert_eq!(project.dir.join("auth/package.json").exists(), name == "generator");
        assert!(project.dir.join("auth/tsconfig.json").exists());
        let types = if name == "generator" { "^4.17.21" } else { "^5.0.3" };
        let manifest = read(&project.dir, "package.json");
        assert!(manifest.contains(&format!("\"@types/express\": \"{types}\"")), "{manifest}");
        run(&project.dir, &["verify"]).exits(0);
        run(&project.dir, &["undo", "--yes"]).exits(0);
        assert_eq!(tree(&project.dir), before);
    }
}

#[test]
fn a_node_project_of_commonjs_in_typescript_is_wired_in_its_class() {
    let project = express("nodenext");
    let before = tree(&project.dir);
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["manual"], serde_json::json!([]));
    let app = read(&project.dir, "src/server/app.ts");
    let imports = "import express = require(\"express\");\n\nimport { attach } from \"../auth/index.js\";\n";
    let made = "    this.app = express();\n    attach(this.app);\n    this.app.use(authExample);\n";
    assert!(app.starts_with(imports) && app.contains(made), "{app}");
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

/// Each package manager fetches; what is there tells which it is, and two at once are no answer.
#[test]
fn a_node_project_is_fetched_by_its_own_package_manager() {
    for (file, fetches) in [
        ("package-lock.json", "npm install --ignore-scripts --no-audit --no-fund"),
        ("pnpm-lock.yaml", "pnpm install --ignore-scripts --no-frozen-lockfile"),
        ("yarn.lock", "yarn install --mode=skip-build"),
        ("bun.lock", "bun install --ignore-scripts"),
    ] {
        let project = express("javascript");
        std::fs::write(project.dir.join(file), if file == "yarn.lock" { "# yarn lockfile v1\n" } else { "{}\n" })
            .unwrap();
        let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
        assert_eq!(done["check"][0]["command"], fetches);
        let contract = read(&project.dir, "auth/contract.toml");
        assert!(contract.contains(&format!("{fetches}\"]\n")), "{file}");
        // Settings beside a lock file may be of a tool for something else; a second lock file is another answer.
        std::fs::write(project.dir.join(".yarnrc.yml"), "").unwrap();
        run(&project.dir, &["add", "--yes", "--no-check", "--profile", "strict"]).exits(0);
        let second = if file == "yarn.lock" { "pnpm-lock.yaml" } else { "yarn.lock" };
        std::fs::write(project.dir.join(second), "").unwrap();
        let said = run(&project.dir, &["add", "--yes", "--no-check", "--profile", "consumer"]).exits(4).err;
        assert!(said.contains("cannot tell which package manager"), "{file}: {said}");
    }
}

/// The lock file and what members share are above the app.
#[test]
fn a_node_app_in_a_workspace_is_wired_by_its_path_or_from_within() {
    let project = express("monorepo");
    let before = tree(&project.dir);
    let done = run(&project.dir, &["add", "--path", "apps/web", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["check"][0]["command"], "pnpm install --ignore-scripts --no-frozen-lockfile");
    assert_eq!(done["check"][1]["command"], "node node_modules/typescript/bin/tsc --noEmit false --outDir dist");
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
    let app = project.dir.join("apps/web");
    let said = run(&app, &["add", "--yes", "--no-check"]).exits(0).err;
    assert!(said.contains("next: AUTH_ENV=development pnpm run start"), "{said}");
    run(&app, &["verify"]).exits(0);
}

#[test]
fn what_was_changed_in_a_node_project_is_found() {
    let project = express("plain");
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    replace(&project.dir, "src/main.ts", "attach(app);\n", "");
    replace(&project.dir, "package.json", "\"nodemailer\": \"^10.6.0\"", "\"nodemailer\": \"^7.0.0\"");
    replace(&project.dir, "src/auth/csrf.ts", "\"GET\"", "\"POST\"");
    let found = run(&project.dir, &["verify", "--json"]).exits(1).json();
    let drift = found["drift"].as_array().unwrap().iter().map(|drift| drift["cause"].as_str().unwrap());
    assert_eq!(drift.collect::<Vec<_>>(), ["file-changed", "wiring-missing", "library-below-floor"]);
}

/// A language that is too old is told before anything is written.
#[test]
fn a_node_that_is_too_old_is_told_first() {
    let project = express("plain");
    let before = tree(&project.dir);
    let old = program("node", "echo v20.20.2");
    let path = format!("{}:{}", old.dir.display(), std::env::var("PATH").unwrap());
    let with = |args: &[&str]| finished(&tool(&project.dir, args).env("PATH", &path).output().unwrap());
    let said = with(&["add", "--yes"]).exits(4).err;
    assert!(said.contains("`node` is 20.20.2 here, and Express needs 22.18.0 or newer"), "{said}");
    assert_eq!(tree(&project.dir), before);
    let said = with(&["add", "--yes", "--no-check"]).exits(0).err;
    assert!(said.contains("warning: `node` is 20.20.2 here"), "{said}");
}

fn nextjs(name: &str) -> Project {
    of_stack("nextjs", name)
}

#[test]
fn a_next_project_is_wired_verified_and_taken_back() {
    let project = nextjs("src");
    let before = tree(&project.dir);
    let found = run(&project.dir, &["detect", "--json"]).exits(0).json();
    let app = &found["projects"][0];
    assert_eq!((&app["stack"], &app["supported"]), (&"nextjs".into(), &true.into()));
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["manual"], serde_json::json!([]));
    let config = read(&project.dir, "next.config.ts");
    assert!(config.contains("};\n\nnextConfig.poweredByHeader = false;\nexport default nextConfig;\n"), "{config}");
    for path in ["src/instrumentation.ts", "src/app/auth/[...path]/route.ts", "src/auth/index.ts"] {
        assert!(project.dir.join(path).is_file(), "{path}");
    }
    assert!(!project.dir.join("auth").exists() && !project.dir.join("app").exists());
    run(&project.dir, &["verify"]).exits(0);
    run(&project.dir, &["add", "--yes", "--no-check", "--profile", "strict"]).exits(0);
    run(&project.dir, &["undo", "--all", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

/// Without `src/`, all of it stands beside `app/`, and stays there whatever is made later.
#[test]
fn a_next_project_without_src_keeps_to_its_layout() {
    let project = nextjs("plain");
    let before = tree(&project.dir);
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    for path in ["instrumentation.ts", "app/auth/[...path]/route.ts", "auth/index.ts", "auth/AUDIT.md"] {
        assert!(project.dir.join(path).is_file(), "{path}");
    }
    let contract = read(&project.dir, "auth/contract.toml");
    assert!(contract.contains("\"auth/commonPasswords.ts\"") && contract.contains("{project}/auth/operate.mjs"));
    std::fs::create_dir_all(project.dir.join("src/app")).unwrap();
    std::fs::write(project.dir.join("src/app/late.ts"), "").unwrap();
    run(&project.dir, &["add", "--yes", "--no-check", "--profile", "strict"]).exits(0);
    assert!(!project.dir.join("src/auth").exists());
    run(&project.dir, &["verify"]).exits(0);
    std::fs::remove_dir_all(project.dir.join("src")).unwrap();
    run(&project.dir, &["undo", "--all", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn what_next_runs_at_the_start_is_wired_where_it_is_there() {
    let project = nextjs("proxied");
    let before = tree(&project.dir);
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    let left = done["manual"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0]["text"].as_str().unwrap().contains("poweredByHeader"), "{left:?}");
    let start = read(&project.dir, "src/instrumentation.ts");
    let wired = "register() {\n  if (process.env[\"NEXT_RUNTIME\"] === \"nodejs\") {\n    \
                 const { start } = await import(\"./auth/start\");\n    start();\n  }\n";
    assert!(start.contains(wired) && start.contains("measuring"), "{start}");
    run(&project.dir, &["verify"]).exits(0);
    replace(&project.dir, "src/instrumentation.ts", "    start();\n", "");
    let found = run(&project.dir, &["verify", "--json"]).exits(1).json();
    let causes: Vec<_> = found["drift"].as_array().unwrap().iter().map(|drift| &drift["cause"]).collect();
    assert_eq!(causes, ["wiring-missing"]);
    replace(&project.dir, "src/instrumentation.ts", "start\");\n", "start\");\n    start();\n");
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert_eq!(tree(&project.dir), before);
}

#[test]
fn next_projects_that_cannot_be_served_are_refused() {
    for (name, told) in [
        ("login", "\"next-auth\": \"^4.24.15\""),
        ("base-path", "basePath: \"/shop\""),
        ("pages", "with the App Router"),
        ("old", ">=16.2.11, <17"),
    ] {
        let project = nextjs(name);
        let before = tree(&project.dir);
        let said = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4).err;
        assert!(said.contains(told) && said.contains("help: "), "{name}: {said}");
        assert_eq!(tree(&project.dir), before);
    }
}

/// Next takes `app/` of the project's own folder where there is one, so all of it stands there.
#[test]
fn a_next_project_with_two_folders_of_that_name_keeps_to_the_one_that_next_takes() {
    let project = nextjs("plain");
    std::fs::create_dir_all(project.dir.join("src/app")).unwrap();
    std::fs::write(project.dir.join("src/app/providers.tsx"), "export {};\n").unwrap();
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    assert!(
        project.dir.join("app/auth/[...path]/route.ts").is_file() && project.dir.join("instrumentation.ts").is_file()
    );
    assert!(!project.dir.join("src/auth").exists() && !project.dir.join("src/app/auth").exists());
}

/// `await` needs an asynchronous function, and a second file of that name would go unnoticed.
#[test]
fn what_next_runs_at_the_start_is_left_to_the_user_where_it_cannot_be_wired() {
    for (name, text) in [
        ("src/instrumentation.ts", "export function register() {\n  measure();\n}\n"),
        ("src/instrumentation.tsx", "export const register = async () => {\n  measure();\n};\n"),
        ("src/instrumentation.js", "export { register } from \"./measure\";\n"),
    ] {
        let project = nextjs("src");
        std::fs::write(project.dir.join(name), text).unwrap();
        let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
        let left = done["manual"].as_array().unwrap();
        assert_eq!(left.len(), 1, "{name}: {left:?}");
        assert!(left[0]["text"].as_str().unwrap().contains("./auth/start"), "{name}: {left:?}");
        assert_eq!(read(&project.dir, name), text);
        let beside = std::fs::read_dir(project.dir.join("src")).unwrap().map(|entry| entry.unwrap().file_name());
        let starts = beside.filter(|file| file.to_string_lossy().starts_with("instrumentation"));
        assert_eq!(starts.count(), 1, "{name}");
    }
    let project = nextjs("src");
    let name = "src/instrumentation.js";
    std::fs::write(project.dir.join(name), "export async function register() {\n  measure();\n}\n").unwrap();
    let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
    assert_eq!(done["manual"], serde_json::json!([]));
    assert!(read(&project.dir, name).contains("    start();\n  }\n  measure();"));
}

/// Only a name of an object is added to.
#[test]
fn a_next_config_that_is_no_object_is_left_to_the_user() {
    for text in [
        "const config = (phase) => ({});\n\nexport default config;\n",
        "async function config() {\n  return {};\n}\n\nexport default config;\n",
        "export default (phase) => ({});\n",
        "import config from \"./base\";\n\nexport default config;\n",
    ] {
        let project = nextjs("plain");
        std::fs::write(project.dir.join("next.config.mjs"), text).unwrap();
        let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
        assert_eq!(done["manual"].as_array().unwrap().len(), 1, "{text}");
        assert_eq!(read(&project.dir, "next.config.mjs"), text);
    }
    for text in [
        "const config = { reactStrictMode: true };\n\nexport default config;\n",
        "const config: NextConfig = { reactStrictMode: true };\n\nexport default config;\n",
        "const config = {\n  trailingSlash: false,\n} satisfies NextConfig;\n\nexport default config;\n",
    ] {
        let project = nextjs("src");
        std::fs::write(project.dir.join("next.config.ts"), text).unwrap();
        let done = run(&project.dir, &["add", "--yes", "--no-check", "--json"]).exits(0).json();
        assert_eq!(done["manual"], serde_json::json!([]), "{text}");
    }
}

#[test]
fn a_next_project_with_other_paths_is_refused_however_it_says_so() {
    for (text, told) in [
        ("const basePath = \"/shop\";\nexport default { reactStrictMode: true, basePath };\n", "basePath = \"/shop\""),
        ("import { basePath } from \"./paths\";\nexport default { basePath };\n", "basePath }"),
        ("const config = {};\nconfig.basePath = \"/shop\";\nexport default config;\n", "config.basePath"),
        ("export default { \"basePath\": \"/shop\" };\n", "\"basePath\""),
        ("export default { trailingSlash: true };\n", "trailingSlash: true"),
        ("const trailingSlash = isOld;\nexport default { trailingSlash };\n", "trailingSlash = isOld"),
        ("export default { output: process.env.STATIC ? \"export\" : undefined };\n", "output: "),
    ] {
        let project = nextjs("plain");
        std::fs::write(project.dir.join("next.config.mjs"), text).unwrap();
        let said = run(&project.dir, &["add", "--yes", "--no-check"]).exits(4).err;
        assert!(said.contains(told), "{text}: {said}");
    }
}

/// A folder with a program of that name in it.
fn program(name: &str, script: &str) -> Project {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = empty("programs");
    let file = folder.dir.join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

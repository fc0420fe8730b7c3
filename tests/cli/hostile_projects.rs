//! Projects that are made to harm who looks at them: whatever they hold is data, for every command that does not build.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    path::Path,
    process::{Command, Stdio},
};

use crate::common::{Project, Run, empty, finished, fixture, of_stack, read, replace, run, tool, tree};

/// The commands that look at a project, or change it, without building it.
const LOOKS: [&[&str]; 8] = [
    &["detect"],
    &["detect", "--json"],
    &["add", "--dry-run", "--no-input"],
    &["add", "--dry-run", "--json", "--patch", "-"],
    &["add", "--yes", "--no-check"],
    &["verify"],
    &["controls"],
    &["undo", "--yes"],
];

/// Memory in KiB, and seconds of computing: much for a command that takes a few hundredths of one.
const LIMITS: &str = "ulimit -v 1500000; ulimit -t 20; exec \"$@\"";

/// A run in little memory, that must end by itself, in time.
#[track_caller]
fn ends(dir: &Path, args: &[&str]) -> Run {
    let mut command = Command::new("sh");
    command.args(["-c", LIMITS, "sh", env!("CARGO_BIN_EXE_authwright")]).args(args);
    let done = finished(&command.current_dir(dir).stdin(Stdio::null()).output().unwrap());
    assert!((0..=4).contains(&done.code), "{args:?} ended with {}\n{}\n{}", done.code, done.out, done.err);
    done
}

#[track_caller]
fn all_end(project: &Project) {
    for args in LOOKS {
        ends(&project.dir, args);
    }
}

fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn program(path: &Path, marker: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\necho \"$0\" >> '{}'\n", marker.display())).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What the project's own tools would run, each leaving a line in the marker.
fn trapped(project: &Project, marker: &Path) {
    let dir = &project.dir;
    let told = marker.display();
    for hook in ["pre-commit", "post-checkout", "post-index-change", "post-merge", "fsmonitor", "reference-transaction"]
    {
        program(&dir.join(".git/hooks").join(hook), marker);
    }
    let trap = dir.join("trap");
    program(&trap, marker);
    let trap = trap.display();
    write(dir, ".git/HEAD", "ref: refs/heads/main\n");
    let git = format!(
        "[core]\n\tfsmonitor = {trap}\n\tpager = {trap}\n\tsshCommand = {trap}\n\teditor = {trap}\n[diff]\n\texternal = {trap}\n"
    );
    write(dir, ".git/config", git);
    write(dir, ".gitattributes", "* filter=trap diff=trap\n");
    let cargo = format!(
        "[build]\nrustc = \"{trap}\"\nrustc-wrapper = \"{trap}\"\n[target.'cfg(all())']\nrunner = \"{trap}\"\n\
         [registry]\nglobal-credential-providers = [\"{trap}\"]\n[env]\nPATH = \"{}\"\n",
        dir.display()
    );
    write(dir, ".cargo/config.toml", cargo);
    write(dir, "rust-toolchain.toml", format!("[toolchain]\npath = \"{}\"\n", dir.display()));
    write(dir, "build.rs", format!("fn main() {{ std::fs::write(\"{told}\", \"build.rs\").unwrap(); }}\n"));
    write(dir, ".npmrc", format!("script-shell={trap}\nnode-options=--require={trap}\ngit={trap}\n"));
    write(dir, ".yarnrc.yml", "yarnPath: ./trap\n");
    write(dir, ".pnpmfile.cjs", format!("require('fs').writeFileSync('{told}', 'pnpmfile')\n"));
    let python = format!("open({told:?}, 'a').write(__file__)\n", told = marker.display().to_string());
    for name in ["conftest.py", "sitecustomize.py", "usercustomize.py", "setup.py", "trap.pth"] {
        write(dir, name, &python);
    }
    write(dir, ".envrc", format!("echo envrc >> '{told}'\n"));
    for name in ["node_modules/.bin", ".venv/bin", "target/debug"] {
        for tool in ["node", "tsc", "python", "cargo", "rustc", "git"] {
            program(&dir.join(name).join(tool), marker);
        }
    }
}

#[test]
fn nothing_of_a_project_is_run_to_look_at_it_or_to_change_it() {
    let outside = empty("outside");
    let (marker, bin) = (outside.dir.join("marker"), outside.dir.join("bin"));
    // The user's own programs, one of which says which version it is; the others are not asked.
    for name in
        ["cargo", "git", "npm", "npx", "pnpm", "yarn", "uv", "pip", "python", "go", "mvn", "gradle", "sh", "less"]
    {
        program(&bin.join(name), &marker);
    }
    let path = format!("{}:node_modules/.bin:.:{}", bin.display(), std::env::var("PATH").unwrap());
    let scripts = ["preinstall", "install", "postinstall", "prepare", "pretest", "test", "build"];
    let scripts = scripts.map(|name| format!("\"{name}\": \"echo {name} >> '{}'\"", marker.display())).join(", ");
    for (stack, name) in
        [("axum", "plain"), ("express", "plain"), ("fastapi", "plain"), ("django", "plain"), ("nextjs", "plain")]
    {
        let project = of_stack(stack, name);
        trapped(&project, &marker);
        if project.dir.join("package.json").exists() {
            replace(&project.dir, "package.json", "{", &format!("{{\n  \"x\": {{ {scripts} }},"));
            let text = read(&project.dir, "package.json");
            let text = if text.contains("\"scripts\"") { text } else { text.replacen("\"x\"", "\"scripts\"", 1) };
            write(&project.dir, "package.json", text);
        }
        let mut commands: Vec<&[&str]> = LOOKS.to_vec();
        commands.push(&["list"]);
        for args in commands {
            let output = tool(&project.dir, args).env("PATH", &path).output().unwrap();
            let done = finished(&output);
            assert!((0..=4).contains(&done.code), "{stack} {args:?}: {}\n{}", done.code, done.err);
            assert!(!marker.exists(), "{stack} {args:?} ran {}", fs::read_to_string(&marker).unwrap());
        }
    }
    // The traps do work.
    assert!(Command::new(bin.join("git")).status().unwrap().success() && marker.exists());
}

/// Everything that is read or written of an app on axum.
const PLACES: [&str; 17] = [
    "Cargo.toml",
    "Cargo.lock",
    ".gitignore",
    "src",
    "src/main.rs",
    "src/auth",
    "src/auth/mod.rs",
    "src/auth_example.rs",
    ".env.example",
    ".github",
    ".github/CODEOWNERS",
    ".authwright",
    ".authwright/lock.toml",
    ".authwright/proof.toml",
    ".authwright/probe.toml",
    ".authwright-journal",
    ".authwright-journal/ready",
];
const CANARY: &str = "canary-of-another-project";

#[test]
fn a_link_out_of_the_project_is_neither_read_nor_written_through() {
    let added = fixture("plain");
    run(&added.dir, &["add", "--yes", "--no-check", "--also", "codeowners"]).exits(0);
    let added = tree(&added.dir);
    for place in PLACES {
        for first_added in [false, true] {
            let project = fixture("plain");
            if first_added {
                added
                    .iter()
                    .filter(|(name, _)| !name.ends_with('/'))
                    .for_each(|(name, text)| write(&project.dir, name, text));
            }
            // The same things, elsewhere, with a mark in each.
            let outside = empty("outside");
            for (name, text) in &added {
                if !name.ends_with('/') {
                    let mark =
                        if Path::new(name).extension().is_some_and(|ending| ending == "rs") { "//" } else { "#" };
                    write(&outside.dir, name, [text, format!("\n{mark} {CANARY}\n").as_bytes()].concat());
                }
            }
            write(&outside.dir, ".authwright-journal/ready", CANARY);
            write(&outside.dir, ".env.example", CANARY);
            write(&outside.dir, ".authwright/proof.toml", CANARY);
            write(&outside.dir, ".authwright/probe.toml", CANARY);
            let link = project.dir.join(place);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            if link.is_dir() {
                fs::remove_dir_all(&link).unwrap();
            } else {
                _ = fs::remove_file(&link);
            }
            symlink(outside.dir.join(place), &link).unwrap();
            let before = tree(&outside.dir);
            for args in
                LOOKS.into_iter().chain([&["add", "--ui", "pages", "--also", "codeowners", "--yes", "--no-check"][..]])
            {
                let done = ends(&project.dir, args);
                assert!(
                    !format!("{}{}", done.out, done.err).contains(CANARY),
                    "{place} {args:?}: {}{}",
                    done.out,
                    done.err
                );
                assert!(tree(&outside.dir) == before, "{place}: {args:?} wrote outside");
                assert!(link.is_symlink(), "{place}: {args:?} replaced the link");
            }
            let inside = tree(&project.dir).into_iter().filter(|(name, _)| !Path::new(name).starts_with(place));
            let copied: Vec<String> = inside
                .filter(|(_, text)| String::from_utf8_lossy(text).contains(CANARY))
                .map(|(name, _)| name)
                .collect();
            assert_eq!(copied, [] as [&str; 0], "{place}");
        }
    }
}

/// A project for each manifest that is read, with a text in its place.
const MANIFESTS: [&str; 20] = [
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "Pipfile",
    "setup.py",
    "setup.cfg",
    "environment.yml",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "gradle/libs.versions.toml",
    "app.csproj",
    "composer.json",
    "Gemfile",
    "mix.exs",
    "deno.json",
    "pnpm-workspace.yaml",
    "project.json",
];

/// What is read of an app on axum once its manifest was found.
const READ: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    ".gitignore",
    "src/main.rs",
    "src/other.rs",
    ".authwright/lock.toml",
    ".authwright/proof.toml",
    ".authwright-journal/ready",
];

#[test]
fn a_huge_file_is_not_read_whole() {
    // Sparse: nobody's disk is filled. More than the memory that the command may use.
    let huge = |path: &Path| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::options().create(true).append(true).open(path).unwrap().set_len(4 << 30).unwrap();
    };
    for name in READ {
        let project = fixture("plain");
        huge(&project.dir.join(name));
        all_end(&project);
    }
    let project = empty("shop");
    for name in MANIFESTS {
        huge(&project.dir.join(format!("of-{}", name.replace('/', "-"))).join(name));
    }
    ends(&project.dir, &["detect"]);
}

#[test]
fn a_manifest_of_100_mb_is_named_and_left() {
    let project = fixture("plain");
    let text = read(&project.dir, "Cargo.toml")
        + &"# a comment that is meant well, and says nothing at all\n".repeat(1_900_000);
    assert!(text.len() > 100 << 20);
    write(&project.dir, "Cargo.toml", text);
    let done = ends(&project.dir, &["add", "--yes", "--no-check"]).exits(4);
    assert!(
        done.err.contains("could not be read: Cargo.toml: too large") && done.err.contains("help: "),
        "{}",
        done.err
    );
}

const DEPTH: usize = 100_000;

#[test]
fn deep_nesting_of_a_manifest_ends_no_command() {
    for (open, close) in [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("(", ")"),
        ("<a>", "</a>"),
        ("{", "}"),
        ("a: [", "]"),
        ("- ", ""),
        ("a:\n ", ""),
        ("[[", "]]"),
        ("[a.", "]"),
    ] {
        let project = empty("shop");
        for name in MANIFESTS {
            let nested = open.repeat(DEPTH) + &close.repeat(DEPTH);
            write(&project.dir, &format!("of-{}/{name}", name.replace('/', "-")), nested);
        }
        println!("{open}");
        ends(&project.dir, &["detect"]);
    }
}

#[test]
fn deep_nesting_in_an_app_ends_no_command() {
    let nested = |open: &str, close: &str| format!("{}1{}", open.repeat(DEPTH), close.repeat(DEPTH));
    for (name, text) in [
        ("Cargo.toml", format!("x = {}\n", nested("[", "]"))),
        ("Cargo.toml", format!("x = {}\n", nested("{ a = ", " }"))),
        ("Cargo.toml", format!("x{} = 1\n", ".a".repeat(DEPTH))),
        ("Cargo.toml", format!("[x{}]\n", ".a".repeat(DEPTH))),
        ("Cargo.lock", format!("x = {}\n", nested("[", "]"))),
        (".authwright/lock.toml", format!("x = {}\n", nested("[", "]"))),
        (".authwright/proof.toml", format!("[x{}]\n", ".a".repeat(DEPTH))),
        ("src/main.rs", format!("const X: u8 = {};\n", nested("(", ")"))),
        ("src/main.rs", format!("fn x() {}\n", nested("{", "}"))),
        ("src/main.rs", format!("fn x() {{ a{}; }}\n", ".b()".repeat(DEPTH))),
        ("src/main.rs", format!("fn x() {{ {}; }}\n", nested("axum::serve(", ", b)"))),
        ("src/main.rs", "/*".repeat(DEPTH)),
    ] {
        let project = fixture("plain");
        let mut before = fs::read(project.dir.join(name)).unwrap_or_default();
        before.extend(text.as_bytes());
        write(&project.dir, name, before);
        println!("{name} {}", &text[..20]);
        for args in [&["add", "--yes", "--no-check"][..], &["verify"]] {
            ends(&project.dir, args);
        }
    }
}

#[test]
fn entities_and_aliases_are_not_multiplied() {
    let lol = (0..9).fold("<!ENTITY a0 \"ha\">\n".to_owned(), |all, level| {
        all + &format!("<!ENTITY a{} \"{}\">\n", level + 1, format!("&a{level};").repeat(10))
    });
    let outside = "<!ENTITY b SYSTEM \"file:///etc/passwd\">";
    for (name, root) in [
        ("pom.xml", "project"),
        ("app.csproj", "Project"),
        ("Directory.Packages.props", "Project"),
        ("a.slnx", "Solution"),
    ] {
        for (entities, used) in [(lol.as_str(), "&a9;"), (outside, "&b;")] {
            let project = empty("shop");
            write(
                &project.dir,
                name,
                format!(
                    "<?xml version=\"1.0\"?>\n<!DOCTYPE {root} [\n{entities}]>\n<{root}><modules><module>{used}</module></modules><name>{used}</name></{root}>\n"
                ),
            );
            let done = ends(&project.dir, &["detect"]);
            assert!(
                !done.out.contains("haha") && !done.out.contains("root:") && !done.err.contains("root:"),
                "{}",
                done.out
            );
        }
    }
    let yaml = (0..9).fold("a0: &a0 [ha]\n".to_owned(), |all, level| {
        all + &format!("a{next}: &a{next} [{}]\n", format!("*a{level},").repeat(10), next = level + 1)
    });
    for name in ["pnpm-workspace.yaml", "environment.yml", ".yarnrc.yml"] {
        let project = of_stack("express", "plain");
        write(&project.dir, name, format!("{yaml}packages: *a9\ncatalog: *a9\n"));
        ends(&project.dir, &["detect"]);
        ends(&project.dir, &["add", "--dry-run", "--no-input"]);
    }
}

#[test]
fn bytes_that_are_no_text_stop_what_needs_the_file_and_nothing_is_changed() {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for name in READ {
        let kinds: [&dyn Fn(Vec<u8>) -> Vec<u8>; 4] = [
            &|text| [&text[..], b"\xff\xfe\xc3("].concat(),
            &|text| [&text[..], b"\0"].concat(),
            &|text| [vec![0xff, 0xfe], wide(&String::from_utf8(text).unwrap())].concat(),
            &|text| [&b"\xed\xa0\x80"[..], &text].concat(),
        ];
        for kind in kinds {
            let project = fixture("plain");
            let text = fs::read(project.dir.join(name)).unwrap_or_default();
            write(&project.dir, name, kind(text));
            let before = tree(&project.dir);
            for args in LOOKS {
                let done = ends(&project.dir, args);
                if args[0] == "add" && ["Cargo.toml", ".gitignore"].contains(&name) {
                    assert!(done.code != 0 && tree(&project.dir) == before, "{name} {args:?}: {}", done.err);
                }
                if args[0] == "add" && name == "src/main.rs" {
                    // What would have stood there is left to the user, who is told why.
                    assert!(done.err.contains("could not be read: src/main.rs"), "{args:?}: {}", done.err);
                    assert!(tree(&project.dir)[name] == before[name]);
                }
            }
        }
    }
    // A mark of byte order alone is text.
    let project = fixture("plain");
    for name in ["Cargo.toml", "src/main.rs", ".gitignore"] {
        let text = format!("\u{feff}{}", read(&project.dir, name));
        write(&project.dir, name, text);
    }
    let before = tree(&project.dir);
    run(&project.dir, &["add", "--yes", "--no-check"]).exits(0);
    assert!(read(&project.dir, "Cargo.toml").starts_with('\u{feff}'));
    run(&project.dir, &["undo", "--yes"]).exits(0);
    assert!(tree(&project.dir) == before);
}

/// Clears the screen, rings, sets the title, in one byte, deletes, reorders.
const CONTROL: &str = "\u{1b}[2J\u{7}\u{1b}]0;x\u{7}\u{9b}2J\u{7f}\u{202e}\u{2066}\r";

#[track_caller]
fn is_plain(done: &Run, args: &[&str]) {
    let hides = |c: char| (c.is_control() && c != '\n' && c != '\t') || "\u{202e}\u{2066}\u{200f}".contains(c);
    // A patch is data, byte for byte; nobody's terminal is meant.
    let out = if args.contains(&"--patch") && !args.contains(&"--json") { "" } else { &done.out };
    for (name, text) in [("stdout", out), ("stderr", &done.err)] {
        let found = text.lines().find(|line| line.contains(hides));
        assert!(found.is_none(), "{args:?} {name}: {found:?}");
    }
}

#[test]
fn no_name_and_no_value_controls_a_terminal() {
    let mut projects: Vec<(&str, Project)> = vec![];
    let mut with = |what: &'static str, change: &dyn Fn(&Project)| {
        let project = fixture("plain");
        change(&project);
        projects.push((what, project));
    };
    let escaped = CONTROL.chars().fold(String::new(), |all, c| all + &format!("\\u{:04X}", u32::from(c)));
    with("a comment", &|it| {
        replace(&it.dir, "Cargo.toml", "axum = \"0.8\"", &format!("axum = \"0.8\" # {CONTROL}").replace('\r', ""));
    });
    with("a package's name", &|it| {
        let text = read(&it.dir, "Cargo.toml");
        let name = text.lines().find(|line| line.starts_with("name = ")).unwrap();
        write(&it.dir, "Cargo.toml", text.replacen(name, &format!("name = \"{escaped}\""), 1));
    });
    with("a version", &|it| replace(&it.dir, "Cargo.toml", "axum = \"0.8\"", &format!("axum = \"{escaped}\"")));
    with("a dependency", &|it| {
        replace(&it.dir, "Cargo.toml", "axum = \"0.8\"", &format!("axum = \"0.8\"\n\"{escaped}\" = \"1\""));
    });
    with("a broken manifest", &|it| replace(&it.dir, "Cargo.toml", "[package]", &format!("{CONTROL}[package]")));
    with("a line of source", &|it| {
        let text = read(&it.dir, "src/main.rs");
        let line = text.lines().find(|line| line.contains("axum::serve")).unwrap().to_owned();
        write(&it.dir, "src/main.rs", text.replace(&line, &format!("{line} // {CONTROL}")));
    });
    with("a file's name", &|it| {
        let text = read(&it.dir, "src/main.rs");
        write(&it.dir, &format!("src/{CONTROL}.rs"), text);
    });
    with("a folder's name", &|it| {
        for (name, text) in tree(&it.dir).into_iter().filter(|(name, _)| !name.ends_with('/')) {
            write(&it.dir, &format!("{CONTROL}/{name}"), text);
        }
    });
    with("a link", &|it| {
        fs::remove_file(it.dir.join("Cargo.toml")).unwrap();
        symlink(format!("/tmp/{CONTROL}"), it.dir.join("Cargo.toml")).unwrap();
    });
    with("a lock", &|it| {
        write(&it.dir, ".authwright/lock.toml", format!("schema = 1\n\"{escaped}\" = \"{escaped}\"\n"));
    });
    with("a journal", &|it| {
        write(&it.dir, ".authwright-journal/ready", format!("{{\"files\":[{{\"path\":\"{CONTROL}\""));
    });
    with("a lock that was changed", &|it| {
        run(&it.dir, &["add", "--yes", "--no-check"]).exits(0);
        let text = read(&it.dir, ".authwright/lock.toml");
        let text = text.replace("profile = \"standard\"", &format!("profile = \"{escaped}\"")).replacen(
            "src/auth/mod.rs",
            &escaped,
            1,
        );
        write(&it.dir, ".authwright/lock.toml", text);
        write(&it.dir, ".authwright/proof.toml", format!("schema = 1\n\"{escaped}\" = 1\n"));
        write(&it.dir, ".authwright/probe.toml", format!("schema = 1\n\"{escaped}\" = 1\n"));
    });
    with("a lock of another pack", &|it| {
        run(&it.dir, &["add", "--yes", "--no-check"]).exits(0);
        let text = read(&it.dir, ".authwright/lock.toml");
        write(&it.dir, ".authwright/lock.toml", text.replace("pack = \"axum\"", &format!("pack = \"{escaped}\"")));
    });
    with("an edit that was recorded", &|it| {
        run(&it.dir, &["add", "--yes", "--no-check"]).exits(0);
        let text =
            read(&it.dir, ".authwright/lock.toml").replacen("inserted = \"", &format!("inserted = \"{escaped}"), 1);
        write(&it.dir, ".authwright/lock.toml", text.replacen("after = \"", "after = \"0", 1));
    });
    for (what, project) in &projects {
        for args in LOOKS.into_iter().chain([
            &["verify", "--json"][..],
            &["controls", "--json"],
            &["undo", "--dry-run", "--json"],
            &["detect", "--color", "never"],
        ]) {
            let done = run(&project.dir, args);
            assert!((0..=4).contains(&done.code), "{what} {args:?}");
            println!("{what} {args:?}");
            is_plain(&done, args);
            if args.contains(&"--json") {
                done.json();
            }
        }
    }
    let named = empty(&format!("folder {CONTROL}"));
    for args in LOOKS {
        is_plain(&run(&named.dir, args), args);
        let path = named.dir.to_str().unwrap();
        is_plain(&run(&std::env::temp_dir(), &["detect", path]), args);
    }
}

#[test]
fn a_name_that_is_no_text_is_passed_over() {
    let project = fixture("plain");
    let name = std::ffi::OsStr::from_bytes(b"src/\xff\xfe.rs");
    fs::write(project.dir.join(name), "fn x() {}\n").unwrap();
    fs::create_dir(project.dir.join(std::ffi::OsStr::from_bytes(b"\xc3("))).unwrap();
    for args in LOOKS {
        ends(&project.dir, args);
    }
}

/// Of our templates, and of those that others know.
const TEMPLATES: [&str; 6] =
    ["[= 7 * 191 =]", "[% if true %]x[% endif %]", "[~ x ~]", "{{ 7 * 191 }}", "{% raw %}", "${7 * 191}"];

#[test]
fn template_syntax_of_a_project_is_text() {
    for syntax in TEMPLATES {
        let project = fixture("plain");
        let main = read(&project.dir, "src/main.rs");
        let line = main.lines().find(|line| line.contains("axum::serve")).unwrap().trim().to_owned();
        let served = line.split_once("axum::serve(").unwrap().1.split_once(',').unwrap().0;
        // What is captured of the code goes through a template.
        let with = line.replacen(served, &format!("noted({served}, \"{syntax}\")"), 1);
        write(&project.dir, "src/main.rs", main.replacen(&line, &with, 1) + &format!("// {syntax}\n"));
        let manifest = read(&project.dir, "Cargo.toml");
        let name = manifest.lines().find(|line| line.starts_with("name = ")).unwrap();
        write(
            &project.dir,
            "Cargo.toml",
            manifest.replacen(name, &format!("name = '{syntax}'"), 1) + &format!("# {syntax}\n"),
        );
        let dir = project.dir.parent().unwrap().join(syntax.replace('/', "-"));
        fs::rename(&project.dir, &dir).unwrap();
        let before = tree(&dir);
        let done = run(&dir, &["add", "--also", "agents,codeowners,ci", "--yes", "--no-check"]);
        let after = tree(&dir);
        let shown = [done.out.as_bytes(), done.err.as_bytes()].concat();
        let all: BTreeMap<&str, &Vec<u8>> =
            after.iter().map(|(name, text)| (name.as_str(), text)).chain([("shown", &shown)]).collect();
        for (name, text) in all {
            // A hash may hold any four digits.
            let computed = String::from_utf8_lossy(text).lines().any(|line| {
                line.contains("1337") && !line.contains("sha") && line.contains(['\'', '"']) && line.len() < 60
            });
            assert!(!computed, "{syntax}: {name}");
        }
        if done.code == 0 {
            assert!(read(&dir, "src/main.rs").contains(&format!("\"{syntax}\"")), "{syntax}");
            run(&dir, &["verify"]).exits(0);
            run(&dir, &["undo", "--yes"]).exits(0);
        } else {
            assert!(done.code == 4 && done.err.contains("help: "), "{syntax}: {}", done.err);
        }
        assert!(tree(&dir) == before, "{syntax}");
    }
}

/// A manifest of a megabyte, whose entries were once looked for from its beginning each.
#[test]
fn many_entries_do_not_take_forever() {
    for (name, table) in [("package.json", "dependencies"), ("composer.json", "require")] {
        let entries = (0..50_000).fold(String::new(), |all, number| all + &format!("\"a/{number}\": \"1\",\n"));
        let project = empty("shop");
        write(&project.dir, name, format!("{{\"{table}\": {{\n{entries}\"z\": \"1\"}}}}"));
        ends(&project.dir, &["detect"]);
    }
    let project = empty("shop");
    write(&project.dir, "environment.yml", "a:\n ".repeat(100_000));
    ends(&project.dir, &["detect"]);
}

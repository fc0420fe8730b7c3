use super::*;
use crate::core::{
    anchor::parse_errors,
    edit::Outcome,
    testing::{axum, edited, python, rust},
};

#[test]
fn the_end_of_a_file_is_a_paragraph_of_its_own() {
    for (name, before, after) in [
        ("plain", "A = 1\n", "A = 1\n\nmake()\n"),
        ("CRLF", "A = 1\r\n", "A = 1\r\n\r\nmake()\r\n"),
        ("no last newline", "A = 1", "A = 1\n\nmake()"),
        ("nothing", "", "make()\n"),
    ] {
        let (now, _) = edited(before, vec![Outcome::Edit(vec![end(before, "make()")])]);
        assert_eq!(now, after, "{name}");
    }
}

#[test]
fn imports_go_after_the_leading_ones() {
    for (name, before, after) in [
        ("uses", "use a;\nuse b;\n\nfn f() {}\n", "use a;\nuse b;\n\nmod x;\n\nfn f() {}\n"),
        ("modules", "mod a;\nuse b;\n\nfn f() {}\n", "mod a;\nuse b;\n\nmod x;\n\nfn f() {}\n"),
        ("header", "//! Doc.\n//! More.\n\nfn f() {}\n", "//! Doc.\n//! More.\n\nmod x;\n\nfn f() {}\n"),
        ("attributes", "#![allow(a)]\n#![allow(b)]\nfn f() {}\n", "#![allow(a)]\n#![allow(b)]\n\nmod x;\nfn f() {}\n"),
        ("block doc", "/*! Doc.\n*/\nfn f() {}\n", "/*! Doc.\n*/\n\nmod x;\nfn f() {}\n"),
        ("shebang", "#!/usr/bin/x\nfn f() {}\n", "#!/usr/bin/x\n\nmod x;\nfn f() {}\n"),
        ("no imports", "fn f() {}\n", "mod x;\n\nfn f() {}\n"),
        ("tests at the end", "use a;\nfn f() {}\nmod tests;\n", "use a;\n\nmod x;\nfn f() {}\nmod tests;\n"),
        ("inline module", "use a;\nmod m {\n  use b;\n}\n", "use a;\n\nmod x;\nmod m {\n  use b;\n}\n"),
        ("only tests", "#[cfg(test)]\nmod tests {}\n", "mod x;\n\n#[cfg(test)]\nmod tests {}\n"),
        ("attribute on an import", "#[cfg(a)]\nuse a;\n\nfn f() {}\n", "#[cfg(a)]\nuse a;\n\nmod x;\n\nfn f() {}\n"),
        ("comment behind", "use a; // why\nfn f() {}\n", "use a; // why\n\nmod x;\nfn f() {}\n"),
        ("long comment behind", "use a; /* why\n*/\nfn f() {}\n", "use a; /* why\n*/\n\nmod x;\nfn f() {}\n"),
        ("comment between", "use a;\n// b\nuse b;\nfn f() {}\n", "use a;\n// b\nuse b;\n\nmod x;\nfn f() {}\n"),
        ("code behind", "use a; fn f() {\n}\n", "use a;\n\nmod x;\n fn f() {\n}\n"),
        ("several lines", "use a::{\n  b,\n};\nfn f() {}\n", "use a::{\n  b,\n};\n\nmod x;\nfn f() {}\n"),
        ("CRLF", "use a;\r\n\r\nfn f() {}\r\n", "use a;\r\n\r\nmod x;\r\n\r\nfn f() {}\r\n"),
        ("BOM", "\u{feff}fn f() {}\n", "\u{feff}mod x;\n\nfn f() {}\n"),
        ("BOM and header", "\u{feff}//! Doc.\r\nfn f() {}", "\u{feff}//! Doc.\r\n\r\nmod x;\r\nfn f() {}"),
        ("no last newline", "use a;", "use a;\n\nmod x;"),
        ("nothing", "", "mod x;\n\n"),
    ] {
        let splice = import(&rust(), before, "mod x;").unwrap();
        let (now, _) = edited(before, vec![Outcome::Edit(vec![splice])]);
        assert_eq!(now, after, "{name}");
        assert_eq!(parse_errors(&rust(), &now).unwrap(), 0, "{name}");
    }
}

#[test]
fn imports_of_python_go_below_what_is_about_the_file() {
    for (name, before, after) in [
        ("imports", "import a\nfrom b import c\n\nx = 1\n", "import a\nfrom b import c\n\nimport x\n\nx = 1\n"),
        ("docstring", "\"\"\"Doc.\"\"\"\n\nx = 1\n", "\"\"\"Doc.\"\"\"\n\nimport x\n\nx = 1\n"),
        ("both", "#!/x\n\"\"\"Doc.\"\"\"\nimport a\nf()\n", "#!/x\n\"\"\"Doc.\"\"\"\nimport a\n\nimport x\nf()\n"),
        (
            "future",
            "from __future__ import annotations\nf()\n",
            "from __future__ import annotations\n\nimport x\nf()\n",
        ),
        (
            "several lines",
            "from b import (\n    c,\n)  # why\nf()\n",
            "from b import (\n    c,\n)  # why\n\nimport x\nf()\n",
        ),
        ("nothing", "", "import x\n\n"),
    ] {
        let splice = import(&python(), before, "import x").unwrap();
        assert_eq!(edited(before, vec![Outcome::Edit(vec![splice])]).0, after, "{name}");
    }
}

#[test]
fn lines_go_after_a_statement_of_python() {
    let wire = Wire { text: "attach(app)\nmore(app)".to_owned(), ..wire("after", "") };
    let rule = serde_json::from_str(r#"{ "pattern": "$APP = FastAPI($$$)" }"#).unwrap();
    for (name, before, after) in [
        ("module", "setup()\napp = FastAPI()\nrun()\n", "setup()\napp = FastAPI()\nattach(app)\nmore(app)\nrun()\n"),
        ("no last newline", "app = FastAPI()", "app = FastAPI()\nattach(app)\nmore(app)"),
        (
            "in a function",
            "def make():\n    app = FastAPI(\n        title=1,\n    )  # why\n    return app\n",
            "def make():\n    app = FastAPI(\n        title=1,\n    )  # why\n    attach(app)\n    more(app)\n    return app\n",
        ),
    ] {
        let at = anchor::matches(&python(), &rule, before).unwrap().remove(0);
        let splices = wires(&python(), before, &at, &[(&wire, wire.text.clone())]).unwrap();
        let (now, _) = edited(before, vec![Outcome::Edit(splices)]);
        assert_eq!(now, after, "{name}");
        assert_eq!(parse_errors(&python(), &now).unwrap(), 0, "{name}");
    }
}

fn wire(place: &str, rest: &str) -> Wire {
    toml::from_str(&format!("at = 'serve'\nplace = '{place}'\ntext = ''\n{rest}")).unwrap()
}

/// `let a = 1;` before the one call of `axum::serve`, and its second argument replaced if that is not a name.
fn wired(source: &str) -> String {
    let pack = axum();
    let anchor = pack.manifest.anchor.iter().find(|anchor| anchor.id == "serve").unwrap();
    let found = anchor::matches(&pack.language, anchor.rule.as_ref().unwrap(), source).unwrap();
    assert_eq!(found.len(), 1, "{source}");
    let (first, second) = (wire("before", ""), wire("replace", "capture = 'SERVED'"));
    let mut all = vec![(&first, "let a = 1;\nlet b = 2;".to_owned())];
    if found[0].captures["SERVED"].kind != "identifier" {
        all.push((&second, "app".to_owned()));
    }
    let splices = wires(&pack.language, source, &found[0], &all).unwrap();
    edited(source, vec![Outcome::Edit(splices)]).0
}

#[test]
fn lines_go_before_the_statement_with_its_indent() {
    const NEW: &str = "let a = 1;\nlet b = 2;";
    for (before, after) in [
        ("fn f() {\n    axum::serve(l, app).await;\n}\n", "fn f() {\n    @    axum::serve(l, app).await;\n}\n"),
        ("fn f() {\n\taxum::serve(l, app)\n}\n", "fn f() {\n\t@\taxum::serve(l, app)\n}\n"),
        (
            "fn f() {\r\n  // why\r\n  // so\r\n  axum::serve(l, app)\r\n}\r\n",
            "fn f() {\r\n  @  // why\r\n  // so\r\n  axum::serve(l, app)\r\n}\r\n",
        ),
        ("fn f() {\n  #[cfg(a)]\n  axum::serve(l, app);\n}\n", "fn f() {\n  @  #[cfg(a)]\n  axum::serve(l, app);\n}\n"),
        (
            "fn f() {\n  x(); // not mine\n  axum::serve(l, app);\n}\n",
            "fn f() {\n  x(); // not mine\n  @  axum::serve(l, app);\n}\n",
        ),
        (
            "fn f() {\n  if x {\n    loop {\n      let s = axum::serve(l, app);\n    }\n  }\n}\n",
            "fn f() {\n  if x {\n    loop {\n      @      let s = axum::serve(l, app);\n    }\n  }\n}\n",
        ),
        (
            "fn f() {\n  if let Err(e) = axum::serve(l, app).await {\n  }\n}\n",
            "fn f() {\n  @  if let Err(e) = axum::serve(l, app).await {\n  }\n}\n",
        ),
        (
            "fn f() {\n  spawn(async move {\n    axum::serve(l, app).await\n  });\n}\n",
            "fn f() {\n  spawn(async move {\n    @    axum::serve(l, app).await\n  });\n}\n",
        ),
        ("fn f() { axum::serve(l, app) }", "fn f() { let a = 1; let b = 2; axum::serve(l, app) }"),
    ] {
        let crlf = if before.contains("\r\n") { "\r\n" } else { "\n" };
        let expected = after.split_once('@').map_or(after.to_owned(), |(start, rest)| {
            let indent = &start[start.rfind('\n').unwrap() + 1..];
            let lines: Vec<String> = NEW.lines().map(|line| format!("{indent}{line}{crlf}")).collect();
            format!("{}{}{rest}", start.strip_suffix(indent).unwrap(), lines.concat())
        });
        assert_eq!(wired(before), expected);
    }
}

#[test]
fn what_is_served_is_replaced() {
    let after = |statement: &str| format!("fn f() {{\n  let a = 1;\n  let b = 2;\n  {statement}\n}}\n");
    for (statement, now) in [
        ("axum::serve(l, app()).await", "axum::serve(l, app).await"),
        // It was on several lines for its length only.
        (
            "axum::serve(\n    l,\n    app.into_make_service(),\n  )\n  .await\n  .unwrap()",
            "axum::serve(l, app).await.unwrap()",
        ),
        ("axum::serve(l, app())\n    // graceful\n    .await", "axum::serve(l, app)\n    // graceful\n    .await"),
        (
            "axum::serve(l, app())\n    .with_graceful_shutdown(a_function_with_a_long_name())\n    .await",
            "axum::serve(l, app)\n    .with_graceful_shutdown(a_function_with_a_long_name())\n    .await",
        ),
    ] {
        assert_eq!(wired(&format!("fn f() {{\n  {statement}\n}}\n")), after(now));
    }
}

#[test]
fn a_replacement_can_be_found_again_among_other_edits() {
    let pack = axum();
    let source = "fn f() {\n  axum::serve(l, app())\n    // c\n    .await\n}\n";
    let anchor = pack.manifest.anchor.iter().find(|anchor| anchor.id == "serve").unwrap();
    let found = anchor::matches(&pack.language, anchor.rule.as_ref().unwrap(), source).unwrap();
    let replace = wire("replace", "capture = 'SERVED'");
    let splices = wires(&pack.language, source, &found[0], &[(&replace, "app".to_owned())]).unwrap();
    // The name alone would be found in the middle of a word.
    assert_eq!(splices[0].text, "axum::serve(l, app)\n    // c\n    .await");
}

#[test]
fn lines_go_above_the_attributes_of_the_statement() {
    let serve = "axum::serve(l, app)";
    for (before, after) in [
        ("  #[cfg(\n    a\n  )]\n  let x = S;", "  NEW\n  #[cfg(\n    a\n  )]\n  let x = S;"),
        ("  #[allow(x)] let y = S;", "  NEW\n  #[allow(x)] let y = S;"),
        ("  // why\n  #[cfg(\n    a\n  )]\n  S", "  NEW\n  // why\n  #[cfg(\n    a\n  )]\n  S"),
        ("  #![allow(x)]\n  S", "  #![allow(x)]\n  NEW\n  S"),
    ] {
        for ending in ["\n", "\r\n"] {
            let new = format!("let a = 1;{ending}  let b = 2;");
            let text = |text: &str| {
                format!("fn f() {{\n{text}\n}}\n").replace('S', serve).replace('\n', ending).replace("NEW", &new)
            };
            assert_eq!(wired(&text(before)), text(after));
        }
    }
}

#[test]
fn text_on_several_lines_is_not_joined() {
    for end in [".expect(\"a\n  b\")", ".expect(\"say \\\"\n  hi\\\"\")", ".expect(r#\"a\" \n \"b\"#)"] {
        let of = |served: &str| format!("axum::serve(\n    l,\n    {served},\n  ){end};");
        let after = wired(&format!("fn f() {{\n  {}\n}}\n", of("app()")));
        assert_eq!(after, format!("fn f() {{\n  let a = 1;\n  let b = 2;\n  {}\n}}\n", of("app")));
    }
}

use super::*;
use crate::core::testing::{FIXTURES, axum, fixture, rust, tree};

fn serve(source: &str) -> Found {
    let pack = axum();
    let anchor = pack.manifest.anchor.iter().find(|anchor| anchor.id == "serve").unwrap();
    locate(&pack.language, anchor, &anchor.globs, &tree(&[("src/main.rs", source)])).unwrap()
}

fn captures(source: &str) -> (String, String, Option<String>) {
    let Found::One(place) = serve(source) else { panic!("not one in {source}") };
    let all = place.at.unwrap().captures;
    let text = |name: &str| all.get(name).map(|capture| capture.text.clone());
    (text("LISTENER").unwrap(), text("SERVED").unwrap(), text("APP"))
}

#[test]
fn every_way_to_serve_is_found_once() {
    for (call, listener, served, app) in [
        ("axum::serve(l, app).await.unwrap();", "l", "app", None),
        ("serve(l, app).await", "l", "app", None),
        ("axum::serve(l, app())", "l", "app()", None),
        ("axum::serve(l, app.clone()).with_graceful_shutdown(stop())", "l", "app.clone()", None),
        ("let s = axum::serve(self.l, routes::all(1, 2)).into_future();", "self.l", "routes::all(1, 2)", None),
        ("axum::serve(\n  l, // one\n  /* two */ app,\n)", "l", "app", None),
        ("axum::serve(TcpListener::bind(\"x\").await?, app)?", "TcpListener::bind(\"x\").await?", "app", None),
        ("axum::serve(l, r.into_make_service())", "l", "r.into_make_service()", Some("r")),
        (
            "axum::serve(l, r().layer(x).into_make_service())",
            "l",
            "r().layer(x).into_make_service()",
            Some("r().layer(x)"),
        ),
        (
            "axum::serve(l, r.into_make_service_with_connect_info::<SocketAddr>())",
            "l",
            "r.into_make_service_with_connect_info::<SocketAddr>()",
            Some("r"),
        ),
    ] {
        let source = format!("async fn main() {{\n    {call}\n}}\n");
        assert_eq!(captures(&source), (listener.into(), served.into(), app.map(Into::into)), "{call}");
    }
}

#[test]
fn what_only_looks_like_serving_is_not_found() {
    for source in [
        "// axum::serve(l, app)\nfn main() {}",
        "fn main() { let s = \"axum::serve(l, app)\"; }",
        "fn main() { let s = r#\"axum::serve(l, app)\"#; }",
        "fn main() { other::serve(l, app); x.serve(l, app); serve(app); serve(l, app, 1); }",
        "fn main() { join!(axum::serve(l, app)); }",
        "fn serve(l: u8, app: u8) {}",
        "#[cfg(test)]\nmod tests {\n    fn start() { axum::serve(l, app); }\n}",
        "#[cfg(all(test, unix))]\nmod tests { mod deep { fn f() { axum::serve(l, app); } } }",
        "#[tokio::test]\nasync fn t() { axum::serve(l, app); }",
    ] {
        assert_eq!(serve(source), Found::None, "{source}");
    }
    let source = "fn main() { axum::serve(l, app); }\n#[test]\nfn t() { axum::serve(l, app); }";
    assert_eq!(captures(source).1, "app");
}

#[test]
fn two_calls_are_two_places() {
    let Found::Several(places) = serve("fn a() { axum::serve(l, a); }\nfn b() { axum::serve(l, b); }") else {
        panic!()
    };
    assert_eq!(places.len(), 2);
}

#[test]
fn every_anchor_finds_its_place_in_the_fixtures() {
    for name in FIXTURES {
        let app = fixture(name);
        let anchor = app.pack.manifest.anchor.iter().find(|anchor| anchor.id == "serve").unwrap();
        let found = locate(&app.pack.language, anchor, &anchor.globs, &app.tree).unwrap();
        let by_hand = ["axum-server", "two-servers"].contains(&name);
        assert_eq!(matches!(found, Found::One(_)), !by_hand, "{name}: {found:?}");
    }
}

#[test]
fn the_first_glob_that_names_a_file_wins() {
    let files = tree(&[("src/lib.rs", ""), ("src/main.rs", "")]);
    let globs = |names: [&str; 2]| names.map(str::to_owned);
    let Found::One(place) = first_file(&globs(["src/main.rs", "src/*.rs"]), &files).unwrap() else { panic!() };
    assert_eq!((place.path.as_str(), place.at), ("src/main.rs", None));
    assert_eq!(first_file(&globs(["a", "b"]), &files).unwrap(), Found::None);
}

#[test]
fn hints_name_the_line_and_its_words() {
    let pack = axum();
    let anchor = pack.manifest.anchor.iter().find(|anchor| anchor.id == "serve").unwrap();
    let found = |source: &str| {
        let hints = hints(&pack.language, &anchor.hint, source).unwrap();
        let word = |hint: &Hint, name: &str| hint.groups.get(name).map_or("", |word| word.as_str().unwrap()).to_owned();
        hints
            .iter()
            .map(|hint| (hint.line, word(hint, "LISTENER"), word(hint, "ADDR"), word(hint, "APP")))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("x\n// axum::serve(a, b)\njoin!(axum::serve(l, app()),\n  axum::serve(m, other))"),
        [(3, "l".into(), String::new(), "app()".into()), (4, "m".into(), String::new(), "other".into())]
    );
    assert_eq!(
        found("axum_server::bind(addr)\n  .handle(h)\n  .serve(app.into_make_service())"),
        [(1, String::new(), "addr".into(), "app".into())]
    );
    assert_eq!(found("fn main() {}"), []);
}

#[test]
fn errors_are_counted() {
    for (source, errors) in [("fn f() {}", false), ("\u{feff}fn f() {}\r\n", false), ("fn f( {}", true), ("let", true)]
    {
        assert_eq!(parse_errors(&rust(), source).unwrap() > 0, errors, "{source}");
    }
}

#[test]
fn a_statement_begins_with_its_attributes() {
    let pack = axum();
    let rule = pack.manifest.anchor.iter().find_map(|anchor| anchor.rule.as_ref()).unwrap();
    for (before, lead) in [
        ("", "axum::"),
        ("#[a] ", "#[a] axum::"),
        ("#[a]\n#[b(\n  c\n)]\n", "#[a]\n#[b(\n"),
        ("// why\n#[a]\n", "#[a]\naxum::"),
        ("#[a]\n// why\n", "axum::"),
        ("#![a]\n", "axum::"),
        ("x();\n#[a]\n", "#[a]\naxum::"),
    ] {
        let source = format!("fn f() {{\n{before}axum::serve(l, app);\n}}\n");
        let found = matches(&pack.language, rule, &source).unwrap().remove(0);
        assert!(source[found.lead..].starts_with(lead), "{before:?}: {:?}", &source[found.lead..]);
        assert_eq!(&source[found.statement], "axum::serve(l, app);", "{before:?}");
    }
}

#[test]
fn globs_stay_in_a_folder_unless_they_say_otherwise() {
    let set = glob_set(&["src/*.rs", "lib/**/*.rs"]).unwrap();
    let all = ["src/a.rs", "src/b/a.rs", "lib/a.rs", "lib/b/c/a.rs", "other/src/a.rs"];
    assert_eq!(all.map(|path| set.is_match(path)), [true, false, true, true, false]);
}

#[test]
fn lines_start_at_one() {
    assert_eq!((line_of("a\r\nb", 0), line_of("a\r\nb", 3), line_of("a\n", 2)), (1, 2, 2));
}

#[test]
fn an_anchor_is_looked_for_in_its_files_only() {
    let pack = axum();
    let anchor = pack.manifest.anchor.iter().find(|anchor| anchor.id == "serve").unwrap();
    let serve = "fn main() { axum::serve(l, app); }\n";
    let found = |files: &[(&str, &str)]| locate(&pack.language, anchor, &anchor.globs, &tree(files)).unwrap();
    let Found::One(place) = found(&[("src/main.rs", serve), ("tests/it.rs", serve)]) else { panic!() };
    assert_eq!(place.path.as_str(), "src/main.rs");
    assert_eq!(found(&[("src/main.rs", "fn main() {}"), ("examples/x.rs", serve)]), Found::None);
}

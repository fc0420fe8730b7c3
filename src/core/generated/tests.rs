use super::*;
use crate::core::testing::{path, rust, small, small_app};

const OLD: &str = "a\nb\nc\nd\ne\n";
const NEW: &str = "a\nB\nc\nd\ne\n";

fn now(text: &str) -> Option<String> {
    changed(&rust(), &path("x.txt"), OLD, NEW, &Text::new(text)).map(|text| text.raw().to_owned())
}

#[test]
fn what_the_user_left_alone_becomes_the_new_render() {
    assert_eq!(now(OLD).as_deref(), Some(NEW));
    assert_eq!(now(&OLD.replace('\n', "\r\n")), Some(NEW.replace('\n', "\r\n")), "a checkout's endings stay");
}

#[test]
fn what_the_user_changed_elsewhere_stays() {
    assert_eq!(now("a\nb\nc\nd\nmine\ne\n").as_deref(), Some("a\nB\nc\nd\nmine\ne\n"));
    assert_eq!(now("a\r\nb\r\nc\r\nd\r\nmine\r\n").as_deref(), Some("a\r\nB\r\nc\r\nd\r\nmine\r\n"));
    assert_eq!(now(NEW).as_deref(), Some(NEW), "the same change by hand");
}

#[test]
fn changes_that_meet_are_not_merged() {
    assert_eq!(now("a\nmine\nc\nd\ne\n"), None);
    assert_eq!(now(""), None);
}

#[test]
fn a_merge_that_does_not_parse_is_none() {
    let (old, new) = ("fn a() {\n    b();\n}\n\n\nfn e() {}\n", "fn a() {\n    b();\n}\n\n\nfn e() {\n    f();\n}\n");
    let merged = |name: &str, mine: &str| changed(&rust(), &path(name), old, new, &Text::new(mine));
    assert!(merged("x.rs", &old.replace("b();", "c();")).is_some());
    let half = "fn a() {\n    b();\n\n\nfn e() {}\n";
    let errors = |text: &str| anchor::parse_errors(&rust(), text).unwrap();
    for name in ["x.rs", "x.txt"] {
        let worse = merged(name, half).is_some_and(|merged| errors(merged.raw()) > errors(half));
        assert!(!worse || name == "x.txt");
    }
}

#[test]
fn files_for_the_root_are_rendered_at_the_root() {
    let app = small_app().after(&[("also", "ci")]);
    let lock = crate::core::lock::Lock::read(&app.tree).unwrap().unwrap();
    let mut facts = facts::recorded(&small(), &lock.layer);
    let has = |files: Vec<(RelPath, String)>| files.iter().any(|(path, _)| path.as_str().starts_with(".github"));
    assert!(has(files(&small(), &facts).unwrap()) && !has(left(&small(), &facts).unwrap()));
    facts["project"]["root"] = false.into();
    assert!(!has(files(&small(), &facts).unwrap()) && has(left(&small(), &facts).unwrap()));
}

use super::*;
use crate::core::{
    lock::Lock,
    testing::{path, rust, small, small_app},
};

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
fn source_that_a_merge_breaks_is_left_alone() {
    let old = "fn a() {}\n\n\nfn b() {}\n\n\nfn c() {}\n";
    let new = old.replace("fn b() {}", "fn b() { f(\"x\"); }");
    let mine = format!("const A: &str = \"\n{old}\";\n");
    let merged = |name: &str| changed(&rust(), &path(name), old, &new, &Text::new(&*mine));
    assert_eq!(merged("x.txt"), Some(Text::new(format!("const A: &str = \"\n{new}\";\n"))));
    assert_eq!(merged("x.rs"), None);
}

#[test]
fn files_for_the_root_are_rendered_at_the_root() {
    let app = small_app().after(&[("also", "ci")]);
    let lock = Lock::read(&app.tree).unwrap().unwrap();
    let mut facts = facts::recorded(&small(), &lock.layer);
    let has = |files: Vec<(RelPath, String)>| files.iter().any(|(path, _)| path.as_str().starts_with(".github"));
    assert!(has(files(&small(), &facts).unwrap()) && !has(left(&small(), &facts).unwrap()));
    facts["project"]["root"] = false.into();
    assert!(!has(files(&small(), &facts).unwrap()) && has(left(&small(), &facts).unwrap()));
}

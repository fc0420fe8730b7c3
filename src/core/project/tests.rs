use super::*;
use crate::core::testing::{path, tree};

#[test]
fn paths_that_could_leave_cannot_be_made() {
    for bad in ["", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "C:\\a", "a\\b", "c:", "a\0"] {
        assert!(RelPath::new(bad).is_err(), "{bad:?}");
        assert!(toml::from_str::<BTreeMap<String, RelPath>>(&format!("p = {bad:?}")).is_err(), "{bad:?}");
    }
    for good in ["a", "a/b.c", ".env", "..a/b..", "ü /\u{1f6d2}", "-x"] {
        assert_eq!(path(good).as_str(), good);
    }
}

#[test]
fn paths_have_parents_and_go_below_folders() {
    assert_eq!(path("a/b/c").parent(), Some(path("a/b")));
    assert_eq!(path("a").parent(), None);
    assert_eq!((path("a").below("x/y"), path("a").below("")), (path("x/y/a"), path("a")));
}

#[test]
fn a_tree_with_the_difference_is_the_other_tree() {
    let one = tree(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let two = tree(&[("a", "1"), ("b", "x"), ("d", "4")]);
    let changes = one.difference(&two);
    assert_eq!(changes.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), ["b", "c", "d"]);
    assert_eq!(one.with(&changes), two);
    assert_eq!(one.difference(&one), []);
}

#[test]
fn a_checkout_with_other_endings_is_what_was_rendered() {
    for (text, rendered) in
        [("a\r\nb\r\n", "a\nb\n"), ("a\r\nb\n", "a\r\nb\n"), ("a\nb", "a\nb"), ("a", "a"), ("a\r", "a\r")]
    {
        assert_eq!(Text::new(text).as_rendered(), rendered);
    }
}

#[test]
fn hashes_are_of_the_bytes() {
    assert_eq!(Text::new("").sha256(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_ne!(Text::new("a\n").sha256(), Text::new("a\r\n").sha256());
}

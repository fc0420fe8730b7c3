use super::*;
use crate::core::{
    project::Text,
    testing::{FIXTURES, fixture, path},
};

fn read(text: &str) -> Result<Option<Lock>> {
    Lock::read(&[(path(PATH), Text::new(text))].into_iter().collect())
}

#[test]
fn a_lock_is_read_as_it_was_written() {
    for name in FIXTURES {
        let (_, lock) = fixture(name).added();
        let text = lock.write().unwrap();
        assert!(text.starts_with("# Written by authwright"));
        assert!(read(&text).unwrap().as_ref() == Some(&lock), "{name}");
        assert!(read(&text.replace('\n', "\r\n")).unwrap().is_some(), "{name}: CRLF by git");
        assert_eq!(lock.modules(), ["password"]);
    }
    assert_eq!(Lock::read(&Tree::default()).unwrap(), None);
}

#[test]
fn a_lock_that_is_not_understood_is_refused() {
    let text = Lock::new().write().unwrap();
    for (text, what) in [
        (text.replace("schema = 1", "schema = 2"), "schema 2 is not known"),
        (text.replace("schema = 1", "schema = 2\nfuture = true"), "schema 2 is not known"),
        (text.replace("schema = 1", "schema = 1\nmine = true"), "unknown field `mine`"),
        (text.replace("schema = 1", ""), "schema"),
        ("<<<<<<< HEAD\n".to_owned(), "not a readable lock"),
        (String::new(), "not a readable lock"),
    ] {
        let error = read(&text).unwrap_err();
        let problem = error.downcast_ref::<Problem>().unwrap();
        assert!(problem.what.contains(what) && problem.what.starts_with(PATH), "{}", problem.what);
        assert_eq!(problem.exit_code(), 1);
    }
}

#[test]
fn paths_in_a_lock_stay_inside() {
    let (_, lock) = fixture("plain").added();
    let text = lock.write().unwrap();
    for bad in ["../x", "/etc/passwd", "src/../../x", "C:x"] {
        assert!(read(&text.replacen("src/auth/csrf.rs", bad, 1)).is_err(), "{bad}");
    }
}

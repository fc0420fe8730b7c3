use super::*;
use crate::core::{edit::Outcome, testing::edited};

fn insert(text: &str, table: &[&str], keys: &[&str]) -> (String, Vec<Made>) {
    let new: Vec<(String, String)> = keys.iter().map(|key| ((*key).to_owned(), "1".to_owned())).collect();
    let splices = Toml::parse(text).unwrap().insert(table, &new).unwrap();
    let (after, made) = edited(text, vec![Outcome::Edit(splices)]);
    Toml::parse(&after).unwrap();
    (after, made)
}

#[test]
fn new_keys_go_where_a_person_would_put_them() {
    for (name, before, keys, after) in [
        ("sorted", "[d]\na = 1\nc = 1\n", &["b", "d"][..], "[d]\na = 1\nb = 1\nc = 1\nd = 1\n"),
        ("first", "[d]\nb = 1\n\n[e]\n", &["a"], "[d]\na = 1\nb = 1\n\n[e]\n"),
        ("unsorted", "[d]\nc = 1\na = 1\n\n[e]\n", &["z", "b"], "[d]\nc = 1\na = 1\nb = 1\nz = 1\n\n[e]\n"),
        ("empty table", "[d]\n\n[e]\n", &["a"], "[d]\na = 1\n\n[e]\n"),
        ("header comment", "[d] # these\na = 1\n", &["b"], "[d] # these\na = 1\nb = 1\n"),
        ("trailing comment", "[d]\na = 1 # one\n# end\n", &["b"], "[d]\na = 1 # one\nb = 1\n# end\n"),
        ("comment of its own", "[d]\na = 1\n# of c\nc = 1\n", &["b"], "[d]\na = 1\nb = 1\n# of c\nc = 1\n"),
        ("comment under the header", "[d]\n# of b\nb = 1\n", &["a"], "[d]\na = 1\n# of b\nb = 1\n"),
        ("several lines", "[d]\na = [\n  1,\n]\n", &["b"], "[d]\na = [\n  1,\n]\nb = 1\n"),
        ("dotted keys", "[d]\na.x = 1\na.y = 1\nc.x = 1\n", &["b"], "[d]\na.x = 1\na.y = 1\nb = 1\nc.x = 1\n"),
        ("sub-table", "[d]\na = 1\n\n[d.c]\nx = 1\n", &["e"], "[d]\na = 1\ne = 1\n\n[d.c]\nx = 1\n"),
        ("only sub-tables", "[d.c]\nx = 1\n", &["a"], "[d.c]\nx = 1\n\n[d]\na = 1\n"),
        ("no table", "[e]\nx = 1\n", &["b", "a"], "[e]\nx = 1\n\n[d]\na = 1\nb = 1\n"),
        ("no table, blank end", "[e]\n\n", &["a"], "[e]\n\n[d]\na = 1\n"),
        ("nothing", "", &["a"], "[d]\na = 1\n"),
        ("no last newline", "[d]\na = 1", &["b"], "[d]\na = 1\nb = 1"),
        ("no last newline, no table", "[e]", &["a", "b"], "[e]\n\n[d]\na = 1\nb = 1"),
        ("CRLF", "[d]\r\na = 1\r\nc = 1\r\n", &["b"], "[d]\r\na = 1\r\nb = 1\r\nc = 1\r\n"),
        ("CRLF, no last newline", "[d]\r\na = 1", &["b"], "[d]\r\na = 1\r\nb = 1"),
        ("CRLF, no table", "[e]\r\n\r\n", &["a"], "[e]\r\n\r\n[d]\r\na = 1\r\n"),
        ("BOM", "\u{feff}[d]\nb = 1\n", &["a"], "\u{feff}[d]\na = 1\nb = 1\n"),
    ] {
        assert_eq!(insert(before, &["d"], keys).0, after, "{name}");
    }
}

#[test]
fn a_table_without_lines_of_its_own_is_not_edited() {
    let new = [("b".to_owned(), "1".to_owned())];
    for text in ["d = { a = 1 }\n", "d.a = 1\n", "d = 1\n", "[[d]]\n"] {
        assert_eq!(Toml::parse(text).unwrap().insert(&["d"], &new), None, "{text}");
    }
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    let replace = |text: &str| {
        let splice = Toml::parse(text).unwrap().replace(&["d"], "a", "2").unwrap();
        edited(text, vec![Outcome::Edit(vec![splice])]).0
    };
    assert_eq!(replace("\u{feff}[d]\r\na  =  1 # one\r\n"), "\u{feff}[d]\r\na  =  2 # one\r\n");
    assert_eq!(replace("d = {a = [1,\n2], b = 1}"), "d = {a = 2, b = 1}");
    assert_eq!(Toml::parse("[d.a]\nx = 1\n").unwrap().replace(&["d"], "a", "2"), None);
}

#[test]
fn lines_are_counted_behind_a_byte_order_mark() {
    let toml = Toml::parse("\u{feff}[d]\r\n\r\na.x = 1\r\n[d.b]\r\n").unwrap();
    assert_eq!((toml.line(&["d"], "a"), toml.line(&["d"], "b"), toml.line(&["d"], "none")), (3, 4, 1));
}

/// Takes the edits back from a text that is no longer what they made.
fn take_back_all(text: &str, made: &[Made]) -> Option<String> {
    let entries = made.iter().rev().map(|made| (made, made.entry.as_ref().unwrap()));
    entries.into_iter().try_fold(text.to_owned(), |text, (made, entry)| take_back(&text, made, entry).unwrap())
}

#[test]
fn entries_are_taken_back_among_other_edits() {
    for (name, before, from, to, after) in [
        ("beside", "[d]\na = 1\n", "b = 1\n", "b = 1\nmine = 1\n", "[d]\na = 1\nmine = 1\n"),
        ("moved", "[d]\na = 1\n", "a = 1\nb = 1\n", "b = 1\na = 1\n", "[d]\na = 1\n"),
        ("CRLF by an editor", "[d]\na = 1\n", "\n", "\r\n", "[d]\r\na = 1\r\n"),
        ("spaces", "[d]\na = 1\n", "b = 1", "b  =  1", "[d]\na = 1\n"),
        ("header shared", "[e]\n", "b = 1\n", "b = 1\nmine = 1\n", "[e]\n\n[d]\nmine = 1\n"),
        ("header alone", "[e]\n", "[e]", "# mine\n[e]", "# mine\n[e]\n"),
        ("no last newline", "[d]\na = 1", "a", "# mine\na", "[d]\n# mine\na = 1"),
    ] {
        let (text, made) = insert(before, &["d"], &["b"]);
        let text = if name == "CRLF by an editor" { text.replace(from, to) } else { text.replacen(from, to, 1) };
        assert_eq!(take_back_all(&text, &made).as_deref(), Some(after), "{name}");
    }
}

#[test]
fn an_entry_that_was_changed_is_not_taken_back() {
    for (from, to) in [("b = 1", "b = 2"), ("b = 1", "b = 1 # mine"), ("b = 1\n", "")] {
        let (text, made) = insert("[d]\na = 1\n", &["d"], &["b"]);
        assert_eq!(take_back_all(&text.replace(from, to), &made), None, "{to}");
    }
    assert!(
        take_back(
            "[d",
            &insert("", &["d"], &["b"]).1[1],
            &Entry { table: "d".into(), key: Some("b".into()), value: "1".into() }
        )
        .is_err()
    );
}

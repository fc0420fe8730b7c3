use super::*;
use crate::core::testing::edited;

fn wanted(comment: Option<&str>) -> Lines {
    let lines = ["/.env", "/.dev/"].map(str::to_owned).to_vec();
    let comment = comment.map(str::to_owned);
    Lines { file: vec![".gitignore".into()], lines, comment, required: true, when: None, root: false, then: None }
}

fn add(text: &str, wanted: &Lines) -> Outcome {
    super::add(text, wanted, &wanted.lines)
}

#[test]
fn missing_lines_go_to_the_end_as_a_paragraph() {
    for (before, comment, after) in [
        ("", None, "/.env\n/.dev/\n"),
        ("", Some("# dev"), "# dev\n/.env\n/.dev/\n"),
        ("/target\n", Some("# dev"), "/target\n\n# dev\n/.env\n/.dev/\n"),
        ("/target\n\n", None, "/target\n\n/.env\n/.dev/\n"),
        ("/target", None, "/target\n\n/.env\n/.dev/"),
        ("/target\r\n", Some("# dev"), "/target\r\n\r\n# dev\r\n/.env\r\n/.dev/\r\n"),
        ("/target\r\n\r\n", None, "/target\r\n\r\n/.env\r\n/.dev/\r\n"),
        ("/.dev/\n", None, "/.dev/\n\n/.env\n"),
    ] {
        let (now, _) = edited(before, vec![add(before, &wanted(comment))]);
        assert_eq!(now, after, "{before:?}");
        assert_eq!(add(&now, &wanted(comment)), Outcome::Already);
    }
}

#[test]
fn lines_that_are_there_count_in_any_order_and_indent() {
    assert_eq!(add("  /.dev/ \r\n/.env", &wanted(None)), Outcome::Already);
    assert!(!holds("#/.env\n/.env.local\n", "/.env"));
}

#[test]
fn a_key_counts_with_any_value_and_a_name_without_its_slash() {
    assert!(holds("DATABASE_URL=sqlite:x.db\n", "DATABASE_URL="));
    assert!(holds("# DATABASE_URL=\n", "DATABASE_URL="));
    assert!(!holds("OTHER_DATABASE_URL=x\n", "DATABASE_URL="));
    assert!(holds(".env\n", "/.env"));
    assert!(!holds("/.env\n", ".env"));
}

use super::*;

const PAGE: &str = "\
# What holds each control

| control | rests on | where |
|---|---|---|
| PWD-01 | `argon2` 0.6.0, glue | `passwords.rs` `hash`, `COST`; `store.rs` |
| PWD-06 | nothing | `passwords.rs` |

| control | reason | what stands in |
|---|---|---|
| PWD-06 | no service | a list |

| file | size | what it decides |
|---|---|---|
| `store.rs` | medium | sessions |
";

#[test]
fn each_table_is_read() {
    let audit = parse(PAGE).unwrap();
    let library = Ground::Library { name: "argon2".into(), version: "0.6.0".into() };
    assert_eq!(audit.controls[0].on, [library, Ground::Glue]);
    let place = |file: &str, names: &[&str]| Place {
        file: file.into(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(audit.controls[0].places, [place("passwords.rs", &["hash", "COST"]), place("store.rs", &[])]);
    assert_eq!((audit.controls[1].control.as_str(), &audit.controls[1].on[..]), ("PWD-06", &[Ground::Nothing][..]));
    assert_eq!((audit.deviations[0].reason.as_str(), audit.deviations[0].stands_in.as_str()), ("no service", "a list"));
    assert_eq!((audit.files[0].file.as_str(), audit.files[0].size), ("store.rs", Size::Medium));
}

#[track_caller]
fn wrong(from: &str, to: &str, line: usize, why: &str) {
    assert!(PAGE.contains(from), "{from}");
    let error = parse(&PAGE.replacen(from, to, 1)).unwrap_err();
    assert!(error.starts_with(&format!("line {line}: ")) && error.contains(why), "{error}");
}

#[test]
fn each_mistake_is_named_with_its_line() {
    wrong("| control | rests on |", "| control | holds |", 3, "head of no table");
    wrong("|---|---|---|\n", "", 4, "needs a line of `---`");
    wrong("| PWD-01 |", "| PWD-1 |", 5, "no control id");
    wrong("| PWD-01 |", "| |", 5, "a column is empty");
    wrong(", glue", ", magic", 5, "`magic` is neither");
    wrong("`argon2` 0.6.0", "argon2 0.6.0", 5, "not one word in backticks");
    wrong("`argon2` 0.6.0", "`argon2` new", 5, "`argon2` new` is neither");
    wrong("`COST`;", "COST;", 5, "not one word in backticks");
}

#[test]
fn a_row_stands_once_and_has_three_columns() {
    wrong("| PWD-06 | nothing", "| PWD-01 | nothing", 6, "stands in the page already");
    wrong("| `passwords.rs` |\n", "| `passwords.rs` | more |\n", 6, "4 columns");
    wrong("| `passwords.rs` |\n", "| `passwords.rs`\n", 6, "does not end");
    wrong("| a list |\n", "| a list |\n| PWD-06 | again | a list |\n", 11, "already");
    wrong("| medium |", "| 120 |", 14, "no size");
}

use super::FileRule;

fn names(rule: &str, path: &str) -> bool {
    let rule: FileRule = toml::from_str(&format!("path = {rule:?}")).unwrap();
    rule.names(path)
}

#[test]
fn a_rule_names_a_file_or_what_is_below_a_folder() {
    assert!(names("src/auth/mod.rs", "src/auth/mod.rs"));
    assert!(names("src/pages/**", "src/pages/mod.rs") && names("src/pages/**", "src/pages/deep/style.css"));
    for (rule, path) in [
        ("src/auth/mod.rs", "src/auth/mod.rs.tera"),
        ("src/pages/**", "src/pages"),
        ("src/pages/**", "src/pages.rs"),
        ("src/pages**", "src/pages/mod.rs"),
        ("src/*/mod.rs", "src/auth/mod.rs"),
    ] {
        assert!(!names(rule, path), "{rule} {path}");
    }
}

#[test]
fn the_first_rule_that_names_a_file_counts() {
    let pack = crate::core::testing::axum();
    let style = pack.file_rule("src/auth/pages/style.css").unwrap();
    let words = pack.file_rule("src/auth/pages/words.rs").unwrap();
    assert_eq!((style.example, words.example), (true, false));
    assert_eq!(style.when, words.when);
    assert!(pack.file_rule("src/auth/mod.rs").is_none());
}

use serde_json::json;

use super::*;

fn facts() -> Facts {
    let Value::Object(facts) = json!({ "name": "<a> & \"b\"", "module": { "oidc": false }, "db": "sqlite" }) else {
        panic!()
    };
    facts
}

#[test]
fn names_are_put_in_as_they_are() {
    assert_eq!(render("x", "a [= name =][~ not this ~] b\r\n", &facts()).unwrap(), "a <a> & \"b\" b\r\n");
    assert_eq!(render("x", "[% if db == 'sqlite' -%]\nyes\n[% endif %]", &facts()).unwrap(), "yes\n");
}

#[test]
fn what_looks_like_other_templates_stays() {
    let text = "{{ a }} {% b %} #[x] [0] vec![1] [[t]] {# c #}";
    assert_eq!(render("x", text, &facts()).unwrap(), text);
    assert_eq!(render("x", &format!("{text}[= db =]"), &facts()).unwrap(), format!("{text}sqlite"));
}

#[test]
fn what_packs_share_is_included() {
    let (name, text) = pack::shared().find(|(_, text)| !text.contains("[=") && !text.contains("[%")).unwrap();
    assert_eq!(render("x", &format!("[% include \"{name}\" -%]\n"), &facts()).unwrap(), text);
    assert!(render("x", "[% include \"nothing.txt\" %]", &facts()).is_err());
}

#[test]
fn unknown_names_and_broken_templates_are_errors() {
    for template in ["[= nothing =]", "[= module.nothing.deep =]", "[% if db %]", "[= db"] {
        let error = render("src/x.rs", template, &facts()).unwrap_err();
        assert!(error.to_string().contains("src/x.rs"), "{error}");
    }
}

#[test]
fn conditions() {
    assert!(holds(None, &facts()).unwrap() && holds(Some("db == 'sqlite'"), &facts()).unwrap());
    assert!(!holds(Some("module.oidc"), &facts()).unwrap() && holds(Some("not module.oidc"), &facts()).unwrap());
    assert!(!holds(Some("nothing == 1"), &facts()).unwrap() && holds(Some("db =="), &facts()).is_err());
}

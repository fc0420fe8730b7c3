use super::*;
use crate::core::{pack::Choice, testing::axum};

/// The axum pack with two modules more and an option of two answers.
fn pack() -> Pack {
    let mut pack = axum();
    for id in ["totp", "oidc"] {
        pack.manifest.module.push(crate::core::pack::Module { id: id.into(), summary: String::new(), default: false });
    }
    let choice = |value: &str| Choice { value: value.to_owned(), summary: String::new() };
    pack.manifest.option.push(PackOption {
        id: "cache".into(),
        question: "Which?".into(),
        default: "none".into(),
        choice: vec![choice("none"), choice("redis")],
    });
    pack
}

fn given(modules: Option<&[&str]>, options: &[(&str, &str)]) -> Given {
    let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect();
    let options = options.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect();
    Given { modules: modules.map(words), options }
}

#[test]
fn defaults_fill_what_was_not_given() {
    let answers = Answers::new(&pack(), &Given::default()).unwrap();
    assert_eq!(answers.modules, ["password"]);
    assert_eq!((answers.options["db"].as_str(), answers.options["cache"].as_str()), ("sqlite", "none"));
    let answers = Answers::new(&pack(), &given(None, &[("cache", "redis")])).unwrap();
    assert_eq!(answers.options["cache"], "redis");
}

#[test]
fn modules_are_in_the_packs_order_once() {
    let answers = Answers::new(&pack(), &given(Some(&["oidc", "password", "oidc"]), &[])).unwrap();
    assert_eq!(answers.modules, ["password", "oidc"]);
}

#[test]
fn what_the_pack_does_not_have_is_a_usage_error_that_lists_what_it_has() {
    for (given, what, fix) in [
        (given(Some(&["magic"]), &[]), "--with magic", "password, totp, oidc"),
        (given(Some(&[]), &[]), "--with", "--with password"),
        (given(None, &[("cache", "disk")]), "--cache disk", "none, redis"),
        (given(None, &[("colour", "red")]), "--colour", "leave `--colour` out"),
    ] {
        let problem = Answers::new(&pack(), &given).unwrap_err();
        assert_eq!(problem.exit_code(), 2);
        assert!(problem.what.contains(what) && problem.fix.contains(fix), "{problem:?}");
    }
}

#[test]
fn only_what_has_several_answers_is_asked() {
    let pack = pack();
    let ids = |given: &Given| open(&pack, given).iter().map(|option| option.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&Given::default()), ["cache"]);
    assert_eq!(ids(&given(None, &[("cache", "none")])), [] as [&str; 0]);
}

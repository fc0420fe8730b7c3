use super::*;
use crate::core::{pack::declared::Beside, project::Text, testing::axum};

/// The axum pack with two modules more and an option of two answers.
fn pack() -> Pack {
    let mut pack = axum();
    pack.manifest.module.retain(|module| module.id == "password");
    for id in ["totp", "oidc"] {
        pack.manifest.module.push(Module { id: id.into(), summary: String::new(), default: false, beside: None });
    }
    let options = "[[option]]
        id = 'cache'
        question = 'Which?'
        default = 'none'
        choice = [
            { value = 'none', summary = '' },
            { value = 'redis', summary = '', suits = [{ depends = 'redis', feature = 'aio' }, { depends = 'fred' }] },
            { value = 'valkey', summary = '', suits = [{ depends = 'valkey' }] },
        ]
        fixed = 'what is cached would be lost'

        [[option]]
        id = 'extra'
        question = 'What else?'
        multiple = true
        choice = [{ value = 'ci', summary = '' }, { value = 'agents', summary = '' }]";
    let options: BTreeMap<String, Vec<PackOption>> = toml::from_str(options).unwrap();
    pack.manifest.option.extend(options.into_values().flatten());
    pack
}

fn given(modules: Option<&[&str]>, options: &[(&str, &str)]) -> Given {
    let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect();
    let values = |text: &str| text.split(',').map(str::to_owned).collect();
    let options = options.iter().map(|(id, value)| ((*id).to_owned(), values(value))).collect();
    Given { modules: modules.map(words), options, ..Given::default() }
}

fn told(answers: &Answers, id: &str) -> String {
    answers.options[id].to_string()
}

fn problem(pack: &Pack, given: &Given) -> Problem {
    Answers::new(pack, given).unwrap_err().downcast().unwrap()
}

#[test]
fn defaults_fill_what_was_not_given() {
    let answers = Answers::new(&pack(), &Given::default()).unwrap();
    assert_eq!(answers.modules, ["password"]);
    assert_eq!((told(&answers, "db"), told(&answers, "cache")), ("sqlite".to_owned(), "none".to_owned()));
    assert_eq!(answers.options["extra"], Answer::Several(vec![]));
    let answers = Answers::new(&pack(), &given(None, &[("cache", "redis")])).unwrap();
    assert_eq!(told(&answers, "cache"), "redis");
}

#[test]
fn what_is_taken_where_nothing_is_picked_stays_when_more_is_picked_later() {
    let mut pack = pack();
    let option = pack.manifest.option.last_mut().unwrap();
    (option.default, option.when) = ("ci".to_owned(), Some("module.oidc".to_owned()));
    assert_eq!(told(&Answers::new(&pack, &Given::default()).unwrap(), "extra"), "");
    let recorded = Answers::new(&pack, &given(Some(&["oidc"]), &[])).unwrap();
    assert_eq!(told(&recorded, "extra"), "ci");
    let later = Given { recorded, ..given(None, &[("extra", "agents")]) };
    assert_eq!(told(&Answers::new(&pack, &later).unwrap(), "extra"), "ci,agents");
    assert_eq!(told(&Answers::new(&pack, &given(Some(&["oidc"]), &[("extra", "agents")])).unwrap(), "extra"), "agents");
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
        (given(None, &[("cache", "disk")]), "--cache disk", "none, redis, valkey"),
        (given(None, &[("extra", "ci,cd")]), "--extra cd", "ci, agents"),
        (given(None, &[("colour", "red")]), "--colour", "leave `--colour` out"),
    ] {
        let problem = problem(&pack(), &given);
        assert_eq!(problem.exit_code(), 2);
        assert!(problem.what.contains(what) && problem.fix.contains(fix), "{problem:?}");
    }
}

#[test]
fn only_what_has_several_answers_is_asked() {
    let pack = pack();
    let ids = |given: &Given| open(&pack, given).unwrap().iter().map(|option| option.id.clone()).collect::<Vec<_>>();
    let is_asked = |option: &&PackOption| option.choice.len() > 1 && option.when.is_none();
    let asked = pack.manifest.option.iter().filter(is_asked).map(|option| option.id.clone());
    assert_eq!(ids(&Given::default()), asked.collect::<Vec<_>>());
    assert!(!ids(&given(None, &[("cache", "none")])).contains(&"cache".to_owned()));
    let recorded = Given { recorded: Answers::new(&pack, &Given::default()).unwrap(), ..Given::default() };
    assert_eq!(ids(&recorded), [] as [&str; 0]);
}

#[test]
fn a_module_that_cannot_stand_alone_is_refused_with_the_reason() {
    let mut pack = pack();
    let beside = Beside { one_of: vec!["password".into(), "oidc".into()], reason: "somebody signs in first".into() };
    pack.manifest.module.last_mut().unwrap().beside = None;
    pack.manifest.module[1].beside = Some(beside);
    let alone = problem(&pack, &given(Some(&["totp"]), &[]));
    assert_eq!(alone.exit_code(), 2);
    assert_eq!(alone.what, "`totp` needs `password` or `oidc` beside it: somebody signs in first");
    assert!(alone.fix.contains("--with password,totp"), "{}", alone.fix);
    for enough in [&["totp", "oidc"], &["password", "totp"]] {
        assert_eq!(Answers::new(&pack, &given(Some(enough), &[])).unwrap().modules.len(), 2);
    }
    let recorded = Answers::new(&pack, &Given::default()).unwrap();
    let later = Given { recorded, ..given(Some(&["totp"]), &[]) };
    assert_eq!(Answers::new(&pack, &later).unwrap().modules, ["password", "totp"]);
}

#[test]
fn a_question_of_a_module_is_asked_when_the_module_is_chosen() {
    let mut pack = pack();
    pack.manifest.option.last_mut().unwrap().when = Some("module.oidc".into());
    let id = pack.manifest.option.last().unwrap().id.clone();
    let value = pack.manifest.option.last().unwrap().choice[1].value.clone();
    let asked = |given: &Given| open(&pack, given).unwrap().iter().any(|option| option.id == id);
    assert!(!asked(&Given::default()) && asked(&given(Some(&["oidc"]), &[])));
    let recorded = Answers::new(&pack, &Given::default()).unwrap();
    assert!(asked(&Given { recorded, ..given(Some(&["oidc"]), &[]) }));
    let idle = problem(&pack, &given(None, &[(&id, &value)]));
    assert_eq!(idle.exit_code(), 2);
    assert!(idle.what.contains("with password alone; it goes with oidc"), "{}", idle.what);
    let answers = Answers::new(&pack, &given(Some(&["password", "oidc"]), &[(&id, &value)])).unwrap();
    assert_eq!(told(&answers, &id), value);
}

#[test]
fn what_is_recorded_stays_until_something_else_is_given() {
    let pack = pack();
    let recorded = Answers::new(&pack, &given(Some(&["totp"]), &[("extra", "agents")])).unwrap();
    let on_top = |flags: Given| Answers::new(&pack, &Given { recorded: recorded.clone(), ..flags }).unwrap();
    assert_eq!(on_top(Given::default()), recorded);
    let more = on_top(given(Some(&["oidc"]), &[("extra", "ci")]));
    assert_eq!((more.modules.join(","), told(&more, "extra")), ("totp,oidc".to_owned(), "ci,agents".to_owned()));
    assert!(!more.are_recorded(&recorded) && on_top(given(Some(&["totp"]), &[])).are_recorded(&recorded));
}

#[test]
fn a_recorded_answer_that_the_pack_does_not_have_is_a_problem_of_the_lock() {
    let mut recorded = Answers::new(&pack(), &Given::default()).unwrap();
    recorded.options.insert("cache".into(), Answer::One("disk".into()));
    let problem = problem(&pack(), &Given { recorded, ..Given::default() });
    assert_eq!(problem.exit_code(), 1);
    assert!(problem.what.starts_with(".authwright/lock.toml: it records `cache disk`"), "{}", problem.what);
}

#[test]
fn a_fixed_answer_cannot_become_another() {
    let pack = pack();
    let recorded = Answers::new(&pack, &given(None, &[("cache", "redis")])).unwrap();
    let on_top = |value: &str| {
        let flags = given(None, &[("cache", value)]);
        Answers::new(&pack, &Given { recorded: recorded.clone(), ..flags })
    };
    assert_eq!(on_top("redis").unwrap(), recorded);
    let problem: Problem = on_top("none").unwrap_err().downcast().unwrap();
    assert_eq!(problem.exit_code(), 4);
    assert!(problem.what.ends_with("cannot follow `redis`: what is cached would be lost"), "{}", problem.what);
}

#[test]
fn one_choice_that_suits_the_project_is_the_default() {
    let pack = pack();
    let of = |entries: &str, root: &str| {
        let text = |text: &str| Text::new(format!("[package]\nname = \"x\"\n[dependencies]\n{text}\n"));
        let tree = [(crate::core::testing::path("Cargo.toml"), text(entries))].into_iter().collect();
        let manifest = (!root.is_empty()).then(|| Text::new(format!("[workspace.dependencies]\n{root}\n")));
        suited(&pack, &tree, &Workspace { manifest, lock: None }).unwrap().remove("cache")
    };
    let redis = Some("redis".to_owned());
    assert_eq!(of("fred = \"1\"", ""), redis);
    assert_eq!(of("redis = { version = \"1\", features = [\"aio\"] }", ""), redis);
    assert_eq!(of("cache = { package = \"redis\", version = \"1\", features = [\"aio\"] }", ""), redis);
    assert_eq!(of("redis.workspace = true", "redis = { version = \"1\", features = [\"aio\"] }"), redis);
    assert_eq!(of("redis = \"1\"", ""), None, "without the feature");
    assert_eq!(of("fred = \"1\"\nvalkey = \"1\"", ""), None, "two that suit");
    assert_eq!(of("", ""), None);
    let suited = Given { suited: [("cache".to_owned(), "redis".to_owned())].into(), ..Given::default() };
    assert_eq!(told(&Answers::new(&pack, &suited).unwrap(), "cache"), "redis");
    let flag = Given { suited: suited.suited, ..given(None, &[("cache", "none")]) };
    assert_eq!(told(&Answers::new(&pack, &flag).unwrap(), "cache"), "none", "a flag wins");
}

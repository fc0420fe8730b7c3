//! What an application does not start with.

use std::{collections::BTreeMap, net::Ipv4Addr};

use regex::Regex;

use super::{attempt, attempts, is_development, usual, variable};
use crate::{
    app::Folder,
    contract::NUMBERS,
    db::{Db, Place},
    lab::Setup,
    random,
    test::{Outcome, Stop, Test},
    tree,
};

/// In production nothing that must be given is made up: without it there is no start, and the message names it.
pub(super) fn nothing_is_made_up(test: &mut Test<'_>) -> Outcome {
    let usual = usual(test)?;
    test.app()?.person()?;
    let whole = attempt(test, &usual)?;
    test.works("with all variables the application starts", whole.serves, whole.shown("all variables"))?;
    let secret = random::secret();
    let secret_variable = variable(test, "secret")?;
    // What the contract says must be given, and what must be given whatever it says.
    let mut required = vec![secret_variable.clone(), variable(test, "base_url")?];
    let named = test.lab.start_table()?.required.clone();
    required.extend(named.into_iter().filter(|name| !required.contains(name)).collect::<Vec<_>>());
    let (mut names, mut setups) = (vec![], vec![]);
    for name in &required {
        for (what, value) in [("unset", None), ("empty", Some("")), ("only white space", Some(" \t "))] {
            names.push((name.clone(), format!("{name} {what}")));
            setups.push(usual.clone().set("secret", &secret).variable(name, value));
        }
    }
    for ((name, what), tried) in names.iter().zip(attempts(test, &setups)?) {
        test.refuses("without a variable that must be given there is no start", tried.refused, tried.shown(what));
        test.refuses("the message names the variable", tried.output.contains(name), tried.shown(what));
        let told = *name != secret_variable && tried.output.contains(&secret);
        test.refuses("the message tells no secret", !told, tried.shown(what));
    }
    for (path, line) in fallbacks(test, &required)? {
        test.refuses("no source has a value for when a variable is not given", false, format!("{path}: {line}"));
    }
    Ok(())
}

/// Lines that read one of the variables and have a text for when it is not there.
fn fallbacks(test: &Test<'_>, variables: &[String]) -> Outcome<Vec<(String, String)>> {
    let names: Vec<String> = variables.iter().map(|name| regex::escape(name)).collect();
    let names = names.join("|");
    let pattern = format!(
        r#"(?:getenv|env|get|fetch|var)\(\s*["'](?:{names})["']\s*,\s*["'][^"']|(?:{names})["']?[\])]*\s*(?:\?\?|\|\||\bor\b)\s*["'`][^"'`]|(?:{names})["'][\])]*(?:\.ok\(\))?\s*\.(?:unwrap_or|unwrap_or_else|orElse|getOrDefault)\([^)]*"[^"]"#
    );
    let pattern = Regex::new(&pattern).map_err(|error| Stop::Broken(error.to_string()))?;
    let mut found = vec![];
    for (path, text) in tree::texts(test.lab.folder()?)? {
        let is_test = path.iter().any(|part| part.to_string_lossy().to_lowercase().contains("test"));
        let lines = text.lines().filter(|line| !is_test && pattern.is_match(line));
        found.extend(lines.map(|line| (path.display().to_string(), line.trim().to_owned())));
    }
    Ok(found)
}

/// What no production may have, whatever the application: by the meaning of the settings.
const INSECURE: &[(&str, &[&str])] = &[
    ("base_url", &["http://app.test", "http://localhost:3000"]),
    ("trusted_proxies", &["0.0.0.0/0", "::/0", "*"]),
    ("smtp_url", &["smtp://mail.app.test"]),
];

/// Production does not start with what is for development, and production is what runs unless something else is said.
pub(super) fn production_is_guarded(test: &mut Test<'_>) -> Outcome {
    let usual = usual(test)?;
    let app = test.app()?;
    let person = app.person()?;
    let answer = app.client().enter(&person)?;
    test.works("LOGIN works in production", answer.succeeded(), &answer)?;
    let name = &app.contract.cookies.session;
    let secure = answer.cookies().iter().any(|cookie| cookie.name() == name && cookie.secure() == Some(true));
    test.refuses("unless told otherwise it is production: cookies go by TLS alone", secure, &answer);
    let start = test.lab.start_table()?.clone();
    let mut wrong: Vec<(String, String)> = vec![];
    let known = INSECURE.iter().map(|(setting, values)| (*setting, values.iter().map(ToString::to_string).collect()));
    let named = start.insecure.iter().map(|(setting, values)| (setting.as_str(), values.clone()));
    for (setting, values) in known.chain(named).filter(|(setting, _)| start.environment.contains_key(*setting)) {
        let variable = variable(test, setting)?;
        wrong.extend(values.into_iter().map(|value: String| (variable.clone(), value)));
    }
    for (variable, values) in &start.insecure_variables {
        wrong.extend(values.iter().map(|value| (variable.clone(), value.clone())));
    }
    wrong.extend(without_tls(test)?);
    wrong.dedup();
    let setups: Vec<Setup> =
        wrong.iter().map(|(variable, value)| usual.clone().variable(variable, Some(value))).collect();
    for ((variable, value), tried) in wrong.iter().zip(attempts(test, &setups)?) {
        let what = format!("{variable}={value}");
        test.refuses("production does not start with what is not safe", tried.refused, tried.shown(&what));
        test.refuses("the message names the variable", tried.output.contains(variable), tried.shown(&what));
    }
    development(test, &usual)
}

/// A database server that can be reached, by an address of this machine that is none of loopback: an application that takes
/// it without TLS starts, and does not fail for another reason.
fn without_tls(test: &Test<'_>) -> Outcome<Option<(String, String)>> {
    let app = test.app()?;
    match app.contract.db.as_ref().map(|_| app.database()).transpose()?.map(Db::place) {
        Some(Place::Postgres(url)) => {
            Ok(Some((variable(test, "database_url")?, url.replace("@127.0.0.1:", "@0.0.0.0:"))))
        }
        _ => Ok(None),
    }
}

/// In development plain HTTP on this machine and mail in files are allowed, and it says that it is development.
fn development(test: &mut Test<'_>, usual: &Setup) -> Outcome {
    let folder = Folder::new()?;
    let mut setup = Setup { development: true, folder: Some(folder.path().to_owned()), ..usual.clone() };
    setup = setup.set("base_url", "http://localhost:3000");
    for setting in ["smtp_url", "mail_from"] {
        if let Ok(variable) = variable(test, setting) {
            setup = setup.variable(&variable, None);
        }
    }
    let tried = attempt(test, &setup)?;
    test.works("a development start works over plain HTTP", tried.serves, tried.shown("development"))?;
    let says = is_development(&tried.output);
    test.refuses("a development start says that it is one", says, tried.shown("development"));
    // It takes no request there: the start is refused, or ended at once.
    let everywhere = Setup { host: Some(Ipv4Addr::UNSPECIFIED.into()), ..setup.clone() };
    let tried = attempt(test, &everywhere)?;
    test.refuses("development is for this machine alone", tried.refused, tried.shown("all addresses"));
    let without = Setup { development: false, ..setup };
    let tried = attempt(test, &without)?;
    test.refuses("unless told otherwise it is no development", tried.refused, tried.shown("no mode"));
    let environment = &test.lab.start_table()?.environment;
    if environment.contains_key("trusted_proxies") {
        let setup = Setup { development: true, ..without }.set("trusted_proxies", "0.0.0.0/0");
        let tried = attempt(test, &setup)?;
        test.refuses("development trusts no more proxies than production", tried.refused, tried.shown("all trusted"));
    }
    Ok(())
}

/// The highest that policy allows, whatever the application's own bounds are.
const CEILINGS: &[(&str, i64)] = &[
    ("session_absolute", 30 * 86_400),
    ("reauth", 30 * 60),
    ("verify_token", 86_400),
    ("reset_token", 86_400),
    ("email_token", 86_400),
    ("login_cap", 100),
    ("access_token", 15 * 60),
    ("refresh_absolute", 30 * 86_400),
    ("refresh_idle", 30 * 86_400),
];
/// The lowest. Below 15 characters a password that is the only factor is a declared deviation, down to 12.
const FLOORS: &[(&str, i64)] = &[("password_min", 12)];
/// What is no number here, or none that can be meant.
const NONSENSE: [&str; 8] = ["-1", "NaN", "1h", "99999999999999999999", "inf", "1.5", "0x10", "1e3"];

/// Numbers outside of policy do not start, in either direction, and neither does what is no number.
pub(super) fn numbers_have_bounds(test: &mut Test<'_>) -> Outcome {
    let usual = usual(test)?;
    test.app()?.person()?;
    let start = test.lab.start_table()?.clone();
    let bounds = bounds(&start.bounds, &start.environment)?;
    for (at, edge) in ["lowest", "highest"].into_iter().enumerate() {
        let setup = bounds.iter().fold(usual.clone(), |setup, (name, pair)| setup.set(name, pair[at]));
        let tried = attempt(test, &setup)?;
        test.works(
            "the bounds themselves are taken",
            tried.serves,
            tried.shown(&format!("the {edge} of all numbers")),
        )?;
    }
    let mut wrong: Vec<(String, String)> = vec![];
    for (at, (name, [low, high])) in bounds.iter().enumerate() {
        let ceiling = CEILINGS.iter().find(|(other, _)| other == name).map_or(*high, |(_, ceiling)| *ceiling);
        let floor = FLOORS.iter().find(|(other, _)| other == name).map_or(*low, |(_, floor)| *floor);
        let beyond = [(*low).max(floor) - 1, (*high).min(ceiling) + 1].map(|number| number.to_string());
        let nonsense = NONSENSE.get(at).map(ToString::to_string);
        wrong.extend(beyond.into_iter().chain(nonsense).map(|value| (name.clone(), value)));
    }
    let setups: Vec<Setup> = wrong.iter().map(|(name, value)| usual.clone().set(name, value)).collect();
    for ((name, value), tried) in wrong.iter().zip(attempts(test, &setups)?) {
        let variable = variable(test, name)?;
        let what = format!("{variable}={value}");
        test.refuses("a number out of bounds does not start", tried.refused, tried.shown(&what));
        test.refuses("the message names the variable", tried.output.contains(&variable), tried.shown(&what));
    }
    Ok(())
}

/// The contract's bounds, if they are of settings that it names and hold all that policy bounds.
fn bounds(
    given: &BTreeMap<String, [i64; 2]>,
    environment: &BTreeMap<String, String>,
) -> Outcome<Vec<(String, [i64; 2])>> {
    let missing = |name: &str| Stop::Missing(format!("the contract has no `{name}` in `[start.bounds]`"));
    for name in NUMBERS.iter().filter(|name| environment.contains_key(**name)) {
        given.get(*name).ok_or_else(|| missing(name))?;
    }
    if given.is_empty() {
        return Err(missing("session_absolute"));
    }
    Ok(given.iter().map(|(name, bounds)| (name.clone(), *bounds)).collect())
}

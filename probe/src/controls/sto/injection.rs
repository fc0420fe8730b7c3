//! Texts of clients that are SQL.

use std::{sync::Arc, time::Duration};

use regex::Regex;

use crate::{
    client::{Client, encoded},
    http::{Answer, Request},
    lab::{App, Setup},
    people::{self, Person},
    random,
    test::{Outcome, Stop, Test},
};

/// What a payload that sleeps would add to an answer's time.
const SHIFT: Duration = Duration::from_secs(2);

/// Parts of an address, a token or a cookie that would be SQL if they were pasted into a statement.
fn payloads(users: &str) -> Vec<String> {
    let fixed = [
        "'",
        "''",
        "\"",
        "\\'",
        "' OR '1'='1",
        "'/**/OR/**/'1'='1",
        "' OR 1=1 -- ",
        "'OR/**/1=1--",
        "') OR ('1'='1",
        "' UNION SELECT NULL,NULL,NULL,NULL,NULL,NULL,NULL -- ",
        "x' AND '1'='1",
        "x' AND '1'='2",
        "%",
        "_",
        "%00",
        "\u{0}",
        "'||pg_sleep(3)||'",
        "';SELECT/**/pg_sleep(3)--",
        "'||hex(randomblob(300000000))||'",
        "{\"$ne\":1}",
        "*)(uid=*",
    ];
    let mut all: Vec<String> = fixed.iter().map(ToString::to_string).collect();
    all.push(format!("'; DROP TABLE {users};--"));
    all.push(format!("';DROP/**/TABLE/**/{users};--"));
    all
}

/// No text of a request becomes part of a statement, and no pattern of one finds somebody.
pub(super) fn nothing_reaches_sql(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (person, client) = app.member()?;
    app.client().forgot(&person.email)?;
    let token = app.token("FORGOT", &person.email, 1)?;
    let before = app.database()?.count("users")?;
    for payload in payloads(&app.database()?.table("users")?) {
        for answer in everywhere(&app, &client, &person, &payload)? {
            unmoved(test, &app, &answer)?;
        }
    }
    patterns(test, &app, &client)?;
    let after = app.database()?.count("users").unwrap_or(0);
    test.refuses("all accounts are still there", after >= before, format!("{before} before, {after} after"));
    let reset = app.client().reset(&token, &person.password)?;
    test.refuses("a link that was not used still works", reset.succeeded(), &reset);
    let apostrophe = quoted_address(test, &app)?;
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("the account still signs in", login.succeeded(), &login);
    in_log(test, &app, &apostrophe)
}

/// Answers to the payload in each place that may reach a statement.
fn everywhere(app: &Arc<App>, member: &Client, person: &Person, payload: &str) -> Outcome<Vec<Answer>> {
    let local: String = payload.chars().filter(|c| !" \"\\(),:;<>[]@\u{0}".contains(*c)).collect();
    let address = format!("{local}{}@mail.test", random::letters(3));
    let of_victim = format!("{}{payload}", person.email);
    let mut answers = vec![];
    for email in [payload, &address, &of_victim] {
        answers.push(app.client().login(email, &random::password())?);
        answers.push(app.client().forgot(email)?);
        if app.contract.roles.contains_key("RESEND") {
            answers.push(app.client().call(&app.role("RESEND")?.field("email", email))?);
        }
    }
    answers.push(app.client().login(&person.email, payload)?);
    answers.push(app.client().verify(payload, payload)?);
    answers.push(app.client().reset(payload, &random::password())?);
    answers.push(member.elsewhere().call(&app.role("EMAIL_CONFIRM")?.field("token", payload))?);
    answers.push(member.elsewhere().call(&app.role("EMAIL_CHANGE")?.field("email", payload))?);
    answers.push(member.elsewhere().call(&app.role("SESSION_REVOKE")?.segment("id", payload))?);
    for role in ["VERIFY_PAGE", "RESET_PAGE", "EMAIL_CONFIRM_PAGE"] {
        if app.contract.roles.contains_key(role) {
            answers.push(member.elsewhere().call(&app.role(role)?.query("token", payload))?);
        }
    }
    answers.extend(in_headers(app, payload)?);
    Ok(answers)
}

/// In cookies and in headers that are stored or counted.
fn in_headers(app: &Arc<App>, payload: &str) -> Outcome<Vec<Answer>> {
    let printable: String = payload.chars().filter(|c| !c.is_control()).collect();
    let in_cookie: String = printable.chars().filter(|c| !" ;,\"\\".contains(*c)).collect();
    let mut answers = vec![];
    let names = [Some(&app.contract.cookies.session), app.contract.cookies.browser.as_ref()];
    for name in names.into_iter().flatten() {
        for value in [in_cookie.clone(), encoded(payload)] {
            let mut client = app.client();
            client.jar.insert(name.clone(), value);
            answers.push(client.me()?);
            answers.push(client.call(&app.role("LOGOUT")?)?);
        }
    }
    let forgot = app.role("FORGOT")?.field("email", people::email());
    for name in ["User-Agent", "X-Forwarded-For", "Authorization", "X-Real-IP"] {
        let mut client = app.client();
        let request: Request = client.guarded(&forgot)?.with(name, &printable);
        answers.push(client.send(&request)?);
    }
    Ok(answers)
}

/// The answer is what any other text gets: no success, no fault, no wait.
fn unmoved(test: &mut Test<'_>, app: &Arc<App>, answer: &Answer) -> Outcome {
    // Some roles answer the same whatever the address.
    let same = answer.role.as_ref().is_some_and(|role| role.success.same_for_known);
    let is_logout =
        answer.role.as_ref().is_some_and(|role| app.role("LOGOUT").is_ok_and(|out| out.path() == role.path));
    let granted = !same && !is_logout && (answer.succeeded() || answer.sets_session());
    test.refuses("a text that is SQL opens nothing", !granted, answer);
    test.refuses("a text that is SQL breaks nothing", !answer.broke(), answer);
    if answer.took > SHIFT {
        // A machine that is busy is slow now and then, a statement that sleeps each time.
        let again = app.client().repeat(answer)?;
        test.refuses("a text that is SQL makes nothing wait", again.took <= SHIFT, &again);
    }
    Ok(())
}

/// `%` and `_` stand for themselves in addresses and tokens.
fn patterns(test: &mut Test<'_>, app: &Arc<App>, member: &Client) -> Outcome {
    let person = app.person()?;
    let (local, domain) = person.email.split_once('@').unwrap_or_default();
    let like = [
        format!("{}_@{domain}", &local[..local.len() - 1]),
        format!("{}%@{domain}", &local[..4]),
        format!("%@{domain}"),
        format!("{}@{}", "_".repeat(local.len()), domain),
    ];
    for email in &like {
        let answer = app.client().login(email, &person.password)?;
        test.refuses("a pattern of an address signs nobody in", answer.denied(), &answer);
        app.client().forgot(email)?;
    }
    for token in ["%", &"_".repeat(43)] {
        for answer in [app.client().reset(token, &random::password())?, app.client().verify(token, &person.password)?] {
            test.refuses("a pattern of a token is none", answer.denied(), &answer);
        }
    }
    for session in ["%", "%25", &"_".repeat(22)] {
        let answer = member.with_session(Some(session)).me()?;
        test.refuses("a pattern of a session is none", answer.denied(), &answer);
    }
    // Mails leave in the order that they were asked for: this one is the last.
    app.client().forgot(&person.email)?;
    app.token("FORGOT", &person.email, 1)?;
    let links = app.tokens("FORGOT", &person.email, 1, Duration::ZERO)?.len();
    test.refuses(
        "a pattern of an address mails nobody",
        links == 1,
        format!("{links} links were mailed, one asked for"),
    );
    Ok(())
}

/// An address that holds an apostrophe is an address. Gives it.
fn quoted_address(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<String> {
    let person = Person { email: format!("o'{}", people::email()), ..Person::default() };
    let answer = app.client().register(&person)?;
    test.refuses("an apostrophe in an address breaks nothing", !answer.broke(), &answer);
    let answer = app.client().login(&person.email, &person.password)?;
    test.refuses("an apostrophe in an address breaks no LOGIN", !answer.broke(), &answer);
    Ok(person.email)
}

/// The log tells of no statement that was not understood.
fn in_log(test: &mut Test<'_>, app: &Arc<App>, last: &str) -> Outcome {
    let answer = app.client().login(last, &random::password())?;
    let texts = app.request_id(&answer).map_or_else(|_| vec![], |id| vec![id]);
    let said = app.said_with(&texts)?;
    let pattern =
        r"(?i)syntax error|unrecognized token|unterminated|sqlstate ?\[?42|invalid byte sequence|malformed MATCH";
    let pattern = Regex::new(pattern).map_err(|error| Stop::Broken(error.to_string()))?;
    let line = said.lines().find(|line| pattern.is_match(line));
    test.refuses("the database met no statement that it did not understand", line.is_none(), line.unwrap_or_default());
    Ok(())
}

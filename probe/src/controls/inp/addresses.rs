//! Spellings of addresses.

use std::sync::Arc;

use crate::{
    http::Answer,
    lab::{App, Setup},
    people::Person,
    random,
    test::{Outcome, Test},
};

/// Each spelling of an address is refused or the same account everywhere, and what differs for a mail server stays
/// apart.
pub(super) fn one_form(test: &mut Test<'_>) -> Outcome {
    // Where letters fold by locale, this one folds I to a letter that is not i.
    let turkish = Setup::default().variable("LC_ALL", Some("tr_TR.UTF-8")).variable("LANG", Some("tr_TR.UTF-8"));
    let app = test.boot(&turkish)?;
    let owner = Person { email: format!("alice{}@example.test", random::letters(8)), ..Person::new() };
    app.account(owner.clone())?;
    app.signed_in(&owner)?;
    if app.has_passwords() {
        let upper = app.client().login(&owner.email.to_uppercase(), &owner.password)?;
        test.refuses("LOGIN takes the address in upper case", upper.succeeded(), &upper);
    }
    let mut known = vec![owner.email.clone()];
    for spelling in spellings(&owner.email) {
        same_or_refused(test, &app, &owner, &spelling)?;
    }
    known.extend(international(test, &app)?);
    known.extend(stays_apart(test, &app)?);
    known.extend(lengths(test, &app)?);
    if app.has_passwords() { mails_stay_with_owners(test, &app, &known) } else { Ok(()) }
}

/// What a reader, a database or a mail server might take for the same address.
fn spellings(email: &str) -> Vec<String> {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    let title = format!("A{}", &email[1..]);
    vec![
        title,
        email.to_uppercase(),
        format!("{local}@{}", domain.to_uppercase()),
        format!(" {email}"),
        format!("{email} "),
        format!("\t{email}\n"),
        format!("{email}\u{200b}"),
        format!("\u{feff}{email}"),
        format!("{local}\u{ff20}{domain}"),
        format!("{local}@{}", domain.to_uppercase().replace('.', "\u{3002}")),
        format!("{local}@{}", domain.replace('e', "\u{ff45}")),
        format!("{email}."),
        email.replace('i', "\u{131}"),
        email.replace('i', "\u{130}"),
        email.to_uppercase().replace('I', "\u{130}"),
        email.replacen('a', "\u{ff41}", 1),
        email.replacen('c', "\u{441}", 1),
        format!("\"{local}\"@{domain}"),
        format!("{local}(note)@{domain}"),
        format!("<{email}>"),
        format!("{email},{local}@other.test"),
        format!("{local}\u{ff20}other.test@{domain}"),
    ]
}

fn accounts(app: &App) -> Outcome<usize> {
    Ok(app.database()?.count("users")?)
}

/// Somebody new with that address, who registers, or comes from a provider that knows it; and how many accounts that made.
fn register(app: &Arc<App>, email: &str) -> Outcome<(Answer, usize)> {
    let before = accounts(app)?;
    let (person, mut client) = (Person { email: email.to_owned(), ..Person::new() }, app.client());
    let answer = if app.has_passwords() { client.register(&person)? } else { client.enter(&person)? };
    Ok((answer, accounts(app)? - before))
}

fn same_or_refused(test: &mut Test<'_>, app: &Arc<App>, owner: &Person, spelling: &str) -> Outcome {
    let (answer, made) = register(app, spelling)?;
    test.refuses("another spelling of an address makes no second account", made == 0, &answer);
    let is_clear = answer.succeeded() || answer.denied();
    test.refuses("another spelling of an address is taken or refused", is_clear, &answer);
    if !app.has_passwords() {
        return Ok(());
    }
    let login = app.client().login(spelling, &owner.password)?;
    let agree = if answer.succeeded() && made == 0 { login.succeeded() } else { login.denied() };
    test.refuses("LOGIN reads an address as REGISTER does", agree, &login);
    // Where its mail goes is looked at when all are sent.
    let forgot = app.client().forgot(spelling)?;
    test.refuses("FORGOT does not break on another spelling of an address", !forgot.broke(), &forgot);
    // A throttle of logins shall not answer in place of the next.
    app.signed_in(owner)?;
    Ok(())
}

/// Two ways to write one domain, and two to write one letter.
fn international(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Vec<String>> {
    let pairs = [
        ["first@xn--bcher-kva.example", "first@b\u{fc}cher.example"],
        ["second@b\u{fc}cher.example", "second@xn--bcher-kva.example"],
        ["third@XN--BCHER-KVA.example", "third@xn--bcher-kva.example"],
        ["\u{e1}lice@example.test", "a\u{301}lice@example.test"],
        ["fourth@b\u{fc}cher.example", "fourth@bu\u{308}cher.example"],
    ];
    let mut known = vec![];
    for [first, second] in pairs {
        let (_, one) = register(app, first)?;
        let (answer, two) = register(app, second)?;
        test.refuses(&format!("{first} and {second} are one account at most"), one + two <= 1, &answer);
        known.extend([first, second].map(str::to_owned));
    }
    Ok(known)
}

/// Providers read dots and tags in many ways, which is not the application's business.
fn stays_apart(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Vec<String>> {
    let local = random::letters(8);
    let known = [
        format!("{local}@gmail.com"),
        format!("{}.{}@gmail.com", &local[..4], &local[4..]),
        format!("{local}+tag@gmail.com"),
    ];
    for email in &known {
        let (answer, made) = register(app, email)?;
        test.refuses("an address with dots or a tag is an account of its own", made == 1, &answer);
    }
    Ok(known.to_vec())
}

fn lengths(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Vec<String>> {
    let domain = |length: usize| {
        let labels = ["x".repeat(60), "y".repeat(60), "z".repeat(60)].join(".");
        format!("{labels}.{}", "w".repeat(length - labels.len() - 1))
    };
    let longest = format!("{}@example.test", random::letters(64));
    let (answer, made) = register(app, &longest)?;
    test.works("an address may have 64 characters before the @", made == 1, &answer)?;
    let too_long = [
        format!("{}@example.test", random::letters(65)),
        format!("{}@{}", random::letters(20), domain(254 - 20)),
        format!("{}@{}", random::letters(20), domain(60 * 3 + 2 + 1 + 64)),
    ];
    for email in &too_long {
        let (answer, made) = register(app, email)?;
        let what = format!("no account is made for an address of {} characters", email.len());
        test.refuses(&what, made == 0 && answer.denied(), &answer);
    }
    Ok(vec![longest])
}

/// Mail goes to addresses as they are stored, never to a spelling that somebody else may own.
fn mails_stay_with_owners(test: &mut Test<'_>, app: &Arc<App>, known: &[String]) -> Outcome {
    let last = app.person()?;
    app.client().forgot(&last.email)?;
    app.token("FORGOT", &last.email, 1)?;
    let is_known = |to: &String| *to == last.email || known.iter().any(|email| email.eq_ignore_ascii_case(to));
    for mail in app.mail_channel()?.all() {
        let strangers: Vec<&String> = mail.to.iter().filter(|to| !is_known(to)).collect();
        let what = "mail goes to no address but those that registered";
        test.refuses(what, strangers.is_empty() && mail.to.len() == 1, format!("{:?}", mail.to));
    }
    Ok(())
}

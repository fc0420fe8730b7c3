//! Ways to spell the same guess.

use std::sync::Arc;

use super::{guess, is_evaluated};
use crate::{
    client::Client,
    contract::Encoding,
    http::{Answer, Request},
    lab::App,
    people::Person,
    random,
    test::{Outcome, Test},
};

/// A login that is written differently and may still arrive.
type Spelling = (&'static str, fn(&Client, &Person) -> Outcome<Request>);

const SPELLINGS: [Spelling; 15] = [
    ("as it is", |client, person| plain(client, &person.email, &person.password)),
    ("upper case", |client, person| plain(client, &person.email.to_uppercase(), &person.password)),
    ("mixed case", |client, person| plain(client, &mixed(&person.email), &person.password)),
    ("a space before", |client, person| plain(client, &format!(" {}", person.email), &person.password)),
    ("a space after", |client, person| plain(client, &format!("{} ", person.email), &person.password)),
    ("a tab and spaces around", |client, person| plain(client, &format!("\t {}  ", person.email), &person.password)),
    ("full-width letters", |client, person| plain(client, &full_width(&person.email), &person.password)),
    ("a dot after the domain", |client, person| plain(client, &format!("{}.", person.email), &person.password)),
    ("a slash before the path", |client, person| at(client, person, |path| format!("/{path}"))),
    ("a slash doubled in the path", |client, person| at(client, person, |path| replaced_last(path, '/', "//"))),
    ("a slash after the path", |client, person| at(client, person, |path| format!("{path}/"))),
    ("a letter of the path encoded", |client, person| at(client, person, encoded_letter)),
    ("a query", |client, person| at(client, person, |path| format!("{path}?x={}", random::letters(4)))),
    ("another query", |client, person| at(client, person, |path| format!("{path}?{}", random::letters(6)))),
    ("a form", form),
];

fn plain(client: &Client, email: &str, password: &str) -> Outcome<Request> {
    client.guarded(&client.app.role("LOGIN")?.field("email", email).field("password", password))
}

fn at(client: &Client, person: &Person, path: impl Fn(&str) -> String) -> Outcome<Request> {
    let request = plain(client, &person.email, &person.password)?;
    Ok(Request { target: path(&request.target), ..request })
}

fn form(client: &Client, person: &Person) -> Outcome<Request> {
    let call = client.app.role("LOGIN")?.field("email", person.email.as_str());
    client.guarded(&call.field("password", person.password.as_str()).encoding(Encoding::Form))
}

fn mixed(text: &str) -> String {
    let turn = |(at, letter): (usize, char)| if at % 2 == 0 { letter.to_ascii_uppercase() } else { letter };
    text.chars().enumerate().map(turn).collect()
}

/// The first letter only, as U+FF41 and on.
fn full_width(text: &str) -> String {
    let wide = text.chars().next().and_then(|first| char::from_u32(u32::from(first) + 0xfee0));
    wide.into_iter().chain(text.chars().skip(1)).collect()
}

fn replaced_last(path: &str, what: char, by: &str) -> String {
    path.rsplit_once(what).map_or_else(|| path.to_owned(), |(before, after)| format!("{before}{by}{after}"))
}

fn encoded_letter(path: &str) -> String {
    let (before, after) = path.split_at(path.len().saturating_sub(1));
    after.bytes().fold(before.to_owned(), |path, letter| format!("{path}%{letter:02x}"))
}

/// All spellings of a guess that arrive at an account, and all roles that take its password, share one count.
pub(super) fn one_account(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (twin, person) = (app.person()?, app.person()?);
    let dodges = arriving(test, &app, &twin)?;
    let session = app.signed_in(&person)?;
    let wrong = Person { password: random::password(), ..person.clone() };
    let (mut evaluated, mut ways, mut last) = (0, vec![], None);
    let mut count = |name: &str, answer: Answer| {
        if is_evaluated(&answer) {
            evaluated += 1;
            ways.push(name.to_owned());
        }
        last = Some(answer);
    };
    for (name, spelling) in dodges.iter().cycle().take(30.max(2 * dodges.len())) {
        let mut client = app.client();
        let request = spelling(&client, &wrong)?;
        count(name, client.send(&request)?);
    }
    for _ in 0..6 {
        count("REAUTH", session.elsewhere().reauth(&random::password())?);
        count("PWCHANGE", session.elsewhere().change_password(&random::password(), &random::password())?);
    }
    let seen = format!("looked at {evaluated} guesses: {}", ways.join(", "));
    test.works("the first wrong password is looked at", evaluated > 0, seen.as_str())?;
    let seen = format!("{seen}\n{}", last.map(|answer| answer.exchange()).unwrap_or_default());
    test.refuses("no spelling and no other role gives an account more than six guesses", evaluated <= 6, seen);
    Ok(())
}

/// The spellings by which a right password arrives at its account: only these could dodge the count.
fn arriving(test: &mut Test<'_>, app: &Arc<App>, twin: &Person) -> Outcome<Vec<Spelling>> {
    let control = guess(&mut app.client(), &twin.email)?;
    test.works("a wrong password is refused", is_evaluated(&control), &control)?;
    let mut found = vec![];
    for (name, spelling) in SPELLINGS {
        let mut client = app.client();
        let request = spelling(&client, twin)?;
        let answer = client.send(&request)?;
        test.refuses(&format!("a login with {name} does not break"), !answer.broke(), &answer);
        if client.session().is_some() && client.is_signed_in()? {
            found.push((name, spelling));
        }
    }
    let arrives = found.iter().any(|(name, _)| *name == SPELLINGS[0].0);
    test.works("a login with the right password arrives", arrives, format!("{} spellings arrive", found.len()))?;
    Ok(found)
}

//! Answers that strangers could tell accounts by.

use std::sync::Arc;

use super::super::doors::Door;
use crate::{
    db::quoted,
    http::Answer,
    lab::App,
    people::{MAIL, Person, email},
    random,
    test::{Outcome, Seen as _, Test},
};

/// REGISTER answers the same to an address with account and without; the difference is in the mail.
pub(super) fn registering(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let owner = app.person()?;
    let waiting = Person::new();
    let mut browser = app.client();
    let answer = browser.register(&waiting)?;
    test.works("REGISTER takes a new account", answer.succeeded(), &answer)?;
    let link = app.token("REGISTER", &waiting.email, 1)?;

    let claim = |email: &str| Person { email: email.to_owned(), ..Person::new() };
    let (new, taken, pending) = (Person::new(), claim(&owner.email), claim(&waiting.email));
    let fresh = app.client().register(&new)?;
    test.works("REGISTER takes another new account", fresh.succeeded(), &fresh)?;
    for (person, which) in [(&taken, "has an account"), (&pending, "waits for confirmation")] {
        let answer = app.client().register(person)?;
        let seen = format!("{}\n{}", fresh.seen(), answer.seen());
        test.refuses(&format!("REGISTER does not tell that an address {which}"), answer.look() == fresh.look(), seen);
        let opens = fresh.sets_session() || answer.sets_session();
        test.refuses("REGISTER signs nobody in", !opens, &answer);
    }

    let answer = browser.verify(&link, &waiting.password)?;
    test.refuses("the first link still works in the browser that registered", answer.succeeded(), &answer);
    for (person, claim) in [(&owner, &taken), (&waiting, &pending)] {
        keeps_its_password(test, &app, person, claim)?;
    }
    tells_by_mail(test, &app, &owner, &new)
}

fn keeps_its_password(test: &mut Test<'_>, app: &Arc<App>, owner: &Person, claim: &Person) -> Outcome {
    let theirs = app.client().login(&claim.email, &claim.password)?;
    test.refuses("the password of a second registration does not sign in", theirs.denied(), &theirs);
    let own = app.client().login(&owner.email, &owner.password)?;
    test.refuses("the account's own password stays right after a second registration", own.succeeded(), &own);
    Ok(())
}

fn tells_by_mail(test: &mut Test<'_>, app: &Arc<App>, owner: &Person, new: &Person) -> Outcome {
    let token = app.token("REGISTER", &new.email, 1)?;
    test.works("a new address gets a link", !token.is_empty(), "no link came")?;
    let mails = app.mail_channel()?.wait(&owner.email, 2, MAIL);
    let count = mails.len();
    test.refuses("the owner is told of a second registration", count >= 2, format!("{count} mails came"));
    for role in ["REGISTER", "FORGOT"] {
        let tokens = app.tokens(role, &owner.email, 0, MAIL)?;
        // The first registration's own link.
        let allowed = usize::from(role == "REGISTER");
        let seen = mails.last().map(crate::mail::Mail::all).unwrap_or_default();
        test.refuses("the notice has no link that changes anything", tokens.len() <= allowed, seen);
    }
    Ok(())
}

/// Somebody who tries to sign in, what they are, and with which password.
type Attempt<'a> = (&'static str, &'a str, String);

/// LOGIN, and what else asks for a password, answers the same whatever is wrong, until the password is right.
pub(super) fn signing_in(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    for door in Door::all(test, &app)? {
        entering(test, &app, door)?;
    }
    Ok(())
}

fn entering(test: &mut Test<'_>, app: &Arc<App>, door: Door) -> Outcome {
    let (owner, waiting, unset) = (app.person()?, Person::new(), app.person()?);
    app.registered(&waiting)?;
    app.signed_in(&owner)?;
    let nobody = email();
    let wrong = random::password;
    let known = door.guess(&mut app.client(), &owner.email)?;
    test.works(&format!("{} refuses a wrong password", door.name()), known.denied(), &known)?;
    let attempts = [
        ("there is no account", nobody.as_str(), wrong()),
        ("an address is not confirmed", waiting.email.as_str(), wrong()),
        ("there is no account, without a password", nobody.as_str(), String::new()),
        ("there is an account, without a password", owner.email.as_str(), String::new()),
    ];
    look_alike(test, app, (door, &known), &attempts)?;

    let right = door.enter(&mut app.client(), &waiting.email, &waiting.password)?;
    let what = "who knows the password of an address that is not confirmed may learn that, and no more";
    test.refuses(what, right.denied() && (right.look() == known.look() || right.is_code("email_unverified")), &right);

    without_password(app, &unset.email)?;
    let attempts = [
        ("an account has no password", unset.email.as_str(), wrong()),
        ("an account has no password and none is sent", unset.email.as_str(), String::new()),
    ];
    look_alike(test, app, (door, &known), &attempts)?;
    disabled(test, app, (door, &known))
}

fn look_alike(
    test: &mut Test<'_>,
    app: &Arc<App>,
    (door, known): (Door, &Answer),
    attempts: &[Attempt<'_>],
) -> Outcome {
    for (which, email, password) in attempts {
        let answer = door.enter(&mut app.client(), email, password)?;
        let seen = format!("{}\n{}", known.seen(), answer.seen());
        test.refuses(&format!("{} does not tell that {which}", door.name()), answer.look() == known.look(), seen);
    }
    Ok(())
}

/// As an account looks that was made by another way to sign in.
fn without_password(app: &App, email: &str) -> Outcome {
    let db = app.database()?;
    if db.set("users", "email", email, "password", "NULL").is_err() {
        db.set("users", "email", email, "password", &quoted(""))?;
    }
    Ok(())
}

fn disabled(test: &mut Test<'_>, app: &Arc<App>, known: (Door, &Answer)) -> Outcome {
    test.needs_start()?;
    let person = app.person()?;
    app.signed_in(&person)?;
    let (done, output) = test.lab.operator(app, "disable", &person.email)?;
    test.works("the operator disables an account", done, &output)?;
    let attempts = [
        ("an account is disabled", person.email.as_str(), random::password()),
        ("an account is disabled, to who knows its password", person.email.as_str(), person.password.clone()),
    ];
    look_alike(test, app, known, &attempts)
}

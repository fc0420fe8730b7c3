//! Changing the address of an account.

use std::{sync::Arc, time::Duration};

use crate::{
    client::Client,
    controls::silence,
    http::Answer,
    lab::App,
    parallel::at_once,
    people::{self, MAIL, Person},
    test::{Outcome, Test},
};

/// Longer than any application lets a password count as just entered.
const LONG_AGO: u64 = 2 * 3600;

fn ask(client: &mut Client, email: &str) -> Outcome<Answer> {
    let call = client.app.role("EMAIL_CHANGE")?.field("email", email);
    client.call(&call)
}

fn confirm(client: &mut Client, token: &str) -> Outcome<Answer> {
    let call = client.app.role("EMAIL_CONFIRM")?.field("token", token);
    client.call(&call)
}

/// A new address needs a fresh password and proof of its mailbox; until then the old one counts, and is told.
pub(super) fn protocol(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, mut client) = app.member()?;
    needs_password(test, &app, &person, &mut client)?;
    let new = Person { email: people::email(), ..person.clone() };
    let asked = ask(&mut client, &new.email)?;
    test.works("EMAIL_CHANGE is answered with success", asked.succeeded(), &asked)?;
    let token = app.token("EMAIL_CHANGE", &new.email, 1)?;
    // Besides the mail of the registration.
    let mails = app.mail_channel()?.wait(&person.email, 2, Duration::from_secs(5));
    test.refuses("the old address is told of the change that was asked for", mails.len() >= 2, told(&mails));
    if old_one_counts(test, &app, &person, &new)? {
        let confirmed = confirm(&mut client, &token)?;
        test.works("EMAIL_CONFIRM takes the mailed token", confirmed.succeeded(), &confirmed)?;
        new_one_counts(test, &app, &person, &new)?;
    }
    taken_meanwhile(test, &app)?;
    no_oracle(test, &app)
}

fn told(mails: &[crate::mail::Mail]) -> String {
    format!("{} mails: {:?}", mails.len(), mails.iter().map(|mail| &mail.subject).collect::<Vec<_>>())
}

fn needs_password(test: &mut Test<'_>, app: &Arc<App>, person: &Person, client: &mut Client) -> Outcome {
    let db = app.database()?;
    let id = db.one("users", "email", &person.email, "id")?.unwrap_or_default();
    db.age("sessions", "user", &id, "authenticated", LONG_AGO)?;
    let target = people::email();
    let stale = ask(&mut client.copy(), &target)?;
    let asks = stale.denied() && stale.is_code("reauth_required");
    test.refuses("EMAIL_CHANGE asks for the password if it was entered long ago", asks, &stale);
    let fresh = client.reauth(&person.password)?;
    test.works("REAUTH takes the password", fresh.succeeded(), &fresh)?;
    silence::after_mails(app)?;
    let mails = app.mail_channel()?.to(&target);
    test.refuses("a change that was refused sends no mail", mails.is_empty(), told(&mails));
    Ok(())
}

/// Whether the account still has the old address, as it must.
fn old_one_counts(test: &mut Test<'_>, app: &Arc<App>, old: &Person, new: &Person) -> Outcome<bool> {
    let login = app.client().login(&new.email, &new.password)?;
    test.refuses("the new address does not sign in before it is confirmed", login.denied(), &login);
    let login = app.client().login(&old.email, &old.password)?;
    test.refuses("the old address signs in until the new one is confirmed", login.succeeded(), &login);
    let guess = confirm(&mut app.signed_in_if(old, login.succeeded())?, "A".repeat(43).as_str())?;
    test.refuses("a change is not confirmed without the mailed token", guess.denied(), &guess);
    app.client().forgot(&new.email)?;
    app.client().forgot(&old.email)?;
    let sent = app.tokens("FORGOT", &old.email, 1, MAIL)?;
    test.refuses("the old address can reset the password until then", !sent.is_empty(), old.email.as_str());
    silence::after_mails(app)?;
    let sent = app.tokens("FORGOT", &new.email, 1, Duration::ZERO)?;
    test.refuses("the new address cannot reset the password before it is confirmed", sent.is_empty(), sent.join("\n"));
    Ok(login.succeeded())
}

impl App {
    /// Signed in, or where that is known not to work, a client that is not.
    fn signed_in_if(self: &Arc<Self>, person: &Person, works: bool) -> Outcome<Client> {
        if works { self.signed_in(person) } else { Ok(self.client()) }
    }
}

fn new_one_counts(test: &mut Test<'_>, app: &Arc<App>, old: &Person, new: &Person) -> Outcome {
    let login = app.client().login(&new.email, &new.password)?;
    test.works("the new address signs in once it is confirmed", login.succeeded(), &login)?;
    let login = app.client().login(&old.email, &old.password)?;
    test.refuses("the old address no longer signs in", login.denied(), &login);
    let before = app.tokens("FORGOT", &old.email, 0, Duration::ZERO)?.len();
    app.client().forgot(&old.email)?;
    silence::after_mails(app)?;
    let after = app.tokens("FORGOT", &old.email, 0, Duration::ZERO)?;
    test.refuses("the old address can no longer reset the password", after.len() == before, after.join("\n"));
    Ok(())
}

/// Somebody else confirms the address first.
fn taken_meanwhile(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, mut client) = app.member()?;
    let other = Person::new();
    ask(&mut client, &other.email)?;
    let token = app.token("EMAIL_CHANGE", &other.email, 1)?;
    app.account(other.clone())?;
    let late = confirm(&mut client, &token)?;
    test.refuses("an address that somebody else has by now is not taken over", late.denied(), &late);
    let login = app.client().login(&other.email, &other.password)?;
    test.refuses("who has the address by now keeps it", login.succeeded(), &login);
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("who came too late keeps the old address", login.succeeded(), &login);
    Ok(())
}

fn no_oracle(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (other, (_, mut client)) = (app.person()?, app.member()?);
    let free = ask(&mut client, &people::email())?;
    let taken = ask(&mut client, &other.email)?;
    test.works("EMAIL_CHANGE is answered with success", free.succeeded(), &free)?;
    let seen = format!("free:\n{}\ntaken:\n{}", free.exchange(), taken.exchange());
    test.refuses("an address that is taken is answered like a free one", free.look() == taken.look(), seen);
    silence::after_mails(app)?;
    let links = app.tokens("EMAIL_CHANGE", &other.email, 1, Duration::ZERO)?;
    test.refuses("an address that is taken gets no link to take it over", links.is_empty(), links.join("\n"));
    Ok(())
}

const ROUNDS: usize = 30;

/// Of two changes at once, a token confirms the one that it was mailed for.
pub(super) fn crossing(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (_, mut client) = app.member()?;
    let plain = people::email();
    ask(&mut client, &plain)?;
    let token = app.token("EMAIL_CHANGE", &plain, 1)?;
    let confirmed = confirm(&mut client, &token)?;
    test.works("EMAIL_CONFIRM takes the mailed token", confirmed.succeeded(), &confirmed)?;
    let mut address = plain;
    for round in 0..ROUNDS {
        address = cross(test, &app, &mut client, round, &address)?;
    }
    Ok(())
}

/// Gives the address that the account has now.
fn cross(test: &mut Test<'_>, app: &Arc<App>, client: &mut Client, round: usize, old: &str) -> Outcome<String> {
    let (mallory, victim) = (people::email(), people::email());
    let mut both = vec![];
    for email in [&mallory, &victim] {
        let sender = client.elsewhere();
        let request = sender.guarded(&app.role("EMAIL_CHANGE")?.field("email", email.as_str()))?;
        both.push((sender, request));
    }
    if round % 2 == 1 {
        both.reverse();
    }
    for answer in at_once(both) {
        let answer = answer?;
        test.refuses("changes at once do not break", !answer.broke(), &answer);
    }
    for token in app.tokens("EMAIL_CHANGE", &mallory, 1, MAIL)? {
        let mut sender = client.elsewhere();
        let answer = confirm(&mut sender, &token)?;
        client.jar = sender.jar;
        test.refuses("confirming one of two changes does not break", !answer.broke(), &answer);
    }
    let me = client.me()?;
    let now = me.value("email").unwrap_or_default();
    let what = "a token that was mailed to one address confirms no other one";
    test.refuses(what, now == mallory || now == old, &me);
    Ok(now)
}

//! Signing in by way of a provider, and what else proves a mailbox.

use std::sync::Arc;

use super::{Attack, attack};
use crate::{
    client::Client,
    http::Answer,
    lab::App,
    people::Person,
    random,
    test::{Outcome, Test},
};

pub(super) const ATTACKS: &[Attack] = &[attack("OIC-21", pre_account_takeover)];

/// What a stranger set up under an address is gone, or never counts, once its owner proves the mailbox: by RESET and by VERIFY.
fn pre_account_takeover(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let plain = app.person()?;
    app.signed_in(&plain)?;
    by_reset(test, &app)?;
    by_verify(test, &app)?;
    by_own_registration(test, &app)
}

/// A stranger who registers somebody else's address and tries to be signed in.
struct Mallory {
    person: Person,
    browser: Client,
    /// In the mailbox of the owner.
    token: String,
}

fn mallory(test: &mut Test<'_>, app: &Arc<App>) -> Outcome<Mallory> {
    let (person, mut browser) = (Person::new(), app.client());
    let answer = browser.register(&person)?;
    test.works("REGISTER takes a new account", answer.succeeded(), &answer)?;
    let token = app.token("REGISTER", &person.email, 1)?;
    browser.login(&person.email, &person.password)?;
    Ok(Mallory { person, browser, token })
}

impl Mallory {
    /// Nothing that the stranger has opens the account.
    fn is_out(&self, test: &mut Test<'_>, app: &Arc<App>, after: &str) -> Outcome {
        let me = self.browser.copy().me()?;
        test.refuses(&format!("after {after} the stranger's browser is not signed in"), me.denied(), &me);
        let login = self.browser.copy().login(&self.person.email, &self.person.password)?;
        test.refuses(&format!("after {after} the stranger's password does not sign in"), login.denied(), &login);
        let login = app.client().login(&self.person.email, &self.person.password)?;
        test.refuses(&format!("after {after} it does so nowhere"), login.denied(), &login);
        Ok(())
    }
}

/// The owner, who knows of no account, asks for a new password.
fn recover(test: &mut Test<'_>, app: &Arc<App>, mallory: &Mallory) -> Outcome<Person> {
    app.client().forgot(&mallory.person.email)?;
    let token = app.token("FORGOT", &mallory.person.email, 1)?;
    let owner = Person { email: mallory.person.email.clone(), password: random::password() };
    let reset = app.client().reset(&token, &owner.password)?;
    test.works("RESET takes the mailed token", reset.succeeded(), &reset)?;
    Ok(owner)
}

/// The owner is signed in, and nobody else has a session.
fn owner_alone(test: &mut Test<'_>, app: &Arc<App>, owner: &Person) -> Outcome {
    let mut client = app.client();
    let login = client.login(&owner.email, &owner.password)?;
    test.refuses("the owner of the mailbox signs in with the new password", login.succeeded(), &login);
    let sessions = client.get("SESSIONS")?;
    let list = sessions.value("list").and_then(|list| serde_json::from_str::<Vec<serde_json::Value>>(&list).ok());
    let alone = !login.succeeded() || list.is_some_and(|list| list.len() == 1);
    test.refuses("the account has no session but the owner's", alone, &sessions);
    Ok(())
}

fn by_reset(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let mallory = mallory(test, app)?;
    mallory.is_out(test, app, "REGISTER alone")?;
    let owner = recover(test, app, &mallory)?;
    mallory.is_out(test, app, "the owner's RESET")?;
    // The link of the registration is still in the mailbox.
    follow(test, app, &mallory, &[None, Some(&owner.password)])?;
    mallory.is_out(test, app, "the owner's RESET and the old link")?;
    owner_alone(test, app, &owner)
}

/// The owner follows the link of the stranger's registration, with no password or with one of their own.
fn follow(test: &mut Test<'_>, app: &Arc<App>, mallory: &Mallory, passwords: &[Option<&str>]) -> Outcome {
    let page = app.role("VERIFY_PAGE")?.query("token", &mallory.token).request();
    let opened: Answer = app.client().send(&page)?;
    test.refuses("VERIFY_PAGE does not break", !opened.broke(), &opened);
    for password in passwords {
        let call = app.role("VERIFY")?.field("token", mallory.token.as_str());
        let call = match password {
            Some(password) if call.role().fields.contains_key("password") => call.field("password", *password),
            _ => call,
        };
        let answer = app.client().call(&call)?;
        test.refuses("VERIFY does not break", !answer.broke(), &answer);
        test.refuses("VERIFY signs in no browser that did not register", !answer.sets_session(), &answer);
    }
    Ok(())
}

fn by_verify(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let mallory = mallory(test, app)?;
    let own = random::password();
    follow(test, app, &mallory, &[None, Some(&own)])?;
    mallory.is_out(test, app, "the owner's VERIFY")?;
    let owner = recover(test, app, &mallory)?;
    mallory.is_out(test, app, "the owner's VERIFY and RESET")?;
    owner_alone(test, app, &owner)
}

/// The owner registers too, with a password of their own, and asks for another link.
fn by_own_registration(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let mut mallory = mallory(test, app)?;
    let owner = Person { email: mallory.person.email.clone(), password: random::password() };
    let mut browser = app.client();
    let answer = browser.register(&owner)?;
    test.works("REGISTER is answered the same for an address that is taken", answer.succeeded(), &answer)?;
    let resent = browser.call(&app.role("RESEND")?.field("email", owner.email.as_str()))?;
    test.works("RESEND is answered with success", resent.succeeded(), &resent)?;
    mallory.token = app.token("RESEND", &owner.email, 2)?;
    let call = app.role("VERIFY")?.field("token", mallory.token.as_str());
    let call = if call.role().fields.contains_key("password") {
        call.field("password", owner.password.as_str())
    } else {
        call
    };
    let answer = browser.call(&call)?;
    test.refuses("VERIFY does not break", !answer.broke(), &answer);
    follow(test, app, &mallory, &[None, Some(&owner.password)])?;
    mallory.is_out(test, app, "the owner's own registration")
}

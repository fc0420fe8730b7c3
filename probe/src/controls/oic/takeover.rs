//! What a stranger set up under an address before its owner came.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    client::Client,
    db::quoted,
    http::Answer,
    lab::App,
    people::Person,
    provider::{Grant, Subject},
    random,
    test::{Outcome, Stop, Test},
};

/// What a stranger set up under an address is gone, or never counts, once its owner proves the mailbox: by RESET, by VERIFY,
/// and by a provider that vouches for the address.
pub(super) fn pre_account_takeover(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let plain = app.person()?;
    app.signed_in(&plain)?;
    by_reset(test, &app)?;
    by_verify(test, &app)?;
    by_own_registration(test, &app)?;
    if app.contract.providers.iter().any(|provider| provider.issuer.is_some()) {
        by_provider(test, &app)?;
    }
    Ok(())
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
    let owner = Person { email: mallory.person.email.clone(), ..Person::new() };
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
    let list = sessions.value("list").and_then(|list| serde_json::from_str::<Vec<Value>>(&list).ok());
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
    let owner = Person { email: mallory.person.email.clone(), ..Person::new() };
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

/// The owner comes by way of a provider, and finds an account with a stranger's password, session and identity.
fn by_provider(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let mallory = mallory(test, app)?;
    let planted = Planted::new(app, &mallory.person.email)?;
    let owner = Subject::of(&mallory.person.email);
    let mut client = app.client();
    let answer = client.sign_in_at(app.provider(0)?, Grant::new(&owner))?;
    test.works("the owner of the mailbox signs in by a provider", answer.succeeded(), &answer)?;
    mallory.is_out(test, app, "the owner came by a provider")?;
    let me = client.me()?;
    let own = me.value("email").as_ref() == Some(&owner.email);
    test.refuses("the owner is signed in with the own address", own, &me);
    planted.is_gone(test, app, &client)?;
    for role in ["SESSIONS", "IDENTITIES"].into_iter().filter(|role| app.contract.roles.contains_key(*role)) {
        let answer = client.get(role)?;
        let list = answer.value("list").and_then(|list| serde_json::from_str::<Vec<Value>>(&list).ok());
        test.refuses(&format!("{role} has one entry, the owner's"), list.is_some_and(|list| list.len() == 1), &answer);
    }
    follow(test, app, &mallory, &[None])?;
    mallory.is_out(test, app, "the owner came by a provider, and the old link")
}

/// A session and an identity of a stranger, moved to an account that waits, as a fault elsewhere might leave them.
struct Planted {
    browser: Client,
    /// At which provider: another than the owner's, where there are two.
    provider: usize,
    subject: Subject,
}

impl Planted {
    fn new(app: &Arc<App>, email: &str) -> Outcome<Self> {
        let (subject, provider) = (Subject::new(), usize::from(app.providers.len() > 1));
        let browser = app.federated(provider, &subject)?;
        let db = app.database()?;
        let id = |email: &str| -> Outcome<String> {
            let id = db.one("users", "email", email, "id")?;
            id.ok_or_else(|| Stop::Broken("an account has no id".to_owned()))
        };
        let (waiting, own) = (id(email)?, id(&subject.email)?);
        for table in ["identities", "sessions"] {
            db.set(table, "user", &own, "user", &quoted(&waiting))?;
        }
        Ok(Self { browser, provider, subject })
    }

    fn is_gone(&self, test: &mut Test<'_>, app: &Arc<App>, owner: &Client) -> Outcome {
        let me = self.browser.copy().me()?;
        test.refuses("a stranger's session does not survive the owner's coming", me.denied(), &me);
        let mut client = app.client();
        let answer = client.sign_in_at(app.provider(self.provider)?, Grant::new(&self.subject))?;
        let (theirs, own) = (client.me()?.value("id"), owner.copy().me()?.value("id"));
        let what = "a stranger's identity does not survive the owner's coming";
        test.refuses(what, theirs.is_none() || theirs != own, &answer);
        Ok(())
    }
}

//! Accounts and sessions for tests, made the way a user makes them.

use std::{sync::Arc, time::Duration};

use regex::Regex;

use crate::{
    client::{Call, Client},
    http::{Answer, Request},
    lab::App,
    mail::Mail,
    provider::{Grant, Subject},
    random,
    test::{Outcome, Stop},
};

/// How long a mail may take.
pub const MAIL: Duration = Duration::from_secs(10);

/// Somebody with an account, or who wants one.
#[derive(Clone, Debug)]
pub struct Person {
    pub email: String,
    pub password: String,
    /// Who they are at the first provider.
    pub subject: String,
}

impl Person {
    /// An address and a password that nobody had before.
    pub fn new() -> Self {
        Self { email: email(), password: random::password(), subject: random::letters(20) }
    }

    /// As the provider knows them.
    pub fn at_provider(&self) -> Subject {
        Subject { sub: self.subject.clone(), email: self.email.clone() }
    }
}

impl Default for Person {
    fn default() -> Self {
        Self::new()
    }
}

/// An address that nobody had before.
pub fn email() -> String {
    format!("{}@mail.test", random::letters(14))
}

fn must(what: &str, answer: Answer) -> Outcome<Answer> {
    if answer.succeeded() { Ok(answer) } else { Err(Stop::Positive(what.to_owned(), answer.exchange())) }
}

impl Client {
    /// # Errors
    /// When there is no answer.
    pub fn register(&mut self, person: &Person) -> Outcome<Answer> {
        let call = self.app.role("REGISTER")?.field("email", person.email.as_str());
        self.call(&call.field("password", person.password.as_str()))
    }

    /// # Errors
    /// When there is no answer.
    pub fn login(&mut self, email: &str, password: &str) -> Outcome<Answer> {
        let call = self.app.role("LOGIN")?.field("email", email).field("password", password);
        self.call(&call)
    }

    /// Signs in by what there is: the password, or the first provider. Gives the answer that makes the session.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn enter(&mut self, person: &Person) -> Outcome<Answer> {
        if self.app.has_passwords() {
            return self.login(&person.email, &person.password);
        }
        let app = self.app.clone();
        self.sign_in_at(app.provider(0)?, Grant::new(&person.at_provider()))
    }

    /// The client with the request that signs it in, not sent yet.
    ///
    /// # Errors
    /// When it is not sent to the provider.
    pub fn about_to_enter(self, person: &Person) -> Outcome<(Self, Request)> {
        let way_in = self.app.way_in(person)?;
        self.about_to_enter_by(&way_in, person)
    }

    /// The same by this way in, with what it has beside.
    ///
    /// # Errors
    /// When it is not sent to the provider.
    pub fn about_to_enter_by(self, way_in: &Call, person: &Person) -> Outcome<(Self, Request)> {
        if self.app.has_passwords() {
            let request = self.guarded(way_in)?;
            return Ok((self, request));
        }
        self.about_to_return(way_in, person)
    }

    /// Proves once more who it is, by the password or at the first provider.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn prove(&mut self, person: &Person) -> Outcome<Answer> {
        let (mut client, request) = self.copy().about_to_prove(person)?;
        let answer = client.send(&request)?;
        self.jar = client.jar;
        Ok(answer)
    }

    /// The client with the request that proves it, not sent yet.
    ///
    /// # Errors
    /// When it is not sent to the provider.
    pub fn about_to_prove(self, person: &Person) -> Outcome<(Self, Request)> {
        let app = self.app.clone();
        if app.has_passwords() {
            let request = self.guarded(&app.role("REAUTH")?.field("password", person.password.as_str()))?;
            return Ok((self, request));
        }
        let provider = app.provider(0)?;
        let role = if app.says_when(provider) { "OIDC_REAUTH" } else { "OIDC_START" };
        self.about_to_return(&app.role_at(role, provider)?, person)
    }

    /// Confirms an address, from a browser that did not register it.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn verify(&mut self, token: &str, password: &str) -> Outcome<Answer> {
        let call = self.app.role("VERIFY")?.field("token", token);
        let call = if call.role().fields.contains_key("password") { call.field("password", password) } else { call };
        self.call(&call)
    }

    /// # Errors
    /// When there is no answer.
    pub fn forgot(&mut self, email: &str) -> Outcome<Answer> {
        let call = self.app.role("FORGOT")?.field("email", email);
        self.call(&call)
    }

    /// # Errors
    /// When there is no answer.
    pub fn reset(&mut self, token: &str, password: &str) -> Outcome<Answer> {
        let call = self.app.role("RESET")?.field("token", token).field("password", password);
        self.call(&call)
    }

    /// # Errors
    /// When there is no answer.
    pub fn change_password(&mut self, current: &str, new: &str) -> Outcome<Answer> {
        let call = self.app.role("PWCHANGE")?.field("current_password", current).field("new_password", new);
        self.call(&call)
    }

    /// # Errors
    /// When there is no answer.
    pub fn reauth(&mut self, password: &str) -> Outcome<Answer> {
        let call = self.app.role("REAUTH")?.field("password", password);
        self.call(&call)
    }

    /// # Errors
    /// When there is no answer.
    pub fn logout(&mut self) -> Outcome<Answer> {
        self.get("LOGOUT")
    }

    /// # Errors
    /// When there is no answer.
    pub fn me(&mut self) -> Outcome<Answer> {
        self.get("ME")
    }

    /// A role without fields.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&mut self, role: &str) -> Outcome<Answer> {
        let call = self.app.role(role)?;
        self.call(&call)
    }

    /// Whether the session in the jar is alive: ME is the role's success and names an account. With the session's cookie
    /// alone, and without keeping what the answer sets.
    ///
    /// # Errors
    /// When there is no answer, or a 5xx.
    pub fn is_signed_in(&self) -> Outcome<bool> {
        let answer = self.copy().me()?;
        if answer.broke() {
            return Err(Stop::Positive("ME never breaks".to_owned(), answer.exchange()));
        }
        Ok(answer.succeeded() && answer.value("email").is_some())
    }
}

impl App {
    /// What somebody sends first to sign in: their password, or the wish to go to the first provider.
    ///
    /// # Errors
    /// When the contract has no role for it.
    pub fn way_in(&self, person: &Person) -> Outcome<Call> {
        if self.has_passwords() {
            let call = self.role("LOGIN")?.field("email", person.email.as_str());
            return Ok(call.field("password", person.password.as_str()));
        }
        let call = self.role_at("OIDC_START", self.provider(0)?)?;
        Ok(if call.role().fields.contains_key("next") { call.field("next", "/") } else { call })
    }

    /// Registered, with the link that came by mail.
    ///
    /// # Errors
    /// When that does not work.
    pub fn registered(self: &Arc<Self>, person: &Person) -> Outcome<String> {
        must("REGISTER takes a new account", self.client().register(person)?)?;
        self.token("REGISTER", &person.email, 1)
    }

    /// Somebody new with an account: registered and confirmed, or, where there are no passwords, known by a provider.
    ///
    /// # Errors
    /// When that does not work.
    pub fn person(self: &Arc<Self>) -> Outcome<Person> {
        self.account(Person::new())
    }

    /// The same for this person.
    ///
    /// # Errors
    /// When that does not work.
    pub fn account(self: &Arc<Self>, person: Person) -> Outcome<Person> {
        if !self.has_passwords() {
            // Nothing of how the account came to be stays behind.
            self.federated(0, &person.at_provider())?.logout()?;
            return Ok(person);
        }
        let token = self.registered(&person)?;
        must("VERIFY takes the mailed token", self.client().verify(&token, &person.password)?)?;
        Ok(person)
    }

    /// A browser in which somebody is signed in.
    ///
    /// # Errors
    /// When that does not work.
    pub fn signed_in(self: &Arc<Self>, person: &Person) -> Outcome<Client> {
        if !self.has_passwords() {
            return self.federated(0, &person.at_provider());
        }
        let mut client = self.client();
        let answer = must("LOGIN takes the right password", client.login(&person.email, &person.password)?)?;
        if client.session().is_none() || !client.is_signed_in()? {
            return Err(Stop::Positive("LOGIN makes a session that ME accepts".to_owned(), answer.exchange()));
        }
        Ok(client)
    }

    /// Somebody new and a browser in which they are signed in.
    ///
    /// # Errors
    /// When that does not work.
    pub fn member(self: &Arc<Self>) -> Outcome<(Person, Client)> {
        let person = self.person()?;
        let client = self.signed_in(&person)?;
        Ok((person, client))
    }

    /// The token of the newest mail of this role's kind to the address, once so many of that kind have come.
    ///
    /// # Errors
    /// When they do not come.
    pub fn token(&self, role: &str, email: &str, count: usize) -> Outcome<String> {
        let tokens = self.tokens(role, email, count, MAIL)?;
        let missing = || Stop::Positive(format!("{role} sends a mail with its link"), self.mails_shown(email));
        if tokens.len() < count { Err(missing()) } else { tokens.last().cloned().ok_or_else(missing) }
    }

    /// The tokens of the role's kind that came to the address, oldest first, after waiting for so many.
    ///
    /// # Errors
    /// When mails cannot be read.
    pub fn tokens(&self, role: &str, email: &str, count: usize, patience: Duration) -> Outcome<Vec<String>> {
        let pattern = self.pattern(role)?;
        let found =
            |mail: &Mail| pattern.captures(&mail.text).and_then(|found| Some(found.get(1)?.as_str().to_owned()));
        let mails = self.mail_channel()?.wait_for(
            patience,
            |mail| mail.to.iter().any(|to| to == email) && found(mail).is_some(),
            count,
        );
        Ok(mails.iter().filter_map(found).collect())
    }

    fn pattern(&self, role: &str) -> Outcome<Regex> {
        let link = self.link_of(role)?;
        Regex::new(&link.token).map_err(|error| Stop::Missing(error.to_string()))
    }

    /// The mails, or `NotRun` where they go elsewhere.
    ///
    /// # Errors
    /// `NotRun`.
    pub fn mail_channel(&self) -> Outcome<&crate::mail::Sink> {
        self.mail().map_err(|error| Stop::NotRun(format!("{error:#}")))
    }

    /// The database, or `NotRun` where it is elsewhere.
    ///
    /// # Errors
    /// `NotRun`; `Missing` where the contract has none.
    pub fn database(&self) -> Outcome<&crate::db::Db> {
        if self.contract.db.is_none() {
            return Err(Stop::Missing("the contract has no `[db]`".to_owned()));
        }
        self.db().map_err(|error| Stop::NotRun(format!("{error:#}")))
    }

    fn mails_shown(&self, email: &str) -> String {
        let mails = self.mail().map(|sink| sink.to(email)).unwrap_or_default();
        let shown: Vec<String> = mails.iter().map(|mail| format!("{}: {}", mail.subject, mail.text)).collect();
        format!("{} mails to {email}\n{}", shown.len(), shown.join("\n"))
    }
}

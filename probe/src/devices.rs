//! Programs to which somebody gave tokens: a phone, a command line.

use std::sync::Arc;

use crate::{
    client::{Call, Client},
    contract::{self, Missing},
    http::{Answer, Request},
    jws::{self, Key, Token},
    lab::App,
    people::Person,
    test::{Outcome, Stop},
};

/// A program with the tokens that it was given last. It has no cookies, and each request comes from another address.
#[derive(Clone)]
pub struct Device {
    pub app: Arc<App>,
    pub access: String,
    pub refresh: String,
}

impl Device {
    /// A device with what an answer of TOKEN or `TOKEN_REFRESH` gave.
    ///
    /// # Errors
    /// When that is not success, or lacks a token.
    pub fn of(app: &Arc<App>, answer: &Answer) -> Outcome<Self> {
        let tokens = answer.value("access_token").zip(answer.value("refresh_token")).filter(|_| answer.succeeded());
        let missing = || Stop::Positive("an access token and a refresh token are given".to_owned(), answer.exchange());
        let (access, refresh) = tokens.ok_or_else(missing)?;
        Ok(Self { app: app.clone(), access, refresh })
    }

    /// Asks with the access token, at whichever process has its turn.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, role: &str) -> Outcome<Answer> {
        self.app.client().send(&self.bearing(&self.app.role(role)?))
    }

    /// The request with the access token.
    pub fn bearing(&self, call: &Call) -> Request {
        bearing(call, &self.access)
    }

    /// Whether the access token opens the API, at each process.
    ///
    /// # Errors
    /// When there is no answer, or a 5xx.
    pub fn works(&self) -> Outcome<bool> {
        let answers = self.everywhere()?;
        if let Some(broken) = answers.iter().find(|answer| answer.broke()) {
            return Err(Stop::Positive("API never breaks".to_owned(), broken.exchange()));
        }
        Ok(answers.iter().all(Answer::succeeded))
    }

    /// The answers of all processes to the access token.
    ///
    /// # Errors
    /// When one gives none.
    pub fn everywhere(&self) -> Outcome<Vec<Answer>> {
        let request = self.bearing(&self.app.role("API")?);
        let ask = |instance| Client { instance: Some(instance), ..self.app.client() }.send(&request);
        (0..self.app.instances()).map(ask).collect()
    }

    /// The same device, at another application that shares the database.
    #[must_use]
    pub fn at(&self, app: &Arc<App>) -> Self {
        Self { app: app.clone(), ..self.clone() }
    }

    /// Asks for new tokens with the one that it has.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn refreshing(&self) -> Outcome<Answer> {
        self.app.refresh(&self.refresh)
    }

    /// The same device with new tokens.
    ///
    /// # Errors
    /// When they are refused.
    pub fn refreshed(&self) -> Outcome<Self> {
        Self::of(&self.app, &self.refreshing()?)
    }

    /// What the access token says.
    ///
    /// # Errors
    /// When it is no JWT.
    pub fn token(&self) -> Outcome<Token> {
        let seen = || Stop::Positive("an access token is a JWT".to_owned(), self.access.clone());
        Token::read(&self.access).ok_or_else(seen)
    }
}

/// The request with a bearer token.
pub fn bearing(call: &Call, token: &str) -> Request {
    call.request().header("Authorization", format!("Bearer {token}"))
}

impl App {
    /// What the contract says of tokens.
    ///
    /// # Errors
    /// When it has no `[tokens]`.
    pub fn tokens_table(&self) -> Outcome<&contract::Tokens> {
        self.contract.tokens.as_ref().ok_or_else(|| Stop::Missing("the contract has no `[tokens]`".to_owned()))
    }

    /// The key with which the application signs.
    ///
    /// # Errors
    /// `NotRun` when it was not started by the probe.
    pub fn token_key(&self) -> Outcome<Key> {
        Ok(Key::of(self.tokens_table()?.alg, &self.token_key_bytes()?)?)
    }

    /// The same in PKCS#8.
    ///
    /// # Errors
    /// As for [`Self::token_key`].
    pub fn token_key_bytes(&self) -> Outcome<Vec<u8>> {
        let (names, start) = (self.tokens_table()?, self.contract.start.as_ref());
        let missing = || Missing("names no variable for the setting `token_key`".to_owned());
        let variable = start.and_then(|start| start.environment.get("token_key")).ok_or_else(missing);
        let variable = variable.map_err(anyhow::Error::from)?;
        let elsewhere = || Stop::NotRun("the application runs elsewhere: its signing key is not known".to_owned());
        let text = self.variables.get(variable).ok_or_else(elsewhere)?;
        Ok(jws::unwritten(names.key, text)?)
    }

    /// All that can be granted, as a client asks for it.
    ///
    /// # Errors
    /// When the contract has no `[tokens]`.
    pub fn full_scope(&self) -> Outcome<String> {
        let names = self.tokens_table()?;
        Ok(format!("{} {}", names.scope, names.other_scope))
    }

    /// TOKEN with a password, as a device asks for it; all scopes.
    ///
    /// # Errors
    /// When the contract lacks the role.
    pub fn password_grant(&self, email: &str, password: &str) -> Outcome<Call> {
        Ok(self.granting("password")?.field("email", email).field("password", password))
    }

    /// TOKEN with a session, as a page of the application asks for it; all scopes.
    ///
    /// # Errors
    /// When the contract lacks the role.
    pub fn session_grant(&self) -> Outcome<Call> {
        self.granting("session")
    }

    fn granting(&self, grant: &str) -> Outcome<Call> {
        let call = self.role("TOKEN")?;
        let known: Vec<String> = call.role().fields.keys().cloned().collect();
        let scope = self.full_scope()?;
        let optional = [("grant", grant), ("device", "Probe's phone"), ("scope", scope.as_str())];
        let wanted = optional.into_iter().filter(|(name, _)| known.iter().any(|known| known == name));
        Ok(wanted.fold(call, |call, (name, value)| call.field(name, value)))
    }

    /// Whether TOKEN takes a password.
    ///
    /// # Errors
    /// When the contract lacks the role.
    pub fn grants_by_password(&self) -> Outcome<bool> {
        Ok(self.has_passwords() && self.role("TOKEN")?.role().fields.contains_key("password"))
    }

    /// Whether TOKEN takes a session.
    ///
    /// # Errors
    /// When the contract lacks the role.
    pub fn grants_by_session(&self) -> Outcome<bool> {
        Ok(self.role("TOKEN")?.role().fields.contains_key("grant"))
    }

    /// A device of somebody who has an account: by password where the application has passwords, else by a session.
    ///
    /// # Errors
    /// When that does not work.
    pub fn device_of(self: &Arc<Self>, person: &Person) -> Outcome<Device> {
        if self.grants_by_password()? {
            let call = self.password_grant(&person.email, &person.password)?;
            return Device::of(self, &self.client().send(&call.request())?);
        }
        self.device_by_session(&self.signed_in(person)?)
    }

    /// A device that hangs on the session of this browser.
    ///
    /// # Errors
    /// When that does not work.
    pub fn device_by_session(self: &Arc<Self>, client: &Client) -> Outcome<Device> {
        Device::of(self, &client.copy().call(&self.session_grant()?)?)
    }

    /// Somebody new and a device of theirs.
    ///
    /// # Errors
    /// When that does not work.
    pub fn device(self: &Arc<Self>) -> Outcome<(Person, Device)> {
        let person = self.person()?;
        let device = self.device_of(&person)?;
        Ok((person, device))
    }

    /// Asks for new tokens with a refresh token, from an address that nobody had before.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn refresh(self: &Arc<Self>, token: &str) -> Outcome<Answer> {
        self.client().send(&self.role("TOKEN_REFRESH")?.field("refresh_token", token).request())
    }

    /// Gives a token back, from an address that nobody had before.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn revoke(self: &Arc<Self>, token: &str) -> Outcome<Answer> {
        self.client().send(&self.role("TOKEN_REVOKE")?.field("token", token).request())
    }
}

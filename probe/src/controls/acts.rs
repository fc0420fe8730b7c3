//! What a user does that changes something, and how to see whether it did.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    client::{Call, Client},
    contract::CsrfSource,
    devices::Device,
    http::Answer,
    lab::App,
    people::{Person, email},
    random,
    test::{Outcome, Stop, Test},
};

/// Roles with which a signed-in user changes something.
pub(super) const ACTS: [&str; 8] = [
    "REAUTH",
    "EMAIL_CHANGE",
    "EMAIL_CONFIRM",
    "SESSION_REVOKE",
    "REVOKE_ALL_OTHERS",
    "PWCHANGE",
    "LOGOUT",
    "DELETE_ACCOUNT",
];

/// Those of them that the application has. Without LOGOUT there is nothing to go by.
pub(super) fn acts(app: &App) -> Outcome<Vec<&'static str>> {
    app.role("LOGOUT")?;
    Ok(ACTS.into_iter().filter(|role| app.contract.roles.contains_key(*role)).collect())
}

/// Whether the status is one of the role's success, whatever else the answer lacks: for what a removed protection may
/// have taken out of the answer.
pub(super) fn went_through(app: &App, role: &str, answer: &Answer) -> bool {
    app.contract.roles.get(role).is_some_and(|role| role.success.status.allows(&answer.status))
}

/// How a role is asked for: as the API takes it, or as a page's form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Api,
    Form,
}

impl Way {
    /// The ways that the application has.
    pub fn all(app: &App) -> Vec<Self> {
        if app.contract.pages.is_some() { vec![Self::Api, Self::Form] } else { vec![Self::Api] }
    }

    pub fn call(self, app: &App, role: &str) -> Outcome<Call> {
        match self {
            Self::Api => app.role(role),
            Self::Form => app.form(role),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "",
            Self::Form => " as a form",
        }
    }
}

/// An entry of a list: a session of role SESSIONS, a device of DEVICES.
pub(super) struct Listed {
    pub id: String,
    pub current: bool,
    pub entry: Value,
}

/// The sessions that the client's user sees.
pub(super) fn sessions(client: &Client) -> Outcome<Vec<Listed>> {
    let call = client.app.role("SESSIONS")?;
    entries("SESSIONS", &client.copy().call(&call)?)
}

/// The entries of a list, as the role extracts them.
fn entries(role: &str, answer: &Answer) -> Outcome<Vec<Listed>> {
    let pointer = |name: &str| {
        let pointer = answer.role.as_ref().and_then(|role| role.extract.get(name));
        pointer.ok_or_else(|| Stop::Missing(format!("the contract extracts no `{name}` in role {role}")))
    };
    let (list, id, current) = (pointer("list")?, pointer("id")?, pointer("current")?);
    let json = answer.json();
    let Some(list) = json.pointer(list).and_then(Value::as_array).filter(|_| answer.succeeded()) else {
        return Err(Stop::Positive(format!("{role} gives a list"), answer.exchange()));
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let listed = |entry: &Value| Listed {
        id: entry.pointer(id).map(text).unwrap_or_default(),
        current: entry.pointer(current).and_then(Value::as_bool).unwrap_or(false),
        entry: entry.clone(),
    };
    Ok(list.iter().map(listed).collect())
}

/// The name of the client's own session in lists.
pub(super) fn own_id(client: &Client) -> Outcome<String> {
    let own = sessions(client)?.into_iter().find(|session| session.current).map(|session| session.id);
    own.ok_or_else(|| Stop::Positive("SESSIONS marks the current session".to_owned(), String::new()))
}

/// The name of the device in the list of role DEVICES.
pub(super) fn device_id(device: &Device) -> Outcome<String> {
    let own = devices(&device.ask("DEVICES")?)?.into_iter().find(|listed| listed.current);
    own.map(|own| own.id).ok_or_else(|| Stop::Positive("DEVICES marks the device that asks".to_owned(), String::new()))
}

/// The devices of an answer of role DEVICES.
pub(super) fn devices(answer: &Answer) -> Outcome<Vec<Listed>> {
    entries("DEVICES", answer)
}

/// What gives tokens, exchanges and revokes them, each with who sends it: requests that would work.
pub(super) fn with_tokens(app: &Arc<App>, person: &Person, device: &Device) -> Outcome<Vec<(Client, Call)>> {
    let mut calls = vec![
        (app.client(), app.role("TOKEN_REFRESH")?.field("refresh_token", device.refresh.as_str())),
        (app.client(), app.role("TOKEN_REVOKE")?.field("token", device.refresh.as_str())),
    ];
    if app.grants_by_password()? {
        calls.push((app.client(), app.password_grant(&person.email, &person.password)?));
    }
    if app.grants_by_session()? {
        calls.push((visited(&app.signed_in(person)?)?, app.session_grant()?));
    }
    Ok(calls)
}

/// A copy of the client that has what its token against forgery may be bound to, so that a request of it can be changed in
/// one thing and be right in all others.
pub(super) fn visited(client: &Client) -> Outcome<Client> {
    let mut client = client.copy();
    if client.app.contract.csrf.source == CsrfSource::Token {
        client.get("CSRF")?;
    }
    Ok(client)
}

/// The client at each process in turn.
pub(super) fn everywhere(client: &Client) -> Vec<Client> {
    let at = |instance| {
        let mut client = client.copy();
        client.instance = Some(instance);
        client
    };
    (0..client.app.instances()).map(at).collect()
}

/// Asserts that the session is dead at each process.
pub(super) fn is_dead(test: &mut Test<'_>, what: &str, client: &Client) -> Outcome {
    for client in everywhere(client) {
        let answer = client.copy().me()?;
        test.refuses(what, answer.denied(), &answer);
    }
    Ok(())
}

/// Somebody who is signed in twice.
pub(super) struct Member {
    pub person: Person,
    pub id: Option<String>,
    pub client: Client,
    pub other: Client,
}

impl Member {
    pub fn new(app: &Arc<App>) -> Outcome<Self> {
        let (person, client) = app.member()?;
        let other = app.signed_in(&person)?;
        let id = client.copy().me()?.value("id");
        Ok(Self { person, id, client, other })
    }

    /// The act with what makes it succeed.
    pub fn act(&self, role: &str, way: Way) -> Outcome<Call> {
        let app = &self.client.app;
        let call = way.call(app, role)?;
        Ok(match role {
            "REAUTH" => call.field("password", self.person.password.as_str()),
            "PWCHANGE" => {
                call.field("current_password", self.person.password.as_str()).field("new_password", random::password())
            }
            "EMAIL_CHANGE" => call.field("email", email()),
            "EMAIL_CONFIRM" => call.field("token", self.asked_for_address()?),
            "SESSION_REVOKE" => call.segment("id", &own_id(&self.other)?),
            _ if call.role().fields.contains_key("confirmed") => call.field("confirmed", "yes"),
            _ => call,
        })
    }

    /// The token that was mailed to a new address.
    fn asked_for_address(&self) -> Outcome<String> {
        let app = &self.client.app;
        let new = email();
        let answer = self.client.copy().call(&app.role("EMAIL_CHANGE")?.field("email", new.as_str()))?;
        if !answer.succeeded() {
            return Err(Stop::Positive("EMAIL_CHANGE takes another address".to_owned(), answer.exchange()));
        }
        app.token("EMAIL_CHANGE", &new, 1)
    }

    /// What of the sessions and the address is no longer as it was, if anything.
    pub fn shift(&self) -> Outcome<Option<String>> {
        let me = self.client.copy().me()?;
        if !me.succeeded() {
            return Ok(Some(format!("the session ended\n{}", me.exchange())));
        }
        if me.value("email").as_ref() != Some(&self.person.email) {
            return Ok(Some(format!("the address changed\n{}", me.exchange())));
        }
        Ok((!self.other.is_signed_in()?).then(|| "another session of the account ended".to_owned()))
    }

    /// The same, and the password.
    pub fn change(&self) -> Outcome<Option<String>> {
        if let Some(shift) = self.shift()? {
            return Ok(Some(shift));
        }
        let login = self.client.app.client().enter(&self.person)?;
        Ok((!login.succeeded()).then(|| format!("the way in changed\n{}", login.exchange())))
    }
}

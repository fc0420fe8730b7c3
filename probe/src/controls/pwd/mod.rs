//! Credentials and how passwords are stored.

mod breach;
mod change;
mod echo;
mod exact;
mod forms;
mod policy;
mod storage;

use std::sync::Arc;

use super::{Attack, attack};
use crate::{
    client::Client,
    http::Answer,
    lab::App,
    people::Person,
    test::{Outcome, Test},
};

pub(super) const ATTACKS: &[Attack] = &[
    attack("PWD-01", storage::hashes),
    attack("PWD-02", policy::shortest),
    attack("PWD-03", policy::longest),
    attack("PWD-04", policy::no_rules_of_composition),
    attack("PWD-05", policy::common),
    attack("PWD-06", breach::known_from_breaches),
    attack("PWD-07", policy::contextual),
    attack("PWD-08", change::current_password),
    attack("PWD-09", storage::rehashed),
    attack("PWD-10", echo::never_echoed),
    attack("PWD-11", forms::password_managers),
    attack("PWD-12", exact::compared_exactly),
];

/// Where a password is set.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Register,
    Change,
    Reset,
}

impl Place {
    pub(super) const ALL: [Self; 3] = [Self::Register, Self::Change, Self::Reset];

    pub(super) const fn role(self) -> &'static str {
        match self {
            Self::Register => "REGISTER",
            Self::Change => "PWCHANGE",
            Self::Reset => "RESET",
        }
    }
}

/// Somebody at a place, who may try several passwords there.
pub(super) struct Desk {
    app: Arc<App>,
    place: Place,
    /// With the password that is right so far.
    pub(super) person: Person,
    client: Client,
    token: String,
}

impl Desk {
    pub(super) fn new(app: &Arc<App>, place: Place) -> Outcome<Self> {
        Self::of(app, place, Person::new())
    }

    pub(super) fn of(app: &Arc<App>, place: Place, person: Person) -> Outcome<Self> {
        let mut desk = Self { app: app.clone(), place, person, client: app.client(), token: String::new() };
        if matches!(place, Place::Register) {
            return Ok(desk);
        }
        app.account(desk.person.clone())?;
        match place {
            Place::Reset => {
                desk.client.forgot(&desk.person.email)?;
                desk.token = app.token("FORGOT", &desk.person.email, 1)?;
            }
            _ => desk.client = app.signed_in(&desk.person)?,
        }
        Ok(desk)
    }

    /// Submits the password, from an address that nobody had before.
    pub(super) fn submit(&mut self, password: &str) -> Outcome<Answer> {
        let answer = match self.place {
            Place::Register => {
                let person = Person { password: password.to_owned(), ..self.person.clone() };
                return self.app.client().register(&person);
            }
            Place::Change => {
                self.client = self.client.elsewhere();
                self.client.change_password(&self.person.password, password)?
            }
            Place::Reset => self.app.client().reset(&self.token, password)?,
        };
        if answer.succeeded() {
            password.clone_into(&mut self.person.password);
        }
        Ok(answer)
    }
}

/// Sets the password at the place and signs in with it. Gives the answer of LOGIN, or the first that was no success.
pub(super) fn set_and_sign_in(app: &Arc<App>, place: Place, password: &str) -> Outcome<Answer> {
    let mut desk = Desk::new(app, place)?;
    let answer = desk.submit(password)?;
    if !answer.succeeded() {
        return Ok(answer);
    }
    if matches!(place, Place::Register) {
        let token = app.token("REGISTER", &desk.person.email, 1)?;
        let answer = app.client().verify(&token, password)?;
        if !answer.succeeded() {
            return Ok(answer);
        }
    }
    app.client().login(&desk.person.email, password)
}

/// Somebody new with this password.
pub(super) fn with_password(password: &str) -> Person {
    Person { password: password.to_owned(), ..Person::new() }
}

/// No other password signs in. Each is followed by a login that succeeds, so that no throttle answers in place of the
/// check.
pub(super) fn only_this_one(
    test: &mut Test<'_>,
    app: &Arc<App>,
    person: &Person,
    others: &[(&str, String)],
) -> Outcome {
    for (which, other) in others {
        let answer = app.client().login(&person.email, other)?;
        let what = format!("LOGIN refuses the password {which}");
        test.refuses(&what, answer.denied() && !answer.throttled(), &answer);
        app.signed_in(person)?;
    }
    Ok(())
}

//! Where a password is asked for: by a browser that wants a session, and by a device that wants tokens.

use std::sync::Arc;

use crate::{
    client::{Client, Jar},
    http::Answer,
    lab::App,
    random,
    test::{Outcome, Test},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Browser,
    Device,
}

impl Door {
    /// Those that the application has.
    pub fn all(test: &Test<'_>, app: &Arc<App>) -> Outcome<Vec<Self>> {
        let devices = test.has("tokens") && app.grants_by_password()?;
        Ok(if devices { vec![Self::Browser, Self::Device] } else { vec![Self::Browser] })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Browser => "LOGIN",
            Self::Device => "TOKEN",
        }
    }

    pub fn enter(self, client: &mut Client, email: &str, password: &str) -> Outcome<Answer> {
        match self {
            Self::Browser => client.login(email, password),
            Self::Device => {
                // A device has no cookies, and what a browser says of itself it does not say.
                let mut device = Client { jar: Jar::new(), ..client.copy() };
                device.send(&client.app.password_grant(email, password)?.request())
            }
        }
    }

    /// With a password that is nobody's.
    pub fn guess(self, client: &mut Client, email: &str) -> Outcome<Answer> {
        self.enter(client, email, &random::password())
    }
}

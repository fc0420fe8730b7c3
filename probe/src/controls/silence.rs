//! How to show that a mail does not come: by later ones that do.

use std::{sync::Arc, thread, time::Duration};

use crate::{lab::App, people::Person, test::Outcome};

/// A mail that was written before another may still be handed over after it, as it goes by a connection of its own.
const OVERTAKEN: Duration = Duration::from_millis(200);

/// Returns once every instance has sent a mail that was asked for now. What was asked for before has been sent by then.
pub(super) fn after_mails(app: &Arc<App>) -> Outcome {
    for instance in 0..app.instances() {
        let (person, mut client) = (Person::new(), app.client());
        client.instance = Some(instance);
        client.register(&person)?;
        app.token("REGISTER", &person.email, 1)?;
    }
    thread::sleep(OVERTAKEN);
    Ok(())
}

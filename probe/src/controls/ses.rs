//! Session lifecycle.

use super::{Attack, attack};
use crate::test::{Outcome, Test};

pub(super) const ATTACKS: &[Attack] = &[attack("SES-08", logout)];

/// Logout kills the session on the server.
fn logout(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, mut client) = app.member()?;
    let thief = client.copy();
    test.works("a copied session works before logout", thief.is_signed_in()?, person.email.as_str())?;
    let answer = client.logout()?;
    test.works("LOGOUT is answered with success", answer.succeeded(), &answer)?;
    let replay = thief.copy().me()?;
    test.refuses("a copied session is dead after logout", replay.denied(), &replay);
    let name = &app.contract.cookies.session;
    let cleared = answer.cookies().into_iter().find(|cookie| cookie.name() == name);
    let is_cleared = cleared.is_some_and(|cookie| {
        cookie.value().is_empty()
            && cookie.max_age().is_some_and(|age| age.is_zero())
            && cookie.path() == Some("/")
            && cookie.secure() == Some(true)
    });
    test.refuses("the session's cookie does not stay in the browser", is_cleared, &answer);
    let data = answer.header("clear-site-data").unwrap_or_default();
    test.refuses(
        "stored data does not stay in the browser",
        data.contains("\"cookies\"") && data.contains("\"storage\""),
        &answer,
    );
    let again = thief.copy().logout()?;
    test.refuses("a second LOGOUT does not break", !again.broke(), &again);
    Ok(())
}

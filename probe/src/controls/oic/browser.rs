//! A visit to a provider belongs to the browser that began it.

use super::{Trip, not_redeemed, turned_away};
use crate::{
    client::Client,
    http::Answer,
    test::{Outcome, Test},
};

/// The way back that a stranger prepared is refused in every other browser, before anything is asked of the provider.
pub(super) fn bound(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    let mut own = Trip::new(&app, provider)?;
    let answer = own.come_back()?;
    test.works("in the browser that began it a visit ends signed in", answer.succeeded(), &answer)?;
    let mut visiting = app.client();
    visiting.visit(provider)?;
    let (person, member) = app.member()?;
    let before = identities(&member)?;
    for (what, mut victim) in [
        ("that knows nothing of it", app.client()),
        ("with a visit of its own", visiting),
        ("of somebody signed in", member),
    ] {
        let trip = Trip::new(&app, provider)?;
        let was_in = victim.is_signed_in()?;
        let answer = victim.send(&trip.visit.back(&trip.code).request(&app)?)?;
        test.refuses(&format!("a stranger's way back is refused in a browser {what}"), turned_away(&answer), &answer);
        not_redeemed(test, &format!("it is a browser {what}"), provider, &trip.code);
        if was_in {
            stays(test, &mut victim, &person.email, &before, &answer)?;
        } else {
            let out = !victim.is_signed_in()?;
            test.refuses(&format!("nobody is signed in in a browser {what}"), out, &answer);
        }
    }
    Ok(())
}

fn stays(test: &mut Test<'_>, victim: &mut Client, email: &str, before: &str, answer: &Answer) -> Outcome {
    let me = victim.me()?;
    test.refuses("who was signed in still is", me.value("email").as_deref() == Some(email), &me);
    let after = identities(victim)?;
    test.refuses("no identity is added to who was signed in", after == before, answer);
    Ok(())
}

/// The list of identities as the answer has it; empty where there is none.
fn identities(client: &Client) -> Outcome<String> {
    if !client.app.contract.roles.contains_key("IDENTITIES") {
        return Ok(String::new());
    }
    Ok(client.copy().get("IDENTITIES")?.value("list").unwrap_or_default())
}

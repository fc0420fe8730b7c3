//! The last way to sign in cannot be taken away.

use std::sync::Arc;

use crate::{
    client::Client,
    lab::App,
    parallel::at_once,
    provider::{Grant, Provider, Subject},
    test::{Outcome, Test},
};

const ROUNDS: usize = 20;

pub(super) fn stays(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    let subject = Subject::new();
    let mut client = app.federated(0, &subject)?;
    let id = client.me()?.value("id");
    let answer = client.call(&app.role_at("OIDC_UNLINK", provider)?)?;
    test.refuses("the only way to sign in is not unlinked", answer.denied(), &answer);
    let again = app.federated(0, &subject);
    let same = again.and_then(|mut client| client.me()).is_ok_and(|me| me.value("id") == id);
    test.refuses("it still signs in to the same account", same, &answer);
    let Ok(other) = app.provider(1) else { return Ok(()) };
    one_of_two(test, &app, provider, other)?;
    for _ in 0..ROUNDS {
        at_the_same_moment(test, &app, provider, other)?;
    }
    Ok(())
}

/// Somebody with an identity at each of the two.
fn twofold(app: &Arc<App>, other: &Provider) -> Outcome<(Client, [Subject; 2])> {
    let (first, second) = (Subject::new(), Subject::new());
    let mut client = app.federated(0, &first)?;
    let visit = client.visit_by(&app.role_at("OIDC_LINK", other)?, other)?;
    let code = other.grant(&visit.ask, Grant::new(&second));
    client.come_back(&visit, &code)?;
    Ok((client, [first, second]))
}

fn one_of_two(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider, other: &Provider) -> Outcome {
    let (mut client, _) = twofold(app, other)?;
    let answer = client.call(&app.role_at("OIDC_UNLINK", provider)?)?;
    test.works("one of two ways to sign in is unlinked", answer.succeeded(), &answer)?;
    let answer = client.call(&app.role_at("OIDC_UNLINK", other)?)?;
    test.refuses("the other one is not", answer.denied(), &answer);
    Ok(())
}

/// Both at once: one stays.
fn at_the_same_moment(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider, other: &Provider) -> Outcome {
    let (client, subjects) = twofold(app, other)?;
    let id = client.copy().me()?.value("id");
    let unlink = |provider: &Provider| -> Outcome<_> {
        let call = app.role_at("OIDC_UNLINK", provider)?;
        Ok((client.copy(), client.guarded(&call)?))
    };
    let answers = at_once(vec![unlink(provider)?, unlink(other)?]);
    let shown: Vec<String> = answers.iter().flatten().map(crate::http::Answer::exchange).collect();
    let gone = answers.iter().flatten().filter(|answer| answer.succeeded()).count();
    test.refuses("of two ways to sign in that are unlinked at once one stays", gone <= 1, shown.join("\n===\n"));
    let mut left = 0;
    for (number, subject) in subjects.iter().enumerate() {
        let mut client = app.client();
        client.sign_in_at(app.provider(number)?, Grant::new(subject))?;
        left += usize::from(client.me()?.value("id") == id);
    }
    test.refuses("the account can be signed in to", left >= 1, shown.join("\n===\n"));
    Ok(())
}

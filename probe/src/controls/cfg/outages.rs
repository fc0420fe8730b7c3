//! What an application grants while something fails that it needs.

use std::sync::Arc;

use serde_json::json;

use super::secrets::mailed;
use crate::{
    client::Client,
    http::{Answer, Request},
    lab::{App, Setup},
    outage::Outage,
    people::Person,
    provider::{Endpoint, Grant, Key, Manner, Reply, Subject},
    random,
    test::{Outcome, Test},
};

/// With its database, parts of it, or its mail gone, an application grants nothing; afterwards it goes on by itself.
pub(super) fn nothing_is_granted(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (person, client) = app.member()?;
    let token = mailed(&app, &person)?;
    let token = token.as_deref();
    without(test, &app, &person, &["sessions"], |test, coming| sessions_gone(test, &client, coming))?;
    let mut guesses = guesses(&app)?;
    without(test, &app, &person, &["throttles"], |test, coming| counters_gone(test, &app, &mut guesses, coming))?;
    for tables in stores(&app) {
        without(test, &app, &person, tables, |test, coming| {
            coming.nothing(test)?;
            if matches!(tables, [] | ["users"]) { all_refused(test, &app, &person, &client, token) } else { Ok(()) }
        })?;
    }
    if app.database()?.table("audit").is_ok() {
        without(test, &app, &person, &["audit"], |test, coming| trail_gone(test, &app, coming, token))?;
    }
    if test.has("tokens") {
        devices(test, &app, &person)?;
    }
    if !app.providers.is_empty() {
        providers_gone(test)?;
    }
    let me = client.copy().me()?;
    test.refuses("a session goes on after the outage, without a restart", me.succeeded(), &me);
    let login = app.client().enter(&person)?;
    test.refuses("a sign-in works after the outage, without a restart", login.succeeded(), &login);
    let Some(token) = token else { return Ok(()) };
    let reset = app.client().reset(token, &random::password())?;
    test.refuses("an outage uses no mailed link up", reset.succeeded(), &reset);
    no_mail(test, &app)
}

/// Tables without which nobody is somebody; nothing is the whole database.
fn stores(app: &App) -> Vec<&'static [&'static str]> {
    let mut all: Vec<&[&str]> = vec![&["users"], &[]];
    if !app.has_passwords() {
        all.extend([&["identities"] as &[&str], &["transactions"]]);
    }
    all
}

/// A request that would sign somebody in; what comes before it was done while all was well.
struct Coming(Client, Request);

impl Coming {
    fn new(app: &Arc<App>, person: &Person) -> Outcome<Self> {
        let (client, request) = app.client().about_to_enter(person)?;
        Ok(Self(client, request))
    }

    /// It signs nobody in.
    fn nothing(&self, test: &mut Test<'_>) -> Outcome {
        let answer = self.0.copy().send(&self.1)?;
        nothing(test, &answer);
        Ok(())
    }
}

/// Attacks while these tables are gone, or all of them, and counts sessions before and after.
fn without(
    test: &mut Test<'_>,
    app: &Arc<App>,
    person: &Person,
    tables: &[&str],
    mut attack: impl FnMut(&mut Test<'_>, &Coming) -> Outcome,
) -> Outcome {
    let coming = Coming::new(app, person)?;
    let before = signed_in(app)?;
    let outage = if tables.is_empty() { Outage::of_everything(app)? } else { Outage::of_tables(app, tables)? };
    let attacked = attack(test, &coming);
    outage.end()?;
    attacked?;
    let after = signed_in(app)?;
    let seen = format!("{before} sessions before, {after} after, with {tables:?} gone");
    test.refuses("an outage makes no session", after <= before, seen);
    Ok(())
}

/// How many sessions there are of somebody: where a form's token is kept in a session, others have one as well.
fn signed_in(app: &App) -> Outcome<usize> {
    let db = app.database()?;
    let sql = format!("SELECT 1 FROM {} WHERE {} IS NOT NULL", db.table("sessions")?, db.column("sessions", "user")?);
    Ok(db.rows(&sql)?.len())
}

/// Tokens that cannot be looked up are none, and none is given.
fn devices(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let device = app.device_of(person)?;
    let browser = app.signed_in(person)?;
    for tables in [&["families"] as &[&str], &["refresh_tokens"], &["users"], &[]] {
        without(test, app, person, tables, |test, _| {
            let mut answers = vec![device.refreshing()?];
            if tables != ["refresh_tokens"] {
                answers.extend([device.ask("API")?, device.ask("API_SCOPED")?, device.ask("DEVICES")?]);
            }
            if app.grants_by_password()? {
                let call = app.password_grant(&person.email, &person.password)?;
                answers.push(app.client().send(&call.request())?);
            }
            if app.grants_by_session()? {
                answers.push(browser.copy().call(&app.session_grant()?)?);
            }
            for answer in &answers {
                nothing(test, answer);
            }
            Ok(())
        })?;
    }
    let after = device.refreshed()?;
    test.refuses("a device goes on after the outage, without a restart", after.works()?, after.access.as_str());
    Ok(())
}

/// A provider that cannot be asked vouches for nobody.
fn providers_gone(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (provider, keys) = (app.provider(0)?, app.provider(0)?.keys());
    app.federated(0, &Subject::new())?;
    for endpoint in [Endpoint::Token, Endpoint::Keys] {
        let mut client = app.client();
        let visit = client.visit(provider)?;
        let code = provider.grant(&visit.ask, Grant::new(&Subject::new()));
        // A key that nobody saw before makes the application ask for the key set.
        provider.change_keys(vec![Key::rsa()?]);
        provider.act(endpoint, Some(Manner::Answers(Reply::json(503, &json!({ "error": "temporarily_unavailable" })))));
        let answer = client.come_back(&visit, &code);
        provider.act(endpoint, None);
        provider.change_keys(keys.clone());
        nothing(test, &answer?);
        let me = client.me()?;
        test.refuses("nobody is signed in by a provider that cannot be asked", me.denied(), &me);
    }
    app.federated(0, &Subject::new()).map(drop)
}

/// A session that cannot be looked up is none.
fn sessions_gone(test: &mut Test<'_>, client: &Client, coming: &Coming) -> Outcome {
    for role in ["ME", "PROTECTED", "SESSIONS", "EXPORT"] {
        let answer = client.copy().get(role)?;
        nothing(test, &answer);
        let stranger = client.app.client().get(role)?;
        nothing(test, &stranger);
    }
    let made_up = client.with_session(Some(&random::letters(22))).me()?;
    nothing(test, &made_up);
    coming.nothing(test)
}

/// Requests that would be evaluated; what comes before them was done while all was well.
fn guesses(app: &Arc<App>) -> Outcome<Vec<(Client, Request)>> {
    let guess = |_| {
        let client = app.client();
        let request = client.guarded(&app.way_in(&Person::new())?)?;
        Ok((client, request))
    };
    (0..12).map(guess).collect()
}

/// Without counters nobody may guess, or begin visits to a provider.
fn counters_gone(test: &mut Test<'_>, app: &Arc<App>, guesses: &mut [(Client, Request)], coming: &Coming) -> Outcome {
    let mut evaluated = 0;
    for (client, request) in &mut *guesses {
        let answer = client.send(request)?;
        evaluated += usize::from(!answer.broke() && !answer.throttled());
    }
    let seen = format!("{evaluated} of {} attempts were evaluated while the counters were gone", guesses.len());
    // A limit that is kept elsewhere meanwhile is as good.
    test.refuses("without its counters the way in is never unlimited", evaluated <= 5, seen);
    // Who was counted before is on the way back from a provider.
    if app.has_passwords() { coming.nothing(test) } else { Ok(()) }
}

/// What cannot be recorded is not done.
fn trail_gone(test: &mut Test<'_>, app: &Arc<App>, coming: &Coming, token: Option<&str>) -> Outcome {
    coming.nothing(test)?;
    let Some(token) = token else { return Ok(()) };
    let reset = app.client().reset(token, &random::password())?;
    nothing(test, &reset);
    Ok(())
}

/// Each role that grants something.
fn all_refused(test: &mut Test<'_>, app: &Arc<App>, person: &Person, client: &Client, token: Option<&str>) -> Outcome {
    for role in ["ME", "PROTECTED", "SESSIONS", "EXPORT"] {
        let answer = client.copy().get(role)?;
        nothing(test, &answer);
    }
    let Some(token) = token else { return Ok(()) };
    let answers = [
        app.client().login(&person.email, &random::password())?,
        client.copy().reauth(&person.password)?,
        client.copy().change_password(&person.password, &random::password())?,
        app.client().reset(token, &random::password())?,
        app.client().verify(&random::secret(), &person.password)?,
        app.client().register(&Person::new())?,
    ];
    for answer in &answers {
        nothing(test, answer);
    }
    Ok(())
}

/// The answer grants nothing.
fn nothing(test: &mut Test<'_>, answer: &Answer) {
    let granted = answer.succeeded() || answer.sets_session() || answer.status < 300;
    test.refuses("nothing is granted while something fails that is needed", !granted, answer);
}

/// A mail server that is down changes no answer and grants nothing.
fn no_mail(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    app.mail_channel()?.refuse(true);
    let newcomer = Person::new();
    let answer = app.client().register(&newcomer)?;
    let early = app.client().login(&newcomer.email, &newcomer.password)?;
    let known = app.client().register(&newcomer)?;
    app.mail_channel()?.refuse(false);
    test.refuses("without mail nobody signs in unconfirmed", early.denied(), &early);
    let alike = answer.look() == known.look();
    test.refuses(
        "without mail known and unknown addresses look alike",
        alike,
        format!("{}\n{}", answer.exchange(), known.exchange()),
    );
    Ok(())
}

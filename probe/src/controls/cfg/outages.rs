//! What an application grants while something fails that it needs.

use std::sync::Arc;

use crate::{
    client::Client,
    http::Answer,
    lab::{App, Setup},
    outage::Outage,
    people::Person,
    random,
    test::{Outcome, Test},
};

/// With its database, parts of it, or its mail gone, an application grants nothing; afterwards it goes on by itself.
pub(super) fn nothing_is_granted(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (person, client) = app.member()?;
    app.client().forgot(&person.email)?;
    let token = app.token("FORGOT", &person.email, 1)?;
    without(test, &app, &["sessions"], |test| sessions_gone(test, &app, &person, &client))?;
    without(test, &app, &["throttles"], |test| counters_gone(test, &app, &person))?;
    without(test, &app, &["users"], |test| all_refused(test, &app, &person, &client, &token))?;
    if app.database()?.table("audit").is_ok() {
        without(test, &app, &["audit"], |test| trail_gone(test, &app, &person, &token))?;
    }
    without(test, &app, &[], |test| all_refused(test, &app, &person, &client, &token))?;
    let me = client.copy().me()?;
    test.refuses("a session goes on after the outage, without a restart", me.succeeded(), &me);
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("LOGIN works after the outage, without a restart", login.succeeded(), &login);
    let reset = app.client().reset(&token, &random::password())?;
    test.refuses("an outage uses no mailed link up", reset.succeeded(), &reset);
    no_mail(test, &app)
}

/// Attacks while these tables are gone, or all of them, and counts sessions before and after.
fn without(
    test: &mut Test<'_>,
    app: &Arc<App>,
    tables: &[&str],
    mut attack: impl FnMut(&mut Test<'_>) -> Outcome,
) -> Outcome {
    let before = app.database()?.count("sessions")?;
    let outage = if tables.is_empty() { Outage::of_everything(app)? } else { Outage::of_tables(app, tables)? };
    let attacked = attack(test);
    outage.end()?;
    attacked?;
    let after = app.database()?.count("sessions")?;
    let seen = format!("{before} sessions before, {after} after, with {tables:?} gone");
    test.refuses("an outage makes no session", after <= before, seen);
    Ok(())
}

/// A session that cannot be looked up is none.
fn sessions_gone(test: &mut Test<'_>, app: &Arc<App>, person: &Person, client: &Client) -> Outcome {
    for role in ["ME", "PROTECTED", "SESSIONS", "EXPORT"] {
        let answer = client.copy().get(role)?;
        nothing(test, &answer);
        let stranger = app.client().get(role)?;
        nothing(test, &stranger);
    }
    let made_up = client.with_session(Some(&random::letters(22))).me()?;
    nothing(test, &made_up);
    let login = app.client().login(&person.email, &person.password)?;
    nothing(test, &login);
    Ok(())
}

/// Without counters nobody may guess.
fn counters_gone(test: &mut Test<'_>, app: &Arc<App>, person: &Person) -> Outcome {
    let mut evaluated = 0;
    for _ in 0..12 {
        let answer = app.client().login(&person.email, &random::password())?;
        evaluated += usize::from(!answer.broke() && !answer.throttled());
    }
    let seen = format!("{evaluated} of 12 wrong passwords were evaluated while the counters were gone");
    // A limit that is kept elsewhere meanwhile is as good.
    test.refuses("without its counters LOGIN is never unlimited", evaluated <= 5, seen);
    let right = app.client().login(&person.email, &person.password)?;
    nothing(test, &right);
    Ok(())
}

/// What cannot be recorded is not done.
fn trail_gone(test: &mut Test<'_>, app: &Arc<App>, person: &Person, token: &str) -> Outcome {
    let login = app.client().login(&person.email, &person.password)?;
    nothing(test, &login);
    let reset = app.client().reset(token, &random::password())?;
    nothing(test, &reset);
    Ok(())
}

/// Each role that grants something.
fn all_refused(test: &mut Test<'_>, app: &Arc<App>, person: &Person, client: &Client, token: &str) -> Outcome {
    for role in ["ME", "PROTECTED", "SESSIONS", "EXPORT"] {
        let answer = client.copy().get(role)?;
        nothing(test, &answer);
    }
    let answers = [
        app.client().login(&person.email, &person.password)?,
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

//! Links that confirm an address: once, in time, the newest, and not by reading.

use std::{sync::Arc, thread, time::Duration};

use crate::{
    http::{Answer, Request},
    lab::{App, Setup},
    people::Person,
    random,
    test::{Outcome, Test},
};

/// A verification token works once, before its time is over, and only the newest does.
pub(super) fn verification_token(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    once(test, &app)?;
    only_the_newest(test, &app)?;
    in_time(test)
}

fn once(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let (person, mut browser) = (Person::new(), app.client());
    browser.register(&person)?;
    let token = app.token("REGISTER", &person.email, 1)?;
    let registering = browser.copy();
    let first = app.client().verify(&token, &person.password)?;
    test.works("VERIFY takes the mailed token", first.succeeded(), &first)?;
    app.signed_in(&person)?;
    let second = app.client().verify(&token, &person.password)?;
    test.refuses("a verification token works only once", second.denied(), &second);
    let call = app.role("VERIFY")?.field("token", token.as_str());
    let mut registering = registering.elsewhere();
    let third = registering.call(&call)?;
    test.refuses("a used token opens nothing in the browser that registered", third.denied(), &third);
    Ok(())
}

fn only_the_newest(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let person = Person::new();
    let old = app.registered(&person)?;
    let call = app.role("RESEND")?.field("email", person.email.as_str());
    let resent = app.client().call(&call)?;
    test.works("RESEND is answered with success", resent.succeeded(), &resent)?;
    let new = app.token("RESEND", &person.email, 2)?;
    let voided = app.client().verify(&old, &person.password)?;
    test.refuses("a token is void once a newer one was mailed", voided.denied(), &voided);
    if voided.denied() {
        let answer = app.client().verify(&new, &person.password)?;
        test.works("the newest token works", answer.succeeded(), &answer)?;
    }
    Ok(())
}

fn in_time(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("verify_token", 1))?;
    let person = Person::new();
    let token = app.registered(&person)?;
    thread::sleep(Duration::from_millis(2100));
    let late = app.client().verify(&token, &person.password)?;
    test.refuses("a verification token does not work after its time", late.denied(), &late);
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("a token that came too late confirms nothing", login.denied(), &login);
    Ok(())
}

/// Who follows links in mails before people do.
const READERS: [&str; 5] = [
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; SafeLinks)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "BarracudaCentral/1.0",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
    "curl/8.5.0",
];

/// Reading a mailed link, however often, uses nothing up and changes nothing.
pub(super) fn reading_changes_nothing(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, mut browser) = (Person::new(), app.client());
    browser.register(&person)?;
    let token = app.token("REGISTER", &person.email, 1)?;
    read(test, &app, "VERIFY_PAGE", &token)?;
    // The browser that registered is the one whose reading could mean most.
    let page = app.role("VERIFY_PAGE")?.query("token", &token);
    browser.elsewhere().send(&page.request())?;
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("reading the link confirms no address", login.denied(), &login);
    let verified = app.client().verify(&token, &person.password)?;
    test.refuses("after the link was read, VERIFY still takes its token", verified.succeeded(), &verified);

    let person = app.person()?;
    app.client().forgot(&person.email)?;
    let token = app.token("FORGOT", &person.email, 1)?;
    read(test, &app, "RESET_PAGE", &token)?;
    let login = app.client().login(&person.email, &person.password)?;
    test.refuses("reading a reset link leaves the password as it is", login.succeeded(), &login);
    let reset = app.client().reset(&token, &random::password())?;
    test.refuses("after the link was read, RESET still takes its token", reset.succeeded(), &reset);
    Ok(())
}

fn read(test: &mut Test<'_>, app: &Arc<App>, role: &str, token: &str) -> Outcome {
    let request = app.role(role)?.query("token", token).request();
    let first = app.client().send(&request)?;
    test.works(&format!("{role} opens with a live token"), first.succeeded(), &first)?;
    for reader in READERS {
        let mut client = app.client();
        for method in ["GET", "HEAD"] {
            let request = Request { method: method.to_owned(), ..request.clone() }.header("User-Agent", reader);
            let answer: Answer = client.send(&request.header("Accept", "text/html,*/*;q=0.8"))?;
            test.refuses(&format!("{role} does not break"), !answer.broke(), &answer);
            // A page may give whoever reads it a session of nobody, which the token of its form is bound to.
            let opens = answer.sets_session() && client.is_signed_in()?;
            test.refuses(&format!("{role} signs nobody in"), !opens, &answer);
        }
    }
    Ok(())
}

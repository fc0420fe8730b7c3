//! Where a password may come back.

use std::sync::Arc;

use serde_json::json;

use super::with_password;
use crate::{
    client::Call,
    contract::Encoding,
    http::{Answer, Request},
    lab::App,
    people::{Person, email},
    random,
    test::{Outcome, Test},
};

/// All passwords of this attack begin so; it is too short to be one itself.
struct Sentinel(String);

impl Sentinel {
    fn password(&self) -> String {
        format!("{} {}", self.0, random::letters(9))
    }

    /// Whether it is in the answer, its headers or its redirect.
    fn is_in(&self, answer: &Answer) -> bool {
        let headers = answer.headers.iter().any(|(name, value)| name.contains(&self.0) || value.contains(&self.0));
        headers || answer.text().contains(&self.0)
    }
}

/// No answer and no mail repeats a password, whatever was wrong with the request.
pub(super) fn never_echoed(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let sentinel = Sentinel(format!("SENT-{}", random::letters(6)));
    let person = app.account(with_password(&sentinel.password()))?;
    let mut answers = the_life_of_an_account(test, &app, &sentinel, &person)?;
    answers.extend(broken(&app, &sentinel, &person)?);
    answers.extend(posted(test, &app, &sentinel, &person)?);
    for answer in &answers {
        test.refuses("no answer repeats the password", !sentinel.is_in(answer), answer);
    }
    // The newest mail that must come, so that those before it are there.
    app.client().forgot(&person.email)?;
    app.token("FORGOT", &person.email, 2)?;
    for mail in app.mail_channel()?.to(&person.email) {
        let all = mail.all();
        test.refuses("no mail repeats the password", !all.contains(&sentinel.0), &all);
    }
    Ok(())
}

/// Requests as they should be, and with passwords that are wrong.
fn the_life_of_an_account(
    test: &mut Test<'_>,
    app: &Arc<App>,
    sentinel: &Sentinel,
    person: &Person,
) -> Outcome<Vec<Answer>> {
    let mut client = app.client();
    let login = client.login(&person.email, &person.password)?;
    test.works("LOGIN takes the right password", login.succeeded(), &login)?;
    let (new, last) = (sentinel.password(), sentinel.password());
    let changed = client.change_password(&person.password, &new)?;
    test.works("PWCHANGE takes the right password", changed.succeeded(), &changed)?;
    let mut answers = vec![login, changed, client.me()?];
    answers.push(client.reauth(&sentinel.password())?);
    answers.push(client.reauth(&new)?);
    answers.push(client.change_password(&sentinel.password(), &last)?);
    answers.push(client.change_password(&new, &sentinel.0)?);
    answers.push(app.client().forgot(&person.email)?);
    let token = app.token("FORGOT", &person.email, 1)?;
    answers.push(app.client().reset(&token, &sentinel.0)?);
    answers.push(app.client().reset(&random::letters(43), &last)?);
    let reset = app.client().reset(&token, &last)?;
    test.works("RESET takes the mailed token", reset.succeeded(), &reset)?;
    answers.push(reset);
    answers.push(app.client().verify(&random::letters(43), &last)?);
    answers.push(app.client().login(&person.email, &sentinel.password())?);
    answers.push(app.client().login(&email(), &sentinel.password())?);
    answers.push(app.client().register(&with_password(&sentinel.password()))?);
    answers.push(app.client().register(&with_password(&sentinel.0))?);
    answers.push(app.client().register(&Person {
        email: "no address".to_owned(),
        password: sentinel.password(),
        ..Person::new()
    })?);
    Ok(answers)
}

/// Requests that no form of the application would make.
fn broken(app: &Arc<App>, sentinel: &Sentinel, person: &Person) -> Outcome<Vec<Answer>> {
    let mut answers = vec![];
    // Registering the account itself would cost it the mails that are looked at.
    for (role, email) in [("REGISTER", email()), ("LOGIN", person.email.clone())] {
        let call = app.role(role)?.field("email", email);
        let odd = [
            json!({ &sentinel.0: &sentinel.0 }),
            json!([&sentinel.0]),
            json!(format!("{}\u{0}", sentinel.password())),
            json!(sentinel.password().repeat(100)),
            json!(sentinel.password().repeat(4000)),
        ];
        for value in odd {
            answers.extend(app.client().try_send(&app.client().guarded(&call.clone().field("password", value))?));
        }
        let call = call.field("password", sentinel.password());
        for request in misread(app, &call)? {
            answers.extend(app.client().try_send(&request));
        }
        let mut client = app.client();
        answers.push(client.call(&app.role(role)?.query("password", &sentinel.0))?);
        // A value where a name is expected.
        answers.push(client.call(&call.field(&sentinel.0, sentinel.0.as_str()))?);
    }
    Ok(answers)
}

/// The same body cut off, under wrong types, and in the other encoding.
fn misread(app: &Arc<App>, call: &Call) -> Outcome<Vec<Request>> {
    let client = app.client();
    let request = client.guarded(call)?;
    let mut cut = request.clone();
    cut.body.truncate(cut.body.len().saturating_sub(2));
    let mut requests = vec![cut];
    for kind in
        ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        requests.push(request.clone().with("Content-Type", kind));
    }
    for encoding in [Encoding::Form, Encoding::Json] {
        requests.push(client.guarded(&call.clone().encoding(encoding))?);
    }
    Ok(requests)
}

/// Forms that are shown again, if the application has pages.
fn posted(test: &mut Test<'_>, app: &Arc<App>, sentinel: &Sentinel, person: &Person) -> Outcome<Vec<Answer>> {
    if app.contract.pages.is_none() {
        return Ok(vec![]);
    }
    let mut answers = vec![];
    for (role, email) in [("LOGIN", person.email.as_str()), ("REGISTER", "no address"), ("REGISTER", &email())] {
        let call = app.form(role)?.field("email", email).field("password", sentinel.0.as_str());
        answers.push(app.client().call(&call)?);
        answers.push(app.client().call(&app.form(role)?.field("email", email).field("password", sentinel.password()))?);
    }
    if let Some(refused) = answers.first() {
        test.works("a form that is refused is shown again", !refused.body.is_empty(), refused)?;
    }
    Ok(answers)
}

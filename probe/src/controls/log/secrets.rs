//! What must be in no log, in whatever form.

use std::sync::Arc;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

use crate::{
    client::encoded,
    contract::Log,
    controls::tour::Tour,
    db::hex,
    lab::{App, Setup},
    outage::Outage,
    people::Person,
    random,
    test::{Outcome, Test},
};

/// So much of what opens something by itself is already too much.
const PREFIX: usize = 12;

/// No password, session, link or key is in the log, as little as it says and as much as it can say, also when things fail.
pub(super) fn no_secrets(test: &mut Test<'_>) -> Outcome {
    test.needs_start()?;
    let log = test.app()?.log_table()?.clone();
    for verbose in [false, true] {
        in_log(test, &log, verbose)?;
    }
    Ok(())
}

fn in_log(test: &mut Test<'_>, log: &Log, verbose: bool) -> Outcome {
    let mut setup = Setup::default().set("secret", random::secret());
    if verbose {
        for (name, value) in &log.verbose {
            setup = setup.variable(name, Some(value));
        }
    }
    let app = test.boot(&setup)?;
    let mut tour = Tour::new(&app)?;
    while_things_fail(&app, &mut tour)?;
    misplaced(&app, &mut tour)?;
    tour.secrets.extend(setup.settings.get("secret").cloned());
    let said = app.said_by_now()?;
    let events = [app.event_name("login")?, app.refusal_name()?];
    let is_log = events.iter().all(|name| said.contains(name.as_str()));
    test.works("the log holds events", is_log, said.lines().take(20).collect::<Vec<_>>().join("\n"))?;
    for secret in tour.secrets.iter().chain(&tour.bearers) {
        let found = forms(secret).into_iter().find_map(|form| said.lines().find(|line| line.contains(&form)));
        test.refuses("no secret is in the log, in no form", found.is_none(), found.unwrap_or_default());
    }
    for bearer in tour.bearers.iter().filter(|bearer| bearer.len() > PREFIX && bearer.is_ascii()) {
        let found = said.lines().find(|line| line.contains(&bearer[..PREFIX]));
        test.refuses("no part of what opens something is in the log", found.is_none(), found.unwrap_or_default());
    }
    Ok(())
}

/// The text as it is, and as it may be written.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    let form = encoded(secret);
    let base64 = [STANDARD_NO_PAD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
    let mut forms = vec![
        secret.to_owned(),
        form.replace("%20", "+"),
        form,
        hex(secret.as_bytes()),
        hex(secret.as_bytes()).to_uppercase(),
        json.trim_matches('"').to_owned(),
    ];
    forms.extend(base64);
    forms.dedup();
    forms
}

/// Requests with secrets while the mail server refuses and the database is gone.
fn while_things_fail(app: &Arc<App>, tour: &mut Tour) -> Outcome {
    if !app.has_passwords() {
        return at_a_provider(app, tour);
    }
    app.mail_channel()?.refuse(true);
    let (person, mut client) = {
        let newcomer = Person::new();
        app.client().register(&newcomer)?;
        app.mail_channel()?.refuse(false);
        tour.secrets.push(newcomer.password);
        app.member()?
    };
    tour.secrets.push(person.password.clone());
    tour.bearers.extend(client.session());
    app.client().forgot(&person.email)?;
    let token = app.token("FORGOT", &person.email, 1)?;
    tour.bearers.push(token.clone());
    let outage = Outage::of_everything(app)?;
    let new = random::password();
    client.me()?;
    client.change_password(&person.password, &new)?;
    app.client().login(&person.email, &person.password)?;
    app.client().reset(&token, &new)?;
    app.client().verify(&token, &new)?;
    app.client().register(&Person { password: new.clone(), ..person.clone() })?;
    tour.secrets.push(new);
    outage.end()
}

/// Somebody who comes back from a provider while the database is gone.
fn at_a_provider(app: &Arc<App>, tour: &mut Tour) -> Outcome {
    let (person, mut client) = app.member()?;
    let (mut returning, back) = app.client().about_to_enter(&person)?;
    tour.bearers.extend(client.session());
    tour.bearers.extend(returning.jar.values().cloned());
    let query = back.target.split_once('?').map_or("", |(_, query)| query);
    let values = query.split('&').filter_map(|pair| pair.split_once('='));
    tour.bearers.extend(values.filter(|(name, _)| *name != "iss").map(|(_, value)| value.to_owned()));
    let outage = Outage::of_everything(app)?;
    client.me()?;
    returning.send(&back)?;
    app.client().call(&app.way_in(&person)?)?;
    outage.end()
}

/// Secrets where they do not belong: in bodies that cannot be read, in paths, queries and headers.
fn misplaced(app: &Arc<App>, tour: &mut Tour) -> Outcome {
    let secret = random::letters(24);
    tour.secrets.push(secret.clone());
    let login = app.way_in(&Person::new())?;
    let field = if app.has_passwords() { "password" } else { "next" };
    let field = login.role().fields.get(field).map_or(field, String::as_str);
    let bodies = [
        format!("{{\"{field}\": \"{secret}\""),
        format!("{{\"{field}\": {{\"is\": \"{secret}\"}}}}"),
        format!("{field}={secret}"),
        format!("[\"{secret}\"]"),
    ];
    for body in bodies {
        let mut client = app.client();
        let request = client.guarded(&login)?.with("Content-Type", "application/json").body(body);
        client.send(&request)?;
    }
    let mut client = app.client();
    let mut request = client.guarded(&login)?.header("Authorization", format!("Bearer {secret}"));
    request = request.header("Cookie", format!("{}={secret}", app.contract.cookies.session));
    client.send(&request)?;
    let foreign = request.with("Origin", "https://elsewhere.test");
    client.send(&foreign)?;
    if !app.providers.is_empty() {
        let strayed = ["code", "state", "iss", "error"].map(|name| (name, secret.as_str()));
        client.send(&app.strayed(&strayed)?)?;
    }
    for role in ["VERIFY_PAGE", "RESET_PAGE", "EMAIL_CONFIRM_PAGE"] {
        if app.contract.roles.contains_key(role) {
            client.call(&app.role(role)?.query("token", &secret))?;
        }
    }
    Ok(())
}

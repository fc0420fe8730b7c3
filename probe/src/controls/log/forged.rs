//! What clients send cannot pass for what the application says.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
};

use crate::{
    client::Client,
    events::Reader,
    lab::{App, Setup},
    random,
    test::{Outcome, Stop, Test},
};

/// The longest run of a client's text that a log may take.
const LONGEST: usize = 1024;

/// No text of a client makes a line, a field or an effect in a terminal, none is endless, and none is looked up.
pub(super) fn no_forged_lines(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    let (person, _) = app.member()?;
    let reader = Reader::new(app.log_table()?)?;
    let failed = app.refusal_name()?;
    let mark = random::letters(12);
    let mut plain = Client { agent: Some(format!("plain-{mark}")), ..app.client() };
    let answer = plain.send(&app.refusable(&plain)?)?;
    let events = app.events_of(&answer)?;
    let real = events.iter().find(|event| event.name == failed);
    let real = real.ok_or_else(|| Stop::Positive("a refused sign-in is in the log".to_owned(), answer.exchange()))?;
    test.works("an agent is in the log", real.line.contains(&mark), real.line.as_str())?;
    let forged = format!("forged{}", random::letters(8));
    let line = real.line.replace(&failed, &forged);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| Stop::Broken(error.to_string()))?;
    let port = listener.local_addr().map_err(|error| Stop::Broken(error.to_string()))?.port();
    let filler = "A".repeat(6 << 10);
    let payloads = [
        format!("x\n{line}"),
        format!("x\r\n{line}\r\n"),
        format!("x\u{2028}{line}"),
        format!("x\" event=\"{forged}\" outcome=\"success"),
        format!("x\",\"event\":\"{forged}\",\"x\":\""),
        format!("x\u{1b}[2J{mark}\u{1b}]0;{mark}\u{7}"),
        format!("${{jndi:ldap://127.0.0.1:{port}/{mark}}}"),
        "%s%n%x%d%{}".to_owned(),
        filler,
    ];
    let answers =
        payloads.iter().map(|payload| everywhere(&app, &person.email, payload)).collect::<Outcome<Vec<_>>>()?;
    drop(answers);
    let said = app.said_by_now()?;
    // What the server around it says comes before it takes requests.
    let ready = test.lab.start_table().ok().and_then(|start| start.ready.clone()).unwrap_or_default();
    for line in said.lines().skip_while(|line| !line.contains(&ready)) {
        test.refuses("each line of the log is one of the application's", reader.is_line(line), line);
    }
    let made = said.lines().filter_map(|line| reader.event(line)).find(|event| event.name == forged);
    test.refuses("nobody forges an event", made.is_none(), made.map(|event| event.line).unwrap_or_default());
    let fields = [format!("\" event=\"{forged}"), format!("\"event\":\"{forged}")];
    let made = said.lines().find(|line| fields.iter().any(|field| line.contains(field)));
    test.refuses("nobody forges a field of an event", made.is_none(), made.unwrap_or_default());
    let raw = said.lines().find(|line| line.contains(|c: char| (c.is_control() && c != '\t') || c == '\u{2028}'));
    test.refuses("no control character is in the log as it was sent", raw.is_none(), raw.unwrap_or_default());
    let long = said.lines().find(|line| line.contains(&"A".repeat(LONGEST + 1)));
    test.refuses("a long text is cut", long.is_none(), long.map(|line| line[..200].to_owned()).unwrap_or_default());
    _ = listener.set_nonblocking(true);
    test.refuses("nothing that a client names is looked up", listener.accept().is_err(), "the application connected");
    test.refuses("the process stays up", app.death().is_none(), app.death().unwrap_or_default());
    Ok(())
}

/// The payload in each place of a request that a log may take something from. What cannot be sent in a header is sent in its
/// printable form.
fn everywhere(app: &Arc<App>, email: &str, payload: &str) -> Outcome {
    let in_header: String = payload.chars().filter(|c| !c.is_control()).collect();
    let raw = payload.replace(['\r', '\n'], "\t");
    if app.has_passwords() {
        typed(app, email, payload)?;
    }
    if let Some(provider) = app.providers.first() {
        app.client().call(&app.role_at("OIDC_START", provider)?.field("next", payload))?;
        for name in ["code", "state", "iss", "error", "error_description"] {
            app.client().send(&app.strayed(&[(name, payload)])?)?;
        }
    }
    for value in [in_header.as_str(), raw.as_str()] {
        for name in [
            "User-Agent",
            "Referer",
            "X-Request-Id",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "Origin",
            "Accept-Language",
        ] {
            let mut client = app.client();
            let request = app.refusable(&client)?.with(name, value);
            // Some are refused before anybody reads them.
            _ = client.try_send(&request);
        }
    }
    let mut client = app.client();
    client.jar.insert(app.contract.cookies.session.clone(), crate::client::encoded(payload));
    client.me()?;
    let mut revoke = app.client();
    revoke.call(&app.role("SESSION_REVOKE")?.segment("id", payload))?;
    for role in ["VERIFY_PAGE", "RESET_PAGE"] {
        if app.contract.roles.contains_key(role) {
            client.call(&app.role(role)?.query("token", payload))?;
        }
    }
    Ok(())
}

/// The payload for an address, a password and a mailed link.
fn typed(app: &Arc<App>, email: &str, payload: &str) -> Outcome {
    let mut client = app.client();
    client.login(payload, &random::password())?;
    client.login(&format!("{payload}@mail.test"), &random::password())?;
    app.client().login(email, payload)?;
    app.client().verify(payload, payload)?;
    app.client().reset(payload, payload)?;
    app.client().forgot(payload)?;
    Ok(())
}

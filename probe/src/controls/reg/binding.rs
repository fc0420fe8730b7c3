//! What of a request becomes part of an account.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    client::Call,
    db::Row,
    http::Answer,
    lab::{App, Setup},
    people::Person,
    random,
    test::{Outcome, Seen as _, Test},
};

/// Only what a form asks for is taken from it: nobody confirms their own address or makes themselves an administrator.
pub(super) fn no_more_than_asked(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (model, mut client) = app.member()?;
    let usual = client.me()?;
    let row = row_of(&app, &model.email)?;
    for extras in [by_usual_names(), by_the_tables_names(&app, &row)?] {
        registered_with(test, &app, &extras, &usual)?;
        changed_with(test, &app, &extras)?;
    }
    let (_, mut later) = app.member()?;
    let me = later.me()?;
    let seen = format!("{}\n{}", usual.seen(), me.seen());
    test.refuses("accounts made later are as those before", keys(&me) == keys(&usual), seen);
    Ok(())
}

fn row_of(app: &App, email: &str) -> Outcome<Row> {
    Ok(app.database()?.find("users", "email", email)?.into_iter().next().unwrap_or_default())
}

fn by_usual_names() -> Map<String, Value> {
    let extras = json!({
        "role": "admin",
        "roles": ["admin"],
        "is_admin": true,
        "admin": true,
        "email_verified": true,
        "emailVerified": true,
        "verified": true,
        "verified_at": 1_700_000_000,
        "id": "0",
        "user_id": "0",
        "password_hash": "x",
        "mfa_enabled": true,
        "amr": ["pwd", "otp"],
        "created_at": 0,
        "__proto__": { "admin": true },
        "constructor": { "prototype": { "admin": true } },
    });
    extras.as_object().cloned().unwrap_or_default()
}

/// In seconds; of moments in milliseconds, it is a minute and a half.
const DAY: i64 = 86_400;

/// A confirmed account as it lies in the database, field by field, so that names and types are the application's own.
fn by_the_tables_names(app: &App, row: &Row) -> Outcome<Map<String, Value>> {
    let db = app.database()?;
    let own = [db.column("users", "email")?, db.column("users", "id")?];
    // A day back, so that no moment is the new account's own by chance.
    let earlier = |number: i64| Value::from(if number > DAY { number - DAY } else { number });
    let typed = |text: &String| text.parse::<i64>().map_or_else(|_| Value::from(text.as_str()), earlier);
    let others = row.iter().filter(|(column, _)| !own.contains(column));
    let mut extras: Map<String, Value> =
        others.filter_map(|(column, value)| Some((column.clone(), typed(value.as_ref()?)))).collect();
    extras.insert(own[1].clone(), random::letters(22).into());
    Ok(extras)
}

/// The call with more fields than the role has; those that it has stay as they are.
fn with_extras(call: Call, extras: &Map<String, Value>) -> Call {
    let known = call.role().fields.clone();
    let foreign = extras.iter().filter(|(name, _)| !known.values().any(|field| field == *name));
    foreign.fold(call, |call, (name, value)| call.field(name, value.clone()))
}

fn registered_with(test: &mut Test<'_>, app: &Arc<App>, extras: &Map<String, Value>, usual: &Answer) -> Outcome {
    let person = Person::new();
    let call = app.role("REGISTER")?.field("email", person.email.as_str()).field("password", person.password.as_str());
    let mut browser = app.client();
    let answer = browser.call(&with_extras(call, extras))?;
    test.refuses("REGISTER with more fields does not break", !answer.broke(), &answer);
    if !answer.succeeded() {
        return Ok(());
    }
    let early = app.client().login(&person.email, &person.password)?;
    test.refuses("no field of REGISTER confirms the address", early.denied(), &early);
    let row = row_of(app, &person.email)?;
    let plain = Person::new();
    app.registered(&plain)?;
    let bound = taken(&row, &row_of(app, &plain.email)?, extras);
    test.refuses("no field of REGISTER goes into the account", bound.is_empty(), format!("{bound:?}"));
    let token = app.token("REGISTER", &person.email, 1)?;
    let verified = browser.verify(&token, &person.password)?;
    test.refuses("an account registered with more fields can be confirmed", verified.succeeded(), &verified);
    let mut client = app.client();
    let login = client.login(&person.email, &person.password)?;
    test.refuses("an account registered with more fields can sign in", login.succeeded(), &login);
    let me = client.me()?;
    let same = keys(&me) == keys(usual) && me.value("amr") == usual.value("amr");
    test.refuses("an account registered with more fields is as others are", same, &me);
    Ok(())
}

/// Columns that hold what was sent for them, and do not in an account that sent nothing.
fn taken(row: &Row, usual: &Row, extras: &Map<String, Value>) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let is_taken = |(column, value): &(&String, &Option<String>)| {
        let sent = extras.get(*column).map(text);
        sent.is_some() && sent == **value && usual.get(*column) != Some(*value)
    };
    row.iter().filter(is_taken).map(|(column, _)| column.clone()).collect()
}

fn keys(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    json.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

/// The same at a form of somebody who is signed in.
fn changed_with(test: &mut Test<'_>, app: &Arc<App>, extras: &Map<String, Value>) -> Outcome {
    let (person, mut client) = app.member()?;
    let before = row_of(app, &person.email)?;
    let new = random::password();
    let call = app.role("PWCHANGE")?.field("current_password", person.password.as_str());
    let call = call.field("new_password", new.as_str()).field("email", crate::people::email());
    let answer = client.call(&with_extras(call, extras))?;
    test.refuses("PWCHANGE with more fields does not break", !answer.broke(), &answer);
    let after = row_of(app, &person.email)?;
    let db = app.database()?;
    for column in ["id", "verified", "created"] {
        let column = db.column("users", column)?;
        let same = after.get(&column) == before.get(&column);
        let what = format!("no field of PWCHANGE goes into `{column}`");
        test.refuses(&what, same, format!("{:?}\n{:?}", before.get(&column), after.get(&column)));
    }
    Ok(())
}

/// An empty database has no account, and none of the names that people try first opens one.
pub(super) fn no_default_accounts(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default())?;
    // It may listen before its tables are made; then it does not answer yet.
    let stranger = app.client().me()?;
    test.works("ME without a session is refused", stranger.denied(), &stranger)?;
    let db = app.database()?;
    let count = db.count("users")?;
    test.refuses("a fresh database has no account", count == 0, format!("{count} accounts"));
    for (name, password) in GUESSES {
        let answer = app.client().login(name, password)?;
        let what = format!("{name} with {password} does not sign in");
        test.refuses(&what, answer.denied() && !answer.throttled(), &answer);
    }
    let after = db.count("users")?;
    test.refuses("LOGIN makes no account", after == count, format!("{after} accounts"));
    app.member()?;
    let grown = db.count("users")?;
    test.works("an account that is made is one more", grown == count + 1, format!("{count}, then {grown} accounts"))
}

const GUESSES: [(&str, &str); 20] = [
    ("admin", "admin"),
    ("admin", "password"),
    ("root", "root"),
    ("root", "toor"),
    ("user", "user"),
    ("demo", "demo"),
    ("test", "test"),
    ("guest", "guest"),
    ("administrator", "administrator"),
    ("test@test.com", "password"),
    ("test@example.com", "test"),
    ("test@example.com", "password123"),
    ("admin@admin.com", "admin"),
    ("admin@example.com", "admin"),
    ("admin@example.com", "admin123"),
    ("admin@app.test", "changeme"),
    ("admin@localhost.localdomain", "admin"),
    ("root@example.com", "root"),
    ("demo@example.com", "demo"),
    ("user@example.com", "password"),
];

//! Changing a password.

use serde_json::{Value, json};

use crate::{
    random,
    test::{Outcome, Test},
};

/// A change takes a session and the current password, and the old password is dead at once.
pub(super) fn current_password(test: &mut Test<'_>) -> Outcome {
    right(test)?;
    let app = test.app()?;
    let stranger = app.person()?;
    for at in 0..WRONG {
        let (person, mut client) = app.member()?;
        let (which, current) = &wrong(&person.password, &stranger.password)[at];
        let new = random::password();
        let mut call = app.role("PWCHANGE")?.field("new_password", new.as_str());
        if let Some(current) = current {
            call = call.field("current_password", current.clone());
        }
        let before = hash_of(test, &person.email)?;
        let answer = client.call(&call)?;
        test.refuses(&format!("PWCHANGE refuses {which}"), answer.denied(), &answer);
        let old = app.client().login(&person.email, &person.password)?;
        test.refuses(&format!("the old password stays right after {which}"), old.succeeded(), &old);
        let taken = app.client().login(&person.email, &new)?;
        test.refuses(&format!("the new password is not set with {which}"), taken.denied(), &taken);
        let after = hash_of(test, &person.email)?;
        test.refuses(
            &format!("the stored hash stays after {which}"),
            before == after,
            format!("{before:?}\n{after:?}"),
        );
    }
    Ok(())
}

const WRONG: usize = 6;

/// What is no current password; `None` is no field.
fn wrong(right: &str, theirs: &str) -> [(&'static str, Option<Value>); WRONG] {
    [
        ("no current password", None),
        ("a wrong current password", Some(random::password().into())),
        ("an empty current password", Some("".into())),
        ("null as current password", Some(Value::Null)),
        ("a list of the current password", Some(json!([right]))),
        ("somebody else's password", Some(theirs.into())),
    ]
}

fn hash_of(test: &Test<'_>, email: &str) -> Outcome<Option<String>> {
    Ok(test.app()?.database()?.one("users", "email", email, "password")?)
}

fn right(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let (person, mut client) = app.member()?;
    let new = random::password();
    let mut stranger = app.client();
    let answer = stranger.change_password(&person.password, &new)?;
    test.refuses("PWCHANGE without a session is refused", answer.denied(), &answer);
    let answer = client.change_password(&person.password, &new)?;
    test.works("PWCHANGE takes the current password", answer.succeeded(), &answer)?;
    let fresh = app.client().login(&person.email, &new)?;
    test.works("the new password signs in", fresh.succeeded(), &fresh)?;
    let old = app.client().login(&person.email, &person.password)?;
    test.refuses("the old password is dead after the change", old.denied(), &old);
    Ok(())
}

//! What a token's header asks for, and what kind of token it says it is.

use serde_json::{Value, json};

use super::{
    super::oic::{refuses, signs_in},
    Forge,
};
use crate::{
    devices::bearing,
    jws::Token,
    provider::{Grant, Subject},
    test::{Outcome, Test},
};

/// What a token calls critical is understood, or the token is refused: an access token, and an ID token.
pub(super) fn critical(test: &mut Test<'_>) -> Outcome {
    if test.has("oidc") {
        critical_of_id_tokens(test)?;
    }
    if test.has("tokens") { critical_of_access_tokens(test) } else { Ok(()) }
}

fn critical_of_id_tokens(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let right = || Grant::new(&Subject::new());
    signs_in(test, &app, "with a header that calls nothing critical", |_| right())?;
    let wrong = [
        ("`crit` names what nobody knows", right().header("crit", json!(["x"])).header("x", 1)),
        ("`crit` is empty", right().header("crit", json!([]))),
        ("`crit` is a text", right().header("crit", "exp")),
        ("`crit` names a claim", right().header("crit", json!(["exp"]))),
        ("`crit` names the payload's encoding", right().header("crit", json!(["b64"])).header("b64", false)),
    ];
    for (what, grant) in wrong {
        refuses(test, &app, what, |_| grant)?;
    }
    Ok(())
}

fn critical_of_access_tokens(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    let with = |crit: Value| forge.token.clone().with_header("crit", crit);
    let wrong = [
        ("`crit` names what nobody knows", with(json!(["x"])).with_header("x", 1)),
        ("`crit` names what is not there", with(json!(["x"]))),
        ("`crit` names an address of a policy", with(json!(["urn:policy"])).with_header("urn:policy", true)),
        ("`crit` is empty", with(json!([]))),
        ("`crit` is a text", with(json!("exp"))),
        ("`crit` names a claim", with(json!(["exp"]))),
        ("`crit` names a header of the standard", with(json!(["alg"]))),
        ("`crit` names the payload's encoding, which is none", with(json!(["b64"])).with_header("b64", false)),
        ("`crit` holds a number", with(json!([1]))),
    ];
    for (what, token) in wrong {
        forge.refused(test, what, &token)?;
    }
    forge.still_works(test)
}

/// Nothing that the application signs or gives for another purpose is an access token, and an access token is nothing else.
pub(super) fn one_purpose(test: &mut Test<'_>) -> Outcome {
    let forge = Forge::new(test)?;
    for typ in
        ["JWT", "jwt", "id+jwt", "refresh+jwt", "logout+jwt", "rt+jwt", "dpop+jwt", "at", "at+jwt;", " at+jwt", ""]
    {
        if !typ.eq_ignore_ascii_case(&forge.app.tokens_table()?.typ) {
            forge.refused(test, &format!("`typ` is `{typ}`"), &forge.token.clone().with_header("typ", typ))?;
        }
    }
    let typ = forge.app.tokens_table()?.typ.clone();
    for (what, value) in
        [("null", json!(null)), ("a number", json!(1)), ("an array", json!([typ])), ("an object", json!({}))]
    {
        forge.refused(test, &format!("`typ` is {what}"), &forge.token.clone().with_header("typ", value))?;
    }
    forge.refused(test, "no `typ`", &forge.token.clone().without_header("typ"))?;
    // Both are the same type to RFC 9068; whether they are taken is the application's choice.
    for same in [format!("application/{typ}"), typ.to_uppercase()] {
        let answer = forge.ask(&forge.token.clone().with_header("typ", same).signed(&forge.key)?)?;
        test.refuses("another way to write `typ` breaks nothing", !answer.broke(), &answer);
    }
    forge.refused(test, "an ID token of the same key", &id_token(&forge.token))?;
    other_artefacts(test, &forge)?;
    elsewhere(test, &forge)?;
    forge.still_works(test)
}

fn id_token(access: &Token) -> Token {
    let token = access.clone().with_header("typ", "JWT").without("scope").without("sid").without("ver");
    token.with("nonce", "n").with("email", "somebody@mail.test")
}

/// What is given for other purposes, as a bearer token.
fn other_artefacts(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    let app = &forge.app;
    let client = app.signed_in(&forge.person)?;
    let mut others =
        vec![("a session", client.session().unwrap_or_default()), ("a refresh token", forge.device.refresh.clone())];
    if app.has_passwords() {
        app.client().forgot(&forge.person.email)?;
        others.push(("a mailed token", app.token("FORGOT", &forge.person.email, 1)?));
    }
    if test.has("oidc") {
        let provider = app.provider(0)?;
        let visit = app.client().visit(provider)?;
        others.push(("a provider's ID token", provider.id_token(&visit.ask, &Grant::new(&Subject::new()))?));
    }
    for (what, text) in others {
        forge.text_refused(test, &format!("{what} as a bearer token"), &text)?;
    }
    Ok(())
}

/// The access token where other secrets belong.
fn elsewhere(test: &mut Test<'_>, forge: &Forge) -> Outcome {
    let (app, access) = (&forge.app, forge.device.access.as_str());
    let me = app.client().with_session(Some(access)).me()?;
    test.refuses("an access token is no session", me.denied(), &me);
    let me = app.client().send(&bearing(&app.role("ME")?, access))?;
    test.refuses("an access token opens no page that asks for a session", me.denied(), &me);
    let mailed: &[&str] = if app.has_passwords() { &["VERIFY", "RESET"] } else { &[] };
    for role in mailed {
        let call = app.role(role)?.field("token", access).field("password", crate::random::password());
        let answer = app.client().call(&call)?;
        test.refuses(&format!("an access token is none that {role} takes"), answer.denied(), &answer);
    }
    let answer = app.refresh(access)?;
    test.refuses("an access token is no refresh token", answer.denied(), &answer);
    Ok(())
}

//! Adding a provider's identity to an account, and taking one away.

use std::{sync::Arc, thread, time::Duration};

use serde_json::Value;

use super::{Trip, turned_away};
use crate::{
    client::Client,
    federation::Visit,
    http::Answer,
    lab::{App, Setup},
    provider::{Grant, Provider, Subject, now},
    test::{Outcome, Test},
};

const WINDOW: Duration = Duration::from_secs(3);

/// Linking and unlinking are wanted by somebody who signed in lately, and never move what is somebody else's.
pub(super) fn intentional(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = to_link(&app)?;
    works(test, &app, provider)?;
    unwanted(test, &app, provider)?;
    another_session(test, &app, provider)?;
    taken(test, &app, provider)?;
    wrong_intent(test, &app, provider)?;
    unlink_of_another(test, &app, provider)?;
    stale(test)
}

/// The provider whose identities are linked: where accounts come from the first one, the second.
pub(in crate::controls) fn to_link(app: &App) -> Outcome<&Provider> {
    app.provider(usize::from(!app.has_passwords()))
}

fn link(client: &mut Client, provider: &Provider) -> Outcome<Visit> {
    let call = client.app.role_at("OIDC_LINK", provider)?;
    client.visit_by(&call, provider)
}

/// There and back; gives the answer of the callback.
pub(in crate::controls) fn linked(client: &mut Client, provider: &Provider, subject: &Subject) -> Outcome<Answer> {
    let visit = link(client, provider)?;
    let code = provider.grant(&visit.ask, Grant::new(subject));
    client.come_back(&visit, &code)
}

/// Whether the list of the client's identities has one of the provider.
pub(in crate::controls) fn has_identity(client: &Client, provider: &Provider) -> Outcome<bool> {
    let answer = client.copy().get("IDENTITIES")?;
    let list = answer.value("list").and_then(|list| serde_json::from_str::<Vec<Value>>(&list).ok()).unwrap_or_default();
    let pointer = answer.role.as_ref().and_then(|role| role.extract.get("provider").cloned());
    let of =
        |entry: &Value| pointer.as_ref().and_then(|at| entry.pointer(at)).and_then(Value::as_str) == Some(&provider.id);
    Ok(list.iter().any(of))
}

/// The account that the subject signs in to.
fn account(app: &Arc<App>, provider: &Provider, subject: &Subject) -> Outcome<Option<String>> {
    let mut client = app.client();
    client.sign_in_at(provider, Grant::new(subject))?;
    client.me()?.value("id").map_or(Ok(None), |id| Ok(Some(id)))
}

fn works(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider) -> Outcome {
    let (_, mut client) = app.member()?;
    let (subject, id) = (Subject::new(), client.me()?.value("id"));
    let answer = linked(&mut client, provider, &subject)?;
    let listed = has_identity(&client, provider)?;
    test.works("an identity is linked by who is signed in", !answer.broke() && !answer.denied() && listed, &answer)?;
    test.works("it signs in to that account", account(app, provider, &subject)? == id, &answer)?;
    let answer = client.call(&app.role_at("OIDC_UNLINK", provider)?)?;
    test.works("it is unlinked", answer.succeeded(), &answer)?;
    let gone = !has_identity(&client, provider)?;
    test.refuses("an identity that was unlinked is gone", gone, &answer);
    let later = account(app, provider, &subject)?;
    test.refuses("it signs in to that account no more", later != id, &answer);
    Ok(())
}

/// Nobody signed in, or another site.
fn unwanted(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider) -> Outcome {
    let mut stranger = app.client();
    for role in ["OIDC_LINK", "OIDC_UNLINK"] {
        let answer = stranger.call(&app.role_at(role, provider)?)?;
        test.refuses(&format!("{role} is refused without a session"), answer.denied(), &answer);
    }
    let (_, mut client) = app.member()?;
    let subject = Subject::new();
    let answer = linked(&mut client, provider, &subject)?;
    test.works("an identity is linked", has_identity(&client, provider)?, &answer)?;
    for role in ["OIDC_LINK", "OIDC_UNLINK"] {
        let call = app.role_at(role, provider)?;
        let request = client.guarded(&call)?.with("Origin", "https://evil.test").with("Sec-Fetch-Site", "cross-site");
        let answer = client.copy().send(&request)?;
        test.refuses(&format!("{role} is refused for another site"), answer.denied(), &answer);
    }
    let kept = has_identity(&client, provider)?;
    test.refuses("another site unlinks nothing", kept, "the identity is gone");
    Ok(())
}

/// Somebody else signs in in the browser before it comes back.
fn another_session(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider) -> Outcome {
    let ((_, mut first), (_, second)) = (app.member()?, app.member()?);
    let subject = Subject::new();
    let visit = link(&mut first, provider)?;
    let code = provider.grant(&visit.ask, Grant::new(&subject));
    let session = second.session();
    let mut mixed = first.with_session(session.as_deref());
    let answer = mixed.come_back(&visit, &code)?;
    let what = "a link that somebody else's session brings back is refused";
    test.refuses(what, turned_away(&answer), &answer);
    test.refuses("it is not linked to who is signed in then", !has_identity(&second, provider)?, &answer);
    test.refuses("it is not linked to who began it", !has_identity(&first, provider)?, &answer);
    Ok(())
}

/// An identity that is somebody's stays theirs.
fn taken(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider) -> Outcome {
    let ((_, mut owner), (_, mut thief)) = (app.member()?, app.member()?);
    let (subject, id) = (Subject::new(), owner.me()?.value("id"));
    let answer = linked(&mut owner, provider, &subject)?;
    test.works("an identity is linked", has_identity(&owner, provider)?, &answer)?;
    let answer = linked(&mut thief, provider, &subject)?;
    test.refuses("an identity of somebody else is not linked", turned_away(&answer), &answer);
    test.refuses("who tried does not have it", !has_identity(&thief, provider)?, &answer);
    let still = has_identity(&owner, provider)? && account(app, provider, &subject)? == id;
    test.refuses("its owner keeps it", still, &answer);
    Ok(())
}

/// A visit to sign in does not link, and one to link does not sign in.
fn wrong_intent(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider) -> Outcome {
    let (_, member) = app.member()?;
    let mut trip = Trip::with(member.copy(), provider, |_| Grant::new(&Subject::new()))?;
    let answer = trip.come_back()?;
    let linked = has_identity(&member, provider)?;
    test.refuses("a visit that began as a sign-in links nothing to who is signed in", !linked, &answer);
    let (_, mut member) = app.member()?;
    let visit = link(&mut member, provider)?;
    let code = provider.grant(&visit.ask, Grant::new(&Subject::new()));
    let mut out = member.with_session(None);
    let answer = out.come_back(&visit, &code)?;
    test.refuses("a visit that began as a link signs nobody in", turned_away(&answer), &answer);
    test.refuses("nor is anybody signed in after it", !out.is_signed_in()?, &answer);
    Ok(())
}

fn unlink_of_another(test: &mut Test<'_>, app: &Arc<App>, provider: &Provider) -> Outcome {
    let ((_, mut owner), (_, mut other)) = (app.member()?, app.member()?);
    let subject = Subject::new();
    let answer = linked(&mut owner, provider, &subject)?;
    test.works("an identity is linked", has_identity(&owner, provider)?, &answer)?;
    let answer = other.call(&app.role_at("OIDC_UNLINK", provider)?)?;
    test.refuses("who has no identity unlinks none", answer.denied(), &answer);
    test.refuses("somebody else's identity stays", has_identity(&owner, provider)?, &answer);
    Ok(())
}

/// A session that was opened long ago is not enough.
pub(in crate::controls) fn stale(test: &mut Test<'_>) -> Outcome {
    let app = test.boot(&Setup::default().set("reauth", WINDOW.as_secs()))?;
    let provider = to_link(&app)?;
    let (_, mut client) = app.member()?;
    let answer = linked(&mut client, provider, &Subject::new())?;
    test.works("an identity is linked by a session that is fresh", has_identity(&client, provider)?, &answer)?;
    let (_, old) = app.member()?;
    thread::sleep(WINDOW + Duration::from_millis(1200));
    for (role, client) in [("OIDC_UNLINK", &client), ("OIDC_LINK", &old)] {
        let answer = client.copy().call(&app.role_at(role, provider)?)?;
        let holds = answer.denied() && answer.is_code("reauth_required");
        test.refuses(&format!("{role} needs a session that is fresh"), holds, &answer);
    }
    test.refuses("an old session unlinks nothing", has_identity(&client, provider)?, "the identity is gone");
    unattended(test, &app)
}

/// An open browser is signed in at its provider without anybody there: coming back from it is no proof of anything new.
fn unattended(test: &mut Test<'_>, app: &Arc<App>) -> Outcome {
    let provider = app.provider(0)?;
    if !app.says_when(provider) {
        return Ok(());
    }
    let subject = Subject::new();
    let mut client = app.federated(0, &subject)?;
    let lately = client.copy().call(&app.role_at("OIDC_LINK", provider)?)?;
    test.works("who signed in at the provider just now may link", !lately.denied(), &lately)?;
    for (what, grant) in [
        ("long ago", Grant::new(&subject).claim("auth_time", now() - 3600)),
        ("in times to come", Grant::new(&subject).claim("auth_time", now() + 3600)),
        ("at a time that is not told", Grant::new(&subject).no_claim("auth_time")),
    ] {
        let answer = client.sign_in_at(provider, grant)?;
        let answer =
            if client.is_signed_in()? { client.copy().call(&app.role_at("OIDC_LINK", provider)?)? } else { answer };
        let what = format!("OIDC_LINK needs more than a provider's session of somebody who signed in there {what}");
        test.refuses(&what, answer.denied(), &answer);
    }
    Ok(())
}

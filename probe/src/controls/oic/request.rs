//! What a browser takes to the provider, and how the code is redeemed.

use std::collections::{BTreeMap, BTreeSet};

use super::{signs_in, turned_away};
use crate::{
    client::Client,
    federation::Visit,
    lab::App,
    provider::{Ask, Endpoint, Grant, Provider, Subject},
    test::{Outcome, Test},
};

const RUNS: usize = 50;
/// What base64url makes of 128 bits.
const LENGTH: usize = 22;
const SECRET: [&str; 3] = ["client_secret", "code_verifier", "client_assertion"];

/// Each authorization request is well formed, fresh and without secrets; the client proves who it is at the token endpoint alone.
pub(super) fn well_formed(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let provider = app.provider(0)?;
    signs_in(test, &app, "with nothing wrong", |_| Grant::new(&Subject::new()))?;
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for _ in 0..RUNS {
        let visit = app.client().visit(provider)?;
        let right = right(&app, provider, &visit.ask)?;
        test.refuses("the authorization request is well formed", right.is_none(), right.unwrap_or_default());
        for (name, value) in fresh(&visit.ask) {
            test.refuses(&format!("`{name}` cannot be guessed"), is_long(&value), &visit.answer);
            let new = seen.entry(name).or_default().insert(value);
            test.refuses(&format!("`{name}` is another each time"), new, &visit.answer);
        }
        no_secrets(test, provider, &visit);
    }
    whatever_the_host(test, &app, provider)?;
    redeeming(test, &app, provider)
}

fn redirect_uri(app: &App, provider: &Provider) -> Outcome<String> {
    Ok(format!("{}{}", app.origin, app.role_at("OIDC_CALLBACK", provider)?.path()))
}

/// What is not as it must be, if anything.
fn right(app: &App, provider: &Provider, ask: &Ask) -> Outcome<Option<String>> {
    let one = |name: &str, value: &str| (ask.all(name) != [value]).then(|| format!("`{name}` is not `{value}`"));
    let scope: BTreeSet<String> = ask.all("scope").iter().flat_map(|all| all.split(' ')).map(str::to_owned).collect();
    let minimal = scope == ["openid", "email"].map(str::to_owned).into();
    let at_provider = ask.url.as_str().starts_with(&format!("{}?", provider.authorization_endpoint()));
    let wrong = one("response_type", "code")
        .or_else(|| one("client_id", &provider.client_id))
        .or_else(|| one("code_challenge_method", "S256"))
        .or(one("redirect_uri", &redirect_uri(app, provider)?))
        .or_else(|| (!minimal).then(|| "`scope` is not `openid email`".to_owned()))
        .or_else(|| (!at_provider).then(|| "it is not the provider's authorization endpoint".to_owned()));
    Ok(wrong.map(|wrong| format!("{wrong}: {}", ask.url)))
}

/// What must be new in each request.
fn fresh(ask: &Ask) -> [(&'static str, String); 3] {
    ["state", "nonce", "code_challenge"].map(|name| (name, ask.all(name).join(" and ")))
}

fn is_long(value: &str) -> bool {
    value.len() >= LENGTH && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
}

fn no_secrets(test: &mut Test<'_>, provider: &Provider, visit: &Visit) {
    let named = visit.ask.url.query_pairs().any(|(name, _)| SECRET.contains(&name.as_ref()));
    let held = visit.answer.exchange().contains(&provider.client_secret);
    test.refuses("the browser is given no secret of the client", !named && !held, &visit.answer);
}

/// Names of hosts that somebody else sends do not lead the way back elsewhere.
fn whatever_the_host(test: &mut Test<'_>, app: &std::sync::Arc<App>, provider: &Provider) -> Outcome {
    let wanted = redirect_uri(app, provider)?;
    for (name, value) in [
        ("Host", "evil.test"),
        ("X-Forwarded-Host", "evil.test"),
        ("Forwarded", "host=evil.test"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Prefix", "/evil"),
    ] {
        let mut client = app.client();
        let request = client.guarded(&app.role_at("OIDC_START", provider)?)?.with(name, value);
        let answer = client.send(&request)?;
        let location = answer.value("location").and_then(|location| Ask::parse(&location).ok());
        let holds = turned_away(&answer) || location.is_some_and(|ask| ask.redirect_uri == wanted);
        test.refuses(&format!("`{name}` does not change the way back"), holds, &answer);
    }
    Ok(())
}

fn redeeming(test: &mut Test<'_>, app: &std::sync::Arc<App>, provider: &Provider) -> Outcome {
    let mut client: Client = app.client();
    let visit = client.visit(provider)?;
    let code = provider.grant(&visit.ask, Grant::new(&Subject::new()));
    let answer = client.come_back(&visit, &code)?;
    test.works("who comes back is signed in", answer.succeeded(), &answer)?;
    let hits = provider.redeemed(&code);
    test.refuses("a code is redeemed once", hits.len() == 1, &hits);
    let Some(hit) = hits.first() else { return Ok(()) };
    let client = (provider.client_id.clone(), provider.client_secret.clone());
    test.refuses("the client says who it is at the token endpoint", hit.client() == Some(client.clone()), hit);
    let twice = hit.basic().is_some() && hit.field("client_secret").is_some();
    test.refuses("it does so in one way", !twice, hit);
    let fields = hit.fields();
    let wanted = redirect_uri(app, provider)?;
    let right = fields.get("grant_type").is_some_and(|grant| grant == "authorization_code")
        && fields.get("redirect_uri") == Some(&wanted)
        && fields.contains_key("code_verifier");
    test.refuses("a token request has grant, way back and verifier", right, hit);
    test.refuses("a token request has nothing in its address", !hit.target.contains('?'), hit);
    let elsewhere = [Endpoint::Discovery, Endpoint::Keys, Endpoint::UserInfo].map(|endpoint| provider.hits(endpoint));
    let told = elsewhere.iter().flatten().find(|hit| {
        use crate::test::Seen as _;
        hit.seen().contains(&client.1) || hit.basic().is_some()
    });
    test.refuses(
        "the secret goes to the token endpoint alone",
        told.is_none(),
        told.cloned().into_iter().collect::<Vec<_>>(),
    );
    Ok(())
}

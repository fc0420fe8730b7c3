//! Attacks on sign-in at providers. Each begins from a sign-in that works, and changes one thing.

mod accounts;
mod answers;
mod calls;
mod id_tokens;
[% if ui == 'pages' and module.password -%]
mod pages;
[% endif -%]
mod provider;

use serde_json::{Value, json};

use super::*;
use crate::auth::oidc::{
    self,
    presets::{Preset, Variables, open_id},
};
use provider::{CLIENT, Draft, Instead, Key, Provider, SECRET, Tail, parameters};

const TRANSACTION: &str = "__Host-auth-oidc";

const NOTHING: Variables = Variables { issuer: "", client_id: "", client_secret: "", max_age: "", acr: "" };
static PRESETS: [Preset; 3] = [
    open_id("test", "Test", NOTHING),
    open_id("other", "Other", NOTHING),
    Preset {
        secret_in_body: true,
        reauth: false,
        form_post: true,
        ..open_id("posts", "Posts", NOTHING)
    },
];

/// The variable that puts providers of the tests in place of those of the settings: their issuers, in
/// the order of [`PRESETS`].
pub const ISSUERS: &str = "TEST_ISSUERS";

/// Without TLS, as in development, since the providers are on this machine.
pub fn replace(variables: &BTreeMap<&'static str, String>, settings: &mut Settings) {
    let Some(issuers) = variables.get(ISSUERS) else { return };
    settings.oidc.development = true;
    settings.oidc.providers = PRESETS.iter().zip(issuers.split(',')).map(|(preset, issuer)| oidc::Provider {
        preset,
        issuer: issuer.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.to_owned(),
        max_age: variables.get("TEST_MAX_AGE").and_then(|text| text.parse().ok()),
        acr: variables.get("TEST_ACR").cloned(),
    }).collect();
}

/// An application with two providers.
struct World {
    app: App,
    provider: Provider,
    other: Provider,
}

impl World {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(changes: &[(&'static str, &str)]) -> Self {
        let (provider, other) = (Provider::start().await, Provider::start().await);
        let issuers = [&*provider.issuer, &other.issuer, &provider.issuer].join(",");
        let changes = [&[(ISSUERS, issuers.as_str())], changes].concat();
        Self { app: App::with(&changes).await, provider, other }
    }

    /// A browser that has been to the provider and comes back: the path it comes back on.
    async fn returning(&self, browser: &mut Browser<'_>) -> String {
        self.provider.consents(&browser.start("test").await)
    }

    async fn sign_in(&self, browser: &mut Browser<'_>) -> Answer {
        let path = self.returning(browser).await;
        browser.get(&path).await
    }

    /// A browser that is signed in as whom the provider says.
    async fn federated(&self, sub: &str, email: &str) -> Browser<'_> {
        self.provider.is(sub, email);
        let mut browser = self.app.browser();
        assert_eq!(self.sign_in(&mut browser).await.status, 303);
        browser
    }

    /// Comes back and must be refused, without a session and without a token request.
    async fn refuses_unasked(&self, browser: &mut Browser<'_>, path: &str, what: &str) {
        let asked = self.provider.count("/token") + self.other.count("/token");
        let answer = browser.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "oidc_refused"), "{what}");
        assert_eq!(self.provider.count("/token") + self.other.count("/token"), asked, "{what}");
        assert!(!browser.is_signed_in().await, "{what}");
    }
}

impl Browser<'_> {
    async fn asks(&mut self, provider: &str, what: &str, body: Value) -> Answer {
        self.post(&format!("/auth/oidc/{provider}/{what}"), body).await
    }

    /// Where a sign-in leads.
    async fn start(&mut self, provider: &str) -> String {
        let answer = self.asks(provider, "start", json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        location(&answer)
    }

    /// A browser does not say who it is when it follows a redirect.
    async fn link(&mut self, provider: &str) -> Answer {
        self.asks(provider, "link", json!({})).await
    }

    async fn me(&mut self) -> Value {
        self.get("/auth/me").await.json()
    }

    async fn identities(&mut self) -> Vec<Value> {
        let answer = self.get("/auth/identities").await;
        answer.json()["identities"].as_array().cloned().unwrap_or_default()
    }
}

fn location(answer: &Answer) -> String {
    answer.json()["location"].as_str().unwrap_or_default().to_owned()
}

/// The path with one parameter set to another value, or taken away.
fn with_parameter(path: &str, name: &str, value: Option<&str>) -> String {
    use [= import.openidconnect =]::url::form_urlencoded;
    let (path, query) = path.split_once('?').expect("a query");
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != name);
    let mut changed = form_urlencoded::Serializer::new(String::new());
    changed.extend_pairs(pairs);
    if let Some(value) = value {
        changed.append_pair(name, value);
    }
    format!("{path}?{}", changed.finish())
}

fn parameter(path: &str, name: &str) -> String {
    parameters(&format!("{BASE}{path}"))[name].clone()
}

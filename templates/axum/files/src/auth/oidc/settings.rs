//! Settings of providers, checked before anything listens.

use std::time::Duration;

use [= import.openidconnect =]::{reqwest::Certificate, url::Url};

use super::presets::{PRESETS, Preset, Protocol};
use crate::auth::settings::{Lookup, StartError, is_loopback, number, required, wrong};

const ISSUER_FIX: &str =
    "Set it to the `issuer` that the provider's .well-known/openid-configuration has, to the letter.";
const CLIENT_FIX: &str =
    "The provider shows it where the client was made; src/auth/DEPLOYMENT.md says where that is.";
const CA_FIX: &str = "Set it to a file of certificates in PEM, or unset it.";

/// Everything that is told about providers.
pub struct Settings {
    /// Those that can be used.
    pub providers: Vec<Provider>,
    /// Certificates of authorities to trust beside the usual ones.
    pub roots: Vec<Certificate>,
    /// How long one call to a provider may take.
    pub timeout: Duration,
    /// How long somebody has to come back from a provider, in seconds.
    pub transaction: i64,
    /// How long a provider's description and keys are kept.
    pub keys: Duration,
    /// How often an unknown key makes the module ask for the keys again.
    pub cooldown: Duration,
    pub development: bool,
}

/// A provider and this application's client there. It has no `Debug` on purpose.
pub struct Provider {
    pub preset: &'static Preset,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    /// How old a sign-in at the provider may be at most, in seconds.
    pub max_age: Option<i64>,
    /// What strength of authentication it must be.
    pub acr: Option<String>,
}

impl Settings {
    pub fn read(var: Lookup<'_>, development: bool) -> Result<Self, StartError> {
        let seconds = |name, default, bounds| {
            number(var, name, default, bounds).map(|value| Duration::from_secs(value.unsigned_abs()))
        };
        let mut providers = Vec::new();
        for preset in PRESETS {
            providers.extend(Provider::read(preset, var, development)?);
        }
        Ok(Self {
            providers,
            roots: roots(var)?,
            timeout: seconds("AUTH_OIDC_TIMEOUT_SECONDS", 5, 1..=5)?,
            transaction: number(var, "AUTH_OIDC_TRANSACTION_SECONDS", 600, 1..=600)?,
            keys: seconds("AUTH_OIDC_JWKS_SECONDS", 3_600, 1..=3_600)?,
            cooldown: seconds("AUTH_OIDC_JWKS_COOLDOWN_SECONDS", 30, 1..=300)?,
            development,
        })
    }

    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.preset.id == id)
    }
}

impl Provider {
    /// In development, a provider of which nothing is set is left out.
    fn read(
        preset: &'static Preset,
        var: Lookup<'_>,
        development: bool,
    ) -> Result<Option<Self>, StartError> {
        let names = &preset.variables;
        let is_set = || [names.issuer, names.client_id, names.client_secret].iter().any(|n| var(n).is_some());
        if development && !is_set() {
            eprintln!("auth: sign-in with {} is off: {} is not set", preset.name, names.client_id);
            return Ok(None);
        }
        // Only an ID token can say either.
        let is_open_id = matches!(preset.protocol, Protocol::OpenId { .. });
        let asked = |name| if is_open_id { var(name) } else { None };
        let max_age = asked(names.max_age).map(|_| number(var, names.max_age, 0, 1..=2_592_000));
        Ok(Some(Self {
            preset,
            issuer: issuer(preset, var, development)?,
            client_id: required(var, names.client_id, None, CLIENT_FIX)?,
            client_secret: required(var, names.client_secret, None, CLIENT_FIX)?,
            max_age: max_age.transpose()?,
            acr: asked(names.acr),
        }))
    }
}

fn issuer(
    preset: &Preset,
    var: Lookup<'_>,
    development: bool,
) -> Result<String, StartError> {
    let default = match &preset.protocol {
        Protocol::OpenId { issuer, .. } => *issuer,
[%- if 'github' in providers %]
        Protocol::OAuth(endpoints) => return Ok(endpoints.issuer.to_owned()),
[%- endif %]
    };
    let name = preset.variables.issuer;
    let issuer = required(var, name, default, ISSUER_FIX)?;
    let refuse = |why: &str| wrong(name, why, ISSUER_FIX);
    let url = Url::parse(&issuer).map_err(|_| refuse("is not a URL"))?;
    let is_plain = url.query().is_none() && url.fragment().is_none();
    if !is_plain || !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("is not the address of an issuer: it has more than host and path"));
    }
    if preset.shared_issuers.iter().any(|part| issuer.contains(part)) {
        return Err(refuse("stands for more than one organisation; it needs the id of one tenant"));
    }
    if is_safe(&url, development) {
        Ok(issuer)
    } else {
        Err(refuse("does not start with https://"))
    }
}

/// TLS; in development, this machine will do (ASVS 12.3.1).
pub fn is_safe(url: &Url, development: bool) -> bool {
    let is_local = || url.host_str().is_some_and(is_loopback);
    url.scheme() == "https" || (development && url.scheme() == "http" && is_local())
}

fn roots(var: Lookup<'_>) -> Result<Vec<Certificate>, StartError> {
    const NAME: &str = "AUTH_OIDC_CA_FILE";
    let Some(path) = var(NAME) else {
        return Ok(Vec::new());
    };
    let text = std::fs::read(path).map_err(|error| wrong(NAME, format!("cannot be read: {error}"), CA_FIX))?;
    let roots = Certificate::from_pem_bundle(&text).map_err(|_| wrong(NAME, "is not PEM", CA_FIX))?;
    if roots.is_empty() {
        return Err(wrong(NAME, "holds no certificate", CA_FIX));
    }
    Ok(roots)
}

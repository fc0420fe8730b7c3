//! What is known of each provider. DEPLOYMENT.md says where its client is made.

use [= import.openidconnect =]::core::CoreJwsSigningAlgorithm;

/// A provider, as data: nothing else in this folder knows one by name.
pub struct Preset {
    /// What paths call it.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    pub variables: Variables,
    pub protocol: Protocol,
    pub scopes: &'static [&'static str],
    /// Sends the client's secret in the body, not as HTTP Basic authentication.
    pub secret_in_body: bool,
    /// What `prompt` a sign-in asks for. With it, who signed out can choose another account.
    pub prompt: Option<&'static str>,
    /// Whether it signs somebody in anew on request, and says when that was.
    pub reauth: bool,
    /// Whether it posts its answer (`response_mode=form_post`).
    pub form_post: bool,
    /// Whether the claim `xms_edov` says that an address is verified, in place of `email_verified`.
    pub domain_verified: bool,
    /// Parts of issuers that stand for more than one organisation.
    pub shared_issuers: &'static [&'static str],
}

/// The names of a provider's settings.
pub struct Variables {
    pub issuer: &'static str,
    pub client_id: &'static str,
    pub client_secret: &'static str,
    pub max_age: &'static str,
    pub acr: &'static str,
}

/// How a sign-in is proven.
pub enum Protocol {
    /// By an ID token of OpenID Connect.
    OpenId {
        /// Where it has only one.
        issuer: Option<&'static str>,
        algorithms: &'static [CoreJwsSigningAlgorithm],
    },
[%- if 'github' in providers %]
    /// By an API that an access token of OAuth 2 opens.
    OAuth(Endpoints),
[%- endif %]
}
[%- if 'github' in providers %]

/// Of a provider that describes itself nowhere.
pub struct Endpoints {
    pub issuer: &'static str,
    pub authorize: &'static str,
    pub token: &'static str,
    /// Answers with an object that has a number `id`.
    pub user: &'static str,
    /// Answers with a list of `email`, `primary` and `verified`.
    pub emails: &'static str,
}
[%- endif %]

macro_rules! variables {
    ($prefix:literal) => {
        Variables {
            issuer: concat!($prefix, "_ISSUER"),
            client_id: concat!($prefix, "_CLIENT_ID"),
            client_secret: concat!($prefix, "_CLIENT_SECRET"),
            max_age: concat!($prefix, "_MAX_AGE_SECONDS"),
            acr: concat!($prefix, "_ACR"),
        }
    };
}

const USUAL: &[CoreJwsSigningAlgorithm] =
    &[CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, CoreJwsSigningAlgorithm::EcdsaP256Sha256];
[%- if 'keycloak' in providers or 'generic' in providers %]
const WIDE: &[CoreJwsSigningAlgorithm] = &[
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EdDsa,
];
[%- endif %]

/// What OpenID Connect leaves to say where a provider does as it says.
pub const fn open_id(id: &'static str, name: &'static str, variables: Variables) -> Preset {
    Preset {
        id,
        name,
        variables,
        protocol: Protocol::OpenId { issuer: None, algorithms: USUAL },
        scopes: &["openid", "email"],
        secret_in_body: false,
        prompt: None,
        reauth: true,
        form_post: false,
        domain_verified: false,
        shared_issuers: &[],
    }
}

/// In the order in which people are asked.
pub static PRESETS: &[Preset] = &[
[%- if 'google' in providers %]
    Preset {
        protocol: Protocol::OpenId {
            issuer: Some("https://accounts.google.com"),
            algorithms: USUAL,
        },
        prompt: Some("select_account"),
        // Asks for no password when told to, and does not say when it did.
        reauth: false,
        ..open_id("google", "Google", variables!("AUTH_OIDC_GOOGLE"))
    },
[%- endif %]
[%- if 'microsoft' in providers %]
    Preset {
        prompt: Some("select_account"),
        // It never says `email_verified`: an address there can be anything an administrator typed.
        domain_verified: true,
        // Each tenant has an issuer of its own, so that one cannot speak for another.
        shared_issuers: &["/common/", "/organizations/", "/consumers/", "{tenantid}"],
        ..open_id("microsoft", "Microsoft", variables!("AUTH_OIDC_MICROSOFT"))
    },
[%- endif %]
[%- if 'github' in providers %]
    Preset {
        protocol: Protocol::OAuth(Endpoints {
            issuer: "https://github.com/login/oauth",
            authorize: "https://github.com/login/oauth/authorize",
            token: "https://github.com/login/oauth/access_token",
            user: "https://api.github.com/user",
            emails: "https://api.github.com/user/emails",
        }),
        scopes: &["user:email"],
        secret_in_body: true,
        prompt: Some("select_account"),
        reauth: false,
        ..open_id("github", "GitHub", variables!("AUTH_OIDC_GITHUB"))
    },
[%- endif %]
[%- if 'gitlab' in providers %]
    Preset {
        protocol: Protocol::OpenId { issuer: Some("https://gitlab.com"), algorithms: USUAL },
        ..open_id("gitlab", "GitLab", variables!("AUTH_OIDC_GITLAB"))
    },
[%- endif %]
[%- if 'apple' in providers %]
    Preset {
        protocol: Protocol::OpenId {
            issuer: Some("https://appleid.apple.com"),
            algorithms: USUAL,
        },
        secret_in_body: true,
        reauth: false,
        // It tells an address in no other way.
        form_post: true,
        ..open_id("apple", "Apple", variables!("AUTH_OIDC_APPLE"))
    },
[%- endif %]
[%- if 'okta' in providers %]
    open_id("okta", "Okta", variables!("AUTH_OIDC_OKTA")),
[%- endif %]
[%- if 'auth0' in providers %]
    open_id("auth0", "Auth0", variables!("AUTH_OIDC_AUTH0")),
[%- endif %]
[%- if 'keycloak' in providers %]
    Preset {
        protocol: Protocol::OpenId { issuer: None, algorithms: WIDE },
        ..open_id("keycloak", "Keycloak", variables!("AUTH_OIDC_KEYCLOAK"))
    },
[%- endif %]
[%- if 'workos' in providers %]
    Preset { reauth: false, ..open_id("workos", "WorkOS", variables!("AUTH_OIDC_WORKOS")) },
[%- endif %]
[%- if 'generic' in providers %]
    Preset {
        protocol: Protocol::OpenId { issuer: None, algorithms: WIDE },
        ..open_id("generic", "Single sign-on", variables!("AUTH_OIDC_GENERIC"))
    },
[%- endif %]
];

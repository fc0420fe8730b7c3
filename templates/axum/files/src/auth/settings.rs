//! Settings: read once from the environment, checked before anything listens.
//!
//! Production is the default. `AUTH_ENV=development` changes exactly what [`Mode`] lists and is
//! refused away from this machine.

use std::{
    collections::{HashMap, HashSet},
    fmt, io,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
};

use axum::http::Uri;
use [= import.base64 =]::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use [= import.ipnet =]::IpNet;
[%- if module.password %]
use [= import.lettre =]::message::Mailbox;
[%- endif %]
[%- if db == "postgres" %]
use sqlx::postgres::{PgConnectOptions, PgSslMode};
[%- endif %]

use super::{[% if module.tokens %]bearer, [% endif %]cookies::Cookies, [% if ui == 'pages' %]local_path::is_local_path, [% endif %][% if module.oidc %]oidc, [% endif %][% if ui == 'pages' %]pages, [% endif %][% if module.password %]passwords::Cost, [% endif %]tokens};

/// Everything the module can be told.
pub struct Settings {
    pub(super) secret: Secret,
    /// Scheme, host and port: what a browser sends as `Origin`.
    pub(super) base_url: String,
    pub(super) app_name: String,
    pub(super) database_url: String,
[%- if module.password %]
    pub(super) outbox: Outbox,
    pub(super) mail_from: Mailbox,
[%- endif %]
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) cookies: Cookies,
[%- if ui == 'pages' %]
    /// Where somebody goes after signing in.
    pub(super) home_path: String,
[%- endif %]
[%- if module.tokens %]
    pub(super) token_keys: bearer::Keys,
    /// What access tokens name as their audience.
    pub(super) token_audience: String,
    pub(super) token_scopes: bearer::Scopes,
[%- endif %]
    pub(super) policy: Policy,
[%- if module.password %]
    pub(super) cost: Cost,
[%- endif %]
[%- if module.oidc %]
    pub(super) oidc: oidc::Settings,
[%- endif %]
}

[% if module.password -%]
/// Where mail goes.
pub(super) enum Outbox {
    Smtp(String),
    Files(PathBuf),
}

[% endif -%]
/// Lifetimes in seconds, and limits.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub session_idle: i64,
    pub session_absolute: i64,
    pub sessions: i64,
[%- if module.password %]
    pub password_min: i64,
[%- endif %]
    pub reauth: i64,
[%- if module.password %]
    pub verify_token: i64,
    pub reset_token: i64,
    pub email_token: i64,
    pub login_failures: i64,
    pub login_backoff: i64,
    pub login_cap: i64,
[%- endif %]
    pub login_source: i64,
[%- if module.password %]
    pub login_source_failures: i64,
    pub register_source: i64,
[%- endif %]
    pub token_source: i64,
[%- if module.password %]
    pub mail_source: i64,
    pub mail_address: i64,
    pub resend_every: i64,
[%- endif %]
[%- if module.tokens %]
    pub access_token: i64,
    pub refresh_idle: i64,
    pub refresh_absolute: i64,
    pub refresh_source: i64,
[%- endif %]
}

/// The key from which the module's own keys are derived. It has no `Debug` on purpose.
pub(super) struct Secret(Vec<u8>);

impl Secret {
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// What differs between production and development; nothing else does.
struct Mode {
    development: bool,
    base_url: Option<String>,
    database_url: Option<&'static str>,
[%- if module.password %]
    mail_from: Option<&'static str>,
    mail_folder: Option<&'static str>,
[%- endif %]
}

/// Why the module does not start.
#[derive(Debug)]
pub enum StartError {
    /// A setting is missing or wrong: which, why, and what to do.
    Setting {
        name: &'static str,
        why: String,
        fix: &'static str,
    },
    /// The database does not open or migrate.
    Database(sqlx::Error),
    /// A file or socket failed.
    Io(io::Error),
[%- if module.password %]
    /// The password hash does not work here.
    Hashing,
[%- endif %]
    /// The operator's command failed.
    Operator(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { name, why, fix } => write!(f, "{name} {why}\n  {fix}"),
            Self::Database(error) => write!(
                f,
                "the database of DATABASE_URL cannot be used: {error}\n  \
                 [% if db == "postgres" -%]
                 Check that the server runs, and the host, name, user and password."
                 [%- else -%]
                 Check the path, its folder and its permissions."
                 [%- endif %]
            ),
            Self::Io(error) => write!(f, "{error}"),
[%- if module.password %]
            Self::Hashing => f.write_str("argon2id does not work on this machine"),
[%- endif %]
            Self::Operator(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for StartError {}

impl From<sqlx::Error> for StartError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const SECRET_FIX: &str = "Make one: echo \"AUTH_SECRET=$(openssl rand -base64 32)\"";
[% if module.tokens -%]
const TOKEN_KEY_FIX: &str = "Make one: run this program with `auth token-key`, or
  echo \"AUTH_TOKEN_KEY=$(openssl genpkey -algorithm ed25519 -outform DER | base64 -w0)\"";
[% endif -%]
const BASE_URL_FIX: &str =
    "Set it to what browsers show, without a path: AUTH_BASE_URL=https://app.example.com";

[% if module.oidc %]pub(super) [% endif %]type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Settings {
    /// Reads the process environment; in development also `.env`, which it creates if need be.
    pub fn from_environment(listener: SocketAddr) -> Result<Self, StartError> {
        let real = |name: &str| std::env::var(name).ok();
        if !is_development(&real)? {
            return Self::read(&real, listener);
        }
        // Before a file is written: development is refused away from this machine.
        Mode::new(true, listener)?;
        let file = development_file(Path::new(".env"), &real)?;
        let settings = Self::read(
            &|name: &str| real(name).or_else(|| file.get(name).cloned()),
            listener,
        )?;
        eprintln!(
            "auth: DEVELOPMENT on {}: cookies without Secure[% if module.password %], mail in .auth-dev/mail[% endif %]",
            settings.base_url
        );
        Ok(settings)
    }

    /// Reads settings from `var`. `listener` is the address the application is bound to.
    pub fn read(
        var: &dyn Fn(&str) -> Option<String>,
        listener: SocketAddr,
    ) -> Result<Self, StartError> {
        let var = &|name: &str| {
            var(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let mode = Mode::new(is_development(var)?, listener)?;
        let base_url = required(var, "AUTH_BASE_URL", mode.base_url.as_deref(), BASE_URL_FIX)?;
        Ok(Self {
            secret: secret(var)?,
            base_url: origin(&base_url, mode.development)?,
            app_name: var("AUTH_APP_NAME").unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned()),
            database_url: database_url(var, mode.database_url)?,
[%- if module.password %]
            outbox: outbox(var, mode.mail_folder)?,
            mail_from: mail_from(var, mode.mail_from)?,
[%- endif %]
            trusted_proxies: trusted_proxies(var)?,
            cookies: Cookies::new(mode.development),
[%- if ui == 'pages' %]
            home_path: home_path(var)?,
[%- endif %]
[%- if module.tokens %]
            token_keys: token_keys(var)?,
            token_audience: token_audience(var, &base_url),
            token_scopes: token_scopes(var)?,
[%- endif %]
            policy: Policy::read(var)?,
[%- if module.password %]
            cost: Cost::STANDARD,
[%- endif %]
[%- if module.oidc %]
            oidc: oidc::Settings::read(var, mode.development)?,
[%- endif %]
        })
    }
[%- if module.oidc %]

    /// Where somebody goes after signing in at a provider, unless they were on their way elsewhere.
    pub(super) fn home_path(&self) -> &str {
[%- if ui == 'pages' %]
        &self.home_path
[%- else %]
        "/"
[%- endif %]
    }
[%- endif %]
}

impl Policy {
    /// Default and hard bounds of each number; SETTINGS.md says why. The first ones are those of the
    /// profile `[= profile =]`.
    fn read(var: Lookup<'_>) -> Result<Self, StartError> {
        let number = |name, default, bounds| number(var, name, default, bounds);
        Ok(Self {
[%- if profile == "strict" %]
            session_idle: number("AUTH_SESSION_IDLE_SECONDS", 900, 1..=900)?,
            session_absolute: number("AUTH_SESSION_ABSOLUTE_SECONDS", 43_200, 1..=43_200)?,
            sessions: number("AUTH_SESSIONS_LIMIT", 5, 1..=5)?,
[%- if module.password %]
            password_min: number("AUTH_PASSWORD_MIN_LIMIT", 15, 15..=64)?,
[%- endif %]
            reauth: number("AUTH_REAUTH_SECONDS", 300, 1..=300)?,
[%- elif profile == "consumer" %]
            session_idle: number("AUTH_SESSION_IDLE_SECONDS", 604_800, 1..=2_592_000)?,
            session_absolute: number("AUTH_SESSION_ABSOLUTE_SECONDS", 2_592_000, 1..=2_592_000)?,
            sessions: number("AUTH_SESSIONS_LIMIT", 20, 1..=100)?,
[%- if module.password %]
            password_min: number("AUTH_PASSWORD_MIN_LIMIT", 12, 12..=64)?,
[%- endif %]
            reauth: number("AUTH_REAUTH_SECONDS", 600, 1..=1_800)?,
[%- else %]
            session_idle: number("AUTH_SESSION_IDLE_SECONDS", 3_600, 1..=2_592_000)?,
            session_absolute: number("AUTH_SESSION_ABSOLUTE_SECONDS", 86_400, 1..=2_592_000)?,
            sessions: number("AUTH_SESSIONS_LIMIT", 20, 1..=100)?,
[%- if module.password %]
            password_min: number("AUTH_PASSWORD_MIN_LIMIT", 15, 15..=64)?,
[%- endif %]
            reauth: number("AUTH_REAUTH_SECONDS", 600, 1..=1_800)?,
[%- endif %]
[%- if module.password %]
            verify_token: number("AUTH_VERIFY_TOKEN_SECONDS", 86_400, 1..=86_400)?,
            reset_token: number("AUTH_RESET_TOKEN_SECONDS", 1_800, 1..=86_400)?,
            email_token: number("AUTH_EMAIL_TOKEN_SECONDS", 3_600, 1..=86_400)?,
            login_failures: number("AUTH_LOGIN_FAILURE_LIMIT", 5, 1..=10)?,
            login_backoff: number("AUTH_LOGIN_BACKOFF_SECONDS", 30, 1..=3_600)?,
            login_cap: number("AUTH_LOGIN_CAP_LIMIT", 100, 1..=100)?,
[%- endif %]
            login_source: number("AUTH_LOGIN_SOURCE_LIMIT", 30, 1..=300)?,
[%- if module.password %]
            login_source_failures: number("AUTH_LOGIN_SOURCE_FAILURE_LIMIT", 10, 1..=100)?,
            register_source: number("AUTH_REGISTER_SOURCE_LIMIT", 20, 1..=200)?,
[%- endif %]
            token_source: number("AUTH_TOKEN_SOURCE_LIMIT", 20, 1..=200)?,
[%- if module.password %]
            mail_source: number("AUTH_MAIL_SOURCE_LIMIT", 20, 1..=200)?,
            mail_address: number("AUTH_MAIL_ADDRESS_LIMIT", 5, 1..=20)?,
            resend_every: number("AUTH_RESEND_SECONDS", 180, 1..=86_400)?,
[%- endif %]
[%- if module.tokens %]
            access_token: number("AUTH_TOKEN_ACCESS_SECONDS", 600, 1..=900)?,
[%- if profile == "strict" %]
            refresh_idle: number("AUTH_TOKEN_REFRESH_IDLE_SECONDS", 86_400, 1..=86_400)?,
            refresh_absolute: number("AUTH_TOKEN_REFRESH_ABSOLUTE_SECONDS", 86_400, 1..=86_400)?,
[%- else %]
            refresh_idle: number("AUTH_TOKEN_REFRESH_IDLE_SECONDS", 604_800, 1..=2_592_000)?,
            refresh_absolute: number("AUTH_TOKEN_REFRESH_ABSOLUTE_SECONDS", 2_592_000, 1..=2_592_000)?,
[%- endif %]
            refresh_source: number("AUTH_TOKEN_REFRESH_SOURCE_LIMIT", 60, 1..=600)?,
[%- endif %]
        })
    }
}

impl Mode {
    fn new(development: bool, listener: SocketAddr) -> Result<Self, StartError> {
        if !development {
            return Ok(Self {
                development,
                base_url: None,
                database_url: None,
[%- if module.password %]
                mail_from: None,
                mail_folder: None,
[%- endif %]
            });
        }
        if !listener.ip().to_canonical().is_loopback() {
            return Err(wrong(
                "AUTH_ENV",
                format!("is development, but the application is bound to {listener}"),
                "Bind to 127.0.0.1, or unset AUTH_ENV and configure production.",
            ));
        }
        Ok(Self {
            development,
            base_url: Some(format!("http://localhost:{}", listener.port())),
            database_url: [% if db == "postgres" %]None[% else %]Some("sqlite://.auth-dev/auth.db")[% endif %],
[%- if module.password %]
            mail_from: Some("Development <no-reply@localhost.localdomain>"),
            mail_folder: Some(".auth-dev/mail"),
[%- endif %]
        })
    }
}

[% if module.oidc %]pub(super) [% endif %]fn wrong(name: &'static str, why: impl Into<String>, fix: &'static str) -> StartError {
    let why = why.into();
    StartError::Setting { name, why, fix }
}

[% if module.oidc %]pub(super) [% endif %]fn required(
    var: Lookup<'_>,
    name: &'static str,
    default: Option<&str>,
    fix: &'static str,
) -> Result<String, StartError> {
    var(name)
        .or_else(|| default.map(str::to_owned))
        .ok_or_else(|| wrong(name, "is not set", fix))
}

fn is_development(var: Lookup<'_>) -> Result<bool, StartError> {
    match var("AUTH_ENV").as_deref().map(str::trim) {
        None | Some("" | "production") => Ok(false),
        Some("development") => Ok(true),
        Some(_) => Err(wrong(
            "AUTH_ENV",
            "is neither production nor development",
            "Unset it for production.",
        )),
    }
}

[% if module.oidc %]pub(super) [% endif %]fn number(
    var: Lookup<'_>,
    name: &'static str,
    default: i64,
    bounds: RangeInclusive<i64>,
) -> Result<i64, StartError> {
    let Some(text) = var(name) else {
        return Ok(default);
    };
    let value = text.parse().ok().filter(|value| bounds.contains(value));
    value.ok_or_else(|| {
        let (low, high) = bounds.into_inner();
        wrong(
            name,
            format!("is not a whole number from {low} to {high}"),
            "Unset it for the default; src/auth/SETTINGS.md gives the reason of each bound.",
        )
    })
}

/// At least 32 bytes in hex or base64 that look random (ASVS 11.2.3).
fn secret(var: Lookup<'_>) -> Result<Secret, StartError> {
    let text = required(var, "AUTH_SECRET", None, SECRET_FIX)?;
    let bytes = decode_secret(&text)
        .filter(|bytes| bytes.len() >= 32)
        .ok_or_else(|| {
            wrong("AUTH_SECRET", "is not at least 32 bytes in hex or base64", SECRET_FIX)
        })?;
    if looks_random(&bytes) {
        Ok(Secret(bytes))
    } else {
        Err(wrong("AUTH_SECRET", "does not look random", SECRET_FIX))
    }
}

/// Catches text, repetitions and counting. 32 random bytes hold about 30 different values, and so
/// do the steps between them; either below 18 has a chance of 10^-9, no control or non-ASCII
/// character one of 10^-13.
fn looks_random(bytes: &[u8]) -> bool {
    let steps = bytes.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let values: HashSet<u8> = bytes.iter().copied().collect();
    let steps: HashSet<u8> = steps.collect();
    let is_text = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    values.len() >= 18 && steps.len() >= 18 && !is_text
}

[% if module.tokens -%]
/// The key that signs access tokens, and those whose tokens still count (ASVS 11.2.2).
fn token_keys(var: Lookup<'_>) -> Result<bearer::Keys, StartError> {
    const OLD: &str = "AUTH_TOKEN_OLD_KEYS";
    const OLD_FIX: &str = "List keys that were AUTH_TOKEN_KEY, or their public parts, with commas between.";
    let text = required(var, "AUTH_TOKEN_KEY", None, TOKEN_KEY_FIX)?;
    let keys = bearer::Keys::new(&text, looks_random);
    let mut keys = keys.map_err(|why| wrong("AUTH_TOKEN_KEY", why, TOKEN_KEY_FIX))?;
    for text in var(OLD).unwrap_or_default().split(',').filter(|text| !text.trim().is_empty()) {
        keys.accept(text).map_err(|why| wrong(OLD, format!("holds one that {why}"), OLD_FIX))?;
    }
    Ok(keys)
}

fn token_audience(var: Lookup<'_>, base_url: &str) -> String {
    let default = || base_url.strip_suffix('/').unwrap_or(base_url).to_owned();
    var("AUTH_TOKEN_AUDIENCE").unwrap_or_else(default)
}

fn token_scopes(var: Lookup<'_>) -> Result<bearer::Scopes, StartError> {
    const FIX: &str = "List names with spaces between: AUTH_TOKEN_SCOPES=\"read write\"";
    let text = var("AUTH_TOKEN_SCOPES").unwrap_or_else(|| "read write".to_owned());
    bearer::Scopes::new(&text).ok_or_else(|| wrong("AUTH_TOKEN_SCOPES", "holds something else", FIX))
}

[% endif -%]
fn decode_secret(text: &str) -> Option<Vec<u8>> {
    if text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
            .collect();
    }
    [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
}

/// Links in mails and the check of `Origin` use this and never a request's `Host`.
fn origin(text: &str, development: bool) -> Result<String, StartError> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let refuse = |why: &str| wrong("AUTH_BASE_URL", why, BASE_URL_FIX);
    let uri = Uri::from_str(text).map_err(|_| refuse("is not a URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(refuse("is not a URL with scheme and host"));
    };
    let host = authority.host();
    let port = authority
        .port_u16()
        .filter(|port| *port != if scheme == "https" { 443 } else { 80 })
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    if host.is_empty() || text != format!("{scheme}://{host}{port}") || host != host.to_lowercase() {
        return Err(refuse("is not an origin as browsers write it: lower case, no path, no default port"));
    }
    match (scheme, development) {
        ("https", false) => Ok(text.to_owned()),
        ("http" | "https", true) if is_loopback(host) => Ok(text.to_owned()),
        (_, true) => Err(refuse("does not name this machine, as development requires")),
        (_, false) => Err(refuse("does not start with https://")),
    }
}

[% if module.oidc %]pub(super) [% endif %]fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

[% if db == "postgres" -%]
/// TLS, or a server on this machine (ASVS 12.3.1).
fn database_url(var: Lookup<'_>, default: Option<&str>) -> Result<String, StartError> {
    const FIX: &str =
        "Set it to DATABASE_URL=postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full";
    let url = required(var, "DATABASE_URL", default, FIX)?;
    let refuse = |why: &str| wrong("DATABASE_URL", why, FIX);
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(refuse("does not start with postgres://"));
    }
    let options = PgConnectOptions::from_str(&url).map_err(|_| refuse("is not a URL"))?;
    let host = options.get_host();
    let is_local = options.get_socket().is_some() || host.starts_with('/') || is_loopback(host);
    // `require` would take any certificate.
    let is_verified = matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    if is_local || is_verified {
        Ok(url)
    } else {
        Err(refuse("would send accounts without TLS to a server that was verified"))
    }
}
[%- else -%]
fn database_url(var: Lookup<'_>, default: Option<&str>) -> Result<String, StartError> {
    const FIX: &str = "Set it to a file: DATABASE_URL=sqlite:///var/lib/app/app.db";
    let url = required(var, "DATABASE_URL", default, FIX)?;
    let refuse = |why: &str| wrong("DATABASE_URL", why, FIX);
    let path = url
        .strip_prefix("sqlite:")
        .ok_or_else(|| refuse("does not start with sqlite:"))?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") || path.contains("mode=memory") {
        return Err(refuse("is not a file: accounts would be lost at exit"));
    }
    if default.is_some() {
        let folder = Path::new(path).parent().filter(|p| !p.as_os_str().is_empty());
        folder.map_or(Ok(()), private_folder)?;
    }
    Ok(url)
}
[%- endif %]

/// A folder that only its owner can look into: accounts and mailed links are in it.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut folder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.recursive(true).create(path)
}

[% if module.password -%]
/// TLS, or a relay on this machine (ASVS 12.3.1).
fn outbox(var: Lookup<'_>, folder: Option<&str>) -> Result<Outbox, StartError> {
    const FIX: &str = "Set it to smtps://USER:PASSWORD@HOST or smtp://USER:PASSWORD@HOST?tls=required";
    if let Some(folder) = folder {
        private_folder(Path::new(folder))?;
        return Ok(Outbox::Files(folder.into()));
    }
    let url = required(var, "SMTP_URL", None, FIX)?;
    let uri = Uri::from_str(&url).map_err(|_| wrong("SMTP_URL", "is not a URL", FIX))?;
    let encrypted = match uri.scheme_str() {
        Some("smtps") => true,
        Some("smtp") => uri.query() == Some("tls=required"),
        _ => return Err(wrong("SMTP_URL", "is not an smtp URL", FIX)),
    };
    if encrypted || uri.host().is_some_and(is_loopback) {
        Ok(Outbox::Smtp(url))
    } else {
        Err(wrong("SMTP_URL", "would send mail without TLS", FIX))
    }
}

fn mail_from(var: Lookup<'_>, default: Option<&str>) -> Result<Mailbox, StartError> {
    const FIX: &str = "Set the sender: AUTH_MAIL_FROM=\"App <no-reply@app.example.com>\"";
    required(var, "AUTH_MAIL_FROM", default, FIX)?
        .parse()
        .map_err(|_| wrong("AUTH_MAIL_FROM", "is not a mail address", FIX))
}

[% endif -%]
[% if ui == 'pages' -%]
fn home_path(var: Lookup<'_>) -> Result<String, StartError> {
    let path = var("AUTH_HOME_PATH").unwrap_or_else(|| pages::HOME.to_owned());
    if is_local_path(&path) {
        Ok(path)
    } else {
        let why = "is not the path of a page here";
        Err(wrong("AUTH_HOME_PATH", why, "Set it to a path without a host: AUTH_HOME_PATH=/dashboard"))
    }
}

[% endif -%]
fn trusted_proxies(var: Lookup<'_>) -> Result<Vec<IpNet>, StartError> {
    const FIX: &str = "List addresses or networks: AUTH_TRUSTED_PROXIES=10.0.0.5,fd00::/64";
    var("AUTH_TRUSTED_PROXIES")
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| {
            let net = item
                .parse::<IpNet>()
                .or_else(|_| item.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| wrong("AUTH_TRUSTED_PROXIES", "holds something else", FIX))?;
            if net.prefix_len() == 0 {
                return Err(wrong("AUTH_TRUSTED_PROXIES", "trusts every address", FIX));
            }
            Ok(net)
        })
        .collect()
}

/// Reads `.env`, after adding a fresh `AUTH_SECRET`[% if module.tokens %] and `AUTH_TOKEN_KEY`[% endif %] if neither it nor the environment has one.
pub(super) fn development_file(
    path: &Path,
    real: Lookup<'_>,
) -> Result<HashMap<String, String>, StartError> {
    let mut values = match [= import.dotenvy =]::from_path_iter(path) {
        Ok(entries) => entries
            .collect::<Result<HashMap<_, _>, _>>()
            .map_err(|_| io::Error::other(".env cannot be read: it has a line that is not NAME=VALUE"))?,
        Err(error) if error.not_found() => HashMap::new(),
        Err(_) => return Err(io::Error::other(".env cannot be read").into()),
    };
    let has_secret = |value: Option<&String>| value.is_some_and(|value| !value.trim().is_empty());
    if !has_secret(values.get("AUTH_SECRET")) && !has_secret(real("AUTH_SECRET").as_ref()) {
        let secret = tokens::random::<32>();
        append_privately(path, &format!("AUTH_SECRET={secret}\n"))?;
        values.insert("AUTH_SECRET".to_owned(), secret);
    }
[%- if module.tokens %]
    let has_key = has_secret(values.get("AUTH_TOKEN_KEY")) || has_secret(real("AUTH_TOKEN_KEY").as_ref());
    if !has_key {
        let key = bearer::fresh_key();
        append_privately(path, &format!("AUTH_TOKEN_KEY={key}\n"))?;
        values.insert("AUTH_TOKEN_KEY".to_owned(), key);
    }
[%- endif %]
    Ok(values)
}

/// Appends a line to a file that only its owner can read.
fn append_privately(path: &Path, line: &str) -> io::Result<()> {
    let before = std::fs::read(path).unwrap_or_default();
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let separator = if before.is_empty() || before.ends_with(b"\n") { "" } else { "\n" };
    io::Write::write_all(&mut file, format!("{separator}{line}").as_bytes())
}

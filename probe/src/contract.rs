//! The contract: what a test may ask of an application, by role. It is all that the probe knows.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use regex::Regex;
use serde::Deserialize;

use crate::catalogue;

/// The roles of the catalogue.
const ROLES: [&str; 38] = [
    "API",
    "API_FRESH",
    "API_SCOPED",
    "CSRF",
    "DELETE_ACCOUNT",
    "DEVICES",
    "DEVICE_REVOKE",
    "EMAIL_CHANGE",
    "EMAIL_CONFIRM",
    "EMAIL_CONFIRM_PAGE",
    "EXPORT",
    "FORGOT",
    "IDENTITIES",
    "JWKS",
    "LOGIN",
    "LOGOUT",
    "ME",
    "OIDC_CALLBACK",
    "OIDC_LINK",
    "OIDC_REAUTH",
    "OIDC_START",
    "OIDC_UNLINK",
    "PROTECTED",
    "PROVIDERS",
    "PWCHANGE",
    "REAUTH",
    "REGISTER",
    "RESEND",
    "RESET",
    "RESET_PAGE",
    "REVOKE_ALL_OTHERS",
    "SESSIONS",
    "SESSION_REVOKE",
    "TOKEN",
    "TOKEN_REFRESH",
    "TOKEN_REVOKE",
    "VERIFY",
    "VERIFY_PAGE",
];
/// Refusals that controls name.
const CODES: [&str; 13] = [
    "email_unverified",
    "foreign_request",
    "insufficient_scope",
    "insufficient_user_authentication",
    "invalid_grant",
    "not_signed_in",
    "password_breached",
    "password_common",
    "password_contextual",
    "password_too_long",
    "password_too_short",
    "reauth_required",
    "token_invalid",
];
const FILES: [&str; 2] = ["common_passwords", "secrets"];
/// What an operator can tell the application.
const COMMANDS: [&str; 5] = ["audit", "disable", "enable", "revoke", "revoke_all"];
const COOKIES: [&str; 3] = ["session", "browser", "transaction"];
/// What the probe calls fields of bodies and queries.
const FIELDS: [&str; 14] = [
    "code",
    "current_password",
    "device",
    "email",
    "error",
    "grant",
    "iss",
    "new_password",
    "next",
    "password",
    "refresh_token",
    "scope",
    "state",
    "token",
];
/// What it calls values in answers.
const VALUES: [&str; 15] = [
    "access_token",
    "amr",
    "auth_time",
    "current",
    "device",
    "email",
    "email_verified",
    "expires_in",
    "id",
    "list",
    "location",
    "provider",
    "refresh_token",
    "scope",
    "token_type",
];
/// Settings that are text.
const SETTINGS: [&str; 15] = [
    "app_name",
    "base_url",
    "breach_url",
    "database_url",
    "home_path",
    "mail_from",
    "old_secrets",
    "old_token_keys",
    "provider_ca",
    "secret",
    "smtp_url",
    "token_audience",
    "token_key",
    "token_scopes",
    "trusted_proxies",
];
/// Settings that are numbers.
pub const NUMBERS: [&str; 26] = [
    "access_token",
    "email_token",
    "jwks_cache",
    "jwks_cooldown",
    "login_backoff",
    "login_cap",
    "login_failures",
    "login_source",
    "login_source_failures",
    "mail_address",
    "mail_source",
    "password_min",
    "provider_timeout",
    "reauth",
    "refresh_absolute",
    "refresh_idle",
    "refresh_source",
    "register_source",
    "resend",
    "reset_token",
    "session_absolute",
    "session_idle",
    "sessions",
    "token_source",
    "transaction",
    "verify_token",
];

/// `contract.toml`. Unknown keys are errors, so that a misspelt one is not taken for a missing one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    pub schema: u32,
    /// The path below which the application answers the roles; for people.
    pub surface: Option<String>,
    /// Modules of an application without a lock.
    #[serde(default)]
    pub modules: Vec<String>,
    pub encoding: Encoding,
    #[serde(default)]
    pub errors: Errors,
    pub cookies: Cookies,
    pub csrf: Csrf,
    pub roles: BTreeMap<String, Role>,
    /// HTML beside the roles.
    pub pages: Option<Pages>,
    /// Signed access tokens, and refresh tokens beside them.
    pub tokens: Option<Tokens>,
    /// OpenID providers that people may sign in with.
    #[serde(default)]
    pub providers: Vec<ProviderNames>,
    pub db: Option<Db>,
    pub start: Option<Start>,
    #[serde(default)]
    pub operator: BTreeMap<String, Vec<String>>,
    pub log: Option<Log>,
    /// The application's word for a refusal that a control names, such as `password_too_short`.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// Controls that the application departs from, with the reason: never critical ones. For an application without a
    /// lock; with one, what the pack declares counts.
    #[serde(default)]
    pub deviations: BTreeMap<String, String>,
    /// Files of the generated tree by purpose, such as `common_passwords`.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Json,
    Form,
}

/// What error answers look like; `code` is a JSON pointer to the stable code.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    pub content_type: Option<String>,
    pub code: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cookies {
    pub session: String,
    /// Marks the browser in which an account was registered.
    pub browser: Option<String>,
    /// Binds a visit to a provider to the browser that began it.
    pub transaction: Option<String>,
    /// The same cookies, by the same keys, as they are named in development.
    #[serde(default)]
    pub development: BTreeMap<String, String>,
}

impl Cookies {
    /// What the cookie of that key is called, in production and in development.
    pub fn names(&self, key: &str) -> Vec<&str> {
        let production = match key {
            "browser" => self.browser.as_deref(),
            "transaction" => self.transaction.as_deref(),
            _ => Some(self.session.as_str()),
        };
        production.into_iter().chain(self.development.get(key).map(String::as_str)).collect()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Csrf {
    pub source: CsrfSource,
    /// Sent with every unsafe request; `{base_url}` stands for the application's origin.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub failure: Predicate,
    /// With `source = "token"`: the JSON pointer to the token in the answer of role `CSRF`.
    pub token: Option<String>,
    /// With `source = "token"`: the header that carries it. Else `field` does.
    pub header: Option<String>,
    pub field: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum CsrfSource {
    /// The only defence is the origin that browsers name. Control CSR-01 is then a deviation, CSR-02 stands in.
    Origin,
    Token,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub method: String,
    /// `{name}` is filled by a test.
    pub path: String,
    /// The probe's name of a field to the application's.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default)]
    pub success: Predicate,
    #[serde(default)]
    pub failure: Predicate,
    /// The probe's name of a value to a JSON pointer into the answer.
    #[serde(default)]
    pub extract: BTreeMap<String, String>,
    pub mail: Option<MailLink>,
    /// Needs LOGIN or REAUTH within the setting `reauth`.
    #[serde(default)]
    pub fresh: bool,
    /// Where the role signs in besides: `registering-browser`.
    pub signs_in: Option<String>,
    pub encoding: Option<Encoding>,
}

/// The mail that a role sends: which field names the recipient, and a pattern whose first group is the token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailLink {
    pub to: String,
    pub token: String,
}

/// What an answer is compared with. What is not named is not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    #[serde(default)]
    pub status: OneOrMany<u16>,
    /// The error's code.
    #[serde(default)]
    pub code: OneOrMany<String>,
    /// A cookie, by its key in `[cookies]`, that the answer sets.
    pub cookie: Option<String>,
    /// JSON pointer to a value; `*` is any.
    #[serde(default)]
    pub body: BTreeMap<String, String>,
    /// A pattern that the body matches.
    pub text: Option<String>,
    /// A pattern that `Location` matches.
    pub leads: Option<String>,
    /// A pattern that `Location` does not match.
    pub not_leads: Option<String>,
    /// The answer is the same whether an account exists or not.
    #[serde(default)]
    pub same_for_known: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(vec![])
    }
}

impl<T: PartialEq> OneOrMany<T> {
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    /// Whether `value` is one of them, or none is asked for.
    pub fn allows(&self, value: &T) -> bool {
        self.as_slice().is_empty() || self.as_slice().contains(value)
    }
}

/// How the same roles look as HTML pages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    pub accept: String,
    pub encoding: Encoding,
    #[serde(default)]
    pub success: Predicate,
    #[serde(default)]
    pub failure: toml::Table,
    #[serde(default)]
    pub guard: toml::Table,
    #[serde(default)]
    pub reauth: toml::Table,
    /// A pattern of `Location`, where a form that was refused is answered with the way back to its page.
    pub refused: Option<String>,
    /// The parameter, of pages and forms, that names where somebody goes after signing in.
    pub next: Option<String>,
    /// The parameter by which a page is told what was done before.
    pub said: Option<String>,
    /// Pages that have no role, or stand for one that no form can send.
    #[serde(default)]
    pub only: BTreeMap<String, Role>,
    /// Paths of the pages on which the forms of roles stand, where those are not what the forms are sent to.
    #[serde(default)]
    pub at: BTreeMap<String, String>,
}

/// How access tokens are signed and what they say. `{base_url}` in a text is the application's origin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// How the setting `token_key` is written.
    pub key: KeyFormat,
    pub alg: Algorithm,
    pub typ: String,
    pub issuer: String,
    pub audience: String,
    #[serde(default)]
    pub revocation: Revocation,
    /// What role `API_SCOPED` asks for.
    pub scope: String,
    /// Another one that can be granted.
    pub other_scope: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum KeyFormat {
    #[serde(rename = "pkcs8-base64")]
    Base64,
    #[serde(rename = "pkcs8-pem")]
    Pem,
}

/// With which the application signs its tokens.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Algorithm {
    #[serde(rename = "EdDSA")]
    Ed25519,
    #[serde(rename = "ES256")]
    P256,
}

/// When an access token ends that was revoked.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Revocation {
    /// At once: each use looks at what it hangs on.
    #[default]
    Checked,
    /// When it expires, within five minutes.
    Ttl,
}

/// A provider, and the variables by which the application is told of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderNames {
    /// What `{provider}` in paths is.
    pub id: String,
    /// Without one, the provider's endpoints are fixed, and it cannot be one of the probe's.
    pub issuer: Option<String>,
    pub client_id: String,
    pub client_secret: String,
    /// The most seconds since the provider saw somebody sign in.
    pub max_age: Option<String>,
    /// How somebody must have signed in there.
    pub acr: Option<String>,
}

impl ProviderNames {
    fn variables(&self) -> impl Iterator<Item = &String> {
        [&self.client_id, &self.client_secret]
            .into_iter()
            .chain([&self.issuer, &self.max_age, &self.acr].into_iter().flatten())
    }
}

/// Where accounts are kept, for reading and for dating rows back.
#[derive(Clone, Debug, Deserialize)]
pub struct Db {
    pub kind: DbKind,
    /// What the application is given, `{path}` for SQLite, `{url}` for PostgreSQL.
    pub format: Option<String>,
    pub time: TimeKind,
    #[serde(flatten)]
    pub tables: BTreeMap<String, toml::Table>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DbKind {
    Sqlite,
    Postgres,
}

/// How a moment is stored.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TimeKind {
    UnixSeconds,
    UnixMillis,
    Timestamp,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Runs once, before anything is started.
    #[serde(default)]
    pub build: Vec<String>,
    /// A pattern whose first group is the path of the one program that the build's output tells of.
    pub program: Option<String>,
    /// `{program}` stands for that path, `{project}` for the project's folder. It works in any folder.
    pub command: Vec<String>,
    pub listen: Listen,
    /// How long it may take until it takes connections.
    #[serde(default = "a_minute")]
    pub seconds: u64,
    /// What it says once it can answer, where it takes connections before that.
    pub ready: Option<String>,
    #[serde(default = "one")]
    pub instances: usize,
    /// Variables without which the application must not start.
    #[serde(default)]
    pub required: Vec<String>,
    /// What makes a start a development start.
    #[serde(default)]
    pub development: BTreeMap<String, String>,
    /// Given at every start.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The probe's name of a setting to the application's variable.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// A setting to the lowest and the highest number that is taken.
    #[serde(default)]
    pub bounds: BTreeMap<String, [i64; 2]>,
    /// A setting to values that production must refuse, each alone.
    #[serde(default)]
    pub insecure: BTreeMap<String, Vec<String>>,
    /// Variables to values that production must refuse, for what is no setting of the probe's.
    #[serde(default)]
    pub insecure_variables: BTreeMap<String, Vec<String>>,
}

impl Start {
    /// What it says once it can answer, and how long that may take.
    pub fn readiness(&self) -> (Option<&str>, Duration) {
        (self.ready.as_deref(), Duration::from_secs(self.seconds))
    }

    /// The variables that are the application's, by all that its start says of them.
    fn own(&self) -> Vec<String> {
        let named = self.environment.values().chain(&self.required);
        named.chain(self.development.keys()).chain(self.variables.keys()).cloned().collect()
    }
}

fn one() -> usize {
    1
}

fn a_minute() -> u64 {
    60
}

/// The variable that says where to listen; `HOST` and `PORT` in `format` are filled. `host` is another one for the address
/// alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    pub env: String,
    pub format: String,
    #[serde(default)]
    pub host: Option<String>,
}

/// The audit log, and where the parts of an event are: JSON pointers into a line that is one JSON object, or patterns whose
/// first group is the value, for lines of text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    #[serde(default)]
    pub format: LogFormat,
    /// For text: what each line matches.
    pub line: Option<String>,
    pub time: String,
    pub event: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub user: Option<String>,
    /// What stands for a user who is not known, such as a keyed hash of the address.
    pub subject: Option<String>,
    pub ip: Option<String>,
    pub agent: Option<String>,
    pub request_id: Option<String>,
    /// What was done, such as `login`, to the application's name of the event.
    #[serde(default)]
    pub events: BTreeMap<String, String>,
    /// A protection that refused, such as `foreign_origin`, to the application's name of the event.
    #[serde(default)]
    pub trips: BTreeMap<String, String>,
    /// A pattern of the line that says that something inside failed.
    pub fault: Option<String>,
    /// The answer's header with the request's id.
    pub request_id_header: Option<String>,
    /// Variables that make the log say all it can.
    #[serde(default)]
    pub verbose: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    Text,
}

/// What the contract does not say and a control needs: a failure of that control.
#[derive(Debug)]
pub struct Missing(pub String);

/// Whether it can stand in a request's first line as it is, and names no other host.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//") && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the contract {}", self.0)
    }
}

impl std::error::Error for Missing {}

impl Contract {
    /// The variables that are the application's, by all that the contract says of them.
    pub fn variables(&self) -> Vec<String> {
        let start = self.start.iter().flat_map(Start::own);
        start.chain(self.providers.iter().flat_map(ProviderNames::variables).cloned()).collect()
    }

    /// # Errors
    /// When the text is not TOML, or not of this shape; the message has line and column.
    pub fn parse(text: &str) -> Result<Self> {
        let contract: Self = toml::from_str(text).context("the contract cannot be read")?;
        ensure!(contract.schema == 1, "the contract has schema {}; this version reads schema 1", contract.schema);
        catalogue::known_modules(&contract.modules)?;
        contract.knows_its_names()?;
        for (id, reason) in &contract.deviations {
            catalogue::may_deviate(id, reason).context("`deviations` cannot be taken")?;
        }
        for (name, role) in &contract.roles {
            ensure!(is_path(&role.path), "`roles.{name}.path` is no plain path that begins with `/`");
            ensure!(is_method(&role.method), "`roles.{name}.method` is no method of HTTP");
            if let Some(mail) = &role.mail {
                ensure!(role.fields.contains_key(&mail.to), "`roles.{name}.mail.to` is none of its `fields`");
                let pattern =
                    Regex::new(&mail.token).with_context(|| format!("`roles.{name}.mail.token` is no pattern"))?;
                ensure!(pattern.captures_len() > 1, "`roles.{name}.mail.token` has no group for the token");
            }
        }
        Ok(contract)
    }

    /// A name that nobody asks for would stand for one that is missing, and what it is about be looked at less strictly.
    fn knows_its_names(&self) -> Result<()> {
        let known = |table: &str, names: Vec<&String>, known: &[&[&str]]| {
            let unknown = names.into_iter().find(|name| !known.iter().any(|known| known.contains(&name.as_str())));
            unknown.map_or(Ok(()), |name| {
                Err(anyhow!("`{table}` has `{name}`, which is none of {}", known.concat().join(", ")))
            })
        };
        known("roles", self.roles.keys().collect(), &[&ROLES])?;
        known("codes", self.codes.keys().collect(), &[&CODES])?;
        known("files", self.files.keys().collect(), &[&FILES])?;
        known("operator", self.operator.keys().collect(), &[&COMMANDS])?;
        known("cookies.development", self.cookies.development.keys().collect(), &[&COOKIES])?;
        for (name, role) in &self.roles {
            known(&format!("roles.{name}.fields"), role.fields.keys().collect(), &[&FIELDS])?;
            known(&format!("roles.{name}.query"), role.query.keys().collect(), &[&FIELDS])?;
            known(&format!("roles.{name}.extract"), role.extract.keys().collect(), &[&VALUES])?;
            let cookies = [&role.success, &role.failure].into_iter().filter_map(|one| one.cookie.as_ref()).collect();
            known(&format!("roles.{name}"), cookies, &[&COOKIES])?;
        }
        let Some(start) = &self.start else { return Ok(()) };
        known("start.environment", start.environment.keys().collect(), &[&SETTINGS, &NUMBERS])?;
        known("start.bounds", start.bounds.keys().collect(), &[&NUMBERS])?;
        known("start.insecure", start.insecure.keys().collect(), &[&SETTINGS])?;
        ensure!((1..=600).contains(&start.seconds), "`start.seconds` is {}; it can be 1 to 600", start.seconds);
        ensure!((1..=8).contains(&start.instances), "`start.instances` is {}; it can be 1 to 8", start.instances);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Contract, Revocation};

    const SMALL: &str = "schema = 1\nencoding = \"json\"\ncookies = { session = \"s\" }\ncsrf = { source = \"origin\" }\n\
                         roles = {}\n";

    #[track_caller]
    fn deviating(line: &str) -> Result<Contract, String> {
        Contract::parse(&format!("{SMALL}[deviations]\n{line}\n")).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_deviation_needs_a_reason_and_a_control_that_is_not_critical() {
        let taken = deviating("PWD-06 = \"no breach service\"").unwrap();
        assert_eq!(taken.deviations["PWD-06"], "no breach service");
        for (line, why) in [
            ("CSR-01 = \"the origin is enough\"", "critical"),
            ("PWD-99 = \"why\"", "no control"),
            ("PWD-06 = \" \"", "without a reason"),
        ] {
            let error = deviating(line).unwrap_err();
            assert!(error.contains(why) && error.contains("deviations"), "{error}");
        }
    }

    #[test]
    fn a_role_is_a_request_to_the_application() {
        for (role, why) in [
            ("method = \"POST\", path = \"/a\", fields = { emial = \"e\" }", "emial"),
            ("method = \"POST\", path = \"/a\", query = { tokn = \"t\" }", "tokn"),
            ("method = \"POST\", path = \"/a\", extract = { idd = \"/id\" }", "idd"),
            ("method = \"POST\", path = \"http://foreign.invalid/a\"", "no plain path"),
            ("method = \"POST\", path = \"//foreign.invalid/a\"", "no plain path"),
            ("method = \"POST\", path = \"/a\\r\\nX: y\"", "no plain path"),
            ("method = \"POST\", path = \"\"", "no plain path"),
            ("method = \"PO ST\", path = \"/a\"", "no method"),
            ("method = \"POST\", path = \"/a\", mail = { to = \"email\", token = \"(x)\" }", "`fields`"),
        ] {
            let text = SMALL.replace("roles = {}", &format!("roles = {{ LOGIN = {{ {role} }} }}"));
            let error = format!("{:#}", Contract::parse(&text).unwrap_err());
            assert!(error.contains("roles.LOGIN") && error.contains(why), "{role}: {error}");
        }
    }

    #[test]
    fn a_name_that_nobody_asks_for_is_refused() {
        for (line, why) in [
            ("[codes]\npasword_too_short = \"x\"", "pasword_too_short"),
            ("[files]\ncommon = \"x\"", "`common`"),
            ("[operator]\ndisabel = [\"x\"]", "disabel"),
            (
                "[start]\ncommand = []\nlisten = { env = \"A\", format = \"PORT\" }\nenvironment = { smtpurl = \"S\" }",
                "smtpurl",
            ),
            ("[start]\ncommand = []\nlisten = { env = \"A\", format = \"PORT\" }\ninstances = 100", "instances"),
        ] {
            let error = format!("{:#}", Contract::parse(&format!("{SMALL}{line}\n")).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
        let misspelt = SMALL.replace("roles = {}", "roles = { LOGN = { method = \"POST\", path = \"/\" } }");
        assert!(format!("{:#}", Contract::parse(&misspelt).unwrap_err()).contains("LOGN"));
        let module = SMALL.replace("schema = 1", "schema = 1\nmodules = [\"password\", \"totpp\"]");
        assert!(format!("{:#}", Contract::parse(&module).unwrap_err()).contains("totpp"));
    }

    #[test]
    fn what_tokens_are_is_read_and_nothing_else_is_taken() {
        let table = "[tokens]\nkey = \"pkcs8-base64\"\nalg = \"EdDSA\"\ntyp = \"at+jwt\"\nissuer = \"{base_url}\"\n\
                     audience = \"{base_url}\"\nscope = \"read\"\nother_scope = \"write\"\n";
        let tokens = Contract::parse(&format!("{SMALL}{table}")).unwrap().tokens.unwrap();
        assert_eq!((tokens.alg, tokens.revocation), (Algorithm::Ed25519, Revocation::Checked));
        for (right, wrong) in [("EdDSA", "none"), ("pkcs8-base64", "hex"), ("typ", "type")] {
            assert!(Contract::parse(&format!("{SMALL}{}", table.replace(right, wrong))).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_variables_of_providers_are_the_applications() {
        let provider =
            "[[providers]]\nid = \"one\"\nissuer = \"ISSUER\"\nclient_id = \"ID\"\nclient_secret = \"SECRET\"\n";
        let contract = Contract::parse(&format!("{SMALL}{provider}")).unwrap();
        assert_eq!(contract.variables(), ["ID", "SECRET", "ISSUER"]);
        let misspelt = provider.replace("issuer", "isuer");
        assert!(format!("{:#}", Contract::parse(&format!("{SMALL}{misspelt}")).unwrap_err()).contains("isuer"));
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line() {
        let text = "schema = 1\nencodin = \"json\"\n";
        let error = format!("{:#}", Contract::parse(text).unwrap_err());
        assert!(error.contains("encodin") && error.contains("line 2"), "{error}");
    }
}

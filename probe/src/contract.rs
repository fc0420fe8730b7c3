//! The contract: what a test may ask of an application, by role. It is all that the probe knows.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use regex::Regex;
use serde::Deserialize;

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
    pub db: Option<Db>,
    pub start: Option<Start>,
    #[serde(default)]
    pub operator: BTreeMap<String, Vec<String>>,
    pub log: Option<Log>,
    /// The application's word for a refusal that a control names, such as `password_too_short`.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
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
    /// The same cookies, by the same keys, as they are named in development.
    #[serde(default)]
    pub development: BTreeMap<String, String>,
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
    /// Pages that have no role, or stand for one that no form can send.
    #[serde(default)]
    pub only: BTreeMap<String, Role>,
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
    pub command: Vec<String>,
    pub listen: Listen,
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
}

impl Start {
    /// The variables that are the application's, by all that the contract says of them.
    pub fn own(&self) -> Vec<String> {
        let named = self.environment.values().chain(&self.required);
        named.chain(self.development.keys()).chain(self.variables.keys()).cloned().collect()
    }
}

fn one() -> usize {
    1
}

/// The variable that says where to listen; `HOST` and `PORT` in `format` are filled.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    pub env: String,
    pub format: String,
}

/// The audit log: one JSON object a line, and where its parts are (JSON pointers).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub time: String,
    pub event: String,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub user: Option<String>,
    pub ip: Option<String>,
    pub request_id: Option<String>,
    /// What was done, such as `login`, to the application's name of the event.
    #[serde(default)]
    pub events: BTreeMap<String, String>,
    /// The answer's header with the request's id.
    pub request_id_header: Option<String>,
}

impl Contract {
    /// # Errors
    /// When the text is not TOML, or not of this shape; the message has line and column.
    pub fn parse(text: &str) -> Result<Self> {
        let contract: Self = toml::from_str(text).context("the contract cannot be read")?;
        ensure!(contract.schema == 1, "the contract has schema {}; this version reads schema 1", contract.schema);
        for (name, role) in &contract.roles {
            if let Some(mail) = &role.mail {
                let pattern =
                    Regex::new(&mail.token).with_context(|| format!("`roles.{name}.mail.token` is no pattern"))?;
                ensure!(pattern.captures_len() > 1, "`roles.{name}.mail.token` has no group for the token");
            }
        }
        Ok(contract)
    }
}

#[cfg(test)]
mod tests {
    use super::Contract;

    #[test]
    fn a_misspelt_key_is_named_with_its_line() {
        let text = "schema = 1\nencodin = \"json\"\n";
        let error = format!("{:#}", Contract::parse(text).unwrap_err());
        assert!(error.contains("encodin") && error.contains("line 2"), "{error}");
    }
}

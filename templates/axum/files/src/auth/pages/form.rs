//! Forms: what they ask for, what was posted, what was wrong with it.

use std::future::Future;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
    response::Response,
};
use [= import.maud =]::{Markup, html};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::words;
use crate::auth::{
    input::{Input, READ_TIMEOUT, read},
    problem::Problem,
    settings::Settings,
};

const FORM: &str = "application/x-www-form-urlencoded";

pub fn is_form(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let value = value.to_str().unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case(FORM)
}

/// The fields of a posted form, each once.
pub struct Posted(Map<String, Value>);

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let body = read(request.into_body(), READ_TIMEOUT).await?;
        Self::parse(&body)
    }
}

impl Posted {
    /// A name that comes twice is refused: two readers could take different ones (ASVS 15.3.7). So
    /// are broken encodings, for which the parser puts U+FFFD.
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Map::new();
        for (name, value) in [= import.form_urlencoded =]::parse(body) {
            let broken = name.contains('\u{fffd}') || value.contains('\u{fffd}');
            if broken || fields.insert(name.into_owned(), value.into_owned().into()).is_some() {
                return Err(Problem::invalid_fields());
            }
        }
        Ok(Self(fields))
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Hands the fields to the function that answers the API.
    pub async fn to<T, F>(
        &self,
        form: &[Field],
        action: impl FnOnce(Input<T>) -> F,
    ) -> Result<Response, Refused>
    where
        T: DeserializeOwned,
        F: Future<Output = Result<Response, Problem>>,
    {
        self.filled(form)?;
        Ok(action(self.read()?).await?)
    }

    /// Finds the first field that was left empty.
    pub fn filled(&self, form: &[Field]) -> Result<(), Refused> {
        match form.iter().find(|field| self.get(field.name).is_empty()) {
            Some(field) => Err(Refused::Empty(field.name)),
            None => Ok(()),
        }
    }

    pub fn read<T: DeserializeOwned>(&self) -> Result<Input<T>, Problem> {
        let value = Value::Object(self.0.clone());
        serde_json::from_value(value).map(Input).map_err(|_| Problem::invalid_fields())
    }
}

/// Why a form was not accepted.
pub enum Refused {
    /// The field of this name is empty.
    Empty(&'static str),
    Problem(Problem),
}

impl Refused {
    pub fn is(&self, other: &Problem) -> bool {
        matches!(self, Self::Problem(problem) if problem.code() == other.code())
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// A refusal in words, at the field that it is about.
pub struct Fault {
    pub problem: Problem,
    pub field: Option<&'static str>,
    pub text: String,
}

impl Fault {
    pub fn new(refused: Refused, form: &'static [Field], settings: &Settings) -> Self {
        match refused {
            Refused::Empty(name) => {
                let field = form.iter().find(|field| field.name == name);
                Self {
                    problem: Problem::invalid_fields(),
                    field: Some(name),
                    text: field.map_or("", |field| words::empty(field.kind)).to_owned(),
                }
            }
            Refused::Problem(problem) => {
                let kinds = words::kinds_of(&problem);
                let at = form.iter().find(|field| kinds.contains(&field.kind));
[%- if module.password %]
                let names_account = form.iter().any(|field| field.kind == Kind::Email);
[%- endif %]
                Self {
                    field: at.map(|field| field.name),
[%- if module.password %]
                    text: match problem.code() {
                        "invalid_credentials" if !names_account => words::WRONG_PASSWORD.to_owned(),
                        _ => words::advice(&problem, settings),
                    },
[%- else %]
                    text: words::advice(&problem, settings),
[%- endif %]
                    problem,
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Email,
    NewEmail,
    Password,
    NewPassword,
    /// A box to tick.
    Consent,
}

impl Kind {
    const fn is_address(self) -> bool {
        matches!(self, Self::Email | Self::NewEmail)
    }

    /// Type of the input and what a password manager may put there.
    const fn of_input(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Email => ("email", Some("username")),
            Self::NewEmail => ("email", Some("email")),
            Self::Password => ("password", Some("current-password")),
            Self::NewPassword => ("password", Some("new-password")),
            Self::Consent => ("checkbox", None),
        }
    }
}

/// One input. Its name is its id, too.
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: Kind,
}

/// A form with one button.
pub struct Form<'a> {
    pub action: &'a str,
    pub fields: &'static [Field],
    pub hidden: &'a [(&'static str, &'a str)],
    /// The address that was sent or is known. Passwords are never put back.
    pub email: &'a str,
    pub button: &'static str,
    /// Whether the button destroys something.
    pub danger: bool,
}

impl<'a> Form<'a> {
    pub fn new(action: &'a str, fields: &'static [Field], button: &'static str) -> Self {
        Self { action, fields, hidden: &[], email: "", button, danger: false }
    }

    /// Problems are told in full sentences by the server, so the browser's own check is off.
    pub fn show(&self, fault: Option<&Fault>, settings: &Settings) -> Markup {
        let is_named =
            self.fields.is_empty() || self.fields.iter().any(|field| field.kind.is_address());
        html! {
            form method="post" action=(self.action) novalidate {
                @for (name, value) in self.hidden {
                    input type="hidden" name=(name) value=(value);
                }
                // Tells a password manager whose password this is.
                @if !self.email.is_empty() && !is_named {
                    input type="email" name="username" value=(self.email)
                        autocomplete="username" readonly hidden;
                }
                @for field in self.fields {
                    @let fault = fault.filter(|fault| fault.field == Some(field.name));
                    @if field.kind == Kind::Consent { (consent(field, fault)) }
                    @else { (self.field(field, fault, settings)) }
                }
                button.danger[self.danger] { (self.button) }
            }
        }
    }

    fn field(&self, field: &Field, fault: Option<&Fault>, [% if not module.password %]_[% endif %]settings: &Settings) -> Markup {
        let (kind, autocomplete) = field.kind.of_input();
        let is_address = field.kind.is_address();
[%- if module.password %]
        let hint = (field.kind == Kind::NewPassword).then(|| words::password_rules(settings));
[%- else %]
        let hint: Option<String> = None;
[%- endif %]
        let described = [
            hint.as_ref().map(|_| format!("{}-hint", field.name)),
            fault.map(|_| format!("{}-error", field.name)),
        ];
        let described: Vec<String> = described.into_iter().flatten().collect();
        html! {
            div.field {
                label for=(field.name) { (field.label) }
                @if let Some(hint) = &hint {
                    p.hint id={ (field.name) "-hint" } { (hint) }
                }
                (error(field, fault))
                input id=(field.name) name=(field.name) type=(kind) required
                    value=[is_address.then_some(self.email)]
                    autocomplete=[autocomplete]
                    inputmode=[is_address.then_some("email")]
                    autocapitalize="none" spellcheck="false"
                    aria-describedby=[(!described.is_empty()).then(|| described.join(" "))]
                    aria-invalid=[fault.map(|_| "true")];
            }
        }
    }
}

fn consent(field: &Field, fault: Option<&Fault>) -> Markup {
    html! {
        div.field.check {
            (error(field, fault))
            input id=(field.name) name=(field.name) type="checkbox" value="yes" required
                aria-describedby=[fault.map(|_| format!("{}-error", field.name))]
                aria-invalid=[fault.map(|_| "true")];
            label for=(field.name) { (field.label) }
        }
    }
}

fn error(field: &Field, fault: Option<&Fault>) -> Markup {
    html! {
        @if let Some(fault) = fault {
            p.error id={ (field.name) "-error" } { (fault.text) }
        }
    }
}

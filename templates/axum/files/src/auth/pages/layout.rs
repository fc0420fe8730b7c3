//! What all pages have in common: the document, its style, its headers.

use std::sync::LazyLock;

use axum::{
    body::Body,
    extract::{Query, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header, response::Parts},
    response::{IntoResponse, Response},
};
use [= import.base64 =]::{Engine, engine::general_purpose::STANDARD};
use [= import.maud =]::{DOCTYPE, Markup, PreEscaped, html};
use [= import.sha2 =]::{Digest, Sha256};

use super::{
    form::{Fault, Field, Form, Refused},
    next::Said,
    words,
};
use crate::auth::{problem::Problem, routes, settings::Settings, user::User, visit::Visit};

const STYLE: &str = include_str!("style.css");

/// Nothing runs and nothing is loaded; the one style sheet is known by its hash (ASVS 3.4.3).
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("base64 is a header's text")
});

/// Where the signed-in user can go.
const PLACES: [(&str, &str); [% if module.oidc and module.password %]5[% else %]4[% endif %]] = [
    ("/auth/account", "Account"),
[%- if module.password %]
    ("/auth/password", "Password"),
[%- endif %]
[%- if module.oidc %]
    ("/auth/identities", "Ways to sign in"),
[%- endif %]
    ("/auth/sessions", "Devices"),
    ("/auth/data", "Your data"),
];

/// A page under a title that no other page has.
pub struct Page<'a> {
    settings: &'a Settings,
    title: &'static str,
    /// Which of [`PLACES`] it belongs to, if somebody is signed in.
    place: Option<&'static str>,
    notice: Option<&'static str>,
    fault: Option<Fault>,
}

impl<'a> Page<'a> {
    pub fn new(visit: &'a Visit, title: &'static str) -> Self {
        Self { settings: visit.auth().settings(), title, place: None, notice: None, fault: None }
    }

    /// For somebody who is signed in, as the argument proves.
    pub fn of(self, _user: &User, place: &'static str) -> Self {
        Self { place: Some(place), ..self }
    }

    pub fn after(self, query: Result<Query<Said>, QueryRejection>) -> Self {
        self.notice(&Said::of(query))
    }

    pub fn notice(self, said: &Said) -> Self {
        Self { notice: words::done(&said.done), ..self }
    }

    pub fn refused(self, refused: Option<Refused>, form: &'static [Field]) -> Self {
        let fault = refused.map(|refused| Fault::new(refused, form, self.settings));
        Self { fault, ..self }
    }

    pub fn form(&self, form: &Form<'_>) -> Markup {
        form.show(self.fault.as_ref(), self.settings)
    }

    /// The answer, with the status of the problem if there is one.
    pub fn show(self, content: Markup) -> Response {
        let answer = match &self.fault {
            Some(fault) => fault.problem.clone().into_response(),
            None => StatusCode::OK.into_response(),
        };
        self.replace(answer.into_parts().0, content)
    }

    /// The answer with other words in it.
    pub fn replace(self, mut parts: Parts, content: Markup) -> Response {
        parts.extensions.remove::<Problem>();
        let headers = &mut parts.headers;
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
        routes::protect(headers);
        Response::from_parts(parts, Body::from(self.document(content).into_string()))
    }

    /// The header says `no-referrer`; with that alone, browsers would not say where a form comes
    /// from either (`Origin: null`). The meta element lets them name this origin, and no path.
    fn document(&self, content: Markup) -> Markup {
        let site = &self.settings.app_name;
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="strict-origin";
                    title { @if self.fault.is_some() { "Error: " } (self.title) " – " (site) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    @if self.place.is_some() { a.skip href="#main" { "Skip to the content" } }
                    header class=[self.place.is_none().then_some("alone")] {
                        a.site href="/" { (site) }
                        @if self.place.is_some() { (self.navigation()) }
                    }
                    main id="main" class=(if self.place.is_some() { "wide" } else { "narrow" }) {
                        (self.summary())
                        h1 { (self.title) }
                        (content)
                    }
                }
            }
        }
    }

    fn summary(&self) -> Markup {
        html! {
            @if let Some(fault) = &self.fault {
                div.summary role="alert" tabindex="-1" autofocus {
                    h2 { "That did not work" }
                    p {
                        @match fault.field {
                            Some(field) => a href={ "#" (field) } { (fault.text) },
                            None => (fault.text),
                        }
                    }
                }
            }
            @if let Some(notice) = self.notice {
                p.notice role="status" { (notice) }
            }
        }
    }

    fn navigation(&self) -> Markup {
        html! {
            nav aria-label="Account" {
                ul {
                    @for (path, name) in PLACES {
                        @let current = (self.place == Some(path)).then_some("true");
                        li { a href=(path) aria-current=[current] { (name) } }
                    }
                }
            }
            form.out method="post" action="/auth/logout" {
                button.quiet { "Sign out" }
            }
        }
    }
}

//! Where somebody goes next.

use axum::{
    extract::{Query, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use crate::auth::local_path::is_local_path;

/// What the address of a page may hold: a code for what was done, and where to go then.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Said {
    pub done: String,
    pub next: String,
}

impl Said {
    /// A query that cannot be read, or names something twice, says nothing.
    pub fn of(query: Result<Query<Self>, QueryRejection>) -> Self {
        query.map(|Query(said)| said).unwrap_or_default()
    }

    /// The way back, for a form to carry along.
    pub fn hidden(&self) -> Option<(&'static str, &str)> {
        is_local_path(&self.next).then_some(("next", &self.next))
    }
}

/// Answers with the way to another page. 303 makes a browser fetch it without what was posted
/// (ASVS 14.2.1). What the API's answer does to cookies and caches is kept.
pub fn see_after(answer: &Response, to: &str) -> Response {
    let mut response = see(to);
    for name in ["set-cookie", "clear-site-data"] {
        for value in answer.headers().get_all(name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

pub fn see(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Leads to the sign-in page, and from there to what was to be read.
pub fn to_login(wanted: Option<&Uri>) -> Response {
    match wanted.and_then(Uri::path_and_query).map(|wanted| wanted.as_str()) {
        Some(wanted) if is_local_path(wanted) => {
            see(&format!("/auth/login?next={}", encoded(wanted)))
        }
        _ => see("/auth/login?done=sign-in-again"),
    }
}

/// Leads to where the password is entered again, and from there to the page that was left.
pub fn to_reauth(wanted: &Uri, is_safe: bool) -> Response {
    let path = wanted.path();
    let page = match path {
        // Its answer is a file, after which the user would still see the form.
        "/auth/export" => "/auth/data",
        _ if path.starts_with("/auth/sessions/")[% if module.tokens %] || path.starts_with("/auth/devices/")[% endif %] => "/auth/sessions",
[%- if module.oidc %]
        _ if path.starts_with("/auth/oidc/") => "/auth/identities",
[%- endif %]
        _ if is_safe || path.starts_with("/auth/") => {
            wanted.path_and_query().map_or(path, |wanted| wanted.as_str())
        }
        // The application's own form stands on a page that is not known here.
        _ => "",
    };
    see(&format!("/auth/reauth?next={}", encoded(page)))
}

fn encoded(text: &str) -> String {
    [= import.form_urlencoded =]::byte_serialize(text.as_bytes()).collect()
}

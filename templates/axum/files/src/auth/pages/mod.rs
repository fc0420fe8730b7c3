//! Pages for people, without scripts, at the paths of the JSON API.
//!
//! A page shows a form and hands what was sent to the function that answers the API: what is
//! allowed is decided there, once. A request is for a page if it is a posted form or prefers HTML.

mod account;
mod form;
mod layout;
mod next;
[%- if module.password %]
mod password;
[%- endif %]
mod present;
[%- if module.oidc %]
mod providers;
[%- endif %]
mod sessions;
mod sign_in;
[%- if module.password %]
mod sign_up;
[%- endif %]
mod words;

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    http::{HeaderMap, Method, header},
    routing::{MethodRouter, any, get, post},
};

pub use form::is_form;
pub use present::present;

/// Where somebody goes after signing in, unless they were on their way elsewhere.
pub const HOME: &str = "/auth/account";

fn pages() -> BTreeMap<&'static str, MethodRouter> {
    BTreeMap::from([
[%- if module.password %]
        ("/auth/register", get(sign_up::show_register).post(sign_up::register)),
        ("/auth/mailbox", get(sign_up::show_mailbox)),
        ("/auth/verify", get(sign_up::show_verify).post(sign_up::verify)),
        ("/auth/verify/resend", get(sign_up::show_resend).post(sign_up::resend)),
[%- endif %]
        ("/auth/login", get(sign_in::show_login)[% if module.password %].post(sign_in::login)[% endif %]),
        ("/auth/logout", post(sign_in::logout)),
        ("/auth/reauth", get(sign_in::show_reauth)[% if module.password %].post(sign_in::reauth)[% endif %]),
[%- if module.password %]
        ("/auth/password", get(password::show_change).post(password::change)),
        ("/auth/password/forgot", get(password::show_forgot).post(password::forgot)),
        ("/auth/password/reset", get(password::show_reset).post(password::reset)),
[%- endif %]
        ("/auth/account", get(account::show)),
[%- if module.password %]
        ("/auth/email", get(account::show_email).post(account::change_email)),
        ("/auth/email/confirm", get(account::show_confirm).post(account::confirm_email)),
[%- endif %]
        ("/auth/sessions", get(sessions::show)),
        ("/auth/sessions/[% if dep.axum.version == "0.7" %]:id[% else %]{id}[% endif %]/revoke", post(sessions::revoke)),
        ("/auth/sessions/revoke-others", post(sessions::revoke_others)),
[%- if module.tokens %]
        ("/auth/devices/[% if dep.axum.version == "0.7" %]:id[% else %]{id}[% endif %]/revoke", post(sessions::revoke_device)),
[%- endif %]
[%- if module.oidc %]
        ("/auth/identities", get(providers::show)),
        ("/auth/oidc/[% if dep.axum.version == "0.7" %]:provider[% else %]{provider}[% endif %]/start", post(providers::start)),
        ("/auth/oidc/[% if dep.axum.version == "0.7" %]:provider[% else %]{provider}[% endif %]/link", post(providers::link)),
        ("/auth/oidc/[% if dep.axum.version == "0.7" %]:provider[% else %]{provider}[% endif %]/unlink", post(providers::unlink)),
        ("/auth/oidc/[% if dep.axum.version == "0.7" %]:provider[% else %]{provider}[% endif %]/reauth", post(providers::reauth)),
[%- endif %]
        ("/auth/data", get(account::show_data)),
        ("/auth/account/delete", get(account::show_delete).post(account::delete)),
    ])
}

/// A router that puts the page of a path beside the API's answer.
pub struct Both {
    router: Router,
    pages: BTreeMap<&'static str, MethodRouter>,
}

impl Both {
    pub fn new() -> Self {
        Self { router: Router::new(), pages: pages() }
    }

    pub fn route(mut self, path: &'static str, api: MethodRouter) -> Self {
        let route = match self.pages.remove(path) {
            Some(page) => by_request(api, page),
            None => api,
        };
        self.router = self.router.route(path, route);
        self
    }

    /// With the pages that have nothing beside them.
    pub fn into_router(self) -> Router {
        let add = |router: Router, (path, page)| router.route(path, page);
        self.pages.into_iter().fold(self.router, add)
    }
}

fn by_request(api: MethodRouter, page: MethodRouter) -> MethodRouter {
    any(async move |request: Request| {
        if is_for_page(request.method(), request.headers()) {
            page.call(request, ()).await
        } else {
            api.call(request, ()).await
        }
    })
}

/// A form, or a reading request that prefers HTML to JSON. A body of another type is the API's.
fn is_for_page(method: &Method, headers: &HeaderMap) -> bool {
    if headers.contains_key(header::CONTENT_TYPE) {
        *method == Method::POST && is_form(headers)
    } else {
        (*method == Method::GET || *method == Method::HEAD) && prefers_html(headers)
    }
}

/// Browsers name HTML when they go to a page; programs that take anything get JSON (RFC 9110
/// 12.5.1).
fn prefers_html(headers: &HeaderMap) -> bool {
    let accepted: Vec<(String, f32)> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(weighed)
        .collect();
    let weight = |types: &[&str]| {
        let of = |wanted: &&str| accepted.iter().find(|(kind, _)| kind == wanted).map(|(_, q)| *q);
        types.iter().find_map(of).unwrap_or(0.0)
    };
    let html = weight(&["text/html"]);
    html > 0.0 && html >= weight(&["application/json", "application/*", "*/*"])
}

/// A media range and its weight. One that cannot be read weighs nothing.
fn weighed(range: &str) -> (String, f32) {
    let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
    let kind = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| Some(part.strip_prefix("q=")?.parse().unwrap_or(0.0)));
    (kind, weight.unwrap_or(1.0))
}

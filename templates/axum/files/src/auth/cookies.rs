//! The module's cookies, read and removed more strictly than the libraries do.

use std::borrow::Cow;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use [= import.tower_sessions =]::cookie::{Cookie, SameSite, time::Duration};

use super::Auth;

/// Names and attributes. `__Host-` makes browsers insist on Secure, Path=/ and no Domain
/// (ASVS 3.3.1, RFC 6265bis 4.1.3.2); it does not work over plain http, hence the other names.
pub struct Cookies {
    pub session: &'static str,
[%- if module.password %]
    pub browser: &'static str,
[%- endif %]
[%- if module.oidc %]
    pub transaction: &'static str,
[%- endif %]
    pub secure: bool,
}

impl Cookies {
    pub const fn new(development: bool) -> Self {
        if development {
            Self {
                session: "auth-dev-session",
[%- if module.password %]
                browser: "auth-dev-browser",
[%- endif %]
[%- if module.oidc %]
                transaction: "auth-dev-oidc",
[%- endif %]
                secure: false,
            }
        } else {
            Self {
                session: "__Host-auth-session",
[%- if module.password %]
                browser: "__Host-auth-browser",
[%- endif %]
[%- if module.oidc %]
                transaction: "__Host-auth-oidc",
[%- endif %]
                secure: true,
            }
        }
    }
[%- if module.password %]

    /// The cookie that marks the browser in which an account was registered.
    pub fn browser(&self, value: &str, seconds: i64) -> Option<HeaderValue> {
        self.build(self.browser, value, seconds)
    }
[%- endif %]
[%- if module.oidc %]

    /// The cookie of the browser in which a sign-in at a provider was begun.
    pub fn transaction(&self, value: &str, seconds: i64) -> Option<HeaderValue> {
        self.build(self.transaction, value, seconds)
    }
[%- endif %]

    fn build(&self, name: &'static str, value: &str, seconds: i64) -> Option<HeaderValue> {
        let cookie = Cookie::build((name, value))
            .secure(self.secure)
            .http_only(true)
            .same_site(SameSite::Lax)
            .path("/")
            .max_age(Duration::seconds(seconds))
            .build();
        HeaderValue::from_str(&cookie.to_string()).ok()
    }
}

/// The value of the one cookie with exactly this name.
pub fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = pairs(headers)
        .filter(|pair| is_exactly(pair, name))
        .filter_map(|pair| Some(pair.split_once('=')?.1));
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// Middleware around the session layer. A request that carries the session cookie twice has none
/// (its order proves nothing: RFC 6265bis 4.2.2), and neither do look-alikes that the cookie
/// library would decode to the same name. The application's own cookies pass untouched.
pub async fn strict(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let cookies = &auth.settings().cookies;
    keep_one(request.headers_mut(), cookies.session);
    let mut response = next.run(request).await;
    complete_removal(response.headers_mut(), cookies);
    response
}

fn keep_one(headers: &mut HeaderMap, name: &str) {
    let exact = pairs(headers).filter(|pair| is_exactly(pair, name)).count();
    let keep = |pair: &str| !library_name_is(pair, name) || (exact == 1 && is_exactly(pair, name));
    if pairs(headers).all(keep) {
        return;
    }
    let kept: Vec<&str> = pairs(headers).filter(|pair| keep(pair)).collect();
    let kept = HeaderValue::from_str(&kept.join(";")).ok();
    headers.remove(header::COOKIE);
    if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
        headers.insert(header::COOKIE, kept);
    }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| std::str::from_utf8(line.as_bytes()).ok())
        .flat_map(|line| line.split(';'))
}

fn is_exactly(pair: &str, name: &str) -> bool {
    let pair = pair.strip_prefix(' ').unwrap_or(pair);
    pair.split_once('=').is_some_and(|(found, _)| found == name)
}

/// How tower-sessions' cookie library reads the pair: trimmed and percent-decoded.
fn library_name_is(pair: &str, name: &str) -> bool {
    let cookie = Cookie::parse_encoded(Cow::Borrowed(pair));
    cookie.is_ok_and(|cookie| cookie.name() == name)
}

/// A browser ignores the removal of a `__Host-` cookie that lacks Secure, and the session layer
/// leaves it out.
fn complete_removal(headers: &mut HeaderMap, cookies: &Cookies) {
    let removal = format!("{}=;", cookies.session);
    let is_removal = |value: &HeaderValue| value.as_bytes().starts_with(removal.as_bytes());
    if !headers.get_all(header::SET_COOKIE).iter().any(is_removal) {
        return;
    }
    let kept: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter(|value| !is_removal(value))
        .cloned()
        .collect();
    headers.remove(header::SET_COOKIE);
    let removal = cookies.build(cookies.session, "", 0);
    for value in kept.into_iter().chain(removal) {
        headers.append(header::SET_COOKIE, value);
    }
}

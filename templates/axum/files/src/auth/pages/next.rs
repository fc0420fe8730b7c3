//! Where somebody goes next.

use axum::{
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

/// Longer ones are forgotten; the user ends at home.
const MAX_PATH: usize = 2_048;

/// True for a path of this origin in every reading of it (ASVS 3.7.2). Browsers drop tabs and line
/// ends, take `\` for `/` and resolve dots; servers behind proxies decode once more. So the path
/// is plain: printable ASCII, no empty or dotted segment, nothing encoded that would make one.
pub fn is_local_path(text: &str) -> bool {
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let path = path.to_ascii_lowercase().replace("%2e", ".");
    let encodes = ["%0", "%1", "%2f", "%5c", "%7f"].iter().any(|hidden| path.contains(hidden));
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    // The last segment may be empty: `/` and `/a/`.
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    let is_step = |segment: &str| matches!(segment, "" | "." | "..");
    text.len() <= MAX_PATH
        && is_plain
        && !encodes
        && (path == "/" || !segments.split('/').any(is_step))
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

/// Leads to the sign-in page, and from there to where the user was going.
pub fn to_login(target: Option<&Uri>) -> Response {
    match target.and_then(Uri::path_and_query) {
        Some(target) if is_local_path(target.as_str()) => see(&format!("/auth/login?next={}", encoded(target.as_str()))),
        _ => see("/auth/login?done=signed-out"),
    }
}

pub fn encoded(text: &str) -> String {
    [= import.form_urlencoded =]::byte_serialize(text.as_bytes()).collect()
}

//! Cross-site requests are told apart by what browsers say about them (ASVS 3.5.1, Fetch Metadata,
//! RFC 6454): no token, no state, nothing to add to a form.

use axum::http::{HeaderMap, HeaderName, Method, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request is refused, for the audit trail.
pub type Reason = &'static str;

/// Accepts safe methods, and unsafe ones that come from `origin`. A client that is not a browser
/// sends none of the headers; it is accepted as long as it carries no cookie of ours.
pub fn check(
    method: &Method,
    headers: &HeaderMap,
    origin: &str,
    carries_cookie: bool,
) -> Result<(), Reason> {
    if method.is_safe() {
        return Ok(());
    }
    let claims = [header::ORIGIN, SEC_FETCH_SITE, header::REFERER];
    if claims.iter().any(|name| headers.get_all(name).iter().count() > 1) {
        return Err("repeated_header");
    }
    let [claimed, site, referer] = claims.map(|name| headers.get(name).map(|v| v.as_bytes()));
    if claimed.is_some_and(|claimed| claimed != origin.as_bytes()) {
        return Err("foreign_origin");
    }
    if site.is_some_and(|site| site != b"same-origin") {
        return Err("cross_site");
    }
    if referer.is_some_and(|referer| !is_within(referer, origin)) {
        return Err("foreign_referer");
    }
    if carries_cookie && claimed.is_none() && site.is_none() {
        return Err("origin_unknown");
    }
    Ok(())
}

fn is_within(referer: &[u8], origin: &str) -> bool {
    referer
        .strip_prefix(origin.as_bytes())
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'/' | b'?' | b'#')))
}

//! The `/auth` routes and what all of their answers have in common.

use axum::{
    Extension, Router,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, [% if module.oidc and 'apple' in providers %]Method, Uri, [% endif %]header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};

use tracing::Instrument;

[% if module.tokens -%]
use super::bearer;
[% endif -%]
[% if ui == 'pages' -%]
use super::{
    [% if module.password %]accounts, email_change, [% endif %][% if module.oidc %]oidc, [% endif %]pages::Both, [% if module.password %]password, [% endif %]personal, problem::Problem, sessions, sign_in,
    visit::Visit,
};
[%- else -%]
use super::{
    [% if module.password %]accounts, email_change, [% endif %][% if module.oidc %]oidc, [% endif %][% if module.password %]password, [% endif %]personal, problem::Problem, sessions, sign_in, visit::Visit,
};
[%- endif %]

/// `openapi.yaml` describes these; a test compares the two.
pub fn router() -> Router {
    [% if ui == 'pages' %]Both[% else %]Router[% endif %]::new()
[%- if module.password %]
        .route("/auth/register", post(accounts::register))
        .route("/auth/verify", get(accounts::show_verify).post(accounts::verify))
        .route("/auth/verify/resend", post(accounts::resend))
        .route("/auth/login", post(sign_in::login))
[%- endif %]
        .route("/auth/logout", post(sign_in::logout))
        .route("/auth/me", get(sign_in::me))
[%- if module.password %]
        .route("/auth/reauth", post(sign_in::reauth))
        .route("/auth/password", post(password::change))
        .route("/auth/password/forgot", post(password::forgot))
        .route("/auth/password/reset", get(password::show_reset).post(password::reset))
        .route("/auth/email", post(email_change::request))
        .route("/auth/email/confirm", get(email_change::show).post(email_change::confirm))
[%- endif %]
        .route("/auth/sessions", get(sessions::list))
        .route("/auth/sessions/[% if dep.axum.version == "0.7" %]:id[% else %]{id}[% endif %]", delete(sessions::revoke))
        .route("/auth/sessions/revoke-others", post(sessions::revoke_others))
        .route("/auth/export", get(personal::export))
        .route("/auth/account", delete(personal::delete))
[%- if module.tokens %]
        .route("/auth/token", post(bearer::issue))
        .route("/auth/token/refresh", post(bearer::refresh))
        .route("/auth/token/revoke", post(bearer::revoke))
        .route("/auth/token/me", get(bearer::me))
        .route("/auth/devices", get(bearer::devices::list))
        .route("/auth/devices/[% if dep.axum.version == "0.7" %]:id[% else %]{id}[% endif %]", delete(bearer::devices::revoke))
        .route("/.well-known/jwks.json", get(bearer::published))
[%- endif %]
[%- if module.oidc %]
        .route("/auth/providers", get(oidc::start::list))
        .route("/auth/identities", get(oidc::identities::list))
        .route("/auth/oidc/[% if dep.axum.version == "0.7" %]:provider[% else %]{provider}[% endif %]/start", post(oidc::start::start))
        .route("/auth/oidc/[% if dep.axum.version == "0.7" %]:provider[% else %]{provider}[% endif %]/callback", get(oidc::callback::callback))
[%- if 'apple' in providers %]
        .route("/auth/oidc/[% if dep.axum.version == "0.7" %]:provider[% else %]{provider}[% endif %]/callback", post(oidc::callback::posted))
[%- endif %]
        .route("/auth/oidc/[% if dep.axum.version == "0.7" %]:provider[% else %]{provider}[% endif %]/link", post(oidc::start::link).delete(oidc::unlink))
        .route("/auth/oidc/[% if dep.axum.version == "0.7" %]:provider[% else %]{provider}[% endif %]/reauth", post(oidc::start::reauth))
[%- endif %]
[%- if ui == 'pages' %]
        .into_router()
[%- endif %]
        .route_layer(from_fn(harden))
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// ASVS 3.4.1 (HSTS), 3.4.3 (CSP), 3.4.4 (nosniff), 3.4.5 (Referrer-Policy), 3.4.6 (framing),
/// 3.4.8 (COOP), 14.3.2 (no-store).
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
];

/// Middleware of every `/auth` route: refuses cross-site requests, sets the headers. What was begun
/// goes to its end, also when the client hangs up: a guess that was counted is recorded, and what was
/// changed is told to the owner of the account.
async fn harden(Extension(visit): Extension<Visit>, request: Request, next: Next) -> Response {
[%- if module.oidc and 'apple' in providers %]
    let allowed = if is_posted_answer(request.method(), request.uri()) {
        Ok(())
    } else {
        visit.refuse_foreign(request.method(), request.headers()).await
    };
[%- else %]
    let allowed = visit.refuse_foreign(request.method(), request.headers()).await;
[%- endif %]
    let mut response = match allowed {
        Ok(()) => {
            let running = tokio::spawn(next.run(request).in_current_span());
            running.await.unwrap_or_else(|_| Problem::unavailable().into_response())
        }
        Err(problem) => problem.into_response(),
    };
    protect(response.headers_mut());
    if let Ok(id) = HeaderValue::from_str(visit.request_id()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

[% if module.oidc and 'apple' in providers -%]
/// What a provider posts comes from its site. It changes nothing here; `oidc::callback::posted` turns
/// it into a reading request.
fn is_posted_answer(method: &Method, uri: &Uri) -> bool {
    let path = uri.path();
    *method == Method::POST && path.starts_with("/auth/oidc/") && path.ends_with("/callback")
}

[% endif -%]
/// Sets the headers of an answer[% if ui == 'pages' %]; a page keeps the policy that it brings[% endif %]. Browsers ignore HSTS on plain http,
/// so development needs no exception.
pub fn protect(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
[%- if ui == 'pages' %]
        headers.entry(name).or_insert(HeaderValue::from_static(value));
[%- else %]
        headers.insert(name, HeaderValue::from_static(value));
[%- endif %]
    }
}

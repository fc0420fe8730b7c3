//! Errors as RFC 9457 problem documents. What went wrong inside goes to the log, never to a client.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use [= import.tower_sessions =]::{session, session_store::Error as StoreError};

use super::store;

/// An error answer: a status, a stable `code` for programs and a sentence for people.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    retry_after: Option<i64>,
}

/// The name of a problem is its code.
macro_rules! problems {
    ($($code:ident: $status:ident, $title:literal;)*) => {
        impl Problem {
            $(pub(super) const fn $code() -> Self {
                Self {
                    status: StatusCode::$status,
                    code: stringify!($code),
                    title: $title,
                    retry_after: None,
                }
            })*
        }
    };
}

problems! {
    malformed_request: BAD_REQUEST, "The request cannot be read.";
    invalid_fields: UNPROCESSABLE_ENTITY, "A field is missing or has the wrong type.";
    json_required: UNSUPPORTED_MEDIA_TYPE, "The body must be application/json in UTF-8.";
    body_too_large: PAYLOAD_TOO_LARGE, "The body is too large.";
    email_invalid: UNPROCESSABLE_ENTITY, "This e-mail address cannot be used here.";
    password_too_short: UNPROCESSABLE_ENTITY, "The password has too few characters.";
    password_too_long: UNPROCESSABLE_ENTITY, "The password has more than 256 characters or 1024 bytes.";
    password_common: UNPROCESSABLE_ENTITY, "This password is on lists that attackers use.";
    password_contextual: UNPROCESSABLE_ENTITY, "The password is made of the e-mail address or of this site's name.";
    password_guessable: UNPROCESSABLE_ENTITY, "The password follows a pattern that is easy to guess.";
    password_required: UNAUTHORIZED, "In this browser, confirming the address takes the password.";
    invalid_credentials: UNAUTHORIZED, "The e-mail address or the password is wrong.";
    email_unverified: FORBIDDEN, "Confirm the e-mail address first.";
    not_signed_in: UNAUTHORIZED, "Sign in to continue.";
    reauth_required: FORBIDDEN, "Enter the password again to continue.";
    email_unchanged: UNPROCESSABLE_ENTITY, "The account has this e-mail address already.";
    session_unknown: NOT_FOUND, "There is no such session. It may have ended.";
    token_invalid: BAD_REQUEST, "This link is not valid, was used, or has expired.";
    foreign_request: FORBIDDEN, "The request does not come from this site.";
    too_many_requests: TOO_MANY_REQUESTS, "Too many attempts. Try again later.";
    unavailable: SERVICE_UNAVAILABLE, "This does not work right now. Try again later.";
}

impl Problem {
    pub(super) fn throttled(seconds: i64) -> Self {
        Self {
            retry_after: Some(seconds.max(1)),
            ..Self::too_many_requests()
        }
    }

    pub(super) fn is_not_signed_in(&self) -> bool {
        self.code == Self::not_signed_in().code
    }
[%- if ui == 'pages' %]

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn title(&self) -> &'static str {
        self.title
    }

    pub(super) fn retry_after(&self) -> Option<i64> {
        self.retry_after
    }
[%- endif %]
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("urn:auth:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code,
        });
        let headers = [
            (header::CONTENT_TYPE, "application/problem+json"),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let mut response = (self.status, headers, body.to_string()).into_response();
        if let Some(seconds) = self.retry_after {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
[%- if ui == 'pages' %]
        // For `pages::present`, which tells people in words.
        response.extensions_mut().insert(self);
[%- endif %]
        response
    }
}

/// A dependency that fails grants nothing (ASVS 16.5.3).
impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(target: "auth", %error, "the database failed");
        Self::unavailable()
    }
}

impl From<session::Error> for Problem {
    fn from(error: session::Error) -> Self {
        if matches!(&error, session::Error::Store(StoreError::Backend(why)) if why == store::CHANGED) {
            return Self::not_signed_in();
        }
        tracing::error!(target: "auth", %error, "the session store failed");
        Self::unavailable()
    }
}

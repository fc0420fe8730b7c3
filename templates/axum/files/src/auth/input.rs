//! Request bodies: JSON objects, small, of one declared type.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// More than any form of this module needs; bounds memory before anything is parsed.
const MAX_BODY: usize = 64 * 1024;
/// A body that trickles in for longer is given up.
pub const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// A JSON object read into `T`. No error repeats what was sent (ASVS 15.3.1).
pub struct Input<T>(pub T);

[% if dep.axum.version == "0.7" -%]
#[axum::async_trait]
[% endif -%]
impl<S, T> FromRequest<S> for Input<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let bytes = read(request.into_body(), READ_TIMEOUT).await?;
        // serde also fills a struct from an array; only an object has names to check (ASVS 15.3.5).
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::invalid_fields());
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| match error.classify() {
                serde_json::error::Category::Data => Problem::invalid_fields(),
                _ => Problem::malformed_request(),
            })
    }
}

/// Exactly one Content-Type, and one that a cross-site form cannot send (ASVS 3.5.2).
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::json_required());
    };
    let value = value.to_str().map_err(|_| Problem::json_required())?;
    let (media_type, parameter) = value.split_once(';').unwrap_or((value, ""));
    let parameter = parameter.trim();
    let utf8 = parameter.is_empty()
        || ["charset=utf-8", "charset=\"utf-8\""]
            .iter()
            .any(|allowed| parameter.eq_ignore_ascii_case(allowed));
    if media_type.trim().eq_ignore_ascii_case("application/json") && utf8 {
        Ok(())
    } else {
        Err(Problem::json_required())
    }
}

pub async fn read(body: Body, patience: Duration) -> Result<axum::body::Bytes, Problem> {
    match tokio::time::timeout(patience, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Problem::body_too_large()),
        Err(_) => Err(Problem::malformed_request()),
    }
}

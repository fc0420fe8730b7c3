//! Tokens for programs: a signed access token for minutes, and a refresh token that is replaced at
//! every use.
//!
//! A sign-in of a program is a *family*: one row, which all its tokens refer to and which each use
//! of one reads. What ends the family ends them at once (ASVS 7.4.1).

mod access;
pub mod devices;
mod families;
mod guard;
mod issue;
mod keys;
mod revoke;
mod rotate;
mod scopes;

use axum::Json;
use serde_json::{Value, json};

pub use access::Access;
pub use families::carry_over;
pub use guard::{Any, ApiUser, Caller, FreshApiUser, FreshCaller, Read, Scope, Write};
pub use issue::issue;
pub use keys::{Keys, fresh_key, published};
pub use revoke::revoke;
pub use rotate::refresh;
pub use scopes::Scopes;

/// Whose token it is, and what it may do.
pub async fn me(user: ApiUser) -> Json<Value> {
    Json(json!({ "id": user.id, "scope": user.scope, "device": user.device }))
}

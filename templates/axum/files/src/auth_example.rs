//! A guarded route as an example. Copy the pattern, then delete this file and the two lines that name it.

use axum::{Json, Router};
use serde_json::Value;

use crate::auth::User;

/// The example's routes.
pub fn routes() -> Router {
    Router::new().route("/auth/example", axum::routing::get(show).post(change))
}

/// Answers only to a signed-in user: the `User` argument is the guard.
async fn show(user: User) -> Json<Value> {
    Json(serde_json::json!({ "message": "Only signed-in users see this.", "user_id": user.id }))
}

/// With an unsafe method, the guard also refuses requests from other sites.
async fn change(user: User) -> Json<Value> {
    Json(serde_json::json!({ "changed_by": user.id }))
}

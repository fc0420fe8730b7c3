//! A guarded route as an example. Copy the pattern, then delete this file and the two lines that name it.

use axum::{Json, Router};
use serde_json::Value;

[% if module.tokens -%]
use crate::auth::{ApiUser, FreshApiUser, Read, User};
[%- else -%]
use crate::auth::User;
[%- endif %]

/// The example's routes.
pub fn routes() -> Router {
[%- if module.tokens %]
    let router = Router::new()
        .route("/auth/example/api", axum::routing::get(api))
        .route("/auth/example/fresh", axum::routing::get(api_fresh));
[%- endif %]
[%- if ui == 'pages' %]
    let router = [% if module.tokens %]router[% else %]Router::new()[% endif %].route("/auth/example", axum::routing::get(show).post(change));
    router.route("/auth/example/page", axum::routing::get(page))
[%- elif module.tokens %]
    router.route("/auth/example", axum::routing::get(show).post(change))
[%- else %]
    Router::new().route("/auth/example", axum::routing::get(show).post(change))
[%- endif %]
}

/// Answers only to a signed-in user: the `User` argument is the guard.
async fn show(user: User) -> Json<Value> {
    Json(serde_json::json!({ "message": "Only signed-in users see this.", "user_id": user.id }))
}
[%- if ui == 'pages' %]

/// Where the guard leads a browser to the sign-in page and back here.
async fn page(user: User) -> axum::response::Html<String> {
    let page = [= import.maud =]::html! {
        ([= import.maud =]::DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Example" }
            }
            body {
                main {
                    h1 { "Example" }
                    p { "Hello " (user.email) ", only signed-in users see this." }
                    p { a href="/auth/account" { "Your account" } }
                }
            }
        }
    };
    axum::response::Html(page.into_string())
}
[%- endif %]

/// With an unsafe method, the guard also refuses requests from other sites.
async fn change(user: User) -> Json<Value> {
    Json(serde_json::json!({ "changed_by": user.id }))
}
[%- if module.tokens %]

/// Answers only to an access token with the scope `read`.
async fn api(user: ApiUser<Read>) -> Json<Value> {
    Json(serde_json::json!({ "message": "Only programs see this.", "user_id": user.id }))
}

/// Answers only to an access token from a sign-in of the last minutes.
async fn api_fresh(FreshApiUser(user): FreshApiUser) -> Json<Value> {
    Json(serde_json::json!({ "user_id": user.id }))
}
[%- endif %]

//! A guarded route as an example. Copy the pattern, then delete this file and the two lines that name it.

use axum::{Json, Router};
use serde_json::Value;

use crate::auth::User;

/// The example's routes.
pub fn routes() -> Router {
[%- if ui == 'pages' %]
    let router = Router::new().route("/auth/example", axum::routing::get(show).post(change));
    router.route("/auth/example/page", axum::routing::get(page))
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

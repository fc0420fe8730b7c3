//! The overview of an account.

use axum::{
    Extension,
    extract::{Query, rejection::QueryRejection},
    response::Response,
};
use [= import.maud =]::html;

use super::{layout::Page, sign_in::Said, words};
use crate::auth::{User, visit::Visit};

pub async fn show(
    Extension(visit): Extension<Visit>,
    user: User,
    query: Result<Query<Said>, QueryRejection>,
) -> Response {
    let notice = words::done(&Said::of(query).done);
    let content = html! {
        dl {
            dt { "E-mail address" }
            dd { (user.email) }
            dt { "Password" }
            dd { a href="/auth/password" { "Change password" } }
        }
    };
    Page::new(&visit, "Account").of(&user).notice(notice).show(content)
}

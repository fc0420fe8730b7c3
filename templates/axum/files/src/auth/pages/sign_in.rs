//! Signing in and out.

use axum::{
    Extension,
    extract::{Query, rejection::QueryRejection},
    response::Response,
};
use [= import.maud =]::html;
use serde::Deserialize;

use super::{
    form::{Field, Form, Kind, Posted, Refused},
    layout::Page,
    next::{is_local_path, see, see_after},
    words,
};
use crate::auth::{MaybeUser, problem::Problem, sign_in, visit::Visit};

const LOGIN: &[Field] = &[
    Field { name: "email", label: "E-mail address", kind: Kind::Email },
    Field { name: "password", label: "Password", kind: Kind::Password },
];

/// What the address of a page may hold: a code for what was done, and where to go then.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Said {
    pub done: String,
    pub next: String,
}

impl Said {
    /// A query that cannot be read, or names something twice, says nothing.
    pub fn of(query: Result<Query<Self>, QueryRejection>) -> Self {
        query.map(|Query(said)| said).unwrap_or_default()
    }
}

pub async fn show_login(
    Extension(visit): Extension<Visit>,
    MaybeUser(user): MaybeUser,
    query: Result<Query<Said>, QueryRejection>,
) -> Response {
    let said = Said::of(query);
    if user.is_some() {
        return see(target(&visit, &said.next));
    }
    login_page(&visit, "", &said, None)
}

pub async fn login(Extension(visit): Extension<Visit>, posted: Posted) -> Response {
    let action = |input| sign_in::login(Extension(visit.clone()), input);
    let next = posted.get("next");
    match posted.to(LOGIN, action).await {
        Ok(answer) => see_after(&answer, target(&visit, next)),
        Err(refused) => {
            let said = Said { next: next.to_owned(), done: String::new() };
            login_page(&visit, posted.get("email"), &said, Some(refused))
        }
    }
}

fn target<'a>(visit: &'a Visit, next: &'a str) -> &'a str {
    if is_local_path(next) { next } else { &visit.auth().settings().home_path }
}

fn login_page(visit: &Visit, email: &str, said: &Said, refused: Option<Refused>) -> Response {
    let unverified = refused.as_ref().is_some_and(|refused| refused.is(&Problem::email_unverified()));
    let page = Page::new(visit, "Sign in").notice(words::done(&said.done)).refused(refused, LOGIN);
    let next = Some(("next", said.next.as_str())).filter(|(_, next)| is_local_path(next));
    let form = Form { email, hidden: next.as_slice(), ..Form::new("/auth/login", LOGIN, "Sign in") };
    let content = html! {
        (page.form(&form))
        ul.links {
            @if unverified { li { a href="/auth/verify/resend" { "Send the confirmation again" } } }
            li { a href="/auth/password/forgot" { "Forgot your password?" } }
            li { "New here? " a href="/auth/register" { "Create an account" } }
        }
    };
    page.show(content)
}

pub async fn logout(Extension(visit): Extension<Visit>) -> Result<Response, Problem> {
    let answer = sign_in::logout(Extension(visit)).await?;
    Ok(see_after(&answer, "/auth/login?done=signed-out"))
}

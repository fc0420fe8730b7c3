//! Changing a password, and replacing a forgotten one.

use axum::{
    Extension,
    extract::{Query, rejection::QueryRejection},
    response::Response,
};
use [= import.maud =]::html;

use super::{
    form::{Field, Form, Kind, Posted, Refused},
    layout::Page,
    next::see_after,
};
use crate::auth::{
    User,
    accounts::{self, Link},
    password,
    problem::Problem,
    tokens::Purpose,
    visit::Visit,
};

const CHANGE: &[Field] = &[
    Field { name: "current_password", label: "Current password", kind: Kind::Password },
    Field { name: "new_password", label: "New password", kind: Kind::NewPassword },
];

pub async fn show_change(Extension(visit): Extension<Visit>, user: User) -> Response {
    change_page(&visit, &user, None)
}

pub async fn change(
    Extension(visit): Extension<Visit>,
    user: User,
    posted: Posted,
) -> Result<Response, Problem> {
    let action = |input| password::change(Extension(visit.clone()), user.clone(), input);
    match posted.to(CHANGE, action).await {
        Ok(answer) => Ok(see_after(&answer, "/auth/account?done=password-changed")),
        Err(refused) if refused.is(&Problem::not_signed_in()) => Err(Problem::not_signed_in()),
        Err(refused) => Ok(change_page(&visit, &user, Some(refused))),
    }
}

fn change_page(visit: &Visit, user: &User, refused: Option<Refused>) -> Response {
    let page =
        Page::new(visit, "Change password").of(user, "/auth/password").refused(refused, CHANGE);
    let form =
        Form { email: &user.email, ..Form::new("/auth/password", CHANGE, "Change password") };
    let content = html! {
        p { "Every other device is signed out when the password changes." }
        (page.form(&form))
    };
    page.show(content)
}

const FORGOT: &[Field] = &[Field { name: "email", label: "E-mail address", kind: Kind::Email }];

pub async fn show_forgot(Extension(visit): Extension<Visit>) -> Response {
    forgot_page(&visit, "", None)
}

pub async fn forgot(Extension(visit): Extension<Visit>, posted: Posted) -> Response {
    let action = |input| password::forgot(Extension(visit.clone()), input);
    match posted.to(FORGOT, action).await {
        Ok(answer) => see_after(&answer, "/auth/mailbox"),
        Err(refused) => forgot_page(&visit, posted.get("email"), Some(refused)),
    }
}

fn forgot_page(visit: &Visit, email: &str, refused: Option<Refused>) -> Response {
    let page = Page::new(visit, "Forgot your password?").refused(refused, FORGOT);
    let form = Form { email, ..Form::new("/auth/password/forgot", FORGOT, "Send mail") };
    let content = html! {
        p { "Enter the address of your account. A link to choose a new password is mailed to it." }
        (page.form(&form))
        p.links { a href="/auth/login" { "Go to the sign-in page" } }
    };
    page.show(content)
}

const RESET: &[Field] =
    &[Field { name: "password", label: "New password", kind: Kind::NewPassword }];

pub async fn show_reset(
    Extension(visit): Extension<Visit>,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Link { token }) = link.map_err(|_| Problem::token_invalid())?;
    reset_page(&visit, &token, None).await
}

pub async fn reset(
    Extension(visit): Extension<Visit>,
    posted: Posted,
) -> Result<Response, Problem> {
    let action = |input| password::reset(Extension(visit.clone()), input);
    match posted.to(RESET, action).await {
        Ok(answer) => Ok(see_after(&answer, "/auth/login?done=password-changed")),
        Err(refused) => reset_page(&visit, posted.get("token"), Some(refused)).await,
    }
}

/// A link that does not work is a page of its own.
async fn reset_page(
    visit: &Visit,
    token: &str,
    refused: Option<Refused>,
) -> Result<Response, Problem> {
    let owner = accounts::usable(visit, Purpose::Reset, token).await?;
    let page = Page::new(visit, "Choose a new password").refused(refused, RESET);
    let form = Form {
        hidden: &[("token", token)],
        email: &owner.email,
        ..Form::new("/auth/password/reset", RESET, "Save password")
    };
    let content = html! {
        p { "Every device is signed out when the password changes." }
        (page.form(&form))
    };
    Ok(page.show(content))
}

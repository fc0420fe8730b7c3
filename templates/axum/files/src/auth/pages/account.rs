//! The account itself: overview, another address, taking the data away, deletion.

use axum::{
    Extension,
    extract::{Query, rejection::QueryRejection},
    response::Response,
};
use [= import.maud =]::html;

use super::{
    form::{Field, Form, Kind, Posted, Refused},
    layout::Page,
    next::{Said, see_after},
};
use crate::auth::{
    FreshUser, User, [% if module.password %]accounts::Link, email_change, [% endif %]personal, problem::Problem, visit::Visit,
};

pub async fn show(
    Extension(visit): Extension<Visit>,
    user: User,
    query: Result<Query<Said>, QueryRejection>,
) -> Response {
    let rows = [
[%- if module.password %]
        ("E-mail address", user.email.as_str(), "/auth/email", "Change e-mail address"),
[%- else %]
        ("Ways to sign in", user.email.as_str(), "/auth/identities", "Connect or disconnect"),
[%- endif %]
[%- if module.password %]
        ("Password", "Used to sign in", "/auth/password", "Change password"),
[%- endif %]
        ("Devices", "Where you are signed in", "/auth/sessions", "See devices"),
        ("Your data", "What is kept about this account", "/auth/data", "Download or delete"),
    ];
    let content = html! {
        dl.rows {
            @for (name, what, path, action) in rows {
                div {
                    dt { (name) }
                    dd.what { (what) }
                    dd { a href=(path) { (action) } }
                }
            }
        }
    };
    Page::new(&visit, "Account").of(&user, "/auth/account").after(query).show(content)
}

[% if module.password -%]
const EMAIL: &[Field] =
    &[Field { name: "email", label: "New e-mail address", kind: Kind::NewEmail }];

pub async fn show_email(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
) -> Response {
    email_page(&visit, &user, "", None)
}

pub async fn change_email(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
    posted: Posted,
) -> Response {
    let action =
        |input| email_change::request(Extension(visit.clone()), FreshUser(user.clone()), input);
    match posted.to(EMAIL, action).await {
        Ok(answer) => see_after(&answer, "/auth/account?done=address-mailed"),
        Err(refused) => email_page(&visit, &user, posted.get("email"), Some(refused)),
    }
}

fn email_page(visit: &Visit, user: &User, email: &str, refused: Option<Refused>) -> Response {
    let page =
        Page::new(visit, "Change e-mail address").of(user, "/auth/account").refused(refused, EMAIL);
    let form = Form { email, ..Form::new("/auth/email", EMAIL, "Send confirmation") };
    let content = html! {
        p { "Your address is " strong { (user.email) } "." }
        p {
            "We send a link to the new one. Your address changes when you open that link in a \
             browser in which you are signed in."
        }
        (page.form(&form))
        p.links { a href="/auth/account" { "Keep the address" } }
    };
    page.show(content)
}

/// For the user who asked: whoever is not signed in comes back here after signing in.
pub async fn show_confirm(
    Extension(visit): Extension<Visit>,
    user: User,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Link { token }) = link.map_err(|_| Problem::token_invalid())?;
    confirm_page(&visit, &user, &token, None).await
}

pub async fn confirm_email(
    Extension(visit): Extension<Visit>,
    user: User,
    posted: Posted,
) -> Result<Response, Problem> {
    let action = |input| email_change::confirm(Extension(visit.clone()), user.clone(), input);
    match posted.to(&[], action).await {
        Ok(answer) => Ok(see_after(&answer, "/auth/account?done=address-changed")),
        Err(refused) => confirm_page(&visit, &user, posted.get("token"), Some(refused)).await,
    }
}

async fn confirm_page(
    visit: &Visit,
    user: &User,
    token: &str,
    refused: Option<Refused>,
) -> Result<Response, Problem> {
    let new_email = email_change::usable(visit, user, token).await?;
    let page = Page::new(visit, "Confirm your new address")
        .of(user, "/auth/account")
        .refused(refused, &[]);
    let form = Form {
        hidden: &[("token", token)],
        ..Form::new("/auth/email/confirm", &[], "Use this address")
    };
    let content = html! {
        p {
            "From now on, " strong { (new_email) } " takes the place of " strong { (user.email) }
            ". Every other device is signed out."
        }
        (page.form(&form))
        p.links { a href="/auth/account" { "Keep the address" } }
    };
    Ok(page.show(content))
}

[% endif -%]
/// Asks for a fresh password, so that the download does not have to.
pub async fn show_data(Extension(visit): Extension<Visit>, FreshUser(user): FreshUser) -> Response {
    let content = html! {
        h2 { "Download" }
        p { "What is kept about your account, its devices and its history, as a JSON file." }
        p { a.button.quiet href="/auth/export" download="account.json" { "Download your data" } }
        h2 { "Delete" }
        p { "Your account can be deleted for good." }
        p { a href="/auth/account/delete" { "Delete your account" } }
    };
    Page::new(&visit, "Your data").of(&user, "/auth/data").show(content)
}

const DELETE: &[Field] =
    &[Field { name: "confirmed", label: "Yes, delete my account for good", kind: Kind::Consent }];

pub async fn show_delete(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
) -> Response {
    delete_page(&visit, &user, None)
}

pub async fn delete(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
    posted: Posted,
) -> Result<Response, Problem> {
    if let Err(refused) = posted.filled(DELETE) {
        return Ok(delete_page(&visit, &user, Some(refused)));
    }
    let answer = personal::delete(Extension(visit), FreshUser(user)).await?;
    Ok(see_after(&answer, "/auth/login?done=account-deleted"))
}

fn delete_page(visit: &Visit, user: &User, refused: Option<Refused>) -> Response {
    let page =
        Page::new(visit, "Delete your account").of(user, "/auth/data").refused(refused, DELETE);
    let form = Form { danger: true, ..Form::new("/auth/account/delete", DELETE, "Delete account") };
    let content = html! {
        p {
            "This deletes the account " strong { (user.email) }
            ", signs out every device, and cannot be undone."
        }
        p { "You may want to " a href="/auth/data" { "download your data" } " first." }
        (page.form(&form))
        p.links { a href="/auth/account" { "Keep the account" } }
    };
    page.show(content)
}

//! From an address to a confirmed account.

use axum::{
    Extension,
    extract::{Query, rejection::QueryRejection},
    response::Response,
};
use [= import.maud =]::html;

use super::{
    form::{Field, Form, Kind, Posted, Refused},
    layout::Page,
    next::{see, see_after},
};
use crate::auth::{
    accounts::{self, Link},
    problem::Problem,
    tokens::Purpose,
    visit::Visit,
};

const REGISTER: &[Field] = &[
    Field { name: "email", label: "E-mail address", kind: Kind::Email },
    Field { name: "password", label: "Password", kind: Kind::NewPassword },
];

pub async fn show_register(Extension(visit): Extension<Visit>) -> Response {
    register_page(&visit, "", None)
}

pub async fn register(Extension(visit): Extension<Visit>, posted: Posted) -> Response {
    let action = |input| accounts::register(Extension(visit.clone()), input);
    match posted.to(REGISTER, action).await {
        Ok(answer) => see_after(&answer, "/auth/mailbox"),
        Err(refused) => register_page(&visit, posted.get("email"), Some(refused)),
    }
}

fn register_page(visit: &Visit, email: &str, refused: Option<Refused>) -> Response {
    let page = Page::new(visit, "Create an account").refused(refused, REGISTER);
    let form = Form { email, ..Form::new("/auth/register", REGISTER, "Create account") };
    let content = html! {
        (page.form(&form))
        p.links { "Have an account? " a href="/auth/login" { "Sign in" } }
    };
    page.show(content)
}

/// The same after a sign-up, a repeated mail and a forgotten password, and for every address.
pub async fn show_mailbox(Extension(visit): Extension<Visit>) -> Response {
    let content = html! {
        p {
            "If the address can be used here, a mail is on its way to it. Open the link in that \
             mail, best in this browser."
        }
        p { "Nothing after a few minutes? Look into the spam folder, then:" }
        ul.links {
            li { a href="/auth/verify/resend" { "Send the confirmation again" } }
            li { a href="/auth/password/forgot" { "Ask for a new password" } }
        }
        p.links { a href="/auth/login" { "Go to the sign-in page" } }
    };
    Page::new(&visit, "Look into your mailbox").show(content)
}

const RESEND: &[Field] = &[Field { name: "email", label: "E-mail address", kind: Kind::Email }];

pub async fn show_resend(Extension(visit): Extension<Visit>) -> Response {
    resend_page(&visit, "", None)
}

pub async fn resend(Extension(visit): Extension<Visit>, posted: Posted) -> Response {
    let action = |input| accounts::resend(Extension(visit.clone()), input);
    match posted.to(RESEND, action).await {
        Ok(answer) => see_after(&answer, "/auth/mailbox"),
        Err(refused) => resend_page(&visit, posted.get("email"), Some(refused)),
    }
}

fn resend_page(visit: &Visit, email: &str, refused: Option<Refused>) -> Response {
    let page = Page::new(visit, "Send the confirmation again").refused(refused, RESEND);
    let form = Form { email, ..Form::new("/auth/verify/resend", RESEND, "Send mail") };
    let content = html! {
        p { "For an account that waits for its address to be confirmed." }
        (page.form(&form))
        p.links { a href="/auth/login" { "Go to the sign-in page" } }
    };
    page.show(content)
}

const PASSWORD: &[Field] = &[Field { name: "password", label: "Password", kind: Kind::Password }];

pub async fn show_verify(
    Extension(visit): Extension<Visit>,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Link { token }) = link.map_err(|_| Problem::token_invalid())?;
    verify_page(&visit, &token, None).await
}

pub async fn verify(
    Extension(visit): Extension<Visit>,
    posted: Posted,
) -> Result<Response, Problem> {
    let confirmed = async { accounts::confirm(&visit, posted.read()?.0).await };
    match confirmed.await {
        Ok(true) => Ok(see("/auth/account?done=address-confirmed")),
        Ok(false) => Ok(see("/auth/login?done=address-confirmed")),
        Err(problem) => verify_page(&visit, posted.get("token"), Some(problem.into())).await,
    }
}

/// Takes the password where the registration was made in another browser. A link that does not work
/// is a page of its own.
async fn verify_page(
    visit: &Visit,
    token: &str,
    refused: Option<Refused>,
) -> Result<Response, Problem> {
    let owner = accounts::usable(visit, Purpose::Verify, token).await?;
    let fields = if accounts::is_registering_browser(visit, &owner) { &[] } else { PASSWORD };
    let page = Page::new(visit, "Confirm your address").refused(refused, fields);
    let form = Form {
        hidden: &[("token", token)],
        email: &owner.email,
        ..Form::new("/auth/verify", fields, "Confirm address")
    };
    let content = html! {
        @if fields.is_empty() {
            p { "One step is left: confirm that you signed up with " strong { (owner.email) } "." }
        } @else {
            p {
                "You signed up in another browser, or somebody else did with your address. Enter \
                 the password that was chosen then."
            }
        }
        (page.form(&form))
    };
    Ok(page.show(content))
}

//! Signing in and out.

use axum::{
    Extension,
    extract::{Query, rejection::QueryRejection},
    response::Response,
};
use [= import.maud =]::html;

use super::{
[%- if module.password %]
    form::{Field, Form, Kind, Posted, Refused},
[%- endif %]
    layout::Page,
    next::{Said, see, see_after},
[%- if module.oidc %]
    providers::{self, Ways},
[%- endif %]
};
use crate::auth::{
    MaybeUser, User, local_path::is_local_path, problem::Problem, sign_in, visit::Visit,
};

[% if module.password -%]
const LOGIN: &[Field] = &[
    Field { name: "email", label: "E-mail address", kind: Kind::Email },
    Field { name: "password", label: "Password", kind: Kind::Password },
];

[% endif -%]
pub async fn show_login(
    Extension(visit): Extension<Visit>,
    MaybeUser(user): MaybeUser,
    query: Result<Query<Said>, QueryRejection>,
) -> Response {
    let said = Said::of(query);
    match user {
        Some(_) => see(target(&visit, &said.next)),
        None => login_page(&visit, [% if module.password %]"", &said, None[% else %]&said[% endif %]),
    }
}

[% if module.password -%]
pub async fn login(Extension(visit): Extension<Visit>, posted: Posted) -> Response {
    let action = |input| sign_in::login(Extension(visit.clone()), input);
    let next = posted.get("next");
    match posted.to(LOGIN, action).await {
        Ok(answer) => see_after(&answer, target(&visit, next)),
        Err(refused) => {
            let said = Said { next: next.to_owned(), ..Said::default() };
            login_page(&visit, posted.get("email"), &said, Some(refused))
        }
    }
}

[% endif -%]
fn target<'a>(visit: &'a Visit, next: &'a str) -> &'a str {
    if is_local_path(next) { next } else { &visit.auth().settings().home_path }
}

[% if module.password -%]
fn login_page(visit: &Visit, email: &str, said: &Said, refused: Option<Refused>) -> Response {
    let unverified =
        refused.as_ref().is_some_and(|refused| refused.is(&Problem::email_unverified()));
    let page = Page::new(visit, "Sign in").notice(said).refused(refused, LOGIN);
    let next = said.hidden();
    let form =
        Form { email, hidden: next.as_slice(), ..Form::new("/auth/login", LOGIN, "Sign in") };
    let content = html! {
        (page.form(&form))
[%- if module.oidc %]
        (providers::buttons(&visit.auth().settings().oidc.providers, "start", said))
[%- endif %]
        ul.links {
            @if unverified { li { a href="/auth/verify/resend" { "Send the confirmation again" } } }
            li { a href="/auth/password/forgot" { "Forgot your password?" } }
            li { "New here? " a href="/auth/register" { "Create an account" } }
        }
    };
    page.show(content)
}
[%- else -%]
fn login_page(visit: &Visit, said: &Said) -> Response {
    let providers = &visit.auth().settings().oidc.providers;
    let content = html! {
        (providers::buttons(providers, "start", said))
    };
    Page::new(visit, "Sign in").notice(said).show(content)
}
[%- endif %]

pub async fn logout(Extension(visit): Extension<Visit>) -> Result<Response, Problem> {
    let answer = sign_in::logout(Extension(visit)).await?;
    Ok(see_after(&answer, "/auth/login?done=signed-out"))
}

[% if module.password -%]
const REAUTH: &[Field] = &[Field { name: "password", label: "Password", kind: Kind::Password }];

[% endif -%]
pub async fn show_reauth(
    Extension(visit): Extension<Visit>,
    user: User,
    query: Result<Query<Said>, QueryRejection>,
) -> [% if module.oidc %]Result<Response, Problem>[% else %]Response[% endif %] {
[%- if module.oidc %]
    let ways = providers::ways(&visit, &user).await?;
    Ok(reauth_page(&visit, &user, &ways, &Said::of(query)[% if module.password %], None[% endif %]))
[%- else %]
    reauth_page(&visit, &user, &Said::of(query), None)
[%- endif %]
}

[% if module.password -%]
pub async fn reauth(
    Extension(visit): Extension<Visit>,
    user: User,
    posted: Posted,
) -> Result<Response, Problem> {
    let action = |input| sign_in::reauth(Extension(visit.clone()), user.clone(), input);
    let next = posted.get("next");
    match posted.to(REAUTH, action).await {
        Ok(answer) => Ok(see_after(&answer, target(&visit, next))),
        Err(refused) if refused.is(&Problem::not_signed_in()) => Err(Problem::not_signed_in()),
        Err(refused) => {
            let said = Said { next: next.to_owned(), ..Said::default() };
[%- if module.oidc %]
            let ways = providers::ways(&visit, &user).await?;
            Ok(reauth_page(&visit, &user, &ways, &said, Some(refused)))
[%- else %]
            Ok(reauth_page(&visit, &user, &said, Some(refused)))
[%- endif %]
        }
    }
}

[% if module.oidc -%]
fn reauth_page(
    visit: &Visit,
    user: &User,
    ways: &Ways<'_>,
    said: &Said,
    refused: Option<Refused>,
) -> Response {
[%- else -%]
fn reauth_page(visit: &Visit, user: &User, said: &Said, refused: Option<Refused>) -> Response {
[%- endif %]
    let page = Page::new(visit, [% if module.oidc %]"Prove that it is you"[% else %]"Enter your password again"[% endif %])
        .of(user, "")
        .notice(said)
        .refused(refused, REAUTH);
    let next = said.hidden();
    let form = Form {
        email: &user.email,
        hidden: next.as_slice(),
        ..Form::new("/auth/reauth", REAUTH, "Continue")
    };
    let content = html! {
        p { "What you want to do concerns your account’s security, and you signed in a while ago." }
[%- if module.oidc %]
        @if ways.password { (page.form(&form)) }
        @if !ways.password && ways.providers.is_empty() { p { "Sign out, and sign in again." } }
        (providers::buttons(ways.providers.iter().copied(), "reauth", said))
[%- else %]
        (page.form(&form))
[%- endif %]
        p.links { a href="/auth/account" { "Back to the account" } }
    };
    page.show(content)
}
[%- else -%]
fn reauth_page(visit: &Visit, user: &User, ways: &Ways<'_>, said: &Said) -> Response {
    let content = html! {
        p { "What you want to do concerns your account’s security, and you signed in a while ago." }
        @if ways.providers.is_empty() { p { "Sign out, and sign in again." } }
        (providers::buttons(ways.providers.iter().copied(), "reauth", said))
        p.links { a href="/auth/account" { "Back to the account" } }
    };
    Page::new(visit, "Prove that it is you").of(user, "").notice(said).show(content)
}
[%- endif %]

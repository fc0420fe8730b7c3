//! Signing in with providers: the way there, and which of them open the account.

use axum::{
    Extension,
    extract::{
        Path, Query,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderValue, header},
    response::Response,
};
use [= import.maud =]::{Markup, html};

use super::{
    form::Posted,
    layout::Page,
    next::{Said, see, see_after},
};
use crate::auth::{
    FreshUser, User,
    oidc::{
        Provider,
        identities::{self, Identity},
        start::{Begun, begin},
        transaction::Intent,
    },
    problem::Problem,
    visit::Visit,
};

type Named = Result<Path<String>, PathRejection>;

/// A button for each provider that does this with it.
pub fn buttons<'p>(
    providers: impl IntoIterator<Item = &'p Provider>,
    action: &str,
    said: &Said,
) -> Markup {
    html! {
        @for provider in providers {
            (button(provider, action, said.hidden(), "Continue with"))
        }
    }
}

fn button(
    provider: &Provider,
    action: &str,
    hidden: Option<(&str, &str)>,
    verb: &str,
) -> Markup {
    html! {
        form.after method="post" action={ "/auth/oidc/" (provider.preset.id) "/" (action) } {
            @if let Some((name, value)) = hidden { input type="hidden" name=(name) value=(value); }
            button.quiet { (verb) " " (provider.preset.name) }
        }
    }
}

/// How a user can prove anew who they are.
pub struct Ways<'v> {
[%- if module.password %]
    pub password: bool,
[%- endif %]
    /// Those that are linked, and sign somebody in anew on request.
    pub providers: Vec<&'v Provider>,
}

pub async fn ways<'v>(visit: &'v Visit, user: &User) -> Result<Ways<'v>, Problem> {
    let mut db = visit.auth().db().pool().acquire().await?;
[%- if module.password %]
    let password = identities::has_password(&mut db, &user.id).await?;
[%- endif %]
    let linked = identities::of(&mut db, &user.id).await?;
    let asks_again = |provider: &&Provider| {
        let id = provider.preset.id;
        provider.preset.reauth && linked.iter().any(|identity| identity.provider == id)
    };
    let providers = visit.auth().settings().oidc.providers.iter();
    Ok(Ways { [% if module.password %]password, [% endif %]providers: providers.filter(asks_again).collect() })
}

pub async fn start(
    Extension(visit): Extension<Visit>,
    named: Named,
    posted: Posted,
) -> Result<Response, Problem> {
    let begun = begin(&visit, named, Intent::Login, None, posted.get("next")).await?;
    Ok(onward(&visit, begun))
}

pub async fn link(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
    named: Named,
    posted: Posted,
) -> Result<Response, Problem> {
    let begun = begin(&visit, named, Intent::Link, Some(&user), posted.get("next")).await?;
    Ok(onward(&visit, begun))
}

pub async fn reauth(
    Extension(visit): Extension<Visit>,
    user: User,
    named: Named,
    posted: Posted,
) -> Result<Response, Problem> {
    let begun = begin(&visit, named, Intent::Reauth, Some(&user), posted.get("next")).await?;
    Ok(onward(&visit, begun))
}

/// Leads to the provider. A redirect would not: browsers hold where a form ends up, too, against
/// `form-action 'self'`.
fn onward(visit: &Visit, begun: Begun) -> Response {
    let content = html! {
        p { a.button href=(begun.location) { "Continue" } }
    };
    let refresh = HeaderValue::from_str(&format!("0; url={}", begun.location));
    let mut response = Page::new(visit, "You are on the way to the provider").show(content);
    response.headers_mut().append(header::SET_COOKIE, begun.cookie);
    // Without it, there is the link.
    if let Ok(refresh) = refresh {
        response.headers_mut().insert(header::REFRESH, refresh);
    }
    response
}

/// The ways to sign in, and buttons to add one or take one away.
pub async fn show(
    Extension(visit): Extension<Visit>,
    user: User,
    query: Result<Query<Said>, QueryRejection>,
) -> Result<Response, Problem> {
    let mut db = visit.auth().db().pool().acquire().await?;
    let identities = identities::of(&mut db, &user.id).await?;
[%- if module.password %]
    let has_password = identities::has_password(&mut db, &user.id).await?;
[%- endif %]
    drop(db);
    let content = html! {
        ul.rows {
[%- if module.password %]
            li {
                div.what {
                    p { strong { "Password" } }
                    @if !has_password { p.soft { "Your account has none" } }
                }
                @if has_password { a href="/auth/password" { "Change password" } }
                @else { a href="/auth/password/forgot" { "Choose a password by mail" } }
            }
[%- endif %]
            @for provider in &visit.auth().settings().oidc.providers {
                @let linked = identities.iter().find(|one| one.provider == provider.preset.id);
                li { (row(provider, linked)) }
            }
        }
        p { "When you disconnect a provider, every other device is signed out." }
    };
    Ok(Page::new(&visit, "Ways to sign in").of(&user, "/auth/identities").after(query).show(content))
}

const CONNECTED: (&str, &str) = ("next", "/auth/identities?done=provider-connected");

fn row(provider: &Provider, linked: Option<&Identity>) -> Markup {
    html! {
        div.what {
            p { strong { (provider.preset.name) } }
            @if let Some(identity) = linked {
                p.soft { "Connected" @if let Some(email) = &identity.email { " as " (email) } }
            }
        }
        @if linked.is_some() { (button(provider, "unlink", None, "Disconnect")) }
        @else { (button(provider, "link", Some(CONNECTED), "Connect")) }
    }
}

pub async fn unlink(
    Extension(visit): Extension<Visit>,
    user: FreshUser,
    named: Named,
) -> Result<Response, Problem> {
    match identities::unlink(Extension(visit), user, named).await {
        Ok(answer) => Ok(see_after(&answer, "/auth/identities?done=provider-disconnected")),
        // Gone meanwhile, which is what was wanted.
        Err(problem) if problem.code() == Problem::identity_unknown().code() => {
            Ok(see("/auth/identities?done=provider-disconnected"))
        }
        Err(problem) => Err(problem),
    }
}

//! Tells a person with a page what a program is told with a problem document.

use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::Response,
};
use [= import.maud =]::html;

use super::{
    is_for_page,
    layout::Page,
    next::{to_login, to_reauth},
    words,
};
use crate::auth::{problem::Problem, routes, visit::Visit};

/// Middleware of every route, the application's own too. Who is not signed in is led to the sign-in
/// page, and from there back to what they wanted to read. What they wanted to change is not kept: a
/// way back must not change anything.
pub async fn present(request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<Visit>().cloned();
    let visit = visit.filter(|_| is_for_page(request.method(), request.headers()));
    let Some(visit) = visit else {
        return next.run(request).await;
    };
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    let settings = visit.auth().settings();
    let problem = response.extensions().get::<Problem>();
    let (title, text) = match problem {
        Some(problem) if problem.is_not_signed_in() => {
            return protected(to_login(method.is_safe().then_some(&uri)));
        }
        Some(problem) if problem.code() == Problem::reauth_required().code() => {
            return protected(to_reauth(&uri, method.is_safe()));
        }
        Some(problem) => (words::title(problem), words::advice(problem, settings)),
        None if is_bare(&response) && uri.path().starts_with("/auth/") => {
            (words::NOWHERE.0, words::NOWHERE.1.to_owned())
        }
        None => return response,
    };
    let content = html! {
        p { (text) }
        ul.links {
            @for (path, name) in words::ways_on(problem) { li { a href=(path) { (name) } } }
        }
    };
    Page::new(&visit, title).replace(response.into_parts().0, content)
}

/// With the headers of every answer, which the one that is replaced had.
fn protected(mut response: Response) -> Response {
    routes::protect(response.headers_mut());
    response
}

/// What axum answers on its own: there is nothing here, or not for this method.
fn is_bare(response: &Response) -> bool {
    let status = response.status();
    (status == StatusCode::NOT_FOUND || status == StatusCode::METHOD_NOT_ALLOWED)
        && !response.headers().contains_key(header::CONTENT_TYPE)
}

//! Where the user is signed in.

use axum::{
    Extension,
    extract::{
        Path, Query,
        rejection::{PathRejection, QueryRejection},
    },
    response::Response,
};
use [= import.maud =]::{Markup, html};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    layout::Page,
    next::{Said, see, see_after},
};
use crate::auth::{
    FreshUser, User,
    problem::Problem,
    sessions::{self, Session},
    visit::Visit,
};

pub async fn show(
    Extension(visit): Extension<Visit>,
    user: User,
    query: Result<Query<Said>, QueryRejection>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    let mut db = auth.db().pool().acquire().await?;
    let sessions = sessions::of(&mut db, &user, auth.settings().policy.session_idle).await?;
    drop(db);
    let content = html! {
        p {
            "You are signed in on these devices. If you do not know one of them, sign it out and \
             change your password."
        }
        ul.rows {
            @for session in &sessions { li { (row(session)) } }
        }
        @if sessions.len() > 1 {
            form.after method="post" action="/auth/sessions/revoke-others" {
                button.quiet { "Sign out every other device" }
            }
        }
    };
    Ok(Page::new(&visit, "Devices").of(&user, "/auth/sessions").after(query).show(content))
}

fn row(session: &Session) -> Markup {
    html! {
        div.what {
            p { strong { (session.device) } " " @if session.current { span.tag { "this device" } } }
            p.soft {
                "Signed in " (moment(session.created_at))
                br;
                "Last seen " (moment(session.last_seen_at)) ", from " (session.ip)
            }
        }
        @if !session.current {
            form method="post" action={ "/auth/sessions/" (session.id) "/revoke" } {
                button.quiet {
                    "Sign out"
                    span.unseen { " " (session.device) ", signed in " (moment(session.created_at)) }
                }
            }
        }
    }
}

/// Without scripts nobody knows the reader's time zone.
fn moment(seconds: i64) -> Markup {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = (at.year(), at.month(), at.day());
    html! {
        time datetime=(at.format(&Rfc3339).unwrap_or_default()) {
            (day) " " (month) " " (year) ", "
            (format!("{:02}:{:02}", at.hour(), at.minute())) " UTC"
        }
    }
}

pub async fn revoke(
    Extension(visit): Extension<Visit>,
    user: FreshUser,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    match sessions::revoke(Extension(visit), user, path).await {
        Ok(answer) => Ok(see_after(&answer, "/auth/sessions?done=device-signed-out")),
        // Ended meanwhile, which is what was wanted.
        Err(problem) if problem.code() == Problem::session_unknown().code() => {
            Ok(see("/auth/sessions?done=device-unknown"))
        }
        Err(problem) => Err(problem),
    }
}

pub async fn revoke_others(
    Extension(visit): Extension<Visit>,
    user: FreshUser,
) -> Result<Response, Problem> {
    let answer = sessions::revoke_others(Extension(visit), user).await?;
    Ok(see_after(&answer, "/auth/sessions?done=devices-signed-out"))
}

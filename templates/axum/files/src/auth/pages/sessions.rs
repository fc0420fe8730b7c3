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
[%- if module.tokens %]
    bearer::{
        Caller, FreshCaller,
        devices::{self, Device},
    },
[%- endif %]
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
[%- if module.tokens %]
    let devices = devices::of(&mut db, &user.id).await?;
[%- endif %]
    drop(db);
    let content = html! {
        p {
            "You are signed in on these devices. If you do not know one of them, sign it out and \
             [% if module.password %]change your password[% else %]look after your account at the provider[% endif %]."
        }
        ul.rows {
            @for session in &sessions { li { (row(session)) } }
        }
[%- if module.tokens %]
        @if !devices.is_empty() {
            p { "These programs are signed in for you." }
            ul.rows {
                @for device in &devices { li { (program(device)) } }
            }
        }
[%- endif %]
        @if sessions.len() > 1[% if module.tokens %] || !devices.is_empty()[% endif %] {
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

[% if module.tokens -%]
fn program(device: &Device) -> Markup {
    html! {
        div.what {
            p { strong { (device.device) } }
            p.soft {
                "Signed in " (moment(device.created_at))
                br;
                "Last used " (moment(device.last_used_at))
            }
        }
        form method="post" action={ "/auth/devices/" (device.id) "/revoke" } {
            button.quiet {
                "Sign out"
                span.unseen { " " (device.device) ", signed in " (moment(device.created_at)) }
            }
        }
    }
}

[% endif -%]
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

[% if module.tokens -%]
pub async fn revoke_device(
    Extension(visit): Extension<Visit>,
    FreshUser(user): FreshUser,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let caller = FreshCaller(Caller::Session(user));
    match devices::revoke(Extension(visit), caller, path).await {
        Ok(answer) => Ok(see_after(&answer, "/auth/sessions?done=device-signed-out")),
        Err(problem) if problem.code() == Problem::device_unknown().code() => {
            Ok(see("/auth/sessions?done=device-unknown"))
        }
        Err(problem) => Err(problem),
    }
}

[% endif -%]
pub async fn revoke_others(
    Extension(visit): Extension<Visit>,
    user: FreshUser,
) -> Result<Response, Problem> {
    let answer = sessions::revoke_others(Extension(visit), user).await?;
    Ok(see_after(&answer, "/auth/sessions?done=devices-signed-out"))
}

//! The next tokens for a refresh token, which is used up by that.

use axum::{Extension, response::Response};
use serde::Deserialize;

use super::{
    families::{self, Family, Shown},
    issue::answer,
    scopes::narrowed,
};
use crate::auth::{
    audit::{self, Event},
    db::Connection,
    input::Input,
    problem::Problem,
    throttle,
    visit::Visit,
};

#[derive(Deserialize)]
pub struct Refresh {
    refresh_token: String,
    /// Less than was granted, for this access token.
    scope: Option<String>,
}

/// Answers with new tokens. A refresh token that was used before means that two have it: the whole
/// family ends, for the thief and for the owner, who signs in again (RFC 9700 4.14.2).
pub async fn refresh(
    Extension(visit): Extension<Visit>,
    Input(form): Input<Refresh>,
) -> Result<Response, Problem> {
    let auth = visit.auth();
    let policy = &auth.settings().policy;
    throttle::per_source(&visit, "refresh", policy.refresh_source).await?;
    let mut tx = auth.db().write().await?;
    let family = families::of_refresh_token(&mut tx, &form.refresh_token).await?;
    let Some(family) = family else {
        drop(tx);
        return Err(refused(&visit).await);
    };
    match families::use_up(&mut tx, &form.refresh_token).await? {
        Shown::Next => {}
        Shown::Again => {
            end(&mut tx, &visit, &family).await?;
            tx.commit().await?;
            return Err(Problem::invalid_grant());
        }
        Shown::Expired => {
            drop(tx);
            return Err(refused(&visit).await);
        }
    }
    // A scope that was never granted is an error that uses nothing up.
    let scope = narrowed(&family.scope, form.scope.as_deref())?;
    let next = families::next_token(&mut tx, &family, policy).await?;
    let event = Event::success("token_refreshed").of(Some(&family.user_id));
    audit::record(&mut tx, &visit, event).await?;
    let answer = answer(auth, &family, &scope, &next)?;
    tx.commit().await?;
    Ok(answer)
}

async fn end(db: &mut Connection, visit: &Visit, family: &Family) -> Result<(), Problem> {
    families::revoke(db, &family.id).await?;
    let event = Event::failure("token_reuse", "invalid_grant").of(Some(&family.user_id));
    audit::record(db, visit, event).await?;
    Ok(())
}

async fn refused(visit: &Visit) -> Problem {
    audit::refusal(visit, "token_refused", "invalid_grant").await;
    Problem::invalid_grant()
}

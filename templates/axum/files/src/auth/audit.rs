//! The audit trail: one row and one log event for each thing that happened to an account.
//!
//! Neither holds a secret, and an address without account appears as a keyed hash: people type
//! passwords into the wrong field (ASVS 16.2.5).

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{db::Connection, store::Grant, throttle, visit::Visit};

/// Refusals are recorded at most this often per minute, source and kind.
const REFUSALS_PER_MINUTE: i64 = 10;

pub struct Event<'a> {
    name: &'static str,
    outcome: &'static str,
    reason: &'static str,
    user_id: Option<&'a str>,
    subject: Option<String>,
}

impl<'a> Event<'a> {
    pub const fn success(name: &'static str) -> Self {
        Self {
            name,
            outcome: "success",
            reason: "",
            user_id: None,
            subject: None,
        }
    }

    pub const fn failure(name: &'static str, reason: &'static str) -> Self {
        Self {
            name,
            outcome: "failure",
            reason,
            user_id: None,
            subject: None,
        }
    }

    pub const fn of(mut self, user_id: Option<&'a str>) -> Self {
        self.user_id = user_id;
        self
    }

    /// For an address whose account is unknown or not to be looked up.
    pub fn about(mut self, visit: &Visit, email: &str) -> Self {
        let key = visit.auth().throttle().key("audit", email);
        self.subject = Some(key.iter().take(8).map(|b| format!("{b:02x}")).collect());
        self
    }
}

/// Records what a request did. Inside a transaction, both happen or neither (ASVS 2.3.3).
pub async fn record(
    db: &mut Connection,
    visit: &Visit,
    event: Event<'_>,
) -> Result<(), sqlx::Error> {
    let ip = visit.ip().to_string();
    write(db, &event, &ip, visit.agent(), visit.request_id()).await
}

pub async fn session_evicted(db: &mut Connection, grant: &Grant) -> Result<(), sqlx::Error> {
    let event = Event::success("session_evicted").of(Some(&grant.user_id));
    write(db, &event, &grant.ip, &grant.agent, "").await
}

/// Records what the operator did to one account, or to all: a row for each, and one log event.
pub async fn operator(
    db: &mut Connection,
    name: &'static str,
    user_id: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO auth_audit (at, event, outcome, reason, user_id, ip, user_agent, request_id)
         SELECT $1, $2, 'success', '', id, '', 'operator', '' FROM auth_users
         WHERE $3 IS NULL OR id = $3",
    )
    .bind(timestamp())
    .bind(name)
    .bind(user_id)
    .execute(db)
    .await?;
    let user_id = user_id.unwrap_or("all");
    tracing::info!(target: "auth::audit", event = name, outcome = "success", user_id, by = "operator");
    Ok(())
}

/// Records that a protection refused a request, sampled. The refusal stands if this fails.
pub async fn refusal(visit: &Visit, name: &'static str, reason: &'static str) {
    let auth = visit.auth();
    let result = async {
        let mut db = auth.db().pool().acquire().await?;
        let key = auth.throttle().source_key(name, visit.ip());
        if throttle::hit(&mut db, &key, REFUSALS_PER_MINUTE, 60).await?.is_allowed() {
            record(&mut db, visit, Event::failure(name, reason)).await?;
        }
        Ok::<_, sqlx::Error>(())
    };
    if let Err(error) = result.await {
        tracing::error!(target: "auth", %error, "a refusal was not recorded");
    }
}

async fn write(
    db: &mut Connection,
    event: &Event<'_>,
    ip: &str,
    agent: &str,
    request_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO auth_audit
             (at, event, outcome, reason, user_id, subject, ip, user_agent, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(timestamp())
    .bind(event.name)
    .bind(event.outcome)
    .bind(event.reason)
    .bind(event.user_id)
    .bind(&event.subject)
    .bind(ip)
    .bind(agent)
    .bind(request_id)
    .execute(db)
    .await?;
    // The user agent is a client's text: quoted, so it cannot pose as another field.
    tracing::info!(
        target: "auth::audit",
        event = event.name,
        outcome = event.outcome,
        reason = event.reason,
        user_id = event.user_id,
        subject = event.subject,
        ip,
        user_agent = ?agent,
        request_id,
    );
    Ok(())
}

/// The newest entries, of one user or of all, oldest first: a line for each.
pub async fn lines(
    db: &mut Connection,
    user_id: Option<&str>,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    type Row = (String, String, String, String, Option<String>, Option<String>, String, String);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT at, event, outcome, reason, user_id, subject, ip, request_id FROM auth_audit
         WHERE $1 IS NULL OR user_id = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(user_id)
    .bind(limit)
    .fetch_all(db)
    .await?;
    let line = |(at, event, outcome, reason, user, subject, ip, request): Row| {
        let who = user.or(subject.map(|hash| format!("unknown:{hash}"))).unwrap_or_default();
        format!("{at}  {event:<24}  {outcome:<7}  {reason:<20}  {who:<24}  {ip:<15}  {request}")
    };
    Ok(rows.into_iter().rev().map(line).collect())
}

pub fn timestamp() -> String {
    let now = OffsetDateTime::now_utc();
    let now = now.replace_nanosecond(0).unwrap_or(now);
    now.format(&Rfc3339).unwrap_or_default()
}

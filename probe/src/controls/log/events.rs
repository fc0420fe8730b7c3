//! What was done is in the log, once, with all that an investigation asks for.

use std::sync::Arc;

use crate::{
    controls::tour::{Step, Tour},
    db::quoted,
    events::{Event, Reader},
    lab::App,
    random,
    test::{Outcome, Test},
};

/// Seconds between what happened and what the log says of its time.
const DRIFT: i64 = 5;

/// Each operation, done or refused, is one event with time, user, source, agent, outcome and reason.
pub(super) fn each_operation(test: &mut Test<'_>) -> Outcome {
    let app = test.app()?;
    let before = now();
    let tour = Tour::new(&app)?;
    let after = now();
    let reader = Reader::new(app.log_table()?)?;
    let steps: Vec<&Step> = tour.steps.iter().filter(|step| !step.event.is_empty()).collect();
    let ids = steps.iter().map(|step| app.request_id(&step.answer)).collect::<Outcome<Vec<_>>>()?;
    let said = app.said_with(&ids)?;
    let lines: Vec<&str> = said.lines().filter(|line| ids.iter().any(|id| line.contains(id.as_str()))).collect();
    test.works("the log knows requests by their ids", !lines.is_empty(), "no line has the id of any request")?;
    let events: Vec<Event> = lines.iter().filter_map(|line| reader.event(line)).collect();
    for (step, id) in steps.into_iter().zip(&ids) {
        let name = app.event_name(step.event)?;
        let of_request = events.iter().filter(|event| event.request_id.as_ref() == Some(id));
        let found: Vec<&Event> = of_request.filter(|event| event.name == name).collect();
        let shown = format!("{} events `{name}` of the request {id}\n{}", found.len(), step.answer.exchange());
        test.refuses("what was done is recorded once", found.len() == 1, shown);
        for event in found {
            complete(test, &tour, step, event, (before, after));
        }
        in_table(test, &app, &name, id, (before, after))?;
    }
    nothing_typed(test, &app, &tour)
}

fn complete(test: &mut Test<'_>, tour: &Tour, step: &Step, event: &Event, between: (i64, i64)) {
    let line = event.line.as_str();
    let time = event.time.as_deref().and_then(utc);
    let is_then = time.is_some_and(|time| (between.0 - DRIFT..=between.1 + DRIFT).contains(&time));
    test.refuses("an event has its time, in UTC", is_then, line);
    test.refuses("an event names the source", event.ip == step.source || step.source.is_none(), line);
    test.refuses("an event names the agent", event.agent.as_ref() == Some(&tour.agent), line);
    let failed = step.answer.denied();
    test.refuses("an event has its outcome", event.outcome.as_deref().is_some_and(|outcome| !outcome.is_empty()), line);
    if failed {
        test.refuses(
            "a failure has its reason",
            event.reason.as_deref().is_some_and(|reason| !reason.is_empty()),
            line,
        );
    }
    if step.of_account {
        let known = event.user.is_some() && event.user == tour.user;
        test.refuses("an event names the account", known, line);
    } else {
        let stands_in = event.subject.as_deref().is_some_and(|subject| !subject.is_empty() && !subject.contains('@'));
        test.refuses("an event has something that stands for an address without account", stands_in, line);
    }
}

/// The same event is in the table of the audit trail, if there is one.
fn in_table(test: &mut Test<'_>, app: &Arc<App>, name: &str, id: &str, between: (i64, i64)) -> Outcome {
    if app.contract.db.as_ref().is_none_or(|db| !db.tables.contains_key("audit")) {
        return Ok(());
    }
    let db = app.database()?;
    let (table, event, request) = (db.table("audit")?, db.column("audit", "event")?, db.column("audit", "request_id")?);
    let sql = format!("SELECT * FROM {table} WHERE {event} = {} AND {request} = {}", quoted(name), quoted(id));
    let rows = db.rows(&sql)?;
    test.refuses("the table of the trail holds the event once", rows.len() == 1, format!("{} rows: {sql}", rows.len()));
    // Where times are numbers, there is no zone to get wrong.
    let column = db.column("audit", "time")?;
    // Some databases know no zones, and what they hold is in UTC by convention.
    let zone = if db.says("audit", "time", "format") == Some("utc") { "Z" } else { "" };
    for text in rows.iter().filter_map(|row| row.get(&column)?.as_deref()).filter(|text| text.contains(':')) {
        let is_then =
            utc(&format!("{text}{zone}")).is_some_and(|time| (between.0 - DRIFT..=between.1 + DRIFT).contains(&time));
        test.refuses("an event of the table has its time, in UTC", is_then, text);
    }
    Ok(())
}

/// What people type into the wrong field may be a password: an address without account is not in the log as it was typed.
fn nothing_typed(test: &mut Test<'_>, app: &Arc<App>, tour: &Tour) -> Outcome {
    if !app.has_passwords() {
        return Ok(());
    }
    let typed = random::password().replace(' ', "-");
    let as_address = format!("{typed}@mail.test");
    for name in [typed.as_str(), as_address.as_str()] {
        let answer = app.client().login(name, &random::password())?;
        test.refuses("nobody signs in under a name that nobody has", answer.denied(), &answer);
    }
    let last = app.client().login(&tour.unknown, &random::password())?;
    let id = app.request_id(&last)?;
    let said = app.said_with(&[id])?;
    for typed in [typed.as_str(), tour.unknown.as_str()] {
        let line = said.lines().find(|line| line.contains(typed));
        test.refuses(
            "a name that nobody has is not in the log as it was typed",
            line.is_none(),
            line.unwrap_or_default(),
        );
    }
    Ok(())
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// Unix seconds of an RFC 3339 time in UTC.
fn utc(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"))?;
    let (date, time) = text.split_once(['T', ' '])?;
    let time = time.split('.').next()?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    // Days since 1970 in the proleptic Gregorian calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let numbers: Vec<i64> = text.split(separator).map(str::parse).collect::<Result<_, _>>().ok()?;
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_read_only_in_utc() {
        assert_eq!(utc("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(utc("2026-11-24T16:03:44.123456Z"), Some(1_795_536_224));
        assert_eq!(utc("2024-02-29T12:00:00+00:00"), Some(1_709_208_000));
        assert_eq!(utc("2026-11-24T16:03:44+01:00"), None);
        assert_eq!(utc("2026-11-24T16:03:44"), None);
    }
}

//! The audit log, read as the contract describes it.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use regex::Regex;
use serde_json::Value;

use crate::{
    client::Client,
    contract::{Log, LogFormat},
    http::{Answer, Request},
    lab::App,
    people::Person,
    random,
    test::{Outcome, Stop},
};

/// How long a line may take from the answer into the log.
const PATIENCE: Duration = Duration::from_secs(5);

/// One event of the audit log.
#[derive(Clone, Debug)]
pub struct Event {
    pub line: String,
    pub name: String,
    pub time: Option<String>,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub user: Option<String>,
    pub subject: Option<String>,
    pub ip: Option<String>,
    pub agent: Option<String>,
    pub request_id: Option<String>,
}

/// Where a part of an event is.
enum Part {
    Pointer(String),
    Pattern(Regex),
}

impl Part {
    fn new(format: LogFormat, text: &str) -> Outcome<Self> {
        match format {
            LogFormat::Json => Ok(Self::Pointer(text.to_owned())),
            LogFormat::Text => {
                Regex::new(text).map(Self::Pattern).map_err(|error| Stop::Missing(format!("`[log]`: {error}")))
            }
        }
    }

    fn value(&self, line: &str, json: &Value) -> Option<String> {
        match self {
            Self::Pointer(pointer) => {
                let value = json.pointer(pointer).filter(|value| !value.is_null())?;
                Some(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
            }
            Self::Pattern(pattern) => Some(pattern.captures(line)?.get(1)?.as_str().to_owned()),
        }
    }
}

/// Reads lines of one contract.
pub struct Reader {
    format: LogFormat,
    line: Option<Regex>,
    event: Part,
    /// In the order of [`Event`], from the time on.
    parts: [Option<Part>; 8],
}

impl Reader {
    /// # Errors
    /// When a pattern is none.
    pub fn new(log: &Log) -> Outcome<Self> {
        let part = |text: Option<&String>| text.map(|text| Part::new(log.format, text)).transpose();
        let line = log.line.as_ref().map(|line| Regex::new(line)).transpose();
        Ok(Self {
            format: log.format,
            line: line.map_err(|error| Stop::Missing(format!("`log.line`: {error}")))?,
            event: Part::new(log.format, &log.event)?,
            parts: [
                part(Some(&log.time))?,
                part(log.outcome.as_ref())?,
                part(log.reason.as_ref())?,
                part(log.user.as_ref())?,
                part(log.subject.as_ref())?,
                part(log.ip.as_ref())?,
                part(log.agent.as_ref())?,
                part(log.request_id.as_ref())?,
            ],
        })
    }

    /// Whether the line is one that the application writes, of one piece.
    pub fn is_line(&self, line: &str) -> bool {
        match self.format {
            LogFormat::Json => serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object()),
            LogFormat::Text => self.line.as_ref().is_some_and(|pattern| pattern.is_match(line)),
        }
    }

    /// The event, if the line is one.
    pub fn event(&self, line: &str) -> Option<Event> {
        let json = match self.format {
            LogFormat::Json => serde_json::from_str(line).ok()?,
            LogFormat::Text => Value::Null,
        };
        let name = self.event.value(line, &json)?;
        let mut parts = self.parts.iter().map(|part| part.as_ref()?.value(line, &json));
        let mut next = || parts.next().flatten();
        Some(Event {
            name,
            time: next(),
            outcome: next(),
            reason: next(),
            user: next(),
            subject: next(),
            ip: next(),
            agent: next(),
            request_id: next(),
            line: line.to_owned(),
        })
    }
}

impl App {
    /// # Errors
    /// When the contract does not describe the log.
    pub fn log_table(&self) -> Outcome<&Log> {
        self.contract.log.as_ref().ok_or_else(|| Stop::Missing("the contract has no `[log]`".to_owned()))
    }

    /// All that the application has said.
    ///
    /// # Errors
    /// `NotRun` where it was not started by the probe.
    pub fn said(&self) -> Outcome<String> {
        self.log().map_err(|error| Stop::NotRun(format!("{error:#}")))
    }

    /// All that it has said, once each of the texts is in it, at the latest after some seconds.
    ///
    /// # Errors
    /// As for [`Self::said`].
    pub fn said_with(&self, texts: &[String]) -> Outcome<String> {
        self.said_once(|said| texts.iter().all(|text| said.contains(text)))
    }

    /// All that it has said, once that holds, at the latest after some seconds: what it wrote before an answer may be
    /// read after it.
    ///
    /// # Errors
    /// As for [`Self::said`].
    pub fn said_once(&self, is_there: impl Fn(&str) -> bool) -> Outcome<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.said()?;
            if is_there(&said) || Instant::now() >= deadline {
                return Ok(said);
            }
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// The request's id, as the answer names it.
    ///
    /// # Errors
    /// When the contract does not say where it is, or it is not there.
    pub fn request_id(&self, answer: &Answer) -> Outcome<String> {
        let name = self.log_table()?.request_id_header.as_ref();
        let name = name.ok_or_else(|| Stop::Missing("the contract has no `log.request_id_header`".to_owned()))?;
        let id = answer.header(name).filter(|id| !id.is_empty()).map(ToOwned::to_owned);
        id.ok_or_else(|| Stop::Positive("each answer names its request".to_owned(), answer.exchange()))
    }

    /// The events of a request.
    ///
    /// # Errors
    /// When there is no log, or the answer does not name its request.
    pub fn events_of(&self, answer: &Answer) -> Outcome<Vec<Event>> {
        let reader = Reader::new(self.log_table()?)?;
        let id = self.request_id(answer)?;
        let said = self.said_with(std::slice::from_ref(&id))?;
        let events = said.lines().filter(|line| line.contains(&id)).filter_map(|line| reader.event(line));
        Ok(events.filter(|event| event.request_id.as_ref() == Some(&id)).collect())
    }

    /// All that it has said by now: what comes last is a sign-in that is refused, which is in the log.
    ///
    /// # Errors
    /// As for [`Self::said`].
    pub fn said_by_now(self: &Arc<Self>) -> Outcome<String> {
        let client = self.client();
        let last = client.copy().send(&self.refusable(&client)?)?;
        self.said_with(&[self.request_id(&last)?])
    }

    /// A sign-in that is refused, and is in the log: with a password that is nobody's, or from a provider to which nobody
    /// was sent.
    ///
    /// # Errors
    /// When the contract has no role for it.
    pub fn refusable(&self, client: &Client) -> Outcome<Request> {
        if self.has_passwords() {
            return client.guarded(&self.way_in(&Person::new())?);
        }
        self.strayed(&[("code", &random::letters(30)), ("state", &random::letters(43))])
    }

    /// The application's name of such a refusal.
    ///
    /// # Errors
    /// When the contract has none.
    pub fn refusal_name(&self) -> Outcome<String> {
        if self.has_passwords() { self.event_name("login_failed") } else { self.trip_name("oidc_refused") }
    }

    /// The application's name of a protection that refused.
    ///
    /// # Errors
    /// When the contract has none.
    pub fn trip_name(&self, trip: &str) -> Outcome<String> {
        let name = self.log_table()?.trips.get(trip).cloned();
        name.ok_or_else(|| Stop::Missing(format!("the contract has no `{trip}` in `[log.trips]`")))
    }

    /// The application's name of what was done.
    ///
    /// # Errors
    /// When the contract has none.
    pub fn event_name(&self, what: &str) -> Outcome<String> {
        let name = self.log_table()?.events.get(what).cloned();
        name.ok_or_else(|| Stop::Missing(format!("the contract has no `{what}` in `[log.events]`")))
    }
}

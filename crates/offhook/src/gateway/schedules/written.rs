//! A schedule as it is asked for and kept, and what it means.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use offhook_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::condition::{Command, Condition, Header, Http, Method, Op, Question, Statuses, Test};
use super::cron::Cron;
use super::plan::{Missed, ON_TIME, Plan, Quiet, When};
use super::{ScheduleError, Settings};
use crate::webhooks::Reach;

const LONGEST_NAME: usize = 200;
const LONGEST_QUESTION: usize = 4_000;
const LONGEST_BODY: usize = 16_000;
const LONGEST_HEADER: usize = 2_000;
const MOST_HEADERS: usize = 20;
const LONGEST_POINTER: usize = 500;
const TIMEOUT: u64 = 10;
const LONGEST_TIMEOUT: u64 = 60;
const LONGEST_COOLDOWN: u64 = 31 * 24 * 60 * 60;
/// Nobody can tell what a call is good for after that.
const FURTHEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// As it is written, but for its call.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// An instant with offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// By its IANA name; that of the installation when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<WrittenCondition>,
    /// The fields of `POST /call`.
    pub call: Value,
    /// Asked for with a key that is bound to its target.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bound: bool,
    /// Asked for with an admin's key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub admin: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// `22:00`
    pub from: String,
    pub to: String,
}

/// Every field of every kind of condition.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenCondition {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, Header>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// Only of which kind it is.
impl std::fmt::Debug for WrittenCondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WrittenCondition").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Without the words and the numbers.
impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written").field("cron", &self.cron).field("at", &self.at).finish_non_exhaustive()
    }
}

/// What it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Meant {
    pub plan: Plan,
    pub condition: Condition,
    /// No two calls of it are closer than that, where it has a condition.
    pub cooldown: Duration,
}

fn wrong(field: &'static str, why: impl Into<String>) -> ScheduleError {
    ScheduleError::Invalid { field, why: why.into() }
}

/// Where nothing is said.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name.trim()).ok()
}

pub fn hour(text: &str) -> Option<Time> {
    let fits = text.len() == 5 && text.as_bytes()[2] == b':';
    fits.then(|| Time::strptime("%H:%M", text).ok()).flatten()
}

pub fn quiet(hours: &QuietHours, zone: &TimeZone) -> Option<Quiet> {
    let (from, to) = (hour(&hours.from)?, hour(&hours.to)?);
    (from != to).then(|| Quiet { from, to, zone: zone.clone() })
}

impl Written {
    pub fn meaning(&self, settings: &Settings, reach: &Reach) -> Result<Meant, ScheduleError> {
        if self.name.as_ref().is_some_and(|name| name.chars().count() > LONGEST_NAME) {
            return Err(wrong("name", format!("must be at most {LONGEST_NAME} characters")));
        }
        let zone = match &self.timezone {
            None => settings.zone.clone(),
            Some(name) => {
                zone(name).ok_or_else(|| wrong("timezone", "must be a zone such as Europe/Berlin"))?
            }
        };
        let quiet = match &self.quiet_hours {
            None => None,
            Some(hours) => Some(quiet(hours, &zone).ok_or_else(|| {
                wrong("quiet_hours", "must have from and to, two times such as 22:00 and 08:00")
            })?),
        };
        let condition = match &self.condition {
            None => Condition::Always,
            Some(condition) => condition.meaning(settings, reach)?,
        };
        let when = self.when(zone, &condition, settings)?;
        let missed = match self.missed.as_deref() {
            None | Some("run_once") => Missed::RunOnce,
            Some("skip") => Missed::Skip,
            Some(_) => return Err(wrong("missed", "must be run_once or skip")),
        };
        let cooldown = match self.cooldown_seconds {
            Some(seconds) if seconds > LONGEST_COOLDOWN => {
                return Err(wrong("cooldown_seconds", "must be at most 31 days"));
            }
            seconds => seconds.map(Duration::from_secs).unwrap_or_default().max(settings.least_gap),
        };
        Ok(Meant { plan: Plan { when, quiet, missed }, condition, cooldown })
    }

    fn when(
        &self,
        zone: TimeZone,
        condition: &Condition,
        settings: &Settings,
    ) -> Result<When, ScheduleError> {
        match (&self.cron, &self.at) {
            (Some(text), None) => {
                let cron: Cron = text.parse().map_err(|error| wrong("cron", format!("{error}")))?;
                let least = match condition {
                    Condition::Always => settings.least_gap,
                    _ => settings.least_look,
                };
                if cron.least_gap().is_none_or(|gap| gap < least) {
                    let what = match condition {
                        Condition::Always => "calls",
                        _ => "looks",
                    };
                    let minutes = least.as_secs().div_ceil(60);
                    let why =
                        format!("two of its {what} are closer than the {minutes} minutes permitted here");
                    return Err(wrong("cron", why));
                }
                Ok(When::Cron(cron, zone))
            }
            (None, Some(text)) => {
                let at = text.trim().parse::<jiff::Timestamp>();
                let at = at.map_err(|_| {
                    wrong("at", "must be an instant with offset, e.g. 2026-11-23T09:00:00-08:00")
                })?;
                Ok(When::Once(Timestamp::from_unix_micros(at.as_microsecond())))
            }
            _ => Err(wrong("cron", "is needed, or at: one of the two says when")),
        }
    }

    /// Whether it can begin: its one time must be yet to come.
    pub fn check_begin(plan: &Plan, now: Timestamp) -> Result<(), ScheduleError> {
        match plan.when {
            When::Once(at) if at + ON_TIME < now => Err(wrong("at", "is over already; name a later one")),
            When::Once(at) if at > now + FURTHEST => Err(wrong("at", "must be within a year")),
            _ => Ok(()),
        }
    }
}

impl WrittenCondition {
    fn meaning(&self, settings: &Settings, reach: &Reach) -> Result<Condition, ScheduleError> {
        self.only_fields_of_its_kind()?;
        match self.kind.as_str() {
            "always" => Ok(Condition::Always),
            "http" => self.http(settings, reach).map(Condition::Http),
            "command" => self.command(settings).map(Condition::Command),
            "agent" => self.question().map(Condition::Question),
            _ => Err(wrong("condition", ".type must be always, http, command or agent")),
        }
    }

    /// What means nothing here was meant otherwise.
    fn only_fields_of_its_kind(&self) -> Result<(), ScheduleError> {
        let fields = [
            ("url", self.url.is_some(), "http"),
            ("method", self.method.is_some(), "http"),
            ("headers", self.headers.is_some(), "http"),
            ("body", self.body.is_some(), "http"),
            ("status", self.status.is_some(), "http"),
            ("timeout_seconds", self.timeout_seconds.is_some(), "http"),
            ("command", self.command.is_some(), "command"),
            ("exit_code", self.exit_code.is_some(), "command"),
            ("question", self.question.is_some(), "agent"),
            ("agent", self.agent.is_some(), "agent"),
            ("pointer", self.pointer.is_some(), "http command"),
            ("op", self.op.is_some(), "http command"),
            ("value", self.value.is_some(), "http command"),
        ];
        let kind = self.kind.as_str();
        match fields.iter().find(|(_, is_set, kinds)| *is_set && !kinds.split(' ').any(|known| known == kind))
        {
            Some((field, ..)) => {
                Err(wrong("condition", format!(".{field} means nothing with the type {kind:?}")))
            }
            None => Ok(()),
        }
    }

    fn http(&self, settings: &Settings, reach: &Reach) -> Result<Http, ScheduleError> {
        let field = |name: &str, why: &str| wrong("condition", format!(".{name} {why}"));
        let url = self.url.clone().ok_or_else(|| field("url", "is needed"))?;
        reach.check(&url).map_err(|error| field("url", &error.to_string()))?;
        let method = match self.method.as_deref().unwrap_or("GET") {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            _ => return Err(field("method", "must be GET, HEAD or POST")),
        };
        if self.body.is_some() && method != Method::Post {
            return Err(field("body", "goes with the method POST only"));
        }
        if self.body.as_ref().is_some_and(|body| body.len() > LONGEST_BODY) {
            return Err(field("body", "is too long"));
        }
        let headers = self.headers.clone().unwrap_or_default();
        if headers.len() > MOST_HEADERS {
            return Err(field("headers", "are too many"));
        }
        for (name, value) in &headers {
            header(name, value, &url, settings)
                .map_err(|why| wrong("condition", format!(".headers: {name} {why}")))?;
        }
        let status = match &self.status {
            None => Statuses::usual(),
            Some(text) => Statuses::parse(text)
                .ok_or_else(|| field("status", "must be such as 200, 2xx, \"200,404\" or !2xx"))?,
        };
        let test = self.test()?;
        if test.is_some() && method == Method::Head {
            return Err(field("op", "needs an answer to look at, which HEAD has not"));
        }
        let seconds = self.timeout_seconds.unwrap_or(TIMEOUT);
        if !(1..=LONGEST_TIMEOUT).contains(&seconds) {
            return Err(field("timeout_seconds", "must be 1 to 60"));
        }
        let timeout = Duration::from_secs(seconds);
        Ok(Http { method, url, headers, body: self.body.clone(), status, test, timeout })
    }

    fn command(&self, settings: &Settings) -> Result<Command, ScheduleError> {
        let name = self.command.clone().unwrap_or_default();
        if !settings.commands.iter().any(|command| command.name == name) {
            let why =
                ".command must be the name of one that the operator configured, a [[schedules.command]]";
            return Err(wrong("condition", why));
        }
        let test = self.test()?;
        let exit = match self.exit_code {
            None if test.is_some() => None,
            code => {
                Some(i32::try_from(code.unwrap_or(0)).map_err(|_| wrong("condition", ".exit_code is none"))?)
            }
        };
        Ok(Command { name, exit, test })
    }

    fn question(&self) -> Result<Question, ScheduleError> {
        let question = self.question.clone().unwrap_or_default();
        if question.trim().is_empty() || question.len() > LONGEST_QUESTION {
            let why = format!(".question must be a text of at most {LONGEST_QUESTION} bytes");
            return Err(wrong("condition", why));
        }
        Ok(Question { question, agent: self.agent.clone() })
    }

    fn test(&self) -> Result<Option<Test>, ScheduleError> {
        let field = |name: &str, why: &str| wrong("condition", format!(".{name} {why}"));
        let pointer = self.pointer.clone();
        if pointer
            .as_ref()
            .is_some_and(|text| (!text.is_empty() && !text.starts_with('/')) || text.len() > LONGEST_POINTER)
        {
            return Err(field("pointer", "must be a JSON pointer such as /data/0/price"));
        }
        let Some(written) = &self.op else {
            return match (pointer, &self.value) {
                (None, None) => Ok(None),
                _ => Err(field("op", "is needed: how to compare")),
            };
        };
        let codes = Op::ALL.map(|(_, code)| code).join(", ");
        let op = Op::from_code(written).ok_or_else(|| field("op", &format!("must be one of {codes}")))?;
        match (&self.value, op.takes_value()) {
            (None, true) => Err(field("value", "is needed: what to compare with")),
            (Some(_), false) => Err(field("value", "means nothing with this op")),
            (Some(Value::Object(_) | Value::Array(_) | Value::Null), _) => {
                Err(field("value", "must be a text, a number, or true or false"))
            }
            (Some(Value::String(text)), _)
                if text.parse::<f64>().is_err()
                    && matches!(op, Op::Less | Op::AtMost | Op::AtLeast | Op::More) =>
            {
                Err(field("value", "must be a number to be compared with this op"))
            }
            (value, _) => Ok(Some(Test { pointer, op, value: value.clone().unwrap_or_default() })),
        }
    }
}

/// Secrets have their place in the configuration, and are sent where the operator says only.
fn header(name: &str, value: &Header, url: &str, settings: &Settings) -> Result<(), String> {
    const OURS: [&str; 6] = ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te"];
    const SECRET: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "x-api-key"];
    let lower = name.to_ascii_lowercase();
    if reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err() || OURS.contains(&lower.as_str()) {
        return Err("can't be sent".to_owned());
    }
    match value {
        Header::Plain(_) if SECRET.contains(&lower.as_str()) => Err(
            "is a secret: have the operator keep it as a [[schedules.secret]], and write {\"secret\": \"its name\"}"
                .to_owned(),
        ),
        Header::Plain(text) if text.len() > LONGEST_HEADER => Err("is too long".to_owned()),
        Header::Plain(text) => match reqwest::header::HeaderValue::from_str(text) {
            Ok(_) => Ok(()),
            Err(_) => Err("holds what no header can".to_owned()),
        },
        Header::Secret { secret } => settings.secret(secret, url).map(drop),
    }
}

//! How an account wants its own line answered: what it says beyond its instructions, as it is written and stored.
//!
//! The operator's blocked callers and limits hold for every line; everything else is the account's to say.

use jiff::tz::TimeZone;
use offhook_core::brief::Pin;
use offhook_core::brief::check::holds_secret;
use offhook_core::policy::{Access, Hours, LineRules, Listed, NumberPattern, Outside, Trust, Window};
use serde::{Deserialize, Serialize};

use super::{AgentsFor, Known, NoticeFormat, Notify, Purpose, Reception};

/// As an account says it; what it does not say is as usual.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnReception {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callers: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_callers: Vec<OwnCaller>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked_callers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_callers: Option<bool>,
    /// Sealed, where it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_instructions: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outside_hours: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_greeting: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_day: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_day_per_caller: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spam: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<OwnNotify>,
}

/// A caller the account knows.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnCaller {
    /// A number, or the beginning of several: `+1415*`.
    pub number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub trusted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// Who is told of a call once it is over.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnNotify {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub whole_numbers: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub declined: bool,
}

/// Nobody knows more of them, and each call reads them all.
const MOST_CALLERS: usize = 200;
const MOST_WINDOWS: usize = 40;

/// Without the numbers, the words and the PIN.
impl std::fmt::Debug for OwnReception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnReception").field("callers", &self.callers).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for OwnCaller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnCaller").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for OwnNotify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnNotify").field("format", &self.format).finish_non_exhaustive()
    }
}

/// What is wrong with a field, and which.
pub type Wrong = (&'static str, String);

impl OwnReception {
    /// As it was stored; what can't be read is as if nobody may call, so that no door opens by accident.
    pub fn stored(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|error| {
            tracing::error!(%error, "how an account wants its line answered can't be read; nobody is let in");
            Self { callers: Some(Access::Closed.code().to_owned()), ..Self::default() }
        })
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and lists are JSON")
    }

    /// Whether all of it can be meant. The PIN is as it is given: digits.
    pub fn check(&self, restrict_data: bool) -> Result<(), Wrong> {
        self.access()?;
        self.trust()?;
        self.hours()?;
        self.zone()?;
        self.outside()?;
        self.listed()?;
        patterns("blocked_callers", &self.blocked_callers)?;
        let pin_is_one = self.pin.as_deref().is_none_or(|pin| Pin::parse(pin).is_some());
        if !pin_is_one {
            return Err(("pin", "must be four to twelve digits".to_owned()));
        }
        if self.notify.as_ref().is_some_and(|notify| notify.format().is_none()) {
            return Err((
                "notify",
                format!("has a format that is not one of {}", NoticeFormat::WORDS.join(", ")),
            ));
        }
        let secret = |text: &Option<String>| text.as_deref().is_some_and(holds_secret);
        let of_callers = |caller: &OwnCaller| secret(&caller.instructions) || secret(&caller.greeting);
        for (field, holds) in [
            ("trusted_instructions", secret(&self.trusted_instructions)),
            ("closed_greeting", secret(&self.closed_greeting)),
            ("allowed_callers", self.allowed_callers.iter().any(of_callers)),
        ] {
            if restrict_data && holds {
                return Err((field, super::super::wish::RESTRICTED.to_owned()));
            }
        }
        Ok(())
    }

    /// Whether nobody gets anywhere without one.
    pub fn needs_pin(&self) -> bool {
        let trusts = self.allowed_callers.iter().any(|caller| caller.trusted);
        match (self.access(), self.trust()) {
            (Ok(Access::Pin), _) => true,
            (Ok(Access::Closed), _) => false,
            (_, Ok(Trust::Pin)) => trusts,
            _ => false,
        }
    }

    /// What it comes to, with what the operator says of all lines.
    pub fn reception(
        &self,
        purpose: Purpose,
        pin: Option<Pin>,
        put_through: &[String],
        usual: &Reception,
    ) -> Reception {
        // What is stored was checked; what can't be read of it lets nobody in.
        let access = self.access().unwrap_or(Access::Closed);
        let through = put_through.iter().filter_map(|number| number.parse().ok());
        let through =
            through.map(|number| Listed { number, trusted: false, has_pin: false, put_through: true });
        let through: Vec<Listed> = through.collect();
        let known =
            through.iter().map(|_| Known::default()).chain(self.allowed_callers.iter().map(OwnCaller::known));
        let mut blocked = usual.rules.blocked.clone();
        blocked.extend(patterns("blocked_callers", &self.blocked_callers).unwrap_or_default());
        let least = |own: Option<u32>, all: Option<u32>| own.into_iter().chain(all).min();
        let rules = LineRules {
            access,
            trust: self.trust().unwrap_or(Trust::Pin),
            has_pin: pin.is_some(),
            blocked,
            anonymous: self.anonymous_callers.unwrap_or(true) && usual.rules.anonymous,
            hours: self.hours().ok().flatten(),
            outside: self.outside().unwrap_or(Outside::Decline),
            calls_per_day: least(self.calls_per_day, usual.rules.calls_per_day),
            calls_per_day_per_caller: least(
                self.calls_per_day_per_caller,
                usual.rules.calls_per_day_per_caller,
            ),
            listed: through.iter().cloned().chain(self.listed().unwrap_or_default()).collect(),
            ..usual.rules.clone()
        };
        Reception {
            purpose: Some(Purpose {
                trusted_instructions: self.trusted_instructions.clone(),
                closed_greeting: self.closed_greeting.clone(),
                ..purpose
            }),
            rules,
            known: known.collect(),
            pin,
            pin_attempts: usual.pin_attempts,
            zone: self.zone().unwrap_or(TimeZone::UTC),
            user: None,
            takes_messages: self.messages.unwrap_or(true),
            ends_spam: self.spam.unwrap_or(true),
            // The operator's agents work for the operator.
            agents: AgentsFor::Nobody,
            webhook_url: self.webhook_url.clone(),
            notify: self.notify.as_ref().and_then(OwnNotify::notify),
        }
    }

    fn access(&self) -> Result<Access, Wrong> {
        coded("callers", self.callers.as_deref(), Access::Open, Access::ALL, Access::code, Access::from_code)
    }

    fn trust(&self) -> Result<Trust, Wrong> {
        coded("trust", self.trust.as_deref(), Trust::Pin, Trust::ALL, Trust::code, Trust::from_code)
    }

    fn outside(&self) -> Result<Outside, Wrong> {
        let word = self.outside_hours.as_deref();
        coded("outside_hours", word, Outside::Decline, Outside::ALL, Outside::code, Outside::from_code)
    }

    fn hours(&self) -> Result<Option<Hours>, Wrong> {
        let Some(written) = &self.hours else { return Ok(None) };
        if written.len() > MOST_WINDOWS {
            return Err(("hours", format!("has more than {MOST_WINDOWS} entries")));
        }
        let window =
            |text: &String| text.parse::<Window>().map_err(|why| ("hours", format!("has {text:?}: {why}")));
        written.iter().map(window).collect::<Result<Vec<Window>, Wrong>>().map(|all| Some(Hours::new(all)))
    }

    fn zone(&self) -> Result<TimeZone, Wrong> {
        match self.time_zone.as_deref() {
            None if self.hours.is_some() => {
                Err(("time_zone", "is missing: hours are in one, e.g. America/New_York".to_owned()))
            }
            None => Ok(TimeZone::UTC),
            Some(name) => {
                zone(name).ok_or_else(|| ("time_zone", format!("{name:?} is no time zone of the IANA")))
            }
        }
    }

    fn listed(&self) -> Result<Vec<Listed>, Wrong> {
        if self.allowed_callers.len() > MOST_CALLERS {
            return Err(("allowed_callers", format!("has more than {MOST_CALLERS} entries")));
        }
        let listed = |caller: &OwnCaller| {
            let number = pattern("allowed_callers", &caller.number)?;
            Ok(Listed { number, trusted: caller.trusted, has_pin: false, put_through: false })
        };
        self.allowed_callers.iter().map(listed).collect()
    }
}

impl OwnCaller {
    fn known(&self) -> Known {
        Known {
            name: self.name.clone(),
            instructions: self.instructions.clone(),
            greeting: self.greeting.clone(),
            language: self.language.clone(),
            pin: None,
        }
    }
}

impl OwnNotify {
    fn format(&self) -> Option<NoticeFormat> {
        self.format.as_deref().map_or(Some(NoticeFormat::default()), NoticeFormat::from_word)
    }

    fn notify(&self) -> Option<Notify> {
        let (whole_numbers, declined) = (self.whole_numbers, self.declined);
        Some(Notify { url: self.url.clone().into(), format: self.format()?, whole_numbers, declined })
    }
}

/// By its name in the database of the IANA.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name.trim()).ok()
}

fn pattern(field: &'static str, text: &str) -> Result<NumberPattern, Wrong> {
    text.parse().map_err(|_| {
        (field, "must have numbers in E.164 (+14155550123) or the beginning of several (+1415*)".to_owned())
    })
}

fn patterns(field: &'static str, texts: &[String]) -> Result<Vec<NumberPattern>, Wrong> {
    if texts.len() > MOST_CALLERS {
        return Err((field, format!("has more than {MOST_CALLERS} entries")));
    }
    texts.iter().map(|text| pattern(field, text)).collect()
}

fn coded<T: Copy>(
    field: &'static str,
    written: Option<&str>,
    usual: T,
    all: &[T],
    code: fn(T) -> &'static str,
    from_code: fn(&str) -> Option<T>,
) -> Result<T, Wrong> {
    let Some(written) = written else { return Ok(usual) };
    let known = || all.iter().map(|one| code(*one)).collect::<Vec<_>>().join(", ");
    from_code(written).ok_or_else(|| (field, format!("must be one of {}", known())))
}

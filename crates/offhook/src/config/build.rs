//! From what was written to what it means. Goes on after a mistake, so that all are reported at once.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use offhook_core::brief::{Disclosure, Opening};
use offhook_core::call::Limits;
use offhook_core::policy::{Countries, LimitRange, PolicyConfig, UserNumbers};
use offhook_speech::local::Server;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize as _;
use tracing_subscriber::EnvFilter;

use super::env::Env;
use super::raw::{RawConfig, RawPolicy, RawRetention, RawServer, RawSpeech, RawWebhooks};
use super::secret::RawSecret;
use super::written::{Origin, Written};
use super::{
    Config, ConfigError, Log, Place, Problem, RetentionDays, acs, agents, carrier, choice, inbound, local,
    schedules, speech, voice, xdg,
};
use crate::webhooks;

/// The database of an installation that configures none.
pub const DATABASE: &str = "offhook.db";
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7465";

/// Half a minute of speech.
const LONGEST_SENTENCE: usize = 400;

/// Collects what is wrong and hands out a stand-in for it.
pub(super) struct Build<'a> {
    pub env: &'a Env,
    problems: Vec<Problem>,
}

impl Build<'_> {
    pub fn problem(&mut self, key: impl Into<String>, why: impl Display) {
        let problem = Problem { key: key.into(), why: why.to_string(), line: None };
        // What is said once may be read for several lines.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub fn ok<T, E: Display>(&mut self, key: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|why| self.problem(key, why)).ok()
    }

    pub fn parse<T: std::str::FromStr>(&mut self, key: &str, text: Option<&str>, what: &str) -> Option<T> {
        let text = text?;
        let parsed = text.trim().parse().map_err(|_| format!("{text:?} is not {what}"));
        self.ok(key, parsed)
    }

    pub fn secret(&mut self, key: &str, secret: Option<&RawSecret>) -> Option<SecretString> {
        let resolved = secret?.resolve(self.env);
        self.ok(key, resolved)
    }

    pub fn u32(&mut self, key: &str, value: Option<u64>, default: u32) -> u32 {
        match value.map(u32::try_from) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(_)) => {
                self.problem(key, "is too large");
                default
            }
        }
    }

    /// A time limit: zero would be none at all, which no limit may be.
    pub fn limit(&mut self, key: &str, seconds: Option<u64>, default: Duration) -> Duration {
        match seconds {
            None => default,
            Some(0) => {
                self.problem(key, "must be at least 1");
                default
            }
            Some(seconds) => Duration::from_secs(seconds.min(u32::MAX.into())),
        }
    }
}

pub fn build(written: &Written, env: &Env) -> Result<Config, ConfigError> {
    let invalid = |problems| ConfigError::Invalid { file: written.file.clone(), problems };
    let raw = RawConfig::deserialize(written.table.clone()).map_err(|error| {
        invalid(vec![Problem {
            key: "configuration".to_owned(),
            why: error.message().to_owned(),
            line: None,
        }])
    })?;
    let mut build = Build { env, problems: Vec::new() };
    let config = build.config(&raw);
    if build.problems.is_empty() {
        return Ok(config);
    }
    let mut problems: Vec<Problem> =
        build.problems.into_iter().map(|problem| placed(problem, written)).collect();
    problems.sort_by_key(|problem| problem.line);
    Err(invalid(problems))
}

/// Only where the data is: for commands that need no more, and must work without the secrets of a service.
pub fn place(written: &Written, env: &Env) -> Result<Place, ConfigError> {
    let text = |key: &str| written.table.get(key).and_then(toml::Value::as_str);
    let mut build = Build { env, problems: Vec::new() };
    let data_dir = build.data_dir(text("data_dir"));
    let url = text("database_url").map(RawSecret::from);
    let database_url = build.database_url(url.as_ref()).unwrap_or_else(|| own_database(&data_dir));
    match build.problems.is_empty() {
        true => Ok(Place { data_dir, database_url }),
        false => {
            let problems = build.problems.into_iter().map(|problem| placed(problem, written)).collect();
            Err(ConfigError::Invalid { file: written.file.clone(), problems })
        }
    }
}

fn own_database(data_dir: &Path) -> SecretString {
    format!("sqlite:{}", data_dir.join(DATABASE).display()).into()
}

/// With where the value was written: a line of the file, or a variable.
fn placed(problem: Problem, written: &Written) -> Problem {
    match written.origins.get(&problem.key) {
        Some(Origin::File(line)) => Problem { line: Some(*line), ..problem },
        Some(Origin::Env(name)) => Problem { key: name.clone(), ..problem },
        None => problem,
    }
}

impl Build<'_> {
    fn config(&mut self, raw: &RawConfig) -> Config {
        let listen = raw.listen.as_deref().or(Some(DEFAULT_LISTEN));
        let listen = self.parse("listen", listen, "an IP address with a port, e.g. 127.0.0.1:7465");
        let listen = listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let data_dir = self.data_dir(raw.data_dir.as_deref());
        let database_url =
            self.database_url(raw.database_url.as_ref()).unwrap_or_else(|| own_database(&data_dir));
        let has_trunk = !raw.carrier.sip.trunk.is_empty();
        let (of_acs, lines) = acs::split(self, &raw.carrier.acs, &raw.line, has_trunk);
        let sip = carrier::sip(self, &raw.carrier.sip, &lines);
        let acs = acs::acs(self, &raw.carrier.acs, &of_acs);
        acs::twice(self, sip.as_ref(), acs.as_ref());
        let sandbox = self.sandbox(raw, sip.is_some() || acs.is_some());
        let public_url = self.public_url(raw.public_url.as_deref());
        // Behind a proxy the listen address says nothing about who can reach it: then keys are made by hand.
        let private = listen.ip().is_loopback() && public_url.is_none();
        let webhooks = self.webhooks(&raw.webhooks, private);
        Config {
            listen,
            public_url,
            database_url,
            data_dir,
            allow_anonymous_keys: raw.allow_anonymous_keys.unwrap_or(private),
            calling_enabled: raw.calling_enabled.unwrap_or(true),
            recording_link: self.limit(
                "recording_link_minutes",
                raw.recording_link_minutes.map(|minutes| minutes.saturating_mul(60)),
                Duration::from_secs(600),
            ),
            log: Log {
                filter: self.log_filter(raw.log.as_deref()),
                json: raw.log_format == Some(choice::LogFormat::Json),
            },
            sip: sip.filter(|_| !sandbox),
            acs: acs.filter(|_| !sandbox),
            sandbox,
            speech: speech::model(self, &raw.speech),
            language: self.language(raw.speech.language.as_deref()),
            opening: self.opening(&raw.speech),
            disclosure: self.disclosure(&raw.speech),
            inbound: inbound::inbound(self, raw, &webhooks),
            voice_target: voice::target(self, &raw.voice),
            policy: self.policies(&raw.policy, sandbox),
            limits: self.limits(&raw.policy),
            repeat_window: Duration::from_secs(raw.policy.repeat_window_seconds.unwrap_or(120)),
            campaign_parallel: self.u32("policy.campaign_parallel", raw.policy.campaign_parallel, 4),
            retention: self.retention(&raw.retention),
            mask_secrets: raw.privacy.mask_secrets.unwrap_or(false),
            restrict_data: raw.privacy.restricted_data.unwrap_or(false),
            check_model: self.check_model(&raw.check.model_http),
            webhooks,
            agents: agents::settings(self, &raw.agent, &raw.agents, private),
            assistant_name: self.assistant_name(raw.speech.assistant_name.as_deref()),
            schedules: schedules::settings(self, &raw.schedules, &raw.proactive),
        }
    }

    /// A model is asked only where one was written down.
    fn check_model(&mut self, raw: &RawServer) -> Option<Server> {
        let is_written = raw.base_url.is_some() || raw.api_key.is_some() || raw.model.is_some();
        is_written.then(|| local::server(self, "check.model_http", raw))
    }

    fn data_dir(&mut self, written: Option<&str>) -> PathBuf {
        if written.is_some_and(|path| path.trim().is_empty()) {
            self.problem("data_dir", "is empty; name a directory, or leave the key out");
        }
        let default = || Some(xdg(self.env, "XDG_DATA_HOME", ".local/share")?.join("offhook"));
        // Without a home there is still a place to run in.
        written.map(PathBuf::from).or_else(default).unwrap_or_else(|| PathBuf::from("offhook-data"))
    }

    fn database_url(&mut self, written: Option<&RawSecret>) -> Option<SecretString> {
        let url = self.secret("database_url", written)?;
        let scheme = url.expose_secret().split_once("://").map(|(scheme, _)| scheme.to_owned());
        if scheme.is_some_and(|scheme| !["sqlite", "postgres", "postgresql"].contains(&scheme.as_str())) {
            self.problem(
                "database_url",
                "must be sqlite:PATH, a plain path, or postgres://USER:PASSWORD@HOST/DATABASE",
            );
        }
        Some(url)
    }

    fn log_filter(&mut self, written: Option<&str>) -> String {
        let filter = written.unwrap_or("info");
        if EnvFilter::builder().parse(filter).is_err() {
            self.problem("log", format!("{filter:?} is no filter, e.g. info or offhook_carrier=debug,info"));
        }
        filter.to_owned()
    }

    fn public_url(&mut self, written: Option<&str>) -> Option<String> {
        let url = written?.trim().trim_end_matches('/');
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.contains([' ', '?', '#'])) {
            self.problem("public_url", "must be an address callers can open, e.g. https://calls.example.com");
            return None;
        }
        Some(url.to_owned())
    }

    fn sandbox(&mut self, raw: &RawConfig, has_trunk: bool) -> bool {
        let enabled = raw.sandbox.enabled.unwrap_or(!has_trunk);
        if enabled && has_trunk {
            self.problem(
                "sandbox.enabled",
                "is true, but a trunk is configured; remove one of them: with the sandbox no real call is placed",
            );
        }
        if !enabled && !has_trunk {
            self.problem(
                "sandbox.enabled",
                "is false, but no trunk is configured: add a [[carrier.sip.trunk]] or [carrier.acs], and a [[line]]",
            );
        }
        enabled
    }

    fn language(&mut self, written: Option<&str>) -> String {
        let language = written.unwrap_or("en-US").trim();
        let is_tag = (2..=35).contains(&language.len())
            && language.split('-').all(|part| {
                (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        if !is_tag {
            self.problem("speech.language", format!("{language:?} is not a language tag such as en-US"));
        }
        language.to_owned()
    }

    fn opening(&mut self, raw: &RawSpeech) -> Opening {
        match raw.opening.unwrap_or_default() {
            choice::Opening::SpeakFirst => Opening::SpeakFirst,
            choice::Opening::ListenFirst => Opening::ListenFirst {
                deadline: self.limit("speech.listen_seconds", raw.listen_seconds, Duration::from_secs(2)),
            },
        }
    }

    /// Only with open eyes.
    fn disclosure(&mut self, raw: &RawSpeech) -> Disclosure {
        let accepted = raw.i_accept_the_legal_risk == Some(true);
        let mut part = |key: &str, written: Option<bool>| {
            let on = written.unwrap_or(true);
            if !on && !accepted {
                self.problem(
                    key,
                    "is false, which many laws forbid; it also needs speech.i_accept_the_legal_risk = true",
                );
            }
            on
        };
        let ai = part("speech.disclosure_ai", raw.disclosure_ai);
        let recording = part("speech.disclosure_recording", raw.disclosure_recording);
        let sentence = raw.disclosure_sentence.as_deref();
        let sentence = sentence.and_then(|sentence| self.disclosure_sentence(sentence, ai || recording));
        Disclosure { ai, recording, sentence }
    }

    fn disclosure_sentence(&mut self, written: &str, spoken: bool) -> Option<&'static str> {
        let sentence = written.split_whitespace().collect::<Vec<_>>().join(" ");
        let wrong = if sentence.is_empty() {
            "is empty; leave the key out for offhook's own sentence"
        } else if sentence.chars().count() > LONGEST_SENTENCE {
            "is too long: nobody listens so long before a call has begun"
        } else if !spoken {
            "is never said: both disclosures are off"
        } else {
            // Read once, and needed by every call to come.
            return Some(sentence.leak());
        };
        self.problem("speech.disclosure_sentence", wrong);
        None
    }

    /// It is said and read as one line.
    fn assistant_name(&mut self, written: Option<&str>) -> Option<String> {
        let name = written?.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() || name.chars().count() > 60 {
            self.problem("speech.assistant_name", "is no name: one to 60 characters");
            return None;
        }
        Some(name)
    }

    fn policies(&mut self, raw: &RawPolicy, sandbox: bool) -> PolicyConfig {
        let policy = self.policy(raw, sandbox);
        self.quotas(raw, policy)
    }

    fn policy(&mut self, raw: &RawPolicy, sandbox: bool) -> PolicyConfig {
        let usual = self.call_counts(raw);
        PolicyConfig {
            countries: self.countries(raw.countries.as_deref(), usual.countries),
            allowed_destinations: self
                .each("policy.allowed_destinations", raw.allowed_destinations.as_deref()),
            blocked_destinations: self
                .each("policy.blocked_destinations", raw.blocked_destinations.as_deref()),
            premium_numbers: raw.premium_numbers.unwrap_or(usual.premium_numbers),
            sandbox,
            user_numbers: match raw.user_numbers.unwrap_or_default() {
                choice::UserNumbers::Any => UserNumbers::Any,
                choice::UserNumbers::Account => UserNumbers::Account,
            },
            cool_down: raw.cool_down_seconds.map_or(usual.cool_down, Duration::from_secs),
            ring_limit: self.range(
                "policy.ring_limit",
                raw.ring_limit_seconds,
                raw.ring_limit_max_seconds,
                usual.ring_limit,
            ),
            talk_limit: self.range(
                "policy.talk_limit",
                raw.talk_limit_seconds,
                raw.talk_limit_max_seconds,
                usual.talk_limit,
            ),
            ..usual
        }
    }

    /// How many calls; the rest is as usual.
    fn call_counts(&mut self, raw: &RawPolicy) -> PolicyConfig {
        let mut usual = PolicyConfig::default();
        for (key, written, count) in [
            ("concurrent_calls", raw.concurrent_calls, &mut usual.concurrent_calls),
            (
                "concurrent_calls_per_owner",
                raw.concurrent_calls_per_owner,
                &mut usual.concurrent_calls_per_owner,
            ),
            (
                "concurrent_calls_per_destination",
                raw.concurrent_calls_per_destination,
                &mut usual.concurrent_calls_per_destination,
            ),
            ("calls_per_day_per_owner", raw.calls_per_day_per_owner, &mut usual.calls_per_day_per_owner),
            (
                "calls_per_day_per_destination",
                raw.calls_per_day_per_destination,
                &mut usual.calls_per_day_per_destination,
            ),
        ] {
            *count = self.u32(&format!("policy.{key}"), written, *count);
        }
        usual
    }

    fn countries(&mut self, written: Option<&[String]>, default: Countries) -> Countries {
        match written {
            None => default,
            Some(countries) if countries.iter().any(|country| country.trim() == "*") => Countries::Any,
            Some(_) => Countries::Only(self.each("policy.countries", written)),
        }
    }

    /// Every entry of a list, parsed.
    pub fn each<T>(&mut self, key: &str, written: Option<&[String]>) -> Vec<T>
    where
        T: std::str::FromStr,
        T::Err: Display,
    {
        let parse = |text: &String| text.parse().map_err(|why| format!("has {text:?}: {why}"));
        written.unwrap_or_default().iter().filter_map(|text| self.ok(key, parse(text))).collect()
    }

    /// A default longer than the maximum raises it, unless both were written.
    fn range(&mut self, key: &str, default: Option<u64>, max: Option<u64>, usual: LimitRange) -> LimitRange {
        let (default_key, max_key) = (format!("{key}_seconds"), format!("{key}_max_seconds"));
        let granted = self.limit(&default_key, default, usual.default);
        let longest = self.limit(&max_key, max, usual.max);
        match (default, max) {
            (Some(_), Some(_)) if granted > longest => {
                self.problem(default_key, format!("is more than {max_key}"));
                usual
            }
            (Some(_), None) => LimitRange { default: granted, max: longest.max(granted) },
            _ => LimitRange { default: granted.min(longest), max: longest },
        }
    }

    fn limits(&mut self, raw: &RawPolicy) -> Limits {
        let usual = Limits::default();
        Limits {
            silence: self.limit("policy.silence_limit_seconds", raw.silence_limit_seconds, usual.silence),
            hold: self.limit("policy.hold_limit_seconds", raw.hold_limit_seconds, usual.hold),
            user_ring: self.limit("policy.user_ring_seconds", raw.user_ring_seconds, usual.user_ring),
            bridged: self.limit("policy.bridge_limit_seconds", raw.bridge_limit_seconds, usual.bridged),
            ..usual
        }
    }

    fn retention(&mut self, raw: &RawRetention) -> RetentionDays {
        let mut days = |key: &str, written: Option<u64>, default: u32| {
            Some(self.u32(key, written, default)).filter(|days| *days > 0)
        };
        RetentionDays {
            recordings: days("retention.recordings_days", raw.recordings_days, 30),
            transcripts: days("retention.transcripts_days", raw.transcripts_days, 90),
            calls: days("retention.calls_days", raw.calls_days, 365),
        }
    }

    /// Whoever can ask a private offhook for a call is on this machine already.
    fn webhooks(&mut self, raw: &RawWebhooks, private: bool) -> webhooks::Settings {
        let key = "webhooks.allowed_addrs";
        let allowed = match raw.allowed_addrs.as_deref() {
            None if private => self.each(key, Some(&["127.0.0.0/8", "::1"].map(str::to_owned))),
            written => self.each(key, written),
        };
        webhooks::Settings::new(raw.allow_http.unwrap_or(false), allowed)
    }

    pub fn ip(&mut self, key: &str, written: Option<&str>) -> Option<IpAddr> {
        self.parse(key, written, "an IP address")
    }
}

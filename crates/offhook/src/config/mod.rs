//! The configuration: what was written (`RawConfig`) and what it means ([`Config`]).
//!
//! `offhook.toml`, then the environment, which wins. [`KEYS`] describes every key. A mistake is reported with the
//! line, the key, and what to write instead; all mistakes at once.

mod acs;
mod agents;
mod build;
mod carrier;
mod choice;
mod env;
mod inbound;
mod keys;
mod local;
mod quota;
mod raw;
mod schedules;
mod secret;
mod show;
mod speech;
mod voice;
mod written;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use offhook_carrier::SipConfig;
use offhook_core::PhoneNumber;
use offhook_core::brief::{Disclosure, Opening};
use offhook_core::call::Limits;
use offhook_core::policy::{LimitRange, PolicyConfig};
use offhook_speech::{local as local_voice, openai};
use secrecy::SecretString;

use crate::agents::Settings as Agents;
use crate::gateway::{Inbound, ScheduleSettings};
use crate::webhooks;
pub use acs::{Acs, Incoming as AcsIncoming};
pub use env::Env;
pub use keys::{FOREIGN_NAMES, KEYS, Key, Kind};
pub use raw::RawConfig;
pub use secret::RawSecret;
pub use show::{Entry, document, entries, entries_json, entries_text};
pub use voice::base_url as azure_base_url;
pub use written::{Origin, Written};

/// What the configuration means, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port 0: any free one.
    pub listen: SocketAddr,
    /// Without a slash at the end; `None`: the listen address.
    pub public_url: Option<String>,
    pub data_dir: PathBuf,
    pub database_url: SecretString,
    pub allow_anonymous_keys: bool,
    pub calling_enabled: bool,
    /// How long a link to a recording works without a key.
    pub recording_link: Duration,
    pub log: Log,
    /// With neither this nor `acs`: nothing but the sandbox.
    pub sip: Option<SipConfig>,
    pub acs: Option<Acs>,
    pub sandbox: bool,
    pub speech: SpeechModel,
    /// BCP 47.
    pub language: String,
    pub opening: Opening,
    pub disclosure: Disclosure,
    /// How calls to our lines are answered.
    pub inbound: Inbound,
    /// Whom the voice calls for those who have set no target of their own.
    pub voice_target: Option<PhoneNumber>,
    pub policy: PolicyConfig,
    pub limits: Limits,
    /// How long the same call again is another try of one that failed.
    pub repeat_window: Duration,
    /// Calls of one campaign at the same time.
    pub campaign_parallel: u32,
    pub retention: RetentionDays,
    /// One-time codes and card numbers are masked wherever a call is written down.
    pub mask_secrets: bool,
    /// Card numbers, passwords, codes and identity numbers are kept out of briefings and calls.
    pub restrict_data: bool,
    /// Looks at briefings after the rules did.
    pub check_model: Option<local_voice::Server>,
    pub webhooks: webhooks::Settings,
    pub schedules: ScheduleSettings,
    /// Who works for the voice.
    pub agents: Agents,
    /// What the voice is called.
    pub assistant_name: Option<String>,
}

/// The speech model of every call.
#[derive(Clone, Debug)]
pub enum SpeechModel {
    Local(local_voice::Config),
    OpenAi(openai::Config),
}

/// After how many days what is deleted; `None` keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionDays {
    pub recordings: Option<u32>,
    pub transcripts: Option<u32>,
    pub calls: Option<u32>,
}

/// Where an installation keeps its data.
#[derive(Clone, Debug)]
pub struct Place {
    pub data_dir: PathBuf,
    pub database_url: SecretString,
}

/// How the process logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A filter of `tracing`.
    pub filter: String,
    pub json: bool,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file {} can't be read: {why}", path.display())]
    File { path: PathBuf, why: std::io::Error },
    #[error("{}: {why}", path.display())]
    Syntax { path: PathBuf, why: String },
    #[error("{}", list(file.as_deref(), problems))]
    Invalid { file: Option<PathBuf>, problems: Vec<Problem> },
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, or the name of the environment variable.
    pub key: String,
    pub why: String,
    /// Of the file, where it is known.
    pub line: Option<usize>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.why)
    }
}

fn list(file: Option<&Path>, problems: &[Problem]) -> String {
    let place = |problem: &Problem| match (file, problem.line) {
        (Some(file), Some(line)) => format!("{}:{line}: ", file.display()),
        (Some(file), None) if !problem.key.starts_with("OFFHOOK_") => format!("{}: ", file.display()),
        _ => String::new(),
    };
    problems.iter().map(|problem| format!("{}{problem}", place(problem))).collect::<Vec<_>>().join("\n")
}

impl Config {
    /// From the file, which must exist when it is named, and the environment.
    pub fn load(file: Option<&Path>, env: &Env) -> Result<(Self, Written), ConfigError> {
        let file = file.map(Path::to_owned).or_else(|| default_file(env).filter(|file| file.exists()));
        let written = Written::read(file.as_deref(), env)?;
        let config = build::build(&written, env)?;
        Ok((config, written))
    }

    /// Only where the data is; what is wrong with other keys does not matter.
    pub fn place(file: Option<&Path>, env: &Env) -> Result<Place, ConfigError> {
        let file = file.map(Path::to_owned).or_else(|| default_file(env).filter(|file| file.exists()));
        build::place(&Written::read(file.as_deref(), env)?, env)
    }

    /// From a text, for tests and for programs that bring their own.
    pub fn parse(text: &str, env: &Env) -> Result<Self, ConfigError> {
        build::build(&Written::parse(None, text, env)?, env)
    }

    /// The sandbox, the local voice, everything in one directory, a free port, and limits for the impatient.
    pub fn demo(out: &Path) -> Self {
        let defaults = build::build(&Written::empty(), &Env::default());
        let config = defaults.expect("the defaults are a configuration, which a test shows");
        let mut policy = config.policy.clone();
        policy.ring_limit = LimitRange { default: crate::demo::RING_LIMIT, max: crate::demo::RING_LIMIT };
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: out.to_owned(),
            database_url: format!("sqlite:{}", out.join(build::DATABASE).display()).into(),
            limits: Limits { silence: crate::demo::SILENCE_LIMIT, ..config.limits },
            policy,
            ..config
        }
    }
}

/// `$XDG_CONFIG_HOME/offhook/offhook.toml`.
pub fn default_file(env: &Env) -> Option<PathBuf> {
    Some(xdg(env, "XDG_CONFIG_HOME", ".config")?.join("offhook/offhook.toml"))
}

/// A base directory of the XDG specification; a relative one is no valid one.
pub fn xdg(env: &Env, name: &str, below_home: &str) -> Option<PathBuf> {
    let named = env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| Some(Path::new(env.get("HOME")?).join(below_home)))
}

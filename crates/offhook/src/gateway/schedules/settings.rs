//! What the operator decides of schedules, once, at start.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::Url;
use secrecy::SecretString;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Of schedules that name none.
    pub zone: TimeZone,
    /// Between two calls of a schedule.
    pub least_gap: Duration,
    /// Between two looks at a condition.
    pub least_look: Duration,
    /// Of one owner.
    pub most: u32,
    /// The agent that is asked by schedules has so long.
    pub question_limit: Duration,
    pub commands: Vec<Program>,
    pub secrets: Vec<Secret>,
    pub proactive: Proactive,
}

/// A program that a condition may run, by its name.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub argv: Vec<String>,
    pub directory: Option<PathBuf>,
    pub limit: Duration,
}

/// The value of a header, and to whom it may be sent.
#[derive(Clone, Debug)]
pub struct Secret {
    pub name: String,
    pub value: SecretString,
    /// Whole names of hosts, in lower case.
    pub hosts: Vec<String>,
}

/// How often a user may be called by an agent of its own accord; what the user wishes is within that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proactive {
    /// `None`: as many as one likes.
    pub calls_per_day: Option<u32>,
    pub least_gap: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            least_gap: Duration::from_secs(60 * 60),
            least_look: Duration::from_secs(5 * 60),
            most: 100,
            question_limit: Duration::from_secs(300),
            commands: Vec::new(),
            secrets: Vec::new(),
            proactive: Proactive { calls_per_day: Some(20), least_gap: Duration::ZERO },
        }
    }
}

impl Settings {
    pub fn command(&self, name: &str) -> Option<&Program> {
        self.commands.iter().find(|command| command.name == name)
    }

    /// A secret, for the host of this address.
    pub fn secret(&self, name: &str, url: &str) -> Result<&SecretString, String> {
        let secret = self.secrets.iter().find(|secret| secret.name == name);
        let secret = secret.ok_or_else(|| format!("names the secret {name:?}, which is not configured"))?;
        let url: Option<Url> = url.trim().parse().ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_ascii_lowercase();
        match secret.hosts.contains(&host) {
            true => Ok(&secret.value),
            false => Err(format!("names the secret {name:?}, which is not for this host")),
        }
    }
}

//! How an ACS carrier is set up. The gateway fills this from its own configuration.

use std::path::PathBuf;
use std::time::Duration;

use offhook_core::audio::SampleRate;
use offhook_core::{AudioFormat, PhoneNumber};
use secrecy::SecretString;

use super::connection_string::is_here;

/// The newest version of Call Automation that is generally available.
pub const API_VERSION: &str = "2026-03-12";
/// What Microsoft lets a number carry at the same time, unless it was asked for more.
pub const MAX_CALLS: usize = 2;

#[derive(Clone, Debug)]
pub struct AcsConfig {
    /// `https://<resource>.communication.azure.com`.
    pub endpoint: String,
    pub auth: AcsAuth,
    pub api_version: String,
    pub lines: Vec<AcsLine>,
    /// Where Microsoft finds us, without a slash at the end: `https://…`; empty where a tunnel says so later.
    pub callback_url: String,
    /// The same for audio: `wss://…`.
    pub media_url: String,
    /// PCM at 24 or 16 kHz.
    pub format: AudioFormat,
    pub timing: AcsTiming,
}

/// How our requests prove who we are.
#[derive(Clone, Debug)]
pub enum AcsAuth {
    /// The access key of a connection string: each request is signed.
    AccessKey(SecretString),
    Entra(Entra),
}

/// Who fetches tokens of Microsoft Entra ID, and how.
#[derive(Clone, Debug)]
pub enum Entra {
    /// An application with a secret.
    ClientSecret { authority: String, tenant: String, client_id: String, secret: SecretString },
    /// An application that trusts a token some other issuer writes into a file (Kubernetes, CI).
    WorkloadIdentity { authority: String, tenant: String, client_id: String, token_file: PathBuf },
    /// The identity of the Azure machine offhook runs on.
    ManagedIdentity { endpoint: ManagedEndpoint, client_id: Option<String> },
}

/// Where an Azure machine gives out tokens for its identity.
#[derive(Clone, Debug)]
pub enum ManagedEndpoint {
    /// Virtual machines, scale sets, AKS nodes: <http://169.254.169.254> unless somebody else stands in for it.
    Imds { url: String },
    /// App Service, Functions, Container Apps: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
    AppService { url: String, header: SecretString },
}

/// One of our numbers.
#[derive(Clone, Debug)]
pub struct AcsLine {
    pub number: PhoneNumber,
    pub display_name: Option<String>,
    pub max_calls: usize,
}

/// How long things may take. Only tests have a reason to change these.
#[derive(Clone, Copy, Debug)]
pub struct AcsTiming {
    /// One try of a request.
    pub request: Duration,
    /// All tries of the request that places a call.
    pub create: Duration,
    /// Until a call that was placed is answered or fails; the ring limit of the call is far below it.
    pub setup: Duration,
    /// Until a hang-up is taken for done.
    pub hang_up: Duration,
    /// How long a media connection that was lost may take to come back.
    pub reconnect: Duration,
    /// Without a frame on an open connection.
    pub stall: Duration,
    /// How long the paths of a call that is over are still known.
    pub linger: Duration,
    /// The first pause before a request is tried again.
    pub backoff: Duration,
}

impl Default for AcsTiming {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            create: Duration::from_secs(25),
            setup: Duration::from_secs(180),
            hang_up: Duration::from_secs(5),
            reconnect: Duration::from_secs(10),
            stall: Duration::from_secs(15),
            linger: Duration::from_secs(120),
            backoff: Duration::from_millis(300),
        }
    }
}

impl AcsConfig {
    /// With an access key, everything else as a user would want it. `public_url` is `https://…`.
    pub fn new(endpoint: &str, auth: AcsAuth, public_url: &str, lines: Vec<AcsLine>) -> Self {
        let callback_url = public_url.trim_end_matches('/').to_owned();
        let media_url = callback_url.replacen("http", "ws", 1);
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            auth,
            api_version: API_VERSION.to_owned(),
            lines,
            callback_url,
            media_url,
            format: AudioFormat::Pcm16(SampleRate::Hz24000),
            timing: AcsTiming::default(),
        }
    }
}

impl AcsConfig {
    /// What could not work, before anything is asked of anybody.
    pub(super) fn check(&self) -> Result<(), AcsStartError> {
        if self.lines.is_empty() {
            return Err(AcsStartError::NoLine);
        }
        for (index, line) in self.lines.iter().enumerate() {
            if self.lines[..index].iter().any(|other| other.number == line.number) {
                return Err(AcsStartError::Twice(line.number.clone()));
            }
        }
        // A tunnel tells later where it is.
        let is_local = |url: &str| url.is_empty() || is_here(url);
        if !self.callback_url.starts_with("https://") && !is_local(&self.callback_url) {
            return Err(AcsStartError::CallbackUrl(self.callback_url.clone()));
        }
        if !self.media_url.starts_with("wss://") && !is_local(&self.media_url) {
            return Err(AcsStartError::MediaUrl(self.media_url.clone()));
        }
        match self.format {
            AudioFormat::Pcm16(SampleRate::Hz16000 | SampleRate::Hz24000) => Ok(()),
            _ => Err(AcsStartError::Format),
        }
    }
}

impl AcsLine {
    pub fn new(number: PhoneNumber) -> Self {
        Self { number, display_name: None, max_calls: MAX_CALLS }
    }
}

/// What can't be used in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcsStartError {
    #[error("the ACS endpoint is written https://<resource>.communication.azure.com")]
    Endpoint,
    #[error("the ACS access key is not Base64; copy the connection string again")]
    AccessKey,
    #[error("ACS has no number to call from; configure one as a line")]
    NoLine,
    #[error("{0:?} is configured as a line of ACS twice")]
    Twice(PhoneNumber),
    #[error("ACS reports to https:// addresses only, and {0} is none")]
    CallbackUrl(String),
    #[error("ACS sends audio to wss:// addresses only, and {0} is none")]
    MediaUrl(String),
    #[error("ACS carries PCM at 16 or 24 kHz, and nothing else")]
    Format,
    #[error("requests to ACS can't be made from here: {0}")]
    Http(String),
}

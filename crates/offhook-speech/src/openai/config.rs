//! What an operator configures about a Realtime endpoint, and its defaults.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

/// A Realtime endpoint and how to talk to it.
#[derive(Clone)]
pub struct Config {
    /// Up to and including the version, as the vendors document it: `https://api.openai.com/v1`,
    /// `https://NAME.openai.azure.com/openai/v1`. `ws`, `wss` and a trailing `/realtime` are fine too.
    pub base_url: String,
    pub auth: Auth,
    /// The model; on Azure the name of its deployment.
    pub model: String,
    /// What writes down the remote's words; on Azure the name of a deployment of your own.
    pub transcription_model: String,
    /// The contract's voice names to the provider's. A name that is not listed goes to the provider as it is.
    pub voices: BTreeMap<String, String>,
    pub turn_detection: TurnDetection,
    pub noise_reduction: Option<NoiseReduction>,
    /// How fast the voice speaks, 0.25 to 1.5; `None` leaves it to the provider.
    pub speed: Option<f32>,
    /// Further headers of the connection request, e.g. `OpenAI-Organization`.
    pub headers: Vec<(String, String)>,
    /// For name resolution, TCP, TLS and the WebSocket handshake together.
    pub connect_timeout: Duration,
    /// After this long without a word from the server it is pinged; after twice as long it is lost.
    pub keepalive: Duration,
}

#[derive(Clone, Debug)]
pub enum Auth {
    /// `Authorization: Bearer …`: OpenAI, and Microsoft Entra tokens.
    Bearer(SecretString),
    /// `api-key: …`: Azure.
    ApiKey(SecretString),
    /// For a server of your own.
    None,
}

/// How the end of the remote's turn is found.
#[derive(Clone, Debug, PartialEq)]
pub enum TurnDetection {
    ServerVad {
        /// 0 to 1; higher needs louder speech.
        threshold: f32,
        prefix_padding_ms: u32,
        silence_duration_ms: u32,
        /// Let the model speak up when the remote says nothing for this long (5,000 to 30,000).
        idle_timeout_ms: Option<u32>,
    },
    /// Decides by what is said, not by pauses alone.
    SemanticVad { eagerness: Eagerness },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eagerness {
    Low,
    Medium,
    High,
    Auto,
}

impl Eagerness {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Auto => "auto",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseReduction {
    NearField,
    FarField,
}

impl NoiseReduction {
    pub const fn code(self) -> &'static str {
        match self {
            Self::NearField => "near_field",
            Self::FarField => "far_field",
        }
    }
}

/// The provider's own defaults.
impl Default for TurnDetection {
    fn default() -> Self {
        Self::ServerVad {
            threshold: 0.5,
            prefix_padding_ms: 300,
            silence_duration_ms: 500,
            idle_timeout_ms: None,
        }
    }
}

/// Without the values of the headers: they may be secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Config")
            .field("base_url", &self.base_url)
            .field("auth", &self.auth)
            .field("model", &self.model)
            .field("transcription_model", &self.transcription_model)
            .field("turn_detection", &self.turn_detection)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

impl Config {
    pub const OPENAI_URL: &str = "https://api.openai.com/v1";
    pub const MODEL: &str = "gpt-realtime-2.1";
    pub const TRANSCRIPTION_MODEL: &str = "gpt-transcribe";
    /// The contract's voices: two women, two men.
    pub const VOICES: [(&str, &str); 4] =
        [("jessica", "marin"), ("sarah", "coral"), ("chris", "cedar"), ("eric", "echo")];

    /// OpenAI itself.
    pub fn openai(key: SecretString) -> Self {
        Self::new(Self::OPENAI_URL.to_owned(), Auth::Bearer(key), Self::MODEL.to_owned())
    }

    /// An Azure resource, e.g. `https://NAME.openai.azure.com`, with its `api-key`.
    pub fn azure(resource_url: &str, key: SecretString, deployment: String) -> Self {
        let base_url = format!("{}/openai/v1", resource_url.trim_end_matches('/'));
        Self::new(base_url, Auth::ApiKey(key), deployment)
    }

    /// Any compatible server.
    pub fn new(base_url: String, auth: Auth, model: String) -> Self {
        Self {
            base_url,
            auth,
            model,
            transcription_model: Self::TRANSCRIPTION_MODEL.to_owned(),
            voices: Self::VOICES.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).into(),
            turn_detection: TurnDetection::default(),
            noise_reduction: None,
            speed: None,
            headers: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(6),
        }
    }

    /// The provider's name of a voice.
    pub(super) fn voice<'a>(&'a self, name: &'a str) -> &'a str {
        self.voices.get(name).map_or(name, String::as_str)
    }
}

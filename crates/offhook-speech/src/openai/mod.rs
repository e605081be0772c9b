//! The Realtime protocol (GA) of OpenAI, Azure and compatible servers.
//!
//! `protocol` is the protocol without a socket, `connection` the socket without decisions; `client_event` and
//! `server_event` are the two directions of the wire.

mod client_event;
mod config;
mod connection;
#[doc(hidden)]
pub mod fuzzing;
mod protocol;
mod server_event;
mod target;

use std::future::poll_fn;
use std::sync::Arc;

pub use config::{Auth, Config, Eagerness, NoiseReduction, TurnDetection};
pub(crate) use connection::Connection;
use offhook_core::audio::{AudioFormat, SampleRate};
use offhook_core::brief::{Brief, Opening};
use offhook_core::call::SpeechEvent;
use protocol::Settings;
pub use target::ConfigError;
use target::{ConnectError, Target};

use crate::apology::Apologies;
use crate::local::Synthesizer;
use crate::{CheckError, Checked, Prompt, SpeechOutput, SpeechSession};

/// A Realtime endpoint. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OpenAi {
    config: Arc<Config>,
    target: Arc<Target>,
    apologies: Arc<Apologies>,
}

impl OpenAi {
    /// Nothing is connected yet; the error is about the configuration itself.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let target = Arc::new(Target::new(&config)?);
        Ok(Self { config: Arc::new(config), target, apologies: Arc::default() })
    }

    /// With something on this machine that can still speak when the endpoint is lost in mid-call; without it the
    /// other side hears tones.
    pub fn with_synthesizer(self, synthesizer: Synthesizer) -> Self {
        Self { apologies: Arc::new(Apologies::new(Some(synthesizer))), ..self }
    }

    pub(crate) fn open(&self, prompt: Prompt) -> SpeechSession {
        let apology = self.apologies.prepare(&prompt.brief);
        let settings = self.settings(prompt);
        let format = settings.prompt.format;
        let connection = Connection::open(Arc::clone(&self.target), settings);
        SpeechSession::openai(format, connection).with_apology(apology)
    }

    fn settings(&self, mut prompt: Prompt) -> Settings {
        prompt.format = Self::format_for(prompt.format);
        Settings { config: Arc::clone(&self.config), prompt }
    }

    /// G.711 passes through untouched; anything else is spoken as PCM at 24 kHz, the only rate there is.
    pub(crate) fn format_for(leg: AudioFormat) -> AudioFormat {
        match leg {
            AudioFormat::Pcmu | AudioFormat::Pcma => leg,
            AudioFormat::Pcm16(_) => AudioFormat::Pcm16(SampleRate::Hz24000),
        }
    }

    /// Connect and configure a session as a call would, so that a wrong key, model, voice or transcription model
    /// shows before the first call does.
    pub(crate) async fn check(&self) -> Result<Checked, CheckError> {
        let what = format!("{} at {}", self.config.model, self.target.host());
        let socket = self
            .target
            .connect(self.config.connect_timeout)
            .await
            .map_err(|error| check_error(what.clone(), &error))?;
        let mut session = Connection::with_socket(Arc::clone(&self.target), self.settings(trial()), socket);
        loop {
            match poll_fn(|cx| session.poll_next(cx)).await {
                SpeechOutput::Event(SpeechEvent::Ready { .. }) => return Ok(Checked { what }),
                SpeechOutput::Event(SpeechEvent::Lost { why }) => {
                    let advice = "check the model, the transcription model and the voices: they must exist for this \
                                  account, and on Azure models are names of deployments";
                    return Err(CheckError::Unusable { what, why, advice: advice.to_owned() });
                }
                _ => {}
            }
        }
    }
}

fn check_error(what: String, error: &ConnectError) -> CheckError {
    let why = error.to_string();
    match error {
        ConnectError::Refused { status: 401 | 403, .. } => {
            let advice = "check the key, and that it may use this model; on Azure the address must end in \
                              /openai/v1 without an api-version";
            CheckError::Unauthorized { what, why, advice: advice.to_owned() }
        }
        ConnectError::Refused { status: 404, .. } => {
            let advice = "check the address (https://api.openai.com/v1, on Azure \
                              https://NAME.openai.azure.com/openai/v1) and the name of the model or deployment";
            CheckError::Unusable { what, why, advice: advice.to_owned() }
        }
        ConnectError::Refused { .. } | ConnectError::Handshake(_) => {
            let advice = "check the address, and the status page of the provider";
            CheckError::Unusable { what, why, advice: advice.to_owned() }
        }
        ConnectError::Timeout(_) | ConnectError::Network(_) => {
            let advice = "check the address, the network, and whether a firewall lets wss through";
            CheckError::Unreachable { what, why, advice: advice.to_owned() }
        }
    }
}

/// What a session is configured with to see whether it could be.
fn trial() -> Prompt {
    let language = "en-US";
    Prompt {
        language: language.to_owned(),
        format: AudioFormat::Pcmu,
        brief: Brief {
            language: language.to_owned(),
            opening: Opening::SpeakFirst,
            ..Brief::new(String::new())
        },
    }
}

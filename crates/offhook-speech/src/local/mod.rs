//! The local voice: voice activity detection, a recognizer, a brain and a synthesizer, each replaceable.
//!
//! [`conversation`] is the whole of it without IO; [`session`] runs one as a task of its own. Programs and servers are
//! asked a sentence at a time, beside the audio path.

mod brain;
mod config;
mod conversation;
mod ear;
mod endpoint;
mod mouth;
mod pocketsphinx;
mod program;
mod recognizer;
mod session;
mod synthesizer;
pub mod tagged;
mod vad;
mod wav;

use std::sync::Arc;
use std::time::Duration;

pub use config::{BrainConfig, Config, RecognizerConfig, Server, SynthesizerConfig};
pub use endpoint::{ChatStream, EndpointError};
use offhook_core::audio::{AudioFormat, SampleRate};
pub use program::ProgramError;
pub use recognizer::{RecognizeError, Recognizer, Transcript};
pub use synthesizer::{SpeakError, Synthesizer};

use crate::apology::Apologies;
use crate::{CheckError, Checked, Prompt, SpeechSession};
use brain::chat::Chat;
use brain::script::Script;
use conversation::{Brain, Conversation};
use ear::Ear;
use endpoint::Endpoint;
use session::{Parts, Session};
use synthesizer::is_english;
use vad::Vad;

/// Why the local voice can't be put together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    #[error("{name} not found: `apt install {package}`, or choose another in speech.local")]
    NoProgram { name: &'static str, package: &'static str },
    #[error("no program that speaks was found: `apt install flite`, or set speech.local.synthesizer")]
    NoSynthesizer,
    #[error("no place for a temporary file: {0}; check TMPDIR")]
    File(String),
    #[error("no HTTP client can be made: {0}")]
    Http(String),
}

impl From<FindError> for CheckError {
    fn from(error: FindError) -> Self {
        let advice = "the local voice needs it to start".to_owned();
        Self::Unusable { what: "the local voice".to_owned(), why: error.to_string(), advice }
    }
}

/// The local voice. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Local {
    parts: Arc<LocalParts>,
}

#[derive(Debug)]
struct LocalParts {
    apologies: Apologies,
    synthesizer: Synthesizer,
    recognizer: Recognizer,
    brain: Option<Endpoint>,
    turn_end: Duration,
}

impl Local {
    /// Find the programs and set up the servers that `config` names.
    pub fn find(config: Config) -> Result<Self, FindError> {
        let synthesizer = Synthesizer::find(config.synthesizer, config.voices)?;
        let parts = LocalParts {
            apologies: Apologies::new(Some(synthesizer.clone())),
            synthesizer,
            recognizer: Recognizer::find(config.recognizer)?,
            brain: match config.brain {
                BrainConfig::Script => None,
                BrainConfig::Http(server) => Some(synthesizer::endpoint(server)?),
            },
            turn_end: config.turn_end,
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    pub fn synthesizer(&self) -> &Synthesizer {
        &self.parts.synthesizer
    }

    pub fn recognizer(&self) -> &Recognizer {
        &self.parts.recognizer
    }

    /// For people: `local (flite, pocketsphinx, script)`.
    fn what(&self) -> String {
        let brain = self.parts.brain.as_ref().map_or("script", Endpoint::model);
        format!("local ({}, {}, {brain})", self.parts.synthesizer.what(), self.parts.recognizer.what())
    }

    pub(crate) fn language_problems(&self, language: &str) -> Vec<String> {
        let (synthesizer, recognizer) = (&self.parts.synthesizer, &self.parts.recognizer);
        let script = self.parts.brain.is_none().then(|| "the script".to_owned());
        let parts = [
            (!synthesizer.speaks(language)).then(|| synthesizer.what()),
            (!recognizer.understands(language)).then(|| recognizer.what()),
            script.filter(|_| !is_english(language)),
        ];
        parts.into_iter().flatten().map(|part| format!("{part} knows English, not {language}")).collect()
    }

    /// What it hears and speaks: the telephone band, whatever the leg carries.
    pub(crate) const FORMAT: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz8000);

    /// Must be called within a tokio runtime.
    pub(crate) fn open(&self, prompt: Prompt) -> SpeechSession {
        let (session, end) = SpeechSession::from_channels(Self::FORMAT);
        let apology = self.parts.apologies.prepare(&prompt.brief);
        let vad = match self.parts.recognizer {
            Recognizer::Tagged => Vad::Energy,
            _ => Vad::speech(),
        };
        let brain = match self.parts.brain {
            Some(_) => Brain::Chat(Box::new(Chat::new(&prompt.brief))),
            None => Brain::Script(Box::new(Script::new(&prompt.brief))),
        };
        let ear = Ear::new(vad, self.parts.turn_end.as_millis() as u32);
        let parts = Parts { local: self.clone(), prompt, end };
        tokio::spawn(Session::new(parts, Conversation::new(ear, brain), self.parts.brain.clone()).run());
        session.with_apology(apology)
    }

    /// Speak and understand a word, and see whether the servers answer.
    pub(crate) async fn check(&self) -> Result<Checked, CheckError> {
        let servers =
            [self.parts.synthesizer.endpoint(), self.parts.recognizer.endpoint(), self.parts.brain.as_ref()];
        for endpoint in servers.into_iter().flatten() {
            endpoint.check().await.map_err(check_error)?;
        }
        let unusable = |what: String, why: String| {
            let advice = "see `offhook doctor`, or choose another in speech.local".to_owned();
            CheckError::Unusable { what, why, advice }
        };
        let spoken = self.parts.synthesizer.speak("Goodbye.", "chris").await;
        let samples = spoken.map_err(|error| unusable(self.parts.synthesizer.what(), error.to_string()))?;
        let heard = self.parts.recognizer.recognize(&samples, "en-US").await;
        heard.map_err(|error| unusable(self.parts.recognizer.what(), error.to_string()))?;
        Ok(Checked { what: self.what() })
    }
}

fn check_error(error: EndpointError) -> CheckError {
    let why = error.to_string();
    match error {
        EndpointError::Unauthorized { url, .. } => {
            CheckError::Unauthorized { what: url, why, advice: "set the api_key of this server".to_owned() }
        }
        EndpointError::Unreachable { url, .. } => CheckError::Unreachable {
            what: url,
            why,
            advice: "start the server, or correct base_url".to_owned(),
        },
        EndpointError::Refused { url, .. } | EndpointError::Unusable { url, .. } => {
            CheckError::Unusable { what: url, why, advice: "check base_url and model".to_owned() }
        }
    }
}

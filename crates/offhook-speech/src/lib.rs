//! Speech models: they hear the remote, decide what to say, and say it.
//!
//! [`Model`] is one configured model, cheap to clone; [`Model::open`] begins one conversation and returns at once.
//! What comes of it, also a failure to connect, arrives as a [`SpeechOutput`] of the [`SpeechSession`].
//!
//! [`openai`] speaks the Realtime protocol (OpenAI, Azure, any compatible server); [`local`] is made of programs on
//! this machine. Both offer the model the same [`tools`].

/// `Debug` that names the type and shows nothing of what it holds: the words of a call are no part of a log line.
macro_rules! veiled {
    ($($name:ty),* $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), " { .. }"))
            }
        }
    )*};
}

mod apology;
pub mod local;
mod notes;
pub mod openai;
mod session;
pub mod tools;

use offhook_core::audio::AudioFormat;
use offhook_core::brief::Brief;
pub use session::{Busy, FrameQueue, ProviderEnd, SpeechOutput, SpeechSession};

/// A configured speech model.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of these in a gateway")]
pub enum Model {
    OpenAi(openai::OpenAi),
    Local(local::Local),
}

/// What one conversation is about.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// Everything the voice knows, in a language the model speaks; see [`Model::language_for`].
    pub brief: Brief,
    /// BCP 47 tag of the language that was asked for.
    pub language: String,
    /// What both sides are spoken in, as far as it is known; see [`Model::format_for`].
    pub format: AudioFormat,
}

/// A model that would work now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What answered, for people: `gpt-realtime-2.1 at api.openai.com`.
    pub what: String,
}

/// Why a model would not work now, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error("{what} is not usable: {why}; {advice}")]
    Unusable { what: String, why: String, advice: String },
    #[error("{what} could not be reached: {why}; {advice}")]
    Unreachable { what: String, why: String, advice: String },
    #[error("{what} refused the credentials: {why}; {advice}")]
    Unauthorized { what: String, why: String, advice: String },
}

impl Model {
    /// Begin a conversation. Returns at once: `Ready` or `Lost` comes as an event.
    pub fn open(&self, prompt: Prompt) -> SpeechSession {
        match self {
            Self::OpenAi(model) => model.open(prompt),
            Self::Local(model) => model.open(prompt),
        }
    }

    /// What the model hears and speaks when the leg carries `leg`.
    pub fn format_for(&self, leg: AudioFormat) -> AudioFormat {
        match self {
            Self::OpenAi(_) => openai::OpenAi::format_for(leg),
            Self::Local(_) => local::Local::FORMAT,
        }
    }

    /// The language a call is held in when this one is asked for.
    pub fn language_for<'a>(&self, wanted: &'a str) -> &'a str {
        match self {
            Self::Local(model) if !model.language_problems(wanted).is_empty() => "en-US",
            Self::OpenAi(_) | Self::Local(_) => wanted,
        }
    }

    /// What is in the way of this language, a sentence for each part that does not know it; empty when nothing is.
    pub fn language_problems(&self, wanted: &str) -> Vec<String> {
        match self {
            Self::OpenAi(_) => Vec::new(),
            Self::Local(model) => model.language_problems(wanted),
        }
    }

    /// Whether a conversation could begin now; if not, what to do.
    pub async fn check(&self) -> Result<Checked, CheckError> {
        match self {
            Self::OpenAi(model) => model.check().await,
            Self::Local(model) => model.check().await,
        }
    }
}

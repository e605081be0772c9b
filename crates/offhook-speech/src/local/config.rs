//! What an operator configures about the local voice, and its defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

/// Which parts the local voice is made of.
#[derive(Clone, Debug)]
pub struct Config {
    pub synthesizer: SynthesizerConfig,
    pub recognizer: RecognizerConfig,
    pub brain: BrainConfig,
    /// The contract's voice names to the synthesizer's own; a name that is not listed has a default or goes there
    /// as it is.
    pub voices: BTreeMap<String, String>,
    /// How long a pause ends the remote's turn.
    pub turn_end: Duration,
}

/// What speaks.
#[derive(Clone, Debug)]
pub enum SynthesizerConfig {
    /// The first program found on this machine.
    Auto,
    Flite,
    EspeakNg,
    /// The `say` of macOS.
    Say,
    /// A server with `/audio/speech` like OpenAI's.
    Http(Server),
    /// Text as audible data: see [`super::tagged`].
    Tagged,
}

/// What listens.
#[derive(Clone, Debug)]
pub enum RecognizerConfig {
    Pocketsphinx,
    /// A server with `/audio/transcriptions` like OpenAI's.
    Http(Server),
    /// Understands what [`SynthesizerConfig::Tagged`] says, and nothing else.
    Tagged,
}

/// What decides what to say.
#[derive(Clone, Debug)]
pub enum BrainConfig {
    /// A fixed course of conversation, without a model.
    Script,
    /// A server with `/chat/completions` like OpenAI's.
    Http(Server),
}

/// A server with endpoints like OpenAI's.
#[derive(Clone, Debug)]
pub struct Server {
    /// Up to and including the version: `http://127.0.0.1:11434/v1`.
    pub base_url: String,
    pub api_key: Option<SecretString>,
    /// The model to ask for.
    pub model: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            synthesizer: SynthesizerConfig::Auto,
            recognizer: RecognizerConfig::Pocketsphinx,
            brain: BrainConfig::Script,
            voices: BTreeMap::new(),
            turn_end: Self::TURN_END,
        }
    }
}

impl Config {
    /// Long enough for a breath in the middle of a sentence.
    pub const TURN_END: Duration = Duration::from_millis(700);

    /// A voice that needs no program: what it says is data, understood exactly by its like.
    pub fn tagged() -> Self {
        Self {
            synthesizer: SynthesizerConfig::Tagged,
            recognizer: RecognizerConfig::Tagged,
            ..Self::default()
        }
    }
}

//! What listens: the audio of a turn in, words out, or nothing where there were none to be understood.

use std::time::Duration;

use super::config::RecognizerConfig;
use super::endpoint::{Endpoint, EndpointError};
use super::pocketsphinx::Pocketsphinx;
use super::program::ProgramError;
use super::synthesizer::{endpoint, is_english};
use super::{FindError, tagged, wav};

/// What was understood of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    pub text: String,
    /// Per mille; `None` when the recognizer gives none.
    pub confidence: Option<u32>,
}

#[derive(Debug, thiserror::Error)]
pub enum RecognizeError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("no place for a temporary file: {0}")]
    File(std::io::Error),
}

/// Understands. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Recognizer {
    Pocketsphinx(Pocketsphinx),
    Http(Endpoint),
    Tagged,
}

impl Recognizer {
    /// For one turn.
    pub(super) const LIMIT: Duration = Duration::from_secs(30);

    pub(super) fn find(config: RecognizerConfig) -> Result<Self, FindError> {
        Ok(match config {
            RecognizerConfig::Pocketsphinx => Self::Pocketsphinx(Pocketsphinx::find()?),
            RecognizerConfig::Http(server) => Self::Http(endpoint(server)?),
            RecognizerConfig::Tagged => Self::Tagged,
        })
    }

    /// For people: `pocketsphinx`, `whisper-1 at http://…`.
    pub fn what(&self) -> String {
        match self {
            Self::Pocketsphinx(_) => "pocketsphinx".to_owned(),
            Self::Http(endpoint) => format!("{} at {}", endpoint.model(), endpoint.base_url()),
            Self::Tagged => "tagged tones".to_owned(),
        }
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Http(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    /// Whether it understands this language (BCP 47) at all.
    pub fn understands(&self, language: &str) -> bool {
        !matches!(self, Self::Pocketsphinx(_)) || is_english(language)
    }

    /// What is said in `samples`, 8 kHz; `None` when nothing of it could be understood.
    pub async fn recognize(
        &self,
        samples: &[i16],
        language: &str,
    ) -> Result<Option<Transcript>, RecognizeError> {
        match self {
            Self::Pocketsphinx(pocketsphinx) => pocketsphinx.recognize(samples).await,
            Self::Http(endpoint) => {
                let answer = endpoint.transcription(wav::write(samples, 8_000), language).await?;
                Ok(from_server(&answer))
            }
            Self::Tagged => {
                Ok(tagged::decode(samples).map(|text| Transcript { text, confidence: Some(1_000) }))
            }
        }
    }
}

/// What a server understood. Whisper and its like make words of silence and noise; where they say themselves that it
/// was none, it was none.
fn from_server(answer: &serde_json::Value) -> Option<Transcript> {
    const NO_SPEECH: f64 = 0.6;
    const UNLIKELY: f64 = -1.0;
    let text = answer["text"].as_str()?.trim();
    let segments = answer["segments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mean = |field: &str| {
        let values: Vec<f64> = segments.iter().filter_map(|segment| segment[field].as_f64()).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    // Whisper says it by segment, its successors by token.
    let tokens = answer["logprobs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_tokens: Vec<f64> = tokens.iter().filter_map(|token| token["logprob"].as_f64()).collect();
    let by_token = (!of_tokens.is_empty()).then(|| of_tokens.iter().sum::<f64>() / of_tokens.len() as f64);
    let likelihood = mean("avg_logprob").or(by_token);
    let no_speech = mean("no_speech_prob").is_some_and(|probability| probability > NO_SPEECH)
        && likelihood.is_none_or(|likelihood| likelihood < UNLIKELY / 2.0);
    if no_speech || likelihood.is_some_and(|likelihood| likelihood < UNLIKELY) {
        return None;
    }
    let words = text.chars().any(char::is_alphanumeric);
    let confidence = likelihood.map(|likelihood| (likelihood.exp() * 1_000.0).clamp(0.0, 1_000.0) as u32);
    words.then(|| Transcript { text: text.to_owned(), confidence })
}

//! The local voice: what speaks, what listens, what decides.

use std::time::Duration;

use offhook_speech::local::{BrainConfig, Config, RecognizerConfig, Server, SynthesizerConfig};

use super::build::Build;
use super::choice;
use super::raw::{RawLocal, RawServer};
use super::speech;

pub(super) fn voice(build: &mut Build<'_>, raw: &RawLocal) -> Config {
    let usual = Config::default();
    Config {
        synthesizer: match raw.synthesizer.unwrap_or_default() {
            choice::Synthesizer::Auto => SynthesizerConfig::Auto,
            choice::Synthesizer::Flite => SynthesizerConfig::Flite,
            choice::Synthesizer::EspeakNg => SynthesizerConfig::EspeakNg,
            choice::Synthesizer::Say => SynthesizerConfig::Say,
            choice::Synthesizer::Http => {
                SynthesizerConfig::Http(server(build, "speech.local.synthesizer_http", &raw.synthesizer_http))
            }
        },
        recognizer: match raw.recognizer.unwrap_or_default() {
            choice::Recognizer::Http => {
                RecognizerConfig::Http(server(build, "speech.local.recognizer_http", &raw.recognizer_http))
            }
            choice::Recognizer::Pocketsphinx => RecognizerConfig::Pocketsphinx,
        },
        brain: match raw.brain.unwrap_or_default() {
            choice::Brain::Http => {
                BrainConfig::Http(server(build, "speech.local.brain_http", &raw.brain_http))
            }
            choice::Brain::Script => BrainConfig::Script,
        },
        voices: speech::voices(&usual.voices, raw.voices.as_ref()),
        turn_end: turn_end(build, raw.turn_end_ms).unwrap_or(usual.turn_end),
    }
}

fn turn_end(build: &mut Build<'_>, written: Option<u64>) -> Option<Duration> {
    let ms = written?;
    if !(100..=5_000).contains(&ms) {
        build.problem("speech.local.turn_end_ms", "must be 100 to 5000");
    }
    Some(Duration::from_millis(ms))
}

pub(super) fn server(build: &mut Build<'_>, at: &str, raw: &RawServer) -> Server {
    let missing = |build: &mut Build<'_>, name: &str, what: &str| {
        build.problem(format!("{at}.{name}"), format!("is missing: {what}"));
        String::new()
    };
    let base_url = match raw.base_url.as_deref() {
        Some(written) => speech::url(build, &format!("{at}.base_url"), written, &["http", "https"]),
        None => missing(build, "base_url", "the address of the server, e.g. http://127.0.0.1:11434/v1"),
    };
    let model = match raw.model.clone() {
        Some(model) => model,
        None => missing(build, "model", "the model to ask the server for"),
    };
    Server { base_url, api_key: build.secret(&format!("{at}.api_key"), raw.api_key.as_ref()), model }
}

//! The Realtime protocol of OpenAI, Azure and compatible servers.

use offhook_core::Frame;
use offhook_core::audio::{AudioFormat, SampleRate};
use offhook_core::call::SpeechCommand;

use crate::{Busy, CheckError, Checked, Prompt, SpeechOutput, SpeechSession};

/// A Realtime endpoint.
#[derive(Clone, Debug)]
pub struct OpenAi;

impl OpenAi {
    pub(crate) fn open(&self, prompt: Prompt) -> SpeechSession {
        SpeechSession::openai(prompt.format, Connection)
    }

    /// G.711 passes through untouched; anything else is spoken as PCM at 24 kHz.
    pub(crate) fn format_for(&self, leg: AudioFormat) -> AudioFormat {
        match leg {
            AudioFormat::Pcmu | AudioFormat::Pcma => leg,
            AudioFormat::Pcm16(_) => AudioFormat::Pcm16(SampleRate::Hz24000),
        }
    }

    pub(crate) async fn check(&self) -> Result<Checked, CheckError> {
        Ok(Checked { what: String::new() })
    }
}

#[derive(Debug)]
pub(crate) struct Connection;

impl Connection {
    pub(crate) async fn next(&mut self) -> SpeechOutput {
        std::future::pending().await
    }
    pub(crate) fn hear(&mut self, _remote_frame: &Frame) {}
    pub(crate) fn send(&mut self, _command: SpeechCommand) -> Result<(), Busy> {
        Err(Busy)
    }
    pub(crate) fn dropped_frames(&self) -> u64 {
        0
    }
}

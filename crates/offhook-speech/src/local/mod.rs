//! The local voice.

use offhook_core::audio::AudioFormat;

use crate::{CheckError, Checked, Prompt, SpeechSession};

/// The local voice.
#[derive(Clone, Debug)]
pub struct Local;

impl Local {
    pub(crate) fn open(&self, prompt: Prompt) -> SpeechSession {
        SpeechSession::from_channels(prompt.format).0
    }

    pub(crate) fn format_for(&self, leg: AudioFormat) -> AudioFormat {
        leg
    }

    pub(crate) async fn check(&self) -> Result<Checked, CheckError> {
        Ok(Checked { what: "the local voice".to_owned() })
    }
}

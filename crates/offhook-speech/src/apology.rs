//! What the other side hears when the model is lost in mid-call: a sentence where something on this machine can speak
//! it, three rising tones where not. Both are at hand before they are needed and need no model.

use std::collections::HashMap;
use std::f32::consts::TAU;
use std::sync::{Arc, Mutex, PoisonError};

use offhook_core::Words;
use offhook_core::audio::{AudioFormat, Converter, SampleRate};
use offhook_core::brief::{Brief, Language};
use tokio::sync::OnceCell;

use crate::local::{SpeakError, Synthesizer};

/// One apology, ready to be played.
#[derive(Clone, Debug)]
pub(crate) struct Apology {
    /// `None` for the tones.
    pub text: Option<Words>,
    /// 8 kHz.
    samples: Arc<[i16]>,
}

/// The apologies of a model, each spoken once in its life.
#[derive(Debug, Default)]
pub(crate) struct Apologies {
    synthesizer: Option<Synthesizer>,
    /// By voice and language: few.
    spoken: Mutex<HashMap<(String, &'static str), Prepared>>,
}

/// An apology that may still be on its way.
pub(crate) type Prepared = Arc<OnceCell<Apology>>;

impl Apologies {
    pub fn new(synthesizer: Option<Synthesizer>) -> Self {
        Self { synthesizer, spoken: Mutex::default() }
    }

    /// The apology for a call, spoken beside it the first time. Must be called within a tokio runtime.
    pub fn prepare(&self, brief: &Brief) -> Prepared {
        let Some(synthesizer) = self.synthesizer.clone() else { return Prepared::default() };
        let wanted = brief.fixed_words();
        let language = if synthesizer.speaks(wanted.tag) { wanted } else { Language::of("en") };
        let voice = brief.voice.clone();
        // Nothing under this lock can panic half-way.
        let mut spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        let prepared = Arc::clone(spoken.entry((voice.clone(), language.tag)).or_default());
        drop(spoken);
        if !prepared.initialized() {
            let cell = Arc::clone(&prepared);
            tokio::spawn(async move {
                let speak = || Apology::spoken(&synthesizer, &voice, language);
                if let Err(error) = cell.get_or_try_init(speak).await {
                    tracing::warn!(%error, "the apology for a lost model can't be spoken; tones stand in for it");
                }
            });
        }
        prepared
    }
}

impl Apology {
    async fn spoken(synthesizer: &Synthesizer, voice: &str, language: &Language) -> Result<Self, SpeakError> {
        let samples = synthesizer.speak_in(language.tag, language.apology, voice).await?;
        Ok(Self { text: Some(language.apology.into()), samples })
    }

    /// Rising tones such as networks play before a call fails (ITU-T E.180, special information tone).
    pub fn tones() -> Self {
        const HZ: [f32; 3] = [950.0, 1_400.0, 1_800.0];
        const SAMPLES: usize = 8 * 330;
        const PEAK: f32 = 5_000.0;
        let tone = |hz: f32| (0..SAMPLES).map(move |n| (PEAK * (TAU * hz * n as f32 / 8_000.0).sin()) as i16);
        Self { text: None, samples: HZ.into_iter().flat_map(tone).collect() }
    }

    /// The audio in a session's format.
    pub fn audio(&self, format: AudioFormat) -> Vec<u8> {
        let linear: Vec<u8> = self.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut bytes = Vec::new();
        Converter::new(AudioFormat::Pcm16(SampleRate::Hz8000), format).convert(&linear, &mut bytes);
        bytes
    }
}

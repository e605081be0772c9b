//! What the voice says: the server's items under our numbers, and how much of each there is.

use std::collections::VecDeque;

use offhook_core::audio::AudioFormat;
use offhook_core::call::Utterance;
use offhook_core::pump::Heard;

/// The voice's side of the conversation.
#[derive(Debug, Default)]
pub(super) struct Voice {
    last: u32,
    spoken: VecDeque<Spoken>,
    pub pace: Pace,
}

#[derive(Debug)]
pub(super) struct Spoken {
    pub utterance: Utterance,
    pub item_id: String,
    pub response_id: String,
    /// Of the connection that said it; another cannot cut it off.
    pub connection: u32,
    /// The audio that arrived, and what of it was passed on: after a cut nothing is.
    pub made_bytes: usize,
    pub passed_bytes: usize,
    pub text: String,
    pub text_done: bool,
    pub audio_done: bool,
    /// Nothing more will be made of it, though there was more to come: its words may be ahead of its audio.
    pub broken_off: bool,
    /// It was cut off, and this much of it had been heard.
    pub cut: Option<Heard>,
}

/// How fast the voice speaks, learnt from what it said to the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    chars: u64,
    ms: u64,
}

impl Default for Pace {
    /// Fifteen characters a second are usual; anything measured soon outweighs it.
    fn default() -> Self {
        Self { chars: 15, ms: 1_000 }
    }
}

impl Pace {
    fn learn(&mut self, chars: u64, ms: u64) {
        self.chars += chars;
        self.ms += ms;
    }

    fn ms_for(self, chars: u64) -> u64 {
        chars * self.ms / self.chars
    }
}

impl Voice {
    const CAPACITY: usize = 64;

    /// The utterance of an item, begun now if it is new.
    pub fn entry(&mut self, response_id: &str, item_id: &str, connection: u32) -> &mut Spoken {
        let known = |spoken: &Spoken| spoken.item_id == item_id && spoken.connection == connection;
        let index = match self.spoken.iter().rposition(known) {
            Some(index) => index,
            None => {
                if self.spoken.len() == Self::CAPACITY {
                    self.spoken.pop_front();
                }
                self.last += 1;
                self.spoken.push_back(Spoken::new(Utterance(self.last), response_id, item_id, connection));
                self.spoken.len() - 1
            }
        };
        &mut self.spoken[index]
    }

    pub fn by_item(&mut self, item_id: &str) -> Option<&mut Spoken> {
        self.spoken.iter_mut().rev().find(|spoken| spoken.item_id == item_id)
    }

    /// Those not finished; of one response, or of all.
    pub fn unfinished(&mut self, response_id: Option<&str>) -> impl Iterator<Item = &mut Spoken> {
        self.spoken.iter_mut().filter(move |spoken| {
            !spoken.is_finished() && response_id.is_none_or(|id| spoken.response_id == id)
        })
    }

    /// The last utterance of a response that has audio, all of which was passed on.
    pub fn whole(&self, response_id: &str) -> Option<Utterance> {
        let spoken = self.spoken.iter().rev().find(|spoken| spoken.response_id == response_id)?;
        let whole = spoken.cut.is_none() && !spoken.broken_off && spoken.passed_bytes > 0;
        (whole && spoken.passed_bytes == spoken.made_bytes).then_some(spoken.utterance)
    }

    /// This utterance and all after it.
    pub fn from(&mut self, utterance: Utterance) -> impl Iterator<Item = &mut Spoken> {
        self.spoken.iter_mut().filter(move |spoken| spoken.utterance >= utterance)
    }

    /// Remember how fast the voice was where all of an utterance is there to measure.
    pub fn learn_pace(&mut self, item_id: &str, format: AudioFormat) {
        let whole =
            |spoken: &&mut Spoken| spoken.is_finished() && !spoken.broken_off && spoken.made_bytes > 0;
        let Some(spoken) = self.by_item(item_id).filter(whole) else { return };
        let (chars, ms) = (spoken.text.chars().count() as u64, u64::from(ms(spoken.made_bytes, format)));
        if chars > 0 {
            self.pace.learn(chars, ms);
        }
    }
}

impl Spoken {
    fn new(utterance: Utterance, response_id: &str, item_id: &str, connection: u32) -> Self {
        Self {
            utterance,
            item_id: item_id.to_owned(),
            response_id: response_id.to_owned(),
            connection,
            made_bytes: 0,
            passed_bytes: 0,
            text: String::new(),
            text_done: false,
            audio_done: false,
            broken_off: false,
            cut: None,
        }
    }

    pub fn is_finished(&self) -> bool {
        self.audio_done && self.text_done
    }

    /// The words of the audio that was passed on.
    pub fn passed_words(&self, format: AudioFormat, pace: Pace) -> &str {
        self.words_of(ms(self.passed_bytes, format), format, pace)
    }

    /// The words that were heard, so far as they are known.
    pub fn heard_words(&self, format: AudioFormat, pace: Pace) -> &str {
        match self.cut {
            Some(heard) => self.words_of(heard.heard_ms, format, pace),
            None => self.passed_words(format, pace),
        }
    }

    fn words_of(&self, heard_ms: u32, format: AudioFormat, pace: Pace) -> &str {
        let made_ms = ms(self.made_bytes, format);
        // The server writes words ahead of audio: of what broke off, not all that is written was spoken.
        let of_ms = match self.broken_off {
            true => made_ms.max(pace.ms_for(self.text.chars().count() as u64).try_into().unwrap_or(u32::MAX)),
            false => made_ms,
        };
        Heard { utterance: self.utterance, heard_ms, of_ms }.words(&self.text)
    }
}

pub(super) fn ms(bytes: usize, format: AudioFormat) -> u32 {
    (bytes / format.bytes_per_ms()) as u32
}

//! What the voice says: the server's items under our numbers, and how much of each there is.

use std::collections::VecDeque;

use offhook_core::call::Utterance;

/// The voice's side of the conversation.
#[derive(Debug, Default)]
pub(super) struct Voice {
    last: u32,
    spoken: VecDeque<Spoken>,
}

#[derive(Debug)]
pub(super) struct Spoken {
    pub utterance: Utterance,
    pub item_id: String,
    pub response_id: String,
    /// Of the connection that said it; another cannot cut it off.
    pub connection: u32,
    pub audio_bytes: usize,
    pub text: String,
    pub text_done: bool,
    pub audio_done: bool,
    /// The remote spoke over it: what still comes of it is not for anybody's ears.
    pub cut_off: bool,
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
                self.spoken.push_back(Spoken {
                    utterance: Utterance(self.last),
                    item_id: item_id.to_owned(),
                    response_id: response_id.to_owned(),
                    connection,
                    audio_bytes: 0,
                    text: String::new(),
                    text_done: false,
                    audio_done: false,
                    cut_off: false,
                });
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
            !(spoken.audio_done && spoken.text_done) && response_id.is_none_or(|id| spoken.response_id == id)
        })
    }

    /// This utterance and all after it.
    pub fn from(&mut self, utterance: Utterance) -> impl Iterator<Item = &mut Spoken> {
        self.spoken.iter_mut().filter(move |spoken| spoken.utterance >= utterance)
    }
}

impl Spoken {
    /// About how fast the voices speak; used only where the server did not come to tell how far the words go.
    const CHARS_PER_SECOND: u64 = 15;

    /// The words for which there is audio, of an utterance that broke off: the server writes words ahead of audio.
    pub fn spoken_text(&self, audio_ms: u32) -> &str {
        let chars = u64::from(audio_ms) * Self::CHARS_PER_SECOND / 1_000;
        whole_words(&self.text, chars as usize)
    }

    /// The words that fit into the first `heard_ms` of `audio_ms`, for the record of the conversation.
    pub fn heard_text(&self, heard_ms: u32, audio_ms: u32) -> &str {
        if heard_ms >= audio_ms {
            return &self.text;
        }
        let chars = self.text.chars().count() as u64 * u64::from(heard_ms) / u64::from(audio_ms.max(1));
        whole_words(&self.text, chars as usize)
    }
}

/// As many words as fit into so many characters.
fn whole_words(text: &str, chars: usize) -> &str {
    let Some((cut, next)) = text.char_indices().nth(chars) else { return text };
    if next == ' ' { &text[..cut] } else { text[..cut].rsplit_once(' ').map_or("", |(words, _)| words) }
}

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
        let index = match self.spoken.iter().rposition(|spoken| spoken.item_id == item_id) {
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
    /// The words that fit into the first `heard_ms` of `audio_ms`, for the record of the conversation.
    pub fn heard_text(&self, heard_ms: u32, audio_ms: u32) -> &str {
        if heard_ms >= audio_ms {
            return &self.text;
        }
        let chars = self.text.chars().count() as u64 * u64::from(heard_ms) / u64::from(audio_ms.max(1));
        let Some((cut, _)) = self.text.char_indices().nth(chars as usize) else { return &self.text };
        self.text[..cut].rsplit_once(' ').map_or("", |(whole_words, _)| whole_words)
    }
}

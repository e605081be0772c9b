//! Who said what, as far as it was really heard.

use super::Utterance;
use crate::journal::Fact;
use crate::pump::Heard;

/// Numbers the turns of both sides, and puts the voice's words and the playout together.
///
/// A model sends the words of an utterance before, with or after its audio; the turn is written once both the
/// playout is over and the words are known.
#[derive(Debug, Default)]
pub(super) struct Turns {
    last: u32,
    remote_spoke: bool,
    utterances: Vec<Spoken>,
}

#[derive(Debug)]
struct Spoken {
    utterance: Utterance,
    text: Option<String>,
    started_ms: Option<u32>,
    over: Option<Over>,
}

#[derive(Clone, Copy, Debug)]
struct Over {
    ended_ms: u32,
    heard_ms: u32,
    interrupted: bool,
}

impl Turns {
    /// About how fast the voices speak; used only to guess how much of an interrupted sentence was heard.
    const CHARS_PER_SECOND: u32 = 15;

    fn next(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// The number of a turn of the remote.
    pub fn remote(&mut self) -> u32 {
        self.remote_spoke = true;
        self.next()
    }

    pub fn remote_spoke(&self) -> bool {
        self.remote_spoke
    }

    pub fn last(&self) -> u32 {
        self.last
    }

    pub fn started(&mut self, utterance: Utterance, at_ms: u32) {
        self.entry(utterance).started_ms.get_or_insert(at_ms);
    }

    pub fn text(&mut self, utterance: Utterance, text: String) -> Option<Fact> {
        self.entry(utterance).text = Some(text);
        self.complete(utterance)
    }

    pub fn finished(&mut self, heard: Heard, at_ms: u32, interrupted: bool) -> Option<Fact> {
        let over = Over { ended_ms: at_ms, heard_ms: heard.heard_ms, interrupted };
        self.entry(heard.utterance).over.get_or_insert(over);
        self.complete(heard.utterance)
    }

    /// The turns that were still open when the call ended: what was playing counts as interrupted.
    pub fn flush(&mut self, at_ms: u32) -> Vec<Fact> {
        let open = std::mem::take(&mut self.utterances);
        let spoken = open.into_iter().filter_map(|mut spoken| {
            let started_ms = spoken.started_ms?;
            let heard_ms = at_ms.saturating_sub(started_ms);
            spoken.over.get_or_insert(Over { ended_ms: at_ms, heard_ms, interrupted: true });
            Some(spoken)
        });
        spoken.collect::<Vec<_>>().into_iter().filter_map(|spoken| self.write(spoken)).collect()
    }

    fn entry(&mut self, utterance: Utterance) -> &mut Spoken {
        let index = match self.utterances.iter().position(|spoken| spoken.utterance == utterance) {
            Some(index) => index,
            None => {
                self.utterances.push(Spoken { utterance, text: None, started_ms: None, over: None });
                self.utterances.len() - 1
            }
        };
        &mut self.utterances[index]
    }

    fn complete(&mut self, utterance: Utterance) -> Option<Fact> {
        let index = self.utterances.iter().position(|spoken| spoken.utterance == utterance)?;
        let spoken = &self.utterances[index];
        if spoken.over.is_none() || spoken.text.is_none() {
            return None;
        }
        let spoken = self.utterances.remove(index);
        self.write(spoken)
    }

    fn write(&mut self, spoken: Spoken) -> Option<Fact> {
        let over = spoken.over?;
        let text = spoken.text.unwrap_or_default();
        let text = if over.interrupted { heard_part(&text, over.heard_ms) } else { text };
        if text.is_empty() {
            return None;
        }
        let turn = self.next();
        let started_ms = spoken.started_ms.unwrap_or(over.ended_ms);
        Some(Fact::VoiceSaid {
            turn,
            started_ms,
            ended_ms: over.ended_ms,
            text,
            interrupted: over.interrupted,
        })
    }
}

/// The words that fit into `heard_ms` at the usual pace; whole words only.
fn heard_part(text: &str, heard_ms: u32) -> String {
    let chars = (u64::from(heard_ms) * u64::from(Turns::CHARS_PER_SECOND) / 1_000) as usize;
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((cut, _)) => {
            let words = &text[..cut];
            let whole = if text[cut..].starts_with(' ') {
                words
            } else {
                words.rsplit_once(' ').map_or("", |(head, _)| head)
            };
            whole.trim_end().to_owned()
        }
    }
}

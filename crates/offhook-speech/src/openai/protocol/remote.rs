//! What the remote says: audio on its way to the server, and turns on their way back.

use std::collections::VecDeque;
use std::time::Duration;

use offhook_core::Frame;
use offhook_core::audio::AudioFormat;

/// The remote's side of the conversation.
#[derive(Debug)]
pub(super) struct Remote {
    format: AudioFormat,
    /// What the socket has not taken yet: always the latest that was heard.
    backlog: Vec<u8>,
    heard_bytes: u64,
    sent_bytes: u64,
    dropped_bytes: u64,
    /// Where the server's count of milliseconds and ours part, oldest first.
    gaps: VecDeque<Gap>,
    turns: VecDeque<Turn>,
    pub speaking: bool,
}

/// From `server_ms` on, ours is `ahead_ms` more.
#[derive(Clone, Copy, Debug)]
struct Gap {
    server_ms: u64,
    ahead_ms: u64,
}

#[derive(Debug)]
struct Turn {
    item_id: String,
    started_ms: u32,
    ended_ms: Option<u32>,
    /// Began after the first words were ordered: an answer is owed if the server does not give one by itself.
    owed: bool,
    committed: bool,
    transcribed: bool,
}

/// When somebody spoke, from the first frame the session was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub started_ms: u32,
    pub ended_ms: u32,
}

impl Remote {
    /// How much the socket may lag, or a new connection take, before words are lost.
    pub const BACKLOG: Duration = Duration::from_secs(5);
    const TURNS: usize = 64;
    /// How much of the silence before a turn counts as part of it.
    const PADDING_MS: u64 = 500;
    const GAPS: usize = 32;

    pub fn new(format: AudioFormat) -> Self {
        Self {
            format,
            backlog: Vec::new(),
            heard_bytes: 0,
            sent_bytes: 0,
            dropped_bytes: 0,
            gaps: VecDeque::new(),
            turns: VecDeque::new(),
            speaking: false,
        }
    }

    pub fn hear(&mut self, frame: &Frame) {
        self.heard_bytes += frame.bytes().len() as u64;
        let capacity = Self::BACKLOG.as_millis() as usize * self.format.bytes_per_ms();
        let excess = (self.backlog.len() + frame.bytes().len()).saturating_sub(capacity);
        if excess > 0 {
            self.dropped_bytes += excess as u64;
            self.backlog.drain(..excess);
        }
        self.backlog.extend_from_slice(frame.bytes());
    }

    /// Time passes, but this is not for the model.
    pub fn skip(&mut self, frame: &Frame) {
        self.heard_bytes += frame.bytes().len() as u64;
        self.backlog.clear();
    }

    /// Whether there was any audio yet.
    pub fn has_heard(&self) -> bool {
        self.heard_bytes > 0
    }

    pub fn backlog(&self) -> &[u8] {
        &self.backlog
    }

    /// All of [`Self::backlog`] is on its way.
    pub fn sent(&mut self) {
        let len = self.backlog.len() as u64;
        let ahead_ms = self.ms(self.heard_bytes - len).saturating_sub(self.ms(self.sent_bytes));
        if self.gaps.back().map_or(0, |gap| gap.ahead_ms) != ahead_ms {
            if self.gaps.len() == Self::GAPS {
                self.gaps.pop_front();
            }
            self.gaps.push_back(Gap { server_ms: self.ms(self.sent_bytes), ahead_ms });
        }
        self.sent_bytes += len;
        self.backlog.clear();
    }

    pub fn dropped_frames(&self) -> u64 {
        self.dropped_bytes / self.format.frame_len() as u64
    }

    /// A new connection counts from zero, and knows of no turn. The turns whose words will never come are returned.
    pub fn disconnected(&mut self) -> Vec<Span> {
        self.sent_bytes = 0;
        self.gaps.clear();
        let now_ms = self.now_ms();
        self.speaking = false;
        let turns = std::mem::take(&mut self.turns);
        let unheard = turns.iter().filter(|turn| !turn.transcribed);
        unheard.map(|turn| turn.span(now_ms)).collect()
    }

    pub fn started(&mut self, item_id: &str, audio_start_ms: Option<u64>, owed: bool) {
        self.speaking = true;
        let started_ms = audio_start_ms.map_or(self.now_ms(), |ms| self.ours_at_start(ms));
        let turn = self.turn(item_id);
        turn.started_ms = started_ms;
        turn.owed = owed;
    }

    pub fn stopped(&mut self, item_id: &str, audio_end_ms: Option<u64>) {
        self.speaking = false;
        let ended_ms = audio_end_ms.map_or(self.now_ms(), |ms| self.ours(ms));
        self.turn(item_id).ended_ms = Some(ended_ms);
    }

    /// Whether this turn is owed an answer.
    pub fn committed(&mut self, item_id: &str) -> bool {
        let turn = self.turn(item_id);
        turn.committed = true;
        turn.owed
    }

    /// When the turn was spoken; `None` when its words came before.
    pub fn transcribed(&mut self, item_id: &str) -> Option<Span> {
        let now_ms = self.now_ms();
        let turn = self.turn(item_id);
        let first = !std::mem::replace(&mut turn.transcribed, true);
        first.then(|| turn.span(now_ms))
    }

    /// Whether words are still to come for what was said.
    pub fn awaits_words(&self) -> bool {
        self.turns.iter().any(|turn| !turn.transcribed)
    }

    /// A turn without audio never gets words.
    pub fn nothing_to_commit(&mut self) {
        self.turns.retain(|turn| turn.committed);
    }

    fn turn(&mut self, item_id: &str) -> &mut Turn {
        let index = match self.turns.iter().rposition(|turn| turn.item_id == item_id) {
            Some(index) => index,
            None => {
                if self.turns.len() == Self::TURNS {
                    self.turns.pop_front();
                }
                self.turns.push_back(Turn {
                    item_id: item_id.to_owned(),
                    started_ms: self.now_ms(),
                    ended_ms: None,
                    owed: false,
                    committed: false,
                    transcribed: false,
                });
                self.turns.len() - 1
            }
        };
        &mut self.turns[index]
    }

    fn now_ms(&self) -> u32 {
        saturate(self.ms(self.heard_bytes))
    }

    fn ms(&self, bytes: u64) -> u64 {
        bytes / self.format.bytes_per_ms() as u64
    }

    /// A turn is said to start a little before its first sound. No turn goes on over a gap: that little is not before it.
    fn ours_at_start(&self, server_ms: u64) -> u32 {
        let gap = self.gaps.iter().rev().find(|gap| gap.server_ms <= server_ms + Self::PADDING_MS);
        self.ours(gap.map_or(server_ms, |gap| gap.server_ms.max(server_ms)))
    }

    fn ours(&self, server_ms: u64) -> u32 {
        let gap = self.gaps.iter().rev().find(|gap| gap.server_ms <= server_ms);
        saturate(server_ms.saturating_add(gap.map_or(0, |gap| gap.ahead_ms)))
    }
}

impl Turn {
    fn span(&self, now_ms: u32) -> Span {
        let ended_ms = self.ended_ms.unwrap_or(now_ms);
        Span { started_ms: self.started_ms.min(ended_ms), ended_ms }
    }
}

fn saturate(ms: u64) -> u32 {
    u32::try_from(ms).unwrap_or(u32::MAX)
}

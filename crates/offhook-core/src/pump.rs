//! Bursts of model audio in, one frame every 20 ms out, and a ledger of what the remote really heard.
//!
//! Models speak faster than real time; a leg wants a frame every 20 ms. The pump holds what is not yet played, so
//! that a barge-in can drop it, and knows to the byte how much of each utterance went out.

use std::collections::VecDeque;
use std::time::Duration;

use crate::audio::{AudioFormat, Frame};
use crate::call::Utterance;

/// The playout queue of one leg, in the leg's own format.
#[derive(Debug)]
pub struct Pump {
    format: AudioFormat,
    queue: VecDeque<Item>,
    queued_bytes: usize,
    events: VecDeque<PumpEvent>,
    /// The utterance that is playing, or played last, and how much of it did.
    playing: Option<Playing>,
    /// Utterances up to here were cut off or finished: audio of theirs that still arrives is dropped.
    closed: Option<Utterance>,
    /// Utterances up to here were said to be complete.
    ended: Option<Utterance>,
    overflow_bytes: u64,
}

#[derive(Debug)]
enum Item {
    Audio { utterance: Utterance, bytes: Vec<u8>, played: usize },
    End(Utterance),
}

#[derive(Clone, Copy, Debug)]
struct Playing {
    utterance: Utterance,
    bytes: usize,
}

/// What became of an utterance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PumpEvent {
    /// Its first frame goes out.
    Started(Utterance),
    /// Its last frame went out, and no more will come.
    Finished(Heard),
}

/// How much of an utterance the remote heard, of how much there was of it by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub utterance: Utterance,
    pub heard_ms: u32,
    pub of_ms: u32,
}

impl Heard {
    /// The words that were heard, where `text` is what `of_ms` of audio say: in proportion, and whole words only.
    pub fn words<'a>(&self, text: &'a str) -> &'a str {
        if self.heard_ms >= self.of_ms {
            return if self.heard_ms == 0 { "" } else { text };
        }
        let chars = text.chars().count() as u64 * u64::from(self.heard_ms) / u64::from(self.of_ms);
        let Some((cut, next)) = text.char_indices().nth(chars as usize) else { return text };
        let head = &text[..cut];
        if next.is_whitespace() || !text.contains(char::is_whitespace) {
            return head.trim_end();
        }
        head.rfind(char::is_whitespace).map_or("", |end| head[..end].trim_end())
    }
}

impl Pump {
    /// Far more than a model says in one turn. Past it the oldest audio is dropped and counted.
    pub const CAPACITY: Duration = Duration::from_secs(300);

    pub fn new(format: AudioFormat) -> Self {
        Self {
            format,
            queue: VecDeque::new(),
            queued_bytes: 0,
            events: VecDeque::new(),
            playing: None,
            closed: None,
            ended: None,
            overflow_bytes: 0,
        }
    }

    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// An empty pump in another format, in which what was cut off stays cut off.
    pub fn renewed(&self, format: AudioFormat) -> Self {
        Self { closed: self.closed, ended: self.ended, ..Self::new(format) }
    }

    /// Queue audio of an utterance, in the leg's format. Utterances come in ascending order.
    pub fn push(&mut self, utterance: Utterance, bytes: Vec<u8>) {
        if bytes.is_empty() || self.is_complete(utterance) {
            return;
        }
        self.queued_bytes += bytes.len();
        self.queue.push_back(Item::Audio { utterance, bytes, played: 0 });
        self.drop_overflow();
    }

    /// No more audio of this utterance will come.
    pub fn end(&mut self, utterance: Utterance) {
        if !self.is_complete(utterance) {
            self.ended = Some(utterance);
            self.queue.push_back(Item::End(utterance));
            self.pass_ends();
        }
    }

    /// The next 20 ms, padded with silence where speech ends; `None` when there is nothing to say.
    pub fn pull(&mut self) -> Option<Frame> {
        if self.queued_bytes == 0 {
            return None;
        }
        let mut frame = Frame::silence(self.format);
        let room = frame.bytes_mut();
        let mut filled = 0;
        while filled < room.len() {
            let Some(Item::Audio { utterance, bytes, played }) = self.queue.front_mut() else { break };
            let utterance = *utterance;
            let rest = &bytes[*played..];
            let take = rest.len().min(room.len() - filled);
            room[filled..filled + take].copy_from_slice(&rest[..take]);
            *played += take;
            let used_up = *played == bytes.len();
            filled += take;
            self.queued_bytes -= take;
            self.count_heard(utterance, take);
            if used_up {
                self.queue.pop_front();
                self.pass_ends();
            }
        }
        Some(frame)
    }

    /// What happened since the last call, in order.
    pub fn poll(&mut self) -> Option<PumpEvent> {
        self.events.pop_front()
    }

    /// Whether all that was pushed has gone out.
    pub fn is_idle(&self) -> bool {
        self.queued_bytes == 0
    }

    /// How long the rest takes to play.
    pub fn queued(&self) -> Duration {
        self.format.duration_of(self.queued_bytes)
    }

    /// Drop everything that has not gone out. `Some` when that cut an utterance off: how much of it was heard, and of
    /// how much that had been handed over.
    ///
    /// Audio of dropped utterances that is still under way from the model will be ignored.
    pub fn barge_in(&mut self) -> Option<Heard> {
        let current = match (self.queue.front(), &self.playing) {
            (Some(Item::Audio { utterance, .. } | Item::End(utterance)), _) => *utterance,
            // Between two bursts of one utterance: nothing waits, but it is not over.
            (None, Some(playing)) if !self.is_closed(playing.utterance) => playing.utterance,
            (None, _) => return None,
        };
        let last = self.queue.back().map_or(current, |item| match item {
            Item::Audio { utterance, .. } | Item::End(utterance) => *utterance,
        });
        let heard = self.heard(current, self.queued_of(current));
        self.queue.clear();
        self.queued_bytes = 0;
        self.closed = self.closed.max(Some(last));
        Some(heard)
    }

    /// Audio lost because the queue was full.
    pub fn overflow(&self) -> Duration {
        self.format.duration_of(self.overflow_bytes as usize)
    }

    fn is_closed(&self, utterance: Utterance) -> bool {
        self.closed.is_some_and(|closed| utterance <= closed)
    }

    /// Whether nothing of it can be added any more.
    fn is_complete(&self, utterance: Utterance) -> bool {
        self.is_closed(utterance) || self.ended.is_some_and(|ended| utterance <= ended)
    }

    fn heard(&self, utterance: Utterance, unheard_bytes: usize) -> Heard {
        let bytes =
            self.playing.filter(|playing| playing.utterance == utterance).map_or(0, |playing| playing.bytes);
        let ms = |bytes: usize| (bytes / self.format.bytes_per_ms()) as u32;
        Heard { utterance, heard_ms: ms(bytes), of_ms: ms(bytes + unheard_bytes) }
    }

    fn queued_of(&self, wanted: Utterance) -> usize {
        let queued = self.queue.iter().map(|item| match item {
            Item::Audio { utterance, bytes, played } if *utterance == wanted => bytes.len() - played,
            Item::Audio { .. } | Item::End(_) => 0,
        });
        queued.sum()
    }

    fn count_heard(&mut self, utterance: Utterance, bytes: usize) {
        match &mut self.playing {
            Some(playing) if playing.utterance == utterance => playing.bytes += bytes,
            _ => {
                self.finish_playing_before(utterance);
                self.playing = Some(Playing { utterance, bytes });
                self.events.push_back(PumpEvent::Started(utterance));
            }
        }
    }

    /// Where the next utterance begins, the one before is over, even if nobody said so.
    fn finish_playing_before(&mut self, next: Utterance) {
        let open =
            self.playing.filter(|playing| playing.utterance < next && !self.is_closed(playing.utterance));
        if let Some(Playing { utterance, .. }) = open {
            self.closed = Some(utterance);
            self.events.push_back(PumpEvent::Finished(self.heard(utterance, 0)));
        }
    }

    /// Report the utterances whose end has reached the head of the queue.
    fn pass_ends(&mut self) {
        while let Some(Item::End(utterance)) = self.queue.front() {
            let utterance = *utterance;
            self.queue.pop_front();
            self.closed = self.closed.max(Some(utterance));
            let heard = self.heard(utterance, 0);
            self.events.push_back(PumpEvent::Finished(heard));
        }
    }

    fn drop_overflow(&mut self) {
        let capacity = Self::CAPACITY.as_millis() as usize * self.format.bytes_per_ms();
        while self.queued_bytes > capacity {
            let Some(Item::Audio { bytes, played, .. }) = self.queue.front_mut() else { break };
            let dropped = (bytes.len() - *played).min(self.queued_bytes - capacity);
            *played += dropped;
            let used_up = *played == bytes.len();
            self.queued_bytes -= dropped;
            self.overflow_bytes += dropped as u64;
            if used_up {
                self.queue.pop_front();
                self.pass_ends();
            }
        }
    }
}

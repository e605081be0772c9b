//! What the remote's audio sounds like to somebody who waits on hold, and who is not to miss the person who comes back.
//!
//! [`HoldListener`] hears every frame of a call. While people talk it looks for what a hold sounds like: music, silence
//! that goes on, an announcement that was played before. That has to cost next to nothing, so it goes by levels alone
//! and takes a closer look only at sound that goes on as no speech does. On hold it looks for a person, and takes as
//! close a look as it needs to: nobody else is listening then.
//!
//! Limits, on purpose: it knows no words. Singing, or an announcement it hears for the first time, is taken for a
//! person: the voice has a look, goes on waiting, and the listener knows better from then on. Single tones, such as the
//! beeps that say "still holding", are neither music nor a person.

mod bands;
mod closely;
mod evidence;
mod memory;

use std::fmt;

use super::tone::Floor;
use bands::Bands;
use closely::{Closely, Kind};
use evidence::Evidence;
use memory::Memory;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldSound {
    Music,
    LongSilence,
    /// The same announcement as before.
    Announcement,
    /// A person speaks, since this long.
    Person {
        since_ms: u32,
    },
}

/// Samples of one look: 20 ms at 8 kHz.
const HOP: usize = 160;
const HOP_MS: u32 = 20;

const fn hops(ms: u32) -> u32 {
    ms / HOP_MS
}

/// Listens to a stream of samples at 8 kHz.
#[derive(Default)]
pub struct HoldListener {
    partial: Vec<i16>,
    floor: Floor,
    memory: Memory,
    mode: Mode,
    /// Only while there is something to look at closely.
    closely: Option<Box<Closely>>,
    evidence: Evidence,
    /// Hops since a person was told of.
    since_person: Option<u32>,
}

enum Mode {
    Talking(Talking),
    Held(Held),
}

impl Default for Mode {
    fn default() -> Self {
        Self::Talking(Talking::default())
    }
}

/// What levels say about the sound of a conversation. All counts are hops.
#[derive(Default)]
struct Talking {
    /// Of sound, with pauses no longer than speech has between two words.
    sounding: u32,
    silent: u32,
    /// How much of the time it is much softer than mostly, as speech is between two syllables.
    dipping: f32,
    mostly_dbfs: f32,
    /// What a closer look found.
    found: Found,
}

#[derive(Default)]
struct Found {
    looks: u32,
    tones: u32,
    notes: u32,
    others: u32,
}

#[derive(Default)]
struct Held {
    silent: u32,
    /// Since the last longer silence, and how much of it was sound.
    stretch: u32,
    /// Whoever was speaking when the hold began is nobody who comes back.
    last_words: Option<LastWords>,
    /// Since there is enough to say that it is a person, if not an announcement.
    deciding: u32,
    /// Since an announcement was recognised last.
    since_announcement: Option<u32>,
}

#[derive(Default)]
struct LastWords {
    hops: u32,
    /// Of these at the end without a voice.
    calm: u32,
}

impl LastWords {
    const OVER: u32 = hops(400);
    const LONGEST: u32 = hops(4_000);

    fn are_over(&mut self, calm: bool) -> bool {
        self.hops += 1;
        self.calm = if calm { self.calm + 1 } else { 0 };
        self.calm >= Self::OVER || self.hops >= Self::LONGEST
    }
}

impl Talking {
    /// A pause between words, rather than between syllables.
    const PAUSE: u32 = hops(200);
    const OVER: u32 = hops(500);
    /// How long a sound must go on before a closer look.
    const SUSPICIOUS: u32 = hops(2_000);
    const FEW_DIPS: f32 = 0.2;
    const LONG_SILENCE: u32 = hops(10_000);

    fn hear(&mut self, silent: bool, level_dbfs: f32) {
        let is_dip = silent || level_dbfs < self.mostly_dbfs - 12.0;
        self.dipping += 0.02 * (f32::from(u8::from(is_dip)) - self.dipping);
        if silent {
            self.silent = self.silent.saturating_add(1);
            if self.silent >= Self::PAUSE {
                self.sounding = 0;
            }
            return;
        }
        let weight = if self.sounding == 0 { 1.0 } else { 0.05 };
        self.mostly_dbfs += weight * (level_dbfs - self.mostly_dbfs);
        self.silent = 0;
        self.sounding = self.sounding.saturating_add(1);
    }
}

impl Found {
    /// Of the sound, before it is judged.
    const ENOUGH: u32 = hops(3_000);

    /// Whether it is music, once that can be told: notes that are held, and do change. Tones and hum don't, speech does nothing else.
    fn add(&mut self, kind: Kind) -> Option<bool> {
        self.looks += 1;
        match kind {
            Kind::Silence => {}
            Kind::Tone => self.tones += 1,
            Kind::Note => self.notes += 1,
            Kind::Other => self.others += 1,
        }
        if self.looks < Self::ENOUGH {
            return None;
        }
        let Self { looks, tones, notes, others } = std::mem::take(self);
        Some(notes + tones > looks / 2 && notes > looks / 5 && others > looks / 50)
    }
}

impl Held {
    /// Longer than the pause between two words of a sentence.
    const OVER: u32 = hops(300);
    /// A stretch that is younger than this began with who speaks.
    const FRESH: u32 = hops(1_600);
    /// Of a person, who is kept waiting no longer.
    const DECIDE: u32 = hops(1_000);
    /// Pauses within one announcement are shorter.
    const APART: u32 = hops(3_000);
}

impl HoldListener {
    /// What is told of a person is never longer ago than this: keep as much audio, and their first word is not lost.
    pub const LOOKS_BACK_MS: u32 = 2_000;
    /// The first sound of a word is too soft to be seen, and turn detection needs to hear the silence before it.
    const LEAD_IN_MS: u32 = 400;
    /// A hold that goes on this soon after a person was told of: it was none.
    const MISTAKEN: u32 = hops(30_000);

    pub fn new() -> Self {
        Self::default()
    }

    /// From now on we are on hold: listen for a person.
    pub fn hold(&mut self) {
        if self.is_held() {
            return;
        }
        let Mode::Talking(talking) = &self.mode else { return };
        let last_words = (talking.sounding > 0 && self.closely.is_none()).then(LastWords::default);
        let mistaken = self.since_person.take().is_some_and(|hops| hops < Self::MISTAKEN);
        self.evidence.begin(mistaken);
        self.memory.close();
        self.closely.get_or_insert_default();
        self.mode = Mode::Held(Held { last_words, ..Held::default() });
    }

    /// The hold is over, whoever said so.
    pub fn resume(&mut self) {
        if self.is_held() {
            self.closely = None;
            self.mode = Mode::default();
        }
    }

    pub fn is_held(&self) -> bool {
        matches!(self.mode, Mode::Held(_))
    }

    /// What these samples complete. Pieces may have any length; of two sounds in one piece the later is told.
    pub fn push(&mut self, samples: &[i16]) -> Option<HoldSound> {
        let mut heard = None;
        let mut rest = samples;
        if !self.partial.is_empty() {
            let (piece, later) = rest.split_at(rest.len().min(HOP - self.partial.len()));
            self.partial.extend_from_slice(piece);
            rest = later;
            let Ok(hop) = <[i16; HOP]>::try_from(self.partial.as_slice()) else { return None };
            self.partial.clear();
            heard = self.look(&hop);
        }
        let (whole, rest) = rest.as_chunks::<HOP>();
        for hop in whole {
            heard = self.look(hop).or(heard);
        }
        self.partial.extend_from_slice(rest);
        heard
    }

    fn look(&mut self, hop: &[i16; HOP]) -> Option<HoldSound> {
        let bands = Bands::of(hop);
        let level_dbfs = bands.level_dbfs();
        self.floor.follow(level_dbfs);
        let silent = self.floor.is_silent(level_dbfs);
        self.since_person = self.since_person.map(|hops| hops.saturating_add(1));
        let begun = self.memory.hear(&bands, silent, !self.is_held());
        match &mut self.mode {
            Mode::Talking(talking) => {
                talking.hear(silent, level_dbfs);
                self.look_for_hold(hop)
                    .or((begun && self.memory.began_before()).then_some(HoldSound::Announcement))
            }
            Mode::Held(_) => self.look_for_person(hop, silent),
        }
    }

    fn look_for_hold(&mut self, hop: &[i16; HOP]) -> Option<HoldSound> {
        let Mode::Talking(talking) = &mut self.mode else { return None };
        if talking.silent == Talking::LONG_SILENCE {
            return Some(HoldSound::LongSilence);
        }
        if talking.silent >= Talking::OVER {
            self.closely = None;
            talking.found = Found::default();
        } else if talking.sounding >= Talking::SUSPICIOUS && talking.dipping < Talking::FEW_DIPS {
            self.closely.get_or_insert_default();
        }
        let kind = self.closely.as_mut()?.look(hop, talking.silent > 0);
        let is_music = talking.found.add(kind)?;
        if !is_music {
            // Nothing to see: whoever talks so much may do so for minutes.
            self.closely = None;
            talking.sounding = 0;
        }
        is_music.then_some(HoldSound::Music)
    }

    fn look_for_person(&mut self, hop: &[i16; HOP], silent: bool) -> Option<HoldSound> {
        let Mode::Held(held) = &mut self.mode else { return None };
        let kind = self.closely.get_or_insert_default().look(hop, silent);
        held.since_announcement = held.since_announcement.map(|hops| hops.saturating_add(1));
        held.silent = if silent { held.silent.saturating_add(1) } else { 0 };
        held.stretch = if held.silent > Held::OVER { 0 } else { held.stretch.saturating_add(1) };
        self.evidence.hear(kind);
        if let Some(last_words) = &mut held.last_words {
            if last_words.are_over(silent || self.evidence.is_none()) {
                held.last_words = None;
                self.evidence.settle();
            }
            return None;
        }
        let over = held.silent >= Held::OVER;
        if !self.evidence.is_enough(over) && held.deciding == 0 {
            return None;
        }
        let since = if held.stretch <= Held::FRESH { held.stretch } else { self.evidence.since() };
        held.deciding += 1;
        let still = self.evidence.is_suspected();
        let can_tell = self.memory.can_tell() && (still || since > Memory::SPAN + held.silent);
        if self.memory.knows_any() && !can_tell && !over && held.deciding < Held::DECIDE {
            // It may be an announcement: that takes a little more of it to tell.
            return None;
        }
        held.deciding = 0;
        self.evidence.settle();
        if can_tell && self.memory.was_heard_before(still) {
            self.evidence.suspect();
            let before = held.since_announcement.replace(0);
            return before.is_none_or(|hops| hops > Held::APART).then_some(HoldSound::Announcement);
        }
        self.memory.keep(since);
        self.since_person = Some(0);
        // Where the announcement ended and the person began can't be told.
        let since_ms = if still { Self::LOOKS_BACK_MS } else { since * HOP_MS + Self::LEAD_IN_MS };
        let since_ms = since_ms.min(Self::LOOKS_BACK_MS);
        Some(HoldSound::Person { since_ms })
    }
}

impl fmt::Debug for HoldListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HoldListener({})", if self.is_held() { "on hold" } else { "talking" })
    }
}

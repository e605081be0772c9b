//! Whether what is heard on hold is a person, weighed look by look (Wald's sequential test).
//!
//! Music holds its notes from one look to the next, a voice glides. How well this hold's music does is learned while it
//! plays. A voice also pauses between its words, and falls silent when it has asked whether anybody is there.

use super::closely::Kind;

#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    weight: f32,
    /// How much of it was there to begin with.
    suspicion: f32,
    /// Hops since there was none.
    since: u32,
    silent: u32,
    /// How often this hold's sound holds its notes.
    music_holds: f32,
    /// The same of the last second.
    lately_holds: f32,
    /// More must be heard than by default: it was mistaken before.
    wary: f32,
}

impl Default for Evidence {
    fn default() -> Self {
        let music_holds = Self::MUSIC_HOLDS;
        Self {
            weight: 0.0,
            suspicion: 0.0,
            since: 0,
            silent: 0,
            music_holds,
            lately_holds: music_holds,
            wary: 0.0,
        }
    }
}

impl Evidence {
    const ENOUGH: f32 = 20.0;
    /// Of something that has fallen silent again.
    const ENOUGH_AND_OVER: f32 = 5.0;
    /// How often a voice sounds as it did a moment ago.
    const VOICE_HOLDS: f32 = 0.15;
    /// What is expected of music before any was heard, and the least and most that are believed of it.
    const MUSIC_HOLDS: f32 = 0.8;
    const BELIEVED: (f32, f32) = (0.4, 0.95);
    /// Of a voice, between two words.
    const SHORT_PAUSE: u32 = 10;

    /// A hold begins; `mistaken` when it never ended.
    pub fn begin(&mut self, mistaken: bool) {
        self.settle();
        self.silent = 0;
        if mistaken {
            self.wary = (self.wary + 2.0).min(4.0);
            self.music_holds = self.music_holds.min((self.music_holds + self.lately_holds) / 2.0);
        }
    }

    pub fn hear(&mut self, kind: Kind) {
        let (low, high) = Self::BELIEVED;
        let holds = self.music_holds.clamp(low, high);
        self.silent = if kind == Kind::Silence { self.silent.saturating_add(1) } else { 0 };
        self.weight += match kind {
            Kind::Silence if self.silent <= Self::SHORT_PAUSE && self.weight > 0.0 => 0.2,
            Kind::Silence => -0.1,
            Kind::Note | Kind::Tone => (Self::VOICE_HOLDS / holds).ln(),
            Kind::Other => ((1.0 - Self::VOICE_HOLDS) / (1.0 - holds)).ln().min(1.0),
        };
        self.weight = self.weight.max(0.0);
        if self.weight == 0.0 {
            self.suspicion = 0.0;
        }
        self.since = if self.weight > 0.0 { self.since.saturating_add(1) } else { 0 };
        if kind != Kind::Silence {
            let note = f32::from(u8::from(kind != Kind::Other));
            self.lately_holds += 0.02 * (note - self.lately_holds);
            if self.weight < Self::ENOUGH / 3.0 {
                self.music_holds += 0.004 * (note - self.music_holds);
            }
        }
    }

    pub fn is_none(&self) -> bool {
        self.weight == 0.0
    }

    /// Enough to say that it is a person, who is silent again where it is `over`.
    pub fn is_enough(&self, over: bool) -> bool {
        self.weight >= Self::ENOUGH + self.wary
            || (over && self.weight >= Self::ENOUGH_AND_OVER + self.suspicion)
    }

    /// How long it has been gathering, in hops.
    pub fn since(&self) -> u32 {
        self.since
    }

    /// Somebody speaks, and does so on a tape: look again soon whether it still is one.
    pub fn suspect(&mut self) {
        self.weight = Self::ENOUGH / 2.0;
        self.suspicion = self.weight;
    }

    /// Whether what speaks was on a tape a moment ago.
    pub fn is_suspected(&self) -> bool {
        self.suspicion > 0.0
    }

    /// It was weighed: begin anew.
    pub fn settle(&mut self) {
        (self.weight, self.suspicion, self.since) = (0.0, 0.0, 0);
    }
}

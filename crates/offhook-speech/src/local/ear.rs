//! When the remote speaks, when a turn of theirs is over, and what of the audio belongs to it.

use std::collections::VecDeque;

use super::vad::{BLOCK, Sound, Vad};

/// Milliseconds of a block.
const BLOCK_MS: u32 = 20;

#[derive(Clone, Debug, PartialEq)]
pub enum EarEvent {
    SpeechStarted,
    SpeechStopped,
    /// A turn, or as much of it as is recognized at once.
    Turn(HeardTurn),
    /// Something other than speech has been audible for a while, as music on hold.
    Music,
}

/// The audio of a turn; times are from the first sample heard.
#[derive(Clone, Debug, PartialEq)]
pub struct HeardTurn {
    pub samples: Vec<i16>,
    pub started_ms: u32,
    pub ended_ms: u32,
}

#[derive(Debug)]
pub struct Ear {
    vad: Vad,
    pause_blocks: u32,
    /// What has come of the next block.
    partial: Vec<i16>,
    blocks: u32,
    /// Bit per block, latest first: was it speech?
    recent: u32,
    /// Audio just before speech is noticed, so that its first sound is not lost.
    lead_in: VecDeque<i16>,
    turn: Option<Turn>,
    other_blocks: u32,
    events: VecDeque<EarEvent>,
}

#[derive(Debug)]
struct Turn {
    samples: Vec<i16>,
    started_block: u32,
    last_speech_block: u32,
}

impl Ear {
    /// Speech begins with this many blocks of speech of the last [`Self::LOOK_BACK`]: a click is not a word.
    const ONSET: u32 = 8;
    const LOOK_BACK: u32 = 11;
    const LEAD_IN: usize = 20 * BLOCK;
    /// How much of the pause after a turn still goes to the recognizer.
    const TAIL_BLOCKS: u32 = 20;
    /// A longer turn is recognized in pieces of this length.
    const MAX_BLOCKS: u32 = 750;
    /// Three seconds of music.
    const MUSIC_BLOCKS: u32 = 150;

    pub fn new(vad: Vad, turn_end_ms: u32) -> Self {
        Self {
            vad,
            pause_blocks: (turn_end_ms / BLOCK_MS).max(1),
            partial: Vec::with_capacity(BLOCK * 2),
            blocks: 0,
            recent: 0,
            lead_in: VecDeque::with_capacity(Self::LEAD_IN + BLOCK),
            turn: None,
            other_blocks: 0,
            events: VecDeque::new(),
        }
    }

    pub fn is_speech(&self) -> bool {
        self.turn.is_some()
    }

    pub fn poll(&mut self) -> Option<EarEvent> {
        self.events.pop_front()
    }

    /// The next of the remote's audio, 8 kHz.
    pub fn push(&mut self, samples: &[i16]) {
        self.partial.extend_from_slice(samples);
        let mut partial = std::mem::take(&mut self.partial);
        let (blocks, rest) = partial.as_chunks::<BLOCK>();
        for block in blocks {
            self.push_block(block);
        }
        let used = partial.len() - rest.len();
        partial.drain(..used);
        self.partial = partial;
    }

    /// Time passes without anybody listening.
    pub fn skip(&mut self, samples: &[i16]) {
        self.blocks += (samples.len() / BLOCK) as u32;
        self.forget();
    }

    /// There will be no more audio: the turn that was under way is over.
    pub fn finish(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.turn_over(turn);
            self.events.push_back(EarEvent::SpeechStopped);
        }
    }

    /// Drop what was under way.
    pub fn forget(&mut self) {
        self.lead_in.clear();
        self.recent = 0;
        self.other_blocks = 0;
        if self.turn.take().is_some() {
            self.events.push_back(EarEvent::SpeechStopped);
        }
    }

    fn push_block(&mut self, block: &[i16; BLOCK]) {
        let sound = self.vad.push(block);
        self.blocks += 1;
        self.recent = (self.recent << 1) | u32::from(sound == Sound::Speech);
        match self.turn.take() {
            Some(turn) => self.go_on(turn, block, sound),
            None => self.listen(block, sound),
        }
        self.notice_music(sound);
    }

    fn listen(&mut self, block: &[i16; BLOCK], sound: Sound) {
        self.lead_in.extend(block);
        let excess = self.lead_in.len().saturating_sub(Self::LEAD_IN);
        self.lead_in.drain(..excess);
        let look_back = (1 << Self::LOOK_BACK) - 1;
        if sound == Sound::Speech && (self.recent & look_back).count_ones() >= Self::ONSET {
            self.turn = Some(Turn {
                samples: self.lead_in.drain(..).collect(),
                started_block: self.blocks.saturating_sub(Self::LOOK_BACK),
                last_speech_block: self.blocks,
            });
            self.events.push_back(EarEvent::SpeechStarted);
        }
    }

    fn go_on(&mut self, mut turn: Turn, block: &[i16; BLOCK], sound: Sound) {
        turn.samples.extend_from_slice(block);
        if sound == Sound::Speech {
            turn.last_speech_block = self.blocks;
        }
        if self.blocks - turn.last_speech_block >= self.pause_blocks {
            self.turn_over(turn);
            self.events.push_back(EarEvent::SpeechStopped);
        } else if self.blocks - turn.started_block >= Self::MAX_BLOCKS {
            self.turn_over(turn);
            self.turn = Some(Turn {
                samples: Vec::new(),
                started_block: self.blocks,
                last_speech_block: self.blocks,
            });
        } else {
            self.turn = Some(turn);
        }
    }

    fn turn_over(&mut self, mut turn: Turn) {
        let pause = self.blocks - turn.last_speech_block;
        let surplus = pause.saturating_sub(Self::TAIL_BLOCKS) as usize * BLOCK;
        turn.samples.truncate(turn.samples.len().saturating_sub(surplus));
        self.recent = 0;
        if turn.last_speech_block == turn.started_block {
            // The piece after a cut of a long turn, in which nothing more was said.
            return;
        }
        self.events.push_back(EarEvent::Turn(HeardTurn {
            samples: turn.samples,
            started_ms: turn.started_block * BLOCK_MS,
            ended_ms: turn.last_speech_block * BLOCK_MS,
        }));
    }

    /// Speech now and then in it does not make music less of it; a silent line does.
    fn notice_music(&mut self, sound: Sound) {
        match sound {
            Sound::Other => self.other_blocks += 1,
            Sound::Speech => self.other_blocks = self.other_blocks.saturating_sub(2),
            Sound::Silence => self.other_blocks = self.other_blocks.saturating_sub(1),
        }
        if self.other_blocks == Self::MUSIC_BLOCKS {
            self.events.push_back(EarEvent::Music);
            self.other_blocks = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn sound(ms: usize, mut at: impl FnMut(f32) -> f32) -> Vec<i16> {
        (0..ms * 8).map(|n| (at(n as f32 / 8_000.0) * 32_000.0) as i16).collect()
    }

    fn tones(ms: usize, hz: &[f32]) -> Vec<i16> {
        sound(ms, |t| hz.iter().map(|hz| 0.15 * (TAU * hz * t).sin()).sum())
    }

    fn chords(ms: usize) -> Vec<i16> {
        const CHORDS: [[f32; 3]; 4] =
            [[261.6, 329.6, 392.0], [220.0, 261.6, 329.6], [174.6, 220.0, 261.6], [196.0, 246.9, 293.7]];
        sound(ms, |t| {
            let level = 0.16 * (t.fract() * 40.0).min(1.0) * (-1.2 * t.fract()).exp();
            level
                * CHORDS[t as usize % 4]
                    .iter()
                    .map(|hz| (TAU * hz * t).sin() + 0.3 * (TAU * 2.0 * hz * t).sin())
                    .sum::<f32>()
        })
    }

    fn heard(vad: Vad, samples: &[i16]) -> Vec<EarEvent> {
        let mut ear = Ear::new(vad, 700);
        for piece in samples.chunks(113) {
            ear.push(piece);
        }
        std::iter::from_fn(|| ear.poll()).collect()
    }

    #[test]
    fn what_telephones_play_is_no_speech() {
        for (what, samples) in [
            ("silence", vec![0; 16_000]),
            ("dial tone", tones(2_000, &[350.0, 440.0])),
            ("ringback", tones(2_000, &[440.0, 480.0])),
            ("beep", tones(500, &[1_000.0])),
            ("busy", [tones(500, &[480.0, 620.0]), vec![0; 4_000], tones(500, &[480.0, 620.0])].concat()),
            ("a key", tones(120, &[697.0, 1_209.0])),
        ] {
            let events = heard(Vad::speech(), &samples);
            assert!(!events.contains(&EarEvent::SpeechStarted), "{what}");
        }
    }

    #[test]
    fn music_is_noticed_and_no_speech() {
        let events = heard(Vad::speech(), &chords(6_000));
        assert_eq!(events, [EarEvent::Music]);
    }

    #[test]
    fn a_turn_ends_with_the_pause_and_keeps_its_first_sound() {
        let voice = tones(1_000, &[900.0]);
        let samples = [vec![0; 8_000], voice.clone(), vec![0; 4_000], voice, vec![0; 16_000]].concat();
        let events = heard(Vad::Energy, &samples);
        let [EarEvent::SpeechStarted, EarEvent::Turn(turn), EarEvent::SpeechStopped] = &events[..] else {
            panic!("{events:?}");
        };
        // Both words, as half a second between them is no end of a turn.
        assert!((900..=1_000).contains(&turn.started_ms), "{}", turn.started_ms);
        assert!((3_480..=3_520).contains(&turn.ended_ms), "{}", turn.ended_ms);
        assert!(turn.samples.len() > 2_500 * 8 + 2_000);
        assert!(turn.samples[..1_600].iter().all(|sample| *sample == 0), "what came before it is there");
    }

    #[test]
    fn who_does_not_stop_is_recognized_in_pieces() {
        let events = heard(Vad::Energy, &[tones(40_000, &[900.0]), vec![0; 8_000]].concat());
        let kinds: Vec<&str> = events
            .iter()
            .map(|event| match event {
                EarEvent::SpeechStarted => "started",
                EarEvent::SpeechStopped => "stopped",
                EarEvent::Turn(_) => "turn",
                EarEvent::Music => "music",
            })
            .collect();
        assert_eq!(kinds, ["started", "turn", "turn", "turn", "stopped"]);
    }

    #[test]
    fn a_click_is_no_word() {
        let samples = [vec![0; 4_000], tones(80, &[900.0]), vec![0; 8_000]].concat();
        assert_eq!(heard(Vad::Energy, &samples), []);
    }
}

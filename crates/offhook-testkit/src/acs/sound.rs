//! What the service was sent to play, and how much of it the person on the phone heard.

use std::time::{Duration, Instant};

/// Plays one piece after the other at the speed of sound, and forgets what is left of them when it is told to stop.
#[derive(Clone, Debug)]
pub struct Sound {
    rate: u32,
    pieces: Vec<Piece>,
    busy_until: Option<Instant>,
    stops: Vec<Stop>,
    most_ahead: Duration,
}

#[derive(Clone, Debug)]
struct Piece {
    arrived_at: Instant,
    starts_at: Instant,
    samples: Vec<i16>,
    /// How many of them are heard.
    heard: usize,
}

/// A `StopAudio`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub at: Instant,
    /// How much was waiting, and never heard.
    pub dropped: Duration,
}

impl Sound {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, pieces: Vec::new(), busy_until: None, stops: Vec::new(), most_ahead: Duration::ZERO }
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub(super) fn play(&mut self, arrived_at: Instant, samples: Vec<i16>) {
        let starts_at = self.busy_until.map_or(arrived_at, |until| until.max(arrived_at));
        let ends_at = starts_at + self.length(samples.len());
        self.most_ahead = self.most_ahead.max(ends_at - arrived_at);
        self.busy_until = Some(ends_at);
        let heard = samples.len();
        self.pieces.push(Piece { arrived_at, starts_at, samples, heard });
    }

    pub(super) fn stop(&mut self, at: Instant) {
        let rate = self.rate;
        let waiting = self.pieces.iter_mut().rev();
        for piece in waiting.take_while(|piece| piece.starts_at + length(rate, piece.heard) > at) {
            let played = at.saturating_duration_since(piece.starts_at);
            piece.heard = (played.as_nanos() * u128::from(rate) / 1_000_000_000) as usize;
        }
        let dropped = self.busy_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(at));
        self.busy_until = self.busy_until.map(|until| until.min(at));
        self.stops.push(Stop { at, dropped });
    }

    fn length(&self, samples: usize) -> Duration {
        length(self.rate, samples)
    }

    /// Every sample that arrived.
    pub fn received(&self) -> Vec<i16> {
        self.pieces.iter().flat_map(|piece| &piece.samples).copied().collect()
    }

    /// Every sample that was played or, when nothing stops it, will be.
    pub fn heard(&self) -> Vec<i16> {
        self.pieces.iter().flat_map(|piece| &piece.samples[..piece.heard]).copied().collect()
    }

    /// When each piece arrived, and how many samples it has.
    pub fn arrivals(&self) -> impl Iterator<Item = (Instant, usize)> {
        self.pieces.iter().map(|piece| (piece.arrived_at, piece.samples.len()))
    }

    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }

    /// How far ahead of what is heard the application ever was.
    pub fn most_ahead(&self) -> Duration {
        self.most_ahead
    }

    /// What was heard without a pause of this length, one stretch after the other.
    pub fn stretches(&self, pause: Duration) -> Vec<Vec<i16>> {
        let mut stretches: Vec<Vec<i16>> = Vec::new();
        let mut ended_at: Option<Instant> = None;
        for piece in self.pieces.iter().filter(|piece| piece.heard > 0) {
            let follows = ended_at.is_some_and(|at| piece.starts_at.saturating_duration_since(at) < pause);
            let heard = &piece.samples[..piece.heard];
            match stretches.last_mut() {
                Some(stretch) if follows => stretch.extend_from_slice(heard),
                _ => stretches.push(heard.to_vec()),
            }
            ended_at = Some(piece.starts_at + self.length(piece.heard));
        }
        stretches
    }
}

fn length(rate: u32, samples: usize) -> Duration {
    Duration::from_nanos(samples as u64 * 1_000_000_000 / u64::from(rate))
}

/// Noise as loud as a voice, the same for the same seed and like no other stretch of itself.
pub fn speech(rate: u32, ms: u32, seed: u32) -> Vec<i16> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let sample = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state as i16) / 4
    };
    (0..rate / 1_000 * ms).map(sample).collect()
}

/// Where `part` begins in `whole`, sample for sample.
pub fn finds(whole: &[i16], part: &[i16]) -> Option<usize> {
    let first = part.first()?;
    let last = whole.len().checked_sub(part.len())?;
    (0..=last).find(|at| whole[*at] == *first && whole[*at..*at + part.len()] == *part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_waits_is_forgotten_when_it_stops() {
        let start = Instant::now();
        let mut sound = Sound::new(24_000);
        let said = speech(24_000, 100, 7);
        for (number, piece) in said.chunks(480).enumerate() {
            // At twice the speed of sound.
            sound.play(start + ms(number as u64 * 10), piece.to_vec());
        }
        assert_eq!(sound.most_ahead(), ms(60));
        sound.stop(start + ms(55));
        assert_eq!(sound.heard(), said[..24 * 55]);
        assert_eq!(sound.stops(), [Stop { at: start + ms(55), dropped: ms(45) }]);
        sound.play(start + ms(70), said[..480].to_vec());
        assert_eq!(sound.received().len(), 24 * 120);
        assert_eq!(sound.stretches(ms(10)), [said[..24 * 55].to_vec(), said[..480].to_vec()]);
        assert_eq!(sound.stretches(ms(20)).len(), 1);
    }

    #[test]
    fn speech_is_like_no_other() {
        let said = speech(24_000, 1_000, 1);
        assert_eq!(finds(&said, &said[4_800..9_600]), Some(4_800));
        assert_eq!(finds(&said, &speech(24_000, 20, 2)), None);
    }
}

//! Sounds the exchange makes itself: the voicemail beep, ringback, hold music.

use std::f32::consts::TAU;
use std::sync::Arc;

const RATE: f32 = 8_000.0;

fn samples(ms: u32, mut at: impl FnMut(f32) -> f32) -> Arc<[i16]> {
    (0..ms * 8).map(|n| (at(n as f32 / RATE).clamp(-1.0, 1.0) * 32_000.0) as i16).collect()
}

/// Half a second of 1 kHz, as most voicemail systems beep.
pub fn beep() -> Arc<[i16]> {
    samples(500, |t| 0.35 * (TAU * 1_000.0 * t).sin())
}

/// A sine at -12 dBFS.
pub fn tone(hz: u16, ms: u32) -> Arc<[i16]> {
    samples(ms, |t| 0.25 * (TAU * f32::from(hz) * t).sin())
}

/// North American ringback: 440 and 480 Hz, two seconds on, four off.
pub fn ringback(ms: u32) -> Arc<[i16]> {
    samples(ms, |t| {
        if t % 6.0 >= 2.0 {
            return 0.0;
        }
        0.1 * ((TAU * 440.0 * t).sin() + (TAU * 480.0 * t).sin())
    })
}

/// Four soft chords, one a second, each struck and left to fade.
pub fn music(ms: u32) -> Arc<[i16]> {
    const CHORDS: [[f32; 3]; 4] =
        [[261.6, 329.6, 392.0], [220.0, 261.6, 329.6], [174.6, 220.0, 261.6], [196.0, 246.9, 293.7]];
    samples(ms, |t| {
        let chord = CHORDS[t as usize % CHORDS.len()];
        let struck = t.fract();
        let level = 0.16 * (struck * 40.0).min(1.0) * (-1.2 * struck).exp();
        // A weak octave makes it sound played rather than measured.
        level * chord.iter().map(|f| (TAU * f * t).sin() + 0.3 * (TAU * 2.0 * f * t).sin()).sum::<f32>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_last_as_long_as_asked_and_are_neither_silent_nor_clipped() {
        for (sound, ms) in
            [(beep(), 500), (tone(1_800, 300), 300), (ringback(1_000), 1_000), (music(4_000), 4_000)]
        {
            assert_eq!(sound.len(), ms * 8);
            let peak = sound.iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!((3_000..32_000).contains(&peak), "{peak}");
        }
    }
}

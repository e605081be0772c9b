//! How loud it is, how loud the line is by itself, and what a longer stretch sounds like.

use super::spectrum::Sound;

/// What digital silence counts as.
pub const SILENCE_DBFS: f32 = -96.0;

/// Level of some samples in dB relative to the greatest a sample can hold; a full-scale sine has -3 dBFS.
pub fn level_dbfs(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return SILENCE_DBFS;
    }
    let energy: i64 = samples.iter().map(|sample| i64::from(i32::from(*sample).pow(2))).sum();
    let power = energy as f32 / samples.len() as f32 / (32_768.0 * 32_768.0);
    (10.0 * power.max(1e-12).log10()).max(SILENCE_DBFS)
}

/// Follows the noise of the line: down at once, up by 2.5 dB a second.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    dbfs: f32,
}

impl Default for Floor {
    fn default() -> Self {
        Self { dbfs: Self::LOWEST }
    }
}

impl Floor {
    const LOWEST: f32 = -62.0;
    const HIGHEST: f32 = -42.0;
    const RISE: f32 = 0.05;
    /// Noise comes up to this over its floor.
    const MARGIN: f32 = 8.0;

    pub fn follow(&mut self, level_dbfs: f32) {
        self.dbfs = level_dbfs.min(self.dbfs + Self::RISE).clamp(Self::LOWEST, Self::HIGHEST);
    }

    pub fn is_silent(&self, level_dbfs: f32) -> bool {
        level_dbfs < self.dbfs + Self::MARGIN
    }
}

/// What some seconds of sound are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texture {
    Silence,
    Speech,
    Music,
    /// Too short to tell, or neither.
    Unsure,
}

/// Tells speech from music by what sets them apart on a telephone line: speech pauses between syllables and its
/// pitch glides; music goes on and holds its notes. Averages over about two seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listener {
    hops: u32,
    /// Share of time with sound.
    sounding: f32,
    /// Share of the sounding time that is much softer than the rest.
    dipping: f32,
    /// Share of the sounding time in which the strongest partial stays where it was.
    holding: f32,
    /// The level of the sounding time.
    level_dbfs: f32,
    partial_hz: Option<f32>,
}

impl Listener {
    const WEIGHT: f32 = 0.01;
    /// A second and a half.
    const PATIENCE: u32 = 75;

    pub(super) fn hear(&mut self, sound: Sound, level_dbfs: f32) {
        self.hops = self.hops.saturating_add(1);
        // The first averages are plain means, so that the beginning does not weigh for long.
        let weight = Self::WEIGHT.max(1.0 / self.hops as f32);
        let follow =
            |average: &mut f32, now: bool| *average += weight * (f32::from(u8::from(now)) - *average);
        let sounds = sound != Sound::Silence;
        follow(&mut self.sounding, sounds);
        if !sounds {
            follow(&mut self.dipping, true);
            self.partial_hz = None;
            return;
        }
        let is_dip = level_dbfs < self.level_dbfs - 12.0;
        follow(&mut self.dipping, is_dip);
        self.level_dbfs +=
            if self.level_dbfs == 0.0 { level_dbfs } else { weight * (level_dbfs - self.level_dbfs) };
        let partial = sound.strongest_hz();
        let holds =
            matches!((self.partial_hz, partial), (Some(a), Some(b)) if (a - b).abs() < 0.012 * a.max(b));
        follow(&mut self.holding, holds);
        self.partial_hz = partial;
    }

    pub fn texture(&self) -> Texture {
        if self.hops < Self::PATIENCE {
            Texture::Unsure
        } else if self.sounding < 0.05 {
            Texture::Silence
        } else if self.dipping < 0.12 && self.holding > 0.5 {
            Texture::Music
        } else if self.dipping > 0.12 && self.holding < 0.5 {
            Texture::Speech
        } else {
            Texture::Unsure
        }
    }
}

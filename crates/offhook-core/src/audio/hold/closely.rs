//! A close look at sound: what 20 ms of it are, by how their spectrum changes.

use super::HOP;
use crate::audio::tone::Spectrum;

/// What one look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Silence,
    /// Nothing but one or two steady tones.
    Tone,
    /// The spectrum is what it was a moment ago, as it is while a note is held.
    Note,
    /// It is not: a voice glides from sound to sound.
    Other,
}

/// The last 50 ms and the spectra before them.
pub struct Closely {
    window: [i16; Spectrum::WINDOW],
    /// Of the look before the last, and of the last.
    before: [Option<Spectrum>; 2],
}

impl Default for Closely {
    fn default() -> Self {
        Self { window: [0; Spectrum::WINDOW], before: [None, None] }
    }
}

impl Closely {
    /// In a held note spectra 40 ms apart are more alike than this, in speech one in ten is.
    const ALIKE: f32 = 0.93;

    pub fn look(&mut self, hop: &[i16; HOP], silent: bool) -> Kind {
        self.window.copy_within(HOP.., 0);
        self.window[Spectrum::WINDOW - HOP..].copy_from_slice(hop);
        let now = Spectrum::of(&self.window);
        let alike = self.before[0].as_ref().is_some_and(|before| before.likeness(&now) > Self::ALIKE);
        let tone = alike && !silent && now.is_tone();
        self.before.rotate_left(1);
        self.before[1] = Some(now);
        match (silent, tone, alike) {
            (true, ..) => Kind::Silence,
            (_, true, true) => Kind::Tone,
            (_, _, true) => Kind::Note,
            (_, _, false) => Kind::Other,
        }
    }
}

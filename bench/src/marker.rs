//! What a measured frame carries in its first samples: who sent it, when, and whether speech began with it.
//!
//! G.711 passes through the gateway untouched, so the bytes come out as they went in.

/// One frame of G.711: 20 ms.
pub const FRAME: usize = 160;
pub const FRAME_NANOS: u64 = 20_000_000;

const MAGIC: [u8; 4] = *b"\x9aOHb";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    pub sent_at: u64,
    pub utterance: u32,
    /// Within the utterance, from zero.
    pub number: u32,
}

impl Marker {
    /// A frame that carries this.
    pub fn frame(self) -> [u8; FRAME] {
        let mut frame = VOICE;
        frame[..4].copy_from_slice(&MAGIC);
        frame[4..12].copy_from_slice(&self.sent_at.to_le_bytes());
        frame[12..16].copy_from_slice(&self.utterance.to_le_bytes());
        frame[16..20].copy_from_slice(&self.number.to_le_bytes());
        frame
    }

    pub fn read(frame: &[u8]) -> Option<Self> {
        let (magic, rest) = frame.split_first_chunk::<4>()?;
        let (sent_at, rest) = rest.split_first_chunk::<8>()?;
        let (utterance, rest) = rest.split_first_chunk::<4>()?;
        let (number, _) = rest.split_first_chunk::<4>()?;
        let marker = Self {
            sent_at: u64::from_le_bytes(*sent_at),
            utterance: u32::from_le_bytes(*utterance),
            number: u32::from_le_bytes(*number),
        };
        (*magic == MAGIC).then_some(marker)
    }
}

/// Some sound, in µ-law.
const VOICE: [u8; FRAME] = {
    let mut frame = [0; FRAME];
    let mut index = 0;
    while index < FRAME {
        frame[index] = 0x8f ^ ((index * 37 % 64) as u8) ^ (((index / 8 % 2) as u8) << 7);
        index += 1;
    }
    frame
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_survives_and_sound_is_none() {
        let marker = Marker { sent_at: 1_790_000_000_123_456_789, utterance: 5, number: 77 };
        assert_eq!(Marker::read(&marker.frame()), Some(marker));
        assert_eq!(Marker::read(&VOICE), None);
        assert_eq!(Marker::read(&[0xff; FRAME]), None);
        assert_eq!(Marker::read(&marker.frame()[..19]), None);
    }
}

//! What a measured frame carries in its first samples: who sent it, when, and whether speech began with it.
//!
//! G.711 over SIP and PCM over ACS pass through the gateway untouched, so the bytes come out as they went in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One frame of G.711: 20 ms.
pub const FRAME: usize = 160;
pub const FRAME_NANOS: u64 = 20_000_000;

/// How sound is written, on both sides of the gateway alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    Pcmu,
    /// 24 kHz, 16 bit.
    Pcm,
}

impl Sound {
    /// Bytes of a frame.
    pub const fn frame(self) -> usize {
        match self {
            Self::Pcmu => FRAME,
            Self::Pcm => 960,
        }
    }

    /// As the Realtime protocol names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => r#"{"type":"audio/pcmu"}"#,
            Self::Pcm => r#"{"type":"audio/pcm","rate":24000}"#,
        }
    }
}

/// What holds a marker, in whole groups of Base64.
pub const HEAD: usize = 30;

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
        self.write(&mut frame);
        frame
    }

    /// The same, of any sound.
    pub fn frame_of(self, sound: Sound) -> Vec<u8> {
        let mut frame: Vec<u8> = VOICE.iter().copied().cycle().take(sound.frame()).collect();
        self.write(&mut frame);
        frame
    }

    /// Put it where a frame begins.
    pub fn write(self, frame: &mut [u8]) {
        frame[..4].copy_from_slice(&MAGIC);
        frame[4..12].copy_from_slice(&self.sent_at.to_le_bytes());
        frame[12..16].copy_from_slice(&self.utterance.to_le_bytes());
        frame[16..20].copy_from_slice(&self.number.to_le_bytes());
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

/// The markers of audio in Base64. Of PCM, whose frames end where a group of Base64 does, only the beginnings are read.
pub fn in_base64(sound: Sound, base64: &[u8], mut take: impl FnMut(Option<Marker>)) {
    let mut audio = [0; FRAME * 64];
    match sound {
        Sound::Pcmu => {
            let Ok(len) = STANDARD.decode_slice(base64, &mut audio) else { return };
            audio[..len].chunks(sound.frame()).map(Marker::read).for_each(take);
        }
        Sound::Pcm => {
            for frame in base64.chunks(sound.frame() / 3 * 4) {
                let mut head = [0; HEAD];
                let read =
                    frame.get(..HEAD / 3 * 4).and_then(|text| STANDARD.decode_slice(text, &mut head).ok());
                take(read.and_then(|_| Marker::read(&head)));
            }
        }
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

    #[test]
    fn markers_are_found_in_base64() {
        for sound in [Sound::Pcmu, Sound::Pcm] {
            let marker = |number| Marker { sent_at: 7, utterance: 5, number };
            let frames =
                [marker(1).frame_of(sound), vec![0; sound.frame()], marker(2).frame_of(sound)].concat();
            let mut found = Vec::new();
            in_base64(sound, STANDARD.encode(frames).as_bytes(), |marker| found.push(marker));
            assert_eq!(found, [Some(marker(1)), None, Some(marker(2))]);
        }
    }
}

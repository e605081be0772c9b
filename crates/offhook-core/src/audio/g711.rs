//! G.711: µ-law and A-law companding by table (ITU-T G.711, 1988).

static DECODE_ULAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = ulaw_to_linear(byte as u8);
        byte += 1;
    }
    table
};

static DECODE_ALAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = alaw_to_linear(byte as u8);
        byte += 1;
    }
    table
};

/// Indexed by the upper 14 bits of a sample: µ-law looks at no more of it.
static ENCODE_ULAW: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < table.len() {
        table[index] = linear_to_ulaw(((index as u16) << 2) as i16);
        index += 1;
    }
    table
};

/// Indexed by the upper 12 bits of a sample: A-law looks at no more of it.
static ENCODE_ALAW: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut index = 0;
    while index < table.len() {
        table[index] = linear_to_alaw(((index as u16) << 4) as i16);
        index += 1;
    }
    table
};

static ULAW_TO_ALAW: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = linear_to_alaw(ulaw_to_linear(byte as u8));
        byte += 1;
    }
    table
};

static ALAW_TO_ULAW: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = linear_to_ulaw(alaw_to_linear(byte as u8));
        byte += 1;
    }
    table
};

/// Which of the two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    Mu,
    A,
}

impl Law {
    /// Appends the sample of every byte.
    pub fn decode_into(self, bytes: &[u8], samples: &mut Vec<i16>) {
        let table = match self {
            Self::Mu => &DECODE_ULAW,
            Self::A => &DECODE_ALAW,
        };
        samples.extend(bytes.iter().map(|byte| table[*byte as usize]));
    }

    /// Appends the byte of every sample.
    pub fn encode_into(self, samples: &[i16], bytes: &mut Vec<u8>) {
        match self {
            Self::Mu => bytes.extend(samples.iter().map(|sample| encode_ulaw(*sample))),
            Self::A => bytes.extend(samples.iter().map(|sample| encode_alaw(*sample))),
        }
    }

    /// Appends bytes of this law as bytes of the other.
    pub fn transcode_into(self, bytes: &[u8], other: &mut Vec<u8>) {
        let table = match self {
            Self::Mu => &ULAW_TO_ALAW,
            Self::A => &ALAW_TO_ULAW,
        };
        other.extend(bytes.iter().map(|byte| table[*byte as usize]));
    }
}

pub fn decode_ulaw(byte: u8) -> i16 {
    DECODE_ULAW[byte as usize]
}

pub fn decode_alaw(byte: u8) -> i16 {
    DECODE_ALAW[byte as usize]
}

pub fn encode_ulaw(sample: i16) -> u8 {
    ENCODE_ULAW[(sample as u16 >> 2) as usize]
}

pub fn encode_alaw(sample: i16) -> u8 {
    ENCODE_ALAW[(sample as u16 >> 4) as usize]
}

const fn ulaw_to_linear(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((((byte & 0x0f) as i16) << 3) + 0x84) << ((byte & 0x70) >> 4);
    if byte & 0x80 != 0 { 0x84 - magnitude } else { magnitude - 0x84 }
}

/// How far a sample is from zero. One's complement for negatives makes the two halves mirror each other, as the
/// reference code of the standard has it (ITU-T G.191): -1 is the first step below zero, as 0 is the first above.
const fn magnitude(sample: i16) -> i32 {
    (if sample < 0 { !sample } else { sample }) as i32
}

const fn linear_to_ulaw(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    const CLIP: i32 = 0x7fff - BIAS;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = magnitude(sample);
    let biased = if magnitude > CLIP { CLIP } else { magnitude } + BIAS;
    let exponent = 24 - biased.leading_zeros() as i32;
    let mantissa = (biased >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

const fn alaw_to_linear(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let exponent = (byte & 0x70) >> 4;
    let mantissa = ((byte & 0x0f) as i16) << 4;
    let magnitude = match exponent {
        0 => mantissa + 8,
        1 => mantissa + 0x108,
        _ => (mantissa + 0x108) << (exponent - 1),
    };
    if byte & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn linear_to_alaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    let magnitude = magnitude(sample);
    let byte = if magnitude < 0x100 {
        magnitude >> 4
    } else {
        let exponent = 24 - magnitude.leading_zeros() as i32;
        (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)
    };
    (sign | byte as u8) ^ 0x55
}

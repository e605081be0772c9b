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

/// Indexed by the upper 14 bits of a sample: the two lowest lie below the resolution of either law.
static ENCODE_ULAW: [u8; 16_384] = {
    let mut table = [0; 16_384];
    let mut index = 0;
    while index < 16_384 {
        table[index] = linear_to_ulaw(((index as u16) << 2) as i16);
        index += 1;
    }
    table
};

static ENCODE_ALAW: [u8; 16_384] = {
    let mut table = [0; 16_384];
    let mut index = 0;
    while index < 16_384 {
        table[index] = linear_to_alaw(((index as u16) << 2) as i16);
        index += 1;
    }
    table
};

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
    ENCODE_ALAW[(sample as u16 >> 2) as usize]
}

const fn ulaw_to_linear(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((((byte & 0x0f) as i16) << 3) + 0x84) << ((byte & 0x70) >> 4);
    if byte & 0x80 != 0 { 0x84 - magnitude } else { magnitude - 0x84 }
}

const fn linear_to_ulaw(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    const CLIP: i32 = 32_635;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = if sample < 0 { -(sample as i32) } else { sample as i32 };
    let magnitude = if magnitude > CLIP { CLIP } else { magnitude } + BIAS;
    let exponent = 24 - (magnitude.leading_zeros() as i32);
    let exponent = if exponent < 0 { 0 } else { exponent };
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | ((exponent as u8) << 4) | mantissa as u8)
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
    let sign = if sample >= 0 { 0x80 } else { 0 };
    // One's complement for negatives keeps the two halves symmetric, as the standard's tables are.
    let magnitude = (if sample >= 0 { sample as i32 } else { !(sample as i32) }) >> 3;
    let byte = if magnitude < 32 {
        magnitude >> 1
    } else {
        let exponent = 27 - (magnitude.leading_zeros() as i32);
        ((exponent + 1) - 1) << 4 | ((magnitude >> (exponent)) & 0x0f)
    };
    (sign | byte as u8) ^ 0x55
}

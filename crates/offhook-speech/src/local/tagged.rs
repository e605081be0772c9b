//! Text as audible data: a synthesizer and recognizer that never mishear, for tests and machines without programs.
//!
//! A modem of 16 tones, 100 Hz and 10 ms apart: four bits a symbol, 50 characters a second. A text is a known
//! pattern of tones to find it by, its length, its bytes and a checksum over both; what was cut off or damaged
//! fails the checksum and is not understood at all. It survives G.711, noise and any framing.

use std::f32::consts::TAU;

const RATE: f32 = 8_000.0;
/// Samples of a symbol, 10 ms: tones 100 Hz apart do not disturb each other over it.
const SYMBOL: usize = 80;
const TONES: usize = 16;
const FIRST_HZ: f32 = 700.0;
/// A sine of this peak is at -15 dBFS, about as loud as speech.
const PEAK: f32 = 8_240.0;
/// Tones far apart in an order no text begins with by chance.
const SYNC: [u8; 10] = [0, 15, 4, 11, 1, 14, 7, 8, 2, 13];
/// How far apart a text is looked for, in samples.
const SEARCH_STEP: usize = 10;
/// Of a symbol's energy, how much its own tone must hold on average over [`SYNC`].
const SYNC_SHARE: f32 = 0.5;
/// Longer texts are cut off; nobody speaks so long in one go.
const MAX_BYTES: usize = 4_000;

/// The audio of `text`, 8 kHz.
pub fn encode(text: &str) -> Vec<i16> {
    let bytes = &text.as_bytes()[..text.floor_char_boundary(MAX_BYTES)];
    let mut packet = (bytes.len() as u16).to_be_bytes().to_vec();
    packet.extend_from_slice(bytes);
    packet.extend(checksum(&packet).to_be_bytes());
    let nibbles = packet.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut samples = Vec::with_capacity((SYNC.len() + packet.len() * 2) * SYMBOL);
    let mut phase = 0.0_f32;
    for tone in SYNC.into_iter().chain(nibbles) {
        // The phase goes on from symbol to symbol: no clicks.
        let step = TAU * hz(usize::from(tone)) / RATE;
        for _ in 0..SYMBOL {
            samples.push((PEAK * phase.sin()) as i16);
            phase = (phase + step) % TAU;
        }
    }
    samples
}

/// The texts in `samples`, joined by spaces; `None` when there is no whole one.
pub fn decode(samples: &[i16]) -> Option<String> {
    // A place found a few samples late must not cost the last symbol.
    let samples = &[samples, &[0; SYMBOL]].concat();
    let mut texts = Vec::new();
    let mut at = 0;
    while let Some(start) = find(samples, at) {
        match packet(&samples[start + SYNC.len() * SYMBOL..]) {
            Some((text, symbols)) => {
                texts.push(text);
                at = start + (SYNC.len() + symbols) * SYMBOL;
            }
            None => at = start + SYMBOL,
        }
    }
    (!texts.is_empty()).then(|| texts.join(" "))
}

fn hz(tone: usize) -> f32 {
    FIRST_HZ + 100.0 * tone as f32
}

/// CRC-16/CCITT.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

/// Where the next [`SYNC`] begins, to within a few samples.
fn find(samples: &[i16], from: usize) -> Option<usize> {
    let length = SYNC.len() * SYMBOL;
    let last = samples.len().checked_sub(length)?;
    let mut best: Option<(usize, f32)> = None;
    for start in (from..=last).step_by(SEARCH_STEP) {
        if best.is_some_and(|(found, _)| start > found + SYMBOL) {
            break;
        }
        let share = sync_share(&samples[start..start + length]);
        if share > best.map_or(SYNC_SHARE, |(_, share)| share) {
            best = Some((start, share));
        }
    }
    best.map(|(start, _)| start)
}

fn sync_share(samples: &[i16]) -> f32 {
    let symbols = samples.chunks_exact(SYMBOL).zip(SYNC);
    let mut sum = 0.0;
    for (index, (symbol, tone)) in symbols.enumerate() {
        let energy: f32 = symbol.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
        if energy > 0.0 {
            sum += power(symbol, hz(usize::from(tone))) / (energy * SYMBOL as f32 / 2.0);
        }
        // Most places are nothing like it: look no further.
        if index == 2 && sum < 1.0 {
            return 0.0;
        }
    }
    sum / SYNC.len() as f32
}

/// The text that follows, and how many symbols it takes.
fn packet(samples: &[i16]) -> Option<(String, usize)> {
    let mut symbols = samples.chunks_exact(SYMBOL).map(loudest);
    let mut byte = || Some((symbols.next()? << 4) | symbols.next()?);
    let length = [byte()?, byte()?];
    let count = usize::from(u16::from_be_bytes(length));
    if count > MAX_BYTES {
        return None;
    }
    let mut bytes = length.to_vec();
    for _ in 0..count {
        bytes.push(byte()?);
    }
    let sent = u16::from_be_bytes([byte()?, byte()?]);
    if checksum(&bytes) != sent {
        return None;
    }
    let text = String::from_utf8(bytes.split_off(2)).ok()?;
    Some((text, (count + 4) * 2))
}

fn loudest(symbol: &[i16]) -> u8 {
    let mut best = (0, -1.0);
    for tone in 0..TONES {
        let power = power(symbol, hz(tone));
        if power > best.1 {
            best = (tone as u8, power);
        }
    }
    best.0
}

/// The power at one frequency, by Goertzel's algorithm.
fn power(symbol: &[i16], hz: f32) -> f32 {
    let coefficient = 2.0 * (TAU * hz / RATE).cos();
    let (mut last, mut before) = (0.0_f32, 0.0_f32);
    for sample in symbol {
        (last, before) = (f32::from(*sample) + coefficient * last - before, last);
    }
    last * last + before * before - coefficient * last * before
}

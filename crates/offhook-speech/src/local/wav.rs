//! WAV files in memory, as programs and servers write and want them.

use std::f32::consts::PI;

/// A WAV file of 16 bit mono samples.
pub fn write(samples: &[i16], rate: u32) -> Vec<u8> {
    let data_len = (samples.len() * 2) as u32;
    let mut wav = Vec::with_capacity(44 + samples.len() * 2);
    wav.extend(b"RIFF");
    wav.extend((36 + data_len).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    wav.extend([1, 0, 1, 0]);
    wav.extend(rate.to_le_bytes());
    wav.extend((rate * 2).to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend(data_len.to_le_bytes());
    wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    wav
}

/// The samples of a WAV file of 16 bit PCM, its first channel, and their rate.
///
/// Servers that stream do not know the length when they write the header: what is there is taken.
pub fn read(wav: &[u8]) -> Option<(Vec<i16>, u32)> {
    if wav.get(..4)? != b"RIFF" || wav.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut rest = &wav[12..];
    let mut format = None;
    loop {
        let (id, size) = (rest.get(..4)?, u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?));
        let body = &rest[8..];
        match id {
            b"fmt " => format = Some(parse_format(body)?),
            b"data" => {
                let (channels, rate) = format?;
                let data = &body[..body.len().min(size as usize)];
                let (samples, _) = data.as_chunks::<2>();
                let samples = samples.iter().map(|bytes| i16::from_le_bytes(*bytes));
                return Some((samples.step_by(channels).collect(), rate));
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        rest = body.get(size as usize + (size as usize & 1)..)?;
    }
}

fn parse_format(body: &[u8]) -> Option<(usize, u32)> {
    const PCM: u16 = 1;
    const EXTENSIBLE: u16 = 0xfffe;
    let short = |at: usize| Some(u16::from_le_bytes(body.get(at..at + 2)?.try_into().ok()?));
    let rate = u32::from_le_bytes(body.get(4..8)?.try_into().ok()?);
    let channels = usize::from(short(2)?);
    let known = matches!(short(0)?, PCM | EXTENSIBLE) && short(14)? == 16;
    (known && channels > 0 && (4_000..=192_000).contains(&rate)).then_some((channels, rate))
}

/// The same sound at 8 kHz, whatever the rate was.
pub fn to_8khz(samples: Vec<i16>, rate: u32) -> Vec<i16> {
    const TO: u32 = 8_000;
    /// Zero crossings of the filter to each side.
    const REACH: f32 = 16.0;
    if rate == TO || samples.is_empty() {
        return samples;
    }
    let step = rate as f32 / TO as f32;
    // Just under the lower of the two half rates, in cycles per input sample.
    let cutoff = 0.47 / step.max(1.0);
    let half = REACH / (2.0 * cutoff);
    let count = (samples.len() as u64 * u64::from(TO) / u64::from(rate)) as usize;
    (0..count)
        .map(|index| {
            let centre = index as f64 * f64::from(rate) / f64::from(TO);
            let first = (centre - f64::from(half)).ceil().max(0.0) as usize;
            let last = ((centre + f64::from(half)) as usize).min(samples.len() - 1);
            let sum: f32 = (first..=last)
                .map(|at| f32::from(samples[at]) * tap((at as f64 - centre) as f32, cutoff, half))
                .sum();
            sum.round().clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

/// A Hann-windowed sinc.
fn tap(distance: f32, cutoff: f32, half: f32) -> f32 {
    let window = 0.5 + 0.5 * (PI * distance / half).cos();
    let angle = 2.0 * PI * cutoff * distance;
    let sinc = if angle.abs() < 1e-6 { 1.0 } else { angle.sin() / angle };
    2.0 * cutoff * sinc * window
}

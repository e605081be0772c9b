//! The energy of 20 ms in four octaves, by Haar wavelets: a few hundred additions, so that every frame can have it.

use super::HOP;

/// Above 2 kHz, 1 to 2 kHz, 500 to 1000 Hz, and below, each as the sum of squares.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bands(pub [f32; 4]);

impl Bands {
    pub fn of(hop: &[i16; HOP]) -> Self {
        let (high, first) = split::<HOP, 80>(hop);
        let (upper, second) = split::<80, 40>(&first);
        let (lower, third) = split::<40, 20>(&second);
        // A sum weighs twice as much as a difference of the level above it: bring all to the same scale.
        Self([high / 2.0, upper / 4.0, lower / 8.0, energy(&third) / 8.0])
    }

    pub fn level_dbfs(&self) -> f32 {
        let power = self.0.iter().sum::<f32>() / (HOP as f32 * 32_768.0 * 32_768.0);
        10.0 * power.max(1e-10).log10()
    }
}

/// The energy of the differences of neighbours, and their sums.
fn split<const N: usize, const HALF: usize>(samples: &[impl Copy + Into<i32>; N]) -> (f32, [i32; HALF]) {
    let mut sums = [0; HALF];
    let mut differences = [0; HALF];
    for (n, pair) in samples.as_chunks::<2>().0.iter().enumerate() {
        let (a, b): (i32, i32) = (pair[0].into(), pair[1].into());
        sums[n] = a + b;
        differences[n] = a - b;
    }
    (energy(&differences), sums)
}

fn energy<const N: usize>(samples: &[i32; N]) -> f32 {
    // Sums side by side, which the processor adds at once.
    let mut sums = [0.0f32; 4];
    for four in samples.as_chunks::<4>().0 {
        for (sum, sample) in sums.iter_mut().zip(four) {
            *sum += (*sample as f32) * (*sample as f32);
        }
    }
    sums.iter().sum()
}

//! Durations counted in buckets: constant room, one part in 64 exact.

use std::time::Duration;

const FINE: u32 = 6;

#[derive(Clone, Debug, Default)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    pub fn add(&mut self, nanos: u64) {
        let bucket = bucket(nanos);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// The least duration that `share` of all do not exceed; zero when there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper(bucket).min(self.max));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanos: u64) -> usize {
    let exponent = nanos.checked_ilog2().unwrap_or(0).saturating_sub(FINE);
    (u64::from(exponent) * (1 << FINE) + (nanos >> exponent)) as usize
}

fn upper(bucket: usize) -> u64 {
    let (exponent, rest) = (bucket >> FINE, bucket & ((1 << FINE) - 1));
    if exponent == 0 {
        return bucket as u64;
    }
    let exponent = exponent - 1;
    (((rest + (1 << FINE)) as u64 + 1) << exponent) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_close() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        for micros in 1..=1_000u64 {
            histogram.add(micros * 1_000);
        }
        for (share, micros) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let found = histogram.quantile(share).as_nanos() as f64 / 1_000.0;
            assert!((found / micros - 1.0).abs() < 0.02, "{share}: {found}");
        }
        assert_eq!((histogram.count(), histogram.max()), (1_000, Duration::from_millis(1)));
    }

    #[test]
    fn every_duration_is_in_a_bucket_that_holds_it() {
        for nanos in (0..2_000).chain([4_095, 4_096, 65_535, 65_536, 1 << 40, u64::MAX >> 1]) {
            let found = upper(bucket(nanos));
            assert!(found >= nanos && found - nanos <= nanos / 32, "{nanos}: {found}");
        }
    }
}

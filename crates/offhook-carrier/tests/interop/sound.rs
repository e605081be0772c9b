//! Sound that comes back from a far end.

use offhook_carrier::{Leg, LegOutput};
use offhook_core::AudioFormat;
use offhook_core::audio::FRAME;
use offhook_testkit::programs::PATIENCE;
use offhook_testkit::tone::{RATE, Tone, level_at, samples_of};
use tokio::time::{interval, timeout};

/// Samples the tone is looked for in: 300 ms.
const STRETCH: usize = 2_400;

/// Play a tone to a far end that echoes, until it comes back as loud as it went out; a busy machine may take a while.
pub async fn hear_echo(leg: &mut Leg, format: AudioFormat, hz: f64, level: f64) {
    let mut tone = Tone::new(hz, level);
    let mut heard = Vec::new();
    let mut last = f64::NEG_INFINITY;
    let mut beat = interval(FRAME);
    let listened = timeout(PATIENCE, async {
        while (last - level).abs() > 1.0 {
            tokio::select! {
                _ = beat.tick() => leg.play(&tone.frame(format)),
                output = leg.next() => {
                    assert!(!matches!(output, LegOutput::Event(_)), "{output:?} instead of sound");
                    if let LegOutput::Audio(frame) = output {
                        assert_eq!(frame.format(), format);
                        heard.extend(samples_of(&frame));
                    }
                }
            }
            if let Some(from) = heard.len().checked_sub(STRETCH) {
                last = level_at(&heard[from..], RATE, hz);
            }
        }
    });
    assert!(listened.await.is_ok(), "{hz} Hz comes back at {last:.1} dBFS, not {level}");
}

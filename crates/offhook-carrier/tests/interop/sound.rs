//! Sound that comes back from a far end.

use offhook_carrier::{Leg, LegOutput};
use offhook_core::AudioFormat;
use offhook_core::audio::FRAME;
use offhook_testkit::programs::PATIENCE;
use offhook_testkit::tone::{RATE, Tone, level_at, samples_of};
use tokio::time::{interval, timeout};

/// Play a tone to a far end that echoes, until half a second of sound is back; how loud the tone is in there.
pub async fn echoed_level(leg: &mut Leg, format: AudioFormat, mut tone: Tone) -> f64 {
    let hz = tone.hz;
    let mut heard = Vec::new();
    let mut beat = interval(FRAME);
    let listened = timeout(PATIENCE, async {
        // The first tenth of a second holds the far end's start.
        while heard.len() < 4_800 {
            tokio::select! {
                _ = beat.tick() => leg.play(&tone.frame(format)),
                output = leg.next() => match output {
                    LegOutput::Audio(frame) if frame.format() == format => heard.extend(samples_of(&frame)),
                    other => panic!("{other:?} instead of sound"),
                },
            }
        }
    });
    listened.await.expect("half a second of sound");
    level_at(&heard[800..], RATE, hz)
}

//! What a recording holds: the remote left, the voice right, each where the transcript says.

use std::io::Cursor;

use offhook_speech::local::tagged;
use serde_json::Value;

use crate::rig::{RECEPTIONIST, Rig};

/// Both sides of a recording, 8 kHz.
pub struct Sides {
    pub remote: Vec<i16>,
    pub voice: Vec<i16>,
}

impl Sides {
    /// Read with somebody else's reader.
    pub fn read(wav: Vec<u8>) -> Self {
        let reader = hound::WavReader::new(Cursor::new(wav)).expect("a WAV file");
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 8_000, 16));
        let samples: Vec<i16> = reader.into_samples().map(|sample| sample.expect("a whole file")).collect();
        let side = |first| samples.iter().skip(first).step_by(2).copied().collect();
        Self { remote: side(0), voice: side(1) }
    }

    pub fn ms(&self) -> u64 {
        self.remote.len() as u64 / 8
    }
}

/// How loud a stretch is, in dB below full scale.
pub fn dbfs(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    20.0 * ((sum / samples.len().max(1) as f64).sqrt() / 32_768.0).max(1e-6).log10()
}

/// Frames of 20 ms that are loud enough to be speech, of those between two times.
fn loud_share(samples: &[i16], from_ms: u64, to_ms: u64) -> f64 {
    let stretch = &samples[from_ms as usize * 8..(to_ms as usize * 8).min(samples.len())];
    let frames: Vec<bool> = stretch.chunks_exact(160).map(|frame| dbfs(frame) > -35.0).collect();
    frames.iter().filter(|loud| **loud).count() as f64 / frames.len().max(1) as f64
}

/// Who spoke when, of one side.
fn spans(call: &Value, role: &str) -> Vec<(u64, u64, String)> {
    let turns = call["transcript"].as_array().unwrap().iter().filter(|turn| turn["role"] == role);
    let ms = |turn: &Value, field: &str| turn[field].as_u64().unwrap();
    turns
        .map(|turn| (ms(turn, "started_ms"), ms(turn, "ended_ms"), turn["text"].as_str().unwrap().to_owned()))
        .collect()
}

/// What the two clocks may differ by: a frame on its way, and the detector's start.
const SLACK_MS: u64 = 120;

#[tokio::test]
async fn both_sides_are_where_the_transcript_says_at_their_own_level() {
    let rig = Rig::start().await;
    let call = rig.owner().call(RECEPTIONIST).await;
    let journal = call.journal().await;
    let talk_ms = journal.last().unwrap()["talk_ms"].as_u64().unwrap();
    let view = call.view().await;
    let sides = Sides::read(call.recording().await);
    assert!(sides.ms().abs_diff(talk_ms) <= 100, "{} ms recorded of {talk_ms}", sides.ms());

    for (name, samples, role) in [("remote", &sides.remote, "user"), ("voice", &sides.voice, "assistant")] {
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((3_000..32_000).contains(&peak), "{name} peaks at {peak}");
        let spans = spans(&view, role);
        assert!(spans.len() >= 3, "{view:#}");
        let mut quiet_from = 0;
        for (started, ended, text) in &spans {
            let share = loud_share(samples, started + SLACK_MS, ended.saturating_sub(SLACK_MS));
            assert!(share > 0.95, "{name}: only {share} of {started}–{ended} ms is speech ({text})");
            let share = loud_share(samples, quiet_from, started.saturating_sub(SLACK_MS).max(quiet_from));
            assert!(
                share < 0.05,
                "{name}: {share} of {quiet_from}–{started} ms, before {text}, is not silent"
            );
            quiet_from = ended + SLACK_MS;
        }
        // Word for word: nothing was lost, repeated or put out of order.
        let said: Vec<&str> = spans.iter().map(|(_, _, text)| text.as_str()).collect();
        assert_eq!(tagged::decode(samples).as_deref(), Some(said.join(" ").as_str()), "{name}");
    }
    rig.stop().await;
}

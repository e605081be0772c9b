//! What the exchange remembers: its calls, what was heard in them, and the rules that were broken.

use std::fmt;

use offhook_core::{Digit, Timestamp};

/// A rule of SIP, SDP, RTP or RTCP that the far side broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub at: Timestamp,
    /// Stable code of the rule, e.g. `via.branch`, `rtp.sequence`.
    pub rule: &'static str,
    pub detail: String,
    pub sip_call_id: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.detail)?;
        match &self.sip_call_id {
            Some(id) => write!(f, " (Call-ID {id})"),
            None => Ok(()),
        }
    }
}

/// Which call of this exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey(pub u64);

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Invited, nothing rings yet.
    Trying,
    Ringing,
    /// A 2xx went out or came in.
    Answered,
    Ended(Ending),
}

/// How it ended, as the exchange saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The far side sent BYE.
    RemoteHungUp,
    /// The person sent BYE.
    PersonHungUp,
    /// The far side gave up before the answer.
    Cancelled,
    /// The final response that was not an answer, ours or, for a call of ours, the far side's.
    Refused(u16),
    /// No ACK, no reply, no session refresh: the exchange gave up.
    Lost,
}

/// Loudness and length of what the far side said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// All audio that arrived.
    pub audio_ms: u32,
    /// The part of it that was loud enough to be speech.
    pub speech_ms: u32,
    /// The loudest sample.
    pub peak: u16,
    sum_of_squares: f64,
}

impl Heard {
    const LOUD: f32 = 300.0;

    /// Adds a packet and returns its level.
    pub(crate) fn add(&mut self, samples: impl Iterator<Item = i16>) -> f32 {
        let (mut sum, mut count) = (0.0f64, 0u32);
        for sample in samples {
            self.peak = self.peak.max(sample.unsigned_abs());
            sum += f64::from(sample) * f64::from(sample);
            count += 1;
        }
        let level = if count == 0 { 0.0 } else { (sum / f64::from(count)).sqrt() as f32 };
        self.audio_ms += count / 8;
        if level >= Self::LOUD {
            self.speech_ms += count / 8;
            self.sum_of_squares += sum;
        }
        level
    }

    /// Level of the loud parts, in dB below full scale; `None` when nothing was heard.
    pub fn speech_dbfs(&self) -> Option<f32> {
        (self.speech_ms > 0).then(|| {
            let rms = (self.sum_of_squares / f64::from(self.speech_ms * 8)).sqrt();
            20.0 * (rms / 32_768.0).log10() as f32
        })
    }
}

/// A message left after the tone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VoiceMessage {
    /// 16 bit at 8 kHz.
    pub samples: Vec<i16>,
    pub heard: Heard,
}

impl VoiceMessage {
    pub fn new(samples: Vec<i16>) -> Self {
        let mut heard = Heard::default();
        for frame in samples.chunks(160) {
            heard.add(frame.iter().copied());
        }
        Self { samples, heard }
    }

    pub fn duration_ms(&self) -> u32 {
        self.samples.len() as u32 / 8
    }
}

/// One call, live or over.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    pub key: CallKey,
    pub sip_call_id: String,
    /// The number called; for calls of the exchange's own, the number they come from.
    pub number: String,
    /// The user part of the far side's From, or of the address called.
    pub remote: String,
    /// Whether the exchange placed it.
    pub placed_here: bool,
    pub stage: Stage,
    pub started_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Everything the far side said, from the first packet.
    pub heard: Heard,
    /// How often the far side finished a turn.
    pub turns: u32,
    pub digits: Vec<Digit>,
    pub rtp_received: u32,
    pub rtp_sent: u32,
    pub rtcp_received: u32,
    /// RTCP BYE came with the end of the call.
    pub rtcp_bye: bool,
    /// What the person said, in order.
    pub said: Vec<String>,
    pub message: Option<VoiceMessage>,
    /// Everything the far side sent, when the configuration says to keep it (16 bit, 8 kHz).
    pub audio: Vec<i16>,
}

impl CallRecord {
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    pub fn digits_text(&self) -> String {
        self.digits.iter().map(|digit| digit.as_char()).collect()
    }
}

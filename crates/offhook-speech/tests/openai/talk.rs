//! One conversation as a test sees it.

use std::time::Duration;

use offhook_core::Frame;
use offhook_core::audio::{AudioFormat, SampleRate, g711};
use offhook_core::brief::{Brief, Opening};
use offhook_core::call::{SpeechCommand, SpeechEvent, Utterance};
use offhook_core::pump::Heard;
use offhook_speech::openai::{Auth, Config, OpenAi};
use offhook_speech::{Model, Prompt, SpeechOutput, SpeechSession};
use offhook_testkit::realtime::{FakeRealtime, Recorded, shown};

/// A session and all it brought forth.
pub struct Talk {
    pub session: SpeechSession,
    pub outputs: Vec<SpeechOutput>,
    /// All audio of the remote.
    pub remote_spoke: Vec<u8>,
}

const PATIENCE: Duration = Duration::from_secs(10);

pub fn config(server: &FakeRealtime) -> Config {
    Config::new(server.url(), Auth::Bearer("sk-test".to_owned().into()), "gpt-realtime-2.1".to_owned())
}

pub fn prompt(format: AudioFormat) -> Prompt {
    Prompt {
        language: "en-US".to_owned(),
        format,
        brief: Brief { opening: Opening::SpeakFirst, ..Brief::new("Book a table for two.") },
    }
}

pub fn model(config: Config) -> Model {
    Model::OpenAi(OpenAi::new(config).expect("the configuration is sound"))
}

impl Talk {
    pub fn open(config: Config, format: AudioFormat) -> Self {
        Self::new(model(config).open(prompt(format)))
    }

    pub fn new(session: SpeechSession) -> Self {
        Self { session, outputs: Vec::new(), remote_spoke: Vec::new() }
    }

    /// A conversation that is ready, in µ-law.
    pub async fn ready(config: Config) -> Self {
        let mut talk = Self::open(config, AudioFormat::Pcmu);
        talk.until("Ready", |event| matches!(event, SpeechEvent::Ready { .. })).await;
        talk
    }

    pub fn send(&mut self, command: SpeechCommand) {
        self.session.send(command).expect("the session keeps up");
    }

    pub async fn next(&mut self) -> SpeechOutput {
        let output = tokio::time::timeout(PATIENCE, self.session.next()).await;
        let output = output.unwrap_or_else(|_| panic!("nothing more came after {:#?}", self.log()));
        self.outputs.push(output.clone());
        output
    }

    /// Until an event that fits, which is returned.
    pub async fn until(&mut self, what: &str, fits: impl Fn(&SpeechEvent) -> bool) -> SpeechEvent {
        loop {
            match self.next().await {
                SpeechOutput::Event(event) if fits(&event) => return event,
                SpeechOutput::Event(SpeechEvent::Lost { why }) => panic!("lost before {what}: {why}"),
                _ => {}
            }
        }
    }

    pub async fn until_lost(&mut self) -> String {
        loop {
            if let SpeechOutput::Event(SpeechEvent::Lost { why }) = self.next().await {
                return why;
            }
        }
    }

    /// Go on talking until the server was sent what the test waits for.
    pub async fn until_server(
        &mut self,
        server: &FakeRealtime,
        what: &str,
        condition: impl Fn(&[Recorded]) -> bool,
    ) {
        let waiting = server.wait_for(what, condition);
        tokio::pin!(waiting);
        loop {
            tokio::select! {
                () = &mut waiting => return,
                output = self.session.next() => self.outputs.push(output),
            }
        }
    }

    /// Until the server was sent `count` events of this type.
    pub async fn until_sent(&mut self, server: &FakeRealtime, kind: &str, count: usize) {
        let enough = |all: &[Recorded]| all.iter().filter(|one| one.event["type"] == kind).count() >= count;
        self.until_server(server, kind, enough).await;
    }

    pub async fn until_done(&mut self) -> Utterance {
        match self.until("UtteranceDone", |event| matches!(event, SpeechEvent::UtteranceDone { .. })).await {
            SpeechEvent::UtteranceDone { utterance } => utterance,
            _ => unreachable!("only what fits is returned"),
        }
    }

    /// The remote speaks a tone, then is silent, long enough for a turn.
    pub fn remote_turn(&mut self) {
        self.remote_tone(20);
        self.remote_silence(40);
    }

    pub fn remote_tone(&mut self, frames: usize) {
        let format = self.session.format();
        for frame in 0..frames {
            let mut tone = Frame::silence(format);
            fill(&mut tone, frame);
            self.hear(&tone);
        }
    }

    fn hear(&mut self, remote_frame: &Frame) {
        self.remote_spoke.extend_from_slice(remote_frame.bytes());
        self.session.hear(remote_frame);
    }

    pub fn remote_silence(&mut self, frames: usize) {
        for _ in 0..frames {
            self.hear(&Frame::silence(self.session.format()));
        }
    }

    /// Bytes of audio per utterance, in order.
    pub fn audio(&self, of: Utterance) -> Vec<u8> {
        let audio = self.outputs.iter().filter_map(|output| match output {
            SpeechOutput::Audio { utterance, bytes } if *utterance == of => Some(bytes.as_slice()),
            _ => None,
        });
        audio.collect::<Vec<_>>().concat()
    }

    /// All events so far, with the audio between them summed up.
    pub fn log(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut audio: Option<(Utterance, usize)> = None;
        let flush = |audio: &mut Option<(Utterance, usize)>, lines: &mut Vec<String>| {
            if let Some((utterance, bytes)) = audio.take() {
                lines.push(format!("audio {} {bytes} bytes", utterance.0));
            }
        };
        for output in &self.outputs {
            match output {
                SpeechOutput::Audio { utterance, bytes } => match &mut audio {
                    Some((same, sum)) if same == utterance => *sum += bytes.len(),
                    _ => {
                        flush(&mut audio, &mut lines);
                        audio = Some((*utterance, bytes.len()));
                    }
                },
                SpeechOutput::Event(event) => {
                    flush(&mut audio, &mut lines);
                    lines.push(shown(event));
                }
            }
        }
        flush(&mut audio, &mut lines);
        lines
    }
}

/// A 400 Hz tone.
fn fill(frame: &mut Frame, index: usize) {
    let format = frame.format();
    let hz = format.sample_rate().hz() as usize;
    let per_frame = hz / 50;
    let sample = |at: usize| {
        let phase = (index * per_frame + at) as f64 * 400.0 / hz as f64;
        (9_000.0 * (phase * std::f64::consts::TAU).sin()) as i16
    };
    for at in 0..per_frame {
        let value = sample(at);
        match format {
            AudioFormat::Pcmu => frame.bytes_mut()[at] = g711::encode_ulaw(value),
            AudioFormat::Pcma => frame.bytes_mut()[at] = g711::encode_alaw(value),
            AudioFormat::Pcm16(_) => {
                frame.bytes_mut()[at * 2..at * 2 + 2].copy_from_slice(&value.to_le_bytes());
            }
        }
    }
}

/// Cut off after this much of a second.
pub fn heard(utterance: u32, heard_ms: u32) -> Heard {
    Heard { utterance: Utterance(utterance), heard_ms, of_ms: 1_000 }
}

pub const PCM24: AudioFormat = AudioFormat::Pcm16(SampleRate::Hz24000);

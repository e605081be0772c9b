//! A telephone for the local voice: plays what the remote says, frame by frame, and writes down what comes back.

use std::collections::VecDeque;
use std::time::Duration;

use offhook_core::audio::g711::Law;
use offhook_core::audio::{AudioFormat, Frame};
use offhook_core::brief::{Brief, Opening};
use offhook_core::call::{SpeechCommand, SpeechEvent, Utterance};
use offhook_core::pump::Heard;
use offhook_speech::local::{Local, tagged};
use offhook_speech::{Model, Prompt, SpeechOutput, SpeechSession};
use tokio::time::{Instant, timeout_at};

pub struct Phone {
    pub session: SpeechSession,
    at: Instant,
    began: Instant,
    remote: VecDeque<i16>,
    /// Of the voice, what has not been played yet.
    voice: VecDeque<(Utterance, i16)>,
    playing: Option<(Utterance, u32)>,
    pub lines: Vec<String>,
    pub events: Vec<SpeechEvent>,
    /// All audio of the voice, as it was handed over.
    pub spoken: Vec<i16>,
}

pub fn brief(task: &str) -> Brief {
    Brief { voice: "chris".to_owned(), opening: Opening::SpeakFirst, ..Brief::new(task) }
}

impl Phone {
    pub fn call(local: &Local, task: &str) -> Self {
        Self::with(local, brief(task))
    }

    pub fn with(local: &Local, brief: Brief) -> Self {
        let prompt = Prompt { language: brief.language.clone(), format: AudioFormat::Pcmu, brief };
        let now = Instant::now();
        Self {
            session: Model::Local(local.clone()).open(prompt),
            at: now,
            began: now,
            remote: VecDeque::new(),
            voice: VecDeque::new(),
            playing: None,
            lines: Vec::new(),
            events: Vec::new(),
            spoken: Vec::new(),
        }
    }

    pub fn send(&mut self, command: SpeechCommand) {
        self.session.send(command).unwrap();
    }

    /// Put samples on the line, after what is already on it, in the quality of a telephone.
    pub fn play(&mut self, samples: &[i16]) {
        let (mut coded, mut heard) = (Vec::new(), Vec::new());
        Law::Mu.encode_into(samples, &mut coded);
        Law::Mu.decode_into(&coded, &mut heard);
        self.remote.extend(heard);
    }

    pub fn say(&mut self, text: &str) {
        self.play(&tagged::encode(text));
    }

    /// One frame each way.
    pub async fn frame(&mut self) {
        let mut frame = Frame::silence(self.session.format());
        for bytes in frame.bytes_mut().as_chunks_mut::<2>().0 {
            *bytes = self.remote.pop_front().unwrap_or(0).to_le_bytes();
        }
        self.session.hear(&frame);
        self.play_out();
        self.at += Duration::from_millis(20);
        while let Ok(output) = timeout_at(self.at, self.session.next()).await {
            self.output(output);
        }
    }

    fn play_out(&mut self) {
        for _ in 0..160 {
            let Some((utterance, _)) = self.voice.pop_front() else { break };
            match &mut self.playing {
                Some((playing, played)) if *playing == utterance => *played += 1,
                playing => *playing = Some((utterance, 1)),
            }
        }
    }

    fn output(&mut self, output: SpeechOutput) {
        match output {
            SpeechOutput::Audio { utterance, bytes } => {
                let samples = bytes.as_chunks::<2>().0.iter().map(|bytes| i16::from_le_bytes(*bytes));
                self.spoken.extend(samples.clone());
                self.voice.extend(samples.map(|sample| (utterance, sample)));
            }
            SpeechOutput::Event(event) => {
                if let Some(line) = line(&event) {
                    self.write(&line);
                }
                self.events.push(event);
            }
        }
    }

    /// A line that goes on stays one line, with the time it began.
    fn write(&mut self, line: &str) {
        let begun = self.lines.last_mut().and_then(|last| {
            let (at, begun) = last.split_once(' ')?;
            (line.starts_with("we: ") && line.starts_with(begun))
                .then(|| format!("{at} {line}"))
                .zip(Some(last))
        });
        match begun {
            Some((whole, last)) => *last = whole,
            None => self.lines.push(format!("{} {line}", self.ms() / 100 * 100)),
        }
    }

    /// The lines without their times.
    pub fn talk(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| line.split_once(' ')).map(|(_, line)| line)
    }

    pub fn ms(&self) -> u128 {
        (self.at - self.began).as_millis()
    }

    /// Whether the voice is being heard.
    pub fn is_speaking(&self) -> bool {
        !self.voice.is_empty()
    }

    /// What a call does on a barge-in: stop at once and say how much was heard.
    pub fn barge_in(&mut self) {
        if let Some((utterance, _)) = self.voice.front().copied() {
            let heard_ms =
                self.playing.filter(|(playing, _)| *playing == utterance).map_or(0, |(_, played)| played / 8);
            let unheard = self.voice.drain(..).filter(|(queued, _)| *queued == utterance).count();
            let of_ms = heard_ms + unheard as u32 / 8;
            self.send(SpeechCommand::Truncate(Heard { utterance, heard_ms, of_ms }));
        }
    }

    /// Until `happened`, or the given time is over.
    pub async fn until(&mut self, what: &str, limit_ms: u128, happened: impl Fn(&Self) -> bool) {
        let start = self.ms();
        while !happened(self) {
            assert!(self.ms() - start < limit_ms, "{what} did not happen:\n{}", self.lines.join("\n"));
            self.frame().await;
        }
    }

    pub async fn for_ms(&mut self, ms: u128) {
        let end = self.ms() + ms;
        while self.ms() < end {
            self.frame().await;
        }
    }

    /// Until the voice has said something that holds `words`, to the end.
    pub async fn voice_says(&mut self, words: &str) {
        let said = self.events.len();
        self.until(&format!("\"{words}\""), 20_000, |phone| {
            phone.events[..]
                .iter()
                .skip(said.saturating_sub(3))
                .any(|event| matches!(event, SpeechEvent::VoiceText { text, .. } if text.contains(words)))
                && !phone.is_speaking()
        })
        .await;
    }

    /// Until this much of an utterance was heard.
    pub async fn voice_reaches(&mut self, utterance: u32, ms: u32) {
        self.until("the middle of an utterance", 20_000, |phone| {
            phone.playing.is_some_and(|(playing, played)| playing == Utterance(utterance) && played / 8 >= ms)
        })
        .await;
    }

    pub async fn remote_is_done(&mut self) {
        self.until("the end of what they say", 60_000, |phone| phone.remote.is_empty()).await;
    }

    pub async fn voice_is_done(&mut self) {
        self.until("the end of what we say", 60_000, |phone| !phone.is_speaking()).await;
    }

    pub fn open(&mut self) {
        let say = Some("Hello, this is an AI assistant, and this call is recorded.".into());
        self.send(SpeechCommand::Open { say });
    }
}

fn line(event: &SpeechEvent) -> Option<String> {
    Some(match event {
        SpeechEvent::Ready { model } => format!("ready: {model}"),
        SpeechEvent::RemoteSpeechStarted => "they begin".to_owned(),
        SpeechEvent::RemoteSpeechStopped => "they stop".to_owned(),
        SpeechEvent::RemoteSaid { text, .. } => format!("they: {}", text.as_deref().unwrap_or("?")),
        SpeechEvent::VoiceText { text, .. } => format!("we: {}", text.as_str()),
        SpeechEvent::UtteranceDone { .. } | SpeechEvent::Opened { .. } => return None,
        SpeechEvent::ToolCall { tool, .. } => {
            format!("{} {}", tool.name(), tool.arguments()).trim_end().to_owned()
        }
        other => format!("{other:?}"),
    })
}

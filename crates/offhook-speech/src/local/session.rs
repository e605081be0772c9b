//! The task of one conversation: audio, commands and results into [`Conversation`], its effects out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use offhook_core::call::{SpeechCommand, SpeechEvent};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Local;
use super::brain::chat::{ChatEvent, ChatRequest};
use super::conversation::{Conversation, Effect, TurnId};
use super::endpoint::{Endpoint, THOUGHTS};
use super::mouth::Job;
use super::recognizer::Transcript;
use crate::Prompt;
use crate::session::{ProviderEnd, SpeechOutput};

/// What work beside the conversation came to.
enum Done {
    Recognized { turn: TurnId, result: Result<Option<Transcript>, String> },
    Spoken { job: Job, result: Result<Arc<[i16]>, String> },
}

#[expect(clippy::large_enum_variant, reason = "a frame is moved as it is, without an allocation")]
enum Wake {
    Frame(Option<offhook_core::Frame>),
    Command(Option<SpeechCommand>),
    Done(Done),
    Thought(Option<ChatEvent>),
    Sent(Result<(), ()>),
    Deadline,
}

/// What a session is made of beside its conversation.
pub(super) struct Parts {
    pub local: Local,
    pub prompt: Prompt,
    pub end: ProviderEnd,
}

pub(super) struct Session {
    local: Local,
    prompt: Prompt,
    end: ProviderEnd,
    conversation: Conversation,
    brain: Option<Endpoint>,
    began: Instant,
    samples: Vec<i16>,
    work: JoinSet<Done>,
    thoughts: Option<mpsc::Receiver<ChatEvent>>,
    thinking: JoinSet<()>,
    /// On their way to the call, which may be slow to take them.
    outputs: VecDeque<SpeechOutput>,
    closing_until: Option<Instant>,
    lost: bool,
}

/// After the end of a call, for the recognizer's last words.
const LAST_WORDS: Duration = Duration::from_secs(4);
/// Outputs that may wait here before the conversation waits for the call.
const OUTPUTS: usize = 1_024;

impl Session {
    pub fn new(parts: Parts, conversation: Conversation, brain: Option<Endpoint>) -> Self {
        Self {
            conversation: conversation.about(&parts.prompt.brief),
            local: parts.local,
            prompt: parts.prompt,
            end: parts.end,
            brain,
            began: Instant::now(),
            samples: Vec::with_capacity(512),
            work: JoinSet::new(),
            thoughts: None,
            thinking: JoinSet::new(),
            outputs: VecDeque::new(),
            closing_until: None,
            lost: false,
        }
    }

    pub async fn run(mut self) {
        let model = self.local.what();
        self.emit(SpeechEvent::Ready { model });
        for problem in self.local.language_problems(&self.prompt.language) {
            self.conversation.problem("language", problem);
        }
        loop {
            self.drain();
            if self.is_over() {
                return;
            }
            let wake = self.wait().await;
            if !self.wake(wake) {
                return;
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn is_over(&self) -> bool {
        self.outputs.is_empty()
            && (self.lost
                || self
                    .closing_until
                    .is_some_and(|until| self.conversation.is_settled() || Instant::now() >= until))
    }

    async fn wait(&mut self) -> Wake {
        let deadline = self.conversation.deadline_ms().map(|at| self.began + Duration::from_millis(at));
        let deadline = [deadline, self.closing_until].into_iter().flatten().min();
        let listening = self.outputs.len() < OUTPUTS;
        let Self { end, work, thoughts, outputs, closing_until, .. } = self;
        tokio::select! {
            biased;
            permit = end.outputs.reserve(), if !outputs.is_empty() => Wake::Sent(match (permit, outputs.pop_front()) {
                (Ok(permit), Some(output)) => {
                    permit.send(output);
                    Ok(())
                }
                (Ok(_), None) => Ok(()),
                (Err(_), _) => Err(()),
            }),
            command = end.commands.recv(), if closing_until.is_none() => Wake::Command(command),
            Some(done) = work.join_next() => match done {
                Ok(done) => Wake::Done(done),
                // A bug in the work beside: the session reports that it is gone, rather than to wait for it.
                Err(_) => Wake::Command(None),
            },
            thought = next_thought(thoughts) => Wake::Thought(thought),
            frame = end.remote_frames.next(), if listening && closing_until.is_none() => Wake::Frame(frame),
            () = at(deadline) => Wake::Deadline,
        }
    }

    /// Whether there is anybody left to work for.
    fn wake(&mut self, wake: Wake) -> bool {
        let now_ms = self.now_ms();
        match wake {
            Wake::Frame(Some(frame)) => {
                self.samples.clear();
                let (samples, _) = frame.bytes().as_chunks::<2>();
                self.samples.extend(samples.iter().map(|bytes| i16::from_le_bytes(*bytes)));
                self.conversation.hear(now_ms, &self.samples);
            }
            Wake::Command(Some(command)) => {
                if command == SpeechCommand::Close {
                    self.closing_until = Some(Instant::now() + LAST_WORDS);
                }
                self.conversation.command(now_ms, command);
            }
            Wake::Frame(None) | Wake::Command(None) | Wake::Sent(Err(())) => return false,
            Wake::Done(done) => self.done(now_ms, done),
            Wake::Thought(Some(event)) => self.conversation.thought(event),
            Wake::Thought(None) => self.thoughts = None,
            Wake::Sent(Ok(())) => {}
            Wake::Deadline => self.conversation.tick(now_ms),
        }
        true
    }

    fn done(&mut self, now_ms: u64, done: Done) {
        match done {
            Done::Recognized { turn, result } => {
                let transcript = result.unwrap_or_else(|message| {
                    self.conversation.problem("recognizer", message);
                    None
                });
                self.conversation.recognized(now_ms, turn, transcript);
            }
            Done::Spoken { job, result } => self.conversation.spoken(now_ms, job, result),
        }
    }

    /// Do what the conversation wants, until it wants nothing more.
    fn drain(&mut self) {
        let now_ms = self.now_ms();
        while let Some(effect) = self.conversation.poll(now_ms) {
            match effect {
                Effect::Emit(event) => self.emit(event),
                Effect::Audio { utterance, samples } => {
                    let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                    self.outputs.push_back(SpeechOutput::Audio { utterance, bytes });
                }
                Effect::Recognize { turn, samples } => self.recognize(turn, samples),
                Effect::Synthesize { job, sentence } => self.synthesize(job, sentence),
                Effect::Think(request) => self.think(request),
                Effect::StopThinking => self.stop_thinking(),
                // The closed channel is what tells the call.
                Effect::GiveUp => self.lost = true,
            }
        }
    }

    fn emit(&mut self, event: SpeechEvent) {
        self.outputs.push_back(SpeechOutput::Event(event));
    }

    fn recognize(&mut self, turn: TurnId, samples: Vec<i16>) {
        let (recognizer, language) = (self.local.recognizer().clone(), self.prompt.brief.language.clone());
        self.work.spawn(async move {
            let result = recognizer.recognize(&samples, &language).await.map_err(|error| error.to_string());
            Done::Recognized { turn, result }
        });
    }

    fn synthesize(&mut self, job: Job, sentence: String) {
        let synthesizer = self.local.synthesizer().clone();
        let (voice, language) = (self.prompt.brief.voice.clone(), self.prompt.brief.language.clone());
        self.work.spawn(async move {
            let result =
                synthesizer.speak_in(&language, &sentence, &voice).await.map_err(|error| error.to_string());
            Done::Spoken { job, result }
        });
    }

    fn think(&mut self, request: ChatRequest) {
        self.stop_thinking();
        let Some(endpoint) = self.brain.clone() else { return };
        let (sender, receiver) = mpsc::channel(THOUGHTS);
        self.thoughts = Some(receiver);
        self.thinking.spawn(async move { endpoint.chat(request, sender).await });
    }

    fn stop_thinking(&mut self) {
        self.thinking.abort_all();
        while self.thinking.try_join_next().is_some() {}
        self.thoughts = None;
    }
}

async fn next_thought(thoughts: &mut Option<mpsc::Receiver<ChatEvent>>) -> Option<ChatEvent> {
    match thoughts {
        Some(thoughts) => thoughts.recv().await,
        None => std::future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

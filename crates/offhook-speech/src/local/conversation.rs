//! One conversation of the local voice, without IO: audio, commands and results go in, effects come out.
//!
//! The ear tells turns, the recognizer (outside) makes words of them, the brain decides, the mouth speaks. The brain is
//! asked once the remote has finished and everything they said is recognized, so that it never answers half a turn.

use std::collections::VecDeque;
use std::sync::Arc;

use offhook_core::Words;
use offhook_core::brief::Brief;
use offhook_core::call::{SpeechCommand, SpeechEvent, ToolCall};

use super::brain::chat::{Chat, ChatEvent, ChatRequest};
use super::brain::script::Script;
use super::brain::{Act, Heard};
use super::ear::{Ear, EarEvent, HeardTurn};
use super::mouth::{Cut, Job, Mouth, MouthEvent};
use super::recognizer::Transcript;
use crate::notes;

/// What decides; see [`super::brain`].
#[derive(Debug)]
pub enum Brain {
    Script(Box<Script>),
    Chat(Box<Chat>),
}

/// One turn for the recognizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnId(pub u32);

veiled!(Effect);

#[derive(Clone, PartialEq)]
pub enum Effect {
    Emit(SpeechEvent),
    Audio {
        utterance: offhook_core::call::Utterance,
        samples: Arc<[i16]>,
    },
    Recognize {
        turn: TurnId,
        samples: Vec<i16>,
    },
    Synthesize {
        job: Job,
        sentence: String,
    },
    /// Ask the chat model, in place of what it was asked before.
    Think(ChatRequest),
    StopThinking,
    /// Nothing more can come of this conversation.
    GiveUp,
}

#[derive(Debug)]
pub struct Conversation {
    ear: Ear,
    mouth: Mouth,
    brain: Brain,
    effects: VecDeque<Effect>,
    /// Turns in the order they were spoken, until their words are reported.
    turns: VecDeque<PendingTurn>,
    last_turn: u32,
    /// Recognized, and not yet put to the brain.
    heard: Vec<Heard>,
    remote_has_spoken: bool,
    stage: Stage,
    /// On hold: nothing is heard, and nothing said.
    suspended: bool,
    /// The call decides of each turn who answers it: the brain is told of none.
    guarded: bool,
    task: String,
    /// Since when nobody speaks.
    quiet_since_ms: u64,
    synthesis_failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The remote may say hello; it is not our turn yet.
    Waiting,
    Talking,
    /// Only what was said last is still to be understood.
    Closing,
}

#[derive(Debug)]
struct PendingTurn {
    id: TurnId,
    started_ms: u32,
    ended_ms: u32,
    result: Option<Option<Transcript>>,
}

impl Conversation {
    /// What it is about from the beginning.
    pub fn about(self, brief: &Brief) -> Self {
        Self { guarded: brief.is_guarded(), task: brief.task.clone(), ..self }
    }

    /// Failures of the synthesizer in a row after which the voice counts as lost: better an end than silence.
    const SYNTHESIS_FAILURES: u32 = 3;

    pub fn new(ear: Ear, brain: Brain) -> Self {
        Self {
            ear,
            mouth: Mouth::default(),
            brain,
            effects: VecDeque::new(),
            turns: VecDeque::new(),
            last_turn: 0,
            heard: Vec::new(),
            remote_has_spoken: false,
            stage: Stage::Waiting,
            suspended: false,
            guarded: false,
            task: String::new(),
            quiet_since_ms: 0,
            synthesis_failures: 0,
        }
    }

    /// Whether nothing is heard and said, for now or for good.
    fn is_mute(&self) -> bool {
        self.suspended || self.stage == Stage::Closing
    }

    /// The next thing to do about what happened.
    pub fn poll(&mut self, now_ms: u64) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        if self.is_mute() {
            return self.mouth.told().map(Effect::Emit);
        }
        self.mouth.poll(now_ms, self.ear.is_speech()).map(|event| match event {
            MouthEvent::Synthesize { job, sentence } => Effect::Synthesize { job, sentence },
            MouthEvent::Audio { utterance, samples } => Effect::Audio { utterance, samples },
            MouthEvent::Event(event) => {
                if let (SpeechEvent::ToolCall { id, tool }, Brain::Script(script)) = (&event, &mut self.brain)
                {
                    script.called(*id, tool);
                }
                Effect::Emit(event)
            }
        })
    }

    /// When to call [`Self::tick`] at the latest.
    pub fn deadline_ms(&self) -> Option<u64> {
        if self.is_mute() {
            return None;
        }
        [self.mouth.deadline_ms(), self.go_on_at_ms()].into_iter().flatten().min()
    }

    /// When the brain goes on by itself, if nobody speaks before.
    fn go_on_at_ms(&self) -> Option<u64> {
        let Brain::Script(script) = &self.brain else { return None };
        let busy = self.guarded
            || self.ear.is_speech()
            || !self.turns.is_empty()
            || self.stage == Stage::Waiting
            || self.mouth.has_more();
        let patience = script.patience_ms(self.remote_has_spoken).filter(|_| !busy)?;
        Some(self.quiet_since_ms.max(self.mouth.playing_until_ms()) + patience)
    }

    pub fn tick(&mut self, now_ms: u64) {
        if self.is_mute() {
            return;
        }
        if self.go_on_at_ms().is_some_and(|at| at <= now_ms)
            && let Brain::Script(script) = &mut self.brain
        {
            let acts = script.go_on();
            self.quiet_since_ms = now_ms;
            self.act(acts);
        }
    }

    /// The next of the remote's audio, 8 kHz.
    pub fn hear(&mut self, now_ms: u64, samples: &[i16]) {
        if self.is_mute() {
            self.ear.skip(samples);
        } else {
            self.ear.push(samples);
        }
        self.drain_ear(now_ms);
    }

    fn drain_ear(&mut self, now_ms: u64) {
        while let Some(event) = self.ear.poll() {
            match event {
                EarEvent::SpeechStarted => {
                    self.remote_has_spoken = true;
                    self.effects.push_back(Effect::Emit(SpeechEvent::RemoteSpeechStarted));
                    if let Brain::Chat(chat) = &mut self.brain
                        && chat.stop()
                    {
                        self.mouth.end_line();
                        self.effects.push_back(Effect::StopThinking);
                    }
                }
                EarEvent::SpeechStopped => {
                    self.quiet_since_ms = now_ms;
                    self.effects.push_back(Effect::Emit(SpeechEvent::RemoteSpeechStopped));
                    self.consider();
                }
                EarEvent::Turn(HeardTurn { samples, started_ms, ended_ms }) => {
                    self.last_turn += 1;
                    let id = TurnId(self.last_turn);
                    self.turns.push_back(PendingTurn { id, started_ms, ended_ms, result: None });
                    self.effects.push_back(Effect::Recognize { turn: id, samples });
                }
                EarEvent::Music => {
                    if let Brain::Script(script) = &mut self.brain {
                        let acts = script.music();
                        self.act(acts);
                    }
                }
            }
        }
    }

    /// What the recognizer made of a turn.
    pub fn recognized(&mut self, now_ms: u64, turn: TurnId, transcript: Option<Transcript>) {
        if let Some(pending) = self.turns.iter_mut().find(|pending| pending.id == turn) {
            pending.result = Some(transcript);
        }
        while self.turns.front().is_some_and(|pending| pending.result.is_some()) {
            let Some(PendingTurn { started_ms, ended_ms, result, .. }) = self.turns.pop_front() else {
                break;
            };
            let transcript = result.flatten().filter(|transcript| !transcript.text.trim().is_empty());
            let (text, confidence) = match transcript {
                Some(Transcript { text, confidence }) => (Some(text), confidence),
                None => (None, None),
            };
            self.heard.push(Heard { text: text.clone(), confidence });
            self.effects.push_back(Effect::Emit(SpeechEvent::RemoteSaid {
                text: text.map(Into::into),
                confidence,
                started_ms,
                ended_ms,
            }));
        }
        self.quiet_since_ms = self.quiet_since_ms.max(now_ms);
        self.consider();
        self.report_last();
    }

    /// Whether every turn that ended has been recognized.
    pub fn is_settled(&self) -> bool {
        self.turns.is_empty()
    }

    /// Put to the brain what was heard, once the remote is done.
    fn consider(&mut self) {
        if self.heard.is_empty() || self.ear.is_speech() || !self.turns.is_empty() || self.is_mute() {
            return;
        }
        if matches!(self.brain, Brain::Chat(_)) && self.stage == Stage::Waiting {
            return;
        }
        if self.guarded {
            self.heard.clear();
            return;
        }
        // What was going to be said was thought up before this was heard.
        let unsaid = self.mouth.take_unsaid();
        self.put_cuts(unsaid);
        let heard = std::mem::take(&mut self.heard);
        match &mut self.brain {
            Brain::Script(script) => {
                let acts = script.heard(&heard);
                self.act(acts);
            }
            Brain::Chat(chat) => {
                chat.heard(&heard);
                self.think();
            }
        }
    }

    fn put_cuts(&mut self, cuts: Vec<Cut>) {
        for cut in cuts {
            match &mut self.brain {
                Brain::Script(script) => script.cut(&cut),
                Brain::Chat(chat) => chat.cut(&cut),
            }
        }
    }

    fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Say(text) => self.mouth.say(&text, false),
                Act::Tool(tool) => self.mouth.tool(tool),
            }
        }
    }

    fn think(&mut self) {
        if let Brain::Chat(chat) = &mut self.brain {
            self.effects.push_back(Effect::Think(chat.ask()));
        }
    }

    pub fn command(&mut self, now_ms: u64, command: SpeechCommand) {
        match command {
            SpeechCommand::Open { say } => self.opened(now_ms, say),
            SpeechCommand::Say { text } => {
                if let Brain::Chat(chat) = &mut self.brain {
                    chat.said(&text);
                }
                self.mouth.say(&text, true);
            }
            SpeechCommand::WrapUp { text } => self.wrap_up(&text),
            SpeechCommand::Note { text, respond } => {
                if let Brain::Script(script) = &mut self.brain {
                    script.told(&text);
                    self.quiet_since_ms = now_ms;
                }
                self.remark(respond, |chat| chat.note(&text));
            }
            SpeechCommand::Instruct { text, respond } => self.instruct(&text, respond),
            SpeechCommand::OwnerAnswered { question, answer, respond } => {
                self.owner_answered(now_ms, &question, answer.as_deref(), respond);
            }
            SpeechCommand::ToolOutput { id, output, respond } => {
                if let Brain::Script(script) = &mut self.brain {
                    let acts = script.tool_answered(id, &output, respond);
                    self.act(acts);
                }
                self.remark(respond, |chat| chat.tool_output(id, &output));
            }
            SpeechCommand::Brief(brief) => {
                self.brief_anew(now_ms, &brief);
            }
            SpeechCommand::Truncate(heard) => {
                let cut = self.mouth.cut(now_ms, heard);
                self.put_cuts(cut.into_iter().collect());
            }
            SpeechCommand::Suspend => self.suspend(now_ms),
            SpeechCommand::Resume => {
                self.suspended = false;
                self.quiet_since_ms = now_ms;
            }
            SpeechCommand::Close => self.close(now_ms),
        }
    }

    fn brief_anew(&mut self, now_ms: u64, brief: &Brief) {
        let another = self.task != brief.task;
        self.guarded = brief.is_guarded();
        self.task.clone_from(&brief.task);
        self.quiet_since_ms = now_ms;
        match &mut self.brain {
            Brain::Chat(chat) => chat.brief_anew(brief),
            Brain::Script(script) if another && !self.guarded => {
                **script = Script::new(brief);
                let acts = script.opened(None);
                self.act(acts);
            }
            Brain::Script(_) => {}
        }
    }

    /// Tell the chat model something, and have it answer if it should; a script goes its own way.
    fn remark(&mut self, respond: bool, tell: impl FnOnce(&mut Chat)) {
        if let Brain::Chat(chat) = &mut self.brain {
            tell(chat);
            if respond {
                self.think();
            }
        }
    }

    /// Follow a note of the owner's.
    fn instruct(&mut self, text: &str, respond: bool) {
        if let Brain::Script(_) = self.brain {
            let message = "a voice without a model follows no notes; have it say something instead";
            self.problem("instruction_ignored", message.to_owned());
        }
        self.remark(respond, |chat| chat.note(&notes::instruction(text)));
    }

    fn owner_answered(&mut self, now_ms: u64, question: &str, answer: Option<&str>, respond: bool) {
        match &mut self.brain {
            Brain::Chat(_) => self.remark(respond, |chat| chat.note(&notes::answer(question, answer))),
            Brain::Script(script) => {
                let acts = script.owner_answered(answer);
                self.quiet_since_ms = now_ms;
                self.act(acts);
            }
        }
    }

    /// Time is nearly up.
    fn wrap_up(&mut self, text: &str) {
        match &mut self.brain {
            Brain::Chat(chat) => chat.note(text),
            Brain::Script(script) => {
                let acts = script.wrap_up();
                let unsaid = if acts.is_empty() { Vec::new() } else { self.mouth.take_unsaid() };
                self.put_cuts(unsaid);
                for act in acts {
                    match act {
                        // There is no time to let the other side finish.
                        Act::Say(text) => self.mouth.say(&text, true),
                        Act::Tool(tool) => self.mouth.tool(tool),
                    }
                }
            }
        }
    }

    fn close(&mut self, now_ms: u64) {
        self.ear.finish();
        self.drain_ear(now_ms);
        self.stage = Stage::Closing;
        self.mouth.hush(now_ms);
        self.effects.push_back(Effect::StopThinking);
        self.report_last();
    }

    /// Once all is recognized that was said before the end: what became of the task, if that was not told.
    fn report_last(&mut self) {
        if let Brain::Script(script) = &mut self.brain
            && self.stage == Stage::Closing
            && self.turns.is_empty()
            && let Some(result) = script.cut_short(&std::mem::take(&mut self.heard))
        {
            let reason = "the other side is gone".into();
            self.mouth.tool_now(ToolCall::EndCall { reason, result: Some(Box::new(result)) });
        }
    }

    fn opened(&mut self, now_ms: u64, say: Option<Words>) {
        let again = std::mem::replace(&mut self.stage, Stage::Talking) == Stage::Talking;
        self.quiet_since_ms = now_ms;
        if let Some(say) = &say {
            self.mouth.open(say);
        }
        match &mut self.brain {
            // In the middle of a conversation it is the other side's turn after it.
            Brain::Script(_) if again || self.guarded => {}
            Brain::Chat(chat) if again || self.guarded => chat.said(say.as_deref().unwrap_or_default()),
            Brain::Script(script) => {
                let acts = script.opened(say.as_deref());
                self.act(acts);
            }
            Brain::Chat(chat) => {
                if let Some(say) = &say {
                    chat.said(say);
                }
                chat.heard(&std::mem::take(&mut self.heard));
                self.think();
            }
        }
    }

    fn suspend(&mut self, now_ms: u64) {
        self.suspended = true;
        self.ear.forget();
        self.drain_ear(now_ms);
        if let Brain::Chat(chat) = &mut self.brain
            && chat.stop()
        {
            self.effects.push_back(Effect::StopThinking);
        }
        let unsaid = self.mouth.hush(now_ms);
        self.put_cuts(unsaid);
    }

    /// The synthesizer is done with a sentence, or failed.
    pub fn spoken(&mut self, now_ms: u64, job: Job, result: Result<Arc<[i16]>, String>) {
        match result {
            Ok(samples) => {
                self.synthesis_failures = 0;
                self.mouth.spoken(now_ms, job, Some(samples), self.ear.is_speech());
            }
            Err(message) => {
                self.synthesis_failures += 1;
                self.problem("synthesizer", message);
                if self.synthesis_failures >= Self::SYNTHESIS_FAILURES {
                    self.effects.push_back(Effect::GiveUp);
                }
                self.mouth.spoken(now_ms, job, None, false);
            }
        }
    }

    /// What comes of a question to the chat model.
    pub fn thought(&mut self, event: ChatEvent) {
        let Brain::Chat(chat) = &mut self.brain else { return };
        if let ChatEvent::Failed { message } = &event {
            let problem = SpeechEvent::Problem { code: "brain".to_owned(), message: message.clone() };
            self.effects.push_back(Effect::Emit(problem));
        }
        let ended = !matches!(event, ChatEvent::Text(_));
        for act in chat.thought(event) {
            match act {
                Act::Say(sentence) => self.mouth.say_more(&sentence),
                Act::Tool(tool) => self.mouth.tool(tool),
            }
        }
        if ended {
            self.mouth.end_line();
        }
    }

    pub fn problem(&mut self, code: &str, message: String) {
        self.effects.push_back(Effect::Emit(SpeechEvent::Problem { code: code.to_owned(), message }));
    }
}

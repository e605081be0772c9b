//! Whatever arrives in whatever order: one end, nothing after it, and a live call always has a deadline.

use std::collections::HashSet;
use std::time::Duration;

use offhook_core::audio::{AudioFormat, Digit};
use offhook_core::brief::{Agents, Brief, Disclosure, Introduction, Language, Opening, Voicemail};
use offhook_core::call::{
    Action, AgentEvent, AgentOrder, AgentTask, Call, CallCommand, Claim, DialFailure, Direction, HoldSound,
    Input, LegEvent, Limits, SpeechEvent, ToolCall, ToolCallId, Utterance,
};
use offhook_core::end::{EndReason, from_sip_status};
use offhook_core::journal::{AgentFailure, AnsweredBy, Fact, Part, Party, TaskStatus};
use offhook_core::policy::{Facts, HandoffAllow, Policy, PolicyConfig};
use offhook_core::pump::{Heard, PumpEvent};
use offhook_core::{LegCommand, PhoneNumber, SpeechCommand, Timestamp};
use proptest::prelude::*;

fn leg_event() -> impl Strategy<Value = LegEvent> {
    prop_oneof![
        any::<bool>().prop_map(|early_media| LegEvent::Ringing { early_media }),
        Just(LegEvent::Answered { sip_call_id: None }),
        Just(LegEvent::MediaUp { format: AudioFormat::Pcmu, encrypted: true }),
        (0u8..16).prop_map(|event| LegEvent::Digit(Digit::from_event(event).expect("a key"))),
        Just(LegEvent::DigitsSent),
        Just(LegEvent::Held),
        Just(LegEvent::Resumed),
        Just(LegEvent::MediaLost),
        (300u16..700, any::<bool>()).prop_map(|(status, rang)| LegEvent::Failed(DialFailure {
            reason: from_sip_status(status, rang),
            sip_status: Some(status),
            q850_cause: None,
            detail: String::new(),
        })),
        Just(LegEvent::HungUp { q850_cause: None }),
        Just(LegEvent::Closed),
        Just(LegEvent::Lost),
    ]
}

fn tool() -> impl Strategy<Value = ToolCall> {
    let claim = Claim {
        quotes: vec!["hello".into(), "nobody said this".into()],
        ..Claim::new(TaskStatus::Achieved, "done")
    };
    prop_oneof![
        proptest::option::of(Just(claim))
            .prop_map(|result| ToolCall::EndCall { reason: "done".into(), result: result.map(Box::new) }),
        "[0-9w#x]{0,70}".prop_map(|digits| ToolCall::SendDigits { digits: digits.into() }),
        Just(ToolCall::ReportVoicemail { kind: AnsweredBy::Voicemail }),
        Just(ToolCall::ReportVoicemail { kind: AnsweredBy::Menu }),
        Just(ToolCall::ReportVoicemail { kind: AnsweredBy::Human }),
        Just(ToolCall::WaitOnHold),
        Just(ToolCall::ReportSpam),
        "[a-z ]{0,20}".prop_map(|message| ToolCall::TakeMessage {
            name: None,
            message: message.into(),
            call_back: None
        }),
        Just(ToolCall::LoopInUser { reason: "They want to speak to the user.".into() }),
        any::<bool>().prop_map(|joins| ToolCall::UserDecides { joins }),
        proptest::option::of(Just("me")).prop_map(|agent| ToolCall::InvokeAgent {
            agent: agent.map(Into::into),
            prompt: "When is the next train?".into(),
        }),
        proptest::option::of(Just("me")).prop_map(|agent| ToolCall::InvokeAgentAsync {
            agent: agent.map(Into::into),
            prompt: "Plan a day in Bern.".into(),
        }),
        "[0-3]".prop_map(|task_id| ToolCall::CheckAgentTask { task_id: task_id.into() }),
    ]
}

/// What agents report, of whatever task.
fn agent() -> impl Strategy<Value = AgentEvent> {
    (1u32..6, any::<bool>()).prop_map(|(task, answered)| match (AgentTask(task), answered) {
        (task, true) => AgentEvent::Answered { task, text: "At ten past nine.".into() },
        (task, false) => AgentEvent::Failed { task, failure: AgentFailure::Unreachable },
    })
}

/// At work at the same time.
const PARALLEL: u32 = 2;

fn agents() -> Agents {
    Agents {
        known: ["main", "me"].map(|name| (name.to_owned(), String::new())).into(),
        owner: Some("me".to_owned()),
        wait: Duration::from_secs(60),
        work: Duration::from_secs(300),
        parallel: PARALLEL,
        most: 5,
    }
}

fn sound() -> impl Strategy<Value = HoldSound> {
    prop_oneof![
        Just(HoldSound::Music),
        Just(HoldSound::LongSilence),
        Just(HoldSound::Announcement),
        Just(HoldSound::Person { since_ms: 900 }),
    ]
}

/// What the user's leg reports; mostly that it is there.
fn second() -> impl Strategy<Value = LegEvent> {
    prop_oneof![
        3 => Just(LegEvent::Answered { sip_call_id: None }),
        3 => Just(LegEvent::MediaUp { format: AudioFormat::Pcma, encrypted: false }),
        2 => Just(LegEvent::Digit(Digit::from_char('1').expect("a key"))),
        2 => leg_event(),
    ]
}

/// The user's own number.
const USER: &str = "+14155550190";

fn user() -> HandoffAllow {
    let number: PhoneNumber = USER.parse().expect("a number");
    let policy = Policy::new(PolicyConfig { sandbox: true, ..PolicyConfig::default() });
    policy.decide_handoff(&number, None, &Facts::default(), Timestamp::default()).expect("a permission")
}

fn speech_event() -> impl Strategy<Value = SpeechEvent> {
    prop_oneof![
        Just(SpeechEvent::Ready { model: "test".to_owned() }),
        Just(SpeechEvent::RemoteSpeechStarted),
        Just(SpeechEvent::RemoteSpeechStopped),
        proptest::option::of(Just("hello")).prop_map(|text| SpeechEvent::RemoteSaid {
            text: text.map(Into::into),
            confidence: None,
            started_ms: 0,
            ended_ms: 1
        }),
        (0u32..4).prop_map(|n| SpeechEvent::VoiceText { utterance: Utterance(n), text: "some words".into() }),
        tool().prop_map(|tool| SpeechEvent::ToolCall { id: ToolCallId(1), tool }),
        (0u32..4).prop_map(|n| SpeechEvent::UtteranceDone { utterance: Utterance(n) }),
        (0u32..4).prop_map(|n| SpeechEvent::Opened { utterance: Utterance(n) }),
        Just(SpeechEvent::Problem { code: "slow".to_owned(), message: String::new() }),
        Just(SpeechEvent::Reopening { why: String::new() }),
        Just(SpeechEvent::Reopened),
        Just(SpeechEvent::Lost { why: String::new() }),
    ]
}

/// What an owner asks of a call under way.
fn steering() -> impl Strategy<Value = CallCommand> {
    prop_oneof![
        Just(CallCommand::Say { text: "One more thing.".into() }),
        Just(CallCommand::Instruct { text: "Ask about Sunday, too.".into() }),
        Just(CallCommand::Press { digits: "1w2".into() }),
        Just(CallCommand::Answer { question_id: None, text: "The fifth of May.".into() }),
        Just(CallCommand::Press { digits: "one".into() }),
        Just(CallCommand::Bridge { to: Some(user()), introduction: None }),
        Just(CallCommand::Bridge { to: Some(user()), introduction: Some(Introduction::Straight) }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let heard = (0u32..4, 0u32..9_000, 0u32..9_000).prop_map(|(n, heard_ms, unheard_ms)| Heard {
        utterance: Utterance(n),
        heard_ms,
        of_ms: heard_ms + unheard_ms,
    });
    prop_oneof![
        1 => Just(Input::Command(CallCommand::HangUp)),
        1 => Just(Input::Command(CallCommand::Shutdown)),
        2 => steering().prop_map(Input::Command),
        8 => leg_event().prop_map(Input::Leg),
        6 => second().prop_map(Input::Second),
        1 => sound().prop_map(Input::Sound),
        2 => agent().prop_map(Input::Agent),
        1 => Just(Input::FirstCrossed { to_user_ms: 20, to_remote_ms: 40 }),
        8 => speech_event().prop_map(Input::Speech),
        2 => (0u32..4).prop_map(|n| Input::Pump(PumpEvent::Started(Utterance(n)))),
        2 => heard.clone().prop_map(|heard| Input::Pump(PumpEvent::Finished(heard))),
        1 => heard.prop_map(Input::CutOff),
        1 => Just(Input::Beep),
        1 => Just(Input::Problem { part: Part::Recording, code: "full".to_owned(), message: String::new() }),
    ]
}

fn call(inbound: bool, message: bool) -> Call {
    let direction = if inbound { Direction::Inbound } else { Direction::Outbound };
    let voicemail =
        if message { Voicemail::LeaveMessage("Call back.".to_owned()) } else { Voicemail::HangUp };
    let brief = Brief {
        opening: Opening::ListenFirst { deadline: Duration::from_secs(2) },
        voicemail,
        handoff: Some(if message { Introduction::Warm } else { Introduction::Straight }),
        ask_owner: Some(Duration::from_secs(60)),
        agents: Some(agents()),
        ..Brief::new("Ask.")
    };
    Call::new(direction, brief, Limits::default(), Timestamp::default()).with_user(Some(user()))
}

fn disclosure() -> String {
    Disclosure::FULL.words(Language::of("en-US")).expect("a full disclosure has words").to_owned()
}

/// What happens to a call that is not about to end at once.
fn in_talk() -> impl Strategy<Value = Input> {
    let heard =
        (0u32..4, 1u32..9_000).prop_map(|(n, ms)| Heard { utterance: Utterance(n), heard_ms: ms, of_ms: ms });
    prop_oneof![
        2 => Just(Input::Leg(LegEvent::Held)),
        2 => Just(Input::Leg(LegEvent::Resumed)),
        1 => Just(Input::Leg(LegEvent::DigitsSent)),
        1 => Just(Input::Beep),
        4 => second().prop_map(Input::Second),
        1 => steering().prop_map(Input::Command),
        1 => sound().prop_map(Input::Sound),
        1 => agent().prop_map(Input::Agent),
        2 => (0u32..4).prop_map(|n| Input::Speech(SpeechEvent::Opened { utterance: Utterance(n) })),
        2 => (0u32..4).prop_map(|n| Input::Pump(PumpEvent::Started(Utterance(n)))),
        2 => heard.clone().prop_map(|heard| Input::Pump(PumpEvent::Finished(heard))),
        1 => heard.prop_map(|heard| Input::CutOff(Heard { of_ms: heard.of_ms + 500, ..heard })),
        4 => speech_event()
            .prop_filter("the model stays", |event| !matches!(event, SpeechEvent::Lost { .. }))
            .prop_map(Input::Speech),
    ]
}

/// What an observer may rely on, checked after every input.
#[derive(Default)]
struct Observer {
    ended: Option<EndReason>,
    dials: u32,
    redials: u32,
    second_dials: u32,
    results: u32,
    turns: HashSet<u32>,
    joined: bool,
    silenced: bool,
    /// The voice speaks to the user, who is owed no disclosure but an introduction.
    private: bool,
    told: Told,
    /// What agents were given, and nothing came of yet; and who of them is at work.
    work: HashSet<u32>,
    at_work: HashSet<u32>,
}

/// Whether the one on the phone has heard what must be disclosed: what the model was told to say, which utterance that
/// ended with, and what was played.
#[derive(Default)]
struct Told {
    asked: bool,
    handed_over: Option<Utterance>,
    played: Option<Utterance>,
    held: bool,
}

impl Told {
    fn before(&mut self, input: &Input) {
        match input {
            Input::Leg(LegEvent::Held) => self.held = true,
            Input::Leg(LegEvent::Resumed) => self.held = false,
            Input::Speech(SpeechEvent::Opened { utterance }) if self.asked => {
                self.handed_over = Some(*utterance)
            }
            Input::Pump(PumpEvent::Finished(heard))
                if self.asked && !self.held && heard.heard_ms > 0 && heard.heard_ms >= heard.of_ms =>
            {
                self.played = Some(heard.utterance);
            }
            _ => {}
        }
    }
}

impl Observer {
    /// Nothing is said by the call to somebody who was not told; silence begins and ends in turns.
    fn spoken(&mut self, command: &SpeechCommand) {
        match command {
            SpeechCommand::Open { .. } | SpeechCommand::Say { .. } if self.private => {
                assert!(!self.silenced, "{command:?} in silence");
            }
            SpeechCommand::Open { say } => {
                let say = say.as_deref().expect("this brief has first words");
                assert!(say.starts_with(&disclosure()), "opened with {say:?}");
                assert!(!self.silenced, "opened in silence");
                self.told.asked = true;
            }
            SpeechCommand::Say { text } => {
                let text = text.as_str();
                assert!(self.told.asked, "{text:?} before the first words");
                assert!(self.told.handed_over.is_some(), "{text:?} before the first words were handed over");
                assert!(self.told.played.is_some(), "{text:?} before the first words were heard");
                assert!(!self.silenced, "{text:?} in silence");
            }
            SpeechCommand::Suspend => assert!(!std::mem::replace(&mut self.silenced, true), "silenced twice"),
            SpeechCommand::Resume => {
                assert!(std::mem::replace(&mut self.silenced, false), "resumed without silence")
            }
            _ => {}
        }
    }

    /// A result rests on turns that are there; two people who are connected are left alone.
    fn written(&mut self, fact: &Fact) {
        match fact {
            Fact::VoiceSaid { turn, .. }
            | Fact::RemoteSaid { turn, .. }
            | Fact::NotUnderstood { turn, .. } => {
                self.turns.insert(*turn);
            }
            Fact::Result { evidence_turns: turns, .. } | Fact::ResultItem { turns, .. } => {
                assert!(turns.iter().all(|turn| self.turns.contains(turn)), "{fact:?} without its turns");
            }
            Fact::ToolCalled { .. } | Fact::DigitReceived { .. } | Fact::OwnerSaid { .. } => {
                assert!(!self.joined, "{fact:?} after the join");
            }
            _ => {}
        }
    }

    /// Work begins once, ends once, and all of it with the call.
    fn worked(&mut self, action: &Action) {
        match action {
            Action::Journal(Fact::AgentAsked { task_id, .. }) => {
                assert!(self.work.insert(*task_id), "task {task_id} twice");
            }
            Action::Journal(
                Fact::AgentAnswered { task_id, .. }
                | Fact::AgentFailed { task_id, .. }
                | Fact::AgentCancelled { task_id },
            ) => {
                self.at_work.remove(task_id);
                assert!(self.work.remove(task_id), "task {task_id} ended, and was not begun");
            }
            Action::Journal(Fact::Ended { .. }) => {
                assert!(self.work.is_empty(), "work goes on without the call: {:?}", self.work);
            }
            Action::Agent(AgentOrder::Ask { task, .. }) => {
                assert!(self.work.contains(&task.0) && self.at_work.insert(task.0), "{task:?} asked again");
                assert!(self.at_work.len() <= PARALLEL as usize, "too many are at work");
            }
            Action::Agent(AgentOrder::Cancel { task }) => drop(self.at_work.remove(&task.0)),
            Action::Join => assert!(self.work.is_empty(), "work goes on without the voice"),
            _ => {}
        }
    }

    fn observe(&mut self, call: &mut Call) {
        while let Some(action) = call.poll() {
            assert!(self.ended.is_none(), "{action:?} after the end");
            self.worked(&action);
            if let Action::Journal(fact) = &action {
                self.written(fact);
            }
            match action {
                Action::Dial => self.dials += 1,
                Action::DialSecond { to } => {
                    assert_eq!(to, user(), "nobody else is called");
                    self.second_dials += 1;
                }
                Action::Attach(party) => self.private = party == Party::User,
                Action::Join => assert!(!std::mem::replace(&mut self.joined, true), "joined twice"),
                Action::Journal(Fact::DialRetried { .. }) => self.redials += 1,
                Action::Journal(Fact::Result { .. }) => self.results += 1,
                Action::Speech(command) => {
                    assert!(!self.joined, "{command:?} after the join");
                    self.spoken(&command);
                }
                Action::Journal(Fact::Ended { reason, .. }) => self.ended = Some(reason),
                _ => {}
            }
        }
        assert!(self.dials <= 1 + self.redials && self.redials <= 1, "dialled again without a reason");
        assert!(self.second_dials <= 2, "the user was called too often");
        assert!(self.results <= 1, "two results");
        assert_eq!(call.is_over(), self.ended.is_some());
        assert_eq!(
            call.deadline().is_none(),
            call.is_over(),
            "a live call has a deadline, an ended one has none"
        );
    }
}

proptest! {
    #[test]
    fn who_is_put_through_meets_no_voice(inputs in proptest::collection::vec((0u64..20_000, input()), 0..40)) {
        let mut call = Call::put_through(Brief::new(""), user(), Limits::default(), Timestamp::default());
        let (mut now, mut user_there, mut user_hears) = (Timestamp::default(), false, false);
        // Left alone at last.
        let ticks = std::iter::repeat_with(|| (60 * 60_000, Input::Tick)).take(8);
        for (pause_ms, input) in inputs.into_iter().chain(ticks) {
            now = now + Duration::from_millis(pause_ms);
            user_there |= matches!(&input, Input::Second(LegEvent::Answered { .. }));
            user_hears |= matches!(&input, Input::Second(LegEvent::MediaUp { .. }));
            call.handle(now, input);
            while let Some(action) = call.poll() {
                match action {
                    Action::Speech(SpeechCommand::Close) => {}
                    Action::Leg(LegCommand::Answer) => prop_assert!(user_there && user_hears, "answered for nobody"),
                    Action::Speech(_) | Action::Attach(_) | Action::Company(_) => {
                        prop_assert!(false, "{:?} without a voice", action)
                    }
                    Action::Journal(fact) => {
                        let code = fact.code();
                        let told = ["turn.", "tool.", "result.", "recording.", "leg.digit", "call.result"];
                        prop_assert!(!told.iter().any(|told| code.starts_with(told)), "{} was written", code);
                    }
                    _ => {}
                }
            }
        }
        prop_assert!(call.is_over());
    }

    #[test]
    fn any_order_of_inputs_ends_exactly_once(
        inbound: bool,
        message: bool,
        inputs in proptest::collection::vec((0u64..20_000, input()), 0..60),
    ) {
        let mut call = call(inbound, message);
        let mut observer = Observer::default();
        let mut now = Timestamp::default();
        for (pause_ms, input) in inputs {
            now = now + Duration::from_millis(pause_ms);
            observer.told.before(&input);
            call.handle(now, input);
            observer.observe(&mut call);
        }
        // Left alone, every call comes to its end by its own deadlines.
        for _ in 0..64 {
            let Some(deadline) = call.deadline() else { break };
            now = now.max(deadline);
            call.handle(now, Input::Tick);
            observer.observe(&mut call);
        }
        prop_assert!(call.is_over(), "still {:?}", call.state());
    }

    /// The same with a call that is answered, so that most of what is generated happens in a conversation.
    #[test]
    fn nobody_is_talked_to_who_does_not_know_to_whom(
        message: bool,
        inputs in proptest::collection::vec((0u64..4_000, in_talk()), 0..60),
    ) {
        let mut call = call(false, message);
        let mut observer = Observer::default();
        let mut now = Timestamp::default();
        let answered = [
            Input::Speech(SpeechEvent::Ready { model: "test".to_owned() }),
            Input::Leg(LegEvent::Answered { sip_call_id: None }),
        ];
        let inputs = answered.into_iter().map(|input| (0, input)).chain(inputs);
        for (pause_ms, input) in inputs {
            now = now + Duration::from_millis(pause_ms);
            while let Some(deadline) = call.deadline().filter(|deadline| *deadline < now) {
                call.handle(deadline, Input::Tick);
                observer.observe(&mut call);
            }
            observer.told.before(&input);
            call.handle(now, input);
            observer.observe(&mut call);
        }
    }

    #[test]
    fn a_deadline_never_lies_in_the_past_after_it_struck(inputs in proptest::collection::vec((0u64..9_000, input()), 0..40)) {
        let mut call = call(false, false);
        let mut now = Timestamp::default();
        for (pause_ms, input) in inputs {
            now = now + Duration::from_millis(pause_ms);
            call.handle(now, input);
            while call.poll().is_some() {}
            if let Some(deadline) = call.deadline() {
                prop_assert!(deadline > now, "{:?}", call.state());
            }
        }
    }
}

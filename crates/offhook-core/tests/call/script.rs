//! The little language of the timeline tests.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::Expect;
use offhook_core::audio::{AudioFormat, Digit};
use offhook_core::brief::{Approval, Brief, Pin};
use offhook_core::call::{
    Action, AgentEvent, AgentOrder, AgentTask, Call, CallCommand, Claim, DialFailure, Direction, HoldSound,
    Input, LegEvent, Limits, SpeechEvent, ToolCall, ToolCallId, Utterance,
};
use offhook_core::end::{EndReason, from_sip_status};
use offhook_core::journal::{AgentFailure, AnsweredBy, TaskStatus};
use offhook_core::policy::{Facts, HandoffAllow, Policy};
use offhook_core::pump::{Heard, PumpEvent};
use offhook_core::{LegCommand, PhoneNumber, SpeechCommand, Timestamp};

pub struct Scenario {
    pub direction: Direction,
    pub brief: Brief,
    pub limits: Limits,
    /// Whom the voice can have connected.
    pub user: Option<HandoffAllow>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self { direction: Direction::Outbound, brief: brief(), limits: Limits::default(), user: None }
    }
}

pub fn brief() -> Brief {
    Brief {
        greeting: Some("I am calling for Jordan Lee.".to_owned()),
        ..Brief::new("Ask whether a table for two is free on Friday at seven.")
    }
}

/// Run a script on an outbound call with default limits.
#[track_caller]
pub fn check(script: &str, expected: Expect) {
    Scenario::default().check(script, expected);
}

/// The same for a call that is answered at once; what leads there is not printed.
#[track_caller]
pub fn check_connected(script: &str, expected: Expect) {
    Scenario::default().check_connected(script, expected);
}

/// The same for a call whose first words were heard.
#[track_caller]
pub fn check_talking(script: &str, expected: Expect) {
    Scenario::default().check_talking(script, expected);
}

impl Scenario {
    #[track_caller]
    pub fn check_talking(self, script: &str, expected: Expect) {
        run(self.talking(), script, expected);
    }

    /// The same; what comes before is not printed.
    #[track_caller]
    pub fn check_after(self, before: &str, script: &str, expected: Expect) {
        let mut call = self.talking();
        play(&mut call, before);
        run(call, script, expected);
    }

    fn talking(self) -> Call {
        // Nothing is approved unless it is known what was said.
        let is_asking = self.brief.approval.is_some();
        let mut call = Call::new(self.direction, self.brief, self.limits, START).with_user(self.user);
        call.handle(START, input("ready"));
        call.handle(START, input("answered"));
        let at = START + Duration::from_millis(1_500);
        call.handle(at, input("tick"));
        if let Some(words) = is_asking.then(|| opening(&mut call)).flatten() {
            call.handle(at, input(&format!("voice_text 0 {words}")));
        }
        for what in ["playing 0", "opened 0", "played 0 1"] {
            call.handle(at, input(what));
        }
        while call.poll().is_some() {}
        call
    }

    #[track_caller]
    pub fn check(self, script: &str, expected: Expect) {
        let call = Call::new(self.direction, self.brief, self.limits, START).with_user(self.user);
        run(call, script, expected);
    }

    /// The same for a caller who is put through to the user.
    #[track_caller]
    pub fn check_put_through(self, script: &str, expected: Expect) {
        run(Call::put_through(self.brief, user(), self.limits, START), script, expected);
    }

    #[track_caller]
    pub fn check_connected(self, script: &str, expected: Expect) {
        let mut call = Call::new(self.direction, self.brief, self.limits, START).with_user(self.user);
        call.handle(START, input("ready"));
        call.handle(START, input("answered"));
        while call.poll().is_some() {}
        run(call, script, expected);
    }
}

/// What the voice is to say first.
fn opening(call: &mut Call) -> Option<String> {
    std::iter::from_fn(|| call.poll()).find_map(|action| match action {
        Action::Speech(SpeechCommand::Open { say }) => say.map(|words| words.to_string()),
        _ => None,
    })
}

/// The user's own phone, which may be connected.
pub fn user() -> HandoffAllow {
    let (policy, number) = (Policy::default(), PhoneNumber::parse("+13125562368").expect("a number"));
    policy.decide_handoff(&number, None, &Facts::default(), START).expect("a number that may be called")
}

const START: Timestamp = Timestamp::from_unix_millis(0);

#[track_caller]
fn run(mut call: Call, script: &str, expected: Expect) {
    let timeline = play(&mut call, script);
    expected.assert_eq(&dedent(&timeline));
}

fn play(call: &mut Call, script: &str) -> String {
    let mut timeline = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (at, what) = line.split_once(' ').unwrap_or_else(|| panic!("no input in {line:?}"));
        let at = START + Duration::from_millis(at.parse().unwrap_or_else(|_| panic!("no time in {line:?}")));
        tick_until(call, at, &mut timeline);
        call.handle(at, input(what));
        drain(call, at, &mut timeline);
    }
    timeline
}

/// As the snapshots are kept: without the indentation all lines share.
fn dedent(timeline: &str) -> String {
    let indent = timeline.lines().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    timeline.lines().map(|line| format!("{}\n", &line[indent..])).collect()
}

fn tick_until(call: &mut Call, until: Timestamp, timeline: &mut String) {
    while let Some(deadline) = call.deadline().filter(|deadline| *deadline < until) {
        call.handle(deadline, Input::Tick);
        drain(call, deadline, timeline);
    }
}

fn drain(call: &mut Call, now: Timestamp, timeline: &mut String) {
    while let Some(action) = call.poll() {
        writeln!(timeline, "{:>6} {}", now.unix_millis(), show(&action)).expect("a String takes every write");
    }
}

fn show(action: &Action) -> String {
    match action {
        Action::Dial => "dial".to_owned(),
        Action::Connect => "connect".to_owned(),
        Action::StopPlayout => "stop playout".to_owned(),
        Action::Leg(LegCommand::HangUp { reason }) => format!("leg: hang up, {reason}"),
        Action::Leg(LegCommand::SendDigits(digits)) => format!("leg: send digits {digits}"),
        Action::Leg(LegCommand::Answer) => "leg: answer".to_owned(),
        Action::Speech(command) => format!("speech: {}", show_speech(command)),
        Action::DialSecond { .. } => "dial the user".to_owned(),
        Action::Second(command) => format!("user's leg: {command:?}"),
        Action::Attach(party) => format!("attach the {party}"),
        Action::Company(wanted) => format!("company: {wanted}"),
        Action::Agent(AgentOrder::Ask { task, agent, prompt, .. }) => {
            let agent = agent.as_deref().unwrap_or("the usual agent");
            format!("agent: {agent} for task {}: {:?}", task.0, prompt.as_str())
        }
        Action::Agent(AgentOrder::Cancel { task }) => format!("agent: cancel task {}", task.0),
        Action::StopRecording => "stop recording".to_owned(),
        Action::Join => "join".to_owned(),
        Action::MaskRecording { from_ms, to_ms } => format!("mask recording {from_ms}-{to_ms} ms"),
        Action::Journal(fact) => {
            let fields =
                fact.fields().into_iter().map(|(name, value)| format!(" {name}={}", value_text(&value)));
            format!("journal: {}{}", fact.code(), fields.collect::<String>())
        }
    }
}

fn show_speech(command: &SpeechCommand) -> String {
    match command {
        SpeechCommand::Open { say: Some(words) } => format!("open with {:?}", words.as_str()),
        SpeechCommand::Open { say: None } => "open".to_owned(),
        SpeechCommand::Say { text } => format!("say {:?}", text.as_str()),
        SpeechCommand::WrapUp { text } => format!("wrap up {:?}", text.as_str()),
        SpeechCommand::Note { text, respond } => format!("note {:?}{}", text.as_str(), answer(*respond)),
        SpeechCommand::OwnerAnswered { question, answer: told, respond } => {
            let told = told.as_ref().map(offhook_core::Words::as_str);
            format!("owner answered {:?}: {told:?}{}", question.as_str(), answer(*respond))
        }
        SpeechCommand::Instruct { text, respond } => {
            format!("instruct {:?}{}", text.as_str(), answer(*respond))
        }
        SpeechCommand::ToolOutput { id, output, respond } => {
            format!("tool {} answered {output:?}{}", id.0, answer(*respond))
        }
        SpeechCommand::Brief(brief) => format!("brief {:?}", brief.task),
        SpeechCommand::Truncate(Heard { utterance, heard_ms, of_ms }) => {
            format!("truncate {} at {heard_ms} of {of_ms} ms", utterance.0)
        }
        SpeechCommand::Suspend => "suspend".to_owned(),
        SpeechCommand::Resume => "resume".to_owned(),
        SpeechCommand::Close => "close".to_owned(),
    }
}

fn answer(wanted: bool) -> &'static str {
    if wanted { ", wants an answer" } else { "" }
}

fn value_text(value: &offhook_core::journal::Value) -> String {
    use offhook_core::journal::Value;
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(list) => format!("{list:?}"),
    }
}

fn input(what: &str) -> Input {
    let (word, rest) = what.split_once(' ').unwrap_or((what, ""));
    match word {
        "tick" => Input::Tick,
        "owner_hangs_up" => Input::Command(CallCommand::HangUp),
        "approve_within" => Input::Command(CallCommand::Approve(Box::new(Approval {
            operation: rest.to_owned(),
            details: None,
            pin: Pin::parse("4711"),
        }))),
        "withdraw" => Input::Command(CallCommand::Withdraw),
        "shutdown" => Input::Command(CallCommand::Shutdown),
        "owner_says" => Input::Command(CallCommand::Say { text: rest.into() }),
        "owner_instructs" => Input::Command(CallCommand::Instruct { text: rest.into() }),
        "owner_answers" => Input::Command(CallCommand::Answer { question_id: None, text: rest.into() }),
        "owner_answers_1" => Input::Command(CallCommand::Answer { question_id: Some(1), text: rest.into() }),
        "owner_hands_over" => Input::Command(CallCommand::Bridge { to: Some(user()), introduction: None }),
        "user" => {
            let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            Input::Second(leg(word, rest).unwrap_or_else(|| panic!("no such input: {what}")))
        }
        "crossed" => Input::FirstCrossed { to_user_ms: 40, to_remote_ms: 20 },
        "owner_presses" => Input::Command(CallCommand::Press { digits: rest.into() }),
        "beep" => Input::Beep,
        "sounds_like" => Input::Sound(match rest {
            "music" => HoldSound::Music,
            "silence" => HoldSound::LongSilence,
            "announcement" => HoldSound::Announcement,
            "a_person" => HoldSound::Person { since_ms: 900 },
            _ => panic!("no such sound: {rest}"),
        }),
        "agent_answers" => {
            let (task, text) = rest.split_once(' ').expect("a task and its answer");
            Input::Agent(AgentEvent::Answered { task: AgentTask(number(task)), text: text.into() })
        }
        "agent_fails" => {
            let (task, why) = rest.split_once(' ').expect("a task and why");
            let failure = AgentFailure::from_code(why).expect("a failure");
            Input::Agent(AgentEvent::Failed { task: AgentTask(number(task)), failure })
        }
        "cut_off" => Input::CutOff(heard(rest)),
        "playing" => Input::Pump(PumpEvent::Started(Utterance(number(rest)))),
        "played" => Input::Pump(PumpEvent::Finished(heard(rest))),
        _ => leg(word, rest)
            .map(Input::Leg)
            .or_else(|| speech(word, rest).map(Input::Speech))
            .unwrap_or_else(|| panic!("no such input: {what}")),
    }
}

fn leg(word: &str, rest: &str) -> Option<LegEvent> {
    Some(match word {
        "ringing" => LegEvent::Ringing { early_media: false },
        "early_media" => LegEvent::Ringing { early_media: true },
        "answered" => LegEvent::Answered { sip_call_id: None },
        "media_up" => LegEvent::MediaUp { format: AudioFormat::Pcmu, encrypted: false },
        "digit" => LegEvent::Digit(rest.chars().next().and_then(Digit::from_char).expect("a key")),
        "digits_sent" => LegEvent::DigitsSent,
        "held" => LegEvent::Held,
        "resumed" => LegEvent::Resumed,
        "media_lost" => LegEvent::MediaLost,
        "sip" => {
            let status = number(rest) as u16;
            let reason = from_sip_status(status, false);
            LegEvent::Failed(DialFailure {
                reason,
                sip_status: Some(status),
                q850_cause: None,
                detail: String::new(),
            })
        }
        "no_line" => LegEvent::Failed(DialFailure {
            reason: EndReason::CarrierNoLine,
            sip_status: None,
            q850_cause: None,
            detail: "all lines are in use".to_owned(),
        }),
        "remote_hangs_up" => LegEvent::HungUp { q850_cause: Some(16) },
        "closed" => LegEvent::Closed,
        "leg_lost" => LegEvent::Lost,
        _ => return None,
    })
}

fn speech(word: &str, rest: &str) -> Option<SpeechEvent> {
    let id = ToolCallId(1);
    Some(match word {
        "ready" => SpeechEvent::Ready { model: "test".to_owned() },
        "remote_starts" => SpeechEvent::RemoteSpeechStarted,
        "remote_stops" => SpeechEvent::RemoteSpeechStopped,
        "remote_said" => SpeechEvent::RemoteSaid {
            text: Some(rest.into()),
            confidence: None,
            started_ms: 0,
            ended_ms: 500,
        },
        "said_at" => {
            let (started_ms, text) = rest.split_once(' ').expect("when it was said, and what");
            let started_ms = number(started_ms);
            SpeechEvent::RemoteSaid {
                text: Some(text.into()),
                confidence: None,
                started_ms,
                ended_ms: started_ms + 500,
            }
        }
        "remote_mumbled" => {
            SpeechEvent::RemoteSaid { text: None, confidence: None, started_ms: 0, ended_ms: 500 }
        }
        "voice_text" => {
            let (utterance, text) = rest.split_once(' ').expect("an utterance and its text");
            SpeechEvent::VoiceText { utterance: Utterance(number(utterance)), text: text.into() }
        }
        "opened" => SpeechEvent::Opened { utterance: Utterance(number(rest)) },
        "menu" => SpeechEvent::ToolCall { id, tool: ToolCall::ReportVoicemail { kind: AnsweredBy::Menu } },
        "end_call" => SpeechEvent::ToolCall {
            id,
            tool: ToolCall::EndCall { reason: "done".into(), result: claim(rest).map(Box::new) },
        },
        "press" => SpeechEvent::ToolCall { id, tool: ToolCall::SendDigits { digits: rest.into() } },
        "voicemail" => {
            SpeechEvent::ToolCall { id, tool: ToolCall::ReportVoicemail { kind: AnsweredBy::Voicemail } }
        }
        "ask" => SpeechEvent::ToolCall { id, tool: ToolCall::AskOwner { question: rest.into() } },
        "decides" => SpeechEvent::ToolCall { id, tool: ToolCall::Decide { approve: rest == "yes" } },
        "hold" => SpeechEvent::ToolCall { id, tool: ToolCall::WaitOnHold },
        "invoke" => {
            SpeechEvent::ToolCall { id, tool: ToolCall::InvokeAgent { agent: None, prompt: rest.into() } }
        }
        "invoke_of" => {
            let (agent, prompt) = rest.split_once(' ').expect("an agent and what it is asked");
            let (agent, prompt) = (Some(agent.into()), prompt.into());
            SpeechEvent::ToolCall { id, tool: ToolCall::InvokeAgent { agent, prompt } }
        }
        "invoke_async" => {
            let tool = ToolCall::InvokeAgentAsync { agent: None, prompt: rest.into() };
            SpeechEvent::ToolCall { id, tool }
        }
        "invoke_async_of" => {
            let (agent, prompt) = rest.split_once(' ').expect("an agent and what it is asked");
            let (agent, prompt) = (Some(agent.into()), prompt.into());
            SpeechEvent::ToolCall { id, tool: ToolCall::InvokeAgentAsync { agent, prompt } }
        }
        "check_task" => SpeechEvent::ToolCall { id, tool: ToolCall::CheckAgentTask { task_id: rest.into() } },
        "message" => SpeechEvent::ToolCall { id, tool: message(rest) },
        "spam" => SpeechEvent::ToolCall { id, tool: ToolCall::ReportSpam },
        "wants_user" => SpeechEvent::ToolCall { id, tool: ToolCall::LoopInUser { reason: rest.into() } },
        "user_joins" => SpeechEvent::ToolCall { id, tool: ToolCall::UserDecides { joins: true } },
        "user_stays_out" => SpeechEvent::ToolCall { id, tool: ToolCall::UserDecides { joins: false } },
        "reopening" => SpeechEvent::Reopening { why: rest.to_owned() },
        "reopened" => SpeechEvent::Reopened,
        "speech_lost" => SpeechEvent::Lost { why: rest.to_owned() },
        _ => return None,
    })
}

fn number(text: &str) -> u32 {
    text.trim().parse().unwrap_or_else(|_| panic!("not a number: {text:?}"))
}

/// "summary | quote | quote"; nothing at all is no claim.
fn claim(rest: &str) -> Option<Claim> {
    let mut parts = rest.split(" | ");
    let summary = parts.next().filter(|summary| !summary.is_empty())?;
    let quotes = parts.map(Into::into).collect();
    Some(Claim { quotes, ..Claim::new(TaskStatus::Achieved, summary) })
}

/// "utterance heard_ms of_ms"; what was played was played whole.
fn heard(rest: &str) -> Heard {
    let mut numbers = rest.split(' ').map(number);
    let (utterance, heard_ms) = numbers.next().zip(numbers.next()).expect("an utterance and milliseconds");
    Heard { utterance: Utterance(utterance), heard_ms, of_ms: numbers.next().unwrap_or(heard_ms) }
}

/// `Ana; it is late; +1206…`: name, message and number, or the message alone.
fn message(rest: &str) -> ToolCall {
    match rest.split("; ").collect::<Vec<_>>()[..] {
        [name, message, call_back] => ToolCall::TakeMessage {
            name: Some(name.into()),
            message: message.into(),
            call_back: Some(call_back.into()),
        },
        _ => ToolCall::TakeMessage { name: None, message: rest.into(), call_back: None },
    }
}

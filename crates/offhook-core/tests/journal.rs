//! Every fact leaves the process as code and fields, and comes back the same.

use std::collections::BTreeSet;

use offhook_core::call::{Action, Input, ToolCall, ToolCallId, Utterance};
use offhook_core::journal::{
    AgentFailure, AnsweredBy, BlockerKind, DecidedBy, Fact, GivenBy, HandoffBy, HandoffFailure, HoldBy,
    ItemKind, Part, Party, Release, SecretKind, TaskStatus, Value,
};
use offhook_core::{Digit, EndReason, LegCommand, LegEvent, SpeechCommand, SpeechEvent};
use proptest::prelude::*;

/// Some value of every type a field can have.
#[derive(Clone, Debug)]
struct Sample(Vec<Value>);

fn sample() -> impl Strategy<Value = Sample> {
    fn one_of(codes: Vec<&'static str>) -> impl Strategy<Value = Value> {
        prop::sample::select(codes).prop_map(|code| Value::Text(code.to_owned()))
    }
    let values = (
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<u32>().prop_map(|int| Value::Int(int.into())),
        any::<u8>().prop_map(|int| Value::Int(int.into())),
        prop::collection::vec(any::<u32>().prop_map(i64::from), 0..5).prop_map(Value::List),
        one_of(AnsweredBy::ALL.iter().map(|code| code.code()).collect()),
        one_of(TaskStatus::ALL.iter().map(|code| code.code()).collect()),
        one_of(Part::ALL.iter().map(|code| code.code()).collect()),
        one_of(Release::ALL.iter().map(|code| code.code()).collect()),
        one_of(EndReason::TABLE.iter().map(|row| row.code).collect()),
        ".{0,12}".prop_map(Value::Text),
    );
    let more = (
        one_of(BlockerKind::ALL.iter().map(|code| code.code()).collect()),
        one_of(ItemKind::ALL.iter().map(|code| code.code()).collect()),
        one_of(HoldBy::ALL.iter().map(|code| code.code()).collect()),
        one_of(HandoffBy::ALL.iter().map(|code| code.code()).collect()),
        one_of(HandoffFailure::ALL.iter().map(|code| code.code()).collect()),
        one_of(Party::ALL.iter().map(|code| code.code()).collect()),
        one_of(SecretKind::ALL.iter().map(|code| code.code()).collect()),
        one_of(AgentFailure::ALL.iter().map(|code| code.code()).collect()),
        one_of(GivenBy::ALL.iter().map(|code| code.code()).collect()),
        one_of(DecidedBy::ALL.iter().map(|code| code.code()).collect()),
    );
    let values = (values, more).prop_map(|(v, w)| {
        let v = vec![v.0, v.1, v.2, v.3, v.4, v.5, v.6, v.7, v.8, v.9, v.10, Value::Null];
        [v, vec![w.0, w.1, w.2, w.3, w.4, w.5, w.6, w.7, w.8, w.9]].concat()
    });
    values.prop_shuffle().prop_map(Sample)
}

/// Makes a fact of this code by trying every value on every field. Fields are read in order, so the last one asked
/// for is the one whose value did not fit.
fn build(code: &str, samples: &[Sample]) -> (Fact, Vec<(String, Value)>) {
    let mut choices: Vec<usize> = Vec::new();
    for _ in 0..1_000 {
        let mut asked = Vec::new();
        let fact = Fact::from_fields(code, |name| {
            let n = asked.len();
            if choices.len() <= n {
                choices.push(0);
            }
            let value = samples[n % samples.len()].0[choices[n]].clone();
            asked.push((name.to_owned(), value.clone()));
            value
        });
        if let Some(fact) = fact {
            return (fact, asked);
        }
        choices.truncate(asked.len());
        *choices.last_mut().expect("a fact without fields always fits") += 1;
    }
    panic!("no value fits a field of {code}");
}

proptest! {
    #[test]
    fn from_fields_is_the_inverse_of_fields(samples in prop::collection::vec(sample(), 8)) {
        for (code, names) in Fact::TABLE {
            let (fact, given) = build(code, &samples);
            prop_assert_eq!(fact.code(), *code);
            let fields = fact.fields();
            prop_assert_eq!(&fields.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
            let fields: Vec<(String, Value)> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            prop_assert_eq!(&fields, &given);
            let again = Fact::from_fields(code, |name| {
                fields.iter().find(|(field, _)| field == name).map_or(Value::Null, |(_, value)| value.clone())
            });
            prop_assert_eq!(again, Some(fact));
        }
    }
}

#[test]
fn codes_are_unique_and_dotted() {
    let codes: BTreeSet<&str> = Fact::TABLE.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes.len(), Fact::TABLE.len());
    for code in codes {
        let (area, what) = code.split_once('.').expect("area.what");
        assert!(
            [area, what].iter().all(|part| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')),
            "{code}"
        );
    }
}

#[test]
fn an_unknown_code_is_no_fact() {
    assert_eq!(Fact::from_fields("call.levitated", |_| Value::Null), None);
}

#[test]
fn only_optional_fields_may_be_absent() {
    let answered = Fact::from_fields("call.answered", |_| Value::Null);
    assert_eq!(answered, Some(Fact::Answered { sip_call_id: None }));
    assert_eq!(Fact::from_fields("call.dialing", |_| Value::Null), None);
}

#[test]
fn a_value_of_the_wrong_type_or_size_is_refused() {
    let waited = |value: Value| Fact::from_fields("hold.ended", |_| value.clone());
    assert_eq!(waited(Value::Int(1_500)), Some(Fact::HoldEnded { waited_ms: 1_500 }));
    for wrong in [Value::Int(-1), Value::Int(1 << 32), Value::Text("1500".into()), Value::Bool(true)] {
        assert_eq!(waited(wrong), None);
    }
}

#[test]
fn integers_beyond_the_store_are_capped() {
    let stats = Fact::MediaStats {
        received_frames: u64::MAX,
        sent_frames: 0,
        lost_frames: 0,
        concealed_frames: 0,
        late_frames: 0,
        jitter_ms: 0,
        round_trip_ms: None,
        dropped_frames: 0,
    };
    assert_eq!(stats.fields()[0], ("received_frames", Value::Int(i64::MAX)));
}

/// What goes through a call shows in a log line, by accident or in a panic, nothing of what was said, pressed or dialled.
#[test]
fn what_people_said_is_not_in_debug() {
    let facts = [
        Fact::Dialing { line: "+14155550199".into() },
        Fact::DigitsSent { digits: "4711#".into() },
        Fact::RemoteSaid {
            turn: 3,
            started_ms: 1,
            ended_ms: 2,
            text: "My birthday is".into(),
            confidence: Some(900),
        },
        Fact::ToolCalled { tool: "send_digits".into(), arguments: "4711#".into() },
        Fact::Result { status: TaskStatus::Achieved, summary: "Table at 7.".into(), evidence_turns: vec![3] },
        Fact::Problem { part: Part::Leg, code: "sip".into(), message: "sip:+14155550199@host".into() },
    ];
    let lines: Vec<String> = facts.iter().map(|fact| format!("{fact:?}")).collect();
    let inputs = [
        Input::Leg(LegEvent::Digit(Digit::from_char('7').unwrap())),
        Input::Speech(SpeechEvent::VoiceText { utterance: Utterance(1), text: "My code is 4711".into() }),
        Input::Speech(SpeechEvent::ToolCall {
            id: ToolCallId(1),
            tool: ToolCall::SendDigits { digits: "4711#".into() },
        }),
    ];
    let inputs = inputs.iter().map(|input| format!("{input:?}"));
    let actions = [
        Action::Leg(LegCommand::SendDigits("4711#".into())),
        Action::Speech(SpeechCommand::Say { text: "Your code is 4711".into() }),
    ];
    let lines: Vec<String> =
        lines.into_iter().chain(inputs).chain(actions.iter().map(|action| format!("{action:?}"))).collect();
    expect_test::expect![[r#"
        call.dialing line=<12 characters>
        leg.digits_sent digits=<5 characters>
        turn.remote turn=3 started_ms=1 ended_ms=2 text=<14 characters> confidence=900
        tool.called tool=send_digits arguments=<5 characters>
        call.result status=achieved summary=<11 characters> evidence_turns=[3]
        call.problem part=leg code=sip message=<21 characters>
        Leg(Digit(Digit))
        Speech(VoiceText { utterance: Utterance(1), text: <15 characters> })
        Speech(ToolCall { id: ToolCallId(1), tool: SendDigits { digits: <5 characters> } })
        Leg(SendDigits <5 characters>)
        Speech(Say { text: <17 characters> })"#]]
    .assert_eq(&lines.join("\n"));
}

//! What is to be approved is read out as it stands, and nothing beside it; and what a PIN may cost to keep out of texts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use offhook_core::Timestamp;
use offhook_core::brief::{Approval, Brief, HashedPin, Pin};
use offhook_core::call::{
    Action, Call, Direction, Input, LegEvent, Limits, SpeechEvent, ToolCall, ToolCallId, Utterance,
};
use offhook_core::journal::Fact;
use offhook_core::pump::{Heard, PumpEvent};

/// Whether a reading of "Do not pay $40 to Acme, please" counts.
fn is_read_by(said: &str) -> bool {
    let approval =
        Approval { operation: "Do not pay $40 to Acme, please".to_owned(), details: None, pin: None };
    let mut now = Timestamp::default();
    let brief = Brief { approval: Some(approval), ..Brief::new("Ask.") };
    let mut call = Call::new(Direction::Outbound, brief, Limits::default(), now);
    let (utterance, heard_ms) = (Utterance(0), 4_000);
    let heard = Heard { utterance, heard_ms, of_ms: heard_ms };
    for input in [
        Input::Speech(SpeechEvent::Ready { model: "test".to_owned() }),
        Input::Leg(LegEvent::Answered { sip_call_id: None }),
        Input::Tick,
        Input::Speech(SpeechEvent::VoiceText { utterance, text: said.into() }),
        Input::Pump(PumpEvent::Started(utterance)),
        Input::Speech(SpeechEvent::Opened { utterance }),
        Input::Pump(PumpEvent::Finished(heard)),
    ] {
        now = now + Duration::from_millis(1_000);
        call.handle(now, input);
    }
    std::iter::from_fn(|| call.poll())
        .any(|action| matches!(action, Action::Journal(Fact::ApprovalAsked { .. })))
}

#[test]
fn word_for_word_is_every_word_and_none_beside_it() {
    let hello = "Hello, this is an AI assistant. I am asked to get your approval for this:";
    let how = "That is all of it. To approve, press 1. To decline, press 2 or say no.";
    for (said, counts) in [
        (format!("{hello} Do not pay $40 to Acme, please. {how}"), true),
        (format!("{hello} do not pay forty dollars to Acme please {how}"), true),
        (
            format!(
                "{hello} Do not pay $40 to Acme, please. That's all. To approve, press one. To decline, press two or say no."
            ),
            false,
        ),
        (format!("{hello} Do pay $40 to Acme, please. {how}"), false),
        (format!("{hello} Do not pay $400 to Acme, please. {how}"), false),
        (format!("{hello} Do not pay $40 to Zenith, please. {how}"), false),
        (format!("{hello} Do not pay $40 or anything else to Acme, please. {how}"), false),
        (format!("{hello} Do not pay $40 to Acme, please. This is only a test. {how}"), false),
        (format!("{hello} Do not pay $40 to Acme, please. {how} It was only a test."), false),
        ("Shall I?".to_owned(), false),
    ] {
        assert_eq!(is_read_by(&said), counts, "{said}");
    }
}

/// Hashes counted: each takes its time, in which no audio goes out.
#[derive(Default)]
struct Counted(AtomicU32);

impl HashedPin for Counted {
    fn is(&self, digits: &str) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        digits == "1005"
    }
}

#[test]
fn a_text_full_of_numbers_is_not_searched_for_the_pin_without_end() {
    let counted = Arc::new(Counted::default());
    let approval = Approval {
        operation: "Deploy".to_owned(),
        details: None,
        pin: Some(Pin::hashed(4, Arc::clone(&counted) as Arc<dyn HashedPin>)),
    };
    let brief = Brief { approval: Some(approval), ..Brief::new("Ask.") };
    let mut call = Call::new(Direction::Outbound, brief, Limits::default(), Timestamp::default());
    let orders = (1000..1200).map(|order| format!("order {order} is sent; ")).collect::<String>();
    for input in [
        Input::Speech(SpeechEvent::Ready { model: "test".to_owned() }),
        Input::Leg(LegEvent::Answered { sip_call_id: None }),
        Input::Speech(SpeechEvent::ToolCall {
            id: ToolCallId(1),
            tool: ToolCall::AskOwner { question: orders.into() },
        }),
    ] {
        call.handle(Timestamp::default(), input);
    }
    let written = std::iter::from_fn(|| call.poll()).find_map(|action| match action {
        Action::Journal(Fact::ToolCalled { arguments, .. }) => Some(arguments),
        _ => None,
    });
    let written = written.expect("what was asked");
    assert!(counted.0.load(Ordering::Relaxed) <= 8);
    assert!(written.starts_with("order 1000 is sent; order 1001"), "{written}");
    assert!(written.contains("order 1004 is sent; order •••• is sent; order 1006"), "{written}");
    assert!(written.ends_with("order •••• is sent; "), "{written}");
}

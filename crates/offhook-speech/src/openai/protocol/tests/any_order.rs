//! Whatever comes in whatever order: nothing panics, and the promises to the call are kept.

use offhook_core::call::{SpeechEvent, Utterance};
use proptest::prelude::*;

use super::{Run, event};
use crate::SpeechOutput;
use crate::openai::server_event;

const LINES: &[&str] = &[
    "connected",
    "lost the connection broke off",
    "hear 3",
    "open Hello.",
    "open",
    "say One.",
    "note By the way.",
    "ask Well?",
    "output 1 done",
    "truncate 1 40",
    "truncate 2 40",
    "suspend",
    "resume",
    "tick",
    "format pcma",
    "format pcmu",
    "server session.updated session.audio.output.format.type=audio/pcma",
    "server session.created session.expires_at=1763686800",
    "server session.updated session.model=m",
    "server input_audio_buffer.speech_started item_id=u1 audio_start_ms=5",
    "server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=99999999999",
    "server input_audio_buffer.committed item_id=u1",
    "server conversation.item.input_audio_transcription.completed item_id=u1 transcript=Yes.",
    "server conversation.item.input_audio_transcription.failed item_id=u2 error.code=x",
    "server response.created response.id=r1",
    "server response.created response.id=r2",
    "server response.output_item.added response_id=r1 item.id=i1 item.type=message",
    "server response.output_audio.delta response_id=r1 item_id=i1 audio=30",
    "server response.output_audio.delta response_id=r2 item_id=i2 audio=30",
    "server response.output_audio_transcript.delta response_id=r1 item_id=i1 delta=words",
    "server response.output_audio_transcript.done response_id=r2 item_id=i2 transcript=words",
    "server response.output_audio.done response_id=r1 item_id=i1",
    "server response.output_item.done item.type=function_call item.call_id=c1 item.name=wait_on_hold item.arguments={}",
    "server response.done response.id=r1 response.status=completed",
    "server response.done response.id=r2 response.status=cancelled",
    "server response.done response.id=r1 response.status=failed",
    "server error error.code=conversation_already_has_active_response",
    "server error error.code=response_cancel_not_active",
    "server error error.code=input_audio_buffer_commit_empty",
    "server error error.code=session_expired",
    "server error error.code=other error.event_id=offhook_3",
];

proptest! {
    #[test]
    fn promises_are_kept(opened: bool, steps in prop::collection::vec((0..LINES.len(), 0_i64..4_000), 0..120)) {
        let mut run = Run::new(|_| {});
        let mut at = 0;
        run.play("0 connected\n0 server session.updated session.model=m");
        if opened {
            run.play("0 open Hello.");
        }
        for (index, wait) in steps {
            at += wait;
            run.play(&format!("{at} {}", LINES[index]));
        }
        run.play(&format!("{at} close\n{} tick", at + 60_000));
        check_promises(&run.outputs)?;
        prop_assert_eq!(run.protocol.connection(), None);
        prop_assert_eq!(run.protocol.deadline(), None);
    }

    #[test]
    fn any_text_is_an_event_or_none(text in "\\PC{0,200}") {
        let _ = server_event::parse(&text);
    }

    /// Cut, or with a character changed.
    #[test]
    fn a_damaged_event_does_no_harm(index in 0..LINES.len(), at in any::<prop::sample::Index>(), with in any::<char>()) {
        let Some(line) = LINES[index].strip_prefix("server ") else { return Ok(()) };
        let text = event(line);
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let _ = server_event::parse(&chars[..at].iter().collect::<String>());
        chars[at] = with;
        let mut run = Run::new(|_| {});
        run.play("0 connected");
        run.protocol.handle(&chars.iter().collect::<String>(), run.now());
    }
}

/// Exactly one `Lost`, and it is the last; every utterance with audio ends once, and nothing of it comes after.
fn check_promises(outputs: &[SpeechOutput]) -> Result<(), TestCaseError> {
    let lost = |output: &SpeechOutput| matches!(output, SpeechOutput::Event(SpeechEvent::Lost { .. }));
    prop_assert_eq!(outputs.iter().filter(|output| lost(output)).count(), 1);
    prop_assert!(outputs.last().is_some_and(lost));
    let mut open: Vec<Utterance> = Vec::new();
    let mut done: Vec<Utterance> = Vec::new();
    for output in outputs {
        match output {
            SpeechOutput::Audio { utterance, .. } => {
                prop_assert!(!done.contains(utterance), "audio after the end of {:?}", utterance);
                open.push(*utterance);
            }
            SpeechOutput::Event(SpeechEvent::UtteranceDone { utterance }) => {
                prop_assert!(!done.contains(utterance), "{:?} ended twice", utterance);
                done.push(*utterance);
            }
            _ => {}
        }
    }
    prop_assert!(open.iter().all(|utterance| done.contains(utterance)), "an utterance never ended");
    Ok(())
}

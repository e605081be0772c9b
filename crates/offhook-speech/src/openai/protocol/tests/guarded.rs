//! While a PIN or an approval is asked for the model answers nobody by itself, and no other connection hears of it.

use expect_test::expect;

use super::{Run, guarded, prompt};

const SAID: &str = "
    2000 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=1000
    3000 server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=2000
    3000 server input_audio_buffer.committed item_id=u1
    3100 server conversation.item.input_audio_transcription.completed item_id=u1 transcript=Yes,+4711.
";

#[test]
fn a_turn_is_told_and_not_answered_until_the_call_says_so() {
    let prompt = crate::Prompt { brief: guarded("Deploy build 42"), ..prompt() };
    let mut run = Run::with(prompt, |_| {});
    run.play(
        "0 connected
         0 server session.updated session.model=gpt-realtime-2.1
         0 open I am asked to get your approval.
         0 server response.created response.id=r0
         0 server response.output_audio.delta response_id=r0 item_id=i0 audio=300
         500 server response.done response.id=r0 response.status=completed",
    );
    run.play(SAID);
    run.play(
        "4000 ask They asked something.
         4000 server response.created response.id=r1
         4500 server response.done response.id=r1 response.status=completed
         5000 brief Go on.
         5000 server session.updated session.model=gpt-realtime-2.1
         5000 server session.updated session.model=gpt-realtime-2.1",
    );
    expect![[r#"
        0 = connection 1
        0 > #1 session.update all, reported
        0 Ready { model: "gpt-realtime-2.1" }
        0 > #2 response.create "I am asked to get your approval."
        0 audio 1 300 ms
        500 UtteranceDone 1
        500 Opened 1
        2000 RemoteSpeechStarted
        3000 RemoteSpeechStopped
        3100 > #3 conversation.item.delete
        3100 RemoteSaid "Yes, 4711.", 1000-2000 ms
        4000 > #4 conversation.item.create system "They asked something."
        4000 > #5 response.create freely
        5000 > #6 session.update 
        5000 > #7 session.update turns, answered
    "#]]
    .assert_eq(&run.log);
    let history: Vec<String> = run.history().collect();
    assert_eq!(history, ["System: They asked something."], "no word of the answer");
}

#[test]
fn within_a_conversation_it_is_silent_from_then_on() {
    let mut run = Run::new(|_| {});
    run.play(
        "0 connected
         0 server session.updated session.model=gpt-realtime-2.1
         0 open Hello.
         0 server response.created response.id=r0
         0 server response.output_audio.delta response_id=r0 item_id=i0 audio=300
         500 server response.done response.id=r0 response.status=completed
         500 server session.updated session.model=gpt-realtime-2.1",
    );
    run.log.clear();
    run.play(
        "1000 guard Deploy build 42
         1000 server session.updated session.model=gpt-realtime-2.1
         1000 server session.updated session.model=gpt-realtime-2.1",
    );
    run.play(SAID);
    run.play("4000 lost gone\n4100 connected\n4200 server session.updated session.model=gpt-realtime-2.1");
    expect![[r#"
        1000 > #4 session.update 
        1000 > #5 session.update turns, reported
        2000 RemoteSpeechStarted
        3000 RemoteSpeechStopped
        3100 > #6 conversation.item.delete
        3100 RemoteSaid "Yes, 4711.", 1000-2000 ms
        4000 = connection 2
        4000 Reopening { why: "gone" }
        4100 > #7 session.update all, reported
        4200 > #8 response.create by instruction
        4200 Reopened
    "#]]
    .assert_eq(&run.log);
}

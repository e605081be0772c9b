//! Opening, turns, barge-in, tools, hold.

use expect_test::expect;

use super::{Run, TALKING, check, check_talking};

#[test]
fn nothing_comes_between_the_first_words() {
    check(
        TALKING,
        expect![[r#"
            0 = connection 1
            0 > #1 session.update all, reported
            0 Ready { model: "gpt-realtime-2.1" }
            0 > #2 response.create "Hello."
            0 audio 1 300 ms
            0 UtteranceDone 1
            0 VoiceText 1 "Hello."
            0 > #3 session.update turns, answered
            0 Opened 1
        "#]],
    );
}

/// The remote began to speak while the first words were made: the server was told not to answer, so we ask.
#[test]
fn who_speaks_into_the_first_words_is_answered_after_them() {
    check(
        "
        0 connected
        0 server session.updated session.model=m
        10 open Hello.
        20 server response.created response.id=r0
        30 server response.output_audio.delta response_id=r0 item_id=i0 audio=30
        40 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=20
        50 server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=700
        50 server input_audio_buffer.committed item_id=u1
        60 server response.output_audio.done response_id=r0 item_id=i0
        60 server response.done response.id=r0 response.status=completed
        70 server session.updated session.model=m
        ",
        expect![[r#"
            0 = connection 1
            0 > #1 session.update all, reported
            0 Ready { model: "m" }
            10 > #2 response.create "Hello."
            30 audio 1 30 ms
            40 RemoteSpeechStarted
            50 RemoteSpeechStopped
            60 UtteranceDone 1
            60 > #3 session.update turns, answered
            60 > #4 response.create freely
            60 Opened 1
        "#]],
    );
}

/// A hello before the first words is what they answer.
#[test]
fn a_hello_before_the_first_words_needs_no_answer_of_its_own() {
    check(
        "
        0 connected
        0 server session.updated session.model=m
        10 hear 30
        20 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=100
        30 server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=600
        30 open Hello.
        30 server input_audio_buffer.committed item_id=u1
        40 server conversation.item.input_audio_transcription.completed item_id=u1 transcript=Joe's.
        50 server response.created response.id=r0
        55 server response.output_audio.delta response_id=r0 item_id=i0 audio=300
        60 server response.done response.id=r0 response.status=completed
        70 server session.updated session.model=m
        ",
        expect![[r#"
            0 = connection 1
            0 > #1 session.update all, reported
            0 Ready { model: "m" }
            10 > append, about 600 ms
            20 RemoteSpeechStarted
            30 RemoteSpeechStopped
            30 > #2 response.create "Hello."
            40 RemoteSaid "Joe's.", 100-600 ms
            55 audio 1 300 ms
            60 > #3 session.update turns, answered
            60 UtteranceDone 1
            60 Opened 1
        "#]],
    );
}

#[test]
fn a_barge_in_is_told_at_once_and_truncated_at_what_was_heard() {
    check_talking(
        "
        100 server response.created response.id=r1
        100 server response.output_item.added response_id=r1 item.id=i1 item.type=message
        110 server response.output_audio.delta response_id=r1 item_id=i1 audio=300
        120 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=90
        120 truncate 2 120
        121 server response.output_audio.delta response_id=r1 item_id=i1 audio=300
        122 server response.output_audio_transcript.done response_id=r1 item_id=i1 transcript=As+I+said
        123 server response.done response.id=r1 response.status=cancelled
        124 server error error.code=response_cancel_not_active error.message=no+active+response error.type=x
        125 server error error.type=invalid_request_error error.message=Audio+content+of+60ms+is+already+shorter+than+120ms
        ",
        expect![[r#"
            110 audio 2 300 ms
            120 RemoteSpeechStarted
            120 > #4 response.cancel r1
            120 > #5 conversation.item.truncate i1 at 120 ms
            123 UtteranceDone 2
            123 VoiceText 2 "As I"
        "#]],
    );
}

/// More is never truncated than there was; what waited behind the utterance was not heard at all.
#[test]
fn what_nobody_heard_is_cut_from_the_conversation() {
    check_talking(
        "
        100 server response.created response.id=r1
        110 server response.output_audio.delta response_id=r1 item_id=i1 audio=30
        110 server response.output_audio.done response_id=r1 item_id=i1
        110 server response.done response.id=r1 response.status=completed
        120 say Still there?
        130 server response.created response.id=r2
        140 server response.output_audio.delta response_id=r2 item_id=i2 audio=60
        150 truncate 2 9000
        160 server response.done response.id=r2 response.status=cancelled
        ",
        expect![[r#"
            110 audio 2 30 ms
            110 UtteranceDone 2
            120 > #4 response.create "Still there?"
            140 audio 3 60 ms
            150 > #5 response.cancel r2
            150 > #6 conversation.item.truncate i1 at 30 ms
            150 > #7 conversation.item.truncate i2 at 0 ms
            160 UtteranceDone 3
        "#]],
    );
}

#[test]
fn one_response_at_a_time_and_the_rest_in_order() {
    check_talking(
        "
        100 say One.
        100 say Two.
        100 ask Think.
        100 ask Again.
        110 server response.created response.id=r1
        120 server response.done response.id=r1 response.status=completed
        130 server response.created response.id=r2
        140 server response.done response.id=r2 response.status=completed
        150 server response.created response.id=r3
        160 server response.done response.id=r3 response.status=completed
        ",
        expect![[r#"
            100 > #4 response.create "One."
            100 > #5 conversation.item.create system "Think."
            100 > #6 conversation.item.create system "Again."
            120 > #7 response.create "Two."
            140 > #8 response.create freely
        "#]],
    );
}

/// The server answered by itself in the same moment: ours waits and is asked again.
#[test]
fn a_response_that_collides_is_asked_for_again() {
    check_talking(
        "
        100 say One.
        110 server response.created response.id=r1
        111 server error error.code=conversation_already_has_active_response error.event_id=offhook_4 error.message=x
        120 server response.done response.id=r1 response.status=completed
        130 server response.created response.id=r2
        140 server response.done response.id=r2 response.status=completed
        ",
        expect![[r#"
            100 > #4 response.create "One."
            120 > #5 response.create "One."
        "#]],
    );
}

#[test]
fn a_tool_call_is_told_once_and_its_output_does_not_wait() {
    check_talking(
        r#"
        100 server response.created response.id=r1
        100 server response.function_call_arguments.done response_id=r1 call_id=c1 name=send_digits arguments="{\"digits\":\"2\"}"
        100 server response.output_item.done response_id=r1 item.type=function_call item.status=completed item.call_id=c1 item.name=send_digits item.arguments="{\"digits\":\"2\"}"
        101 server response.output_audio.delta response_id=r1 item_id=i1 audio=30
        102 output 1 sent
        102 output 1 twice
        103 server response.done response.id=r1 response.status=completed
        "#,
        expect![[r#"
            100 ToolCall 1 send_digits 2
            101 audio 2 30 ms
            102 > #4 conversation.item.create output for c1 "sent"
            103 > #5 response.create freely
            103 UtteranceDone 2
        "#]],
    );
}

/// Without the name in the arguments' event, as in the beta protocol.
#[test]
fn a_tool_call_is_known_by_its_item_too() {
    check_talking(
        r#"
        100 server response.function_call_arguments.done response_id=r1 call_id=c1 arguments="{}"
        100 server response.output_item.done response_id=r1 item.type=function_call item.call_id=c1 item.name=wait_on_hold item.arguments="{}"
        110 server response.output_item.done response_id=r1 item.type=function_call item.call_id=c2 item.name=fly item.arguments="{}"
        "#,
        expect![[r#"
            100 ToolCall 1 wait_on_hold
            110 ToolCall 2 invalid fly: there is no tool of this name; there are end_call, send_digits, report_voicemail, wait_on_hold, ask_owner, loop_in_user, user_decides, take_message, report_spam, invoke_agent, invoke_agent_async, check_agent_task, decide
        "#]],
    );
}

#[test]
fn on_hold_nothing_is_heard_and_nothing_said() {
    check_talking(
        "
        100 hear 5
        200 server response.created response.id=r1
        210 suspend
        220 server response.done response.id=r1 response.status=cancelled
        230 hear 50
        240 say Are you back?
        250 server response.created response.id=r2
        260 server response.done response.id=r2 response.status=cancelled
        1300 resume
        1310 hear 5
        1320 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=120
        1330 server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=180
        1340 server conversation.item.input_audio_transcription.completed item_id=u1 transcript=Yes.
        ",
        expect![[r#"
            100 > append, about 100 ms
            210 > #4 response.cancel r1
            210 > #5 input_audio_buffer.clear
            250 > #6 response.cancel r2
            1300 > #7 response.create "Are you back?"
            1310 > append, about 100 ms
            1320 RemoteSpeechStarted
            1330 RemoteSpeechStopped
            1340 RemoteSaid "Yes.", 1120-1180 ms
        "#]],
    );
}

/// The server answers what we were about to ask it to answer: once is enough.
#[test]
fn an_owed_answer_that_the_server_gives_by_itself_is_not_given_twice() {
    check(
        "
        0 connected
        0 server session.updated session.model=m
        10 open Hello.
        20 server response.created response.id=r0
        30 server response.output_audio.delta response_id=r0 item_id=i0 audio=300
        40 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=20
        60 server response.done response.id=r0 response.status=completed
        70 server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=700
        70 server input_audio_buffer.committed item_id=u1
        71 server response.created response.id=r1
        72 server error error.code=conversation_already_has_active_response error.event_id=offhook_4 error.message=x
        80 server response.done response.id=r1 response.status=completed
        ",
        expect![[r#"
            0 = connection 1
            0 > #1 session.update all, reported
            0 Ready { model: "m" }
            10 > #2 response.create "Hello."
            30 audio 1 300 ms
            40 RemoteSpeechStarted
            60 > #3 session.update turns, answered
            60 UtteranceDone 1
            60 Opened 1
            70 RemoteSpeechStopped
            70 > #4 response.create freely
        "#]],
    );
}

/// The words are written ahead of the audio, and come whole only after the cut: of the audio that was made, they say
/// how far what was passed on and what was heard go.
#[test]
fn words_that_come_after_a_cut_are_cut_at_the_audio() {
    let mut run = Run::new(|_| {});
    run.play(TALKING);
    run.log.clear();
    run.play(
        "
        100 server response.created response.id=r1
        100 server response.output_item.added response_id=r1 item.id=i1 item.type=message
        110 server response.output_audio.delta response_id=r1 item_id=i1 audio=1500
        120 server response.output_audio.delta response_id=r1 item_id=i1 audio=1500
        1100 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=0
        1100 truncate 2 1000 3000
        1110 server response.output_audio.delta response_id=r1 item_id=i1 audio=300
        1120 server response.output_audio.done response_id=r1 item_id=i1
        1121 server response.output_audio_transcript.done response_id=r1 item_id=i1 transcript=We+would+like+a+table+for+four+at+seven+on+Friday
        1122 server response.done response.id=r1 response.status=cancelled
        ",
    );
    expect![[r#"
        110 audio 2 1500 ms
        120 audio 2 1500 ms
        1100 RemoteSpeechStarted
        1100 > #4 response.cancel r1
        1100 > #5 conversation.item.truncate i1 at 1000 ms
        1120 UtteranceDone 2
        1121 VoiceText 2 "We would like a table for four at seven on"
    "#]]
    .assert_eq(&run.log);
    let told: Vec<String> = run.history().collect();
    expect![[r#"
        Voice: Hello.
        Voice: We would like"#]]
    .assert_eq(&told.join("\n"));
}

/// A call is often dialled before it is known which law of G.711 the far end takes.
#[test]
fn the_format_follows_the_leg_until_there_is_audio() {
    check(
        "
        0 connected
        0 format pcma
        10 server session.updated session.audio.output.format.type=audio/pcmu
        20 server session.updated session.audio.output.format.type=audio/pcma
        30 format pcma
        40 hear 1
        50 format pcmu
        ",
        expect![[r#"
            0 = connection 1
            0 > #1 session.update all, reported
            0 > #2 session.update audio/pcma
            10 Ready { model: "gpt-realtime-2.1" }
            40 > append, about 20 ms
            50 stays as it is
        "#]],
    );
    check(
        "0 format pcma\n10 connected\n20 server session.updated session.audio.output.format.type=audio/pcma\n30 open Hi.\n40 format pcmu",
        expect![[r#"
        0 = connection 1
        10 > #1 session.update all, reported
        20 Ready { model: "gpt-realtime-2.1" }
        30 > #2 response.create "Hi."
        40 stays as it is
    "#]],
    );
}

#[test]
fn a_server_that_refuses_the_format_gets_a_new_connection_with_it() {
    check(
        "
        0 connected
        10 server session.updated session.audio.output.format.type=audio/pcmu
        20 format pcma
        30 server error error.code=invalid_value error.event_id=offhook_2 error.message=No
        40 connected
        50 server session.updated session.audio.output.format.type=audio/pcma
        ",
        expect![[r#"
            0 = connection 1
            0 > #1 session.update all, reported
            10 Ready { model: "gpt-realtime-2.1" }
            20 > #2 session.update audio/pcma
            30 = connection 2
            30 Reopening { why: "the server can't change the audio format of a session" }
            40 > #3 session.update all, reported
            50 Reopened
        "#]],
    );
}

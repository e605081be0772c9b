//! Losing the connection, and moving on before it ends by itself.

use std::time::Duration;

use expect_test::expect;

use super::{Run, TALKING, check_talking};

#[test]
fn a_loss_is_bridged_with_the_conversation_so_far_and_an_honest_word() {
    check_talking(
        "
        100 server input_audio_buffer.committed item_id=u1
        100 server conversation.item.input_audio_transcription.completed item_id=u1 transcript=Who+is+this?
        110 note Be quick.
        120 server response.created response.id=r1
        120 server response.output_audio_transcript.delta response_id=r1 item_id=i1 delta=I+am+calling+about+a+table
        120 server response.output_audio.delta response_id=r1 item_id=i1 audio=900
        130 server input_audio_buffer.speech_started item_id=u2 audio_start_ms=0
        140 lost the connection broke off
        150 hear 10
        150 say One more thing.
        200 connected
        300 server session.updated session.model=m
        310 server response.created response.id=r1
        320 server response.done response.id=r1 response.status=completed
        ",
        expect![[r#"
            100 RemoteSaid "Who is this?", 0-0 ms
            110 > #4 conversation.item.create system "Be quick."
            120 audio 2 900 ms
            130 RemoteSpeechStarted
            140 = connection 2
            140 Reopening { why: "the connection broke off" }
            140 UtteranceDone 2
            140 VoiceText 2 "I am calling"
            140 RemoteSpeechStopped
            140 RemoteSaid not understood, 0-0 ms
            200 > #5 session.update all, reported
            300 > append, about 200 ms
            300 > #6 conversation.item.create assistant "Hello."
            300 > #7 conversation.item.create user "Who is this?"
            300 > #8 conversation.item.create system "Be quick."
            300 > #9 conversation.item.create assistant "I am calling"
            300 > #10 response.create by instruction
            300 Reopened
            320 > #11 session.update turns, answered
            320 > #12 response.create "One more thing."
        "#]],
    );
}

#[test]
fn a_connection_that_cannot_be_made_yet_is_tried_again_for_a_while() {
    check_talking(
        "
        100 lost the connection broke off
        110 lost connection refused
        400 lost connection refused
        900 connected
        1000 server session.updated session.model=m
        2000 lost the connection broke off
        ",
        expect![[r#"
            100 = connection 2
            100 Reopening { why: "the connection broke off" }
            110 = no connection
            310 = connection 3
            400 = no connection
            800 = connection 4
            900 > #4 session.update all, reported
            1000 > #5 conversation.item.create assistant "Hello."
            1000 > #6 response.create by instruction
            1000 Reopened
            2000 = no connection
            2000 Lost { why: "the connection broke off" }
        "#]],
    );
}

#[test]
fn a_connection_that_never_comes_back_ends_the_session() {
    check_talking(
        "
        100 lost the connection broke off
        20000 tick
        ",
        expect![[r#"
            100 = connection 2
            100 Reopening { why: "the connection broke off" }
            12100 = no connection
            12100 Lost { why: "the server did not answer in time" }
        "#]],
    );
    check_talking(
        "100 lost the connection broke off\n 110 refused the key was revoked",
        expect![[r#"
        100 = connection 2
        100 Reopening { why: "the connection broke off" }
        110 = no connection
        110 Lost { why: "the key was revoked" }
    "#]],
    );
}

/// First words that were not said to their end must be said, whatever happens.
#[test]
fn first_words_that_broke_off_are_said_again() {
    let mut run = Run::new(|_| {});
    run.play(
        "
        0 connected
        0 server session.updated session.model=m
        10 open This call is recorded.
        20 server response.created response.id=r0
        30 server response.output_audio.delta response_id=r0 item_id=i0 audio=300
        40 lost the connection broke off
        50 connected
        60 server session.updated session.model=m
        70 server response.created response.id=r1
        75 server response.output_audio.delta response_id=r1 item_id=i1 audio=300
        80 server response.done response.id=r1 response.status=completed
        90 server response.created response.id=r2
        95 server response.done response.id=r2 response.status=completed
        ",
    );
    expect![[r#"
        0 = connection 1
        0 > #1 session.update all, reported
        0 Ready { model: "m" }
        10 > #2 response.create "This call is recorded."
        30 audio 1 300 ms
        40 = connection 2
        40 Reopening { why: "the connection broke off" }
        40 UtteranceDone 1
        50 > #3 session.update all, reported
        60 > #4 response.create "This call is recorded."
        60 Reopened
        75 audio 2 300 ms
        80 > #5 session.update turns, answered
        80 UtteranceDone 2
        80 Opened 2
    "#]]
    .assert_eq(&run.log);
}

/// 60 minutes: a new session is begun two minutes before, as soon as nobody speaks; no word is needed.
#[test]
fn a_session_is_renewed_at_a_quiet_moment_before_it_expires() {
    let mut run = Run::new(|_| {});
    run.play("0 connected\n 0 server session.created session.expires_at=1763686800");
    run.play(&TALKING.replacen("0 connected", "", 1));
    run.log.clear();
    run.play(
        "
        3479000 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=90
        3481000 server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=700
        3481000 server conversation.item.input_audio_transcription.completed item_id=u1 transcript=Seven.
        3481100 connected
        3481200 server session.updated session.model=m
        ",
    );
    expect![[r#"
        3479000 RemoteSpeechStarted
        3481000 RemoteSpeechStopped
        3481000 = connection 2
        3481000 RemoteSaid "Seven.", 90-700 ms
        3481000 Reopening { why: "the session reaches its maximum duration" }
        3481100 > #4 session.update all, answered
        3481200 > #5 conversation.item.create assistant "Hello."
        3481200 > #6 conversation.item.create user "Seven."
        3481200 Reopened
    "#]]
    .assert_eq(&run.log);
}

#[test]
fn a_session_is_renewed_in_mid_speech_when_it_must_be() {
    let mut run = Run::new(|_| {});
    run.play("0 connected\n 0 server session.created session.expires_at=1763686800");
    run.play(&TALKING.replacen("0 connected", "", 1));
    run.log.clear();
    run.play(
        "
        3479000 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=90
        3589999 hear 1
        3590001 tick
        3590100 connected
        3590200 server session.updated session.model=m
        ",
    );
    expect![[r#"
        3479000 RemoteSpeechStarted
        3589999 > append, about 20 ms
        3590000 = connection 2
        3590000 Reopening { why: "the session reaches its maximum duration" }
        3590000 RemoteSpeechStopped
        3590000 RemoteSaid not understood, 20-20 ms
        3590100 > #4 session.update all, reported
        3590200 > #5 conversation.item.create assistant "Hello."
        3590200 > #6 response.create by instruction
        3590200 Reopened
    "#]]
    .assert_eq(&run.log);
}

/// Not foreseen, but not a loss either: another one may follow.
#[test]
fn an_expired_session_is_bridged_like_a_loss() {
    let expired = "error.code=session_expired error.message=Too+old. error.type=x";
    check_talking(
        &format!(
            "
            3600000 server error {expired}
            3600010 connected
            3600020 server session.updated session.model=m
            3600030 server response.created response.id=r1
            3600040 server response.done response.id=r1 response.status=completed
            3700000 lost the connection broke off
            "
        ),
        expect![[r#"
            3600000 = connection 2
            3600000 Reopening { why: "Too old." }
            3600010 > #4 session.update all, reported
            3600020 > #5 conversation.item.create assistant "Hello."
            3600020 > #6 response.create by instruction
            3600020 Reopened
            3600040 > #7 session.update turns, answered
            3700000 = connection 3
            3700000 Reopening { why: "the connection broke off" }
        "#]],
    );
}

#[test]
fn a_server_that_falls_silent_is_pinged_and_then_given_up() {
    let mut run = Run::new(|config| config.keepalive = Duration::from_secs(20));
    run.play(TALKING);
    run.log.clear();
    run.play("5000 server from.the.future\n 60000 tick");
    expect![[r#"
        5000 Problem { code: "unknown_event", message: "the server sends events \"from.the.future\"" }
        25000 > ping
        45000 = connection 2
        45000 Reopening { why: "the server fell silent" }
        57000 = no connection
        57000 Lost { why: "the server did not answer in time" }
    "#]]
    .assert_eq(&run.log);
}

/// A tool the old connection called is answered in words: the new one knows nothing of the call.
#[test]
fn an_output_for_a_call_of_the_old_connection_becomes_a_remark() {
    check_talking(
        r#"
        100 server response.function_call_arguments.done response_id=r1 call_id=c1 name=wait_on_hold arguments="{}"
        110 lost the connection broke off
        120 connected
        130 server session.updated session.model=m
        140 output 1 on hold
        "#,
        expect![[r#"
            100 ToolCall 1 wait_on_hold
            110 = connection 2
            110 Reopening { why: "the connection broke off" }
            120 > #4 session.update all, reported
            130 > #5 conversation.item.create assistant "Hello."
            130 > #6 response.create by instruction
            130 Reopened
            140 > #7 conversation.item.create system "You called wait_on_hold; it answered: on hold"
        "#]],
    );
}

/// What was still playing when the session was renewed, and was then spoken over.
#[test]
fn an_utterance_of_the_old_connection_is_cut_off_in_words() {
    check_talking(
        "
        100 server response.created response.id=r1
        110 server response.output_audio.delta response_id=r1 item_id=i1 audio=1500
        110 server response.output_audio_transcript.done response_id=r1 item_id=i1 transcript=I+would+like+a+table
        120 server response.done response.id=r1 response.status=completed
        3600000 server error error.code=session_expired error.message=Too+old. error.type=x
        3600010 connected
        3600020 server session.updated session.model=m
        3600030 truncate 2 750
        ",
        expect![[r#"
            110 audio 2 1500 ms
            120 UtteranceDone 2
            120 VoiceText 2 "I would like a table"
            3600000 = connection 2
            3600000 Reopening { why: "Too old." }
            3600010 > #4 session.update all, reported
            3600020 > #5 conversation.item.create assistant "Hello."
            3600020 > #6 conversation.item.create assistant "I would like a table"
            3600020 > #7 response.create by instruction
            3600020 Reopened
            3600030 > #8 conversation.item.create system "You were cut off. The other side only heard: \"I would\""
        "#]],
    );
}

/// Whoever spoke into the silence gets the honest word first; what they said is answered after it, not over it.
#[test]
fn who_speaks_while_the_connection_is_gone_gets_an_honest_word_first() {
    check_talking(
        "
        100 lost the connection broke off
        110 hear 60
        1300 connected
        1310 server session.updated session.model=gpt-realtime-2.1
        1320 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=100
        1321 server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=1000
        1322 server input_audio_buffer.committed item_id=u1
        1330 server response.created response.id=r1
        1340 server response.done response.id=r1 response.status=completed
        ",
        expect![[r#"
            100 = connection 2
            100 Reopening { why: "the connection broke off" }
            1300 > #4 session.update all, reported
            1310 > append, about 1200 ms
            1310 > #5 conversation.item.create assistant "Hello."
            1310 > #6 response.create by instruction
            1310 Reopened
            1320 RemoteSpeechStarted
            1321 RemoteSpeechStopped
            1340 > #7 session.update turns, answered
            1340 > #8 response.create freely
        "#]],
    );
}

/// Audio of the old connection that is still playing is cut off at the millisecond, in words; the next one by item.
#[test]
fn truncation_is_told_to_the_connection_that_knows_the_item() {
    check_talking(
        "
        100 server response.created response.id=r1
        101 server response.output_audio.delta response_id=r1 item_id=i1 audio=3000
        102 server response.output_audio.done response_id=r1 item_id=i1
        103 server response.output_audio_transcript.done response_id=r1 item_id=i1 transcript=A+table+for+two+on+Friday
        104 server response.done response.id=r1 response.status=completed
        200 lost the connection broke off
        210 connected
        220 server session.updated session.model=gpt-realtime-2.1
        230 server response.created response.id=r2
        240 server response.output_audio.delta response_id=r2 item_id=i2 audio=900
        250 truncate 2 1500 3000
        ",
        expect![[r#"
            101 audio 2 3000 ms
            102 UtteranceDone 2
            103 VoiceText 2 "A table for two on Friday"
            200 = connection 2
            200 Reopening { why: "the connection broke off" }
            210 > #4 session.update all, reported
            220 > #5 conversation.item.create assistant "Hello."
            220 > #6 conversation.item.create assistant "A table for two on Friday"
            220 > #7 response.create by instruction
            220 Reopened
            240 audio 3 900 ms
            250 > #8 response.cancel r2
            250 > #9 conversation.item.create system "You were cut off. The other side only heard: \"A table for\""
            250 > #10 conversation.item.truncate i2 at 0 ms
        "#]],
    );
}

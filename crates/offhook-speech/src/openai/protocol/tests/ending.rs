//! Closing: the last words of the remote are still written down.

use expect_test::expect;

use super::{check, check_talking};

#[test]
fn with_nothing_left_to_hear_the_end_is_at_once() {
    check_talking(
        "100 close\n 200 close\n 300 say Hello?\n 400 lost whatever",
        expect![[r#"
        100 = no connection
        100 Lost { why: "closed" }
    "#]],
    );
    check(
        "0 close",
        expect![[r#"
        0 Lost { why: "closed" }
    "#]],
    );
}

#[test]
fn words_that_are_on_their_way_are_waited_for() {
    check_talking(
        "
        100 hear 10
        110 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=0
        120 hear 3
        120 close
        130 server input_audio_buffer.committed item_id=u1
        140 server response.created response.id=r1
        500 server conversation.item.input_audio_transcription.completed item_id=u1 transcript=Bye.
        ",
        expect![[r#"
            100 > append, about 200 ms
            110 RemoteSpeechStarted
            120 > append, about 60 ms
            120 > #4 input_audio_buffer.commit
            140 > #5 response.cancel r1
            500 = no connection
            500 RemoteSaid "Bye.", 0-260 ms
            500 RemoteSpeechStopped
            500 Lost { why: "closed" }
        "#]],
    );
}

#[test]
fn but_not_for_ever() {
    check_talking(
        "
        100 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=0
        110 server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=700
        110 server input_audio_buffer.committed item_id=u1
        120 close
        9000 tick
        ",
        expect![[r#"
            100 RemoteSpeechStarted
            110 RemoteSpeechStopped
            3120 = no connection
            3120 RemoteSaid not understood, 0-700 ms
            3120 Lost { why: "closed" }
        "#]],
    );
}

#[test]
fn speech_without_enough_audio_never_gets_words() {
    check_talking(
        "
        100 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=0
        120 close
        130 server error error.code=input_audio_buffer_commit_empty error.message=Too+small. error.type=x
        ",
        expect![[r#"
            100 RemoteSpeechStarted
            120 > #4 input_audio_buffer.commit
            130 = no connection
            130 RemoteSpeechStopped
            130 Lost { why: "closed" }
        "#]],
    );
}

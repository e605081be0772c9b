//! What goes wrong without ending the session, and what ends it.

use expect_test::expect;

use super::{Run, TALKING, check, check_talking};

#[test]
fn a_session_that_is_refused_never_begins() {
    check(
        "
        0 connected
        10 server error error.code=invalid_value error.message=No+such+voice. error.type=invalid_request_error
        20 say Hello?
        ",
        expect![[r#"
            0 = connection 1
            0 > #1 session.update all, reported
            10 = no connection
            10 Lost { why: "the server refused the session: No such voice. (invalid_value)" }
        "#]],
    );
    check(
        "0 refused the server answered 401: no",
        expect![[r#"
        0 Lost { why: "the server answered 401: no" }
    "#]],
    );
    check(
        "0 connected\n 15000 tick",
        expect![[r#"
        0 = connection 1
        0 > #1 session.update all, reported
        10000 = no connection
        10000 Lost { why: "the server did not answer in time" }
    "#]],
    );
}

/// Better no call than noise in somebody's ear.
#[test]
fn a_server_that_speaks_another_format_is_refused() {
    check(
        "
        0 connected
        10 server session.updated session.model=m session.audio.output.format.type=audio/pcm
        ",
        expect![[r#"
            0 = connection 1
            0 > #1 session.update all, reported
            10 = no connection
            10 Lost { why: "the server speaks audio/pcm, not audio/pcmu" }
        "#]],
    );
}

#[test]
fn a_failed_response_is_tried_again_but_not_for_ever() {
    let failed = "response.status=failed response.status_details.error.code=server_error response.status_details.error.message=Oops.";
    check_talking(
        &format!(
            "
            100 say One.
            110 server response.created response.id=r1
            120 server response.done response.id=r1 {failed}
            700 server response.created response.id=r2
            700 server response.done response.id=r2 {failed}
            1800 server response.created response.id=r3
            1800 server response.done response.id=r3 {failed}
            3900 server response.created response.id=r4
            3900 server response.done response.id=r4 {failed}
            "
        ),
        expect![[r#"
            100 > #4 response.create "One."
            120 Problem { code: "server_error", message: "Oops." }
            620 > #5 response.create "One."
            700 Problem { code: "server_error", message: "Oops." }
            1700 > #6 response.create "One."
            1800 Problem { code: "server_error", message: "Oops." }
            3800 > #7 response.create "One."
            3900 = no connection
            3900 Problem { code: "server_error", message: "Oops." }
            3900 Lost { why: "the model fails every response: server_error" }
        "#]],
    );
}

#[test]
fn other_trouble_is_reported_with_its_code() {
    check_talking(
        "
        100 server response.created response.id=r1
        110 server response.done response.id=r1 response.status=incomplete response.status_details.reason=content_filter
        120 server conversation.item.input_audio_transcription.failed item_id=u1 error.code=audio_unintelligible error.message=Noise.
        130 server rate_limits.updated rate_limits=[{\"name\":\"tokens\",\"remaining\":0,\"reset_seconds\":2.5}]
        131 server rate_limits.updated rate_limits=[{\"name\":\"tokens\",\"remaining\":0,\"reset_seconds\":2.0}]
        140 server error error.type=server_error error.message=Trouble.
        150 server error
        160 server what.is.this a=1
        170 server what.is.this a=2
        ",
        expect![[r#"
            110 Problem { code: "content_filter", message: "the model broke off a response" }
            120 Problem { code: "transcription.audio_unintelligible", message: "Noise." }
            120 RemoteSaid not understood, 0-0 ms
            130 Problem { code: "rate_limit", message: "no tokens left; more in 3 seconds" }
            140 Problem { code: "server_error", message: "Trouble." }
            150 Problem { code: "unknown", message: "no message" }
            160 Problem { code: "unknown_event", message: "the server sends events \"what.is.this\"" }
        "#]],
    );
}

#[test]
fn a_response_without_a_sign_of_life_is_given_up() {
    check_talking(
        "
        100 say One.
        100 say Two.
        200 server response.created response.id=r1
        300 server response.output_audio.delta response_id=r1 item_id=i1 audio=30
        30000 tick
        ",
        expect![[r#"
            100 > #4 response.create "One."
            300 audio 2 30 ms
            20300 > #5 response.cancel r1
            20300 > #6 response.create "Two."
            20300 Problem { code: "response_timeout", message: "the model did not go on with a response" }
            20300 UtteranceDone 2
        "#]],
    );
}

#[test]
fn a_model_that_does_not_keep_up_refuses_commands_but_not_the_end() {
    let mut run = Run::new(|_| {});
    run.play(TALKING);
    run.log.clear();
    for number in 0..20 {
        run.play(&format!("100 say {number}"));
    }
    run.play("200 close");
    expect![[r#"
        100 > #4 response.create "0"
        100 busy
        100 busy
        100 busy
        200 = no connection
        200 Lost { why: "closed" }
    "#]]
    .assert_eq(&run.log);
}

/// A socket that is stuck costs the oldest audio, and the clock stays right.
#[test]
fn audio_that_finds_no_way_out_displaces_the_oldest() {
    let mut run = Run::new(|_| {});
    run.play("0 connected");
    run.play("100 hear 300");
    assert_eq!(run.protocol.dropped_frames(), 50);
    run.play(
        "
        200 server session.updated session.model=m
        300 server input_audio_buffer.speech_started item_id=u1 audio_start_ms=100
        300 server input_audio_buffer.speech_stopped item_id=u1 audio_end_ms=500
        300 server conversation.item.input_audio_transcription.completed item_id=u1 transcript=Hi.
        ",
    );
    expect![[r#"
        0 = connection 1
        0 > #1 session.update all, reported
        200 > append, about 5000 ms
        200 Ready { model: "m" }
        300 RemoteSpeechStarted
        300 RemoteSpeechStopped
        300 RemoteSaid "Hi.", 1100-1500 ms
    "#]]
    .assert_eq(&run.log);
}

//! The first words are said to their end, whatever becomes of a response.

use expect_test::expect;

use super::{Run, check_talking};

/// Connected and configured; the first words are asked for.
const OPENING: &str = "
    0 connected
    0 server session.updated session.model=gpt-realtime-2.1
    0 open This is an AI assistant.
    0 server response.created response.id=r0
    0 server response.output_audio.delta response_id=r0 item_id=i0 audio=300
";

#[track_caller]
fn check_opening(timeline: &str, expected: expect_test::Expect) {
    let mut run = Run::new(|_| {});
    run.play(OPENING);
    run.log.clear();
    run.play(timeline);
    expected.assert_eq(&run.log);
}

const AGAIN: &str = "
    60000 server response.created response.id=r9
    60000 server response.output_audio.delta response_id=r9 item_id=i9 audio=600
    60000 server response.done response.id=r9 response.status=completed
";

#[test]
fn without_a_sign_of_life_they_are_asked_for_again() {
    check_opening(
        &format!("21000 tick\n59000 tick{AGAIN}").replace("60000", "22000"),
        expect![[r#"
        20000 > #3 response.cancel r0
        20000 > #4 response.create "This is an AI assistant."
        20000 Problem { code: "response_timeout", message: "the model did not go on with a response" }
        20000 UtteranceDone 1
        40000 > #5 response.create "This is an AI assistant."
        40000 Problem { code: "response_timeout", message: "the model did not go on with a response" }
        22000 audio 2 600 ms
        22000 > #6 session.update turns, answered
        22000 UtteranceDone 2
        22000 Opened 2
    "#]],
    );
}

#[test]
fn broken_off_they_are_asked_for_again() {
    check_opening(
        &format!("10 server response.done response.id=r0 response.status=incomplete response.status_details.reason=max_output_tokens{AGAIN}").replace("60000", "2000"),
        expect![[r#"
            10 UtteranceDone 1
            10 Problem { code: "max_output_tokens", message: "the model broke off a response" }
            510 > #3 response.create "This is an AI assistant."
            2000 audio 2 600 ms
            2000 > #4 session.update turns, answered
            2000 UtteranceDone 2
            2000 Opened 2
        "#]],
    );
}

#[test]
fn cancelled_they_are_asked_for_again() {
    check_opening(
        &format!("10 server response.done response.id=r0 response.status=cancelled{AGAIN}")
            .replace("60000", "2000"),
        expect![[r#"
            10 > #3 response.create "This is an AI assistant."
            10 UtteranceDone 1
            2000 audio 2 600 ms
            2000 > #4 session.update turns, answered
            2000 UtteranceDone 2
            2000 Opened 2
        "#]],
    );
}

#[test]
fn refused_they_are_asked_for_again_but_not_for_ever() {
    let mut run = Run::new(|_| {});
    run.play(
        "
        0 connected
        0 server session.updated session.model=m
        0 open This is an AI assistant.
        10 server error error.type=server_error error.event_id=offhook_2 error.message=No.
        1000 server error error.type=server_error error.event_id=offhook_3 error.message=No.
        3000 server error error.type=server_error error.event_id=offhook_4 error.message=No.
        9000 server error error.type=server_error error.event_id=offhook_5 error.message=No.
        ",
    );
    expect![[r#"
        0 = connection 1
        0 > #1 session.update all, reported
        0 Ready { model: "m" }
        0 > #2 response.create "This is an AI assistant."
        10 Problem { code: "server_error", message: "No." }
        510 > #3 response.create "This is an AI assistant."
        1000 Problem { code: "server_error", message: "No." }
        2000 > #4 response.create "This is an AI assistant."
        3000 Problem { code: "server_error", message: "No." }
        5000 > #5 response.create "This is an AI assistant."
        9000 = no connection
        9000 Problem { code: "server_error", message: "No." }
        9000 Lost { why: "the model does not say the first words" }
    "#]]
    .assert_eq(&run.log);
}

#[test]
fn not_spoken_they_are_asked_for_again() {
    let mut run = Run::new(|_| {});
    run.play(
        "
        0 connected
        0 server session.updated session.model=m
        0 open This is an AI assistant.
        5 server response.created response.id=r0
        10 server response.done response.id=r0 response.status=completed
        1000 tick
        ",
    );
    expect![[r#"
        0 = connection 1
        0 > #1 session.update all, reported
        0 Ready { model: "m" }
        0 > #2 response.create "This is an AI assistant."
        10 Problem { code: "response_empty", message: "the model did not speak" }
        510 > #3 response.create "This is an AI assistant."
    "#]]
    .assert_eq(&run.log);
}

#[test]
fn cut_by_a_hold_they_are_asked_for_after_it() {
    check_opening(
        &format!("10 suspend\n11 truncate 1 200\n20 server response.done response.id=r0 response.status=cancelled\n5000 resume{AGAIN}").replace("60000", "6000"),
        expect![[r#"
            10 > #3 response.cancel r0
            10 > #4 input_audio_buffer.clear
            11 > #5 conversation.item.truncate i0 at 200 ms
            20 UtteranceDone 1
            5000 > #6 response.create "This is an AI assistant."
            6000 audio 2 600 ms
            6000 > #7 session.update turns, answered
            6000 UtteranceDone 2
            6000 Opened 2
        "#]],
    );
}

/// All of it was passed on before the hold: whether it was heard, only the call knows.
#[test]
fn handed_over_they_are_said_again_only_when_the_call_says_so() {
    check_opening(
        "10 server response.done response.id=r0 response.status=completed\n20 suspend\n21 truncate 1 200\n5000 resume",
        expect![[r#"
        10 > #3 session.update turns, answered
        10 UtteranceDone 1
        10 Opened 1
        20 > #4 input_audio_buffer.clear
        21 > #5 conversation.item.truncate i0 at 200 ms
    "#]],
    );
}

/// A message for a machine takes the place of the opening that was not said.
#[test]
fn other_words_that_must_be_heard_take_their_place() {
    check_opening(
        "10 suspend\n20 server response.done response.id=r0 response.status=cancelled\n5000 resume\n5000 open Please call back.\n5010 server response.created response.id=r1\n5020 server response.done response.id=r1 response.status=cancelled",
        expect![[r#"
            10 > #3 response.cancel r0
            10 > #4 input_audio_buffer.clear
            20 UtteranceDone 1
            5000 > #5 response.create "This is an AI assistant."
            5010 > #6 response.cancel r1
            5020 > #7 response.create "Please call back."
        "#]],
    );
    check_opening(
        "10 suspend\n5000 resume\n5000 open Please call back.\n5020 server response.done response.id=r0 response.status=cancelled",
        expect![[r#"
            10 > #3 response.cancel r0
            10 > #4 input_audio_buffer.clear
            5020 > #5 response.create "Please call back."
            5020 UtteranceDone 1
        "#]],
    );
}

/// Somebody new: what the model was saying is cut off, and the server says nothing by itself until they were told.
#[test]
fn in_the_middle_of_a_conversation_they_come_before_all_else() {
    check_talking(
        "
        100 server response.created response.id=r1
        110 server response.output_audio.delta response_id=r1 item_id=i1 audio=300
        120 open This is an AI assistant.
        121 truncate 2 20
        130 server session.updated session.model=m
        140 server response.done response.id=r1 response.status=cancelled
        150 server response.created response.id=r2
        160 server response.output_audio.delta response_id=r2 item_id=i2 audio=300
        170 server response.done response.id=r2 response.status=completed
        ",
        expect![[r#"
            110 audio 2 300 ms
            120 > #4 session.update turns, reported
            121 > #5 response.cancel r1
            121 > #6 conversation.item.truncate i1 at 20 ms
            140 > #7 response.create "This is an AI assistant."
            140 UtteranceDone 2
            160 audio 3 300 ms
            170 > #8 session.update turns, answered
            170 UtteranceDone 3
            170 Opened 3
        "#]],
    );
}

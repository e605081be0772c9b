//! The conversation: who speaks when, keys, hold, silence.

use std::time::Duration;

use expect_test::expect;
use offhook_core::brief::Brief;
use offhook_core::call::Limits;

use crate::script::{Scenario, brief, check_connected, check_talking};

#[test]
fn the_voice_lets_the_remote_say_hello_first() {
    check_connected(
        "300 remote_starts\n1800 remote_stops\n1900 remote_said Rosa's kitchen, hello",
        expect![[r#"
            1800 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            1900 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Rosa's kitchen, hello" confidence=-
            1900 journal: call.answered_by answered_by="human"
        "#]],
    );
}

#[test]
fn the_voice_speaks_first_when_nobody_does() {
    check_connected(
        "2000 tick",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        "#]],
    );
}

#[test]
fn the_first_sentence_cannot_be_interrupted_away() {
    check_connected(
        "2000 playing 1\n2400 opened 1\n2500 remote_starts\n6000 played 1 4000\n6001 voice_text 1 Hello, this is an AI assistant.\n7000 playing 2\n7100 remote_starts",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            6001 journal: turn.voice turn=1 started_ms=2000 ended_ms=6000 text="Hello, this is an AI assistant." interrupted=false
            7100 stop playout
        "#]],
    );
}

#[test]
fn barge_in_stops_the_voice_and_tells_the_model_what_was_heard() {
    check_talking(
        "2000 playing 1\n6000 played 1 4000\n6001 voice_text 1 Hello.\n8000 playing 2\n8001 voice_text 2 I would like to book a table for two on Friday evening at seven.\n10000 remote_starts\n10001 cut_off 2 2000 6000",
        expect![[r#"
             6001 journal: turn.voice turn=1 started_ms=2000 ended_ms=6000 text="Hello." interrupted=false
            10000 stop playout
            10001 journal: turn.barge_in heard_ms=2000
            10001 speech: truncate 2 at 2000 of 6000 ms
            10001 journal: turn.voice turn=2 started_ms=8000 ended_ms=10001 text="I would like to book" interrupted=true
        "#]],
    );
}

#[test]
fn keys_are_pressed_and_then_the_voice_listens() {
    check_talking(
        "5000 press 2\n5300 digits_sent",
        expect![[r#"
            5000 journal: tool.called tool="send_digits" arguments="2"
            5000 leg: send digits 2
            5300 journal: leg.digits_sent digits="2"
            5300 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
            5300 speech: tool 1 answered "sent; now listen to what the menu says"
        "#]],
    );
}

#[test]
fn keys_that_are_none_are_refused_with_the_reason() {
    check_talking(
        "5000 press two",
        expect![[r#"
            5000 journal: tool.called tool="send_digits" arguments="two"
            5000 journal: tool.answered tool="send_digits" output="not sent: digits are 0-9 * # A-D, w for a pause of half a second, W for one second"
            5000 speech: tool 1 answered "not sent: digits are 0-9 * # A-D, w for a pause of half a second, W for one second", wants an answer
        "#]],
    );
}

#[test]
fn on_hold_silence_is_no_reason_to_hang_up() {
    check_talking(
        "1600 playing 1\n4000 played 1 2400\n5000 hold\n300000 sounds_like a_person",
        expect![[r#"
              5000 journal: tool.called tool="wait_on_hold" arguments=""
              5000 journal: hold.started by="voice"
              5000 speech: suspend
              5000 journal: tool.answered tool="wait_on_hold" output="on hold; you hear nothing and say nothing until somebody speaks"
              5000 speech: tool 1 answered "on hold; you hear nothing and say nothing until somebody speaks"
            300000 journal: hold.ended waited_ms=295000
            300000 speech: resume
            300000 speech: note "The hold is over as far as one can hear: somebody speaks. If it is only an announcement, or music, use wait_on_hold again. If it is a person, go on with the call; whoever it is may be somebody new."
        "#]],
    );
}

#[test]
fn hold_has_a_limit() {
    let limits = Limits { hold: Duration::from_secs(60), ..Limits::default() };
    Scenario { limits, ..Scenario::default() }
        .check_talking("1600 playing 1\n4000 played 1 2400\n5000 hold\n100000 tick", expect![[r#"
             5000 journal: tool.called tool="wait_on_hold" arguments=""
             5000 journal: hold.started by="voice"
             5000 speech: suspend
             5000 journal: tool.answered tool="wait_on_hold" output="on hold; you hear nothing and say nothing until somebody speaks"
             5000 speech: tool 1 answered "on hold; you hear nothing and say nothing until somebody speaks"
            65000 journal: result.item kind="blocker" name="on_hold_too_long" value="Nobody came to the phone: the call stayed on hold for as long as it may." turns=[]
            65000 journal: call.result status="blocked" summary="Nobody came to the phone: the call stayed on hold for as long as it may." evidence_turns=[]
            65000 journal: hold.ended waited_ms=60000
            65000 stop playout
            65000 leg: hang up, policy.hold_limit
            65000 speech: close
        "#]]);
}

#[test]
fn the_far_end_holds_and_resumes() {
    check_talking(
        "1600 playing 1\n4000 played 1 2400\n5000 held\n90000 resumed",
        expect![[r#"
             5000 journal: leg.held
             5000 stop playout
             5000 speech: suspend
            90000 journal: leg.resumed
            90000 speech: resume
        "#]],
    );
}

#[test]
fn silence_earns_a_question_and_then_ends_the_call() {
    check_talking(
        "1600 playing 1\n4000 played 1 2400\n19100 playing 2\n20500 played 2 1400\n60000 closed\n60001 speech_lost closed",
        expect![[r#"
            19000 speech: say "Hello, is anybody there?"
            35500 stop playout
            35500 leg: hang up, policy.silence
            35500 speech: close
            60001 journal: call.answered_by answered_by="unknown"
            60001 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
            60001 journal: call.ended reason="policy.silence" answered=true talk_ms=35500 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn the_talk_limit_is_announced_to_the_voice_and_kept() {
    let limits =
        Limits { talk: Duration::from_secs(130), silence: Duration::from_secs(300), ..Limits::default() };
    Scenario { limits, ..Scenario::default() }
        .check_talking("1600 playing 1\n4000 played 1 2400\n140000 tick", expect![[r#"
            100000 speech: wrap up "The call will be cut off in 30 seconds. Say what is still needed, say goodbye, and end the call."
            130000 stop playout
            130000 leg: hang up, policy.talk_limit
            130000 speech: close
        "#]]);
}

/// Words and audio of an utterance come in any order; the turn is written when both are there.
#[test]
fn words_that_come_after_the_cut_are_cut_where_the_audio_was() {
    check_talking(
        "2000 playing 1\n4000 played 1 2000\n5000 playing 2\n6000 remote_starts\n6000 cut_off 2 1000 4000\n6200 voice_text 2 We would like a table for four.",
        expect![[r#"
            6000 stop playout
            6000 journal: turn.barge_in heard_ms=1000
            6000 speech: truncate 2 at 1000 of 4000 ms
            6200 journal: turn.voice turn=1 started_ms=5000 ended_ms=6000 text="We" interrupted=true
        "#]],
    );
}

#[test]
fn what_was_cut_before_its_first_word_is_no_turn() {
    check_talking(
        "2000 playing 1\n4000 played 1 2000\n5000 playing 2\n5001 voice_text 2 Unfortunately not.\n5020 remote_starts\n5020 cut_off 2 20 1400\n6000 remote_said Wait",
        expect![[r#"
            5020 stop playout
            5020 journal: turn.barge_in heard_ms=20
            5020 speech: truncate 2 at 20 of 1400 ms
            6000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Wait" confidence=-
            6000 journal: call.answered_by answered_by="human"
        "#]],
    );
}

/// The far end put us on hold in mid-sentence: nobody spoke over the voice.
#[test]
fn a_sentence_that_hold_cuts_off_is_no_barge_in() {
    check_talking(
        "2000 playing 1\n4000 played 1 2000\n5000 playing 2\n5001 voice_text 2 Is a table free?\n5500 held\n5500 cut_off 2 500 1500\n9000 resumed",
        expect![[r#"
            5500 journal: leg.held
            5500 stop playout
            5500 speech: suspend
            5500 speech: truncate 2 at 500 of 1500 ms
            5500 journal: turn.voice turn=1 started_ms=5000 ended_ms=5500 text="Is a" interrupted=true
            9000 journal: leg.resumed
            9000 speech: resume
        "#]],
    );
}

#[test]
fn a_lost_connection_is_journalled_and_the_call_goes_on() {
    check_talking(
        "3000 reopening the connection broke off\n3400 reopened\n3500 playing 2\n3501 voice_text 2 Sorry, the line had a problem. What did you say?\n6000 played 2 2500",
        expect![[r#"
            3000 journal: speech.reopening why="the connection broke off"
            3400 journal: speech.reopened
            6000 journal: turn.voice turn=1 started_ms=3500 ended_ms=6000 text="Sorry, the line had a problem. What did you say?" interrupted=false
        "#]],
    );
}

#[test]
fn in_another_language_the_call_speaks_that() {
    let brief = Brief { language: "de-AT".to_owned(), greeting: None, ..brief() };
    Scenario { brief, ..Scenario::default() }
        .check_connected("1600 playing 1\n1600 opened 1\n4000 played 1 2400\n20000 tick", expect![[r#"
             1500 speech: open with "Guten Tag, hier spricht ein KI-Assistent, und dieses Gespräch wird aufgezeichnet."
            19000 speech: say "Hallo, ist da jemand?"
        "#]]);
}

/// Noise without end is no hello.
#[test]
fn a_remote_that_never_stops_is_spoken_to_all_the_same() {
    check_connected(
        "300 remote_starts\n70000 tick",
        expect![[r#"
        60300 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
    "#]],
    );
}

#[test]
fn on_the_far_ends_hold_the_voice_does_not_begin() {
    check_connected(
        "1000 held\n9000 resumed\n9001 tick",
        expect![[r#"
        1000 journal: leg.held
        1000 stop playout
        1000 speech: suspend
        9000 journal: leg.resumed
        9000 speech: resume
        9000 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
    "#]],
    );
}

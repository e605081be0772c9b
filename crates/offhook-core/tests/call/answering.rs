//! What picked up is told by what it says first, and the voice does not wait for that.

use std::time::Duration;

use expect_test::expect;
use offhook_core::brief::{Brief, Voicemail};

use crate::script::{Scenario, brief, check_connected};

fn leaving_a_message() -> Scenario {
    let voicemail = Voicemail::LeaveMessage("Please call Jordan back.".to_owned());
    Scenario { brief: Brief { voicemail, ..brief() }, ..Scenario::default() }
}

#[test]
fn a_hello_is_a_person() {
    check_connected(
        "200 remote_starts\n900 remote_stops\n1200 remote_said Hello?\n1300 remote_said This is Sam.",
        expect![[r#"
             900 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            1200 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Hello?" confidence=-
            1200 journal: call.answered_by answered_by="human"
            1300 journal: turn.remote turn=2 started_ms=0 ended_ms=500 text="This is Sam." confidence=-
        "#]],
    );
}

#[test]
fn a_machine_that_the_voice_does_not_notice() {
    check_connected(
        "200 remote_starts\n4000 remote_stops\n4500 remote_said Please leave a message after the tone.\n8000 tick",
        expect![[r#"
            4000 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            4500 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Please leave a message after the tone." confidence=-
            7500 journal: call.answered_by answered_by="voicemail"
            7500 journal: result.item kind="blocker" name="voicemail" value="Voicemail answered; no message was left." turns=[]
            7500 journal: call.result status="blocked" summary="Voicemail answered; no message was left." evidence_turns=[]
            7500 stop playout
            7500 leg: hang up, voice.voicemail
            7500 speech: close
        "#]],
    );
}

#[test]
fn a_voice_that_notices_is_not_told() {
    check_connected(
        "4500 remote_said Please leave a message after the tone.\n5500 voicemail\n9000 closed\n9001 speech_lost over",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            4500 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Please leave a message after the tone." confidence=-
            5500 journal: tool.called tool="report_voicemail" arguments="voicemail"
            5500 journal: call.answered_by answered_by="voicemail"
            5500 journal: tool.answered tool="report_voicemail" output="noted; hanging up without a message"
            5500 speech: tool 1 answered "noted; hanging up without a message"
            5500 journal: result.item kind="blocker" name="voicemail" value="Voicemail answered; no message was left." turns=[]
            5500 journal: call.result status="blocked" summary="Voicemail answered; no message was left." evidence_turns=[]
            5500 stop playout
            5500 leg: hang up, voice.voicemail
            5500 speech: close
            9001 journal: call.ended reason="voice.voicemail" answered=true talk_ms=5500 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn somebody_who_talks_on_is_no_recording() {
    check_connected(
        "4500 remote_said You can leave a message, or I can look for Sam.\n6500 remote_said Which do you want?\n9000 tick",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            4500 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="You can leave a message, or I can look for Sam." confidence=-
            6500 journal: turn.remote turn=2 started_ms=0 ended_ms=500 text="Which do you want?" confidence=-
            6500 journal: call.answered_by answered_by="human"
        "#]],
    );
}

#[test]
fn a_long_greeting_and_a_beep_are_a_machine_whatever_it_says() {
    let scenario = leaving_a_message();
    let limits = offhook_core::call::Limits { beep: Duration::from_secs(25), ..scenario.limits };
    Scenario { limits, ..scenario }.check_connected(
        "200 remote_starts\n9000 beep\n9100 remote_stops\n9200 opened 0",
        expect![[r#"
            9000 journal: call.answered_by answered_by="voicemail"
            9000 speech: suspend
            9000 stop playout
            9000 speech: resume
            9000 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please call Jordan back."
        "#]],
    );
}

#[test]
fn a_beep_after_a_hello_is_only_a_beep() {
    check_connected(
        "200 remote_starts\n900 remote_stops\n1200 remote_said Hello?\n1300 beep",
        expect![[r#"
         900 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        1200 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Hello?" confidence=-
        1200 journal: call.answered_by answered_by="human"
    "#]],
    );
}

#[test]
fn screening_is_told_who_calls_and_whoever_comes_after_it_hears_it_too() {
    check_connected(
        "200 remote_starts
         3000 remote_stops
         3000 opened 0
         3000 playing 0
         3300 remote_said Please say your name and why you are calling.
         6000 played 0 3000
         6100 playing 1
         8000 voice_text 1 It is about the table on Friday.
         8000 played 1 1900
         12000 remote_starts
         12500 remote_stops
         13000 remote_said Hello?
         13100 playing 2
         13100 cut_off 2 0 1500
         13200 opened 3
         13200 playing 3
         18000 played 3 4800
         19000 playing 4
         21000 played 4 1900
         22000 remote_starts
         23000 remote_stops
         23100 playing 5",
        expect![[r#"
             3000 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
             3300 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Please say your name and why you are calling." confidence=-
             3300 journal: call.answered_by answered_by="screening"
             3300 speech: note "A call screening service answers, and passes on what you say. Say in one sentence who is calling for whom and why, then wait for a person."
             8000 journal: turn.voice turn=2 started_ms=6100 ended_ms=8000 text="It is about the table on Friday." interrupted=false
            13000 journal: turn.remote turn=3 started_ms=0 ended_ms=500 text="Hello?" confidence=-
            13100 stop playout
            13100 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            13100 speech: truncate 2 at 0 of 1500 ms
            18000 speech: note "What you were about to say gave way to the words that say who you are. If it is still an answer to what was asked, say it now.", wants an answer
        "#]],
    );
}

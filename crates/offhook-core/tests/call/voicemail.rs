//! A machine answers.

use expect_test::expect;
use offhook_core::brief::{Brief, Voicemail};

use crate::script::{Scenario, brief, check_connected};

#[test]
fn without_a_message_to_leave_the_call_ends() {
    check_connected(
        "4000 voicemail\n4050 closed\n4060 speech_lost closed",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
            4000 journal: call.answered_by answered_by="voicemail"
            4000 journal: tool.answered tool="report_voicemail" output="noted; hanging up without a message"
            4000 speech: tool 1 answered "noted; hanging up without a message"
            4000 journal: call.result status="blocked" summary="Voicemail answered; no message was left." evidence_turns=[]
            4000 stop playout
            4000 leg: hang up, voice.voicemail
            4000 speech: close
            4060 journal: call.ended reason="voice.voicemail" answered=true talk_ms=4000 sip_status=- q850_cause=-
        "#]],
    );
}

fn with_message() -> Scenario {
    let voicemail = Voicemail::LeaveMessage("Please call Jordan Lee back.".to_owned());
    Scenario { brief: Brief { voicemail, ..brief() }, ..Scenario::default() }
}

#[test]
fn the_message_is_left_after_the_beep() {
    with_message().check_connected(
        "4000 voicemail\n9000 beep\n9300 playing 1\n9310 voice_text 1 Please call Jordan Lee back.\n12000 played 1 2700\n12050 closed\n12060 speech_lost closed",
        expect![[r#"
             1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
             4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
             4000 journal: call.answered_by answered_by="voicemail"
             4000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
             4000 speech: tool 1 answered "noted; the message is left after the beep"
             4000 speech: suspend
             4000 stop playout
             9000 journal: call.result status="blocked" summary="Voicemail answered; the message was left." evidence_turns=[]
             9000 speech: resume
             9000 speech: say "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
            12000 journal: turn.voice turn=1 started_ms=9300 ended_ms=12000 text="Please call Jordan Lee back." interrupted=false
            12050 stop playout
            12050 speech: close
            12060 journal: call.ended reason="carrier.lost" answered=true talk_ms=12050 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn a_beep_that_never_comes_is_not_waited_for_forever() {
    with_message().check_connected("4000 voicemail\n30000 tick", expect![[r#"
         1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
         4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
         4000 journal: call.answered_by answered_by="voicemail"
         4000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
         4000 speech: tool 1 answered "noted; the message is left after the beep"
         4000 speech: suspend
         4000 stop playout
        29000 journal: call.result status="blocked" summary="Voicemail answered; the message was left." evidence_turns=[]
        29000 speech: resume
        29000 speech: say "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
    "#]]);
}

#[test]
fn a_beep_that_sounded_before_the_machine_was_recognised_counts() {
    with_message().check_connected("4000 beep\n6000 voicemail", expect![[r#"
        1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        6000 journal: tool.called tool="report_voicemail" arguments="voicemail"
        6000 journal: call.answered_by answered_by="voicemail"
        6000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
        6000 speech: tool 1 answered "noted; the message is left after the beep"
        6000 speech: suspend
        6000 stop playout
        6000 journal: call.result status="blocked" summary="Voicemail answered; the message was left." evidence_turns=[]
        6000 speech: resume
        6000 speech: say "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
    "#]]);
}

#[test]
fn what_the_machine_cut_short_is_not_the_message() {
    let script = "1600 playing 1\n4000 beep\n4500 voicemail\n4500 cut_off 1 2900\n4501 played 2 0\n4600 playing 3\n7000 played 3 2400\n8000 tick";
    with_message().check_connected(script, expect![[r#"
        1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        4500 journal: tool.called tool="report_voicemail" arguments="voicemail"
        4500 journal: call.answered_by answered_by="voicemail"
        4500 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
        4500 speech: tool 1 answered "noted; the message is left after the beep"
        4500 speech: suspend
        4500 stop playout
        4500 journal: call.result status="blocked" summary="Voicemail answered; the message was left." evidence_turns=[]
        4500 speech: resume
        4500 speech: say "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
        4500 speech: truncate 1 at 2900 of 2900 ms
        7200 stop playout
        7200 leg: hang up, voice.voicemail
        7200 speech: close
    "#]]);
}

//! A machine answers.

use expect_test::expect;
use offhook_core::brief::{Brief, Voicemail};

use crate::script::{Scenario, brief, check_talking};

#[test]
fn without_a_message_to_leave_the_call_ends() {
    check_talking(
        "4000 voicemail\n4050 closed\n4060 speech_lost closed",
        expect![[r#"
            4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
            4000 journal: call.answered_by answered_by="voicemail"
            4000 journal: tool.answered tool="report_voicemail" output="noted; hanging up without a message"
            4000 speech: tool 1 answered "noted; hanging up without a message"
            4000 journal: result.item kind="blocker" name="voicemail" value="Voicemail answered; no message was left." turns=[]
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
    with_message().check_talking(
        "4000 voicemail\n9000 beep\n9300 playing 1\n9310 voice_text 1 Please call Jordan Lee back.\n9400 opened 1\n12000 played 1 2700\n12250 closed\n12260 speech_lost closed",
        expect![[r#"
             4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
             4000 journal: call.answered_by answered_by="voicemail"
             4000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
             4000 speech: tool 1 answered "noted; the message is left after the beep"
             4000 speech: suspend
             4000 stop playout
             9000 speech: resume
             9000 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
            12000 journal: turn.voice turn=1 started_ms=9300 ended_ms=12000 text="Please call Jordan Lee back." interrupted=false
            12000 journal: result.item kind="blocker" name="voicemail" value="Voicemail answered; the message was left." turns=[]
            12000 journal: call.result status="blocked" summary="Voicemail answered; the message was left." evidence_turns=[]
            12200 stop playout
            12200 leg: hang up, voice.voicemail
            12200 speech: close
            12260 journal: call.ended reason="voice.voicemail" answered=true talk_ms=12200 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn a_beep_that_never_comes_is_not_waited_for_forever() {
    with_message().check_talking("4000 voicemail\n30000 tick", expect![[r#"
         4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
         4000 journal: call.answered_by answered_by="voicemail"
         4000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
         4000 speech: tool 1 answered "noted; the message is left after the beep"
         4000 speech: suspend
         4000 stop playout
        29000 speech: resume
        29000 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
    "#]]);
}

#[test]
fn a_beep_that_sounded_before_the_machine_was_recognised_counts() {
    with_message().check_talking("4000 beep\n6000 voicemail", expect![[r#"
        6000 journal: tool.called tool="report_voicemail" arguments="voicemail"
        6000 journal: call.answered_by answered_by="voicemail"
        6000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
        6000 speech: tool 1 answered "noted; the message is left after the beep"
        6000 speech: suspend
        6000 stop playout
        6000 speech: resume
        6000 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
    "#]]);
}

#[test]
fn what_the_machine_cut_short_is_not_the_message() {
    let script = "1600 playing 1\n4000 beep\n4500 voicemail\n4500 cut_off 1 2900\n4501 played 2 0\n4600 playing 3\n4700 opened 3\n7000 played 3 2400\n8000 tick";
    with_message().check_talking(script, expect![[r#"
        4500 journal: tool.called tool="report_voicemail" arguments="voicemail"
        4500 journal: call.answered_by answered_by="voicemail"
        4500 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
        4500 speech: tool 1 answered "noted; the message is left after the beep"
        4500 speech: suspend
        4500 stop playout
        4500 speech: resume
        4500 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
        4500 speech: truncate 1 at 2900 of 2900 ms
        7000 journal: result.item kind="blocker" name="voicemail" value="Voicemail answered; the message was left." turns=[]
        7000 journal: call.result status="blocked" summary="Voicemail answered; the message was left." evidence_turns=[]
        7200 stop playout
        7200 leg: hang up, voice.voicemail
        7200 speech: close
    "#]]);
}

/// It hangs up in the middle, or the playout stops: what is on the tape is anybody's guess.
#[test]
fn a_message_that_was_not_played_to_its_end_may_not_have_been_left() {
    let script = "4000 voicemail\n9000 beep\n9300 playing 1\n9400 opened 1\n10000 remote_hangs_up\n10000 cut_off 1 700 4000\n10001 speech_lost closed";
    with_message().check_talking(script, expect![[r#"
         4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
         4000 journal: call.answered_by answered_by="voicemail"
         4000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
         4000 speech: tool 1 answered "noted; the message is left after the beep"
         4000 speech: suspend
         4000 stop playout
         9000 speech: resume
         9000 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
        10000 journal: result.item kind="blocker" name="voicemail" value="Voicemail answered; the message may not have been left, or not all of it." turns=[]
        10000 journal: call.result status="blocked" summary="Voicemail answered; the message may not have been left, or not all of it." evidence_turns=[]
        10000 stop playout
        10000 speech: close
        10001 journal: call.ended reason="remote.hung_up" answered=true talk_ms=10000 sip_status=- q850_cause=16
    "#]]);
}

#[test]
fn a_machine_that_hangs_up_before_the_beep_has_no_message() {
    let script = "4000 voicemail\n9000 remote_hangs_up\n9001 speech_lost closed";
    with_message().check_talking(script, expect![[r#"
        4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
        4000 journal: call.answered_by answered_by="voicemail"
        4000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
        4000 speech: tool 1 answered "noted; the message is left after the beep"
        4000 speech: suspend
        4000 stop playout
        9000 journal: result.item kind="blocker" name="voicemail" value="Voicemail answered; the call ended before a message was left." turns=[]
        9000 journal: call.result status="blocked" summary="Voicemail answered; the call ended before a message was left." evidence_turns=[]
        9000 stop playout
        9000 speech: close
        9001 journal: call.ended reason="remote.hung_up" answered=true talk_ms=9000 sip_status=- q850_cause=16
    "#]]);
}

/// Two reasons to be silent: the voice may speak again once there is none left.
#[test]
fn a_hold_while_the_beep_is_awaited_ends_without_a_word_to_the_machine() {
    let script = "4000 voicemail\n5000 held\n6000 resumed\n9000 beep";
    with_message().check_talking(script, expect![[r#"
        4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
        4000 journal: call.answered_by answered_by="voicemail"
        4000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
        4000 speech: tool 1 answered "noted; the message is left after the beep"
        4000 speech: suspend
        4000 stop playout
        5000 journal: leg.held
        5000 stop playout
        6000 journal: leg.resumed
        9000 speech: resume
        9000 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
    "#]]);
}

#[test]
fn nothing_is_left_while_the_far_end_holds() {
    let script = "4000 voicemail\n5000 held\n6000 beep\n40000 resumed\n40001 tick";
    with_message().check_talking(script, expect![[r#"
         4000 journal: tool.called tool="report_voicemail" arguments="voicemail"
         4000 journal: call.answered_by answered_by="voicemail"
         4000 journal: tool.answered tool="report_voicemail" output="noted; the message is left after the beep"
         4000 speech: tool 1 answered "noted; the message is left after the beep"
         4000 speech: suspend
         4000 stop playout
         5000 journal: leg.held
         5000 stop playout
        40000 journal: leg.resumed
        40000 speech: resume
        40000 speech: open with "Hello, this is an AI assistant, and this call is recorded. Please call Jordan Lee back."
    "#]]);
}

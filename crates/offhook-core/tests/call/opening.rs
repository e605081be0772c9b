//! The first words: nothing comes before them, and they are heard to their end, by everybody who comes to the phone.

use expect_test::expect;
use offhook_core::brief::{Brief, Disclosure};

use crate::script::{Scenario, brief, check_connected, check_talking};

/// The model asked, and nothing came of it: nobody is talked to who does not know to whom.
#[test]
fn a_call_that_cannot_be_opened_ends() {
    check_connected(
        "2000 remote_starts\n2400 remote_stops\n40000 tick",
        expect![[r#"
         1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        31500 journal: call.problem part="speech" code="not_opened" message="the first sentence, which says who is calling, could not be spoken in time"
        31500 stop playout
        31500 leg: hang up, speech.lost
        31500 speech: close
    "#]],
    );
}

#[test]
fn without_a_disclosure_a_greeting_that_cannot_be_said_is_let_go() {
    let disclosure = Disclosure { ai: false, recording: false, sentence: None };
    let brief = Brief { disclosure, ..brief() };
    Scenario { brief, ..Scenario::default() }.check_connected(
        "40000 tick",
        expect![[r#"
         1500 speech: open with "I am calling for Jordan Lee."
        31500 speech: say "Hello, is anybody there?"
    "#]],
    );
}

/// Half of it, then silence: the model tries again, and only the second attempt counts.
#[test]
fn half_a_disclosure_is_none() {
    check_connected(
        "2000 playing 1\n3000 played 1 1000\n5000 remote_starts\n9000 playing 2\n9001 opened 2\n13000 played 2 4000\n14000 playing 3\n14500 remote_starts\n14500 cut_off 3 500 2000",
        expect![[r#"
             1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            14500 stop playout
            14500 journal: turn.barge_in heard_ms=500
            14500 speech: truncate 3 at 500 of 2000 ms
        "#]],
    );
}

#[test]
fn while_it_is_not_opened_nobody_is_asked_whether_they_are_there() {
    check_connected(
        "2000 playing 1\n2001 opened 1\n6000 played 1 4000\n22000 tick",
        expect![[r#"
             1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            21000 speech: say "Hello, is anybody there?"
        "#]],
    );
}

/// It was handed over, and the hold cut it off: only the call knows that.
#[test]
fn an_opening_that_a_hold_cut_off_is_said_again() {
    check_connected(
        "1600 playing 1\n1700 opened 1\n2000 held\n2000 cut_off 1 400 4000\n9000 resumed\n9100 playing 2\n9101 opened 2\n13000 played 2 4000",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            2000 journal: leg.held
            2000 stop playout
            2000 speech: suspend
            2000 speech: truncate 1 at 400 of 4000 ms
            9000 journal: leg.resumed
            9000 speech: resume
            9000 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        "#]],
    );
}

#[test]
fn an_opening_that_the_model_has_not_handed_over_is_the_models_to_say_again() {
    check_connected(
        "1600 playing 1\n2000 held\n2000 cut_off 1 400 400\n9000 resumed\n9100 playing 2\n9101 opened 2\n13000 played 2 4000",
        expect![[r#"
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            2000 journal: leg.held
            2000 stop playout
            2000 speech: suspend
            2000 speech: truncate 1 at 400 of 400 ms
            9000 journal: leg.resumed
            9000 speech: resume
        "#]],
    );
}

#[test]
fn a_model_that_speaks_unasked_is_cut_off() {
    check_connected(
        "500 playing 1\n500 cut_off 1 20 3000\n900 playing 2\n901 opened 2\n4900 played 2 4000",
        expect![[r#"
        500 stop playout
        500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        500 speech: truncate 1 at 20 of 3000 ms
    "#]],
    );
}

#[test]
fn a_model_that_is_lost_before_it_said_who_is_calling_does_not_apologise() {
    check_connected(
        "1600 playing 1\n2000 speech_lost gone twice\n2050 closed",
        expect![[r#"
        1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        2000 journal: call.problem part="speech" code="lost" message="gone twice"
        2000 stop playout
        2000 leg: hang up, speech.lost
        2000 speech: close
        2050 journal: call.answered_by answered_by="unknown"
        2050 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
        2050 journal: call.ended reason="speech.lost" answered=true talk_ms=2000 sip_status=- q850_cause=-
    "#]],
    );
}

/// Whoever comes to the phone is somebody new.
#[test]
fn after_a_hold_the_disclosure_comes_first() {
    check_talking(
        "5000 hold\n59000 sounds_like a_person\n60000 remote_starts\n62000 remote_stops\n62500 playing 2\n62500 cut_off 2 20 3000\n63000 playing 3\n63100 opened 3\n67000 played 3 4000\n69000 playing 4\n71000 played 4 2000",
        expect![[r#"
             5000 journal: tool.called tool="wait_on_hold" arguments=""
             5000 journal: hold.started by="voice"
             5000 speech: suspend
             5000 journal: tool.answered tool="wait_on_hold" output="on hold; you hear nothing and say nothing until somebody speaks"
             5000 speech: tool 1 answered "on hold; you hear nothing and say nothing until somebody speaks"
            59000 journal: hold.ended waited_ms=54000
            59000 speech: resume
            59000 speech: note "The hold is over as far as one can hear: somebody speaks. If it is only an announcement, or music, use wait_on_hold again. If it is a person, go on with the call; whoever it is may be somebody new."
            62500 stop playout
            62500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            62500 speech: truncate 2 at 20 of 3000 ms
        "#]],
    );
}

/// As the script of the local voice does it.
#[test]
fn a_voice_that_introduces_itself_anew_is_let_speak() {
    check_talking(
        "5000 menu\n6000 press 2\n6300 digits_sent\n15000 voice_text 2 Hello, this is an AI assistant, and this call is recorded.\n15000 playing 2\n16000 remote_starts\n19000 played 2 4000\n19100 remote_stops\n20000 playing 3",
        expect![[r#"
             5000 journal: tool.called tool="report_voicemail" arguments="ivr"
             5000 journal: call.answered_by answered_by="ivr"
             5000 journal: tool.answered tool="report_voicemail" output="noted; go on"
             5000 speech: tool 1 answered "noted; go on", wants an answer
             6000 journal: tool.called tool="send_digits" arguments="2"
             6000 leg: send digits 2
             6300 journal: leg.digits_sent digits="2"
             6300 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
             6300 speech: tool 1 answered "sent; now listen to what the menu says"
            19000 journal: turn.voice turn=1 started_ms=15000 ended_ms=19000 text="Hello, this is an AI assistant, and this call is recorded." interrupted=false
        "#]],
    );
}

#[test]
fn the_opening_that_a_menu_heard_is_said_again_to_the_person_after_it() {
    check_connected(
        "1600 playing 1\n1700 opened 1\n1800 menu\n5600 played 1 4000\n15000 playing 2\n15000 cut_off 2 20 2000\n15400 playing 3\n15401 opened 3\n19400 played 3 4000\n20000 playing 4",
        expect![[r#"
             1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
             1800 journal: tool.called tool="report_voicemail" arguments="ivr"
             1800 journal: call.answered_by answered_by="ivr"
             1800 journal: tool.answered tool="report_voicemail" output="noted; go on"
             1800 speech: tool 1 answered "noted; go on", wants an answer
            15000 stop playout
            15000 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            15000 speech: truncate 2 at 20 of 2000 ms
        "#]],
    );
}

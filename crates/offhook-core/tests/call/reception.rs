//! Calls to a line of ours: word that is left, and callers nobody wants.

use expect_test::{Expect, expect};
use offhook_core::brief::Brief;
use offhook_core::call::Direction;

use crate::script::{Scenario, brief};

#[track_caller]
fn check_line(script: &str, expected: Expect) {
    let brief = Brief { takes_messages: true, ends_spam: true, ..brief() };
    Scenario { direction: Direction::Inbound, brief, ..Scenario::default() }.check_talking(script, expected);
}

#[test]
fn a_message_is_taken_down_and_the_caller_is_told() {
    check_line(
        "4000 message Ana; The keys are at the desk.; +12065551001",
        expect![[r#"
        4000 journal: tool.called tool="take_message" arguments="The keys are at the desk."
        4000 journal: message.taken name="Ana" message="The keys are at the desk." call_back="+12065551001"
        4000 journal: tool.answered tool="take_message" output="taken, and it will be passed on; tell the caller so, and promise nothing about when or whether somebody calls back"
        4000 speech: tool 1 answered "taken, and it will be passed on; tell the caller so, and promise nothing about when or whether somebody calls back", wants an answer
    "#]],
    );
}

#[test]
fn a_message_says_something_and_there_are_a_few_of_a_call() {
    check_line(
        "4000 message  \n5000 message One.\n6000 message Two.\n7000 message Three.\n8000 message Four.",
        expect![[r#"
            4000 journal: tool.called tool="take_message" arguments=""
            4000 journal: tool.answered tool="take_message" output="not taken: it says nothing; ask what the message is"
            4000 speech: tool 1 answered "not taken: it says nothing; ask what the message is", wants an answer
            5000 journal: tool.called tool="take_message" arguments="One."
            5000 journal: message.taken name=- message="One." call_back=-
            5000 journal: tool.answered tool="take_message" output="taken, and it will be passed on; tell the caller so, and promise nothing about when or whether somebody calls back"
            5000 speech: tool 1 answered "taken, and it will be passed on; tell the caller so, and promise nothing about when or whether somebody calls back", wants an answer
            6000 journal: tool.called tool="take_message" arguments="Two."
            6000 journal: message.taken name=- message="Two." call_back=-
            6000 journal: tool.answered tool="take_message" output="taken, and it will be passed on; tell the caller so, and promise nothing about when or whether somebody calls back"
            6000 speech: tool 1 answered "taken, and it will be passed on; tell the caller so, and promise nothing about when or whether somebody calls back", wants an answer
            7000 journal: tool.called tool="take_message" arguments="Three."
            7000 journal: message.taken name=- message="Three." call_back=-
            7000 journal: tool.answered tool="take_message" output="taken, and it will be passed on; tell the caller so, and promise nothing about when or whether somebody calls back"
            7000 speech: tool 1 answered "taken, and it will be passed on; tell the caller so, and promise nothing about when or whether somebody calls back", wants an answer
            8000 journal: tool.called tool="take_message" arguments="Four."
            8000 journal: tool.answered tool="take_message" output="not taken: there are enough messages of this call"
            8000 speech: tool 1 answered "not taken: there are enough messages of this call", wants an answer
        "#]],
    );
}

#[test]
fn a_caller_nobody_wants_hears_one_sentence_and_the_line_is_closed() {
    check_line(
        "3000 playing 1\n4000 spam\n4000 cut_off 1 900 4000\n4100 remote_starts\n4400 playing 2\n9400 played 2 5000\n\
         9500 spam\n10000 closed\n10001 speech_lost closed",
        expect![[r#"
             4000 journal: tool.called tool="report_spam" arguments=""
             4000 journal: call.result status="failed" summary="An unwanted call; the caller was told goodbye." evidence_turns=[]
             4000 journal: tool.answered tool="report_spam" output="the caller is told goodbye"
             4000 speech: tool 1 answered "the caller is told goodbye"
             4000 stop playout
             4000 speech: say "Thank you, but there is no interest. Please do not call this number again. Goodbye."
             4000 speech: truncate 1 at 900 of 4000 ms
             9500 journal: tool.called tool="report_spam" arguments=""
             9500 journal: tool.answered tool="report_spam" output="the call is ending"
             9500 speech: tool 1 answered "the call is ending"
             9600 stop playout
             9600 leg: hang up, voice.spam
             9600 speech: close
            10001 journal: call.answered_by answered_by="unknown"
            10001 journal: call.ended reason="voice.spam" answered=true talk_ms=9600 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn a_sentence_that_never_comes_keeps_nobody_on_the_line() {
    check_line(
        "4000 spam",
        expect![[r#"
        4000 journal: tool.called tool="report_spam" arguments=""
        4000 journal: call.result status="failed" summary="An unwanted call; the caller was told goodbye." evidence_turns=[]
        4000 journal: tool.answered tool="report_spam" output="the caller is told goodbye"
        4000 speech: tool 1 answered "the caller is told goodbye"
        4000 stop playout
        4000 speech: say "Thank you, but there is no interest. Please do not call this number again. Goodbye."
    "#]],
    );
    check_line(
        "4000 spam\n40000 tick\n40100 closed\n40101 speech_lost closed",
        expect![[r#"
         4000 journal: tool.called tool="report_spam" arguments=""
         4000 journal: call.result status="failed" summary="An unwanted call; the caller was told goodbye." evidence_turns=[]
         4000 journal: tool.answered tool="report_spam" output="the caller is told goodbye"
         4000 speech: tool 1 answered "the caller is told goodbye"
         4000 stop playout
         4000 speech: say "Thank you, but there is no interest. Please do not call this number again. Goodbye."
        24000 stop playout
        24000 leg: hang up, voice.spam
        24000 speech: close
        40101 journal: call.answered_by answered_by="unknown"
        40101 journal: call.ended reason="voice.spam" answered=true talk_ms=24000 sip_status=- q850_cause=-
    "#]],
    );
}

#[test]
fn a_call_that_is_not_for_this_takes_no_message_and_knows_no_spam() {
    Scenario { direction: Direction::Inbound, ..Scenario::default() }.check_talking(
        "4000 message Call me.\n5000 spam",
        expect![[r#"
            4000 journal: tool.called tool="take_message" arguments="Call me."
            4000 journal: tool.answered tool="take_message" output="no messages are taken on this call"
            4000 speech: tool 1 answered "no messages are taken on this call", wants an answer
            5000 journal: tool.called tool="report_spam" arguments=""
            5000 journal: tool.answered tool="report_spam" output="say goodbye and use end_call"
            5000 speech: tool 1 answered "say goodbye and use end_call", wants an answer
        "#]],
    );
}

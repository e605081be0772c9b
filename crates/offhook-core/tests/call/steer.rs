//! What an owner wants said, followed and pressed in a call that is under way.

use expect_test::expect;

use crate::script::{check, check_connected, check_talking};

#[test]
fn the_voice_says_what_its_owner_wants_said() {
    check_talking(
        "2000 owner_says Please ask for Rosa.",
        expect![[r#"
        2000 journal: owner.said text="Please ask for Rosa."
        2000 speech: say "Please ask for Rosa."
    "#]],
    );
}

#[test]
fn nobody_is_talked_over_for_it() {
    check_talking(
        "2000 remote_starts\n2500 owner_says Please ask for Rosa.\n4000 remote_stops",
        expect![[r#"
        2500 journal: owner.said text="Please ask for Rosa."
        4000 speech: say "Please ask for Rosa."
    "#]],
    );
}

#[test]
fn nobody_is_talked_to_before_the_first_words() {
    check_connected(
        "500 owner_says Please ask for Rosa.\n1600 playing 0\n1700 opened 0\n5000 played 0 3000",
        expect![[r#"
             500 journal: owner.said text="Please ask for Rosa."
            1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            5000 speech: say "Please ask for Rosa."
        "#]],
    );
}

#[test]
fn what_is_to_be_said_waits_for_the_end_of_a_hold() {
    check_talking(
        "2000 held\n3000 owner_says Please ask for Rosa.\n4000 owner_instructs Be brief.\n9000 resumed",
        expect![[r#"
            2000 journal: leg.held
            2000 stop playout
            2000 speech: suspend
            3000 journal: owner.said text="Please ask for Rosa."
            4000 journal: owner.instructed text="Be brief."
            4000 speech: instruct "Be brief."
            9000 journal: leg.resumed
            9000 speech: resume
            9000 speech: say "Please ask for Rosa."
        "#]],
    );
}

#[test]
fn not_more_waits_than_can_be_said() {
    check_talking(
        "2000 remote_starts\n2001 owner_says 1\n2002 owner_says 2\n2003 owner_says 3\n2004 owner_says 4\n2005 owner_says 5\n2006 remote_stops",
        expect![[r#"
            2001 journal: owner.said text="1"
            2002 journal: owner.said text="2"
            2003 journal: owner.said text="3"
            2004 journal: owner.said text="4"
            2006 speech: say "1"
            2006 speech: say "2"
            2006 speech: say "3"
            2006 speech: say "4"
        "#]],
    );
}

#[test]
fn the_voice_answers_to_a_note_at_once_only_where_nobody_speaks() {
    check_talking(
        "2000 owner_instructs Ask about Sunday, too.\n3000 remote_starts\n3500 owner_instructs Be brief.",
        expect![[r#"
            2000 journal: owner.instructed text="Ask about Sunday, too."
            2000 speech: instruct "Ask about Sunday, too.", wants an answer
            3500 journal: owner.instructed text="Be brief."
            3500 speech: instruct "Be brief."
        "#]],
    );
}

#[test]
fn keys_of_the_owner_are_pressed_and_the_voice_is_told() {
    check_talking(
        "2000 owner_presses 1,2#\n2100 owner_presses 3\n2200 press 4\n4000 digits_sent\n4100 owner_presses no",
        expect![[r#"
            2000 journal: owner.pressed digits="1,2#"
            2000 leg: send digits 1w2#
            2200 journal: tool.called tool="send_digits" arguments="4"
            2200 journal: tool.answered tool="send_digits" output="not sent: the digits before are still being sent"
            2200 speech: tool 1 answered "not sent: the digits before are still being sent"
            4000 journal: leg.digits_sent digits="1w2#"
            4000 speech: note "Keys were pressed for you just now. Listen to what answers them."
        "#]],
    );
}

#[test]
fn before_the_answer_and_in_its_last_words_a_call_takes_nothing() {
    check(
        "0 ready\n10 ringing\n20 owner_says Hello.\n30 owner_presses 1\n40 answered\n5000 playing 0\n5100 opened 0\n6000 played 0 900\n7000 end_call\n7010 owner_says Wait.\n7020 owner_instructs Wait.\n7030 owner_presses 1",
        expect![[r#"
               0 journal: speech.ready model="test"
               0 dial
              10 journal: call.ringing early_media=false
              40 journal: call.answered sip_call_id=-
              40 journal: recording.started
              40 connect
            1540 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            7000 journal: tool.called tool="end_call" arguments="done"
            7000 journal: call.result status="unclear" summary="The voice ended the call without a result." evidence_turns=[]
        "#]],
    );
}

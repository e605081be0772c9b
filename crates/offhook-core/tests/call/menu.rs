//! Keys, and menus that answer them or do not.

use expect_test::expect;

use crate::script::{check_connected, check_talking};

#[test]
fn keys_are_followed_by_silence() {
    check_talking(
        "3000 press 1\n3200 digits_sent\n3400 playing 1\n3400 cut_off 1 0 900",
        expect![[r#"
        3000 journal: tool.called tool="send_digits" arguments="1"
        3000 leg: send digits 1
        3200 journal: leg.digits_sent digits="1"
        3200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
        3200 speech: tool 1 answered "sent; now listen to what the menu says"
        3400 stop playout
        3400 speech: truncate 1 at 0 of 900 ms
    "#]],
    );
}

#[test]
fn a_menu_that_answers_ends_the_silence() {
    check_talking(
        "3000 press 1\n3200 digits_sent\n3600 remote_starts\n4800 remote_stops\n4900 playing 1",
        expect![[r#"
            3000 journal: tool.called tool="send_digits" arguments="1"
            3000 leg: send digits 1
            3200 journal: leg.digits_sent digits="1"
            3200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
            3200 speech: tool 1 answered "sent; now listen to what the menu says"
        "#]],
    );
}

#[test]
fn what_the_owner_wants_said_waits_until_the_menu_had_its_chance() {
    check_talking(
        "3000 press 1\n3200 digits_sent\n3500 owner_says Sales, please.\n6000 tick",
        expect![[r#"
        3000 journal: tool.called tool="send_digits" arguments="1"
        3000 leg: send digits 1
        3200 journal: leg.digits_sent digits="1"
        3200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
        3200 speech: tool 1 answered "sent; now listen to what the menu says"
        3500 journal: owner.said text="Sales, please."
        4700 speech: say "Sales, please."
    "#]],
    );
}

#[test]
fn the_same_keys_on_the_same_words_are_slower_each_time_and_then_refused() {
    check_talking(
        "3000 said_at 2000 For billing press 1, for repairs press 2.
         4000 press 12
         4200 digits_sent
         9000 said_at 6000 I did not get that. For billing press 1, for repairs press 2.
         9500 press 12
         9700 digits_sent
         14000 said_at 11000 I did not get that. For billing press 1, for repairs press 2.
         14500 press 12
         14700 digits_sent
         19000 said_at 16000 I did not get that. For billing press 1, for repairs press 2.
         19500 press 12
         39600 tick",
        expect![[r#"
             3000 journal: turn.remote turn=1 started_ms=2000 ended_ms=2500 text="For billing press 1, for repairs press 2." confidence=-
             3000 journal: call.answered_by answered_by="ivr"
             4000 journal: tool.called tool="send_digits" arguments="12"
             4000 leg: send digits 12
             4200 journal: leg.digits_sent digits="12"
             4200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
             4200 speech: tool 1 answered "sent; now listen to what the menu says"
             9000 journal: turn.remote turn=2 started_ms=6000 ended_ms=6500 text="I did not get that. For billing press 1, for repairs press 2." confidence=-
             9500 journal: tool.called tool="send_digits" arguments="12"
             9500 leg: send digits w1w2
             9700 journal: leg.digits_sent digits="w1w2"
             9700 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
             9700 speech: tool 1 answered "sent; now listen to what the menu says"
            14000 journal: turn.remote turn=3 started_ms=11000 ended_ms=11500 text="I did not get that. For billing press 1, for repairs press 2." confidence=-
            14500 journal: tool.called tool="send_digits" arguments="12"
            14500 leg: send digits W1W2
            14700 journal: leg.digits_sent digits="W1W2"
            14700 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
            14700 speech: tool 1 answered "sent; now listen to what the menu says"
            19000 journal: turn.remote turn=4 started_ms=16000 ended_ms=16500 text="I did not get that. For billing press 1, for repairs press 2." confidence=-
            19500 journal: tool.called tool="send_digits" arguments="12"
            19500 journal: menu.stuck tries=3 digits="12"
            19500 journal: tool.answered tool="send_digits" output="not sent: these keys brought the same words each time, so the menu leads nowhere with them. Try another option if there is one; otherwise end the call with the result blocked, and say that the menu is stuck and where"
            19500 speech: tool 1 answered "not sent: these keys brought the same words each time, so the menu leads nowhere with them. Try another option if there is one; otherwise end the call with the result blocked, and say that the menu is stuck and where", wants an answer
            34000 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            39500 journal: result.item kind="blocker" name="stuck_menu" value="The phone menu led nowhere: the same keys brought the same words each time." turns=[]
            39500 journal: call.result status="blocked" summary="The phone menu led nowhere: the same keys brought the same words each time." evidence_turns=[]
            39500 stop playout
            39500 leg: hang up, voice.finished
            39500 speech: close
        "#]],
    );
}

#[test]
fn a_way_out_of_it_is_not_cut_off() {
    check_talking(
        "3000 said_at 2000 For billing press 1, for repairs press 2.
         4000 press 1
         4200 digits_sent
         9000 said_at 6000 For billing press 1, for repairs press 2.
         9500 press 1
         9700 digits_sent
         14000 said_at 11000 For billing press 1, for repairs press 2.
         14500 press 1
         14700 digits_sent
         19000 said_at 16000 For billing press 1, for repairs press 2.
         19500 press 1
         21000 press 0
         21200 digits_sent
         40000 remote_starts",
        expect![[r#"
             3000 journal: turn.remote turn=1 started_ms=2000 ended_ms=2500 text="For billing press 1, for repairs press 2." confidence=-
             3000 journal: call.answered_by answered_by="ivr"
             4000 journal: tool.called tool="send_digits" arguments="1"
             4000 leg: send digits 1
             4200 journal: leg.digits_sent digits="1"
             4200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
             4200 speech: tool 1 answered "sent; now listen to what the menu says"
             9000 journal: turn.remote turn=2 started_ms=6000 ended_ms=6500 text="For billing press 1, for repairs press 2." confidence=-
             9500 journal: tool.called tool="send_digits" arguments="1"
             9500 leg: send digits w1
             9700 journal: leg.digits_sent digits="w1"
             9700 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
             9700 speech: tool 1 answered "sent; now listen to what the menu says"
            14000 journal: turn.remote turn=3 started_ms=11000 ended_ms=11500 text="For billing press 1, for repairs press 2." confidence=-
            14500 journal: tool.called tool="send_digits" arguments="1"
            14500 leg: send digits W1
            14700 journal: leg.digits_sent digits="W1"
            14700 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
            14700 speech: tool 1 answered "sent; now listen to what the menu says"
            19000 journal: turn.remote turn=4 started_ms=16000 ended_ms=16500 text="For billing press 1, for repairs press 2." confidence=-
            19500 journal: tool.called tool="send_digits" arguments="1"
            19500 journal: menu.stuck tries=3 digits="1"
            19500 journal: tool.answered tool="send_digits" output="not sent: these keys brought the same words each time, so the menu leads nowhere with them. Try another option if there is one; otherwise end the call with the result blocked, and say that the menu is stuck and where"
            19500 speech: tool 1 answered "not sent: these keys brought the same words each time, so the menu leads nowhere with them. Try another option if there is one; otherwise end the call with the result blocked, and say that the menu is stuck and where", wants an answer
            21000 journal: tool.called tool="send_digits" arguments="0"
            21000 leg: send digits 0
            21200 journal: leg.digits_sent digits="0"
            21200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
            21200 speech: tool 1 answered "sent; now listen to what the menu says"
            36200 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        "#]],
    );
}

#[test]
fn the_same_key_in_another_menu_is_no_second_try() {
    check_talking(
        "3000 said_at 2000 For billing press 1, for repairs press 2.
         4000 press 1
         4200 digits_sent
         9000 said_at 6000 For invoices press 1, for refunds press 2.
         9500 press 1
         9700 digits_sent",
        expect![[r#"
            3000 journal: turn.remote turn=1 started_ms=2000 ended_ms=2500 text="For billing press 1, for repairs press 2." confidence=-
            3000 journal: call.answered_by answered_by="ivr"
            4000 journal: tool.called tool="send_digits" arguments="1"
            4000 leg: send digits 1
            4200 journal: leg.digits_sent digits="1"
            4200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
            4200 speech: tool 1 answered "sent; now listen to what the menu says"
            9000 journal: turn.remote turn=2 started_ms=6000 ended_ms=6500 text="For invoices press 1, for refunds press 2." confidence=-
            9500 journal: tool.called tool="send_digits" arguments="1"
            9500 leg: send digits 1
            9700 journal: leg.digits_sent digits="1"
            9700 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
            9700 speech: tool 1 answered "sent; now listen to what the menu says"
        "#]],
    );
}

#[test]
fn words_that_are_not_understood_yet_tell_nothing() {
    check_connected(
        "3000 press 1\n3200 digits_sent\n5000 press 1\n5200 digits_sent",
        expect![[r#"
        1500 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
        3000 journal: tool.called tool="send_digits" arguments="1"
        3000 leg: send digits 1
        3200 journal: leg.digits_sent digits="1"
        3200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
        3200 speech: tool 1 answered "sent; now listen to what the menu says"
        5000 journal: tool.called tool="send_digits" arguments="1"
        5000 leg: send digits 1
        5200 journal: leg.digits_sent digits="1"
        5200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
        5200 speech: tool 1 answered "sent; now listen to what the menu says"
    "#]],
    );
}

#[test]
fn a_transcript_that_lags_behind_does_not_hide_that_it_is_the_same() {
    check_talking(
        "4000 press 1
         4100 said_at 2000 For billing press 1, for repairs press 2.
         4200 digits_sent
         9500 press 1
         9600 said_at 6000 For billing press 1, for repairs press 2.
         9700 digits_sent
         14500 press 1
         14600 said_at 11000 For billing press 1, for repairs press 2.
         14700 digits_sent
         19500 press 1",
        expect![[r#"
             4000 journal: tool.called tool="send_digits" arguments="1"
             4000 leg: send digits 1
             4100 journal: turn.remote turn=1 started_ms=2000 ended_ms=2500 text="For billing press 1, for repairs press 2." confidence=-
             4100 journal: call.answered_by answered_by="ivr"
             4200 journal: leg.digits_sent digits="1"
             4200 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
             4200 speech: tool 1 answered "sent; now listen to what the menu says"
             9500 journal: tool.called tool="send_digits" arguments="1"
             9500 leg: send digits w1
             9600 journal: turn.remote turn=2 started_ms=6000 ended_ms=6500 text="For billing press 1, for repairs press 2." confidence=-
             9700 journal: leg.digits_sent digits="w1"
             9700 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
             9700 speech: tool 1 answered "sent; now listen to what the menu says"
            14500 journal: tool.called tool="send_digits" arguments="1"
            14500 leg: send digits W1
            14600 journal: turn.remote turn=3 started_ms=11000 ended_ms=11500 text="For billing press 1, for repairs press 2." confidence=-
            14700 journal: leg.digits_sent digits="W1"
            14700 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
            14700 speech: tool 1 answered "sent; now listen to what the menu says"
            19500 journal: tool.called tool="send_digits" arguments="1"
            19500 journal: menu.stuck tries=3 digits="1"
            19500 journal: tool.answered tool="send_digits" output="not sent: these keys brought the same words each time, so the menu leads nowhere with them. Try another option if there is one; otherwise end the call with the result blocked, and say that the menu is stuck and where"
            19500 speech: tool 1 answered "not sent: these keys brought the same words each time, so the menu leads nowhere with them. Try another option if there is one; otherwise end the call with the result blocked, and say that the menu is stuck and where", wants an answer
        "#]],
    );
}

#[test]
fn what_was_not_heard_is_said_once_nothing_answers() {
    check_talking(
        "3000 owner_presses 1\n3200 digits_sent\n3400 playing 1\n3400 cut_off 1 0 900\n3500 owner_instructs Ask for Rosa.\n6000 tick",
        expect![[r#"
            3000 journal: owner.pressed digits="1"
            3000 leg: send digits 1
            3200 journal: leg.digits_sent digits="1"
            3200 speech: note "Keys were pressed for you just now. Listen to what answers them."
            3400 stop playout
            3400 speech: truncate 1 at 0 of 900 ms
            3500 journal: owner.instructed text="Ask for Rosa."
            3500 speech: instruct "Ask for Rosa."
            4700 speech: note "Nothing answered the keys. What you wanted to say meanwhile was not heard: say it now.", wants an answer
        "#]],
    );
}

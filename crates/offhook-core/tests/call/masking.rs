//! One-time codes and card numbers, on their way to the journal.

use expect_test::{Expect, expect};
use offhook_core::brief::Brief;

use crate::script::{Scenario, brief};

#[track_caller]
fn check_masked(script: &str, expected: Expect) {
    let brief = Brief { mask_secrets: true, ..brief() };
    Scenario { brief, ..Scenario::default() }.check_talking(script, expected);
}

#[test]
fn a_code_that_was_asked_for_is_masked_in_every_way_it_is_given() {
    check_masked(
        "4000 said_at 3000 Please read me the one time code.\n8000 said_at 7000 It is 482913, is it not?\n9000 press 48w2913\n9500 digits_sent\n12000 voice_text 2 I have typed four eight two nine one three.\n12000 playing 2\n14000 played 2 2000\n20000 end_call They took the code 482913. | It is 482913, is it not?",
        expect![[r#"
             4000 journal: turn.remote turn=1 started_ms=3000 ended_ms=3500 text="Please read me the one time code." confidence=-
             8000 journal: turn.remote turn=2 started_ms=7000 ended_ms=7500 text="It is ••••••, is it not?" confidence=-
             8000 mask recording 6700-7800 ms
             8000 journal: turn.masked turn=2 from_ms=6700 to_ms=7800 kind="code"
             8000 journal: call.answered_by answered_by="human"
             9000 journal: tool.called tool="send_digits" arguments="••w••••"
             9000 leg: send digits 48w2913
             9500 journal: leg.digits_sent digits="••w••••"
             9500 journal: tool.answered tool="send_digits" output="sent; now listen to what the menu says"
             9500 speech: tool 1 answered "sent; now listen to what the menu says"
            14000 journal: turn.voice turn=3 started_ms=12000 ended_ms=14000 text="I have typed ••••••." interrupted=false
            14000 mask recording 11700-14300 ms
            14000 journal: turn.masked turn=3 from_ms=11700 to_ms=14300 kind="code"
            20000 journal: tool.called tool="end_call" arguments="done"
            20000 journal: call.result status="unclear" summary="They took the code ••••••. What was said does not show it." evidence_turns=[2]
        "#]],
    );
}

#[test]
fn keys_of_the_remote_are_not_shown_where_they_are_a_secret() {
    check_masked(
        "4000 digit 5\n6000 said_at 5000 I type in the card number.\n7000 digit 4\n7400 digit 2",
        expect![[r#"
            4000 journal: leg.digit_received digit="5"
            6000 journal: turn.remote turn=1 started_ms=5000 ended_ms=5500 text="I type in the card number." confidence=-
            6000 journal: call.answered_by answered_by="human"
            7000 mask recording 6500-7300 ms
            7000 journal: leg.digit_received digit="•"
            7400 mask recording 6900-7700 ms
            7400 journal: leg.digit_received digit="•"
        "#]],
    );
}

#[test]
fn what_the_owner_answers_is_masked_and_told_to_the_voice() {
    let brief = Brief { mask_secrets: true, ask_owner: Some(std::time::Duration::from_secs(60)), ..brief() };
    Scenario { brief, ..Scenario::default() }.check_talking(
        "3000 ask What is the one time code?\n9000 owner_answers 4829",
        expect![[r#"
            3000 journal: tool.called tool="ask_owner" arguments="What is the one time code?"
            3000 journal: owner.asked question_id=1 question="What is the one time code?" answer_within_ms=60000
            3000 journal: tool.answered tool="ask_owner" output="asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again"
            3000 speech: tool 1 answered "asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again", wants an answer
            9000 journal: owner.answered question_id=1 answer="••••"
            9000 speech: owner answered "What is the one time code?": Some("4829"), wants an answer
        "#]],
    );
}

/// A person may understand it in the recording.
#[test]
fn a_secret_that_nobody_understood_is_silent_too() {
    check_masked(
        "4000 said_at 3000 What is your PIN?\n6000 remote_mumbled",
        expect![[r#"
        4000 journal: turn.remote turn=1 started_ms=3000 ended_ms=3500 text="What is your PIN?" confidence=-
        4000 journal: call.answered_by answered_by="human"
        6000 journal: turn.not_understood turn=2 started_ms=0 ended_ms=500
        6000 mask recording 0-800 ms
        6000 journal: turn.masked turn=2 from_ms=0 to_ms=800 kind="code"
    "#]],
    );
}

#[test]
fn without_the_operators_wish_nothing_is_masked() {
    Scenario::default().check_talking("4000 said_at 3000 Your code is 482913.", expect![[r#"
        4000 journal: turn.remote turn=1 started_ms=3000 ended_ms=3500 text="Your code is 482913." confidence=-
        4000 journal: call.answered_by answered_by="human"
    "#]]);
}

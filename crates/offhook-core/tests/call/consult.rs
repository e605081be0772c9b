//! The voice asks its owner back, and the call goes on meanwhile.

use std::time::Duration;

use expect_test::{Expect, expect};
use offhook_core::brief::Brief;
use offhook_core::call::Limits;

use crate::script::{Scenario, brief, check_talking};

/// A call whose owner may take 60 seconds to answer.
#[track_caller]
fn check_asking(script: &str, expected: Expect) {
    let brief = Brief { ask_owner: Some(Duration::from_secs(60)), ..brief() };
    Scenario { brief, ..Scenario::default() }.check_talking(script, expected);
}

#[test]
fn a_question_that_is_answered_in_time() {
    check_asking(
        "2000 ask What is her date of birth?\n2100 playing 1\n4000 played 1 1900\n9000 owner_answers The fifth of May.",
        expect![[r#"
            2000 journal: tool.called tool="ask_owner" arguments="What is her date of birth?"
            2000 journal: owner.asked question_id=1 question="What is her date of birth?" answer_within_ms=60000
            2000 journal: tool.answered tool="ask_owner" output="asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again"
            2000 speech: tool 1 answered "asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again", wants an answer
            9000 journal: owner.answered question_id=1 answer="The fifth of May."
            9000 speech: owner answered "What is her date of birth?": Some("The fifth of May."), wants an answer
        "#]],
    );
}

#[test]
fn an_answer_does_not_interrupt_who_is_speaking() {
    check_asking(
        "2000 ask What is her date of birth?\n8000 remote_starts\n9000 owner_answers_1 The fifth of May.",
        expect![[r#"
            2000 journal: tool.called tool="ask_owner" arguments="What is her date of birth?"
            2000 journal: owner.asked question_id=1 question="What is her date of birth?" answer_within_ms=60000
            2000 journal: tool.answered tool="ask_owner" output="asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again"
            2000 speech: tool 1 answered "asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again", wants an answer
            9000 journal: owner.answered question_id=1 answer="The fifth of May."
            9000 speech: owner answered "What is her date of birth?": Some("The fifth of May.")
        "#]],
    );
}

#[test]
fn whoever_waits_is_told_so_and_after_a_minute_the_voice_closes_politely() {
    check_asking(
        "2000 ask What is her date of birth?\n70000 owner_answers The fifth of May.\n71000 end_call Not booked.",
        expect![[r#"
             2000 journal: tool.called tool="ask_owner" arguments="What is her date of birth?"
             2000 journal: owner.asked question_id=1 question="What is her date of birth?" answer_within_ms=60000
             2000 journal: tool.answered tool="ask_owner" output="asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again"
             2000 speech: tool 1 answered "asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again", wants an answer
            22000 speech: say "One more moment, please."
            42000 speech: say "One more moment, please."
            62000 journal: owner.silent question_id=1
            62000 speech: owner answered "What is her date of birth?": None, wants an answer
            71000 journal: tool.called tool="end_call" arguments="done"
            71000 journal: result.item kind="blocker" name="missing_information" value="What is her date of birth?" turns=[]
            71000 journal: call.result status="blocked" summary="Not booked. What was said does not show it. Missing: What is her date of birth?" evidence_turns=[]
        "#]],
    );
}

#[test]
fn what_is_missing_is_named_when_the_call_ends_meanwhile() {
    check_asking(
        "2000 ask What is her date of birth?\n9000 remote_hangs_up\n9001 speech_lost closed",
        expect![[r#"
            2000 journal: tool.called tool="ask_owner" arguments="What is her date of birth?"
            2000 journal: owner.asked question_id=1 question="What is her date of birth?" answer_within_ms=60000
            2000 journal: tool.answered tool="ask_owner" output="asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again"
            2000 speech: tool 1 answered "asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again", wants an answer
            9000 journal: owner.silent question_id=1
            9000 stop playout
            9000 speech: close
            9001 journal: call.answered_by answered_by="unknown"
            9001 journal: result.item kind="blocker" name="missing_information" value="What is her date of birth?" turns=[]
            9001 journal: call.result status="blocked" summary="The call ended before the voice reported a result; the transcript shows how far it came. Missing: What is her date of birth?" evidence_turns=[]
            9001 journal: call.ended reason="remote.hung_up" answered=true talk_ms=9000 sip_status=- q850_cause=16
        "#]],
    );
}

#[test]
fn a_voice_that_gives_up_itself_names_it_too() {
    check_asking(
        "2000 ask What is her date of birth?\n3000 end_call They hung up on us.",
        expect![[r#"
            2000 journal: tool.called tool="ask_owner" arguments="What is her date of birth?"
            2000 journal: owner.asked question_id=1 question="What is her date of birth?" answer_within_ms=60000
            2000 journal: tool.answered tool="ask_owner" output="asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again"
            2000 speech: tool 1 answered "asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again", wants an answer
            3000 journal: tool.called tool="end_call" arguments="done"
            3000 journal: owner.silent question_id=1
            3000 journal: result.item kind="blocker" name="missing_information" value="What is her date of birth?" turns=[]
            3000 journal: call.result status="blocked" summary="They hung up on us. What was said does not show it. Missing: What is her date of birth?" evidence_turns=[]
        "#]],
    );
}

#[test]
fn one_question_at_a_time() {
    check_asking(
        "2000 ask What is her date of birth?\n3000 ask And her name?",
        expect![[r#"
        2000 journal: tool.called tool="ask_owner" arguments="What is her date of birth?"
        2000 journal: owner.asked question_id=1 question="What is her date of birth?" answer_within_ms=60000
        2000 journal: tool.answered tool="ask_owner" output="asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again"
        2000 speech: tool 1 answered "asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again", wants an answer
        3000 journal: tool.called tool="ask_owner" arguments="And her name?"
        3000 journal: tool.answered tool="ask_owner" output="not asked: the question before is still open"
        3000 speech: tool 1 answered "not asked: the question before is still open", wants an answer
    "#]],
    );
}

#[test]
fn not_more_questions_than_anybody_would_answer() {
    let brief = Brief { ask_owner: Some(Duration::from_secs(60)), ..brief() };
    let limits = Limits { consults: 1, ..Limits::default() };
    Scenario { brief, limits, ..Scenario::default() }.check_talking(
        "2000 ask What is her date of birth?\n3000 owner_answers The fifth of May.\n4000 ask And her name?",
        expect![[r#"
            2000 journal: tool.called tool="ask_owner" arguments="What is her date of birth?"
            2000 journal: owner.asked question_id=1 question="What is her date of birth?" answer_within_ms=60000
            2000 journal: tool.answered tool="ask_owner" output="asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again"
            2000 speech: tool 1 answered "asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again", wants an answer
            3000 journal: owner.answered question_id=1 answer="The fifth of May."
            3000 speech: owner answered "What is her date of birth?": Some("The fifth of May."), wants an answer
            4000 journal: tool.called tool="ask_owner" arguments="And her name?"
            4000 journal: tool.answered tool="ask_owner" output="not asked: you have asked often enough; say that you do not have it at hand and will call back"
            4000 speech: tool 1 answered "not asked: you have asked often enough; say that you do not have it at hand and will call back", wants an answer
        "#]],
    );
}

#[test]
fn on_hold_the_voice_keeps_the_answer_to_itself() {
    check_asking(
        "2000 ask What is her date of birth?\n3000 hold\n9000 owner_answers The fifth of May.",
        expect![[r#"
            2000 journal: tool.called tool="ask_owner" arguments="What is her date of birth?"
            2000 journal: owner.asked question_id=1 question="What is her date of birth?" answer_within_ms=60000
            2000 journal: tool.answered tool="ask_owner" output="asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again"
            2000 speech: tool 1 answered "asked; say in a few words that you are checking and need a moment, then wait. The answer comes to you as a note. Until then do not guess, and do not ask again", wants an answer
            3000 journal: tool.called tool="wait_on_hold" arguments=""
            3000 journal: hold.started by="voice"
            3000 speech: suspend
            3000 journal: tool.answered tool="wait_on_hold" output="on hold; you hear nothing and say nothing until somebody speaks"
            3000 speech: tool 1 answered "on hold; you hear nothing and say nothing until somebody speaks"
            9000 journal: owner.answered question_id=1 answer="The fifth of May."
            9000 speech: owner answered "What is her date of birth?": Some("The fifth of May.")
        "#]],
    );
}

#[test]
fn where_nobody_may_be_asked_the_voice_hears_so() {
    check_talking(
        "2000 ask What is her date of birth?\n3000 owner_answers The fifth of May.",
        expect![[r#"
        2000 journal: tool.called tool="ask_owner" arguments="What is her date of birth?"
        2000 journal: tool.answered tool="ask_owner" output="nobody can be asked on this call; say that you do not have it at hand and will call back"
        2000 speech: tool 1 answered "nobody can be asked on this call; say that you do not have it at hand and will call back", wants an answer
    "#]],
    );
}

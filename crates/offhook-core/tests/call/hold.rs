//! Waiting for a person: how it begins, what happens meanwhile, how it ends.

use std::time::Duration;

use expect_test::expect;
use offhook_core::call::Limits;

use crate::script::{Scenario, check_talking};

#[test]
fn the_voice_waits_and_a_person_comes_back() {
    check_talking(
        "5000 hold\n95000 sounds_like a_person\n95600 remote_starts\n97000 remote_stops\n98000 playing 2\n98000 cut_off 2 20 3000\n98200 playing 3\n98300 opened 3\n102000 played 3 3800",
        expect![[r#"
             5000 journal: tool.called tool="wait_on_hold" arguments=""
             5000 journal: hold.started by="voice"
             5000 speech: suspend
             5000 journal: tool.answered tool="wait_on_hold" output="on hold; you hear nothing and say nothing until somebody speaks"
             5000 speech: tool 1 answered "on hold; you hear nothing and say nothing until somebody speaks"
            95000 journal: hold.ended waited_ms=90000
            95000 speech: resume
            95000 speech: note "The hold is over as far as one can hear: somebody speaks. If it is only an announcement, or music, use wait_on_hold again. If it is a person, go on with the call; whoever it is may be somebody new."
            98000 stop playout
            98000 speech: open with "Hello, this is an AI assistant, and this call is recorded. I am calling for Jordan Lee."
            98000 speech: truncate 2 at 20 of 3000 ms
        "#]],
    );
}

#[test]
fn music_puts_the_call_on_hold() {
    check_talking(
        "5000 sounds_like music\n8000 sounds_like music\n60000 sounds_like a_person",
        expect![[r#"
         5000 journal: hold.started by="sound"
         5000 speech: suspend
        60000 journal: hold.ended waited_ms=55000
        60000 speech: resume
        60000 speech: note "The hold is over as far as one can hear: somebody speaks. If it is only an announcement, or music, use wait_on_hold again. If it is a person, go on with the call; whoever it is may be somebody new."
    "#]],
    );
}

#[test]
fn a_voice_that_speaks_is_not_interrupted_by_a_hold() {
    check_talking(
        "5000 playing 2\n5500 sounds_like music\n7000 played 2 2000\n8500 sounds_like music",
        expect![[r#"
        8500 journal: hold.started by="sound"
        8500 speech: suspend
    "#]],
    );
}

#[test]
fn a_silence_is_a_hold_only_where_we_were_asked_to_wait() {
    check_talking(
        "4000 remote_said It is free on Friday.\n14000 sounds_like silence\n16000 remote_said One moment please, I will have a look.\n26000 sounds_like silence\n40000 sounds_like a_person",
        expect![[r#"
             4000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="It is free on Friday." confidence=-
             4000 journal: call.answered_by answered_by="human"
            16000 journal: turn.remote turn=2 started_ms=0 ended_ms=500 text="One moment please, I will have a look." confidence=-
            26000 journal: hold.started by="sound"
            26000 speech: suspend
            40000 journal: hold.ended waited_ms=14000
            40000 speech: resume
            40000 speech: note "The hold is over as far as one can hear: somebody speaks. If it is only an announcement, or music, use wait_on_hold again. If it is a person, go on with the call; whoever it is may be somebody new."
        "#]],
    );
}

#[test]
fn an_announcement_about_waiting_is_a_hold_when_it_comes_again() {
    check_talking(
        "4000 remote_said Your call is important to us. Please stay on the line.\n34000 sounds_like announcement\n64000 sounds_like announcement",
        expect![[r#"
             4000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Your call is important to us. Please stay on the line." confidence=-
            19000 speech: say "Hello, is anybody there?"
            34000 journal: hold.started by="sound"
            34000 speech: suspend
            64000 journal: hold.announcement repeated=2
        "#]],
    );
}

#[test]
fn any_other_announcement_is_a_hold_the_third_time_and_a_menu_never() {
    check_talking(
        "4000 remote_said Did you know that you find us on the internet, too?\n9000 sounds_like announcement\n14000 sounds_like announcement",
        expect![[r#"
             4000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Did you know that you find us on the internet, too?" confidence=-
            14000 journal: hold.started by="sound"
            14000 speech: suspend
        "#]],
    );
    check_talking(
        "4000 remote_said For opening hours, press one. For appointments, press two.\n9000 sounds_like announcement\n14000 sounds_like announcement\n19000 sounds_like announcement",
        expect![[r#"
             4000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="For opening hours, press one. For appointments, press two." confidence=-
             4000 journal: call.answered_by answered_by="ivr"
            19000 speech: say "Hello, is anybody there?"
        "#]],
    );
}

/// The voice listens, hears that it is none, and waits on.
#[test]
fn a_person_who_is_none() {
    check_talking(
        "5000 sounds_like music\n20000 sounds_like a_person\n26000 hold\n50000 sounds_like announcement",
        expect![[r#"
             5000 journal: hold.started by="sound"
             5000 speech: suspend
            20000 journal: hold.ended waited_ms=15000
            20000 speech: resume
            20000 speech: note "The hold is over as far as one can hear: somebody speaks. If it is only an announcement, or music, use wait_on_hold again. If it is a person, go on with the call; whoever it is may be somebody new."
            26000 journal: tool.called tool="wait_on_hold" arguments=""
            26000 journal: hold.started by="voice"
            26000 speech: suspend
            26000 journal: tool.answered tool="wait_on_hold" output="on hold; you hear nothing and say nothing until somebody speaks"
            26000 speech: tool 1 answered "on hold; you hear nothing and say nothing until somebody speaks"
            50000 journal: hold.announcement repeated=1
        "#]],
    );
}

#[test]
fn what_begins_to_play_on_hold_is_not_played() {
    check_talking(
        "5000 hold\n5100 playing 2\n5100 cut_off 2 20 1500\n9000 sounds_like music",
        expect![[r#"
        5000 journal: tool.called tool="wait_on_hold" arguments=""
        5000 journal: hold.started by="voice"
        5000 speech: suspend
        5000 journal: tool.answered tool="wait_on_hold" output="on hold; you hear nothing and say nothing until somebody speaks"
        5000 speech: tool 1 answered "on hold; you hear nothing and say nothing until somebody speaks"
        5100 stop playout
        5100 speech: truncate 2 at 20 of 1500 ms
    "#]],
    );
}

#[test]
fn a_hold_does_not_eat_the_limit_of_the_conversation() {
    let limits =
        Limits { talk: Duration::from_secs(120), silence: Duration::from_secs(600), ..Limits::default() };
    let scenario = || Scenario { limits, ..Scenario::default() };
    // Ten seconds of talk, five minutes on hold: 110 seconds are left.
    scenario().check_after("10000 hold\n310000 sounds_like a_person", "500000 tick", expect![[r#"
        390000 speech: wrap up "The call will be cut off in 30 seconds. Say what is still needed, say goodbye, and end the call."
        420000 stop playout
        420000 leg: hang up, policy.talk_limit
        420000 speech: close
        460000 journal: call.answered_by answered_by="ivr"
        460000 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
        460000 journal: call.ended reason="policy.talk_limit" answered=true talk_ms=420000 sip_status=- q850_cause=-
    "#]]);
}

#[test]
fn all_holds_of_a_call_share_one_budget() {
    let limits = Limits { hold: Duration::from_secs(60), ..Limits::default() };
    let scenario = || Scenario { limits, ..Scenario::default() };
    let before = "5000 hold\n45000 sounds_like a_person\n46000 remote_said Hello.\n50000 held\n60000 resumed";
    scenario().check_after(before, "61000 hold\n100000 tick", expect![[r#"
        61000 journal: tool.called tool="wait_on_hold" arguments=""
        61000 journal: hold.started by="voice"
        61000 speech: suspend
        61000 journal: tool.answered tool="wait_on_hold" output="on hold; you hear nothing and say nothing until somebody speaks"
        61000 speech: tool 1 answered "on hold; you hear nothing and say nothing until somebody speaks"
        71000 journal: result.item kind="blocker" name="on_hold_too_long" value="Nobody came to the phone: the call stayed on hold for as long as it may." turns=[]
        71000 journal: call.result status="blocked" summary="Nobody came to the phone: the call stayed on hold for as long as it may." evidence_turns=[]
        71000 journal: hold.ended waited_ms=10000
        71000 stop playout
        71000 leg: hang up, policy.hold_limit
        71000 speech: close
    "#]]);
}

/// It says by itself when it is over.
#[test]
fn on_the_far_ends_own_hold_sounds_decide_nothing() {
    check_talking(
        "5000 held\n10000 sounds_like music\n20000 sounds_like a_person\n30000 resumed\n31000 remote_said Hello.",
        expect![[r#"
             5000 journal: leg.held
             5000 stop playout
             5000 speech: suspend
            30000 journal: leg.resumed
            30000 speech: resume
            31000 journal: turn.remote turn=1 started_ms=0 ended_ms=500 text="Hello." confidence=-
            31000 journal: call.answered_by answered_by="human"
        "#]],
    );
}

#[test]
fn a_call_that_ends_on_hold_says_how_long_it_waited() {
    check_talking(
        "5000 sounds_like music\n65000 remote_hangs_up",
        expect![[r#"
         5000 journal: hold.started by="sound"
         5000 speech: suspend
        65000 journal: hold.ended waited_ms=60000
        65000 stop playout
        65000 speech: close
    "#]],
    );
}

/// Somebody pays for every minute.
#[test]
fn where_every_minute_is_paid_for_a_hold_is_talk() {
    let limits = Limits { talk: Duration::from_secs(60), hold_is_talk: true, ..Limits::default() };
    Scenario { limits, ..Scenario::default() }.check_talking(
        "5000 sounds_like music\n90000 tick",
        expect![[r#"
             5000 journal: hold.started by="sound"
             5000 speech: suspend
            60000 journal: hold.ended waited_ms=55000
            60000 stop playout
            60000 leg: hang up, policy.talk_limit
            60000 speech: close
        "#]],
    );
}

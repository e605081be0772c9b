//! The user comes into a call: on a second leg, told in private who is there, and joined; or does not come.

use expect_test::expect;
use offhook_core::brief::{Brief, Introduction};

use crate::script::{Scenario, brief, check_talking, user};

fn call(introduction: Introduction) -> Scenario {
    let brief = Brief { handoff: Some(introduction), ..brief() };
    Scenario { brief, user: Some(user()), ..Scenario::default() }
}

/// The user is joined with the answer.
fn straight() -> Scenario {
    call(Introduction::Straight)
}

/// The user is asked first.
fn warm() -> Scenario {
    call(Introduction::Warm)
}

/// The voice wants the user, whose phone rings.
const RINGING: &str = "5000 wants_user They ask for the account holder.\n6000 playing 1\n8000 played 1 1900
    8000 user ringing";

const ANSWERED: &str = "11000 user media_up\n11000 user answered";

fn answered() -> String {
    format!("{RINGING}\n{ANSWERED}")
}

/// The user heard who is there.
fn told() -> String {
    let told = "11200 playing 2\n11200 voice_text 2 Somebody wants you.\n11500 opened 2\n18000 played 2 6800";
    format!("{}\n{told}", answered())
}

#[test]
fn a_straight_handoff_joins_in_one_step() {
    let script = format!(
        "{RINGING}\n{ANSWERED}\n11050 crossed\n60000 remote_hangs_up\n60100 user closed\n60200 speech_lost closed"
    );
    straight().check_talking(&script, expect![[r#"
         5000 journal: tool.called tool="loop_in_user" arguments="They ask for the account holder."
         5000 journal: tool.answered tool="loop_in_user" output="the user is being called. Until they come you stay with the other side: keep them company, answer what they ask, promise nothing"
         5000 speech: tool 1 answered "the user is being called. Until they come you stay with the other side: keep them company, answer what they ask, promise nothing"
         5000 journal: handoff.asked by="voice" warm=false
         5000 company: true
         5000 dial the user
         5000 speech: say "One moment please, I am connecting you."
         8000 journal: handoff.ringing
        11000 journal: handoff.answered
        11000 journal: call.answered_by answered_by="unknown"
        11000 journal: call.result status="partly" summary="The user was connected with the other side; what they said to each other is not recorded. Why the user was wanted: They ask for the account holder." evidence_turns=[]
        11000 company: false
        11000 stop playout
        11000 speech: close
        11000 stop recording
        11000 journal: handoff.joined
        11000 join
        11050 journal: handoff.crossed to_user_ms=40 to_remote_ms=20
        60000 user's leg: HangUp(remote.hung_up)
        60000 journal: handoff.ended by="remote" joined_ms=49000
        60200 journal: call.ended reason="remote.hung_up" answered=true talk_ms=60000 sip_status=- q850_cause=16
    "#]]);
}

#[test]
fn who_can_be_heard_has_not_answered() {
    straight().check_after(RINGING, "9000 user media_up\n12000 user answered", expect![[r#"
        12000 journal: handoff.answered
        12000 journal: call.answered_by answered_by="unknown"
        12000 journal: call.result status="partly" summary="The user was connected with the other side; what they said to each other is not recorded. Why the user was wanted: They ask for the account holder." evidence_turns=[]
        12000 company: false
        12000 stop playout
        12000 speech: close
        12000 stop recording
        12000 journal: handoff.joined
        12000 join
    "#]]);
    straight().check_after(RINGING, "9000 user answered\n12000 user media_up", expect![[r#"
         9000 journal: handoff.answered
        12000 journal: call.answered_by answered_by="unknown"
        12000 journal: call.result status="partly" summary="The user was connected with the other side; what they said to each other is not recorded. Why the user was wanted: They ask for the account holder." evidence_turns=[]
        12000 company: false
        12000 stop playout
        12000 speech: close
        12000 stop recording
        12000 journal: handoff.joined
        12000 join
    "#]]);
}

#[test]
fn nothing_is_said_or_written_after_the_join() {
    straight().check_after(
        &answered(),
        "12000 cut_off 3 400 900\n12100 remote_stops\n12200 said_at 10000 I will wait for her.\n12300 said_at 11200 Hello Jordan.
        12400 voice_text 3 One moment please\n12500 press 1\n12600 end_call Done. | I will wait\n13000 user media_up
        14000 held\n15000 resumed\n20000 owner_says Hello.\n20100 owner_instructs Be kind.\n20200 owner_presses 1
        20300 speech_lost gone\n20400 beep\n60000 user remote_hangs_up\n60050 digit 3\n60100 said_at 50000 Bye.\n60200 closed",
        expect![[r#"
            12200 journal: turn.remote turn=1 started_ms=10000 ended_ms=10500 text="I will wait for her." confidence=-
            12400 journal: turn.voice turn=2 started_ms=12000 ended_ms=12000 text="One" interrupted=true
            60000 leg: hang up, user.hung_up
            60000 journal: handoff.ended by="user" joined_ms=49000
            60200 journal: call.ended reason="user.hung_up" answered=true talk_ms=60000 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn a_warm_handoff_asks_the_user_first_and_keeps_it_private() {
    let script = format!(
        "{ANSWERED}\n11200 playing 2\n11200 voice_text 2 Somebody wants you.\n11500 opened 2\n12000 remote_starts\n12500 remote_stops
        12600 said_at 10900 Hello?\n18000 played 2 6800\n19000 remote_starts\n19500 remote_stops\n19600 said_at 19000 Yes, put me through.
        19700 said_at 10500 Are you still there?\n20000 user_joins\n20010 crossed"
    );
    warm().check_after(RINGING, &script, expect![[r#"
        11000 journal: handoff.answered
        11000 stop playout
        11000 speech: suspend
        11000 attach the user
        11000 speech: resume
        11000 speech: note "From now on you speak with the user whom you are calling for, in private: the other side waits and does not hear you. Answer their questions about the call in a few words. As soon as they say whether they join, use user_decides. If it is a machine, use report_voicemail."
        11000 speech: open with "Hello, this is your AI assistant. I have somebody on the line who would like to speak with you. They ask for the account holder. To join the call, press 1 or say yes. If you cannot join now, press 2 or say no."
        12600 journal: turn.private turn=1 started_ms=10900 ended_ms=11400
        18000 journal: turn.private turn=2 started_ms=11200 ended_ms=18000
        18000 journal: handoff.introduced
        19600 journal: turn.private turn=3 started_ms=19000 ended_ms=19500
        19700 journal: turn.remote turn=4 started_ms=10500 ended_ms=11000 text="Are you still there?" confidence=-
        19700 journal: call.answered_by answered_by="human"
        20000 journal: tool.called tool="user_decides" arguments="true"
        20000 journal: tool.answered tool="user_decides" output="joined"
        20000 journal: call.result status="partly" summary="The user was connected with the other side; what they said to each other is not recorded. Why the user was wanted: They ask for the account holder." evidence_turns=[]
        20000 company: false
        20000 stop playout
        20000 speech: close
        20000 stop recording
        20000 journal: handoff.joined
        20000 join
        20010 journal: handoff.crossed to_user_ms=40 to_remote_ms=20
    "#]]);
}

#[test]
fn a_key_is_enough_to_join() {
    let script = "11200 playing 2\n14000 user digit 5\n14500 user digit 1\n14500 cut_off 2 2800 6000\n14600 voice_text 2 Somebody wants you.";
    warm().check_after(&answered(), script, expect![[r#"
        14500 journal: call.answered_by answered_by="unknown"
        14500 journal: call.result status="partly" summary="The user was connected with the other side; what they said to each other is not recorded. Why the user was wanted: They ask for the account holder." evidence_turns=[]
        14500 company: false
        14500 stop playout
        14500 speech: close
        14500 stop recording
        14500 journal: handoff.joined
        14500 join
        14600 journal: turn.private turn=1 started_ms=11200 ended_ms=14500
    "#]]);
}

#[test]
fn a_user_who_declines_leaves_the_voice_with_the_remote_and_the_truth() {
    let script = "19000 user digit 2\n19100 user closed\n19500 playing 3\n22000 played 3 2500\n24000 remote_starts\n25000 remote_stops
        25100 said_at 24000 Call again tomorrow.\n50000 tick";
    warm().check_after(&told(), script, expect![[r#"
        19000 journal: handoff.failed why_not="user_declined"
        19000 company: false
        19000 user's leg: HangUp(owner.cancelled)
        19000 stop playout
        19000 speech: suspend
        19000 attach the remote
        19000 speech: resume
        19000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        19000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
        25100 journal: turn.remote turn=2 started_ms=24000 ended_ms=24500 text="Call again tomorrow." confidence=-
        25100 journal: call.answered_by answered_by="human"
        40100 speech: say "Hello, is anybody there?"
    "#]]);
}

#[test]
fn saying_no_and_hanging_up_decline_too() {
    warm().check_after(&told(), "19000 user_stays_out\n19100 user closed", expect![[r#"
        19000 journal: tool.called tool="user_decides" arguments="false"
        19000 journal: tool.answered tool="user_decides" output="noted; going back to the other side"
        19000 speech: tool 1 answered "noted; going back to the other side"
        19000 journal: handoff.failed why_not="user_declined"
        19000 company: false
        19000 user's leg: HangUp(owner.cancelled)
        19000 stop playout
        19000 speech: suspend
        19000 attach the remote
        19000 speech: resume
        19000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        19000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
    "#]]);
    warm().check_after(&told(), "19000 user remote_hangs_up", expect![[r#"
        19000 journal: handoff.failed why_not="user_declined"
        19000 company: false
        19000 stop playout
        19000 speech: suspend
        19000 attach the remote
        19000 speech: resume
        19000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        19000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
    "#]]);
}

#[test]
fn whoever_does_not_decide_is_not_waited_for() {
    warm().check_after(&told(), "36500 tick", expect![[r#"
        36000 journal: handoff.failed why_not="no_answer"
        36000 company: false
        36000 user's leg: HangUp(owner.cancelled)
        36000 stop playout
        36000 speech: suspend
        36000 attach the remote
        36000 speech: resume
        36000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        36000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
    "#]]);
}

#[test]
fn a_machine_of_the_users_is_nobody() {
    warm().check_after(&told(), "19000 voicemail", expect![[r#"
        19000 journal: tool.called tool="report_voicemail" arguments="voicemail"
        19000 journal: tool.answered tool="report_voicemail" output="noted; going back to the other side"
        19000 speech: tool 1 answered "noted; going back to the other side"
        19000 journal: handoff.failed why_not="no_answer"
        19000 company: false
        19000 user's leg: HangUp(owner.cancelled)
        19000 stop playout
        19000 speech: suspend
        19000 attach the remote
        19000 speech: resume
        19000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        19000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
    "#]]);
}

#[test]
fn while_the_user_is_asked_the_voice_does_nothing_else() {
    warm().check_after(
        &told(),
        "19000 end_call Done. | I will wait\n19100 press 1\n19200 wants_user again\n19300 owner_says Hello.\n19400 user_stays_out",
        expect![[r#"
            19000 journal: tool.called tool="end_call" arguments=""
            19000 journal: tool.answered tool="end_call" output="not now: you are speaking with the user in private. Use user_decides as soon as they say whether they join"
            19000 speech: tool 1 answered "not now: you are speaking with the user in private. Use user_decides as soon as they say whether they join"
            19100 journal: tool.called tool="send_digits" arguments=""
            19100 journal: tool.answered tool="send_digits" output="not now: you are speaking with the user in private. Use user_decides as soon as they say whether they join"
            19100 speech: tool 1 answered "not now: you are speaking with the user in private. Use user_decides as soon as they say whether they join"
            19200 journal: tool.called tool="loop_in_user" arguments=""
            19200 journal: tool.answered tool="loop_in_user" output="not now: you are speaking with the user in private. Use user_decides as soon as they say whether they join"
            19200 speech: tool 1 answered "not now: you are speaking with the user in private. Use user_decides as soon as they say whether they join"
            19300 journal: owner.said text="Hello."
            19400 journal: tool.called tool="user_decides" arguments="false"
            19400 journal: tool.answered tool="user_decides" output="noted; going back to the other side"
            19400 speech: tool 1 answered "noted; going back to the other side"
            19400 journal: handoff.failed why_not="user_declined"
            19400 company: false
            19400 user's leg: HangUp(owner.cancelled)
            19400 stop playout
            19400 speech: suspend
            19400 attach the remote
            19400 speech: resume
            19400 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
            19400 speech: say "Hello."
            19400 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
        "#]],
    );
}

#[test]
fn a_user_who_can_not_be_reached_leaves_the_voice_with_the_remote_and_the_truth() {
    warm().check_after(RINGING, "9000 user sip 486", expect![[r#"
        9000 journal: handoff.failed why_not="busy"
        9000 company: false
        9000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        9000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
    "#]]);
    warm().check_after(RINGING, "9000 user sip 603\n9500 remote_starts\n10500 remote_stops", expect![[r#"
        9000 journal: handoff.failed why_not="declined"
        9000 company: false
        9000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        9000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
    "#]]);
    warm().check_after(RINGING, "9000 remote_starts\n9500 user sip 404\n10500 remote_stops", expect![[r#"
         9500 journal: handoff.failed why_not="unreachable"
         9500 company: false
         9500 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        10500 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
    "#]]);
    warm().check_after("5000 wants_user A code.", "5000 user no_line", expect![[r#"
        5000 journal: handoff.failed why_not="failed"
        5000 company: false
        5000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        5000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
    "#]]);
}

#[test]
fn a_phone_that_only_rings_is_given_up_on_and_the_remote_may_speak_meanwhile() {
    let script =
        "20000 remote_starts\n21000 remote_stops\n21500 said_at 20000 Is she coming?\n36000 user closed";
    warm().check_after(RINGING, script, expect![[r#"
        21500 journal: turn.remote turn=1 started_ms=20000 ended_ms=20500 text="Is she coming?" confidence=-
        21500 journal: call.answered_by answered_by="human"
        35000 journal: handoff.failed why_not="no_answer"
        35000 company: false
        35000 user's leg: HangUp(owner.cancelled)
        35000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        35000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
    "#]]);
}

#[test]
fn the_remote_leaves_while_the_user_rings() {
    let script = "9000 remote_hangs_up\n9100 speech_lost closed\n9200 user closed";
    warm().check_after(RINGING, script, expect![[r#"
        9000 stop playout
        9000 speech: close
        9000 journal: handoff.failed why_not="remote_left"
        9000 company: false
        9000 user's leg: HangUp(remote.hung_up)
        9200 journal: call.answered_by answered_by="unknown"
        9200 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
        9200 journal: call.ended reason="remote.hung_up" answered=true talk_ms=9000 sip_status=- q850_cause=16
    "#]]);
}

#[test]
fn the_remote_leaves_while_the_user_is_asked() {
    let script = "11200 playing 2\n13000 remote_hangs_up\n13000 cut_off 2 1800 6000\n13050 voice_text 2 Somebody wants you.
        13100 said_at 12000 Yes.\n13200 speech_lost closed\n13200 user closed";
    warm().check_after(&answered(), script, expect![[r#"
        13000 stop playout
        13000 speech: close
        13000 journal: handoff.failed why_not="remote_left"
        13000 company: false
        13000 user's leg: HangUp(remote.hung_up)
        13100 journal: turn.private turn=1 started_ms=12000 ended_ms=12500
        13200 journal: call.answered_by answered_by="unknown"
        13200 journal: call.result status="unclear" summary="The call ended before the voice reported a result; the transcript shows how far it came." evidence_turns=[]
        13200 journal: call.ended reason="remote.hung_up" answered=true talk_ms=13000 sip_status=- q850_cause=16
    "#]]);
}

#[test]
fn the_model_is_lost_while_the_user_is_asked() {
    let script = "11200 playing 2\n13000 speech_lost gone\n13000 cut_off 2 1800 6000\n13200 user closed";
    warm().check_after(&answered(), script, expect![[r#"
        13000 journal: handoff.failed why_not="failed"
        13000 company: false
        13000 user's leg: HangUp(owner.cancelled)
        13000 stop playout
        13000 speech: suspend
        13000 attach the remote
        13000 speech: resume
        13000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        13000 journal: call.problem part="speech" code="lost" message="gone"
        13000 speech: truncate 2 at 1800 of 6000 ms
    "#]]);
}

#[test]
fn either_side_ends_both() {
    straight().check_after(
        &answered(),
        "20000 remote_hangs_up",
        expect![[r#"
        20000 user's leg: HangUp(remote.hung_up)
        20000 journal: handoff.ended by="remote" joined_ms=9000
    "#]],
    );
    straight().check_after(
        &answered(),
        "20000 user remote_hangs_up",
        expect![[r#"
        20000 leg: hang up, user.hung_up
        20000 journal: handoff.ended by="user" joined_ms=9000
    "#]],
    );
    straight().check_after(
        &answered(),
        "20000 owner_hangs_up",
        expect![[r#"
        20000 leg: hang up, owner.cancelled
        20000 user's leg: HangUp(owner.cancelled)
        20000 journal: handoff.ended by="gateway" joined_ms=9000
    "#]],
    );
    straight().check_after(
        &answered(),
        "20000 leg_lost",
        expect![[r#"
        20000 user's leg: HangUp(carrier.lost)
        20000 journal: handoff.ended by="gateway" joined_ms=9000
    "#]],
    );
    straight().check_after(
        &answered(),
        "20000 user leg_lost",
        expect![[r#"
        20000 leg: hang up, carrier.lost
        20000 journal: handoff.ended by="gateway" joined_ms=9000
    "#]],
    );
    straight().check_after(
        &answered(),
        "20000 user media_lost",
        expect![[r#"
        20000 leg: hang up, carrier.media_lost
        20000 user's leg: HangUp(carrier.media_lost)
        20000 journal: handoff.ended by="gateway" joined_ms=9000
    "#]],
    );
}

#[test]
fn keys_cross() {
    straight().check_after(
        &answered(),
        "12000 digit 1\n13000 user digit #",
        expect![[r#"
        12000 user's leg: SendDigits <1 characters>
        13000 leg: send digits #
    "#]],
    );
}

#[test]
fn joined_parties_are_cut_off_in_the_end() {
    straight().check_after(&answered(), "4000000 tick", expect![[r#"
        3611000 leg: hang up, policy.talk_limit
        3611000 user's leg: HangUp(policy.talk_limit)
        3611000 journal: handoff.ended by="gateway" joined_ms=3600000
        3651000 journal: call.ended reason="policy.talk_limit" answered=true talk_ms=3611000 sip_status=- q850_cause=-
    "#]]);
}

#[test]
fn the_user_is_called_twice_at_most() {
    let script = "8500 wants_user A code.\n9000 user sip 486\n10000 wants_user A code.\n10500 user sip 486\n11000 wants_user A code.";
    warm().check_after(RINGING, script, expect![[r#"
         8500 journal: tool.called tool="loop_in_user" arguments="A code."
         8500 journal: tool.answered tool="loop_in_user" output="the user is being called already; wait for them"
         8500 speech: tool 1 answered "the user is being called already; wait for them"
         9000 journal: handoff.failed why_not="busy"
         9000 company: false
         9000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
         9000 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
        10000 journal: tool.called tool="loop_in_user" arguments="A code."
        10000 journal: tool.answered tool="loop_in_user" output="the user is being called. Until they come you stay with the other side: keep them company, answer what they ask, promise nothing"
        10000 speech: tool 1 answered "the user is being called. Until they come you stay with the other side: keep them company, answer what they ask, promise nothing"
        10000 journal: handoff.asked by="voice" warm=true
        10000 company: true
        10000 dial the user
        10000 speech: say "One moment please, I am connecting you."
        10500 journal: handoff.failed why_not="busy"
        10500 company: false
        10500 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
        10500 speech: say "I am sorry, they cannot join us right now. What would be the next step without them?"
        11000 journal: tool.called tool="loop_in_user" arguments="A code."
        11000 journal: tool.answered tool="loop_in_user" output="not called: they were called and did not come; find out what the next step is without them"
        11000 speech: tool 1 answered "not called: they were called and did not come; find out what the next step is without them", wants an answer
    "#]]);
}

#[test]
fn the_owner_hands_over_without_a_word_of_it_in_the_brief() {
    let script = "5000 owner_hands_over\n5100 wants_user A code.\n5200 owner_hands_over\n9000 user answered\n9000 user media_up";
    check_talking(
        script,
        expect![[r#"
            5000 speech: note "The user whom you are calling for is being called, and will join this call. Until then you stay with the other side: keep them company, answer what they ask, promise nothing."
            5000 journal: handoff.asked by="owner" warm=true
            5000 company: true
            5000 dial the user
            5000 speech: say "One moment please, I am connecting you."
            5100 journal: tool.called tool="loop_in_user" arguments="A code."
            5100 journal: tool.answered tool="loop_in_user" output="nobody can be connected on this call; say so, and offer a call back"
            5100 speech: tool 1 answered "nobody can be connected on this call; say so, and offer a call back", wants an answer
            9000 journal: handoff.answered
            9000 stop playout
            9000 speech: suspend
            9000 attach the user
            9000 speech: resume
            9000 speech: note "From now on you speak with the user whom you are calling for, in private: the other side waits and does not hear you. Answer their questions about the call in a few words. As soon as they say whether they join, use user_decides. If it is a machine, use report_voicemail."
            9000 speech: open with "Hello, this is your AI assistant. I have somebody on the line who would like to speak with you. To join the call, press 1 or say yes. If you cannot join now, press 2 or say no."
        "#]],
    );
}

#[test]
fn where_nobody_can_be_connected_the_voice_hears_so() {
    check_talking(
        "5000 wants_user A code.\n6000 user_joins",
        expect![[r#"
        5000 journal: tool.called tool="loop_in_user" arguments="A code."
        5000 journal: tool.answered tool="loop_in_user" output="nobody can be connected on this call; say so, and offer a call back"
        5000 speech: tool 1 answered "nobody can be connected on this call; say so, and offer a call back", wants an answer
        6000 journal: tool.called tool="user_decides" arguments="true"
        6000 journal: tool.answered tool="user_decides" output="nobody was asked to join"
        6000 speech: tool 1 answered "nobody was asked to join"
    "#]],
    );
}

#[test]
fn a_user_may_come_while_the_voice_is_on_hold() {
    let script = "6000 owner_hands_over\n9000 user answered\n9000 user media_up\n9200 playing 1\n9500 opened 1\n15000 played 1 5800
        16000 user digit 2\n16100 user closed";
    warm().check_after("5000 hold", script, expect![[r#"
         6000 speech: note "The user whom you are calling for is being called, and will join this call. Until then you stay with the other side: keep them company, answer what they ask, promise nothing."
         6000 journal: handoff.asked by="owner" warm=true
         6000 company: true
         6000 dial the user
         9000 journal: handoff.answered
         9000 stop playout
         9000 attach the user
         9000 speech: resume
         9000 speech: note "From now on you speak with the user whom you are calling for, in private: the other side waits and does not hear you. Answer their questions about the call in a few words. As soon as they say whether they join, use user_decides. If it is a machine, use report_voicemail."
         9000 speech: open with "Hello, this is your AI assistant. I have somebody on the line who would like to speak with you. To join the call, press 1 or say yes. If you cannot join now, press 2 or say no."
        15000 journal: handoff.introduced
        16000 journal: handoff.failed why_not="user_declined"
        16000 company: false
        16000 user's leg: HangUp(owner.cancelled)
        16000 stop playout
        16000 speech: suspend
        16000 attach the remote
        16000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
    "#]]);
}

#[test]
fn a_voice_that_says_goodbye_calls_nobody_any_more() {
    warm().check_after(
        RINGING,
        "9000 end_call Not needed. | I will wait\n9100 user closed",
        expect![[r#"
        9000 journal: tool.called tool="end_call" arguments="done"
        9000 journal: handoff.failed why_not="cancelled"
        9000 company: false
        9000 user's leg: HangUp(owner.cancelled)
    "#]],
    );
}

#[test]
fn whoever_joins_out_of_a_hold_ends_it() {
    straight().check_after(
        "5000 hold",
        "6000 owner_hands_over\n9000 user answered\n9000 user media_up\n60000 remote_hangs_up\n60100 user closed\n60100 speech_lost x",
        expect![[r#"
             6000 speech: note "The user whom you are calling for is being called, and will join this call. Until then you stay with the other side: keep them company, answer what they ask, promise nothing."
             6000 journal: handoff.asked by="owner" warm=false
             6000 company: true
             6000 dial the user
             9000 journal: handoff.answered
             9000 journal: hold.ended waited_ms=4000
             9000 journal: call.answered_by answered_by="ivr"
             9000 journal: call.result status="partly" summary="The user was connected with the other side; what they said to each other is not recorded." evidence_turns=[]
             9000 company: false
             9000 stop playout
             9000 speech: close
             9000 stop recording
             9000 journal: handoff.joined
             9000 join
            60000 user's leg: HangUp(remote.hung_up)
            60000 journal: handoff.ended by="remote" joined_ms=51000
            60100 journal: call.ended reason="remote.hung_up" answered=true talk_ms=60000 sip_status=- q850_cause=16
        "#]],
    );
}

#[test]
fn nobody_joins_who_has_not_heard_who_is_there() {
    warm().check_after(
        "5000 owner_hands_over",
        "8000 user answered\n8000 user media_up\n8100 user_joins\n8200 playing 1\n8300 opened 1\n14000 played 1 5700\n15000 user_joins",
        expect![[r#"
             8000 journal: handoff.answered
             8000 stop playout
             8000 speech: suspend
             8000 attach the user
             8000 speech: resume
             8000 speech: note "From now on you speak with the user whom you are calling for, in private: the other side waits and does not hear you. Answer their questions about the call in a few words. As soon as they say whether they join, use user_decides. If it is a machine, use report_voicemail."
             8000 speech: open with "Hello, this is your AI assistant. I have somebody on the line who would like to speak with you. To join the call, press 1 or say yes. If you cannot join now, press 2 or say no."
             8100 journal: tool.called tool="user_decides" arguments="true"
             8100 journal: tool.answered tool="user_decides" output="not yet: the user has not heard to the end who is there. Wait for their answer to it"
             8100 speech: tool 1 answered "not yet: the user has not heard to the end who is there. Wait for their answer to it"
            14000 journal: handoff.introduced
            15000 journal: tool.called tool="user_decides" arguments="true"
            15000 journal: tool.answered tool="user_decides" output="joined"
            15000 journal: call.answered_by answered_by="unknown"
            15000 journal: call.result status="partly" summary="The user was connected with the other side; what they said to each other is not recorded." evidence_turns=[]
            15000 company: false
            15000 stop playout
            15000 speech: close
            15000 stop recording
            15000 journal: handoff.joined
            15000 join
        "#]],
    );
}

#[test]
fn nobody_is_connected_with_a_machine() {
    warm().check_after(
        "5000 wants_user They ask for the account holder.\n6000 user ringing",
        "7000 voicemail\n7100 user closed\n8000 closed\n8001 speech_lost over",
        expect![[r#"
            7000 journal: tool.called tool="report_voicemail" arguments="voicemail"
            7000 journal: call.answered_by answered_by="voicemail"
            7000 journal: tool.answered tool="report_voicemail" output="noted; hanging up without a message"
            7000 speech: tool 1 answered "noted; hanging up without a message"
            7000 journal: handoff.failed why_not="cancelled"
            7000 company: false
            7000 user's leg: HangUp(owner.cancelled)
            7000 journal: result.item kind="blocker" name="voicemail" value="Voicemail answered; no message was left." turns=[]
            7000 journal: call.result status="blocked" summary="Voicemail answered; no message was left." evidence_turns=[]
            7000 stop playout
            7000 leg: hang up, voice.voicemail
            7000 speech: close
            8001 journal: call.ended reason="voice.voicemail" answered=true talk_ms=7000 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn what_sounded_like_a_machine_waits_until_the_voice_is_back() {
    warm().check_after(
        "5000 wants_user x\n6000 user ringing",
        "7000 said_at 6500 Please leave a message after the tone.
         8000 user answered
         8000 user media_up
         8100 playing 1
         8200 opened 1
         14000 played 1 5800
         16000 user_stays_out
         16100 user closed",
        expect![[r#"
             7000 journal: turn.remote turn=1 started_ms=6500 ended_ms=7000 text="Please leave a message after the tone." confidence=-
             8000 journal: handoff.answered
             8000 stop playout
             8000 speech: suspend
             8000 attach the user
             8000 speech: resume
             8000 speech: note "From now on you speak with the user whom you are calling for, in private: the other side waits and does not hear you. Answer their questions about the call in a few words. As soon as they say whether they join, use user_decides. If it is a machine, use report_voicemail."
             8000 speech: open with "Hello, this is your AI assistant. I have somebody on the line who would like to speak with you. x To join the call, press 1 or say yes. If you cannot join now, press 2 or say no."
            14000 journal: handoff.introduced
            16000 journal: tool.called tool="user_decides" arguments="false"
            16000 journal: tool.answered tool="user_decides" output="noted; going back to the other side"
            16000 speech: tool 1 answered "noted; going back to the other side"
            16000 journal: handoff.failed why_not="user_declined"
            16000 company: false
            16000 user's leg: HangUp(owner.cancelled)
            16000 stop playout
            16000 speech: suspend
            16000 attach the remote
            16000 speech: resume
            16000 speech: note "You are with the other side of the call again; the user can't join now. Agree to nothing new, and say nothing of what they told you in private. Find out what the next step is, and when and where they can be called back; then say goodbye."
            16000 journal: call.answered_by answered_by="voicemail"
            16000 journal: result.item kind="blocker" name="voicemail" value="Voicemail answered; no message was left." turns=[]
            16000 journal: call.result status="blocked" summary="Voicemail answered; no message was left." evidence_turns=[]
            16000 stop playout
            16000 leg: hang up, voice.voicemail
            16000 speech: close
        "#]],
    );
}

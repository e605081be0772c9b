//! From the first request to the answer.

use expect_test::expect;
use offhook_core::call::Direction;

use crate::script::{Scenario, check};

#[test]
fn nothing_is_dialled_before_the_model_is_ready() {
    check(
        "500 ready\n600 ringing\n4000 answered",
        expect![[r#"
           500 journal: speech.ready model="test"
           500 dial
           600 journal: call.ringing early_media=false
          4000 journal: call.answered sip_call_id=-
          4000 journal: recording.started
          4000 connect
    "#]],
    );
}

#[test]
fn a_model_that_cannot_be_opened_means_no_phone_rings() {
    check(
        "300 speech_lost connection refused",
        expect![[r#"
            300 journal: call.problem part="speech" code="lost" message="connection refused"
            300 speech: close
            300 journal: call.ended reason="speech.unavailable" answered=false talk_ms=0 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn a_model_that_never_gets_ready_means_no_phone_rings() {
    check(
        "20000 tick",
        expect![[r#"
            15000 speech: close
            15000 journal: call.ended reason="speech.unavailable" answered=false talk_ms=0 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn nobody_picks_up_within_the_ring_limit() {
    check(
        "500 ready\n600 ringing\n61000 closed",
        expect![[r#"
              500 journal: speech.ready model="test"
              500 dial
              600 journal: call.ringing early_media=false
            60500 stop playout
            60500 leg: hang up, policy.ring_limit
            60500 speech: close
            61000 journal: call.ended reason="policy.ring_limit" answered=false talk_ms=0 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn busy_ends_the_call_at_once() {
    check(
        "500 ready\n900 sip 486\n901 answered",
        expect![[r#"
            500 journal: speech.ready model="test"
            500 dial
            900 stop playout
            900 speech: close
            900 journal: call.ended reason="remote.busy" answered=false talk_ms=0 sip_status=486 q850_cause=-
        "#]],
    );
}

#[test]
fn a_dial_that_never_left_is_made_once_more_and_no_third_time() {
    check(
        "500 ready\n501 no_line\n15600 no_line\n15700 no_line",
        expect![[r#"
          500 journal: speech.ready model="test"
          500 dial
          501 journal: call.problem part="leg" code="carrier.no_line" message="all lines are in use"
          501 journal: call.dial_retried reason="carrier.no_line"
        15501 dial
        15600 journal: call.problem part="leg" code="carrier.no_line" message="all lines are in use"
        15600 stop playout
        15600 speech: close
        15600 journal: call.ended reason="carrier.no_line" answered=false talk_ms=0 sip_status=- q850_cause=-
    "#]],
    );
}

#[test]
fn whatever_may_have_rung_is_never_dialled_again() {
    check(
        "500 ready\n900 sip 503",
        expect![[r#"
        500 journal: speech.ready model="test"
        500 dial
        900 stop playout
        900 speech: close
        900 journal: call.ended reason="carrier.failed" answered=false talk_ms=0 sip_status=503 q850_cause=-
    "#]],
    );
    check(
        "500 ready\n900 ringing\n901 no_line",
        expect![[r#"
        500 journal: speech.ready model="test"
        500 dial
        900 journal: call.ringing early_media=false
        901 journal: call.problem part="leg" code="carrier.no_line" message="all lines are in use"
        901 stop playout
        901 speech: close
        901 journal: call.ended reason="carrier.no_line" answered=false talk_ms=0 sip_status=- q850_cause=-
    "#]],
    );
}

#[test]
fn the_owner_cancels_before_the_second_attempt() {
    check(
        "500 ready\n501 no_line\n600 owner_hangs_up",
        expect![[r#"
        500 journal: speech.ready model="test"
        500 dial
        501 journal: call.problem part="leg" code="carrier.no_line" message="all lines are in use"
        501 journal: call.dial_retried reason="carrier.no_line"
        600 speech: close
        600 journal: call.ended reason="owner.cancelled" answered=false talk_ms=0 sip_status=- q850_cause=-
    "#]],
    );
}

#[test]
fn the_owner_cancels_while_it_rings() {
    check(
        "500 ready\n600 ringing\n3000 owner_hangs_up\n3040 closed",
        expect![[r#"
             500 journal: speech.ready model="test"
             500 dial
             600 journal: call.ringing early_media=false
            3000 stop playout
            3000 leg: hang up, owner.cancelled
            3000 speech: close
            3040 journal: call.ended reason="owner.cancelled" answered=false talk_ms=0 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn the_owner_cancels_before_anything_was_dialled() {
    check(
        "100 owner_hangs_up\n500 ready",
        expect![[r#"
            100 speech: close
            100 journal: call.ended reason="owner.cancelled" answered=false talk_ms=0 sip_status=- q850_cause=-
        "#]],
    );
}

#[test]
fn an_inbound_call_is_picked_up_once_the_model_is_ready() {
    let scenario = Scenario { direction: Direction::Inbound, ..Scenario::default() };
    scenario.check(
        "400 ready\n450 answered\n460 media_up",
        expect![[r#"
            400 journal: speech.ready model="test"
            400 leg: answer
            450 journal: call.answered sip_call_id=-
            450 journal: recording.started
            450 connect
            460 journal: leg.media_up codec="pcmu" encrypted=false
        "#]],
    );
}

#[test]
fn early_media_that_stops_is_no_reason_to_hang_up() {
    check(
        "500 ready\n600 early_media\n9000 media_lost\n12000 answered",
        expect![[r#"
          500 journal: speech.ready model="test"
          500 dial
          600 journal: call.ringing early_media=true
        12000 journal: call.answered sip_call_id=-
        12000 journal: recording.started
        12000 connect
    "#]],
    );
}

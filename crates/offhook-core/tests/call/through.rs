//! A caller who is put through: the user's phone rings, and nobody else is on the line.

use expect_test::expect;

use crate::script::Scenario;

fn check(script: &str, expected: expect_test::Expect) {
    Scenario::default().check_put_through(script, expected);
}

const ANSWERED: &str =
    "300 user ringing\n4000 user media_up\n4000 user answered\n4100 answered\n4120 media_up";

#[test]
fn the_two_hear_each_other_and_nobody_else_does() {
    let talk = "4200 crossed\n9000 remote_said 1 My number is 42.\n9000 opened 0\n60000 remote_hangs_up\n60100 user closed";
    check(
        &format!("{ANSWERED}\n{talk}"),
        expect![[r#"
          300 speech: close
          300 journal: handoff.asked by="passthrough" warm=false
          300 dial the user
          300 journal: handoff.ringing
         4000 journal: handoff.answered
         4000 leg: answer
         4100 journal: call.answered sip_call_id=-
         4100 journal: handoff.joined
         4100 join
         4100 connect
         4200 journal: handoff.crossed to_user_ms=40 to_remote_ms=20
        60000 user's leg: HangUp(remote.hung_up)
        60000 journal: handoff.ended by="remote" joined_ms=55900
        60100 journal: call.ended reason="remote.hung_up" answered=true talk_ms=55900 sip_status=- q850_cause=16
    "#]],
    );
}

#[test]
fn the_user_may_hang_up_too() {
    check(
        &format!("{ANSWERED}\n30000 user remote_hangs_up\n30100 closed"),
        expect![[r#"
          300 speech: close
          300 journal: handoff.asked by="passthrough" warm=false
          300 dial the user
          300 journal: handoff.ringing
         4000 journal: handoff.answered
         4000 leg: answer
         4100 journal: call.answered sip_call_id=-
         4100 journal: handoff.joined
         4100 join
         4100 connect
        30000 leg: hang up, user.hung_up
        30000 journal: handoff.ended by="user" joined_ms=25900
        30100 journal: call.ended reason="user.hung_up" answered=true talk_ms=25900 sip_status=- q850_cause=-
    "#]],
    );
}

#[test]
fn who_can_be_heard_has_not_picked_up() {
    check(
        "300 user ringing\n900 user media_up\n5000 owner_hangs_up\n5100 user closed\n5100 closed",
        expect![[r#"
         300 speech: close
         300 journal: handoff.asked by="passthrough" warm=false
         300 dial the user
         300 journal: handoff.ringing
        5000 leg: hang up, owner.cancelled
        5000 journal: handoff.failed why_not="cancelled"
        5000 user's leg: HangUp(owner.cancelled)
        5100 journal: call.ended reason="owner.cancelled" answered=false talk_ms=0 sip_status=- q850_cause=-
    "#]],
    );
}

#[test]
fn the_caller_learns_what_the_user_s_phone_said() {
    check(
        "300 user sip 486\n500 closed",
        expect![[r#"
        300 speech: close
        300 journal: handoff.asked by="passthrough" warm=false
        300 dial the user
        300 leg: hang up, remote.busy
        300 journal: handoff.failed why_not="busy"
        500 journal: call.ended reason="remote.busy" answered=false talk_ms=0 sip_status=- q850_cause=-
    "#]],
    );
}

#[test]
fn nobody_picks_up_in_time() {
    check(
        "300 user ringing\n30100 user closed\n30100 closed",
        expect![[r#"
          300 speech: close
          300 journal: handoff.asked by="passthrough" warm=false
          300 dial the user
          300 journal: handoff.ringing
        30000 leg: hang up, policy.ring_limit
        30000 journal: handoff.failed why_not="no_answer"
        30000 user's leg: HangUp(policy.ring_limit)
        30100 journal: call.ended reason="policy.ring_limit" answered=false talk_ms=0 sip_status=- q850_cause=-
    "#]],
    );
}

#[test]
fn the_caller_does_not_wait() {
    check(
        "300 user ringing\n5000 remote_hangs_up\n5100 user closed",
        expect![[r#"
         300 speech: close
         300 journal: handoff.asked by="passthrough" warm=false
         300 dial the user
         300 journal: handoff.ringing
        5000 journal: handoff.failed why_not="remote_left"
        5000 user's leg: HangUp(remote.hung_up)
        5100 journal: call.ended reason="remote.hung_up" answered=false talk_ms=0 sip_status=- q850_cause=16
    "#]],
    );
}

//! Hold, and other changes of a call that the far end wants (RFC 3264, RFC 3261 §14).

use offhook_carrier::Leg;
use offhook_core::LegEvent;

use crate::rig::{Rig, established, event, hang_up, hung_up};
use crate::sipp::{Scenario, Sipp};

async fn established_with(scenario: &'static str) -> (Sipp, Rig, Leg) {
    let sipp = Scenario::new(scenario).answer().await;
    let rig = Rig::toward(sipp.addr).await;
    let mut leg = rig.dial();
    established(&mut leg).await;
    (sipp, rig, leg)
}

#[tokio::test]
async fn the_callee_holds_and_takes_back_twice() {
    let (sipp, rig, mut leg) = established_with("hold").await;
    for expected in [LegEvent::Held, LegEvent::Resumed, LegEvent::Held, LegEvent::Resumed] {
        assert_eq!(event(&mut leg).await, expected);
    }
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn the_caller_holds_and_takes_back_twice() {
    let mut rig = Rig::called().await;
    let sipp = Scenario::new("caller_holds").call(rig.at);
    let mut leg = rig.answered().await;
    for expected in [LegEvent::Held, LegEvent::Resumed, LegEvent::Held, LegEvent::Resumed] {
        assert_eq!(event(&mut leg).await, expected);
    }
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn the_old_way_to_hold_is_understood() {
    let (sipp, rig, mut leg) = established_with("hold_by_address").await;
    assert_eq!(event(&mut leg).await, LegEvent::Held);
    assert_eq!(event(&mut leg).await, LegEvent::Resumed);
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn a_reinvite_without_an_offer_gets_ours() {
    let (sipp, rig, mut leg) = established_with("asks_for_offer").await;
    // The answer in its ACK is to stop.
    assert_eq!(event(&mut leg).await, LegEvent::Held);
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn an_offer_we_cannot_take_is_refused_and_changes_nothing() {
    let (sipp, rig, leg) = established_with("bad_offer").await;
    // SIPp hangs up once it was told 488.
    hung_up(sipp, &rig, leg).await;
}

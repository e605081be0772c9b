//! Session timers (RFC 4028) and glare, against SIPp.

use offhook_carrier::Leg;
use offhook_core::{Digit, LegEvent};

use crate::rig::{Rig, established, event, hung_up, later};
use crate::sipp::{Scenario, Sipp};

async fn established_with(scenario: &'static str) -> (Sipp, Rig, Leg) {
    let sipp = Scenario::new(scenario).answer().await;
    let rig = Rig::toward(sipp.addr).await;
    let mut leg = rig.dial();
    established(&mut leg).await;
    (sipp, rig, leg)
}

#[tokio::test]
async fn the_session_is_refreshed_by_update() {
    let (sipp, rig, leg) = established_with("refreshed_by_update").await;
    later(46).await;
    hung_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn the_session_is_refreshed_by_reinvite_where_there_is_no_update() {
    let (sipp, rig, leg) = established_with("refreshed_by_reinvite").await;
    later(46).await;
    hung_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn the_far_end_refreshes_the_session() {
    let (sipp, rig, leg) = established_with("refreshes").await;
    hung_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn a_far_end_that_refreshes_no_more_is_given_up() {
    let (sipp, rig, mut leg) = established_with("stops_refreshing").await;
    later(61).await;
    assert_eq!(event(&mut leg).await, LegEvent::Lost);
    sipp.finish().await;
    rig.until_free().await;
}

#[tokio::test]
async fn a_longer_interval_is_agreed_to() {
    let (sipp, rig, leg) = established_with("interval_too_small").await;
    hung_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn an_interval_too_short_is_refused() {
    let (sipp, rig, leg) = established_with("wants_too_short").await;
    hung_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn of_two_offers_at_once_ours_comes_again() {
    let (sipp, rig, mut leg) = established_with("glare").await;
    later(46).await;
    // SIPp presses a key when both are refused; whose dialog it is tries again within four seconds.
    assert_eq!(event(&mut leg).await, LegEvent::Digit(Digit::from_char('1').unwrap()));
    later(5).await;
    hung_up(sipp, &rig, leg).await;
}

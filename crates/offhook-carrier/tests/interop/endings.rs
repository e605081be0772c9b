//! How calls end, when the far end does not make it easy.

use offhook_core::LegEvent;

use crate::rig::{HANG_UP, Rig, established, event, hang_up, later};
use crate::sipp::Scenario;

#[tokio::test]
async fn the_remote_hangs_up() {
    let sipp = Scenario::new("hangs_up").answer().await;
    let rig = Rig::toward(sipp.addr).await;
    let mut leg = rig.dial();
    established(&mut leg).await;
    assert_eq!(event(&mut leg).await, LegEvent::HungUp { q850_cause: Some(31) });
    sipp.finish().await;
    rig.until_free().await;
}

#[tokio::test]
async fn both_hang_up_at_once() {
    let sipp = Scenario::new("both_hang_up").answer().await;
    let rig = Rig::toward(sipp.addr).await;
    let mut leg = rig.dial();
    established(&mut leg).await;
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn a_hang_up_nobody_confirms_ends_the_call_all_the_same() {
    let sipp = Scenario::new("unanswered_bye").answer().await;
    let rig = Rig::toward(sipp.addr).await;
    let mut leg = rig.dial();
    established(&mut leg).await;
    leg.send(HANG_UP).unwrap();
    sipp.finish().await;
    // The call is over after a quarter of the time a request may take. The carrier may still count it: the line is
    // free when our request has been given up, too.
    later(9).await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    later(24).await;
    rig.until_free().await;
}

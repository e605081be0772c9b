//! How calls end, when the far end does not make it easy.

use std::time::Duration;

use offhook_carrier::SipConfig;
use offhook_core::LegEvent;

use crate::rig::{HANG_UP, Rig, established, event};
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
    leg.send(HANG_UP).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    sipp.finish().await;
    rig.until_free().await;
}

#[tokio::test]
async fn a_hang_up_nobody_confirms_ends_the_call_all_the_same() {
    let sipp = Scenario::new("unanswered_bye").answer().await;
    let hasty = |config: &mut SipConfig| config.timing.t1 = Duration::from_millis(25);
    let rig = Rig::with(&sipp.addr.to_string(), hasty).await;
    let mut leg = rig.dial();
    established(&mut leg).await;
    leg.send(HANG_UP).unwrap();
    sipp.finish().await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    // The carrier may still count the call: the line is only free when it gives up too.
    rig.until_free().await;
}

//! Between calls: registration, keep-alive, and a carrier that stops.

use std::time::Duration;

use offhook_carrier::{SipConfig, TrunkReply};
use offhook_core::LegEvent;
use offhook_testkit::programs::until;

use crate::rig::{Rig, event, later, rung_and_established};
use crate::sipp::Scenario;

fn registered(rig: &Rig) -> bool {
    rig.carrier.lines()[0].registered == Some(true)
}

#[tokio::test]
async fn we_register_register_again_and_take_it_back() {
    let sipp = Scenario::new("registrar").answer().await;
    let account = |config: &mut SipConfig| {
        let trunk = &mut config.trunks[0];
        trunk.username = Some("offhook".into());
        trunk.password = Some("secret".into());
        trunk.register = true;
    };
    let rig = Rig::with(&sipp.addr.to_string(), account).await;
    until("we are registered", || registered(&rig)).await;
    // It was granted for two minutes; before they are over it is asked for again, and refused.
    later(119).await;
    until("the registration is lost", || !registered(&rig)).await;
    // It is not given up.
    later(3_600).await;
    until("we are registered again", || registered(&rig)).await;
    rig.carrier.shutdown().await;
    sipp.finish().await;
}

#[tokio::test]
async fn a_trunk_that_is_there_and_one_that_is_not_are_told_apart() {
    let sipp = Scenario::new("answers_options").answer().await;
    let rig = Rig::toward(sipp.addr).await;
    let check = rig.carrier.check().await;
    let reply = &check.trunks[0].reply;
    assert!(matches!(reply, TrunkReply::Answered { status: 200, .. }), "{reply:?}");
    assert!(check.is_well(), "{check:?}");
    let gone = sipp.addr;
    sipp.finish().await;

    let hasty = |config: &mut SipConfig| config.timing.t1 = Duration::from_millis(10);
    let rig = Rig::with(&gone.to_string(), hasty).await;
    let check = rig.carrier.check().await;
    let reply = &check.trunks[0].reply;
    assert!(matches!(reply, TrunkReply::Silence | TrunkReply::Unreachable { .. }), "{reply:?}");
    assert!(check.trunks[0].advice.is_some());
}

#[tokio::test]
async fn a_carrier_that_stops_hangs_up() {
    let sipp = Scenario::new("answer").answer().await;
    let rig = Rig::toward(sipp.addr).await;
    let mut leg = rig.dial();
    rung_and_established(&mut leg).await;
    rig.carrier.shutdown().await;
    let end = event(&mut leg).await;
    assert!(matches!(end, LegEvent::Closed | LegEvent::Lost), "{end:?}");
    sipp.finish().await;
}

//! Past the limits callers are told to come back, and nobody who is in already notices.

use offhook_core::{LegCommand, LegEvent};

use crate::far_end::{OUR_NUMBER, Rig, event};

#[tokio::test]
async fn past_the_limit_callers_are_told_to_come_back() {
    let mut rig = Rig::with(|config| {
        config.max_pending = 2;
        config.max_calls = 3;
        config.lines[0].max_calls = 100;
    })
    .await;
    let (mut leg, _) = rig.live_call().await;
    let mut ringing = Vec::new();
    for name in ["one", "two"] {
        rig.far.send(rig.at, &rig.far.invite(OUR_NUMBER, name, "")).await;
        rig.far.expect("SIP/2.0 180").await;
        ringing.push(rig.incoming().await);
    }
    for at in 0..200 {
        rig.far.send(rig.at, &rig.far.invite(OUR_NUMBER, &format!("more{at}"), "")).await;
        let refusal = rig.far.expect("SIP/2.0").await;
        assert_eq!(refusal.status(), 503);
        refusal.must("Retry-After");
    }
    assert!(rig.incoming.try_recv().is_err());
    assert_eq!(rig.busy_lines(), 3, "a refused call takes no line");
    // Those who were in go on as if nothing had been.
    ringing[0].leg.send(LegCommand::Answer).unwrap();
    rig.far.expect("SIP/2.0 200").await;
    assert!(matches!(event(&mut ringing[0].leg).await, LegEvent::MediaUp { .. }));
    leg.send(LegCommand::HangUp { reason: offhook_core::EndReason::OwnerCancelled }).unwrap();
    let bye = rig.far.expect("BYE").await;
    rig.far.reply(&bye, "200 OK", "", "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn a_gateway_that_takes_no_calls_refuses_them() {
    let mut rig = Rig::with(|config| config.lines[0].max_calls = 100).await;
    let mut answers = Vec::new();
    // Eight wait for the gateway; it takes none.
    for at in 0..9 {
        rig.far.send(rig.at, &rig.far.invite(OUR_NUMBER, &format!("waiting{at}"), "")).await;
        answers.push(rig.far.expect("SIP/2.0").await.status());
    }
    assert_eq!(answers, [180, 180, 180, 180, 180, 180, 180, 180, 503]);
    drop(rig.incoming().await);
    rig.far.expect("SIP/2.0 603").await;
}

#[tokio::test]
async fn a_busy_line_is_busy() {
    let mut rig = Rig::with(|config| config.lines[0].max_calls = 1).await;
    rig.far.send(rig.at, &rig.far.invite(OUR_NUMBER, "first", "")).await;
    let _first = rig.incoming().await;
    rig.far.send(rig.at, &rig.far.invite(OUR_NUMBER, "second", "")).await;
    rig.far.expect("SIP/2.0 486").await;
}

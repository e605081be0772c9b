//! Calls SIPp places to us.

use offhook_core::{AudioFormat, EndReason, LegCommand, LegEvent};

use crate::rig::{HANG_UP, Rig, THEIR_NUMBER, established, event, hang_up, hung_up, later, number};
use crate::sipp::Scenario;
use crate::sound::hear_echo;

#[tokio::test]
async fn a_call_comes_in_is_heard_and_we_hang_up() {
    let mut rig = Rig::called().await;
    let sipp = Scenario::new("call").call(rig.at);
    let mut call = rig.incoming().await;
    assert_eq!(call.from, Some(number(THEIR_NUMBER)));
    assert_eq!(call.from_name.as_deref(), Some("Anna"));
    call.leg.send(LegCommand::Answer).unwrap();
    established(&mut call.leg).await;
    hear_echo(&mut call.leg, AudioFormat::Pcmu, 600.0, -25.0).await;
    call.leg.send(HANG_UP).unwrap();
    assert_eq!(event(&mut call.leg).await, LegEvent::Closed);
    sipp.finish().await;
    rig.until_free().await;
}

#[tokio::test]
async fn the_caller_hangs_up() {
    let mut rig = Rig::called().await;
    let sipp = Scenario::new("call_and_hang_up").call(rig.at);
    let leg = rig.answered().await;
    hung_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn the_caller_gives_up_before_we_answer() {
    let mut rig = Rig::called().await;
    let sipp = Scenario::new("cancel").call(rig.at);
    let mut leg = rig.incoming().await.leg;
    // Its CANCEL says that somebody else picked up.
    assert_eq!(event(&mut leg).await, LegEvent::HungUp { q850_cause: Some(26) });
    sipp.finish().await;
    rig.until_free().await;
}

#[tokio::test]
async fn a_call_is_declined() {
    let mut rig = Rig::called().await;
    let sipp = Scenario::new("declined").call(rig.at);
    let mut leg = rig.incoming().await.leg;
    leg.send(LegCommand::HangUp { reason: EndReason::PolicyRefused }).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    sipp.finish().await;
    rig.until_free().await;
}

#[tokio::test]
async fn an_answer_that_got_lost_comes_again() {
    let mut rig = Rig::called().await;
    let sipp = Scenario::new("caller_lost_ack").call(rig.at);
    let leg = rig.answered().await;
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn a_caller_that_never_acknowledges_is_hung_up() {
    let mut rig = Rig::called().await;
    let sipp = Scenario::new("never_acknowledges").call(rig.at);
    let mut leg = rig.incoming().await.leg;
    leg.send(LegCommand::Answer).unwrap();
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    // 64 times T1, in steps: the answer is sent again in between.
    for _ in 0..17 {
        later(2).await;
    }
    assert_eq!(event(&mut leg).await, LegEvent::Lost);
    sipp.finish().await;
    rig.until_free().await;
}

#[tokio::test]
async fn a_call_without_an_offer_gets_ours() {
    let mut rig = Rig::called().await;
    let sipp = Scenario::new("late_offer").call(rig.at);
    let leg = rig.answered().await;
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn past_the_limit_callers_are_told_when_to_try_again_and_the_others_go_on() {
    let mut rig = Rig::with("127.0.0.1:9", |config| config.max_calls = 1).await;
    let accepted = Scenario::new("call").call(rig.at);
    let mut leg = rig.answered().await;
    Scenario::new("over_limit").calls(20).call(rig.at).finish().await;
    hear_echo(&mut leg, AudioFormat::Pcmu, 440.0, -20.0).await;
    hang_up(accepted, &rig, leg).await;
    // And there is room again.
    let next = Scenario::new("call_and_hang_up").call(rig.at);
    let mut leg = rig.answered().await;
    assert!(matches!(event(&mut leg).await, LegEvent::HungUp { .. }));
    next.finish().await;
}

#[tokio::test]
async fn what_we_cannot_do_is_refused_as_the_rfc_says() {
    let rig = Rig::called().await;
    Scenario::new("unknown_number").dialling("+14155550000").call(rig.at).finish().await;
    Scenario::new("unknown_extension").call(rig.at).finish().await;
    Scenario::new("strays").call(rig.at).finish().await;
    Scenario::new("options").call(rig.at).finish().await;
    assert_eq!(rig.busy_lines(), 0);
}

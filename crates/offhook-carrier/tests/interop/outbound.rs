//! Calls we place to SIPp.

use offhook_carrier::{Leg, LegOutput};
use offhook_core::audio::FRAME;
use offhook_core::{AudioFormat, EndReason, LegEvent};
use offhook_testkit::tone::Tone;
use tokio::time::interval;

use crate::rig::{Rig, established, event, hang_up, hung_up, rung_and_established};
use crate::sipp::{Scenario, Sipp};
use crate::sound::hear_echo;

async fn dialled(scenario: Scenario) -> (Sipp, Rig, Leg) {
    let sipp = scenario.answer().await;
    let rig = Rig::toward(sipp.addr).await;
    let leg = rig.dial();
    (sipp, rig, leg)
}

#[tokio::test]
async fn a_call_is_answered_and_hears_its_own_echo() {
    let (sipp, rig, mut leg) = dialled(Scenario::new("answer")).await;
    rung_and_established(&mut leg).await;
    hear_echo(&mut leg, AudioFormat::Pcmu, 440.0, -20.0).await;
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn a_far_end_that_takes_only_a_law_gets_it() {
    let (sipp, rig, mut leg) = dialled(Scenario::new("answer_with_codec")).await;
    let up = event(&mut leg).await;
    assert_eq!(up, LegEvent::MediaUp { format: AudioFormat::Pcma, encrypted: false });
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    hear_echo(&mut leg, AudioFormat::Pcma, 1_000.0, -30.0).await;
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn refusals_are_told_apart_and_acknowledged_again() {
    for (status, cause, reason) in [
        ("486 Busy Here", 17, EndReason::RemoteBusy),
        ("600 Busy Everywhere", 17, EndReason::RemoteBusy),
        ("603 Decline", 21, EndReason::RemoteDeclined),
        ("404 Not Found", 1, EndReason::RemoteInvalidNumber),
        ("480 Temporarily Unavailable", 20, EndReason::RemoteUnreachable),
        ("503 Service Unavailable", 41, EndReason::CarrierFailed),
        ("403 Forbidden", 57, EndReason::CarrierRefused),
        ("302 Moved Temporarily", 23, EndReason::RemoteUnreachable),
    ] {
        let scenario = Scenario::new("refuse").with("status", status).with("cause", cause.to_string());
        let (sipp, rig, mut leg) = dialled(scenario).await;
        let LegEvent::Failed(failure) = event(&mut leg).await else { panic!("{status}") };
        assert_eq!((failure.reason, failure.q850_cause), (reason, Some(cause)), "{status}");
        assert_eq!(failure.sip_status, status[..3].parse().ok());
        sipp.finish().await;
        rig.until_free().await;
    }
}

#[tokio::test]
async fn nobody_answers() {
    let (sipp, rig, mut leg) = dialled(Scenario::new("ring")).await;
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: false });
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn nothing_is_cancelled_before_the_trunk_has_said_anything() {
    let (sipp, rig, leg) = dialled(Scenario::new("try_only")).await;
    // SIPp takes no CANCEL before its 100.
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn an_answer_that_crosses_our_cancel_is_hung_up() {
    let (sipp, rig, mut leg) = dialled(Scenario::new("cancel_crosses_answer")).await;
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: false });
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn early_media_is_heard_before_the_answer() {
    let (sipp, rig, mut leg) = dialled(Scenario::new("early_media")).await;
    let mut early = [event(&mut leg).await, event(&mut leg).await];
    early.sort_by_key(|event| matches!(event, LegEvent::MediaUp { .. }));
    assert_eq!(early[0], LegEvent::Ringing { early_media: true });
    assert!(matches!(early[1], LegEvent::MediaUp { .. }), "{early:?}");
    // SIPp answers four tenths of a second later, and echoes from now on.
    let mut tone = Tone::new(440.0, -20.0);
    let mut beat = interval(FRAME);
    let (mut heard, mut answered) = (0, false);
    while !answered {
        tokio::select! {
            _ = beat.tick() => leg.play(&tone.frame(AudioFormat::Pcmu)),
            output = leg.next() => match output {
                LegOutput::Audio(_) => heard += 1,
                LegOutput::Ticket(_) => {}
                other => answered = matches!(other, LegOutput::Event(LegEvent::Answered { .. })),
            },
        }
    }
    assert!(heard > 5, "heard {heard} frames before the answer");
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn a_reliable_provisional_response_is_acknowledged() {
    let (sipp, rig, mut leg) = dialled(Scenario::new("reliable_ringing")).await;
    let early = [event(&mut leg).await, event(&mut leg).await];
    assert!(early.contains(&LegEvent::Ringing { early_media: true }), "{early:?}");
    // The answer itself carries no session description: the early one stays in force.
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    hang_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn what_is_said_twice_happens_once() {
    let (sipp, rig, mut leg) = dialled(Scenario::new("repeats")).await;
    let mut told = Vec::new();
    while !matches!(told.last(), Some(LegEvent::Answered { .. })) {
        told.push(event(&mut leg).await);
    }
    let count = |wanted: fn(&LegEvent) -> bool| told.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, LegEvent::MediaUp { .. })), 1, "{told:?}");
    assert_eq!(count(|event| matches!(event, LegEvent::Ringing { early_media: false })), 1, "{told:?}");
    assert_eq!(count(|event| matches!(event, LegEvent::Ringing { early_media: true })), 1, "{told:?}");
    hung_up(sipp, &rig, leg).await;
}

#[tokio::test]
async fn a_lost_ack_is_sent_again_and_makes_no_second_call() {
    let (sipp, rig, mut leg) = dialled(Scenario::new("lost_ack")).await;
    established(&mut leg).await;
    hung_up(sipp, &rig, leg).await;
}

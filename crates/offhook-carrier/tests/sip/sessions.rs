//! What happens inside a call: hold, session timers, glare, remarks.

use std::time::Duration;

use offhook_carrier::LegOutput;
use offhook_core::{EndReason, LegCommand, LegEvent};

use crate::far_end::{FarEnd, Rig, Seen, event};

async fn offer(rig: &Rig, invite: &Seen, seq: u32, direction: &str) {
    let offer = rig.far.in_dialog(invite, "INVITE", seq, &rig.far.contact(), &rig.far.sdp(direction));
    rig.far.send(rig.at, &offer).await;
}

async fn acknowledge(rig: &Rig, invite: &Seen, seq: u32) {
    rig.far.send(rig.at, &rig.far.in_dialog(invite, "ACK", seq, "", "")).await;
}

#[tokio::test]
async fn hold_and_resume_are_answered_and_shown() {
    let rig = Rig::new().await;
    let (mut leg, invite) = rig.live_call().await;
    let steps = [
        ("sendonly", "a=recvonly", LegEvent::Held),
        ("sendrecv", "a=sendrecv", LegEvent::Resumed),
        ("inactive", "a=inactive", LegEvent::Held),
        ("sendrecv", "a=sendrecv", LegEvent::Resumed),
    ];
    for (seq, (direction, expected, told)) in (1..).zip(steps) {
        offer(&rig, &invite, seq, direction).await;
        // The leg answers while it is polled, as it always is.
        assert_eq!(event(&mut leg).await, told, "{direction}");
        let ok = rig.far.expect("SIP/2.0 200").await;
        assert!(ok.body().contains(expected), "{direction}: {}", ok.body());
        acknowledge(&rig, &invite, seq).await;
    }
}

#[tokio::test]
async fn early_media_that_flows_one_way_is_no_hold() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    rig.far.reply(&invite, "183 Session Progress", &rig.far.contact(), &rig.far.sdp("sendonly")).await;
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: true });
    rig.far.pick_up(&invite, "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    leg.send(LegCommand::HangUp { reason: EndReason::OwnerCancelled }).unwrap();
    let bye = rig.far.expect("BYE").await;
    rig.far.reply(&bye, "200 OK", "", "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn a_leg_that_is_not_polled_can_still_be_hung_up() {
    let rig = Rig::new().await;
    let (mut leg, invite) = rig.live_call().await;
    offer(&rig, &invite, 1, "sendonly").await;
    rig.far.expect("SIP/2.0 100").await;
    leg.send(LegCommand::HangUp { reason: EndReason::OwnerCancelled }).unwrap();
    rig.far.expect("SIP/2.0 487").await;
    let bye = rig.far.expect("BYE").await;
    rig.far.reply(&bye, "200 OK", "", "").await;
    rig.until_free().await;
}

#[tokio::test]
async fn an_unusable_offer_changes_nothing() {
    let rig = Rig::new().await;
    let (mut leg, invite) = rig.live_call().await;
    let sdp =
        rig.far.sdp("sendrecv").replace("RTP/AVP 0 101", "RTP/AVP 98").replace("PCMU/8000", "G729/8000");
    rig.far.send(rig.at, &rig.far.in_dialog(&invite, "INVITE", 1, &rig.far.contact(), &sdp)).await;
    let polled = tokio::spawn(async move { event(&mut leg).await });
    let refusal = rig.far.expect("SIP/2.0 4").await;
    assert_eq!(refusal.status(), 488);
    acknowledge(&rig, &invite, 1).await;
    rig.far.send(rig.at, &rig.far.in_dialog(&invite, "BYE", 2, "", "")).await;
    assert!(matches!(polled.await.unwrap(), LegEvent::HungUp { .. }));
}

#[tokio::test]
async fn remarks_inside_a_call() {
    let rig = Rig::new().await;
    let (_leg, invite) = rig.live_call().await;
    for (seq, (method, headers, status)) in (10..).zip([
        ("OPTIONS", "", 200),
        ("INFO", "", 200),
        ("INFO", "Content-Type: application/unknown\r\n", 200),
        ("REFER", "Refer-To: <sip:x@y>\r\n", 603),
        ("NOTIFY", "Event: refer\r\n", 481),
        ("MESSAGE", "", 405),
        ("UPDATE", "", 200),
    ]) {
        rig.far.send(rig.at, &rig.far.in_dialog(&invite, method, seq, headers, "")).await;
        assert_eq!(rig.far.expect("SIP/2.0").await.status(), status, "{method}");
    }
    // Out of order: something else came in between.
    rig.far.send(rig.at, &rig.far.in_dialog(&invite, "INFO", 3, "", "")).await;
    assert_eq!(rig.far.expect("SIP/2.0").await.status(), 500);
    // From somebody who knows our tag but is not the far end.
    let stranger = rig.far.in_dialog(&invite, "BYE", 30, "", "").replace("tag=far", "tag=stranger");
    rig.far.send(rig.at, &stranger).await;
    assert_eq!(rig.far.expect("SIP/2.0").await.status(), 481);
}

#[tokio::test]
async fn a_second_offer_before_the_first_is_answered_waits() {
    let rig = Rig::new().await;
    let (_leg, invite) = rig.live_call().await;
    offer(&rig, &invite, 1, "sendonly").await;
    rig.far.expect("SIP/2.0 100").await;
    offer(&rig, &invite, 2, "sendrecv").await;
    let refusal = rig.far.expect("SIP/2.0 500").await;
    refusal.must("Retry-After");
}

/// Drives `leg` in the background, so that the test can talk to the far end alone.
fn keep_polling(mut leg: offhook_carrier::Leg) -> tokio::task::JoinHandle<LegEvent> {
    tokio::spawn(async move {
        loop {
            if let LegOutput::Event(event @ (LegEvent::Closed | LegEvent::HungUp { .. } | LegEvent::Lost)) =
                leg.next().await
            {
                return event;
            }
        }
    })
}

fn with_timer(config: &mut offhook_carrier::SipConfig) {
    config.trunks[0].session_timer = Some(Duration::from_secs(90));
}

/// Let the session's half-time pass. Time is paused, so nothing is waited for.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

async fn refresh_of(far: &FarEnd, method: &str) -> Seen {
    let refresh = far.expect(method).await;
    assert_eq!(refresh.must("Session-Expires"), "90;refresher=uac");
    refresh
}

#[tokio::test]
async fn the_session_is_refreshed_by_update_where_it_is_allowed() {
    let rig = Rig::with(with_timer).await;
    let (leg, invite) =
        rig.live_call_with("Session-Expires: 90;refresher=uac\r\nAllow: INVITE, UPDATE\r\n").await;
    let polling = keep_polling(leg);
    pass(46).await;
    let update = refresh_of(&rig.far, "UPDATE").await;
    assert!(update.body().is_empty());
    rig.far.reply(&update, "200 OK", "Session-Expires: 90;refresher=uac\r\n", "").await;
    // Whoever answers this has read the one before it.
    rig.far.send(rig.at, &rig.far.in_dialog(&invite, "OPTIONS", 1, "", "")).await;
    rig.far.expect("SIP/2.0 200").await;
    // And again, after another half of it; this time nobody knows us any more.
    pass(46).await;
    let update = refresh_of(&rig.far, "UPDATE").await;
    rig.far.reply(&update, "481 Gone", "", "").await;
    rig.far.expect("BYE").await;
    assert_eq!(polling.await.unwrap(), LegEvent::Lost);
}

#[tokio::test]
async fn the_session_is_refreshed_by_invite_otherwise_and_glare_is_settled() {
    let rig = Rig::with(with_timer).await;
    let (leg, invite) = rig.live_call_with("Session-Expires: 90;refresher=uac\r\n").await;
    let polling = keep_polling(leg);
    pass(46).await;
    let refresh = refresh_of(&rig.far, "INVITE").await;
    assert!(refresh.body().contains("m=audio"));
    // At the same moment the far end wants to change something.
    offer(&rig, &invite, 1, "sendonly").await;
    assert_eq!(rig.far.expect("SIP/2.0").await.status(), 491);
    rig.far.reply(&refresh, "491 Request Pending", "", "").await;
    rig.far.expect("ACK").await;
    pass(5).await;
    let refresh = refresh_of(&rig.far, "INVITE").await;
    rig.far.pick_up(&refresh, "Session-Expires: 90;refresher=uac\r\n").await;
    assert_eq!(rig.far.expect("ACK").await.seq(), refresh.seq());
    rig.far.send(rig.at, &rig.far.in_dialog(&invite, "BYE", 5, "", "")).await;
    assert!(matches!(polling.await.unwrap(), LegEvent::HungUp { .. }));
}

#[tokio::test]
async fn a_session_that_the_far_end_does_not_refresh_ends() {
    let rig = Rig::with(with_timer).await;
    let (leg, _) = rig.live_call_with("Session-Expires: 90;refresher=uas\r\n").await;
    let polling = keep_polling(leg);
    pass(61).await;
    rig.far.expect("BYE").await;
    assert_eq!(polling.await.unwrap(), LegEvent::Lost);
}

#[tokio::test]
async fn a_longer_interval_is_agreed_to() {
    let rig = Rig::with(with_timer).await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    assert_eq!(invite.must("Session-Expires"), "90");
    rig.far.reply(&invite, "422 Session Interval Too Small", "Min-SE: 600\r\n", "").await;
    rig.far.expect("ACK").await;
    let again = rig.far.expect("INVITE").await;
    assert_eq!((again.must("Session-Expires"), again.must("Min-SE")), ("600", "600"));
    assert_eq!((again.seq(), again.must("Call-ID")), (invite.seq() + 1, invite.must("Call-ID")));
    rig.far.pick_up(&again, "Session-Expires: 600;refresher=uas\r\n").await;
    rig.far.expect("ACK").await;
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
}

#[tokio::test]
async fn a_longer_interval_is_asked_for_without_spent_credentials() {
    let rig = Rig::with(|config| {
        config.trunks[0].session_timer = Some(Duration::from_secs(90));
        config.trunks[0].username = Some("user".into());
        config.trunks[0].password = Some("secret".to_owned().into());
    })
    .await;
    let mut leg = rig.dial();
    let challenge = "Proxy-Authenticate: Digest realm=\"far\", nonce=\"once\", qop=\"auth\"\r\n";
    for interval in ["90", "600"] {
        let invite = rig.far.expect("INVITE").await;
        assert_eq!((invite.must("Session-Expires"), invite.header("Proxy-Authorization")), (interval, None));
        rig.far.reply(&invite, "407 Who", challenge, "").await;
        rig.far.expect("ACK").await;
        let invite = rig.far.expect("INVITE").await;
        assert!(invite.must("Proxy-Authorization").contains("nc=00000001"));
        match interval {
            "90" => rig.far.reply(&invite, "422 Interval Too Small", "Min-SE: 600\r\n", "").await,
            _ => rig.far.pick_up(&invite, "").await,
        }
        rig.far.expect("ACK").await;
    }
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
}

#[tokio::test]
async fn a_far_end_moves_only_with_an_offer_that_is_accepted() {
    for (media, answer, target) in
        [("m=video 9 RTP/AVP 31", "SIP/2.0 488", "far"), ("m=audio 9 RTP/AVP 0", "SIP/2.0 200", "moved")]
    {
        let rig = Rig::new().await;
        let (mut leg, invite) = rig.live_call().await;
        let moved = format!("Contact: <sip:moved@{}>\r\n", rig.far.addr);
        let sdp =
            format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{media}\r\n");
        rig.far.send(rig.at, &rig.far.in_dialog(&invite, "UPDATE", 1, &moved, &sdp)).await;
        let answered = rig.far.expect(answer);
        // The leg answers while it is polled.
        tokio::select! {
            _ = answered => {}
            end = event(&mut leg) => panic!("{end:?}"),
        }
        leg.send(LegCommand::HangUp { reason: EndReason::OwnerCancelled }).unwrap();
        let bye = rig.far.expect("BYE").await;
        assert_eq!(bye.start_line(), format!("BYE sip:{target}@{} SIP/2.0", rig.far.addr), "{media}");
    }
}

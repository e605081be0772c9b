//! Calls we place.

use offhook_carrier::DialError;
use offhook_core::{Digit, EndReason, LegCommand, LegEvent};

use crate::far_end::{OUR_NUMBER, Rig, THEIR_NUMBER, event, number, permitted};

const OWNER: LegCommand = LegCommand::HangUp { reason: EndReason::OwnerCancelled };

#[tokio::test]
async fn a_call_is_answered_and_we_hang_up() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    assert_eq!(invite.start_line(), format!("INVITE sip:{THEIR_NUMBER}@{} SIP/2.0", rig.far.addr));
    assert!(invite.must("From").starts_with(&format!("\"Us\" <sip:{OUR_NUMBER}@")));
    assert!(invite.must("Via").contains(";rport"));
    assert!(invite.body().contains("m=audio"));
    rig.far.reply(&invite, "100 Trying", "", "").await;
    rig.far.reply(&invite, "180 Ringing", &rig.far.contact(), "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: false });
    rig.far.pick_up(&invite, "").await;
    let ack = rig.far.expect("ACK").await;
    assert_eq!(ack.start_line(), format!("ACK sip:far@{} SIP/2.0", rig.far.addr));
    assert_eq!((ack.seq(), ack.tag("To").as_str()), (invite.seq(), "far"));
    assert_ne!(ack.branch(), invite.branch(), "the ACK of a 2xx is a transaction of its own");
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { encrypted: false, .. }));
    let sip_call_id = Some(invite.must("Call-ID").to_owned());
    assert_eq!(event(&mut leg).await, LegEvent::Answered { sip_call_id });

    leg.send(OWNER).unwrap();
    let bye = rig.far.expect("BYE").await;
    assert_eq!(bye.seq(), invite.seq() + 1);
    assert!(bye.must("Reason").starts_with("Q.850;cause=16"));
    assert_eq!(rig.busy_lines(), 1, "the carrier still counts the call");
    rig.far.reply(&bye, "200 OK", "", "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    rig.until_free().await;
}

#[tokio::test]
async fn the_remote_hangs_up() {
    let rig = Rig::new().await;
    let (mut leg, invite) = rig.live_call().await;
    let bye = rig.far.in_dialog(&invite, "BYE", 1, "Reason: Q.850;cause=31\r\n", "");
    rig.far.send(rig.at, &bye).await;
    assert_eq!(rig.far.expect("SIP/2.0").await.status(), 200);
    assert_eq!(event(&mut leg).await, LegEvent::HungUp { q850_cause: Some(31) });
    rig.until_free().await;
    // The same again: our 200 may have been lost.
    rig.far.send(rig.at, &bye).await;
    assert_eq!(rig.far.expect("SIP/2.0").await.status(), 200);
}

#[tokio::test]
async fn every_refusal_has_its_reason() {
    for (status, headers, reason, cause) in [
        ("486 Busy Here", "Reason: Q.850;cause=17\r\n", EndReason::RemoteBusy, Some(17)),
        ("603 Decline", "", EndReason::RemoteDeclined, None),
        ("404 Not Found", "Reason: Q.850;cause=1;text=\"x\"\r\n", EndReason::RemoteInvalidNumber, Some(1)),
        ("480 Temporarily Unavailable", "", EndReason::RemoteUnreachable, None),
        ("503 Service Unavailable", "Retry-After: 5\r\n", EndReason::CarrierFailed, None),
        ("403 Forbidden", "", EndReason::CarrierRefused, None),
        ("407 Proxy Authentication Required", "", EndReason::CarrierRefused, None),
    ] {
        let rig = Rig::new().await;
        let mut leg = rig.dial();
        let invite = rig.far.expect("INVITE").await;
        rig.far.reply(&invite, status, headers, "").await;
        let ack = rig.far.expect("ACK").await;
        assert_eq!(ack.branch(), invite.branch(), "the ACK of a refusal belongs to the INVITE");
        let LegEvent::Failed(failure) = event(&mut leg).await else { panic!("{status}") };
        assert_eq!((failure.reason, failure.q850_cause), (reason, cause), "{status}");
        assert_eq!(failure.sip_status, status[..3].parse().ok());
        // Our ACK was lost: the refusal comes again, and is acknowledged again.
        rig.far.reply(&invite, status, headers, "").await;
        rig.far.expect("ACK").await;
        rig.until_free().await;
    }
}

#[tokio::test]
async fn not_answered_after_ringing_is_no_answer() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    rig.far.reply(&invite, "180 Ringing", "", "").await;
    rig.far.reply(&invite, "480 Temporarily Unavailable", "", "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Ringing { .. }));
    assert!(
        matches!(event(&mut leg).await, LegEvent::Failed(failure) if failure.reason == EndReason::RemoteNoAnswer)
    );
}

#[tokio::test]
async fn silence_of_the_trunk_is_uncertain_and_never_dialled_again() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let first = rig.far.expect("INVITE").await;
    let second = rig.far.expect("INVITE").await;
    assert_eq!(first.text, second.text, "a retransmission, not a second call");
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!(failure.reason, EndReason::CarrierUncertain);
    // It had reached the trunk after all, and is picked up now: stopped and hung up.
    rig.far.pick_up(&first, "").await;
    rig.far.expect("ACK").await;
    rig.far.expect("BYE").await;
}

#[tokio::test]
async fn a_ringing_call_is_cancelled() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    rig.far.reply(&invite, "180 Ringing", &rig.far.contact(), "").await;
    event(&mut leg).await;
    leg.send(LegCommand::HangUp { reason: EndReason::PolicyRingLimit }).unwrap();
    let cancel = rig.far.expect("CANCEL").await;
    assert_eq!((cancel.branch(), cancel.seq()), (invite.branch(), invite.seq()));
    assert!(cancel.must("Reason").contains("Q.850;cause=19"));
    assert!(cancel.tag("To").is_empty());
    rig.far.reply(&cancel, "200 OK", "", "").await;
    rig.far.reply(&invite, "487 Request Terminated", "", "").await;
    rig.far.expect("ACK").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    rig.until_free().await;
}

#[tokio::test]
async fn a_cancel_waits_for_the_first_provisional_response() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    leg.send(OWNER).unwrap();
    assert!(rig.far.receive().await.start_line().starts_with("INVITE"), "only the retransmission");
    rig.far.reply(&invite, "100 Trying", "", "").await;
    let cancel = rig.far.expect("CANCEL").await;
    rig.far.reply(&cancel, "200 OK", "", "").await;
    rig.far.reply(&invite, "487 Request Terminated", "", "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn a_cancel_that_crosses_the_answer_ends_with_a_bye() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    rig.far.reply(&invite, "180 Ringing", "", "").await;
    event(&mut leg).await;
    leg.send(OWNER).unwrap();
    let cancel = rig.far.expect("CANCEL").await;
    rig.far.pick_up(&invite, "").await;
    rig.far.reply(&cancel, "200 OK", "", "").await;
    rig.far.expect("ACK").await;
    let bye = rig.far.expect("BYE").await;
    rig.far.reply(&bye, "200 OK", "", "").await;
    let mut last = event(&mut leg).await;
    while matches!(last, LegEvent::MediaUp { .. }) {
        last = event(&mut leg).await;
    }
    assert_eq!(last, LegEvent::Closed, "never shown as answered");
    rig.until_free().await;
}

#[tokio::test]
async fn a_far_end_that_ignores_the_bye_does_not_keep_the_leg() {
    let rig = Rig::new().await;
    let (mut leg, _) = rig.live_call().await;
    leg.send(OWNER).unwrap();
    let first = rig.far.expect("BYE").await;
    assert_eq!(rig.far.expect("BYE").await.text, first.text, "sent again");
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    rig.until_free().await;
}

#[tokio::test]
async fn a_dropped_leg_hangs_up() {
    let rig = Rig::new().await;
    let (leg, _) = rig.live_call().await;
    drop(leg);
    let bye = rig.far.expect("BYE").await;
    rig.far.reply(&bye, "200 OK", "", "").await;
    rig.until_free().await;
}

#[tokio::test]
async fn a_lost_ack_is_sent_again() {
    let rig = Rig::new().await;
    let (_leg, invite) = rig.live_call().await;
    rig.far.pick_up(&invite, "").await;
    assert_eq!(rig.far.expect("ACK").await.seq(), invite.seq());
}

#[tokio::test]
async fn of_two_phones_that_answer_the_second_is_hung_up() {
    let rig = Rig::new().await;
    let (mut leg, invite) = rig.live_call().await;
    let other = invite.response("200 OK", "other", &rig.far.contact(), &rig.far.sdp("sendrecv"));
    rig.far.send(rig.at, &other).await;
    assert_eq!(rig.far.expect("ACK").await.tag("To"), "other");
    let bye = rig.far.expect("BYE").await;
    assert_eq!(bye.tag("To"), "other");
    rig.far.reply(&bye, "200 OK", "", "").await;
    // The first call goes on.
    rig.far.send(rig.at, &rig.far.in_dialog(&invite, "BYE", 1, "", "")).await;
    assert_eq!(event(&mut leg).await, LegEvent::HungUp { q850_cause: None });
}

#[tokio::test]
async fn early_media_and_reliable_provisional_responses() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    let reliable = format!("{}Require: 100rel\r\nRSeq: 41\r\n", rig.far.contact());
    rig.far.reply(&invite, "183 Session Progress", &reliable, &rig.far.sdp("sendrecv")).await;
    let prack = rig.far.expect("PRACK").await;
    assert_eq!(prack.must("RAck"), format!("41 {} INVITE", invite.seq()));
    assert_eq!(prack.tag("To"), "far");
    rig.far.reply(&prack, "200 OK", "", "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: true });
    // The description may be left out of the 200: it was in the reliable response.
    rig.far.reply(&invite, "200 OK", &rig.far.contact(), "").await;
    rig.far.expect("ACK").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    leg.send(OWNER).unwrap();
    assert!(rig.far.expect("BYE").await.seq() > prack.seq());
}

#[tokio::test]
async fn a_reliable_response_waits_for_the_one_before_it() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    // The second one was lost, so the third is not acknowledged and comes again.
    for (rseq, acknowledged) in [(41, true), (43, false), (42, true), (41, false), (43, true)] {
        let reliable = format!("{}Require: 100rel\r\nRSeq: {rseq}\r\n", rig.far.contact());
        rig.far.reply(&invite, "180 Ringing", &reliable, "").await;
        if acknowledged {
            let prack = rig.far.expect("PRACK").await;
            assert_eq!(prack.must("RAck"), format!("{rseq} {} INVITE", invite.seq()));
            rig.far.reply(&prack, "200 OK", "", "").await;
        } else {
            rig.far.stays_without("PRACK", rig.at).await;
        }
    }
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: false });
}

#[tokio::test]
async fn keys_by_info() {
    let rig = Rig::new().await;
    let (mut leg, invite) = rig.live_call().await;
    let body = "Signal=5\r\nDuration=160\r\n";
    let info = rig.far.in_dialog(&invite, "INFO", 1, "Content-Type: application/dtmf-relay\r\n", "");
    let info =
        info.replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    rig.far.send(rig.at, &info).await;
    assert_eq!(rig.far.expect("SIP/2.0").await.status(), 200);
    assert_eq!(event(&mut leg).await, LegEvent::Digit(Digit::from_char('5').unwrap()));
}

#[tokio::test]
async fn lines_have_limits() {
    let rig = Rig::with(|config| config.lines[0].max_calls = 1).await;
    let from = |from: Option<&str>| permitted(THEIR_NUMBER, from);
    assert_eq!(rig.carrier.dial(&from(Some("+14155550177"))).err(), Some(DialError::UnknownLine));
    let leg = rig.carrier.dial(&from(Some(OUR_NUMBER))).unwrap();
    assert_eq!(leg.line(), &number(OUR_NUMBER));
    assert_eq!(rig.carrier.dial(&from(None)).err(), Some(DialError::NoLine));
    let line = rig.carrier.lines().remove(0);
    assert_eq!((line.busy, line.limit, line.registered), (1, 1, None));
}

#[tokio::test]
async fn a_redirection_is_not_followed_and_says_so() {
    for (status, reason, advice) in [
        ("300 Multiple Choices", EndReason::RemoteUnreachable, "not followed"),
        ("301 Moved Permanently", EndReason::RemoteInvalidNumber, "not followed"),
        ("302 Moved Temporarily", EndReason::RemoteUnreachable, "not followed"),
        ("305 Use Proxy", EndReason::CarrierRefused, "outbound_proxy"),
        ("380 Alternative Service", EndReason::RemoteUnreachable, "not followed"),
        ("399 Whatever", EndReason::RemoteUnreachable, "not followed"),
    ] {
        let rig = Rig::new().await;
        let mut leg = rig.dial();
        let invite = rig.far.expect("INVITE").await;
        let elsewhere = format!("Contact: <sip:+14155550111@{}>\r\n", rig.far.addr);
        rig.far.reply(&invite, status, &elsewhere, "").await;
        rig.far.expect("ACK").await;
        let LegEvent::Failed(failure) = event(&mut leg).await else { panic!("{status}") };
        assert_eq!((failure.reason, failure.sip_status), (reason, status[..3].parse().ok()), "{status}");
        assert!(failure.detail.starts_with(status) && failure.detail.contains(advice), "{}", failure.detail);
        assert!(!failure.detail.contains("0111"), "no number in it: {}", failure.detail);
        rig.far.stays_without("INVITE", rig.at).await;
    }
}

/// Of RFC 2543, or simply wrong: the one who picked up is heard, acknowledged and hung up on all the same.
#[tokio::test]
async fn an_answer_without_contact_or_tag_is_acknowledged_where_the_call_went() {
    for left_out in ["Contact", "tag", "a usable Contact"] {
        let rig = Rig::new().await;
        let mut leg = rig.dial();
        let invite = rig.far.expect("INVITE").await;
        let (tag, contact) = match left_out {
            "Contact" => ("far", String::new()),
            "tag" => ("", rig.far.contact()),
            _ => ("far", "Contact: <tel:+14155550100>\r\n".to_owned()),
        };
        let answer = invite.response("200 OK", tag, &contact, &rig.far.sdp("sendrecv"));
        rig.far.send(invite.from, &answer).await;
        let ack = rig.far.expect("ACK").await;
        let uri = match left_out {
            "tag" => format!("sip:far@{}", rig.far.addr),
            _ => format!("sip:{THEIR_NUMBER}@{}", rig.far.addr),
        };
        assert_eq!(ack.start_line(), format!("ACK {uri} SIP/2.0"), "{left_out}");
        assert_eq!(ack.tag("To"), tag);
        assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
        assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
        leg.send(OWNER).unwrap();
        let bye = rig.far.expect("BYE").await;
        assert_eq!(bye.start_line(), format!("BYE {uri} SIP/2.0"), "{left_out}");
        rig.far.reply(&bye, "200 OK", "", "").await;
        assert_eq!(event(&mut leg).await, LegEvent::Closed);
        rig.until_free().await;
    }
}

#[tokio::test]
async fn of_several_phones_that_rang_the_one_that_answers_has_the_call() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    let contact = |user: &str| format!("Contact: <sip:{user}@{}>\r\n", rig.far.addr);
    let ring = |tag: &str| invite.response("180 Ringing", tag, &contact(tag), "");
    rig.far.send(invite.from, &ring("a")).await;
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: false });
    let early = invite.response("183 Session Progress", "b", &contact("b"), &rig.far.sdp("sendrecv"));
    rig.far.send(invite.from, &early).await;
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: true });
    let answer = |tag: &str| invite.response("200 OK", tag, &contact(tag), &rig.far.sdp("sendrecv"));
    rig.far.send(invite.from, &answer("c")).await;
    let ack = rig.far.expect("ACK").await;
    assert_eq!(
        (ack.start_line(), ack.tag("To").as_str()),
        (&*format!("ACK sip:c@{} SIP/2.0", rig.far.addr), "c")
    );
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));

    // Another one picks up at the same moment: it is told that it may stop.
    rig.far.send(invite.from, &answer("a")).await;
    assert_eq!(rig.far.expect("ACK").await.tag("To"), "a");
    let bye = rig.far.expect("BYE").await;
    assert_eq!(
        (bye.start_line(), bye.tag("To").as_str()),
        (&*format!("BYE sip:a@{} SIP/2.0", rig.far.addr), "a")
    );
    rig.far.reply(&bye, "200 OK", "", "").await;
    leg.send(OWNER).unwrap();
    let bye = rig.far.expect("BYE").await;
    assert_eq!(bye.tag("To"), "c");
    rig.far.reply(&bye, "200 OK", "", "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn before_the_answer_a_session_is_changed_by_update_alone() {
    let rig = Rig::new().await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    // Nothing is agreed on yet: our own offer is open.
    rig.far.reply(&invite, "180 Ringing", &rig.far.contact(), "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: false });
    let update = |seq, body: &str| rig.far.in_dialog(&invite, "UPDATE", seq, &rig.far.contact(), body);
    rig.far.send(rig.at, &update(1, &rig.far.sdp("sendrecv"))).await;
    assert_eq!(rig.far.expect("SIP/2.0").await.status(), 491);
    // Without an offer it is only about who is who.
    rig.far.send(rig.at, &update(2, "")).await;
    let ok = rig.far.expect("SIP/2.0").await;
    assert_eq!((ok.status(), ok.body()), (200, ""));
    assert_eq!(ok.must("Contact"), invite.must("Contact"));

    let reliable = format!("{}Require: 100rel\r\nRSeq: 7\r\n", rig.far.contact());
    rig.far.reply(&invite, "183 Session Progress", &reliable, &rig.far.sdp("sendrecv")).await;
    let prack = rig.far.expect("PRACK").await;
    rig.far.reply(&prack, "200 OK", "", "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    assert_eq!(event(&mut leg).await, LegEvent::Ringing { early_media: true });
    rig.far.send(rig.at, &update(3, &rig.far.sdp("sendonly"))).await;
    // Offers are answered inside the leg.
    let ok = tokio::select! {
        ok = rig.far.expect("SIP/2.0") => ok,
        told = event(&mut leg) => panic!("{told:?}"),
    };
    assert_eq!(ok.status(), 200);
    assert!(ok.body().contains("a=recvonly"), "{}", ok.body());
    // Out of order.
    rig.far.send(rig.at, &update(2, "").replace("z9hG4bK", "z9hG4bKlate")).await;
    assert_eq!(rig.far.expect("SIP/2.0").await.status(), 500);
}

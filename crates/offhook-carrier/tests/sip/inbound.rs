//! Calls we receive, and requests that belong to none.

use offhook_core::{EndReason, LegCommand, LegEvent};

use crate::far_end::{OUR_NUMBER, Rig, Seen, THEIR_NUMBER, event, number};

/// Send an INVITE and see it ring.
async fn ring(rig: &mut Rig, call_id: &str, headers: &str) -> (offhook_carrier::IncomingCall, Seen) {
    rig.far.send(rig.at, &rig.far.invite(OUR_NUMBER, call_id, headers)).await;
    let ringing = rig.far.expect("SIP/2.0 180").await;
    (rig.incoming().await, ringing)
}

fn reply_in(rig: &Rig, response: &Seen, method: &str, seq: u32) -> String {
    let uri = response.must("Contact").trim_matches(['<', '>']).to_owned();
    rig.far.request(
        method,
        &uri,
        response.must("From"),
        response.must("To"),
        response.must("Call-ID"),
        seq,
        "",
        "",
    )
}

#[tokio::test]
async fn a_call_comes_in_is_answered_and_ends() {
    let mut rig = Rig::new().await;
    let (mut call, ringing) = ring(&mut rig, "in1", "").await;
    assert_eq!((call.from, call.to), (Some(number(THEIR_NUMBER)), number(OUR_NUMBER)));
    assert_eq!((call.from_name.as_deref(), call.carrier_call_id.as_str()), (Some("Anna"), "in1"));
    call.leg.send(LegCommand::Answer).unwrap();
    let ok = rig.far.expect("SIP/2.0 200").await;
    assert_eq!(ok.tag("To"), ringing.tag("To"));
    assert!(ok.body().contains("m=audio"));
    assert!(matches!(event(&mut call.leg).await, LegEvent::MediaUp { .. }));
    // Until it is acknowledged it is sent again.
    assert_eq!(rig.far.expect("SIP/2.0 200").await.text, ok.text);
    rig.far.send(rig.at, &reply_in(&rig, &ok, "ACK", 1)).await;
    assert!(
        matches!(event(&mut call.leg).await, LegEvent::Answered { sip_call_id: Some(id) } if id == "in1")
    );

    call.leg.send(LegCommand::HangUp { reason: EndReason::VoiceFinished }).unwrap();
    let bye = rig.far.expect("BYE").await;
    assert_eq!(bye.start_line(), format!("BYE sip:far@{} SIP/2.0", rig.far.addr));
    assert_eq!((bye.tag("From"), bye.tag("To")), (ringing.tag("To"), "far".to_owned()));
    rig.far.reply(&bye, "200 OK", "", "").await;
    assert_eq!(event(&mut call.leg).await, LegEvent::Closed);
    rig.until_free().await;
}

#[tokio::test]
async fn the_caller_gives_up_before_the_answer() {
    let mut rig = Rig::new().await;
    let (mut call, ringing) = ring(&mut rig, "in2", "").await;
    let cancel = rig
        .far
        .invite(OUR_NUMBER, "in2", "")
        .replace("INVITE", "CANCEL")
        .replace("z9hG4bKin2CANCEL1", "z9hG4bKin2INVITE1");
    rig.far.send(rig.at, &cancel).await;
    let ok = rig.far.expect("SIP/2.0 200").await;
    assert!(ok.must("CSeq").ends_with("CANCEL"));
    let terminated = rig.far.expect("SIP/2.0 487").await;
    assert_eq!(terminated.tag("To"), ringing.tag("To"));
    assert!(matches!(event(&mut call.leg).await, LegEvent::HungUp { .. }));
    rig.until_free().await;
}

#[tokio::test]
async fn a_call_is_refused_with_its_reason() {
    for (reason, status) in
        [(EndReason::PolicyRefused, 603), (EndReason::GatewayShutdown, 503), (EndReason::RemoteBusy, 486)]
    {
        let mut rig = Rig::new().await;
        let (mut call, _) = ring(&mut rig, "in3", "").await;
        call.leg.send(LegCommand::HangUp { reason }).unwrap();
        let refusal = rig.far.expect(&format!("SIP/2.0 {status}")).await;
        assert!(refusal.must("Reason").contains("Q.850"));
        assert_eq!(event(&mut call.leg).await, LegEvent::Closed);
        rig.until_free().await;
    }
}

#[tokio::test]
async fn an_invite_sent_again_rings_once() {
    let mut rig = Rig::new().await;
    let (_call, ringing) = ring(&mut rig, "in4", "").await;
    rig.far.send(rig.at, &rig.far.invite(OUR_NUMBER, "in4", "")).await;
    assert_eq!(rig.far.expect("SIP/2.0 180").await.text, ringing.text);
    assert!(rig.incoming.try_recv().is_err());
    assert_eq!(rig.busy_lines(), 1);
}

#[tokio::test]
async fn a_call_that_comes_twice_by_two_ways_is_one() {
    let mut rig = Rig::new().await;
    let (_call, _) = ring(&mut rig, "merged", "").await;
    let other_way = rig.far.invite(OUR_NUMBER, "merged", "").replace("branch=z9hG4bK", "branch=z9hG4bKother");
    rig.far.send(rig.at, &other_way).await;
    rig.far.expect("SIP/2.0 482").await;
    assert!(rig.incoming.try_recv().is_err());
}

#[tokio::test]
async fn a_2xx_that_nobody_acknowledges_ends_the_call() {
    let mut rig = Rig::new().await;
    let (mut call, _) = ring(&mut rig, "in5", "").await;
    call.leg.send(LegCommand::Answer).unwrap();
    rig.far.expect("SIP/2.0 200").await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::MediaUp { .. }));
    assert_eq!(event(&mut call.leg).await, LegEvent::Lost);
    rig.far.expect("BYE").await;
}

#[tokio::test]
async fn what_fits_no_call_is_refused_as_the_rfc_says() {
    let mut rig = Rig::new().await;
    let to = format!("<sip:{OUR_NUMBER}@127.0.0.1>");
    let from = "<sip:a@127.0.0.1>;tag=far";
    let request = |method: &str, to: &str, headers: &str| {
        rig.far.request(
            method,
            &format!("sip:{OUR_NUMBER}@127.0.0.1"),
            from,
            to,
            &format!("no-{method}"),
            5,
            headers,
            "",
        )
    };
    let tagged = format!("{to};tag=none");
    for (request, status, header) in [
        (request("BYE", &tagged, ""), 481, None),
        (request("INVITE", &tagged, ""), 481, None),
        (request("INFO", &tagged, ""), 481, None),
        (request("CANCEL", &to, ""), 481, None),
        (request("NOTIFY", &to, ""), 481, None),
        (request("OPTIONS", &to, ""), 200, Some("Allow")),
        (request("OPTIONS", &to, "Require: telepathy\r\n"), 420, Some("Unsupported")),
        (request("REGISTER", &to, ""), 405, Some("Allow")),
        (request("FROBNICATE", &to, ""), 405, Some("Allow")),
        (rig.far.invite("+14155550155", "nobody", ""), 404, None),
        (rig.far.invite(OUR_NUMBER, "odd", "").replace("application/sdp", "text/plain"), 415, Some("Accept")),
        (rig.far.invite(OUR_NUMBER, "ext", "Require: telepathy\r\n"), 420, Some("Unsupported")),
        (rig.far.invite(OUR_NUMBER, "tel", "").replace("<sip:far@", "<tel:1;x="), 400, None),
        (
            rig.far.invite(OUR_NUMBER, "short", "Session-Expires: 30\r\nSupported: timer\r\n"),
            422,
            Some("Min-SE"),
        ),
    ] {
        rig.far.send(rig.at, &request).await;
        let answer = rig.far.expect("SIP/2.0").await;
        assert_eq!(answer.status(), status, "{request}");
        assert!(!answer.tag("To").is_empty());
        if let Some(header) = header {
            answer.must(header);
        }
    }
    assert!(rig.incoming.try_recv().is_err());
    rig.until_free().await;
}

#[tokio::test]
async fn strangers_do_not_get_through() {
    let rig = Rig::with(|config| config.inbound = offhook_carrier::sip::Inbound::Nobody).await;
    rig.far.send(rig.at, &rig.far.invite(OUR_NUMBER, "stranger", "")).await;
    assert_eq!(rig.far.expect("SIP/2.0").await.status(), 403);
}

#[tokio::test]
async fn an_invite_without_an_offer_gets_ours() {
    let mut rig = Rig::new().await;
    let invite = rig.far.invite(OUR_NUMBER, "late", "");
    let invite = invite.split("Content-Type").next().unwrap().to_owned() + "Content-Length: 0\r\n\r\n";
    rig.far.send(rig.at, &invite).await;
    let mut call = rig.incoming().await;
    call.leg.send(LegCommand::Answer).unwrap();
    let ok = rig.far.expect("SIP/2.0 200").await;
    assert!(ok.body().contains("m=audio"));
    let sdp = rig.far.sdp("sendrecv");
    let ack = reply_in(&rig, &ok, "ACK", 1);
    let content = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    rig.far.send(rig.at, &ack.replace("Content-Length: 0\r\n\r\n", &content)).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::MediaUp { .. }));
    assert!(matches!(event(&mut call.leg).await, LegEvent::Answered { .. }));
}

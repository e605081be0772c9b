//! Each mistake is answered as the RFC says, and named; what is in order is neither.

mod phone;

use offhook_sandbox::{Ending, Sandbox, Stage};
use phone::{Phone, clean, exchange, header, over, rules, until};

/// A mistake in an INVITE: what is replaced by what, the answer, the rule.
const IN_INVITE: &[(&str, &str, u16, &str)] = &[
    ("SIP/2.0\r\nVia", "SIP/3.0\r\nVia", 505, "sip.version"),
    ("branch=z9hG4bK", "branch=", 400, "via.branch"),
    ("SIP/2.0/UDP", "SIP/2.0/TCP", 400, "via.transport"),
    ("Max-Forwards: 70\r\n", "", 400, "header.missing"),
    ("Max-Forwards: 70", "Max-Forwards: 0", 483, "max_forwards.zero"),
    ("Max-Forwards: 70", "Max-Forwards: 999", 400, "max_forwards.syntax"),
    (";tag=phone", "", 400, "from.tag"),
    ("Call-ID", "X-Call-ID", 400, "header.missing"),
    ("CSeq: 1 INVITE", "CSeq: 1 BYE", 400, "cseq.method"),
    ("CSeq: 1 INVITE", "CSeq: x INVITE", 400, "cseq.syntax"),
    ("Contact: ", "X-Contact: ", 400, "contact.missing"),
    ("Contact: ", "Contact: <sip:a@b>, ", 400, "contact.several"),
    ("application/sdp", "application/json", 415, "content_type.unsupported"),
    ("Content-Type: application/sdp\r\n", "", 400, "content_type.missing"),
    ("Content-Length: ", "Content-Length: 9", 400, "content_length.wrong"),
    ("Max-Forwards", "Require: 100rel\r\nMax-Forwards", 420, "require"),
    ("Max-Forwards", "To: <sip:a@b>\r\nMax-Forwards", 400, "header.repeated"),
    ("Max-Forwards", "Supported: timer\r\nSession-Expires: 60\r\nMax-Forwards", 422, "session_expires.small"),
    ("INVITE sip:", "INVITE sips:", 416, "uri.scheme"),
    ("INVITE sip:", "INVITE <sip:", 400, "uri.syntax"),
    ("RTP/AVP", "RTP/SAV", 488, "sdp.no_stream"),
    ("t=0 0", "t=0 x", 400, "sdp.time"),
    ("PCMU/8000", "G722/8000", 488, "sdp.no_stream"),
];

#[tokio::test]
async fn a_wrong_invite_is_refused_by_name() {
    for (from, to, status, rule) in IN_INVITE {
        let sandbox = exchange().await;
        let mut phone = Phone::new(sandbox.addr(), "+14155550100").await;
        let good = phone.invite();
        assert!(good.contains(from), "{from} is not in the INVITE");
        let answer = phone.ask(&good.replacen(from, to, 1)).await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{rule}: {answer}");
        assert_eq!(rules(&sandbox), [*rule], "{answer}");
        if *status != 505 {
            assert!(header(&answer, "Warning").contains(rule), "{answer}");
        }
    }
}

#[tokio::test]
async fn good_practice_is_noted_and_not_refused() {
    for (from, to, rule) in [
        (";rport", "", "via.rport"),
        ("Allow: INVITE, ACK, BYE, CANCEL\r\n", "", "invite.allow"),
        ("a=ptime:20\r\n", "", "offer.ptime"),
        ("telephone-event", "a-different-one", "offer.telephone_event"),
    ] {
        let sandbox = exchange().await;
        let mut phone = Phone::new(sandbox.addr(), "+14155550101").await;
        let mut invite = phone.invite().replace(from, to);
        let body = invite.split_once("\r\n\r\n").unwrap().1.len();
        let declared = header(&invite, "Content-Length").to_owned();
        invite = invite.replace(&format!("Content-Length: {declared}"), &format!("Content-Length: {body}"));
        let answer = phone.ask(&invite).await;
        assert!(answer.starts_with("SIP/2.0 486 "), "{rule}: {answer}");
        assert_eq!(rules(&sandbox), [rule]);
    }
}

#[tokio::test]
async fn compact_forms_are_the_same_headers() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "0101").await;
    let mut invite = phone.invite();
    for (long, short) in [
        ("Via", "v"),
        ("From", "f"),
        ("To", "t"),
        ("Call-ID", "i"),
        ("Contact", "m"),
        ("Content-Length", "l"),
        ("Content-Type", "c"),
    ] {
        invite = invite.replace(&format!("\r\n{long}: "), &format!("\r\n{short}: "));
    }
    assert!(phone.ask(&invite).await.starts_with("SIP/2.0 486 "));
    clean(&sandbox);
}

#[tokio::test]
async fn other_methods_and_strangers() {
    let cases = [
        ("OPTIONS", 200, None),
        ("INFO", 405, Some("method")),
        ("FROBNICATE", 501, Some("method")),
        ("BYE", 481, Some("dialog.to_tag")),
        ("CANCEL", 481, Some("cancel.unknown")),
    ];
    for (method, status, rule) in cases {
        let sandbox = exchange().await;
        let mut phone = Phone::new(sandbox.addr(), "0100").await;
        let request = phone.request(method, "");
        let answer = phone.ask(&request).await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
        assert_eq!(rules(&sandbox), rule.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_softphone_can_register() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "alice").await;
    let register = phone.request("REGISTER", "").replace("Max-Forwards", "Expires: 120\r\nMax-Forwards");
    let answer = phone.ask(&register).await;
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert_eq!(header(&answer, "Expires"), "120");
    assert!(header(&answer, "Contact").ends_with(";expires=120"), "{answer}");
    clean(&sandbox);
}

/// A call to the number that stays on the line, answered and acknowledged.
async fn connected() -> (Sandbox, Phone) {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    phone.dial().await;
    (sandbox, phone)
}

#[tokio::test]
async fn a_wrong_request_in_a_dialog_is_refused_by_name() {
    for (from, to, status, rule) in [
        ("CSeq: 2", "CSeq: 1", 500, "cseq.order"),
        ("BYE sip:line-", "BYE sip:other-", 400, "dialog.remote_target"),
        ("tag=phone", "tag=other", 481, "dialog.unknown"),
        ("Max-Forwards", "Route: <sip:h;lr>\r\nMax-Forwards", 400, "dialog.route"),
        ("Call-ID: call", "Call-ID: other", 481, "dialog.unknown"),
    ] {
        let (sandbox, mut phone) = connected().await;
        phone.cseq = 2;
        let bye = phone.request("BYE", "");
        assert!(bye.contains(from), "{from} is not in the BYE");
        let answer = phone.ask(&bye.replacen(from, to, 1)).await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{rule}: {answer}");
        assert_eq!(rules(&sandbox), [rule]);
    }
}

#[tokio::test]
async fn a_gap_in_cseq_is_noted_and_the_call_still_ends() {
    let (sandbox, mut phone) = connected().await;
    phone.cseq = 6;
    phone.hang_up().await;
    assert_eq!(over(&sandbox).await.stage, Stage::Ended(Ending::RemoteHungUp));
    assert_eq!(rules(&sandbox), ["cseq.step"]);
}

#[tokio::test]
async fn the_ack_of_an_answer_is_a_request_of_its_own() {
    for (change, rule) in [
        (("z9hG4bK", "z9hG4bK"), ""),
        (("BRANCH", ""), "ack.branch"),
        (("CSeq: 1", "CSeq: 2"), "ack.cseq"),
        (("ACK sip:line-", "ACK sip:other-"), "dialog.remote_target"),
        (("tag=phone", "tag=other"), "ack.unknown"),
    ] {
        let sandbox = exchange().await;
        let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
        let invite = phone.invite();
        phone.send(&invite).await;
        let answer = phone.expect(" 200 ").await;
        phone.learn(&answer);
        let branch = invite.split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
        let ack = match change.0 {
            "BRANCH" => phone.request_with("ACK", &branch, ""),
            from => phone.request("ACK", "").replacen(from, change.1, 1),
        };
        phone.send(&ack).await;
        phone.heard_out().await;
        let expected: Vec<&str> = [rule].into_iter().filter(|rule| !rule.is_empty()).collect();
        assert_eq!(rules(&sandbox), expected);
    }
}

#[tokio::test]
async fn the_ack_of_a_refusal_has_the_branch_of_its_invite() {
    for (from, to, expected) in [
        ("", "", None),
        ("tag=phone", "tag=x", Some("ack.mismatch")),
        ("z9hG4bK", "z9hG4bKx", Some("ack.unknown")),
    ] {
        let sandbox = exchange().await;
        let mut phone = Phone::new(sandbox.addr(), "+14155550101").await;
        let invite = phone.invite();
        let answer = phone.ask(&invite).await;
        phone.to = header(&answer, "To").to_owned();
        let branch = invite.split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
        phone.send(&phone.request_with("ACK", &branch, "").replacen(from, to, 1)).await;
        phone.heard_out().await;
        assert_eq!(rules(&sandbox), expected.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_cancel_takes_back_its_own_invite_only() {
    for (from, to, status, rule) in [
        ("", "", 200, None),
        ("CSeq: 1", "CSeq: 2", 400, Some("cancel.mismatch")),
        ("CANCEL sip:+1", "CANCEL sip:+2", 400, Some("cancel.mismatch")),
        ("Max-Forwards", "Require: timer\r\nMax-Forwards", 400, Some("cancel.require")),
        ("z9hG4bK", "z9hG4bKx", 481, Some("cancel.unknown")),
    ] {
        let sandbox = exchange().await;
        let mut phone = Phone::new(sandbox.addr(), "+14155550102").await;
        let invite = phone.invite();
        phone.send(&invite).await;
        phone.expect(" 180 ").await;
        let branch = invite.split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
        let cancel = phone.request_with("CANCEL", &branch, "").replacen(from, to, 1);
        let answer = phone.ask(&cancel).await;
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
        assert_eq!(rules(&sandbox), rule.into_iter().collect::<Vec<_>>());
        if status == 200 {
            let terminated = phone.expect(" 487 ").await;
            assert_eq!(header(&terminated, "CSeq"), "1 INVITE");
            assert_eq!(over(&sandbox).await.stage, Stage::Ended(Ending::Cancelled));
        }
    }
}

#[tokio::test]
async fn the_same_invite_by_another_way_is_a_loop_and_by_the_same_a_retransmission() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550102").await;
    let invite = phone.invite();
    phone.send(&invite).await;
    let ringing = phone.expect(" 180 ").await;
    phone.send(&invite).await;
    assert_eq!(phone.receive().await, ringing);
    let other = phone.invite();
    assert!(phone.ask(&other).await.starts_with("SIP/2.0 482 "));
    assert_eq!(rules(&sandbox), ["invite.merged"]);
    assert_eq!(sandbox.calls().len(), 1);
}

#[tokio::test]
async fn hold_is_answered_as_rfc_3264_says_and_its_version_counts() {
    let (sandbox, mut phone) = connected().await;
    let hold = |phone: &Phone, version: u32, direction: &str| {
        phone.sdp().replace("10 1 IN", &format!("10 {version} IN")).replace("sendrecv", direction)
    };
    for (version, offered, answered) in
        [(2, "sendonly", "recvonly"), (3, "inactive", "inactive"), (4, "sendrecv", "sendrecv")]
    {
        phone.cseq += 1;
        let sdp = hold(&phone, version, offered);
        let reinvite = phone.request("INVITE", &sdp);
        let answer = phone.ask(&reinvite).await;
        assert!(answer.contains(&format!("a={answered}\r\n")), "{answer}");
        let ack = phone.request("ACK", "");
        phone.send(&ack).await;
    }
    clean(&sandbox);
    phone.cseq += 1;
    let sdp = hold(&phone, 9, "sendonly");
    let reinvite = phone.request("INVITE", &sdp);
    assert!(phone.ask(&reinvite).await.starts_with("SIP/2.0 400 "));
    assert_eq!(rules(&sandbox), ["sdp.origin.version"]);
}

#[tokio::test]
async fn an_exchange_in_the_path_wants_its_route() {
    let mut config = phone::config();
    config.record_route = true;
    let sandbox = Sandbox::start(config).await.unwrap();
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    phone.dial().await;
    assert!(phone.route.is_some());
    phone.cseq = 2;
    let bye = phone.request("BYE", "");
    let straight = bye.replace(&format!("Route: {}\r\n", phone.route.clone().unwrap()), "");
    assert!(phone.ask(&straight).await.starts_with("SIP/2.0 400 "));
    phone.hang_up().await;
    assert_eq!(rules(&sandbox), ["dialog.route"]);
}

#[tokio::test]
async fn an_invite_without_an_offer_is_offered_one() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    let invite = phone.request("INVITE", "");
    phone.send(&invite).await;
    let answer = phone.expect(" 200 ").await;
    assert!(answer.contains("RTP/AVP 0 8 101\r\n"), "{answer}");
    phone.learn(&answer);
    let sdp = phone.sdp();
    let ack = phone.request("ACK", &sdp);
    phone.send(&ack).await;
    until(&sandbox, |calls| (calls[0].rtp_received > 5 && calls[0].rtp_sent > 5).then_some(())).await;
    phone.hang_up().await;
    clean(&sandbox);
}

#[tokio::test]
async fn what_is_not_sip_is_noted_and_keep_alives_are_not() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "0100").await;
    for junk in ["\r\n\r\n", "\0", "hello"] {
        phone.send(junk).await;
    }
    let options = phone.request("OPTIONS", "");
    phone.ask(&options).await;
    assert_eq!(rules(&sandbox), ["sip.syntax"]);
}

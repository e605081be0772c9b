//! Dialogs off the straight path: early endings, crossings, early media, refreshes, broken audio.

mod phone;

use std::sync::atomic::Ordering;
use std::time::Duration;

use offhook_sandbox::{Challenge, Ending, Sandbox, Stage, Step};
use phone::{Phone, clean, exchange, header, over, reply, rules, until};
use tokio::net::UdpSocket;

#[tokio::test]
async fn a_bye_before_the_answer_ends_the_invite_too() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550102").await;
    let invite = phone.invite();
    phone.send(&invite).await;
    let ringing = phone.expect(" 180 ").await;
    phone.learn(&ringing);
    phone.hang_up().await;
    phone.expect(" 487 ").await;
    assert_eq!(over(&sandbox).await.stage, Stage::Ended(Ending::Cancelled));
    clean(&sandbox);
}

#[tokio::test]
async fn a_bye_that_overtakes_the_ack_is_a_mistake() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    let invite = phone.invite();
    phone.send(&invite).await;
    let answer = phone.expect(" 200 ").await;
    phone.learn(&answer);
    phone.hang_up().await;
    assert_eq!(rules(&sandbox), ["bye.before_ack"]);
}

#[tokio::test]
async fn one_invite_at_a_time() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550102").await;
    let first = phone.invite();
    phone.send(&first).await;
    phone.expect(" 180 ").await;
    phone.cseq = 2;
    let second = phone.invite();
    let answer = phone.ask(&second).await;
    assert!(answer.starts_with("SIP/2.0 500 "), "{answer}");
    assert_eq!(header(&answer, "Retry-After"), "1");
    assert_eq!(rules(&sandbox), ["invite.pending"]);
}

#[tokio::test]
async fn a_cancel_that_crosses_the_answer_changes_nothing() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    let invite = phone.invite();
    phone.send(&invite).await;
    let answer = phone.expect(" 200 ").await;
    let branch = invite.split("branch=").nth(1).unwrap().split(';').next().unwrap();
    let cancel = phone.request_with("CANCEL", branch, "");
    assert_eq!(header(&phone.ask(&cancel).await, "CSeq"), "1 CANCEL");
    phone.learn(&answer);
    let ack = phone.request("ACK", "");
    phone.send(&ack).await;
    phone.hang_up().await;
    assert_eq!(over(&sandbox).await.stage, Stage::Ended(Ending::RemoteHungUp));
    clean(&sandbox);
}

#[tokio::test]
async fn an_update_refreshes_and_may_carry_an_offer() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    phone.dial().await;
    phone.cseq += 1;
    let refresh = phone.request("UPDATE", "");
    let refresh = refresh.replace("Max-Forwards", "Supported: timer\r\nSession-Expires: 600\r\nMax-Forwards");
    let answer = phone.ask(&refresh).await;
    assert_eq!(header(&answer, "Session-Expires"), "600;refresher=uac");
    assert_eq!(header(&answer, "Content-Length"), "0");
    phone.cseq += 1;
    let sdp = phone.sdp().replace("10 1 IN", "10 2 IN").replace("sendrecv", "sendonly");
    let hold = phone.request("UPDATE", &sdp);
    assert!(phone.ask(&hold).await.contains("a=recvonly\r\n"));
    phone.hang_up().await;
    clean(&sandbox);
}

#[tokio::test]
async fn glare_is_answered_with_491_and_nobody_is_blamed() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "x").await;
    let script = &[Step::Hold { ms: 100_000 }, Step::StaySilent];
    sandbox.call(phone.addr, "line", "+14155550001", script).await;
    let invite = phone.expect("INVITE ").await;
    let contact = format!("Contact: <sip:phone@{}>\r\nContent-Type: application/sdp\r\n", phone.addr);
    phone.send(&reply(&invite, "200 OK", &contact, &phone.sdp())).await;
    phone.expect("ACK ").await;
    phone.expect("INVITE ").await;
    // Ours, before theirs is answered. The tags are those of their INVITE, turned round.
    phone.learn(&invite);
    phone.to = header(&invite, "From").to_owned();
    phone.call_id = header(&invite, "Call-ID").to_owned();
    let from = header(&invite, "To").to_owned() + ";tag=phone";
    let ours = phone.request("INVITE", &phone.sdp());
    let ours = ours.replace(header(&ours, "From"), &from);
    assert!(phone.ask(&ours).await.starts_with("SIP/2.0 491 "));
    clean(&sandbox);
}

#[tokio::test]
async fn requests_in_a_dialog_can_be_asked_for_credentials() {
    let mut config = phone::config();
    config.challenge = Some(Challenge { in_dialog: true, ..Challenge::new("ann", "secret") });
    let sandbox = Sandbox::start(config).await.unwrap();
    let mut phone = Phone::new(sandbox.addr(), "x").await;
    sandbox.call(phone.addr, "line", "+14155550001", &[Step::StaySilent]).await;
    let invite = phone.expect("INVITE ").await;
    let contact = format!("Contact: <sip:phone@{}>\r\nContent-Type: application/sdp\r\n", phone.addr);
    phone.send(&reply(&invite, "200 OK", &contact, &phone.sdp())).await;
    phone.expect("ACK ").await;
    phone.learn(&invite);
    phone.to = header(&invite, "From").to_owned();
    phone.call_id = header(&invite, "Call-ID").to_owned();
    let bye = phone.request("BYE", "");
    let bye = bye.replace(header(&bye, "From"), &(header(&invite, "To").to_owned() + ";tag=phone"));
    let answer = phone.ask(&bye).await;
    assert!(answer.starts_with("SIP/2.0 407 "), "{answer}");
    let offered: Vec<&str> = answer.lines().filter(|line| line.starts_with("Proxy-Authenticate: ")).collect();
    assert!(offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"), "{offered:?}");
    assert!(!sandbox.calls()[0].is_over());
}

#[tokio::test]
async fn broken_audio_is_noted_with_its_call() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    phone.dial().await;
    until(&sandbox, |calls| (calls[0].rtp_received > 3).then_some(())).await;
    let to = phone.rtp.to.lock().unwrap().take().unwrap();
    phone.rtp.send_raw(to, &[0x80, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 9]).await;
    until(&sandbox, |_| (!sandbox.violations().is_empty()).then_some(())).await;
    let violations = sandbox.violations();
    assert_eq!(
        (violations[0].rule, violations[0].sip_call_id.as_deref()),
        ("rtp.ssrc", Some(phone.call_id.as_str()))
    );
}

#[tokio::test]
async fn audio_from_another_port_than_agreed_is_told_at_the_end() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    phone.dial().await;
    let to = phone.rtp.to.lock().unwrap().take().unwrap();
    let (heard, other) = (sandbox.calls()[0].rtp_received, UdpSocket::bind("127.0.0.1:0").await.unwrap());
    assert_eq!(heard, 0, "the phone has not spoken yet");
    let mut packet = vec![0x80; 172];
    packet[1] = 0;
    other.send_to(&packet, to).await.unwrap();
    until(&sandbox, |calls| (calls[0].rtp_sent > 10).then_some(())).await;
    phone.hang_up().await;
    assert_eq!(rules(&sandbox), ["rtp.source"]);
}

#[tokio::test]
async fn a_sandbox_that_shuts_down_hangs_up() {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "+14155550111").await;
    phone.dial().await;
    let before = phone.rtp.packets.load(Ordering::Relaxed);
    sandbox.until(|calls| (calls[0].rtp_sent > before + 5).then_some(())).await;
    tokio::time::timeout(Duration::from_secs(5), sandbox.shutdown()).await.expect("stops at once");
    phone.expect("BYE ").await;
}

#[tokio::test]
async fn a_number_of_ones_own_plays_early_media_and_holds() {
    let mut config = phone::config();
    let script = vec![
        Step::EarlyMedia { ms: 4_000 },
        Step::Answer,
        Step::Pause { ms: 1_000 },
        Step::Hold { ms: 1_000 },
        Step::Say("Thank you for waiting."),
        Step::HangUp,
    ];
    config.numbers =
        vec![("early".to_owned(), script), ("full".to_owned(), vec![Step::Reject { status: 503 }])];
    let sandbox = Sandbox::start(config).await.unwrap();

    let mut phone = Phone::new(sandbox.addr(), "early").await;
    let invite = phone.invite();
    phone.send(&invite).await;
    let progress = phone.expect(" 183 ").await;
    assert!(progress.contains("m=audio "), "{progress}");
    until(&sandbox, |_| (phone.rtp.heard_ms() > 100).then_some(())).await;
    assert_eq!(sandbox.calls()[0].answered_at, None);
    let answer = phone.expect(" 200 ").await;
    phone.learn(&answer);
    let ack = phone.request("ACK", "");
    phone.send(&ack).await;
    let contact = format!("Contact: <sip:phone@{}>\r\nContent-Type: application/sdp\r\n", phone.addr);
    for (version, direction) in [(2, "recvonly"), (3, "sendrecv")] {
        let reinvite = phone.expect("INVITE ").await;
        let sdp = phone.sdp().replace("10 1 IN", &format!("10 {version} IN")).replace("sendrecv", direction);
        phone.reply(&reinvite, "200 OK", &contact, &sdp).await;
        phone.expect("ACK ").await;
    }
    phone.hung_up().await;
    assert_eq!(over(&sandbox).await.said, ["Thank you for waiting."]);

    let mut phone = Phone::new(sandbox.addr(), "full").await;
    let invite = phone.invite();
    assert!(phone.ask(&invite).await.starts_with("SIP/2.0 503 "));
    clean(&sandbox);
}

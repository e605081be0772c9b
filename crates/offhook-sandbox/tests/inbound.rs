//! Calls the exchange places, answered by a phone; and callers that are asked for credentials.

mod phone;

use std::process::Command;
use std::sync::atomic::Ordering;

use offhook_sandbox::{Algorithm, Challenge, Ending, Sandbox, Stage, Step};
use phone::{Phone, clean, exchange, header, over, reply, rules, until};

const TALK: &[Step] =
    &[Step::Say("One two three."), Step::Press("42#"), Step::Await { ms: 400_000 }, Step::HangUp];

fn contact(phone: &Phone) -> String {
    format!("Contact: <sip:phone@{}>\r\nContent-Type: application/sdp\r\n", phone.addr)
}

fn answer_sdp(phone: &Phone) -> String {
    phone.sdp().replace("o=phone 10 1", "o=phone 20 1")
}

/// A call to the phone, which answers with `change` made to its 200.
async fn called(script: &[Step], change: impl Fn(String) -> String) -> (Sandbox, Phone, String) {
    let sandbox = exchange().await;
    let mut phone = Phone::new(sandbox.addr(), "x").await;
    sandbox.call(phone.addr, "line", "+14155550001", script).await;
    let invite = phone.expect("INVITE ").await;
    phone.reply(&invite, "180 Ringing", &contact(&phone), "").await;
    let answer = reply(&invite, "200 OK", &contact(&phone), &answer_sdp(&phone));
    phone.send(&change(answer)).await;
    let ack = phone.expect("ACK ").await;
    phone.learn(&invite);
    phone.to = header(&invite, "From").to_owned();
    (sandbox, phone, ack)
}

#[tokio::test]
async fn a_caller_talks_presses_keys_and_hangs_up() {
    let (sandbox, phone, ack) = called(TALK, |answer| answer).await;
    assert!(ack.starts_with(&format!("ACK sip:phone@{} ", phone.addr)), "{ack}");
    until(&sandbox, |_| (phone.rtp.keys.lock().unwrap().len() == 3).then_some(())).await;
    assert_eq!(*phone.rtp.keys.lock().unwrap(), [4, 2, 11]);
    assert_eq!(phone.rtp.heard_ms(), 3 * phone::WORD_MS);
    phone.rtp.say(300);
    phone.hung_up().await;
    let call = over(&sandbox).await;
    assert_eq!((call.stage, call.turns, call.placed_here), (Stage::Ended(Ending::PersonHungUp), 1, true));
    clean(&sandbox);
}

#[tokio::test]
async fn wrong_answers_are_named() {
    for (from, to, rule) in [
        (";tag=phone", "", "response.to_tag"),
        ("Contact: ", "X-Contact: ", "response.contact"),
        ("Content-Length: ", "Content-Length: 1", "response.content_length"),
        ("application/sdp", "text/plain", "response.content_type"),
        ("0 101\r\na=rtpmap:0 PCMU", "9 101\r\na=rtpmap:9 G722", "sdp.answer.format"),
        ("To: <sip:line", "To: <sip:other", "response.to"),
    ] {
        let (sandbox, ..) = called(TALK, |answer| {
            assert!(answer.contains(from), "{from} is not in the answer");
            answer.replacen(from, to, 1)
        })
        .await;
        assert_eq!(rules(&sandbox).first(), Some(&rule), "{rule}");
    }
}

#[tokio::test]
async fn a_refusal_is_acknowledged_in_its_own_transaction() {
    let sandbox = exchange().await;
    let phone = Phone::new(sandbox.addr(), "x").await;
    sandbox.call(phone.addr, "line", "+14155550001", TALK).await;
    let invite = phone.expect("INVITE ").await;
    phone.reply(&invite, "486 Busy Here", "", "").await;
    let ack = phone.expect("ACK ").await;
    assert_eq!(header(&ack, "Via"), header(&invite, "Via"));
    assert_eq!(over(&sandbox).await.stage, Stage::Ended(Ending::Refused(486)));
    clean(&sandbox);
}

#[tokio::test]
async fn a_caller_can_give_up() {
    let sandbox = exchange().await;
    let phone = Phone::new(sandbox.addr(), "x").await;
    let key = sandbox.call(phone.addr, "line", "+14155550001", TALK).await;
    let invite = phone.expect("INVITE ").await;
    phone.reply(&invite, "180 Ringing", &contact(&phone), "").await;
    until(&sandbox, |calls| (calls[0].stage == Stage::Ringing).then_some(())).await;
    sandbox.hang_up(key).await;
    let cancel = phone.expect("CANCEL ").await;
    assert_eq!(header(&cancel, "Via"), header(&invite, "Via"));
    phone.reply(&cancel, "200 OK", "", "").await;
    phone.reply(&invite, "487 Request Terminated", "", "").await;
    phone.expect("ACK ").await;
    assert_eq!(over(&sandbox).await.stage, Stage::Ended(Ending::PersonHungUp));
    clean(&sandbox);
}

#[tokio::test]
async fn a_caller_puts_us_on_hold_and_takes_us_back() {
    let script = &[Step::Hold { ms: 4_000 }, Step::StaySilent];
    let (sandbox, phone, _) = called(script, |answer| answer).await;
    for (version, offered, answered) in [(2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")] {
        let reinvite = phone.expect("INVITE ").await;
        assert!(reinvite.contains(&format!("a={offered}\r\n")), "{reinvite}");
        let sdp =
            answer_sdp(&phone).replace("20 1 IN", &format!("20 {version} IN")).replace("sendrecv", answered);
        phone.reply(&reinvite, "200 OK", &contact(&phone), &sdp).await;
        phone.expect("ACK ").await;
    }
    let before = phone.rtp.packets.load(Ordering::Relaxed);
    until(&sandbox, |_| (phone.rtp.packets.load(Ordering::Relaxed) > before + 5).then_some(())).await;
    clean(&sandbox);
}

/// What `Authorization` of the test phone should hold, worked out by another program than the exchange.
fn digest(algorithm: &str, text: &str) -> String {
    let program = if algorithm == "MD5" { "md5sum" } else { "sha256sum" };
    let command = format!("printf %s '{text}' | {program}");
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn callers_can_be_asked_for_credentials() {
    for (status, algorithm, asks, gives) in [
        (401, Algorithm::Md5, "WWW-Authenticate", "Authorization"),
        (407, Algorithm::Sha256, "Proxy-Authenticate", "Proxy-Authorization"),
    ] {
        let name = if algorithm == Algorithm::Md5 { "MD5" } else { "SHA-256" };
        let mut config = phone::config();
        let challenge = Challenge { status, algorithms: vec![algorithm], ..Challenge::new("ann", "secret") };
        config.challenge = Some(challenge);
        let sandbox = Sandbox::start(config).await.unwrap();
        let mut phone = Phone::new(sandbox.addr(), "+14155550101").await;
        let uri = phone.target.clone();
        let invite = phone.invite();
        let challenged = phone.ask(&invite).await;
        assert!(challenged.starts_with(&format!("SIP/2.0 {status} ")), "{challenged}");
        let asked = header(&challenged, asks).to_owned();
        let part = |name: &str| asked.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let (nonce, opaque) = (part("nonce"), part("opaque"));
        let ack =
            phone.request_with("ACK", invite.split("branch=").nth(1).unwrap().split(';').next().unwrap(), "");
        phone
            .send(&ack.replace(&format!("To: {}", phone.to), &format!("To: {}", header(&challenged, "To"))))
            .await;

        for (password, expected) in
            [("wrong", format!("SIP/2.0 {status} ")), ("secret", "SIP/2.0 486 ".to_owned())]
        {
            phone.cseq += 1;
            let ha1 = digest(name, &format!("ann:sandbox:{password}"));
            let ha2 = digest(name, &format!("INVITE:{uri}"));
            let nc = format!("{:08x}", phone.cseq);
            let response = digest(name, &format!("{ha1}:{nonce}:{nc}:0a:auth:{ha2}"));
            let credentials = format!(
                "{gives}: Digest username=\"ann\", realm=\"sandbox\", nonce=\"{nonce}\", uri=\"{uri}\", \
                 response=\"{response}\", algorithm={name}, cnonce=\"0a\", opaque=\"{opaque}\", qop=auth, nc={nc}\r\n"
            );
            let invite = phone.invite().replace("Max-Forwards", &format!("{credentials}Max-Forwards"));
            let answer = phone.ask(&invite).await;
            assert!(answer.starts_with(&expected), "{answer}");
        }
        assert_eq!(rules(&sandbox), ["auth.response"]);
    }
}

//! Digest authentication (RFC 8760), checked by SIPp for MD5 and by OpenSSL for SHA-256, which SIPp does not have.

use std::net::SocketAddr;
use std::process::Stdio;

use offhook_carrier::sip::Trunk;
use offhook_carrier::{Leg, SipConfig};
use offhook_core::{EndReason, LegEvent};
use offhook_testkit::programs::{PATIENCE, command, start};
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::rig::{HANG_UP, Rig, event};
use crate::sipp::{Scenario, Sipp};

fn with_account(password: &'static str) -> impl FnOnce(&mut SipConfig) {
    move |config| {
        let trunk: &mut Trunk = &mut config.trunks[0];
        trunk.username = Some("offhook".into());
        trunk.password = Some(password.into());
    }
}

async fn challenged(scenario: &'static str) -> (Sipp, Rig, Leg) {
    let sipp = Scenario::new(scenario).answer().await;
    let rig = Rig::with(&sipp.addr.to_string(), with_account("secret")).await;
    let leg = rig.dial();
    (sipp, rig, leg)
}

#[tokio::test]
async fn invite_and_bye_are_challenged_with_md5() {
    for scenario in ["challenge_401", "challenge_407"] {
        let (sipp, rig, mut leg) = challenged(scenario).await;
        let answered = event(&mut leg).await;
        assert!(matches!(answered, LegEvent::MediaUp { .. }), "{scenario}: {answered:?}");
        assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
        leg.send(HANG_UP).unwrap();
        assert_eq!(event(&mut leg).await, LegEvent::Closed);
        sipp.finish().await;
        rig.until_free().await;
    }
}

#[tokio::test]
async fn credentials_that_are_refused_are_not_tried_for_ever() {
    let (sipp, rig, mut leg) = challenged("never_content").await;
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!((failure.reason, failure.sip_status), (EndReason::CarrierRefused, Some(401)));
    sipp.finish().await;
    rig.until_free().await;
}

/// The hash of a text in hexadecimal digits, by OpenSSL.
async fn hash(algorithm: &str, text: &str) -> String {
    let option = if algorithm == "SHA-256" { "-sha256" } else { "-md5" };
    let mut openssl = command("openssl");
    openssl.args(["dgst", option, "-r"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut openssl = start(&mut openssl);
    let mut stdin = openssl.stdin.take().expect("its input");
    stdin.write_all(text.as_bytes()).await.unwrap();
    drop(stdin);
    let output = openssl.wait_with_output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap_or("").to_owned()
}

async fn receive(socket: &UdpSocket, method: &str) -> (String, SocketAddr) {
    let mut buffer = vec![0; 8_192];
    loop {
        let (length, from) = timeout(PATIENCE, socket.recv_from(&mut buffer)).await.expect(method).unwrap();
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if text.starts_with(method) {
            return (text, from);
        }
    }
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in\n{message}"))
}

/// A parameter of an Authorization header, without its quotes.
fn parameter<'a>(header: &'a str, name: &str) -> &'a str {
    let params = header.trim_start_matches("Digest ").split(", ").filter_map(|param| param.split_once('='));
    params.into_iter().find(|(have, _)| *have == name).map_or("", |(_, value)| value.trim_matches('"'))
}

fn reply(request: &str, status: &str, headers: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        text.push_str(&format!("{name}: {}\r\n", header(request, name)));
    }
    text.push_str(&format!("To: {};tag=far\r\n{headers}Content-Length: 0\r\n\r\n", header(request, "To")));
    text
}

const REALM: &str = "realm=\"a, b\"";
const PASSWORD: &str = "s\u{e9}cret";

/// Challenge a call like this, and check what comes with the nonce "strong".
async fn check_answer(status: &str, challenges: &[&str], algorithm: &str) {
    let (challenge, answer) = match &status[..3] {
        "401" => ("WWW-Authenticate", "Authorization"),
        _ => ("Proxy-Authenticate", "Proxy-Authorization"),
    };
    let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let rig = Rig::with(&far.local_addr().unwrap().to_string(), with_account(PASSWORD)).await;
    let mut leg = rig.dial();
    let (first, from) = receive(&far, "INVITE").await;
    let line = |params: &&str| format!("{challenge}: Digest {REALM}, {params}\r\n");
    let challenges: String = challenges.iter().map(line).collect();
    far.send_to(reply(&first, status, &challenges).as_bytes(), from).await.unwrap();
    receive(&far, "ACK").await;

    let (second, from) = receive(&far, "INVITE").await;
    // The comma in the realm must not split the header below.
    let answer = header(&second, answer).replace(REALM, "realm=\"\"");
    let param = |name| parameter(&answer, name);
    assert_eq!((param("username"), param("nonce"), param("qop")), ("offhook", "strong", "auth"), "{answer}");
    assert_eq!((param("opaque"), param("nc")), ("x", "00000001"), "{answer}");
    assert!(param("algorithm") == algorithm || algorithm == "MD5", "{answer}");
    let uri = second.split(' ').nth(1).unwrap();
    assert_eq!(param("uri"), uri);
    let secret = hash(algorithm, &format!("offhook:a, b:{PASSWORD}")).await;
    let request = hash(algorithm, &format!("INVITE:{uri}")).await;
    let right = format!("{secret}:strong:00000001:{}:auth:{request}", param("cnonce"));
    assert_eq!(param("response"), hash(algorithm, &right).await, "{answer}");
    assert_eq!(header(&second, "CSeq"), "2 INVITE");

    far.send_to(reply(&second, "486 Busy Here", "").as_bytes(), from).await.unwrap();
    receive(&far, "ACK").await;
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!(failure.reason, EndReason::RemoteBusy);
}

#[tokio::test]
async fn every_challenge_is_answered_with_the_strongest_algorithm() {
    let weak = "nonce=\"weak\", algorithm=MD5, qop=\"auth\"";
    let strong = "nonce=\"strong\", algorithm=SHA-256, qop=\"auth-int,auth\", opaque=\"x\"";
    check_answer("401 Unauthorized", &[weak, strong], "SHA-256").await;
    check_answer("407 Proxy Authentication Required", &[strong, weak], "SHA-256").await;
    let plain = "nonce=\"strong\", qop=\"auth\", opaque=\"x\"";
    check_answer("407 Proxy Authentication Required", &[plain], "MD5").await;
}

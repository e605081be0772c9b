//! Credentials, registration, keep-alive, checking, shutting down.

use std::time::Duration;

use offhook_carrier::{Carrier, SipConfig, StartError, TrunkReply};
use offhook_core::{EndReason, LegCommand, LegEvent};
use tokio::time::timeout;

use crate::far_end::{PATIENCE, Rig, Seen, event};

fn with_account(config: &mut SipConfig) {
    config.trunks[0].username = Some("user".into());
    config.trunks[0].password = Some("secret".to_owned().into());
}

fn with_registration(config: &mut SipConfig) {
    with_account(config);
    config.trunks[0].register = true;
}

const SHA256: &str =
    "Proxy-Authenticate: Digest realm=\"far\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth,auth-int\"\r\n";
const MD5: &str = "WWW-Authenticate: Digest realm=\"far\", nonce=\"n1\"\r\n";

#[tokio::test]
async fn a_challenged_invite_is_sent_again_with_credentials() {
    for (status, challenge, header) in
        [("407 Who", SHA256, "Proxy-Authorization"), ("401 Who", MD5, "Authorization")]
    {
        let rig = Rig::with(with_account).await;
        let mut leg = rig.dial();
        let invite = rig.far.expect("INVITE").await;
        assert_eq!(invite.header(header), None);
        rig.far.reply(&invite, status, challenge, "").await;
        rig.far.expect("ACK").await;
        let again = rig.far.expect("INVITE").await;
        assert_eq!((again.must("Call-ID"), again.tag("From")), (invite.must("Call-ID"), invite.tag("From")));
        assert_eq!(again.seq(), invite.seq() + 1);
        assert_ne!(again.branch(), invite.branch());
        assert!(again.must(header).contains("username=\"user\", realm=\"far\", nonce=\"n1\""));
        rig.far.pick_up(&again, "").await;
        let ack = rig.far.expect("ACK").await;
        assert_eq!((ack.seq(), ack.header(header)), (again.seq(), again.header(header)));
        assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
        assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));

        leg.send(LegCommand::HangUp { reason: EndReason::OwnerCancelled }).unwrap();
        let bye = rig.far.expect("BYE").await;
        rig.far.reply(&bye, status, challenge, "").await;
        let again = rig.far.expect("BYE").await;
        assert_eq!(again.seq(), bye.seq() + 1);
        again.must(header);
        rig.far.reply(&again, "200 OK", "", "").await;
        assert_eq!(event(&mut leg).await, LegEvent::Closed);
    }
}

#[tokio::test]
async fn a_call_that_was_hung_up_is_not_sent_again_with_credentials() {
    let rig = Rig::with(with_account).await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    leg.send(LegCommand::HangUp { reason: EndReason::OwnerCancelled }).unwrap();
    rig.far.reply(&invite, "407 Who", SHA256, "").await;
    rig.far.expect("ACK").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    rig.until_free().await;
}

#[tokio::test]
async fn a_cancel_is_for_the_invite_with_credentials() {
    let rig = Rig::with(with_account).await;
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    rig.far.reply(&invite, "100 Trying", "", "").await;
    rig.far.reply(&invite, "407 Who", SHA256, "").await;
    let invite = rig.far.expect("INVITE").await;
    leg.send(LegCommand::HangUp { reason: EndReason::OwnerCancelled }).unwrap();
    assert!(rig.far.expect("INVITE").await.text == invite.text, "a CANCEL waits until the new one was heard");
    rig.far.reply(&invite, "180 Ringing", "", "").await;
    let cancel = rig.far.expect("CANCEL").await;
    assert_eq!((cancel.branch(), cancel.seq()), (invite.branch(), invite.seq()));
    rig.far.reply(&cancel, "200 OK", "", "").await;
    rig.far.reply(&invite, "487 Request Terminated", "", "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn a_stale_nonce_is_replaced_and_a_wrong_password_is_not_repeated() {
    let rig = Rig::with(with_account).await;
    let mut leg = rig.dial();
    let challenge = |nonce: &str, stale: &str| {
        format!("Proxy-Authenticate: Digest realm=\"far\", nonce=\"{nonce}\"{stale}\r\n")
    };
    let invite = rig.far.expect("INVITE").await;
    rig.far.reply(&invite, "407 Who", &challenge("a", ""), "").await;
    let invite = rig.far.expect("INVITE").await;
    rig.far.reply(&invite, "407 Who", &challenge("b", ", stale=true"), "").await;
    rig.far.expect("ACK").await;
    let invite = loop {
        let next = rig.far.expect("INVITE").await;
        if next.must("Proxy-Authorization").contains("nonce=\"b\"") {
            break next;
        }
    };
    rig.far.reply(&invite, "407 Who", &challenge("c", ""), "").await;
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!((failure.reason, failure.sip_status), (EndReason::CarrierRefused, Some(407)));
}

#[tokio::test]
async fn every_proxy_on_the_way_gets_its_own_answer() {
    let rig = Rig::with(with_account).await;
    let mut leg = rig.dial();
    let challenge = |realm: &str, nonce: &str| {
        format!("Proxy-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\"\r\n")
    };
    let invite = rig.far.expect("INVITE").await;
    rig.far.reply(&invite, "407 Who", &challenge("near", "n1"), "").await;
    rig.far.expect("ACK").await;
    let invite = rig.far.expect("INVITE").await;
    assert_eq!(invite.headers("Proxy-Authorization").len(), 1);
    rig.far.reply(&invite, "407 Who", &challenge("beyond", "n2"), "").await;
    rig.far.expect("ACK").await;
    let invite = rig.far.expect("INVITE").await;
    let answers = invite.headers("Proxy-Authorization");
    assert_eq!(answers.len(), 2);
    assert!(answers[0].contains("realm=\"near\", nonce=\"n1\"") && answers[1].contains("realm=\"beyond\""));
    // The first one does not believe us any more.
    rig.far.reply(&invite, "407 Who", &challenge("near", "n3"), "").await;
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!(failure.reason, EndReason::CarrierRefused);
}

#[tokio::test]
async fn everything_goes_through_the_outbound_proxy() {
    let rig = Rig::with(|config| {
        let proxy = config.trunks[0].server.clone();
        config.trunks[0].server = "registrar.invalid".parse().unwrap();
        config.trunks[0].outbound_proxy = Some(proxy);
        with_registration(config);
    })
    .await;
    let register = rig.far.expect("REGISTER").await;
    let route = format!("<sip:{};lr>", rig.far.addr);
    assert_eq!(
        (register.start_line(), register.must("Route")),
        ("REGISTER sip:registrar.invalid SIP/2.0", route.as_str())
    );
    let mut leg = rig.dial();
    let invite = rig.far.expect("INVITE").await;
    assert!(invite.start_line().ends_with("@registrar.invalid SIP/2.0"));
    assert_eq!(invite.must("Route"), route);
    // The proxy stays on the path, and the far end behind it is never addressed directly.
    let path = format!("Record-Route: <sip:{};lr>\r\nContact: <sip:far@far.invalid>\r\n", rig.far.addr);
    rig.far.reply(&invite, "200 OK", &path, &rig.far.sdp("sendrecv")).await;
    let ack = rig.far.expect("ACK").await;
    assert_eq!((ack.start_line(), ack.must("Route")), ("ACK sip:far@far.invalid SIP/2.0", route.as_str()));
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    leg.send(LegCommand::HangUp { reason: EndReason::OwnerCancelled }).unwrap();
    assert_eq!(rig.far.expect("BYE").await.must("Route"), route);
}

async fn registered(rig: &Rig, register: &Seen, expires: u32) {
    let contact = register.must("Contact").to_owned();
    rig.far.reply(register, "200 OK", &format!("Contact: {contact};expires={expires}\r\n"), "").await;
}

async fn until_registered(rig: &Rig, wanted: bool) {
    timeout(PATIENCE, async {
        while rig.carrier.lines()[0].registered != Some(wanted) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the registration does not change");
}

#[tokio::test]
async fn a_registration_is_made_refreshed_and_taken_back() {
    let rig = Rig::with(with_registration).await;
    let register = rig.far.expect("REGISTER").await;
    assert_eq!(register.start_line(), format!("REGISTER sip:{} SIP/2.0", rig.far.addr));
    assert_eq!(register.must("Expires"), "3600");
    assert_eq!(rig.carrier.lines()[0].registered, Some(false));
    rig.far.reply(&register, "401 Who", MD5, "").await;
    let again = rig.far.expect("REGISTER").await;
    assert_eq!(again.must("Call-ID"), register.must("Call-ID"));
    assert!(again.must("Authorization").contains("uri=\"sip:"));
    registered(&rig, &again, 600).await;
    until_registered(&rig, true).await;
    // It lasts ten minutes; it is renewed before.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(481)).await;
    tokio::time::resume();
    let refresh = rig.far.expect("REGISTER").await;
    assert!(refresh.seq() > again.seq());
    registered(&rig, &refresh, 600).await;
    let shutting_down = tokio::spawn({
        let carrier = rig.carrier.clone();
        async move { carrier.shutdown().await }
    });
    let goodbye = rig.far.expect("REGISTER").await;
    assert_eq!(goodbye.must("Expires"), "0");
    rig.far.reply(&goodbye, "200 OK", "", "").await;
    timeout(PATIENCE, shutting_down).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_registrar_that_wants_longer_registrations_gets_them() {
    let rig = Rig::with(|config| {
        with_registration(config);
        config.trunks[0].expires = Duration::from_secs(60);
    })
    .await;
    let register = rig.far.expect("REGISTER").await;
    rig.far.reply(&register, "423 Interval Too Brief", "Min-Expires: 1800\r\n", "").await;
    assert_eq!(rig.far.expect("REGISTER").await.must("Expires"), "1800");
}

#[tokio::test]
async fn behind_a_nat_the_registration_names_the_outer_address() {
    let rig = Rig::with(with_registration).await;
    let register = rig.far.expect("REGISTER").await;
    let contact = register.must("Contact").to_owned();
    let seen_from_outside = register
        .response("200 OK", "far", &format!("Contact: {contact};expires=600\r\n"), "")
        .replace(";rport", ";rport=40000;received=192.0.2.77");
    rig.far.send(register.from, &seen_from_outside).await;
    let again = rig.far.expect("REGISTER").await;
    assert_eq!(again.must("Contact"), "<sip:user@192.0.2.77:40000>");
}

#[tokio::test]
async fn a_refused_registration_is_tried_again_later() {
    let rig = Rig::with(with_registration).await;
    let register = rig.far.expect("REGISTER").await;
    rig.far.reply(&register, "403 Forbidden", "", "").await;
    let check = tokio::spawn({
        let carrier = Carrier::from(rig.carrier.clone());
        async move { carrier.check().await }
    });
    let options = rig.far.expect("OPTIONS").await;
    rig.far.reply(&options, "200 OK", "", "").await;
    let report = timeout(PATIENCE, check).await.unwrap().unwrap().trunks.remove(0);
    assert_eq!(report.registered, Some(false));
    assert!(report.advice.unwrap().contains("password"));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    rig.far.expect("REGISTER").await;
}

#[tokio::test]
async fn a_registration_that_lasts_no_time_is_tried_again_later() {
    let rig = Rig::with(with_registration).await;
    let register = rig.far.expect("REGISTER").await;
    registered(&rig, &register, 0).await;
    let (check, ()) = tokio::join!(rig.carrier.check(), async {
        let options = rig.far.expect("OPTIONS").await;
        rig.far.reply(&options, "200 OK", "", "").await;
    });
    assert_eq!(check.trunks[0].registered, Some(false));
    assert!(check.trunks[0].advice.as_ref().unwrap().contains("forgets us"));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    tokio::time::resume();
    rig.far.expect("REGISTER").await;
}

#[tokio::test]
async fn a_check_waits_until_it_is_known_whether_the_trunk_registers_us() {
    let rig = Rig::with(with_registration).await;
    let (check, ()) = tokio::join!(rig.carrier.check(), async {
        let register = rig.far.expect("REGISTER").await;
        let options = rig.far.expect("OPTIONS").await;
        rig.far.reply(&options, "200 OK", "", "").await;
        rig.far.reply(&register, "401 Who", MD5, "").await;
        let again = loop {
            let again = rig.far.expect("REGISTER").await;
            if again.seq() != register.seq() {
                break again;
            }
        };
        registered(&rig, &again, 600).await;
    });
    assert_eq!(check.trunks[0].registered, Some(true));
    assert!(check.is_well(), "{check:?}");
}

#[tokio::test]
async fn the_trunk_is_kept_alive_and_checked() {
    let rig = Rig::with(|config| config.trunks[0].options_keepalive = Some(Duration::from_millis(200))).await;
    let first = rig.far.expect("OPTIONS").await;
    rig.far.reply(&first, "200 OK", "", "").await;
    let second = rig.far.expect("OPTIONS").await;
    assert_ne!(second.must("Call-ID"), first.must("Call-ID"));
    rig.far.reply(&second, "200 OK", "", "").await;

    let rig = Rig::new().await;
    let (check, ()) = tokio::join!(rig.carrier.check(), async {
        let options = rig.far.expect("OPTIONS").await;
        rig.far.reply(&options, "404 Not Found", "", "").await;
    });
    assert!(check.is_well(), "whatever it answers, it is there");
    assert!(matches!(check.trunks[0].reply, TrunkReply::Answered { status: 404, .. }));
    let silent = rig.carrier.check().await;
    assert_eq!(silent.trunks[0].reply, TrunkReply::Silence);
    assert!(!silent.is_well());
}

#[tokio::test]
async fn shutting_down_hangs_up() {
    let rig = Rig::new().await;
    let (mut leg, _) = rig.live_call().await;
    let shutting_down = tokio::spawn({
        let carrier = rig.carrier.clone();
        async move { carrier.shutdown().await }
    });
    let bye = rig.far.expect("BYE").await;
    rig.far.reply(&bye, "200 OK", "", "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    timeout(PATIENCE, shutting_down).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused() {
    let (calls, _incoming) = tokio::sync::mpsc::channel(1);
    let start = |change: fn(&mut SipConfig)| {
        let listen = offhook_carrier::sip::Listen::udp("127.0.0.1:0".parse().unwrap());
        let trunk = offhook_carrier::sip::Trunk::peer("far", "127.0.0.1".parse().unwrap());
        let line = offhook_carrier::sip::LineConfig {
            number: crate::far_end::number(crate::far_end::OUR_NUMBER),
            display_name: None,
            trunk: "far".into(),
            max_calls: 1,
        };
        let mut config = SipConfig::new(listen, trunk, vec![line]);
        change(&mut config);
        offhook_carrier::SipCarrier::start(config, calls.clone())
    };
    let unknown = start(|config| config.lines[0].trunk = "else".into()).await.unwrap_err();
    assert!(matches!(unknown, StartError::UnknownTrunk { .. }));
    assert!(!unknown.to_string().contains("0199"), "no whole number in an error");
    assert!(matches!(
        start(|config| config.trunks[0].register = true).await,
        Err(StartError::NoCredentials(_))
    ));
    assert!(matches!(start(|config| config.trunks.clear()).await, Err(StartError::NoTrunk)));
}

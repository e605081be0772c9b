//! A trunk with several servers (RFC 3263): found in the DNS, and left for the next one when they fail.

use std::time::Duration;

use offhook_carrier::sip::{Listen, Server, Trunk};
use offhook_carrier::{Carrier, Leg, SipConfig};
use offhook_core::{EndReason, LegCommand, LegEvent};
use tokio::time::timeout;

use crate::dns::{NameServer, Zone};
use crate::far_end::{FarEnd, PATIENCE, Rig, Seen, THEIR_NUMBER, event};

const DOMAIN: &str = "trunk.example";
const HANG_UP: LegCommand = LegCommand::HangUp { reason: EndReason::OwnerCancelled };

/// Two servers; the rig's far end is the first.
struct Pair {
    rig: Rig,
    second: FarEnd,
    _dns: NameServer,
}

fn port(far: &FarEnd) -> u16 {
    far.addr.port()
}

impl Pair {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut SipConfig)) -> Self {
        let second = FarEnd::new().await;
        let (first, mut config) = Rig::prepared(change).await;
        let dns = Zone::default()
            .service("_sip._udp.trunk.example", 20, 0, port(&second), "two.trunk.example")
            .service("_sip._udp.trunk.example", 10, 0, port(&first), "one.trunk.example")
            .address("one.trunk.example", "127.0.0.1")
            .address("two.trunk.example", "127.0.0.1")
            .serve()
            .await;
        config.trunks[0].server = DOMAIN.parse().unwrap();
        config.nameservers = vec![dns.addr];
        Self { rig: Rig::start(first, config).await, second, _dns: dns }
    }

    /// Both are asked whether they are there, and answer.
    async fn both_answer(&self) {
        for far in [&self.rig.far, &self.second] {
            let options = far.expect("OPTIONS").await;
            far.reply(&options, "200 OK", "", "").await;
        }
    }

    /// An INVITE to the first server, which has said before that it is there.
    async fn dialled(&self) -> (Leg, Seen) {
        self.both_answer().await;
        let leg = self.rig.dial();
        (leg, self.rig.far.expect("INVITE").await)
    }
}

/// It is picked up there, and hung up by us there.
async fn whole_call(far: &FarEnd, invite: &Seen, leg: &mut Leg) {
    far.pick_up(invite, "").await;
    far.expect("ACK").await;
    assert!(matches!(event(leg).await, LegEvent::MediaUp { .. }));
    assert!(matches!(event(leg).await, LegEvent::Answered { .. }));
    leg.send(HANG_UP).unwrap();
    let bye = far.expect("BYE").await;
    far.reply(&bye, "200 OK", "", "").await;
    assert_eq!(event(leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn the_dns_says_where_a_trunk_is_and_the_name_stays_in_the_addresses() {
    let pair = Pair::new().await;
    let (mut leg, invite) = pair.dialled().await;
    assert_eq!(invite.start_line(), format!("INVITE sip:{THEIR_NUMBER}@{DOMAIN} SIP/2.0"));
    whole_call(&pair.rig.far, &invite, &mut leg).await;
}

#[tokio::test]
async fn a_rule_of_the_domain_chooses_the_transport() {
    let (far, mut config) = Rig::prepared(|_| {}).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream_port = listener.local_addr().unwrap().port();
    let dns = Zone::default()
        .rule(DOMAIN, 20, "SIP+D2U", "_sip._udp.trunk.example")
        .rule(DOMAIN, 10, "SIP+D2T", "_sip._tcp.trunk.example")
        .rule(DOMAIN, 5, "E2U+email", "mail.trunk.example")
        .service("_sip._udp.trunk.example", 10, 0, port(&far), "one.trunk.example")
        .service("_sip._tcp.trunk.example", 10, 0, stream_port, "one.trunk.example")
        .address("one.trunk.example", "127.0.0.1")
        .serve()
        .await;
    config.trunks[0].server = DOMAIN.parse().unwrap();
    config.nameservers = vec![dns.addr];
    let rig = Rig::start(far, config).await;
    let _leg = rig.dial();
    let (_stream, from) = timeout(PATIENCE, listener.accept()).await.expect("it goes by TCP").unwrap();
    assert!(from.ip().is_loopback());
}

#[tokio::test]
async fn a_port_means_this_very_host() {
    let (far, mut config) = Rig::prepared(|_| {}).await;
    let dns = Zone::default()
        .service("_sip._udp.trunk.example", 10, 0, 9, "wrong.trunk.example")
        .address(DOMAIN, "127.0.0.1")
        .serve()
        .await;
    config.trunks[0].server = format!("{DOMAIN}:{}", port(&far)).parse().unwrap();
    config.nameservers = vec![dns.addr];
    let rig = Rig::start(far, config).await;
    let _leg = rig.dial();
    rig.far.expect("INVITE").await;
}

#[tokio::test]
async fn a_call_that_one_server_has_no_room_for_is_taken_by_the_next() {
    let pair = Pair::new().await;
    let (mut leg, refused) = pair.dialled().await;
    pair.rig.far.reply(&refused, "100 Trying", "", "").await;
    pair.rig.far.reply(&refused, "503 Service Unavailable", "", "").await;
    pair.rig.far.expect("ACK").await;
    let invite = pair.second.expect("INVITE").await;
    assert_eq!(
        (invite.must("Call-ID"), invite.tag("From")),
        (refused.must("Call-ID"), refused.tag("From")),
        "one call"
    );
    assert_ne!(invite.branch(), refused.branch());
    assert_eq!(invite.seq(), refused.seq() + 1, "a new request: nobody takes it for a loop");
    whole_call(&pair.second, &invite, &mut leg).await;
    pair.rig.until_free().await;
}

#[tokio::test]
async fn a_call_stays_with_the_server_that_took_it() {
    let pair = Pair::new().await;
    let (mut leg, refused) = pair.dialled().await;
    pair.rig.far.reply(&refused, "503 Service Unavailable", "", "").await;
    let invite = pair.second.expect("INVITE").await;
    // No Contact: what belongs to the call goes where the call was placed, and that is the name of both servers.
    pair.second.reply(&invite, "200 OK", "", &pair.second.sdp("sendrecv")).await;
    pair.second.expect("ACK").await;
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    leg.send(HANG_UP).unwrap();
    let bye = pair.second.expect("BYE").await;
    assert_eq!(bye.start_line(), format!("BYE sip:{THEIR_NUMBER}@{DOMAIN} SIP/2.0"));
    pair.second.reply(&bye, "200 OK", "", "").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
}

#[tokio::test]
async fn a_hang_up_that_its_server_does_not_hear_goes_to_the_next() {
    let pair = Pair::new().await;
    let (mut leg, invite) = pair.dialled().await;
    let contact = format!("Contact: <sip:far@{DOMAIN}>\r\n");
    pair.rig.far.reply(&invite, "200 OK", &contact, &pair.rig.far.sdp("sendrecv")).await;
    pair.rig.far.expect("ACK").await;
    assert!(matches!(event(&mut leg).await, LegEvent::MediaUp { .. }));
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    leg.send(HANG_UP).unwrap();
    let lost = pair.rig.far.expect("BYE").await;
    let bye = pair.second.expect("BYE").await;
    assert_ne!(bye.branch(), lost.branch());
    pair.second.reply(&bye, "200 OK", "", "").await;
    pair.rig.until_free().await;
}

#[tokio::test]
async fn when_the_last_server_has_no_room_the_call_fails() {
    let pair = Pair::new().await;
    let (mut leg, invite) = pair.dialled().await;
    pair.rig.far.reply(&invite, "503 Service Unavailable", "", "").await;
    let invite = pair.second.expect("INVITE").await;
    pair.second.reply(&invite, "503 Service Unavailable", "", "").await;
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!((failure.reason, failure.sip_status), (EndReason::CarrierFailed, Some(503)));
}

#[tokio::test]
async fn a_phone_that_rang_is_not_rung_again_by_another_server() {
    let pair = Pair::new().await;
    let (mut leg, invite) = pair.dialled().await;
    pair.rig.far.reply(&invite, "180 Ringing", &pair.rig.far.contact(), "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Ringing { .. }));
    pair.rig.far.reply(&invite, "503 Service Unavailable", "", "").await;
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!(failure.reason, EndReason::CarrierFailed);
    pair.second.stays_without("INVITE", pair.rig.at).await;
}

#[tokio::test]
async fn an_invite_that_nobody_answered_goes_nowhere_else_but_the_next_call_does() {
    let pair = Pair::new().await;
    let (mut leg, _) = pair.dialled().await;
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!(failure.reason, EndReason::CarrierUncertain);
    pair.second.stays_without("INVITE", pair.rig.at).await;

    let mut leg = pair.rig.dial();
    let invite = pair.second.expect("INVITE").await;
    whole_call(&pair.second, &invite, &mut leg).await;
}

#[tokio::test]
async fn an_invite_that_times_out_after_a_provisional_goes_nowhere_else() {
    let pair = Pair::new().await;
    let (mut leg, invite) = pair.dialled().await;
    pair.rig.far.reply(&invite, "100 Trying", "", "").await;
    leg.send(HANG_UP).unwrap();
    pair.rig.far.expect("CANCEL").await;
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
    pair.second.stays_without("INVITE", pair.rig.at).await;
}

#[tokio::test]
async fn a_server_that_is_dead_from_the_start_costs_no_call() {
    let pair = Pair::new().await;
    // Only the second one says that it is there.
    let options = pair.second.expect("OPTIONS").await;
    pair.second.reply(&options, "200 OK", "", "").await;
    let check = pair.rig.carrier.check();
    let answer = async {
        let options = pair.second.expect("OPTIONS").await;
        pair.second.reply(&options, "200 OK", "", "").await;
    };
    let (check, ()) = tokio::join!(check, answer);
    assert!(check.is_well(), "{check:?}");
    let mut leg = pair.rig.dial();
    let invite = pair.second.expect("INVITE").await;
    whole_call(&pair.second, &invite, &mut leg).await;
}

#[tokio::test]
async fn a_silent_server_is_asked_again_and_used_again() {
    let pair = Pair::new().await;
    let options = pair.second.expect("OPTIONS").await;
    pair.second.reply(&options, "200 OK", "", "").await;
    let first = &pair.rig.far;
    let call_id = first.expect("OPTIONS").await.must("Call-ID").to_owned();
    // The same question three times more, and it counts as silent.
    for _ in 0..3 {
        assert_eq!(first.expect("OPTIONS").await.must("Call-ID"), call_id);
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    let options = loop {
        let options = first.expect("OPTIONS").await;
        if options.must("Call-ID") != call_id {
            break options;
        }
    };
    first.reply(&options, "200 OK", "", "").await;
    let check = Carrier::from(pair.rig.carrier.clone());
    let asked_first = async {
        let options = first.expect("OPTIONS").await;
        first.reply(&options, "200 OK", "", "").await;
    };
    let (check, ()) = tokio::join!(check.check(), asked_first);
    assert!(check.is_well(), "{check:?}");
}

#[tokio::test]
async fn stopping_waits_for_no_server_that_is_only_asked() {
    let pair = Pair::new().await;
    pair.rig.far.expect("OPTIONS").await;
    let started = tokio::time::Instant::now();
    pair.rig.carrier.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

fn with_registration(config: &mut SipConfig) {
    let trunk: &mut Trunk = &mut config.trunks[0];
    trunk.username = Some("user".into());
    trunk.password = Some("secret".to_owned().into());
    trunk.register = true;
}

#[tokio::test]
async fn a_registration_that_one_server_refuses_for_now_is_made_with_the_next() {
    let pair = Pair::with(with_registration).await;
    let first = pair.rig.far.expect("REGISTER").await;
    pair.rig.far.reply(&first, "503 Service Unavailable", "Retry-After: 60\r\n", "").await;
    let second = pair.second.expect("REGISTER").await;
    assert_eq!(second.must("Call-ID"), first.must("Call-ID"));
    assert!(second.seq() > first.seq(), "or the registrar takes it for an old one");
    let challenge = "WWW-Authenticate: Digest realm=\"far\", nonce=\"n\"\r\n";
    pair.second.reply(&second, "401 Who", challenge, "").await;
    let second = pair.second.expect("REGISTER").await;
    second.must("Authorization");
    pair.second.reply(&second, "200 OK", "Expires: 600\r\n", "").await;
    timeout(PATIENCE, async {
        while pair.rig.carrier.lines()[0].registered != Some(true) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is registered");
    // Who asked to be left alone for a minute is.
    let _leg = pair.rig.dial();
    pair.second.expect("INVITE").await;
}

#[tokio::test]
async fn a_registration_that_nobody_answers_is_made_with_the_next() {
    let pair = Pair::with(with_registration).await;
    let first = pair.rig.far.expect("REGISTER").await;
    let second = pair.second.expect("REGISTER").await;
    assert_ne!(second.branch(), first.branch());
    pair.second.reply(&second, "200 OK", "Expires: 600\r\n", "").await;
}

#[tokio::test]
async fn a_refused_connection_leads_to_the_next_server() {
    let second = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().port()
    };
    let dns = Zone::default()
        .service("_sip._tcp.trunk.example", 10, 0, refused, "one.trunk.example")
        .service("_sip._tcp.trunk.example", 20, 0, second.local_addr().unwrap().port(), "one.trunk.example")
        .address("one.trunk.example", "127.0.0.1")
        .serve()
        .await;
    let (far, mut config) = Rig::prepared(|config| {
        config.listen = vec![Listen::tcp("127.0.0.1:0".parse().unwrap())];
    })
    .await;
    let server: Server = format!("{DOMAIN};transport=tcp").parse().unwrap();
    config.trunks[0].server = server;
    config.nameservers = vec![dns.addr];
    let rig = Rig::start(far, config).await;
    let mut leg = rig.dial();
    let (stream, _) = timeout(PATIENCE, second.accept()).await.expect("the second is tried").unwrap();
    drop(stream);
    // Now it was open: what became of the INVITE is not known, and it goes nowhere else.
    let LegEvent::Failed(failure) = event(&mut leg).await else { panic!() };
    assert_eq!(failure.reason, EndReason::CarrierUncertain);
}

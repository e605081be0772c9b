//! Hanging up what a killed process left behind: the ticket of one carrier, the BYE or CANCEL of another.

use std::time::Duration;

use offhook_carrier::sip::Listen;
use offhook_carrier::{Carrier, Leg, LegOutput, Released, SipConfig};
use offhook_core::{LegCommand, LegEvent};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::far_end::{OUR_NUMBER, PATIENCE, Rig, Seen};

/// A carrier in a runtime of its own, so that it can stop like a process that is killed: without a word.
struct Doomed {
    rig: Rig,
    config: SipConfig,
    runtime: Runtime,
}

impl Doomed {
    async fn new(change: impl FnOnce(&mut SipConfig)) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (far, config) = Rig::prepared(change).await;
        let rig = runtime.spawn(Rig::start(far, config.clone())).await.unwrap();
        Self { rig, config, runtime }
    }

    /// Kill it, and start another one with the same configuration.
    async fn restarted(self, change: impl FnOnce(&mut SipConfig, &Rig)) -> Rig {
        let runtime = self.runtime;
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
        let mut config = self.config;
        change(&mut config, &self.rig);
        Rig::start(self.rig.far, config).await
    }
}

/// The last ticket before this event.
async fn ticket_until(leg: &mut Leg, until: impl Fn(&LegEvent) -> bool) -> String {
    let mut last = None;
    timeout(PATIENCE, async {
        loop {
            match leg.next().await {
                LegOutput::Ticket(ticket) => last = Some(ticket),
                LegOutput::Event(event) if until(&event) => return last.expect("a ticket comes first"),
                _ => {}
            }
        }
    })
    .await
    .expect("it never happens")
}

fn answered(event: &LegEvent) -> bool {
    matches!(event, LegEvent::Answered { .. })
}

fn release(rig: &Rig, ticket: &str) -> JoinHandle<Released> {
    let (carrier, ticket) = (Carrier::from(rig.carrier.clone()), ticket.to_owned());
    tokio::spawn(async move { carrier.release(&ticket).await })
}

/// A call that was picked up with these headers, its INVITE and its ticket, in a carrier that was then killed.
async fn orphan(
    headers: impl Fn(&Rig) -> String,
    change: impl FnOnce(&mut SipConfig),
) -> (Rig, Seen, String) {
    let doomed = Doomed::new(change).await;
    let mut leg = doomed.rig.dial();
    let invite = doomed.rig.far.expect("INVITE").await;
    doomed.rig.far.pick_up(&invite, &headers(&doomed.rig)).await;
    doomed.rig.far.expect("ACK").await;
    let ticket = ticket_until(&mut leg, answered).await;
    (doomed.restarted(|_, _| {}).await, invite, ticket)
}

#[tokio::test]
async fn the_far_leg_of_a_killed_process_is_hung_up() {
    let route = |rig: &Rig| format!("Record-Route: <sip:b@{0};lr>, <sip:a@{0};lr>\r\n", rig.far.addr);
    let (rig, invite, ticket) = orphan(route, |config| {
        config.trunks[0].username = Some("user".into());
        config.trunks[0].password = Some("secret".to_owned().into());
    })
    .await;
    let outcome = release(&rig, &ticket);
    let bye = rig.far.expect("BYE").await;
    assert_eq!(bye.start_line(), format!("BYE sip:far@{} SIP/2.0", rig.far.addr));
    assert_eq!(bye.headers("Route"), ["a", "b"].map(|user| format!("<sip:{user}@{};lr>", rig.far.addr)));
    assert_eq!(bye.must("Call-ID"), invite.must("Call-ID"));
    assert_eq!((bye.tag("From"), bye.tag("To")), (invite.tag("From"), "far".to_owned()));
    assert_eq!(bye.seq(), invite.seq() + 1);
    assert!(bye.must("Via").contains(&rig.at.to_string()), "its own address");
    assert!(bye.must("Reason").contains("gateway.restarted"));
    // The trunk wants to know who we are.
    let challenge = "Proxy-Authenticate: Digest realm=\"far\", nonce=\"n1\"\r\n";
    rig.far.reply(&bye, "407 Who", challenge, "").await;
    let again = rig.far.expect("BYE").await;
    assert_eq!(again.seq(), bye.seq() + 1);
    assert!(again.must("Proxy-Authorization").contains("username=\"user\""));
    rig.far.reply(&again, "200 OK", "", "").await;
    assert_eq!(outcome.await.unwrap(), Released::Gone);
}

#[tokio::test]
async fn what_the_far_end_says_to_the_bye() {
    let (rig, _, ticket) = orphan(|_| String::new(), |_| {}).await;
    for (status, gone, unreachable) in [
        ("200 OK", true, false),
        ("481 Call/Transaction Does Not Exist", true, false),
        ("503 Service Unavailable", false, true),
        ("403 Forbidden", false, false),
    ] {
        let outcome = release(&rig, &ticket);
        // The first one is lost.
        let first = rig.far.expect("BYE").await;
        let bye = rig.far.expect("BYE").await;
        assert_eq!(first.text, bye.text, "a retransmission");
        rig.far.reply(&bye, status, "", "").await;
        let outcome = outcome.await.unwrap();
        assert_eq!(outcome == Released::Gone, gone, "{status}: {outcome:?}");
        assert_eq!(matches!(outcome, Released::Unreachable { .. }), unreachable, "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn requests_that_were_not_written_down_are_counted_past() {
    let (rig, _, ticket) = orphan(|_| String::new(), |_| {}).await;
    let outcome = release(&rig, &ticket);
    let bye = rig.far.expect("BYE").await;
    rig.far.reply(&bye, "500 CSeq Out Of Order", "", "").await;
    let mut again = rig.far.expect("BYE").await;
    while again.seq() == bye.seq() {
        again = rig.far.expect("BYE").await;
    }
    assert!(again.seq() > bye.seq() + 1_000);
    rig.far.reply(&again, "200 OK", "", "").await;
    assert_eq!(outcome.await.unwrap(), Released::Gone);
}

#[tokio::test]
async fn a_far_end_that_is_gone_holds_nobody_up() {
    let (rig, _, ticket) = orphan(|_| String::new(), |_| {}).await;
    let outcome = timeout(Duration::from_secs(5), release(&rig, &ticket)).await.expect("in time").unwrap();
    assert!(matches!(outcome, Released::Unreachable { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_call_that_came_in_is_hung_up_too() {
    let mut doomed = Doomed::new(|_| {}).await;
    doomed.rig.far.send(doomed.rig.at, &doomed.rig.far.invite(OUR_NUMBER, "in", "")).await;
    let mut call = doomed.rig.incoming().await;
    call.leg.send(LegCommand::Answer).unwrap();
    let ok = doomed.rig.far.expect("SIP/2.0 200").await;
    let uri = ok.must("Contact").trim_matches(['<', '>']).to_owned();
    let (from, to) = (ok.must("From"), ok.must("To"));
    let ack = doomed.rig.far.request("ACK", &uri, from, to, "in", 1, "", "");
    doomed.rig.far.send(doomed.rig.at, &ack).await;
    let ticket = ticket_until(&mut call.leg, answered).await;

    let rig = doomed.restarted(|_, _| {}).await;
    let outcome = release(&rig, &ticket);
    let bye = rig.far.expect("BYE").await;
    assert_eq!(bye.start_line(), format!("BYE sip:far@{} SIP/2.0", rig.far.addr));
    assert_eq!((bye.must("From"), bye.must("To")), (to, from), "the roles are swapped");
    assert_eq!(bye.must("Call-ID"), "in");
    rig.far.reply(&bye, "200 OK", "", "").await;
    assert_eq!(outcome.await.unwrap(), Released::Gone);
}

/// A phone that was ringing when the process was killed.
async fn ringing_orphan() -> (Rig, Seen, String) {
    let doomed = Doomed::new(|_| {}).await;
    let mut leg = doomed.rig.dial();
    let invite = doomed.rig.far.expect("INVITE").await;
    doomed.rig.far.reply(&invite, "180 Ringing", "", "").await;
    let ticket = ticket_until(&mut leg, |event| matches!(event, LegEvent::Ringing { .. })).await;
    // On the same port, as an operator configures it.
    let rig = doomed.restarted(|config, rig| config.listen = vec![Listen::udp(rig.at)]).await;
    (rig, invite, ticket)
}

#[tokio::test]
async fn a_phone_that_was_ringing_stops() {
    let (rig, invite, ticket) = ringing_orphan().await;
    let outcome = release(&rig, &ticket);
    let cancel = rig.far.expect("CANCEL").await;
    for header in ["Via", "Call-ID", "From", "To"] {
        assert_eq!(cancel.must(header), invite.must(header), "{header}");
    }
    assert_eq!((cancel.start_line()[7..].to_owned(), cancel.seq()), (invite.start_line()[7..].to_owned(), 1));
    rig.far.reply(&cancel, "200 OK", "", "").await;
    rig.far.reply(&invite, "487 Request Terminated", "", "").await;
    let ack = rig.far.expect("ACK").await;
    assert_eq!(ack.branch(), invite.branch());
    assert_eq!(outcome.await.unwrap(), Released::Gone);
}

#[tokio::test]
async fn who_picks_up_all_the_same_is_hung_up() {
    let (rig, invite, ticket) = ringing_orphan().await;
    let outcome = release(&rig, &ticket);
    let cancel = rig.far.expect("CANCEL").await;
    // The CANCEL comes too late: it was picked up already.
    rig.far.pick_up(&invite, "").await;
    let ack = rig.far.expect("ACK").await;
    assert_eq!((ack.must("Call-ID"), ack.seq()), (invite.must("Call-ID"), invite.seq()));
    let bye = rig.far.expect("BYE").await;
    assert_eq!(bye.tag("To"), "far");
    rig.far.reply(&bye, "200 OK", "", "").await;
    rig.far.reply(&cancel, "200 OK", "", "").await;
    assert_eq!(outcome.await.unwrap(), Released::Gone);
}

#[tokio::test]
async fn a_challenge_to_a_pending_invite_never_makes_another_call() {
    let doomed = Doomed::new(|_| {}).await;
    let mut leg = doomed.rig.dial();
    let invite = doomed.rig.far.expect("INVITE").await;
    doomed.rig.far.reply(&invite, "180 Ringing", "", "").await;
    let ticket = ticket_until(&mut leg, |event| matches!(event, LegEvent::Ringing { .. })).await;
    let rig = doomed
        .restarted(|config, rig| {
            config.listen = vec![Listen::udp(rig.at)];
            config.trunks[0].username = Some("user".into());
            config.trunks[0].password = Some("secret".to_owned().into());
        })
        .await;
    let outcome = release(&rig, &ticket);
    let _cancel = rig.far.expect("CANCEL").await;
    rig.far.reply(&invite, "401 Who", "WWW-Authenticate: Digest realm=\"far\", nonce=\"n\"\r\n", "").await;
    rig.far.expect("ACK").await;
    assert_eq!(outcome.await.unwrap(), Released::Gone, "it was refused, and that was that");
    // Whatever comes now, it is no INVITE: the next dialogue on the wire is the check we ask for.
    let carrier = Carrier::from(rig.carrier.clone());
    let check = tokio::spawn(async move { carrier.check().await });
    let mut seen = rig.far.receive().await;
    while !seen.start_line().starts_with("OPTIONS") {
        assert!(!seen.start_line().starts_with("INVITE"), "{}", seen.text);
        seen = rig.far.receive().await;
    }
    rig.far.reply(&seen, "200 OK", "", "").await;
    check.await.unwrap();
}

#[tokio::test]
async fn a_ticket_that_makes_no_sense_is_said_to_be_unknown() {
    let (rig, _, ticket) = orphan(|_| String::new(), |_| {}).await;
    let elsewhere = ticket.replace("trunk far", "trunk sold");
    for ticket in ["", "offhook-sip/9\nx y", elsewhere.as_str()] {
        let outcome = release(&rig, ticket).await.unwrap();
        assert!(matches!(outcome, Released::Unknown { .. }), "{outcome:?}");
    }
    rig.carrier.shutdown().await;
    let outcome = release(&rig, &ticket).await.unwrap();
    assert!(matches!(outcome, Released::Unreachable { .. }), "{outcome:?}");
}

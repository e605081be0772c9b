//! Our side: a carrier whose trunk is a program of somebody else.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_carrier::sip::{LineConfig, Listen, Server, Trunk};
use offhook_carrier::{Dial, IncomingCall, Leg, LegOutput, SipCarrier, SipConfig};
use offhook_core::policy::{Ask, Countries, Facts, Policy, PolicyConfig};
use offhook_core::{EndReason, LegCommand, LegEvent, PhoneNumber, Timestamp};
use offhook_testkit::programs::{PATIENCE, until};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::sipp::Sipp;

pub const OUR_NUMBER: &str = "+14155550199";
pub const THEIR_NUMBER: &str = "+14155550100";
pub const HANG_UP: LegCommand = LegCommand::HangUp { reason: EndReason::OwnerCancelled };

pub fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

/// What the policy permits when it permits everything.
pub fn permitted(to: &str, from: Option<&str>) -> Dial {
    let config = PolicyConfig { countries: Countries::Any, sandbox: true, ..PolicyConfig::default() };
    let (to, from) = (number(to), from.map(number));
    let ask = Ask { line: from.as_ref(), ..Ask::outbound(&to) };
    let allow = Policy::new(config).decide(&ask, &Facts::default(), Timestamp::default());
    Dial::permitted(&allow.into_result().unwrap()).unwrap()
}

pub struct Rig {
    pub carrier: SipCarrier,
    incoming: mpsc::Receiver<IncomingCall>,
    /// Where the carrier listens.
    pub at: SocketAddr,
}

impl Rig {
    pub async fn toward(far: SocketAddr) -> Self {
        Self::with(&far.to_string(), |_| {}).await
    }

    /// Only called, never calling.
    pub async fn called() -> Self {
        Self::with("127.0.0.1:9", |_| {}).await
    }

    pub async fn with(server: &str, change: impl FnOnce(&mut SipConfig)) -> Self {
        let server: Server = server.parse().unwrap();
        let line = LineConfig {
            number: number(OUR_NUMBER),
            display_name: None,
            trunk: "far".into(),
            max_calls: 100,
        };
        let listen = Listen::udp("127.0.0.1:0".parse().unwrap());
        let mut config = SipConfig::new(listen, Trunk::peer("far", server), vec![line]);
        // SIPp sends no sound by itself, and some tests turn the clock forward.
        config.rtp.stall_limit = Duration::from_secs(3_600);
        change(&mut config);
        let (calls, incoming) = mpsc::channel(100);
        let carrier = SipCarrier::start(config, calls).await.unwrap();
        let at = carrier.listening()[0].1;
        Self { carrier, incoming, at }
    }

    pub fn dial(&self) -> Leg {
        self.carrier.dial(&permitted(THEIR_NUMBER, None)).unwrap()
    }

    /// The next call that comes in.
    pub async fn incoming(&mut self) -> IncomingCall {
        timeout(PATIENCE, self.incoming.recv()).await.expect("no call came in").unwrap()
    }

    /// The next call that comes in, answered.
    pub async fn answered(&mut self) -> Leg {
        let mut leg = self.incoming().await.leg;
        leg.send(LegCommand::Answer).unwrap();
        established(&mut leg).await;
        leg
    }

    pub fn busy_lines(&self) -> usize {
        self.carrier.lines().iter().map(|line| line.busy).sum()
    }

    /// Nothing of any call is left.
    pub async fn until_free(&self) {
        until("the lines are free", || self.busy_lines() == 0).await;
    }
}

/// The next event of a leg; its audio is let pass.
pub async fn event(leg: &mut Leg) -> LegEvent {
    let told = timeout(PATIENCE, async {
        loop {
            if let LegOutput::Event(event) = leg.next().await {
                return event;
            }
        }
    });
    told.await.expect("the leg has nothing to say")
}

/// Media is up and the call is answered, with no ringing in between.
pub async fn established(leg: &mut Leg) {
    let media = event(leg).await;
    assert!(matches!(media, LegEvent::MediaUp { .. }), "{media:?}");
    let answered = event(leg).await;
    assert!(matches!(answered, LegEvent::Answered { .. }), "{answered:?}");
}

/// It rings, then it is answered.
pub async fn rung_and_established(leg: &mut Leg) {
    assert_eq!(event(leg).await, LegEvent::Ringing { early_media: false });
    established(leg).await;
}

/// Turn the carrier's clock forward; the far end's goes on as it does.
pub async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// We hang up, SIPp has seen what it wanted to see, and nothing of the call is left.
pub async fn hang_up(sipp: Sipp, rig: &Rig, mut leg: Leg) {
    leg.send(HANG_UP).unwrap();
    let mut end = event(&mut leg).await;
    // An answer that comes too late still says what its audio would be.
    while matches!(end, LegEvent::MediaUp { .. }) {
        end = event(&mut leg).await;
    }
    assert_eq!(end, LegEvent::Closed);
    sipp.finish().await;
    rig.until_free().await;
}

/// The same, but SIPp hangs up once it has seen what it wanted to see.
pub async fn hung_up(sipp: Sipp, rig: &Rig, mut leg: Leg) {
    assert_eq!(event(&mut leg).await, LegEvent::HungUp { q850_cause: Some(16) });
    sipp.finish().await;
    rig.until_free().await;
}

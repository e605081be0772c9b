//! Two sessions that report to each other over a network with a delay.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_carrier::media::negotiation::{Negotiation, Terms};
use offhook_carrier::media::session::{Port, RtpSession, Seed};
use offhook_carrier::media::{MediaEvent, SrtpPolicy};
use offhook_core::{AudioFormat, Frame, Timestamp};

struct Side {
    negotiation: Negotiation,
    session: RtpSession,
    ip: [u8; 4],
    heard: u32,
}

impl Side {
    fn new(ip: [u8; 4], ssrc: u32, srtp: SrtpPolicy) -> Self {
        let terms = Terms {
            address: ip.into(),
            rtp_port: 4000,
            rtcp_port: 4001,
            srtp,
            ptime_ms: 20,
            formats: vec![AudioFormat::Pcmu],
            session_id: 1,
        };
        let seed = Seed { ssrc, sequence: 65_530, timestamp: 0 };
        Self {
            negotiation: Negotiation::new(terms),
            session: RtpSession::new(seed, Duration::from_secs(10)),
            ip,
            heard: 0,
        }
    }

    fn agree(&mut self, now: Timestamp) {
        self.session.agree(now, self.negotiation.agreement().unwrap());
    }

    fn port_of(&self, port: Port) -> SocketAddr {
        (self.ip, if port == Port::Rtp { 4000 } else { 4001 }).into()
    }
}

struct Datagram {
    arrives_at: Timestamp,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// Twelve seconds of audio both ways, each way taking `delay_ms`; what both sides know then.
fn talk(srtp: SrtpPolicy, rtcp_mux: bool, delay_ms: u64) -> [Side; 2] {
    let mut now = Timestamp::from_unix_millis(1_800_000_000_000);
    let mut sides = [Side::new([192, 0, 2, 1], 1, srtp), Side::new([192, 0, 2, 2], 2, srtp)];
    let [caller, callee] = &mut sides;
    let offer = caller.negotiation.offer() + if rtcp_mux { "a=rtcp-mux\r\n" } else { "" };
    let answer = callee.negotiation.answer(&offer).unwrap();
    caller.negotiation.accept(&answer).unwrap();
    sides.iter_mut().for_each(|side| side.agree(now));

    let mut network: Vec<Datagram> = Vec::new();
    for tick in 0..2_400 {
        now = now + Duration::from_millis(5);
        let arrivals = network.extract_if(.., |datagram| datagram.arrives_at <= now);
        for Datagram { from, to, mut bytes, .. } in arrivals.collect::<Vec<_>>() {
            let side = sides.iter_mut().find(|side| to.ip() == side.port_of(Port::Rtp).ip()).unwrap();
            match to.port() {
                4000 => side.session.handle_rtp(now, from, &mut bytes),
                _ => side.session.handle_rtcp(now, from, &mut bytes),
            }
            while let Some(event) = side.session.poll_event() {
                side.heard += u32::from(matches!(event, MediaEvent::Audio(_)));
            }
        }
        for side in &mut sides {
            let source = [side.port_of(Port::Rtp), side.port_of(Port::Rtcp)];
            let mut send = |port: Port, to: SocketAddr, bytes: &[u8]| {
                let from = source[usize::from(port == Port::Rtcp)];
                let arrives_at = now + Duration::from_millis(delay_ms);
                network.push(Datagram { arrives_at, from, to, bytes: bytes.to_vec() });
            };
            if tick % 4 == 0 {
                side.session.play(now, &Frame::silence(AudioFormat::Pcmu), &mut send);
            }
            if side.session.deadline().is_some_and(|at| at <= now) {
                side.session.handle_timeout(now, &mut send);
            }
        }
    }
    sides
}

#[test]
fn both_sides_learn_the_round_trip() {
    for srtp in [SrtpPolicy::Off, SrtpPolicy::Required] {
        for rtcp_mux in [false, true] {
            for side in talk(srtp, rtcp_mux, 40) {
                let stats = side.session.stats();
                let round_trip_ms = stats.round_trip_ms.expect("a report about a report");
                assert!((79..=81).contains(&round_trip_ms), "{round_trip_ms}");
                assert_eq!((stats.lost_frames, stats.jitter_ms), (0, 0));
                // All but those still on their way.
                assert!((590..=600).contains(&side.heard), "{} {srtp:?} {rtcp_mux}", side.heard);
            }
        }
    }
}

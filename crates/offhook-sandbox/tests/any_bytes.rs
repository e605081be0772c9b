//! Whatever is sent to it, the exchange neither panics nor waits for a time that has passed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use offhook_core::Timestamp;
use offhook_sandbox::SandboxConfig;
use offhook_sandbox::exchange::{Exchange, Input, Output};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const METHODS: [&str; 7] = ["INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "OPTIONS", "REGISTER"];

const SDP: &str = "v=0\r\no=- 18446744073709551615 18446744073709551615 IN IP4 127.0.0.1\r\ns=-\r\n\
    c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6002 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp-mux\r\n";

/// Requests of few names, so that many belong together.
fn request(rng: &mut StdRng, tags: &[String]) -> Vec<u8> {
    let method = METHODS[rng.random_range(0..METHODS.len())];
    let branch = rng.random_range(0..6);
    let number = ["0100", "0102", "0106", "0107", "0111", "x"][rng.random_range(0..6)];
    let to = match tags.len() {
        n if n > 0 && rng.random() => format!(";tag={}", tags[rng.random_range(0..n)]),
        _ => String::new(),
    };
    let body = if rng.random() { SDP } else { "" };
    format!(
        "{method} sip:{number}@h SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK{branch}\r\nMax-Forwards: 9\r\n\
         From: <sip:a@h>;tag=a\r\nTo: <sip:b@h>{to}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: <sip:a@h>\r\n\
         Supported: timer\r\nSession-Expires: 90\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        rng.random_range(0..3),
        rng.random_range(1..5),
        body.len()
    )
    .into_bytes()
}

fn damage(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(0..4) {
        let at = rng.random_range(0..bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match rng.random_range(0..4) {
            0 => bytes.truncate(at),
            1 if !bytes.is_empty() => bytes[at] = rng.random(),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => bytes.insert(at, *b"\r\n;:<>\"@, ".get(rng.random_range(0..10)).unwrap()),
        }
    }
}

fn run(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let config = SandboxConfig::new(Arc::new(|_| vec![1_000; 800]));
    let mut exchange = Exchange::new(config, addr(5060), StdRng::seed_from_u64(seed));
    let (mut now, mut tags, mut calls) = (Timestamp::default(), Vec::new(), Vec::new());
    for _ in 0..300 {
        match rng.random_range(0..4) {
            0 if !calls.is_empty() => {
                let call = calls[rng.random_range(0..calls.len())];
                let mut bytes = vec![0u8; rng.random_range(0..200)];
                rng.fill(&mut bytes[..]);
                if let Some(first) = bytes.first_mut() {
                    *first = 0x80 | (*first & 0x3f);
                }
                exchange.handle(now, Input::Rtp { call, from: addr(6002), bytes: &bytes });
                exchange.handle(now, Input::Rtcp { call, bytes: &bytes });
            }
            1 => {
                let at = exchange.deadline().unwrap_or(now);
                now = now.max(at) + Duration::from_millis(rng.random_range(0..2_000));
                exchange.handle(now, Input::Tick);
            }
            _ => {
                let mut bytes = request(&mut rng, &tags);
                if rng.random_range(0..3) == 0 {
                    damage(&mut rng, &mut bytes);
                }
                exchange.handle(now, Input::Sip { from: addr(6000), bytes: &bytes });
            }
        }
        while let Some(output) = exchange.poll() {
            match output {
                Output::BindMedia { call } => {
                    calls.push(call);
                    exchange.handle(now, Input::MediaBound { call, addr: addr(4000) });
                }
                Output::Sip { bytes, .. } => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let tag = text.lines().find_map(|line| line.strip_prefix("To: ")?.split(";tag=").nth(1));
                    tags.extend(tag.map(str::to_owned));
                    tags.truncate(20);
                    // What it sends itself comes back as an answer now and then.
                    if rng.random_range(0..4) == 0 && !text.starts_with("SIP/") {
                        let echo = text.replacen(text.lines().next().unwrap(), "SIP/2.0 200 OK", 1);
                        exchange.handle(now, Input::Sip { from: addr(6000), bytes: echo.as_bytes() });
                    }
                }
                _ => {}
            }
        }
    }
    // Left alone, everything comes to an end.
    for _ in 0..100_000 {
        let Some(at) = exchange.deadline() else { break };
        assert!(at + Duration::from_secs(60) > now, "a deadline that is never met");
        now = now.max(at);
        exchange.handle(now, Input::Tick);
        while exchange.poll().is_some() {}
    }
    assert!(exchange.calls().iter().all(|call| call.is_over()), "{:#?}", exchange.calls());
}

#[test]
fn it_survives_any_order_of_anything() {
    for seed in 0..40 {
        run(seed);
    }
}

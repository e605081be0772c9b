//! Fifty calls at once, and nothing left of them.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use offhook_carrier::{Leg, LegOutput, SipConfig};
use offhook_core::{LegCommand, LegEvent};
use offhook_testkit::programs::until;
use tokio::task::JoinSet;

use crate::rig::{HANG_UP, Rig, established, event};
use crate::sipp::Scenario;

const CALLS: u32 = 50;

/// Audio sockets this process has open at `ip`, an address that only one test uses: two for each call.
fn audio_sockets(ip: Ipv4Addr) -> usize {
    let ours: HashSet<u64> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect();
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let at = format!("{:08X}:", u32::from_ne_bytes(ip.octets()));
    // The table may show a socket twice when it changes while it is read.
    let inodes: HashSet<u64> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(1).is_some_and(|local| local.starts_with(&at)))
        .filter_map(|fields| fields.get(9)?.parse().ok())
        .collect();
    inodes.intersection(&ours).count()
}

/// Poll a call until it is told to hang up, and until it is over.
async fn live(mut leg: Leg, mut hang_up: tokio::sync::watch::Receiver<bool>) {
    loop {
        tokio::select! {
            told = hang_up.wait_for(|now| *now) => break drop(told.expect("the test tells")),
            output = leg.next() => assert!(!matches!(output, LegOutput::Event(_)), "{output:?}"),
        }
    }
    leg.send(HANG_UP).unwrap();
    assert_eq!(event(&mut leg).await, LegEvent::Closed);
}

async fn hang_up_all(rig: &Rig, legs: Vec<Leg>, ip: Ipv4Addr) {
    assert_eq!(rig.busy_lines(), CALLS as usize);
    assert_eq!(audio_sockets(ip), 2 * CALLS as usize);
    let (hang_up, told) = tokio::sync::watch::channel(false);
    let mut calls: JoinSet<()> = legs.into_iter().map(|leg| live(leg, told.clone())).collect();
    hang_up.send(true).unwrap();
    while let Some(over) = calls.join_next().await {
        over.unwrap();
    }
    rig.until_free().await;
    until("every audio socket is closed", || audio_sockets(ip) == 0).await;
}

#[tokio::test]
async fn fifty_calls_out_at_once_leave_nothing() {
    let ip = Ipv4Addr::new(127, 0, 50, 1);
    let sipp = Scenario::new("answer").calls(CALLS).answer().await;
    let rig = Rig::with(&sipp.addr.to_string(), |config: &mut SipConfig| {
        config.rtp.bind_ip = ip.into();
    })
    .await;
    let mut legs: Vec<Leg> = (0..CALLS).map(|_| rig.dial()).collect();
    for leg in &mut legs {
        assert_eq!(event(leg).await, LegEvent::Ringing { early_media: false });
        established(leg).await;
    }
    hang_up_all(&rig, legs, ip).await;
    sipp.finish().await;
}

#[tokio::test]
async fn fifty_calls_in_at_once_leave_nothing() {
    let ip = Ipv4Addr::new(127, 0, 50, 2);
    let mut rig = Rig::with("127.0.0.1:9", |config: &mut SipConfig| {
        config.rtp.bind_ip = ip.into();
    })
    .await;
    let sipp = Scenario::new("call").calls(CALLS).call(rig.at);
    let mut legs = Vec::new();
    for _ in 0..CALLS {
        legs.push(rig.incoming().await.leg);
    }
    for leg in &mut legs {
        leg.send(LegCommand::Answer).unwrap();
    }
    for leg in &mut legs {
        established(leg).await;
    }
    hang_up_all(&rig, legs, ip).await;
    sipp.finish().await;
}

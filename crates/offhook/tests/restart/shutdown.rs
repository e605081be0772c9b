//! Stopping while a far end has fallen silent.

use std::net::{SocketAddr, UdpSocket as Bound};

use offhook::app::App;
use offhook_core::{EndReason, Fact};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::world::{PATIENCE, SILENT, World, trunk, wish};

/// A phone that rings and says no word more, not even to a CANCEL.
async fn ring_only(socket: &UdpSocket) {
    let mut datagram = vec![0; 4_096];
    loop {
        let (length, from) = socket.recv_from(&mut datagram).await.unwrap();
        let request = String::from_utf8_lossy(&datagram[..length]).into_owned();
        if !request.starts_with("INVITE ") {
            continue;
        }
        let mut ringing = "SIP/2.0 180 Ringing\r\n".to_owned();
        for line in request.lines().take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default();
            if ["Via", "From", "Call-ID", "CSeq"].contains(&name) {
                ringing.push_str(&format!("{line}\r\n"));
            } else if name == "To" {
                ringing.push_str(&format!("{line};tag=phone\r\n"));
            }
        }
        ringing.push_str("Content-Length: 0\r\n\r\n");
        socket.send_to(ringing.as_bytes(), from).await.unwrap();
    }
}

#[tokio::test]
async fn a_ringing_call_is_finished_though_nobody_confirms() {
    let mut world = World::new().await;
    let socket = Bound::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let phone: SocketAddr = socket.local_addr().unwrap();
    let socket = UdpSocket::from_std(socket).unwrap();
    let ringing = tokio::spawn(async move { ring_only(&socket).await });
    world.config.sip = Some(trunk(phone));
    let app = App::start(world.config.clone()).await.unwrap();
    let id = app.gateway().place_call(None, wish(SILENT)).await.unwrap().call_id;
    let rings = async {
        loop {
            let journal = app.gateway().store().journal(id, 0).await.unwrap();
            if journal.iter().any(|entry| matches!(entry.fact, Fact::Ringing { .. })) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, rings).await.expect("it rings");
    timeout(2 * PATIENCE, app.shutdown()).await.expect("it stops");

    let app = App::start(world.config.clone()).await.unwrap();
    let end = app.gateway().store().call(id).await.unwrap().unwrap().end.unwrap();
    assert_eq!(end.reason, EndReason::GatewayShutdown);
    app.shutdown().await;
    ringing.abort();
    world.exchange.shutdown().await;
}

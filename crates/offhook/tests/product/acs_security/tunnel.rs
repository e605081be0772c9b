//! A tunnel of the user's own: what it leads to, and what becomes of calls when its address changes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use offhook::acs::tunnel::{Kind, TunnelConfig};
use offhook::config::Config;

use super::rig::{path_of, setup};
use crate::acs::rig::{CALLEE, HOST, OTHER, ending};

/// A program that has the first address, until it is told to end; then the next.
fn program(dir: &Path) -> TunnelConfig {
    let program = dir.join("ngrok");
    let text = format!(
        "#!/bin/sh\necho start >> {dir}/starts\n\
         if [ $(wc -l < {dir}/starts) = 1 ]; then host=first.example.org; else host={HOST}; fi\n\
         echo \"{{\\\"lvl\\\":\\\"info\\\",\\\"msg\\\":\\\"started tunnel\\\",\\\"url\\\":\\\"https://$host\\\"}}\"\n\
         if [ $host = {HOST} ]; then exec sleep 600; fi\nread -r _ < {dir}/end\nexit 1\n",
        dir = dir.display(),
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    let made = std::process::Command::new("mkfifo").arg(dir.join("end")).status().unwrap();
    assert!(made.success());
    TunnelConfig { kind: Kind::Ngrok, program, token: None, name: None, public_url: None }
}

/// No address but that of the tunnel.
fn through(tunnel: TunnelConfig) -> impl FnOnce(&mut Config) + Send + 'static {
    move |config| {
        let acs = config.acs.as_mut().unwrap();
        acs.tunnel = Some(tunnel);
        (acs.public_url, acs.carrier.callback_url, acs.carrier.media_url) =
            (None, String::new(), String::new());
    }
}

#[tokio::test]
async fn without_a_way_to_us_no_call_is_placed() {
    let dir = tempfile::tempdir().unwrap();
    let missing = TunnelConfig { program: dir.path().join("none"), ..program(dir.path()) };
    let rig = setup().change(through(missing)).start().await;
    let mut tunnel = rig.app.gateway().callbacks().unwrap().watch();
    let down = tunnel.wait_for(|state| state.problem.is_some());
    tokio::time::timeout(crate::rig::PATIENCE, down).await.unwrap().unwrap();
    let call = rig.owner().call(CALLEE).await;
    let over = call.over().await;
    assert_eq!(ending(&over), ("network_error", "carrier.unreachable"));
    assert!(rig.acs.calls().is_empty(), "nobody was asked to call");
    let ready = rig.admin().await.get("/readyz").await;
    assert_eq!(ready.status, 503, "no call could be placed");
    let ready = ready.json().to_string();
    assert!(ready.contains("can't be started") && ready.contains("no public address"), "{ready}");
    rig.stop().await;
}

#[tokio::test]
async fn calls_name_the_address_the_tunnel_has_now() {
    let dir = tempfile::tempdir().unwrap();
    let tunnel = program(dir.path());
    let rig = setup().change(through(tunnel)).start().await;
    rig.acs.reach("first.example.org", rig.app.doors_addr().unwrap());
    let mut tunnel = rig.app.gateway().callbacks().unwrap().watch();
    let mut reached = async |url: &str| {
        let found = tunnel.wait_for(|state| state.url.as_deref() == Some(url));
        tokio::time::timeout(crate::rig::PATIENCE, found).await.unwrap().unwrap();
    };
    reached("https://first.example.org").await;
    assert_eq!(rig.door.get("/readyz").send().await.unwrap().status(), 200);
    let (call, person) = rig.connected(&rig.owner(), CALLEE).await;
    assert!(person.seen().callback_uri.starts_with("https://first.example.org/webhooks/acs/calls/"));
    person.hang_up();
    assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"));

    // The program dies, and has another address when it comes back.
    let end = dir.path().join("end");
    tokio::task::spawn_blocking(move || std::fs::write(end, "now\n").unwrap()).await.unwrap();
    reached("https://voice.example.org").await;
    let (call, person) = rig.connected(&rig.owner(), OTHER).await;
    assert!(path_of(&person.seen().callback_uri).starts_with("/webhooks/acs/calls/"));
    person.hang_up();
    assert_eq!(ending(&call.over().await), ("answered", "remote.hung_up"));
    rig.stop().await;
}

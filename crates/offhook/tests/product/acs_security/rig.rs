//! Whoever knocks: the service, somebody who pretends to be it, or a stranger.

use std::net::SocketAddr;

use offhook_testkit::acs::Seen;
use offhook_testkit::realtime::Reply;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::acs::rig::{AcsRig, HELLO, HOST, Setup};
use crate::rig::PATIENCE;

pub fn setup() -> Setup {
    Setup::new(vec![Reply::say("Certainly.")], &[HELLO])
}

/// Where the doors are on this machine.
pub fn doors(rig: &AcsRig) -> SocketAddr {
    rig.app.doors_addr().unwrap()
}

/// The path of an address that was told to the service.
pub fn path_of(url: &str) -> String {
    let (_, path) = url.split_once(HOST).unwrap_or_else(|| panic!("{url} is not at {HOST}"));
    path.to_owned()
}

pub fn callback_path(seen: &Seen) -> String {
    path_of(&seen.callback_uri)
}

pub fn media_path(seen: &Seen) -> String {
    path_of(seen.media_options["transportUrl"].as_str().unwrap())
}

/// The same path with another secret.
pub fn with_secret(path: &str, secret: &str) -> String {
    let (path, _) = path.split_once("token=").unwrap();
    format!("{path}token={secret}")
}

pub fn secret_of(path: &str) -> &str {
    path.split_once("token=").unwrap().1
}

pub fn request(rig: &AcsRig, method: Method, path: &str) -> RequestBuilder {
    rig.door.request(method, &format!("http://{}{path}", doors(rig)))
}

/// An event that changes nothing, new each time.
pub fn event() -> Value {
    json!([{
        "id": uuid::Uuid::new_v4().to_string(), "source": "calling/callConnections/x", "specversion": "1.0",
        "type": "Microsoft.Communication.ParticipantsUpdated", "data": {"participants": [], "sequenceNumber": 1},
        "time": "2026-05-06T16:31:49.3220776+00:00",
    }])
}

/// A callback, and what it is answered with.
pub async fn post(rig: &AcsRig, path: &str, bearer: Option<&str>) -> u16 {
    let mut request = request(rig, Method::POST, path).json(&event());
    if let Some(bearer) = bearer {
        request = request.bearer_auth(bearer);
    }
    request.send().await.unwrap().status().as_u16()
}

/// An attempt to open the media socket: the status, and the connection when it was opened.
pub async fn upgrade(
    rig: &AcsRig,
    path: &str,
    bearer: Option<&str>,
    connection: Option<&str>,
) -> (u16, TcpStream) {
    let mut stream = TcpStream::connect(doors(rig)).await.unwrap();
    let mut head = format!(
        "GET {path} HTTP/1.1\r\nhost: {HOST}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-extensions: permessage-deflate\r\n"
    );
    head.extend(bearer.map(|bearer| format!("authorization: Bearer {bearer}\r\n")));
    head.extend(connection.map(|connection| format!("x-ms-call-connection-id: {connection}\r\n")));
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    if status == 101 {
        assert!(
            answer.to_ascii_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
            "{answer}"
        );
        assert!(!answer.to_ascii_lowercase().contains("extensions"), "nothing was agreed to: {answer}");
    }
    (status, stream)
}

/// Whether the other side closes this socket, whatever it says before.
pub async fn is_closed(mut stream: TcpStream) -> bool {
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.is_ok()
}

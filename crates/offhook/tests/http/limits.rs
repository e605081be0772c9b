//! What one client may cost, and what no client is told. The limits of single connections are tested where they are.

use std::time::Duration;

use offhook::http::{Limits, PublicUrl, limited, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::server::{BUSY, Server, send};

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::start().await;
    let limits = Limits { body_timeout: Duration::from_millis(100), ..Limits::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let router = limited(server.app().gateway().clone(), PublicUrl::new(None, server.app().addr()), limits);
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(listener, router, limits, stop.clone()));
    let mut slow = TcpStream::connect(addr).await.unwrap();
    slow.write_all(b"POST /call HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{\"to\": ").await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut answer)).await;
    let _ = read.expect("the connection is closed, too");
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"request_timeout\""), "{answer}");
    stop.cancel();
    served.await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn browsers_are_told_to_be_careful() {
    let server = Server::start().await;
    for path in ["/", "/healthz", "/calls", "/nothing"] {
        let answer = send(server.get(path)).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_key_is_kept_nowhere() {
    let server = Server::start().await;
    let (id, agent) = server.first_call(BUSY).await;
    agent.finalized(&id).await;
    let key = agent.key.clone();
    let mut files = 0;
    for entry in std::fs::read_dir(server.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
            assert!(!found, "the key of a caller is in {}", path.display());
        }
    }
    assert!(files >= 2, "the database and the secret were looked at");
    server.stop().await;
}

//! Connections: accepts them, holds each to the limits, and lets those that are at work finish before the end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Limits;

/// How long to wait when the system has no descriptor left for a connection.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(500);
/// How long somebody may take to read that there is no room.
const TURN_AWAY: Duration = Duration::from_secs(1);

/// What is said to a connection too many. Nothing of it was read, so there is no request to answer properly.
const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 2\r\n\
     content-length: 96\r\nconnection: close\r\n\r\n\
     {\"error\":{\"code\":\"overloaded\",\"message\":\"too many connections are open; try again in a moment\"}}";

/// Serve until `stop`; then take no more connections, and return when the last request is answered.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout);
    protocol.max_buf_size(limits.head_bytes).max_headers(limits.headers);
    let places = Arc::new(Semaphore::new(limits.connections));
    let open = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                refused(&error).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(limit = limits.connections, "a connection was turned away: too many are open");
            tokio::spawn(turn_away(stream));
            continue;
        };
        // An event must not wait for the acknowledgement of the one before it.
        let _ = stream.set_nodelay(true);
        let (service, heard) = (TowerToHyperService::new(router.clone()), Arc::new(Notify::new()));
        let first = silence(Arc::clone(&heard), limits.first_head_timeout);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            heard.notify_one();
            service.call(request)
        });
        let connection = protocol.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let stop = stop.clone();
        open.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
                () = first => Ok(()),
            };
            if let Err(error) = served {
                tracing::debug!(%error, "a connection broke");
            }
            drop(place);
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// Over once nothing was heard for so long. The timer of hyper is one and the same for all requests of a connection.
async fn silence(heard: Arc<Notify>, patience: Duration) {
    if tokio::time::timeout(patience, heard.notified()).await.is_ok() {
        std::future::pending().await
    }
}

async fn refused(error: &io::Error) {
    let of_the_peer = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !of_the_peer {
        tracing::error!(%error, "no connection can be accepted; raise the limit of open files (ulimit -n)");
        tokio::time::sleep(NO_DESCRIPTOR_PAUSE).await;
    }
}

async fn turn_away(mut stream: TcpStream) {
    let _ = tokio::time::timeout(TURN_AWAY, async {
        stream.write_all(FULL.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Nothing here takes this long unless it is broken.
    const PATIENCE: Duration = Duration::from_secs(10);

    async fn server(limits: Limits) -> (std::net::SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "here" })).route("/", post(|| async { "took" }));
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, router, limits, stop.clone()));
        (addr, stop)
    }

    /// Say this, and read until the server has nothing more to say.
    async fn say(stream: &mut TcpStream, text: &str) -> String {
        let _ = stream.write_all(text.as_bytes()).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        // A server that closes with something unread resets the connection; what it said before counts.
        let _ = read.expect("the server closes the connection");
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn who_does_not_finish_its_headers_is_let_go() {
        let limits = Limits { head_timeout: Duration::from_millis(100), ..Limits::default() };
        let (addr, stop) = server(limits).await;
        for start in ["", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
            let mut slow = TcpStream::connect(addr).await.unwrap();
            let answer = say(&mut slow, start).await;
            assert!(!answer.contains("200 OK"), "{answer}");
        }
        stop.cancel();
    }

    #[tokio::test]
    async fn only_who_has_asked_before_may_take_its_time() {
        let limits = Limits { first_head_timeout: Duration::from_millis(100), ..Limits::default() };
        let (addr, stop) = server(limits).await;
        let ask = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut known = TcpStream::connect(addr).await.unwrap();
        known.write_all(ask.as_bytes()).await.unwrap();
        let mut start = [0; 15];
        known.read_exact(&mut start).await.unwrap();
        for start in ["", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: "] {
            let mut stranger = TcpStream::connect(addr).await.unwrap();
            let answer = say(&mut stranger, start).await;
            assert!(!answer.contains("200 OK"), "{answer}");
        }
        let last = ask.replace("host: x", "host: x\r\nconnection: close");
        assert!(say(&mut known, &last).await.contains("HTTP/1.1 200 OK"), "it was there all along");
        stop.cancel();
    }

    #[tokio::test]
    async fn too_much_of_a_head_is_431() {
        let (addr, stop) = server(Limits::default()).await;
        let many: String = (0..80).map(|index| format!("x-{index}: y\r\n")).collect();
        let long = format!("x-long: {}\r\n", "y".repeat(20 * 1_024));
        for headers in [many, long] {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            let answer = say(&mut stream, &format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        }
        stop.cancel();
    }

    #[tokio::test]
    async fn a_connection_too_many_is_told_so_and_there_is_room_again_afterwards() {
        let limits = Limits { connections: 1, ..Limits::default() };
        let (addr, stop) = server(limits).await;
        let mut first = TcpStream::connect(addr).await.unwrap();
        first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut start = [0; 15];
        first.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");

        let mut second = TcpStream::connect(addr).await.unwrap();
        let answer = say(&mut second, "").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 2"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "overloaded");

        // The place is free once the server has noticed, which nothing tells us: ask until it has.
        drop(first);
        let asked = async {
            loop {
                let mut next = TcpStream::connect(addr).await.unwrap();
                let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
                if say(&mut next, request).await.starts_with("HTTP/1.1 200") {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("there is room again");
        stop.cancel();
    }
}

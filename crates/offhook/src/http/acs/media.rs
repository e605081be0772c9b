//! The audio of a call: a WebSocket that the carrier's service opens to us.
//!
//! The upgrade is answered here and the plain connection handed to the carrier, which speaks WebSocket itself: nothing
//! stands between a frame and its call.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::{Buf as _, Bytes};
use hyper_util::rt::TokioIo;
use offhook_carrier::acs::{MediaPlace, websocket_accept};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{Doors, named, stranger};
use crate::http::error::ApiError;

const CALL_CONNECTION_ID: HeaderName = HeaderName::from_static("x-ms-call-connection-id");

pub async fn connect(State(doors): State<Doors>, mut request: Request) -> Result<Response, ApiError> {
    let named = named(&mut request).await;
    let named = doors.admit(named, request.headers()).await?;
    let headers = request.headers();
    let connection = headers.get(CALL_CONNECTION_ID).and_then(|id| id.to_str().ok());
    let place = doors.carrier.media(&named.call, &named.token, connection);
    let place = place.map_err(|why| {
        tracing::warn!(%why, "a media connection was refused");
        stranger()
    })?;
    let response = switching(&websocket_key(headers)?)?;
    tokio::spawn(hand_over(hyper::upgrade::on(request), place));
    Ok(response)
}

/// The answer to an upgrade with this key.
pub(super) fn switching(key: &str) -> Result<Response, ApiError> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = HeaderValue::from_str(&websocket_accept(key)).map_err(|_| ApiError::internal())?;
    // No extension and no subprotocol is agreed to.
    response.headers_mut().extend([
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
    ]);
    Ok(response)
}

/// The key of an upgrade to WebSocket (RFC 6455, 4.2.1).
pub(super) fn websocket_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let has = |name: HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    match key {
        Some(key)
            if has(CONNECTION, "upgrade")
                && has(UPGRADE, "websocket")
                && has(SEC_WEBSOCKET_VERSION, "13") =>
        {
            Ok(key.to_owned())
        }
        _ => Err(ApiError::bad_request("invalid_request", "this is a WebSocket of version 13")),
    }
}

async fn hand_over(upgrade: hyper::upgrade::OnUpgrade, place: MediaPlace) {
    let Ok(upgraded) = upgrade.await else { return };
    // The server of these doors serves plain connections only.
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else { return };
    place.attach(Socket { read: parts.read_buf, stream: parts.io.into_inner() });
}

/// The connection, and what was read of it with the head of the request.
struct Socket {
    read: Bytes,
    stream: TcpStream,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let fits = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..fits]);
        self.read.advance(fits);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_upgrade_needs() {
        let upgrade = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for without in [None, Some(0), Some(1), Some(2), Some(3)] {
            let kept = upgrade.iter().enumerate().filter(|(index, _)| Some(*index) != without);
            let headers: HeaderMap = kept
                .map(|(_, (name, value))| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            assert_eq!(websocket_key(&headers).is_ok(), without.is_none(), "without {without:?}");
        }
    }
}

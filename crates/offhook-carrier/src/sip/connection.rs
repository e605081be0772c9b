//! One stream, TCP or TLS: opened by us or by a guest, read and written until it ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tracing::debug;

use super::message::Message;
use super::net::{Arrival, Flow};
use super::stream::{Framer, Piece};

pub const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(30);
const IDLE_LIMIT: Duration = Duration::from_secs(600);
/// For a first message, and for all that strangers say.
const SHORT_IDLE_LIMIT: Duration = Duration::from_secs(30);
/// How long what is still to be said may take when nothing more is heard.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Who connected to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// A trunk, or an address whose calls are taken as a trunk's.
    Known,
    /// Anybody, where anybody may call.
    Anybody,
    /// Its calls are not taken, yet it may be another server of a trunk that has something to say about a call.
    Stranger,
}

impl Guest {
    /// Connections that all guests like this may have at the same time. There is always room for those we know.
    pub fn places(self) -> usize {
        match self {
            Self::Known => usize::MAX,
            Self::Anybody => 768,
            Self::Stranger => 64,
        }
    }

    /// And those of one address among them.
    pub fn places_of_one(self) -> usize {
        match self {
            Self::Known => usize::MAX,
            Self::Anybody => 128,
            Self::Stranger => 8,
        }
    }

    /// How long it may say nothing.
    fn patience(self, spoke: bool) -> Duration {
        match (self, spoke) {
            (Self::Known, _) | (Self::Anybody, true) => IDLE_LIMIT,
            (Self::Anybody, false) | (Self::Stranger, _) => SHORT_IDLE_LIMIT,
        }
    }
}

pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub async fn open(
    flow: Flow,
    server_name: &str,
    tls: Option<Arc<ClientConfig>>,
) -> io::Result<Box<dyn Duplex>> {
    let stream = TcpStream::connect(flow.remote).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let name = ServerName::try_from(server_name.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(tls).connect(name, stream).await?))
}

/// A connection that a guest made, from its handshake on.
pub async fn serve(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    flow: Flow,
    waiting: mpsc::Receiver<Vec<u8>>,
    arrivals: mpsc::Sender<Arrival>,
    guest: Guest,
) {
    match greet(stream, acceptor).await {
        Ok(stream) => converse(stream, flow, waiting, arrivals, Some(guest)).await,
        Err(error) => closed(&arrivals, flow, Err(error)).await,
    }
}

async fn greet(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> io::Result<Box<dyn Duplex>> {
    stream.set_nodelay(true)?;
    let Some(acceptor) = acceptor else { return Ok(Box::new(stream)) };
    let stream = tokio::time::timeout(CONNECT_PATIENCE, acceptor.accept(stream))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake within 10 s"))??;
    Ok(Box::new(stream))
}

/// Read and write one stream until it ends. Without a `guest` it was opened by us, and it is for us to keep it open
/// (RFC 5626 §4.4.1).
pub async fn converse(
    stream: Box<dyn Duplex>,
    flow: Flow,
    waiting: mpsc::Receiver<Vec<u8>>,
    arrivals: mpsc::Sender<Arrival>,
    guest: Option<Guest>,
) {
    let (reader, writer) = tokio::io::split(stream);
    let (pong, pongs) = mpsc::channel::<()>(1);
    let mut writing = std::pin::pin!(write_stream(writer, waiting, pongs, guest.is_none()));
    let ended = tokio::select! {
        ended = read_stream(reader, flow, &arrivals, pong, guest) => ended,
        ended = &mut writing => return closed(&arrivals, flow, ended).await,
    };
    // What came last is answered before the agent hears of the end and lets go of its side: that ends the writing.
    closed(&arrivals, flow, ended).await;
    let _ = tokio::time::timeout(LAST_WORDS, writing).await;
}

async fn closed(arrivals: &mpsc::Sender<Arrival>, flow: Flow, ended: io::Result<()>) {
    let why = ended.err().map_or_else(|| "closed by the far end".to_owned(), |error| error.to_string());
    let _ = arrivals.send(Arrival::Closed { flow, never_open: false, why }).await;
}

async fn read_stream(
    mut reader: impl AsyncRead + Unpin,
    flow: Flow,
    arrivals: &mpsc::Sender<Arrival>,
    pong: mpsc::Sender<()>,
    guest: Option<Guest>,
) -> io::Result<()> {
    let mut framer = Framer::default();
    let mut spoke = false;
    loop {
        while let Some(piece) = framer.next_piece().map_err(io::Error::other)? {
            match piece {
                // Two answers to pings of ours look like a ping.
                Piece::Ping if guest.is_none() => {}
                Piece::Ping => drop(pong.try_send(())),
                Piece::Message(bytes) => match Message::parse(&bytes) {
                    Ok(message) => {
                        spoke = true;
                        if arrivals.send(Arrival::Message { flow, message }).await.is_err() {
                            return Ok(());
                        }
                    }
                    Err(error) => debug!(%error, remote = %flow.remote, "a message that is not SIP"),
                },
            }
        }
        let patience = guest.map_or(IDLE_LIMIT, |guest| guest.patience(spoke));
        let read = tokio::time::timeout(patience, reader.read_buf(framer.buffer())).await;
        let nothing = |_| {
            let why = format!("nothing was heard for {} s", patience.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, why)
        };
        if read.map_err(nothing)?? == 0 {
            return Ok(());
        }
    }
}

/// Ends when there is nothing more to write, or when it can't be written.
async fn write_stream(
    mut writer: impl AsyncWrite + Unpin,
    mut waiting: mpsc::Receiver<Vec<u8>>,
    mut pongs: mpsc::Receiver<()>,
    ours: bool,
) -> io::Result<()> {
    loop {
        tokio::select! {
            message = waiting.recv() => match message {
                Some(bytes) => writer.write_all(&bytes).await?,
                None => return writer.shutdown().await,
            },
            Some(()) = pongs.recv() => writer.write_all(b"\r\n").await?,
            () = tokio::time::sleep(PING_EVERY), if ours => writer.write_all(b"\r\n\r\n").await?,
        }
        writer.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[u8] =
        b"OPTIONS sip:us@a SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:b@b>;tag=b\r\n\
          To: <sip:us@a>\r\nCall-ID: id\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

    #[tokio::test]
    async fn what_is_said_after_the_far_end_fell_silent_is_written() {
        let (near, mut far) = tokio::io::duplex(4_096);
        let (arrivals, mut arrived) = mpsc::channel(8);
        let (outgoing, waiting) = mpsc::channel(8);
        let flow = Flow::datagram(0, "127.0.0.1:9".parse().unwrap());
        let conversation = converse(Box::new(near), flow, waiting, arrivals, Some(Guest::Known));
        let conversation = tokio::spawn(conversation);
        far.write_all(OPTIONS).await.unwrap();
        far.shutdown().await.unwrap();
        assert!(matches!(arrived.recv().await, Some(Arrival::Message { .. })));
        // The end is known before the agent has come to the request.
        assert!(matches!(arrived.recv().await, Some(Arrival::Closed { never_open: false, .. })));
        let answered = outgoing.try_send(b"SIP/2.0 200 OK\r\n\r\n".to_vec());
        answered.expect("nobody listens to the agent any more");
        drop(outgoing);
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "SIP/2.0 200 OK\r\n\r\n");
        conversation.await.unwrap();
    }
}

//! Sockets (RFC 3261 §18): datagrams sent straight from the agent, one task per stream (`connection`).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::config::{Listen, Transport};
use super::connection::{self, CONNECT_PATIENCE, Guest};
use super::message::{MAX_MESSAGE, Message};
use super::resolve::Target;
use super::tls::{self, Trust};

/// Messages received and not yet looked at. Past it datagrams are lost, as in any full socket, and streams wait.
const ARRIVALS: usize = 4_096;
const OUTGOING: usize = 512;
/// More than all guests but those we know may have together, see [`Guest::places`].
const MAX_ACCEPTED: usize = 1_024;
/// Where datagrams are taken anyhow, a connection is not worth the wait.
const STAND_IN_PATIENCE: Duration = Duration::from_secs(2);

/// A way to one far end: a socket of ours and an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    pub transport: Transport,
    /// Index of the datagram socket, or number of the stream.
    socket: u64,
    pub remote: SocketAddr,
}

/// What the sockets report.
#[derive(Debug)]
pub enum Arrival {
    Message {
        flow: Flow,
        message: Message,
    },
    /// A far end connected to us; `admit` says as whom, and it is hung up on when that is dropped.
    Opened {
        flow: Flow,
        outgoing: mpsc::Sender<Vec<u8>>,
        admit: oneshot::Sender<Guest>,
    },
    /// `never_open`: nothing that was sent on it can have arrived.
    Closed {
        flow: Flow,
        never_open: bool,
        why: String,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("no socket for {0}; add it to the listening addresses")]
    NoSocket(&'static str),
    #[error("the connection is gone")]
    Closed,
    #[error("the connection does not take any more")]
    Full,
    #[error("{0}")]
    Io(#[from] io::Error),
}

#[derive(Debug)]
struct Datagrams {
    socket: Arc<UdpSocket>,
    /// The same socket for sending: tokio refuses to write on a socket it has not polled yet, and the very first
    /// message of a call would be lost.
    sender: std::net::UdpSocket,
}

#[derive(Debug)]
struct Stream {
    outgoing: mpsc::Sender<Vec<u8>>,
    flow: Flow,
    /// Who connected to us; `None` where we did.
    guest: Option<Guest>,
}

#[derive(Debug)]
pub struct Net {
    udp: Vec<Datagrams>,
    listening: Vec<(Transport, SocketAddr)>,
    streams: HashMap<u64, Stream>,
    next_stream: u64,
    arrivals: mpsc::Sender<Arrival>,
    public_ip: Option<IpAddr>,
    /// Which of our addresses a far end sees, for sockets bound to all of them.
    local_ips: HashMap<IpAddr, IpAddr>,
    stop: CancellationToken,
}

impl Flow {
    #[cfg(test)]
    pub fn datagram(socket: u64, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, socket, remote }
    }

    /// The same socket, another address.
    pub fn toward(self, remote: SocketAddr) -> Self {
        Self { remote, ..self }
    }
}

impl Net {
    pub async fn bind(
        listen: &[Listen],
        public_ip: Option<IpAddr>,
    ) -> io::Result<(Net, mpsc::Receiver<Arrival>)> {
        let (arrivals, arrived) = mpsc::channel(ARRIVALS);
        let mut net = Self {
            udp: Vec::new(),
            listening: Vec::new(),
            streams: HashMap::new(),
            next_stream: 1,
            arrivals,
            public_ip,
            local_ips: HashMap::new(),
            stop: CancellationToken::new(),
        };
        for listen in listen {
            net.listen(listen).await?;
        }
        Ok((net, arrived))
    }

    async fn listen(&mut self, listen: &Listen) -> io::Result<()> {
        if listen.transport == Transport::Udp {
            let datagrams = udp_socket(listen.addr)?;
            let socket = datagrams.socket.clone();
            let index = self.udp.len() as u64;
            self.listening.push((Transport::Udp, socket.local_addr()?));
            self.udp.push(datagrams);
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(read_datagrams(
                socket,
                index,
                self.arrivals.clone(),
            )));
            return Ok(());
        }
        let acceptor = match &listen.identity {
            Some(identity) if listen.transport == Transport::Tls => Some(tls::acceptor(identity)?),
            None if listen.transport == Transport::Tls => {
                return Err(io::Error::other("TLS needs a certificate and a key to listen"));
            }
            _ => None,
        };
        let listener = tcp_listener(listen.addr)?;
        self.listening.push((listen.transport, listener.local_addr()?));
        // Numbers of accepted streams have the high bit set, so that listeners and the agent never pick the same.
        let first = (1 << 63) | ((self.listening.len() as u64) << 48);
        let accepting = accept(listener, acceptor, first, self.arrivals.clone(), self.stop.clone());
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(accepting));
        Ok(())
    }

    pub fn listening(&self) -> &[(Transport, SocketAddr)] {
        &self.listening
    }

    /// A way to that target: the datagram socket, the stream that is open already, or a new one.
    pub fn flow_to(&mut self, target: &Target, trust: &Trust) -> Result<Flow, SendError> {
        if target.transport == Transport::Udp {
            let fits = |udp: &Datagrams| {
                udp.socket.local_addr().is_ok_and(|local| local.is_ipv4() == target.addr.is_ipv4())
            };
            let index = self.udp.iter().position(fits).ok_or(SendError::NoSocket("UDP"))?;
            return Ok(Flow { transport: Transport::Udp, socket: index as u64, remote: target.addr });
        }
        let open = self.streams.values().find(|stream| {
            stream.flow.transport == target.transport
                && stream.flow.remote == target.addr
                && !stream.outgoing.is_closed()
        });
        match open {
            Some(stream) => Ok(stream.flow),
            None if target.transport == Transport::Tls => Ok(self.connect(target, Some(trust.client()?))),
            None => Ok(self.connect(target, None)),
        }
    }

    fn connect(&mut self, target: &Target, tls: Option<Arc<ClientConfig>>) -> Flow {
        let flow = Flow { transport: target.transport, socket: self.next_stream, remote: target.addr };
        self.next_stream += 1;
        let (outgoing, waiting) = mpsc::channel(OUTGOING);
        self.streams.insert(flow.socket, Stream { outgoing, flow, guest: None });
        let (arrivals, server_name) = (self.arrivals.clone(), target.server_name.clone());
        let patience = if target.stands_in { STAND_IN_PATIENCE } else { CONNECT_PATIENCE };
        tokio::spawn(self.stop.clone().run_until_cancelled_owned(async move {
            let opened = tokio::time::timeout(patience, connection::open(flow, &server_name, tls)).await;
            let opened = opened.unwrap_or_else(|_| {
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no connection within {} s", patience.as_secs()),
                ))
            });
            match opened {
                Ok(stream) => connection::converse(stream, flow, waiting, arrivals, None).await,
                Err(error) => {
                    let why = error.to_string();
                    let _ = arrivals.send(Arrival::Closed { flow, never_open: true, why }).await;
                }
            }
        }));
        flow
    }

    /// Somebody connected to us; everybody gets no more than their share of the places.
    pub fn admit(
        &mut self,
        flow: Flow,
        outgoing: mpsc::Sender<Vec<u8>>,
        admit: oneshot::Sender<Guest>,
        guest: Guest,
    ) {
        let alike = || self.streams.values().filter(|stream| stream.guest == Some(guest));
        let from_there = alike().filter(|stream| stream.flow.remote.ip() == flow.remote.ip()).count();
        if alike().count() >= guest.places() || from_there >= guest.places_of_one() {
            debug!(remote = %flow.remote, ?guest, "too many SIP connections; one was refused");
        } else if admit.send(guest).is_ok() {
            self.streams.insert(flow.socket, Stream { outgoing, flow, guest: Some(guest) });
        }
    }

    pub fn closed(&mut self, flow: Flow) {
        self.streams.remove(&flow.socket);
    }

    pub fn is_open(&self, flow: &Flow) -> bool {
        !flow.transport.is_reliable() || self.streams.contains_key(&flow.socket)
    }

    /// Hand the bytes to the socket; a full datagram socket loses them, and the retransmission brings them.
    pub fn send(&self, flow: &Flow, bytes: Vec<u8>) -> Result<(), SendError> {
        if flow.transport == Transport::Udp {
            let udp = self.udp.get(flow.socket as usize).ok_or(SendError::NoSocket("UDP"))?;
            return match udp.sender.send_to(&bytes, flow.remote) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
                _ => Ok(()),
            };
        }
        let stream = self.streams.get(&flow.socket).ok_or(SendError::Closed)?;
        stream.outgoing.try_send(bytes).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })
    }

    /// The address at which the far end of this flow reaches us, for Via and Contact.
    pub fn local_addr(&mut self, flow: &Flow) -> SocketAddr {
        let listening = self.listening.iter().filter(|(transport, addr)| {
            *transport == flow.transport && addr.is_ipv4() == flow.remote.is_ipv4()
        });
        let bound = match flow.transport {
            Transport::Udp => self.udp.get(flow.socket as usize).and_then(|udp| udp.socket.local_addr().ok()),
            _ => listening.map(|(_, addr)| *addr).next(),
        };
        let unspecified =
            if flow.remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let bound = bound.unwrap_or(SocketAddr::new(unspecified, flow.transport.default_port()));
        let ip = match self.public_ip {
            Some(ip) if ip.is_ipv4() == flow.remote.is_ipv4() => ip,
            _ if bound.ip().is_unspecified() => self.local_ip_for(flow.remote),
            _ => bound.ip(),
        };
        SocketAddr::new(ip, bound.port())
    }

    fn local_ip_for(&mut self, remote: SocketAddr) -> IpAddr {
        if let Some(ip) = self.local_ips.get(&remote.ip()) {
            return *ip;
        }
        let ip = local_ip_toward(remote).unwrap_or(Ipv4Addr::LOCALHOST.into());
        if self.local_ips.len() >= 1_024 {
            self.local_ips.clear();
        }
        self.local_ips.insert(remote.ip(), ip);
        ip
    }

    pub fn close(&self) {
        self.stop.cancel();
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The address of ours that packets to `remote` leave from. Nothing is sent.
pub fn local_ip_toward(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr =
        if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

/// Bursts of calls arrive faster than one task reads them: ask for a large buffer, take what we get.
fn udp_socket(addr: SocketAddr) -> io::Result<Datagrams> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::DGRAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    let _ = socket.set_recv_buffer_size(4 << 20);
    let _ = socket.set_send_buffer_size(4 << 20);
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    let sender = std::net::UdpSocket::from(socket.try_clone()?);
    Ok(Datagrams { socket: Arc::new(UdpSocket::from_std(socket.into())?), sender })
}

/// Of its own address family only, so that both can be listened on at one port, and an IPv4 peer has an IPv4 address.
fn tcp_listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(1_024)?;
    TcpListener::from_std(socket.into())
}

async fn read_datagrams(socket: Arc<UdpSocket>, index: u64, arrivals: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; MAX_MESSAGE];
    loop {
        let (length, remote) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // An ICMP error of an earlier datagram; the socket itself is fine.
            Err(error) => {
                debug!(%error, "receiving a SIP datagram");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let datagram = &buffer[..length];
        if datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            continue;
        }
        let flow = Flow { transport: Transport::Udp, socket: index, remote };
        match Message::parse(datagram) {
            Ok(message) => match arrivals.try_send(Arrival::Message { flow, message }) {
                Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    debug!("too many SIP messages at once; one was dropped")
                }
                Ok(()) => {}
            },
            Err(error) => debug!(%error, %remote, "a datagram that is not SIP"),
        }
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    first: u64,
    arrivals: mpsc::Sender<Arrival>,
    stop: CancellationToken,
) {
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_ACCEPTED));
    let transport = if acceptor.is_some() { Transport::Tls } else { Transport::Tcp };
    for socket in first.. {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "accepting a SIP connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let flow = Flow { transport, socket, remote };
        let (arrivals, acceptor) = (arrivals.clone(), acceptor.clone());
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            let _place = place;
            let (outgoing, waiting) = mpsc::channel(OUTGOING);
            let (admit, admitted) = oneshot::channel();
            if arrivals.send(Arrival::Opened { flow, outgoing, admit }).await.is_err() {
                return;
            }
            let Ok(guest) = admitted.await else { return };
            connection::serve(stream, acceptor, flow, waiting, arrivals, guest).await;
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_datagram_leaves_at_once() {
        let far = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        far.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (net, _arrivals) = Net::bind(&[Listen::udp("127.0.0.1:0".parse().unwrap())], None).await.unwrap();
        net.send(&Flow::datagram(0, far.local_addr().unwrap()), b"hello".to_vec()).unwrap();
        let mut buffer = [0; 16];
        let length = far.recv(&mut buffer).expect("it was lost");
        assert_eq!(&buffer[..length], b"hello");
    }

    #[tokio::test]
    async fn both_families_can_be_listened_on_at_one_port() {
        let v4 = tcp_listener("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = v4.local_addr().unwrap().port();
        match tcp_listener(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port))) {
            Ok(v6) => assert_eq!(v6.local_addr().unwrap().port(), port),
            // A machine without IPv6.
            Err(error) => assert_ne!(error.kind(), io::ErrorKind::AddrInUse, "{error}"),
        }
    }
}

//! The UDP sockets of a leg, with as few system calls as they can do with.
//!
//! They are registered for readability only: epoll would report "writable again" after every datagram sent, a wake-up
//! nobody needs. Towards a far end that stays where it is the socket is connected, which makes a datagram an eighth
//! cheaper. (`recvmmsg`, tried too, costs more than the one `recvfrom` that finds nothing.)

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Longer datagrams are cut off, and then not understood.
const MAX_DATAGRAM: usize = 1_600;

/// Datagrams taken before others get their turn, however many there are.
const BATCH: usize = 32;

/// Expedited forwarding (RFC 3246), where the network looks at it.
const EXPEDITED: u32 = 46 << 2;

/// How many pairs of ports are tried before giving up.
const ATTEMPTS: u32 = 512;

thread_local! {
    /// Where datagrams arrive. They are consumed before anybody else runs, so a thread needs one for all its calls.
    static INBOX: RefCell<[u8; MAX_DATAGRAM]> = const { RefCell::new([0; MAX_DATAGRAM]) };
}

/// A non-blocking UDP socket known to the reactor.
#[derive(Debug)]
pub struct Socket {
    fd: AsyncFd<UdpSocket>,
    peer: Option<SocketAddr>,
}

impl Socket {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // Not every system lets us ask for it; the call works without.
        let _ = match socket.local_addr()? {
            SocketAddr::V4(_) => socket2::SockRef::from(&socket).set_tos_v4(EXPEDITED),
            SocketAddr::V6(_) => socket2::SockRef::from(&socket).set_tclass_v6(EXPEDITED),
        };
        // SAFETY: the `UdpSocket` owns its descriptor and is never replaced while registered.
        let fd = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
        Ok(Self { fd, peer: None })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.fd.get_ref().local_addr()
    }

    /// Hand the datagrams that are there to `take`. Pending: there are none, and the task will be woken.
    pub fn poll_recv(&self, cx: &mut Context<'_>, mut take: impl FnMut(SocketAddr, &mut [u8])) -> Poll<()> {
        loop {
            // An error means that the runtime is going down.
            let Ok(mut ready) = std::task::ready!(self.fd.poll_read_ready(cx)) else { return Poll::Pending };
            let (any, drained) = INBOX.with_borrow_mut(|inbox| self.drain(inbox, &mut take));
            if drained {
                ready.clear_ready();
            }
            if any {
                return Poll::Ready(());
            }
        }
    }

    /// Whether there was any datagram, and whether there is none left.
    fn drain(&self, inbox: &mut [u8], take: &mut impl FnMut(SocketAddr, &mut [u8])) -> (bool, bool) {
        let mut any = false;
        for _ in 0..BATCH {
            match self.fd.get_ref().recv_from(inbox) {
                Ok((len, from)) => {
                    any = true;
                    take(from, &mut inbox[..len]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (any, true),
                // A port unreachable reported for something we sent: the socket is as good as before.
                Err(_) => {}
            }
        }
        (any, false)
    }

    /// Send now; false when the socket is full.
    pub fn send_to(&mut self, to: SocketAddr, datagram: &[u8]) -> bool {
        let sent = if self.peer == Some(to) {
            self.fd.get_ref().send(datagram)
        } else {
            self.connect(None);
            self.fd.get_ref().send_to(datagram, to)
        };
        sent.err().is_none_or(|error| error.kind() != io::ErrorKind::WouldBlock)
    }

    /// Exchange datagrams with `peer` only, or with anybody again.
    pub fn connect(&mut self, peer: Option<SocketAddr>) {
        if peer == self.peer {
            return;
        }
        let done = match peer {
            Some(peer) => self.fd.get_ref().connect(peer),
            None => socket2::SockRef::from(self.fd.get_ref()).connect(&unspecified()),
        };
        // An unconnected socket does all a connected one does.
        self.peer = peer.filter(|_| done.is_ok());
    }
}

/// A pair of sockets: RTP on an even port, RTCP on the next.
pub fn bind_pair(ip: std::net::IpAddr, ports: Option<&RangeInclusive<u16>>) -> io::Result<(Socket, Socket)> {
    /// Where the next call begins to look, so that a port rests before it is used again; elsewhere in every process,
    /// so that it can't be known.
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(rand::random()));

    let bind = |port: u16| UdpSocket::bind((ip, port));
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ATTEMPTS {
        let port = match ports {
            Some(range) => {
                let pairs = pairs_in(range);
                if pairs == 0 {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "no pair of ports in the range"));
                }
                let turn = NEXT.fetch_add(1, Ordering::Relaxed) % pairs;
                range.start().next_multiple_of(2) + (turn * 2) as u16
            }
            // Only to learn of a free number: a port that was not asked for by number is lost when a connection
            // is dissolved.
            None => bind(0)?.local_addr()?.port() & !1,
        };
        let pair = bind(port).and_then(|rtp| Ok((rtp, bind(port + 1)?)));
        match pair {
            Ok((rtp, rtcp)) => return Ok((Socket::new(rtp)?, Socket::new(rtcp)?)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// The address family that dissolves a connection.
fn unspecified() -> socket2::SockAddr {
    let storage = socket2::SockAddrStorage::zeroed();
    let len = storage.size_of();
    // SAFETY: all zeroes is a whole `sockaddr` of the family AF_UNSPEC.
    unsafe { socket2::SockAddr::new(storage, len) }
}

fn pairs_in(range: &RangeInclusive<u16>) -> u32 {
    let start = u32::from(*range.start()).next_multiple_of(2);
    (u32::from(*range.end()) + 1).saturating_sub(start) / 2
}

/// The address to write into SDP for sockets bound to `ip`.
pub fn is_advertisable(ip: std::net::IpAddr) -> bool {
    !ip.is_unspecified() && ip != std::net::IpAddr::V4(Ipv4Addr::BROADCAST)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    async fn received(socket: &Socket) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        let arrival = poll_fn(|cx| socket.poll_recv(cx, |_, datagram| datagrams.push(datagram.to_vec())));
        tokio::time::timeout(Duration::from_secs(5), arrival).await.expect("a datagram in time");
        datagrams
    }

    #[tokio::test]
    async fn ports_come_in_pairs() {
        let (rtp, rtcp) = bind_pair(HERE, None).unwrap();
        let (rtp, rtcp) = (rtp.local_addr().unwrap().port(), rtcp.local_addr().unwrap().port());
        assert_eq!((rtp % 2, rtcp), (0, rtp + 1));
    }

    #[tokio::test]
    async fn a_range_is_kept_to() {
        let (held, _neighbour) = bind_pair(HERE, None).unwrap();
        let taken = held.local_addr().unwrap().port();
        let only_taken = taken..=taken + 1;
        assert_eq!(bind_pair(HERE, Some(&only_taken)).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let no_pair = taken + 1..=taken + 1;
        assert_eq!(bind_pair(HERE, Some(&no_pair)).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        drop((held, _neighbour));
        let (rtp, _rtcp) = bind_pair(HERE, Some(&(taken - 1..=taken + 2))).unwrap();
        assert_eq!(rtp.local_addr().unwrap().port(), taken);
    }

    #[tokio::test]
    async fn a_connected_socket_hears_its_peer_alone_and_can_be_freed() {
        let (mut ours, _) = bind_pair(HERE, None).unwrap();
        let here = ours.local_addr().unwrap();
        let (peer, stranger) = (UdpSocket::bind((HERE, 0)).unwrap(), UdpSocket::bind((HERE, 0)).unwrap());
        peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();

        ours.connect(Some(peer.local_addr().unwrap()));
        let _ = stranger.send_to(b"stranger", here);
        peer.send_to(b"peer", here).unwrap();
        assert_eq!(received(&ours).await, [b"peer".to_vec()]);

        assert!(ours.send_to(peer.local_addr().unwrap(), b"hello"));
        let mut buffer = [0; 16];
        assert_eq!(peer.recv_from(&mut buffer).unwrap(), (5, here));

        ours.connect(None);
        assert_eq!(ours.local_addr().unwrap(), here);
        stranger.send_to(b"stranger", here).unwrap();
        assert_eq!(received(&ours).await, [b"stranger".to_vec()]);
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_does_not_break_the_socket() {
        let (mut ours, _) = bind_pair(HERE, None).unwrap();
        let here = ours.local_addr().unwrap();
        let gone = UdpSocket::bind((HERE, 0)).unwrap().local_addr().unwrap();
        ours.connect(Some(gone));
        for _ in 0..3 {
            assert!(ours.send_to(gone, b"anybody?"));
        }
        ours.connect(None);
        UdpSocket::bind((HERE, 0)).unwrap().send_to(b"here", here).unwrap();
        assert_eq!(received(&ours).await, [b"here".to_vec()]);
    }
}

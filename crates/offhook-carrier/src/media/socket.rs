//! The UDP sockets of a leg, with as few system calls as they can do with.
//!
//! They are registered for readability only: epoll would report "writable again" after every datagram sent, a wake-up
//! nobody needs. Towards a far end that stays where it is the socket is connected, which makes a datagram an eighth
//! cheaper. (`recvmmsg`, tried too, costs more than the one `recvfrom` that finds nothing.)

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Longer datagrams are cut off, and then not understood.
const MAX_DATAGRAM: usize = 1_600;

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
        // SAFETY: the `UdpSocket` owns its descriptor and is never replaced while registered.
        let fd = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
        Ok(Self { fd, peer: None })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.fd.get_ref().local_addr()
    }

    /// Hand every datagram that is there to `take`. Pending: there is none, and the task will be woken.
    pub fn poll_recv(&self, cx: &mut Context<'_>, mut take: impl FnMut(SocketAddr, &mut [u8])) -> Poll<()> {
        loop {
            let Ok(mut ready) = std::task::ready!(self.fd.poll_read_ready(cx)) else { return Poll::Pending };
            let mut any = false;
            INBOX.with_borrow_mut(|inbox| {
                loop {
                    match self.fd.get_ref().recv_from(inbox) {
                        Ok((len, from)) => {
                            any = true;
                            take(from, &mut inbox[..len]);
                        }
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        // A port unreachable reported for something we sent: the socket is as good as before.
                        Err(_) => {}
                    }
                }
            });
            ready.clear_ready();
            if any {
                return Poll::Ready(());
            }
        }
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
    /// Where the next call begins to look, so that a port rests before it is used again.
    static NEXT: AtomicU32 = AtomicU32::new(0);

    let bind = |port: u16| UdpSocket::bind((ip, port));
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..ATTEMPTS {
        let first = match ports {
            Some(range) => {
                let pairs = pairs_in(range);
                if pairs == 0 {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "no pair of ports in the range"));
                }
                let turn = NEXT.fetch_add(1, Ordering::Relaxed) % pairs;
                bind(range.start().next_multiple_of(2) + (turn * 2) as u16)
            }
            None => bind(0),
        };
        let pair = first.and_then(|rtp| {
            let port = rtp.local_addr()?.port();
            // An odd port from the system is of no use, but its neighbour may be.
            let (rtp, port) = if port % 2 == 0 { (rtp, port) } else { (bind(port - 1)?, port - 1) };
            Ok((rtp, bind(port + 1)?))
        });
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

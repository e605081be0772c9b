//! The system calls the generator lives on: readiness, batches of datagrams, arrival times stamped by the kernel.
//!
//! Arrivals are stamped when the kernel takes the packet from the gateway, not when the generator gets round to
//! reading it, so that a busy generator does not look like a slow gateway.

use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Nanoseconds since 1970, on the clock the kernel stamps packets with.
pub fn now() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the kernel fills the struct; this clock exists on every Linux.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, time.as_mut_ptr());
        time.assume_init()
    };
    nanos(&time)
}

fn nanos(time: &libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CPU time a process has used, all its threads together.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let (mut clock, mut time) = (0, MaybeUninit::<libc::timespec>::uninit());
    // SAFETY: both calls fill what they are pointed to, and the struct is read only when they did.
    unsafe {
        match libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        checked(libc::clock_gettime(clock, time.as_mut_ptr()))?;
        Ok(Duration::from_nanos(nanos(&time.assume_init())))
    }
}

/// How many cores the machine has, whatever this thread is pinned to.
pub fn cores() -> usize {
    // SAFETY: asks for a number.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1)
}

/// Keep the calling thread, and what it starts, on one core.
pub fn pin(core: usize) -> io::Result<()> {
    // SAFETY: an empty set is a valid one; the kernel reads it for the calling thread.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::CPU_SET(core, &mut set);
        checked(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set))?;
    }
    Ok(())
}

/// Allow as many open files as the system grants this process: a call takes four or five on each side.
pub fn raise_open_files() -> io::Result<u64> {
    // SAFETY: plain structs in and out.
    unsafe {
        let mut limit: libc::rlimit = zeroed();
        checked(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        checked(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
        Ok(limit.rlim_cur)
    }
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn set_option(fd: RawFd, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let (value, size) = ((&raw const value).cast(), size_of::<libc::c_int>() as u32);
    // SAFETY: `value` points to an int of the size given.
    checked(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, value, size) }).map(drop)
}

/// Have the kernel stamp what arrives here.
pub fn stamp_arrivals(socket: &impl AsRawFd) -> io::Result<()> {
    set_option(socket.as_raw_fd(), libc::SO_TIMESTAMPNS, 1)
}

/// A datagram socket with room for bursts.
pub fn roomy(socket: &UdpSocket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    for option in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
        set_option(socket.as_raw_fd(), option, 4 << 20)?;
    }
    // Only root may pass the system's limit; without it there are enough sockets to share the load.
    for option in [libc::SO_RCVBUFFORCE, libc::SO_SNDBUFFORCE] {
        let _ = set_option(socket.as_raw_fd(), option, 4 << 20);
    }
    Ok(())
}

/// Which descriptors are ready; level-triggered.
#[derive(Debug)]
pub struct Poll {
    epoll: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

/// A descriptor that is ready, by the token it was added with.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub token: u64,
    pub readable: bool,
    pub writable: bool,
}

impl Poll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new descriptor that nobody else owns.
        let epoll = unsafe { OwnedFd::from_raw_fd(checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        Ok(Self { epoll, ready: Vec::with_capacity(1_024) })
    }

    pub fn add(&self, fd: &impl AsRawFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, false)
    }

    /// Whether to be told, too, when there is room to write.
    pub fn want_room(&self, fd: &impl AsRawFd, token: u64, wanted: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, wanted)
    }

    fn control(&self, op: libc::c_int, fd: &impl AsRawFd, token: u64, room: bool) -> io::Result<()> {
        let events = libc::EPOLLIN | if room { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        // SAFETY: both descriptors are open, and the event is only read.
        checked(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), op, fd.as_raw_fd(), &mut event) }).map(drop)
    }

    /// What is ready now or, when `sleep`, soon.
    pub fn wait(&mut self, into: &mut Vec<Ready>, sleep: bool) -> io::Result<()> {
        let patience_ms = if sleep { 100 } else { 0 };
        into.clear();
        // SAFETY: the kernel writes at most `capacity` events, and says how many.
        unsafe {
            let (events, room) = (self.ready.as_mut_ptr(), self.ready.capacity() as libc::c_int);
            let count = match checked(libc::epoll_wait(self.epoll.as_raw_fd(), events, room, patience_ms)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                count => count?,
            };
            self.ready.set_len(count as usize);
        }
        let hung_up = (libc::EPOLLHUP | libc::EPOLLERR) as u32;
        into.extend(self.ready.iter().map(|event| Ready {
            token: event.u64,
            readable: event.events & (libc::EPOLLIN as u32 | hung_up) != 0,
            writable: event.events & libc::EPOLLOUT as u32 != 0,
        }));
        Ok(())
    }
}

/// Becomes readable at a steady beat.
#[derive(Debug)]
pub struct Beat(OwnedFd);

impl Beat {
    pub fn every(period: Duration) -> io::Result<Self> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: a new descriptor that nobody else owns; the struct is only read.
        unsafe {
            let fd = OwnedFd::from_raw_fd(checked(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags))?);
            let period = libc::timespec { tv_sec: 0, tv_nsec: period.as_nanos() as libc::c_long };
            let spec = libc::itimerspec { it_interval: period, it_value: period };
            checked(libc::timerfd_settime(fd.as_raw_fd(), 0, &spec, std::ptr::null_mut()))?;
            Ok(Self(fd))
        }
    }

    pub fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: eight bytes are what a timer gives.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsRawFd for Beat {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

const BATCH: usize = 64;
const DATAGRAM: usize = 512;
/// Room for a control message with a timestamp.
const CONTROL: usize = 64;

/// Where batches of datagrams arrive.
#[derive(Debug)]
pub struct Inbox {
    datagrams: Vec<[u8; DATAGRAM]>,
    controls: Vec<[u64; CONTROL / 8]>,
    froms: Vec<libc::sockaddr_in>,
}

impl Inbox {
    pub fn new() -> Self {
        Self {
            datagrams: vec![[0; DATAGRAM]; BATCH],
            controls: vec![[0; CONTROL / 8]; BATCH],
            // SAFETY: all zeroes is a valid address struct.
            froms: vec![unsafe { zeroed() }; BATCH],
        }
    }

    /// Hand what has arrived to `take`, with the port it came from and when.
    pub fn receive(&mut self, socket: &UdpSocket, mut take: impl FnMut(u16, u64, &[u8])) {
        loop {
            let count = self.fill(socket, &mut take);
            if count < BATCH {
                return;
            }
        }
    }

    fn fill(&mut self, socket: &UdpSocket, take: &mut impl FnMut(u16, u64, &[u8])) -> usize {
        // SAFETY: all zeroes is a valid header, and every pointer set here outlives the call.
        let mut vectors: [libc::iovec; BATCH] = unsafe { zeroed() };
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
        for index in 0..BATCH {
            vectors[index].iov_base = self.datagrams[index].as_mut_ptr().cast();
            vectors[index].iov_len = DATAGRAM;
            let header = &mut messages[index].msg_hdr;
            header.msg_iov = &mut vectors[index];
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut self.froms[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
            header.msg_control = self.controls[index].as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
        }
        let (fd, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT);
        // SAFETY: as above; the kernel writes within the lengths given.
        let count = unsafe {
            libc::recvmmsg(fd, messages.as_mut_ptr(), BATCH as u32, flags as _, std::ptr::null_mut())
        };
        let count = usize::try_from(count).unwrap_or(0);
        for (index, message) in messages[..count].iter().enumerate() {
            let arrived_at = stamp(&message.msg_hdr).unwrap_or_else(now);
            let port = u16::from_be(self.froms[index].sin_port);
            let len = (message.msg_len as usize).min(DATAGRAM);
            take(port, arrived_at, &self.datagrams[index][..len]);
        }
        count
    }
}

/// The kernel's time of arrival.
fn stamp(header: &libc::msghdr) -> Option<u64> {
    // SAFETY: the header was filled by the kernel, which keeps control messages well-formed.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = control.as_ref() {
            if message.cmsg_level == libc::SOL_SOCKET && message.cmsg_type == libc::SCM_TIMESTAMPNS {
                return Some(nanos(&libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned()));
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    None
}

/// Read from a stream, with the arrival of the last byte read. `None`: nothing there; a length of zero: it is closed.
pub fn read_stamped(stream: &impl AsRawFd, into: &mut [u8]) -> io::Result<Option<(usize, u64)>> {
    let mut control = [0u64; CONTROL / 8];
    let mut vector = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    // SAFETY: all zeroes is a valid header, and every pointer set here outlives the call.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &mut vector;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = CONTROL as _;
        let len = libc::recvmsg(stream.as_raw_fd(), &mut header, libc::MSG_DONTWAIT);
        match usize::try_from(len) {
            Ok(len) => Ok(Some((len, stamp(&header).unwrap_or_else(now)))),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                error => Err(error),
            },
        }
    }
}

/// The RTP packet of one frame of G.711.
pub const PACKET: usize = 12 + 160;

/// Datagrams that leave together.
#[derive(Debug, Default)]
pub struct Outbox {
    packets: Vec<[u8; PACKET]>,
    to: Vec<libc::sockaddr_in>,
}

impl Outbox {
    pub fn push(&mut self, to: SocketAddrV4, packet: [u8; PACKET]) {
        self.packets.push(packet);
        self.to.push(address(to));
    }

    /// Send everything; how many the socket took.
    pub fn send(&mut self, socket: &UdpSocket) -> usize {
        let mut sent = 0;
        for (packets, to) in self.packets.chunks_mut(BATCH).zip(self.to.chunks_mut(BATCH)) {
            sent += send_batch(socket, packets, to);
        }
        self.packets.clear();
        self.to.clear();
        sent
    }
}

fn send_batch(socket: &UdpSocket, packets: &mut [[u8; PACKET]], to: &mut [libc::sockaddr_in]) -> usize {
    // SAFETY: all zeroes is a valid header, and every pointer set here outlives the call.
    let mut vectors: [libc::iovec; BATCH] = unsafe { zeroed() };
    let mut messages: [libc::mmsghdr; BATCH] = unsafe { zeroed() };
    let count = packets.len();
    for (index, packet) in packets.iter_mut().enumerate() {
        vectors[index] = libc::iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: PACKET };
        let header = &mut messages[index].msg_hdr;
        header.msg_iov = &mut vectors[index];
        header.msg_iovlen = 1;
        header.msg_name = (&raw mut to[index]).cast();
        header.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
    }
    let mut sent = 0;
    while sent < count {
        let (rest, len) = (messages[sent..].as_mut_ptr(), (count - sent) as u32);
        // SAFETY: as above.
        let done = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest, len, 0) };
        match usize::try_from(done) {
            Ok(done) if done > 0 => sent += done,
            _ => break,
        }
    }
    sent
}

fn address(to: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as _,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.ip().octets()) },
        sin_zero: [0; 8],
    }
}

/// Where everything of the bench listens.
pub const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_arrive_whole_with_port_and_time() {
        let (far, near) = (UdpSocket::bind((HERE, 0)).unwrap(), UdpSocket::bind((HERE, 0)).unwrap());
        for socket in [&far, &near] {
            roomy(socket).unwrap();
        }
        stamp_arrivals(&near).unwrap();
        let port = near.local_addr().unwrap().port();
        let mut outbox = Outbox::default();
        for number in 0..100u8 {
            outbox.push(SocketAddrV4::new(HERE, port), [number; PACKET]);
        }
        let sent_at = now();
        assert_eq!(outbox.send(&far), 100);
        let mut arrived = Vec::new();
        Inbox::new().receive(&near, |from, at, datagram| {
            assert_eq!((from, datagram.len()), (far.local_addr().unwrap().port(), PACKET));
            assert!((sent_at..=now()).contains(&at));
            arrived.push(datagram[0]);
        });
        assert_eq!(arrived, (0..100).collect::<Vec<u8>>());
    }

    #[test]
    fn streams_are_stamped_too() {
        use std::io::Write as _;
        use std::net::{TcpListener, TcpStream};
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        stamp_arrivals(&far).unwrap();
        let mut buffer = [0; 16];
        assert!(read_stamped(&far, &mut buffer).unwrap().is_none());
        let sent_at = now();
        near.write_all(b"hello").unwrap();
        let (len, at) = read_stamped(&far, &mut buffer).unwrap().unwrap();
        assert_eq!(&buffer[..len], b"hello");
        assert!((sent_at..=now()).contains(&at));
        drop(near);
        assert_eq!(read_stamped(&far, &mut buffer).unwrap().map(|(len, _)| len), Some(0));
    }
}

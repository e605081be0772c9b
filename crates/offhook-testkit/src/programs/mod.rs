//! Other people's programs as children of a test: started, waited for, and ended with it.

pub mod baresip;

use std::net::UdpSocket;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The Debian packages of the programs the tests talk to.
const PACKAGES: [(&str, &str); 4] =
    [("sipp", "sip-tester"), ("baresip", "baresip"), ("flite", "flite"), ("openssl", "openssl")];

/// A command that dies with the test.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// Start it, or fail with what to install.
pub fn start(command: &mut Command) -> Child {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    command.spawn().unwrap_or_else(|error| {
        let package = PACKAGES.iter().find(|(name, _)| *name == program).map_or("", |(_, package)| package);
        panic!("{program} can't be started ({error}); it is in the Debian package {package}")
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Udp,
    Tcp,
}

/// A port that nobody uses at the moment.
pub fn free_port(protocol: Protocol) -> u16 {
    let addr = match protocol {
        Protocol::Udp => UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()),
        Protocol::Tcp => std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()),
    };
    addr.expect("a free port").port()
}

/// Whether a socket of this machine is bound to the port; for TCP, listens on it.
pub fn is_open(protocol: Protocol, port: u16) -> bool {
    let tables = match protocol {
        Protocol::Udp => ["/proc/net/udp", "/proc/net/udp6"],
        Protocol::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
    };
    tables.iter().any(|table| {
        sockets(Path::new(table))
            .any(|socket| socket.port == port && (protocol == Protocol::Udp || socket.state == LISTENING))
    })
}

const LISTENING: u8 = 0x0a;

/// A line of the kernel's socket table.
#[derive(Clone, Copy, Debug)]
pub struct BoundSocket {
    pub port: u16,
    pub state: u8,
    pub inode: u64,
}

pub fn sockets(table: &Path) -> impl Iterator<Item = BoundSocket> + use<> {
    let text = std::fs::read_to_string(table).unwrap_or_default();
    let sockets: Vec<_> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let port = u16::from_str_radix(fields.next()?.rsplit(':').next()?, 16).ok()?;
            let state = u8::from_str_radix(fields.nth(1)?, 16).ok()?;
            Some(BoundSocket { port, state, inode: fields.nth(5)?.parse().ok()? })
        })
        .collect();
    sockets.into_iter()
}

/// Look again and again until it is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut look = interval(Duration::from_millis(5));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let seen = timeout(PATIENCE, async {
        while !is_so() {
            look.tick().await;
        }
    });
    seen.await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

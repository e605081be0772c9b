//! How a SIP carrier is set up. The gateway fills this from its own configuration.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use offhook_core::PhoneNumber;
use secrecy::SecretString;

use super::digest::Credentials;
use super::network::Network;
use super::transaction::Timing;
use crate::media::{MediaConfig, SrtpPolicy};

#[derive(Clone, Debug)]
pub struct SipConfig {
    pub listen: Vec<Listen>,
    /// The address far ends reach us at, where it is not the one we bind (NAT).
    pub public_ip: Option<IpAddr>,
    /// Asked instead of the system's, if there are any.
    pub nameservers: Vec<SocketAddr>,
    pub trunks: Vec<Trunk>,
    pub lines: Vec<LineConfig>,
    pub rtp: MediaConfig,
    /// Calls that are not answered yet, both ways; past it an inbound call gets 503.
    pub max_pending: usize,
    /// All calls; past it an inbound call gets 503.
    pub max_calls: usize,
    pub inbound: Inbound,
    /// The RFC's timers; only tests have a reason to change them.
    pub timing: Timing,
}

#[derive(Clone, Debug)]
pub struct Listen {
    pub transport: Transport,
    pub addr: SocketAddr,
    /// Certificate chain and key, for TLS only.
    pub identity: Option<TlsIdentity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

#[derive(Clone, Debug)]
pub struct TlsIdentity {
    pub certificates_pem: Vec<u8>,
    pub key_pem: SecretString,
}

/// From whom calls are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// From the addresses of our trunks and from these.
    Trunks {
        also: Vec<Network>,
    },
    /// From anybody who can reach the port. Scanners will.
    Anybody,
    Nobody,
}

/// A SIP peer that carries our calls.
#[derive(Clone)]
pub struct Trunk {
    pub name: String,
    pub server: Server,
    /// Every request goes here instead of to the server itself.
    pub outbound_proxy: Option<Server>,
    pub username: Option<String>,
    /// Where it differs from `username`.
    pub auth_username: Option<String>,
    pub password: Option<SecretString>,
    /// Answer only challenges of this realm.
    pub realm: Option<String>,
    pub from_user: FromUser,
    pub identity: Identity,
    pub number_format: NumberFormat,
    pub register: bool,
    /// How long a registration is asked to last.
    pub expires: Duration,
    pub options_keepalive: Option<Duration>,
    pub session_timer: Option<Duration>,
    pub srtp: SrtpPolicy,
    pub tls: TlsTrust,
}

/// Whom the From header of a call names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromUser {
    /// The number of the line.
    Number,
    /// The user name of the trunk's account.
    Account,
    /// Nobody (RFC 3323); the number goes to the trunk alone, by [`Identity`].
    Anonymous,
}

/// Which header besides From tells the trunk the number of the line (RFC 3325).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// None.
    From,
    /// `P-Asserted-Identity`: the trunk trusts what we say.
    Asserted,
    /// `P-Preferred-Identity`: the trunk chooses among the numbers it knows us by.
    Preferred,
}

/// How a trunk writes the numbers of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+14155550100`.
    PlusE164,
    /// `14155550100`.
    Digits,
}

/// `host`, `host:port`, `host:port;transport=tcp`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    pub host: String,
    pub port: Option<u16>,
    pub transport: Option<Transport>,
}

/// How a trunk's certificate is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsTrust {
    /// The certificates the system trusts.
    System,
    /// Only what these certificates have signed.
    Roots { pem: Vec<u8> },
    /// Any certificate: nobody who listens in is kept out.
    Insecure,
}

/// One of our numbers.
#[derive(Clone, Debug)]
pub struct LineConfig {
    pub number: PhoneNumber,
    pub display_name: Option<String>,
    /// The name of its trunk.
    pub trunk: String,
    pub max_calls: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SIP server is written host, host:port or host:port;transport=udp|tcp|tls")]
pub struct ParseServerError;

impl SipConfig {
    /// One trunk, one listening address, everything else as a user would want it.
    pub fn new(listen: Listen, trunk: Trunk, lines: Vec<LineConfig>) -> Self {
        let rtp = MediaConfig::new(listen.addr.ip());
        Self {
            listen: vec![listen],
            public_ip: None,
            nameservers: Vec::new(),
            trunks: vec![trunk],
            lines,
            rtp,
            max_pending: 200,
            max_calls: 2_000,
            inbound: Inbound::Trunks { also: Vec::new() },
            timing: Timing::default(),
        }
    }
}

impl Listen {
    pub fn udp(addr: SocketAddr) -> Self {
        Self { transport: Transport::Udp, addr, identity: None }
    }

    pub fn tcp(addr: SocketAddr) -> Self {
        Self { transport: Transport::Tcp, addr, identity: None }
    }

    pub fn tls(addr: SocketAddr, identity: TlsIdentity) -> Self {
        Self { transport: Transport::Tls, addr, identity: Some(identity) }
    }
}

impl Trunk {
    /// A peer that knows us by our address: no account, no registration.
    pub fn peer(name: impl Into<String>, server: Server) -> Self {
        Self {
            name: name.into(),
            server,
            outbound_proxy: None,
            username: None,
            auth_username: None,
            password: None,
            realm: None,
            from_user: FromUser::Number,
            identity: Identity::From,
            number_format: NumberFormat::PlusE164,
            register: false,
            expires: Duration::from_secs(3_600),
            options_keepalive: None,
            session_timer: Some(Duration::from_secs(1_800)),
            srtp: SrtpPolicy::Off,
            tls: TlsTrust::System,
        }
    }

    /// Where requests that belong to no dialog go.
    pub fn hop(&self) -> &Server {
        self.outbound_proxy.as_ref().unwrap_or(&self.server)
    }

    pub(super) fn credentials(&self) -> Option<Credentials> {
        Some(Credentials {
            username: self.auth_username.clone().or_else(|| self.username.clone())?,
            password: self.password.clone()?,
            realm: self.realm.clone(),
        })
    }
}

/// Without the account: its name is a telephone number as often as not.
impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, server, register, .. } = self;
        f.debug_struct("Trunk")
            .field("name", name)
            .field("server", server)
            .field("register", register)
            .finish_non_exhaustive()
    }
}

impl Transport {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "udp" => Some(Self::Udp),
            "tcp" => Some(Self::Tcp),
            "tls" => Some(Self::Tls),
            _ => None,
        }
    }
}

impl std::str::FromStr for Server {
    type Err = ParseServerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (secure, rest) = match text.split_once(':') {
            Some(("sips", rest)) => (true, rest),
            Some(("sip", rest)) => (false, rest),
            _ => (false, text),
        };
        let (address, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = super::uri::split_host_port(address).ok_or(ParseServerError)?;
        if host.contains(|c: char| c.is_whitespace() || "@/<>\"".contains(c)) {
            return Err(ParseServerError);
        }
        let mut transport = secure.then_some(Transport::Tls);
        for param in params.split(';').filter(|param| !param.is_empty()) {
            match param.split_once('=') {
                Some(("transport", name)) => {
                    transport = Some(Transport::parse(name).ok_or(ParseServerError)?)
                }
                _ if param == "lr" => {}
                _ => return Err(ParseServerError),
            }
        }
        Ok(Self { host: host.to_ascii_lowercase(), port, transport })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(transport) => write!(f, ";transport={}", transport.name().to_ascii_lowercase()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        for (text, host, port, transport) in [
            ("sip.example.com", "sip.example.com", None, None),
            ("SIP.example.com:5080", "sip.example.com", Some(5080), None),
            ("127.0.0.1:5060;transport=tcp", "127.0.0.1", Some(5060), Some(Transport::Tcp)),
            ("[::1]:5061;transport=TLS;lr", "::1", Some(5061), Some(Transport::Tls)),
            ("sips:example.com", "example.com", None, Some(Transport::Tls)),
        ] {
            let server: Server = text.parse().expect(text);
            assert_eq!(
                (server.host.as_str(), server.port, server.transport),
                (host, port, transport),
                "{text}"
            );
            assert_eq!(server.to_string().parse::<Server>().unwrap(), server);
        }
        for bad in ["", "a b", "sip:user@host", "host:port", "host;transport=sctp", "host;x=y"] {
            assert!(bad.parse::<Server>().is_err(), "{bad:?}");
        }
    }
}

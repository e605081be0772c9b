//! Where a server really is (RFC 3263): NAPTR and SRV records and addresses, best first. IP literals need no asking.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::config::{Server, Transport};

/// For all questions about one server.
const PATIENCE: Duration = Duration::from_secs(8);
/// For one of them.
const QUESTION_PATIENCE: Duration = Duration::from_secs(2);

/// One place to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub transport: Transport,
    pub addr: SocketAddr,
    /// The name a certificate must be for (RFC 5922: the domain asked for, not the SRV target).
    pub server_name: String,
    /// Tried for one long request in place of the datagrams the server is known for (RFC 3261 §18.1.1).
    pub stands_in: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    #[error("no address is known for {0}; check the name and the DNS")]
    NoAddress(String),
    #[error("the DNS did not answer for {0} in time")]
    TimedOut(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    priority: u16,
    weight: u16,
    port: u16,
    host: String,
}

impl Target {
    pub fn new(transport: Transport, addr: SocketAddr, server_name: &str) -> Self {
        Self { transport, addr, server_name: server_name.to_owned(), stands_in: false }
    }

    /// The same address by TCP, for a request that is too long for a datagram.
    pub fn by_stream(&self) -> Self {
        Self { transport: Transport::Tcp, stands_in: true, ..self.clone() }
    }
}

/// The one target of a server given by address; `None` when the DNS has to be asked.
pub fn literal(server: &Server) -> Option<Target> {
    let ip: IpAddr = server.host.parse().ok()?;
    let transport = server.transport.unwrap_or(Transport::Udp);
    let addr = SocketAddr::new(ip, server.port.unwrap_or(transport.default_port()));
    Some(Target::new(transport, addr, &server.host))
}

/// Whom we ask. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    dns: Option<TokioResolver>,
    /// Whether addresses are looked up as every program of this machine does: hosts file, mDNS and all.
    system: bool,
}

impl Resolver {
    /// `nameservers` are asked instead of those of the system, if there are any.
    pub fn new(nameservers: &[SocketAddr]) -> Self {
        let system = nameservers.is_empty();
        let builder = match system {
            true => TokioResolver::builder_tokio().ok(),
            false => {
                let servers = nameservers.iter().map(nameserver).collect();
                let config = ResolverConfig::from_name_servers(servers);
                Some(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
            }
        };
        let dns = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = QUESTION_PATIENCE;
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build().ok()
        });
        Self { dns, system }
    }

    pub async fn resolve(&self, server: Server) -> Result<Vec<Target>, ResolveError> {
        if let Some(target) = literal(&server) {
            return Ok(vec![target]);
        }
        match tokio::time::timeout(PATIENCE, self.look_up(&server)).await {
            Ok(targets) if targets.is_empty() => Err(ResolveError::NoAddress(server.host)),
            Ok(targets) => Ok(targets),
            Err(_) => Err(ResolveError::TimedOut(server.host)),
        }
    }

    async fn look_up(&self, server: &Server) -> Vec<Target> {
        // A port says that the administrator wants this very host (RFC 3263 §4.2).
        if server.port.is_none() {
            for (transport, name) in self.service_names(server).await {
                let mut targets = Vec::new();
                for service in self.services(&name).await {
                    let found = self.addresses(&service.host, service.port, transport, &server.host).await;
                    targets.extend(found);
                }
                if !targets.is_empty() {
                    return targets;
                }
            }
        }
        let transport = server.transport.unwrap_or(Transport::Udp);
        let port = server.port.unwrap_or(transport.default_port());
        self.addresses(&server.host, port, transport, &server.host).await
    }

    /// Where to ask for services: where the domain says (NAPTR, RFC 3263 §4.1), or else under the usual names.
    async fn service_names(&self, server: &Server) -> Vec<(Transport, String)> {
        let usual = |transport: Transport| (transport, format!("{}.{}.", prefix(transport), server.host));
        if let Some(transport) = server.transport {
            return vec![usual(transport)];
        }
        let published = self.published(&server.host).await;
        match published.is_empty() {
            true => [Transport::Udp, Transport::Tcp, Transport::Tls].map(usual).to_vec(),
            false => published,
        }
    }

    async fn published(&self, domain: &str) -> Vec<(Transport, String)> {
        let Some(dns) = &self.dns else { return Vec::new() };
        let Ok(answer) = dns.lookup(format!("{domain}."), RecordType::NAPTR).await else { return Vec::new() };
        let mut rules: Vec<_> = answer
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::NAPTR(rule) if rule.flags.eq_ignore_ascii_case(b"s") => {
                    let transport = match rule.services.to_ascii_uppercase().as_slice() {
                        b"SIP+D2U" => Transport::Udp,
                        b"SIP+D2T" => Transport::Tcp,
                        b"SIPS+D2T" => Transport::Tls,
                        _ => return None,
                    };
                    Some(((rule.order, rule.preference), transport, rule.replacement.to_utf8()))
                }
                _ => None,
            })
            .collect();
        rules.sort_by_key(|(order, ..)| *order);
        rules.into_iter().map(|(_, transport, name)| (transport, name)).collect()
    }

    async fn services(&self, name: &str) -> Vec<Service> {
        let Some(dns) = &self.dns else { return Vec::new() };
        let Ok(answer) = dns.srv_lookup(name).await else { return Vec::new() };
        let found = answer
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(Service {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    host: host_name(&srv.target),
                }),
                _ => None,
            })
            // A single dot says that there is no such service (RFC 2782).
            .filter(|service| !service.host.is_empty())
            .collect();
        order(found, |below| rand::random_range(0..below))
    }

    async fn addresses(&self, host: &str, port: u16, transport: Transport, server_name: &str) -> Vec<Target> {
        let mut addrs: Vec<SocketAddr> = match &self.dns {
            Some(dns) if !self.system => match dns.lookup_ip(format!("{host}.")).await {
                Ok(found) => found.iter().map(|ip| SocketAddr::new(ip, port)).collect(),
                Err(_) => return Vec::new(),
            },
            _ => match tokio::net::lookup_host((host, port)).await {
                Ok(found) => found.collect(),
                Err(_) => return Vec::new(),
            },
        };
        addrs.sort_by_key(SocketAddr::is_ipv6);
        addrs.dedup();
        addrs.into_iter().map(|addr| Target::new(transport, addr, server_name)).collect()
    }
}

fn nameserver(addr: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = addr.port();
        connection
    });
    NameServerConfig::new(addr.ip(), true, connections.into())
}

fn prefix(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    }
}

fn host_name(name: &Name) -> String {
    name.to_utf8().trim_end_matches('.').to_owned()
}

/// Lowest priority first; within one, weighted by chance (RFC 2782). `dice(n)` gives a number below `n`.
fn order(mut services: Vec<Service>, mut dice: impl FnMut(u32) -> u32) -> Vec<Service> {
    services.sort_by_key(|service| (service.priority, service.weight));
    let mut ordered = Vec::with_capacity(services.len());
    while let Some(priority) = services.first().map(|service| service.priority) {
        let same = services.iter().take_while(|service| service.priority == priority).count();
        let total: u32 = services[..same].iter().map(|service| u32::from(service.weight)).sum();
        let mut drawn = dice(total + 1);
        let chosen = services[..same]
            .iter()
            .position(|service| match drawn.checked_sub(u32::from(service.weight)) {
                Some(rest) if rest > 0 => {
                    drawn = rest;
                    false
                }
                _ => true,
            })
            .unwrap_or(same - 1);
        ordered.push(services.remove(chosen));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_ordered_by_priority_and_drawn_by_weight() {
        let service =
            |priority, weight, host: &str| Service { priority, weight, port: 5060, host: host.into() };
        let all = vec![service(20, 0, "backup"), service(10, 90, "big"), service(10, 10, "small")];
        for (drawn, expected) in [(0, ["small", "big", "backup"]), (100, ["big", "small", "backup"])] {
            let hosts: Vec<_> =
                order(all.clone(), |below| drawn.min(below - 1)).into_iter().map(|s| s.host).collect();
            assert_eq!(hosts, expected, "drawn {drawn}");
        }
    }

    #[tokio::test]
    async fn an_address_is_its_own_answer() {
        for (text, transport, addr) in [
            ("127.0.0.1", Transport::Udp, "127.0.0.1:5060"),
            ("127.0.0.1;transport=tls", Transport::Tls, "127.0.0.1:5061"),
            ("[::1]:5080;transport=tcp", Transport::Tcp, "[::1]:5080"),
        ] {
            let targets = Resolver::new(&[]).resolve(text.parse().unwrap()).await.unwrap();
            assert_eq!(targets.len(), 1);
            assert_eq!((targets[0].transport, targets[0].addr), (transport, addr.parse().unwrap()), "{text}");
        }
    }
}

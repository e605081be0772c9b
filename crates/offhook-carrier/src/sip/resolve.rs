//! Where a server really is (RFC 3263): SRV records and addresses, best first. IP literals need no asking.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;

use super::config::{Server, Transport};

const PATIENCE: Duration = Duration::from_secs(8);

/// One place to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub transport: Transport,
    pub addr: SocketAddr,
    /// The name a certificate must be for (RFC 5922: the domain asked for, not the SRV target).
    pub server_name: String,
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

/// The one target of a server given by address; `None` when the DNS has to be asked.
pub fn literal(server: &Server) -> Option<Target> {
    let ip: IpAddr = server.host.parse().ok()?;
    let transport = server.transport.unwrap_or(Transport::Udp);
    let addr = SocketAddr::new(ip, server.port.unwrap_or(transport.default_port()));
    Some(Target { transport, addr, server_name: server.host.clone() })
}

pub async fn resolve(server: Server) -> Result<Vec<Target>, ResolveError> {
    if let Some(target) = literal(&server) {
        return Ok(vec![target]);
    }
    let host = server.host.clone();
    match tokio::time::timeout(PATIENCE, lookup(server)).await {
        Ok(targets) if targets.is_empty() => Err(ResolveError::NoAddress(host)),
        Ok(targets) => Ok(targets),
        Err(_) => Err(ResolveError::TimedOut(host)),
    }
}

async fn lookup(server: Server) -> Vec<Target> {
    // A port says that the administrator wants this very host (RFC 3263 §4.2).
    if server.port.is_none() {
        let wanted: &[Transport] = match &server.transport {
            Some(transport) => std::slice::from_ref(transport),
            None => &[Transport::Udp, Transport::Tcp, Transport::Tls],
        };
        for transport in wanted {
            let services = services(&server.host, *transport).await;
            let mut targets = Vec::new();
            for service in services {
                targets.extend(addresses(&service.host, service.port, *transport, &server.host).await);
            }
            if !targets.is_empty() {
                return targets;
            }
        }
    }
    let transport = server.transport.unwrap_or(Transport::Udp);
    addresses(&server.host, server.port.unwrap_or(transport.default_port()), transport, &server.host).await
}

async fn addresses(host: &str, port: u16, transport: Transport, server_name: &str) -> Vec<Target> {
    let Ok(found) = tokio::net::lookup_host((host, port)).await else { return Vec::new() };
    let mut addrs: Vec<SocketAddr> = found.collect();
    addrs.sort_by_key(SocketAddr::is_ipv6);
    addrs.dedup();
    addrs.into_iter().map(|addr| Target { transport, addr, server_name: server_name.to_owned() }).collect()
}

async fn services(domain: &str, transport: Transport) -> Vec<Service> {
    static RESOLVER: OnceLock<Option<TokioResolver>> = OnceLock::new();
    let resolver = RESOLVER.get_or_init(|| TokioResolver::builder_tokio().ok()?.build().ok());
    let Some(resolver) = resolver else { return Vec::new() };
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    let Ok(answer) = resolver.srv_lookup(format!("{prefix}.{domain}.")).await else { return Vec::new() };
    let found = answer
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Service {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                host: srv.target.to_utf8().trim_end_matches('.').to_owned(),
            }),
            _ => None,
        })
        .filter(|service| !service.host.is_empty())
        .collect();
    order(found, |below| rand::random_range(0..below))
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
            let targets = resolve(text.parse().unwrap()).await.unwrap();
            assert_eq!(targets.len(), 1);
            assert_eq!((targets[0].transport, targets[0].addr), (transport, addr.parse().unwrap()), "{text}");
        }
    }
}

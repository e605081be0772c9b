//! Where a webhook may be sent: to public addresses, and to those the operator allows.
//!
//! Whoever may place a call chooses an address that this server then connects to: without these rules it could be made
//! to speak to machines only it can reach. So the address is judged that a socket is connected to, not the name that
//! was written: names are resolved here, and what they resolve to is what is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use offhook_carrier::sip::Network;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Nobody needs more.
const LONGEST: usize = 2_048;

const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Which addresses may be reached, and how.
#[derive(Clone, Debug)]
pub struct Reach {
    allow_http: bool,
    allowed: Arc<[Network]>,
}

/// What is wrong with the address of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("must be an address such as https://example.com/hook")]
    Malformed,
    #[error("is longer than {LONGEST} characters")]
    TooLong,
    #[error("must begin with https://; http:// only reaches this machine, e.g. http://127.0.0.1:9000/hook")]
    NotSecure,
    #[error("must not hold a user name or a password; the signature says who is calling")]
    Credentials,
    #[error("must not have a fragment (#…): it is never sent")]
    Fragment,
    #[error("is no public address; the operator can allow it with webhooks.allowed_addrs")]
    Private,
}

/// A name has no address that may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its name leads to no public address; the operator can allow others with webhooks.allowed_addrs")]
pub struct NoAddress;

impl Reach {
    pub fn new(allow_http: bool, allowed: Vec<Network>) -> Self {
        Self { allow_http, allowed: allowed.into() }
    }

    pub fn permits(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_public(ip) || self.allowed.iter().any(|network| network.contains(ip))
    }

    /// An address that may be tried. A name is judged when it is resolved, by [`Self::resolver`].
    pub fn check(&self, text: &str) -> Result<Url, UrlError> {
        if text.len() > LONGEST {
            return Err(UrlError::TooLong);
        }
        let url: Url = text.trim().parse().map_err(|_| UrlError::Malformed)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(UrlError::Malformed)?;
        // A number, however it was written, is an address by now.
        let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http || is_this_machine(host, ip) => {}
            "http" => return Err(UrlError::NotSecure),
            _ => return Err(UrlError::Malformed),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let reachable = match ip {
            Some(ip) => self.permits(ip),
            None if is_this_machine(host, None) => LOOPBACK.into_iter().any(|ip| self.permits(ip)),
            None => true,
        };
        if reachable { Ok(url) } else { Err(UrlError::Private) }
    }

    /// Resolves names to the addresses that may be reached, and to no others.
    pub fn resolver(&self) -> Arc<Resolver> {
        Arc::new(Resolver(self.clone()))
    }
}

/// See [`Reach::resolver`].
#[derive(Clone, Debug)]
pub struct Resolver(Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found.filter(|addr| reach.permits(addr.ip())).collect();
            if permitted.is_empty() {
                return Err(NoAddress.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

fn is_this_machine(host: &str, ip: Option<IpAddr>) -> bool {
    ip.map_or(host == "localhost" || host.ends_with(".localhost"), |ip| ip.to_canonical().is_loopback())
}

/// Whether an address is one of the open Internet, by the special-purpose registries of IANA.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let is_special = matches!(
        ip.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    );
    !is_special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // An address of the other family behind a translator (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        // Documentation, IETF assignments with Teredo among them, 6to4.
        [0x2001, 0xdb8, ..] | [0x2001, 0..=0x1ff, ..] | [0x2002, ..] => false,
        [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(allow_http: bool, allowed: &[&str]) -> Reach {
        Reach::new(allow_http, allowed.iter().map(|network| network.parse().unwrap()).collect())
    }

    #[test]
    fn what_is_public() {
        for (ip, expected) in [
            ("93.184.216.34", true),
            ("8.8.8.8", true),
            ("172.32.0.1", true),
            ("100.128.0.1", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("198.51.100.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:2800:220:1::1", true),
            ("64:ff9b::808:808", true),
            ("64:ff9b::a00:1", false),
            ("64:ff9b:1::808:808", false),
            ("::", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("::7f00:1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:a00:1::1", false),
            ("3fff::1", false),
        ] {
            assert_eq!(reach(false, &[]).permits(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn what_the_operator_allows_may_be_reached_too() {
        let reach = reach(false, &["10.0.0.0/8", "::1"]);
        for (ip, expected) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("::1", true),
            ("127.0.0.1", false),
            ("192.168.0.1", false),
        ] {
            assert_eq!(reach.permits(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn addresses_of_webhooks() {
        let (strict, open) = (reach(false, &[]), reach(true, &["127.0.0.0/8"]));
        for (url, in_strict, in_open) in [
            ("https://example.com/hook?token=1", None, None),
            ("https://example.com:8443/", None, None),
            ("https://93.184.216.34/hook", None, None),
            ("http://example.com/hook", Some(UrlError::NotSecure), None),
            ("http://localhost:9000/", Some(UrlError::Private), None),
            ("http://127.0.0.1:9000/", Some(UrlError::Private), None),
            ("https://127.0.0.1/", Some(UrlError::Private), None),
            ("https://0x7f.1/", Some(UrlError::Private), None),
            ("https://2130706433/", Some(UrlError::Private), None),
            ("https://[::1]/", Some(UrlError::Private), Some(UrlError::Private)),
            ("https://[::ffff:127.0.0.1]/", Some(UrlError::Private), None),
            ("https://169.254.169.254/latest/", Some(UrlError::Private), Some(UrlError::Private)),
            ("https://user:pass@example.com/", Some(UrlError::Credentials), Some(UrlError::Credentials)),
            ("https://example.com/#top", Some(UrlError::Fragment), Some(UrlError::Fragment)),
            ("ftp://example.com/", Some(UrlError::Malformed), Some(UrlError::Malformed)),
            ("file:///etc/passwd", Some(UrlError::Malformed), Some(UrlError::Malformed)),
            ("example.com/hook", Some(UrlError::Malformed), Some(UrlError::Malformed)),
            ("https://", Some(UrlError::Malformed), Some(UrlError::Malformed)),
        ] {
            assert_eq!(strict.check(url).err(), in_strict, "{url}");
            assert_eq!(open.check(url).err(), in_open, "{url}");
        }
        let long = format!("https://example.com/{}", "x".repeat(LONGEST));
        assert_eq!(strict.check(&long).err(), Some(UrlError::TooLong));
    }

    #[tokio::test]
    async fn a_name_leads_only_to_addresses_that_may_be_reached() {
        let resolve = async |reach: &Reach| {
            let found = reach.resolver().resolve("localhost".parse().unwrap()).await;
            found.map(|addrs| addrs.map(|addr| addr.ip()).collect::<Vec<_>>())
        };
        let refused = resolve(&reach(false, &[])).await.unwrap_err();
        assert!(refused.downcast_ref::<NoAddress>().is_some(), "{refused}");
        let found = resolve(&reach(false, &["127.0.0.1"])).await.unwrap();
        assert!(found.iter().all(|ip| *ip == Ipv4Addr::LOCALHOST), "{found:?}");
    }
}

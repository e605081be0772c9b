//! A trunk as it stands: where it is, whether it has registered us (RFC 3261 §10), whether it is alive.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::config::{Transport, Trunk};
use super::identity;
use super::message::{Method, Request, Response};
use super::net::Flow;
use super::resolve::{Target, literal};
use super::targets::Targets;
use super::tls::Trust;
use super::token;
use super::uri::{NameAddr, Uri};

/// How long an answer of the DNS is used while there is no newer one.
const LOCATION_LASTS: Duration = Duration::from_secs(3_600);
/// Asked again long before that, so that no call has to wait for the DNS.
const LOCATE_EVERY: Duration = Duration::from_secs(120);
/// Addresses remembered of a trunk that keeps moving.
const MAX_ADDRESSES: usize = 256;
const FIRST_RETRY: Duration = Duration::from_secs(4);
const LAST_RETRY: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub struct TrunkState {
    pub config: Trunk,
    pub trust: Trust,
    pub places: Targets,
    /// `None` until the DNS has said where it is.
    located_until: Option<Instant>,
    /// `None` for a trunk that is given by its address.
    locate_at: Option<Instant>,
    /// Where its calls may come from.
    pub addresses: HashSet<IpAddr>,
    /// Our address as the registrar saw it, where that is not the one we know.
    pub seen_as: Option<SocketAddr>,
    /// The user part of our Contact.
    user: String,
    call_id: String,
    tag: String,
    seq: u32,
    asked: Duration,
    failures: u32,
    pub register_at: Option<Instant>,
    pub options_at: Option<Instant>,
    pub registered_over: Option<Flow>,
    /// What others may see.
    pub health: Arc<Health>,
    pub last_refusal: Option<u16>,
}

/// What others may see of a trunk.
#[derive(Debug)]
pub struct Health {
    /// Whether it is to know us by registration.
    registers: bool,
    registered: AtomicBool,
    /// Whether the last keep-alive was answered.
    alive: AtomicBool,
}

impl Health {
    fn new(registers: bool) -> Self {
        Self { registers, registered: AtomicBool::new(false), alive: AtomicBool::new(true) }
    }

    pub fn is_registered(&self) -> bool {
        self.registered.load(Ordering::Relaxed)
    }

    /// Whether a call over it has a chance.
    pub fn is_well(&self) -> bool {
        self.alive.load(Ordering::Relaxed) && (!self.registers || self.is_registered())
    }
}

impl TrunkState {
    pub fn new(config: Trunk, first_number: Option<&str>, now: Instant) -> io::Result<Self> {
        let user = config
            .username
            .clone()
            .or_else(|| first_number.map(str::to_owned))
            .unwrap_or_else(|| "offhook".into());
        let addresses =
            literal(config.hop()).into_iter().chain(literal(&config.server)).map(|t| t.addr.ip()).collect();
        let mut places = Targets::default();
        places.replace(literal(config.hop()).as_slice());
        Ok(Self {
            trust: Trust::new(config.tls.clone(), config.hop().transport == Some(Transport::Tls))?,
            places,
            located_until: None,
            locate_at: literal(config.hop()).is_none().then_some(now),
            addresses,
            seen_as: None,
            user,
            call_id: token(),
            tag: token(),
            seq: 0,
            asked: config.expires,
            failures: 0,
            register_at: config.register.then_some(now),
            options_at: config.options_keepalive.map(|_| now),
            registered_over: None,
            health: Arc::new(Health::new(config.register)),
            last_refusal: None,
            config,
        })
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// `sip:user@server`, with the port and transport that were configured.
    pub fn uri(&self, user: Option<&str>) -> Option<Uri> {
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        Uri::parse(&format!("sip:{user}{}", self.config.server))
    }

    /// The outbound proxy as a route (RFC 3261 §8.1.2), so that it knows what it is asked to do.
    pub fn route(&self) -> Option<String> {
        self.config.outbound_proxy.as_ref().map(|proxy| format!("<sip:{proxy};lr>"))
    }

    /// Where to send what belongs to no dialog, best first; `None` when the DNS has to be asked.
    pub fn targets(&self, now: Instant) -> Option<Vec<Target>> {
        let known = self.locate_at.is_none() || self.located_until.is_some_and(|until| now < until);
        known.then(|| self.places.best_first(now))
    }

    /// Whether to ask the DNS now where it is.
    pub fn is_to_be_located(&mut self, now: Instant) -> bool {
        let due = self.locate_at.is_some_and(|at| now >= at);
        if due {
            self.locate_at = Some(now + LOCATE_EVERY);
        }
        due
    }

    pub fn located(&mut self, targets: &[Target], now: Instant) {
        if self.addresses.len() > MAX_ADDRESSES {
            self.addresses.clear();
        }
        self.addresses.extend(targets.iter().map(|target| target.addr.ip()));
        self.places.replace(targets);
        self.located_until = Some(now + LOCATION_LASTS);
    }

    /// A request went over that flow and nothing came back.
    pub fn silent(&mut self, transport: Transport, addr: SocketAddr, now: Instant) {
        if self.places.silent(transport, addr, now) {
            tracing::warn!(trunk = %self.config.name, server = %addr, transport = transport.name(), "no answer");
        }
    }

    /// Whether a long request may go by TCP although its server is known for datagrams (RFC 3261 §18.1.1): not when
    /// the operator has said how it is spoken to, and not when TCP was refused a while ago.
    pub fn takes_streams(&self, addr: SocketAddr, now: Instant) -> bool {
        self.config.hop().transport.is_none() && self.places.takes_streams(addr, now)
    }

    pub fn next_seq(&mut self) -> u32 {
        self.seq += 1;
        self.seq
    }

    /// A keep-alive was answered, or not; worth a word when that changed.
    pub fn kept_alive(&mut self, answered: bool) {
        match (self.health.alive.swap(answered, Ordering::Relaxed), answered) {
            (true, false) => tracing::warn!(trunk = %self.config.name, "the trunk does not answer any more"),
            (false, true) => tracing::info!(trunk = %self.config.name, "the trunk answers again"),
            _ => {}
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        [self.register_at, self.options_at].into_iter().flatten().min()
    }

    /// `expires` of zero takes the registration back.
    pub fn register(&mut self, expires: Option<Duration>) -> Option<Request> {
        self.register_at = None;
        let mut request = self.bare(Method::Register, self.call_id.clone())?;
        let expires = expires.unwrap_or(self.asked);
        request.headers.push("Expires", expires.as_secs().to_string());
        request.headers.push("Supported", "outbound, path");
        Some(request)
    }

    pub fn options(&mut self) -> Option<Request> {
        let mut request = self.bare(Method::Options, token())?;
        request.headers.push("Accept", super::usage::SDP);
        Some(request)
    }

    fn bare(&mut self, method: Method, call_id: String) -> Option<Request> {
        let seq = self.next_seq();
        let mut request = Request::new(method, self.uri(None)?);
        let ourselves = identity::address(&self.config, &self.user);
        if let Some(route) = self.route() {
            request.headers.push("Route", route);
        }
        request.headers.push("Max-Forwards", "70");
        request.headers.push("From", format!("{ourselves};tag={}", self.tag));
        request.headers.push("To", ourselves);
        request.headers.push("Call-ID", call_id);
        request.headers.push("CSeq", format!("{seq} {}", request.method));
        Some(request)
    }

    /// The final response to a REGISTER.
    pub fn on_registered(
        &mut self,
        response: &Response,
        sent_by: SocketAddr,
        nat_matters: bool,
        now: Instant,
    ) {
        let seconds = |name: &str| response.headers.number(name).map(|s| Duration::from_secs(s.into()));
        match response.status {
            200..300 => self.registration_granted(response, sent_by, nat_matters, now),
            423 => {
                let least = seconds("Min-Expires").unwrap_or(self.asked * 2);
                if least <= self.asked {
                    return self.registration_failed(Some(423), None, now);
                }
                self.asked = least;
                self.register_at = Some(now);
            }
            status => self.registration_failed(Some(status), seconds("Retry-After"), now),
        }
    }

    fn registration_granted(
        &mut self,
        response: &Response,
        sent_by: SocketAddr,
        nat_matters: bool,
        now: Instant,
    ) {
        let granted = self.granted(response);
        self.health.registered.store(!granted.is_zero(), Ordering::Relaxed);
        if granted.is_zero() {
            self.register_at = None;
            return;
        }
        self.failures = 0;
        self.last_refusal = None;
        // Early enough for a retry, a lost answer and a slow registrar.
        self.register_at = Some(now + granted * 4 / 5);
        let seen = seen_address(response);
        if nat_matters && seen.is_some_and(|seen| seen != self.seen_as.unwrap_or(sent_by)) {
            self.seen_as = seen;
            self.register_at = Some(now);
        }
    }

    pub fn registration_failed(&mut self, status: Option<u16>, retry_after: Option<Duration>, now: Instant) {
        self.health.registered.store(false, Ordering::Relaxed);
        self.last_refusal = status;
        let backoff = (FIRST_RETRY * 2u32.pow(self.failures.min(8))).min(LAST_RETRY);
        self.failures += 1;
        // Not all at once when a registrar comes back (RFC 5626 §4.5).
        let jittered = backoff.mul_f64(rand::random_range(0.75..1.25));
        self.register_at = Some(now + jittered.max(retry_after.unwrap_or_default()).min(LAST_RETRY * 2));
    }

    fn granted(&self, response: &Response) -> Duration {
        let ours = response
            .headers
            .list("Contact")
            .filter_map(NameAddr::parse)
            .find(|contact| contact.uri.user.as_deref() == Some(&self.user));
        let seconds = ours
            .and_then(|contact| contact.param("expires")?.parse().ok())
            .or_else(|| response.headers.number("Expires"));
        seconds.map_or(self.asked, |seconds: u32| Duration::from_secs(seconds.into()))
    }
}

/// Our own address as it arrived there (RFC 3581).
fn seen_address(response: &Response) -> Option<SocketAddr> {
    let via = response.headers.top_via()?;
    let (host, port) = super::uri::split_host_port(&via.sent_by)?;
    let ip = via.received.as_deref().unwrap_or(host).trim_matches(['[', ']']).parse().ok()?;
    Some(SocketAddr::new(ip, via.rport.or(port).unwrap_or(5060)))
}

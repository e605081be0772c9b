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
/// However short a registrar makes it, and however often it breaks connections.
const SOONEST: Duration = Duration::from_secs(10);
/// A NAT that shows another port every time is followed no faster.
const MOVES_EVERY: Duration = Duration::from_secs(60);

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
    /// The registrar wanted longer registrations, and nothing came of it yet.
    raised: bool,
    failures: u32,
    registered_at: Option<Instant>,
    /// When our address was last followed, or will be.
    moved_at: Option<Instant>,
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
            raised: false,
            failures: 0,
            registered_at: None,
            moved_at: None,
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

    /// Whether it is known if it registers us.
    pub fn is_settled(&self) -> bool {
        !self.config.register || self.health.is_registered() || self.failures > 0
    }

    /// The final response to this REGISTER.
    pub fn on_registered(
        &mut self,
        register: &Request,
        response: &Response,
        sent_by: SocketAddr,
        nat_matters: bool,
        now: Instant,
    ) {
        let seconds = |name: &str| response.headers.number(name).map(|s| Duration::from_secs(s.into()));
        match response.status {
            200..300 if register.headers.number("Expires") == Some(0) => {
                self.health.registered.store(false, Ordering::Relaxed);
                self.register_at = None;
            }
            200..300 => {
                let granted = self.granted(register, response);
                // Nothing was asked back: a registration that lasts no time at all is none.
                if granted.is_zero() {
                    return self.registration_failed(Some(response.status), None, now);
                }
                self.registration_granted(granted, now);
                if nat_matters {
                    self.follow_address(response, sent_by, now);
                }
            }
            423 => {
                let least = seconds("Min-Expires").unwrap_or(self.asked * 2);
                if least <= self.asked || std::mem::replace(&mut self.raised, true) {
                    self.asked = self.asked.max(least);
                    return self.registration_failed(Some(423), None, now);
                }
                self.asked = least;
                self.register_at = Some(now);
            }
            status => self.registration_failed(Some(status), seconds("Retry-After"), now),
        }
    }

    fn registration_granted(&mut self, granted: Duration, now: Instant) {
        self.health.registered.store(true, Ordering::Relaxed);
        self.failures = 0;
        self.raised = false;
        self.last_refusal = None;
        self.registered_at = Some(now);
        // Early enough for a retry, a lost answer and a slow registrar.
        self.register_at = Some(now + (granted * 4 / 5).max(SOONEST));
    }

    /// Behind a NAT it is the outer address that has to be registered.
    fn follow_address(&mut self, response: &Response, sent_by: SocketAddr, now: Instant) {
        let Some(seen) = seen_address(response) else { return };
        if seen == self.seen_as.unwrap_or(sent_by) {
            return;
        }
        self.seen_as = Some(seen);
        let at = self.moved_at.map_or(now, |last| now.max(last + MOVES_EVERY));
        self.moved_at = Some(at);
        self.register_at = self.register_at.map(|planned| planned.min(at));
    }

    /// The connection broke over which it calls us: make another one soon.
    pub fn unreached(&mut self, now: Instant) {
        self.registered_over = None;
        let soon = now + Duration::from_millis(rand::random_range(500..2_000));
        self.register_at = Some(self.registered_at.map_or(soon, |last| soon.max(last + SOONEST)));
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

    /// How long our own binding lasts: there may be others of the account, of other phones or of ours from before.
    fn granted(&self, register: &Request, response: &Response) -> Duration {
        let of_account: Vec<NameAddr> = response
            .headers
            .list("Contact")
            .filter_map(NameAddr::parse)
            .filter(|contact| contact.uri.user.as_deref() == Some(&self.user))
            .collect();
        let sent = register.headers.first("Contact").and_then(NameAddr::parse);
        let at = |host: &str, port: u16| {
            let there = |uri: &Uri| {
                uri.host.trim_matches(['[', ']']).eq_ignore_ascii_case(host)
                    && uri.port.unwrap_or(5060) == port
            };
            of_account.iter().find(|contact| there(&contact.uri))
        };
        let ours = sent
            .and_then(|sent| at(sent.uri.host.trim_matches(['[', ']']), sent.uri.port.unwrap_or(5060)))
            // Some registrars write down what they see instead of what they are told.
            .or_else(|| seen_address(response).and_then(|seen| at(&seen.ip().to_string(), seen.port())))
            .or(match &of_account[..] {
                [only] => Some(only),
                _ => None,
            });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;

    const US: &str = "192.0.2.5:5060";

    fn trunk(now: Instant) -> TrunkState {
        let mut config = Trunk::peer("far", "192.0.2.1".parse().unwrap());
        config.username = Some("user".into());
        config.register = true;
        TrunkState::new(config, None, now).unwrap()
    }

    /// A registration is due, and answered like this; in how many seconds is the next one?
    fn answered(trunk: &mut TrunkState, status: u16, headers: &str, seen: &str, now: Instant) -> Option<f64> {
        let mut register = trunk.register(None).unwrap();
        register
            .headers
            .push("Contact", format!("<sip:user@{}>", trunk.seen_as.unwrap_or(US.parse().unwrap())));
        let (ip, port) = seen.split_once(':').unwrap();
        let text = format!(
            "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP {US};branch=z9hG4bK1;received={ip};rport={port}\r\n\
             From: <sip:user@a>;tag=1\r\nTo: <sip:user@a>;tag=2\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\n{headers}\r\n"
        );
        let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else { panic!("{text}") };
        trunk.on_registered(&register, &response, US.parse().unwrap(), true, now);
        trunk.register_at.map(|at| (at - now).as_secs_f64())
    }

    #[test]
    fn a_registration_is_renewed_by_its_own_binding() {
        let other = "Contact: <sip:user@198.51.100.9:5062>;expires=3\r\n";
        for (headers, renewed) in [
            ("Contact: <sip:user@192.0.2.5:5060>;expires=600\r\n".to_owned(), 480.0),
            ("Contact: <sip:user@192.0.2.5>;expires=600\r\n".to_owned(), 480.0),
            // Another phone of the account comes first.
            (format!("{other}Contact: <sip:user@192.0.2.5:5060>;expires=600\r\n"), 480.0),
            (
                "Contact: <sip:user@192.0.2.5:5061>;expires=3, <sip:user@192.0.2.5:5060>;expires=600\r\n"
                    .to_owned(),
                480.0,
            ),
            // Written down otherwise than it was sent.
            ("Contact: <sip:user@10.9.8.7:5090>;expires=600\r\n".to_owned(), 480.0),
            // Only others are shown, or nothing.
            (format!("{other}Contact: <sip:user@198.51.100.8:5062>;expires=3\r\nExpires: 900\r\n"), 720.0),
            ("Expires: 900\r\n".to_owned(), 720.0),
            (String::new(), 2_880.0),
            // However short it is made.
            ("Contact: <sip:user@192.0.2.5:5060>;expires=1\r\n".to_owned(), 10.0),
            (other.to_owned(), 10.0),
        ] {
            let now = Instant::now();
            let mut trunk = trunk(now);
            assert_eq!(answered(&mut trunk, 200, &headers, US, now), Some(renewed), "{headers}");
            assert!(trunk.health.is_registered());
        }
    }

    #[test]
    fn a_registration_that_lasts_no_time_is_tried_again_with_growing_pauses() {
        let mut now = Instant::now();
        let mut trunk = trunk(now);
        for least in [3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0, 225.0, 225.0] {
            let none = "Contact: <sip:user@192.0.2.5:5060>;expires=0\r\n";
            let pause = answered(&mut trunk, 200, none, US, now).expect("it is given up for ever");
            assert!((least..=375.0).contains(&pause), "{pause} s instead of {least} s");
            assert!(!trunk.health.is_registered());
            now += Duration::from_secs_f64(pause);
        }
    }

    #[test]
    fn a_registration_that_is_taken_back_is_not_made_again() {
        let now = Instant::now();
        let mut trunk = trunk(now);
        answered(&mut trunk, 200, "", US, now);
        let goodbye = trunk.register(Some(Duration::ZERO)).unwrap();
        let text = format!(
            "SIP/2.0 200 X\r\nVia: SIP/2.0/UDP {US};branch=z9hG4bK1\r\nFrom: <sip:user@a>;tag=1\r\n\
             To: <sip:user@a>;tag=2\r\nCall-ID: a\r\nCSeq: 2 REGISTER\r\n\r\n"
        );
        let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else { panic!() };
        trunk.on_registered(&goodbye, &response, US.parse().unwrap(), true, now);
        assert_eq!((trunk.health.is_registered(), trunk.register_at), (false, None));
    }

    #[test]
    fn an_address_that_changes_all_the_time_is_followed_once_a_minute() {
        let start = Instant::now();
        let mut now = start;
        let mut trunk = trunk(now);
        let mut asked = 0;
        while now < start + Duration::from_secs(600) {
            asked += 1;
            let seen = format!("203.0.113.7:{}", 40_000 + asked % 2);
            let pause = answered(&mut trunk, 200, "Expires: 600\r\n", &seen, now).unwrap();
            assert_eq!(trunk.seen_as, Some(seen.parse().unwrap()));
            assert_eq!(pause == 0.0, asked == 1, "only the first time at once");
            now += Duration::from_secs_f64(pause);
        }
        assert_eq!(asked, 11, "at the start and once a minute");
    }

    #[test]
    fn a_registrar_that_always_wants_longer_is_obeyed_once() {
        let now = Instant::now();
        let mut trunk = trunk(now);
        assert_eq!(answered(&mut trunk, 423, "Min-Expires: 7200\r\n", US, now), Some(0.0));
        for least in [7_201, 7_202, 7_203] {
            let pause = answered(&mut trunk, 423, &format!("Min-Expires: {least}\r\n"), US, now).unwrap();
            assert!(pause >= 3.0, "{pause}");
            assert_eq!(trunk.asked, Duration::from_secs(least));
        }
    }

    #[test]
    fn connections_that_break_at_once_are_not_made_again_at_once() {
        let now = Instant::now();
        let mut trunk = trunk(now);
        answered(&mut trunk, 200, "Expires: 600\r\n", US, now);
        trunk.unreached(now);
        assert_eq!(trunk.register_at, Some(now + SOONEST));
        let later = now + Duration::from_secs(100);
        trunk.unreached(later);
        assert!(trunk.register_at.unwrap() <= later + Duration::from_secs(2));
    }
}

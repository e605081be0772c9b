//! The fake itself: what a test starts, scripts and asks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinSet;

use super::call::{Call, Seen};
use super::callee::Callee;
use super::person::Person;
use super::request::{Operation, Request};
use super::rest::{self, Fault, Reply};
use super::token::{Claims, Keys};

/// How long anything may take before a test has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What is fixed while it runs.
#[derive(Clone, Debug)]
pub struct Service {
    pub access_key: Vec<u8>,
    /// A token of the directory that it accepts instead of a signature.
    pub bearer: Option<String>,
    /// Of the resource: the audience of its tokens.
    pub resource_id: String,
    /// The numbers of the resource; calls from others are refused.
    pub numbers: Vec<String>,
    /// Take addresses that are not encrypted, too.
    pub allow_plain: bool,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            access_key: b"an access key of sixty-four bytes, as those of the service are.".to_vec(),
            bearer: None,
            resource_id: "6f0d7f3e-5f0a-4a1c-9d0b-2d6b1c6a7e55".to_owned(),
            numbers: Vec::new(),
            allow_plain: false,
        }
    }
}

/// Communication Services on 127.0.0.1, until it is dropped.
#[derive(Debug)]
pub struct FakeAcs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub address: SocketAddr,
    pub service: Service,
    pub http: reqwest::Client,
    keys: Mutex<Keys>,
    world: Mutex<World>,
    changed: Notify,
    tasks: Mutex<JoinSet<()>>,
}

/// Everything that changes.
#[derive(Debug, Default)]
pub(super) struct World {
    pub calls: Vec<Call>,
    pub callees: HashMap<String, Callee>,
    /// Where public names lead.
    pub routes: HashMap<String, SocketAddr>,
    pub faults: Vec<(Operation, Fault)>,
    pub slowness: Duration,
    pub requests: Vec<Request>,
    pub violations: Vec<String>,
    pub replies: HashMap<String, Arc<OnceCell<Reply>>>,
    /// Where incoming calls are told.
    pub subscription: Option<String>,
    pub jwks_slowness: Duration,
    pub jwks_fetches: u64,
    /// Entra tokens given out.
    pub tokens: u64,
}

impl World {
    pub fn call(&mut self, connection_id: &str) -> Option<usize> {
        self.calls.iter().position(|call| call.seen.connection_id == connection_id)
    }

    pub fn violation(&mut self, what: String) {
        self.violations.push(what);
    }
}

impl Shared {
    pub fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, and whoever waits looks again.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = self.with(change);
        self.changed.notify_waiters();
        result
    }

    pub fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Until there is one. Panics when there is none in time.
    pub async fn until<T>(&self, what: &str, mut find: impl FnMut(&mut World) -> Option<T>) -> T {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = self.with(&mut find) {
                    return found;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => {
                let state = self.with(|world| {
                    let calls: Vec<_> = world
                        .calls
                        .iter()
                        .map(|call| (call.seen.stage, call.seen.told().join(" ")))
                        .collect();
                    let asked: Vec<_> =
                        world.requests.iter().map(|request| (request.operation, request.status)).collect();
                    format!("calls {calls:?}, requests {asked:?}, violations {:?}", world.violations)
                });
                panic!("waited in vain: {what}; {state}")
            }
        }
    }

    /// Where a public address leads: the socket, the name and the path.
    pub fn route(&self, url: &str) -> Option<(SocketAddr, String, String)> {
        let (_, rest) = url.split_once("://")?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let address = self.with(|world| world.routes.get(host).copied()).or_else(|| host.parse().ok())?;
        Some((address, host.to_owned(), path.to_owned()))
    }
}

impl FakeAcs {
    pub async fn start() -> Self {
        Self::with(Service::default()).await
    }

    pub async fn with(service: Service) -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client without TLS settings");
        let shared = Arc::new(Shared {
            address,
            service,
            http,
            keys: Mutex::new(Keys::generate()),
            world: Mutex::default(),
            changed: Notify::new(),
            tasks: Mutex::default(),
        });
        shared.spawn(rest::listen(listener, Arc::clone(&shared)));
        Self { shared }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The endpoint of the resource.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    pub fn access_key(&self) -> String {
        STANDARD.encode(&self.shared.service.access_key)
    }

    pub fn connection_string(&self) -> String {
        format!("endpoint={}/;accesskey={}", self.endpoint(), self.access_key())
    }

    pub fn resource_id(&self) -> &str {
        &self.shared.service.resource_id
    }

    pub fn openid_configuration_url(&self) -> String {
        format!("{}{}", self.endpoint(), rest::OPENID)
    }

    pub fn jwks_url(&self) -> String {
        format!("{}{}", self.endpoint(), rest::JWKS)
    }

    /// Where the directory (Entra) gives out [`Service::bearer`]: the base that a tenant is appended to.
    pub fn authority(&self) -> String {
        self.endpoint()
    }

    /// Where a public name leads, as DNS and a tunnel would have it.
    pub fn reach(&self, host: &str, address: SocketAddr) {
        self.shared.change(|world| world.routes.insert(host.to_owned(), address));
    }

    /// What happens when this number is called. Other numbers answer.
    pub fn callee(&self, number: &str, callee: Callee) {
        self.shared.change(|world| world.callees.insert(number.to_owned(), callee));
    }

    /// What goes wrong with the next request of this kind; several are used up in order.
    pub fn fault(&self, operation: Operation, fault: Fault) {
        self.shared.change(|world| world.faults.push((operation, fault)));
    }

    /// How long every reply of the API takes from now on.
    pub fn slow(&self, slowness: Duration) {
        self.shared.change(|world| world.slowness = slowness);
    }

    /// How long the keys take to come from now on.
    pub fn slow_keys(&self, slowness: Duration) {
        self.shared.change(|world| world.jwks_slowness = slowness);
    }

    /// Sign with a new key, and withdraw the old one.
    pub fn rotate_key(&self) {
        self.shared.keys().rotate();
    }

    /// How often the keys were asked for.
    pub fn key_fetches(&self) -> u64 {
        self.shared.with(|world| world.jwks_fetches)
    }

    /// How often the directory gave out a token.
    pub fn tokens(&self) -> u64 {
        self.shared.with(|world| world.tokens)
    }

    /// A token as it comes with a callback, after `change`.
    pub fn token(&self, change: impl FnOnce(&mut Claims)) -> String {
        self.shared.token(300, change)
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.with(|world| world.requests.clone())
    }

    /// Those of one kind.
    pub fn requests_to(&self, operation: Operation) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.operation == operation).collect()
    }

    pub async fn until_requests(&self, operation: Operation, count: usize) -> Vec<Request> {
        let find = |world: &mut World| {
            let of_kind = world.requests.iter().filter(|request| request.operation == operation);
            let of_kind: Vec<Request> = of_kind.cloned().collect();
            (of_kind.len() >= count).then_some(of_kind)
        };
        self.shared.until(&format!("{count} × {operation:?}"), find).await
    }

    /// What the application did that the service does not document, or forbids.
    pub fn violations(&self) -> Vec<String> {
        self.shared.with(|world| world.violations.clone())
    }

    /// Every call, in the order they were made.
    pub fn calls(&self) -> Vec<Seen> {
        self.shared.with(|world| world.calls.iter().map(|call| call.seen.clone()).collect())
    }

    /// The phone that is called with this number, or calls: the last such call, once there is one.
    pub async fn person(&self, number: &str) -> Person {
        self.person_after(0, number).await
    }

    /// The same, not counting so many calls that there were before.
    pub async fn person_after(&self, before: usize, number: &str) -> Person {
        let find = |world: &mut World| {
            let calls = world.calls.iter().enumerate().skip(before).rev();
            let mut of =
                calls.filter(|(_, call)| call.seen.phones.first().is_some_and(|phone| phone == number));
            of.next().map(|(index, _)| index)
        };
        let index = self.shared.until(&format!("a call with {number}"), find).await;
        Person::new(Arc::clone(&self.shared), index, number)
    }
}

impl Drop for FakeAcs {
    fn drop(&mut self) {
        self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

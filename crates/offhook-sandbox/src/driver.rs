//! The exchange on real sockets: a thin loop around [`Exchange`].

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use offhook_core::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::config::{Render, SandboxConfig};
use crate::exchange::{Exchange, Input, Output};
use crate::numbers;
use crate::record::{CallKey, CallRecord, Violation};
use crate::script::Step;

/// A running exchange. Dropping it stops it at once; [`Sandbox::shutdown`] lets it hang up first.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    exchange: Arc<Mutex<Exchange>>,
    clock: Clock,
    events: mpsc::Sender<Event>,
    changed: watch::Receiver<u64>,
    task: Option<JoinHandle<()>>,
}

/// Monotonic time, anchored once to the wall clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    anchor: Instant,
    unix: Timestamp,
}

impl Clock {
    fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { anchor: Instant::now(), unix: Timestamp::default() + since_epoch }
    }

    fn now(&self) -> Timestamp {
        self.unix + self.anchor.elapsed()
    }

    fn instant(&self, at: Timestamp) -> Instant {
        self.anchor + at.since(self.unix)
    }
}

/// What the tasks around the loop tell it.
#[derive(Debug)]
enum Event {
    Media {
        call: CallKey,
        from: SocketAddr,
        at: Timestamp,
        rtcp: bool,
        bytes: Vec<u8>,
    },
    Rendered {
        text: String,
        clip: Arc<[i16]>,
    },
    /// Something was put into the exchange from outside.
    Poke,
    Shutdown,
}

/// The two sockets of one call.
struct Media {
    rtp: Arc<UdpSocket>,
    rtcp: Arc<UdpSocket>,
    readers: [JoinHandle<()>; 2],
}

impl Drop for Media {
    fn drop(&mut self) {
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

impl Sandbox {
    const EVENTS: usize = 4_096;

    pub async fn start(config: SandboxConfig) -> io::Result<Self> {
        let socket = UdpSocket::bind(config.addr).await?;
        let addr = socket.local_addr()?;
        let clock = Clock::start();
        let render = Arc::clone(&config.render);
        let exchange = Arc::new(Mutex::new(Exchange::new(config, addr, StdRng::from_os_rng())));
        let (events, inbox) = mpsc::channel(Self::EVENTS);
        let (tell, changed) = watch::channel(0);
        render_all(Arc::clone(&render), events.clone());
        let driver = Driver {
            socket,
            exchange: Arc::clone(&exchange),
            clock,
            render,
            events: events.clone(),
            inbox,
            media: HashMap::new(),
            tell,
            ip: addr.ip(),
        };
        let task = Some(tokio::spawn(driver.run()));
        Ok(Self { addr, exchange, clock, events, changed, task })
    }

    /// Where SIP is served.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// All rules broken so far by whoever called.
    pub fn violations(&self) -> Vec<Violation> {
        lock(&self.exchange).violations()
    }

    /// All calls, live and past, oldest first.
    pub fn calls(&self) -> Vec<CallRecord> {
        lock(&self.exchange).calls()
    }

    pub fn call_record(&self, key: CallKey) -> Option<CallRecord> {
        self.calls().into_iter().find(|call| call.key == key)
    }

    /// Calls `user` at `to`, showing `number`; the script begins when it is answered.
    pub async fn call(&self, to: SocketAddr, user: &str, number: &str, script: &[Step]) -> CallKey {
        let key = lock(&self.exchange).place(self.clock.now(), to, user, number, script);
        self.poke().await;
        key
    }

    /// Lets the person put the phone down, or give up calling.
    pub async fn hang_up(&self, call: CallKey) {
        lock(&self.exchange).handle(self.clock.now(), Input::HangUp { call });
        self.poke().await;
    }

    async fn poke(&self) {
        // A loop that is gone has nothing left to do.
        let _ = self.events.send(Event::Poke).await;
    }

    /// Waits until `found` finds what it looks for among the calls. Bound it with a timeout.
    pub async fn until<T>(&self, mut found: impl FnMut(&[CallRecord]) -> Option<T>) -> T {
        let mut changed = self.changed.clone();
        loop {
            changed.mark_unchanged();
            if let Some(found) = found(&self.calls()) {
                return found;
            }
            // Levels grow with every packet, without being told one by one.
            let _ = tokio::time::timeout(std::time::Duration::from_millis(50), changed.changed()).await;
        }
    }

    /// Hangs up what is live and stops.
    pub async fn shutdown(mut self) {
        let _ = self.events.send(Event::Shutdown).await;
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn lock(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the audio of everything anyone can say before it is needed.
fn render_all(render: Render, events: mpsc::Sender<Event>) {
    tokio::task::spawn_blocking(move || {
        for text in numbers::sentences() {
            let clip = render(text).into();
            if events.blocking_send(Event::Rendered { text: text.to_owned(), clip }).is_err() {
                return;
            }
        }
    });
}

struct Driver {
    socket: UdpSocket,
    exchange: Arc<Mutex<Exchange>>,
    clock: Clock,
    render: Render,
    events: mpsc::Sender<Event>,
    inbox: mpsc::Receiver<Event>,
    media: HashMap<CallKey, Media>,
    tell: watch::Sender<u64>,
    ip: IpAddr,
}

impl Driver {
    const EVENTS_AT_ONCE: usize = 256;
    /// The longest idle wait, so that a missing deadline could never stop the exchange for good.
    const IDLE: std::time::Duration = std::time::Duration::from_secs(60);

    async fn run(mut self) {
        let mut datagram = vec![0; 65_536];
        let mut events = Vec::with_capacity(Self::EVENTS_AT_ONCE);
        'serving: loop {
            self.flush().await;
            let deadline = lock(&self.exchange).deadline().map(|at| self.clock.instant(at));
            let wake = deadline.unwrap_or_else(|| Instant::now() + Self::IDLE);
            tokio::select! {
                received = self.socket.recv_from(&mut datagram) => {
                    // An error here is an ICMP answer to something sent earlier; timers deal with the silence.
                    if let Ok((len, from)) = received {
                        self.handle(Input::Sip { from, bytes: &datagram[..len] });
                    }
                }
                _ = self.inbox.recv_many(&mut events, Self::EVENTS_AT_ONCE) => {
                    for event in events.drain(..) {
                        if matches!(event, Event::Shutdown) {
                            break 'serving;
                        }
                        self.event(event);
                    }
                }
                () = tokio::time::sleep_until(wake) => {}
            }
            if Instant::now() >= wake {
                self.handle(Input::Tick);
            }
        }
        // Copied before the loop, which takes the lock again for each.
        let calls = lock(&self.exchange).calls();
        for call in calls.iter().filter(|call| !call.is_over()) {
            self.handle(Input::HangUp { call: call.key });
        }
        self.flush().await;
    }

    fn handle(&self, input: Input) {
        lock(&self.exchange).handle(self.clock.now(), input);
    }

    fn event(&self, event: Event) {
        let mut exchange = lock(&self.exchange);
        match event {
            Event::Media { call, at, rtcp: true, bytes, .. } => {
                exchange.handle(at, Input::Rtcp { call, bytes: &bytes });
            }
            Event::Media { call, from, at, rtcp: false, bytes } => {
                exchange.handle(at, Input::Rtp { call, from, bytes: &bytes });
            }
            Event::Rendered { text, clip } => {
                exchange.handle(self.clock.now(), Input::Rendered { text: &text, clip });
            }
            Event::Poke | Event::Shutdown => {}
        }
    }

    async fn flush(&mut self) {
        loop {
            let output = lock(&self.exchange).poll();
            let Some(output) = output else { break };
            self.perform(output).await;
        }
        let version = lock(&self.exchange).version();
        self.tell.send_if_modified(|told| std::mem::replace(told, version) != version);
    }

    /// A datagram that cannot be sent is a lost one.
    async fn perform(&mut self, output: Output) {
        match output {
            Output::Sip { to, bytes } => drop(self.socket.send_to(&bytes, to).await),
            Output::Rtp { call, to, bytes } => {
                if let Some(media) = self.media.get(&call) {
                    let _ = media.rtp.send_to(&bytes, to).await;
                }
            }
            Output::Rtcp { call, to, bytes } => {
                if let Some(media) = self.media.get(&call) {
                    let _ = media.rtcp.send_to(&bytes, to).await;
                }
            }
            Output::BindMedia { call } => match self.bind_media(call).await {
                Ok(addr) => self.handle(Input::MediaBound { call, addr }),
                Err(_) => self.handle(Input::MediaFailed { call }),
            },
            Output::CloseMedia { call } => drop(self.media.remove(&call)),
            Output::Render { text } => {
                let (render, events) = (Arc::clone(&self.render), self.events.clone());
                tokio::task::spawn_blocking(move || {
                    let clip = render(&text).into();
                    let _ = events.blocking_send(Event::Rendered { text, clip });
                });
            }
        }
    }

    /// An even port for RTP and the next one for RTCP (RFC 3550 §11).
    async fn bind_media(&mut self, call: CallKey) -> io::Result<SocketAddr> {
        const TRIES: usize = 50;
        for _ in 0..TRIES {
            let rtp = UdpSocket::bind((self.ip, 0)).await?;
            let addr = rtp.local_addr()?;
            if addr.port() % 2 == 1 {
                continue;
            }
            let Ok(rtcp) = UdpSocket::bind((self.ip, addr.port() + 1)).await else { continue };
            let (rtp, rtcp) = (Arc::new(rtp), Arc::new(rtcp));
            let readers =
                [self.read(call, Arc::clone(&rtp), false), self.read(call, Arc::clone(&rtcp), true)];
            self.media.insert(call, Media { rtp, rtcp, readers });
            return Ok(addr);
        }
        Err(io::Error::from(io::ErrorKind::AddrInUse))
    }

    fn read(&self, call: CallKey, socket: Arc<UdpSocket>, rtcp: bool) -> JoinHandle<()> {
        let (events, clock) = (self.events.clone(), self.clock);
        tokio::spawn(async move {
            let mut datagram = [0; 2_048];
            loop {
                let Ok((len, from)) = socket.recv_from(&mut datagram).await else { continue };
                let bytes = datagram[..len].to_vec();
                let event = Event::Media { call, from, at: clock.now(), rtcp, bytes };
                if events.send(event).await.is_err() {
                    return;
                }
            }
        })
    }
}

//! One offhook for one test: the whole product in this process, an exchange of test numbers beside it, and whoever
//! uses the API.
//!
//! The exchange is the rig's own, not the one the product starts when nothing is configured: it outlives a restart,
//! runs its rings and pauses faster, and keeps the audio it hears.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use offhook::app::App;
use offhook::config::{Config, Env, SpeechModel};
use offhook::gateway::keys;
use offhook_carrier::sip::{LineConfig, Listen, Server, SipConfig, Transport, Trunk};
use offhook_core::policy::LimitRange;
use offhook_core::{PhoneNumber, Timestamp};
use offhook_sandbox::{NUMBERS, Sandbox, SandboxConfig};
use offhook_speech::local;
use offhook_testkit::quiet::Quiet;
use secrecy::ExposeSecret as _;

use crate::agent::{Agent, Door};

/// Test numbers of the exchange.
pub const RECEPTIONIST: &str = "+14155550100";
pub const BUSY: &str = "+14155550101";
pub const NEVER_ANSWERS: &str = "+14155550102";
pub const HANGS_UP: &str = "+14155550109";
pub const SILENT: &str = "+14155550111";

/// The line of ours that calls go out on.
pub const LINE: &str = "+14155550199";

/// Nothing here takes this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// What a rig is made of, to be changed before it starts.
pub struct Setup {
    pub config: Config,
    pub exchange: SandboxConfig,
    /// Calls at a time on the line.
    pub lines: usize,
    /// Our own SIP address; any free one where nobody calls us.
    pub listen: SocketAddr,
    /// Further lines of ours.
    pub more_lines: Vec<&'static str>,
    /// The trunk is where nobody listens: no dial request leaves this machine.
    pub cut_off: bool,
    dir: tempfile::TempDir,
}

impl Setup {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("listen = \"127.0.0.1:0\"\ndata_dir = {:?}", dir.path());
        let mut config = Config::parse(&text, &Env::default()).unwrap();
        // Tones have no pauses for breath, so that a turn may be over sooner than with people.
        let turn_end = Duration::from_millis(300);
        config.speech = SpeechModel::Local(local::Config { turn_end, ..local::Config::tagged() });
        let mut exchange = SandboxConfig::new(Arc::new(local::tagged::encode));
        (exchange.speed, exchange.turn_end) = (3.0, turn_end);
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { config, exchange, lines: 32, listen, more_lines: Vec::new(), cut_off: false, dir }
    }

    /// With limits for the impatient.
    pub fn ring_limit(mut self, limit: Duration) -> Self {
        self.config.policy.ring_limit = LimitRange { default: limit, max: limit };
        self
    }

    pub async fn start(self) -> Rig {
        let quiet = Quiet::install();
        NUMBERS.iter().for_each(|number| quiet.never_number(number.number));
        offhook_sandbox::numbers::sentences().into_iter().for_each(|sentence| quiet.never(sentence));
        let exchange = Sandbox::start(self.exchange).await.unwrap();
        let mut config = self.config;
        let mut sip = match self.cut_off {
            false => trunk(exchange.addr(), None, self.lines),
            true => trunk(nowhere(), Some(Transport::Tcp), self.lines),
        };
        sip.listen = vec![Listen::udp(self.listen)];
        sip.lines.extend(self.more_lines.iter().map(|number| line(number, self.lines)));
        config.sip = Some(sip);
        config.sandbox = false;
        config.policy.sandbox = true;
        let app = App::start(config.clone()).await.unwrap();
        let door = Arc::new(Door::new(app.url(), quiet.clone()));
        Rig { app, exchange, door, quiet, config, dir: self.dir }
    }
}

/// An address where a connection is refused.
fn nowhere() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap()
}

fn trunk(exchange: SocketAddr, transport: Option<Transport>, max_calls: usize) -> SipConfig {
    let server = Server { host: exchange.ip().to_string(), port: Some(exchange.port()), transport };
    let line = line(LINE, max_calls);
    let listen = Listen::udp(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut sip = SipConfig::new(listen, Trunk::peer("exchange", server), vec![line]);
    sip.rtp.stall_limit = Duration::from_secs(4);
    sip
}

fn line(number: &str, max_calls: usize) -> LineConfig {
    let number = PhoneNumber::parse(number).unwrap();
    LineConfig { number, display_name: None, trunk: "exchange".to_owned(), max_calls }
}

pub struct Rig {
    pub app: App,
    pub exchange: Sandbox,
    pub door: Arc<Door>,
    quiet: Quiet,
    config: Config,
    dir: tempfile::TempDir,
}

impl Rig {
    pub async fn start() -> Self {
        Setup::new().start().await
    }

    /// Somebody without a key, who gets one with the first call.
    pub fn owner(&self) -> Agent {
        Agent::new(Arc::clone(&self.door), None)
    }

    /// Somebody with a key and no calls.
    pub async fn stranger(&self) -> Agent {
        self.keyed(false).await
    }

    /// Whoever runs this offhook.
    pub async fn admin(&self) -> Agent {
        self.keyed(true).await
    }

    async fn keyed(&self, admin: bool) -> Agent {
        let key = keys::create(self.app.gateway().store(), None, admin).await.unwrap();
        self.quiet.never(key.expose_secret());
        Agent::new(Arc::clone(&self.door), Some(key.expose_secret()))
    }

    /// The line is theirs alone from now on.
    pub async fn reserve(&self, agent: &Agent) {
        let owner = agent.get("/me").await.json()["userId"].as_str().unwrap().parse().unwrap();
        self.app.gateway().store().reserve(LINE, owner, Timestamp::default()).await.unwrap();
    }

    /// Stop offhook, as its operator does, and start it again on the same data.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| ()).await
    }

    /// The same, with another configuration.
    pub async fn restart_with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        self.app.shutdown().await;
        change(&mut self.config);
        let app = App::start(self.config.clone()).await.unwrap();
        self.door.moved(app.url());
        Self { app, ..self }
    }

    /// Stop everything. Nobody may have broken a rule of SIP or RTP, and nothing private may have been logged.
    pub async fn stop(self) {
        self.app.shutdown().await;
        let broken: Vec<String> = self.exchange.violations().iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "rules of SIP or RTP were broken: {broken:#?}");
        self.exchange.shutdown().await;
        self.quiet.check();
        drop(self.dir);
    }
}

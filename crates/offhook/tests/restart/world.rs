//! One data directory, one exchange, and the processes that come and go between them.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use offhook::config::{Config, Env, SpeechModel};
use offhook::gateway::PlaceCall;
use offhook_carrier::sip::{LineConfig, Listen, Server, SipConfig, Trunk};
use offhook_core::PhoneNumber;
use offhook_sandbox::{Sandbox, SandboxConfig};
use offhook_speech::local;
use offhook_testkit::quiet::Quiet;

pub const PATIENCE: Duration = Duration::from_secs(20);
pub const NEVER_ANSWERS: &str = "+14155550102";
pub const BUSY: &str = "+14155550101";
pub const HANGS_UP: &str = "+14155550109";
pub const SILENT: &str = "+14155550111";
/// Of the user: answers and talks.
pub const OWN_PHONE: &str = "+14155550191";

/// The exchange outlives the process that calls through it.
pub struct World {
    pub exchange: Sandbox,
    pub config: Config,
    pub dir: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        let quiet = Quiet::install();
        offhook_sandbox::NUMBERS.iter().for_each(|number| quiet.never_number(number.number));
        offhook_sandbox::numbers::sentences().into_iter().for_each(|sentence| quiet.never_said(sentence));
        let exchange = Sandbox::start(SandboxConfig::new(Arc::new(local::tagged::encode))).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let text = format!("listen = \"127.0.0.1:0\"\ndata_dir = {:?}", dir.path());
        let mut config = Config::parse(&text, &Env::default()).unwrap();
        config.speech = SpeechModel::Local(local::Config::tagged());
        config.sip = Some(trunk(exchange.addr()));
        config.sandbox = false;
        config.policy.sandbox = true;
        Self { exchange, config, dir }
    }
}

pub fn wish(to: &str) -> PlaceCall {
    PlaceCall { to: to.to_owned(), task: "Ask when they open.".to_owned(), ..PlaceCall::default() }
}

pub fn trunk(exchange: SocketAddr) -> SipConfig {
    // The same port before and after, as an operator's firewall wants it.
    let ours = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server { host: exchange.ip().to_string(), port: Some(exchange.port()), transport: None };
    let line = LineConfig {
        number: PhoneNumber::parse("+14155550199").unwrap(),
        display_name: None,
        trunk: "exchange".to_owned(),
        max_calls: 4,
    };
    SipConfig::new(Listen::udp(ours), Trunk::peer("exchange", server), vec![line])
}

//! The whole product put together from a configuration: store, recorder, carrier, model, gateway, HTTP server.

mod acs;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use offhook_carrier::sip::{LineConfig, Listen, Server, SipConfig, Trunk};
use offhook_carrier::{Carrier, IncomingCall, SipCarrier};
use offhook_core::PhoneNumber;
use offhook_core::policy::Policy;
use offhook_sandbox::{Sandbox, SandboxConfig};
use offhook_speech::{Model, local, openai};
use offhook_store::{ClaimError, OpenError, Store};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agents::Agents;
use crate::config::{Config, SpeechModel};
use crate::doctor;
use crate::engine::Engine;
use crate::gateway::{Gateway, Secret, Settings};
use crate::http;
use crate::recorder::Recorder;
use crate::webhooks;
use crate::writer::Writer;
pub use acs::AcsError;
use acs::AcsParts;

/// Inbound calls that wait to be looked at.
const INCOMING: usize = 64;
/// How often what has expired is deleted.
const PURGE_EVERY: Duration = Duration::from_secs(60 * 60);
/// The number offhook calls from in its sandbox, and how many calls that line carries.
const SANDBOX_LINE: (&str, usize) = ("+14155550199", 32);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("can't use {}: {why}; set data_dir to a directory this user may write", path.display())]
    DataDir { path: PathBuf, why: io::Error },
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error("the store can't be read: {0}")]
    Read(#[from] offhook_store::StoreError),
    #[error("can't listen on {addr}: {why}; set listen to a free address")]
    Listen { addr: SocketAddr, why: io::Error },
    #[error("the sandbox exchange can't start: {0}")]
    Sandbox(io::Error),
    #[error("there is no trunk to call through, and the sandbox is off; see docs/carriers")]
    NoCarrier,
    #[error(transparent)]
    Carrier(#[from] offhook_carrier::StartError),
    #[error(transparent)]
    Acs(#[from] AcsError),
    #[error(transparent)]
    Voice(#[from] local::FindError),
    #[error(transparent)]
    Check(#[from] offhook_speech::CheckError),
    #[error(transparent)]
    Model(#[from] openai::ConfigError),
    #[error("nothing can be asked or sent over HTTP from here: {0}")]
    Webhooks(#[from] reqwest::Error),
}

/// A running offhook.
#[derive(Debug)]
pub struct App {
    gateway: Gateway,
    sandbox: Option<Sandbox>,
    addr: SocketAddr,
    /// Where callbacks of ACS come in.
    doors_addr: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl App {
    /// Start everything; when this returns, calls are accepted.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        install_crypto();
        let data_dir = |why| StartError::DataDir { path: config.data_dir.clone(), why };
        private_dir(&config.data_dir).map_err(data_dir)?;
        let secret_file = config.data_dir.join("secret");
        let secret = Secret::load_or_create(&secret_file).map_err(data_dir)?;
        let store = Store::open(config.database_url.expose_secret()).await?;
        let recordings = config.data_dir.join("recordings");
        let claim = store.claim().await?;
        // Before anything is told to anybody: a start that can't listen leaves trunks and calls as they were.
        let listen = |why| StartError::Listen { addr: config.listen, why };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        let writer = Writer::start(store.clone());
        let recorder = Recorder::start(recordings, writer.clone()).map_err(data_dir)?;

        let model = model(&config).await?;
        let sandbox = if config.sandbox { Some(sandbox(&config).await?) } else { None };
        let sip = config.sip.clone().or_else(|| Some(sandbox_trunk(sandbox.as_ref()?.addr())));
        let (incoming, inbox) = mpsc::channel(INCOMING);
        let acs = match &config.acs {
            Some(acs) => {
                let key = (secret_file.as_path(), &secret);
                Some(AcsParts::new(acs, &store, key, incoming.clone(), &config.inbound).await?)
            }
            None => None,
        };
        let sip = match sip {
            Some(sip) => Some(SipCarrier::start(sip, incoming).await?),
            None => None,
        };
        let carrier = Carrier::of(sip, acs.as_ref().map(|acs| acs.carrier.clone()));
        let carrier = carrier.ok_or(StartError::NoCarrier)?;

        let lines = carrier.lines().into_iter().map(|line| line.number).collect();
        let agents = Agents::new(config.agents.clone()).map_err(StartError::Webhooks)?;
        let engine = Engine::new(carrier, (model, agents), writer, recorder, config.limits);
        let policy = Policy::new(config.policy.clone());
        let gateway = Gateway::new((store, claim), engine, policy, settings(&config, lines), secret);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let doors_addr = acs.as_ref().map(|acs| acs.addr);
        if let Some(acs) = acs {
            // Before calls of an earlier process are hung up: what the network says of them comes in here.
            gateway.keep_callbacks(acs.guard.clone());
            acs.open(&tasks, &stop);
        }
        gateway.reconcile().await?;
        let app = Self { gateway, sandbox, addr, doors_addr, stop, tasks };
        app.deliver_events(&config)?;
        app.spawn(listener, inbox, config);
        Ok(app)
    }

    /// After the calls of an earlier process were finalized: their last events are told by this one.
    fn deliver_events(&self, config: &Config) -> Result<(), StartError> {
        let public_url = http::PublicUrl::new(config.public_url.as_deref(), self.addr);
        let courier = webhooks::Courier::new(self.gateway.clone(), public_url, &config.webhooks)?;
        let queue = Arc::clone(self.gateway.webhook_queue());
        self.tasks.spawn(webhooks::run(Arc::new(courier), queue, self.stop.clone()));
        let teller = webhooks::Teller::new(self.gateway.clone(), &config.webhooks)?;
        self.tasks.spawn(Arc::new(teller).run(self.stop.clone()));
        Ok(())
    }

    fn spawn(&self, listener: TcpListener, mut inbox: mpsc::Receiver<IncomingCall>, config: Config) {
        let (gateway, stop) = (self.gateway.clone(), self.stop.clone());
        let public_url = http::PublicUrl::new(config.public_url.as_deref(), self.addr);
        let router = http::router(gateway.clone(), public_url);
        self.tasks.spawn(http::serve(listener, router, http::Limits::default(), stop));
        let (calls, stop) = (self.gateway.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            while let Some(Some(incoming)) = stop.run_until_cancelled(inbox.recv()).await {
                calls.take(incoming).await;
            }
        });
        let (scheduled, stop) = (self.gateway.clone(), self.stop.clone());
        self.tasks.spawn(async move { scheduled.keep_schedules(stop).await });
        let (waiting, stop) = (self.gateway.clone(), self.stop.clone());
        self.tasks.spawn(async move { waiting.keep_schedule(stop).await });
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            loop {
                gateway.purge(config.retention).await;
                if stop.run_until_cancelled(tokio::time::sleep(PURGE_EVERY)).await.is_none() {
                    return;
                }
            }
        });
    }

    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub fn sandbox(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref()
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where callbacks of ACS come in, when there is that carrier.
    pub fn doors_addr(&self) -> Option<SocketAddr> {
        self.doors_addr
    }

    /// Where the API answers, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", doctor::reachable(self.addr))
    }

    /// Refuse new calls, end the live ones, write everything down, then stop.
    pub async fn shutdown(self) {
        self.gateway.shutdown().await;
        self.stop.cancel();
        self.tasks.close();
        // An event stream that nobody reads must not keep the process alive.
        let _ = tokio::time::timeout(Duration::from_secs(3), self.tasks.wait()).await;
        if let Some(sandbox) = self.sandbox {
            sandbox.shutdown().await;
        }
        self.gateway.store().close().await;
    }
}

/// One TLS implementation for everything. A dependency may link another; none must be chosen by accident.
pub fn install_crypto() {
    // Fails when it was done before, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// For nobody but this user to look into.
pub fn private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

async fn model(config: &Config) -> Result<Model, StartError> {
    let model = match &config.speech {
        SpeechModel::Local(local) => Model::Local(local::Local::find(local.clone())?),
        SpeechModel::OpenAi(openai) => Model::OpenAi(realtime(openai.clone())?),
    };
    for problem in model.language_problems(&config.language) {
        tracing::warn!(%problem, "calls are held in English: the voice can't use speech.language");
    }
    // A missing program is a clear error now, not silence on the line later. A model that is only out of reach may
    // come back: calls wait for it, and `doctor` says what is wrong.
    if let Model::Local(_) = &model {
        model.check().await?;
    }
    Ok(model)
}

/// What speaks on this machine, if anything does, apologises when the endpoint is lost in mid-call.
fn realtime(config: openai::Config) -> Result<openai::OpenAi, openai::ConfigError> {
    let model = openai::OpenAi::new(config)?;
    Ok(match local::Synthesizer::any() {
        Some(synthesizer) => model.with_synthesizer(synthesizer),
        None => model,
    })
}

/// The people behind the test numbers speak with the synthesizer of the local voice.
async fn sandbox(config: &Config) -> Result<Sandbox, StartError> {
    let local = match &config.speech {
        SpeechModel::Local(local) => local.clone(),
        SpeechModel::OpenAi(_) => local::Config::default(),
    };
    let voices = local::Local::find(local)?;
    let sentences = offhook_sandbox::numbers::sentences();
    let mut spoken = std::collections::HashMap::new();
    for sentence in sentences {
        let samples = voices.synthesizer().speak(sentence, SANDBOX_VOICE).await;
        spoken.insert(
            sentence.to_owned(),
            samples.map_err(|error| StartError::Sandbox(io::Error::other(error)))?,
        );
    }
    let render =
        Arc::new(move |text: &str| spoken.get(text).map(|samples| samples.to_vec()).unwrap_or_default());
    Sandbox::start(SandboxConfig::new(render)).await.map_err(StartError::Sandbox)
}

/// Another voice than the agent's default, so that a listener can tell them apart.
const SANDBOX_VOICE: &str = "eric";

fn sandbox_trunk(exchange: SocketAddr) -> SipConfig {
    let server = Server { host: exchange.ip().to_string(), port: Some(exchange.port()), transport: None };
    let (number, max_calls) = SANDBOX_LINE;
    let line = LineConfig {
        number: PhoneNumber::parse(number).expect("a test number parses, which a test shows"),
        display_name: Some("offhook".to_owned()),
        trunk: "sandbox".to_owned(),
        max_calls,
    };
    let listen = Listen::udp(SocketAddr::from(([127, 0, 0, 1], 0)));
    SipConfig::new(listen, Trunk::peer("sandbox", server), vec![line])
}

fn settings(config: &Config, lines: Vec<PhoneNumber>) -> Settings {
    Settings {
        calling: config.calling_enabled,
        mint_keys: config.allow_anonymous_keys,
        opening: config.opening,
        disclosure: config.disclosure,
        language: config.language.clone(),
        recording_link: config.recording_link,
        lines,
        inbound: config.inbound.clone(),
        voice_target: config.voice_target.clone(),
        webhooks: config.webhooks.clone(),
        agents: config.agents.clone(),
        assistant_name: config.assistant_name.clone(),
        mask_secrets: config.mask_secrets || config.restrict_data,
        restrict_data: config.restrict_data,
        check_model: config.check_model.clone(),
        schedules: config.schedules.clone(),
        repeat_window: config.repeat_window,
        campaign_parallel: config.campaign_parallel,
    }
}

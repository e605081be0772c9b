//! What `offhook doctor` looks at: everything a call needs, without placing one.
//!
//! It leaves nothing behind. What a running offhook holds (its ports, its registrations) can't be tried a second time;
//! there the doctor asks it.

mod acs;
mod agents;
mod connected;
mod inbound;
mod pass;
mod readiness;
mod running;

use std::path::Path;
use std::time::Duration;

pub use connected::speak;
use offhook_carrier::acs::TRUNK;
use offhook_carrier::sip::{Listen, Transport};
use offhook_carrier::{Carrier, SipCarrier, SipConfig, TrunkCheck, TrunkReply, TrunkReport};
use offhook_core::brief::Language;
use offhook_speech::{CheckError, Model, local, openai};
use offhook_store::Store;
pub use pass::{HEADER as PASS_HEADER, Proof};
pub use readiness::Readiness;
use running::Running;
pub use running::reachable;
use rustix::fs::{Access, access};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::app;
use crate::config::{Config, SpeechModel};
use crate::gateway::Check;

/// How long to wait before a trunk that has not registered us is asked again.
const REGISTERING: Duration = Duration::from_secs(1);

/// How long trunks have to take the registration back.
const GOODBYE: Duration = Duration::from_secs(1);

/// One part of what a call needs, and how it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    pub name: String,
    /// Which one, where there are several: the name of a trunk.
    pub subject: Option<String>,
    pub ok: bool,
    /// The same in one stable word, for programs.
    pub state: String,
    pub found: String,
    /// What to do about it; empty when all is well.
    pub todo: String,
}

impl Default for Finding {
    fn default() -> Self {
        Self::new("")
    }
}

impl Finding {
    pub fn new(name: &str) -> Self {
        let name = name.to_owned();
        Self {
            name,
            subject: None,
            ok: true,
            state: String::new(),
            found: String::new(),
            todo: String::new(),
        }
    }

    pub fn of(self, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..self }
    }

    pub fn well(self, state: &str, found: impl Into<String>) -> Self {
        Self { ok: true, state: state.to_owned(), found: found.into(), ..self }
    }

    pub fn ill(self, state: &str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { ok: false, state: state.to_owned(), found: found.into(), todo: todo.into(), ..self }
    }
}

impl From<Check> for Finding {
    fn from(check: Check) -> Self {
        let finding = Self::new(check.name);
        if check.ok {
            finding.well("ok", check.found)
        } else {
            finding.ill("failed", check.found, check.todo)
        }
    }
}

/// Whether any call could be placed: not while the store is away or the process stops, nor over trunks that are all
/// known to be ill. Anything else is for the operator to mend while calls go on; that calling is switched off is shown,
/// but nobody need be woken for it.
pub fn can_place_calls(findings: &[Finding]) -> bool {
    let vital = |finding: &&Finding| ["store", "calls"].contains(&finding.name.as_str());
    let trunk = |finding: &&Finding| finding.name == "trunk";
    let as_wanted = |finding: &Finding| finding.ok || finding.state == readiness::SWITCHED_OFF;
    findings.iter().filter(vital).all(as_wanted)
        && (!findings.iter().any(|finding| trunk(&finding))
            || findings.iter().filter(trunk).any(|finding| finding.ok))
}

/// Every check, in the order a call needs it.
pub async fn examine(config: Config) -> Vec<Finding> {
    app::install_crypto();
    let running = match config.listen.port() {
        0 => Running::Nobody,
        _ => running::ask(config.listen, &config.data_dir.join("secret")).await,
    };
    let mut findings = vec![data_dir(&config), store(&config).await, api_port(&config, &running).await];
    let told = match &running {
        Running::Ours { findings, .. } => Some(findings.clone()),
        _ => None,
    };
    match (&config.sip, running) {
        (None, _) if config.acs.is_some() => {}
        (None, _) => findings.push(Finding::new("trunk").well(
            "sandbox",
            "none is configured: only the test numbers (+1 415 555 01xx) can be called; docs/carriers/sip.md says \
             how to connect one",
        )),
        (Some(_), Running::Ours { findings: told, .. }) => {
            findings.push(Finding::new("SIP ports").well("in_use", "in use by the running offhook"));
            findings.extend(told.into_iter().filter(is_sip_trunk));
        }
        (Some(sip), _) => findings.extend(carrier(sip).await),
    }
    if let Some(acs) = &config.acs {
        findings.extend(acs::examine(&config, acs, told.as_deref()).await);
        findings.extend(connected::numbers(acs).await);
    }
    findings.extend((!config.calling_enabled).then(readiness::switched_off));
    findings.push(voice(&config).await);
    findings.extend(agents::examine(&config).await);
    findings.extend(disk(&config));
    findings.push(disclosure(&config));
    findings.extend(inbound::lines(&config));
    findings
}

/// The resource of ACS is told of with its doors.
fn is_sip_trunk(finding: &Finding) -> bool {
    finding.name == "trunk" && finding.subject.as_deref() != Some(TRUNK)
}

fn data_dir(config: &Config) -> Finding {
    let finding = Finding::new("data directory");
    let dir = &config.data_dir;
    let shown = dir.display();
    // Before the first start there is none; whether it can be made depends on what is there.
    let existing = dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    match access(existing, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if existing == dir => finding.well("ok", format!("{shown} can be written")),
        Ok(()) => finding.well("missing", format!("{shown} will be made at the first start")),
        Err(why) => finding.ill(
            "not_writable",
            format!("{} can't be written: {why}", existing.display()),
            "set data_dir to a directory this user may write, or run as the user of the server",
        ),
    }
}

async fn store(config: &Config) -> Finding {
    let finding = Finding::new("store");
    let url = config.database_url.expose_secret();
    let path = url.strip_prefix("sqlite:").filter(|path| !Path::new(path).exists());
    if let Some(path) = path {
        return finding.well("missing", format!("{path} will be made at the first start"));
    }
    let store = match Store::open(url).await {
        Ok(store) => store,
        Err(error) => return finding.ill("failed", error.to_string(), "check database_url"),
    };
    let problems = store.integrity().await;
    store.close().await;
    match problems {
        Ok(problems) if problems.is_empty() => {
            finding.well("ok", "opens, and its contents agree with each other")
        }
        Ok(problems) => finding.ill("damaged", problems.join("\n"), "restore a backup, and report this"),
        Err(error) => finding.ill("failed", error.to_string(), "check the disk and database_url"),
    }
}

async fn api_port(config: &Config, running: &Running) -> Finding {
    let (finding, listen) = (Finding::new("API port"), config.listen);
    match running {
        Running::Ours { version, .. } => {
            finding.well("in_use", format!("{listen} is in use by the running offhook {version}"))
        }
        Running::Another { version } => finding.ill(
            "in_use",
            format!("an offhook {version} with other data answers at {listen}"),
            "stop it, set listen to another port, or name its configuration with --config",
        ),
        Running::Stranger => finding.ill(
            "in_use",
            format!("another program answers at {listen}"),
            "stop it, or set listen to another port",
        ),
        Running::Nobody => match TcpListener::bind(listen).await {
            Ok(_) => finding.well("free", format!("{listen} is free; no offhook is running")),
            Err(why) => finding.ill(
                "unusable",
                format!("{listen} can't be listened on: {why}"),
                "set listen to an address of this machine and a free port above 1023",
            ),
        },
    }
}

/// Binds the ports, registers, and asks each trunk, as a server would.
async fn carrier(sip: &SipConfig) -> Vec<Finding> {
    let (incoming, _inbox) = mpsc::channel(1);
    let carrier = match SipCarrier::start(sip.clone(), incoming).await {
        Ok(carrier) => Carrier::from(carrier),
        Err(error) => {
            let todo = "stop what uses the port, or change carrier.sip.listen; docs/carriers/sip.md has more";
            let found = taken(sip).unwrap_or_else(|| error.to_string());
            return vec![Finding::new("SIP ports").ill("unusable", found, todo)];
        }
    };
    let checked = settled(&carrier).await;
    // A registration is taken back; a trunk that is silent is not waited for.
    let _ = tokio::time::timeout(GOODBYE, carrier.shutdown()).await;
    let ports: Vec<String> =
        sip.listen.iter().map(|listen| format!("{} {}", listen.transport.name(), listen.addr)).collect();
    let mut findings =
        vec![Finding::new("SIP ports").well("free", format!("{} can be used", ports.join(", ")))];
    let trunks = checked.trunks.iter();
    findings.extend(trunks.map(|report| readiness::trunk(&report.name, report.registered, Some(report))));
    findings
}

/// Registering takes some round trips: a trunk that answers gets a second chance before it is called a failure.
async fn settled(carrier: &Carrier) -> TrunkCheck {
    let checked = carrier.check().await;
    let registering = |report: &TrunkReport| {
        report.registered == Some(false) && matches!(report.reply, TrunkReply::Answered { .. })
    };
    if !checked.trunks.iter().any(registering) {
        return checked;
    }
    tokio::time::sleep(REGISTERING).await;
    carrier.check().await
}

/// The first address that is in use already; the system does not say which it was.
fn taken(sip: &SipConfig) -> Option<String> {
    let used = |listen: &&Listen| {
        let bound = match listen.transport {
            Transport::Udp => std::net::UdpSocket::bind(listen.addr).map(drop),
            Transport::Tcp | Transport::Tls => std::net::TcpListener::bind(listen.addr).map(drop),
        };
        bound.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    };
    sip.listen
        .iter()
        .find(used)
        .map(|listen| format!("{} {} is in use by another program", listen.transport.name(), listen.addr))
}

async fn voice(config: &Config) -> Finding {
    let finding = Finding::new("model");
    let found = match &config.speech {
        SpeechModel::Local(local) => {
            local::Local::find(local.clone()).map(Model::Local).map_err(|error| error.to_string())
        }
        SpeechModel::OpenAi(openai) => {
            openai::OpenAi::new(openai.clone()).map(Model::OpenAi).map_err(|error| error.to_string())
        }
    };
    let model = match found {
        Ok(model) => model,
        Err(error) => return finding.ill("unusable", error, "calls are refused until this works"),
    };
    let unspoken = model.language_problems(&config.language);
    match model.check().await {
        Ok(_) if !unspoken.is_empty() => {
            let advice =
                "calls are held in English: set speech.language, or choose other parts in speech.local";
            finding.ill("language", unspoken.join("; "), advice)
        }
        Ok(checked) => finding.well("ok", checked.what),
        Err(CheckError::Unusable { what, why, advice }) => {
            finding.ill("unusable", format!("{what} is not usable: {why}"), advice)
        }
        Err(CheckError::Unreachable { what, why, advice }) => {
            finding.ill("unreachable", format!("{what} could not be reached: {why}"), advice)
        }
        Err(CheckError::Unauthorized { what, why, advice }) => {
            finding.ill("refused", format!("{what} refused the key: {why}"), advice)
        }
    }
}

/// Nothing to say before the first start.
fn disk(config: &Config) -> Option<Finding> {
    config.data_dir.exists().then(|| readiness::room(&config.data_dir))
}

fn disclosure(config: &Config) -> Finding {
    let finding = Finding::new("disclosure");
    match config.disclosure.words(Language::of(&config.language)) {
        Some(sentence) => finding.well("on", format!("every call begins: {sentence}")),
        None => finding.ill(
            "off",
            "nobody is told that this is an AI assistant, or that the call is recorded",
            "many places forbid this; set speech.disclosure_ai and speech.disclosure_recording to true",
        ),
    }
}

//! What `offhook doctor` looks at: everything a call needs, without placing one.

use offhook_carrier::{Carrier, SipCarrier, TrunkReply};
use offhook_speech::{Model, local, openai};
use offhook_store::Store;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::app;
use crate::config::{Config, SpeechModel};
use crate::gateway::Check;

/// Every check, in the order a call needs it.
pub async fn examine(config: Config) -> Vec<Check> {
    app::install_crypto();
    let mut checks = vec![ok("configuration", "read and understood".to_owned())];
    checks.push(data_dir(&config));
    checks.push(store(&config).await);
    checks.push(listen(&config).await);
    checks.push(voice(&config).await);
    checks.extend(carrier(&config).await);
    checks.push(disclosure(&config));
    checks
}

fn ok(name: &'static str, found: String) -> Check {
    Check { name, ok: true, found, todo: String::new() }
}

fn fail(name: &'static str, found: String, todo: &str) -> Check {
    Check { name, ok: false, found, todo: todo.to_owned() }
}

fn data_dir(config: &Config) -> Check {
    let dir = &config.data_dir;
    let probe = dir.join(".doctor");
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => ok("data directory", format!("{} can be written", dir.display())),
        Err(error) => fail(
            "data directory",
            format!("{}: {error}", dir.display()),
            "set data_dir to a directory this user may write",
        ),
    }
}

async fn store(config: &Config) -> Check {
    let store = match Store::open(config.database_url.expose_secret()).await {
        Ok(store) => store,
        Err(error) => return fail("store", error.to_string(), "check database_url"),
    };
    let problems = store.integrity().await;
    store.close().await;
    match problems {
        Ok(problems) if problems.is_empty() => {
            ok("store", "opens, and its contents agree with each other".to_owned())
        }
        Ok(problems) => fail("store", problems.join("; "), "restore a backup, and report this"),
        Err(error) => fail("store", error.to_string(), "check the disk and database_url"),
    }
}

async fn listen(config: &Config) -> Check {
    match TcpListener::bind(config.listen).await {
        Ok(_) => ok("API port", format!("{} is free", config.listen)),
        Err(error) => match reqwest::get(format!("http://{}/healthz", config.listen)).await {
            Ok(answer) if answer.status().is_success() => {
                ok("API port", format!("an offhook answers at {}", config.listen))
            }
            _ => fail(
                "API port",
                format!("{}: {error}", config.listen),
                "stop what uses the port, or set listen",
            ),
        },
    }
}

async fn voice(config: &Config) -> Check {
    let model = match &config.speech {
        SpeechModel::Local(local) => {
            local::Local::find(local.clone()).map(Model::Local).map_err(|error| error.to_string())
        }
        SpeechModel::OpenAi(openai) => {
            openai::OpenAi::new(openai.clone()).map(Model::OpenAi).map_err(|error| error.to_string())
        }
    };
    let model = match model {
        Ok(model) => model,
        Err(error) => return fail("voice", error, "see the keys speech.* in docs/config.md"),
    };
    match model.check().await {
        Ok(checked) => ok("voice", checked.what),
        Err(error) => fail("voice", error.to_string(), "calls are refused until this works"),
    }
}

async fn carrier(config: &Config) -> Vec<Check> {
    let Some(sip) = config.sip.clone() else {
        let found = "none configured: only the test numbers of the sandbox can be called";
        return vec![ok("trunk", found.to_owned())];
    };
    let (incoming, _inbox) = mpsc::channel(1);
    let carrier = match SipCarrier::start(sip, incoming).await {
        Ok(carrier) => Carrier::Sip(carrier),
        Err(error) => {
            return vec![fail(
                "trunk",
                error.to_string(),
                "see docs/carriers/sip.md; a running offhook holds its ports",
            )];
        }
    };
    let checked = carrier.check().await;
    carrier.shutdown().await;
    checked
        .trunks
        .into_iter()
        .map(|trunk| {
            let reply = match &trunk.reply {
                TrunkReply::Answered { sip_status, round_trip } => {
                    format!("answers {sip_status} in {} ms", round_trip.as_millis())
                }
                TrunkReply::Silence => "does not answer".to_owned(),
                TrunkReply::Unreachable { why } => format!("can't be reached: {why}"),
            };
            let registered = match trunk.registered {
                Some(true) => ", registered",
                Some(false) => ", not registered",
                None => "",
            };
            let found = format!("{} ({}) {reply}{registered}", trunk.name, trunk.server);
            Check { name: "trunk", ok: trunk.advice.is_none(), found, todo: trunk.advice.unwrap_or_default() }
        })
        .collect()
}

fn disclosure(config: &Config) -> Check {
    match config.disclosure.sentence() {
        Some(sentence) => ok("disclosure", format!("every call begins: {sentence}")),
        None => fail(
            "disclosure",
            "nobody is told that this is an AI assistant, or that the call is recorded".to_owned(),
            "many places forbid this; set speech.disclosure_ai and speech.disclosure_recording to true",
        ),
    }
}

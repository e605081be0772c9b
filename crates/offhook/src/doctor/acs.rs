//! Azure Communication Services for the doctor: how callbacks reach us, and whether nobody else's do.
//!
//! A running offhook tells what it knows ([`known`]); from outside, [`examine`] knocks at the doors as a stranger would.

mod audio;

use std::time::Duration;

use offhook_carrier::Carrier;
use offhook_carrier::acs::{AcsCarrier, TRUNK};
use offhook_store::Store;
use rand::RngCore as _;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{Finding, Proof, readiness};
use crate::acs::{Audience, Guard, Trust};
use crate::clock;
use crate::config::{Acs, Config};
use crate::http::acs::HEALTH;

const ADDRESS: &str = "ACS address";
const AUDIENCE: &str = "ACS audience";
const INCOMING: &str = "ACS incoming";
const KEYS: &str = "ACS keys";
const UNSIGNED: &str = "ACS tokens";
/// Whose keys, where deliveries are protected by it.
const ENTRA: &str = "Entra ID";
/// For an address that leads across the internet and back.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was refused before is no news.
const LATELY: Duration = Duration::from_secs(60 * 60);

/// What a running offhook knows of its doors.
pub async fn known(guard: &Guard) -> Vec<Finding> {
    let mut findings = vec![address(guard), keys(guard.callbacks())];
    findings.extend(guard.incoming().entra.as_ref().map(|entra| keys(entra).of(ENTRA)));
    let audience = guard.callbacks().audience().await;
    findings.push(audience.map_or_else(|error| unread(&error), |audience| self::audience(&audience)));
    findings.extend(guard.callbacks().accepts_missing().then(unsigned));
    findings.extend(refusal(guard));
    findings.extend(incoming(guard));
    findings
}

/// A resource that answers is of no use while it can't reach us: no call is placed then.
pub fn judge_trunk(trunks: &mut [Finding], guard: &Guard) {
    if guard.reached().url.is_some() {
        return;
    }
    for trunk in trunks.iter_mut().filter(|finding| finding.ok && finding.subject.as_deref() == Some(TRUNK)) {
        let found = "it can't reach us: there is no public address at the moment";
        *trunk = Finding::new("trunk").of(TRUNK).ill("unreachable", found, "see ACS address");
    }
}

/// The subject is the address, for the doctor beside us.
fn address(guard: &Guard) -> Finding {
    let reached = guard.reached();
    let finding = Finding::new(ADDRESS);
    match (reached.url, reached.problem) {
        (Some(url), _) => finding.of(&url).well("known", "callbacks are asked for there"),
        (None, Some(why)) => finding.ill("down", format!("the tunnel is down: {why}"), TUNNEL),
        (None, None) => finding.ill("starting", "the tunnel has no address yet", "wait a moment"),
    }
}

const TUNNEL: &str =
    "run the program of carrier.acs.tunnel by hand and see what it says; no call is placed meanwhile";

fn keys(trust: &Trust) -> Finding {
    let (finding, status) = (Finding::new(KEYS), trust.keys());
    match (status.fetched_at, status.problem) {
        (Some(at), None) => finding.well("ok", format!("{} known since {}", status.known, clock::iso(at))),
        (Some(at), Some(why)) => {
            let found = format!("{} known since {}, but {why}", status.known, clock::iso(at));
            finding.ill("stale", found, REACH_KEYS)
        }
        (None, Some(why)) => finding.ill("unreachable", why, REACH_KEYS),
        (None, None) => finding.well("not_known", "being asked for"),
    }
}

const REACH_KEYS: &str = "without them no callback is believed: let this machine reach the issuer";

fn audience(audience: &Audience) -> Finding {
    let finding = Finding::new(AUDIENCE);
    match audience {
        Audience::Configured(audience) => finding.well("configured", format!("{audience}, as configured")),
        Audience::Learned { audience, learned_at } => finding.well(
            "learned",
            format!(
                "{audience}, learned at {}; it should be the immutable id of the resource (`offhook acs \
                 forget-audience` forgets it)",
                clock::iso(*learned_at)
            ),
        ),
        Audience::NotYet => finding.well(
            "not_learned",
            "not known yet: the first callback of a call of ours will tell; carrier.acs.audience says it now",
        ),
    }
}

fn unread(error: &offhook_store::StoreError) -> Finding {
    Finding::new(AUDIENCE).ill("not_known", error.to_string(), "check the store")
}

/// Works, and should not stay.
fn unsigned() -> Finding {
    Finding::new(UNSIGNED).ill(
        "unsigned",
        "callbacks and audio WITHOUT any token of Microsoft's are let in by the secret in their address alone",
        "set carrier.acs.accept_unsigned to false, unless something between strips the Authorization header",
    )
}

/// Who knows the secret of a call is Microsoft, most likely, and then something is wrong here.
fn refusal(guard: &Guard) -> Option<Finding> {
    let refusal = guard.last_refusal().filter(|refusal| clock::now().since(refusal.at) < LATELY)?;
    let found =
        format!("a request with the right secret was refused at {}: {}", clock::iso(refusal.at), refusal.why);
    let todo =
        "if it goes on, compare carrier.acs.audience and carrier.acs.issuer with the resource, and the clock";
    Some(Finding::new(UNSIGNED).ill("refused", found, todo))
}

/// Where lines are answered: whether Event Grid has ever found us where we are now.
fn incoming(guard: &Guard) -> Option<Finding> {
    let (url, finding) = (guard.reached().url?, Finding::new(INCOMING));
    let todo = "`offhook setup acs --incoming` subscribes this address to calls that come in";
    guard.incoming().answered.then(|| match guard.incoming().told.is(&url) {
        true => finding.well("told", "Event Grid finds its way to this address"),
        false => finding.ill("not_told", "nothing of Event Grid's has come to this address yet", todo),
    })
}

/// From outside: what was told by the one that runs, or what can be found out while none does; then a knock.
pub(super) async fn examine(config: &Config, acs: &Acs, told: Option<&[Finding]>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    match told {
        Some(told) => {
            findings.extend(told.iter().filter(|finding| is_ours(finding)).cloned());
            let told_url = findings.iter().find(|finding| finding.name == ADDRESS);
            if let Some(url) = told_url.and_then(|finding| finding.subject.clone()) {
                findings.retain(|finding| finding.name != ADDRESS);
                let proof = Proof::with(&config.data_dir.join("secret"));
                findings.extend(knock(&url, proof, acs.callbacks.accept_missing).await);
            }
        }
        None => {
            findings.extend(resource(acs).await);
            findings.extend(alone(config, acs).await);
        }
    }
    findings
}

fn is_ours(finding: &Finding) -> bool {
    let is_resource = finding.name == "trunk" && finding.subject.as_deref() == Some(TRUNK);
    is_resource || finding.name.starts_with("ACS ")
}

/// Whether the resource takes our key.
async fn resource(acs: &Acs) -> Vec<Finding> {
    let (incoming, _inbox) = mpsc::channel(1);
    let carrier = match AcsCarrier::start(acs.carrier.clone(), incoming) {
        Ok(carrier) => Carrier::from(carrier),
        Err(error) => {
            return vec![Finding::new("trunk").of(TRUNK).ill(
                "unusable",
                error.to_string(),
                "docs/carriers/acs.md",
            )];
        }
    };
    let checked = carrier.check().await;
    checked
        .trunks
        .iter()
        .map(|report| readiness::trunk(&report.name, report.registered, Some(report)))
        .collect()
}

/// While no offhook runs.
async fn alone(config: &Config, acs: &Acs) -> Vec<Finding> {
    let port = Finding::new("ACS doors");
    let port = match TcpListener::bind(acs.listen).await {
        Ok(_) => port.well("free", format!("{} is free", acs.listen)),
        Err(why) => port.ill(
            "unusable",
            format!("{} can't be listened on: {why}", acs.listen),
            "set carrier.acs.listen to a free address of this machine",
        ),
    };
    let address = Finding::new(ADDRESS);
    let address = match (&acs.public_url, &acs.tunnel) {
        (_, Some(tunnel)) => {
            let program = tunnel.program.display();
            match found(&tunnel.program) {
                true => address.well("not_running", format!("{program} makes a tunnel once offhook runs")),
                false => address.ill(
                    "no_program",
                    format!("{program} is not there"),
                    "install it, or set carrier.acs.tunnel_program to where it is",
                ),
            }
        }
        (Some(url), None) => address
            .of(url)
            .well("not_running", "is tried while offhook runs: start it, then run this once more"),
        (None, None) => address.ill("missing", "there is none", "set carrier.acs.public_url"),
    };
    let mut findings = vec![port, address];
    findings.extend(trust(config, acs).await);
    findings.extend(acs.callbacks.accept_missing.then(unsigned));
    findings
}

async fn trust(config: &Config, acs: &Acs) -> Vec<Finding> {
    use secrecy::ExposeSecret as _;
    let url = config.database_url.expose_secret();
    let is_new = url.strip_prefix("sqlite:").is_some_and(|path| !std::path::Path::new(path).exists());
    let store = if is_new { None } else { Store::open(url).await.ok() };
    let learned = store.clone().map(|store| (store, acs.resource().to_owned()));
    let trust = match Trust::new(acs.callbacks.clone(), learned) {
        Ok(trust) => trust,
        Err(error) => return vec![Finding::new(KEYS).ill("unreachable", error.to_string(), REACH_KEYS)],
    };
    let keys = tried(&trust).await;
    let audience = match trust.audience().await {
        Ok(audience) => self::audience(&audience),
        Err(error) => unread(&error),
    };
    if let Some(store) = store {
        store.close().await;
    }
    let mut findings = vec![keys, audience];
    if let Some(Ok(entra)) = acs.incoming.entra.clone().map(|entra| Trust::new(entra, None)) {
        findings.push(tried(&entra).await.of(ENTRA));
    }
    findings
}

/// Whether the keys can be had now.
async fn tried(trust: &Trust) -> Finding {
    let keys = Finding::new(KEYS);
    match trust.check().await {
        Ok(known) => keys.well("ok", format!("{known} can be had")),
        Err(error) => keys.ill("unreachable", error.to_string(), REACH_KEYS),
    }
}

/// A path, or a name in `PATH`.
fn found(program: &std::path::Path) -> bool {
    if program.components().count() > 1 {
        return program.exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

#[derive(Deserialize)]
struct Health {
    proof: Option<String>,
}

fn nonce() -> String {
    let mut nonce = [0; 16];
    rand::rng().fill_bytes(&mut nonce);
    nonce.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Knock at this address as Microsoft would, and as a stranger would. `lax` is where requests without a token are let
/// in.
async fn knock(url: &str, proof: Option<Proof>, lax: bool) -> Vec<Finding> {
    let address = Finding::new(ADDRESS).of(url);
    let none = reqwest::redirect::Policy::none();
    let Ok(client) = reqwest::Client::builder().timeout(PATIENCE).redirect(none).http1_only().build() else {
        return vec![address.ill(
            "not_known",
            "no request can be made from here",
            "check TLS on this machine",
        )];
    };
    let nonce = nonce();
    let todo =
        "have it lead to carrier.acs.listen: the proxy, its certificate, the firewall, the name in DNS";
    let health = match client.get(format!("{url}{HEALTH}?nonce={nonce}")).send().await {
        Ok(answer) if answer.status().is_success() => answer.json::<Health>().await.ok(),
        Ok(answer) => {
            return vec![address.ill(
                "another",
                format!("another server answers there ({})", answer.status()),
                todo,
            )];
        }
        Err(error) => {
            let why =
                if error.is_timeout() { "no answer".to_owned() } else { error.without_url().to_string() };
            return vec![address.ill("unreachable", format!("can't be reached from here: {why}"), todo)];
        }
    };
    let expected = proof.as_ref().map(|proof| proof.answer(&nonce));
    let proved = health.and_then(|health| health.proof);
    let address = match (proved, expected) {
        (None, _) => return vec![address.ill("another", "another server answers there", todo)],
        (Some(proved), Some(expected)) if proved != expected => {
            return vec![address.ill("another", "another offhook answers there", todo)];
        }
        (Some(_), None) => {
            address.well("reachable", "an offhook answers there; whether it is ours can't be told")
        }
        (Some(_), Some(_)) if !url.starts_with("https://") => address.ill(
            "not_https",
            "leads to us, but not over TLS",
            "ACS reports to https:// addresses only",
        ),
        (Some(_), Some(_)) => address.well("reachable", "leads to us, over TLS"),
    };
    let mut findings = vec![address];
    if let Some(proof) = &proof {
        findings.push(audio::knock(&client, url, proof, lax).await);
    }
    findings.push(strangers(&client, url).await);
    findings
}

/// Whoever shows no secret, or a wrong one, is refused at every door.
async fn strangers(client: &reqwest::Client, url: &str) -> Finding {
    let finding = Finding::new("ACS probes");
    let probes = [
        ("a callback without a token", client.post(format!("{url}/webhooks/acs/calls/probe"))),
        ("a callback with a wrong token", client.post(format!("{url}/webhooks/acs/calls/probe?token=wrong"))),
        ("audio without a token", client.get(format!("{url}/webhooks/acs/media/probe"))),
        ("a delivery without a token", client.post(format!("{url}/webhooks/acs/incoming")).body("[]")),
        ("a request to the API", client.get(format!("{url}/calls"))),
    ];
    let count = probes.len();
    for (what, probe) in probes {
        let expected = if what.ends_with("API") { 404 } else { 401 };
        match probe.send().await {
            Ok(answer) if answer.status().as_u16() == expected => {}
            Ok(answer) => {
                let found =
                    format!("{what} is answered with {} instead of {expected}", answer.status().as_u16());
                return finding.ill(
                    "open",
                    found,
                    "find out what answers there: it is not the doors of this offhook",
                );
            }
            Err(error) => {
                return finding.ill("unreachable", error.without_url().to_string(), "try again");
            }
        }
    }
    finding.well("refused", format!("all {count} requests of a stranger are refused"))
}

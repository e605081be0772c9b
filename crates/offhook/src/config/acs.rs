//! Azure Communication Services: the resource, our numbers on it, the doors its callbacks come to, and whom to believe
//! there.

use std::net::SocketAddr;
use std::path::PathBuf;

use offhook_carrier::acs::{
    API_VERSION, AUTHORITY, AcsAuth, AcsConfig, AcsLine, ConnectionString, Entra, MAX_CALLS, ManagedEndpoint,
    TRUNK, is_here, normal_endpoint,
};
use offhook_carrier::sip::SipConfig;
use offhook_core::audio::SampleRate;
use offhook_core::{AudioFormat, PhoneNumber};
use secrecy::{ExposeSecret as _, SecretString};

use super::build::Build;
use super::choice;
use super::keys::{Key, Kind, key};
use super::raw::{RawAcs, RawLine};
use crate::acs::tunnel::{self, TunnelConfig};
use crate::acs::{Source, Timing, TrustConfig};

/// Who signs the callbacks of the public cloud, and where its keys are.
const ISSUER: &str = "https://acscallautomation.communication.azure.com";
const KEYS_URL: &str = "https://acscallautomation.communication.azure.com/calling/keys";
/// The application of Event Grid in every tenant of the public cloud.
const EVENT_GRID: &str = "4962773b-9cdb-44cf-a8bf-237846a00ab7";
const IMDS: &str = "http://169.254.169.254";
const LISTEN: &str = "127.0.0.1:7466";
const SHORTEST_TOKEN: usize = 16;

/// The carrier, its doors, and who may come through them.
#[derive(Clone, Debug)]
pub struct Acs {
    /// Its addresses are made of `public_url`, or of the tunnel's.
    pub carrier: AcsConfig,
    /// Where the doors listen. Port 0: any free one.
    pub listen: SocketAddr,
    /// Without a slash at the end; `None`: the tunnel says.
    pub public_url: Option<String>,
    pub tunnel: Option<TunnelConfig>,
    pub callbacks: TrustConfig,
    pub incoming: Incoming,
}

/// How the deliveries of Event Grid are recognised.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// `None`: one is made of the secret of this installation, unless Entra ID protects the delivery.
    pub token: Option<SecretString>,
    pub entra: Option<TrustConfig>,
    pub topic: Option<String>,
}

impl Acs {
    /// The host of the resource, under which what is learned about it is kept.
    pub fn resource(&self) -> &str {
        let endpoint = &self.carrier.endpoint;
        endpoint.split_once("://").map_or(endpoint.as_str(), |(_, host)| host)
    }
}

pub(super) const KEYS: &[Key] = &[
    key(
        "carrier.acs.connection_string",
        Kind::Secret,
        "",
        "Connects a resource of Azure Communication Services: `endpoint=https://…;accesskey=…`, as the portal shows it. [docs/carriers/acs.md](carriers/acs.md) says more.",
    ),
    key(
        "carrier.acs.endpoint",
        Kind::Text,
        "that of the connection string",
        "The resource, `https://NAME.communication.azure.com`, where Entra ID is used instead of an access key.",
    ),
    key(
        "carrier.acs.auth",
        Kind::Choice(choice::AcsAuth::WORDS),
        "what is written: a connection string, a client secret, a token file; else the managed identity",
        "How requests to the resource are signed: with its access key, or with tokens of Entra ID for an application, a workload (Kubernetes, CI), or the machine offhook runs on.",
    ),
    key("carrier.acs.tenant_id", Kind::Text, "AZURE_TENANT_ID", "The tenant of the application."),
    key(
        "carrier.acs.client_id",
        Kind::Text,
        "AZURE_CLIENT_ID",
        "The application; of a managed identity only where there are several.",
    ),
    key("carrier.acs.client_secret", Kind::Secret, "AZURE_CLIENT_SECRET", "Its secret."),
    key(
        "carrier.acs.token_file",
        Kind::Text,
        "AZURE_FEDERATED_TOKEN_FILE",
        "The file with the token of a workload; it is read again whenever it is needed.",
    ),
    key(
        "carrier.acs.authority",
        Kind::Text,
        "AZURE_AUTHORITY_HOST, else https://login.microsoftonline.com",
        "Who issues tokens of Entra ID; another one in sovereign clouds.",
    ),
    key("carrier.acs.api_version", Kind::Text, API_VERSION, "The version of Call Automation to speak."),
    key(
        "carrier.acs.audio",
        Kind::Choice(choice::AcsAudio::WORDS),
        choice::AcsAudio::DEFAULT,
        "Samples a second. With 24 kHz a Realtime endpoint hears and speaks without any conversion.",
    ),
    key(
        "carrier.acs.public_url",
        Kind::Text,
        "the tunnel's",
        "Where the resource reaches `carrier.acs.listen`: an `https://` address that leads there, by a proxy with TLS for example. Nothing of the API is behind it.",
    ),
    key(
        "carrier.acs.listen",
        Kind::Text,
        LISTEN,
        "Where callbacks and audio come in: address and port, without TLS. Only the paths of this carrier answer there.",
    ),
    key(
        "carrier.acs.tunnel",
        Kind::Choice(choice::Tunnel::WORDS),
        choice::Tunnel::DEFAULT,
        "A program of yours that offhook starts to make `carrier.acs.listen` reachable, and starts again when it dies.",
    ),
    key(
        "carrier.acs.tunnel_program",
        Kind::Text,
        "cloudflared, ngrok or tailscale in PATH",
        "Where the program is.",
    ),
    key(
        "carrier.acs.tunnel_token",
        Kind::Secret,
        "",
        "The token of a cloudflared tunnel that is managed in the dashboard, or the authtoken of ngrok. Handed over in the environment of the program.",
    ),
    key(
        "carrier.acs.tunnel_name",
        Kind::Text,
        "",
        "A cloudflared tunnel that was created before; its address goes into `carrier.acs.public_url`.",
    ),
    key(
        "carrier.acs.audience",
        Kind::Text,
        "learned",
        "For whom tokens of callbacks must be: the immutable id of the resource. Without it, the first callback that is signed by Microsoft and carries the secret of a call of ours says so, and it is kept; `offhook doctor` shows it, `offhook acs forget-audience` forgets it.",
    ),
    key("carrier.acs.issuer", Kind::Text, ISSUER, "Who signs callbacks; another one in sovereign clouds."),
    key("carrier.acs.keys_url", Kind::Text, KEYS_URL, "Where the keys of the issuer are (JWKS)."),
    key(
        "carrier.acs.openid_url",
        Kind::Text,
        "",
        "The OpenID configuration that names the address of the keys, instead of `carrier.acs.keys_url`.",
    ),
    key(
        "carrier.acs.accept_unsigned",
        Kind::Bool,
        "false",
        "Whether callbacks and audio without any token are let in by the secret in their address alone. One with a bad token never is.",
    ),
    key(
        "carrier.acs.incoming_token",
        Kind::Secret,
        "made of the secret of this installation",
        "What a delivery of Event Grid must carry as `?token=`; 16 characters at least. `offhook acs incoming-url` prints the whole address.",
    ),
    key(
        "carrier.acs.incoming_topic",
        Kind::Text,
        "any",
        "The resource events must be of: `/subscriptions/…/providers/Microsoft.Communication/CommunicationServices/NAME`.",
    ),
    key(
        "carrier.acs.incoming_tenant_id",
        Kind::Text,
        "",
        "Where deliveries are protected by Entra ID: the id of the tenant that issues their tokens.",
    ),
    key(
        "carrier.acs.incoming_audience",
        Kind::Text,
        "",
        "Where deliveries are protected by Entra ID: the id or URI of the application the subscription names.",
    ),
    key(
        "carrier.acs.incoming_application",
        Kind::Text,
        EVENT_GRID,
        "Where deliveries are protected by Entra ID: the application that fetches their tokens, Event Grid itself.",
    ),
];

/// Lines of the file with their places in it.
pub(super) type Lines<'a> = Vec<(usize, &'a RawLine)>;

/// Which lines are of ACS, and which are not. A line without a trunk is of ACS where there is no other trunk.
pub(super) fn split<'a>(
    build: &Build<'_>,
    raw: &RawAcs,
    lines: &'a [RawLine],
    has_trunk: bool,
) -> (Lines<'a>, Lines<'a>) {
    let is_on = is_on(build, raw);
    let is_of_acs = |(_, line): &(usize, &RawLine)| match line.trunk.as_deref() {
        Some(trunk) => is_on && trunk == TRUNK,
        None => is_on && !has_trunk,
    };
    lines.iter().enumerate().partition(is_of_acs)
}

/// Whether a resource is configured.
fn is_on(build: &Build<'_>, raw: &RawAcs) -> bool {
    raw.connection_string.is_some()
        || raw.endpoint.is_some()
        || build.env.get("ACS_CONNECTION_STRING").is_some()
}

/// The carrier, when a resource is configured.
pub(super) fn acs(build: &mut Build<'_>, raw: &RawAcs, lines: &Lines<'_>) -> Option<Acs> {
    if !is_on(build, raw) {
        // Nobody writes these for nothing.
        if raw.public_url.is_some() || raw.tunnel.is_some() || raw.auth.is_some() {
            build.problem(
                "carrier.acs.connection_string",
                "is missing; or with Entra ID carrier.acs.endpoint: which resource is meant?",
            );
        }
        return None;
    }
    let (endpoint, auth) = account(build, raw)?;
    let lines = lines_of(build, lines);
    let tunnel = tunnel(build, raw);
    let public_url = public_url(build, raw, tunnel.as_ref());
    let listen = build.parse(
        "carrier.acs.listen",
        raw.listen.as_deref().or(Some(LISTEN)),
        "an IP address with a port, e.g. 127.0.0.1:7466",
    );
    let mut carrier = AcsConfig::new(&endpoint, auth, public_url.as_deref().unwrap_or_default(), lines);
    carrier.api_version = raw.api_version.clone().unwrap_or_else(|| API_VERSION.to_owned());
    carrier.format = AudioFormat::Pcm16(match raw.audio.unwrap_or_default() {
        choice::AcsAudio::Hz24000 => SampleRate::Hz24000,
        choice::AcsAudio::Hz16000 => SampleRate::Hz16000,
    });
    let tunnel = tunnel.map(|tunnel| TunnelConfig { public_url: public_url.clone(), ..tunnel });
    Some(Acs {
        carrier,
        listen: listen?,
        public_url,
        tunnel,
        callbacks: callbacks(build, raw),
        incoming: incoming(build, raw),
    })
}

/// A number is on one network.
pub(super) fn twice(build: &mut Build<'_>, sip: Option<&SipConfig>, acs: Option<&Acs>) {
    let (Some(sip), Some(acs)) = (sip, acs) else { return };
    for line in &acs.carrier.lines {
        if sip.lines.iter().any(|other| other.number == line.number) {
            let shown = &line.number;
            build.problem("line", format!("has {shown:?} twice: for a SIP trunk and for acs"));
        }
    }
}

/// Where the resource is, and how our requests prove who we are.
fn account(build: &mut Build<'_>, raw: &RawAcs) -> Option<(String, AcsAuth)> {
    let key = "carrier.acs.connection_string";
    let written = build.secret(key, raw.connection_string.as_ref());
    let written = written.or_else(|| build.env.get("ACS_CONNECTION_STRING").map(SecretString::from));
    let parsed = written.map(|text| ConnectionString::parse(&text));
    let connection =
        parsed.and_then(|parsed| build.ok(key, parsed.map_err(|why| format!("can't be used: {why}"))));
    let endpoint = match raw.endpoint.as_deref() {
        Some(text) => {
            let why = || format!("{text:?} is no endpoint such as https://NAME.communication.azure.com");
            build.ok("carrier.acs.endpoint", normal_endpoint(text).ok_or_else(why))
        }
        None => connection.as_ref().map(|connection| connection.endpoint.clone()),
    };
    let env = |name: &str| build.env.get(name).map(str::to_owned);
    let usual = if connection.is_some() {
        choice::AcsAuth::Key
    } else if raw.client_secret.is_some() || env("AZURE_CLIENT_SECRET").is_some() {
        choice::AcsAuth::ClientSecret
    } else if raw.token_file.is_some() || env("AZURE_FEDERATED_TOKEN_FILE").is_some() {
        choice::AcsAuth::Workload
    } else {
        choice::AcsAuth::Managed
    };
    let auth = match (raw.auth.unwrap_or(usual), connection) {
        (choice::AcsAuth::Key, Some(connection)) => AcsAuth::AccessKey(connection.access_key),
        (choice::AcsAuth::Key, None) => {
            if raw.connection_string.is_none() {
                build.problem(key, "is missing, which carrier.acs.auth = \"key\" needs");
            }
            return None;
        }
        (choice::AcsAuth::ClientSecret, _) => AcsAuth::Entra(client_secret(build, raw)?),
        (choice::AcsAuth::Workload, _) => AcsAuth::Entra(workload(build, raw)?),
        (choice::AcsAuth::Managed, _) => AcsAuth::Entra(managed(build, raw)),
    };
    Some((endpoint?, auth))
}

/// What was written, or what Azure's own tools would take.
fn named(build: &mut Build<'_>, key: &str, written: Option<&String>, variable: &str) -> Option<String> {
    let found = written.cloned().or_else(|| build.env.get(variable).map(str::to_owned));
    if found.is_none() {
        build.problem(key, format!("is missing; set it, or {variable} in the environment"));
    }
    found
}

fn authority(build: &Build<'_>, raw: &RawAcs) -> String {
    let named = raw.authority.as_deref().or_else(|| build.env.get("AZURE_AUTHORITY_HOST"));
    named.unwrap_or(AUTHORITY).trim_end_matches('/').to_owned()
}

fn client_secret(build: &mut Build<'_>, raw: &RawAcs) -> Option<Entra> {
    let tenant = named(build, "carrier.acs.tenant_id", raw.tenant_id.as_ref(), "AZURE_TENANT_ID");
    let client_id = named(build, "carrier.acs.client_id", raw.client_id.as_ref(), "AZURE_CLIENT_ID");
    let secret = match &raw.client_secret {
        Some(written) => build.secret("carrier.acs.client_secret", Some(written)),
        None => {
            named(build, "carrier.acs.client_secret", None, "AZURE_CLIENT_SECRET").map(SecretString::from)
        }
    };
    let authority = authority(build, raw);
    Some(Entra::ClientSecret { authority, tenant: tenant?, client_id: client_id?, secret: secret? })
}

fn workload(build: &mut Build<'_>, raw: &RawAcs) -> Option<Entra> {
    let tenant = named(build, "carrier.acs.tenant_id", raw.tenant_id.as_ref(), "AZURE_TENANT_ID");
    let client_id = named(build, "carrier.acs.client_id", raw.client_id.as_ref(), "AZURE_CLIENT_ID");
    let file = named(build, "carrier.acs.token_file", raw.token_file.as_ref(), "AZURE_FEDERATED_TOKEN_FILE");
    let (authority, token_file) = (authority(build, raw), PathBuf::from(file?));
    Some(Entra::WorkloadIdentity { authority, tenant: tenant?, client_id: client_id?, token_file })
}

fn managed(build: &Build<'_>, raw: &RawAcs) -> Entra {
    let env = |name: &str| build.env.get(name).map(str::to_owned);
    let endpoint = match (env("IDENTITY_ENDPOINT"), env("IDENTITY_HEADER")) {
        (Some(url), Some(header)) => ManagedEndpoint::AppService { url, header: header.into() },
        _ => ManagedEndpoint::Imds { url: IMDS.to_owned() },
    };
    Entra::ManagedIdentity { endpoint, client_id: raw.client_id.clone().or_else(|| env("AZURE_CLIENT_ID")) }
}

/// The lines, and the number another product's document names.
fn lines_of(build: &mut Build<'_>, raw: &Lines<'_>) -> Vec<AcsLine> {
    let mut lines: Vec<AcsLine> = Vec::new();
    for (index, raw) in raw {
        let key = format!("line[{index}].number");
        let Some(number) = raw.number.as_deref() else {
            build.problem(key, "is missing: a number of the resource in E.164, e.g. +14155550123");
            continue;
        };
        let parsed = PhoneNumber::parse(number).map_err(|why| format!("is not one of our numbers: {why}"));
        let Some(number) = build.ok(&key, parsed) else { continue };
        if lines.iter().any(|line| line.number == number) {
            build.problem(key, "is configured twice");
            continue;
        }
        let most = u32::try_from(MAX_CALLS).unwrap_or(u32::MAX);
        let max_calls = build.u32(&format!("line[{index}].max_calls"), raw.max_calls, most).max(1) as usize;
        lines.push(AcsLine { number, display_name: raw.name.clone(), max_calls });
    }
    if let Some(text) = build.env.get("ACS_SOURCE_NUMBER") {
        let parsed = PhoneNumber::parse(text).map_err(|why| format!("is not one of our numbers: {why}"));
        let number = build.ok("ACS_SOURCE_NUMBER", parsed);
        let is_new = |number: &PhoneNumber| lines.iter().all(|line| line.number != *number);
        lines.extend(number.filter(is_new).map(AcsLine::new));
    }
    if lines.is_empty() && raw.is_empty() {
        build.problem(
            "line",
            "is missing: add a [[line]] with trunk = \"acs\" and a number of the resource, so that calls have a caller",
        );
    }
    lines
}

fn tunnel(build: &mut Build<'_>, raw: &RawAcs) -> Option<TunnelConfig> {
    let token = build.secret("carrier.acs.tunnel_token", raw.tunnel_token.as_ref());
    let kind = match raw.tunnel.unwrap_or_default() {
        choice::Tunnel::None => return None,
        choice::Tunnel::Cloudflared => tunnel::Kind::Cloudflared,
        choice::Tunnel::Ngrok => tunnel::Kind::Ngrok,
        choice::Tunnel::Tailscale => tunnel::Kind::Tailscale,
    };
    if raw.tunnel_name.is_some() && kind != tunnel::Kind::Cloudflared {
        build.problem("carrier.acs.tunnel_name", "is for cloudflared only");
    }
    let program = raw.tunnel_program.as_deref().unwrap_or(kind.program());
    Some(TunnelConfig {
        kind,
        program: program.into(),
        token,
        name: raw.tunnel_name.clone(),
        public_url: None,
    })
}

fn public_url(build: &mut Build<'_>, raw: &RawAcs, tunnel: Option<&TunnelConfig>) -> Option<String> {
    let key = "carrier.acs.public_url";
    let Some(written) = raw.public_url.as_deref() else {
        let is_known_elsewhere = tunnel.is_some_and(|tunnel| tunnel.kind == tunnel::Kind::Cloudflared)
            && (raw.tunnel_name.is_some() || raw.tunnel_token.is_some());
        if is_known_elsewhere {
            build.problem(
                key,
                "is missing: this tunnel does not say its address, e.g. https://line.example.com",
            );
        } else if tunnel.is_none() {
            build.problem(
                key,
                "is missing: the https:// address at which carrier.acs.listen is reached; or have carrier.acs.tunnel \
                 make one",
            );
        }
        return None;
    };
    let url = written.trim().trim_end_matches('/');
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let is_right = (url.starts_with("https://") || is_here(url))
        && !rest.is_empty()
        && !rest.contains([' ', '?', '#', '@']);
    if !is_right {
        build.problem(
            key,
            "must begin with https://, e.g. https://line.example.com; ACS reports to no other address",
        );
        return None;
    }
    Some(url.to_owned())
}

/// Keys and issuers are believed as they come, so only over TLS, or from this very machine.
fn trusted_url(build: &mut Build<'_>, key: &str, text: &str) -> String {
    if !text.starts_with("https://") && !is_here(text) {
        build.problem(key, "must begin with https://");
    }
    text.to_owned()
}

fn callbacks(build: &mut Build<'_>, raw: &RawAcs) -> TrustConfig {
    let source = match (&raw.openid_url, &raw.keys_url) {
        (Some(_), Some(_)) => {
            build.problem("carrier.acs.openid_url", "is set beside carrier.acs.keys_url; remove one of them");
            Source::Keys(KEYS_URL.to_owned())
        }
        (Some(url), None) => Source::OpenId(trusted_url(build, "carrier.acs.openid_url", url)),
        (None, Some(url)) => Source::Keys(trusted_url(build, "carrier.acs.keys_url", url)),
        (None, None) => Source::Keys(KEYS_URL.to_owned()),
    };
    TrustConfig {
        issuers: vec![raw.issuer.clone().unwrap_or_else(|| ISSUER.to_owned())],
        source,
        audience: raw.audience.clone().filter(|audience| !audience.trim().is_empty()),
        application: None,
        accept_missing: raw.accept_unsigned.unwrap_or(false),
        timing: Timing::default(),
    }
}

fn incoming(build: &mut Build<'_>, raw: &RawAcs) -> Incoming {
    let key = "carrier.acs.incoming_token";
    let token = build.secret(key, raw.incoming_token.as_ref());
    let token = token.or_else(|| build.env.get("ACS_CALLBACK_TOKEN").map(SecretString::from));
    if token.as_ref().is_some_and(|token| token.expose_secret().chars().count() < SHORTEST_TOKEN) {
        build.problem(
            key,
            format!("is too short: {SHORTEST_TOKEN} characters at least, which nobody can guess"),
        );
    }
    Incoming { token, entra: entra(build, raw), topic: raw.incoming_topic.clone() }
}

/// Entra ID signs with either of two issuers, depending on the application.
fn entra(build: &mut Build<'_>, raw: &RawAcs) -> Option<TrustConfig> {
    let (tenant, audience) = match (&raw.incoming_tenant_id, &raw.incoming_audience) {
        (None, None) => return None,
        (Some(tenant), Some(audience)) => (tenant, audience),
        (Some(_), None) => {
            build.problem("carrier.acs.incoming_audience", "is missing, which incoming_tenant_id needs");
            return None;
        }
        (None, Some(_)) => {
            build.problem("carrier.acs.incoming_tenant_id", "is missing, which incoming_audience needs");
            return None;
        }
    };
    if uuid::Uuid::try_parse(tenant).is_err() {
        build.problem(
            "carrier.acs.incoming_tenant_id",
            "must be the id of the tenant, which stands in its tokens",
        );
    }
    let authority = authority(build, raw);
    Some(TrustConfig {
        issuers: vec![format!("https://sts.windows.net/{tenant}/"), format!("{authority}/{tenant}/v2.0")],
        source: Source::Keys(trusted_url(
            build,
            "carrier.acs.authority",
            &format!("{authority}/{tenant}/discovery/v2.0/keys"),
        )),
        audience: Some(audience.clone()),
        application: Some(raw.incoming_application.clone().unwrap_or_else(|| EVENT_GRID.to_owned())),
        accept_missing: false,
        timing: Timing::default(),
    })
}

//! The SIP carrier: addresses, trunks, lines.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use offhook_carrier::sip::{
    FromUser, Identity, Inbound, LineConfig, Listen, NumberFormat, Server, SipConfig, Timing, TlsIdentity,
    TlsTrust, Transport, Trunk,
};
use offhook_carrier::{MediaConfig, SrtpPolicy};
use offhook_core::{AudioFormat, PhoneNumber};

use super::acs::Lines;
use super::build::Build;
use super::choice;
use super::raw::{RawLine, RawSip, RawTrunk};

/// The carrier, when a trunk is configured.
pub(super) fn sip(build: &mut Build<'_>, raw: &RawSip, lines: &Lines<'_>) -> Option<SipConfig> {
    if raw.trunk.is_empty() {
        if !lines.is_empty() {
            build.problem("line", "needs a [[carrier.sip.trunk]], or [carrier.acs], to be reached through");
        }
        return None;
    }
    let listen = listens(build, raw);
    let public_ip = build.ip("carrier.sip.public_addr", raw.public_addr.as_deref());
    let trunks = trunks(build, &raw.trunk);
    let lines = lines_of(build, lines, &trunks);
    let rtp = media(build, raw, &listen);
    Some(SipConfig {
        public_ip,
        nameservers: nameservers(build, raw),
        rtp,
        lines,
        trunks,
        listen,
        max_pending: count(build, "carrier.sip.max_pending", raw.max_pending, 200),
        max_calls: count(build, "carrier.sip.max_calls", raw.max_calls, 2_000),
        inbound: inbound(build, raw),
        timing: Timing::default(),
    })
}

/// An address, with a port where it is not the usual one.
fn nameservers(build: &mut Build<'_>, raw: &RawSip) -> Vec<SocketAddr> {
    let key = "carrier.sip.nameservers";
    let parse = |text: &String| {
        let with_port = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53)));
        with_port.map_err(|_| format!("has {text:?}; write an IP address, with a port if it is not 53"))
    };
    let written = raw.nameservers.as_deref().unwrap_or_default();
    written.iter().filter_map(|text| build.ok(key, parse(text))).collect()
}

fn count(build: &mut Build<'_>, key: &str, written: Option<u64>, default: u32) -> usize {
    if written == Some(0) {
        build.problem(key, "must be at least 1");
    }
    build.u32(key, written, default) as usize
}

fn listens(build: &mut Build<'_>, raw: &RawSip) -> Vec<Listen> {
    let key = "carrier.sip.listen";
    let default = vec!["udp:0.0.0.0:5060".to_owned()];
    let written = raw.listen.as_ref().unwrap_or(&default);
    if written.is_empty() {
        build.problem(key, "names no address, e.g. \"udp:0.0.0.0:5060\"");
    }
    let identity =
        written.iter().any(|text| text.starts_with("tls:")).then(|| identity(build, raw)).flatten();
    let mut listens = Vec::with_capacity(written.len());
    for text in written {
        let parsed = text.split_once(':').and_then(|(transport, addr)| {
            Some((Transport::parse(transport)?, addr.trim_start_matches("//").parse::<SocketAddr>().ok()?))
        });
        match parsed {
            Some((transport, addr)) => listens.push(Listen {
                transport,
                addr,
                identity: identity.clone().filter(|_| transport == Transport::Tls),
            }),
            None => {
                build.problem(key, format!("has {text:?}; write udp:, tcp: or tls: before address and port"))
            }
        }
    }
    listens
}

fn identity(build: &mut Build<'_>, raw: &RawSip) -> Option<TlsIdentity> {
    let certificate = raw.tls_certificate.as_deref();
    let (Some(path), Some(key)) = (certificate, raw.tls_key.as_ref()) else {
        build.problem("carrier.sip.listen", "has a tls: address, which needs tls_certificate and tls_key");
        return None;
    };
    let certificates = std::fs::read(path).map_err(|why| format!("{path} can't be read: {why}"));
    let certificates_pem = build.ok("carrier.sip.tls_certificate", certificates);
    let key_pem = build.secret("carrier.sip.tls_key", Some(key));
    Some(TlsIdentity { certificates_pem: certificates_pem?, key_pem: key_pem? })
}

fn media(build: &mut Build<'_>, raw: &RawSip, listens: &[Listen]) -> MediaConfig {
    let listening = listens.first().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |listen| listen.addr.ip());
    let bind_ip = build.ip("carrier.sip.rtp_addr", raw.rtp_addr.as_deref()).unwrap_or(listening);
    let usual = MediaConfig::new(bind_ip);
    let stall_limit = raw.media_timeout_seconds.map_or(usual.stall_limit, Duration::from_secs);
    if stall_limit < Duration::from_secs(2) {
        build.problem("carrier.sip.media_timeout_seconds", "must be at least 2");
    }
    MediaConfig {
        ports: raw.rtp_ports.as_deref().and_then(|text| ports(build, text)),
        formats: formats(build, raw.codecs.as_deref()).unwrap_or_else(|| usual.formats.clone()),
        stall_limit,
        ..usual
    }
}

fn ports(build: &mut Build<'_>, text: &str) -> Option<RangeInclusive<u16>> {
    let range = text.split_once('-').and_then(|(first, last)| {
        let (first, last) = (first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?);
        // One call takes an even port and the next one.
        (first >= 1_024 && last.checked_sub(first)? >= 1).then_some(first..=last)
    });
    let why = || format!("{text:?} is not a range of ports above 1023, e.g. 16384-32767");
    build.ok("carrier.sip.rtp_ports", range.ok_or_else(why))
}

fn formats(build: &mut Build<'_>, written: Option<&[String]>) -> Option<Vec<AudioFormat>> {
    let key = "carrier.sip.codecs";
    let mut formats = Vec::new();
    for name in written? {
        match name.to_ascii_uppercase().as_str() {
            "PCMU" => formats.push(AudioFormat::Pcmu),
            "PCMA" => formats.push(AudioFormat::Pcma),
            _ => build.problem(key, format!("has {name:?}; PCMU and PCMA are known")),
        }
    }
    if written.is_some_and(<[String]>::is_empty) {
        build.problem(key, "names no codec; PCMU and PCMA are known");
    }
    Some(formats)
}

fn inbound(build: &mut Build<'_>, raw: &RawSip) -> Inbound {
    let also = build.each("carrier.sip.inbound_addrs", raw.inbound_addrs.as_deref());
    match raw.inbound.unwrap_or_default() {
        choice::Callers::Anybody => Inbound::Anybody,
        choice::Callers::Nobody => Inbound::Nobody,
        choice::Callers::Trunks => Inbound::Trunks { also },
    }
}

fn trunks(build: &mut Build<'_>, raw: &[RawTrunk]) -> Vec<Trunk> {
    let mut trunks: Vec<Trunk> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        let at = format!("carrier.sip.trunk[{index}]");
        let Some(trunk) = trunk(build, &at, raw) else { continue };
        if trunks.iter().any(|other| other.name == trunk.name) {
            build.problem(format!("{at}.name"), format!("{:?} is another trunk's name too", trunk.name));
        }
        trunks.push(trunk);
    }
    trunks
}

fn trunk(build: &mut Build<'_>, at: &str, raw: &RawTrunk) -> Option<Trunk> {
    let Some(address) = raw.server.as_deref() else {
        build.problem(format!("{at}.server"), "is missing: the host of the trunk, e.g. sip.example.com");
        return None;
    };
    let mut server = server(build, &format!("{at}.server"), address)?;
    if let Some(transport) = raw.transport {
        server.transport = Some(match transport {
            choice::Transport::Udp => Transport::Udp,
            choice::Transport::Tcp => Transport::Tcp,
            choice::Transport::Tls => Transport::Tls,
        });
    }
    let outbound_proxy = raw.outbound_proxy.as_deref();
    let password = build.secret(&format!("{at}.password"), raw.password.as_ref());
    let has_account = raw.username.is_some() && password.is_some();
    if raw.username.is_none() && raw.password.is_some() {
        build.problem(
            format!("{at}.password"),
            "is set without a username, so nobody can be sent it; add the username",
        );
    }
    let register = raw.register.unwrap_or(has_account);
    if register && !has_account {
        build.problem(format!("{at}.register"), "is true, which needs username and password");
    }
    let name = raw.name.clone().unwrap_or_else(|| server.host.clone());
    Some(Trunk {
        outbound_proxy: outbound_proxy
            .and_then(|text| self::server(build, &format!("{at}.outbound_proxy"), text)),
        username: raw.username.clone(),
        auth_username: raw.auth_username.clone(),
        password,
        realm: raw.realm.clone(),
        from_user: from_user(build, at, raw),
        identity: match raw.identity.unwrap_or_default() {
            choice::Identity::Asserted => Identity::Asserted,
            choice::Identity::Preferred => Identity::Preferred,
            choice::Identity::From => Identity::From,
        },
        number_format: match raw.number_format.unwrap_or_default() {
            choice::NumberFormat::Digits => NumberFormat::Digits,
            choice::NumberFormat::Plus => NumberFormat::PlusE164,
        },
        register,
        expires: Duration::from_secs(raw.expires_seconds.unwrap_or(3_600).clamp(60, 86_400)),
        options_keepalive: seconds(raw.keepalive_seconds, 0),
        session_timer: session_timer(build, at, raw.session_timer_seconds),
        srtp: match raw.srtp.unwrap_or_default() {
            choice::Srtp::Optional => SrtpPolicy::Optional,
            choice::Srtp::Required => SrtpPolicy::Required,
            choice::Srtp::Off => SrtpPolicy::Off,
        },
        tls: tls(build, at, raw),
        ..Trunk::peer(name, server)
    })
}

fn from_user(build: &mut Build<'_>, at: &str, raw: &RawTrunk) -> FromUser {
    let key = format!("{at}.from");
    match raw.from.unwrap_or_default() {
        choice::From::Account => {
            if raw.username.is_none() {
                build.problem(key, "is \"account\", which needs a username");
            }
            FromUser::Account
        }
        choice::From::Anonymous => {
            if raw.identity.unwrap_or_default() == choice::Identity::From {
                build.problem(
                    key,
                    "is \"anonymous\", so identity has to be \"p-asserted\" or \"p-preferred\"",
                );
            }
            FromUser::Anonymous
        }
        choice::From::Number => FromUser::Number,
    }
}

fn server(build: &mut Build<'_>, key: &str, text: &str) -> Option<Server> {
    build.ok(key, text.parse::<Server>().map_err(|why| format!("{text:?}: {why}")))
}

fn seconds(written: Option<u64>, default: u64) -> Option<Duration> {
    Some(written.unwrap_or(default)).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// RFC 4028 knows none below 90 seconds.
fn session_timer(build: &mut Build<'_>, at: &str, written: Option<u64>) -> Option<Duration> {
    let timer = seconds(written, 1_800);
    if timer.is_some_and(|timer| timer < Duration::from_secs(90)) {
        build.problem(format!("{at}.session_timer_seconds"), "must be at least 90, or 0 for none");
    }
    timer
}

fn tls(build: &mut Build<'_>, at: &str, raw: &RawTrunk) -> TlsTrust {
    match (raw.tls_ca.as_deref(), raw.tls_insecure) {
        (Some(_), Some(true)) => {
            build.problem(
                format!("{at}.tls_insecure"),
                "is true, so tls_ca has no effect; remove one of them",
            );
            TlsTrust::Insecure
        }
        (None, Some(true)) => TlsTrust::Insecure,
        (Some(path), _) => {
            let pem = std::fs::read(path).map_err(|why| format!("{path} can't be read: {why}"));
            build.ok(&format!("{at}.tls_ca"), pem).map_or(TlsTrust::System, |pem| TlsTrust::Roots { pem })
        }
        (None, _) => TlsTrust::System,
    }
}

fn lines_of(build: &mut Build<'_>, raw: &Lines<'_>, trunks: &[Trunk]) -> Vec<LineConfig> {
    if raw.is_empty() {
        build.problem(
            "line",
            "is missing: add a [[line]] with the number of your trunk, so that calls have a caller",
        );
    }
    let mut lines: Vec<LineConfig> = Vec::with_capacity(raw.len());
    for (index, raw) in raw {
        let at = format!("line[{index}]");
        let Some(line) = line(build, &at, raw, trunks) else { continue };
        if lines.iter().any(|other| other.number == line.number) {
            build.problem(format!("{at}.number"), "is configured twice");
        }
        lines.push(line);
    }
    lines
}

fn line(build: &mut Build<'_>, at: &str, raw: &RawLine, trunks: &[Trunk]) -> Option<LineConfig> {
    let key = format!("{at}.number");
    let Some(number) = raw.number.as_deref() else {
        build.problem(key, "is missing: a number in E.164, e.g. +14155550123");
        return None;
    };
    let parsed = PhoneNumber::parse(number).map_err(|why| format!("is not one of our numbers: {why}"));
    let number = build.ok(&key, parsed)?;
    let trunk = match (&raw.trunk, trunks) {
        (Some(name), _) if trunks.iter().any(|trunk| trunk.name == *name) => name.clone(),
        (Some(name), _) => {
            build.problem(format!("{at}.trunk"), format!("{name:?} is the name of no trunk"));
            return None;
        }
        (None, [only]) => only.name.clone(),
        // What is wrong with the trunk has been said.
        (None, []) => return None,
        (None, _) => {
            build.problem(format!("{at}.trunk"), "is missing: there is more than one trunk");
            return None;
        }
    };
    let max_calls = count(build, &format!("{at}.max_calls"), raw.max_calls, 10);
    Some(LineConfig { number, display_name: raw.name.clone(), trunk, max_calls })
}

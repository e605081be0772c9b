//! Digest authentication as a client (RFC 7616, RFC 8760): every challenge is looked at, the strongest answered.

use aws_lc_rs::digest::{SHA256, SHA512_256, digest};
use md5::{Digest as _, Md5};
use secrecy::{ExposeSecret, SecretString};

use super::message::Response;
use super::uri::{quote, split_list, unquote};

/// Who we are to a trunk.
#[derive(Clone)]
pub struct Credentials {
    pub username: String,
    pub password: SecretString,
    /// Answer only challenges of this realm; `None` answers any.
    pub realm: Option<String>,
}

/// One challenge of a 401 or 407.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub proxy: bool,
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    pub algorithm: Algorithm,
    pub session: bool,
    pub qop: Qop,
    pub stale: bool,
    /// The algorithm as written, to be repeated; `None` when the challenge named none.
    algorithm_text: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    Md5,
    Sha256,
    Sha512_256,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    /// RFC 2069: none was offered.
    None,
    Auth,
    AuthInt,
}

/// What the answer covers.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    pub body: &'a [u8],
}

impl Algorithm {
    /// And whether it is the `-sess` kind.
    fn parse(text: &str) -> Option<(Self, bool)> {
        let lower = text.to_ascii_lowercase();
        let (name, session) = match lower.strip_suffix("-sess") {
            Some(name) => (name, true),
            None => (lower.as_str(), false),
        };
        let algorithm = match name {
            "md5" => Self::Md5,
            "sha-256" => Self::Sha256,
            "sha-512-256" => Self::Sha512_256,
            _ => return None,
        };
        Some((algorithm, session))
    }

    fn hex(self, parts: &[&[u8]]) -> String {
        let mut input = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                input.push(b':');
            }
            input.extend_from_slice(part);
        }
        match self {
            Self::Md5 => hex(&Md5::digest(&input)),
            Self::Sha256 => hex(digest(&SHA256, &input).as_ref()),
            Self::Sha512_256 => hex(digest(&SHA512_256, &input).as_ref()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Challenge {
    /// One header field; `None` when it is not Digest, lacks a part, or asks for what we can't do.
    pub fn parse(field: &str, proxy: bool) -> Option<Self> {
        let (scheme, rest) = field.trim().split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let (mut realm, mut nonce, mut opaque, mut algorithm, mut qop, mut stale) =
            (None, None, None, None, None, false);
        for pair in split_list(rest) {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let value = unquote(value.trim());
            match name.trim().to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "nonce" => nonce = Some(value),
                "opaque" => opaque = Some(value),
                "algorithm" => algorithm = Some(value),
                "qop" => qop = Some(value),
                "stale" => stale = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        let (strength, session) = Algorithm::parse(algorithm.as_deref().unwrap_or("MD5"))?;
        Some(Self {
            proxy,
            realm: realm?,
            nonce: nonce?,
            opaque,
            algorithm: strength,
            session,
            qop: choose_qop(qop.as_deref())?,
            stale,
            algorithm_text: algorithm,
        })
    }

    /// The proof that we know the password (RFC 7616 §3.4).
    fn response(&self, who: &Credentials, about: Subject<'_>, cnonce: &str, nc: &str) -> String {
        let hash = |parts: &[&[u8]]| self.algorithm.hex(parts);
        let secret = who.password.expose_secret().as_bytes();
        let (nonce, cnonce) = (self.nonce.as_bytes(), cnonce.as_bytes());
        let mut ha1 = hash(&[who.username.as_bytes(), self.realm.as_bytes(), secret]);
        if self.session {
            ha1 = hash(&[ha1.as_bytes(), nonce, cnonce]);
        }
        let (method, uri) = (about.method.as_bytes(), about.uri.as_bytes());
        let ha2 = match self.qop {
            Qop::AuthInt => hash(&[method, uri, hash(&[about.body]).as_bytes()]),
            _ => hash(&[method, uri]),
        };
        match self.qop.as_str() {
            Some(qop) => {
                hash(&[ha1.as_bytes(), nonce, nc.as_bytes(), cnonce, qop.as_bytes(), ha2.as_bytes()])
            }
            None => hash(&[ha1.as_bytes(), nonce, ha2.as_bytes()]),
        }
    }

    /// The value of the Authorization or Proxy-Authorization header.
    pub fn answer(&self, who: &Credentials, about: Subject<'_>, cnonce: &str, count: u32) -> String {
        let nc = format!("{count:08x}");
        let response = self.response(who, about, cnonce, &nc);
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quote(&who.username),
            quote(&self.realm),
            quote(&self.nonce),
            quote(about.uri),
        );
        if let Some(algorithm) = &self.algorithm_text {
            value.push_str(&format!(", algorithm={algorithm}"));
        }
        if let Some(qop) = self.qop.as_str() {
            value.push_str(&format!(", qop={qop}, nc={nc}, cnonce={}", quote(cnonce)));
        } else if self.session {
            value.push_str(&format!(", cnonce={}", quote(cnonce)));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque={}", quote(opaque)));
        }
        value
    }

    /// Whether this answer of ours was for the same realm.
    pub fn is_answered_by(&self, answer: &str) -> bool {
        answer.contains(&format!(" realm={},", quote(&self.realm)))
    }

    pub fn header(&self) -> &'static str {
        if self.proxy { "Proxy-Authorization" } else { "Authorization" }
    }
}

impl Qop {
    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Auth => Some("auth"),
            Self::AuthInt => Some("auth-int"),
        }
    }
}

/// `auth` where it is offered: middle boxes rewrite bodies, and `auth-int` would then fail.
fn choose_qop(offered: Option<&str>) -> Option<Qop> {
    let Some(offered) = offered else { return Some(Qop::None) };
    let has = |wanted: &str| offered.split(',').any(|one| one.trim().eq_ignore_ascii_case(wanted));
    match (has("auth"), has("auth-int")) {
        (true, _) => Some(Qop::Auth),
        (false, true) => Some(Qop::AuthInt),
        _ if offered.trim().is_empty() => Some(Qop::None),
        _ => None,
    }
}

/// The challenges to answer: of every realm we have credentials for, the strongest.
///
/// A proxy chain may challenge in several realms at once; each gets its own answer (RFC 3261 §22.3).
pub fn choose(response: &Response, who: &Credentials) -> Vec<Challenge> {
    let mut chosen: Vec<Challenge> = Vec::new();
    for (header, proxy) in [("WWW-Authenticate", false), ("Proxy-Authenticate", true)] {
        for field in response.headers.fields(header) {
            for challenge in split_challenges(field).filter_map(|one| Challenge::parse(one, proxy)) {
                if who.realm.as_ref().is_some_and(|realm| *realm != challenge.realm) {
                    continue;
                }
                match chosen.iter_mut().find(|have| have.proxy == proxy && have.realm == challenge.realm) {
                    Some(have) if have.algorithm < challenge.algorithm => *have = challenge,
                    Some(_) => {}
                    None => chosen.push(challenge),
                }
            }
        }
    }
    chosen
}

/// Several challenges may share one field: `Digest a=1, b=2, Digest a=3`.
fn split_challenges(field: &str) -> impl Iterator<Item = &str> {
    let mut starts = vec![];
    for part in split_list(field) {
        let at = part.as_ptr() as usize - field.as_ptr() as usize;
        let first = part.split(['=', ' ', '\t']).next().unwrap_or("");
        let is_scheme = part[first.len()..].starts_with([' ', '\t'])
            && !part[first.len()..].trim_start().starts_with('=');
        if starts.is_empty() || is_scheme {
            starts.push(at);
        }
    }
    let mut ends: Vec<usize> = starts.iter().skip(1).copied().collect();
    ends.push(field.len());
    starts.into_iter().zip(ends).map(|(start, end)| field[start..end].trim().trim_end_matches(','))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;

    fn credentials(username: &str, password: &str) -> Credentials {
        Credentials { username: username.into(), password: password.to_owned().into(), realm: None }
    }

    fn challenged(fields: &[&str]) -> Response {
        let mut text = String::from(
            "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a;branch=b\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n\
             Call-ID: x\r\nCSeq: 1 INVITE\r\n",
        );
        for field in fields {
            text.push_str(field);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        let Message::Response(response) = Message::parse(text.as_bytes()).unwrap() else { panic!() };
        response
    }

    fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
        split_list(answer.strip_prefix("Digest ").unwrap())
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"'))
    }

    /// RFC 7616 §3.9.1: one request, MD5 and SHA-256.
    #[test]
    fn the_vectors_of_rfc_7616() {
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let who = credentials("Mufasa", "Circle of Life");
        let about = Subject { method: "GET", uri: "/dir/index.html", body: b"" };
        for (algorithm, expected) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let text = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let answer = Challenge::parse(&text, false).unwrap().answer(&who, about, cnonce, 1);
            assert_eq!(field(&answer, "response"), Some(expected), "{algorithm}");
            assert_eq!(field(&answer, "nc"), Some("00000001"));
            assert_eq!(field(&answer, "algorithm"), Some(algorithm));
            assert_eq!(field(&answer, "opaque"), Some("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"));
        }
    }

    /// RFC 2617 §3.5, with the quality of protection as the RFC has it and without any (RFC 2069 style).
    #[test]
    fn the_vector_of_rfc_2617() {
        let who = credentials("Mufasa", "Circle Of Life");
        let about = Subject { method: "GET", uri: "/dir/index.html", body: b"" };
        let common = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        for (qop, expected) in [
            (", qop=\"auth,auth-int\"", "6629fae49393a05397450978507c4ef1"),
            ("", "670fd8c2df070c60b045671b8b24ff02"),
        ] {
            let challenge = Challenge::parse(&format!("{common}{qop}"), false).unwrap();
            assert_eq!(field(&challenge.answer(&who, about, "0a4f113b", 1), "response"), Some(expected));
        }
    }

    /// What trunks really send.
    #[test]
    fn every_challenge_is_looked_at_and_the_strongest_answered() {
        let md5 = "Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\"";
        let sha = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"";
        for (name, fields, expected) in [
            ("401 MD5", vec![format!("WWW-Authenticate: {md5}")], vec![(false, Algorithm::Md5, Qop::Auth)]),
            ("407 MD5", vec![format!("Proxy-Authenticate: {md5}")], vec![(true, Algorithm::Md5, Qop::Auth)]),
            (
                "a list of qop",
                vec!["WWW-Authenticate: Digest realm=\"r\",nonce=\"n\",qop=\"auth,auth-int\"".into()],
                vec![(false, Algorithm::Md5, Qop::Auth)],
            ),
            (
                "no algorithm",
                vec!["WWW-Authenticate: Digest nonce=\"n\", realm=\"r\"".into()],
                vec![(false, Algorithm::Md5, Qop::None)],
            ),
            (
                "401 SHA-256",
                vec![format!("WWW-Authenticate: {sha}")],
                vec![(false, Algorithm::Sha256, Qop::Auth)],
            ),
            (
                "407 SHA-256",
                vec![format!("Proxy-Authenticate: {sha}")],
                vec![(true, Algorithm::Sha256, Qop::Auth)],
            ),
            (
                "both, weak first",
                vec![format!("WWW-Authenticate: {md5}"), format!("WWW-Authenticate: {sha}")],
                vec![(false, Algorithm::Sha256, Qop::Auth)],
            ),
            (
                "both in one field",
                vec![format!("WWW-Authenticate: {sha}, {md5}")],
                vec![(false, Algorithm::Sha256, Qop::Auth)],
            ),
            (
                "only auth-int",
                vec!["WWW-Authenticate: Digest realm=\"r\",nonce=\"n\",qop=\"auth-int\"".into()],
                vec![(false, Algorithm::Md5, Qop::AuthInt)],
            ),
            (
                "unknown ones are skipped",
                vec![
                    "WWW-Authenticate: Digest realm=\"r\",nonce=\"n\",algorithm=SHA3".into(),
                    "WWW-Authenticate: Basic realm=\"r\"".into(),
                    "WWW-Authenticate: Digest realm=\"r\",algorithm=MD5".into(),
                ],
                vec![],
            ),
            (
                "two realms",
                vec![
                    "Proxy-Authenticate: Digest realm=\"a\",nonce=\"n\"".into(),
                    "Proxy-Authenticate: Digest realm=\"b\",nonce=\"n\"".into(),
                ],
                vec![(true, Algorithm::Md5, Qop::None), (true, Algorithm::Md5, Qop::None)],
            ),
        ] {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let chosen = choose(&challenged(&fields), &credentials("u", "p"));
            let chosen: Vec<_> = chosen.iter().map(|one| (one.proxy, one.algorithm, one.qop)).collect();
            assert_eq!(chosen, expected, "{name}");
        }
    }

    #[test]
    fn a_configured_realm_is_the_only_one_answered() {
        let response = challenged(&["WWW-Authenticate: Digest realm=\"other\",nonce=\"n\""]);
        let who = Credentials { realm: Some("mine".into()), ..credentials("u", "p") };
        assert_eq!(choose(&response, &who), []);
    }

    #[test]
    fn stale_and_session_variants() {
        let challenge = Challenge::parse(
            "digest realm=\"r\", nonce=\"n\", stale=TRUE, algorithm=\"MD5-sess\", qop=auth",
            false,
        )
        .unwrap();
        assert!(challenge.stale && challenge.session);
        let uri = "sip:a@b".to_owned();
        let about = Subject { method: "INVITE", uri: &uri, body: b"" };
        let answer = challenge.answer(&credentials("u", "p"), about, "c", 0x1f);
        assert_eq!(field(&answer, "nc"), Some("0000001f"));
        assert_eq!(field(&answer, "algorithm"), Some("MD5-sess"));
    }
}

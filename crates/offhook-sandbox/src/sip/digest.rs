//! Digest authentication as a server sees it (RFC 7616, RFC 8760): challenges out, credentials checked.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use md5::{Digest, Md5};

use super::message::split_list;
use super::{Message, Mistake};

/// How the exchange authenticates its callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// 401 with `WWW-Authenticate`, or 407 with `Proxy-Authenticate`.
    pub status: u16,
    pub realm: String,
    pub username: String,
    pub password: String,
    /// One challenge each, in this order.
    pub algorithms: Vec<Algorithm>,
    /// As written in the challenge, e.g. `auth` or `auth,auth-int`.
    pub qop: Option<String>,
    /// Whether BYE, UPDATE and re-INVITE are challenged too.
    pub in_dialog: bool,
    /// A nonce is stale after this many uses.
    pub nonce_uses: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// MD5, with no `algorithm` in the challenge.
    Unnamed,
    Md5,
    Sha256,
}

impl Algorithm {
    fn hash(self, text: &str) -> String {
        match self {
            Self::Unnamed | Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => hex(digest(&SHA256, text.as_bytes()).as_ref()),
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Unnamed => None,
            Self::Md5 => Some("MD5"),
            Self::Sha256 => Some("SHA-256"),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Challenge {
    pub fn new(username: &str, password: &str) -> Self {
        Self {
            status: 407,
            realm: "sandbox".to_owned(),
            username: username.to_owned(),
            password: password.to_owned(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            qop: Some("auth".to_owned()),
            in_dialog: false,
            nonce_uses: None,
        }
    }

    pub fn asks_in(&self) -> &'static str {
        if self.status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" }
    }

    fn answered_in(&self) -> &'static str {
        if self.status == 401 { "authorization" } else { "proxy-authorization" }
    }

    /// The values of the challenge headers.
    pub fn headers(&self, nonce: &str, stale: bool) -> Vec<String> {
        let one = |algorithm: &Algorithm| {
            let mut text =
                format!("Digest realm=\"{}\", nonce=\"{nonce}\", opaque=\"{}\"", self.realm, OPAQUE);
            if let Some(name) = algorithm.name() {
                text += &format!(", algorithm={name}");
            }
            if let Some(qop) = &self.qop {
                text += &format!(", qop=\"{qop}\"");
            }
            if stale {
                text += ", stale=true";
            }
            text
        };
        self.algorithms.iter().map(one).collect()
    }
}

const OPAQUE: &str = "5ccc069c403ebaf9f0171e9517f40e41";

/// What came of looking at a request's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Granted,
    /// None for our realm: to be challenged.
    Absent,
    /// Right, but the nonce is used up.
    Stale,
    Wrong(Mistake),
}

/// The nonces given out, and how far each was counted.
#[derive(Debug, Default)]
pub struct Nonces(HashMap<String, u32>);

impl Nonces {
    const CAPACITY: usize = 10_000;

    pub fn issue(&mut self, nonce: &str) {
        if self.0.len() >= Self::CAPACITY {
            self.0.clear();
        }
        self.0.insert(nonce.to_owned(), 0);
    }

    pub fn check(&mut self, challenge: &Challenge, message: &Message, method: &str, uri: &str) -> Verdict {
        let lines: Vec<&str> = message.lines(challenge.answered_in()).collect();
        let credentials = lines.iter().map(|line| Credentials::parse(line));
        let Some(credentials) = credentials.flatten().find(|c| c.value("realm") == Some(&challenge.realm))
        else {
            return Verdict::Absent;
        };
        match self.judge(challenge, &credentials, method, uri) {
            Ok(verdict) => verdict,
            Err((rule, detail)) => Verdict::Wrong(Mistake::new(challenge.status, rule, detail)),
        }
    }

    fn judge(
        &mut self,
        challenge: &Challenge,
        given: &Credentials,
        method: &str,
        uri: &str,
    ) -> Result<Verdict, (&'static str, String)> {
        let value =
            |name: &'static str| given.value(name).ok_or(("auth.missing", format!("{name} is missing")));
        let algorithm = given.value("algorithm");
        let offered = challenge.algorithms.iter().copied();
        let algorithm = match algorithm {
            Some(name) => offered.into_iter().find(|a| a.name().unwrap_or("MD5").eq_ignore_ascii_case(name)),
            None => offered.into_iter().find(|a| *a != Algorithm::Sha256),
        };
        let algorithm = algorithm.ok_or(("auth.algorithm", "the algorithm was not offered".to_owned()))?;
        if value("username")? != challenge.username {
            return Err(("auth.username", "not the user name expected".to_owned()));
        }
        if value("uri")? != uri {
            return Err(("auth.uri", "uri is not the Request-URI".to_owned()));
        }
        if value("opaque")? != OPAQUE {
            return Err(("auth.opaque", "opaque did not come back".to_owned()));
        }
        let nonce = value("nonce")?;
        let counted = self.0.get_mut(nonce).ok_or(("auth.nonce", "the nonce is not ours".to_owned()))?;
        let ha1 =
            algorithm.hash(&format!("{}:{}:{}", challenge.username, challenge.realm, challenge.password));
        let ha2 = algorithm.hash(&format!("{method}:{uri}"));
        let expected = match (&challenge.qop, given.value("qop")) {
            (Some(offered), Some(qop)) => {
                if qop != "auth" || !offered.split(',').any(|offer| offer.trim() == qop) {
                    return Err(("auth.qop", format!("qop {qop} was not offered")));
                }
                let nc = value("nc")?;
                let count = u32::from_str_radix(nc, 16).ok().filter(|_| nc.len() == 8);
                let count = count.ok_or(("auth.nc", "nc is not 8 hex digits".to_owned()))?;
                if count <= *counted {
                    return Err(("auth.nc", format!("nc {count} after {counted}")));
                }
                *counted = count;
                algorithm.hash(&format!("{ha1}:{nonce}:{nc}:{}:{qop}:{ha2}", value("cnonce")?))
            }
            (Some(_), None) => return Err(("auth.qop", "qop was offered and not used".to_owned())),
            (None, _) => {
                *counted += 1;
                algorithm.hash(&format!("{ha1}:{nonce}:{ha2}"))
            }
        };
        if value("response")? != expected {
            return Err(("auth.response", "the response is wrong".to_owned()));
        }
        let stale = challenge.nonce_uses.is_some_and(|uses| *counted > uses);
        Ok(if stale { Verdict::Stale } else { Verdict::Granted })
    }
}

struct Credentials(Vec<(String, String)>);

impl Credentials {
    fn parse(line: &str) -> Option<Self> {
        let (scheme, rest) = line.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let pair = |part: &str| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned()))
        };
        split_list(rest).into_iter().map(pair).collect::<Option<Vec<_>>>().map(Self)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1, with the exchange's own opaque.
    #[test]
    fn the_example_of_the_rfc() {
        for (algorithm, response) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = Challenge {
                status: 401,
                realm: "http-auth@example.org".to_owned(),
                algorithms: vec![algorithm],
                ..Challenge::new("Mufasa", "Circle of Life")
            };
            let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
            let message = |nc: &str| {
                let text = format!(
                    "GET x SIP/2.0\r\nAuthorization: Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
                     uri=\"/dir/index.html\", algorithm={}, nonce=\"{nonce}\", nc={nc}, \
                     cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
                     response=\"{response}\", opaque=\"{OPAQUE}\"\r\n\r\n",
                    algorithm.name().unwrap()
                );
                Message::parse(text.as_bytes()).unwrap()
            };
            let mut nonces = Nonces::default();
            nonces.issue(nonce);
            let mut check = |nc| match nonces.check(&challenge, &message(nc), "GET", "/dir/index.html") {
                Verdict::Wrong(mistake) => mistake.rule,
                Verdict::Granted => "granted",
                _ => "other",
            };
            assert_eq!(check("1"), "auth.nc");
            assert_eq!(check("00000001"), "granted");
            assert_eq!(check("00000001"), "auth.nc");
            assert_eq!(check("00000002"), "auth.response");
        }
    }
}

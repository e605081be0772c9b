//! The public keys of an issuer: when they are asked for, and how long they count.
//!
//! [`Keys`] is pure, with the time as an argument. [`KeyCache`] asks for them over HTTP: one question at a time,
//! whoever waits for it, and never one for each token. It runs in tasks of its own and has nothing to do with media.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use offhook_core::Timestamp;
use serde::Deserialize;

use super::token::PublicKey;
use crate::clock;

/// The keys by their names.
pub type KeySet = HashMap<String, Arc<PublicKey>>;

/// More keys than any issuer has.
const MOST_KEYS: usize = 64;
const LONGEST_ANSWER: usize = 256 * 1_024;

/// When keys are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// After this they are asked for again, while the known ones go on counting.
    pub fresh: Duration,
    /// After this they count no longer, if nobody could be asked meanwhile.
    pub keep: Duration,
    /// Between two questions for a key that is not known. The first is always asked.
    pub cooldown: Duration,
    /// After a question that was not answered.
    pub retry: Duration,
    /// How long an answer may take.
    pub patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(60 * 60),
            keep: Duration::from_secs(24 * 60 * 60),
            cooldown: Duration::from_secs(30),
            retry: Duration::from_secs(5),
            patience: Duration::from_secs(5),
        }
    }
}

/// What is known, and when it was asked for.
#[derive(Debug, Default)]
pub struct Keys {
    set: KeySet,
    fetched_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    /// When a key that was not known was asked for last.
    wanted_at: Option<Timestamp>,
}

/// What there is to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Known {
        key: Arc<PublicKey>,
        /// It is time to ask again, in the background.
        stale: bool,
    },
    /// Not known; the issuer is to be asked.
    Ask,
    /// Not known, and the issuer has been asked just now.
    Unknown,
    /// Not known, and the issuer did not answer just now.
    Away,
}

impl Keys {
    pub fn find(&self, kid: &str, timing: &Timing, now: Timestamp) -> Found {
        let within = |at: Option<Timestamp>, limit| at.is_some_and(|at| now.since(at) < limit);
        let failed = within(self.failed_at, timing.retry);
        if !within(self.fetched_at, timing.keep) {
            return if failed { Found::Away } else { Found::Ask };
        }
        match self.set.get(kid) {
            Some(key) => {
                let stale = !failed && !within(self.fetched_at, timing.fresh);
                Found::Known { key: Arc::clone(key), stale }
            }
            // It may be a new key, of which nobody could tell us.
            None if failed => Found::Away,
            None if self.failed_at.is_none() && within(self.wanted_at, timing.cooldown) => Found::Unknown,
            None => Found::Ask,
        }
    }

    /// A key that is not known is being asked for.
    fn wanted(&mut self, now: Timestamp) {
        if self.fetched_at.is_some() {
            self.wanted_at = Some(now);
        }
    }

    /// What the issuer has now; keys it no longer names count no longer.
    pub fn fetched(&mut self, set: KeySet, now: Timestamp) {
        self.set = set;
        self.fetched_at = Some(now);
        self.failed_at = None;
    }

    pub fn failed(&mut self, now: Timestamp) {
        self.failed_at = Some(now);
    }
}

#[derive(Deserialize)]
struct WebKeySet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct WebKey {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: String,
    e: String,
}

/// The keys of a JSON Web Key Set (RFC 7517) that sign with RS256. Others are passed over.
pub fn read(body: &[u8]) -> Option<KeySet> {
    let set: WebKeySet = serde_json::from_slice(body).ok()?;
    let key = |value: serde_json::Value| {
        let key: WebKey = serde_json::from_value(value).ok()?;
        let signs = key.kty == "RSA"
            && key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && key.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && !key.kid.is_empty();
        let public = signs.then(|| PublicKey::from_jwk(&key.n, &key.e)).flatten()?;
        Some((key.kid, Arc::new(public)))
    };
    let keys: KeySet = set.keys.into_iter().take(MOST_KEYS).filter_map(key).collect();
    (!keys.is_empty()).then_some(keys)
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The key set itself.
    Keys(String),
    /// The OpenID configuration, which names it.
    OpenId(String),
}

/// Why the keys are not to be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{url} can't be reached: {why}")]
    Unreachable { url: String, why: String },
    #[error("{url} answered {status}")]
    Status { url: String, status: u16 },
    #[error("{url} holds no keys for RS256")]
    NoKeys { url: String },
    #[error("{url} names no jwks_uri that begins with https://")]
    NoAddress { url: String },
}

/// Why there is no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("its key is none of the issuer's")]
    Unknown,
    #[error("the keys of the issuer can't be had at the moment")]
    Away,
}

/// How the keys are doing, for `doctor`.
#[derive(Clone, Debug)]
pub struct KeyStatus {
    pub known: usize,
    pub fetched_at: Option<Timestamp>,
    pub problem: Option<String>,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyCache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    timing: Timing,
    http: reqwest::Client,
    keys: Mutex<Keys>,
    problem: Mutex<Option<String>>,
    /// Held while the issuer is asked: whoever comes meanwhile waits for the same answer.
    asking: tokio::sync::Mutex<()>,
}

impl KeyCache {
    pub fn new(source: Source, timing: Timing) -> Result<Self, reqwest::Error> {
        let none = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().timeout(timing.patience).redirect(none).build()?;
        let (keys, problem, asking) = (Mutex::default(), Mutex::default(), tokio::sync::Mutex::default());
        Ok(Self { inner: Arc::new(Inner { source, timing, http, keys, problem, asking }) })
    }

    /// Ask now, so that the first token need not wait.
    pub fn warm(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            let _asking = this.inner.asking.lock().await;
            if this.inner.keys().fetched_at.is_none() {
                this.ask().await;
            }
        });
    }

    /// The key of this name; the issuer is asked only where that may help.
    pub async fn key(&self, kid: &str) -> Result<Arc<PublicKey>, KeyError> {
        if let Some(decided) = self.known(kid) {
            return decided;
        }
        let _asking = self.inner.asking.lock().await;
        // Whoever asked before us may have brought it.
        if let Some(decided) = self.known(kid) {
            return decided;
        }
        self.inner.keys().wanted(clock::now());
        self.ask().await;
        match self.inner.find(kid) {
            Found::Known { key, .. } => Ok(key),
            Found::Away => Err(KeyError::Away),
            Found::Ask | Found::Unknown => Err(KeyError::Unknown),
        }
    }

    /// What can be said without asking; `None` where the issuer is to be asked.
    fn known(&self, kid: &str) -> Option<Result<Arc<PublicKey>, KeyError>> {
        match self.inner.find(kid) {
            Found::Known { key, stale } => {
                if stale {
                    self.refresh();
                }
                Some(Ok(key))
            }
            Found::Unknown => Some(Err(KeyError::Unknown)),
            Found::Away => Some(Err(KeyError::Away)),
            Found::Ask => None,
        }
    }

    /// In the background, once.
    fn refresh(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            let Ok(_asking) = this.inner.asking.try_lock() else { return };
            this.ask().await;
        });
    }

    /// To be called by whoever holds `asking`.
    async fn ask(&self) {
        let asked = self.inner.fetch().await;
        let now = clock::now();
        let problem = match asked {
            Ok(set) => {
                self.inner.keys().fetched(set, now);
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the keys that callbacks are signed with can't be had");
                self.inner.keys().failed(now);
                Some(error.to_string())
            }
        };
        *self.inner.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    pub fn status(&self) -> KeyStatus {
        let problem = self.inner.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let keys = self.inner.keys();
        KeyStatus { known: keys.set.len(), fetched_at: keys.fetched_at, problem }
    }

    /// Ask once more, whatever is known, for `doctor`.
    pub async fn check(&self) -> Result<usize, FetchError> {
        self.inner.fetch().await.map(|set| set.len())
    }
}

impl Inner {
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, kid: &str) -> Found {
        self.keys().find(kid, &self.timing, clock::now())
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let url = match &self.source {
            Source::Keys(url) => url.clone(),
            Source::OpenId(url) => self.keys_of(url).await?,
        };
        let body = self.body(&url).await?;
        read(&body).ok_or(FetchError::NoKeys { url })
    }

    /// The address of the key set that an OpenID configuration names.
    async fn keys_of(&self, url: &str) -> Result<String, FetchError> {
        #[derive(Deserialize)]
        struct OpenId {
            jwks_uri: String,
        }
        let body = self.body(url).await?;
        let named: Option<OpenId> = serde_json::from_slice(&body).ok();
        // Nobody may lead us from an encrypted connection to one that is not.
        let fits = |uri: &str| uri.starts_with("https://") || !url.starts_with("https://");
        let uri = named.map(|openid| openid.jwks_uri).filter(|uri| fits(uri));
        uri.ok_or_else(|| FetchError::NoAddress { url: url.to_owned() })
    }

    async fn body(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let unreachable = |error: reqwest::Error| {
            let why = match error.is_timeout() {
                true => "no answer in time".to_owned(),
                false => error.without_url().to_string(),
            };
            FetchError::Unreachable { url: url.to_owned(), why }
        };
        let mut answer = self.http.get(url).send().await.map_err(unreachable)?;
        if !answer.status().is_success() {
            return Err(FetchError::Status { url: url.to_owned(), status: answer.status().as_u16() });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(FetchError::NoKeys { url: url.to_owned() });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::super::minting::Signer;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_800_000_000_000 + seconds * 1_000)
    }

    fn set_of(signers: &[&Signer]) -> serde_json::Value {
        json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() })
    }

    fn keys_of(signers: &[&Signer]) -> KeySet {
        read(set_of(signers).to_string().as_bytes()).unwrap()
    }

    /// In short: `known`, `stale`, `ask`, `unknown`, `away`.
    fn find(keys: &Keys, kid: &str, now: Timestamp) -> &'static str {
        match keys.find(kid, &Timing::default(), now) {
            Found::Known { stale: false, .. } => "known",
            Found::Known { stale: true, .. } => "stale",
            Found::Ask => "ask",
            Found::Unknown => "unknown",
            Found::Away => "away",
        }
    }

    #[test]
    fn when_the_issuer_is_asked() {
        let (one, two) = (Signer::new("one"), Signer::new("two"));
        let mut keys = Keys::default();
        assert_eq!(find(&keys, "one", at(0)), "ask", "nothing is known yet");
        keys.failed(at(0));
        assert_eq!(find(&keys, "one", at(4)), "away", "it has just not answered");
        assert_eq!(find(&keys, "one", at(5)), "ask");
        keys.fetched(keys_of(&[&one]), at(10));
        assert_eq!(find(&keys, "one", at(3_609)), "known");
        assert_eq!(find(&keys, "two", at(11)), "ask", "it may be new");
        keys.wanted(at(11));
        keys.fetched(keys_of(&[&one]), at(12));
        assert_eq!(find(&keys, "two", at(40)), "unknown", "asked lately");
        assert_eq!(find(&keys, "two", at(41)), "ask");

        assert_eq!(find(&keys, "one", at(3_612)), "stale", "asked again after an hour, and used meanwhile");
        keys.failed(at(3_612));
        assert_eq!(find(&keys, "one", at(3_616)), "known", "nobody is asked while nobody answers");
        assert_eq!(find(&keys, "one", at(3_617)), "stale");
        assert_eq!(find(&keys, "one", at(86_411)), "stale", "for a day");
        assert_eq!(find(&keys, "one", at(86_412)), "ask", "and no longer");
        keys.failed(at(86_412));
        assert_eq!(find(&keys, "one", at(86_413)), "away");

        keys.fetched(keys_of(&[&one]), at(86_414));
        keys.wanted(at(86_415));
        keys.failed(at(86_415));
        assert_eq!(find(&keys, "two", at(86_416)), "away", "it may be new: nobody could say");
        assert_eq!(find(&keys, "two", at(86_420)), "ask", "as soon as the issuer is asked again");

        keys.fetched(keys_of(&[&two]), at(86_420));
        assert_eq!(find(&keys, "two", at(86_421)), "known", "the new key");
        assert_eq!(find(&keys, "one", at(86_450)), "ask", "the old one is withdrawn");
    }

    #[test]
    fn only_keys_that_sign_with_rs256_are_read() {
        let one = Signer::new("one");
        let with = |name: &str, value: serde_json::Value| {
            let mut key = one.jwk();
            key[name] = value;
            key["kid"] = json!(name);
            key
        };
        let set = json!({ "keys": [
            one.jwk(), with("use", json!("enc")), with("alg", json!("RS512")), with("kty", json!("EC")),
            with("n", json!("AQAB")), { "kty": "oct", "kid": "x", "k": "c2VjcmV0" }, "nonsense",
        ]});
        let keys = read(set.to_string().as_bytes()).unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["one"]);
        for nothing in ["", "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\"}]}", "[]"] {
            assert_eq!(read(nothing.as_bytes()), None, "{nothing}");
        }
    }

    async fn served(set: serde_json::Value, delay: Duration) -> MockServer {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200).set_body_json(set).set_delay(delay);
        Mock::given(path("/keys")).respond_with(answer).mount(&server).await;
        server
    }

    async fn asked(server: &MockServer) -> usize {
        server.received_requests().await.unwrap().len()
    }

    #[tokio::test]
    async fn a_hundred_who_want_a_key_ask_once() {
        let one = Signer::new("one");
        let server = served(set_of(&[&one]), Duration::from_millis(50)).await;
        let cache = KeyCache::new(Source::Keys(format!("{}/keys", server.uri())), Timing::default()).unwrap();
        cache.warm();
        let wanted = (0..100).map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.key("one").await })
        });
        for found in futures_util::future::join_all(wanted).await {
            assert_eq!(*found.unwrap().unwrap(), *one.public());
        }
        assert_eq!(asked(&server).await, 1);
        for _ in 0..3 {
            assert_eq!(cache.key("foreign").await, Err(KeyError::Unknown));
        }
        assert_eq!(asked(&server).await, 2, "once for the foreign key, then not for a while");
    }

    #[tokio::test]
    async fn a_new_key_is_found_at_once_and_old_ones_outlive_an_outage() {
        let (one, two) = (Signer::new("one"), Signer::new("two"));
        let server = served(set_of(&[&one]), Duration::ZERO).await;
        let timing = Timing { fresh: Duration::ZERO, cooldown: Duration::ZERO, ..Timing::default() };
        let cache = KeyCache::new(Source::Keys(format!("{}/keys", server.uri())), timing).unwrap();
        assert!(cache.key("one").await.is_ok());
        server.reset().await;
        assert!(cache.key("one").await.is_ok(), "the issuer is away, and its keys still count");
        assert_eq!(cache.key("two").await, Err(KeyError::Away), "it may be new");
        assert!(cache.status().problem.unwrap().contains("404"));

        let server = served(set_of(&[&two]), Duration::ZERO).await;
        let openid = json!({ "issuer": "x", "jwks_uri": format!("{}/keys", server.uri()) });
        let openid = ResponseTemplate::new(200).set_body_json(openid);
        Mock::given(path("/openid")).respond_with(openid).mount(&server).await;
        let cache = KeyCache::new(Source::OpenId(format!("{}/openid", server.uri())), timing).unwrap();
        assert!(cache.key("two").await.is_ok());
        assert_eq!(cache.status().known, 1);
    }

    #[tokio::test]
    async fn an_issuer_that_is_away_is_said_to_be() {
        let server = MockServer::start().await;
        let cache = KeyCache::new(Source::Keys(format!("{}/keys", server.uri())), Timing::default()).unwrap();
        assert_eq!(cache.key("one").await, Err(KeyError::Away));
        assert_eq!(cache.key("one").await, Err(KeyError::Away));
        assert_eq!(asked(&server).await, 1, "not asked again at once");
    }
}

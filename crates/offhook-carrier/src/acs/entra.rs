//! Tokens of Microsoft Entra ID: fetched when first needed, kept, and fetched anew long before they expire.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::config::{Entra, ManagedEndpoint};

const SCOPE: &str = "https://communication.azure.com//.default";
const RESOURCE: &str = "https://communication.azure.com/";
/// Where Microsoft's public cloud gives out tokens.
pub const AUTHORITY: &str = "https://login.microsoftonline.com";
/// How long before its end a token is fetched anew, beside the requests that still use it.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// How long before its end it is used no more.
const MARGIN: Duration = Duration::from_secs(30);
/// How soon a refresh that failed is tried again.
const AGAIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer with a token is some kilobytes.
const LONGEST: usize = 64 * 1_024;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token file can't be read: {why}")]
    File { why: String },
    #[error("Entra ID can't be reached: {why}")]
    Unreachable { why: String },
    /// With Microsoft's code, which says more than any words.
    #[error("Entra ID refuses a token: {why}; check tenant, client id and what the identity may do")]
    Refused { why: String },
    #[error("what Entra ID answered holds no token")]
    Malformed,
}

/// Cheap to clone; all clones share one token.
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    entra: Entra,
    kept: std::sync::Mutex<Kept>,
    /// One fetch at a time.
    fetching: Mutex<()>,
}

#[derive(Default)]
struct Kept {
    token: Option<Token>,
    refresh_at: Option<Instant>,
}

#[derive(Clone)]
struct Token {
    text: SecretString,
    expires_at: Instant,
}

impl Token {
    fn is_usable(&self, now: Instant) -> bool {
        now + MARGIN < self.expires_at
    }
}

impl Tokens {
    pub fn new(http: reqwest::Client, entra: Entra) -> Self {
        let (kept, fetching) = (std::sync::Mutex::default(), Mutex::new(()));
        Self { inner: Arc::new(Inner { http, entra, kept, fetching }) }
    }

    /// A token that is good for a while. Waits for one only where there is none.
    pub async fn token(&self) -> Result<SecretString, TokenError> {
        let now = Instant::now();
        let (token, is_due) = self.inner.look(now);
        if let Some(token) = token {
            if is_due {
                let inner = Arc::clone(&self.inner);
                tokio::spawn(async move { inner.refresh(now).await });
            }
            return Ok(token);
        }
        self.inner.refresh(now).await
    }

    /// This token was refused: it is not used again.
    pub fn forget(&self, refused: &SecretString) {
        let mut kept = self.inner.lock();
        if kept.token.as_ref().is_some_and(|token| token.text.expose_secret() == refused.expose_secret()) {
            *kept = Kept::default();
        }
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What is kept, and whether it is to be fetched anew, which is said to one asker only.
    fn look(&self, now: Instant) -> (Option<SecretString>, bool) {
        let mut kept = self.lock();
        let Some(token) = kept.token.clone().filter(|token| token.is_usable(now)) else {
            return (None, false);
        };
        let is_due = kept.refresh_at.is_some_and(|at| at <= now);
        if is_due {
            kept.refresh_at = Some(now + AGAIN);
        }
        (Some(token.text), is_due)
    }

    /// Fetch one, unless somebody else has since `asked_at`.
    async fn refresh(&self, asked_at: Instant) -> Result<SecretString, TokenError> {
        let _turn = self.fetching.lock().await;
        if let Some(token) = self.fetched_since(asked_at) {
            return Ok(token);
        }
        let now = Instant::now();
        let (text, lifetime) = self.fetch().await.inspect_err(|error| {
            tracing::warn!(%error, "no token for ACS could be fetched");
        })?;
        let early = EARLY.min(lifetime / 2);
        let mut kept = self.lock();
        kept.token = Some(Token { text: text.clone(), expires_at: now + lifetime });
        kept.refresh_at = Some(now + lifetime - early);
        Ok(text)
    }

    fn fetched_since(&self, asked_at: Instant) -> Option<SecretString> {
        let kept = self.lock();
        let fresh = kept.refresh_at.is_some_and(|at| at > asked_at + AGAIN);
        let token = kept.token.as_ref().filter(|token| fresh && token.is_usable(Instant::now()))?;
        Some(token.text.clone())
    }

    async fn fetch(&self) -> Result<(SecretString, Duration), TokenError> {
        let request = self.request().await?.timeout(PATIENCE);
        let unreachable = |error: reqwest::Error| TokenError::Unreachable { why: error.without_url().to_string() };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(TokenError::Malformed);
            }
        }
        if !status.is_success() {
            return Err(TokenError::Refused { why: refusal(status.as_u16(), &body) });
        }
        read(&body).ok_or(TokenError::Malformed)
    }

    async fn request(&self) -> Result<RequestBuilder, TokenError> {
        Ok(match &self.entra {
            Entra::ClientSecret { authority, tenant, client_id, secret } => {
                self.token_request(authority, tenant, client_id, &[("client_secret", secret.expose_secret())])
            }
            Entra::WorkloadIdentity { authority, tenant, client_id, token_file } => {
                // Whoever writes it writes it anew every now and then.
                let assertion = tokio::fs::read_to_string(token_file).await;
                let assertion = assertion.map_err(|error| TokenError::File { why: error.to_string() })?;
                let proof = [
                    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                    ("client_assertion", assertion.trim()),
                ];
                self.token_request(authority, tenant, client_id, &proof)
            }
            Entra::ManagedIdentity { endpoint, client_id } => self.managed_request(endpoint, client_id.as_deref()),
        })
    }

    fn token_request(
        &self,
        authority: &str,
        tenant: &str,
        client_id: &str,
        proof: &[(&str, &str)],
    ) -> RequestBuilder {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/'));
        let usual = [("grant_type", "client_credentials"), ("client_id", client_id), ("scope", SCOPE)];
        self.http
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form(usual.iter().chain(proof)))
    }

    fn managed_request(&self, endpoint: &ManagedEndpoint, client_id: Option<&str>) -> RequestBuilder {
        let (url, version, name, value) = match endpoint {
            ManagedEndpoint::Imds { url } => {
                let url = format!("{}/metadata/identity/oauth2/token", url.trim_end_matches('/'));
                (url, "2018-02-01", "Metadata", "true")
            }
            ManagedEndpoint::AppService { url, header } => {
                (url.clone(), "2019-08-01", "X-IDENTITY-HEADER", header.expose_secret())
            }
        };
        let usual = [("api-version", version), ("resource", RESOURCE)];
        let client_id = client_id.map(|client_id| ("client_id", client_id));
        let query = form(usual.iter().chain(client_id.iter()));
        self.http.get(format!("{url}?{query}")).header(name, value)
    }
}

fn form<'a>(pairs: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    let mut url = reqwest::Url::parse("form:").expect("a URL");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// A number, or one in quotes from the identity of a machine.
    expires_in: Option<Value>,
    expires_on: Option<Value>,
}

fn read(body: &[u8]) -> Option<(SecretString, Duration)> {
    let granted: Granted = serde_json::from_slice(body).ok()?;
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    let until = |at: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
        Some(at.saturating_sub(now))
    };
    let seconds = granted.expires_in.as_ref().and_then(number);
    let seconds = seconds.or_else(|| granted.expires_on.as_ref().and_then(number).and_then(until))?;
    let usable = !granted.access_token.is_empty() && seconds > 0;
    // A day is longer than any is good for.
    usable.then(|| (granted.access_token.into(), Duration::from_secs(seconds.min(86_400))))
}

/// `invalid_client (AADSTS7000215)`: codes only, descriptions may quote what was sent.
fn refusal(status: u16, body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let said = |name: &str| Some(json.as_ref()?.get(name)?.as_str()?.to_owned());
    let code = said("error_description").and_then(|text| {
        let code = text.split([':', ' ']).next()?.to_owned();
        code.starts_with("AADSTS").then_some(code)
    });
    match (said("error").filter(|error| error.len() < 64), code.filter(|code| code.len() < 32)) {
        (Some(error), Some(code)) => format!("{status} {error} ({code})"),
        (Some(error), None) => format!("{status} {error}"),
        _ => status.to_string(),
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("entra", &self.inner.entra).finish_non_exhaustive()
    }
}

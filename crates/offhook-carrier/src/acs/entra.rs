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
        let unreachable =
            |error: reqwest::Error| TokenError::Unreachable { why: error.without_url().to_string() };
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
            Entra::ManagedIdentity { endpoint, client_id } => {
                self.managed_request(endpoint, client_id.as_deref())
            }
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

#[cfg(test)]
mod tests {
    use wiremock::matchers::{body_string_contains, header, method, path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    fn granted(token: &str, seconds: u64) -> ResponseTemplate {
        ResponseTemplate::new(200).set_body_json(
            serde_json::json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"}),
        )
    }

    fn tokens(entra: Entra) -> Tokens {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Tokens::new(reqwest::Client::builder().no_proxy().build().unwrap(), entra)
    }

    fn client_secret(server: &MockServer) -> Entra {
        Entra::ClientSecret {
            authority: server.uri(),
            tenant: "contoso".to_owned(),
            client_id: "app".to_owned(),
            secret: "s&cret".into(),
        }
    }

    async fn text(tokens: &Tokens) -> String {
        tokens.token().await.unwrap().expose_secret().to_owned()
    }

    #[tokio::test]
    async fn a_client_secret_is_exchanged_once_and_the_token_kept() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/contoso/oauth2/v2.0/token"))
            .and(body_string_contains("grant_type=client_credentials"))
            .and(body_string_contains("client_id=app"))
            .and(body_string_contains("client_secret=s%26cret"))
            .and(body_string_contains("scope=https%3A%2F%2Fcommunication.azure.com%2F%2F.default"))
            .respond_with(granted("t1", 3_600))
            .expect(1)
            .mount(&server)
            .await;
        let tokens = tokens(client_secret(&server));
        // Many calls at once ask once.
        let all = futures(20, || text(&tokens)).await;
        assert!(all.iter().all(|token| token == "t1"));
        assert_eq!(text(&tokens).await, "t1");
        assert!(!format!("{tokens:?}").contains("s&cret"));
    }

    async fn futures<F: Future<Output = String>>(count: usize, ask: impl Fn() -> F) -> Vec<String> {
        let mut asking: Vec<_> = (0..count).map(|_| Box::pin(ask())).collect();
        let mut done = Vec::new();
        std::future::poll_fn(|cx| {
            asking.retain_mut(|ask| match ask.as_mut().poll(cx) {
                std::task::Poll::Ready(token) => {
                    done.push(token);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if asking.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        done
    }

    #[tokio::test]
    async fn a_token_that_was_refused_is_fetched_anew() {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(granted("t1", 3_600)).up_to_n_times(1).mount(&server).await;
        Mock::given(method("POST")).respond_with(granted("t2", 3_600)).mount(&server).await;
        let tokens = tokens(client_secret(&server));
        let first = tokens.token().await.unwrap();
        tokens.forget(&first);
        assert_eq!(text(&tokens).await, "t2");
        // Said again of the old one, the new one stays.
        tokens.forget(&first);
        assert_eq!(text(&tokens).await, "t2");
    }

    /// Near its end a token is used on, and the next one fetched beside.
    #[tokio::test]
    async fn a_token_is_renewed_before_its_end() {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(granted("t1", 600)).up_to_n_times(1).mount(&server).await;
        Mock::given(method("POST")).respond_with(granted("t2", 600)).mount(&server).await;
        let tokens = tokens(client_secret(&server));
        assert_eq!(text(&tokens).await, "t1");
        tokens.inner.lock().refresh_at = Some(Instant::now());
        assert_eq!(text(&tokens).await, "t1", "nobody waits for the next one");
        tokens.inner.refresh(Instant::now()).await.expect("whoever comes first fetches it");
        assert_eq!(text(&tokens).await, "t2");
        // One that is all but over is not used.
        tokens.inner.lock().token = Some(Token { text: "old".into(), expires_at: Instant::now() + MARGIN });
        assert_eq!(text(&tokens).await, "t2");
    }

    #[tokio::test]
    async fn a_workload_shows_the_token_it_was_given() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(body_string_contains("client_assertion=a.b.c"))
            .and(body_string_contains(
                "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
            ))
            .respond_with(granted("t1", 3_600))
            .mount(&server)
            .await;
        let dir = tempfile::tempdir().unwrap();
        let token_file = dir.path().join("token");
        let entra = |token_file| Entra::WorkloadIdentity {
            authority: server.uri(),
            tenant: "contoso".to_owned(),
            client_id: "app".to_owned(),
            token_file,
        };
        let missing = tokens(entra(token_file.clone())).token().await;
        assert!(matches!(missing, Err(TokenError::File { .. })));
        std::fs::write(&token_file, "a.b.c\n").unwrap();
        assert_eq!(text(&tokens(entra(token_file))).await, "t1");
    }

    #[tokio::test]
    async fn a_machine_asks_its_own_endpoint() {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/metadata/identity/oauth2/token"))
            .and(header("Metadata", "true"))
            .and(query_param("api-version", "2018-02-01"))
            .and(query_param("resource", "https://communication.azure.com/"))
            .and(query_param("client_id", "app"))
            .respond_with(
                ResponseTemplate::new(200)
                    .set_body_json(serde_json::json!({"access_token": "vm", "expires_in": "3599"})),
            )
            .mount(&server)
            .await;
        Mock::given(method("GET"))
            .and(path("/msi/token"))
            .and(header("X-IDENTITY-HEADER", "header"))
            .and(query_param("api-version", "2019-08-01"))
            .respond_with(
                ResponseTemplate::new(200)
                    .set_body_json(serde_json::json!({"access_token": "app", "expires_on": "4102444800"})),
            )
            .mount(&server)
            .await;
        let imds = ManagedEndpoint::Imds { url: server.uri() };
        let imds = tokens(Entra::ManagedIdentity { endpoint: imds, client_id: Some("app".to_owned()) });
        assert_eq!(text(&imds).await, "vm");
        let url = format!("{}/msi/token", server.uri());
        let app = ManagedEndpoint::AppService { url, header: "header".into() };
        assert_eq!(text(&tokens(Entra::ManagedIdentity { endpoint: app, client_id: None })).await, "app");
    }

    #[tokio::test]
    async fn a_refusal_names_microsofts_code_and_quotes_nothing() {
        let server = MockServer::start().await;
        let error = serde_json::json!({
            "error": "invalid_client",
            "error_description": "AADSTS7000215: Invalid client secret provided: s&cret",
        });
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(401).set_body_json(error))
            .mount(&server)
            .await;
        let refused = tokens(client_secret(&server)).token().await.unwrap_err();
        assert_eq!(refused, TokenError::Refused { why: "401 invalid_client (AADSTS7000215)".to_owned() });
        let server = MockServer::start().await;
        for body in ["<html>", "{}", r#"{"access_token":"","expires_in":10}"#, r#"{"access_token":"t"}"#] {
            Mock::given(method("POST"))
                .respond_with(ResponseTemplate::new(200).set_body_string(body))
                .up_to_n_times(1)
                .mount(&server)
                .await;
            assert_eq!(
                tokens(client_secret(&server)).token().await.unwrap_err(),
                TokenError::Malformed,
                "{body}"
            );
        }
    }
}
